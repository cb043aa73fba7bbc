"""The recursion through depth against its telescoped and partial forms, and against sampled networks."""

import numpy as np
import pytest

from gaussequiv import ArgumentError, DeepNetwork
from gaussequiv.equivalence.depth import reduce_depth, reduce_partially

NETWORKS = {
    "odd": DeepNetwork(("tanh", "erf", "sine"), weight_variance=(4.0, 1.5, 0.7), readout_variance=2.0),
    "biased": DeepNetwork(
        ("relu", "tanh", "gelu"), weight_variance=(2.0, 1.0, 3.0), bias_variance=(0.1, 0.5, 0.0), readout_bias_variance=0.2
    ),
}


def test_depth_zero_is_the_readout_alone():
    found = reduce_depth(DeepNetwork((), readout_variance=3.0, readout_bias_variance=0.5), 2.0, 0.25)
    assert (found.slope2, found.noise, found.layers) == (3.0, (), ())
    assert found.offset_variance == pytest.approx(3.0 * 0.25 + 0.5)
    assert found.variance == pytest.approx(3.0 * 2.25 + 0.5)


def test_linear_layers_add_no_noise():
    found = reduce_depth(DeepNetwork("linear", depth=3, weight_variance=(2.0, 3.0, 0.5)), 1.0)
    assert found.slope2 == pytest.approx(3.0, rel=1e-14)
    assert found.noise == (0.0, 0.0, 0.0)
    assert found.offset_variance == 0.0


def test_one_erf_layer_is_the_arcsine_kernel():
    found = reduce_depth(DeepNetwork("erf"), 1.0)
    assert found.slope2 == pytest.approx(4 / (3 * np.pi), rel=1e-14)
    assert found.variance == pytest.approx(2 / np.pi * np.arcsin(2 / 3), rel=1e-14)
    assert sum(found.noise) == pytest.approx(found.variance - found.slope2, rel=1e-12)


@pytest.mark.parametrize("variance", [0.3, 1.0, 2.0])
def test_odd_networks_telescope(variance):
    """gamma_0 = E S^2 - tr(Sigma)/d prod rho_l^2, with rho_l^2 = weight variance times kappa1^2 (Camilli et al. 2025, eq. 12)."""
    network = NETWORKS["odd"]
    found = reduce_depth(network, variance)
    sigma, product = variance, 1.0
    for phi, w, layer in zip(network.layers, network.weight_variance, found.layers, strict=True):
        sigma = w * sigma
        assert layer.sigma == pytest.approx(sigma, rel=1e-12)
        product *= w * phi.coefficients(sigma).kappa1 ** 2
        sigma = phi.dual(sigma, 0.0).second
    assert found.slope2 == pytest.approx(2.0 * product, rel=1e-12)
    assert found.variance == pytest.approx(2.0 * sigma, rel=1e-12)
    assert sum(found.noise) == pytest.approx(2.0 * (sigma - variance * product), rel=1e-10)
    assert found.offset_variance == 0.0


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize(("variance", "mean_square"), [(1.0, 0.0), (0.5, 0.7)])
def test_signal_noise_and_offset_add_up_to_the_variance(network, variance, mean_square):
    found = reduce_depth(network, variance, mean_square)
    total = found.slope2 * variance + sum(found.noise) + found.offset_variance
    assert total == pytest.approx(found.variance, rel=1e-10)
    assert min(found.noise) >= 0


def test_created_noise_of_an_odd_layer_is_its_nonlinear_power():
    layer = reduce_depth(DeepNetwork("tanh", weight_variance=2.0), 1.0).layers[0]
    assert layer.created == pytest.approx(layer.kappa_star2, rel=1e-10)
    assert layer.chi == pytest.approx(layer.kappa1**2, rel=1e-12)
    assert (layer.shared, layer.kappa0) == (0.0, 0.0)


@pytest.mark.parametrize("name", ["abs", "hermite:2", "hermite:4"])
def test_an_even_first_layer_has_no_signal_and_a_bias_revives_it(name):
    dead = reduce_depth(DeepNetwork((name, "tanh")), 1.0)
    assert dead.slope2 == 0.0
    assert sum(dead.noise) == pytest.approx(dead.variance - dead.offset_variance, rel=1e-10)
    alive = reduce_depth(DeepNetwork((name, "tanh"), bias_variance=(0.5, 0.0)), 1.0)
    assert alive.slope2 > 1e-3


def test_an_even_later_layer_sees_the_frozen_mean_of_a_biased_one():
    assert reduce_depth(DeepNetwork(("tanh", "abs")), 1.0).slope2 == 0.0
    assert reduce_depth(DeepNetwork(("relu", "abs")), 1.0).slope2 > 1e-3


