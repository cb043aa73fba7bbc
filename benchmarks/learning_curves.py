"""Time and accuracy of `theory_curve` beside refits: ``python -m benchmarks.learning_curves`` (about 10 minutes on one core).

Rewrites benchmarks/LEARNING_CURVES.md. Seconds are processor time, prediction and refits in one run; 20 refits at each size are plain loops
of fit and predict, fewer where they are slow, in proportion. Deviations are those of predictions with bands from the mean of the refits.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from benchmarks.measure import machine
from gaussequiv import datasets
from gaussequiv.estimators.curves import theory_curve

OUT = Path(__file__).with_name("LEARNING_CURVES.md")
SHARES = (0.05, 0.1, 0.325, 0.55, 0.9)  # of the rows
REFITS, LONG = 20, 20.0  # seconds after which no further refits are begun
CALLS = 5
SQUARE: dict[str, Any] = {"LinearRegression": LinearRegression(), "Ridge": Ridge(1.0), "RidgeClassifier": RidgeClassifier(1.0)}
MARGIN: dict[str, Any] = {"LogisticRegression": LogisticRegression(max_iter=2000), "LinearSVC": LinearSVC(max_iter=20_000)}


def made(rows: int, columns: int) -> Callable[[], tuple[Any, Any]]:
    """Gaussian rows with a linear signal and as much noise."""

    def load() -> tuple[Any, Any]:
        rng = np.random.default_rng(0)
        X = rng.standard_normal((rows, columns))
        return X, X @ rng.standard_normal(columns) / np.sqrt(columns) + rng.standard_normal(rows)

    return load


def rare(rows: int, columns: int) -> Callable[[], tuple[Any, Any]]:
    """Half of the columns are 1 on 0.5 to 30% of the rows, else 0."""

    def load() -> tuple[Any, Any]:
        rng = np.random.default_rng(0)
        half = columns // 2
        X = np.column_stack([rng.standard_normal((rows, half)), rng.random((rows, half)) < np.geomspace(0.005, 0.3, half)])
        return X, X @ rng.standard_normal(columns) / np.sqrt(half) + rng.standard_normal(rows)

    return load


def standardised(load: Callable[..., Any]) -> Callable[[], tuple[Any, Any]]:
    def scaled() -> tuple[Any, Any]:
        X, y = load(return_X_y=True)
        return StandardScaler().fit_transform(X), y

    return scaled


TABLES: dict[str, tuple[Callable[[], tuple[Any, Any]], dict[str, Any]]] = {
    "made, 8,000 x 10": (made(8000, 10), SQUARE),
    "made, 2,000 x 10": (made(2000, 10), SQUARE | MARGIN),
    "made, 2,000 x 200": (made(2000, 200), SQUARE | MARGIN),
    "made, 5,000 x 784": (made(5000, 784), SQUARE),
    "rare columns, 2,000 x 60": (rare(2000, 60), SQUARE),
    "digits, 1,797 x 61": (lambda: datasets.load("digits"), SQUARE | MARGIN),
    "patches": (lambda: datasets.load("patches"), SQUARE),
    "diabetes, 442 x 10": (standardised(load_diabetes), {name: SQUARE[name] for name in ("LinearRegression", "Ridge")}),
    "breast cancer, 569 x 30": (standardised(load_breast_cancer), {"RidgeClassifier": SQUARE["RidgeClassifier"]} | MARGIN),
}


def one(X: Any, y: Any, name: str, estimator: Any) -> dict[str, Any]:
    """Seconds of the prediction and of 20 refits at every size, and the deviations of the prediction."""
    classify = name not in ("LinearRegression", "Ridge")
    labels = np.where(y > np.median(y), 1, 0) if classify and np.unique(y).size > 2 else y
    sizes = (np.array(SHARES) * len(y)).astype(int)
    times = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(CALLS):
            start = time.process_time()
            theory = theory_curve(estimator, X, labels, train_sizes=sizes)
            times.append(time.process_time() - start)
            if sum(times) > LONG:
                break
        rng, errors, spent = np.random.default_rng(1), [], 0.0
        while len(errors) < REFITS and (len(errors) < 2 or spent < LONG):
            order, row = rng.permutation(len(labels)), []
            for size in sizes:
                train, test = order[:size], order[size:]
                start = time.process_time()
                guess = clone(estimator).fit(X[train], labels[train]).predict(X[test])
                spent += time.process_time() - start
                row.append(np.mean(guess != labels[test]) if classify else np.mean((guess - labels[test]) ** 2))
            errors.append(row)
    mean, spread = np.mean(errors, axis=0), np.std(errors, axis=0, ddof=1) / np.sqrt(len(errors))
    band = np.hypot(spread, theory.test_error_stderr.values)
    off = theory.test_error.values - mean
    return {
        "predicted": median(times),
        "refits": spent * REFITS / len(errors),
        "percent": float(np.nanmax(np.abs(off / mean))) * 100,
        "z": float(np.nanmax(np.abs(off / band))),
        "unknown": int(np.sum(theory.status.values != 0)),
    }


def report(lines: list[str]) -> str:
    about = machine()
    packages = ", ".join(f"{name} {about[name]}" for name in ("gaussequiv", "numpy", "scipy"))
    sizes = ", ".join(f"{share:.3g}" for share in SHARES)
    return "\n".join(
        [
            "# Learning curves of data",
            "",
            f"Written by `python -m benchmarks.learning_curves` on {about['platform']}, Python {about['python']}, {packages}. Seconds of "
            f"processor time of `theory_curve` at {sizes} times the rows, with its band, and of {REFITS} refits at each of these sizes, "
            "in one run. Deviation: the largest over the sizes, in percent of the refits' mean and in standard errors (of band and refits "
            "together). Unknown: points with a status.",
            "",
            "| table | estimator | predicted, s | 20 refits, s | ratio | deviation, % | in standard errors | unknown |",
            "|---|---|---|---|---|---|---|---|",
            *lines,
            "",
        ]
    )


def main() -> None:
    """Table by table; the file is rewritten after each, so that an interrupted run leaves what it has."""
    lines: list[str] = []
    for table, (load, estimators) in TABLES.items():
        X, y = load()
        for name, estimator in estimators.items():
            found = one(X, y, name, estimator)
            lines.append(
                f"| {table} | {name} | {found['predicted']:.2g} | {found['refits']:.2g} | {found['refits'] / found['predicted']:.2g} "
                f"| {found['percent']:.1f} | {found['z']:.1f} | {found['unknown']} |"
            )
            print(lines[-1], file=sys.stderr, flush=True)
        OUT.write_text(report(lines))


if __name__ == "__main__":
    main()
