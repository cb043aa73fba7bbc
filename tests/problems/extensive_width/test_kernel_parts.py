"""Degrees zero, one, two and the rest of an activation."""

import numpy as np
import pytest

from gaussequiv.ingredients.activations import get
from gaussequiv.ingredients.activations.base import Activation
from gaussequiv.problems.extensive_width.kernel_parts import KernelParts

H23 = Activation(lambda z: (z * z - 1) / np.sqrt(2) + (z**3 - 3 * z) / 6, "h23")


def test_hermite_polynomials_have_their_own_degree():
    parts = KernelParts(H23)
    assert parts.mu == pytest.approx((0.0, 0.0, np.sqrt(2)), abs=1e-12)
    assert (parts.floor, parts.second) == pytest.approx((1 / 6, 7 / 6), rel=1e-12)
    x = np.array([0.0, 0.3, 0.999])
    assert parts.rest(x).left == pytest.approx((1 - x**3) / 6, abs=1e-13)
    assert parts.rest(x).slope == pytest.approx(x**2 / 2, abs=1e-13)


@pytest.mark.parametrize(("name", "scale", "floor"), [("relu", 1.0, 0.011268), ("tanh", 2.0, 0.103124)])
def test_published_floors(name, scale, floor):
    """g(1) of relu and of tanh(2x)."""
    phi = get(name)
    assert KernelParts(Activation(lambda z: phi(scale * z), "scaled", kinks=phi.kinks)).floor == pytest.approx(floor, abs=1e-6)


def test_noise_inside_quadratic_units_is_noise_of_the_labels():
    """Var (z + s xi)^2 = 4 z^2 s^2 + 2 s^4, so that 4 noise/(gamma mu_2^2) = 2 s^2 (2 + s^2)/gamma (Maillard et al. 2024)."""
    parts = KernelParts(get("hermite:2"), 0.0625)
    assert 4 * parts.inner_noise / parts.mu_2_square == pytest.approx(2 * 0.0625 * (2 + 0.0625), rel=1e-10)
    assert parts.floor == 0.0


@pytest.mark.parametrize("name", ["relu", "tanh", "gelu"])
def test_noisy_units_are_smoothed_ones(name):
    """K of sigma(u + noise) is that of z -> E sigma(z + noise), by quadrature."""
    phi, noise = get(name), 0.3
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    z, w = np.polynomial.hermite_e.hermegauss(80)
    values = phi(z[:, None] + np.sqrt(noise) * nodes) @ weights / weights.sum()
    squares = phi(z[:, None] + np.sqrt(noise) * nodes) ** 2 @ weights / weights.sum()
    parts = KernelParts(phi, noise)
    he = np.array([np.ones_like(z), z, z * z - 1])
    assert parts.mu == pytest.approx(he @ (w * values) / w.sum(), abs=2e-3)  # Gauss-Hermite across the kink of relu
    assert parts.second == pytest.approx(w @ values**2 / w.sum(), rel=2e-3)
    assert parts.inner_noise == pytest.approx(w @ (squares - values**2) / w.sum(), rel=5e-3)
    assert parts.rest([1.0]).left == pytest.approx([0.0], abs=1e-12)


def test_an_odd_function_has_no_quadratic_part():
    assert KernelParts(get("tanh")).mu_2_square == 0.0
