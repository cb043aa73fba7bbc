"""Rows as kernel ridge regression sees them: columns whose products are the kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg
from sklearn.metrics.pairwise import pairwise_kernels

from gaussequiv.errors import ArgumentError, FloatArray, fail

MOST = 6000  # rows: a decomposition of so many takes minutes
RANK = 1e-12  # eigenvalues below this fraction of the largest are rounding
NEGATIVE = 1e-8  # of the largest: a kernel with one further below 0 is none


def kernel_columns(estimator: Any, rows: FloatArray) -> FloatArray:
    """Z with Z Z' = K: kernel ridge regression on any of these rows is ridge regression without a constant on their columns of Z.

    Parameters
    ----------
    estimator : KernelRidge
        Its kernel, by name with gamma, degree and coef0, or a function of two rows.
    rows : array of shape (N, d)

    Returns
    -------
    array of shape (N, rank)

    Raises
    ------
    ArgumentError
        For a precomputed kernel, more than 6,000 rows, and a function that is no kernel.

    Examples
    --------
    >>> from sklearn.kernel_ridge import KernelRidge
    >>> X = np.random.default_rng(0).standard_normal((20, 3))
    >>> Z = kernel_columns(KernelRidge(kernel="rbf", gamma=0.5), X)
    >>> bool(np.allclose(Z @ Z.T, np.exp(-0.5 * np.sum((X[:, None] - X) ** 2, axis=2))))
    True
    """
    if len(rows) > MOST:
        raise ArgumentError(
            f"Argument `X` must have at most {MOST} rows for KernelRidge, whose kernel is decomposed, but has {len(rows)}: give a sample "
            "of them, or take random features (Nystroem, RBFSampler) with Ridge."
        )
    get = estimator.get_params().get
    if get("kernel") == "precomputed":
        raise fail("kernel", "a name or a function of two rows", "precomputed")
    if callable(get("kernel")):
        options = get("kernel_params") or {}
        kernel = pairwise_kernels(rows, metric=get("kernel"), **options)
    else:
        options = {name: get(name) for name in ("gamma", "degree", "coef0")}
        kernel = pairwise_kernels(rows, metric=get("kernel"), filter_params=True, **options)
    values, vectors = linalg.eigh(kernel, driver="evd")
    if not values[-1] > 0 or values[0] < -NEGATIVE * values[-1]:
        raise fail("kernel", "a kernel: symmetric, without negative eigenvalues", get("kernel"))
    keep = values > RANK * values[-1]
    return np.asarray(vectors[:, keep] * np.sqrt(values[keep]))
