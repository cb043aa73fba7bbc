r"""Gaussian models of a deep network's fields: exact evidence and predictions on any data, and their means over deep networks' data.

A model is the covariance J of the fields at n training rows and at fresh rows. With C = J_nn + noise I and B = J_fn C^{-1},

    log Z = log N(y; 0, C),   prediction = B y,

and if the fields have covariance M instead (given rows and all layers but the last: nothing else about them matters),

    E log Z = -(n log 2 pi + log det C + tr C^{-1} (M_nn + noise I))/2,   E error = diag(M_ff - 2 B M_nf + B (M_nn + noise I) B').

Exact; M is the kernel of the last layer at the outputs of the layer below.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from scipy import linalg

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.features.kernels import NNGP
from gaussequiv.ingredients.targets.deep_network import DeepNetwork, SampledNetwork


class Expected(NamedTuple):
    """Means over labels: log-evidence in nats, and mean squared error against the noiseless label at the fresh rows."""

    log_evidence: float
    clean_error: float


@dataclass(frozen=True, eq=False)
class GaussianModel:
    """Fields at n training rows and then fresh rows, of covariance `joint`, with label noise.

    Parameters
    ----------
    joint : array of shape (n + rows, n + rows)
    n : int
    noise : float

    Examples
    --------
    >>> model = GaussianModel(np.eye(3) + 1.0, 2, 0.5)
    >>> model.prediction(np.ones(2)).round(6).tolist()
    [0.571429]
    """

    joint: FloatArray
    n: int
    noise: float

    @cached_property
    def _root(self) -> FloatArray:
        return linalg.cholesky(self.joint[: self.n, : self.n] + self.noise * np.eye(self.n), lower=True)

    @cached_property
    def _logdet(self) -> float:
        return 2 * float(np.log(np.diag(self._root)).sum()) + self.n * float(np.log(2 * np.pi))

    @cached_property
    def _weights(self) -> FloatArray:
        return linalg.cho_solve((self._root, True), self.joint[: self.n, self.n :]).T

    def log_evidence(self, y: FloatArray) -> float:
        """log N(y; 0, C)."""
        half = linalg.solve_triangular(self._root, y, lower=True)
        return -0.5 * (float(half @ half) + self._logdet)

    def prediction(self, y: FloatArray) -> FloatArray:
        """Posterior means of the fields at the fresh rows."""
        return self._weights @ y

    def trace(self, matrix: FloatArray) -> float:
        """tr C^{-1} matrix."""
        return float(np.trace(linalg.cho_solve((self._root, True), matrix)))

    def expected(self, truth: FloatArray) -> Expected:
        """Means over labels whose fields have covariance `truth` (the model's own: `joint`)."""
        n, b = self.n, self._weights
        labels = truth[:n, :n] + self.noise * np.eye(n)
        square = np.einsum("ij,jk,ik->i", b, labels, b, optimize=True)
        error = np.diag(truth)[n:] - 2 * np.einsum("ij,ij->i", b, truth[n:, :n]) + square
        return Expected(-0.5 * (self.trace(labels) + self._logdet), float(error.mean()) if error.size else np.nan)


def linear_model(equivalent: GaussianEquivalent, rows: FloatArray, centre: FloatArray, n: int) -> GaussianModel:
    """The Gaussian equivalent: K0 11' + s (x - m)(x - m)'/d + tau0 I."""
    x = rows - centre
    joint = equivalent.slope2 * (x @ x.T) / x.shape[1] + equivalent.offset_variance + equivalent.model_noise * np.eye(len(x))
    return GaussianModel(joint, n, equivalent.channel.noise)


def kernel_model(network: DeepNetwork, rows: FloatArray, n: int) -> GaussianModel:
    """The network of infinite width: the Gaussian model with its mean covariance to leading order in 1/width."""
    return GaussianModel(_kernel(network, rows, 0), n, network.channel.noise)


def true_covariance(network: DeepNetwork, sampled: SampledNetwork, rows: FloatArray) -> FloatArray:
    """Covariance of the fields of a finite network given the layers below the last (of which `sampled` is a draw)."""
    h = rows
    for activation, weight, bias in zip(sampled.layers[:-1], sampled.weights[:-1], sampled.biases[:-1], strict=True):
        h = activation(h @ weight + bias)
    return _kernel(network, h, max(len(network.layers) - 1, 0))


def row_controls(equivalent: GaussianEquivalent, rows: FloatArray, centre: FloatArray) -> list[float]:
    """Functions of the rows with known means, minus these: sum |x|^2/d, sum (|x|^2/d)^2 and sum (x.x'/d)^2 over pairs (Gaussian inputs)."""
    x = rows - centre
    n, d = x.shape
    first = float(equivalent.weights @ equivalent.eigenvalues)
    second = float(equivalent.weights @ equivalent.eigenvalues**2) / d
    overlaps = x @ x.T / d
    own = np.diag(overlaps) - first
    pairs = float((overlaps**2).sum() - (np.diag(overlaps) ** 2).sum())
    return [float(own.sum()), float((own**2).sum()) - 2 * n * second, pairs - n * (n - 1) * second]


def layer_controls(network: DeepNetwork, sampled: SampledNetwork, model: GaussianModel, rows: FloatArray) -> list[float]:
    """tr G and tr C^{-1} G for every layer below the last: G, the outputs' Gram matrix minus its mean given the layer below, has mean 0."""
    found, h = [], rows
    for layer, (activation, weight, bias) in enumerate(zip(sampled.layers[:-1], sampled.weights[:-1], sampled.biases[:-1], strict=True)):
        here = slice(layer, layer + 1)
        mean = NNGP(network.layers[here], weight_variance=network.weight_variance[here], bias_variance=network.bias_variance[here]).block(h)
        h = activation(h @ weight + bias)
        gram = h @ h.T / h.shape[1] - mean
        found += [float(np.trace(gram)), model.trace(gram)]
    return found


def _kernel(network: DeepNetwork, rows: FloatArray, below: int) -> FloatArray:
    """Kernel of the layers above the lowest `below` ones."""
    readout: dict[str, Any] = {"readout_variance": network.readout_variance, "readout_bias_variance": network.readout_bias_variance}
    if not network.layers:
        return network.readout_variance * (rows @ rows.T) / rows.shape[1] + network.readout_bias_variance
    variances = {"weight_variance": network.weight_variance[below:], "bias_variance": network.bias_variance[below:]}
    return NNGP(network.layers[below:], **variances, **readout).block(rows)
