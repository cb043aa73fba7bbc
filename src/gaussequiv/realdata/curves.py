"""Learning curves of one linear student from one data set, with jackknife errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gaussequiv.errors import ArgumentError, FloatArray, choice
from gaussequiv.ingredients.losses import named as losses
from gaussequiv.numerics.status import Status
from gaussequiv.realdata.emulate import EmulatedStudent, EmulationState, check_labels, emulate
from gaussequiv.realdata.equivalent import equivalent_from_rows
from gaussequiv.realdata.pool import Pool
from gaussequiv.realdata.square import square_curves

LOOSE = 3e-3  # tolerance of the jackknife's warm-started iterations: far below the errors that they measure
METHODS = ("rows", "moments", "gaussian")


@dataclass(frozen=True)
class LinearStudent:
    """min sum_i s(y_i) loss(y_i, w.x_i + c) + (lam/2)|w|^2 on features as given.

    Parameters
    ----------
    loss : str
        square, logistic, hinge or squared_hinge.
    lam : float
    intercept : bool
        Whether a constant is fitted without a penalty.
    constant : float or None
        Value of a constant column whose coefficient is penalised like the others (liblinear's intercept), in place of `intercept`.
    class_weight : {-1: a, 1: b}, "balanced" or None
        As read off an estimator, by its own names of the classes: `reading.weigh_classes` turns them into these.
    classify : bool
        Whether the test error is the share of wrong signs (labels -1 and 1), or the mean squared error.
    """

    loss: str = "square"
    lam: float = 1.0
    intercept: bool = True
    constant: float | None = None
    class_weight: Mapping[Any, float] | str | None = field(default=None)
    classify: bool = False


def curves_of_targets(
    x: FloatArray,
    targets: list[FloatArray],
    sizes: FloatArray,
    student: LinearStudent,
    *,
    method: str = "rows",
    groups: int = 10,
    seed: int = 0,
) -> list[dict[str, FloatArray]]:
    """`curve` of several vectors of labels; square losses share their decompositions where the rows' weights do not hang on the labels."""
    choice("method", method, METHODS)
    if method != "rows" or student.loss != "square":
        return [curve(x, y, sizes, student, method=method, groups=groups, seed=seed) for y in targets]
    if student.classify:
        for y in targets:
            check_labels(y)
    together = [targets] if student.class_weight is None else [[y] for y in targets]
    found = []
    for batch in together:
        weights = row_weights(batch[0], student.class_weight)
        found += square_curves(
            x, batch, weights, sizes, student.lam, intercept=student.intercept, classify=student.classify, band=groups > 0
        )
    return [one._asdict() for one in found]


def curve(
    x: FloatArray, y: FloatArray, sizes: FloatArray, student: LinearStudent, *, method: str = "rows", groups: int = 10, seed: int = 0
) -> dict[str, FloatArray]:
    """Predicted test errors at the training sizes, with standard errors from `groups` deletions (0: none, nan).

    Entries: test_error, test_error_stderr, status, steps and residual, one value for each size.

    The standard error is that of a grouped jackknife: each group of rows is left out in turn, never drawn twice,
    s.e.^2 = (G - 1)/G sum_g (error_g - mean)^2 (square losses with method "rows": an infinitesimal one, `square_curves`). It covers
    the pool's finite size, not the ansatz. Where a deletion leaves no prediction, the standard error is nan; beyond the pool's size the
    point is then not identified: nan, status `nonfinite`. Square losses with "rows" have the entries `room` and
    `alone` more.
    """
    choice("method", method, METHODS)
    if method == "rows" and student.loss == "square":
        return curves_of_targets(x, [y], sizes, student, groups=groups)[0]
    if student.classify:
        check_labels(y)
    if method == "moments" and (student.classify or student.loss != "square" or student.class_weight is not None):
        raise ArgumentError(
            "Argument `method` must be 'rows' or 'gaussian' for classifiers: 'moments' predicts squared errors of ridge only."
        )
    if method == "gaussian" and student.constant is not None:
        raise ArgumentError("Argument `method` must be 'rows' where the intercept is penalised, but method='gaussian'.")
    if student.constant is not None:
        x = np.column_stack([x, np.full(len(x), student.constant)])
    full, states = _predict(x, y, sizes, student, method, None)
    errors = np.full(len(sizes), np.nan)
    known = full["status"] == Status.converged
    if groups and known.any():
        parts = np.array_split(np.random.default_rng(seed).permutation(len(y)), groups)
        deleted = []
        for part in parts:
            kept = np.setdiff1d(np.arange(len(y)), part)
            if student.classify and np.unique(y[kept]).size < 2:
                raise ArgumentError("Argument `y` must have more rows of its rarer class: a jackknife group holds all of them.")
            starts = [None if state is None else _rows(state, kept) for state, ok in zip(states, known, strict=True) if ok]
            deleted.append(_predict(x[kept], y[kept], sizes[known], student, method, starts)[0]["test_error"])
        spread = np.array(deleted)
        # an extrapolation that a tenth of the rows can take away is not identified by them
        lost = np.zeros(len(sizes), dtype=bool)
        lost[known] = np.any(~np.isfinite(spread), axis=0) & (sizes[known] > len(y))
        full["test_error"] = np.where(lost, np.nan, full["test_error"])
        full["status"] = np.where(lost, Status.nonfinite, full["status"])
        errors[known] = np.sqrt((groups - 1) / groups * np.sum((spread - spread.mean(axis=0)) ** 2, axis=0))
    return full | {"test_error_stderr": errors}


def _rows(state: EmulationState, kept: Any) -> EmulationState:
    return EmulationState(state.coefficients, state.V[kept], state.extra[kept], state.score[kept])


def _predict(
    x: FloatArray, y: FloatArray, sizes: FloatArray, student: LinearStudent, method: str, starts: list[EmulationState | None] | None
) -> tuple[dict[str, FloatArray], list[EmulationState | None]]:
    count = len(sizes)
    if method == "moments":
        points = Pool(x, y, intercept=student.intercept).ridge(sizes, student.lam)
        zero = np.zeros(count)
        return {"test_error": points.test_error, "status": points.status, "steps": zero, "residual": zero}, [None] * count
    if method == "gaussian":
        return _gaussian(x, y, sizes, student), [None] * count
    plain = EmulatedStudent(losses.get(student.loss), student.lam, student.intercept, student.classify)
    weights = row_weights(y, student.class_weight)
    out = {name: np.full(count, np.nan) for name in ("test_error", "status", "steps", "residual")}
    states: list[EmulationState | None] = [None] * count
    # continuation: from the size nearest to the pool's outwards
    distance = np.abs(np.log(np.asarray(sizes) / len(x)))
    latest: dict[bool, EmulationState | None] = {True: None, False: None}
    for i in np.argsort(distance, kind="stable"):
        above = bool(sizes[i] > len(x))
        start = starts[i] if starts is not None else latest[above]
        found = emulate(x, y, weights, float(sizes[i]), plain, start, *(() if starts is None else (LOOSE,)))
        states[i] = found.state if found.status == Status.converged else None
        latest[above] = states[i] if states[i] is not None else latest[above]
        for name, value in (
            ("test_error", found.test_error),
            ("status", found.status),
            ("steps", found.steps),
            ("residual", found.residual),
        ):
            out[name][i] = value
    return out, states


def row_weights(y: FloatArray, class_weight: Mapping[int, float] | str | None) -> FloatArray:
    """Weight of every row's loss; "balanced" is N/(2 N_class), as in scikit-learn."""
    if class_weight is None:
        return np.ones(len(y))
    if isinstance(class_weight, str):
        share = float(np.mean(y == 1))
        return np.where(y == 1, 0.5 / share, 0.5 / (1 - share))
    return np.where(y == 1, class_weight[1], class_weight[-1])


def _gaussian(x: FloatArray, y: FloatArray, sizes: FloatArray, student: LinearStudent) -> dict[str, FloatArray]:
    """The library's own learner on the de-biased equivalent of the p columns as inputs; alpha = n/d, d = p, lam = lam_raw/p."""
    from gaussequiv.learners.convex.erm import ERM

    p = x.shape[1]
    weight = student.class_weight
    if isinstance(weight, str):
        share = float(np.mean(y == 1))
        weight = {-1: 0.5 / (1 - share), 1: 0.5 / share}
    equivalent = equivalent_from_rows(x, y, task="classification" if student.classify else "regression")
    learner = ERM(student.loss, student.lam / p, intercept=student.intercept, class_weight=weight)
    alpha = (np.asarray(sizes, dtype=float) - int(student.intercept)) / p
    found = learner.solve(equivalent, alpha).finished(alpha.size).only_solved()
    names = ("test_error", "status", "steps", "residual")
    return {name: np.asarray(found[name], dtype=float) for name in names if name in found}
