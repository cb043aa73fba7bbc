"""Users' activations written with jax.numpy go everywhere."""

import jax.numpy as jnp
import numpy as np

import gaussequiv as ge


def soft(x):
    return jnp.tanh(x)


def test_the_kernel_of_a_users_activation():
    rows = np.array([[1.0, 2.0], [0.3, -1.0]])
    assert np.allclose(ge.NNGP(soft).block(rows), ge.NNGP("tanh").block(rows), rtol=1e-9)


def test_the_information_of_a_network_with_a_users_activation():
    options = {"d": 4, "trials": 3, "control_trials": 8, "test_samples": 8}
    own, named = (
        ge.network_information(ge.Problem(ge.DeepNetwork(phi, noise=0.3, width_ratios=1.0)), [1.0], **options).log_evidence.values
        for phi in (soft, "tanh")
    )
    assert np.allclose(own, named, rtol=1e-9)
