r"""Variational autoencoders with a dense decoder or one of transposed convolutions; the generator is the decoder's mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from gaussequiv.errors import ArgumentError, FloatArray, integer, number
from gaussequiv.trained.base import Architecture
from gaussequiv.trained.layers import Weights, dense, initial_dense, initial_transposed, sigmoid, transposed_convolution

LATENTS = 16
LEAST_ERROR = 1e-6  # mean squared error of a pixel at which the loss stops rewarding


@dataclass(frozen=True)
class Variational(Architecture):
    r"""Trained on the evidence lower bound with the decoder's variance at its optimum (sigma-VAE), its divergence times `beta`:

        loss = N/2 log mean_i (x_i - G_i(c))^2 + beta KL(N(m, diag s^2) || N(0, I_D)),   c = m + s z,   z ~ N(0, I_D),

    where an encoder of two hidden layers of `width` ReLU units gives m and log s^2 from x.

    Validity: latents are N(0, I_D), but what the encoder makes of the data is so only in part. More beta brings the two together, so that
    more of what is generated looks like data, and leaves more of the data's variance out: outputs vary less than the data do.

    Source: Kingma, Welling 2014; beta: Higgins et al. 2017; variance: Rybkin, Daniilidis, Levine 2021.
    """

    width: int = 128
    beta: float = 3.0

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("width", self.width, minimum=1)
        number("beta", self.beta, positive=True)

    @classmethod
    def of_rows(cls, rows: FloatArray, shape: tuple[int, ...], latents: int | None) -> Architecture:
        return cls(shape, LATENTS if latents is None else latents)

    def initial(self, rows: FloatArray, rng: np.random.Generator) -> Weights:
        sizes = (self.dimension, self.width, self.width, 2 * self.latent_dim)
        return initial_dense(rng, "encoder", sizes, last=0.1) | self.initial_decoder(rng)

    def initial_decoder(self, rng: np.random.Generator) -> Weights:
        """The generator's own weights."""
        raise NotImplementedError(f"{type(self).__name__} has no `initial_decoder`.")

    def loss(self, weights: Weights, rows: Any, key: Any) -> Any:
        import jax
        import jax.numpy as jnp

        mean, log_variance = jnp.split(dense(weights, "encoder", rows, 3, jnp), 2, axis=1)
        z = jax.random.normal(key, mean.shape, mean.dtype)
        decoded = self.generate(weights, mean + jnp.exp(0.5 * log_variance) * z, jnp)
        error = jnp.mean((rows - decoded) ** 2)
        divergence = 0.5 * jnp.sum(mean**2 + jnp.exp(log_variance) - 1 - log_variance, axis=1)
        return 0.5 * self.dimension * jnp.log(error + LEAST_ERROR) + self.beta * jnp.mean(divergence)


@dataclass(frozen=True)
class DenseDecoder(Variational):
    """D latents, two hidden layers of `width` ReLU units, N sigmoids.

    Examples
    --------
    >>> architecture = DenseDecoder(shape=(8, 8), latent_dim=4)
    >>> weights = architecture.initial(np.zeros((1, 64)), np.random.default_rng(0))
    >>> architecture.generate(weights, np.zeros((3, 4)), np).shape
    (3, 64)
    """

    kind: ClassVar[str] = "vae"

    def initial_decoder(self, rng: np.random.Generator) -> Weights:
        return initial_dense(rng, "decoder", (self.latent_dim, self.width, self.width, self.dimension))

    def generate(self, weights: Weights, latents: Any, xp: Any) -> Any:
        return sigmoid(dense(weights, "decoder", latents, 3, xp), xp)


@dataclass(frozen=True)
class ConvolutionalDecoder(Variational):
    """D latents, a dense layer to images of h x w pixels and 2 `channels`, and transposed convolutions (4 x 4, stride 2) to `channels` and
    to one: ReLU between layers, sigmoids at the end. h and w are a quarter of the data's, rounded up; what is beyond the data is cut off.

    Layers as in DCGAN (Radford, Metz, Chintala 2016), without batch norm; the encoder trains them, and no discriminator.

    Examples
    --------
    >>> architecture = ConvolutionalDecoder(shape=(8, 6), latent_dim=4)
    >>> weights = architecture.initial(np.zeros((1, 48)), np.random.default_rng(0))
    >>> architecture.generate(weights, np.zeros((3, 4)), np).shape
    (3, 48)
    """

    channels: int = 32

    kind: ClassVar[str] = "conv"
    steps: ClassVar[int] = 8_000

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("channels", self.channels, minimum=1)
        if len(self.shape) != 2:
            raise ArgumentError(
                f"Argument `data` must be images for kind='conv': shape (rows, height, width), or (rows, N) with a square N, but a row has "
                f"shape {self.shape}."
            )

    @property
    def coarse(self) -> tuple[int, int]:
        """h and w."""
        return -(-self.shape[0] // 4), -(-self.shape[1] // 4)

    def initial_decoder(self, rng: np.random.Generator) -> Weights:
        h, w = self.coarse
        below = initial_dense(rng, "decoder.dense", (self.latent_dim, h * w * 2 * self.channels))
        return below | initial_transposed(rng, "decoder.transposed", (2 * self.channels, self.channels, 1))

    def generate(self, weights: Weights, latents: Any, xp: Any) -> Any:
        images = dense(weights, "decoder.dense", latents, 1, xp).reshape(-1, *self.coarse, 2 * self.channels)
        for i in range(2):
            name = f"decoder.transposed.{i}"
            images = transposed_convolution(xp.maximum(images, 0), weights[f"{name}.weight"], xp) + weights[f"{name}.bias"]
        height, width = self.shape
        return sigmoid(images[:, :height, :width, 0].reshape(-1, self.dimension), xp)
