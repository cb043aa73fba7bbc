"""`AMPRegressor` and `AMPClassifier`: scikit-learn's contract, exact posteriors and evidence, calibration on models and on tables."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import minimize_scalar
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.exceptions import SkipTestWarning
from sklearn.linear_model import BayesianRidge, LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from gaussequiv.errors import ArgumentError, ConvergenceWarning
from gaussequiv.estimators.amp import AMPClassifier, AMPRegressor
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.ingredients.channels.binary import Binary
from gaussequiv.ingredients.channels.counts import Poisson
from gaussequiv.ingredients.channels.outputs import AbsoluteValue, Relu
from gaussequiv.ingredients.priors.named import GaussBernoulli


@pytest.mark.parametrize(
    "estimator", [AMPRegressor(), AMPClassifier(), pytest.param(AMPRegressor(algorithm="gamp"), marks=pytest.mark.slow)]
)
def test_scikit_learns_checks(estimator):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        check_estimator(estimator)


def standardised(X):
    return (X - X.mean(axis=0)) / X.std(axis=0)


def test_gaussian_regression_is_the_exact_posterior_at_given_variances():
    X, y = load_diabetes(return_X_y=True)
    model = AMPRegressor(noise_variance=3000.0, signal_variance=2000.0).fit(X, y)
    Z, v = standardised(X), 2000.0 / X.shape[1]
    covariance = np.linalg.inv(Z.T @ Z / 3000 + np.eye(10) / v)
    w = covariance @ Z.T @ (y - y.mean()) / 3000
    mean, std = model.predict(X, return_std=True)
    assert mean == pytest.approx(y.mean() + Z @ w, rel=1e-9)
    assert std == pytest.approx(np.sqrt(3000 + np.einsum("ij,jk,ik->i", Z, covariance, Z)), rel=1e-9)
    assert model.coef_ == pytest.approx(w / X.std(axis=0), rel=1e-8)
    assert X @ model.coef_ + model.intercept_ == pytest.approx(mean)
    assert model.degrees_of_freedom_ == pytest.approx(np.trace(Z.T @ Z @ covariance) / 3000, rel=1e-9)


def log_evidence(Z, y, noise, v):
    """Log-density of centred y, up to a constant: n - 1 contrasts of N(0, noise + v ZZ')."""
    s2 = np.linalg.eigvalsh(Z.T @ Z)
    u = Z.T @ y
    quad = (y @ y - v * u @ np.linalg.solve(noise * np.eye(len(s2)) + v * Z.T @ Z, u)) / noise
    return -0.5 * (quad + np.log1p(v * s2 / noise).sum() + (len(y) - 1) * np.log(noise))


def test_learned_variances_maximise_the_exact_evidence():
    X, y = load_diabetes(return_X_y=True)
    model = AMPRegressor(tol=1e-8).fit(X, y)
    Z, target, v = standardised(X), y - y.mean(), model.signal_variance_ / 10
    best = log_evidence(Z, target, model.noise_variance_, v)
    for factor in (0.9, 1.1):
        assert log_evidence(Z, target, factor * model.noise_variance_, v) < best
        assert log_evidence(Z, target, model.noise_variance_, factor * v) < best
    reference = BayesianRidge(tol=1e-8).fit(Z, y)
    assert model.noise_variance_ == pytest.approx(1 / reference.alpha_, rel=5e-3)  # it counts n where the intercept leaves n - 1
    assert model.predict(X) == pytest.approx(reference.predict(Z), rel=1e-3)


def test_the_learned_scale_of_a_sparse_prior_maximises_the_exact_evidence():
    """Orthogonal columns: posterior and evidence factorise, so that the best scale is found by a search on the exact evidence."""
    rng = np.random.default_rng(0)
    n, d, noise = 400, 100, 0.5
    Z = np.linalg.qr(rng.standard_normal((n, d + 1)) - 0.0)[0]
    Z = np.linalg.qr(np.column_stack([np.ones(n), Z[:, :d]]))[0][:, 1:] * np.sqrt(n)  # centred, of unit variance
    prior = GaussBernoulli(0.2)
    y = Z @ (0.3 * prior.sample(rng, d)) + np.sqrt(noise) * rng.standard_normal(n)
    model = AMPRegressor(prior=prior, noise_variance=noise).fit(Z, y)
    b, A = Z.T @ (y - y.mean()) / noise, n / noise

    def loss(log_scale):
        scale = np.exp(log_scale)
        return -float(prior.posterior(A * scale**2, b * scale).log_partition.sum())

    best = np.exp(minimize_scalar(loss, bounds=(-4, 2), method="bounded", options={"xatol": 1e-8}).x)
    learned = np.sqrt(model.signal_variance_ / d / prior.second_moment)
    assert learned == pytest.approx(best, rel=2e-3)
    assert model.coef_ == pytest.approx(best * prior.posterior(A * best**2, b * best).mean, rel=2e-2, abs=1e-3)


@pytest.mark.parametrize("algorithm", ["vamp", "gamp"])
def test_noise_and_signal_are_found_on_a_model(algorithm):
    """16 draws: mean within 4 standard errors of the truth, up to the 1/n of an evidence maximum."""
    noise, signal = [], []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        X, w = rng.standard_normal((400, 150)), rng.standard_normal(150)
        y = 1.0 + X @ w * np.sqrt(2.0 / (w @ w)) + np.sqrt(0.7) * rng.standard_normal(400)
        model = AMPRegressor(algorithm=algorithm).fit(X, y)
        noise.append(model.noise_variance_)
        signal.append(model.signal_variance_)
    for values, truth in ((noise, 0.7), (signal, 2.0)):
        assert abs(np.mean(values) - truth) < 4 * np.std(values, ddof=1) / 4 + 0.02 * truth


@pytest.mark.parametrize(("prior", "d"), [("gaussian", 150), ("gauss-bernoulli:0.2", 300)])
def test_predictive_intervals_cover(prior, d):
    """90% intervals on fresh rows of 16 draws; given the weights, rows of one draw are correlated, so the error is over draws."""
    covered = []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        X, w = rng.standard_normal((1400, d)), rng.standard_normal(d)
        w = w * (rng.random(d) < 0.2) if prior != "gaussian" else w
        y = X @ w / np.sqrt(d) + 0.3 * rng.standard_normal(1400)
        mean, std = AMPRegressor(prior=prior).fit(X[:400], y[:400]).predict(X[400:], return_std=True)
        covered.append(np.mean(np.abs(y[400:] - mean) < 1.6449 * std))
    assert abs(np.mean(covered) - 0.9) < 4 * np.std(covered, ddof=1) / 4 + 0.005


def calibration_error(p, hit, bins=10):
    at = np.clip((p * bins).astype(int), 0, bins - 1)
    return sum(abs(np.sum(p[at == k]) - np.sum(hit[at == k])) for k in range(bins)) / len(p)


@pytest.mark.parametrize("prior", ["gaussian", "rademacher"])
def test_probabilities_are_calibrated_on_a_model(prior):
    """Pooled over 16 draws of n = 2 d rows, where plain logistic regression is far off."""
    p, plain, hit = [], [], []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        d, n = 100, 200
        X, w = rng.standard_normal((n + 1000, d)), rng.standard_normal(d)
        w = np.sign(w) if prior == "rademacher" else w
        y = Sign(0.2).sample(rng, X @ w / np.sqrt(d))
        p.append(AMPClassifier(prior=prior).fit(X[:n], y[:n]).predict_proba(X[n:])[:, 1])
        plain.append(LogisticRegression(C=np.inf, max_iter=1000).fit(X[:n], y[:n]).predict_proba(X[n:])[:, 1])
        hit.append(y[n:] > 0)
    p, plain, hit = (np.concatenate(part) for part in (p, plain, hit))
    assert calibration_error(p, hit) < 0.03
    assert calibration_error(plain, hit) > 0.1


def test_flipped_labels_bound_the_probabilities():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 5))
    channel = Binary("sign", 1.0, 0.1)
    y = channel.sample(rng, 3 * X[:, 0])
    model = AMPClassifier(channel).fit(X, y)
    p = model.predict_proba(X)[:, 1]
    assert p.min() > 0.1 and p.max() < 0.9
    assert calibration_error(p, y > 0) < 0.03
    assert model.signal_variance_[0] == pytest.approx(9.0, rel=0.5)


