"""`solve`: exact curves; `samples_for`: the inverse question."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from gaussequiv.curve import Curve
from gaussequiv.errors import FloatArray, UnreachableError, fail, number
from gaussequiv.learners.base import curve_of
from gaussequiv.problems.base import Solvable
from gaussequiv.problems.supervised.description import Problem
from gaussequiv.problems.supervised.theory import alpha_points
from gaussequiv.run.provenance import along, read_call, result_of, warn_unconverged

if TYPE_CHECKING:
    import xarray as xr


def solve(problem: Solvable, points: Any = None, *, size: int | None = None, **options: Any) -> xr.Dataset:
    """The exact curve of a problem along its axis: for supervised ones in the limit n, d -> infinity at fixed alpha = n/d.

    Parameters
    ----------
    problem : Problem, or anything solvable (`gaussequiv.problems.base.Solvable`)
    points : array of shape (points,)
        Points of the problem's axis; the axis's own name does as well: ``solve(problem, alpha=[1.0, 2.0])``.
    size : int, optional
        Theory at the moments of this size instead of their limit; under its own name, for supervised problems `d`.
    options
        What the problem's `theory` declares. Supervised: n, sensitivity, margins, probabilities, scores (see `Problem.theory`).

    Returns
    -------
    Dataset with dims (axis,), or (learner, axis) for several learners; whoever computed an observable documents it: a learner's or the
    problem's docstring. `status`, `steps` and `residual` stand beside them; one `ConvergenceWarning` counts the points that did not
    converge, whose numbers are nan (or infinite, where that is the answer).

    Raises
    ------
    ArgumentError : a value is out of range, or an option that the problem does not have.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> curve = ge.solve(ge.Problem(target=ge.DeepNetwork("erf")), alpha=[1.0, 2.0])
    >>> curve.sizes["alpha"]
    2
    """
    points, size, (asked,) = read_call(problem, points, size, options, "theory")
    curve = along(problem, problem.theory(points, size, **asked), points).only_solved()
    arguments = {problem.axis.size: size} | {name: value for name, value in asked.items() if name not in curve.resolved and name != "n"}
    result = result_of(problem, curve, "solve", arguments, {"source": "theory"})
    warn_unconverged(result)
    return result


class SampleSize(NamedTuple):
    """alpha = n/d that reaches a target error, and n where d is known."""

    alpha: float
    n: int | None


def samples_for(problem: Problem, target_error: float, *, d: int | None = None, largest_alpha: float = 1e6) -> SampleSize:
    """How many samples reach a target error: the smallest alpha whose test error is at most `target_error`.

    Parameters
    ----------
    problem : Problem with one learner
    target_error : float
        In the units of `test_error`.
    d : int, optional
        Input dimension, for the number of samples and the spectrum at that size.
    largest_alpha : float
        Where the search ends.

    A target that the constant predictor meets needs no sample: alpha = 0. Curves that are not monotone (no or little
    regularisation) are searched for their first dip below the target.

    Raises
    ------
    UnreachableError : the curve stays above `target_error` up to `largest_alpha`, or cannot be solved where the search needs it.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> problem = ge.Problem(target=ge.DeepNetwork("tanh", depth=2, weight_variance=4))
    >>> round(ge.samples_for(problem, 0.24752256).alpha, 5)
    2.0
    """
    goal = number("target_error", target_error, positive=True)
    if len(problem.learners) != 1:
        raise fail("problem", "a problem with one learner", [learner.label for learner in problem.learners])
    last = number("largest_alpha", largest_alpha, positive=True)
    learner = problem.learners[0]
    _, _, d = alpha_points(problem, 1.0, None, d)
    d = d if d is not None else problem.inputs.dimension
    equivalent = problem.equivalent_of(learner, d)

    def excess(log_alpha: float) -> float:
        error = float(solved(np.array([log_alpha]))["test_error"][0])
        if np.isnan(error):
            raise UnreachableError(
                f"{learner.label} could not be solved at alpha={np.exp(log_alpha):g}, on the way to `target_error`={goal:g}."
            )
        return error - goal

    def solved(log_alphas: FloatArray) -> Curve:
        return curve_of(learner, equivalent, np.exp(log_alphas)).only_solved()

    points = np.linspace(np.log(1e-6), np.log(last), 241)
    curve = solved(points)
    known = ~np.isnan(curve["test_error"])
    if not known[0]:
        raise UnreachableError(f"{learner.label} could not be solved at alpha={np.exp(points[0]):g}, where the search begins.")
    points, errors = points[known], curve["test_error"][known]
    if errors[0] <= goal:
        return SampleSize(0.0, None if d is None else 0)
    first = _first_below(points, errors - goal, excess)
    if first is None:
        raise UnreachableError(
            f"Argument `target_error` must be above what {learner.label} reaches, but target_error={goal:g}: its test error at "
            f"alpha={np.exp(points[-1]):g} is {errors[-1]:.6g}, its floor for alpha -> infinity {curve['floor'][known][-1]:.6g}."
        )
    found = brentq(excess, *first, xtol=1e-14)
    alpha = float(np.exp(found))
    return SampleSize(alpha, None if d is None else int(np.ceil(alpha * d - 1e-9)))


def _first_below(points: FloatArray, values: FloatArray, excess: Callable[[float], float]) -> tuple[float, float] | None:
    """The first bracket in which the curve falls below the goal; dips between grid points are searched too."""
    for i in range(1, points.size):
        if values[i] <= 0:
            return float(points[i - 1]), float(points[i])
        if i + 1 < points.size and values[i] <= values[i - 1] and values[i] <= values[i + 1]:
            dip = minimize_scalar(excess, bounds=(points[i - 1], points[i + 1]), method="bounded", options={"xatol": 1e-9})
            if dip.fun <= 0:
                return float(points[i - 1]), float(dip.x)
    return None
