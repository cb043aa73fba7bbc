"""The Gaussian law of the target's constant part b0 as nodes: on the half line where errors are even in b0, else on both sides.

Errors on labels -1 and +1 bend where the constant of a student with few weights turns its sign: with links that rise or fall near 0, like
|b0| on any scale, for which panels are graded. Errors on real labels average the label's law over a field of variance rho and are as smooth
in b0: equal steps are exact up to exp(-(2 pi s/step)^2/2) for integrands with Fourier transforms of width 1/s, where
1/s^2 = 1/variance + 1/rho (Trefethen and Weideman 2014, section 5).
"""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from gaussequiv.errors import AccuracyWarning, FloatArray

_EDGES = np.array([0.0, 1e-4, 1e-3, 1e-2, 0.04, 0.12, 0.35, 1.0, 2.0, 3.5, 5.5, 8.5])
_PLAIN_EDGES, _SMOOTH_EDGES = np.append(0.0, _EDGES[6:]), np.append(0.0, _EDGES[6:-1])
STEP = 0.6  # in units of s: of smooth averages twice as long a step misses some 1e-6, this one nothing
SHIFT = 0.3  # of the nodes on both sides, in usual steps: every second one of half of them is no mirror image of the others
NEAR_BEND = 0.5  # distance of an edge from a bend, over that of the next edge, below which it is left out
RESOLVED, CUSP = 1e-6, 1e-4  # guessed error of an average, often tenfold the true one, from which steps are halved; and is then told
END, WIDEST = 8.5, 35.0  # in standard deviations; largest variance over rho for which steps, which are as short as the field asks, are few


class Bend(NamedTuple):
    """An offset up to which errors are smooth from one side, and steep from the other: +1 from above, -1 from below."""

    place: float
    side: int


class OffsetRule(NamedTuple):
    """Step over the usual one, for real labels; for labels -1 and +1 nodes on each of a few panels (None: the usual ones), and bends where
    panels end.
    """

    step: float = 1.0
    panel: int | None = None
    bends: tuple[Bend, ...] = ()


FULL, FINER = OffsetRule(), OffsetRule(step=0.5)


def offset_nodes(
    variance: float,
    given: float | None,
    *,
    even: bool = True,
    smooth: int | None = None,
    bent: bool = True,
    bends: tuple[Bend, ...] = (),
) -> tuple[FloatArray, FloatArray]:
    """Values of b0 and weights summing to 1: one value where it is given or zero, else Gauss-Legendre panels.

    `even`: what is averaged is even in b0, so that b0 >= 0 is enough.

    `smooth` nodes on each of a few panels are enough for functions that do not bend near 0 (regularised students, alpha not small); where
    they do not bend there (`bent` is false), but may elsewhere, panels have the usual number of nodes and are not graded about 0.
    Panels end at `bends` that are known: those of b0 >= 0 if that is enough.
    """
    if given is not None:
        return np.array([float(given)]), np.ones(1)
    if variance <= 0:
        return np.zeros(1), np.ones(1)
    edges = (_EDGES if bent else _PLAIN_EDGES) if smooth is None else _SMOOTH_EDGES
    x, w = np.polynomial.legendre.leggauss(9 if smooth is None else smooth)
    if bends:
        both = edges if even else np.concatenate([-edges[:0:-1], edges])
        nodes, weights = _bent_panels(both, [Bend(b0 / np.sqrt(variance), side) for b0, side in bends], 0.5 * (1 + x), 0.5 * w)
        weights *= np.exp(-0.5 * nodes**2)
        return nodes * np.sqrt(variance), weights / weights.sum()
    half = 0.5 * np.diff(edges)[:, None]
    nodes = (0.5 * (edges[1:] + edges[:-1])[:, None] + half * x).ravel()
    weights = (half * w).ravel() * np.exp(-0.5 * nodes**2)
    nodes, weights = nodes * np.sqrt(variance), weights / weights.sum()
    return (nodes, weights) if even else (np.concatenate([-nodes[::-1], nodes]), 0.5 * np.concatenate([weights[::-1], weights]))


