"""Independent weights of one law, each with its own scale: what message passing and state evolution ask of a prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.equivalence.prior_side import Independent
from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.adopted import missing
from gaussequiv.ingredients.priors import named as priors
from gaussequiv.ingredients.priors.base import Prior


class Moments(NamedTuple):
    """Posterior mean and variance of every weight."""

    mean: FloatArray
    variance: FloatArray


@dataclass(frozen=True)
class ScaledPrior:
    r"""theta_i = scale_i x_i with x_i independent draws of one prior (None: standard Gaussian).

        E[theta | A, b] = scale eta(A scale^2, b scale),   Var = scale^2 var(A scale^2, b scale)

    under the density proportional to P(theta) exp(b theta - A theta^2/2).

    Parameters
    ----------
    scale : float or array of shape (d,) or (modes,)
    prior : Prior, optional

    Examples
    --------
    >>> ScaledPrior(np.array([1.0, 2.0])).posterior(1.0, np.ones(2)).mean.tolist()
    [0.5, 0.8]
    """

    scale: Any
    prior: Any = None

    @classmethod
    def of(cls, prior: Any, scale: Any = 1.0) -> ScaledPrior:
        """An array of variances (Gaussian), a Prior, or None (standard Gaussian), times `scale`."""
        if isinstance(prior, ScaledPrior):
            return cls(prior.scale * scale, prior.prior)
        if prior is None or isinstance(prior, Prior):
            return cls(scale, prior)
        if not missing(prior, ("posterior",)):  # a user's class
            return cls(scale, priors.get(prior))
        return cls(np.sqrt(np.asarray(prior, dtype=np.float64)) * scale)

    @property
    def second_moment(self) -> FloatArray:
        """E theta_i^2, of the shape of `scale`."""
        return np.asarray(self.scale**2 * (1.0 if self.prior is None else self.prior.second_moment))

    def posterior(self, A: FloatArray | float, b: FloatArray) -> Moments:
        """Mean and variance of every theta_i; A and b broadcast."""
        if self.prior is None:
            v = np.square(self.scale)
            variance = v / (1 + A * v)
            return Moments(variance * b, np.broadcast_to(variance, np.shape(b)))
        found = self.prior.posterior(A * np.square(self.scale), b * self.scale)
        return Moments(self.scale * found.mean, np.square(self.scale) * found.variance)

    def split(self, A: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Overlap and mean posterior variance at b = A theta + sqrt(A) z, averaged over scales of these weights, for every entry of A."""
        scale2 = np.broadcast_to(np.square(self.scale), np.shape(weights))
        signal = np.asarray(A, dtype=np.float64)[..., None] * scale2
        if self.prior is None:
            left = scale2 / (1 + signal)
            return (signal * left) @ weights, left @ weights
        known, left = scalar_overlap(self.prior, signal)
        return (scale2 * known) @ weights, (scale2 * left) @ weights


def scalar_overlap(prior: Any, r: FloatArray) -> tuple[FloatArray, FloatArray]:
    """E eta^2 and E var of x ~ prior seen through b = r x + sqrt(r) z, for every entry of r; they sum to E x^2.

    Examples
    --------
    >>> from gaussequiv.ingredients.priors.named import Rademacher
    >>> known, left = scalar_overlap(Rademacher(), np.array([0.0, 1.0]))
    >>> known.round(8).tolist(), (known + left).round(12).tolist()
    ([0.0, 0.55040049], [1.0, 1.0])
    """
    side = Independent(prior, 1.0)
    values, back = np.unique(np.ravel(r), return_inverse=True)
    found = [side.at(float(value)) for value in values]
    known, left = np.array([one.q for one in found])[back], np.array([one.left for one in found])[back]
    return known.reshape(np.shape(r)), left.reshape(np.shape(r))


def equivalent_prior(equivalent: GaussianEquivalent, w: FloatArray) -> ScaledPrior:
    """Prior of the equivalent's theta in whitened coordinates of variances w: E theta_i^2 = s w_i."""
    prior = equivalent.prior
    moment = 1.0 if prior is None else prior.second_moment
    return ScaledPrior(np.sqrt(equivalent.slope2 * w / moment), prior)
