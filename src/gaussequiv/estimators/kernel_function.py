"""Kernels of this package as scikit-learn calls them."""

from __future__ import annotations

from typing import Any

import numpy as np

from gaussequiv.errors import fail


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
