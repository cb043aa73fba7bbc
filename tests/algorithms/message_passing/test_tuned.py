"""What the data ask of the noise and of the weights' scale: the moves against derivatives of the evidence, and their limits."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse.linalg import aslinearoperator

from gaussequiv.algorithms.message_passing.design import Design
from gaussequiv.algorithms.message_passing.gamp import GAMP
from gaussequiv.algorithms.message_passing.scaled_prior import ScaledPrior
from gaussequiv.algorithms.message_passing.tuned import (
    RANGE,
    SPREAD,
    Fitted,
    _gamp_moves,
    _numbers,
    _vamp_moves,
    _with_numbers,
    fit_glm,
)
from gaussequiv.algorithms.message_passing.vamp import VAMP, GramSpectrum
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.ingredients.priors.named import GaussBernoulli
from gaussequiv.numerics.status import Status

N, D = 40, 12


def data(channel, offset=0.4):
    rng = np.random.default_rng(0)
    z = rng.standard_normal((N, D)) * np.geomspace(0.2, 0.6, D)
    z -= z.mean(axis=0)
    return z, channel.sample(rng, z @ rng.standard_normal(D) + offset)


def machine_and_state(channel, law, intercept=True):
    z, y = data(channel)
    machine = VAMP(GramSpectrum(Design(z)), y, law, channel, intercept=intercept)
    return z, machine, machine.run(1e-4)[0]


def test_vamp_moves_a_gaussian_prior_as_mackay_does():
    noise, law = 0.7, ScaledPrior(0.8)
    for intercept in (False, True):
        z, machine, state = machine_and_state(GaussianNoise(noise), law, intercept)
        rest = np.sum((machine.y - state.intercept - z @ state.mean) ** 2) / (N - state.degrees - intercept)
        found = _vamp_moves(machine, state, ("noise", "signal"))
        signal = (state.mean @ state.mean / state.degrees) / 0.8**2
        assert found == pytest.approx([np.log(rest / noise), np.log(signal)], rel=1e-9)
        assert _vamp_moves(machine, state, ("signal", "noise")) == pytest.approx(found[::-1])


@pytest.mark.parametrize("channel", [GaussianNoise(0.7), Sign(0.3)])
def test_vamp_moves_any_scale_along_the_evidence_of_its_messages(channel):
    """D = d/dlog(scale) of sum_i log Z(A scale^2, b_i scale) at fixed messages, less L/9 * 2 for binary labels, L = log(row variance)."""
    prior, scale = GaussBernoulli(0.3, 2.0), 0.8
    _, machine, state = machine_and_state(channel, ScaledPrior(scale, prior))
    A, b, step = state.gamma, state.gamma * state.r, 1e-5

    def evidence(log):
        own = scale * np.exp(log)
        return float(np.sum(prior.posterior(A * own**2, b * own).log_partition))

    slope = (evidence(step) - evidence(-step)) / (2 * step)
    if channel.task == "classification":
        slope -= 2 * np.log(machine.width**2) / SPREAD**2
    (found,) = _vamp_moves(machine, state, ("signal",))
    assert found == pytest.approx(np.log(max(1 + slope / state.degrees, 0.1)), rel=1e-7)
    (least,) = _vamp_moves(machine, state._replace(r=0 * state.r, gamma=1.0, degrees=0.5), ("signal",))
    assert least == pytest.approx(np.log(0.1))  # a step never takes more than nine tenths


def test_vamp_never_counts_more_parameters_than_rows():
    _, machine, state = machine_and_state(GaussianNoise(0.7), ScaledPrior(0.8))
    (found,) = _vamp_moves(machine, state._replace(degrees=N + 1.0), ("noise",))
    squares = np.sum((machine.y - state.intercept - state.field) ** 2)
    assert found == pytest.approx(np.log(squares / (1e-6 * N) / 0.7), rel=1e-9)


@pytest.mark.parametrize("channel", [GaussianNoise(0.7), Sign(0.3)])
def test_gamp_moves_by_expectation_maximisation(channel):
    z, y = data(channel)
    law = ScaledPrior(0.9, GaussBernoulli(0.3, 1.5))
    machine = GAMP(z, y, law, channel, 0.0, D, 1e3)
    state = machine.step(machine.step(machine.init()))
    moment = 0.9**2 * law.prior.second_moment
    ratio = np.mean(state.a**2 + state.c) / moment
    if channel.task == "classification":
        ratio -= 2 * np.log(moment) / (9 * D)
    assert _gamp_moves(machine, state, ("signal",)) == pytest.approx([np.log(ratio)], rel=1e-12)
    assert _gamp_moves(machine, state._replace(a=0 * state.a, c=1e-9 * state.c), ("signal",)) == pytest.approx([np.log(0.1)])
    if channel.task == "regression":
        # the labels' mean square distance from their fields, given the labels: noise g on average, and what is left of it
        g, V, noise = state.g, state.V, 0.7
        left = 1 / (1 / noise + 1 / V)
        found = np.clip(np.mean((noise * g) ** 2) + left, 0, np.var(y))
        assert found < np.var(y)
        both = _gamp_moves(machine, state, ("signal", "noise"))
        assert both == pytest.approx([np.log(ratio), np.log(found / noise)], rel=1e-12)
        (most,) = _gamp_moves(machine, state._replace(g=100 * g), ("noise",))
        assert most == pytest.approx(np.log(np.var(y) / noise))


def test_numbers_go_in_and_out_as_logarithms_within_their_range():
    _, machine, _ = machine_and_state(GaussianNoise(0.7), ScaledPrior(0.8, GaussBernoulli(0.3)))
    both = ("noise", "signal")
    assert _numbers(machine, both) == pytest.approx(np.log([0.7, 0.64]))
    other = _with_numbers(machine, both, np.log([0.2, 0.09]), 0.8)
    assert (other.channel.noise, other.law.scale) == pytest.approx((0.2, 0.3)) and other.law.prior is machine.law.prior
    assert other.y is machine.y and other.intercept
    for sign, scale in ((-1, 0.8 / RANGE), (1, 0.8 * RANGE)):
        assert _with_numbers(machine, ("signal",), np.array([sign * 50.0]), 0.8).law.scale == pytest.approx(scale)
    assert _with_numbers(machine, ("noise",), np.array([-50.0]), 0.8).channel.noise == pytest.approx(1e-8 * np.var(machine.y))


@pytest.mark.parametrize("shape", [(40, 12), (12, 40)])
def test_variances_of_fresh_rows(shape):
    """The exact posterior's, or the prior's where that is less; on a design those of independent weights."""
    rng = np.random.default_rng(2)
    z, y, rows = rng.standard_normal(shape), rng.standard_normal(shape[0]), rng.standard_normal((5, shape[1]))
    law, channel = ScaledPrior(0.6), GaussianNoise(0.3)
    options = {"learn": (), "intercept": False, "tolerance": 1e-10, "steps": 500}
    fit = fit_glm(GramSpectrum(Design(z)), y, channel, law, **options)
    covariance = np.linalg.inv(z.T @ z / 0.3 + np.eye(shape[1]) / 0.36)
    np.testing.assert_allclose(fit.variances(rows), np.einsum("ij,jk,ik->i", rows, covariance, rows), rtol=1e-9)
    np.testing.assert_allclose(fit.mean, covariance @ z.T @ y / 0.3, rtol=1e-8, atol=1e-12)
    assert fit.degrees == pytest.approx(np.trace(z.T @ z @ covariance) / 0.3, rel=1e-9) and fit.status == Status.converged
    wide = replace(fit, precision=1e-3, site=1e-9)  # a posterior that knows less than the prior
    np.testing.assert_allclose(wide.variances(rows), 0.36 * np.sum(rows**2, axis=1), rtol=1e-9)
    alone = Fitted(fit.mean, 0.0, channel, law, fit.status, 1, 0.0, 1.0, variance=np.arange(1.0, shape[1] + 1))
    np.testing.assert_allclose(alone.variances(rows), rows**2 @ np.arange(1.0, shape[1] + 1), rtol=1e-12)


def test_a_design_is_fitted_in_the_same_units_as_its_spectrum():
    """Nearly independent columns: mean, variance, scale and effective parameters of both agree to the order of 1/d."""
    rng = np.random.default_rng(1)
    n, d = 900, 300
    z = rng.standard_normal((n, d))
    y = z @ (0.1 * rng.standard_normal(d)) + 0.5 + 0.8 * rng.standard_normal(n)
    z -= z.mean(axis=0)
    options = {"learn": (), "intercept": True, "tolerance": 1e-8, "steps": 500}
    exact, found = (fit_glm(one, y, GaussianNoise(0.64), ScaledPrior(0.1), **options) for one in (GramSpectrum(Design(z)), Design(z)))
    assert found.law.scale == pytest.approx(0.1) and found.intercept == pytest.approx(exact.intercept, abs=1e-3)
    assert np.linalg.norm(found.mean - exact.mean) < 0.05 * np.linalg.norm(exact.mean)
    assert found.degrees == pytest.approx(exact.degrees, rel=0.05)
    rows = rng.standard_normal((5, d))  # fresh: independent of what the posterior knows
    np.testing.assert_allclose(found.variances(rows), exact.variances(rows), rtol=0.1)


@pytest.mark.parametrize("first", [1.0, 1e-2, 30.0])
@pytest.mark.parametrize("kind", ["spectrum", "design"])
def test_learned_numbers_ask_for_no_further_move(kind, first):
    """From any start they end where noise = |rest|^2/(n - gamma - 1) and v = |w|^2/gamma, on a design at the fixed point of both means."""
    rng = np.random.default_rng(1)
    n, d = 300, 60
    z = rng.standard_normal((n, d))
    z -= z.mean(axis=0)
    y = z @ (0.2 * rng.standard_normal(d)) + 0.5 + 0.8 * rng.standard_normal(n)
    problem = GramSpectrum(Design(z)) if kind == "spectrum" else Design(z)
    options = {"learn": ("signal", "noise"), "intercept": True, "tolerance": 1e-7}
    fit = fit_glm(problem, y, GaussianNoise(first), ScaledPrior(0.2 * first), steps=5000, **options)
    assert fit.status == Status.converged and fit.steps > 4
    rest, v, noise = y - fit.intercept - z @ fit.mean, fit.law.scale**2, fit.channel.noise
    if kind == "spectrum":
        assert v == pytest.approx(fit.mean @ fit.mean / fit.degrees, rel=2e-3)
        assert noise == pytest.approx(rest @ rest / (n - fit.degrees - 1), rel=2e-3)
    else:
        assert v == pytest.approx(np.mean(fit.mean**2 + fit.variance), rel=2e-3)
        assert fit.degrees == pytest.approx(np.sum(1 - fit.variance / v), rel=1e-9)
        V = np.sum(fit.variance * np.mean(z**2, axis=0))
        assert noise == pytest.approx(np.mean(rest**2) + V * noise / (V + noise), rel=0.1)
    assert noise == pytest.approx(0.64, rel=0.3) and v == pytest.approx(0.04, rel=0.5)
    short = fit_glm(problem, y, GaussianNoise(first), ScaledPrior(0.2 * first), steps=3, **options)
    assert short.status == Status.max_steps and short.steps == 3
    fixed = fit_glm(problem, y, GaussianNoise(first), ScaledPrior(0.2 * first), steps=500, **(options | {"learn": ()}))
    assert fixed.status == Status.converged and fixed.channel.noise == first and fixed.law.scale == pytest.approx(0.2 * first)


def test_columns_of_any_size_have_variances_of_their_own():
    """Columns between 0.2 and 5 under one prior: each weight's variance and the mean, as in the exact posterior to the order of 1/d."""
    rng = np.random.default_rng(1)
    n, d = 900, 300
    z = rng.standard_normal((n, d)) * np.geomspace(0.2, 5, d)
    y = z @ (0.1 * rng.standard_normal(d)) + 2.0 * rng.standard_normal(n)
    options = {"learn": (), "intercept": False, "tolerance": 1e-8, "steps": 500}
    found = fit_glm(Design(z), y, GaussianNoise(4.0), ScaledPrior(0.1), **options)
    covariance = np.linalg.inv(z.T @ z / 4 + np.eye(d) / 0.01)
    mean = covariance @ z.T @ y / 4
    assert found.status == Status.converged and found.variance.max() > 5 * found.variance.min()
    np.testing.assert_allclose(found.variance, np.diag(covariance), rtol=0.25)
    assert np.linalg.norm(found.mean - mean) < 0.05 * np.linalg.norm(mean)


