r"""Camilli, Tieplova, Bergamin, Barbier 2025: a deep network and its linear equivalent tell the same, as measured at finite size.

Corollary 3 bounds the difference of the mutual informations per sample by O((1 + sqrt(n/d) + n/d)/sqrt(d)): d^{-1/2} at n ~ d, nothing
from n ~ d^{3/2} on; Theorem 4 says that Bayes errors agree in the limit, without a rate. The paper has no experiment. Here both differences
are measured on true networks (`network_information`: widths d, tanh(2x) and ReLU, label noise 0.2) and a power d^{-p} is fitted.
ReLU is neither odd nor smooth: outside the theorem's hypotheses.

A long computation: trials are kept in the output folder and continued; `hours` of `measure_grid` and `measure_beyond` limits its time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.networks import DeepNetwork
from gaussequiv.learners.information import information
from gaussequiv.papers.camilli2025_fit import PowerFit, fit_power
from gaussequiv.papers.drawing import Canvas, Style, canvas, legend
from gaussequiv.papers.paper import Check, Data, Figure, Paper
from gaussequiv.problems.supervised import Problem
from gaussequiv.results import dataset
from gaussequiv.run.evidence import network_information
from gaussequiv.run.solve import provenance

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

KEY = "camilli2025"
NOISE = 0.2
LEAST_TRIALS = 16  # with fewer, when time was short, a cell counts as not measured
ACTIVATIONS = {"tanh(2x)": ("tanh", 4.0), "relu": ("relu", 1.0)}
OBSERVED = ("information", "test_error")
KEPT = (
    *(f"{name}{part}" for name in OBSERVED for part in ("", "_stderr", "_equivalent", "_limit", "_deviation", "_deviation_stderr")),
    "information_lower",
    "information_upper",
    "information_gain",
    "temperatures",
    "trials",
)


@dataclass(frozen=True)
class Scale:
    """What is measured: a grid at n = alpha d, and n = d^power for one layer of tanh(2x); `trials` at the smallest d, falling as 1/d."""

    depths: tuple[int, ...] = (1, 2, 3)
    alphas: tuple[float, ...] = (0.5, 1.0, 2.0)
    sizes: tuple[int, ...] = (10, 20, 40, 80)
    powers: tuple[float, ...] = (1.25, 1.5)
    beyond_sizes: tuple[int, ...] = (10, 20, 40)
    trials: int = 3200
    control_trials: int = 600

    def trials_at(self, d: int) -> int:
        """Networks at dimension d."""
        return max(32, round(self.trials * min(self.sizes) / d))

    def seconds(self, activation: str, depth: int, alpha: float, d: int) -> float:
        """About what a cell takes on one core: compilation, pilots and controls, and the annealing, as measured at d = 20 to 80."""
        each = 0.03 * depth * alpha**2 * (d / 20) ** 3
        return 15.0 + self.trials_at(d) * each * (0.3 if activation == "relu" else 1.0)


FULL = Scale()
FAST = Scale((1, 2), (1.0,), (8, 16), (1.25, 1.5), (8, 16), 64, 80)


def problem(activation: str, depth: int) -> Problem:
    """A network of widths d with labels of noise 0.2; depth 0 is the linear target."""
    name, variance = ACTIVATIONS[activation]
    if depth == 0:
        return Problem(DeepNetwork((), noise=NOISE))
    return Problem(DeepNetwork(name, depth=depth, weight_variance=variance, noise=NOISE, width_ratios=1.0))


class Budget:
    """Hours shared among the cells that are still to come, in proportion to their cost."""

    def __init__(self, hours: float | None, costs: dict[Any, float]) -> None:
        self._end, self._costs = None if hours is None else time.monotonic() + 3600 * hours, dict(costs)

    def take(self, cell: Any) -> float | None:
        """Seconds for this cell."""
        total = sum(self._costs.values())
        share = self._costs.pop(cell) / total
        return None if self._end is None else max(1e-3, share * (self._end - time.monotonic()))


def _cell(
    activation: str, depth: int, n: int, d: int, scale: Scale, seed: int, folder: Path | None, seconds: float | None, progress: Any
) -> xr.Dataset:
    name = f"{KEY}-trials-{activation.split('(')[0]}-{depth}-{d}-{n}.npz"
    return network_information(
        problem(activation, depth),
        n / d,
        d=d,
        trials=scale.trials_at(d),
        control_trials=scale.control_trials,
        seed=seed,
        seconds=seconds,
        checkpoint=None if folder is None else folder / name,
        progress=progress,
    ).isel(alpha=0, drop=True)


def _gather(cells: dict[tuple[Any, ...], xr.Dataset], coordinates: dict[str, tuple[Any, ...]], call: dict[str, Any]) -> xr.Dataset:
    """One Dataset of the cells' means, with powers fitted over d (the last dimension), and its provenance."""
    dims, shape = tuple(coordinates), tuple(len(values) for values in coordinates.values())
    values = {name: np.full(shape, np.nan) for name in KEPT}
    for place in np.ndindex(shape):
        found = cells[tuple(axis[i] for axis, i in zip(coordinates.values(), place, strict=True))]
        if float(found["trials"]) >= LEAST_TRIALS:
            for name in KEPT:
                values[name][place] = float(found[name])
    variables: dict[str, tuple[tuple[str, ...], Any]] = {name: (dims, value) for name, value in values.items()}
    sizes = np.array(coordinates["d"], dtype=float)
    for name in OBSERVED:
        parts: dict[str, FloatArray] = {part: np.full(shape[:-1], np.nan) for part in PowerFit._fields}
        for place in np.ndindex(shape[:-1]):
            fit = fit_power(sizes, values[f"{name}_deviation"][place], values[f"{name}_deviation_stderr"][place], seed=call["seed"])
            for part, value in fit._asdict().items():
                parts[part][place] = value
        variables |= {f"{name}_{part}": (dims[:-1], value) for part, value in parts.items()}
    first = next(iter(cells.values()))
    attributes = provenance(problem("tanh(2x)", 1), "reproduce", {"paper": KEY} | call) | {"source": "simulation", "paper": KEY}
    out = dataset(variables, {name: np.array(axis) for name, axis in coordinates.items()}, attributes)
    for name in KEPT:
        out[name].attrs = dict(first[name].attrs)
    return out


