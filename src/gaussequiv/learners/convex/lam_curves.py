"""Curves of solutions along lam, followed by their arc length: past where solutions at a given lam change at once.

Where kinks of the losses hold the last rows, V, sqrt(q), m and c - c0 shrink by orders of magnitude while lam stays the same in ten digits,
and Newton's method at a given lam does not find them. The curve of solutions in (log Vhat, log qhat, log |mhat|, u, log lam) itself is
smooth, and is followed in steps of its length for all points at once (Keller 1977, pseudo-arclength continuation).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaussequiv.errors import FloatArray
from gaussequiv.learners.convex.model import Model, Points
from gaussequiv.learners.convex.modes import MHAT, QHAT, VHAT
from gaussequiv.learners.convex.offsets import Starts
from gaussequiv.learners.convex.routes import CHUNK
from gaussequiv.learners.convex.weightless import vanishing_weights
from gaussequiv.numerics.status import Status

LAM = 4  # of the five unknowns of a curve
GONE = 10.0  # log(Vhat/load) of students whose losses are their kinks alone: what is left of their weights no longer changes lam
STARTS = (0.03, 0.01, 0.003, 1e-3, 3e-4, 1e-4)  # of the penalty that leaves no weights: where solutions are found from afar,
START_STEPS = 25  # in so many steps
FIRST, LONGEST, SHORTEST = 0.3, 3.0, 1e-4  # steps
LONGER, SHORTER, FEW = (2.5, 1.5), 0.3, 2  # times the step before, after few iterations of Newton's method and after more; after failing
CORRECTIONS, FOUND, FAR, AHEAD = 4, 1e-7, 1.0, 0.5  # of Newton's method, its residual, how far it may go; cosine of what may be a turn
ROUNDS = 300  # steps along a curve
HALVINGS = 45  # of an interval of a curve in which a lam is looked for
MOVES, LONGEST_MOVE, NEAR_ENOUGH = 12, 0.5, 1e-8  # in log Vhat towards a lam, and the error in log lam that ends them
FLAT = 1e-8  # change of all but Vhat and the constant along a curve on which the kinks alone are left


class LamCurve(NamedTuple):
    """Unknowns and log lam (steps, 5) in the order of rising lam, and tangents of unit length."""

    places: FloatArray
    tangents: FloatArray

    def at(self, y: FloatArray) -> FloatArray:
        """Unknowns (values, 4) at any log lam up to the last, by Hermite's cubics; before the first on a straight line."""
        rising = np.maximum.accumulate(self.places[:, LAM])
        k = np.clip(np.searchsorted(rising, y) - 1, 0, rising.size - 2)
        start, end, first, last = self.places[k], self.places[k + 1], self.tangents[k], self.tangents[k + 1]
        length = np.linalg.norm(end - start, axis=1)[:, None]

        def cubic(t: FloatArray) -> FloatArray:
            t = t[:, None]
            inner = length * t * (1 - t) * ((1 - t) * first - t * last)
            return np.asarray(start + (end - start) * t * t * (3 - 2 * t) + inner)

        low, high = np.zeros(y.size), np.ones(y.size)
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            below = cubic(middle)[:, LAM] < y
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        out = cubic(0.5 * (low + high))
        before = y < rising[0]
        line = self.places[0] + self.tangents[0] * ((y - rising[0]) / self.tangents[0, LAM])[:, None]
        return np.asarray(np.where(before[:, None], line, out)[:, :LAM])


