"""Binary channels: exact probabilities, samples, the Bayes quantities, and errors by Monte Carlo of the joint Gaussian law."""

import numpy as np
import pytest
from scipy import integrate, stats

import gaussequiv as ge
from gaussequiv.ingredients.binary import Binary, sign_error
from gaussequiv.ingredients.channels import Sign

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
