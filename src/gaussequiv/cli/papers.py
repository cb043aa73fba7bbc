"""The commands `list`, `reproduce`, `cite` and `doctor`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from gaussequiv.cli.base import command
from gaussequiv.cli.delivery import FAILURE
from gaussequiv.cli.options import Json, Seed


@command("list")
def list_names(
    kind: Annotated[str | None, typer.Argument(help="One kind of names, e.g. papers; all if not given.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """Names that the options understand, and papers that can be reproduced."""
    from gaussequiv.cli.outputs import known_names
    from gaussequiv.cli.reproduce import names

    names(known_names(), kind, as_json)


@command("reproduce")
def reproduce(
    key: Annotated[str, typer.Argument(help="A paper: 'gaussequiv list papers'.", show_default=False)],
    figure: Annotated[str | None, typer.Option("--figure", help="Only this figure.", show_default=False)] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Fewer points and trials, smaller dimensions: seconds to minutes.")] = False,
    folder: Annotated[
        str, typer.Option("--output", metavar="DIR", help="Folder for NetCDF files, figures and the report (Markdown).")
    ] = ".",
    seed: Seed = 0,
    hours: Annotated[
        float | None,
        typer.Option("--hours", help="Time limit of figures that can be continued (camilli2025); 0 to draw what the folder holds."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make the figures of a paper again and compare with its numbers; exit code 1 if one does not agree.

    Prints one sentence for each figure. All numbers stand in the report KEY.md (KEY-FIGURE.md with --figure), next to the figures.
    """
    from gaussequiv.cli.reproduce import run

    run(key, figure, fast, folder, seed, hours, as_json)


@command("cite")
def cite(keys: Annotated[list[str] | None, typer.Argument(help="Keys, or saved results; none: all.", show_default=False)] = None) -> None:
    """BibTeX entries of the papers behind the numbers."""
    from gaussequiv.cli.outputs import bibliography

    print(bibliography(keys or []))


@command("doctor")
def doctor(as_json: Json = False) -> None:
    """Check this installation: versions, float64, one exact number, one small simulation."""
    from gaussequiv.cli.outputs import installation_report

    report = installation_report()
    print(json.dumps(report) if as_json else "\n".join(f"{name:<14} {value}" for name, value in report.items()))
    if not report["ok"]:
        raise typer.Exit(FAILURE)
