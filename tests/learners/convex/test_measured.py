"""What a fit is measured by: each observable from the rows it belongs to, and none that was not asked for or has no meaning."""

from types import SimpleNamespace

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.learners.convex.measured import measure_convex
from gaussequiv.samples import empirical
from gaussequiv.samples.measured_rows import MeasuredRows

RNG = np.random.default_rng(0)
TRAIN, TRAIN_Y, COEFFICIENTS = RNG.standard_normal((20, 4)), np.sign(RNG.standard_normal(20)), RNG.standard_normal(4)
Y, FIELD, CENTRED = np.sign(RNG.standard_normal(300)), RNG.standard_normal(300) + 0.4, RNG.standard_normal((6, 4))
GRIDS = {"margin": np.array([-0.3, 0.8]), "probability": np.array([0.3, 0.6])}


def measured(learner, lam=0.3, channel=None, grids=GRIDS, centred=CENTRED):
    class Fit(SimpleNamespace):
        def __call__(self, rows):
            return rows @ COEFFICIENTS + 0.25

    rows = MeasuredRows(Sign(0.2) if channel is None else channel, Y, FIELD, TRAIN, TRAIN_Y, None, centred, grids)
    return measure_convex(learner, Fit(loss=learner.loss, lam=lam), rows)


def test_every_observable_from_its_own_rows():
    learner = ge.ERM("logistic", 0.3, class_weight={1: 2.0, -1: 0.5})
    out, z = measured(learner), TRAIN @ COEFFICIENTS + 0.25
    weight, loss = np.where(TRAIN_Y > 0, 2.0, 0.5), learner.loss
    assert out["train_loss"] == pytest.approx(np.mean(weight * np.log1p(np.exp(-TRAIN_Y * z))), rel=1e-12)
    assert out["test_loss"] == out["log_loss"] == pytest.approx(np.mean(np.log1p(np.exp(-Y * FIELD))), rel=1e-12)
    assert out["intercept"] == pytest.approx(FIELD.mean())
    assert out["V"] == pytest.approx(empirical.susceptibility(loss, 0.3, TRAIN, TRAIN_Y, z, weight, CENTRED), rel=1e-12)
    np.testing.assert_allclose(out["test_margin_cdf"], [np.mean(t >= Y * FIELD) for t in GRIDS["margin"]])
    np.testing.assert_allclose(out["train_margin_cdf"], [np.mean(t >= TRAIN_Y * z) for t in GRIDS["margin"]])
    np.testing.assert_allclose(out["calibration"], empirical.calibration(loss, Y, FIELD, GRIDS["probability"]))
    assert set(out) >= {"auc", "brier", "calibration_error"}


def test_nothing_without_a_meaning():
    logistic = ge.ERM("logistic", 0.3)
    assert "V" not in measured(logistic, lam=0.0) and "V" not in measured(logistic, centred=np.zeros((0, 4)))
    assert "V" not in measured(ge.ERM("logistic", 0.3, "elastic_net:0.5"))
    assert not {"test_margin_cdf", "train_margin_cdf", "calibration"} & set(measured(logistic, grids={}))
    hinge = measured(ge.ERM("hinge", 0.3))
    assert "calibration" not in hinge and "test_margin_cdf" in hinge and "brier" not in hinge
    assert set(measured(ge.ERM("square", 0.3), channel=GaussianNoise(0.1), grids={})) == {"test_loss", "train_loss", "intercept", "V"}
