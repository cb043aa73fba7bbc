r"""Square losses: N rows decomposed once, read as a training set of n of them, for all n and for the band."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.numerics.status import Status
from gaussequiv.realdata.decomposed import SMALLEST, DecomposedRows
from gaussequiv.realdata.emulate import MOST_SHRUNK, ROUNDING, wrong_rows

CLOSE = 3e-3  # of the logarithm of the ridge: where Newton's method ends, far below the statistical error of any pool
STEPS = 60
LONG = 8.0  # of the same: the longest step
FLOOR = 1e-7  # of the smallest eigenvalue: a ridge that stands for none
BELOW = 1e-6  # of lam: no smaller pool ridge is looked for
ALONE = 0.8  # leverage of a row that is fitted almost by itself
LIGHTEST = 1e-2  # weight of a row beside that of others, where rows are weighed anew
UNEVEN = 0.25  # half the width of the logarithm of the rows' weights at n from which a decomposition with them is worth its time
SHARPEST = 1e-9  # of labels -1 and 1: scores of one value have no narrower density
BANDWIDTH = 1.06  # Silverman's rule: of the scores, in which a count of mistakes is smoothed for its band


class SquareError(NamedTuple):
    """Of one vector of labels, at every size.

    `room` is 1 - df2/n, small where the fit is about to interpolate its rows; `alone` the share of its degrees of freedom that single rows
    hold which it almost interpolates, unlike the bulk (columns that vary on few rows; 0 for classes).
    """

    test_error: FloatArray
    test_error_stderr: FloatArray
    status: FloatArray
    steps: FloatArray
    residual: FloatArray
    room: FloatArray
    alone: FloatArray


class _Matched(NamedTuple):
    """The pool's ridges l for some sizes, rho = V_n/V, and what the rows say there; rows along the last axis."""

    ridge: FloatArray
    ratio: FloatArray
    gap: FloatArray  # 1 - h
    variance: FloatArray  # Var f
    share: FloatArray  # rho s V/(1 + rho s V): the leverage of a row among n
    known: Any  # booleans
    steps: FloatArray
    residual: FloatArray


