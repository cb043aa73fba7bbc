"""Which problems are theorems, replica results and extensions."""

import numpy as np
import pytest

from gaussequiv import DataInputs, DeepNetwork, GaussianInputs
from gaussequiv.equivalence.validity import assess, spectrum_summary

PLAIN = GaussianInputs()
DATA = DataInputs(np.random.default_rng(0).standard_normal((20, 3)))


@pytest.mark.parametrize(
    "network", [DeepNetwork("tanh", depth=3, noise=0.1), DeepNetwork("erf", noise=1.0), DeepNetwork("sine", weight_variance=4, noise=0.1)]
)
def test_smooth_odd_networks_with_noise_are_a_theorem(network):
    found = assess(PLAIN, network)
    assert found.status == "theorem"
    assert "Theorem 1" in found.reason
    assert all(holds for _, holds in found.hypotheses)


def test_a_linear_target_needs_no_reduction():
    assert assess(PLAIN, DeepNetwork((), noise=0.1)).reason == "a linear target needs no reduction"


@pytest.mark.parametrize(
    ("inputs", "network", "status", "failing"),
    [
        (PLAIN, DeepNetwork("tanh"), "replica result", "label noise > 0"),
        (PLAIN, DeepNetwork("sign", noise=0.1), "replica result", "twice differentiable with bounded derivatives"),
        (PLAIN, DeepNetwork(("tanh", "erf"), noise=0.1), "replica result", "the same layer repeated"),
        (PLAIN, DeepNetwork("tanh", depth=2, weight_variance=(1, 2), noise=0.1), "replica result", "the same layer repeated"),
        (PLAIN, DeepNetwork("tanh", noise=0.1, task="classification"), "replica result", "real labels (the sign is not smooth)"),
        (GaussianInputs("power-law:0.5"), DeepNetwork("tanh", noise=0.1), "replica result", "isotropic Gaussian inputs"),
        (PLAIN, DeepNetwork("relu", noise=0.1), "extension verified numerically", "odd activations"),
        (PLAIN, DeepNetwork("tanh", bias_variance=0.1, noise=0.1), "extension verified numerically", "no biases, no given offset"),
        (PLAIN, DeepNetwork("tanh", offset=0.5, noise=0.1), "extension verified numerically", "no biases, no given offset"),
        (GaussianInputs(mean=1.0), DeepNetwork("tanh", noise=0.1), "extension verified numerically", "isotropic Gaussian inputs"),
        (DATA, DeepNetwork("tanh", noise=0.1), "extension verified numerically", "isotropic Gaussian inputs"),
    ],
)
def test_each_broken_hypothesis_is_named(inputs, network, status, failing):
    found = assess(inputs, network)
    assert found.status == status
    assert not dict(found.hypotheses)[failing]
    assert f"NO: {failing}" in str(found)


def test_all_other_hypotheses_hold_when_one_breaks():
    found = assess(PLAIN, DeepNetwork("tanh"))
    assert [text for text, holds in found.hypotheses if not holds] == ["label noise > 0"]


def test_spectrum_summaries():
    assert spectrum_summary(np.array([2.5]), np.ones(1)) == "isotropic, eigenvalue 2.5"
    text = spectrum_summary(np.array([2.0, 0.0]), np.array([0.25, 0.75]))
    assert text == "2 modes, mean 0.5, from 0 to 2, rank fraction 0.25"
