"""`Problem`: inputs x target x learner, the description that every verb takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent, from_network
from gaussequiv.errors import ArgumentError, did_you_mean, fail
from gaussequiv.ingredients.inputs import DataInputs, GaussianInputs
from gaussequiv.ingredients.networks import DeepNetwork
from gaussequiv.learners.bayes_optimal import BayesOptimal
from gaussequiv.learners.ridge import Ridge

LEARNERS: dict[str, type] = {"bayes": BayesOptimal, "ridge": Ridge}


@dataclass(frozen=True, eq=False)
class Problem:
    """What is learned from what.

    Parameters
    ----------
    target : DeepNetwork
        The function to be learned, with its label noise.
    inputs : GaussianInputs or DataInputs
        Default: isotropic Gaussian.
    learner : learner, or a sequence of learners
        With a sequence, results have a `learner` dimension and simulations share the same draws, so that differences
        between learners are paired.

    Examples
    --------
    >>> problem = Problem(target=DeepNetwork("erf"), learner=Ridge("optimal"))
    >>> round(problem.equivalent().lam_optimal, 10)
    0.0945914843
    """

    target: Any = field(default_factory=DeepNetwork)
    inputs: Any = field(default_factory=GaussianInputs)
    learner: Any = field(default_factory=BayesOptimal)

    def __post_init__(self) -> None:
        if not hasattr(self.target, "channel"):
            raise fail("target", "a DeepNetwork", self.target)
        if not hasattr(self.inputs, "modes"):
            raise fail("inputs", "GaussianInputs or DataInputs", self.inputs)
        if isinstance(self.learner, Sequence):
            object.__setattr__(self, "learner", tuple(self.learner))
        if not self.learners:
            raise fail("learner", "a learner or a non-empty sequence of learners", self.learner)
        for learner in self.learners:
            if not (hasattr(learner, "solve") and hasattr(learner, "fit")) or isinstance(learner, type):
                raise fail("learner", "a learner such as BayesOptimal() or Ridge(0.1)", learner)
        labels = [learner.label for learner in self.learners]
        if len(set(labels)) < len(labels):
            raise fail("learner", "a sequence of different learners", labels)

    @property
    def learners(self) -> tuple[Any, ...]:
        """All learners, also when there is one."""
        return self.learner if isinstance(self.learner, tuple) else (self.learner,)

    @property
    def task(self) -> str:
        """Regression or classification."""
        return str(self.target.channel.task)

    def equivalent(self, d: int | None = None) -> GaussianEquivalent:
        """The Gaussian equivalent, in the limit or with the eigenvalues that a simulation of size d uses."""
        return from_network(self.inputs, self.target, d)

    def with_parameter(self, name: str, value: Any) -> Problem:
        """The same problem with one field of its target, inputs or (single) learner replaced; used by sweeps."""
        owners = {"target": self.target, "inputs": self.inputs}
        if not isinstance(self.learner, tuple):
            owners["learner"] = self.learner
        known: list[str] = []
        for owner, part in owners.items():
            names = [f.name for f in fields(part) if f.init]
            known += names
            if name in names:
                if isinstance(part, DataInputs) or (name == "spectrum" and part.covariance is not None):
                    raise fail("over", "a field other than those of a data or covariance matrix (build the inputs anew)", name)
                changes = {name: value}
                if owner == "target" and name in ("activations", "depth"):
                    changes = _reshaped(part, name, value)
                elif owner == "target":
                    changes["activations"] = part.layers
                return replace(self, **{owner: replace(part, **changes)})
        raise ArgumentError(f"Argument `over` must name a field of the problem, but got {name!r}.{did_you_mean(name, known)}")

    def to_dict(self) -> dict[str, Any]:
        """A description that JSON, TOML and saved results carry. Functions are kept by name, matrices by shape and digest."""
        learners = [learner.to_dict() for learner in self.learners]
        return {
            "target": _target_dict(self.target),
            "inputs": _inputs_dict(self.inputs),
            "learner": learners if isinstance(self.learner, tuple) else learners[0],
        }


def _reshaped(target: DeepNetwork, name: str, value: Any) -> dict[str, Any]:
    """Another activation keeps what layers have; another depth keeps it only where all layers share it."""
    if name == "activations":
        single = isinstance(value, str) or not isinstance(value, Sequence)
        if single or len(value) == target.depth:
            return {"activations": value, "depth": target.depth}
    if target.widths is not None:
        raise fail("widths", f"None when {name} varies (width_ratios follow it)", target.widths)
    changes: dict[str, Any] = {"activations": value, "depth": None}
    if name == "depth":
        if len(set(target.activations)) > 1:
            raise fail("activations", "the same for all layers when depth varies", target.activations)
        changes = {"activations": target.layers[0] if target.layers else "tanh", "depth": value}
    for key in ("weight_variance", "bias_variance", "width_ratios"):
        values = set(getattr(target, key))
        if len(values) > 1:
            raise fail(key, f"the same for all layers when {name} varies", getattr(target, key))
        changes[key] = values.pop() if values else _DEFAULTS[key]
    return changes


_DEFAULTS = {"weight_variance": 1.0, "bias_variance": 0.0, "width_ratios": 1.4}


def _target_dict(target: DeepNetwork) -> dict[str, Any]:
    keys = [f.name for f in fields(target) if f.init]
    plain = {key: getattr(target, key) for key in keys}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}


def _inputs_dict(inputs: Any) -> dict[str, Any]:
    if isinstance(inputs, DataInputs):
        shape = [int(n) for n in inputs.matrix.shape]
        return {
            "kind": "data",
            "name": inputs.name,
            "shape": shape,
            "digest": inputs.digest,
            "normalise": inputs.normalise,
            "scale": inputs.scale,
            "dropped": list(inputs.dropped),
        }
    if not isinstance(inputs, GaussianInputs):
        return {"kind": "custom", "name": type(inputs).__qualname__}
    mean = inputs.mean if np.isscalar(inputs.mean) else np.asarray(inputs.mean).tolist()
    if inputs.covariance is not None:
        return {"kind": "gaussian", "covariance": list(inputs.covariance.shape), "digest": inputs.digest, "mean": mean}
    return {"kind": "gaussian", "spectrum": str(inputs.spectrum), "mean": mean}


def from_dict(
    description: Mapping[str, Any], *, inputs: Any = None, functions: Mapping[str, Callable[[Any], Any]] | None = None
) -> Problem:
    """Build a problem from `Problem.to_dict`, a TOML file or the command line.

    `inputs` replaces the description's inputs, which a data or covariance matrix needs; `functions` gives user activations by
    their saved names.
    """
    known = ("target", "inputs", "learner")
    for key in description:
        if key not in known:
            raise ArgumentError(f"Argument `problem` must have the sections {', '.join(known)}, but has {key!r}.{did_you_mean(key, known)}")
    target = dict(_table("target", description.get("target", {})))
    names = target.get("activations", ("tanh",))
    if isinstance(names, str) or not isinstance(names, Sequence):
        target["activations"] = (functions or {}).get(names, names) if isinstance(names, str) else names
    else:
        target["activations"] = tuple((functions or {}).get(name, name) for name in names)
    built = _build(DeepNetwork, "target", target)
    given = inputs if inputs is not None else _inputs_from(dict(_table("inputs", description.get("inputs", {}))))
    learner = description.get("learner", {"name": "bayes"})
    if isinstance(learner, Mapping) or isinstance(learner, str):
        return Problem(built, given, _learner_from(learner))
    if not isinstance(learner, Sequence):
        raise fail("learner", "a section with a name, or a list of them", learner)
    return Problem(built, given, tuple(_learner_from(one) for one in learner))


def _table(name: str, section: Any) -> Mapping[str, Any]:
    if not isinstance(section, Mapping):
        raise fail(name, "a section (a table of fields)", section)
    return section


def _inputs_from(section: dict[str, Any]) -> Any:
    kind = section.pop("kind", "gaussian")
    if kind != "gaussian" or (isinstance(section.get("covariance"), list) and np.ndim(section["covariance"]) == 1):
        raise ArgumentError(
            f"Argument `inputs` must be given again: the description keeps {section.get('name', 'a covariance matrix')} by shape only."
        )
    return _build(GaussianInputs, "inputs", section)


def _learner_from(section: Mapping[str, Any] | str) -> Any:
    options = {"name": section} if isinstance(section, str) else dict(_table("learner", section))
    name = options.pop("name", "bayes")
    if not isinstance(name, str) or name not in LEARNERS:
        raise ArgumentError(
            f"Argument `learner` must be one of {', '.join(LEARNERS)}, but learner={name!r}.{did_you_mean(name, tuple(LEARNERS))}"
        )
    return _build(LEARNERS[name], "learner", options)


def _build(cls: type, section: str, options: dict[str, Any]) -> Any:
    known = [f.name for f in fields(cls) if f.init]
    for key in options:
        if key not in known:
            raise ArgumentError(
                f"Argument `{section}` has no field {key!r}.{did_you_mean(key, known)} Known: {', '.join(known) or 'none'}."
            )
    return cls(**options)
