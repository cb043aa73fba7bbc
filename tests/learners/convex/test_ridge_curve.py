"""Ridge, its curve and its ensembles where nothing is equal to anything: modes, signal, aspect, offset, nugget and noises of their own.

The oracles know nothing of the library: a scalar root by bisection, sums over three modes, bivariate normal laws.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import multivariate_normal, norm, poisson

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import ArgumentError
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.ingredients.channels.binary import Binary
from gaussequiv.ingredients.channels.links import get
from gaussequiv.learners.convex.erm import ERM
from gaussequiv.learners.convex.labels import linearise
from gaussequiv.learners.convex.ridge import Ridge
from gaussequiv.learners.convex.ridge_curve import ridge_curve, ridge_susceptibility, student_fields, student_moments
from gaussequiv.learners.convex.ridge_ensemble import RidgeEnsemble
from gaussequiv.numerics.effective_ridge import solve_effective_ridge
from gaussequiv.numerics.status import Status
from gaussequiv.samples.training_sample import TrainingSample

W, MASS, MODES = np.array([0.4, 1.0, 2.5]), np.array([0.5, 0.3, 0.2]), np.array([0.3, 0.9, 0.1])
LINEAR = float(MASS @ MODES)
HIDDEN = 0.15 + 0.17  # what no linear student reaches, and effective noise of two layers
ASPECT, ALPHA = 1.6, np.array([0.4, 1.3, 5.0])


def general(channel, **changes):
    e = GaussianEquivalent(
        eigenvalues=W,
        weights=MASS,
        alignment=MODES * W,
        signal_variance=LINEAR + 0.15,
        effective_noise=np.array([0.12, 0.05]),
        offset_variance=0.0,
        channel=channel,
        aspect=ASPECT,
    )
    return replace(e, **changes)


def moments(load, lam, slope, noise):
    """kappa, m, q and bias of a student of labels slope * field + noise (Cui, Krzakala, Zdeborova 2023, eq. 19-20)."""
    kappa = brentq(lambda k: lam / k + MASS @ (W / (W + k)) - load, 1e-9, 1e6, xtol=1e-15, rtol=1e-15)
    shrink = W / (W + kappa)
    bias = slope**2 * MASS @ (MODES * (kappa / (W + kappa)) ** 2)
    df2 = MASS @ shrink**2
    variance = (noise + bias) * df2 / (load - df2)
    return kappa, slope * MASS @ (MODES * shrink), slope**2 * MASS @ (MODES * shrink**2) + variance, bias, variance


@pytest.mark.parametrize("nugget", [0.0, 0.25])
@pytest.mark.parametrize("offset", [0.0, 0.6])
@pytest.mark.parametrize("intercept", [False, True])
def test_regression(nugget, offset, intercept):
    lam = 0.3
    e = general(GaussianNoise(0.2), nugget=nugget, offset=offset)
    curve = Ridge(lam, intercept=intercept).solve(e, ALPHA)
    left = HIDDEN + (0.0 if intercept else offset**2)
    for i, load in enumerate(ALPHA / ASPECT):
        kappa, m, q, bias, variance = moments(load, lam + nugget, 1.0, left + 0.2)
        response = lam / (load * kappa)
        test = left + 0.2 + bias + variance
        expected = {
            "test_error": test,
            "clean_error": test - 0.2,
            "train_error": test * response**2,
            "bias": bias,
            "variance": variance,
            "floor": left + 0.2,
            "excess_over_floor": bias + variance,
            "m": m,
            "q": q,
            "V": 1 / response - 1,
            "degrees_of_freedom": ASPECT * MASS @ (W / (W + kappa)),
            "lam": lam,
            "status": float(Status.converged),
        }
        for name, value in expected.items():
            if not (name == "degrees_of_freedom" and nugget):
                assert curve[name][i] == pytest.approx(value, rel=1e-10), name
        # test error once more, from the fields' covariance
        assert test == pytest.approx(LINEAR - 2 * m + q + left + 0.2, rel=1e-12)


def test_the_misfit_is_q_linear_minus_m_squared():
    e = general(GaussianNoise(0.2))
    found = student_moments(e, linearise(e, False), solve_effective_ridge(ALPHA / ASPECT, np.full(3, 0.3), W, MASS))
    np.testing.assert_allclose(found["misfit"], found["q"] * LINEAR - found["m"] ** 2, rtol=1e-10)


def cdf(h, k, r):
    return float(multivariate_normal(np.zeros(2), [[1, r], [r, 1]], allow_singular=True).cdf([h, k]))


@pytest.mark.parametrize("offset", [0.0, 0.6])
@pytest.mark.parametrize("intercept", [False, True])
def test_signs(offset, intercept):
    """Bussgang: E y = mu, slope 2 phi(B)/sqrt(rho); errors are bivariate normal probabilities, on training rows behind the cavity field."""
    lam, rho = 0.3, LINEAR + HIDDEN + 0.2
    e = general(Sign(0.2), offset=offset)
    curve = Ridge(lam, intercept=intercept).solve(e, ALPHA)
    B = offset / np.sqrt(rho)
    mu, slope = 2 * norm.cdf(B) - 1, 2 * norm.pdf(B) / np.sqrt(rho)
    c = mu if intercept else 0.0
    scores = Ridge(lam, intercept=intercept).label_scores(e, ALPHA, curve)["auc"]
    for i, load in enumerate(ALPHA / ASPECT):
        kappa, m, q, _, _ = moments(load, lam, slope, 1 - c**2 - slope**2 * LINEAR)
        assert (curve["m"][i], curve["q"][i]) == pytest.approx((m, q), rel=1e-10)
        V, root = load * kappa / lam - 1, np.sqrt(q)
        assert curve["V"][i] == pytest.approx(V, rel=1e-9)

        def disagree(centre, b, r):
            return cdf(centre, -b, -r) + cdf(-centre, b, -r)

        test = disagree(c / root, B, m / np.sqrt(q * rho))
        clean = rho - 0.2
        limit = disagree(c / (slope * np.sqrt(LINEAR)), B, np.sqrt(LINEAR / rho))
        assert curve["test_error"][i] == pytest.approx(test, abs=2e-7)
        assert curve["clean_error"][i] == pytest.approx(disagree(c / root, offset / np.sqrt(clean), m / np.sqrt(q * clean)), abs=2e-7)
        assert curve["floor"][i] == pytest.approx(limit, abs=2e-7)
        assert curve["excess_over_floor"][i] == pytest.approx(test - limit, abs=4e-7)
        # a row's field is (omega + V y)/(1 + V), omega a fresh row's: wrong where y omega < -V
        r = m / np.sqrt(q * rho)
        train = cdf((-V - c) / root, B, -r) + cdf((c - V) / root, -B, -r)
        assert curve["train_error"][i] == pytest.approx(train, abs=2e-7)
        # two rows of different labels in the right order
        joint = [[1, 0, r, 0], [0, 1, 0, r], [r, 0, 1, 0], [0, r, 0, 1]]
        across = np.array([[-1, 1, 0, 0], [0, 0, -1, 0], [0, 0, 0, 1]], float)  # z2 - z1 < 0, first up, second down
        law = across @ np.array(joint) @ across.T
        pairs = multivariate_normal(np.zeros(3), law).cdf([0, B, -B], rng=np.random.default_rng(0))
        assert scores[i] == pytest.approx(pairs / (norm.cdf(B) * norm.cdf(-B)), abs=2e-4)


@pytest.mark.parametrize("channel", ["logit:0.4", Sign(0.2)])
@pytest.mark.parametrize("offset", [0.0, 0.6])
def test_it_is_the_square_loss_among_convex_ones(channel, offset):
    """Other equations, other quadrature."""
    e = general(Binary(get(channel)) if isinstance(channel, str) else channel, offset=offset)
    for intercept in (False, True):
        curve, other = Ridge(0.3, intercept=intercept).solve(e, ALPHA), ERM("square", 0.3, intercept=intercept).solve(e, ALPHA)
        for name in ("test_error", "clean_error", "train_error", "m", "q", "V"):
            np.testing.assert_allclose(curve[name], other[name], rtol=1e-7, err_msg=name)


def test_susceptibility_and_fields():
    assert ridge_susceptibility(np.array([0.25, 1.0, 0.0, np.inf, -0.5])).tolist() == [3.0, 0.0, np.inf, -1.0, -3.0]
    e = general(Sign(0.2), offset=0.6)
    labels = linearise(e, True)
    found = {"m": np.array([[0.2]]), "q": np.array([[0.5]])}
    at = student_fields(e, labels, found, np.array([[1.5]]))
    rho = LINEAR + HIDDEN
    expected = {"V": 1.5, "q": 0.5, "m": 0.2, "c": labels.intercept[0], "b0": 0.6, "rest": rho - 0.04 / 0.5, "misfit": rho + 0.5 - 0.4}
    for name, value in expected.items():
        assert getattr(at, name)[0] == pytest.approx(value, rel=1e-12), name


@pytest.mark.parametrize("resampling", ["bootstrap", "subsample:0.6"])
def test_ensembles_solve_their_equations(resampling):
    """The docstring's equations iterated plainly."""
    e, lam, K = general(GaussianNoise(0.2)), 0.3, 4
    curve = RidgeEnsemble(lam, K, resampling).solve(e, ALPHA)
    counts = np.arange(60.0)
    law = poisson.pmf(counts, 1) if resampling == "bootstrap" else np.where(counts == 0, 0.4, np.where(counts == 1, 0.6, 0.0))
    for i, load in enumerate(ALPHA / ASPECT):
        V = 1.0
        for _ in range(3000):
            g = counts / (1 + counts * V)
            V = MASS @ (W / (lam + load * (law @ g) * W))
        vhat, noise = load * (law @ g), HIDDEN + 0.2
        R = 1 / (lam + vhat * W)
        m = vhat * MASS @ (MODES * W * R)
        known, share = vhat**2 * MASS @ (MODES * (W * R) ** 2), MASS @ (W * R) ** 2
        Q = []
        for square in (law @ g**2, (law @ g) ** 2):
            k = load * square * share
            Q.append((known + k * (noise + LINEAR - 2 * m)) / (1 - k))
        assert curve["V"][i] == pytest.approx(V, rel=1e-9) and curve["m"][i] == pytest.approx(m, rel=1e-9)
        np.testing.assert_allclose(curve["Q"][i], [[Q[0], Q[1]], [Q[1], Q[0]]], rtol=1e-9)
        q = Q[1] + (Q[0] - Q[1]) / K
        assert curve["q"][i] == pytest.approx(q, rel=1e-9)
        assert curve["test_error"][i] == pytest.approx(noise + LINEAR - 2 * m + q, rel=1e-9)
        assert curve["excess_over_floor"][i] == pytest.approx(LINEAR - 2 * m + q, rel=1e-9) and curve["floor"][i] == pytest.approx(noise)
        assert curve["residual"][i] < 1e-10 and curve["status"][i] == Status.converged and curve["lam"][i] == lam


