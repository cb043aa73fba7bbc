"""The entropy of a label whose field is known: of its noise, of nothing, or infinitely negative."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.learners.bayes.full_knowledge import known_psi

B0 = np.array([0.0, 0.3])


def channel_of(labels, noise=0.0):
    return ge.Problem(ge.LinearTarget("rademacher", labels=labels, noise=noise)).equivalent().channel


@pytest.mark.parametrize("labels", ["quantised:-0.5/0.5", "quantised:-1/0/1"])
def test_a_field_says_its_bin_for_certain(labels):
    """Psi falls by 1e-6 where 1e-12 of the field is left, like a square root, and vanishes with it."""
    channel = channel_of(labels)
    assert np.all(channel.psi(1.0, np.full(2, 1e-12), B0) < -5e-7)
    np.testing.assert_allclose(known_psi(channel, 1.0, 0.0, B0), 0.0, atol=1e-12)


@pytest.mark.parametrize("labels", ["abs", "relu"])
def test_continuous_labels_say_all_or_what_their_noise_leaves(labels):
    assert np.all(np.isinf(known_psi(channel_of(labels), 1.0, 0.0, B0)))
    np.testing.assert_allclose(known_psi(channel_of(labels, 0.1), 1.0, 0.0, B0), -0.5 * np.log(2 * np.pi * np.e * 0.1), rtol=1e-6)
