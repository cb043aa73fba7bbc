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

    def values(curves: list[Potential], alpha: FloatArray) -> Observables:
        for a in alpha.tolist():
            new = [curve for curve in curves if (curve.b0, a) not in seen]
            said = observe([(curve, curve.chosen(a, branch), a) for curve in new])
            seen.update({(curve.b0, a): {key: float(said[key][i]) for key in _NAMES} for i, curve in enumerate(new)})
        found = {key: np.array([[seen[curve.b0, a][key] for curve in curves] for a in alpha.tolist()]) for key in _NAMES}
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


def observe(solved: list[tuple[Potential, FixedPoint, float]]) -> Observables:
    """What fixed points at some alpha, of potentials of one equivalent, say of errors and information, given the constant parts."""
    if not solved:
        return {key: np.empty(0) for key in _NAMES}
    e, total = solved[0][0].equivalent, solved[0][0].total
    second = 1.0 if e.prior is None else float(e.prior.second_moment)
    R, q, left, b0 = (np.array(column) for column in zip(*((p.R, p.q, max(p.left, 0.0), curve.b0) for curve, p, _ in solved), strict=True))
    test, clean, gibbs, excess = errors(e, q, left, b0)
    return {
        "test_error": test,
        "excess_over_floor": excess,
        "clean_error": clean,
        "gibbs_error": gibbs,
        "overlap": q / total if total > 0 else np.zeros_like(q),
        "q": q,
        "qhat": e.slope2 * R,
        "estimation_error": second * left / total if total > 0 else np.full_like(q, second),
        "free_entropy": np.array([point.free_entropy for _, point, _ in solved]),
        "mutual_information": np.array([_information(*one) for one in solved]),
        "residual": np.array([_residual(*one) for one in solved]),
        "quadrature_error": np.array([_quadrature_error(curve, point) for curve, point, _ in solved]),
        "steps": np.zeros_like(q),
    }


def _information(potential: Potential, point: FixedPoint, alpha: float) -> float:
    """Mutual information of weights and labels, for each input dimension."""
    if potential.total == 0:  # nothing to learn
        return 0.0
    ceiling = potential.ceiling
    if np.isinf(ceiling):  # continuous labels without noise: they say all of a discrete prior, and more than any number of a density
        return potential.prior_entropy if point.perfect else np.inf
    return alpha * ceiling - point.free_entropy


def _residual(potential: Potential, point: FixedPoint, alpha: float) -> float:
    if point.R <= 0 or point.perfect:
        return 0.0
    return abs(float(np.log(potential.alpha(point.R) / alpha)))


def _quadrature_error(potential: Potential, point: FixedPoint) -> float:
    V = max(max(point.left, 0.0) + potential.noise, potential.least)
    error = float(potential.channel.quadrature_error(point.q, V, potential.b0))
    return error * _amplification(potential, point) if error > 0 else error


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


def errors(e: GaussianEquivalent, q: FloatArray, left: FloatArray, b0: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """test, clean and Gibbs error, and test less its least value: of the best predictor against label and noiseless label, of a posterior
    draw's noiseless label; without a difference of nearly equal numbers where the labels are real and every layer linear.

    Arrays of one shape. The noiseless binary label is the sign of the field: nan where P(+1 | field) falls anywhere, as it is then not the
    likelier label.
    """
    channel: Any = e.channel
    rest = left + e.model_noise
    total = q + rest
    if isinstance(channel, GaussianNoise):
        return channel.bayes_error(q, rest, b0), rest, 2 * rest, left
    if isinstance(channel, RealLabel):
        clean, least = channel.field_error(q, rest, b0), channel.field_error(q + left, e.model_noise, b0)
        return channel.label_noise(total, b0) + clean, clean, 2 * clean, clean - least
    test = channel.bayes_error(q, rest, b0)
    excess = test - channel.bayes_error(q + left, e.model_noise, b0)
    if channel.direction != 1:
        unknown = np.full_like(test, np.nan)
        return test, unknown, unknown, excess
    clean = sign_error(b0 - channel.threshold(rest), q, q, b0, total)
    return test, clean, sign_error(b0, total, q, b0, total), excess
