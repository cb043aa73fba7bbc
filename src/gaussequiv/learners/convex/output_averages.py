r"""Averages of the saddle point for real labels of any law, and what is observed there.

Given the target field nu ~ N(b0, rho) and its label y, the student's field on a fresh row is Gaussian of mean c + (m/rho)(nu - b0) and
variance q - m^2/rho. So the residual r = omega - y is t + sigma z with one t for every pair of field and label (`label_atoms`; labels y =
f(nu) + sqrt(noise) z have one pair for every field, and sigma^2 = q - m^2/rho + noise). Panels in r that end at the breaks of the loss
serve all t within a few sigma of each other: the loss is asked there alone, and every t brings its normal density. Where pairs are
many, E g(t + sigma z), smooth on the scale sigma at the breaks, is interpolated between nodes in t: pairs are replaced by weights of
those nodes. By Stein, E Z0' g = (E[(nu - b0) g] + m E[-dg/domega])/rho, and E dg/domega = E[z g]/sigma, so that no second derivative
of the loss is needed.

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
from gaussequiv.numerics.panels import legendre_panels, shared_panels

LEAST = 1e-12  # standard deviation of r given t that rounding leaves
INNER, DIRECT = 12, 400  # order of the inner rule; pairs up to which nothing is interpolated
_NODES = 16
_LEGENDRE, _ = np.polynomial.legendre.leggauss(_NODES)
_INTERPOLATE = np.linalg.inv(np.polynomial.legendre.legvander(_LEGENDRE, _NODES - 1))
_NEAR = np.array([-10.0, -6.0, -4.0, -2.5, -1.2, 0.0, 1.2, 2.5, 4.0, 6.0, 10.0])
_FAR = np.concatenate([np.arange(0.0, 4.0), 4.0 * 1.4 ** np.arange(0, 40)])
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
    """Any loss of the residual; one law for every point. Values and derivatives by V, q, m and c, as in `averages`."""
    value, jacobian = np.empty((at.V.size, 4)), np.full((at.V.size, 4, 6), np.nan)  # nan by rho and b0: the label law would change too
    for i, law in enumerate(laws):  # one point at a time: the rule is two-dimensional
        one = _Point(loss, law, weights, at.take(slice(i, i + 1)))
        # a trial step may leave the finite numbers: the solver refuses what is not a number
        value[i], jacobian[i, :, :4] = one.averages() if one.finite else (np.nan, np.nan)
    return Averages(value, jacobian)


class _Point:
    """Nodes of t and sigma at one point."""

    def __init__(self, loss: Any, law: LabelAtoms, weights: Weights, at: Fields) -> None:
        self.loss, self.law, self.weights = loss, law, weights
        self.V, self.q, self.m, c = (float(part[0]) for part in (at.V, at.q, at.m, at.c))
        rho = float(at.rest[0]) + self.m**2 / self.q
        within = float(at.rest[0]) + law.variance - rho  # V* with the noise inside the label's function
        free, drift = (within / law.variance, self.m / law.variance) if law.variance > 0 else (1.0, 0.0)  # a field that does not vary
        with np.errstate(invalid="ignore"):
            self.sigma = float(np.sqrt(free * self.q + law.noise)) + LEAST
        self.finite = bool(np.isfinite([self.sigma, self.V, drift, c]).all())
        if not self.finite:
            return
        t = c + drift * law.centred - law.label
        moments = law.mass * law.centred ** np.arange(3)[:, None]
        if t.size > DIRECT:
            t, moments = projected(t, moments, _edges(loss, [w * self.V for w, _ in weights], self.sigma, float(t.min()), float(t.max())))
        self.t, self.moments = t, moments  # sums of 1, nu - b0 and its square over the pairs behind every t

    def law_of_residuals(self, V: float) -> tuple[FloatArray, FloatArray]:
        """r, shape (nodes,), and sums over t of E z^k times 1, nu - b0 and its square, shape (k = 0..2, 3, nodes)."""
        breaks = self.loss.breaks(np.full(1, V))[0]
        return law_of_residuals(self.t, self.moments, self.sigma, breaks[np.isfinite(breaks)])

    def averages(self) -> tuple[FloatArray, FloatArray]:
        """The four averages (4,) and their derivatives by V, q, m, c (4, 4).

        dg/dV = g dg/domega; sigma^2 moves with q by 1 and with m by -2 m/rho, t with c by 1 and with m by (nu - b0)/rho.
        """
        sigma, m = self.sigma, self.m
        rho = self.law.variance or np.inf  # E Z0' g of a field that does not vary is of no use: no student learns it
        value, jacobian = np.zeros(4), np.zeros((4, 4))
        for weight, fraction in self.weights:
            r, sums = self.law_of_residuals(weight * self.V)
            g, h = self.loss.proximal(0.0, r, np.full_like(r, weight * self.V))
            g, h = weight * g, weight * h

            def mean(values: FloatArray, power: int = 0, sums: FloatArray = sums) -> FloatArray:
                """Sums of 1, nu - b0 and its square times E z^power values."""
                return sums[power] @ values

            own, slope, tilt = mean(g), mean(h), mean(h, 1)  # E g, E h and 2 sigma d E g/d sigma^2
            gh = g * h
            first, square, along = mean(g, 1), mean(g * g), mean(2 * gh)
            in_t = np.zeros((4, 2))  # derivatives by t: sums of 1 and of nu - b0
            in_variance, in_V = np.zeros(4), np.zeros(4)
            response = -float(slope[0])
            in_t[RESPONSE] = -mean(h, 1)[:2] / sigma
            in_variance[RESPONSE] = -float(mean(h, 2)[0]) / (2 * sigma**2) + float(first[0]) / (2 * sigma**3)
            in_V[RESPONSE] = -float(mean(gh, 1)[0]) / sigma
            in_t[SQUARE], in_variance[SQUARE], in_V[SQUARE] = along[:2], mean(gh, 1)[0] / sigma, mean(2 * g * gh)[0]
            in_t[SCORE], in_variance[SCORE], in_V[SCORE] = slope[:2], tilt[0] / (2 * sigma), mean(gh)[0]
            in_t[FIELD] = (slope[1:] + m * in_t[RESPONSE]) / rho
            in_variance[FIELD] = (tilt[1] / (2 * sigma) + m * in_variance[RESPONSE]) / rho
            in_V[FIELD] = (mean(gh)[1] + m * in_V[RESPONSE]) / rho
            part = np.stack([in_V, in_variance, in_t[:, 1] / rho - (2 * m / rho) * in_variance, in_t[:, 0]], axis=1)
            part[FIELD, 2] += response / rho
            value += fraction * np.array([square[0], (own[1] + m * response) / rho, own[0], response])
            jacobian += fraction * part
        return value, jacobian


def law_of_residuals(t: FloatArray, moments: FloatArray, sigma: float, breaks: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Nodes r and the measures sum_t moments_j(t) z^k N(r; t, sigma^2) dr, z = (r - t)/sigma, at them, shape (k = 0..2, j, nodes).

    Panels end at the `breaks`; t far from each other have their own.
    """
    nodes, sums = [], []
    for group in shared_panels(t, sigma, breaks, INNER):
        own, tilted = moments[:, group.which], group.weights * group.z
        nodes.append(group.x)
        sums.append(np.stack([own @ values for values in (group.weights, tilted, tilted * group.z)]))
    return np.concatenate(nodes), np.concatenate(sums, axis=2)


