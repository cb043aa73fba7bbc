"""Where notebooks go wrong: prox cycles, kinks, tiny noise, tiny penalties, peaks, extreme spectra and offsets."""

import numpy as np
import pytest
from scipy.special import ndtr

import gaussequiv as ge
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.ingredients.channels.binary import Binary
from gaussequiv.ingredients.losses import named as losses
from gaussequiv.numerics.status import Status

SPECTRA = {"isotropic": (1.0,), "zeros": (0.0, 1.0), "scales": (1e-4, 1e-2, 1.0, 1e2, 1e4)}
CHANNELS = {
    "noiseless": (Sign(0.0), 0.0),
    "deep": (Sign(0.0), 0.15),
    "probit": (Sign(0.5), 0.0),
    "logit": (Binary("logit"), 0.0),
    "flips": (Binary("sign", 0.1, (0.1, 0.02)), 0.0),
    "random": (Binary("random"), 0.0),
}


def equivalent(channel, noise=0.0, w=(1.0,), offset=None, offset_variance=0.0):
    w = np.array(w, float)
    mass = np.full(w.size, 1 / w.size)
    return ge.GaussianEquivalent(w, mass, w**2 / float(mass @ w), 1.0, np.array([noise]), offset_variance, channel, offset=offset)


def grid(alpha, lam):
    a, b = np.meshgrid(alpha, lam)
    return a.ravel(), b.ravel()


def assert_physical(r, rho, converged=True):
    if converged:
        assert np.all(r["status"] == Status.converged), np.flatnonzero(r["status"])
    good = r["status"] == Status.converged
    assert np.all(r["m"][good] ** 2 <= rho * r["q"][good] * (1 + 1e-9))
    assert np.all(r["q"][good] > 0)
    assert np.all(np.isfinite(r["test_error"][good]))


@pytest.mark.parametrize("V", [1e-6, 1.0, 8.0, 20.0, 100.0, 1e4])
def test_logistic_prox(V):
    """Newton from omega jumps between -9 and 10.9 at V = 20; the optimality condition holds to rounding."""
    omega = np.concatenate([np.linspace(-60, 60, 241), [-9.0, -1e4, 1e4]])
    g = losses.get("logistic").proximal(1.0, omega, V)[0]
    x = omega + V * g
    assert g == pytest.approx(1 / (1 + np.exp(np.clip(x, -700, 700))), rel=1e-9 * max(1, V), abs=1e-300)


def test_a_wrong_prox_gives_a_wrong_fixed_point():
    """alpha = 2, lam = 0.01, probit .5: m = 3.74902, q = 24.8685 by bisection, where a cycling prox converges to m = 2.57 to 3.0."""
    r = ge.Logistic(0.01).solve(equivalent(Sign(0.25)), np.array([2.0]))
    assert r["m"][0] == pytest.approx(3.7490227564, rel=1e-9)
    assert r["q"][0] == pytest.approx(24.8685485864, rel=1e-9)


def test_hinge_needs_its_kinks():
    """m = 1.4592; Gauss-Hermite gives 1.703 with 80 nodes and 1.523 with 160."""
    assert ge.SVM(0.1).solve(equivalent(Sign(0.25)), np.array([2.0]))["m"][0] == pytest.approx(1.4592, abs=5e-5)


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("loss", ["logistic", "hinge", "squared_hinge", "square", "exponential"])
def test_every_corner_of_alpha_and_lam(loss, spectrum, channel):
    """alpha 1e-4 to 1e6, lam 1e-12 to 1e8."""
    link, noise = CHANNELS[channel]
    e = equivalent(link, noise, SPECTRA[spectrum])
    r = ge.ERM(loss, 1.0).curve(e, *grid([1e-4, 0.3, 1.0, 3.0, 1e3, 1e6], [1e-12, 1e-6, 1e-2, 1.0, 1e3, 1e8]))
    assert_physical(r, 1 + noise)
    assert np.all(r["test_error"] <= 0.5 + 1e-9)


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("loss", ["huber:0.7", "absolute", "quantile:0.3", "square"])
def test_every_corner_in_regression(loss, spectrum):
    e = equivalent(GaussianNoise(0.3), 0.1, SPECTRA[spectrum])
    r = ge.ERM(loss, 1.0).curve(e, *grid([1e-4, 0.3, 1.0, 3.0, 1e3, 1e6], [1e-12, 1e-6, 1e-2, 1.0, 1e3, 1e8]))
    assert_physical(r, 1.1)


