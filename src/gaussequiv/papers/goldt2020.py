r"""Goldt, Loureiro, Reeves, Krzakala, Mezard, Zdeborova 2020: learning online from a generative model is learning from its Gaussian twin.

A two-layer student learns by one-pass SGD from x = G(c) and labels of a two-layer teacher on the latents c. The paper's trained generators
cannot be downloaded: a normalising flow is trained here on scikit-learn's digits, and the package's own convolutional generator of digits
takes the place of the DCGAN. The equations know of G the covariances alone; markers are SGD on samples of G and on the Gaussian twin.
Below: distances of the student's fields to the normal law along training, beside those of weights that look at one input.

Conventions: erf(x/sqrt(2)), K = M = 2, rate 0.2 for both layers, all weights N(0, 1); `test_error` has no factor 1/2, as the paper's has.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv.ingredients.generators.base import Generator
from gaussequiv.ingredients.generators.random_layers import RandomGenerator
from gaussequiv.problems.online_sgd.description import OnlineSGD
from gaussequiv.problems.online_sgd.two_layer import TwoLayer
from gaussequiv.reproduce.drawing import Canvas, Style, error_bars, legend
from gaussequiv.reproduce.paper import Check, Data, Figure, Paper
from gaussequiv.run.compare import compare
from gaussequiv.run.diagnose import diagnose
from gaussequiv.run.solve import solve
from gaussequiv.run.train_generator import train_generator
from gaussequiv.trained.files import load_generator

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

KEY = "goldt2020"
TITLES = {
    "one-layer": "one layer, sign",
    "deep": "four layers, sign",
    "flow": "trained flow, digits",
    "conv": "trained convolutional, digits",
}
ALLOWANCE = 4.0  # relative deviations that finite N makes, times N: thrice the 2.1% that 64 pixels of digits were measured to make


def generators(fast: bool, seed: int, progress: bool | None) -> dict[str, Generator]:
    """The four, those of digits scaled to tr(Omega)/N = 1."""
    flow = train_generator("flow", "digits", steps=20 if fast else None, seed=seed, progress=progress)
    return {
        "one-layer": RandomGenerator("sign", latent_ratio=0.3),
        "deep": RandomGenerator(("sign",) * 4, latent_ratio=0.3 if fast else 0.1),
        "flow": scaled(flow),
        "conv": load_generator("digits-conv", normalise=True),
    }


def scaled(generator: Any) -> Generator:
    """The same function, its outputs divided by one number."""
    found: Generator = replace(generator, normalise=True)
    return found


def online_problem(generator: Generator, dimension: int) -> OnlineSGD:
    """Two units learn from two; N is the generator's own where it has one."""
    network = TwoLayer("erf", 2, gain=float(np.sqrt(0.5)))
    return OnlineSGD(
        network, network, generator, rate=0.2, data=("generator", "twin"), dimension=generator.dimension or dimension, instance=1
    )


