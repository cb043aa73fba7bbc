"""What a simulation measures of learners with a loss beyond errors: losses, ranking, calibration, V, distributions over rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv.errors import ArgumentError, FloatArray, array
from gaussequiv.problems.supervised.students import StudentView
from gaussequiv.samples import empirical

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
    fits: list[list[Any]],
    fresh: Fresh | None,
    grids: dict[str, FloatArray],
) -> dict[str, FloatArray]:
    """Losses, ranking, calibration, V and distributions of the learners that have a loss, shape (learners, sizes[, grid])."""
    if fresh is None:
        return {}
    learners, channel = problem.learners, problem.target.channel
    names = {k: _measured(learner, problem.task) for k, learner in enumerate(learners)}
    out = {name: np.full((len(learners), sizes.size), np.nan) for name in dict.fromkeys(n for own in names.values() for n in own)}
    for name, axis in DISTRIBUTIONS.items():
        if axis in grids:
            out[name] = np.full((len(learners), sizes.size, grids[axis].size), np.nan)
    position = 0
    for student, found, rows in zip(group, fits, fresh.rows, strict=True):
        places = [(i, k) for i in range(sizes.size) for k in student.learners]
        for (i, k), fit in zip(places, found, strict=True):
            z = fresh.prediction[:, position]
            position += 1
            if not np.isfinite(fit.intercept):
                continue  # labels of one class: the status says so
            learner, n = learners[k], int(sizes[i])
            if not hasattr(learner, "loss"):
                for name, value in _plain_scores(learner, channel, fresh.y, z, fit).items():
                    out[name][k, i] = value
                continue
            own, weight, loss = y[:n], learner.weights_of(y[:n], uniforms[:n]), fit.loss
            trained = fit(student.train(n))
            values = empirical.fresh_scores(loss, channel, fresh.y, z)
            values |= {"train_loss": empirical.mean_loss(loss, own, trained, weight), "intercept": float(np.mean(z))}
            if rows.size and fit.lam > 0 and learner.penalty.name == "l2":
                values["V"] = empirical.susceptibility(loss, fit.lam, student.train(n), own, trained, weight, rows)
            for name, value in values.items():
                out[name][k, i] = value
            if "margin" in grids:
                out["test_margin_cdf"][k, i] = empirical.margin_cdf(fresh.y, z, grids["margin"])
                out["train_margin_cdf"][k, i] = empirical.margin_cdf(own, trained, grids["margin"])
            if "probability" in grids and learner.loss.probability(np.zeros(1)) is not None:
                out["calibration"][k, i] = empirical.calibration(learner.loss, fresh.y, z, grids["probability"])
    return out


def _measured(learner: Any, task: str) -> tuple[str, ...]:
    if hasattr(learner, "loss"):
        return empirical.measured_names(learner.loss, task)
    if task == "regression":
        return ()
    return empirical.LABEL_NAMES + (() if hasattr(learner, "lam") else empirical.PROBABILITY_NAMES)


def _plain_scores(learner: Any, channel: Any, y: FloatArray, z: FloatArray, fit: Any) -> dict[str, float]:
    """Ranking of ridge and Bayes on labels, and the scores of the probability that a posterior mean and variance say."""
    if channel.task == "regression":
        return {}
    if not np.isfinite(fit.variance):
        return empirical.label_scores(channel, y, z, None)
    believed = channel if getattr(learner, "assumes", None) is None else learner.assumes.channel
    spread = np.full_like(z, fit.variance)
    said = {label: believed.probability(label, z + fit.threshold, spread).value for label in (1.0, -1.0)}
    right = np.where(y > 0, said[1.0], said[-1.0])
    return empirical.label_scores(channel, y, z, said[1.0]) | {"log_loss": -float(np.mean(np.log(np.maximum(right, 1e-300))))}


def centred_rows(student: StudentView, rows: FloatArray) -> FloatArray:
    """Some test rows about their mean, to average the susceptibility over; none for kernels and very wide students."""
    if not student.explicit or rows.shape[1] > LARGEST_SUSCEPTIBILITY:
        return np.zeros((0, 0))
    return rows[:512] - rows.mean(axis=0)
