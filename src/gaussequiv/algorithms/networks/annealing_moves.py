"""Hamiltonian transitions of many chains at once, in JAX: the prior's flow is an exact rotation, the likelihood kicks.

A step of angle eps with kicks beta times the gradient of l leaves exp(-|u|^2/2 + beta l(u)) invariant up to a Metropolis test, which makes
it exact; without likelihood a quarter turn draws a new point from the prior.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gaussequiv.algorithms.networks.annealing_target import AnnealingTarget

SHORTEST = 0.7  # trajectories have random lengths between this fraction and 1, so that no mode returns to where it was


def _rotate(u: Any, p: Any, angle: Any) -> tuple[Any, Any]:
    """The exact flow of the prior; an angle for each chain, the first axis of every leaf."""
    import jax
    import jax.numpy as jnp

    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return jax.tree.map(lambda a, b: _scaled(cos, a) + _scaled(sin, b), u, p), jax.tree.map(
        lambda a, b: _scaled(cos, b) - _scaled(sin, a), u, p
    )


def _scaled(factor: Any, leaf: Any) -> Any:
    return factor.reshape(factor.shape + (1,) * (leaf.ndim - 1)) * leaf


def _norms(*trees: Any) -> Any:
    """Sum of squares of all coordinates of every chain, of all trees together."""
    import jax

    return sum((leaf * leaf).reshape(leaf.shape[0], -1).sum(axis=1) for leaf in jax.tree.leaves(trees))


def normal(key: Any, chains: int, like: Any) -> Any:
    """Standard normal coordinates of every chain, shaped as one chain's `like`, from one draw."""
    import jax

    leaves, tree = jax.tree.flatten(like)
    sizes = [int(np.prod(np.shape(leaf))) for leaf in leaves]
    drawn = jax.random.normal(key, (chains, sum(sizes)), dtype="float64")
    ends = np.cumsum(sizes)
    parts = [drawn[:, end - size : end].reshape(chains, *np.shape(leaf)) for end, size, leaf in zip(ends, sizes, leaves, strict=True)]
    return jax.tree.unflatten(tree, parts)


def _transition(slope: Callable[[Any], Any], chains: int) -> Callable[..., Any]:
    """A Metropolis-corrected trajectory of every chain: (states, beta, kicks, angle, key) -> (states, acceptances); state = (u, l, dl)."""
    import jax
    import jax.numpy as jnp

    def step(state: Any, beta: Any, kicks: Any, angle: Any, key: Any) -> Any:
        u, value, grad = state
        momentum_key, uniform_key = jax.random.split(key)
        length, chance = jax.random.uniform(uniform_key, (2, chains), dtype="float64")
        p = normal(momentum_key, chains, jax.tree.map(lambda leaf: leaf[0], u))
        eps = angle / kicks * (SHORTEST + (1 - SHORTEST) * length)

        def push(p: Any, grad: Any) -> Any:
            return jax.tree.map(lambda a, b: a + _scaled(0.5 * beta * eps, b), p, grad)

        def kick(_: Any, at: Any) -> Any:
            u, p, _, grad = at
            u, p = _rotate(u, push(p, grad), eps)
            value, grad = slope(u)
            return u, push(p, grad), value, grad

        new_u, new_p, new_value, new_grad = jax.lax.fori_loop(0, kicks, kick, (u, p, value, grad))
        gain = beta * (new_value - value) + 0.5 * (_norms(u, p) - _norms(new_u, new_p))
        gain = jnp.where(jnp.isnan(gain), -jnp.inf, gain)
        accept = jnp.log(chance) < gain
        new, old = (new_u, new_value, new_grad), state
        chosen = jax.tree.map(lambda a, b: jnp.where(accept.reshape((chains,) + (1,) * (a.ndim - 1)), a, b), new, old)
        return chosen, jnp.exp(jnp.minimum(gain, 0.0))

    return step


def moves(target: AnnealingTarget, x: Any, y: Any, chains: int) -> tuple[Callable[..., Any], Callable[[Any], Any]]:
    """The transition of all chains, and the states (u, l, gradient of l) of given coordinates."""
    import jax

    slope = jax.vmap(jax.value_and_grad(lambda u: target.density(u, x, y)))
    return _transition(slope, chains), lambda u: (u, *slope(u))
