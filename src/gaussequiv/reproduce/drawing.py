"""How figures of papers are drawn: theory as lines, simulation as markers with error bars, unconverged points hollow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Canvas = Figure
else:
    Canvas = object  # the name for annotations; Matplotlib loads when something is drawn

ALPHA = r"samples per input dimension, $\alpha = n/d$"
BAND = "_"  # the marker of a spread between instances


@dataclass(frozen=True)
class Style:
    """How one curve looks and what the legend calls it."""

    label: str
    color: str
    marker: str = ""
    line: Any = "-"
    width: float = 1.8
    size: float = 5.5


def canvas(width: float = 6.4, height: float = 4.6, columns: int = 1) -> tuple[Canvas, Any]:
    """A figure that belongs to no window, and its axes.

    Examples
    --------
    >>> figure, axes = canvas(8.0, 4.0, columns=2)
    >>> len(axes)
    2
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(1, columns)


def line(ax: Axes, part: xr.Dataset, style: Style, observable: str = "test_error") -> None:
    """One theory curve (a Dataset with dimension alpha); unconverged points are hollow circles off the line."""
    x, y, ok = part["alpha"].values, part[observable].values, np.asarray(part["converged"].values, dtype=bool)
    ax.plot(x, np.where(ok, y, np.nan), color=style.color, ls=style.line, lw=style.width)
    ax.plot(x[~ok], y[~ok], "o", mfc="none", mec=style.color, ms=style.size)


def markers(ax: Axes, part: xr.Dataset, style: Style) -> None:
    """One simulated curve of a `compare` (dimensions source, alpha): means with standard errors."""
    simulated = part.sel(source="simulation")
    ok = np.asarray(part["converged"].values, dtype=bool)
    error_bars(ax, part["alpha"].values, simulated["test_error"].values, simulated["test_error_stderr"].values, style, ok)


def error_bars(ax: Axes, x: Any, mean: Any, stderr: Any, style: Style, ok: Any = None) -> None:
    """Markers with error bars, hollow where not `ok`."""
    ok = np.ones(len(x), dtype=bool) if ok is None else ok
    kind: dict[str, Any] = {"ms": style.size, "color": style.color, "capsize": 2.0, "elinewidth": 1.0, "mec": "white", "mew": 0.5}
    ax.errorbar(x[ok], mean[ok], stderr[ok], fmt=style.marker, zorder=3, **kind)
    ax.errorbar(x[~ok], mean[~ok], stderr[~ok], fmt=style.marker, zorder=3, **(kind | {"mfc": "none", "mec": style.color}))


def legend(owner: Axes | Figure, styles: Iterable[Style], **options: Any) -> None:
    """A legend of axes or of a whole figure, in which a curve's line and its marker stand together."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = []
    for style in styles:
        if style.marker == BAND:
            handles.append(Patch(facecolor=style.color, alpha=0.35, label=style.label))
            continue
        kind: dict[str, Any] = {"marker": style.marker or "none", "ms": style.size, "mec": "white", "mew": 0.5}
        handles.append(Line2D([], [], color=style.color, ls=style.line, lw=style.width, label=style.label, **kind))
    owner.legend(handles=handles, frameon=False, **options)


def band(ax: Axes, drawn: xr.Dataset, style: Style, observable: str = "test_error") -> None:
    """Mean and two standard deviations of curves of single instances (dimensions instance, alpha), as wide bars beneath the markers."""
    values = drawn[observable].values
    mean, spread = values.mean(axis=0), values.std(axis=0, ddof=1)
    kind: dict[str, Any] = {"ms": 9, "mew": 1.5, "color": style.color, "elinewidth": 7, "alpha": 0.35, "capsize": 0}
    ax.errorbar(drawn["alpha"].values, mean, 2 * spread, fmt=BAND, zorder=1, **kind)


def printed(ax: Axes, x: Any, y: Any, style: Style) -> None:
    """Numbers from the paper or its code."""
    ax.plot(x, y, style.marker, color=style.color, ms=style.size, mec="white", mew=0.5, zorder=4)
