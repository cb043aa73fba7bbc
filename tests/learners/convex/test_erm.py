"""Convex learners: an independent loop, ridge, limits of the penalty, intercepts, and refusals."""

import numpy as np
import pytest
from scipy import optimize, special

import gaussequiv as ge
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.ingredients.channels.binary import Binary
from gaussequiv.numerics.status import Status
from gaussequiv.samples.training_sample import TrainingSample


def equivalent(channel, rho=1.0, noise=0.0, w=(1.0,), offset=None, offset_variance=0.0):
    """Raw inputs with modes w, signal variance rho and effective noise."""
    w = np.array(w, float)
    mass = np.full(w.size, 1 / w.size)
    return ge.GaussianEquivalent(w, mass, rho / float(mass @ w) * w**2, rho, np.array([noise]), offset_variance, channel, offset=offset)


def loop(alpha, lam, w, s, tau, n=4001):
    """Damped iteration for logistic regression on noiseless signs, on a uniform grid; Loureiro et al. 2021, eq. (3.4), written again."""
    x = np.linspace(-9, 9, n)
    weight = np.exp(-x * x / 2) / np.sqrt(2 * np.pi) * (x[1] - x[0])
    rho = s * w.mean() + tau
    V, q, m = 1.0, 0.5, 0.1
    for _ in range(3000):
        omega, star, rest = np.sqrt(q) * x, m / np.sqrt(q) * x, rho - m * m / q
        low, high = omega.copy(), omega + V
        for _ in range(60):
            middle = (low + high) / 2
            up = middle - omega - V * special.expit(-middle) > 0
            low, high = np.where(up, low, middle), np.where(up, middle, high)
        p = special.expit(-(low + high) / 2)
        slope = -p * (1 - p) / (1 + V * p * (1 - p))
        z0, dz0 = special.ndtr(star / np.sqrt(rest)), np.exp(-(star**2) / rest / 2) / np.sqrt(2 * np.pi * rest)
        Vh, qh, mh = -2 * alpha * weight @ (z0 * slope), 2 * alpha * weight @ (z0 * p * p), 2 * alpha * weight @ (dz0 * p)
        R = 1 / (lam + Vh * w)
        new = np.mean(w * R), np.mean((qh * w + mh**2 * s * w**2) * w * R**2), mh * np.mean(s * w**2 * R)
        change = max(abs(a / b - 1) for a, b in zip(new, (V, q, m), strict=True))
        V, q, m = (0.5 * a + 0.5 * b for a, b in zip(new, (V, q, m), strict=True))
        if change < 1e-12:
            break
    return V, q, m


@pytest.mark.parametrize(("alpha", "lam"), [(0.5, 0.1), (2.0, 0.01), (8.0, 3.0)])
@pytest.mark.parametrize("w", [(1.0,), (0.1, 1.0, 4.0)])
def test_logistic_against_an_independent_loop(alpha, lam, w):
    e = equivalent(Sign(0.0), rho=0.8, noise=0.2, w=w)
    r = ge.ERM("logistic", lam).solve(e, np.array([alpha]))
    want = loop(alpha, lam, np.array(w), 0.8 / np.mean(w), 0.2)
    assert [r[k][0] for k in ("V", "q", "m")] == pytest.approx(want, rel=1e-8)


@pytest.mark.parametrize("w", [(1.0,), (0.0, 1.0), (1e-4, 1e-2, 1.0, 1e2, 1e4)], ids=["isotropic", "zeros", "scales"])
@pytest.mark.parametrize(("offset", "intercept"), [(None, None), (0.7, True), (0.7, False)])
@pytest.mark.parametrize("lam", [0.0, 1e-8, 0.3, 1e4])
def test_square_loss_is_ridge(w, offset, intercept, lam):
    e = equivalent(GaussianNoise(0.3), noise=0.1, w=w, offset=offset)
    alpha = np.array([1e-3, 0.3, 0.9, 1.1, 3.0, 1e3])
    erm, ridge = ge.ERM("square", lam, intercept=intercept).solve(e, alpha), ge.Ridge(lam, intercept=intercept).solve(e, alpha)
    assert np.all(erm["status"] == Status.converged)
    for key in ("test_error", "clean_error", "q", "m"):
        assert erm[key] == pytest.approx(ridge[key], rel=1e-9), key


