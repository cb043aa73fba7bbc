"""Fields of a problem by name (`over=` of sweeps and phase diagrams), and where a part in the wrong place belongs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from gaussequiv.errors import ArgumentError, did_you_mean, fail
from gaussequiv.ingredients.adopted import missing, original
from gaussequiv.ingredients.features.base import FeatureMatrix, GivenFeatures
from gaussequiv.ingredients.inputs.base import DataInputs, Inputs
from gaussequiv.ingredients.targets.base import Target

# what tells the parts of a problem apart, in the order in which they are tried
PARTS = {"target": ("channel",), "inputs": ("modes", "mean_square"), "learner": ("solve", "fit"), "features": ("modes", "to_dict")}


def fits(part: str, value: Any) -> bool:
    """Whether an object (not a class) can be this part of a problem; input laws have all that features need, and are none."""
    if part == "features" and fits("inputs", value):
        return False
    return not isinstance(value, type) and not missing(value, PARTS[part])


def misplaced(part: str, value: Any) -> str:
    """A hint for a part that was given as another one, or as a class; empty for anything else."""
    one = value[0] if isinstance(value, (list, tuple)) and value else value
    kind = one if isinstance(one, type) else type(one)
    for other, members in PARTS.items():
        if not missing(one, members):
            shown = f"{kind.__name__}({'' if isinstance(one, type) else '...'})"
            return f"Did you mean {other}={f'[{shown}, ...]' if one is not value else shown}?"
    return ""


def replaced(problem: Any, name: str, value: Any) -> Any:
    """The same problem with one field of a part replaced; "part.field" chooses among parts that share a name."""
    prefix, _, field_name = name.rpartition(".")
    for owner, part in _owners(problem).items():
        if field_name in _names(part) and prefix in ("", owner):
            return replace(problem, **{owner: _with_field(part, field_name, value)})
    prior = original(problem.target.prior)
    if field_name in _names(prior) and prefix in ("", "target.prior", "prior"):
        return replace(problem, target=replace(problem.target, prior=replace(prior, **{field_name: value})))
    raise _unknown(problem, name)


def _owners(problem: Any) -> dict[str, Any]:
    """The parts whose fields have names, the first owner of a name first; several learners have none in common."""
    owners = {"target": problem.target, "inputs": problem.inputs, "features": problem.features, "learner": problem.learner}
    return {owner: original(part) for owner, part in owners.items() if is_dataclass(original(part))}


def _names(part: Any) -> list[str]:
    return [f.name for f in fields(part) if f.init] if is_dataclass(part) else []


def _unknown(problem: Any, name: str) -> ArgumentError:
    """The error for a name that no part has: the closest one, and all there are."""
    known = {owner: _names(part) for owner, part in _owners(problem).items()} | {"prior": _names(original(problem.target.prior))}
    owner, _, last = name.rpartition(".")
    own = known.get(owner.rpartition(".")[2], [])
    hint = did_you_mean(last, own or [field for names in known.values() for field in names])
    listed = "; ".join(f"{owner} has {', '.join(names)}" for owner, names in known.items() if names)
    several = " Several learners have no field in common." if isinstance(problem.learner, tuple) else ""
    return ArgumentError(f"Argument `over` must name a field of the problem, but got {name!r}.{hint} Its {listed}.{several}")


def _with_field(part: Any, name: str, value: Any) -> Any:
    if isinstance(part, DataInputs) or (name == "spectrum" and isinstance(part, Inputs) and part.covariance is not None):
        raise fail("over", "a field other than those of a data or covariance matrix (build the inputs anew)", name)
    if isinstance(part, (GivenFeatures, FeatureMatrix)):
        raise fail("over", "a field other than those of given features (build them anew)", name)
    changes = {name: value}
    layered = "activations" in _names(part)
    if layered and name in ("activations", "depth"):
        changes = _reshaped(part, name, value)
    elif layered:
        changes["activations"] = part.layers
    return replace(part, **changes)


def _reshaped(part: Any, name: str, value: Any) -> dict[str, Any]:
    """Another activation keeps what layers have; another depth keeps it only where all layers share it."""
    if name == "activations":
        single = isinstance(value, str) or not isinstance(value, Sequence)
        if single or len(value) == part.depth:
            return {"activations": value, "depth": part.depth}
    if isinstance(part, Target) and part.widths is not None:
        raise fail("widths", f"None when {name} varies (width_ratios follow it)", part.widths)
    changes: dict[str, Any] = {"activations": value, "depth": None}
    if name == "depth":
        if len(set(part.activations)) > 1:
            raise fail("activations", "the same for all layers when depth varies", part.activations)
        changes = {"activations": part.layers[0] if part.layers else "tanh", "depth": value}
    for key in (key for key in _DEFAULTS if key in _names(part)):
        given = vars(part)[key]
        values = set(given)
        if len(values) > 1:
            raise fail(key, f"the same for all layers when {name} varies", given)
        changes[key] = values.pop() if values else _DEFAULTS[key]
    return changes


_DEFAULTS = {"weight_variance": 1.0, "bias_variance": 0.0, "width_ratios": 1.4, "ratio": 1.0}
