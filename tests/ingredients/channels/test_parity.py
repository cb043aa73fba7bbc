"""Odd, even or neither: rounding is none of it, what differs anywhere that is looked at is."""

import numpy as np
import pytest

from gaussequiv.ingredients.channels.parity import parity_of


@pytest.mark.parametrize(
    ("function", "reach", "parity"),
    [
        (lambda z: 1 / (1 + np.exp(-z)) - 0.5, 9.0, "odd"),  # up to rounding, which near 0 is more than the function
        (lambda z: np.sinh(z) + np.cos(z), 50.0, "none"),
        (lambda z: z**20 + np.tanh(z), 9.0, "none"),
        (np.exp, 5000.0, "none"),
        (lambda z: 0 * z, 9.0, "odd"),
        (lambda z: 0 * z + 2.0, 9.0, "even"),
    ],
)
def test_rounding_counts_beside_what_is_near(function, reach, parity):
    assert parity_of(function, reach) == parity


def test_what_differs_beside_a_kink_counts():
    def jump(z):
        return np.where(np.abs(z - 2.34567) < 1e-6, 5.0, np.abs(z))

    assert (parity_of(jump, 6.0), parity_of(jump, 6.0, (-2.34567,))) == ("even", "none")
