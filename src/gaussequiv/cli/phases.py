"""The commands `thresholds`, `fixed-points` and `phase-diagram`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gaussequiv.cli.base import command
from gaussequiv.cli.delivery import finish
from gaussequiv.cli.options import CALL, INFERENCE, STUDENT_OPTIONS, Alpha, Json, Output, Strict, build

if TYPE_CHECKING:
    pass

_POINT = ("overlap", "test_error", "clean_error", "gibbs_error", "estimation_error", "free_entropy", "mutual_information")
Varied = Annotated[
    str,
    typer.Option("--over", help="The second parameter: NAME=GRID, e.g. noise=1e-6:1:20:log or density=0.05:0.6:12.", rich_help_panel=CALL),
]


@command("thresholds", INFERENCE, unused=STUDENT_OPTIONS)
def thresholds(options: Any, as_json: Json = False) -> None:
    """Information-theoretic and algorithmic thresholds in alpha, and spinodals, of Bayes-optimal inference."""
    from gaussequiv.run.fixed_points import thresholds as verb

    found = verb(build(options))
    if as_json:
        plain = {
            "weak_recovery": found.weak_recovery,
            "perfect": found.perfect if found.perfect < float("inf") else None,
            "transitions": [transition._asdict() for transition in found.transitions],
        }
        print(json.dumps(plain))
        return
    print(f"weak recovery          {found.weak_recovery:.6g}")
    for transition in found.transitions:
        print(f"informed spinodal      {transition.informed:.6g}")
        print(f"information-theoretic  {transition.information_theoretic:.6g}")
        print(f"algorithmic            {transition.algorithmic:.6g}")
    if not found.transitions:
        print("no first-order transition: message passing attains the optimum at every alpha")
    print(f"perfect recovery       {found.perfect:.6g}")


@command("fixed-points", INFERENCE, unused=STUDENT_OPTIONS)
def fixed_points(options: Any, alpha: Alpha = None, as_json: Json = False, output: Output = None, strict: Strict = False) -> None:
    """Every fixed point of Bayes-optimal state evolution: uninformed, unstable, informed, and which is the equilibrium."""
    from rich.console import Console
    from rich.table import Table

    from gaussequiv import plot
    from gaussequiv.cli.inputs import parse_grid, required
    from gaussequiv.cli.outputs import cell
    from gaussequiv.results import to_json
    from gaussequiv.run.fixed_points import fixed_points as verb

    result = verb(build(options), parse_grid("alpha", required("alpha", alpha)))

    def show() -> None:
        if as_json:
            print(json.dumps(to_json(result)))
        else:
            shown = Table(box=None, pad_edge=False)
            for key in ("alpha", "branch", *_POINT):
                shown.add_column(key, justify="right")
            for i in range(result.sizes["alpha"]):
                for branch in result["branch"].values:
                    row = result.isel(alpha=i).sel(branch=branch)
                    if row["overlap"].notnull():
                        mark = " *" if str(row["equilibrium"].values) == branch else ""
                        shown.add_row(cell(float(row["alpha"])), f"{branch}{mark}", *(cell(float(row[key])) for key in _POINT))
            Console(width=None if Console().is_terminal else 200).print(shown)
            print("* equilibrium: the largest free entropy; in nats per input dimension; mutual_information is one only on lines with *")

    finish(result, output, strict, plot.branches, show)


@command("phase-diagram", INFERENCE, unused=STUDENT_OPTIONS)
def phase_diagram(
    options: Any, over: Varied, alpha: Alpha = None, as_json: Json = False, output: Output = None, strict: Strict = False
) -> None:
    """Phases over alpha and one more parameter: impossible, hard, easy, partial, unique."""
    from gaussequiv import plot
    from gaussequiv.cli.inputs import parse_grid, parse_over, required
    from gaussequiv.results import to_json
    from gaussequiv.run.fixed_points import PHASES
    from gaussequiv.run.fixed_points import phase_diagram as verb

    result = verb(build(options), parse_over([over]), parse_grid("alpha", required("alpha", alpha)))

    def show() -> None:
        if as_json:
            print(json.dumps(to_json(result)))
        else:
            name = str(result["phase"].dims[0])
            letters = [phase[0].upper() for phase in PHASES]
            print(", ".join(f"{letter}={phase}" for letter, phase in zip(letters, PHASES, strict=True)))
            for k, value in enumerate(result[name].values):
                row = "".join(letters[int(p)] if p == p else "?" for p in result["phase"].values[k])
                edges = (result[key].values[k] for key in ("information_theoretic", "algorithmic"))
                found = [
                    f"{words} {edge:.5g}"
                    for words, edge in zip(("information-theoretic", "algorithmic"), edges, strict=True)
                    if edge == edge
                ]
                shown = f"{value:.6g}" if isinstance(value, float) else str(value)
                print(f"{name}={shown:<12} {row}  {', '.join(found) or 'no transition'}")

    finish(result, output, strict, plot.phase_diagram, show)