def _run(fast: bool, seed: int, progress: bool | None) -> Data:
    size, trials, samples = (60, 4, 10_000) if fast else (1000, 16, 50_000)
    last = 5.0 if fast else 100.0
    at = np.geomspace(0.1, last, 5 if fast else 13)
    data: Data = {}
    for name, generator in generators(fast, seed, progress).items():
        one = online_problem(generator, size)
        data[f"{name}-theory"] = solve(one, np.geomspace(0.1, last, 24 if fast else 90))
        data[name] = compare(one, at, trials=trials, seed=seed, allowance=ALLOWANCE, progress=progress)
        data[f"{name}-fields"] = diagnose(one, at[:: len(at) // 4], samples=samples, seed=seed)
        data[f"{name}-control"] = diagnose(generator, weights="coordinate", N=one.dimension, samples=samples, seed=seed)
    return data


GENERATOR, TWIN = Style("SGD on the generator", "C3", "o", "none", size=8), Style("SGD on its Gaussian twin", "C0", "s", "none", size=3.5)
THEORY = Style("theory", "black")


def _draw(data: Data) -> Canvas:
    from matplotlib.figure import Figure as Sheet

    figure = Sheet(figsize=(13.2, 6.2), layout="constrained")
    axes = figure.subplots(2, len(TITLES), sharex=True, height_ratios=(2, 1))
    for (name, title), column in zip(TITLES.items(), axes.T, strict=True):
        _curves(column[0], data[f"{name}-theory"], data[name], title)
        _fields(column[1], data[f"{name}-fields"], data[f"{name}-control"])
    axes[0][0].set_ylabel("test error (mean squared)")
    axes[1][0].set_ylabel("distance of fields\nto the normal law (KS)")
    styles = [
        THEORY,
        GENERATOR,
        TWIN,
        Style("fields of the learning student", "C2", "^", "none"),
        Style("of one input alone", "0.3", "", ":"),
    ]
    legend(figure, styles, loc="outside lower center", ncols=5)
    return figure


def _curves(ax: Axes, theory: xr.Dataset, both: xr.Dataset, title: str) -> None:
    line = theory["test_error"].isel(data=0)
    ax.plot(line["time"], line, color=THEORY.color, lw=THEORY.width)
    for style, kind in ((GENERATOR, "generator"), (TWIN, "twin")):
        run = both.sel(source="simulation", data=kind)
        error_bars(ax, run["time"].values, run["test_error"].values, run["test_error_stderr"].values, style)
    sizes = f"$N = {both.attrs['N']}$, mean of {both.attrs['trials']}"
    ax.set_title(f"{title}\n{sizes}: {both.attrs['verdict']}", fontsize=10)
    ax.set(xscale="log", ylim=(0, None))


def _fields(ax: Axes, fields: xr.Dataset, control: xr.Dataset) -> None:
    time = fields["time"].values
    floor, spread = float(fields["ks_noise"]), float(fields["ks_noise_spread"])
    ax.axhspan(floor - 2 * spread, floor + 5 * spread, color="0.9", zorder=0)
    for unit in fields["unit"].values:
        ax.plot(time, fields["ks"].sel(unit=unit), "^", color="C2", mec="white", mew=0.5, ms=6)
    ax.axhline(float(control["ks"].max()), color="0.3", ls=":")
    ax.set(yscale="log", ylim=(1.5e-3, 1), xlabel="time, steps$/N$")


def _check(data: Data) -> list[Check]:
    """Theory through the markers at every time, and the negative control."""
    checks = []
    for name, title in TITLES.items():
        both, N = data[name], int(data[name].attrs["N"])
        for kind in ("generator", "twin"):
            theory, run = (both.sel(source=source, data=kind) for source in ("theory", "simulation"))
            value, error = (run[key].values for key in ("test_error", "test_error_stderr"))
            expected = theory["test_error"].values
            allowed = 4 * error + ALLOWANCE / N * expected
            worst = int(np.argmax(np.abs(value - expected) / allowed))
            where = f"simulation, N = {N}, {both.attrs['trials']} trials: 4 s.e. and {ALLOWANCE:g}/N"
            at = f"t = {float(both['time'][worst]):.3g}"
            checks.append(Check(f"error, {title}, {kind}, {at}", float(value[worst]), float(expected[worst]), float(allowed[worst]), where))
    control = float(data["one-layer-control"]["ks"].max())
    # the distance of a sign to the normal law: Phi(1) - 1/2 = .341; one coordinate of a sign generator is a sign
    checks.append(Check("KS of one input of the sign generator", 0.3413, control, 0.01, "P(|z| < 1)/2, closed form"))
    return checks


PAPER = Paper(
    key=KEY,
    title="The Gaussian equivalence of generative models for learning with shallow neural networks",
    figures=(
        Figure(
            "training",
            "Test error along one-pass SGD on four generators, random and trained: theory, SGD, SGD on the Gaussian twin; and their fields",
            "on one core, fast 1 min, full 10 min",
            _run,
            _draw,
            _check,
        ),
    ),
)
