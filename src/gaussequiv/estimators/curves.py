"""The scikit-learn door: learning curves of scikit-learn estimators without refitting, feature maps, and kernels."""

from __future__ import annotations

import json
import warnings
from numbers import Number
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state

from gaussequiv.curve import Observable
from gaussequiv.errors import AccuracyWarning, ArgumentError, FloatArray, fail, integer
from gaussequiv.estimators.feature_maps import ConvolutionalFeatures as ConvolutionalFeatures  # their path of before
from gaussequiv.estimators.feature_maps import DeepRandomFeatures as DeepRandomFeatures
from gaussequiv.estimators.group_splits import group_caveat, group_costs, group_split, largest_size, read_groups
from gaussequiv.estimators.kernel_function import KernelFunction as KernelFunction
from gaussequiv.estimators.refits import split_errors
from gaussequiv.estimators.transformers import (
    TransformerKind,
    cost_caveat,
    kind_of,
    learned_costs,
    steps_of,
    supervised_error,
    whole_pipeline,
    with_costs,
)
from gaussequiv.learners.convex.observables import CONVEX
from gaussequiv.realdata.caveats import caveats
from gaussequiv.realdata.curves import METHODS, curves_of_targets
from gaussequiv.realdata.reading import (
    count_rows,
    flattened,
    read_rows,
    read_sizes,
    read_student,
    read_targets,
    text_columns,
    text_error,
    weigh_classes,
)

if TYPE_CHECKING:
    import xarray as xr


SIZES = {"train_size": Observable("training rows"), "refit_error": Observable("mean test error of refits", "output units")}


def theory_curve(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    train_sizes: ArrayLike = (0.1, 0.325, 0.55, 0.775, 1.0),
    features: Any = None,
    method: str = "rows",
    groups: Any = None,
    jackknife: int = 10,
    random_state: Any = 0,
) -> xr.Dataset:
    """Learning curve of a linear scikit-learn estimator, predicted from one data set without fitting it at any size.

    Parameters
    ----------
    estimator : LinearRegression, Ridge, RidgeClassifier, LogisticRegression, LinearSVC, or a Pipeline that ends in one
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
    groups : array-like of shape (N,), optional
        The person, patient or session that each row is of, where fits are to be tested on others than they were trained on. Rows of one
        group are alike, which no prediction from rows knows: what it costs is measured at every size that leaves a fifth of the rows, by
        16 refits with training and test rows of different groups and 16 with rows drawn at random, and added; larger sizes are nan where
        it is more than a tenth. A whole number is read as `jackknife`, its name of before.
    jackknife : int
        Parts of the rows left out in turn for `test_error_stderr`; 0 for no standard errors. Square losses with "rows" have an
        infinitesimal jackknife, without parts.
    random_state : int, RandomState or None
        Of the jackknife's parts and of the refits of transformers and groups.

    Returns
    -------
    Dataset along train_size (and class)
        test_error (mean squared error, or share of wrong labels), test_error_stderr, status, converged, steps, residual.

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
    >>> curve = theory_curve(RidgeClassifier(alpha=100.0), X, digit % 2 == 0, train_sizes=[100, 1000, 2500], jackknife=0)
    >>> bool(np.all(np.diff(curve.test_error) < 0))
    True
    """
    from gaussequiv.results import dataset

    if isinstance(groups, Number):
        jackknife, groups = groups, None  # type: ignore[assignment]
    integer("jackknife", jackknife, minimum=0)
    if jackknife == 1:
        raise fail("jackknife", "0 or at least 2", jackknife)
    number = None if groups is None else read_groups(groups, count_rows(X))
    seed, y = _seed(random_state), flattened(y)
    student = read_student(last_step(estimator))
    targets, classes = read_targets(y, student, count_rows(X))
    student = weigh_classes(student, y, classes)
    sizes = read_sizes(train_sizes, count_rows(X))
    final, rows, learned = prepare(estimator, X, features, y, int(min(sizes[0], len(targets[0]))))
    found = curves_of_targets(rows, targets, sizes, student, method=method, groups=jackknife, seed=seed)
    sentences = []
    whole = whole_pipeline(estimator, features)
    if number is not None:
        given = X if steps_of(estimator, features) else rows
        for i, one in enumerate(found):
            labels = np.asarray(y) if len(targets) == 1 else targets[i]
            costs = group_costs(whole, final, given, rows, labels, sizes, student.classify, seed, number)
            found[i] = with_costs(one, sizes, costs)
            sentences.append(group_caveat(costs, sizes, int(number.max()) + 1))
    elif learned:
        for i, one in enumerate(found):
            labels = np.asarray(y) if len(targets) == 1 else targets[i]
            costs = learned_costs(whole, final, X, rows, labels, sizes, student.classify, seed)
            found[i] = with_costs(one, sizes, costs)
            sentences.append(cost_caveat(learned, costs, sizes, len(rows)))
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
        "lam": student.lam,
        "call": json.dumps({"jackknife": jackknife, "random_state": seed}),
    }
    for sentence in [one for one in dict.fromkeys(sentences) if one] + caveats(sizes, stacked, rows, jackknife):
        warnings.warn(sentence, AccuracyWarning, stacklevel=2)
    return dataset(
        {name: (dims, values) for name, values in stacked.items() if name not in ("room", "alone")}, coordinates, attributes, CONVEX | SIZES
    )


