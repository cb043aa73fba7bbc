"""Moments of random generators against their samples."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.ingredients.activations.base import get
from gaussequiv.ingredients.activations.dual_kernels import get as kernel_of
from gaussequiv.ingredients.generators import Generator
from gaussequiv.ingredients.generators.random_layers import COVARIANCES, DrawnLayers, about_means

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


@pytest.mark.parametrize("activations", [("relu", "relu"), ("relu", "sign"), ("sigmoid", "relu", "tanh")])
def test_hidden_means_enter_every_neuron(activations):
    """Above an activation with a mean: within the O(1/D) of fields that are nearly Gaussian, and far from what no mean would give."""
    drawn = ge.RandomGenerator(activations).draw(300, np.random.default_rng(0))
    sampled = ge.FunctionGenerator(drawn.outputs, 150, tolerance=0.02).moments()
    found = drawn.moments()
    size, spread = np.linalg.norm(sampled.omega), np.sqrt(np.trace(sampled.omega))
    assert np.linalg.norm(found.omega - sampled.omega) < 0.12 * size
    assert np.linalg.norm(found.phi - sampled.phi) < 0.08 * spread
    assert np.abs(found.mean - sampled.mean).max() < 0.05 * np.sqrt(sampled.omega.max())
    assert np.linalg.norm(sampled.mean) > 0.3 * spread


def test_the_series_about_means_is_that_of_gaussian_fields():
    """relu of fields with a mean: third order against quadrature at a correlation of 0.3, and against the closed kernel without a mean."""
    relu = get("relu")
    centre, scale, rho = np.array([0.4, -0.6]), np.array([1.1, 0.8]), 0.3
    P = np.array([[1.21, rho * 0.88], [rho * 0.88, 0.64]])
    z, w = np.polynomial.legendre.leggauss(400)
    z, w = 9 * z, 9 * w
    u, v = np.meshgrid(z, z)
    density = np.exp(-(u**2 - 2 * rho * u * v + v**2) / (2 * (1 - rho**2))) / (2 * np.pi * np.sqrt(1 - rho**2)) * np.outer(w, w)
    first, second = np.maximum(centre[0] + scale[0] * u, 0), np.maximum(centre[1] + scale[1] * v, 0)
    covariance = (density * first * second).sum() - (density * first).sum() * (density * second).sum()
    assert about_means(relu, centre, scale, P)[0, 1] == pytest.approx(covariance, rel=2e-3)
    plain = kernel_of(relu).product(P.copy(), np.diag(P).copy(), np.diag(P).copy())[0, 1] - scale.prod() / (2 * np.pi)
    assert about_means(relu, 0 * centre, scale, P)[0, 1] == pytest.approx(plain, rel=2e-3)


def test_the_linear_recursion_is_offered_and_is_right_as_layers_grow():
    errors = []
    for N in (60, 600):
        found = [ge.RandomGenerator(("erf", "erf"), covariance=kind).draw(N, np.random.default_rng(1)).moments() for kind in COVARIANCES]
        assert np.allclose(found[0].phi, found[1].phi, rtol=1e-3, atol=1e-3)
        assert np.allclose(np.diag(found[0].omega), np.diag(found[1].omega), rtol=1e-2)
        errors.append(np.linalg.norm(found[0].omega - found[1].omega) / np.linalg.norm(found[0].omega))
    assert 0 < errors[1] < 0.5 * errors[0] < 0.05
    with pytest.raises(ge.ArgumentError, match="`covariance`"):
        ge.RandomGenerator("sign", covariance="exact")


@pytest.mark.parametrize("activation", ["sign", "erf"])
def test_odd_layers_have_the_kernel_at_every_depth(activation):
    """No mean, hence no series: the arcsine law, and its like for erf, of the realised fields."""
    drawn = ge.RandomGenerator((activation, activation)).draw(20, np.random.default_rng(0))
    below = DrawnLayers(drawn.activations[:1], drawn.weights[:1], 10, 10)
    P = drawn.weights[1] @ below.moments().omega @ drawn.weights[1].T
    spread = np.diag(P)
    exact = kernel_of(get(activation)).product(P.copy(), spread.copy(), spread.copy())
    off = ~np.eye(20, dtype=bool)
    assert drawn.moments().omega[off] == pytest.approx(exact[off], rel=1e-9, abs=1e-12)
