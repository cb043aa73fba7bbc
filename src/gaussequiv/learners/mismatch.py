r"""The posterior mean of a learner that misjudges the target: another noise, signal or label law than the true one.

State evolution of message passing tuned to the assumed model and run on the true labels: the saddle point of `saddle_point` with g = d
log Z'/d omega of the assumed channel in the place of a proximal map and lam = 1/s', the assumed prior precision. With the true model it
gives m = q (Nishimori). Replica-symmetric result; a log-concave assumed posterior (sign, probit, logit labels) has no other solution.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from gaussequiv.equivalence.depth import reduce_depth
from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.binary import sign_error
from gaussequiv.learners.averages import Averages, Fields, binary_averages
from gaussequiv.learners.modes import QuadraticStudent
from gaussequiv.learners.saddle_point import SaddlePoint

Observables = dict[str, FloatArray]


def assumed_equivalent(e: GaussianEquivalent, network: Any) -> GaussianEquivalent:
    """What the learner believes: the equivalent of `network` on the same inputs, with the true target's offset."""
    w = e.eigenvalues
    mean = float(e.weights @ w)
    believed = reduce_depth(network, mean, e.input_mean_square)
    return replace(
        e,
        alignment=believed.slope2 * w**2,
        signal_variance=believed.slope2 * mean,
        effective_noise=np.array(believed.noise, dtype=np.float64),
        channel=network.channel,
        layers=believed.layers,
    )


class Posterior:
    """g of the assumed channel, in the shape of a loss for `binary_averages`."""

    kind = "margin"
    name = "posterior"

    def __init__(self, channel: Any, extra: float) -> None:
        self.channel, self.extra = channel, extra

    def breaks(self, V: FloatArray) -> FloatArray:
        """Panel ends that resolve the assumed channel, in y omega."""
        edges: FloatArray = self.channel.edges(np.asarray(V) + self.extra)
        return edges

    def proximal(self, y: float, omega: FloatArray, V: FloatArray) -> tuple[FloatArray, FloatArray]:
        """g and dg/domega."""
        g, h = self.channel.g_out(np.full_like(omega, y), omega, V + self.extra)
        return g, h

    def slope_in_V(self, y: float, omega: FloatArray, V: FloatArray, g: FloatArray, h: FloatArray) -> FloatArray:
        """dg/dV = g''/2 + g g', by the heat equation of Z'."""
        p = self.channel.probability(y, omega, V + self.extra)
        third = p.third / np.maximum(p.value, 1e-300)
        return 0.5 * (third - 3 * g * h - g**3) + g * h


def mismatched_labels(e: GaussianEquivalent, believed: GaussianEquivalent, alpha: FloatArray) -> Observables:
    """Curve on binary labels, averaged over the true target's offset, which is learned at no cost."""
    b0, mass = e.offset_nodes()
    points = alpha.size * b0.size
    offsets = np.tile(b0, alpha.size)
    posterior = Posterior(believed.channel, believed.model_noise)
    classes = ((1.0, 1.0, 1.0), (-1.0, 1.0, 1.0))

    def average(at: Fields, index: Any) -> Averages:
        return binary_averages(posterior, e.channel, classes, at, 16)

    signal = float(e.weights @ e.signal_modes)
    precision = 1 / max(believed.slope2, 1e-300)
    saddle = SaddlePoint(
        QuadraticStudent(e), average, np.repeat(alpha, b0.size), np.full(points, precision), offsets, intercept=False, signal=signal > 0
    )
    saddle.constant = offsets
    start = np.zeros((points, 4))
    start[:, :3] = np.log(np.repeat(alpha, b0.size) / 4)[:, None]
    found = saddle.solve(start)
    f = found.fields
    rho = np.full(points, signal + e.model_noise)

    def averaged(values: FloatArray) -> FloatArray:
        return values.reshape(alpha.size, b0.size) @ mass

    test = averaged(e.channel.disagreement(f.c, f.q, f.m, f.b0, rho))
    floor = np.full_like(alpha, e.floor)
    return {
        "test_error": test,
        "clean_error": averaged(sign_error(f.c, f.q, f.m, f.b0, rho)),
        "floor": floor,
        "excess_over_floor": test - floor,
        "m": averaged(f.m),
        "q": averaged(f.q),
        "V": averaged(f.V),
        "status": found.status.reshape(alpha.size, -1).max(axis=1),
        "steps": found.steps.reshape(alpha.size, -1).max(axis=1),
        "residual": found.residual.reshape(alpha.size, -1).max(axis=1),
    }
