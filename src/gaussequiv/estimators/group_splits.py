"""Rows that come in groups (of one person, patient, session): training sets of some groups, tested on others, and what that costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from gaussequiv.errors import ArgumentError, FloatArray, fail
from gaussequiv.estimators.refits import split_errors
from gaussequiv.estimators.transformers import HELD_OUT, REPEATS, UNKNOWN, LearnedCost

DOUBT = 3.0  # standard errors: every size is looked at, and refits of the two kinds share no rows
LEAST_GROUPS = 4  # of which some are trained on and others tested


def read_groups(groups: Any, total: int) -> Any:
    """The number of its group for every row, from names of any kind; refused where they are not one for each row, missing, or too few."""
    found = np.asarray(groups)
    if found.shape != (total,):
        raise fail("groups", f"a vector of {total} names of groups, one for each row", found if found.ndim else groups)
    number, names = pd.factorize(found)
    if np.any(number < 0):
        raise ArgumentError(f"Argument `groups` must name the group of every row, but {int(np.sum(number < 0))} are missing.")
    count = len(names)
    if count < LEAST_GROUPS:
        raise ArgumentError(
            f"Argument `groups` must have at least {LEAST_GROUPS} groups, to train on some and test on others, but has {count}."
        )
    return number


def largest_size(number: Any) -> int:
    """Up to which number of training rows every choice of groups leaves one to test on."""
    return int(len(number) - np.bincount(number).max())


def group_split(number: Any, size: int, rng: np.random.Generator) -> tuple[Any, Any]:
    """Whole groups in random order up to `size` rows, the last one cut to it at random, and all rows of the groups not begun.

    As `sklearn.model_selection.GroupShuffleSplit`, which counts groups where this counts rows.

    Examples
    --------
    >>> train, test = group_split(np.repeat([0, 1, 2, 3], 5), 7, np.random.default_rng(0))
    >>> len(train), len(test)
    (7, 10)
    """
    place = rng.permutation(int(number.max()) + 1)  # of every group in the order
    order = np.lexsort((rng.permutation(len(number)), place[number]))
    train = order[:size]
    return train, order[place[number[order]] > place[number[train[-1]]]]


def group_costs(
    whole: Any, final: Any, X: Any, rows: FloatArray, y: Any, sizes: Any, classify: bool, seed: int, number: Any
) -> list[LearnedCost]:
    """At every size that leaves a fifth of the rows: errors on other groups less those on rows drawn at random, by 16 refits of each.

    Refits on groups are of the whole pipeline, those on rows of the final estimator behind transformers that saw all rows, which is what
    predictions are of; so that the difference holds what learning transformers costs as well. Where no size leaves enough, half of the
    rows is measured.
    """
    total = len(rows)
    most = min((1 - HELD_OUT) * total, largest_size(number))
    possible = sizes[sizes <= most]
    rng = np.random.default_rng(seed)
    found = []
    for size in possible if possible.size else [min(total // 2, int(most))]:
        apart = split_errors(whole, X, y, [group_split(number, int(size), rng) for _ in range(REPEATS)], classify)
        orders = [rng.permutation(total) for _ in range(REPEATS)]
        together = split_errors(final, rows, y, [(order[:size], order[size:]) for order in orders], classify)
        spread = float(np.hypot(apart.std(ddof=1), together.std(ddof=1)) / REPEATS**0.5)
        found.append(LearnedCost(int(size), float(apart.mean() - together.mean()), spread, float(together.mean()), DOUBT))
    return found


def group_caveat(costs: list[LearnedCost], sizes: Any, count: int) -> str:
    """A sentence on what being tested on other groups costs; empty where that is negligible at all sizes."""
    paid = [cost for cost in costs if not cost.negligible]
    if not paid:
        return ""
    worst, last = max(paid, key=lambda cost: abs(cost.relative)), costs[-1]
    said = (
        f"groups: rows of one of the {count} groups are alike. Tested on other groups, fits of n = {worst.size} rows have an error "
        f"{100 * worst.relative:+.0f}% ({100 * worst.stderr / max(worst.error, 1e-300):.0f}) off that on rows drawn at random"
    )
    added = [cost for cost in paid if cost.size in sizes]
    if added:
        said += f"; {len(added)} of {len(sizes)} points have this added, measured by {REPEATS} refits of each kind"
    if not last.negligible and abs(last.relative) > UNKNOWN and np.any(sizes > last.size):
        said += f"; at n = {last.size} it is {100 * last.relative:+.0f}%, so that larger sizes are not known"
    return (
        said + ". Standard errors count rows as independent: with groups they are too small. refit_curve(groups=...) tests on other groups."
    )
