"""A supervised `Problem` as a dictionary: what JSON, TOML, saved results and the command line carry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from gaussequiv._text import as_json
from gaussequiv.errors import ArgumentError, choice, did_you_mean, fail
from gaussequiv.ingredients.features.base import FeatureMatrix, GivenFeatures, RandomFeatures
from gaussequiv.ingredients.features.kernels import NNGP, NTK, DotProductKernel
from gaussequiv.ingredients.inputs.base import GaussianInputs
from gaussequiv.ingredients.inputs.generated import GeneratorInputs
from gaussequiv.ingredients.targets.deep_network import DeepNetwork
from gaussequiv.ingredients.targets.linear_target import LinearTarget
from gaussequiv.learners.base import as_learner
from gaussequiv.learners.bayes.bayes_optimal import BayesOptimal
from gaussequiv.learners.convex.erm import ERM
from gaussequiv.learners.convex.ridge import Ridge
from gaussequiv.learners.convex.ridge_ensemble import RidgeEnsemble
from gaussequiv.problems.generators import generator_of
from gaussequiv.problems.supervised.description import Problem

LEARNERS: dict[str, type] = {"bayes": BayesOptimal, "ridge": Ridge, "erm": ERM, "ridge_ensemble": RidgeEnsemble}
TARGETS: dict[str, type] = {"deep": DeepNetwork, "linear": LinearTarget}
FEATURES: dict[str, type] = {"random": RandomFeatures, "nngp": NNGP, "ntk": NTK}


def from_dict(
    description: Mapping[str, Any],
    *,
    inputs: Any = None,
    features: Any = None,
    functions: Mapping[str, Callable[[Any], Any]] | None = None,
    parts: Mapping[str, Any] | None = None,
) -> Problem:
    """Build a problem from `Problem.to_dict`, a TOML file or the command line.

    `inputs` replaces the description's inputs, which a data or covariance matrix needs, `features` its features, which given weights and
    feature matrices need; `parts` gives a user's own pieces by their saved names: activations, label laws, priors, kernel functions,
    losses, penalties, learners (`functions` is an older name of it).
    """
    own: dict[str, Any] = {**(functions or {}), **(parts or {})}
    known = ("target", "inputs", "features", "learner")
    for key in description:
        if key not in known:
            raise ArgumentError(f"Argument `problem` must have the sections {', '.join(known)}, but has {key!r}.{did_you_mean(key, known)}")
    target = dict(_table("target", description.get("target", {})))
    kind = choice("kind", target.pop("kind", "deep"), tuple(TARGETS))
    if kind == "deep":
        target["activations"] = _named_activations(target.get("activations", ("tanh",)), own)
    elif isinstance(target.get("prior"), str):
        target["prior"] = own.get(target["prior"], target["prior"])
    if isinstance(target.get("labels"), str):
        target["labels"] = own.get(target["labels"], target["labels"])
    built = _build(TARGETS[kind], "target", target)
    given = inputs if inputs is not None else _inputs_from(dict(_table("inputs", description.get("inputs", {}))), own)
    if features is None and description.get("features") is not None:
        features = _features_from(dict(_table("features", description["features"])), own)
    learner = description.get("learner", {"name": "bayes"})
    if isinstance(learner, Mapping) or isinstance(learner, str):
        return Problem(built, given, _learner_from(learner, own), features)
    if not isinstance(learner, Sequence):
        raise fail("learner", "a section with a name, or a list of them", learner)
    return Problem(built, given, tuple(_learner_from(one, own) for one in learner), features)


def _named_activations(names: Any, functions: Mapping[str, Callable[[Any], Any]]) -> Any:
    """Functions in place of the names under which a saved description keeps them."""
    if isinstance(names, str):
        return functions.get(names, names)
    return tuple(functions.get(name, name) if isinstance(name, str) else name for name in names) if isinstance(names, Sequence) else names


def _features_from(section: dict[str, Any], functions: Mapping[str, Callable[[Any], Any]]) -> Any:
    name = section.pop("name", "random")
    if name == DotProductKernel.name and section.get("function") in functions:
        return DotProductKernel(functions[section["function"]])
    if name in (DotProductKernel.name, GivenFeatures.name, FeatureMatrix.name):
        raise ArgumentError(f"Argument `features` must be given again: the description keeps {name!r} features by shape or name only.")
    if not isinstance(name, str) or name not in FEATURES:
        raise ArgumentError(
            f"Argument `features` must be one of {', '.join(FEATURES)}, but features={name!r}.{did_you_mean(name, tuple(FEATURES))}"
        )
    if "activations" in section:
        section["activations"] = _named_activations(section["activations"], functions)
    return _build(FEATURES[name], "features", section)


def _table(name: str, section: Any) -> Mapping[str, Any]:
    if not isinstance(section, Mapping):
        raise fail(name, "a section (a table of fields)", section)
    return section


def _inputs_from(section: dict[str, Any], parts: Mapping[str, Any]) -> Any:
    kind = section.pop("kind", "gaussian")
    if kind == "generator":
        return _build(GeneratorInputs, "inputs", section | {"generator": generator_of(section.get("generator", {}), parts)})
    if kind != "gaussian" or (isinstance(section.get("covariance"), list) and np.ndim(section["covariance"]) == 1):
        raise ArgumentError(
            f"Argument `inputs` must be given again: the description keeps {section.get('name', 'a covariance matrix')} by shape only."
        )
    return _build(GaussianInputs, "inputs", section)


def _learner_from(section: Mapping[str, Any] | str, parts: Mapping[str, Any]) -> Any:
    options = {"name": section} if isinstance(section, str) else dict(_table("learner", section))
    name = options.pop("name", "bayes")
    if isinstance(name, str) and name in parts:
        return _own_learner(name, parts[name], options)
    if not isinstance(name, str) or name not in LEARNERS:
        raise ArgumentError(
            f"Argument `learner` must be one of {', '.join(LEARNERS)}, or a name in parts, but learner={name!r}."
            f"{did_you_mean(name, tuple(LEARNERS))}"
        )
    for key in ("loss", "penalty"):
        if isinstance(options.get(key), str):
            options[key] = parts.get(options[key], parts.get(options[key].partition(":")[0], options[key]))
    assumed: Any = options.get("assumes")
    if isinstance(assumed, Mapping):
        options["assumes"] = _build(DeepNetwork, "assumes", dict(assumed))
    return _build(LEARNERS[name], "learner", options)


def _own_learner(name: str, part: Any, options: dict[str, Any]) -> Any:
    """A user's learner: the object itself, which must still be described by what was saved, or its class."""
    learner = part(**options) if isinstance(part, type) else part
    if as_json(as_learner(learner).to_dict()) != as_json({"name": name, **options}):
        raise ArgumentError(f"Argument `parts` must give the learner of the result as {name!r}, but its description differs.")
    return learner


def _build(cls: type, section: str, options: dict[str, Any]) -> Any:
    known = [f.name for f in fields(cls) if f.init]
    for key in options:
        if key not in known:
            raise ArgumentError(
                f"Argument `{section}` has no field {key!r}.{did_you_mean(key, known)} Known: {', '.join(known) or 'none'}."
            )
    return cls(**options)
