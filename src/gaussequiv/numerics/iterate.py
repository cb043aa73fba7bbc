"""`iterate`: one driver for fixed-point iterations on arrays of any shape, with damping, Anderson's acceleration and a status."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gaussequiv.errors import FloatArray, fail, integer, number
from gaussequiv.numerics.anderson import Memory
from gaussequiv.numerics.status import Status


class Iteration(NamedTuple):
    """The last state, how it went, the steps taken, and the relative change of the last undamped step."""

    state: FloatArray
    status: Status
    steps: int
    residual: float


def iterate(
    step: Callable[[FloatArray], FloatArray],
    state: FloatArray,
    *,
    damping: float = 0.0,
    tolerance: float = 1e-12,
    max_steps: int = 1000,
    accelerate: int = 0,
) -> Iteration:
    r"""Iterate x <- (1 - damping) T(x) + damping x until |T(x) - x| <= tolerance max(1, |x|), norms over the whole array.

    Parameters
    ----------
    step : function from array to array
        T; K x K order parameters, messages, fields of a mean-field loop: any shape, the same in and out.
    state : array
        Where to start.
    damping : float in [0, 1)
        Share of the old state that is kept.
    tolerance : float, positive
        Of the undamped step, relative to the state where that is larger than 1.
    max_steps : int
    accelerate : int
        How many past steps Anderson's acceleration mixes (0: none). It restarts where a step grows. Mixed states may lie anywhere:
        iterate the logarithm of what is positive.

    Returns
    -------
    Iteration : state, status (converged, max_steps, nonfinite), steps, residual.

    Raises
    ------
    ArgumentError : damping outside [0, 1), or a step that changes the shape.

    Examples
    --------
    >>> found = iterate(np.cos, np.ones((2, 2)), accelerate=3)
    >>> found.state.round(6).tolist(), found.status.name, found.steps < 20
    ([[0.739085, 0.739085], [0.739085, 0.739085]], 'converged', True)
    """
    damping = number("damping", damping, nonnegative=True, meaning="It is the share of the old state that is kept.")
    if damping >= 1:
        raise fail("damping", "below 1", damping)
    tolerance = number("tolerance", tolerance, positive=True)
    max_steps = integer("max_steps", max_steps, minimum=1)
    memory = Memory(accelerate) if integer("accelerate", accelerate, minimum=0) else None
    x = np.array(state, dtype=np.float64)
    residual = np.inf
    for count in range(1, max_steps + 1):
        y = np.asarray(step(x), dtype=np.float64)
        if y.shape != x.shape:
            raise fail("step", f"a map that keeps the shape {x.shape}", y.shape)
        residual = float(np.linalg.norm(y - x)) / max(1.0, float(np.linalg.norm(x)))
        if not np.isfinite(residual):
            return Iteration(x, Status.nonfinite, count, residual)
        if residual <= tolerance:
            return Iteration(y, Status.converged, count, residual)
        damped = (1 - damping) * y + damping * x
        x = damped if memory is None else memory.mixed(x.ravel(), damped.ravel()).reshape(x.shape)
    return Iteration(x, Status.max_steps, max_steps, residual)