@pytest.mark.parametrize("resampling", ["bootstrap", "subsample:0.6"])
def test_an_ensembles_fit_is_the_mean_of_weighted_fits(resampling):
    rng, n, p, lam, K = np.random.default_rng(0), 9, 5, 0.3, 3
    x, y = rng.standard_normal((n, p)), rng.standard_normal(n)
    found = RidgeEnsemble(lam, K, resampling).fit(TrainingSample(x, y), general(GaussianNoise(0.2)), key=7)
    draws, total = np.random.default_rng(7), np.zeros(p)
    for _ in range(K):
        weight = draws.poisson(1.0, n) if resampling == "bootstrap" else draws.random(n) < 0.6
        a = x / np.sqrt(p)
        total += np.linalg.solve(a.T @ (weight[:, None] * a) + lam * np.eye(p), a.T @ (weight * y))
    np.testing.assert_allclose(found.coefficients, total / K / np.sqrt(p), rtol=1e-9)
    assert found.intercept == 0 and found.lam == lam


@pytest.mark.parametrize("offset", [0.0, 0.6])
@pytest.mark.parametrize("intercept", [False, True])
def test_floors_of_labels_of_another_law(offset, intercept):
    """Many samples leave the student c + c1 (linear part of the field): a plain sum over that part."""
    e = general(Binary(get("logit:0.4")), offset=offset)
    labels = linearise(e, intercept)
    x = np.linspace(-9, 9, 40_001)
    up = e.channel.up(offset + np.sqrt(LINEAR) * x, np.array([HIDDEN])).value
    guess = labels.intercept[0] + labels.slope[0] * np.sqrt(LINEAR) * x > 0
    expected = (norm.pdf(x) * (x[1] - x[0])) @ np.where(guess, 1 - up, up)
    curve = Ridge(0.3, intercept=intercept).solve(e, np.array([1.0, 1e9]))
    np.testing.assert_allclose(curve["floor"], expected, atol=1e-4)
    np.testing.assert_allclose(curve["excess_over_floor"], curve["test_error"] - curve["floor"], atol=1e-12)
    assert curve["excess_over_floor"][1] == pytest.approx(0, abs=1e-7)


