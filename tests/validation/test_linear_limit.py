"""Depth 0 is the linear model: closed forms and published values written independently of the package."""

import numpy as np
import pytest
from scipy import integrate, optimize, special

import gaussequiv as ge

ALPHAS = (1e-3, 0.1, 0.7, 1.0, 1.3, 4.0, 100.0)


def marchenko_pastur_ridge(alpha, lam, s, tau):
    """Dobriban and Wager 2018, Theorem 2.1, from the Stieltjes transform of X'X/d (rows of n = alpha d samples)."""
    b = lam + alpha - 1
    g = 2 / (b + np.sqrt(b * b + 4 * lam))  # (1/d) tr (X'X/d + lam)^(-1): lam g^2 + b g - 1 = 0
    g2 = (g * g + g) / (2 * lam * g + b)  # = -dg/dlam = (1/d) tr (X'X/d + lam)^(-2)
    return tau + s * lam**2 * g2 + tau * (g - lam * g2)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize(("s", "tau"), [(1.0, 0.1), (3.0, 0.5), (1.0, 0.0)])
def test_ridge_is_the_marchenko_pastur_formula(alpha, s, tau):
    for lam in (0.01, 0.3, 20.0):
        problem = ge.Problem(target=ge.DeepNetwork((), readout_variance=s, noise=tau), learner=ge.Ridge(lam))
        curve = ge.solve(problem, alpha=alpha)
        assert float(curve.test_error[0]) == pytest.approx(marchenko_pastur_ridge(alpha, lam, s, tau), rel=1e-10)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_ridge_is_the_integral_over_the_marchenko_pastur_density(alpha):
    """The same error as a direct integral over the density of the eigenvalues of X'X/d (Marchenko and Pastur 1967)."""
    lam, s, tau = 0.3, 1.0, 0.1
    low, high = (1 - np.sqrt(alpha)) ** 2, (1 + np.sqrt(alpha)) ** 2

    def mean(function):
        def on_circle(angle):
            x = 1 + alpha + 2 * np.sqrt(alpha) * np.cos(angle)
            density = np.sqrt(max((x - low) * (high - x), 0.0)) / (2 * np.pi * x)
            return function(x) * density * 2 * np.sqrt(alpha) * np.sin(angle)

        atom = max(1 - alpha, 0.0) * function(0.0)
        return atom + integrate.quad(on_circle, 0, np.pi, epsabs=0, epsrel=1e-11, limit=400)[0]

    expected = tau + s * mean(lambda x: lam**2 / (x + lam) ** 2) + tau * mean(lambda x: x / (x + lam) ** 2)
    problem = ge.Problem(target=ge.DeepNetwork((), noise=tau), learner=ge.Ridge(lam))
    assert float(ge.solve(problem, alpha=alpha).test_error[0]) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("alpha", [0.2, 0.9, 2.5])
@pytest.mark.parametrize("lam", [0.0, 0.05, 1.0])
def test_ridge_on_two_levels_from_the_deterministic_equivalent(alpha, lam):
    """Hastie, Montanari, Rosset, Tibshirani 2022: bias kappa^2 mean[v/(w+kappa)^2], excess (alpha bias + tau df2)/(alpha - df2)."""
    high, low, fraction, s, tau = 4.0, 0.2, 1 / 6, 0.7, 0.05
    w, mass = np.array([high, low]), np.array([fraction, 1 - fraction])

    def left(kappa):
        return lam / kappa + mass @ (w / (w + kappa)) - alpha

    kappa = 0.0 if lam == 0 and alpha > 1 else optimize.brentq(left, 1e-12, 1e3, xtol=1e-300, rtol=1e-14)
    df2 = mass @ (w / (w + kappa)) ** 2
    bias = kappa**2 * (mass @ (s * w / (w + kappa) ** 2))
    expected = tau + (alpha * bias + tau * df2) / (alpha - df2)
    problem = ge.Problem(
        target=ge.DeepNetwork((), readout_variance=s, noise=tau),
        inputs=ge.GaussianInputs(spectrum=ge.TwoLevel(high, low, fraction)),
        learner=ge.Ridge(lam),
    )
    assert float(ge.solve(problem, alpha=alpha).test_error[0]) == pytest.approx(expected, rel=1e-10)


def test_noiseless_linear_regression_is_solved_at_alpha_one():
    """As many equations as unknowns: the Bayes error is 1 - alpha below 1 and 0 above (linear algebra)."""
    curve = ge.solve(ge.Problem(target=ge.DeepNetwork(())), alpha=[0.25, 0.5, 0.999, 1.0, 2.0])
    np.testing.assert_allclose(curve.test_error.values, [0.75, 0.5, 0.001, 0.0, 0.0], rtol=1e-12, atol=1e-15)
    assert bool(curve.converged.all())


# Gaussian prior, noiseless sign channel: Barbier, Krzakala, Macris, Miolane, Zdeborova 2019.
@pytest.mark.parametrize(("alpha", "printed"), [(1.0, 0.25437), (5.0, 0.08394), (20.0, 0.02201)])
def test_perceptron_with_gaussian_weights(alpha, printed):
    problem = ge.Problem(target=ge.DeepNetwork((), task="classification"))
    assert float(ge.solve(problem, alpha=alpha).test_error[0]) == pytest.approx(printed, rel=0, abs=5e-6)


