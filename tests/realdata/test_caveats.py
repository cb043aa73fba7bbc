"""`caveats`: every kind of weak point is named, in words."""

import numpy as np
import pytest

from gaussequiv.numerics.status import Status
from gaussequiv.realdata.caveats import WORDS, caveats, unequal_columns

ROWS = np.random.default_rng(0).standard_normal((100, 3))


def said(sizes, error, deviation, status, rows=ROWS, groups=10):
    points = {"test_error": error, "test_error_stderr": deviation, "status": status}
    return caveats(np.array(sizes), {name: np.array(v, dtype=float) for name, v in points.items()}, rows, groups)


def test_good_points_are_silent():
    assert said([50, 150], [0.2, 0.1], [0.01, 0.01], [0, 0]) == []
    assert said([50, 150], [0.2, 0.1], [np.nan, np.nan], [0, 0], groups=0) == []


@pytest.mark.parametrize(
    ("sizes", "error", "deviation", "status", "text"),
    [
        ([50, 60], [0.2, 0.1], [0.01, np.nan], [0, 0], "1 of 2 points have no standard error"),
        ([50, 60], [0.2, 0.1], [0.01, 0.02], [0, 0], "exceeds 10% of the prediction at 1 of 2"),
        ([50, 60], [0.2, 0.0], [0.01, 0.0], [0, 0], "1 of 2 points are exactly 0: .* below about 3/N = 0.03"),
        ([50, 60], [0.2, np.nan], [0.01, np.nan], [0, 1], "1 the iteration did not settle, status max_steps"),
        ([50, 60], [0.2, np.nan], [0.01, np.nan], [0, 3], "1 not identified by these rows, status nonfinite"),
        (
            [50, 151],
            [0.2, 0.1],
            [0.01, 0.01],
            [0, 0],
            "1 of the train_sizes lies beyond 1.5 times the 100 rows given, up to 151 = 1.51 times",
        ),
        ([180, 201], [0.2, 0.1], [0.01, 0.01], [0, 0], "2 of the train_sizes lie beyond 1.5 times .* extrapolation, not a prediction"),
    ],
)
def test_each_weakness_is_one_sentence(sizes, error, deviation, status, text):
    found = said(sizes, error, deviation, status)
    assert len(found) == 1
    with pytest.raises(AssertionError, match=text):
        raise AssertionError(found[0])


def test_fits_about_to_interpolate_their_rows_are_named():
    points = {"test_error": [5.0, 5.0, 5.0], "test_error_stderr": [0.1] * 3, "status": [0, 0, 0], "room": [0.05, 0.2, 0.5]}
    found = caveats(np.array([60, 80, 100]), {name: np.array(v, dtype=float) for name, v in points.items()}, ROWS, 10)
    assert len(found) == 1 and "1 of 3 points lie where a fit is about to interpolate" in found[0]


def test_columns_that_vary_on_few_rows_are_named():
    points = {"test_error": [5.0, 5.0], "test_error_stderr": [0.1] * 2, "status": [0, 0], "alone": [0.05, 0.001]}
    found = caveats(np.array([60, 80]), {name: np.array(v, dtype=float) for name, v in points.items()}, ROWS, 10)
    assert len(found) == 1 and "1 of 2 points hang on columns that vary on few rows" in found[0]


def test_sizes_that_are_not_known_are_no_extrapolation():
    assert len(said([50, 900], [0.2, np.nan], [0.01, np.nan], [0, 3])) == 1


def test_failures_of_unequal_columns_suggest_to_standardise():
    scaled = ROWS * [1.0, 1e3, 1.0]
    assert "--standardise" in said([50], [np.nan], [np.nan], [1], rows=scaled)[0]
    assert "--standardise" not in said([50], [np.nan], [np.nan], [1])[0]
    assert said([50], [0.1], [0.001], [0], rows=scaled) == []
    assert unequal_columns(np.zeros((3, 2))) == ""


def test_every_status_has_words():
    assert set(WORDS) == set(Status)
