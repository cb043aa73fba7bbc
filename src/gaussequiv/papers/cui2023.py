r"""Cui, Krzakala, Zdeborova 2023: the target is a random network of two tanh(2x) layers; which students reach the Bayes-optimal error?

Curves: eq. (12)-(14) (Bayes, regression), (15) (Bayes, classification), (19)-(20) (ridge), (23) (random features), (24) (kernel),
(275) (logistic), (272) (square loss on labels). Reference numbers: printed in the notebooks of the authors' code,
github.com/HugoCui/Bayes_extensive. Simulated targets have widths 1.4 d, as there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv.ingredients.features.base import RandomFeatures
from gaussequiv.ingredients.features.kernels import NNGP
from gaussequiv.ingredients.targets.deep_network import DeepNetwork
from gaussequiv.learners.bayes.bayes_optimal import BayesOptimal
from gaussequiv.learners.convex.named import Logistic
from gaussequiv.learners.convex.ridge import Ridge
from gaussequiv.problems.supervised.description import Problem
from gaussequiv.reproduce.drawing import ALPHA, Style, canvas, error_bars, legend, line, markers
from gaussequiv.reproduce.paper import Check, Data, Figure, Paper, combine
from gaussequiv.run.compare import align
from gaussequiv.run.simulate import simulate
from gaussequiv.run.solve import solve

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

KEY = "cui2023"
CODE = "authors' code"
GRID = np.linspace(0, 7.1, 70)[1:]  # the notebooks' alphas, without 0
BAYES, RIDGE, KERNEL, LOGISTIC = "Bayes-optimal", "ridge", "kernel", "logistic"
RATIOS = (0.5, 1.0, 3.0)


def _target(task: str) -> DeepNetwork:
    """tanh(2x) twice: tanh with weights of variance 4."""
    return DeepNetwork("tanh", depth=2, weight_variance=4, task=task)


def _features(ratio: float) -> str:
    return f"random features k/d={ratio:g}"


def _students() -> dict[str, Problem]:
    """Every student at its optimal penalty; the kernel is that of a network of ONE tanh(2x) layer."""
    target, best = _target("regression"), Ridge("optimal")
    problems = {RIDGE: Problem(target, learner=best), KERNEL: Problem(target, learner=best, features=NNGP("tanh", weight_variance=4))}
    for ratio in RATIOS:
        problems[_features(ratio)] = Problem(target, learner=best, features=RandomFeatures("tanh", ratio=ratio, weight_variance=4))
    return problems


def regression_theory() -> xr.Dataset:
    """The regression figure's lines."""
    everyone = {BAYES: Problem(_target("regression"), learner=BayesOptimal())} | _students()
    return combine({label: solve(problem, GRID) for label, problem in everyone.items()}, KEY)


def _regression(fast: bool, seed: int, progress: bool | None) -> Data:
    alpha = [0.5, 2.0, 6.0] if fast else [0.3, 0.7, 1.2, 2.0, 3.0, 4.2, 5.5, 6.9]
    size: dict[str, Any] = {"d": 40, "trials": 4, "test_samples": 512} if fast else {"d": 300, "trials": 16, "test_samples": 4096}
    runs = {
        label: align(problem, simulate(problem, alpha, **size, seed=seed, normalise_teacher=True, progress=progress))
        for label, problem in _students().items()
    }
    return {"theory": regression_theory(), "simulation": combine(runs, KEY)}


_REGRESSION_STYLES = {
    _features(0.5): Style("random features, $k/d = 0.5$", "C4", "v"),
    _features(1.0): Style("random features, $k/d = 1$", "C2", "^"),
    _features(3.0): Style("random features, $k/d = 3$", "C0", "D", size=4.5),
    BAYES: Style("Bayes-optimal", "black", width=3.4),
    RIDGE: Style("ridge", "C3", "o", "--", size=7.5),
    KERNEL: Style("kernel (NNGP, one layer)", "C1", "s", (2, (2, 4)), size=4),
}


def _draw_regression(data: Data) -> Canvas:
    figure, ax = canvas(6.4, 4.9)
    for label, style in _REGRESSION_STYLES.items():
        line(ax, data["theory"].sel(learner=label), style)
        if label != BAYES:
            markers(ax, data["simulation"].sel(learner=label), style)
    tau = float(data["theory"].sel(learner=BAYES)["floor"][0])
    ax.axhline(tau, color="0.6", lw=0.9, ls=":")
    ax.annotate(r"$\alpha \to \infty$", (0.05, tau), xytext=(0, 3), textcoords="offset points", color="0.4")
    ax.set(xlabel=ALPHA, ylabel="test error (mean squared, output units)", xlim=(0, 7.2), ylim=(0.12, 0.66))
    legend(ax, _REGRESSION_STYLES.values(), ncols=2, loc="upper right", handlelength=3.2)
    ax.set_title(_title("regression", data["simulation"]), fontsize=9.5)
    return figure


