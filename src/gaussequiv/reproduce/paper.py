"""What a reproduced paper is: figures that are computed, drawn, and checked against published numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv.errors import choice

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

Data = dict[str, "xr.Dataset"]


@dataclass(frozen=True)
class Check:
    """One reference number beside this package's.

    Parameters
    ----------
    name : str
        What the number is, with its alpha and lam.
    reference, computed : float
    tolerance : float
        Largest |computed - reference| that agrees: the rounding of a printed number, or the fluctuation of a random instance.
    source : str
        Where the number was printed, and what the tolerance is.

    Examples
    --------
    >>> check = Check("lam*", 0.3728, 0.37278945, 5e-5, "printed with four digits")
    >>> check.agrees, f"{check.deviation:.1e}"
    (True, '1.1e-05')
    """

    name: str
    reference: float
    computed: float
    tolerance: float
    source: str

    @property
    def deviation(self) -> float:
        """|computed - reference|."""
        return abs(self.computed - self.reference)

    @property
    def agrees(self) -> bool:
        """Whether the deviation is within the tolerance (a nan is not)."""
        return bool(self.deviation <= self.tolerance)


@dataclass(frozen=True)
class Figure:
    """One figure: how to compute its Datasets, draw them, and which numbers they must contain.

    `run(fast, seed, progress)` returns named Datasets of the package's usual form; `draw(data)` is a Matplotlib figure of them and of
    nothing else, so that the saved files are enough to draw it again; `check(data)` gives the reference numbers. `run` of a `resumable`
    figure also takes `folder`, where it keeps and continues finished work, and `hours`, the time it may take.
    """

    name: str
    title: str
    duration: str
    run: Callable[..., Data]
    draw: Callable[[Data], Canvas]
    check: Callable[[Data], list[Check]]
    resumable: bool = False


@dataclass(frozen=True)
class Paper:
    """A paper, by the key of its entry in `references.bib` (``gaussequiv cite KEY``)."""

    key: str
    title: str
    figures: tuple[Figure, ...]

    def figure(self, name: str) -> Figure:
        """The figure of that name, with a did-you-mean."""
        names = {figure.name: figure for figure in self.figures}
        return names[choice("figure", name, names)]


def combine(parts: Mapping[str, xr.Dataset], key: str) -> xr.Dataset:
    """One Dataset with a `learner` dimension from results of different students on the same alphas; missing observables are nan.

    Attributes hold every part's problem and call under its name.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> curves = {f"lam={lam}": ge.solve(ge.Problem(learner=ge.Ridge(lam)), [1.0, 2.0]) for lam in (0.1, 1)}
    >>> dict(combine(curves, "cui2023")["test_error"].sizes)
    {'learner': 2, 'alpha': 2}
    """
    import xarray as xr

    first = next(iter(parts.values()))
    names = list(dict.fromkeys(name for part in parts.values() for name in part.data_vars))
    pieces = []
    for label, part in parts.items():
        if "learner" in part.dims:
            part = part.squeeze("learner", drop=True)
        absent = {name: xr.full_like(_like(parts, str(name)), np.nan, dtype=float) for name in names if name not in part.data_vars}
        pieces.append(part.assign(absent)[names].expand_dims(learner=[label]))
    out = xr.concat(pieces, "learner", combine_attrs="drop", join="exact")
    for name in out.variables:
        if name in first.variables:
            out[name].attrs = dict(first[name].attrs)
    shared = {k: v for k, v in first.attrs.items() if k not in ("problem", "call", "citations", "verdict", "reason")}
    records: dict[str, Any] = {
        "problem": json.dumps({label: json.loads(part.attrs["problem"]) for label, part in parts.items()}),
        "call": json.dumps({label: json.loads(part.attrs["call"]) for label, part in parts.items()}),
        "citations": ", ".join(dict.fromkeys([key, *first.attrs["citations"].split(", ")])),
        "paper": key,
    }
    out.attrs = shared | records
    return out


def _like(parts: Mapping[str, xr.Dataset], name: str) -> xr.DataArray:
    found = next(part[name] for part in parts.values() if name in part.data_vars)
    return found.squeeze("learner", drop=True) if "learner" in found.dims else found
