r"""The Gaussian readout integrated out of the posterior of a deep network with Gaussian label noise, exactly.

With the rows' features f (readout scale included, a constant column for the output's bias) and a standard normal readout z,

    y = f z + sqrt(noise) xi:    log P(y | hidden weights) = log N(y; 0, noise I + f f')
    z | y, hidden weights ~ N(M^-1 f'y, noise M^-1),   M = noise I + f'f   (or the equivalent n x n form where n is smaller)

The gradient in f is E_z[(y - f z) z']/noise (Fisher's identity), so that no factorisation is differentiated. Hidden weights then mix
faster, because the readout no longer has to follow them, and the readout is an independent draw.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gaussequiv.algorithms.networks.density import Parameters, hidden
from gaussequiv.ingredients.channels.gaussian import GaussianNoise
from gaussequiv.ingredients.targets.deep_network import DeepNetwork


def can_marginalise(network: DeepNetwork) -> bool:
    """Whether the readout can be integrated out: Gaussian noise, and hidden weights that are left to sample."""
    return isinstance(network.channel, GaussianNoise) and network.channel.noise > 0 and len(network.layers) > 0


def features(network: DeepNetwork) -> Callable[[Parameters, Any], Any]:
    """f(hidden coordinates, rows), shape (rows, readout coordinates)."""
    import jax.numpy as jnp

    layers = hidden(network)

    def call(u: Parameters, x: Any) -> Any:
        top = layers(u, x)[-1]
        f = top * np.sqrt(network.readout_variance / top.shape[1])
        if network.readout_bias_variance:
            constant = jnp.full((top.shape[0], 1), np.sqrt(network.readout_bias_variance))
            f = jnp.concatenate([f, constant], axis=1)
        return f

    return call


def log_evidence(noise: float) -> Callable[[Any, Any], Any]:
    """log N(y; 0, noise I + f f') as a JAX function of (f, y) with its own gradient in f."""
    import jax
    import jax.numpy as jnp

    def value(f: Any, y: Any) -> tuple[Any, Any]:
        n, k = f.shape
        wide = k > n
        inverse, log_det = _inverse(noise * jnp.eye(min(n, k)) + (f @ f.T if wide else f.T @ f))
        if wide:  # K = noise I + f f'
            dual = inverse @ y
            mean = f.T @ dual
        else:  # the same through M = noise I + f'f: K^-1 y = (y - f M^-1 f'y)/noise
            mean = inverse @ (f.T @ y)
            dual = (y - f @ mean) / noise
        log_det = log_det + max(n - k, 0) * np.log(noise)
        return -0.5 * (y @ dual + log_det + n * np.log(2 * np.pi)), (f, mean, dual, inverse)

    @jax.custom_vjp
    def evidence(f: Any, y: Any) -> Any:
        return value(f, y)[0]

    def pull(kept: Any, cotangent: Any) -> tuple[Any, Any]:
        f, mean, dual, inverse = kept
        n, k = f.shape
        shrink = inverse @ f if k > n else f @ inverse  # K^-1 f
        return cotangent * (jnp.outer(dual, mean) - shrink), -cotangent * dual

    evidence.defvjp(value, pull)
    return evidence


def _inverse(matrix: Any) -> tuple[Any, Any]:
    """Inverse and log-determinant of a symmetric positive definite matrix."""
    import jax
    import jax.numpy as jnp

    lower = jnp.linalg.cholesky(matrix)
    half = jax.lax.linalg.triangular_solve(lower, jnp.eye(lower.shape[0]), left_side=True, lower=True)
    return half.T @ half, 2 * jnp.log(jnp.diagonal(lower)).sum()


def draw_readout(network: DeepNetwork) -> Callable[[Any, Parameters, Any, Any], Parameters]:
    """An exact draw of readout and output bias given the hidden coordinates, as a JAX function (key, u, x, y) -> all coordinates.

    z = z0 + f'K^-1(y - f z0 - sqrt(noise) e) with z0, e standard normal has the posterior's law, whichever of n and k is larger.
    """
    import jax
    import jax.numpy as jnp

    f_of, noise = features(network), network.channel.noise

    def call(key: Any, u: Parameters, x: Any, y: Any) -> Parameters:
        f = f_of(u, x)
        n, k = f.shape
        first, second = jax.random.split(key)
        z = jax.random.normal(first, (k,))
        rest = y - f @ z - np.sqrt(noise) * jax.random.normal(second, (n,))
        if k > n:
            step = f.T @ jax.scipy.linalg.cho_solve((jnp.linalg.cholesky(noise * jnp.eye(n) + f @ f.T), True), rest)
        else:
            step = jax.scipy.linalg.cho_solve((jnp.linalg.cholesky(noise * jnp.eye(k) + f.T @ f), True), f.T @ rest)
        z = z + step
        if network.readout_bias_variance:
            return u | {"readout": z[:-1], "bias": z[-1]}
        return u | {"readout": z}

    return call
