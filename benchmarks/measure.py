"""Rows of the results table, medians of repeated timings, and measured child processes."""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Row:
    """One measurement in seconds ("s") or bytes ("B"), the loop it is compared with, and the aim it should meet."""

    name: str
    measured: float
    unit: str = "s"
    reference: float | None = None
    least_ratio: float | None = None
    below: float | None = None
    difference: float | None = None  # largest difference between the results of the two

    @property
    def ratio(self) -> float | None:
        """How many times faster than the reference."""
        return None if self.reference is None else self.reference / self.measured

    @property
    def met(self) -> bool | None:
        """Whether the aim is met; None without an aim."""
        if self.least_ratio is not None:
            return self.ratio is not None and self.ratio >= self.least_ratio
        return None if self.below is None else self.measured < self.below

    def as_dict(self) -> dict[str, Any]:
        """What results.json keeps."""
        return asdict(self) | {"ratio": self.ratio, "met": self.met}

    def cells(self) -> tuple[str, ...]:
        """What the table shows: name, measured, reference, ratio, aim, met."""
        aim = f"at least {self.least_ratio:g}x" if self.least_ratio else f"under {_show(self.below, self.unit)}" if self.below else ""
        reference = "" if self.reference is None else _show(self.reference, self.unit)
        ratio = "" if self.ratio is None else f"{self.ratio:.0f}x" if self.ratio >= 10 else f"{self.ratio:.1f}x"
        met = "" if self.met is None else "yes" if self.met else "**no**"
        return self.name, _show(self.measured, self.unit), reference, ratio, aim, met


def _show(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if unit == "B":
        return f"{value / 1e9:.3g} GB"
    return f"{value * 1e3:.3g} ms" if value < 0.9995 else f"{value:.3g} s"


def seconds(call: Callable[[], Any]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def medians(library: Callable[[], Any], reference: Callable[[], Any], *, rounds: int = 5, calls: int = 9) -> tuple[float, float]:
    """Median times of both, interleaved, so that a busy moment of the machine hits both alike."""
    library()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        times[1].append(seconds(reference))
        times[0].extend(seconds(library) for _ in range(calls))
    return median(times[0]), median(times[1])


def cold(command: Sequence[str], *, rounds: int = 5) -> tuple[float, str]:
    """Median wall time of a fresh process, and what the last one printed; a failure raises with its error output."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        times.append(time.perf_counter() - start)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command[1:])} failed:\n{done.stderr[-2000:]}")
    return median(times), done.stdout


def peak_bytes() -> int:
    """Largest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def machine() -> dict[str, str]:
    """What the numbers depend on, without names or paths."""
    packages = {name: version(name) for name in ("gaussequiv", "numpy", "scipy", "xarray")}
    system = f"{platform.system()} {platform.machine()}"
    return {"platform": system, "cores": str(os.cpu_count()), "python": platform.python_version()} | packages


def render(rows: Sequence[Row]) -> str:
    """The results table in Markdown."""
    head = ("benchmark", "measured", "plain loop", "ratio", "aim", "met")
    cells = [head, *(row.cells() for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]
    lines = ["| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |" for line in cells]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def write(rows: Sequence[Row]) -> None:
    """Write results.json and RESULTS.md."""
    about = machine()
    folder = ROOT / "benchmarks"
    stored = {"machine": about, "rows": [row.as_dict() for row in rows]}
    (folder / "results.json").write_text(json.dumps(stored, indent=1) + "\n")
    described = f"{about['platform']}, {about['cores']} cores, Python {about['python']}, " + ", ".join(
        f"{name} {about[name]}" for name in ("gaussequiv", "numpy", "scipy", "xarray")
    )
    (folder / "RESULTS.md").write_text((folder / "template.md").read_text().format(machine=described, table=render(rows)))
