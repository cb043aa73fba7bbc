"""Gaussian equivalents of deep networks against published and independently computed numbers, to their printed digits."""

from decimal import Decimal

import numpy as np
import pytest

import gaussequiv as ge

TANH2 = ge.Activation(lambda x: np.tanh(2 * x), name="tanh(2x)", smooth=True)
SHIFTED2 = ge.Activation(lambda x: np.tanh(2 * x + 0.7), name="tanh(2x+0.7)", smooth=True)
SHIFTED = ge.Activation(lambda x: np.tanh(x + 0.7), name="tanh(x+0.7)", smooth=True)


def assert_prints(value, printed):
    """`value` rounds to the decimal number `printed`: half a unit of its last digit, plus float rounding."""
    number = Decimal(printed)
    half_unit = 0.5 * 10.0 ** number.as_tuple().exponent
    assert abs(float(value) - float(number)) <= half_unit * (1 + 1e-9), f"{float(value):.15g} does not print as {printed}"


def equivalent_of(activations, depth=None, inputs=None, d=None, **network):
    problem = ge.Problem(target=ge.DeepNetwork(activations, depth, **network), inputs=inputs or ge.GaussianInputs())
    return problem.equivalent(d)


# Recursion: Camilli, Tieplova, Bergamin, Barbier 2025, eq. 12; values: independent quadrature.
PER_LAYER = [
    ("1", "0.7294775315", "0.1031237653", "0.6352612343"),
    ("0.6352612343", "0.8767987256", "0.0732270432", "0.5616006372"),
    ("0.5616006372", "0.9192601245", "0.0657953978", "0.5403699378"),
    ("0.5403699378", "0.9327133699", "0.0635462017", "0.5336433151"),
    ("0.5336433151", "0.9371030547", "0.0628231197", "0.5314484727"),
]


@pytest.mark.parametrize("number", range(1, 6))
def test_layers_of_tanh_2x(number):
    sigma, rho, eps, after = PER_LAYER[number - 1]
    equivalent = equivalent_of(TANH2, 5)
    layer = equivalent.layers[number - 1]
    assert_prints(layer.sigma, sigma)
    assert_prints(layer.kappa1, rho)
    assert_prints(layer.kappa_star2, eps)
    assert_prints(layer.created, eps)
    assert_prints(layer.chi, f"{float(rho) ** 2:.9f}")
    if number < 5:
        assert_prints(equivalent.layers[number].sigma, after)


# Camilli, Tieplova, Bergamin, Barbier 2025, eq. 16 (k = 0); lambda* = gamma_0/s.
GLM = [
    (TANH2, 1, "0.5321374689", "0.1031237653", "0.6352612343", "0.1937915883"),
    (TANH2, 2, "0.4090945176", "0.1525061196", "0.5616006372", "0.3727894484"),
    (TANH2, 3, "0.3457008942", "0.1946690435", "0.5403699378", "0.5631140872"),
    (TANH2, 4, "0.3007439554", "0.2328993597", "0.5336433151", "0.7744107753"),
    (TANH2, 5, "0.2641019540", "0.2673465187", "0.5314484727", "1.0122852732"),
    ("tanh", 1, "0.3668791644", "0.0274153260", "0.3942944904", "0.0747257645"),
    ("tanh", 2, "0.2138934789", "0.0225569316", "0.2364504105", "0.1054587157"),
    ("tanh", 3, "0.1485408146", "0.0181155392", "0.1666563538", "0.1219566438"),
    ("erf", 1, "0.4244131816", "0.0401458728", "0.4645590544", "0.0945914843"),
    ("erf", 2, "0.2801174504", "0.0397915593", "0.3199090097", "0.1420531254"),
    ("erf", 3, "0.2174976801", "0.0376741604", "0.2551718405", "0.1732163781"),
]


