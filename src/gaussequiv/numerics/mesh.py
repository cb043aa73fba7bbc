"""Edges between which a function of one variable is smooth: found by refinement, so that jumps and narrow regions need no declaration."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.numerics.panels import ORDER, gauss

Function = Callable[[FloatArray], FloatArray]
NARROW = 1e-3  # an interval that had to be this narrow holds a place: an edge of its own
MOST = 400  # intervals; more means that the function is noise on this scale
SEARCHED = (-8.0317811, 9.0171339, 171)  # where nothing wider than 1e-2 may be missed; places that users choose are rounder
SIDE = 4e-15  # distance from an edge, relative where it is large
LEVELS = 60  # halvings
CLIFF = 4.0  # growth within an interval: from there on the inverse of a map of this slope has singularities too near for 16 nodes


def smooth_edges(function: Function, primitive: Function, edges: FloatArray, size: Function, tolerance: float) -> FloatArray | None:
    """Refine `edges` until 16 Legendre nodes resolve a function between any two of them: the mean absolute error of its interpolant,
    times the width, and that of its integral, which `primitive` gives, are below tolerance * size. None if that takes too many.

    Halving alone would surround a jump by dozens of intervals. So it is done twice: first to find the places where intervals become
    narrow, then from the given edges and those places. `size(t)` is the allowed error at t, with t the middles of intervals.
    Intervals on which the function is not finite are left alone.

    Examples
    --------
    >>> found = smooth_edges(np.sign, np.abs, np.array([-1.0, 0.5, 1.0]) + 0.1, np.ones_like, 1e-11)
    >>> [round(float(edge), 9) + 0.0 for edge in found]
    [-0.9, 0.0, 0.6, 1.1]
    """
    start = np.unique(np.concatenate([edges, np.linspace(*SEARCHED)]))
    first = _refined(function, primitive, start, size, tolerance, 5 * MOST)
    if first is None:
        return None
    places = [jump(function, place, reach)[0] for place, reach in zip(*_narrowest(first), strict=True)]
    return _refined(function, primitive, np.unique(np.concatenate([edges, places])), size, tolerance, MOST)


def graded_edges(growth: Function, edges: FloatArray) -> FloatArray:
    """Refine `edges` until a positive function grows by no more than CLIFF between any two of them."""

    def steep(left: FloatArray, right: FloatArray) -> FloatArray:
        values = growth(_nodes(left, right))
        with np.errstate(invalid="ignore"):
            return np.max(values, axis=1) > CLIFF * np.min(values, axis=1)

    found = _halved(edges, steep, np.inf)
    assert found is not None
    return found


def jump(function: Function, place: float, reach: float) -> tuple[float, float]:
    """(where, by how much) a function jumps within `reach` of a place: bisection that follows the larger change, to the last digit."""
    a, b = place - reach, place + reach
    fa, fb = (float(function(np.array([t]))[0]) for t in (a, b))
    while True:
        middle = 0.5 * (a + b)
        if not a < middle < b or b - a < 2e-16:
            return b, fb - fa
        fm = float(function(np.array([middle]))[0])
        if abs(fb - fm) > abs(fm - fa):
            a, fa = middle, fm
        else:
            b, fb = middle, fm


def _nodes(left: FloatArray, right: FloatArray) -> FloatArray:
    x = gauss(ORDER)[0]
    return 0.5 * (left + right)[:, None] + 0.5 * (right - left)[:, None] * x


def _refined(function: Function, primitive: Function, edges: FloatArray, size: Function, tolerance: float, most: int) -> FloatArray | None:
    x, weights = gauss(ORDER)
    halves = np.concatenate([0.5 * (x - 1), 0.5 * (x + 1)])
    basis = np.polynomial.legendre.legvander(x, ORDER - 1)
    onto = np.polynomial.legendre.legvander(halves, ORDER - 1) @ np.linalg.inv(basis)

    def rough(left: FloatArray, right: FloatArray) -> FloatArray:
        middle, half = 0.5 * (left + right), 0.5 * (right - left)
        values, checks = function(_nodes(left, right)), function(middle[:, None] + half[:, None] * halves)
        with np.errstate(invalid="ignore", over="ignore"):
            error = half * (np.abs(checks - values @ onto.T) @ np.concatenate([weights, weights]) / 2)
            inside = SIDE * np.maximum(1.0, np.maximum(np.abs(left), np.abs(right)))  # the primitive may jump at an edge
            rise = primitive(right - inside) - primitive(left + inside)  # tells of what lies between the nodes
            missed = np.abs(rise - half * (values @ weights)) - 4 * inside * np.max(np.abs(values), axis=1)
            return np.maximum(error, missed) > tolerance * size(middle)

    return _halved(edges, rough, most)


def _halved(edges: FloatArray, bad: Callable[[FloatArray, FloatArray], FloatArray], most: float) -> FloatArray | None:
    """Halve every interval that is `bad` until none is, or until it has no middle; None with more than `most` intervals."""
    done, todo = [edges[-1:]], np.stack([edges[:-1], edges[1:]])
    count = 0
    for _ in range(LEVELS):
        if todo.shape[1] == 0:
            break
        left, right = todo
        middle = 0.5 * (left + right)
        divide = bad(left, right) & (right - left > 1e-13 * np.maximum(1.0, np.abs(middle)))
        done.append(left[~divide])
        count += int((~divide).sum())
        if count + 2 * int(divide.sum()) > most:
            return None
        left, right, middle = left[divide], right[divide], middle[divide]
        todo = np.stack([np.concatenate([left, middle]), np.concatenate([middle, right])])
    return np.unique(np.concatenate([*done, todo[0]]))


def _narrowest(edges: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Middles and widths of the runs of intervals that are narrow, and narrower than the intervals beside them."""
    width = np.diff(edges)
    start = np.flatnonzero(np.concatenate([[True], np.abs(np.diff(width)) > 0.1 * np.minimum(width[1:], width[:-1])]))
    stop = np.concatenate([start[1:], [width.size]])
    own = width[start]
    before, after = np.concatenate([[np.inf], own[:-1]]), np.concatenate([own[1:], [np.inf]])
    least = (own < before) & (own < after) & (own < NARROW)
    left, right = edges[start[least]], edges[stop[least]]
    return 0.5 * (left + right), right - left
