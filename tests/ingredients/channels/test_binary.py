"""Binary channels: exact probabilities, samples, the Bayes quantities, and errors by Monte Carlo of the joint Gaussian law."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, optimize, special, stats

import gaussequiv as ge
from gaussequiv.ingredients.channels.base import GaussianNoise, RealOutput, Sign
from gaussequiv.ingredients.channels.binary import Binary, sign_error
from gaussequiv.ingredients.channels.links import Link, SignLink

CHANNELS = [Sign(0.3), Sign(0.0), Binary("logit:0.7", 0.2, (0.1, 0.03)), Binary("sign", 0.1, 0.2), Binary("random:0.3")]


@pytest.mark.parametrize("channel", CHANNELS, ids=repr)
def test_probabilities_sum_to_one_and_samples_follow_them(channel):
    omega = np.array([-1.0, 0.0, 0.6])
    up, down = (channel.probability(y, omega, 0.0).value for y in (1.0, -1.0))
    assert up + down == pytest.approx(1.0)
    draws = channel.sample(np.random.default_rng(0), np.repeat(omega, 40_000)).reshape(3, -1)
    assert set(np.unique(draws)) <= {-1.0, 1.0}
    p = (draws > 0).mean(axis=1)
    exact = up if channel.noise or str(channel) != "sign" else np.array([up[0], 1.0, up[2]])  # sign(0) = +1
    assert np.all(np.abs(p - exact) <= 4 * np.sqrt(exact * (1 - exact) / 40_000))


def test_flips_of_each_label():
    """Flipping +1 with probability a and -1 with b: P(+1) = (1 - a) p + b (1 - p)."""
    plain, flipped = Binary("logit"), Binary("logit", flips=(0.2, 0.05))
    omega = np.linspace(-3, 3, 7)
    p = plain.up(omega, 0.4).value
    assert flipped.up(omega, 0.4).value == pytest.approx(0.8 * p + 0.05 * (1 - p))


@pytest.mark.parametrize("channel", CHANNELS, ids=repr)
@pytest.mark.parametrize(("c", "b0"), [(0.0, 0.0), (0.4, -0.3), (-1.0, 2.0)])
def test_disagreement_by_simulation(channel, c, b0):
    q, m, rho, n = 1.7, 0.6, 0.8, 400_000
    rng = np.random.default_rng(3)
    xi, eta = rng.standard_normal((2, n))
    z = c + np.sqrt(q) * xi
    field = b0 + m / np.sqrt(q) * xi + np.sqrt(rho - m**2 / q) * eta
    wrong = (np.sign(z) != channel.sample(rng, field)).mean()
    exact = float(channel.disagreement(*(np.array([v]) for v in (c, q, m, b0, rho)))[0])
    assert abs(wrong - exact) < 4 * np.sqrt(exact * (1 - exact) / n)


def test_the_general_rule_gives_the_closed_form_of_the_sign():
    """Flips of (1e-300, 0) take the quadrature; without them Owen's function."""
    args = [np.array([v]) for v in (0.4, 1.7, 0.6, -0.3, 0.8)]
    assert Binary("sign", 0.1, (1e-300, 0.0)).disagreement(*args) == pytest.approx(Sign(0.1).disagreement(*args), abs=1e-13)
    assert sign_error(*args) == pytest.approx(Sign(0.0).disagreement(*args))


@pytest.mark.parametrize("channel", [Sign(0.3), Binary("logit", 0.1, (0.1, 0.02))], ids=repr)
def test_fisher_and_bayes_error_by_adaptive_quadrature(channel):
    q, V, b = 0.9, 0.4, 0.3

    def over(f):
        def weighted(x):
            return f(np.array(b + np.sqrt(q) * x)) * stats.norm.pdf(x)

        return integrate.quad(weighted, -10, 10, limit=300, epsabs=1e-12, points=[0])[0]

    def information(omega):
        p = channel.up(omega, V)
        both = float(p.value * (1 - p.value))
        return float(p.first**2) / both if both > 1e-14 else 0.0

    def least(omega):
        return float(min(channel.probability(y, omega, V).value for y in (1.0, -1.0)))

    assert float(channel.fisher(np.array(q), np.array(V), b)) == pytest.approx(over(information), rel=1e-9)
    assert float(channel.bayes_error(q, V, np.array(b))) == pytest.approx(over(least), abs=1e-10)


@pytest.mark.parametrize("options", [{"noise": -1}, {"flips": 1.2}, {"flips": (0.7, 0.5)}, {"flips": (0.1, 0.1, 0.1)}, {"link": "tanh"}])
def test_refusals(options):
    with pytest.raises(ge.errors.ArgumentError):
        Binary(**options)


def steep(z):
    return special.expit(20 * (z * z - 2))


def touching(z):
    return np.exp(-z * z / 2)


def falling(z):
    return 0.1 + 0.8 * special.expit(-4 * (z - 0.3))


