"""Warm curves of logistic regression: the library from a problem to a Dataset, beside plain loops, which must give the same numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import gaussequiv as ge
from benchmarks import notebook_erm
from benchmarks.measure import Row, medians
from gaussequiv.ingredients.inputs.spectra import Eigenvalues

TARGET = ge.DeepNetwork("tanh", depth=2, weight_variance=4, task="classification")


def _curve(learner: object, spectrum: object = "identity") -> np.ndarray:
    problem = ge.Problem(TARGET, ge.GaussianInputs(spectrum), learner)
    return ge.solve(problem, notebook_erm.ALPHA)["test_error"].values


def _row(name: str, library: Callable[[], np.ndarray], loop: Callable[[], np.ndarray], below: float) -> Row:
    gap = float(np.max(np.abs(library() - loop())))
    assert gap < 1e-6, f"{name}: the library and the plain loop differ by {gap:.1e}"
    mine, theirs = medians(library, loop, rounds=1, calls=9)  # one round: the loops take up to minutes
    return Row(name, mine, reference=theirs, below=below, difference=gap)


def run() -> list[Row]:
    """Time every curve."""
    logistic, spectrum = ge.Logistic(0.1), Eigenvalues(notebook_erm.POWER_LAW)
    return [
        _row("logistic, isotropic, 20 alphas", lambda: _curve(logistic), notebook_erm.isotropic, 0.1),
        _row("logistic, 500 modes, 20 alphas", lambda: _curve(logistic, spectrum), notebook_erm.structured, 0.5),
        _row("logistic at its best penalty, 20 alphas", lambda: _curve(ge.Logistic("optimal")), notebook_erm.optimal, 2.0),
    ]
