"""`predict-curve`: the learning curve of a linear estimator on a table, predicted without refitting, and refits beside it on request."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv.cli.inputs import parse_grid
from gaussequiv.cli.tables import Reading, read_table
from gaussequiv.errors import ArgumentError, choice, fail, number
from gaussequiv.realdata.caveats import BLIND

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

ESTIMATORS = ("linear", "ridge", "ridge-classifier", "logistic", "linear-svc")
VALIDATED = 6  # sizes at which --validate refits
HELD_OUT = 0.2  # of the rows, at least


def predicted_curve(
    data: str,
    target: str,
    estimator: str,
    lam: float,
    train_sizes: str,
    *,
    features: str | None = None,
    standardise: bool = False,
    method: str = "rows",
    groups: int = 10,
    validate: bool = False,
    repeats: int = 20,
    seed: int = 0,
    reading: Reading | None = None,
) -> xr.Dataset:
    """Read the table, predict, and with `validate` refit at some sizes, nan at the others.

    Beside refit_error stand deviation = test_error/refit_error - 1, its standard error (that of the prediction and that of the refits
    combined), and deviation_z, their ratio. Refits use the same rows as the prediction, so that the two are not independent: where they
    move together, the standard error is too large.
    """
    from gaussequiv.cli.delivery import kept_by
    from gaussequiv.estimators.curves import last_step, read_student, refit_curve, theory_curve
    from gaussequiv.realdata.reading import read_targets

    X, y = read_table(data, target, reading)
    model = build_estimator(estimator, lam, seed, features, standardise)
    sizes = sizes_of(train_sizes, len(X))
    shared: dict[str, Any] = {"random_state": seed}
    curves, _ = read_targets(y, read_student(last_step(model)), len(X))
    if validate and len(curves) > 1:
        raise ArgumentError(
            f"Argument `validate` must be left out where the target has more than two classes, but {target!r} has {len(curves)}. "
            "Make a column of one class against the rest (0 and 1) and name it as --target; without --validate every class gets its curve."
        )
    possible = sizes[sizes <= (1 - HELD_OUT) * len(y)]
    if validate and not possible.size:
        raise fail("train_sizes", f"a grid with a size of at most {int((1 - HELD_OUT) * len(y))} to validate at", train_sizes)
    result = theory_curve(model, X, y, train_sizes=sizes, method=method, groups=groups, **shared)
    result.attrs |= {"data": Path(data).name, "target": target}
    if not validate:
        return result
    picked = np.unique(possible[np.round(np.linspace(0, possible.size - 1, VALIDATED)).astype(int)])
    refits = kept_by(result, lambda: refit_curve(model, X, y, train_sizes=picked, repeats=repeats, **shared).reindex(train_size=sizes))
    return beside_refits(result.assign({name: refits[name] for name in ("refit_error", "refit_error_stderr")}))


def beside_refits(result: xr.Dataset) -> xr.Dataset:
    """With the relative deviation from refits, its standard error, and their ratio."""
    refit = result["refit_error"].where(result["refit_error"] > 0)
    ratio = result["test_error"] / refit
    spread = (result["test_error_stderr"] ** 2 + (ratio * result["refit_error_stderr"]) ** 2) ** 0.5 / refit
    off = ratio - 1
    return result.assign(deviation=off, deviation_stderr=spread, deviation_z=off / spread.where(spread > 0))


def sizes_of(train_sizes: str, rows: int) -> Any:
    """Training sizes of a grid: whole numbers (ranges are rounded), or fractions of the rows where no value exceeds 1."""
    from gaussequiv.realdata.reading import read_sizes

    given = parse_grid("train_sizes", train_sizes)
    if np.all(given <= 1) and np.any(given != np.round(given)):
        return read_sizes(given, rows)
    if ":" not in train_sizes and np.any(given != np.round(given)):
        raise fail("train_sizes", "whole numbers, or fractions in (0, 1]", train_sizes)
    return read_sizes(np.round(given).astype(int), rows)


def build_estimator(estimator: str, lam: float, seed: int, features: str | None, standardise: bool) -> Any:
    """The scikit-learn estimator: lam is Ridge's alpha, and 1/C in classifiers; "linear" has none."""
    from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    from gaussequiv.estimators.feature_maps import DeepRandomFeatures

    choice("estimator", estimator, ESTIMATORS)
    penalty = number(
        "lam", lam, positive=estimator not in ("linear", "ridge", "ridge-classifier"), nonnegative=True, meaning="It is alpha or 1/C."
    )
    made = {
        "linear": LinearRegression,
        "ridge": lambda: Ridge(alpha=penalty),
        "ridge-classifier": lambda: RidgeClassifier(alpha=penalty),
        "logistic": lambda: LogisticRegression(C=1 / penalty, max_iter=10_000),
        "linear-svc": lambda: LinearSVC(C=1 / penalty, max_iter=100_000),
    }[estimator]()
    steps: list[Any] = [StandardScaler()] if standardise or features else []
    if features is not None:
        name, _, width = features.partition(":")
        if not (width.isascii() and width.isdigit() and len(width) < 10) or int(width) < 1:
            raise fail("features", "of the form ACTIVATION:WIDTH, e.g. tanh:300", features)
        steps.append(DeepRandomFeatures(int(width), name, random_state=seed))
    return make_pipeline(*steps, made) if steps else made


