"""Observables measured on rows, against direct definitions."""

import numpy as np
import pytest
from scipy import special
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.ingredients.losses import named as losses
from gaussequiv.ingredients.losses.custom import CustomLoss
from gaussequiv.samples import empirical


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    z = rng.standard_normal(4000)
    y = np.where(0.8 * z + rng.standard_normal(4000) > 0, 1.0, -1.0)
    return y, z


def test_scores_are_those_of_scikit_learn(rows):
    y, z = rows
    out = empirical.fresh_scores(losses.get("logistic"), Sign(), y, z)
    p = special.expit(z)
    assert out["auc"] == pytest.approx(roc_auc_score(y > 0, z), rel=1e-12)
    assert out["log_loss"] == pytest.approx(log_loss(y > 0, p), rel=1e-12)
    assert out["brier"] == pytest.approx(brier_score_loss(y > 0, p), rel=1e-12)


def test_the_fitted_probability_finds_the_true_probit(rows):
    """Two parameters from 4000 labels: the mean error is about sqrt(2/4000) times the density, below 0.02."""
    y, z = rows
    fitted = empirical.fitted_probability(Sign(), y, z)
    assert np.mean(np.abs(fitted - special.ndtr(0.8 * z))) < 0.02


def test_the_calibration_curve_finds_the_true_probit(rows):
    y, z = rows
    p = np.array([0.2, 0.5, 0.8])
    found = empirical.calibration(losses.get("logistic"), y, z, p)
    np.testing.assert_allclose(found, special.ndtr(0.8 * special.logit(p)), atol=0.05)


def test_the_calibration_curve_is_a_local_straight_line(rows):
    """Weighted least squares of 1(y = +1) on z around every point, weights of a Gaussian of width 0.2 std(z)."""
    y, z = rows[0][:300], 1.7 * rows[1][:300]
    p = np.array([0.1, 0.5, 0.8])
    exact = []
    for centre in special.logit(p):
        u = z - centre
        line = np.polynomial.polynomial.polyfit(u, y > 0, 1, w=np.exp(-0.25 * (u / (0.2 * np.std(z))) ** 2))
        exact.append(line[0])
    # the inverse of the loss's probability is interpolated on a grid of step 0.01
    np.testing.assert_allclose(empirical.calibration(losses.get("logistic"), y, z, p), exact, rtol=1e-4)
    assert np.isnan(empirical.calibration(losses.get("logistic"), y, z, np.array([1 - 1e-12]))[0])


@pytest.mark.parametrize("name", ["square", "logistic", "huber:0.5"])
def test_susceptibility_is_the_inverse_hessian(name):
    rng = np.random.default_rng(1)
    v, y, fresh = rng.standard_normal((30, 12)), np.sign(rng.standard_normal(30)), rng.standard_normal((7, 12))
    loss, z = losses.get(name), rng.standard_normal(30)
    H = v.T @ (loss.curvature(y, z)[:, None] * v) / 12 + 0.3 * np.eye(12)
    expected = np.mean(np.einsum("kp,pq,kq->k", fresh, np.linalg.inv(H), fresh)) / 12
    assert empirical.susceptibility(loss, 0.3, v, y, z, None, fresh) == pytest.approx(expected, rel=1e-10)


def test_rows_on_a_kink_have_infinite_curvature():
    """The limit of a steep quadratic at the rows held on the hinge's kink."""
    rng = np.random.default_rng(2)
    v, y, fresh = rng.standard_normal((30, 12)), np.sign(rng.standard_normal(30)), rng.standard_normal((7, 12))
    z = rng.standard_normal(30)
    z[:5] = y[:5]
    H = v[:5].T @ v[:5] * 1e9 / 12 + 0.3 * np.eye(12)
    expected = np.mean(np.einsum("kp,pq,kq->k", fresh, np.linalg.inv(H), fresh)) / 12
    assert empirical.susceptibility(losses.get("hinge"), 0.3, v, y, z, None, fresh) == pytest.approx(expected, rel=1e-6)


def test_margins_count_atoms_whole():
    y, z = np.ones(4), np.array([-1.0, 1.0 - 1e-12, 1.0 + 1e-12, 2.0])
    np.testing.assert_allclose(empirical.margin_cdf(y, z, np.array([0.0, 1.0, 3.0])), [0.25, 0.75, 1.0])


