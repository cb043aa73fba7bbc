"""The commands `predict-curve` and `plot`, which read files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gaussequiv.cli.base import command
from gaussequiv.cli.delivery import say
from gaussequiv.cli.options import Json, Output, Seed


@command("predict-curve")
def predict_curve(
    data: Annotated[str, typer.Argument(help="Table: .csv, .tsv, .txt (and .gz), .parquet or .npz.", show_default=False)],
    target: Annotated[str, typer.Option("--target", help="Column, or array of an NPZ file, to predict.", show_default=False)],
    train_sizes: Annotated[
        str,
        typer.Option(
            "--train-sizes",
            help="Rows, or fractions of them: start:stop:count[:log] or a comma list; up to 1.5 times the table's.",
            show_default=False,
        ),
    ],
    estimator: Annotated[
        str, typer.Option("--estimator", help="ridge or linear (real target), or for labels ridge-classifier, logistic, linear-svc.")
    ] = "logistic",
    lam: Annotated[float, typer.Option("--lam", help="alpha of the ridge estimators, 1/C of the others.")] = 1.0,
    features: Annotated[str | None, typer.Option("--features", help="Random features of standardised columns: ACTIVATION:WIDTH.")] = None,
    standardise: Annotated[bool, typer.Option("--standardise", help="Centre and scale the columns first.")] = False,
    method: Annotated[str, typer.Option("--method", help="rows (most accurate), moments (ridge, fastest) or gaussian.")] = "rows",
    groups: Annotated[int, typer.Option("--groups", help="Groups of rows left out in turn for standard errors; 0: none.")] = 10,
    validate: Annotated[bool, typer.Option("--validate", help="Also refit at up to six sizes, and draw both.")] = False,
    repeats: Annotated[int, typer.Option("--repeats", help="Refits at each size.")] = 20,
    separator: Annotated[
        str | None, typer.Option("--separator", help="Between columns of text. \\[default: recognised among , ; | and tab]")
    ] = None,
    encoding: Annotated[str, typer.Option("--encoding", help="Of text, such as latin-1.")] = "utf-8",
    drop: Annotated[str | None, typer.Option("--drop", help="Comma list of columns to leave out.", show_default=False)] = None,
    complete_rows: Annotated[bool, typer.Option("--complete-rows", help="Leave out rows with missing values.")] = False,
    seed: Seed = 0,
    as_json: Json = False,
    output: Output = None,
) -> None:
    """Predict the learning curve of a linear estimator on a table, without refitting."""
    from gaussequiv.cli import predict
    from gaussequiv.cli.tables import Reading

    left_out = tuple(name.strip() for name in (drop or "").split(",") if name.strip())
    options: dict[str, Any] = {"features": features, "standardise": standardise, "method": method, "groups": groups}
    options |= {"validate": validate, "repeats": repeats, "seed": seed}
    options |= {"reading": Reading(separator, encoding, left_out, complete_rows)}
    predict.deliver_prediction(predict.predicted_curve(data, target, estimator, lam, train_sizes, **options), as_json, output)


@command("plot")
def plot(
    file: Annotated[Path, typer.Argument(help="A saved result (.nc, .json, .csv).", show_default=False)],
    output: Annotated[str, typer.Option(help="Figure to write: .png, .svg or .pdf.", show_default=False)],
    kind: Annotated[str, typer.Option(help="curve or residuals.")] = "curve",
    observable: Annotated[
        str | None, typer.Option(help="Variable to draw. \\[default: what the result is about, such as test_error]")
    ] = None,
    log: Annotated[bool, typer.Option("--log", help="Logarithmic alpha axis.")] = False,
) -> None:
    """Draw a saved result."""
    from gaussequiv.cli.outputs import draw
    from gaussequiv.results import load

    say(f"wrote {draw(load(file), output, kind, observable, log)}")
