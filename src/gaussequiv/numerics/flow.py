"""`flow`: dynamics in time, dy/dt = F(t, y), on arrays or trees of any shape, with events and a status; by diffrax and SciPy."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gaussequiv.errors import ArgumentError, FloatArray, array, fail, integer, number
from gaussequiv.numerics.explicit_flow import Flow as Flow
from gaussequiv.numerics.explicit_flow import Rate, explicit_flow
from gaussequiv.numerics.status import Status

SHORTEST = 1e-15  # steps over the last time: shorter ones are lost in the rounding of times near an infinity


def flow(
    rate: Rate,
    state: Any,
    times: ArrayLike,
    *,
    arguments: Any = None,
    tolerance: float = 1e-8,
    max_steps: int = 100_000,
    event: Rate | None = None,
    observables: Rate | None = None,
    stiff: bool = True,
) -> Flow:
    r"""Solve dy/dt = rate(t, y, arguments) from y(0) = `state` and save y, or functions of it, at `times`.

    An implicit Runge-Kutta method of order 5 with adaptive steps (Kvaerno 2004), so that stiff equations and grids from 1e-2 to 1e6 need
    no choice; an explicit one (Dormand, Prince 1980) for many unknowns that are not stiff, which compiles the rate alone.
    Everything is in float64, whatever the caller's JAX flags.

    Parameters
    ----------
    rate : function (t, y, arguments) -> tree of the structure of y
        Written with jax.numpy. Give the same function again, with other `arguments`, for the points of a grid of parameters: it is
        compiled once for each function and shape.
    state : array, or tree (dict, tuple, list) of arrays
        y(0), in any units; those of `rate` are these over the unit of time.
    times : increasing array of shape (n,), none negative
        Where to save, in the unit of time of `rate`; 0 is where the flow starts.
    arguments : tree of arrays, optional
        Parameters of the equation.
    tolerance : float, positive
        Relative and absolute, of one step.
    max_steps : int
        Accepted and rejected ones.
    event : function (t, y, arguments) -> number, optional
        The flow ends where it crosses zero; the time is found to the tolerance.
    observables : function (t, y, arguments) -> tree, optional
        What to save instead of y.
    stiff : bool
        False: the explicit method, whose step costs a few rates and no derivatives of them.

    Returns
    -------
    Flow : times (n,), values (a tree of arrays of leading dimension n, nan where the flow did not reach), status (converged, max_steps,
        nonfinite, diverged: no step is short enough, as before a time at which y is infinite), steps, event_time.

    Raises
    ------
    ArgumentError : times that do not increase or are negative, a state or a rate of another structure or shape.

    Examples
    --------
    >>> decay = flow(lambda t, y, rate: -rate * y, np.ones(2), [1.0, 2.0], arguments=np.array([1.0, 0.5]), tolerance=1e-10)
    >>> decay.values.round(6).tolist(), decay.status.name
    ([[0.367879, 0.606531], [0.135335, 0.367879]], 'converged')
    """
    grid = array("times", times, ndim=1, meaning="They are where the flow is saved.")
    if grid[0] < 0 or np.any(np.diff(grid) <= 0):
        raise fail("times", "increasing and none of them negative", grid.tolist())
    if grid[-1] == 0:
        raise fail("times", "positive at its end", grid.tolist())
    tolerance = number("tolerance", tolerance, positive=True)
    max_steps = integer("max_steps", max_steps, minimum=1)
    for name, function in (("rate", rate), ("event", event), ("observables", observables)):
        if not (callable(function) or (function is None and name != "rate")):
            raise fail(name, "a function (t, y, arguments)", function)
    import jax

    start = jax.tree.map(lambda part: array("state", part), state)
    parameters = jax.tree.map(lambda part: np.asarray(part, dtype=np.float64), arguments)
    with jax.enable_x64(True):
        _check(rate, start, parameters)
        run = _implicit if stiff else explicit_flow
        return run(rate, event, observables, start, grid, parameters, tolerance, max_steps)


def _implicit(
    rate: Rate, event: Rate | None, observables: Rate | None, start: Any, grid: FloatArray, parameters: Any, tolerance: float, most: int
) -> Flow:
    import jax

    padded = np.append(grid, np.full(_padded(grid.size) - grid.size, grid[-1]))
    values, result, steps, stop = _solver()(rate, event, observables, start, padded, parameters, tolerance, most)
    values = jax.tree.map(lambda part: np.array(part, dtype=np.float64)[: grid.size], values)  # cut by NumPy: nothing to compile
    steps, stop, outcome = int(steps), float(stop), int(result)
    reached = grid <= stop if outcome == 3 else np.full(grid.size, outcome == 0)
    for part in jax.tree.leaves(values):
        part[~np.isfinite(part)] = np.nan
    finite = all(bool(np.all(np.isfinite(part[reached]))) for part in jax.tree.leaves(values))
    failures = {1: Status.max_steps, 2: Status.nonfinite, 4: Status.diverged}
    status = failures.get(outcome, Status.converged if finite else Status.nonfinite)
    return Flow(grid, values, status, steps, stop if outcome == 3 else np.nan)


def _padded(count: int) -> int:
    """The least of 8, 32, 128, ... times that holds them: numbers of times within share one compilation."""
    size = 8
    while size < count:
        size *= 4
    return size


def _size(error: Any) -> Any:
    """Root mean square; infinite where a step ended in no number, so that it is made again and shorter."""
    import optimistix
    from jax import numpy as jnp

    size = optimistix.rms_norm(error)
    return jnp.where(jnp.isnan(size), jnp.inf, size)


def _check(rate: Rate, start: Any, parameters: Any) -> None:
    """The rate has the structure and the shapes of the state."""
    import jax

    (parts, structure), (given, arguments) = jax.tree.flatten(start), jax.tree.flatten(parameters)
    _check_shapes(rate, structure, tuple(map(np.shape, parts)), arguments, tuple(map(np.shape, given)))


@lru_cache(maxsize=128)
def _check_shapes(rate: Rate, structure: Any, shapes: tuple[Any, ...], arguments: Any, given: tuple[Any, ...]) -> None:
    """Traced once for each rate and shapes."""
    import jax

    def tree(structure: Any, shapes: tuple[Any, ...]) -> Any:
        return jax.tree.unflatten(structure, [jax.ShapeDtypeStruct(shape, np.float64) for shape in shapes])  # type: ignore[no-untyped-call]

    try:
        found = jax.eval_shape(lambda y, p: rate(0.0, y, p), tree(structure, shapes), tree(arguments, given))
    except Exception as error:
        message = str(error).splitlines()[0][:200] if str(error) else ""
        raise ArgumentError(
            f"Argument `rate` must be a function (t, y, arguments) that JAX can trace, but it raises {type(error).__name__}: {message}."
        ) from error
    answer = [np.shape(part) for part in jax.tree.leaves(found)]
    if jax.tree.structure(found) != structure or answer != list(shapes):
        raise ArgumentError(f"Argument `rate` must give the structure and shapes of the state, {list(shapes)}, but it gives {answer}.")


@lru_cache(maxsize=1)
def _solver() -> Callable[..., Any]:
    """The compiled solver: one trace for each equation and shapes."""
    import diffrax
    import jax
    import optimistix

    @partial(jax.jit, static_argnums=(0, 1, 2, 7))
    def solve(
        rate: Rate,
        event: Rate | None,
        observables: Rate | None,
        start: Any,
        grid: Any,
        parameters: Any,
        tolerance: Any,
        max_steps: int,
    ) -> tuple[Any, Any, Any, Any]:
        implicit = diffrax.Kvaerno5(root_finder=diffrax.VeryChord(rtol=tolerance, atol=tolerance, norm=optimistix.max_norm))
        stop = None
        if event is not None:
            stop = diffrax.Event(lambda t, y, args, **_: event(t, y, args), optimistix.Newton(rtol=tolerance, atol=tolerance))
        shortest = SHORTEST * grid[-1]
        controller = diffrax.PIDController(rtol=tolerance, atol=tolerance, norm=_size, dtmin=shortest, force_dtmin=False)
        saved = diffrax.SubSaveAt(ts=grid) if observables is None else diffrax.SubSaveAt(ts=grid, fn=observables)
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(rate),
            implicit,
            0.0,
            grid[-1],
            None,
            start,
            parameters,
            saveat=diffrax.SaveAt(subs=[saved, diffrax.SubSaveAt(t1=True)]),
            # steps end on the grid: values between steps would be of a lower order
            stepsize_controller=diffrax.ClipStepSizeController(controller, step_ts=grid),
            event=stop,
            adjoint=diffrax.ForwardMode(),  # nothing is differentiated: a plain loop, which compiles faster
            max_steps=max_steps,
            throw=False,
        )
        results = diffrax.RESULTS
        outcome = jax.numpy.where(solution.result == results.max_steps_reached, 1, 2)
        outcome = jax.numpy.where(solution.result == results.dt_min_reached, 4, outcome)
        outcome = jax.numpy.where(solution.result == results.event_occurred, 3, outcome)
        outcome = jax.numpy.where(solution.result == results.successful, 0, outcome)
        return solution.ys[0], outcome, solution.stats["num_steps"], solution.ts[1][0]

    return solve
