r"""Log-evidence from annealed log-weights of both directions, and means over data sets with control variates.

With K log-weights w_i forward and v_j reverse (`annealing`),

    lower = log mean exp(w) <= log Z <= upper = -log mean exp(-v)   in expectation (Grosse, Ghahramani, Adams 2015),
    combined: the c with sum_i sigma(w_i - c) = sum_j sigma(c - v_j), sigma the logistic function (Bennett 1976), here for equal numbers,

the estimate of least variance from both, whose bias is of second order in it. The bounds hold for any number of chains and temperatures;
only the width of the bracket depends on them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from gaussequiv.errors import FloatArray, array, fail

BISECTIONS = 80
ROWS_PER_CONTROL = 8  # data sets for each fitted coefficient: with fewer, controls are left out


class Bracket(NamedTuple):
    """Bounds of log Z in expectation, and the estimate from both directions with its standard error, arrays without the chains' axis."""

    lower: FloatArray
    upper: FloatArray
    combined: FloatArray
    stderr: FloatArray


def bracket(forward: FloatArray, reverse: FloatArray) -> Bracket:
    r"""Bounds and Bennett's estimate of log Z.

    Parameters
    ----------
    forward, reverse : arrays of shape (..., chains)
        Log-weights in nats.

    The standard error assumes independent chains (Shirts and Chodera 2008); the spread over data sets needs no such assumption.

    Examples
    --------
    >>> found = bracket(np.array([-1.0, -1.2, -0.9]), np.array([-1.0, -0.8, -1.1]))
    >>> bool(found.lower < found.combined < found.upper)
    True
    """
    w, v = np.atleast_1d(array("forward", forward)), np.atleast_1d(array("reverse", reverse))
    if w.shape[:-1] != v.shape[:-1]:
        raise fail("reverse", f"an array of shape {(*w.shape[:-1], 'chains')}", v)
    n, m = w.shape[-1], v.shape[-1]
    shift = np.log(m / n)

    def terms(c: FloatArray) -> tuple[FloatArray, FloatArray]:
        return special.expit(w - c[..., None] + shift), special.expit(c[..., None] - v - shift)

    low = np.minimum(w.min(axis=-1), v.min(axis=-1)) - abs(shift) - 1.0
    high = np.maximum(w.max(axis=-1), v.max(axis=-1)) + abs(shift) + 1.0
    for _ in range(BISECTIONS):
        c = 0.5 * (low + high)
        f, g = terms(c)
        up = f.sum(axis=-1) > g.sum(axis=-1)
        low, high = np.where(up, c, low), np.where(up, high, c)
    c = 0.5 * (low + high)
    f, g = terms(c)
    variance = sum(((s**2).mean(axis=-1) / s.mean(axis=-1) ** 2 - 1) / s.shape[-1] for s in (f, g))
    lower = special.logsumexp(w, axis=-1) - np.log(n)
    upper = np.log(m) - special.logsumexp(-v, axis=-1)
    return Bracket(lower, upper, c, np.sqrt(variance))


class Adjusted(NamedTuple):
    """A mean over data sets with control variates: gain is the variance of the plain mean over that of this one."""

    mean: float
    stderr: float
    gain: float
    coefficients: FloatArray


def adjusted_mean(values: FloatArray, controls: FloatArray | None = None) -> Adjusted:
    r"""The mean of values, from which controls of known mean zero are subtracted with the coefficients of least squares.

        values = mean + controls . coefficients + rest

    Each trial is adjusted with the coefficients that the other trials give (cross-fitting), so that the mean has no bias at any number of
    trials; the standard error is asymptotic, too small by up to a tenth below 100 trials if the controls are skewed.

    Parameters
    ----------
    values : array of shape (trials,)
    controls : array of shape (trials, controls), optional
        Left out with fewer than 8 trials for each coefficient.

    Examples
    --------
    >>> z = np.linspace(-1, 1, 32)
    >>> found = adjusted_mean(2 + 3 * z + 0.01 * np.cos(40 * z), z[:, None])
    >>> round(found.mean, 2), found.gain > 1e3
    (2.0, True)
    """
    r = array("values", values, ndim=1)
    plain = float(r.std(ddof=1) / np.sqrt(r.size)) if r.size > 1 else np.nan
    if controls is None or r.size < ROWS_PER_CONTROL * (controls.shape[1] + 1):
        return Adjusted(float(r.mean()), plain, 1.0, np.zeros(0 if controls is None else controls.shape[1]))
    used = np.std(controls, axis=0) > 1e-12
    z = controls[:, used]
    design = np.column_stack([np.ones(r.size), z])
    inverse = np.linalg.pinv(design.T @ design)
    solution = inverse @ (design.T @ r)
    rest = r - design @ solution
    leverage = np.einsum("ij,jk,ik->i", design, inverse, design)
    others = solution[1:] - (design @ inverse)[:, 1:] * (rest / np.maximum(1 - leverage, 1e-12))[:, None]  # without this trial
    adjusted = r - np.einsum("ij,ij->i", z, others)
    stderr = float(adjusted.std(ddof=1) / np.sqrt(r.size))
    coefficients = np.zeros(controls.shape[1])
    coefficients[used] = solution[1:]
    return Adjusted(float(adjusted.mean()), stderr, (plain / stderr) ** 2 if stderr > 0 else np.inf, coefficients)
