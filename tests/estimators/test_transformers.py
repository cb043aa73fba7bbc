"""Fixed transformers are maps, learned ones are paid for or named, those fitted to labels are refused."""

import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import SelectFromModel, SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.linear_model import Lasso, Ridge, RidgeClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer, PolynomialFeatures, QuantileTransformer, StandardScaler, TargetEncoder
from sklearn.random_projection import GaussianRandomProjection

from gaussequiv.errors import AccuracyWarning, ArgumentError
from gaussequiv.estimators.curves import refit_curve, theory_curve
from gaussequiv.estimators.feature_maps import ConvolutionalFeatures, DeepRandomFeatures
from gaussequiv.estimators.transformers import LearnedCost, cost_caveat, kind_of, steps_of, with_costs
from gaussequiv.numerics.status import Status

RNG = np.random.default_rng(0)
X = RNG.standard_normal((300, 9))
Y = X[:, 0] + X[:, 1] ** 2 + RNG.standard_normal(300)


class MeanByLabel(TransformerMixin, BaseEstimator):
    """Adds a column that is fitted to the labels, and says so nowhere."""

    def fit(self, X, y=None):
        self.direction_ = X.T @ (y - np.mean(y))
        return self

    def transform(self, X):
        return np.column_stack([X, X @ self.direction_])


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (Normalizer(), "fixed"),
        (FunctionTransformer(np.tanh), "fixed"),
        (PolynomialFeatures(2), "fixed"),
        (RBFSampler(n_components=20, gamma=1.0), "fixed"),
        (GaussianRandomProjection(4), "fixed"),
        (DeepRandomFeatures(20), "fixed"),
        (ConvolutionalFeatures((3, 3), cells=1), "fixed"),
        (FrozenEstimator(SelectKBest(k=2).fit(X, Y > 1)), "fixed"),
        (FeatureUnion([("a", Normalizer()), ("b", PolynomialFeatures(2))]), "fixed"),
        (StandardScaler(), "learned"),
        (PCA(2), "learned"),
        (TruncatedSVD(2), "learned"),
        (QuantileTransformer(n_quantiles=5), "learned"),
        (Nystroem(n_components=5), "learned"),
        (make_column_transformer((StandardScaler(), [0, 1]), remainder="passthrough"), "learned"),
        (SelectKBest(k=2), "supervised"),
        (SelectFromModel(Lasso(0.1)), "supervised"),
        (TargetEncoder(), "supervised"),
        (LinearDiscriminantAnalysis(), "supervised"),
        (make_column_transformer((SelectKBest(k=1), [0, 1, 2]), remainder="passthrough"), "supervised"),
        (make_pipeline(StandardScaler(), SelectKBest(k=2)), "supervised"),
        (MeanByLabel(), "supervised"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_kinds(step, kind):
    table = np.round(np.abs(X)) if isinstance(step, TargetEncoder) else X
    labels = (Y > 1).astype(int) if kind == "supervised" else Y
    assert kind_of(step, table, labels, 60).name == kind


@pytest.mark.parametrize("step", [SelectKBest(k=2), LinearDiscriminantAnalysis(), MeanByLabel(), SelectKBest(k=2).fit(X, Y > 1)])
def test_transformers_fitted_to_labels_are_refused_with_the_way_out(step):
    name = type(step).__name__
    with pytest.raises(ArgumentError, match=f"fitted to the labels, but {name} is.*refit_curve"):
        theory_curve(make_pipeline(StandardScaler(), step, RidgeClassifier()), X, (Y > 1).astype(int), train_sizes=[50])


def one_factor(rows=400, columns=1000):
    rng = np.random.default_rng(0)
    u = rng.standard_normal(rows)
    x = rng.standard_normal((rows, columns))
    x[:, :40] += 0.9 * u[:, None]
    return x, 2 * u + 0.3 * rng.standard_normal(rows)


@pytest.mark.parametrize("step", [PCA(5, random_state=0), StandardScaler()])
def test_learned_transformers_cost_what_refits_of_the_whole_say(step):
    """PCA from 20 rows of 1,000 columns: six times the error with components of all 400."""
    x, y = one_factor()
    model, sizes = make_pipeline(step, Ridge(1.0)), [20, 40, 80, 160, 400]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = theory_curve(model, x, y, train_sizes=sizes)
    refits = refit_curve(model, x, y, train_sizes=sizes[:-1], repeats=32, random_state=5)
    error = np.hypot(found.test_error_stderr.values[:-1], refits.refit_error_stderr.values)
    assert np.all(np.abs(found.test_error.values[:-1] - refits.refit_error.values) < 4 * error)
    assert np.all(error < 0.15 * refits.refit_error.values)
    said = " ".join(str(w.message) for w in caught)
    assert ("PCA: learned from the rows" in said) == isinstance(step, PCA)
    assert (found.status.values[-1] == Status.nonfinite) == isinstance(step, PCA)


def test_scalers_on_many_rows_are_silent():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scaled = theory_curve(make_pipeline(StandardScaler(), Ridge(1.0)), X, Y, train_sizes=[100, 200])
        plain = theory_curve(Ridge(1.0), StandardScaler().fit_transform(X), Y, train_sizes=[100, 200])
    assert all(w.category is AccuracyWarning and "learned" not in str(w.message) for w in caught)
    assert scaled.test_error.values == pytest.approx(plain.test_error.values, rel=1e-12)


def test_sizes_at_which_a_transformer_cannot_be_fitted_are_refused():
    with pytest.raises(
        ArgumentError, match="`train_sizes` must be sizes at which the pipeline can be fitted, but PCA could not be fitted to 3 rows"
    ):
        theory_curve(make_pipeline(PCA(5), Ridge()), X, Y, train_sizes=[3, 50])


def test_feature_maps_come_first_and_functions_are_wrapped():
    steps = steps_of(make_pipeline(StandardScaler(), "passthrough", Ridge()), np.tanh)
    assert [type(step).__name__ for step in steps] == ["FunctionTransformer", "StandardScaler"]
    with pytest.raises(ArgumentError, match="features"):
        steps_of(Ridge(), 3)


def test_costs_are_added_and_what_lies_beyond_them_is_not_known():
    sizes = np.array([10, 50, 100])
    points = {"test_error": np.ones(3), "test_error_stderr": np.full(3, 0.3), "status": np.zeros(3)}
    small, large, less = LearnedCost(10, 0.01, 0.01, 1.0), LearnedCost(10, 2.0, 0.4, 1.0), LearnedCost(50, 0.5, 0.1, 1.0)
    assert small.negligible and cost_caveat(["PCA"], [small], sizes, 110) == ""
    assert with_costs(points, sizes, [small])["test_error"].tolist() == [1, 1, 1]
    found = with_costs(points, sizes, [large, less])
    assert found["test_error"][:2].tolist() == [3.0, 1.5] and found["test_error_stderr"][0] == pytest.approx(0.5)
    assert np.isnan(found["test_error"][2]) and found["status"].tolist() == [0, 0, Status.nonfinite]
    said = cost_caveat(["PCA"], [large, less], sizes, 110)
    assert "+200% (40)" in said and "2 of 3 points" in said and "at n = 50 it is +50%, so that larger sizes are not known" in said
    found = with_costs(points, sizes, [large, LearnedCost(50, 0.01, 0.01, 1.0)])
    assert found["test_error"].tolist() == [3.0, 1.0, 1.0]
