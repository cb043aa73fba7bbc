"""Where message passing starts: likelihoods that are no numbers, the likeliest signal among powers of two, constants, centres."""

from dataclasses import replace

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.algorithms.message_passing.sample_fit import fit_amp, machine_for
from gaussequiv.algorithms.message_passing.start import blind, first_constant, first_signal, likelihood
from gaussequiv.errors import ArgumentError
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.ingredients.channels.outputs import AbsoluteValue, Relu
from gaussequiv.samples.training_sample import TrainingSample


@pytest.mark.parametrize("size", [0.05, 0.6, 1.0, 3.0, 40.0])
@pytest.mark.parametrize("centre", [0.0, 25.0])
def test_the_likeliest_power_of_two(size, centre):
    """Normal labels of variance size^2 about their mean; the noise, 0.001, is known."""
    y = size * np.random.default_rng(0).standard_normal(400) + centre
    about = y - (y.mean() if centre else 0.0)
    powers = 2.0 ** np.arange(-30, 31)
    scores = [-0.5 * np.sum(about**2 / (V + 1e-3) + np.log(V + 1e-3)) for V in powers]
    assert first_signal(GaussianNoise(1e-3), y, intercept=bool(centre)) == powers[np.argmax(scores)]


def test_of_many_rows_some_are_asked():
    y = np.ones(5000)
    y[::5] = 3.0  # every fifth row is seen
    assert first_signal(GaussianNoise(1e-3), y, intercept=False) == 8.0


def test_labels_of_signals_beyond_all_scales_end_the_climb():
    assert first_signal(GaussianNoise(1e-3), np.full(4, 1e30), intercept=False) == 2.0**60


def test_what_is_no_likelihood_counts_as_impossible():
    class Channel:
        value = 0.0

        def log_partition(self, y, omega, V):
            if self.value is None:
                raise ArgumentError("beyond the quadrature")
            assert np.all(omega == 0.7) and V == 2.0
            return np.full(y.size, self.value)

    channel, y = Channel(), np.ones(3)
    for value, expected in ((-1.5, -4.5), (np.nan, -np.inf), (np.inf, -np.inf), (None, -np.inf)):
        channel.value = value
        assert likelihood(channel, y, 0.7, 2.0) == expected


def test_a_constant_of_zero_where_it_is_likelier():
    """|field|: labels of mean 0.8 come of fields about 0 or about 0.8 of either sign; their spread decides."""
    wide = np.abs(np.random.default_rng(0).standard_normal(500))
    narrow = 0.8 + 0.05 * np.random.default_rng(1).standard_normal(500)
    assert first_constant(AbsoluteValue(0.01), wide, 1.0) == 0.0
    assert first_constant(AbsoluteValue(0.01), narrow, 0.01) == pytest.approx(narrow.mean(), abs=0.01)
    assert first_constant(Relu(0.01), narrow, 0.01) == pytest.approx(narrow.mean(), abs=0.01)
    assert first_constant(Sign(0.1), np.array([1.0, 1.0, -1.0]), 1.0) == pytest.approx(1 / 3)


def test_blind_labels():
    y = np.array([0.2, 1.7, 0.9])
    assert blind(AbsoluteValue(0.1), y, 0.0, 1.3)
    assert not blind(AbsoluteValue(0.1), y, 0.2, 1.3)  # about another constant they tell
    assert not blind(AbsoluteValue(0.1), np.array([1e-3, 2e-3]), 0.0, 1.3)  # zero is where such labels want the field
    assert not blind(GaussianNoise(0.1), np.zeros(3), 0.0, 1.3)


def test_the_constant_of_a_sample_has_the_variance_of_the_offsets_law_or_its_square():
    x, y = np.random.default_rng(0).standard_normal((6, 4)), np.ones(6)
    e = ge.Problem(ge.LinearTarget(noise=0.1)).equivalent()
    for variance, offset, expected in ((0.4, None, 0.4), (0.0, -1.5, 2.25), (3.0, 1.5, 3.0)):
        one = replace(e, offset_variance=variance, offset=offset)
        assert machine_for(TrainingSample(x, y), one, True)[0].intercept_variance == pytest.approx(expected)
        assert machine_for(TrainingSample(x, y), one, False)[0].intercept_variance == 0


def test_fits_follow_shifted_rows():
    """Signs as weights on correlated coordinates, about 0 and about a centre: the same field at shifted rows."""
    rng, d = np.random.default_rng(0), 20
    covariance = 0.4 ** np.abs(np.subtract.outer(np.arange(d), np.arange(d)))
    values, vectors = np.linalg.eigh(covariance)
    x = rng.standard_normal((60, d)) @ (vectors * np.sqrt(values)).T
    y = np.where(x @ rng.choice([-1.0, 1.0], d) + 0.3 * rng.standard_normal(60) > 0, 1.0, -1.0)
    target = ge.LinearTarget("rademacher", task="classification", noise=0.1)
    e = ge.Problem(target, ge.GaussianInputs(covariance=covariance)).equivalent()
    shift = rng.standard_normal(d)
    plain = fit_amp(TrainingSample(x, y, vectors, values), e, intercept=False, key=1)
    moved = fit_amp(TrainingSample(x + shift, y, vectors, values, shift), e, intercept=False, key=1)
    np.testing.assert_allclose(moved(x + shift), plain(x), rtol=1e-4, atol=1e-5)
    assert moved.variance == pytest.approx(plain.variance, rel=1e-4) and abs(moved.intercept - plain.intercept) > 0.01