def perceptron(alpha):
    """Bayes-optimal error of the noiseless perceptron: the fixed point q = qhat/(1+qhat) by adaptive quadrature, solved for log(1-q)."""

    def rate(q):
        def integrand(x):
            t = np.sqrt(q / (1 - q)) * x
            return np.exp(-0.5 * x * x - t * t - 1.5 * np.log(2 * np.pi) - special.log_ndtr(t) - special.log_ndtr(-t))

        reach = 12 / np.sqrt(1 + q / (1 - q))
        return alpha / (1 - q) * integrate.quad(integrand, -reach, reach, epsabs=0, epsrel=1e-12, limit=400)[0]

    left = optimize.brentq(lambda y: np.log(rate(1 - np.exp(y))) - np.log(np.expm1(-y)), np.log(1e-12), np.log(1 - 1e-9), xtol=1e-14)
    return np.arctan(np.sqrt(np.exp(left) / -np.expm1(left))) / np.pi


@pytest.mark.parametrize("alpha", [0.01, 0.3, 1.0, 5.0, 20.0, 300.0])
def test_perceptron_against_quadrature(alpha):
    """Barbier, Krzakala, Macris, Miolane, Zdeborova 2019, sign channel: q = qhat/(1+qhat)."""
    problem = ge.Problem(target=ge.DeepNetwork((), task="classification"))
    assert float(ge.solve(problem, alpha=alpha).test_error[0]) == pytest.approx(perceptron(alpha), rel=1e-9)


def test_perceptron_learns_like_one_over_alpha():
    """alpha times the error tends to 0.442 for any smooth prior (Györgyi and Tishby 1990; Seung, Sompolinsky, Tishby 1992)."""
    problem = ge.Problem(target=ge.DeepNetwork((), task="classification"))
    product = ge.solve(problem, alpha=[1e3, 1e4, 1e5, 1e6]).test_error.values * np.array([1e3, 1e4, 1e5, 1e6])
    assert product[-1] == pytest.approx(0.442, rel=0, abs=5e-4)
    assert np.all(np.abs(product - 0.442) <= 1.5e-3)
    # the limit itself: t = sqrt(q/(1-q)) x turns the equation into (1-q)^(-1/2) = alpha times one integral
    constant, _ = integrate.quad(lambda t: np.exp(-t * t - 1.5 * np.log(2 * np.pi) - special.log_ndtr(t) - special.log_ndtr(-t)), -30, 30)
    assert product[-1] == pytest.approx(1 / (np.pi * constant), rel=1e-5)


@pytest.mark.parametrize("alpha", [0.5, 2.0, 30.0])
@pytest.mark.parametrize("noise", [0.05, 0.5])
def test_probit_noise_is_a_deep_target_with_the_same_signal_and_noise(alpha, noise):
    """Camilli, Tieplova, Bergamin, Barbier 2025, eq. 16: a network and its equivalent linear target have one curve."""
    for task in ("regression", "classification"):
        deep = ge.Problem(target=ge.DeepNetwork("tanh", 2, weight_variance=4, task=task, noise=noise))
        e = deep.equivalent()
        linear = ge.Problem(target=ge.DeepNetwork((), readout_variance=e.slope2, task=task, noise=e.noise))
        a, b = ge.solve(deep, alpha=alpha), ge.solve(linear, alpha=alpha)
        assert float(a.test_error[0]) == pytest.approx(float(b.test_error[0]), rel=1e-12)
        assert float(a.overlap[0]) == pytest.approx(float(b.overlap[0]), rel=1e-12)


def test_linear_layers_change_nothing():
    """A product of Gaussian matrices is a Gaussian vector at n ~ d: identity activations leave depth 0 (recursion, exact)."""
    shallow = ge.solve(ge.Problem(target=ge.DeepNetwork((), noise=0.1)), alpha=ALPHAS)
    deep = ge.solve(ge.Problem(target=ge.DeepNetwork("linear", 4, noise=0.1)), alpha=ALPHAS)
    np.testing.assert_allclose(deep.test_error, shallow.test_error, rtol=1e-14)


def test_quenched_uniform_scale_of_the_inputs():
    """Inputs of variance c and a readout of variance 1/c give the same target (change of variables)."""
    for learner, scaled in ((ge.BayesOptimal(), ge.BayesOptimal()), (ge.Ridge(0.2), ge.Ridge(0.2 * 3.0))):
        plain = ge.solve(ge.Problem(target=ge.DeepNetwork((), noise=0.1), learner=learner), alpha=ALPHAS)
        inputs = ge.GaussianInputs(spectrum=np.full(5, 3.0))
        stretched = ge.Problem(target=ge.DeepNetwork((), readout_variance=1 / 3, noise=0.1), inputs=inputs, learner=scaled)
        np.testing.assert_allclose(ge.solve(stretched, alpha=ALPHAS).test_error, plain.test_error, rtol=1e-12)
