"""Empirical risk minimisation on a finite sample, for every loss and penalty, linear or with a kernel."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg

from gaussequiv.errors import ArgumentError, FloatArray, array, fail, number
from gaussequiv.ingredients.losses.convexity import check_least_at_zero
from gaussequiv.ingredients.losses.named import Hinge, Logistic, Loss, MaxMargin, Square
from gaussequiv.ingredients.penalties.base import L2, Penalty, Quadratic, Separable
from gaussequiv.learners.finite.minimise import minimise
from gaussequiv.learners.finite.objective import Minimum, Objective
from gaussequiv.numerics.status import Status
from gaussequiv.samples.training_sample import LinearPredictor, TrainingSample

ACCEPTED = 1e-6  # largest relative violation of the optimality conditions that counts as converged
_TOLD_APART = 1e-12  # margin over the size of its terms below which it is rounding
_ROUNDING = 1e-13  # of the longest row: rows that differ by less are equal
_POLISHED = 1e-9  # scikit-learn's solutions above it are continued by our own iteration


class _Fit(NamedTuple):
    w: FloatArray
    c: float
    status: Status
    steps: int
    residual: float


def fit_erm(
    sample: TrainingSample,
    loss: Loss,
    lam: float,
    penalty: Penalty | None = None,
    intercept: bool = False,
    sample_weight: ArrayLike | None = None,
) -> LinearPredictor:
    r"""Minimise sum_i s_i loss(y_i, c + w.x_i/sqrt(p)) + lam r(w) over w and, with `intercept`, over the unpenalised constant c.

    Solvers: the eigendecomposition of `TrainingSample.ridge` (square loss, L2); scikit-learn's ``LogisticRegression`` (logistic, L2) and
    ``ElasticNet`` (square, L1 or elastic net); otherwise `finite.minimise` (Newton, or an interior-point method), on the smaller of n and p
    dimensions where the penalty is quadratic. A general quadratic form is a change of variables.
    scikit-learn's ``SVC`` is not used: its kernel cache has single
    precision, and its objective was measured 7e-9 (lam = 1), 3e-6 (lam = 0.01) and 3e-2 (lam = 1e-6) above the minimum.

    Parameters
    ----------
    sample : TrainingSample
        Rows x of shape (n, p) and labels y of shape (n,), -1 and 1 for a loss of the margin.
    loss : Loss
    lam : float >= 0 or infinity
        0 is the limit lam -> 0+: on separable data the maximum-margin classifier with margins y z >= 1 (losses with `margin_limit`), where
        a loss of the residual can interpolate the interpolator of least penalty, otherwise the unpenalised minimiser.
    penalty : Penalty, optional
        L2() by default.
    intercept : bool
    sample_weight : array of shape (n,), optional
        s_i >= 0, 1 by default.

    Returns
    -------
    LinearPredictor
        coefficients = w/sqrt(p), which act on the raw x. `residual` is the largest relative violation of the optimality conditions
        (`Objective.violation`); above 1e-6 the status is not converged. If all labels are equal and an intercept is fitted, w = 0 and c is
        the label, or infinite with status single_class for a loss without minimum.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((40, 20))
    >>> found = fit_erm(TrainingSample(x, np.sign(x[:, 0])), Logistic(), lam=0.1)
    >>> found.status.name, found.residual < 1e-9
    ('converged', True)
    """
    lam, penalty = _checked(lam), L2() if penalty is None else penalty
    x, y = sample.x, sample.y
    weights = _weights(sample_weight, y.size)
    p = x.shape[1]
    if isinstance(loss, Square) and isinstance(penalty, L2) and np.all(weights == 1):
        return sample.ridge(lam, intercept)
    _check_labels(loss, y)
    a, root = x[weights > 0] / np.sqrt(p), None
    if isinstance(penalty, Quadratic):
        root = penalty.root
        if root.shape[0] != p:
            raise fail("penalty", f"a quadratic form of dimension {p}, that of the inputs", root)
        a = a / root if root.ndim == 1 else linalg.solve_triangular(root, a.T, lower=True).T
        penalty = L2()
    if not isinstance(penalty, Separable):
        raise fail("penalty", "L2(), L1(), ElasticNet(l1_ratio) or Quadratic(form)", penalty)
    basis = None
    if penalty.l1 == 0 and a.shape[0] < p:
        basis, a = _row_space(a)
    fit = _solve(Objective(a, y[weights > 0], weights[weights > 0], loss, penalty.l2, penalty.l1, intercept), lam)
    w = fit.w if basis is None else basis @ fit.w
    if root is not None:
        w = w / root if root.ndim == 1 else linalg.solve_triangular(root, w, lower=True, trans="T")
    return LinearPredictor(w / np.sqrt(p), fit.c, lam, fit.status, fit.steps, fit.residual)


def fit_erm_kernel(
    K: ArrayLike,
    y: ArrayLike,
    loss: Loss,
    lam: float,
    intercept: bool = False,
    sample_weight: ArrayLike | None = None,
) -> LinearPredictor:
    r"""Minimise sum_i s_i loss(y_i, c + (K a)_i) + (lam/2) a'K a over the dual coefficients a and, with `intercept`, over c.

    K = F F' by an eigendecomposition (eigenvalues below 1e-13 of the largest are zero); `fit_erm`'s problem is solved on the rows of F.

    Parameters
    ----------
    K : array of shape (n, n)
        Kernel of the training rows, symmetric and positive semi-definite.
    y : array of shape (n,)
    loss, lam, intercept, sample_weight
        As in `fit_erm`.

    Returns
    -------
    LinearPredictor
        coefficients = a, which act on the kernel's values at the training rows: f(x) = sum_i a_i k(x_i, x) + c.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 9)
    >>> found = fit_erm_kernel(np.exp(-((x[:, None] - x) ** 2)), np.sign(x + 0.1), Logistic(), lam=0.01)
    >>> found.status.name
    'converged'
    """
    lam = _checked(lam)
    kernel, labels = array("K", K, ndim=2), array("y", y, ndim=1)
    if kernel.shape != (labels.size, labels.size):
        raise fail("K", f"a square array of {labels.size} rows, one for each label", kernel)
    asymmetry, largest = float(np.max(np.abs(kernel - kernel.T))), float(np.max(np.abs(kernel)))
    if asymmetry > 1e-10 * largest:
        raise ArgumentError(f"Argument `K` must be symmetric, but |K - K'| reaches {asymmetry:.3g}.")
    _check_labels(loss, labels)
    values, vectors = linalg.eigh(0.5 * (kernel + kernel.T), driver="evd")
    if values[0] < -1e-8 * max(values[-1], 0.0) or values[-1] <= 0:
        raise ArgumentError(f"Argument `K` must be positive semi-definite and not zero, but its smallest eigenvalue is {values[0]:.3g}.")
    keep = values > 1e-13 * values[-1]
    root, vectors = np.sqrt(values[keep]), vectors[:, keep]
    weights = _weights(sample_weight, labels.size)
    used = weights > 0
    fit = _solve(Objective((vectors * root)[used], labels[used], weights[used], loss, 1.0, 0.0, intercept), lam)
    return LinearPredictor(vectors @ (fit.w / root), fit.c, lam, fit.status, fit.steps, fit.residual)


def _row_space(a: FloatArray) -> tuple[FloatArray, FloatArray]:
    """An orthonormal basis of the rows, shape (p, rank), and the rows in it; directions of rounding size, in which equal rows differ, are
    left out."""
    basis, triangle, order = linalg.qr(a.T, mode="economic", pivoting=True)
    heights = np.abs(np.diag(triangle))
    rank = max(1, int(np.sum(heights > _ROUNDING * heights[0])))
    coordinates: FloatArray = np.empty((a.shape[0], rank))
    coordinates[order] = triangle[:rank].T
    return np.asarray(basis[:, :rank], dtype=np.float64), coordinates


def _solve(unit: Objective, lam: float) -> _Fit:
    """Minimise the data's loss plus lam times the penalty of `unit`."""
    loss, y = unit.loss, unit.y
    if unit.intercept and loss.margin_limit and np.all(y == y[0]):
        return _single_class(unit)
    if np.isinf(lam):
        return _constant(unit)
    if lam == 0:
        return _limit(unit)
    objective = replace(unit, l2=lam * unit.l2, l1=lam * unit.l1)
    guess = _sklearn(objective)
    if guess is not None and guess.residual <= _POLISHED:
        return _fit(guess)
    return _fit(minimise(objective, None if guess is None else (guess.w, guess.c)))


