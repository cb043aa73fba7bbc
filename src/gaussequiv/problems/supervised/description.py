"""`Problem`: inputs x target x features x learner, the description that every verb takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from gaussequiv.equivalence.feature_equivalent import from_features
from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent, from_network
from gaussequiv.equivalence.validity import Promise, assess, promise
from gaussequiv.errors import ArgumentError, choice, did_you_mean, fail, integer
from gaussequiv.ingredients.features.base import FeatureMatrix, GivenFeatures, RandomFeatures
from gaussequiv.ingredients.features.kernels import NNGP, NTK, DotProductKernel
from gaussequiv.ingredients.inputs.base import DataInputs, GaussianInputs
from gaussequiv.ingredients.targets.deep_network import DeepNetwork
from gaussequiv.ingredients.targets.linear_target import LinearTarget
from gaussequiv.learners.bayes.bayes_optimal import BayesOptimal
from gaussequiv.learners.convex.erm import ERM
from gaussequiv.learners.convex.ridge import Ridge
from gaussequiv.problems.supervised.fields import fits, misplaced, replaced

ALPHA_MEANING = "alpha is the number of samples per input dimension, n/d."
LEARNERS: dict[str, type] = {"bayes": BayesOptimal, "ridge": Ridge, "erm": ERM}
TARGETS: dict[str, type] = {"deep": DeepNetwork, "linear": LinearTarget}
FEATURES: dict[str, type] = {"random": RandomFeatures, "nngp": NNGP, "ntk": NTK}
_EXPECTED = {
    "target": "a DeepNetwork or a LinearTarget",
    "inputs": "GaussianInputs or DataInputs",
    "features": "features such as RandomFeatures('erf', ratio=2), a kernel such as NNGP('erf'), or None",
}


@dataclass(frozen=True, eq=False)
class Problem:
    """What is learned from what.

    Parameters
    ----------
    target : DeepNetwork or LinearTarget
        The function to be learned, with its label noise.
    inputs : GaussianInputs or DataInputs
        Default: isotropic Gaussian.
    learner : learner, or a sequence of learners
        With a sequence, results have a `learner` dimension and simulations share the same draws, so that differences
        between learners are paired.
    features : RandomFeatures, GivenFeatures, FeatureMatrix, or a kernel (NNGP, NTK, DotProductKernel), optional
        What the learners see in place of the raw inputs. `BayesOptimal`, which knows the target's law, always sees the inputs.

    Examples
    --------
    >>> problem = Problem(target=DeepNetwork("erf"), learner=Ridge("optimal"))
    >>> round(problem.equivalent().lam_optimal, 10)
    0.0945914843
    """

    target: Any = field(default_factory=DeepNetwork)
    inputs: Any = field(default_factory=GaussianInputs)
    learner: Any = field(default_factory=BayesOptimal)
    features: Any = None
    _equivalents: dict[Any, GaussianEquivalent] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for part, expected in _EXPECTED.items():
            value = getattr(self, part)
            if not fits(part, value) and not (part == "features" and value is None):
                raise fail(part, expected, value, misplaced(part, value))
        if isinstance(self.features, FeatureMatrix):
            self.features.check(self.inputs)
        if isinstance(self.features, GivenFeatures) and self.inputs.dimension not in (None, self.features.dimension):
            raise fail("weights[0]", f"of {self.inputs.dimension} rows, the dimension of the inputs", self.features.weights[0])
        if isinstance(self.learner, str):
            raise fail("learner", "a learner such as BayesOptimal() or Ridge(0.1), not its name", self.learner)
        if isinstance(self.learner, Sequence):
            object.__setattr__(self, "learner", tuple(self.learner))
        if not self.learners:
            raise fail("learner", "a learner or a non-empty sequence of learners", self.learner)
        for learner in self.learners:
            if not fits("learner", learner):
                raise fail("learner", "a learner such as BayesOptimal() or Ridge(0.1)", learner, misplaced("learner", learner))
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

    def sees_features(self, learner: Any) -> bool:
        """Whether a learner is trained on the problem's features (True) or on the raw inputs."""
        return self.features is not None and not getattr(learner, "sees_inputs", False)

    def equivalent(self, d: int | None = None) -> GaussianEquivalent:
        """The Gaussian equivalent, in the limit or with the eigenvalues that a simulation of size d uses.

        With features it is the students' one if all learners see them; `equivalent_of` gives that of one learner.
        """
        return self._equivalent(all(self.sees_features(learner) for learner in self.learners), d)

    def equivalent_of(self, learner: Any, d: int | None = None) -> GaussianEquivalent:
        """The equivalent that one learner sees."""
        penalty = getattr(learner, "penalty", None)
        if getattr(penalty, "name", "") == "quadratic":
            return self._under_form(penalty, d)
        return self._equivalent(self.sees_features(learner), d)

    def validity(self, n: int | None = None, d: int | None = None, widths: int | Sequence[int] | None = None) -> Promise:
        """Which hypotheses of the theorem the target and its inputs meet, and what the theorem promises at n samples, d inputs and widths.

        The rate (1 + sqrt(n/d_m) + n/d_m)/sqrt(d_m), d_m = min(d, widths), for every reduced layer and for all of them; see `Promise`.

        Parameters
        ----------
        n, d : int, optional
            Training samples and input dimension (data and covariance matrices fix it). Without them: hypotheses and scaling, no numbers.
        widths : int or sequence of int, optional
            Widths of the hidden layers; by default those that a simulation of the target uses.

        Returns
        -------
        Promise, which prints words and has `to_dict()`.

        Raises
        ------
        ArgumentError : n without d, or widths that do not fit the target's depth.

        Validity: theorem under the hypotheses listed, isotropic Gaussian inputs and Bayes-optimal learning (Camilli, Tieplova, Bergamin,
        Barbier 2025, Theorems 1, 2 and 4, Corollary 3).

        Examples
        --------
        >>> promise = Problem(DeepNetwork("tanh", depth=2, noise=0.1)).validity(n=1000, d=1000)
        >>> promise.validity.status, promise.smallest, round(promise.rate, 6)
        ('theorem', 1000, 0.094868)
        """
        n = None if n is None else integer("n", n, minimum=1, meaning="n is the number of training samples.")
        d = self.inputs.dimension if d is None else integer("d", d, minimum=1, meaning="d is the input dimension.")
        if self.inputs.dimension not in (None, d):
            raise fail("d", f"{self.inputs.dimension}, the dimension of the inputs", d)
        if d is None and (n is not None or widths is not None):
            raise fail("d", "given together with n and widths", d, "d is the input dimension.")
        if widths is not None and not hasattr(self.target, "widths"):
            raise fail("widths", "left out for a target without hidden layers", widths)
        target = self.target if widths is None else replace(self.target, widths=widths, activations=self.target.layers)
        return promise(assess(self.inputs, self.target), n, d, () if d is None or target.depth == 0 else target.widths_at(d))

    def _under_form(self, penalty: Any, d: int | None) -> GaussianEquivalent:
        """The equivalent in the coordinates v = Gamma^(-1/2) x, in which the penalty w' Gamma w is the plain |w|^2."""
        if self.features is not None:
            raise fail("penalty", "l2 for features and kernels", penalty.name)
        root = penalty.root
        size = root.shape[0]
        if d not in (None, size) or self.inputs.dimension not in (None, size):
            raise fail("penalty", f"a quadratic form of dimension {d or self.inputs.dimension}, that of the inputs", root)
        back = np.diag(1 / root) if root.ndim == 1 else np.linalg.inv(root).T
        key = (penalty.to_dict()["digest"], size)
        if key not in self._equivalents:
            found = from_features(self.inputs, self.target, GivenFeatures([back], activations="linear"), size)
            self._equivalents[key] = replace(found, form=key[0])
        return self._equivalents[key]

    def _equivalent(self, features: bool, d: int | None) -> GaussianEquivalent:
        d = d if d is not None else getattr(self.features, "dimension", None)
        if not features:
            return from_network(self.inputs, self.target, d)
        if d not in self._equivalents:  # sampled features cost an eigendecomposition
            self._equivalents[d] = from_features(self.inputs, self.target, self.features, d)
        return self._equivalents[d]

    def with_parameter(self, name: str, value: Any) -> Problem:
        """The same problem with one field of its target, inputs, features or (single) learner replaced; used by sweeps.

        The first owner of the name has it; "features.depth" names the owner, too, and "prior.density" a field of the target's prior.
        """
        return replaced(self, name, value)

    def to_dict(self) -> dict[str, Any]:
        """A description that JSON, TOML and saved results carry. Functions are kept by name, matrices by shape and digest."""
        learners = [learner.to_dict() for learner in self.learners]
        features = {} if self.features is None else {"features": self.features.to_dict()}
        return {
            "target": self.target.to_dict(),
            "inputs": _inputs_dict(self.inputs),
            **features,
            "learner": learners if isinstance(self.learner, tuple) else learners[0],
        }


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
    description: Mapping[str, Any],
    *,
    inputs: Any = None,
    features: Any = None,
    functions: Mapping[str, Callable[[Any], Any]] | None = None,
) -> Problem:
    """Build a problem from `Problem.to_dict`, a TOML file or the command line.

    `inputs` replaces the description's inputs, which a data or covariance matrix needs, `features` its features, which given weights and
    feature matrices need; `functions` gives user activations and kernel functions by their saved names.
    """
    known = ("target", "inputs", "features", "learner")
    for key in description:
        if key not in known:
            raise ArgumentError(f"Argument `problem` must have the sections {', '.join(known)}, but has {key!r}.{did_you_mean(key, known)}")
    target = dict(_table("target", description.get("target", {})))
    kind = choice("kind", target.pop("kind", "deep"), tuple(TARGETS))
    if kind == "deep":
        target["activations"] = _named_activations(target.get("activations", ("tanh",)), functions or {})
    elif isinstance(target.get("prior"), str):
        target["prior"] = (functions or {}).get(target["prior"], target["prior"])
    if isinstance(target.get("labels"), str):
        target["labels"] = (functions or {}).get(target["labels"], target["labels"])
    built = _build(TARGETS[kind], "target", target)
    given = inputs if inputs is not None else _inputs_from(dict(_table("inputs", description.get("inputs", {}))))
    if features is None and description.get("features") is not None:
        features = _features_from(dict(_table("features", description["features"])), functions or {})
    learner = description.get("learner", {"name": "bayes"})
    if isinstance(learner, Mapping) or isinstance(learner, str):
        return Problem(built, given, _learner_from(learner), features)
    if not isinstance(learner, Sequence):
        raise fail("learner", "a section with a name, or a list of them", learner)
    return Problem(built, given, tuple(_learner_from(one) for one in learner), features)


def _named_activations(names: Any, functions: Mapping[str, Callable[[Any], Any]]) -> Any:
    """Functions in place of the names under which a saved description keeps them."""
    if isinstance(names, str):
        return functions.get(names, names)
    return tuple(functions.get(name, name) for name in names) if isinstance(names, Sequence) else names


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
    assumed: Any = options.get("assumes")
    if isinstance(assumed, Mapping):
        options["assumes"] = _build(DeepNetwork, "assumes", dict(assumed))
    return _build(LEARNERS[name], "learner", options)


def _build(cls: type, section: str, options: dict[str, Any]) -> Any:
    known = [f.name for f in fields(cls) if f.init]
    for key in options:
        if key not in known:
            raise ArgumentError(
                f"Argument `{section}` has no field {key!r}.{did_you_mean(key, known)} Known: {', '.join(known) or 'none'}."
            )
    return cls(**options)