def square_curves(
    x: FloatArray,
    targets: list[FloatArray],
    weights: FloatArray,
    sizes: FloatArray,
    lam: float,
    *,
    intercept: bool = True,
    classify: bool = False,
    band: bool = True,
) -> list[SquareError]:
    r"""Test errors of min sum_i s_i (y_i - c - w.x_i)^2 + lam |w|^2 trained on n rows, for every n, from one decomposition of N rows.

    A fit of n rows sees a fresh row x through V_n = x'Q_n x, Q_n = (lam + n E[s x x'/(1 + s V_n)])^{-1}, and its score is
    zeta(x) + noise of variance x'Q_n K_n Q_n x, K_n = n E[s^2 e^2/(1 + s V_n)^2 x x'], e the error at x. The pool, a fit of N rows with
    weights a and ridge l, has the leverages h, V = h/(a (1 - h)), and left-out errors e_l of the same zeta and a noise with
    K = sum a^2 e_l^2 (1 - h)^2 x x'. If M, the shape of E[s x x'/(1 + s V_n)], is that of E[a x x'/(1 + a V)], then Q_n = rho Q with
    rho = l/lam, and l follows from the degrees of freedom,

        n mean_i[rho s V/(1 + rho s V)] = sum_i h_i(l).

    -dV/dl gives B_i = x'Q M Q x; with traces in place of K, nu = tr(Q K Q M)/tr(Q M Q M), nu_n the same of K_n with e_l for e,

        e_i^2 = e_l,i^2 + (nu_n - nu) B_i/room,    room = 1 - df2/n, from d log lam/d log l of the equation above.

    At n = N, a = s this is the exact leave-one-out error. Weights a = s serve all n as long as the rows are about equally long; where
    a_i = r s/(1 + (1 - r) s V_n), r = n/N, which make l = lam and M exact, spread by more than a quarter over the bulk of
    the weights, the rows are decomposed again with them (n < N).

    The standard error is that of an infinitesimal jackknife: what one row less does to the mean of the errors, through its own error
    and through all others (leave two out, second order in h_ij), times the row's own error, summed: Var T = sum_i Cov(T, own part of i).

    Parameters
    ----------
    x : array of shape (N, d)
    targets : list of arrays of shape (N,)
        Labels; each has its own curve. -1 and 1 for classifiers.
    weights : array of shape (N,), positive
        Weights s_i of the rows.
    sizes : array of shape (S,)
    lam : float
        Zero: least squares, of least norm where it is not unique.
    classify : bool
        Whether the test error is the share of wrong signs, or the mean squared error.
    band : bool
        Whether to compute standard errors; else nan.

    Returns
    -------
    list of SquareError
        Status `nonfinite` where N rows do not identify n of them (more directions than rows and a larger n), `diverged` where the error
        is infinite (least squares at the rank).

    Validity: the laws are exact for Gaussian rows as n, d -> infinity (Dobriban and Wager 2018; Hastie et al. 2022; Patil et al. 2021 for
    leave-one-out); rows of one shape and any lengths are covered, and heteroscedastic noise. Other rows: measured in
    docs/real_data_table.md. Within a few rows of the interpolation peak of a fit without penalty the mean over training sets is larger
    (it is infinite at the peak). Cost: O(N d min(N, d)) once, O(N d) for each size.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((2000, 20))
    >>> y = x @ rng.standard_normal(20) + 3 * rng.standard_normal(2000)
    >>> found = square_curves(x, [y], np.ones(2000), np.array([40.0, 2000.0]), 1.0)[0]
    >>> bool(14 < found.test_error[0] < 22)  # about 9 (1 + 21/19)
    True
    """
    sizes = np.asarray(sizes, dtype=np.float64)
    rows = DecomposedRows(x, weights, intercept=intercept, smallest=lam)
    matched = _match(rows, weights, sizes, lam)
    again = np.full(len(sizes), False)
    for i in np.flatnonzero((sizes < len(x)) & matched.known):
        again[i] = _spread(matched, weights, sizes, i)[1] > UNEVEN
    out = [SquareError(*(np.full(len(sizes), np.nan) for _ in SquareError._fields)) for _ in targets]
    for one in out:
        one.status[:], one.steps[:], one.residual[:] = Status.nonfinite, matched.steps, matched.residual
    parts = [(np.flatnonzero(~again & matched.known), rows, _take(matched, ~again & matched.known))]
    for i in np.flatnonzero(again):
        own = DecomposedRows(x, _spread(matched, weights, sizes, i)[0], intercept=intercept, smallest=lam)
        parts.append((np.array([i]), own, _match(own, weights, sizes[[i]], lam)))
    for index, pool, found in parts:
        if not found.known.any():
            continue
        level = _Levels(pool, weights, sizes[index], found)
        # a wrong sign counts no more than one row, however far off its score
        alone = np.zeros(len(index)) if classify or again[index].any() else _alone(found.share)
        for y, one in zip(targets, out, strict=True):
            for whole, values in zip(one, (*level.errors(y, classify, band), alone), strict=True):
                whole[index] = values
    return out


def _take(matched: _Matched, index: Any) -> _Matched:
    return _Matched(*(part[index] for part in matched))


def _spread(matched: _Matched, s: FloatArray, sizes: FloatArray, i: Any) -> tuple[FloatArray, float]:
    """The weights with which the rows are n of them, r s/(1 + (1 - r) s V_n), and how much log(a/s) spreads over their bulk."""
    r, share = sizes[i] / len(s), matched.share[i]
    relative = np.maximum(1 - share, LIGHTEST) / (1 - r * share)
    if relative.max() < relative.min() * np.exp(UNEVEN):
        return r * s * relative, 0.0
    order = np.argsort(relative)
    mass = np.cumsum(s[order])
    low, high = np.log(relative[order[np.searchsorted(mass, np.array([0.16, 0.84]) * mass[-1])]])
    return r * s * relative, float(high - low) / 2


