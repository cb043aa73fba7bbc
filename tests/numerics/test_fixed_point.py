"""Many scalar fixed points at once, by secant steps and, where these stall, by bracketing."""

import numpy as np
import pytest

from gaussequiv.numerics.fixed_point import SECANT_STEPS, solve_monotone


def test_smooth_maps_take_a_handful_of_steps():
    target = np.linspace(0.1, 3.0, 50)
    # y = log(1 + exp(y)/2) + t has the root exp(y) = exp(t)/(1 - exp(t)/2) where that is positive
    shift = np.log(np.tanh(target))
    roots, steps = solve_monotone(lambda y, i: np.log1p(0.5 * np.exp(y)) + shift[i] - y, shift)
    expected = np.exp(shift) / (1 - 0.5 * np.exp(shift))
    np.testing.assert_allclose(np.exp(roots), expected, rtol=1e-13)
    assert steps.max() <= 10


@pytest.mark.parametrize("power", [3, 5])
def test_flat_roots_are_bracketed(power):
    centre = np.array([-40.0, 0.3, 7.0])
    roots, steps = solve_monotone(lambda y, i: -np.sign(y - centre[i]) * np.abs(y - centre[i]) ** power * 1e-3, centre + 2.5)
    assert steps.max() > SECANT_STEPS
    np.testing.assert_allclose(roots, centre, atol=1e-3)  # the function is below 1e-9 there


def test_a_root_at_the_start_is_kept():
    roots, _ = solve_monotone(lambda y, i: 0.5 * (1.0 - y), np.array([1.0, 2.0]))
    np.testing.assert_array_equal(roots, [1.0, 1.0])
