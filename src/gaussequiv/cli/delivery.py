"""What commands print and write, and their exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gaussequiv._process import silence

if TYPE_CHECKING:
    import xarray as xr

FAILURE, USAGE, UNCONVERGED, INTERRUPTED = 1, 2, 3, 130
ENDINGS = (".nc", ".json", ".csv", ".png", ".svg", ".pdf")


def say(text: str) -> None:
    """Notes go to stderr, or nowhere where it is closed."""
    if sys.stderr is None:
        return
    try:
        print(text, file=sys.stderr)
    except BrokenPipeError:
        silence(sys.stderr)


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

    def show() -> None:
        if as_json:
            print(json.dumps(to_json(result)))
        else:
            table(result)

    print_and_write(result, show, (lambda: write(result, output)) if output else None)
    choose(result, strict)


def print_and_write(result: xr.Dataset, show: Callable[[], None], write: Callable[[], Any] | None) -> None:
    """Print a result and write it; what goes wrong with one does not cost the other.

    Raises
    ------
    OSError : one of them failed.
    Interrupted : Ctrl-C; it carries the result.
    """
    from gaussequiv.run.interrupted import keeping

    failed: OSError | None = None
    try:
        try:
            show()
            if sys.stdout is not None:
                sys.stdout.flush()
        except BrokenPipeError:  # the reader of a pipe (head) has seen enough
            silence(sys.stdout)
        except OSError as error:
            silence(sys.stdout)
            failed = OSError(f"the result could not be printed: {error}")
        if write is not None:
            say(f"wrote {write()}")
    except KeyboardInterrupt:
        raise keeping(lambda: result) from None
    if failed is not None:
        raise failed


def kept_by(result: xr.Dataset, work: Callable[[], Any]) -> Any:
    """Work after a result: what an interruption of it leaves is the result."""
    from gaussequiv.run.interrupted import keeping

    try:
        return work()
    except KeyboardInterrupt:
        raise keeping(lambda: result) from None


def choose(result: xr.Dataset, strict: bool) -> None:
    """The exit code."""
    if strict and not bool(result["converged"].all()):
        raise typer.Exit(UNCONVERGED)


def keep_partial(partial: xr.Dataset | None, output: str | None) -> None:
    """Write what an interrupted verb had finished: to --output, or to a new file where none, or a figure, was asked for."""
    if partial is None:
        say("interrupted")
        return
    from gaussequiv.results import save
    from gaussequiv.run.interrupted import unheard

    target = Path(output) if output else Path("gaussequiv-partial.nc")
    if target.suffix.lower() not in (".nc", ".json", ".csv") or not output:
        target = _unused(target.with_suffix(".nc"))
    done = f" after {partial.sizes['trial']} trials" if "trial" in partial.sizes else ""
    try:
        with unheard():
            say(f"interrupted{done}; wrote {save(partial, target)}")
    except OSError as error:
        say(f"interrupted{done}; error: what was finished could not be written to {target}: {error}")


def _unused(path: Path) -> Path:
    """The path, or the next one with a number: an earlier part is not overwritten."""
    names = (path if count == 1 else path.with_stem(f"{path.stem}-{count}") for count in range(1, sys.maxsize))
    return next(one for one in names if not one.exists())


def finish(result: xr.Dataset, output: str | None, strict: bool, draw: Any, show: Callable[[], None]) -> None:
    """Print a result by `show`, write it, as a figure by `draw` (None: there is none) or as numbers, and choose the exit code."""
    from gaussequiv.cli.outputs import FIGURES
    from gaussequiv.errors import fail
    from gaussequiv.results import save
    from gaussequiv.store.files import replace_figure

    def write() -> str | None:
        if Path(str(output)).suffix.lower() not in FIGURES:
            save(result, str(output))
        elif draw is None:
            raise fail("output", "a file name ending in .nc, .json or .csv for this command", output)
        else:
            replace_figure(str(output), draw(result).figure, dpi=150, bbox_inches="tight")
        return output

    print_and_write(result, show, write if output else None)
    choose(result, strict)
