"""The exact curve of a supervised problem: every learner on its equivalent, with what was asked for beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from gaussequiv.curve import BOOKKEEPING, Curve, Observable, stack
from gaussequiv.errors import FloatArray, fail, grid
from gaussequiv.learners.base import Learner, curve_of
from gaussequiv.learners.convex.mean_intercept import warn_mean_intercept
from gaussequiv.learners.convex.observables import GRIDS
from gaussequiv.problems.supervised.allowance import allowances
from gaussequiv.problems.supervised.axis import ALPHA_MEANING, WORDS
from gaussequiv.problems.supervised.scored import DISTRIBUTIONS, distribution_grids

if TYPE_CHECKING:
    from gaussequiv.problems.supervised.description import Problem


def alpha_points(
    problem: Problem, alpha: ArrayLike | None, n: ArrayLike | None, d: int | None
) -> tuple[FloatArray, FloatArray | None, int | None]:
    """The checked points of a curve: alpha, the numbers of samples where those were given, and d."""
    d = problem.dimension_of(d)
    if (alpha is None) == (n is None):
        raise fail("alpha", "given, or n in its place", alpha, ALPHA_MEANING)
    if n is None:
        return grid("alpha", alpha, meaning=ALPHA_MEANING), None, d  # type: ignore[arg-type]
    samples = grid("n", n, meaning="n is the number of training samples.")
    d = d if d is not None else problem.dimension
    if d is None:
        raise fail("d", "given together with n", d, "d is the input dimension.")
    return samples / d, samples, d


def theory(
    problem: Problem,
    alpha: ArrayLike | None,
    d: int | None,
    n: ArrayLike | None,
    sensitivity: Sequence[str],
    margins: ArrayLike | None,
    probabilities: ArrayLike | None,
    scores: bool,
) -> Curve:
    """Dims ([learner,] alpha); see `Problem.theory`."""
    points, samples, d = alpha_points(problem, alpha, n, d)
    names = (sensitivity,) if isinstance(sensitivity, str) else tuple(sensitivity)
    grids = distribution_grids(problem, margins, probabilities)
    curve = _all(problem, points, d, names, grids, scores)
    _add_moments_errors(curve, problem, points, d)
    if isinstance(problem.learner, tuple):
        curve.coordinates["learner"] = [learner.label for learner in problem.learners]
    curve.coordinates |= {"alpha": points} | ({} if samples is None else {"n": ("alpha", samples)}) | grids
    curve.labels = WORDS | GRIDS | curve.labels
    curve.judged = "test_error"
    curve.attributes["task"] = problem.task
    if samples is not None:
        curve.attributes["d"] = d
    if d is not None:
        curve.allowance = allowances(problem, curve, points, d)
    curve.resolved = {
        "d": d,
        "scores": True if scores else None,
        "sensitivity": list(names) or None,
        "margins": grids["margin"].tolist() if "margin" in grids else None,
        "probabilities": grids["probability"].tolist() if "probability" in grids else None,
    }
    return curve


def _all(problem: Problem, alpha: FloatArray, d: int | None, names: tuple[str, ...], grids: dict[str, FloatArray], scores: bool) -> Curve:
    """The curves of all learners."""
    curves = [_one(problem, learner, alpha, d, names, grids, scores) for learner in problem.learners]
    return stack(curves, "learner") if isinstance(problem.learner, tuple) else curves[0]


def _add_moments_errors(curve: Curve, problem: Problem, alpha: FloatArray, d: int | None) -> None:
    """Standard errors of what other rows of the same law would say, by a grouped jackknife, where the inputs' moments are estimates.

    s.e.^2 = (G - 1)/G sum_g (value_g - mean)^2, value_g without the g-th of G groups of rows.
    """
    others = [_all(replace(problem, inputs=part), alpha, d, (), {}, False) for part in problem.inputs.jackknife()]
    if not others:
        return
    for name in [name for name in others[0] if name in curve and name not in curve.extra]:
        words = curve.labels.get(name, Observable(name))
        if name not in BOOKKEEPING and words.averaged:
            left_out = np.array([one[name] for one in others])
            spread = np.sum((left_out - left_out.mean(axis=0)) ** 2, axis=0)
            curve[f"{name}_moments_stderr"] = np.sqrt((len(others) - 1) / len(others) * spread)
            curve.labels[f"{name}_moments_stderr"] = Observable(f"standard error of the {words.label} from few rows of data", words.unit)


def _one(
    problem: Problem, learner: Learner, alpha: FloatArray, d: int | None, names: tuple[str, ...], grids: dict[str, FloatArray], scores: bool
) -> Curve:
    """The curve of one learner, with sensitivities, scores and distributions where they were asked for."""
    equivalent = problem.equivalent_of(learner, d)
    curve = curve_of(learner, equivalent, alpha)
    if (size := d if d is not None else problem.inputs.dimension) is not None:
        warn_mean_intercept(learner, equivalent, dict(curve), size)
    if names:
        from gaussequiv.learners.convex.sensitivity import curve_sensitivity

        curve.add(curve_sensitivity(learner, equivalent, alpha, names))
    if scores and problem.task == "classification":
        curve.add(learner.label_scores(equivalent, alpha, curve))
    if grids and learner.risk is not None:
        _add_distributions(curve, learner, equivalent, alpha, dict(grids))
    return curve


def _add_distributions(curve: Curve, learner: Learner, equivalent: Any, alpha: FloatArray, grids: dict[str, FloatArray]) -> None:
    """Distributions over rows, of learners that minimise a convex risk; a calibration curve needs one that gives probabilities."""
    from gaussequiv.learners.convex.distributions import curve_distributions

    if not learner.gives.probabilities:
        grids.pop("probability", None)
    found = curve_distributions(learner, equivalent, alpha, curve["lam"], grids.get("margin"), grids.get("probability"))
    curve.add({name: ((DISTRIBUTIONS[name],), array) for name, array in found.items()})
