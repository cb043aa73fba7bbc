"""Solved points of one convex learner along lam: every one starts from its neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.equivalence.offsets import OffsetRule
from gaussequiv.errors import FloatArray
from gaussequiv.learners.convex.model import Model, Points
from gaussequiv.learners.convex.offsets import IntArray, Starts, interpolated
from gaussequiv.learners.convex.routes import HARDLY, Routes
from gaussequiv.learners.convex.saddle_point import SolvedPoints
from gaussequiv.learners.convex.safeguarded_newton import TOLERANCE
from gaussequiv.learners.convex.sensitivity import tangents
from gaussequiv.learners.convex.weightless import held_at_a_kink
from gaussequiv.learners.differences import CENTRAL, SHORT
from gaussequiv.numerics.status import Status

if TYPE_CHECKING:
    from gaussequiv.learners.convex.erm import ERM

MAXIMISED = ("auc",)
FURTHEST = 1.5  # of the distance between two known solutions: how far beyond them they are extrapolated


class LamPath:
    """The observable to minimise and its slope in log lam, at every alpha and averaged over b0, with the solutions found so far.

    `rule` is that of the offset's law; a path of another rule (`before`) gives the first starts. Points are solved to a `tolerance`.
    """

    def __init__(
        self,
        erm: ERM,
        e: GaussianEquivalent,
        alpha: FloatArray,
        rule: OffsetRule,
        before: LamPath | None = None,
        tolerance: float = TOLERANCE,
    ) -> None:
        self.erm, self.alpha, self.before, self.tolerance = erm, alpha, before, tolerance
        self.model: Model = Model(erm, e, rule) if before is None else before.model.with_rule(rule)
        self.sign = -1.0 if erm.minimise in MAXIMISED else 1.0  # of what is better when larger
        self._slopes: dict[tuple[int, float], float] = {}  # by alpha's place and log lam
        self._known: list[list[tuple[float, FloatArray, FloatArray]]] = [
            [] for _ in alpha
        ]  # log lam, unknowns and sign of mhat at every b0
        self._held: list[dict[float, NDArray[np.bool_]]] = [{} for _ in alpha]  # by log lam: which offsets leave no weights at a kink

    def solve(self, which: IntArray, log_lam: FloatArray) -> tuple[Points, SolvedPoints]:
        """Solved points at one lam for every alpha asked for, all offsets."""
        at = self.model.points(self.alpha[which], np.exp(log_lam))
        starts = [self._start(int(k), float(y)) for k, y in zip(which, log_lam, strict=True)]
        together = Starts(*(np.concatenate(part) for part in zip(*starts, strict=True)))
        found = Routes(self.model, False, self.tolerance).solve_near(at, together)
        nodes, held = self.model.b0.size, held_at_a_kink(at, found.unknowns)
        some = (found.status == Status.converged) & ~self.model.gone(at, HARDLY)  # those without weights are no start
        for i, (k, y) in enumerate(zip(which.tolist(), log_lam.tolist(), strict=True)):
            part = slice(i * nodes, (i + 1) * nodes)
            self._held[k][y] = held[part]
            self._known[k].append((y, np.where(some[part][:, None], found.unknowns[part], np.nan), found.sign[part].copy()))
        return at, found

    def bends_about(self, k: int, y: float) -> tuple[float, float] | None:
        """The solved log lam on either side of one, if between them students lose their weights at some offsets."""
        solved = sorted(self._held[k])
        i = solved.index(y)
        about = solved[max(i - 1, 0) : i + 2]
        held = np.concatenate([self._held[k][one] for one in about])
        return (about[0], about[-1]) if held.any() and not held.all() else None

    def near(self, model: Model, at: Points) -> SolvedPoints:
        """Points of any rule for the offset's law, at loads of the path, from what it has solved."""
        starts = Starts.unknown(at.load.size)
        for k, load in enumerate((self.alpha / model.e.aspect).tolist()):
            for lam in np.unique(at.lam[at.load == load]).tolist():
                rows = np.flatnonzero((at.load == load) & (at.lam == lam))
                starts.fill(rows, self._start_at(k, float(np.log(lam)), at.b0[rows]))
        return Routes(model).solve_near(at, starts)

    def values(self, at: Points, solution: SolvedPoints) -> FloatArray:
        """The observable, negative if it is to be maximised, nan where an offset is not solved; one for every alpha of the points."""
        key = self.erm.minimise
        found = self.model.observe(solution, (key,))[key]
        found = np.where(solution.status == Status.converged, found, np.nan)
        return self.sign * (found.reshape(-1, self.model.b0.size) @ self.model.mass)

    def slopes(self, which: IntArray, log_lam: FloatArray, at: Points, solution: SolvedPoints) -> FloatArray:
        """Its derivative in log lam at points that `solve` has solved."""
        key = self.erm.minimise
        stencil = SHORT if self.model.b0.size > 1 else CENTRAL
        found = at.lam * tangents(self.model, at, solution, ("lam",), (key,), stencil)["lam"][key]
        slopes: FloatArray = self.sign * (found.reshape(-1, self.model.b0.size) @ self.model.mass)
        self._slopes.update(zip(zip(which.tolist(), log_lam.tolist(), strict=True), slopes.tolist(), strict=True))
        return slopes

    def slope(self, which: IntArray, log_lam: FloatArray) -> FloatArray:
        """The same at one lam for every alpha asked for."""
        asked = list(zip(which.tolist(), log_lam.tolist(), strict=True))
        new = np.array([one not in self._slopes for one in asked])
        if new.any():
            self.slopes(which[new], log_lam[new], *self.solve(which[new], log_lam[new]))
        return np.array([self._slopes[one] for one in asked])

    def _start(self, k: int, y: float) -> Starts:
        """From the solutions of one alpha, on the line through the nearest two in log lam."""
        known = sorted(self._known[k], key=lambda one: abs(one[0] - y))[:2]
        if known:
            near, unknowns, sign = known[0]
            if len(known) == 2 and known[1][0] != near:
                share = np.clip((y - near) / (known[1][0] - near), -FURTHEST, 1.0)
                further = unknowns + share * (known[1][1] - unknowns)
                unknowns = np.where(np.isfinite(further), further, unknowns)
            return Starts(unknowns, sign, np.full(sign.size, abs(near - y)))
        b0 = self.model.b0
        return Starts.unknown(b0.size) if self.before is None else self.before._start_at(k, y, b0)

    def _start_at(self, k: int, y: float, b0: FloatArray) -> Starts:
        """`_start` at any offsets."""
        there = self._start(k, y)
        if np.array_equal(self.model.b0, b0):
            return there
        order = np.argsort(self.model.b0)
        found = interpolated(self.model.b0[order], there.unknowns[order], there.sign[order], b0, self.model.mirrored)
        return found._replace(away=found.away + there.away[0])
