r"""Averages over labels and student fields that close the saddle point of any convex loss, with their exact derivatives.

Student field on a fresh row omega = c + sqrt(q) xi, target field omega* = b0 + (m/sqrt q) xi of remaining variance V* (label noise sits
in the channel), g = (prox_V(omega) - omega)/V. Four averages (Loureiro et al. 2021, with offset b0 and intercept c):

    square = E sum_y Z0 g^2,   field = E sum_y Z0' g,   score = E sum_y Z0 g,   response = -E sum_y Z0 dg/domega,

so that qhat = load square, mhat = load field, Vhat = load response (load = n/p), and score = 0 fixes an intercept. For labels there is also
radial = E sum_y Z0 g (omega - c) = m field - q response, without the cancellation of that difference. Derivatives use d g/d V = g
dg/domega (the Moreau envelope obeys Burgers' equation), d Z0/d V* = Z0''/2 (heat equation), and Stein's form of the response, so that
no second derivative of the loss appears and kinks are exact.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.numerics.panels import ORDER, normal_about, normal_panels

# directions of the derivatives, the last axis of `jacobian`
V_, Q_, M_, C_, RHO_, B0_ = range(6)
SQUARE, FIELD, SCORE, RESPONSE, RADIAL = range(5)
CANCELLED = 1e-14  # of a difference of two numbers, what rounding leaves


class Fields(NamedTuple):
    """Scalars of the joint law of student and target fields, one entry for each point.

    rest = Var(target field | student field) and misfit = Var(target - student field), label noise apart, are given because the
    differences rho - m^2/q and rho + q - 2 m lose their digits.
    """

    V: FloatArray
    q: FloatArray
    m: FloatArray
    c: FloatArray
    b0: FloatArray
    rest: FloatArray
    misfit: FloatArray

    def take(self, index: Any) -> Fields:
        """Some of the points."""
        return Fields(*(value[index] for value in self))


class Averages(NamedTuple):
    """value (points, 4 or 5): square, field, score, response, for labels radial; jacobian (points, 4 or 5, 6): by V, q, m, c, rho, b0.

    `terms`, for labels, is the size of the terms that cancel in radial.
    """

    value: FloatArray
    jacobian: FloatArray
    terms: FloatArray | None = None


def about_mean(averages: Averages) -> Averages:
    """Var g in place of E g^2, which it equals where an intercept makes E g vanish.

    On the way there E g^2 grows with the square of the error in the intercept. Where nearly all labels are alike it is far smaller at the
    solution than just beside it, and its logarithm far from linear; the variance knows of no intercept to first order.
    """
    value, jacobian = averages.value.copy(), averages.jacobian.copy()
    square, mean = averages.value[:, SQUARE], averages.value[:, SCORE]
    left = square - mean * mean
    known = left > CANCELLED * square  # else rounding
    value[:, SQUARE] = np.where(known, left, CANCELLED * square)
    slope = jacobian[:, SQUARE]
    jacobian[:, SQUARE] = np.where(known[:, None], slope - 2 * mean[:, None] * jacobian[:, SCORE], CANCELLED * slope)
    return averages._replace(value=value, jacobian=jacobian)


def binary_averages(loss: Any, channel: Any, classes: Any, at: Fields, order: int = ORDER) -> Averages:
    """Labels -1 and +1; `classes` lists (label, weight of its loss, factor on its probability)."""
    value, jacobian = np.zeros((at.V.size, 5)), np.zeros((at.V.size, 5, 6))
    root, slope = np.sqrt(at.q), at.m / np.sqrt(at.q)
    edges = channel.edges(at.rest)
    stein, terms = np.zeros(at.V.size), np.zeros(at.V.size)
    dstein = np.zeros((at.V.size, 6))
    dslope, droot, drest = _differentials(at, root, slope)
    for label, weight, factor in classes:
        nodes = normal_panels(_edges(loss, label, weight, at, root, slope, edges), order)
        xi = nodes.xi
        omega = at.c[:, None] + root[:, None] * xi
        g, h = loss.proximal(label, omega, weight * at.V[:, None])
        g, h = weight * g, weight * h
        p = channel.probability(label, at.b0[:, None] + slope[:, None] * xi, at.rest[:, None])
        mass = factor * nodes.weights
        f0, f1, f2, f3 = mass * p.value, mass * p.first, mass * p.second, mass * p.third
        value[:, SQUARE] += _sum(f0 * g, g)
        value[:, FIELD] += _sum(f1, g)
        value[:, SCORE] += _sum(f0, g)
        value[:, RESPONSE] -= _sum(f0, h)
        inner = f0 * xi * g
        stein += inner.sum(axis=1)
        terms += root * np.abs(inner).sum(axis=1)
        # sum of (f1 d omega* + f2/2 d V*) X + f0 dX over nodes, with d omega* = xi dslope + d b0 and dg = h (xi droot + d c) + (dg/dV) d V
        in_V = loss.slope_in_V(label, omega, at.V[:, None], g, h)
        f2g = f2 * g
        for row, weighted, target, spread in (
            (SQUARE, 2 * f0 * g, f1 * g * g, f2g * g),
            (SCORE, f0, f1 * g, f2g),
            (FIELD, f1, f2g, f3 * g),
            (-1, xi * f0, xi * f1 * g, xi * f2g),
        ):
            own = weighted * h
            part = _sum(target, xi)[:, None] * dslope + 0.5 * spread.sum(axis=1)[:, None] * drest + _sum(own, xi)[:, None] * droot
            part[:, C_] += own.sum(axis=1)
            part[:, B0_] += target.sum(axis=1)
            part[:, V_] += _sum(weighted, in_V)
            if row >= 0:
                jacobian[:, row] += part
            else:
                dstein += part
    value[:, RADIAL], jacobian[:, RADIAL] = root * stein, root[:, None] * dstein
    jacobian[:, RADIAL, Q_] += 0.5 * stein / root
    jacobian[:, RESPONSE] = _stein_response(at, root, stein, dstein, value[:, FIELD], jacobian[:, FIELD])
    return Averages(value, jacobian, terms)


def _differentials(at: Fields, root: FloatArray, slope: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Of slope = m/sqrt q, of omega = c + sqrt(q) xi (per xi) and of V* = rho - m^2/q."""
    dslope, droot, drest = np.zeros((3, at.V.size, 6))
    dslope[:, Q_], dslope[:, M_] = -0.5 * slope / at.q, 1 / root
    droot[:, Q_] = 0.5 / root
    drest[:, Q_], drest[:, M_], drest[:, RHO_] = slope**2 / at.q, -2 * slope / root, 1.0
    return dslope, droot, drest


