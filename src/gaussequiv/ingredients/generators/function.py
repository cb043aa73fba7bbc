r"""`FunctionGenerator`: any function of Gaussian latents, a trained network for one, with moments estimated from its samples."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from gaussequiv._memory import FLOAT, require_memory
from gaussequiv._progress import watched
from gaussequiv._text import name_of
from gaussequiv.errors import LARGEST_MOMENT, AccuracyWarning, ArgumentError, FloatArray, fail, integer, number
from gaussequiv.ingredients.generators.base import DrawnGenerator, Generator, GeneratorMoments
from gaussequiv.ingredients.generators.callables import Rows, as_rows
from gaussequiv.ingredients.generators.streamed_moments import streamed_moments
from gaussequiv.numerics.keys import MOMENTS

PILOT = 256  # rows in which outputs that never vary are looked for
STILL = 1e-12  # deviation, relative to the largest one, below which an output does not vary
DIGITS = 4  # in the digest
SETTINGS = ("normalise", "tolerance", "max_samples", "seed")  # what a description keeps beside the function and its latents


@dataclass(frozen=True, eq=False)
class FunctionGenerator(Generator, DrawnGenerator):
    r"""x = G(c) for any function G of latents c ~ N(0, I_D): Gaussian equivalence through Omega = Cov(x) and Phi = Cov(x, c).

    Parameters
    ----------
    function : callable
        (rows, D) -> (rows, N), or (rows, height, width, ...), which is flattened: a function of NumPy or JAX arrays, or a PyTorch module,
        which must be in evaluation mode and runs where it is, on its own device. It must be deterministic, row by row. An Equinox module
        (or any JAX function with ``batched=False``) maps one latent vector.
    latent_dim : int
        D.
    batched : bool, optional
        Whether it maps many latents at once. Default: True, but False for Equinox modules.
    name : str
        For cards and saved files; default: that of the function.
    normalise : bool
        Divide the outputs by one number, so that tr(Omega)/N = 1.
    tolerance : float
        Relative error (Frobenius norm) of Omega and Phi at which sampling stops; it is estimated from two halves of the samples.
        Curves are less sensitive: at 0.01, eight seeds of digits-vae (of unit variance) differ by 0.06% (standard deviation) in the errors
        of ridge regression at alpha = 0.5, 2 and 8, and by 0.23, 0.04 and 0.04% in those of `OnlineSGD` at t = 1, 10 and 100.
    max_samples : int
        Where sampling stops in any case (but some 8 D are drawn), with an `AccuracyWarning` if the tolerance was not reached.
    seed : int
        Of those samples.
    cache : path of a folder, optional
        Where moments are kept under the generator's digest (of its outputs at a few latents), while they are sampled and afterwards: a
        call that was killed goes on where it was, a later one finds them.

    Attributes
    ----------
    dimension : int
        N, without outputs that never vary.
    dropped : tuple of int
        Those outputs: the same at 256 random latents.

    Validity: of the equivalence, Goldt, Loureiro, Reeves, Krzakala, Mezard, Zdeborova 2020: a theorem for one random layer, a conjecture
    with experiments for trained and deep generators; worse where few latents or outputs dominate. `diagnose` measures it.

    Examples
    --------
    >>> F = np.random.default_rng(0).standard_normal((40, 10))
    >>> generator = FunctionGenerator(lambda c: np.tanh(c @ F.T / np.sqrt(10)), latent_dim=10)
    >>> generator.dimension, generator.moments().phi.shape
    (40, (40, 10))
    """

    function: Any = field(repr=False)
    latent_dim: int
    batched: bool | None = None
    name: str = ""
    normalise: bool = False
    tolerance: float = 0.01
    max_samples: int = 1_000_000
    seed: int = 0
    cache: Any = None
    dimension: int = field(init=False, default=0)
    dropped: tuple[int, ...] = field(init=False, default=())
    _rows: Any = field(init=False, repr=False, default=None)
    _kept: Any = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        D = integer("latent_dim", self.latent_dim, minimum=1, meaning="latent_dim is D, the number of the latents.")
        object.__setattr__(self, "latent_dim", D)
        object.__setattr__(self, "tolerance", number("tolerance", self.tolerance, positive=True))
        object.__setattr__(self, "max_samples", integer("max_samples", self.max_samples, minimum=1))
        object.__setattr__(self, "seed", integer("seed", self.seed, minimum=0))
        if self.cache is not None and (not isinstance(self.cache, (str, os.PathLike)) or Path(self.cache).is_file()):
            raise fail("cache", "a folder, or None", self.cache)
        for name, allowed in (("normalise", (bool,)), ("batched", (bool, type(None))), ("name", (str,))):
            if not isinstance(vars(self)[name], allowed):
                raise fail(name, " or ".join(kind.__name__ for kind in allowed).replace("NoneType", "None"), vars(self)[name])
        rows: Rows = as_rows(self.function, D, self.batched)
        pilot = rows(np.random.default_rng((self.seed, MOMENTS)).standard_normal((PILOT, D)))
        largest = float(np.abs(pilot).max())
        if largest > 0 and not 1 / LARGEST_MOMENT < largest < LARGEST_MOMENT:
            raise ArgumentError(
                f"Argument `function` must have outputs whose size is from {1 / LARGEST_MOMENT:g} to {LARGEST_MOMENT:g}, but the largest "
                f"is {largest:.3g}: divide them by a number."
            )
        spread = pilot.std(axis=0)
        varies = spread > STILL * max(float(spread.max()), largest)
        if not varies.any():
            raise ArgumentError("Argument `function` must have outputs that vary with the latents, but all of them are constant.")
        object.__setattr__(self, "_rows", rows)
        object.__setattr__(self, "_kept", None if varies.all() else np.flatnonzero(varies))
        object.__setattr__(self, "dimension", int(varies.sum()))
        object.__setattr__(self, "dropped", tuple(int(i) for i in np.flatnonzero(~varies)))
        object.__setattr__(self, "name", self.name or name_of(self.function))
        require_memory(6.0 * FLOAT * self.dimension * (self.dimension + D), "function", f"{self.dimension} outputs", "its covariances")

    def __str__(self) -> str:
        dropped = f"; {len(self.dropped)} constant outputs dropped" if self.dropped else ""
        return f"{self.name}, {self.latent_dim} latents, {self.dimension} outputs" + dropped

    def draw(self, size: int, rng: np.random.Generator) -> DrawnGenerator:
        if size != self.dimension:
            raise fail("N", f"{self.dimension}, the outputs of the generator that vary", size)
        return self

    def raw(self, latents: FloatArray) -> FloatArray:
        """Outputs that vary, in the function's own units."""
        rows: FloatArray = self._rows(latents)
        return rows if self._kept is None else rows[:, self._kept]

    def outputs(self, latents: FloatArray) -> FloatArray:
        return self.raw(latents) / self.scale if self.normalise else self.raw(latents)

    @cached_property
    def scale(self) -> float:
        """What outputs are divided by: 1, or sqrt(tr Omega/N) of the function's own outputs."""
        return float(np.sqrt(np.trace(self._estimated.omega) / self.dimension)) if self.normalise else 1.0

    @cached_property
    def digest(self) -> str:
        """Of random sums and sizes of the outputs at a few latents, to 4 digits, and of the dimensions: few numbers, so that single
        precision, which rounds in its own way on every processor, seldom counts.
        """
        rng = np.random.default_rng(self.latent_dim)
        values = self.raw(rng.standard_normal((4, self.latent_dim)))
        mean, directions = values.mean(axis=0), rng.standard_normal((self.dimension, 2))
        size = float(np.linalg.norm(values - mean))
        rounded = np.rint((values - mean) @ directions / size * 10**DIGITS).astype(np.int64)
        words = " ".join(f"{number:.{DIGITS - 1}e}" for number in (size, float(np.linalg.norm(mean))))
        return hashlib.sha256(rounded.tobytes() + f"{self.latent_dim} {self.dimension} {words}".encode()).hexdigest()[:16]

    @cached_property
    def _estimated(self) -> GeneratorMoments:
        path = None if self.cache is None else Path(self.cache) / f"moments-{self.digest}-{self.seed}.npz"
        with watched(f"moments of {self.name}", None, wait=1.0) as bar:
            found = streamed_moments(
                self.raw,
                self.dimension,
                self.latent_dim,
                tolerance=self.tolerance,
                max_samples=self.max_samples,
                seed=self.seed,
                path=path,
                header={"digest": self.digest},
                tell=None if bar is None else self._told(bar),
            )
        error = max(found.omega_error, found.phi_error)
        if error > self.tolerance:
            warnings.warn(
                f"The moments of {self.name} have a relative error of {error:.2g} after {found.samples} samples, more than the tolerance "
                f"{self.tolerance:g}; a larger max_samples makes it smaller.",
                AccuracyWarning,
                stacklevel=2,
            )
        return found

    def _told(self, bar: Callable[[float, float, str], None]) -> Callable[[int, float], None]:
        """A bar up to the samples that the tolerance will need, as errors fall like the inverse root of their number."""
        known = [np.inf, float(self.max_samples)]  # the last error, and what it asks for

        def tell(samples: int, error: float) -> None:
            if error != known[0]:
                known[:] = error, min(float(self.max_samples), samples * max(error / self.tolerance, 1.0) ** 2)
            bar(samples, known[1], f"error {error:.2g}" if np.isfinite(error) else "first samples")

        return tell

    def moments(self) -> GeneratorMoments:
        """Mean, Omega and Phi, estimated once."""
        found = self._estimated
        if not self.normalise:
            return found
        return found._replace(mean=found.mean / self.scale, omega=found.omega / self.scale**2, phi=found.phi / self.scale)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "function", "name": self.name, "N": self.dimension, "digest": self.digest} | {
            key: vars(self)[key] for key in ("latent_dim", *SETTINGS)
        }
