"""Where a training curve stands still, and when it reaches an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gaussequiv.errors import FloatArray, UnreachableError, fail, number
from gaussequiv.numerics.flow import flow
from gaussequiv.problems.online_sgd import dynamics
from gaussequiv.problems.online_sgd.instance import instance_of

if TYPE_CHECKING:
    from gaussequiv.problems.online_sgd.description import OnlineSGD

FLAT = 0.1  # -d log(error)/d log(time) below which a curve stands still
LONG = 2.0  # end over start of what counts as a plateau
PER_DECADE = 96


class Plateau(NamedTuple):
    """From `start` to `end` (the escape; infinite if the curve ends there) the error stands at about `error`."""

    start: float
    end: float
    error: float


def plateaus_of(time: FloatArray, error: FloatArray) -> list[Plateau]:
    """Stretches of at least a factor LONG in time in which -d log(error)/d log(time) < FLAT, slopes by differences.

    The stretch before learning starts, which every curve has, is not one.
    """
    logs, middle = np.log(error), np.sqrt(time[1:] * time[:-1])
    flat = -np.diff(logs) / np.diff(np.log(time)) < FLAT
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flat.astype(np.int8), [0]])))
    found = []
    for first, after in edges.reshape(-1, 2):
        end = np.inf if after == flat.size else float(middle[after])
        if first > 0 and time[after] / time[first] >= LONG:
            found.append(Plateau(float(middle[first - 1]), end, float(np.exp(np.mean(logs[first : after + 1])))))
    return found


def plateaus(problem: OnlineSGD, longest: float, size: int | None) -> list[Plateau]:
    """Those of the clean error between the first step and `longest`; see `OnlineSGD.plateaus`."""
    end = number("longest", longest, positive=True)
    N = problem.steps_at([0.0], size)[0]
    if end * N < LONG:
        raise fail("longest", f"at least a few steps, {LONG / N:.3g}", longest)
    count = int(np.ceil(PER_DECADE * np.log10(end * N))) + 2
    curve = problem.theory(np.unique(np.rint(np.geomspace(1.0, end * N, count))) / N, size)
    time = np.asarray(curve.coordinates["time"], dtype=float)
    error = np.asarray(curve["clean_error"], dtype=float)
    one = error.reshape(-1, time.size)[0]
    return plateaus_of(time, one)


def time_to(problem: OnlineSGD, error: float, longest: float, size: int | None, tolerance: float) -> float:
    """The first time at which the clean error is `error`, as an event of the flow; see `OnlineSGD.time_to`."""
    target, end = number("error", error, positive=True), number("longest", longest, positive=True)
    instance = instance_of(problem, problem.steps_at([0.0], size)[0])
    start, given = dynamics.posed(problem, instance)
    rate, observables, missing = dynamics.equations(dynamics.averages_for(problem))
    found = flow(
        rate,
        start,
        np.array([0.0, end]),
        arguments=given | {"target": target},
        tolerance=tolerance,
        event=missing,
        observables=observables,
        stiff=False,
    )
    first = float(found.values["clean_error"][0])
    if first <= target:
        return 0.0
    if np.isfinite(found.event_time):
        return found.event_time
    last = float(found.values["clean_error"][-1])
    raise UnreachableError(
        f"The clean error {target:g} is not reached by time {end:g}, where it is {last:.6g} ({found.status.name}). "
        "Give a later `longest`, or ask for a larger error."
    )
