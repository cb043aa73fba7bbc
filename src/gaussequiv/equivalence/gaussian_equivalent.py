"""`GaussianEquivalent`: the Gaussian model with the same low-order moments, from which every learner's curve follows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from gaussequiv.equivalence.depth import DepthReduction, Layer, PartialReduction, reduce_depth, reduce_partially
from gaussequiv.equivalence.offsets import END, WIDEST, Bend, offset_nodes, spaced_offsets
from gaussequiv.equivalence.validity import Validity, assess
from gaussequiv.errors import FloatArray, fail
from gaussequiv.ingredients.channels import given
from gaussequiv.ingredients.channels.gaussian import GaussianNoise
from gaussequiv.ingredients.inputs.base import Inputs
from gaussequiv.ingredients.priors import named as priors
from gaussequiv.ingredients.priors.named import Gaussian
from gaussequiv.ingredients.targets.deep_network import DeepNetwork


@dataclass(frozen=True, eq=False)
class GaussianEquivalent:
    r"""Local field = b0 + sqrt(signal) theta.x/sqrt(d) + Gaussian noise, seen by a student through inputs or features of covariance Omega.

    The student's field is z = w.v/sqrt(p) + c, v its p inputs or features, and its equations hold in n/p = alpha/aspect. A kernel is a
    student of aspect 1 with an independent feature of variance `nugget` for every sample: lam counts as lam + nugget in ridge, and V
    gains nugget/lam.

    Attributes
    ----------
    eigenvalues, weights : arrays of shape (modes,)
        Spectrum of Omega and the mass of each mode (they sum to 1).
    alignment : array of shape (modes,)
        p (u_i . c)^2, c the covariance of student input and target field: for raw inputs, slope^2 times eigenvalue^2.
    signal_variance : float
        Variance of the linear part of the target's field.
    effective_noise : array of shape (layers,)
        Variance that each layer's nonlinear part adds. Label noise is not in it.
    offset_variance : float
        Variance over targets of the constant part b0.
    channel : Channel
        P(y given field); it carries the label noise, once.
    aspect : float
        Student dimension over input dimension, p/d.
    nugget : float
        What a kernel's diagonal has beyond its linear part; 0 for inputs and explicit features.
    offset : float or None
        A given b0, or None for the average over its Gaussian law.
    layers : tuple of Layer
        What each hidden layer does, for the card and `plot.layers`.
    validity : Validity
        Which hypotheses of the theorem hold.
    inputs : str
        The input law in words, for the card.
    input_mean_square : float
        |mean|^2/p of the student's inputs or features. When it is not zero that direction serves as an intercept at no cost.
    student : str
        The student's features in words, for the card; empty for raw inputs.
    prior : Prior or None
        Law of the target's weights; None for the Gaussian one, which every deep network has.
    rotated : bool
        Whether the inputs' modes are other directions than the coordinates in which the weights are independent.
    form : str
        Digest of a quadratic penalty that was absorbed into the student's coordinates, v = Gamma^(-1/2) x: there it is |w|^2.
    """

    eigenvalues: FloatArray
    weights: FloatArray
    alignment: FloatArray
    signal_variance: float
    effective_noise: FloatArray
    offset_variance: float
    channel: Any  # a Channel; labels -1 and +1: `Binary`; other functions of the field: `Output`
    aspect: float = 1.0
    offset: float | None = None
    layers: tuple[Layer, ...] = ()
    validity: Validity | None = None
    inputs: str = ""
    input_mean_square: float = 0.0
    nugget: float = 0.0
    form: str = ""
    student: str = ""
    prior: Any = None
    rotated: bool = False
    _source: tuple[DeepNetwork, float, float] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "channel", given.get(self.channel, ("task",), "channel"))
        object.__setattr__(self, "prior", None if self.prior is None else priors.get(self.prior))

    @cached_property
    def signal_modes(self) -> FloatArray:
        """Variance that each mode of the inputs carries in the target's field: alignment/eigenvalue, shape (modes,)."""
        positive = self.eigenvalues > 0
        return np.divide(self.alignment, self.eigenvalues, out=np.zeros_like(self.alignment), where=positive)

    @cached_property
    def unexplained(self) -> float:
        """Part of the signal that no linear student can reach (0 for raw inputs and kernels)."""
        rest = self.signal_variance - float(self.weights @ self.signal_modes)
        return rest if rest > 1e-12 * self.signal_variance else 0.0

    @cached_property
    def model_noise(self) -> float:
        """Variance of the target's field that acts as noise for a linear student, label noise apart."""
        return float(np.sum(self.effective_noise)) + self.unexplained

    @cached_property
    def noise(self) -> float:
        """tau: effective noise of all layers plus label noise."""
        return self.model_noise + self.channel.noise

    @cached_property
    def rho(self) -> float:
        """Variance of the target's field about its constant part, label noise inside."""
        return float(self.weights @ self.signal_modes) + self.noise

    @cached_property
    def slope2(self) -> float:
        """s = signal_variance / mean(eigenvalues); 0 for a student without a linear part."""
        mean = float(self.weights @ self.eigenvalues)
        return self.signal_variance / mean if mean > 0 else 0.0

    @cached_property
    def matched(self) -> bool:
        """Whether every mode carries signal in proportion to its eigenvalue: raw inputs and kernels, not features."""
        linear = float(self.weights @ self.signal_modes)
        share = linear / float(self.weights @ self.eigenvalues) if linear > 0 else 0.0
        return bool(np.allclose(self.signal_modes, share * self.eigenvalues, rtol=1e-12, atol=0))

    @property
    def lam_optimal(self) -> float:
        """tau/s - nugget, the ridge penalty of the posterior mean in regression; infinite when there is no signal.

        Other real labels: the penalty that is best for the square loss with an intercept, with their noise Var y - c1^2 mean(v) for tau and
        c1^2 s for s, c1 the slope of their mean.
        Negative for a kernel whose nugget exceeds tau/s. nan where the best penalty depends on alpha: features, and such labels averaged
        over an offset.
        """
        if not self.matched:
            return float("nan")
        noise, slope = self.noise, 1.0
        if self.channel.task == "regression" and not isinstance(self.channel, GaussianNoise):
            if self.random_offset:
                return float("nan")
            linear = float(self.weights @ self.signal_modes)
            labels = self.channel.label_moments(np.array([self.offset or 0.0]), linear + self.model_noise)
            slope = float(labels.slope[0])
            noise = max(float(labels.scatter[0]) - slope**2 * linear, 0.0) + float(labels.noise[0])
        strength = slope**2 * self.slope2
        return noise / strength - self.nugget if strength > 0 else np.inf

    @property
    def has_offset(self) -> bool:
        """Whether the target has a constant part to be learned with an intercept."""
        return self.offset_variance > 0 if self.offset is None else self.offset != 0

    @cached_property
    def parity(self) -> str:
        """That of the label law, see `Channel.parity`, over all fields that count."""
        deviation = float(np.sqrt(self.offset_variance) + np.sqrt(float(self.weights @ self.signal_modes) + self.model_noise))
        return str(self.channel.parity(END * deviation + abs(self.offset or 0.0)))

    def folds(self, alike: bool = True) -> bool:
        """Whether errors are even in b0: those of any learner of even labels (-b0 turns its weights round), and of odd ones those of
        learners that treat both signs of (field, label) `alike`.
        """
        return self.parity == "even" or (alike and self.parity == "odd")

    def offset_nodes(
        self, *, even: bool | None = None, smooth: int | None = None, bent: bool = True, bends: tuple[Bend, ...] = ()
    ) -> tuple[FloatArray, FloatArray]:
        """Values of b0 and their weights: the law of the offset, or the given one; b0 >= 0 where averages are `even` (None: `folds()`)."""
        even = self.folds() if even is None else even
        return offset_nodes(self.offset_variance, self.offset, even=even, smooth=smooth, bent=bent, bends=bends)

    def spaced_offsets(self, *, even: bool, step: float) -> tuple[FloatArray, FloatArray]:
        """Values of a random b0 at equal steps and their weights, for averages that vary with b0 as smoothly as the field."""
        rho = float(self.weights @ self.signal_modes) + self.model_noise
        return spaced_offsets(self.offset_variance, rho, even=even, step=step)

    @property
    def random_offset(self) -> bool:
        """Whether the constant part is random, and not given."""
        return self.offset is None and self.offset_variance > 0

    @property
    def smooth_offset(self) -> bool:
        """Whether it is random and varies little enough beside the field for equal steps; beyond, labels may vary near 0 alone."""
        return self.random_offset and self.offset_variance <= WIDEST * (float(self.weights @ self.signal_modes) + self.model_noise)

    @cached_property
    def floor(self) -> float:
        """The error for alpha -> infinity that no student beats at n ~ d, in the units of `test_error`."""
        b0, mass = self.offset_nodes()
        linear = float(self.weights @ self.signal_modes)
        return float(self.channel.bayes_error(linear, self.model_noise, b0) @ mass)

    def with_offset(self, offset: float | None) -> GaussianEquivalent:
        """The same equivalent, conditioned on b0 = `offset` (None: averaged over its law)."""
        return replace(self, offset=offset)

    def partial(self, keep: int) -> PartialReduction:
        """Keep the `keep` lowest layers and replace the others by one linear map and one noise."""
        if self._source is None:
            raise TypeError("partial() needs an equivalent that was reduced from a deep network")
        return reduce_partially(*self._source, keep)

    def card(self) -> str:
        """The equivalent in words and numbers."""
        from gaussequiv.equivalence.card import render

        return render(self)

    def __str__(self) -> str:
        return self.card()


