"""`reproduce`: compute a paper's figures, save data and pictures, and report the deviation from its numbers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from gaussequiv.errors import integer
from gaussequiv.reproduce.catalogue import get
from gaussequiv.reproduce.paper import Check, Data, Figure, Paper
from gaussequiv.results import save, versions
from gaussequiv.store.files import replace, replace_figure

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Reproduction:
    """One figure, made again: its Datasets, reference numbers, the files that were written, and the seconds it took."""

    figure: Figure
    data: Data
    checks: list[Check]
    files: list[Path]
    seconds: float


def reproduce(
    paper: str | Paper,
    figure: str | None = None,
    *,
    fast: bool = False,
    output: str | Path = ".",
    seed: int = 0,
    hours: float | None = None,
    progress: bool | None = None,
) -> list[Reproduction]:
    """Make the figures of a paper again; write NetCDF, PNG and a report in Markdown into a folder.

    Parameters
    ----------
    paper : str or Paper
        A key (`reproduce.catalogue.keys`), or a paper of one's own.
    figure : str, optional
        Only this figure.
    fast : bool
        Fewer points, smaller dimensions and fewer trials; the reference numbers are computed in full.
    output : path
        Folder of the files KEY-FIGURE-NAME.nc (one for each Dataset), KEY-FIGURE.png and KEY.md (KEY-FIGURE.md if one is
        chosen); made if missing.
    seed : int
        Seed of simulations and random instances.
    hours : float, optional
        Limit for figures that can be continued (camilli2025), which keep their trials in the folder; 0 to anneal nothing new.
    progress : bool, optional
        Show progress bars (default: on a terminal).

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = reproduce("sur2019", fast=True, output=folder)
    >>> all(check.agrees for check in made[0].checks)
    True
    """
    paper = get(paper) if isinstance(paper, str) else paper
    key = paper.key
    chosen = paper.figures if figure is None else (paper.figure(figure),)
    seed = integer("seed", seed, minimum=0)
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for one in chosen:
        start = time.perf_counter()
        options = {"folder": folder, "hours": hours} if one.resumable else {}
        data = one.run(fast, seed, progress, **options)
        files = [save(result, folder / f"{key}-{one.name}-{name}.nc") for name, result in data.items()]
        picture = folder / f"{key}-{one.name}.png"
        replace_figure(picture, one.draw(data), dpi=200)
        made.append(Reproduction(one, data, one.check(data), [*files, picture], time.perf_counter() - start))
    replace(report_file(key, figure, folder), report(paper, made, fast, seed).encode())
    return made


def report_file(key: str, figure: str | None, output: str | Path) -> Path:
    """Where `reproduce` writes its report: KEY.md, or KEY-FIGURE.md if one figure is chosen."""
    return Path(output) / (f"{key}.md" if figure is None else f"{key}-{figure}.md")


def report(paper: Paper, made: list[Reproduction], fast: bool, seed: int) -> str:
    """The report in Markdown: every reference number with its deviation, the largest first, and how simulations compare with theory."""
    lines = [f"# {paper.key}: {paper.title}", ""]
    mode = "fast" if fast else "full"
    lines += [f"Mode {mode}, seed {seed}; " + ", ".join(f"{name} {version}" for name, version in versions().items()) + ".", ""]
    for one in made:
        lines += [f"## {one.figure.name}", "", f"{one.figure.title}. {one.seconds:.1f} s.", ""]
        lines += [f"- {path.name}" for path in one.files] + ["", summary(one), ""]
        lines += ["| number | reference | computed | deviation | tolerance | agrees | source |", "|---|---|---|---|---|---|---|"]
        for check in sorted(one.checks, key=lambda c: -c.deviation / c.tolerance):
            values = f"{check.reference:.10g} | {check.computed:.10g} | {check.deviation:.2g} | {check.tolerance:.2g}"
            lines.append(f"| {check.name} | {values} | {'yes' if check.agrees else 'NO'} | {check.source} |")
        lines.append("")
        for name, result in one.data.items():
            if "z" in result:
                lines += [f"Simulation against theory, `{name}`:", "", *report_lines(result), ""]
    return "\n".join(lines)


def summary(made: Reproduction) -> str:
    """One sentence: how many numbers agree, and the largest deviation."""
    checks = made.checks
    agreeing = sum(check.agrees for check in checks)
    worst = max(checks, key=lambda check: check.deviation / check.tolerance)
    return (
        f"{agreeing} of {len(checks)} reference numbers agree; largest deviation for its tolerance: {worst.name}, "
        f"{worst.computed:.6g} against {worst.reference:.6g} (off by {worst.deviation:.2g}, tolerance {worst.tolerance:.2g})."
    )


def report_lines(result: xr.Dataset) -> list[str]:
    """The table of a `compare`: a row for each curve, named by its learner, its data, or whatever it has beside the axis."""
    import numpy as np

    lines = ["| curve | points | largest deviation | largest abs(z) | unconverged |", "|---|---|---|---|---|"]
    leading = [str(dim) for dim in result["z"].dims if dim != result.attrs["axis"]]
    for place in product(*(range(result.sizes[dim]) for dim in leading)):
        part = result.isel(dict(zip(leading, place, strict=True)))
        label = ", ".join(str(part[dim].values) for dim in leading) or "the curve"
        ok = part["converged"].values & np.isfinite(part["z"].values)
        theory = part["test_error"].sel(source="theory").values[ok]
        off = np.abs(part["test_error"].sel(source="simulation").values[ok] / theory - 1)
        z = np.abs(part["z"].values[ok])
        numbers = f"{off.max():.1%} | {z.max():.1f}" if ok.any() else "- | -"
        lines.append(f"| {label} | {ok.sum()} | {numbers} | {(~part['converged'].values).sum()} |")
    return lines
