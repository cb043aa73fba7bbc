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
