"""Newton's iteration on smooth losses: stationary to rounding, in few steps, from any start."""

import numpy as np
import pytest

from gaussequiv.ingredients.losses import named as losses
from gaussequiv.ingredients.losses.custom import CustomLoss
from gaussequiv.learners.finite.newton import newton
from gaussequiv.learners.finite.objective import Objective


def problem(loss, l2, seed, n=60, p=30, intercept=True, scale=1.0):
    rng = np.random.default_rng(seed)
    a = scale * rng.standard_normal((n, p)) / np.sqrt(p)
    field = a @ rng.standard_normal(p) + 0.5 * scale * rng.standard_normal(n) + 0.2
    loss = losses.get(loss) if isinstance(loss, str) else loss
    y = np.sign(field) if loss.kind == "margin" else field
    return Objective(a, y, rng.uniform(0.3, 2, n), loss, l2, 0.0, intercept)


FOURTH = CustomLoss(lambda r: r**4, "residual", name="fourth power")
CASES = {  # and the steps of four seeds together
    "square": (("square", 0.1), {}, 12),
    "logistic": (("logistic", 0.1), {}, 24),
    "logistic, little penalty": (("logistic", 1e-6), {"intercept": False}, 69),
    "logistic, wide fields": (("logistic", 1e-3), {"scale": 30.0}, 69),
    "exponential": (("exponential", 0.1), {}, 31),
    "exponential, wide fields": (("exponential", 0.1), {"scale": 10.0}, 48),
    "fourth power": ((FOURTH, 0.1), {}, 43),
    "no penalty": (("logistic", 0.0), {"n": 400, "p": 5}, 30),
    "interpolation": (("square", 0.0), {"n": 20, "p": 40}, 38),
}


@pytest.mark.parametrize("name", CASES)
def test_few_steps_to_a_stationary_point(name):
    (loss, l2), options, known = CASES[name]
    steps = 0
    for seed in range(4):
        o = problem(loss, l2, seed, **options)
        found = newton(o)
        steps += found.steps
        slope = o.weights * o.loss.slope(o.y, o.a @ found.w + found.c)
        size = np.abs(o.a).T @ np.abs(slope) + l2 * np.abs(found.w)
        assert np.linalg.norm(o.a.T @ slope + l2 * found.w) < 1e-10 * np.linalg.norm(size) + 1e-12
        assert abs(slope.sum()) < 1e-10 * np.abs(slope).sum() + 1e-12 or not o.intercept
        assert found.residual < 1e-10
    assert abs(steps - known) <= (6 if name == "interpolation" else 3)  # where rounding decides when to stop


def test_the_square_loss_is_a_linear_system():
    o = problem("square", 0.1, 0)
    x = np.column_stack([o.a, np.ones(60)])
    exact = np.linalg.solve((x.T * o.weights) @ x + np.diag(o.bend), x.T @ (o.weights * o.y))
    found = newton(o)
    np.testing.assert_allclose(np.append(found.w, found.c), exact, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("intercept", [True, False])
def test_a_start_is_where_it_starts(intercept):
    o = problem("logistic", 0.1, 0, intercept=intercept)
    found = newton(o)
    again = newton(o, (found.w, found.c))
    assert again.steps <= 1
    near = newton(o, (found.w * 1.001, found.c))
    assert near.steps <= 3 < found.steps
    np.testing.assert_allclose(near.w, found.w, rtol=1e-8, atol=1e-10)
    far = newton(o, (found.w + 50.0, found.c + 3.0))
    np.testing.assert_allclose(far.w, found.w, rtol=1e-7, atol=1e-9)


def test_separable_data_without_a_penalty_have_no_minimum():
    o = problem("logistic", 0.0, 0, n=20, p=40)
    found = newton(o)
    assert np.all(o.y * (o.a @ found.w + found.c) > 0)
    assert o.value(found.w, found.c) < 1e-6


@pytest.mark.parametrize("unit", [1e-8, 1e8])
def test_units_of_the_objective_do_not_matter(unit):
    """The same steps to the same weights, whatever all weights and the penalty are multiplied by."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((30, 6))
    y = np.sign(a @ rng.standard_normal(6) + 0.5 * rng.standard_normal(30))
    one, other = (newton(Objective(a, y, np.full(30, s), losses.get("logistic"), 0.3 * s, 0.0, True)) for s in (1.0, unit))
    assert abs(one.steps - other.steps) <= 1
    np.testing.assert_allclose(other.w, one.w, rtol=1e-10)
