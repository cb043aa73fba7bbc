"""`MessagePassing`: GAMP at one sample size, step by step beside its state evolution, as a problem whose axis is the step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from gaussequiv.algorithms.message_passing.gamp import GAMP, GampState
from gaussequiv.algorithms.message_passing.sample_fit import machine_for, state_predictor
from gaussequiv.algorithms.message_passing.scaled_prior import equivalent_prior
from gaussequiv.algorithms.message_passing.start import side_information
from gaussequiv.algorithms.message_passing.state_evolution import StateEvolution, start_precision
from gaussequiv.curve import Curve, Observable
from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import ArgumentError, FloatArray, array, choice, fail, grid
from gaussequiv.ingredients.channels.base import RealLabel
from gaussequiv.learners.bayes.observables import BAYES
from gaussequiv.numerics.keys import FEATURES, SIDE_INFORMATION, TEST, TRAIN
from gaussequiv.numerics.status import Status
from gaussequiv.problems.base import Axis, Key, Solvable
from gaussequiv.problems.supervised.allowance import committed_allowance
from gaussequiv.problems.supervised.axis import ALPHA, ALPHA_MEANING, WORDS
from gaussequiv.problems.supervised.students import students
from gaussequiv.problems.supervised.teacher import Teacher, TrialPlan, blocks, make_plan
from gaussequiv.samples.training_sample import TrainingSample

if TYPE_CHECKING:
    from gaussequiv.problems.supervised.description import Problem

# |c| + 2 standard errors of fits mean/theory - 1 = c/d over d = 50, 100, 200 (256, 128, 64 teachers, steps 0 to 8, alpha = 0.5, 2, 5,
# depth 0 and 2, both tasks, isotropic and power-law inputs) are at most this at every step
STEP_CONSTANT = 2.9
OBSERVED = ("test_error", "q", "m", "V")
LABELS = BAYES | WORDS | {"step": Observable("passes over the data"), "V": Observable("variance left unknown", "output units squared")}


@dataclass(frozen=True, eq=False)
class MessagePassing(Solvable):
    r"""Undamped GAMP, tuned to the target's Gaussian equivalent, on the true target's data.

        theory:  q_{t+1} = mean E[eta(A_t)^2],   A_t = alpha E_omega Sum_y Z g^2   (`StateEvolution`, at the trial's n/d)
        trial:   `GAMP` on rows and labels of deep networks (or linear targets), measured on fresh rows

    Parameters
    ----------
    problem : Problem
        Its learner is `BayesOptimal()`.
    alpha : float, positive
    d : int
    start, variances : as in `track`
    test_samples, normalise_teacher : as in `simulate`

    Validity: see `GAMP` and `StateEvolution`. In the limit each step is exact; at finite d the deviation grows with the number of steps.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> steps = ge.Problem(ge.DeepNetwork("tanh", task="classification")).algorithm(2.0, 40)
    >>> steps.axis.name, steps.theory([0, 1, 2])["test_error"].round(4).tolist()
    ('step', [0.5, 0.2485, 0.2186])
    """

    problem: Problem
    alpha: float
    d: int | None = None
    start: str | float = "uninformed"
    variances: str = "scalar"
    test_samples: int | None = None
    normalise_teacher: bool = False
    plan: TrialPlan = field(init=False, repr=False)
    ratio: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.problem.axis != ALPHA:
            raise fail("problem", "a supervised Problem, for the steps of message passing", self.problem)
        learners = self.problem.learners
        if len(learners) != 1 or not learners[0].is_bayes_optimal:
            raise fail(
                "problem", "a problem whose learner is BayesOptimal(), which message passing computes", [one.label for one in learners]
            )
        choice("variances", self.variances, ("scalar", "vector"))
        points = grid("alpha", self.alpha, meaning=ALPHA_MEANING)
        if points.size != 1:
            raise fail(
                "alpha", "one number, as steps are followed at one sample size (call `track` once for each)", points.tolist(), ALPHA_MEANING
            )
        ratio = start_precision(self.start)
        if ratio > 0 and self.problem.target.depth > 0:
            raise fail("start", "'uninformed' for a deep target, whose equivalent weights are not known", self.start)
        object.__setattr__(self, "ratio", ratio)
        object.__setattr__(self, "plan", make_plan(self.problem, points, self.d, self.test_samples, self.normalise_teacher))

    @property
    def axis(self) -> Axis:
        """Passes over the data."""
        return Axis("step", "passes over the data")

    @property
    def equivalent(self) -> GaussianEquivalent:
        """What the algorithm is tuned to."""
        return self.plan.equivalents[0]

    def theory(self, points: ArrayLike | None, size: int | None = None) -> Curve:
        """State evolution at every step; the algorithm's own d."""
        steps = self._steps(points)
        found = StateEvolution(self.equivalent, float(self.plan.n[0] / self.plan.d)).path(int(steps.max()), self.ratio)
        return Curve(
            {name: found[name][steps] for name in OBSERVED},
            labels=LABELS,
            coordinates=self._coordinates(steps),
            attributes={"task": self.problem.task},
            citations=("rangan2011",),
            judged="test_error",
            allowance=np.full(steps.size, self._constant() / self.plan.d),
        )

    def _constant(self) -> float:
        e = self.equivalent
        if e.prior is not None:  # the fits were made with Gaussian weights
            return float("nan")
        alpha = float(self.plan.n[0] / self.plan.d)
        return float(np.maximum(committed_allowance(self.problem, e, self.problem.learners[0], self.plan.d, alpha, np.nan), STEP_CONSTANT))

    def _steps(self, points: ArrayLike | None) -> Any:
        steps = array("step", points if points is not None else [], ndim=1)
        if steps.size == 0 or np.any(steps < 0) or np.any(steps != np.rint(steps)):
            raise fail("step", "non-negative integers, the passes over the data", steps.tolist())
        return steps.astype(int)

    def _coordinates(self, steps: Any) -> dict[str, Any]:
        return {"step": steps, "alpha": ((), float(self.plan.n[0] / self.plan.d))}

    def trial(self, points: ArrayLike, size: int | None, key: Key) -> Curve:
        """The algorithm on one draw of the data, measured on fresh rows after every step."""
        steps = self._steps(points)
        plan, e = self.plan, self.equivalent
        teacher, n = plan.teacher(key), int(plan.n[0])
        student = students(plan.problem, plan.d, n, teacher.rows, np.random.default_rng((*key, FEATURES)))[0]
        y = np.empty(n)
        for begin, stop in blocks(n):
            x, _, y[begin:stop] = teacher.block(TRAIN, begin, stop)
            student.take(x, begin, stop)
        sample = student.sample(y, n)
        machine, back = machine_for(sample, e, e.has_offset, variances=self.variances, damping=1.0)
        state = machine.init() if self.ratio == 0 else machine.init(*self._told(machine, teacher, sample, key))
        path = [state]
        for _ in range(int(steps.max())):
            path.append(machine.step(path[-1]))
        measured = measure(plan, machine, path, back, sample, teacher)
        return Curve(
            {name: values[steps] for name, values in measured.items()},
            labels=LABELS,
            coordinates=self._coordinates(steps),
            attributes={
                "task": self.problem.task,
                "n": n,
                "d": plan.d,
                "widths": list(plan.problem.target.widths_at(plan.d)) or [0],
                "test_samples": plan.test,
                "normalise_teacher": int(plan.normalise),
            },
            judged="test_error",
        )

    def _told(self, machine: GAMP, teacher: Teacher, sample: TrainingSample, key: Key) -> tuple[FloatArray, FloatArray]:
        """Posterior means and variances given side information on a linear target's weights, in whitened coordinates."""
        d, e = self.plan.d, self.equivalent
        w = np.ones(d) if sample.variances is None else sample.variances
        zero = teacher.network(np.zeros((1, d)))[0]
        theta = np.sqrt(d) * (teacher.network(np.eye(d)) - zero)
        if sample.rotation is not None:
            theta = sample.rotation.T @ theta
        theta = (np.sqrt(w) * theta)[w > 0] if sample.rotation is not None else np.sqrt(w) * theta
        law = equivalent_prior(e, w[w > 0] if sample.rotation is not None else w)
        return side_information(law, theta, self.ratio, np.random.default_rng((*key, SIDE_INFORMATION)))

    def to_dict(self) -> dict[str, Any]:
        """The problem with what the algorithm was given."""
        own = {"alpha": float(np.ravel(self.alpha)[0]), "d": self.plan.d, "start": self.start, "variances": self.variances}
        own |= {"test_samples": self.plan.test, "normalise_teacher": self.plan.normalise}
        return {"kind": "supervised.message_passing", "problem": self.problem.to_dict(), **own}

    def citations(self) -> tuple[str, ...]:
        """Those of the problem."""
        return self.problem.citations()


def from_dict(description: Mapping[str, Any], problem: Problem) -> MessagePassing:
    """The steps of a problem again, from `MessagePassing.to_dict`."""
    own = {key: value for key, value in description.items() if key not in ("kind", "problem")}
    try:
        return MessagePassing(problem, **own)
    except TypeError as error:
        raise ArgumentError(f"Argument `problem` must describe the steps of message passing, but does not: {error}.") from None


def measure(
    plan: TrialPlan, machine: GAMP, path: list[GampState], back: FloatArray | None, sample: TrainingSample, teacher: Teacher
) -> dict[str, FloatArray]:
    """Stream the test rows once for all steps."""
    fits = [state_predictor(machine, state, Status.converged, back, sample, plan.d) for state in path]
    coefficients, intercepts = np.column_stack([fit.coefficients for fit in fits]), np.array([fit.intercept for fit in fits])
    channel, spread = machine.channel, np.array([fit.variance for fit in fits])
    wrong, product, total, field_sum = np.zeros(len(fits)), np.zeros(len(fits)), np.zeros(len(fits)), 0.0
    for begin, stop in blocks(plan.test):
        x, field, y = teacher.block(TEST, begin, stop)
        centred = x @ coefficients
        omega = centred + intercepts
        prediction = channel.predict(omega, np.broadcast_to(spread, omega.shape)) if isinstance(channel, RealLabel) else omega
        wrong += plan.loss(y[:, None], prediction).sum(axis=0)
        product, total, field_sum = product + field @ centred, total + centred.sum(axis=0), field_sum + float(field.sum())
    out = {name: np.array([machine.observe(state)[name] for state in path]) for name in ("q", "V", "change")}
    status = np.where(np.isfinite(out.pop("change")) | (np.arange(len(path)) == 0), Status.converged, Status.nonfinite)
    m = product / plan.test - total / plan.test * field_sum / plan.test
    return {"test_error": wrong / plan.test, "q": out["q"], "m": m, "V": out["V"], "status": status.astype(float)}
