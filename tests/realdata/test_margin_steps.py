"""`left_out_levels`, `fitted_moves` and the iteration: direct linear algebra, the fit itself at n = N."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from gaussequiv.ingredients.losses import named as losses
from gaussequiv.realdata.decomposed import DecomposedRows
from gaussequiv.realdata.emulate import EmulatedStudent, emulate
from gaussequiv.realdata.margin_steps import MarginIteration, fitted_moves, left_out_levels

LOGISTIC = EmulatedStudent(losses.get("logistic"), 2.0, True, True)


def draw(n=80, p=6):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, p)) * np.geomspace(2, 0.5, p)
    return x, np.where(x[:, 0] + rng.standard_normal(n) > 0.2, 1.0, -1.0), rng.uniform(0.5, 2.0, n)


def test_levels_are_those_of_rows_left_out():
    x, _, a = draw()
    level = left_out_levels(DecomposedRows(x, a, intercept=False), np.log([1.5]), 2.0)
    for i in (0, 17, 79):
        keep = np.arange(80) != i
        alone = np.linalg.inv((x[keep].T * a[keep]) @ x[keep] + 3.0 * np.eye(6))
        assert level.V[0, i] == pytest.approx(1.5 * x[i] @ alone @ x[i], rel=1e-9)


def test_noise_levels_follow_the_population():
    """D = x'QMQx with Q^{-1} = lam + M of the law: many rows, of which M is n times the covariance."""
    rng, spectrum = np.random.default_rng(0), np.geomspace(2, 0.5, 20)
    x = rng.standard_normal((4000, 20)) * np.sqrt(spectrum)
    level = left_out_levels(DecomposedRows(x, np.ones(4000), intercept=False), np.zeros(1), 400.0)
    M = spectrum * np.sum(level.gap[0])
    exact = np.sum(spectrum * M / (400 + M) ** 2)
    assert np.mean(level.D[0]) == pytest.approx(exact, rel=0.02)


def test_conjugate_gradients_solve_newtons_equation():
    x, y, a = draw()
    rows, c = DecomposedRows(x, a), np.random.default_rng(1).uniform(0.1, 1.0, (1, 80))
    _, _, moved = fitted_moves(rows, np.zeros(1), 2.0, c, y[None], np.zeros((1, 6)), 12)
    design = np.column_stack([x, np.ones(80)])
    exact = design @ np.linalg.solve((design.T * c[0]) @ design + np.diag([2.0] * 6 + [0.0]), design.T @ y)
    # the penalty counts from the weighted mean on, which only moves the free constant
    assert moved[0] == pytest.approx(exact, abs=1e-8)


def test_at_the_pools_size_it_is_the_fit_and_emulates_scores():
    x, y, _ = draw(200)
    rows = DecomposedRows(x, np.ones(200))
    state, settled, _, _ = MarginIteration(rows, y, np.ones(200), np.array([200.0]), LOGISTIC, tolerance=1e-8).run()
    w, middle = rows.coefficients(x, state.shares[0])
    model = LogisticRegression(C=0.5, tol=1e-9, max_iter=1000).fit(x, y)
    assert settled[0] and w == pytest.approx(model.coef_[0], abs=1e-4)
    assert state.constant[0] - middle == pytest.approx(model.intercept_[0], abs=1e-4)
    own = state.slope[0] / (1 - state.V[0] * state.slope[0])  # with its own curvatures: approximate leave-one-out, row by row
    state = MarginIteration(DecomposedRows(x, own), y, np.ones(200), np.array([200.0]), LOGISTIC, tolerance=1e-8).run()[0]
    other = emulate(x, y, np.ones(200), 200, LOGISTIC, tolerance=1e-8).state
    assert np.max(np.abs(state.score[0] - other.score)) < 2e-3 * np.std(other.score)


def test_sizes_together_are_sizes_alone():
    x, y, _ = draw(200)
    rows, sizes = DecomposedRows(x, np.ones(200)), np.array([30.0, 90.0, 200.0])
    state, settled, steps, _ = MarginIteration(rows, y, np.ones(200), sizes, LOGISTIC).run()
    assert settled.all() and np.unique(steps).size > 1  # one ends before another
    for i in range(3):
        alone, _, count, _ = MarginIteration(rows, y, np.ones(200), sizes[[i]], LOGISTIC).run()
        assert alone.score[0] == pytest.approx(state.score[i], rel=1e-6, abs=1e-8) and count[0] == steps[i]