def from_network(inputs: Inputs, network: Any, d: int | None = None) -> GaussianEquivalent:
    """Reduce a deep network on given inputs, or on latents behind them, to its Gaussian equivalent, at size d or in the limit."""
    if inputs.seen_by_target is not inputs:
        return _from_latents(inputs, network, d)
    eigenvalues, weights = inputs.modes(d)
    variance = float(weights @ eigenvalues)
    if variance <= 0:
        raise fail("d", "large enough for the spectrum to have a positive eigenvalue", d)
    rotated = not inputs.independent
    prior = None if isinstance(network.prior, (Gaussian, type(None))) else network.prior
    if prior is not None and (rotated or inputs.mean_square > 0):
        mean = float(prior.posterior(0.0, 0.0).mean)
        if abs(mean) > 1e-9 * np.sqrt(prior.second_moment):  # then E w w' is not isotropic
            raise fail("prior", "of zero mean on inputs with a mean or correlated coordinates", prior.name)
    reduction: DepthReduction = reduce_depth(network, variance, inputs.mean_square)
    return GaussianEquivalent(
        eigenvalues=eigenvalues,
        weights=weights,
        alignment=reduction.slope2 * eigenvalues**2,
        signal_variance=reduction.slope2 * variance,
        effective_noise=np.array(reduction.noise, dtype=np.float64),
        offset_variance=reduction.offset_variance,
        channel=network.channel,
        offset=network.offset,
        layers=reduction.layers,
        validity=assess(inputs, network),
        inputs=str(inputs),
        input_mean_square=inputs.mean_square,
        prior=prior,
        rotated=rotated,
        _source=(network, variance, inputs.mean_square),
    )


def _from_latents(inputs: Inputs, network: Any, d: int | None) -> GaussianEquivalent:
    """The target's own half from the law of what it sees, the student's from the inputs."""
    seen = from_network(inputs.seen_by_target, network)
    eigenvalues, weights = inputs.modes(d)
    return replace(
        seen,
        eigenvalues=eigenvalues,
        weights=weights,
        alignment=seen.slope2 * inputs.overlap(d),
        validity=assess(inputs, network),
        inputs=str(inputs),
        input_mean_square=inputs.mean_square,
        rotated=True,
    )
