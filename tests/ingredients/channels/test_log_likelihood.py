"""Densities that move with the field: kinks and jumps are found, integrated between, and sampled without outliers."""

import time
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate

import gaussequiv as ge
from gaussequiv import ArgumentError, LogLikelihood


def laplace(y, z):
    return -abs(y - z) - np.log(2.0)


def shifted(y, z):
    """Asymmetric Laplace noise about z + 0.7: scales 0.5 below, 2 above."""
    return np.where(y - z > 0.7, -(y - z - 0.7) / 2, (y - z - 0.7) / 0.5) - np.log(2.5)


def uniform(y, z):
    return np.where(abs(y - z) < 1, -np.log(2.0), -np.inf)


def exponential(y, z):
    return np.where(y > z, -(y - z), -np.inf)


def spread(y, z):
    """Laplace noise whose scale depends on the field."""
    return -abs(y - z) / (1 + 0.3 * z * z) - np.log(2 * (1 + 0.3 * z * z))


def readout(y, z):
    return -abs(y - np.tanh(z)) / 0.1 - np.log(0.2)


def censored(y, z):
    """Laplace noise about z twice as wide on the left of a fixed label 1: a kink that stays and one that moves."""
    left = 1 - 0.5 * np.exp(-abs(z - 1))
    mass = np.where(z > 1, 0.5 * np.exp(-abs(z - 1)), left)  # of y < 1
    return np.where(y < 1, np.log(0.5), 0.0) - abs(y - z) - np.log(2.0) - np.log(1 - 0.5 * mass)


# density, options, mean and variance at a field where they are elementary
CASES = {
    "laplace": (laplace, {}, lambda z: z, lambda z: 2.0 + 0 * z),
    "shifted": (shifted, {}, lambda z: z + 2.2, lambda z: 4.25 + 0 * z),
    "uniform": (uniform, {}, lambda z: z, lambda z: 1 / 3 + 0 * z),
    "exponential": (exponential, {}, lambda z: z + 1, lambda z: 1.0 + 0 * z),
    "spread": (spread, {}, lambda z: z, lambda z: 2 * (1 + 0.3 * z * z) ** 2),
    "readout": (readout, {"label_kinks": np.tanh}, np.tanh, lambda z: 0.02 + 0 * z),
    "censored": (censored, {}, None, None),
}
FIELDS = np.array([-3.3, -0.4, 0.0, 1.7, 6.1])
_BUILT = {}


def built(name):
    if name not in _BUILT:
        _BUILT[name] = LogLikelihood(CASES[name][0], **CASES[name][1])
    return _BUILT[name]


@pytest.mark.parametrize("name", CASES)
def test_mean_and_variance_are_exact(name):
    if CASES[name][2] is not None:
        assert np.allclose(built(name).mean_label(FIELDS), CASES[name][2](FIELDS), atol=1e-9)
        assert np.allclose(built(name).label_variance(FIELDS), CASES[name][3](FIELDS), rtol=1e-8)
    else:
        for z in FIELDS:
            ends = [min(z, 1) - 45, min(z, 1), max(z, 1), max(z, 1) + 45]
            moment = [
                sum(
                    integrate.quad(lambda y: y**k * np.exp(CASES[name][0](y, z)), a, b, epsabs=1e-13)[0]  # noqa: B023
                    for a, b in pairwise(ends)
                )
                for k in (1, 2)
            ]
            assert float(built(name).mean_label(z)) == pytest.approx(moment[0], abs=1e-8)
            assert float(built(name).label_variance(z)) == pytest.approx(moment[1] - moment[0] ** 2, rel=1e-7)


