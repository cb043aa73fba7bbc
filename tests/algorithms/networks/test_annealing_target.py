"""What is annealed: evidence and posterior mean with the readout integrated out in NumPy, or the network itself."""

import numpy as np
import pytest
from scipy import stats

import gaussequiv as ge
from gaussequiv._jax import float64_scope
from gaussequiv.algorithms.networks.annealing_target import annealing_target

D, WIDTH, NOISE = 3, 6, 0.3
ROWS = np.random.default_rng(1).standard_normal((2, D))


def drawn(network, n):
    rng = np.random.default_rng(0)
    sampled, x = network.sample(rng, D), rng.standard_normal((n, D))
    return sampled, x, network.channel.sample(rng, sampled(x))


@pytest.mark.parametrize("n", [4, 6, 9])
@pytest.mark.parametrize("bias", [0.0, 0.4])
def test_without_the_readout(n, bias):
    """Fewer rows than neurons, as many, and more: log N(y; 0, f f' + noise), and f_new f'(f f' + noise)^-1 y."""
    network = ge.DeepNetwork("tanh", noise=NOISE, widths=WIDTH, readout_variance=1.7, readout_bias_variance=bias)
    target = annealing_target(network)
    sampled, x, y = drawn(network, n)
    u = target.coordinates(sampled, D)
    assert target.integrated and set(u) == {"weights"}
    f, new = (np.sqrt(1.7 / WIDTH) * np.tanh(rows @ sampled.weights[0]) for rows in (x, ROWS))
    if bias:
        f, new = (np.column_stack([part, np.full(len(part), np.sqrt(bias))]) for part in (f, new))
    covariance = f @ f.T + NOISE * np.eye(n)
    with float64_scope():
        density, predicted = float(target.density(u, x, y)), np.asarray(target.predict(u, ROWS, x, y))
    assert density == pytest.approx(stats.multivariate_normal(np.zeros(n), covariance).logpdf(y), rel=1e-10)
    np.testing.assert_allclose(predicted, new @ f.T @ np.linalg.solve(covariance, y), rtol=1e-9)


def test_the_whole_network():
    network = ge.DeepNetwork("tanh", noise=NOISE, widths=WIDTH, bias_variance=0.5)
    target = annealing_target(network, False)
    sampled, x, y = drawn(network, 4)
    u = target.coordinates(sampled, D)
    assert not target.integrated and set(u) == {"weights", "biases", "readout"}
    with float64_scope():
        density, predicted = float(target.density(u, x, y)), np.asarray(target.predict(u, ROWS, x, y))
    assert density == pytest.approx(stats.norm(sampled(x), np.sqrt(NOISE)).logpdf(y).sum(), rel=1e-10)
    np.testing.assert_allclose(predicted, sampled(ROWS), rtol=1e-10)
