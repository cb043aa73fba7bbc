"""Where a function of one variable is not smooth, found by halving panels that a polynomial does not resolve."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from gaussequiv.errors import FloatArray

_ORDER = 12  # nodes of a panel; the polynomial through them is compared with the function between them
_PANELS = 64  # at the start; their ends are off round numbers, where a kink at a panel's end would be overlooked
_LEAST = 32  # panels, where none had to be cut
_SLOW = 1 / 40  # a kink in the k-th derivative divides the error by 2^k a halving, a smooth function by 2^12
_NARROWEST = 1e-13  # of the largest abscissa
_MEMORY = 4  # generations through which errors fall slowly
_DEEP = 1 / 20  # of a panel at the start: what needs fewer halvings may be smooth
_TOO_MANY = 1500  # panels: the function varies everywhere


class Pieces(NamedTuple):
    """Places of the kinks, how well each is known, and the width of the narrowest panel that had to be cut (at most 1/32 of all)."""

    places: FloatArray
    doubts: FloatArray
    width: float


@cache
def _rule() -> tuple[FloatArray, FloatArray]:
    """Nodes with points to compare at, in [-1, 1], and the matrix from values at the nodes to the polynomial's at those points."""
    x, _ = np.polynomial.legendre.leggauss(_ORDER)
    between = np.concatenate([[-1 + 1e-7], 0.5 * (x[1:] + x[:-1]) + 0.003, [1 - 1e-7]])
    to_series = np.linalg.inv(np.polynomial.legendre.legvander(x, _ORDER - 1))
    return np.concatenate([x, between]), np.polynomial.legendre.legvander(between, _ORDER - 1) @ to_series


def smooth_pieces(
    function: Callable[[FloatArray], FloatArray], low: float, high: float, *, ends: FloatArray | None = None, tolerance: float = 1e-10
) -> Pieces | None:
    """Kinks (jumps included) of `function` between low and high, absolute `tolerance`; None where too many panels are needed.

    `ends`: known kinks, at which panels end from the start.

    Examples
    --------
    >>> smooth_pieces(lambda x: np.exp(-abs(x - 0.3)), -5.0, 5.0).places.round(6).tolist()
    [0.3]
    """
    a, b = _first_panels(low, high, ends)
    past = np.full((_MEMORY, a.size), np.inf)  # errors of the panel's parent, grandparent and so on
    parents: tuple[FloatArray, FloatArray, FloatArray] | None = None
    found: list[tuple[float, float]] = []
    width = (high - low) / _LEAST
    leaves: list[FloatArray] = []
    while a.size:
        if a.size > _TOO_MANY:
            return None
        error = _unresolved(function, a, b)
        rough = error > tolerance
        leaves.append(np.stack([0.5 * (a + b), b - a])[:, ~rough])
        if parents is not None and np.any(~rough):
            width = min(width, float((b - a)[~rough].min()))
        if parents is not None:  # panels both of whose halves are smooth, though errors fell slowly on the way to them: a kink between
            both = ~rough.reshape(-1, 2).any(axis=1)
            slow = both & np.all(parents[2][:-1] > _SLOW * parents[2][1:], axis=0)
            found += [(0.5 * (p + q), q - p) for p, q in zip(parents[0][slow], parents[1][slow], strict=True)]
        narrow = rough & (b - a <= _NARROWEST * np.maximum(np.maximum(np.abs(a), np.abs(b)), high - low))
        found += [(0.5 * (p + q), q - p) for p, q in zip(a[narrow], b[narrow], strict=True)]
        rough &= ~narrow
        a, b, error, past = a[rough], b[rough], error[rough], past[:, rough]
        history = np.concatenate([error[None, :], past[:-1]])
        parents = (a, b, history)
        middle = 0.5 * (a + b)
        a, b = np.stack([a, middle], axis=1).ravel(), np.stack([middle, b], axis=1).ravel()
        past = np.repeat(history, 2, axis=1)
    centre, lengths = np.concatenate(leaves, axis=1)

    def narrowest(place: float, doubt: float) -> bool:
        """Whether no panel next to it is narrower than its own halves: else the way down only passed a narrow feature's flank."""
        return not np.any((np.abs(centre - place) < 4 * doubt) & (lengths < 0.49 * doubt))

    return _merged([one for one in found if one[1] <= _DEEP * (high - low) / _PANELS and narrowest(*one)], width)


def _first_panels(low: float, high: float, ends: FloatArray | None) -> tuple[FloatArray, FloatArray]:
    """Their lower and upper ends."""
    below, above = -0.00271828 * (high - low), 0.00314159 * (high - low)
    edges = np.clip(np.linspace(low + below, high + above, _PANELS + 1), low, high)
    if ends is not None:
        edges = np.unique(np.concatenate([edges, ends[(ends > low) & (ends < high)]]))
    return edges[:-1], edges[1:]


def _unresolved(function: Callable[[FloatArray], FloatArray], a: FloatArray, b: FloatArray) -> FloatArray:
    """On every panel [a, b], the largest difference between the function and the polynomial through its values at the nodes."""
    points, between = _rule()
    x = 0.5 * (a + b)[:, None] + 0.5 * (b - a)[:, None] * points
    values = function(x.ravel()).reshape(x.shape)
    error = np.abs(values[:, :_ORDER] @ between.T - values[:, _ORDER:]).max(axis=1)
    return np.where(np.isnan(error), np.inf, error)


def _merged(found: list[tuple[float, float]], width: float) -> Pieces:
    """Neighbours within each other's doubt are one kink."""
    places: list[float] = []
    doubts: list[float] = []
    for place, doubt in sorted(found):
        if places and place - places[-1] <= 2 * (doubt + doubts[-1]):
            if doubt < doubts[-1]:
                places[-1], doubts[-1] = place, doubt
            continue
        places.append(place)
        doubts.append(doubt)
    return Pieces(np.array(places), np.array(doubts), width)
