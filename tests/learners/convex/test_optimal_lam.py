"""The optimal penalty: its closed forms, its derivative and a minimiser that knows neither."""

import time
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import gaussequiv as ge
from gaussequiv.learners.convex.labels import linearise
from gaussequiv.learners.convex.optimal_lam import error_and_slope, optimal_lam, stationary_lam
from gaussequiv.learners.convex.ridge_curve import ridge_curve

TARGETS = {
    "regression": ge.DeepNetwork("tanh", noise=0.2),
    "signs": ge.DeepNetwork("tanh", noise=0.2, task="classification"),
    "signs with offset": ge.DeepNetwork("relu", noise=0.2, task="classification", offset=0.4),
    "signs with random offset": ge.DeepNetwork("relu", noise=0.2, task="classification"),
}


def equivalent(target, spectrum="two-level:4:0.2:0.25", tilt=None):
    """An equivalent; with a tilt its signal is not proportional to the eigenvalues, at equal signal variance."""
    e = ge.Problem(TARGETS[target], ge.GaussianInputs(spectrum)).equivalent()
    if tilt is None:
        return e
    v = np.asarray(tilt) * e.signal_modes
    return replace(e, alignment=v * e.eigenvalues * e.signal_variance / (e.weights @ v))


@pytest.mark.parametrize("spectrum", ["identity", "two-level:4:0.2:0.25", "two-level:2:0:0.5"])
@pytest.mark.parametrize("alpha", [0.2, 1.0, 5.0])
def test_the_numerical_root_is_tau_over_s_in_regression(spectrum, alpha):
    e = equivalent("regression", spectrum)
    # the error is flat at its minimum: the root of the derivative is good to about 1e-8
    assert stationary_lam(e, linearise(e, False), alpha) == pytest.approx(e.noise / e.slope2, rel=1e-7)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 5.0])
def test_the_numerical_root_is_one_minus_c_over_c_for_sign_labels(alpha):
    e = equivalent("signs", "identity")
    c = 2 / np.pi * e.signal_variance / (e.signal_variance + e.noise)
    assert stationary_lam(e, linearise(e, False), alpha) == pytest.approx((1 - c) / c, rel=1e-7)
    assert optimal_lam(e, linearise(e, False), np.array([alpha])) == pytest.approx([(1 - c) / c], rel=1e-13)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("tilt", [None, (0.2, 1.0)])
@pytest.mark.parametrize("kappa", [0.02, 0.5, 10.0])
def test_the_slope_is_the_derivative_of_the_error(target, tilt, kappa):
    e, alpha, h = equivalent(target, tilt=tilt), 1.3, 1e-4
    labels = linearise(e, e.has_offset)
    points = error_and_slope(e, labels, alpha, kappa * np.exp(h * np.array([-2, -1, 1, 2])))[0]
    expected = (points[0] - 8 * points[1] + 8 * points[2] - points[3]) / (12 * h)
    # fourth-order differences: rounding 1e-16/1e-4 remains
    assert error_and_slope(e, labels, alpha, np.array([kappa]))[1][0] == pytest.approx(expected, rel=1e-8, abs=1e-11)


@pytest.mark.parametrize("target", TARGETS)
def test_the_error_is_the_one_that_ridge_reports(target):
    e, alpha, lam = equivalent(target, tilt=(0.2, 1.0)), 1.3, 0.7
    curve = ge.Ridge(lam).solve(e, np.array([alpha]))
    kappa = lam * (1 + curve["V"][0]) / alpha
    error, _ = error_and_slope(e, linearise(e, e.has_offset), alpha, np.array([kappa]))
    assert error[0] == pytest.approx(curve["test_error"][0], rel=1e-9)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("tilt", [(0.05, 1.0), (3.0, 1.0)])
