r"""Priors P0 of a target's independent weights: a draw, and the posterior under a Gaussian observation.

The posterior of x ~ P0 seen through b = A x + sqrt(A) z has the density P0(x) exp(b x - A x^2/2)/Z(A, b): its log Z, mean ("denoiser")
and variance, the first two derivatives of log Z in b, are all that message passing and state evolution need.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.adopted import LeftOut, original
from gaussequiv.numerics.soft_threshold import Mixture


class ScalarPosterior(NamedTuple):
    """log Z(A, b), posterior mean and variance."""

    log_partition: FloatArray
    mean: FloatArray
    variance: FloatArray


Posterior = ScalarPosterior  # its name of before


class Prior:
    """Law of one weight. Message passing asks for `second_moment` and `posterior`; exact curves for all but `sample`.

    Attributes
    ----------
    name : str
        How files name it.
    second_moment : float
        E x^2.
    largest : float
        |x| beyond which the law has no mass to double precision.
    """

    @cached_property
    def name(self) -> str:
        return type(original(self)).__name__

    @cached_property
    def second_moment(self) -> float:
        raise self.lacks("second_moment")

    @cached_property
    def largest(self) -> float:
        raise self.lacks("largest")

    def sample(self, rng: np.random.Generator, size: Any) -> FloatArray:
        """Independent draws."""
        raise self.lacks("sample")

    def posterior(self, A: FloatArray | float, b: FloatArray | float) -> ScalarPosterior:
        """log Z, mean and variance under exp(b x - A x^2/2); arguments broadcast."""
        raise self.lacks("posterior")

    def log_marginal(self, r: float, b: FloatArray) -> FloatArray:
        """log density of b = r x + sqrt(r) z: log Z(r, b) - b^2/(2 r) - log(2 pi r)/2, without cancellation."""
        raise self.lacks("log_marginal")

    def breaks(self, r: float) -> FloatArray:
        """Values of b near which the posterior at A = r changes fast; by default 0."""
        return np.zeros(1)

    def mixture(self, places: FloatArray, width: FloatArray) -> Mixture:
        """The law as a mixture of Gaussians, for penalties with kinks.

        A continuous law is a mixture of points, one set for each of `places`, shape (points, places), that resolves averages of functions
        which bend within `width`, shape (points,), of them.
        """
        raise self.lacks("mixture")

    def lacks(self, member: str) -> LeftOut:
        """The error for a member that this prior leaves out."""
        return LeftOut(
            f"Argument `prior` must be one with `{member}` for this, but is {self.name}: {type(original(self)).__name__} leaves out what "
            f"{__name__} lists."
        )
