"""`Learner`: what theory and trials ask of a learner, and nothing else.

    a learner = its exact curve on an equivalent (`solve`) + its fit of a finite sample (`fit`) + what it declares about itself

Required are `name`, `solve` and `fit`. Everything else is a declaration with a default: a class that inherits from `Learner`
overrides what is true of it. An object that inherits from nothing is taken with what it has, and the defaults for the rest (`as_learner`).
`gaussequiv.testing.check_learner` says whether a learner keeps the contract and whether its declarations are true.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from gaussequiv.curve import Curve, Observable, as_curve
from gaussequiv.errors import ArgumentError, FloatArray, fail
from gaussequiv.ingredients.adopted import adopted, missing, original
from gaussequiv.learners.observables import COMMON, RANKING
from gaussequiv.numerics.keys import Key
from gaussequiv.numerics.ranges import Range
from gaussequiv.numerics.status import Status
from gaussequiv.samples.measured_rows import MeasuredRows
from gaussequiv.samples.training_sample import LinearPredictor

if TYPE_CHECKING:
    from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent


class Gives(NamedTuple):
    """What a learner's curves and fits say beyond errors."""

    ranking: bool = False  # auc on labels, in its curve or with `scores=True`
    probabilities: bool = False  # P(y = +1) of a row (`probability`): log_loss, brier, calibration_error, in its curve or as above
    unasked: bool = False  # all of these are in its curve without `scores=True`, and every trial measures them
    margins: bool = False  # distributions of margins over rows, from the saddle point of its `risk`
    sensitivities: bool = True  # derivatives of its curve; by default differences, for curves that are solved to rounding


class Risk(NamedTuple):
    """The convex empirical risk sum_mu s(y_mu) loss(y_mu, field) + lam penalty(w) that a learner minimises."""

    loss: Any
    penalty: Any
    intercept: bool | None = None  # of an unpenalised constant; None: where the target has one
    class_weight: Mapping[int, float] | None = None
    sample_weight: Any = None  # law of further weights, pairs of weight and fraction


class Tunable(NamedTuple):
    """A number that may vary: its value now (or a word such as "optimal"), and its range."""

    value: float | str
    range: Range


class Predictor(Protocol):
    """What `fit` gives: a field linear in the student's row (inputs, features, or kernel values at the training rows), and how the fit
    went. `LinearPredictor` has it all; of an object of another class only `coefficients` and `intercept` are required."""

    @property
    def coefficients(self) -> FloatArray:
        """Of the student's row."""

    @property
    def intercept(self) -> float:
        """The constant."""

    @property
    def lam(self) -> float:
        """Penalty of the fit, nan without one."""

    @property
    def status(self) -> Status:
        """How the fit went, with `steps` and `residual`."""

    @property
    def steps(self) -> int:
        """Steps of the solver."""

    @property
    def residual(self) -> float:
        """Relative violation of what was solved."""

    @property
    def variance(self) -> float:
        """Of the field that a posterior leaves unknown, nan for others."""

    @property
    def threshold(self) -> float:
        """Subtracted from a posterior mean, so that the likelier label is the sign."""

    @property
    def loss(self) -> Any:
        """What was minimised, hyperparameters included; None for others."""

    @property
    def response(self) -> Any:
        """Field to predicted label; None where it is the field itself."""

    def __call__(self, rows: FloatArray) -> FloatArray:
        """The field of a block of rows, intercept included."""


