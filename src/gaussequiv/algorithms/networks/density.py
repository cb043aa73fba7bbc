r"""The posterior of all weights of a deep network, in JAX: standard normal coordinates and the log-likelihood of labels.

Coordinates u ~ N(0, I) a priori: W_l = sqrt(weight_variance_l/k_{l-1}) u_l, b_l = sqrt(bias_variance_l) u, and so on, so that

    log P(u | D) = -|u|^2/2 + sum_mu log P(y_mu | S(x_mu; u)) + constant.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from gaussequiv._jax import traceable
from gaussequiv.errors import ArgumentError, FloatArray
from gaussequiv.ingredients.activations.base import Activation
from gaussequiv.ingredients.activations.jumps import jump_of
from gaussequiv.ingredients.channels.binary import Binary
from gaussequiv.ingredients.channels.gaussian import GaussianNoise
from gaussequiv.ingredients.channels.links import LogitLink, SignLink
from gaussequiv.ingredients.channels.outputs import Output
from gaussequiv.ingredients.targets.deep_network import DeepNetwork, SampledNetwork

Parameters = dict[str, Any]  # "weights": one array (fan_in, width) a layer; "readout"; "biases" and "bias" where their variance is positive


@lru_cache(maxsize=64)
def jax_activation(activation: Activation) -> Callable[[Any], Any]:
    """An activation as a JAX function whose gradients see all of it."""
    _refuse_jumps(activation, "activations", activation.name)
    return activation.traced()


def _refuse_jumps(function: Any, argument: str, name: str) -> None:
    """Gradients do not see a jump."""
    import jax

    with jax.ensure_compile_time_eval():  # also while something is being traced
        place = jump_of(function)
    if place is not None:
        raise ArgumentError(
            f"Argument `{argument}` must be continuous to sample a posterior, but {name!r} jumps at {place:.3g}: Hamiltonian Monte "
            "Carlo follows gradients, and a jump has none. A steep smooth function can be sampled, such as erf or tanh with a "
            "large weight_variance; `solve`, `information`, `simulate` and `compare` take jumps as they are."
        )


def shapes(network: DeepNetwork, d: int) -> Parameters:
    """Shapes of the parameters for inputs of dimension d."""
    sizes = (d, *network.widths_at(d))
    out: Parameters = {"weights": tuple(pairwise(sizes)), "readout": (sizes[-1],)}
    if any(network.bias_variance):
        out["biases"] = tuple((k,) for k in sizes[1:])
    if network.readout_bias_variance:
        out["bias"] = ()
    return out


def coordinates_of(network: DeepNetwork, sampled: SampledNetwork, d: int) -> Parameters:
    """Standard coordinates of a sampled network (the teacher): an exact draw from the posterior of its own labels."""
    sizes = (d, *network.widths_at(d))
    weights = tuple(w * np.sqrt(k / v) for w, k, v in zip(sampled.weights, sizes, network.weight_variance, strict=False))
    out: Parameters = {"weights": weights, "readout": sampled.readout * np.sqrt(sizes[-1] / network.readout_variance)}
    if any(network.bias_variance):
        roots = [np.sqrt(v) if v > 0 else np.inf for v in network.bias_variance]
        out["biases"] = tuple(b / r for b, r in zip(sampled.biases, roots, strict=True))
    if network.readout_bias_variance:
        out["bias"] = np.float64(sampled.bias / np.sqrt(network.readout_bias_variance))
    return out


def hidden(network: DeepNetwork) -> Callable[[Parameters, Any], tuple[Any, ...]]:
    """h_1, ..., h_L at rows x, each of shape (rows, width), a pure JAX function of the coordinates u (h_0 = x for depth 0)."""
    functions = [jax_activation(a) for a in network.layers]

    def call(u: Parameters, x: Any) -> tuple[Any, ...]:
        h, found = x, []
        for layer, (phi, w) in enumerate(zip(functions, u["weights"], strict=True)):
            h = h @ w * np.sqrt(network.weight_variance[layer] / w.shape[0])
            if "biases" in u:
                h = h + np.sqrt(network.bias_variance[layer]) * u["biases"][layer]
            h = phi(h)
            found.append(h)
        return tuple(found) or (x,)

    return call


def read_out(network: DeepNetwork, u: Parameters, top: Any) -> Any:
    """S given the last layer's outputs, shape (rows,)."""
    a = u["readout"]
    s = top @ a * np.sqrt(network.readout_variance / a.shape[0])
    return s + np.sqrt(network.readout_bias_variance) * u["bias"] if "bias" in u else s


