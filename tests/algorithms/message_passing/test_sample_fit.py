"""Message passing fitted to a sample: with Gaussian weights and real labels the exact posterior of a linear model; else its own errors."""

from dataclasses import replace

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.algorithms.message_passing import sample_fit
from gaussequiv.algorithms.message_passing.sample_fit import fit_amp
from gaussequiv.numerics.status import Status
from gaussequiv.samples.training_sample import TrainingSample

D, N, NOISE = 240, 480, 0.3


def rows(kind, seed):
    """Inputs of four kinds, what their sample knows of them, and the problem's."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((2 * N, D))
    q, w = np.linalg.qr(rng.standard_normal((D, D)))[0], np.geomspace(4, 0.2, D)
    w /= w.mean()
    if kind == "isotropic":
        return z, {}, ge.GaussianInputs()
    if kind == "spectrum":
        return z * np.sqrt(w), {"variances": w}, ge.GaussianInputs(w)
    if kind == "centred":
        return z + 0.7, {"centre": np.full(D, 0.7)}, ge.GaussianInputs()
    return (z * np.sqrt(w)) @ q.T, {"rotation": q, "variances": w}, ge.GaussianInputs(covariance=(q * w) @ q.T)


@pytest.mark.parametrize("kind", ["isotropic", "spectrum", "centred", "correlated"])
def test_gaussian_weights_have_the_posterior_of_a_linear_model(kind):
    """Mean and variance of a fresh field under prior N(0, 1) and noise 0.3: d Lambda = X'X + 0.3 d. Differences are of order 1/d."""
    x, known, inputs = rows(kind, 0)
    weights = np.random.default_rng(1).standard_normal(D)
    centre = known.get("centre", np.zeros(D))
    field = (x - centre) @ weights / np.sqrt(D)
    y = field[:N] + np.sqrt(NOISE) * np.random.default_rng(2).standard_normal(N)
    e = ge.Problem(ge.LinearTarget(noise=NOISE), inputs).equivalent()
    fit = fit_amp(TrainingSample(x[:N], y, **known), e, intercept=False)
    assert fit.status == Status.converged
    a = (x - centre) / np.sqrt(D)
    covariance = np.linalg.inv(a[:N].T @ a[:N] / NOISE + np.eye(D))
    exact = a[N:] @ (covariance @ (a[:N].T @ y / NOISE))
    spread = np.mean(np.sum((a[N:] @ covariance) * a[N:], axis=1))
    assert np.mean((fit(x[N:]) - exact) ** 2) < 0.02 * spread
    assert fit.variance == pytest.approx(spread + e.model_noise, rel=0.1)


@pytest.mark.parametrize("model_noise", [0.0, 0.4])
def test_vamp_leaves_the_variance_that_it_says(model_noise):
    """Signs as weights on correlated coordinates, labels from a threshold: the mean square error of the field on fresh rows, which is
    never more than the field's own variance.
    """
    said, left, own = [], [], []
    for seed in range(3):
        x, known, inputs = rows("correlated", seed)
        rng = np.random.default_rng((seed, 1))
        weights = rng.choice([-1.0, 1.0], D)
        field = x @ weights / np.sqrt(D)
        seen = field + np.sqrt(model_noise) * rng.standard_normal(2 * N)
        y = np.where(seen[:N] + np.sqrt(NOISE) * rng.standard_normal(N) > 0, 1.0, -1.0)
        e = ge.Problem(ge.LinearTarget("rademacher", task="classification", noise=NOISE), inputs).equivalent()
        e = replace(e, effective_noise=np.array([model_noise]))
        fit = fit_amp(TrainingSample(x[:N], y, **known), e, intercept=False)
        assert fit.status == Status.converged
        said.append(fit.variance - model_noise)
        left.append(np.mean((fit(x[N:]) - field[N:]) ** 2))
        own.append(np.mean(field[N:] ** 2))
    assert np.mean(said) == pytest.approx(np.mean(left), rel=0.2)
    assert max(said) < 0.8 * min(own)


@pytest.mark.parametrize(("kind", "own"), [("isotropic", False), ("spectrum", False), ("correlated", True)])
def test_vector_passing_serves_correlated_inputs_of_weights_that_are_not_gaussian_alone(monkeypatch, kind, own):
    x, known, inputs = rows(kind, 0)
    taken = []
    monkeypatch.setattr(sample_fit, "_fit_vamp", lambda *given: taken.append(given) or "vector")
    for prior in (None, "rademacher"):
        target = ge.LinearTarget(noise=NOISE) if prior is None else ge.LinearTarget(prior, noise=NOISE)
        sample = TrainingSample(x[:N], x[:N, 0].copy(), **known)
        found = fit_amp(sample, ge.Problem(target, inputs=inputs).equivalent(), False)
        assert (found == "vector") == (own and prior is not None) == bool(taken)
