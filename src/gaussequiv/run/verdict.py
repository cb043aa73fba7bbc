"""`judge`: whether simulated means agree with theory, disagree, or cannot tell."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gaussequiv.errors import FloatArray

Z_LIMIT = 4.0
LARGEST_ALLOWANCE = 0.05  # of the theory's value: a larger finite-size allowance would pass anything
LARGEST_STDERR = 0.05  # of the theory's value: beyond, the error bars cannot tell
LARGEST_BAND = 0.15  # 4 standard errors and the allowance, of the theory's value: a wider band would pass theories that are wrong
REAL, LEFT = 5.5, 2.0  # z of a deviation that is certainly real, and the standard errors left to it beyond the allowance
MINIMUM_TRIALS = 16
ROUNDING = 1e-10  # an exactly solved problem leaves nothing but rounding


class Verdict(NamedTuple):
    """agree, disagree or inconclusive, with the reason."""

    verdict: str
    reason: str


def judge(
    value: FloatArray, mean: FloatArray, stderr: FloatArray, allowed: FloatArray, trials: Any, converged: Any, left_out: int = 0
) -> Verdict:
    """One verdict for all points, from the trials of each that have a fit; `left_out` training sets had a single class.

    A correct theory differs from the mean by a bias of finite size, at most the allowance A, and by the simulation's standard error s. A
    point deviates if |mean - theory| > A + 4 s, or, where |z| > 5.5 says that a difference is real, if it is more than A + 2 s: a bias may
    explain that much. (Without the second rule a difference of 5.9 standard errors could hide behind error bars and allowance together.)
    Where A is unknown, the largest possible one, 5% of the value, stands for it.

    disagree: a point deviates. inconclusive: unconverged points, fewer than 16 trials, no allowance, standard errors above 5% of the
    value, or a band A + 4 s above 15% of it, within which a wrong theory could lie as well. agree: otherwise.
    """
    found = _judge(value, mean, stderr, allowed, int(np.min(trials)), converged)
    if not left_out:
        return found
    return found._replace(reason=f"{found.reason}; {left_out} training sets had a single class of labels and were left out")


def _judge(value: FloatArray, mean: FloatArray, stderr: FloatArray, allowed: FloatArray, trials: int, converged: Any) -> Verdict:
    if not np.all(converged):
        return Verdict("inconclusive", f"{int(np.sum(~np.asarray(converged)))} points did not converge")
    if trials < MINIMUM_TRIALS:
        return Verdict("inconclusive", f"{trials} trials are fewer than {MINIMUM_TRIALS}")
    known = np.isfinite(allowed)
    size = np.abs(value)
    rounding = ROUNDING * max(1.0, float(np.max(size)))
    possible = np.where(known, allowed, LARGEST_ALLOWANCE * size)
    band = possible + Z_LIMIT * stderr + rounding
    deviation = np.abs(mean - value)
    real = deviation > REAL * stderr + rounding
    outside = ~(deviation <= np.where(real, possible + LEFT * stderr + rounding, band))
    worst = float(np.max(np.divide(deviation, stderr, out=np.zeros_like(deviation), where=stderr > rounding)))
    if outside.any():
        share = float(np.max(deviation[outside] / np.maximum(size[outside], rounding)))
        errors = "4 standard errors" if np.any(~(deviation <= band)) else f"{LEFT:.0f} standard errors (largest |z| {worst:.1f})"
        return Verdict(
            "disagree", f"{int(outside.sum())} of {outside.size} points deviate beyond {errors} and the allowance, by up to {share:.1%}"
        )
    if not known.all():
        return Verdict(
            "inconclusive",
            f"no finite-size allowance was fitted for {int((~known).sum())} of {known.size} points (largest |z| {worst:.1f})",
        )
    if np.any(stderr > LARGEST_STDERR * size + rounding):
        share = float(np.max(stderr / np.maximum(size, rounding)))
        return Verdict("inconclusive", f"error bars reach {share:.1%} of the value; more trials or a larger d would tell")
    if np.any(band > LARGEST_BAND * size + 2 * rounding):
        share = float(np.max(band / np.maximum(size, rounding)))
        return Verdict(
            "inconclusive",
            f"4 standard errors and the finite-size allowance come to {share:.1%} of the value: a wrong theory could lie within; "
            "more trials or a larger d would tell",
        )
    return Verdict("agree", f"all {known.size} points within 4 standard errors and the finite-size allowance (largest |z| {worst:.1f})")
