"""Message passing: a step beside its two matrix-vector products, and the estimators beside scikit-learn's, in the same run."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.linear_model import BayesianRidge, LogisticRegression, LogisticRegressionCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.measure import Row, medians
from gaussequiv.algorithms.amp import GAMP
from gaussequiv.amp_estimators import AMPClassifier, AMPRegressor
from gaussequiv.ingredients.channels import Sign

N, D = 8000, 4000  # 256 MB: larger than any cache


def _steps() -> list[Row]:
    rng = np.random.default_rng(0)
    z, theta = rng.standard_normal((N, D)), rng.standard_normal(D)
    y = Sign(0.1).sample(rng, z @ theta / np.sqrt(D))

    def products() -> np.ndarray:
        return z.T @ (z @ theta)

    rows = []
    for variances, below in (("scalar", 1.5), ("vector", 3.0)):
        machine = GAMP(z, y, np.ones(D), Sign(0.1), 0.0, D, variances=variances)
        state = machine.step(machine.init())
        mine, theirs = medians(lambda m=machine, s=state: m.step(s), products, rounds=9, calls=1)
        rows.append(Row(f"GAMP step, {variances} variances, {N} x {D} (two products)", mine, reference=theirs, below=below * theirs))
    return rows


def _log_loss(model: object, X: np.ndarray, y: np.ndarray) -> float:
    index = np.searchsorted(np.unique(y), y)
    return float(-np.mean(np.log(model.predict_proba(X)[np.arange(len(y)), index])))


def _estimators() -> list[Row]:
    rows = []
    parity = load_digits(return_X_y=True)
    tables = {"breast cancer": load_breast_cancer(return_X_y=True), "digits, even or odd": (parity[0], parity[1] % 2)}
    for name, (X, y) in tables.items():
        order = np.random.default_rng(0).permutation(len(y))
        train, test = order[::2], order[1::2]
        plain = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        tuned = make_pipeline(
            StandardScaler(),
            LogisticRegressionCV(Cs=10, max_iter=2000, scoring="neg_log_loss", l1_ratios=(0,), use_legacy_attributes=False),
        )
        mine = AMPClassifier()
        for label, other in (("LogisticRegression", plain), ("LogisticRegressionCV", tuned)):
            fast, slow = medians(
                lambda m=mine, X=X, y=y, i=train: m.fit(X[i], y[i]),
                lambda m=other, X=X, y=y, i=train: m.fit(X[i], y[i]),
                rounds=5,
                calls=1,
            )
            gap = _log_loss(mine, X[test], y[test]) - _log_loss(other, X[test], y[test])
            rows.append(Row(f"AMPClassifier fit, {name} ({label}; difference: of log-loss)", fast, reference=slow, difference=gap))
    X, y = load_diabetes(return_X_y=True)
    fast, slow = medians(lambda: AMPRegressor().fit(X, y), lambda: make_pipeline(StandardScaler(), BayesianRidge()).fit(X, y))
    gap = float(np.max(np.abs(AMPRegressor().fit(X, y).predict(X) - make_pipeline(StandardScaler(), BayesianRidge()).fit(X, y).predict(X))))
    rows.append(Row("AMPRegressor fit, diabetes (BayesianRidge)", fast, reference=slow, difference=gap))
    return rows


def run() -> list[Row]:
    """Time all."""
    return _steps() + _estimators()
