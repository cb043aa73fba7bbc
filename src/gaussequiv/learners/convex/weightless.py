r"""Students whose weights vanish: the best constant is the kink of the loss at a frequent label, whose rows hold every weight down.

Near that student, where V, sqrt(q), m and c - c0 are all of one small scale, the losses are their kinks alone and one update of the
saddle point multiplies the scale by a number that does not depend on it. Where that number is below 1 the scale shrinks to 0, and as the
problem is convex this is its solution; the logarithms of the unknowns do not hold it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gaussequiv.errors import FloatArray
from gaussequiv.learners.convex.averages import C_, FIELD, RESPONSE, SCORE, SQUARE, Fields
from gaussequiv.learners.convex.modes import SeparableStudent
from gaussequiv.learners.convex.offsets import IntArray
from gaussequiv.learners.convex.saddle_point import Conjugates, SolvedPoints
from gaussequiv.numerics.status import Status

if TYPE_CHECKING:
    from gaussequiv.learners.convex.model import Model, Points

SCALE = 1e-7  # V + sqrt(q) at which the losses are their kinks alone
SMALLER = 1e-7  # of that scale: the order parameters that are returned
ROUNDS, CLEAR = 200, 0.1  # change of the growth in one round, relative to its distance from 1, from which its side is known
BESIDE, JUMPS = 1e-6, 1e-6  # of the constant, and the jump of the mean slope E dl/dz beside it
STEP, FARTHEST, CENTRINGS = 0.5, 8.0, 8  # of the constant, in V + sqrt(q), and steps in every round
HELD = 1e-4  # the jump that rows at a kink make, relative to the root of E g^2
ROUNDING = 1e-9  # of the growth


def held(model: Model, b0: FloatArray, constant: FloatArray, loss: Any) -> tuple[FloatArray, FloatArray]:
    """E g^2 and E Z0' g of the student z = c; rows at a kink take the slopes of either side in the shares that make E g vanish."""
    square, field, _ = model.slopes(b0, constant, loss)
    beside = BESIDE * (1 + np.abs(constant))
    below, above = (model.slopes(b0, constant + side * beside, loss) for side in (-1.0, 1.0))
    jump = above[2] - below[2]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = -below[2] / jump
        use = (below[2] < 0) & (above[2] > 0) & (jump > HELD * np.sqrt(np.maximum(below[0], above[0])))
        mixed = [np.where(use, low + share * (high - low), own) for own, low, high in zip((square, field), below, above, strict=False)]
    return mixed[0], mixed[1]


def kinked(model: Model, b0: FloatArray, constant: FloatArray) -> NDArray[np.bool_]:
    """Whether E dl/dz jumps at the constant, across 0 where that is fitted."""
    beside = BESIDE * (1 + np.abs(constant))
    before, after = (model.slopes(b0, constant + side * beside, model.loss)[2] for side in (-1.0, 1.0))
    across = (before < 0) & (after > 0) if model.free_constant else np.ones(b0.shape, dtype=bool)
    return across & (after - before > JUMPS * (np.abs(after) + np.abs(before)))


def vanishing(model: Model, at: Points, constant: FloatArray, sign: FloatArray) -> tuple[NDArray[np.bool_], Fields]:
    """Where weights vanish, and order parameters that are small beside everything else."""
    size, average = at.load.size, model.average(model.loss)
    lam = at.lam if isinstance(model.spectral, SeparableStudent) else at.lam * SCALE  # beside Vhat
    response, deviation, m, offset = np.full(size, 0.5), np.full(size, 0.5), 0.05 * sign, np.zeros(size)  # V, sqrt(q), m, c - c0, of sum 1
    growth, open_points = np.full(size, np.inf), np.arange(size)
    for _ in range(ROUNDS):
        V, root, along, shift = (part[open_points] for part in (response, deviation, m, offset))
        q = (SCALE * root) ** 2
        rest = np.maximum(model.rho - (along / root) ** 2, 0.0)
        fields = Fields(SCALE * V, q, SCALE * along, constant[open_points], at.b0[open_points], rest, model.rho + q - 2 * SCALE * along)
        for _ in range(CENTRINGS if model.free_constant else 1):
            value, jacobian, *_ = average(fields._replace(c=constant[open_points] + SCALE * shift), open_points)
            if model.free_constant:
                step = value[:, SCORE] / np.maximum(-jacobian[:, SCORE, C_] * SCALE, 1e-300)
                shift = np.clip(shift + np.clip(step, -STEP, STEP), -FARTHEST, FARTHEST)
        Vhat, qhat, mhat = (at.load[open_points] * value[:, row] for row in (RESPONSE, SQUARE, FIELD))
        with np.errstate(all="ignore"):
            orders = model.spectral.orders(Vhat, qhat, mhat, lam[open_points])
            reached = np.stack([orders.V, np.sqrt(orders.q), orders.m]) / SCALE
            new = reached[0] + reached[1]
            known = new > 1e-290  # else no weight passes the threshold of the penalty at all
            here = np.stack([V, root, along])
            V, root, along = np.where(known, 0.5 * (here + reached / np.where(known, new, 1.0)), here)
            change = np.abs(new - growth[open_points]) + np.abs(root - deviation[open_points]) + np.abs(shift - offset[open_points])
            near = np.abs(new - 1)
        growth[open_points], response[open_points], deviation[open_points] = new, V, root
        m[open_points], offset[open_points] = along, shift
        open_points = open_points[np.isfinite(new) & (change > CLEAR * near) & (change > ROUNDING)]
        if open_points.size == 0:
            break
    growth[open_points] = np.inf  # on neither side
    if isinstance(model.spectral, SeparableStudent) and model.erm.penalty.l1 > 0:
        growth[at.lam >= model.empty(at) * (1 - 1e-9)] = 0.0  # far beyond the penalty at which the last weight goes
    scale = SCALE * SMALLER
    q, along = (scale * deviation) ** 2, scale * m
    rest = np.maximum(model.rho - (m / deviation) ** 2, 0.0)
    small = Fields(scale * np.maximum(response, 1e-3), q, along, constant, at.b0, rest, model.rho + q - 2 * along)
    vanish: NDArray[np.bool_] = growth < 1 - ROUNDING
    return vanish, small


def weightless(model: Model, at: Points) -> tuple[IntArray, SolvedPoints | None]:
    """The points whose weights vanish, as solved points."""
    _, field, constant = model.untrained(at.b0)
    found = np.flatnonzero(kinked(model, at.b0, constant)) if model.nugget == 0 else np.zeros(0, dtype=int)
    sign = np.where(field[found] < 0, -1.0, 1.0)
    here, fields = vanishing(model, at.take(found), constant[found], sign) if found.size else (np.zeros(0, dtype=bool), None)
    found, sign = found[here], sign[here]
    if fields is None or found.size == 0:
        return found, None
    fields = fields.take(here)
    values = model.average(model.loss)(fields, np.arange(found.size)).value
    hats = np.abs(at.load[found][:, None] * values[:, [RESPONSE, SQUARE, FIELD]])
    unknowns = np.concatenate([np.log(np.maximum(hats, 1e-290)), (fields.c / np.sqrt(1 + fields.q))[:, None]], axis=1)
    zero = np.zeros(found.size)
    conjugates = Conjugates(hats[:, 0], hats[:, 1], sign * hats[:, 2])
    return found, SolvedPoints(unknowns, sign, fields, conjugates, zero + float(Status.converged), zero.copy(), zero.copy())
