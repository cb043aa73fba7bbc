"""Real images, real labels, learned features: the hidden layer of a network as features of digits that it has never seen.

A network of one hidden layer learns which digit is which from 600 images. What its hidden units say of 1,197 other images is the input of
ridge and logistic regression, which learn even against odd. Their learning curves are predicted from those rows, without a fit at any size,
and stand beside refits on n of the rows, tested on the rest; the same for the pixels themselves.

``python examples/prelearned_features.py [FIGURE.png]``: some five seconds on one core; draws docs/images/prelearned_features.png.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier

from gaussequiv import datasets
from gaussequiv.errors import AccuracyWarning
from gaussequiv.estimators.curves import refit_curve, theory_curve

SEEN = 600  # images that the network learns from
HIDDEN = 100
SIZES = (50, 100, 200, 400, 800)
REPEATS = 20
STUDENTS = {"mean squared error": Ridge(1.0), "misclassification": LogisticRegression(C=1.0, max_iter=5000)}
METHODS = {"gaussian": "Gaussian equivalent", "rows": "reweighted rows"}  # of `theory_curve`
STYLES = {"gaussian": "--", "rows": "-"}


def hidden_units(images: Any, digits: Any) -> Any:
    """tanh(W x + b) of a network trained to tell the ten digits apart: rows of pixels to rows of hidden units."""
    network = MLPClassifier(HIDDEN, activation="tanh", alpha=0.1, max_iter=500, random_state=0).fit(images, digits)
    weights, biases = network.coefs_[0], network.intercepts_[0]
    return lambda rows: np.tanh(rows @ weights + biases)


def measure() -> pd.DataFrame:
    """One row for each (features, error, n): both predictions, refits, standard errors, and deviations in percent."""
    images, digits = datasets.load("digits", target="class")
    order = np.random.default_rng(0).permutation(len(digits))
    seen, others = order[:SEEN], order[SEEN:]
    labels = np.where(digits[others] % 2 == 0, 1.0, -1.0)
    hidden = hidden_units(images[seen], digits[seen])
    parts = []
    for name, rows in {"pixels": images[others], "hidden units": hidden(images[others])}.items():
        for error, student in STUDENTS.items():
            refits = refit_curve(student, rows, labels, train_sizes=SIZES, repeats=REPEATS)
            part = pd.DataFrame({"features": name, "error": error, "n": SIZES, "refitted": refits.refit_error})
            part["refitted +-"] = refits.refit_error_stderr
            for method in METHODS:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", AccuracyWarning)  # 1,197 rows are few for small errors: the columns +- say how few
                    curve = theory_curve(student, rows, labels, train_sizes=SIZES, method=method)
                part[method], part[f"{method} +-"] = curve.test_error, curve.test_error_stderr
                part[f"{method} off by %"] = 100 * (part[method] / part["refitted"] - 1)
            parts.append(part)
    return pd.concat(parts, ignore_index=True)


def draw(table: pd.DataFrame, path: str) -> None:
    """Predictions as lines, refits as points."""
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    for ax, (error, part) in zip(figure.subplots(1, 2), table.groupby("error", sort=False), strict=True):
        for i, (name, one) in enumerate(part.groupby("features", sort=False)):
            for method, words in METHODS.items():
                ax.plot(one.n, one[method], STYLES[method], color=f"C{i}", label=f"{name}: {words}")
            ax.errorbar(
                one.n, one.refitted, one["refitted +-"], fmt="o", color=f"C{i}", mec="black", mew=0.6, capsize=2, label=f"{name}: refitted"
            )
        ax.set(xscale="log", xlabel="training rows", ylabel=error, title=type(STUDENTS[str(error)]).__name__, ylim=(0, None))
        ax.set_xticks(SIZES, [str(n) for n in SIZES], minor=False)
        ax.minorticks_off()
    ax.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)


def main(path: str) -> pd.DataFrame:
    """Measure, print and draw."""
    table = measure()
    print(table.drop(columns=[name for name in table if "+-" in name]).round(4).to_string(index=False))
    draw(table, path)
    return table


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "docs/images/prelearned_features.png")
