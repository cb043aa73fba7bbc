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
from gaussequiv.errors import FloatArray, fail
from gaussequiv.ingredients.channels.binary import sign_error
from gaussequiv.learners.convex.averages import Averages, Fields, binary_averages
from gaussequiv.learners.convex.model import SILENT
from gaussequiv.learners.convex.modes import QuadraticStudent
from gaussequiv.learners.convex.saddle_point import LOGS, SaddlePoint, SolvedPoints
from gaussequiv.learners.convex.scores import area_under_curve, score_nodes

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


class AssumedScore:
    """g of the assumed channel, in the shape of a loss for `binary_averages`."""

    kind = "margin"
    name = "posterior"

    def __init__(self, channel: Any, extra: float) -> None:
        self.channel, self.extra = channel, extra

    def breaks(self, V: FloatArray) -> FloatArray:
        """Panel ends that resolve the assumed channel, in y omega."""
        edges: FloatArray = self.channel.edges(np.asarray(V) + self.extra)
        return edges if self.channel.mirrored else np.concatenate([edges, -edges], axis=-1)  # panels are in y omega, edges in omega

    def proximal(self, y: float, omega: FloatArray, V: FloatArray) -> tuple[FloatArray, FloatArray]:
        """g and dg/domega."""
        g, h = self.channel.g_out(np.full_like(omega, y), omega, V + self.extra)
        return g, h

    def slope_in_V(self, y: float, omega: FloatArray, V: FloatArray, g: FloatArray, h: FloatArray) -> FloatArray:
        """dg/dV = g''/2 + g g', by the heat equation of Z'."""
        p = self.channel.probability(y, omega, V + self.extra)
        third = p.third / np.maximum(p.value, 1e-300)
        return 0.5 * (third - 3 * g * h - g**3) + g * h


def solve_labels(e: GaussianEquivalent, believed: GaussianEquivalent, alpha: FloatArray) -> SolvedPoints:
    """The saddle point on binary labels at every (alpha, b0), in this order; the true target's offset is learned at no cost."""
    b0, _ = e.offset_nodes()
    offsets = np.tile(b0, alpha.size)
    score = AssumedScore(believed.channel, believed.model_noise)
    classes = ((1.0, 1.0, 1.0), (-1.0, 1.0, 1.0))

    def average(at: Fields, index: Any) -> Averages:
        return binary_averages(score, e.channel, classes, at, 16)

    linear = float(e.weights @ e.signal_modes)
    slope = e.channel.probability(1.0, b0, np.full_like(b0, linear + e.model_noise)).first
    # labels whose probability does not move with the field to first order leave m at 0, where its logarithm would hang on rounding
    signal = linear > 0 and bool(np.any(np.abs(slope) * np.sqrt(linear + e.model_noise) > SILENT))
    precision = np.full(offsets.size, 1 / max(believed.slope2, 1e-300))
    load = np.repeat(alpha, b0.size)  # raw inputs: n/p = n/d
    saddle = SaddlePoint(QuadraticStudent(e), average, load, precision, offsets, intercept=False, signal=signal, constant=offsets)
    start = np.zeros((offsets.size, 4))
    start[:, LOGS] = np.log(load / 4)[:, None]
    return saddle.solve(start)


def mismatched_labels(e: GaussianEquivalent, believed: GaussianEquivalent, alpha: FloatArray) -> Observables:
    """Curve on binary labels, averaged over the true target's offset."""
    _, mass = e.offset_nodes()
    found = solve_labels(e, believed, alpha)
    f = found.fields
    rho = np.full(f.q.size, float(e.weights @ e.signal_modes) + e.model_noise)

    def averaged(values: FloatArray) -> FloatArray:
        return values.reshape(alpha.size, mass.size) @ mass

    test = averaged(e.channel.disagreement(f.c, f.q, f.m, f.b0, rho))
    floor = np.full_like(alpha, e.floor)
    scores = {name: averaged(value) for name, value in posterior_scores(e, believed, f).items()}
    return scores | {
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


def posterior_scores(e: GaussianEquivalent, believed: GaussianEquivalent, at: Fields) -> Observables:
    """AUC, log-loss, Brier score and calibration error of the believed predictive probability P'(y | N(z, V + its noise))."""
    spread = at.V + believed.model_noise
    with np.errstate(divide="ignore"):
        breaks = at.c[:, None] + believed.channel.edges(spread)
    nodes, omega, target = score_nodes(e.channel, at, breaks)
    up, down = (p.value for p in e.channel.both(target, at.rest[:, None]))
    said, unsaid = (np.maximum(p.value, 1e-300) for p in believed.channel.both(omega, spread[:, None]))
    return {
        "auc": area_under_curve(e.channel, at),
        "log_loss": -(nodes.weights * (up * np.log(said) + down * np.log(unsaid))).sum(axis=1),
        "brier": (nodes.weights * ((said - up) ** 2 + up * down)).sum(axis=1),
        "calibration_error": (nodes.weights * np.abs(said - up)).sum(axis=1),
    }


def posterior_label_scores(e: GaussianEquivalent, believed: GaussianEquivalent, alpha: FloatArray, status: FloatArray) -> Observables:
    """What `solve(..., scores=True)` adds for a posterior mean on binary labels; `status` is that of its curve."""
    if e.channel.direction != 1:
        raise fail("scores", "False for the Bayes-optimal learner of labels whose probability does not rise with the field", True)
    _, mass = e.offset_nodes()
    found = solve_labels(e, believed, alpha)
    worst = np.maximum(status, found.status.reshape(alpha.size, mass.size).max(axis=1))
    scores = posterior_scores(e, believed, found.fields)
    return {name: value.reshape(alpha.size, mass.size) @ mass for name, value in scores.items()} | {"status": worst}