def measure_grid(scale: Scale, seed: int, folder: Path | None = None, hours: float | None = None, progress: bool | None = None) -> Data:
    """Every activation, depth, alpha and size; small sizes first, so that an interruption leaves whole rows."""
    axes = {"activation": tuple(ACTIVATIONS), "depth": scale.depths, "alpha": scale.alphas, "d": scale.sizes}
    order = sorted(
        ((a, depth, alpha, d) for a in ACTIVATIONS for depth in scale.depths for alpha in scale.alphas for d in scale.sizes),
        key=lambda cell: (cell[3], cell[1] * cell[2]),
    )
    budget = Budget(hours, {cell: scale.seconds(*cell) for cell in order})
    cells = {}
    for cell in order:
        a, depth, alpha, d = cell
        cells[cell] = _cell(a, depth, max(1, round(alpha * d)), d, scale, seed, folder, budget.take(cell), progress)
    linear = _cell("tanh(2x)", 0, scale.sizes[0], scale.sizes[0], scale, seed, folder, None if hours is None else 120.0, progress)
    return {"grid": _gather(cells, axes, {"seed": seed, "hours": hours}), "linear": linear}


def measure_beyond(scale: Scale, seed: int, folder: Path | None = None, hours: float | None = None, progress: bool | None = None) -> Data:
    """One layer of tanh(2x) at n = d^power."""
    powers = (1.0, *scale.powers)
    order = sorted(((power, d) for power in powers for d in scale.beyond_sizes), key=lambda cell: cell[1] ** cell[0])
    budget = Budget(hours, {(power, d): scale.seconds("tanh(2x)", 1, d ** (power - 1), d) for power, d in order})
    cells = {}
    for power, d in order:
        cells[power, d] = _cell("tanh(2x)", 1, round(d**power), d, scale, seed, folder, budget.take((power, d)), progress)
    return {"beyond": _gather(cells, {"power": powers, "d": scale.beyond_sizes}, {"seed": seed, "hours": hours})}


