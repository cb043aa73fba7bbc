"""Ridge regression: closed forms, limits, the interpolation peak and the Nishimori line."""

from dataclasses import replace

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.numerics.status import Status

TARGET = ge.DeepNetwork("tanh", depth=2, weight_variance=4, noise=0.1)
SIGNS = ge.DeepNetwork("tanh", depth=2, weight_variance=4, noise=0.1, task="classification")
ALPHA = np.geomspace(0.02, 50, 9)


def solved(target, lam, alpha=ALPHA, inputs="identity", **options):
    e = ge.Problem(target, ge.GaussianInputs(inputs)).equivalent()
    return e, ge.Ridge(lam, **options).solve(e, np.asarray(alpha, float))


def test_the_ridgeless_peak_on_both_sides():
    """s (1 - alpha) + tau/(1 - alpha) below, tau alpha/(alpha - 1) above (Hastie, Montanari, Rosset, Tibshirani 2022, Theorem 1)."""
    below, above = np.array([0.1, 0.5, 0.99, 1 - 1e-6]), np.array([1 + 1e-6, 1.01, 2.0, 100.0])
    e, curve = solved(TARGET, 0.0, below)
    assert curve["test_error"] == pytest.approx(e.signal_variance * (1 - below) + e.noise / (1 - below), rel=1e-9)
    assert np.all(curve["train_error"] == 0)
    _, curve = solved(TARGET, 0.0, above)
    assert curve["test_error"] == pytest.approx(e.noise * above / (above - 1), rel=1e-9)
    assert curve["train_error"] == pytest.approx(e.noise * (1 - 1 / above), rel=1e-9)


@pytest.mark.parametrize("spectrum", ["identity", "two-level:4:0.2:0.1667"])
def test_without_penalty_the_peak_is_infinite_and_says_so(spectrum):
    _, curve = solved(TARGET, 0.0, [1.0], spectrum)
    assert np.isinf(curve["test_error"][0])
    assert curve["status"][0] == Status.diverged


def test_solve_warns_about_the_peak_once():
    problem = ge.Problem(TARGET, learner=ge.Ridge(0.0))
    with pytest.warns(ge.ConvergenceWarning, match="1 of 3 points did not converge") as caught:
        curve = ge.solve(problem, [0.5, 1.0, 2.0])
    assert len(caught) == 1
    assert curve.converged.values.tolist() == [True, False, True]


@pytest.mark.parametrize("spectrum", ["identity", "power-law:0.8", "marchenko-pastur:2"])
@pytest.mark.parametrize("lam", [1e-6, 0.3, 20.0])
def test_observables_satisfy_the_replica_equations(spectrum, lam):
    """Cui, Krzakala, Zdeborova 2023, eq. 19-20, written with Vhat = alpha/(1 + V) and qhat = alpha E/(1 + V)^2."""
    e, curve = solved(TARGET, lam, inputs=spectrum)
    V, test = curve["V"], curve["test_error"]
    vhat, qhat = ALPHA / (1 + V), ALPHA * test / (1 + V) ** 2
    w, mass, s = e.eigenvalues, e.weights, e.slope2
    resolvent = w / (lam + vhat[:, None] * w)
    assert V == pytest.approx(resolvent @ mass, rel=1e-9)
    assert curve["m"] == pytest.approx(s * vhat * ((w * resolvent) @ mass), rel=1e-9)
    q = (resolvent**2 * (s * vhat[:, None] ** 2 * w + qhat[:, None])) @ mass
    assert curve["q"] == pytest.approx(q, rel=1e-9)
    rho = e.signal_variance + e.noise
    assert test == pytest.approx(rho - 2 * curve["m"] + curve["q"], rel=1e-9)
    assert curve["train_error"] == pytest.approx(test / (1 + V) ** 2, rel=1e-9)
    assert curve["bias"] + curve["variance"] == pytest.approx(curve["excess_over_floor"], rel=1e-12)
    assert curve["degrees_of_freedom"] == pytest.approx((w / (w + lam / vhat[:, None])) @ mass, rel=1e-9)


