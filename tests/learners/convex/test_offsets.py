"""Starting values along the law of an offset."""

import numpy as np
import pytest

from gaussequiv.learners.convex.offsets import EVERY, LEAST, between, stages


def curves(*lengths):
    """Loads, lam and rising offsets of stretches side by side."""
    b0 = np.concatenate([np.linspace(-1, 2, n) for n in lengths])
    load = np.repeat(np.arange(len(lengths)) + 1.0, lengths)
    return load, np.full(b0.size, 0.1), b0


def test_every_point_is_solved_once_and_in_the_middle_of_what_is_solved():
    load, lam, b0 = curves(17, 10)
    first, second, third = stages(load, lam, b0)
    assert first.tolist() == [0, 4, 8, 12, 16, 17, 21, 25, 26]  # both ends of either stretch
    assert second.tolist() == [2, 6, 10, 14, 19, 23]
    assert third.tolist() == [1, 3, 5, 7, 9, 11, 13, 15, 18, 20, 22, 24]
    assert sorted([*first, *second, *third]) == list(range(27))
    assert EVERY == 4


def test_few_offsets_are_all_solved_from_afar():
    assert stages(*curves(LEAST - 1, 2)) is None
    assert stages(*curves(LEAST - 1, LEAST)) is not None
    load, lam, b0 = curves(LEAST)
    assert stages(load, lam, -b0) is None  # every offset begins a stretch of its own
    assert stages(load, lam + b0, b0) is None


def test_between_solved_points_values_are_nearly_those_of_smooth_functions():
    load, lam, b0 = curves(33, 17)
    few = stages(load, lam, b0)[0]
    exact = np.stack([np.sin(b0) * load, b0**2, 1 + b0, np.exp(-b0)], axis=1)
    found = between(few, exact[few], load, lam, b0)
    np.testing.assert_allclose(found[few], exact[few], rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(found, exact, atol=0.02)
    np.testing.assert_allclose(found[:33], exact[:33], atol=1e-3)
    np.testing.assert_allclose(found[:, 1:3], exact[:, 1:3], atol=1e-13)  # cubics


@pytest.mark.parametrize("lost", [0, 4])
def test_a_point_that_is_not_solved_spoils_its_neighbours_alone(lost):
    load, lam, b0 = curves(17)
    few = stages(load, lam, b0)[0]
    values = np.stack([b0, 2 * b0, 3 * b0, 4 * b0], axis=1)
    known = values[few].copy()
    known[lost // EVERY] = np.nan
    found = between(few, known, load, lam, b0)
    far = np.abs(np.arange(17) - lost) > EVERY
    np.testing.assert_allclose(found[far], values[far], atol=1e-14)
    assert np.isnan(found[lost]).all()
