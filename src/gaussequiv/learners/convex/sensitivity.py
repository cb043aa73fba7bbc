"""Exact derivatives of a convex learner's curve: implicit differentiation of the saddle point."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import ArgumentError, FloatArray, did_you_mean
from gaussequiv.learners import differences
from gaussequiv.learners.convex.model import Model, Points
from gaussequiv.learners.convex.saddle_point import SaddlePoint, SolvedPoints
from gaussequiv.learners.convex.scores import Observables
from gaussequiv.learners.convex.weightless import held_at_a_kink
from gaussequiv.learners.differences import CENTRAL, EQUIVALENT_PARAMETERS, FORWARD, STEP, moved

if TYPE_CHECKING:
    from gaussequiv.learners.base import Learner
    from gaussequiv.learners.convex.erm import ERM

Stencil = tuple[tuple[int, float], ...]  # (steps, weight)
POINT_PARAMETERS = ("alpha", "lam")


def parameters(erm: ERM) -> tuple[str, ...]:
    """Names that a curve of this learner can be differentiated in."""
    return (*POINT_PARAMETERS, *EQUIVALENT_PARAMETERS, *erm.loss.parameters, *erm.penalty.parameters)


def check_names(erm: ERM, names: tuple[str, ...]) -> None:
    """Refuse unknown names, with a did-you-mean."""
    known = parameters(erm)
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise ArgumentError(f"Argument `sensitivity` must name parameters among {', '.join(known)}, but got {name!r}.{hint}")


def curve_sensitivity(learner: Learner, e: GaussianEquivalent, alpha: FloatArray, names: tuple[str, ...]) -> dict[str, Any]:
    """d(observable)/d(parameter) at every alpha, as ``d_<observable>_d_<parameter>``, averaged over the offset's law.

    Convex learners: implicit differentiation, with hyperparameters that were "optimal" held at their optimum (for the minimised observable
    that is the total derivative too). Others, whose curves are closed forms or roots solved to rounding: fourth-order differences of those.
    """
    found = learner.sensitivity(e, alpha, names)
    return {f"d_{key}_d_{name}": value for name, values in found.items() for key, value in values.items()}


def parameter_at(erm: ERM, e: GaussianEquivalent, at: Points, name: str) -> Any:
    """The parameter's value now: a number, or one for each point."""
    if name == "alpha":
        return at.load
    if name == "lam":
        return at.lam
    if name in EQUIVALENT_PARAMETERS:
        return differences.present(e, name)
    return float({**erm.loss.parameters, **erm.penalty.parameters}[name])


def tangents(
    model: Model,
    at: Points,
    solution: SolvedPoints,
    names: tuple[str, ...],
    keys: tuple[str, ...] | None = None,
    stencil: Stencil = CENTRAL,
) -> dict[str, Observables]:
    """Derivatives of the observables (those in `keys`, or all) in every named parameter, at solved points and not averaged over b0.

    F(x, theta) = 0 gives dx = -F_x^(-1) F_theta with the exact Jacobian F_x; F_theta (exact in lam) and the observables O(x, theta) are
    explicit and are differentiated by fourth-order differences, the latter along (dx, 1). Where F is infinite or F_x singular there is no
    derivative: nan. Students that a kink holds without weights stay so: dx = 0.
    """
    defined = np.flatnonzero(np.isfinite(solution.residual))
    if defined.size < at.load.size:
        return _among(defined, model, at, solution, names, keys, stencil)
    at = model.capped(at)
    # the equations may change their form within a stencil
    saddle, jacobian, in_lam = model.saddle(at, sign=solution.sign).with_slopes_at(solution.unknowns)
    held = held_at_a_kink(at, solution.unknowns)
    jacobian[held] = np.eye(jacobian.shape[-1])
    regular = np.flatnonzero(np.linalg.slogdet(jacobian).sign != 0)  # by the factors that `solve` divides by
    if regular.size < at.load.size:
        return _among(regular, model, at, solution, names, keys, stencil)
    tangent = _Tangent(model, at, solution, saddle, jacobian, held, keys, stencil)
    return {name: tangent.derivatives(name, in_lam if name == "lam" else None) for name in names}


