"""Bayes-optimal inference beyond Gaussian noise: curves and thresholds, beside the loops of a notebook."""

from __future__ import annotations

import numpy as np

import gaussequiv as ge
from benchmarks import notebook_glm
from benchmarks.erm import _row
from benchmarks.measure import Row, seconds

SIGN = ge.Problem(ge.LinearTarget("rademacher", labels="sign"), learner=ge.BayesOptimal(branch="uninformed"))
FEW = np.array([0.5, 1.0, 3.0])


def _steep(z: np.ndarray) -> np.ndarray:
    return np.tanh(3 * z)


def run() -> list[Row]:
    """Time curves against loops, then thresholds and a phase diagram alone."""
    deep = ge.Problem(ge.DeepNetwork("tanh", depth=2, weight_variance=4, labels=ge.Output(_steep, 0.05)))
    e = deep.equivalent()
    rows = [
        _row(
            "binary weights, sign labels, 20 alphas",
            lambda: ge.solve(SIGN, notebook_glm.ALPHA)["overlap"].values,
            notebook_glm.rademacher_sign,
            0.5,
        ),
        _row(
            "deep target, tanh(3S) readout, 3 alphas",
            lambda: ge.solve(deep, FEW)["overlap"].values,
            lambda: notebook_glm.steep_readout(e.slope2, e.model_noise, FEW),
            1.0,
        ),
    ]
    sparse = ge.Problem(ge.LinearTarget("gauss-bernoulli:0.1", noise=1e-6))
    grid = {"density": np.linspace(0.05, 0.6, 12)}
    calls = {
        "thresholds, binary weights and sign labels": lambda: ge.thresholds(SIGN),
        "thresholds, noiseless phase retrieval": lambda: ge.thresholds(ge.Problem(ge.LinearTarget(labels="abs"))),
        "phase diagram, sparse weights, 12 x 80": lambda: ge.phase_diagram(sparse, grid, np.linspace(0.05, 1, 80), progress=False),
    }
    return rows + [Row(name, float(np.median([seconds(call) for _ in range(3)]))) for name, call in calls.items()]
