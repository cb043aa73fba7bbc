"""Averages over the law of the target's constant part."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.learners.bayes.fixed_points import potentials


def _offset_target(**labels):
    return ge.DeepNetwork("tanh", bias_variance=0.3, readout_bias_variance=1.0, **labels)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [  # by twelve nodes on each of six panels of offsets
        ({"task": "classification", "labels": lambda z: 0.1 + 0.8 * np.exp(-((z - 0.5) ** 2))}, 0.32560973),
        ({"labels": ge.Output(np.tanh, noise=0.1)}, 0.21171749),
        ({"labels": ge.Output(np.abs, noise=0.1, kinks=(0,))}, 0.31460987),
    ],
)
def test_random_offsets_are_averaged_to_six_digits(labels, expected):
    curve = ge.solve(ge.Problem(_offset_target(**labels), learner=ge.BayesOptimal()), alpha=0.3)
    assert curve.test_error.item() == pytest.approx(expected, rel=3e-6)
    assert curve.test_error.item() - curve.floor.item() == pytest.approx(curve.excess_over_floor.item(), rel=1e-12)
    assert curve.quadrature_error.item() < 1e-6


def test_errors_of_counts_include_offsets_far_out():
    """exp(z) of z ~ N(b0, .) weighs offsets of five and more standard deviations, which no bounded label does."""
    equivalent = ge.Problem(_offset_target(labels=ge.Poisson()), learner=ge.BayesOptimal()).equivalent()
    b0, mass = equivalent.offset_nodes(smooth=12, far=True)
    linear, noise = float(equivalent.weights @ equivalent.signal_modes), equivalent.model_noise
    found, share = potentials(equivalent)
    each = equivalent.channel.bayes_error(linear, noise, np.array([one.b0 for one in found]))
    assert each @ share == pytest.approx(equivalent.channel.bayes_error(linear, noise, b0) @ mass, rel=1e-5)
    assert len(found) < 45