def test_more_rows_on_a_kink_than_dimensions_leave_no_response():
    rng = np.random.default_rng(3)
    v, y, fresh = rng.standard_normal((30, 12)), np.sign(rng.standard_normal(30)), rng.standard_normal((7, 12))
    assert empirical.susceptibility(losses.get("hinge"), 0.3, v, y, y, None, fresh) == pytest.approx(0, abs=1e-12)


def test_weights_of_rows_and_curvature_beside_a_kink():
    """A loss with a kink and a curvature everywhere: rows on the kink leave no response along them, the others count by weight."""
    rng = np.random.default_rng(4)
    v, fresh, weight = rng.standard_normal((30, 12)), rng.standard_normal((7, 12)), rng.uniform(0.2, 3, 30)
    loss = CustomLoss(
        lambda r: abs(r) + 0.5 * r**2, "residual", kinks=(0.0,), slope=lambda r: np.sign(r) + r, curvature=lambda r: 0 * r + 1
    )
    y, z = rng.standard_normal(30), rng.standard_normal(30)
    z[:5] = y[:5]
    H = v.T @ (np.where(np.arange(30) < 5, 1e10, weight)[:, None] * v) / 12 + 0.3 * np.eye(12)
    expected = np.mean(np.einsum("kp,pq,kq->k", fresh, np.linalg.inv(H), fresh)) / 12
    assert empirical.susceptibility(loss, 0.3, v, y, z, weight, fresh) == pytest.approx(expected, rel=1e-6)


def test_labels_of_one_kind_have_no_ranking():
    z = np.array([0.3, -1.0, 2.0])
    for y in (np.ones(3), -np.ones(3)):
        assert np.isnan(empirical.fresh_scores(losses.get("hinge"), Sign(), y, z)["auc"])
    one = empirical.fresh_scores(losses.get("hinge"), Sign(), np.array([1.0, -1.0, -1.0]), z)
    assert one == pytest.approx({"auc": 0.5, "test_loss": (0.7 + 0.0 + 3.0) / 3})


def test_the_calibration_error_is_the_distance_to_the_fitted_probability(rows):
    y, z = rows
    said = special.expit(0.3 + z)
    found = empirical.label_scores(Sign(), y, z, said)
    assert found["calibration_error"] == pytest.approx(np.mean(np.abs(said - empirical.fitted_probability(Sign(), y, z))), rel=1e-12)
    assert "brier" not in empirical.label_scores(Sign(), y, z, None)


def test_the_fit_is_a_stationary_point_of_the_likelihood(rows):
    """d/da and d/db of the mean log probability vanish, whatever the scale of the scores."""
    y, z = rows
    for scale in (1.0, 50.0):
        p = empirical.fitted_probability(Sign(), y, 0.4 + scale * z)
        argument = special.ndtri(p)
        slope = y * np.exp(-(argument**2) / 2) / np.where(y > 0, p, 1 - p)
        assert abs(np.mean(slope)) < 1e-4
        assert abs(np.mean(slope * z)) < 1e-4


def test_means_of_losses_and_names():
    y, z, weight = np.array([1.0, -1.0]), np.array([0.5, 0.5]), np.array([2.0, 0.5])
    assert empirical.mean_loss(losses.get("hinge"), y, z, None) == 1.0
    assert empirical.mean_loss(losses.get("hinge"), y, z, weight) == pytest.approx((2 * 0.5 + 0.5 * 1.5) / 2)
    assert "auc" not in empirical.measured_names(losses.get("square"), "regression")
    assert "brier" in empirical.measured_names(losses.get("logistic"), "classification")
    assert "brier" not in empirical.measured_names(losses.get("hinge"), "classification")
    assert set(empirical.fresh_scores(losses.get("square"), GaussianNoise(0.1), y, z)) == {"test_loss"}


def test_names_in_full():
    both = ("test_loss", "train_loss", "intercept", "V")
    assert empirical.measured_names(losses.get("square"), "regression") == both
    assert empirical.measured_names(losses.get("hinge"), "classification") == (*both, "auc")
    assert set(empirical.measured_names(losses.get("logistic"), "classification")) == {
        *both,
        "auc",
        "log_loss",
        "brier",
        "calibration_error",
    }