def test_square_loss_on_labels_is_ridge():
    e = equivalent(Sign(0.2), noise=0.1, w=(0.3, 1, 3), offset=0.5)
    alpha = np.array([0.3, 1.0, 5.0])
    erm, ridge = ge.ERM("square", 0.3).solve(e, alpha), ge.Ridge(0.3).solve(e, alpha)
    for key in ("test_error", "clean_error", "train_error", "q", "m"):
        assert erm[key] == pytest.approx(ridge[key], rel=1e-8), key


@pytest.mark.parametrize("channel", [Sign(0.1), Binary("logit", 0.2), GaussianNoise(0.3)])
def test_the_excess_is_what_lies_above_the_floor_that_many_samples_leave(channel):
    """An isotropic linear student of a linear target reaches it; for the logistic loss the direction is right at any alpha -> infinity."""
    learner = ge.ERM("huber:0.7" if channel.task == "regression" else "logistic", 0.1)
    curve = learner.solve(equivalent(channel, noise=0.1), np.array([0.5, 2.0, 1e6]))
    assert curve["floor"] == pytest.approx(np.full(3, curve["test_error"][2]), rel=1e-2)
    assert curve["excess_over_floor"] == pytest.approx(curve["test_error"] - curve["floor"], rel=1e-12)
    assert np.all(curve["excess_over_floor"][:2] > 0.01)


def test_interpolation_peak_says_so():
    e = equivalent(GaussianNoise(0.3))
    r = ge.ERM("absolute", 0.0).solve(e, np.array([0.5, 1.0, 1.5]))
    assert r["status"].tolist() == [Status.converged, Status.diverged, Status.converged]


def test_huber_between_square_and_absolute():
    """A large threshold is the square loss; Huber with threshold a and penalty a lam tends to the absolute loss with lam."""
    e = equivalent(GaussianNoise(0.3), noise=0.1)
    alpha = np.array([0.5, 2.0, 9.0])
    wide, square = ge.ERM("huber:1e4", 0.2).solve(e, alpha), ge.ERM("square", 0.2).solve(e, alpha)
    assert wide["test_error"] == pytest.approx(square["test_error"], rel=1e-9)
    narrow, absolute = ge.ERM("huber:1e-5", 1e-5 * 0.2).solve(e, alpha), ge.ERM("absolute", 0.2).solve(e, alpha)
    assert narrow["test_error"] == pytest.approx(absolute["test_error"], rel=1e-4)


def test_the_median_is_half_the_absolute_loss():
    e = equivalent(GaussianNoise(0.3), noise=0.1)
    alpha = np.array([0.5, 2.0])
    a, b = ge.ERM("quantile:0.5", 0.1).solve(e, alpha), ge.ERM("absolute", 0.2).solve(e, alpha)
    assert a["test_error"] == pytest.approx(b["test_error"], rel=1e-9)


def test_a_quantile_learns_its_level_through_the_intercept():
    """Many samples: the intercept tends to b0 + Phi^-1(level) sqrt(noise)."""
    e = equivalent(GaussianNoise(0.3), noise=0.1, offset=0.5)
    r = ge.ERM("quantile:0.8", 1e-3, intercept=True).solve(e, np.array([1e4]))
    assert r["intercept"][0] == pytest.approx(0.5 + special.ndtri(0.8) * np.sqrt(0.4), abs=1e-3)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "logistic", "exponential"])
