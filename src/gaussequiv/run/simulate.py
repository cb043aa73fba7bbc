"""`simulate`: the real thing at finite size: true networks, real inputs, trained students, fresh test data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from gaussequiv.errors import FloatArray
from gaussequiv.numerics.keys import FEATURES, FIT, TEST, TRAIN, WEIGHTS
from gaussequiv.numerics.status import Status
from gaussequiv.problems.supervised.description import Problem
from gaussequiv.problems.supervised.scored import DISTRIBUTIONS, Fresh, centred_rows, distribution_grids, score
from gaussequiv.problems.supervised.students import Student, students
from gaussequiv.problems.supervised.teacher import Plan, Teacher, blocks, make_plan
from gaussequiv.results import dataset
from gaussequiv.run.progress import track
from gaussequiv.run.solve import provenance, warn_unconverged

if TYPE_CHECKING:
    import xarray as xr

MEASURED = ("test_error", "clean_error", "train_error", "m", "q", "lam", "status", "steps", "residual")


class Interrupted(KeyboardInterrupt):
    """The user stopped a simulation; `partial` holds the trials that were finished (None if none was)."""

    def __init__(self, partial: Any) -> None:
        super().__init__("interrupted")
        self.partial = partial


def simulate(
    problem: Problem,
    alpha: ArrayLike,
    *,
    d: int | None = None,
    trials: int = 16,
    seed: int = 0,
    test_samples: int | None = None,
    normalise_teacher: bool = False,
    margins: ArrayLike | None = None,
    probabilities: ArrayLike | None = None,
    scores: bool = False,
    progress: bool | None = None,
) -> xr.Dataset:
    """Sample true networks (and students' random features), train the problem's learners on their labels and measure on fresh data.

    Parameters
    ----------
    problem : Problem
        Several learners share the same draws: their differences are paired. One decomposition serves all ridge penalties.
    alpha : array of shape (points,), positive
        The sample sizes are n = round(alpha d) (at least 2), in increasing order; the result's alpha is n/d. The sets are nested.
    d : int
        Input dimension; data and covariance matrices fix it.
    trials : int
        Number of networks (teachers), each with its own data.
    seed : int
        Trial t does not depend on the number of trials, nor a point on the other points.
    test_samples : int, optional
        Fresh test rows of each trial (default max(2 d, 4096); for a data matrix a quarter of its rows).
    normalise_teacher : bool
        Rescale the readout to its expected norm: less variance over teachers, the same limit. Recorded in the result.
    margins, probabilities : arrays, optional
        For convex learners on labels: also measure P(y z <= margin) on test and training rows, and the frequency of +1 among rows of about
        each predicted probability (a loss that gives one).
    scores : bool
        Also measure ranking and probabilities of ridge and Bayes-optimal learners on labels, as `solve` does.
    progress : bool, optional
        Show a progress bar (default: on a terminal).

    Returns
    -------
    Dataset with dims ([learner,] alpha, trial): test_error, clean_error, train_error, m, q, lam, status, steps, residual of every trial;
    for learners with a loss also test_loss, train_loss, intercept, V (at most 1500 student dimensions), and on labels auc, log_loss, brier,
    calibration_error where they apply;
    <name>_mean and <name>_stderr over trials for the errors and order parameters; offset(trial), the mean of S on the test rows.

    The Bayes-optimal learner is simulated by its equivalent's posterior mean in regression and by message passing in
    classification. Kernel students are trained on the true kernel matrix. If the user interrupts, `Interrupted.partial` keeps the
    finished trials.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> run = ge.simulate(ge.Problem(target=ge.DeepNetwork("erf")), alpha=2.0, d=20, trials=3)
    >>> run.test_error.dims
    ('alpha', 'trial')
    """
    grids = distribution_grids(problem, margins, probabilities)
    plan = make_plan(problem, alpha, d, trials, seed, test_samples, normalise_teacher, grids=grids, scores=bool(scores))
    done: list[dict[str, FloatArray]] = []
    try:
        for trial in track(range(plan.trials), "simulating", progress):
            done.append(_trial(plan, trial))
    except KeyboardInterrupt:
        raise Interrupted(_collect(plan, done) if done else None) from None
    result = _collect(plan, done)
    warn_unconverged(result)
    return result


def _trial(plan: Plan, trial: int) -> dict[str, FloatArray]:
    teacher = plan.teacher(trial)
    total = int(plan.n[-1])
    rng = np.random.default_rng((plan.seed, trial, FEATURES))
    group = students(plan.problem, plan.d, total, teacher.rows, rng)
    y, uniforms = np.empty(total), np.random.default_rng((plan.seed, trial, WEIGHTS)).random(total)
    for start, stop in blocks(total):
        x, _, y[start:stop] = teacher.block(TRAIN, start, stop)
        for student in group:
            student.take(x, start, stop)
    learners = plan.problem.learners
    shape = (len(learners), plan.n.size)
    out = {name: np.full(shape, np.nan) for name in MEASURED}
    fits: list[list[Any]] = [[] for _ in group]
    for i, n in enumerate(plan.n):
        for student, found in zip(group, fits, strict=True):
            sample = student.sample(y, int(n))
            sample.uniforms = uniforms[:n]
            for k in student.learners:
                fit = learners[k].fit(sample, plan.equivalents[k], np.random.default_rng((plan.seed, trial, FIT, int(n))))
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


def _respond(prediction: FloatArray, fits: list[Any]) -> FloatArray:
    """Predicted labels from predicted fields, one column for each fit."""
    if all(getattr(fit, "response", None) is None for fit in fits):
        return prediction
    return np.stack([column if fit.response is None else fit.response(column) for column, fit in zip(prediction.T, fits, strict=True)], 1)


def _measure(plan: Plan, teacher: Teacher, group: list[Student], fits: list[list[Any]]) -> dict[str, Any]:
    """Stream the test rows once for all students, learners and sample sizes."""
    batches = [student.batch(found) for student, found in zip(group, fits, strict=True)]
    intercepts = np.array([fit.intercept for found in fits for fit in found])
    sums = {name: np.zeros(intercepts.size) for name in ("test_error", "clean_error", "field", "square", "product")}
    field_sum = 0.0
    wanted = plan.scores or any(hasattr(learner, "loss") for learner in plan.problem.learners)
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


def _collect(plan: Plan, done: list[dict[str, FloatArray]]) -> xr.Dataset:
    several = isinstance(plan.problem.learner, tuple)
    dims = ("learner", "alpha") if several else ("alpha",)
    variables: dict[str, tuple[tuple[str, ...], Any]] = {}
    silent = ("lam", "status", "steps", "residual")
    for name in (name for name in done[0] if name != "offset"):
        values = np.stack([trial[name] for trial in done], axis=-1)
        values = values if several else values[0]
        own = (*dims, DISTRIBUTIONS[name]) if name in DISTRIBUTIONS else dims
        variables[name] = ((*own, "trial"), values)
        if name not in silent:
            variables[f"{name}_mean"] = (own, values.mean(axis=-1))
            spread = values.std(axis=-1, ddof=1) / np.sqrt(len(done)) if len(done) > 1 else np.full(values.shape[:-1], np.nan)
            variables[f"{name}_stderr"] = (own, spread)
    variables["offset"] = (("trial",), np.array([float(trial["offset"][0]) for trial in done]))
    call = {
        "d": plan.d,
        "trials": len(done),
        "seed": plan.seed,
        "test_samples": plan.test,
        "normalise_teacher": plan.normalise,
        **({"scores": True} if plan.scores else {}),
        **{f"{name[:-1] + 'ies' if name.endswith('y') else name + 's'}": values.tolist() for name, values in plan.grids.items()},
    }
    attributes = provenance(plan.problem, "simulate", call) | {
        "source": "simulation",
        "d": plan.d,
        "widths": list(plan.problem.target.widths_at(plan.d)) or [0],
        **({"features": str(plan.problem.features)} if plan.problem.features is not None else {}),
        "seed": plan.seed,
        "test_samples": plan.test,
        "normalise_teacher": int(plan.normalise),
    }
    coordinates: dict[str, Any] = {"alpha": plan.n / plan.d, "trial": np.arange(len(done)), "n": ("alpha", plan.n)}
    coordinates |= plan.grids
    if several:
        coordinates["learner"] = [learner.label for learner in plan.problem.learners]
    return dataset(variables, coordinates, attributes)
