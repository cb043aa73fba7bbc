"""The proximal Newton iteration's line search, against the minimum of the objective along the step."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from gaussequiv.ingredients.losses import named as losses
from gaussequiv.learners.finite.objective import Objective
from gaussequiv.learners.finite.proximal_newton import _search


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
