"""What every loss has in common: a convex function of one variable, the margin y z or the residual z - y."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from gaussequiv.errors import FloatArray
from gaussequiv.numerics.proximal import moreau_gradient
from gaussequiv.numerics.ranges import Range


class Loss(ABC):
    r"""A convex loss l(y, z) = f(t) of one variable t: the margin t = y z (labels -1 and 1) or the residual t = z - y (real y).

    A subclass gives `name`, `kind` and `at`, `slope_at`, `curvature_at` (f, f', f''); `proximal_at` has a default for any convex f.
    The saddle-point equations use the proximal map prox = argmin_x (x - omega)^2/(2V) + l(y, x) through
    g = (prox - omega)/V, minus the derivative of the Moreau envelope (Loureiro et al. 2021, eq. 14 and appendix B).

    Attributes
    ----------
    kind : {"margin", "residual"}
    margin_limit : bool
        Whether lam -> 0+ on separable data gives the maximum-margin classifier.
    tilts : bool
        Whether f(t) = exp(-t), whose mean over a normal law is that of a shifted one in closed form.
    kinks : tuple of (position, slope to the left, slope to the right)
        Points in t where f' jumps.
    ranges : mapping from name to Range
        Of the parameters that `tune` may search.
    """

    name: ClassVar[str]
    kind: str
    margin_limit: bool = False
    tilts: bool = False
    ranges: ClassVar[Mapping[str, Range]] = {}

    @abstractmethod
    def at(self, t: FloatArray) -> FloatArray:
        """f(t)."""

    @abstractmethod
    def slope_at(self, t: FloatArray) -> FloatArray:
        """f'(t), one-sided at a kink."""

    @abstractmethod
    def curvature_at(self, t: FloatArray) -> FloatArray:
        """f''(t), without the point masses at kinks."""

    @property
    def kinks(self) -> tuple[tuple[float, float, float], ...]:
        """(position, slope to the left, slope to the right) of every kink of f."""
        return ()

    @property
    def pieces(self) -> tuple[tuple[float, float, float, float], ...]:
        """(position k, low, high, width r): parts clip((t - k)/r, low, high) of f', jumps at k where r = 0. By default the kinks."""
        return tuple((position, left, right, 0.0) for position, left, right in self.kinks)

    def rest_at(self, t: FloatArray) -> tuple[FloatArray, FloatArray]:
        """f'(t) less all pieces, a continuous function, and its derivative; both 0 for a loss with an infinite side."""
        pieces = self.pieces
        if any((np.isinf(low) and r == 0) or (np.isinf(high) and r == 0) for _, low, high, r in pieces):
            return np.zeros_like(t), np.zeros_like(t)
        slope, curvature = self.slope_at(t), self.curvature_at(t)
        for position, left, _ in self.kinks:
            slope = np.where(t == position, left, slope)
        for position, low, high, r in pieces:
            if r == 0:
                slope = slope - np.where(t <= position, low, high)
            else:
                line = (t - position) / r
                slope = slope - np.clip(line, low, high)
                curvature = curvature - np.where((line > low) & (line < high), 1 / r, 0.0)
        return slope, np.maximum(curvature, 0.0)

    @property
    def parameters(self) -> dict[str, float]:
        """Hyperparameters by name."""
        own = vars(self)
        return {f.name: own[f.name] for f in fields(self)}  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """The description that saved results carry."""
        return {"name": self.name, **self.parameters}

    def proximal_at(self, t: FloatArray, V: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(g, dg/dt) in the loss's own variable t; arrays of one shape."""
        return moreau_gradient(self.slope_at, self.curvature_at, t, V, self.kinks)

    def slope_in_V(self, y: float, omega: FloatArray, V: FloatArray, g: FloatArray, h: FloatArray) -> FloatArray:
        """dg/dV at fixed omega, with h = dg/domega: g h for every proximal map."""
        return g * h

    def breaks(self, V: ArrayLike) -> FloatArray:
        """Positions in t, of shape V.shape + (B,), between which g is smooth on the scale max(1, distance to the nearest of them)."""
        v = np.asarray(V, dtype=np.float64)[..., None]
        edges = [position + v * side for position, *sides in self.kinks for side in sides]
        return np.concatenate(edges, axis=-1) if edges else np.empty((*v.shape[:-1], 0))

    def probability(self, z: ArrayLike) -> FloatArray | None:
        """P(y = 1 | z) that the loss implies as a negative log-likelihood, or None."""
        return None

    @property
    def gives_probability(self) -> bool:
        """Whether `probability` says one."""
        return self.probability(np.zeros(1)) is not None

    def value(self, y: ArrayLike, z: ArrayLike) -> FloatArray:
        """l(y, z); arrays broadcast."""
        t, _ = self._variable(y, z)
        return self.at(t)

    def slope(self, y: ArrayLike, z: ArrayLike) -> FloatArray:
        """dl/dz; arrays broadcast."""
        t, sign = self._variable(y, z)
        return sign * self.slope_at(t)

    def curvature(self, y: ArrayLike, z: ArrayLike) -> FloatArray:
        """d^2 l/dz^2; arrays broadcast."""
        t, _ = self._variable(y, z)
        return self.curvature_at(t)

    def proximal(self, y: ArrayLike, omega: ArrayLike, V: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """g = (prox - omega)/V, without cancellation, and dg/domega in [-1/V, 0]; arrays broadcast, V > 0 (1e-12 to 1e14 tested)."""
        t, sign = self._variable(y, omega)
        t, v = np.broadcast_arrays(t, np.asarray(V, dtype=np.float64))
        g, dg = self.proximal_at(t, v)
        return sign * g, dg

    def prox(self, y: ArrayLike, omega: ArrayLike, V: ArrayLike) -> FloatArray:
        """argmin_x (x - omega)^2/(2V) + l(y, x); arrays broadcast."""
        return np.asarray(omega, dtype=np.float64) + np.asarray(V, dtype=np.float64) * self.proximal(y, omega, V)[0]

    def _variable(self, y: ArrayLike, z: ArrayLike) -> tuple[FloatArray, FloatArray | float]:
        label, field = np.asarray(y, dtype=np.float64), np.asarray(z, dtype=np.float64)
        return (label * field, label) if self.kind == "margin" else (field - label, 1.0)


def clipped(t: FloatArray, V: FloatArray, curvature: float, low: float, high: float) -> tuple[FloatArray, FloatArray]:
    """(g, dg) for g = clip(-t/(V + 1/curvature), low, high), in a form that allows infinite curvature (kinks)."""
    slope = 1 / V if np.isinf(curvature) else curvature / (1 + curvature * V)
    g = -t * slope
    return np.clip(g, low, high), np.where((g >= low) & (g <= high), -slope, 0.0)


def graded(centre: FloatArray, first: float, factor: float, count: int) -> list[FloatArray]:
    """Edges at the distances first * factor^k below a centre, nearest last."""
    return [centre - first * factor**k for k in range(count - 1, -1, -1)]
