r"""The scalar equation behind every linear curve, solved on grids: lam/kappa + mean[w/(w + kappa)] = load.

kappa is the effective ridge ("kappa form" of the deterministic equivalents; kappa = lam (1 + V)/load in the replica form). The
left side falls monotonically in kappa, hence one root. Near the interpolation peak (load close to the rank, lam -> 0) it is
rewritten with rank - mean[w/(w+kappa)] = kappa mean_{w>0}[1/(w+kappa)], so that no difference of nearly equal numbers remains.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaussequiv.errors import FloatArray

MAX_STEPS = 200
SAME = 1e-13  # relative distance of load from the rank below which they are equal


class EffectiveRidge(NamedTuple):
    """kappa; slack = lam/kappa = load - mean[w/(w+kappa)]; steps; relative residual. One entry for each (load, lam)."""

    kappa: FloatArray
    slack: FloatArray
    steps: FloatArray
    residual: FloatArray


def spectral_mean(weights: FloatArray, values: FloatArray) -> FloatArray:
    """Average over the modes, the last axis."""
    return values @ weights


def solve_effective_ridge(load: FloatArray, lam: FloatArray, w: FloatArray, weights: FloatArray) -> EffectiveRidge:
    """Solve for kappa at every pair of the 1-d arrays `load` > 0 and 0 <= `lam` <= inf of equal length."""
    keep = w > 0
    w, weights = w[keep], weights[keep]
    rank = float(weights.sum())
    rank = 1.0 if abs(rank - 1.0) < 1e-14 else rank
    load = np.where(np.abs(load - rank) < SAME * rank, rank, load)  # masses are rounded sums
    kappa = np.zeros_like(load)
    steps = np.zeros(load.shape)
    residual = np.zeros(load.shape)
    infinite = np.isinf(lam)
    kappa[infinite] = np.inf
    empty = (lam == 0) & (load >= rank)  # more equations than directions: the fit is unique, kappa = 0
    todo = ~(infinite | empty)
    if w.size == 0:
        kappa[todo] = lam[todo] / load[todo]
    elif np.all(w == w[0]):
        kappa[todo] = _one_level(load[todo], lam[todo], float(w[0]), rank)
    elif todo.any():
        kappa[todo], steps[todo] = _newton(load[todo], lam[todo], w, weights, rank)
    with np.errstate(divide="ignore", invalid="ignore"):
        slack = np.where(kappa > 0, lam / kappa, np.maximum(load - rank, 0.0))
    slack = np.where(infinite, load, slack)
    if todo.any():
        k = kappa[todo]
        df1 = spectral_mean(weights, w / (w + k[:, None]))
        residual[todo] = np.abs(slack[todo] + df1 - load[todo]) / np.maximum(load[todo], df1)
    return EffectiveRidge(kappa, slack, steps, residual)


def _one_level(load: FloatArray, lam: FloatArray, w: float, rank: float) -> FloatArray:
    """load kappa^2 + ((load - rank) w - lam) kappa - lam w = 0, by the root formula that does not cancel."""
    b = (load - rank) * w - lam
    root = np.hypot(b, 2 * np.sqrt(load * lam * w))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(b > 0, 2 * lam * w / (b + root), (root - b) / (2 * load))


def _newton(load: FloatArray, lam: FloatArray, w: FloatArray, weights: FloatArray, rank: float) -> tuple[FloatArray, FloatArray]:
    """Bracketed Newton in log kappa on a log ratio whose slope stays of order one."""
    mean = float(weights @ w)
    harmonic = float(weights @ (1 / w))
    deficit = rank - load
    few = load < 0.5 * rank
    low = np.log(np.maximum(np.maximum(lam / load, np.maximum(deficit, 0.0) / harmonic), 1e-300))
    high = np.log((lam + mean) / load) + 1e-9
    low = np.minimum(low - 1e-9, high)
    y = 0.5 * (low + high)
    steps = np.zeros(load.shape)
    active = np.ones(load.shape, dtype=bool)
    for _ in range(MAX_STEPS):
        i = np.flatnonzero(active)
        if i.size == 0:
            break
        value, slope = _log_ratio(np.exp(y[i]), load[i], lam[i], deficit[i], few[i], w, weights)
        low[i] = np.where(value > 0, y[i], low[i])
        high[i] = np.where(value > 0, high[i], y[i])
        step = value / slope
        new = y[i] - step
        inside = ((new > low[i]) & (new < high[i])) | (new == y[i])  # y is an end of the bracket by now
        new = np.where(inside, new, 0.5 * (low[i] + high[i]))
        steps[i] += 1
        done = np.abs(new - y[i]) <= 4e-16 * np.maximum(1.0, np.abs(y[i]))
        y[i] = new
        active[i[done]] = False
    return np.exp(y), steps


def _log_ratio(
    kappa: FloatArray, load: FloatArray, lam: FloatArray, deficit: FloatArray, few: NDArray[np.bool_], w: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """A function of log kappa, positive left of the root, and its derivative."""
    inverse = 1 / (w + kappa[:, None])
    slack = lam / kappa
    df1 = spectral_mean(weights, w * inverse)
    ddf1 = -kappa * spectral_mean(weights, w * inverse**2)  # d df1 / d log kappa
    kg = kappa * spectral_mean(weights, inverse)  # = rank - df1 without cancellation; its derivative is -ddf1
    left_few, dleft_few = slack + df1, -slack + ddf1
    left, dleft = slack + np.maximum(deficit, 0.0), -slack
    right, dright = kg + np.maximum(-deficit, 0.0), -ddf1
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(few, np.log(left_few / load), np.log(left / right))
        slope = np.where(few, dleft_few / left_few, dleft / left - dright / right)
    return value, slope
