"""What of an online SGD problem can be swept: fields of its own, and of its networks and its generator by the name of the part."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gaussequiv.errors import ArgumentError, did_you_mean, fail
from gaussequiv.ingredients.generators.base import Generator
from gaussequiv.ingredients.generators.function import SETTINGS, FunctionGenerator
from gaussequiv.ingredients.generators.random_layers import RandomGenerator

if TYPE_CHECKING:
    from gaussequiv.problems.online_sgd.description import OnlineSGD

OWN = ("rate", "readout_rate", "noise", "weight_decay", "batch", "labels", "teacher_sees", "instance")
NETWORKS = ("student", "teacher")
OF_NETWORKS = ("activation", "units", "readout", "weight_std", "gain")
ELSEWHERE = {
    "dimension": "Call the verb once for each N: times are whole steps of its own.",
    "data": "Several go into the problem: data=('generator', 'twin').",
}


def sweepable(problem: OnlineSGD) -> tuple[str, ...]:
    """Names that `with_parameter` knows."""
    networks = [f"{part}.{name}" for part in NETWORKS for name in OF_NETWORKS]
    return (*OWN, "student", "teacher", "generator", *networks, *(f"generator.{name}" for name in _of_generator(problem.generator)))


def with_field(problem: OnlineSGD, name: str, value: Any) -> OnlineSGD:
    """The problem with a field replaced; a field of the generator needs no prefix."""
    known = sweepable(problem)
    full = f"generator.{name}" if f"generator.{name}" in known else name
    if full not in known:
        hint = ELSEWHERE.get(name) or did_you_mean(name, known).strip()
        raise ArgumentError(
            f"Argument `over` must name what can be swept, but got {name!r}.{' ' * bool(hint)}{hint} It can be {', '.join(known)}."
        )
    part, _, own = full.partition(".")
    if own:
        of_part: Any = {"student": problem.student, "teacher": problem.teacher, "generator": problem.generator}[part]
        value = replace(of_part, **{own: value})
    elif part == "generator":
        if not isinstance(value, Generator):
            raise fail("over", "generators, as values of 'generator'", value)
        if value.dimension not in (None, problem.dimension):
            raise fail("over", f"generators of the problem's dimension, {problem.dimension}", f"{value}")
    changed: OnlineSGD = replace(problem, **{part: value})
    return changed


def _of_generator(generator: Generator) -> tuple[str, ...]:
    if isinstance(generator, RandomGenerator):  # without a layer D is N
        return ("activations", "covariance", "latent_ratio") if generator.activations else ("activations",)
    return tuple(SETTINGS) if isinstance(generator, FunctionGenerator) else ()
