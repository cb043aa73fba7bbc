"""Channels: derivatives against finite differences, Fisher information against brute force, sampling."""

import numpy as np
import pytest
from scipy import special
from scipy.integrate import quad

from gaussequiv import ArgumentError
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign, hazard_product

OMEGA = np.array([-3.0, -0.4, 0.0, 0.9, 5.0])


@pytest.mark.parametrize("channel", [GaussianNoise(0.3), Sign(0.0), Sign(0.5)])
@pytest.mark.parametrize("V", [0.05, 1.0, 20.0])
def test_g_out_is_the_derivative_of_the_log_partition(channel, V):
    y = np.array([1.0, -1.0, 1.0, -1.0, 1.0])
    h = 1e-4 * np.sqrt(V)
    up, down = channel.log_partition(y, OMEGA + h, V), channel.log_partition(y, OMEGA - h, V)
    g, dg = channel.g_out(y, OMEGA, V)
    # central differences: relative error h^2 (1e-8) and rounding 1e-16 |log Z|/h
    assert g == pytest.approx((up - down) / (2 * h), rel=1e-6, abs=1e-9 / np.sqrt(V))
    g_up, g_down = channel.g_out(y, OMEGA + h, V)[0], channel.g_out(y, OMEGA - h, V)[0]
    assert dg == pytest.approx((g_up - g_down) / (2 * h), rel=1e-6, abs=1e-9 / V)


@pytest.mark.parametrize("channel", [GaussianNoise(0.3), Sign(0.5)])
def test_the_log_partition_averages_the_likelihood_over_the_field(channel):
    omega, V, y = 0.4, 0.7, -1.0

    def likelihood(z):
        if channel.task == "regression":
            return np.exp(-0.5 * (y - z) ** 2 / 0.3) / np.sqrt(2 * np.pi * 0.3)
        return special.ndtr(y * z / np.sqrt(0.5))

    exact = quad(lambda z: likelihood(z) * np.exp(-0.5 * (z - omega) ** 2 / V) / np.sqrt(2 * np.pi * V), -12, 12, epsabs=1e-13)[0]
    assert float(channel.log_partition(np.array(y), np.array(omega), V)) == pytest.approx(np.log(exact), rel=1e-10)


def brute_force(q, V, offset):
    """E over omega ~ N(offset, q) of sum_y Z g^2 with Z = Phi(y t), t = omega/sqrt(V), integrated over t."""
    mean, width = offset / np.sqrt(V), np.sqrt(q / V)

    def integrand(t):
        law = np.exp(-0.5 * ((t - mean) / width) ** 2) / np.sqrt(2 * np.pi) / width
        return law * np.exp(-t * t - np.log(2 * np.pi) - special.log_ndtr(t) - special.log_ndtr(-t)) / V

    centre = np.clip(mean, -30, 30)
    low, high = max(-30.0, centre - 12 * width), min(30.0, centre + 12 * width)
    low, high = min(low, centre - 1e-3), max(high, centre + 1e-3)
    return quad(integrand, low, high, epsabs=0, epsrel=1e-12, limit=400, points=np.linspace(low, high, 12)[1:-1])[0]


@pytest.mark.parametrize("offset", [0.0, 0.3, 1.5])
@pytest.mark.parametrize(("q", "V"), [(1e-4, 1.0), (0.1, 0.9), (0.5, 0.5), (0.99, 0.01), (1.0, 1e-4), (1.0, 1e-8)])
def test_fisher_information_of_sign_labels_agrees_with_brute_force(q, V, offset):
    found = Sign(0.0).fisher(np.array([q]), np.array([V]), np.array([offset]))
    assert found[0] == pytest.approx(brute_force(q, V, offset), rel=1e-10)


def test_noise_inside_the_sign_adds_to_the_variance():
    q, V, b = np.array([0.4]), np.array([0.2]), np.array([0.1])
    assert Sign(0.3).fisher(q, V, b) == pytest.approx(Sign(0.0).fisher(q, V + 0.3, b), rel=1e-14)
    y, omega = np.array([1.0]), np.array([0.5])
    assert Sign(0.3).g_out(y, omega, 0.2)[0] == pytest.approx(Sign(0.0).g_out(y, omega, 0.5)[0], rel=1e-14)


def test_fisher_information_of_no_knowledge_is_two_over_pi():
    assert Sign(0.0).fisher(np.zeros(1), np.array([0.5]), np.zeros(1))[0] == pytest.approx(2 / np.pi / 0.5, rel=1e-13)


def test_fisher_information_of_real_labels_is_the_inverse_variance():
    assert GaussianNoise(0.3).fisher(np.array([0.7]), np.array([0.2]), 0.4) == pytest.approx(1 / 0.5, rel=1e-15)


def test_the_hazard_product_stays_finite_in_the_tails():
    found = hazard_product(np.array([0.0, 40.0, -40.0, 1e4]))
    assert found[0] == pytest.approx(2 / np.pi, rel=1e-14)
    assert found[1] == found[2]
    # Phi(40) = 1 and Phi(-40) = g(40)/40 (1 - 1/40^2 + 3/40^4): density times 40 remains
    assert found[1] == pytest.approx(40 / np.sqrt(2 * np.pi) / (1 - 40**-2 + 3 * 40**-4), rel=1e-8)
    assert found[3] == pytest.approx(1e4 / np.sqrt(2 * np.pi), rel=1e-7)


@pytest.mark.parametrize("t", [-2.0, 0.3, 1.5])
def test_the_hazard_product_is_its_definition(t):
    density = np.exp(-0.5 * t * t) / np.sqrt(2 * np.pi)
    expected = density**2 / (special.ndtr(t) * special.ndtr(-t)) * np.exp(0.5 * t * t)
    assert hazard_product(np.array([t]))[0] == pytest.approx(expected, rel=1e-13)


def test_g_out_stays_finite_for_a_hopeless_label():
    g, dg = Sign(0.0).g_out(np.array([1.0]), np.array([-30.0]), 1.0)
    # Mills ratio: g(-t) = t + 1/t - 2/t^3 + 10/t^5 - 74/t^7
    t = 30.0
    assert g[0] == pytest.approx(t + 1 / t - 2 / t**3 + 10 / t**5, rel=1e-9)
    assert dg[0] == pytest.approx(-1 + 1 / t**2, rel=1e-4)


def test_regression_labels_have_the_noise_variance():
    labels = GaussianNoise(0.25).sample(np.random.default_rng(1), np.full(40000, 2.0))
    assert labels.mean() == pytest.approx(2.0, abs=4 * 0.5 / 200)
    assert labels.var() == pytest.approx(0.25, abs=4 * 0.25 * np.sqrt(2 / 40000))


def test_sign_labels_follow_the_probit_law():
    labels = Sign(0.5).sample(np.random.default_rng(2), np.full(40000, 0.4))
    p = float(special.ndtr(0.4 / np.sqrt(0.5)))
    assert set(np.unique(labels)) == {-1.0, 1.0}
    assert np.mean(labels > 0) == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / 40000))


def test_without_noise_labels_are_the_field_and_its_sign():
    rng = np.random.default_rng(3)
    assert GaussianNoise(0.0).sample(rng, OMEGA).tolist() == OMEGA.tolist()
    assert Sign(0.0).sample(rng, OMEGA).tolist() == [-1.0, -1.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("channel", [GaussianNoise, Sign])
@pytest.mark.parametrize("noise", [-0.1, np.nan, np.inf, None, "a"])
def test_impossible_noise_is_refused(channel, noise):
    with pytest.raises(ArgumentError, match="`noise`"):
        channel(noise)
