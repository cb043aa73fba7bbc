"""Measure finite deep networks against their linear equivalents: ``python -m benchmarks.evidence FOLDER HOURS [SIZES]``.

Continues the trials kept in FOLDER for about HOURS (a quarter of them for n = d^1.25 and d^1.5), up to the full plan of
`gaussequiv reproduce camilli2025`, or with other SIZES (a comma list); writes the Datasets and figures into FOLDER and
docs/deep_information_table.md. ``python -m benchmarks.evidence cost`` prints seconds and bracket of one data set for some sizes.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from gaussequiv.papers import camilli2025
from gaussequiv.papers.camilli2025_fit import table
from gaussequiv.results import save, versions
from gaussequiv.run.evidence import network_information

SEED = 0
OUT = Path(__file__).parents[1] / "docs" / "deep_information_table.md"
HEAD = """# Finite deep networks against their linear equivalent

Measured deviations of the mutual information per sample and of the Bayes error from those of the linear equivalent at the same n and d
(`gaussequiv reproduce camilli2025`): widths d, label noise {noise}, seed {seed}; {versions}. Made by
`python -m benchmarks.evidence FOLDER HOURS`; {hours:.2g} hours on one core this time.

"""


def measure(folder: Path, hours: float, sizes: tuple[int, ...] | None) -> None:
    """Both figures' data, pictures and the table."""
    scale = camilli2025.FULL if sizes is None else replace(camilli2025.FULL, sizes=sizes, beyond_sizes=sizes)
    start = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    data = camilli2025.measure_grid(scale, SEED, folder, 0.75 * hours)
    data |= camilli2025.measure_beyond(scale, SEED, folder, 0.25 * hours)
    for figure, name in zip(camilli2025.PAPER.figures, ("grid", "beyond"), strict=True):
        save(data[name], folder / f"{camilli2025.KEY}-{figure.name}-{name}.nc")
        figure.draw(data).savefig(folder / f"{camilli2025.KEY}-{figure.name}.png", dpi=200)
        for check in figure.check(data):
            print(f"{'ok ' if check.agrees else 'NO '} {check.name}: {check.computed:.6g} against {check.reference:.6g}", file=sys.stderr)
    about = ", ".join(f"{name} {version}" for name, version in versions().items())
    spent = (time.perf_counter() - start) / 3600
    OUT.write_text(HEAD.format(noise=camilli2025.NOISE, seed=SEED, versions=about, hours=spent) + table(data["grid"], data["beyond"]))


def cost() -> None:
    """Seconds of one data set, without compilation, and the bracket of its evidence, at n = d."""
    print("| network | d | seconds | temperatures | bracket of log Z (nats) | spread of the adjusted difference (nats) |")
    print("|---|---|---|---|---|---|")
    for activation, depth in (("tanh(2x)", 1), ("tanh(2x)", 3), ("relu", 1)):
        for d, trials in ((20, 48), (40, 32), (80, 8)):
            options = {"d": d, "control_trials": 2, "seed": SEED}
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
    if sys.argv[1:] == ["cost"]:
        cost()
    elif len(sys.argv) in (3, 4):
        given = tuple(int(d) for d in sys.argv[3].split(",")) if len(sys.argv) == 4 else None
        measure(Path(sys.argv[1]), float(sys.argv[2]), given)
    else:
        sys.exit(__doc__)
