"""The Bayes-optimal curve: closed forms, limits and order."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import special
from scipy.integrate import quad
from scipy.special import expit

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


@pytest.mark.parametrize(
    "target",
    [
        REGRESSION,
        SIGNS,
        OFFSET,
        ge.DeepNetwork("tanh", labels="logit:0.5"),
        ge.LinearTarget("rademacher", noise=0.3),
    ],
)
def test_the_excess_is_what_lies_above_the_floor(target):
    """And the floor is what many samples leave."""
    _, curve = solved(target, [0.3, 1.0, 2.0])
    _, many = solved(target, [1e6])
    assert curve["floor"] == pytest.approx(np.full(3, many["test_error"][0]), rel=1e-2)
    assert curve["excess_over_floor"] == pytest.approx(curve["test_error"] - curve["floor"], rel=1e-9)
    assert np.all(curve["excess_over_floor"] > 0.01)


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


def even(z):
    return expit(20 * (z * z - 2))


def falling(z):
    return 0.1 + 0.8 * expit(-4 * (z - 0.3))


def rising(z):
    return falling(-z)


@pytest.mark.parametrize("branch", ["equilibrium", "uninformed"])
def test_even_labels_are_guessed_by_the_likelier_label(branch):
    """Below the majority guess 0.157 from alpha = 3.5 on; the field's sign would be wrong for five labels of six."""
    problem = ge.Problem(ge.LinearTarget("gaussian", labels=even), learner=ge.BayesOptimal(branch=branch))
    curve = ge.solve(problem, [3.5, 10.0, 134.0])
    prior = quad(lambda z: 2 * even(z) * np.exp(-z * z / 2) / np.sqrt(2 * np.pi), 0, 9, points=[1.2, 1.4, 1.6], epsabs=1e-13)[0]
    floor = quad(lambda z: 2 * min(even(z), 1 - even(z)) * np.exp(-z * z / 2) / np.sqrt(2 * np.pi), 0, 9, points=[1.2, 2**0.5, 1.6])[0]
    assert np.all(curve.test_error.values < prior) and prior == pytest.approx(0.1577, abs=2e-4)
    assert curve.floor.values == pytest.approx([floor] * 3, abs=1e-8)
    assert np.all(np.isnan(curve.clean_error))
    points = ge.fixed_points(ge.Problem(ge.LinearTarget("gaussian", labels=even)), [3.5, 10.0, 134.0]).sel(branch="informed")
    np.testing.assert_allclose(curve.test_error, points.test_error, rtol=1e-10)


def test_steep_even_labels_have_one_weak_recovery_and_no_spurious_transition():
    """1/weak recovery = Sum_y (E p(y|z) (z^2 - 1))^2/P(y) at unit signal, from q = 0."""

    def moment(f):
        return 2 * quad(lambda z: f(z) * even(z) * np.exp(-z * z / 2) / np.sqrt(2 * np.pi), 0, 9, points=[1.2, 1.4, 1.6], epsabs=1e-14)[0]

    up, slope = moment(lambda z: 1.0), moment(lambda z: z * z - 1)
    found = ge.thresholds(ge.Problem(ge.LinearTarget("gaussian", labels=even)))
    assert found.weak_recovery == pytest.approx(1 / (slope**2 * (1 / up + 1 / (1 - up))), rel=1e-5)
    assert found.transitions == ()


def test_information_on_even_labels_grows_at_the_rate_of_the_next_label():
    """dI/dalpha = Psi(signal) - Psi(q), along the branch."""
    problem, h = ge.Problem(ge.LinearTarget("gaussian", labels=even)), 1e-3
    curve = ge.solve(problem, [3.5 - h, 3.5, 3.5 + h])
    channel, q = problem.target.channel, float(curve.q[1])
    rate = float(channel.psi(1.0, 0.0) - channel.psi(q, 1 - q))
    assert float(curve.mutual_information[2] - curve.mutual_information[0]) / (2 * h) == pytest.approx(rate, rel=1e-5)


def test_falling_labels_mirror_rising_ones():
    """(field, x) -> (-field, -x) maps one onto the other; the noiseless label, the field's sign, is nobody's label here."""
    down, up = (ge.solve(ge.Problem(ge.LinearTarget("gaussian", labels=law, noise=0.1)), [0.5, 3.0]) for law in (falling, rising))
    np.testing.assert_allclose(down.test_error, up.test_error, rtol=1e-9)
    assert np.all(np.isnan(down.clean_error)) and np.all(np.isfinite(up.clean_error))


@pytest.mark.parametrize("law", [falling, pytest.param(even, marks=pytest.mark.slow)])
def test_message_passing_attains_the_error_of_labels_that_fall(law):
    """16 samples at d = 100; |mean - theory| <= 4 standard errors + (4/d) theory."""
    problem = ge.Problem(ge.LinearTarget("gaussian", labels=law))
    run = ge.simulate(problem, [5.0], d=100, trials=16, seed=3, normalise_teacher=True, progress=False)
    theory = float(ge.solve(problem, [5.0]).test_error[0])
    assert abs(float(run.test_error_mean[0]) - theory) <= 4 * float(run.test_error_stderr[0]) + 0.04 * theory


def test_assumed_links_that_fall_are_refused():
    believed = ge.DeepNetwork((), labels=falling)
    with pytest.raises(ge.ArgumentError, match="assumes"):
        ge.solve(ge.Problem(ge.DeepNetwork((), labels="sign"), learner=ge.BayesOptimal(assumes=believed)), [1.0])


@pytest.mark.parametrize("offset", [0.5, -1.2])
def test_errors_of_signs_given_an_offset_by_integrals_over_the_known_field(offset):
    """The sign of what is known of the field, N(b0, q), against that of the field, with the rest S - q + eps, and with label noise too."""
    e = ge.Problem(ge.DeepNetwork("tanh", weight_variance=2, task="classification", noise=0.3, offset=offset)).equivalent()
    found = ge.BayesOptimal().solve(e, np.array([1.3]))
    q, signal = float(found["q"][0]), float(e.weights @ e.signal_modes)

    def missed(rest):
        x = np.linspace(-9, 9, 60_001)
        known = offset + np.sqrt(q) * x
        return np.trapezoid(special.ndtr(-np.abs(known) / np.sqrt(rest)) * np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi), x)

    assert e.model_noise > 0.01
    assert found["clean_error"][0] == pytest.approx(missed(signal - q + e.model_noise), rel=1e-7)
    assert found["test_error"][0] == pytest.approx(missed(signal - q + e.noise), rel=1e-7)
