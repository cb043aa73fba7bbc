r"""Sur, Candes 2019: maximum likelihood in logistic regression at n ~ p is biased, too spread out, and exists only below a threshold.

Logit labels of field variance gamma^2, no penalty. In this package's terms (rho = gamma^2, kappa = p/n = 1/alpha):

    bias alpha* = m/gamma^2,   sigma*^2 = (q - m^2/gamma^2)/kappa,   lambda* = V,

and the threshold is 1/`separability_threshold`; it is 1/2 for gamma -> 0 (Cover 1965).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gaussequiv.curve import Observable
from gaussequiv.ingredients.targets.deep_network import DeepNetwork
from gaussequiv.learners.convex.named import Logistic
from gaussequiv.learners.convex.separability import separability_threshold
from gaussequiv.numerics.status import Status
from gaussequiv.problems.supervised.description import Problem
from gaussequiv.reproduce.drawing import Canvas, Style, canvas, error_bars, legend, line, printed
from gaussequiv.reproduce.paper import Check, Data, Figure, Paper, combine
from gaussequiv.results import dataset
from gaussequiv.run.provenance import provenance
from gaussequiv.run.simulate import simulate
from gaussequiv.run.solve import solve

if TYPE_CHECKING:
    import xarray as xr

KEY = "sur2019"
GAMMA2 = 5.0
KAPPA = 0.2
PRINTED = {"bias": 1.4994, "sigma": 4.7436, "V": 3.0269}


def _problem(gamma2: float) -> Problem:
    return Problem(DeepNetwork(depth=0, labels="logit", readout_variance=gamma2), learner=Logistic(0.0))


def _with_bias(curve: xr.Dataset) -> xr.Dataset:
    kappa = 1 / curve["alpha"]
    out = curve.assign(bias=curve["m"] / GAMMA2, sigma=np.sqrt((curve["q"] - curve["m"] ** 2 / GAMMA2) / kappa), kappa=kappa)
    out["bias"].attrs = {"long_name": "slope of the estimate against the true coefficient", "units": "1"}
    out["sigma"].attrs = {"long_name": "spread of the estimate, in units of 1/sqrt(n) for inputs of variance 1", "units": "1"}
    out["kappa"].attrs = {"long_name": "input dimensions per sample p/n", "units": "1"}
    return out


def _run(fast: bool, seed: int, progress: bool | None) -> Data:
    problem = _problem(GAMMA2)
    edge = 1 / separability_threshold(problem.equivalent(), intercept=False)
    kappa = np.unique(np.append(0.985 * edge * np.sin(np.linspace(0.03, 0.5 * np.pi, 20 if fast else 60)), KAPPA))
    theory = _with_bias(solve(problem, 1 / kappa[::-1]))
    gammas = np.append(1e-3, np.linspace(0.1, 6, 12 if fast else 60))
    thresholds = [1 / separability_threshold(_problem(g * g).equivalent(), intercept=False) for g in gammas]
    border = dataset(
        {"threshold": (("gamma",), np.array(thresholds)), "status": (("gamma",), np.full(gammas.size, float(Status.converged)))},
        {"gamma": gammas},
        provenance(problem, "separability_threshold", {}) | {"source": "theory", "edge": edge},
        {"threshold": Observable("largest p/n at which the maximum-likelihood estimate exists")},
    )
    d, trials, rows = (50, 8, 4096) if fast else (400, 16, 20000)
    at = 1 / np.array([0.25, 0.15, 0.05])
    run = simulate(problem, at, d=d, trials=trials, seed=seed, test_samples=rows, normalise_teacher=True, progress=progress)
    return {"theory": combine({"logistic": theory}, KEY), "threshold": border, "simulation": run.assign(bias=run["m"] / GAMMA2)}


def _draw(data: Data) -> Canvas:
    theory, border, run = data["theory"].squeeze("learner"), data["threshold"], data["simulation"]
    figure, axes = canvas(8.6, 4.0, 2)
    style, other = Style(r"theory, $\gamma^2 = 5$", "C0", width=2.0), Style("printed in the paper", "C3", "*", "", size=11)
    own = Style(f"maximum likelihood, $p = {run.attrs['d']}$", "C0", "o", "")
    line(axes[0], theory.assign_coords(alpha=theory["kappa"].values), style, "bias")
    ok = np.asarray(run["converged"].values.all(axis=-1), dtype=bool)
    slope = run["bias"].values
    error_bars(axes[0], 1 / run["alpha"].values, slope.mean(axis=-1), slope.std(axis=-1, ddof=1) / np.sqrt(slope.shape[-1]), own, ok)
    printed(axes[0], [KAPPA], [PRINTED["bias"]], other)
    edge = float(border.attrs["edge"])
    axes[0].axvline(edge, color="0.5", ls=":", lw=1)
    axes[0].annotate(
        "no estimate", (edge, 2.6), xytext=(4, 0), textcoords="offset points", rotation=90, color="0.4", va="center", fontsize=9
    )
    axes[0].set(
        xlabel=r"input dimensions per sample, $\kappa = p/n$", ylabel=r"slope $\alpha^*$ of the estimate", xlim=(0, 0.36), ylim=(0.9, 4)
    )
    legend(axes[0], (style, own, other), loc="upper left", fontsize=9)
    axes[1].plot(border["gamma"].values, border["threshold"].values, color="black", lw=2)
    axes[1].annotate("estimate exists", (0.8, 0.1))
    axes[1].annotate("labels separable,\nno estimate", (3.4, 0.36))
    axes[1].set(xlabel=r"signal strength $\gamma$", ylabel=r"$\kappa = p/n$", xlim=(0, 6), ylim=(0, 0.52))
    figure.suptitle("Logistic regression without penalty, logit labels", fontsize=9.5)
    return figure


def _check(data: Data) -> list[Check]:
    at = data["theory"].squeeze("learner").sel(alpha=1 / KAPPA, method="nearest")
    names = {"bias": "alpha*", "sigma": "sigma*", "V": "lambda*"}
    where = "numbers of the paper's example, kappa = 0.2, gamma^2 = 5"
    checks = [Check(f"{names[name]}, kappa = 0.2", value, float(at[name]), 6e-5, where) for name, value in PRINTED.items()]
    first = float(data["threshold"]["threshold"][0])
    return [*checks, Check("threshold, gamma -> 0", 0.5, first, 1e-6, "Cover 1965")]


PAPER = Paper(
    key=KEY,
    title="A modern maximum-likelihood theory for high-dimensional logistic regression",
    figures=(
        Figure(
            "bias", "Bias of the maximum-likelihood estimate and where it exists", "on one core, fast 3 s, full 30 s", _run, _draw, _check
        ),
    ),
)
