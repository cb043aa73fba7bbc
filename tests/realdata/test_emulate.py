"""`emulate`: identities at the pool's own size, invariances, exact curves of Gaussian data, closed-form averages."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import ArgumentError
from gaussequiv.ingredients.channels.base import Sign
from gaussequiv.ingredients.losses import named as losses
from gaussequiv.ingredients.losses.margin import Hinge
from gaussequiv.learners.convex.erm import ERM
from gaussequiv.numerics.status import Status
from gaussequiv.realdata.emulate import EmulatedStudent, EmulationState, _Averages, check_labels, emulate
from gaussequiv.realdata.pool import Pool

P = 50
SPECTRUM = np.geomspace(2, 0.1, P)


def student(loss="logistic", lam=1.0, intercept=True, classify=True):
    return EmulatedStudent(losses.get(loss), lam, intercept, classify)


def draw(seed, n, noise=0.2):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, P)) * np.sqrt(SPECTRUM)
    field = x @ np.ones(P) / np.sqrt(SPECTRUM.sum())
    return x, np.where(field + np.sqrt(noise) * rng.standard_normal(n) > 0, 1.0, -1.0)


def equivalent(noise=0.2):
    """The same law: field of variance 1 with slope 1/sqrt(sum of eigenvalues), in the conventions of the package."""
    mean = SPECTRUM.mean()
    return GaussianEquivalent(SPECTRUM, np.full(P, 1 / P), SPECTRUM**2 / mean, 1.0, np.zeros(1), 0.0, Sign(noise))


@pytest.mark.parametrize("intercept", [True, False])
def test_square_loss_at_the_pools_size_is_leave_one_out(intercept):
    x, y = draw(0, 120)
    x = x + 0.3
    found = emulate(x, y, np.ones(120), 120, student("square", 2.0, intercept, classify=False), tolerance=1e-10)
    assert found.test_error == pytest.approx(Pool(x, y, intercept=intercept).ridge(120, 2.0).test_error[0], rel=1e-7)


def test_logistic_at_the_pools_size_is_leave_one_out():
    x, y = draw(0, 150)
    model = LogisticRegression(C=0.5, tol=1e-8, max_iter=1000)
    rest = [np.delete(np.arange(150), i) for i in range(150)]
    brute = np.array([model.fit(x[keep], y[keep]).decision_function(x[[i]])[0] for i, keep in enumerate(rest)])
    found = emulate(x, y, np.ones(150), 150, student("logistic", 2.0), tolerance=1e-10)
    assert np.max(np.abs(found.state.score - brute)) < 0.03 * np.std(brute)  # approximate leave-one-out is second order
    fitted = model.fit(x, y)
    assert found.state.coefficients == pytest.approx(np.append(fitted.coef_[0], fitted.intercept_), abs=1e-5)


@pytest.mark.parametrize("loss", ["square", "logistic", "squared_hinge", "hinge"])
def test_gaussian_rows_follow_the_exact_curve(loss):
    """From 400 rows to 100; every pool has its own fluctuation, the mean of 16 has none."""
    size, lam = 100, 1.0
    exact = ERM(loss, lam / P, intercept=False).solve(equivalent(), np.array([size / P]))["test_error"][0]
    found = [emulate(*draw(seed, 400), np.ones(400), size, student(loss, lam, intercept=False)).test_error for seed in range(16)]
    error = np.std(found, ddof=1) / 4
    assert abs(np.mean(found) - exact) < 4 * error + exact / P  # finite size of order 1/p
    assert error < 0.02 * exact


def test_a_larger_training_set_than_the_pool():
    exact = ERM("logistic", 1.0 / P, intercept=False).solve(equivalent(), np.array([800 / P]))["test_error"][0]
    found = [emulate(*draw(seed, 400), np.ones(400), 800, student(intercept=False)).test_error for seed in range(16)]
    assert abs(np.mean(found) - exact) < 4 * np.std(found, ddof=1) / 4 + exact / P


def test_far_beyond_the_pool_it_does_not_answer():
    found = emulate(*draw(0, 60), np.ones(60), 20_000, student("logistic", 1e-2))
    assert found.status != Status.converged and np.isnan(found.test_error)


def test_doubling_all_weights_halves_the_penalty():
    x, y = draw(0, 200)
    for loss in ("square", "logistic", "squared_hinge", "hinge"):
        one = emulate(x, y, np.full(200, 2.0), 80, student(loss, 2.0), tolerance=1e-9)
        two = emulate(x, y, np.ones(200), 80, student(loss, 1.0), tolerance=1e-9)
        assert one.test_error == pytest.approx(two.test_error, rel=1e-6), loss


def test_rows_may_be_rotated_and_labels_mirrored():
    x, y = draw(0, 200)
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((P, P)))[0]
    plain = emulate(x, y, np.ones(200), 80, student(), tolerance=1e-9).test_error
    assert emulate(x @ turn, y, np.ones(200), 80, student(), tolerance=1e-9).test_error == pytest.approx(plain, rel=1e-6)
    assert emulate(x, -y, np.ones(200), 80, student(), tolerance=1e-9).test_error == pytest.approx(plain, rel=1e-6)


def test_separable_labels_without_a_penalty_are_reported():
    x, y = draw(0, 40, noise=0.0)
    found = emulate(x, y, np.ones(40), 40, student("logistic", 0.0))
    assert found.status != Status.converged and np.isnan(found.test_error)


class Steep(Hinge):
    """max(0.7 - t, 0) twice, rounded over a width of 0.5: f' = clip((t - 0.7)/0.5, -2, 0)."""

    name = "steep"
    kinks = ()
    pieces = ((0.7, -2.0, 0.0, 0.5),)

    def at(self, t):
        short = np.maximum(0.7 - t, 0.0)
        return np.where(short < 1.0, short**2, 2 * short - 1)

    def slope_at(self, t):
        return np.clip((t - 0.7) / 0.5, -2.0, 0.0)

    def curvature_at(self, t):
        return np.where((t < 0.7) & (t > -0.3), 2.0, 0.0)

    def proximal_at(self, t, V):
        g = np.clip((0.7 - t) / (0.5 + V), 0.0, 2.0)
        return g, np.where((g > 0) & (g < 2), -1 / (0.5 + V), 0.0)


