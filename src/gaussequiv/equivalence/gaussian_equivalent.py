"""`GaussianEquivalent`: the Gaussian model with the same low-order moments, from which every learner's curve follows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from gaussequiv.equivalence.depth import DepthReduction, Layer, PartialReduction, reduce_depth, reduce_partially
from gaussequiv.equivalence.offsets import offset_nodes
from gaussequiv.equivalence.validity import Validity, assess
from gaussequiv.errors import FloatArray, fail
from gaussequiv.ingredients.channels import Channel
from gaussequiv.ingredients.inputs import Inputs
from gaussequiv.ingredients.networks import DeepNetwork
from gaussequiv.numerics.orthant import aligned_disagreement, standardise


@dataclass(frozen=True, eq=False)
class GaussianEquivalent:
    r"""Local field = b0 + sqrt(signal) theta.x/sqrt(d) + Gaussian noise, seen by a student through inputs of covariance Omega.

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
        Student dimension over input dimension.
    offset : float or None
        A given b0, or None for the average over its Gaussian law.
    layers : tuple of Layer
        What each hidden layer does, for the card and `plot.layers`.
    validity : Validity
        Which hypotheses of the theorem hold.
    inputs : str
        The input law in words, for the card.
    input_mean_square : float
        |mean|^2/d of the student's inputs. When it is not zero that direction serves as an intercept at no cost.
    """

    eigenvalues: FloatArray
    weights: FloatArray
    alignment: FloatArray
    signal_variance: float
    effective_noise: FloatArray
    offset_variance: float
    channel: Channel
    aspect: float = 1.0
    offset: float | None = None
    layers: tuple[Layer, ...] = ()
    validity: Validity | None = None
    inputs: str = ""
    input_mean_square: float = 0.0
    _source: tuple[DeepNetwork, float, float] | None = field(default=None, repr=False)

    @cached_property
    def signal_modes(self) -> FloatArray:
        """Variance that each mode of the inputs carries in the target's field: alignment/eigenvalue, shape (modes,)."""
        positive = self.eigenvalues > 0
        return np.divide(self.alignment, self.eigenvalues, out=np.zeros_like(self.alignment), where=positive)

    @cached_property
    def unexplained(self) -> float:
        """Part of the signal that no linear student can reach (0 for raw inputs)."""
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
        """s = signal_variance / mean(eigenvalues)."""
        return self.signal_variance / float(self.weights @ self.eigenvalues)

    @property
    def lam_optimal(self) -> float:
        """tau/s, the ridge penalty of the posterior mean (raw inputs, regression); infinite when there is no signal."""
        return self.noise / self.slope2 if self.slope2 > 0 else np.inf

    @property
    def has_offset(self) -> bool:
        """Whether the target has a constant part to be learned with an intercept."""
        return self.offset_variance > 0 if self.offset is None else self.offset != 0

    def offset_nodes(self) -> tuple[FloatArray, FloatArray]:
        """Values of b0 >= 0 and their weights: the law of the offset, or the given one."""
        return offset_nodes(self.offset_variance, self.offset)

    @cached_property
    def floor(self) -> float:
        """The error for alpha -> infinity that no student beats at n ~ d, in the units of `test_error`."""
        if self.channel.task == "regression":
            return self.noise
        b0, mass = self.offset_nodes()
        linear = float(self.weights @ self.signal_modes)
        ratio = np.sqrt(self.noise / linear) if linear > 0 else np.inf
        return float(aligned_disagreement(standardise(b0, self.rho), ratio) @ mass)

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


def from_network(inputs: Inputs, network: DeepNetwork, d: int | None = None) -> GaussianEquivalent:
    """Reduce a deep network on given inputs to its Gaussian equivalent, at size d or in the limit."""
    eigenvalues, weights = inputs.modes(d)
    variance = float(weights @ eigenvalues)
    if variance <= 0:
        raise fail("d", "large enough for the spectrum to have a positive eigenvalue", d)
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
        _source=(network, variance, inputs.mean_square),
    )
