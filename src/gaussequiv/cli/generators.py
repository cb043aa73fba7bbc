"""The commands `train-generator` and `diagnose`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gaussequiv.cli.base import command
from gaussequiv.cli.delivery import finish, say
from gaussequiv.cli.options import CALL, PROBLEM, Json, Output, Seed

if TYPE_CHECKING:
    import xarray as xr

REAL, GENERATED = 32, 96  # images on the sheet


@command("train-generator")
def train_generator(
    kind: Annotated[
        str,
        typer.Option("--kind", help="vae (dense decoder), conv (transposed convolutions) or flow (affine couplings).", show_default=False),
    ],
    data: Annotated[
        str,
        typer.Option(
            "--data",
            help="digits, patches (of two photographs), or FILE.npy: (rows, N) or (rows, height, width).",
            show_default=False,
        ),
    ],
    file: Annotated[
        str, typer.Option("--output", metavar="FILE.npz", help="Generator to write; a sheet of samples is FILE.png.", show_default=False)
    ],
    steps: Annotated[int | None, typer.Option("--steps", help="Batches of 128 rows. \\[default: that of the kind]")] = None,
    seed: Seed = 0,
    latents: Annotated[int | None, typer.Option("--latents", help="D. \\[default: 16; flow: N]")] = None,
    checkpoint: Annotated[str | None, typer.Option("--checkpoint", help="File to go on from after a kill.")] = None,
    as_json: Json = False,
) -> None:
    """Train a generative model of data, minutes on two cores; from Python, ge.load_generator(FILE) reads it."""
    import numpy as np

    from gaussequiv.plot.sheets import sample_sheet
    from gaussequiv.run.train_generator import train_generator as verb
    from gaussequiv.store.files import replace_figure
    from gaussequiv.trained.data import training_rows

    generator = verb(kind, data, steps=steps, seed=seed, latents=latents, output=file, checkpoint=checkpoint)
    network = generator.function
    real = training_rows(data).original
    picked = np.random.default_rng(seed).permutation(len(real))[:REAL]
    made = network(np.random.default_rng(seed).standard_normal((GENERATED, generator.latent_dim)))
    sheet = Path(file).with_suffix(".png")
    replace_figure(sheet, sample_sheet(real[picked], made, network.shape).figure, dpi=150)
    report = {
        **{"name": generator.name, "latents": generator.latent_dim, "outputs": generator.dimension, "steps": network.training["steps"]},
        **{"loss": float(network.losses[-1]), "digest": generator.digest},
    }
    print(json.dumps(report) if as_json else "\n".join(f"{name:<8} {value}" for name, value in report.items()))
    say(f"wrote {file} and {sheet}")


@command("diagnose")
def diagnose(
    generator: Annotated[
        str | None,
        typer.Option(
            "--generator",
            help="Random layers and latents per input, e.g. sign:0.5; or a trained one: digits-vae, digits-conv, a .npz file.",
            rich_help_panel=PROBLEM,
        ),
    ] = None,
    problem: Annotated[
        str | None,
        typer.Option("--problem", help="In its place: a file with kind = 'online_sgd', for a student at --time.", rich_help_panel=PROBLEM),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            help="Of students: random, coordinate, hermite2, hermite3 (comma list), or a matrix in FILE.npy or .csv, a unit in each row. "
            "\\[default: random; of a --problem: its own student]",
            rich_help_panel=PROBLEM,
        ),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option("--time", help="Of a --problem: after SGD to these times. \\[default: where it starts]", rich_help_panel=CALL),
    ] = None,
    target_sees: Annotated[
        str | None,
        typer.Option(
            "--target-sees",
            help="What the teacher's fields are of, with --generator: latents or inputs. \\[default: latents]",
            rich_help_panel=PROBLEM,
        ),
    ] = None,
    d: Annotated[int | None, typer.Option("--d", help="N, the outputs of a random generator; others fix it.", rich_help_panel=CALL)] = None,
    units: Annotated[int | None, typer.Option("--units", help="Of the student. \\[default: 2]", rich_help_panel=CALL)] = None,
    samples: Annotated[int, typer.Option("--samples", help="Fresh samples, at least 10000.", rich_help_panel=CALL)] = 50_000,
    seed: Seed = 0,
    as_json: Json = False,
    output: Output = None,
) -> None:
    """Whether fields of a generator are Gaussian, as its Gaussian equivalent needs: distances, cumulants, effects, a verdict."""
    from gaussequiv.cli.inputs import generator_section, parse_grid, read_matrix, refuse_together
    from gaussequiv.errors import ArgumentError
    from gaussequiv.plot.fields import diagnosis
    from gaussequiv.problems.generators import generator_of
    from gaussequiv.results import to_json
    from gaussequiv.run.diagnose import diagnose as verb

    refuse_together({"problem": problem}, {"generator": generator, "target_sees": target_sees})
    refuse_together({"generator": generator}, {"time": time})
    source: Any
    if problem is not None:
        from gaussequiv.cli.inputs import read_description
        from gaussequiv.problems.dictionary import from_dict

        source = from_dict(read_description(problem))
    elif generator is not None:
        source = generator_of(generator_section(generator), {})
    else:
        raise ArgumentError("Argument `generator` must be given, or --problem: --generator sign:0.5.")
    given: Any = weights
    if weights is not None:
        given = read_matrix("weights", weights) if Path(weights).suffix.lower() in (".npy", ".csv") else weights.split(",")
    times = None if time is None else parse_grid("time", time)
    result = verb(source, times, weights=given, teacher_sees=target_sees, N=d, units=units, samples=samples, seed=seed)

    def show() -> None:
        if as_json:
            print(json.dumps(to_json(result)))
        else:
            show_fields(result)

    finish(result, output, False, lambda one: diagnosis(one)[0], show)


def show_fields(result: xr.Dataset) -> None:
    """One line for each record and unit on stdout, the worst against any teacher's unit, and the verdicts below."""
    import numpy as np
    from rich.console import Console
    from rich.table import Table

    from gaussequiv.cli.outputs import cell

    dim = str(result["ks"].dims[0])
    shown = Table(box=None, pad_edge=False)
    for head in (dim, "unit", "ks", "noise", "skewness", "excess kurtosis", "mixed cumulant", "effect %", "+-"):
        shown.add_column(head, justify="right")
    for i, record in enumerate(result[dim].values.tolist()):
        for k in range(result.sizes["unit"]):
            one = result.isel({dim: i, "unit": k})
            worst = int(np.argmax(np.abs(one["effect"].values)))
            cumulant = max(one["mixed_cumulant"].values, key=abs)
            numbers = [one["ks"], one["ks_noise"], one["skewness"], one["excess_kurtosis"], cumulant]
            effect = [100 * one[name].values[worst] for name in ("effect", "effect_stderr")]
            shown.add_row(cell(record), str(k), *(f"{float(value):.4f}" for value in numbers), *(f"{value:.2f}" for value in effect))
    Console(width=None if Console().is_terminal else 160).print(shown)
    for record, verdict, reason in zip(result[dim].values.tolist(), result["verdict"].values, result["reason"].values, strict=True):
        print(f"{dim} {cell(record)}: {verdict} ({reason})")