@pytest.mark.parametrize("loss", ["logistic", "hinge"])
@pytest.mark.parametrize("lam", [1e-12, 1e-8, 1e-4])
def test_at_the_separability_threshold(loss, lam):
    e = equivalent(Sign(0.3))
    threshold = ge.separability_threshold(e, intercept=False)
    alpha = threshold * np.array([0.9, 0.999, 1 - 1e-6, 1 + 1e-6, 1.001, 1.1])
    r = ge.ERM(loss, lam).solve(e, alpha)
    assert_physical(r, 1.0)
    assert np.all(np.diff(r["test_error"]) < 0)


def test_noiseless_labels_at_large_alpha():
    """A fixed grid of field values fakes a plateau; alpha eps = .500 for the maximum margin, less for a small penalty."""
    alpha = np.array([1e2, 1e3, 1e4, 1e5, 1e6])
    hard = ge.SVM(0).solve(equivalent(Sign(0.0)), alpha)
    assert_physical(hard, 1.0)
    assert alpha * hard["test_error"] == pytest.approx(np.full(5, 0.50049), abs=2e-4)
    soft = ge.Logistic(1e-12).solve(equivalent(Sign(0.0)), alpha)
    assert_physical(soft, 1.0)
    assert np.all(alpha * soft["test_error"] < 0.5005)
    assert np.all(np.diff(soft["test_error"]) < 0)


@pytest.mark.parametrize("loss", ["square", "huber:0.7", "absolute"])
def test_interpolation_peak_on_both_sides(loss):
    e = equivalent(GaussianNoise(0.3), 0.1)
    alpha = np.array([0.5, 0.9, 0.99, 0.999, 1.001, 1.01, 1.1, 2.0])
    r = ge.ERM(loss, 1e-12).solve(e, alpha)
    assert_physical(r, 1.1)
    assert np.all(np.diff(r["test_error"][:4]) > 0)
    assert np.all(np.diff(r["test_error"][4:]) < 0)
    below = (1 - alpha[:4]) + 0.4 / (1 - alpha[:4])
    assert r["test_error"][:4] == pytest.approx(below, rel=1e-4)


@pytest.mark.parametrize("loss", ["logistic", "hinge", "square"])
@pytest.mark.parametrize("intercept", [True, False])
def test_offsets_up_to_six_standard_deviations(loss, intercept):
    for f in (0.0, 0.5, 2.0, 4.0, 6.0):
        e = equivalent(Sign(0.3), 0.1, offset=f * np.sqrt(1.4))
        r = ge.ERM(loss, 0.1, intercept=intercept).solve(e, np.array([0.1, 1.0, 10.0]))
        assert_physical(r, 1.1, converged=f < 6 or loss != "hinge")  # minority of 1e-9: the hinge may say that it did not converge
        if intercept:  # never much worse than the majority label
            assert np.all(r["test_error"] <= (ndtr(-f) if f else 0.5) * 1.6 + 1e-12)


def test_curves_averaged_over_offsets():
    e = equivalent(Sign(0.3), 0.1, offset_variance=0.3)
    for learner in (ge.Logistic(0.1, intercept=True), ge.Logistic(1e-3, intercept=True), ge.SVM(0.1, intercept=False)):
        r = learner.solve(e, np.array([0.3, 2.0, 10.0]))
        assert_physical(r, 1.1)
        assert np.all(np.diff(r["test_error"]) < 0)


@pytest.mark.parametrize("weights", [{-1: 1e-3, 1: 1.0}, {-1: 1.0, 1: 100.0}])
@pytest.mark.parametrize("loss", ["logistic", "hinge", "square"])
def test_class_weights(loss, weights):
    e = equivalent(Sign(0.3), 0.1, offset=0.8)
    for intercept in (True, False):
        r = ge.ERM(loss, 1.0, intercept=intercept, class_weight=weights).curve(e, *grid([0.1, 1.0, 10.0], [1e-6, 0.1, 10.0]))
        # a student of almost no weights that sits on the kink may say so
        assert_physical(r, 1.1, converged=not (loss == "hinge" and intercept))


def test_exact_recovery_is_zero_or_says_so():
    """Without any noise the error vanishes beyond alpha = 1 and its equations have no finite logarithms: never a wrong number."""
    e = equivalent(GaussianNoise(0.0))
    r = ge.ERM("huber:1", 0.0).solve(e, np.array([0.5, 2.0]))
    assert r["test_error"][0] == pytest.approx(0.5)
    assert r["status"][1] != Status.converged or r["test_error"][1] < 1e-12
