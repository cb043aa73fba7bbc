"""What a fixed point says of errors, by sums over the field; curves of the general equations where closed ones are known."""

import numpy as np
import pytest
from scipy import special

import gaussequiv as ge
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.ingredients.channels.binary import Binary
from gaussequiv.ingredients.channels.outputs import Output
from gaussequiv.learners.bayes.fixed_points import Potential, potentials
from gaussequiv.learners.bayes.general_bayes import errors, general_curve, observe
from gaussequiv.learners.bayes.offset_averages import RESOLVED, STEP, over_offsets

Q, LEFT, EXTRA, B0 = 0.5, 0.3, 0.2, 0.4
X = np.linspace(-9, 9, 20_001)
MASS = np.exp(-(X**2) / 2) / np.sqrt(2 * np.pi) * (X[1] - X[0])


def equivalent(channel):
    return ge.GaussianEquivalent(np.ones(1), np.ones(1), np.array([Q + LEFT]), Q + LEFT, np.array([EXTRA]), 0.0, channel, offset=B0)


def test_gaussian_noise_adds_up():
    """test = left + model noise + label noise, clean without the last, twice as much for a draw, left above the floor."""
    assert errors(equivalent(GaussianNoise(0.1)), Q, LEFT, B0) == pytest.approx((0.6, 0.5, 1.0, 0.3), rel=1e-12)


def test_real_labels_by_sums_over_known_and_unknown_field():
    e = equivalent(Output(np.tanh, 0.1, name="tanh"))
    test, clean, gibbs, excess = errors(e, Q, LEFT, B0)
    x, w = np.polynomial.hermite_e.hermegauss(80)
    w = w / w.sum()

    def spread(q, rest):
        label = np.tanh(B0 + np.sqrt(q) * x[:, None] + np.sqrt(rest) * x)
        return w @ (label**2 @ w - (label @ w) ** 2)

    assert clean == pytest.approx(spread(Q, LEFT + EXTRA), rel=1e-6)
    assert test == pytest.approx(clean + 0.1, rel=1e-9)
    assert gibbs == pytest.approx(2 * clean, rel=1e-12)
    assert excess == pytest.approx(clean - spread(Q + LEFT, EXTRA), rel=1e-5)


@pytest.mark.parametrize("channel", [Sign(0.3), Binary("sign", 0.3, (0.2, 0.05))], ids=["sign", "flips"])
def test_binary_labels_by_sums_over_the_known_field(channel):
    """The likelier label errs by min(P, 1 - P); the noiseless label is the sign of the field; a draw of it is right by P^2 + (1 - P)^2."""
    e = equivalent(channel)
    test, clean, gibbs, excess = errors(e, Q, LEFT, B0)

    def parts(q, rest):
        omega = B0 + np.sqrt(q) * X
        low, high = channel.flips[1], channel.flips[0]
        p = low + (1 - low - high) * special.ndtr(omega / np.sqrt(rest + 0.3))
        plus = special.ndtr(omega / np.sqrt(rest))  # of the noiseless field
        return p, plus

    p, plus = parts(Q, LEFT + EXTRA)
    least, _ = parts(Q + LEFT, EXTRA)
    assert test == pytest.approx(MASS @ np.minimum(p, 1 - p), rel=1e-6)
    assert clean == pytest.approx(MASS @ np.where(p > 0.5, 1 - plus, plus), rel=1e-3)  # the threshold lies between two nodes
    assert gibbs == pytest.approx(MASS @ (2 * plus * (1 - plus)), rel=1e-9)
    assert excess == pytest.approx(test - MASS @ np.minimum(least, 1 - least), rel=1e-4)


def test_labels_that_fall_with_the_field_have_no_noiseless_label():
    test, clean, gibbs, _ = errors(equivalent(Binary(lambda z: special.expit(-2 * z))), Q, LEFT, B0)
    assert np.isnan(clean) and np.isnan(gibbs)
    mirrored = errors(equivalent(Binary(lambda z: special.expit(2 * z))), Q, LEFT, B0)
    assert test == pytest.approx(mirrored[0], rel=1e-9)


@pytest.mark.parametrize(
    "target",
    [
        ge.DeepNetwork("tanh", 2, weight_variance=4, noise=0.1),
        ge.DeepNetwork("tanh", 2, weight_variance=4, noise=0.1, task="classification"),
        ge.DeepNetwork("tanh", 1, labels="logit", offset=0.4),
    ],
    ids=["noise", "sign", "logit"],
)
def test_general_equations_have_the_closed_curves(target):
    e, alpha = ge.Problem(target).equivalent(), np.array([0.5, 3.0])
    found, closed = general_curve(e, alpha, "equilibrium"), ge.BayesOptimal().solve(e, alpha)
    for name in ("test_error", "clean_error", "excess_over_floor", "overlap", "q", "qhat", "floor"):
        np.testing.assert_allclose(found[name], closed[name], rtol=2e-7, err_msg=name)
    assert np.all(found["status"] == 0) and np.all(found["residual"] < 1e-9)
    np.testing.assert_allclose(found["estimation_error"], 1 - found["overlap"], rtol=1e-9)
    assert not np.any(found["steps"])


