"""Edges between which a function is smooth: jumps and narrow regions are found without being declared."""

import numpy as np
import pytest

from gaussequiv.numerics.mesh import _halved, graded_edges, jump, smooth_edges
from gaussequiv.numerics.panels import legendre_panels

BASE = np.array([-50.0, -8.0, -1.0, 0.0, 1.0, 8.0, 50.0])


@pytest.mark.parametrize("width", [1.0, 0.3, 1e-2, 1e-3, 1e-6])
def test_a_box_of_any_width_is_found(width):
    """f = 1/width on [1 - width, 1], which may lie between all nodes: only its integral tells of it."""
    box = lambda t: np.where((t > 1 - width) & (t < 1), 1 / width, 0.0)  # noqa: E731
    edges = smooth_edges(box, lambda t: np.clip((t - 1) / width + 1, 0, 1), BASE, np.ones_like, max(1e-11, 1e-15 / width))
    assert edges.size <= BASE.size + 2 and np.min(np.abs(edges - (1 - width))) < 1e-12
    x, weights = legendre_panels(edges[None, :])
    assert abs(np.sum(weights * box(x) * np.cos(x)) - (np.sin(1) - np.sin(1 - width)) / width) < 1e-8


def test_a_narrow_bump_is_resolved_and_noise_is_not():
    x, weights = legendre_panels(
        smooth_edges(lambda t: np.cosh(80 * (t - 0.3)) ** -2.0, lambda t: np.tanh(80 * (t - 0.3)) / 80, BASE[1:-1], np.ones_like, 1e-12)[
            None
        ]
    )
    assert abs(np.sum(weights * np.cosh(80 * (x - 0.3)) ** -2.0) - 1 / 40) < 1e-12
    rng = np.random.default_rng(0)
    assert smooth_edges(lambda t: rng.standard_normal(t.shape), np.zeros_like, BASE, np.ones_like, 1e-11) is None


def test_jumps_to_the_last_digit_and_growth():
    place, rise = jump(lambda t: np.where(t < 0.123, 1.0, 3.0) + t, 0.12, 0.01)
    assert abs(place - 0.123) < 1e-15 and abs(rise - 2) < 1e-12
    edges = graded_edges(lambda t: 1 + 1e6 * np.maximum(t, 0.0), BASE)
    left, right = edges[:-1], edges[1:]
    assert np.all(1 + 1e6 * np.maximum(right, 0) < 5.5 * (1 + 1e6 * np.maximum(left, 0)))


def test_intervals_are_halved_until_there_would_be_too_many():
    """[0, 1/2] stays, [1/2, 1] is cut into eight of 1/16: nine intervals in all."""
    wide = lambda left, right: (left >= 0.5) & (right - left > 0.1) | (right - left == 1)  # noqa: E731
    ends = np.array([0.0, 1.0])
    np.testing.assert_allclose(_halved(ends, wide, 9), np.append(0.0, np.arange(8, 17) / 16))
    assert _halved(ends, wide, 8) is None
