"""`check_learner`: a learner's exact curve, its fits of finite samples, and whether what it declares is true."""

from __future__ import annotations

from typing import Any

import numpy as np

from gaussequiv.errors import ArgumentError, FloatArray
from gaussequiv.ingredients.targets.deep_network import DeepNetwork
from gaussequiv.learners.base import REQUIRED, Learner, Predictor, as_learner, as_predictor, curve_of
from gaussequiv.numerics.status import Status
from gaussequiv.problems.supervised.description import Problem
from gaussequiv.samples.training_sample import TrainingSample
from gaussequiv.testing.contract import ContractError, close, json_able, members, require
from gaussequiv.testing.declarations import check_declarations

_SIZE = 60
_TRIALS = 16
_POINTS = np.array([0.5, 1.5, 3.0])


def check_learner(learner: Any, target: Any = None, *, seed: int = 0) -> None:
    """Check that a learner keeps the contract `gaussequiv.learners.base.Learner`: its curves have their shape, its fits of true samples
    agree with them, and what it declares is true.

    Parameters
    ----------
    learner : Learner, or an object with `name`, `solve(equivalent, alpha)` and `fit(sample, equivalent, key)`
    target : DeepNetwork or LinearTarget, optional
        Default: a network with one hidden layer of erf and label noise 0.1; sign labels where the learner's loss is one of the margin.
    seed : int
        Of the 16 trials at d = 60.

    Raises
    ------
    ContractError : a member is missing, `to_dict` is not for JSON, an array has another shape than alpha, a point depends on its
        neighbours, a fit gives no predictor, or the mean test error of the trials differs from the theory at their d by more than 5
        standard errors plus 10/d of its value. Of the declarations: probabilities, rankings or distributions of margins outside [0, 1], or
        there without being declared; observables that are not in `measured`; a sensitivity that is not the curve's slope; a fit that does
        not minimise the declared risk; a Bayes-optimal learner above the best ridge; a number outside its range.

    Examples
    --------
    >>> from gaussequiv.learners.convex.ridge import Ridge
    >>> check_learner(Ridge(0.1))
    """
    members(learner, REQUIRED, "Learner in gaussequiv.learners.base")
    own, learner = learner, as_learner(learner)
    for name, value in (("name", learner.name), ("label", learner.label)):
        require(isinstance(value, str) and bool(value), own, f"`{name}` is {value!r}.", "Give a word for files and figures.")
    json_able(learner)
    if target is None:
        margin = learner.risk is not None and learner.risk.loss.kind == "margin"
        target = DeepNetwork("erf", noise=0.1, task="classification" if margin else "regression")
    problem = Problem(target, learner=learner)
    equivalent = problem.equivalent_of(learner)
    among = _curve(learner, equivalent, _POINTS)
    alone = _curve(learner, equivalent, _POINTS[1:2])
    wrong = "`solve` at alpha={at} gives {found} among other points, but {expected} alone."
    close(learner, among[1], alone[0], 1e-6 * (1 + np.abs(alone[0])), _POINTS[1], wrong, "A point must not depend on the others.")
    _fit(learner, equivalent, target.channel.task, seed)
    _agreement(learner, problem, seed)
    check_declarations(learner, target, seed)


def _curve(learner: Learner, equivalent: Any, alpha: FloatArray) -> FloatArray:
    try:
        curve = curve_of(learner, equivalent, alpha)
    except ArgumentError as told:
        raise ContractError(f"{type(learner).__name__}: `solve` gives no curve along alpha. {told}") from told
    for name in ("test_error", "status"):
        require(name in curve, learner, f"`solve` gives no `{name}`.", "Return at least `test_error` and `status` for every alpha.")
    for name, values in curve.items():
        wrong = f"`solve` gives `{name}` of shape {values.shape} for {alpha.size} alphas."
        require(values.shape[:1] == (alpha.size,), learner, wrong, "Return arrays along alpha.")
    error, status = curve["test_error"], curve["status"]
    bad = (status == Status.converged) & ~(np.isfinite(error) & (error >= 0))
    wrong = f"`test_error` is {error[bad][:1]} at alpha={alpha[bad][:1]}, whose status is converged."
    require(not np.any(bad), learner, wrong, "Give a point that cannot be solved nan and another `Status`.")
    require(bool(np.any(status == Status.converged)), learner, f"no point of alpha={alpha.tolist()} converged.", "See `status`.")
    return error


def _fit(learner: Learner, equivalent: Any, task: str, seed: int) -> None:
    rng = np.random.default_rng((seed, 1))
    x = rng.standard_normal((80, 40))
    y = x @ rng.standard_normal(40) / np.sqrt(40) + rng.standard_normal(80)
    y = np.where(y < 0, -1.0, 1.0) if task == "classification" else y
    mend = "Return a LinearPredictor of gaussequiv.samples.training_sample."

    def once() -> Predictor:
        sample = TrainingSample(x.copy(), y.copy(), uniforms=np.linspace(0.01, 0.99, 80))
        try:
            return as_predictor(learner.fit(sample, equivalent, np.random.default_rng((seed, 2))))
        except ArgumentError as error:
            raise ContractError(f"{type(learner).__name__}: {error} {mend}") from error

    fits = [once(), once()]
    first, second = (np.asarray(fit(x[:7])) for fit in fits)
    require(first.shape == (7,), learner, f"the predictor gives shape {first.shape} for 7 rows.", mend)
    wrong = "two fits of one sample with generators of the same seed predict {found} and {expected}."
    close(learner, first, second, 1e-9 * (1 + np.abs(second)), 0.0, wrong, "Draw from `key` alone.")


def _agreement(learner: Learner, problem: Problem, seed: int) -> None:
    points = _POINTS[1:]
    theory = problem.theory(points, _SIZE)["test_error"].reshape(points.size)
    trials = [problem.trial(points, _SIZE, (seed, t), test_samples=1000)["test_error"].reshape(points.size) for t in range(_TRIALS)]
    mean, stderr = np.mean(trials, axis=0), np.std(trials, axis=0, ddof=1) / np.sqrt(_TRIALS)
    allowed = 5 * stderr + 10 / _SIZE * np.abs(theory)
    wrong = f"at alpha={{at}} {_TRIALS} trials at d={_SIZE} have the mean test error {{found}}, but the theory says {{expected}}."
    mend = "More than 5 standard errors and 10/d apart: `solve` and `fit` are not of one learner; check factors of d in the penalty."
    close(learner, mean, theory, allowed, points, wrong, mend)
