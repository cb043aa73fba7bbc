"""`AMPRegressor` and `AMPClassifier` on tables as people have them: pure noise, correlated columns, separable categories."""

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from gaussequiv.estimators.amp import AMPClassifier, AMPRegressor


@pytest.mark.parametrize(("shape", "options"), [((60, 10), {}), ((100, 60), {}), ((60, 10), {"algorithm": "gamp"})])
def test_pure_noise_converges_to_no_signal(shape, options):
    """The evidence is largest without any signal, at the logarithm -inf; warnings are errors here."""
    for seed in range(100):
        rng = np.random.default_rng(seed)
        X, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
        model = AMPRegressor(**options).fit(X, y)
        assert model.status_ == "converged"
        if model.degrees_of_freedom_ < 1e-3:
            assert model.predict(X) == pytest.approx(y.mean(), abs=0.05 * y.std())
            assert model.noise_variance_ == pytest.approx(y.var(), rel=0.05)


def test_a_vanishing_signal_that_returns_is_found():
    """The rule that stops a shrinking scale does not stop a growing one."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 10))
    y = 0.5 * X[:, 0] + rng.standard_normal(400)
    model = AMPRegressor().fit(X, y)
    assert model.degrees_of_freedom_ > 5 and model.coef_[0] == pytest.approx(0.5, abs=0.15)


def test_a_constant_survives_vanishing_noise():
    """More columns than rows whose evidence is largest where they are interpolated: the constant stays the mean."""
    rng = np.random.default_rng(24)
    X, y = rng.standard_normal((40, 80)), rng.standard_normal(40) + 7
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = AMPRegressor().fit(X, y)
    assert model.predict(X).mean() == pytest.approx(y.mean(), abs=1e-6)
    assert 0 < model.noise_variance_ < 2 * y.var()


def lagged(seed, rows=800, base=17):
    """Powers and lags of 17 correlated series: 340 columns, condition number beyond 1e5; labels of some of them."""
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((4, base)) / 2
    drive = rng.standard_normal((rows + 10, 4)) @ mixing + 0.5 * rng.standard_normal((rows + 10, base))
    z = np.zeros_like(drive)
    for t in range(1, len(z)):
        z[t] = 0.9 * z[t - 1] + 0.44 * drive[t]
    columns = [z[9:-1] ** power for power in (1, 2, 3)] + [z[9 - lag : -1 - lag] for lag in range(1, 10)]
    X = np.hstack(columns + [z[9 - lag : -1 - lag] ** 3 for lag in range(1, 9)])
    signal = np.tanh(z[9:-1, :5]).sum(axis=1) + 0.5 * z[7:-3, 3]
    return X, signal / signal.std() + 0.5 * rng.standard_normal(rows)


def test_correlated_columns_are_learned_as_well_as_by_cross_validated_ridge():
    """Six tables of 400 rows and 340 columns, on the same standardised columns: paired, within two standard errors and 2%."""
    off = []
    for seed in range(6):
        X, y = lagged(seed)
        train, test = slice(0, 400), slice(420, None)
        reference = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 5, 33))).fit(X[train], y[train])
        errors = [np.mean((model.predict(X[test]) - y[test]) ** 2) for model in (AMPRegressor().fit(X[train], y[train]), reference)]
        off.append(errors[0] / errors[1] - 1)
    assert np.mean(off) < 0.02 + 2 * np.std(off, ddof=1) / np.sqrt(len(off))


def species(seed, rows=1200, kinds=40, columns=16, levels=6):
    """Species with likely levels of every column, each edible or not: categories that nearly tell, one column for each level."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(kinds, rows, p=rng.dirichlet(np.ones(kinds)))
    likely = rng.dirichlet(np.full(levels, 0.25), (kinds, columns)).cumsum(axis=-1)
    table = (rng.random((rows, columns, 1)) > likely[kind]).sum(axis=-1).clip(max=levels - 1)
    return OneHotEncoder(sparse_output=False).fit_transform(table), (rng.random(kinds) < 0.5)[kind]


def deciding(seed, rows=1000, columns=8, levels=4):
    """Few columns whose levels decide the class without exception: separable rows."""
    rng = np.random.default_rng(seed)
    table = np.stack([rng.choice(levels, rows, p=rng.dirichlet(np.ones(levels))) for _ in range(columns)], axis=1)
    weights = rng.standard_normal((columns, levels)) * (rng.random((columns, 1)) < 0.4)
    score = sum(weights[j, table[:, j]] for j in range(columns))
    return OneHotEncoder(sparse_output=False).fit_transform(table), score > np.median(score)


@pytest.mark.filterwarnings("ignore")  # scikit-learn's own, of fits that do not settle on separable rows
@pytest.mark.parametrize("made", [species, deciding])
def test_categories_are_learned_as_well_as_by_cross_validated_logistic_regression(made):
    """Mean log-loss of four tables."""
    ours, theirs = [], []
    for seed in range(4):
        X, y = made(seed)
        half = len(y) // 2
        p = AMPClassifier("logit", standardize=False).fit(X[:half], y[:half]).predict_proba(X[half:])
        reference = LogisticRegressionCV(Cs=10, max_iter=3000).fit(X[:half], y[:half])
        ours.append(log_loss(y[half:], p))
        theirs.append(log_loss(y[half:], reference.predict_proba(X[half:])))
    assert np.mean(ours) <= np.mean(theirs), (ours, theirs)