@pytest.mark.parametrize("channel", ["probit", "logit"])
def test_breast_cancer(channel):
    """Out of sample without any tuning: as good as logistic regression at its default penalty on standardised columns, and calibrated."""
    X, y = load_breast_cancer(return_X_y=True)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    p = cross_val_predict(AMPClassifier(channel), X, y, cv=folds, method="predict_proba")
    reference = cross_val_predict(make_pipeline(StandardScaler(), LogisticRegression()), X, y, cv=folds, method="predict_proba")
    assert log_loss(y, p) < 1.15 * log_loss(y, reference)
    assert np.mean(p.argmax(axis=1) == y) > 0.965
    assert calibration_error(p[:, 1], y) < 0.03


def test_ten_digits():
    X, y = load_digits(return_X_y=True)
    X, y, rest, truth = X[:400], y[:400], X[400:], y[400:]
    model = AMPClassifier().fit(X, y)
    reference = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    p = model.predict_proba(rest)
    assert p.shape == (len(rest), 10) and p.sum(axis=1) == pytest.approx(1.0)
    assert log_loss(truth, p) < 1.1 * log_loss(truth, reference.predict_proba(rest))
    assert np.array_equal(model.predict(rest), p.argmax(axis=1))
    assert model.coef_.shape == (10, 64)


