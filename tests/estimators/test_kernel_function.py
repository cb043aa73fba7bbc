"""Kernels keep scikit-learn's contracts."""

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.svm import SVC

from gaussequiv.errors import ArgumentError
from gaussequiv.estimators.kernel_function import KernelFunction
from gaussequiv.ingredients.features.kernels import NNGP


def test_kernels_are_called_as_scikit_learn_calls_them():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((30, 6)), rng.standard_normal(30)
    kernel = KernelFunction(NNGP("relu"))
    block = NNGP("relu").block(X, X[:4])
    assert kernel(X, X[:4]) == pytest.approx(block) and kernel(X[2], X[1]) == pytest.approx(block[2, 1])
    called = KernelRidge(alpha=0.1, kernel=kernel).fit(X, y).predict(X[:4])
    given = KernelRidge(alpha=0.1, kernel="precomputed").fit(kernel(X, X), y).predict(kernel(X[:4], X))
    assert called == pytest.approx(given, rel=1e-9)
    assert SVC(kernel=kernel).fit(X, np.sign(y)).predict(X).shape == (30,)
    with pytest.raises(ArgumentError, match="block"):
        KernelFunction("rbf")
