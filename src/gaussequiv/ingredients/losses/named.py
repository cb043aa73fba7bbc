"""Losses of convex empirical risk minimisation: those of the residual z - y, and `get` for all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gaussequiv.errors import ArgumentError, FloatArray, did_you_mean, fail, number
from gaussequiv.ingredients.losses.base import Loss, clipped
from gaussequiv.ingredients.losses.convexity import check_convex
from gaussequiv.ingredients.losses.custom import CustomLoss
from gaussequiv.ingredients.losses.margin import Exponential, Hinge, Logistic, MaxMargin, SquaredHinge
from gaussequiv.numerics.ranges import Range

__all__ = [
    "Absolute",
    "CustomLoss",
    "Exponential",
    "Hinge",
    "Huber",
    "Logistic",
    "Loss",
    "MaxMargin",
    "Quantile",
    "Square",
    "SquaredHinge",
    "get",
    "names",
]


@dataclass(frozen=True)
class Square(Loss):
    """Square loss (y - z)^2/2, for real labels and for labels -1 and 1: scikit-learn's ``Ridge`` and ``RidgeClassifier``.

    Examples
    --------
    >>> float(Square().prox(2.0, 0.0, 1.0))
    1.0
    """

    name = "square"
    kind = "residual"

    def at(self, t: FloatArray) -> FloatArray:
        return 0.5 * t * t

    def slope_at(self, t: FloatArray) -> FloatArray:
        return t

    def curvature_at(self, t: FloatArray) -> FloatArray:
        return np.ones_like(t)

    def proximal_at(self, t: FloatArray, V: FloatArray) -> tuple[FloatArray, FloatArray]:
        slope = 1 / (1 + V)
        return -t * slope, -slope


@dataclass(frozen=True)
class Huber(Loss):
    """Huber loss: r^2/2 for |r| < a and a|r| - a^2/2 beyond, r = z - y and a the `threshold` in the units of y.

    scikit-learn's ``HuberRegressor`` also fits a scale; this one does not. g = clip(-r/(1 + V), -a, a).

    Examples
    --------
    >>> Huber(1.0).value(0.0, [0.5, 3.0]).tolist()
    [0.125, 2.5]
    """

    threshold: float = 1.0

    name = "huber"
    kind = "residual"
    ranges = {"threshold": Range(1e-4, 1e4, logarithmic=True)}

    def __post_init__(self) -> None:
        meaning = "It is the residual beyond which the loss is linear."
        object.__setattr__(self, "threshold", number("threshold", self.threshold, positive=True, meaning=meaning))

    @property
    def pieces(self) -> tuple[tuple[float, float, float, float], ...]:
        return ((0.0, -self.threshold, self.threshold, 1.0),)

    def at(self, t: FloatArray) -> FloatArray:
        a, size = self.threshold, np.abs(t)
        inner = np.minimum(size, a)
        return inner * (size - 0.5 * inner)

    def slope_at(self, t: FloatArray) -> FloatArray:
        return np.clip(t, -self.threshold, self.threshold)

    def curvature_at(self, t: FloatArray) -> FloatArray:
        return np.where(np.abs(t) < self.threshold, 1.0, 0.0)

    def proximal_at(self, t: FloatArray, V: FloatArray) -> tuple[FloatArray, FloatArray]:
        return clipped(t, V, 1.0, -self.threshold, self.threshold)

    def breaks(self, V: ArrayLike) -> FloatArray:
        edge = self.threshold * (1 + np.asarray(V, dtype=np.float64)[..., None])
        return np.concatenate([-edge, edge], axis=-1)


@dataclass(frozen=True)
class Absolute(Loss):
    """Absolute loss |r|, r = z - y (median regression). g = clip(-r/V, -1, 1).

    Examples
    --------
    >>> Absolute().prox(0.0, [3.0, 0.5], 1.0).tolist()
    [2.0, 0.0]
    """

    name = "absolute"
    kind = "residual"

    @property
    def kinks(self) -> tuple[tuple[float, float, float], ...]:
        return ((0.0, -1.0, 1.0),)

    def at(self, t: FloatArray) -> FloatArray:
        return np.abs(t)

    def slope_at(self, t: FloatArray) -> FloatArray:
        return np.sign(t)

    def curvature_at(self, t: FloatArray) -> FloatArray:
        return np.zeros_like(t)

    def proximal_at(self, t: FloatArray, V: FloatArray) -> tuple[FloatArray, FloatArray]:
        return clipped(t, V, np.inf, -1.0, 1.0)


@dataclass(frozen=True)
class Quantile(Loss):
    """Pinball loss level (y - z) for z < y and (1 - level)(z - y) for z > y: the student estimates the `level` quantile of y.

    scikit-learn's ``QuantileRegressor`` has the same loss (averaged over samples) but only an L1 penalty.
    g = clip(-r/V, level - 1, level), r = z - y; level 1/2 is half the absolute loss.

    Examples
    --------
    >>> Quantile(0.9).value(1.0, [0.0, 2.0]).round(12).tolist()
    [0.9, 0.1]
    """

    level: float = 0.5

    name = "quantile"
    kind = "residual"
    ranges = {"level": Range(1e-3, 1 - 1e-3)}

    def __post_init__(self) -> None:
        meaning = "It is the level of the quantile, strictly between 0 and 1."
        value = number("level", self.level, positive=True, meaning=meaning)
        if value >= 1:
            raise fail("level", "below 1", self.level, meaning)
        object.__setattr__(self, "level", value)

    @property
    def kinks(self) -> tuple[tuple[float, float, float], ...]:
        return ((0.0, -self.level, 1 - self.level),)

    def at(self, t: FloatArray) -> FloatArray:
        return np.where(t < 0, -self.level * t, (1 - self.level) * t)

    def slope_at(self, t: FloatArray) -> FloatArray:
        return np.where(t < 0, -self.level, np.where(t > 0, 1 - self.level, 0.5 - self.level))

    def curvature_at(self, t: FloatArray) -> FloatArray:
        return np.zeros_like(t)

    def proximal_at(self, t: FloatArray, V: FloatArray) -> tuple[FloatArray, FloatArray]:
        return clipped(t, V, np.inf, self.level - 1, self.level)


_BUILDERS: dict[str, Callable[[], Loss]] = {
    "square": Square,
    "logistic": Logistic,
    "hinge": Hinge,
    "squared_hinge": SquaredHinge,
    "huber": Huber,
    "absolute": Absolute,
    "quantile": Quantile,
    "exponential": Exponential,
    "max_margin": MaxMargin,
}
_PARAMETRIC: dict[str, Callable[[float], Loss]] = {"huber": Huber, "quantile": Quantile}


def names() -> tuple[str, ...]:
    """Names that `get` knows, with the two parametric forms ``huber:THRESHOLD`` and ``quantile:LEVEL``."""
    return (*_BUILDERS, "huber:THRESHOLD", "quantile:LEVEL")


def get(loss: Any, kind: str | None = None) -> Loss:
    """Turn a name, a `Loss` or a user's convex function of one variable into a `Loss`.

    Parameters
    ----------
    loss : str, Loss or callable
    kind : {"margin", "residual"}, optional
        For a function only: whether its variable is y z or z - y. `CustomLoss` takes more options, such as kinks.

    Examples
    --------
    >>> get("huber:1.35")
    Huber(threshold=1.35)
    """
    if isinstance(loss, Loss):
        if type(loss) not in (*_BUILDERS.values(), CustomLoss):  # the user's own class; the others are convex, or checked when built
            check_convex(loss)
        return loss
    if isinstance(loss, type) and issubclass(loss, Loss):
        raise fail("loss", "a loss, not its class", loss, f"Write {loss.__name__}().")
    if isinstance(loss, str):
        return _parse(loss)
    if callable(loss):
        if kind is None:
            raise fail(
                "loss",
                "a name or a Loss",
                loss,
                'A function needs to say what its variable is: CustomLoss(function, kind="margin") for y z or kind="residual" for z - y.',
            )
        return CustomLoss(loss, kind)
    raise fail("loss", "a name, a Loss or a function", loss)


def _parse(loss: str) -> Loss:
    head, _, tail = loss.strip().lower().partition(":")
    key = head.strip().replace("-", "_").replace(" ", "_")
    if key in _BUILDERS and not tail:
        return _BUILDERS[key]()
    if tail and key in _PARAMETRIC:
        try:
            value = float(tail)
        except ValueError:
            pass
        else:
            return _PARAMETRIC[key](value)
    raise ArgumentError(
        f"Argument `loss` must name a known loss, but got {loss!r}.{did_you_mean(key, tuple(_BUILDERS))} Known: {', '.join(names())}."
    )
