"""What generators are trained on: rows from 0 to 1, and the numbers that bring them back to their own units."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gaussequiv import datasets
from gaussequiv.errors import ArgumentError, FloatArray, array, did_you_mean

PATCHES = 20_000  # of the photographs


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """Data of shape (rows, N), scaled as (x - low)/(high - low), the shape of a row, and a name."""

    rows: FloatArray
    shape: tuple[int, ...]
    low: float
    high: float
    name: str

    @property
    def digest(self) -> str:
        """Of the rows, to tell one call from another."""
        return hashlib.sha256(np.ascontiguousarray(self.rows).tobytes()).hexdigest()[:16]

    @property
    def original(self) -> FloatArray:
        """The rows in their own units."""
        return self.low + (self.high - self.low) * self.rows


def training_rows(data: Any) -> TrainingRows:
    """Rows of a data set of `datasets`, of a .npy file, or of an array.

    Shape (rows, N), where a row of square N is an image, or (rows, height, width).

    Raises
    ------
    ArgumentError : no such data, not finite, fewer than two rows, or all numbers the same.

    Examples
    --------
    >>> data = training_rows("digits")
    >>> data.rows.shape, data.shape, data.name
    ((1797, 64), (8, 8), 'digits')
    """
    values, name = _read(data)
    values = array("data", values, meaning="data is a matrix with one row for each sample.")
    if values.ndim not in (2, 3) or len(values) < 2:
        raise ArgumentError(
            f"Argument `data` must have shape (rows, N) or (rows, height, width) with at least 2 rows, but its shape is {values.shape}."
        )
    side = round(values.shape[1] ** 0.5)
    square = values.ndim == 2 and side > 1 and side**2 == values.shape[1]
    shape = (side, side) if square else values.shape[1:]
    low, high = float(values.min()), float(values.max())
    if not low < high:
        raise ArgumentError(f"Argument `data` must vary, but all of its {values.size} numbers are {low:g}.")
    return TrainingRows((values.reshape(len(values), -1) - low) / (high - low), shape, low, high, name)


def _read(data: Any) -> tuple[Any, str]:
    if not isinstance(data, (str, os.PathLike)):
        return data, "data"
    if data in datasets.names():
        return datasets.load(str(data), count=PATCHES if data == "patches" else None)[0], str(data)
    path = Path(data)
    if path.suffix.lower() != ".npy":
        known = ", ".join(datasets.names())
        hint = did_you_mean(data, datasets.names())
        raise ArgumentError(f"Argument `data` must be an array, a .npy file, or one of {known}, but data={str(data)!r}.{hint}")
    try:
        return np.load(path, allow_pickle=False), path.stem
    except (OSError, ValueError, EOFError) as error:
        raise ArgumentError(f"Argument `data` must be a .npy file of numbers, but {str(data)!r} cannot be read: {error}.") from None
