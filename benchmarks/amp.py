"""Message passing: a step beside its two matrix-vector products, and the estimators beside scikit-learn's, in the same run.

``python -m benchmarks.amp [scalar|vector]`` runs n = 40,000 rows of d = 20,000 inputs once and prints time, peak memory and error.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.linear_model import BayesianRidge, LogisticRegression, LogisticRegressionCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import gaussequiv as ge
from benchmarks.measure import Row, medians, peak_bytes
from gaussequiv.algorithms.message_passing.gamp import GAMP
from gaussequiv.estimators.amp import AMPClassifier, AMPRegressor
from gaussequiv.ingredients.channels.base import Sign

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
        with threadpool_limits(1):
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


def large(variances: str, n: int = 40_000, d: int = 20_000) -> str:
    """Sign labels with noise 0.1 on dense data of 8 n d bytes: GAMP to its fixed point beside the theory."""
    rng = np.random.default_rng(0)
    z, theta = np.empty((n, d)), rng.standard_normal(d)
    for start in range(0, n, 1000):
        z[start : start + 1000] = rng.standard_normal((min(1000, n - start), d))
    field = np.concatenate([z[start : start + 1000] @ theta for start in range(0, n, 1000)]) / np.sqrt(d)
    y, before = Sign(0.1).sample(rng, field), peak_bytes()
    start = time.perf_counter()
    state, status = GAMP(z, y, np.ones(d), Sign(0.1), 0.0, d, variances=variances).run()
    seconds = time.perf_counter() - start
    fresh = rng.standard_normal((2000, d))
    error = np.mean(np.sign(fresh @ state.a) != Sign(0.1).sample(rng, fresh @ theta / np.sqrt(d)))
    theory = ge.solve(ge.Problem(ge.DeepNetwork((), labels="sign", noise=0.1)), n / d)
    return (
        f"{n} x {d}, {variances} variances: {status.name} in {state.steps} steps, {seconds:.1f} s, peak {peak_bytes() / 1e9:.3f} GB "
        f"(data alone {before / 1e9:.3f} GB), q {float(state.a @ state.a) / d:.5f} (theory {float(theory.q[0]):.5f}), error {error:.4f} "
        f"on 2,000 rows ({float(theory.test_error[0]):.4f})"
    )


if __name__ == "__main__":
    print(large(*sys.argv[1:2] or ["scalar"]))
