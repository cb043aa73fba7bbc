"""The commands `track`, `sample-posterior` and `network-information`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gaussequiv.cli.base import command
from gaussequiv.cli.delivery import finish, kept_by
from gaussequiv.cli.options import (
    CALL,
    INFERENCE,
    STUDENT_OPTIONS,
    Allowance,
    Alpha,
    Dimension,
    Json,
    Normalise,
    Output,
    Seed,
    Strict,
    TestSamples,
    Trials,
    build,
)

if TYPE_CHECKING:
    import xarray as xr

One = Annotated[float, typer.Option("--alpha", help="Samples per input dimension n/d, one number.", rich_help_panel=CALL)]
Steps = Annotated[int, typer.Option("--steps", help="Passes over the data.", rich_help_panel=CALL)]
Start = Annotated[
    str,
    typer.Option(
        "--start",
        help="uninformed (the prior), informed, or the signal-to-noise ratio at which weights are first seen.",
        rich_help_panel=CALL,
    ),
]
Chains = Annotated[int, typer.Option("--chains", help="Chains from each of the two starts.", rich_help_panel=CALL)]
Draws = Annotated[int, typer.Option("--draws", help="Recorded draws of each chain.", rich_help_panel=CALL)]
Warmup = Annotated[int, typer.Option("--warmup", help="Transitions before the first draw.", rich_help_panel=CALL)]
Thin = Annotated[int, typer.Option("--thin", help="Transitions for each recorded draw.", rich_help_panel=CALL)]
Sampler = Annotated[str, typer.Option("--sampler", help="hmc or nuts.", rich_help_panel=CALL)]
Folder = Annotated[str | None, typer.Option("--checkpoint", help="Folder to go on from after a kill.", rich_help_panel=CALL)]
File = Annotated[str | None, typer.Option("--checkpoint", help="File to go on from after a kill.", rich_help_panel=CALL)]
Few = Annotated[int, typer.Option("--trials", help="Networks drawn, each with its own data.", rich_help_panel=CALL)]
Budget = Annotated[
    float | None, typer.Option("--seconds", help="Add no network after this many seconds. \\[default: no limit]", rich_help_panel=CALL)
]


@command("track", INFERENCE, unused=STUDENT_OPTIONS)
def track(
    options: Any,
    alpha: One,
    d: Dimension = None,
    trials: Trials = 16,
    steps: Steps = 10,
    start: Start = "uninformed",
    seed: Seed = 0,
    test_samples: TestSamples = None,
    normalise_teacher: Normalise = False,
    allowance: Allowance = None,
    as_json: Json = False,
    output: Output = None,
    strict: Strict = False,
) -> None:
    """Message passing on true data, step by step beside state evolution, with the verdict."""
    from gaussequiv import plot
    from gaussequiv.run.track import track as verb

    try:
        begin: str | float = float(start)
    except ValueError:
        begin = start
    given: dict[str, Any] = {"d": d, "trials": trials, "steps": steps, "start": begin, "seed": seed, "test_samples": test_samples}
    problem = build(options)
    result = verb(problem, alpha, **given, normalise_teacher=normalise_teacher, allowance=allowance)
    rows = [
        (
            int(result["step"][i]),
            *(float(result["test_error"].sel(source=side)[i]) for side in ("theory", "simulation")),
            *(float(result[name].sel(source="simulation")[i]) for name in ("test_error_stderr", "q")),
            float(result["z"][i]),
        )
        for i in range(result.sizes["step"])
    ]
    columns: tuple[str, ...] = ("step", "theory", "simulation", "stderr", "q", "z")
    note = f"verdict: {result.attrs['verdict']} ({result.attrs['reason']})"
    finish(
        result,
        output,
        strict,
        plot.steps,
        lambda: _print(result, as_json, columns, rows, note),
    )


@command("sample-posterior", INFERENCE, unused=STUDENT_OPTIONS)
def sample_posterior(
    options: Any,
    alpha: Alpha = None,
    d: Dimension = None,
    trials: Few = 1,
    chains: Chains = 4,
    draws: Draws = 500,
    warmup: Warmup = 500,
    thin: Thin = 1,
    sampler: Sampler = "hmc",
    seed: Seed = 0,
    checkpoint: Folder = None,
    as_json: Json = False,
    output: Output = None,
    strict: Strict = False,
) -> None:
    """Sample the posterior of all weights of a true network from both starts, beside the exact Bayes-optimal error."""
    from gaussequiv.cli.inputs import parse_grid, required
    from gaussequiv.run.posterior import sample_posterior as verb
    from gaussequiv.run.solve import solve

    problem = build(options)
    grid = parse_grid("alpha", required("alpha", alpha))
    given: dict[str, Any] = {
        "chains": chains,
        "draws": draws,
        "warmup": warmup,
        "thin": thin,
        "sampler": sampler,
        "seed": seed,
        "checkpoint": checkpoint,
    }
    result = verb(problem, grid, d=d, trials=trials, **given)
    theory = kept_by(result, lambda: solve(problem, result["alpha"].values)["test_error"].values)
    rows = []
    for i, one in enumerate(result["alpha"].values):
        for begin in result["start"].values:
            part = result.isel(alpha=i).sel(start=begin)
            errors = (float(part[name].mean()) for name in ("test_error", "clean_error", "gibbs_error"))
            worst = float(part["test_error_r_hat"].max()), float(part["test_error_ess"].min())
            rows.append((float(one), str(begin), float(theory[i]), *errors, *worst, "yes" if bool(part["converged"].all()) else "NO"))
    columns = ("alpha", "start", "theory", "test_error", "clean_error", "gibbs_error", "r_hat", "ess", "converged")
    note = f"starts: {result.attrs['agreement']}; theory is the limit n, d -> infinity of test_error"
    finish(result, output, strict, None, lambda: _print(result, as_json, columns, rows, note))


@command("network-information", INFERENCE, unused=STUDENT_OPTIONS)
def network_information(
    options: Any,
    d: Dimension = None,
    alpha: Alpha = None,
    trials: Few = 64,
    seed: Seed = 0,
    seconds: Budget = None,
    checkpoint: File = None,
    as_json: Json = False,
    output: Output = None,
    strict: Strict = False,
) -> None:
    """Mutual information and Bayes error of finite networks, bracketed, beside their Gaussian equivalent's."""
    from gaussequiv.cli.inputs import parse_grid, required
    from gaussequiv.run.evidence import network_information as verb

    problem = build(options)
    grid = parse_grid("alpha", required("alpha", alpha))
    result = verb(problem, grid, d=d, trials=trials, seed=seed, seconds=seconds, checkpoint=checkpoint)
    rows = []
    for i, one in enumerate(result["alpha"].values):
        part = result.isel(alpha=i)
        names = (
            "information_lower",
            "information",
            "information_upper",
            "information_stderr",
            "information_equivalent",
            "information_limit",
        )
        errors = ("test_error", "test_error_stderr", "test_error_equivalent")
        rows.append((float(one), *(float(part[name]) for name in (*names, *errors))))
    columns = ("alpha", "lower", "information", "upper", "stderr", "equivalent", "limit", "test_error", "error stderr", "error equivalent")
    note = "information: nats per sample; equivalent: the Gaussian equivalent at the same n and d; limit: n, d -> infinity"
    finish(result, output, strict, None, lambda: _print(result, as_json, columns, rows, note))


def _print(result: xr.Dataset, as_json: bool, columns: tuple[str, ...], rows: list[Any], note: str) -> None:
    """The table with a note below, or the JSON object."""
    from rich.console import Console
    from rich.table import Table

    from gaussequiv.cli.outputs import cell
    from gaussequiv.results import to_json

    if as_json:
        print(json.dumps(to_json(result)))
        return
    shown = Table(box=None, pad_edge=False)
    for column in columns:
        shown.add_column(column, justify="right")
    for row in rows:
        shown.add_row(*(cell(value) for value in row))
    Console(width=None if Console().is_terminal else 200).print(shown)
    print(note)
