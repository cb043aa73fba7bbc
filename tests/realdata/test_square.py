"""`square_curves`: exact leave-one-out at the pool's size, exact curves of Gaussian rows, rows of any lengths, peaks, bands, refusals."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LinearRegression, Ridge, RidgeClassifier
from sklearn.preprocessing import StandardScaler

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.ingredients.channels.base import Sign
from gaussequiv.learners.convex.erm import ERM
from gaussequiv.numerics.effective_ridge import solve_effective_ridge
from gaussequiv.numerics.status import Status
from gaussequiv.realdata.square import square_curves

P = 40
SPECTRUM = np.geomspace(3, 0.05, P)
TEACHER = np.random.default_rng(1).standard_normal(P) / np.sqrt(P)
NOISE = 0.25


def gaussian(rng, n):
    z = rng.standard_normal((n, P)) * np.sqrt(SPECTRUM)
    return z + 1.0, z @ TEACHER + np.sqrt(NOISE) * rng.standard_normal(n)


def one(x, y, sizes, lam, weights=None, **settings):
    return square_curves(x, [y], np.ones(len(y)) if weights is None else weights, np.asarray(sizes, dtype=float), lam, **settings)[0]


def exact(n, lam):
    """n' = lam/k + df1(k), E = (noise + bias)/(1 - df2/n') (1 + 1/n), with the population's spectrum."""
    free = n - 1
    k = float(solve_effective_ridge(np.array([free / P]), np.array([lam / P]), SPECTRUM, np.full(P, 1 / P)).kappa[0])
    risk = NOISE + k**2 * np.sum(SPECTRUM * TEACHER**2 / (SPECTRUM + k) ** 2)
    return risk * (1 + 1 / n) / (1 - np.sum((SPECTRUM / (SPECTRUM + k)) ** 2) / free)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize(("shape", "lam"), [((30, 8), 0.3), ((30, 50), 20.0), ((30, 50), 0.3), ((30, 8), 0.0), ((30, 50), 1e-6)])
@pytest.mark.parametrize("classify", [True, False])
def test_at_the_pools_size_it_is_the_leave_one_out_error(shape, lam, intercept, classify):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(shape) + 0.5, rng.standard_normal(shape[0])
    y = np.where(y > 0, 1.0, -1.0) if classify else y
    weights = np.where(y > 0, 2.0, 0.7)
    model = Ridge(alpha=lam, fit_intercept=intercept, solver="svd") if lam else LinearRegression(fit_intercept=intercept)
    rest = [np.delete(np.arange(len(y)), i) for i in range(len(y))]
    guess = np.array([model.fit(x[keep], y[keep], sample_weight=weights[keep]).predict(x[[i]])[0] for i, keep in enumerate(rest)])
    brute = np.mean(guess * y < 0) if classify else np.mean((guess - y) ** 2)
    found = one(x, y, [len(y)], lam, weights, intercept=intercept, classify=classify)
    assert found.test_error[0] == pytest.approx(brute, rel=1e-6) and found.status[0] == Status.converged


@pytest.mark.parametrize("lam", [1.0, 30.0])
def test_gaussian_rows_on_both_sides_of_the_pool(lam):
    sizes = np.array([15, 45, 150, 225])
    ratio = np.array([one(*gaussian(np.random.default_rng(seed), 150), sizes, lam).test_error for seed in range(48)])
    ratio /= [exact(n, lam) for n in sizes]
    error = ratio.std(axis=0, ddof=1) / np.sqrt(len(ratio))
    assert np.all(np.abs(ratio.mean(axis=0) - 1) < 4 * error + 1 / P)  # 1/p: corrections to the deterministic equivalents
    assert np.all(error < 0.03)


def test_wrong_signs_of_gaussian_rows():
    """Error of the sign of a ridge fit, from 400 rows to 100 and to 600."""
    mean = SPECTRUM.mean()
    law = GaussianEquivalent(SPECTRUM, np.full(P, 1 / P), SPECTRUM**2 / mean, 1.0, np.zeros(1), 0.0, Sign(0.2))
    sizes = np.array([100, 600])
    truth = ERM("square", 1.0 / P, intercept=False).solve(law, sizes / P)["test_error"]
    found = []
    for seed in range(32):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((400, P)) * np.sqrt(SPECTRUM)
        field = x @ np.ones(P) / np.sqrt(SPECTRUM.sum()) + np.sqrt(0.2) * rng.standard_normal(400)
        found.append(one(x, np.sign(field), sizes, 1.0, intercept=False, classify=True).test_error)
    error = np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    assert np.all(np.abs(np.mean(found, axis=0) - truth) < 4 * error + truth / P)
    assert np.all(error < 0.03 * truth)


