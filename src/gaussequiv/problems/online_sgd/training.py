"""One-pass SGD itself: fresh samples of the generator, or of its Gaussian twin, one step each."""

from __future__ import annotations

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

if TYPE_CHECKING:
    from gaussequiv.problems.online_sgd.description import OnlineSGD

SAMPLES = 1024  # that share a random key


class Source:
    """Samples (x, y) in blocks, labels from the latents: of the generator, centred, or of the twin Phi c + (Omega - Phi Phi')^(1/2) xi."""

    def __init__(self, problem: OnlineSGD, instance: Instance, twin: bool, key: Key) -> None:
        self.problem, self.instance, self.key, self.twin = problem, instance, key, twin

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


def train(problem: OnlineSGD, instance: Instance, source: Source, steps: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
    """First-layer weights (records, K, N) and readouts (records, K) after each of the increasing `steps`; nan once they are infinite."""
    run = _updates(problem.student.activation)
    rates = np.array([problem.rate, problem.readout_rate, problem.weight_decay, problem.student.gain])
    w, v, done = instance.w, instance.v, 0
    batch, weights, readouts = problem.batch, [], []
    x, y = np.empty((0, w.shape[1])), np.empty(0)
    number = 0
    with float64_scope():
        for stop in steps:
            while done < stop and np.isfinite(w).all():  # from infinite weights there is no way back
                if len(y) < batch:  # what is left of a block goes first
                    blocks = [source.block(number + i, LATENTS) for i in range(-(-(batch - len(y)) // SAMPLES))]
                    number += len(blocks)
                    x, y = np.concatenate([x, *(b[0] for b in blocks)]), np.concatenate([y, *(b[2] for b in blocks)])
                count = 1 << (min(int(stop) - done, len(y) // batch).bit_length() - 1)  # few lengths to compile
                used = count * batch
                w, v = run(w, v, x[:used].reshape(count, batch, -1), y[:used].reshape(count, batch), rates)
                x, y, done = x[used:], y[used:], done + count
            there = done == stop
            weights.append(np.array(w) if there else np.full(w.shape, np.nan))
            readouts.append(np.array(v) if there else np.full(v.shape, np.nan))
    return np.array(weights), np.array(readouts)


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
