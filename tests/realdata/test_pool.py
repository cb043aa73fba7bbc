"""`Pool`: identities at the pool's own size, brute force, exact errors of Gaussian data, and where it has no answer."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from gaussequiv.errors import ArgumentError
from gaussequiv.numerics.effective_ridge import solve_effective_ridge
from gaussequiv.numerics.status import Status
from gaussequiv.realdata.pool import Pool

SPECTRUM = np.geomspace(3, 0.05, 40)
TEACHER = np.random.default_rng(1).standard_normal(40) / np.sqrt(40)
NOISE = 0.25


def draw(rng, n, mean=1.0):
    z = rng.standard_normal((n, 40)) * np.sqrt(SPECTRUM)
    return z + mean, z @ TEACHER + np.sqrt(NOISE) * rng.standard_normal(n)


def exact(n, lam):
    """Error with the population's own spectrum: n' = lam/k + df1, E = (tau + bias)/(1 - df2/n') (1 + 1/n)."""
    free = n - 1
    k = float(solve_effective_ridge(np.array([free / 40]), np.array([lam / 40]), SPECTRUM, np.full(40, 1 / 40)).kappa[0])
    risk = NOISE + k**2 * np.sum(SPECTRUM * TEACHER**2 / (SPECTRUM + k) ** 2)
    return risk * (1 + 1 / n) / (1 - np.sum((SPECTRUM / (SPECTRUM + k)) ** 2) / free)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("shape", [(30, 8), (30, 50)])
@pytest.mark.parametrize("lam", [0.3, 20.0])
def test_at_its_own_size_it_is_the_leave_one_out_error(shape, intercept, lam):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(shape) + 0.5, rng.standard_normal(shape[0])
    model = Ridge(alpha=lam, fit_intercept=intercept, solver="svd")
    rest = [np.delete(np.arange(len(y)), i) for i in range(len(y))]
    brute = np.mean([(y[i] - model.fit(x[keep], y[keep]).predict(x[[i]])[0]) ** 2 for i, keep in enumerate(rest)])
    found = Pool(x, y, intercept=intercept).ridge(len(y), lam)
    assert found.test_error[0] == pytest.approx(brute, rel=1e-9)
    assert found.status[0] == Status.converged


def test_gaussian_data_on_both_sides_of_the_pool():
    sizes, lam = np.array([15, 45, 150, 600]), 1.0
    pools = [Pool(*draw(np.random.default_rng(seed), 150)).ridge(sizes, lam).test_error for seed in range(48)]
    ratio = np.array(pools) / [exact(n, lam) for n in sizes]
    error = ratio.std(axis=0, ddof=1) / np.sqrt(len(ratio))
    assert np.all(np.abs(ratio.mean(axis=0) - 1) < 4 * error + 1 / 40)  # 1/p: corrections to the deterministic equivalents
    assert np.all(error < 0.03)


def test_every_penalty_from_one_decomposition():
    pool = Pool(*draw(np.random.default_rng(0), 100))
    lams = np.geomspace(1e-6, 1e6, 13)
    together = pool.ridge(60, lams)
    assert together.test_error == pytest.approx([pool.ridge(60, lam).test_error[0] for lam in lams], rel=1e-12)
    assert np.all(np.diff(together.kappa) > 0)
    assert together.test_error[-1] == pytest.approx(np.var(pool.centred, ddof=1) * (1 + 1 / 60), rel=0.02)  # the mean alone


def test_least_squares_and_its_peak():
    pool = Pool(*draw(np.random.default_rng(0), 400))
    peak, above, below = (pool.ridge(n, 0.0) for n in (41, 200, 20))
    assert peak.status[0] == Status.diverged and np.isinf(peak.test_error[0])
    assert above.test_error[0] == pytest.approx(NOISE / (1 - 40 / 199), rel=0.3) and above.kappa[0] == 0
    assert below.status[0] == Status.converged and below.kappa[0] > 0


def test_more_rows_than_the_pool_identifies():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((30, 100))
    found = Pool(x, x[:, 0]).ridge([20, 3000], 0.01)
    assert found.status.tolist() == [Status.converged, Status.nonfinite]
    assert np.isfinite(found.test_error[0]) and np.isnan(found.test_error[1])


@pytest.mark.parametrize(
    ("x", "y", "text"),
    [(np.ones((5, 2)), np.ones(5), "varies"), (np.eye(3), np.ones(3), "4 rows"), (np.eye(5), np.ones(4), "5 labels")],
)
def test_refusals(x, y, text):
    with pytest.raises(ArgumentError, match=text):
        Pool(x, y)


def test_sizes_are_checked():
    with pytest.raises(ArgumentError, match="at least 2"):
        Pool(*draw(np.random.default_rng(0), 50)).ridge(1, 1.0)