def refits(draw, sizes, model, repeats, classify=False):
    """Mean error, and its standard error, of fits to fresh rows, on fresh rows."""
    errors = np.empty((repeats, len(sizes)))
    for repeat in range(repeats):
        rng = np.random.default_rng(10_000 + repeat)
        for i, n in enumerate(sizes):
            x, y = draw(rng, n)
            test, label = draw(rng, 2000)
            guess = model.fit(x, y).predict(test)
            errors[repeat, i] = np.mean(guess != label) if classify else np.mean((guess - label) ** 2)
    return errors.mean(axis=0), errors.std(axis=0, ddof=1) / np.sqrt(repeats)


def long_and_short(rng, n):
    """Rows of one shape and of lengths that differ by a factor of ten, more noise on the longer ones."""
    x = rng.standard_normal((n, 30)) * np.exp(0.6 * rng.standard_normal((n, 1)))
    return x, x[:, :5].sum(axis=1) + 0.3 * np.linalg.norm(x, axis=1) * rng.standard_normal(n)


def rare_columns(rng, n):
    x = np.column_stack([rng.standard_normal((n, 6)), rng.random((n, 20)) < np.geomspace(0.01, 0.3, 20)])
    return x, x @ np.linspace(-2, 2, 26) + rng.standard_normal(n)


def one_factor(rng, n):
    u = rng.standard_normal((n, 1))
    x = rng.standard_normal((n, 120))
    x[:, :40] += 0.9 * u
    return x, 2 * u[:, 0] + 0.3 * rng.standard_normal(n)


@pytest.mark.parametrize(
    ("draw", "lam", "allowed"),
    [(long_and_short, 1.0, 0.05), (long_and_short, 30.0, 0.05), (rare_columns, 1.0, 0.05), (one_factor, 10.0, 0.05)],
)
def test_it_predicts_fits_to_fresh_rows(draw, lam, allowed):
    sizes = np.array([50, 150, 500, 750])
    pools = np.array([one(*draw(np.random.default_rng(seed), 500), sizes, lam).test_error for seed in range(16)])
    error = pools.std(axis=0, ddof=1) / 4
    truth, spread = refits(draw, sizes, Ridge(alpha=lam), 40)
    assert np.all(np.abs(pools.mean(axis=0) - truth) < 4 * np.hypot(error, spread) + allowed * truth)


def test_the_interpolation_peak_is_finite_and_where_it_is():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((900, 60))
    y = x[:, :5].sum(axis=1) + rng.standard_normal(900)
    sizes = np.arange(45, 76)
    found = one(x, y, sizes, 1e-6)
    assert np.all(found.status == Status.converged) and np.all(found.test_error_stderr > 0)
    assert sizes[np.argmax(found.test_error)] == 61  # rank and constant
    plain = one(x, y, np.append(sizes, [900, 1350]), 0.0)
    assert np.flatnonzero(plain.status != Status.converged).tolist() == [16] and plain.status[16] == Status.diverged
    keep = sizes != 61
    assert plain.test_error[:-2][keep] == pytest.approx(found.test_error[keep], rel=0.02)
    assert np.all(found.room[5:-8] < 0.2) and found.room[16] == found.room.min()


@pytest.mark.parametrize("lam", [1e-3, 1.0, 100.0])
def test_standardised_digits_are_known_at_every_size(lam):
    X, y = load_digits(return_X_y=True)
    X, y = StandardScaler().fit_transform(X), np.where(y % 2, 1.0, -1.0)
    sizes = [10, 40, 60, 62, 70, 150, 600, 1797, 2695]
    found = one(X, y, sizes, lam, classify=True)
    assert np.all(found.status == Status.converged) and np.all(np.isfinite(found.test_error_stderr))
    plain = one(X, y, sizes, lam)
    assert np.all(plain.status == Status.converged) and np.all(plain.test_error > 0)


def test_rows_that_hold_a_direction_alone_are_measured():
    """Rare columns that no penalty rules, not rows of unequal length, nor a peak."""
    rng = np.random.default_rng(0)
    x, y = gaussian(rng, 500)
    x, sizes = np.column_stack([x, rng.random((500, 3)) < 0.02]), [60, 400]
    assert np.all((one(x, y, sizes, 1e-6).alone > 0.01) == [True, False])
    assert np.all(one(x, y, sizes, 1.0).alone < 0.01)
    assert np.all(one(*long_and_short(np.random.default_rng(0), 500), sizes, 0.1).alone < 0.01)
    assert np.all(one(*gaussian(np.random.default_rng(0), 500), [41, 60, 400], 1e-6).alone < 0.01)


