"""Averages over the law of the target's constant part of what the fixed points at every value of it say."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.equivalence.offsets import left_by_steps
from gaussequiv.errors import FloatArray
from gaussequiv.learners.bayes.fixed_points import Potential, potentials

Values = dict[str, FloatArray]
Said = Callable[[list[Potential], FloatArray], Values]  # arrays (alpha, offsets) of what the fixed points say
WORST = ("residual", "status")  # of all values, where others are averaged
STEP, RESOLVED = 0.9, 1e-3  # an offset costs a whole curve alpha(R), so that fewer are better; guess from which they are doubled


def over_offsets(e: GaussianEquivalent, alpha: FloatArray, values: Said, judged: tuple[str, ...]) -> Values:
    """Averages, one for each alpha, of `values` (alpha, offsets); with half the steps where they do not resolve what is `judged`.

    `left_by_steps` is the largest guess of what the steps leave of one of those, relative to it.
    """
    known, out = _averages(e, alpha, values, judged, STEP)
    rough = out["left_by_steps"] > RESOLVED
    if rough.any():
        _, finer = _averages(e, alpha[rough], values, judged, 0.5 * STEP, known)
        for key, value in finer.items():
            out[key][rough] = value
    return out


def _averages(
    e: GaussianEquivalent, alpha: FloatArray, values: Said, judged: tuple[str, ...], step: float, known: Sequence[Potential] = ()
) -> tuple[list[Potential], Values]:
    found, mass = potentials(e, step, known)
    every = values(found, alpha)
    out = {key: value.max(axis=1) if key in WORST else value @ mass for key, value in every.items()}
    left = np.zeros(alpha.size)
    if e.smooth_offset and e.channel.task == "regression":
        guesses = [left_by_steps(every[key], mass, half=e.folds()) for key in judged]
        left = np.fmax.reduce(guesses)  # infinite averages have none
    return found, out | {"left_by_steps": left}
