"""The Bayes-optimal curve: closed forms, limits and order."""

from dataclasses import replace

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.numerics.status import Status

ALPHA = np.geomspace(1e-3, 1e3, 13)
REGRESSION = ge.DeepNetwork("tanh", depth=2, weight_variance=4, noise=0.1)
SIGNS = ge.DeepNetwork("tanh", depth=2, weight_variance=4, noise=0.1, task="classification")
OFFSET = ge.DeepNetwork("relu", noise=0.1, task="classification")


def solved(target, alpha=ALPHA, inputs="identity", learner=None):
    e = ge.Problem(target, ge.GaussianInputs(inputs)).equivalent()
    return e, (learner or ge.BayesOptimal()).solve(e, np.asarray(alpha, float))


def test_isotropic_regression_solves_its_quadratic():
    """E = tau + s/(1 + alpha s/E) (Cui, Krzakala, Zdeborova 2023)."""
    e, curve = solved(REGRESSION)
    tau, s = e.noise, e.signal_variance
    b = tau + s - ALPHA * s
    assert curve["test_error"] == pytest.approx(0.5 * (b + np.sqrt(b * b + 4 * tau * ALPHA * s)), rel=1e-9)
    assert curve["qhat"] == pytest.approx(ALPHA * s / curve["test_error"], rel=1e-10)


@pytest.mark.parametrize("spectrum", ["power-law:0.7", "marchenko-pastur:2", "two-level:4:0.2:0.1667"])
def test_structured_regression_is_a_fixed_point(spectrum):
    e, curve = solved(REGRESSION, inputs=spectrum)
    qhat = curve["qhat"][:, None]
    posterior = e.slope2 * (e.eigenvalues / (1 + qhat * e.eigenvalues)) @ e.weights
    assert curve["test_error"] == pytest.approx(e.noise + posterior, rel=1e-10)
    assert curve["qhat"] == pytest.approx(ALPHA * e.slope2 / curve["test_error"], rel=1e-10)


def test_isotropic_sign_labels_are_a_fixed_point_by_brute_force():
    from scipy.integrate import quad
    from scipy.special import log_ndtr

    alpha = 1.7
    e, curve = solved(SIGNS, [alpha])
    q, s, tau = float(curve["q"][0]), e.signal_variance, e.noise
    V = tau + s - q

    def integrand(x):
        t = np.sqrt(q / V) * x
        return np.exp(-0.5 * x * x - t * t - 1.5 * np.log(2 * np.pi) - log_ndtr(t) - log_ndtr(-t))

    rate = alpha / V * quad(integrand, -12, 12, epsabs=1e-14)[0]
    assert q == pytest.approx(s * rate * s / (1 + rate * s), rel=1e-11)
    assert curve["test_error"][0] == pytest.approx(np.arccos(np.sqrt(q / (s + tau))) / np.pi, rel=1e-12)
    assert curve["overlap"][0] == pytest.approx(q / s, rel=1e-14)


@pytest.mark.parametrize("target", [REGRESSION, SIGNS, OFFSET])
@pytest.mark.parametrize("spectrum", ["identity", "two-level:2:0:0.5", "power-law:0.5"])
def test_no_samples_leave_the_prior_and_many_reach_the_floor(target, spectrum):
    alpha = np.array([1e-9, 1e9])
    e, curve = solved(target, alpha, spectrum)
    if target.task == "regression":
        prior = e.signal_variance + e.noise
    else:  # the constant is known, the rest is not: P(field has the other sign) = E Phi(-|b0|/sqrt(rho))
        prior = np.arctan(np.sqrt((e.signal_variance + e.noise) / e.offset_variance)) / np.pi if e.offset_variance else 0.5
    # the first correction is of order alpha (regression) or sqrt(alpha) (labels)
    assert curve["test_error"][0] == pytest.approx(prior, abs=1e-4)
    assert curve["overlap"] == pytest.approx([0.0, 1.0], abs=1e-3)
    assert curve["test_error"][1] == pytest.approx(e.floor, rel=1e-3)
    assert curve["floor"] == pytest.approx([e.floor] * 2)
    assert np.all(curve["status"] == Status.converged)