def reference(function, at, q, V, flips=0.0):
    """fisher, psi and bayes_error by nested adaptive quadrature, all in the field: nothing of the package."""
    root, (x, w) = np.sqrt(V), np.polynomial.legendre.leggauss(60)

    def cut(f, places):
        ends = [-10.0, *sorted(p for p in places if abs(p) < 10), 10.0]
        return sum(integrate.quad(f, a, b, limit=200, epsabs=1e-12, epsrel=1e-9)[0] for a, b in pairwise(ends))

    def smooth(omega):
        places = sorted({(s * at + 0.02 * k - omega) / root for s in (-1, 1) for k in (-6, -1, 0, 1, 6)})
        ends = np.array([-9.0, *(p for p in places if abs(p) < 9), 9.0])
        half, middle = 0.5 * np.diff(ends)[:, None], 0.5 * (ends[1:] + ends[:-1])[:, None]
        t, weight = (middle + half * x).ravel(), (half * w).ravel()
        p = weight * function(omega + root * t) * stats.norm.pdf(t)
        return flips + (1 - 2 * flips) * p.sum(), (1 - 2 * flips) * (p * t).sum() / root

    fine = np.linspace(-8, 8, 801)
    gaps = np.array([smooth(omega)[0] for omega in np.sqrt(q) * fine]) - 0.5
    equal = [optimize.brentq(lambda t: smooth(np.sqrt(q) * t)[0] - 0.5, *fine[i : i + 2]) for i in np.flatnonzero(gaps[1:] * gaps[:-1] < 0)]

    def over(g):
        def integrand(x):
            return g(*smooth(np.sqrt(q) * x)) * stats.norm.pdf(x)

        places = {(s * at + k * root) / np.sqrt(q) for s in (-1, 0, 1) for k in (-6, -2, 0, 2, 6)}
        return cut(integrand, {*places, *equal})

    return (
        over(lambda p, d: d * d / (p * (1 - p)) if 1e-14 < p < 1 - 1e-14 else 0.0),
        over(lambda p, d: special.xlogy(p, p) + special.xlogy(max(1 - p, 0), max(1 - p, 0))),  # a sum of weights may round to 1 + 2e-16
        over(lambda p, d: min(p, 1 - p)),
    )


@pytest.mark.parametrize(("q", "V"), [(0.5, 0.5), (0.9, 0.1), (0.9995, 0.0005)])
@pytest.mark.parametrize(("function", "at"), [(steep, np.sqrt(2)), (touching, 0.0), (falling, 0.3)])
def test_links_that_are_not_monotone_or_steep_by_adaptive_quadrature(function, at, q, V):
    channel = Binary(function)
    fisher, psi, error = reference(function, at, q, V)
    assert float(channel.fisher(np.array(q), np.array(V), 0.0)) == pytest.approx(fisher, rel=1e-8)
    assert float(channel.psi(q, V)) == pytest.approx(psi, abs=1e-9)
    assert float(channel.bayes_error(q, V, np.array(0.0))) == pytest.approx(error, abs=1e-8)


def test_the_number_of_a_steep_link():
    """13.505: the Fisher information that panels around 0 missed by a third."""
    assert float(Binary(steep).fisher(np.array(0.9995), np.array(0.0005), 0.0)) == pytest.approx(13.505, abs=1e-3)


def test_the_likelier_label():
    """Sides of +-sqrt 2 for the steep even link; the far side for a falling one; the sign for the rest."""
    assert Binary(steep).likelier(np.array([-2.0, 0.0, 1.3, 1.5]), 0.01).tolist() == [1.0, -1.0, -1.0, 1.0]
    assert Binary(falling).likelier(np.array([-1.0, 0.2, 0.4]), 0.1).tolist() == [1.0, 1.0, -1.0]
    assert Sign(0.1).likelier(np.array([-1.0, 0.2]), 0.1).tolist() == [-1.0, 1.0]
    assert Binary(steep).threshold(np.array([0.1, 1.0])).tolist() == [0.0, 0.0]


def test_the_threshold_of_a_shifted_link_at_small_variance():
    """p = 1/2 at 0.7, however narrow the law of the field."""
    shifted = Binary(lambda z: special.expit(5 * (z - 0.7)))
    assert shifted.threshold(np.array([1e-8, 1e-4, 0.5])) == pytest.approx(0.7, abs=1e-7)


class Narrow:
    """A user's link with a jump that its width does not tell."""

    symmetric = False

    def __call__(self, z):
        return (z > 1.3).astype(float)

    def smoothed(self, omega, V):
        return SignLink().smoothed(omega - 1.3, V)

    def width(self, V):
        return np.sqrt(V)


def test_a_link_that_quadrature_does_not_resolve_is_refused():
    with pytest.raises(ge.errors.ArgumentError, match="places"):
        Binary(Narrow())
    known = Narrow()
    known.places, known.panels = np.array([1.3]), np.zeros(0)
    expected = Binary("sign").fisher(np.array(0.9), np.array(0.1), -1.3)
    assert Binary(known).fisher(np.array(0.9), np.array(0.1), 0.0) == pytest.approx(expected, rel=1e-9)


def test_what_is_said_of_a_law_is_what_a_grid_shows():
    """The sign rises with the field, and noise on the field is odd: both are given, others are looked at."""
    shown = Link.__dict__["direction"].func, RealOutput.__dict__["odd"].fget
    assert shown[0](SignLink()) == SignLink.direction == 1
    assert shown[1](GaussianNoise(0.1)) is GaussianNoise.odd is True
    assert shown[1](ge.Output(np.cos, 0.1)) is False
