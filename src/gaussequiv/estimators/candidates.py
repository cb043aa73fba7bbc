"""A better model or more rows: the learning curves of several estimators on one table, weighed against each other and against costs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from gaussequiv.curve import Observable
from gaussequiv.errors import ArgumentError, FloatArray, fail, number
from gaussequiv.estimators.curves import SIZES, theory_curve
from gaussequiv.estimators.needed_rows import ExtendedCurve, default_sizes, extended_curve, rows_to_reach, thousands
from gaussequiv.learners.convex.observables import CONVEX
from gaussequiv.realdata.reading import count_rows

if TYPE_CHECKING:
    import xarray as xr

STEP = 1000.0  # rows of a gain
DOUBLED = 2.0
GRID = 2000
WORDS = {
    "candidate": Observable("estimator"),
    "bound": Observable("best value and ends of its interval"),
    "error_now": Observable("test error at the rows at hand"),
    "error_doubled": Observable("test error at twice the rows at hand"),
    "gain_per_thousand": Observable("what 1,000 more rows take off the test error"),
    "rows_instead": Observable("rows that the first candidate needs for the candidate's error now", "rows"),
    "cost": Observable("cost of the candidate", "units of money"),
    "cost_instead": Observable("cost of the rows that the first candidate needs instead", "units of money"),
    "error_same_money": Observable("test error of the first candidate with the candidate's cost spent on rows"),
}


def weigh_candidates(
    candidates: Mapping[str, Any],
    X: Any,
    y: Any,
    *,
    cost_per_row: float | None = None,
    costs: Mapping[str, float] | None = None,
    train_sizes: ArrayLike | None = None,
    confidence: float = 0.95,
    **options: Any,
) -> xr.Dataset:
    """Learning curves of several estimators on one table: which is best now and with twice the rows, what rows add, and what that costs.

    Parameters
    ----------
    candidates : dict of estimators by name
        The first is the one in use today: the others are weighed against it with more rows.
    X, y, **options
        As in `theory_curve` (features, method, random_state, ...).
    cost_per_row : float, optional
        What one more labelled row costs, in any unit of money.
    costs : dict of floats by name, optional
        What changing to a candidate costs, in the same unit; those not named cost nothing. Needs `cost_per_row`.
    train_sizes : sequence of int or float, optional
        Where the curves are predicted; by default 14 sizes from N/50 to 1.5 N.
    confidence : float
        Of the intervals.

    Returns
    -------
    Dataset along candidate, train_size and bound (best, low, high)
        test_error, test_error_stderr, status along (candidate, train_size); along (candidate, bound): error_now and error_doubled, at N and
        2 N; gain_per_thousand, E(N) - E(N + 1000); rows_instead, the rows at which the first candidate reaches the candidate's error_now;
        and with `cost_per_row` cost_instead = (rows_instead - N) cost_per_row, beside cost and error_same_money,
        the first candidate's error at N + cost/cost_per_row, along candidate. The attributes best_now, best_doubled, crossings
        (JSON: from how many rows on which candidate is the best) and paragraph, all of it in words. `plot.candidates` draws it.

    Raises
    ------
    ArgumentError
        As `rows_for`; no candidates, costs of unknown ones, or costs without `cost_per_row`.

    Validity: that of `rows_for`; N + 1000 and 2 N are read off the power laws where they lie beyond 1.5 N. Candidates share their
    rows, so that differences are known better than their two intervals say: a lead that these tell apart is a safe one.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression, Ridge
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((1500, 20))
    >>> y = X @ rng.standard_normal(20) + rng.standard_normal(1500)
    >>> sizes = [100, 200, 500, 1000, 1500, 2250]
    >>> found = weigh_candidates({"shrunk": Ridge(3000.0), "plain": LinearRegression()}, X, y, train_sizes=sizes, cost_per_row=2.0)
    >>> found.attrs["best_now"], float(found.rows_instead.sel(candidate="plain", bound="best"))
    ('plain', inf)
    """
    names = _checked(candidates, costs, cost_per_row)
    price = None if cost_per_row is None else number("cost_per_row", cost_per_row, positive=True)
    paid = {name: number(f"costs[{name!r}]", (costs or {}).get(name, 0.0), nonnegative=True) for name in names}
    sizes = default_sizes(count_rows(X)) if train_sizes is None else train_sizes
    found = [theory_curve(candidates[name], X, y, train_sizes=sizes, **options) for name in names]
    curves = {name: extended_curve(curve, confidence=confidence) for name, curve in zip(names, found, strict=True)}
    total = next(iter(curves.values())).total
    values: dict[str, list[Any]] = {key: [] for key in ("error_now", "error_doubled", "gain_per_thousand", "rows_instead")}
    for name, curve in curves.items():
        values["error_now"].append(curve.at(total)[:, 0])
        values["error_doubled"].append(curve.at(DOUBLED * total)[:, 0])
        values["gain_per_thousand"].append(np.full(3, np.nan) if curve.laws is None else curve.laws.gain(total, STEP))
        values["rows_instead"].append(_instead(curves[names[0]], values["error_now"][-1]) if name != names[0] else np.full(3, float(total)))
    bounded = {key: (("candidate", "bound"), np.array(value)) for key, value in values.items()}
    money: dict[str, Any] = {}
    if price is not None:
        spent = np.array([paid[name] for name in names])
        same = curves[names[0]].at(total + spent / price)[0]
        more = np.maximum(bounded["rows_instead"][1] - total, 0.0) * price
        money = {
            "cost": (("candidate",), spent),
            "error_same_money": (("candidate",), same),
            "cost_instead": (("candidate", "bound"), more),
        }
    along = ("test_error", "test_error_stderr", "status")
    variables = {key: (("candidate", "train_size"), np.stack([curve[key].values for curve in found])) for key in along} | bounded | money
    attributes = {
        "source": "theory",
        "task": found[0].attrs["task"],
        "n_total": total,
        "best_now": _best(names, values["error_now"]),
        "best_doubled": _best(names, values["error_doubled"]),
        "crossings": json.dumps(_leads(curves)),
    }
    from gaussequiv.results import dataset

    places = {"candidate": names, "train_size": found[0]["train_size"].values, "bound": ["best", "low", "high"]}
    result = dataset(variables, places, attributes, CONVEX | SIZES | WORDS)
    result.attrs["paragraph"] = _paragraph(result, price)
    return result


def _checked(candidates: Mapping[str, Any], costs: Mapping[str, float] | None, cost_per_row: float | None) -> list[str]:
    if not isinstance(candidates, Mapping) or not candidates:
        raise fail("candidates", "a dict of estimators by name", candidates)
    names = [str(name) for name in candidates]
    if costs and (unknown := sorted(set(costs) - set(names))):
        raise ArgumentError(f"Argument `costs` must name candidates ({', '.join(names)}), but has {', '.join(map(repr, unknown))}.")
    if costs and cost_per_row is None:
        raise ArgumentError("Argument `cost_per_row` must be given with `costs`: money is weighed against rows.")
    return names


def _instead(first: ExtendedCurve, errors: FloatArray) -> FloatArray:
    """Rows that the first candidate needs for another's error now: inf where it never gets there, its own number where it is there."""
    if not errors[0] > 0:
        return np.full(3, np.inf)
    found = rows_to_reach(first, float(errors[0]))
    return np.array([found.rows, found.low, found.high])


