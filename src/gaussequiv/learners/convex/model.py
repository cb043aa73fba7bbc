"""One convex learner on one equivalent: the equations, their solution at many points, and what is observed there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import elementwise

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import LARGEST_MOMENT, ArgumentError, FloatArray
from gaussequiv.ingredients.channels.gaussian import GaussianNoise
from gaussequiv.ingredients.losses.named import MaxMargin, Square, SquaredHinge
from gaussequiv.learners.convex.averages import Averages, Fields, about_mean, binary_averages, residual_averages
from gaussequiv.learners.convex.modes import MHAT, QHAT, VHAT, QuadraticStudent, SeparableStudent, SpectralHalf
from gaussequiv.learners.convex.offsets import IntArray, between, pioneers
from gaussequiv.learners.convex.real_labels import RealLabels
from gaussequiv.learners.convex.residual_law import SHOWN
from gaussequiv.learners.convex.saddle_point import CONSTANT, DAMPED_STEPS, LOGS, SaddlePoint, SolvedPoints, joined
from gaussequiv.learners.convex.scores import Observables, classification_scores, regression_scores
from gaussequiv.learners.convex.separability import separability_threshold
from gaussequiv.learners.convex.weightless import held, weightless
from gaussequiv.numerics.panels import normal_about
from gaussequiv.numerics.status import Status

if TYPE_CHECKING:
    from gaussequiv.learners.convex.erm import ERM

CHUNK = 512  # points solved together: memory stays near 100 MB
EASY = 1e-2  # penalty (over the mean eigenvalue) from which smaller ones are reached by continuation
RATIO = 10.0
DIRECT_STEPS = 12  # of Newton's method between solved offsets, before the long way is taken
NEGLIGIBLE = 1e-10  # mass of an offset, relative to the largest
FINE = 7  # offset nodes for each panel where every offset costs two-dimensional averages
ZERO_WEIGHTS = 12.0  # thresholds over the standard deviation of their argument
FEWER = (0.1, 0.05, 0.02)  # of the penalty that leaves no weight: some are left
SMALL_WEIGHTS = 1e3  # curvature of the penalty over that of the losses
FIRST_STEP, SHORTEST_STEP, STEPS = 1.0, 1e-3, 25  # in log lam, and Newton's in each
SHORTEST_RISE = 0.05  # towards larger penalties, where the last weights of a loss without response vanish all at once
SILENT = 1e-14  # change of P(y | field) over one standard deviation of the field that rounding explains
SOON, LATER = 30, 50  # steps that nearly all points need at most, from a first and from other starts
STEADY = 2.0  # logarithms of the conjugates move like lam^2 at most, and a little more where a phase ends
REACH = 10.0  # for a constant: in standard deviations of the labels, and units of a margin
DAMPED = 150  # steps of the damped iteration where Newton has no start


@dataclass
class Points:
    """Load n/p (alpha over the aspect), lam and b0 of every point."""

    load: FloatArray
    lam: FloatArray
    b0: FloatArray

    def take(self, index: Any) -> Points:
        """Some of them."""
        return Points(self.load[index], self.lam[index], self.b0[index])


class Model:
    """The saddle point of `ERM` on an equivalent; hyperparameters other than lam sit in the learner, lam in the points."""

    def __init__(self, erm: ERM, e: GaussianEquivalent, smooth: int | None = None) -> None:
        self.erm, self.e, self.smooth = erm, e, smooth
        self.loss = erm.loss
        self.channel = e.channel
        self.regression = e.channel.task == "regression"
        self.general = self.regression and not isinstance(e.channel, GaussianNoise)  # real labels of another law
        if self.regression and self.loss.kind == "margin":
            raise ArgumentError(
                f"Argument `loss` must be a loss of the residual for a regression target, but {self.loss.name} is one of the margin y z; "
                'labels -1 and +1 come from a target with task="classification".'
            )
        if self.regression and erm.class_weight is not None:
            raise ArgumentError("Argument `class_weight` must be None for a regression target: it weighs the labels -1 and +1.")
        self.intercept = erm.learns_constant(e)
        self.linear = float(e.weights @ e.signal_modes)
        self.rho = self.linear + e.model_noise
        self.nugget = e.nugget
        self.scale = float(e.weights @ e.eigenvalues)
        self.rank = float(e.weights[e.eigenvalues > 0].sum())
        weights = erm.class_weights
        alike = weights[0] == weights[1] and _odd(self.loss)  # the learner treats both signs of (label, field) alike
        self.folded = False  # whether b0 >= 0 stands for both signs
        if self.regression and self.intercept and not self.general:  # a shift of y moves the intercept and nothing else
            self.b0, self.mass = np.array([e.offset or 0.0]), np.ones(1)
        else:
            costly = self.general and not isinstance(self.loss, Square)
            nodes = FINE if costly and smooth is None else smooth
            b0, mass = e.offset_nodes(even=alike, smooth=nodes, far=costly)
            counted = mass > NEGLIGIBLE * mass.max()  # offsets so rare that they change no digit are left out
            self.b0, self.mass = b0[counted], mass[counted] / mass[counted].sum()
            self.folded = alike and e.even and self.b0.size > 1
        symmetric = alike and not self.regression and bool(e.channel.symmetric) and not np.any(self.b0)
        own = erm.sample_weights
        self.classes: tuple[tuple[float, float, float], ...]
        if symmetric:  # both labels give the same, and the intercept is 0
            self.classes, self.free_constant = tuple((1.0, weights[1] * s, 2.0 * part) for s, part in own), False
        else:
            labels = ((1.0, weights[1]), (-1.0, weights[0]))
            self.classes = tuple((label, weight * s, part) for label, weight in labels for s, part in own)
            self.free_constant = self.intercept
        self.real = RealLabels(e.channel, self.rho, self.b0) if self.general else None
        self.signal = self.linear > 0 and self._informative()
        self.spectral = _spectral_half(e, erm.penalty)
        self._constants: dict[str, dict[float, tuple[float, float, float]]] = {}  # what `untrained` has found, by loss and b0
        self._kinked = isinstance(self.spectral, SeparableStudent) and erm.penalty.l1 > 0

    def points(self, alpha: FloatArray, lam: FloatArray) -> Points:
        """Every (alpha, lam) at every offset, the offsets of one alpha side by side."""
        nodes = self.b0.size
        return Points(np.repeat(alpha / self.e.aspect, nodes), np.repeat(lam, nodes), np.tile(self.b0, alpha.size))

    def _sign(self, at: Points) -> FloatArray | None:
        """Of mhat for labels: that of the slope of P(+1) in the field; None for real labels."""
        if self.regression or not self.signal:
            return None
        slope = self.channel.up(at.b0, np.full_like(at.b0, self.rho)).first
        return np.where(slope < 0, -1.0, 1.0)

    def _informative(self) -> bool:
        if self.real is not None:
            return self.real.informative(self.loss)
        if self.regression:
            return True
        slope = self.channel.up(self.b0, np.full_like(self.b0, self.rho)).first
        return bool(np.any(np.abs(slope) * np.sqrt(self.rho) > SILENT))

    def capped(self, at: Points) -> Points:
        """For penalties with kinks, lam no further than where all weights vanish up to exp(-72): beyond, nothing changes any more."""
        if not self._kinked:
            return at
        return Points(at.load, np.minimum(at.lam, self.empty(at)), at.b0)

    def empty(self, at: Points) -> FloatArray:
        """lam at which a penalty with a kink leaves no weight."""
        assert isinstance(self.spectral, SeparableStudent)
        square, field, _ = self.untrained(at.b0)
        return ZERO_WEIGHTS * self.spectral.largest(at.load * square, at.load * field) / float(self.erm.penalty.l1)

    def untrained(self, b0: FloatArray, loss: Any = None) -> tuple[FloatArray, FloatArray, FloatArray]:
        """E g^2 and E Z0' g of the student without weights, z = c, for which g = -dl/dz, and c, its best constant."""
        loss = loss or self.loss
        known = self._constants.setdefault(loss.name, {})
        new = np.setdiff1d(b0, list(known))
        if new.size:
            c = self._best_constant(new, loss) if self.free_constant else np.zeros_like(new)
            square, field = held(self, new, c, loss) if self.free_constant else self.slopes(new, c, loss)[:2]
            known.update(zip(new.tolist(), zip(square, field, c, strict=True), strict=True))
        square, field, c = np.array([known[b] for b in b0.tolist()]).T
        return square, field, c

    def _best_constant(self, b0: FloatArray, loss: Any) -> FloatArray:
        """c at which E dl/dz changes sign, which rises with c; the end of the range where it does not."""
        reach = np.abs(b0) + REACH * (1 + np.sqrt(self.rho + self.channel.noise))
        first, last = (self.slopes(b0, c, loss)[2] for c in (-reach, reach))
        c = np.where(first > 0, -reach, reach)
        inside = np.flatnonzero((first < 0) & (last > 0))
        if inside.size:

            def slope(c: FloatArray, b0: FloatArray) -> FloatArray:  # in logarithms: an exponential loss overflows
                return np.arcsinh(np.clip(self.slopes(b0, c, loss)[2], -1e300, 1e300))

            ends, tolerances = (-reach[inside], reach[inside]), {"xatol": 0.0, "xrtol": 4e-16, "fatol": 0.0, "frtol": 0.0}
            c[inside] = elementwise.find_root(slope, ends, args=(b0[inside],), tolerances=tolerances).x  # type: ignore[call-overload]
        return c

    def slopes(self, b0: FloatArray, c: FloatArray, loss: Any) -> tuple[FloatArray, FloatArray, FloatArray]:
        """E g^2, E Z0' g and E dl/dz at z = c."""
        square, field, mean = np.zeros_like(b0), np.zeros_like(b0), np.zeros_like(b0)
        if self.real is not None:
            return self.real.untrained(loss, b0, self.erm.sample_weights, c)
        if self.regression:
            root = np.full_like(b0, np.sqrt(self.rho + self.channel.noise))
            r, nodes = normal_about(c - b0, root, loss.breaks(np.full_like(b0, SHOWN)))
            slope = loss.slope(0.0, r)
            once, twice = (sum(part * s**k for s, part in self.erm.sample_weights) for k in (1, 2))
            mass = nodes.weights * slope
            return twice * (mass * slope).sum(axis=1), once * (mass * nodes.xi).sum(axis=1) / root, once * mass.sum(axis=1)
        for label, weight, factor in self.classes:
            p = self.channel.probability(label, b0, np.full_like(b0, self.rho))
            with np.errstate(over="ignore", invalid="ignore"):  # exp of a far margin
                slope = weight * loss.slope(label, c)
                square += factor * np.where(p.value > 0, p.value * slope**2, 0.0)
                field -= factor * np.where(p.first != 0, p.first * slope, 0.0)
                mean += factor * np.where(p.value > 0, p.value * slope, 0.0)
        return square, field, mean

    def average(self, loss: Any) -> Any:
        """The averages of `SaddlePoint` for a loss."""

        def plain(fields: Fields) -> Averages:
            if self.real is not None:
                return self.real.averages(loss, fields, self.erm.sample_weights)
            if self.regression:
                return residual_averages(loss, self.channel.noise, fields, self.erm.sample_weights)
            return binary_averages(loss, self.channel, self.classes, fields)

        def evaluate(fields: Fields, index: Any) -> Averages:
            return about_mean(plain(fields)) if self.free_constant else plain(fields)

        return evaluate

    def saddle(self, at: Points, loss: Any = None, sign: FloatArray | None = None) -> SaddlePoint:
        """The equations at some points, mhat of a given sign."""
        average = self.average(loss or self.loss)
        return SaddlePoint(self.spectral, average, at.load, at.lam, at.b0, self.free_constant, self.signal, sign)

    def start(self, at: Points) -> FloatArray:
        """An uninformed start; a constant near the labels' own where one is fitted."""
        unknowns = np.zeros((at.load.size, 4))
        unknowns[:, LOGS] = np.log(at.load / 4)[:, None]
        if self.free_constant:
            unknowns[:, CONSTANT] = at.b0
        return unknowns

    def solve(self, at: Points, loss: Any = None) -> SolvedPoints:
        """All points; small penalties by continuation from larger ones, extrapolating in log lam."""
        if at.load.size > CHUNK:
            return joined([self.solve(at.take(slice(k, k + CHUNK)), loss) for k in range(0, at.load.size, CHUNK)])
        at = self.capped(at)
        from_afar = self._descend if self._kinked else self._from_afar
        if (few := pioneers(at.load, at.lam, at.b0)) is not None:
            return self._between(at, few, loss, from_afar)
        return from_afar(at, loss)

    def solve_near(self, at: Points, start: FloatArray, sign: FloatArray, loss: Any = None) -> SolvedPoints:
        """All points from unknowns near their solutions and the sign of mhat there; from afar where they are nan or too far."""
        if at.load.size > CHUNK:
            parts = [slice(k, k + CHUNK) for k in range(0, at.load.size, CHUNK)]
            return joined([self.solve_near(at.take(part), start[part], sign[part], loss) for part in parts])
        if not np.isfinite(start).all(axis=1).any():
            return self.solve(at, loss)
        own = self._sign(at)
        return self._directly(self.capped(at), start, sign if own is None else own, loss, self.solve)

    def _between(self, at: Points, few: IntArray, loss: Any, from_afar: Callable[[Points, Any], SolvedPoints]) -> SolvedPoints:
        """A few offsets of every curve from afar; the others start between them, and from afar if that fails."""
        known = from_afar(at.take(few), loss)
        start = between(few, known.unknowns, at.load, at.lam, at.b0)
        others = np.setdiff1d(np.arange(at.load.size), few)
        nearest = np.clip(np.searchsorted(few, others), 1, few.size - 1)
        sign = self._sign(at.take(others))
        if sign is None:
            sign = known.sign[nearest]
            turns = known.sign[nearest - 1] != sign  # between two solved offsets
            sign[turns] = self.saddle(at.take(others[turns]), loss).first_sign(start[others[turns]])
        found = self._directly(at.take(others), start[others], sign, loss, from_afar)
        order = np.argsort(np.concatenate([few, others]), kind="stable")
        return joined([known, found]).take(order)

    def _directly(
        self, at: Points, start: FloatArray, sign: FloatArray, loss: Any, from_afar: Callable[[Points, Any], SolvedPoints]
    ) -> SolvedPoints:
        """Newton's method alone, and the long way where it fails or ends elsewhere."""
        unknown = np.any(~np.isfinite(start), axis=1)
        start = np.where(unknown[:, None], self.start(at), start)
        solution = self.saddle(at, loss, sign).solve(start, damped_steps=0, longest=DIRECT_STEPS)
        lost: NDArray[np.bool_] = unknown | (solution.status != Status.converged)
        lost |= np.max(np.abs(solution.unknowns - start)[:, LOGS], axis=1) > STEADY  # another solution than the neighbours'
        failed = np.flatnonzero(lost)
        if failed.size:
            again = from_afar(at.take(failed), loss)
            solution.place(failed, again)
            solution.steps[failed] += again.steps
        return solution

    def _from_afar(self, at: Points, loss: Any) -> SolvedPoints:
        """Small penalties by continuation from larger ones."""
        lowest = EASY * self.scale
        easy = Points(at.load, np.maximum(at.lam, lowest), at.b0)
        solution = self._settled(easy, loss, self.start(easy), self._sign(easy))
        steps = solution.steps.copy()
        previous: FloatArray | None = None
        lam = easy.lam
        last = np.where(at.lam > 0, at.lam, 1e-4 * lowest)  # lam = 0 itself is solved from there
        while (todo := np.flatnonzero(lam > last)).size:
            target = np.maximum(lam[todo] / RATIO, at.lam[todo])
            x = solution.unknowns[todo]
            guess = x if previous is None else x + (x - previous[todo]) * (np.log(lam[todo] / target) / np.log(RATIO))[:, None]
            part = self._settled(Points(at.load[todo], target, at.b0[todo]), loss, guess, solution.sign[todo], damped_steps=0)
            previous = solution.unknowns.copy()
            lam = lam.copy()
            lam[todo] = target
            steps[todo] += part.steps
            solution.place(todo, part)
        zero = np.flatnonzero(at.lam == 0)
        if zero.size:
            part = self._settled(at.take(zero), loss, solution.unknowns[zero], solution.sign[zero], damped_steps=0)
            steps[zero] += part.steps
            solution.place(zero, part)
        solution.steps = steps
        return solution

    def _descend(self, at: Points, loss: Any) -> SolvedPoints:
        """Penalties with kinks: from where hardly a weight is left, and the map hardly depends on its argument, down to lam."""
        solution, lam = self._from_emptiness(at, loss)
        left = np.zeros(lam.shape, dtype=bool)
        hard = np.flatnonzero(solution.status != Status.converged)
        if hard.size:
            solution.place(hard, self._weights_vanish(at.take(hard), loss, solution.unknowns[hard], solution.take(hard)))
            lam[hard] = np.where(solution.status[hard] == Status.converged, at.lam[hard], lam[hard])
        for share in FEWER:  # a loss without response at z = 0, such as the hinge, is not solved where hardly a weight is left
            hard = np.flatnonzero(solution.status != Status.converged)
            if hard.size == 0:
                break
            rest, lam[hard] = at.take(hard), share * self.empty(at.take(hard))
            some = Points(rest.load, lam[hard], rest.b0)
            part = self.saddle(some, loss, self._sign(rest)).solve(self._weightless(rest, loss), longest=LATER)
            solution.place(hard, part)
            solution.steps[hard] += part.steps
            left[hard] = part.status == Status.converged
        hard = np.flatnonzero(solution.status != Status.converged)
        if hard.size:
            lam[hard] = at.lam[hard]
            rest = at.take(hard)
            part = self.saddle(rest, loss, self._sign(rest)).solve(self.start(rest), damped_steps=DAMPED)
            solution.place(hard, part)
            solution.steps[hard] += part.steps
        lam = self._toward(solution, lam, at, loss)
        solution.status[lam != at.lam] = Status.max_steps
        stuck = np.flatnonzero((lam != at.lam) & ~left)
        if stuck.size:  # flat pieces of the loss about z = 0, such as Huber's on labels -1 and 1, are left all at once
            rest = at.take(stuck)
            part = self.saddle(rest, loss, self._sign(rest)).solve(self.start(rest), damped_steps=DAMPED)
            solution.steps[stuck] += part.steps
            good = part.status == Status.converged
            solution.place(stuck[good], part.take(good))
        return solution

    def _toward(self, solution: SolvedPoints, lam: FloatArray, at: Points, loss: Any) -> FloatArray:
        """Take solved points at lam to that of `at`; how far they came.

        With too many weights the map has no nearby fixed point, and Newton runs away; so each step in log lam is as long as Newton can go
        in a few iterations, from an extrapolation of the last two solutions.
        """
        lam, previous, step, taken = lam.copy(), solution.unknowns.copy(), np.full(lam.size, FIRST_STEP), np.full(lam.size, np.inf)
        shortest = np.where(lam > at.lam, SHORTEST_STEP, SHORTEST_RISE)
        while (todo := np.flatnonzero((lam != at.lam) & (step > shortest))).size:
            ahead = np.minimum(step[todo], np.abs(np.log(lam[todo] / at.lam[todo])))
            target = np.where(ahead < step[todo], at.lam[todo], lam[todo] * np.exp(np.where(lam[todo] > at.lam[todo], -ahead, ahead)))
            here = solution.unknowns[todo]
            guess = here + (here - previous[todo]) * (ahead / taken[todo])[:, None]
            saddle = self.saddle(Points(at.load[todo], target, at.b0[todo]), loss, solution.sign[todo])
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

    def _from_emptiness(self, at: Points, loss: Any) -> tuple[SolvedPoints, FloatArray]:
        """Points at penalties that leave hardly a weight, and those lam."""
        square, *_ = self.untrained(at.b0, loss)
        top = self.empty(at) if self._kinked else np.full_like(at.lam, np.inf)
        if self.erm.penalty.l2 > 0:
            top = np.minimum(top, SMALL_WEIGHTS * at.load * np.sqrt(square) / self.erm.penalty.l2)
        lam = np.maximum(at.lam, top)
        return self.saddle(Points(at.load, lam, at.b0), loss, self._sign(at)).solve(self._weightless(at, loss), longest=STEPS), lam

    def _weightless(self, at: Points, loss: Any) -> FloatArray:
        """Unknowns after the first update from the student without weights."""
        square, field, constant = self.untrained(at.b0, loss)
        start = self.start(at)
        start[:, QHAT] = np.log(np.maximum(at.load * square, 1e-12 * at.load))
        start[:, MHAT] = np.log(np.maximum(at.load * np.abs(field), 1e-6 * at.load))
        start[:, VHAT], start[:, CONSTANT] = np.log(at.load), constant
        return start

    def _settled(self, at: Points, loss: Any, start: FloatArray, sign: FloatArray | None, damped_steps: int = DAMPED_STEPS) -> SolvedPoints:
        """The solver from a start, and where it does not arrive soon from others: the student without weights, at lam or at a large
        penalty and by short steps from there; mhat of the other sign, as labels that do not rise with the field may be learned with
        either; patience.
        """
        solution = self.saddle(at, loss, sign).solve(start, damped_steps, SOON)
        for again in (self._weights_vanish, self._from_nothing, self._turned, self._all_the_way, self._patiently):
            lost = np.flatnonzero(solution.status != Status.converged)
            if lost.size == 0:
                break
            part = again(at.take(lost), loss, start[lost], solution.take(lost))
            good = part.status == Status.converged
            solution.steps[lost] += part.steps
            solution.place(lost[good], part.take(good))
        return solution

    def _weights_vanish(self, at: Points, loss: Any, _start: FloatArray, found: SolvedPoints) -> SolvedPoints:
        found.steps[:] = 0
        index, part = weightless(self, at) if loss is None or loss is self.loss else (None, None)
        if index is not None and part is not None:
            found.place(index, part)
        return found

    def _from_nothing(self, at: Points, loss: Any, _start: FloatArray, _found: SolvedPoints) -> SolvedPoints:
        return self.saddle(at, loss, self._sign(at)).solve(self._weightless(at, loss), longest=LATER)

    def _turned(self, at: Points, loss: Any, _start: FloatArray, found: SolvedPoints) -> SolvedPoints:
        """With the other sign where the logarithm of mhat is that of a negative number."""
        wrong = np.flatnonzero(~np.isfinite(found.residual)) if self.real is not None and self.signal else np.zeros(0, dtype=int)
        found.steps[:] = 0
        if wrong.size:
            part = self.saddle(at.take(wrong), loss, -found.sign[wrong]).solve(self.start(at.take(wrong)), longest=SOON)
            found.place(wrong, part)
            found.steps[wrong] = part.steps
        return found

    def _all_the_way(self, at: Points, loss: Any, _start: FloatArray, _found: SolvedPoints) -> SolvedPoints:
        solution, lam = self._from_emptiness(at, loss)
        whole = np.flatnonzero((solution.status == Status.converged) & (at.lam > 0))
        part = solution.take(whole)
        lam[whole] = self._toward(part, lam[whole], at.take(whole), loss)
        solution.place(whole, part)
        solution.steps[whole] = part.steps
        solution.status[lam != at.lam] = Status.max_steps
        return solution

    def _patiently(self, at: Points, loss: Any, start: FloatArray, found: SolvedPoints) -> SolvedPoints:
        return self.saddle(at, loss, found.sign).solve(start)

    def limit_threshold(self, b0: FloatArray) -> FloatArray:
        """Load below which lam -> 0+ is the maximum-margin limit, for every b0."""
        values = {b: separability_threshold(self.e, intercept=self.intercept, b0=b) / self.e.aspect for b in np.unique(b0).tolist()}
        return np.array([values[b] for b in b0.tolist()])

    def observe(self, at: Points, solution: SolvedPoints, loss: Any = None, keys: tuple[str, ...] | None = None) -> Observables:
        """Observables at solved points, not averaged over b0; with `keys` only what those need.

        nan where an order parameter has overflowed.
        """
        f = solution.fields
        sound = np.all(np.isfinite(f), axis=0) & (f.q > 0) & (f.q <= LARGEST_MOMENT) & (f.c**2 <= LARGEST_MOMENT)
        if not sound.all():
            one = np.ones_like(f.q)
            harmless = Fields(one, one, 0 * one, 0 * one, f.b0, self.rho * one, (self.rho + 1) * one)
            f = Fields(*(np.where(sound, known, other) for known, other in zip(f, harmless, strict=True)))
        found = self._observed(f, loss or self.loss, keys)
        return {key: np.where(sound, value, np.nan) for key, value in found.items()}

    def _observed(self, f: Fields, loss: Any, keys: tuple[str, ...] | None) -> Observables:
        orders = {"m": f.m, "q": f.q, "V": f.V, "intercept": f.c}
        if self.real is not None:
            return self.real.scores(loss, f, self.erm.sample_weights, keys) | orders
        if self.regression:
            return regression_scores(loss, self.channel.noise, f, self.erm.sample_weights) | orders
        if keys == ("test_error",):
            return {"test_error": self.channel.disagreement(f.c, f.q, f.m, f.b0, np.full_like(f.q, self.rho))}
        return classification_scores(loss, self.channel, self.classes, f, self.rho) | orders

    def observables(self) -> tuple[str, ...]:
        """Names of what `observe` gives."""
        one = Points(np.ones(1), np.ones(1), self.b0[:1])
        return tuple(self.observe(one, self.solve(one)))


