"""Weights that vanish at a kink: one update of a small student by hand, for absolute residuals of labels relu(field)."""

import numpy as np
import pytest
from scipy import special
from scipy.optimize import brentq
from scipy.stats import norm

import gaussequiv as ge
from gaussequiv.ingredients.channels.outputs import Relu
from gaussequiv.learners.convex.model import Model, Points
from gaussequiv.learners.convex.routes import Routes
from gaussequiv.learners.convex.weightless import CLEAR, SMALLER, Shape, _at_a_kink, _growth, _updated, vanishing_weights, without_weights
from gaussequiv.numerics.status import Status
from gaussequiv.samples.training_sample import TrainingSample

LINEAR, REST, OFFSET = 0.7, 0.2, -0.9
RHO = LINEAR + REST
X = np.linspace(-8, 8, 8_001)
GRID = norm.pdf(X) * (X[1] - X[0])


def model_of(loss="absolute", offset=OFFSET, intercept=True, lam=0.3):
    e = ge.GaussianEquivalent(np.ones(1), np.ones(1), np.array([LINEAR]), LINEAR, np.array([REST]), 0.0, Relu(), offset=offset)
    return Model(ge.ERM(loss, lam, intercept=intercept), e)


def points(load, lam=0.3, offset=OFFSET):
    load = np.atleast_1d(np.asarray(load, float))
    return Points(load, np.full(load.size, lam), np.full(load.size, offset))


def by_hand(load, V, root, m):
    """Zeros hold their rows where |t + root xi| < V; all other labels pull with slope 1: (update, growth, t) for a centred constant."""
    k = m / root
    rest = RHO - k**2
    mean = OFFSET + k * X
    zero = norm.cdf(-mean / np.sqrt(rest))  # of the label

    def held(t):
        return np.clip((t + root * X) / V, -1, 1)

    t = brentq(lambda t: GRID @ (-zero * held(t) + (1 - zero)), -8, 8, xtol=1e-14)
    pull = held(t)
    inner = np.abs(pull) < 1
    response = GRID @ (zero * inner) / V
    square = GRID @ (zero * pull**2 + (1 - zero))
    field = GRID @ (norm.pdf(mean / np.sqrt(rest)) * (1 + pull)) / np.sqrt(rest)
    v = 1 / (load * response)
    new = np.array([v, v * np.sqrt(LINEAR * (load * field) ** 2 + load * square), LINEAR * load * field * v])
    return new, new[0] + new[1], t


@pytest.mark.parametrize("load", [0.3, 2.0])
@pytest.mark.parametrize(("V", "root", "m"), [(0.4, 0.6, 0.2), (0.7, 0.3, -0.15)])
def test_one_update_of_a_small_student(load, V, root, m):
    start = Shape(*(np.array([value]) for value in (V, root, m, 0.0)))
    shape, growth = _updated(model_of(), points(load), start)
    new, expected, t = by_hand(load, V, root, m)
    # the update holds what a step of the grid and a scale of 1e-7 leave
    assert growth[0] == pytest.approx(expected, rel=1e-3)
    assert shape.shift[0] == pytest.approx(t, abs=1e-3)
    found = [shape.V[0], shape.root[0], shape.m[0]]
    assert found == pytest.approx(0.5 * (np.array([V, root, m]) + new / expected), abs=1e-3)


def test_the_growth_is_that_of_the_shape_that_updates_tend_to():
    """Its side of 1 decides: many rows hold every weight down. The points whose weights vanish are those below."""
    model, loads = model_of(), np.array([0.3, 1.0, 10.0, 100.0])
    exact = []
    for load in loads:
        here = np.array([0.5, 0.5, 0.05])
        for _ in range(70):
            new, growth, _ = by_hand(load, *here)
            here = 0.5 * (here + new / growth)
        exact.append(growth)
    exact = np.array(exact)
    clear = np.abs(exact - 1) > 0.02
    found, shape = _growth(model, points(loads))
    assert np.all((found < 1)[clear] == (exact < 1)[clear]) and (exact < 1).any() and (exact > 1).any()
    assert np.all(np.abs(found - exact)[clear] < 3 * CLEAR * np.abs(exact - 1)[clear] + 1e-3)
    np.testing.assert_allclose(shape.V + shape.root, 1, atol=0.05)
    gone, left = vanishing_weights(model, points(loads))
    assert gone.tolist() == np.flatnonzero(found < 1).tolist() and left.V.size == gone.size
    assert vanishing_weights(model_of(offset=0.9), points(loads, offset=0.9))[0].size == 0


def test_kinks_at_the_best_constant():
    """The median of relu(field) is 0 where more than half of the labels are; without a constant 0 is where the student is anyway.

    No weights vanish for labels above 0 or a loss without kinks.
    """
    for offset, intercept in ((-0.9, True), (0.9, False)):
        assert _at_a_kink(model_of("absolute", offset, intercept), np.array([offset])).tolist() == [True]
    for loss, offset in (("huber:0.5", -0.9), ("huber:1e-3", 0.9)):
        assert _at_a_kink(model_of(loss, offset), np.array([offset])).tolist() == [False]
    for offset, loss in ((0.9, "absolute"), (-0.9, "huber:0.5")):
        assert vanishing_weights(model_of(loss, offset), points([0.3, 100.0], offset=offset))[0].size == 0


