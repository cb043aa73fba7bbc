"""Averages of costly functions at many centres: closed forms, panels of their own about the places, and nothing asked twice."""

import numpy as np
import pytest
from scipy import stats

from gaussequiv.numerics.lattice import Lattice
from gaussequiv.numerics.panels import REACH

ROOT = 0.2
PLACES = np.array([0.55, -0.32, 0.35])  # in no order; two of them in one panel of width 0.3
CENTRES = (-0.37, 0.0, 0.81, 5.0)


def mean_distance(centre, place):
    t = (place - centre) / ROOT
    return ROOT * (2 * stats.norm.pdf(t) + t * (2 * stats.norm.cdf(t) - 1))


@pytest.mark.parametrize(("order", "error"), [(8, 1e-8), (16, 1e-14)])
def test_closed_forms_at_centres_that_share_panels(order, error):
    functions = lambda x: np.stack([np.ones_like(x), x**2, np.cos(3 * x), *np.abs(x - PLACES[:, None])])  # noqa: E731
    lattice = Lattice(functions, ROOT, PLACES, order)
    for centre in CENTRES:
        waves = np.exp(-4.5 * ROOT**2) * np.cos(3 * centre)
        expected = [1.0, centre**2 + ROOT**2, waves, *(mean_distance(centre, place) for place in PLACES)]
        np.testing.assert_allclose(lattice.averages(centre), expected, rtol=10 * error, atol=error)


def test_panels_are_filled_once_and_reach_as_far_as_the_law():
    asked = []

    def functions(x):
        assert np.all(np.diff(x) > 0)
        asked.append(x)
        return x[None]

    lattice = Lattice(functions, ROOT, PLACES, 4)
    lattice.averages(0.05)
    width = 1.5 * ROOT
    (first,) = asked
    assert 0.05 - REACH * ROOT - width < first[0] < 0.05 - REACH * ROOT + 0.2 * width
    assert 0.05 + REACH * ROOT - 0.2 * width < first[-1] < 0.05 + REACH * ROOT + width
    panels = {int(np.floor(x / width)) for x in first}
    assert first.size == 4 * (len(panels) + PLACES.size) and panels == set(range(min(panels), max(panels) + 1))
    lattice.averages(0.05)
    assert len(asked) == 1
    lattice.averages(0.05 + width)
    assert asked[1].size == 4 and {int(np.floor(x / width)) for x in asked[1]} == {max(panels) + 1}
    lattice.averages(0.05 - 2 * width)
    assert {int(np.floor(x / width)) for x in asked[2]} == {min(panels) - 2, min(panels) - 1}


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("place", PLACES)
def test_panels_at_the_ends_of_what_is_filled_are_cut_at_their_places(place, side):
    """Those that a far centre reaches last of all, and that count for one nearby."""
    lattice = Lattice(lambda x: np.abs(x - place)[None], ROOT, PLACES, 16)
    lattice.averages(place + side * REACH * ROOT)
    np.testing.assert_allclose(lattice.averages(place), mean_distance(place, place), rtol=1e-13)
