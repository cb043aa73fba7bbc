"""Bayes-optimal curves of any prior and any channel, from the fixed points of state evolution."""

from __future__ import annotations

from typing import Any

import numpy as np

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.channels.base import BinaryLabel, RealLabel
from gaussequiv.ingredients.channels.binary import sign_error
from gaussequiv.ingredients.channels.gaussian import GaussianNoise
from gaussequiv.learners.bayes.fixed_points import FixedPoint, Potential
from gaussequiv.learners.bayes.offset_averages import over_offsets
from gaussequiv.numerics.status import Status

Observables = dict[str, FloatArray]
_STEP = 1e-3  # relative, of a derivative in R


def is_plain(e: GaussianEquivalent) -> bool:
    """Whether the closed equations apply: Gaussian weights, and Gaussian noise or binary labels of a monotone link (one fixed point)."""
    channel = e.channel
    if e.prior is not None:
        return False
    return channel.direction != 0 if isinstance(channel, BinaryLabel) else isinstance(channel, GaussianNoise)


def general_curve(e: GaussianEquivalent, alpha: FloatArray, branch: str) -> Observables:
    """Observables of one branch at every alpha, averaged over the target's constant part.

    The test error is the floor, averaged by a finer rule, plus the averaged excess; how far the averaged test error itself is from that,
    and what the offsets' steps leave of the excess, count as error of the quadrature.
    """

    seen: dict[tuple[float, float], dict[str, float]] = {}  # half the offsets of a finer rule are those of the first

    def said(curve: Potential, alpha: float) -> dict[str, float]:
        if (curve.b0, alpha) not in seen:
            seen[curve.b0, alpha] = observe(curve, curve.chosen(alpha, branch), alpha)
        return seen[curve.b0, alpha]

    def values(curves: list[Potential], alpha: FloatArray) -> Observables:
        rows = [[said(curve, a) for curve in curves] for a in alpha.tolist()]
        found = {key: np.array([[one[key] for one in row] for row in rows]) for key in _NAMES}
        return found | {"status": np.where(np.isfinite(found["q"]), float(Status.converged), float(Status.nonfinite))}

    out = over_offsets(e, alpha, values, ("excess_over_floor", "q"))
    out["floor"] = np.full_like(alpha, e.floor)
    finer = out["floor"] + out["excess_over_floor"]
    known = np.isfinite(finer) & (finer > 0)
    left = out.pop("left_by_steps")[known] * out["excess_over_floor"][known]  # of the excess, and so of the test error
    missed = np.maximum(np.abs(out["test_error"][known] / finer[known] - 1), left / finer[known])
    out["test_error"][known] = finer[known]
    out["quadrature_error"][known] = np.maximum(out["quadrature_error"][known], missed)
    out["status"] = np.where(out["residual"] < 1e-6, out["status"], float(Status.max_steps))
    return out


_NAMES = (
    "test_error",
    "excess_over_floor",
    "clean_error",
    "gibbs_error",
    "overlap",
    "q",
    "qhat",
    "estimation_error",
    "free_entropy",
    "mutual_information",
    "residual",
    "quadrature_error",
    "steps",
)


def observe(potential: Potential, point: FixedPoint, alpha: float) -> dict[str, float]:
    """What a fixed point says of errors and information, given the constant part."""
    e, total = potential.equivalent, potential.total
    left = max(point.left, 0.0)
    test, clean, gibbs, excess = errors(e, point.q, left, potential.b0)
    second = 1.0 if e.prior is None else float(e.prior.second_moment)
    ceiling = potential.ceiling
    if total == 0:  # nothing to learn
        information = 0.0
    elif np.isinf(ceiling):  # continuous labels without noise: they say all of a discrete prior, and more than any number of a density
        information = potential.prior_entropy if point.perfect else np.inf
    else:
        information = alpha * ceiling - point.free_entropy
    residual = 0.0
    if point.R > 0 and not point.perfect:
        residual = abs(float(np.log(potential.alpha(point.R) / alpha)))
    error = float(e.channel.quadrature_error(point.q, max(left + potential.noise, potential.least), potential.b0))
    if error > 0:
        error *= _amplification(potential, point)
    return {
        "test_error": test,
        "excess_over_floor": excess,
        "clean_error": clean,
        "gibbs_error": gibbs,
        "overlap": point.q / total if total > 0 else 0.0,
        "q": point.q,
        "qhat": e.slope2 * point.R,
        "estimation_error": second * left / total if total > 0 else second,
        "free_entropy": point.free_entropy,
        "mutual_information": information,
        "residual": residual,
        "quadrature_error": error,
        "steps": 0.0,
    }


def _amplification(potential: Potential, point: FixedPoint) -> float:
    """|d log(1 - overlap)/d log F| at fixed alpha, at least 1: what is left may hang on the channel's integral F by a large power.

    R = alpha F(q(R)) moves by d log R = d log F/(d log alpha(R)/d log R).
    """
    if point.perfect or point.R <= 0 or point.left <= 0:
        return 1.0
    near = point.R * (1 + _STEP)
    left = potential.side.at(near).left
    moved = np.log(max(left, 1e-300) / point.left)
    slope = np.log(potential.alpha(near) / potential.alpha(point.R))
    return float(max(abs(moved) / max(abs(slope), 1e-9 * _STEP), 1.0))


def errors(e: GaussianEquivalent, q: float, left: float, b0: float) -> tuple[float, float, float, float]:
    """test, clean and Gibbs error, and test less its least value: of the best predictor against label and noiseless label, of a posterior
    draw's noiseless label; without a difference of nearly equal numbers where the labels are real and every layer linear.

    The noiseless binary label is the sign of the field: nan where P(+1 | field) falls anywhere, as it is then not the likelier label.
    """
    channel: Any = e.channel
    at, rest = np.array([b0]), left + e.model_noise
    total = q + rest
    if isinstance(channel, GaussianNoise):
        return float(channel.bayes_error(q, rest, at)[0]), rest, 2 * rest, left
    if isinstance(channel, RealLabel):
        clean, least = (float(channel.field_error(*pair, at)[0]) for pair in ((q, rest), (q + left, e.model_noise)))
        test = float(channel.label_noise(total, at)[0]) + clean
        return test, clean, 2 * clean, clean - least
    test = float(channel.bayes_error(q, rest, at)[0])
    excess = test - float(channel.bayes_error(q + left, e.model_noise, at)[0])
    if channel.direction != 1:
        return test, np.nan, np.nan, excess
    shifted = at - channel.threshold(np.array([rest]))
    clean = float(sign_error(shifted, np.array([q]), np.array([q]), at, np.array([total]))[0])
    gibbs = float(sign_error(at, np.array([total]), np.array([q]), at, np.array([total]))[0])
    return test, clean, gibbs, excess
