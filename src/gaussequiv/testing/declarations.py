"""Whether what a learner declares about itself is true: the second half of `check_learner`."""

from __future__ import annotations

from typing import Any

import numpy as np

from gaussequiv.curve import BOOKKEEPING, Curve, Observable
from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.targets.deep_network import DeepNetwork
from gaussequiv.learners.base import Learner, as_predictor
from gaussequiv.learners.convex.observables import DISTRIBUTIONS
from gaussequiv.learners.convex.ridge import Ridge
from gaussequiv.learners.observables import PROBABILITIES, RANKING
from gaussequiv.numerics.status import Status
from gaussequiv.problems.supervised.description import Problem
from gaussequiv.samples.measured_rows import MeasuredRows
from gaussequiv.samples.training_sample import TrainingSample
from gaussequiv.testing.contract import close, require

_POINTS = np.array([0.7, 2.0])
_MARGINS = np.array([-1.0, 0.0, 0.5, 2.0])
_STEP = 1e-3  # relative, of the slope that a sensitivity is compared with


def check_declarations(learner: Learner, target: Any, seed: int) -> None:
    """Check `words`, `tunable`, `gives`, `risk` and `is_bayes_optimal` of a learner on a target that it can learn."""
    words = all(isinstance(value, Observable) for value in learner.words.values())
    require(words, learner, "`words` holds something else than Observables.", "Map names to gaussequiv.curve.Observable.")
    _tunable(learner)
    problem = Problem(target, learner=learner)
    _measured(learner, target, seed)
    if learner.gives.sensitivities:
        _slope(learner, problem)
    if learner.risk is not None:
        _risk(learner, target, seed)
    if learner.is_bayes_optimal:
        best = Problem(target, learner=Ridge("optimal")).theory(_POINTS)["test_error"]
        found = problem.theory(_POINTS)["test_error"]
        mend = "Declare `is_bayes_optimal` of the posterior mean of the target's own law alone."
        wrong = f"the error {found.tolist()} is above that of the best ridge, {best.tolist()}."
        require(bool(np.all(found <= best * (1 + 1e-9))), learner, wrong, mend)
    declared = learner.gives
    if target.channel.task != "classification" and (declared.ranking or declared.probabilities or declared.margins):
        target = DeepNetwork("erf", noise=0.1, task="classification")
        _measured(learner, target, seed)
    if target.channel.task == "classification":
        _label_scores(learner, Problem(target, learner=learner))


def _tunable(learner: Learner) -> None:
    for name, one in learner.tunable.items():
        value = one.value
        if isinstance(value, str):
            continue
        wrong = f"`tunable` gives {name}={value:g} outside of its range [{one.range.low:g}, {one.range.high:g}]."
        require(one.range.low <= value <= one.range.high, learner, wrong, "Give the value that it has, and all that it may have.")
        inside = one.range.low + 0.5 * (min(one.range.high, max(value, one.range.low + 1)) - one.range.low)
        changed = learner.with_hyperparameter(name, inside).tunable[name].value
        wrong = f"`with_hyperparameter({name!r}, {inside:g})` has {name}={changed}."
        require(changed == inside, learner, wrong, "Return the same learner with this number replaced.")


def _slope(learner: Learner, problem: Problem) -> None:
    found = problem.theory(_POINTS, sensitivity=("alpha",))
    name = "d_test_error_d_alpha"
    mend = "Write `sensitivity`, or declare gives = Gives(sensitivities=False)."
    require(name in found, learner, f"`sensitivity` gives no {name}.", mend)
    above, below = (problem.theory(_POINTS * (1 + sign * _STEP))["test_error"] for sign in (1, -1))
    slope = (above - below) / (2 * _STEP * _POINTS)
    allowed = 1e-3 * (np.abs(slope) + found["test_error"] / _POINTS)
    close(learner, found[name], slope, allowed, _POINTS, f"at alpha={{at}} {name} is {{found}}, but the curve's slope {{expected}}.", mend)


def _sample(target: Any, seed: int) -> tuple[FloatArray, FloatArray]:
    """Rows and labels of a linear teacher."""
    rng = np.random.default_rng((seed, 3))
    x = rng.standard_normal((90, 40))
    y = x @ rng.standard_normal(40) / np.sqrt(40) + 0.5 * rng.standard_normal(90)
    return x, np.where(y < 0, -1.0, 1.0) if target.channel.task == "classification" else y


