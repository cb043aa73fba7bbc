"""What commands print and write, and their exit codes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    import xarray as xr

FAILURE, USAGE, UNCONVERGED, INTERRUPTED = 1, 2, 3, 130
ENDINGS = (".nc", ".json", ".csv", ".png", ".svg", ".pdf")


def say(text: str) -> None:
    """Notes go to stderr."""
    print(text, file=sys.stderr)


def check_output(output: str) -> None:
    """Before any work: a result must have somewhere to go."""
    from gaussequiv.errors import fail

    path = Path(output)
    if path.suffix.lower() not in ENDINGS:
        raise fail("output", f"a file name ending in {', '.join(ENDINGS)}", output)
    if not path.parent.is_dir():
        raise fail("output", "in an existing folder", output)


def deliver(result: xr.Dataset, as_json: bool, output: str | None, strict: bool = False) -> None:
    """Print, write, and choose the exit code."""
    from gaussequiv.cli.outputs import table, write
    from gaussequiv.results import to_json

    if as_json:
        print(json.dumps(to_json(result)))
    else:
        table(result)
    if output:
        say(f"wrote {write(result, output)}")
    if strict and not bool(result["converged"].all()):
        raise typer.Exit(UNCONVERGED)


def keep_partial(partial: xr.Dataset | None, output: str | None) -> None:
    """Write what an interrupted verb had finished: to --output, or to a new file where none, or a figure, was asked for."""
    if partial is None:
        say("interrupted")
        return
    from gaussequiv.results import save

    target = Path(output) if output else Path("gaussequiv-partial.nc")
    if target.suffix.lower() not in (".nc", ".json", ".csv") or not output:
        target = _unused(target.with_suffix(".nc"))
    done = f" after {partial.sizes['trial']} trials" if "trial" in partial.sizes else ""
    try:
        say(f"interrupted{done}; wrote {save(partial, target)}")
    except OSError as error:
        say(f"interrupted{done}; error: what was finished could not be written to {target}: {error}")


def _unused(path: Path) -> Path:
    """The path, or the next one with a number: an earlier part is not overwritten."""
    names = (path if count == 1 else path.with_stem(f"{path.stem}-{count}") for count in range(1, sys.maxsize))
    return next(one for one in names if not one.exists())


def finish(result: xr.Dataset, output: str | None, strict: bool, draw: Any) -> None:
    """Write a result, as a figure by `draw` (None: there is none) or as numbers, and choose the exit code."""
    from gaussequiv.cli.outputs import FIGURES
    from gaussequiv.errors import fail
    from gaussequiv.results import save
    from gaussequiv.store.files import replace_figure

    if output:
        if Path(output).suffix.lower() not in FIGURES:
            save(result, output)
        elif draw is None:
            raise fail("output", "a file name ending in .nc, .json or .csv for this command", output)
        else:
            replace_figure(output, draw(result).figure, dpi=150, bbox_inches="tight")
        say(f"wrote {output}")
    if strict and not bool(result["converged"].all()):
        raise typer.Exit(UNCONVERGED)
