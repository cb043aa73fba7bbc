"""The command `rows-for`: how many rows of a table a wanted error takes."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Annotated

import typer

from gaussequiv.cli.base import command
from gaussequiv.cli.options import Json, Seed


@command("rows-for")
def rows_for(
    data: Annotated[str, typer.Argument(help="Table: .csv, .tsv, .txt (and .gz), .parquet or .npz.", show_default=False)],
    target: Annotated[str, typer.Option("--target", help="Column, or array of an NPZ file, to predict.", show_default=False)],
    target_error: Annotated[
        float,
        typer.Option("--target-error", help="Wanted test error: share of wrong labels, or mean squared error.", show_default=False),
    ],
    estimator: Annotated[
        str, typer.Option("--estimator", help="ridge or linear (real target), or for labels ridge-classifier, logistic, linear-svc.")
    ] = "logistic",
    lam: Annotated[float, typer.Option("--lam", help="alpha of the ridge estimators, 1/C of the others.")] = 1.0,
    features: Annotated[str | None, typer.Option("--features", help="Random features of standardised columns: ACTIVATION:WIDTH.")] = None,
    standardise: Annotated[bool, typer.Option("--standardise", help="Centre and scale the columns first.")] = False,
    confidence: Annotated[float, typer.Option("--confidence", help="Of the interval.")] = 0.95,
    farthest: Annotated[float, typer.Option("--farthest", help="Times the table's rows: how far to look.")] = 10.0,
    separator: Annotated[
        str | None, typer.Option("--separator", help="Between columns of text. \\[default: recognised among , ; | and tab]")
    ] = None,
    encoding: Annotated[str, typer.Option("--encoding", help="Of text, such as latin-1.")] = "utf-8",
    drop: Annotated[str | None, typer.Option("--drop", help="Comma list of columns to leave out.", show_default=False)] = None,
    complete_rows: Annotated[bool, typer.Option("--complete-rows", help="Leave out rows with missing values.")] = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Say how many rows like those of a table an estimator needs for a test error, without refitting."""
    from gaussequiv.cli.predict import build_estimator
    from gaussequiv.cli.tables import Reading, read_table
    from gaussequiv.estimators import needed_rows

    left_out = tuple(name.strip() for name in (drop or "").split(",") if name.strip())
    X, y = read_table(data, target, Reading(separator, encoding, left_out, complete_rows))
    model = build_estimator(estimator, lam, seed, features, standardise)
    found = needed_rows.rows_for(model, X, y, target_error, confidence=confidence, farthest=farthest, random_state=seed)
    if as_json:
        numbers = dataclasses.asdict(found)
        print(json.dumps({name: None if value == math.inf else value for name, value in numbers.items()}))
    else:
        print(found)
