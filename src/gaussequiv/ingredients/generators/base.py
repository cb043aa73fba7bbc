"""`Generator`: inputs x = G(c) in R^N of latents c ~ N(0, I_D), and the moments that the Gaussian equivalence asks of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gaussequiv.errors import FloatArray


class GeneratorMoments(NamedTuple):
    """E x, shape (N,); Omega = Cov(x), shape (N, N); Phi = Cov(x, c), shape (N, D).

    Where they were estimated: relative errors (Frobenius norms; Phi's in units of sqrt(tr Omega)) and the number of samples, else 0.
    """

    mean: FloatArray
    omega: FloatArray
    phi: FloatArray
    omega_error: float = 0.0
    phi_error: float = 0.0
    samples: int = 0


class DrawnGenerator:
    """One generator, its weights given.

    Attributes
    ----------
    dimension, latent_dim : int
        N and D.
    isotropic : bool
        Whether Omega and Phi are identities, so that nobody needs the matrices.
    """

    dimension: int
    latent_dim: int
    isotropic: bool = False

    def outputs(self, latents: FloatArray) -> FloatArray:
        """x = G(c), not centred: latents of shape (rows, D) to rows of shape (rows, N)."""
        raise NotImplementedError(f"{type(self).__name__} has no `outputs`.")

    def moments(self) -> GeneratorMoments:
        """Mean, Omega and Phi."""
        raise NotImplementedError(f"{type(self).__name__} has no `moments`.")


class Generator:
    """A law of generators: `draw` one of N outputs.

    Attributes
    ----------
    dimension : int or None
        N, where the generator fixes it.
    """

    dimension: int | None = None

    def draw(self, size: int, rng: np.random.Generator) -> DrawnGenerator:
        """One generator of N = size outputs; all that is random comes from `rng`."""
        raise NotImplementedError(f"{type(self).__name__} has no `draw`.")

    def to_dict(self) -> dict[str, Any]:
        """A description that JSON keeps."""
        raise NotImplementedError(f"{type(self).__name__} has no `to_dict`.")
