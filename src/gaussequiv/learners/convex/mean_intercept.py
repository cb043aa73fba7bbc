r"""How far a finite student is from its limit where the mean of its inputs stands in for an intercept.

A constant c is then carried by the weight c/sqrt(M) along the mean, M = |mean|^2/p, and that weight also multiplies what fluctuates in
this direction: the student's field gains the variance c^2 s/(M p), s the variance of one input. It vanishes like 1/p, but with M in the
denominator. Heuristic, verified by simulation.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import AccuracyWarning, FloatArray
from gaussequiv.learners.base import Learner
from gaussequiv.learners.convex.labels import linearise

LARGE = 0.05  # of the error, as the largest finite-size allowance


def mean_intercept_effect(learner: Learner, e: GaussianEquivalent, curve: Mapping[str, FloatArray], d: int) -> FloatArray:
    """c^2 s/(M p) at every alpha, relative to the error without its variance part (regression) or to q (labels); 0 with an intercept."""
    none = np.zeros_like(curve["test_error"])
    if learner.risk is None or learner.fits_intercept(e) or e.input_mean_square <= 0:
        return none
    constant = curve.get("intercept", none) ** 2
    if learner.risk.loss.kind == "residual":  # an average over offsets of both signs is 0, its square not
        labels = linearise(e, True)
        constant = np.maximum(constant, float(labels.mass @ labels.intercept**2))
    added = constant * float(e.weights @ e.eigenvalues) / (e.input_mean_square * e.aspect * d)
    scale = curve["test_error"] - curve.get("variance", none) if e.channel.task == "regression" else curve["q"]
    return np.divide(added, scale, out=none, where=np.isfinite(scale) & (scale > 0))


def warn_mean_intercept(learner: Learner, e: GaussianEquivalent, curve: Mapping[str, FloatArray], d: int) -> None:
    """Say so where the effect exceeds what a verdict allows for at this d."""
    effect = float(mean_intercept_effect(learner, e, curve, d).max(initial=0.0))
    if effect > LARGE:
        warnings.warn(
            f"{learner.label} has no intercept and learns the constant through the mean of its inputs or features: at d={d} that raises "
            f"errors by about {100 * effect:.2g}% beyond the limit. Fit an intercept, or take a larger d.",
            AccuracyWarning,
            stacklevel=2,
        )
