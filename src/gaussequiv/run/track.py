"""`track`: an algorithm on true data, step by step beside its state evolution."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv.errors import integer, number
from gaussequiv.problems.base import Solvable
from gaussequiv.run.beside import beside
from gaussequiv.run.interrupted import Interrupted, keeping
from gaussequiv.run.provenance import options_of, provenance, read_call
from gaussequiv.run.simulate import simulate

if TYPE_CHECKING:
    import xarray as xr


def track(
    problem: Solvable,
    point: Any = None,
    *,
    size: int | None = None,
    trials: int = 16,
    steps: int = 10,
    seed: int = 0,
    allowance: float | None = None,
    progress: bool | None = None,
    **options: Any,
) -> xr.Dataset:
    r"""Run an algorithm on the true objects of a problem, beside its state evolution at every step.

    For supervised problems: undamped GAMP, tuned to the target's Gaussian equivalent, on the true target's data,

        theory:      q_{t+1} = mean E[eta(A_t)^2],   A_t = alpha E_omega Sum_y Z g^2   (`StateEvolution`, at the simulation's n/d)
        simulation:  `GAMP` on rows and labels of deep networks (or linear targets), measured on fresh rows

    Parameters
    ----------
    problem : Problem, or anything solvable with an `algorithm`
        Supervised: its target and inputs; the learner is the Bayes-optimal one.
    point : float
        One point of the problem's axis, or under its own name (alpha = n/d; n = round(alpha d)).
    size, trials, seed, progress
        As in `simulate`, with the same teachers, rows and labels.
    steps : int
        Number of steps, each of which passes the data once; step 0 is the start.
    allowance : float, optional
        Finite-size constant c: the mean may differ from theory by c/size of the theory's value (at most 5%) at every step. By default what
        the algorithm's problem declares: the committed constant of the Bayes-optimal learner of this family (`compare`), at least 2.9, to
        which earlier steps were fitted.
    options
        What the problem's `algorithm` declares. Supervised:

        start : {"uninformed", "informed"} or float
            "uninformed": the prior. A number: every weight of a linear target is first seen in Gaussian noise at this signal-to-noise
            ratio, in theory and simulation; "informed" is 1e4. Needed where the prior is a fixed point (labels that are even in the field).
        variances : {"scalar", "vector"}
            As in `GAMP`; state evolution is the same.
        test_samples, normalise_teacher
            As in `Problem.trial`.

    Returns
    -------
    Dataset with dims (source, step), source = theory, simulation
        Supervised: test_error, q (variance of the estimated field), m (its covariance with the target's), V (variance left unknown), each
        with _stderr; z and allowance (step) of the judged observable; attrs `verdict` and `reason`, as in `compare`.

    Raises
    ------
    ArgumentError
        For problems without an algorithm; supervised: for learners other than `BayesOptimal()`, and informed starts on deep targets, whose
        equivalent weights are not known.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> problem = ge.Problem(ge.DeepNetwork("tanh", task="classification"))
    >>> run = track(problem, 2.0, d=40, trials=3, steps=4)
    >>> run.test_error.dims, run.sizes["step"]
    (('source', 'step'), 5)
    """
    own = ("trials", "steps", "seed", "allowance", "progress")
    point, size, (asked,) = read_call(problem, point, size, options, "algorithm", own=own)
    steps = integer("steps", steps, minimum=1, meaning="It is the number of passes over the data.")
    if allowance is not None:
        allowance = number("allowance", allowance, nonnegative=True, meaning="It is c in the finite-size allowance c/size.")
    algorithm = problem.algorithm(point, size, **asked)
    try:
        simulation = simulate(algorithm, np.arange(steps + 1), size=size, trials=trials, seed=seed, progress=progress)
    except Interrupted as stop:
        part = stop.partial
        raise keeping(lambda: None if part is None else _recorded(problem, algorithm, part, point, steps, allowance, asked)) from None
    try:
        return _recorded(problem, algorithm, simulation, point, steps, allowance, asked)
    except KeyboardInterrupt:
        raise keeping(lambda: _recorded(problem, algorithm, simulation, point, steps, allowance, asked)) from None


def _recorded(
    problem: Solvable,
    algorithm: Solvable,
    simulation: xr.Dataset,
    point: Any,
    steps: int,
    allowance: float | None,
    asked: dict[str, Any],
) -> xr.Dataset:
    """The comparison along steps, with the call of `track` on the problem itself."""
    size = simulation.attrs.get(algorithm.axis.size)
    result = beside(algorithm, simulation, size=None if size is None else int(size), allowance=allowance)
    call = json.loads(result.attrs["call"])
    call.pop("verb")
    description = algorithm.to_dict()
    given = {name: description[name] for name in options_of(problem.algorithm) if name in description}
    call |= asked | given | {"steps": steps}
    if problem.axis.name not in result.coords:
        result = result.assign_coords({problem.axis.name: float(np.ravel(point)[0])})
    citations = tuple(key for key in result.attrs["citations"].split(", ") if key)
    record = provenance(problem, "track", call, citations)
    result.attrs |= {key: record[key] for key in ("problem", "call", "citations")}
    return result
