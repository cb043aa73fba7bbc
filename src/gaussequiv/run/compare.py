"""`compare`: theory beside simulation, a z-score for every point and one verdict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaussequiv.errors import choice, fail, number
from gaussequiv.problems.base import Solvable, check_solvable
from gaussequiv.run.beside import beside
from gaussequiv.run.interrupted import Interrupted, keeping
from gaussequiv.run.provenance import options_of, read_call
from gaussequiv.run.simulate import simulate
from gaussequiv.run.track import track
from gaussequiv.run.verdict import Verdict as Verdict

if TYPE_CHECKING:
    import xarray as xr


def compare(
    problem: Solvable,
    points: Any = None,
    *,
    size: int | None = None,
    trials: int = 16,
    seed: int = 0,
    allowance: float | None = None,
    progress: bool | None = None,
    axis: str | None = None,
    steps: int = 10,
    checkpoint: str | Path | None = None,
    **options: Any,
) -> xr.Dataset:
    """Solve and simulate a problem at the same points and size and judge whether they agree.

    Parameters
    ----------
    problem, points, size, trials, seed, progress
        As in `simulate`. The theory is computed at the simulation's points (n/d), with the moments (the spectrum) of its size.
    allowance : float, optional
        Finite-size constant c: the mean may differ from theory by c/size of the theory's value (at most 5%). By default what the problem
        declares: for supervised ones and online learning the committed fit for its family, where the problem lies in its range.
    axis : str, optional
        The problem's axis, or "step": at one point, an algorithm beside its state evolution after every one of `steps` steps (`track`).
    steps : int
    checkpoint : path, optional
        A file from which the simulation goes on after a kill, as in `simulate`.
    options
        What the problem's `theory` and `trial` declare; each gets its own.

    Returns
    -------
    Dataset with dims (source, [learner,] axis): every observable with a simulated twin, and its standard error, for source = theory,
    simulation; z and allowance ([learner,] axis) of the judged observable (test_error); observables of one side only without `source`,
    named in the attributes theory_only and simulation_only; attributes `verdict` and `reason`.

    The verdict is `agree` if every |mean - theory| is within allowance + 4 standard errors, `disagree` if one is not,
    `inconclusive` with fewer than 16 trials, unconverged points, no allowance, error bars above 5%, or a band above 15% of the value
    (`gaussequiv.run.verdict.judge`). Where no allowance is known, a deviation beyond 4 standard errors plus the largest possible
    allowance is still `disagree`. After an interruption, `Interrupted.partial` compares the finished trials.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> both = ge.compare(ge.Problem(target=ge.DeepNetwork("erf")), alpha=2.0, d=20, trials=3)
    >>> both.attrs["verdict"]
    'inconclusive'
    """
    if allowance is not None:
        allowance = number("allowance", allowance, nonnegative=True, meaning="It is c in the finite-size allowance c/size.")
    shared: dict[str, Any] = {"trials": trials, "seed": seed, "progress": progress}
    own = ("trials", "seed", "allowance", "progress", "axis", "steps", "checkpoint")
    if choice("axis", axis if axis is not None else "", ("", "step", check_solvable(problem).axis.name)) == "step":
        if checkpoint is not None:
            raise fail("checkpoint", "None for an algorithm's steps", str(checkpoint))
        return track(problem, points, size=size, steps=steps, allowance=allowance, **shared, **options)
    points, size, (of_theory, of_trial) = read_call(problem, points, size, options, "theory", "trial", own=own)
    try:
        simulation = simulate(problem, points, size=size, checkpoint=checkpoint, **shared, **of_trial)
    except Interrupted as stop:
        finished = stop.partial
        raise keeping(lambda: None if finished is None else _against(problem, finished, allowance, of_theory)) from None
    try:
        return _against(problem, simulation, allowance, of_theory)
    except KeyboardInterrupt:
        raise keeping(lambda: _against(problem, simulation, allowance, of_theory)) from None


def _against(problem: Solvable, simulation: xr.Dataset, allowance: float | None, options: dict[str, Any]) -> xr.Dataset:
    size = simulation.attrs.get(problem.axis.size)
    return beside(problem, simulation, size=None if size is None else int(size), allowance=allowance, options=options, call=options)


def align(problem: Solvable, simulation: xr.Dataset, allowance: float | None = None) -> xr.Dataset:
    """Compare a finished simulation of `problem` with its theory."""
    call = json.loads(simulation.attrs["call"])
    of_theory = {name: call[name] for name in options_of(problem.theory) if name in call}
    return _against(problem, simulation, allowance, of_theory)
