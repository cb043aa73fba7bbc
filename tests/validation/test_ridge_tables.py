"""Ridge errors against published and independently computed numbers, and against a high-precision solution at the peak."""

from decimal import Decimal, localcontext

import numpy as np
import pytest

import gaussequiv as ge

SHIFTED2 = ge.Activation(lambda x: np.tanh(2 * x + 0.7), name="tanh(2x+0.7)", smooth=True)


def assert_prints(value, printed):
    """`value` rounds to the decimal number `printed`: half a unit of its last digit, plus float rounding."""
    number = Decimal(printed)
    half_unit = 0.5 * 10.0 ** number.as_tuple().exponent
    assert abs(float(value) - float(number)) <= half_unit * (1 + 1e-9), f"{float(value):.15g} does not print as {printed}"


def tanh2x(depth=2, **options):
    return ge.DeepNetwork("tanh", depth, weight_variance=4, **options)


def labels(**options):
    return tanh2x(2, task="classification", **options)


# Cui, Krzakala, Zdeborova 2023, eq. 19-20 at lambda*/3, lambda*, 3 lambda*.
@pytest.mark.parametrize(
    ("depth", "alpha", "printed"),
    [
        (2, 1.0, ("0.3735", "0.3374", "0.3669")),
        (2, 2.0, ("0.2628", "0.2475", "0.2742")),
        (1, 1.0, ("0.3264", "0.2914", "0.3227")),
    ],
)
def test_regression(depth, alpha, printed):
    best = ge.Problem(target=tanh2x(depth)).equivalent().lam_optimal
    learners = [ge.Ridge(best * factor) for factor in (1 / 3, 1, 3)]
    curve = ge.solve(ge.Problem(target=tanh2x(depth), learner=learners), alpha=alpha)
    for value, text in zip(curve.test_error.values[:, 0], printed, strict=True):
        assert_prints(value, text)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 7.1])
def test_optimal_penalty_printed_by_the_authors(alpha):
    """Cui, Krzakala, Zdeborova 2023: 0.37278944844792183 at every alpha."""
    curve = ge.solve(ge.Problem(target=tanh2x(), learner=ge.Ridge("optimal")), alpha=alpha)
    assert float(curve.lam[0]) == pytest.approx(0.37278944844792183, rel=1e-12)


# Printed by the code of Cui, Krzakala, Zdeborova 2023, eq. 272, lambda = 0.1, first points of the grid linspace(0.1, 7, 20).
SQUARE_LOSS = (
    (0.442536, 0.386484, 0.361930, 0.340603, 0.317681, 0.297855, 0.282122, 0.269730, 0.259829, 0.251773),
    np.linspace(0.1, 7, 20)[:10],
)


def test_square_loss_on_labels_printed_by_the_authors():
    printed, alpha = SQUARE_LOSS
    curve = ge.solve(ge.Problem(target=labels(), learner=ge.Ridge(0.1)), alpha=alpha)
    np.testing.assert_allclose(curve.test_error.values, printed, rtol=0, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.1, 1.0, 50.0])
def test_optimal_penalty_of_the_square_loss_on_labels(alpha):
    """Derived from Loureiro et al. 2021; verified numerically: lambda* = (1-c)/c, c = (2/pi) s/rho, whatever alpha."""
    problem = ge.Problem(target=labels(), learner=ge.Ridge("optimal"))
    curve = ge.solve(problem, alpha=alpha)
    assert_prints(curve.lam[0], "1.1564")
    equivalent = problem.equivalent()
    c = 2 / np.pi * equivalent.slope2 / (equivalent.slope2 + equivalent.noise)
    assert float(curve.lam[0]) == pytest.approx((1 - c) / c, rel=1e-12)
    near = [ge.Ridge(float(curve.lam[0]) * factor) for factor in (0.99, 1.01)]
    others = ge.solve(ge.Problem(target=labels(), learner=near), alpha=alpha).test_error.values
    assert np.all(others > float(curve.test_error[0]))


@pytest.mark.parametrize(("alpha", "printed"), [(0.5, "6.5e-5"), (1.0, "3.1e-4"), (2.0, "1.0e-3"), (4.0, "2.0e-3"), (7.0, "2.1e-3")])
def test_distance_of_the_square_loss_from_bayes(alpha, printed):
    """Cui, Krzakala, Zdeborova 2023, eq. 15 and 272 at the optimal penalty."""
    problem = ge.Problem(target=labels(), learner=[ge.BayesOptimal(), ge.Ridge("optimal")])
    bayes, ridge = ge.solve(problem, alpha=alpha).test_error.values[:, 0]
    assert_prints(ridge - bayes, printed)


