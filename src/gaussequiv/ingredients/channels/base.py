"""Laws P(y | local field) of the labels, which alone carry the label noise: what a channel has, in the three roles that there are.

    BinaryLabel    y = -1 or +1 with P(y = +1 | field)                 Binary, Sign
    RealOutput     y = f(field) + noise                                GaussianNoise, Output, AbsoluteValue, Relu
    Likelihood     real or discrete labels of any P(y | field)         Quantised, Poisson, LogLikelihood, RandomOutput

A channel inherits from its role (`QuadratureChannel` does most of the work for real labels), gives `sample` and of the other members what
its use asks for: one that it leaves out has the default below, or raises an `ArgumentError` that names it. Callers ask for the role by
`isinstance` and read the declared attributes. `omega` and `V` are mean and variance of a Gaussian field, q is the variance of omega, and b0
or `offset` its mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv.errors import FloatArray, fail
from gaussequiv.ingredients.adopted import LeftOut, original
from gaussequiv.ingredients.channels.label_atoms import LabelAtoms
from gaussequiv.ingredients.channels.label_moments import LabelMoments
from gaussequiv.ingredients.channels.links import Smoothed
from gaussequiv.ingredients.channels.parity import parity_of

if TYPE_CHECKING:  # import paths of release 0.1.0, which stay valid
    from gaussequiv.ingredients.channels.gaussian import GaussianNoise as GaussianNoise
    from gaussequiv.ingredients.channels.sign import Sign as Sign

Field = FloatArray | float
FAR = 9.0  # field up to which a function of it is looked at


class Channel:
    """What every label law has.

    Attributes
    ----------
    task : {"regression", "classification"}
    noise : float
        Variance of the label noise that `with_noise` changes.
    symmetric : bool
        Whether (-field, -y) has the law of (field, y): errors of symmetric learners are then even in the offset.
    odd : bool
        Whether the label is an odd function of the field, noise apart: a hypothesis of the theorem.
    direction : int
        +1 where larger fields make larger labels likelier or nothing is said of it; of binary labels also -1 (smaller) and 0 (neither).
    """

    task: str
    noise: float = 0.0
    symmetric: bool = False
    direction: int = 1

    @property
    def odd(self) -> bool:
        return self.symmetric

    def parity(self, reach: float) -> str:
        """Of the law over fields up to `reach`: "odd" where (-field, -y) has the law of (field, y), "even" where (-field, y) has it, or
        "none".
        """
        return "odd" if self.symmetric else "none"

    def sample(self, rng: np.random.Generator, field: FloatArray) -> FloatArray:
        """Draw a label for every field."""
        raise self.lacks("sample")

    # --- message passing: one label at a time
    def log_partition(self, y: FloatArray, omega: FloatArray, V: Field) -> FloatArray:
        """log Z = log E P(y | z), z ~ N(omega, V)."""
        raise self.lacks("log_partition")

    def g_out(self, y: FloatArray, omega: FloatArray, V: Field) -> tuple[FloatArray, FloatArray]:
        """g = d log Z/d omega and dg/d omega."""
        raise self.lacks("g_out")

    def threshold(self, V: FloatArray) -> FloatArray:
        """omega at which both binary labels are equally likely; 0 for real labels."""
        return np.zeros_like(np.asarray(V, float))

    def with_noise(self, noise: float) -> Any:
        """The same law with another variance of its label noise."""
        raise fail("noise", "left as it is: these labels have no noise variance", str(self))

    # --- Bayes-optimal curves: averages over omega ~ N(offset, q) and the label
    def fisher(self, q: FloatArray, V: FloatArray, offset: Field) -> FloatArray:
        """E sum_y Z g^2."""
        raise self.lacks("psi and fisher")

    def psi(self, q: Field, V: Field, offset: Field = 0.0) -> FloatArray:
        """E sum_y Z log Z, nats."""
        raise self.lacks("psi and fisher")

    def quadrature_error(self, q: float, V: float, offset: float) -> float:
        """Relative error of `psi` and `fisher`; 0 for closed forms."""
        return 0.0

    def bayes_error(self, linear: Field, rest: Field, b0: Field) -> FloatArray:
        """Least error given the linear part (variance `linear`) of a field whose other part has variance `rest`; arguments broadcast."""
        raise self.lacks("bayes_error")

    def lacks(self, member: str) -> LeftOut:
        """The error for a member that this channel leaves out."""
        return LeftOut(
            f"Argument `labels` must be a channel with {member} for this, but is {self}: "
            f"{type(original(self)).__name__} leaves out what {__name__} lists."
        )


class BinaryLabel(Channel):
    """y = -1 or +1. `Binary` has all of it for any link; `probability` and `edges` serve convex learners.

    Attributes
    ----------
    mirrored : bool
        Whether the `edges` of y = -1, as places of y omega, are those of y = +1.
    """

    task = "classification"
    mirrored: bool = True

    def probability(self, y: Field, omega: FloatArray, V: Field) -> Smoothed:
        """P(y) for a field ~ N(omega, V), with three derivatives in omega."""
        raise self.lacks("probability")

    def up(self, omega: FloatArray, V: Field) -> Smoothed:
        """P(y = +1)."""
        return self.probability(1.0, omega, V)

    def down(self, omega: FloatArray, V: Field) -> Smoothed:
        """P(y = -1)."""
        return self.probability(-1.0, omega, V)

    def both(self, omega: FloatArray, V: Field) -> tuple[Smoothed, Smoothed]:
        """P(y = +1) and P(y = -1)."""
        return self.up(omega, V), self.down(omega, V)

    def edges(self, V: FloatArray) -> FloatArray:
        """Panel ends in omega that resolve P(y | omega), shape V.shape + (edges,)."""
        raise self.lacks("edges")

    def disagreement(self, c: FloatArray, q: FloatArray, m: FloatArray, b0: FloatArray, rho: FloatArray) -> FloatArray:
        """P(y != sign(z)) for a student score z ~ N(c, q) of covariance m with the field ~ N(b0, rho)."""
        raise self.lacks("disagreement")

    def likelier(self, omega: FloatArray, V: Field) -> FloatArray:
        """The likelier label, +1 where both are equally likely."""
        return np.where(self.up(omega, V).value >= 0.5, 1.0, -1.0)


class RealLabel(Channel):
    """Real labels: moments given the field, and of a Gaussian field.

    Attributes
    ----------
    kinks : tuple of float
        Fields at which the law is not smooth.
    """

    task = "regression"
    kinks: tuple[float, ...] = ()

    def mean_label(self, z: FloatArray) -> FloatArray:
        """E[y | field]."""
        return self.predict(z, 0.0)

    def label_variance(self, z: FloatArray) -> FloatArray:
        """Var[y | field]."""
        raise self.lacks("label_variance")

    def predict(self, omega: FloatArray, V: Field) -> FloatArray:
        """E y for a field ~ N(omega, V)."""
        raise self.lacks("predict")

    # --- convex learners
    def label_moments(self, b0: FloatArray, variance: float) -> LabelMoments:
        """Mean, slope in b0 and variance of a label whose field is N(b0, variance): what the square loss sees."""
        raise self.lacks("label_moments, as every QuadratureChannel has them,")

    def atoms(self, b0: float, variance: float) -> LabelAtoms:
        """Weighted pairs of a field ~ N(b0, variance) and its label: what other losses see."""
        raise self.lacks("label_moments and atoms, as every QuadratureChannel has them,")

    def residual_atoms(self, b0: float, variance: float) -> LabelAtoms:
        """As `atoms`, of labels that may follow the field: what losses of the residual see."""
        return self.atoms(b0, variance)

    # --- parts of the Bayes error
    def label_noise(self, variance: Field, b0: Field) -> FloatArray:
        """E Var[y | field] for a field ~ N(b0, variance); arguments broadcast, as those of `field_error`."""
        raise self.lacks("label_noise")

    def field_error(self, linear: Field, rest: Field, b0: Field) -> FloatArray:
        """E Var[E[y | field] | omega]: what of the least mean squared error is not the label's own noise."""
        raise self.lacks("field_error")


class RealOutput(RealLabel):
    """y = f(field) + noise: called on fields, it gives f."""

    def __call__(self, z: FloatArray) -> FloatArray:
        raise self.lacks("__call__")

    @property
    def odd(self) -> bool:
        return parity_of(self, FAR) == "odd"


class Likelihood(RealLabel):
    """Any law of real or discrete labels, told by its log-likelihood."""

    def log_likelihood(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """log P(y | z); arguments broadcast."""
        raise self.lacks("log_likelihood")

    def label_nodes(self, low: float, high: float) -> tuple[FloatArray, FloatArray]:
        """Nodes and weights of int dy (or of the sum over y) for fields between low and high."""
        raise self.lacks("label_nodes")
