"""Gaussian models of networks' fields and the controls on their rows and layers, term by term; erf layers have the arcsine kernel."""

from dataclasses import replace

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.algorithms.networks.gaussian_evidence import (
    GaussianModel,
    kernel_model,
    layer_controls,
    linear_model,
    row_controls,
    true_covariance,
)

NETWORK = ge.DeepNetwork(
    "erf",
    depth=2,
    widths=(4, 3),
    weight_variance=(1.5, 0.8),
    bias_variance=(0.3, 0.1),
    readout_variance=0.6,
    readout_bias_variance=0.2,
    noise=0.25,
)
ROWS = np.random.default_rng(0).standard_normal((5, 2)) + 0.3


def arcsine(h, weight, bias):
    """E erf(u) erf(u') for u of covariance weight h h'/k + bias."""
    c = weight * h @ h.T / h.shape[1] + bias
    own = np.sqrt(1 + 2 * np.diag(c))
    return 2 / np.pi * np.arcsin(2 * c / np.outer(own, own))


def test_kernels_of_all_layers_and_of_the_last():
    first = arcsine(ROWS, 1.5, 0.3)
    c = 0.8 * first + 0.1
    own = np.sqrt(1 + 2 * np.diag(c))
    second = 2 / np.pi * np.arcsin(2 * c / np.outer(own, own))
    model = kernel_model(NETWORK, ROWS, 3)
    np.testing.assert_allclose(model.joint, 0.6 * second + 0.2, rtol=1e-9)
    assert (model.n, model.noise) == (3, 0.25)
    sampled = NETWORK.sample(np.random.default_rng(1), 2)
    h = sampled.layers[0](ROWS @ sampled.weights[0] + sampled.biases[0])
    np.testing.assert_allclose(true_covariance(NETWORK, sampled, ROWS), 0.6 * arcsine(h, 0.8, 0.1) + 0.2, rtol=1e-9)
    flat = ge.DeepNetwork((), readout_variance=0.6, readout_bias_variance=0.2, noise=0.25)
    np.testing.assert_allclose(kernel_model(flat, ROWS, 3).joint, 0.6 * ROWS @ ROWS.T / 2 + 0.2, rtol=1e-12)


def test_the_linear_model_term_by_term():
    e = ge.Problem(ge.DeepNetwork("tanh", weight_variance=2, bias_variance=0.4, noise=0.25)).equivalent()
    e, centre = replace(e, effective_noise=np.array([0.35])), np.array([0.2, -0.7])
    x = ROWS - centre
    assert e.offset_variance > 0
    expected = e.slope2 * x @ x.T / 2 + e.offset_variance + 0.35 * np.eye(5)
    model = linear_model(e, ROWS, centre, 4)
    np.testing.assert_allclose(model.joint, expected, rtol=1e-12)
    assert (model.n, model.noise) == (4, 0.25)


def test_controls_of_rows():
    """sum |x|^2/d, sum (|x|^2/d - its mean)^2 and sum over pairs of (x.x'/d)^2, less their means for Gaussian rows."""
    w, mass, d = np.array([0.5, 2.0]), np.array([0.6, 0.4]), 2
    e = replace(ge.Problem(ge.DeepNetwork("tanh", noise=0.1)).equivalent(), eigenvalues=w, weights=mass, alignment=w**2)
    centre = np.array([0.2, -0.7])
    x = ROWS - centre
    first, second = 0.6 * 0.5 + 0.4 * 2, (0.6 * 0.25 + 0.4 * 4) / d
    squares = np.sum(x**2, axis=1) / d
    pairs = sum((x[i] @ x[j] / d) ** 2 for i in range(5) for j in range(5) if i != j)
    expected = [np.sum(squares - first), np.sum((squares - first) ** 2) - 2 * 5 * second, pairs - 20 * second]
    assert row_controls(e, ROWS, centre) == pytest.approx(expected, rel=1e-12)


def test_controls_of_layers():
    network = ge.DeepNetwork("erf", depth=3, widths=(4, 3, 6), weight_variance=(1.5, 0.8, 2.0), bias_variance=(0.3, 0.1, 0.0), noise=0.25)
    sampled, model = network.sample(np.random.default_rng(1), 2), kernel_model(network, ROWS, 5)
    inverse, h, expected = np.linalg.inv(model.joint + 0.25 * np.eye(5)), ROWS, []
    for layer, (weight, bias) in enumerate(((1.5, 0.3), (0.8, 0.1))):
        mean = arcsine(h, weight, bias)
        h = sampled.layers[layer](h @ sampled.weights[layer] + sampled.biases[layer])
        gram = h @ h.T / h.shape[1] - mean
        expected += [np.trace(gram), np.trace(inverse @ gram)]
    assert layer_controls(network, sampled, model, ROWS) == pytest.approx(expected, rel=1e-8)


def test_means_over_labels_of_another_covariance():
    rng = np.random.default_rng(2)
    a, b = rng.standard_normal((2, 6, 9))
    joint, truth, n, noise = a @ a.T / 9, b @ b.T / 9 + 0.2, 4, 0.3
    found = GaussianModel(joint, n, noise).expected(truth)
    C, M = joint[:n, :n] + noise * np.eye(n), truth[:n, :n] + noise * np.eye(n)
    B = joint[n:, :n] @ np.linalg.inv(C)
    assert found.log_evidence == pytest.approx(-0.5 * (np.linalg.slogdet(2 * np.pi * C)[1] + np.trace(np.linalg.solve(C, M))), rel=1e-12)
    error = np.diag(truth[n:, n:] - 2 * B @ truth[:n, n:] + B @ M @ B.T).mean()
    assert found.clean_error == pytest.approx(error, rel=1e-12)
    assert np.isnan(GaussianModel(joint[:n, :n], n, noise).expected(truth[:n, :n]).clean_error)