def test_an_operator_is_fitted_with_one_variance_for_all():
    rng = np.random.default_rng(2)
    z = rng.standard_normal((200, 100))
    y = z @ (0.1 * rng.standard_normal(100)) + 0.8 * rng.standard_normal(200)
    options = {"learn": (), "intercept": False, "tolerance": 1e-9, "steps": 500}
    found = fit_glm(Design(aslinearoperator(z)), y, GaussianNoise(0.64), ScaledPrior(0.1), **options)
    exact = np.linalg.solve(z.T @ z + 64 * np.eye(100), z.T @ y)
    assert np.ptp(found.variance) < 1e-12 and np.linalg.norm(found.mean - exact) < 1e-4 * np.linalg.norm(exact)


@pytest.mark.parametrize("kind", ["spectrum", "design"])
@pytest.mark.parametrize("unit", [1e-3, 1e3])
def test_what_is_learned_has_the_units_of_the_labels(kind, unit):
    """Noise, scale, constant and weights of labels in another unit, from first guesses in that unit."""
    rng = np.random.default_rng(3)
    z = rng.standard_normal((200, 40)) * np.geomspace(0.5, 2, 40)
    y = z @ (0.2 * rng.standard_normal(40)) + 0.5 + 0.8 * rng.standard_normal(200)
    z -= z.mean(axis=0)
    problem, found = GramSpectrum(Design(z)) if kind == "spectrum" else Design(z), []
    options = {"learn": ("signal", "noise"), "intercept": True, "tolerance": 1e-7, "steps": 2000}
    for u in (1.0, unit):
        fit = fit_glm(problem, u * y, GaussianNoise(0.3 * u * u), ScaledPrior(0.5 * u, GaussBernoulli(0.6)), **options)
        assert fit.status == Status.converged
        numbers = [fit.channel.noise / u**2, fit.law.scale / u, fit.intercept / u, fit.degrees]
        found.append((numbers, fit.mean / u, fit.variances(z[:5]) / u**2))
    assert found[0][0][0] == pytest.approx(0.64, rel=0.3)
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-3, atol=1e-4)
