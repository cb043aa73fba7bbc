"""What the square loss sees of a label, against brute-force Gaussian averages."""

import numpy as np
import pytest
from scipy import special
from scipy.integrate import quad

import gaussequiv as ge
from gaussequiv.ingredients.channels.outputs import Relu
from gaussequiv.ingredients.channels.sign import Sign
from gaussequiv.learners.convex.labels import linearise


def equivalent(offset=None, **options):
    return ge.Problem(ge.DeepNetwork("relu", offset=offset, **options)).equivalent()


@pytest.mark.parametrize("offset", [0.0, 0.2, 1.0, 4.0])
@pytest.mark.parametrize("intercept", [True, False])
def test_sign_labels_split_into_constant_slope_and_noise(offset, intercept):
    e = equivalent(offset, task="classification", noise=0.1)
    rho, s = e.signal_variance + e.noise, e.signal_variance

    def average(function):
        def integrand(x):
            return function(np.sqrt(rho) * x + offset) * np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi)

        turn = max(-offset / np.sqrt(rho), -14.0)
        return quad(integrand, -14, turn, epsabs=1e-14)[0] + quad(integrand, turn, 14, epsabs=1e-14)[0]

    mu = average(np.sign)
    slope = average(lambda z: np.sign(z) * (z - offset)) / rho
    found = linearise(e, intercept)
    assert found.mass.tolist() == [1.0]
    assert found.intercept[0] == pytest.approx(mu if intercept else 0.0, abs=1e-12)
    assert found.slope[0] == pytest.approx(slope, rel=1e-10)
    assert found.noise[0] == pytest.approx(1 - (mu**2 if intercept else 0) - slope**2 * s, rel=1e-8)


def test_large_offsets_do_not_cancel():
    e = equivalent(6.0, task="classification", noise=0.1)
    b = 6.0 / np.sqrt(e.signal_variance + e.noise)
    spread = 4 * special.ndtr(b) * special.ndtr(-b)
    found = linearise(e, True)
    assert found.noise[0] == pytest.approx(spread - found.slope[0] ** 2 * e.signal_variance, rel=1e-12)
    assert found.noise[0] > 0


@pytest.mark.parametrize("intercept", [True, False])
def test_real_labels_are_linear_already(intercept):
    e = equivalent(noise=0.1)
    found = linearise(e, intercept)
    assert np.all(found.slope == 1.0)
    assert found.mass.sum() == pytest.approx(1.0)
    extra = 0.0 if intercept else e.offset_variance
    assert found.mass @ found.noise == pytest.approx(e.noise + extra, rel=1e-12)
    assert found.mass @ found.intercept**2 == pytest.approx(e.offset_variance if intercept else 0.0, rel=1e-12)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("offset", [0.0, 0.7])
def test_real_labels_of_another_law_split_likewise(offset, intercept):
    """y = relu(z) + noise, z ~ N(b0, v), v with the effective noise: mu = E y, slope d E y/d b0 = P(z > 0), noise the rest of Var y."""
    e = equivalent(offset, labels=Relu(0.3))
    v = e.signal_variance + e.model_noise

    def average(function):
        def integrand(z):
            return function(z) * np.exp(-0.5 * (z - offset) ** 2 / v) / np.sqrt(2 * np.pi * v)

        return quad(integrand, 0.0, offset + 14 * np.sqrt(v), epsabs=1e-14)[0]

    mu, second, slope = average(lambda z: z), average(lambda z: z * z), average(lambda z: 1.0)
    found = linearise(e, intercept)
    assert found.slope[0] == pytest.approx(slope, rel=1e-9)
    assert found.intercept[0] == pytest.approx(mu if intercept else 0.0, rel=1e-9)
    spread = second + 0.3 - (mu**2 if intercept else 0.0)
    assert found.noise[0] == pytest.approx(spread - slope**2 * float(e.weights @ e.signal_modes), rel=1e-8)


@pytest.mark.parametrize("intercept", [True, False])
def test_labels_of_a_field_that_does_not_vary_are_its_constants_sign(intercept):
    """Without a field nor noise: y = sign(b0) in every row, all of it constant, or all of it noise to a student without one."""
    one = np.ones(1)
    e = ge.GaussianEquivalent(one, one, np.zeros(1), 0.0, np.zeros(1), 0.0, Sign(0.0), offset=-0.7)
    found = linearise(e, intercept)
    assert (found.offset[0], found.mass[0], found.slope[0]) == (-0.7, 1.0, 0.0)
    assert (found.intercept[0], found.noise[0]) == ((-1.0, 0.0) if intercept else (0.0, 1.0))
