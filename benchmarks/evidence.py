"""Measure finite deep networks against their linear equivalents: ``python -m benchmarks.evidence FOLDER HOURS [SIZES]``.

Continues the trials kept in FOLDER for about HOURS (a quarter of them for n = d^1.25 and d^1.5), up to the full plan of
`gaussequiv reproduce camilli2025`, or with other SIZES (a comma list); writes the Datasets and figures into FOLDER and
docs/deep_information_table.md. With 0 HOURS nothing new is annealed.

``python -m benchmarks.evidence plan [SIZES]`` prints the cells, ``python -m benchmarks.evidence cell FOLDER SECONDS ACTIVATION DEPTH D N``
measures one of them: several processes, on several machines, can fill a FOLDER. On an accelerator 128 networks are annealed at once.

``python -m benchmarks.evidence cost`` prints seconds and bracket of one data set for some sizes.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from gaussequiv.papers import camilli2025
from gaussequiv.reproduce.power_fit import table
from gaussequiv.results import save, versions
from gaussequiv.run.evidence import network_information

SEED = 0
OUT = Path(__file__).parents[1] / "docs" / "deep_information_table.md"
HEAD = """# Finite deep networks against their linear equivalent

Measured deviations of the mutual information per sample and of the Bayes error from those of the linear equivalent at the same n and d
(`gaussequiv reproduce camilli2025`): widths d, label noise {noise}, seed {seed}. Made by `python -m benchmarks.evidence` with
gaussequiv {version} on: {machines}.

"""


def scale_of(sizes: str | None) -> camilli2025.Scale:
    """The full plan, or the same with other sizes (a comma list)."""
    if sizes is None:
        return camilli2025.FULL
    numbers = tuple(int(d) for d in sizes.split(","))
    return replace(camilli2025.FULL, sizes=numbers, beyond_sizes=numbers)


def measure(folder: Path, hours: float, sizes: str | None = None) -> None:
    """Both figures' data, pictures and the table."""
    scale = scale_of(sizes)
    folder.mkdir(parents=True, exist_ok=True)
    data = camilli2025.measure_grid(scale, SEED, folder, 0.75 * hours)
    data |= camilli2025.measure_beyond(scale, SEED, folder, 0.25 * hours)
    for figure, name in zip(camilli2025.PAPER.figures, ("grid", "beyond"), strict=True):
        save(data[name], folder / f"{camilli2025.KEY}-{figure.name}-{name}.nc")
        figure.draw(data).savefig(folder / f"{camilli2025.KEY}-{figure.name}.png", dpi=200)
        for check in figure.check(data):
            print(f"{'ok ' if check.agrees else 'NO '} {check.name}: {check.computed:.6g} against {check.reference:.6g}", file=sys.stderr)
    machines = "; ".join(sorted({name for part in data.values() for name in part.attrs["made_with"].split("; ")}))
    head = HEAD.format(noise=camilli2025.NOISE, seed=SEED, version=versions()["gaussequiv"], machines=machines)
    OUT.write_text(head + table(data["grid"], data["beyond"]))


def plan(sizes: str | None = None) -> None:
    """The cells and about their seconds on one core."""
    scale = scale_of(sizes)
    cells = [*camilli2025.grid_cells(scale).values(), *camilli2025.beyond_cells(scale).values(), camilli2025.linear_cell(scale)]
    for cell in dict.fromkeys(cells):
        print(*cell, round(scale.seconds(cell)))


def measure_cell(folder: Path, seconds: float, cell: camilli2025.Cell) -> None:
    """Trials and control draws of one cell into its file."""
    start = time.perf_counter()
    found = camilli2025.measure_cell(cell, camilli2025.FULL, SEED, folder, seconds, progress=False)
    if found is None:
        sys.exit(f"{folder} holds fewer than {camilli2025.LEAST_TRIALS} networks of {cell}")
    about = (f"{float(found[name].mean()):.3g} {name}" for name in ("trials", "temperatures", "gap", "acceptance"))
    print(*cell, f"{time.perf_counter() - start:.0f} s:", ", ".join(about), flush=True)


def cost() -> None:
    """Seconds of one data set, without compilation, and the bracket of its evidence, at n = d."""
    print("| network | d | seconds | temperatures | bracket of log Z (nats) | spread of the adjusted difference (nats) |")
    print("|---|---|---|---|---|---|")
    for activation, depth in (("tanh(2x)", 1), ("tanh(2x)", 3), ("relu", 1)):
        for d, trials in ((20, 48), (40, 32), (80, 8)):
            options = {"d": d, "control_trials": 2, "seed": SEED, "together": 1}
            problem = camilli2025.problem(activation, depth)
            network_information(problem, 1.0, trials=2, **options)
            start = time.perf_counter()
            network_information(problem, 1.0, trials=2, **options)
            fixed = time.perf_counter() - start  # the pilot
            start = time.perf_counter()
            found = network_information(problem, 1.0, trials=2 + trials, **options)
            seconds = (time.perf_counter() - start - fixed) / trials
            bracket = float((found.log_evidence_upper - found.log_evidence_lower).mean())
            spread = float(np.std(found.log_evidence - found.log_evidence_kernel))
            row = (
                f"{activation}, L = {depth}",
                d,
                f"{seconds:.3f}",
                f"{float(found.temperatures[0]):.0f}",
                f"{bracket:.3f}",
                f"{spread:.2f}",
            )
            print("| " + " | ".join(map(str, row)) + " |", flush=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["cost"]:
            cost()
        case ["plan", *sizes]:
            plan(*sizes)
        case ["cell", folder, seconds, activation, depth, d, n]:
            measure_cell(Path(folder), float(seconds), camilli2025.Cell(activation, int(depth), int(d), int(n)))
        case [folder, hours, *sizes]:
            measure(Path(folder), float(hours), *sizes)
        case _:
            sys.exit(__doc__)