def test_all_margin_losses_share_the_hard_margin_limit(loss):
    e = equivalent(Sign(0.3), noise=0.1, w=(0.5, 1.5))
    alpha = np.array([0.3, 1.0])
    limit = ge.ERM(loss, 0.0).solve(e, alpha)
    assert np.all(limit["status"] == Status.converged)
    assert limit["test_error"] == pytest.approx(ge.ERM("hinge", 1e-7).solve(e, alpha)["test_error"], rel=1e-6)
    assert np.all(limit["train_error"] == 0)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "logistic"])
def test_beyond_the_threshold_a_small_penalty_makes_no_difference(loss):
    e = equivalent(Sign(0.3), noise=0.1)
    alpha = 1.3 * np.array([ge.separability_threshold(e, intercept=False)])
    a, b = (ge.ERM(loss, lam).solve(e, alpha) for lam in (0.0, 1e-9))
    assert a["test_error"] == pytest.approx(b["test_error"], rel=1e-6)


def test_class_weights_move_the_intercept_as_a_prior_does():
    """Weights a, b of the labels act as a change of prior in many samples: c moves by log(b/a) for the logistic loss on logit labels."""
    e = equivalent(Binary("logit"), noise=0.0)
    learner = ge.ERM("logistic", 1e-6, intercept=True, class_weight={-1: 1.0, 1: 3.0})
    r = learner.solve(e, np.array([1e5]))
    assert r["intercept"][0] == pytest.approx(np.log(3), abs=1e-3)
    assert r["m"][0] == pytest.approx(1.0, abs=1e-3)


def test_mirrored_class_weights_mirror_the_intercept():
    e = equivalent(Sign(0.2))
    a, b = (ge.ERM("hinge", 0.1, intercept=True, class_weight=w).solve(e, np.array([2.0])) for w in ({-1: 3, 1: 1}, {-1: 1, 1: 3}))
    assert a["intercept"] == pytest.approx(-b["intercept"])
    assert a["test_error"] == pytest.approx(b["test_error"])


def test_random_labels_at_penalty_zero_do_not_see_the_spectrum():
    """Gerace, Krzakala, Loureiro, Stephan, Zdeborova 2022: .4859 at alpha = 3 for the logistic loss, square loss (1 - 1/alpha)/2."""
    for w in ((1.0,), (0.1, 1.0, 5.0)):
        e = equivalent(Binary("random"), w=w)
        assert ge.ERM("logistic", 0.0).solve(e, np.array([3.0]))["train_loss"][0] == pytest.approx(0.4859, abs=6e-5)
        assert ge.ERM("square", 0.0).solve(e, np.array([3.0]))["train_loss"][0] == pytest.approx(1 / 3, rel=1e-8)


def test_lasso_by_coordinate_scalar_equations():
    """Bayati, Montanari 2012: with tau^2 = noise + misfit/alpha and threshold theta, the state evolution of the lasso, solved by brentq."""
    rho, noise, alpha, lam = 1.0, 0.3, 2.0, 0.4
    r = ge.ERM("square", lam, "l1").solve(equivalent(GaussianNoise(noise)), np.array([alpha]))

    def q_and_nonzero(tau2, theta):
        """E (soft(X + tau Z, theta) - X)^2 with X ~ N(0, rho) in scaled coordinates."""
        h = np.sqrt(rho + tau2) * np.linspace(-9, 9, 20001)
        density = np.exp(-(h**2) / 2 / (rho + tau2)) / np.sqrt(2 * np.pi * (rho + tau2)) * (h[1] - h[0])
        soft = np.sign(h) * np.maximum(np.abs(h) - theta, 0)
        mean, rest = rho / (rho + tau2) * h, rho * tau2 / (rho + tau2)
        return density @ ((soft - mean) ** 2 + rest), density @ (np.abs(h) > theta)

    def misfit(theta):
        tau2 = noise
        for _ in range(40):
            tau2 = (noise + q_and_nonzero(tau2, theta)[0]) / alpha
        return tau2

    def penalty(theta):
        tau2 = misfit(theta)
        return theta * alpha * (1 - q_and_nonzero(tau2, theta)[1] / alpha) - lam

    theta = optimize.brentq(penalty, 1e-3, 3, xtol=1e-7)
    assert r["clean_error"][0] == pytest.approx(alpha * misfit(theta) - noise, rel=1e-4)