@runtime_checkable
class Learner(Protocol):
    """A learner with an exact curve and a finite-size twin. A declaration is overridden by an attribute or a property of its name."""

    name: str  # the word for files, and the entry of `parts` that builds it again

    @cached_property
    def label(self) -> str:
        """The words for figures and for the coordinate `learner`, in which the learners of a problem differ; by default the name."""
        return self.name

    @cached_property
    def words(self) -> Mapping[str, Observable]:
        """Words and units of its observables."""
        return COMMON

    @cached_property
    def citations(self) -> tuple[str, ...]:
        """Keys of the papers behind its curve."""
        return ()

    @cached_property
    def gives(self) -> Gives:
        """What it says beyond errors."""
        return Gives()

    @cached_property
    def risk(self) -> Risk | None:
        """The convex empirical risk that it minimises, if it does."""
        return None

    @cached_property
    def sees_inputs(self) -> bool:
        """Whether it sees the inputs also in a problem whose other students see features."""
        return False

    @cached_property
    def is_bayes_optimal(self) -> bool:
        """Whether it is the posterior mean of the target's own law, which message passing computes."""
        return False

    @cached_property
    def assumes(self) -> Any:
        """The network that it believes in, where that is not the target."""
        return None

    @cached_property
    def tunable(self) -> Mapping[str, Tunable]:
        """Its numbers that may vary, by name."""
        return {}

    @cached_property
    def family(self) -> str | None:
        """The name under which the committed table of finite-size biases has fits of it, if any."""
        return None

    @abstractmethod
    def solve(self, equivalent: GaussianEquivalent, alpha: FloatArray) -> Curve:
        """The exact curve at every alpha = n/d, with at least `test_error` and `status`. A point does not depend on its neighbours; one
        that cannot be solved has another status than converged. A plain mapping from names to arrays does as well."""

    @abstractmethod
    def fit(self, sample: Any, equivalent: GaussianEquivalent, key: Key = None) -> Predictor:
        """The fit of a `TrainingSample` or `KernelSample`. All that is random comes from `key`, a generator."""

    def to_dict(self) -> dict[str, Any]:
        """The description that saved results carry, for JSON: by default `name` and the fields of a dataclass."""
        given: Learner = original(self)
        return {"name": self.name} | (asdict(given) if is_dataclass(given) else {})

    def with_hyperparameter(self, name: str, value: float) -> Learner:
        """The same learner with one of `tunable` replaced; by default a field of a dataclass."""
        given: Learner = original(self)
        if not is_dataclass(given):
            raise ArgumentError(f"{self.label} declares `{name}` tunable and must say how it is replaced: write `with_hyperparameter`.")
        return as_learner(replace(given, **{name: value}))

    def fits_intercept(self, equivalent: GaussianEquivalent) -> bool:
        """Whether an unpenalised constant is fitted on this target."""
        return equivalent.has_offset

    def sensitivity(self, equivalent: GaussianEquivalent, alpha: FloatArray, names: tuple[str, ...]) -> dict[str, Mapping[str, Any]]:
        """d(observable)/d(parameter) of every named parameter: a tunable one whose value is a number, or one of the equivalent."""
        from gaussequiv.learners.differences import by_differences

        return {name: by_differences(self, equivalent, alpha, name) for name in names}

    def label_scores(self, equivalent: GaussianEquivalent, alpha: FloatArray, curve: Curve) -> Mapping[str, Any]:
        """What `scores=True` adds to the curve on binary labels."""
        return {}

    def probability(self, fit: Predictor, field: FloatArray, channel: Any) -> FloatArray | None:
        """P(y = +1) that a fit says of rows with these fields; `channel` is the target's label law. None: it says none."""
        return None

    def measured(self, task: str) -> tuple[str, ...]:
        """Names of what `measure` gives, beyond errors and order parameters."""
        return tuple(RANKING) if task == "classification" else ()

    def measure(self, fit: Predictor, rows: MeasuredRows) -> dict[str, Any]:
        """Observables of one fit on fresh and training rows: by default the ranking of fresh labels by its field."""
        from gaussequiv.samples.empirical import label_scores

        return label_scores(rows.channel, rows.y, rows.field, None) if rows.channel.task == "classification" else {}

    def place(self, equivalent: GaussianEquivalent, lam: float) -> dict[str, float]:
        """Coordinates, beside the problem's own, that tell whether a fit of `family` covers this learner."""
        return {}


REQUIRED = ("name", "solve", "fit")


def as_learner(value: Any, hint: str = "") -> Learner:
    """The learner, or an object with the required members as one, with defaults for what it does not declare.

    Raises
    ------
    ArgumentError : required members are missing, which it names.
    """
    lacks = missing(value, REQUIRED)
    if isinstance(value, type) or {"solve", "fit"} <= set(lacks) or (lacks and hint):
        raise fail("learner", "a learner such as BayesOptimal() or Ridge(0.1)", value, hint)
    if lacks:
        raise ArgumentError(
            f"Argument `learner` must be a learner, but {type(value).__name__} has no `{'`, no `'.join(lacks)}`: inherit from "
            f"gaussequiv.learners.base.Learner, which asks for {', '.join(REQUIRED)} and gives the rest."
        )
    learner: Learner = adopted(value, Learner, REQUIRED, "learner")
    return learner


def as_predictor(found: Any) -> Predictor:
    """What `fit` gave as a predictor: a `LinearPredictor` as it is, another object by its members of the same names.

    Raises
    ------
    ArgumentError : it has no `coefficients` or no `intercept`.
    """
    if isinstance(found, LinearPredictor):
        return found
    if not (hasattr(found, "coefficients") and hasattr(found, "intercept")):
        raise ArgumentError(
            f"A learner's `fit` must give a gaussequiv.samples.training_sample.LinearPredictor, or an object with `coefficients` and "
            f"`intercept`, but gives {type(found).__name__}."
        )
    known = {one.name: getattr(found, one.name) for one in fields(LinearPredictor) if hasattr(found, one.name)}
    return LinearPredictor(**known | {"coefficients": np.asarray(known["coefficients"], dtype=np.float64)})


def curve_of(learner: Learner, equivalent: GaussianEquivalent, alpha: FloatArray) -> Curve:
    """A learner's checked curve, with its own words; the one place where a plain mapping becomes a `Curve`."""
    curve = as_curve(learner.solve(equivalent, alpha))
    curve.labels = dict(learner.words) | curve.labels
    return curve.finished(alpha.size)