@pytest.mark.parametrize("name", CASES)
def test_draws_have_the_law_and_no_outliers(name):
    """Mean and variance within 4.5 standard errors, distribution within that of Kolmogorov's distance, nothing 30 scales off."""
    channel, size = built(name), 20_000
    rng = np.random.default_rng(8)
    for z in FIELDS[[0, 3]]:
        y = channel.sample(rng, np.full(size, z))
        mean, variance = float(channel.mean_label(z)), float(channel.label_variance(z))
        assert abs(y.mean() - mean) < 4.5 * np.sqrt(variance / size)
        fourth = ((y - mean) ** 4).mean()
        assert abs(((y - mean) ** 2).mean() - variance) < 4.5 * np.sqrt((fourth - variance**2) / size)
        assert np.all(channel.log_likelihood(y, np.full(size, z)) > channel.log_likelihood(y, np.full(size, z)).max() - 30)


def test_fields_that_differ_are_drawn_each_from_its_own_law():
    channel, rng = built("spread"), np.random.default_rng(2)
    z = rng.uniform(-4, 4, 20_000)
    t = abs(channel.sample(rng, z) - z) / (1 + 0.3 * z * z)  # an exponential law, whatever the field
    assert abs(t.mean() - 1) < 4.5 / np.sqrt(t.size)
    assert abs(np.exp(-t).mean() - 0.5) < 4.5 * np.sqrt(1 / 12 / t.size)
    assert abs(np.corrcoef(t, abs(z))[0, 1]) < 4.5 / np.sqrt(t.size)


@pytest.mark.parametrize("name", ["laplace", "shifted", "uniform", "exponential"])
def test_additive_noise_is_seen_and_not_needed(name):
    """The same integrals with the field of one label at a time, as for any other density."""
    channel, general = built(name), LogLikelihood(CASES[name][0])
    assert channel.additive
    general.additive = False
    a, b = channel.information(0.2, 0.03, 0.2), general.information(0.2, 0.03, 0.2)
    assert a.psi == pytest.approx(b.psi, rel=1e-9, abs=1e-11)
    assert a.fisher == pytest.approx(b.fisher, rel=1e-8)
    assert max(a.error, b.error) < 1e-8


def test_the_fisher_information_of_smoothed_laplace_noise():
    """Z = E exp(-|y - z|/b)/2b is elementary; F(V) by an adaptive rule on its pieces. F -> 1/b^2 like 1 - O(sqrt(V)) for V -> 0."""
    from scipy.special import erfcx

    b = 0.3
    channel = LogLikelihood(lambda y, z: -abs(y - z) / b - np.log(2 * b))
    for V in (0.3, 1e-4, 4e-6):
        s = np.sqrt(V)

        def integrand(t, s=s):
            """(dZ/dy)^2/Z at y = s t, from the two halves exp(-t^2/2) erfcx((s/b +- t)/sqrt(2))/4b."""
            up, down = (0.25 / b * np.exp(-0.5 * t * t) * erfcx((s / b + k * t) / np.sqrt(2)) for k in (1, -1))
            return ((up - down) / b) ** 2 / (up + down) * s

        ends = [0.0, 2.0, 6.0, 12.0, 24.0, 37.0]  # the halves beyond leave the range of exp(-t^2/2): pure exponentials
        inner = 2 * sum(integrate.quad(integrand, a, c, epsabs=1e-14, epsrel=1e-12)[0] for a, c in pairwise(ends))
        tail = np.exp(0.5 * V / b**2 - 37 * s / b) / b**2
        assert channel.information(1.0, V).fisher == pytest.approx(inner + tail, rel=1e-9)


def test_what_is_left_of_binary_weights_under_laplace_noise():
    """1 - overlap hangs on F exponentially: 1e-6 of it asks for 1e-7 of F. Whatever `support` and `resolution`.

    Reference: R = alpha F(1 - q), 1 - q = E[1 - tanh^2(R + sqrt(R) z)] with the F of the test above, by bisection.
    """
    b = 0.3

    def noise(y, z):
        return -abs(y - z) / b - np.log(2 * b)

    reference = np.array([5.72065195e-01, 5.54437327e-03, 4.12552e-06])
    for options in ({}, {"resolution": 0.1}):
        target = ge.LinearTarget("rademacher", labels=LogLikelihood(noise, **options))
        found = ge.solve(ge.Problem(target, learner=ge.BayesOptimal()), [0.5, 1.0, 2.0])
        assert np.allclose(1 - found.overlap, reference, rtol=2e-6)
        assert np.allclose(found.clean_error, reference, rtol=2e-6)  # no difference of nearly equal errors
        assert np.allclose(found.excess_over_floor, reference, rtol=2e-6)
        assert float(found.quadrature_error.max()) < 1e-8


