"""Learners that misjudge the target, against the true posterior, ridge, and message passing on true networks."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import log_ndtr, ndtr

import gaussequiv as ge
from gaussequiv.learners.bayes.mismatch import assumed_equivalent

TRUE = ge.DeepNetwork("tanh", 2, weight_variance=4, task="classification", noise=0.1)
ALPHA = [0.5, 2.0, 6.0]


def test_the_true_model_gives_the_bayes_optimal_curve_and_the_nishimori_identity():
    plain = ge.solve(ge.Problem(TRUE), ALPHA)
    same = ge.solve(ge.Problem(TRUE, learner=ge.BayesOptimal(assumes=TRUE)), ALPHA)
    np.testing.assert_allclose(same.test_error, plain.test_error, rtol=1e-12)
    np.testing.assert_allclose(same.m, same.q, rtol=1e-11)
    np.testing.assert_allclose(same.q, plain.q, rtol=1e-11)
    for name in ("clean_error", "floor", "excess_over_floor"):
        np.testing.assert_allclose(same[name], plain[name], rtol=1e-10, err_msg=name)


def test_a_given_offset_is_known_to_both():
    target = ge.DeepNetwork("tanh", 2, weight_variance=4, task="classification", noise=0.1, offset=0.5)
    plain, same = (ge.solve(ge.Problem(target, learner=ge.BayesOptimal(assumes=a)), ALPHA) for a in (None, target))
    np.testing.assert_allclose(same.test_error, plain.test_error, rtol=1e-11)
    np.testing.assert_allclose(same.m, same.q, rtol=1e-10)


@pytest.mark.parametrize(
    "assumed",
    [
        ge.DeepNetwork("tanh", 2, weight_variance=4, task="classification", noise=3.0),
        ge.DeepNetwork((), task="classification", noise=1e-3),
        ge.DeepNetwork("tanh", 2, weight_variance=4, labels="logit:0.5"),
    ],
)
def test_a_wrong_model_is_never_better(assumed):
    true, wrong = (ge.solve(ge.Problem(TRUE, learner=ge.BayesOptimal(assumes=a)), ALPHA) for a in (None, assumed))
    assert bool(wrong.converged.all())
    assert np.all(wrong.test_error.values >= true.test_error.values - 1e-12)
    assert np.all(wrong.m.values**2 <= wrong.q.values * 1.0)  # rho < 1


def test_regression_is_ridge_at_the_assumed_penalty():
    target, assumed = ge.DeepNetwork("tanh", 2, weight_variance=4, noise=0.1), ge.DeepNetwork("tanh", 1, noise=0.01)
    lam = ge.Problem(assumed).equivalent().lam_optimal
    both = ge.solve(ge.Problem(target, learner=[ge.BayesOptimal(assumes=assumed), ge.Ridge(lam)]), ALPHA)
    np.testing.assert_array_equal(both.test_error[0], both.test_error[1])


def test_message_passing_of_a_wrong_model_follows_its_state_evolution():
    """16 true networks at d = 200, |mean - theory| <= 4 standard errors + (3/d) theory for errors and q."""
    assumed = ge.DeepNetwork((), task="classification", noise=1e-3)
    problem = ge.Problem(TRUE, learner=ge.BayesOptimal(assumes=assumed))
    run = ge.simulate(problem, [0.5, 2.0], d=200, trials=16, seed=2, normalise_teacher=True)
    theory = ge.solve(problem, [0.5, 2.0])
    for name in ("test_error", "q", "m"):
        gap = np.abs(run[f"{name}_mean"].values - theory[name].values)
        assert np.all(gap <= 4 * run[f"{name}_stderr"].values + 3 / 200 * theory[name].values), name


def test_a_saved_result_runs_again():
    curve = ge.solve(ge.Problem(TRUE, learner=ge.BayesOptimal(assumes=ge.DeepNetwork("erf", task="classification", noise=0.3))), [1.0])
    np.testing.assert_array_equal(ge.rerun(curve).test_error, curve.test_error)


def test_bad_assumptions_are_refused():
    with pytest.raises(ge.ArgumentError, match="assumes"):
        ge.BayesOptimal(assumes="tanh")
    with pytest.raises(ge.ArgumentError, match="assumes"):
        ge.solve(ge.Problem(TRUE, learner=ge.BayesOptimal(assumes=ge.DeepNetwork())), [1.0])


def test_the_bayes_optimal_probability_is_calibrated_and_beats_the_logistic_one():
    learners = [
        ge.BayesOptimal(),
        ge.ERM("logistic", minimise="log_loss"),
        ge.Ridge(0.3),
        ge.BayesOptimal(assumes=ge.DeepNetwork((), noise=0.01, task="classification")),
    ]
    curve = ge.solve(ge.Problem(TRUE, learner=learners), ALPHA, scores=True)
    np.testing.assert_allclose(curve.calibration_error[0], 0.0, atol=1e-12)
    assert np.all(curve.log_loss[0].values < curve.log_loss[1].values)
    assert np.all(curve.log_loss[1].values < curve.log_loss[3].values)
    assert np.all(curve.auc[0].values >= curve.auc[2].values - 1e-12)
    assert bool(np.isnan(curve.log_loss[2]).all())


def test_scores_of_ridge_and_bayes_on_true_networks():
    """16 networks at d = 200, |mean - theory| <= 4 standard errors + (3/d) theory."""
    problem = ge.Problem(TRUE, learner=[ge.BayesOptimal(), ge.Ridge(0.3)])
    run = ge.simulate(problem, [1.0, 3.0], d=200, trials=16, seed=6, normalise_teacher=True, scores=True)
    theory = ge.solve(problem, [1.0, 3.0], scores=True)
    for name in ("auc", "log_loss", "brier"):
        gap, allowed = np.abs(run[f"{name}_mean"] - theory[name]), 4 * run[f"{name}_stderr"] + 3 / 200 * theory[name]
        assert bool((gap <= allowed).where(np.isfinite(theory[name]), True).all()), name


@pytest.mark.parametrize(
    "target",
    [
        ge.LinearTarget("rademacher", noise=0.1),
        ge.LinearTarget("rademacher", task="classification", noise=0.1),
        ge.DeepNetwork("tanh", labels="abs", noise=0.1),
        ge.DeepNetwork("tanh", labels="poisson"),
    ],
)
def test_targets_beyond_gaussian_weights_and_noise_or_binary_labels_cannot_be_misjudged(target):
    assumed = ge.DeepNetwork("tanh", noise=0.1, task=target.task)
    with pytest.raises(ge.ArgumentError, match="assumes"):
        ge.solve(ge.Problem(target, learner=ge.BayesOptimal(assumes=assumed)), [1.0])


def test_labels_whose_probability_is_not_monotone_can_be_misjudged():
    """P(+1 | z) even: a student that believes in signs learns nothing, at any number of samples."""
    assumed = ge.DeepNetwork("tanh", task="classification", noise=0.1)
    for link in (lambda z: np.exp(-z * z), lambda z: 0.1 + 0.8 * np.exp(-0.5 * z * z)):
        problem = ge.Problem(ge.DeepNetwork("tanh", labels=link), learner=ge.BayesOptimal(assumes=assumed))
        curve = ge.solve(problem, [0.5, 1.0, 2.0, 4.0])
        assert bool(curve.converged.all())
        assert np.all(curve.m == 0) and np.all(curve.steps <= 12)  # its logarithm would hang on rounding


def test_the_label_names_what_does_not_go_without_saying():
    plain, flipped = (
        ge.BayesOptimal(assumes=ge.DeepNetwork((), task="classification", noise=0.1, **more)).label for more in ({}, {"flips": 0.2})
    )
    assert plain == "bayes(assumes linear, noise=0.1)"
    assert flipped == "bayes(assumes linear, noise=0.1, flips=0.2)"


UNEVEN = ge.GaussianInputs("two-level:4:0.3:0.2")
HIDDEN = ge.DeepNetwork("relu", 1, weight_variance=3, task="classification", noise=0.2, offset=0.45)
BELIEVED = ge.DeepNetwork("erf", 1, weight_variance=0.7, readout_variance=1.6, task="classification", noise=0.5)


def test_what_is_believed_is_the_equivalent_of_the_believed_network():
    """On the same inputs, from another door: slope, hidden noise and channel of its own, the offset of the truth."""
    e = ge.Problem(HIDDEN, UNEVEN).equivalent()
    found, expected = assumed_equivalent(e, BELIEVED), ge.Problem(BELIEVED, UNEVEN).equivalent()
    np.testing.assert_allclose(found.signal_modes, expected.signal_modes, rtol=1e-12)
    for name in ("slope2", "signal_variance", "model_noise", "rho", "noise"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-12), name
    assert (found.channel, found.offset) == (BELIEVED.channel, e.offset)
    assert abs(found.slope2 / found.signal_variance - 1) > 1e-3 and abs(found.slope2 / e.slope2 - 1) > 0.1


def test_state_evolution_of_a_wrong_model_iterated_plainly():
    """g = d log Phi(y (omega + b0)/sqrt(V + noise'))/d omega of the believed probit law, modes and offset of their own, sums over omega."""
    e, believed = ge.Problem(HIDDEN, UNEVEN).equivalent(), ge.Problem(BELIEVED, UNEVEN).equivalent()
    w, mass, v, b0, lam, alpha = e.eigenvalues, e.weights, e.signal_modes, 0.45, 1 / believed.slope2, 1.7
    hidden, noise = e.model_noise + 0.2, believed.model_noise + 0.5
    linear = float(mass @ v)
    z = np.linspace(-8.5, 8.5, 401)
    weight = np.exp(-0.5 * z * z) * (z[1] - z[0]) / np.sqrt(2 * np.pi)

    def density(x):
        return np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi)

    V, q, m = float(mass @ w) / lam, 0.3, 0.2
    for _ in range(300):
        omega, rest = np.sqrt(q) * z, linear - m * m / q + hidden
        hats = np.zeros(3)
        for y in (1, -1):
            u, t = y * (omega + b0) / np.sqrt(V + noise), y * (m / q * omega + b0) / np.sqrt(rest)
            ratio = np.exp(-0.5 * u * u - log_ndtr(u)) / np.sqrt(2 * np.pi)
            g, dg = y * ratio / np.sqrt(V + noise), -ratio * (u + ratio) / (V + noise)
            hats += [weight @ (ndtr(t) * -dg), weight @ (ndtr(t) * g * g), weight @ (y * density(t) / np.sqrt(rest) * g)]
        Vhat, qhat, mhat = alpha * hats
        R = 1 / (lam + w * Vhat)
        V, m, q = mass @ (w * R), mass @ (v * w * mhat * R), mass @ (w**2 * (v * mhat**2 + qhat) * R**2)
    curve = ge.solve(ge.Problem(HIDDEN, UNEVEN, ge.BayesOptimal(assumes=BELIEVED)), [alpha], scores=True)
    assert (float(curve.V[0]), float(curve.m[0]), float(curve.q[0])) == pytest.approx((V, m, q), rel=1e-9)
    assert abs(m / q - 1) > 0.05
    # what it says of a fresh row, and what is true there
    omega = np.sqrt(q) * z
    up, said = ndtr((m / q * omega + b0) / np.sqrt(linear - m * m / q + hidden)), ndtr((omega + b0) / np.sqrt(V + noise))
    expected = {
        "brier": weight @ (up * (1 - said) ** 2 + (1 - up) * said**2),
        "log_loss": -weight @ (up * np.log(said) + (1 - up) * np.log1p(-said)),
        "calibration_error": weight @ np.abs(said - up),
    }
    for name, value in expected.items():
        assert float(curve[name][0]) == pytest.approx(value, rel=1e-3 if name == "calibration_error" else 1e-9), name
    fine = np.linspace(-8.5, 8.5, 400_001)
    chance = ndtr((m / np.sqrt(q) * fine + b0) / np.sqrt(linear - m * m / q + hidden))
    wrong = np.where(np.sqrt(q) * fine + b0 > 0, 1 - chance, chance) @ density(fine) * (fine[1] - fine[0])
    assert float(curve.test_error[0]) == pytest.approx(wrong, abs=1e-5)


def test_a_random_offset_is_averaged_over():
    """Everything at b0 ~ N(0, variance), one offset at a time, by Gauss-Hermite nodes; labels of both signs, so that b0 and -b0 differ."""
    target = replace(HIDDEN, offset=None, flips=(0.05, 0.2))
    learner = ge.BayesOptimal(assumes=BELIEVED)
    e = ge.Problem(target, UNEVEN).equivalent()
    assert e.random_offset and e.offset_variance > 0.01
    x, weight = np.polynomial.hermite_e.hermegauss(24)  # leave 2e-6 of the errors, 50 times less than 12 do
    each = [learner.solve(replace(e, offset=float(b)), np.array([1.7])) for b in np.sqrt(e.offset_variance) * x]
    whole = learner.solve(e, np.array([1.7]))
    for name in ("test_error", "clean_error", "m", "q", "V"):
        expected = weight @ np.array([one[name][0] for one in each]) / weight.sum()
        assert whole[name][0] == pytest.approx(expected, rel=1e-5), name