def _deviations(ax: Axes, part: xr.Dataset, name: str, style: Style) -> None:
    """|deviation| against d with standard errors; points that zero explains (2 standard errors) are hollow."""
    d, value, error = (np.asarray(part[key], dtype=float) for key in ("d", f"{name}_deviation", f"{name}_deviation_stderr"))
    size, clear = np.abs(value), np.abs(value) > 2 * error
    low = np.minimum(error, 0.8 * size)  # on a logarithmic axis the bar must end above zero
    ax.errorbar(
        d, size, [low, error], fmt=style.line, marker=style.marker, color=style.color, ms=style.size, lw=1.1, capsize=2, mec=style.color
    )
    ax.plot(d[~clear], size[~clear], style.marker, mfc="white", mec=style.color, ms=style.size, zorder=4)


def _guide(ax: Axes, d: FloatArray, top: float, power: float, words: str) -> None:
    ax.plot(d, top * (d / d[0]) ** power, color="0.6", lw=1, ls=":")
    ax.annotate(words, (d[-1], top * (d[-1] / d[0]) ** power), color="0.45", fontsize=8, ha="right", va="bottom")


_WORDS = {"information": "mutual information per sample (nats)", "test_error": "Bayes error (output units)"}


def _draw_grid(data: Data) -> Canvas:
    from matplotlib.figure import Figure as Sheet

    grid = data["grid"]
    figure = Sheet(figsize=(3.4 * grid.sizes["alpha"] + 0.6, 6.6), layout="constrained")
    axes = figure.subplots(2, grid.sizes["alpha"], squeeze=False, sharex=True, sharey="row")
    styles = []
    for i, depth in enumerate(grid["depth"].values):
        styles.append((depth, "tanh(2x)", Style(f"tanh(2x), L = {depth}", f"C{i}", "o", "-")))
        styles.append((depth, "relu", Style(f"ReLU, L = {depth} (outside the theorem)", f"C{i}", "s", "--", size=4.5)))
    d = np.asarray(grid["d"].values, dtype=float)
    for row, name in enumerate(OBSERVED):
        top = float(np.nanmax(np.abs(grid[f"{name}_deviation"].values[..., 0])))
        for ax, alpha in zip(axes[row], grid["alpha"].values, strict=True):
            for depth, activation, style in styles:
                _deviations(ax, grid.sel(alpha=alpha, depth=depth, activation=activation), name, style)
            _guide(ax, d, 1.6 * top, -0.5, r"$d^{-1/2}$ (theorem's bound)" if name == "information" else r"$d^{-1/2}$")
            _guide(ax, d, 1.6 * top, -1.0, r"$d^{-1}$")
            ax.set(xscale="log", yscale="log", xticks=d, xticklabels=[f"{v:g}" for v in d])
            ax.minorticks_off()
            if row == 0:
                ax.set_title(rf"$n = {alpha:g}\,d$", fontsize=10)
        axes[row][0].set_ylabel(f"|network - equivalent|,\n{_WORDS[name]}")
    for ax in axes[1]:
        ax.set_xlabel("input dimension and widths, $d$")
    legend(axes[0][-1], [style for *_, style in styles], fontsize=7)
    return figure


