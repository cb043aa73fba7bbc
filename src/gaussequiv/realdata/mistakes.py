"""Wrong signs of scores whose noise is known: each row's chance, and how it moves with the score and with the noise."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from gaussequiv.errors import FloatArray
from gaussequiv.numerics.status import Status

MOST_SHRUNK = -0.5  # of the spread of a class's scores: beyond, the pool says too little
ROUNDING = 1e-9  # of the spread of scores: less noise removed than this is none
SHARPEST = 1e-9  # of labels -1 and 1: scores of one value have no narrower density
BANDWIDTH = 1.06  # Silverman's rule: of the scores, in which a count of mistakes is smoothed for its band


class Mistakes(NamedTuple):
    """Each row's chance of a wrong sign, and smoothed derivatives of it: in the score, twice, and in the extra variance."""

    chance: FloatArray
    slope: FloatArray
    curve: FloatArray
    through: FloatArray
    status: Status


def wrong_rows(margin: FloatArray, extra: FloatArray) -> tuple[FloatArray, float]:
    """P(margin + sqrt(extra) xi < 0) of one class's rows; where noise is to be removed, margins shrunk to their mean, and the share
    removed."""
    share = float(np.mean(extra)) / (float(np.var(margin)) + 1e-300)
    if share >= 0:
        return np.where(extra > 0, special.ndtr(-margin / np.sqrt(np.maximum(extra, 1e-300))), (margin < 0).astype(float)), 0.0
    centre = float(np.mean(margin))
    return (centre + np.sqrt(max(1 + share, 0.0)) * (margin - centre) < 0).astype(float), share


def mistakes(y: FloatArray, score: FloatArray, extra: FloatArray) -> Mistakes:
    """Of one classifier on all rows, the two classes apart.

    Status `nonfinite` where more noise would have to be removed than there is, or no mistake is left to count.

    Examples
    --------
    >>> found = mistakes(np.array([1.0, 1.0, -1.0]), np.array([0.0, 1.0, -2.0]), np.ones(3))
    >>> found.chance.round(3).tolist()
    [0.5, 0.159, 0.023]
    """
    parts = [np.zeros(len(y)) for _ in range(4)]
    chance, slope, curve, through = parts
    least = 0.0
    for label in (-1.0, 1.0):
        mine = y == label
        margin, added = label * score[mine], extra[mine]
        chance[mine], removed = wrong_rows(margin, added)
        least, factor = min(least, removed), np.sqrt(np.clip(1 + removed, 0.0, 1.0))
        margin = margin.mean() + factor * (margin - margin.mean())
        blur = (BANDWIDTH * np.std(margin) * len(y) ** -0.2) ** 2
        width = np.sqrt(np.maximum(added, blur) + SHARPEST**2)
        t = np.clip(margin / width, -30.0, 30.0)
        density = np.exp(-0.5 * t * t) / (np.sqrt(2 * np.pi) * width)
        slope[mine], curve[mine] = -label * factor * density, t * density / width
        through[mine] = np.where(added > blur, 0.5 * t * density / width, 0.0)
    # beyond the pool mistakes are counted: none left is a bound, not a measurement
    lost = least < MOST_SHRUNK or (least < -ROUNDING and not chance.any())
    return Mistakes(chance, slope, curve, through, Status.nonfinite if lost else Status.converged)
