r"""The saddle point of convex empirical risk minimisation: Newton on all points at once, safeguarded by the damped iteration.

Unknowns are log Vhat, log qhat, log |mhat| and u = c/sqrt(1 + q), c the intercept (on separable data c grows with the student). In
conjugates every iterate is physical: m^2 <= rho q holds by Cauchy-Schwarz. The Jacobian is exact (`averages`, `modes`); a step that
does not reduce the residual is halved, then replaced by a damped iteration of the map itself, which is state evolution.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaussequiv.errors import FloatArray
from gaussequiv.learners.convex.averages import FIELD, RADIAL, RESPONSE, SCORE, SQUARE, Averages, Fields
from gaussequiv.learners.convex.modes import Orders, Student
from gaussequiv.numerics.status import Status

TOLERANCE = 1e-10
POLISHED = 1e-14
MAX_STEPS = 400
LARGEST_STEP = 3.0  # of the logarithms, in one Newton step
HALVINGS = 5
LARGEST = 300.0  # of the logarithms: beyond, squares overflow and the point has diverged
PATIENCE = 40  # steps in a row from which equations may be undefined, such as the logarithm of a negative average
NEAR = 0.05  # below, two of the equations count as nearly the same
ROUNDING = 3e-5  # of cancelling terms, so that their rounding errors stay below the tolerance

Average = Callable[[Fields, Any], Averages]  # (fields, index of their points) -> averages


@dataclass
class Solution:
    """The solved points: conjugates, order parameters and how well the equations hold."""

    unknowns: FloatArray  # (points, 4): log Vhat, log qhat, log |mhat|, u
    sign: FloatArray
    fields: Fields
    conjugates: FloatArray  # (points, 3)
    status: FloatArray
    steps: FloatArray
    residual: FloatArray

    def take(self, index: Any) -> Solution:
        """Some of the points."""
        rest = (self.conjugates, self.status, self.steps, self.residual)
        return Solution(self.unknowns[index], self.sign[index], self.fields.take(index), *(part[index] for part in rest))


class Form(NamedTuple):
    """Where the first equation is replaced by its difference to the third, and the scale of that."""

    difference: NDArray[np.bool_]
    size: FloatArray


class SaddlePoint:
    """F(unknowns) = 0 at fixed alpha (samples per student dimension), lam and b0, one entry for each point."""

    def __init__(
        self, student: Student, average: Average, alpha: FloatArray, lam: FloatArray, b0: FloatArray, *, intercept: bool, signal: bool
    ) -> None:
        self.student, self.average = student, average
        self.alpha, self.lam, self.b0 = alpha, lam, b0
        self.intercept, self.signal = intercept, signal
        self.sign = np.ones_like(alpha)
        self.constant = np.zeros_like(alpha)  # a known part of the student's constant
        self.form: Form | None = None  # of the first equation, where it is given: derivatives need the same form on either side

    def fields(self, x: FloatArray, i: Any) -> tuple[Fields, Orders, FloatArray]:
        """Order parameters at unknowns x of the points i."""
        hats = np.exp(np.clip(x[:, :3], -690, LARGEST))
        hats[:, 2] *= self.sign[i] if self.signal else 0.0
        o = self.student.orders(hats[:, 0], hats[:, 1], hats[:, 2], self.lam[i])
        return Fields(o.V, o.q, o.m, x[:, 3] * np.sqrt(1 + o.q) + self.constant[i], self.b0[i], o.rest, o.misfit), o, hats

    def form_at(self, x: FloatArray) -> Form | None:
        """The form of the first equation that `evaluate` takes at unknowns x of all points; assigned to `form`, it is kept."""
        everything = np.arange(x.shape[0])
        fields, orders, hats = self.fields(x, everything)
        averages = self.average(fields, everything)
        with np.errstate(invalid="ignore", divide="ignore"):
            return _form(averages, fields, orders, hats) if self.signal and averages.terms is not None else None

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")  # a trial step may go far; what is not finite is refused
    def evaluate(self, x: FloatArray, i: Any) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Residuals F (points, 4), their Jacobian (points, 4, 4), and the image of the damped iteration."""
        fields, orders, hats = self.fields(x, i)
        averages = self.average(fields, i)
        value, d = averages.value, averages.jacobian
        alpha = self.alpha[i]
        logs = np.log(np.stack([value[:, RESPONSE], value[:, SQUARE], self.sign[i] * value[:, FIELD]], axis=1) * alpha[:, None])
        # a hinge that no row has reached has Vhat = 0; from `negligible` down Vhat makes no difference
        lowest = np.log(np.maximum(self.student.negligible(self.lam[i]), 1e-290))
        flat = logs[:, 0] < lowest
        logs[:, 0] = np.where(flat, lowest, logs[:, 0])
        image = x.copy()
        image[:, :3] = logs
        scale = hats[:, None, :]  # d hats / d logs
        inner = orders.jacobian[:, :, :3] * scale  # (points, 3, 3): V, q, m in the logs
        unit = np.sqrt(1 + fields.q)
        inner = np.concatenate([inner, (0.5 * x[:, 3] / unit)[:, None, None] * inner[:, 1:2]], axis=1)  # and of the intercept
        jacobian = np.zeros((x.shape[0], 4, 4))
        for row, which in enumerate((RESPONSE, SQUARE, FIELD)):
            relative = d[:, which] / value[:, which, None]
            if which == RESPONSE:
                relative[flat] = 0.0
            jacobian[:, row, :3] = -np.einsum("pk,pkj->pj", relative[:, :4], inner)
            jacobian[:, row, 3] = -relative[:, 3] * unit
            jacobian[:, row, row] += 1.0
        residual = x - image
        if self.signal and averages.terms is not None:
            form = _form(averages, fields, orders, hats) if self.form is None else Form(*(part[i] for part in self.form))
            _radial_row(residual, jacobian, averages, fields, orders, hats, inner, form)
        response = value[:, RESPONSE, None]
        if self.intercept:
            response = np.maximum(response, np.abs(value[:, SCORE] / unit)[:, None] / LARGEST_STEP)
            jacobian[:, 3, :3] = -np.einsum("pk,pkj->pj", d[:, SCORE, :4], inner) / response / unit[:, None]
            jacobian[:, 3, 3] = np.where(flat, 1.0, -d[:, SCORE, 3] / response[:, 0])
            residual[:, 3] = -value[:, SCORE] / response[:, 0] / unit
            image[:, 3] = x[:, 3] - residual[:, 3]
        else:
            jacobian[:, 3], jacobian[:, 3, 3], residual[:, 3] = 0.0, 1.0, 0.0
        if not self.signal:
            jacobian[:, 2], jacobian[:, :, 2], jacobian[:, 2, 2] = 0.0, 0.0, 1.0
            residual[:, 2], image[:, 2] = 0.0, x[:, 2]
        return residual, jacobian, image

    def solve(self, start: FloatArray, picard: int = 4, sign: FloatArray | None = None, longest: int = MAX_STEPS) -> Solution:
        """From starting unknowns (points, 4): `picard` damped iterations, then Newton, `longest` steps in all; `sign` of mhat."""
        x = start.copy()
        points = x.shape[0]
        everything = np.arange(points)
        if sign is not None:
            self.sign = sign
        elif self.signal:
            fields = self.fields(x, everything)[0]
            first = self.average(fields, everything).value[:, FIELD]
            self.sign = np.where(first < 0, -1.0, 1.0)
        steps, best = np.zeros(points), np.full(points, np.inf)
        active, lost = np.ones(points, dtype=bool), np.zeros(points)
        status = np.full(points, float(Status.max_steps))
        F, J, image = self.evaluate(x, everything)
        best = _norm(F)
        for step in range(longest):
            done = (best < TOLERANCE) & (np.max(x[:, :3], axis=1) < LARGEST)
            lost = np.where(np.isfinite(best), 0, lost + 1)
            broken = (lost > PATIENCE) | (np.max(x[:, :3], axis=1) >= LARGEST)
            status[active & done], status[active & broken] = Status.converged, Status.nonfinite
            active &= ~(done | broken)
            i = np.flatnonzero(active)
            if i.size == 0:
                break
            steps[i] += 1
            if step < picard:
                x[i] = 0.5 * (x[i] + _bounded(x[i], image[i]))
                F[i], J[i], image[i] = self.evaluate(x[i], i)
                best[i] = _norm(F[i])
                continue
            direction = _newton(F[i], J[i])
            left, scale = i, np.ones(i.size)
            for _ in range(HALVINGS):
                trial = x[left] + scale[:, None] * direction
                f, j, im = self.evaluate(trial, left)
                norm = _norm(f)
                good = norm < (1 - 0.1 * scale) * best[left]
                kept = left[good]
                x[kept], F[kept], J[kept], image[kept], best[kept] = trial[good], f[good], j[good], im[good], norm[good]
                left, direction, scale = left[~good], direction[~good], 0.25 * scale[~good]
                if left.size == 0:
                    break
            if left.size:  # damped iteration of the map
                x[left] = 0.5 * (x[left] + _bounded(x[left], image[left]))
                F[left], J[left], image[left] = self.evaluate(x[left], left)
                best[left] = _norm(F[left])
        i = np.flatnonzero((status == Status.converged) & (best > POLISHED))
        if i.size:  # one step more, quadratic: where the system is stiff the unknowns are less exact than the residual
            trial = x[i] + _newton(F[i], J[i])
            norm = _norm(self.evaluate(trial, i)[0])
            better = norm < best[i]
            x[i[better]], best[i[better]] = trial[better], norm[better]
            steps[i] += 1
        fields, _, hats = self.fields(x, everything)
        return Solution(x, self.sign, fields, hats, status, steps, best)


