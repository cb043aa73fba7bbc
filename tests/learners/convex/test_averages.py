"""Averages of the saddle point: adaptive quadrature for the values, differences for the derivatives, for every loss and channel."""

import numpy as np
import pytest
from scipy import integrate, stats

from gaussequiv.ingredients.channels.base import Sign
from gaussequiv.ingredients.channels.binary import Binary
from gaussequiv.ingredients.losses import named as losses
from gaussequiv.learners.convex.averages import (
    FIELD,
    RADIAL,
    RESPONSE,
    SCORE,
    SQUARE,
    Fields,
    about_mean,
    binary_averages,
    residual_averages,
)

LOSSES = ["square", "logistic", "hinge", "squared_hinge", "exponential", "huber:0.7", "absolute", "quantile:0.3", "max_margin"]
CHANNELS = [Sign(0.0), Binary("logit:0.5", 0.2, (0.1, 0.05))]
CLASSES = ((1.0, 2.0, 1.0), (-1.0, 0.7, 1.0))


def fields(V, q, m, c, b0, rho):
    arrays = [np.array(a, float) for a in np.broadcast_arrays(*map(np.atleast_1d, (V, q, m, c, b0, rho)))]
    V, q, m, c, b0, rho = arrays
    return Fields(V, q, m, c, b0, rho - m**2 / q, rho + q - 2 * m)


def points():
    rng = np.random.default_rng(1)
    V, rho, q = np.exp(rng.uniform(-3, 3, 6)), rng.uniform(0.3, 3, 6), np.exp(rng.uniform(-2, 3, 6))
    return [V, q, rng.uniform(-0.9, 0.95, 6) * np.sqrt(rho * q), rng.normal(size=6) * np.sqrt(q), rng.normal(size=6), rho]


def differences(values, base):
    """Fourth-order central differences in the six arguments, shape (points, averages, 6) in the order V, q, m, c, rho, b0."""
    columns = []
    for k in (0, 1, 2, 3, 5, 4):
        step = 1e-4 * np.maximum(np.abs(base[k]), 1e-2)

        def at(j, k=k, step=step):
            return values(fields(*(a + j * step if i == k else a for i, a in enumerate(base))))

        columns.append((8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * step[:, None]))
    return np.stack(columns, axis=-1)


def assert_jacobian(average):
    base = points()
    found = average(fields(*base))
    difference = differences(lambda f: average(f).value, base)
    scale = np.abs(found.value)[:, :, None] + np.abs(found.jacobian).max(axis=2, keepdims=True) + 1e-300
    assert np.max(np.abs(found.jacobian - difference) / scale) < 3e-6


@pytest.mark.parametrize("channel", CHANNELS, ids=str)
@pytest.mark.parametrize("name", LOSSES)
def test_binary_jacobian(name, channel):
    assert_jacobian(lambda f: binary_averages(losses.get(name), channel, CLASSES, f))


@pytest.mark.parametrize("name", ["logistic", "huber:0.7"])
def test_variance_jacobian(name):
    def average(f):
        return about_mean(binary_averages(losses.get(name), CHANNELS[1], CLASSES, f))

    assert_jacobian(average)
    at = fields(*points())
    plain, found = binary_averages(losses.get(name), CHANNELS[1], CLASSES, at).value, average(at).value
    np.testing.assert_allclose(found[:, SQUARE], plain[:, SQUARE] - plain[:, SCORE] ** 2, rtol=1e-9)
    np.testing.assert_array_equal(np.delete(found, SQUARE, 1), np.delete(plain, SQUARE, 1))


@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize("name", ["square", "huber:0.7", "absolute", "quantile:0.3"])
def test_residual_jacobian(name, noise):
    assert_jacobian(lambda f: residual_averages(losses.get(name), noise, f))


@pytest.mark.parametrize("channel", CHANNELS, ids=str)
@pytest.mark.parametrize("name", ["logistic", "hinge"])
def test_binary_values_by_adaptive_quadrature(name, channel):
    """The definitions, integrated over xi by QUADPACK, split at the kinks."""
    loss = losses.get(name)
    V, q, m, c, b0, rho = 1.3, 2.1, 0.7, 0.4, -0.3, 0.8
    mine = binary_averages(loss, channel, CLASSES, fields(V, q, m, c, b0, rho)).value[0]
    want = np.zeros(5)
    for label, weight, _ in CLASSES:
        kinks = [(label * u - c) / np.sqrt(q) for u in (1.0, 1.0 - weight * V)]

        def term(xi, which, label=label, weight=weight):
            omega = c + np.sqrt(q) * xi
            g, h = (weight * float(a) for a in loss.proximal(label, omega, weight * V))
            p = channel.probability(label, np.array(b0 + m / np.sqrt(q) * xi), rho - m**2 / q)
            return float((p.value * g * g, p.first * g, p.value * g, -p.value * h, p.value * g * (omega - c))[which]) * stats.norm.pdf(xi)

        for which in range(5):
            want[which] += integrate.quad(term, -9, 9, args=(which,), points=kinks, limit=400, epsabs=1e-12)[0]
    assert mine[[SQUARE, FIELD, SCORE, RESPONSE, RADIAL]] == pytest.approx(want, abs=1e-10)


def test_radial_is_m_field_minus_q_response():
    f = fields(*points())
    value = binary_averages(losses.get("logistic"), Sign(0.2), CLASSES, f).value
    assert value[:, RADIAL] == pytest.approx(f.m * value[:, FIELD] - f.q * value[:, RESPONSE], rel=1e-10, abs=1e-12)


def test_square_loss_in_closed_form():
    """E g^2 = (misfit + noise + mean^2)/(1 + V)^2 and response = 1/(1 + V)."""
    f = fields(*points())
    value = residual_averages(losses.get("square"), 0.3, f).value
    assert value[:, SQUARE] == pytest.approx((f.misfit + 0.3 + (f.c - f.b0) ** 2) / (1 + f.V) ** 2)
    assert value[:, RESPONSE] == pytest.approx(1 / (1 + f.V))


@pytest.mark.parametrize("V", [1e-40, 1e-16, 1e-8])
def test_kinks_closer_than_rounding_leaves_of_their_distance(V):
    """The absolute loss responds where |r| < V: as V -> 0, as often as the density of r at 0 says, wherever the mean of r is."""
    f = fields(V, 1e-3, 1e-3, 0.0, [0.5, -1.3, 3.0], 1.0)
    found = residual_averages(losses.get("absolute"), 0.1, f)
    density = stats.norm.pdf(f.b0 / np.sqrt(f.misfit + 0.1)) / np.sqrt(f.misfit + 0.1)
    assert found.value[:, RESPONSE] == pytest.approx(2 * density, rel=1e-9)