@pytest.mark.parametrize(("alpha", "error", "train"), [(0.7, "0.3691", "0.0205"), (2.4, "0.2777", "0.1577")])
def test_square_loss_on_labels_with_its_training_loss(alpha, error, train):
    """Loureiro et al. 2021, square loss on labels, lambda = 0.1; training loss (y - z)^2/2 averaged over the samples."""
    problem = ge.Problem(target=labels(), learner=ge.Ridge(0.1))
    curve = ge.solve(problem, alpha=alpha)
    assert_prints(curve.test_error[0], error)
    equivalent = problem.equivalent()
    slope = np.sqrt(2 / (np.pi * (equivalent.slope2 + equivalent.noise)))
    q, m, V = (float(curve[name][0]) for name in ("q", "m", "V"))
    assert_prints(0.5 * (1 + q - 2 * slope * m) / (1 + V) ** 2, train)


def test_square_loss_on_labels_with_an_intercept():
    """Derived; verified by simulation: offset 0.5 sqrt(rho), lambda = 1, alpha = 2, two layers of tanh(2x+0.7)."""
    target = ge.DeepNetwork(SHIFTED2, 2, task="classification")
    equivalent = ge.Problem(target=target).equivalent()
    rho = equivalent.signal_variance + equivalent.noise
    given = ge.DeepNetwork(SHIFTED2, 2, task="classification", offset=0.5 * np.sqrt(rho))
    curve = ge.solve(ge.Problem(target=given, learner=ge.Ridge(1.0)), alpha=2.0)
    assert_prints(curve.test_error[0], ".25432")
    mu = 0.3829249225480262  # 2 Phi(1/2) - 1
    slope = 2 * np.exp(-0.125) / np.sqrt(2 * np.pi * rho)
    squared = 1 - mu**2 + float(curve.q[0]) - 2 * slope * float(curve.m[0])
    assert_prints(squared, ".69557")


def isotropic_ridge_exactly(alpha, lam, s, tau, digits=60):
    """Replica equations of Cui, Krzakala, Zdeborova 2023, eq. 19-20, in decimal arithmetic; arguments are decimal texts."""
    with localcontext() as context:
        context.prec = digits
        alpha, lam, s, tau = (Decimal(number) for number in (alpha, lam, s, tau))
        # V = 1/(lam + alpha/(1+V)):  lam V^2 + (lam + alpha - 1) V - 1 = 0
        b = lam + alpha - 1
        V = 2 / (b + (b * b + 4 * lam).sqrt()) if b > 0 else ((b * b + 4 * lam).sqrt() - b) / (2 * lam)
        scale = lam + alpha / (1 + V)
        c = alpha / (1 + V) ** 2
        m = s * alpha / (1 + V) / scale
        q = (m * m / s + c / scale**2 * (s + tau - 2 * m)) / (1 - c / scale**2)
        error = s + tau + q - 2 * m
        return {name: float(value) for name, value in {"test_error": error, "train_error": error / (1 + V) ** 2, "m": m, "q": q}.items()}


@pytest.mark.parametrize("alpha", ["0.999", "1", "1.001", "0.999999", "1.000001", "0.5", "3"])
@pytest.mark.parametrize("lam", ["0.00000001", "0.000000000001", "0.1"])
def test_interpolation_peak_against_decimal_arithmetic(alpha, lam):
    """Cui, Krzakala, Zdeborova 2023, eq. 19-20, in 60 digits; s = 1, tau = 0.1.

    The peak is so narrow that alpha - 1 must be the decimal number's nearest double, hence the exact binary alpha in the oracle.
    """
    problem = ge.Problem(target=ge.DeepNetwork((), noise=0.1), learner=ge.Ridge(float(lam)))
    curve = ge.solve(problem, alpha=float(alpha))
    exact = isotropic_ridge_exactly(float(alpha), float(lam), 1, 0.1)
    for name, value in exact.items():
        assert float(curve[name][0]) == pytest.approx(value, rel=1e-10), name
    assert bool(curve.converged[0])


@pytest.mark.parametrize("alpha", [0.3, 0.9, 0.999, 1.001, 1.1, 5.0])
def test_minimum_norm_fit(alpha):
    """Hastie, Montanari, Rosset, Tibshirani 2022, Theorem 1: s(1-alpha) + tau/(1-alpha) below alpha = 1, tau alpha/(alpha-1) above."""
    curve = ge.solve(ge.Problem(target=ge.DeepNetwork((), noise=0.1), learner=ge.Ridge(0.0)), alpha=alpha)
    exact = (1 - alpha) + 0.1 / (1 - alpha) if alpha < 1 else 0.1 * alpha / (alpha - 1)
    assert float(curve.test_error[0]) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize(("s", "tau"), [("1", "0.1"), ("0.5", "0.01")])
@pytest.mark.parametrize("lam", ["0.00000001", "0.0001", "0.1", "2"])
def test_error_at_alpha_one(s, tau, lam):
    """Closed form at alpha = 1 from Cui, Krzakala, Zdeborova 2023, eq. 19-20, in decimal arithmetic."""
    target = ge.DeepNetwork((), readout_variance=float(s), noise=float(tau))
    curve = ge.solve(ge.Problem(target=target, learner=ge.Ridge(float(lam))), alpha=1.0)
    exact = isotropic_ridge_exactly(1, float(lam), float(s), float(tau))
    for name, value in exact.items():
        assert float(curve[name][0]) == pytest.approx(value, rel=1e-12), name