def _fit(found: Minimum) -> _Fit:
    status = Status.converged if found.residual <= ACCEPTED else Status.max_steps
    return _Fit(found.w, found.c, status, found.steps, found.residual)


def _sklearn(objective: Objective) -> Minimum | None:
    """scikit-learn's solution where it has this objective, or None. Its warnings are silenced: the violation is the judge."""
    o = objective
    options: dict[str, Any] = {"fit_intercept": o.intercept}
    if isinstance(o.loss, Logistic) and o.l1 == 0 and np.unique(o.y).size == 2:
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=1 / o.l2, solver="newton-cholesky", tol=1e-11, max_iter=200, **options)
    elif isinstance(o.loss, Square) and o.l1 > 0:
        from sklearn.linear_model import ElasticNet

        strength = o.l1 + o.l2
        model = ElasticNet(alpha=strength / np.sum(o.weights), l1_ratio=o.l1 / strength, tol=1e-13, max_iter=2000, **options)
    else:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(o.a, o.y, sample_weight=None if np.all(o.weights == 1) else o.weights)
    w, c = np.ravel(model.coef_).astype(np.float64), float(np.ravel(model.intercept_)[0]) if o.intercept else 0.0
    dual = o.weights * o.loss.slope(o.y, o.a @ w + c)
    return Minimum(w, c, dual, o.violation(w, c, dual), int(np.ravel(model.n_iter_)[0]))


