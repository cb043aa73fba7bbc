"""What a simulation measures of learners beyond errors, which each learner declares: losses, ranking, calibration, V, distributions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv.errors import ArgumentError, FloatArray, array
from gaussequiv.learners.base import Predictor
from gaussequiv.problems.supervised.students import StudentView
from gaussequiv.samples.measured_rows import MeasuredRows

if TYPE_CHECKING:
    from gaussequiv.problems.supervised.description import Problem

LARGEST_SUSCEPTIBILITY = 1500  # student dimensions up to which V is measured, from a Cholesky factor for every fit
DISTRIBUTIONS = {"test_margin_cdf": "margin", "train_margin_cdf": "margin", "calibration": "probability"}


def distribution_grids(problem: Problem, margins: Any, probabilities: Any) -> dict[str, FloatArray]:
    """The grids that were asked for, checked; distributions are those of convex learners on labels."""
    given = {"margin": margins, "probability": probabilities}
    grids = {
        name: array("margins" if name == "margin" else "probabilities", value, ndim=1) for name, value in given.items() if value is not None
    }
    if grids and problem.task != "classification":
        raise ArgumentError("Argument `margins` or `probabilities` must be left out for regression: margins are y z with labels -1 and +1.")
    if "probability" in grids and np.any((grids["probability"] <= 0) | (grids["probability"] >= 1)):
        raise ArgumentError("Argument `probabilities` must lie strictly between 0 and 1: they are predicted probabilities of y = +1.")
    return grids


@dataclass(frozen=True)
class Fresh:
    """Predictions (with intercepts) and labels on the test rows; some centred test rows of each student."""

    prediction: FloatArray
    y: FloatArray
    rows: list[FloatArray]


def score(
    problem: Problem,
    sizes: Any,
    y: FloatArray,
    uniforms: FloatArray,
    group: list[StudentView],
    fits: list[list[Predictor]],
    fresh: Fresh | None,
    grids: dict[str, FloatArray],
) -> dict[str, FloatArray]:
    """What every learner measures on its fits, shape (learners, sizes[, grid]); nan where it does not."""
    if fresh is None:
        return {}
    learners, channel = problem.learners, problem.target.channel
    names = dict.fromkeys(name for learner in learners for name in learner.measured(problem.task))
    out = {name: np.full((len(learners), sizes.size), np.nan) for name in names}
    for name, axis in DISTRIBUTIONS.items():
        if axis in grids:
            out[name] = np.full((len(learners), sizes.size, grids[axis].size), np.nan)
    position = 0
    for student, found, centred in zip(group, fits, fresh.rows, strict=True):
        places = [(i, k) for i in range(sizes.size) for k in student.learners]
        for (i, k), fit in zip(places, found, strict=True):
            field = fresh.prediction[:, position]
            position += 1
            if not np.isfinite(fit.intercept):
                continue  # labels of one class: the status says so
            n = int(sizes[i])
            rows = MeasuredRows(channel, fresh.y, field, student.train(n), y[:n], uniforms[:n], centred, grids)
            for name, value in learners[k].measure(fit, rows).items():
                out[name][k, i] = value
    return out


def centred_rows(student: StudentView, rows: FloatArray) -> FloatArray:
    """Some test rows about their mean, to average the susceptibility over; none for kernels and very wide students."""
    if not student.explicit or rows.shape[1] > LARGEST_SUSCEPTIBILITY:
        return np.zeros((0, 0))
    return rows[:512] - rows.mean(axis=0)
