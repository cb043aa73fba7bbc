"""A primal-dual interior-point method for losses and penalties with kinks or pieces of different curvature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.learners.finite.objective import Objective
from gaussequiv.numerics.scaled_cholesky import ScaledCholesky

ACCURATE = 1e-14  # relative residuals and gap at which the iteration has done its work
_STEPS, _PATIENCE, _KEPT, _HALVINGS = 200, 8, 6, 60
_BOUNDARY = 0.995  # share of the way to the boundary
_LEAST_CENTRING, _NEIGHBOURHOOD = 1e-6, 100.0
_SOFT = 1e-9  # least slope of a piece, in its own units: below it multipliers would be rounding of the fields
_TINY = 1e-300


class Interior(NamedTuple):
    """A point near the centre of the optimal face: x, the multipliers of the loss's pieces and their states, the signs of the weights.

    One row for each piece, one column for each sample. States are -1 (at the low end, left of a kink), 0 (in between, at a kink) and 1.
    """

    x: FloatArray
    multipliers: FloatArray
    state: Any
    sign: Any
    steps: int


@dataclass
class _Pieces:
    """Multipliers v in [low, high] of g - position = width v + p - q, with p (high - v) = q (v - low) = mu on the central path."""

    position: FloatArray
    low: FloatArray
    high: FloatArray
    width: FloatArray

    def __post_init__(self) -> None:
        self.up, self.down = np.isfinite(self.high), np.isfinite(self.low)
        self.count = int(self.up.sum() + self.down.sum())

    def start(self, g: FloatArray, mu: float, scale: float, unit: FloatArray) -> None:
        """On the central path between two bounds; otherwise `unit` inside the one bound."""
        self.natural = 1e-6 * float(np.median(unit)) + _TINY  # a multiplier's size while its own is not known
        self.state: Any = np.zeros(g.shape, dtype=int)
        d, both = g - self.position, self.up & self.down
        half = np.where(both, 0.5 * (np.where(both, self.high, 0.0) - np.where(both, self.low, 0.0)), 1.0)
        shift = d * half * half / (mu + np.hypot(mu, d * half))
        one = np.where(
            self.up, np.where(self.up, self.high, 0.0) - unit, np.where(self.down, np.where(self.down, self.low, 0.0) + unit, 0.0)
        )
        self.v = np.where(both, np.where(both, self.low, 0.0) + half + shift, one)
        # high - v and v - low (1 where there is no bound) are kept apart from v: they become smaller than its rounding
        self.above, self.below = np.where(self.up, self.high - self.v, 1.0), np.where(self.down, self.v - self.low, 1.0)
        self.p = np.where(self.up, np.where(both, mu / self.above, np.maximum(d, scale)), 0.0)
        self.q = np.where(self.down, np.where(both, mu / self.below, np.maximum(-d, scale)), 0.0)

    def complementarity(self) -> float:
        """sum p (high - v) + q (v - low)."""
        return float(np.sum(self.p * self.above) + np.sum(self.q * self.below))

    def linearise(self, g: FloatArray, least: float) -> None:
        """Residual and slope dg/dv of the pieces at g."""
        self.slope = np.maximum(self.width + self.p / self.above + self.q / self.below, least)
        self.residual = g - self.position - self.width * self.v - self.p + self.q

    def aim(self, mu: float, second: tuple[FloatArray, FloatArray] | None = None) -> FloatArray:
        """Set the products to aim at; dv at dg = 0."""
        above, below = (0.0, 0.0) if second is None else second
        self.first = np.where(self.up, mu - self.p * self.above - above, 0.0)
        self.last = np.where(self.down, mu - self.q * self.below - below, 0.0)
        self.constant = self.residual - self.first / self.above + self.last / self.below
        return self.constant / self.slope

    def direction(self, dg: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(dv, dp, dq)."""
        dv = (dg + self.constant) / self.slope
        dp = np.where(self.up, (self.first + self.p * dv) / self.above, 0.0)
        return dv, dp, np.where(self.down, (self.last - self.q * dv) / self.below, 0.0)

    def reach(self, step: tuple[FloatArray, FloatArray, FloatArray]) -> float:
        """The largest share of a step that stays inside."""
        dv, dp, dq = step
        parts = ((self.p, dp, self.up), (self.q, dq, self.down), (self.above, -dv, self.up), (self.below, dv, self.down))
        shares = [-at[falls] / by[falls] for at, by, on in parts if np.any(falls := on & (by < 0))]
        return min((float(share.min()) for share in shares), default=np.inf)

    def moved(self, share: float, step: tuple[FloatArray, FloatArray, FloatArray]) -> float:
        """`complementarity` after a share of a step."""
        dv, dp, dq = (share * part for part in step)
        return float(np.sum((self.p + dp) * (self.above - dv) * self.up) + np.sum((self.q + dq) * (self.below + dv) * self.down))

    def move(self, share: float, step: tuple[FloatArray, FloatArray, FloatArray], falls: bool) -> None:
        """Take a share of a step.

        Of two numbers with a vanishing product the one that vanishes is the one that falls faster (the indicators of El-Bakry, Tapia, Zhang
        1994, which have no units): `state` is -1 where v goes to its low end, 1 where it goes to its high end;
        it is read off steps on which mu falls.
        """
        dv, dp, dq = step
        before = (self.p, self.q, self.above, self.below)
        self.v = self.v + share * dv
        self.p = np.where(self.up, np.maximum(self.p + share * dp, _TINY), 0.0)
        self.q = np.where(self.down, np.maximum(self.q + share * dq, _TINY), 0.0)
        self.above = np.where(self.up, np.maximum(self.above - share * dv, _TINY), 1.0)
        self.below = np.where(self.down, np.maximum(self.below + share * dv, _TINY), 1.0)
        if not falls:
            return
        high = self.up & (self.p * before[2] > before[0] * self.above)
        low = self.down & (self.q * before[3] > before[1] * self.below)
        self.state = np.where(high, 1, np.where(low, -1, 0))


