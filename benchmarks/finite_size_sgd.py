"""Fit the finite-size constants of online learning: ``python -m benchmarks.finite_size_sgd`` (about 20 minutes on two cores).

Writes src/gaussequiv/problems/online_sgd/finite_size.json. Every family keeps the largest |c| + 2 standard errors over its problems, their
instances, times, and both kinds of data: samples of the generator and Gaussian ones.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import gaussequiv as ge
from gaussequiv.problems.online_sgd.allowance import training_family, training_place
from gaussequiv.run.finite_size import fit_finite_size

TIMES = (0.1, 0.3, 1.0, 3.0, 10.0, 20.0)
SIZES = (100, 200, 400)
TRIALS, INSTANCES, SEED = 96, 2, 2023  # trials at the smallest size
OUT = Path(__file__).parents[1] / "src" / "gaussequiv" / "problems" / "online_sgd" / "finite_size.json"
GENERATORS = {
    "independent": [()],
    "one layer": [("sign",), ("relu",), ("erf",)],
    "deep": [("relu", "relu"), ("sign", "sign", "sign")],
}
RATIOS = {("relu",): 0.25, ("erf",): 1.0, ("sign", "sign", "sign"): 0.25}  # latents over inputs; else 1/2


def problems() -> Iterator[dict[str, Any]]:
    """From easy to hard ends of the range that a family claims; fewer of them behind generators."""
    literature = 2**-0.5
    two, scaled = ge.TwoLayer("erf", 2), ge.TwoLayer("erf", 3, readout="ones", gain=literature)
    tanh = ge.TwoLayer("tanh", 2)
    relu, committee = ge.TwoLayer("relu", 2), ge.TwoLayer("relu", 3, readout="ones")
    settings: dict[str, list[dict[str, Any]]] = {
        "sigmoidal": [
            {"student": two, "teacher": two},
            {
                "student": scaled,
                "teacher": ge.TwoLayer("erf", 3, readout="ones", gain=literature),
                "noise": 0.1,
                "rate": 0.5,
                "readout_rate": 0.0,
            },
            {"student": tanh, "teacher": ge.TwoLayer("tanh", 1), "noise": 1.0, "rate": 0.05, "readout_rate": 0.05},
            {
                "student": ge.TwoLayer("erf", 1),
                "teacher": two,
                "noise": 0.1,
                "batch": 4,
                "weight_decay": 0.1,
                "rate": 0.5,
                "readout_rate": 0.5,
            },
        ],
        "relu": [
            {"student": relu, "teacher": relu},
            {"student": committee, "teacher": ge.TwoLayer("relu", 1), "noise": 1.0, "rate": 0.05, "readout_rate": 0.0},
            {"student": ge.TwoLayer("relu", 1), "teacher": ge.TwoLayer("relu", 3), "noise": 0.1, "batch": 4, "weight_decay": 0.1},
        ],
    }
    signs = [
        {"student": two, "teacher": two, "labels": "sign"},
        {"student": scaled, "teacher": ge.TwoLayer("erf", 1), "labels": "sign", "noise": 0.3, "rate": 0.5, "readout_rate": 0.0},
    ]
    for layers in GENERATORS.values():
        for activations in layers:
            data = "generator" if activations == () else ("generator", "twin")
            base = {"generator": ge.RandomGenerator(activations, latent_ratio=RATIOS.get(activations, 0.5)), "data": data}
            every = activations == ()
            for group in (settings["sigmoidal"], settings["relu"], signs):
                for one in group if every else group[:2] if group is settings["sigmoidal"] else group[:1]:
                    yield base | one


def main() -> None:
    families: dict[str, dict[str, Any]] = {}
    for described in problems():
        for instance in range(INSTANCES):
            problem, start = ge.OnlineSGD(**described, instance=instance), time.perf_counter()
            fit = fit_finite_size(problem, time=np.array(TIMES), sizes=SIZES, trials=TRIALS, seed=SEED, progress=False)
            entry = families.setdefault(str(training_family(problem)), {"c": 0.0, "range": {}, "problems": []})
            bound = np.abs(fit.c) + 2 * fit.c_stderr
            entry["c"] = max(entry["c"], round(float(bound.max()), 2))
            for name, (low, high) in spans(problem).items():
                before = entry["range"].get(name, (low, high))
                entry["range"][name] = (round(min(before[0], low), 6), round(max(before[1], high), 6))
            row = {name: value for name, value in problem.to_dict().items() if name != "dimension"}  # sizes stand in `about`
            entry["problems"].append(row | {"c": np.round(fit.c, 2).tolist(), "c_stderr": np.round(fit.c_stderr, 2).tolist()})
            seconds = time.perf_counter() - start
            print(
                f"{training_family(problem)}: {problem.generator}, {problem.student.to_dict()}: {bound.max():.2f} ({seconds:.0f} s)",
                file=sys.stderr,
                flush=True,
            )
    command = "python -m benchmarks.finite_size_sgd"
    about = {"sizes": SIZES, "trials_at_smallest": TRIALS, "instances": INSTANCES, "seed": SEED, "times": TIMES, "command": command}
    OUT.write_text(json.dumps({"about": about, "families": families}, indent=1) + "\n")


def spans(problem: ge.OnlineSGD) -> dict[str, tuple[float, float]]:
    """What a fit covers: from the start to the last time."""
    first, last = training_place(problem, 0.0), training_place(problem, TIMES[-1])
    return {name: (first[name], last[name]) for name in first}


if __name__ == "__main__":
    main()
