r"""A normalising flow of affine couplings, RealNVP: as many latents as outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from gaussequiv.errors import ArgumentError, FloatArray, fail, integer, number
from gaussequiv.trained.base import Architecture
from gaussequiv.trained.layers import Weights, dense, initial_dense, sigmoid

EDGE = 0.05  # the logit is that of EDGE + (1 - 2 EDGE) x, finite at 0 and 1
LEVELS = 256  # values that data may have and still count as quantised
GOLDEN = 0.5 * (1 + np.sqrt(5.0))


@dataclass(frozen=True)
class RealNVP(Architecture):
    r"""x = sigmoid(m + s f_K(...f_1(c))), c ~ N(0, I_N), trained by maximum likelihood; m and s (by pixel) are trained, too. A coupling

        f(c) = (a, exp(g(a)) b + t(a)),   |g| < 1,

    leaves a half a of the coordinates and moves the other, b, by a network of two hidden layers of `width` ReLU units; halves differ from
    coupling to coupling. Data of at most 256 values have uniform noise of their `step` added, others of 1/256 of their range; outputs keep
    that noise.

    Validity: maximum likelihood overfits small data: with the 1,797 digits rows that were left out are less likely than those trained on.

    Source: Dinh, Sohl-Dickstein, Bengio 2017.

    Examples
    --------
    >>> flow = RealNVP(shape=(8, 8), latent_dim=64, step=1 / 16)
    >>> weights = flow.initial(np.random.default_rng(0).random((10, 64)), np.random.default_rng(1))
    >>> flow.generate(weights, np.zeros((3, 64)), np).shape
    (3, 64)
    """

    step: float = 1 / LEVELS
    couplings: int = 8
    width: int = 128

    kind: ClassVar[str] = "flow"
    steps: ClassVar[int] = 3_000
    weight_decay: ClassVar[float] = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        number("step", self.step, positive=True)
        integer("couplings", self.couplings, minimum=1)
        integer("width", self.width, minimum=1)
        if self.dimension < 2:
            raise ArgumentError("Argument `data` must have at least 2 columns for kind='flow', but it has 1.")
        if self.latent_dim != self.dimension:
            raise fail("latents", f"{self.dimension}, the dimension of the data, for kind='flow'", self.latent_dim)

    @classmethod
    def of_rows(cls, rows: FloatArray, shape: tuple[int, ...], latents: int | None) -> Architecture:
        values = np.unique(rows)
        step = float(np.diff(values).min()) if values.size <= LEVELS else 1 / LEVELS
        return cls(shape, rows.shape[1] if latents is None else latents, step)

    def halves(self, k: int) -> tuple[Any, Any]:
        """Coordinates that coupling k leaves, and those that it moves: the stripes of a fixed shuffle, and every second time the others."""
        order = np.argsort(np.arange(1, self.dimension + 1) * (k // 2 + 1) * GOLDEN % 1)
        half = self.dimension // 2
        return (order[:half], order[half:]) if k % 2 == 0 else (order[half:], order[:half])

    def initial(self, rows: FloatArray, rng: np.random.Generator) -> Weights:
        y = self._logit(rows, rng.random(rows.shape), np)
        weights: Weights = {"mean": y.mean(axis=0), "log_scale": np.log(y.std(axis=0))}
        for k in range(self.couplings):
            left, moved = self.halves(k)
            weights |= initial_dense(rng, f"coupling.{k}", (left.size, self.width, self.width, 2 * moved.size), last=0.01)
        return weights

    def _logit(self, rows: Any, noise: Any, xp: Any) -> Any:
        """Dequantised data on the real line; noise is uniform in [0, 1)."""
        x = EDGE + (1 - 2 * EDGE) * (rows + self.step * noise) / (1 + self.step)
        return xp.log(x) - xp.log1p(-x)

    def _coupling(self, weights: Weights, k: int, left: Any, xp: Any) -> tuple[Any, Any]:
        found = dense(weights, f"coupling.{k}", left, 3, xp)
        half = found.shape[1] // 2
        return xp.tanh(found[:, :half]), found[:, half:]

    def loss(self, weights: Weights, rows: Any, key: Any) -> Any:
        import jax
        import jax.numpy as jnp

        y = self._logit(rows, jax.random.uniform(key, rows.shape, rows.dtype), jnp)
        c = (y - weights["mean"]) * jnp.exp(-weights["log_scale"])
        spread = jnp.sum(weights["log_scale"])
        for k in reversed(range(self.couplings)):
            left, moved = self.halves(k)
            g, t = self._coupling(weights, k, c[:, left], jnp)
            c = c.at[:, moved].set((c[:, moved] - t) * jnp.exp(-g))
            spread = spread + jnp.sum(g, axis=1)
        return jnp.mean(0.5 * jnp.sum(c**2, axis=1) + spread)

    def generate(self, weights: Weights, latents: Any, xp: Any) -> Any:
        c = latents
        for k in range(self.couplings):
            left, moved = self.halves(k)
            g, t = self._coupling(weights, k, c[:, left], xp)
            together = xp.concatenate([c[:, left], xp.exp(g) * c[:, moved] + t], axis=1)
            c = together[:, np.argsort(np.concatenate([left, moved]))]
        x = (sigmoid(weights["mean"] + xp.exp(weights["log_scale"]) * c, xp) - EDGE) / (1 - 2 * EDGE)
        return (1 + self.step) * x - 0.5 * self.step  # the noise about 0