@pytest.mark.parametrize("name", ["readout", "spread"])
def test_messages_are_derivatives_of_log_z_for_kinks_that_move(name):
    channel, h = built(name), 1e-4
    rng = np.random.default_rng(1)
    omega = rng.standard_normal(8)
    y = channel.sample(rng, omega + 0.6 * rng.standard_normal(8))
    at = [channel.log_partition(y, omega + k * h, 0.36) for k in (-1, 0, 1)]
    g, dg = channel.g_out(y, omega, 0.36)
    assert np.allclose((at[2] - at[0]) / (2 * h), g, rtol=1e-6, atol=1e-7)
    assert np.allclose((at[2] - 2 * at[1] + at[0]) / h**2, dg, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["laplace", "shifted", "readout", "spread"])
def test_the_slope_of_psi_is_half_the_fisher_information(name):
    channel, q, V, h = built(name), 0.6, 0.4, 0.02
    psi = [float(channel.psi(q + k * h, V - k * h, 0.1)) for k in (-2, -1, 1, 2)]
    slope = (psi[0] - 8 * psi[1] + 8 * psi[2] - psi[3]) / (12 * h)
    assert 2 * slope == pytest.approx(float(channel.fisher(q, V, 0.1)), rel=1e-5)


def test_kinks_on_no_straight_line_are_asked_for_with_their_places():
    with pytest.raises(ArgumentError, match=r"label_kinks.*readout.*y = 0\.6088\d at field 0\.7071"):
        LogLikelihood(readout)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"label_kinks": "tanh"}, "label_kinks"),
        ({"label_kinks": lambda z: z[:2]}, "one finite label for each field"),
        ({"label_kinks": lambda z: 1 / 0}, "ZeroDivisionError"),
        ({"labels": (0, 1), "label_kinks": 0.0}, "label_kinks"),
    ],
)
def test_wrong_declarations_are_named(options, words):
    with pytest.raises(ArgumentError, match=words):
        LogLikelihood(laplace, **options)


def test_a_density_that_loses_its_mass_far_out_is_refused_when_drawn_from():
    """Normalised at every field where that is checked, not at 20."""
    channel = LogLikelihood(lambda y, z: laplace(y, z) - np.where(abs(z) > 15, 0.3, 0.0) - 0.0 * z)
    rng = np.random.default_rng(0)
    channel.sample(rng, np.array([1.0]))
    assert not channel.additive
    with pytest.raises(ArgumentError, match="at field 20"):
        channel.sample(rng, np.array([20.0]))


def test_functions_of_jax_take_seconds_not_minutes():
    import jax.numpy as jnp

    start = time.process_time()
    channel = LogLikelihood(lambda y, z: -jnp.abs(y - z) - jnp.log(2.0))
    assert channel.additive
    assert float(channel.information(0.5, 0.5).fisher) == pytest.approx(built("laplace").information(0.5, 0.5).fisher, rel=1e-10)
    assert time.process_time() - start < 10


def test_message_passing_attains_the_curve_of_a_kinked_density():
    """Laplace noise, d = 100: q = m (Nishimori) = the theory's q, within 4 standard errors plus 3/d of the value."""
    problem = ge.Problem(ge.LinearTarget(labels=LogLikelihood(laplace)), learner=ge.BayesOptimal())
    theory = ge.solve(problem, [1.0, 3.0])
    run = ge.simulate(problem, [1.0, 3.0], d=100, trials=16, seed=3)
    for name in ("test_error", "clean_error", "q", "m"):
        expected = theory["q" if name == "m" else name].values
        gap = np.abs(run[f"{name}_mean"].values - expected)
        assert np.all(gap < 4 * run[f"{name}_stderr"].values + 0.03 * expected), name
