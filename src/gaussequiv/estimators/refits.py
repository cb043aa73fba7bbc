"""Brute force as scikit-learn does it: fits of a whole estimator or pipeline to some rows, measured on others."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.model_selection import cross_validate

from gaussequiv.errors import FloatArray


def rows_at(X: Any, index: Any) -> Any:
    """Rows of an array, a sparse matrix or a table."""
    if hasattr(X, "iloc"):
        return X.iloc[index]
    return X[index] if hasattr(X, "shape") else [X[i] for i in index]


def split_errors(estimator: Any, X: Any, y: Any, splits: list[tuple[Any, Any]], classify: bool) -> FloatArray:
    """Test errors (share of wrong labels, or mean squared error) of clones, pipelines as a whole, fitted to each split's training rows.

    A classifier that sees one class guesses that class.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> X = np.arange(6.0)[:, None]
    >>> error = split_errors(Ridge(alpha=0.0), X, 2 * X[:, 0], [(np.arange(3), np.arange(3, 6))], classify=False)
    >>> bool(error[0] < 1e-20)
    True
    """
    labels = np.asarray(y)
    errors = np.empty(len(splits))
    usual = []
    for i, (train, test) in enumerate(splits):
        if classify and np.all(labels[train] == labels[train[0]]):
            errors[i] = np.mean(labels[test] != labels[train[0]])
        else:
            usual.append(i)
    if usual:
        scoring = "accuracy" if classify else "neg_mean_squared_error"
        found = cross_validate(estimator, X, labels, cv=[splits[i] for i in usual], scoring=scoring, error_score="raise")["test_score"]
        errors[usual] = 1 - found if classify else -found
    return errors
