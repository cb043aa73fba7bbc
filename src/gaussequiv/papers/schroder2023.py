r"""Schroeder, Cui, Dmitriev, Loureiro 2023: deep random features, of which only the readout is trained.

Settings of the authors' notebooks (github.com/HugoCui/dRF). Fig. 2: logistic regression, lam = 0.05, two erf layers of width d = 200,
linear target. Fig. 3: ridge regression, lam = 0.001, L = 1..6 layers of width 4 d (d = 600), target of 2 d sign features, activations tanh
and "door", 1.1 sign(x) min(|x|, 2). Their numbers belong to one draw of all weights; they are compared with 20 others.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.activations.base import Activation
from gaussequiv.ingredients.features.base import RandomFeatures
from gaussequiv.ingredients.targets.deep_network import DeepNetwork
from gaussequiv.learners.convex.named import Logistic
from gaussequiv.learners.convex.ridge import Ridge
from gaussequiv.problems.supervised.description import Problem
from gaussequiv.reproduce.drawing import ALPHA, BAND, Canvas, Style, band, canvas, legend, line, markers, printed
from gaussequiv.reproduce.instances import check_instance, instances
from gaussequiv.reproduce.paper import Check, Data, Figure, Paper, combine
from gaussequiv.run.compare import align
from gaussequiv.run.simulate import simulate
from gaussequiv.run.solve import solve

KEY = "schroder2023"
LOGISTIC = Problem(DeepNetwork(depth=0, task="classification"), features=RandomFeatures("erf", depth=2, ratio=1.0), learner=Logistic(0.05))
PRINTED = {0.1: 0.465575, 0.825: 0.388998, 1.55: 0.348146, 2.275: 0.322823}


def _logistic(fast: bool, seed: int, progress: bool | None) -> Data:
    alpha = np.linspace(0.05, 3.2, 22 if fast else 64)
    run_alpha = [0.5, 1.5, 3.0] if fast else [0.1, 0.4, 0.825, 1.2, 1.55, 1.9, 2.275, 2.65, 3.0]
    d, trials, rows = (50, 4, 2048) if fast else (200, 20, 8192)
    run = simulate(LOGISTIC, run_alpha, d=d, trials=trials, seed=seed, test_samples=rows, normalise_teacher=True, progress=progress)
    drawn = instances(LOGISTIC, list(PRINTED), 200, seed, progress=progress)
    return {
        "theory": combine({"logistic": solve(LOGISTIC, alpha)}, KEY),
        "simulation": combine({"logistic": align(LOGISTIC, run)}, KEY),
        "instances": drawn,
    }


def _draw_logistic(data: Data) -> Canvas:
    run = data["simulation"].squeeze("learner")
    figure, ax = canvas()
    theory, own = Style("theory, limit", "C0", width=2.0), Style(f"true features, $d = {run.attrs['d']}$", "C0", "o", "")
    spread = Style("20 instances, $d = 200$: mean $\\pm$ 2 s.d.", "0.35", BAND, "")
    other = Style("one instance, printed by the authors", "C3", "*", "", size=11)
    line(ax, data["theory"].squeeze("learner"), theory)
    band(ax, data["instances"], spread)
    markers(ax, run, own)
    printed(ax, np.array(list(PRINTED)), list(PRINTED.values()), other)
    ax.set(xlabel=ALPHA, ylabel="test error (fraction misclassified)", xlim=(0, 3.3), ylim=(0.27, 0.5))
    ax.set_title("Logistic regression, $\\lambda = 0.05$, two erf layers of width $d$, linear target", fontsize=9.5)
    legend(ax, (theory, own, spread, other), loc="upper right", fontsize=9)
    return figure


def _check_logistic(data: Data) -> list[Check]:
    source = "authors' code, Logistic"
    checks = [check_instance(data["instances"], "test_error", a, v, f"test error, alpha = {a:g}", source) for a, v in PRINTED.items()]
    names = (0.6514700158705591, 0.20036435017026702, 0.8124107293490346, 0.11530322586017638)
    for layer, (phi, variance) in enumerate(zip(LOGISTIC.features.layers, (1.0, 0.46455905439753986), strict=True)):
        found = phi.coefficients(variance)
        for kind, value, got in zip(("kappa1", "kappa*"), names[2 * layer : 2 * layer + 2], (found.kappa1, found.kappa_star), strict=True):
            checks.append(Check(f"{kind} of erf layer {layer + 1}", value, float(got), 1e-8, source))
    return checks


def door(x: FloatArray) -> FloatArray:
    """1.1 sign(x) min(|x|, 2): 1.1 x, clipped at |x| = 2."""
    return 1.1 * np.sign(x) * np.minimum(np.abs(x), 2.0)


ACTIVATIONS: dict[str, Any] = {"tanh": "tanh", "door": Activation(door, name="door", kinks=(-2.0, 2.0))}
DEPTHS = (1, 2, 3, 4, 5, 6)
PEAKS = (("tanh", 1, 4.0, 1.38), ("door", 1, 1.0, 2.0), ("door", 6, 4.0, 2.35))  # activation, L, alpha, height


def _ridge(activation: str, depth: int) -> Problem:
    features = RandomFeatures(ACTIVATIONS[activation], depth=depth, ratio=4.0)
    return Problem(DeepNetwork("sign", width_ratios=2.0), features=features, learner=Ridge(1e-3))


def _depth(fast: bool, seed: int, progress: bool | None) -> Data:
    alpha = np.unique(np.concatenate([np.linspace(0.1, 8, 60 if fast else 150), [1.0, 4.0]]))
    run_alpha = [0.5, 2.0, 5.0] if fast else [0.3, 0.7, 1.0, 1.6, 2.4, 3.2, 4.0, 5.0]
    d, trials = (40, 4) if fast else (150, 16)
    shown = (1, 6) if fast else (1, 3, 6)
    out: Data = {}
    for activation in ACTIVATIONS:
        problems = {f"L={depth}": _ridge(activation, depth) for depth in DEPTHS}
        out[f"{activation}-theory"] = combine({label: solve(problem, alpha) for label, problem in problems.items()}, KEY)
        runs = {}
        for depth in shown:
            problem = problems[f"L={depth}"]
            run = simulate(problem, run_alpha, d=d, trials=trials, seed=seed, normalise_teacher=True, progress=progress)
            runs[f"L={depth}"] = align(problem, run)
        out[f"{activation}-simulation"] = combine(runs, KEY)
    for activation, depth, at, _ in PEAKS:
        out[f"{activation}-L{depth}-instances"] = instances(_ridge(activation, depth), [at], 60 if fast else 200, seed, progress=progress)
    return out


def _draw_depth(data: Data) -> Canvas:
    figure, axes = canvas(9.0, 4.4, 2)
    shades = {depth: f"C{depth - 1}" for depth in DEPTHS}
    other = Style("read off Fig. 3", "black", "*", "", size=11)
    for ax, activation, height in zip(axes, ACTIVATIONS, (1.75, 2.95), strict=True):
        theory, run = data[f"{activation}-theory"], data[f"{activation}-simulation"]
        styles = []
        for depth in DEPTHS:
            simulated = f"L={depth}" in run["learner"].values
            style = Style(f"$L = {depth}$", shades[depth], "o" if simulated else "", size=4.5)
            line(ax, theory.sel(learner=f"L={depth}"), style)
            if simulated:
                markers(ax, run.sel(learner=f"L={depth}"), style)
            styles.append(style)
        peaks = [(at, value) for name, _, at, value in PEAKS if name == activation]
        printed(ax, np.array([at for at, _ in peaks]), [value for _, value in peaks], other)
        ax.set(xlabel=ALPHA, ylabel="test error (mean squared, output units)", xlim=(0, 8.1), ylim=(0.5, height))
        title = "tanh" if activation == "tanh" else r"door, $1.1\,\mathrm{sign}(x)\,\min(|x|, 2)$"
        d, trials = run.attrs["d"], run.attrs["trials"]
        ax.set_title(f"$L$ layers of {title}, widths $4d$\nmarkers: true networks, $d = {d}$, mean of {trials}", fontsize=9.5)
        legend(ax, (*styles, other), loc="upper center", ncols=3, fontsize=8.5)
    return figure


def _check_depth(data: Data) -> list[Check]:
    checks = []
    for activation, depth, at, height in PEAKS:
        drawn = data[f"{activation}-L{depth}-instances"]
        scale = float(np.sqrt(drawn.attrs["d"] / 600))  # fluctuations between instances fall as 1/sqrt(d); the paper has d = 600
        name = f"peak, {activation}, L = {depth}, alpha = {at:g}"
        checks.append(check_instance(drawn, "test_error", at, height, name, "read off Fig. 3", scale))
    return checks


PAPER = Paper(
    key=KEY,
    title="Deterministic equivalent and error universality of deep random features learning",
    figures=(
        Figure(
            "logistic",
            "Logistic regression on two random erf layers (Fig. 2)",
            "on one core, fast 1 s, full 20 s",
            _logistic,
            _draw_logistic,
            _check_logistic,
        ),
        Figure(
            "depth",
            "Ridge regression on one to six random layers (Fig. 3): double descent peaks at n = d and n = k",
            "on one core, fast 2 s, full 1 min",
            _depth,
            _draw_depth,
            _check_depth,
        ),
    ),
)
