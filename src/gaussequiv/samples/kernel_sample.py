"""A finite training sample seen through a kernel, and kernel ridge on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import linalg

from gaussequiv.errors import FloatArray
from gaussequiv.numerics.status import Status
from gaussequiv.samples.training_sample import RANK_TOLERANCE, LinearPredictor


@dataclass
class KernelSample:
    r"""The kernel matrix of n training rows, with their labels.

    A predictor is linear in the student's row (K(x, x_1), ..., K(x, x_n)): its coefficients are the dual ones.

    Parameters
    ----------
    gram : array of shape (n, n)
        K(x_mu, x_nu).
    y : array of shape (n,)
    dimension : int
        The input dimension d.
    """

    gram: FloatArray
    y: FloatArray
    dimension: int
    uniforms: FloatArray | None = None
    _decompositions: dict[bool, tuple[Any, ...]] = field(default_factory=dict, repr=False)

    @property
    def alpha(self) -> float:
        """n/d."""
        return self.y.size / self.dimension

    def ridge(self, lam: float, intercept: bool) -> LinearPredictor:
        """Kernel ridge regression f = K a + c: (K + lam) a = y - c, and sum(a) = 0 with an unpenalised constant c.

        One eigendecomposition (of K, or of K centred on both sides) serves every lam, also a negative one above minus the smallest
        eigenvalue; below, the status is `diverged`.
        """
        if intercept not in self._decompositions:
            self._decompositions[intercept] = self._decompose(intercept)
        values, vectors, projected, means, ybar = self._decompositions[intercept]
        n = self.y.size
        if np.isinf(lam):
            return LinearPredictor(np.zeros(n), float(ybar), lam)
        shifted = values + lam
        inverse = np.zeros_like(values)
        usable = np.abs(shifted) > RANK_TOLERANCE * values[-1]
        inverse[usable] = 1 / shifted[usable]
        dual = vectors @ (inverse * projected)
        if intercept:
            dual -= dual.mean()
        least = shifted[1:] if intercept else shifted  # centring leaves one eigenvalue 0, that of the constant
        status = Status.diverged if lam < 0 and least.size and float(least.min()) <= 0 else Status.converged
        return LinearPredictor(dual, float(ybar - means @ dual), lam, status)

    def _decompose(self, intercept: bool) -> tuple[Any, ...]:
        if not intercept:
            values, vectors = linalg.eigh(self.gram, check_finite=False, driver="evd")
            return np.maximum(values, 0.0), vectors, vectors.T @ self.y, np.zeros(self.y.size), 0.0
        means = self.gram.mean(axis=0)
        centred = self.gram - means[:, None]
        centred -= means
        centred += means.mean()
        values, vectors = linalg.eigh(centred, overwrite_a=True, check_finite=False, driver="evd")
        ybar = float(self.y.mean())
        return np.maximum(values, 0.0), vectors, vectors.T @ (self.y - ybar), means, ybar
