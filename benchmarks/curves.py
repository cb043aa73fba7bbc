"""Warm curves: the library from a problem to a Dataset, beside the plain loops, which must give the same numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import gaussequiv as ge
from benchmarks import notebook
from benchmarks.measure import Row, medians


def _problem(task: str, learner: object) -> ge.Problem:
    return ge.Problem(target=ge.DeepNetwork("tanh", depth=2, weight_variance=4, task=task), learner=learner)


def _regression() -> np.ndarray:
    return ge.solve(_problem("regression", ge.BayesOptimal()), notebook.ALPHA_REGRESSION)["test_error"].values


def _classification() -> np.ndarray:
    return ge.solve(_problem("classification", ge.BayesOptimal()), notebook.ALPHA_CLASSIFICATION)["test_error"].values


def _ridge() -> np.ndarray:
    return ge.solve(_problem("regression", ge.Ridge("optimal")), notebook.ALPHA_REGRESSION)["test_error"].values


def _reduction() -> np.ndarray:
    equivalent = _problem("regression", ge.BayesOptimal()).equivalent()
    return np.array([equivalent.signal_variance, equivalent.noise])


def _compare(name: str, library: Callable[[], np.ndarray], loop: Callable[[], object], least_ratio: float | None = None) -> Row:
    gap = float(np.max(np.abs(library() - np.asarray(loop()))))
    assert gap < 1e-6, f"{name}: the library and the plain loop differ by {gap:.1e}"
    mine, theirs = medians(library, loop)
    return Row(name, mine, reference=theirs, least_ratio=least_ratio, difference=gap)


def run() -> list[Row]:
    """Time every curve."""
    return [
        _compare("Bayes classification, 30 alphas (loop: to 1e-8)", _classification, notebook.classification, 50),
        _compare("Bayes classification, 30 alphas (loop: to 1e-13)", _classification, lambda: notebook.classification(tolerance=1e-13)),
        _compare("optimal ridge, 70 alphas (loop: 500 modes)", _ridge, notebook.ridge, 100),
        _compare("optimal ridge, 70 alphas (loop: scalar)", _ridge, lambda: notebook.ridge(w=1.0)),
        _compare("Bayes regression, 70 alphas", _regression, notebook.regression),
        _compare("reduction of the deep target alone", _reduction, notebook.reduction),
    ]