def _bent_panels(edges: FloatArray, bends: list[Bend], t: FloatArray, w: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights of panels that end at edges and bends, from those of 0 to 1.

    On its steep side the panel at a bend has nodes at the squares of `t`, which resolve roots and logarithms of the distance. It is long
    enough that errors are smooth on the next one.
    """
    for place, side in bends:
        ahead = np.sort(side * (edges[side * (edges - place) > 0] - place))
        while ahead.size > 1 and ahead[0] < NEAR_BEND * ahead[1]:
            edges, ahead = edges[side * (edges - place) != ahead[0]], ahead[1:]
    ends = np.unique([*edges, *(place for place, _ in bends)])
    above, below = ({place for place, side in bends if side == one} for one in (1, -1))
    nodes, weights = [], []
    for low, high in pairwise(ends.tolist()):
        middle = 0.5 * (low + high)
        parts = [(low, middle), (high, middle)] if low in above and high in below else [(high, low)] if high in below else [(low, high)]
        for start, stop in parts:
            power = 2 if start in (above | below) and (start in above) == (start < stop) else 1
            own, mass = start + (stop - start) * t**power, abs(stop - start) * w * power * t ** (power - 1)
            up = slice(None) if start < stop else slice(None, None, -1)
            nodes.append(own[up])
            weights.append(mass[up])
    return np.concatenate(nodes), np.concatenate(weights)


def spaced_offsets(variance: float, rho: float, *, even: bool = False, step: float = 1.0) -> tuple[FloatArray, FloatArray]:
    """Values of b0 at equal steps, `step` times the usual one, and weights summing to 1; for smooth averages over a field of variance rho.

    Steps half as long add values in the middle of the others. On both sides b0 = 0, where labels such as |field| tell nothing of the field,
    is no node.
    """
    length = step * STEP / np.sqrt(1 + (min(variance / rho, WIDEST) if rho > 0 else WIDEST))
    count = int(np.ceil(END / length))
    nodes = length * (np.arange(-count * (not even), count + 1) + (0.0 if even else SHIFT / step))
    weights = np.exp(-0.5 * nodes**2)
    if even:
        weights[0] *= 0.5
    return np.sqrt(variance) * nodes, weights / weights.sum()


def left_by_steps(values: FloatArray, mass: FloatArray, *, half: bool = False) -> FloatArray:
    """Error of the average over equally spaced offsets (last axis), relative to that of |values|, guessed from those over some of them.

    Steps two, three and four times as long miss some d2, d3 and d4. Errors of smooth functions fall faster than any power of the step, and
    are far below the d2 d3/d4 that is returned; beside a cusp they fall like its square, and are about that. `half`: the offsets are those
    of the half line from 0 on. Not a number where a value is none.
    """
    if half and mass.size > 1:
        values, mass = np.concatenate([values[..., :0:-1], values], axis=-1), np.concatenate([0.5 * mass[:0:-1], mass[:1], 0.5 * mass[1:]])
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, scale = values @ mass, np.abs(values) @ mass
        two, three, four = (
            np.max(
                [np.abs(values[..., k::every] @ mass[k::every] / mass[k::every].sum() - mean) for k in range(min(every, mass.size))], axis=0
            )
            for every in (2, 3, 4)
        )
        return np.where(scale != 0, two * np.minimum(1.0, three / np.where(four > 0, four, 1.0)) / scale, 0.0)


def warn_of_cusps(error: FloatArray, what: str = "test error") -> None:
    """Warn of averages that the finest step leaves with such relative errors, by the guess of `left_by_steps`.

    Losses with kinks on discrete labels change at some offset from a student without weights to one that learns, where errors have a cusp.
    """
    worst = np.nanmax(error, initial=0.0)
    if worst > CUSP:
        warnings.warn(
            f"The average of the {what} over the random offset of the labels is not resolved and may be off by some {worst:.0e} of it: "
            "as a function of the offset it has a cusp or ripples, as with a loss with kinks on discrete labels, or turns nearly at once, "
            "as with few weights where one label counts more.",
            AccuracyWarning,
            stacklevel=2,
        )
