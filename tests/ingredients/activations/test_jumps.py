"""Jumps are found where nobody declared them, and steep functions have none."""

import numpy as np
import pytest

from gaussequiv.ingredients.activations.base import Activation, get
from gaussequiv.ingredients.activations.jumps import jump_of


@pytest.mark.parametrize("place", [0.0, 0.703, -3.2])
def test_a_jump_is_found_without_a_declaration(place):
    assert jump_of(Activation(lambda x: np.tanh(x) + 0.5 * (x > place))) == pytest.approx(place, abs=1e-8)


@pytest.mark.parametrize("smooth", ["tanh", "relu", "erf", "hermite:3", "sine"])
def test_continuous_functions_have_none(smooth):
    assert jump_of(get(smooth)) is None


def test_a_steep_function_has_none():
    assert jump_of(Activation(lambda x: np.tanh(200 * x))) is None
