"""Derivatives of a learner's curve by fourth-order differences, for curves that are closed forms or roots solved to rounding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv.curve import BOOKKEEPING, Curve, as_curve
from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import ArgumentError, FloatArray, did_you_mean

if TYPE_CHECKING:
    from gaussequiv.learners.base import Learner

STEP = 1e-3  # relative, of fourth-order differences of explicit expressions: truncation and rounding are both near 1e-12
CENTRAL = ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12))
SHORT = ((-1, -0.5), (1, 0.5))  # second order: relative errors near 1e-6
FORWARD = ((0, -25 / 12), (1, 4.0), (2, -3.0), (3, 4 / 3), (4, -1 / 4))  # at the edge of a parameter's range
EQUIVALENT_PARAMETERS = ("noise", "signal", "effective_noise")


def by_differences(learner: Learner, e: GaussianEquivalent, alpha: FloatArray, name: str) -> Mapping[str, Any]:
    """d(observable)/d(name) at every alpha; observables with extra dims as (dims, array).

    Raises
    ------
    ArgumentError : a name that is neither alpha, nor a parameter of the equivalent, nor a tunable number of the learner; or a learner that
        declares that its curve has no sensitivities.
    """
    if not learner.gives.sensitivities:
        raise ArgumentError(f"Argument `sensitivity` must be left out for {learner.label}, which gives none.")
    own = {key: one.value for key, one in learner.tunable.items() if not isinstance(one.value, str)}
    known = [*own, "alpha", *EQUIVALENT_PARAMETERS]
    if name not in known:
        hint = did_you_mean(name, known)
        raise ArgumentError(
            f"Argument `sensitivity` must name parameters among {', '.join(known)} for {learner.label}, but got {name!r}.{hint}"
        )
    value: Any = alpha if name == "alpha" else own[name] if name in own else present(e, name)
    step = STEP * np.where(np.asarray(value) == 0, 1.0, np.abs(value))
    stencil = FORWARD if np.any(np.asarray(value) <= 0) else CENTRAL  # steps are relative: nothing positive leaves its range

    def at(k: int) -> Curve:
        if name == "alpha":
            return as_curve(learner.solve(e, value + k * step))
        if name in own:
            return as_curve(learner.with_hyperparameter(name, float(value + k * step)).solve(e, alpha))
        return as_curve(learner.solve(moved(e, name, float(value + k * step)), alpha))

    parts = [(weight, at(k)) for k, weight in stencil]
    first = parts[0][1]
    out: dict[str, Any] = {}
    for key, values in first.items():
        if key in BOOKKEEPING or key in learner.tunable:
            continue
        total = np.asarray(sum(weight * curve[key] for weight, curve in parts))
        width = np.reshape(step, np.shape(step) + (1,) * (values.ndim - 1)) if np.ndim(step) else step
        out[key] = (first.extra.get(key, ()), total / width)
    return out


def present(e: GaussianEquivalent, name: str) -> float:
    """The value of a parameter of the equivalent: label noise, effective noise (of all layers), signal (relative to itself)."""
    if name == "noise":
        return float(e.channel.noise)
    return 1.0 if name == "signal" else float(np.sum(e.effective_noise))


def moved(e: GaussianEquivalent, name: str, value: float) -> GaussianEquivalent:
    """The equivalent with its label noise, squared slope (relative) or effective noise (in all) replaced."""
    if name == "noise":
        return replace(e, channel=e.channel.with_noise(value))
    if name == "signal":
        return replace(e, alignment=e.alignment * value, signal_variance=e.signal_variance * value)
    total = float(np.sum(e.effective_noise))
    scaled = e.effective_noise * (value / total) if total > 0 else np.array([value])
    return replace(e, effective_noise=scaled)
