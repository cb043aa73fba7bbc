"""What a certificate says."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.ingredients.losses import named as losses
from gaussequiv.learners.finite.minimise import minimise
from gaussequiv.learners.finite.objective import Objective


def test_a_point_far_out_is_no_minimum():
    """Stationary with matching signs, and proximal to the kinks within 1e-16 of its fields: they are of size 1e16."""
    rng = np.random.default_rng(0)
    a, y = rng.standard_normal((20, 20)) / np.sqrt(20), rng.standard_normal(20)
    objective = Objective(a, y, np.ones(20), losses.get("huber:1.35"), 0.0, 0.1)
    w = 1e16 * rng.standard_normal(20)
    dual = np.linalg.solve(a.T, -0.1 * np.sign(w))
    assert objective.violation(w, 0.0, dual) < 1e-14
    found = objective.certified(w, 0.0, dual, 1)
    assert np.all(found.w == 0) or found.residual == np.inf


def draw(loss, seed=0, n=12, p=5, l1=0.0, intercept=True):
    rng = np.random.default_rng(seed)
    one = losses.get(loss)
    y = rng.standard_normal(n)
    a = rng.standard_normal((n, p))
    return Objective(a, np.sign(y) if one.kind == "margin" else y, rng.uniform(0.3, 2, n), one, 0.4, l1, intercept)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("loss", ["logistic", "hinge", "huber:0.5", "square"])
def test_the_objective_and_its_parts_are_sums(loss, intercept):
    o = draw(loss, l1=0.3, intercept=intercept)
    w, c = np.array([0.4, -1.0, 0.0, 2.0, 0.1]), 0.3 * intercept
    z = o.a @ w + c
    expected = o.weights @ o.loss.value(o.y, z) + 0.2 * w @ w + 0.3 * np.abs(w).sum()
    assert o.value(w, c) == pytest.approx(expected, rel=1e-13)
    assert o.untrained == pytest.approx(o.weights @ o.loss.value(o.y, 0 * z), rel=1e-13)
    x = np.append(w, c) if intercept else w
    t = o.rows @ x - o.origin
    np.testing.assert_allclose(t, o.y * z if o.loss.kind == "margin" else z - o.y, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(o.sign * t + np.where(o.loss.kind == "margin", 0.0, o.y), z, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(o.bend, [0.4] * 5 + [0.0] * intercept)
    assert o.split(x)[1] == c
    np.testing.assert_array_equal(o.split(x)[0], w)


@pytest.mark.parametrize("part", ["weights", "zero weights", "constant", "proximal"])
def test_a_violation_is_the_largest_of_its_parts(part):
    """Each relative to its own scale: every case has one that leads."""
    o = draw("huber:0.5", l1=0.3)
    rng = np.random.default_rng(3)
    w = rng.standard_normal(5)
    if part == "zero weights":
        w[:3] = 0.0
    c = 0.2
    slope = lambda z: o.weights * o.loss.slope(o.y, z)  # noqa: E731
    dual = slope(o.a @ w + c)
    if part == "constant":  # stationary in the weights, off in the sum
        dual = np.linalg.lstsq(np.column_stack([o.a, o.a[:, :0]]).T, -0.4 * w - 0.3 * np.sign(w), rcond=None)[0]
    if part == "proximal":  # stationary in both
        rows = np.column_stack([o.a, np.ones(12)])
        dual = np.linalg.lstsq(rows.T, np.append(-0.4 * w - 0.3 * np.sign(w), 0.0), rcond=None)[0] + 0.0
    z = o.a @ w + c
    pull = o.a.T @ dual + 0.4 * w
    slack = np.where(w == 0, np.maximum(np.abs(pull) - 0.3, 0), np.abs(pull + 0.3 * np.sign(w)))
    stationary = np.linalg.norm(slack) / np.linalg.norm(np.abs(o.a).T @ np.abs(dual) + 0.4 * np.abs(w) + 0.3)
    balance = abs(dual.sum()) / np.abs(dual).sum()
    place = z + dual
    prox = place + o.weights * o.loss.proximal(o.y, place, o.weights)[0]  # argmin (u - place)^2/2 + s l(u)
    apart = np.max(np.abs(z - prox)) / (1 + np.max(np.abs(z)))
    np.testing.assert_allclose(prox + slope(prox), place, atol=1e-10)
    assert o.violation(w, c, dual) == pytest.approx(max(stationary, balance, apart), rel=1e-9)
    assert {"weights": stationary, "zero weights": stationary, "constant": balance, "proximal": apart}[part] > 0.02


def test_units_of_fields():
    """1 for margins; the spread of labels beside a constant, their size without; size where they hardly vary, 1 where all are 0."""
    a, s = np.ones((4, 2)), np.ones(4)
    y = np.array([3.0, 5.0, 3.0, 5.0])
    square = losses.get("square")
    assert Objective(a, np.sign(y), s, losses.get("hinge"), 1.0).unit == 1.0
    assert Objective(a, y, s, square, 1.0, intercept=True).unit == pytest.approx(1.0)
    assert Objective(a, y, s, square, 1.0).unit == pytest.approx(np.sqrt(17))
    assert Objective(a, 0 * y + 7, s, square, 1.0, intercept=True).unit == pytest.approx(7.0)
    assert Objective(a, 0 * y, s, square, 1.0, intercept=True).unit == 1.0


@pytest.mark.parametrize("l1", [0.0, 0.3])
def test_dual_variables_with_rounding_are_restored(l1):
    """Slopes of fields that are off by 1e-9 violate stationarity by as much; the nearest ones that do not, certify the same weights."""
    o = draw("huber:0.5", l1=l1)
    exact = minimise(o)
    assert exact.residual < 1e-13
    noisy = exact.dual + 1e-9 * np.random.default_rng(1).standard_normal(12)
    assert o.violation(exact.w, exact.c, noisy) > 1e-11
    found = o.certified(exact.w, exact.c, noisy, 7)
    assert found.residual < 2e-9 and found.steps == 7
    assert abs(found.dual.sum()) < 1e-9
    assert o.value(found.w, found.c) <= o.value(exact.w, exact.c) * (1 + 1e-9)
    worse = o.certified(exact.w + 5.0, exact.c, exact.dual, 1)
    assert worse.residual > 1e-6 or np.allclose(worse.w, exact.w, atol=1e-8)


@pytest.mark.parametrize("loss", ["logistic", "hinge", "squared_hinge", "square", "huber:0.5", "absolute", "quantile:0.3", "exponential"])
def test_a_slope_is_its_smooth_part_and_its_pieces(loss):
    """f'(t) = rest + sum of clip((t - k)/r, low, high), weighted; the curvature is the smooth part's derivative."""
    try:
        o = draw(loss)
    except ge.ArgumentError:
        pytest.skip(f"no loss {loss}")
    t, step = np.linspace(-2.3, 2.9, 12), 1e-5
    slope, curvature = o.smooth(t)
    np.testing.assert_allclose(curvature, (o.smooth(t + step)[0] - o.smooth(t - step)[0]) / (2 * step), rtol=1e-7, atol=1e-9)
    total = slope
    for position, low, high, width in o.loss.pieces:
        value = np.clip((t - position) / width, low, high) if width > 0 else np.where(t > position, high, low)
        total = total + o.weights * value
    z = o.y * t if o.loss.kind == "margin" else o.y + t
    margin = o.y if o.loss.kind == "margin" else 1.0  # dz/dt
    by_value = (o.loss.value(o.y, z + step * margin) - o.loss.value(o.y, z - step * margin)) / (2 * step)
    np.testing.assert_allclose(total, o.weights * by_value, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("l1", [0.0, 0.3])
def test_a_solution_is_found_from_its_dual_variables_alone(l1, intercept):
    """-soft(a'b, l1)/l2 belongs to b, b of sum 0 where a constant is fitted."""
    o = draw("huber:0.5", l1=l1, intercept=intercept)
    exact = minimise(o)
    shifted = exact.dual + (0.3 if intercept else 0.0)  # its mean is taken off
    found = o.certified(exact.w + 0.7, exact.c, shifted, 1)
    np.testing.assert_allclose(found.w, exact.w, rtol=1e-9, atol=1e-11)
    assert found.residual < 1e-10
    np.testing.assert_array_equal(found.w == 0, exact.w == 0)


def test_no_weight_at_all_is_certified():
    o = draw("square", l1=50.0, intercept=False)
    found = o.certified(np.zeros(5), 0.0, -o.weights * o.y, 3)
    assert found.residual < 1e-14 and not np.any(found.w) and found.steps == 3
    assert o.violation(np.zeros(5), 0.0, o.weights * o.y) > 0.1  # the wrong sign


def test_objectives_have_no_other_penalty_by_default():
    o = Objective(np.ones((2, 1)), np.ones(2), np.ones(2), losses.get("square"), 0.0)
    assert (o.l1, o.intercept) == (0.0, False) and o.value(np.array([3.0]), 0.0) == pytest.approx(2 * 0.5 * 4)
