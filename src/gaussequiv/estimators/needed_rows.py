"""How many rows a wanted error takes, read off a predicted learning curve and its band."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from gaussequiv.errors import ArgumentError, FloatArray, fail, number
from gaussequiv.estimators.curves import last_step, theory_curve
from gaussequiv.numerics.status import Status
from gaussequiv.realdata.caveats import FAR
from gaussequiv.realdata.power_laws import PowerLaws, power_laws
from gaussequiv.realdata.reading import count_rows, read_student, read_targets

if TYPE_CHECKING:
    import xarray as xr

METHOD_ERROR = 0.02  # of the prediction: its deviation from refits beside that of the sample (docs/real_data_table.md)
POINTS = 14  # of the predicted curve
SMALLEST = 0.02  # of the rows, and no fewer than FEWEST: the first of them
FEWEST = 10
FITTED = (0.15, 0.3)  # of the largest size: from here on power laws are fitted; the later start where none fits from the earlier one
LEAST_POINTS = 4  # of a fit with three unknowns
GRID = 4000  # sizes at which the curve is read
FARTHEST = 10.0  # times the rows


@dataclass(frozen=True)
class NeededRows:
    """Training rows at which the mean test error comes down to `target` and stays there.

    Attributes
    ----------
    target : float
        The wanted test error.
    rows, low, high : float
        The size and the ends of its interval, rounded up; `rows` and `high` are inf, where the curve or the upper end of its band is not
        down there within the sizes looked at. `low` is 1 where the smallest size may do.
    reached : bool
        Whether `rows` is finite.
    extrapolated : bool
        Whether `rows` lies beyond the sizes that are predicted, on a power law.
    sentence : str
        The answer in words; also what `str` gives.
    """

    target: float
    rows: float
    low: float
    high: float
    reached: bool
    extrapolated: bool
    sentence: str

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True)
class ExtendedCurve:
    """A predicted curve between its sizes, and beyond them the power laws that fit into its band.

    Parameters
    ----------
    sizes, error, half_width : arrays of shape (S,)
        The known points; the half width of the band holds the standard error and that of the method, 2% of the prediction.
    total : int
        Rows at hand.
    laws : PowerLaws or None
    """

    sizes: FloatArray
    error: FloatArray
    half_width: FloatArray
    total: int
    laws: PowerLaws | None

    @property
    def last(self) -> float:
        """The largest size that is predicted."""
        return float(self.sizes[-1])

    def at(self, n: Any) -> FloatArray:
        """Error, and lower and upper end of its interval, at sizes n: of shape (3, sizes); nan where nothing is known of it."""
        from scipy.interpolate import PchipInterpolator

        n = np.atleast_1d(np.asarray(n, dtype=np.float64))
        place, points = np.log(n), np.log(self.sizes)
        middle, half = (PchipInterpolator(points, values, extrapolate=False)(place) for values in (self.error, self.half_width))
        found = np.stack([middle, np.maximum(middle - half, 0.0), middle + half])
        beyond = n > self.last
        if self.laws is not None and beyond.any():
            found[:, beyond] = self.laws.at(n[beyond])
        return found


def extended_curve(curve: xr.Dataset, *, confidence: float = 0.95) -> ExtendedCurve:
    """Read a result of `theory_curve`: its known points up to 1.5 N, and the power laws inside their band.

    The half width at n is z sqrt(stderr^2 + (0.02 error)^2), z the normal quantile of `confidence`. The laws are fitted from 15% of the
    largest size on, or from 30% where none fits so far, and from the last size on from which the curve falls.

    Raises
    ------
    ArgumentError : more than one class against the rest, or fewer than two known points with a standard error.
    """
    if "class" in curve.dims:
        raise ArgumentError(
            "Argument `curve` must be that of two classes or of a regression, but it has one for each class against the rest; take one "
            "with curve.sel({'class': ...})."
        )
    level = _level(confidence)
    total = int(curve.attrs["n_total"])
    sizes, error, deviation = (
        np.asarray(curve[name].values, dtype=np.float64) for name in ("train_size", "test_error", "test_error_stderr")
    )
    known = (curve["status"].values == Status.converged) & np.isfinite(deviation) & (sizes <= FAR * total)
    if known.sum() < 2:
        raise ArgumentError(
            f"Argument `curve` must have two known points with standard errors up to {FAR:g} times its {total} rows, but "
            f"{int(known.sum())} of {known.size} are: more rows, other train_sizes or a larger penalty are needed."
        )
    sizes, error, deviation = sizes[known], error[known], deviation[known]
    half = NormalDist().inv_cdf(0.5 + level / 2) * np.hypot(deviation, METHOD_ERROR * error)
    rising = np.flatnonzero(np.diff(error) > METHOD_ERROR * error[:-1])  # a peak, not a count of mistakes that trembles
    falls = (np.arange(sizes.size) > (rising[-1] if rising.size else -1)) & (half > 0)
    laws = None
    for start in FITTED:
        fitted = falls & (sizes >= start * sizes[-1])
        if laws is None and fitted.sum() >= LEAST_POINTS:
            laws = power_laws(sizes[fitted], error[fitted], half[fitted], float(total))
    return ExtendedCurve(sizes, error, half, total, laws)


def _level(confidence: float) -> float:
    if not 0 < (level := number("confidence", confidence)) < 1:
        raise fail("confidence", "between 0 and 1", confidence)
    return level


def _goal(target: float, farthest: float) -> tuple[float, float]:
    return (
        number("target", target, positive=True, meaning="It is a test error, in the units of `test_error`."),
        number("farthest", farthest, positive=True, meaning="It is a multiple of the rows at hand."),
    )


def rows_to_reach(curve: ExtendedCurve, target: float, *, farthest: float = FARTHEST, quantity: str = "error") -> NeededRows:
    """Where a curve, and the ends of its band, come down to the target for good; see `rows_for`."""
    goal, reach = _goal(target, farthest)
    end = curve.last if curve.laws is None else max(reach * curve.total, curve.last)
    n = np.unique(np.concatenate([np.geomspace(curve.sizes[0], end, GRID), curve.sizes]))
    middle, lower, upper = curve.at(n)
    rows, low, high = (_settled(n, values, goal) for values in (middle, lower, upper))
    if curve.laws is None:
        low = min(low, curve.last)  # nothing is known beyond
    smallest = float(curve.sizes[0])
    extrapolated = curve.last < rows < math.inf
    rows, low, high = (math.ceil(one - 1e-9) if math.isfinite(one) else math.inf for one in (rows, low, high))
    words = _sentence(curve, goal, rows, low, high, smallest, end, extrapolated, quantity)
    return NeededRows(goal, rows, 1 if low <= smallest else low, high, math.isfinite(rows), extrapolated, words)


def _settled(n: FloatArray, values: FloatArray, goal: float) -> float:
    """The size from which on the values stay at or below the goal, between points of the grid linear in log n; inf if there is none."""
    above = np.flatnonzero(~(values <= goal))
    if not above.size:
        return float(n[0])
    last = int(above[-1])
    if last == len(n) - 1:
        return math.inf
    if not np.isfinite(values[last]) or values[last + 1] == values[last]:
        return float(n[last + 1])
    part = (values[last] - goal) / (values[last] - values[last + 1])
    return float(np.exp(np.log(n[last]) + part * np.log(n[last + 1] / n[last])))


def thousands(value: float, digits: int = 2) -> str:
    """A number of rows for people: two digits and separators of thousands."""
    if value < 100:
        return str(round(value))
    step = 10 ** (math.floor(math.log10(value)) - digits + 1)
    return f"{round(value / step) * step:,}"


def _sentence(
    curve: ExtendedCurve, goal: float, rows: float, low: float, high: float, smallest: float, end: float, extrapolated: bool, quantity: str
) -> str:
    if rows <= smallest:
        return f"A {quantity} of {goal:.4g} takes no more than the smallest size looked at, {smallest:.0f} rows."
    if math.isinf(rows):
        return _unreached(curve, goal, low, smallest, end, quantity)
    least = f"fewer than {smallest:.0f}" if low <= smallest else thousands(low)
    most = f"{thousands(high)}" if math.isfinite(high) else f"more than {thousands(end)}"
    said = f"A {quantity} of {goal:.4g} takes about {thousands(rows)} rows ({least} to {most}), if new rows are like these {curve.total:,}"
    if extrapolated:
        return f"{said} and the curve goes on as a power law beyond the {curve.last:,.0f} rows that are predicted."
    return f"{said}: you have enough." if high <= curve.total else f"{said}."


def _unreached(curve: ExtendedCurve, goal: float, low: float, smallest: float, end: float, quantity: str) -> str:
    hope = "" if low > end else f" It might be from {'the smallest size' if low <= smallest else thousands(low) + ' rows'} on."
    if curve.laws is None:
        return (
            f"A {quantity} of {goal:.4g} is not reached within the {curve.last:,.0f} rows that are predicted, where it is "
            f"{curve.error[-1]:.4g}, and no falling power law follows the curve beyond.{hope}"
        )
    floor, (there, least_there, most_there) = curve.laws.floor[0], curve.at(end)[:, 0]
    level = f"levels off at {floor:.4g}, above it" if floor > goal else f"would level off at {floor:.4g}, much later"
    return (
        f"A {quantity} of {goal:.4g} is not reached within {thousands(end)} rows, {end / curve.total:.3g} times those at hand: "
        f"the curve {level}; at {thousands(end)} rows it is {there:.4g} ({least_there:.4g} to {most_there:.4g}).{hope}"
    )


def rows_for(
    estimator: Any,
    X: Any,
    y: Any,
    target: float,
    *,
    confidence: float = 0.95,
    farthest: float = FARTHEST,
    train_sizes: ArrayLike | None = None,
    **options: Any,
) -> NeededRows:
    r"""How many training rows a linear scikit-learn estimator needs for a test error: with an interval, and in words.

    The curve E(n) of `theory_curve` is read between its sizes by monotone interpolation in log n; the answer is the size from which on it
    stays at or below the target, so that a dip before an interpolation peak does not count. The interval holds all n that the band does
    not exclude: it ends where E(n) -+ z sqrt(stderr(n)^2 + (0.02 E(n))^2) come down to the target, 2% being what the method deviates by
    from refits. Beyond 1.5 N the curve is E(n) = E_inf + c n^-b, E_inf, c >= 0, 0.1 <= b <= 3, fitted to the band from 15% of its
    largest size on, and the interval the range of all such laws that stay inside the band there.

    Parameters
    ----------
    estimator, X, y, **options
        As in `theory_curve` (features, method, random_state, ...).
    target : float
        A test error in its units: share of wrong labels, or mean squared error.
    confidence : float
        Of the interval.
    farthest : float
        Times N: the last size at which the power law is read.
    train_sizes : sequence of int or float, optional
        Where the curve is predicted; by default 14 sizes from N/50 to 1.5 N.

    Returns
    -------
    NeededRows

    Raises
    ------
    ArgumentError
        As `theory_curve`; a target that is not positive; more than two classes; a curve with fewer than two known points.

    Validity: that of `theory_curve`, for the mean over training sets: one training set of that size may do better or worse. New rows have
    to come from the same source. On 40 tables of known law the interval held the true number in 38 to 40 (LinearRegression, exact curve,
    extrapolated or not; RidgeClassifier, brute force); it is wide where the curve is flat, as it has to be.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((2000, 20))
    >>> y = X[:, 0] + rng.standard_normal(2000)
    >>> found = rows_for(LinearRegression(), X, y, 1.25, train_sizes=[60, 100, 200, 400, 1000, 2000, 3000])
    >>> bool(found.low < 122 < found.high), found.extrapolated  # 1 + 1/n times (n - 2)/(n - 22) is 1.25 at n = 106.6
    (True, False)
    """
    _level(confidence)
    _goal(target, farthest)
    total = count_rows(X)
    if len(read_targets(y, read_student(last_step(estimator)), total)[0]) > 1:
        raise ArgumentError("Argument `y` must have two classes, for one number of rows; take one class against the rest.")
    sizes = default_sizes(total) if train_sizes is None else train_sizes
    curve = theory_curve(estimator, X, y, train_sizes=sizes, **options)
    quantity = "share of wrong labels" if curve.attrs["task"] == "classification" else "mean squared error"
    return rows_to_reach(extended_curve(curve, confidence=confidence), target, farthest=farthest, quantity=quantity)


def default_sizes(total: int) -> Any:
    """Training sizes from a fiftieth of the rows to 1.5 times them, evenly in log n."""
    first = min(max(FEWEST, round(SMALLEST * total)), total)
    return np.unique(np.round(np.geomspace(first, np.floor(FAR * total), POINTS)).astype(int))
