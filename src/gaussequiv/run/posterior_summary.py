"""From what chains recorded to numbers: errors of the posterior mean, of a draw, overlaps, calibration, each with R-hat and sample size."""

from __future__ import annotations

from typing import Any

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.numerics.diagnostics import effective_sample_size, mean_standard_error, r_hat
from gaussequiv.numerics.status import Status

R_HAT_LIMIT = 1.05  # beyond, or below LEAST_SIZE effective draws, a point counts as not converged
LEAST_SIZE = 100.0
LEVELS = np.array([0.5, 0.8, 0.9, 0.95])  # of the central predictive intervals
PER_LAYER = ("weight_overlap", "kernel_overlap")
UNTRACED = ("weights",)  # recorded on request, not judged
# what depends on the mean over draws of predictions: judged by the fields at the traced test rows, the worst of them
OF_THE_MEAN = ("test_error", "clean_error", "q", "log_loss", "calibration_error", "coverage", "brier")

Arrays = dict[str, Any]


def summarise(traces: Arrays, sums: Arrays, test_y: FloatArray, clean: FloatArray, task: str) -> Arrays:
    """All numbers of one group of chains (those of one start) on one data set.

    Parameters
    ----------
    traces : arrays of shape (chains, draws, ...)
    sums : arrays of shape (chains, rows), sums over the draws (`log_density`: the logarithm of the sum of exponentials)
    test_y, clean : labels of the test rows with and without their noise, (rows,)
    """
    draws = traces["m"].shape[1]
    means = {name: values / draws for name, values in sums.items() if name != "log_density"}
    log_density = np.logaddexp.reduce(sums["log_density"], axis=0) - np.log(sums["log_density"].shape[0] * draws)
    out = _mean_predictor(means, test_y, clean, task) | {"log_loss": -float(log_density.mean())}
    out |= _traced(traces)
    worst = {"r_hat": float(out["probe_r_hat"].max()), "ess": float(out["probe_ess"].min())}
    for name in [name for name in OF_THE_MEAN if name in out]:
        out |= {f"{name}_{kind}": value for kind, value in worst.items()}
    for name in list(out):
        if name.startswith("probe"):
            del out[name]
    every = [np.ravel(value) for name, value in out.items() if name.endswith("_r_hat")]
    sizes = [np.ravel(value) for name, value in out.items() if name.endswith("_ess")]
    out["r_hat"], out["ess"] = float(np.max(np.concatenate(every))), float(np.min(np.concatenate(sizes)))
    out["status"] = float(_status(out))
    return out


def _mean_predictor(means: Arrays, test_y: FloatArray, clean: FloatArray, task: str) -> Arrays:
    prediction = means["prediction"].mean(axis=0)
    chains = len(means["field"])
    if task == "classification":
        label = np.where(prediction >= 0.5, 1.0, -1.0)
        out: Arrays = {"test_error": np.mean(label != test_y), "clean_error": np.mean(label != clean)}
        out["calibration_error"] = binned_calibration_error((test_y > 0).astype(float), prediction)
        out["brier"] = float(np.mean((prediction - (test_y > 0)) ** 2))
    else:
        # independent chains: the variance between their means, over their number, is what the finite number of draws adds to the error
        excess = float(means["prediction"].var(axis=0, ddof=1).mean()) / chains
        out = {"test_error": np.mean((prediction - test_y) ** 2), "clean_error": np.mean((prediction - clean) ** 2)}
        out["sampling_excess"] = excess
        rank = means["below"].mean(axis=0)  # P(label <= the one that came | data): uniform where the prediction is calibrated
        out["coverage"] = np.array([np.mean(np.abs(rank - 0.5) <= level / 2) for level in LEVELS])
        out["calibration_error"] = kolmogorov_distance(rank)
    field = means["field"] - means["field"].mean(axis=1, keepdims=True)
    between = field @ field.T / field.shape[1]
    out["q"] = float((between.sum() - np.trace(between)) / (chains * (chains - 1)))  # pairs of different chains: no bias by few draws
    return {name: np.asarray(value, dtype=float) for name, value in out.items()}


def _traced(traces: Arrays) -> Arrays:
    out: Arrays = {}
    for name, values in traces.items():
        if name in UNTRACED:
            continue
        out[name] = values.mean(axis=(0, 1))
        out[f"{name}_r_hat"], out[f"{name}_ess"] = r_hat(values), effective_sample_size(values)
        out[f"{name}_mcse"] = mean_standard_error(values)
    return out


def _status(out: Arrays) -> Status:
    numbers = np.concatenate([np.ravel(value) for value in out.values()])
    if not np.all(np.isfinite(numbers)):
        return Status.nonfinite
    return Status.converged if out["r_hat"] <= R_HAT_LIMIT and out["ess"] >= LEAST_SIZE else Status.max_steps


def binned_calibration_error(positive: FloatArray, said: FloatArray, bins: int = 10) -> float:
    """Mean |frequency of +1 - mean predicted probability| over bins of equally many rows; noise alone leaves about 0.4 sqrt(bins/rows)."""
    order = np.array_split(np.argsort(said, kind="stable"), min(bins, said.size))
    return float(sum(part.size * abs(positive[part].mean() - said[part].mean()) for part in order) / said.size)


def kolmogorov_distance(rank: FloatArray) -> float:
    """Largest distance of the distribution of predictive ranks from the uniform one; noise alone leaves about 0.87/sqrt(rows)."""
    ordered = np.sort(rank)
    steps = np.arange(ordered.size + 1) / ordered.size
    return float(np.max(np.maximum(ordered - steps[:-1], steps[1:] - ordered)))


def between_starts(groups: list[Arrays]) -> float:
    """The largest R-hat of all traced scalars with the chains of all starts together: large where the starts disagree."""
    names = [name for name in groups[0] if name not in UNTRACED]
    return float(max(np.max(r_hat(np.concatenate([group[name] for group in groups]))) for name in names))
