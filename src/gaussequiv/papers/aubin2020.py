r"""Aubin, Krzakala, Lu, Zdeborova 2020: how close do convex losses come to the Bayes-optimal error on a noiseless perceptron?

Labels sign(theta.x/sqrt(d)) of Gaussian inputs: Bayes-optimal, and logistic, hinge and square loss at their optimal L2 penalties.
Reference numbers: an independent SciPy solution of the same saddle-point equations (five digits), and closed forms: the square loss has
lam* = pi/2 - 1 at every alpha, its error falls as sqrt((pi/2 - 1)/alpha)/pi, the Bayes-optimal one as 0.4417/alpha.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gaussequiv.ingredients.targets.deep_network import DeepNetwork
from gaussequiv.learners.bayes.bayes_optimal import BayesOptimal
from gaussequiv.learners.convex.named import SVM, Logistic
from gaussequiv.learners.convex.ridge import Ridge
from gaussequiv.problems.supervised.description import Problem
from gaussequiv.reproduce.drawing import ALPHA, Canvas, Style, canvas, legend, line, markers
from gaussequiv.reproduce.paper import Check, Data, Figure, Paper, combine
from gaussequiv.run.compare import align
from gaussequiv.run.simulate import simulate
from gaussequiv.run.solve import solve

KEY = "aubin2020"
TARGET = DeepNetwork(depth=0, task="classification")
LEARNERS: dict[str, Any] = {
    "Bayes-optimal": BayesOptimal(),
    "logistic": Logistic("optimal"),
    "hinge": SVM("optimal"),
    "square": Ridge("optimal"),
}
AT = (1.0, 2.0, 5.0, 10.0, 30.0)
ERRORS = {
    "Bayes-optimal": (0.25437, 0.17453, 0.08394, 0.04357, 0.01470),
    "logistic": (0.25440, 0.17459, 0.08398, 0.04360, 0.01471),
    "hinge": (0.26241, 0.18498),
    "square": (0.25708, 0.18603, 0.11340, 0.07828, 0.04435),
}
STYLES = {
    "square": Style("square loss", "C0", "s"),
    "hinge": Style("hinge loss", "C2", "^"),
    "logistic": Style("logistic loss", "C1", "D", width=3.4, size=7),
    "Bayes-optimal": Style("Bayes-optimal", "black", "o", "--", width=1.2, size=3.5),
}


def _run(fast: bool, seed: int, progress: bool | None) -> Data:
    alpha = np.unique(np.concatenate([np.geomspace(0.3, 30, 9 if fast else 33), AT]))
    problem = Problem(TARGET, learner=tuple(LEARNERS.values()))
    theory = solve(problem, alpha)
    run_alpha = [1.0, 4.0] if fast else [0.5, 1.0, 2.0, 4.0, 8.0, 15.0]
    d, trials, rows = (40, 4, 2048) if fast else (200, 16, 20000)
    run = simulate(problem, run_alpha, d=d, trials=trials, seed=seed, test_samples=rows, normalise_teacher=True, progress=progress)
    both = align(problem, run)
    parts = {name: theory.sel(learner=learner.label, drop=True) for name, learner in LEARNERS.items()}
    sides = {name: both.sel(learner=learner.label, drop=True) for name, learner in LEARNERS.items()}
    return {"theory": combine(parts, KEY), "simulation": combine(sides, KEY)}


def _draw(data: Data) -> Canvas:
    figure, ax = canvas()
    for name, style in STYLES.items():
        line(ax, data["theory"].sel(learner=name), style)
        markers(ax, data["simulation"].sel(learner=name), style)
    ax.set(xscale="log", yscale="log", xlabel=ALPHA, ylabel="test error (fraction misclassified)", xlim=(0.27, 33))
    ax.set_xticks([0.3, 1, 3, 10, 30], ["0.3", "1", "3", "10", "30"])
    ax.set_yticks([0.02, 0.05, 0.1, 0.2, 0.4], ["0.02", "0.05", "0.1", "0.2", "0.4"])
    ax.minorticks_off()
    run = data["simulation"].attrs
    ax.set_title(
        f"Perceptron, noiseless sign labels, optimal L2 penalties\nmarkers: $d = {run['d']}$, mean of {run['trials']} with standard error",
        fontsize=9.5,
    )
    legend(ax, STYLES.values(), loc="lower left", handlelength=3.2)
    return figure


def _check(data: Data) -> list[Check]:
    theory = data["theory"]
    checks = []
    for name, printed in ERRORS.items():
        for alpha, value in zip(AT, printed, strict=False):
            got = float(theory["test_error"].sel(learner=name, alpha=alpha))
            checks.append(Check(f"{name}, alpha = {alpha:g}", value, got, 1.5e-5, "independent SciPy solution, five digits"))
    lam = theory["lam"].sel(learner="square").values
    worst = float(lam[np.argmax(np.abs(lam - (np.pi / 2 - 1)))])
    checks.append(Check("square loss lam*, every alpha", np.pi / 2 - 1, worst, 1e-9, "closed form pi/2 - 1"))
    far = np.array([1e5])
    e = Problem(TARGET).equivalent()
    tail = float(LEARNERS["square"].solve(e, far)["test_error"][0] * np.sqrt(far[0]))
    checks.append(Check("square loss, sqrt(alpha) error, alpha = 1e5", np.sqrt(np.pi / 2 - 1) / np.pi, tail, 1e-4, "sqrt(pi/2 - 1)/pi"))
    slow = float(LEARNERS["Bayes-optimal"].solve(e, np.array([1e3]))["test_error"][0] * 1e3)
    checks.append(Check("Bayes-optimal, alpha error, alpha = 1e3", 0.4417, slow, 2e-4, "limit 0.4417"))
    return checks


PAPER = Paper(
    key=KEY,
    title="Generalization error in high-dimensional perceptrons: approaching Bayes error with convex optimization",
    figures=(
        Figure(
            "perceptron",
            "Noiseless perceptron: Bayes-optimal error and optimised convex losses",
            "on one core, fast 9 s, full 2 min",
            _run,
            _draw,
            _check,
        ),
    ),
)
