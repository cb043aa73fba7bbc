"""Solutions with positive semi-definite matrices of very different scales, regular and singular."""

import numpy as np
import pytest
from scipy import linalg

from gaussequiv.numerics.scaled_cholesky import ScaledCholesky


def test_scales_of_many_decades_do_not_cost_digits():
    rng = np.random.default_rng(0)
    root = rng.standard_normal((8, 5))
    well, scale = root.T @ root, 10.0 ** np.array([-60, -3, 0, 7, 90])
    x = rng.standard_normal(5)
    solved = ScaledCholesky(well * np.outer(scale, scale)).solve((well @ x) * scale)
    np.testing.assert_allclose(solved * scale, x, rtol=1e-11)


def test_a_singular_matrix_solves_what_lies_in_its_range():
    """Rank 2 of 4, and a zero row: the residual is at rounding, and nothing is sent to infinity."""
    a = np.array([[1.0, 2.0, 3.0, 0.0], [0.0, 1.0, -1.0, 0.0]])
    matrix = a.T @ a
    right = matrix @ np.array([0.5, -1.0, 2.0, 3.0])
    x = ScaledCholesky(matrix.copy()).solve(right)
    np.testing.assert_allclose(matrix @ x, right, atol=1e-12 * np.abs(right).max())
    assert np.all(np.abs(x) < 10) and x[3] == 0


def test_refinement_takes_back_what_was_added():
    """Nearly singular: 1e-14 of the diagonal, added so that the matrix can be factored, shifts the smallest direction by 1e-4."""
    direction, other = np.array([1.0, 1.0]), np.array([1.0, -1.0])
    small = 1e-10
    matrix = 0.5 * (np.outer(direction, direction) + small * np.outer(other, other))
    x = ScaledCholesky(matrix.copy()).solve(matrix @ (2 * direction + 3 * other))
    assert 0.5 * other @ x == pytest.approx(3, rel=1e-5)
    assert 0.5 * direction @ x == pytest.approx(2, rel=1e-12)


def test_the_shift_grows_a_hundredfold_until_the_matrix_can_be_factored_or_is_refused():
    """Correlation 1.5 on a unit diagonal asks for more than 0.5: 1e-14, 1e-12, ..., 1. One refinement: x = F^-1 (2 - M F^-1) r."""
    unit, scale = np.array([[1.0, 1.5], [1.5, 1.0]]), np.array([2.0, 5.0])
    factor = np.linalg.inv(unit + np.eye(2))
    right = np.array([0.3, -0.7])
    expected = factor @ (2 * right - unit @ factor @ right)
    np.testing.assert_allclose(ScaledCholesky(unit * np.outer(scale, scale)).solve(right * scale) * scale, expected, rtol=1e-12)
    with pytest.raises(linalg.LinAlgError):
        ScaledCholesky(np.array([[1.0, 1e9], [1e9, 1.0]]))
