"""What is annealed: the posterior of a network's weights, the readout integrated out wherever that is exact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gaussequiv.algorithms.networks import density as network_density
from gaussequiv.algorithms.networks import marginal_readout
from gaussequiv.errors import fail
from gaussequiv.ingredients.targets.deep_network import DeepNetwork, SampledNetwork


@dataclass(frozen=True, eq=False)
class AnnealingTarget:
    """What is annealed: density(u, x, y), the log-likelihood l, and predict(u, rows, x, y), E[S(rows) | u, x, y]."""

    network: DeepNetwork
    integrated: bool
    density: Callable[..., Any]
    predict: Callable[..., Any]

    def coordinates(self, sampled: SampledNetwork, d: int) -> Any:
        """The standard coordinates u of a sampled network."""
        u = network_density.coordinates_of(self.network, sampled, d)
        kept = ("weights", "biases") if self.integrated else tuple(u)
        return {name: value for name, value in u.items() if name in kept}


def annealing_target(network: DeepNetwork, integrate_readout: bool | None = None) -> AnnealingTarget:
    """The posterior of a network's weights, without its readout (`integrate_readout`) wherever that can be integrated out exactly.

    Parameters
    ----------
    network : DeepNetwork
    integrate_readout : bool, optional
        By default for hidden layers under Gaussian label noise.

    Raises
    ------
    ArgumentError : the likelihood is a hard constraint (no label noise), or the readout cannot be integrated out.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> annealing_target(ge.DeepNetwork("tanh", noise=0.1)).integrated
    True
    """
    possible = marginal_readout.can_marginalise(network)
    if integrate_readout and not possible:
        raise fail("integrate_readout", "False without hidden layers or Gaussian label noise", integrate_readout)
    return _without_readout(network) if (possible if integrate_readout is None else integrate_readout) else _whole(network)


@lru_cache(maxsize=32)  # what is compiled belongs to the object
def _whole(network: DeepNetwork) -> AnnealingTarget:
    density, field = network_density.log_likelihood(network), network_density.field(network)
    return AnnealingTarget(network, False, density, lambda u, rows, x, y: field(u, rows))


@lru_cache(maxsize=32)
def _without_readout(network: DeepNetwork) -> AnnealingTarget:
    noise = float(network.channel.noise)
    features, evidence = marginal_readout.features(network), marginal_readout.log_evidence(noise)

    def predict(u: Any, rows: Any, x: Any, y: Any) -> Any:
        import jax.numpy as jnp

        f = features(u, x)
        n, k = f.shape
        if n < k:
            return features(u, rows) @ (f.T @ jnp.linalg.solve(f @ f.T + noise * jnp.eye(n), y))
        return features(u, rows) @ jnp.linalg.solve(f.T @ f + noise * jnp.eye(k), f.T @ y)

    return AnnealingTarget(network, True, lambda u, x, y: evidence(features(u, x), y), predict)
