"""Anderson's acceleration of a fixed-point iteration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gaussequiv.errors import FloatArray

GROWTH = 2.0  # a move that grew by more restarts the memory


def anderson(places: Sequence[FloatArray], moves: Sequence[FloatArray]) -> FloatArray:
    """The next place of x <- x + move(x): the plain one, less the combination of past moves that best cancels the last (type II).

    Parameters
    ----------
    places, moves : sequences of arrays of shape (size,)
        The last few, oldest first; with one of each the result is x + move.

    Examples
    --------
    >>> anderson([np.array([0.0]), np.array([0.1])], [np.array([0.1]), np.array([0.05])]).round(12).tolist()  # move = (0.2 - x)/2
    [0.2]
    """
    x, f = places[-1], moves[-1]
    if len(places) < 2:
        return x + f
    dx, df = np.diff(np.stack(places), axis=0).T, np.diff(np.stack(moves), axis=0).T
    mixed: FloatArray = x + f - (dx + df) @ np.linalg.lstsq(df, f, rcond=1e-8)[0]
    return mixed if np.all(np.isfinite(mixed)) else x + f


class Memory:
    """The last `size` + 1 places and moves of one iteration; cleared when a move is twice the one before."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.places: list[FloatArray] = []
        self.moves: list[FloatArray] = []

    def mixed(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Where to go from x when the plain iteration says y."""
        self.places.append(x)
        self.moves.append(y - x)
        keep = self.size + 1
        if len(self.moves) > 1 and np.linalg.norm(self.moves[-1]) > GROWTH * np.linalg.norm(self.moves[-2]):
            keep = 1
        self.places, self.moves = self.places[-keep:], self.moves[-keep:]
        return anderson(self.places, self.moves)