def _spectral_half(e: GaussianEquivalent, penalty: Any) -> SpectralHalf:
    if not np.any(e.eigenvalues > 0):
        raise ArgumentError(
            f"Argument `features` must have a linear part that varies with the inputs for a convex learner, but {e.student or e.inputs} "
            "have none at n ~ d: such a student learns a constant at most (Ridge gives its curve)."
        )
    if penalty.is_plain or (penalty.is_quadratic and e.form == penalty.digest):
        return QuadraticStudent(e)
    if penalty.is_quadratic:
        raise ArgumentError(
            "Argument `penalty` of quadratic form needs a problem whose inputs have its dimension: solve it through `Problem`."
        )
    if e.eigenvalues.size > 1 or e.aspect != 1 or e.nugget > 0:
        words = f"{e.eigenvalues.size} different eigenvalues" if e.eigenvalues.size > 1 else "features or a kernel"
        raise ArgumentError(
            f"Argument `penalty` must be l2 unless the student sees isotropic inputs, but penalty={penalty.name} meets {words}."
        )
    return SeparableStudent(e, penalty)


def hard_margin(model: Model, at: Points) -> tuple[SolvedPoints, Observables]:
    """lam -> 0+ on separable data: least |w| with every margin at least 1; V in units of 1/lam."""
    loss = MaxMargin()
    unit = Points(at.load, np.ones_like(at.lam), at.b0)
    # the squared hinge at a small penalty is the same problem but for a slack: V, Vhat, qhat, mhat scale as lam, 1/lam, 1/lam^2, 1/lam
    small = 1e-3 * model.scale / np.maximum(at.load, 1.0) ** 2
    soft = model.solve(Points(at.load, small, at.b0), SquaredHinge())
    start = soft.unknowns - np.log(small)[:, None] * np.array([1.0, 2.0, 1.0, 0.0])  # of Vhat, qhat, mhat and u
    solution = model.saddle(unit, loss, soft.sign).solve(start, damped_steps=0)
    solution.steps += soft.steps
    out = model.observe(unit, solution, loss)
    for name in ("test_loss", "log_loss", "brier", "calibration_error"):  # the scale of the student is infinite
        out.pop(name, None)
    return solution, out | {"train_loss": np.zeros_like(at.lam), "train_error": np.zeros_like(at.lam)}


def _odd(loss: Any) -> bool:
    """Whether l(-y, -z) = l(y, z)."""
    z = np.linspace(-3.3, 3.1, 41)
    return bool(np.allclose(loss.slope(1.0, z), -loss.slope(-1.0, -z), rtol=1e-12, atol=1e-12))
