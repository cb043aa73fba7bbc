"""Deep networks: broadcasting of per-layer values, errors, and the law of a sampled network."""

import numpy as np
import pytest

from gaussequiv import Activation, ArgumentError, DeepNetwork
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign


def test_one_activation_is_repeated():
    network = DeepNetwork("tanh", depth=3, weight_variance=2, width_ratios=1.5)
    assert network.activations == ("tanh",) * 3
    assert network.weight_variance == (2.0,) * 3
    assert network.bias_variance == (0.0,) * 3
    assert network.widths_at(10) == (15, 15, 15)


def test_per_layer_values_keep_their_order():
    network = DeepNetwork(("tanh", "relu"), weight_variance=(1, 2), bias_variance=[0.0, 0.5], widths=(7, 9))
    assert (network.depth, network.activations) == (2, ("tanh", "relu"))
    assert network.weight_variance == (1.0, 2.0)
    assert network.bias_variance == (0.0, 0.5)
    assert network.widths_at(100) == (7, 9)


def test_a_sequence_of_one_may_be_repeated():
    assert DeepNetwork(("erf",), depth=2).activations == ("erf", "erf")


@pytest.mark.parametrize("network", [DeepNetwork(()), DeepNetwork("tanh", depth=0)])
def test_depth_zero_is_the_linear_target(network):
    assert (network.depth, network.layers, network.widths_at(5)) == (0, (), ())
    sampled = network.sample(np.random.default_rng(0), 5)
    x = np.random.default_rng(1).standard_normal((4, 5))
    assert sampled(x) == pytest.approx(x @ sampled.readout)
    assert sampled.weights == ()


def test_functions_and_activation_objects_are_layers():
    shifted = Activation(lambda x: x + 1.0, name="shifted")
    network = DeepNetwork((np.tanh, shifted, "relu"))
    assert network.depth == 3
    assert network.activations[1:] == ("shifted", "relu")
    assert DeepNetwork(shifted, depth=2).layers == (shifted, shifted)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"activations": ("tanh", "tanh"), "depth": 3}, "depth"),
        ({"depth": -1}, "depth"),
        ({"depth": 1.5}, "depth"),
        ({"weight_variance": 0.0}, "weight_variance"),
        ({"weight_variance": -1.0}, "weight_variance"),
        ({"weight_variance": (1.0, 2.0)}, "weight_variance"),
        ({"weight_variance": "1"}, "weight_variance"),
        ({"bias_variance": -0.1}, "bias_variance"),
        ({"bias_variance": (0.1, None), "depth": 2}, "bias_variance"),
        ({"readout_variance": 0.0}, "readout_variance"),
        ({"readout_bias_variance": -1.0}, "readout_bias_variance"),
        ({"noise": -1.0}, "noise"),
        ({"noise": np.nan}, "noise"),
        ({"task": "ranking"}, "task"),
        ({"widths": (3, 4)}, "widths"),
        ({"widths": (0,)}, "widths"),
        ({"width_ratios": 0.0}, "width_ratios"),
        ({"offset": np.inf}, "offset"),
        ({"activations": "tanhh"}, "activations"),
        ({"activations": 3}, "activations"),
    ],
)
def test_wrong_fields_are_named(options, name):
    with pytest.raises(ArgumentError, match=f"Argument `{name}"):
        DeepNetwork(**options)


def test_the_channel_carries_task_and_noise():
    assert DeepNetwork(noise=0.3).channel == GaussianNoise(0.3)
    assert DeepNetwork(noise=0.2, task="classification").channel == Sign(0.2)


def test_sampled_weights_have_their_variances():
    network = DeepNetwork(("tanh", "tanh"), weight_variance=(2.0, 0.5), bias_variance=(0.3, 1.5), readout_variance=3.0, widths=(400, 500))
    sampled = network.sample(np.random.default_rng(0), 300)
    shapes = [w.shape for w in sampled.weights]
    assert shapes == [(300, 400), (400, 500)]

    def close(values, expected):  # within 5 standard errors of an empirical variance
        assert np.mean(np.square(values)) == pytest.approx(expected, rel=5 * np.sqrt(2 / np.size(values)))

    close(sampled.weights[0], 2.0 / 300)
    close(sampled.weights[1], 0.5 / 400)
    close(sampled.biases[0], 0.3)
    close(sampled.biases[1], 1.5)
    close(sampled.readout, 3.0 / 500)


def test_preactivations_have_the_variance_of_the_recursion():
    network = DeepNetwork("tanh", weight_variance=2.0, bias_variance=0.5, widths=(20000,))
    sampled = network.sample(np.random.default_rng(3), 50)
    x = np.random.default_rng(4).standard_normal((1, 50))
    found = np.mean((x @ sampled.weights[0] + sampled.biases[0]) ** 2)
    assert found == pytest.approx(2.0 * np.mean(x**2) + 0.5, rel=5 * np.sqrt(2 / 20000))


def test_the_field_is_the_composition_of_its_layers():
    sampled = DeepNetwork(("tanh", "relu"), bias_variance=0.2, readout_bias_variance=1.0).sample(np.random.default_rng(5), 6)
    x = np.random.default_rng(6).standard_normal((3, 6))
    hidden = np.tanh(x @ sampled.weights[0] + sampled.biases[0])
    hidden = np.maximum(hidden @ sampled.weights[1] + sampled.biases[1], 0)
    assert sampled(x) == pytest.approx(hidden @ sampled.readout + sampled.bias, rel=1e-12)
    assert sampled.bias != 0


def test_a_normalised_readout_has_its_expected_norm():
    network = DeepNetwork("tanh", readout_variance=2.5)
    plain = network.sample(np.random.default_rng(7), 30)
    fixed = network.sample(np.random.default_rng(7), 30, normalise=True)
    assert np.sum(fixed.readout**2) == pytest.approx(2.5, rel=1e-13)
    assert fixed.readout / plain.readout == pytest.approx(np.full(42, fixed.readout[0] / plain.readout[0]))
    assert np.array_equal(fixed.weights[0], plain.weights[0])


def test_the_same_seed_gives_the_same_network():
    network = DeepNetwork("relu", depth=2)
    one, two = (network.sample(np.random.default_rng(8), 5) for _ in range(2))
    assert np.array_equal(one.readout, two.readout)
    assert not np.array_equal(one.readout, network.sample(np.random.default_rng(9), 5).readout)