def test_diabetes_intervals_cover():
    X, y = load_diabetes(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    train, test = order[:300], order[300:]
    mean, std = AMPRegressor().fit(X[train], y[train]).predict(X[test], return_std=True)
    assert abs(np.mean(np.abs(y[test] - mean) < 1.6449 * std) - 0.9) < 4 * np.sqrt(0.09 / len(test))


@pytest.mark.parametrize(("channel", "name"), [(Poisson(), "counts"), (Relu(0.1), "relu")])
def test_other_channels_predict_means_and_deviations(channel, name):
    z_scores = []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((600, 20))
        y = channel.sample(rng, 0.5 + X @ rng.standard_normal(20) * 0.8 / np.sqrt(20))
        model = AMPRegressor(channel).fit(X[:200], y[:200])
        mean, std = model.predict(X[200:], return_std=True)
        assert model.predict(X[200:]) == pytest.approx(mean)
        z_scores.append(np.mean(((y[200:] - mean) / std) ** 2))
    assert abs(np.mean(z_scores) - 1) < 4 * np.std(z_scores, ddof=1) / 4 + 0.02, name


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("algorithm", ["vamp", "gamp"])
@pytest.mark.parametrize("intercept", [False, True])
def test_even_labels_are_learned_in_any_units(algorithm, noise, intercept):
    for scale in (0.1, 1.0, 10.0):
        rng = np.random.default_rng(0)
        X, w = rng.standard_normal((400, 50)), scale * rng.standard_normal(50) / np.sqrt(50)
        channel = AbsoluteValue(noise * scale**2)
        y = channel.sample(rng, X @ w)
        model = AMPRegressor(channel, fit_intercept=intercept, algorithm=algorithm, random_state=0).fit(X, y)
        assert model.status_ == "converged"
        assert min(np.mean((model.coef_ - s * w) ** 2) for s in (-1, 1)) < 0.02 * np.mean(w**2)
        assert model.signal_variance_ == pytest.approx(w @ w, rel=0.2)
        std = model.predict(X, return_std=True)[1]
        assert np.mean(std**2) == pytest.approx(channel.noise, rel=0.5, abs=1e-4 * scale**2)


@pytest.mark.parametrize("algorithm", ["vamp", "gamp"])
def test_the_constant_of_large_counts_is_found(algorithm):
    for constant in (3.0, 6.0):
        rng = np.random.default_rng(0)
        X, w = rng.standard_normal((200, 10)), rng.standard_normal(10) / 3
        model = AMPRegressor(Poisson(), algorithm=algorithm).fit(X, Poisson().sample(rng, X @ w + constant))
        assert model.status_ == "converged"
        assert model.intercept_ == pytest.approx(constant, abs=0.1)
        assert model.coef_ == pytest.approx(w, abs=0.1)


@pytest.mark.parametrize("shape", [(80, 30), (30, 80)])
@pytest.mark.parametrize("algorithm", ["vamp", "gamp"])
def test_sparse_columns_give_the_same(shape, algorithm):
    rng = np.random.default_rng(0)
    X = rng.standard_normal(shape) * (rng.random(shape) < 0.3)
    y = X[:, :5].sum(axis=1) + 0.5 * rng.standard_normal(shape[0])
    options = {"algorithm": algorithm, "noise_variance": 0.3, "signal_variance": 4.0, "max_iter": 5000}
    dense, other = (AMPRegressor(**options).fit(x, y) for x in (X, sparse.csr_matrix(X)))
    assert dense.status_ == other.status_ == "converged"
    for one, two in zip(dense.predict(X, return_std=True), other.predict(sparse.csr_matrix(X), return_std=True), strict=True):
        assert one == pytest.approx(two, rel=1e-6)


def test_degenerate_tables():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.standard_normal(30), np.full(30, 7.0)])
    model = AMPRegressor().fit(X, np.full(30, 2.0))
    mean, std = model.predict(X, return_std=True)
    assert mean == pytest.approx(2.0) and std == pytest.approx(0.0, abs=1e-6)
    assert AMPRegressor().fit(X, X[:, 0]).coef_ == pytest.approx([1.0, 0.0], abs=1e-3)
    separable = AMPClassifier().fit(X, X[:, 0] > 0)
    assert separable.status_ == "converged" and np.mean(separable.predict(X) == (X[:, 0] > 0)) > 0.95
    noise = AMPClassifier().fit(rng.standard_normal((100, 5)), rng.random(100) < 0.5)
    assert np.max(np.abs(noise.predict_proba(rng.standard_normal((50, 5))) - 0.5)) < 0.35


