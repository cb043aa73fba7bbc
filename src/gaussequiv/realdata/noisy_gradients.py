"""Averages of the proximal gradient of a loss over Gaussian noise of its score, for many rows and training sizes at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from gaussequiv.errors import ArgumentError, FloatArray
from gaussequiv.ingredients.losses.margin import Logistic
from gaussequiv.ingredients.losses.named import Loss

SMOOTH = 0.02  # hinges at n >= N: scores are blurred by this fraction of their spread, so that every row has a curvature
NODES = 7  # of the noise, for the logistic loss: g bends on a scale of about 1 + sqrt(V), and noise of more than that is rare
TINY = 1e-300
LONGEST = 2.0  # step of Newton's method; the logistic function bends on the scale 1


class NoisyGradients(ABC):
    """phi = E g, slope = -E g' and square = E g^2 of g = s(y) times the proximal gradient at score + sqrt(extra) xi.

    Called with scores, V and extra variances of one shape (S, N): one call is one step of an iteration that changes them little.
    `unsettled` is the relative change of g in the last step of iterations of its own, for each of S.
    """

    unsettled: FloatArray | float = 0.0

    @abstractmethod
    def __call__(self, score: FloatArray, V: FloatArray, extra: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """phi, slope and square."""

    @abstractmethod
    def only(self, kept: Any) -> None:
        """Go on with some of the leading entries."""


class Ramp(NamedTuple):
    """A slope f'(t) = clip((t - place)/width, steepest, 0) in the margin t; a jump where width = 0."""

    place: float
    steepest: float
    width: float


def ramp_of(loss: Loss) -> Ramp | None:
    """The ramp that is all of a margin loss's slope (hinges), or None.

    Examples
    --------
    >>> from gaussequiv.ingredients.losses import named as losses
    >>> ramp_of(losses.get("hinge"))
    Ramp(place=1.0, steepest=-1.0, width=0.0)
    """
    if loss.kind != "margin" or len(loss.pieces) != 1:
        return None
    ((place, low, high, width),) = loss.pieces
    rest, _ = loss.rest_at(np.linspace(place - 10, place + 10, 101))
    return Ramp(place, low, width) if high == 0 and not rest.any() else None


class RampGradients(NoisyGradients):
    """g = clip((place - y omega)/(width + V), 0, -steepest): closed forms."""

    def __init__(self, ramp: Ramp, y: FloatArray, weights: FloatArray) -> None:
        self.ramp, self.y, self.weights = ramp, y, weights

    def __call__(self, score: FloatArray, V: FloatArray, extra: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """phi, slope and square; without extra variance, of scores blurred by a fraction SMOOTH of their spread."""
        ramp, s, y = self.ramp, self.weights, self.y
        blur = np.sqrt(np.maximum(extra, SMOOTH**2 * (np.var(score, axis=-1, keepdims=True) + 1e-12)))
        missing, reach = ramp.place - y * score, ramp.width + s * V
        share, mean, square = positive_part(missing, blur)
        if np.isinf(ramp.steepest):
            scale = s / reach
            return y * scale * mean, scale * share, scale**2 * square
        top = -ramp.steepest * reach  # where g stops growing; x = top + (x - top) beyond
        above, beyond, further = positive_part(missing - top, blur)
        second = (square - (further + 2 * top * beyond + top**2 * above)) / reach**2 + ramp.steepest**2 * above
        return y * s * (mean - beyond) / reach, s * (share - above) / reach, s**2 * np.maximum(second, 0.0)

    def only(self, kept: Any) -> None:
        """Nothing is remembered between calls."""


class LogisticGradients(NoisyGradients):
    """Gauss-Hermite nodes, each of which keeps its proximal point: a call is one step of Newton's method for it, with one exponential."""

    def __init__(self, y: FloatArray, weights: FloatArray, nodes: int = NODES) -> None:
        self.y, self.weights = y, weights
        places, mass = np.polynomial.hermite_e.hermegauss(nodes)
        self.places, self.mass = places, mass / mass.sum()
        self.loss = Logistic()
        self._point: FloatArray | None = None

    def __call__(self, score: FloatArray, V: FloatArray, extra: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """phi, slope and square; exact once arguments repeat."""
        scale = self.weights * V
        margin = np.multiply.outer(self.places, np.sqrt(np.maximum(extra, 0.0)))
        margin += self.y * score
        if self._point is None:  # exact without noise, and straight from there
            middle = np.broadcast_to(self.y * score, score.shape)
            g, bent = self.loss.proximal_at(middle, np.broadcast_to(scale, score.shape))
            self._point = middle + scale * g + (margin - middle) * (1 + scale * bent)
        point = self._point
        tail = np.exp(point)
        tail += 1
        np.divide(1, tail, out=tail)  # sigma(-point) is g at the solution
        bend = tail * (1 - tail)
        step = margin
        step -= point
        step += scale * tail
        step /= 1 + scale * bend
        np.clip(step, -LONGEST, LONGEST, out=step)
        point += step
        bend *= step
        tail -= bend
        self.unsettled = np.mean(np.abs(bend), axis=(0, -1)) / (np.mean(tail, axis=(0, -1)) + TINY)
        np.clip(tail, 0.0, 1.0, out=tail)
        phi, square = self._mean(tail), self._mean(tail * tail)
        np.subtract(1, tail, out=bend)
        bend *= tail
        bend /= 1 + scale * bend
        return self.y * self.weights * phi, self.weights * self._mean(bend), self.weights**2 * square

    def _mean(self, values: FloatArray) -> FloatArray:
        return (self.mass @ values.reshape(self.mass.size, -1)).reshape(values.shape[1:])

    def only(self, kept: Any) -> None:
        """Go on with the proximal points of some of the leading entries."""
        if self._point is not None:
            self._point = self._point[:, kept]


def noisy_gradients_of(loss: Loss, y: FloatArray, weights: FloatArray) -> NoisyGradients:
    """Those of a hinge or of the logistic loss."""
    ramp = ramp_of(loss)
    if ramp is not None:
        return RampGradients(ramp, y, weights)
    if isinstance(loss, Logistic):
        return LogisticGradients(y, weights)
    raise ArgumentError(f"Argument `loss` must be logistic or a hinge, but loss={loss.name!r}.")


def positive_part(mean: FloatArray, deviation: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """P(x > 0), E max(x, 0), E max(x, 0)^2 for x ~ N(mean, deviation^2)."""
    t = mean / deviation
    share = special.ndtr(t)
    density = np.exp(-0.5 * t * t) / np.sqrt(2 * np.pi) * deviation
    return share, mean * share + density, (mean**2 + deviation**2) * share + mean * density
