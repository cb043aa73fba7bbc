r"""Averages of the saddle point for real labels of any law, and what is observed there.

With r = omega - y at the nodes of `residual_nodes`, Stein's lemma gives E Z0' g = (E[(nu - b0) g] + m E[-dg/domega])/rho and
E dg/domega = E[z g]/sigma, so that no second derivative of the loss is needed.

The square loss needs the label's mean mu, slope c1 and variance alone: with Q = E r^2 and k = 1/(1 + V), the averages are
k^2 Q, c1 k, k (mu - c) and k.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.channels.label_atoms import LabelAtoms
from gaussequiv.ingredients.channels.label_moments import LabelMoments
from gaussequiv.learners.convex.averages import C_, FIELD, M_, Q_, RESPONSE, SCORE, SQUARE, V_, Averages, Fields
from gaussequiv.learners.convex.residual_law import SHOWN, constants, residuals
from gaussequiv.learners.convex.residual_nodes import Residuals

Weights = tuple[tuple[float, float], ...]


def square_averages(moments: LabelMoments, bent: FloatArray, at: Fields, weights: Weights) -> Averages:
    """The square loss on labels of any law; `moments` at every point's b0, `bent` = Var E[y | field] - c1^2 rho."""
    mean, slope = moments.mean, moments.slope
    gap = at.c - mean
    Q = _structure_error(slope, at) + bent + moments.noise + gap**2
    value, jacobian = np.zeros((at.V.size, 4)), np.zeros((at.V.size, 4, 6))
    jacobian[:, :, 4:] = np.nan  # by rho and b0: the label law would change too
    for weight, fraction in weights:
        k = weight / (1 + weight * at.V)
        value[:, SQUARE] += fraction * k**2 * Q
        value[:, FIELD] += fraction * slope * k
        value[:, SCORE] -= fraction * k * gap
        value[:, RESPONSE] += fraction * k
        jacobian[:, SQUARE, V_] -= 2 * fraction * k**3 * Q
        jacobian[:, SQUARE, Q_] += fraction * k**2
        jacobian[:, SQUARE, M_] -= 2 * fraction * k**2 * slope
        jacobian[:, SQUARE, C_] += 2 * fraction * k**2 * gap
        jacobian[:, FIELD, V_] -= fraction * slope * k**2
        jacobian[:, SCORE, V_] += fraction * k**2 * gap
        jacobian[:, SCORE, C_] -= fraction * k
        jacobian[:, RESPONSE, V_] -= fraction * k**2
    return Averages(value, jacobian)


def label_averages(loss: Any, laws: list[LabelAtoms], at: Fields, weights: Weights) -> Averages:
    """Any loss of the residual; one law for every point. Values and derivatives by V, q, m and c, as in `averages`.

    A trial step may leave the finite numbers: there the averages are no numbers, which the solver refuses.
    """
    value, jacobian = np.full((at.V.size, 4), np.nan), np.full((at.V.size, 4, 6), np.nan)  # by rho and b0: the label law would change too
    known, found = residuals(loss, laws, at, weights)
    if known.size:
        rho = np.array([laws[i].variance or np.inf for i in known.tolist()])  # a field that does not vary: no student learns it
        value[known], jacobian[known, :, :4] = _averages(loss, found, at.take(known), rho, weights)
    return Averages(value, jacobian)


