"""The scikit-learn door: learning curves of scikit-learn estimators without refitting, feature maps, and kernels."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from gaussequiv.curve import Observable
from gaussequiv.errors import AccuracyWarning, ArgumentError, FloatArray, fail, integer
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
from gaussequiv.ingredients.activations import base as acts
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
    groups: int = 10,
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
    groups : int
        Groups of the jackknife behind `test_error_stderr`; 0 for no standard errors. Square losses with "rows" have an infinitesimal
        jackknife, without groups.
    random_state : int, RandomState or None
        Of the jackknife's groups and of the refits of transformers.

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
    targets, classes = read_targets(y, student, count_rows(X))
    student = weigh_classes(student, y, classes)
    sizes = read_sizes(train_sizes, count_rows(X))
    final, rows, learned = prepare(estimator, X, features, y, int(min(sizes[0], len(targets[0]))))
    found = curves_of_targets(rows, targets, sizes, student, method=method, groups=groups, seed=seed)
    sentences = []
    if learned:
        whole = whole_pipeline(estimator, features)
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
        "call": json.dumps({"groups": groups, "random_state": seed}),
    }
    for sentence in [one for one in dict.fromkeys(sentences) if one] + caveats(sizes, stacked, rows, groups):
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
    estimator: Any, X: Any, y: Any, *, train_sizes: ArrayLike, features: Any = None, repeats: int = 20, random_state: Any = 0
) -> xr.Dataset:
    """The same curve by brute force: `repeats` fits at each size on rows drawn without replacement, each measured on all other rows.

    A pipeline is cloned and fitted as a whole, all transformers to the training rows, as scikit-learn does.

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
    if sizes[-1] >= total:
        raise fail("train_sizes", f"below {total}, so that rows are left to test on", train_sizes)
    rows = X if steps_of(estimator, features) else read_rows(X)
    rng = np.random.default_rng(_seed(random_state))
    orders = [rng.permutation(total) for _ in range(integer("repeats", repeats, minimum=2))]
    splits = [(order[:size], order[size:]) for order in orders for size in sizes]
    errors = split_errors(whole, rows, y, splits, student.classify).reshape(repeats, len(sizes))
    spread = errors.std(axis=0, ddof=1) / np.sqrt(repeats)
    variables = {"refit_error": (("train_size",), errors.mean(axis=0)), "refit_error_stderr": (("train_size",), spread)}
    return dataset(
        variables, {"train_size": sizes}, {"source": "refits", "estimator": repr(last_step(estimator)), "repeats": repeats}, SIZES
    )


class DeepRandomFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Features of a deep random network: x -> h_L/sqrt(k_L), h_l = phi_l(F_l h_{l-1}/sqrt(k_{l-1}) + b_l), h_0 = x.

    Parameters
    ----------
    widths : int or sequence of int
        Width of every layer, lowest first; an int is one layer.
    activations : name, function, Activation, or a sequence of them
        One for each layer; a single one is repeated.
    weight_variance, bias_variance : float
        Variance of the entries of F_l and of b_l.
    random_state : int, RandomState or None

    Attributes
    ----------
    weights_, biases_ : lists of arrays, lowest layer first

    The output is scaled by 1/sqrt(k), so that a linear student on it has the field w.h/sqrt(k) of the theory and scikit-learn's penalty
    is its lam. Rows are taken as they are; standardise them first (entries of order one).

    Examples
    --------
    >>> features = DeepRandomFeatures((50, 30), "tanh", random_state=0)
    >>> features.fit_transform(np.eye(4)).shape
    (4, 30)
    """

    def __init__(
        self,
        widths: Any = 300,
        activations: Any = "tanh",
        *,
        weight_variance: float = 1.0,
        bias_variance: float = 0.0,
        random_state: Any = None,
    ) -> None:
        self.widths = widths
        self.activations = activations
        self.weight_variance = weight_variance
        self.bias_variance = bias_variance
        self.random_state = random_state

    def _layers(self) -> tuple[tuple[int, ...], tuple[acts.Activation, ...]]:
        given = self.widths if np.ndim(self.widths) else (self.widths,)
        widths = tuple(integer("widths", width, minimum=1) for width in given)
        named = self.activations
        layers = tuple(acts.get(a) for a in named) if isinstance(named, (list, tuple)) else (acts.get(named),) * len(widths)
        if len(layers) != len(widths):
            raise fail("activations", f"one, or {len(widths)}: one for each of the widths", self.activations)
        return widths, layers

    def fit(self, X: Any, y: Any = None) -> DeepRandomFeatures:
        """Draw the weights; of X only the number of columns matters."""
        X = validate_data(self, X, dtype=np.float64)
        widths, _ = self._layers()
        rng = check_random_state(self.random_state)
        self.weights_, self.biases_ = [], []
        fan_in = X.shape[1]
        for width in widths:
            self.weights_.append(np.sqrt(self.weight_variance / fan_in) * rng.standard_normal((fan_in, width)))
            self.biases_.append(np.sqrt(self.bias_variance) * rng.standard_normal(width))
            fan_in = width
        self._n_features_out = fan_in
        return self

    def transform(self, X: Any) -> FloatArray:
        """Features of the rows, shape (rows, widths[-1])."""
        check_is_fitted(self)
        hidden = validate_data(self, X, dtype=np.float64, reset=False)
        _, layers = self._layers()
        for weights, bias, phi in zip(self.weights_, self.biases_, layers, strict=True):
            hidden = phi(hidden @ weights + bias)
        return hidden / np.sqrt(hidden.shape[1])

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Names of the features."""
        check_is_fitted(self)
        return np.array([f"deeprandomfeatures{i}" for i in range(self._n_features_out)], dtype=object)


class ConvolutionalFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Fixed convolutional features of images: moduli of Gabor wavelets, averaged over cells, beside the averaged image itself.

    psi(u) = exp(-|u|^2/(2 s^2)) (exp(i xi.u) - c), s = 0.8 2^j, |xi| = 3 pi/(4 2^j), with c such that psi sums to zero; features are the
    cell averages of |x * psi|, a first-order scattering transform (Mallat 2012; Bruna and Mallat 2013). No randomness, nothing learned.

    Parameters
    ----------
    shape : (int, int), optional
        Height and width of the images; by default square, or one row of pixels where their number is no square.
    scales, orientations : int
        Number of dyadic scales, and of angles in [0, pi).
    cells : int
        Averages are over a grid of cells x cells (fewer along a side that is shorter).

    Examples
    --------
    >>> ConvolutionalFeatures().fit_transform(np.ones((3, 64))).shape  # (2 scales x 4 angles + 1) x 4 x 4 cells
    (3, 144)
    """

    def __init__(self, shape: tuple[int, int] | None = None, *, scales: int = 2, orientations: int = 4, cells: int = 4) -> None:
        self.shape = shape
        self.scales = scales
        self.orientations = orientations
        self.cells = cells

    def fit(self, X: Any, y: Any = None) -> ConvolutionalFeatures:
        """Build the filters; of X only the number of columns matters."""
        pixels = validate_data(self, X, dtype=np.float64).shape[1]
        side = round(pixels**0.5)
        self.shape_ = tuple(self.shape) if self.shape is not None else (side, side) if side * side == pixels else (1, pixels)
        if len(self.shape_) != 2 or self.shape_[0] * self.shape_[1] != pixels:
            raise fail("shape", f"height and width of images of {pixels} pixels", self.shape)
        height, width = self.shape_
        v, u = (
            np.fft.fftfreq(size, 1 / size)[:, None] if axis == 0 else np.fft.fftfreq(size, 1 / size)
            for axis, size in enumerate(self.shape_)
        )
        filters = []
        for j in range(integer("scales", self.scales, minimum=1)):
            envelope = np.exp(-(u**2 + v**2) / (2 * (0.8 * 2**j) ** 2))
            for angle in np.pi * np.arange(integer("orientations", self.orientations, minimum=1)) / self.orientations:
                wave = np.exp(0.75j * np.pi / 2**j * (np.cos(angle) * u + np.sin(angle) * v))
                psi = envelope * (wave - np.sum(envelope * wave) / np.sum(envelope))
                filters.append(np.fft.fft2(psi / np.sum(envelope)))
        self.filters_ = np.array(filters)
        cells = integer("cells", self.cells, minimum=1)
        self._grid = tuple(np.array_split(np.arange(size), min(cells, size)) for size in (height, width))
        return self

    def transform(self, X: Any) -> FloatArray:
        """Features of the rows, shape (rows, (scales orientations + 1) cells^2)."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        out = []
        for start in range(0, len(rows), 256):
            images = rows[start : start + 256].reshape(-1, 1, *self.shape_)
            moduli = np.abs(np.fft.ifft2(np.fft.fft2(images) * self.filters_))
            out.append(self._average(np.concatenate([images, moduli], axis=1)))
        return np.concatenate(out)

    def _average(self, maps: FloatArray) -> FloatArray:
        rows, columns = self._grid
        cells = [maps[:, :, r[0] : r[-1] + 1, c[0] : c[-1] + 1].mean(axis=(2, 3)) for r in rows for c in columns]
        return np.stack(cells, axis=2).reshape(len(maps), -1)


class KernelFunction:
    """A kernel of `gaussequiv.ingredients.features.kernels` as scikit-learn calls kernels.

    ``KernelRidge(kernel=k)`` calls it with two rows and takes a number, ``SVC(kernel=k)`` with two matrices and takes a matrix. For
    KernelRidge on more than a few hundred rows, ``KernelRidge(kernel="precomputed")`` with ``k(X, X)`` gives the same without a Python
    call for each pair.

    Parameters
    ----------
    kernel : Kernel
        Any object with `block(x1, x2)`: `NNGP`, `NTK`, `DotProductKernel`.

    Examples
    --------
    >>> from sklearn.kernel_ridge import KernelRidge
    >>> from gaussequiv.ingredients.features.kernels import NNGP
    >>> X = np.random.default_rng(0).standard_normal((20, 5))
    >>> model = KernelRidge(alpha=0.1, kernel=KernelFunction(NNGP("relu"))).fit(X, X[:, 0])
    >>> model.predict(X[:3]).shape
    (3,)
    """

    def __init__(self, kernel: Any) -> None:
        if not hasattr(kernel, "block"):
            raise fail("kernel", "an object with block(x1, x2)", kernel)
        self.kernel = kernel

    def __call__(self, x1: Any, x2: Any) -> Any:
        """K of two rows, a number, or of two matrices, of shape (len(x1), len(x2))."""
        one, two = np.asarray(x1, dtype=np.float64), np.asarray(x2, dtype=np.float64)
        values = self.kernel.block(np.atleast_2d(one), np.atleast_2d(two))
        return float(values[0, 0]) if one.ndim == 1 and two.ndim == 1 else values

    def __repr__(self) -> str:
        return f"KernelFunction({self.kernel})"


__all__ = [
    "METHODS",
    "ConvolutionalFeatures",
    "DeepRandomFeatures",
    "KernelFunction",
    "read_student",
    "refit_curve",
    "theory_curve",
]
