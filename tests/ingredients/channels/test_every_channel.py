"""Every label law: its draws have the mean, variance and probabilities that the theory uses, at several fields."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.ingredients.channels.links import FunctionLink
from gaussequiv.ingredients.channels.named import named_channel

REAL = {
    "abs": named_channel("abs", 0.1),
    "abs, noise inside": ge.AbsoluteValue(0.0, 0.3),
    "relu": named_channel("relu", 0.0),
    "relu, noise inside": ge.Relu(0.1, 0.3),
    "quantised": named_channel("quantised:-1/0/1", 0.0),
    "noisy quantised": ge.Quantised((-0.5, 0.7), 0.2, (5, -1, 2)),
    "poisson": named_channel("poisson:2", 0.0),
    "poisson, kinked rate": ge.Poisson(lambda z: np.maximum(z, 0.2), 30.0, (0.2,)),
    "tanh": ge.Output(lambda z: np.tanh(3 * z), 1e-3),
    "jump, noise inside": ge.Output(np.sign, 0.1, (0.0,), inner_noise=0.5),
    "faulty": ge.RandomOutput(lambda z, a: a * z, (0.0, 1.0), (0.3, 0.7), 0.1),
    "laplace": ge.LogLikelihood(lambda y, z: -abs(y - z) - np.log(2.0)),
    "exponential": ge.LogLikelihood(lambda y, z: np.where(y > z, -(y - z), -np.inf)),
    "uniform between two lines": ge.LogLikelihood(
        lambda y, z: np.where((y > z) & (y < 2 * z + 9), -np.log(np.maximum(z + 9, 1e-9)), -np.inf),
        label_kinks=(lambda z: z, lambda z: 2 * z + 9),
    ),
    "bimodal": ge.LogLikelihood(
        lambda y, z: np.logaddexp(-((y - z) ** 2) / 0.02, -((y + z) ** 2) / 0.02) - np.log(2 * np.sqrt(0.02 * np.pi))
    ),
    "three labels": ge.LogLikelihood(lambda y, z: y * z - np.log(1 + np.exp(z) + np.exp(-z)), labels=(-1, 0, 1)),
}
BINARY = {
    "sign": ge.Binary("sign", flips=(0.1, 0.2)),
    "probit": ge.Binary("sign", 0.4),
    "logit": ge.Binary("logit:0.3", 0.2),
    "steep logit": ge.Binary("logit:1e-4"),
    "random": ge.Binary("random:0.3"),
    "two bumps": ge.Binary(lambda z: np.exp(-z * z)),
    "Sign": Sign(0.4),
}
FIELDS = (-2.6, -0.3, 0.45, 1.8)
SIZE = 40_000


@pytest.mark.parametrize("name", REAL)
def test_draws_have_the_mean_and_the_variance(name):
    channel, rng = REAL[name], np.random.default_rng(11)
    for field in FIELDS:
        y = channel.sample(rng, np.full(SIZE, field))
        mean, variance = (float(f(np.array([field]))[0]) for f in (channel.mean_label, channel.label_variance))
        assert abs(y.mean() - mean) <= 4.5 * np.sqrt(max(variance, 1e-30) / SIZE) + 1e-12
        fourth = ((y - mean) ** 4).mean()
        assert abs(((y - mean) ** 2).mean() - variance) <= 4.5 * np.sqrt(max(fourth - variance**2, 0.0) / SIZE) + 1e-12


@pytest.mark.parametrize("name", [name for name in REAL if "relu" not in name and "noise inside" not in name and name != "quantised"])
def test_no_draw_leaves_the_mass_and_the_mass_is_one(name):
    """log P of the least likely of 40,000 draws is within what so many draws reach (25 below the largest), and int dy P = 1."""
    channel, rng = REAL[name], np.random.default_rng(12)
    for field in FIELDS:
        if name == "noisy quantised":
            log_p = channel.log_partition(channel.sample(rng, np.full(SIZE, field)), np.full(SIZE, field), 1e-12)
        else:
            log_p = channel.log_likelihood(channel.sample(rng, np.full(SIZE, field)), np.full(SIZE, field))
            y, weights = channel.label_nodes(field, field)
            mass = float(weights @ np.exp(channel.log_likelihood(y, np.full(y.size, field))))
            assert mass == pytest.approx(1.0, abs=1e-9)
        assert np.all(np.isfinite(log_p)) and log_p.min() > log_p.max() - 25


@pytest.mark.parametrize("name", REAL)
def test_the_best_error_is_noise_plus_what_the_field_leaves(name):
    """E Var[y | omega] = E Var[y | z] + E Var[E[y | z] | omega], drawn; the second part falls like what is left of the field."""
    channel, rng, q, V = REAL[name], np.random.default_rng(13), 0.6, 0.4
    at = np.zeros(1)
    omega = np.sqrt(q) * rng.standard_normal(20_000)
    y = channel.sample(rng, omega + np.sqrt(V) * rng.standard_normal(omega.size))
    gaps = (y - channel.predict(omega, V)) ** 2
    assert abs(gaps.mean() - float(channel.bayes_error(q, V, at)[0])) < 4.5 * gaps.std() / np.sqrt(omega.size)
    small = [float(channel.field_error(1 - v, v, at)[0]) for v in (1e-8, 1e-12)]
    if name not in ("quantised",):  # a jump of E[y | z] leaves the square root of it
        assert small[1] / max(small[0], 1e-300) == pytest.approx(1e-4, rel=2e-2) or small[0] < 1e-15


@pytest.mark.parametrize("name", BINARY)
def test_binary_draws_have_their_probability(name):
    channel, rng = BINARY[name], np.random.default_rng(14)
    for field in FIELDS:
        up = (channel.sample(rng, np.full(SIZE, field)) > 0).mean()
        p = float(channel.up(np.array([field]), np.array([1e-12])).value[0])
        assert abs(up - p) <= 4.5 * np.sqrt(p * (1 - p) / SIZE) + 1e-9


def test_gaussian_noise():
    y = GaussianNoise(0.3).sample(np.random.default_rng(15), np.full(SIZE, 0.7))
    assert abs(y.mean() - 0.7) < 4.5 * np.sqrt(0.3 / SIZE) and abs(y.var() - 0.3) < 4.5 * 0.3 * np.sqrt(2 / SIZE)


def test_users_priors_have_no_outliers():
    law = ge.LogDensity(lambda x: -abs(x - 0.31) / 0.4, kinks=(0.31,))
    x = law.sample(np.random.default_rng(16), 200_000)
    assert abs((x - 0.31).mean()) < 4.5 * np.sqrt(0.32 / x.size)
    assert abs((x**2).mean() - law.second_moment) < 4.5 * (x**2).std() / np.sqrt(x.size)
    assert abs(x - 0.31).max() < 0.4 * 22


@pytest.mark.parametrize("name", [*REAL, *BINARY, "gauss"])
def test_errors_of_many_laws_of_the_field_are_those_of_each(name):
    """Linear part, rest and mean broadcast, nothing known and nothing left to know included."""
    channel = (REAL | BINARY | {"gauss": GaussianNoise(0.1)})[name]
    linear, rest, b0 = np.array([[0.0], [0.3], [1.2]]), np.array([[0.9], [0.2], [1e-6]]), np.array([-0.4, 0.0, 0.7])
    parts = ["bayes_error"] + ["field_error"] * (channel.task == "regression")
    for part in parts:
        together = getattr(channel, part)(linear, rest, b0)
        assert together.shape == (3, 3)
        for i, j in enumerate((2, 0, 1)):
            alone = getattr(channel, part)(float(linear[i, 0]), float(rest[i, 0]), b0[j : j + 1])
            assert together[i, j] == pytest.approx(alone[0], rel=1e-9, abs=1e-12)
    if channel.task == "regression":
        noise = channel.label_noise(linear + rest, b0)
        assert noise[2, 1] == pytest.approx(channel.label_noise(1.2 + 1e-6, np.zeros(1))[0], rel=1e-12)
        assert noise + channel.field_error(linear, rest, b0) == pytest.approx(channel.bayes_error(linear, rest, b0), rel=1e-12)


@pytest.mark.parametrize("name", BINARY)
def test_both_probabilities_are_those_of_each_label(name):
    """With their derivatives."""
    channel, omega = BINARY[name], np.linspace(-9.0, 9.0, 61)[None, :]
    for V in (0.7, 1e-4):
        for p, label in zip(channel.both(omega, np.array([[V]])), (1.0, -1.0), strict=True):
            alone = channel.probability(label, omega, np.array([[V]]))
            for value, expected in zip(p, alone, strict=True):
                assert np.array_equal(value, expected)


def test_a_label_that_never_comes_has_no_probability():
    ramp = FunctionLink(lambda z: np.clip(z, 0.0, 1.0), kinks=(0.0, 1.0))
    up, down = ge.Binary(ramp, flips=(0.0, 0.3)).both(np.array([[9.0, -9.0]]), np.array([[1e-4]]))
    assert down.value[0, 0] == 0 and up.value[0, 0] == 1
    assert up.value[0, 1] == 0.3 and down.value[0, 1] == 0.7