def _edges(loss: Any, V: list[float], sigma: float, low: float, high: float) -> FloatArray:
    """Panels in t: graded on the scale sigma around the breaks of the loss, and growing with the distance from them."""
    breaks = np.concatenate([[0.0], *(loss.breaks(np.full(1, v))[0] for v in V)])
    breaks = breaks[np.isfinite(breaks)]
    pad = 1e-3 * (high - low) + 1e-12 * max(abs(low), abs(high)) + 1e-300
    ends = np.unique([breaks.min(), 0.0, breaks.max()])[:, None]
    edges = np.unique(np.concatenate([breaks[:, None] + sigma * _NEAR, ends - _FAR, ends + _FAR], axis=None))
    edges = edges[(edges > low - pad) & (edges < high + pad)]
    edges = np.concatenate([[low - pad], edges, [high + pad]])
    return edges[np.append(True, np.diff(edges) > 1e-9 * sigma)]


def projected(t: FloatArray, moments: FloatArray, edges: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Nodes of Gauss-Legendre panels, with the weights that integrate each panel's interpolating polynomial against the pairs."""
    panel = np.clip(np.searchsorted(edges, t, side="right") - 1, 0, edges.size - 2)
    half, middle = 0.5 * np.diff(edges), 0.5 * (edges[1:] + edges[:-1])
    basis = np.polynomial.legendre.legvander((t - middle[panel]) / half[panel], _NODES - 1) @ _INTERPOLATE
    count = edges.size - 1
    out = np.zeros((moments.shape[0], count, _NODES))
    for row, part in enumerate(moments):
        for k in range(_NODES):
            out[row, :, k] = np.bincount(panel, basis[:, k] * part, minlength=count)
    used = np.bincount(panel, minlength=count) > 0
    nodes = legendre_panels(edges[None, :], _NODES)[0].reshape(count, _NODES)
    return nodes[used].ravel(), out[:, used].reshape(moments.shape[0], -1)


def untrained(loss: Any, law: LabelAtoms, weights: Weights, c: float = 0.0) -> tuple[float, float, float]:
    """E g^2, E Z0' g and E dl/dz of the student z = c, for which g = -dl/dz."""
    moments = law.mass * law.centred ** np.arange(3)[:, None]
    breaks = loss.breaks(np.full(1, 1e-9))[0]
    r, sums = law_of_residuals(c - law.label, moments, float(np.sqrt(law.noise)) + LEAST, breaks[np.isfinite(breaks)])
    slope = loss.slope(0.0, r)
    mean, second = sum(w * f for w, f in weights), sum(w * w * f for w, f in weights)
    own = sums[0] @ slope
    return second * float(sums[0, 0] @ slope**2), -mean * float(own[1]) / (law.variance or np.inf), mean * float(own[0])


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
    out = {name: np.zeros(at.V.size) for name in ("train_error", "test_loss", "train_loss")}
    for i, law in enumerate(laws):
        one = _Point(loss, law, weights, at.take(slice(i, i + 1)))
        if not one.finite:
            for values in out.values():
                values[i] = np.nan
            continue
        r, sums = one.law_of_residuals(1e-9)
        out["test_loss"][i] = sums[0, 0] @ loss.value(0.0, r)
        for weight, fraction in weights:
            V = weight * one.V
            r, sums = one.law_of_residuals(V)
            fitted = r + V * loss.proximal(0.0, r, np.full_like(r, V))[0]
            out["train_error"][i] += fraction * (sums[0, 0] @ fitted**2)
            out["train_loss"][i] += fraction * weight * (sums[0, 0] @ loss.value(0.0, fitted))
    return out
