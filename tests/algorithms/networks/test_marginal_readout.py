"""The readout integrated out: the Gaussian evidence, its gradient, and exact draws given the hidden weights."""

import numpy as np
import pytest
from scipy import stats

import gaussequiv as ge
from gaussequiv._jax import float64_scope
from gaussequiv.algorithms.networks import density
from gaussequiv.algorithms.networks import marginal_readout as marginal

jax = pytest.importorskip("jax")
NOISE = 0.2


@pytest.mark.parametrize(("n", "k"), [(12, 5), (5, 12), (6, 6)])
def test_the_evidence_is_the_normal_density_and_its_gradient(n, k):
    rng = np.random.default_rng(0)
    f, y = rng.standard_normal((n, k)), rng.standard_normal(n)
    exact = stats.multivariate_normal(np.zeros(n), NOISE * np.eye(n) + f @ f.T).logpdf(y)
    with float64_scope():
        jnp = jax.numpy

        def direct(f, y):
            cov = NOISE * jnp.eye(n) + f @ f.T
            return -0.5 * (y @ jnp.linalg.solve(cov, y) + jnp.linalg.slogdet(2 * jnp.pi * cov)[1])

        evidence = marginal.log_evidence(NOISE)
        value, slopes = jax.value_and_grad(evidence, argnums=(0, 1))(f, y)
        wanted = jax.grad(direct, argnums=(0, 1))(f, y)
        assert float(evidence(f, y)) == pytest.approx(exact, rel=1e-12)
    assert float(value) == pytest.approx(exact, rel=1e-12)
    for found, right in zip(slopes, wanted, strict=True):
        assert np.asarray(found) == pytest.approx(np.asarray(right), rel=1e-9, abs=1e-11)


@pytest.mark.parametrize("n", [4, 30])
@pytest.mark.parametrize("bias", [0.0, 0.7])
def test_readouts_are_drawn_from_their_exact_law(n, bias):
    network = ge.DeepNetwork("tanh", noise=NOISE, widths=(6,), readout_bias_variance=bias, readout_variance=2.0)
    rng = np.random.default_rng(1)
    sampled = network.sample(rng, 8)
    u = density.coordinates_of(network, sampled, 8)
    x = rng.standard_normal((n, 8))
    y = sampled(x) + np.sqrt(NOISE) * rng.standard_normal(n)
    hidden = {"weights": u["weights"]}
    draws = 20_000
    with float64_scope():
        f = np.asarray(marginal.features(network)(hidden, x))
        field = np.asarray(density.field(network)(u, x))
        z = np.append(u["readout"], u["bias"]) if bias else u["readout"]
        assert f @ z == pytest.approx(field, rel=1e-12)
        keys = jax.random.split(jax.random.key(0), draws)
        full = jax.jit(jax.vmap(lambda key: marginal.draw_readout(network)(key, hidden, x, y)))(keys)
        found = np.asarray(full["readout"])
        found = np.column_stack([found, full["bias"]]) if bias else found
    covariance = np.linalg.inv(np.eye(f.shape[1]) + f.T @ f / NOISE)
    mean = covariance @ f.T @ y / NOISE
    sd = np.sqrt(np.diag(covariance))
    assert np.all(np.abs(found.mean(axis=0) - mean) < 4.5 * sd / np.sqrt(draws))
    scaled = (found - mean) / sd
    correlation = covariance / np.outer(sd, sd)
    spread = np.sqrt((1 + correlation**2) / draws)
    assert np.all(np.abs(scaled.T @ scaled / draws - correlation) < 4.5 * spread)


def test_where_it_applies():
    assert marginal.can_marginalise(ge.DeepNetwork("tanh", noise=0.1))
    assert not marginal.can_marginalise(ge.DeepNetwork((), noise=0.1))
    assert not marginal.can_marginalise(ge.DeepNetwork("tanh", noise=0.1, task="classification"))
