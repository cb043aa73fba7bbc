"""Averages of proximal gradients over noise: samples, exact proximal maps, and losses that have none here."""

import numpy as np
import pytest
from scipy import special

from gaussequiv.errors import ArgumentError
from gaussequiv.ingredients.losses import named as losses
from gaussequiv.realdata.noisy_gradients import LogisticGradients, noisy_gradients_of, positive_part, ramp_of

Y = np.array([1.0, -1, 1, -1, 1])
S = np.array([1.0, 2.0, 0.5, 1.0, 1.0])
V = np.array([[0.1, 1, 3, 10.0, 150.0], [0.3, 2, 1, 50.0, 5.0]])
EXTRA = np.array([[0.2, 1, 4, 9.0, 5.0], [0.1, 0.5, 1, 4.0, 1.0]])
SCORE = np.array([[0.3, 1, -2, -3.0, 2.0], [0.5, -1, 1, 3.0, -8.0]])


@pytest.mark.parametrize("name", ["logistic", "hinge", "squared_hinge"])
def test_averages_are_those_of_samples(name):
    averages, loss = noisy_gradients_of(losses.get(name), Y, S), losses.get(name)
    for _ in range(8):  # Newton's steps of its own proximal points
        found = averages(SCORE, V, EXTRA)
    places = special.ndtri((np.arange(20_000) + 0.5) / 20_000)
    g, slope = loss.proximal(Y, SCORE + np.sqrt(EXTRA) * places[:, None, None], S * V)
    expected = [one.mean(axis=0) for one in (S * g, -S * slope, (S * g) ** 2)]
    close = {"rel": 3e-3, "abs": 1e-4} if name == "logistic" else {"rel": 1e-3, "abs": 1e-4}  # of the nodes
    for value, exact in zip(found, expected, strict=True):
        assert value == pytest.approx(exact, **close)


def test_logistic_points_settle_where_the_proximal_map_is_and_stay_with_their_sizes():
    averages = LogisticGradients(Y, S)
    averages(SCORE, V, EXTRA)
    first = np.max(averages.unsettled)
    for _ in range(8):
        whole = averages(SCORE, V, EXTRA)
    assert np.max(averages.unsettled) < 1e-6 * first
    averages.only(np.array([False, True]))
    for part, one in zip(averages(SCORE[1:], V[1:], EXTRA[1:]), whole, strict=True):
        assert part[0] == pytest.approx(one[1], rel=1e-9)


def test_without_noise_the_first_call_is_exact():
    phi, slope, square = LogisticGradients(Y, S)(SCORE, V, 0 * EXTRA)
    g, bent = losses.get("logistic").proximal(Y, SCORE, S * V)
    assert phi == pytest.approx(S * g, rel=1e-9) and slope == pytest.approx(-S * bent, rel=1e-9)
    assert square == pytest.approx((S * g) ** 2, rel=1e-9)


def test_which_losses_are_ramps():
    assert ramp_of(losses.get("hinge")).width == 0 and np.isinf(ramp_of(losses.get("squared_hinge")).steepest)
    assert ramp_of(losses.get("logistic")) is None and ramp_of(losses.get("square")) is None
    with pytest.raises(ArgumentError, match="`loss` must be logistic or a hinge"):
        noisy_gradients_of(losses.get("square"), Y, S)


def test_positive_part():
    x = 0.3 + 2 * np.random.default_rng(0).standard_normal(400_000)
    for value, sample in zip(positive_part(np.array(0.3), np.array(2.0)), (x > 0, np.maximum(x, 0), np.maximum(x, 0) ** 2), strict=True):
        assert abs(value - sample.mean()) < 5 * sample.std() / np.sqrt(x.size)