def _draw_beyond(data: Data) -> Canvas:
    part = data["beyond"]
    figure, axes = canvas(9.0, 4.2, 2)
    styles = [Style(f"$n = d^{{{power:g}}}$", f"C{i}", "o") for i, power in enumerate(part["power"].values)]
    d = np.asarray(part["d"].values, dtype=float)
    for ax, name in zip(axes, OBSERVED, strict=True):
        for power, style in zip(part["power"].values, styles, strict=True):
            one = part.sel(power=power)
            _deviations(ax, one, name, style)
            if name == "information":
                ratio = d ** (float(power) - 1)
                bound = (1 + np.sqrt(ratio) + ratio) / np.sqrt(d)
                ax.plot(d, bound / bound[0] * 1.6 * abs(float(one["information_deviation"][0])), color=style.color, lw=1, ls=":")
        ax.set(xscale="log", yscale="log", xticks=d, xticklabels=[f"{v:g}" for v in d], xlabel="input dimension and width, $d$")
        ax.set_ylabel(f"|network - equivalent|,\n{_WORDS[name]}")
        ax.minorticks_off()
    axes[0].set_title("one layer of tanh(2x); dotted: shape of the theorem's bound", fontsize=9)
    legend(axes[1], styles)
    return figure


def _formula_checks() -> list[Check]:
    """Closed forms of the limit against independent computations."""
    checks = []
    e = problem("tanh(2x)", 2).equivalent()
    for alpha, value in ((0.5, 0.175294), (1.0, 0.319610), (3.0, 0.698469)):
        found = float(information(e, np.array([alpha]))["mutual_information"][0])
        source = "independent solution, 6 digits (log-determinants at d = 800: 0.17526, 0.31977, 0.69876)"
        checks.append(Check(f"I(theta; D)/d, L = 2, alpha = {alpha:g}", value, found, 1e-6, source))
    for depth, value in ((1, 0.72267), (2, 0.61112)):
        erf = Problem(DeepNetwork("erf", depth=depth, noise=0.1)).equivalent()
        found = float(information(erf, np.ones(1))["mutual_information_per_sample"][0])
        checks.append(Check(f"I(theta, xi; D)/n, erf, L = {depth}, alpha = 1", value, found, 1e-5, "independent solution, 5 digits"))
    return checks


def _check_grid(data: Data) -> list[Check]:
    linear, checks = data["linear"], _formula_checks()
    for name in OBSERVED:
        value, error = float(linear[f"{name}_deviation"]), float(linear[f"{name}_deviation_stderr"])
        checks.append(Check(f"deviation of {name}, linear target", 0.0, value, 4 * error, "a linear network is its equivalent; 4 s.e."))
    for name in ("ratio_kernel", "ratio_linear"):
        ratios = linear[name].values[np.isfinite(linear[name].values)]
        error = float(ratios.std(ddof=1) / np.sqrt(ratios.size))
        checks.append(Check(f"mean of {name}, linear target", 1.0, float(ratios.mean()), 4 * error, "E[R/Z] = 1; 4 s.e."))
    return checks


def _check_beyond(data: Data) -> list[Check]:
    return _formula_checks()


def _run(which: Any, fast: bool, seed: int, progress: bool | None, *, folder: Path | None = None, hours: float | None = None) -> Data:
    found: Data = which(FAST if fast else FULL, seed, folder, hours, progress)
    return found


PAPER = Paper(
    key=KEY,
    title="Information-theoretic reduction of deep neural networks to linear models in the overparametrized proportional regime",
    figures=(
        Figure(
            "deviations",
            "Mutual information and Bayes error of true networks minus those of the linear equivalent, against d at n ~ d",
            "fast 2 min, full 12 h",
            partial(_run, measure_grid),
            _draw_grid,
            _check_grid,
            resumable=True,
        ),
        Figure(
            "beyond",
            "The same at n = d^1.25 and d^1.5, where the theorem's bound decays more slowly and then not at all",
            "fast 1 min, full 3 h",
            partial(_run, measure_beyond),
            _draw_beyond,
            _check_beyond,
            resumable=True,
        ),
    ),
)
