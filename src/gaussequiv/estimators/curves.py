"""The scikit-learn door: learning curves of scikit-learn estimators without refitting, feature maps, and kernels."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.kernel_ridge import KernelRidge
from sklearn.utils import check_random_state

from gaussequiv.curve import Observable
from gaussequiv.errors import AccuracyWarning, ArgumentError, FloatArray, fail, integer
from gaussequiv.estimators.feature_maps import ConvolutionalFeatures as ConvolutionalFeatures  # their path of before
from gaussequiv.estimators.feature_maps import DeepRandomFeatures as DeepRandomFeatures
from gaussequiv.estimators.kernel_columns import kernel_columns
from gaussequiv.estimators.kernel_function import KernelFunction as KernelFunction
from gaussequiv.estimators.refits import split_errors
from gaussequiv.estimators.transformers import (
    TransformerKind,
    cost_caveat,
    kind_of,
    last_step,
    learned_costs,
    steps_of,
    supervised_error,
    whole_pipeline,
    with_costs,
)
from gaussequiv.learners.convex.observables import CONVEX
from gaussequiv.realdata.caveats import caveats
from gaussequiv.realdata.curves import METHODS, LinearStudent
from gaussequiv.realdata.reading import (
    KNOWN,
    TUNED,
    count_rows,
    flattened,
    read_rows,
    read_sizes,
    read_student,
    read_targets,
    read_tuning,
    text_columns,
    text_error,
    weigh_classes,
)
from gaussequiv.realdata.scored import scored_curves
from gaussequiv.realdata.scoring import Scoring, read_scoring
from gaussequiv.realdata.tuned import tuned_curves

if TYPE_CHECKING:
    import xarray as xr


SIZES = {"train_size": Observable("training rows"), "refit_error": Observable("mean test error of refits", "output units")}
TUNING = {
    "tuning_cost": Observable("what choosing the penalty by cross-validation adds to the least error", "output units"),
    "tuned_lam": Observable("geometric mean of the chosen penalties"),
    "unknown_lams": Observable("share of the penalties that these rows do not identify"),
}


def theory_curve(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    train_sizes: ArrayLike = (0.1, 0.325, 0.55, 0.775, 1.0),
    features: Any = None,
    method: str = "rows",
    groups: int = 10,
    random_state: Any = 0,
    scoring: str | None = None,
) -> xr.Dataset:
    """Learning curve of a linear scikit-learn estimator, predicted from one data set without fitting it at any size.

    Parameters
    ----------
    estimator : LinearRegression, Ridge, RidgeCV, RidgeClassifier, RidgeClassifierCV, KernelRidge, LogisticRegression, LogisticRegressionCV
        or LinearSVC, or a Pipeline that ends in one.
        Not fitted here; its hyperparameters are read off it and mean what they mean in scikit-learn, on the features as given. LinearSVC
        (and LogisticRegression with the solver liblinear) penalises its intercept: it is treated as what it is, a penalised constant
        column.
    X : array-like of shape (N, d)
        All rows count: nothing is held out.
    y : array-like of shape (N,)
        Real targets for Ridge and LinearRegression, two classes otherwise. More than two classes give one curve for each class against
        the rest, along a dimension `class`; LogisticRegression itself fits them jointly, so that its own error is another quantity.
    train_sizes : sequence of int or float
        As in `sklearn.model_selection.learning_curve`: whole numbers are sizes, fractions in (0, 1] are fractions of N. Sizes beyond N are
        extrapolations, nan (status `nonfinite`) where N rows do not identify them; beyond 1.5 N they warn.
    features : transformer or callable, optional
        Feature map applied to X first, as it is if fitted. Transformers of a pipeline are cloned, as scikit-learn does (FrozenEstimator
        keeps one as it is). Those that learn from rows are fitted to all rows; what learning them from n rows costs is measured by 16
        pairs of refits, from the smallest size on until it is negligible, and added. Those fitted to labels are refused.
    method : {"rows", "moments", "gaussian"}
        "rows": the rows are read as n of them: square losses from one decomposition of the rows, or one more for each size where rows
        differ much in length (`realdata.square.square_curves`), the others by reweighting (`realdata.emulate.emulate`).
        "moments": Ridge as if all rows were of one length (`realdata.pool.Pool`).
        "gaussian": the learners of this package on the de-biased Gaussian equivalent (`realdata.equivalent.equivalent_from_rows`).
    groups : int
        Groups of the jackknife behind `test_error_stderr`; 0 for no standard errors. Test errors of square losses with "rows" have an
        infinitesimal jackknife, without groups.
    random_state : int, RandomState or None
        Of the jackknife's groups and of the refits of transformers.
    scoring : str, optional
        A score by scikit-learn's name, higher is better: accuracy, balanced_accuracy, f1, recall, roc_auc, average_precision,
        and for LogisticRegression neg_log_loss and neg_brier_score; r2, neg_mean_squared_error and neg_mean_absolute_error for regressions.
        The higher class is the positive one.

    Returns
    -------
    Dataset along train_size (and class)
        test_error (mean squared error, or share of wrong labels), test_error_stderr, status, converged, steps, residual; with `scoring`
        test_score and test_score_stderr in place of the first two. Estimators that tune their penalty choose it at every size as they do:
        tuning_cost, tuned_lam and unknown_lams say what came of it.

    Raises
    ------
    ArgumentError
        For estimators that are not covered, transformers fitted to labels, columns of text, and for a classifier labels that are not
        finite or look continuous.

    Warns
    -----
    AccuracyWarning
        Where points are not known (status not 0), have no standard error or one above 10%, lie close to an interpolation peak, or beyond
        1.5 N.

    Validity: "moments" is a deterministic equivalent, exact for Gaussian rows; "rows" satisfies the exact laws for Gaussian rows and treats
    real ones by an ansatz (Gaussian noise of scores); "gaussian" also assumes a linear teacher behind a probit. Mean over training sets;
    one fit fluctuates about it. Measured against refits (median
    over digits and patches, raw and random features): "rows" 1.7% for Ridge, 2.3% for RidgeClassifier, 2.9% for LogisticRegression, 2.1%
    for LinearSVC; "moments" 2.1%; "gaussian" 3.0%, 18.8% and 15.2% for the first three.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import RidgeClassifier
    >>> X, digit = load_digits(return_X_y=True)
    >>> curve = theory_curve(RidgeClassifier(alpha=100.0), X, digit % 2 == 0, train_sizes=[100, 1000, 2500], groups=0)
    >>> bool(np.all(np.diff(curve.test_error) < 0))
    True
    """
    from gaussequiv.results import dataset

    integer("groups", groups, minimum=0)
    if groups == 1:
        raise fail("groups", "0 or at least 2", groups)
    seed, y = _seed(random_state), flattened(y)
    student = read_student(last_step(estimator))
    score = read_scoring(scoring, classify=student.classify, loss=student.loss)
    targets, classes = read_targets(y, student, count_rows(X))
    student = weigh_classes(student, y, classes)
    sizes = read_sizes(train_sizes, count_rows(X))
    final, rows, learned = prepare(estimator, X, features, y, int(min(sizes[0], len(targets[0]))))
    seen = rows if not isinstance(final, KernelRidge) else kernel_columns(final, rows)
    tuning = read_tuning(final)
    if seen is not rows and method != "rows":
        raise fail("method", "'rows' for KernelRidge", method)
    if tuning is not None and method != "rows":
        raise fail("method", "'rows' for an estimator that tunes its penalty", method)
    if tuning is None:
        found = scored_curves(seen, targets, sizes, student, score, method=method, groups=groups, seed=seed)
    else:
        found = tuned_curves(seen, targets, sizes, student, tuning, score, groups=groups, seed=seed)
    if seen is not rows:  # a row far from all others has a direction almost of its own, which is no rare column
        for one in found:
            one.pop("alone")
    sentences = []
    if learned:
        whole = whole_pipeline(estimator, features)
        for i, one in enumerate(found):
            labels = np.asarray(y) if len(targets) == 1 else targets[i]
            costs = learned_costs(whole, final, X, rows, labels, sizes, student.classify, seed, score)
            found[i] = with_costs(one, sizes, costs)
            sentences.append(cost_caveat(learned, costs, sizes, len(rows)))
    found = [{name: values for name, values in one.items() if name != "laws"} for one in found]
    several = len(targets) > 1
    dims = ("class", "train_size") if several else ("train_size",)
    stacked = {name: np.array([one[name] for one in found]) if several else found[0][name] for name in found[0]}
    coordinates: dict[str, Any] = {"train_size": sizes} | ({"class": classes} if several else {})
    attributes = {
        "source": "theory",
        "axis": "train_size",
        "task": "classification" if student.classify else "regression",
        "estimator": repr(final),
        "method": method,
        "n_total": len(rows),
        "n_features": rows.shape[1],
        "lam": student.lam if tuning is None else list(tuning.lams),
        "call": json.dumps({"groups": groups, "random_state": seed}),
    } | ({} if score is None else {"scoring": score.name, "judged": "test_score"})
    for sentence in [one for one in dict.fromkeys(sentences) if one] + caveats(sizes, stacked, rows, groups, scoring):
        warnings.warn(sentence, AccuracyWarning, stacklevel=2)
    stacked = {name: values for name, values in stacked.items() if name not in ("room", "alone")}
    words = CONVEX | SIZES | TUNING
    if score is not None:
        stacked, words = as_scores(stacked, score, "test"), words | {"test_score": Observable(score.words, score.unit)}
    return dataset({name: (dims, values) for name, values in stacked.items()}, coordinates, attributes, words)


def as_scores(errors: dict[str, FloatArray], score: Scoring, kind: str) -> dict[str, FloatArray]:
    """`<kind>_score` = best - `<kind>_error` in its place, higher is better."""
    names = {f"{kind}_error": f"{kind}_score", f"{kind}_error_stderr": f"{kind}_score_stderr"}
    return {names.get(name, name): score.best - one if name == f"{kind}_error" else one for name, one in errors.items()}


def _seed(random_state: Any) -> int:
    """The integer itself, or one drawn where scikit-learn's None or a RandomState is given."""
    if random_state is None or isinstance(random_state, np.random.RandomState):
        return int(check_random_state(random_state).randint(2**31 - 1))
    return integer("random_state", random_state, minimum=0)


