"""Optimal hyperparameters of a convex learner: roots of the implicit derivative of any observable."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from scipy import optimize
from scipy.optimize import elementwise

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.equivalence.offsets import FULL, OffsetRule
from gaussequiv.errors import FloatArray, fail
from gaussequiv.learners.convex.bent_optimum import best_about_bends
from gaussequiv.learners.convex.erm_averages import averaged_curve
from gaussequiv.learners.convex.lam_path import LamPath
from gaussequiv.learners.convex.model import SOME, Model
from gaussequiv.learners.convex.offsets import IntArray
from gaussequiv.learners.convex.sensitivity import tangents
from gaussequiv.numerics.ranges import Range
from gaussequiv.numerics.status import Status

if TYPE_CHECKING:
    from gaussequiv.learners.convex.erm import ERM

Observables = dict[str, FloatArray]
GRID = np.linspace(np.log(1e-4), np.log(1e3), 15)  # of log(lam/mean eigenvalue): a search for the right valley
DECADES = GRID[2:-1:2]  # where every value is an average over offsets
FURTHER = (np.linspace(np.log(1e-9), np.log(1e-4), 6), np.linspace(np.log(1e3), np.log(1e8), 6))
SCAN, FLAT = 13, 1e-5  # values of a tuned parameter tried first; relative gradient that counts as zero where the line search gives up
SEARCHED = Range(1e-9, 1e8, logarithmic=True)  # lam, where it is tuned with others
NEAR, PLATEAU, EXACT = 9, 1e-9, 1e-14  # values tried beside a plateau; relative slope in log lam that is rounding, of one offset
COARSE, FINE = OffsetRule(2.0, panel=2), OffsetRule(panel=7)  # for the offset's law
ROUGH = 1e-6  # residual that is small enough for the coarse one
NEARBY = 1e-2  # of log lam, where the search by the coarse rule stops
SECANTS, FURTHEST = 5, 0.3  # steps of the fine one that end it, and how long one may be
ENOUGH = 1e-3  # the last one, as it leaves a small part of itself


def optimise(erm: ERM, e: GaussianEquivalent, alpha: FloatArray) -> Observables:
    """The curve at the hyperparameters that minimise `erm.minimise`, which are returned beside it.

    lam alone: every alpha at once, on a grid and then at the root of d(observable)/d log lam. Where the curve averages over offsets, the
    search takes a coarse rule for them and ends with secant steps of a fine one, or, where students lose their weights at some offsets, at
    the least average over panels that follow these. With `tune`: BFGS with exact gradients at every alpha,
    from the best lam at the given hyperparameters. An optimum below 1e-9 of the mean eigenvalue is lam = 0 for L2 and stays
    there for other penalties.
    """
    if erm.minimise not in Model(erm, e).observables():
        raise fail("minimise", f"one of {', '.join(sorted(Model(erm, e).observables()))}", erm.minimise)
    if not erm.tune:
        lam, found, path = _search(erm, e, alpha)
        curve = averaged_curve(path.model.with_rule(FULL), alpha, lam, path.near)
        return curve | {"status": np.where(found, curve["status"], np.maximum(curve["status"], float(Status.max_steps)))}
    start = best_lam(erm, e, alpha) if erm.lam == "optimal" else np.full_like(alpha, erm.lam)
    rows = [_joint(erm, e, float(a), float(lam)) for a, lam in zip(alpha, start, strict=True)]
    return {key: np.concatenate([row[key] for row in rows]) for key in rows[0]}


# the trials of a simulation ask for the same optimum: kept as long as the equivalent lives, with the learner that the key's id stands for
_KNOWN: WeakKeyDictionary[GaussianEquivalent, dict[tuple[int, float], tuple[ERM, Observables]]] = WeakKeyDictionary()


def optimum_at(erm: ERM, e: GaussianEquivalent, alpha: float) -> Observables:
    """`optimise` at one alpha, remembered for an equivalent and a learner."""
    known = _KNOWN.setdefault(e, {})
    key = (id(erm), alpha)
    if key not in known:
        known[key] = erm, optimise(erm, e, np.array([alpha]))
    return known[key][1]


def best_lam(erm: ERM, e: GaussianEquivalent, alpha: FloatArray) -> FloatArray:
    """lam at every alpha."""
    return _search(erm, e, alpha)[0]


def _search(erm: ERM, e: GaussianEquivalent, alpha: FloatArray) -> tuple[FloatArray, Any, LamPath]:
    """lam at every alpha, whether it is a root of the derivative, the end of the range or on a plateau, and what was solved on the way."""
    several = Model(erm, e).b0.size > 1
    path = LamPath(erm, e, alpha, COARSE, tolerance=ROUGH) if several else LamPath(erm, e, alpha, FULL)
    middle = np.log(path.model.scale)
    if not path.model.signal and erm.minimise == "test_error":  # nothing to learn: the smallest student
        return np.full_like(alpha, np.exp(GRID[-1] + middle)), np.ones(alpha.shape, dtype=bool), path
    logs = _grid(path, several)
    best, bracket, inside, _ = _valley(path, np.arange(alpha.size), logs)
    settled = np.zeros(alpha.shape, dtype=bool)  # at the end of the range, or where nothing changes with lam
    for lower, edge in ((True, logs.min()), (False, logs.max())):
        outside = np.flatnonzero((best == edge) & ~inside)
        if outside.size:
            further = FURTHER[0][::-1] if lower else FURTHER[1]
            more = np.concatenate([[edge], middle + further[np.abs(further + middle - edge) > 0.1]])
            best[outside], bracket[outside], inside[outside], _ = _valley(path, outside, more)
            end = outside[~inside[outside] & (best[outside] == more[-1])]
            known = erm.penalty.is_quadratic  # other penalties have no equations of their own for lam -> 0+
            bracket[end], settled[end] = -np.inf if lower and known else more[-1], True
    paths, source = [path], np.zeros(alpha.size, dtype=int)
    if several:
        paths += [LamPath(erm, e, alpha, COARSE, before=path), LamPath(erm, e, alpha, FINE, before=path)]
    for row in np.flatnonzero(~settled).tolist() if several else ():  # where students lose their weights slopes say little
        around = path.bends_about(row, float(best[row]))
        least = best_about_bends(paths[-1], row, *around) if around else None
        if least is not None:
            bracket[row], inside[row], settled[row] = least, False, True
    for k in np.flatnonzero(~inside & ~settled):  # slopes beside a plateau, such as that of students without weights, are rounding
        width = GRID[2] - GRID[0] if several else GRID[1] - GRID[0]
        for j in (1, 2) if several else (0,):  # few offsets may say nothing where more do
            one = slice(k, k + 1)
            near, source[k] = best[k] + width * np.linspace(-1, 1, NEAR), j
            best[one], bracket[one], inside[one], settled[one] = _valley(paths[j], np.array([k]), near)
            if inside[k]:
                break
            width *= 2 / (NEAR - 1)
    out = np.exp(bracket.mean(axis=1))
    i = np.flatnonzero(inside)
    if i.size == 0:
        return out, inside | settled, paths[-1]
    low, high = bracket[i, 0], bracket[i, 1]

    def slope(y: FloatArray, k: FloatArray) -> FloatArray:
        rows, out = i[k.astype(int)], np.empty(y.shape)
        for j, one in enumerate(paths):
            mine = source[rows] == j
            out[mine] = one.slope(rows[mine], y[mine]) if mine.any() else 0.0
        return out

    tolerances = {"xatol": NEARBY if several else 1e-9, "xrtol": 0.0, "fatol": 0.0, "frtol": 0.0}
    found = elementwise.find_root(slope, (low, high), args=(np.arange(i.size, dtype=float),), tolerances=tolerances)  # type: ignore[call-overload]
    y = np.asarray(found.x)
    if not several:
        out[i] = np.exp(y)
        return out, inside | settled, path
    (left, right), (below, above) = found.bracket, found.f_bracket
    y, arrived = _secants(lambda y: paths[-1].slope(i, y), y, np.asarray((above - below) / (right - left)))
    out[i], inside[i] = np.exp(y), arrived
    return out, inside | settled, paths[-1]


def _grid(path: LamPath, several: bool) -> FloatArray:
    """log lam of the first search, from the middle on; with kinks in the penalty from where a part of the weights is left, with kinks in a
    loss on labels -1 and +1, which have no response where few weights are left, from the largest one.
    """
    middle = np.log(path.model.scale)
    logs = (DECADES if several else GRID) + middle
    if path.model.kinked:
        at = path.model.points(path.alpha, np.ones_like(path.alpha))
        some = np.log(SOME * float(np.median(path.model.empty(at))))
        if several:  # weights are left in a few steps
            more = np.setdiff1d(GRID, DECADES) + middle
            logs = np.concatenate([logs, more[more > some + GRID[0] - GRID[2]]])
        return logs[np.argsort(np.abs(logs - some), kind="stable")]
    if len(path.model.loss.kinks) and not path.model.regression:
        return np.append(logs, GRID[-1] + middle)[::-1] if several else logs[::-1]
    return logs[np.argsort(np.abs(logs - middle), kind="stable")]


def _secants(slope: Callable[[FloatArray], FloatArray], y: FloatArray, curvature: FloatArray) -> tuple[FloatArray, Any]:
    """Roots from nearby y, where the slope's own slope is nearly the `curvature`, and whether the last step was short; a y whose slope is
    not known stays.
    """
    known = slope(y)
    with np.errstate(divide="ignore", invalid="ignore"):
        move = -known / curvature
    move = np.where(np.isfinite(move), move, NEARBY * (np.abs(known) > 0))  # a trial step where the curvature is not known
    for _ in range(SECANTS - 1):
        if np.all(np.abs(move) < ENOUGH):
            break
        move = np.clip(move, -FURTHEST, FURTHEST)
        y = y + move
        before, known = known, slope(y)
        with np.errstate(divide="ignore", invalid="ignore"):
            again = -known * move / (known - before)
        move = np.where(np.isfinite(again), again, 0.0)  # beside a root the slopes are the same up to rounding
    return y + np.clip(move, -FURTHEST, FURTHEST), np.abs(move) < FURTHEST


def _valley(path: LamPath, which: IntArray, logs: FloatArray) -> tuple[FloatArray, FloatArray, Any, Any]:
    """For every alpha of the path that is asked for: log lam of the least value among `logs`, which go away from what is solved, a bracket
    (points, 2) of the slope's root, whether there is one, and whether the slope vanishes up to rounding at the least value itself or the
    values beside it are the same.
    """
    solved = [path.solve(which, np.full(which.size, y)) for y in logs]
    values = np.stack([path.values(*one) for one in solved], axis=1)
    order = np.argsort(logs)
    logs, values = logs[order], values[:, order]
    values = np.where(np.isfinite(values), values, np.inf)
    least = values.min(axis=1)
    flat = PLATEAU * np.where(np.isfinite(least), np.abs(least), 0.0)
    nodes = np.arange(path.model.b0.size)
    rounding = flat if nodes.size > 1 else EXACT / PLATEAU * flat  # of averages over rough solutions; others have more digits
    # of those that rounding makes different the first beside others, as a plateau may end in a dip
    alike = values <= (least + rounding)[:, None]
    others = np.pad(~alike, ((0, 0), (1, 1)))
    end = alike & (others[:, :-2] | others[:, 2:])
    best = np.where(end.any(axis=1), end.argmax(axis=1), values.argmin(axis=1))
    three = np.stack([np.maximum(best - 1, 0), best, np.minimum(best + 1, logs.size - 1)], axis=1)
    slopes = np.empty(three.shape)
    for j in np.unique(three).tolist():
        at, solution = solved[order[j]]
        rows = np.flatnonzero((three == j).any(axis=1))
        part = (rows[:, None] * nodes.size + nodes).ravel()
        own = path.slopes(which[rows], np.full(rows.size, logs[j]), at.take(part), solution.take(part))
        for row, value in zip(rows.tolist(), own.tolist(), strict=True):
            slopes[row, three[row] == j] = value
    places = logs[three]
    rising = slopes[:, 1] >= 0
    bracket = np.where(rising[:, None], places[:, :2], places[:, 1:])
    ends = np.where(rising[:, None], slopes[:, :2], slopes[:, 1:])
    inside = (ends[:, 0] < -rounding) & (ends[:, 1] > rounding)
    bracket = np.where(inside[:, None], bracket, places[:, 1:2])
    # slopes of averages over weakly solved offsets have an error that their values do not show
    with np.errstate(invalid="ignore"):
        change = np.ptp(np.take_along_axis(values, three, axis=1), axis=1) / np.ptp(places, axis=1)
    return logs[best], bracket, inside, ~inside & ((np.abs(slopes[:, 1]) <= flat) | (change <= flat))


def objective(erm: ERM, e: GaussianEquivalent, alpha: FloatArray, lam: FloatArray, rule: OffsetRule = FULL) -> FloatArray:
    """The observable to minimise, averaged over b0."""
    path = LamPath(erm, e, alpha, rule)
    return path.values(*path.solve(np.arange(alpha.size), np.log(lam)))


def lam_slope(erm: ERM, e: GaussianEquivalent, alpha: FloatArray, lam: FloatArray, rule: OffsetRule = FULL) -> FloatArray:
    """d(observable)/d log lam."""
    return LamPath(erm, e, alpha, rule).slope(np.arange(alpha.size), np.log(lam))


def _joint(erm: ERM, e: GaussianEquivalent, alpha: float, lam: float) -> Observables:
    """Several hyperparameters at one alpha: log lam (if it is free) and the tuned ones, logarithms for those without an upper bound."""
    free = erm.lam == "optimal"
    names = (("lam",) if free else ()) + erm.tune
    now = {**erm.loss.parameters, **erm.penalty.parameters, "lam": max(lam, 1e-8)}
    ranges = [SEARCHED if name == "lam" else erm.tunable[name].range for name in names]
    logarithmic = [one.logarithmic for one in ranges]
    start = [np.log(now[name]) if log else now[name] for name, log in zip(names, logarithmic, strict=True)]
    bounds = [(np.log(one.low), np.log(one.high)) if one.logarithmic else (one.low, one.high) for one in ranges]

    def learner(x: FloatArray) -> tuple[ERM, float]:
        values = {name: float(np.exp(v)) if log else float(v) for name, v, log in zip(names, x, logarithmic, strict=True)}
        one = erm
        for name in erm.tune:
            one = one.with_hyperparameter(name, values[name])
        return one, values.get("lam", lam)

    def level(x: FloatArray) -> float:
        one, penalty = learner(x)
        return float(objective(one, e, np.array([alpha]), np.array([penalty]), FINE)[0])

    def value(x: FloatArray) -> tuple[float, FloatArray]:
        one, penalty = learner(x)
        path = LamPath(one, e, np.array([alpha]), FINE)
        at, solution = path.solve(np.zeros(1, dtype=int), np.log([penalty]))
        slopes = tangents(path.model, at, solution, names, keys=(erm.minimise,))
        gradient = path.sign * np.array([float(slopes[name][erm.minimise] @ path.model.mass) for name in names])
        chain = [float(np.exp(v)) if log else 1.0 for v, log in zip(x, logarithmic, strict=True)]
        return float(path.values(at, solution)[0]), gradient * chain

    x = np.array(start, dtype=float)
    for k, name in enumerate(names):  # the right valley first: one parameter at a time
        if name != "lam":
            low, high = (x[k] - np.log(64), x[k] + np.log(64)) if logarithmic[k] else bounds[k]
            tried = [np.where(np.arange(x.size) == k, v, x) for v in (*np.linspace(low, high, SCAN), x[k])]
            x = min(tried, key=level)
    found = optimize.minimize(value, x, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-15, "gtol": 1e-9})
    one, penalty = learner(found.x)
    curve = one.curve(e, np.array([alpha]), np.array([penalty]))
    if not found.success and np.max(np.abs(found.jac)) > FLAT * max(abs(found.fun), 1e-300):
        curve["status"] = np.maximum(curve["status"], float(Status.max_steps))
    own = {**one.loss.parameters, **one.penalty.parameters}
    return curve | {name: np.array([own[name]]) for name in erm.tune}