@dataclass(frozen=True)
class _Tangent:
    """The curve of solutions through solved points: its equations there, and their Jacobian."""

    model: Model
    at: Points
    solution: SolvedPoints
    saddle: SaddlePoint
    jacobian: FloatArray
    held: Any
    keys: tuple[str, ...] | None
    stencil: Stencil

    def derivatives(self, name: str, slope: FloatArray | None) -> Observables:
        """Of the observables; `slope` is F_theta where it is known."""
        value = parameter_at(self.model.erm, self.model.e, self.at, name)
        size = np.maximum(np.abs(value), 1e-6 if name in POINT_PARAMETERS else 1.0 if np.ndim(value) == 0 and value == 0 else 0.0)
        step = STEP * size
        stencil = FORWARD if np.any(np.asarray(value) - 2 * step < 0) else self.stencil
        if slope is None:
            slope = sum(weight * self.residual(name, value + k * step) for k, weight in stencil) / _column(step)
        fixed = np.where(self.held[:, None], 0.0, slope)
        dx = np.linalg.solve(self.jacobian, -fixed[:, :, None].astype(float))[:, :, 0]
        # a parameter step that moves the unknowns by at most STEP
        reach = np.minimum(step, STEP / np.maximum(np.max(np.abs(dx), axis=1), 1e-300))
        if name not in POINT_PARAMETERS:  # common to all points
            reach = np.full(self.at.load.shape, float(np.min(reach)))
        moved = [(weight, self.observed(name, value, k * reach, dx)) for k, weight in stencil]
        slopes = {key: np.asarray(sum(weight * values[key] for weight, values in moved)) / reach for key in moved[0][1]}
        return {key: slope / self.model.e.aspect for key, slope in slopes.items()} if name == "alpha" else slopes

    def residual(self, name: str, value: Any) -> FloatArray:
        """F at the solutions for another value of the parameter."""
        model, at = _variant(self.model, self.at, name, value)
        system = replace(model.saddle(at, sign=self.solution.sign), form=self.saddle.form)
        return system.evaluate(self.solution.unknowns, np.arange(self.at.load.size)).residual

    def observed(self, name: str, value: Any, shift: FloatArray, dx: FloatArray) -> Observables:
        """O(x + shift dx, theta + shift)."""
        model, at = _variant(self.model, self.at, name, value + (shift if name in POINT_PARAMETERS else float(shift[0])))
        return _observe(model, at, self.solution.unknowns + shift[:, None] * dx, self.solution, self.keys)


def _among(
    defined: Any,
    model: Model,
    at: Points,
    solution: SolvedPoints,
    names: tuple[str, ...],
    keys: tuple[str, ...] | None,
    stencil: Stencil,
) -> dict[str, Observables]:
    """`tangents` at some points, nan at the others."""
    wanted = model.observables() if keys is None else keys
    out = {name: {key: np.full(at.load.size, np.nan) for key in wanted} for name in names}
    if defined.size:
        for name, values in tangents(model, at.take(defined), solution.take(defined), names, keys, stencil).items():
            for key, value in values.items():
                out[name][key][defined] = value
    return out


def _column(step: Any) -> Any:
    return step[:, None] if np.ndim(step) else step


def _variant(model: Model, at: Points, name: str, value: Any) -> tuple[Model, Points]:
    if name == "alpha":
        return model, Points(value, at.lam, at.b0)
    if name == "lam":
        return model, Points(at.load, value, at.b0)
    if name in EQUIVALENT_PARAMETERS:
        return Model(model.erm, moved(model.e, name, float(value)), model.rule), at
    return Model(model.erm.with_hyperparameter(name, float(value)), model.e, model.rule), at


def _observe(model: Model, at: Points, x: FloatArray, solution: SolvedPoints, keys: tuple[str, ...] | None) -> Observables:
    fields, _, hats = model.saddle(at, sign=solution.sign).fields(x, np.arange(x.shape[0]))
    fixed = SolvedPoints(x, solution.sign, fields, hats, solution.status, solution.steps, solution.residual)
    found = model.observe(fixed, keys)
    return {key: value for key, value in found.items() if keys is None or key in keys}
