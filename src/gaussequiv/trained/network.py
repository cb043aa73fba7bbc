"""`TrainedNetwork`: an architecture with its weights, as a function of latents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.trained.base import Architecture
from gaussequiv.trained.layers import Weights

ROWS = 256  # that are mapped at a time: what they need stays in the cache


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """x = low + (high - low) G(c): latents (rows, D) to rows (rows, N), by NumPy, in float64.

    Attributes
    ----------
    architecture : Architecture
    weights : dict of arrays
    low, high : float
        Least and largest value of the data.
    training : dict
        What was trained on and how: data, rows, steps, seed.
    losses : array
        Mean loss of each hundred steps, in nats for a row and up to a constant.
    """

    architecture: Architecture
    weights: Weights
    low: float = 0.0
    high: float = 1.0
    training: Mapping[str, Any] = field(default_factory=dict)
    losses: FloatArray = field(default_factory=lambda: np.zeros(0))

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one output: (N,) or (height, width)."""
        return self.architecture.shape

    def __call__(self, latents: Any) -> FloatArray:
        c = np.asarray(latents, dtype=np.float64)
        parts = [self.architecture.generate(self.weights, c[k : k + ROWS], np) for k in range(0, len(c), ROWS)]
        rows: FloatArray = np.concatenate(parts) if parts else np.zeros((0, self.architecture.dimension))
        return self.low + (self.high - self.low) * rows
