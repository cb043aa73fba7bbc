"""How many rows an error takes: the interval holds the true number, and the words say what is not known."""

import math

import numpy as np
import pytest
import xarray as xr
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier

from gaussequiv.errors import ArgumentError
from gaussequiv.estimators.needed_rows import NeededRows, default_sizes, extended_curve, rows_for, rows_to_reach, thousands

POOLS = 40
D = 20


def least_squares_error(n):
    """Mean squared error of least squares with a constant on n Gaussian rows of D columns, noise variance 1: exact."""
    return (1 + 1 / n) * (n - 2) / (n - D - 2)


def pool(seed, rows, d=D):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((rows, d))
    return X, X @ rng.standard_normal(d) + rng.standard_normal(rows)


@pytest.mark.filterwarnings("ignore::gaussequiv.errors.AccuracyWarning")  # the smallest sizes are close to the interpolation peak
@pytest.mark.parametrize("wanted", [60, 1000])
def test_the_interval_holds_the_true_number(wanted):
    """Within the pool's 300 rows, and three times as many; 95%, within 3 binomial standard errors."""
    found = [rows_for(LinearRegression(), *pool(seed, 300), least_squares_error(wanted)) for seed in range(POOLS)]
    held = sum(one.low <= wanted <= one.high for one in found)
    assert held >= 0.95 * POOLS - 3 * math.sqrt(POOLS * 0.95 * 0.05)
    if wanted == 60:  # and it says something: half an octave to each side
        assert np.median([one.high / one.low for one in found]) < 2.2
        assert all(one.reached and not one.extrapolated for one in found)


def truth(estimator, n, wanted_rng, draws=200):
    """Mean share of wrong labels of fits on n fresh rows, and its standard error."""
    rng = np.random.default_rng(wanted_rng)
    X, y = labelled(rng, 10_000)
    errors = []
    for _ in range(draws):
        train = labelled(rng, n)
        errors.append(np.mean(estimator.fit(*train).predict(X) != y))
    return float(np.mean(errors)), float(np.std(errors) / math.sqrt(draws))


def labelled(rng, rows, d=8):
    X = rng.standard_normal((rows, d)) * np.linspace(0.5, 1.5, d)
    return X, X @ np.ones(d) + rng.standard_normal(rows) > 0.5


@pytest.mark.filterwarnings("ignore::gaussequiv.errors.AccuracyWarning")
@pytest.mark.parametrize(
    ("estimator", "pools"), [(RidgeClassifier(), POOLS), pytest.param(LogisticRegression(), 16, marks=pytest.mark.slow)]
)
def test_the_interval_of_a_classifier_holds_the_brute_force_number(estimator, pools):
    goal, error = truth(estimator, 60, 0)
    assert error < 0.01 * goal
    found = [rows_for(estimator, *labelled(np.random.default_rng(seed), 400), goal) for seed in range(1, pools + 1)]
    held = sum(one.low <= 60 <= one.high for one in found)
    assert held >= 0.95 * pools - 3 * math.sqrt(pools * 0.95 * 0.05)
    assert np.median([one.rows for one in found]) == pytest.approx(60, rel=0.35)


def made(sizes, errors, total, deviation=0.001, **attributes):
    size = ("train_size",)
    values = {"test_error": errors, "test_error_stderr": np.full(len(sizes), deviation), "status": np.zeros(len(sizes))}
    return xr.Dataset(
        {name: (size, np.asarray(v, dtype=float)) for name, v in values.items()}, {"train_size": sizes}, {"n_total": total} | attributes
    )


N = np.array([30, 60, 120, 250, 500, 1000, 1500])


def read(errors, target, total=1000, **options):
    return rows_to_reach(extended_curve(made(N, errors, total)), target, **options)


def test_the_answer_is_where_the_curve_stays_down():
    """A dip before an interpolation peak does not count."""
    errors = np.array([0.5, 2.0, 0.9, 0.5, 0.35, 0.28, 0.26])
    found = read(errors, 0.6)
    assert 120 < found.low <= found.rows <= found.high < 500


