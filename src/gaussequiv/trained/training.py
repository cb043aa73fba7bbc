"""AdamW on an architecture's loss, in float32, with a checkpoint from which it goes on to the same last bit."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from gaussequiv._jax import float32_scope
from gaussequiv.errors import GaussequivError, integer
from gaussequiv.numerics.keys import TRAINING
from gaussequiv.store import checkpoint
from gaussequiv.trained.base import Architecture
from gaussequiv.trained.data import TrainingRows
from gaussequiv.trained.network import TrainedNetwork

BATCH = 128  # rows drawn with replacement for a step
BLOCK = 100  # steps between looks at the loss
KEPT_EVERY = 10.0  # seconds


class TrainingError(GaussequivError, ArithmeticError):
    """The loss is no number any more."""


def train_network(
    architecture: Architecture,
    data: TrainingRows,
    *,
    steps: int,
    seed: int,
    path: Path | None = None,
    tell: Callable[[int, float], None] | None = None,
) -> TrainedNetwork:
    """The network after `steps` steps, its learning rate going down to 0 as a cosine.

    Parameters
    ----------
    architecture, data, steps, seed
    path : Path, optional
        Where weights and optimiser are kept every ten seconds, when training is interrupted, and at its end: a later call with the same
        arguments goes on from there, on the same machine to the same last bit.
    tell : (steps done, mean loss of the last hundred) -> None, optional

    Raises
    ------
    TrainingError : the loss is not finite.
    ArgumentError : the checkpoint is another call's.
    """
    steps, seed = integer("steps", steps, minimum=1), integer("seed", seed, minimum=0)
    header = {"architecture": architecture.to_dict(), "data": data.digest, "steps": steps, "seed": seed, "batch": BATCH}
    arrays: dict[str, Any] = {"losses": [], "done": 0}
    if path is not None and path.exists():
        stored, arrays = checkpoint.read(path)
        checkpoint.same_call(path, stored, header)
    with float32_scope():
        rows, key, state = _start(architecture, data, steps, seed)
        state = _kept(state, arrays)
        advance = _compiled(architecture, steps)
        losses, done = list(arrays["losses"]), int(arrays["done"])
        kept = time.monotonic()
        try:
            while done < steps:
                stop = min(done + BLOCK, steps)
                moved, total = advance(rows, key, state, done, stop)
                loss = float(total) / (stop - done)
                if not np.isfinite(loss):
                    raise TrainingError(f"The loss is {loss} after {stop} steps of {steps}: these data cannot be trained on as they are.")
                state, done, losses = moved, stop, [*losses, loss]
                if tell is not None:
                    tell(done, loss)
                if path is not None and (done == steps or time.monotonic() > kept + KEPT_EVERY):
                    _keep(path, header, state, losses, done)
                    kept = time.monotonic()
        except KeyboardInterrupt:
            if path is not None:
                _keep(path, header, state, losses, done)
            raise
        weights = {name: np.asarray(value, dtype=np.float64) for name, value in state[0].items() if not name.startswith("encoder.")}
    training = {"data": data.name, "rows": len(data.rows), "steps": steps, "seed": seed}
    return TrainedNetwork(architecture, weights, data.low, data.high, training, np.array(losses))


def _start(architecture: Architecture, data: TrainingRows, steps: int, seed: int) -> tuple[Any, Any, Any]:
    """Rows, key, and the state that training begins with: weights and optimiser."""
    import jax
    import jax.numpy as jnp

    entropy = np.random.SeedSequence((seed, TRAINING))
    begin = architecture.initial(data.rows, np.random.default_rng(entropy))
    weights = {name: jnp.asarray(value, jnp.float32) for name, value in begin.items()}
    key = jax.random.key(int(entropy.generate_state(1)[0]))
    return jnp.asarray(data.rows, jnp.float32), key, (weights, _optimiser(architecture, steps).init(weights))


def _optimiser(architecture: Architecture, steps: int) -> Any:
    import optax

    def decayed(weights: Any) -> dict[str, bool]:
        return {name: name.endswith(".weight") for name in weights}

    rate = optax.cosine_decay_schedule(architecture.learning_rate, steps)
    return optax.adamw(rate, weight_decay=architecture.weight_decay, mask=decayed)


@lru_cache(maxsize=8)
def _compiled(architecture: Architecture, steps: int) -> Any:
    """(rows, key, state, first, last step) -> (state, sum of losses); calls that differ in data and seed share it."""
    import jax
    import jax.numpy as jnp
    import optax

    optimiser = _optimiser(architecture, steps)

    @jax.jit
    def advance(rows: Any, key: Any, state: Any, first: Any, last: Any) -> Any:
        def one(step: Any, carried: Any) -> Any:
            (weights, moments), total = carried
            drawn, noise = jax.random.split(jax.random.fold_in(key, step))
            batch = rows[jax.random.randint(drawn, (BATCH,), 0, len(rows))]
            loss, slope = jax.value_and_grad(architecture.loss)(weights, batch, noise)
            change, moments = optimiser.update(slope, moments, weights)
            return (optax.apply_updates(weights, change), moments), total + loss

        return jax.lax.fori_loop(first, last, one, (state, jnp.float32(0)))

    return advance


def _keep(path: Path, header: dict[str, Any], state: Any, losses: list[float], done: int) -> None:
    import jax

    leaves = {f"state{i}": np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(state))}
    checkpoint.write(path, header, leaves | {"losses": losses, "done": done})


def _kept(state: Any, arrays: dict[str, Any]) -> Any:
    """The state with the values of a checkpoint, where there are any."""
    import jax
    import jax.numpy as jnp

    leaves, structure = jax.tree.flatten(state)
    return jax.tree.unflatten(structure, [jnp.asarray(arrays.get(f"state{i}", leaf)) for i, leaf in enumerate(leaves)])
