"""Dynamics that are not stiff: SciPy's steps of a compiled rate, which is all that has to be compiled."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from scipy.integrate import RK45
from scipy.optimize import brentq

from gaussequiv.errors import FloatArray
from gaussequiv.numerics.status import Status

Rate = Callable[[Any, Any, Any], Any]
RATES = 6  # of a step


class Flow(NamedTuple):
    """Times, what was saved there (nan after an event or a failure), the status, accepted and rejected steps, the event's time."""

    times: FloatArray
    values: Any
    status: Status
    steps: int
    event_time: float  # nan without an event


def explicit_flow(
    rate: Rate, event: Rate | None, observables: Rate | None, start: Any, grid: FloatArray, parameters: Any, tolerance: float, most: int
) -> Flow:
    """What `flow` documents, in a float64 scope, by an explicit method of order 5 (Dormand, Prince 1980).

    Steps that end in no number are made again and shorter; where they become shorter than times can tell, the flow has diverged.
    """
    import jax

    leaves, structure = jax.tree.flatten(start)
    shapes = tuple(np.shape(leaf) for leaf in leaves)
    parameters = jax.tree.map(jax.numpy.asarray, parameters)

    def compiled(function: Rate, flat: bool) -> Callable[[float, FloatArray], Any]:
        run = _compiled(function, structure, shapes, flat)
        return lambda t, y: run(t, y, parameters)

    move, miss = compiled(rate, True), None if event is None else compiled(event, False)
    y = np.concatenate([np.ravel(leaf) for leaf in leaves]).astype(np.float64)
    kept: list[FloatArray] = [y] if grid[0] == 0 else []
    with np.errstate(all="ignore"):
        if np.isfinite(move(0.0, y)).all():
            status, stop, steps = _advance(move, y, grid, kept, miss, tolerance, most)
        else:
            status, stop, steps = Status.nonfinite, np.nan, 0
    if not kept:
        seen = compiled(observables or _itself, False)(0.0, np.full(y.size, np.nan))
        values = jax.tree.map(lambda part: np.full((grid.size, *np.shape(part)), np.nan), seen)
        return Flow(grid, values, status, steps, stop)
    look = compiled(observables or _itself, False)
    rows = [look(float(grid[i]), one) for i, one in enumerate(kept)]
    values = jax.tree.map(lambda *parts: _column([np.asarray(part) for part in parts], grid.size), *rows)
    if status == Status.converged and not all(np.isfinite(part[: len(kept)]).all() for part in jax.tree.leaves(values)):
        status = Status.nonfinite
    return Flow(grid, values, status, steps, stop)


def _advance(
    move: Any, y: FloatArray, grid: FloatArray, kept: list[FloatArray], miss: Any, tolerance: float, most: int
) -> tuple[Status, float, int]:
    """Take steps that end on the times of the grid, to its end, an event, or a failure, and add the states there to `kept`."""
    relative = max(tolerance, 100 * float(np.finfo(float).eps))  # SciPy warns of less
    t, rates, length = 0.0, 0, None
    side = None if miss is None else float(miss(0.0, y))
    for target in grid[len(kept) :]:
        first = None if length is None else min(length, target - t)
        solver: Any = RK45(lambda t, y: np.asarray(move(t, y)), t, y, float(target), first_step=first, rtol=relative, atol=tolerance)
        while solver.status == "running":
            if (rates + solver.nfev) // RATES >= most:
                return Status.max_steps, np.nan, most
            length = solver.h_abs  # before the last step of a stretch is cut
            solver.step()
            if solver.status == "failed":
                return Status.diverged, np.nan, (rates + solver.nfev) // RATES
            if miss is not None and side is not None:
                now = float(miss(solver.t, solver.y))
                if side != 0 and now * side <= 0:
                    return Status.converged, _crossing(miss, solver), (rates + solver.nfev) // RATES
                side = now
        t, y, rates, length = float(target), solver.y, rates + solver.nfev, max(length or 0.0, solver.h_abs)
        kept.append(y.copy())
    return Status.converged, np.nan, rates // RATES


def _crossing(miss: Any, solver: Any) -> float:
    """Where a function of time and state is zero in the solver's last step."""
    between = solver.dense_output()
    return float(brentq(lambda t: float(miss(t, between(t))), solver.t_old, solver.t, xtol=1e-12 * solver.t, rtol=1e-14))


def _itself(_: Any, state: Any, __: Any) -> Any:
    return state


def _column(parts: list[FloatArray], count: int) -> FloatArray:
    """Values at all times, nan where there is none."""
    out = np.full((count, *parts[0].shape), np.nan)
    out[: len(parts)] = parts
    out[~np.isfinite(out)] = np.nan
    return out


@lru_cache(maxsize=128)
def _compiled(function: Rate, structure: Any, shapes: tuple[tuple[int, ...], ...], flat: bool) -> Callable[..., Any]:
    """(t, vector, parameters) -> what the function gives for the tree of the vector, as one vector where it is `flat`."""
    import jax
    from jax import numpy as jnp

    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]

    def run(t: Any, y: Any, parameters: Any) -> Any:
        parts = [part.reshape(shape) for part, shape in zip(jnp.split(y, ends), shapes, strict=True)]
        found = function(t, jax.tree.unflatten(structure, parts), parameters)
        return jnp.concatenate([jnp.ravel(part) for part in jax.tree.leaves(found)]) if flat else found

    return jax.jit(run)