def _averages(loss: Any, found: Residuals, at: Fields, rho: FloatArray, weights: Weights) -> tuple[FloatArray, FloatArray]:
    """The four averages (points, 4) and their derivatives by V, q, m, c (points, 4, 4).

    dg/dV = g dg/domega; sigma^2 moves with q by 1 and with m by -2 m/rho, t with c by 1 and with m by (nu - b0)/rho.
    """
    sigma, m = found.sigma, at.m
    value, jacobian = np.zeros((sigma.size, 4)), np.zeros((sigma.size, 4, 4))
    for weight, fraction in weights:
        nodes = found.nodes(loss, weight * at.V)
        g, h = loss.proximal(0.0, nodes.r, (weight * at.V)[nodes.point])
        g, h = weight * g, weight * h
        gh = g * h
        plain, plain1, plain2, once, once1, twice = nodes.measures  # of 1, nu - b0, its square; times z; times z^2
        own, own1, slope, slope1, slope2, tilt, tilt1 = nodes.total(
            np.stack([plain * g, plain1 * g, plain * h, plain1 * h, plain2 * h, once * h, once1 * h])
        )
        first, bend, square, along, along1, leaning, cubic = nodes.total(
            np.stack([once * g, twice * h, plain * g * g, plain * gh, plain1 * gh, once * gh, plain * g * gh])
        )
        in_V, in_variance, in_m, in_c = (np.zeros((sigma.size, 4)) for _ in range(4))  # in_m, in_c: by t, sums of nu - b0 and of 1
        response = -slope
        in_c[:, RESPONSE], in_m[:, RESPONSE] = -tilt / sigma, -tilt1 / sigma
        in_variance[:, RESPONSE] = -bend / (2 * sigma**2) + first / (2 * sigma**3)
        in_V[:, RESPONSE] = -leaning / sigma
        in_c[:, SQUARE], in_m[:, SQUARE], in_variance[:, SQUARE], in_V[:, SQUARE] = 2 * along, 2 * along1, leaning / sigma, 2 * cubic
        in_c[:, SCORE], in_m[:, SCORE], in_variance[:, SCORE], in_V[:, SCORE] = slope, slope1, tilt / (2 * sigma), along
        in_c[:, FIELD], in_m[:, FIELD] = (slope1 + m * in_c[:, RESPONSE]) / rho, (slope2 + m * in_m[:, RESPONSE]) / rho
        in_variance[:, FIELD] = (tilt1 / (2 * sigma) + m * in_variance[:, RESPONSE]) / rho
        in_V[:, FIELD] = (along1 + m * in_V[:, RESPONSE]) / rho
        by_m = (in_m - 2 * m[:, None] * in_variance) / rho[:, None]
        by_m[:, FIELD] += response / rho
        value += fraction * np.stack([square, (own1 + m * response) / rho, own, response], axis=1)
        jacobian += fraction * np.stack([in_V, in_variance, by_m, in_c], axis=2)
    return value, jacobian


def untrained(loss: Any, laws: list[LabelAtoms], weights: Weights, c: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """E g^2, E Z0' g and E dl/dz of the student z = c, for which g = -dl/dz, one law for every c."""
    nodes = constants(laws, c).nodes(loss, np.full(c.size, SHOWN))
    variance = np.array([law.variance or np.inf for law in laws])
    slope = loss.slope(0.0, nodes.r)
    mean, second = sum(w * f for w, f in weights), sum(w * w * f for w, f in weights)
    own, along, square = nodes.total(np.stack([nodes.measures[0] * slope, nodes.measures[1] * slope, nodes.measures[0] * slope**2]))
    return second * square, -mean * along / variance, mean * own


def label_errors(moments: LabelMoments, bent: FloatArray, at: Fields) -> dict[str, FloatArray]:
    """test_error and clean_error (squared), without the difference of nearly equal numbers; arguments as in `square_averages`."""
    clean = _structure_error(moments.slope, at) + bent + (at.c - moments.mean) ** 2
    return {"test_error": clean + moments.noise, "clean_error": clean}


def _structure_error(slope: FloatArray, at: Fields) -> FloatArray:
    """Var(student field - slope times the target field); q where the target's field does not vary."""
    rho = at.rest + at.m**2 / at.q
    varies = rho > 0
    whole = np.where(varies, rho, 1.0)
    return np.where(varies, at.rest / whole, 1.0) * at.q + (at.m / whole - slope) ** 2 * rho


def label_losses(loss: Any, laws: list[LabelAtoms], at: Fields, weights: Weights) -> dict[str, FloatArray]:
    """train_error, test_loss and train_loss."""
    out = {name: np.full(at.V.size, np.nan) for name in ("train_error", "test_loss", "train_loss")}
    known, found = residuals(loss, laws, at, weights)
    if not known.size:
        return out
    fresh = found.nodes(loss, np.full(known.size, SHOWN), every=False)
    out["test_loss"][known] = fresh.total(fresh.measures[0] * loss.value(0.0, fresh.r))
    out["train_error"][known] = out["train_loss"][known] = 0.0
    for weight, fraction in weights:
        V = weight * at.V[known]
        nodes = found.nodes(loss, V, every=False)
        v = V[nodes.point]
        fitted = nodes.r + v * loss.proximal(0.0, nodes.r, v)[0]
        out["train_error"][known] += fraction * nodes.total(nodes.measures[0] * fitted**2)
        out["train_loss"][known] += fraction * weight * nodes.total(nodes.measures[0] * loss.value(0.0, fitted))
    return out
