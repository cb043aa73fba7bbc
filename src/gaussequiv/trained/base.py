r"""`Architecture`: a generator x = G(c), c ~ N(0, I_D), whose weights training finds, and the loss that training makes small."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from gaussequiv.errors import FloatArray, fail, integer
from gaussequiv.trained.layers import Weights


@dataclass(frozen=True)
class Architecture:
    """What the kinds share. Rows are in units in which the data run from 0 to 1.

    Parameters
    ----------
    shape : tuple of int
        Of one row of the data: (N,), or (height, width) of an image.
    latent_dim : int
        D.

    Attributes
    ----------
    kind : str
        Its name.
    steps : int
        Of training, where they are not given.
    learning_rate, weight_decay : float
        Of AdamW: where the rate begins, and the decay of weights (not of biases).
    """

    shape: tuple[int, ...]
    latent_dim: int

    kind: ClassVar[str] = ""
    steps: ClassVar[int] = 10_000
    learning_rate: ClassVar[float] = 1e-3
    weight_decay: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.shape, (tuple, list)) or len(self.shape) not in (1, 2):
            raise fail("shape", "(N,) or (height, width)", self.shape)
        object.__setattr__(self, "shape", tuple(integer("shape", size, minimum=1) for size in self.shape))
        integer("latents", self.latent_dim, minimum=1, meaning="latents is D, the number of the latents.")

    @classmethod
    def of_rows(cls, rows: FloatArray, shape: tuple[int, ...], latents: int | None) -> Architecture:
        """That for these rows, of shape (rows, N)."""
        raise NotImplementedError(f"{cls.__name__} has no `of_rows`.")

    @property
    def dimension(self) -> int:
        """N."""
        return int(np.prod(self.shape))

    def initial(self, rows: FloatArray, rng: np.random.Generator) -> Weights:
        """Weights that training on these rows begins with."""
        raise NotImplementedError(f"{type(self).__name__} has no `initial`.")

    def loss(self, weights: Weights, rows: Any, key: Any) -> Any:
        """What training makes small, in nats for a row and up to a constant: rows (batch, N), traced by JAX."""
        raise NotImplementedError(f"{type(self).__name__} has no `loss`.")

    def generate(self, weights: Weights, latents: Any, xp: Any) -> Any:
        """Latents (rows, D) to rows (rows, N); `xp` is NumPy or jax.numpy."""
        raise NotImplementedError(f"{type(self).__name__} has no `generate`.")

    def to_dict(self) -> dict[str, Any]:
        """Its fields, for JSON."""
        return {"kind": self.kind} | asdict(self) | {"shape": list(self.shape)}
