"""The iteration behind `margin_curves`: several training sizes at once, on rows that are decomposed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.realdata.decomposed import SMALLEST, DecomposedRows
from gaussequiv.realdata.emulate import EDGE, EmulatedStudent
from gaussequiv.realdata.noisy_gradients import noisy_gradients_of, ramp_of

STEPS = 60
TOLERANCE = 2e-3  # of the spread of scores, of V and of the extra variance: 1e-3 of the error, far below any pool's own
INNER = 2  # steps of conjugate gradients for one of Newton's method
LONG = 1.5  # of log rho: the longest step
FLATTEST = 1e-3  # slope of the equation for log rho
FAR = 3.0  # of a score, in units of sqrt(1 + V): the longest step
SLOWEST = 0.1  # damping
STEADY = (0.4, 0.9, 0.2)  # ratios of successive changes from which the rest is summed as a geometric series: from, to, agreement
JUMP = 4.0  # at most this many times the last change is added
PAUSE = 2  # steps between two such jumps


class LeftOutLevels(NamedTuple):
    """Of Q = rho Q_a, for every size and row: V, D = x'QMQx up to the factor of M, 1 - h and Var f; sum of h and its slope in log l, and
    d log V/d log rho."""

    V: FloatArray
    D: FloatArray
    gap: FloatArray
    variance: FloatArray
    freedom: FloatArray
    slope: FloatArray
    elastic: FloatArray


def left_out_levels(rows: DecomposedRows, u: FloatArray, lam: float) -> LeftOutLevels:
    """At rho = exp(u), l = rho lam.

    V + l dV/dl of a ridge fit is x'QMQx (1 - eta l): where l changes, so does M, whose rows have weights a/(1 + a V); eta by traces.

    Examples
    --------
    >>> rows = DecomposedRows(np.random.default_rng(0).standard_normal((50, 3)), np.ones(50))
    >>> level = left_out_levels(rows, np.zeros(1), 2.0)
    >>> bool(np.allclose(level.V, (1 - level.gap) / level.gap))
    True
    """
    rho, a = np.exp(u), rows.weights
    gap, variance = rows.left_out(rho * lam)
    h = 1 - gap
    freedom, slope = rows.freedom(rho * lam)
    b = variance / (a * gap**2)
    falling = h * gap - variance
    eta = np.sum(a * falling * b, axis=1) / np.maximum(np.sum(a * gap * b, axis=1), SMALLEST)
    V = rho[:, None] * h / (a * gap)
    return LeftOutLevels(V, (rho / (1 - eta))[:, None] * b, gap, variance, freedom, slope, variance / np.maximum(h * gap, SMALLEST))


class MarginState(NamedTuple):
    """Where the iteration stands, sizes along the first axis: log rho, theta, coefficients in the decomposition's directions and the
    constant; each row's fitted and left-out score, V, extra variance and averages of g;
    whether a row's curvature was held at EDGE."""

    u: FloatArray
    theta: FloatArray
    shares: FloatArray
    constant: FloatArray
    fitted: FloatArray
    score: FloatArray
    V: FloatArray
    extra: FloatArray
    phi: FloatArray
    slope: FloatArray
    square: FloatArray
    clipped: Any

    def only(self, kept: Any) -> MarginState:
        """Some of the sizes."""
        return MarginState(*(part[kept] for part in self))

    def put(self, where: Any, other: MarginState) -> None:
        """The states of `other` at the places `where`."""
        for mine, theirs in zip(self, other, strict=True):
            mine[where] = theirs


