"""The weights that are diagnosed: named families, given arrays, or those of a student along training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gaussequiv.equivalence.diagnostics import hermite_direction, one_coordinate
from gaussequiv.errors import LARGEST_MOMENT, ArgumentError, FloatArray, array, fail
from gaussequiv.ingredients.generators.base import DrawnGenerator
from gaussequiv.numerics.keys import STUDENT
from gaussequiv.problems.online_sgd.description import OnlineSGD
from gaussequiv.problems.online_sgd.instance import instance_of
from gaussequiv.problems.online_sgd.training import Source, train

FAMILIES = ("random", "coordinate", "hermite2", "hermite3")


def weights_of(
    weights: Any, generator: DrawnGenerator, B: FloatArray, units: int, samples: int, seed: int, direct: bool
) -> tuple[list[Any], FloatArray, FloatArray]:
    """Names of the records, weights (records, K, N), and how far directions are known (records, K), nan where nothing was estimated."""
    several = [weights] if isinstance(weights, str) else weights
    if isinstance(several, Sequence) and several and all(isinstance(one, str) for one in several):
        names = list(several)
        if not set(names) <= set(FAMILIES) or len(set(names)) < len(names):
            raise fail("weights", f"an array, or different names among {', '.join(FAMILIES)}", weights)
        found = [_family(name, generator, B, units, samples, seed, direct) for name in names]
        return names, np.stack([one[0] for one in found]), np.stack([one[1] for one in found])
    w = array("weights", weights)
    if w.ndim not in (2, 3) or w.shape[-1] != generator.dimension:
        raise fail("weights", f"an array (K, N) or (records, K, N), N = {generator.dimension}", w)
    if np.abs(w).max() > LARGEST_MOMENT:
        raise fail("weights", f"at most {LARGEST_MOMENT:g}", float(np.abs(w).max()))
    w = w if w.ndim == 3 else w[None]
    return ["given"] if np.ndim(weights) == 2 else list(range(len(w))), w, np.full(w.shape[:2], np.nan)


def _family(
    name: str, generator: DrawnGenerator, B: FloatArray, units: int, samples: int, seed: int, direct: bool
) -> tuple[FloatArray, FloatArray]:
    unknown = np.full(units, np.nan)
    rng = np.random.default_rng((seed, generator.dimension, STUDENT))
    if name == "random":
        return rng.standard_normal((units, generator.dimension)), unknown
    if name == "coordinate":
        return one_coordinate(generator, units, seed), unknown
    directions = np.concatenate([B, rng.standard_normal((max(units - len(B), 0), B.shape[1]))])[:units]
    return hermite_direction(generator, directions, int(name[-1]), samples, seed, direct)


def trained_weights(problem: OnlineSGD, time: ArrayLike | None, N: int | None, seed: int) -> tuple[FloatArray, FloatArray]:
    """Times of whole steps, and weights (times, K, N) of trial 0 of `seed` after SGD on the generator; default: the start.

    Raises
    ------
    ArgumentError : weights that ran away.
    """
    size, steps, place = problem.steps_at([0.0] if time is None else time, N)
    instance = instance_of(problem, size)
    w, _ = train(problem, instance, Source(problem, instance, False, (seed, 0)), steps)
    lost = np.flatnonzero(~(np.abs(w) < LARGEST_MOMENT).all(axis=(1, 2)))
    if lost.size:
        raise ArgumentError(
            f"Argument `time` must be such that training does not run away, but its weights do at time={steps[lost[0]] / size:.4g}."
        )
    return steps[place] / size, w[place]