def show(result: xr.Dataset) -> None:
    """The human table on stdout; notes on stderr."""
    from rich.console import Console
    from rich.table import Table

    from gaussequiv.numerics.status import Status
    from gaussequiv.realdata.caveats import WORDS

    refitted = "refit_error" in result
    beside = ["refit_error", "+-", "deviation %", "+-", "z"] if refitted else []
    classes = result["class"].values.tolist() if "class" in result.dims else [None]
    shown = Table(box=None, pad_edge=False)
    for head in [*(["class"] if classes != [None] else []), "train_size", "test_error", "+-", *beside]:
        shown.add_column(head, justify="right")
    shown.add_column("status")
    for one in classes:
        part = result if one is None else result.sel({"class": one})
        for i, size in enumerate(part["train_size"].values.tolist()):
            cells = [str(size), *(_cell(float(part[name][i])) for name in ("test_error", "test_error_stderr"))]
            if refitted:
                cells += [_cell(float(part[name][i])) for name in ("refit_error", "refit_error_stderr")]
                cells += [_cell(100 * float(part["deviation"][i]), "+.1f"), _cell(100 * float(part["deviation_stderr"][i]), ".1f")]
                cells += [_cell(float(part["deviation_z"][i]), "+.1f")]
            shown.add_row(*([] if one is None else [str(one)]), *cells, WORDS[Status(int(part["status"][i]))])
    Console(width=None if Console().is_terminal else 160).print(shown)
    print(verdict(result), file=sys.stderr)


def _cell(value: float, form: str = ".4g") -> str:
    return "-" if np.isnan(value) else format(value, form)


def verdict(result: xr.Dataset) -> str:
    """What more data would buy, in one sentence; nothing is said of sizes beyond twice the rows."""
    if "class" in result.dims:
        return "one curve for each class against the rest"
    total = int(result.attrs["n_total"])
    known = result["test_error"].values
    ok = np.isfinite(known) & (result["train_size"].values <= BLIND * total)
    if ok.sum() < 2:
        return f"too few known points up to {BLIND:g} times the {total} rows for a verdict"
    sizes, errors = result["train_size"].values[ok], known[ok]
    if sizes[0] <= total < sizes[-1]:
        here = float(np.interp(np.log(total), np.log(sizes), errors))
        return (
            f"from the {total} rows of today to {sizes[-1]}: the error would go from {here:.4g} to {errors[-1]:.4g} "
            f"({_change(here, errors[-1])})"
        )
    return f"from {sizes[0]} to {sizes[-1]} rows the error goes from {errors[0]:.4g} to {errors[-1]:.4g} ({_change(errors[0], errors[-1])})"


def _change(before: float, after: float) -> str:
    if not before > 0:
        return "no relative change: the error was 0"
    percent = f"{abs(100 * (1 - after / before)):.1f}"
    return "unchanged" if percent == "0.0" else f"{percent}% {'better' if after < before else 'worse'}"


def draw_prediction(result: xr.Dataset, ax: Axes | None = None, *, label: str = "predicted without refitting", color: str = "C0") -> Axes:
    """Predicted curve with a band of two standard errors, refits as markers, and the size of the data as a line."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    if ax is None:
        ax = Figure(figsize=(6.4, 4.4), layout="constrained").subplots()
    classes = result["class"].values.tolist() if "class" in result.dims else [None]
    for i, one in enumerate(classes):
        part = result if one is None else result.sel({"class": one})
        sizes, mean, error = (part[name].values for name in ("train_size", "test_error", "test_error_stderr"))
        shade = color if one is None else f"C{i % 10}"
        ax.plot(sizes, mean, color=shade, label=label if one is None else f"{one} against the rest")
        ax.fill_between(sizes, mean - 2 * error, mean + 2 * error, color=shade, alpha=0.18, lw=0)
    if "refit_error" in result:
        ax.errorbar(
            result["train_size"].values,
            result["refit_error"].values,
            result["refit_error_stderr"].values,
            fmt="o",
            ms=5,
            capsize=2,
            color="black",
            mfc="white",
            zorder=3,
            label="refitted",
        )
    ax.axvline(result.attrs["n_total"], color="0.6", lw=0.8, ls=":")
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("training rows")
    ax.set_ylabel("test error (" + ("misclassification" if result.attrs["task"] == "classification" else "mean squared") + ")")
    ax.legend(frameon=False)
    return ax


def deliver_prediction(result: xr.Dataset, as_json: bool, output: str | None) -> None:
    """Print, and write the file: a figure, or the numbers."""
    from gaussequiv.cli.delivery import finish
    from gaussequiv.results import to_json

    finish(result, output, False, draw_prediction, lambda: print(json.dumps(to_json(result))) if as_json else show(result))
