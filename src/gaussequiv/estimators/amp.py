"""scikit-learn estimators fitted by message passing: generalised linear models with predictive distributions and nothing to tune."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy import special
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from gaussequiv.algorithms.message_passing.design import Design
from gaussequiv.algorithms.message_passing.scaled_prior import ScaledPrior
from gaussequiv.algorithms.message_passing.start import first_signal
from gaussequiv.algorithms.message_passing.tuned import Fitted, fit_glm
from gaussequiv.algorithms.message_passing.vamp import GramSpectrum
from gaussequiv.errors import ConvergenceWarning, FloatArray, choice, fail, integer, number
from gaussequiv.ingredients.channels import given
from gaussequiv.ingredients.channels.base import BinaryLabel, RealLabel
from gaussequiv.ingredients.channels.binary import Binary
from gaussequiv.ingredients.channels.gaussian import GaussianNoise
from gaussequiv.ingredients.channels.sign import Sign
from gaussequiv.ingredients.priors import named as priors
from gaussequiv.numerics.panels import normal_panels
from gaussequiv.numerics.status import Status

_NEEDED = ("task", "log_partition", "g_out")  # of a channel
LARGEST_GRAM = 4000  # smaller side of X up to which "auto" decomposes its Gram matrix


class _Base(BaseEstimator):  # type: ignore[misc]
    """Scaling, the choice of algorithm, and the map back to raw columns."""

    def _scaled(self, X: Any) -> tuple[FloatArray, FloatArray]:
        """Centre and scale of the columns; a constant column is centred to zero and keeps its scale."""
        d = X.shape[1]
        sparse = hasattr(X, "tocsr")
        mean = np.asarray(X.mean(axis=0)).ravel() if self.fit_intercept else np.zeros(d)
        if not self.standardize:
            return mean, np.ones(d)
        if sparse:
            second = np.asarray(X.multiply(X).mean(axis=0)).ravel()
            spread = np.sqrt(np.maximum(second - mean**2, 0.0))
        else:
            spread = np.sqrt(np.mean((X - mean) ** 2, axis=0))
        return mean, np.where(spread > 1e-12 * (np.abs(mean) + spread), spread, 1.0)

    def _problem(self, X: Any) -> tuple[Any, float]:
        """The decomposed or streamed design, and the mean squared norm of its rows."""
        choice("algorithm", self.algorithm, ("auto", "vamp", "gamp"))
        self._centre, self._scale = self._scaled(X)
        sparse = hasattr(X, "tocsr")
        design = Design(X, self._centre if self.fit_intercept else None, self._scale if self.standardize else None)
        if self.algorithm == "gamp" or (self.algorithm == "auto" and min(X.shape) > LARGEST_GRAM):
            if sparse:
                square = np.asarray(X.multiply(X).sum(axis=0)).ravel() - X.shape[0] * self._centre**2
            else:
                square = np.sum(np.square(X - self._centre), axis=0)
            return design, float(np.sum(square / self._scale**2)) / X.shape[0]
        spectrum = GramSpectrum(design)
        return spectrum, float(spectrum.values.sum()) / X.shape[0]

    def _run(self, problem: Any, y: FloatArray, channel: Any, signal: float, square: float, learn: tuple[str, ...]) -> Fitted:
        prior = priors.get(self.prior)
        plain = isinstance(prior, priors.Gaussian)
        moment = 1.0 if plain else prior.second_moment
        law = ScaledPrior(float(np.sqrt(signal / (moment * max(square, 1e-300)))), None if plain else prior)
        return fit_glm(
            problem,
            y,
            channel,
            law,
            learn=learn if square > 0 else (),
            intercept=bool(self.fit_intercept),
            tolerance=number("tol", self.tol, positive=True),
            steps=integer("max_iter", self.max_iter, minimum=1),
            key=np.random.default_rng(check_random_state(self.random_state).randint(2**32, size=4, dtype=np.uint32)),
        )

    def _report(self, fits: list[Fitted]) -> None:
        """Numbers of the run, and one warning."""
        self.n_iter_ = max(fit.steps for fit in fits)
        self.status_ = max((fit.status for fit in fits), default=Status.converged).name
        self.residual_ = max(fit.residual for fit in fits)
        if self.status_ != "converged":
            warnings.warn(
                f"Message passing did not converge in {self.n_iter_} steps ({Status[self.status_].message}; relative change "
                f"{self.residual_:.1e}); try a larger max_iter, or algorithm='vamp' where X allows it.",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _raw(self, fit: Fitted) -> tuple[FloatArray, float]:
        """Coefficients and intercept on raw columns."""
        coefficients = fit.mean / self._scale
        return coefficients, float(fit.intercept - self._centre @ coefficients)

    def _field(self, X: Any, fit: Fitted, variance: bool = True) -> tuple[FloatArray, FloatArray]:
        """Posterior mean and variance of the field of raw rows."""
        coefficients, constant = self._raw(fit)
        omega = np.asarray(X @ coefficients).ravel() + constant
        if not variance:
            return omega, np.zeros_like(omega)
        spread = np.empty_like(omega)
        for start in range(0, omega.size, 1024):
            block = X[start : start + 1024]
            block = block.toarray() if hasattr(block, "toarray") else block
            spread[start : start + 1024] = fit.variances((block - self._centre) / self._scale)
        return omega, spread

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class AMPRegressor(RegressorMixin, _Base):  # type: ignore[misc]
    r"""Bayesian regression y ~ P(. | c + x.w) fitted by message passing, with predictive means and standard deviations.

    Parameters
    ----------
    channel : "gaussian" or a channel of real labels
        "gaussian": y = field + noise. Others: `AbsoluteValue`, `Relu`, `Poisson`, `Quantised`, `Output`, `LogLikelihood`, ...
    prior : str, Prior or callable
        Law of the standardised weights up to its scale: "gaussian", "rademacher", "gauss-bernoulli:DENSITY", ..., a log-density.
    noise_variance : "auto" or float
        Of the Gaussian channel; "auto" learns it. Other channels carry their own.
    signal_variance : "auto" or float
        Mean square of x.w over the training rows, a priori; "auto" learns it.
    fit_intercept, standardize : bool
        Centre the columns and learn c; divide the columns by their standard deviations.
    algorithm : {"auto", "vamp", "gamp"}
        "vamp": any columns, one eigendecomposition of the smaller Gram matrix. "gamp": no decomposition, for nearly independent columns.
        "auto": "vamp" where the smaller side of X is at most 4000.
    max_iter, tol
        Steps, and the relative change below which they end.
    random_state : int, RandomState or None
        Draws the direction in which the weights leave zero where the labels tell nothing of it by symmetry; nothing else is random.

    Attributes
    ----------
    coef_, intercept_ : array of shape (d,), float
        Posterior means, on raw columns.
    noise_variance_, signal_variance_, degrees_of_freedom_ : float
    n_iter_, status_, residual_

    Validity: with a Gaussian prior and Gaussian noise the exact posterior, its two variances at a maximum of the exact evidence. Otherwise
    see `VAMP`; the learned numbers make the expectation-consistent evidence stationary.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 20))
    >>> y = X[:, 0] + 0.5 * rng.standard_normal(200)
    >>> model = AMPRegressor().fit(X, y)
    >>> mean, std = model.predict(X[:2], return_std=True)
    >>> bool(0.45 < model.noise_variance_**0.5 < 0.56), mean.shape, std.shape
    (True, (2,), (2,))
    """

    def __init__(
        self,
        channel: Any = "gaussian",
        prior: Any = "gaussian",
        *,
        noise_variance: Any = "auto",
        signal_variance: Any = "auto",
        fit_intercept: bool = True,
        standardize: bool = True,
        algorithm: str = "auto",
        max_iter: int = 1000,
        tol: float = 1e-6,
        random_state: Any = None,
    ) -> None:
        self.channel = channel
        self.prior = prior
        self.noise_variance = noise_variance
        self.signal_variance = signal_variance
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.algorithm = algorithm
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> AMPRegressor:
        """Learn the posterior of the weights."""
        X, y = validate_data(self, X, y, dtype=np.float64, accept_sparse="csr", y_numeric=True)
        y = np.asarray(y, dtype=np.float64)
        spread = float(y.var())
        learn: tuple[str, ...] = ()
        channel, signal = self.channel, 1.0
        if isinstance(channel, str):
            choice("channel", channel, ("gaussian",))
            told = self.noise_variance != "auto" if isinstance(self.noise_variance, str) else True
            noise = number("noise_variance", self.noise_variance, positive=True) if told else max(0.5 * spread, 1e-300)
            channel, signal = GaussianNoise(noise), max(0.5 * spread, 1e-300)
            learn = () if told or spread == 0 else ("noise",)
        elif not given.is_channel(channel) or not isinstance(channel := given.get(channel, _NEEDED, "channel"), RealLabel):
            raise fail("channel", "'gaussian' or a channel of real labels", channel)
        elif not isinstance(self.noise_variance, str) or self.noise_variance != "auto":
            raise fail("noise_variance", "'auto' for a channel that carries its own noise", self.noise_variance)
        if isinstance(self.signal_variance, str):
            choice("signal_variance", self.signal_variance, ("auto",))
            learn = (*learn, "signal") if spread > 0 else learn
            signal = signal if isinstance(self.channel, str) else first_signal(channel, y, bool(self.fit_intercept))
        else:
            signal = number("signal_variance", self.signal_variance, positive=True)
        problem, square = self._problem(X)
        self._fit = self._run(problem, y, channel, signal, square, learn)
        self.coef_, self.intercept_ = self._raw(self._fit)
        self.channel_ = self._fit.channel
        self.noise_variance_ = float(self._fit.channel.noise)
        self.signal_variance_ = float(self._fit.law.second_moment) * square
        self.degrees_of_freedom_ = self._fit.degrees
        self._report([self._fit])
        return self

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Posterior mean of the label of every row, with `return_std` also its predictive standard deviation."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, accept_sparse="csr", reset=False)
        plain = isinstance(self.channel_, GaussianNoise)
        omega, V = self._field(X, self._fit, variance=return_std or not plain)
        if plain:
            return (omega, np.sqrt(V + self.noise_variance_)) if return_std else omega
        mean = self.channel_.predict(omega, V)
        if not return_std:
            return mean
        root = np.sqrt(V)[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            breaks = np.nan_to_num((np.array(self.channel_.kinks or (0.0,)) - omega[:, None]) / root, nan=0.0)
        nodes = normal_panels(breaks)
        z = omega[:, None] + root * nodes.xi
        second = (nodes.weights * (self.channel_.mean_label(z) ** 2 + self.channel_.label_variance(z))).sum(axis=1)
        return mean, np.sqrt(np.maximum(second - mean**2, 0.0))


class AMPClassifier(ClassifierMixin, _Base):  # type: ignore[misc]
    r"""Bayesian classification P(y = 1) = p(c + x.w) fitted by message passing, with predictive probabilities and nothing to tune.

    Parameters
    ----------
    channel : "probit", "logit" or a channel of binary labels
        "probit": p(z) = Phi(z). Others: `Binary`, for instance with labels that were flipped; -1 and +1 are the two classes in order.
    prior : str, Prior or callable
        Law of the standardised weights up to its scale, as in `AMPRegressor`.
    signal_variance : "auto" or float
        Mean square of x.w over the training rows, a priori; "auto" learns it.
    fit_intercept, standardize, algorithm, max_iter, tol, random_state
        As in `AMPRegressor`.

    Attributes
    ----------
    classes_ : array
    coef_, intercept_ : arrays of shape (1, d), (1,), or one row for each class
        Posterior means, on raw columns.
    signal_variance_ : array of shape (1,) or (classes,)
    n_iter_, status_, residual_

    `predict_proba` averages p over the posterior of the field of each row, P = E p(N(omega, V)), which is what keeps it calibrated. More
    than two classes are learned one against the rest, and joined given that exactly one is right: P_k in proportion to the odds P/(1 - P).

    Validity: as for `VAMP`, with the scale of the weights where the expectation-consistent evidence is stationary, under a wide prior: a
    standard deviation of 3 in the log of the signal variance, without which separable rows would send it to infinity.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 20))
    >>> y = np.where(X[:, 0] + 0.5 * rng.standard_normal(200) > 0, "yes", "no")
    >>> model = AMPClassifier().fit(X, y)
    >>> model.predict_proba(X[:3]).shape, bool(model.score(X, y) > 0.8)
    ((3, 2), True)
    """

    def __init__(
        self,
        channel: Any = "probit",
        prior: Any = "gaussian",
        *,
        signal_variance: Any = "auto",
        fit_intercept: bool = True,
        standardize: bool = True,
        algorithm: str = "auto",
        max_iter: int = 1000,
        tol: float = 1e-6,
        random_state: Any = None,
    ) -> None:
        self.channel = channel
        self.prior = prior
        self.signal_variance = signal_variance
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.algorithm = algorithm
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def _channel(self) -> Any:
        if isinstance(self.channel, str):
            name = choice("channel", self.channel, ("probit", "logit"))
            return Sign(1.0) if name == "probit" else Binary("logit")
        if not given.is_channel(self.channel) or not isinstance(found := given.get(self.channel, _NEEDED, "channel"), BinaryLabel):
            raise fail("channel", "'probit', 'logit' or a channel of binary labels", self.channel)
        return found

    def fit(self, X: Any, y: Any) -> AMPClassifier:
        """Learn the posterior of the weights."""
        X, y = validate_data(self, X, y, dtype=np.float64, accept_sparse="csr")
        check_classification_targets(y)
        self.classes_, index = np.unique(y, return_inverse=True)
        if self.classes_.size < 2:
            raise ValueError(f"Classifier can't train when only one class is present: y holds the one class {self.classes_[0]!r}.")
        channel = self._channel()
        signal = 1.0
        learn: tuple[str, ...] = ("signal",)
        if isinstance(self.signal_variance, str):
            choice("signal_variance", self.signal_variance, ("auto",))
        else:
            signal, learn = number("signal_variance", self.signal_variance, positive=True), ()
        problem, square = self._problem(X)
        ones = [1] if self.classes_.size == 2 else range(self.classes_.size)
        self._fits = [self._run(problem, np.where(index == k, 1.0, -1.0), channel, signal, square, learn) for k in ones]
        raw = [self._raw(fit) for fit in self._fits]
        self.coef_, self.intercept_ = np.stack([one for one, _ in raw]), np.array([constant for _, constant in raw])
        self.signal_variance_ = np.array([float(fit.law.second_moment) * square for fit in self._fits])
        self._report(self._fits)
        return self

    def decision_function(self, X: Any) -> FloatArray:
        """Log-odds of the second class, shape (rows,), or of each class against the rest, shape (rows, classes)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, accept_sparse="csr", reset=False)
        scores = []
        for fit in self._fits:
            omega, V = self._field(X, fit)
            up, down = (fit.channel.log_partition(np.full_like(omega, sign), omega, V) for sign in (1.0, -1.0))
            scores.append(up - down)
        return scores[0] if self.classes_.size == 2 else np.stack(scores, axis=1)

    def predict_proba(self, X: Any) -> FloatArray:
        """Predictive probability of every class, shape (rows, classes)."""
        odds = self.decision_function(X)
        if odds.ndim == 1:
            return np.stack([special.expit(-odds), special.expit(odds)], axis=1)
        return np.asarray(special.softmax(odds, axis=1))

    def predict(self, X: Any) -> Any:
        """The most probable class of every row."""
        scores = self.decision_function(X)
        best = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        return self.classes_[best]


__all__ = ["AMPClassifier", "AMPRegressor"]
