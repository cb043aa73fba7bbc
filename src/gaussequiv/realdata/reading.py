"""Rows, labels, training sizes and estimators as users give them: read, or refused with the reason before any work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gaussequiv.errors import ArgumentError, FloatArray, array, fail
from gaussequiv.realdata.curves import LinearStudent

MANY_VALUES = 20  # more different whole numbers than this, each on fewer rows than the next constant, are measurements, not classes
ROWS_PER_CLASS = 10
KNOWN = ("LinearRegression", "Ridge", "RidgeClassifier", "LogisticRegression", "LinearSVC")
NAMED = 8  # columns that a message lists


def count_rows(X: Any) -> int:
    """Number of rows of anything that scikit-learn takes as X."""
    return int(X.shape[0]) if hasattr(X, "shape") and len(X.shape) else len(X)


def text_columns(rows: Any) -> list[str]:
    """Names (or numbers, counted from 0) of the columns of a table or of an object array that hold no numbers."""
    if hasattr(rows, "columns"):
        named = [(str(name), rows.iloc[:, i]) for i, name in enumerate(rows.columns)]
    else:
        values = np.asarray(rows)
        if values.ndim != 2 or values.dtype.kind not in "OUS":
            return []
        named = [(str(i), values[:, i]) for i in range(values.shape[1])]
    return [name for name, column in named if not _numeric(column)]


def _numeric(column: Any) -> bool:
    try:
        np.asarray(column, dtype=np.float64)
    except (TypeError, ValueError):
        return False
    return True


def text_error(words: list[str]) -> ArgumentError:
    """The refusal of columns without numbers."""
    more = f" and {len(words) - NAMED} more" if len(words) > NAMED else ""
    return ArgumentError(
        f"Argument `X` must have numeric columns, but these hold text: {', '.join(words[:NAMED])}{more}. "
        "Drop them, or encode them in the pipeline (OneHotEncoder)."
    )


def read_rows(rows: Any) -> FloatArray:
    """The matrix that the final estimator sees."""
    if hasattr(rows, "toarray"):
        rows = rows.toarray()
    words = text_columns(rows)
    if words:
        raise text_error(words)
    return array("X", rows, ndim=2, meaning="It holds one sample in each row.")


def flattened(y: Any) -> Any:
    """Labels that are a column as a vector."""
    return np.asarray(y)[:, 0] if np.ndim(y) == 2 and np.shape(y)[1] == 1 else y


def read_targets(y: Any, student: LinearStudent, rows: int) -> tuple[list[FloatArray], list[Any]]:
    """Labels as one vector for each curve: real numbers, or -1 and 1 for the lower and the higher class, or each class against the rest.

    A classifier's labels are refused where they are not finite, or look continuous: fractions with more than two values, or more than 20
    different whole numbers of fewer than 10 rows each.
    """
    labels = np.asarray(flattened(y))
    if labels.shape != (rows,):
        raise fail("y", f"a vector of {rows} labels, one for each row", labels)
    if not student.classify:
        if not _numeric(labels):
            raise fail(
                "y", "numbers for a regression (classes are learned by RidgeClassifier, LogisticRegression or LinearSVC)", str(labels[0])
            )
        return [array("y", labels, ndim=1)], []
    _check_classes(labels)
    classes = np.unique(labels)
    if classes.size < 2:
        raise ArgumentError("Argument `y` must have at least two classes, but all its labels are equal.")
    if classes.size == 2:
        return [np.where(labels == classes[1], 1.0, -1.0)], classes.tolist()
    if isinstance(student.class_weight, Mapping):
        raise ArgumentError("Argument `class_weight` must be None or 'balanced' with more than two classes.")
    return [np.where(labels == one, 1.0, -1.0) for one in classes], classes.tolist()


def _check_classes(labels: Any) -> None:
    if labels.dtype.kind == "O":
        from pandas import isna

        unknown = int(np.sum(isna(labels)))
    else:
        unknown = int(np.sum(~np.isfinite(labels))) if labels.dtype.kind == "f" else 0
    if unknown:
        raise ArgumentError(f"Argument `y` must be finite, but {unknown} of its {len(labels)} values are not.")
    try:
        values = np.unique(labels)
    except TypeError:
        raise fail("y", "labels of one type", labels) from None
    if values.dtype.kind not in "fiu" or values.size == 2:
        return
    fractions = values.dtype.kind == "f" and bool(np.any(values != np.round(values)))
    if values.size > 2 and (fractions or (values.size > MANY_VALUES and len(labels) < ROWS_PER_CLASS * values.size)):
        raise ArgumentError(
            f"Argument `y` must be classes for a classifier, but y looks continuous: {values.size} different values; use Ridge "
            "(or write the labels as text if they are classes)."
        )


def read_sizes(train_sizes: ArrayLike, rows: int) -> FloatArray:
    """Whole numbers are sizes, fractions in (0, 1] are fractions of the rows."""
    given = np.atleast_1d(np.asarray(train_sizes))
    sizes = array("train_sizes", given, ndim=1)
    if np.issubdtype(given.dtype, np.floating) and np.all(sizes <= 1):
        if np.any(sizes <= 0):
            raise fail("train_sizes", "fractions in (0, 1] or whole numbers", train_sizes)
        sizes = np.round(sizes * rows)
    if np.any(sizes != np.round(sizes)) or np.any(sizes < 2):
        raise fail("train_sizes", "whole numbers of at least 2, or fractions in (0, 1]", train_sizes)
    return np.unique(sizes).astype(np.int64)


def read_student(estimator: Any) -> LinearStudent:
    """What a scikit-learn estimator minimises, or a refusal that says which setting is not covered."""
    name = type(estimator).__name__
    if name not in KNOWN or not hasattr(estimator, "get_params"):
        raise fail("estimator", f"one of {', '.join(KNOWN)}, or a Pipeline that ends in one", estimator)
    get = estimator.get_params().get
    intercept, weights = bool(get("fit_intercept")), get("class_weight")
    if not (weights is None or isinstance(weights, Mapping) or (isinstance(weights, str) and weights == "balanced")):
        raise fail("class_weight", "None, 'balanced' or a dict of weights by class", weights)
    weights = weights or None  # no weights are weights of 1
    if get("positive"):
        raise fail("estimator", "an estimator without positive=True", estimator)
    if name == "LinearRegression":
        return LinearStudent("square", 0.0, intercept)
    if name in ("Ridge", "RidgeClassifier"):
        if np.ndim(get("alpha")) or not float(get("alpha")) >= 0:
            raise fail("estimator", "an estimator with one non-negative alpha", estimator)
        return LinearStudent("square", float(get("alpha")), intercept, None, weights, name == "RidgeClassifier")
    if get("penalty") not in (None, "l2", "deprecated") or get("l1_ratio") not in (None, 0, 0.0, "deprecated"):
        raise fail("estimator", "an estimator with an l2 penalty", estimator)
    C = float(get("C"))
    if not C > 0:
        raise fail("estimator", "an estimator with a positive C", estimator)
    lam = 0.0 if np.isinf(C) or get("penalty") is None else 1 / C
    penalised = intercept and (name == "LinearSVC" or get("solver") == "liblinear")
    constant = float(get("intercept_scaling")) if penalised else None
    loss = "logistic" if name == "LogisticRegression" else str(get("loss"))
    if loss not in ("logistic", "hinge", "squared_hinge"):
        raise fail("estimator", "an estimator with loss 'hinge' or 'squared_hinge'", estimator)
    # LinearSVC's squared hinge has no 1/2
    return LinearStudent(loss, 0.5 * lam if loss == "squared_hinge" else lam, intercept and not penalised, constant, weights, True)


def weigh_classes(student: LinearStudent, y: Any, classes: list[Any]) -> LinearStudent:
    """The student with its weights by class as weights of -1 and 1, read as scikit-learn reads them: a class that is not named weighs 1.

    Weights that name a class that y lacks while a class of y has none are refused, as there: they are likely meant for other labels.
    """
    if not isinstance(student.class_weight, Mapping):
        return student
    from sklearn.utils.class_weight import compute_class_weight

    given = student.class_weight
    try:
        found = compute_class_weight(dict(given), classes=np.asarray(classes), y=np.asarray(y)).astype(np.float64)
    except (ValueError, TypeError) as error:
        raise ArgumentError(f"Argument `class_weight` must fit the classes {classes} of y, but class_weight={given}: {error}") from error
    if not np.all(np.isfinite(found) & (found > 0)):
        raise fail("class_weight", "weights that are positive and finite", given)
    return replace(student, class_weight={-1: float(found[0]), 1: float(found[1])})
