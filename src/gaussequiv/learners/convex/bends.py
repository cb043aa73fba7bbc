"""Offsets at which the weights of a student vanish: errors bend there, steeply where there are weights, and panels of the offset end."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gaussequiv.equivalence.offsets import Bend
from gaussequiv.errors import FloatArray
from gaussequiv.learners.convex.model import Model, Points
from gaussequiv.learners.convex.offsets import Starts
from gaussequiv.learners.convex.routes import DIRECT_STEPS, Routes, merged, spread
from gaussequiv.learners.convex.saddle_point import SolvedPoints
from gaussequiv.learners.convex.weightless import last_weights, vanishing_weights, without_weights
from gaussequiv.numerics.status import Status

BESIDE_ZERO = 1e-3  # of the first offset of the half line
NOWHERE: FloatArray = np.array([])
LONGER = 25  # steps of Newton's method near a bend, where its system is nearly singular


Bends = tuple[Bend, ...] | None  # None where no offset leaves weights


def bends(model: Model, load: FloatArray, lam: FloatArray, more: FloatArray = NOWHERE) -> list[Bends]:
    """Where students at every load and lam lose their weights as the offset of labels -1 and +1 varies, as far as the model's offsets show,
    or `more`.
    """
    b0 = np.unique(np.concatenate([model.b0, more, [BESIDE_ZERO * model.b0[0]] if model.folded else []]))
    at = Points(np.repeat(load, b0.size), np.repeat(lam, b0.size), np.tile(b0, load.size))
    gone = model.gone(at)
    gone[vanishing_weights(model, at)[0]] = True
    curves = gone.reshape(load.size, b0.size)
    curve, before = np.nonzero(curves[:, 1:] != curves[:, :-1])
    first = at.take(curve * b0.size + before)
    places, sides = last_weights(model, first, b0[before + 1]), np.where(curves[curve, before], 1, -1)
    out: list[Bends] = [None if one.all() else () for one in curves]
    for k in np.setdiff1d(curve, curve[~np.isfinite(places)]).tolist():  # others lose them in another way
        out[k] = tuple(Bend(*one) for one in zip(places[curve == k].tolist(), sides[curve == k].tolist(), strict=True))
    return out


def middles(bends: list[Bends]) -> FloatArray:
    """Offsets half way between neighbouring bends, where these are looked for as they draw near each other."""
    return np.array([0.5 * (one.place + other.place) for some in bends for one, other in pairwise(some or ())])


def near_bends(b0: FloatArray, bends: tuple[Bend, ...]) -> tuple[NDArray[np.intp], FloatArray, NDArray[np.bool_]]:
    """Of every offset the nearest bend, the logarithm of the distance from it, and whether students there have weights."""
    places, sides = (np.array(part) for part in zip(*bends, strict=True))
    nearest = np.abs(b0[:, None] - places).argmin(axis=1)
    distance = (b0 - places[nearest]) * sides[nearest]
    return nearest, np.log(np.abs(distance)), distance > 0


def solve_bent(model: Model, at: Points, starts: Starts, patient: bool = True) -> SolvedPoints:
    """The points of one load and lam by a model whose rule has bends: those with weights from their starts, the others at once.

    As solutions vary with the logarithm of the distance from a bend, those that are not reached are extrapolated from those further away.
    """
    nearest, distance, some = near_bends(at.b0, model.rule.bends)
    which, rest = np.flatnonzero(some), np.flatnonzero(~some)
    nearest, distance, mine = nearest[which], distance[which], at.take(which)
    known = np.flatnonzero(np.isfinite(starts.unknowns[which]).all(axis=1))
    if known.size:
        near, sign = mine.take(known), starts.sign[which[known]]
        saddle = model.saddle(near, sign if model.sign(near) is None else model.sign(near))
        part = spread(saddle.solve(starts.unknowns[which[known]], 0, DIRECT_STEPS), known, mine)
    else:
        part = Routes(model, False).solve(mine)
    alone = np.flatnonzero(~np.isin(nearest, nearest[part.status == Status.converged]))
    if known.size and alone.size:
        part.put(alone, Routes(model, False).solve(mine.take(alone)))
    for i in np.argsort(-distance).tolist():
        good = np.flatnonzero((part.status == Status.converged) & (nearest == nearest[i]))
        if part.status[i] == Status.converged or good.size == 0:
            continue
        one, other = good[np.argsort(np.abs(distance[good] - distance[i]))[[0, min(1, good.size - 1)]]]
        share = (distance[i] - distance[one]) / (distance[other] - distance[one]) if other != one else 0.0
        start = part.unknowns[one] + share * (part.unknowns[other] - part.unknowns[one])
        again = model.saddle(mine.take([i]), part.sign[[one]]).solve(start[None], 0, LONGER)
        again.steps += part.steps[i]
        part.put(np.array([i]), again)
    lost = np.flatnonzero(part.status != Status.converged)
    if lost.size and patient:
        part.put(lost, Routes(model).solve(mine.take(lost)))
    return merged((which, rest), [part, without_weights(model, at.take(rest))])