@pytest.mark.parametrize(
    ("options", "target"),
    [
        ({"lam": -1}, None),
        ({"lam": "best"}, None),
        ({"loss": "hinges"}, None),
        ({"class_weight": {-1: 1}}, None),
        ({"class_weight": {-1: 1, 1: 0}}, None),
        ({"tune": "threshold"}, None),
        ({"intercept": "yes"}, None),
        ({"loss": "hinge"}, GaussianNoise(0.1)),
        ({"loss": "square", "class_weight": {-1: 1, 1: 2}}, GaussianNoise(0.1)),
    ],
)
def test_refusals(options, target):
    with pytest.raises(ge.errors.ArgumentError):
        learner = ge.ERM(**{"lam": 0.1} | options)
        learner.solve(equivalent(target), np.ones(1))


def test_weights_of_classes_and_samples_multiply():
    learner = ge.ERM("logistic", 0.1, class_weight={-1: 2.0, 1: 0.5}, sample_weight=[(1.0, 0.25), (4.0, 0.75)])
    y, uniforms = np.array([1.0, 1.0, -1.0, -1.0]), np.array([0.2, 0.9, 0.24, 0.26])
    assert learner.weights_of(y, uniforms).tolist() == [0.5, 2.0, 2.0, 8.0]
    assert ge.ERM("logistic", 0.1).weights_of(y, None) is None


def test_an_optimal_penalty_is_fitted_at_the_samples_alpha():
    """To the hyperparameters that the theory finds there."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 30))
    sample = TrainingSample(x, x @ rng.standard_normal(30) / np.sqrt(30) + 0.5 * rng.standard_normal(60))
    e = equivalent(GaussianNoise(0.25))
    best = ge.ERM("huber:1", "optimal", tune="threshold").solve(e, np.array([2.0]))
    threshold, lam = float(best["threshold"][0]), float(best["lam"][0])
    found = ge.ERM("huber:1", "optimal", tune="threshold").fit(sample, e)
    given = ge.ERM(f"huber:{threshold}", lam).fit(sample, e)
    assert found.coefficients == pytest.approx(given.coefficients, rel=1e-6)
    assert found.loss.parameters["threshold"] == pytest.approx(threshold, rel=1e-6)


def test_without_penalty_students_interpolate_up_to_the_rank_of_their_inputs():
    """Half of the modes vanish: below n = p/2 it is ridge's interpolator, above it leaves residuals, as at a tiny penalty."""
    e = equivalent(GaussianNoise(0.3), w=(0.0, 2.0))
    alpha = np.array([0.3, 0.7, 0.95, 1.5])
    found, near = ge.ERM("huber:0.5", 0.0).solve(e, alpha), ge.ERM("huber:0.5", 1e-10).solve(e, alpha)
    assert found["train_loss"][0] == 0 and np.all(found["train_loss"][1:] > 1e-3)
    assert found["test_error"][0] == pytest.approx(ge.Ridge(0.0).solve(e, alpha[:1])["test_error"][0], rel=1e-12)
    np.testing.assert_allclose(found["test_error"], near["test_error"], rtol=1e-6)
    np.testing.assert_allclose(found["train_loss"], near["train_loss"], rtol=1e-6, atol=1e-8)


def test_a_fit_of_its_family_is_looked_up_by_the_penalty_and_the_parameters_of_the_loss():
    e = equivalent(GaussianNoise(0.3))
    assert ge.ERM("huber:0.7", "optimal").place(e, 0.2) == {"lam": 0.2, "threshold": 0.7}
    assert ge.ERM("absolute", 0.1).place(e, 0.3) == {"lam": 0.3}


