r"""Learning curves of estimators that tune their penalty: chosen on n rows by cross-validation, judged on fresh ones."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from gaussequiv.errors import ArgumentError, FloatArray
from gaussequiv.numerics.status import Status
from gaussequiv.realdata.curves import LinearStudent
from gaussequiv.realdata.scored import laws_of_scores, scored_curves
from gaussequiv.realdata.scoring import SCORINGS, ScoreLaw, Scoring

DRAWS = 200  # of n rows, on which penalties are compared


class Tuning(NamedTuple):
    """Penalties of a student in the order in which an estimator tries them, the folds of its cross-validation (None: leave-one-out), and
    the name of the score by which it chooses; the first of equal ones is taken."""

    lams: tuple[float, ...]
    folds: int | None
    criterion: str


def tuned_curves(
    x: FloatArray,
    targets: list[FloatArray],
    sizes: FloatArray,
    student: LinearStudent,
    tuning: Tuning,
    scoring: Scoring | None,
    *,
    groups: int = 10,
    seed: int = 0,
) -> list[dict[str, FloatArray]]:
    r"""`scored_curves` of a student whose penalty is chosen anew on every training set.

    Cross-validation compares penalties on n rows, each with a score of fits to m = n (1 - 1/k) others (n - 1 where one is left out). The
    rows' left-out scores at m, for every penalty, are a pool from which `DRAWS` sets of n rows are drawn, with the same noise of a row at
    every penalty; each set chooses, and the error is sum_l P(l chosen) error(n, l). That less the least error is `tuning_cost`, and
    `tuned_lam` is the geometric mean of what is chosen. The standard error is that of the penalty chosen most often.

    Validity: an ansatz. That a set whose choice is unlucky also has another error at that choice is left out. Penalties that the rows do
    not identify cannot be chosen; `unknown_lams` is their share.
    """
    return [_tuned(x, y, np.asarray(sizes), student, tuning, scoring, groups, seed) for y in targets]


def _tuned(
    x: FloatArray,
    y: FloatArray,
    sizes: FloatArray,
    student: LinearStudent,
    tuning: Tuning,
    scoring: Scoring | None,
    groups: int,
    seed: int,
) -> dict[str, FloatArray]:
    judge = scoring if scoring is not None else SCORINGS["accuracy" if student.classify else "neg_mean_squared_error"]
    columns = x if student.constant is None else np.column_stack([x, np.full(len(x), student.constant)])
    fewer = np.maximum(np.round(sizes * (1 - 1 / tuning.folds)), 2) if tuning.folds else sizes - 1
    both = np.unique(np.concatenate([sizes, fewer]))
    at, before = np.searchsorted(both, sizes), np.searchsorted(both, fewer)
    found = [laws_of_scores(columns, y, both, replace(student, lam=lam), None)[0] for lam in tuning.lams]
    lams, count = np.array(tuning.lams), len(sizes)
    names = ("test_error", "tuning_cost", "tuned_lam", "unknown_lams", "test_error_stderr", "steps", "residual")
    out = {name: np.full(count, np.nan) for name in names} | {"status": np.full(count, float(Status.nonfinite))}
    usual = np.full(count, -1)
    rng = np.random.default_rng(seed)
    for i in range(count):
        laws = [(one["laws"][at[i]], one["laws"][before[i]]) for one in found]
        known = [k for k, (now, earlier) in enumerate(laws) if now is not None and earlier is not None]
        out["unknown_lams"][i] = 1 - len(known) / len(lams)
        out["steps"][i] = sum(one["steps"][at[i]] for one in found)
        out["residual"][i] = max(one["residual"][at[i]] for one in found)
        if not known:
            continue
        errors = np.array([judge.error(laws[k][0]) for k in known])
        chance = choices([laws[k][1] for k in known], int(sizes[i]), SCORINGS[tuning.criterion], rng)
        usual[i] = known[int(np.argmax(chance))]
        out["test_error"][i], out["status"][i] = chance @ errors, Status.converged
        out["tuning_cost"][i] = out["test_error"][i] - errors.min()
        # a penalty of 0 among others is as good as the smallest number
        out["tuned_lam"][i] = np.exp(chance @ np.log(np.maximum(lams[known], 1e-300)))
    if groups:
        for k in np.unique(usual[usual >= 0]):
            mine = np.flatnonzero(usual == k)
            one = scored_curves(x, [y], sizes[mine], replace(student, lam=float(lams[k])), scoring, groups=groups, seed=seed)[0]
            out["test_error_stderr"][mine] = one["test_error_stderr"]
    return out


def choices(laws: list[ScoreLaw], n: int, criterion: Scoring, rng: np.random.Generator) -> FloatArray:
    """How often each of some laws of the same rows has the least error by the criterion, on n rows drawn from them."""
    y, counts = laws[0].y, np.zeros(len(laws))
    for _ in range(DRAWS):
        rows, noise = rng.integers(len(y), size=n), rng.standard_normal(n)
        if criterion.classify and np.all(y[rows] == y[rows[0]]):
            continue
        errors = []
        for law in laws:
            score = law.score[rows] + np.sqrt(law.variance[rows]) * noise
            errors.append(criterion.error(ScoreLaw(y[rows], score, np.zeros(n), classify=criterion.classify)))
        counts[int(np.argmin(np.round(errors, 12)))] += 1
    if not counts.any():
        raise ArgumentError(f"Argument `train_sizes` must be sizes at which training sets have both classes, but {n} rows never have them.")
    return counts / counts.sum()
