"""One convex learner on one equivalent: the equations at many points, and what is observed at their solutions."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import elementwise

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.equivalence.offsets import FULL, Bend, OffsetRule
from gaussequiv.errors import LARGEST_MOMENT, ArgumentError, FloatArray
from gaussequiv.ingredients.channels.gaussian import GaussianNoise
from gaussequiv.learners.convex.averages import Averages, Fields, about_mean, binary_averages, residual_averages
from gaussequiv.learners.convex.modes import QuadraticStudent, SeparableStudent, SpectralHalf
from gaussequiv.learners.convex.real_labels import RealLabels
from gaussequiv.learners.convex.residual_law import SHOWN
from gaussequiv.learners.convex.saddle_point import CONSTANT, LOGS, SaddlePoint, SolvedPoints
from gaussequiv.learners.convex.scores import Observables, classification_scores, regression_scores
from gaussequiv.learners.convex.separability import separability_threshold
from gaussequiv.numerics.panels import normal_about

if TYPE_CHECKING:
    from gaussequiv.learners.convex.erm import ERM

HARMLESS = 1e-8  # mass times residual of an offset that does not fail the average
NEGLIGIBLE = 1e-10  # mass of an offset, relative to the largest
SELDOM, ALIKE, NOISE = 1e-5, 1e-9, 1e-13  # mass of rare offsets; their share of the labels' variance, and others', that counts
ZERO_WEIGHTS = 8.3  # thresholds over the standard deviation of their argument
SILENT = 1e-14  # change of P(y | field) over one standard deviation of the field that rounding explains
BESIDE_ZERO = 1e-4  # an offset in place of 0, in standard deviations: even functions differ by its square
BESIDE = 1e-6  # a kink, in units of the constant
NO_CONSTANT = 1e-17  # error of one that vanishes, over the range in which it is looked for
SOME = 0.15  # of the penalty that leaves no weight: some are left
HELD = 1e-4  # the jump of E dl/dz that rows at a kink make, relative to the root of E g^2
WIDE = np.geomspace(3.0, 1e6, 60)  # residuals and margins at which losses are looked at, beside small ones
REACH = 10.0  # for a constant: in standard deviations of the labels, and units of a margin


@dataclass
class Points:
    """Load n/p (alpha over the aspect), lam and b0 of every point."""

    load: FloatArray
    lam: FloatArray
    b0: FloatArray

    def take(self, index: Any) -> Points:
        """Some of them."""
        return Points(self.load[index], self.lam[index], self.b0[index])


class Model:
    """The saddle point of `ERM` on an equivalent; hyperparameters other than lam sit in the learner, lam in the points."""

    def __init__(self, erm: ERM, e: GaussianEquivalent, rule: OffsetRule = FULL) -> None:
        self.erm, self.e, self.rule = erm, e, rule
        self.loss = erm.loss
        self.channel = e.channel
        self.regression = e.channel.task == "regression"
        self.general = self.regression and not isinstance(e.channel, GaussianNoise)  # real labels of another law
        if self.regression and self.loss.kind == "margin":
            raise ArgumentError(
                f"Argument `loss` must be a loss of the residual for a regression target, but {self.loss.name} is one of the margin y z; "
                'labels -1 and +1 come from a target with task="classification".'
            )
        if self.regression and erm.class_weight is not None:
            raise ArgumentError("Argument `class_weight` must be None for a regression target: it weighs the labels -1 and +1.")
        self.intercept = erm.learns_constant(e)
        self.linear = float(e.weights @ e.signal_modes)
        self.rho = self.linear + e.model_noise
        self.nugget = e.nugget
        self.scale = float(e.weights @ e.eigenvalues)
        self.rank = float(e.weights[e.eigenvalues > 0].sum())
        weights = erm.class_weights
        alike = weights[0] == weights[1] and _odd(self.loss)  # the learner treats both signs of (label, field) alike
        # whether offsets have equal steps, b0 >= 0 stands for both signs, and then mhat, and not the constant, is odd in b0
        self.spaced, self.folded, self.mirrored = False, False, False
        self.shifted = self.regression and self.intercept and not self.general  # a shift of y moves the intercept and nothing else
        if self.shifted:
            self.b0, self.mass = np.array([float(e.offset or 0)]), np.ones(1)
        else:
            self.spaced = self.general and e.smooth_offset
            # errors of labels -1 and +1 bend where the constant of a student with few weights turns: if links rise or fall, near 0; and
            # broad offsets say something there alone
            bent = self.regression or not e.smooth_offset or (alike and e.channel.direction != 0)
            half = e.folds(alike)
            if self.spaced:
                b0, mass = e.spaced_offsets(even=half, step=rule.step)
            else:
                b0, mass = e.offset_nodes(even=half, smooth=rule.panel, bent=bent, bends=rule.bends)
            counted = mass > NEGLIGIBLE * mass.max()  # offsets so rare that they change no digit are left out
            self.b0, self.mass = b0[counted], mass[counted] / mass[counted].sum()
            if self.b0.size > 1:
                self._leave_out_alike()
            self.folded = half and self.b0.size > 1
            self.mirrored = self.folded and e.parity == "even"
            if self.mirrored:  # nothing is learned at 0 itself, and mhat has no logarithm there
                self.b0 = np.maximum(self.b0, BESIDE_ZERO * np.sqrt(e.offset_variance))
        symmetric = alike and not self.regression and bool(e.channel.symmetric) and not np.any(self.b0)
        own = erm.sample_weights
        self.classes: tuple[tuple[float, float, float], ...]
        if symmetric:  # both labels give the same, and the intercept is 0
            self.classes, self.free_constant = tuple((1.0, weights[1] * s, 2.0 * part) for s, part in own), False
        else:
            labels = ((1.0, weights[1]), (-1.0, weights[0]))
            self.classes = tuple((label, weight * s, part) for label, weight in labels for s, part in own)
            self.free_constant = self.intercept
        self.real = RealLabels(e.channel, self.rho, self.b0) if self.general else None
        self.signal = self.linear > 0 and self._informative()
        self.spectral = _spectral_half(e, erm.penalty)
        self.curvature = 1.0 if erm.penalty.is_quadratic else float(erm.penalty.l2)  # of the penalty, over lam
        self._constants: dict[float, tuple[float, float, float]] = {}  # what `untrained` has found, by b0
        self.kinked = isinstance(self.spectral, SeparableStudent) and erm.penalty.l1 > 0

    def _leave_out_alike(self) -> None:
        """Leave out rare offsets beyond which labels are nearly all alike; the last that are kept stand for them.

        They hardly count in the error, and are hard to solve: hardly a row says anything there.
        """
        mean, variance = self._labels_at(self.b0)
        share = self.mass * (variance + (0.0 if self.intercept else mean**2))
        rare = self.mass < SELDOM * self.mass.max()
        kept = np.flatnonzero(share > np.where(rare, ALIKE, NOISE) * share.sum())
        if kept.size == 0:  # labels that do not vary at all
            return
        first, last = kept[0], kept[-1] + 1
        mass = self.mass[first:last].copy()
        mass[0] += self.mass[:first].sum()
        mass[-1] += self.mass[last:].sum()
        self.b0, self.mass = self.b0[first:last], mass

    def _labels_at(self, b0: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of the labels at every offset."""
        if self.regression:
            moments = self.channel.label_moments(b0, self.rho)
            return moments.mean, moments.scatter + moments.noise
        up, down = (p.value for p in self.channel.both(b0, np.full_like(b0, self.rho)))
        return up - down, 4 * up * down

    def with_loss(self, loss: Any) -> Model:
        """The same student of another loss of the same kind."""
        other = copy(self)
        other.loss, other._constants = loss, {}
        return other

    def with_rule(self, rule: OffsetRule) -> Model:
        """The same student at other values of the offset."""
        other = Model(self.erm, self.e, rule)
        other._constants = self._constants
        return other

    def with_bends(self, bends: tuple[Bend, ...]) -> Model:
        """The same student at offsets on panels that end at bends of the error."""
        return self.with_rule(self.rule._replace(bends=bends))

    @property
    def odd(self) -> tuple[str, ...]:
        """Observables that are odd in b0, of which the half line says nothing: they vanish on average."""
        return ("m",) if self.mirrored else ("intercept",) if self.folded else ()

    def averaged(self, values: Observables) -> Observables:
        """Averages over b0 of arrays (points, offsets); what is odd is 0 where the test error is known, also of interpolators, which do not
        say it.
        """
        out = {key: value @ self.mass for key, value in values.items()}
        return out | {key: np.where(np.isfinite(out["test_error"]), 0.0, np.nan) for key in self.odd}

    def harmless(self, b0: FloatArray, residual: FloatArray) -> NDArray[np.bool_]:
        """Which rare offsets may hold less well than others: what they count is their mass; others than the rule's count wholly."""
        mass = dict(zip(self.b0.tolist(), self.mass.tolist(), strict=True))
        return np.array([mass.get(one, 1.0) for one in b0.tolist()]) * residual < HARMLESS

    def points(self, alpha: FloatArray, lam: FloatArray) -> Points:
        """Every (alpha, lam) at every offset, the offsets of one alpha side by side."""
        nodes = self.b0.size
        return Points(np.repeat(alpha / self.e.aspect, nodes), np.repeat(lam, nodes), np.tile(self.b0, alpha.size))

    def sign(self, at: Points) -> FloatArray | None:
        """Of mhat for labels: that of the slope of P(+1) in the field; None for real labels."""
        if self.regression or not self.signal:
            return None
        slope = self.channel.up(at.b0, np.full_like(at.b0, self.rho)).first
        return np.where(slope < 0, -1.0, 1.0)

    def _informative(self) -> bool:
        if self.real is not None:
            return self.real.informative(self.loss)
        if self.regression:
            return True
        slope = self.channel.up(self.b0, np.full_like(self.b0, self.rho)).first
        return bool(np.any(np.abs(slope) * np.sqrt(self.rho) > SILENT))

    def capped(self, at: Points) -> Points:
        """For penalties with kinks, lam no further than where all weights vanish up to 1e-16: beyond, nothing changes any more."""
        near = np.flatnonzero(~self._far_from_empty(at))
        if near.size == 0:
            return at
        lam = at.lam.copy()
        lam[near] = np.minimum(lam[near], self.empty(at.take(near)))
        return Points(at.load, lam, at.b0)

    def gone(self, at: Points, share: float = 1.0) -> NDArray[np.bool_]:
        """Where a penalty with a kink leaves no weight, or is this share of what does."""
        found, near = np.zeros(at.lam.shape, dtype=bool), np.flatnonzero(~self._far_from_empty(at))
        if near.size:
            found[near] = at.lam[near] >= self.empty(at.take(near)) * (share - 1e-9)
        return found

    def _far_from_empty(self, at: Points) -> NDArray[np.bool_]:
        """Where lam leaves weights for sure: it is small beside what leaves none at offsets on both sides, as far as these are known."""
        if not self.kinked:
            return np.ones(at.lam.shape, dtype=bool)
        known = np.array(sorted(self._constants))
        after = np.searchsorted(known, at.b0)
        far = (after > 0) & (after < known.size)
        for side in (-1, 0):
            far[far] = at.lam[far] < SOME * self.empty(Points(at.load[far], at.lam[far], known[after[far] + side]))
        return far

    def empty(self, at: Points) -> FloatArray:
        """lam at which a penalty with a kink leaves no weight."""
        assert isinstance(self.spectral, SeparableStudent)
        square, field, _ = self.untrained(at.b0)
        return ZERO_WEIGHTS * self.spectral.largest(at.load * square, at.load * field) / float(self.erm.penalty.l1)

    def untrained(self, b0: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """E g^2 and E Z0' g of the student without weights, z = c, for which g = -dl/dz, and c, its best constant."""
        known = self._constants
        new = np.setdiff1d(b0, list(known))
        if new.size:
            c = self._best_constant(new) if self.free_constant else np.zeros_like(new)
            square, field = self._held(new, c) if self.free_constant else self.slopes(new, c)[:2]
            known.update(zip(new.tolist(), zip(square, field, c, strict=True), strict=True))
        square, field, c = np.array([known[b] for b in b0.tolist()]).reshape(-1, 3).T
        return square, field, c

    def _best_constant(self, b0: FloatArray) -> FloatArray:
        """c at which E dl/dz changes sign, which rises with c; the end of the range where it does not."""
        reach = np.abs(b0) + REACH * (1 + np.sqrt(self.rho + self.channel.noise))
        first, last = (self.slopes(b0, c)[2] for c in (-reach, reach))
        c = np.where(first > 0, -reach, reach)
        inside = np.flatnonzero((first < 0) & (last > 0))
        if inside.size:

            def slope(c: FloatArray, b0: FloatArray) -> FloatArray:  # in logarithms: an exponential loss overflows
                return np.arcsinh(np.clip(self.slopes(b0, c)[2], -1e300, 1e300))

            tolerances = {"xatol": NO_CONSTANT * float(reach.min()), "xrtol": 4e-16, "fatol": 0.0, "frtol": 0.0}
            ends = -reach[inside], reach[inside]
            c[inside] = elementwise.find_root(slope, ends, args=(b0[inside],), tolerances=tolerances).x  # type: ignore[call-overload]
        return c

    def _held(self, b0: FloatArray, c: FloatArray) -> tuple[FloatArray, FloatArray]:
        """E g^2 and E Z0' g at the best constant; rows at a kink take the slopes of either side in the shares that make E g vanish."""
        beside = BESIDE * (1 + np.abs(c))
        middle, below, above = (self.slopes(b0, c + side * beside) for side in (0.0, -1.0, 1.0))
        jump = above[2] - below[2]
        with np.errstate(invalid="ignore", divide="ignore"):
            share = -below[2] / jump
            use = (below[2] < 0) & (above[2] > 0) & (jump > HELD * np.sqrt(np.maximum(below[0], above[0])))
            square, field = (np.where(use, below[k] + share * (above[k] - below[k]), middle[k]) for k in (0, 1))
        return square, field

    def slopes(self, b0: FloatArray, c: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """E g^2, E Z0' g and E dl/dz at z = c."""
        square, field, mean = np.zeros_like(b0), np.zeros_like(b0), np.zeros_like(b0)
        if self.real is not None:
            return self.real.untrained(self.loss, b0, self.erm.sample_weights, c)
        if self.regression:
            root = np.full_like(b0, np.sqrt(self.rho + self.channel.noise))
            r, nodes = normal_about(c - b0, root, self.loss.breaks(np.full_like(b0, SHOWN)))
            slope = self.loss.slope(0.0, r)
            once, twice = (sum(part * s**k for s, part in self.erm.sample_weights) for k in (1, 2))
            mass = nodes.weights * slope
            return twice * (mass * slope).sum(axis=1), once * (mass * nodes.xi).sum(axis=1) / root, once * mass.sum(axis=1)
        for label, weight, factor in self.classes:
            p = self.channel.probability(label, b0, np.full_like(b0, self.rho))
            with np.errstate(over="ignore", invalid="ignore"):  # exp of a far margin
                slope = weight * self.loss.slope(label, c)
                square += factor * np.where(p.value > 0, p.value * slope**2, 0.0)
                field -= factor * np.where(p.first != 0, p.first * slope, 0.0)
                mean += factor * np.where(p.value > 0, p.value * slope, 0.0)
        return square, field, mean

    def first_update(self, b0: FloatArray, c: FloatArray, V: FloatArray) -> tuple[FloatArray, FloatArray]:
        """E g^2 and E Z0' g at omega = c for labels -1 and +1; `slopes` has those at V = 0."""
        square, field = np.zeros_like(b0), np.zeros_like(b0)
        for label, weight, factor in self.classes:
            p = self.channel.probability(label, b0, np.full_like(b0, self.rho))
            g = weight * self.loss.proximal(label, c[:, None], weight * V[:, None])[0][:, 0]
            square += factor * p.value * g * g
            field += factor * p.first * g
        return square, field

    def average(self, fields: Fields, _index: Any = None) -> Averages:
        """The averages of `SaddlePoint`."""
        if self.real is not None:
            averages = self.real.averages(self.loss, fields, self.erm.sample_weights)
        elif self.regression:
            averages = residual_averages(self.loss, self.channel.noise, fields, self.erm.sample_weights)
        else:
            averages = binary_averages(self.loss, self.channel, self.classes, fields)
        return about_mean(averages) if self.free_constant else averages

    def saddle(self, at: Points, sign: FloatArray | None = None) -> SaddlePoint:
        """The equations at some points, mhat of a given sign."""
        known = self.known_constant(at.b0) if self.shifted else None
        return SaddlePoint(self.spectral, self.average, at.load, at.lam, at.b0, self.free_constant, self.signal, sign, known)

    def known_constant(self, b0: FloatArray) -> FloatArray:
        """The part of the student's constant that is none of the unknowns: the shift of labels that are field and noise."""
        return b0 if self.shifted else np.zeros_like(b0)

    def start(self, at: Points) -> FloatArray:
        """An uninformed start; a constant near the labels' own where one is fitted."""
        unknowns = np.zeros((at.load.size, 4))
        unknowns[:, LOGS] = np.log(at.load / 4)[:, None]
        if self.free_constant:
            left = at.b0 - self.known_constant(at.b0)
            unknowns[:, CONSTANT] = left / np.sqrt(max(self.rho, 1.0))  # over sqrt(1 + q), in whatever unit the field is
        return unknowns

    def limit_threshold(self, b0: FloatArray) -> FloatArray:
        """Load below which lam -> 0+ is the maximum-margin limit, for every b0."""
        values = {b: separability_threshold(self.e, intercept=self.intercept, b0=b) / self.e.aspect for b in np.unique(b0).tolist()}
        return np.array([values[b] for b in b0.tolist()])

    def observe(self, solution: SolvedPoints, keys: tuple[str, ...] | None = None) -> Observables:
        """Observables at solved points, not averaged over b0; with `keys` only what those need.

        nan where an order parameter has overflowed.
        """
        f = solution.fields
        sound = np.all(np.isfinite(f), axis=0) & (f.q > 0) & (f.q <= LARGEST_MOMENT) & (f.c**2 <= LARGEST_MOMENT)
        if not sound.all():
            f = Fields(*(np.where(sound, known, other) for known, other in zip(f, self._harmless(f.b0), strict=True)))
        found = self._observed(f, keys)
        return {key: np.where(sound, value, np.nan) for key, value in found.items()}

    def _observed(self, f: Fields, keys: tuple[str, ...] | None) -> Observables:
        orders = {"m": f.m, "q": f.q, "V": f.V, "intercept": f.c}
        if self.real is not None:
            return self.real.scores(self.loss, f, self.erm.sample_weights, keys) | orders
        if self.regression:
            return regression_scores(self.loss, self.channel.noise, f, self.erm.sample_weights) | orders
        if keys == ("test_error",):
            return {"test_error": self.channel.disagreement(f.c, f.q, f.m, f.b0, np.full_like(f.q, self.rho))}
        return classification_scores(self.loss, self.channel, self.classes, f, self.rho) | orders

    def observables(self) -> tuple[str, ...]:
        """Names of what `observe` gives."""
        return tuple(self._observed(self._harmless(self.b0[:1]), None))

    def _harmless(self, b0: FloatArray) -> Fields:
        one = np.ones_like(b0)
        return Fields(one, one, 0 * one, 0 * one, b0, self.rho * one, (self.rho + 1) * one)


def _spectral_half(e: GaussianEquivalent, penalty: Any) -> SpectralHalf:
    if not np.any(e.eigenvalues > 0):
        raise ArgumentError(
            f"Argument `features` must have a linear part that varies with the inputs for a convex learner, but {e.student or e.inputs} "
            "have none at n ~ d: such a student learns a constant at most (Ridge gives its curve)."
        )
    if penalty.is_plain or (penalty.is_quadratic and e.form == penalty.digest):
        return QuadraticStudent(e)
    if penalty.is_quadratic:
        raise ArgumentError(
            "Argument `penalty` of quadratic form needs a problem whose inputs have its dimension: solve it through `Problem`."
        )
    if e.eigenvalues.size > 1 or e.aspect != 1 or e.nugget > 0:
        words = f"{e.eigenvalues.size} different eigenvalues" if e.eigenvalues.size > 1 else "features or a kernel"
        raise ArgumentError(
            f"Argument `penalty` must be l2 unless the student sees isotropic inputs, but penalty={penalty.name} meets {words}."
        )
    return SeparableStudent(e, penalty)


def _odd(loss: Any) -> bool:
    """Whether l(-y, -z) = l(y, z)."""
    z = np.linspace(-3.3, 3.1, 41)
    z = np.concatenate([z, -WIDE, WIDE])
    with np.errstate(over="ignore"):
        return bool(np.allclose(loss.slope(1.0, z), -loss.slope(-1.0, -z), rtol=1e-12, atol=1e-12))
