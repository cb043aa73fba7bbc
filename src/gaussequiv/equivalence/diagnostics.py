r"""Fields of student and teacher on fresh samples of a generator, and weights that are as bad for their Gaussian equivalence as can be.

lambda_k = w_k.G(c)/sqrt(N),   nu_m = B_m.c/sqrt(D) (or B_m.G(c)/sqrt(N)),   c ~ N(0, I_D)
"""

from __future__ import annotations

import numpy as np
from scipy import special

from gaussequiv._memory import FLOAT, require_memory
from gaussequiv.errors import ArgumentError, FloatArray
from gaussequiv.ingredients.generators.base import DrawnGenerator, checked_outputs
from gaussequiv.numerics.keys import DIAGNOSIS

BLOCK = 1024  # latents that share a random key
MEASURED, REGRESSED, CHOSEN = 1, 2, 3  # streams of latents, and of what families of weights draw
STILL = 1e-10  # deviation of a field, relative to what its terms would give if they were independent, below which it is rounding


def sampled_fields(
    generator: DrawnGenerator, weights: FloatArray, teacher: FloatArray, samples: int, seed: int, direct: bool = False
) -> tuple[FloatArray, FloatArray]:
    """Fields (samples, ..., K) of weights (..., K, N), and (samples, M) of teachers (M, D), of latents, or (M, N) of the inputs (`direct`).

    Those of inputs are not centred.

    Raises
    ------
    ArgumentError : a generator whose outputs are not finite, or a field that does not vary.
    """
    N = generator.dimension
    flat = weights.reshape(-1, N)
    require_memory(FLOAT * 3.0 * samples * (len(flat) + len(teacher)), "samples", samples, f"{len(flat)} fields")
    student, of_teacher = np.empty((samples, len(flat))), np.empty((samples, len(teacher)))
    power = np.zeros(N)
    for start in range(0, samples, BLOCK):
        c, x = _sampled(generator, seed, MEASURED, start // BLOCK)
        place = slice(start, min(start + BLOCK, samples))
        count = place.stop - start
        seen = x if direct else c
        student[place], of_teacher[place] = x[:count] @ flat.T / np.sqrt(N), seen[:count] @ teacher.T / np.sqrt(seen.shape[1])
        power += np.mean(x * x, axis=0)
    power /= -(-samples // BLOCK)
    _check_varying("weights", student, flat, power, weights.shape[-2])
    if direct:
        _check_varying("teacher", of_teacher, teacher, power, len(teacher))
    return student.reshape(samples, *weights.shape[:-1]), of_teacher


def _check_varying(argument: str, fields: FloatArray, weights: FloatArray, power: FloatArray, units: int) -> None:
    independent = np.sqrt((weights * weights) @ power / power.size)
    still = np.flatnonzero(~(fields.std(axis=0) > STILL * independent))
    if still.size:
        raise ArgumentError(
            f"Argument `{argument}` must give fields that vary, but {still.size} of {len(weights)} do not (the first is unit "
            f"{still[0] % units}): these weights vanish, or are orthogonal to all that the generator varies."
        )


def one_coordinate(generator: DrawnGenerator, units: int, seed: int) -> FloatArray:
    """w = sqrt(N) e_i for coordinates i drawn at random: the field is one output, and no sum makes it Gaussian."""
    N = generator.dimension
    if units > N:
        raise ArgumentError(
            f"Argument `units` must be at most N = {N} where each is aligned with a coordinate of its own, but units={units}."
        )
    chosen = np.random.default_rng((seed, DIAGNOSIS, CHOSEN)).choice(N, units, replace=False)
    weights = np.zeros((units, N))
    weights[np.arange(units), chosen] = np.sqrt(N)
    return weights


def hermite_direction(
    generator: DrawnGenerator, directions: FloatArray, order: int, samples: int, seed: int, direct: bool = False
) -> tuple[FloatArray, FloatArray]:
    """w_k ~ E[x He_j(u_k.c)], |w_k| = sqrt(N) by regression on samples that no field is measured on; and how far it is known.

    If `direct`, u_k.c is the standardised field u_k.x of the inputs.

    SGD moves w along E[x g(u.c)], u the teacher, so that in these directions training leaves the weights for which the theorem holds:
    the terms of their field share He_j(u.c). Where D grows with N that part is of the order of N^((1 - j)/2) beside the rest, for random
    layers; it stays where few latents make many outputs.

    Parameters
    ----------
    directions : array (K, D), or (K, N) if `direct`
        u_k, of any norm.

    Returns
    -------
    weights (K, N), and the cosines (K,) between estimates from the two halves of the samples: near 1 where the direction is known, near 0
    where the generator has no such part, or one far below the noise; the weights are then like random ones.
    """
    u = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    sums = np.zeros((2, len(u), generator.dimension))
    count, centre = 2 * -(-samples // (2 * BLOCK)), None
    mean, scale = _of_inputs(generator, u, count, seed) if direct else (np.zeros((len(u), 1)), np.ones((len(u), 1)))
    for number in range(count):
        c, x = _sampled(generator, seed, REGRESSED, number)
        centre = x.mean(axis=0) if centre is None else centre  # E He_j = 0 (nearly, of inputs): a centre lessens the noise alone
        fields = (u @ (x if direct else c).T - mean) / scale
        sums[number % 2] += special.eval_hermitenorm(order, fields) @ (x - centre)
    norms = np.linalg.norm(sums, axis=2)
    both = sums.sum(axis=0)
    length = np.linalg.norm(both, axis=1, keepdims=True)
    if not np.all(length > 0):
        raise ArgumentError("Argument `generator` must have outputs that vary, but they do not.")
    return np.sqrt(generator.dimension) * both / length, np.sum(sums[0] * sums[1], axis=1) / (norms[0] * norms[1])


def _of_inputs(generator: DrawnGenerator, u: FloatArray, blocks: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Mean and deviation of the fields u.x, shape (K, 1)."""
    fields = np.concatenate([u @ _sampled(generator, seed, REGRESSED, number)[1].T for number in range(blocks)], axis=1)
    scale = fields.std(axis=1, keepdims=True)
    if not np.all(scale > STILL * np.abs(fields).max()):
        raise ArgumentError("Argument `teacher` must give fields that vary, but they do not.")
    return fields.mean(axis=1, keepdims=True), scale


def _sampled(generator: DrawnGenerator, seed: int, stream: int, block: int) -> tuple[FloatArray, FloatArray]:
    c = np.random.default_rng((seed, DIAGNOSIS, stream, block)).standard_normal((BLOCK, generator.latent_dim))
    return c, checked_outputs(generator, c)
