"""`curve`: methods agree where they must, jackknife errors are the spread over pools, refusals."""

import numpy as np
import pytest

from gaussequiv.errors import ArgumentError
from gaussequiv.numerics.status import Status
from gaussequiv.realdata import curves
from gaussequiv.realdata.curves import METHODS, LinearStudent, curve, row_weights

SIZES = np.array([40, 90, 150])


def draw(seed, n=150, p=20, classify=False):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p)) * np.geomspace(2, 0.3, p)
    field = x @ np.ones(p) / 4 + 0.7 * rng.standard_normal(n)
    return x, np.where(field > 0.3, 1.0, -1.0) if classify else field


def test_methods_agree_on_gaussian_rows():
    x, y = draw(0, n=600)
    found = {method: curve(x, y, SIZES, LinearStudent(lam=1.0), method=method, groups=0)["test_error"] for method in METHODS}
    assert found["rows"] == pytest.approx(found["moments"], rel=0.02)
    assert found["gaussian"] == pytest.approx(found["moments"], rel=0.03)


@pytest.mark.parametrize(
    ("method", "student"),
    [
        ("moments", LinearStudent()),
        ("rows", LinearStudent("squared_hinge", classify=True)),
        pytest.param("rows", LinearStudent("logistic", classify=True), marks=pytest.mark.slow),
    ],
)
def test_the_jackknife_error_is_the_spread_over_pools(method, student):
    found = [curve(*draw(seed, classify=student.classify), SIZES, student, method=method) for seed in range(24)]
    spread = np.std([one["test_error"] for one in found], axis=0, ddof=1)
    claimed = np.sqrt(np.mean([one["test_error_stderr"] ** 2 for one in found], axis=0))
    assert np.all(claimed > 0.6 * spread) and np.all(claimed < 1.7 * spread)  # 24 pools: 15% each way, and a bias of the jackknife upwards


def test_an_extrapolation_without_a_standard_error_is_not_identified(monkeypatch):
    """A deletion that leaves no prediction: at most the pool's size the value stays, beyond it goes."""
    x, y = draw(0)
    whole = curves._predict

    def fail_on_deletions(rows, labels, sizes, *rest):
        full, states = whole(rows, labels, sizes, *rest)
        if len(rows) < len(x):
            full["test_error"] = np.full(len(sizes), np.nan)
        return full, states

    monkeypatch.setattr(curves, "_predict", fail_on_deletions)
    found = curve(x, y, np.array([100, 150, 160]), LinearStudent(), method="moments")
    assert np.isnan(found["test_error_stderr"]).all()
    assert found["status"].tolist() == [Status.converged, Status.converged, Status.nonfinite]
    assert np.isnan(found["test_error"]).tolist() == [False, False, True]


def test_the_order_of_sizes_does_not_matter():
    x, y = draw(0, classify=True)
    student = LinearStudent("logistic", classify=True)
    one = curve(x, y, SIZES, student, groups=0)["test_error"]
    two = curve(x, y, SIZES[::-1], student, groups=0)["test_error"][::-1]
    assert one == pytest.approx(two, rel=1e-3)


def test_a_penalised_constant_of_a_large_column_is_an_intercept():
    x, y = draw(0, classify=True)
    free = curve(x, y, SIZES, LinearStudent("logistic", classify=True), groups=0)["test_error"]
    large = curve(x, y, SIZES, LinearStudent("logistic", intercept=False, constant=1e3, classify=True), groups=0)["test_error"]
    assert large == pytest.approx(free, rel=0.01)


def test_balanced_weights():
    y = np.array([1.0, -1, -1, -1])
    assert row_weights(y, "balanced").tolist() == [2.0, 2 / 3, 2 / 3, 2 / 3]
    assert row_weights(y, {1: 3.0, -1: 0.5}).tolist() == [3.0, 0.5, 0.5, 0.5]
    assert row_weights(y, None).tolist() == [1.0] * 4


def test_weights_and_mirrored_labels_reach_the_gaussian_method():
    x, y = draw(0, n=400, classify=True)
    student = LinearStudent("logistic", classify=True, class_weight={-1: 1.0, 1: 3.0})
    mirrored = LinearStudent("logistic", classify=True, class_weight={-1: 3.0, 1: 1.0})
    one = curve(x, y, SIZES, student, method="gaussian", groups=0)["test_error"]
    assert curve(x, -y, SIZES, mirrored, method="gaussian", groups=0)["test_error"] == pytest.approx(one, rel=1e-6)


@pytest.mark.parametrize(
    ("student", "method", "text"),
    [
        (LinearStudent(classify=True), "moments", "'rows' or 'gaussian'"),
        (LinearStudent(classify=True, intercept=False, constant=1.0), "gaussian", "penalised"),
        (LinearStudent(classify=True), "row", "Did you mean 'rows'"),
    ],
)
def test_refusals(student, method, text):
    with pytest.raises(ArgumentError, match=text):
        curve(*draw(0, classify=True), SIZES, student, method=method)