def _alone(share: FloatArray) -> FloatArray:
    """The part of n mean(share), the degrees of freedom, that is held by rows of which more than ALONE is fitted, if the bulk is not."""
    held = np.sum(share, axis=1, where=share > ALONE) / np.maximum(share.sum(axis=1), SMALLEST)
    return np.where(np.median(share, axis=1) < ALONE, held, 0.0)


def _share(odds: FloatArray, gap: FloatArray, ratio: FloatArray) -> FloatArray:
    """rho s V/(1 + rho s V) with s V = odds/gap; 1 at rho infinite."""
    with np.errstate(invalid="ignore"):
        scaled = ratio[:, None] * odds
        share = scaled / (gap + scaled)
    bare = np.isinf(ratio)
    share[bare] = odds[bare] > 0
    return share


def _match(rows: DecomposedRows, s: FloatArray, sizes: FloatArray, lam: float) -> _Matched:
    """Solve n mean_i[rho s V/(1 + rho s V)] = sum_i h_i for the pool ridge l = rho lam; without a penalty, for l where n is below the
    rank (rho is infinite), for rho above (l is none)."""
    count, relative = len(sizes), s / rows.weights
    floor = np.log(rows.eigenvalues.min() * FLOOR)
    low = np.full(count, min(floor, np.log(lam * BELOW)) if lam > 0 else floor)
    over = (lam == 0) & (sizes > rows.rank)
    gap, variance, share = (np.empty((count, rows.rows)) for _ in range(3))
    fixed = np.flatnonzero(over)
    if fixed.size:
        gap[fixed], variance[fixed] = (part.repeat(fixed.size, axis=0) for part in rows.left_out(np.exp([floor])))

    def ridges(u: FloatArray, index: Any) -> tuple[FloatArray, FloatArray]:
        if lam > 0:
            return np.exp(u), np.exp(u) / lam
        return np.exp(np.where(over[index], floor, u)), np.where(over[index], np.exp(u), np.inf)

    def excess(u: FloatArray, index: Any) -> tuple[FloatArray, FloatArray]:
        ridge, ratio = ridges(u, index)
        if not over[index].all():
            gap[index], variance[index] = rows.left_out(ridge)
        g = gap[index]
        share[index] = part = _share((1 - g) * relative, g, ratio)
        total, slope = rows.freedom(ridge)
        mean = part.mean(axis=1)
        rising = part * (1 - part)
        if lam > 0:
            rising *= variance[index] / np.maximum((1 - g) * g, SMALLEST)
        slope = np.where(over[index], 0.0, slope / total) - rising.mean(axis=1) / mean
        return np.log(total / (sizes[index] * mean)), slope

    start = _alike(rows, sizes, lam, low[0])
    if fixed.size:  # rows alike: n rho V/(1 + rho V) = rank with V = rank/(N - rank)
        start[fixed] = np.log(max(rows.rows - rows.rank, 0.5) / (sizes[fixed] - rows.rank))
        low[fixed] = -700.0
    possible = np.ones(count, dtype=bool)
    beyond = np.flatnonzero(sizes > rows.rows) if rows.rank >= rows.rows else np.array([], dtype=int)
    if beyond.size:
        possible[beyond] = excess(low[beyond], beyond)[0] > 0 if lam > 0 else False
    u, steps, residual, found = _newton(excess, start, low, possible & ~((lam == 0) & (sizes == rows.rank)))
    peak = np.flatnonzero((lam == 0) & (sizes == rows.rank) & possible)
    if peak.size:
        gap[peak], variance[peak], share[peak] = *rows.left_out(np.exp(low[peak])), 1.0
    ridge, ratio = ridges(u, np.arange(count))
    ratio[peak], ridge[peak] = np.inf, np.exp(low[peak])
    found[peak] = True
    return _Matched(ridge, ratio, gap, variance, share, found, steps, residual)


