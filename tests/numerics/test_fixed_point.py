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


def test_steps_count_evaluations_of_each_element():
    """Two, then one for every secant step; a linear map needs one of them and another to see that nothing is left."""
    calls = []

    def gap(y, i):
        calls.append(np.array(y))
        return (0.5 * y + np.array([3.0, -1.0]))[i] - y

    roots, steps = solve_monotone(gap, np.array([10.0, -2.0]))  # the second starts at its root
    np.testing.assert_allclose(roots, [6.0, -2.0], rtol=1e-14)
    assert calls[0].tolist() == [10.0, -2.0] and calls[1].tolist() == [8.0, -2.0]  # the first step is the map's
    assert steps.max() <= len(calls) + 1 and steps.min() >= 2


def test_roots_far_from_the_start_are_bracketed_from_either_side():
    """Maps whose secants mislead: steps of size 1 away from a cube root's place."""
    centre = np.array([-90.0, 70.0, 0.2, 3.5])
    start = np.array([0.0, 0.0, 0.3, 200.0])
    roots, _ = solve_monotone(lambda y, i: -np.cbrt(y - centre[i]), start)
    np.testing.assert_allclose(roots, centre, rtol=1e-9, atol=1e-9)
    steps = lambda y, i: np.where(y < centre[i], 1.0, -1.0) * np.minimum(np.abs(y - centre[i]), 0.5)  # noqa: E731  # flat far away
    roots, _ = solve_monotone(steps, start)
    np.testing.assert_allclose(roots, centre, rtol=1e-12, atol=1e-12)
