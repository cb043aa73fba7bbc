"""The commands `information` and `validity`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gaussequiv.cli.base import command
from gaussequiv.cli.delivery import finish
from gaussequiv.cli.options import CALL, INFERENCE, STUDENT_OPTIONS, Alpha, Count, Dimension, Json, Output, Strict, build

if TYPE_CHECKING:
    import xarray as xr

_COLUMNS = (
    "mutual_information",
    "mutual_information_per_sample",
    "conditional_information",
    "label_entropy",
    "label_noise_entropy",
    "predictive_entropy",
    "overlap",
)
Kept = Annotated[
    int, typer.Option("--keep", help="Hidden layers whose weights count as weights; those above count as noise.", rich_help_panel=CALL)
]


@command("information", INFERENCE, unused=STUDENT_OPTIONS)
def information(
    options: Any,
    alpha: Alpha = None,
    n: Count = None,
    d: Dimension = None,
    keep: Kept = 0,
    as_json: Json = False,
    output: Output = None,
    strict: Strict = False,
) -> None:
    """Mutual information of training set and target, and entropy of the labels, in nats."""
    from gaussequiv import plot
    from gaussequiv.cli.inputs import parse_grid
    from gaussequiv.results import to_json
    from gaussequiv.run.information import information as verb

    points = {name: parse_grid(name, text) for name, text in (("alpha", alpha), ("n", n)) if text is not None}
    result = verb(build(options), **points, d=d, keep=keep)
    finish(result, output, strict, plot.information, lambda: print(json.dumps(to_json(result))) if as_json else _table(result))


def _table(result: xr.Dataset) -> None:
    """One row for each alpha, then the split over layers."""
    from rich.console import Console
    from rich.table import Table

    from gaussequiv.cli.outputs import cell

    shown = Table(box=None, pad_edge=False)
    keys = ["alpha", *(["n"] if "n" in result.coords else []), *_COLUMNS]
    for key in keys:
        shown.add_column(key, justify="right")
    shown.add_column("converged")
    for i in range(result.sizes["alpha"]):
        row = result.isel(alpha=i)
        shown.add_row(*(cell(float(row[key])) for key in keys), "yes" if row["converged"] else "NO")
    Console(width=None if Console().is_terminal else 200).print(shown)
    print("nats; mutual_information: per input dimension, weights of the equivalent; the others: per sample")
    for layer, share in zip(result["layer"].values, result["layer_information"].values, strict=True):
        print(f"layer {layer}: its nonlinear part carries {cell(share)} nats per sample")
    if "reduction_rate" in result:
        for layer in result["layer"].values[::-1]:
            rates = ", ".join(f"{rate:.3g}" for rate in result["reduction_rate"].sel(layer=layer).values)
            print(f"layer {layer} replaced: rate of the theorem's bound {rates} (its constant is not known)")
    print(f"validity: {result.attrs['validity']}")


Samples = Annotated[int | None, typer.Option("--n", help="Training samples.", rich_help_panel=CALL)]


@command("validity", INFERENCE, unused=STUDENT_OPTIONS)
def validity(options: Any, n: Samples = None, d: Dimension = None, as_json: Json = False) -> None:
    """Which hypotheses of the theorem hold, and what it promises at n samples, d inputs and --widths."""
    promise = build(options).validity(n=n, d=d)
    print(json.dumps(promise.to_dict()) if as_json else promise)
