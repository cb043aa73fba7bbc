"""Learning curves of scores other than the test error: the same rows, another average over the law of their left-out scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg

from gaussequiv.errors import ArgumentError, FloatArray
from gaussequiv.ingredients.losses import named as losses
from gaussequiv.numerics.status import Status
from gaussequiv.realdata.curves import LOOSE, LinearStudent, curves_of_targets, row_weights
from gaussequiv.realdata.emulate import EmulatedStudent, EmulationState, check_labels, emulate
from gaussequiv.realdata.scoring import MOST_SHRUNK, ScoreLaw, Scoring
from gaussequiv.realdata.square import square_curves

NODES = 11  # of the noise of scores, where what rows share of it is computed
PLAIN = {"accuracy", "neg_mean_squared_error"}  # best - score is the test error itself


def scored_curves(
    x: FloatArray,
    targets: list[FloatArray],
    sizes: FloatArray,
    student: LinearStudent,
    scoring: Scoring | None,
    *,
    method: str = "rows",
    groups: int = 10,
    seed: int = 0,
) -> list[dict[str, FloatArray]]:
    """`curves_of_targets` of the error best - score.

    The standard error of other scores than accuracy and mean squared error is that of a jackknife of `groups` groups of rows.
    """
    if scoring is None or scoring.name in PLAIN:
        return curves_of_targets(x, targets, sizes, student, method=method, groups=groups, seed=seed)
    if method != "rows":
        raise ArgumentError(f"Argument `method` must be 'rows' for scoring={scoring.name!r}, but method={method!r}.")
    if student.classify:
        for y in targets:
            check_labels(y)
    if student.constant is not None:
        x = np.column_stack([x, np.full(len(x), student.constant)])
    return [_with_band(x, y, np.asarray(sizes), student, scoring, groups, seed) for y in targets]


def _with_band(
    x: FloatArray, y: FloatArray, sizes: FloatArray, student: LinearStudent, scoring: Scoring, groups: int, seed: int
) -> dict[str, FloatArray]:
    full, starts = _scored(x, y, sizes, student, scoring)
    known = np.flatnonzero(full["status"] == Status.converged)
    full["test_error_stderr"] = np.full(len(sizes), np.nan)
    if not groups or not known.size:
        return full
    deleted = []
    for part in np.array_split(np.random.default_rng(seed).permutation(len(y)), groups):
        kept = np.setdiff1d(np.arange(len(y)), part)
        if student.classify and np.unique(y[kept]).size < 2:
            raise ArgumentError("Argument `y` must have more rows of its rarer class: a jackknife group holds all of them.")
        near = {i: EmulationState(one.coefficients, one.V[kept], one.extra[kept], one.score[kept]) for i, one in starts.items()}
        deleted.append(_scored(x[kept], y[kept], sizes[known], student, scoring, [near.get(int(i)) for i in known])[0]["test_error"])
    spread = np.array(deleted)
    # an extrapolation that a tenth of the rows can take away is not identified by them
    lost = known[np.any(~np.isfinite(spread), axis=0) & (sizes[known] > len(y))]
    full["test_error"][lost], full["status"][lost] = np.nan, Status.nonfinite
    full["test_error_stderr"][known] = np.sqrt((groups - 1) / groups * np.sum((spread - spread.mean(axis=0)) ** 2, axis=0))
    return full


def _scored(
    x: FloatArray,
    y: FloatArray,
    sizes: FloatArray,
    student: LinearStudent,
    scoring: Scoring,
    starts: list[EmulationState | None] | None = None,
) -> tuple[dict[str, FloatArray], dict[int, EmulationState]]:
    found, states = laws_of_scores(x, y, sizes, student, starts)
    laws = found.pop("laws")
    found["test_error"] = np.array([np.nan if law is None else scoring.error(law) for law in laws])
    lost = np.array([law is None for law in laws]) & (found["status"] == Status.converged)
    found["status"] = np.where(lost, Status.nonfinite, found["status"])
    return found, states


def laws_of_scores(
    x: FloatArray,
    y: FloatArray,
    sizes: FloatArray,
    student: LinearStudent,
    starts: list[EmulationState | None] | None = None,
) -> tuple[dict[str, Any], dict[int, EmulationState]]:
    """`laws`, a ScoreLaw (or None) at each size, with test_error, status, steps and residual; and where an iteration ended, at each size.

    A constant column that is penalised is part of x. Starts are loose: those of a jackknife.
    """
    weights = row_weights(y, student.class_weight)
    if student.loss == "square":
        options: dict[str, Any] = {"intercept": student.intercept, "classify": student.classify, "band": False, "laws": True}
        return square_curves(x, [y], weights, sizes, student.lam, **options)[0]._asdict(), {}
    plain = EmulatedStudent(losses.get(student.loss), student.lam, student.intercept, student.classify)
    out: dict[str, Any] = {name: np.full(len(sizes), np.nan) for name in ("test_error", "status", "steps", "residual")}
    out["laws"] = np.full(len(sizes), None)
    latest: dict[bool, EmulationState | None] = {True: None, False: None}  # continuation from the size nearest to the pool's outwards
    states: dict[int, EmulationState] = {}
    for i in np.argsort(np.abs(np.log(sizes / len(x))), kind="stable").tolist():
        above, n = bool(sizes[i] > len(x)), float(sizes[i])
        start = latest[above] if starts is None else starts[i]
        found = emulate(x, y, weights, n, plain, start, *(() if starts is None else (LOOSE,)))
        out["status"][i], out["steps"][i], out["residual"][i] = found.status, found.steps, found.residual
        if found.status != Status.converged:
            continue
        states[i] = latest[above] = found.state
        common = shared_noise(x, y, weights, n, plain, found.state)
        law = ScoreLaw(y, found.state.score, found.state.extra, classify=True, common=common)
        out["test_error"][i], out["laws"][i] = found.test_error, law if law.removed >= MOST_SHRUNK else None
    return out, states


def shared_noise(x: FloatArray, y: FloatArray, weights: FloatArray, n: float, student: EmulatedStudent, state: EmulationState) -> float:
    """m_-'Q (K_n - K_N) Q m_+ at an emulated state, m the means of the classes' rows: covariance of two rows' added noise.

    The constant column is part of the rows.
    """
    ratio, design = n / len(x), np.column_stack([x, np.ones(len(x))]) if student.intercept else x
    nodes, mass = np.polynomial.hermite_e.hermegauss(NODES)
    mass = mass / mass.sum()
    score = state.score[:, None] + np.sqrt(np.maximum(state.extra, 0.0))[:, None] * nodes
    g, slope = student.loss.proximal(y[:, None], score, (weights * state.V)[:, None])
    phi, square, rate = weights * (g @ mass), weights**2 * ((g * g) @ mass), -weights * (slope @ mass)
    bare = np.maximum(1 - state.V * ratio * rate, 0.05)
    penalty = np.full(design.shape[1], student.lam)
    if student.intercept:
        penalty[-1] = 0.0
    curvature = ratio * rate / bare
    hessian = (design.T * curvature) @ design + np.diag(penalty)
    means = [(design[y == label] / _kept(curvature, state.V)[y == label, None]).mean(axis=0) for label in (-1.0, 1.0)]
    one, two = (design @ v for v in linalg.solve(hessian, np.array(means).T, assume_a="sym").T)
    missing = (ratio * square - (ratio * phi) ** 2) / bare**2
    return float(np.sum(one * missing * two))


def _kept(curvature: FloatArray, V: FloatArray) -> FloatArray:
    """1 - leverage of each row, of V = leverage/(curvature (1 - leverage))."""
    return 1 / (1 + curvature * V)
