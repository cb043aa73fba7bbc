"""A user's activation with closed forms: theory, kernels and samplers use its formulas, and agree with quadrature."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv._jax import float64_scope, traceable
from gaussequiv.algorithms.networks import density
from gaussequiv.errors import ArgumentError
from gaussequiv.ingredients.activations import ClosedForm
from gaussequiv.ingredients.activations import base as activations
from gaussequiv.testing import ContractError, check_activation

ROOT15 = np.sqrt(15.0)
FORMULAS = ("product", "slope", "bend", "mean", "mean_slope")


class Cube(ClosedForm):
    """x^3/sqrt(15), of unit variance: formulas are counted."""

    def __init__(self):
        object.__setattr__(self, "calls", dict.fromkeys(FORMULAS, 0))
        super().__init__(lambda x: x**3 / ROOT15, name="cube")

    def product(self, c, s1, s2):
        self.calls["product"] += 1
        return (9 * c * s1 * s2 + 6 * c**3) / 15

    def slope(self, c, s1, s2):
        self.calls["slope"] += 1
        return (9 * s1 * s2 + 18 * c**2) / 15

    def bend(self, covariance, gap):
        self.calls["bend"] += 1
        return 36 * covariance / 15 + 0 * gap

    def mean(self, s):
        self.calls["mean"] += 1
        return 0 * s

    def mean_slope(self, s):
        self.calls["mean_slope"] += 1
        return 3 * s / ROOT15


class Exponential(ClosedForm):
    """exp(a x), neither odd nor even: E exp(a u + a v) = exp(a^2 (s1 + s2 + 2 c)/2)."""

    def __init__(self, a):
        object.__setattr__(self, "a", a)
        super().__init__(lambda x: np.exp(a * x), name="exponential")

    def product(self, c, s1, s2):
        return np.exp(0.5 * self.a**2 * (s1 + s2 + 2 * c))

    def slope(self, c, s1, s2):
        return self.a**2 * self.product(c, s1, s2)

    def bend(self, covariance, gap):
        return self.a**4 * np.exp(self.a**2 * (2 * covariance + gap))

    def mean(self, s):
        return np.exp(0.5 * self.a**2 * s)

    def mean_slope(self, s):
        return self.a * self.mean(s)


class KinkedReLU(ClosedForm):
    """max(x, 0) by the five formulas alone: its `bend` is infinite where the gap vanishes."""

    def __init__(self):
        super().__init__(lambda x: np.maximum(x, 0.0), name="kinked", kinks=(0.0,))

    def product(self, c, s1, s2):
        root = np.sqrt(s1 * s2)
        rho = np.clip(c / root, -1, 1)
        return root / (2 * np.pi) * (np.sqrt(1 - rho**2) + rho * (np.pi - np.arccos(rho)))

    def slope(self, c, s1, s2):
        return (np.pi - np.arccos(np.clip(c / np.sqrt(s1 * s2), -1, 1))) / (2 * np.pi)

    def bend(self, covariance, gap):
        return 1 / (2 * np.pi * np.sqrt(gap * (2 * covariance + gap)))

    def mean(self, s):
        return np.sqrt(s / (2 * np.pi))

    def mean_slope(self, s):
        return 0.5 + 0 * s


OWN = [Cube(), Exponential(0.4), KinkedReLU()]


def by_quadrature(phi):
    """The same function without its formulas."""
    return ge.Activation(phi.function, name=phi.name, kinks=phi.kinks)


@pytest.mark.parametrize("phi", OWN, ids=lambda phi: phi.name)
def test_the_formulas_are_the_moments(phi):
    check_activation(phi)


@pytest.mark.parametrize("phi", OWN, ids=lambda phi: phi.name)
@pytest.mark.parametrize("biased", [0.0, 0.3])
def test_theory_is_that_of_quadrature(phi, biased):
    def curve(activation):
        target = ge.DeepNetwork(activation, depth=2, noise=0.1, weight_variance=(1.0, 0.4), bias_variance=biased)
        return ge.solve(ge.Problem(target), [0.5, 2.0]).test_error.values

    assert curve(phi) == pytest.approx(curve(by_quadrature(phi)), rel=1e-9)


@pytest.mark.parametrize("phi", OWN, ids=lambda phi: phi.name)
@pytest.mark.parametrize("kind", [ge.NNGP, ge.NTK])
def test_kernels_are_those_of_quadrature(phi, kind):
    rows = np.random.default_rng(0).standard_normal((300, 8))  # more columns than a formula sees at once
    own, other = (kind(one, weight_variance=0.5, bias_variance=0.2) for one in (phi, by_quadrature(phi)))
    few = slice(0, 6)
    assert own.block(rows[few], rows[6:]) == pytest.approx(other.block(rows[few], rows[6:]), rel=1e-7)
    if not (kind is ge.NTK and phi.kinks):  # the Hermite series of a kink's slope does not converge on the diagonal
        assert own.block(rows[few]) == pytest.approx(other.block(rows[few]), rel=1e-7)
        assert own.linearise(1.0) == pytest.approx(other.linearise(1.0), rel=1e-6, abs=1e-9)


def test_the_formulas_are_called_and_quadrature_is_not(monkeypatch):
    phi = Cube()
    for name in ("_moments", "moments"):
        monkeypatch.setattr(ge.Activation, name, lambda *_: pytest.fail("quadrature was called"))
    ge.solve(ge.Problem(ge.DeepNetwork(phi, noise=0.1)), [1.0])
    assert all(phi.calls[name] for name in FORMULAS)
    for name in FORMULAS:
        phi.calls[name] = 0
    ge.NTK(phi).block(np.eye(3))
    assert phi.calls["product"] and phi.calls["slope"]


@pytest.mark.parametrize("phi", OWN, ids=lambda phi: phi.name)
def test_the_posterior_of_its_network_has_the_density_of_its_function(phi):
    x, y = np.random.default_rng(0).standard_normal((4, 3)), np.ones(4)
    own, other = (ge.DeepNetwork(one, noise=0.5, width_ratios=1.0) for one in (phi, by_quadrature(phi)))
    u = density.coordinates_of(own, own.sample(np.random.default_rng(1), 3), 3)
    with float64_scope():
        assert float(density.log_likelihood(own)(u, x, y)) == pytest.approx(float(density.log_likelihood(other)(u, x, y)), rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("phi", OWN[:2], ids=lambda phi: phi.name)
def test_a_posterior_of_its_network_is_sampled(phi):
    def sampled(activation):
        problem = ge.Problem(ge.DeepNetwork(activation, noise=0.5, width_ratios=1.0))
        with pytest.warns(ge.ConvergenceWarning):  # a handful of draws
            return ge.sample_posterior(problem, 1.0, d=3, chains=2, draws=8, warmup=10, seed=1).test_error.values

    own = sampled(phi)
    assert np.all(np.isfinite(own))
    assert own == pytest.approx(sampled(by_quadrature(phi)), rel=1e-9)


@pytest.mark.parametrize("phi", [*OWN, *map(activations.get, ("erf", "gelu", "sine", "hermite:3", "softplus"))], ids=lambda phi: phi.name)
def test_one_expression_serves_numpy_and_jax(phi):
    import jax

    x = np.linspace(-2.1, 2.2, 12).reshape(3, 4)
    with float64_scope():
        call = density.jax_activation(phi)
        assert np.asarray(jax.jit(call)(x)) == pytest.approx(phi(x), rel=1e-12, abs=1e-14)
        slope = np.asarray(jax.grad(lambda t: call(t).sum())(x))
    h = 1e-4
    assert slope == pytest.approx((phi(x + h) - phi(x - h)) / (2 * h), abs=1e-6)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.where(x > 0, x, np.exp(x) - 1),
        lambda x: np.clip(x, -1.0, 1.0),
        lambda x: np.select([x < 0, x > 1], [0 * x, x], default=0.5),
        lambda x: abs(x) ** 1.5,
    ],
)
def test_functions_of_numpy_are_traced(function):
    x = np.linspace(-2.0, 2.0, 6).reshape(2, 3)
    with float64_scope():
        assert np.asarray(traceable(function, "own", "activations")(x)) == pytest.approx(function(x), rel=1e-14)


@pytest.mark.parametrize("function", [np.vectorize(float), lambda x: np.asarray(x) * 2, lambda x: np.frompyfunc(float, 1, 1)(x)])
def test_what_jax_has_no_word_for_is_refused(function):
    with pytest.raises(ArgumentError, match=r"`activations` must be a function that JAX can trace, .* 'own' is not"):
        traceable(function, "own", "activations")


@pytest.mark.parametrize("gap", [1e-12, 1e-6, 1e-2, 0.5])
@pytest.mark.parametrize("name", ["relu", "erf", "sine"])
def test_the_derived_dual_keeps_its_digits(name, gap):
    """Against the closed forms without cancellation that the named activations have, from their five formulas alone."""
    phi = activations.get(name)
    derived, own = ClosedForm.dual(phi, 1.0 + gap, 1.0, gap), phi.dual(1.0 + gap, 1.0, gap)
    assert list(derived) == pytest.approx(list(own), rel=1e-10, abs=0)


def test_a_small_residue_of_an_almost_linear_layer():
    """sin(x) at a small variance s: residue = s^3/6 + O(s^4) of a second moment s."""
    s = 1e-5
    assert ClosedForm.dual(activations.get("sine"), s, 0.0).residue == pytest.approx(s**3 / 6, rel=1e-4)


def test_a_missing_formula_is_named():
    class Half(ClosedForm):
        def __init__(self):
            super().__init__(np.tanh, name="half")

    with pytest.raises(TypeError, match="bend"):
        Half()


def test_a_wrong_kernel_is_found_by_the_contract():
    wrong = type("Wrong", (Cube,), {"slope": lambda self, c, s1, s2: (9 * s1 * s2 + 17 * c**2) / 15})()
    with pytest.raises(ContractError, match="slope"):
        check_activation(wrong)
    kernel = type("WrongKernel", (Exponential,), {"product": lambda self, c, s1, s2: np.exp(0.5 * self.a**2 * (2 * s1 + 2 * c))})(0.4)
    with pytest.raises(ContractError, match=r"kernel\(\)\.product"):
        check_activation(kernel)
    untraced = type("Untraced", (Cube,), {"traced": lambda self: lambda x: x**3})()
    with pytest.raises(ContractError, match="traced"):
        check_activation(untraced)
