"""`margin_curves`: refits of the real thing, the slower iteration, bands against pools and deletions, its cost, what is not known."""

import time

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from gaussequiv.ingredients.losses import named as losses
from gaussequiv.numerics.status import Status
from gaussequiv.realdata import margin_curves as module
from gaussequiv.realdata.curves import LinearStudent, curve
from gaussequiv.realdata.emulate import EmulatedStudent, emulate
from gaussequiv.realdata.margin_curves import curvatures, margin_curves

SIZES = np.array([40, 120, 240, 400])
STUDENTS = {
    "logistic": (LinearStudent("logistic", 1.0, classify=True), LogisticRegression()),
    "svc": (LinearStudent("squared_hinge", 0.5, False, 1.0, None, True), LinearSVC(max_iter=20_000)),
}


def gaussian(rng, n):
    x = rng.standard_normal((n, 20)) * np.geomspace(2, 0.3, 20)
    return x, np.where(x.sum(axis=1) / 4 + 0.7 * rng.standard_normal(n) > 0.5, 1.0, -1.0)


def uneven(rng, n):
    """Rows of unequal length, most of few columns."""
    x = np.tanh(rng.standard_normal((n, 5)) @ np.random.default_rng(9).standard_normal((5, 30)))
    x *= 1 + 0.5 * np.abs(rng.standard_normal((n, 1)))
    return x, np.where(x[:, :6].sum(axis=1) + rng.standard_normal(n) > 1, 1.0, -1.0)


def wide(rng, n):
    x = rng.standard_normal((n, 150))
    return x, np.where(x[:, 0] + x[:, 1] + 0.7 * rng.standard_normal(n) > 0, 1.0, -1.0)


def refits(model, law, size, repeats=24):
    errors = []
    for seed in range(repeats):
        rng = np.random.default_rng(1000 + seed)
        x, y = law(rng, size)
        fresh, labels = law(rng, 2000)
        errors.append(np.mean(model.fit(x, y).predict(fresh) != labels))
    return np.mean(errors), np.std(errors, ddof=1) / np.sqrt(repeats)


@pytest.mark.parametrize("law", [gaussian, uneven, wide])
@pytest.mark.parametrize("name", STUDENTS)
def test_it_predicts_refits(name, law):
    student, model = STUDENTS[name]
    found = np.array([curve(*law(np.random.default_rng(seed), 400), SIZES[:3], student, groups=0)["test_error"] for seed in range(16)])
    for i, size in enumerate(SIZES[:3]):
        value, error = refits(model, law, size)
        assert abs(found[:, i].mean() - value) < 4 * np.hypot(error, np.std(found[:, i], ddof=1) / 4) + 0.02 * value


@pytest.mark.parametrize("loss", ["logistic", "hinge", "squared_hinge"])
def test_it_repeats_the_slower_iteration(loss):
    x, y = gaussian(np.random.default_rng(3), 500)
    student, weights = EmulatedStudent(losses.get(loss), 1.0, True, True), np.where(y == 1, 2.0, 1.0)
    found = margin_curves(x, y, weights, np.array([50.0, 200.0, 450.0]), student, band=False)
    slow = [emulate(x, y, weights, n, student).test_error for n in (50.0, 200.0, 450.0)]
    assert found.test_error == pytest.approx(slow, rel=0.02) and np.isnan(found.test_error_stderr).all()


@pytest.mark.parametrize("name", STUDENTS)
def test_bands_are_the_spread_over_pools(name):
    found = [curve(*gaussian(np.random.default_rng(seed), 400), SIZES, STUDENTS[name][0]) for seed in range(64)]
    spread = np.std([one["test_error"] for one in found], axis=0, ddof=1)
    claimed = np.sqrt(np.mean([one["test_error_stderr"] ** 2 for one in found], axis=0))
    assert np.all(np.abs(claimed / spread - 1) < 4 / np.sqrt(2 * 64))  # the spread's own error is 9%


