"""Real labels of any law but Gaussian noise on the field, as the saddle point of a convex learner sees them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from gaussequiv.errors import AccuracyWarning, FloatArray
from gaussequiv.ingredients.channels.label_atoms import LabelAtoms
from gaussequiv.ingredients.channels.label_moments import LabelMoments
from gaussequiv.ingredients.losses.named import Square
from gaussequiv.learners.convex.averages import Averages, Fields
from gaussequiv.learners.convex.output_averages import Weights, label_averages, label_errors, label_losses, square_averages, untrained

KEPT = 10_000_000  # pairs of field and label kept for all offsets together
RESOLVED = 1e-6  # miss of the pairs in a moment of the label that counts as rounding
ROUNDING = 1e-10  # of a label, relative to its mean
LEAST_SQUARE = 1e-280
SILENT = 1e-12  # dependence of the label's law on the field, in standard deviations, that rounding explains


class RealLabels:
    """Moments and pairs of field and label at every offset of a model, and the averages over them."""

    def __init__(self, channel: Any, rho: float, b0: FloatArray) -> None:
        self.channel, self.rho, self.b0 = channel, rho, b0
        self.moments: LabelMoments = channel.label_moments(b0, rho)
        self._laws: dict[float, LabelAtoms] = {}

    def law(self, b0: float) -> LabelAtoms:
        """The pairs at one offset."""
        if b0 in self._laws:
            return self._laws[b0]
        found: LabelAtoms = self.channel.residual_atoms(b0, self.rho)
        self._check(b0, found)
        if found.mass.size + sum(law.mass.size for law in self._laws.values()) <= KEPT:
            self._laws[b0] = found
        return found

    def _check(self, b0: float, law: LabelAtoms) -> None:
        """The pairs have the mean, slope and variance of the law, which are known to rounding."""
        at = int(np.argmin(np.abs(self.b0 - b0)))
        mean, slope, scatter, noise = (float(part[at]) for part in self.moments)
        square = scatter + noise + (ROUNDING * mean) ** 2
        if square < LEAST_SQUARE:
            return  # labels that do not differ from zero
        spread = float(np.sqrt(square))
        own = float(law.mass @ law.label)
        along = law.variance if law.follows is not None else float((law.mass * law.centred) @ (law.label - own))
        around = float(law.mass @ (law.label - own) ** 2) + law.noise + (law.variance if law.follows is not None else 0.0)
        gaps = (
            (own - mean) / (spread + abs(mean)),
            (along / np.sqrt(law.variance) - slope * np.sqrt(law.variance)) / spread if law.variance > 0 else 0.0,
            (around - scatter - noise) / square,
        )
        worst = max(abs(gap) for gap in gaps)
        if worst > RESOLVED:
            warnings.warn(
                f"Pairs of field and label miss the moments of the labels {self.channel} by {worst:.1e} of their standard deviation: "
                "declare the kinks of the law, or a smaller resolution.",
                AccuracyWarning,
                stacklevel=2,
            )

    def _laws_of(self, at: Fields) -> list[LabelAtoms]:
        return [self.law(b0) for b0 in at.b0.tolist()]

    def _moments_at(self, at: Fields) -> tuple[LabelMoments, FloatArray]:
        """The moments at every point, and Var E[y | field] - c1^2 rho."""
        order = np.argsort(self.b0)
        index = order[np.searchsorted(self.b0[order], at.b0)]
        moments = LabelMoments(*(part[index] for part in self.moments))
        return moments, np.maximum(moments.scatter - moments.slope**2 * self.rho, 0.0)

    def averages(self, loss: Any, at: Fields, weights: Weights) -> Averages:
        """What closes the saddle point."""
        if isinstance(loss, Square):
            return square_averages(*self._moments_at(at), at, weights)
        return label_averages(loss, self._laws_of(at), at, weights)

    def scores(self, loss: Any, at: Fields, weights: Weights, keys: tuple[str, ...] | None = None) -> dict[str, FloatArray]:
        """Observables, one entry for each point; with `keys` those at least."""
        errors = label_errors(*self._moments_at(at), at)
        if keys is not None and set(keys) <= errors.keys():
            return errors
        if not isinstance(loss, Square):
            return errors | label_losses(loss, self._laws_of(at), at, weights)
        test = errors["test_error"]
        train_error, train_loss = np.zeros_like(test), np.zeros_like(test)
        for weight, fraction in weights:
            fitted = fraction * test / (1 + weight * at.V) ** 2
            train_error, train_loss = train_error + fitted, train_loss + 0.5 * weight * fitted
        return errors | {"train_error": train_error, "test_loss": 0.5 * test, "train_loss": train_loss}

    def untrained(self, loss: Any, b0: FloatArray, weights: Weights, c: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """E g^2, E Z0' g and E dl/dz of the student z = c at every offset."""
        return untrained(loss, [self.law(b) for b in b0.tolist()], weights, c)

    def informative(self, loss: Any) -> bool:
        """Whether the loss can learn the field's direction: for the square loss the slope of E[y | field], else any change of the law."""
        if isinstance(loss, Square):
            return bool(np.any(np.abs(self.moments.slope) > 1e-14))
        return any(_says_something(self.law(b)) for b in self.b0.tolist())


def _says_something(law: LabelAtoms) -> bool:
    """Whether E[field | label] moves: bounded test functions of the label at several places."""
    if law.follows is not None:
        return law.variance > 0
    mean = float(law.mass @ law.label)
    spread = float(np.sqrt(law.mass @ (law.label - mean) ** 2))
    if spread == 0:
        return False
    for place in np.linspace(-2.0, 2.0, 9):
        seen = np.tanh((law.label - mean) / spread - place)
        if abs(float((law.mass * law.centred) @ seen)) > SILENT * np.sqrt(law.variance):
            return True
    return False
