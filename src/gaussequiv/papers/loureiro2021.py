r"""Loureiro, Gerbelot, Cui, Goldt, Krzakala, Mezard, Zdeborova 2021: logistic regression on random features of a random-feature target.

The example of the authors' code (github.com/IdePHICS/GCMProject, how_to): teacher features u = sign(F c/sqrt(D)), student features
v = erf(F' c/sqrt(D)), D = 1000 latent dimensions, 1000 teacher and 2000 student features, lam = 0.01. Its printed numbers belong to one
draw of all weights; they are compared with 20 others. The paper's alpha is n over STUDENT features; here alpha = n/D, twice that.
"""

from __future__ import annotations

import numpy as np

from gaussequiv.ingredients.features.base import RandomFeatures
from gaussequiv.ingredients.targets.deep_network import DeepNetwork
from gaussequiv.learners.convex.named import Logistic
from gaussequiv.problems.supervised.description import Problem
from gaussequiv.reproduce.drawing import BAND, Canvas, Style, band, canvas, legend, line, markers, printed
from gaussequiv.reproduce.instances import check_instance, instances
from gaussequiv.reproduce.paper import Check, Data, Figure, Paper, combine
from gaussequiv.run.compare import align
from gaussequiv.run.simulate import simulate
from gaussequiv.run.solve import solve

KEY = "loureiro2021"
RATIO = 2.0  # student features for each latent dimension
PROBLEM = Problem(
    DeepNetwork("sign", width_ratios=1.0, task="classification"),
    features=RandomFeatures("erf", ratio=RATIO),
    learner=Logistic(0.01),
)
# n/p: V, m, q, test error, training loss
PRINTED = {
    0.5: (19.649216, 0.955295, 7.056043, 0.381599, 0.104756),
    1.0: (10.289259, 1.437530, 9.174395, 0.340768, 0.156268),
    1.5: (6.450970, 1.619751, 9.108898, 0.317524, 0.204456),
}
OBSERVABLES = ("V", "m", "q", "test_error", "train_loss")


def _run(fast: bool, seed: int, progress: bool | None) -> Data:
    alpha = np.linspace(0.2, 4.0, 20 if fast else 77)
    run_alpha = [1.0, 2.0, 3.0] if fast else [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5]
    d, trials, rows = (50, 4, 2048) if fast else (200, 16, 8192)
    run = simulate(PROBLEM, run_alpha, d=d, trials=trials, seed=seed, test_samples=rows, normalise_teacher=True, progress=progress)
    drawn = instances(PROBLEM, RATIO * np.array(list(PRINTED)), 400 if fast else 1000, seed, OBSERVABLES, progress)
    name = {"logistic": PROBLEM}
    return {
        "theory": combine({label: solve(problem, alpha) for label, problem in name.items()}, KEY),
        "simulation": combine({label: align(problem, run) for label, problem in name.items()}, KEY),
        "instances": drawn,
    }


def _draw(data: Data) -> Canvas:
    theory, run, drawn = data["theory"].squeeze("learner"), data["simulation"].squeeze("learner"), data["instances"]
    figure, axes = canvas(8.6, 4.2, 2)
    style, other = Style("theory, limit", "C0", width=2.0), Style("one instance, printed by the authors", "C3", "*", "", size=10)
    own = Style(f"true features, $D = {run.attrs['d']}$", "C0", "o", "")
    spread = Style(f"20 instances, $D = {drawn.attrs['d']}$: mean $\\pm$ 2 s.d.", "0.35", BAND, "")
    for ax, name, label in zip(
        axes, ("test_error", "train_loss"), ("test error (fraction misclassified)", "training loss per sample"), strict=True
    ):
        line(ax, theory, style, name)
        band(ax, drawn, spread, name)
        column = OBSERVABLES.index(name)
        printed(ax, RATIO * np.array(list(PRINTED)), [row[column] for row in PRINTED.values()], other)
        ax.set(xlabel=r"samples per latent dimension, $n/D = 2\,n/p$", ylabel=label, xlim=(0, 4.1))
    axes[1].set_ylim(0.05, 0.3)
    markers(axes[0], run, own)
    legend(axes[1], (style, own, spread, other), loc="upper left", fontsize=8.5)
    axes[0].set_ylim(0.28, 0.46)
    axes[0].set_title("Logistic regression, $\\lambda = 0.01$, $p = 2D$ erf features", fontsize=9.5)
    axes[1].set_title("target: sign of $D$ random sign features", fontsize=9.5)
    return figure


def _check(data: Data) -> list[Check]:
    checks, scale = [], float(np.sqrt(data["instances"].attrs["d"] / 1000))  # fluctuations fall as 1/sqrt(D); the printed one has D = 1000
    for ratio, row in PRINTED.items():
        for observable, value in zip(OBSERVABLES, row, strict=True):
            name = f"{observable.replace('_', ' ')}, n/p = {ratio:g}"
            checks.append(check_instance(data["instances"], observable, RATIO * ratio, value, name, "authors' code, how_to", scale))
    rho = data["instances"]["rho"].expand_dims(alpha=[0.0]).to_dataset()
    checks.append(check_instance(rho, "rho", 0.0, 0.979099, "rho", "authors' code, how_to", scale))
    return checks


PAPER = Paper(
    key=KEY,
    title="Learning curves of generic features maps for realistic datasets with a teacher-student model",
    figures=(
        Figure(
            "logistic",
            "Logistic regression on erf features, target of sign features",
            "on one core, fast 2 s, full 20 s",
            _run,
            _draw,
            _check,
        ),
    ),
)
