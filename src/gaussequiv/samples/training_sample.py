"""A finite training sample and the linear predictors that are fitted on it; learners share its decompositions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from scipy import linalg

from gaussequiv.errors import FloatArray
from gaussequiv.numerics.status import Status

RANK_TOLERANCE = 1e-12  # eigenvalues of the Gram matrix below this fraction of the largest are zero (minimum-norm solution)


@dataclass(frozen=True)
class LinearPredictor:
    """f(x) = x.coefficients + intercept, x the student's row: inputs, features, or kernel values at the training rows."""

    coefficients: FloatArray
    intercept: float
    lam: float = np.nan
    status: Status = Status.converged
    steps: int = 0
    residual: float = 0.0
    variance: float = np.nan  # of the field that a posterior leaves unknown, effective noise included
    threshold: float = 0.0  # subtracted from the field's mean, so that the likelier label is the sign
    loss: Any = None  # what was minimised, if its numbers were tuned
    response: Any = None  # field -> predicted label, where they differ (None: the field itself)

    def __call__(self, rows: FloatArray) -> FloatArray:
        """Predictions for a block of the student's rows."""
        return rows @ self.coefficients + self.intercept


@dataclass
class TrainingSample:
    """n rows of a student's inputs or features with labels.

    Parameters
    ----------
    x : array of shape (n, p)
    y : array of shape (n,)
    dimension : int, optional
        The input dimension d, by default p.
    uniforms : array of shape (n,), optional
        Uniform draws from which learners with a law of sample weights take them.
    rotation, variances, centre
        `Inputs.whiten` and `Inputs.centre`: (x - centre) @ rotation / sqrt(variances) has identity covariance (rotation None: the
        identity). Only message passing uses them.
    """

    x: FloatArray
    y: FloatArray
    rotation: FloatArray | None = None
    variances: FloatArray | None = None
    centre: FloatArray | None = None
    dimension: int | None = None
    uniforms: FloatArray | None = None
    _decompositions: dict[bool, tuple[Any, ...]] = field(default_factory=dict, repr=False)

    gram: ClassVar[None] = None  # kernel values take the place of rows in a `KernelSample`

    @property
    def p(self) -> int:
        """The student's dimension."""
        return int(self.x.shape[1])

    @property
    def alpha(self) -> float:
        """n/d, d the input dimension."""
        return float(self.x.shape[0] / (self.dimension or self.p))

    def ridge(self, lam: float, intercept: bool) -> LinearPredictor:
        """Minimise |y - c - X b|^2 + lam p |b|^2 (student field w.x/sqrt(p), b = w/sqrt(p)).

        One eigendecomposition of the smaller Gram matrix, divided by p, serves every lam. lam = 0 is the minimum-norm solution.
        """
        n, d = self.x.shape
        if intercept not in self._decompositions:
            self._decompositions[intercept] = self._decompose(intercept)
        values, vectors, projected, mean, ybar = self._decompositions[intercept]
        if np.isinf(lam):
            return LinearPredictor(np.zeros(d), float(ybar), lam)
        inverse = np.zeros_like(values)
        usable = values + lam > RANK_TOLERANCE * values[-1]
        inverse[usable] = 1 / (values[usable] + lam)
        solved = vectors @ (inverse * projected)
        coefficients = (self.x.T @ solved - mean * solved.sum()) / d if n <= d else solved / d
        return LinearPredictor(coefficients, float(ybar - mean @ coefficients), lam)

    def _decompose(self, intercept: bool) -> tuple[Any, ...]:
        n, d = self.x.shape
        mean = self.x.mean(axis=0) if intercept else np.zeros(d)
        ybar = self.y.mean() if intercept else np.float64(0.0)
        y = self.y - ybar
        if n <= d:
            x = self.x - mean if intercept else self.x
            gram, right = x @ x.T / d, y
        else:
            gram = self.x.T @ self.x / d
            right = self.x.T @ y  # the centred labels sum to zero
            if intercept:
                gram -= np.outer(mean, mean) * (n / d)
        values, vectors = linalg.eigh(gram, overwrite_a=True, check_finite=False, driver="evd")
        return np.maximum(values, 0.0), vectors, vectors.T @ right, mean, ybar

    def whitened(self) -> tuple[FloatArray, FloatArray, FloatArray | None]:
        """(z, w, back): inputs with identity covariance, variances of the kept directions; back maps z- to x-coefficients."""
        d = self.x.shape[1]
        w = np.ones(d) if self.variances is None else self.variances
        x = self.x if self.centre is None or not np.any(self.centre) else self.x - self.centre
        if self.rotation is None and np.all(w == 1):
            return x, w, None
        keep = w > 0
        back = (np.eye(d) if self.rotation is None else self.rotation)[:, keep] / np.sqrt(w[keep])
        return (x[:, keep] / np.sqrt(w[keep]) if self.rotation is None else x @ back), w[keep], back