def _stein_response(
    at: Fields, root: FloatArray, stein: FloatArray, dstein: FloatArray, field: FloatArray, dfield: FloatArray
) -> FloatArray:
    """Derivative of response = -(E xi Z0 g/sqrt q - (m/q) E Z0' g)."""
    ratio = at.m / at.q
    out = -(dstein / root[:, None] - ratio[:, None] * dfield)
    out[:, Q_] += 0.5 * stein / (root * at.q) - ratio / at.q * field
    out[:, M_] += field / at.q
    return out


def residual_averages(loss: Any, noise: float, at: Fields, weights: Any = ((1.0, 1.0),)) -> Averages:
    """Real labels y = field + sqrt(noise) z: one Gaussian residual r = omega - y of variance misfit + noise; mhat = Vhat.

    `weights` lists (weight of the loss, fraction of the samples).
    """
    spread = at.misfit + noise
    sigma = np.sqrt(spread)
    mu = at.c - at.b0
    dspread = np.zeros(6)
    dspread[[Q_, M_, RHO_]] = 1.0, -2.0, 1.0
    value, jacobian = np.zeros((at.V.size, 4)), np.zeros((at.V.size, 4, 6))
    for weight, fraction in weights:
        r, nodes = normal_about(mu, sigma, loss.breaks(weight * at.V))
        g, h = loss.proximal(0.0, r, weight * at.V[:, None])
        g, h = weight * g, weight * h
        mass, xi = fraction * nodes.weights, nodes.xi
        stein = _sum(mass * xi, g)
        value[:, SQUARE] += _sum(mass * g, g)
        value[:, SCORE] += _sum(mass, g)
        value[:, RESPONSE] -= _sum(mass, h)
        parts = np.zeros((at.V.size, 4, 6))
        for row, weighted in ((SQUARE, 2 * mass * g * h), (SCORE, mass * h), (RESPONSE, mass * xi * h)):
            part = parts[:, row]
            part += (0.5 * _sum(weighted, xi) / sigma)[:, None] * dspread
            part[:, C_] += weighted.sum(axis=1)
            part[:, B0_] -= weighted.sum(axis=1)
            part[:, V_] += _sum(weighted, g)
        parts[:, RESPONSE] = -(parts[:, RESPONSE] / sigma[:, None] - (0.5 * stein / (sigma * spread))[:, None] * dspread)
        jacobian += parts
    value[:, FIELD], jacobian[:, FIELD] = value[:, RESPONSE], jacobian[:, RESPONSE]
    return Averages(value, jacobian)


def _edges(
    loss: Any, label: float, weight: float, at: Fields, root: FloatArray, slope: FloatArray, channel_edges: FloatArray
) -> FloatArray:
    """Panel ends in xi that resolve the loss and the channel."""
    own = loss.breaks(weight * at.V)
    omega = label * own if loss.kind == "margin" else label + own
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):  # ends beyond the largest number are beyond the last panel
        student = (omega - at.c[:, None]) / root[:, None]
        target = (channel_edges - at.b0[:, None]) / slope[:, None]
    both = np.concatenate([student, target], axis=1)
    return np.nan_to_num(both, nan=0.0)


def _sum(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.einsum("pk,pk->p", a, b)