def _limit(unit: Objective) -> _Fit:
    """lam -> 0+: the maximum margin or the interpolator of least penalty where the data allow it, else the unpenalised minimiser."""
    loss, y = unit.loss, unit.y
    n, k = unit.a.shape
    if loss.margin_limit:
        if separable(unit.a, y, unit.intercept):
            return _fit(minimise(replace(unit, loss=MaxMargin(), weights=np.ones(n))))
    elif loss.kind == "residual":
        check_least_at_zero(loss)
        if k + unit.intercept >= n:
            found = minimise(replace(unit, loss=_Interpolation(), weights=np.ones(n)))
            if found.residual <= ACCEPTED:
                return _fit(found)
    return _fit(minimise(replace(unit, l2=0.0, l1=0.0)))


def separable(a: FloatArray, y: FloatArray, intercept: bool) -> bool:
    """Whether some c + a_i.w has the sign y_i in every row (c = 0 without an intercept).

    The least sum of hinge losses, a linear program, is zero if there is one; else its multipliers prove that there is none.
    """
    found = minimise(Objective(a, y, np.ones(y.size), Hinge(), 0.0, 0.0, intercept))
    size = np.abs(a) @ np.abs(found.w) + abs(found.c)  # equal rows of opposite labels are told apart by rounding alone
    return bool(np.all(y * (a @ found.w + found.c) > _TOLD_APART * size))


def _single_class(unit: Objective) -> _Fit:
    """All labels equal: w = 0, and the constant does all; logistic-like losses push it to infinity."""
    label = float(unit.y[0])
    attained = unit.loss.slope_at(np.array([1.0]))[0] == 0
    zero = np.zeros(unit.a.shape[1])
    return _Fit(zero, label if attained else label * np.inf, Status.converged if attained else Status.single_class, 0, 0.0)


def _constant(unit: Objective) -> _Fit:
    """lam = infinity: w = 0, and the constant is fitted alone."""
    zero = np.zeros(unit.a.shape[1])
    if not unit.intercept:
        return _Fit(zero, 0.0, Status.converged, 0, 0.0)
    return _fit(minimise(replace(unit, a=np.zeros((unit.y.size, 1)), l2=1.0, l1=0.0)))._replace(w=zero)


@dataclass(frozen=True)
class _Interpolation(Loss):
    """0 if z = y, infinite otherwise."""

    name = "interpolation"
    kind = "residual"

    @property
    def kinks(self) -> tuple[tuple[float, float, float], ...]:
        return ((0.0, -np.inf, np.inf),)

    def at(self, t: FloatArray) -> FloatArray:
        return np.where(t == 0, 0.0, np.inf)

    def slope_at(self, t: FloatArray) -> FloatArray:
        return np.where(t == 0, 0.0, np.copysign(np.inf, t))

    def curvature_at(self, t: FloatArray) -> FloatArray:
        return np.zeros_like(t)

    def proximal_at(self, t: FloatArray, V: FloatArray) -> tuple[FloatArray, FloatArray]:
        return -t / V, -1 / V


def _checked(lam: float) -> float:
    return number("lam", lam, nonnegative=True, allow_infinite=True, meaning="lam is the strength of the penalty.")


def _weights(sample_weight: ArrayLike | None, n: int) -> FloatArray:
    if sample_weight is None:
        return np.ones(n)
    weights = array("sample_weight", sample_weight, ndim=1)
    if weights.size != n or np.any(weights < 0) or not np.any(weights > 0):
        raise fail("sample_weight", f"{n} non-negative numbers, not all zero", weights)
    return weights


def _check_labels(loss: Loss, y: FloatArray) -> None:
    if loss.kind == "margin" and not np.all(np.abs(y) == 1):
        bad = float(y[np.abs(y) != 1][0])
        raise fail("y", f"-1 or 1 for the {loss.name} loss", bad, "It is a loss of the margin y z.")
