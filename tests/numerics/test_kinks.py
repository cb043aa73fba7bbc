"""Where functions are not smooth: known places are found, smooth functions are left alone."""

import numpy as np
import pytest

from gaussequiv.numerics.kinks import _merged, smooth_pieces

KINKED = {
    "slope": (lambda x: np.exp(-abs(x - 0.3)), [0.3]),
    "jumps": (lambda x: (abs(x - 0.2) < 1).astype(float), [-0.8, 1.2]),
    "one-sided": (lambda x: np.where(x > 0.5, np.exp(-np.maximum(x - 0.5, 0)), 0.0), [0.5]),
    "curvature": (lambda x: np.exp(-np.where(abs(x) < 1, x * x / 2, abs(x) - 0.5)), [-1.0, 1.0]),
    "root": (lambda x: np.exp(-np.sqrt(abs(x))), [0.0]),
}
SMOOTH = {
    "narrow": lambda x: np.exp(-0.5 * (x - 0.3) ** 2 / 1e-4),
    "narrow on wide": lambda x: np.exp(-0.5 * x * x / 1e-6) + np.exp(-0.5 * x * x),
    "soft": lambda x: np.exp(-np.sqrt(x * x + 1e-6)),
    "algebraic": lambda x: (1 + x * x / 3) ** -2,
    "step": lambda x: np.tanh(1e5 * (x + 3.3)),  # on whose flank errors fall slowly
}


@pytest.mark.parametrize("name", KINKED)
@pytest.mark.parametrize("ends", [(-5.123, 6.1), (-40.0, 40.0), (-1.44, 1.61)])
def test_kinks_are_found(name, ends):
    function, places = KINKED[name]
    found = smooth_pieces(function, *ends)
    assert found.places.size == len(places)
    assert np.all(np.abs(found.places - places) <= found.doubts + 1e-12)
    assert found.doubts.max() < (2e-3 if name == "curvature" else 2e-8)


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("ends", [(-5.123, 6.1), (-40.0, 40.0)])
def test_smooth_functions_have_none_however_narrow(name, ends):
    found = smooth_pieces(SMOOTH[name], *ends)
    assert found.places.size == 0
    scale = {"narrow": 0.01, "narrow on wide": 1e-3, "soft": 1e-3, "algebraic": 1.0, "step": 1e-5}[name]
    assert 0.3 * scale < found.width < 3 * scale


def test_known_kinks_do_not_shorten_panels():
    found = smooth_pieces(KINKED["slope"][0], -5.0, 5.0, ends=np.array([0.3]), tolerance=1e-8)
    assert found.places.size == 0 and found.width > 0.1


def test_noise_is_not_resolved():
    rng = np.random.default_rng(0)
    assert smooth_pieces(lambda x: rng.standard_normal(x.size), -1.0, 1.0) is None


def test_places_within_each_others_doubt_are_one_known_as_well_as_the_better():
    found = _merged([(3.0, 1e-6), (1.0005, 1e-6), (0.0, 1e-3), (1.0, 1e-3), (3.0001, 1e-4), (3.01, 1e-3)], 0.7)
    assert found.places.tolist() == [0.0, 1.0005, 3.0, 3.01] and found.doubts.tolist() == [1e-3, 1e-6, 1e-6, 1e-3]
    assert found.width == 0.7