class MarginIteration:
    """Newton steps of coefficients and scores, and of rho and theta in turn; changes that shrink by a steady factor are summed.

    The Newton step's matrix, sum_i c_i x_i x_i' + lam, is the unit matrix and l/eigenvalues in the decomposition's directions as far as its
    weights are proportional to c: conjugate gradients need few steps.

    Examples
    --------
    >>> from gaussequiv.ingredients.losses import named as losses
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((300, 5))
    >>> y = np.where(x[:, 0] + rng.standard_normal(300) > 0, 1.0, -1.0)
    >>> student = EmulatedStudent(losses.get("logistic"), 1.0, True, True)
    >>> state, settled, steps, change = MarginIteration(DecomposedRows(x, np.ones(300)), y, np.ones(300), np.array([50.0]), student).run()
    >>> bool(settled[0]), state.score.shape
    (True, (1, 300))
    """

    def __init__(
        self,
        rows: DecomposedRows,
        y: FloatArray,
        weights: FloatArray,
        sizes: FloatArray,
        student: EmulatedStudent,
        tolerance: float = TOLERANCE,
    ) -> None:
        self.rows, self.weights, self.lam, self.tolerance = rows, weights, student.lam, tolerance
        self.ratio = (sizes / rows.rows)[:, None]
        self.averages = noisy_gradients_of(student.loss, y, weights)
        count, hinge = len(sizes), ramp_of(student.loss) is not None
        curvature = 0.5 if hinge else 0.2
        u = np.log(np.sum(rows.weights) / (curvature * self.ratio[:, 0] * np.sum(weights)))
        self.level = left_out_levels(rows, u, self.lam)
        zero = np.zeros((count, rows.rows))
        self.state = MarginState(
            u,
            np.zeros(count),
            np.zeros((count, rows.eigenvalues.size)),
            np.zeros(count),
            zero,
            zero.copy(),
            self.level.V.copy(),
            np.full_like(zero, float(hinge)),  # hinges have a curvature near a margin of 1 only
            zero.copy(),
            zero.copy(),
            zero.copy(),
            np.zeros(count, dtype=bool),
        )
        # of each size: damping, the last changes of scores, u and theta, and steps since the last jump
        self.pace = np.ones(count)
        self.last = np.full((3, count), np.inf)
        self.rest = np.zeros(count)

    def run(self) -> tuple[MarginState, Any, FloatArray, FloatArray]:
        """The states, which of them settled, steps and last changes."""
        count = len(self.ratio)
        final, live = self.state.only(np.arange(count)), np.arange(count)
        settled, steps, changes = np.zeros(count, dtype=bool), np.zeros(count), np.full(count, np.nan)
        for k in range(1, STEPS + 1):
            change = self._step(k)
            steps[live], changes[live] = k, change
            done, lost = change < self.tolerance, ~np.isfinite(change)
            settled[live[done]] = True
            ended = done | lost
            if ended.any():
                final.put(live[ended], self.state.only(ended))
                self._keep(~ended)
                live = live[~ended]
            if not live.size:
                break
        return final, settled, steps, changes

    def _keep(self, kept: Any) -> None:
        self.state, self.ratio = self.state.only(kept), self.ratio[kept]
        self.level = LeftOutLevels(*(part[kept] for part in self.level))
        self.pace, self.last, self.rest = self.pace[kept], self.last[:, kept], self.rest[kept]
        self.averages.only(kept)

    def _step(self, k: int) -> FloatArray:
        state, level, ratio, rows = self.state, self.level, self.ratio, self.rows
        phi, slope, square = self.averages(state.score, level.V, state.extra)
        state.phi[:], state.slope[:], state.square[:] = phi, slope, square
        room = 1 - ratio * level.V * slope
        state.clipped[:] = np.any(room < EDGE, axis=1)
        room = np.maximum(room, EDGE)
        missing = state.fitted - state.score - ratio * level.V * phi
        shares, constant, fitted = self._newton(ratio * phi, ratio * slope / room, missing)
        pace = self.pace[:, None]
        move = (missing + pace * fitted) / room
        whole = np.sqrt(np.mean((move + (1 - pace) * fitted / room) ** 2, axis=1))
        spread = np.std(state.score, axis=1)
        reach = FAR * np.sqrt(1 + level.V)
        move = np.clip(move, -reach, reach)
        # rho from degrees of freedom, theta from the noise
        part = ratio * slope * level.V
        total = part.sum(axis=1)
        steep = level.slope / level.freedom - np.sum(part * np.maximum(1 - level.V * slope, 0.0) * level.elastic, axis=1) / total
        du = np.clip(np.log(level.freedom / total) / np.maximum(-steep, FLATTEST), -LONG, LONG)
        weight = np.sum(ratio * slope * level.D, axis=1)
        theta = np.sum((ratio * square - (ratio * phi) ** 2) * level.D, axis=1) / weight
        dtheta = theta - state.theta
        changes = np.array([whole / np.maximum(spread, 1e-6), np.abs(du), np.abs(dtheta)])
        more = 1 + self._jump(changes[0], du, dtheta)
        damped = self.pace * more
        ways = [more * du, more * dtheta, damped[:, None] * shares, damped * constant, damped[:, None] * fitted, more[:, None] * move]
        for place, way in zip(state, ways, strict=False):
            place += way
        self.level = left_out_levels(rows, state.u, self.lam)
        state.V[:], extra = self.level.V, state.theta[:, None] * self.level.D
        noise = np.mean(np.abs(extra), axis=1)
        widened = np.mean(np.abs(extra - state.extra), axis=1) / (noise + spread**2)
        state.extra[:] = extra
        grew = (changes[0] > self.last[0]) & (k > 2)
        self.pace = np.where(grew, np.maximum(0.6 * self.pace, SLOWEST), np.minimum(1.25 * self.pace, 1.0))
        self.last = np.array([changes[0], du, dtheta])
        return np.max([changes[0], changes[1], widened / more, self.averages.unsettled + 0 * widened], axis=0)

    def _jump(self, change: FloatArray, du: FloatArray, dtheta: FloatArray) -> FloatArray:
        """How many times the last step lies ahead, where changes of scores, u and theta shrink by one factor; else 0."""
        low, high, close = STEADY
        q = change / self.last[0]
        steady = (np.abs(du / self.last[1] - q) < close) & (np.abs(dtheta / self.last[2] - q) < close)
        steady &= (q > low) & (q < high) & (self.rest >= PAUSE) & (self.pace == 1)
        self.rest = np.where(steady, 0, self.rest + 1)
        return np.where(steady, np.minimum(q / (1 - q), JUMP), 0.0)

    def _newton(self, psi: FloatArray, curvature: FloatArray, missing: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Moves of the coefficients, the constant and the fitted scores: conjugate gradients on Newton's equation."""
        state = self.state
        return fitted_moves(self.rows, state.u, self.lam, curvature, psi - curvature * missing, state.shares, INNER)


def fitted_moves(
    rows: DecomposedRows, u: FloatArray, lam: float, curvature: FloatArray, pull: FloatArray, shares: FloatArray, steps: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Q (X'pull - lam w) as coefficients in the decomposition's directions, constant and scores, Q^{-1} = lam + X' diag(curvature) X.

    Conjugate gradients, one system for each size; where curvatures are proportional to the rows' weights the first step is exact.

    Examples
    --------
    >>> rows = DecomposedRows(np.random.default_rng(0).standard_normal((50, 3)), np.ones(50))
    >>> pull = np.random.default_rng(1).standard_normal((1, 50))
    >>> _, _, moved = fitted_moves(rows, np.zeros(1), 2.0, np.ones((1, 50)), pull, np.zeros((1, 3)), 1)
    >>> bool(np.allclose(moved, rows.smoothed(pull, np.array([2.0]))))
    True
    """
    penalty, free, rho = lam / rows.eigenvalues, float(rows.intercept), np.exp(u)[:, None]
    residual = (pull / rows.roots) @ rows.left - penalty * shares
    residual_free = free * pull.sum(axis=1)
    smooth, smooth_free = rho / (1 + rho * penalty), 1 / np.maximum(curvature.sum(axis=1), SMALLEST)
    step, step_free, fitted = np.zeros_like(residual), np.zeros_like(residual_free), np.zeros_like(pull)
    way, way_free = smooth * residual, smooth_free * residual_free
    size = np.sum(residual * way, axis=1) + residual_free * way_free
    for j in range(steps):
        seen = way @ rows.left.T
        seen /= rows.roots
        seen += free * way_free[:, None]
        bent = curvature * seen
        along = penalty * way
        flat = np.sum(bent * seen, axis=1) + np.sum(way * along, axis=1)
        length = size / np.maximum(flat, SMALLEST)
        step += length[:, None] * way
        step_free += length * way_free
        fitted += length[:, None] * seen
        if j == steps - 1:
            break
        along += (bent / rows.roots) @ rows.left
        residual = residual - length[:, None] * along
        residual_free = residual_free - length * free * bent.sum(axis=1)
        fresh, fresh_free = smooth * residual, smooth_free * residual_free
        new = np.sum(residual * fresh, axis=1) + residual_free * fresh_free
        ratio = new / np.maximum(size, SMALLEST)
        way, way_free, size = fresh + ratio[:, None] * way, fresh_free + ratio * way_free, new
    return step, step_free, fitted
