"""`equivalent_from_rows`: on Gaussian rows it finds the law they came from."""

import numpy as np
import pytest

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import ArgumentError
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.learners.convex.erm import ERM
from gaussequiv.learners.convex.ridge import Ridge
from gaussequiv.realdata.equivalent import equivalent_from_rows, fit_population
from gaussequiv.realdata.pool import Pool

P = 60
SPECTRUM = np.geomspace(2, 0.1, P)
ALPHA = np.array([0.5, 2.0, 8.0])


def draw(seed, n, task, offset=0.0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, P)) * np.sqrt(SPECTRUM)
    field = x @ np.ones(P) / np.sqrt(SPECTRUM.sum()) + np.sqrt(0.3) * rng.standard_normal(n) + offset
    return x, np.where(field > 0, 1.0, -1.0) if task == "classification" else field


def law(channel, offset=None):
    return GaussianEquivalent(SPECTRUM, np.full(P, 1 / P), SPECTRUM**2 / SPECTRUM.mean(), 1.0, np.zeros(1), 0.0, channel, offset=offset)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_it_gives_the_curve_of_the_law(task):
    channel = Sign(0.3) if task == "classification" else GaussianNoise(0.3)
    exact = Ridge(0.05).solve(law(channel), ALPHA)["test_error"]
    found = np.array(
        [Ridge(0.05).solve(equivalent_from_rows(*draw(seed, 240, task), task=task), ALPHA)["test_error"] for seed in range(16)]
    )
    error = found.std(axis=0, ddof=1) / 4
    assert np.all(np.abs(found.mean(axis=0) - exact) < 4 * error + 2 * exact / P)
    assert np.all(error < 0.03 * exact)


def test_mirrored_labels_mirror_the_offset():
    x, y = draw(0, 400, "classification", offset=0.8)
    one, two = equivalent_from_rows(x, y), equivalent_from_rows(x, -y)
    assert one.offset == pytest.approx(-two.offset, rel=1e-12)
    learners = [ERM("logistic", 0.1, class_weight=w) for w in ({-1: 1.0, 1: 3.0}, {-1: 3.0, 1: 1.0})]
    errors = [learner.solve(e, ALPHA)["test_error"] for learner, e in zip(learners, (one, two), strict=True)]
    np.testing.assert_allclose(*errors, rtol=1e-9)


def test_unequal_classes_give_the_offset():
    e = equivalent_from_rows(*draw(0, 4000, "classification", offset=0.8))
    assert e.rho == pytest.approx(1.0)
    assert e.offset == pytest.approx(0.8 / np.sqrt(1.3), rel=0.1)
    assert e.signal_variance == pytest.approx(1 / 1.3, rel=0.1)


def test_the_spectrum_is_the_populations():
    """The sample's own spectrum at 120 rows spreads beyond the population's: trace of the square 28% too large."""
    pool = Pool(*draw(0, 120, "regression"))
    w, mu, _, _ = fit_population(pool)
    sample = float(np.sum((pool.eigenvalues / pool.free) ** 2))
    assert mu @ w == pytest.approx(SPECTRUM.sum(), rel=0.1)
    assert mu @ w**2 == pytest.approx(np.sum(SPECTRUM**2), rel=0.25)
    assert sample > 1.2 * np.sum(SPECTRUM**2)
    assert np.all(mu >= 0)


def test_labels_without_signal_are_refused():
    x = np.random.default_rng(0).standard_normal((40, 2))
    y = np.where(np.arange(40) % 2 == 0, 1.0, -1.0)
    x -= np.outer(y, y @ x) / 40
    with pytest.raises(ArgumentError, match="no linear signal"):
        equivalent_from_rows(x, y)
