"""Time and peak memory of simulations of true networks, each in its own process.

``python -m benchmarks.simulation d1000`` (or d2000) runs one and prints what it took as JSON.
"""

from __future__ import annotations

import json
import sys
from statistics import median

import numpy as np

from benchmarks.measure import Row, cold, peak_bytes, seconds

LAM = np.geomspace(0.01, 10, 10)
CASES = {
    "d1000": {"label": "simulation d=1000, alpha=2, 4 trials, Bayes + 10 lam", "d": 1000, "alpha": 2.0, "trials": 4, "bayes": True},
    "d2000": {"label": "simulation d=2000, alpha=7, 1 trial, 10 lam", "d": 2000, "alpha": 7.0, "trials": 1, "bayes": False},
}
MEMORY_AIM = 6e9


def measure(name: str) -> dict[str, float]:
    """Run one case in this process."""
    import gaussequiv as ge

    case = CASES[name]
    learners = tuple(ge.Ridge(lam) for lam in LAM) + ((ge.BayesOptimal(),) if case["bayes"] else ())
    target = ge.DeepNetwork("tanh", depth=2, weight_variance=4, width_ratios=1.4)
    problem = ge.Problem(target=target, learner=learners)
    taken = seconds(lambda: ge.simulate(problem, case["alpha"], d=case["d"], trials=case["trials"], seed=0, progress=False))
    return {"seconds": taken, "peak": float(peak_bytes())}


def run(rounds: int = 3) -> list[Row]:
    """Time and memory of every case; the large one must stay under its memory aim."""
    rows = []
    for name, case in CASES.items():
        results = [json.loads(cold([sys.executable, "-m", "benchmarks.simulation", name], rounds=1)[1]) for _ in range(rounds)]
        peak = max(result["peak"] for result in results)
        rows += [
            Row(f"{case['label']}: time", median(result["seconds"] for result in results)),
            Row(f"{case['label']}: peak memory", peak, unit="B", below=MEMORY_AIM if name == "d2000" else None),
        ]
        assert name != "d2000" or peak < MEMORY_AIM, f"{case['label']}: peak memory {peak / 1e9:.2f} GB"
    return rows


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
