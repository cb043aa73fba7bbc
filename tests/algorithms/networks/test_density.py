"""The log-density of all weights in JAX: the same fields as the sampled network, the laws of labels, exact gradients."""

import math

import numpy as np
import pytest
from scipy import special, stats

import gaussequiv as ge
from gaussequiv._jax import float64_scope
from gaussequiv.algorithms.networks import density
from gaussequiv.errors import ArgumentError
from gaussequiv.ingredients.activations import base as activations

jax = pytest.importorskip("jax")
D, N = 7, 11


def drawn(network, seed=0):
    rng = np.random.default_rng(seed)
    sampled = network.sample(rng, D)
    return sampled, density.coordinates_of(network, sampled, D), rng.standard_normal((N, D))


NETWORKS = [
    ge.DeepNetwork((), noise=0.1),
    ge.DeepNetwork(("tanh", "erf"), noise=0.1, weight_variance=(4.0, 0.5), readout_variance=2.0, widths=(5, 9)),
    ge.DeepNetwork("relu", depth=3, noise=0.1, bias_variance=(0.3, 0.0, 0.2), readout_bias_variance=0.4),
    ge.DeepNetwork(("gelu", "swish", "softplus"), noise=0.1, readout_bias_variance=0.4),
]


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: "-".join(n.activations) or "linear")
def test_the_field_is_that_of_the_sampled_network(network):
    sampled, u, x = drawn(network)
    with float64_scope():
        assert np.asarray(density.field(network)(u, x)) == pytest.approx(sampled(x), rel=1e-12, abs=1e-12)
        layers = density.hidden(network)(u, x)
    assert [h.shape[1] for h in layers] == (list(network.widths_at(D)) or [D])


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: "-".join(n.activations) or "linear")
def test_coordinates_have_the_shapes_of_the_prior_and_are_standard_normal(network):
    _, u, _ = drawn(network)
    wanted = density.shapes(network, D)
    assert tuple(w.shape for w in u["weights"]) == wanted["weights"]
    assert u["readout"].shape == wanted["readout"]
    assert set(u) == set(wanted)
    values = []
    for seed in range(64):
        _, u, _ = drawn(network, seed)
        parts = [*u["weights"], u["readout"], *([u["bias"]] if "bias" in u else [])]
        values.append(np.concatenate([np.ravel(part) for part in parts]))
    every = np.concatenate(values)
    assert abs(every.mean()) < 4 / np.sqrt(every.size)
    assert abs(np.mean(every**2) - 1) < 4 * np.sqrt(2 / every.size)


def test_real_labels_have_the_normal_density():
    network = NETWORKS[1]
    sampled, u, x = drawn(network)
    y = np.random.default_rng(1).standard_normal(N)
    with float64_scope():
        found = float(density.log_likelihood(network)(u, x, y))
    assert found == pytest.approx(stats.norm.logpdf(y, sampled(x), np.sqrt(0.1)).sum(), rel=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {"task": "classification", "noise": 0.3},
        {"labels": "logit:0.5"},
        {"labels": "sign", "noise": 0.2, "flips": (0.1, 0.05)},
    ],
)
def test_labels_have_the_probability_of_their_channel(options):
    network = ge.DeepNetwork("tanh", **options)
    sampled, _, x = drawn(network)
    y = np.where(np.random.default_rng(1).random(N) < 0.5, 1.0, -1.0)
    if "logit" in options.get("labels", ""):
        exact = special.log_expit(y * sampled(x) / network.channel.link.scale)
    else:
        exact = network.channel.log_partition(y, sampled(x), 0.0)
    with float64_scope():
        found = np.asarray(density.label_density(network.channel)(y, sampled(x)))
        up = np.asarray(density.mean_label(network.channel)(sampled(x)))
        down = np.exp(np.asarray(density.label_density(network.channel)(-np.ones(N), sampled(x))))
    assert found == pytest.approx(exact, rel=1e-9)
    assert up + down == pytest.approx(np.ones(N), abs=1e-14)


