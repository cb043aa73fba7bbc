"""The application: how commands are registered, guarded and run."""

from __future__ import annotations

import functools
import inspect
import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer

from gaussequiv import _process
from gaussequiv._process import silence
from gaussequiv.cli.delivery import FAILURE, INTERRUPTED, USAGE, check_output, keep_partial, say
from gaussequiv.cli.options import PROBLEM_OPTIONS, hidden

app = typer.Typer(
    name="gaussequiv",
    help="Exact learning curves of deep random networks, simulations of the real thing, and whether the two agree.",
    epilog="Exit codes: 0 ok, 1 failure, 2 usage, 3 unconverged points under --strict, 130 interrupted (finished trials are kept).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def command(name: str, panel: str | None = None, unused: tuple[str, ...] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command; a parameter named `options` is replaced by the problem options; named errors become exit codes.

    Problem options that the command has no use for, `unused`, are refused, so that nothing given is ignored, and not shown by --help;
    --learner bayes may be said.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def wrapped(**arguments: Any) -> None:
            if takes_problem:
                arguments["options"] = {key: arguments.pop(key) for key in PROBLEM_OPTIONS}
            _guarded(function, arguments, name, unused)

        parameters = list(inspect.signature(function, eval_str=True).parameters.values())
        takes_problem = any(parameter.name == "options" for parameter in parameters)
        shown = []
        for parameter in parameters:
            if parameter.name == "options":
                kind = inspect.Parameter.KEYWORD_ONLY
                for key, option in PROBLEM_OPTIONS.items():
                    annotation = hidden(option) if key in unused else option
                    shown.append(inspect.Parameter(key, kind, default=None, annotation=annotation))
            else:
                shown.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
        wrapped.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
        app.command(name, rich_help_panel=panel)(wrapped)
        return function

    return register


def _refuse_unused(name: str, options: dict[str, Any], unused: tuple[str, ...]) -> None:
    from gaussequiv.errors import fail

    for option in unused:
        value = options[option]
        if value is not None and not (option == "learner" and value.strip().lower() == "bayes"):
            raise fail(option, f"left out of `gaussequiv {name}`, which makes no use of it", value)


def _guarded(function: Callable[..., None], arguments: dict[str, Any], name: str, unused: tuple[str, ...]) -> None:
    from gaussequiv.errors import ArgumentError, GaussequivError

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        try:
            if arguments.get("output"):
                check_output(arguments["output"])
            _refuse_unused(name, arguments.get("options", {}), unused)
            function(**arguments)
        except ArgumentError as error:
            say(f"error: {error}")
            raise typer.Exit(USAGE) from None
        except BrokenPipeError:  # the reader of a pipe (head) has seen enough
            silence(sys.stdout)
        except (GaussequivError, OSError) as error:
            say(f"error: {error}")
            raise typer.Exit(FAILURE) from None
        except MemoryError as error:
            say(f"error: the memory is too small for this call: {error or 'smaller sizes need less'}")
            raise typer.Exit(USAGE) from None
        except KeyboardInterrupt as stop:
            keep_partial(getattr(stop, "partial", None), arguments.get("output"))
            raise typer.Exit(INTERRUPTED) from None
        finally:
            for text in dict.fromkeys(str(warning.message) for warning in caught):
                say(f"warning: {text}")


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if version:
        from gaussequiv import __version__

        print(__version__)
        raise typer.Exit()


def main() -> None:
    """Entry point."""
    _process.run(app)