@pytest.mark.parametrize("alpha", [0.4, 3.0])
def test_the_optimum_agrees_with_a_derivative_free_search(target, tilt, alpha):
    e, grid = equivalent(target, tilt=tilt), np.array([alpha])
    best = ge.Ridge("optimal").solve(e, grid)

    def error(log_lam):
        return float(ge.Ridge(float(np.exp(log_lam))).solve(e, grid)["test_error"][0])

    coarse = np.linspace(-10, 10, 41)
    start = coarse[int(np.argmin([error(y) for y in coarse]))]
    found = minimize_scalar(error, bounds=(start - 0.5, start + 0.5), method="bounded", options={"xatol": 1e-9})
    assert best["test_error"][0] <= found.fun * (1 + 1e-12)
    assert best["test_error"][0] == pytest.approx(found.fun, rel=1e-10)
    assert np.log(best["lam"][0]) == pytest.approx(found.x, abs=1e-3)  # the minimum is flat: sqrt(1e-16) times its width


def test_a_mismatched_signal_has_another_optimum():
    e = equivalent("regression", tilt=(0.05, 1.0))
    lam = optimal_lam(e, linearise(e, False), np.array([1.0]))[0]
    assert abs(lam / (e.noise / e.slope2) - 1) > 0.1


def test_without_noise_the_optimum_is_no_penalty():
    e = ge.Problem(ge.DeepNetwork(())).equivalent()
    assert optimal_lam(e, linearise(e, False), np.array([0.5, 2.0])).tolist() == [0.0, 0.0]


def test_without_signal_the_optimum_is_an_infinite_penalty():
    e = ge.Problem(ge.DeepNetwork("abs", noise=0.1)).equivalent()
    assert np.all(np.isinf(optimal_lam(e, linearise(e, True), np.array([0.5, 2.0]))))


def test_each_alpha_has_its_own_optimum_with_offsets():
    e = equivalent("signs with offset", "identity")
    lam = optimal_lam(e, linearise(e, True), np.array([0.3, 1.0, 4.0]))
    assert np.all(np.isfinite(lam))
    for a, best in zip((0.3, 1.0, 4.0), lam, strict=True):
        errors = [ge.Ridge(x * best).solve(e, np.array([a]))["test_error"][0] for x in (0.8, 1.0, 1.25)]
        assert errors[1] <= min(errors[0], errors[2])


UNEVEN = [((0.02, 0.0), "two-level:10:0.1:0.1"), ((0.1, 0.0), "power-law:0.5"), ((0.0, 0.1), "two-level:4:0.2:0.2")]


@pytest.mark.parametrize(("flips", "spectrum"), UNEVEN)
def test_kernels_reach_their_optimum_at_negative_penalties_for_any_labels(flips, spectrum):
    """Only lam + nugget counts: a kernel of large nugget has the error of one with a small one, whose optimum is positive."""
    alpha = np.array([0.5, 2.0, 10.0])
    found = {}
    for depth in (1, 3):
        problem = ge.Problem(
            target=ge.DeepNetwork((), task="classification", flips=flips),
            inputs=ge.GaussianInputs(spectrum),
            features=ge.NNGP("relu", depth=depth),
            learner=ge.Ridge("optimal"),
        )
        best = found[depth] = ge.solve(problem, alpha)
        e = problem.equivalent()
        labels = linearise(e, e.has_offset or e.input_mean_square > 0)
        for a, lam, error in zip(alpha, best["lam"].values, best["test_error"].values, strict=True):
            nearby = lam + np.linspace(-0.9, 1.5, 97) * (lam + e.nugget)
            assert np.all(ridge_curve(e, labels, np.full(97, a), nearby)["test_error"] >= error - 1e-12)
        constrained = ge.solve(replace(problem, learner=ge.Ridge("optimal", constrain=True)), alpha)
        assert np.all(constrained["lam"] >= 0) and np.all(constrained["test_error"] >= best["test_error"] - 1e-12)
    assert np.all(found[1]["lam"] > 0) and np.all(found[3]["lam"] < 0)
    np.testing.assert_allclose(found[1]["test_error"], found[3]["test_error"], rtol=1e-9)