def prepare(estimator: Any, X: Any, features: Any = None, y: Any = None, size: int | None = None) -> tuple[Any, FloatArray, list[str]]:
    """The final estimator, the rows that it sees with all transformers fitted to all rows, and the names of those that learn from rows.

    With labels and the smallest training size, transformers that are fitted to labels are refused before they are.
    """
    rows, learned = X, []
    for step in steps_of(estimator, features):
        try:
            kind = TransformerKind.fixed if size is None else kind_of(step, rows, y, size)
            if kind is TransformerKind.supervised:
                raise supervised_error(step)
            if kind is TransformerKind.learned:
                learned.append(type(step).__name__)
            rows = clone(step).fit_transform(rows) if not isinstance(step, FrozenEstimator) else step.transform(rows)
        except ValueError as error:
            words = [] if type(error) is ArgumentError and error.__cause__ is None else text_columns(rows)
            if words:
                raise text_error(words) from error
            raise
    return last_step(estimator), read_rows(rows), learned


def refit_curve(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    train_sizes: ArrayLike,
    features: Any = None,
    repeats: int = 20,
    random_state: Any = 0,
    scoring: str | None = None,
) -> xr.Dataset:
    """The same curve by brute force: `repeats` fits at each size on rows drawn without replacement, each measured on all other rows.

    Any estimator, also one that `theory_curve` does not cover (Lasso, SVC, forests). A pipeline is cloned and fitted as a
    whole, all transformers to the training rows, as scikit-learn does.

    Returns a Dataset along train_size with refit_error and refit_error_stderr, the standard error over the repeats, or with `scoring`, as
    in `theory_curve`, refit_score and refit_score_stderr. A classifier that sees one class guesses it; repeats without a score (one class
    to test on, the log-loss of such a guess) are left out, and a warning counts them.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import RidgeClassifier
    >>> X, digit = load_digits(return_X_y=True)
    >>> refit_curve(RidgeClassifier(), X, digit % 2 == 0, train_sizes=[200], repeats=2).sizes["train_size"]
    1
    """
    from gaussequiv.results import dataset

    y, final = flattened(y), last_step(estimator)
    if isinstance(final, BaseEstimator) and type(final).__name__ not in KNOWN + TUNED:
        student = LinearStudent("logistic" if is_classifier(final) else "square", classify=is_classifier(final))
    else:
        student = read_student(final)
    score = read_scoring(scoring, classify=student.classify, loss=student.loss)
    targets, classes = read_targets(y, student, count_rows(X))
    weigh_classes(student, y, classes)
    if len(targets) > 1:
        raise ArgumentError("Argument `y` must have two classes to be refitted; take one class against the rest.")
    whole, total = whole_pipeline(estimator, features), count_rows(X)
    sizes = read_sizes(train_sizes, total)
    if sizes[-1] >= total:
        raise fail("train_sizes", f"below {total}, so that rows are left to test on", train_sizes)
    rows = X if steps_of(estimator, features) else read_rows(X)
    rng = np.random.default_rng(_seed(random_state))
    orders = [rng.permutation(total) for _ in range(integer("repeats", repeats, minimum=2))]
    splits = [(order[:size], order[size:]) for order in orders for size in sizes]
    errors = split_errors(whole, rows, y, splits, student.classify, score).reshape(repeats, len(sizes))
    usable = np.isfinite(errors)
    if not usable.all():
        warnings.warn(
            f"{int(np.sum(~usable))} of {errors.size} refits have no {scoring} (training or test rows of one class) and are left out.",
            AccuracyWarning,
            stacklevel=2,
        )
    count = usable.sum(axis=0)
    mean = np.where(usable, errors, 0.0).sum(axis=0) / np.where(count > 0, count, np.nan)
    spread = np.sqrt(np.where(usable, (errors - mean) ** 2, 0.0).sum(axis=0) / np.where(count > 1, (count - 1) * count, np.nan))
    variables = {"refit_error": mean, "refit_error_stderr": spread}
    attributes = {"source": "refits", "estimator": repr(last_step(estimator)), "repeats": repeats}
    words = SIZES
    if score is not None:
        variables, attributes = as_scores(variables, score, "refit"), attributes | {"scoring": score.name, "judged": "refit_score"}
        words = SIZES | {"refit_score": Observable(f"mean {score.words} of refits", score.unit)}
    return dataset({name: (("train_size",), values) for name, values in variables.items()}, {"train_size": sizes}, attributes, words)


__all__ = [
    "METHODS",
    "ConvolutionalFeatures",
    "DeepRandomFeatures",
    "KernelFunction",
    "read_student",
    "refit_curve",
    "theory_curve",
]