def test_what_rows_do_not_identify():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((30, 100))
    found = one(x, x[:, 0], [20, 30, 3000], 0.01)
    assert found.status.tolist() == [Status.converged, Status.converged, Status.nonfinite] and np.isnan(found.test_error[2])
    assert one(x, x[:, 0], [20, 30, 31], 0.0).status.tolist() == [Status.converged, Status.diverged, Status.nonfinite]


@pytest.mark.parametrize("classify", [True, False])
@pytest.mark.parametrize("draw", [gaussian, rare_columns])
def test_the_band_is_the_spread_over_pools(draw, classify):
    found = []
    for seed in range(64):
        x, y = draw(np.random.default_rng(seed), 150)
        found.append(one(x, np.where(y > 0.3, 1.0, -1.0) if classify else y, [50, 150, 225], 1.0, classify=classify))
    spread = np.std([f.test_error for f in found], axis=0, ddof=1)
    claimed = np.sqrt(np.mean([f.test_error_stderr**2 for f in found], axis=0))
    assert np.all(np.abs(np.log(claimed / spread)) < 4 / np.sqrt(2 * 64) + 0.1)  # four standard errors of a spread, and a tenth


def test_labels_share_decompositions_and_do_not_meet():
    x, y = gaussian(np.random.default_rng(0), 200)
    both = square_curves(x, [y, y**2], np.ones(200), np.array([50.0, 200.0]), 1.0)
    for found, label in zip(both, (y, y**2), strict=True):
        assert found.test_error == pytest.approx(one(x, label, [50, 200], 1.0).test_error, rel=1e-12)


def test_it_does_not_hang_on_units_of_labels_and_rows():
    x, y = gaussian(np.random.default_rng(0), 200)
    plain = one(x, y, [50, 200, 300], 1.0)
    other = one(1e3 * x, 1e-4 * y + 5, [50, 200, 300], 1e6)
    assert other.test_error == pytest.approx(1e-8 * plain.test_error, rel=1e-6)
    assert other.test_error_stderr == pytest.approx(1e-8 * plain.test_error_stderr, rel=1e-6)
    weighted = one(x, y, [50, 200, 300], 3.0, np.full(200, 3.0))
    assert weighted.test_error == pytest.approx(plain.test_error, rel=1e-9)


def test_classes_of_unequal_weight_follow_refits():
    def draw(rng, n):
        x = rng.standard_normal((n, 25))
        return x, np.where(x[:, :4].sum(axis=1) / 2 + rng.standard_normal(n) > 1.8, 1.0, -1.0)

    sizes = np.array([60, 200, 800])
    pools = []
    for seed in range(16):
        x, y = draw(np.random.default_rng(seed), 800)
        pools.append(one(x, y, sizes, 5.0, np.where(y > 0, 6.0, 1.0), classify=True).test_error)
    truth, spread = refits(draw, sizes, RidgeClassifier(alpha=5.0, class_weight={1: 6.0, -1: 1.0}), 40, classify=True)
    error = np.hypot(np.std(pools, axis=0, ddof=1) / 4, spread)
    assert np.all(np.abs(np.mean(pools, axis=0) - truth) < 4 * error + 0.05 * truth)


def test_no_warning_leaks_from_random_tables():
    """Rare and duplicated columns, heavy tails, factors, unequal weights, all sizes: no warning, a known status, finite numbers."""
    rng = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(60):
            n, d = rng.integers(8, 60), rng.integers(1, 80)
            x = rng.standard_normal((n, d)) * rng.choice([1.0, 30.0], d)
            x[:, rng.random(d) < 0.2] = (rng.random((n, 1)) < 0.1).astype(float)
            x = np.column_stack([x, x[:, :2], rng.standard_normal(n)]) * (1 + rng.standard_t(2, (n, 1)) ** 2)
            y = rng.standard_normal(n) + x[:, 0]
            classify = bool(rng.random() < 0.5)
            y = np.where(y > np.median(y), 1.0, -1.0) if classify else y
            lam = float(rng.choice([0.0, 1e-8, 1e-2, 1.0, 1e4]))
            weights = rng.choice([1.0, 5.0], n)
            sizes = np.unique([2, 3, n // 2 + 2, d, n, 3 * n // 2])
            found = one(x, y, sizes, lam, weights, classify=classify)
            fine = found.status == Status.converged
            assert np.all(np.isfinite(found.test_error[fine])) and np.all(np.isnan(found.test_error[~fine]))
            if lam > 0:
                assert fine[sizes <= n].all()
