r"""The residual r = omega - y of real labels of any law, at many points at once.

Given the target field nu ~ N(b0, rho) and its label y, the student's field on a fresh row is Gaussian of mean c + (m/rho)(nu - b0) and
variance q - m^2/rho. So the residual is t + sigma z with one t for every pair of field and label (`label_atoms`; labels y = f(nu) +
sqrt(noise) z have one pair for every field, and sigma^2 = q - m^2/rho + noise). `residual_nodes` finds the nodes of its averages.

Labels y = nu + eps with eps independent of the field have one t for every eps: the rest of r, (m/rho - 1)(nu - b0) + sigma z, is Gaussian
of variance (m - rho)^2/rho + sigma^2, and nu - b0 and z given that rest are Gaussian too.

Where pairs are many, E g(t + sigma z), smooth on the scale sigma at the breaks, is interpolated between nodes in t: pairs are replaced by
weights of those nodes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.channels.label_atoms import Function, LabelAtoms
from gaussequiv.learners.convex.averages import Fields
from gaussequiv.learners.convex.offsets import IntArray
from gaussequiv.learners.convex.residual_nodes import Residuals, Shared
from gaussequiv.numerics.panels import GROUP, legendre_panels

LEAST = 1e-12  # standard deviation of r given t that rounding leaves
DIRECT = 400  # pairs up to which nothing is interpolated
SHOWN = 1e-9  # the breaks at this V are the kinks of the loss itself
SPAN, NEAR, WIDE = 1.5, 9.0, 2.0  # of a panel beside a kink, its distance, in sigma; and sigma over all t from which no panel is too wide
NARROWEST, LIGHTEST = 1e-9, 1e-17  # panels of a field that are not halved, in standard deviations and of this mass
_NODES = 16
_LEGENDRE, _ = np.polynomial.legendre.leggauss(_NODES)
_INTERPOLATE = np.linalg.inv(np.polynomial.legendre.legvander(_LEGENDRE, _NODES - 1))
_NEAR = np.array([-10.0, -6.0, -4.0, -2.5, -1.2, 0.0, 1.2, 2.5, 4.0, 6.0, 10.0])
_FAR = np.concatenate([np.arange(0.0, 4.0), 4.0 * 1.4 ** np.arange(0, 40)])


def residuals(loss: Any, laws: list[LabelAtoms], at: Fields, weights: tuple[tuple[float, float], ...]) -> tuple[IntArray, Residuals]:
    """Residuals of those points at which all is finite, and which these are; one law for every point."""
    variance, noise = (np.array(part) for part in ([law.variance for law in laws], [law.noise for law in laws]))
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        within = at.rest + variance - (at.rest + at.m**2 / at.q)  # V* with the noise inside the label's function
        varies = variance > 0
        free = np.where(varies, within / variance, 1.0)  # a field that does not vary
        drift = np.where(varies, at.m / variance, 0.0)
        sigma = np.sqrt(free * at.q + noise) + LEAST
    known = np.flatnonzero(np.isfinite([sigma, at.V, drift, at.c]).all(axis=0))
    width, shared = _whole(laws, drift, sigma)
    powers = _Powers()
    t, moments = [], []
    for i in known.tolist():
        law, sums = laws[i], powers.of(laws[i])
        places = at.c[i] + drift[i] * law.centred - law.label
        if law.function is not None and sigma[i] < WIDE * float(np.ptp(places)):
            places, sums = _halved(law.function, float(drift[i]), float(at.c[i]), float(sigma[i]), _kinks(loss, at.V[i], weights))
        narrow = law.follows is not None and width[i] < law.follows.scale
        if narrow or places.size > DIRECT:
            edges = _edges(loss, [w * float(at.V[i]) for w, _ in weights], float(width[i]), float(places.min()), float(places.max()))
            places, sums = _apart(law, float(at.c[i]), edges) if narrow else projected(places, sums, edges)
        t.append(places)
        moments.append(sums)
    kept = None if shared is None else Shared(*(part[known] for part in shared))
    return known, _residuals(t, moments, sigma[known], width[known], kept)


def constants(laws: list[LabelAtoms], c: FloatArray) -> Residuals:
    """Residuals of students z = c without weights; one law for every c."""
    powers = _Powers()
    sigma = np.sqrt(np.array([law.noise for law in laws])) + LEAST
    width, shared = _whole(laws, np.zeros_like(sigma), sigma)
    return _residuals([one - law.label for one, law in zip(c, laws, strict=True)], [powers.of(law) for law in laws], sigma, width, shared)


def _whole(laws: list[LabelAtoms], drift: FloatArray, sigma: FloatArray) -> tuple[FloatArray, Shared | None]:
    """Standard deviation of r given t, and what of it z and the field share; drift = m/rho. All laws follow the field, or none."""
    if not laws or laws[0].follows is None:
        return sigma, None
    variance = np.array([law.variance for law in laws])
    beside = (drift - 1) * np.sqrt(variance)
    with np.errstate(invalid="ignore"):
        width = np.hypot(beside, sigma)
        return width, Shared(sigma / width, beside * np.sqrt(variance) / width, variance)


def _kinks(loss: Any, V: float, weights: tuple[tuple[float, float], ...]) -> FloatArray:
    """Breaks of the loss at V and of the loss itself."""
    found = np.concatenate([loss.breaks(np.full(1, v))[0] for v in (*(w * float(V) for w, _ in weights), SHOWN)])
    return np.asarray(found[np.isfinite(found)])


def _halved(function: Function, drift: float, c: float, sigma: float, kinks: FloatArray) -> tuple[FloatArray, FloatArray]:
    """t = c + drift (field - b0) - label and moments, panels halved until every one beside a kink spans few sigma."""
    low, high = function.edges[:-1], function.edges[1:]
    low, high = low[high > low], high[high > low]
    done: list[tuple[FloatArray, FloatArray]] = []
    while low.size:
        centred, label, mass = function.on(low, high)
        t = c + drift * centred - label
        first, last = t.min(axis=1), t.max(axis=1)
        span = last - first
        margin = (NEAR * sigma + 0.1 * span)[:, None]
        beside = ((kinks > first[:, None] - margin) & (kinks < last[:, None] + margin)).any(axis=1)
        halve = beside & (span > SPAN * sigma) & (high - low > NARROWEST) & (mass.sum(axis=1) > LIGHTEST)
        kept = ~halve
        done.append((t[kept].ravel(), _moments(mass[kept].ravel(), centred[kept].ravel())))
        low, high = low[halve], high[halve]
        middle = 0.5 * (low + high)
        low, high = np.concatenate([low, middle]), np.concatenate([middle, high])
    return np.concatenate([t for t, _ in done]), np.concatenate([sums for _, sums in done], axis=1)


def _apart(law: LabelAtoms, c: float, edges: FloatArray) -> tuple[FloatArray, FloatArray]:
    """t = c - label and moments of labels that follow the field, on panels with those ends too."""
    assert law.follows is not None
    label, mass = law.follows.between(c - edges[::-1])
    return c - label, _moments(mass, np.zeros_like(mass))


def _moments(mass: FloatArray, centred: FloatArray) -> FloatArray:
    """mass times 1, nu - b0 and its square."""
    return np.asarray(mass * centred ** np.arange(3)[:, None])


class _Powers:
    """Moments of the pairs of laws, several of which may be the same."""

    def __init__(self) -> None:
        self._known: dict[int, FloatArray] = {}

    def of(self, law: LabelAtoms) -> FloatArray:
        if id(law) not in self._known:
            self._known[id(law)] = _moments(law.mass, law.centred)
        return self._known[id(law)]


def _residuals(t: list[FloatArray], moments: list[FloatArray], sigma: FloatArray, width: FloatArray, shared: Shared | None) -> Residuals:
    """From t and moments of every point."""
    if not t:
        empty = np.zeros(0)
        none = empty.astype(int)
        return Residuals(empty, empty, np.zeros((3, 0)), none, none, none, empty, empty, empty, None)
    groups, total = [], 0
    for k, (places, sums) in enumerate(zip(t, moments, strict=True)):
        t[k], moments[k], cut, low, high = _grouped(places, sums, float(width[k]))
        groups.append((np.full(cut.size, k), cut + total, np.append(cut[1:], places.size) + total, low, high))
        total += places.size
    point, start, stop, low, high = (np.concatenate(each) for each in zip(*groups, strict=True))
    return Residuals(sigma, np.concatenate(t), np.concatenate(moments, axis=1), point, start, stop, low, high, width, shared)


def _grouped(t: FloatArray, moments: FloatArray, sigma: float) -> tuple[FloatArray, FloatArray, IntArray, FloatArray, FloatArray]:
    """t in an order in which groups are stretches, their moments, and every group's first t, least and largest t."""
    low, high = float(t.min()), float(t.max())
    if not high - low > GROUP * sigma:
        return t, moments, np.zeros(1, dtype=int), np.array([low]), np.array([high])
    order = np.argsort(t, kind="stable")
    t, moments = t[order], moments[:, order]
    cut = np.append(0, np.flatnonzero(np.diff(np.floor((t - low) / (GROUP * sigma)))) + 1)
    return t, moments, cut, t[cut], t[np.append(cut[1:], t.size) - 1]


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
    count = edges.size - 1
    panel = np.clip(np.searchsorted(edges, t, side="right") - 1, 0, count - 1)
    order = np.argsort(panel, kind="stable")
    t, moments, panel = t[order], moments[:, order], panel[order]
    half, middle = 0.5 * np.diff(edges), 0.5 * (edges[1:] + edges[:-1])
    basis = np.polynomial.legendre.legvander((t - middle[panel]) / half[panel], _NODES - 1)
    ends = np.searchsorted(panel, np.arange(count + 1))
    sums = [moments[:, first:last] @ basis[first:last] for first, last in pairwise(ends.tolist())]
    out = np.stack(sums) @ _INTERPOLATE
    used = np.bincount(panel, minlength=count) > 0
    nodes = legendre_panels(edges[None, :], _NODES)[0].reshape(count, _NODES)
    return nodes[used].ravel(), out[used].transpose(1, 0, 2).reshape(moments.shape[0], -1)
