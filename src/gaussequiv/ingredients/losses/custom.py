"""A user's own convex loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gaussequiv._jax import derivative, elementwise
from gaussequiv.errors import ArgumentError, FloatArray, array, choice
from gaussequiv.ingredients.losses.base import Loss

_SIDE = 4e-15  # one-sided slopes at a kink k are taken at k -+ _SIDE max(1, |k|)
# rounded: the slope between points one ulp apart would be rounding
_PROBE = np.unique(np.round(np.concatenate([np.linspace(-30, 30, 601), np.linspace(-3, 3, 601)]), 6))
_EDGES = np.array([0.0, 1.0, 2.5, 4.5, 8.0, 14.0, 26.0, 50.0])


class CustomLoss(Loss):
    r"""A convex loss l(y, z) = f(t) from a function f of one variable: t = y z (margin) or t = z - y (residual).

    Parameters
    ----------
    function : callable
        f, convex, with finite values. A JAX function (jax.numpy) of a scalar or of an array is differentiated automatically, in
        float64; a NumPy function needs `slope` and `curvature`.
    kind : {"margin", "residual"}
    name : str, optional
        Shown in results; by default ``module:name`` of the function.
    kinks : sequence of float
        Every t at which f' jumps. There the proximal map sits at the kink for a whole interval of omega, exactly.
    margin_limit : bool
        Set it if lam -> 0+ on separable data gives the maximum-margin classifier (f decreasing, f(t) -> 0 exponentially or zero beyond
        t = 1), so that lam = 0 uses that limit.
    slope, curvature : callables, optional
        f' and f'' away from the kinks, elementwise on NumPy arrays. `curvature` may be left out if `slope` is a JAX function.

    Convexity, declared kinks and given derivatives are checked on a probe of [-30, 30] when the loss is built (`ArgumentError`).

    Validity: the saddle-point equations hold for convex losses (Loureiro et al. 2021, Theorem 1, under its regularity conditions).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> pseudo_huber = CustomLoss(lambda r: jnp.sqrt(1 + r**2) - 1, kind="residual", name="pseudo-huber")
    >>> f"{float(pseudo_huber.slope(0.0, 0.75)):.6f}"
    '0.600000'
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        kind: str,
        name: str | None = None,
        *,
        kinks: Sequence[float] = (),
        margin_limit: bool = False,
        slope: Callable[[Any], Any] | None = None,
        curvature: Callable[[Any], Any] | None = None,
    ) -> None:
        if not callable(function):
            raise ArgumentError(f"Argument `function` must be a function of one variable, but function={function!r}.")
        self.kind = choice("kind", kind, ("margin", "residual"))
        self.name: str = _name_of(function) if name is None else name  # type: ignore[misc]
        self.margin_limit = bool(margin_limit)
        self.user_function = function
        positions = np.unique(array("kinks", kinks)) if len(kinks) else np.empty(0)
        self._at = elementwise(function, self.name, "loss")
        self._slope_at = derivative(function, self.name, 1) if slope is None else elementwise(slope, f"{self.name}: slope", "loss")
        if curvature is not None:
            self._curvature_at = elementwise(curvature, f"{self.name}: curvature", "loss")
        else:
            self._curvature_at = derivative(function, self.name, 2) if slope is None else derivative(slope, self.name, 1)
        side = _SIDE * np.maximum(1.0, np.abs(positions))
        left, right = (self._slope_at(positions + s) if positions.size else positions for s in (-side, side))
        self._kinks = tuple((float(k), float(a), float(b)) for k, a, b in zip(positions, left, right, strict=True))
        self._check(positions)

    def __repr__(self) -> str:
        return f"CustomLoss({self.name!r}, kind={self.kind!r})"

    @property
    def parameters(self) -> dict[str, float]:
        return {}

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "kind": self.kind, "kinks": [k for k, _, _ in self._kinks], "margin_limit": self.margin_limit}

    @property
    def kinks(self) -> tuple[tuple[float, float, float], ...]:
        return self._kinks

    def at(self, t: FloatArray) -> FloatArray:
        return self._at(t)

    def slope_at(self, t: FloatArray) -> FloatArray:
        return self._slope_at(t)

    def curvature_at(self, t: FloatArray) -> FloatArray:
        return self._curvature_at(t)

    def breaks(self, V: ArrayLike) -> FloatArray:
        # a feature of f of scale 1 at t maps to the scale 1 + V f'' at omega = t + V f'(t)
        v = np.asarray(V, dtype=np.float64)[..., None]
        anchors = np.array([0.0, 1.0] if self.kind == "margin" else [0.0])
        edges = np.unique(np.concatenate([anchors[0] - _EDGES, anchors[-1] + _EDGES]))
        with np.errstate(over="ignore", invalid="ignore"):
            slope = self._slope_at(edges)
        fine = np.isfinite(slope) & ~np.isin(edges, [k for k, _, _ in self._kinks])
        return np.concatenate([super().breaks(v[..., 0]), edges[fine] + v * slope[fine]], axis=-1)

    def _check(self, kinks: FloatArray) -> None:
        t = _PROBE[np.min(np.abs(_PROBE[:, None] - kinks), axis=1) > 1e-9] if kinks.size else _PROBE
        value, slope, curvature = self._at(t), self._slope_at(t), self._curvature_at(t)
        for what, found in (("value", value), ("slope", slope), ("curvature", curvature)):
            if not np.all(np.isfinite(found)):
                i = int(np.flatnonzero(~np.isfinite(found))[0])
                raise ArgumentError(
                    f"Argument `function` must be finite, but the {what} of loss {self.name!r} is {found[i]} at {t[i]:.6g}."
                )
        scale = 1e-9 * (1e-300 + np.abs(slope[1:]) + np.abs(slope[:-1]) + np.max(np.abs(slope)) * 1e-3)
        falls = np.flatnonzero((np.diff(slope) < -scale) | (curvature[:-1] < -1e-9 * (1 + np.max(np.abs(curvature)))))
        if falls.size:
            i = int(falls[0])
            raise ArgumentError(
                f"Argument `function` must be convex, but the slope of loss {self.name!r} falls from {slope[i]:.6g} to {slope[i + 1]:.6g} "
                f"between {t[i]:.6g} and {t[i + 1]:.6g}."
            )
        self._check_values(t, value, slope)
        self._check_jumps(t, slope, kinks)

    def _check_values(self, t: FloatArray, value: FloatArray, slope: FloatArray) -> None:
        """A convex function lies between its tangents: (b - a) f'(a) <= f(b) - f(a) <= (b - a) f'(b)."""
        width, rise = np.diff(t), np.diff(value)
        slack = 1e-7 * width * (np.abs(slope[1:]) + np.abs(slope[:-1])) + 1e-14 * (np.abs(value[1:]) + np.abs(value[:-1]))
        wrong = np.flatnonzero((rise < width * slope[:-1] - slack) | (rise > width * slope[1:] + slack))
        if wrong.size:
            i = int(wrong[0])
            raise ArgumentError(
                f"Argument `function` must be convex with the slope given, but loss {self.name!r} rises by {rise[i]:.6g} between "
                f"{t[i]:.6g} and {t[i + 1]:.6g}, where its slope is {slope[i]:.6g} and {slope[i + 1]:.6g}. "
                "Is the slope right, and is the function continuous?"
            )

    def _check_jumps(self, t: FloatArray, slope: FloatArray, kinks: FloatArray) -> None:
        """Follow the larger change of slope by bisection; a change that survives at a width of 1e-10 is an undeclared kink."""
        a, b, fa, fb = t[:-1], t[1:], slope[:-1], slope[1:]
        inside = np.searchsorted(kinks, a) < np.searchsorted(kinks, b)
        suspicious = ~inside & (fb - fa > 1e-6 * (1e-300 + np.max(np.abs(slope))))
        a, b, fa, fb = a[suspicious], b[suspicious], fa[suspicious], fb[suspicious]
        whole = fb - fa
        for _ in range(30):
            if a.size == 0:
                return
            m = 0.5 * (a + b)
            fm = self._slope_at(m)
            right = fb - fm > fm - fa
            a, fa = np.where(right, m, a), np.where(right, fm, fa)
            b, fb = np.where(right, b, m), np.where(right, fb, fm)
            keep = fb - fa > 1e-3 * whole
            a, b, fa, fb, whole = a[keep], b[keep], fa[keep], fb[keep], whole[keep]
        if a.size:
            raise ArgumentError(
                f"Argument `kinks` must list every kink, but the slope of loss {self.name!r} jumps from {fa[0]:.6g} to {fb[0]:.6g} at "
                f"{0.5 * (a[0] + b[0]):.6g}. Declare it: CustomLoss(..., kinks=({0.5 * (a[0] + b[0]):.6g},))."
            )


def _name_of(function: Callable[[Any], Any]) -> str:
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", type(function).__qualname__)
    return f"{getattr(function, '__module__', None) or type(function).__module__}:{name}"
