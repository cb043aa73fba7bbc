"""The proximal Newton iteration's line search, against the minimum of the objective along the step."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from gaussequiv.ingredients.losses import named as losses
from gaussequiv.ingredients.losses.custom import CustomLoss
from gaussequiv.learners.finite.active_set import ENOUGH
from gaussequiv.learners.finite.minimise import minimise
from gaussequiv.learners.finite.objective import Minimum, Objective
from gaussequiv.learners.finite.proximal_newton import _search, proximal_newton

FOURTH = CustomLoss(lambda r: 0.25 * r**4 + 0.5 * r**2, "residual", name="fourth power")


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
@pytest.mark.parametrize("l1", [0.0, 0.3])
def test_the_share_is_the_minimum_along_the_step(loss, l1):
    rng = np.random.default_rng(0)
    a = rng.standard_normal((40, 8)) / 3
    y = np.sign(a @ rng.standard_normal(8) + 0.3 * rng.standard_normal(40))
    weights = rng.uniform(0.5, 1.5, 40)
    o = Objective(a, y, weights, losses.get(loss), 0.2, l1, True)
    w, c, dw, dc = rng.standard_normal(8), 1.7, rng.standard_normal(8), -3.0

    def value(share):
        moved, field = w + share * dw, a @ (w + share * dw) + c + share * dc
        return weights @ o.loss.value(y, field) + 0.1 * moved @ moved + l1 * np.abs(moved).sum()

    if value(1e-6) > value(0.0):
        dw, dc = -dw, -dc
    best = minimize_scalar(value, bounds=(0, 3), method="bounded", options={"xatol": 1e-9}).x
    for length in (1.0, 3.0):  # the whole step where its minimum lies beyond
        share = _search(o, w, c, length * dw, length * dc)
        assert share == pytest.approx(min(best / length, 1.0), abs=1e-6)


@pytest.mark.parametrize("loss", ["logistic", "exponential", FOURTH], ids=str)
@pytest.mark.parametrize("l2", [0.0, 0.2])
@pytest.mark.parametrize("intercept", [True, False])
def test_any_start_ends_at_the_certified_minimum(loss, l2, intercept):
    """Conditions of the minimum by hand: zero where the pull is below l1, and pull -l1 sign(w) elsewhere; a few steps, then no more."""
    rng = np.random.default_rng(1)
    a = rng.standard_normal((40, 8)) / 3
    field = a @ rng.standard_normal(8) + 0.6 * rng.standard_normal(40)
    loss = losses.get(loss)
    y = np.sign(field) if loss.kind == "margin" else field
    o = Objective(a, y, rng.uniform(0.5, 1.5, 40), loss, l2, 0.5, intercept)
    known = minimise(o)
    bad = Minimum(3 * rng.standard_normal(8), 0.5 * intercept, np.zeros(40), 1.0, 7)
    nowhere = Minimum(np.full(8, np.nan), 0.0, np.zeros(40), np.inf, 7)
    for start in (bad, nowhere):
        found = proximal_newton(o, start)
        assert found.residual <= ENOUGH and 7 < found.steps < 7 + 25
        np.testing.assert_allclose(found.w, known.w, rtol=1e-7, atol=1e-9)
        assert found.c == pytest.approx(known.c, abs=1e-8)
        slope = o.weights * o.loss.slope(y, a @ found.w + found.c)
        pull = a.T @ slope + l2 * found.w
        zero = found.w == 0
        assert 0 < zero.sum() < 8 and np.all(np.abs(pull[zero]) < 0.5)
        np.testing.assert_allclose(pull[~zero], -0.5 * np.sign(found.w[~zero]), rtol=1e-8)
        assert abs(slope.sum()) < 1e-8 or not intercept
    again = proximal_newton(o, known._replace(residual=1e-3, steps=0))
    assert again.steps == 1 and again.residual <= ENOUGH
