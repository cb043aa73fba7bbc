"""Linear targets of any prior, and real label laws by name."""

import json

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.ingredients.channels.named import named_channel, parts_of
from gaussequiv.problems.supervised.dictionary import from_dict


@pytest.mark.parametrize("prior", ["rademacher", "gauss-bernoulli:0.2", "sparse-rademacher:0.5", "gaussian:3"])
def test_drawn_fields_have_the_variance_of_the_equivalent(prior):
    target = ge.LinearTarget(prior, noise=0.1)
    x = np.random.default_rng(1).standard_normal((500, 400))
    squares = [np.mean(target.sample(np.random.default_rng(k), 400)(x) ** 2) for k in range(32)]
    variance = ge.Problem(target).equivalent().signal_variance
    assert abs(np.mean(squares) - variance) < 4 * np.std(squares) / np.sqrt(32) + 0.01 * variance
    normalised = target.sample(np.random.default_rng(0), 400, normalise=True)
    assert np.sum(normalised.readout**2) == pytest.approx(target.readout_variance)


def test_convex_learners_see_only_the_second_moment():
    curves = [
        ge.solve(ge.Problem(target, learner=ge.Ridge(0.3)), [0.5, 2.0]).test_error.values
        for target in (ge.LinearTarget("rademacher", noise=0.1), ge.DeepNetwork((), noise=0.1))
    ]
    assert np.allclose(*curves, rtol=1e-14)


def test_descriptions_survive():
    target = ge.LinearTarget("sparse-rademacher:0.25", labels=ge.AbsoluteValue(0.1, 0.2))
    again = from_dict(json.loads(json.dumps(ge.Problem(target).to_dict()))).target
    assert again.prior == target.prior
    assert (again.channel.noise, again.channel.inner_noise, str(again.channel)) == (0.1, 0.2, "abs:0.2")


@pytest.mark.parametrize(
    "channel", [ge.AbsoluteValue(), ge.Relu(0.1), ge.Quantised((-1, 0, 1), 0.3), ge.Poisson(scale=2.0), ge.AbsoluteValue(0.3, 0.1)]
)
def test_named_channels_are_built_again(channel):
    name, noise = parts_of(channel)
    assert type(named_channel(name, noise)) is type(channel)
    y, omega = np.array([1.0, 2.0]), np.array([0.3, -0.2])
    assert np.allclose(named_channel(name, noise).log_partition(y, omega, 0.5), channel.log_partition(y, omega, 0.5))


def test_channels_that_no_name_says_are_kept_as_given():
    odd = ge.Quantised((0.0,), values=(-1, 1))
    assert parts_of(odd) is None and parts_of(ge.Output(np.tanh, 0.1)) is None
    assert ge.DeepNetwork((), labels=odd).channel is odd
    assert named_channel("sign", 0.0) is None


@pytest.mark.parametrize(
    "options, words",
    [
        ({"labels": "quantised"}, "labels"),
        ({"labels": "abs:x"}, "labels"),
        ({"labels": "poisson", "noise": 0.1}, "noise"),
        ({"labels": "relu", "flips": 0.1}, "flips"),
        ({"prior": "gauss-bernoulli:2"}, "density"),
    ],
)
def test_bad_targets_are_named(options, words):
    with pytest.raises(ge.ArgumentError, match=words):
        ge.LinearTarget(**options)


def test_the_priors_own_fields_can_be_swept():
    problem = ge.Problem(ge.LinearTarget("gauss-bernoulli:0.1", noise=0.1))
    swept = ge.sweep(problem, [1.0], {"density": [0.1, 0.4]})
    single = ge.solve(ge.Problem(ge.LinearTarget("gauss-bernoulli:0.4", noise=0.1)), [1.0])
    assert float(swept.test_error.sel(density=0.4).item()) == float(single.test_error.item())
