"""`compare`: theory beside simulation, a z-score for every point and one verdict."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from gaussequiv.errors import FloatArray, choice, number
from gaussequiv.problems.supervised.description import Problem
from gaussequiv.results import dataset
from gaussequiv.run.finite_size import committed_allowance
from gaussequiv.run.simulate import simulate
from gaussequiv.run.solve import provenance, solve

if TYPE_CHECKING:
    import xarray as xr

Z_LIMIT = 4.0
LARGEST_ALLOWANCE = 0.05  # of the theory's value: a larger finite-size allowance would pass anything
LARGEST_STDERR = 0.05  # of the theory's value: beyond, the error bars cannot tell
MINIMUM_TRIALS = 16
ROUNDING = 1e-10  # an exactly solved problem leaves nothing but rounding


class Verdict(NamedTuple):
    """agree, disagree or inconclusive, with the reason."""

    verdict: str
    reason: str


def compare(
    problem: Problem,
    alpha: ArrayLike,
    *,
    d: int | None = None,
    trials: int = 16,
    seed: int = 0,
    test_samples: int | None = None,
    normalise_teacher: bool = False,
    allowance: float | None = None,
    progress: bool | None = None,
    axis: str = "alpha",
    steps: int = 10,
) -> xr.Dataset:
    """Solve and simulate a problem at the same (n, d) and judge whether they agree.

    Parameters
    ----------
    problem, alpha, d, trials, seed, test_samples, normalise_teacher, progress
        As in `simulate`. The theory is computed at the simulation's n/d, with the spectrum at its d.
    allowance : float, optional
        Finite-size constant c: the mean may differ from theory by c/d of the theory's value (at most 5%). By default the committed
        fit for this family of problems (`finite_size`), where the problem lies in its range.
    axis : {"alpha", "step"}
        "step": at one alpha, message passing beside state evolution after every one of `steps` passes over the data (`track`).
    steps : int

    Returns
    -------
    Dataset with dims (source, [learner,] alpha): test_error and test_error_stderr for source = theory, simulation; z and allowance
    ([learner,] alpha); the other observables of both sources; attrs `verdict` and `reason`.

    The verdict is `agree` if every |mean - theory| is within allowance + 4 standard errors, `disagree` if one is not,
    `inconclusive` with fewer than 16 trials, unconverged points, no allowance, or error bars above 5%. Where no allowance is
    known, a deviation beyond 4 standard errors plus the largest possible allowance is still `disagree`.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> both = ge.compare(ge.Problem(target=ge.DeepNetwork("erf")), alpha=2.0, d=20, trials=3)
    >>> both.attrs["verdict"]
    'inconclusive'
    """
    if allowance is not None:
        allowance = number("allowance", allowance, nonnegative=True, meaning="It is c in the finite-size allowance c/d.")
    options: dict[str, Any] = {"d": d, "trials": trials, "seed": seed, "test_samples": test_samples}
    options |= {"normalise_teacher": normalise_teacher, "progress": progress}
    if choice("axis", axis, ("alpha", "step")) == "step":
        from gaussequiv.run.track import track

        return track(problem, alpha, steps=steps, allowance=allowance, **options)
    simulation = simulate(problem, alpha, **options)
    return align(problem, simulation, allowance)


def align(problem: Problem, simulation: xr.Dataset, allowance: float | None = None) -> xr.Dataset:
    """Compare a finished simulation of `problem` with its theory."""
    d = int(simulation.attrs["d"])
    theory = solve(problem, n=simulation["n"].values, d=d)
    theory = theory.assign_coords(alpha=simulation["alpha"].values)
    value, mean = theory["test_error"].values, simulation["test_error_mean"].values
    stderr = simulation["test_error_stderr"].values
    constants = _constants(problem, theory, allowance)
    allowed = np.minimum(constants / d, LARGEST_ALLOWANCE) * value
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (mean - value) / stderr
    converged = theory["converged"].values & simulation["converged"].values.all(axis=-1)
    verdict = judge(value, mean, stderr, allowed, simulation.sizes["trial"], converged)
    dims = tuple(str(dim) for dim in theory["test_error"].dims)
    variables: dict[str, tuple[tuple[str, ...], Any]] = {}
    for name in theory.data_vars:
        measured = f"{name}_mean"
        if measured in simulation:
            variables[str(name)] = (("source", *dims), np.stack([theory[name].values, simulation[measured].values]))
            error = simulation[f"{name}_stderr"].values
            variables[f"{name}_stderr"] = (("source", *dims), np.stack([np.zeros_like(error), error]))
    for name in ("floor", "excess_over_floor", "lam"):
        if name in theory:
            variables[name] = (dims, theory[name].values)
    worst = np.maximum(theory["status"].values, simulation["status"].max("trial").values)
    variables |= {"z": (dims, z), "allowance": (dims, allowed), "status": (dims, worst)}
    call = json.loads(simulation.attrs["call"]) | {"verb": "compare"}
    extra = {"allowance": allowance} if allowance is not None else {}
    attributes = provenance(problem, "compare", call | extra) | {
        key: simulation.attrs[key] for key in ("d", "widths", "seed", "test_samples", "normalise_teacher")
    }
    attributes |= {"source": "theory and simulation", "trials": simulation.sizes["trial"], **verdict._asdict()}
    coordinates: dict[str, Any] = {
        "source": ["theory", "simulation"],
        "alpha": simulation["alpha"].values,
        "n": ("alpha", simulation["n"].values),
    }
    if "learner" in simulation.coords:
        coordinates["learner"] = simulation["learner"].values
    return dataset(variables, coordinates, attributes)


def _constants(problem: Problem, theory: xr.Dataset, given: float | None) -> FloatArray:
    """The finite-size constant of every point, nan where none is known."""
    out = np.full(theory["test_error"].shape, np.nan)
    if given is not None:
        return np.full_like(out, given)
    d = int(theory.attrs["d"])
    rows = out if out.ndim == 2 else out[None, :]
    lams = theory["lam"].values.reshape(rows.shape) if "lam" in theory else np.full(rows.shape, np.nan)
    for k, learner in enumerate(problem.learners):
        equivalent = problem.equivalent_of(learner, d)
        for i, alpha in enumerate(theory["alpha"].values):
            rows[k, i] = committed_allowance(problem, equivalent, learner, d, float(alpha), float(lams[k, i]))
    return out


def judge(value: FloatArray, mean: FloatArray, stderr: FloatArray, allowed: FloatArray, trials: int, converged: Any) -> Verdict:
    """One verdict for all points; see `compare`."""
    if not np.all(converged):
        return Verdict("inconclusive", f"{int(np.sum(~np.asarray(converged)))} points did not converge")
    if trials < MINIMUM_TRIALS:
        return Verdict("inconclusive", f"{trials} trials are fewer than {MINIMUM_TRIALS}")
    known = np.isfinite(allowed)
    rounding = ROUNDING * max(1.0, float(np.max(np.abs(value))))
    bound = np.where(known, allowed, LARGEST_ALLOWANCE * np.abs(value)) + Z_LIMIT * stderr + rounding
    deviation = np.abs(mean - value)
    outside = ~(deviation <= bound)
    worst = float(np.max(np.divide(deviation, stderr, out=np.zeros_like(deviation), where=stderr > rounding)))
    if outside.any():
        share = float(np.max(deviation[outside] / np.maximum(np.abs(value[outside]), rounding)))
        return Verdict(
            "disagree",
            f"{int(outside.sum())} of {outside.size} points deviate beyond 4 standard errors and the allowance, by up to {share:.1%}",
        )
    if not known.all():
        return Verdict(
            "inconclusive",
            f"no finite-size allowance was fitted for {int((~known).sum())} of {known.size} points (largest |z| {worst:.1f})",
        )
    if np.any(stderr > LARGEST_STDERR * np.abs(value) + rounding):
        share = float(np.max(stderr / np.maximum(np.abs(value), rounding)))
        return Verdict("inconclusive", f"error bars reach {share:.1%} of the value; more trials or a larger d would tell")
    return Verdict("agree", f"all {known.size} points within 4 standard errors and the finite-size allowance (largest |z| {worst:.1f})")
