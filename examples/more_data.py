"""How much would more data buy? Curves predicted from 800 rows, and what happened when the other rows came.

Draws docs/images/more_data.png: ``python examples/more_data.py [FIGURE.png]`` (about three minutes).
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gaussequiv import datasets
from gaussequiv.cli.predict import draw, verdict
from gaussequiv.errors import AccuracyWarning
from gaussequiv.estimators.curves import theory_curve
from gaussequiv.estimators.feature_maps import ConvolutionalFeatures, DeepRandomFeatures

HAVE = 800  # rows that we have; all others are the future
PREDICTED = np.array([60, 100, 200, 400, 600, 800, 1000, 1200])
REFITTED = np.array([60, 200, 400, 800, 1200])
REPEATS = 16


def models(data: str) -> dict[str, Any]:
    """Logistic regression on pixels, on a random network, and on wavelet moduli; C from the prediction (see the page)."""
    random = DeepRandomFeatures(200, "tanh", random_state=0)
    return {
        "pixels": make_pipeline(StandardScaler(), LogisticRegression(C=0.01 if data == "digits" else 1.0, max_iter=5000)),
        "random features": make_pipeline(StandardScaler(), random, LogisticRegression(C=10.0, max_iter=5000)),
        "wavelet moduli": make_pipeline(ConvolutionalFeatures(), StandardScaler(), LogisticRegression(C=0.03, max_iter=5000)),
    }


def future(model: Any, X: Any, y: Any) -> tuple[Any, Any]:
    """What more data did buy: fits on n of all rows, tested on the rest."""
    rng = np.random.default_rng(1)
    errors = np.empty((REPEATS, len(REFITTED)))
    for repeat in range(REPEATS):
        order = rng.permutation(len(y))
        for i, n in enumerate(REFITTED):
            errors[repeat, i] = np.mean(model.fit(X[order[:n]], y[order[:n]]).predict(X[order[n:]]) != y[order[n:]])
    return errors.mean(axis=0), errors.std(axis=0, ddof=1) / np.sqrt(REPEATS)


def main(figure_path: str) -> None:
    """Predict, wait for the future, draw both."""
    figure = Figure(figsize=(11, 5.6), layout="constrained")
    axes = figure.subplots(1, 2)
    for ax, data in zip(axes, ("digits", "patches"), strict=True):
        X, y = datasets.load(data, count=None if data == "digits" else 3000)
        have = np.random.default_rng(0).permutation(len(y))[:HAVE]
        for i, (name, model) in enumerate(models(data).items()):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AccuracyWarning)  # 800 rows are few for small errors: the bands say how few
                curve = theory_curve(model, X[have], y[have], train_sizes=PREDICTED)
            mean, error = future(model, X, y)
            bought = 100 * (mean[-1] / mean[-2] - 1)
            today, later = (float(curve.test_error.sel(train_size=n)) for n in (HAVE, REFITTED[-1]))
            draw(curve, ax, label=f"{name}: predicted {100 * (later / today - 1):+.0f}%, came out {bought:+.0f}%", color=f"C{i}")
            ax.errorbar(REFITTED, mean, error, fmt="o", ms=5, capsize=2, color=f"C{i}", mec="black", mew=0.6, zorder=3)
            off = 100 * (curve.test_error.sel(train_size=REFITTED).values / mean - 1)
            print(f"{data}, {name}: {verdict(curve)}; it went from {mean[-2]:.4g} to {mean[-1]:.4g}; deviations % {off.round(1).tolist()}")
        ax.set_title(f"{data}: lines predicted from {HAVE} rows, points refitted", fontsize=10)
        ax.set_ylim(bottom=0)
        ax.text(HAVE * 0.97, ax.get_ylim()[1] * 0.02, "rows we have", rotation=90, ha="right", va="bottom", color="0.4", fontsize=8)
        ax.legend(
            frameon=False,
            loc="upper center",
            bbox_to_anchor=(0.5, -0.14),
            title=f"error from {HAVE} to {REFITTED[-1]} rows",
            title_fontsize=9,
        )
    figure.savefig(figure_path, dpi=150)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "docs/images/more_data.png")
