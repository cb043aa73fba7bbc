"""Layers of generators, written once for NumPy and JAX: `xp` is either module; images are (rows, height, width, channels)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

Weights = dict[str, Any]  # arrays by name, "decoder.0.weight"
KERNEL, STRIDE = 4, 2  # of transposed convolutions, padding 1, as in DCGAN: every one doubles height and width


def initial_dense(rng: np.random.Generator, name: str, sizes: Sequence[int], last: float = 1.0) -> Weights:
    """Weights of variance 2/inputs (He et al. 2015), those of the last layer times `last`, and biases 0."""
    weights: Weights = {}
    for i, (below, above) in enumerate(pairwise(sizes)):
        scale = np.sqrt(2.0 / below) * (last if i == len(sizes) - 2 else 1.0)
        weights[f"{name}.{i}.weight"] = scale * rng.standard_normal((below, above))
        weights[f"{name}.{i}.bias"] = np.zeros(above)
    return weights


def dense(weights: Mapping[str, Any], name: str, rows: Any, depth: int, xp: Any) -> Any:
    """`depth` dense layers with ReLU between them."""
    for i in range(depth):
        rows = rows @ weights[f"{name}.{i}.weight"] + weights[f"{name}.{i}.bias"]
        if i < depth - 1:
            rows = xp.maximum(rows, 0)
    return rows


def initial_transposed(rng: np.random.Generator, name: str, channels: Sequence[int]) -> Weights:
    """As `initial_dense`; every output sees 2 x 2 inputs of each channel."""
    weights: Weights = {}
    for i, (below, above) in enumerate(pairwise(channels)):
        weights[f"{name}.{i}.weight"] = np.sqrt(2.0 / (4 * below)) * rng.standard_normal((KERNEL, KERNEL, below, above))
        weights[f"{name}.{i}.bias"] = np.zeros(above)
    return weights


def transposed_convolution(images: Any, kernel: Any, xp: Any) -> Any:
    """Transposed convolution, kernel 4 x 4, stride 2, padding 1: (rows, h, w, below) to (rows, 2h, 2w, above).

    Output 2p + a, a = 0 or 1, sees the inputs p - 1 + a + u through the kernel's entries 3 - a - 2u, u = 0 or 1, in each direction: four
    interleaved convolutions of 2 x 2 inputs, each a product of matrices.
    """
    rows, h, w, below = images.shape
    padded = xp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    phases = []
    for a in range(STRIDE):
        for b in range(STRIDE):
            seen = [padded[:, a + u : a + u + h, b + v : b + v + w] for u in range(2) for v in range(2)]
            entries = [kernel[3 - a - 2 * u, 3 - b - 2 * v] for u in range(2) for v in range(2)]
            phases.append(xp.concatenate(seen, axis=-1).reshape(-1, 4 * below) @ xp.concatenate(entries, axis=0))
    together = xp.stack(phases, axis=-2).reshape(rows, h, w, STRIDE, STRIDE, kernel.shape[-1])
    return xp.transpose(together, (0, 1, 3, 2, 4, 5)).reshape(rows, STRIDE * h, STRIDE * w, kernel.shape[-1])


def sigmoid(x: Any, xp: Any) -> Any:
    """1/(1 + exp(-x)), without overflow."""
    return 0.5 * (1 + xp.tanh(0.5 * x))