def test_the_student_without_weights_is_a_solved_point():
    model, at = model_of(), points([30.0, 100.0])
    gone, shape = vanishing_weights(model, at)
    assert gone.tolist() == [0, 1]
    found = without_weights(model, at, shape)
    assert np.all(found.fields.V + np.sqrt(found.fields.q) < 2 * SMALLER) and np.all(found.fields.V > 0)
    np.testing.assert_allclose(found.fields.c, 0, atol=1e-12)
    np.testing.assert_allclose(found.fields.misfit, RHO, rtol=1e-9)
    np.testing.assert_allclose(
        found.unknowns[:, :3], np.log(np.stack([found.conjugates.Vhat, found.conjugates.qhat, np.abs(found.conjugates.mhat)], 1))
    )
    assert not np.any(found.status) and np.all(found.sign == 1) and not np.any(found.residual)
    # labels: zeros are held at 0, all others pull by 1, and both together pull by nothing
    zero = norm.cdf(-OFFSET / np.sqrt(RHO))
    assert np.all(found.conjugates.qhat / at.load > 1 - zero) and np.all(found.conjugates.qhat / at.load < 1)


def test_such_points_are_what_the_solver_answers():
    """And a sample at the same load has no weight: least absolute residuals with a constant."""
    e = model_of().e
    curve = ge.ERM("absolute", 0.3, intercept=True).solve(e, np.array([30.0]))
    assert curve["q"][0] < 1e-20 and abs(curve["intercept"][0]) < 1e-9
    mean = np.sqrt(RHO) * norm.pdf(OFFSET / np.sqrt(RHO)) + OFFSET * norm.cdf(OFFSET / np.sqrt(RHO))
    second = (RHO + OFFSET**2) * norm.cdf(OFFSET / np.sqrt(RHO)) + OFFSET * np.sqrt(RHO) * norm.pdf(OFFSET / np.sqrt(RHO))
    assert curve["test_error"][0] == pytest.approx(second, rel=1e-9) and curve["test_loss"][0] == pytest.approx(mean, rel=1e-9)
    rng, d = np.random.default_rng(0), 20
    x = rng.standard_normal((600, d))
    y = np.maximum(OFFSET + np.sqrt(LINEAR) * x @ rng.standard_normal(d) / np.sqrt(d) + np.sqrt(REST) * rng.standard_normal(600), 0)
    fit = ge.ERM("absolute", 0.3, intercept=True).fit(TrainingSample(x, y), e)
    assert np.max(np.abs(fit(x))) < 1e-6


def test_a_shape_at_its_scale():
    """V, q, m and the constant in units of the scale; what the target's field keeps of its own, and the misfit rho + q - 2 m."""
    model, shape = model_of(), Shape(*(np.array([value]) for value in (0.4, 0.6, 0.2, -0.3)))
    at = shape.fields(model, 0.5, np.array([0.1]), np.array([OFFSET]))
    expected = {"V": 0.2, "q": 0.09, "m": 0.1, "c": -0.05, "b0": OFFSET, "rest": RHO - (0.2 / 0.6) ** 2, "misfit": RHO + 0.09 - 0.2}
    for name, value in expected.items():
        assert getattr(at, name)[0] == pytest.approx(value, rel=1e-12), name
    both = Shape(*(np.array([value, 2 * value]) for value in (0.4, 0.6, 0.2, -0.3)))
    both.place(np.array([1]), shape)
    assert [part.tolist() for part in both] == [[0.4] * 2, [0.6] * 2, [0.2] * 2, [-0.3] * 2]
    assert [part.tolist() for part in both.take(np.array([1]))] == [[0.4], [0.6], [0.2], [-0.3]]


def test_rows_at_the_kink_pull_by_what_makes_the_pulls_vanish():
    """All slopes are 1 or -1; zeros, of probability p > 1/2, take both in such shares that E g = 0: E g^2 = 1, and E Z0' g follows."""
    square, field, constant = model_of().untrained(np.array([OFFSET]))
    zero, density = norm.cdf(-OFFSET / np.sqrt(RHO)), norm.pdf(OFFSET / np.sqrt(RHO)) / np.sqrt(RHO)
    # one of two (1/(2 p) of the zeros) with slope 1: the others keep -1; E (S - b0) 1(S > 0) = rho density
    assert (square[0], constant[0]) == pytest.approx((1.0, 0.0), abs=1e-6)
    assert field[0] == pytest.approx(density / zero, rel=1e-5)


def test_the_solved_constant_of_a_large_penalty_is_the_median():
    """relu(field) of mean field 0.9: E|y - 0.9| by a plain sum."""
    curve = ge.ERM("absolute", 1e6, intercept=True).solve(model_of(offset=0.9).e, np.array([2.0]))
    loss = GRID @ np.abs(np.maximum(0.9 + np.sqrt(RHO) * X, 0) - 0.9)
    assert curve["intercept"][0] == pytest.approx(0.9, abs=1e-7) and curve["test_loss"][0] == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("penalty", ["l1", "elastic_net:0.5"])
def test_beyond_the_penalty_that_leaves_no_weight_nothing_is_solved(penalty):
    """Points beside it are, in their places; the error is that of the best constant, the likelier label."""
    e = ge.Problem(ge.DeepNetwork((), task="classification", noise=0.1, offset=0.4)).equivalent()
    model = Model(ge.ERM("logistic", 0.1, penalty), e)
    at = model.points(np.array([2.0, 2.0, 2.0, 2.0]), np.array([0.05, 1e6, 0.2, 300.0]))
    found = Routes(model).solve(at)
    assert found.status.tolist() == [Status.converged] * 4
    assert (found.steps > 0).tolist() == [True, False, True, False]
    assert np.all(found.fields.q[[1, 3]] < 1e-20) and np.all(found.fields.q[[0, 2]] > 1e-3)
    alone = Routes(model).solve(at.take([2]))
    np.testing.assert_allclose(found.unknowns[2], alone.unknowns[0], rtol=1e-9)
    np.testing.assert_allclose(model.observe(found)["test_error"][[1, 3]], special.ndtr(-0.4 / np.sqrt(1.1)), rtol=1e-9)
