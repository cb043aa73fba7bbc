"""The certificate tells minimisers from near misses; the iteration reaches it on larger samples and hard limits."""

import numpy as np
import pytest

from gaussequiv.ingredients.losses import named as losses
from gaussequiv.learners.finite.minimise import minimise
from gaussequiv.learners.finite.objective import Objective


def problem(n, p, name, lam, l1=0.0, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((n, p)) / np.sqrt(p)
    field = a @ rng.standard_normal(p) + 0.5 * rng.standard_normal(n) + 0.2
    loss = losses.get(name)
    return Objective(a, np.sign(field) if loss.kind == "margin" else field, np.ones(n), loss, lam, l1, True)


@pytest.mark.parametrize("name", ["logistic", "hinge", "absolute", "squared_hinge"])
def test_the_violation_sees_errors_and_bounds_the_excess(name):
    """Moving w by a relative epsilon raises the violation by its order, and the objective by no less than lam/2 |dw|^2."""
    o = problem(60, 30, name, 0.2)
    found = minimise(o)
    assert found.residual < 1e-10
    step = np.random.default_rng(1).standard_normal(30)
    step *= 1e-3 * np.linalg.norm(found.w) / np.linalg.norm(step)
    moved = o.violation(found.w + step, found.c, found.dual)
    assert 1e-6 < moved < 1e-1
    assert o.violation(found.w, found.c, np.zeros(60)) > 1e-2
    gain = o.value(found.w + step, found.c) - o.value(found.w, found.c)
    assert gain >= 0.5 * o.l2 * step @ step * (1 - 1e-6)


def test_a_warm_start_needs_no_step():
    o = problem(60, 30, "logistic", 0.2)
    found = minimise(o)
    assert minimise(o, (found.w, found.c)).steps <= 1


def test_an_impossible_margin_is_not_converged():
    """Hard margins on data that are not separable have no solution: the violation stays large."""
    o = problem(80, 5, "max_margin", 1.0)
    assert minimise(o).residual > 1e-3


def test_a_wide_penalty_range_on_a_piecewise_quadratic_loss():
    """Plain Newton stalls on the squared hinge at tiny penalties near separability; the envelope takes over."""
    for lam in (1e-6, 1e-8):
        assert minimise(problem(300, 150, "squared_hinge", lam)).residual < 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("name", ["logistic", "hinge", "absolute", "quantile:0.8", "huber:0.5"])
def test_two_thousand_samples(name):
    assert minimise(problem(2000, 1000, name, 0.05)).residual < 1e-9
    assert minimise(problem(2000, 1000, name, 0.0, 0.1)).residual < 1e-9