def test_a_negative_optimum_in_a_simulation_of_the_kernel():
    problem = ge.Problem(
        target=ge.DeepNetwork((), task="classification", flips=(0.1, 0.0)),
        features=ge.NNGP("relu", depth=3),
        learner=ge.Ridge("optimal"),
    )
    theory = ge.solve(problem, alpha=[2.0], d=150)
    run = ge.simulate(problem, alpha=[2.0], d=150, trials=16, seed=3, progress=False)
    assert float(theory["lam"][0]) < 0
    deviation = np.abs(run["test_error_mean"] - theory["test_error"]).values
    assert np.all(deviation < 4 * run["test_error_stderr"].values + 3 / 150 * theory["test_error"].values)


def test_a_kernel_on_labels_of_any_law_with_random_offsets():
    """A link that rises and falls, biases: no lam nearby is better, and the search takes no longer than others."""
    target = ge.DeepNetwork("relu", task="classification", labels=lambda z: 0.1 + 0.8 * np.exp(-((z - 0.5) ** 2)), bias_variance=0.3)
    problem = ge.Problem(target, features=ge.NNGP("relu"), learner=ge.Ridge("optimal"))
    start = time.process_time()
    best = ge.solve(problem, alpha=[4.0])
    assert time.process_time() - start < 5
    e, lam = problem.equivalent(), best["lam"].values[0]
    errors = ridge_curve(e, linearise(e, True), np.full(3, 4.0), lam + (lam + e.nugget) * np.array([-0.03, 0.0, 0.03]))["test_error"]
    assert errors[1] < min(errors[0], errors[2])
    assert best["test_error"].values[0] == pytest.approx(errors[1], rel=1e-9)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("tilt", [None, (0.2, 1.0)])
def test_no_penalty_is_better_for_students_of_another_dimension_and_of_kernels(target, tilt):
    """lam + nugget from a tenth of the optimum to ten times it, at 1.6 d coordinates; both sides are worse by more than rounding."""
    e, alpha = replace(equivalent(target, tilt=tilt), aspect=1.6, nugget=0.3), np.array([0.5, 2.5])
    labels = linearise(e, e.has_offset)
    for a, lam in zip(alpha, optimal_lam(e, labels, alpha), strict=True):
        total = (lam + 0.3) * np.append(np.geomspace(0.1, 10, 60), 1.0)
        errors = ridge_curve(e, labels, np.full(61, a), total - 0.3)["test_error"]
        assert errors[-1] == errors.min() and min(errors[0], errors[-2]) > 1.002 * errors[-1]
        beside = ridge_curve(e, labels, np.full(2, a), (lam + 0.3) * np.array([0.95, 1.05]) - 0.3)["test_error"] - errors[-1]
        assert np.all(beside > 0) and beside.max() < 1.5 * beside.min()  # as a parabola rises
    (low,) = optimal_lam(replace(e, nugget=1e4), labels, alpha[:1], constrain=True)  # the kernel brings more than the optimum
    assert low == 0


def test_one_level_of_noise_has_a_closed_form_with_all_its_digits():
    """Also where offsets of either sign are noise to a student without a constant, and for other real labels at one offset."""
    alpha = np.array([0.3, 2.0])
    e = ge.Problem(ge.DeepNetwork("relu", noise=0.2), ge.GaussianInputs("two-level:4:0.2:0.25")).equivalent()
    assert e.random_offset and linearise(e, False).offset.size > 1
    expected = (e.noise + e.offset_variance) / e.slope2
    np.testing.assert_allclose(optimal_lam(e, linearise(e, False), alpha), expected, rtol=1e-12)
    rectified = ge.Problem(ge.DeepNetwork("relu", labels=ge.Relu(0.3), offset=0.4)).equivalent()
    labels = linearise(rectified, True)
    expected = labels.noise[0] / (labels.slope[0] ** 2 * rectified.slope2)
    np.testing.assert_allclose(optimal_lam(rectified, labels, alpha), expected, rtol=1e-12)
    assert stationary_lam(rectified, labels, 2.0) == pytest.approx(expected, rel=1e-6)
