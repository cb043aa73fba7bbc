"""One trial of a supervised problem: a true network, real inputs, trained students, fresh test rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv.curve import Curve
from gaussequiv.errors import FloatArray
from gaussequiv.learners.base import Predictor, as_predictor
from gaussequiv.learners.convex.observables import GRIDS
from gaussequiv.numerics.keys import FEATURES, FIT, TEST, TRAIN, WEIGHTS
from gaussequiv.numerics.status import Status
from gaussequiv.problems.base import Key
from gaussequiv.problems.supervised.axis import WORDS
from gaussequiv.problems.supervised.scored import DISTRIBUTIONS, Fresh, centred_rows, score
from gaussequiv.problems.supervised.students import StudentView, students
from gaussequiv.problems.supervised.teacher import Teacher, TrialPlan, blocks

if TYPE_CHECKING:
    from gaussequiv.problems.supervised.description import Problem

MEASURED = ("test_error", "clean_error", "train_error", "m", "q", "lam", "status", "steps", "residual")


def trial(plan: TrialPlan, key: Key) -> Curve:
    """What one draw gives, dims ([learner,] alpha); see `Problem.trial`."""
    problem = plan.problem
    measured = _run(plan, key)
    offset = float(measured.pop("offset")[0])
    several = isinstance(problem.learner, tuple)
    observables = {}
    for name, values in measured.items():
        extra = (DISTRIBUTIONS[name],) if name in DISTRIBUTIONS else ()
        observables[name] = (extra, values if several else values[0])
    coordinates: dict[str, Any] = {"alpha": plan.n / plan.d, "n": ("alpha", plan.n)} | plan.grids
    if several:
        coordinates["learner"] = [learner.label for learner in problem.learners]
    return Curve(
        observables,
        labels=WORDS | GRIDS | {name: words for learner in problem.learners for name, words in learner.words.items()},
        leading=("learner",) if several else (),
        beside={"offset": ((), offset)},
        coordinates=coordinates,
        attributes=facts(plan),
        resolved=call(plan),
        judged="test_error",
    )


def call(plan: TrialPlan) -> dict[str, Any]:
    """The options of a trial as they were resolved, for a saved call."""
    grids = {"margin": "margins", "probability": "probabilities"}
    asked = {"test_samples": plan.test, "normalise_teacher": plan.normalise} | ({"scores": True} if plan.scores else {})
    return asked | {grids[name]: values.tolist() for name, values in plan.grids.items()}


def facts(plan: TrialPlan) -> dict[str, Any]:
    """What a result says about the trials behind it."""
    problem: Problem = plan.problem
    return {
        "task": problem.task,
        "d": plan.d,
        "widths": list(problem.target.widths_at(plan.d)) or [0],
        **({"features": str(problem.features)} if problem.features is not None else {}),
        "test_samples": plan.test,
        "normalise_teacher": int(plan.normalise),
    }


def _run(plan: TrialPlan, key: Key) -> dict[str, FloatArray]:
    teacher = plan.teacher(key)
    total = int(plan.n[-1])
    rng = np.random.default_rng((*key, FEATURES))
    group = students(plan.problem, plan.d, total, teacher.rows, rng)
    y, uniforms = np.empty(total), np.random.default_rng((*key, WEIGHTS)).random(total)
    for start, stop in blocks(total):
        x, _, y[start:stop] = teacher.block(TRAIN, start, stop)
        for student in group:
            student.take(x, start, stop)
    learners = plan.problem.learners
    shape = (len(learners), plan.n.size)
    out = {name: np.full(shape, np.nan) for name in MEASURED}
    fits: list[list[Predictor]] = [[] for _ in group]
    for i, n in enumerate(plan.n):
        for student, found in zip(group, fits, strict=True):
            sample = student.sample(y, int(n))
            sample.uniforms = uniforms[:n]
            for k in student.learners:
                fit = as_predictor(learners[k].fit(sample, plan.equivalents[k], np.random.default_rng((*key, FIT, int(n)))))
                found.append(fit)
                out["train_error"][k, i] = np.mean(plan.loss(y[:n], _respond(fit(student.train(int(n)))[:, None], [fit])[:, 0]))
                out["lam"][k, i], out["status"][k, i] = fit.lam, fit.status
                out["steps"][k, i], out["residual"][k, i] = fit.steps, fit.residual
    measured = _measure(plan, teacher, group, fits)
    extras = score(plan.problem, plan.n, y, uniforms, group, fits, measured.pop("fresh"), plan.grids)
    for name in ("test_error", "clean_error", "m", "q"):
        position = 0
        for student in group:
            count = len(student.learners) * plan.n.size
            out[name][list(student.learners)] = measured[name][position : position + count].reshape(plan.n.size, -1).T
            position += count
    bad = ~np.isfinite(out["test_error"]) & (out["status"] == Status.converged)
    out["status"][bad] = Status.nonfinite
    return out | extras | {"offset": measured["offset"]}


def _respond(prediction: FloatArray, fits: list[Predictor]) -> FloatArray:
    """Predicted labels from predicted fields, one column for each fit."""
    if all(fit.response is None for fit in fits):
        return prediction
    return np.stack([column if fit.response is None else fit.response(column) for column, fit in zip(prediction.T, fits, strict=True)], 1)


def _measure(plan: TrialPlan, teacher: Teacher, group: list[StudentView], fits: list[list[Predictor]]) -> dict[str, Any]:
    """Stream the test rows once for all students, learners and sample sizes."""
    batches = [student.batch(found) for student, found in zip(group, fits, strict=True)]
    intercepts = np.array([fit.intercept for found in fits for fit in found])
    sums = {name: np.zeros(intercepts.size) for name in ("test_error", "clean_error", "field", "square", "product")}
    field_sum = 0.0
    wanted = plan.scores or any(learner.gives.unasked for learner in plan.problem.learners)
    kept: list[tuple[FloatArray, FloatArray]] = []
    some: list[FloatArray] = [np.zeros((0, 0)) for _ in group]
    for start, stop in blocks(plan.test):
        x, field, y = teacher.block(TEST, start, stop)
        own = [student.rows(x, start, stop) for student in group]
        centred = np.concatenate([batch(rows) for rows, batch in zip(own, batches, strict=True)], axis=1)
        prediction = centred + intercepts
        if wanted:
            kept.append((prediction, y))
            if start == 0:
                some = [centred_rows(student, rows) for student, rows in zip(group, own, strict=True)]
        noiseless = plan.noiseless(field)
        answer = _respond(prediction, [fit for found in fits for fit in found])
        sums["test_error"] += plan.loss(y[:, None], answer).sum(axis=0)
        sums["clean_error"] += plan.loss(noiseless[:, None], answer).sum(axis=0)
        sums["field"] += centred.sum(axis=0)
        sums["square"] += (centred**2).sum(axis=0)
        sums["product"] += field @ centred
        field_sum += float(field.sum())
    mean, mean_field = sums["field"] / plan.test, field_sum / plan.test
    return {
        "test_error": sums["test_error"] / plan.test,
        "clean_error": sums["clean_error"] / plan.test,
        "q": sums["square"] / plan.test - mean**2,
        "m": sums["product"] / plan.test - mean * mean_field,
        "offset": np.array([mean_field]),
        "fresh": _joined(kept, some) if wanted else None,
    }


def _joined(kept: list[tuple[FloatArray, FloatArray]], rows: list[FloatArray]) -> Fresh:
    prediction, y = (np.concatenate([block[k] for block in kept]) for k in range(2))
    return Fresh(prediction, y, rows)