@pytest.mark.parametrize("network", NETWORKS[:3], ids=lambda n: "-".join(n.activations) or "linear")
def test_gradients_are_those_of_finite_differences(network):
    _, u, x = drawn(network)
    y = np.random.default_rng(1).standard_normal(N)
    with float64_scope():
        likelihood = density.log_likelihood(network)
        slope = jax.grad(likelihood)(u, x, y)
        way = jax.tree.map(lambda v: np.random.default_rng(2).standard_normal(np.shape(v)), u)
        exact = sum(float(np.vdot(a, b)) for a, b in zip(jax.tree.leaves(slope), jax.tree.leaves(way), strict=True))

        def at(h):
            return float(likelihood(jax.tree.map(lambda v, w: v + h * w, u, way), x, y))

        h = 1e-4
        found = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)
    assert found == pytest.approx(exact, rel=1e-7)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise": 0.0}, "hard constraint"),
        ({"task": "classification"}, "would jump"),
        ({"labels": "random:0.3"}, "logit"),
        ({"labels": ge.Output(np.tanh)}, "hard constraint"),
        ({"labels": ge.Output(np.tanh, noise=0.1, inner_noise=0.2)}, "inner_noise"),
        ({"labels": ge.Output(lambda z: z + (z > 0.3), noise=0.1)}, "`labels` must be continuous .* jumps at 0.3: "),
        ({"labels": ge.Poisson()}, "Output"),
        ({"labels": ge.LogLikelihood(lambda y, z: -0.5 * (y - z) ** 2 - 0.5 * np.log(2 * np.pi))}, "Output"),
    ],
)
def test_likelihoods_that_cannot_be_sampled_are_refused(options, message):
    with pytest.raises(ArgumentError, match=message):
        density.label_density(ge.DeepNetwork("tanh", **options).channel)


def test_a_function_of_the_field_is_the_mean_of_its_labels():
    channel = ge.Output(jax.numpy.tanh, noise=0.2)
    s, y = np.random.default_rng(0).standard_normal((2, N))
    with float64_scope():
        found = np.asarray(density.label_density(channel)(y, s))
        assert np.asarray(density.mean_label(channel)(s)) == pytest.approx(np.tanh(s), rel=1e-14)
    assert found == pytest.approx(stats.norm.logpdf(y, np.tanh(s), np.sqrt(0.2)), rel=1e-12)


def test_kinks_and_steep_slopes_are_sampled_and_jumps_are_not():
    for smooth in ("relu", "leaky_relu", "hermite:3", ge.Activation(lambda x: jax.numpy.tanh(1e4 * x)), ge.Activation(lambda x: x**7)):
        assert callable(density.jax_activation(activations.get(smooth)))
    jumps = (jax.numpy.floor, jax.numpy.sign, *(lambda x, f=f: f(x) + (x > 0.1) for f in (lambda x: x**2, lambda x: x**3, jax.numpy.exp)))
    for jumping in (*map(ge.Activation, jumps), ge.Activation(lambda x: x**7 + 1e-3 * (x > 0.1), kinks=(0.1,))):
        with pytest.raises(ArgumentError, match="`activations` must be continuous"):
            density.jax_activation(jumping)


def test_numpy_functions_are_sampled_and_others_say_what_they_need():
    x = np.random.default_rng(0).standard_normal((N, D))
    for own, named in ((ge.Activation(np.tanh), "tanh"), (ge.Activation(special.erf), "erf")):
        fields = [ge.DeepNetwork(phi, noise=0.1) for phi in (own, named)]
        _, u, _ = drawn(fields[1])
        with float64_scope():
            gradients = [jax.grad(density.log_likelihood(network))(u, x, np.zeros(N)) for network in fields]
        for a, b in zip(*map(jax.tree.leaves, gradients), strict=True):
            assert np.array_equal(a, b)
    with pytest.raises(ArgumentError, match=r"jax\.numpy"), float64_scope():
        density.log_likelihood(ge.DeepNetwork(ge.Activation(np.vectorize(math.tanh)), noise=0.1))
    channel = ge.Output(np.tanh, noise=0.2)
    with float64_scope():
        assert np.asarray(jax.jit(density.mean_label(channel))(x)) == pytest.approx(np.tanh(x), rel=1e-14)


@pytest.mark.parametrize("flips", [0.0, (0.1, 0.02)])
def test_far_margins_keep_their_logarithm(flips):
    """log Phi(-60/sqrt(0.3)) is a number whose exponential is none; with flips it is the flips' share."""
    channel = ge.DeepNetwork("tanh", task="classification", noise=0.3, flips=flips).channel
    with float64_scope():
        found = np.asarray(density.label_density(channel)(np.array([1.0, -1.0]), np.array([-60.0, 60.0])))
    if flips:
        low, high = channel.flips[1], channel.flips[0]
        np.testing.assert_allclose(found, np.log([low, high]), rtol=1e-12)
    else:
        np.testing.assert_allclose(found, special.log_ndtr(-60 / np.sqrt(0.3)), rtol=1e-10)