def test_bands_are_no_wider_than_those_of_deletions():
    """Deleting a tenth at a time adds what is of second order in a tenth: the band is a little wider, and never much narrower."""
    x, y = gaussian(np.random.default_rng(0), 400)
    student = EmulatedStudent(losses.get("logistic"), 1.0, True, True)
    found = margin_curves(x, y, np.ones(400), SIZES[:3].astype(float), student)
    parts, deleted = np.array_split(np.random.default_rng(0).permutation(400), 20), []
    for part in parts:
        keep = np.setdiff1d(np.arange(400), part)
        deleted.append(margin_curves(x[keep], y[keep], np.ones(380), SIZES[:3].astype(float), student, band=False).test_error)
    grouped = np.sqrt(19 / 20 * np.sum((np.array(deleted) - np.mean(deleted, axis=0)) ** 2, axis=0))
    assert np.all(found.test_error_stderr > 0.5 * grouped) and np.all(found.test_error_stderr < 1.6 * grouped)


@pytest.mark.parametrize("name", STUDENTS)
def test_a_curve_with_its_band_costs_less_than_a_few_refits_of_each_size(name):
    """Measured: a tenth of 20 refits; here less than half of them, on one table, in processor time."""
    student, model = STUDENTS[name]
    x, y = gaussian(np.random.default_rng(0), 1500)
    sizes = np.array([75, 150, 490, 825, 1350])
    start = time.process_time()
    steps = curve(x, y, sizes, student)["steps"]
    spent = time.process_time() - start
    start = time.process_time()
    for size in np.repeat(sizes, 5):
        model.fit(x[:size], y[:size]).predict(x[size:])
    assert spent < 0.5 * 4 * (time.process_time() - start)
    assert np.all(steps < 20)


def test_the_weights_of_many_rows_come_from_some_of_them(monkeypatch):
    x, y = gaussian(np.random.default_rng(0), 3000)
    student = EmulatedStudent(losses.get("logistic"), 1.0, True, True)
    few = curvatures(x, y, np.ones(3000), student)
    one = margin_curves(x, y, np.ones(3000), np.array([200.0, 1500.0]), student)
    monkeypatch.setattr(module, "FEWEST", 3000)
    all_rows = curvatures(x, y, np.ones(3000), student)
    two = margin_curves(x, y, np.ones(3000), np.array([200.0, 1500.0]), student)
    assert np.corrcoef(np.log(few), np.log(all_rows))[0, 1] > 0.95
    assert one.test_error == pytest.approx(two.test_error, rel=5e-3)
    assert one.test_error_stderr == pytest.approx(two.test_error_stderr, rel=0.1)


def test_a_point_does_not_hang_on_other_points():
    x, y = gaussian(np.random.default_rng(0), 400)
    whole = curve(x, y, SIZES, STUDENTS["logistic"][0])
    for i, size in enumerate(SIZES):
        alone = curve(x, y, np.array([size]), STUDENTS["logistic"][0])
        for name, values in whole.items():
            assert alone[name][0] == pytest.approx(values[i], rel=1e-6), name


def test_what_is_not_known_has_a_status():
    x, _ = gaussian(np.random.default_rng(0), 300)
    separable = np.where(x[:, 0] > 0, 1.0, -1.0)
    student = EmulatedStudent(losses.get("logistic"), 0.0, True, True)
    found = margin_curves(x, separable, np.ones(300), np.array([15.0, 150.0, 300.0]), student)
    assert np.all(found.status != Status.converged) and np.isnan(found.test_error).all()
    whole = curve(x, separable, np.array([15, 150, 300]), LinearStudent("logistic", 0.0, classify=True))
    assert np.all(whole["status"] != Status.converged)


def test_one_mistake_beyond_the_pool_says_nothing():
    rng = np.random.default_rng(0)
    y = np.where(np.arange(300) < 150, 1.0, -1.0)
    x = rng.standard_normal((300, 5)) + 4 * y[:, None]
    student, sizes = EmulatedStudent(losses.get("logistic"), 1.0, True, True), np.array([300.0, 450.0])
    for wrong, known in ((1, False), (3, True)):
        labels = np.where(np.arange(300) < wrong, -y, y)
        found = margin_curves(x, labels, np.ones(300), sizes, student)
        assert found.test_error[0] == pytest.approx(wrong / 300)
        assert found.status.tolist() == [0, Status.converged if known else Status.nonfinite]
