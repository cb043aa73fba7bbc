"""`gaussequiv reproduce` and `gaussequiv list KIND`: figures of papers with their reference numbers, and names."""

from __future__ import annotations

import json
import sys
from typing import Any

import typer

from gaussequiv.cli.delivery import FAILURE
from gaussequiv.errors import choice
from gaussequiv.reproduce import catalogue
from gaussequiv.reproduce.reproduce import Reproduction, report_file, reproduce, summary


def run(key: str, figure: str | None, fast: bool, folder: str, seed: int, hours: float | None, as_json: bool) -> None:
    """Reproduce, print one sentence for each figure (or one JSON object), and fail if a reference number does not agree."""
    made = reproduce(key, figure, fast=fast, output=folder, seed=seed, hours=hours)
    report = report_file(key, figure, folder)
    if as_json:
        figures = [_record(one) for one in made]
        print(json.dumps({"key": key, "fast": fast, "seed": seed, "report": str(report), "figures": figures}))
    for one in made:
        if not as_json:
            print(f"{one.figure.name}: {summary(one)}")
        for path in one.files:
            print(f"wrote {path}", file=sys.stderr)
    print(f"wrote {report} (the report: every number, and how the simulations compare)", file=sys.stderr)
    if not all(check.agrees for one in made for check in one.checks):
        raise typer.Exit(FAILURE)


def _record(one: Reproduction) -> dict[str, Any]:
    return {
        "figure": one.figure.name,
        "seconds": one.seconds,
        "files": [str(path) for path in one.files],
        "checks": [
            {
                "name": check.name,
                "reference": check.reference,
                "computed": check.computed,
                "deviation": check.deviation,
                "tolerance": check.tolerance,
                "agrees": check.agrees,
                "source": check.source,
            }
            for check in one.checks
        ],
    }


def names(known: dict[str, list[str]], kind: str | None, as_json: bool) -> None:
    """All names, or those of one kind: one on each line, papers with their titles and figures."""
    known = known | {"papers": list(catalogue.keys())}
    if kind is None:
        print(json.dumps(known) if as_json else "\n".join(f"{name}: {', '.join(values)}" for name, values in known.items()))
        return
    choice("kind", kind, known)
    if kind != "papers":
        print(json.dumps({kind: known[kind]}) if as_json else "\n".join(known[kind]))
        return
    papers = [catalogue.get(key) for key in known[kind]]
    if as_json:
        print(json.dumps({kind: {paper.key: {"title": paper.title, "figures": [f.name for f in paper.figures]} for paper in papers}}))
        return
    for paper in papers:
        print(f"{paper.key}: {paper.title}")
        for figure in paper.figures:
            print(f"    {figure.name}: {figure.title} ({figure.duration})")
