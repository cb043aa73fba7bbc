"""`track`: message passing on true data, step by step beside state evolution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from gaussequiv.algorithms.message_passing.gamp import GAMP, State, as_predictor, equivalent_prior, machine_for, side_information
from gaussequiv.algorithms.message_passing.state_evolution import StateEvolution, start_precision
from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import FloatArray, choice, fail, grid, integer, number
from gaussequiv.numerics.keys import FEATURES, SIDE_INFORMATION, TEST, TRAIN
from gaussequiv.numerics.status import Status
from gaussequiv.problems.supervised.description import ALPHA_MEANING, Problem
from gaussequiv.problems.supervised.students import students
from gaussequiv.problems.supervised.teacher import Plan, Teacher, blocks, make_plan
from gaussequiv.results import dataset
from gaussequiv.run.compare import LARGEST_ALLOWANCE, judge
from gaussequiv.run.finite_size import committed_allowance
from gaussequiv.run.progress import track as bar
from gaussequiv.run.solve import provenance
from gaussequiv.samples.training_sample import TrainingSample

if TYPE_CHECKING:
    import xarray as xr

# |c| + 2 standard errors of fits mean/theory - 1 = c/d over d = 50, 100, 200 (256, 128, 64 teachers, steps 0 to 8, alpha = 0.5, 2, 5,
# depth 0 and 2, both tasks, isotropic and power-law inputs) are at most this at every step
STEP_CONSTANT = 2.9
MEASURED = ("test_error", "q", "m", "V")


def track(
    problem: Problem,
    alpha: ArrayLike,
    *,
    d: int | None = None,
    trials: int = 16,
    steps: int = 10,
    start: str | float = "uninformed",
    variances: str = "scalar",
    seed: int = 0,
    test_samples: int | None = None,
    normalise_teacher: bool = False,
    allowance: float | None = None,
    progress: bool | None = None,
) -> xr.Dataset:
    r"""Run undamped GAMP, tuned to the target's Gaussian equivalent, on the true target's data, beside state evolution at every step.

        theory:      q_{t+1} = mean E[eta(A_t)^2],   A_t = alpha E_omega Sum_y Z g^2   (`StateEvolution`, at the simulation's n/d)
        simulation:  `GAMP` on rows and labels of deep networks (or linear targets), measured on fresh rows

    Parameters
    ----------
    problem : Problem
        Its target and inputs; the learner is the Bayes-optimal one.
    alpha : float, positive
        n/d, one number; n = round(alpha d).
    d, trials, seed, test_samples, normalise_teacher, progress
        As in `simulate`, with the same teachers, rows and labels.
    steps : int
        Number of steps, each of which passes the data once; step 0 is the start.
    start : {"uninformed", "informed"} or float
        "uninformed": the prior. A number: every weight of a linear target is first seen in Gaussian noise at this signal-to-noise ratio, in
        theory and simulation; "informed" is 1e4. Needed where the prior is a fixed point (labels that are even in the field).
    variances : {"scalar", "vector"}
        As in `GAMP`; state evolution is the same.
    allowance : float, optional
        Finite-size constant c: the mean may differ from theory by c/d of the theory's value (at most 5%) at every step. By default the
        committed constant of the Bayes-optimal learner of this family (`compare`), at least 2.9, to which earlier steps were fitted.

    Returns
    -------
    Dataset with dims (source, step), source = theory, simulation
        test_error, q (variance of the estimated field), m (its covariance with the target's), V (variance left unknown), each with _stderr;
        z and allowance (step) of the test error; attrs `verdict` and `reason`, as in `compare`.

    Raises
    ------
    ArgumentError
        For learners other than `BayesOptimal()`, and informed starts on deep targets, whose equivalent weights are not known.

    Validity: see `GAMP` and `StateEvolution`. In the limit each step is exact; at finite d the deviation grows with the number of steps.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> problem = ge.Problem(ge.DeepNetwork("tanh", task="classification"))
    >>> run = track(problem, 2.0, d=40, trials=3, steps=4)
    >>> run.test_error.dims, run.sizes["step"]
    (('source', 'step'), 5)
    """
    learner = problem.learners[0]
    if len(problem.learners) != 1 or learner.name != "bayes" or getattr(learner, "assumes", None) is not None:
        raise fail(
            "problem", "a problem whose learner is BayesOptimal(), which message passing computes", [x.label for x in problem.learners]
        )
    steps = integer("steps", steps, minimum=1, meaning="It is the number of passes over the data.")
    choice("variances", variances, ("scalar", "vector"))
    points = grid("alpha", alpha, meaning=ALPHA_MEANING)
    if points.size != 1:
        raise fail(
            "alpha", "one number, as steps are followed at one sample size (call `track` once for each)", points.tolist(), ALPHA_MEANING
        )
    if allowance is not None:
        allowance = number("allowance", allowance, nonnegative=True, meaning="It is c in the finite-size allowance c/d.")
    ratio = start_precision(start)
    if ratio > 0 and problem.target.depth > 0:
        raise fail("start", "'uninformed' for a deep target, whose equivalent weights are not known", start)
    plan = make_plan(problem, points, d, trials, seed, test_samples, normalise_teacher)
    equivalent = plan.equivalents[0]
    theory = StateEvolution(equivalent, float(plan.n[0] / plan.d)).path(steps, ratio)
    done = [_trial(plan, equivalent, t, steps, ratio, variances) for t in bar(range(plan.trials), "tracking", progress)]
    return _collect(plan, equivalent, theory, done, {"steps": steps, "start": start, "variances": variances, "allowance": allowance})


def _trial(plan: Plan, e: GaussianEquivalent, trial: int, steps: int, ratio: float, variances: str) -> dict[str, FloatArray]:
    teacher, n = plan.teacher(trial), int(plan.n[0])
    student = students(plan.problem, plan.d, n, teacher.rows, np.random.default_rng((plan.seed, trial, FEATURES)))[0]
    y = np.empty(n)
    for begin, stop in blocks(n):
        x, _, y[begin:stop] = teacher.block(TRAIN, begin, stop)
        student.take(x, begin, stop)
    sample = student.sample(y, n)
    machine, back = machine_for(sample, e, e.has_offset, variances=variances, damping=1.0)
    state = machine.init() if ratio == 0 else machine.init(*_told(plan, e, machine, teacher, sample, trial, ratio))
    path = [state]
    for _ in range(steps):
        path.append(machine.step(path[-1]))
    return _measure(plan, machine, path, back, sample, teacher)


def _told(
    plan: Plan, e: GaussianEquivalent, machine: GAMP, teacher: Teacher, sample: TrainingSample, trial: int, ratio: float
) -> tuple[FloatArray, FloatArray]:
    """Posterior means and variances given side information on a linear target's weights, in whitened coordinates."""
    d = plan.d
    w = np.ones(d) if sample.variances is None else sample.variances
    zero = teacher.network(np.zeros((1, d)))[0]
    theta = np.sqrt(d) * (teacher.network(np.eye(d)) - zero)
    if sample.rotation is not None:
        theta = sample.rotation.T @ theta
    theta = (np.sqrt(w) * theta)[w > 0] if sample.rotation is not None else np.sqrt(w) * theta
    law = equivalent_prior(e, w[w > 0] if sample.rotation is not None else w)
    return side_information(law, theta, ratio, np.random.default_rng((plan.seed, trial, SIDE_INFORMATION)))


def _measure(
    plan: Plan, machine: GAMP, path: list[State], back: FloatArray | None, sample: TrainingSample, teacher: Teacher
) -> dict[str, FloatArray]:
    """Stream the test rows once for all steps."""
    fits = [as_predictor(machine, state, Status.converged, back, sample, plan.d) for state in path]
    coefficients, intercepts = np.column_stack([fit.coefficients for fit in fits]), np.array([fit.intercept for fit in fits])
    channel, spread = machine.channel, np.array([fit.variance for fit in fits])
    predict = getattr(channel, "predict", None) if channel.task == "regression" else None
    wrong, product, total, field_sum = np.zeros(len(fits)), np.zeros(len(fits)), np.zeros(len(fits)), 0.0
    for begin, stop in blocks(plan.test):
        x, field, y = teacher.block(TEST, begin, stop)
        centred = x @ coefficients
        omega = centred + intercepts
        prediction = omega if predict is None else predict(omega, np.broadcast_to(spread, omega.shape))
        wrong += plan.loss(y[:, None], prediction).sum(axis=0)
        product, total, field_sum = product + field @ centred, total + centred.sum(axis=0), field_sum + float(field.sum())
    out = {name: np.array([machine.observe(state)[name] for state in path]) for name in ("q", "V", "change")}
    status = np.where(np.isfinite(out.pop("change")) | (np.arange(len(path)) == 0), Status.converged, Status.nonfinite)
    m = product / plan.test - total / plan.test * field_sum / plan.test
    return out | {"test_error": wrong / plan.test, "m": m, "status": status.astype(float)}


def _collect(
    plan: Plan, e: GaussianEquivalent, theory: dict[str, FloatArray], done: list[dict[str, FloatArray]], options: dict[str, Any]
) -> xr.Dataset:
    learner, alpha = plan.problem.learners[0], float(plan.n[0] / plan.d)
    given = options["allowance"]
    fitted = getattr(e, "prior", None) is None  # the fits were made with Gaussian weights
    committed = committed_allowance(plan.problem, e, learner, plan.d, alpha, np.nan) if fitted else np.nan
    constant = float(np.maximum(committed, STEP_CONSTANT)) if given is None else given  # nan stays
    variables: dict[str, tuple[tuple[str, ...], Any]] = {}
    means, errors = {}, {}
    for name in MEASURED:
        values = np.stack([one[name] for one in done])
        spread = values.std(axis=0, ddof=1) / np.sqrt(len(done)) if len(done) > 1 else np.full(values.shape[1], np.nan)
        means[name], errors[name] = values.mean(axis=0), spread
        variables[name] = (("source", "step"), np.stack([theory[name], means[name]]))
        variables[f"{name}_stderr"] = (("source", "step"), np.stack([np.zeros_like(spread), spread]))
    value, mean, stderr = theory["test_error"], means["test_error"], errors["test_error"]
    allowed = np.minimum(constant / plan.d, LARGEST_ALLOWANCE) * value
    status = np.max([one["status"] for one in done], axis=0)
    verdict = judge(value, mean, stderr, allowed, plan.trials, status == Status.converged)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (mean - value) / stderr
    variables |= {"z": (("step",), z), "allowance": (("step",), allowed), "status": (("step",), status)}
    call = {
        "d": plan.d,
        "trials": plan.trials,
        "seed": plan.seed,
        "test_samples": plan.test,
        "normalise_teacher": plan.normalise,
    }
    attributes = provenance(plan.problem, "track", call | options) | {
        "source": "theory and simulation",
        "n": int(plan.n[0]),
        "d": plan.d,
        "widths": list(plan.problem.target.widths_at(plan.d)) or [0],
        "seed": plan.seed,
        "test_samples": plan.test,
        "normalise_teacher": int(plan.normalise),
        "trials": plan.trials,
        **verdict._asdict(),
    }
    return dataset(variables, {"source": ["theory", "simulation"], "step": np.arange(value.size), "alpha": ((), alpha)}, attributes)


__all__ = ["track"]