def test_excesses_far_below_rounding_of_the_error():
    """Signs without an offset: the excess falls like 1/alpha, with all its digits."""
    alpha = np.array([1e8, 1e12, 1e16])
    excess = Ridge(0.3).solve(general(Sign(0.2)), alpha)["excess_over_floor"] * alpha
    np.testing.assert_allclose(excess, excess[0], rtol=1e-5)


@pytest.mark.parametrize("channel", [GaussianNoise(0.2), Sign(0.2), Binary(get("logit:0.4"))])
def test_infinite_and_negative_penalties(channel):
    e = general(channel, offset=0.6)
    constant = Ridge(np.inf, intercept=True).solve(e, ALPHA)
    assert constant["excess_over_floor"].tolist() == [0.0] * 3 and constant["floor"].tolist() == constant["test_error"].tolist()
    assert constant["V"].tolist() == [0.0] * 3 and constant["m"].tolist() == [0.0] * 3
    ridgeless = Ridge(0.0, intercept=True).solve(e, ALPHA[:1])  # n < p: every label is fitted
    assert ridgeless["train_error"][0] == pytest.approx(0, abs=1e-12) and ridgeless["V"][0] == np.inf


@pytest.mark.parametrize("lam", [-0.2, 0.1])
@pytest.mark.parametrize("channel", [Sign(0.2), Binary(get("logit:0.4"))], ids=["sign", "logit"])
def test_penalties_below_zero_turn_fitted_labels_round(channel, lam):
    """A kernel K = X X'/p + nugget fits y - lam (K + lam)^-1 y, beyond the label for lam < 0: rows of the model itself, 2 % for its size.

    In the limit y (K + lam)^-1 y = (1 - y omega)/((1 + V)(nugget + lam)), omega the field of a fresh row: the share of rows at which it is
    too far off.
    """
    e, nugget, load, b0, p = general(channel, nugget=0.25, aspect=1.0), 0.25, 0.6, 0.6, 500
    e = replace(e, offset=b0)
    found = ridge_curve(e, linearise(e, False), np.array([load]), np.array([lam]))
    w, v = (np.repeat(part, (MASS * p).astype(int)) for part in (W, MODES))
    rng, wrong = np.random.default_rng(0), []
    for _ in range(24):
        x, z = rng.standard_normal((2, int(load * p), p))
        field = b0 + x @ (np.sqrt(v) * rng.choice([-1.0, 1.0], p)) / np.sqrt(p) + np.sqrt(HIDDEN) * z[:, 0]
        y, x = channel.sample(rng, field), x * np.sqrt(w)
        a = np.linalg.solve(x @ x.T / p + (nugget + lam) * np.eye(y.size), y)
        wrong.append(np.mean(y * (y - lam * a) < 0))
    error = np.std(wrong, ddof=1) / np.sqrt(24)
    assert found["train_error"][0] == pytest.approx(np.mean(wrong), abs=4 * error + 0.02 * found["train_error"][0])
    # V of the limit, from a root; fields of fresh rows by a plain sum
    kappa = brentq(lambda k: (lam + nugget) / k + MASS @ (W / (W + k)) - load, 1e-9, 1e6, xtol=1e-15, rtol=1e-15)
    own = load * kappa / (lam + nugget)  # 1 + V of the linear student at the penalty lam + nugget
    m, q = found["m"][0], found["q"][0]
    t = np.linspace(-9, 9, 40_001)
    share = 0.0
    for label, side in ((1, channel.up), (-1, channel.down)):
        # given omega = sqrt(q) t, the target's field is b0 + (m/q) omega and a rest
        chance = side(b0 + m / np.sqrt(q) * t, np.full_like(t, LINEAR + HIDDEN - m * m / q)).value
        share += np.sum(norm.pdf(t) * (t[1] - t[0]) * chance * (lam * (1 - label * np.sqrt(q) * t) > own * (lam + nugget)))
    assert found["train_error"][0] == pytest.approx(share, abs=2e-4)


