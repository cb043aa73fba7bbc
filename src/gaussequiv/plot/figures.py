"""Figures from results: theory as lines, simulation as markers with error bars, unconverged points hollow."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv.errors import fail
from gaussequiv.plot.components import MARKERS, axis_of, components, data_kinds, log_scale, place_axis
from gaussequiv.results import check_result

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

    from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent

FEW_ENTRIES = 8  # of a legend inside the axes
WIDEST = 60  # letters of a line of a label


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=(6.4, 4.4), layout="constrained").subplots()


def _label(result: xr.Dataset, name: str) -> str:
    words = str(result[name].attrs.get("long_name", name)).removesuffix(", mean over trials")
    if name.endswith("error"):
        kind = "misclassification" if result.attrs.get("task") == "classification" else "mean squared"
        return f"{words} ({kind})"
    return words


def curve(
    result: xr.Dataset,
    ax: Axes | None = None,
    *,
    observable: str | None = None,
    lines: bool = True,
    labels: bool = True,
    log: bool | None = None,
) -> Axes:
    """Curves of a result of `solve`, `simulate`, `compare`, `track` or `sweep` along the problem's axis.

    Theory is a line, simulation markers with error bars; every component of an observable (Q, R) has a colour, every kind of `data` that
    trials learn from a marker. What does not lie along the axis (T) is drawn as levels.

    Parameters
    ----------
    result : Dataset
    ax : Axes, optional
        Where to draw; by default a new figure that belongs to no window (``ax.figure.savefig("curve.png")``).
    observable : str, optional
        A variable of the result; by default the one that comparisons judge (`test_error`).
    lines : bool
        Draw the theory. With False only the simulation of a comparison is drawn, for instance over a finer `solve` of the same problem.
    labels : bool
        Name the curves in a legend.
    log : bool, optional
        Logarithmic axis; by default where the points are log-spaced.

    Raises
    ------
    ArgumentError : an observable that the result does not have, or that is no number; a logarithmic axis of points that are not positive.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> axes = ge.plot.curve(ge.solve(ge.Problem(), alpha=[1.0, 2.0, 4.0]))
    >>> axes.get_xlabel()
    'samples per input dimension n/d'
    """
    check_result(result)
    observable = observable if observable is not None else str(result.attrs.get("judged", "test_error"))
    numbers = [str(name) for name, one in result.data_vars.items() if one.dtype.kind in "fiub"]
    if observable not in numbers:
        raise fail("observable", f"one of {', '.join(sorted(numbers))}", observable)
    ax = _axes(ax)
    axis = axis_of(result)
    if axis in result[observable].dims:
        _draw_curves(ax, result, observable, lines)
    else:
        ax.set_xlim(*sorted((result[axis].values.min(), result[axis].values.max())))
        for one in components(result, observable):
            for level in np.unique(result[observable].sel(one.pick).values):
                ax.axhline(level, color=one.color, label=one.label or None)
    place_axis(ax, result, log)
    ax.set_ylabel(fill(_label(result, observable), WIDEST))
    if labels:
        _legend(ax)
    return ax


def _draw_curves(ax: Axes, result: xr.Dataset, observable: str, lines: bool) -> None:
    both = "source" in result[observable].dims
    simulated = both or ("source" not in result.dims and result.attrs.get("source") == "simulation")
    theory = lines and (both or not simulated)
    kinds = data_kinds(result, observable)
    styles = dict.fromkeys((name for _, name, _ in kinds), "-")
    if not simulated:  # of z and other numbers of a comparison
        styles = {name: ("-", "--", ":")[j % 3] for j, name in enumerate(styles)}
    for i, one in enumerate(components(result, observable)):
        drawn: list[Any] = []
        for kind, name, marker in kinds:
            part = result.sel(one.pick | kind)
            points, ok = part[axis_of(result)].values, _solved(part)
            if theory:
                values = (part.sel(source="theory") if both else part)[observable].values
                if not any(np.array_equal(values, other, equal_nan=True) for other in drawn):  # the theory of several data is one
                    text = one.label if simulated else ", ".join(filter(None, (one.label, name)))
                    style: dict[str, Any] = {"color": one.color, "lw": one.width, "ls": styles[name]}
                    ax.plot(points, np.where(ok, values, np.nan), label=text if text and not (drawn and simulated) else None, **style)
                    if not both:
                        ax.plot(points[~ok], values[~ok], "o", mfc="none", mec=one.color)
                drawn.append(values)
            if simulated:
                mean, stderr = _simulated(part, observable, both)
                text = one.label if not theory and (not name or kind == kinds[0][0]) else ""
                shape, size = marker or MARKERS[i % len(MARKERS)], 3.1 + one.width
                ax.errorbar(points[ok], mean[ok], stderr[ok], label=text or None, fmt=shape, ms=size, capsize=2, color=one.color, lw=1)
                ax.plot(points[~ok], mean[~ok], shape, ms=size, mfc="none", mec=one.color)
    for _, name, marker in kinds:
        if simulated and name:
            ax.plot([], [], marker, color="0.35", ms=4.5, label=f"SGD, {name}")


def _solved(part: xr.Dataset) -> Any:
    """Whether each point converged, in all trials that are in the mean."""
    ok = np.asarray(part["converged"].values)
    return np.all(ok | _left_out(part), axis=-1) if ok.ndim > 1 else ok


def _legend(ax: Axes) -> None:
    """Inside the axes while it is short, else beside them."""
    handles, _ = ax.get_legend_handles_labels()
    if len(handles) > FEW_ENTRIES:
        ax.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0), ncols=1 + (len(handles) - 1) // 16)
    elif handles:
        ax.legend(frameon=False)


def _left_out(part: xr.Dataset) -> Any:
    """Trials that are not in the mean, because their training set has a single class."""
    status = part["status"]
    meanings = str(status.attrs.get("flag_meanings", "")).split()
    return status.values == meanings.index("single_class") if "single_class" in meanings else np.zeros(status.shape, dtype=bool)


def _simulated(part: xr.Dataset, observable: str, both: bool) -> tuple[Any, Any]:
    if both:
        one = part.sel(source="simulation")
        return one[observable].values, one[f"{observable}_stderr"].values
    if f"{observable}_mean" not in part:
        raise fail("observable", "one that the simulation averages over trials", observable)
    return part[f"{observable}_mean"].values, part[f"{observable}_stderr"].values


def layers(equivalent: GaussianEquivalent, ax: Axes | None = None) -> Axes:
    """Signal and noise through depth: the variance of S split into linear signal, each layer's noise, offset and label noise.

    Bar l is the network cut after layer l: what a linear student could learn from it, what each layer up to l turned into noise, and
    the constant part, all in units of that layer's output variance.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> axes = ge.plot.layers(ge.Problem(target=ge.DeepNetwork("relu", depth=3)).equivalent())
    >>> axes.get_xlabel()
    'hidden layer'
    """
    if not equivalent.layers:
        raise fail("equivalent", "one with hidden layers", "a linear target")
    ax = _axes(ax)
    shares = _shares(equivalent)
    positions = np.arange(1, len(equivalent.layers) + 1)
    bottom = np.zeros(len(positions))
    depth = len(positions)
    names = ["linear signal", *(f"noise of layer {i}" for i in range(1, depth + 1)), "offset"]
    for k, name in enumerate(names):
        if not np.any(shares[:, k] > 0):
            continue
        shade = "C0" if k == 0 else "0.55" if k == depth + 1 else (0.85, 0.25 + 0.6 * (k - 1) / max(depth, 2), 0.15)
        shown = name if depth <= 6 or k in (0, 1, depth, depth + 1) else None
        ax.bar(positions, shares[:, k], bottom=bottom, color=shade, edgecolor="white", lw=0.6, width=0.75, label=shown)
        bottom += shares[:, k]
    ax.set_xticks(positions if depth <= 12 else positions[:: depth // 8])
    ax.set_xlabel("hidden layer")
    ax.set_ylabel("share of the output variance after the layer")
    ax.set_ylim(0, 1)
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return ax


def _shares(equivalent: GaussianEquivalent) -> Any:
    """Rows: the network cut after each layer. Columns: signal, noise of layers 1..depth, offset; each row sums to 1."""
    depth = len(equivalent.layers)
    mean = float(equivalent.weights @ equivalent.eigenvalues)
    shares = np.zeros((depth, depth + 2))
    noise = np.zeros(depth)
    for i, layer in enumerate(equivalent.layers):
        noise *= layer.gain
        noise[i] = layer.created
        shares[i, 0], shares[i, 1 : depth + 1] = layer.signal * mean / layer.second, noise / layer.second
        shares[i, depth + 1] = max(1 - shares[i].sum(), 0.0)
    return shares


def information(result: xr.Dataset, ax: Axes | None = None, *, log: bool = False) -> Axes:
    """Information and entropies per sample of a result of `information`, against alpha.

    The information on the weights and the label entropy fall from their values at no data; what labels tell about the
    nonlinear parts does not depend on alpha. Infinite ones (real labels without noise) are left out.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> from gaussequiv.run.information import information as verb
    >>> axes = information(verb(ge.Problem(ge.DeepNetwork("tanh", noise=0.2)), alpha=[0.5, 1.0, 2.0]))
    >>> axes.get_ylabel()
    'nats per sample'
    """
    check_result(result, "mutual_information", "information")
    ax = _axes(ax)
    alpha, ok = result["alpha"].values, result["converged"].values
    weights = result["mutual_information"].values / alpha
    lines = {
        "information, all parameters": result["mutual_information_per_sample"].values,
        "information, weights": weights,
        "information, nonlinear parts given weights": result["conditional_information"].values,
        "entropy of the labels": result["label_entropy"].values,
        "entropy of the next label": result["predictive_entropy"].values,
        "entropy of the label noise": result["label_noise_entropy"].values,
    }
    for i, (label, values) in enumerate(lines.items()):
        if np.any(np.isfinite(values)):
            ax.plot(alpha, np.where(ok & np.isfinite(values), values, np.nan), color=f"C{i % 3}", ls="-" if i < 3 else "--", label=label)
    if log:
        log_scale(ax)
    ax.set_xlabel(str(result["alpha"].attrs.get("long_name", "alpha")))
    ax.set_ylabel("nats per sample")
    ax.legend(frameon=False, ncols=2, fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.14))
    return ax


def residuals(result: xr.Dataset, ax: Axes | None = None, *, log: bool | None = None) -> Axes:
    """z-scores of a comparison along the problem's axis, with the band of 4 standard errors; `log` as in `curve`.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> both = ge.compare(ge.Problem(target=ge.DeepNetwork("erf")), alpha=[1.0, 2.0], d=20, trials=3)
    >>> ge.plot.residuals(both).get_ylabel()
    '(simulation - theory)/standard error'
    """
    check_result(result, "z", "compare")
    ax = _axes(ax)
    ax.axhspan(-4, 4, color="0.93", zorder=0)
    ax.axhline(0, color="0.5", lw=0.8)
    kinds, curves = data_kinds(result, "z"), components(result, "z")
    for i, one in enumerate(curves):
        for j, (kind, name, shape) in enumerate(kinds):
            part = result.sel(one.pick | kind)
            ok = _solved(part)
            marker, color = shape or MARKERS[i % len(MARKERS)], one.color if len(curves) > 1 else f"C{j}"
            points, z = part[axis_of(result)].values, part["z"].values
            ax.plot(points[ok], z[ok], marker, color=color, label=", ".join(filter(None, (one.label, name))) or None)
            ax.plot(points[~ok], z[~ok], marker, mfc="none", mec=color)
    place_axis(ax, result, log)
    ax.set_ylabel(str(result["z"].attrs.get("long_name", "z")))
    verdict = result.attrs.get("verdict")
    if verdict:
        ax.set_title(f"{verdict}: {result.attrs['reason']}", fontsize=9, wrap=True)
    _legend(ax)
    return ax


def branches(result: xr.Dataset, ax: Axes | None = None, *, observable: str = "overlap") -> Axes:
    """Draw every branch of `fixed_points`: equilibrium solid, other stable branches dashed, unstable ones dotted.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> found = ge.fixed_points(ge.Problem(ge.LinearTarget("rademacher", labels="sign")), [1.0, 1.3, 1.6])
    >>> branches(found).get_ylabel()
    "overlap with the target's linear part"
    """
    check_result(result, "equilibrium", "fixed_points")
    ax = _axes(ax)
    alpha = result["alpha"].values
    equilibrium = result["equilibrium"].values
    best = np.array([float(result[observable].sel(branch=kind).values[i]) for i, kind in enumerate(equilibrium)])
    jumps = np.flatnonzero(equilibrium[1:] != equilibrium[:-1]) + 1
    styles = {"uninformed": ("--", "C0"), "middle": ("--", "C2"), "informed": ("--", "C1"), "unstable": (":", "0.4")}
    for kind in result["branch"].values:
        style, colour = styles[str(kind)]
        ax.plot(alpha, result[observable].sel(branch=kind).values, style, color=colour, label=kind)
    for k, part in enumerate(np.split(np.arange(alpha.size), jumps)):
        mark = "o" if part.size == 1 else ""  # a line of one point would not be seen
        ax.plot(alpha[part], best[part], marker=mark, ms=4, color="black", lw=2, label="equilibrium" if k == 0 else None)
    ax.set(xlabel=r"samples per dimension, $\alpha = n/d$", ylabel=_label(result, observable))
    ax.legend(frameon=False)
    return ax


def phase_diagram(result: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw `phase_diagram`: the phases as colours, the thresholds as lines.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> problem = ge.Problem(ge.LinearTarget("gauss-bernoulli:0.1", noise=1e-6))
    >>> found = ge.phase_diagram(problem, {"prior": ["gauss-bernoulli:0.1", "gauss-bernoulli:0.2"]}, [0.1, 0.3, 0.9])
    >>> phase_diagram(found).get_ylabel()
    'prior'
    """
    check_result(result, "phase", "phase_diagram")
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    ax = _axes(ax)
    name = str(next(dim for dim in result["phase"].dims if dim != "alpha"))
    values = result[name].values
    numeric = np.issubdtype(values.dtype, np.number)
    y = values.astype(float) if numeric else np.arange(values.size, dtype=float)
    names = result["phase"].attrs["flag_meanings"].split()
    colours = ["#c9cdd3", "#e8a33d", "#8cc084", "#c5d9ee", "#e6f1e4"]
    ax.pcolormesh(result["alpha"].values, y, result["phase"].values, cmap=ListedColormap(colours), vmin=-0.5, vmax=4.5, shading="nearest")
    words = {
        "weak_recovery": ("weak recovery", "C3", "-."),
        "informed": ("informed spinodal", "0.4", ":"),
        "information_theoretic": ("information-theoretic", "black", "-"),
        "algorithmic": ("algorithmic", "black", "--"),
    }
    lines = []
    for key, (label, colour, style) in words.items():
        if np.any(np.nan_to_num(result[key].values) > 0):
            lines += ax.plot(np.where(result[key].values > 0, result[key].values, np.nan), y, color=colour, ls=style, label=label)
    present = [int(k) for k in np.unique(result["phase"].values[np.isfinite(result["phase"].values)])]
    patches = [Patch(color=colours[k], label=names[k]) for k in present]
    ax.legend(handles=[*patches, *lines], fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    alpha = result["alpha"].values
    ax.set(xlabel=r"samples per dimension, $\alpha = n/d$", ylabel=name, xlim=(alpha.min(), alpha.max()))
    if not numeric:
        ax.set_yticks(y, [str(v) for v in values])
    elif np.all(values > 0) and values.max() > 50 * values.min():
        ax.set_yscale("log")
    return ax


def steps(result: xr.Dataset, ax: Axes | None = None, *, observable: str = "test_error") -> Axes:
    """Draw `track`: state evolution as a line, message passing as markers with error bars, by step.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> run = ge.track(ge.Problem(ge.DeepNetwork("tanh", noise=0.1)), 2.0, d=30, trials=3, steps=3)
    >>> steps(run).get_xlabel()
    'passes over the data'
    """
    check_result(result, "step", "track")
    ax = _axes(ax)
    theory, run = (result[observable].sel(source=side).values for side in ("theory", "simulation"))
    spread = result[f"{observable}_stderr"].sel(source="simulation").values
    step = result["step"].values
    ax.plot(step, theory, color="C0", label="state evolution")
    ax.errorbar(step, run, yerr=spread, fmt="o", color="C0", mfc="white", capsize=2, label=f"message passing, $d = {result.attrs['d']}$")
    ax.set(xlabel="passes over the data", ylabel=_label(result, observable))
    ax.legend(frameon=False)
    return ax