def test_a_loss_of_another_name_has_the_averages_of_its_slope():
    class Renamed(Hinge):
        name = "renamed"

    x, y = draw(0, 200)
    plain, renamed = (emulate(x, y, np.ones(200), 80, EmulatedStudent(loss, 1.0, True, True)) for loss in (losses.get("hinge"), Renamed()))
    assert renamed.test_error == plain.test_error and renamed.steps == plain.steps


@pytest.mark.parametrize(
    "loss", [losses.get("square"), losses.get("hinge"), losses.get("squared_hinge"), Steep()], ids=lambda loss: loss.name
)
def test_closed_form_averages(loss):
    rng = np.random.default_rng(0)
    y, V, extra, score = np.array([1.0, -1, 1, -1]), np.array([0.1, 1, 3, 10.0]), np.array([0.2, 1, 4, 9.0]), np.array([0.3, 1, -2, -3.0])
    weights = np.array([1.0, 2.0, 0.5, 1.0])
    found = _Averages(y, weights, student()._replace(loss=loss), 1.0)(EmulationState(np.zeros(1), V, extra, score))
    noisy = score + np.sqrt(extra) * rng.standard_normal((400_000, 4))
    g, slope = loss.proximal(y, noisy, weights * V)
    samples = (weights * g, -weights * slope, (weights * g) ** 2)
    for value, sample in zip(found, samples, strict=True):
        assert np.all(
            np.abs(value - sample.mean(axis=0)) < 5 * sample.std(axis=0) / np.sqrt(len(sample)) + 1e-10
        )  # rounding of the long sums


def test_labels_are_checked():
    with pytest.raises(ArgumentError, match="-1 and 1"):
        check_labels(np.array([0.0, 1.0]))