def _risk(learner: Learner, target: Any, seed: int) -> None:
    """No small step from the fit lowers the declared risk."""
    loss, penalty, _, class_weight, sample_weight = learner.risk  # type: ignore[misc]
    if class_weight is not None or sample_weight is not None or penalty.root is not None:
        return  # weights and forms are those of the learner's own rows and dimension
    x, y = _sample(target, seed)
    equivalent = Problem(target, learner=learner).equivalent_of(learner)
    fit = as_predictor(learner.fit(TrainingSample(x, y, uniforms=np.full(y.size, 0.5)), equivalent, np.random.default_rng((seed, 4))))
    root = np.sqrt(x.shape[1])
    minimised = loss if fit.loss is None else fit.loss

    def objective(w: FloatArray, c: float) -> float:
        return float(np.sum(minimised.value(y, x @ w / root + c)) + fit.lam * penalty.value(w))

    if not np.isfinite(fit.lam) or fit.lam == 0 or fit.status != Status.converged:
        return
    rng, w = np.random.default_rng((seed, 5)), fit.coefficients * root
    least = objective(w, fit.intercept)
    free = learner.fits_intercept(equivalent)
    for _ in range(8):
        step = 1e-3 * rng.standard_normal(w.size + 1)
        other = objective(w + step[:-1], fit.intercept + step[-1] * free)
        wrong = f"a step away from its fit lowers the declared `risk` from {least:.10g} to {other:.10g}."
        require(other >= least - 1e-8 * (1 + abs(least)), learner, wrong, "Declare what `fit` minimises, or no risk.")


def _measured(learner: Learner, target: Any, seed: int) -> None:
    """`measure` gives what `measured` names, and a probability what it is."""
    x, y = _sample(target, seed)
    task = target.channel.task
    equivalent = Problem(target, learner=learner).equivalent_of(learner)
    sample = TrainingSample(x[:60], y[:60], uniforms=np.linspace(0.01, 0.99, 60))
    fit = as_predictor(learner.fit(sample, equivalent, np.random.default_rng((seed, 6))))
    rows = MeasuredRows(target.channel, y[60:], fit(x[60:]), x[:60], y[:60], np.linspace(0.01, 0.99, 60), x[60:], {})
    found, names = learner.measure(fit, rows), learner.measured(task)
    more = sorted(set(found) - set(names))
    require(not more, learner, f"`measure` gives {', '.join(more)}, which `measured` does not name.", "Name all that may be measured.")
    if task != "classification":
        return
    said = learner.probability(fit, rows.field, target.channel)
    declared = learner.gives.probabilities
    wrong = f"`probability` gives {'none' if said is None else 'one'}, but gives.probabilities is {declared}."
    require((said is not None) == declared, learner, wrong, "Declare what is true.")
    if said is not None:
        _between(learner, "probability", said)
    for name in (*RANKING, *PROBABILITIES):
        if name in found and name != "log_loss":
            _between(learner, name, found[name])


def _between(learner: Learner, name: str, values: Any) -> None:
    values = np.asarray(values, dtype=float)
    known = values[~np.isnan(values)]
    wrong = f"`{name}` reaches from {known.min(initial=0.0):g} to {known.max(initial=1.0):g}."
    require(bool(np.all((known >= 0) & (known <= 1))), learner, wrong, "It lies between 0 and 1.")
    require(known.size > 0, learner, f"`{name}` is nan everywhere.", "Declare only what is given.")


def _label_scores(learner: Learner, problem: Problem) -> None:
    """On labels: rankings and probabilities where declared and nowhere else, and distributions of margins that are distributions."""
    plain, scored = problem.theory(_POINTS), problem.theory(_POINTS, scores=True)
    for group, declared in ((RANKING, learner.gives.ranking), (PROBABILITIES, learner.gives.probabilities)):
        for name in group:
            there = name in scored
            wrong = f"with scores=True its curve has {'' if there else 'no '}`{name}`, against what `gives` declares."
            require(there == declared, learner, wrong, "Declare what is true, and write `label_scores`.")
            asked = not (learner.gives.unasked and declared)
            wrong = f"without scores=True its curve has no `{name}`, but it declares gives.unasked."
            require(asked or name in plain, learner, wrong, "Declare what is true.")
            if there and name != "log_loss":
                _between(learner, name, scored[name])
    if learner.gives.margins:
        require(
            learner.risk is not None, learner, "it gives margins, but declares no `risk`.", "They follow from the risk that it minimises."
        )
        _margins(learner, problem.theory(_POINTS, margins=_MARGINS))


def _margins(learner: Learner, curve: Curve) -> None:
    for name in (name for name in DISTRIBUTIONS if name in curve and name not in BOOKKEEPING):
        _between(learner, name, curve[name])
        falls = float(np.diff(curve[name], axis=1).min(initial=0.0))
        require(falls >= -1e-12, learner, f"`{name}` falls by {-falls:g} between two margins.", "A distribution function rises.")
