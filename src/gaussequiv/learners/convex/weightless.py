r"""Students whose weights vanish: the best constant is the kink of the loss at a frequent label, whose rows hold every weight down.

Near that student, where V, sqrt(q), m and c - c0 are all of one small scale, the losses are their kinks alone and one update of the
saddle point multiplies the scale by a number, the growth, that does not depend on it. Where that is below 1 the scale shrinks to 0, and as
the problem is convex this is its solution; the logarithms of the unknowns do not hold it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import elementwise

from gaussequiv.errors import FloatArray
from gaussequiv.learners.convex.averages import C_, FIELD, RESPONSE, SCORE, SQUARE, Fields
from gaussequiv.learners.convex.model import BESIDE, Model, Points
from gaussequiv.learners.convex.modes import VHAT, SeparableStudent
from gaussequiv.learners.convex.saddle_point import Conjugates, SolvedPoints
from gaussequiv.numerics.status import Status

SCALE = 1e-7  # V + sqrt(q) at which the losses are their kinks alone
SMALLER = 1e-14  # V + sqrt(q) of the students that are returned
NO_WEIGHTS = 25.0  # log(Vhat/load) of students that a kink leaves without weights
LEAST = 1e-3  # V over that scale
ROUNDS = 200
CLEAR = 0.1  # change of the growth in one round, relative to its distance from 1, from which its side is known
SURE, BEND = 1e-3, 1e-8  # the same where the growth's distance counts; error of an offset at which it is 1, over that of the known ones
FURTHER, JUMPS = 10.0, 0.3  # times as far from the constant; share of the rise of E dl/dz there that is a jump: a slope's rise is 1/10
STEP, FARTHEST, CENTRINGS = 0.5, 8.0, 8  # of the constant, in V + sqrt(q), and most steps in every round
CENTRED = 1e-7  # the last of them, of Newton's method: the next would be its square
ROUNDING = 1e-9  # of the growth


class Shape(NamedTuple):
    """V, sqrt(q), m and c - c0 in units of V + sqrt(q), one entry for each point."""

    V: FloatArray
    root: FloatArray
    m: FloatArray
    shift: FloatArray

    def take(self, index: NDArray[np.intp]) -> Shape:
        """Some of the points."""
        return Shape(*(part[index] for part in self))

    def place(self, index: NDArray[np.intp], other: Shape) -> None:
        """Replace some of the points."""
        for mine, theirs in zip(self, other, strict=True):
            mine[index] = theirs

    def fields(self, model: Model, scale: float, constant: FloatArray, b0: FloatArray) -> Fields:
        """The fields of a student of this shape."""
        q, m = (scale * self.root) ** 2, scale * self.m
        rest = np.maximum(model.rho - (self.m / self.root) ** 2, 0.0)
        return Fields(scale * self.V, q, m, constant + scale * self.shift, b0, rest, model.rho + q - 2 * m)


def vanishing_weights(model: Model, at: Points) -> tuple[NDArray[np.intp], Shape]:
    """The points whose weights vanish because one update shrinks every small scale, and their shapes."""
    kinked = np.flatnonzero(_at_a_kink(model, at.b0) if model.nugget == 0 else np.zeros(at.load.shape, dtype=bool))
    growth, shape = _growth(model, at.take(kinked))
    shrinking = np.flatnonzero(growth < 1 - ROUNDING)
    return kinked[shrinking], shape.take(shrinking)


def last_weights(model: Model, at: Points, beyond: FloatArray) -> FloatArray:
    """The offset between those of `at` and `beyond`, of which one leaves weights, where the growth is 1."""
    if at.load.size == 0:
        return at.b0
    shape = _first_shape(model.untrained(at.b0)[1])

    def excess(b0: FloatArray, rows: FloatArray) -> FloatArray:
        which = rows.astype(int)
        growth, new = _growth(model, Points(at.load[which], at.lam[which], b0), shape.take(which), SURE)
        shape.place(which, new)
        return np.log(np.clip(growth, SMALLER, 1 / SMALLER))

    rows = np.arange(at.load.size, dtype=float)
    tolerances = {"xatol": BEND * float(np.max(np.abs(beyond - at.b0))), "xrtol": 0.0, "fatol": 0.0, "frtol": 0.0}
    found = elementwise.find_root(excess, (at.b0, beyond), args=(rows,), tolerances=tolerances)  # type: ignore[call-overload]
    return np.asarray(found.x)


def without_weights(model: Model, at: Points, shape: Shape | None = None) -> SolvedPoints:
    """Points whose weights vanish, as solved points with order parameters that are small beside everything else."""
    _, field, constant = model.untrained(at.b0)
    sign = np.where(field < 0, -1.0, 1.0)
    if shape is None:  # the fewer weights are left the less the fields have in common with the labels'
        shape = _first_shape(field)
        shape = shape._replace(m=shape.m * SMALLER)
    shape = shape._replace(V=np.maximum(shape.V, LEAST), shift=np.zeros_like(shape.shift))
    fields = shape.fields(model, SMALLER, constant, at.b0)
    value = model.average(fields).value
    hats = np.abs(at.load[:, None] * value[:, [RESPONSE, SQUARE, FIELD]])
    constant = (fields.c - model.known_constant(at.b0)) / np.sqrt(1 + fields.q)
    unknowns = np.concatenate([np.log(np.maximum(hats, 1e-290)), constant[:, None]], axis=1)
    conjugates, zero = Conjugates(hats[:, 0], hats[:, 1], sign * hats[:, 2]), np.zeros(at.load.size)
    return SolvedPoints(unknowns, sign, fields, conjugates, zero + float(Status.converged), zero.copy(), zero.copy())


def held_at_a_kink(at: Points, unknowns: FloatArray) -> NDArray[np.bool_]:
    """Which points are without weights because the losses' kinks hold them: Vhat is as large as V is small."""
    return np.asarray(unknowns[:, VHAT] > NO_WEIGHTS + np.log(at.load))


