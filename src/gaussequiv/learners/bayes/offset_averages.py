"""Averages over the law of the target's constant part of what the fixed points at every value of it say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.equivalence.offsets import FINER, FULL, RESOLVED, left_by_steps
from gaussequiv.errors import FloatArray
from gaussequiv.learners.bayes.fixed_points import Potential, potentials

Values = dict[str, FloatArray]
Said = Callable[[list[Potential], FloatArray], Values]  # arrays (alpha, offsets) of what the fixed points say
WORST = ("residual", "status")  # of all values, where others are averaged


def over_offsets(e: GaussianEquivalent, alpha: FloatArray, values: Said, judged: str) -> Values:
    """Averages, one for each alpha, of `values` (alpha, offsets); with finer steps where they do not resolve the one that is `judged`.

    `left_by_steps` is what the steps leave of that one, relative to it.
    """
    out = _averages(e, alpha, values, judged, FULL.step)
    rough = out["left_by_steps"] > RESOLVED
    if rough.any():
        finer = _averages(e, alpha[rough], values, judged, FINER.step)
        for key, value in finer.items():
            out[key][rough] = value
    return out


def _averages(e: GaussianEquivalent, alpha: FloatArray, values: Said, judged: str, step: float) -> Values:
    found, mass = potentials(e, step)
    every = values(found, alpha)
    out = {key: value.max(axis=1) if key in WORST else value @ mass for key, value in every.items()}
    spaced = e.random_offset and e.channel.task == "regression"
    return out | {"left_by_steps": left_by_steps(every[judged], mass) if spaced else np.zeros(alpha.size)}