@pytest.mark.parametrize(("activation", "depth", "s", "gamma", "sigma", "lam"), GLM)
def test_equivalent_generalised_linear_model(activation, depth, s, gamma, sigma, lam):
    equivalent = equivalent_of(activation, depth)
    assert_prints(equivalent.slope2, s)
    assert_prints(equivalent.noise, gamma)
    assert_prints(equivalent.signal_variance + equivalent.noise, sigma)
    assert_prints(equivalent.lam_optimal, lam)
    assert equivalent.offset_variance == 0


@pytest.mark.parametrize("keep", range(4))
def test_partial_reductions_agree_with_the_recursion(keep):
    """Camilli, Tieplova, Bergamin, Barbier 2025, eq. 107-108: eta_{k-1} = eta_k rho_k, gamma_{k-1} = gamma_k + eta_k^2 eps_k."""
    equivalent = equivalent_of(TANH2, 3)
    eta, gamma = 1.0, 0.0
    for layer in equivalent.layers[keep:][::-1]:
        eta, gamma = eta * layer.kappa1, gamma + eta**2 * layer.kappa_star2
    reduction = equivalent.partial(keep)
    assert reduction.eta == pytest.approx(eta, rel=1e-12)
    assert reduction.gamma == pytest.approx(gamma, rel=1e-12, abs=1e-15)


def test_erf_slope_is_four_over_three_pi():
    assert equivalent_of("erf", 1).slope2 == pytest.approx(4 / (3 * np.pi), rel=1e-14)


def test_weight_variance_four_is_tanh_2x():
    a, b = equivalent_of(TANH2, 4), equivalent_of("tanh", 4, weight_variance=4)
    assert a.slope2 == pytest.approx(b.slope2, rel=1e-10)
    np.testing.assert_allclose(a.effective_noise, b.effective_noise, rtol=1e-10)


def test_layer_variances_of_the_two_layer_network():
    """Printed by the code of Cui, Krzakala, Zdeborova 2023 (var1, var2; lambda*)."""
    equivalent = equivalent_of(TANH2, 2)
    assert_prints(equivalent.layers[1].sigma, "0.6352612342569")
    assert_prints(equivalent.signal_variance + equivalent.noise, "0.5616006371936")
    assert_prints(equivalent.lam_optimal, "0.372789448448")


@pytest.mark.parametrize(
    ("activation", "kappas"),
    [
        ("tanh", [("0.6057055096", "0.1655757411"), ("0.7635495895", "0.0810776039")]),
        ("erf", [("0.6514700159", "0.2003643502"), ("0.8124107293", "0.1153032259")]),
    ],
)
def test_coefficients_printed_by_deep_random_features(activation, kappas):
    """Printed by the code of Schroeder, Cui, Dmitriev, Loureiro 2023."""
    for layer, (kappa1, kappa_star) in zip(equivalent_of(activation, 2).layers, kappas, strict=True):
        assert_prints(layer.kappa1, kappa1)
        assert_prints(np.sqrt(layer.kappa_star2), kappa_star)


# Derived; verified by simulation (no theorem covers activations that are not odd).
NOT_ODD = [
    ("relu", 1, "0.159155", "0.250000", "0.090845", "0.14792"),
    ("relu", 2, "0.123433", "0.075389", "0.051178", "0.07657"),
    ("relu", 3, "0.075603", "0.025043", "0.024354", "0.03458"),
    ("relu", 4, "0.042560", "0.008850", "0.011091", "0.01518"),
    (SHIFTED2, 1, "0.063000", "0.480016", "0.110569", None),
    (SHIFTED2, 2, "0.128933", "0.315863", "0.152255", None),
    (SHIFTED2, 3, "0.184112", "0.225677", "0.175154", None),
]


@pytest.mark.parametrize(("activation", "depth", "offset", "s", "tau", "bayes"), NOT_ODD)
def test_activations_that_are_not_odd(activation, depth, offset, s, tau, bayes):
    equivalent = equivalent_of(activation, depth)
    assert_prints(equivalent.offset_variance, offset)
    assert_prints(equivalent.slope2, s)
    assert_prints(equivalent.noise, tau)
    if bayes:
        curve = ge.solve(ge.Problem(target=ge.DeepNetwork(activation, depth)), alpha=2.0)
        assert_prints(curve.test_error[0], bayes)