def followed(model: Model, at: Points, lowest: float) -> tuple[list[LamCurve | None], FloatArray]:
    """A curve for every offset, and log lam at which its weights vanish: inf where they do not, nan where that was not found."""
    if at.load.size > CHUNK:
        parts = [followed(model, at.take(slice(k, k + CHUNK)), lowest) for k in range(0, at.load.size, CHUNK)]
        return [one for part in parts for one in part[0]], np.concatenate([part[1] for part in parts])
    empty, sign, size = model.empty(at), np.asarray(model.sign(at)), at.load.size
    start, going = np.zeros((size, LAM + 1)), np.zeros(size, dtype=bool)
    for share in STARTS:
        rest = np.flatnonzero(~going)
        if rest.size == 0:
            break
        some = Points(at.load[rest], share * empty[rest], at.b0[rest])
        found = model.saddle(some, sign[rest]).solve(model.start(some), longest=START_STEPS)
        good = found.status == Status.converged
        going[rest[good]] = True
        start[rest[good]] = np.concatenate([found.unknowns, np.log(some.lam)[:, None]], axis=1)[good]
    while (found_beside := _started_beside(model, at, sign, start, going)).any():
        going |= found_beside
    walks = _walk(model, at, sign, start, going, np.log(np.array([np.full(size, lowest), empty])))
    curves: list[LamCurve | None] = []
    last = np.full(size, np.nan)
    for i in range(size):
        down, up = walks[i], walks[i + size]
        if len(up) + len(down) < 3:
            curves.append(None)
            continue
        steps = [(z, -t) for z, t in down[:0:-1]] + up
        curves.append(LamCurve(*(np.array(part) for part in zip(*steps, strict=True))))
        end = up[-1][0]
        if _vanishing(end[None], up[-1][1][None], at.load[[i]])[0]:
            last[i] = end[LAM]
        elif end[LAM] > np.log(empty[i]):
            last[i] = np.inf
    rest = np.flatnonzero(np.isnan(last))
    if rest.size:  # at many samples of labels of little signal no lam leaves weights
        never, _ = vanishing_weights(model, Points(at.load[rest], np.full(rest.size, lowest), at.b0[rest]))
        last[rest[never]] = np.log(lowest) - 1.0
    return curves, last


