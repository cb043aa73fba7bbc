"""`sweep`: a verb over further parameters by name; `rerun`: a saved result again."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv.errors import choice, fail
from gaussequiv.ingredients.activations import base as activations
from gaussequiv.numerics.status import Status
from gaussequiv.problems.base import Solvable, check_solvable
from gaussequiv.problems.dictionary import from_dict
from gaussequiv.run import recorded
from gaussequiv.run.compare import compare
from gaussequiv.run.diagnose import diagnose
from gaussequiv.run.evidence import network_information
from gaussequiv.run.fixed_points import fixed_points, phase_diagram
from gaussequiv.run.information import information
from gaussequiv.run.interrupted import Interrupted, keeping
from gaussequiv.run.posterior import sample_posterior
from gaussequiv.run.simulate import simulate
from gaussequiv.run.solve import solve
from gaussequiv.run.track import track

if TYPE_CHECKING:
    import xarray as xr

VERBS: dict[str, Callable[..., Any]] = {
    "solve": solve,
    "simulate": simulate,
    "compare": compare,
    "information": information,
    "diagnose": diagnose,
    "fixed_points": fixed_points,
    "track": track,
    "sample_posterior": sample_posterior,
    "network_information": network_information,
}


def sweep(
    problem: Solvable, points: Any = None, over: Mapping[str, Sequence[Any]] | None = None, *, verb: str = "solve", **options: Any
) -> xr.Dataset:
    """Run a verb at every combination of parameters, which become leading dimensions of the result.

    Parameters
    ----------
    over : mapping of field name to values
        Any field of the problem's target, inputs, features or learner: ``{"lam": [0.01, 0.1], "depth": [1, 2, 3]}``; where two parts have a
        field of the same name, the target's, or that of the part named: ``{"features.depth": [1, 2]}``. Online SGD: its fields,
        ``"student.units"``, ``"generator.latent_ratio"`` and so on, and whole networks and generators.
    verb : "solve", "simulate", "compare", "track", or another verb of the problem
    options
        Of the verb; the points may have the name of the problem's axis.

    If the user interrupts, `Interrupted.partial` keeps the finished combinations and, of the one at work, the finished trials; the points
    left out have the status `interrupted`.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> ge.sweep(ge.Problem(), [1.0, 2.0], {"depth": [1, 2, 3]}).test_error.dims
    ('depth', 'alpha')
    """
    choice("verb", verb, VERBS)
    if (
        not isinstance(over, Mapping)
        or not over
        or any(isinstance(values, str) or not np.iterable(values) or len(list(values)) == 0 for values in over.values())
    ):
        raise fail("over", "a mapping of parameter names to non-empty sequences, e.g. {'noise': [0.01, 0.1]}", over)
    kinds = check_solvable(problem).swept_parts
    for name, values in over.items():
        words = [_coordinate(value, kinds) for value in values]
        if len({str(word) for word in words}) < len(words):
            raise fail("over", f"values of {name!r} that differ, also in words", words)
    if verb in ("simulate", "compare") and options.get("checkpoint") is not None:
        raise fail("checkpoint", "None in a sweep: a file keeps the trials of one problem", str(options["checkpoint"]))
    axis = problem.axis.name
    if axis in options and points is None:
        points = options.pop(axis)
    names = list(over)
    problems = [_at(problem, dict(zip(names, values, strict=True))) for values in product(*over.values())]
    parts: list[xr.Dataset] = []
    try:
        for one in problems:
            parts.append(VERBS[verb](one, points, **options))
        return _gather(problem, over, parts)
    except KeyboardInterrupt as stop:
        partial = stop.partial if isinstance(stop, Interrupted) else None
        if partial is not None:
            parts.append(partial)
        raise keeping(lambda: _gather(problem, over, _padded(parts, len(problems))) if parts else None) from None


def _padded(parts: list[xr.Dataset], count: int) -> list[xr.Dataset]:
    """Mark the points that an interruption left out."""
    missing: dict[Hashable, Any] = {"status": int(Status.interrupted), "converged": False}
    full = parts[0]
    filled = [part.reindex(trial=full["trial"], fill_value=missing) if "trial" in full.dims else part for part in parts]
    empty = full.copy(deep=True)
    for name, variable in empty.data_vars.items():
        blank = {"f": np.nan, "U": "", "O": ""}.get(variable.dtype.kind, 0)
        variable.values[...] = missing.get(name, blank)
    if "verdict" in empty.attrs:
        empty.attrs |= {"verdict": "inconclusive", "reason": "interrupted before its first trial"}
    return filled + [empty] * (count - len(parts))


def _gather(problem: Solvable, over: Mapping[str, Sequence[Any]], parts: list[xr.Dataset]) -> xr.Dataset:
    """Stack the results of all combinations along the parameters."""
    import xarray as xr

    names = list(over)
    if "verdict" in parts[0].attrs:
        parts = [part.assign(verdict=part.attrs.get("verdict"), reason=part.attrs.get("reason")) for part in parts]
    index = {name: [_coordinate(v, problem.swept_parts) for v in over[name]] for name in names}
    shape = [len(values) for values in index.values()]
    clash = [name for name in names if name in parts[0].variables]
    renamed = [part.drop_vars(clash) for part in parts]
    stacked = xr.concat(renamed, dim="_point", join="outer", combine_attrs="override", coords="minimal", compat="override")
    out = _unfold(stacked, names, shape, index)
    call = json.loads(parts[0].attrs["call"]) | {"over": {name: [_stored(v, problem.swept_parts) for v in over[name]] for name in names}}
    out.attrs = parts[0].attrs | {"problem": json.dumps(problem.to_dict()), "call": json.dumps(call)}
    for key in ("verdict", "reason", *(["task"] if "task" in names else [])):  # they differ from combination to combination
        out.attrs.pop(key, None)
    return out


def _unfold(stacked: xr.Dataset, names: list[str], shape: list[int], index: dict[str, list[Any]]) -> xr.Dataset:
    import xarray as xr

    variables = {}
    for name, variable in stacked.data_vars.items():
        values = variable.transpose("_point", ...)
        rest = tuple(dim for dim in values.dims if dim != "_point")
        variables[name] = ((*names, *rest), values.values.reshape(*shape, *values.shape[1:]), variable.attrs)
    coordinates = {k: v for k, v in stacked.coords.items() if "_point" not in v.dims}
    return xr.Dataset(variables, coords=coordinates | {k: np.asarray(v) for k, v in index.items()})


def _at(problem: Solvable, values: dict[str, Any]) -> Solvable:
    for name, value in values.items():
        problem = problem.with_parameter(name, value)
    return problem


def _stored(value: Any, kinds: tuple[Any, ...]) -> Any:
    """A value as JSON keeps it: layers as lists, functions by name, parts of the problem of these kinds by their descriptions."""
    if isinstance(value, (list, tuple)):
        return [_stored(item, kinds) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (int, float, str)):
        return value
    if isinstance(value, kinds):
        return value.to_dict()
    if callable(value):
        return activations.get(value).name
    more = "".join(f", {kind.__name__}s" for kind in kinds)
    raise fail("over", f"numbers, names, functions{more} or layers of them, which a saved result can keep", value)


def _coordinate(value: Any, kinds: tuple[type, ...]) -> Any:
    if isinstance(value, kinds):
        return str(value)
    stored = _stored(value, kinds)
    return stored if isinstance(stored, (int, float, str)) else str(stored)


def rerun(
    result: xr.Dataset,
    *,
    parts: Mapping[str, Any] | None = None,
    inputs: Any = None,
    features: Any = None,
    functions: Mapping[str, Callable[[Any], Any]] | None = None,
) -> xr.Dataset:
    """Run a saved result again from what it carries.

    Parameters
    ----------
    parts : mapping from name to object
        A user's own pieces under the names that the result keeps: activations, label laws, priors, losses, penalties, learners, or the
        whole problem (`functions` is an older name of it).
    inputs, features
        Data matrices and given features, which results keep by shape and digest.

    Only arguments that results record are taken from it, checked by type and range: no file makes this call write files or wait.

    Raises
    ------
    ArgumentError : the result carries no call, or one that no verb has recorded.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> curve = ge.solve(ge.Problem(), alpha=[1.0])
    >>> bool((rerun(curve).test_error == curve.test_error).all())
    True
    """
    saved = recorded.saved_call(result)
    own: dict[str, Any] = {**(functions or {}), **(parts or {})}
    given = {name: value for name, value in (("inputs", inputs), ("features", features)) if value is not None}
    problem = from_dict(saved.problem, own, **given)
    _check_same(problem.to_dict(), saved.problem)
    points, options, over = recorded.points(saved, result, problem), recorded.options(saved, problem), saved.over
    if over is not None and saved.verb != "phase_diagram":
        over = {name: [problem.swept_value(name, value, own) for value in values] for name, values in over.items()}
        return sweep(problem, points["points"], over, verb=saved.verb, **options)
    if saved.verb == "phase_diagram":
        return phase_diagram(problem, over or {}, points["points"])  # type: ignore[arg-type]
    if "n" in points:
        return VERBS[saved.verb](problem, n=points["n"], **options)
    return VERBS[saved.verb](problem, points["points"], **options)


def _check_same(given: Mapping[str, Any], kept: Mapping[str, Any]) -> None:
    """Inputs and features that were passed again must be those of the result."""
    if given.get("features") != kept.get("features"):
        raise fail("features", f"those of the result, {kept.get('features')}", given.get("features"))
    for key in ("kind", "digest", "shape", "covariance", "normalise", "spectrum", "mean", "generator", "target_sees", "centred", "seed"):
        mine, saved = given.get("inputs", {}).get(key), kept.get("inputs", {}).get(key)
        if mine != saved:
            raise fail("inputs", f"those of the result, of {key} {saved}", mine)
