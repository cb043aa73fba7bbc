"""When does the lasso recover sparse weights exactly? The transition of Donoho and Tanner, from the theory and from true fits.

Draws docs/images/sparse_recovery.png: ``python examples/sparse_recovery.py [FIGURE.png]`` (about half a minute).
"""

from __future__ import annotations

import sys

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats

import gaussequiv as ge

DENSITIES = (0.1, 0.3, 0.5)
ALPHA = np.linspace(0.04, 1.1, 54)
SIMULATED = np.array([0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95])
D, TRIALS = 200, 32
LAM = 1e-4  # stands for lam -> 0: the error falls like lam^2 above the transition, and by less than 1e-3 of itself below it


def transition() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(density, alpha) along the transition, in closed form by the threshold t (Donoho, Maleki, Montanari 2009)."""
    t = np.geomspace(1e-3, 4, 200)
    peak, tail = stats.norm.pdf(t), stats.norm.sf(t)
    alpha = 2 * peak / (t + 2 * (peak - t * tail))
    return alpha * (1 - t * tail / peak), alpha


def problem(density: float, lam: float = LAM) -> ge.Problem:
    """Noiseless fields of sparse weights, seen by the lasso."""
    return ge.Problem(ge.LinearTarget(f"gauss-bernoulli:{density}"), learner=ge.Lasso(lam))


def edge(density: float) -> float:
    """alpha at which the error of the theory starts to vanish with lam, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(12):
        middle = 0.5 * (low + high)
        errors = [float(ge.solve(problem(density, lam), [middle]).test_error[0]) for lam in (1e-5, 1e-6)]
        low, high = (low, middle) if errors[1] < 0.1 * errors[0] else (middle, high)
    return 0.5 * (low + high)


def main(figure_path: str) -> None:
    """Two panels: errors along alpha, and where they vanish."""
    figure = Figure(figsize=(10.5, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    densities, alphas = transition()
    order = np.argsort(densities)
    for i, density in enumerate(DENSITIES):
        theory = ge.solve(problem(density), ALPHA)
        both = ge.compare(problem(density), SIMULATED, d=D, trials=TRIALS, seed=0, allowance=4.0, normalise_teacher=True)
        fits = both.sel(source="simulation")
        where = float(np.interp(density, densities[order], alphas[order]))
        left.plot(ALPHA, theory.test_error / density, color=f"C{i}", label=f"density {density}")
        left.errorbar(SIMULATED, fits.test_error / density, fits.test_error_stderr / density, fmt="o", ms=5, capsize=2, color=f"C{i}")
        left.axvline(where, color=f"C{i}", ls=":", lw=1.2)
        print(f"density {density}: transition at {where:.4f}, |z| up to {float(np.abs(fits.z).max()):.1f}")
    left.set(xlabel="samples per input dimension, alpha = n/d", ylabel="test error / E w^2", xlim=(0, 1.1), ylim=(-0.02, None))
    left.set_title(f"lasso, lam -> 0, no noise; markers: d = {D}, {TRIALS} trials", fontsize=10)
    left.legend(frameon=False)
    right.plot(densities, alphas, color="black", label="closed form")
    grid = np.array([0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9])
    right.plot(grid, [edge(density) for density in grid], "o", color="C3", ms=6, label="where the theory's error vanishes")
    right.fill_between(densities, alphas, 1.0, color="C0", alpha=0.1)
    right.text(0.05, 0.8, "weights recovered\nexactly")
    right.text(0.6, 0.5, "not recovered")
    right.set(xlabel="density of the weights", ylabel="alpha", xlim=(0, 1), ylim=(0, 1), title="transition of Donoho and Tanner")
    right.legend(frameon=False, loc="lower right")
    figure.savefig(figure_path, dpi=150)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "docs/images/sparse_recovery.png")
