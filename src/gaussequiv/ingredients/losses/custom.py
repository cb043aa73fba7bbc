"""A user's own convex loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gaussequiv._jax import derivative, elementwise
from gaussequiv._text import name_of
from gaussequiv.errors import ArgumentError, FloatArray, array, choice
from gaussequiv.ingredients.losses.base import Loss
from gaussequiv.ingredients.losses.convexity import FAR, PROBE, check_rising
from gaussequiv.numerics.mesh import graded_edges, jump, smooth_edges
from gaussequiv.numerics.panels import legendre_panels
from gaussequiv.numerics.proximal import moreau_gradient

_SIDE = 4e-15  # one-sided slopes at a kink k are taken at k -+ _SIDE max(1, |k|)
_EDGES = np.array([0.0, 1.0, 2.5, 4.5, 8.0, 14.0, 26.0, 50.0, 100.0, 200.0, 400.0, 800.0])
_RESOLVED = (1e-11, 1e-9, 1e-7)  # of the slope: how exactly f'' is integrated; the looser for functions that are themselves not exact
_LADDER = 4.0  # panels are made for powers of it in V
_FURTHEST = 1e6  # omega over max(1, V): students are not seen beyond
_CONSTANT = 1e-13  # change of f'', relative to its largest value
_PIECE = 800.0  # where places are looked for
_LARGEST_V = 1e12  # from where on panels are those of this V


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

    Places where only the curvature jumps, or where f bends in a narrow region, need no declaration: they are found when the loss is built
    (in [-800, 800]; `places` lists those where f'' jumps), and the averages end their panels there. They may be listed in `kinks` too.

    Convexity (on a grid of [-1e6, 1e6]), declared kinks and given derivatives are checked when the loss is built (`ArgumentError`).

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
        self.name: str = name_of(function) if name is None else name  # type: ignore[misc]
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
        self._edges = self._resolved(positions)
        jumps = self._jumps(positions)
        self._pieces = tuple(sorted((*self._kinks, *jumps)))
        self._lines = self._straight() if jumps else ()
        self._edges = self._bending()
        self._graded: dict[int, FloatArray] = {}

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

    @property
    def pieces(self) -> tuple[tuple[float, float, float, float], ...]:
        return (*super().pieces, *self._lines)

    def at(self, t: FloatArray) -> FloatArray:
        return self._at(t)

    def slope_at(self, t: FloatArray) -> FloatArray:
        return self._slope_at(t)

    def curvature_at(self, t: FloatArray) -> FloatArray:
        return self._curvature_at(t)

    @property
    def places(self) -> tuple[float, ...]:
        """Every place where f' or f'' jumps, declared or found."""
        return tuple(position for position, _, _ in self._pieces)

    def proximal_at(self, t: FloatArray, V: FloatArray) -> tuple[FloatArray, FloatArray]:
        return moreau_gradient(self._slope_at, self._curvature_at, t, V, self._pieces)

    def breaks(self, V: ArrayLike) -> FloatArray:
        # a feature of f at t is seen at omega = t + V f'(t)
        v = np.asarray(V, dtype=np.float64)[..., None]
        edges, slope = self._panels(float(np.max(v)) if v.size else 1.0)
        return np.concatenate([super().breaks(v[..., 0]), edges + v * slope], axis=-1)

    def _panels(self, V: float) -> tuple[FloatArray, FloatArray]:
        """Edges in t (kinks apart) between which both f'' and t as a function of omega are smooth up to V, and the slopes there."""
        rung = int(np.ceil(np.log(np.clip(V, 1e-3, _LARGEST_V)) / np.log(_LADDER))) if np.isfinite(V) else 0
        if rung not in self._graded:
            steepest = _LADDER**rung
            seen = self._edges[np.abs(self._edges + steepest * self._quiet_slope(self._edges)) < _FURTHEST * max(1.0, steepest)]
            edges = graded_edges(lambda t: 1 + steepest * np.maximum(self._quiet(t), 0.0), seen) if seen.size > 1 else seen
            slope = self._quiet_slope(edges)
            fine = (np.abs(edges + steepest * slope) < _FURTHEST * max(1.0, steepest)) & ~np.isin(edges, [k for k, _, _ in self._kinks])
            self._graded[rung] = np.stack([edges[fine], slope[fine]])
        found = self._graded[rung]
        return found[0], found[1]

    def _quiet_slope(self, t: FloatArray) -> FloatArray:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return self._slope_at(t)

    def _quiet(self, t: FloatArray) -> FloatArray:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return self._curvature_at(t)

    def _resolved(self, kinks: FloatArray) -> FloatArray:
        """Edges in t between which f'' is smooth."""
        anchors = np.array([0.0, 1.0] if self.kind == "margin" else [0.0])
        edges = np.unique(np.concatenate([anchors[0] - _EDGES, anchors[-1] + _EDGES, kinks]))
        usual = np.abs(self._quiet_slope(np.setdiff1d(np.linspace(-8.0, 8.0, 65) + 1e-3, kinks)))
        usual = np.max(usual[np.isfinite(usual)])

        def size(t: FloatArray) -> FloatArray:
            return np.abs(self._quiet_slope(t)) + 1e-3 * usual

        for tolerance in _RESOLVED:
            found = smooth_edges(self._quiet, self._quiet_slope, edges, size, tolerance)
            if found is not None:
                nodes = legendre_panels(found[None, :])[0][0]
                check_rising(self.name, nodes, self._quiet_slope(nodes), self._quiet(nodes))
                return found
        raise ArgumentError(
            f"Argument `curvature` must be smooth but for a few places, but the curvature of loss {self.name!r} is not: it cannot be "
            "integrated to seven digits. Is it computed by differences of values? Give slope=... and curvature=... in closed form."
        )

    def _jumps(self, kinks: FloatArray) -> list[tuple[float, float, float]]:
        """(place, slope, slope) wherever f'' jumps and no kink is declared; f'' >= 0 is checked between all edges."""
        out = []
        inner = self._edges[1:-1]
        reach = 1e-3 * np.minimum(1.0, np.minimum(np.diff(self._edges)[1:], np.diff(self._edges)[:-1]))
        sides = [self._quiet(inner + side * reach) for side in (-2, -1, 1, 2)]
        height = 1e-6 * np.maximum(np.abs(sides[1]), np.abs(sides[2])) + 1e-9 * np.abs(self._quiet_slope(inner))
        with np.errstate(invalid="ignore"):
            step = np.abs(sides[2] - sides[1])
            drift = np.maximum(np.abs(sides[1] - sides[0]), np.abs(sides[3] - sides[2]))
            for i in np.flatnonzero((step > height) & (step > 10 * drift) & ~np.isin(inner, kinks)):
                place, rise = jump(self._quiet, float(inner[i]), float(reach[i]))
                if abs(rise) > 0.5 * step[i]:
                    at = float(self._slope_at(np.array([place]))[0])
                    out.append((place, at, at))
                    self._edges[i + 1] = place
        return out

    def _bending(self) -> FloatArray:
        """The edges but those, no places, on both sides of which f'' is one constant."""
        curvature = self._quiet(legendre_panels(self._edges[None, :])[0][0]).reshape(self._edges.size - 1, -1)
        low, high = curvature.min(axis=1), curvature.max(axis=1)
        bound = _CONSTANT * np.max(high[np.isfinite(high)], initial=0.0)
        with np.errstate(invalid="ignore"):  # where f'' is infinite it is no constant
            inner = np.maximum(high[1:], high[:-1]) - np.minimum(low[1:], low[:-1])
            bends = ~(np.concatenate([[high[0] - low[0]], inner, [high[-1] - low[-1]]]) <= bound)
        return self._edges[bends | np.isin(self._edges, self.places)]

    def _straight(self) -> tuple[tuple[float, float, float, float], ...]:
        """Between neighbouring places, the line of least curvature as a part of f': what is left of a piecewise quadratic f is smooth."""
        edges = np.array([-_PIECE, *self.places, _PIECE])
        beside = np.concatenate([edges[1:-1] - 1e-6, edges[1:-1] + 1e-6])
        usual = float(np.max(self._quiet(beside)))
        lines = []
        for left, right in pairwise(edges):
            inside = left + (right - left) * np.linspace(1e-6, 1 - 1e-6, 65)
            least = float(np.min(self._quiet(inside)))
            if not least > 1e-9 * usual:
                continue
            if left == -_PIECE:
                lines.append((float(right), -np.inf, 0.0, 1 / least))
            else:
                lines.append((float(left), 0.0, np.inf if right == _PIECE else least * float(right - left), 1 / least))
        return tuple(lines)

    def _check(self, kinks: FloatArray) -> None:
        t = PROBE[np.min(np.abs(PROBE[:, None] - kinks), axis=1) > 1e-9] if kinks.size else PROBE
        value, slope, curvature = self._at(t), self._slope_at(t), self._curvature_at(t)
        for what, found in (("value", value), ("slope", slope), ("curvature", curvature)):
            if not np.all(np.isfinite(found)):
                i = int(np.flatnonzero(~np.isfinite(found))[0])
                raise ArgumentError(
                    f"Argument `function` must be finite, but the {what} of loss {self.name!r} is {found[i]} at {t[i]:.6g}."
                )
        check_rising(self.name, t, slope, curvature)
        with np.errstate(all="ignore"):
            for far in FAR:
                steep = self._slope_at(far)
                check_rising(self.name, far, steep)
                finite = np.abs(steep) < 1e150
                self._check_jumps(far[finite], steep[finite], kinks)
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
