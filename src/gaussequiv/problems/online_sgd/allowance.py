"""Finite-size allowances of online learning: the committed relative bias c/N of mean errors of SGD, of each family of problems.

`finite_size.json` is written by ``python -m benchmarks.finite_size_sgd``. Equations and trials share an instance, so that c is what
fluctuations of SGD leave of their mean, and what the fields of a generator lack of being Gaussian.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.generators.random_layers import RandomGenerator
from gaussequiv.problems.committed import CommittedFits

if TYPE_CHECKING:
    from gaussequiv.problems.online_sgd.description import OnlineSGD

COMMITTED = CommittedFits("gaussequiv.problems.online_sgd")
SHAPES = {"erf": "sigmoidal", "tanh": "sigmoidal", "relu": "relu"}
LAYERS = ("independent", "one layer")  # of a generator; more are deep


def training_family(problem: OnlineSGD) -> str | None:
    """The family whose fit may cover a problem: the generator's depth, activations, labels."""
    generator, student, teacher = problem.generator, problem.student, problem.teacher
    shapes = {SHAPES.get(network.activation.name) for network in (student, teacher)}
    if not isinstance(generator, RandomGenerator) or problem.teacher_sees != "latents" or len(shapes) > 1 or None in shapes:
        return None
    depth = len(generator.activations)
    return f"{LAYERS[depth] if depth < len(LAYERS) else 'deep'}/{shapes.pop()}/{problem.labels}"


def training_place(problem: OnlineSGD, time: float) -> dict[str, float]:
    """What places a point inside or outside the range of a fit."""
    student, teacher = problem.student, problem.teacher
    return {
        "time": time,
        "units": float(student.units),
        "teacher_units": float(teacher.units),
        "start": student.gain * student.weight_std,
        "teacher_size": teacher.gain * teacher.weight_std,
        "rate": problem.rate,
        "readout_rate": problem.readout_rate,
        "noise": problem.noise,
        "weight_decay": problem.weight_decay,
        "batch": float(problem.batch),
        "latent_ratio": problem.generator.latent_ratio if isinstance(problem.generator, RandomGenerator) else np.nan,
    }


def training_allowances(problem: OnlineSGD, time: FloatArray, N: int) -> FloatArray:
    """c/N at every time, nan where no fit covers it."""
    name = training_family(problem)
    return np.array([COMMITTED.constant(name, N, partial(training_place, problem, t)) for t in time.tolist()]) / N
