"""Sums and averages behind several learners where nothing is equal to anything, against differences and brute force."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

import gaussequiv as ge
from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.ingredients.channels.binary import Binary
from gaussequiv.ingredients.channels.links import get
from gaussequiv.ingredients.losses.named import Hinge, Logistic
from gaussequiv.learners.bayes.general_bayes import errors
from gaussequiv.learners.bayes.mismatch import AssumedScore, posterior_scores, solve_labels
from gaussequiv.learners.convex.averages import Fields
from gaussequiv.learners.convex.distributions import curve_distributions
from gaussequiv.learners.convex.labels import linearise
from gaussequiv.learners.convex.optimal_lam import error_and_slope, optimal_lam, stationary_lam
from gaussequiv.learners.convex.ridge import Ridge
from gaussequiv.learners.differences import by_differences, moved, present
from gaussequiv.samples.measured_rows import MeasuredRows
from gaussequiv.samples.training_sample import LinearPredictor

W, MASS, MODES = np.array([0.4, 1.0, 2.5]), np.array([0.5, 0.3, 0.2]), np.array([0.3, 0.9, 0.1])
LINEAR = float(MASS @ MODES)
LOGIT = Binary(get("logit:0.4"))
# the field's law beyond its linear part, on a grid: every average below is a plain sum over it
X = np.linspace(-9, 9, 3001)
GRID = norm.pdf(X) * (X[1] - X[0])


def general(channel, **changes):
    e = GaussianEquivalent(
        eigenvalues=W,
        weights=MASS,
        alignment=MODES * W,
        signal_variance=LINEAR + 0.15,
        effective_noise=np.array([0.12, 0.05]),
        offset_variance=0.0,
        channel=channel,
        aspect=1.6,
    )
    return replace(e, **changes)


@pytest.mark.parametrize("channel", [GaussianNoise(0.2), Sign(0.2)])
@pytest.mark.parametrize("offset", [0.0, 0.6])
@pytest.mark.parametrize("intercept", [False, True])
def test_the_error_in_kappa_is_that_of_ridge_and_has_its_slope(channel, offset, intercept):
    e, load = general(channel, offset=offset, nugget=0.1), 0.9
    labels, kappa, step = linearise(e, intercept), np.array([0.7, 1.5, 6.0]), 1e-3
    value, slope = error_and_slope(e, labels, load, kappa)
    lams = kappa * (load - (W / (W + kappa[:, None])) @ MASS) - 0.1
    assert np.all(lams > 0)
    expected = [Ridge(lam, intercept=intercept).solve(e, np.array([1.6 * load]))["test_error"][0] for lam in lams]
    np.testing.assert_allclose(value, expected, rtol=1e-8)
    stencil = ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12))
    by_hand = sum(weight * error_and_slope(e, labels, load, kappa * np.exp(k * step))[0] for k, weight in stencil) / step
    np.testing.assert_allclose(slope, by_hand, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize(("channel", "nugget"), [(GaussianNoise(0.2), 0.0), (GaussianNoise(0.2), 0.9), (Sign(0.2), 0.0), (LOGIT, 0.0)])
def test_no_penalty_beside_the_best_is_better(channel, nugget):
    e, alpha = general(channel, offset=0.3, nugget=nugget), np.array([0.5, 2.0])
    best = optimal_lam(e, linearise(e, True), alpha)
    held = optimal_lam(e, linearise(e, True), alpha, constrain=True)
    assert np.all(held >= 0) and np.all((best < 0) == (held == 0))
    for i, a in enumerate(alpha):
        if best[i] > 0:
            near = [Ridge(best[i] * f, intercept=True).solve(e, np.array([a]))["test_error"][0] for f in (0.97, 1.0, 1.03)]
            assert near[1] < near[0] and near[1] < near[2]
        if channel.task == "regression":
            assert stationary_lam(e, linearise(e, True), a / 1.6) - nugget == pytest.approx(best[i], rel=1e-9)


def fields(e, m=0.3, q=0.8, V=0.7, c=0.25, b0=-0.4):
    rho = LINEAR + e.model_noise
    parts = (V, q, m, c, b0, rho - m**2 / q, rho + q - 2 * m)
    return Fields(*(np.array([part]) for part in parts))


@pytest.mark.parametrize(("channel", "believed"), [(Sign(0.2), Sign(0.7)), (Sign(0.2), LOGIT), (LOGIT, Sign(0.3))])
def test_scores_of_a_believed_probability(channel, believed):
    e = general(channel)
    other = replace(e, channel=believed, effective_noise=np.array([0.4]), signal_variance=LINEAR)
    at = fields(e)
    omega = at.c + np.sqrt(at.q) * X
    target = at.b0 + at.m / np.sqrt(at.q) * X
    up = channel.up(target, at.rest).value
    said = believed.up(omega, at.V + 0.4).value
    found = posterior_scores(e, other, at)
    assert found["log_loss"][0] == pytest.approx(-(GRID @ (up * np.log(said) + (1 - up) * np.log1p(-said))), rel=1e-7)
    assert found["brier"][0] == pytest.approx(GRID @ (up * (1 - said) ** 2 + (1 - up) * said**2), rel=1e-7)
    assert found["calibration_error"][0] == pytest.approx(GRID @ np.abs(up - said), rel=1e-3)  # the sum knows a kink to one cell
    below = np.cumsum(GRID * (1 - up)) - 0.5 * GRID * (1 - up)
    assert found["auc"][0] == pytest.approx((GRID * up) @ below / ((GRID @ up) * (GRID @ (1 - up))), rel=1e-5)


@pytest.mark.parametrize("channel", [Sign(0.3), LOGIT, Binary(get("logit:0.4"), 0.2)])
def test_the_assumed_score_and_its_derivatives(channel):
    """g = d log Z/d omega at variance V + extra; dg/domega and dg/dV by differences."""
    score, omega, V, step = AssumedScore(channel, 0.35), np.array([-1.3, 0.2, 2.1]), np.array([0.4, 1.1, 0.7]), 1e-4

    def log_z(o, v):
        return np.log(channel.probability(y, o, v + 0.35).value)

    for y in (1.0, -1.0):
        g, h = score.proximal(y, omega, V)
        np.testing.assert_allclose(g, (log_z(omega + step, V) - log_z(omega - step, V)) / (2 * step), rtol=1e-6)
        sides = [score.proximal(y, omega + side * step, V)[0] for side in (1, -1)]
        np.testing.assert_allclose(h, (sides[0] - sides[1]) / (2 * step), rtol=1e-6)
        sides = [score.proximal(y, omega, V + side * step)[0] for side in (1, -1)]
        np.testing.assert_allclose(score.slope_in_V(y, omega, V, g, h), (sides[0] - sides[1]) / (2 * step), rtol=1e-5, atol=1e-8)


def test_errors_of_the_bayes_optimal_learner_by_plain_sums():
    q, left, b0 = 0.5, 0.2, 0.3
    rest = left + 0.15 + 0.17
    for channel in (Sign(0.2), LOGIT):
        test, clean, gibbs, excess = errors(general(channel), q, left, b0)
        omega = b0 + np.sqrt(q) * X
        up = channel.up(omega, np.array([rest])).value
        assert test == pytest.approx(GRID @ np.minimum(up, 1 - up), rel=1e-5)
        known = channel.up(b0 + np.sqrt(q + left) * X, np.array([0.32])).value
        assert excess == pytest.approx(test - GRID @ np.minimum(known, 1 - known), rel=1e-4)
        positive = norm.cdf(omega / np.sqrt(rest))  # of the noiseless label
        assert clean == pytest.approx(GRID @ np.where(up > 0.5, 1 - positive, positive), rel=1e-5)
        assert gibbs == pytest.approx(GRID @ (2 * positive * (1 - positive)), rel=1e-7)
    assert errors(general(GaussianNoise(0.2)), q, left, b0) == pytest.approx((rest + 0.2, rest, 2 * rest, left))


@pytest.mark.parametrize("loss", [Logistic(), Hinge()])
def test_distributions_of_margins_by_plain_sums(loss):
    """The proximal point of a grid of cavity fields, with two class weights and an offset."""
    e, alpha, lam = general(Sign(0.2), offset=0.4), np.array([1.7]), np.array([0.4])
    learner = ge.ERM(loss.name, float(lam[0]), intercept=True, class_weight={1: 1.5, -1: 0.6})
    curve = learner.solve(e, alpha)
    margins, probabilities = np.array([-0.35, 0.4, 0.83]), np.array([0.2, 0.65])
    asked = probabilities if loss.gives_probability else None
    found = curve_distributions(learner, e, alpha, lam, margins, asked)
    q, m, V, c = (float(curve[name][0]) for name in ("q", "m", "V", "intercept"))
    rest = np.array([LINEAR + e.model_noise - m**2 / q])
    omega, target = c + np.sqrt(q) * X, 0.4 + m / np.sqrt(q) * X
    fresh, train = np.zeros(3), np.zeros(3)
    for y, weight in ((1.0, 1.5), (-1.0, 0.6)):
        p = GRID * e.channel.probability(y, target, rest).value
        wide = np.full_like(omega, weight * V)
        x = omega + wide * loss.proximal(y, omega, wide)[0]
        fresh += [p @ (y * omega <= t) for t in margins]
        train += [p @ (y * x <= t) for t in margins]
    # a sum over a grid of 3001 places knows where a step lies to one cell
    np.testing.assert_allclose(found["test_margin_cdf"][0], fresh, atol=2e-3)
    np.testing.assert_allclose(found["train_margin_cdf"][0], train, atol=2e-3)
    if loss.gives_probability:
        z = np.log(probabilities / (1 - probabilities))
        exact = e.channel.up(0.4 + m / q * (z - c), rest).value
        np.testing.assert_allclose(found["calibration"][0], exact, rtol=1e-9)


def test_parameters_of_an_equivalent_and_their_moves():
    e = general(GaussianNoise(0.2))
    assert [present(e, name) for name in ("noise", "signal", "effective_noise")] == pytest.approx([0.2, 1.0, 0.17])
    louder = moved(e, "signal", 2.5)
    np.testing.assert_allclose(louder.signal_modes, 2.5 * MODES)
    assert louder.signal_variance == pytest.approx(2.5 * (LINEAR + 0.15)) and moved(e, "noise", 0.7).channel.noise == 0.7
    np.testing.assert_allclose(moved(e, "effective_noise", 0.34).effective_noise, [0.24, 0.1])
    silent = moved(replace(e, effective_noise=np.zeros(2)), "effective_noise", 0.3)
    assert silent.effective_noise.sum() == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("name", "bare"), [("noise", False), ("noise", True), ("signal", False), ("effective_noise", False), ("alpha", False), ("lam", False)]
)
def test_sensitivities_by_differences(name, bare):
    """Ridge's error against a central difference of twenty times another width; at a noise of 0 from one side."""
    e, alpha = general(GaussianNoise(0.0 if bare else 0.2)), np.array([0.7, 2.2])
    learner, step = Ridge(0.3), 1e-4
    found = by_differences(learner, e, alpha, name)

    def error(k):
        if name == "alpha":
            return learner.solve(e, alpha + k * step)["test_error"]
        if name == "lam":
            return Ridge(0.3 + k * step).solve(e, alpha)["test_error"]
        return learner.solve(moved(e, name, present(e, name) + k * step), alpha)["test_error"]

    one_sided = bare and name == "noise"
    expected = (-1.5 * error(0) + 2 * error(1) - 0.5 * error(2)) / step if one_sided else (error(1) - error(-1)) / (2 * step)
    dims, value = found["test_error"]
    assert dims == () and value == pytest.approx(expected, rel=1e-6)
    assert "lam" not in found and "status" not in found