def central_path(o: Objective) -> list[Interior]:
    r"""Follow the central path to the minimum: its last points, the best one first.

    f' is a continuous function h' plus pieces v_k = clip((t - k)/r, low, high), subgradients of jumps where r = 0; l1 sign(w) is such a
    piece, too. Each is t - k = r v + p - q with p, q >= 0, p (high - v) = mu, q (v - low) = mu, and mu -> 0:

        (H + G' S^(-1) G) dx = -(gradient) - ...,   S = r + p/(high - v) + q/(v - low),

    positive definite at every step. Predictor and corrector of Mehrotra 1992, one step length for all. Iterations hardly depend on the
    data, and limits lie inside the optimal face (strictly complementary where that exists), so that the active pieces can be read off.
    A curved h can spoil a step: it is halved until the gradient falls no slower than mu.
    """
    return _Path(o).follow()


class _Path:
    def __init__(self, o: Objective) -> None:
        self.o = o
        n, k = o.a.shape
        G = self.G = o.rows
        self.unit = o.unit
        squares = float(np.mean(np.sum(G**2, axis=1))) + _TINY
        pull = o.bend + np.append(np.full(k, o.l1 / self.unit), np.zeros(G.shape[1] - k))
        weight = float(np.mean(o.weights))
        factor = ScaledCholesky((G.T * o.weights) @ G + np.diag(pull + 1e-3 * squares * weight))
        self.x = factor.solve(G.T @ (o.weights * (o.origin + (1.0 if o.loss.kind == "margin" else 0.0))))
        t = G @ self.x - o.origin
        self.pieces: list[_Pieces] = []
        units: list[FloatArray] = []
        for position, low, high, width in o.loss.pieces:
            piece = _Pieces(np.full(n, position), o.weights * low, o.weights * high, width / o.weights)
            self.pieces.append(piece)
            stiff = o.weights / width if width > 0 else np.full(n, (o.l2 + o.l1 / self.unit) / squares)
            one = np.maximum(stiff * self.unit, _TINY)
            units.append(np.where(piece.up & piece.down, 0.5 * (piece.high - piece.low), one) if piece.count else one)
        scales = [self.unit] * len(units)
        self.penalty = _Pieces(*(np.full(k if o.l1 > 0 else 0, value) for value in (0.0, -o.l1, o.l1, 0.0)))
        if o.l1 > 0:
            scales.append(float(np.sqrt(np.mean(self.x[:k] ** 2))) + 1e-3 * self.unit / np.sqrt(squares))
            units.append(np.full(k, o.l1))
        products = [one * scale for one, scale in zip(units, scales, strict=True)]
        self.mu = self.first_mu = max(float(np.median(product)) for product in products)
        self.all = [*self.pieces, self.penalty] if o.l1 > 0 else self.pieces
        self.count = sum(piece.count for piece in self.all)
        for piece, at, scale, one in zip(self.all, self._places(self.x, t), scales, units, strict=True):
            piece.start(at, self.mu, scale, one)
        self.mu = self._complementarity() or self.mu
        self.share, self.first_scale = 1.0, 1.0

    def _places(self, x: FloatArray, t: FloatArray) -> list[FloatArray]:
        """What each group of pieces is a function of: the loss's variable, or the weights."""
        return [t] * len(self.pieces) + ([x[: self.o.a.shape[1]]] if self.o.l1 > 0 else [])

    def _complementarity(self) -> float:
        return sum(piece.complementarity() for piece in self.all) / max(self.count, 1)

    def _gradient(self, slope: FloatArray) -> tuple[FloatArray, float]:
        """Gradient of the Lagrangian, and its scale."""
        o, k = self.o, self.o.a.shape[1]
        dual = slope + sum((piece.v for piece in self.pieces), np.zeros_like(slope))
        gradient = self.G.T @ dual + o.bend * self.x
        if o.l1 > 0:
            gradient[:k] += self.penalty.v
        size = np.abs(self.G).T @ np.abs(dual) + o.bend * np.abs(self.x)
        return gradient, float(np.linalg.norm(size)) + o.l1 * np.sqrt(k) + _TINY

    def follow(self) -> list[Interior]:
        o, best, kept, least, waited = self.o, np.inf, np.inf, np.inf, 0
        reached: list[Interior] = []
        for step in range(_STEPS):
            t = self.G @ self.x - o.origin
            slope, curvature = o.smooth(t)
            gradient, scale = self._gradient(slope)
            self.first_scale = scale if step == 0 else self.first_scale
            for piece, at in zip(self.all, self._places(self.x, t), strict=True):
                piece.linearise(at, _SOFT * self.unit / max(float(np.max(np.abs(piece.v))), piece.natural))
            objective = sum((float(np.sum(np.abs(p.v * t))) for p in self.pieces), float(np.sum(np.abs(slope * t))))
            objective += float(self.x @ (o.bend * self.x)) + o.l1 * float(np.sum(np.abs(self.x[: o.a.shape[1]])))
            objective += 1e-4 * self.first_mu * self.count
            apart = max((float(np.max(np.abs(piece.residual), initial=0.0)) for piece in self.pieces), default=0.0)
            error = max(
                float(np.linalg.norm(gradient)) / (scale + 1e-8 * self.first_scale),
                apart / (self.unit + float(np.max(np.abs(t)))),
                self.mu * self.count / (objective + _TINY),
            )
            if not np.isfinite(error):
                break
            progress = max(float(np.linalg.norm(gradient)) / self.first_scale, apart, self.mu / self.first_mu)
            waited = 0 if error < 0.9 * best or progress < 0.9 * least else waited + 1
            least = min(least, progress)
            if error < best:
                best, point = error, self._point(step)
                reached = [point, *(reached[1:] if error > 0.3 * kept else reached)][:_KEPT]
                kept = kept if error > 0.3 * kept else error
            if best <= ACCURATE or (waited >= _PATIENCE and best < 1e-6) or waited >= 5 * _PATIENCE:
                break
            self._advance(gradient, slope, curvature, t)
        return [one._replace(steps=step) for one in reached]

    def _advance(self, gradient: FloatArray, slope: FloatArray, curvature: FloatArray, t: FloatArray) -> None:
        o, k = self.o, self.o.a.shape[1]
        weight = curvature + sum((1 / piece.slope for piece in self.pieces), np.zeros_like(t))
        matrix = (self.G.T * weight) @ self.G
        extra = o.bend.copy()
        if o.l1 > 0:
            extra[:k] += 1 / self.penalty.slope
        matrix[np.diag_indices_from(matrix)] += extra
        factor = ScaledCholesky(matrix)

        def direction(mu: float, seconds: list[Any]) -> tuple[FloatArray, list[Any]]:
            right = -gradient
            aims = [piece.aim(mu, second) for piece, second in zip(self.all, seconds, strict=True)]
            for aim in aims[: len(self.pieces)]:
                right = right - self.G.T @ aim
            if o.l1 > 0:
                right[:k] -= aims[-1]
            dx = factor.solve(right)
            return dx, [piece.direction(at) for piece, at in zip(self.all, self._places(dx, self.G @ dx), strict=True)]

        dx, steps = direction(0.0, [None] * len(self.all))
        if self.count:
            share = min([1.0, *(piece.reach(step) for piece, step in zip(self.all, steps, strict=True))])
            left = sum(piece.moved(share, step) for piece, step in zip(self.all, steps, strict=True)) / self.count / self.mu
            centring = max(left**3, _LEAST_CENTRING)
            seconds: list[Any] = [(-dp * dv, dq * dv) for dv, dp, dq in steps]
            if self.share < 0.1:  # the last step was cut short: straight back to the centre
                centring, seconds = max(centring, 0.5), [None] * len(self.all)
            # mu must not run ahead of a gradient that a curved h lets fall slowly
            behind = self.first_mu * float(np.linalg.norm(gradient)) / self.first_scale
            dx, steps = direction(max(centring * self.mu, min(self.mu, behind)), seconds)
        share = min([1.0, *(_BOUNDARY * piece.reach(step) for piece, step in zip(self.all, steps, strict=True))])
        self.share = share = self._calmed(share, dx, slope, curvature, gradient, steps)
        self.x = self.x + share * dx
        after = sum(piece.moved(share, step) for piece, step in zip(self.all, steps, strict=True))
        for piece, step in zip(self.all, steps, strict=True):
            piece.move(share, step, after < 0.5 * self.mu * self.count)
        self.mu = self._complementarity()

    def _calmed(
        self, share: float, dx: FloatArray, slope: FloatArray, curvature: FloatArray, gradient: FloatArray, steps: list[Any]
    ) -> float:
        """Halve a step until what the curvature of h adds to the gradient is less than what the step takes away, or small beside mu."""
        o = self.o
        dt, old = self.G @ dx, float(np.linalg.norm(gradient))
        t = self.G @ self.x - o.origin
        for _ in range(_HALVINGS):
            with np.errstate(all="ignore"):
                added = o.smooth(t + share * dt)[0] - slope - share * curvature * dt
                error = float(np.linalg.norm(self.G.T @ added))
            mu = sum(piece.moved(share, step) for piece, step in zip(self.all, steps, strict=True)) / max(self.count, 1)
            if error <= max(0.9 * share * old, self.first_scale * min(_NEIGHBOURHOOD * mu / self.first_mu, 0.1), 1e-13 * self.first_scale):
                break
            share *= 0.5
        return share

    def _point(self, step: int) -> Interior:
        n = self.o.y.size
        values = np.stack([piece.v for piece in self.pieces]) if self.pieces else np.zeros((0, n))
        states = np.stack([piece.state for piece in self.pieces]) if self.pieces else np.zeros((0, n), dtype=int)
        signs = self.penalty.state if self.o.l1 > 0 else np.zeros(0, dtype=int)
        return Interior(self.x, values, states, signs, step)
