"""Quadrature over the Gaussian law of the target's constant part."""

import numpy as np
import pytest
from scipy import special

from gaussequiv.equivalence.offsets import offset_nodes


@pytest.mark.parametrize("variance", [1e-6, 0.3, 5.0])
def test_moments_of_the_half_normal_law(variance):
    b, mass = offset_nodes(variance, None)
    assert mass.sum() == pytest.approx(1.0, abs=1e-14)
    assert np.all(b > 0)
    moments = [float(mass @ b**k) / variance ** (k / 2) for k in (1, 2, 4)]
    assert moments == pytest.approx([np.sqrt(2 / np.pi), 1.0, 3.0], rel=1e-12)


@pytest.mark.parametrize("scale", [1e-3, 0.01, 0.1, 1.0, 10.0])
def test_functions_that_bend_near_zero_are_resolved(scale):
    """E erfc(|b|/(scale sqrt 2)) for b ~ N(0, 1) is (2/pi) atan(scale)."""
    b, mass = offset_nodes(1.0, None)
    found = float(mass @ special.erfc(b / scale / np.sqrt(2)))
    assert found == pytest.approx(2 / np.pi * np.arctan(scale), abs=1e-8)  # the panels are graded down to 1e-4


def test_a_given_offset_is_one_node_of_its_sign():
    for given in (0.7, -0.7):
        b, mass = offset_nodes(2.0, given)
        assert (b.tolist(), mass.tolist()) == ([given], [1.0])
    assert offset_nodes(2.0, 0.0)[0].tolist() == [0.0]


def test_no_variance_is_no_offset():
    b, mass = offset_nodes(0.0, None)
    assert (b.tolist(), mass.tolist()) == ([0.0], [1.0])


@pytest.mark.parametrize(("smooth", "far"), [(None, False), (9, False), (12, True), (None, True)])
def test_both_signs_have_the_whole_law(smooth, far):
    """E b^k of N(0, v), odd ones included, and E exp(a b) = exp(a^2 v/2), up to what lies beyond 5.5 or, `far`, 8.5 deviations."""
    b, mass = offset_nodes(2.0, None, even=False, smooth=smooth, far=far)
    assert np.all(np.diff(b) > 0) and np.array_equal(b, -b[::-1]) and np.array_equal(mass, mass[::-1])
    beyond = 1e-12 if smooth is None or far else 3e-5
    moments = [float(mass @ b**k) for k in range(5)]
    assert moments == pytest.approx([1.0, 0.0, 2.0, 0.0, 12.0], rel=beyond, abs=1e-13)
    error = abs(float(mass @ np.exp(2.4 * b)) / np.exp(0.5 * 2.4**2 * 2.0) - 1)
    assert error < 1e-6 if smooth is None or far else 1e-3 < error < 0.1
    half, share = offset_nodes(2.0, None, smooth=smooth, far=far)
    np.testing.assert_array_equal(b[b > 0], half)
    np.testing.assert_allclose(2 * mass[b > 0], share, rtol=1e-13)
    reach = 5.5 if smooth is not None and not far else 8.5
    assert (reach - 0.5) * np.sqrt(2) < half.max() < reach * np.sqrt(2)
    assert half.size == (9 * 11 if smooth is None else smooth * (5 + far))
