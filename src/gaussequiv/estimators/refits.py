"""Brute force as scikit-learn does it: fits of a whole estimator or pipeline to some rows, measured on others."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import metrics
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import cross_validate

from gaussequiv.errors import FloatArray
from gaussequiv.realdata.scoring import Scoring

METRICS = {  # of true labels (0 and 1, or real) and what the estimator gives
    "balanced_accuracy": metrics.balanced_accuracy_score,
    "f1": lambda y, guess: metrics.f1_score(y, guess, zero_division=0.0),
    "recall": metrics.recall_score,
    "roc_auc": metrics.roc_auc_score,
    "average_precision": metrics.average_precision_score,
    "neg_log_loss": lambda y, p: -metrics.log_loss(y, p, labels=[0, 1]),
    "neg_brier_score": lambda y, p: -metrics.brier_score_loss(y, p),
}


def rows_at(X: Any, index: Any) -> Any:
    """Rows of an array, a sparse matrix or a table."""
    if hasattr(X, "iloc"):
        return X.iloc[index]
    return X[index] if hasattr(X, "shape") else [X[i] for i in index]


def split_errors(
    estimator: Any, X: Any, y: Any, splits: list[tuple[Any, Any]], classify: bool, scoring: Scoring | None = None
) -> FloatArray:
    """Test errors of clones, pipelines as a whole, fitted to each split's training rows: share of wrong labels, mean squared error, or a
    score's best value minus the score.

    A classifier that sees one class guesses that class, with certainty; nan where test rows of one class have no such score, and for the
    log-loss of a guess.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> X = np.arange(6.0)[:, None]
    >>> error = split_errors(Ridge(alpha=0.0), X, 2 * X[:, 0], [(np.arange(3), np.arange(3, 6))], classify=False)
    >>> bool(error[0] < 1e-20)
    True
    """
    labels = np.asarray(y)
    if scoring is not None and scoring.name in METRICS:
        return np.array([scoring.best - _binary_score(estimator, X, labels, train, test, scoring) for train, test in splits])
    errors = np.empty(len(splits))
    usual = []
    for i, (train, test) in enumerate(splits):
        if classify and np.all(labels[train] == labels[train[0]]):
            errors[i] = np.mean(labels[test] != labels[train[0]])
        else:
            usual.append(i)
    if usual:
        name = scoring.name if scoring is not None else "accuracy" if classify else "neg_mean_squared_error"
        best = scoring.best if scoring is not None else float(classify)
        found = cross_validate(estimator, X, labels, cv=[splits[i] for i in usual], scoring=name, error_score="raise")["test_score"]
        errors[usual] = best - found
    return errors


def _binary_score(estimator: Any, X: Any, labels: Any, train: Any, test: Any, scoring: Scoring) -> float:
    """One fit; the higher class counts as positive, whatever its name."""
    classes = np.unique(labels)
    truth = (labels[test] == classes[-1]).astype(int)
    single = bool(np.all(labels[train] == labels[train[0]]))
    if truth.min() == truth.max() or (single and scoring.name == "neg_log_loss"):
        return float("nan")
    fitted = (DummyClassifier() if single else clone(estimator)).fit(rows_at(X, train), labels[train])
    seen = rows_at(X, test)
    if scoring.needs == "labels" or single:
        given = (fitted.predict(seen) == classes[-1]).astype(int)
    elif scoring.needs == "scores":
        ranked = metrics.make_scorer(METRICS[scoring.name], response_method=("decision_function", "predict_proba"))
        return float(ranked(fitted, seen, truth))
    else:
        given = fitted.predict_proba(seen)[:, 1]
    return float(METRICS[scoring.name](truth, given))
