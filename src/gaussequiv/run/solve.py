"""`solve`: exact curves; `samples_for`: the inverse question."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq, minimize_scalar

from gaussequiv.errors import ConvergenceWarning, FloatArray, UnreachableError, fail, grid, integer, number
from gaussequiv.numerics.status import Status
from gaussequiv.problems.supervised.description import ALPHA_MEANING, Problem
from gaussequiv.problems.supervised.scored import DISTRIBUTIONS, distribution_grids
from gaussequiv.results import dataset

if TYPE_CHECKING:
    import xarray as xr


def solve(
    problem: Problem,
    alpha: ArrayLike | None = None,
    *,
    n: ArrayLike | None = None,
    d: int | None = None,
    sensitivity: Sequence[str] = (),
    margins: ArrayLike | None = None,
    probabilities: ArrayLike | None = None,
    scores: bool = False,
) -> xr.Dataset:
    """Exact curve of a problem in the limit n, d -> infinity at fixed alpha = n/d.

    Parameters
    ----------
    problem : Problem
    alpha : array of shape (points,), positive
        Samples per input dimension. Or give `n` and `d`.
    n : array of shape (points,), optional
        Numbers of training samples; needs `d` (or inputs that fix it).
    d : int, optional
        Take the spectrum at this size instead of its limit.
    sensitivity : sequence of str
        Parameters in which to differentiate the curve: "lam", "alpha", "noise" (label noise), "effective_noise", "signal" (relative), or a
        number of the loss or penalty. The derivatives come as variables ``d_<observable>_d_<parameter>``.
    margins, probabilities : arrays, optional
        For ridge and convex learners on labels: also P(y z <= margin) on fresh and training rows (test_margin_cdf, train_margin_cdf) and
        P(y = +1 | predicted probability) (calibration; losses that give a probability).
    scores : bool
        On labels: also auc of ridge and auc, log_loss, brier, calibration_error of the Bayes-optimal predictive probability, which cost
        more than the curves themselves. Convex learners always have them.

    Returns
    -------
    Dataset with dims (alpha,), or (learner, alpha) for several learners; each learner's docstring lists the observables. `status`,
    `steps` and `residual` stand beside them; one `ConvergenceWarning` counts the points that did not converge.

    Raises
    ------
    ArgumentError : a value is out of range.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> curve = ge.solve(ge.Problem(target=ge.DeepNetwork("erf")), alpha=[1.0, 2.0])
    >>> curve.sizes["alpha"]
    2
    """
    check_problem(problem)
    alpha_grid, samples, d = alpha_points(problem, alpha, n, d)
    curves = [learner.solve(problem.equivalent_of(learner, d), alpha_grid) for learner in problem.learners]
    for curve in curves:
        bad = ~np.isfinite(curve["test_error"]) & (curve["status"] == Status.converged)
        curve["status"] = np.where(bad, float(Status.nonfinite), curve["status"])
    names = (sensitivity,) if isinstance(sensitivity, str) else tuple(sensitivity)
    if names:
        from gaussequiv.learners.convex.sensitivity import curve_sensitivity

        for learner, curve in zip(problem.learners, curves, strict=True):
            curve |= curve_sensitivity(learner, problem.equivalent_of(learner, d), alpha_grid, names)
    grids = distribution_grids(problem, margins, probabilities)
    call = {
        "d": d,
        "scores": True if scores else None,
        "sensitivity": list(names) or None,
        "margins": grids.get("margin"),
        "probabilities": grids.get("probability"),
    }
    call = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in call.items()}
    attributes = provenance(problem, "solve", call) | {"source": "theory"}
    if samples is not None:
        attributes["d"] = d
    coordinates: dict[str, Any] = {"alpha": alpha_grid} | ({} if samples is None else {"n": ("alpha", samples)})
    if scores and problem.task == "classification":
        from gaussequiv.learners.bayes.mismatch import label_scores

        for learner, curve in zip(problem.learners, curves, strict=True):
            curve |= label_scores(learner, problem.equivalent_of(learner, d), alpha_grid, curve)
    if grids:
        curves = [
            _distributions(problem, learner, d, alpha_grid, curve, grids) for learner, curve in zip(problem.learners, curves, strict=True)
        ]
    result = _stack(problem, coordinates | grids, curves, attributes)
    warn_unconverged(result)
    return result


def check_problem(problem: Any) -> None:
    """A target alone is not a problem."""
    if not hasattr(problem, "equivalent_of") or isinstance(problem, type):
        raise fail("problem", "a Problem, e.g. ge.Problem(target)", problem)


def _distributions(
    problem: Problem, learner: Any, d: int | None, alpha: FloatArray, curve: dict[str, FloatArray], grids: dict[str, FloatArray]
) -> dict[str, FloatArray]:
    """The curve with its distributions over rows."""
    from gaussequiv.learners.convex.distributions import curve_distributions

    if not hasattr(learner, "lam"):
        return curve
    own = dict(grids)
    if not hasattr(learner, "loss") or learner.loss.probability(np.zeros(1)) is None:
        own.pop("probability", None)
    found = curve_distributions(learner, problem.equivalent_of(learner, d), alpha, curve["lam"], own.get("margin"), own.get("probability"))
    return curve | found


def alpha_points(
    problem: Problem, alpha: ArrayLike | None, n: ArrayLike | None, d: int | None
) -> tuple[FloatArray, FloatArray | None, int | None]:
    """The checked points of a curve: alpha, the numbers of samples where those were given, and d."""
    if d is not None:
        d = integer("d", d, minimum=1, meaning="d is the input dimension.")
        fixed = problem.inputs.dimension
        if fixed is not None and d != fixed:
            raise fail("d", f"{fixed}, the dimension of the inputs", d)
    if (alpha is None) == (n is None):
        raise fail("alpha", "given, or n in its place", alpha, ALPHA_MEANING)
    if n is None:
        return grid("alpha", alpha, meaning=ALPHA_MEANING), None, d  # type: ignore[arg-type]
    samples = grid("n", n, meaning="n is the number of training samples.")
    d = d if d is not None else problem.inputs.dimension or getattr(problem.features, "dimension", None)
    if d is None:
        raise fail("d", "given together with n", d, "d is the input dimension.")
    return samples / d, samples, d


def _stack(problem: Problem, coordinates: dict[str, Any], curves: list[dict[str, FloatArray]], attributes: dict[str, Any]) -> xr.Dataset:
    def dims(key: str) -> tuple[str, ...]:
        return ("alpha", DISTRIBUTIONS[key]) if key in DISTRIBUTIONS else ("alpha",)

    if not isinstance(problem.learner, tuple):
        return dataset({key: (dims(key), value) for key, value in curves[0].items()}, coordinates, attributes)
    shapes = {key: value.shape for curve in curves for key, value in curve.items()}
    stacked = {
        key: (("learner", *dims(key)), np.stack([curve.get(key, np.full(shape, np.nan)) for curve in curves]))
        for key, shape in shapes.items()
    }
    labels = [learner.label for learner in problem.learners]
    return dataset(stacked, {"learner": labels} | coordinates, attributes)


def provenance(problem: Problem, verb: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """What makes a saved result enough to run it again."""
    call = {"verb": verb} | {key: value for key, value in arguments.items() if value is not None}
    return {
        "problem": json.dumps(problem.to_dict()),
        "call": json.dumps(call),
        "task": problem.task,
        "citations": ", ".join(_citations(problem)),
    }


def _citations(problem: Problem) -> list[str]:
    """Keys of the papers behind the numbers of this problem."""
    keys = ["cui2023", "camilli2025", "barbier2019"]
    if any(hasattr(learner, "lam") for learner in problem.learners):
        keys.append("loureiro2021")
    if problem.features is not None:
        keys.append("schroder2023")
    if any(getattr(getattr(learner, "penalty", None), "l1", 0) for learner in problem.learners):
        keys.append("thrampoulidis2018")
    return keys


def warn_unconverged(result: xr.Dataset) -> None:
    """One warning that sums up the points that failed."""
    converged = result["converged"].values
    if not converged.all():
        status = result["status"].values
        kinds = sorted({Status(int(s)).name for s in status[~converged]})
        warnings.warn(
            f"{int((~converged).sum())} of {converged.size} points did not converge ({', '.join(kinds)}); "
            "find them with result.where(~result.converged, drop=True), and why in `status`.",
            ConvergenceWarning,
            stacklevel=3,
        )


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
    UnreachableError : the curve stays above `target_error` up to `largest_alpha`.

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
        return float(learner.solve(equivalent, np.array([np.exp(log_alpha)]))["test_error"][0]) - goal

    points = np.linspace(np.log(1e-6), np.log(last), 241)
    curve = learner.solve(equivalent, np.exp(points))
    values = curve["test_error"] - goal
    if values[0] <= 0:
        return SampleSize(0.0, None if d is None else 0)
    first = _first_below(points, values, excess)
    if first is None:
        raise UnreachableError(
            f"Argument `target_error` must be above what {learner.label} reaches, but target_error={goal:g}: its test error at "
            f"alpha={last:g} is {float(curve['test_error'][-1]):.6g}, its floor for alpha -> infinity {float(curve['floor'][-1]):.6g}."
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
