"""Chains on one data set: the closed-form Gaussian posterior, the same law with and without the readout, pieces that change no bit."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv._jax import float64_scope
from gaussequiv.algorithms.networks.density import coordinates_of, hidden
from gaussequiv.algorithms.networks.observables import PROBES, TaughtData, kernel_vectors
from gaussequiv.algorithms.networks.sampling import Sampling, prior_draws
from gaussequiv.numerics.diagnostics import mean_standard_error, r_hat

jax = pytest.importorskip("jax")
jnp = jax.numpy


def data_set(network, d, n, rows=64, seed=0):
    rng = np.random.default_rng(seed)
    teacher = network.sample(rng, d)
    x, test_x = rng.standard_normal((n, d)), rng.standard_normal((rows, d))
    y, s = network.channel.sample(rng, teacher(x)), teacher(test_x)
    u = jax.tree.map(jnp.asarray, coordinates_of(network, teacher, d))
    kernels = kernel_vectors(network)(hidden(network)(u, test_x))
    return TaughtData(*(jnp.asarray(v) for v in (x, y, test_x, network.channel.sample(rng, s), s)), u, kernels)


def sample(network, d, data, *, draws=1000, warmup=300, thin=1, marginal=False, sampler="hmc", chains=4, keep=False, seed=0):
    machine = Sampling(network, d, sampler, warmup, draws, thin, marginal, keep)
    positions = jnp.stack([machine.flat(u) for u in prior_draws(network, d, np.random.default_rng(seed), chains)])
    key = jax.random.key(seed)
    state = machine.init(key, positions, data)
    return machine.advance(key, machine.advance(key, state, data, warmup), data, machine.iterations)


@pytest.mark.parametrize("sampler", ["hmc", pytest.param("nuts", marks=pytest.mark.slow)])
def test_a_linear_target_has_its_gaussian_posterior(sampler):
    d, n, noise = 8, 12, 0.3
    network = ge.DeepNetwork((), noise=noise)
    with float64_scope():
        data = data_set(network, d, n)
        state = sample(network, d, data, sampler=sampler, keep=True)
        draws, fields = np.asarray(state.traces["weights"]), np.asarray(state.sums["field"])
        x, y, test_x = np.asarray(data.x), np.asarray(data.y), np.asarray(data.test_x)
    f = x / np.sqrt(d)
    covariance = np.linalg.inv(np.eye(d) + f.T @ f / noise)
    mean = covariance @ f.T @ y / noise
    assert np.max(r_hat(draws)) < 1.02
    assert np.all(np.abs(draws.mean(axis=(0, 1)) - mean) < 4.5 * mean_standard_error(draws))
    centred = draws - mean
    products = centred[..., :, None] * centred[..., None, :]
    assert np.all(np.abs(products.mean(axis=(0, 1)) - covariance) < 4.5 * mean_standard_error(products))
    # predictions are summed over draws as they come
    assert fields.sum(axis=0) / draws.shape[0] / draws.shape[1] == pytest.approx(test_x @ draws.mean(axis=(0, 1)) / np.sqrt(d), abs=1e-10)
    assert np.asarray(state.traces["probe"]).mean(axis=(0, 1)) == pytest.approx((fields.sum(axis=0) / 4000)[:PROBES], abs=1e-10)


@pytest.mark.slow
def test_the_readout_integrated_out_changes_no_law():
    network, d = ge.DeepNetwork("tanh", depth=2, noise=0.2, widths=(7, 6), bias_variance=0.2, readout_bias_variance=0.3), 6
    with float64_scope():
        data = data_set(network, d, 10)
        both = [sample(network, d, data, marginal=marginal, draws=2000) for marginal in (False, True)]
        traces = [{k: np.asarray(v) for k, v in state.traces.items()} for state in both]
    for name in ("probe", "log_likelihood", "readout_square", "m", "gibbs_error", "draw_q"):
        means = [trace[name].mean(axis=(0, 1)) for trace in traces]
        error = np.sqrt(sum(mean_standard_error(trace[name]) ** 2 for trace in traces))
        assert np.all(np.abs(means[0] - means[1]) < 4.5 * error), name


def test_pieces_and_storage_change_no_bit():
    network, d = ge.DeepNetwork("tanh", noise=0.2, widths=(6,)), 5
    machine = Sampling(network, d, "hmc", 20, 12, 2, True)
    key = jax.random.key(4)
    with float64_scope():
        data = data_set(network, d, 8)
        start = jnp.stack([machine.flat(u) for u in prior_draws(network, d, np.random.default_rng(0), 3)])
        whole = cut = machine.init(key, start, data)
        whole = machine.advance(key, machine.advance(key, whole, data, 20), data, machine.iterations)
        for stop in (3, 11, 20, 24, 26, 40, 44):
            cut = machine.restored([np.array(leaf) for leaf in jax.tree.leaves(cut)], jax.tree.structure(cut))
            cut = machine.advance(key, cut, data, stop)
        for one, other in zip(jax.tree.leaves(whole), jax.tree.leaves(cut), strict=True):
            assert np.array_equal(one, other)
        assert int(whole.iteration) == 44
        assert np.all(np.asarray(whole.traces["m"]) != 0)  # every draw was recorded


def test_the_teacher_is_an_exact_draw():
    """Informed chains are stationary from the first step: over teachers, early and late draws have the same mean."""
    network, d = ge.DeepNetwork("tanh", noise=0.3, widths=(6,)), 6
    machine = Sampling(network, d, "hmc", 10, 40, 1, True)
    names, differences = ("log_likelihood", "gibbs_error", "draw_q", "readout_square"), []
    with float64_scope():
        for seed in range(24):
            data = data_set(network, d, 12, seed=seed)
            key = jax.random.key(seed)
            state = machine.init(key, jnp.stack([machine.flat(data.teacher)] * 4), data)
            state = machine.advance(key, machine.advance(key, state, data, 10), data, 50)
            differences.append([np.diff([part.mean() for part in np.split(np.asarray(state.traces[k]), 2, axis=1)])[0] for k in names])
    found = np.array(differences)
    z = found.mean(axis=0) / (found.std(axis=0, ddof=1) / np.sqrt(len(found)))
    assert np.all(np.abs(z) < 4)


def test_what_is_recorded_of_the_teacher_itself():
    """A chain that sits at the teacher has overlap 1 with it and no error."""
    network, d = ge.DeepNetwork(("tanh", "erf"), noise=0.2, widths=(6, 5)), 5
    from gaussequiv.algorithms.networks.observables import observer

    with float64_scope():
        data = data_set(network, d, 8)
        seen = observer(network, False)(data.teacher, data)
        scalars = {name: np.asarray(value) for name, value in seen.scalars.items()}
    assert scalars["gibbs_error"] < 1e-28
    assert scalars["weight_overlap"] == pytest.approx(np.ones(3), abs=1e-12)
    assert scalars["kernel_overlap"] == pytest.approx(np.ones(2), abs=1e-12)
    assert scalars["m"] == pytest.approx(scalars["draw_q"], rel=1e-12)
    residual = np.asarray(data.test_y - data.test_field)
    assert scalars["gibbs_test_error"] == pytest.approx(np.mean(residual**2), rel=1e-12)


def test_kernel_overlaps_do_not_see_permuted_neurons():
    network, d = ge.DeepNetwork("tanh", depth=2, noise=0.2, widths=(6, 5)), 5
    from gaussequiv.algorithms.networks.observables import observer

    with float64_scope():
        data = data_set(network, d, 8)
        first, second = data.teacher["weights"]
        order = np.roll(np.arange(6), 1)
        other = data.teacher | {"weights": (first[:, order], second[order])}
        seen = observer(network, False)(other, data)
    assert np.asarray(seen.scalars["kernel_overlap"]) == pytest.approx(np.ones(2), abs=1e-12)
    assert float(seen.scalars["gibbs_error"]) < 1e-25
    assert abs(float(seen.scalars["weight_overlap"][0])) < 0.9