def _started_beside(model: Model, at: Points, sign: FloatArray, start: FloatArray, going: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which offsets are found, at the lam of a neighbour, from where that is; their starts are set."""
    rest, beside = [], []
    for i in np.flatnonzero(~going).tolist():
        for j in (i - 1, i + 1):
            if 0 <= j < sign.size and going[j] and at.load[i] == at.load[j] and sign[i] == sign[j]:
                rest.append(i)
                beside.append(j)
                break
    out = np.zeros(sign.size, dtype=bool)
    if rest:
        some = Points(at.load[rest], np.exp(start[beside, LAM]), at.b0[rest])
        found = model.saddle(some, sign[rest]).solve(start[beside, :LAM], 0, START_STEPS)
        good = found.status == Status.converged
        mine = np.array(rest)[good]
        out[mine] = True
        start[mine] = np.concatenate([found.unknowns, start[beside, LAM][:, None]], axis=1)[good]
    return out


def _walk(
    model: Model, at: Points, sign: FloatArray, start: FloatArray, going: NDArray[np.bool_], ends: FloatArray
) -> list[list[tuple[FloatArray, FloatArray]]]:
    """Places and tangents of all curves from their starts down to the first of the `ends` in log lam, and then of all up to the second, or
    to where weights vanish; or until steps get too short.
    """
    twice = np.tile(np.arange(sign.size), 2)
    at, sign, z, going = at.take(twice), sign[twice], start[twice], going[twice]
    side, ends = np.repeat([-1.0, 1.0], start.shape[0]), ends.ravel()
    tangent = np.zeros(z.shape)
    tangent[:, LAM] = side
    bend, step = np.zeros(z.shape), np.zeros(side.size)  # the curve's second derivative
    out: list[list[tuple[FloatArray, FloatArray]]] = [[] for _ in range(side.size)]
    for _ in range(ROUNDS):
        todo = np.flatnonzero(going)
        if todo.size == 0:
            break
        length = step[todo, None]
        guess = z[todo] + length * tangent[todo] + 0.5 * length**2 * bend[todo]
        found, turned, iterations = _corrected(model, at.take(todo), sign[todo], guess, tangent[todo])
        begun = step[todo] > 0
        good = (iterations <= CORRECTIONS) & (np.max(np.abs(found - guess), axis=1) < FAR)
        good &= ~begun | (np.sum(turned * tangent[todo], axis=1) > AHEAD)
        moved = todo[good]
        with np.errstate(divide="ignore", invalid="ignore"):
            bend[moved] = np.where(begun[good, None], (turned[good] - tangent[moved]) / length[good], 0.0)
        z[moved], tangent[moved] = found[good], turned[good]
        for i, place, direction in zip(moved.tolist(), found[good], turned[good], strict=True):
            out[i].append((place, direction))
        growth = np.where(good, np.where(iterations <= FEW, *LONGER), SHORTER)
        step[todo] = np.where(begun, np.minimum(growth * step[todo], LONGEST), FIRST)
        arrived = (side * (z[:, LAM] - ends) > 0) | ((side > 0) & _vanishing(z, tangent, at.load))
        going &= ~arrived
        going[todo] &= (step[todo] > SHORTEST) & (begun | good)
    return out


def _vanishing(z: FloatArray, tangent: FloatArray, load: FloatArray) -> NDArray[np.bool_]:
    """Where the scale of the weights may shrink to 0 and nothing else changes."""
    flat = (np.abs(tangent[:, [QHAT, MHAT, LAM]]).max(axis=1) < FLAT) & (tangent[:, VHAT] > 0)
    return np.asarray(flat | (z[:, VHAT] - np.log(load) > GONE))


def _corrected(
    model: Model, at: Points, sign: FloatArray, guess: FloatArray, tangent: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """By Newton's method, the places on the curves in the planes through the guesses to which the tangents are normal, the tangents there,
    and the number of iterations: more than `CORRECTIONS` where they do not end.
    """
    z, turned, iterations = guess.copy(), tangent.copy(), np.full(sign.size, CORRECTIONS + 1.0)
    left = np.arange(sign.size)
    for k in range(CORRECTIONS + 1):
        lam = np.exp(z[left, LAM])
        equations, slope = model.saddle(Points(at.load[left], lam, at.b0[left]), sign[left]).evaluate_in_lam(z[left, :LAM])
        system = np.concatenate([equations.jacobian, (lam[:, None] * slope)[:, :, None]], axis=2)
        system = np.concatenate([system, tangent[left, None]], axis=1)
        sound = np.isfinite(system).all(axis=(1, 2)) & np.isfinite(equations.residual).all(axis=1)
        left, system, residual, worst = left[sound], system[sound], equations.residual[sound], equations.worst[sound]
        right = np.zeros((left.size, LAM + 1, 2))
        right[:, :LAM, 0], right[:, LAM, 1] = -residual, 1.0
        moves = np.linalg.solve(system, right)
        done = worst < FOUND
        iterations[left[done]] = k
        turned[left[done]] = moves[done, :, 1] / np.linalg.norm(moves[done, :, 1], axis=1)[:, None]
        left, moves = left[~done], moves[~done]
        if left.size == 0 or k == CORRECTIONS:
            break
        z[left] += moves[:, :, 0] / np.maximum(1.0, np.max(np.abs(moves[:, :, 0]), axis=1) / FAR)[:, None]
    return z, turned, iterations


def moved_to_lam(model: Model, at: Points, starts: Starts) -> Starts:
    """Starts moved along their curves to the lam of the points: through solutions at one Vhat after the other, which are well-conditioned
    beside the lam that leaves no weights, as those at one lam are not.
    """
    y, normal = np.log(at.lam), np.zeros((at.lam.size, LAM + 1))
    normal[:, VHAT] = 1.0
    z = np.concatenate([starts.unknowns, y[:, None]], axis=1)
    low, high = np.full(y.size, -np.inf), np.full(y.size, np.inf)
    left = np.arange(y.size)
    for _ in range(MOVES):
        found, tangent, iterations = _corrected(model, at.take(left), starts.sign[left], z[left], normal[left])
        good = iterations <= CORRECTIONS
        z[left[~good]] = found[~good]  # from where it goes on
        some, found, tangent = left[good], found[good], tangent[good]
        gap = y[some] - found[:, LAM]
        place, slope = found[:, VHAT], tangent[:, LAM] / tangent[:, VHAT]
        low[some], high[some] = np.where(gap > 0, place, low[some]), np.where(gap < 0, place, high[some])
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.where(slope > 0, gap / slope, np.sign(gap) * LONGEST_MOVE)
        step = np.clip(step, -LONGEST_MOVE, LONGEST_MOVE)
        outside = (place + step <= low[some]) | (place + step >= high[some])
        step = np.where(outside, 0.5 * (low[some] + high[some]) - place, step)
        z[some] = found + tangent / tangent[:, [VHAT]] * step[:, None]
        left = np.concatenate([left[~good], some[np.abs(gap) > NEAR_ENOUGH]])
        if left.size == 0:
            break
    return starts._replace(unknowns=z[:, :LAM])
