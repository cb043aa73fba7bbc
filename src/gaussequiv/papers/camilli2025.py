r"""Camilli, Tieplova, Bergamin, Barbier 2025: a deep network and its linear equivalent tell the same, as measured at finite size.

Corollary 3 bounds the difference of the mutual informations per sample by O((1 + sqrt(n/d) + n/d)/sqrt(d)): d^{-1/2} at n ~ d, nothing
from n ~ d^{3/2} on; Theorem 4 says that Bayes errors agree in the limit, without a rate. The paper has no experiment. Here both differences
are measured on true networks (`network_information`: widths d, tanh(2x) and ReLU, label noise 0.2) and a power d^{-p} is fitted.
ReLU is neither odd nor smooth: outside the theorem's hypotheses.

A long computation: trials are kept in the output folder and continued; `hours` of `measure_grid` and `measure_beyond` limits its time, and
with 0 hours they gather what the folder holds. Cells can also be measured in processes of their own, on several machines (`measure_cell`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gaussequiv.errors import FloatArray, fail
from gaussequiv.ingredients.targets.deep_network import DeepNetwork
from gaussequiv.learners.bayes.information import information_curve
from gaussequiv.problems.supervised.description import Problem
from gaussequiv.reproduce.drawing import Canvas, Style, canvas, legend
from gaussequiv.reproduce.paper import Check, Data, Figure, Paper
from gaussequiv.reproduce.power_fit import PowerFit, fit_power
from gaussequiv.results import dataset
from gaussequiv.run.evidence import network_information
from gaussequiv.run.provenance import provenance
from gaussequiv.store import checkpoint

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


class Cell(NamedTuple):
    """Networks of one kind with n samples in d dimensions; depth 0 is the linear target."""

    activation: str
    depth: int
    d: int
    n: int

    def path(self, folder: Path) -> Path:
        """The file of its trials."""
        return folder / f"{KEY}-trials-{self.activation.split('(')[0]}-{self.depth}-{self.d}-{self.n}.npz"


@dataclass(frozen=True)
class Scale:
    """What is measured: a grid at n = alpha d, and n = d^power for one layer of tanh(2x); `trials` at d = 10, falling as 1/d."""

    depths: tuple[int, ...] = (1, 2, 3)
    alphas: tuple[float, ...] = (0.5, 1.0, 2.0)
    sizes: tuple[int, ...] = (10, 20, 40, 80)
    powers: tuple[float, ...] = (1.25, 1.5)
    beyond_sizes: tuple[int, ...] = (10, 20, 40)
    trials: int = 3200
    control_trials: int = 600

    def trials_at(self, d: int) -> int:
        """Networks at dimension d."""
        return max(32, round(self.trials * 10 / d))

    def seconds(self, cell: Cell) -> float:
        """About what a cell takes on one core: compilation, pilots and controls, and the annealing, as measured at d = 20 to 80."""
        each = 0.03 * cell.depth * (cell.n / cell.d) ** 2 * (cell.d / 20) ** 3
        return 15.0 + self.trials_at(cell.d) * each * (0.3 if cell.activation == "relu" else 1.0)


FULL = Scale()
FAST = Scale((1, 2), (1.0,), (8, 16), (1.25, 1.5), (8, 16), 51, 80)


def problem(activation: str, depth: int) -> Problem:
    """A network of widths d with labels of noise 0.2; depth 0 is the linear target."""
    name, variance = ACTIVATIONS[activation]
    if depth == 0:
        return Problem(DeepNetwork((), noise=NOISE))
    return Problem(DeepNetwork(name, depth=depth, weight_variance=variance, noise=NOISE, width_ratios=1.0))


class Budget:
    """Hours shared among the cells that are still to come, in proportion to their cost."""

    def __init__(self, hours: float | None, costs: dict[Cell, float]) -> None:
        self._end, self._costs = None if hours is None else time.monotonic() + 3600 * hours, dict(costs)
        self._nothing = hours == 0

    def take(self, cell: Cell) -> float | None:
        """Seconds for this cell; 0 to run nothing new."""
        total = sum(self._costs.values())
        share = self._costs.pop(cell) / total
        return None if self._end is None else 0.0 if self._nothing else max(1e-3, share * (self._end - time.monotonic()))


def measure_cell(
    cell: Cell, scale: Scale, seed: int, folder: Path | None = None, seconds: float | None = None, progress: bool | None = None
) -> xr.Dataset | None:
    """`network_information` of a cell; with 0 seconds only of the networks that the folder holds, None if these are fewer than 16."""
    path, trials = None if folder is None else cell.path(folder), scale.trials_at(cell.d)
    if seconds == 0:
        stored = 0 if path is None or not path.exists() else len(checkpoint.read(path)[1].get(str(cell.n), ()))
        if stored < LEAST_TRIALS:
            return None
        seconds, trials = None, min(stored, trials)
    return network_information(
        problem(cell.activation, cell.depth),
        cell.n / cell.d,
        d=cell.d,
        trials=trials,
        control_trials=scale.control_trials,
        seed=seed,
        seconds=seconds,
        checkpoint=path,
        progress=progress,
    ).isel(alpha=0, drop=True)


def _gather(
    found: dict[Cell, xr.Dataset | None], cells: dict[tuple[Any, ...], Cell], coordinates: dict[str, tuple[Any, ...]], call: dict[str, Any]
) -> xr.Dataset:
    """One Dataset of the cells' means, with powers fitted over d (the last dimension), and its provenance."""
    dims, shape = tuple(coordinates), tuple(len(values) for values in coordinates.values())
    values = {name: np.full(shape, np.nan) for name in KEPT}
    known = {cell: one for cell, one in found.items() if one is not None}
    for place in np.ndindex(shape):
        one = known.get(cells[tuple(axis[i] for axis, i in zip(coordinates.values(), place, strict=True))])
        if one is not None and float(one["trials"]) >= LEAST_TRIALS:
            for name in KEPT:
                values[name][place] = float(one[name])
    variables: dict[str, tuple[tuple[str, ...], Any]] = {name: (dims, value) for name, value in values.items()}
    sizes = np.array(coordinates["d"], dtype=float)
    for name in OBSERVED:
        parts: dict[str, FloatArray] = {part: np.full(shape[:-1], np.nan) for part in PowerFit._fields}
        for place in np.ndindex(shape[:-1]):
            fit = fit_power(sizes, values[f"{name}_deviation"][place], values[f"{name}_deviation_stderr"][place], seed=call["seed"])
            for part, value in fit._asdict().items():
                parts[part][place] = value
        variables |= {f"{name}_{part}": (dims[:-1], value) for part, value in parts.items()}
    machines = sorted({name for one in known.values() for name in one.attrs["made_with"].split("; ")})
    attributes = provenance(problem("tanh(2x)", 1), "reproduce", {"paper": KEY} | call)
    attributes |= {"source": "simulation", "paper": KEY, "made_with": "; ".join(machines)}
    out = dataset(variables, {name: np.array(axis) for name, axis in coordinates.items()}, attributes, {})
    first = next(iter(known.values()))
    for name in KEPT:
        out[name].attrs = dict(first[name].attrs)
    return out


