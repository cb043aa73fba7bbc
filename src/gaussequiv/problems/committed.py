"""Finite-size constants committed with a kind of problem: c of a relative bias c/size, and the range in which each was fitted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cached_property
from importlib.resources import files
from typing import Any

SLACK = 1.01  # sizes are rounded to integers


class CommittedFits:
    """The table `finite_size.json` of a package: for each family of problems c, the largest |slope| of (mean/theory - 1) against 1/size
    over its points plus two standard errors, and the range of everything that places a problem.
    """

    def __init__(self, package: str) -> None:
        self.package = package

    @cached_property
    def table(self) -> dict[str, Any]:
        """`about` (sizes, trials, seed, points, command) and `families`."""
        stored: dict[str, Any] = json.loads(files(self.package).joinpath("finite_size.json").read_text())
        return stored

    def constant(self, family: str | None, size: int, place: Callable[[], Mapping[str, float]]) -> float:
        """c of one point; nan outside the range of the fit and below its sizes, where higher powers of 1/size count."""
        entry = self.table["families"].get(family or "")
        if entry is None or size < min(self.table["about"]["sizes"]):
            return float("nan")
        here = place()
        inside = all(low / SLACK <= here[name] <= high * SLACK for name, (low, high) in entry["range"].items())
        return float(entry["c"]) if inside else float("nan")
