"""The ways to the solutions of one convex learner's saddle point: from afar, by continuation in lam, from neighbours, from no weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gaussequiv.errors import FloatArray
from gaussequiv.learners.convex.model import SOME, Model, Points
from gaussequiv.learners.convex.modes import MHAT, QHAT, VHAT
from gaussequiv.learners.convex.offsets import EVERY, SELDOM, Curves, IntArray, Starts, between, stages, stretches
from gaussequiv.learners.convex.saddle_point import CONSTANT, DAMPED_STEPS, LOGS, SolvedPoints, joined
from gaussequiv.learners.convex.safeguarded_newton import TOLERANCE
from gaussequiv.learners.convex.weightless import SMALLER, held_at_a_kink, vanishing_weights, without_weights
from gaussequiv.numerics.status import Status

CHUNK = 512  # points solved together: memory stays near 100 MB
EASY = 1e-2  # penalty (over the mean eigenvalue) from which smaller ones are reached by continuation
RATIO = 10.0
EMPTY = 10.0  # log(Vhat/load) of students that have hardly any weights
DIRECT_STEPS = 12  # of Newton's method between solved offsets, before the long way is taken
BEYOND = 3.0  # steps of the offset from the last that has weights, with kinks in the penalty
FEW_ARE_HARD = 0.5  # share of the first offsets that may wait
MOST = 3  # solved points, over those that are not, from which the others start between them
FEWER = (SOME, 0.07, 0.03)  # of the penalty that leaves no weight
SMALL_WEIGHTS, FEW_WEIGHTS = 1e3, 10.0  # curvature of the penalty over that of the losses
FIRST_STEP, SHORTEST_STEP, STEPS = 1.0, 1e-3, 25  # in log lam, and Newton's in each
SHORTEST_RISE = 0.05  # towards larger penalties, where the last weights of a loss without response vanish all at once
HARDLY = 0.7  # of the penalty that leaves no weight: so few are left that they change no more than nine digits
IMPATIENT = 0.1  # either way, where points may be left out
SOON, LATER = 30, 50  # steps that nearly all points need at most, from a first and from other starts
SOONEST = 16  # and from hardly any weights
RESPONDING = (
    1.0  # log Vhat - log(qhat)/2 of such students, in which few rows lie beside the kink: between 0.3 and 1.8 where it was looked at
)
MILD = 20  # steps of the damped iteration from a start that is near in all but Vhat
STEADY = 2.0  # logarithms of the conjugates move like lam^2 at most, and a little more where a phase ends
DAMPED = 150  # steps of the damped iteration where Newton has no start


class Routes:
    """How the points of a `Model` are solved; without patience where some may be left out, as on the way to something else.

    Points that start near their solutions are solved to a `tolerance`, others to the usual one.
    """

    def __init__(self, model: Model, patient: bool = True, tolerance: float = TOLERANCE) -> None:
        self.model, self.patient, self.tolerance = model, patient, tolerance
        self.ways = (self._weights_vanish, self._from_silence, self._from_nothing, self._turned)
        self.long_ways = (self._all_the_way, *([self._patiently] if patient else []))

    def solve(self, at: Points) -> SolvedPoints:
        """All points; small penalties by continuation from larger ones, extrapolating in log lam."""
        if at.load.size > CHUNK:
            return joined([self.solve(at.take(slice(k, k + CHUNK))) for k in range(0, at.load.size, CHUNK)])
        at = self.model.capped(at)
        curves = stretches(at.load, at.lam, at.b0)
        if self.model.kinked:
            parts = stages(curves, EVERY)
            return self._descend(at) if parts is None else self._outward(at, curves, parts)
        if self._few_weights(at).all():  # the first update from none is nearer than neighbours
            return self._from_afar(at)
        parts = stages(curves, SELDOM)
        return self._from_afar(at) if parts is None else self._between(at, curves, parts)

    def solve_near(self, at: Points, starts: Starts) -> SolvedPoints:
        """All points from starts near their solutions; from afar where those are nan or do not lead there."""
        if at.load.size > CHUNK:
            parts = [slice(k, k + CHUNK) for k in range(0, at.load.size, CHUNK)]
            return joined([self.solve_near(at.take(part), starts.take(part)) for part in parts])
        if not np.isfinite(starts.unknowns).all(axis=1).any():
            return self.solve(at)
        at = self.model.capped(at)
        return self._apart(
            at,
            self.model.gone(at, 1.0 if self.patient else HARDLY),
            lambda rest: self._directly(at.take(rest), starts.take(rest), self.solve),
        )

    def _apart(self, at: Points, gone: NDArray[np.bool_], solve: Callable[[IntArray], SolvedPoints]) -> SolvedPoints:
        """Students without weights at once, the others by `solve`."""
        if not gone.any():
            return solve(np.arange(gone.size))
        known, rest = np.flatnonzero(gone), np.flatnonzero(~gone)
        part = without_weights(self.model, at.take(known))
        return merged((known, rest), [part, solve(rest)]) if rest.size else part

    def _between(self, at: Points, curves: Curves, parts: list[IntArray]) -> SolvedPoints:
        """A few offsets of every curve from afar; the others start between those solved before, and from afar if that fails.

        An offset that is not solved in any way costs the average, and the rest of its curve is not tried.
        """
        solution = spread(self._from_afar(at.take(parts[0])), parts[0], at)
        tried = parts[0]
        for more in parts[1:]:
            others = more[~self._lost(at, solution, tried, curves)[more]]
            if others.size == 0:
                break
            starts, _ = self._beside(at, solution, others, curves)
            solution.put(others, self._directly(at.take(others), starts, self._from_afar))
            tried = np.concatenate([tried, others])
        return solution

    def _lost(self, at: Points, solution: SolvedPoints, tried: IntArray, curves: Curves) -> NDArray[np.bool_]:
        """Points of curves some of whose offsets were tried and not solved, unless that makes no difference to an average."""
        failed = np.zeros(at.load.size, dtype=bool)
        failed[tried] = solution.status[tried] != Status.converged
        failed[tried] &= ~self.model.harmless(at.b0[tried], solution.residual[tried])
        lost = np.zeros_like(failed)
        for start, stop in curves:
            lost[start:stop] = failed[start:stop].any()
        return lost

    def _outward(self, at: Points, curves: Curves, parts: list[IntArray]) -> SolvedPoints:
        """With kinks in the penalty, where it is a long way from afar: what is not solved soon waits until offsets nearer to it are."""
        first = self._hastily(at.take(parts[0]))
        if np.mean(first.status != Status.converged) > FEW_ARE_HARD:
            first = self._descend(at.take(parts[0]))
        solution, asked = spread(first, parts[0], at), np.zeros(at.load.size, dtype=bool)
        asked[parts[0]] = True
        for others in parts[1:]:
            asked[others] = True
            todo = np.flatnonzero(asked & (solution.status != Status.converged))
            while todo.size:
                starts, near = self._beside(at, solution, todo, curves)
                if not near.any():
                    break
                solution.put(todo[near], self._directly(at.take(todo[near]), starts.take(near), self._leave))
                todo = todo[~near]
        rest = np.flatnonzero(solution.status != Status.converged)
        if rest.size:
            solution.put(rest, self._descend(at.take(rest)))
        return solution

    def _beside(self, at: Points, solution: SolvedPoints, todo: IntArray, curves: Curves) -> tuple[Starts, NDArray[np.bool_]]:
        """Starts of points between those that are solved, and which of them are near enough."""
        solved = solution.status == Status.converged
        if self.model.kinked:  # and have weights
            solved &= solution.unknowns[:, VHAT] < EMPTY + np.log(at.load)
        known = np.flatnonzero(solved)
        starts = between(known, solution.unknowns[known], solution.sign[known], todo, at.b0, curves, self.model.mirrored)
        far = starts.away > (BEYOND if self.model.kinked else np.inf)
        return starts, np.asarray(np.isfinite(starts.unknowns).all(axis=1) & ~far)

    def _hastily(self, at: Points) -> SolvedPoints:
        """`_descend` by its first way alone; other points are left as they are."""
        gone = self.model.gone(at)
        if gone.any():
            return self._apart(at, gone, lambda rest: self._hastily(at.take(rest)))
        solution, lam = self._with_some(at)
        return self._onward(solution, lam, at, solution.status == Status.converged)

    def _onward(self, solution: SolvedPoints, lam: FloatArray, at: Points, good: NDArray[np.bool_]) -> SolvedPoints:
        """Solved points at lam taken to that of `at`; those that do not arrive, and others elsewhere, are marked."""
        which = np.flatnonzero(good)
        part = solution.take(which)
        lam[which] = self._toward(part, lam[which], at.take(which))
        solution.place(which, part)
        solution.steps[which] = part.steps
        solution.status[lam != at.lam] = Status.max_steps
        return solution

    def _leave(self, at: Points) -> SolvedPoints:
        """Points that are not solved."""
        solution = self.model.saddle(at, self.model.sign(at)).solve(self.model.start(at), longest=1)
        solution.status[:], solution.steps[:] = Status.max_steps, 0.0
        return solution

    def _directly(self, at: Points, starts: Starts, from_afar: Callable[[Points], SolvedPoints]) -> SolvedPoints:
        """Newton's method alone, and the long way where it fails or ends elsewhere."""
        unknown = np.any(~np.isfinite(starts.unknowns), axis=1)
        if unknown.all():
            return from_afar(at)
        if unknown.any():
            near, afar = np.flatnonzero(~unknown), np.flatnonzero(unknown)
            return merged((near, afar), [self._directly(at.take(near), starts.take(near), from_afar), from_afar(at.take(afar))])
        empty = held_at_a_kink(at, starts.unknowns)
        if empty.any():
            return self._with_neighbours_without(at, starts, empty, from_afar)
        own = self.model.sign(at)
        solution = self.model.saddle(at, starts.sign if own is None else own).solve(starts.unknowns, 0, DIRECT_STEPS, self.tolerance)
        moved = np.max(np.abs(solution.unknowns - starts.unknowns)[:, LOGS], axis=1)
        lost: NDArray[np.bool_] = solution.status != Status.converged
        lost |= moved > STEADY * (1 + starts.away)  # another solution than the neighbours'
        failed = np.flatnonzero(lost)
        if failed.size:
            solution.status[failed] = Status.max_steps
            starts, close = self._beside(at, solution, failed, stretches(at.load, at.lam, at.b0))
            beside = at.load.size > MOST * failed.size and close.all()
            solution.put(failed, self._directly(at.take(failed), starts, from_afar) if beside else from_afar(at.take(failed)))
        return solution

    def _from_afar(self, at: Points) -> SolvedPoints:
        """Small penalties by continuation from larger ones."""
        lowest = EASY * self.model.scale
        easy = Points(at.load, np.maximum(at.lam, lowest), at.b0)
        last = np.where(at.lam > 0, at.lam, 1e-4 * lowest)  # lam = 0 itself is solved from there
        solution = self._settled(easy, self._first_start(easy), self.model.sign(easy), ends=easy.lam <= last)
        steps: FloatArray = solution.steps.copy()
        previous: FloatArray | None = None
        lam = np.where(self._stay_without_weights(solution, at), at.lam, easy.lam)
        while (todo := np.flatnonzero(lam > last)).size:
            target = np.maximum(lam[todo] / RATIO, at.lam[todo])
            x = solution.unknowns[todo]
            guess = x if previous is None else x + (x - previous[todo]) * (np.log(lam[todo] / target) / np.log(RATIO))[:, None]
            some = Points(at.load[todo], target, at.b0[todo])
            part = self._settled(some, guess, solution.sign[todo], damped_steps=0, ends=target <= last[todo])
            previous = solution.unknowns.copy()
            lam = lam.copy()
            lam[todo] = target
            steps[todo] += part.steps
            solution.place(todo, part)
        zero = np.flatnonzero((at.lam == 0) & (lam > 0))
        if zero.size:
            part = self._settled(at.take(zero), solution.unknowns[zero], solution.sign[zero], damped_steps=0)
            steps[zero] += part.steps
            solution.place(zero, part)
        solution.steps = steps
        return solution

    def _stay_without_weights(self, solution: SolvedPoints, at: Points) -> NDArray[np.bool_]:
        """Which points have no weights at larger penalties and none at their own, where they are placed."""
        stay = np.zeros(at.lam.shape, dtype=bool)
        gone = np.flatnonzero((solution.status == Status.converged) & (np.sqrt(solution.fields.q) <= SMALLER))
        if gone.size:
            vanishing, shape = vanishing_weights(self.model, at.take(gone))
            stay[gone[vanishing]] = True
            solution.place(gone[vanishing], without_weights(self.model, at.take(gone[vanishing]), shape))
        return stay

    def _first_start(self, at: Points) -> FloatArray:
        start, few = self.model.start(at), self._few_weights(at)
        if few.any():
            start[few] = self._weightless(at.take(few))
        return start

    def _few_weights(self, at: Points) -> NDArray[np.bool_]:
        """Where the penalty bends by much more than losses on labels -1 and +1, whose first update from no weights is then near."""
        if self.model.real is not None:  # the best constant of other labels is dear
            return np.zeros(at.lam.shape, dtype=bool)
        square, *_ = self.model.untrained(at.b0)
        return np.asarray(at.lam * self.model.curvature > FEW_WEIGHTS * at.load * np.sqrt(square))

    def _descend(self, at: Points) -> SolvedPoints:
        """Penalties with kinks: from where hardly a weight is left, and the map hardly depends on its argument, down to lam."""
        gone = self.model.gone(at)
        if gone.any():
            return self._apart(at, gone, lambda rest: self._descend(at.take(rest)))
        solution, lam = self._with_some(at)
        left = np.zeros(lam.shape, dtype=bool)
        hard = np.flatnonzero(solution.status != Status.converged)
        if hard.size:
            part, lam[hard] = self._from_emptiness(at.take(hard))
            solution.place(hard, part)
            solution.steps[hard] += part.steps
        hard = np.flatnonzero(solution.status != Status.converged)
        if hard.size:
            solution.place(hard, self._weights_vanish(at.take(hard), solution.unknowns[hard], solution.take(hard)))
            lam[hard] = np.where(solution.status[hard] == Status.converged, at.lam[hard], lam[hard])
        for share in FEWER[1:]:  # a loss without response at z = 0, such as the hinge, is not solved where hardly a weight is left
            hard = np.flatnonzero(solution.status != Status.converged)
            if hard.size == 0:
                break
            rest, lam[hard] = at.take(hard), share * self.model.empty(at.take(hard))
            some = Points(rest.load, lam[hard], rest.b0)
            part = self.model.saddle(some, self.model.sign(rest)).solve(self._weightless(rest), longest=LATER)
            solution.place(hard, part)
            solution.steps[hard] += part.steps
            left[hard] = part.status == Status.converged
        hard = np.flatnonzero(solution.status != Status.converged)
        if hard.size:
            lam[hard] = at.lam[hard]
            part = self._damped(at.take(hard))
            solution.place(hard, part)
            solution.steps[hard] += part.steps
        lam = self._toward(solution, lam, at)
        solution.status[lam != at.lam] = Status.max_steps
        stuck = np.flatnonzero((lam != at.lam) & ~left)
        if stuck.size:  # flat pieces of the loss about z = 0, such as Huber's on labels -1 and 1, are left all at once
            part = self._damped(at.take(stuck))
            solution.steps[stuck] += part.steps
            good = part.status == Status.converged
            solution.place(stuck[good], part.take(good))
        return solution

    def _with_some(self, at: Points) -> tuple[SolvedPoints, FloatArray]:
        """Points at penalties that leave some weights, or their own, and those lam."""
        lam = np.maximum(at.lam, FEWER[0] * self.model.empty(at))
        return self.model.saddle(Points(at.load, lam, at.b0), self.model.sign(at)).solve(self._weightless(at), longest=SOONEST), lam

    def _damped(self, at: Points) -> SolvedPoints:
        """From the uninformed start, patiently."""
        return self.model.saddle(at, self.model.sign(at)).solve(self.model.start(at), damped_steps=DAMPED)

    def _toward(self, solution: SolvedPoints, lam: FloatArray, at: Points) -> FloatArray:
        """Take solved points at lam to that of `at`; how far they came.

        With too many weights the map has no nearby fixed point, and Newton runs away; so each step in log lam is as long as Newton can go
        in a few iterations, from an extrapolation of the last two solutions.
        """
        lam, previous, step, taken = lam.copy(), solution.unknowns.copy(), np.full(lam.size, FIRST_STEP), np.full(lam.size, np.inf)
        shortest = np.where(lam > at.lam, SHORTEST_STEP, SHORTEST_RISE) if self.patient else np.full(lam.size, IMPATIENT)
        while (todo := np.flatnonzero((lam != at.lam) & (step > shortest))).size:
            ahead = np.minimum(step[todo], np.abs(np.log(lam[todo] / at.lam[todo])))
            target = np.where(ahead < step[todo], at.lam[todo], lam[todo] * np.exp(np.where(lam[todo] > at.lam[todo], -ahead, ahead)))
            here = solution.unknowns[todo]
            guess = here + (here - previous[todo]) * (ahead / taken[todo])[:, None]
            saddle = self.model.saddle(Points(at.load[todo], target, at.b0[todo]), solution.sign[todo])
            part = saddle.solve(guess, damped_steps=0, longest=STEPS)
            # as log Vhat -> -infinity the equations hold ever better at load 1, though no solution is there: a branch moves steadily
            jump = np.max(np.abs(part.unknowns - here)[:, LOGS], axis=1)
            good = (part.status == Status.converged) & (jump < STEADY * (1 + ahead))
            moved = todo[good]
            solution.steps[todo] += part.steps
            previous[moved], taken[moved], lam[moved] = solution.unknowns[moved], ahead[good], target[good]
            solution.place(moved, part.take(good))
            step[todo] = np.where(good, np.minimum(2 * step[todo], np.log(RATIO)), 0.25 * step[todo])
        return lam

    def _from_emptiness(self, at: Points) -> tuple[SolvedPoints, FloatArray]:
        """Points at penalties that leave hardly a weight, and those lam."""
        square, *_ = self.model.untrained(at.b0)
        top = self.model.empty(at) if self.model.kinked else np.full_like(at.lam, np.inf)
        if self.model.curvature > 0:
            top = np.minimum(top, SMALL_WEIGHTS * at.load * np.sqrt(square) / self.model.curvature)
        lam = np.maximum(at.lam, top)
        longest = SOONEST if self.model.kinked else STEPS  # where rounding is all that is left of the equations more do not help
        return self.model.saddle(Points(at.load, lam, at.b0), self.model.sign(at)).solve(self._weightless(at), longest=longest), lam

    def _weightless(self, at: Points) -> FloatArray:
        """Unknowns after the first update from the student without weights."""
        square, field, constant = self.model.untrained(at.b0)
        start = self.model.start(at)
        start[:, QHAT] = np.log(np.maximum(at.load * square, 1e-12 * at.load))
        start[:, MHAT] = np.log(np.maximum(at.load * np.abs(field), 1e-6 * at.load))
        start[:, VHAT], start[:, CONSTANT] = np.log(at.load), constant - self.model.known_constant(at.b0)
        return start

    def _settled(
        self,
        at: Points,
        start: FloatArray,
        sign: FloatArray | None,
        damped_steps: int = DAMPED_STEPS,
        ends: NDArray[np.bool_] | bool = True,
    ) -> SolvedPoints:
        """The solver from a start, and where it does not arrive soon from others: the student without weights, at lam; mhat of the other
        sign, as labels that do not rise with the field may be learned with either. Where the way ends also from the student without
        weights at a large penalty by short steps from there, and with patience.
        """
        solution = self.model.saddle(at, sign).solve(start, damped_steps, SOON)
        for ways, which in ((self.ways, True), (self.long_ways, ends)):
            for again in ways:
                lost = np.flatnonzero((solution.status != Status.converged) & which)
                if lost.size == 0:
                    break
                part = again(at.take(lost), start[lost], solution.take(lost))
                good = part.status == Status.converged
                solution.steps[lost] += part.steps
                solution.place(lost[good], part.take(good))
        return solution

    def _weights_vanish(self, at: Points, _start: FloatArray, found: SolvedPoints) -> SolvedPoints:
        found.steps[:] = 0
        vanishing, shape = vanishing_weights(self.model, at)
        if vanishing.size:
            found.place(vanishing, without_weights(self.model, at.take(vanishing), shape))
        return found

    def _from_silence(self, at: Points, _start: FloatArray, found: SolvedPoints) -> SolvedPoints:
        """From the first update of a student without weights on labels that are nearly all alike: as its rows lie beyond a kink the losses
        hardly respond, and V is that of no data at all, mean[w]/lam.
        """
        found.steps[:] = 0
        use = np.flatnonzero((at.lam > 0) & (not self.model.regression and len(self.model.loss.kinks) > 0))
        if use.size:
            some = at.take(use)
            start, tiny = self._weightless(some), np.full(use.size, 1e-12)
            V = self.model.spectral.orders(self.model.spectral.negligible(some.lam), tiny, tiny, some.lam).V
            square, field = self.model.first_update(some.b0, start[:, CONSTANT], V)
            start[:, QHAT], start[:, MHAT] = (np.log(np.maximum(some.load * np.abs(part), 1e-290)) for part in (square, field))
            start[:, VHAT] = np.minimum(start[:, VHAT], 0.5 * start[:, QHAT] + RESPONDING)
            part = self.model.saddle(some, self.model.sign(some)).solve(start, MILD, SOON)
            found.place(use, part)
        return found

    def _from_nothing(self, at: Points, _start: FloatArray, _found: SolvedPoints) -> SolvedPoints:
        return self.model.saddle(at, self.model.sign(at)).solve(self._weightless(at), longest=LATER)

    def _turned(self, at: Points, _start: FloatArray, found: SolvedPoints) -> SolvedPoints:
        """With the other sign where the logarithm of mhat is that of a negative number."""
        either = self.model.real is not None and self.model.signal
        wrong = np.flatnonzero(~np.isfinite(found.residual) & either)
        found.steps[:] = 0
        if wrong.size:
            part = self.model.saddle(at.take(wrong), -found.sign[wrong]).solve(self.model.start(at.take(wrong)), longest=SOON)
            found.place(wrong, part)
            found.steps[wrong] = part.steps
        return found

    def _all_the_way(self, at: Points, _start: FloatArray, _found: SolvedPoints) -> SolvedPoints:
        solution, lam = self._from_emptiness(at)
        return self._onward(solution, lam, at, (solution.status == Status.converged) & (at.lam > 0))

    def _patiently(self, at: Points, start: FloatArray, found: SolvedPoints) -> SolvedPoints:
        return self.model.saddle(at, found.sign).solve(start)

    def _with_neighbours_without(
        self, at: Points, starts: Starts, empty: NDArray[np.bool_], from_afar: Callable[[Points], SolvedPoints]
    ) -> SolvedPoints:
        """`_directly` where some neighbours have no weights: such are no start: the point has none either, or lies beyond a transition."""
        which = np.flatnonzero(empty)
        vanishing, shape = vanishing_weights(self.model, at.take(which))
        gone = which[vanishing]
        rest = np.setdiff1d(np.arange(empty.size), gone)
        starts = starts._replace(unknowns=np.where(empty[:, None], np.nan, starts.unknowns))
        parts = [without_weights(self.model, at.take(gone), shape)] if gone.size else []
        parts += [self._directly(at.take(rest), starts.take(rest), from_afar)] if rest.size else []
        return merged((gone, rest), parts)


def merged(which: tuple[IntArray, IntArray], parts: list[SolvedPoints]) -> SolvedPoints:
    """Parts of the points in the order of the points."""
    return joined(parts).take(np.argsort(np.concatenate(which)))


def spread(first: SolvedPoints, which: IntArray, at: Points) -> SolvedPoints:
    """Some of the points; the others are unsolved, and as yet took no steps."""
    solution = first.take(np.zeros(at.load.size, dtype=int))
    solution.status[:], solution.steps[:], solution.residual[:] = Status.max_steps, 0.0, np.inf
    solution.put(which, first)
    return solution
