"""Moments of random generators against their samples."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.ingredients.generators import Generator

COUNT = 200_000


@pytest.mark.parametrize(
    ("activations", "allowed"),
    [("sign", 0.0), ("relu", 0.0), ("erf", 0.0), ("tanh", 0.0), (("sign", "sign"), 0.05), (("tanh", "relu"), 0.05)],
)
def test_moments_are_those_of_samples(activations, allowed):
    """One layer within the error of 200,000 samples; two also within the O(1/D) of fields that are nearly Gaussian."""
    drawn = ge.RandomGenerator(activations, latent_ratio=2.0).draw(12, np.random.default_rng(1))
    assert (drawn.dimension, drawn.latent_dim) == (12, 24)
    mean, omega, phi = drawn.moments()[:3]
    c = np.random.default_rng(2).standard_normal((COUNT, 24))
    x = drawn.outputs(c)
    scale = np.sqrt(np.diag(omega))
    assert np.abs((x.mean(axis=0) - mean) / scale).max() < 5 / np.sqrt(COUNT) + allowed
    centred = (x - x.mean(axis=0)) / scale
    assert np.abs(centred.T @ centred / COUNT - omega / np.outer(scale, scale)).max() < 5 * np.sqrt(3 / COUNT) + allowed
    assert np.abs(centred.T @ c / COUNT - phi / scale[:, None]).max() < 5 * np.sqrt(3 / COUNT) + allowed


def test_signs_have_the_arcsine_law():
    """Williams 1997: (2/pi) arcsin of the correlation of two rows; Phi = sqrt(2/pi) F/|F_i|."""
    drawn = ge.RandomGenerator("sign", latent_ratio=0.5).draw(30, np.random.default_rng(3))
    F = drawn.weights[0]
    rows = F / np.linalg.norm(F, axis=1)[:, None]
    moments = drawn.moments()
    assert moments.omega == pytest.approx(2 / np.pi * np.arcsin(np.clip(rows @ rows.T, -1, 1)), abs=1e-7)
    assert moments.phi == pytest.approx(np.sqrt(2 / np.pi) * rows, rel=1e-9)


def test_no_layer_is_the_latents():
    drawn = ge.RandomGenerator(()).draw(5, np.random.default_rng(0))
    c = np.random.default_rng(1).standard_normal((3, 5))
    assert drawn.isotropic and np.array_equal(drawn.outputs(c), c)
    assert ge.RandomGenerator((), latent_ratio=0.3).latents_at(10) == 10


def test_what_a_generator_leaves_out_is_named():
    with pytest.raises(NotImplementedError, match="draw"):
        Generator().draw(3, np.random.default_rng(0))