def _alike(rows: DecomposedRows, sizes: FloatArray, lam: float, low: float) -> FloatArray:
    """log l for rows that are alike, lam (N - d1)/l + d1 = n, by bisection."""
    s, slack = rows.eigenvalues, rows.rows - rows.rank
    lower, upper = np.full(sizes.shape, low), np.full(sizes.shape, np.log(s.max() + lam * rows.rows) + 30.0)
    for _ in range(20):
        middle = 0.5 * (lower + upper)
        ridge = np.exp(middle)
        rest = (ridge[:, None] / (s + ridge[:, None])).sum(axis=1)
        above = lam * (slack + rest) / ridge + rows.rank - rest > sizes
        lower, upper = np.where(above, middle, lower), np.where(above, upper, middle)
    middle = 0.5 * (lower + upper)
    return np.where((sizes == rows.rows) & (lam > 0), np.log(max(lam, SMALLEST)), middle)


def _newton(
    excess: Callable[[FloatArray, Any], tuple[FloatArray, FloatArray]], start: FloatArray, low: FloatArray, todo: Any
) -> tuple[FloatArray, FloatArray, FloatArray, Any]:
    """Roots of falling functions: Newton's method within brackets; roots, evaluations, last steps, and whether each is found."""
    u, lower, upper = start.copy(), low.copy(), np.full(start.shape, np.inf)
    steps, last, found = np.zeros(u.shape), np.full(u.shape, np.nan), np.zeros(u.shape, dtype=bool)
    index = np.flatnonzero(todo)
    for _ in range(STEPS):
        if not index.size:
            break
        here = u[index]
        value, slope = excess(here, index)
        steps[index] += 1
        lower[index], upper[index] = np.where(value > 0, here, lower[index]), np.where(value > 0, upper[index], here)
        step = np.clip(-value / np.minimum(slope, -(SMALLEST**0.5)), -LONG, LONG)
        last[index], found[index] = np.abs(step), np.abs(step) < CLOSE
        new, bottom, top = here + step, lower[index], upper[index]
        middle = np.where(np.isinf(top), here + LONG, 0.5 * (bottom + np.minimum(top, bottom + 1e3)))
        go = ~found[index]
        u[index[go]] = np.where((new <= bottom) | (new >= top), middle, new)[go]
        index = index[go]
    return u, steps, last, found