def _at_a_kink(model: Model, b0: FloatArray) -> NDArray[np.bool_]:
    """Whether E dl/dz jumps at the best constant, across 0 where that is fitted."""
    constant = model.untrained(b0)[2]
    beside = BESIDE * (1 + np.abs(constant))
    far, before, after, beyond = (model.slopes(b0, constant + side * beside)[2] for side in (-FURTHER, -1.0, 1.0, FURTHER))
    across = (before < 0) & (after > 0) if model.free_constant else np.ones(b0.shape, dtype=bool)
    with np.errstate(invalid="ignore"):  # slopes that overflow
        return across & (after - before > JUMPS * (beyond - far))


def _first_shape(field: FloatArray) -> Shape:
    half = np.full(field.shape, 0.5)
    return Shape(half, half.copy(), np.where(field < 0, -0.05, 0.05), np.zeros(field.shape))


def _growth(model: Model, at: Points, shape: Shape | None = None, clear: float = CLEAR) -> tuple[FloatArray, Shape]:
    """The growth in one update, inf where its side of 1 is not found, and the shape that updates tend to, from one nearby."""
    size = at.load.size
    shape = _first_shape(model.untrained(at.b0)[1]) if shape is None else shape
    growth, open_points = np.full(size, np.inf), np.arange(size)
    for _ in range(ROUNDS):
        if open_points.size == 0:
            break
        before = shape.take(open_points)
        after, new = _updated(model, at.take(open_points), before)
        change = np.abs(new - growth[open_points]) + np.abs(after.root - before.root) + np.abs(after.shift - before.shift)
        growth[open_points] = new
        shape.place(open_points, after)
        open_points = open_points[np.isfinite(new) & (change > clear * np.abs(new - 1)) & (change > ROUNDING)]
    growth[open_points] = np.inf
    return growth, shape


def _updated(model: Model, at: Points, shape: Shape) -> tuple[Shape, FloatArray]:
    """The shape after a damped update with a centred constant, and the growth in it."""
    shape, value = _centred(model, at, shape)
    # a quadratic penalty is to a Vhat of order 1/scale what it is at this scale
    lam = at.lam if isinstance(model.spectral, SeparableStudent) else at.lam * SCALE
    with np.errstate(all="ignore"):
        Vhat, qhat, mhat = (at.load * value[:, row] for row in (RESPONSE, SQUARE, FIELD))
        orders = model.spectral.orders(Vhat, qhat, mhat, lam)
        reached = np.stack([orders.V, np.sqrt(orders.q), orders.m]) / SCALE
        growth = reached[0] + reached[1]
        some = growth > 1e-290  # else no weight passes the threshold of the penalty at all
        here = np.stack([shape.V, shape.root, shape.m])
        V, root, m = np.where(some, 0.5 * (here + reached / np.where(some, growth, 1.0)), here)
    return Shape(V, root, m, shape.shift), growth


def _centred(model: Model, at: Points, shape: Shape) -> tuple[Shape, FloatArray]:
    """The shape with the constant at which E g vanishes, where one is fitted, and the averages."""
    constant = model.untrained(at.b0)[2]
    for _ in range(CENTRINGS if model.free_constant else 0):
        value, jacobian, *_ = model.average(shape.fields(model, SCALE, constant, at.b0))
        step = value[:, SCORE] / np.maximum(-jacobian[:, SCORE, C_] * SCALE, 1e-300)
        shape = shape._replace(shift=np.clip(shape.shift + np.clip(step, -STEP, STEP), -FARTHEST, FARTHEST))
        if np.all(np.abs(step) < CENTRED):
            break
    return shape, model.average(shape.fields(model, SCALE, constant, at.b0)).value
