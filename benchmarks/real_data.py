"""Predicted against refitted errors on real data: ``python -m benchmarks.real_data`` (about 10 minutes on two cores; --repeats N).

Rewrites docs/real_data_table.md. Every repetition splits the rows anew: 900 are the pool, from which the prediction is made without
refitting and the refits draw their training rows; all refits are tested on the rows outside the pool.
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.svm import LinearSVC

from gaussequiv import datasets
from gaussequiv.estimators.curves import read_student
from gaussequiv.estimators.feature_maps import DeepRandomFeatures
from gaussequiv.realdata.curves import curve

OUT = Path(__file__).parents[1] / "docs" / "real_data_table.md"
SIZES = np.array([60, 200, 900])
POOL, REPEATS, DRAWS = 900, 20, 2
WIDTH = 200
LAMS = (1.0, 10.0, 100.0)
GAUSSIAN = 4  # repetitions of the Gaussian method: it is off by more than they scatter
SETS = {"digits": ("digits", "label"), "patches": ("patches", "label"), "patches, centre": ("patches", "centre")}
STUDENTS: dict[str, Any] = {
    "ridge": lambda lam: Ridge(alpha=lam),
    "ridge classifier": lambda lam: RidgeClassifier(alpha=lam),
    "logistic": lambda lam: LogisticRegression(C=1 / lam, max_iter=5000),
    "linear svc": lambda lam: LinearSVC(C=1 / lam, max_iter=50_000),
}
METHODS = {
    "ridge": ("rows", "moments", "gaussian"),
    "ridge classifier": ("rows", "gaussian"),
    "logistic": ("rows", "gaussian"),
    "linear svc": ("rows",),
}


def rows_of(data: str, features: str) -> tuple[Any, Any]:
    X, y = datasets.load(SETS[data][0], target=SETS[data][1])
    if features == "raw":
        return X, y
    X = (X - X.mean(axis=0)) / X.std()
    return DeepRandomFeatures(WIDTH, "tanh", random_state=0).fit_transform(X), y


def one(data: str, features: str, student: str, lam: float, repeat: int) -> dict[str, Any]:
    """Errors at every size: refits, and each method's prediction. On features scaled by 1/sqrt(k), lam counts k times."""
    X, y = rows_of(data, features)
    estimator = STUDENTS[student](lam if features == "raw" else lam / WIDTH)
    rng = np.random.default_rng(repeat)
    order = rng.permutation(len(y))
    pool, test = order[:POOL], order[POOL:]
    out: dict[str, Any] = {"refit": []}
    start = time.perf_counter()
    for n in SIZES:
        errors = []
        for _ in range(DRAWS if n < POOL else 1):
            train = rng.permutation(pool)[:n]
            guess = estimator.fit(X[train], y[train]).predict(X[test])
            errors.append(np.mean((guess - y[test]) ** 2) if student == "ridge" else np.mean(guess != y[test]))
        out["refit"].append(np.mean(errors))
    out["refit seconds"] = time.perf_counter() - start
    for method in METHODS[student]:
        if method == "gaussian" and repeat >= GAUSSIAN:
            out[method] = np.full(len(SIZES), np.nan)
            continue
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out[method] = curve(X[pool], y[pool], SIZES, read_student(estimator), method=method, groups=0)["test_error"]
        out[f"{method} seconds"] = time.perf_counter() - start
    return out


def main(repeats: int = REPEATS) -> None:
    """Repetition by repetition; the table is rewritten after each, so that an interrupted run leaves what it has."""
    sets = [(d, f, s) for d in SETS for f in ("raw", "random") for s in STUDENTS if d != "patches, centre" or s == "ridge"]
    found: dict[tuple[str, str, str], list[list[dict[str, Any]]]] = {key: [] for key in sets}
    with Parallel(n_jobs=2) as workers:
        for repeat in range(repeats):
            done = iter(workers(delayed(one)(*key, lam, repeat) for key in sets for lam in LAMS))
            for key in sets:
                found[key].append([next(done) for _ in LAMS])
            results = {}
            for key in sets:
                names = ("refit", *METHODS[key[2]])
                stacked = {name: np.array([[one[name] for one in row] for row in found[key]]) for name in names}
                results[key] = {name: np.nanmean(values, axis=0) for name, values in stacked.items()}  # (lam, n)
            OUT.write_text(report(results, repeat + 1))
            print(f"{repeat + 1} of {repeats} repetitions", file=sys.stderr, flush=True)
    print(OUT.read_text())


def report(results: dict[tuple[str, str, str], dict[str, Any]], repeats: int) -> str:
    lines = [
        "# Predicted against refitted errors on real data",
        "",
        f"Written by `python -m benchmarks.real_data`: {repeats} repetitions, {POOL} rows in the pool, n = {', '.join(map(str, SIZES))}, "
        f"lam = {', '.join(f'{lam:g}' for lam in LAMS)} (random features: {WIDTH} tanh features, lam for features not divided by sqrt(k)). "
        "Deviation: mean prediction over mean refitted error, minus 1, in percent; median of its size, and range, over all n and lam. "
        "Patches: which of two photographs; centre: the grey value of the centre pixel from its surround.",
        "",
        "| data | features | student | method | median | range |",
        "|---|---|---|---|---|---|",
    ]
    pooled: dict[tuple[str, str], list[float]] = {}
    for (data, features, student), errors in results.items():
        for method in METHODS[student]:
            off = 100 * (errors[method] / errors["refit"] - 1)
            spread = f"{np.nanmedian(np.abs(off)):.1f} | {np.nanmin(off):+.1f} to {np.nanmax(off):+.1f}"
            lines.append(f"| {data} | {features} | {student} | {method} | {spread} |")
            pooled.setdefault((student, method), []).extend(np.abs(off).ravel().tolist())
    lines += ["", "Over all data and features:", "", "| student | method | median | 90% below | points |", "|---|---|---|---|---|"]
    for (student, method), values in pooled.items():
        lines.append(f"| {student} | {method} | {np.nanmedian(values):.1f} | {np.nanquantile(values, 0.9):.1f} | {len(values)} |")
    lines += [
        "",
        "Choosing lam from the prediction alone (method rows), against the best lam by refits: excess of the refitted error, in percent.",
        "",
        "| data | features | student | " + " | ".join(f"n = {n}" for n in SIZES) + " |",
        "|---|---|---|" + "---|" * len(SIZES),
    ]
    for (data, features, student), errors in results.items():
        picked = np.nanargmin(errors["rows"], axis=0)
        cost = 100 * (errors["refit"][picked, np.arange(len(SIZES))] / errors["refit"].min(axis=0) - 1)
        lines.append(f"| {data} | {features} | {student} | " + " | ".join(f"{c:.1f}" for c in cost) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main(int(sys.argv[sys.argv.index("--repeats") + 1]) if "--repeats" in sys.argv else REPEATS)