@pytest.mark.parametrize("spectrum", ["identity", "power-law:0.8", "two-level:4:0.2:0.1667"])
def test_the_optimal_penalty_is_on_the_nishimori_line(spectrum):
    e, curve = solved(TARGET, "optimal", inputs=spectrum)
    assert curve["lam"] == pytest.approx(np.full(ALPHA.size, e.noise / e.slope2))
    assert curve["m"] == pytest.approx(curve["q"], rel=1e-9)
    bayes = ge.BayesOptimal().solve(e, ALPHA)
    for name in ("test_error", "clean_error", "train_error", "floor", "excess_over_floor", "q"):
        assert curve[name] == pytest.approx(bayes[name], rel=1e-9), name


def test_off_the_nishimori_line_m_is_not_q():
    _, curve = solved(TARGET, 5.0)
    assert np.all(np.abs(curve["m"] / curve["q"] - 1) > 1e-2)


def test_no_samples_leave_the_zero_student_and_many_reach_the_floor():
    e, curve = solved(TARGET, 0.5, [1e-9, 1e9])
    assert curve["test_error"] == pytest.approx([e.signal_variance + e.noise, e.noise], rel=1e-7)
    assert curve["floor"] == pytest.approx([e.noise] * 2)


@pytest.mark.parametrize("intercept", [False, True])
def test_an_infinite_penalty_leaves_the_constant(intercept):
    target = ge.DeepNetwork("relu", noise=0.1)
    e, curve = solved(target, np.inf, intercept=intercept)
    rest = 0.0 if intercept else e.offset_variance
    assert curve["test_error"] == pytest.approx(np.full(ALPHA.size, e.signal_variance + e.noise + rest))
    assert np.all(curve["q"] == 0)
    assert curve["train_error"] == pytest.approx(curve["test_error"])
    assert np.all(curve["status"] == Status.converged)


def test_an_intercept_removes_the_offset_and_nothing_else():
    biased, plain = ge.DeepNetwork("tanh", readout_bias_variance=0.7), ge.DeepNetwork("tanh")
    _, with_one = solved(biased, 0.3)
    _, without = solved(biased, 0.3, intercept=False)
    _, reference = solved(plain, 0.3)
    assert with_one["test_error"] == pytest.approx(reference["test_error"], rel=1e-13)
    _, noisy = solved(ge.DeepNetwork("tanh", noise=0.7), 0.3)
    assert without["test_error"] == pytest.approx(noisy["test_error"], rel=1e-13)


@pytest.mark.parametrize("lam", [1e-3, 1.0])
def test_sign_labels_reproduce_the_loureiro_formula_on_isotropic_data(lam):
    """Square loss on labels: linear part of slope c1 = sqrt(2/(pi rho)), noise 1 - c1^2 s (Loureiro et al. 2021)."""
    e, curve = solved(SIGNS, lam)
    rho = e.signal_variance + e.noise
    c1 = np.sqrt(2 / np.pi / rho)
    kappa = lam * (1 + curve["V"]) / ALPHA
    shrink = 1 / (1 + kappa)
    m = c1 * e.signal_variance * shrink
    residual = 1 - c1**2 * e.signal_variance + c1**2 * e.signal_variance * (1 - shrink) ** 2
    q = c1**2 * e.signal_variance * shrink**2 + residual * shrink**2 / (ALPHA - shrink**2)
    assert curve["m"] == pytest.approx(m, rel=1e-9)
    assert curve["q"] == pytest.approx(q, rel=1e-9)
    assert curve["test_error"] == pytest.approx(np.arccos(m / np.sqrt(rho * q)) / np.pi, rel=1e-9)