def _best(names: list[str], errors: list[FloatArray]) -> str:
    middle = np.array([one[0] for one in errors])
    return names[int(np.nanargmin(middle))] if np.isfinite(middle).any() else "none is known"


def _leads(curves: dict[str, ExtendedCurve]) -> list[tuple[int, str]]:
    """From how many rows on which candidate has the lowest error, up to twice the rows at hand."""
    names, one = list(curves), next(iter(curves.values()))
    n = np.geomspace(max(curve.sizes[0] for curve in curves.values()), DOUBLED * one.total, GRID)
    middle = np.stack([curve.at(n)[0] for curve in curves.values()])
    n, middle = n[np.isfinite(middle).all(axis=0)], middle[:, np.isfinite(middle).all(axis=0)]
    best = np.argmin(middle, axis=0)
    changes = np.flatnonzero(np.diff(best, prepend=-1)) if best.size else np.array([], dtype=int)
    return [(math.ceil(n[i]), names[best[i]]) for i in changes]


def _paragraph(result: xr.Dataset, price: float | None) -> str:
    """The whole result in words."""
    total, names = int(result.attrs["n_total"]), result["candidate"].values.tolist()

    def of(variable: str, name: str) -> list[float]:
        values: list[float] = result[variable].sel(candidate=name).values.tolist()
        return values

    def ranged(values: list[float]) -> str:
        return f"{values[0]:.3g} ({values[1]:.3g} to {values[2]:.3g})"

    best = result.attrs["best_now"]
    said = [f"At the {total:,} rows at hand {best} has the lowest error, {ranged(of('error_now', best))}."]
    close = [name for name in names if name != best and _overlap(of("error_now", best), of("error_now", name))]
    if close:
        said.append(f"{' and '.join(close)} cannot be told apart from it by these rows.")
    gains = [f"{name} {ranged(of('gain_per_thousand', name))}" for name in names if math.isfinite(of("gain_per_thousand", name)[0])]
    if gains:
        said.append(f"1,000 more rows take off: {', '.join(gains)}.")
    later = result.attrs["best_doubled"]
    if later in names:
        again = "it still is" if later == best else f"{later} is"
        said.append(f"With twice the rows {again} the best, {ranged(of('error_doubled', later))}.")
    leads = json.loads(result.attrs["crossings"])
    for (_, before), (size, after) in pairwise(leads):
        said.append(f"From about {thousands(size)} rows on {after} is better than {before}.")
    for name in names[1:]:
        said.append(_against(result, names[0], name, of, price))
    return " ".join(said)


def _overlap(one: list[float], two: list[float]) -> bool:
    return abs(one[0] - two[0]) < math.hypot(one[2] - one[0], two[2] - two[0])


def _against(result: xr.Dataset, first: str, name: str, of: Any, price: float | None) -> str:
    """Changing to a candidate against more rows for the first one."""
    now, today = of("error_now", name)[0], of("error_now", first)[0]
    if not now < today:
        return f"{name} is no better than {first} now."
    rows, low, high = of("rows_instead", name)
    total = int(result.attrs["n_total"])
    if math.isinf(rows):
        instead = f"{first} does not come down to the {now:.3g} of {name} with any number of rows looked at"
    else:
        ends = f"{thousands(low)} to {thousands(high)}" if math.isfinite(high) else f"{thousands(low)} or more"
        instead = f"{first} needs about {thousands(rows)} rows ({ends}) for the {now:.3g} of {name}"
    if price is None:
        return instead + "."
    cost, same = float(result["cost"].sel(candidate=name)), float(result["error_same_money"].sel(candidate=name))
    bill = "" if math.isinf(rows) else f", {max(rows - total, 0) * price:,.7g} for rows"
    if not math.isfinite(same):
        return f"{instead}{bill}; changing costs {cost:,.7g}."
    choice = "change" if now < same else "buy rows"
    return f"{instead}{bill}; changing costs {cost:,.7g}, which spent on rows leaves {first} at {same:.3g}: {choice}."
