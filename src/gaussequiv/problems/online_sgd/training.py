"""One-pass SGD itself: fresh samples of the generator, or of its Gaussian twin, one step each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gaussequiv._jax import float64_scope
from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.activations.base import Activation
from gaussequiv.ingredients.generators.base import checked_outputs
from gaussequiv.numerics.keys import FRESH, LABELS, LATENTS, TWIN
from gaussequiv.problems.base import Key
from gaussequiv.problems.online_sgd.instance import Instance
from gaussequiv.store.halfway import Halfway, State

if TYPE_CHECKING:
    from gaussequiv.problems.online_sgd.description import OnlineSGD

SAMPLES = 1024  # that share a random key


class Source:
    """Samples (x, y) in blocks, labels from the latents: of the generator, centred, or of the twin Phi c + (Omega - Phi Phi')^(1/2) xi."""

    def __init__(self, problem: OnlineSGD, instance: Instance, twin: bool, key: Key) -> None:
        self.problem, self.instance, self.key, self.twin = problem, instance, key, twin
        self.name = "twin" if twin else "generator"

    def block(self, number: int, purpose: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Block `number` of the stream: rows (SAMPLES, N), labels without noise and with it (SAMPLES,)."""
        instance, teacher = self.instance, self.problem.teacher
        stream = (*self.key, purpose, number)
        c = np.random.default_rng(stream).standard_normal((SAMPLES, instance.generator.latent_dim))
        if self.twin and instance.moments is not None:
            xi = np.random.default_rng((*stream, TWIN)).standard_normal((SAMPLES, instance.generator.dimension))
            x = c @ instance.moments.phi.T + xi @ instance.twin_root
        else:
            x = checked_outputs(instance.generator, c)
            if instance.moments is not None:
                x = x - instance.moments.mean
        seen = x if instance.direct else c
        clean = y = teacher.activation(teacher.gain * (seen @ instance.B.T) / np.sqrt(instance.seen)) @ instance.A
        if self.problem.noise > 0:
            y = y + np.sqrt(self.problem.noise) * np.random.default_rng((*stream, LABELS)).standard_normal(SAMPLES)
        if self.problem.labels == "sign":
            clean, y = (np.where(one >= 0, 1.0, -1.0) for one in (clean, y))
        return x, clean, y


@dataclass
class Training:
    """SGD under way: weights, steps done, blocks drawn of the stream, what is left of them, and the records so far."""

    w: Any
    v: Any
    x: FloatArray
    y: FloatArray
    done: int = 0
    blocks: int = 0
    weights: list[FloatArray] = field(default_factory=list)
    readouts: list[FloatArray] = field(default_factory=list)

    def kept(self, name: str, others: State) -> Callable[[], State]:
        """The arrays of now, whatever comes later, beside `others`; what is left of the blocks is known by its length."""
        w, v, place, records = self.w, self.v, np.array([self.done, self.blocks, len(self.y)]), len(self.weights)

        def make() -> State:
            own = {"w": np.array(w), "v": np.array(v), "place": place}
            if records:
                own |= {"weights": np.array(self.weights[:records]), "readouts": np.array(self.readouts[:records])}
            return {**others, **{f"{name}/{key}": value for key, value in own.items()}}

        return make


def _begun(instance: Instance, source: Source, state: State) -> Training:
    """From the instance's start, or from the state that was kept."""
    name, N = source.name, instance.w.shape[1]
    if f"{name}/place" not in state:
        return Training(instance.w, instance.v, np.empty((0, N)), np.empty(0))
    done, blocks, left = (int(number) for number in state[f"{name}/place"])
    last = [source.block(blocks - back, LATENTS) for back in range(-(-left // SAMPLES), 0, -1)]
    x, y = (np.concatenate([np.empty((0, N)[:dims]), *(block[i] for block in last)]) for i, dims in ((0, 2), (2, 1)))
    records = (list(state.get(f"{name}/{key}", ())) for key in ("weights", "readouts"))
    return Training(state[f"{name}/w"], state[f"{name}/v"], x[len(x) - left :], y[len(y) - left :], done, blocks, *records)


def train(
    problem: OnlineSGD, instance: Instance, source: Source, steps: NDArray[np.int64], halfway: Halfway | None = None
) -> tuple[FloatArray, FloatArray]:
    """First-layer weights (records, K, N) and readouts (records, K) after each of the increasing `steps`; nan once they are infinite.

    `halfway` is offered the weights after every few hundred steps, beside what it has of training on other data, and begun at.
    """
    halfway = Halfway() if halfway is None else halfway
    run = _updates(problem.student.activation)
    rates = np.array([problem.rate, problem.readout_rate, problem.weight_decay, problem.student.gain])
    batch, now, others = problem.batch, _begun(instance, source, halfway.state), halfway.state
    with float64_scope():
        for stop in steps[len(now.weights) :]:
            while now.done < stop and np.isfinite(now.w).all():  # from infinite weights there is no way back
                if len(now.y) < batch:  # what is left of a block goes first
                    blocks = [source.block(now.blocks + i, LATENTS) for i in range(-(-(batch - len(now.y)) // SAMPLES))]
                    now.blocks += len(blocks)
                    now.x, now.y = (np.concatenate([part, *(b[i] for b in blocks)]) for part, i in ((now.x, 0), (now.y, 2)))
                count = 1 << (min(int(stop) - now.done, len(now.y) // batch).bit_length() - 1)  # few lengths to compile
                used = count * batch
                now.w, now.v = run(now.w, now.v, now.x[:used].reshape(count, batch, -1), now.y[:used].reshape(count, batch), rates)
                now.x, now.y, now.done = now.x[used:], now.y[used:], now.done + count
                halfway.offer(now.kept(source.name, others))
            there = now.done == stop
            now.weights.append(np.array(now.w) if there else np.full(now.w.shape, np.nan))
            now.readouts.append(np.array(now.v) if there else np.full(now.v.shape, np.nan))
    halfway.state = now.kept(source.name, others)()
    return np.array(now.weights), np.array(now.readouts)


@lru_cache(maxsize=16)
def _updates(activation: Activation) -> Any:
    """Compiled steps: w moves by -(eta/sqrt(N)) v Delta g'(lambda) x - (eta kappa/N) w, v by -(eta_v/N)(g(lambda) Delta + kappa v)."""
    import jax

    jnp, g = jax.numpy, activation.traced()
    slope = jax.grad(lambda z: g(z.reshape(1))[0])

    def run(w: Any, v: Any, x: Any, y: Any, rates: Any) -> Any:
        eta, eta_v, kappa, gain = rates
        N = w.shape[1]

        def step(state: Any, sample: Any) -> Any:
            w, v = state
            rows, labels = sample
            field = gain * (rows @ w.T) / jnp.sqrt(N)
            value = g(field)
            missed = value @ v - labels
            pull = gain * v * missed[:, None] * jax.vmap(slope)(field.ravel()).reshape(field.shape)
            new = w - eta / jnp.sqrt(N) * (pull.T @ rows) / labels.size - eta * kappa / N * w
            return (new, v - eta_v / N * (missed @ value / labels.size + kappa * v)), None

        return jax.lax.scan(step, (w, v), (x, y))[0]

    return jax.jit(run)


def measured_errors(problem: OnlineSGD, source: Source, weights: FloatArray, readouts: FloatArray, samples: int) -> dict[str, FloatArray]:
    """Mean squared errors on labels with and without noise of fresh samples, for every record; of signs also the share of wrong ones.

    The noise of real labels, which is independent of all else, is added in its mean.
    """
    student, signs = problem.student, problem.labels == "sign"
    names = ("test_error", "clean_error", "classification_error") if signs else ("clean_error",)
    sums = {name: np.zeros(len(weights)) for name in names}
    for number in range(-(-samples // SAMPLES)):
        count = min(SAMPLES, samples - number * SAMPLES)
        x, clean, noisy = (part[:count] for part in source.block(number, FRESH))
        for i, (w, v) in enumerate(zip(weights, readouts, strict=True)):
            output = student.activation(student.gain * (x @ w.T) / np.sqrt(w.shape[1])) @ v
            sums["clean_error"][i] += np.sum((output - clean) ** 2)
            if signs:
                sums["test_error"][i] += np.sum((output - noisy) ** 2)
                sums["classification_error"][i] += np.sum(np.where(output >= 0, 1.0, -1.0) != noisy)
    means = {name: value / samples for name, value in sums.items()}
    return means if signs else means | {"test_error": means["clean_error"] + problem.noise}
