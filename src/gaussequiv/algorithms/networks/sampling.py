"""The posterior of a deep network on one data set: chains that advance in pieces, record what is seen, and can be stored between pieces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np

from gaussequiv.algorithms.networks import hmc
from gaussequiv.algorithms.networks.density import Parameters, log_likelihood, shapes
from gaussequiv.algorithms.networks.marginal_readout import draw_readout, features, log_evidence
from gaussequiv.algorithms.networks.observables import Seen, TaughtData, observer
from gaussequiv.ingredients.targets.deep_network import DeepNetwork


class ChainState(NamedTuple):
    """All that the next transition depends on, and all that was recorded: arrays with a leading axis of chains."""

    iteration: Any
    chains: Any  # blackjax states of the flat sampled coordinates
    adaptation: Any
    step: Any
    traces: dict[str, Any]  # (chains, draws, ...)
    sums: dict[str, Any]  # (chains, test rows)
    acceptance: Any  # sums after warm-up
    divergences: Any
    gradients: Any


State = ChainState  # its name of before


@dataclass(frozen=True, eq=False)
class Sampling:
    """Chains for one description; data sets of the same shapes share one compilation.

    Iterations 0 ... warmup - 1 adapt the step size, later ones keep it; of these every `thin`-th is recorded. Iteration i draws its
    randomness from fold_in(key, i) and chain c from fold_in of that, so that where the run is cut into pieces changes no bit.
    """

    network: DeepNetwork
    d: int
    sampler: str
    warmup: int
    draws: int
    thin: int
    marginal: bool
    keep_weights: bool = False

    @property
    def iterations(self) -> int:
        """Transitions of a whole run."""
        return self.warmup + self.draws * self.thin

    @cached_property
    def _template(self) -> Parameters:
        """Zeros of the shapes of the sampled coordinates: without readout and output bias where they are integrated out."""
        full = shapes(self.network, self.d)
        kept = [name for name in full if not (self.marginal and name in ("readout", "bias"))]
        return {name: _zeros(full[name], name) for name in kept}

    @cached_property
    def unravel(self) -> Callable[[Any], Parameters]:
        """The sampled coordinates from one vector."""
        from jax.flatten_util import ravel_pytree

        return ravel_pytree(self._template)[1]

    def flat(self, u: Parameters) -> Any:
        """The sampled coordinates of a network as one vector."""
        from jax.flatten_util import ravel_pytree

        return ravel_pytree({name: u[name] for name in self._template})[0]

    @property
    def dimension(self) -> int:
        """Number of sampled coordinates."""
        return sum(np.size(leaf) for part in self._template.values() for leaf in (part if isinstance(part, tuple) else (part,)))

    @cached_property
    def log_density(self) -> Callable[[Any, Any, Any], Any]:
        """log P(y | u) - |u|^2/2 of flat coordinates u, rows x and labels y."""
        import jax.numpy as jnp

        if self.marginal:
            f_of, evidence = features(self.network), log_evidence(self.network.channel.noise)
            return lambda u, x, y: evidence(f_of(self.unravel(u), x), y) - 0.5 * jnp.vdot(u, u)
        likelihood = log_likelihood(self.network)
        return lambda u, x, y: likelihood(self.unravel(u), x, y) - 0.5 * jnp.vdot(u, u)

    @cached_property
    def complete(self) -> Callable[[Any, Any, Any, Any], Parameters]:
        """All coordinates of a draw, (key, flat, x, y): an integrated readout is drawn given the hidden weights."""
        if not self.marginal:
            return lambda key, u, x, y: self.unravel(u)
        readout = draw_readout(self.network)
        return lambda key, u, x, y: readout(key, self.unravel(u), x, y)

    @cached_property
    def _seen(self) -> Callable[[Any, Any, TaughtData], Seen]:
        """What is seen of all chains at flat positions (chains, dimension)."""
        import jax
        import jax.numpy as jnp

        observe = observer(self.network, self.keep_weights)

        def call(key: Any, positions: Any, data: TaughtData) -> Seen:
            def one(chain: Any, u: Any) -> Seen:
                return observe(self.complete(jax.random.fold_in(key, chain), u, data.x, data.y), data)

            return jax.vmap(one)(jnp.arange(positions.shape[0]), positions)

        return call

    @cached_property
    def _begin(self) -> Callable[[Any, Any, TaughtData], ChainState]:
        import jax
        import jax.numpy as jnp

        def call(key: Any, positions: Any, data: TaughtData) -> ChainState:
            chains = positions.shape[0]
            seen = jax.eval_shape(self._seen, key, positions, data)
            return ChainState(
                jnp.zeros((), jnp.int64),
                hmc.start(lambda u: self.log_density(u, data.x, data.y), positions),
                hmc.step_size(hmc.ACCEPTANCE[self.sampler]).init(),
                jnp.asarray(hmc.FIRST_STEP),
                {name: jnp.zeros((chains, self.draws, *v.shape[1:])) for name, v in seen.scalars.items()},
                {name: jnp.full(v.shape, -jnp.inf if name == "log_density" else 0.0) for name, v in seen.rows.items()},
                jnp.zeros(chains),
                jnp.zeros(chains, jnp.int64),
                jnp.zeros(chains, jnp.int64),
            )

        return jax.jit(call)

    def init(self, key: Any, positions: Any, data: TaughtData) -> ChainState:
        """Chains at flat positions (chains, dimension), nothing recorded yet."""
        import jax

        state = self._begin(key, positions, data)
        return self.restored(jax.tree.leaves(state), jax.tree.structure(state))

    @staticmethod
    def restored(leaves: list[Any], structure: Any) -> ChainState:
        """A state of plain arrays: one that was stored and one that was not must compile to the same program, bit for bit."""
        import jax
        import jax.numpy as jnp

        return jax.tree.unflatten(structure, [jnp.asarray(np.asarray(leaf)) for leaf in leaves])

    @cached_property
    def _move(self) -> Callable[[Any, ChainState, TaughtData], hmc.Moved]:
        """One transition of all chains."""
        import jax

        move = hmc.transition(self.sampler)

        def call(key: Any, state: ChainState, data: TaughtData) -> hmc.Moved:
            own, _ = jax.random.split(jax.random.fold_in(key, state.iteration))
            return move(own, state.chains, lambda u: self.log_density(u, data.x, data.y), state.step)

        return call

    @cached_property
    def warm(self) -> Callable[[Any, ChainState, TaughtData, Any], ChainState]:
        """Compiled: (key, state, data, stop) -> the state at iteration `stop` of the warm-up."""
        import jax.numpy as jnp

        adapt = hmc.step_size(hmc.ACCEPTANCE[self.sampler])

        def body(key: Any, state: ChainState, data: TaughtData) -> ChainState:
            moved = self._move(key, state, data)
            adaptation = adapt.update(state.adaptation, jnp.nan_to_num(moved.acceptance).mean())
            last = state.iteration == self.warmup - 1
            size = jnp.where(last, adapt.final(adaptation), adapt.current(adaptation))
            return state._replace(iteration=state.iteration + 1, chains=moved.state, adaptation=adaptation, step=size)

        return _until(body)

    @cached_property
    def record(self) -> Callable[[Any, ChainState, TaughtData, Any], ChainState]:
        """Compiled: (key, state, data, stop) -> the state at iteration `stop`, warmup plus a multiple of `thin`; these are recorded."""
        import jax
        import jax.numpy as jnp

        def one(key: Any, state: ChainState, data: TaughtData) -> ChainState:
            moved = self._move(key, state, data)
            return state._replace(
                iteration=state.iteration + 1,
                chains=moved.state,
                acceptance=state.acceptance + moved.acceptance,
                divergences=state.divergences + moved.divergent,
                gradients=state.gradients + moved.gradients,
            )

        def body(key: Any, state: ChainState, data: TaughtData) -> ChainState:
            state = jax.lax.fori_loop(0, self.thin, lambda _, s: one(key, s, data), state)
            _, other = jax.random.split(jax.random.fold_in(key, state.iteration - 1))  # the half that the last move left
            seen = self._seen(other, state.chains.position, data)
            index = (state.iteration - self.warmup) // self.thin - 1
            traces = {name: values.at[:, index].set(seen.scalars[name]) for name, values in state.traces.items()}
            sums = {
                name: jnp.logaddexp(values, seen.rows[name]) if name == "log_density" else values + seen.rows[name]
                for name, values in state.sums.items()
            }
            return state._replace(traces=traces, sums=sums)

        return _until(body)

    def advance(self, key: Any, state: ChainState, data: TaughtData, stop: int) -> ChainState:
        """The state at iteration `stop`, or at the end of the warm-up if that comes first."""
        now = int(state.iteration)
        if now < self.warmup:
            return self.warm(key, state, data, min(stop, self.warmup))
        return self.record(key, state, data, stop)


@lru_cache(maxsize=4)
def sampling(
    network: DeepNetwork, d: int, sampler: str, warmup: int, draws: int, thin: int, marginal: bool, keep_weights: bool
) -> Sampling:
    """The chains of a description; the last ones are kept with what was compiled for them."""
    return Sampling(network, d, sampler, warmup, draws, thin, marginal, keep_weights)


def _until(body: Callable[[Any, ChainState, TaughtData], ChainState]) -> Callable[[Any, ChainState, TaughtData, Any], ChainState]:
    import jax

    def run(key: Any, state: ChainState, data: TaughtData, stop: Any) -> ChainState:
        return jax.lax.while_loop(lambda s: s.iteration < stop, lambda s: body(key, s, data), state)

    return jax.jit(run)


def _zeros(shape: Any, name: str) -> Any:
    return tuple(np.zeros(s) for s in shape) if name in ("weights", "biases") else np.zeros(shape)


def prior_draws(network: DeepNetwork, d: int, rng: np.random.Generator, count: int) -> list[Parameters]:
    """Standard normal coordinates of independent networks."""

    def draw(shape: Any, name: str) -> Any:
        if name in ("weights", "biases"):
            return tuple(rng.standard_normal(s) for s in shape)
        return rng.standard_normal(shape)

    full = shapes(network, d)
    return [{name: draw(shape, name) for name, shape in full.items()} for _ in range(count)]
