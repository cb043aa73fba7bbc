"""Kernel ridge on a sample, against scikit-learn, a bordered system and primal ridge; samples that know the input dimension."""

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge

from gaussequiv.ingredients.features.kernels import NNGP
from gaussequiv.numerics.status import Status
from gaussequiv.samples.kernel_sample import KernelSample
from gaussequiv.samples.training_sample import TrainingSample

RNG = np.random.default_rng(0)
X, T, Y = RNG.standard_normal((60, 20)), RNG.standard_normal((9, 20)), RNG.standard_normal(60) + 2
KERNEL = NNGP("relu", bias_variance=0.2)
SAMPLE = KernelSample(KERNEL.block(X), Y, 20)


@pytest.mark.parametrize("lam", [0.0, 0.1, 30.0])
def test_against_scikit_learn(lam):
    """Source: sklearn.kernel_ridge.KernelRidge(alpha=lam) on the precomputed kernel."""
    reference = KernelRidge(alpha=lam, kernel="precomputed").fit(SAMPLE.gram, Y).predict(KERNEL.block(T, X))
    assert np.allclose(SAMPLE.ridge(lam, False)(KERNEL.block(T, X)), reference, rtol=1e-8)


@pytest.mark.parametrize("lam", [-0.01, 0.1, 30.0])
def test_intercept_solves_the_bordered_system(lam):
    """(K + lam) a + c = y, sum(a) = 0; also for a negative penalty."""
    n = Y.size
    system = np.block([[SAMPLE.gram + lam * np.eye(n), np.ones((n, 1))], [np.ones((1, n)), np.zeros((1, 1))]])
    solution = np.linalg.solve(system, np.append(Y, 0.0))
    fit = SAMPLE.ridge(lam, True)
    assert fit.status == Status.converged
    assert np.allclose(fit.coefficients, solution[:-1], rtol=0, atol=1e-9)
    assert fit.intercept == pytest.approx(solution[-1], rel=1e-8)


@pytest.mark.parametrize("intercept", [True, False])
def test_linear_kernel_is_primal_ridge(intercept):
    primal = TrainingSample(X, Y).ridge(0.3, intercept)
    dual = KernelSample(X @ X.T / 20, Y, 20).ridge(0.3, intercept)
    assert np.allclose(dual(T @ X.T / 20), primal(T), rtol=1e-9)


def test_ends():
    constant = SAMPLE.ridge(np.inf, True)
    assert constant.intercept == pytest.approx(Y.mean()) and not constant.coefficients.any()
    assert SAMPLE.ridge(-10.0, False).status == Status.diverged
    assert SAMPLE.ridge(-10.0, True).status == Status.diverged
    assert SAMPLE.alpha == 3.0


def test_features_know_the_input_dimension():
    sample = TrainingSample(RNG.standard_normal((60, 50)), Y, dimension=20)
    assert (sample.alpha, sample.p) == (3.0, 50)
    assert TrainingSample(X, Y).alpha == 3.0
    x = sample.x
    fit = sample.ridge(0.7, False)
    assert np.allclose(fit.coefficients, np.linalg.solve(x.T @ x + 0.7 * 50 * np.eye(50), x.T @ Y), rtol=1e-8)


@pytest.mark.parametrize("intercept", [True, False])
def test_negative_penalties_reach_to_the_smallest_eigenvalue(intercept):
    """Without an intercept that of K; with one the smallest of the centred K beside the 0 of the constant."""
    values = np.linalg.eigvalsh(SAMPLE.gram)
    if intercept:
        centring = np.eye(Y.size) - 1 / Y.size
        values = np.linalg.eigvalsh(centring @ SAMPLE.gram @ centring)[1:]
    assert values[0] > 1e-3
    for lam, status in ((-0.999 * values[0], Status.converged), (-0.5 * (values[0] + values[1]), Status.diverged), (-1e3, Status.diverged)):
        assert SAMPLE.ridge(lam, intercept).status == status
    flat = KernelSample(np.ones((1, 1)), np.array([2.0]), 1)
    assert flat.ridge(-0.5, True).status == Status.converged and flat.ridge(-1.5, False).status == Status.diverged


@pytest.mark.parametrize("intercept", [True, False])
def test_kernels_of_low_rank_and_without_penalty_have_the_least_norm(intercept):
    """Rank 5 of 60 rows: K+ (y - c), in any units."""
    x = X[:, :5]
    for unit in (1.0, 1e-6, 1e7):
        gram = unit * x @ x.T
        fit = KernelSample(gram, Y, 20).ridge(0.0, intercept)
        assert fit.status == Status.converged
        centring = np.eye(60) - (1 / 60 if intercept else 0.0)
        exact = np.linalg.pinv(centring @ gram @ centring, rcond=1e-10, hermitian=True) @ (centring @ Y)
        np.testing.assert_allclose(fit.coefficients, exact, rtol=1e-6, atol=1e-9 * np.abs(exact).max())
