"""Activations: dual functions, coefficients, names, parity and what a user's function may be."""

import numpy as np
import pytest
from scipy.integrate import quad

from gaussequiv import Activation, ArgumentError
from gaussequiv.ingredients.activations import base as activations
from gaussequiv.ingredients.activations import leaky_relu


def normal_mean(function, variance=1.0):
    def integrand(x):
        return function(np.sqrt(variance) * x) * np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi)

    return quad(integrand, -12, 12, epsabs=1e-13, epsrel=1e-12, points=[0.0], limit=200)[0]


@pytest.mark.parametrize("variance", [0.1, 1.0, 4.0])
def test_tanh_moments_agree_with_adaptive_quadrature(variance):
    tanh = activations.get("tanh")
    dual = tanh.dual(variance, 0.0)
    slope = normal_mean(lambda x: 1 / np.cosh(x) ** 2, variance)
    assert dual.second == pytest.approx(normal_mean(lambda x: np.tanh(x) ** 2, variance), rel=1e-11)
    assert dual.slope == pytest.approx(slope**2, rel=1e-11)
    assert dual.product == 0.0
    kappa = tanh.coefficients(variance)
    assert kappa.kappa0 == 0.0
    assert kappa.kappa1 == pytest.approx(slope, rel=1e-11)
    assert kappa.kappa_star**2 == pytest.approx(dual.second - variance * slope**2, rel=1e-10)


def test_tanh_product_at_correlated_pairs_agrees_with_nested_quadrature():
    variance, covariance = 1.5, 0.9
    found = activations.get("tanh").dual(variance, covariance)
    scale = np.sqrt(variance - covariance)

    def conditional(b):
        return normal_mean(lambda z: np.tanh(np.sqrt(covariance) * b + scale * z))

    def conditional_slope(b):
        return normal_mean(lambda z: np.cosh(np.sqrt(covariance) * b + scale * z) ** -2.0)

    assert found.product == pytest.approx(normal_mean(lambda b: conditional(b) ** 2), rel=1e-9)
    assert found.slope == pytest.approx(normal_mean(lambda b: conditional_slope(b) ** 2), rel=1e-9)


@pytest.mark.parametrize("name", ["erf", "tanh", "relu", "gelu", "swish", "sigmoid", "softplus", "sine", "leaky_relu:0.3", "hermite:3"])
def test_coefficients_are_the_first_hermite_moments(name):
    phi = activations.get(name)
    variance = 1.7
    found = phi.coefficients(variance)

    def value(x):
        return float(phi(np.array([x]))[0])

    mean = normal_mean(value, variance)
    first = normal_mean(lambda x: x * value(x), variance) / variance
    assert found.kappa0 == pytest.approx(mean, abs=1e-10)
    assert found.kappa1 == pytest.approx(first, abs=1e-10)
    rest = normal_mean(lambda x: value(x) ** 2, variance) - mean**2 - variance * first**2
    assert found.kappa_star**2 == pytest.approx(rest, abs=1e-9)


def test_known_closed_forms():
    assert activations.get("relu").coefficients(1.0) == pytest.approx((1 / np.sqrt(2 * np.pi), 0.5, np.sqrt(0.25 - 1 / (2 * np.pi))))
    assert activations.get("erf").coefficients(1.0).kappa1 == pytest.approx(2 / np.sqrt(3 * np.pi), rel=1e-12)
    assert activations.get("sign").coefficients(2.0).kappa1 == pytest.approx(np.sqrt(2 / (np.pi * 2.0)), rel=1e-12)
    assert activations.get("linear").coefficients(3.0) == pytest.approx((0.0, 1.0, 0.0), abs=1e-12)


def test_a_decreasing_function_has_a_negative_slope_coefficient():
    assert Activation(lambda x: -np.tanh(x)).coefficients(1.0).kappa1 == -activations.get("tanh").coefficients(1.0).kappa1


@pytest.mark.parametrize("name", ["tanh", "relu", "sign", "erf", "sigmoid", "sine"])
def test_equal_arguments_have_equal_product_and_second_moment(name):
    dual = activations.get(name).dual(1.3, 1.3)
    assert dual.product == pytest.approx(dual.second, rel=1e-12)


@pytest.mark.parametrize("name", activations.names()[:12])
def test_zero_variance_freezes_the_value_at_zero(name):
    phi = activations.get(name)
    # equal fields of variance 0, as a limit: their sign is not 0, and its square is 1
    expected = 1.0 if name == "sign" else float(phi(np.zeros(1))[0]) ** 2
    assert phi.dual(0.0, 0.0)[:3:2] == pytest.approx((expected, expected), abs=1e-15)


@pytest.mark.parametrize(
    ("name", "parity"),
    [
        *((name, "odd") for name in ("tanh", "erf", "sine", "sign", "linear", "hermite:3")),
        *((name, "even") for name in ("abs", "hermite:2")),
        *((name, "none") for name in ("relu", "sigmoid", "gelu", "softplus")),
    ],
)
def test_parity_is_found(name, parity):
    assert activations.get(name).parity == parity


def test_an_almost_odd_function_is_not_odd():
    assert Activation(lambda x: np.tanh(x) + 1e-6 * x**2).parity == "none"
    assert Activation(lambda x: x + 1e-9).parity == "none"


@pytest.mark.parametrize("covariance", [0.0, 0.5])
def test_leaky_relu_interpolates_between_relu_and_linear(covariance):
    assert leaky_relu(0.0).dual(1.0, covariance) == activations.get("relu").dual(1.0, covariance)
    assert leaky_relu(1.0).dual(1.0, covariance) == pytest.approx(activations.get("linear").dual(1.0, covariance))


def test_leaky_relu_names_carry_every_digit():
    slope = 0.123456789
    assert activations.get(leaky_relu(slope).name).dual(1.0, 0.2) == leaky_relu(slope).dual(1.0, 0.2)


def test_names_are_forgiving_about_case_and_dashes():
    assert activations.get(" Leaky-ReLU ").name == "leaky_relu"
    assert activations.get("TANH") is activations.get("tanh")


@pytest.mark.parametrize(
    ("text", "hint"), [("tanhh", "tanh"), ("rellu", "relu"), ("hermit", None), ("hermite:x", None), ("hermite:-1", None)]
)
def test_unknown_names_are_refused_with_a_hint(text, hint):
    with pytest.raises(ArgumentError) as error:
        activations.get(text)
    if hint:
        assert f"Did you mean '{hint}'?" in str(error.value)


def test_a_number_is_not_an_activation():
    with pytest.raises(ArgumentError, match="Argument `activations`"):
        activations.get(3)


def bump(x):
    return np.exp(-(x**2))


def test_a_function_keeps_its_module_and_name():
    assert activations.get(bump).name == f"{__name__}:bump"


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda x: x - np.mean(x), "depends on the other points"),
        (lambda x: np.sum(x), "shape"),
        (lambda x: np.where(x > 0, x, np.nan), "finite"),
        (lambda x: "text", "not"),
    ],
)
def test_functions_that_are_not_elementwise_are_refused(function, reason):
    with pytest.raises(ArgumentError, match=reason):
        Activation(function)
