"""The observables of `scores`, measured on the rows of a simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg, optimize

from gaussequiv.errors import FloatArray

NAMES = ("test_loss", "train_loss", "intercept", "V")
LABEL_NAMES = ("auc",)
PROBABILITY_NAMES = ("log_loss", "brier", "calibration_error")
ON_KINK = 1e-7  # rows whose field sits at a kink of the loss, relative to the field's scale


def measured_names(loss: Any, task: str) -> tuple[str, ...]:
    """What `fresh_scores` and `training_scores` give for a loss."""
    if task == "regression":
        return NAMES
    return NAMES + LABEL_NAMES + (PROBABILITY_NAMES if loss.gives_probability else ())


def fresh_scores(loss: Any, channel: Any, y: FloatArray, z: FloatArray) -> dict[str, float]:
    """Observables on fresh rows: labels y, student fields z.

    The calibration error compares the loss's probability with that of the rows: a curve of the channel's own family in
    a + b z fitted to the labels, so that the estimate is not raised by noise the way a binned one is.
    """
    out = {"test_loss": float(np.mean(loss.value(y, z)))}
    if channel.task == "regression":
        return out
    said = loss.probability(z)
    if said is not None:
        out["log_loss"] = out["test_loss"]
    return out | label_scores(channel, y, z, said)


def label_scores(channel: Any, y: FloatArray, z: FloatArray, said: FloatArray | None) -> dict[str, float]:
    """auc of the scores z and, where P(y = +1) was said, Brier score and calibration error; labels without both values have no auc.

    The calibration error of N rows is a mean of absolute values: it does not fall below its noise, about 0.9/sqrt(N) when calibrated.
    """
    out: dict[str, float] = {}
    ranks = np.empty(z.size)
    ranks[np.argsort(z)] = np.arange(1, z.size + 1)  # scores are continuous: no ties
    positive = y > 0
    count = float(positive.sum())
    if 0 < count < y.size:
        out["auc"] = float((ranks[positive].sum() - count * (count + 1) / 2) / (count * (y.size - count)))
    else:
        out["auc"] = np.nan
    if said is not None:
        out["brier"] = float(np.mean((said - positive) ** 2))
        out["calibration_error"] = float(np.mean(np.abs(said - fitted_probability(channel, y, z))))
    return out


def fitted_probability(channel: Any, y: FloatArray, z: FloatArray) -> FloatArray:
    """P(y = +1 | z) = E p(a + b z + rest) by maximum likelihood in (a, b), in the channel's own family with a unit rest."""
    scale = max(float(np.std(z)), 1e-300)

    def cost(theta: FloatArray) -> float:
        p = channel.probability(y, theta[0] + theta[1] * z / scale, np.ones_like(z)).value
        return -float(np.mean(np.log(np.maximum(p, 1e-300))))

    best: Any = optimize.minimize(cost, np.array([0.0, 0.5]), method="BFGS", options={"gtol": 1e-6})
    fitted: FloatArray = channel.up(best.x[0] + best.x[1] * z / scale, np.ones_like(z)).value
    return fitted


def mean_loss(loss: Any, y: FloatArray, z: FloatArray, weight: FloatArray | None) -> float:
    """Mean weighted loss on the training rows."""
    values = loss.value(y, z)
    return float(np.mean(values if weight is None else weight * values))


def susceptibility(
    loss: Any, lam: float, v: FloatArray, y: FloatArray, z: FloatArray, weight: FloatArray | None, fresh: FloatArray
) -> float:
    r"""V = mean over fresh rows of v'(H^-1)v/p, H = lam + sum_i s_i l''(y_i, z_i) v_i v_i'/p the Hessian of the objective.

    Rows at a kink of the loss have infinite curvature: H^-1 acts on their orthogonal complement. `v` are the student's training rows,
    `fresh` some centred fresh ones. lam > 0, L2 penalty.
    """
    p = v.shape[1]
    rows = v / np.sqrt(p)
    curvature = loss.curvature(y, z) * (1.0 if weight is None else weight)
    t = y * z if loss.kind == "margin" else z - y
    positions = np.array([kink[0] for kink in loss.kinks]).reshape(-1, 1)
    held = np.any(np.abs(t - positions) < ON_KINK * max(1.0, float(np.std(z))), axis=0) if positions.size else np.zeros(y.size, dtype=bool)
    H = rows[~held].T @ (curvature[~held, None] * rows[~held])
    H[np.diag_indices(p)] += lam
    factor = linalg.cho_factor(H, overwrite_a=True)
    right = fresh.T / np.sqrt(p)
    solved = linalg.cho_solve(factor, right)
    value = np.einsum("pk,pk->k", right, solved)
    if held.any():
        across = linalg.cho_solve(factor, rows[held].T)
        gram = rows[held] @ across
        lost = np.linalg.pinv(gram, rcond=1e-12, hermitian=True) @ (rows[held] @ solved)  # more rows than dimensions may sit there
        value = value - np.einsum("hk,hk->k", rows[held] @ solved, lost)
    return float(np.mean(value))


def margin_cdf(y: FloatArray, z: FloatArray, margins: FloatArray) -> FloatArray:
    """Fraction of rows with y z <= margin; rows that a solver left beside a kink of the loss count as on it."""
    return np.searchsorted(np.sort(y * z), margins + ON_KINK * max(1.0, float(np.std(z))), side="right") / y.size


def calibration(loss: Any, y: FloatArray, z: FloatArray, probabilities: FloatArray) -> FloatArray:
    """Frequency of +1 given the predicted probability, by local linear regression in z of bandwidth 0.2 std(z); nan beyond the rows."""
    spread = float(np.std(z))
    at = np.interp(probabilities, loss.probability(np.linspace(-40, 40, 8001)), np.linspace(-40, 40, 8001))
    out = np.full(probabilities.size, np.nan)
    for j, centre in enumerate(at):
        u = (z - centre) / (0.2 * spread)
        weight = np.exp(-0.5 * u * u)
        s0, s1, s2 = weight.sum(), weight @ u, weight @ (u * u)
        if s0 > 10:
            up = y > 0
            out[j] = (s2 * weight[up].sum() - s1 * (weight @ (u * up))) / (s0 * s2 - s1 * s1)
    return out
