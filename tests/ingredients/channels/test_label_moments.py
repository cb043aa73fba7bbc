"""Moments and pairs of real label laws against closed forms, and against each other where two laws are one."""

import numpy as np
import pytest
from scipy import special

import gaussequiv as ge
from gaussequiv.errors import AccuracyWarning
from gaussequiv.ingredients.channels.label_moments import quadrature_moments
from gaussequiv.ingredients.channels.outputs import Output
from gaussequiv.ingredients.losses.named import get
from gaussequiv.learners.convex.averages import Fields
from gaussequiv.learners.convex.output_averages import label_averages

B0 = np.array([-0.4, 0.0, 0.9])


@pytest.mark.parametrize("variance", [0.3, 1.0, 9.0])
def test_counts_of_an_exponential_rate(variance):
    """Lognormal moments: far tails of the field count."""
    found, mean = ge.Poisson().label_moments(B0, variance), np.exp(B0 + variance / 2)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(found.slope, mean, rtol=1e-12)
    np.testing.assert_allclose(found.noise, mean, rtol=1e-12)
    np.testing.assert_allclose(found.scatter, mean**2 * np.expm1(variance), rtol=1e-11)


@pytest.mark.parametrize("noise", [0.0, 1e-5, 0.3])
def test_quantised_labels_by_tails_and_by_quadrature(noise):
    law = ge.Quantised((-1, 0, 1), noise, values=(-2, -0.3, 0.5, 3))
    for closed, summed in zip(law.label_moments(B0, 1.3), quadrature_moments(law, B0, 1.3, np.sqrt(noise)), strict=True):
        np.testing.assert_allclose(closed, summed, rtol=1e-9, atol=1e-12)


def test_sign_and_modulus():
    """E |z| and its slope 2 Phi(b/s) - 1 in closed form."""
    found = ge.AbsoluteValue(0.2).label_moments(B0, 1.0)
    mean = np.sqrt(2 / np.pi) * np.exp(-(B0**2) / 2) + B0 * (2 * special.ndtr(B0) - 1)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(found.slope, 2 * special.ndtr(B0) - 1, atol=1e-13)
    np.testing.assert_allclose(found.scatter, 1 + B0**2 - mean**2, rtol=1e-12)
    np.testing.assert_allclose(found.noise, 0.2, rtol=1e-12)


def test_a_law_of_the_field_alone():
    for law in (ge.Poisson(), ge.Quantised((0.1,)), Output(np.tanh, 0.3)):
        found = law.label_moments(B0, 0.0)
        np.testing.assert_allclose(found.mean, law.mean_label(B0))
        np.testing.assert_allclose(found.noise, law.label_variance(B0))
        assert not np.any(found.slope)
        assert not np.any(found.scatter)


def test_jumps_that_are_not_declared_are_told():
    law = Output(lambda z: np.where(z > 0.37, 1.0, 0.0), 0.1, name="step")
    with pytest.warns(AccuracyWarning, match="kinks"):
        quadrature_moments(law, B0, 1.0)


def normal(y, z):
    return -0.5 * (y - z) ** 2 / 0.2 - 0.5 * np.log(2 * np.pi * 0.2)


def bins(y, z):
    """Quantised((-0.5, 1), 0.3, values (1, -1, 2)) as a likelihood."""
    low, high = (-0.5 - z) / np.sqrt(0.3), (1.0 - z) / np.sqrt(0.3)
    first, last = special.log_ndtr(low), special.log_ndtr(-high)
    middle = np.log(np.maximum(special.ndtr(high) - special.ndtr(low), 1e-300))
    return np.where(y == 1, first, np.where(y == 2, last, middle))


TWINS = {
    "noise": (Output(lambda z: z, 0.2, name="identity"), ge.LogLikelihood(normal, resolution=0.4, name="normal")),
    "parameter": (Output(np.sin, 0.2, name="sin"), ge.RandomOutput(lambda z, a: a * np.sin(z), (1.0, 2.0), (1.0, 0.0), 0.2, name="one")),
    "bins": (
        ge.Quantised((-0.5, 1.0), 0.3, values=(1.0, -1.0, 2.0)),
        ge.LogLikelihood(bins, labels=(-1, 1, 2), resolution=0.4, name="bins"),
    ),
}


def fields(V, q, m, c, b0, rho):
    return Fields(*(np.array([part]) for part in (V, q, m, c, b0, rho - m * m / q, rho + q - 2 * m)))


@pytest.mark.parametrize("loss", ["huber:0.5", "quantile:0.7"])
@pytest.mark.parametrize("name", TWINS)
def test_one_law_written_in_two_ways_has_one_set_of_averages(name, loss):
    at = fields(0.7, 0.5, 0.3, 0.1, 0.2, 1.1)
    weights = ((1.0, 0.6), (3.0, 0.4))
    one, two = (label_averages(get(loss), [law.atoms(0.2, 1.1)], at, weights) for law in TWINS[name])
    np.testing.assert_allclose(two.value, one.value, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(two.jacobian[:, :, :4], one.jacobian[:, :, :4], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("loss", ["huber:0.5", "absolute"])
@pytest.mark.parametrize("law", [Output(np.tanh, 0.2, name="tanh", inner_noise=0.3), ge.Quantised((-1, 0, 1)), ge.Poisson(scale=0.5)])
def test_derivatives_are_differences(law, loss):
    where, pairs = np.array([0.7, 0.5, 0.3, 0.1]), [law.atoms(0.2, 1.1)]

    def value(x):
        return label_averages(get(loss), pairs, fields(*x, 0.2, 1.1), ((1.0, 0.6), (3.0, 0.4)))

    step = 1e-4 * np.eye(4)
    numeric = np.stack([(value(where + h).value[0] - value(where - h).value[0]) / 2e-4 for h in step], axis=1)
    np.testing.assert_allclose(value(where).jacobian[0, :, :4], numeric, atol=1e-7)