def test_sign_labels_have_their_limits():
    e, curve = solved(SIGNS, 0.5, [1e-10, 1e9])
    assert curve["test_error"] == pytest.approx([0.5, e.floor], abs=1e-4)
    assert curve["excess_over_floor"][1] == pytest.approx(0.0, abs=1e-4)
    assert curve["train_error"][1] == pytest.approx(e.floor, abs=1e-4)
    _, tiny = solved(SIGNS, 1e-9, [0.3])
    assert tiny["train_error"][0] == pytest.approx(0.0, abs=1e-12)  # interpolation


@pytest.mark.parametrize(
    "target",
    [
        TARGET,
        SIGNS,
        ge.DeepNetwork("relu", noise=0.1, task="classification", offset=0.4),
        ge.DeepNetwork("tanh", labels="logit:0.5"),
        ge.DeepNetwork("relu", labels="relu", noise=0.1),
    ],
)
def test_the_excess_is_what_lies_above_the_floor(target):
    """And the floor is what many samples leave."""
    _, curve = solved(target, 0.3, [0.3, 1.0, 4.0])
    _, many = solved(target, 0.3, [1e9])
    assert curve["floor"] == pytest.approx(np.full(3, many["test_error"][0]), rel=1e-4)
    assert curve["excess_over_floor"] == pytest.approx(curve["test_error"] - curve["floor"], rel=1e-9)
    assert np.all(curve["excess_over_floor"] > 0.01)


@pytest.mark.parametrize("labels", ["logit:0.5", "logit:0.01"])
def test_binary_labels_of_another_law_are_the_square_loss_on_them(labels):
    """The saddle point of convex losses is other equations; a steep logit is nearly noiseless signs."""
    e, curve = solved(ge.DeepNetwork("tanh", weight_variance=4, labels=labels), 0.3, [0.3, 2.0])
    square = ge.ERM("square", 0.3).solve(e, np.array([0.3, 2.0]))
    for name in ("test_error", "clean_error", "train_error", "floor", "m", "q", "V"):
        assert curve[name] == pytest.approx(square[name], rel=1e-7), name
    if labels == "logit:0.01":
        _, signs = solved(ge.DeepNetwork("tanh", weight_variance=4, task="classification"), 0.3, [0.3, 2.0])
        assert curve["test_error"] == pytest.approx(signs["test_error"], rel=1e-3)


@pytest.mark.parametrize("target", [TARGET, SIGNS])
def test_the_equations_are_in_samples_per_dimension_of_the_student(target):
    """Twice the student's dimension, twice the samples: the same curve, twice the degrees of freedom per input."""
    e, curve = solved(target, 0.3)
    twice = ge.Ridge(0.3).solve(replace(e, aspect=2.0), 2 * ALPHA)
    for name in ("test_error", "train_error", "m", "q", "V"):
        assert twice[name] == pytest.approx(curve[name], rel=1e-12), name
    assert twice["degrees_of_freedom"] == pytest.approx(2 * curve["degrees_of_freedom"], rel=1e-12)
    assert np.all(curve["degrees_of_freedom"] < ALPHA)


@pytest.mark.parametrize("target", [SIGNS, ge.DeepNetwork("relu", task="classification")])
def test_an_infinite_penalty_on_labels_is_a_finite_answer(target):
    _, curve = solved(target, np.inf, [0.5, 5.0])
    for name in ("test_error", "clean_error", "train_error", "floor", "excess_over_floor", "m", "q"):
        assert np.all(np.isfinite(curve[name])), name


@pytest.mark.parametrize("bad", [-1.0, np.nan, "best", None, True])
def test_impossible_penalties_are_refused(bad):
    with pytest.raises(ge.ArgumentError, match="`lam`"):
        ge.Ridge(bad)


def test_labels_of_learners_tell_different_penalties_apart():
    assert ge.Ridge(0.1).label == "ridge(lam=0.1)"
    assert ge.Ridge("optimal", intercept=False).label == "ridge(lam=optimal), intercept=False"
    assert ge.Ridge(0.12345678).label != ge.Ridge(0.12345679).label
    with pytest.raises(ge.ArgumentError, match="`intercept`"):
        ge.Ridge(1.0, intercept="yes")
