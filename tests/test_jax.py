"""The caller's JAX is left as it was, and JAX functions work as activations in float64."""

import pickle

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv import _jax
from gaussequiv.ingredients.activations import base as activations

jax = pytest.importorskip("jax")
jnp = jax.numpy


def scalar_relu(x):
    """A function of a scalar only: `cond` refuses arrays."""
    return jax.lax.cond(x > 0, lambda v: v, lambda v: 0.0 * v, x)


def test_the_default_precision_of_the_caller_is_untouched():
    before = jax.config.jax_enable_x64
    activation = ge.Activation(jnp.tanh)
    ge.solve(ge.Problem(ge.DeepNetwork(activation)), [1.0])
    assert jax.config.jax_enable_x64 is before is False
    assert jnp.ones(3).dtype == jnp.float32


def test_the_scope_closes_after_an_error():
    with pytest.raises(RuntimeError), _jax.float64_scope():
        assert jnp.ones(1).dtype == jnp.float64
        raise RuntimeError
    assert jnp.ones(1).dtype == jnp.float32


def test_a_jax_activation_is_evaluated_in_float64():
    found = ge.Activation(jnp.tanh).dual(1.0, 0.4)
    assert found == pytest.approx(activations.get("tanh").dual(1.0, 0.4), rel=1e-13)
    values = ge.Activation(jnp.tanh)(np.array([0.1, 0.2]))
    assert isinstance(values, np.ndarray)
    assert values.dtype == np.float64


def test_a_jax_function_of_a_scalar_is_an_activation():
    activation = ge.Activation(scalar_relu, kinks=(0.0,))
    assert activation.dual(1.0, 0.3) == pytest.approx(activations.get("relu").dual(1.0, 0.3), abs=1e-9)
    x = np.linspace(-1, 1, 6).reshape(2, 3)
    assert activation(x).tolist() == np.maximum(x, 0).tolist()


@pytest.mark.parametrize("function", [np.tanh, scalar_relu])
def test_an_activation_can_be_pickled_if_its_function_can(function):
    activation, x = ge.Activation(function), np.linspace(-2, 2, 7)
    assert pickle.loads(pickle.dumps(activation))(x).tolist() == activation(x).tolist()


def test_a_jax_target_has_the_curve_of_the_named_one():
    alpha = [0.3, 2.0]
    named = ge.solve(ge.Problem(ge.DeepNetwork("tanh", depth=2, noise=0.1)), alpha)
    mine = ge.solve(ge.Problem(ge.DeepNetwork(ge.Activation(jnp.tanh), depth=2, noise=0.1)), alpha)
    assert mine.test_error.values == pytest.approx(named.test_error.values, rel=1e-12)


def test_a_jax_target_is_simulated_like_the_named_one():
    options = {"d": 20, "trials": 2, "seed": 3}
    named = ge.simulate(ge.Problem(ge.DeepNetwork("tanh")), 2.0, **options)
    mine = ge.simulate(ge.Problem(ge.DeepNetwork(ge.Activation(jnp.tanh))), 2.0, **options)
    assert mine.test_error.values == pytest.approx(named.test_error.values, rel=1e-10)


def test_under_the_callers_own_float64_nothing_changes():
    with jax.enable_x64(True):
        activation = ge.Activation(jnp.tanh)
        inside = activation.dual(1.0, 0.4)
        assert jax.config.jax_enable_x64
    assert activation.dual(1.0, 0.4) == inside
    assert not jax.config.jax_enable_x64