def grid_cells(scale: Scale) -> dict[tuple[Any, ...], Cell]:
    """The cells at n = alpha d, by (activation, depth, alpha, d); small sizes first, so that an interruption leaves whole rows."""
    keys = ((a, depth, alpha, d) for a in ACTIVATIONS for depth in scale.depths for alpha in scale.alphas for d in scale.sizes)
    ordered = sorted(keys, key=lambda key: (key[3], key[1] * key[2]))
    return {(a, depth, alpha, d): Cell(a, depth, d, max(1, round(alpha * d))) for a, depth, alpha, d in ordered}


def beyond_cells(scale: Scale) -> dict[tuple[Any, ...], Cell]:
    """The cells at n = d^power, one layer of tanh(2x), by (power, d)."""
    ordered = sorted(((power, d) for power in (1.0, *scale.powers) for d in scale.beyond_sizes), key=lambda key: key[1] ** key[0])
    return {(power, d): Cell("tanh(2x)", 1, d, round(d**power)) for power, d in ordered}


def linear_cell(scale: Scale) -> Cell:
    """A linear target, which is its own equivalent."""
    return Cell("tanh(2x)", 0, scale.sizes[0], scale.sizes[0])


def measure_grid(scale: Scale, seed: int, folder: Path | None = None, hours: float | None = None, progress: bool | None = None) -> Data:
    """Every activation, depth, alpha and size, and a linear target."""
    cells = grid_cells(scale)
    found = _measure(list(cells.values()), scale, seed, folder, hours, progress)
    spare = 0.0 if hours == 0 else None if hours is None else 120.0
    linear = measure_cell(linear_cell(scale), scale, seed, folder, spare, progress)
    axes = {"activation": tuple(ACTIVATIONS), "depth": scale.depths, "alpha": scale.alphas, "d": scale.sizes}
    return {"grid": _gather(found, cells, axes, {"seed": seed, "hours": hours})} | ({} if linear is None else {"linear": linear})


def measure_beyond(scale: Scale, seed: int, folder: Path | None = None, hours: float | None = None, progress: bool | None = None) -> Data:
    """One layer of tanh(2x) at n = d^power."""
    cells = beyond_cells(scale)
    found = _measure(list(cells.values()), scale, seed, folder, hours, progress)
    axes = {"power": (1.0, *scale.powers), "d": scale.beyond_sizes}
    return {"beyond": _gather(found, cells, axes, {"seed": seed, "hours": hours})}


