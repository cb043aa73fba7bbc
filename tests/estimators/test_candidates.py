"""A better model or more rows: against closed forms of least squares on some or all columns."""

import json

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from gaussequiv.errors import ArgumentError
from gaussequiv.estimators.candidates import weigh_candidates

N, D, FEW = 2000, 30, 3
WEIGHTS = np.array([1.0] * FEW + [0.1] * (D - FEW))


def first_columns(X):
    return X[:, :FEW]


def exact(n, columns):
    """Mean squared error of least squares on the first columns: those left out are noise."""
    noise = 1 + np.sum(WEIGHTS[columns:] ** 2)
    return noise * (1 + 1 / n) * (n - 2) / (n - columns - 2)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, D))
    return X, X @ WEIGHTS + rng.standard_normal(N)


CANDIDATES = {"few": make_pipeline(FunctionTransformer(first_columns), LinearRegression()), "all": LinearRegression()}
SIZES = [60, 80, 110, 150, 200, 300, 500, 1000, 2000, 3000]


@pytest.fixture(scope="module")
def weighed(table):
    return weigh_candidates(CANDIDATES, *table, train_sizes=SIZES, cost_per_row=3.0, costs={"all": 100.0})


def test_errors_now_and_doubled_are_the_exact_ones(weighed):
    for name, columns in (("few", FEW), ("all", D)):
        for variable, n in (("error_now", N), ("error_doubled", 2 * N)):
            best, low, high = weighed[variable].sel(candidate=name).values
            assert low < exact(n, columns) < high and best == pytest.approx(exact(n, columns), rel=0.1)


def test_gains_are_the_exact_ones(weighed):
    for name, columns in (("few", FEW), ("all", D)):
        best, low, high = weighed["gain_per_thousand"].sel(candidate=name).values
        assert low <= exact(N, columns) - exact(N + 1000, columns) <= high
        assert low <= best <= high
    assert weighed["gain_per_thousand"].sel(candidate="all", bound="best") == pytest.approx(exact(N, D) - exact(N + 1000, D), rel=0.4)


def test_curves_cross_where_the_exact_ones_do(weighed):
    n = np.arange(60, 2000)
    crossing = n[np.argmax(exact(n, D) < exact(n, FEW))]
    leads = json.loads(weighed.attrs["crossings"])
    assert [name for _, name in leads] == ["few", "all"] and leads[1][0] == pytest.approx(crossing, rel=0.25)
    assert (weighed.attrs["best_now"], weighed.attrs["best_doubled"]) == ("all", "all")


def test_what_the_first_candidate_never_reaches_is_said_and_money_decides(weighed):
    assert weighed["rows_instead"].sel(candidate="all", bound="best") == np.inf
    assert weighed["error_same_money"].sel(candidate="all") == pytest.approx(exact(N + 100 / 3, FEW), rel=0.1)
    text = weighed.attrs["paragraph"]
    assert "At the 2,000 rows at hand all has the lowest error" in text and "it still is the best" in text
    assert "few does not come down" in text and "changing costs 100" in text and text.endswith("change.")


def test_rows_are_bought_where_they_are_cheaper(table):
    found = weigh_candidates(
        {"ridge": Ridge(60.0), "all": LinearRegression()}, *table, train_sizes=SIZES, cost_per_row=0.001, costs={"all": 1e6}
    )
    if found["error_now"].sel(candidate="all", bound="best") < found["error_now"].sel(candidate="ridge", bound="best"):
        assert found.attrs["paragraph"].endswith("buy rows.")
    swapped = weigh_candidates({"all": LinearRegression(), "few": CANDIDATES["few"]}, *table, train_sizes=SIZES)
    assert swapped.attrs["paragraph"].endswith("few is no better than all now.")
    assert "cost" not in swapped


def test_equals_cannot_be_told_apart(table):
    found = weigh_candidates({"one": Ridge(1.0), "two": Ridge(2.0)}, *table, train_sizes=SIZES)
    assert "cannot be told apart from it by these rows" in found.attrs["paragraph"]


@pytest.mark.parametrize(
    ("candidates", "options", "text"),
    [
        ({}, {}, "`candidates` must be a dict"),
        (CANDIDATES, {"costs": {"al": 1.0}, "cost_per_row": 1.0}, "`costs` must name candidates .* but has 'al'"),
        (CANDIDATES, {"costs": {"all": 1.0}}, "`cost_per_row` must be given"),
        (CANDIDATES, {"costs": {"all": -1.0}, "cost_per_row": 1.0}, "non-negative"),
        (CANDIDATES, {"cost_per_row": 0.0}, "`cost_per_row` must be a positive"),
    ],
)
def test_refusals(table, candidates, options, text):
    with pytest.raises(ArgumentError, match=text):
        weigh_candidates(candidates, *table, train_sizes=SIZES, **options)
