"""Nodes of residuals r = t + width z at many points at once, between the breaks of a loss.

Panels in r that end at the breaks serve all t within a few widths of each other: the loss is asked there alone, and every t brings its
normal density

    N(r; t, width^2) ~ exp(-u^2/2) exp(tau u) exp(-tau^2/2),   u and tau = r and t from the middle of their group, over the width.

A t with no break within reach needs a few nodes of its own, as the loss is smooth there on that scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaussequiv.errors import FloatArray
from gaussequiv.learners.convex.offsets import IntArray
from gaussequiv.numerics.panels import BASE, REACH, cut_panels, hermite_nodes

INNER = 12  # order of the panels
ALONE = 10  # Gauss-Hermite nodes of a t that no break is near
PANEL = float(BASE[1] - BASE[0])  # width of a panel, over that of the residuals
RUNG = 4.0  # values of V within this factor share their breaks: some losses refine them with the largest V
BLOCK = 200_000  # densities held at once: what stays near the processor
Part = tuple[IntArray, FloatArray, FloatArray]  # owner, r and measures of some nodes


class ResidualNodes(NamedTuple):
    """Nodes r, shape (nodes,), those of one point side by side, and measures there, shape (measures, nodes).

    `measures` are sums over t of a(t) z^k N(r; t, sigma^2) dr, z = (r - t)/sigma, with a(t) the sum over the pairs behind t of 1,
    nu - b0 or its square and k = 0 (the first three), of 1 or nu - b0 and k = 1 (two), of 1 and k = 2; or the first of them alone.
    """

    r: FloatArray
    measures: FloatArray
    point: IntArray  # whose node it is
    first: IntArray  # where every point's nodes start

    def total(self, values: FloatArray) -> FloatArray:
        """Sums over the nodes of every point."""
        summed: FloatArray = np.add.reduceat(values, self.first, axis=-1)
        return summed


class Shared(NamedTuple):
    """Labels that follow the field: covariances of z and nu - b0 with a rest of unit variance, and the variance of nu - b0."""

    z: FloatArray
    field: FloatArray
    variance: FloatArray

    def measures(self, of: FloatArray, point: IntArray) -> FloatArray:
        """Those of `ResidualNodes`, from sums of 1, u and u^2 with u the whole rest in units of its `width`."""
        z, field, variance = (part[point] for part in self)
        whole, once, twice = of
        bent = twice - whole
        return np.stack([whole, field * once, field**2 * bent + variance * whole, z * once, z * field * bent, z**2 * bent + whole])


@dataclass(frozen=True)
class Residuals:
    """t and sigma at some points; one entry for each of them, r = t + width times a standard normal.

    t has shape (all pairs,), `moments` (3, all pairs): sums of 1, nu - b0 and its square over the pairs behind every t. Stretches of t
    within a few sigma share their nodes: `point` whose they are, their first and last (not included) t, their least and largest.
    """

    sigma: FloatArray
    t: FloatArray
    moments: FloatArray
    point: IntArray
    start: IntArray
    stop: IntArray
    low: FloatArray
    high: FloatArray
    width: FloatArray
    shared: Shared | None

    def nodes(self, loss: Any, V: FloatArray, every: bool = True) -> ResidualNodes:
        """Nodes between the breaks of the loss at V; `every` measure, or the first alone."""
        breaks = _breaks(loss, V)[self.point]
        size, sigma = self.stop - self.start, self.width[self.point]
        panels = np.ceil((self.high - self.low) / (PANEL * sigma) + 2 * REACH / PANEL).astype(int)
        volume = size * INNER * (panels + 1 + ((breaks > self.low[:, None]) & (breaks < self.high[:, None])).sum(axis=1))
        counts = (1, 0, 0) if not every else (3, 2, 1) if self.shared is None else (1, 1, 1)
        alone = (size * ALONE < panels * INNER) & self._far(breaks)
        shared = np.flatnonzero(~alone)
        order = shared[np.argsort(size[shared], kind="stable")]
        found: list[Part] = []
        taken = 0
        while taken < order.size:
            largest = np.maximum.accumulate(volume[order[taken:]]) * np.arange(1, order.size - taken + 1)
            several = max(1, int(np.searchsorted(largest, BLOCK, side="right")))
            found.append(self._groups(order[taken : taken + several], breaks, panels, counts))
            taken += several
        found.append(self._alone(np.flatnonzero(alone), counts))
        owner, r, measures = (np.concatenate([part[k] for part in found], axis=-1) for k in range(3))
        owner = self.point[owner]
        by_point = np.argsort(owner, kind="stable")
        owner = owner[by_point]
        first = np.searchsorted(owner, np.arange(self.sigma.size))
        measures = measures[:, by_point]
        if every and self.shared is not None:
            measures = self.shared.measures(measures, owner)
        return ResidualNodes(r[by_point], measures, owner, first)

    def _far(self, breaks: FloatArray) -> NDArray[np.bool_]:
        """Groups with no break, nor r = 0, within reach of their t."""
        reach = REACH * self.width[self.point]
        low, high = (self.low - reach)[:, None], (self.high + reach)[:, None]
        return ~(((breaks > low) & (breaks < high)).any(axis=1) | ((low < 0) & (high > 0))[:, 0])

    def _alone(self, which: IntArray, counts: tuple[int, int, int]) -> Part:
        """What `_groups` gives, with a Gauss-Hermite rule about every t of some groups."""
        size = (self.stop - self.start)[which]
        index = np.repeat(self.start[which] - np.cumsum(size) + size, size) + np.arange(size.sum())
        owner = np.repeat(which, size)
        z, mass = hermite_nodes(ALONE)
        r = self.t[index][:, None] + self.width[self.point[owner]][:, None] * z
        measures = [self.moments[:count, index, None] * (mass * z**power) for power, count in enumerate(counts)]
        return np.repeat(owner, ALONE), r.ravel(), np.concatenate(measures).reshape(sum(counts), -1)

    def _groups(self, which: IntArray, breaks: FloatArray, panels: IntArray, counts: tuple[int, int, int]) -> Part:
        """Whose node it is, r and the measures, at the nodes of some groups; `counts` of the moments go with z^0, z^1 and z^2."""
        sigma, low, high = self.width[self.point[which]], self.low[which], self.high[which]
        middle, reach = 0.5 * (low + high), 0.5 * (high - low) / sigma + REACH
        r, u, du = cut_panels(middle, sigma, reach, breaks[which], panels[which], INNER)
        index = self.start[which][:, None] + np.arange((self.stop - self.start)[which].max())
        there = index < self.stop[which][:, None]
        index = np.where(there, index, self.start[which][:, None])
        tau = (self.t[index] - middle[:, None]) / sigma[:, None]
        density = tau[:, :, None] * u[:, None, :]
        np.exp(density, out=density)
        moments = np.where(there, np.exp(-0.5 * tau * tau), 0.0) * self.moments[: counts[0]][:, index]
        rows = np.concatenate([moments[:count] * tau**power for power, count in enumerate(counts)])
        sums = (rows.transpose(1, 0, 2) @ density).transpose(1, 0, 2)  # (rows, groups, nodes)
        sums *= np.exp(-0.5 * u * u) * du / np.sqrt(2 * np.pi)
        plain, once, twice = np.split(sums, np.cumsum(counts)[:2])
        once, twice = u * plain[: counts[1]] - once, u * (u * plain[: counts[2]] - 2 * once[: counts[2]]) + twice  # z = u - tau
        filled = du > 0
        owner = np.broadcast_to(which[:, None], du.shape)[filled]
        return owner, r[filled], np.concatenate([plain, once, twice])[:, filled]


def _breaks(loss: Any, V: FloatArray) -> FloatArray:
    """Breaks of the loss at every V, shape (points, breaks), infinite where there are fewer."""
    rung = np.ceil(np.log(np.maximum(V, 1e-300)) / np.log(RUNG))
    found = [(rows, loss.breaks(V[rows])) for rows in (np.flatnonzero(rung == k) for k in np.unique(rung))]
    out = np.full((V.size, max((one.shape[1] for _, one in found), default=0)), np.inf)
    for rows, one in found:
        out[rows, : one.shape[1]] = np.where(np.isfinite(one), one, np.inf)
    return out