def _measure(
    cells: list[Cell], scale: Scale, seed: int, folder: Path | None, hours: float | None, progress: bool | None
) -> dict[Cell, xr.Dataset | None]:
    budget = Budget(hours, {cell: scale.seconds(cell) for cell in cells})
    found = {cell: measure_cell(cell, scale, seed, folder, budget.take(cell), progress) for cell in cells}
    if all(one is None for one in found.values()):
        raise fail("output", f"a folder with at least {LEAST_TRIALS} networks of a cell where hours=0", str(folder))
    return found


def _deviations(ax: Axes, part: xr.Dataset, name: str, style: Style) -> None:
    """|deviation| against d with standard errors, joined where the sign stays; points that zero explains (2 standard errors) are hollow."""
    d, value, error = (np.asarray(part[key], dtype=float) for key in ("d", f"{name}_deviation", f"{name}_deviation_stderr"))
    size, clear = np.abs(value), np.abs(value) > 2 * error
    low = np.minimum(error, 0.8 * size)  # on a logarithmic axis the bar must end above zero
    kind: dict[str, Any] = {"marker": style.marker, "color": style.color, "ms": style.size, "lw": 1.1, "capsize": 2}
    joined = style.line if np.unique(np.sign(value[clear])).size == 1 else "none"
    ax.errorbar(d[clear], size[clear], [low[clear], error[clear]], ls=joined, **kind)
    ax.errorbar(d[~clear], size[~clear], [low[~clear], error[~clear]], ls="none", mfc="white", **kind)


def _scales(ax: Axes, d: FloatArray) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator

    ax.set(xscale="log", yscale="log", xticks=d, xticklabels=[f"{v:g}" for v in d])
    ax.minorticks_off()
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))


def _guide(ax: Axes, d: FloatArray, top: float, power: float, words: str) -> None:
    ax.plot(d, top * (d / d[0]) ** power, color="0.6", lw=1, ls=":")
    at = (d[-1], top * (d[-1] / d[0]) ** power)
    ax.annotate(words, at, (0, 12), textcoords="offset points", color="0.45", fontsize=8, ha="right", va="bottom")


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
        size, error = (np.abs(grid[f"{name}_deviation{part}"].values) for part in ("", "_stderr"))
        top, floor = float(np.nanmax(size[..., 0])), 0.4 * float(np.nanmin(np.where(size > 2 * error, size, np.nan), initial=1.0))
        for ax, alpha in zip(axes[row], grid["alpha"].values, strict=True):
            for depth, activation, style in styles:
                _deviations(ax, grid.sel(alpha=alpha, depth=depth, activation=activation), name, style)
            _guide(ax, d, 1.6 * top, -0.5, r"$d^{-1/2}$ (bound)" if name == "information" else r"$d^{-1/2}$")
            _guide(ax, d, 1.6 * top, -1.0, r"$d^{-1}$")
            _scales(ax, d)
            if row == 0:
                ax.set_title(rf"$n = {alpha:g}\,d$", fontsize=10)
        axes[row][0].set(ylabel=f"|network - equivalent|,\n{_WORDS[name]}", ylim=(floor, 2 * top))
    for ax in axes[1]:
        ax.set_xlabel("input dimension and widths, $d$")
    legend(figure, [style for *_, style in styles], fontsize=9, loc="outside lower center", ncols=grid.sizes["alpha"])
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
        _scales(ax, d)
        ax.set(xlabel="input dimension and width, $d$", ylabel=f"|network - equivalent|,\n{_WORDS[name]}")
    axes[0].set_title("one layer of tanh(2x); dotted: shape of the theorem's bound", fontsize=9)
    legend(axes[1], styles)
    return figure


def _formula_checks() -> list[Check]:
    """Closed forms of the limit against independent computations."""
    checks = []
    e = problem("tanh(2x)", 2).equivalent()
    for alpha, value in ((0.5, 0.175294), (1.0, 0.319610), (3.0, 0.698469)):
        found = float(information_curve(e, np.array([alpha]))["mutual_information"][0])
        source = "independent solution, 6 digits (log-determinants at d = 800: 0.17526, 0.31977, 0.69876)"
        checks.append(Check(f"I(theta; D)/d, L = 2, alpha = {alpha:g}", value, found, 1e-6, source))
    for depth, value in ((1, 0.72267), (2, 0.61112)):
        erf = Problem(DeepNetwork("erf", depth=depth, noise=0.1)).equivalent()
        found = float(information_curve(erf, np.ones(1))["mutual_information_per_sample"][0])
        checks.append(Check(f"I(theta, xi; D)/n, erf, L = {depth}, alpha = 1", value, found, 1e-5, "independent solution, 5 digits"))
    return checks


def _check_grid(data: Data) -> list[Check]:
    checks = _formula_checks()
    if "linear" not in data:
        return checks
    linear = data["linear"]
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
