"""Labels at which a likelihood is not smooth, as functions of the field: y = k(z)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import elementwise

from gaussequiv._jax import on_arrays
from gaussequiv.errors import FloatArray, fail, number

IntArray = NDArray[np.int_]
Curve = Callable[[FloatArray], FloatArray]

_NEAR = 4.0  # doubts of two kinks within which they lie on the same line
_EXACT = 1e-6  # a slope or height this near to a simple number is that number


@dataclass(frozen=True)
class Line:
    """y = slope z + height."""

    slope: float
    height: float

    def __call__(self, z: FloatArray) -> FloatArray:
        return self.slope * np.asarray(z, float) + self.height


@dataclass(frozen=True)
class Given:
    """A user's function z -> y, NumPy or JAX, in float64."""

    function: Callable[[Any], Any]

    def __call__(self, z: FloatArray) -> FloatArray:
        z = np.asarray(z, float)
        return np.broadcast_to(on_arrays(self.function, z), z.shape).astype(float)


def curves(given: Any) -> tuple[Curve, ...]:
    """Declared label kinks, numbers and functions z -> y, as curves."""
    parts: Sequence[Any] = (given,) if callable(given) or np.ndim(given) == 0 else tuple(given)
    found: list[Curve] = []
    probe = np.array([-1.7, 0.3, 2.1])
    for part in parts:
        if not callable(part):
            found.append(Line(0.0, number("label_kinks", part, meaning="Functions of the field are allowed too.")))
            continue
        try:
            values = np.asarray(part(probe), float)
            good = values.shape in ((), probe.shape) and bool(np.all(np.isfinite(values)))
        except Exception as error:
            raise fail("label_kinks", "numbers or functions z -> y of arrays", part, f"It raised {type(error).__name__}.") from error
        if not good:
            raise fail("label_kinks", "numbers or functions z -> y with one finite label for each field", part)
        found.append(Given(part))
    return tuple(found)


def at_fields(kinks: tuple[Curve, ...], z: FloatArray) -> FloatArray:
    """Labels of all kinks at fields z, shape z.shape + (kinks,)."""
    z = np.asarray(z, float)
    return np.stack([kink(z) for kink in kinks], axis=-1) if kinks else np.empty((*z.shape, 0))


def crossings(kink: Curve, z: FloatArray, y: FloatArray) -> tuple[IntArray, FloatArray]:
    """Where k(z) = y: indices of y and the fields, between neighbours of a grid on which k - y changes sign.

    Parameters
    ----------
    z : array of shape (fields,) or (labels, fields), increasing along the last axis
    y : array of shape (labels,)
    """
    if isinstance(kink, Line) and kink.slope == 0:
        return np.empty(0, int), np.empty(0)
    if isinstance(kink, Line):
        places = (y - kink.height) / kink.slope
        inside = np.flatnonzero((places > z[..., 0]) & (places < z[..., -1]))
        return inside, places[inside]
    gap = kink(z) - y[:, None]
    row, column = np.nonzero(np.signbit(gap[:, 1:]) != np.signbit(gap[:, :-1]))
    if row.size == 0:
        return row, np.empty(0)
    grid = np.broadcast_to(z, gap.shape)

    def distance(x: FloatArray, label: FloatArray) -> FloatArray:
        return kink(x) - label

    found = elementwise.find_root(distance, (grid[row, column], grid[row, column + 1]), args=(y[row],))
    return row, np.asarray(found.x, float)


def common_lines(fields: FloatArray, places: list[FloatArray], doubts: list[FloatArray]) -> tuple[list[Line], list[FloatArray]]:
    """Straight lines through a kink at every field, and the kinks on none of them."""
    lines: list[Line] = []
    left = [np.ones(p.size, bool) for p in places]
    order = np.argsort(fields)
    i, j = order[0], order[-1]
    for a in range(places[i].size):
        for b in range(places[j].size):
            slope = (places[j][b] - places[i][a]) / (fields[j] - fields[i])
            line = _simple(slope, places[i][a] - slope * fields[i], doubts[i][a] + doubts[j][b])
            near = [
                np.abs(p - line(np.array(z))) <= _NEAR * (d + doubts[i][a] + doubts[j][b]) + 1e-9 * (1 + np.abs(p))
                for z, p, d in zip(fields, places, doubts, strict=True)
            ]
            if all(np.any(one) for one in near) and np.any(near[i] & left[i]):
                lines.append(line)
                left = [keep & ~one for keep, one in zip(left, near, strict=True)]
    return lines, [p[keep] for p, keep in zip(places, left, strict=True)]


def _simple(slope: float, height: float, doubt: float) -> Line:
    """The line, its numbers rounded to simple ones within their doubt: the kinks' places are known to about a billionth only."""

    def nearby(x: float) -> float:
        for digits in range(4):
            if abs(x - round(x, digits)) <= max(min(doubt, 1e-3), _EXACT * 1e-2):
                return round(x, digits)
        return x

    return Line(nearby(slope), nearby(height))
