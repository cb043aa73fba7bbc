"""True networks of extensive width and what is made of their labels."""

import numpy as np
import pytest

from gaussequiv.algorithms.message_passing.matrix_amp import fields
from gaussequiv.numerics.keys import TEST, TRAIN
from gaussequiv.problems.extensive_width import ExtensiveWidth
from gaussequiv.problems.extensive_width.trial import draw_labels, draw_network, kernel_estimate, known_law, message_passing


def test_labels_are_those_of_the_network():
    problem = ExtensiveWidth("relu", width_ratio=0.5, readouts="rademacher", noise=0.25)
    network = draw_network(problem, 40, (0, 0))
    x = np.random.default_rng(5).standard_normal((20000, 40))
    noisy, clean = draw_labels(problem, network, x, (0, 0), TRAIN)
    assert clean[:3] == pytest.approx(np.maximum(x[:3] @ network.W.T / np.sqrt(40), 0) @ network.v / np.sqrt(20))
    assert np.mean((noisy - clean) ** 2) == pytest.approx(0.25, rel=0.05)
    again, _ = draw_labels(problem, network, x, (0, 0), TEST)
    assert not np.array_equal(again, noisy)


def test_noise_inside_units_has_the_variance_that_theory_takes():
    problem = ExtensiveWidth("tanh", width_ratio=0.5, unit_noise=0.5)
    network = draw_network(problem, 60, (0, 1))
    x = np.random.default_rng(6).standard_normal((20000, 60))
    noisy, clean = draw_labels(problem, network, x, (0, 1), TRAIN)
    assert np.mean((noisy - clean) ** 2) == pytest.approx(problem.label_noise, rel=0.05)
    assert abs(np.mean(noisy - clean)) < 0.02


def test_the_learner_knows_the_readouts():
    problem = ExtensiveWidth("hermite:2", readouts="rademacher")
    network = draw_network(problem, 50, (0, 2))
    law = known_law(network)
    assert law.mean == pytest.approx(network.v.mean())
    S = (network.W.T * network.v) @ network.W / 25
    assert np.trace(S) / 50 == pytest.approx(law.mean, abs=5 / np.sqrt(25 * 50))


def test_the_kernel_estimate_is_the_dense_ridge_solution():
    """Least squares in the d^2 entries of S with the prior's precision d/(2 variance), solved directly."""
    rng = np.random.default_rng(2)
    d, n, noise = 6, 40, 0.3
    problem = ExtensiveWidth("hermite:2", width_ratio=0.5)
    law = known_law(draw_network(problem, d, (0, 3)))
    x, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    Phi = ((np.einsum("ni,nj->nij", x, x) - np.eye(d)) / np.sqrt(d)).reshape(n, d * d)
    target = y - fields(x, law.mean * np.eye(d))
    dense = np.linalg.solve(Phi.T @ Phi + noise * d / (2 * law.variance) * np.eye(d * d), Phi.T @ target).reshape(d, d)
    assert kernel_estimate(x, y, noise, law) == pytest.approx(dense + law.mean * np.eye(d), abs=1e-4)


def test_odd_networks_are_learned_up_to_their_linear_part():
    """tanh: no matrix, the error is that of ridge regression with all higher degrees as noise."""
    problem = ExtensiveWidth("tanh", noise=0.1)
    measured = message_passing(problem, 40, 6400, (0, 4), 4000, 100)
    assert measured.matrix_overlap == 0.0
    assert measured.test_error == measured.kernel_error
    assert measured.clean_error == pytest.approx(problem.parts.floor, rel=0.15)
