r"""Where the equations of online SGD stand still, and how perturbations grow there: fixed points with the eigenvalues of the drift."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv.curve import Observable
from gaussequiv.errors import FloatArray, integer
from gaussequiv.problems.online_sgd import dynamics
from gaussequiv.problems.online_sgd.drift import Drift
from gaussequiv.problems.online_sgd.expectations import CLOSED, how
from gaussequiv.problems.online_sgd.instance import Instance, instance_of
from gaussequiv.problems.online_sgd.many_modes import SHOWN, WideDrift
from gaussequiv.problems.online_sgd.modes import Modes, bins_of, gathered
from gaussequiv.results import dataset

if TYPE_CHECKING:
    import xarray as xr

    from gaussequiv.problems.online_sgd.description import OnlineSGD

MOST_UNKNOWNS = 1000  # of dense Jacobians, in a second
STANDS_STILL = 1e-9  # drift over the fastest rate and the state's size
ALIKE = 1e-5  # relative difference of errors and of rates of what is one point, or its mirror image
MARGINAL = 1e-6  # of the fastest rate: slower ones have no sign to rounding
WORDS = {
    "clean_error": Observable("error on noiseless labels", "output units^2"),
    "Q": Observable("covariance of the student's fields"),
    "R": Observable("covariance of the student's and the teacher's fields"),
    "readout": Observable("second layer of the student"),
    "growth": Observable("real part of an eigenvalue of the drift, largest first", "1/time"),
    "turning": Observable("its imaginary part", "1/time"),
    "escape_rate": Observable("largest real part of the drift's eigenvalues", "1/time"),
    "kind": Observable("stable, saddle, or marginal: no eigenvalue grows and one is zero"),
    "drift": Observable("drift left, over the fastest rate and the size of the state"),
    "found": Observable("starts that ended here, or at a mirror image"),
    "point": Observable("fixed point, by error"),
}


def stationary_points(problem: OnlineSGD, times: Any, starts: int, seed: int, size: int | None, modes: int | None) -> xr.Dataset:
    """Fixed points next to the curve at `times` and next to `starts` random students; see `OnlineSGD.fixed_points`."""
    starts, seed = integer("starts", starts, minimum=0), integer("seed", seed, minimum=0)
    N, _, _ = problem.steps_at(times if np.size(times) else [0.0], size)
    instance = instance_of(problem, N)
    box = None
    if modes is not None and integer("modes", modes, minimum=1) < instance.modes.rho.size:
        box = bins_of(instance.modes.rho, instance.modes.share, modes)
    return _dataset(problem, instance, *_found(problem, instance, box, np.asarray(times, float), starts, seed))


def _found(
    problem: OnlineSGD, instance: Instance, box: Any, times: FloatArray, starts: int, seed: int
) -> tuple[Drift, list[tuple[FloatArray, float, Any, float]], list[int]]:
    def binned(modes: Modes) -> Modes:
        return modes if box is None else gathered(modes, box)

    first = binned(instance.modes)
    averages = dynamics.averages_for(problem)
    state, given = dynamics.posed(problem, instance, first, exact=True)
    units = problem.student.units, problem.teacher.units
    words = how(problem.student.activation, problem.teacher.activation, units, problem.labels == "sign")
    drift: Drift = Drift(averages, given, state, words == CLOSED)
    if drift.vector(state).size > MOST_UNKNOWNS:
        drift = WideDrift(averages, given, state, words == CLOSED)
    begin = [drift.vector(one) for one in _along(problem, averages, state, given, times)]
    rng = np.random.default_rng((seed, problem.instance))
    for _ in range(starts):  # students of all sizes, from nearly nothing to the teacher's
        w = 10 ** rng.uniform(-2, 0.3) * rng.standard_normal(instance.w.shape)
        v = instance.v if not drift.learns_readout else problem.student.draw_readout(rng)
        own = binned(instance.basis.modes(w, instance.towards))
        begin.append(drift.vector({"q": np.moveaxis(own.q, 0, -1), "r": np.moveaxis(own.r, 0, -1), "v": v}))
    points: list[tuple[FloatArray, float, Any, float]] = []
    counts: list[int] = []
    for x in begin:
        found, left = drift.settled(x)
        if left > STANDS_STILL or not drift.possible(found):
            continue
        rates, error = drift.rates(found), float(drift.seen(found)["clean_error"])
        for i, (_, _, others, other) in enumerate(points):
            scale = np.abs(others).max()
            if (
                abs(error - other) <= ALIKE * (error + other) + 1e-12
                and np.abs(np.sort(rates.real) - np.sort(others.real)).max() <= ALIKE * scale
            ):
                counts[i] += 1
                break
        else:
            points.append((found, left, rates, error))
            counts.append(1)
    order = sorted(range(len(points)), key=lambda i: points[i][3])
    return drift, [points[i] for i in order], [counts[i] for i in order]


def _along(problem: OnlineSGD, averages: Any, state: dynamics.State, given: dynamics.State, times: FloatArray) -> list[dynamics.State]:
    """States of the curve at the times that it reaches."""
    from gaussequiv.numerics.flow import flow

    if times.size == 0:
        return []
    rate, _, _ = dynamics.equations(averages)
    grid = np.unique(np.append(times, max(float(times.max()), 1e-3)))
    values = flow(rate, state, grid, arguments=given, tolerance=1e-8, stiff=False).values
    states = [{name: one[i] for name, one in values.items()} for i in range(grid.size)]
    return [one for one in states if all(np.isfinite(part).all() for part in one.values())]


def stability(rates: Any) -> str:
    """Of a fixed point, by the eigenvalues of its drift."""
    fastest, largest = np.abs(rates).max(), rates.real.max()
    return "saddle" if largest > MARGINAL * fastest else "stable" if largest < -MARGINAL * fastest else "marginal"


def _dataset(
    problem: OnlineSGD, instance: Instance, drift: Drift, points: list[tuple[FloatArray, float, Any, float]], counts: list[int]
) -> xr.Dataset:
    seen = [drift.seen(x) for x, *_ in points]
    K, M = drift.start["r"].shape[:2]
    shown = min(SHOWN, drift.vector(drift.start).size)
    shapes: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = {
        "clean_error": ((), ()),
        "Q": (("unit", "other_unit"), (K, K)),
        "R": (("unit", "teacher_unit"), (K, M)),
        "readout": (("unit",), (K,)),
    }
    variables: dict[str, Any] = {
        name: (("point", *dims), np.array([one[name] for one in seen]).reshape(len(points), *shape))
        for name, (dims, shape) in shapes.items()
    }
    rates = np.array([rates[:shown] for _, _, rates, _ in points]).reshape(len(points), shown)
    variables |= {"growth": (("point", "rank"), rates.real), "turning": (("point", "rank"), rates.imag)}
    variables["escape_rate"] = (("point",), np.array([rates.real.max() for _, _, rates, _ in points]))
    variables["kind"] = (("point",), np.array([stability(rates) for _, _, rates, _ in points], dtype="<U8"))
    variables["drift"] = (("point",), np.array([left for _, left, _, _ in points]))
    variables["found"] = (("point",), np.array(counts, dtype=int))
    attributes = {
        "problem": json.dumps(problem.to_dict()),
        "N": instance.generator.dimension,
        "modes": drift.start["q"].shape[-1],
        "citations": ", ".join(problem.citations()),
    }
    return dataset(variables, {"point": np.arange(len(points))}, attributes, WORDS)
