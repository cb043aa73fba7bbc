"""Averages over wide normal laws from tables of narrower ones."""

import numpy as np
import pytest
from scipy.special import ndtr

from gaussequiv.numerics.heat import HeatTable


def sign(omega, V):
    """P(omega + sqrt(V) xi > 0.3)."""
    return ndtr((omega - 0.3) / np.sqrt(V))


def cosine(omega, V):
    """E cos(2 (omega + sqrt(V) xi))."""
    return np.cos(2 * omega) * np.exp(-2 * V)


@pytest.mark.parametrize("size", [1e-10, 1e-3, 0.2, 1.0, 7.0, 1e6])
def test_a_jump_at_every_variance(size):
    rng = np.random.default_rng(0)
    V = size * rng.uniform(0.5, 2, 7)
    omega = 0.3 + 6 * np.sqrt(size) * rng.normal(size=(7, 50))
    table = HeatTable(sign)
    assert table.reaches(omega, V).all()
    root = np.sqrt(V)[:, None]
    u = (omega - 0.3) / root
    density = np.exp(-0.5 * u * u) / np.sqrt(2 * np.pi)
    expected = (ndtr(u), density, -u * density, (u * u - 1) * density)
    for k, (value, known) in enumerate(zip(table.derivatives(omega, V), expected, strict=True)):
        np.testing.assert_allclose(value * root**k, known, rtol=0, atol=10.0 ** (k - 14) + 2e-16 / root.min())


def test_an_analytic_function_and_a_grid_that_grows():
    table = HeatTable(cosine)
    V = np.array([0.31, 0.33, 0.02])
    for centre in (0.0, 3.0, 12.0, -30.0):
        omega = centre + np.linspace(-2, 2, 33) * np.ones((3, 1))
        value, first, second, third = table.derivatives(omega, V)
        damp = np.exp(-2 * V)[:, None]
        np.testing.assert_allclose(value, np.cos(2 * omega) * damp, rtol=0, atol=2e-14)
        np.testing.assert_allclose(first, -2 * np.sin(2 * omega) * damp, rtol=0, atol=2e-13)
        np.testing.assert_allclose(second, -4 * np.cos(2 * omega) * damp, rtol=0, atol=2e-12)
        np.testing.assert_allclose(third, 8 * np.sin(2 * omega) * damp, rtol=0, atol=2e-11)


def test_rows_that_need_too_long_a_grid_are_named():
    table = HeatTable(sign)
    omega = np.array([[-1.0, 1.0], [-1e6, 1e6], [0.0, np.nan], [0.0, 1.0], [0.0, 1.0]])
    assert table.reaches(omega, np.array([0.2, 0.2, 0.2, 0.0, 1e-9])).tolist() == [True, False, False, False, False]
    table.derivatives(omega[:1], np.array([0.2]))
    assert table.reaches(np.array([[1e5, 1e5 + 1]]), np.array([0.2])).tolist() == [False]  # far from the grid that is there