def test_one_number_of_a_learner_is_replaced_where_it_stands():
    erm = ge.ERM("huber:0.7", 0.2, "elastic_net:0.3", intercept=True)
    assert erm.with_hyperparameter("lam", 0.5) == ge.ERM("huber:0.7", 0.5, "elastic_net:0.3", intercept=True)
    (loss,), penalty = erm.loss.parameters, next(iter(erm.penalty.parameters))
    assert erm.with_hyperparameter(loss, 1.1) == ge.ERM("huber:1.1", 0.2, "elastic_net:0.3", intercept=True)
    assert erm.with_hyperparameter(penalty, 0.6) == ge.ERM("huber:0.7", 0.2, "elastic_net:0.6", intercept=True)


UNITS = {"huber": (0, 1), "absolute": (-1, None), "quantile:0.3": (-1, None), "square": (0, None)}  # powers of lam and of a threshold


@pytest.mark.parametrize("loss", UNITS)
@pytest.mark.parametrize("unit", [1e-3, 1e3])
@pytest.mark.parametrize("shift", [0, 60, -1e4])
def test_labels_in_another_unit_and_about_another_mean(loss, unit, shift):
    """y -> unit (y + shift): the constant follows, errors count in squares of the unit, and the way is as short; nothing is equal to 1."""

    def solved(u, offset):
        w, mass, v = np.array([0.4, 1.0, 2.5]), np.array([0.5, 0.3, 0.2]), u * u * np.array([0.3, 0.9, 0.1])
        noise = u * u * np.array([0.12, 0.05])
        e = ge.GaussianEquivalent(w, mass, v * w, u * u * 0.6, noise, 0.0, GaussianNoise(0.2 * u * u), aspect=1.6, offset=offset)
        power, threshold = UNITS[loss]
        name = loss if threshold is None else f"{loss}:{0.7 * u!r}"
        return ge.ERM(name, 0.2 * u**power, intercept=True).solve(e, np.array([0.4, 1.3, 5.0]))

    one, other = solved(1.0, 0.3), solved(unit, unit * (0.3 + shift) if shift else 0.3 * unit)
    assert not np.any(other["status"]) and np.all(one["steps"] <= 12) and np.all(other["steps"] <= 60)
    np.testing.assert_allclose(other["intercept"] / unit - shift, one["intercept"], atol=1e-10 * (1 + abs(shift)))
    for name in ("test_error", "train_error", "q", "m"):
        np.testing.assert_allclose(other[name] / unit**2, one[name], rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("loss", ["logistic", "hinge", "squared_hinge"])
@pytest.mark.parametrize("unit", [1e-3, 1e3])
def test_the_unit_of_the_field_behind_labels_does_not_matter(loss, unit):
    def solved(u):
        w, mass, v = np.array([0.4, 1.0, 2.5]), np.array([0.5, 0.3, 0.2]), u * u * np.array([0.3, 0.9, 0.1])
        e = ge.GaussianEquivalent(w, mass, v * w, u * u * 0.6, u * u * np.array([0.17]), 0.0, Sign(0.2 * u * u), offset=0.6 * u)
        return ge.ERM(loss, 0.2, intercept=True).solve(e, np.array([0.4, 1.3, 5.0]))

    one, other = solved(1.0), solved(unit)
    assert np.all(one["steps"] <= 12) and np.all(other["steps"] <= 20)
    for name in ("test_error", "train_error", "q", "intercept", "auc"):
        np.testing.assert_allclose(other[name], one[name], rtol=1e-8, err_msg=name)


def test_a_whole_number_is_an_offset():
    found = []
    for offset in (-60, -60.0):
        one = np.ones(1)
        e = ge.GaussianEquivalent(one, one, one, 1.0, np.zeros(1), 0.0, GaussianNoise(0.2), offset=offset)
        found.append(ge.ERM("huber", 0.2, intercept=True).solve(e, one)["test_error"][0])
    assert found[0] == found[1]
