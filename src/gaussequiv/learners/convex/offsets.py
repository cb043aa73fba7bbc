"""Starting values along the law of an offset: solutions vary slowly with it, so that a few are solved from afar and the others between."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BarycentricInterpolator, CubicSpline

from gaussequiv.errors import FloatArray
from gaussequiv.learners.convex.modes import MHAT

IntArray = NDArray[np.intp]
Curves = list[tuple[int, int]]  # first point of a stretch of rising b0 at one load and lam, and the first after it
EVERY, SELDOM = 4, 8  # offsets: with kinks in the penalty, where solutions change at once, and without
LEAST = 8  # offsets of a curve from which it is worth while
FEWEST = 4  # places of a cubic
UNKNOWNS = 4
LEAST_MHAT = 1e-12  # of an interpolated mhat, beside those around it


class Starts(NamedTuple):
    """Unknowns (points, k), signs of mhat, and how far beyond what is solved each point is: in steps of its last points, or of log lam."""

    unknowns: FloatArray
    sign: FloatArray
    away: FloatArray

    def take(self, index: Any) -> Starts:
        """Some of the points."""
        return Starts(*(part[index] for part in self))

    def fill(self, index: Any, others: Starts) -> None:
        """Replace some of the points."""
        for mine, theirs in zip(self, others, strict=True):
            mine[index] = theirs

    @classmethod
    def unknown(cls, points: int) -> Starts:
        """Of points near which nothing is solved: nan."""
        return cls(np.full((points, UNKNOWNS), np.nan), np.ones(points), np.zeros(points))


def stretches(load: FloatArray, lam: FloatArray, b0: FloatArray) -> Curves:
    """Stretches of rising b0 at one load and lam."""
    cut = (np.diff(load) != 0) | (np.diff(lam) != 0) | (np.diff(b0) <= 0)
    return list(pairwise([0, *(np.flatnonzero(cut) + 1).tolist(), load.size]))


def stages(curves: Curves, every: int = EVERY) -> list[IntArray] | None:
    """Points to be solved one after the other: both ends of every stretch and every few between, then those in the middle of the solved.

    None where there are too few offsets.
    """
    if max(stop - start for start, stop in curves) < LEAST:
        return None
    known = np.zeros(curves[-1][1], dtype=bool)
    out = []
    while every >= 1:
        points = np.concatenate([np.append(np.arange(start, stop, every), stop - 1) for start, stop in curves])
        new = np.unique(points[~known[points]])
        out.append(new)
        known[new] = True
        every //= 2
    return out


def between(
    few: IntArray, unknowns: FloatArray, sign: FloatArray, others: IntArray, b0: FloatArray, curves: Curves, mirrored: bool = False
) -> Starts:
    """Starts of `others`, from what is known of the sorted `few` of the same stretch."""
    out = Starts.unknown(others.size)
    for start, stop in curves:
        inside, asked = (few >= start) & (few < stop), (others >= start) & (others < stop)
        out.fill(asked, interpolated(b0[few[inside]], unknowns[inside], sign[inside], b0[others[asked]], mirrored))
    return out


def interpolated(places: FloatArray, unknowns: FloatArray, sign: FloatArray, b0: FloatArray, mirrored: bool = False) -> Starts:
    """Starts at any b0, from unknowns (points, k) and signs of mhat at rising `places`; rows that are not finite are left out.

    By a cubic spline, and on straight lines beyond its ends. Where mhat turns its sign its logarithm has a pole: there mhat itself is
    interpolated, by a cubic through four places. `mirrored`: the places are those of the half line, and mhat is odd in b0.
    """
    good = np.isfinite(unknowns).all(axis=1)
    places, unknowns, sign = places[good], unknowns[good], sign[good]
    if places.size == 0:
        return Starts.unknown(b0.size)
    if mirrored:
        unknowns = unknowns.copy()
        unknowns[:, MHAT] -= np.log(places)  # mhat/b0 has no pole at 0, and is even
        few = slice(min(places.size, FEWEST // 2) - 1, None, -1)
        places, sign = np.concatenate([-places[few], places]), np.concatenate([sign[few], sign])
        unknowns = np.concatenate([unknowns[few], unknowns])
    within, away = np.clip(b0, places[0], places[-1]), np.zeros(b0.size)
    if places.size < FEWEST:
        values = np.stack([np.interp(b0, places, part) for part in unknowns.T], axis=1)
    else:
        spline, steps = CubicSpline(places, unknowns), np.diff(places)
        values = spline(within) + (b0 - within)[:, None] * spline(within, 1)
        away = np.abs(b0 - within) / np.where(b0 < within, steps[0], steps[-1])
    if mirrored:
        values[:, MHAT] += np.log(b0)
    signs = sign[np.abs(b0[:, None] - places).argmin(axis=1)]
    for turn in np.flatnonzero(sign[1:] != sign[:-1]).tolist():
        four = slice(max(turn - 1, 0), turn + 3)
        rows = np.flatnonzero((b0 >= places[four][0]) & (b0 <= places[four][-1]))
        largest = unknowns[four, MHAT].max()
        mhat = BarycentricInterpolator(places[four], sign[four] * np.exp(unknowns[four, MHAT] - largest))(b0[rows])
        values[rows, MHAT] = largest + np.log(np.maximum(np.abs(mhat), LEAST_MHAT)) + (np.log(b0[rows]) if mirrored else 0.0)
        signs[rows] = np.where(mhat < 0, -1.0, 1.0)
    return Starts(values, signs, away)
