"""`fit_finite_size`: the relative bias c/d of simulated means, fitted over at least three sizes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from gaussequiv.errors import FloatArray, fail, integer
from gaussequiv.problems.supervised.description import Problem
from gaussequiv.run.simulate import simulate
from gaussequiv.run.solve import solve


class FiniteSizeFit(NamedTuple):
    """c and its standard error at each ([learner,] alpha), and the relative deviations with theirs at each size."""

    c: FloatArray
    c_stderr: FloatArray
    sizes: tuple[int, ...]
    deviation: FloatArray
    deviation_stderr: FloatArray


def fit_finite_size(
    problem: Problem,
    alpha: ArrayLike,
    *,
    sizes: tuple[int, ...] = (50, 100, 200),
    trials: int = 64,
    seed: int = 0,
    progress: bool | None = None,
) -> FiniteSizeFit:
    """Fit mean/theory - 1 = c/d over at least three sizes by weighted least squares through the origin.

    `trials` counts the teachers at the smallest size; larger sizes take fewer in proportion, at least 16. Returns c with its standard
    error for every ([learner,] alpha); pass ``allowance=max(abs(c) + 2*c_stderr)`` to `compare`.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> fit = fit_finite_size(ge.Problem(target=ge.DeepNetwork("erf")), [2.0], sizes=(10, 20, 30), trials=8)
    >>> fit.c.shape
    (1,)
    """
    if len(set(sizes)) < 3:
        raise fail("sizes", "at least three different input dimensions", sizes)
    deviations, errors = [], []
    for d in sizes:
        integer("sizes", d, minimum=2)
        count = max(16, trials * min(sizes) // d)  # the variance over teachers falls like 1/d
        run = simulate(problem, alpha, d=d, trials=count, seed=seed, normalise_teacher=True, progress=progress)
        theory = solve(problem, n=run["n"].values, d=d)["test_error"].values
        if np.any(theory <= 0):
            raise fail("problem", "one with a positive test error at every alpha", float(theory.min()))
        deviations.append(run["test_error_mean"].values / theory - 1)
        errors.append(run["test_error_stderr"].values / theory)
    y, s = np.stack(deviations), np.stack(errors)
    x = (1 / np.array(sizes)).reshape(-1, *[1] * (y.ndim - 1))
    information = (x**2 / s**2).sum(axis=0)
    return FiniteSizeFit((x * y / s**2).sum(axis=0) / information, information**-0.5, tuple(sizes), y, s)
