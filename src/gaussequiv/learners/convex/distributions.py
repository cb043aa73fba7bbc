"""Distributions over rows: margins of training and fresh labels, and the calibration curve of a probability."""

from __future__ import annotations

import numpy as np

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.equivalence.offsets import FINER
from gaussequiv.errors import ArgumentError, FloatArray, array
from gaussequiv.learners.base import Learner
from gaussequiv.learners.convex.averages import Fields
from gaussequiv.learners.convex.erm import ERM
from gaussequiv.learners.convex.model import Model
from gaussequiv.learners.convex.routes import Routes
from gaussequiv.learners.convex.scores import Observables, score_nodes


def curve_distributions(
    learner: Learner,
    e: GaussianEquivalent,
    alpha: FloatArray,
    lam: FloatArray,
    margins: FloatArray | None,
    probabilities: FloatArray | None,
) -> Observables:
    r"""P(y z <= margin) on fresh and on training rows, and P(y = +1 | predicted probability), averaged over the offset's law.

    A training row's field is the proximal point x of its cavity field omega = x + V dl/dx, so that P(y x <= t) = P(y omega <= t + V l'(t)).
    lam holds the penalties of the curve, all positive. Shapes (alpha, margin) and (alpha, probability).
    """
    if np.any(lam <= 0):
        raise ArgumentError(f"Argument `lam` must be positive for distributions over rows, but lam={float(np.min(lam)):g}.")
    risk = learner.risk
    if risk is None or not learner.gives.margins:
        raise ArgumentError(
            f"Argument `margins` or `probabilities` needs ridge or convex learners without `tune`, but learner={learner.label}."
        )
    erm = ERM(risk.loss, penalty=risk.penalty, intercept=risk.intercept, class_weight=risk.class_weight, sample_weight=risk.sample_weight)
    model = Model(erm, e, FINER)
    nodes = model.b0.size
    at = model.points(alpha, lam)
    fields = Routes(model).solve(at).fields
    out: Observables = {}
    if margins is not None:
        t = array("margins", margins, ndim=1)
        for name, V in (("test_margin_cdf", np.zeros_like(fields.V)), ("train_margin_cdf", fields.V)):
            out[name] = np.stack([_margin(model, fields, V, value) for value in t], axis=1)
    if probabilities is not None:
        p = array("probabilities", probabilities, ndim=1)
        if not model.loss.gives_probability:
            raise ArgumentError(
                f"Argument `probabilities` needs a loss that gives them, such as logistic, but the loss is {model.loss.name}."
            )
        z = np.log(p) - np.log1p(-p)
        target = fields.b0[:, None] + (fields.m / fields.q)[:, None] * (z - fields.c[:, None])
        out["calibration"] = model.channel.up(target, fields.rest[:, None]).value
    return {name: np.einsum("anx,n->ax", value.reshape(alpha.size, nodes, -1), model.mass) for name, value in out.items()}


def _margin(model: Model, at: Fields, V: FloatArray, t: float) -> FloatArray:
    """P(y x <= t); classes repeat where both labels are alike."""
    total = np.zeros_like(at.q)
    for label, weight, factor in model.classes:
        x = np.full_like(at.q, label * t)
        outer = label * model.loss.slope(label, np.nextafter(x, np.inf * label))  # the whole atom at a kink counts
        limit = t + weight * V * outer
        nodes, omega, target = score_nodes(model.channel, at, (label * limit)[:, None])
        p = factor * nodes.weights * model.channel.probability(label, target, at.rest[:, None]).value
        total += (p * (label * omega <= limit[:, None])).sum(axis=1)
    return total
