"""Students that may lose their weights at once, at offsets of labels -1 and +1, from the curves of some of these offsets along lam.

From the curves (`lam_curves`) solutions start at any lam and offset, and the offset at which weights vanish is one more system of four
equations, in which it takes the place of Vhat. Penalties with kinks, on losses with kinks.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from gaussequiv.equivalence.offsets import Bend, OffsetRule
from gaussequiv.errors import FloatArray
from gaussequiv.learners.convex.bends import Bends
from gaussequiv.learners.convex.lam_curves import HALVINGS, LAM, followed, moved_to_lam
from gaussequiv.learners.convex.model import Model, Points
from gaussequiv.learners.convex.modes import MHAT, VHAT
from gaussequiv.learners.convex.offsets import IntArray, Starts
from gaussequiv.learners.convex.routes import Routes, merged
from gaussequiv.learners.convex.saddle_point import CONSTANT, LOGS, SolvedPoints
from gaussequiv.learners.convex.safeguarded_newton import TOLERANCE, Linearised, find_roots
from gaussequiv.learners.convex.weightless import last_weights, without_weights
from gaussequiv.numerics.status import Status

RULE = OffsetRule(panel=3)  # of the offsets that are followed
BESIDE_TURN = (1e-3, 3e-3, 0.01, 0.03, 0.1, 0.25, 0.5)  # of the distance of two offsets between which constants turn their sign
PLACES, ROOM = 4, 1.0  # of a cubic in the offset; log of the lam that leaves no weights over lam, below which that counts
STEPS = 8  # of Newton's method from curves
AWAY = 2.0  # of the logarithms from a start: what lies further is another solution
FAR_TURN = 3.0  # of the range of offsets
BEND_STEPS, CLOSE = 20, 1e-9  # of Newton's method, and the residual that ends it

BendsAt = Mapping[tuple[int, float], Bends]
NO_BENDS: BendsAt = {}


class Branches:
    """The curves of one convex learner at some loads, from the `lowest` lam up."""

    def __init__(self, model: Model, load: FloatArray, lowest: float) -> None:
        self.model = model.with_rule(RULE)
        self.b0, self.turns = _offsets(self.model)
        self.load = load
        self.sign = np.asarray(self.model.sign(Points(self.b0, self.b0, self.b0)))
        at = Points(np.repeat(load, self.b0.size), np.ones(load.size * self.b0.size), np.tile(self.b0, load.size))
        curves, last = followed(self.model, at, lowest)
        self.curves = [curves[k * self.b0.size : (k + 1) * self.b0.size] for k in range(load.size)]
        self.last = last.reshape(load.size, self.b0.size)  # log lam, inf where weights do not vanish, nan where that is not known
        lost = np.isnan(self.last)  # others that are known, on both sides, stand for them
        self.complete = not (lost[:, [0, -1]].any() or (lost[:, 1:] & lost[:, :-1]).any())

    @classmethod
    def known_for(cls, model: Model) -> bool:
        """Whether weights may vanish at once at some offsets of labels -1 and +1, and penalties have kinks."""
        return model.kinked and not model.regression and model.signal and model.b0.size > 1 and len(model.loss.kinks) > 0

    def bends(self, k: int, logs: FloatArray) -> list[Bends]:
        """Offsets at which weights vanish at the k-th load, for every log lam."""
        known = np.flatnonzero(~np.isnan(self.last[k]))
        above: NDArray[np.bool_] = np.asarray(self.last[k, known] > logs[:, None])
        row, i = np.nonzero(above[:, 1:] != above[:, :-1])
        here, there = known[i], known[i + 1]
        places = self._vanishing(k, logs[row], here, there)
        out: list[Bends] = [() if one.any() else None for one in above]
        for j in np.unique(row).tolist():
            mine = row == j
            sides = np.where(above[j, i[mine]], -1, 1).tolist()
            out[j] = tuple(Bend(*one) for one in zip(places[mine].tolist(), sides, strict=True))
        return out

    def panels(self, bends: Bends) -> tuple[Bend, ...]:
        """Bends at which panels of the offset end: without any weights those of the error of a constant, where that turns its sign."""
        if bends is not None or self.model.folded:
            return bends or ()
        return tuple(Bend(place, 1) for place in self.turns.tolist())

    def _vanishing(self, k: int, y: FloatArray, here: IntArray, there: IntArray) -> FloatArray:
        """Between two offsets of which one has weights, that at which their scale is that of the end of a curve."""
        with np.errstate(invalid="ignore"):
            share = (y - self.last[k, here]) / (self.last[k, there] - self.last[k, here])
        share = np.where(np.isfinite(share), share, 0.5)
        places = np.full(y.size, np.nan)
        for sides in (None, here, there):  # from between both ends, or from one of them where mhat turns its sign on the way
            todo = np.flatnonzero(np.isnan(places) & ((self.sign[here] == self.sign[there]) if sides is None else True))
            if todo.size:
                one, other = (here[todo], there[todo]) if sides is None else (sides[todo], sides[todo])
                start = self._beyond(k, one, other, share[todo])
                places[todo] = self._vanishing_from(
                    start, self.sign[one], k, y[todo], self.b0[here[todo]], self.b0[there[todo]], share[todo]
                )
        lost = np.flatnonzero(np.isnan(places))
        if lost.size:
            at = Points(np.full(lost.size, self.load[k]), np.exp(y[lost]), self.b0[here[lost]])
            places[lost] = last_weights(self.model, at, self.b0[there[lost]])
        return places

    def _vanishing_from(
        self, start: FloatArray, sign: FloatArray, k: int, y: FloatArray, low: FloatArray, high: FloatArray, share: FloatArray
    ) -> FloatArray:
        """By Newton's method in the logarithm of the distance from where the constant turns its sign: log lam is like that near there. nan
        where it does not end between `low` and `high`.
        """
        turn, lam = self._turn_beside(low, high), np.exp(y)
        side = np.where(low > turn, 1.0, -1.0)
        first, last = np.log(side * (low - turn)), np.log(side * (high - turn))
        log_Vhat, unknowns = start[:, VHAT].copy(), start.copy()
        unknowns[:, VHAT] = first + share * (last - first)

        def equations(x: FloatArray, rows: IntArray) -> Linearised:
            distance, own = side[rows] * np.exp(x[:, VHAT]), x.copy()
            own[:, VHAT] = log_Vhat[rows]
            at = Points(np.full(rows.size, self.load[k]), lam[rows], turn[rows] + distance)
            found, slope = self.model.saddle(at, sign[rows]).evaluate_in_offset(own)
            found.jacobian[:, :, VHAT] = slope * distance[:, None]
            return found._replace(image=x)

        roots = find_roots(equations, unknowns, 0, BEND_STEPS, patient=False, tolerance=CLOSE)
        t = roots.unknowns[:, VHAT]
        good = (roots.status == Status.converged) & (t >= np.minimum(first, last)) & (t <= np.maximum(first, last))
        return np.where(good, turn + side * np.exp(t), np.nan)

    def _beyond(self, k: int, here: IntArray, there: IntArray, share: FloatArray) -> FloatArray:
        """Unknowns between the ends of two curves, at one scale: c - c0 is like 1/Vhat there."""
        ends, shifts = [], []
        for which in (here, there):
            end = self._ends(k, which)
            ends.append(end)
            shifts.append(end[:, CONSTANT] - self.model.untrained(self.b0[which])[2])
        one, other = (np.where(np.isnan(end[:, [VHAT]]), rest, end) for end, rest in (ends, ends[::-1]))
        first, second = (np.where(np.isnan(shift), rest, shift) for shift, rest in (shifts, shifts[::-1]))
        log_Vhat = np.maximum(one[:, VHAT], other[:, VHAT])
        out = one + share[:, None] * (other - one)
        first, second = first * np.exp(one[:, VHAT] - log_Vhat), second * np.exp(other[:, VHAT] - log_Vhat)
        constant = self.model.untrained(self.b0[np.where(share < 0.5, here, there)])[2]
        out[:, VHAT], out[:, CONSTANT] = log_Vhat, constant + first + share * (second - first)
        return np.asarray(out)

    def _turn_beside(self, low: FloatArray, high: FloatArray) -> FloatArray:
        """The nearest place at which the constant turns its sign, and one far away where there is none."""
        far = np.append(self.turns, self.b0[0] - FAR_TURN * (self.b0[-1] - self.b0[0]))
        middle = 0.5 * (low + high)
        return np.asarray(far[np.abs(middle[:, None] - far).argmin(axis=1)])

    def _ends(self, k: int, which: IntArray) -> FloatArray:
        """Unknowns at the ends of curves, nan where there are none."""
        nothing = np.full(LAM, np.nan)
        return np.stack([nothing if (one := self.curves[k][i]) is None else one.places[-1, :LAM] for i in which.tolist()])

    def solve(
        self, model: Model, k: IntArray, at: Points, bends: BendsAt = NO_BENDS, tolerance: float = TOLERANCE, routes: bool | None = True
    ) -> SolvedPoints:
        """Points of the k-th loads by Newton's method from where the curves lead, else by the routes (with patience or not), or by none.

        `bends`: those that are known, by (k, log lam).
        """
        y, b0 = np.log(at.lam), at.b0
        some, starts = np.zeros(b0.size, dtype=bool), Starts.unknown(b0.size)
        for j in np.unique(k).tolist():
            mine = np.flatnonzero(k == j)
            room = self._room(j, y[mine], b0[mine], bends)
            some[mine] = room > 0
            starts.fill(mine, self._starts(j, y[mine], b0[mine], room))
        which, rest = np.flatnonzero(some), np.flatnonzero(~some)
        parts = [without_weights(model, at.take(rest))] if rest.size else []
        if which.size:
            part = self._directly(model, at.take(which), starts.take(which), tolerance)
            lost = np.flatnonzero((part.status != Status.converged) & np.isfinite(starts.unknowns[which]).all(axis=1))
            if lost.size:
                near = moved_to_lam(model, at.take(which[lost]), starts.take(which[lost]))
                part.put(lost, self._directly(model, at.take(which[lost]), near, tolerance))
            lost = np.flatnonzero(part.status != Status.converged)
            if lost.size and routes is not None:
                part.put(lost, Routes(model, routes, tolerance).solve(at.take(which[lost])))
            parts.append(part)
        return merged((rest, which), parts)

    def _directly(self, model: Model, at: Points, starts: Starts, tolerance: float) -> SolvedPoints:
        """By Newton's method alone; what ends elsewhere is marked."""
        known = np.asarray(np.isfinite(starts.unknowns).all(axis=1))
        start = np.where(known[:, None], starts.unknowns, model.start(at))
        part = model.saddle(at, starts.sign).solve(start, 0, STEPS, tolerance)
        moved = np.max(np.abs(part.unknowns - start)[:, LOGS], axis=1)
        part.status[(moved > AWAY) | ~known] = Status.max_steps
        return part

    def _starts(self, k: int, y: FloatArray, b0: FloatArray, room: FloatArray) -> Starts:
        """At every (log lam, offset), by cubics through curves nearby; nan where there are none.

        Where weights are about to vanish through places on them as far from their ends, in the logarithm of the distance from where the
        constant turns its sign; else through those at the same lam.
        """
        own = np.asarray(self.model.sign(Points(b0, b0, b0)))
        about = np.isfinite(room) & (room < ROOM)
        last = np.where(np.isfinite(self.last[k]), self.last[k], np.inf)
        targets = np.where(about[:, None], last - np.where(about, room, 0.0)[:, None], y[:, None])
        ends = np.array([-np.inf if curve is None else curve.places[-1, LAM] for curve in self.curves[k]])
        turn = self._turn_beside(b0, b0)
        beyond: NDArray[np.bool_] = np.asarray((b0 - turn)[:, None] * (self.b0 - turn[:, None]) <= 0)
        use: NDArray[np.bool_] = (targets <= ends) & (own[:, None] == self.sign) & (room > 0)[:, None] & ~(about[:, None] & beyond)
        with np.errstate(divide="ignore"):
            places = np.where(about[:, None], np.log(np.abs(self.b0 - turn[:, None])), self.b0)
            here = np.where(about, np.log(np.abs(b0 - turn)), b0)
        distance = np.where(use, np.abs(here[:, None] - places), np.inf)
        nearest = np.argsort(distance, axis=1)[:, :PLACES]
        some = np.isfinite(np.take_along_axis(distance, nearest, axis=1))
        places, values = np.take_along_axis(places, nearest, axis=1), np.zeros((*nearest.shape, LAM))
        for i in np.unique(nearest[some]).tolist():
            rows, column = np.nonzero((nearest == i) & some)
            curve = self.curves[k][i]
            assert curve is not None
            values[rows, column] = curve.at(targets[rows, i])
        if self.model.mirrored:
            values[:, :, MHAT] -= np.log(self.b0[nearest])  # mhat/b0 is even
        low, high = (np.where(some, places, far) for far in (np.inf, -np.inf))
        some[(here < low.min(axis=1)) | (here > high.max(axis=1)), PLACES // 2 :] = False
        unknowns = np.einsum("nj,njk->nk", _weights(here, np.where(some, places, 0.0), some), values)
        if self.model.mirrored:
            unknowns[:, MHAT] += np.log(b0)
        unknowns[~some[:, 0]] = np.nan
        return Starts(unknowns, own, np.zeros(b0.size))

    def _room(self, k: int, y: FloatArray, b0: FloatArray, bends: BendsAt) -> FloatArray:
        """log of the lam that leaves no weights over lam, at every offset; inf where weights do not vanish."""
        known = np.flatnonzero(~np.isnan(self.last[k]))
        finite = known[np.isfinite(self.last[k, known])]
        if finite.size == 0:
            return np.full(b0.size, np.inf)
        out = np.empty(b0.size)
        for one in np.unique(y).tolist():
            rows = y == one
            more = [bend.place for bend in bends.get((k, one)) or ()]
            places, once = np.unique(np.concatenate([self.b0[finite], more]), return_index=True)
            values = np.concatenate([self.last[k, finite], np.full(len(more), one)])[once]
            inside = np.clip(b0[rows], places[0], places[-1])
            out[rows] = (PchipInterpolator(places, values)(inside) if places.size > 1 else values[0]) - one
        after = np.clip(np.searchsorted(self.b0[known], b0), 1, max(known.size - 1, 1))
        beside = np.isfinite(self.last[k, known[after - 1]]) | np.isfinite(self.last[k, known[np.minimum(after, known.size - 1)]])
        return np.where(beside, out, np.inf)


def _weights(b0: FloatArray, places: FloatArray, some: NDArray[np.bool_]) -> FloatArray:
    """Lagrange's, of values at some of the places (points, few)."""
    out = np.zeros(places.shape)
    for j in range(places.shape[1]):
        others = [i for i in range(places.shape[1]) if i != j]
        with np.errstate(divide="ignore", invalid="ignore"):
            parts = (b0[:, None] - places[:, others]) / (places[:, [j]] - places[:, others])
        out[:, j] = np.where(some[:, others], parts, 1.0).prod(axis=1) * some[:, j]
    return out


def _offsets(model: Model) -> tuple[FloatArray, FloatArray]:
    """Those of the rule with others beside every place where a constant turns its sign, and these places: the closer to them, the larger
    the lam that leaves no weights.
    """
    b0 = model.b0
    if model.folded:
        return np.concatenate([np.outer(BESIDE_TURN, b0[:1]).ravel(), b0]), np.zeros(1)
    slope = model.slopes(b0, np.zeros_like(b0))[2]  # of the losses in the constant, at 0
    turns = np.flatnonzero(slope[1:] * slope[:-1] < 0)
    low, high, first = b0[turns], b0[turns + 1], slope[turns]
    beside = np.outer(BESIDE_TURN, high - low)
    for _ in range(HALVINGS if turns.size else 0):
        middle = 0.5 * (low + high)
        same = model.slopes(middle, np.zeros_like(middle))[2] * first > 0
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return np.sort(np.concatenate([b0, (low - beside).ravel(), (low + beside).ravel()])), low
