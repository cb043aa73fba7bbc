"""Sheets of images: rows of data above rows that a generator made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gaussequiv.errors import FloatArray, array, fail, integer

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def sample_sheet(real: FloatArray, generated: FloatArray, shape: Sequence[int], ax: Axes | None = None, *, columns: int = 16) -> Axes:
    """Draw real rows as images, and generated ones below a line, in the greys of the real ones.

    Parameters
    ----------
    real, generated : array of shape (rows, N)
    shape : (height, width), or (N,) for one line of pixels
    ax : Axes, optional
    columns : int
        Images in a line.

    Raises
    ------
    ArgumentError : rows that do not have this shape.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> sample_sheet(rng.random((32, 64)), rng.random((64, 64)), (8, 8)).get_title()
    '32 real rows above, 64 generated ones below'
    """
    columns = integer("columns", columns, minimum=1)
    real, generated = array("real", real, ndim=2), array("generated", generated, ndim=2)
    height, width = (1, *shape) if len(shape) == 1 else shape
    for name, rows in (("real", real), ("generated", generated)):
        if rows.shape[1] != height * width:
            raise fail(name, f"rows of {height} x {width} pixels", rows)
    low, high = float(real.min()), float(real.max())
    above, below = (_tiled(rows.reshape(-1, height, width), columns, high) for rows in (real, generated))
    sheet = np.concatenate([above, below])
    if ax is None:
        from matplotlib.figure import Figure

        ax = Figure(figsize=(6.4, 0.5 + 6.4 * len(sheet) / sheet.shape[1]), layout="constrained").subplots()
    ax.imshow(sheet, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
    ax.axhline(len(above) - 0.5, color="C1", lw=2)
    ax.set_axis_off()
    ax.set_title(f"{len(real)} real rows above, {len(generated)} generated ones below", fontsize=10)
    return ax


def _tiled(images: FloatArray, columns: int, border: float) -> FloatArray:
    """Images of shape (count, height, width) side by side, with a border of one pixel; blank where there is none."""
    count, height, width = images.shape
    lines = -(-count // columns)
    sheet = np.full((lines * columns, height + 1, width + 1), border)
    sheet[:count, :height, :width] = images
    whole: FloatArray = sheet.reshape(lines, columns, height + 1, width + 1).transpose(0, 2, 1, 3).reshape(lines * (height + 1), -1)
    return whole
