"""Decoders and the loss that trains them, beside its closed form."""

import numpy as np
import pytest

from gaussequiv._jax import float64_scope
from gaussequiv.errors import ArgumentError
from gaussequiv.trained.variational import LEAST_ERROR, ConvolutionalDecoder, DenseDecoder


def constant_weights(architecture, mean, log_variance, output):
    """Everything 0 but the last biases: the encoder and the decoder see nothing."""
    weights = {name: np.zeros_like(value) for name, value in architecture.initial(np.zeros((1, 6)), np.random.default_rng(0)).items()}
    weights["encoder.2.bias"] = np.concatenate([mean, log_variance])
    weights["decoder.2.bias"] = np.asarray(output)
    return weights


def test_the_loss_is_the_bound_at_the_best_variance():
    import jax

    architecture = DenseDecoder((6,), 2, beta=1.7)
    rng = np.random.default_rng(1)
    mean, log_variance, output, rows = rng.standard_normal(2), rng.standard_normal(2), rng.standard_normal(6), rng.random((5, 6))
    error = np.mean((rows - 1 / (1 + np.exp(-output))) ** 2)
    divergence = np.sum(0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance))
    with float64_scope():
        loss = jax.jit(architecture.loss)(constant_weights(architecture, mean, log_variance, output), rows, jax.random.key(0))
    assert float(loss) == pytest.approx(3 * np.log(error + LEAST_ERROR) + 1.7 * divergence, rel=1e-12)


def test_latents_that_the_decoder_sees_have_the_encoders_law():
    """A decoder that is nearly linear in one latent: the error is the variance of the latents about their mean."""
    import jax

    architecture = DenseDecoder((6,), 1)
    weights = constant_weights(architecture, np.array([3.0]), np.array([-1.0]), np.zeros(6))
    weights["decoder.0.weight"][0, 0] = weights["decoder.1.weight"][0, 0] = 1.0
    weights["decoder.2.weight"][0] = 1e-3  # sigmoid(1e-3 c) = 1/2 + 1e-3 c/4
    rows = np.full((20_000, 6), 0.5 + 1e-3 * 3 / 4)
    divergence = 0.5 * (9 + np.exp(-1) - 1 + 1)
    with float64_scope():
        loss = float(jax.jit(architecture.loss)(weights, rows, jax.random.key(0)))
    error = np.exp((loss - architecture.beta * divergence) / 3) - LEAST_ERROR
    assert error == pytest.approx(np.exp(-1) * (1e-3 / 4) ** 2, rel=0.05)


@pytest.mark.parametrize("shape", [(8, 8), (5, 7)])
def test_images_of_any_size_are_decoded(shape):
    import jax
    import jax.numpy as jnp

    architecture = ConvolutionalDecoder(shape, 3)
    weights = architecture.initial(np.zeros((1, 1)), np.random.default_rng(0))
    latents = np.random.default_rng(1).standard_normal((4, 3))
    rows = architecture.generate(weights, latents, np)
    assert rows.shape == (4, shape[0] * shape[1])
    assert np.all((rows > 0) & (rows < 1)) and np.all(rows.std(axis=0) > 0)
    with float64_scope():
        assert np.asarray(jax.jit(lambda c: architecture.generate(weights, c, jnp))(latents)) == pytest.approx(rows, abs=1e-12)


def test_what_is_no_image_is_refused():
    with pytest.raises(ArgumentError, match=r"Argument `data` must be images for kind='conv'.* a row has shape \(6,\)"):
        ConvolutionalDecoder((6,), 2)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"latent_dim": 0}, "latents"),
        ({"width": 0}, "width"),
        ({"beta": -1.0}, "beta"),
        ({"shape": (2, 2, 2)}, "shape"),
        ({"shape": 4}, "shape"),
    ],
)
def test_fields_out_of_range_are_named(fields, name):
    with pytest.raises(ArgumentError, match=f"Argument `{name}`"):
        DenseDecoder(**{"shape": (6,), "latent_dim": 2} | fields)