def test_offsets_are_averaged_with_their_weights():
    target = ge.DeepNetwork("relu", 1, labels="sign", bias_variance=0.3, noise=0.1)
    e, alpha = ge.Problem(target).equivalent(), np.array([0.5, 3.0])
    found, closed = general_curve(e, alpha, "equilibrium"), ge.BayesOptimal().solve(e, alpha)
    for name in ("test_error", "overlap", "q", "qhat"):
        np.testing.assert_allclose(found[name], closed[name], rtol=1e-4, err_msg=name)


def test_what_information_is_left_without_noise():
    """Signs: log 2 once known; a density: infinite; a target without a linear part: none."""
    signs = Potential(ge.Problem(ge.LinearTarget("rademacher")).equivalent())
    top = signs.chosen(1.4, "informed")
    assert observe([(signs, top, 1.4)])["mutual_information"][0] == pytest.approx(np.log(2), rel=1e-6)
    density = Potential(ge.Problem(ge.LinearTarget("gauss-bernoulli:0.3")).equivalent())
    for branch, alpha in (("uninformed", 0.1), ("informed", 0.9)):
        assert observe([(density, density.chosen(alpha, branch), alpha)])["mutual_information"][0] == np.inf
    even = Potential(ge.Problem(ge.DeepNetwork("abs", noise=0.1)).equivalent())
    seen = observe([(even, even.chosen(1.0, "equilibrium"), 1.0)])
    assert (seen["mutual_information"], seen["overlap"], seen["estimation_error"]) == (0.0, 0.0, 1.0)


def test_weights_are_counted_in_their_own_units():
    """Estimation error: second moment times the share that is left; residual: log of alpha(R)/alpha."""
    curve = Potential(ge.Problem(ge.LinearTarget("gauss-bernoulli:0.3:2", noise=0.1)).equivalent())
    point = curve.chosen(0.6, "equilibrium")
    seen = observe([(curve, point, 0.6), (curve, point, 0.6 * 1.1)])
    assert seen["estimation_error"][0] == pytest.approx(0.6 * point.left / curve.total, rel=1e-9)
    assert seen["qhat"][0] == pytest.approx(curve.equivalent.slope2 * point.R, rel=1e-12)
    assert seen["residual"] == pytest.approx([0.0, np.log(1.1)], rel=1e-6, abs=1e-9)
    information = 0.6 * curve.ceiling - point.free_entropy
    assert seen["mutual_information"][0] == pytest.approx(information, rel=1e-12)


def _offset_target(**labels):
    return ge.DeepNetwork("tanh", bias_variance=0.3, readout_bias_variance=1.0, **labels)


@pytest.mark.parametrize(
    ("labels", "expected", "said"),
    [  # by twelve nodes on each of six panels of offsets
        ({"task": "classification", "labels": lambda z: 0.1 + 0.8 * np.exp(-((z - 0.5) ** 2))}, 0.32560973, 1e-6),
        ({"labels": ge.Output(np.tanh, noise=0.1)}, 0.21171749, 1e-6),
        (
            {"labels": ge.Output(np.abs, noise=0.1, kinks=(0,))},
            0.31460987,
            3e-4,
        ),  # errors that are even in the offset: the guess does not know
    ],
)
def test_random_offsets_are_averaged_to_six_digits(labels, expected, said):
    curve = ge.solve(ge.Problem(_offset_target(**labels), learner=ge.BayesOptimal()), alpha=0.3)
    assert curve.test_error.item() == pytest.approx(expected, rel=3e-6)
    assert curve.test_error.item() - curve.floor.item() == pytest.approx(curve.excess_over_floor.item(), rel=1e-12)
    if "task" not in labels:  # equal steps
        assert abs(curve.test_error.item() / expected - 1) < curve.quadrature_error.item() + 2e-7  # what twelve nodes leave
    assert curve.quadrature_error.item() < said


def test_errors_of_counts_include_offsets_far_out():
    """exp(z) of z ~ N(b0, .) weighs offsets of five and more standard deviations, which no bounded label does."""
    equivalent = ge.Problem(_offset_target(labels=ge.Poisson()), learner=ge.BayesOptimal()).equivalent()
    b0, mass = equivalent.spaced_offsets(even=False, step=0.2)
    linear, noise = float(equivalent.weights @ equivalent.signal_modes), equivalent.model_noise
    found, share = potentials(equivalent, STEP)
    each = equivalent.channel.bayes_error(linear, noise, np.array([one.b0 for one in found]))
    assert each @ share == pytest.approx(equivalent.channel.bayes_error(linear, noise, b0) @ mass, rel=1e-5)
    assert len(found) < 50


