r"""Priors P0 of a target's independent weights: a draw, and the posterior under a Gaussian observation.

The posterior of x ~ P0 seen through b = A x + sqrt(A) z has the density P0(x) exp(b x - A x^2/2)/Z(A, b): its log Z, mean ("denoiser")
and variance, the first two derivatives of log Z in b, are all that message passing and state evolution need.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.numerics.soft_threshold import Mixture


class ScalarPosterior(NamedTuple):
    """log Z(A, b), posterior mean and variance."""

    log_partition: FloatArray
    mean: FloatArray
    variance: FloatArray


Posterior = ScalarPosterior  # its name of before


class Prior(Protocol):
    """Law of one weight. User classes with these members work everywhere."""

    @property
    def name(self) -> str:
        """How files name it."""
        ...

    @property
    def second_moment(self) -> float:
        """E x^2."""
        ...

    @property
    def largest(self) -> float:
        """|x| beyond which the law has no mass to double precision."""
        ...

    def sample(self, rng: np.random.Generator, size: Any) -> FloatArray:
        """Independent draws."""
        ...

    def posterior(self, A: FloatArray | float, b: FloatArray | float) -> ScalarPosterior:
        """log Z, mean and variance under exp(b x - A x^2/2); arguments broadcast."""
        ...

    def log_marginal(self, r: float, b: FloatArray) -> FloatArray:
        """log density of b = r x + sqrt(r) z: log Z(r, b) - b^2/(2 r) - log(2 pi r)/2, without cancellation."""
        ...

    def breaks(self, r: float) -> FloatArray:
        """Values of b near which the posterior at A = r changes fast."""
        ...

    def mixture(self, places: FloatArray, width: FloatArray) -> Mixture:
        """The law as a mixture of Gaussians, for penalties with kinks.

        A continuous law is a mixture of points, one set for each of `places`, shape (points, places), that resolves averages of functions
        which bend within `width`, shape (points,), of them.
        """
        ...