def _title(task: str, run: xr.Dataset) -> str:
    return (
        f"{task.capitalize()}, target of two tanh(2x) layers, optimal penalties\n"
        f"lines: theory; markers: true networks, $d = {run.attrs['d']}$, mean of {run.attrs['trials']} with standard error"
    )


def _check_regression(data: Data) -> list[Check]:
    theory = data["theory"]
    bayes, ridge, kernel = (theory.sel(learner=label) for label in (BAYES, RIDGE, KERNEL))
    printed = {
        0: (0.0733778853, 0.0791885755),
        9: (0.5581237365, 1.2630769801),
        19: (0.7748706228, 3.4418903138),
        38: (0.8932621631, 8.3687489765),
        68: (0.9429102079, 16.5162662671),
    }
    checks = []
    for i, (q, qhat) in printed.items():
        at, where = f"alpha = {GRID[i]:.4f}", f"{CODE}, Multilayer_BO"
        checks.append(Check(f"Bayes q, {at}", q, float(bayes["overlap"][i]), 1e-9, where))
        checks.append(Check(f"Bayes qhat, {at}", qhat, float(bayes["qhat"][i]), 1e-8, where))
    e = Problem(_target("regression")).equivalent()
    checks.append(Check("variance after layer 1", 0.6352612342569396, e.layers[0].second, 1e-13, f"{CODE}, Multilayer_BO"))
    checks.append(Check("variance after layer 2", 0.5616006371936293, e.layers[1].second, 1e-13, f"{CODE}, Multilayer_BO"))
    lam = 0.37278944844792183
    checks.append(Check("ridge lam*, every alpha", lam, _farthest(ridge["lam"].values, lam), 1e-12, f"{CODE}, Multilayer_Ridge"))
    # ridge and kernel must BE the Bayes-optimal curve: the largest difference over the grid
    for label, part in ((RIDGE, ridge), (KERNEL, kernel)):
        off = float(np.max(np.abs(part["test_error"].values - bayes["test_error"].values)))
        checks.append(Check(f"largest difference {label} - Bayes", 0.0, off, 1e-12, "abstract: optimal ridge and kernel achieve it"))
    return checks


def _farthest(values: Any, reference: float) -> float:
    return float(values[np.argmax(np.abs(values - reference))])


CLASSIFIERS = {BAYES: BayesOptimal(), LOGISTIC: Logistic("optimal"), RIDGE: Ridge("optimal")}
SQUARE = np.linspace(0.1, 7, 20)  # the notebooks' alphas: square loss, logistic loss
CROSS_ENTROPY = np.linspace(0.1, 7, 4)


def _named(result: xr.Dataset) -> xr.Dataset:
    """The figure's short names in place of the learners' labels."""
    out = result.assign_coords(learner=list(CLASSIFIERS))
    out.attrs |= {"paper": KEY}
    return out


def classification_theory(points: int) -> Data:
    """The classification figure's lines, and the curves at lam = 0.1 of which the authors' code prints numbers."""
    target = _target("classification")
    fixed = {f"{LOGISTIC} lam=0.1": Logistic(0.1), f"{RIDGE} lam=0.1": Ridge(0.1)}
    alphas = np.unique(np.concatenate([CROSS_ENTROPY, SQUARE]))
    best = Problem(target, learner=tuple(CLASSIFIERS.values()))
    return {
        "theory": _named(solve(best, np.linspace(0.1**0.5, 7**0.5, points) ** 2)),
        "fixed": combine({label: solve(Problem(target, learner=learner), alphas) for label, learner in fixed.items()}, KEY),
    }


def _classification(fast: bool, seed: int, progress: bool | None) -> Data:
    problem = Problem(_target("classification"), learner=tuple(CLASSIFIERS.values()))
    at = [0.5, 2.0, 6.0] if fast else [0.5, 1.0, 1.7, 2.5, 3.5, 4.6, 5.8, 7.0]
    d, trials, rows = (60, 4, 4096) if fast else (300, 32, 20000)
    run = simulate(problem, at, d=d, trials=trials, seed=seed, test_samples=rows, normalise_teacher=True, progress=progress)
    both = align(problem, run)
    # paired: on the same network, training set and test rows
    excess = run["test_error"] - run["test_error"].isel(learner=0)
    both["excess"] = excess.mean("trial")
    both["excess_stderr"] = excess.std("trial", ddof=1) / np.sqrt(trials)
    for name, words in (("excess", "paired test error above the simulated Bayes-optimal one"), ("excess_stderr", "its standard error")):
        both[name].attrs = {"long_name": words, "units": "1"}
    return classification_theory(24 if fast else 60) | {"simulation": _named(both)}


_CLASSIFICATION_STYLES = {
    RIDGE: Style("ridge", "C0", "s", width=4.2, size=8.5),
    LOGISTIC: Style("logistic", "C1", "D", width=2.4, size=5.5),
    BAYES: Style("Bayes-optimal", "black", "o", "--", width=1.1, size=3.2),
}


