"""`simulate`: the real thing at finite size, trial by trial."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gaussequiv._memory import require_memory
from gaussequiv._progress import progress_bar
from gaussequiv.curve import BOOKKEEPING, Curve
from gaussequiv.errors import FloatArray, integer
from gaussequiv.numerics.status import Status
from gaussequiv.problems.base import Solvable
from gaussequiv.results import dataset
from gaussequiv.run.interrupted import Interrupted as Interrupted
from gaussequiv.run.interrupted import keeping
from gaussequiv.run.kept_trials import KeptTrials
from gaussequiv.run.provenance import along, axis_words, provenance, read_call, warn_unconverged

if TYPE_CHECKING:
    import xarray as xr

BYTES_OF_A_TRIAL = 200.0  # of its measurements at one point, at least


def simulate(
    problem: Solvable,
    points: Any = None,
    *,
    size: int | None = None,
    trials: int = 16,
    seed: int = 0,
    progress: bool | None = None,
    checkpoint: str | Path | None = None,
    **options: Any,
) -> xr.Dataset:
    """Draw the true objects of a problem at finite size and measure on them what the theory predicts.

    For supervised problems: sample true networks (and students' random features), train the learners on their labels, measure on fresh
    rows. Several learners share the same draws: their differences are paired.

    Parameters
    ----------
    problem : Problem, or anything solvable (`gaussequiv.problems.base.Solvable`)
    points : array of shape (points,)
        Points of the problem's axis, or under its own name. Supervised: alpha; n = round(alpha d), and the result's alpha is n/d.
    size : int
        Finite size, or under its own name: `d` of supervised problems.
    trials : int
        Number of draws (of teachers, each with its own data).
    seed : int
        Trial t does not depend on the number of trials, nor a point on the other points.
    progress : bool, optional
        Show a progress bar (default: on a terminal).
    checkpoint : path, optional
        A file that keeps every finished trial, and of online SGD the weights of the one under way, every ten seconds: the same call again,
        also after a kill or with more trials, goes on from there to the same bits.
    options
        What the problem's `trial` declares. Supervised: test_samples, normalise_teacher, margins, probabilities, scores (see
        `Problem.trial`).

    Returns
    -------
    Dataset with dims ([learner,] axis, trial): the observables of every trial, status, steps and residual; <name>_mean and <name>_stderr
    over trials, without those whose training set has a single class (status single_class).
    Supervised: test_error, clean_error, train_error, m, q, lam; for learners with a loss also test_loss, train_loss,
    intercept, V (at most 1500 student dimensions), and on labels auc, log_loss, brier, calibration_error where they apply;
    offset(trial), the mean of the field on the test rows. If the user interrupts, `Interrupted.partial` keeps the finished trials.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> run = ge.simulate(ge.Problem(target=ge.DeepNetwork("erf")), alpha=2.0, d=20, trials=3)
    >>> run.test_error.dims
    ('alpha', 'trial')
    """
    points, size, (asked,) = read_call(problem, points, size, options, "trial", own=("trials", "seed", "progress", "checkpoint"))
    trials = integer("trials", trials, minimum=1)
    seed = integer("seed", seed, minimum=0)
    require_memory(BYTES_OF_A_TRIAL * (1 + np.size(points)) * trials, "trials", trials, "the measurements")
    kept = KeptTrials(checkpoint, problem, points, size, seed, asked)
    done = kept.curves
    try:
        for number in progress_bar(range(trials), "simulating", progress):
            if number >= len(done):
                kept.add(along(problem, problem.resumed_trial(points, size, (seed, number), kept.halfway(), **asked), points))
        kept.save()
        done = done[:trials]
        result = collect(problem, done, size, seed, asked)
    except KeyboardInterrupt:
        kept.save()
        raise keeping(lambda: collect(problem, done, size, seed, asked) if done else None) from None
    warn_unconverged(result)
    return result


def collect(problem: Solvable, done: list[Curve], size: int | None, seed: int, asked: Mapping[str, Any]) -> xr.Dataset:
    """The trials as one Dataset, with means and standard errors over those that have a fit."""
    axis, first = problem.axis, done[0]
    words = BOOKKEEPING | axis_words(problem) | first.labels
    variables: dict[str, tuple[tuple[str, ...], Any]] = {}
    fitted = has_fit(np.stack([curve["status"] for curve in done], axis=-1))
    for name in first:
        values = np.stack([curve[name] for curve in done], axis=-1)
        dims = first.dims(name, axis.name)
        variables[name] = ((*dims, "trial"), values)
        if name not in words or words[name].averaged:
            inner = tuple(range(fitted.ndim - 1, values.ndim - 1))  # the dims of this observable alone
            kept = np.broadcast_to(np.expand_dims(fitted, inner), values.shape)
            variables[f"{name}_mean"] = (dims, mean(values, kept))
            variables[f"{name}_stderr"] = (dims, standard_error(values, kept))
    for name, (dims, _) in first.beside.items():
        variables[name] = ((*dims, "trial"), np.stack([np.asarray(curve.beside[name][1]) for curve in done], axis=-1))
    facts = dict(first.attributes)
    call = {axis.size: facts.get(axis.size, size), "trials": len(done), "seed": seed} | dict(asked) | first.resolved
    attributes = (
        provenance(problem, "simulate", call, first.citations) | facts | {"source": "simulation", "seed": seed, "judged": first.judged}
    )
    if size is not None:
        attributes.setdefault(axis.size, size)
    return dataset(variables, first.coordinates | {"trial": np.arange(len(done))}, attributes, words)


def has_fit(status: FloatArray) -> NDArray[np.bool_]:
    """Whether a trial measures a fit: not where its training set has a single class, a matter of the draw and of a finite size."""
    found: NDArray[np.bool_] = status != float(Status.single_class)
    return found


def mean(values: FloatArray, kept: NDArray[np.bool_]) -> FloatArray:
    """Over the kept trials of the last dimension; nan where there is none."""
    some = np.any(kept, axis=-1, keepdims=True)
    found: FloatArray = values.mean(axis=-1, where=kept | ~some)
    return np.where(some[..., 0], found, np.nan)


def standard_error(values: FloatArray, kept: NDArray[np.bool_]) -> FloatArray:
    """Of the mean over the kept trials of the last dimension; nan for one trial or none."""
    count = kept.sum(axis=-1)
    out = np.full(count.shape, np.nan)
    several = count > 1
    if several.any():
        out[several] = values[several].std(axis=-1, ddof=1, where=kept[several]) / np.sqrt(count[several])
    return out
