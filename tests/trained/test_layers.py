"""Layers are what their names say, and the same in NumPy and JAX."""

import numpy as np
import pytest

from gaussequiv._jax import float64_scope
from gaussequiv.trained.layers import dense, initial_dense, initial_transposed, sigmoid, transposed_convolution


def by_definition(images, kernel):
    """Every input pixel adds the kernel at twice its place; a border of one pixel is cut off."""
    rows, h, w, _ = images.shape
    canvas = np.zeros((rows, 2 * h + 2, 2 * w + 2, kernel.shape[-1]))
    for i in range(h):
        for j in range(w):
            canvas[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += np.einsum("rc,klco->rklo", images[:, i, j], kernel)
    return canvas[:, 1:-1, 1:-1]


def test_a_transposed_convolution_is_its_definition():
    rng = np.random.default_rng(0)
    images, kernel = rng.standard_normal((3, 2, 5, 4)), rng.standard_normal((4, 4, 4, 3))
    assert transposed_convolution(images, kernel, np) == pytest.approx(by_definition(images, kernel), abs=1e-12)


def test_numpy_and_jax_agree():
    import jax.numpy as jnp

    rng = np.random.default_rng(1)
    weights = initial_dense(rng, "a", (5, 7, 3)) | initial_transposed(rng, "b", (2, 3))
    rows, images = rng.standard_normal((4, 5)), rng.standard_normal((4, 3, 2, 2))
    with float64_scope():
        assert np.asarray(dense(weights, "a", rows, 2, jnp)) == pytest.approx(dense(weights, "a", rows, 2, np), rel=1e-12, abs=1e-12)
        mine, its = (transposed_convolution(images, weights["b.0.weight"], xp) for xp in (np, jnp))
        assert np.asarray(its) == pytest.approx(mine, rel=1e-12, abs=1e-12)


def test_dense_layers_have_relu_between_them_alone():
    weights = {"a.0.weight": np.array([[1.0, -1.0]]), "a.0.bias": np.array([0.5, 0.0]), "a.1.weight": np.array([[2.0], [3.0]])}
    weights["a.1.bias"] = np.array([-7.0])
    assert dense(weights, "a", np.array([[1.0], [-2.0]]), 2, np).ravel().tolist() == [2 * 1.5 - 7, 3 * 2.0 - 7]


def test_initial_weights_keep_the_scale_of_fields():
    rng = np.random.default_rng(2)
    weights = initial_dense(rng, "a", (400, 300, 200), last=0.1)
    assert weights["a.0.weight"].std() == pytest.approx(np.sqrt(2 / 400), rel=0.02)
    assert weights["a.1.weight"].std() == pytest.approx(0.1 * np.sqrt(2 / 300), rel=0.02)
    kernel = initial_transposed(rng, "b", (64, 32))["b.0.weight"]
    assert kernel.std() == pytest.approx(np.sqrt(2 / (4 * 64)), rel=0.02)
    assert not weights["a.1.bias"].any()


def test_the_sigmoid_has_no_overflow():
    x = np.array([-2000.0, -3.0, 0.0, 3.0, 2000.0])
    assert sigmoid(x, np) == pytest.approx([0, 1 / (1 + np.exp(3)), 0.5, 1 / (1 + np.exp(-3)), 1], abs=1e-15)
