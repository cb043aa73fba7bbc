"""What the learners of a simulation see: inputs, features or a kernel, of the training rows and of streamed test rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.features.kernels import Kernel
from gaussequiv.ingredients.inputs.base import Rows
from gaussequiv.numerics.keys import TEST, TRAIN
from gaussequiv.samples.kernel_sample import KernelSample
from gaussequiv.samples.training_sample import TrainingSample

if TYPE_CHECKING:
    from gaussequiv.problems.supervised.description import Problem

Batch = Callable[[FloatArray], FloatArray]


class StudentView(Protocol):
    """One kind of rows, and the positions of the learners trained on them."""

    learners: tuple[int, ...]
    explicit: bool  # whether its rows are coordinates of the student, and not kernel values

    def take(self, x: FloatArray, start: int, stop: int) -> None:
        """Receive training rows start..stop."""
        ...

    def sample(self, y: FloatArray, n: int) -> Any:
        """The training sample of the first n rows."""
        ...

    def train(self, n: int) -> FloatArray:
        """The student's own first n training rows, for predictors fitted on them."""
        ...

    def rows(self, x: FloatArray, start: int, stop: int) -> FloatArray:
        """The student's rows of a block of test inputs."""
        ...

    def batch(self, fits: Sequence[Any]) -> Batch:
        """All predictions without their intercepts, one column for each fit, as a function of the student's rows."""
        ...


def students(problem: Problem, d: int, total: int, rows: Rows, rng: np.random.Generator) -> list[StudentView]:
    """The students of one trial: at most one on raw inputs and one on features, which are drawn here."""
    on_features = tuple(k for k, learner in enumerate(problem.learners) if problem.sees_features(learner))
    on_inputs = tuple(k for k in range(len(problem.learners)) if k not in on_features)
    out: list[StudentView] = []
    if on_inputs:
        rotation, variances = problem.inputs.whiten(d)
        options = {"rotation": rotation, "variances": variances, "centre": problem.inputs.centre(d)}
        out.append(_Explicit(on_inputs, total, d, None, options))
    if on_features:
        if isinstance(problem.features, Kernel):
            out.append(_Kernel(on_features, total, d, problem.features))
        else:
            out.append(_Explicit(on_features, total, d, problem.features.rows(rng, d, rows), {}))
    return out


def _linear(fits: Sequence[Any], width: int) -> Batch:
    """One matrix product for all linear predictors; kernel predictors on fewer rows are padded with zeros."""
    coefficients = np.zeros((width, len(fits)))
    for column, fit in enumerate(fits):
        coefficients[: fit.coefficients.size, column] = fit.coefficients
    return lambda block: block @ coefficients


@dataclass
class _Explicit:
    """Raw inputs (source None) or explicit features."""

    learners: tuple[int, ...]
    total: int
    d: int
    source: Any
    options: dict[str, Any]
    explicit = True
    matrix: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))

    def _map(self, x: FloatArray, purpose: int, start: int, stop: int) -> FloatArray:
        if self.source is None:
            return x
        mapped: FloatArray = self.source.block(x, purpose, start, stop)
        return mapped

    def take(self, x: FloatArray, start: int, stop: int) -> None:
        block = self._map(x, TRAIN, start, stop)
        if start == 0:
            self.matrix = np.empty((self.total, block.shape[1]))
        self.matrix[start:stop] = block

    def sample(self, y: FloatArray, n: int) -> TrainingSample:
        return TrainingSample(self.matrix[:n], y[:n], dimension=self.d, **self.options)

    def train(self, n: int) -> FloatArray:
        return self.matrix[:n]

    def rows(self, x: FloatArray, start: int, stop: int) -> FloatArray:
        return self._map(x, TEST, start, stop)

    def batch(self, fits: Sequence[Any]) -> Batch:
        return _linear(fits, self.matrix.shape[1])


@dataclass
class _Kernel:
    """The true kernel at the training rows."""

    learners: tuple[int, ...]
    total: int
    d: int
    kernel: Any
    explicit = False
    anchors: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    gram: FloatArray | None = None

    def take(self, x: FloatArray, start: int, stop: int) -> None:
        if start == 0:
            self.anchors = np.empty((self.total, self.d))
        self.anchors[start:stop] = x

    def sample(self, y: FloatArray, n: int) -> KernelSample:
        return KernelSample(self.train(n), y[:n], self.d)

    def train(self, n: int) -> FloatArray:
        if self.gram is None:
            self.gram = self.kernel.block(self.anchors)
        return self.gram[:n, :n]

    def rows(self, x: FloatArray, start: int, stop: int) -> FloatArray:
        block: FloatArray = self.kernel.block(x, self.anchors)
        return block

    def batch(self, fits: Sequence[Any]) -> Batch:
        self.gram = None
        return _linear(fits, self.total)
