"""A deep network's exact learning curves on simulations of the real network: one figure, one table, about a minute.

(a) regression, Bayes-optimal and ridge; (b) classification, Bayes-optimal with message passing; (c) the same target on real
images. Run with ``make demo`` or ``python examples/demo.py [FIGURE.png]``.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits

import gaussequiv as ge

TEACHERS, SEED = 24, 0
ALPHAS = np.geomspace(0.5, 7, 8)
DIGITS_ALPHAS = np.geomspace(0.5, 18, 8)


def target(task: str) -> ge.DeepNetwork:
    """Two hidden layers of tanh(2x), of width 700 at d = 500."""
    return ge.DeepNetwork("tanh", depth=2, weight_variance=4, task=task, width_ratios=1.4)


def regression(inputs: ge.GaussianInputs | ge.DataInputs) -> ge.Problem:
    """Bayes-optimal, ridge at the optimal penalty and ridge at a tenth of it, on the same draws."""
    best = ge.Problem(target=target("regression"), inputs=inputs).equivalent().lam_optimal
    learners = [ge.BayesOptimal(), ge.Ridge("optimal"), ge.Ridge(best / 10)]
    return ge.Problem(target=target("regression"), inputs=inputs, learner=learners)


def main(figure_path: str) -> None:
    """Run the three comparisons, print the table and the verdicts, draw the figure."""
    start = time.perf_counter()
    console = Console(stderr=True)
    digits = ge.DataInputs(load_digits().data, normalise=True, name="digits")
    console.print(ge.Problem(target=target("regression")).equivalent().card(), highlight=False)
    runs = {
        "(a) regression": (regression(ge.GaussianInputs()), ALPHAS, 500, TEACHERS),
        "(b) classification": (ge.Problem(target=target("classification")), ALPHAS, 500, TEACHERS),
        "(c) regression on digits": (regression(digits), DIGITS_ALPHAS, digits.dimension, 4 * TEACHERS),
    }
    figure = Figure(figsize=(13.5, 4.2), layout="constrained")
    axes = figure.subplots(1, 3)
    for ax, (name, (problem, alphas, d, trials)) in zip(axes, runs.items(), strict=True):
        title = f"{name}, d = {d}"
        console.print(f"\n{title}", style="bold")
        result = ge.compare(problem, alphas, d=d, trials=trials, seed=SEED, progress=True)
        show(result, title)
        ge.plot.curve(ge.solve(problem, np.geomspace(alphas[0], alphas[-1], 120), d=d), ax=ax, log=True)
        ge.plot.curve(result, ax=ax, lines=False, log=True)
        ax.set_title(f"{title}: {result.attrs['verdict']}", fontsize=10)
    figure.savefig(figure_path, dpi=150)
    print(f"\nfigure: {figure_path}    ({time.perf_counter() - start:.0f} s)")


def show(result: xr.Dataset, title: str) -> None:
    """Print theory beside simulation, and the verdict, whatever it is."""
    table = Table("learner", "alpha", "theory", "simulation", "s.e.", "z", title=title, title_justify="left", box=None)
    several = result if "learner" in result.dims else result.expand_dims(learner=["bayes"])
    for learner in several["learner"].values:
        part = several.sel(learner=learner)
        for alpha in part["alpha"].values:
            at = part.sel(alpha=alpha)
            theory, simulation = (float(at["test_error"].sel(source=s)) for s in ("theory", "simulation"))
            error = float(at["test_error_stderr"].sel(source="simulation"))
            table.add_row(str(learner), f"{alpha:.3f}", f"{theory:.5f}", f"{simulation:.5f}", f"{error:.5f}", f"{float(at['z']):+.1f}")
    Console(width=100).print(table)
    print(f"verdict: {result.attrs['verdict']}: {result.attrs['reason']}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "demo.png")
