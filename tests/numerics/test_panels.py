"""Panel quadrature against closed forms: kinks, jumps and narrow regions anywhere."""

import numpy as np
import pytest
from scipy import special, stats

from gaussequiv.numerics.panels import normal_panels, running_integral, sign_changes


@pytest.mark.parametrize("a", [-8.0, -2.3, 0.0, 0.3, 4.1])
def test_mean_excess(a):
    """E (xi - a)_+ = phi(a) - a Phi(-a)."""
    nodes = normal_panels(np.array([[a]]))
    value = float(np.sum(nodes.weights * np.maximum(nodes.xi - a, 0)))
    assert value == pytest.approx(stats.norm.pdf(a) - a * special.ndtr(-a), rel=1e-10, abs=1e-17)


def test_moments_and_points_of_their_own():
    nodes = normal_panels(np.array([[-1.0, 0.5], [2.0, 2.0], [np.inf, -np.inf]]))
    for power, moment in ((0, 1), (1, 0), (2, 1), (4, 3), (6, 15)):
        assert np.sum(nodes.weights * nodes.xi**power, axis=1) == pytest.approx(np.full(3, moment), abs=1e-11)


@pytest.mark.parametrize("width", [1e-8, 1e-3, 1.0])
def test_a_narrow_step_between_its_breaks(width):
    """E Phi((xi - a)/width) = Phi(-a/sqrt(1 + width^2))."""
    a = 0.7
    breaks = a + width * np.array([[-40, -15, -6, -2.5, 0, 2.5, 6, 15, 40.0]])
    nodes = normal_panels(breaks)
    value = float(np.sum(nodes.weights * special.ndtr((nodes.xi - a) / width)))
    assert value == pytest.approx(special.ndtr(-a / np.sqrt(1 + width**2)), abs=1e-14)


def test_running_integral():
    nodes = normal_panels(np.array([[0.3], [-2.0]]))
    below = running_integral(nodes, np.ones_like(nodes.xi))
    assert below == pytest.approx(special.ndtr(nodes.xi), abs=1e-13)


def test_sign_changes():
    xi = np.linspace(-3, 3, 61)[None]
    found = sign_changes(xi, (xi + 1.234) * (xi - 0.567))
    assert found[0, :2] == pytest.approx([-1.234, 0.567], abs=0.02)
    assert found[0, 2] == 0