def test_what_an_ensemble_is_by_default_and_refuses():
    assert RidgeEnsemble() == RidgeEnsemble(1.0, 10, "bootstrap")
    low, high, logarithmic = RidgeEnsemble().tunable["lam"].range
    assert (low, high, logarithmic) == (0.0, np.inf, True)
    for change in ({"nugget": 0.1}, {"offset": 0.2}, {"input_mean_square": 0.1}, {"channel": Sign(0.1)}):
        with pytest.raises(ArgumentError):
            RidgeEnsemble().solve(replace(general(GaussianNoise(0.2)), **change), ALPHA)


def test_fits_that_leave_nothing_of_a_residual_are_scored_on_the_side_of_their_label(monkeypatch):
    """Beyond responses of 1e16 V rounds to -1 below no penalty, where the training error is the limit of those beside it."""
    e = general(Binary(get("logit")))
    alpha, learner = np.array([3.0]), Ridge(0.5)
    scores = []
    for V in (-1.0, np.nextafter(-1, 0), -1 + 1e-9):
        monkeypatch.setattr("gaussequiv.learners.convex.ridge_curve.ridge_susceptibility", lambda response, V=V: np.full_like(response, V))
        scores.append(float(learner.solve(e, alpha)["train_error"][0]))
    assert scores[0] == scores[1] == pytest.approx(scores[2], abs=1e-8)
