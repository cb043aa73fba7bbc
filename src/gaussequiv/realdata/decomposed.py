"""Weighted rows decomposed once: leverages, left-out residuals and smoothed vectors of the ridge fit at every ridge."""

from __future__ import annotations

import numpy as np
from scipy import linalg

from gaussequiv.errors import FloatArray, fail

RANK = 1e-12  # eigenvalues of Z'Z below this fraction of the largest are rounding
UNEVEN = 1e-9  # of the largest: directions below, if no penalty rules them, are read off Z itself and not off Z'Z
SMALLEST = 1e-300


class DecomposedRows:
    r"""The ridge fits of N rows, min sum_i a_i (y_i - c - w.x_i)^2 + l |w|^2, at all ridges l from one decomposition.

    With Z the rows sqrt(a_i) (x_i - weighted mean) = U diag(sqrt(s)) W', f_k = s_k/(s_k + l) and q_k = 1 - f_k, row i has the shares
    p_ik = U_ik^2 of the directions, p_i0 = a_i/sum a of the constant (f = 1), and the rest (f = 0): a law of mass 1 under which
    E f = h_i is its leverage, E q = 1 - h_i, and Var f the part of h that a change of l moves.

    Parameters
    ----------
    x : array of shape (N, d)
    weights : array of shape (N,), positive
    intercept : bool
        Whether the constant c is fitted.
    smallest : float
        The smallest ridge of interest. Directions of Z'Z that are rounding beside it need no care.

    Memory: two arrays of N x min(N, d).

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((50, 3))
    >>> rows = DecomposedRows(x, np.ones(50))
    >>> gap, _ = rows.left_out(np.array([2.0]))
    >>> z = x - x.mean(axis=0)
    >>> h = 1 / 50 + np.diag(z @ np.linalg.solve(z.T @ z + 2 * np.eye(3), z.T))
    >>> bool(np.allclose(1 - gap[0], h))
    True
    """

    def __init__(self, x: FloatArray, weights: FloatArray, *, intercept: bool = True, smallest: float = 0.0) -> None:
        self.rows, self.intercept, self.weights = len(x), intercept, weights
        self.roots = np.sqrt(weights)
        self.total = float(weights.sum())
        z = x - (weights @ x) / self.total if intercept else x
        if np.any(weights != 1):
            z = z * self.roots[:, None]
        narrow = z.shape[1] <= self.rows
        values, vectors = linalg.eigh(z.T @ z if narrow else z @ z.T, driver="evd", check_finite=False)
        keep = values > RANK * max(values[-1], SMALLEST)
        if not keep.any():
            raise fail("X", "an array with a column that varies", x)
        # centred rows of a wide table lack one direction; that is no small one
        if smallest + max(values[int(intercept and not narrow) :].min(), 0.0) < UNEVEN * values[-1]:
            left, singular, _ = linalg.svd(z, full_matrices=False, check_finite=False)
            keep = singular > RANK * singular[0]
            self.eigenvalues, self.left = singular[keep] ** 2, left[:, keep]
        else:
            self.eigenvalues = values[keep]
            self.left = z @ (vectors[:, keep] / np.sqrt(values[keep])) if narrow else vectors[:, keep]
        own = intercept or z is not x  # memory that is not the caller's, and is there already
        self._squares = np.multiply(self.left, self.left, out=z if own and z.shape == self.left.shape else None)
        self._level = weights / self.total if intercept else np.zeros(self.rows)
        self.rank = self.eigenvalues.size + int(intercept)
        rest = 1 - self._squares.sum(axis=1) - self._level
        # N rows in N directions leave nothing: not even rounding, which a small ridge would show
        self._rest = np.maximum(rest, 0.0) if self.rank < self.rows else np.zeros(self.rows)

    def freedom(self, ridge: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Degrees of freedom sum_i h_i and their slope in log l, at the ridges."""
        s, l = self.eigenvalues, ridge[:, None]
        f = s / (s + l)
        return f.sum(axis=1) + int(self.intercept), -np.sum(f * (l / (s + l)), axis=1)

    def left_out(self, ridge: FloatArray) -> tuple[FloatArray, FloatArray]:
        """1 - h_i and Var f of every row, of shape (ridges, N)."""
        s, l = self.eigenvalues, ridge[:, None]
        f = s / (s + l)
        small = f.sum(axis=1) < 0.5 * self.rows  # the one of f and q that is small is averaged: no cancellation
        chosen = np.where(small[:, None], f, l / (s + l))
        mean, square = np.split(np.concatenate([chosen, chosen**2]) @ self._squares.T, 2)
        for group, beside in ((small, self._level), (~small, self._rest)):
            mean[group] += beside
            square[group] += beside
        square -= mean**2
        mean[small] = 1 - mean[small]
        return np.clip(mean, SMALLEST, 1.0, out=mean), np.maximum(square, 0.0, out=square)

    def residuals(self, y: FloatArray, ridge: FloatArray) -> FloatArray:
        """sqrt(a_i) times the residual of the fit to y, of shape (ridges, N)."""
        centred = self.roots * (y - (self.weights @ y) / self.total if self.intercept else y)
        shares = self.left.T @ centred
        kept = ridge[:, None] / (self.eigenvalues + ridge[:, None])
        beside = centred - self.left @ shares if self.rank < self.rows else np.zeros(self.rows)
        return beside + (kept * shares) @ self.left.T

    def smoothed(self, vectors: FloatArray, ridge: FloatArray) -> FloatArray:
        """H(l) v for one vector v for each ridge, H the symmetric matrix whose diagonal are the leverages; of shape (ridges, N)."""
        s = self.eigenvalues
        out = (s / (s + ridge[:, None]) * (vectors @ self.left)) @ self.left.T
        return out + np.outer(vectors @ self.roots / self.total, self.roots) if self.intercept else out