class _Levels:
    """What every row adds to the errors at the sizes of one decomposition; arrays (sizes, N)."""

    def __init__(self, rows: DecomposedRows, s: FloatArray, sizes: FloatArray, matched: _Matched) -> None:
        self.rows, self.matched, self.sizes = rows, matched, sizes
        N, a, gap, variance = rows.rows, rows.weights, matched.gap, matched.variance
        h = np.maximum(1 - gap, SMALLEST)
        share, falling = matched.share, h * gap - variance  # -l dh/dl
        self.B = variance / (gap**2 * a)  # up to a factor, of which nothing depends
        # d log l/d log lam, inverted, times what rows alike have beside it in 1 - df2/n
        slope = falling.sum(axis=1) / h.sum(axis=1)
        penalised = np.isfinite(matched.ratio)
        if penalised.any():
            chosen, elastic = share[penalised], variance[penalised] / np.maximum(h[penalised] * gap[penalised], SMALLEST)
            slope[penalised] += (chosen * (1 - chosen) * elastic).mean(axis=1) / chosen.mean(axis=1)
        bend = 1 - (falling * (1 - 2 * h)).sum(axis=1) / (h * gap).sum(axis=1) + falling.sum(axis=1) / h.sum(axis=1)
        peak = ~penalised & (sizes == rows.rank)
        self.room = np.where(peak, 0.0, slope / bend)
        # the mean of added * e^2 is (nu_n - nu)/room in the units of B
        self.added = a * variance * (sizes[:, None] * (share / h) ** 2 - N)
        self.added /= (np.where(peak, 1.0, slope) * np.sum(variance / gap, axis=1))[:, None]
        self.added[sizes == N] = 0.0  # up to rounding, which a class of one row would show

    def errors(self, y: FloatArray, classify: bool, band: bool) -> tuple[FloatArray, ...]:
        """The fields of a SquareError for labels y, but the last."""
        rows, matched = self.rows, self.matched
        weighted = rows.residuals(y, matched.ridge) / matched.gap
        error = weighted / rows.roots  # left out
        square = error**2
        noise = np.mean(self.added * square, axis=1)
        extra = noise[:, None] * self.B
        status = np.where(self.room > 0, Status.converged, Status.diverged).astype(float)
        if classify:
            parts, smooth = self._wrong(y, y - error, extra, status)
            value = parts.mean(axis=1)
        else:
            value = np.mean(square + extra, axis=1)
        fine = (status == Status.converged) & (classify | (value > 0) | (self.sizes <= rows.rows))
        status = np.where((status == Status.converged) & ~fine, Status.nonfinite, status)
        deviation = np.full(len(self.sizes), np.nan)
        if band and fine.any():
            if classify:
                slope, curve, through = smooth
                coupling = self.added * np.mean(through * self.B, axis=1)[:, None]
                own = parts + coupling * square
                slope, curve = slope + 2 * coupling * error, curve + 2 * coupling
            else:
                coupling = 1 + self.added * self.B.mean(axis=1)[:, None]
                own, slope, curve = coupling * square + extra, 2 * coupling * error, 2 * coupling
            deviation = np.where(fine, self._deviation(own, slope, curve, weighted), np.nan)
        value = np.where(fine, value, np.nan)
        return value, deviation, status, matched.steps, matched.residual, self.room

    def _wrong(
        self, y: FloatArray, score: FloatArray, extra: FloatArray, status: FloatArray
    ) -> tuple[FloatArray, tuple[FloatArray, FloatArray, FloatArray]]:
        """Each row's chance of a wrong sign, and derivatives of it, smoothed: in the left-out error, twice, and in the extra variance.

        Sets the status where more noise would have to be removed than there is, or no mistake is left to count.
        """
        parts, slope, curve, through = (np.zeros_like(score) for _ in range(4))
        for i in np.flatnonzero(status == Status.converged):
            least = 0.0
            for label in (-1.0, 1.0):
                mine = y == label
                margin, added = label * score[i, mine], extra[i, mine]
                parts[i, mine], removed = wrong_rows(margin, added)
                least, factor = min(least, removed), np.sqrt(np.clip(1 + removed, 0.0, 1.0))
                margin = margin.mean() + factor * (margin - margin.mean())
                blur = (BANDWIDTH * np.std(margin) * self.rows.rows**-0.2) ** 2
                width = np.sqrt(np.maximum(added, blur) + SHARPEST**2)
                t = np.clip(margin / width, -30.0, 30.0)
                density = np.exp(-0.5 * t * t) / (np.sqrt(2 * np.pi) * width)
                slope[i, mine], curve[i, mine] = label * factor * density, t * density / width
                through[i, mine] = np.where(added > blur, 0.5 * t * density / width, 0.0)
            if least < MOST_SHRUNK or (least < -ROUNDING and not parts[i].any()):
                status[i] = Status.nonfinite
        return parts, (slope, curve, through)

    def _deviation(self, own: FloatArray, slope: FloatArray, curve: FloatArray, weighted: FloatArray) -> FloatArray:
        """Of the mean of parts with derivatives `slope` and `curve` in the left-out error: the root of sum_i Cov(influence, own part).

        Without row i, the error of row j moves by h_ij e_i/g_j + h_ij^2 e_j/(g_i g_j); sums of h_ij^2 over j != i are Var f,
        and each is taken as if rank one.
        """
        rows, gap = self.rows, self.matched.gap
        through = slope / (gap * rows.roots)
        first = weighted * (rows.smoothed(through, self.matched.ridge) - (1 - gap) * through)
        mass = self.matched.variance / np.maximum(self.matched.variance.sum(axis=1, keepdims=True), SMALLEST)
        second = 0.5 * weighted**2 * np.sum(mass * curve / (rows.weights * gap**2), axis=1)[:, None]
        second += np.sum(mass * through * weighted, axis=1)[:, None] / gap
        influence = own - first - self.matched.variance * second
        influence -= influence.mean(axis=1, keepdims=True)
        return np.sqrt(np.maximum(np.sum(influence * own, axis=1), 0.0)) / rows.rows
