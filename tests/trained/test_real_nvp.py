"""The flow: its loss is the density of what it generates."""

import numpy as np
import pytest

from gaussequiv._jax import float64_scope
from gaussequiv.errors import ArgumentError
from gaussequiv.trained.data import training_rows
from gaussequiv.trained.real_nvp import EDGE, RealNVP


def flow_and_weights(N=5, step=0.1):
    """A small flow whose couplings are far from the identity."""
    rng = np.random.default_rng(0)
    flow = RealNVP((N,), N, step=step, couplings=3, width=6)
    weights = flow.initial(rng.random((40, N)), rng)
    return flow, weights | {name: rng.standard_normal(value.shape) for name, value in weights.items() if ".2.weight" in name}


def real_line(flow, weights, latents):
    """Generated rows with their noise, before the sigmoid."""
    x = EDGE + (1 - 2 * EDGE) * (flow.generate(weights, latents, np) + flow.step / 2) / (1 + flow.step)
    return np.log(x) - np.log1p(-x)


def test_the_loss_is_minus_the_log_density_by_the_change_of_variables():
    import jax
    import jax.numpy as jnp

    flow, weights = flow_and_weights()
    c, key, h = np.random.default_rng(1).standard_normal((1, 5)), jax.random.key(3), 1e-4 * np.eye(5)
    slopes = (real_line(flow, weights, c + h) - real_line(flow, weights, c - h)) / 2e-4
    log_volume = np.linalg.slogdet(slopes)[1]
    with float64_scope():
        noise = np.asarray(jax.random.uniform(key, (1, 5), jnp.float64))
        rows = flow.generate(weights, c, np) + flow.step * (0.5 - noise)
        loss = float(jax.jit(flow.loss)(weights, rows, key))
    assert abs(log_volume) > 1
    assert loss == pytest.approx(0.5 * np.sum(c**2) + log_volume, rel=1e-6)


def test_numpy_and_jax_agree():
    import jax
    import jax.numpy as jnp

    flow, weights = flow_and_weights()
    c = np.random.default_rng(1).standard_normal((4, 5))
    with float64_scope():
        assert np.asarray(jax.jit(lambda latents: flow.generate(weights, latents, jnp))(c)) == pytest.approx(
            flow.generate(weights, c, np), abs=1e-12
        )


def test_it_begins_with_the_mean_and_the_scale_of_each_pixel():
    rng = np.random.default_rng(0)
    rows = rng.random((4000, 4)) * [0.1, 0.5, 1.0, 0.2]
    flow = RealNVP((4,), 4, step=1 / 256)
    made = flow.generate(flow.initial(rows, rng), rng.standard_normal((4000, 4)), np)
    assert np.median(made, axis=0) == pytest.approx(np.median(rows, axis=0), rel=0.15)
    assert made.std(axis=0) == pytest.approx(rows.std(axis=0), rel=0.15)


def test_halves_are_of_all_coordinates_and_change_sides():
    flow = RealNVP((9,), 9)
    for k in range(flow.couplings):
        left, moved = flow.halves(k)
        assert sorted([*left, *moved]) == list(range(9))
    first, second, third = (set(flow.halves(k)[0].tolist()) for k in range(3))
    assert not first & second and third != first


def test_the_noise_has_the_step_of_quantised_data():
    digits = training_rows("digits")
    assert RealNVP.of_rows(digits.rows, digits.shape, None).step == 1 / 16
    assert RealNVP.of_rows(np.random.default_rng(0).random((300, 4)), (4,), None).step == 1 / 256


def test_a_flow_has_as_many_latents_as_outputs():
    with pytest.raises(ArgumentError, match=r"Argument `latents` must be 64, the dimension of the data, for kind='flow', but latents=16"):
        RealNVP((8, 8), 16)
    with pytest.raises(ArgumentError, match="Argument `data` must have at least 2 columns"):
        RealNVP((1,), 1)
    with pytest.raises(ArgumentError, match="Argument `step` must be"):
        RealNVP((2,), 2, step=0.0)