def test_beyond_the_prediction_a_power_law_answers_and_says_so():
    found = read(1 + 200 / N, 1.05)
    assert found.reached and found.extrapolated and found.rows == pytest.approx(4000, rel=0.02)
    assert 1500 < found.low < 4000 < found.high
    assert "power law beyond the 1,500 rows" in str(found) and "if new rows are like these 1,000" in str(found)


def test_a_target_below_the_floor_is_told_in_words():
    found = read(1 + 200 / N, 0.5)
    assert not found.reached and found.rows == found.high == math.inf
    assert "not reached within 10,000 rows, 10 times those at hand" in found.sentence
    assert "levels off at 1, above it" in found.sentence and "might be" not in found.sentence


def test_a_slow_curve_would_get_there_later():
    found = read(N**-0.25, 0.05, farthest=3.0)
    assert not found.reached and "much later" in found.sentence


def test_a_target_that_few_rows_reach():
    found = read(1 + 200 / N, 20.0)
    assert (found.rows, found.low, found.reached) == (30, 1, True)
    assert found.sentence == "A error of 20 takes no more than the smallest size looked at, 30 rows."


def test_enough_rows_is_said():
    assert read(1 + 200 / N, 2.0).sentence.endswith("you have enough.")
    assert "enough" not in read(1 + 200 / N, 1.2).sentence


def test_a_rising_curve_promises_nothing_beyond():
    found = read(np.linspace(1, 2, 7), 0.9)
    assert not found.reached and found.low == 1500 and found.high == math.inf
    assert "no falling power law" in found.sentence


def test_where_nothing_is_known_beyond_a_near_target_stays_open():
    curve = extended_curve(made(N[:3], [3.0, 2.0, 1.0], 120))
    assert curve.laws is None
    found = rows_to_reach(curve, 0.95)
    assert not found.reached and found.low == pytest.approx(120, abs=12)


def test_an_interpolated_power_law_is_exact_between_its_points():
    curve = extended_curve(made(default_sizes(1000), 1 + 200 / default_sizes(1000), 1000))
    n = np.array([33.0, 77.0, 450.0])
    assert curve.at(n)[0] == pytest.approx(1 + 200 / n, rel=5e-3)


def test_the_half_width_is_that_of_sample_and_method():
    curve = extended_curve(made(N, 1 + 200 / N, 1000, 0.05), confidence=0.6826894921)
    assert curve.half_width == pytest.approx(np.hypot(0.05, 0.02 * (1 + 200 / N)))


@pytest.mark.parametrize(
    ("options", "text"),
    [({"target": 0.0}, "`target` must be a positive"), ({"target": 1.0, "confidence": 1.0}, "`confidence` must be between")],
)
def test_refusals(options, text):
    with pytest.raises(ArgumentError, match=text):
        rows_for(Ridge(), *pool(0, 100), **options)


def test_several_classes_are_refused():
    X, y = pool(0, 90)
    with pytest.raises(ArgumentError, match="two classes"):
        rows_for(RidgeClassifier(), X, np.digitize(y, [-1, 1]), 0.1)
    with pytest.raises(ArgumentError, match="one for each class"):
        extended_curve(made(N, 1 + 1 / N, 1000).expand_dims("class"))


def test_unknown_curves_are_refused():
    with pytest.raises(ArgumentError, match=r"two known points.* 0 of 7 are"):
        extended_curve(made(N, 1 + 1 / N, 1000, np.nan))


@pytest.mark.parametrize(("value", "text"), [(7.4, "7"), (99.6, "100"), (3449, "3,400"), (123_456, "120,000")])
def test_numbers_for_people(value, text):
    assert thousands(value) == text


def test_sizes_end_at_one_and_a_half_times_the_rows():
    assert default_sizes(1001)[[0, -1]].tolist() == [20, 1501]
    assert default_sizes(15)[0] == 10


def test_the_answer_is_its_sentence():
    assert str(NeededRows(1.0, 2.0, 1.0, 3.0, True, False, "words")) == "words"