def _form(averages: Averages, fields: Fields, orders: Orders, hats: FloatArray) -> Form:
    """The difference to the third equation where the two nearly coincide, at small noise and many samples.

    It is taken relative to the size of its terms, or to what rounding leaves of them.
    """
    weight = fields.m * averages.value[:, FIELD]
    x, y = orders.radial, averages.value[:, RADIAL] / weight
    assert averages.terms is not None
    rounding = ROUNDING * np.abs(averages.terms / weight)
    size = np.maximum(np.abs(x) + 2 * np.abs(orders.dradial[:, 1] * hats[:, 1]), rounding)
    return Form((np.abs(x) < NEAR) & (np.abs(y) < NEAR), size)


def _radial_row(
    residual: FloatArray,
    jacobian: FloatArray,
    averages: Averages,
    fields: Fields,
    orders: Orders,
    hats: FloatArray,
    inner: FloatArray,
    form: Form,
) -> None:
    """Replace the first equation by its difference to the third, in the form given.

    log(Vhat/mhat) = log(response/field) reads 1 - x = 1 - y with x = 1 - q Vhat/(m mhat) and y = radial/(m field), both known without
    cancellation.
    """
    use = form.difference
    if not use.any():
        return
    value, d, _ = averages
    weight, size = (fields.m * value[:, FIELD])[use], form.size[use]
    x, y, chain = orders.radial[use], value[use, RADIAL] / weight, inner[use]
    dx = orders.dradial[use] * hats[use]
    field, radial = d[use, FIELD] / value[use, FIELD, None], d[use, RADIAL] / weight[:, None]
    along = radial - y[:, None] * field
    dy = np.einsum("pk,pkj->pj", along[:, :4], chain) - (y / fields.m[use])[:, None] * chain[:, 2]
    residual[use, 0] = (np.log1p(-x) - np.log1p(-y)) / size
    jacobian[use, 0, :3] = (dy / (1 - y)[:, None] - dx / (1 - x)[:, None]) / size[:, None]
    jacobian[use, 0, 3] = along[:, 3] * np.sqrt(1 + fields.q[use]) / (1 - y) / size


