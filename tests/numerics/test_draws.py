"""Draws by inversion against the exact inverse."""

import numpy as np

from gaussequiv.numerics.draws import inverse_draws
from gaussequiv.numerics.panels import legendre_panels


def test_the_inverse_is_exact_for_resolved_densities_and_never_leaves_the_mass():
    edges = np.array([-3.0, -1.0, 0.0, 0.5, 1.5, 4.0, 9.0])
    y, weights = legendre_panels(edges[None, :], 8)
    density = np.where((y > 0) & (y < 1.5), np.exp(-y), 0.0)  # an exponential law cut at 1.5, empty panels on both sides
    u = np.concatenate([[0.0, 1e-300, 1 - 1e-16], np.linspace(0, 1, 1001)[:-1]])
    rows = [np.broadcast_to(a, (u.size, y.size)) for a in (y, weights * density, density)]
    found = inverse_draws(*rows, u, 8)
    assert np.allclose(found, -np.log1p(-u * (1 - np.exp(-1.5))), atol=1e-9)
    assert found.min() >= 0 and found.max() <= 1.5


def test_every_row_has_its_own_law():
    scale = np.array([0.5, 2.0])
    y, weights = legendre_panels(np.linspace(0, 30, 40)[None, :] * scale[:, None], 8)
    density = np.exp(-y / scale[:, None])
    found = inverse_draws(y, weights * density, density, np.array([0.25, 0.75]), 8)
    assert np.allclose(found, -scale * np.log([0.75, 0.25]), rtol=1e-8)


def test_polynomial_densities_of_the_highest_degree_are_inverted_exactly():
    """Four nodes hold a cubic: x^3 on [0, 2] and (1 - x)^3 on [-1, 1], with mass in the first and in the last of uneven panels."""
    edges = np.array([[0.0, 1.3, 1.4, 2.0], [-1.0, -0.4, 0.7, 1.0]])
    y, weights = legendre_panels(edges, 4)
    density = 5 * np.stack([y[0] ** 3, (1 - y[1]) ** 3])
    u = np.linspace(0, 1, 101)[1:-1]
    for row, exact in ((0, 2 * u**0.25), (1, 1 - 2 * (1 - u) ** 0.25)):
        parts = [np.broadcast_to(a[row], (u.size, y.shape[1])) for a in (y, weights * density, density)]
        np.testing.assert_allclose(inverse_draws(*parts, u, 4), exact, rtol=1e-12, atol=1e-13)
