"""Curves of a convex learner: every point in the equations that hold there, and averages over the law of the target's offset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gaussequiv.equivalence.offsets import FINER, RESOLVED, left_by_steps, warn_of_cusps
from gaussequiv.errors import ArgumentError, FloatArray
from gaussequiv.ingredients.losses.convexity import check_least_at_zero
from gaussequiv.learners.convex.bends import bends, solve_bent
from gaussequiv.learners.convex.hard_margin import hard_margin
from gaussequiv.learners.convex.labels import linearise
from gaussequiv.learners.convex.model import HARMLESS, Model, Points
from gaussequiv.learners.convex.offsets import Starts, interpolated, stretches
from gaussequiv.learners.convex.ridge_curve import ridge_curve
from gaussequiv.learners.convex.routes import CHUNK, Routes
from gaussequiv.learners.convex.saddle_point import SolvedPoints, joined
from gaussequiv.learners.convex.weightless import held_at_a_kink
from gaussequiv.numerics.status import Status

Observables = dict[str, FloatArray]
Solver = Callable[[Model, Points], SolvedPoints]
NARROW_TURN = 0.5  # sqrt(q) over the change of c between two offsets, below which errors turn in a part of the way between them


def from_afar(model: Model, at: Points) -> SolvedPoints:
    """Points near which nothing is known."""
    return Routes(model).solve(at)


def averaged_curve(model: Model, alpha: FloatArray, lam: FloatArray, solver: Solver) -> Observables:
    """Observables at given penalties, one for each alpha; with half the steps of the offset where the usual ones do not resolve them, or on
    panels that end where weights vanish.
    """
    memory = _Memory(solver)
    out, error = _averaged(model, alpha, lam, memory.solve)
    if not model.spaced:
        for k in memory.some_vanish(alpha / model.e.aspect, lam):
            (found,) = bends(model, alpha[[k]] / model.e.aspect, lam[[k]])
            if found:
                bent, error[k : k + 1] = _averaged(model.with_bends(found), alpha[[k]], lam[[k]], memory.beside_bends)
                for key, value in bent.items():
                    out[key][k] = value[0]
        warn_of_cusps(error)
    elif (again := np.flatnonzero(error > RESOLVED)).size:
        finer, error = _averaged(model.with_rule(FINER), alpha[again], lam[again], memory.near)
        for key, value in finer.items():
            out[key][again] = value
        warn_of_cusps(error)
    return out


class _Memory:
    """What a solver has solved, from which offsets between those start."""

    def __init__(self, solver: Solver) -> None:
        self.solver = solver
        self.points: list[Points] = []
        self.solutions: list[SolvedPoints] = []

    def solve(self, model: Model, at: Points) -> SolvedPoints:
        """By the solver."""
        solution = self.solver(model, at)
        self.points.append(at)
        self.solutions.append(solution)
        return solution

    def some_vanish(self, load: FloatArray, lam: FloatArray) -> list[int]:
        """Places of load and lam at which weights vanish at some offsets, and not at others."""
        if not self.points:
            return []
        known, *rest = self._known()
        held = held_at_a_kink(Points(*rest), known.unknowns)
        if not held.any():
            return []
        parts = [held[(rest[0] == n) & (rest[1] == penalty)] for n, penalty in zip(load, lam, strict=True)]
        return [k for k, part in enumerate(parts) if part.any() and not part.all()]

    def beside_bends(self, model: Model, at: Points) -> SolvedPoints:
        """At one load and lam by a rule with bends, from what is known of students with weights."""
        known, load, lam, b0 = self._known()
        rows = (load == at.load[0]) & (lam == at.lam[0]) & (known.status == Status.converged)
        rows &= ~held_at_a_kink(Points(load, lam, b0), known.unknowns)
        starts = Starts.unknown(at.b0.size)
        if rows.any():
            places, once = np.unique(b0[rows], return_index=True)
            which = np.flatnonzero(rows)[once]
            starts = interpolated(places, known.unknowns[which], known.sign[which], at.b0, model.mirrored)
            starts.unknowns[starts.away > 0] = np.nan
        return solve_bent(model, at, starts)

    def _known(self) -> tuple[SolvedPoints, FloatArray, FloatArray, FloatArray]:
        load, lam, b0 = (np.concatenate(part) for part in zip(*((one.load, one.lam, one.b0) for one in self.points), strict=True))
        return joined(self.solutions), load, lam, b0

    def near(self, model: Model, at: Points) -> SolvedPoints:
        """From what is known, as often as it has been asked for; from afar where nothing is."""
        if not self.points:
            return from_afar(model, at)
        (known, load, lam, b0), starts = self._known(), Starts.unknown(at.load.size)
        for first, stop in stretches(at.load, at.lam, at.b0):
            rows = np.flatnonzero((load == at.load[first]) & (lam == at.lam[first]) & (known.status == Status.converged))
            places, once = np.unique(b0[rows], return_index=True)
            rows = rows[once]
            starts.fill(slice(first, stop), interpolated(places, known.unknowns[rows], known.sign[rows], at.b0[first:stop], model.mirrored))
        return Routes(model).solve_near(at, starts)


def _averaged(model: Model, alpha: FloatArray, lam: FloatArray, solver: Solver) -> tuple[Observables, FloatArray]:
    """Averages over the law of the offset, and what its steps leave of the test error."""
    nodes = model.b0.size
    at = model.points(alpha, lam)
    parts = [_chunk(model, at.take(slice(start, start + CHUNK)), solver) for start in range(0, at.load.size, CHUNK)]
    keys = list(dict.fromkeys(key for part in parts for key in part))
    sizes = [part["status"].size for part in parts]
    flat = {key: np.concatenate([part.get(key, np.full(size, np.nan)) for part, size in zip(parts, sizes, strict=True)]) for key in keys}
    out = {key: value.reshape(alpha.size, nodes) for key, value in flat.items()}
    if nodes > 1:  # a rare offset whose equations hold less well than the others' counts by its mass
        share = np.where(out["status"] > 0, model.mass * out["residual"], out["residual"])
        harmless = (out["status"] > 0) & (share < HARMLESS) & np.isfinite(out["test_error"])
        out["status"] = np.where(harmless, float(Status.converged), out["status"])
        out["residual"] = np.where(harmless, share, out["residual"])
    worst = {key: out.pop(key).max(axis=1) for key in ("status", "steps", "residual")}
    averaged = model.averaged(out)
    if model.spaced:
        error = left_by_steps(out["test_error"], model.mass, half=model.folded)
    else:
        error = _turns(model, out)
    floor = np.full_like(alpha, model.e.floor)
    excess = {"floor": floor, "excess_over_floor": averaged["test_error"] - floor, "lam": lam}
    return averaged | excess | worst, error


def _turns(model: Model, out: Observables) -> FloatArray:
    """What panels may miss of errors of labels -1 and +1, relative to their average, at every alpha: where the constant c of a student with
    few weights turns its sign between two offsets, within a small part of the way, so does what it says of nearly all rows.
    """
    error, alphas = out["test_error"], out["test_error"].shape[0]
    if model.regression or not model.free_constant or "intercept" not in out:
        return np.zeros(alphas)
    c, q = out["intercept"], out["q"]
    turned, width = c[:, 1:] * c[:, :-1] < 0, np.sqrt(np.fmin(q[:, 1:], q[:, :-1]))
    sudden = turned & (width < NARROW_TURN * np.abs(np.diff(c, axis=1)))
    missed = np.where(sudden, np.abs(np.diff(error, axis=1)) * 0.25 * (model.mass[1:] + model.mass[:-1]), 0.0).sum(axis=1)
    mean = error @ model.mass
    return np.divide(missed, mean, out=np.zeros(alphas), where=mean > 0)


def _chunk(model: Model, at: Points, solver: Solver) -> Observables:
    """Points of one chunk; lam = 0 in its own limits."""
    zero = at.lam == 0
    if zero.any():
        _check_limit(model)
    margin = model.loss.margin_limit
    separable = np.zeros(zero.shape, dtype=bool)
    if margin and zero.any() and not model.regression:
        separable = zero & (at.load < model.limit_threshold(at.b0))
    interpolating = zero & (at.load <= model.rank * (1 + 1e-12)) & (not margin)
    if model.nugget > 0:
        interpolating, separable = zero & (not margin), zero & margin
    out: Observables = {}
    for mask, kind in ((~(separable | interpolating), "plain"), (separable, "margin"), (interpolating, "norm")):
        if not mask.any():
            continue
        part = at.take(mask)
        if kind == "norm":
            found = _interpolator(model, part)
        else:
            solution, found = hard_margin(model, part) if kind == "margin" else _solved(model, part, solver)
            found |= {"status": solution.status, "steps": solution.steps, "residual": solution.residual}
        for key, value in found.items():
            out.setdefault(key, np.full(zero.shape, np.nan))[mask] = value
    return out


def _check_limit(model: Model) -> None:
    """lam = 0 needs a known limit: a margin loss that names it, or a residual loss of least value at y = z alone and an L2 penalty."""
    loss, penalty = model.loss, model.erm.penalty
    if loss.kind == "margin" and not loss.margin_limit:
        raise ArgumentError(
            f"Argument `lam` must be positive for the loss {loss.name}, but lam=0: set margin_limit if lam -> 0+ is the hard margin."
        )
    if loss.kind == "residual":
        check_least_at_zero(loss)
    if not penalty.is_quadratic:
        raise ArgumentError(f"Argument `lam` must be positive for the penalty {penalty.name}, but lam=0.")


def _solved(model: Model, at: Points, solver: Solver) -> tuple[Any, Observables]:
    solution = from_afar(model, at) if np.any(at.lam == 0) else solver(model, at)
    return solution, model.observe(solution)


def _interpolator(model: Model, at: Points) -> Observables:
    """lam -> 0+ below the rank: every loss with its minimum at y = z gives the interpolator of least norm, which is ridge's."""
    e = model.e
    out: Observables = {}
    for b0 in np.unique(at.b0):
        mask = at.b0 == b0
        alpha, known = at.load[mask] * e.aspect, e.with_offset(float(b0))
        found = ridge_curve(known, linearise(known, model.intercept or known.input_mean_square > 0), alpha, np.zeros_like(alpha))
        keep = ("test_error", "clean_error", "train_error", "m", "q", "V", "status", "steps", "residual")
        for key in keep:
            out.setdefault(key, np.full(at.b0.shape, np.nan))[mask] = found[key]
    status = np.where(np.isfinite(out["test_error"]), out["status"], float(Status.diverged))
    return out | {"train_loss": np.zeros(at.b0.shape), "status": status}
