"""The saved call of a result: which arguments each verb records, and a reading that lets nothing else through.

A file may come from anybody. What `rerun` passes to a verb is therefore checked here by name, type and range; arguments that results never
record (checkpoints, progress bars) cannot come from a file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv.errors import ArgumentError, FloatArray, array, choice, did_you_mean, fail, integer, number
from gaussequiv.problems.base import Solvable
from gaussequiv.run.provenance import options_of

if TYPE_CHECKING:
    import xarray as xr

Check = Callable[[str, Any], Any]
_MEANING = "It stands in the saved call."


def _whole(minimum: int) -> Check:
    return lambda name, value: integer(name, value, minimum=minimum, meaning=_MEANING)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise fail(name, "true or false", value, _MEANING)
    return value


def _nonnegative(name: str, value: Any) -> float:
    return number(name, value, nonnegative=True, meaning=_MEANING)


def _positive(name: str, value: Any) -> float:
    return number(name, value, positive=True, meaning=_MEANING)


def _numbers(name: str, value: Any) -> list[float]:
    if not isinstance(value, list):
        raise fail(name, "a list of numbers", value, _MEANING)
    return array(name, value, ndim=1, meaning=_MEANING).tolist()


def _word(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise fail(name, "a name", value, _MEANING)
    return value


def _words(name: str, value: Any) -> list[str]:
    if not isinstance(value, list):
        raise fail(name, "a list of names", value, _MEANING)
    return [_word(f"{name}[{i}]", one) for i, one in enumerate(value)]


def _optional(check: Check) -> Check:
    return lambda name, value: None if value is None else check(name, value)


def _word_or_number(name: str, value: Any) -> str | float:
    return value if isinstance(value, str) else _nonnegative(name, value)


def _over(name: str, value: Any) -> dict[str, list[Any]]:
    if not isinstance(value, dict) or not value or not all(isinstance(one, list) and one for one in value.values()):
        raise fail(name, "an object of parameters and non-empty lists of their values", value, _MEANING)
    return {key: [_part(f"{name}.{key}", one) for one in values] for key, values in value.items()}


def _part(name: str, value: Any) -> Any:
    """A plain value, or the description of a part of the problem (a network, a generator)."""
    if isinstance(value, dict):
        return {str(key): _part(f"{name}.{key}", one) for key, one in value.items()}
    return None if value is None else _plain(name, value)


def _plain(name: str, value: Any) -> Any:
    """What a problem of its own kind declares: the problem checks its range."""
    if isinstance(value, list):
        return [_plain(f"{name}[{i}]", one) for i, one in enumerate(value)]
    if not isinstance(value, (bool, int, float, str)):
        raise fail(name, "a number, a name, true, false or a list of these", value, _MEANING)
    return value


_OPTIONS: dict[str, Check] = {  # of problems, by name; others are plain values
    "sensitivity": _words,
    "scores": _flag,
    "margins": _numbers,
    "probabilities": _numbers,
    "test_samples": _whole(1),
    "normalise_teacher": _flag,
    "start": _word_or_number,
    "variances": _word,
}
_GENERIC = {"solve": ("theory",), "simulate": ("trial",), "compare": ("theory", "trial"), "track": ("algorithm",)}
_TRIALS: dict[str, Check] = {"trials": _whole(1), "seed": _whole(0)}
RECORDED: dict[str, dict[str, Check]] = {
    "solve": {},
    "simulate": _TRIALS,
    "compare": _TRIALS | {"allowance": _nonnegative},
    "track": _TRIALS | {"allowance": _nonnegative, "steps": _whole(1)},
    "information": {"d": _whole(1), "keep": _whole(0)},
    "diagnose": {"N": _whole(1), "samples": _whole(1), "seed": _whole(0)},
    "fixed_points": {},
    "phase_diagram": {},
    "sample_posterior": _TRIALS
    | {
        "d": _whole(1),
        "test_samples": _whole(1),
        "start": _words,
        "chains": _whole(2),
        "draws": _whole(1),
        "warmup": _whole(1),
        "thin": _whole(1),
        "sampler": _word,
        "marginal_readout": _flag,
        "keep_weights": _flag,
    },
    "network_information": _TRIALS
    | {
        "d": _whole(1),
        "test_samples": _whole(1),
        "chains": _whole(1),
        "posterior_steps": _whole(1),
        "gap": _positive,
        "temperatures": _optional(_whole(1)),
        "control_trials": _whole(1),
    },
}
"""What each verb's results record of its call, with the check of each argument; the size and a problem's own options come on top."""


@dataclass(frozen=True)
class Recorded:
    """A saved call: the problem's description, the verb, what it was swept over, and arguments that `options` still has to check."""

    problem: Mapping[str, Any]
    verb: str
    over: dict[str, list[Any]] | None
    arguments: dict[str, Any]


def saved_call(result: xr.Dataset) -> Recorded:
    """The saved call of a result.

    Raises
    ------
    ArgumentError : the result carries no call, or that of no verb.
    """
    attributes = getattr(result, "attrs", None)
    if not isinstance(attributes, Mapping):
        raise fail("result", "a Dataset that a verb returned, or `load` read", result)
    call, problem = _object(attributes, "call"), _object(attributes, "problem")
    verb = choice("verb", call.pop("verb", None), RECORDED)
    over = _over("over", call.pop("over")) if "over" in call else None
    if verb == "phase_diagram" and (over is None or len(over) != 1):
        raise fail("over", "an object of one parameter and its values for phase_diagram", over, _MEANING)
    return Recorded(problem, verb, over, call)


def options(saved: Recorded, problem: Solvable) -> dict[str, Any]:
    """The arguments of a saved call, each checked by name, type and range.

    Raises
    ------
    ArgumentError : one that the verb does not record, or of another type.
    """
    verb, known = saved.verb, dict(RECORDED[saved.verb])
    if verb in _GENERIC:
        declared = {name for method in _GENERIC[verb] for name in options_of(getattr(problem, method))}
        known |= {name: _OPTIONS.get(name, _plain) for name in declared - {"n"}} | {problem.axis.size: _whole(1)}
    for key in saved.arguments:
        if key not in known:
            words = ", ".join(known) or "no arguments"
            raise ArgumentError(f"Argument `call` must hold what {verb} records ({words}), but has {key!r}.{did_you_mean(key, known)}")
    return {key: known[key](key, value) for key, value in saved.arguments.items()}


def points(saved: Recorded, result: xr.Dataset, problem: Solvable) -> dict[str, FloatArray]:
    """Points of the problem's axis, or numbers of samples `n` where the call gave those."""
    several = saved.verb in ("solve", "information") and saved.over is None and "n" in result.coords
    name = "n" if several else problem.axis.name
    if name not in result.coords or result[name].dtype.kind not in "fiu":
        raise ArgumentError(
            f"Argument `result` must have numbers {name} among its coordinates, but has {', '.join(map(str, result.coords))}."
        )
    return {"n" if several else "points": np.asarray(result[name].values, dtype=np.float64)}


def _object(attributes: Mapping[str, Any], name: str) -> dict[str, Any]:
    if name not in attributes:
        raise ArgumentError(f"Argument `result` must carry its problem and call, but has no attribute {name!r}.")
    try:
        found = json.loads(attributes[name])
    except (TypeError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise fail(name, "an attribute of the result that holds a JSON object", attributes[name])
    return found
