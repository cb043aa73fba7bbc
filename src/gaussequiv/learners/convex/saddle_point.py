r"""The saddle point of convex empirical risk minimisation at many points at once: its equations, their exact Jacobian, their solution.

Unknowns are log Vhat, log qhat, log |mhat| and u = c/sqrt(1 + q), c the intercept, less a known part (on separable data c grows). In
conjugates every iterate is physical: m^2 <= rho q holds by Cauchy-Schwarz. The Jacobian is exact (`averages`, `modes`); a step of
Newton's method that does not reduce the residual is halved, then replaced by a damped iteration of the map itself, which is state
evolution (`safeguarded_newton`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaussequiv.errors import FloatArray
from gaussequiv.learners.convex.averages import C_, FIELD, M_, Q_, RADIAL, RESPONSE, SCORE, SQUARE, Averages, Fields
from gaussequiv.learners.convex.modes import LAM, MHAT, QHAT, VHAT, Orders, SpectralHalf
from gaussequiv.learners.convex.safeguarded_newton import LARGEST, LARGEST_STEP, TOLERANCE, Linearised, find_roots

MAX_STEPS = 400
DAMPED_STEPS = 4  # before Newton's method
NEAR = 0.05  # below, two of the equations count as nearly the same
ROUNDING = 3e-5  # of cancelling terms, so that their rounding errors stay below the tolerance

Average = Callable[[Fields, Any], Averages]  # (fields, index of their points) -> averages

LOGS = slice(0, 3)  # columns of the unknowns: the logarithms of the conjugates, in the order VHAT, QHAT, MHAT,
CONSTANT = 3  # and u
UPDATES = ((VHAT, RESPONSE), (QHAT, SQUARE), (MHAT, FIELD))  # every conjugate is the load times an average


class Conjugates(NamedTuple):
    """Vhat, qhat and mhat, one entry for each point."""

    Vhat: FloatArray
    qhat: FloatArray
    mhat: FloatArray

    def take(self, index: Any) -> Conjugates:
        """Some of the points."""
        return Conjugates(*(part[index] for part in self))


@dataclass
class SolvedPoints:
    """The solved points: unknowns, conjugates, order parameters and how well the equations hold."""

    unknowns: FloatArray  # (points, 4): log Vhat, log qhat, log |mhat|, u
    sign: FloatArray  # of mhat
    fields: Fields
    conjugates: Conjugates
    status: FloatArray
    steps: FloatArray
    residual: FloatArray

    def take(self, index: Any) -> SolvedPoints:
        """Some of the points."""
        numbers = (self.status[index], self.steps[index], self.residual[index])
        return SolvedPoints(self.unknowns[index], self.sign[index], self.fields.take(index), self.conjugates.take(index), *numbers)

    def place(self, index: Any, part: SolvedPoints) -> None:
        """Replace some of the points, all but their steps, which the caller counts."""
        for name in ("unknowns", "sign", "status", "residual"):
            getattr(self, name)[index] = getattr(part, name)
        for mine, theirs in zip((*self.fields, *self.conjugates), (*part.fields, *part.conjugates), strict=True):
            mine[index] = theirs

    def put(self, index: Any, part: SolvedPoints) -> None:
        """Replace some of the points by what further steps have found."""
        self.place(index, part)
        self.steps[index] += part.steps


Solution = SolvedPoints  # its name of before


def joined(parts: list[SolvedPoints]) -> SolvedPoints:
    """Solutions of consecutive points as one."""
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ("unknowns", "sign", "status", "steps", "residual")}
    fields = Fields(*(np.concatenate(each) for each in zip(*(part.fields for part in parts), strict=True)))
    conjugates = Conjugates(*(np.concatenate(each) for each in zip(*(part.conjugates for part in parts), strict=True)))
    return SolvedPoints(fields=fields, conjugates=conjugates, **arrays)


class Form(NamedTuple):
    """Where the first equation is replaced by its difference to the third, and the scale of that."""

    difference: NDArray[np.bool_]
    size: FloatArray

    def take(self, index: Any) -> Form:
        """Some of the points."""
        return Form(self.difference[index], self.size[index])


class OrderPoint(NamedTuple):
    """What the equations are made of at some unknowns: `chain` (points, 4, 3) holds the derivatives of V, q, m, c in the logarithms."""

    fields: Fields
    orders: Orders
    hats: Conjugates
    averages: Averages
    chain: FloatArray

    @property
    def unit(self) -> FloatArray:
        """sqrt(1 + q) = c/u."""
        unit: FloatArray = np.sqrt(1 + self.fields.q)
        return unit


@dataclass(frozen=True)
class SaddlePoint:
    """F(unknowns) = 0 at fixed load (samples per student dimension, n/p), lam and b0, one entry for each point."""

    spectral: SpectralHalf
    average: Average
    load: FloatArray
    lam: FloatArray
    b0: FloatArray
    intercept: bool  # whether the student learns a constant
    signal: bool  # whether labels tell anything about the linear part
    sign: FloatArray | None = None  # of mhat; if not given +1, and in `solve` that of the first update
    constant: FloatArray | None = None  # a known part of the student's constant
    form: Form | None = None  # of the first equation; derivatives need the same form on either side

    def fields(self, unknowns: FloatArray, index: Any) -> tuple[Fields, Orders, Conjugates]:
        """Order parameters and conjugates at unknowns of the points `index`."""
        hats = np.exp(np.clip(unknowns[:, LOGS], -690, LARGEST))
        hats[:, MHAT] *= (1.0 if self.sign is None else self.sign[index]) if self.signal else 0.0
        conjugates = Conjugates(*hats.T)
        orders = self.spectral.orders(*conjugates, self.lam[index])
        constant = unknowns[:, CONSTANT] * np.sqrt(1 + orders.q)
        if self.constant is not None:
            constant = constant + self.constant[index]
        return Fields(orders.V, orders.q, orders.m, constant, self.b0[index], orders.rest, orders.misfit), orders, conjugates

    def form_at(self, unknowns: FloatArray) -> Form | None:
        """The form of the first equation that `evaluate` takes at unknowns of all points; `with_form_at` keeps it."""
        everything = np.arange(unknowns.shape[0])
        fields, orders, hats = self.fields(unknowns, everything)
        averages = self.average(fields, everything)
        with np.errstate(invalid="ignore", divide="ignore"):
            return _form(averages, fields, orders, hats) if self.signal and averages.terms is not None else None

    def with_form_at(self, unknowns: FloatArray) -> SaddlePoint:
        """The same equations, held in the form that they have at unknowns of all points."""
        return replace(self, form=self.form_at(unknowns))

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")  # a trial step may go far; what is not finite is refused
    def evaluate(self, unknowns: FloatArray, index: Any) -> Linearised:
        """Residuals F (points, 4), their Jacobian (points, 4, 4), and the image of the damped iteration, at unknowns of some points."""
        return self._evaluated(self._order_point(unknowns, index), unknowns, index)

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def with_slopes_at(self, unknowns: FloatArray) -> tuple[SaddlePoint, FloatArray, FloatArray]:
        """`with_form_at` solved unknowns of all points, and there the Jacobian and dF/d lam (points, 4), all from one evaluation."""
        everything = np.arange(unknowns.shape[0])
        at = self._order_point(unknowns, everything)
        known = self.signal and at.averages.terms is not None
        held = replace(self, form=_form(at.averages, at.fields, at.orders, at.hats) if known else None)
        return held, held._evaluated(at, unknowns, everything).jacobian, held._slope_in_lam(at, unknowns)

    def _slope_in_lam(self, at: OrderPoint, unknowns: FloatArray) -> FloatArray:
        """dF/d lam at a solution: lam moves V, q, m and with them c."""
        orders = at.orders.jacobian[:, :, LAM]
        along = np.concatenate([orders, (0.5 * unknowns[:, CONSTANT] / at.unit * orders[:, Q_])[:, None]], axis=1)
        value, derivative, _ = at.averages
        moved = np.einsum("pak,pk->pa", derivative[:, :, :4], along)
        _, silent = self._image(unknowns, at, np.arange(unknowns.shape[0]))
        slope = np.zeros((unknowns.shape[0], 4))
        for row, average in UPDATES:
            slope[:, row] = -moved[:, average] / value[:, average]
        slope[silent, VHAT] = -1 / self.lam[silent]
        if self.form is not None and (use := self.form.difference).any():
            weight = (at.fields.m * value[:, FIELD])[use]
            x, y = at.orders.radial[use], value[use, RADIAL] / weight
            dy = moved[use, RADIAL] / weight - y * (moved[use, FIELD] / value[use, FIELD] + along[use, M_] / at.fields.m[use])
            slope[use, VHAT] = (dy / (1 - y) - at.orders.dradial[use, LAM] / (1 - x)) / self.form.size[use]
        slope[:, CONSTANT] = -moved[:, SCORE] / value[:, RESPONSE] / at.unit if self.intercept else 0.0
        if not self.signal:
            slope[:, MHAT] = 0.0
        return slope

    def _evaluated(self, at: OrderPoint, unknowns: FloatArray, index: Any) -> Linearised:
        image, silent = self._image(unknowns, at, index)
        residual, jacobian = unknowns - image, _update_rows(at, silent)
        if self.signal and at.averages.terms is not None:
            form = _form(at.averages, at.fields, at.orders, at.hats) if self.form is None else self.form.take(index)
            _difference_row(residual, jacobian, at, form)
        if self.intercept:
            _intercept_row(residual, jacobian, at, silent)
            image[:, CONSTANT] = unknowns[:, CONSTANT] - residual[:, CONSTANT]
        else:
            jacobian[:, CONSTANT], jacobian[:, CONSTANT, CONSTANT], residual[:, CONSTANT] = 0.0, 1.0, 0.0
        if not self.signal:
            jacobian[:, MHAT], jacobian[:, :, MHAT], jacobian[:, MHAT, MHAT] = 0.0, 0.0, 1.0
            residual[:, MHAT], image[:, MHAT] = 0.0, unknowns[:, MHAT]
        return Linearised(residual, jacobian, image)

    def solve(
        self, start: FloatArray, damped_steps: int = DAMPED_STEPS, longest: int | None = None, tolerance: float = TOLERANCE
    ) -> SolvedPoints:
        """From starting unknowns (points, 4): some damped steps, then Newton's method, `longest` steps in all.

        Where that is given there are other ways, and points whose residual stalls are left before.
        """
        signed = self if self.sign is not None else replace(self, sign=self.first_sign(start))
        assert signed.sign is not None
        iterates = find_roots(signed.evaluate, start, damped_steps, longest or MAX_STEPS, longest is None, tolerance)
        fields, _, conjugates = signed.fields(iterates.unknowns, np.arange(start.shape[0]))
        return SolvedPoints(iterates.unknowns, signed.sign, fields, conjugates, iterates.status, iterates.steps, iterates.worst)

    def first_sign(self, start: FloatArray) -> FloatArray:
        """Sign of mhat after one update from the start."""
        if not self.signal:
            return np.ones_like(self.load)
        everything = np.arange(start.shape[0])
        field = self.average(self.fields(start, everything)[0], everything).value[:, FIELD]
        return np.where(field < 0, -1.0, 1.0)

    def _order_point(self, unknowns: FloatArray, index: Any) -> OrderPoint:
        fields, orders, hats = self.fields(unknowns, index)
        inner = orders.jacobian[:, :, :3] * np.stack(hats, axis=1)[:, None, :]  # of V, q, m; d hat/d log hat = hat
        constant = (0.5 * unknowns[:, CONSTANT] / np.sqrt(1 + fields.q))[:, None, None] * inner[:, 1:2]
        return OrderPoint(fields, orders, hats, self.average(fields, index), np.concatenate([inner, constant], axis=1))

    def _image(self, unknowns: FloatArray, at: OrderPoint, index: Any) -> tuple[FloatArray, NDArray[np.bool_]]:
        """The logarithms after one update, and where the losses do not respond: a hinge that no row has reached has Vhat = 0.

        From `negligible` down Vhat makes no difference.
        """
        value = at.averages.value
        sign = 1.0 if self.sign is None else self.sign[index]
        logs = np.log(np.stack([value[:, RESPONSE], value[:, SQUARE], sign * value[:, FIELD]], axis=1) * self.load[index][:, None])
        lowest = np.log(np.maximum(self.spectral.negligible(self.lam[index]), 1e-290))
        silent = logs[:, VHAT] < lowest
        logs[:, VHAT] = np.where(silent, lowest, logs[:, VHAT])
        image = unknowns.copy()
        image[:, LOGS] = logs
        return image, silent


def _update_rows(at: OrderPoint, silent: NDArray[np.bool_]) -> FloatArray:
    """Jacobian of log conjugate - log(load average)."""
    value, derivative, _ = at.averages
    jacobian = np.zeros((value.shape[0], 4, 4))
    for row, average in UPDATES:
        relative = derivative[:, average] / value[:, average, None]
        if row == VHAT:
            relative[silent] = 0.0
        jacobian[:, row, LOGS] = -np.einsum("pk,pkj->pj", relative[:, :4], at.chain)
        jacobian[:, row, CONSTANT] = -relative[:, C_] * at.unit
        jacobian[:, row, row] += 1.0
    return jacobian


def _intercept_row(residual: FloatArray, jacobian: FloatArray, at: OrderPoint, silent: NDArray[np.bool_]) -> None:
    """score = 0, as a step of u: over the response, or over as much as keeps it below the largest step."""
    value, derivative, _ = at.averages
    score, response = value[:, SCORE], value[:, RESPONSE, None]
    response = np.maximum(response, np.abs(score / at.unit)[:, None] / LARGEST_STEP)
    jacobian[:, CONSTANT, LOGS] = -np.einsum("pk,pkj->pj", derivative[:, SCORE, :4], at.chain) / response / at.unit[:, None]
    jacobian[:, CONSTANT, CONSTANT] = np.where(silent, 1.0, -derivative[:, SCORE, C_] / response[:, 0])
    residual[:, CONSTANT] = -score / response[:, 0] / at.unit


def _form(averages: Averages, fields: Fields, orders: Orders, hats: Conjugates) -> Form:
    """The difference to the third equation where the two nearly coincide, at small noise and many samples.

    It is taken relative to the size of its terms, or to what rounding leaves of them.
    """
    weight = fields.m * averages.value[:, FIELD]
    x, y = orders.radial, averages.value[:, RADIAL] / weight
    assert averages.terms is not None
    rounding = ROUNDING * np.abs(averages.terms / weight)
    size = np.maximum(np.abs(x) + 2 * np.abs(orders.dradial[:, QHAT] * hats.qhat), rounding)
    return Form((np.abs(x) < NEAR) & (np.abs(y) < NEAR), size)


def _difference_row(residual: FloatArray, jacobian: FloatArray, at: OrderPoint, form: Form) -> None:
    """Replace the first equation by its difference to the third, in the form given.

    log(Vhat/mhat) = log(response/field) reads 1 - x = 1 - y with x = 1 - q Vhat/(m mhat) and y = radial/(m field), both known without
    cancellation.
    """
    use = form.difference
    if not use.any():
        return
    value, derivative, _ = at.averages
    weight, size = (at.fields.m * value[:, FIELD])[use], form.size[use]
    x, y, chain = at.orders.radial[use], value[use, RADIAL] / weight, at.chain[use]
    dx = at.orders.dradial[use, :LAM] * np.stack(at.hats, axis=1)[use]
    field, radial = derivative[use, FIELD] / value[use, FIELD, None], derivative[use, RADIAL] / weight[:, None]
    along = radial - y[:, None] * field
    dy = np.einsum("pk,pkj->pj", along[:, :4], chain) - (y / at.fields.m[use])[:, None] * chain[:, M_]
    residual[use, VHAT] = (np.log1p(-x) - np.log1p(-y)) / size
    jacobian[use, VHAT, LOGS] = (dy / (1 - y)[:, None] - dx / (1 - x)[:, None]) / size[:, None]
    jacobian[use, VHAT, CONSTANT] = along[:, C_] * at.unit[use] / (1 - y) / size
