"""The central path: a dozen steps whatever the data, to a point that satisfies the optimality conditions, states read off it."""

from dataclasses import replace

import numpy as np
import pytest

from gaussequiv.ingredients.losses import named as losses
from gaussequiv.ingredients.losses.custom import CustomLoss
from gaussequiv.learners.finite.interior_point import central_path
from gaussequiv.learners.finite.objective import Objective

STEEPER = CustomLoss(lambda r: 0.5 * r**2 * (1 + 99 * (r > 0)), "residual", name="steeper above", slope=lambda r: r * (1 + 99 * (r > 0)))


def problem(loss, l2, l1, seed, n=60, p=30, weighed=False):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((n, p)) / np.sqrt(p)
    field = a @ rng.standard_normal(p) + 0.5 * rng.standard_normal(n) + 0.2
    loss = losses.get(loss) if isinstance(loss, str) else loss
    weights = rng.uniform(0.2, 3.0, n) if weighed else np.ones(n)
    return Objective(a, np.sign(field) if loss.kind == "margin" else field, weights, loss, l2, l1, not weighed)


CASES = {  # and the steps of four seeds together
    "hinge": (("hinge", 0.2, 0.0), {}, 45),
    "squared hinge": (("squared_hinge", 0.2, 0.0), {}, 42),
    "absolute": (("absolute", 0.2, 0.0), {}, 48),
    "quantile": (("quantile:0.8", 0.2, 0.0), {"weighed": True}, 49),
    "huber": (("huber:0.5", 0.2, 0.0), {}, 43),
    "lasso": (("square", 0.0, 0.1), {}, 36),
    "lasso of few weights": (("square", 0.0, 3.0), {}, 36),
    "logistic and L1": (("logistic", 0.0, 0.1), {}, 46),
    "exponential and L1": (("exponential", 0.0, 0.3), {}, 41),
    "hinge and L1": (("hinge", 0.0, 0.1), {}, 58),
    "squared hinge and L1": (("squared_hinge", 0.0, 0.1), {"weighed": True}, 51),
    "huber, L1 and L2": (("huber:0.5", 0.1, 0.05), {"weighed": True}, 44),
    "exponential, separable": (("exponential", 0.0, 0.01), {"n": 30, "p": 30}, 69),
    "exponential and little L1": (("exponential", 0.0, 1e-3), {}, 103),
    "exponential, L1 and L2": (("exponential", 1e-4, 1e-2), {}, 72),
    "fourth power and L1": ((CustomLoss(lambda r: r**4, "residual", name="fourth power"), 0.0, 0.3), {}, 42),
    "separable": (("hinge", 1e-4, 0.0), {"n": 20, "p": 40}, 47),
    "interpolation": (("absolute", 1e-3, 0.0), {"n": 20, "p": 40}, 83),
    "hard margins": (("max_margin", 1.0, 0.0), {"n": 20, "p": 40}, 38),
    "two slopes": ((STEEPER, 0.1, 0.0), {}, 69),
}


@pytest.mark.parametrize("name", CASES)
def test_a_dozen_steps_to_the_optimality_conditions(name):
    (loss, l2, l1), options, known = CASES[name]
    steps = 0
    for seed in range(4):
        o = problem(loss, l2, l1, seed, **options)
        point = central_path(o)[0]
        steps += point.steps
        w, c = o.split(point.x)
        t = o.rows @ point.x - o.origin
        dual = o.sign * (o.smooth(t)[0] + point.multipliers.sum(axis=0))
        settled = np.where(point.sign == 0, 0.0, w) if l1 > 0 else w
        assert o.violation(settled, c, dual) < 1e-7
        for piece, multiplier, state in zip(o.loss.pieces, point.multipliers, point.state, strict=True):
            position, low, high, width = piece
            line, low, high = (t - position) / width if width > 0 else None, low * o.weights, high * o.weights
            above, below, tolerance = state == 1, state == -1, 1e-6 * o.unit
            assert np.all(np.abs(multiplier - high)[above] < 1e-6 * (1 + np.abs(high[above])))
            assert np.all(np.abs(multiplier - low)[below] < 1e-6 * (1 + np.abs(low[below])))
            assert np.all(t[above] > position - tolerance)
            assert np.all(t[below] < position + tolerance)
            between = state == 0
            assert np.all(multiplier[between] > low[between]) and np.all(multiplier[between] < high[between])
            if width > 0:
                np.testing.assert_allclose(multiplier[between], (o.weights * line)[between], rtol=1e-6, atol=1e-6 * o.unit)
            else:
                assert np.all(np.abs(t[between] - position) < tolerance)
        if l1 > 0:
            pull = o.a.T @ dual + l2 * w
            scale = float(np.max(np.abs(w)))
            assert np.all(np.abs(w[point.sign == 0]) < 1e-7 * scale)
            np.testing.assert_allclose(pull[point.sign != 0], -l1 * point.sign[point.sign != 0], rtol=1e-6)
            assert np.all((w * point.sign)[point.sign != 0] > -1e-7 * scale)
    assert abs(steps - known) <= (20 if name == "interpolation" else 4)  # where rounding decides when to stop


