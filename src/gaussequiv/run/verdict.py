"""`judge`: whether simulated means agree with theory, disagree, or cannot tell."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gaussequiv.errors import FloatArray

Z_LIMIT = 4.0
LARGEST_ALLOWANCE = 0.05  # of the theory's value: a larger finite-size allowance would pass anything
LARGEST_STDERR = 0.05  # of the theory's value: beyond, the error bars cannot tell
MINIMUM_TRIALS = 16
ROUNDING = 1e-10  # an exactly solved problem leaves nothing but rounding


class Verdict(NamedTuple):
    """agree, disagree or inconclusive, with the reason."""

    verdict: str
    reason: str


def judge(value: FloatArray, mean: FloatArray, stderr: FloatArray, allowed: FloatArray, trials: int, converged: Any) -> Verdict:
    """One verdict for all points; see `compare`."""
    if not np.all(converged):
        return Verdict("inconclusive", f"{int(np.sum(~np.asarray(converged)))} points did not converge")
    if trials < MINIMUM_TRIALS:
        return Verdict("inconclusive", f"{trials} trials are fewer than {MINIMUM_TRIALS}")
    known = np.isfinite(allowed)
    rounding = ROUNDING * max(1.0, float(np.max(np.abs(value))))
    bound = np.where(known, allowed, LARGEST_ALLOWANCE * np.abs(value)) + Z_LIMIT * stderr + rounding
    deviation = np.abs(mean - value)
    outside = ~(deviation <= bound)
    worst = float(np.max(np.divide(deviation, stderr, out=np.zeros_like(deviation), where=stderr > rounding)))
    if outside.any():
        share = float(np.max(deviation[outside] / np.maximum(np.abs(value[outside]), rounding)))
        return Verdict(
            "disagree",
            f"{int(outside.sum())} of {outside.size} points deviate beyond 4 standard errors and the allowance, by up to {share:.1%}",
        )
    if not known.all():
        return Verdict(
            "inconclusive",
            f"no finite-size allowance was fitted for {int((~known).sum())} of {known.size} points (largest |z| {worst:.1f})",
        )
    if np.any(stderr > LARGEST_STDERR * np.abs(value) + rounding):
        share = float(np.max(stderr / np.maximum(np.abs(value), rounding)))
        return Verdict("inconclusive", f"error bars reach {share:.1%} of the value; more trials or a larger d would tell")
    return Verdict("agree", f"all {known.size} points within 4 standard errors and the finite-size allowance (largest |z| {worst:.1f})")