@pytest.mark.parametrize("target", [REGRESSION, SIGNS, OFFSET])
def test_errors_fall_with_samples_and_excess_is_the_distance_to_the_floor(target):
    _, curve = solved(target)
    assert np.all(np.diff(curve["test_error"]) < 0)
    assert np.all(np.diff(curve["overlap"]) > 0)
    assert curve["excess_over_floor"] == pytest.approx(curve["test_error"] - curve["floor"], abs=1e-10)
    assert np.all(curve["clean_error"] < curve["test_error"])
    assert curve["residual"].max() < 1e-8


def test_the_excess_keeps_its_digits_far_out():
    """E - tau -> tau/alpha for one noisy linear target (Cramer-Rao)."""
    alpha = np.array([1e8, 1e12])
    e, curve = solved(REGRESSION, alpha)
    assert curve["excess_over_floor"] == pytest.approx(e.noise / alpha, rel=1e-7)


def test_noiseless_linear_regression_is_solved_at_alpha_one():
    _, curve = solved(ge.DeepNetwork(()), [0.25, 0.5, 1.0, 2.0])
    assert curve["test_error"] == pytest.approx([0.75, 0.5, 0.0, 0.0], abs=1e-14)
    assert np.all(curve["train_error"] == 0)


def test_noiseless_linear_labels_have_the_known_large_alpha_law():
    """Error -> 0.442/alpha for the noiseless perceptron (Opper and Haussler 1991)."""
    _, curve = solved(ge.DeepNetwork((), task="classification"), [100.0, 1000.0])
    assert curve["test_error"] * [100, 1000] == pytest.approx([0.442, 0.442], abs=0.002)
    assert np.all(curve["floor"] == 0)


def test_an_unlearnable_target_stays_at_its_prior():
    e, curve = solved(ge.DeepNetwork("abs", noise=0.1), [0.1, 10.0])
    assert curve["test_error"] == pytest.approx([e.noise] * 2)
    assert curve["overlap"].tolist() == [0.0, 0.0]
    _, signs = solved(ge.DeepNetwork("hermite:2", task="classification"), [0.1, 10.0])
    assert signs["test_error"] == pytest.approx([0.5, 0.5], abs=1e-12)


def test_offset_curves_average_curves_of_given_offsets():
    e, curve = solved(OFFSET, [0.1, 2.0])
    b = np.sqrt(e.offset_variance) * np.linspace(0, 8, 161)
    law = np.exp(-0.5 * b**2 / e.offset_variance)
    law[0] *= 0.5
    each = np.array([ge.BayesOptimal().solve(e.with_offset(x), np.array([0.1, 2.0]))["test_error"] for x in b])
    assert curve["test_error"] == pytest.approx(law @ each / law.sum(), rel=1e-5)  # trapezoid: |b| bends at 0


@pytest.mark.parametrize("offset", [1e-3, 0.01, 0.1, 1.0])
def test_given_offsets_keep_error_floor_and_excess_consistent(offset):
    e, _ = solved(OFFSET, [1.0])
    curve = ge.BayesOptimal().solve(e.with_offset(offset), np.array([1e-6, 1e-4, 0.01, 1.0, 100.0]))
    assert curve["excess_over_floor"] == pytest.approx(curve["test_error"] - curve["floor"], abs=1e-10)


@pytest.mark.parametrize("target", [REGRESSION, SIGNS])
def test_output_scale_is_a_unit(target):
    scaled = replace(target, activations=target.layers, readout_variance=9.0, noise=9 * target.noise)
    one, nine = solved(target)[1], solved(scaled)[1]
    factor = 9.0 if target.task == "regression" else 1.0
    assert nine["test_error"] == pytest.approx(factor * one["test_error"], rel=1e-10)
    assert nine["overlap"] == pytest.approx(one["overlap"], rel=1e-9)


@pytest.mark.parametrize("target", [REGRESSION, SIGNS])
def test_an_explicit_identity_equals_the_isotropic_closed_form(target):
    one = solved(target)[1]
    e = ge.Problem(target, ge.GaussianInputs([1 + 1e-12, 1 - 1e-12])).equivalent()
    many = ge.BayesOptimal().solve(e, ALPHA)
    assert many["test_error"] == pytest.approx(one["test_error"], rel=1e-9)


@pytest.mark.parametrize("target", [REGRESSION, SIGNS, OFFSET])
def test_nothing_beats_it(target):
    e, best = solved(target)
    for lam in ("optimal", 0.01, 1.0, 100.0):
        other = ge.Ridge(lam).solve(e, ALPHA)["test_error"]
        assert np.all(other >= best["test_error"] * (1 - 1e-10))