def test_few_points_of_the_path_are_kept_the_best_first():
    o = problem("hinge", 0.2, 0.0, 0)
    found = central_path(o)
    assert 1 <= len(found) <= 6
    best = found[0]
    for point in found:
        assert point.steps == best.steps
        assert o.value(*o.split(point.x)) >= o.value(*o.split(best.x)) - 1e-9


def test_one_row_and_one_weight_without_noise():
    """min |w - 2| + w^2/8: w = 2 sits on the kink while its multiplier -w/4 lies inside [-1, 1]; min of the hinge at lam 2 is w = 1/2."""
    one = np.ones((1, 1))
    point = central_path(Objective(one, np.array([2.0]), np.ones(1), losses.get("absolute"), 0.25))[0]
    assert point.x[0] == pytest.approx(2.0, rel=1e-9)
    assert point.multipliers[0, 0] == pytest.approx(-0.5, rel=1e-9)
    assert point.state[0, 0] == 0
    point = central_path(Objective(one, np.ones(1), np.ones(1), losses.get("hinge"), 2.0))[0]
    assert point.x[0] == pytest.approx(0.5, rel=1e-9)
    assert point.state[0, 0] == -1
    point = central_path(Objective(one, np.array([2.0]), np.ones(1), losses.get("square"), 0.0, 0.7))[0]
    assert point.x[0] == pytest.approx(1.3, rel=1e-9)
    assert point.sign[0] == 1
    point = central_path(Objective(one, np.array([-2.0]), np.ones(1), losses.get("square"), 0.0, 3.0))[0]
    assert abs(point.x[0]) < 1e-9
    assert point.sign[0] == 0


@pytest.mark.parametrize("unit", [1e-8, 1e8])
@pytest.mark.parametrize(
    "name", ["hinge", "absolute", "lasso", "hinge and L1", "huber, L1 and L2", "logistic and L1", "hard margins", "two slopes"]
)
def test_units_of_the_objective_do_not_matter(name, unit):
    """The same path to the same weights and states, whatever all weights and penalties are multiplied by."""
    (loss, l2, l1), options, _ = CASES[name]
    o = problem(loss, l2, l1, 0, **options)
    one, other = central_path(o)[0], central_path(replace(o, weights=unit * o.weights, l2=unit * o.l2, l1=unit * o.l1))[0]
    assert abs(one.steps - other.steps) <= 1  # where rounding decides when to stop
    np.testing.assert_allclose(other.x, one.x, atol=1e-11 * np.max(np.abs(one.x)))
    np.testing.assert_array_equal(other.state, one.state)
    np.testing.assert_allclose(other.multipliers, unit * one.multipliers, atol=1e-7 * unit)


@pytest.mark.parametrize("unit", [1e-4, 1e4])
@pytest.mark.parametrize(("name", "powers"), [("absolute", (-1, 0)), ("lasso", (0, 1))])
def test_units_of_the_labels_are_those_of_the_weights(name, powers, unit):
    (loss, l2, l1), options, _ = CASES[name]
    o = problem(loss, l2, l1, 0, **options)
    other = central_path(replace(o, y=unit * o.y, l2=o.l2 * unit ** powers[0], l1=o.l1 * unit ** powers[1]))[0]
    one = central_path(o)[0]
    assert abs(one.steps - other.steps) <= 1
    np.testing.assert_allclose(other.x / unit, one.x, atol=1e-11 * np.max(np.abs(one.x)))
    np.testing.assert_array_equal(other.sign, one.sign)
