"""What every verb does with a call: points and sizes by their own names, options that a problem declares, and a record of it all."""

from __future__ import annotations

import inspect
import json
import warnings
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MethodType
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv.curve import Curve, Observable, as_curve
from gaussequiv.errors import ArgumentError, ConvergenceWarning, did_you_mean
from gaussequiv.numerics.status import Status
from gaussequiv.problems.base import Solvable, check_solvable
from gaussequiv.results import dataset

if TYPE_CHECKING:
    import xarray as xr


def options_of(method: Callable[..., Any]) -> tuple[str, ...]:
    """The options that a problem's method declares: its keyword-only parameters."""
    return _keywords(method.__func__ if isinstance(method, MethodType) else method)


@lru_cache
def _keywords(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(name for name, one in inspect.signature(function).parameters.items() if one.kind is one.KEYWORD_ONLY)


def read_call(
    problem: Solvable, points: Any, size: Any, options: Mapping[str, Any], *methods: str, own: tuple[str, ...] = ()
) -> tuple[Any, Any, list[dict[str, Any]]]:
    """Points, size, and the options of each method; the axis and the size may be given by the problem's own names (alpha=, d=).

    Raises
    ------
    ArgumentError : an option that none of the methods declares (with a did-you-mean), or points or a size given twice.
    """
    axis = check_solvable(problem).axis
    rest = dict(options)
    if axis.name in rest:
        if points is not None:
            raise ArgumentError(f"Argument `{axis.name}` must be given once, but is given by position, too.")
        points = rest.pop(axis.name)
    if axis.size in rest:
        if size is not None:
            raise ArgumentError(f"Argument `{axis.size}` must be given once, but `size` is given, too.")
        size = rest.pop(axis.size)
    declared = [options_of(getattr(problem, method)) for method in methods]
    known = {name for names in declared for name in names}
    for name in rest:
        if name not in known:
            listed = sorted(known | {axis.name, axis.size, *own})
            raise ArgumentError(
                f"Argument `{name}` is not one of this call's.{did_you_mean(name, listed)} For this problem there are {', '.join(listed)}."
            )
    return points, size, [{name: rest[name] for name in names if name in rest} for names in declared]


def along(problem: Solvable, answer: Mapping[str, Any], points: Any) -> Curve:
    """A problem's answer as a checked curve whose coordinates hold the points of its axis."""
    curve, axis = as_curve(answer), problem.axis.name
    curve.coordinates.setdefault(axis, np.atleast_1d(np.asarray(points, dtype=np.float64)))
    return curve.finished(np.size(curve.coordinates[axis]))


def provenance(problem: Any, verb: str, arguments: Mapping[str, Any], citations: tuple[str, ...] = ()) -> dict[str, Any]:
    """What makes a saved result enough to run it again, and the papers behind it: the problem's, and those of what it used."""
    call = {"verb": verb} | {key: _plain(value) for key, value in arguments.items() if value is not None}
    axis = problem.axis
    return {
        "problem": json.dumps(problem.to_dict()),
        "call": json.dumps(call),
        "axis": axis.name,
        "citations": ", ".join(dict.fromkeys((*problem.citations(), *citations))),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else value


def axis_words(problem: Solvable) -> dict[str, Observable]:
    """Words and unit of the axis."""
    axis = problem.axis
    return {axis.name: Observable(axis.label, axis.unit)}


def result_of(problem: Solvable, curve: Curve, verb: str, arguments: Mapping[str, Any], attributes: Mapping[str, Any]) -> xr.Dataset:
    """A theory curve as a Dataset with dims (..., axis, ...)."""
    axis = problem.axis.name
    variables: dict[str, tuple[tuple[str, ...], Any]] = {name: (curve.dims(name, axis), values) for name, values in curve.items()}
    variables |= curve.beside
    record = provenance(problem, verb, {**arguments, **curve.resolved}, curve.citations)
    facts = {"judged": curve.judged} | dict(curve.attributes)
    return dataset(variables, curve.coordinates, record | facts | dict(attributes), axis_words(problem) | curve.labels)


def warn_unconverged(result: xr.Dataset) -> None:
    """One warning that counts the points without an answer."""
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
