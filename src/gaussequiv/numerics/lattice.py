"""Averages of costly functions over normal laws of one width and many centres, from panels that are fixed and filled when first reached."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.numerics.panels import REACH, legendre_panels

_WIDTH = 1.5  # of a panel, in standard deviations


class Lattice:
    """E f(c + root z), z standard normal, for several f at once, smooth on the scale of root but around given places.

    Parameters
    ----------
    functions : callable
        Increasing x, shape (nodes,) -> values (functions, nodes).
    root : float
        Standard deviation.
    places : array
        Where panels end.
    order : int
        Nodes of a panel.

    Examples
    --------
    >>> lattice = Lattice(lambda x: np.stack([x**2, np.abs(x - 0.3)]), 1.0, np.array([0.3]), 16)
    >>> lattice.averages(0.0).round(6)
    array([1.      , 0.833522])
    """

    def __init__(self, functions: Callable[[FloatArray], FloatArray], root: float, places: FloatArray, order: int) -> None:
        self._functions, self._root, self._places, self._order = functions, root, np.sort(places), order
        self._panels: dict[int, tuple[FloatArray, FloatArray, FloatArray]] = {}  # nodes, weights and values, by number

    def averages(self, centre: float) -> FloatArray:
        """One for each function."""
        width = _WIDTH * self._root
        first, last = (int(np.floor((centre + side * REACH * self._root) / width)) for side in (-1, 1))
        numbers = range(first, last + 1)
        self._fill([k for k in numbers if k not in self._panels])
        x, dx, values = (np.concatenate(parts, axis=-1) for parts in zip(*(self._panels[k] for k in numbers), strict=True))
        z = (x - centre) / self._root
        found: FloatArray = values @ (np.exp(-0.5 * z * z) * dx) / (self._root * np.sqrt(2 * np.pi))
        return found

    def _fill(self, numbers: list[int]) -> None:
        if not numbers:
            return
        width, nodes, weights = _WIDTH * self._root, [], []
        for run in np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1):
            ends = width * np.append(run, run[-1] + 1)
            inner = self._places[np.searchsorted(self._places, ends[0], side="right") : np.searchsorted(self._places, ends[-1])]
            x, dx = legendre_panels(np.unique(np.concatenate([ends, inner]))[None, :], self._order)
            cuts = np.searchsorted(x[0], ends[1:-1])
            nodes += np.split(x[0], cuts)
            weights += np.split(dx[0], cuts)
        values = np.split(self._functions(np.concatenate(nodes)), np.cumsum([x.size for x in nodes])[:-1], axis=1)
        self._panels.update(zip(numbers, zip(nodes, weights, values, strict=True), strict=True))
