"""The proximal map of any convex function of one variable, by a bracketed Newton iteration on all points at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from gaussequiv.errors import FloatArray

MAX_STEPS = 400
LAST_STEP = 1e-8  # relative: what it leaves is its square, and g takes one step more
MANY = 100  # omega of one V from which a table saves more than it costs
STEEP, SEEN = 3.0, 17  # V l'' up to which omega itself is a good start, and at how many it is seen
BESIDE = 1e-3  # of the distance of two entries
TABLE, ZOOMS = 48, 4  # its entries; how often its ends are moved

Function = Callable[[FloatArray], FloatArray]


def moreau_gradient(
    slope: Function,
    curvature: Function,
    omega: FloatArray,
    V: FloatArray,
    kinks: Sequence[tuple[float, float, float]] = (),
) -> tuple[FloatArray, FloatArray]:
    r"""g = (x - omega)/V and dg/domega at x = argmin_x (x - omega)^2/(2V) + l(x), for l convex with slope l' and curvature l''.

    The root of F(x) = x - omega + V l'(x) lies between omega and omega - V l'(omega), because F increases and has opposite signs at
    the two ends. A Newton step that leaves the bracket, or that is longer than half the step before, is replaced by a bisection, so
    the 2-cycles of the plain iteration cannot occur. The last step is taken in g itself, g = (l''(x)(x - omega) - l'(x))/(1 + V l''(x)),
    a sum of terms of one sign: g keeps its relative precision at any V.

    Parameters
    ----------
    slope, curvature : callables, elementwise
    omega, V : arrays of one shape, V > 0
    kinks : sequence of (position, slope to the left, slope to the right), in increasing order of position
        Where omega lies in [k + V l'(k-), k + V l'(k+)] the minimiser is the kink: g = (k - omega)/V exactly.

    Returns
    -------
    (g, dg) : arrays of omega's shape; -1/V <= dg <= 0. NaN where the iteration found no root (a function that is not convex).

    Examples
    --------
    >>> g, dg = moreau_gradient(lambda x: x, np.ones_like, np.array([3.0]), np.array([0.5]))
    >>> float(g[0]), float(dg[0])
    (-2.0, -0.6666666666666666)
    """
    g, dg = np.empty_like(omega), np.empty_like(omega)
    low, high = np.full_like(omega, -np.inf), np.full_like(omega, np.inf)
    sits = np.zeros(omega.shape, dtype=bool)
    for position, left, right in kinks:
        below, above = omega < position + V * left, omega > position + V * right
        here = ~(below | above)
        g[here], dg[here] = (position - omega[here]) / V[here], -1 / V[here]
        sits |= here
        low, high = np.where(above, position, low), np.where(below, np.minimum(high, position), high)
    free = ~sits
    if np.any(free):
        g[free], dg[free] = _smooth(slope, curvature, omega[free], V[free], low[free], high[free])
    return g, dg


def _smooth(
    slope: Function, curvature: Function, omega: FloatArray, V: FloatArray, low: FloatArray, high: FloatArray
) -> tuple[FloatArray, FloatArray]:
    x, low, high, bracketed = _started(slope, curvature, omega, V, low, high)
    active = np.flatnonzero(bracketed)
    found = np.zeros(omega.shape, dtype=bool)
    last = 2 * (high - low)  # the first step may go anywhere in the bracket
    for _ in range(MAX_STEPS):
        if active.size == 0:
            break
        at, o, v = x[active], omega[active], V[active]
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            F = at - o + v * slope(at)
            rise = 1 + v * curvature(at)
            newton = at - F / rise
        positive = F > 0
        a = low[active] = np.where(positive, low[active], at)
        b = high[active] = np.where(positive, at, high[active])
        # an infinite curvature, of |x|^(3/2) at 0 say, would make a Newton step of length zero anywhere
        good = np.isfinite(rise) & (newton >= a) & (newton <= b) & (np.abs(newton - at) <= 0.5 * last[active])
        new = np.where(F == 0, at, newton)
        halved = np.flatnonzero(~good & (F != 0))
        new[halved] = _middle(a[halved], b[halved])
        x[active] = new
        last[active] = np.abs(new - at)
        tolerance = LAST_STEP * np.abs(new) + 4e-16 * np.abs(o) / rise + 1e-300
        done = (F == 0) | (good & (last[active] <= tolerance)) | (b - a <= 1e-4 * tolerance)
        found[active[done]] = True
        active = active[~done & ~np.isnan(F)]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        first, second = slope(x), curvature(x)
        stiff = np.isinf(V * second)
        g = np.where(stiff, (x - omega) / V, (second * (x - omega) - first) / (1 + V * second))
        dg = np.where(stiff, -1 / V, -second / (1 + V * second))
    return np.where(found, g, np.nan), np.where(found, dg, np.nan)


def _started(
    slope: Function, curvature: Function, omega: FloatArray, V: FloatArray, low: FloatArray, high: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, NDArray[np.bool_]]:
    """(start, low, high, whether there is a bracket): between entries of a table where many omega share their V."""
    cuts = np.append(0, np.flatnonzero(np.diff(V)) + 1)
    found = _tabulated(slope, curvature, omega, V[cuts], cuts) if V.size >= MANY * cuts.size else None
    if found is None:
        return _bracket(slope, omega, V, low, high)
    start, left, right, inside = found
    low, high = np.maximum(low, left), np.minimum(high, right)
    known = np.isfinite(low) & np.isfinite(high)
    rest = np.flatnonzero(~inside)
    if rest.size:
        start[rest], low[rest], high[rest], known[rest] = _bracket(slope, omega[rest], V[rest], low[rest], high[rest])
    return np.clip(start, np.nextafter(low, np.inf), np.nextafter(high, -np.inf)), low, high, known


def _tabulated(
    slope: Function, curvature: Function, omega: FloatArray, V: FloatArray, cuts: NDArray[np.intp]
) -> tuple[FloatArray, FloatArray, FloatArray, NDArray[np.bool_]] | None:
    """(x by a cubic in omega, entries below and above, whether between two) from tables of omega(x) = x + V l'(x), one for every stretch
    of omega that shares its V; None where the slope is not finite, or omega themselves are near.
    """
    least, most = np.minimum.reduceat(omega, cuts), np.maximum.reduceat(omega, cuts)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        bend = curvature((least + (most - least) * np.linspace(0.0, 1.0, SEEN)[:, None]).ravel()).reshape(SEEN, -1)
        if not np.any(V * bend > STEEP):
            return None
    rows, everywhere, unit = np.arange(V.size), np.full(V.size, np.inf), np.linspace(0.0, 1.0, TABLE)
    _, bottom, _, below = _bracket(slope, least, V, -everywhere, everywhere)
    _, _, top, above = _bracket(slope, most, V, -everywhere, everywhere)
    if not (below & above).all():
        return None
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for _ in range(ZOOMS):  # until omega fill the table
            x = bottom[:, None] + (top - bottom)[:, None] * unit
            places = np.maximum.accumulate(x + V[:, None] * slope(x.ravel()).reshape(x.shape), axis=1)
            first = np.clip((places <= least[:, None]).sum(axis=1) - 1, 0, TABLE - 2)
            last = np.clip((places < most[:, None]).sum(axis=1), 1, TABLE - 1)
            if np.all(last - first > TABLE // 2):
                break
            bottom, top = x[rows, first], x[rows, last]
        rise = 1 + V[:, None] * curvature(x.ravel()).reshape(x.shape)
        if not (np.isfinite(places).all() and np.isfinite(rise).all()):
            return None
        row = np.repeat(rows, np.diff(np.append(cuts, omega.size)))
        each = zip(places, np.split(omega, cuts[1:]), strict=True)
        cell = np.clip(np.concatenate([np.searchsorted(*one) for one in each]), 1, TABLE - 1)
        left, right, begin = x[row, cell - 1], x[row, cell], places[row, cell - 1]
        gap = places[row, cell] - begin
        t = (omega - begin) / gap
        start = left * (1 + 2 * t) * (1 - t) ** 2 + right * t * t * (3 - 2 * t)
        start += gap * t * (1 - t) * ((1 - t) / rise[row, cell - 1] - t / rise[row, cell])
        beside = BESIDE * (right - left)  # a root may lie on an entry
        return start, left - beside, right + beside, (t >= 0) & (t <= 1)


def _bracket(
    slope: Function, omega: FloatArray, V: FloatArray, low: FloatArray, high: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, NDArray[np.bool_]]:
    """(start, low, high, whether there is a bracket): the piece between two kinks, cut to [omega, omega - V l'(start)]."""
    with np.errstate(over="ignore", invalid="ignore"):
        start = np.clip(omega, np.nextafter(low, np.inf), np.nextafter(high, -np.inf))
        first = slope(start)
        other = omega - V * first
        far = np.isinf(other)  # the slope overflows at omega, far down an exponential: step away from it until F changes sign
        for k in range(1024):
            if not np.any(far):
                break
            trial = omega[far] - np.sign(first[far]) * 2.0**k
            crossed = -np.sign(first[far]) * (trial - omega[far] + V[far] * slope(trial)) > 0
            other[np.flatnonzero(far)[crossed]] = trial[crossed]
            far[np.flatnonzero(far)[crossed]] = False
    low, high = np.maximum(low, np.minimum(omega, other)), np.minimum(high, np.maximum(omega, other))
    return np.clip(start, low, high), low, high, np.isfinite(low) & np.isfinite(high)


def _middle(a: FloatArray, b: FloatArray) -> FloatArray:
    """Bisection that also halves the exponent: brackets span up to 28 decades."""
    arithmetic = 0.5 * (a + b)
    sinh = np.sinh(0.5 * (np.arcsinh(a) + np.arcsinh(b)))
    far = np.maximum(np.abs(a), np.abs(b)) > 1e3
    return np.where(far & (sinh > a) & (sinh < b), sinh, arithmetic)
