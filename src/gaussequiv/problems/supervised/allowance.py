"""Finite-size allowances of supervised problems: the committed relative bias c/d of simulated mean errors, of each family of problems.

`finite_size.json` is written by ``python -m benchmarks.finite_size``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gaussequiv.curve import Curve
from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.channels.gaussian import GaussianNoise
from gaussequiv.ingredients.channels.sign import Sign
from gaussequiv.ingredients.priors.named import Gaussian
from gaussequiv.learners.base import Learner
from gaussequiv.problems.committed import CommittedFits

if TYPE_CHECKING:
    from gaussequiv.problems.supervised.description import Problem

COMMITTED = CommittedFits("gaussequiv.problems.supervised")


def family(problem: Problem, learner: Learner) -> str | None:
    """The family whose fit may cover a problem: task, learner or loss, odd or with offset, isotropic or structured inputs, features."""
    target, inputs = problem.target, problem.inputs
    if not inputs.gaussian or inputs.mean_square > 0:
        return None
    if not isinstance(target.channel, (GaussianNoise, Sign)):
        return None
    if not isinstance(target.prior, (Gaussian, type(None))):
        return None
    if target.offset is not None or learner.family is None:
        return None  # given offsets were not fitted
    odd = all(a.parity == "odd" for a in target.layers) and not any(target.bias_variance) and not target.readout_bias_variance
    shape = "isotropic" if inputs.isotropic else "structured"
    key = f"{target.task}/{learner.family}/{'odd' if odd else 'offset'}/{shape}"
    if not problem.sees_features(learner):
        return key
    features = problem.features
    plain = features.depth == 1 and features.layers[0].parity == "odd" and not any(features.bias_variance)
    return f"{key}/{features.name}" if plain else None


def coordinates(problem: Problem, equivalent: GaussianEquivalent, d: int) -> dict[str, float]:
    """What places a problem inside or outside the range of a fit, learner apart."""
    e = equivalent
    widths = problem.target.widths_at(d)
    return {
        "depth": float(problem.target.depth),
        "width_ratio": min((width / d for width in widths), default=1e9),
        "noise_to_signal": e.noise / e.signal_variance if e.signal_variance > 0 else np.inf,
        "participation": float((e.weights @ e.eigenvalues) ** 2 / (e.weights @ e.eigenvalues**2)),
    }


def learner_coordinates(problem: Problem, equivalent: GaussianEquivalent, learner: Learner, d: int, lam: float) -> dict[str, float]:
    """What places a learner inside or outside the range of a fit: what it says itself; the features' width."""
    out = learner.place(equivalent, lam)
    if problem.sees_features(learner) and (widths := problem.features.widths_at(d)):
        out["feature_ratio"] = widths[-1] / d
    return out


def committed_allowance(problem: Problem, equivalent: GaussianEquivalent, learner: Learner, d: int, alpha: float, lam: float) -> float:
    """c for one point; nan outside the range of the fit (depth, widths, noise, spectrum, alpha, lam over tau/s) and at smaller d."""

    def place() -> dict[str, float]:
        return coordinates(problem, equivalent, d) | {"alpha": alpha} | learner_coordinates(problem, equivalent, learner, d, lam)

    return COMMITTED.constant(family(problem, learner), d, place)


def allowances(problem: Problem, curve: Curve, alpha: FloatArray, d: int) -> FloatArray:
    """c/d of every point of a curve, nan where no fit covers it."""
    constants = np.full(curve["test_error"].shape, np.nan)
    rows = constants if constants.ndim == 2 else constants[None, :]
    lams = curve["lam"].reshape(rows.shape) if "lam" in curve else np.full(rows.shape, np.nan)
    for k, learner in enumerate(problem.learners):
        equivalent = problem.equivalent_of(learner, d)
        for i, point in enumerate(alpha):
            rows[k, i] = committed_allowance(problem, equivalent, learner, d, float(point), float(lams[k, i]))
    return constants / d