def test_a_readout_bias_is_a_constant():
    plain, biased = (reduce_depth(DeepNetwork("tanh", readout_bias_variance=b), 1.0) for b in (0.0, 0.7))
    assert biased.offset_variance == pytest.approx(plain.offset_variance + 0.7)
    assert (biased.slope2, biased.noise) == (plain.slope2, plain.noise)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_keeping_nothing_is_the_full_reduction(network):
    full, part = reduce_depth(network, 1.0), reduce_partially(network, 1.0, 0.0, 0)
    assert part.eta**2 == pytest.approx(full.slope2, rel=1e-13)
    assert part.gamma == pytest.approx(sum(full.noise), rel=1e-13)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_keeping_everything_is_the_network_itself(network):
    part = reduce_partially(network, 1.0, 0.0, 3)
    assert part.kept == 3
    assert part.eta == pytest.approx(np.sqrt(network.readout_variance), rel=1e-15)
    assert part.gamma == 0.0


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_partial_reductions_follow_from_each_other_one_layer_at_a_time(network):
    layers = reduce_depth(network, 1.0).layers
    parts = [reduce_partially(network, 1.0, 0.0, k) for k in range(4)]
    for k in range(3):
        upper, lower = parts[k + 1], parts[k]
        assert lower.gamma == pytest.approx(upper.gamma + upper.eta**2 * layers[k].created, rel=1e-13)
        assert lower.eta**2 == pytest.approx(upper.eta**2 * network.weight_variance[k] * layers[k].chi, rel=1e-13)


@pytest.mark.parametrize("keep", [-1, 4, 1.5, None])
def test_only_existing_layers_can_be_kept(keep):
    with pytest.raises(ArgumentError, match="`keep`"):
        reduce_partially(NETWORKS["odd"], 1.0, 0.0, keep)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_sampled_networks_have_the_predicted_variance_and_slope(network):
    d, mean = 120, 0.6
    found = reduce_depth(network, 1.0, mean**2)
    second, slope2, offset2 = [], [], []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        field = network.sample(rng, d)
        z = rng.standard_normal((2000, d))
        s = field(z + mean)
        second.append(np.mean(s**2))
        offset2.append(np.mean(s) ** 2 - np.var(s) / 2000)
        g = z.T @ s / len(z)  # Stein: the mean gradient, times sqrt(d); its square has a bias of E S^2 d / rows
        slope2.append(g @ g - d * (np.mean(s**2) + g @ g / d) / len(z))
    for values, expected in ((second, found.variance), (slope2, found.slope2), (offset2, found.offset_variance)):
        error = np.std(values, ddof=1) / np.sqrt(len(values))
        assert np.mean(values) == pytest.approx(expected, abs=4 * error + 0.02 * found.variance)  # widths 1.4 d = 168: a few times 1/168


def test_every_layer_says_what_it_is_given():
    """sigma = w (C - C0) + w C0 + beta, K0 = w C0 + beta, the activation's coefficients at sigma, and the dual at (sigma, K0)."""
    network = NETWORKS["biased"]
    found, spread, shared = reduce_depth(network, 0.5, 0.7), 0.5, 0.7
    for phi, w, beta, layer in zip(network.layers, network.weight_variance, network.bias_variance, found.layers, strict=True):
        sigma, common = w * (spread + shared) + beta, w * shared + beta
        kappa, dual = phi.coefficients(sigma), phi.dual(sigma, common)
        expected = {
            "activation": phi.name,
            "sigma": sigma,
            "shared": common,
            "kappa0": kappa.kappa0,
            "kappa1": kappa.kappa1,
            "kappa_star2": kappa.kappa_star**2,
            "chi": dual.slope,
            "gain": w * dual.slope,
            "second": dual.second,
            "created": dual.second - dual.product - (sigma - common) * dual.slope,
        }
        for name, value in expected.items():
            assert getattr(layer, name) == (value if isinstance(value, str) else pytest.approx(value, rel=1e-9, abs=1e-13)), name
        spread, shared = dual.second - dual.product, dual.product
    assert found.offset_variance == pytest.approx(network.readout_variance * shared + 0.2)


def test_readouts_are_refused_by_what_they_read_too():
    """1e90 alone is not too much, but times a mean square of 1e60 it is."""
    wide = DeepNetwork("relu", weight_variance=1e60, readout_variance=1e90)
    assert np.isfinite(reduce_depth(DeepNetwork("relu", readout_variance=1e90), 1.0).variance)
    with pytest.raises(ArgumentError, match="`readout_variance`"):
        reduce_depth(wide, 1.0)
