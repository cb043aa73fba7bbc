"""The command `train-generator`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from gaussequiv.cli.base import command
from gaussequiv.cli.delivery import say
from gaussequiv.cli.options import Json, Seed

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
