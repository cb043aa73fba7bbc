r"""All fixed points of Bayes-optimal state evolution, and the thresholds between them.

With q(R) the prior's overlap at precision R and F(q) the channel's Fisher information, state evolution is R <- alpha F(q(R)). Its fixed
points at any alpha are the solutions of

    alpha(R) = R/F(q(R)),

so that the curve alpha(R), computed once, holds every branch: where it rises they are stable, where it falls unstable; its extrema are the
spinodals, and the branch with the largest free entropy is the equilibrium,

    phi = psi(R) + alpha Psi(q) - R q/2   (per input dimension),   I(theta; D)/d = alpha Psi(S) - phi.

The free entropy and the thresholds are theorems for isotropic Gaussian inputs (Barbier, Krzakala, Macris, Miolane, Zdeborova 2019); that
message passing follows state evolution from q = 0 is one too. For deep targets both hold for the equivalent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.equivalence.prior_side import Known, prior_side
from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.channels.base import BinaryLabel
from gaussequiv.learners.bayes.full_knowledge import known_psi

BRANCHES = ("equilibrium", "uninformed", "informed")  # that a learner can be asked for
PER_DECADE = 3  # points of the first grid in R, refined twice where the curve bends
BEND = 0.1
NEARLY = 1e-13  # of the signal: what may be left where the curve ends
LEAST = 1e-16  # of the signal: what is left counts as no less (the last point of the curve leaves more), so that F stays finite
SATURATED = 1e-9  # of the noise: what is left is then invisible, and alpha(R) a straight line
OFFSETS, BENT = 4, 6  # nodes on each of five panels (of either sign) of the law of b0; for binary links that rise and fall, more
RARE, SMALL = 2e-8, 1e-5  # share of a value of b0 in probability, for one step, and in the labels' variance; both are left out below
AROUND, INTERPOLATIONS, ROUNDING = 3, 5, 2e-13  # points on either side of a root, steps towards it, and of log alpha(R) where it ends
REAL = 1e-7  # relative fall of alpha(R) that counts as a branch


class FixedPoint(NamedTuple):
    """One solution: precision R, overlap q, what is left S - q, free entropy, stability; `perfect`: nothing is left."""

    R: float
    q: float
    left: float
    free_entropy: float
    stable: bool
    perfect: bool = False


class Transition(NamedTuple):
    """A first-order transition in alpha.

    From `informed` on there is a branch of larger overlap, from `information_theoretic` on it is the equilibrium, and from `algorithmic`
    on message passing reaches it without help: between the last two the problem is hard.
    """

    informed: float
    information_theoretic: float
    algorithmic: float


class Thresholds(NamedTuple):
    """`weak_recovery`: alpha above which q = 0 is unstable (0 where something is learned at any alpha), and all first-order transitions.

    `perfect`: alpha above which the equilibrium leaves nothing to learn, inf if there is none.
    """

    weak_recovery: float
    transitions: tuple[Transition, ...]
    perfect: float


def _interpolated(values: list[float], places: list[float]) -> float:
    """Where the value is 0, by the polynomial in the value through places (Neville's scheme); nan where two values are the same."""
    if len(set(values)) < len(values):
        return np.nan
    table = list(places)
    for step in range(1, len(table)):
        for i in range(len(table) - step):
            table[i] = (values[i + step] * table[i] - values[i] * table[i + 1]) / (values[i + step] - values[i])
    return table[0]


def first_grid(side: Any, noise: float) -> FloatArray:
    """R from where hardly anything is known of the weights to where hardly anything is left, the same for every b0."""
    low = 1e-6 / side.total
    high, floor = low, max(NEARLY * side.total, SATURATED * noise)
    while side.at(high).left > floor and high < 1e12 * low / NEARLY:
        high *= 10
    high = max(high, 100 * low)
    inner = 0.1 * high  # the last decade may be empty: end where little is left, not where nothing is
    while side.at(high).left < 1e-3 * floor and high > inner:
        high *= 0.9
    return np.geomspace(low, high, int(np.ceil(PER_DECADE * np.log10(high / low))) + 1)


def effective(known: Known, total: float) -> float:
    """What is left of the field, so that F stays finite."""
    return max(known.left, LEAST * total)


@dataclass
class Potential:
    """The curve alpha(R) of one equivalent, given the target's constant part b0; `seen` are Fisher informations that are known, by R."""

    equivalent: GaussianEquivalent
    b0: float = 0.0
    seen: dict[float, float] = field(default_factory=dict, repr=False)
    _memory: dict[float, tuple[Known, float]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        e = self.equivalent
        self.side, self.channel, self.noise = prior_side(e), e.channel, e.model_noise
        self.total = self.side.total
        self.start = self.side.at(0.0)
        # a field that does not vary has no scale of its own: that of the labels
        self.least = 1e-15 * self.total or 1e-12 * (self.b0**2 + e.noise) or 1e-12
        if self.total <= 0:  # a target without a linear part: labels say nothing of weights that do not enter
            self.blind = self.silent = True
            self.grid, self.alphas, self.onset = [1.0], np.array([np.inf]), np.inf
            return
        at_zero = self._fisher(self.start)
        self.blind = at_zero <= 1e-13 / (self.total + self.noise)  # nothing is seen of the weights at q = 0
        low = 1e-6 / self.total
        self.silent = max(at_zero, self._fisher(self._known(3 / self.total))) <= 1e-13 / (self.total + self.noise)
        if self.silent:  # labels that say nothing: q never leaves its start
            self.grid, self.alphas, self.onset = [low], np.array([np.inf]), np.inf
            return
        grid = first_grid(self.side, e.noise)
        for _ in range(2):
            slope = np.diff(np.log([self.alpha(float(R)) for R in grid])) / np.diff(np.log(grid))
            bends = np.abs(np.diff(slope)) > BEND
            refine = np.append(bends, False) | np.append(False, bends)
            grid = np.sort(np.append(grid, np.sqrt(grid[:-1] * grid[1:])[refine]))
        self.grid = [float(R) for R in grid]
        self.alphas = np.array([self.alpha(R) for R in self.grid])
        self.onset = 2 * self.alpha(low) - self.alpha(2 * low) if self.blind else 0.0

    def _known(self, R: float) -> Known:
        return self.side.at(R)

    def _fisher(self, known: Known) -> float:
        V = effective(known, self.total) + self.noise
        return float(self.channel.fisher(np.array(known.q), np.array(V), np.array(self.b0)))

    def alpha(self, R: float) -> float:
        """R/F(q(R))."""
        if R not in self._memory:
            known = self._known(R)
            self._memory[R] = known, R / (self.seen[R] if R in self.seen else self._fisher(known))
        return self._memory[R][1]

    def output(self, known: Known) -> float:
        """Psi at an overlap."""
        V = max(known.left, 0.0) + self.noise
        return float(self.channel.psi(np.array(known.q), np.array(max(V, self.least)), np.array(self.b0)))

    @cached_property
    def ceiling(self) -> float:
        """Psi where the whole linear part is known; infinite for continuous labels without any noise."""
        return float(known_psi(self.channel, self.total, self.noise, self.b0))

    @property
    def diverges(self) -> bool:
        """Whether full knowledge has an infinite free entropy."""
        return not self.silent and np.isinf(self.ceiling)

    @cached_property
    def prior_entropy(self) -> float:
        """Entropy of a weight in nats: minus psi(R) - R q/2 for R to infinity; infinite for a density."""
        end = self.grid[-1]
        last, beyond = (known.psi - 0.5 * R * known.q for R, known in ((R, self._known(R)) for R in (end, 10 * end)))
        return -beyond if abs(beyond - last) < 1e-3 else np.inf

    def extrema(self) -> list[tuple[float, float, bool]]:
        """(R, alpha, is a maximum) of the curve's inner extrema that are deeper than rounding, in order of R."""
        found: list[tuple[float, float, bool]] = []
        log_R, values = np.log(self.grid), np.log(self.alphas)
        rising = not (self.blind and values[1] < values[0])
        best = 0
        for i in range(1, values.size):
            better = values[i] > values[best] if rising else values[i] < values[best]
            if better:
                best = i
            elif abs(values[i] - values[best]) > REAL:
                if 0 < best:
                    found.append(self._polish(log_R, best, rising))
                rising, best = not rising, i
        return found

    def _polish(self, log_R: FloatArray, i: int, maximum: bool) -> tuple[float, float, bool]:
        sign = -1.0 if maximum else 1.0
        bounds = (log_R[max(i - 1, 0)], log_R[min(i + 1, log_R.size - 1)])
        best = minimize_scalar(lambda x: sign * self.alpha(float(np.exp(x))), bounds=bounds, method="bounded", options={"xatol": 1e-7})
        return float(np.exp(best.x)), float(sign * best.fun), maximum

    def segments(self) -> list[tuple[float, float, bool]]:
        """Stretches of R, from end to end, on which alpha(R) is monotone, and whether it rises."""
        places = [self.grid[0], *(R for R, _, _ in self.extrema()), self.grid[-1]]
        return [(a, b, self.alpha(b) >= self.alpha(a)) for a, b in pairwise(places)]

    def solutions(self, alpha: float, stable: bool = False) -> list[FixedPoint]:
        """Every fixed point at one alpha, or the stable ones, by increasing overlap."""
        found = []
        if self.silent:
            return [self._point(0.0, self.start, alpha, True)]
        if self.blind and (not stable or alpha <= self.onset):
            found.append(self._point(0.0, self.start, alpha, alpha <= self.onset))
        for a, b, rising in self._segments:
            low, high = sorted((self.alpha(a), self.alpha(b)))
            if stable and not rising:
                continue
            if low <= alpha < high or (not rising and low < alpha <= high):
                found.append(self._point(self._root(alpha, a, b), None, alpha, rising))
            elif rising and a == self.grid[0] and self.onset < alpha < low:  # before the first point, where the curve is straight
                R = a * (alpha - self.onset) / (low - self.onset)
                for _ in range(0 if self.blind else 3):
                    R = alpha * self._fisher(self._known(R))
                found.append(self._point(R, None, alpha, True))
        if alpha >= self.alphas[-1]:
            found.append(self._point(self.grid[-1], None, alpha, True, perfect=True))
        return sorted(found, key=lambda point: point.R)

    def _root(self, alpha: float, a: float, b: float) -> float:
        """R between a and b, where the curve is monotone: by inverse interpolation between what is known of it, else by Brent's method."""
        known = np.array([a, *(R for R in self.grid if a < R < b), b])
        gaps = np.array([self._gap(R, alpha) for R in known.tolist()])
        nearest = int(np.argmin(np.abs(gaps)))
        change = np.flatnonzero(gaps[1:] * gaps[:-1] < 0)
        if change.size == 0 or abs(gaps[nearest]) < ROUNDING:  # alpha is that of one of them, or beyond an end
            return float(known[nearest])
        first = int(change[0])
        low, high = float(known[first]), float(known[first + 1])
        near = slice(max(first - AROUND + 1, 0), first + AROUND + 1)
        places, values = np.log(known[near]).tolist(), gaps[near].tolist()
        for _ in range(INTERPOLATIONS):
            R = float(np.exp(_interpolated(values, places)))
            if not low < R < high:
                break
            gap = self._gap(R, alpha)
            if abs(gap) < ROUNDING:
                return R
            if gap * gaps[first] > 0:
                low = R
            else:
                high = R
            places.append(float(np.log(R)))
            values.append(gap)

        def place(x: float) -> float:  # the ends themselves, whose signs are known
            return low if x == 0.0 else high if x == 1.0 else float(low * (high / low) ** x)

        return place(brentq(lambda x: self._gap(place(x), alpha), 0.0, 1.0, xtol=1e-14, rtol=1e-14))

    def _gap(self, R: float, alpha: float) -> float:
        return float(np.log(self.alpha(R) / alpha))

    @cached_property
    def _segments(self) -> list[tuple[float, float, bool]]:
        return self.segments()

    def _point(self, R: float, known: Known | None, alpha: float, stable: bool, perfect: bool = False) -> FixedPoint:
        known = self._known(R) if known is None else known
        if perfect and self.diverges:
            entropy = np.inf
        else:
            entropy = known.psi + alpha * self.output(known) - 0.5 * R * known.q
        if perfect:
            known = Known(self.total, 0.0, known.psi)
        return FixedPoint(R, known.q, known.left, entropy, stable, perfect)

    def chosen(self, alpha: float, branch: str) -> FixedPoint:
        """The uninformed, informed or equilibrium fixed point."""
        stable = self.solutions(alpha, stable=True)
        if branch == "uninformed":
            return stable[0]
        if branch == "informed":
            return stable[-1]
        return max(stable, key=lambda point: (point.free_entropy, point.q))

    def thresholds(self) -> Thresholds:
        """Weak recovery, every first-order transition, and where recovery becomes perfect."""
        if self.silent:
            return Thresholds(np.inf, (), np.inf)
        turns = self.extrema()
        if self.blind and not self._segments[0][2]:
            turns.insert(0, (0.0, self.onset, True))
        end = float(self.alphas[-1])
        open_end = not self._segments[-1][2]
        slope = np.log(self.alphas[-1] / self.alphas[-2]) / np.log(self.grid[-1] / self.grid[-2])
        grows = slope > 0.1  # alpha(R) goes on rising: something is left at any alpha
        vanishes = slope < -0.1  # alpha(R) goes on falling, to 0 (finitely many values), not to the share of a density in the prior
        transitions = []
        for i, (below, top, maximum) in enumerate(turns):
            if not maximum:
                continue
            last = i + 1 >= len(turns)
            above, bottom = (self.grid[-1], end) if last else turns[i + 1][:2]
            informed = 0.0 if (vanishes if last else bottom < 1e-3 * top) else bottom
            equal = informed if last and self.diverges else self._equal(bottom, top, below, above)
            transitions.append(Transition(informed, equal, top))
        perfect = np.inf
        if open_end and transitions:
            perfect = transitions[-1].information_theoretic
        elif not grows and self.noise + self.channel.noise == 0:
            perfect = end
        return Thresholds(self.onset, tuple(transitions), perfect)

    def _equal(self, bottom: float, top: float, below: float, above: float) -> float:
        """Where the free entropies of the branches on both sides of a fold cross; their difference rises with alpha, as Psi does with q."""

        def gap(alpha: float) -> float:
            stable = self.solutions(alpha, stable=True)
            lower = [point for point in stable if point.R <= below * (1 + 1e-9)]
            upper = [point for point in stable if point.R >= above * (1 - 1e-9)]
            return upper[0].free_entropy - lower[-1].free_entropy if upper and lower else np.nan

        low, high = bottom * (1 + 1e-6), top * (1 - 1e-9)
        if not gap(low) < 0:
            return bottom
        return float(brentq(gap, low, high, xtol=1e-10, rtol=1e-12)) if gap(high) > 0 else top


def potentials(e: GaussianEquivalent, step: float, known: Sequence[Potential] = ()) -> tuple[list[Potential], FloatArray]:
    """One potential for every value of the target's constant part, and their weights; without values that change no digit.

    Random offsets of real labels have equal steps, `step` times the usual ones, where they vary little beside the field. Values at which a
    potential is `known` take that.
    """
    binary = isinstance(e.channel, BinaryLabel)
    if binary:
        b0, mass = e.offset_nodes(smooth=BENT if e.channel.direction == 0 else OFFSETS)
    else:
        b0, mass = e.spaced_offsets(even=e.folds(), step=step) if e.smooth_offset else e.offset_nodes()
    counted = mass > RARE * step
    if not binary and b0.size > 1:  # errors of counts grow exponentially with the field, and the rarer their values the larger they are
        moments = e.channel.label_moments(b0, float(e.weights @ e.signal_modes) + e.model_noise)
        variance = mass * (moments.scatter + moments.noise)
        if np.isfinite(variance).all():
            counted |= variance > SMALL * variance.sum()
    at = {one.b0: one for one in known}
    new = [b for b in b0[counted].tolist() if b not in at]
    at |= {b: Potential(e, b, seen) for b, seen in zip(new, _seen(e, new), strict=True)}
    return [at[b] for b in b0[counted].tolist()], mass[counted] / mass[counted].sum()


def _seen(e: GaussianEquivalent, b0: list[float]) -> list[dict[float, float]]:
    """Fisher informations at the first grid, for all b0 together."""
    side, places = prior_side(e), np.array(b0)
    if side.total <= 0 or places.size < 2:
        return [{} for _ in b0]
    out: list[dict[float, float]] = [{} for _ in b0]
    for R in first_grid(side, e.noise).tolist():
        known = side.at(R)
        V = effective(known, side.total) + e.model_noise
        for seen, fisher in zip(out, e.channel.fisher(np.array(known.q), np.array(V), places).tolist(), strict=True):
            seen[R] = fisher
    return out
