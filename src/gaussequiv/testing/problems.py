"""`check_problem`: whatever the verbs take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gaussequiv.curve import BOOKKEEPING, Curve
from gaussequiv.errors import ArgumentError
from gaussequiv.numerics.status import Status
from gaussequiv.problems.base import MEMBERS, Axis
from gaussequiv.problems.dictionary import from_dict
from gaussequiv.results import load, save
from gaussequiv.run.compare import compare
from gaussequiv.run.simulate import simulate
from gaussequiv.run.solve import solve
from gaussequiv.run.sweep import rerun, sweep
from gaussequiv.store.halfway import Halfway, State
from gaussequiv.testing.contract import ContractError, close, json_able, members, require


def check_problem(
    problem: Any,
    points: ArrayLike,
    size: int | None,
    *,
    parts: Mapping[str, Any] | None = None,
    over: Mapping[str, Sequence[Any]] | None = None,
    seed: int = 0,
) -> None:
    """Check that a problem keeps the contract `gaussequiv.problems.base.Solvable`, and that the verbs take it.

    Parameters
    ----------
    problem : object that is solvable
    points : array of shape (points,)
        A few points of its axis; small ones keep the check short.
    size : int or None
        Of the trials; None for a problem that has no size.
    parts : mapping from name to object, optional
        As in `rerun`: the user's own pieces, or the whole problem under its `kind`.
    over : mapping of field name to values, optional
        Parameters for `sweep`, which is left out without them.
    seed : int

    Raises
    ------
    ContractError : a member is missing; the theory has another shape than the points, or a converged number that is not finite; a trial
        depends on more than its key, or not on its key; a resumed one differs; no observable that is judged has a twin; `to_dict` is not
        for JSON or builds another problem; a verb does not take it.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> check_problem(ge.Problem(learner=ge.Ridge(0.1)), [1.0, 2.0], 20, over={"lam": [0.1, 1.0]})
    """
    members(problem, MEMBERS, "Solvable in problems/base.py")
    require(isinstance(problem.axis, Axis), problem, f"`axis` is {type(problem.axis).__name__}.", "Return an Axis(name, label).")
    asked = np.atleast_1d(np.asarray(points, float))
    theory = _theory(problem, asked, size)
    _trials(problem, asked, size, theory, seed)
    _description(problem, parts)
    _verbs(problem, asked, size, parts, over, seed)


def _finished(problem: Any, curve: Any, points: int, source: str) -> Curve:
    require(isinstance(curve, Curve), problem, f"`{source}` gives {type(curve).__name__}.", "Return a gaussequiv.curve.Curve.")
    try:
        return Curve.finished(curve, points)
    except ArgumentError as error:
        raise ContractError(f"{type(problem).__name__}: the curve of `{source}` is not one of its points. {error}") from error


def _theory(problem: Any, points: Any, size: int | None) -> Curve:
    curve = _finished(problem, problem.theory(points, size), points.size, "theory")
    bad = (curve["status"] == Status.nonfinite).sum()
    mend = "Give a point that cannot be solved its own `status`."
    require(bad == 0, problem, f"`{curve.judged}` of `theory` is not finite at {bad} points that claim to have converged.", mend)
    return curve


def _same(one: Curve, other: Curve) -> bool:
    return set(one) == set(other) and all(np.array_equal(one[name], other[name], equal_nan=True) for name in one)


class _Listed(Halfway):
    """All that is offered."""

    def __init__(self, states: list[State]) -> None:
        super().__init__()
        self._states = states

    def offer(self, make: Callable[[], State]) -> None:
        self._states.append(make())


def _trials(problem: Any, points: Any, size: int | None, theory: Curve, seed: int) -> None:
    first = _finished(problem, problem.trial(points, size, (seed, 0)), points.size, "trial")
    other = _finished(problem, problem.trial(points, size, (seed, 1)), points.size, "trial")
    again = _finished(problem, problem.trial(points, size, (seed, 0)), points.size, "trial")
    states: list[State] = []
    problem.resumed_trial(points, size, (seed, 0), _Listed(states))
    for state in ({}, *states[:: max(len(states) // 3, 1)], *states[-1:]):
        resumed = _finished(problem, problem.resumed_trial(points, size, (seed, 0), Halfway(state)), points.size, "resumed_trial")
        wrong = f"`resumed_trial` from what it offered ({', '.join(state) or 'nothing'}) gives another draw than `trial`."
        require(_same(first, resumed), problem, wrong, "Offer all that the rest of the trial depends on, copied.")
    mend = "All that is random comes from numpy.random.default_rng((*key, purpose))."
    judged = theory.judged
    wrong = f"`trial` with the key {(seed, 0)} gives two different draws when it is called twice."
    require(_same(first, again), problem, wrong, f"{mend} Keep no state between trials.")
    wrong = f"`trial` gives the same draw for the keys {(seed, 0)} and {(seed, 1)}."
    require(not _same(first, other), problem, wrong, mend)
    twins = sorted((set(theory) & set(first)) - set(BOOKKEEPING))
    alone = sorted(set(first) - set(theory) - set(BOOKKEEPING))
    lacking = sorted(set(theory) - set(first) - set(BOOKKEEPING))
    wrong = (
        f"`{judged}`, the judged observable, is not measured by `trial`: it has {', '.join(twins) or 'nothing'} in common with `theory`; "
        f"without a twin are {', '.join(alone) or 'none'} of the trial and {', '.join(lacking) or 'none'} of the theory."
    )
    require(judged in twins, problem, wrong, "Give both the same name, or name another one: Curve(..., judged=...).")


def _description(problem: Any, parts: Mapping[str, Any] | None) -> None:
    description = json_able(problem)
    mend = "`kind` must name a file of problems/; else pass parts={kind: the problem, or a function of its description}."
    try:
        again = from_dict(description, parts)
    except ArgumentError as error:
        raise ContractError(f"{type(problem).__name__}: `from_dict` cannot build it from `to_dict()`. {error} {mend}") from error
    require(again.to_dict() == description, problem, "`from_dict(to_dict())` has another description.", "Keep every parameter in it.")


def _verbs(problem: Any, points: Any, size: int | None, parts: Any, over: Any, seed: int) -> None:
    def call(verb: str, run: Any) -> Any:
        try:
            return run()
        except ArgumentError as error:
            raise ContractError(f"{type(problem).__name__}: `{verb}` does not take it. {error}") from error

    judged = solved = call("solve", lambda: solve(problem, points, size=size))
    run = call("simulate", lambda: simulate(problem, points, size=size, trials=2, seed=seed, progress=False))
    call("compare", lambda: compare(problem, points, size=size, trials=2, seed=seed, progress=False))
    if over is not None:
        call("sweep", lambda: sweep(problem, points, over, size=size))
    with TemporaryDirectory() as folder:
        for name, result in (("solve", solved), ("simulate", run)):
            kept = call("save", lambda result=result: load(save(result, Path(folder) / "result.json")))
            judged = call("rerun", lambda kept=kept: rerun(kept, parts=parts))
            for observable in set(result.data_vars) - {"steps"}:
                wrong = f"`{observable}` of `{name}` is {{found}} after `save`, `load` and `rerun`, but was {{expected}}."
                before, after = (np.asarray(data[observable].values) for data in (result, judged))
                if before.dtype.kind == "f":
                    known = np.isfinite(before)
                    allowed = 1e-9 * (1 + np.abs(before[known]))
                    close(problem, after[known], before[known], allowed, 0.0, wrong, "Keep every parameter in `to_dict`.")
