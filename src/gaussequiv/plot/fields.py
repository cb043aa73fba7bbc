"""Figure of `diagnose`: quantiles of fields beside those of the normal law, and their distances to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv.errors import fail
from gaussequiv.results import check_result

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

STANDS_OUT = 5  # deviations of the noise, as in the verdict


def diagnosis(result: xr.Dataset, axes: Sequence[Axes] | None = None) -> tuple[Axes, Axes]:
    """Draw `diagnose`: left the quantiles of every field against normal ones, right its distance to the normal law beside the noise.

    Parameters
    ----------
    result : Dataset
    axes : two Axes, optional
        By default those of a new figure that belongs to no window.

    Raises
    ------
    ArgumentError : no result of `diagnose`, or not two axes.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> found = ge.diagnose(ge.RandomGenerator("sign"), weights=["random", "coordinate"], N=100, samples=10_000)
    >>> left, right = ge.plot.diagnosis(found)
    >>> right.get_ylabel()
    'distance to the normal law'
    """
    check_result(result, "ks", "diagnose")
    dim = str(result["ks"].dims[0])
    if result["ks"].ndim != 2:
        raise fail("result", "one diagnosis: select one of the parameters swept over", dict(result["ks"].sizes))
    left, right = _pair(axes)
    names = result[dim].values
    along = dim == "time"
    normal = result["normal"].values
    left.plot(normal, normal, color="0.6", lw=5, alpha=0.5, solid_capstyle="butt", label="normal law")
    for i, name in enumerate(names):
        colour = _colour(i, len(names), along)
        label = f"{dim} {name:g}" if isinstance(name, np.number) else str(name)
        for k, quantiles in enumerate(result["quantile"].values[i]):
            left.plot(normal, quantiles, color=colour, lw=1.2, label=label if k == 0 else None)
    left.set(xlabel="quantile of the normal law", ylabel="quantile of the standardised field")
    left.legend(frameon=False, fontsize=9)
    _distances(right, result, names if along else np.arange(len(names)), along)
    if not along:
        right.set_xticks(np.arange(len(names)), [str(name) for name in names])
        right.set_xlim(-0.6, len(names) - 0.4)
    right.set_xlabel(str(result[dim].attrs["long_name"]))
    verdict = str(result.attrs["verdict"])
    right.set_title(verdict if len(set(result["verdict"].values.tolist())) == 1 else f"worst: {verdict}", fontsize=10)
    return left, right


def _distances(ax: Axes, result: xr.Dataset, places: Any, along: bool) -> None:
    """One marker for each unit; below the upper end of the band nothing stands out of the noise."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    floor, spread = float(result["ks_noise"]), float(result["ks_noise_spread"])
    ax.axhspan(max(floor - 2 * spread, 0.3 * floor), floor + STANDS_OUT * spread, color="0.9", zorder=0, label="sampling noise")
    ax.axhline(floor, color="0.6", lw=1, zorder=1)
    ax.axhline(float(result.attrs["largest_ks"]) + floor + STANDS_OUT * spread, color="0.3", lw=1, ls=":", label="called large above")
    ks = result["ks"].values
    units = ks.shape[1]
    beside = np.zeros(units) if along or units == 1 else np.linspace(-0.15, 0.15, units)
    for i, place in enumerate(places):
        ax.plot(place + beside, ks[i], "o", ms=5, mec="white", mew=0.6, color=_colour(i, len(places), along))
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())
    low, high = ax.get_ylim()
    ax.set_ylim(low, high * 2)  # room for the legend
    ax.set_ylabel("distance to the normal law")
    ax.legend(frameon=False, fontsize=9, loc="upper left")


def _colour(i: int, count: int, along: bool) -> Any:
    """Of a sequence in time; of families, one each."""
    if not along:
        return f"C{i % 10}"
    from matplotlib import colormaps

    return colormaps["viridis"](0.85 * i / max(count - 1, 1))


def _pair(axes: Any) -> tuple[Axes, Axes]:
    if axes is None:
        from matplotlib.figure import Figure

        axes = Figure(figsize=(9.6, 4.2), layout="constrained").subplots(1, 2)
    if len(axes) != 2:
        raise fail("axes", "two Axes", axes)
    return axes[0], axes[1]