def _norm(F: FloatArray) -> FloatArray:
    worst = np.max(np.abs(F), axis=1)
    return np.where(np.isnan(worst), np.inf, worst)


def _bounded(x: FloatArray, image: FloatArray) -> FloatArray:
    """The map's image, no further than the largest step; what is not finite stays."""
    moved = np.where(np.isfinite(image), image, x)
    return x + np.clip(moved - x, -2 * LARGEST_STEP, 2 * LARGEST_STEP)


def _newton(F: FloatArray, J: FloatArray) -> FloatArray:
    """Newton directions, shortened to the largest step in the logarithms; a singular system gives the residual itself."""
    regular = np.isfinite(J).all(axis=(1, 2)) & np.isfinite(F).all(axis=1)
    out = -np.where(np.isfinite(F), F, 0.0)
    if regular.any():
        system, right = J[regular], -F[regular][:, :, None]
        with np.errstate(over="ignore", under="ignore"):
            tiny = np.abs(np.linalg.det(system)) < 1e-250
        system[tiny] = np.eye(4)
        out[regular] = np.linalg.solve(system, right)[:, :, 0]
    longest = np.max(np.abs(out[:, :3]), axis=1)
    return out * np.minimum(1.0, LARGEST_STEP / np.maximum(longest, 1e-300))[:, None]