def _seed(random_state: Any) -> int:
    """The integer itself, or one drawn where scikit-learn's None or a RandomState is given."""
    if random_state is None or isinstance(random_state, np.random.RandomState):
        return int(check_random_state(random_state).randint(2**31 - 1))
    return integer("random_state", random_state, minimum=0)


def last_step(estimator: Any) -> Any:
    """The estimator itself, or the one that a Pipeline ends in."""
    from sklearn.pipeline import Pipeline

    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator


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
    groups: Any = None,
    repeats: int = 20,
    random_state: Any = 0,
) -> xr.Dataset:
    """The same curve by brute force: `repeats` fits at each size on rows drawn without replacement, each measured on all other rows.

    A pipeline is cloned and fitted as a whole, all transformers to the training rows, as scikit-learn does. With `groups`, the name of
    each row's group, training rows are those of whole groups in random order, the last one cut to the size, and test rows those of
    groups that were not begun (`sklearn.model_selection.GroupShuffleSplit`).

    Returns a Dataset along train_size with refit_error and refit_error_stderr, the standard error over the repeats.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import RidgeClassifier
    >>> X, digit = load_digits(return_X_y=True)
    >>> refit_curve(RidgeClassifier(), X, digit % 2 == 0, train_sizes=[200], repeats=2).sizes["train_size"]
    1
    """
    from gaussequiv.results import dataset

    y = flattened(y)
    student = read_student(last_step(estimator))
    targets, classes = read_targets(y, student, count_rows(X))
    weigh_classes(student, y, classes)
    if len(targets) > 1:
        raise ArgumentError("Argument `y` must have two classes to be refitted; take one class against the rest.")
    whole, total = whole_pipeline(estimator, features), count_rows(X)
    sizes = read_sizes(train_sizes, total)
    number = None if groups is None else read_groups(groups, total)
    most = total - 1 if number is None else largest_size(number)
    if sizes[-1] > most:
        left = "rows are left to test on" if number is None else "a group is left to test on"
        raise fail("train_sizes", f"below {most + 1}, so that {left}", train_sizes)
    rows = X if steps_of(estimator, features) else read_rows(X)
    rng = np.random.default_rng(_seed(random_state))
    integer("repeats", repeats, minimum=2)
    if number is None:
        orders = [rng.permutation(total) for _ in range(repeats)]
        splits = [(order[:size], order[size:]) for order in orders for size in sizes]
    else:
        splits = [group_split(number, int(size), rng) for _ in range(repeats) for size in sizes]
    errors = split_errors(whole, rows, y, splits, student.classify).reshape(repeats, len(sizes))
    spread = errors.std(axis=0, ddof=1) / np.sqrt(repeats)
    variables = {"refit_error": (("train_size",), errors.mean(axis=0)), "refit_error_stderr": (("train_size",), spread)}
    return dataset(
        variables, {"train_size": sizes}, {"source": "refits", "estimator": repr(last_step(estimator)), "repeats": repeats}, SIZES
    )


__all__ = [
    "METHODS",
    "ConvolutionalFeatures",
    "DeepRandomFeatures",
    "KernelFunction",
    "read_student",
    "refit_curve",
    "theory_curve",
]
