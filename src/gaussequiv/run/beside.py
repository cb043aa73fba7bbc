"""Theory beside a finished simulation: z-scores, one verdict, and what stands on one side only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv.curve import BOOKKEEPING, Curve, Observable
from gaussequiv.errors import FloatArray
from gaussequiv.numerics.status import Status
from gaussequiv.problems.base import Solvable
from gaussequiv.results import dataset
from gaussequiv.run.provenance import along, axis_words, provenance
from gaussequiv.run.simulate import has_fit
from gaussequiv.run.verdict import LARGEST_ALLOWANCE, judge

if TYPE_CHECKING:
    import xarray as xr

WORDS = {
    "z": Observable("(simulation - theory)/standard error"),
    "allowance": Observable("finite-size allowance", "output units"),
    "verdict": Observable("agree, disagree or inconclusive"),
    "reason": Observable("why"),
}


def beside(
    problem: Solvable,
    simulation: xr.Dataset,
    *,
    size: int | None,
    allowance: float | None = None,
    options: Mapping[str, Any] | None = None,
    call: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Dataset with dims (source, ..., axis): the theory of `problem` at the simulation's points and size, and the simulation's means.

    Parameters
    ----------
    allowance : float, optional
        Finite-size constant c, relative to the theory's value: c/size. By default what the theory's curve declares.
    options, call
        Of the theory; arguments that the result records.

    Attributes: verdict and reason; theory_only, simulation_only: observables without a twin, which stand without a `source`.
    """
    axis = problem.axis
    points = simulation[axis.name].values
    theory = along(problem, problem.theory(points, size, **(options or {})), points).only_solved()
    judged = theory.judged
    value, mean, stderr = theory[judged], simulation[f"{judged}_mean"].values, simulation[f"{judged}_stderr"].values
    allowed = np.minimum(_relative(theory, allowance, size), LARGEST_ALLOWANCE) * np.abs(value)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (mean - value) / stderr
    ended = simulation["status"].transpose(..., "trial").values
    fitted = has_fit(ended)
    trials = fitted.sum(axis=-1)
    solved = np.maximum(theory["status"], np.where(fitted, ended, int(Status.converged)).max(axis=-1))
    verdict = judge(value, mean, stderr, allowed, trials, solved == int(Status.converged), int(np.sum(~fitted)))
    status = np.where(trials > 0, solved, np.maximum(solved, int(Status.single_class)))
    dims = theory.dims(judged, axis.name)
    variables, theory_only = _pairs(theory, simulation, axis.name)
    variables |= {"z": (dims, z), "allowance": (dims, allowed), "status": (dims, status)}
    variables |= {name: value for name, value in theory.beside.items() if name in simulation}
    words = WORDS | BOOKKEEPING | axis_words(problem) | theory.labels
    known = {*theory, *theory.beside, *(f"{name}_{kind}" for name in theory for kind in ("mean", "stderr"))}
    measured = sorted({str(name).removesuffix("_mean").removesuffix("_stderr") for name in simulation.data_vars} - known - set(BOOKKEEPING))
    record = json.loads(simulation.attrs["call"]) | dict(call or {})
    if allowance is not None:
        record["allowance"] = allowance
    record.pop("verb", None)
    attributes = provenance(problem, "compare", record, theory.citations)
    attributes |= {key: item for key, item in simulation.attrs.items() if key not in (*attributes, "versions")}
    attributes |= {"source": "theory and simulation", "trials": simulation.sizes["trial"], **verdict._asdict()}
    attributes |= {"judged": judged, "theory_only": ", ".join(theory_only), "simulation_only": ", ".join(measured)}
    coordinates: dict[str, Any] = {"source": ["theory", "simulation"]}
    coordinates |= {str(name): (one.dims, one.values) for name, one in simulation.coords.items() if name != "trial"}
    return dataset(variables, coordinates, attributes, words)


def _relative(theory: Curve, constant: float | None, size: int | None) -> FloatArray:
    """The allowance of every point relative to its value; nan where none is known."""
    shape = theory[theory.judged].shape
    if constant is not None:
        return np.full(shape, constant / size if size else np.nan)
    return np.full(shape, np.nan) if theory.allowance is None else np.broadcast_to(theory.allowance, shape)


def _pairs(theory: Curve, simulation: xr.Dataset, axis: str) -> tuple[dict[str, tuple[tuple[str, ...], Any]], list[str]]:
    """Observables with a simulated twin, along `source`; those without one as they are, and their names."""
    variables: dict[str, tuple[tuple[str, ...], Any]] = {}
    alone = []
    for name in theory:
        dims = theory.dims(name, axis)
        if f"{name}_mean" in simulation:
            error = simulation[f"{name}_stderr"].values
            variables[name] = (("source", *dims), np.stack([theory[name], simulation[f"{name}_mean"].values]))
            variables[f"{name}_stderr"] = (("source", *dims), np.stack([np.zeros_like(error), error]))
        elif name not in BOOKKEEPING:
            variables[name] = (dims, theory[name])
            alone.append(name)
    return variables, alone