def field(network: DeepNetwork) -> Callable[[Parameters, Any], Any]:
    """S(u, x): local fields of rows x, shape (rows,), a pure JAX function of the coordinates u."""
    layers = hidden(network)
    return lambda u, x: read_out(network, u, layers(u, x)[-1])


def label_density(channel: Any) -> Callable[[Any, Any], Any]:
    """log P(y | field) as a differentiable JAX function of arrays."""
    import jax
    import jax.numpy as jnp

    if isinstance(channel, (GaussianNoise, Output)) and channel.noise == 0:
        raise ArgumentError(
            "Argument `noise` must be positive to sample a posterior, but noise=0: the likelihood would be a hard constraint."
        )
    if isinstance(channel, GaussianNoise):
        return lambda y, s: -0.5 * (y - s) ** 2 / channel.noise - 0.5 * np.log(2 * np.pi * channel.noise)
    if isinstance(channel, Binary):
        low, high = channel.flips[1], channel.flips[0]  # P(+1) = low + (1 - low - high) p
        if isinstance(channel.link, SignLink):
            if channel.noise == 0:
                raise ArgumentError(
                    "Argument `noise` must be positive to sample a posterior of sign labels, but noise=0: the likelihood would jump."
                )
            plain: Callable[[Any], Any] = lambda t: jax.scipy.special.log_ndtr(t / np.sqrt(channel.noise))  # noqa: E731
        elif isinstance(channel.link, LogitLink) and channel.noise == 0:
            plain = lambda t: jax.nn.log_sigmoid(t / channel.link.scale)  # noqa: E731
        else:
            raise ArgumentError(f"Argument `labels` must be sign with noise or logit to be sampled, but is {channel.link}.")
        if low == high == 0:
            return lambda y, s: plain(y * s)

        def flipped(y: Any, s: Any) -> Any:
            floor = jnp.where(y > 0, low, high)
            return jnp.log(floor + (1 - low - high) * jnp.exp(plain(y * s)))

        return flipped
    if isinstance(channel, Output):
        if channel.inner_noise:
            raise ArgumentError(
                f"Argument `inner_noise` must be 0 to sample a posterior, but inner_noise={channel.inner_noise:g}: the likelihood of one "
                "label would be an integral."
            )
        _refuse_jumps(channel, "labels", channel.name)
        mean = traceable(channel.function, channel.name, "labels")
        return lambda y, s: -0.5 * (y - mean(s)) ** 2 / channel.noise - 0.5 * np.log(2 * np.pi * channel.noise)
    raise ArgumentError(f"Argument `labels` must be Gaussian noise, sign with noise, logit or Output to be sampled, but is {channel}.")


def mean_label(channel: Any) -> Callable[[Any], Any]:
    """E[y | field] of real labels, P(y = +1 | field) of binary ones, as a JAX function."""
    import jax.numpy as jnp

    if channel.task == "classification":
        log_p = label_density(channel)
        return lambda s: jnp.exp(log_p(jnp.ones_like(s), s))
    return traceable(channel.function, channel.name, "labels") if isinstance(channel, Output) else lambda s: s


def log_likelihood(network: DeepNetwork) -> Callable[[Parameters, Any, FloatArray], Any]:
    """sum_mu log P(y_mu | S(x_mu; u)), a pure JAX function of (u, x, y); y is +-1 for binary labels."""
    s, log_p = field(network), label_density(network.channel)
    return lambda u, x, y: log_p(y, s(u, x)).sum()
