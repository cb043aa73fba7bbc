"""`fit_finite_size`: the relative bias c/size of simulated means, fitted over at least three sizes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gaussequiv.errors import FloatArray, fail, integer
from gaussequiv.problems.base import Solvable, check_solvable
from gaussequiv.run.compare import compare
from gaussequiv.run.provenance import options_of, read_call

NORMALISED = "normalise_teacher"  # of trials that draw a teacher, whose size would otherwise be most of the spread


class FiniteSizeFit(NamedTuple):
    """c and its standard error at each ([learner, data,] point), and the relative deviations with theirs at each size."""

    c: FloatArray
    c_stderr: FloatArray
    sizes: tuple[int, ...]
    deviation: FloatArray
    deviation_stderr: FloatArray


def fit_finite_size(
    problem: Solvable,
    points: Any = None,
    *,
    sizes: tuple[int, ...] = (50, 100, 200),
    trials: int = 64,
    seed: int = 0,
    progress: bool | None = None,
    **options: Any,
) -> FiniteSizeFit:
    """Fit mean/theory - 1 = c/size of a problem's judged observable by weighted least squares through the origin.

    Parameters
    ----------
    problem : any solvable problem
    points : array
        Along its axis, which may be given by name (``alpha=``, ``time=``, ``snr=``).
    sizes : at least three different ones
        Its d or N.
    trials : int
        At the smallest size; larger sizes take fewer in proportion, at least 16.
    options
        Of the problem's theory and trial. Teachers are normalised where trials draw them.

    Returns
    -------
    FiniteSizeFit: c with its standard error for every ([learner,] point). Pass ``allowance=max(abs(c) + 2*c_stderr)`` to `compare`. What
    all trials of a problem share with its theory, such as the instance of `OnlineSGD`, is one draw at each size: fit several.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> fit = fit_finite_size(ge.Problem(target=ge.DeepNetwork("erf")), [2.0], sizes=(10, 20, 30), trials=8)
    >>> fit.c.shape
    (1,)
    """
    if len(set(sizes)) < 3:
        raise fail("sizes", f"at least three different {check_solvable(problem).axis.size_label}s", sizes)
    points, size, (of_theory, of_trial) = read_call(problem, points, None, options, "theory", "trial", own=("sizes", "trials", "seed"))
    if size is not None:
        raise fail("size", "left out, as `sizes` has several", size)
    if NORMALISED in options_of(problem.trial):
        of_trial = {NORMALISED: True} | dict(of_trial)
    deviations, errors = [], []
    for one in sizes:
        integer("sizes", one, minimum=2)
        count = max(16, trials * min(sizes) // one)  # the variance over teachers falls like 1/d
        both = compare(problem, points, size=one, trials=count, seed=seed, progress=progress, **{**of_theory, **of_trial})
        judged = both.attrs["judged"]
        theory, mean = (both[judged].sel(source=source).values for source in ("theory", "simulation"))
        if not np.all(theory > 0):
            raise fail("problem", f"one with a positive {judged} at every point", float(np.min(theory)))
        deviations.append(mean / theory - 1)
        errors.append(both[f"{judged}_stderr"].sel(source="simulation").values / theory)
    y, s = np.stack(deviations), np.stack(errors)
    x = (1 / np.array(sizes)).reshape(-1, *[1] * (y.ndim - 1))
    information = (x**2 / s**2).sum(axis=0)
    return FiniteSizeFit((x * y / s**2).sum(axis=0) / information, information**-0.5, tuple(sizes), y, s)