def test_units_do_not_matter():
    X, y = load_diabetes(return_X_y=True)
    one, two = AMPRegressor().fit(X, y), AMPRegressor().fit(1e4 * X + 1e6, 1e-3 * y - 5)
    assert two.predict(1e4 * X + 1e6) == pytest.approx(1e-3 * one.predict(X) - 5, rel=1e-4)


def test_without_intercept_and_scaling():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 3)) * [1, 2, 3]
    y = X @ [1.0, 1.0, 1.0] + rng.standard_normal(100)
    model = AMPRegressor(fit_intercept=False, standardize=False, noise_variance=1.0, signal_variance=14.0).fit(X, y)
    v = 14.0 / np.mean(np.sum(X**2, axis=1))
    assert model.intercept_ == 0.0
    assert model.coef_ == pytest.approx(np.linalg.solve(X.T @ X + np.eye(3) / v, X.T @ y), rel=1e-9)


def test_running_out_of_steps_warns():
    X, y = load_breast_cancer(return_X_y=True)
    with pytest.warns(ConvergenceWarning, match="did not converge in 5 steps"):
        model = AMPClassifier(max_iter=5).fit(X, y)
    assert model.status_ == "max_steps" and model.n_iter_ == 5


def test_refusals():
    X, y = np.eye(6), np.arange(6.0)
    for model, name in (
        (AMPRegressor("probit"), "channel"),
        (AMPRegressor(Sign(0.1)), "channel"),
        (AMPRegressor(prior="cauchy"), "prior"),
        (AMPRegressor(noise_variance=-1.0), "noise_variance"),
        (AMPRegressor(noise_variance="learn"), "noise_variance"),
        (AMPRegressor(Relu(0.01), noise_variance=5.0), "noise_variance"),
        (AMPRegressor(signal_variance="learn"), "signal_variance"),
        (AMPRegressor(algorithm="ep"), "algorithm"),
        (AMPClassifier("gaussian"), "channel"),
        (AMPClassifier(GaussianNoise(0.1)), "channel"),
    ):
        with pytest.raises(ArgumentError, match=f"`{name}`"):
            model.fit(X, y if isinstance(model, AMPRegressor) else y > 2)
