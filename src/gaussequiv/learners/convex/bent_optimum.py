"""The best penalty where students lose their weights at some offsets: averages over panels that follow the bends vary smoothly with it."""

from __future__ import annotations

import numpy as np
from numpy.polynomial.chebyshev import Chebyshev, chebpts1

from gaussequiv.errors import FloatArray
from gaussequiv.learners.convex.bends import NOWHERE, Bends, bends, middles, near_bends, solve_bent
from gaussequiv.learners.convex.lam_path import LamPath
from gaussequiv.learners.convex.offsets import Starts
from gaussequiv.learners.convex.weightless import without_weights
from gaussequiv.numerics.status import Status

VALUES, FITTED = 17, 7  # of log lam at equal distances, and about the least of them
FINELY = 400  # parts of the way between those in which their polynomial is least
RARE = 1e-2  # share of the offsets with weights for which others may stand
ALIKE = 1e-9  # relative difference of averages that is none


def best_about_bends(path: LamPath, k: int, low: float, high: float) -> float | None:
    """log lam between two at which the average of what the path minimises is least at its k-th alpha; None where that is not found.

    The least of a few values, or that of the polynomial through more about it; on a plateau without weights its first value is as good.
    """
    averages = BentAverages(path, k)
    logs = np.linspace(low, high, VALUES)
    values = averages.at(logs)
    least = values.min()
    best = int(np.argmax(values <= least + ALIKE * abs(least)))
    if not np.isfinite(least) or best in (0, VALUES - 1):
        return None
    ends = float(logs[best - 1]), float(logs[best + 1])
    about = logs[best] + 0.5 * (ends[1] - ends[0]) * chebpts1(FITTED)
    fitted = averages.at(about)
    if not np.isfinite(fitted).all():
        return None
    fine = np.linspace(ends[0], ends[1], FINELY + 1)
    found = Chebyshev.fit(about, fitted, FITTED - 1, domain=ends)(fine)
    return float(fine[found.argmin()]) if found.min() < least else float(logs[best])


class BentAverages:
    """Averages over the offset of what a path minimises at one alpha, over panels that end where weights vanish."""

    def __init__(self, path: LamPath, k: int) -> None:
        self.path, self.k = path, k
        self._between = NOWHERE  # offsets where bends were about to meet
        self._known: list[tuple[float, Starts]] = []  # log lam, and what was solved there

    def at(self, logs: FloatArray) -> FloatArray:
        """At every log lam; inf where too few offsets are solved."""
        load = np.full(logs.size, self.path.alpha[self.k] / self.path.model.e.aspect)
        found = self._bends(load, np.exp(logs))
        values = [self._average(y, one) for y, one in zip(logs.tolist(), found, strict=True)]
        return np.where(np.isfinite(values), values, np.inf)

    def _bends(self, load: FloatArray, lam: FloatArray) -> list[Bends]:
        """A few offsets show the bends, but for those between which students have weights that are about to vanish at all offsets."""
        model, before = (self.path.before or self.path).model, self._between
        found = bends(model, load, lam, before)
        between = middles(found)
        if between.size and before.size == 0:
            found = bends(model, load, lam, between)
        self._between = np.unique(np.concatenate([before, middles(found)]))
        return found

    def _average(self, y: float, bends: Bends) -> float:
        if bends is None:
            at = self.path.model.points(self.path.alpha[[self.k]], np.exp([y]))
            return float(self.path.values(at, without_weights(self.path.model, at))[0])
        if not bends:
            return float(self.path.values(*self.path.solve(np.array([self.k]), np.array([y])))[0])
        model, key = self.path.model.with_bends(bends), self.path.erm.minimise
        at = model.points(self.path.alpha[[self.k]], np.exp([y]))
        solution = solve_bent(model, at, self._starts(y, at.b0.size), patient=False)
        good = solution.status == Status.converged
        self._known.append((y, Starts(np.where(good[:, None], solution.unknowns, np.nan), solution.sign, np.zeros(good.size))))
        values, (_, distance, some) = model.observe(solution, (key,))[key], near_bends(at.b0, bends)
        if model.mass[~good].sum() > RARE * model.mass[some].sum():
            return np.inf
        order = np.flatnonzero(good & some)
        order = order[np.argsort(distance[order])]
        values[~good] = np.interp(distance[~good], distance[order], values[order])
        return float(self.path.sign * (values @ model.mass))

    def _starts(self, y: float, offsets: int) -> Starts:
        """From the nearest two log lam whose offsets lie alike, on the line through them."""
        known = sorted((one for one in self._known if one[1].sign.size == offsets), key=lambda one: abs(one[0] - y))[:2]
        if not known:
            return Starts.unknown(offsets)
        (near, there), (far, further) = known[0], known[-1]
        slope = (further.unknowns - there.unknowns) / (far - near) if far != near else 0.0
        unknowns = there.unknowns + slope * (y - near)
        return there._replace(unknowns=np.where(np.isfinite(unknowns), unknowns, there.unknowns))
