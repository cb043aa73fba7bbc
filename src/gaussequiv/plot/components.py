"""Which curves an observable has: one colour for each component, one marker for each kind of data, and the axis that they lie along."""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gaussequiv.errors import fail

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

OWN_DIMS = ("trial", "source")
MARKERS = "osD^vP"
NUMBER = re.compile(r"\d+\.\d{5,}(e[+-]?\d+)?")  # penalties in labels carry every digit
NAMED = 6  # components of a continuous coordinate that the legend names
FEW_COLOURS, MORE_COLOURS = 10, 20
DECADE = 10.0  # range of points, and of their steps, from which they may be log-spaced


class Component(NamedTuple):
    """One curve: what selects it, its label ("": none), colour and width."""

    pick: dict[str, Any]
    label: str
    color: Any
    width: float


def axis_of(result: xr.Dataset) -> str:
    """What a result's curves run along; files of release 0.1.0 know only alpha."""
    return str(result.attrs.get("axis", "alpha"))


def data_kinds(result: xr.Dataset, name: str) -> list[tuple[dict[str, Any], str, str]]:
    """(what selects it, its name, its marker) of each kind of data that trials learn from; one without a name where there is no choice."""
    if "data" not in result[name].dims:
        return [({}, "", "")]
    return [({"data": value}, str(value), MARKERS[i % len(MARKERS)]) for i, value in enumerate(result["data"].values)]


def components(result: xr.Dataset, name: str) -> list[Component]:
    """Curves of an observable: each combination of the dims other than the axis, trials, sources and kinds of data.

    A symmetric matrix has each pair once. Curves that may coincide stay visible: the first is the widest and lies lowest.
    """
    variable = result[name]
    known = {str(dim) for dim in result["converged"].dims} if "converged" in result else set()
    dims = [str(dim) for dim in variable.dims if dim not in (*OWN_DIMS, "data", axis_of(result))]
    inner = [dim for dim in dims if dim not in known]
    outer = [dim for dim in dims if dim in known]
    whole = all(np.issubdtype(result[dim].dtype, np.integer) for dim in inner)
    symmetric = len(inner) == 2 and inner[1] == f"other_{inner[0]}"
    found = []
    for values in product(*(result[dim].values for dim in (*outer, *inner))):
        head, tail = values[: len(outer)], values[len(outer) :]
        if symmetric and tail[0] > tail[1]:
            continue
        words = [word(dim, value) for dim, value in zip(outer, head, strict=True)]
        if inner and whole:
            index = "".join(map(str, tail)) if max(tail) < 10 else ",".join(map(str, tail))
            words.append(f"${name}_{{{index}}}$" if len(name) == 1 else f"{name} {index}")
        else:
            words += [word(dim, value) for dim, value in zip(inner, tail, strict=True) if result.sizes[dim] > 1]
        found.append((dict(zip((*outer, *inner), values, strict=True)), ", ".join(words)))
    count, many = len(found), bool(inner) and not whole and len(found) > NAMED
    shown = set(np.linspace(0, count - 1, NAMED).round().astype(int).tolist()) if many else set(range(count))
    wide = 0.0 if inner or count > len(MARKERS) else 1.4
    return [
        Component(pick, label if i in shown else "", colour(i, count, many), 1.4 + wide * (count - 1 - i))
        for i, (pick, label) in enumerate(found)
    ]


def colour(i: int, count: int, ordered: bool = False) -> Any:
    """A colour of its own for each of `count` components."""
    if count <= FEW_COLOURS and not ordered:
        return f"C{i}"
    from matplotlib import colormaps

    return colormaps["tab20"](i) if count <= MORE_COLOURS and not ordered else colormaps["viridis"](0.92 * i / (count - 1))


def word(dim: str, value: Any) -> str:
    """A value of a dim in a legend."""
    if dim == "learner":
        return NUMBER.sub(lambda digits: f"{float(digits.group()):.4g}", str(value))
    return f"{dim}={value:.4g}" if isinstance(value, (float, int, np.number)) else str(value)


def log_spaced(points: Any) -> bool:
    """Three positive points or more over a decade, whose steps are alike in the logarithm and not in themselves."""
    points = np.sort(np.asarray(points, dtype=float))
    if points.size < 3 or points[0] <= 0 or points[-1] < DECADE * points[0]:
        return False
    steps, ratios = np.diff(points), np.diff(np.log(points))
    if steps.min() <= 0:
        return False
    spread = steps.max() / steps.min()
    return bool(spread > 0.9 * DECADE and ratios.max() / ratios.min() < np.sqrt(spread))


def place_axis(ax: Axes, result: xr.Dataset, log: bool | None) -> None:
    """Label of the horizontal axis, and its scale: None: logarithmic where the points are log-spaced.

    Raises
    ------
    ArgumentError : a logarithmic axis of points that are not positive.
    """
    axis = axis_of(result)
    points = result[axis].values
    ax.set_xlabel(str(result[axis].attrs.get("long_name", axis)))
    if log is None:
        log = log_spaced(points)
    if log and np.any(points <= 0):
        raise fail("log", f"False, or the points of `{axis}` positive, e.g. result.sel({axis}=slice(0.1, None))", log)
    if log:
        log_scale(ax)


def log_scale(ax: Axes) -> None:
    """Logarithmic, with ticks at 1, 2 and 5, or at powers of ten over more than two decades."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    ax.set_xscale("log")
    low, high = ax.get_xlim()
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 60 * low else (1,)))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