@pytest.mark.parametrize("offset", [0.0, 0.6, -1.1])
def test_a_true_belief_has_the_offset_and_the_overlap_of_the_bayes_optimal_learner(offset):
    """Its constant is the target's, and m = q = what is known of the signal, V = what is left (Nishimori), on modes that are matched."""
    e = general(Sign(0.2), offset=offset, aspect=1.0, alignment=0.7 * W**2, signal_variance=0.7 * float(MASS @ W))
    found = solve_labels(e, e, np.array([0.8, 3.0])).fields
    exact = ge.BayesOptimal().solve(e, np.array([0.8, 3.0]))
    np.testing.assert_allclose(found.c, offset, atol=1e-12)
    np.testing.assert_allclose(found.q, exact["q"], rtol=1e-7)
    np.testing.assert_allclose(found.m, exact["q"], rtol=1e-7)
    np.testing.assert_allclose(found.V, e.signal_variance - exact["q"], rtol=1e-7)


def test_what_a_posterior_says_of_a_label():
    """P(y = +1 | N(field + threshold, variance)): the threshold was taken off the field."""
    field, fit = np.array([-0.4, 0.3, 2.0]), LinearPredictor(np.zeros(2), 0.0, variance=0.7, threshold=0.25)
    learner, channel = ge.BayesOptimal(), Binary(get("logit:0.4"), flips=(0.1, 0.02))
    expected = channel.up(field + 0.25, np.full(3, 0.7)).value
    np.testing.assert_allclose(learner.probability(fit, field, channel), expected, rtol=1e-12)
    assert np.all((expected > 0) & (expected < 1)) and np.ptp(expected) > 0.3
    assert learner.probability(fit, field, GaussianNoise(0.1)) is None
    assert learner.probability(replace(fit, variance=np.nan), field, channel) is None
    y = np.array([1.0, -1.0, 1.0])
    rows = MeasuredRows(channel, y, field, None, None, None, np.zeros((0, 2)), {})
    out = learner.measure(fit, rows)
    assert out["log_loss"] == pytest.approx(-np.mean(np.log(np.where(y > 0, expected, 1 - expected))), rel=1e-12)
    assert out["brier"] == pytest.approx(np.mean((expected - (y > 0)) ** 2), rel=1e-12)
    assert (
        set(learner.measured("classification")) == {"auc", "log_loss", "brier", "calibration_error"}
        and learner.measured("regression") == ()
    )
