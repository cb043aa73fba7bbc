"""Quadrature over real labels of a user's density, on panels that follow it from field to field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.channels.label_kinks import Curve, at_fields
from gaussequiv.numerics.panels import legendre_panels

DEPTH = 42.0  # below its maximum by this the log-density does not count
_ZOOMS = 5
_COARSE = np.linspace(0.0, 1.0, 65)
_MODES = 3  # maxima of the density around which panels are graded
_STEPS = 8  # panels of one resolution on each side of a maximum; beyond, they grow with the distance
_GROWTH = 1.25
_WIDE = np.sinh(np.linspace(-12, 12, 1601))  # offsets of labels at which a density is looked for
_TINY_SCALE = 1e-9  # of the label's size


@dataclass
class LabelLaw:
    """log P(y | z) of real labels y in `support`, not smooth at the `kinks`, otherwise varying on no scale below `resolution`."""

    call: Callable[[FloatArray, FloatArray], FloatArray]
    support: tuple[float, float]
    kinks: tuple[Curve, ...] = ()
    resolution: float = 1.0

    def bulk(self, z: FloatArray) -> tuple[float, float]:
        """An interval that holds all labels of weight at nine fields from the least to the largest of z."""
        z = np.unique(np.linspace(z.min(), z.max(), 9))
        places = _with_middles(at_fields(self.kinks, z)).ravel()
        y = np.unique(np.clip(np.concatenate([z.mean() + _WIDE, places]), *self.support))
        values = self.call(y[:, None], z[None, :])
        inside = np.any(values >= values.max(axis=0) - DEPTH, axis=1)
        first, last = np.flatnonzero(inside)[[0, -1]]
        return float(y[max(first - 1, 0)]), float(y[min(last + 1, y.size - 1)])

    def edges(self, z: FloatArray, fineness: float = 1.0) -> FloatArray:
        """Panel ends at fields z that lie close to each other, shape (fields, edges)."""
        a, b = self.bulk(z)
        low, high = np.full(z.size, a), np.full(z.size, b)
        places = at_fields(self.kinks, z)
        extra = _with_middles(places)
        for _ in range(_ZOOMS):
            y = low[:, None] + (high - low)[:, None] * _COARSE
            y = np.sort(np.concatenate([y, np.clip(extra, low[:, None], high[:, None])], axis=1), axis=1)
            values = self.call(y, z[:, None])
            keep = values >= values.max(axis=1, keepdims=True) - DEPTH
            rows, last = np.arange(z.size), y.shape[1] - 1
            new_low = y[rows, np.maximum(keep.argmax(axis=1) - 1, 0)]
            new_high = y[rows, np.minimum(last - keep[:, ::-1].argmax(axis=1) + 1, last)]
            done = np.all(new_high - new_low > 0.5 * (high - low))
            low, high = new_low, new_high
            if done:
                break
        centres = np.clip(_maxima(y, values), low[:, None], high[:, None])
        return self._graded(centres, low, high, places, fineness)

    def _graded(self, centres: FloatArray, low: FloatArray, high: FloatArray, places: FloatArray, fineness: float) -> FloatArray:
        """Panels of one resolution around every centre, growing beyond; each centre up to half the way to the next."""
        centres = np.sort(centres, axis=1)
        distinct = np.append(True, np.any(np.diff(centres, axis=1) > 0, axis=0))
        centres = centres[:, distinct]
        step = self.resolution * fineness
        reach = float((high - low).max())
        steps = step * np.arange(_STEPS + 1)
        if reach > steps[-1]:
            count = int(np.ceil(np.log(reach / steps[-1]) / np.log(_GROWTH)))
            steps = np.concatenate([steps, steps[-1] * _GROWTH ** np.arange(1, count + 1)])
        between = 0.5 * (centres[:, 1:] + centres[:, :-1])
        start = np.concatenate([low[:, None], between], axis=1)[:, :, None]
        end = np.concatenate([between, high[:, None]], axis=1)[:, :, None]
        offsets = np.concatenate([-steps[::-1], steps])
        inner = np.clip(centres[:, :, None] + offsets, start, end).reshape(low.size, -1)
        kinks = np.clip(places, low[:, None], high[:, None])
        return np.sort(np.concatenate([low[:, None], inner, kinks, high[:, None]], axis=1), axis=1)

    def nodes(self, z: FloatArray, order: int, fineness: float = 1.0) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Labels, weights of int dy and P(y | z) at fields z that lie close to each other, shape (fields, nodes)."""
        y, weights = legendre_panels(self.edges(z, fineness), order)
        return y, weights, np.exp(self.call(y, z[:, None]))

    def shared_edges(self, low: float, high: float, first: float, last: float, root: float, fineness: float = 1.0) -> FloatArray:
        """Panel ends, shape (edges,), for the density smoothed over fields of standard deviation `root` around means from first to last.

        Fields between low and high have weight. Around k(mean) the smoothed kinks vary on the scale of k(mean + root) - k(mean).
        """
        z = np.linspace(low, high, 33)
        own = [self.edges(np.array([one]), fineness)[0] for one in z[:: 4 if high - low > 1e-3 * self.resolution else 16]]
        a, b = min(e[0] for e in own), max(e[-1] for e in own)
        parts = [thinned(np.concatenate(own), 0.5 * self.resolution * fineness)]
        count = int(np.ceil((last - first + 13 * root) / (1.5 * fineness * root)))
        means = np.linspace(first - 6.5 * root, last + 6.5 * root, count + 1)
        for kink in self.kinks:
            image = np.sort(kink(means))
            parts.append(image)
            for end, sign, step in ((image[0], -1.0, image[1] - image[0]), (image[-1], 1.0, image[-1] - image[-2])):
                least = max(step, _TINY_SCALE * max(abs(end), root))
                halvings = int(np.ceil(np.log2(max(self.resolution / least, 1.0))))
                parts.append(end + sign * least * 2.0 ** np.arange(halvings + 1))
        found = np.unique(np.clip(np.concatenate(parts), a, b))
        return found


def thinned(edges: FloatArray, least: float) -> FloatArray:
    """Some of these places, none closer to the one before than `least` unless it is the last."""
    edges = np.unique(edges)
    kept = [float(edges[0])]
    for edge in edges[1:-1]:
        if edge - kept[-1] >= least:
            kept.append(float(edge))
    kept.append(float(edges[-1]))
    return np.array(kept)


def _with_middles(places: FloatArray) -> FloatArray:
    """Kinks and the middles between neighbours: a density may live between two kinks only."""
    ordered = np.sort(places, axis=-1)
    return np.concatenate([ordered, 0.5 * (ordered[..., 1:] + ordered[..., :-1])], axis=-1)


def _maxima(y: FloatArray, values: FloatArray) -> FloatArray:
    """Places of the highest local maxima of each row, its highest value in place of those it lacks."""
    padded = np.pad(values, ((0, 0), (1, 1)), constant_values=-np.inf)
    top = (values >= padded[:, :-2]) & (values > padded[:, 2:])
    heights = np.where(top, values, -np.inf)
    best = np.argsort(-heights, axis=1, kind="stable")[:, :_MODES]
    rows = np.arange(y.shape[0])[:, None]
    found = np.where(np.isfinite(heights[rows, best]), best, best[:, :1])
    places: FloatArray = y[rows, found]
    return places