def test_averages_that_are_not_resolved_take_half_the_steps():
    """Those alphas alone whose guess is large; what is judged is the largest guess, and residuals and statuses are the worst."""
    e = ge.Problem(_offset_target(labels=ge.Output(lambda z: np.tanh(z - 0.2), noise=0.1)), learner=ge.BayesOptimal()).equivalent()
    asked = []

    def values(curves, alpha):
        b0 = np.array([curve.b0 for curve in curves])
        asked.append((alpha.tolist(), b0))
        smooth, rough = np.exp(-0.1 * b0**2)[None, :] * alpha[:, None], np.abs(b0 - 0.1) ** 0.5 * (alpha[:, None] > 1) + 1
        return {"smooth": smooth, "rough": rough, "residual": rough, "status": 0 * rough}

    alpha = np.array([0.5, 2.0, 1.0, 3.0])
    mean = over_offsets(e, alpha, values, ("smooth",))
    assert [a for a, _ in asked] == [alpha.tolist()]
    assert mean["left_by_steps"].max() < 1e-7
    variance = e.offset_variance
    np.testing.assert_allclose(mean["smooth"], alpha / np.sqrt(1 + 0.2 * variance), rtol=1e-6)
    asked.clear()
    mean = over_offsets(e, alpha, values, ("smooth", "rough"))
    assert [a for a, _ in asked] == [alpha.tolist(), [2.0, 3.0]]
    np.testing.assert_allclose(np.diff(asked[1][1]), 0.5 * np.diff(asked[0][1])[0], rtol=1e-9)
    assert (mean["left_by_steps"] > 1e-4).tolist() == [False, True, False, True]
    assert RESOLVED > 1e-4
    asked.clear()
    endless = over_offsets(e, alpha, lambda *at: values(*at) | {"endless": np.full((at[1].size, len(at[0])), np.inf)}, ("rough", "endless"))
    assert [a for a, _ in asked] == [alpha.tolist(), [2.0, 3.0]]  # what is infinite hides nothing
    assert np.isfinite(endless["left_by_steps"]).all()
    np.testing.assert_allclose(mean["residual"][[1, 3]], 1 + np.abs(asked[1][1] - 0.1).max() ** 0.5, rtol=1e-12)
    np.testing.assert_allclose(mean["smooth"], alpha / np.sqrt(1 + 0.2 * variance), rtol=1e-6)


def test_half_the_steps_take_the_curves_that_are_known():
    e = ge.Problem(_offset_target(labels=ge.Output(np.tanh, noise=0.1)), learner=ge.BayesOptimal()).equivalent()
    first, _ = potentials(e, STEP)
    finer, mass = potentials(e, 0.5 * STEP, first)
    kept = [one for one in finer if any(one is other for other in first)]
    assert len(kept) >= len(first) - 2
    assert len(finer) > 1.8 * len(first)
    alone, share = potentials(e, 0.5 * STEP)
    assert [one.b0 for one in finer] == [one.b0 for one in alone]
    np.testing.assert_array_equal(mass, share)


class Unknown(ge.Output):
    """Labels of whose parity nothing is known."""

    def parity(self, reach):
        return "none"


@pytest.mark.parametrize(("function", "kinks"), [(np.tanh, ()), (np.abs, (0.0,))])
def test_even_and_odd_labels_take_half_the_offsets(function, kinks):
    alpha = np.array([1.5, 3.0])  # well above the threshold of even labels at b0 = 0
    one, other = (
        ge.Problem(ge.DeepNetwork("tanh", bias_variance=0.3, labels=law(function, 0.1, kinks, name="f"))).equivalent()
        for law in (ge.Output, Unknown)
    )
    assert [e.folds() for e in (one, other)] == [True, False]
    half, whole = (potentials(e, 0.9)[0] for e in (one, other))
    assert len(half) < 0.6 * len(whole) and min(p.b0 for p in half) >= 0
    half, whole = (ge.BayesOptimal().solve(e, alpha) for e in (one, other))
    for name in ("test_error", "overlap", "mutual_information", "free_entropy", "floor"):
        np.testing.assert_allclose(half[name], whole[name], rtol=1e-5 if name == "test_error" else 1e-4, err_msg=name)
    assert np.all(half["quadrature_error"] < 1e-3)


def test_what_is_said_of_integrals_that_vanish():
    """Even labels at b0 = 0 tell nothing of the field at q = 0: the Fisher information is rounding, and its relative change no error."""
    channel = Output(np.abs, 0.1, (0.0,))
    assert abs(channel.information(0.0, 1.0).fisher) < 1e-20
    assert channel.quadrature_error(0.0, 1.0, 0.0) < 1e-9
    curve = ge.solve(ge.Problem(ge.DeepNetwork("tanh", labels=channel), learner=ge.BayesOptimal()), alpha=0.3)
    assert curve.overlap.item() == 0 and curve.quadrature_error.item() < 1e-6
