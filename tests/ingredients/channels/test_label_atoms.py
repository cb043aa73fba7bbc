"""Weighted pairs of field and label: averages of smooth functions of both, where the density of the label jumps with the field."""

import numpy as np
import pytest
from scipy import integrate, optimize, special

import gaussequiv as ge
from gaussequiv.ingredients.channels.quadrature import QuadratureChannel
from gaussequiv.numerics.panels import legendre_panels


def laplace(y, z):
    return -abs(y - z) - np.log(2.0)


def uneven(y, z):
    """Exponential on both sides, at rates 2 above the field and 1 below."""
    return np.where(y > z, -2 * (y - z), y - z) - np.log(1.5)


def uniform(y, z):
    return np.where(np.abs(y - z) <= 1, -np.log(2.0), -np.inf)


class Uniform(QuadratureChannel):
    """A class of one's own, whose labels for fields between low and high lie between low - 1 and high + 1."""

    resolution = 1.0

    def log_likelihood(self, y, z):
        return uniform(y, z)

    def label_nodes(self, low, high):
        y, weights = legendre_panels(np.linspace(low - 1, high + 1, 5)[None, :])
        return y[0], weights[0]

    def mean_label(self, z):
        return z

    def label_variance(self, z):
        return np.full(np.shape(z), 1 / 3)


CHANNELS = {
    "laplace": (lambda: ge.LogLikelihood(laplace, name="laplace"), laplace),
    "uneven": (lambda: ge.LogLikelihood(uneven, name="uneven"), uneven),
    "uniform": (lambda: ge.LogLikelihood(uniform, name="uniform"), uniform),
    "own uniform": (Uniform, uniform),
}


@pytest.mark.parametrize("name", CHANNELS)
@pytest.mark.parametrize(("b0", "variance"), [(0.0, 1.0), (0.3, 0.4)])
def test_pairs_follow_densities_that_jump_with_the_field(name, b0, variance):
    """y = field + noise: with the noise fixed, E erf(u) and E (field - b0) erf(u), u = (y - c)/(s sqrt 2), are closed."""
    channel, log_density = CHANNELS[name][0](), CHANNELS[name][1]
    law = channel.atoms(b0, variance)
    for c, s in ((0.0, 1.0), (0.5, 1.0), (-1.3, 1.0), (0.5, 0.3)):
        seen = special.erf((law.label - c) / (s * np.sqrt(2)))
        width = np.sqrt(s * s + variance)

        def average(function, c=c, width=width):
            def integrand(noise):
                return np.exp(log_density(noise, 0.0)) * function((b0 + noise - c) / width)

            return integrate.quad(integrand, -40, 40, points=[-1, 0, 1, c - b0], limit=400, epsabs=1e-13)[0]

        plain = average(lambda u: special.erf(u / np.sqrt(2)))
        along = average(lambda u, width=width: 2 * variance * np.exp(-0.5 * u * u) / (np.sqrt(2 * np.pi) * width))
        allowed = 1e-12 if s == 1 else 1e-8  # the spacing of the fields
        assert law.mass @ seen == pytest.approx(plain, abs=allowed)
        assert (law.mass * law.centred) @ seen == pytest.approx(along, abs=allowed)


def test_huber_on_laplace_noise_sees_one_residual():
    """The noise does not know the field: one residual, whose density is closed, and mhat = Vhat."""
    problem = ge.Problem(ge.DeepNetwork((), labels=ge.LogLikelihood(laplace, name="laplace")), learner=ge.ERM("huber", 0.3))
    curve = ge.solve(problem, alpha=1.3)
    q, m, V = (float(curve[name].item()) for name in ("q", "m", "V"))
    sigma = np.sqrt(1 + q - 2 * m)

    def average(function):
        """Of the residual sigma z + noise."""

        def density(r):
            tails = (np.exp(sigma**2 / 2 + sign * r) * special.ndtr(-sign * r / sigma - sigma) for sign in (1, -1))
            return 0.5 * sum(tails)

        ends = [-1 - V, 1 + V]
        return integrate.quad(lambda r: density(r) * function(r), -40, 40, points=ends, limit=400, epsabs=1e-13)[0]

    Vhat = 1.3 * average(lambda r: (abs(r) < 1 + V) / (1 + V))
    qhat = 1.3 * average(lambda r: np.clip(r / (1 + V), -1, 1) ** 2)
    assert V == pytest.approx(1 / (0.3 + Vhat), rel=1e-9)
    assert m == pytest.approx(Vhat / (0.3 + Vhat), rel=1e-9)
    assert q == pytest.approx((qhat + Vhat**2) / (0.3 + Vhat) ** 2, rel=1e-9)


@pytest.mark.parametrize("alpha", [20.0, 1e3, 1e5])
def test_many_samples_of_laplace_noise_leave_a_narrow_residual(alpha):
    """The absolute loss, whose residual sigma z + noise has a closed density: the saddle point solved with it."""
    lam, scale = 0.1, 0.5
    labels = ge.LogLikelihood(lambda y, z: -abs(y - z) / scale - np.log(2 * scale), name="laplace")
    curve = ge.solve(ge.Problem(ge.DeepNetwork((), labels=labels), learner=ge.ERM("absolute", lam)), alpha=alpha)

    def equations(logs):
        V, sigma = np.exp(logs)

        def density(r):
            ends = (s * r / scale + special.log_ndtr(-s * r / sigma - sigma / scale) for s in (1, -1))
            return sum(np.exp(sigma**2 / (2 * scale**2) + end) for end in ends) / (2 * scale)

        near, square = (integrate.quad(lambda r, k=k: 2 * density(r) * (r / V) ** k, 0, V, epsabs=1e-15)[0] for k in (0, 2))
        vhat, qhat = alpha * near / V, alpha * (square + 1 - near)
        return V - 1 / (lam + vhat), (lam**2 + qhat) / (lam + vhat) ** 2 - sigma**2

    misfit = np.exp(2 * optimize.fsolve(equations, np.log([scale / alpha, scale / np.sqrt(alpha)]), xtol=1e-13)[1])
    assert curve.test_error.item() - 2 * scale**2 == pytest.approx(misfit, rel=1e-8)