CASES = {
    "A": ("relu", (2, 1.5, 1.8), (0.3, 0.1, 0.5), 0.8, 0.2),
    "B": (SHIFTED, (1.5, 2, 1.2), (0.2, 0.4, 0.1), 1.2, 0.1),
}
BIASED = [  # derived; verified by simulation (d=600, width 720, 24 teachers, within 1.5 standard errors)
    ("A", 1, "0.5553397661", "0.4333098554", "0.1313503785", (".2313", ".2186", ".2435")),
    ("A", 2, "0.6064188067", "0.2073141330", "0.1162670603", (".1908", ".1787", ".1954")),
    ("A", 3, "0.8176413658", "0.1361160738", "0.1032425604", (".1626", ".1520", ".1643")),
    ("B", 1, "0.29369276", "0.38779195", "0.06680530", (".1233", ".1180", ".1323")),
    ("B", 2, "0.46348107", "0.19803488", "0.06578551", (".1148", ".1083", ".1203")),
    ("B", 3, "0.51341462", "0.08484228", "0.03588462", (".0610", ".0573", ".0632")),
]


@pytest.mark.parametrize(("case", "depth", "offset", "s", "tau", "errors"), BIASED)
def test_biases_and_weight_variances(case, depth, offset, s, tau, errors):
    activation, w, beta, readout, readout_bias = CASES[case]
    target = ge.DeepNetwork(
        activation,
        depth,
        weight_variance=w[:depth],
        bias_variance=beta[:depth],
        readout_variance=readout,
        readout_bias_variance=readout_bias,
    )
    equivalent = ge.Problem(target=target).equivalent()
    assert_prints(equivalent.offset_variance, offset)
    assert_prints(equivalent.slope2, s)
    assert_prints(equivalent.noise, tau)
    learners = [ge.Ridge(equivalent.lam_optimal * factor) for factor in (1 / 3, 1, 3)]
    curve = ge.solve(ge.Problem(target=target, learner=learners), alpha=2.0)
    for value, printed in zip(curve.test_error.values[:, 0], errors, strict=True):
        assert_prints(value, printed)
    best = ge.solve(ge.Problem(target=target), alpha=2.0)
    assert float(best.test_error[0]) == pytest.approx(float(curve.test_error[1, 0]), rel=1e-12)


@pytest.mark.parametrize(
    ("depth", "mean_square", "bayes", "s", "tau"),
    [
        (1, 0.0, ".2127", None, None),
        (2, 0.5, ".0946", None, None),
        (3, 0.5, ".0844", ".09705", ".05689"),
        (3, 0.0, ".0971", ".09552", ".06718"),
    ],
)
def test_mixed_activations_with_spectrum_and_mean(depth, mean_square, bayes, s, tau):
    """Derived; verified by simulation: (relu, tanh(x+.7), relu) with the variances of case A, eigenvalues i^(-1/2) of mean 1, d = 500."""
    _, w, beta, readout, readout_bias = CASES["A"]
    target = ge.DeepNetwork(
        ["relu", SHIFTED, "relu"][:depth],
        weight_variance=w[:depth],
        bias_variance=beta[:depth],
        readout_variance=readout,
        readout_bias_variance=readout_bias,
    )
    inputs = ge.GaussianInputs(spectrum=ge.PowerLaw(0.5), mean=np.sqrt(mean_square))
    problem = ge.Problem(target=target, inputs=inputs)
    assert_prints(ge.solve(problem, alpha=2.0, d=500).test_error[0], bayes)
    if s:
        assert_prints(problem.equivalent(500).slope2, s)
        assert_prints(problem.equivalent(500).noise, tau)


def test_even_activation_has_no_signal_and_a_bias_revives_it():
    """Derived; verified by simulation."""
    dead = equivalent_of("abs", 2)
    assert dead.slope2 == 0
    assert dead.lam_optimal == np.inf
    assert_prints(equivalent_of("abs", 2, bias_variance=(0.5, 0.0)).slope2, ".101555")