def _draw_classification(data: Data) -> Canvas:
    theory, run = data["theory"], data["simulation"]
    figure, ax = canvas(6.4, 4.9)
    for label, style in _CLASSIFICATION_STYLES.items():
        line(ax, theory.sel(learner=label), style)
        markers(ax, run.sel(learner=label), style)
    ax.set(xlabel=ALPHA, ylabel="test error (fraction misclassified)", xlim=(0, 7.2), ylim=(0.17, 0.47))
    floor = float(theory.sel(learner=BAYES)["floor"][0])
    ax.axhline(floor, color="0.6", lw=0.9, ls=":")
    ax.annotate(r"$\alpha \to \infty$", (0.05, floor), xytext=(0, 3), textcoords="offset points", color="0.4")
    legend(ax, _CLASSIFICATION_STYLES.values(), loc="lower left", bbox_to_anchor=(0.02, 0.06), handlelength=3.2)
    ax.set_title(_title("classification", run), fontsize=9.5)
    _inset(ax.inset_axes((0.35, 0.62, 0.26, 0.31)), theory, run, RIDGE, -3, (-0.3, 3.1))
    _inset(ax.inset_axes((0.725, 0.62, 0.26, 0.31)), theory, None, LOGISTIC, -4, (-0.1, 1.4))
    return figure


def _inset(ax: Axes, theory: xr.Dataset, run: xr.Dataset | None, label: str, power: int, limits: tuple[float, float]) -> None:
    """Excess over the Bayes-optimal error; paired simulated differences where their error bars can tell."""
    style, scale = _CLASSIFICATION_STYLES[label], 10.0**-power
    excess = theory["test_error"].sel(learner=label) - theory["test_error"].sel(learner=BAYES)
    ax.plot(theory["alpha"].values, scale * excess.values, color=style.color, lw=1.8)
    if run is not None:
        part = run.sel(learner=label)
        ok = np.asarray(part["converged"].values & run["converged"].sel(learner=BAYES).values, dtype=bool)
        small = Style(label, style.color, style.marker, size=4)
        error_bars(ax, part["alpha"].values, scale * part["excess"].values, scale * part["excess_stderr"].values, small, ok)
    ax.set_title(f"{label} $-$ Bayes", fontsize=8.5, pad=3)
    ax.set(xlim=(0, 7.2), ylim=limits, xticks=(0, 2, 4, 6))
    ax.set_xlabel(r"$\alpha$", fontsize=8, labelpad=0)
    ax.set_ylabel(rf"excess / $10^{{{power}}}$", fontsize=8, labelpad=2)
    ax.tick_params(labelsize=8)


def _check_classification(data: Data) -> list[Check]:
    fixed, theory = data["fixed"], data["theory"]
    tables = {
        LOGISTIC: (CROSS_ENTROPY[:3], (0.441938, 0.267492, 0.228159), "Multilayer_Logistic_ERM"),
        RIDGE: (
            SQUARE[:10],
            (0.442536, 0.386484, 0.361930, 0.340603, 0.317681, 0.297855, 0.282122, 0.269730, 0.259829, 0.251773),
            "Multilayer_l2_class_ERM",
        ),
    }
    checks = []
    for label, (alphas, printed, notebook) in tables.items():
        curve = fixed["test_error"].sel(learner=f"{label} lam=0.1")
        for alpha, value in zip(alphas, printed, strict=True):
            got = float(curve.sel(alpha=alpha, method="nearest"))
            checks.append(Check(f"{label}, lam = 0.1, alpha = {alpha:.5g}", value, got, 1e-6, f"{CODE}, {notebook}"))
    error = theory["test_error"]
    for label, height, tolerance in ((RIDGE, 2e-3, 3e-4), (LOGISTIC, 1e-4, 2e-5)):
        excess = float((error.sel(learner=label) - error.sel(learner=BAYES)).max())
        checks.append(Check(f"largest {label} - Bayes, alpha <= 7", height, excess, tolerance, "read off the figure's insets"))
    e = Problem(_target("classification")).equivalent()
    c = 2 / np.pi * e.signal_variance / e.rho
    lam = theory["lam"].sel(learner=RIDGE).values
    checks.append(
        Check(
            "ridge lam* on labels, every alpha",
            (1 - c) / c,
            _farthest(lam, (1 - c) / c),
            1e-8,
            "(1 - c)/c, c = (2/pi) s/rho, minimises eq. (272)",
        )
    )
    return checks


PAPER = Paper(
    key=KEY,
    title="Bayes-optimal learning of deep random networks of extensive-width",
    figures=(
        Figure(
            "regression",
            "Test error in regression: Bayes-optimal = optimal ridge = optimal kernel, and random features of finite width",
            "on one core, fast 1 s, full 2 min",
            _regression,
            _draw_regression,
            _check_regression,
        ),
        Figure(
            "classification",
            "Test error in classification: Bayes-optimal, optimal logistic, optimal ridge; insets: excess over Bayes",
            "on one core, fast 4 s, full 5 min",
            _classification,
            _draw_classification,
            _check_classification,
        ),
    ),
)
