"""`Generator`: inputs x = G(c) in R^N of latents c ~ N(0, I_D), and the moments that the Gaussian equivalence asks of them."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np

from gaussequiv.errors import AccuracyWarning, ArgumentError, FloatArray

FAINT = 1e-13  # of the largest eigenvalue: smaller ones are rounding
NEGATIVE = 1e-9  # of the largest eigenvalue: below less than this no covariance is
ASYMMETRIC = 1e-9  # of the largest entry


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


def checked_moments(drawn: DrawnGenerator) -> GeneratorMoments:
    """The moments of a drawn generator, of anybody's.

    Raises
    ------
    ArgumentError : other shapes, numbers that are not finite, an Omega that is not symmetric or zero.
    """
    found = drawn.moments()
    N, D = drawn.dimension, drawn.latent_dim
    for name, shape in (("mean", (N,)), ("omega", (N, N)), ("phi", (N, D))):
        value = np.asarray(found._asdict()[name])
        if value.shape != shape:
            raise ArgumentError(f"Argument `generator` must have moments `{name}` of shape {shape}, but its shape is {value.shape}.")
        if not np.all(np.isfinite(value)):
            raise ArgumentError(f"Argument `generator` must have finite moments, but {np.sum(~np.isfinite(value))} of `{name}` are not.")
    largest = float(np.abs(found.omega).max())
    if not largest > 0 or float(np.abs(found.omega - found.omega.T).max()) > ASYMMETRIC * largest:
        raise ArgumentError("Argument `generator` must have a symmetric covariance `omega` that is not zero, but has not.")
    return found


def checked_outputs(drawn: DrawnGenerator, latents: FloatArray) -> FloatArray:
    """x = G(c) of a drawn generator, of anybody's: rows of N finite numbers.

    Raises
    ------
    ArgumentError : another shape, or outputs that are not finite.
    """
    x = np.asarray(drawn.outputs(latents), dtype=np.float64)
    if x.shape != (shape := (len(latents), drawn.dimension)):
        raise ArgumentError(f"Argument `generator` must give outputs of shape {shape}, but their shape is {x.shape}.")
    if not np.all(np.isfinite(x)):
        bad = int(np.sum(~np.isfinite(x)))
        raise ArgumentError(f"Argument `generator` must give finite outputs, but {bad} of {x.size} at random latents are not.")
    return x


def non_negative(values: FloatArray, samples: int) -> FloatArray:
    """Eigenvalues of Omega, ascending, those of rounding set to 0.

    Warns
    -----
    AccuracyWarning : eigenvalues far below 0, which count as 0; or fewer samples than outputs, which leave no more than so many above 0.
    """
    largest = float(values[-1])
    if (count := int(np.sum(values < -NEGATIVE * largest))) > 0:
        source = f"moments of {samples} samples" if samples else "approximate moments"
        warnings.warn(
            f"The covariance of the generator's outputs has {count} negative eigenvalues of {values.size}, down to "
            f"{float(values[0]) / largest:.2g} of the largest: {source}. They count as 0.",
            AccuracyWarning,
            stacklevel=2,
        )
    elif 0 < samples < values.size:
        warnings.warn(
            f"The covariance of the generator's {values.size} outputs is that of {samples} samples, of which {values.size - samples} "
            "eigenvalues or more are 0 for that reason alone. More samples (tolerance, max_samples), or SampledInputs for given rows.",
            AccuracyWarning,
            stacklevel=2,
        )
    return np.where(values < FAINT * largest, 0.0, values)
