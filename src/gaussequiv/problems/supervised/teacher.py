"""What trials, the steps of an algorithm and posteriors share: a checked plan, and true networks that label true inputs, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from gaussequiv._memory import FLOAT, require_memory
from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import FloatArray, fail, grid, integer
from gaussequiv.ingredients.inputs.base import BLOCK, DataInputs, Rows
from gaussequiv.numerics.keys import CENTRE, LABELS, ROWS, TEACHER, TEST
from gaussequiv.problems.supervised.axis import ALPHA_MEANING

if TYPE_CHECKING:
    from gaussequiv.problems.supervised.description import Problem

_CENTRE_ROWS = 8 * BLOCK


def blocks(total: int) -> Iterator[tuple[int, int]]:
    """(start, stop) of the blocks of `total` rows."""
    return ((start, min(start + BLOCK, total)) for start in range(0, total, BLOCK))


@dataclass(frozen=True)
class Teacher:
    """A sampled network with its labels, block by block."""

    network: Callable[[FloatArray], FloatArray]
    rows: Rows
    channel: Any
    key: tuple[int, ...]
    shift: float = 0.0
    hidden: bool = False  # whether the network sees latents behind the rows

    def seen(self, x: FloatArray, purpose: int, start: int, stop: int) -> FloatArray:
        """What the network sees of rows x."""
        rows: Any = self.rows
        return rows.seen(purpose, start, stop) if self.hidden else x

    def block(self, purpose: int, start: int, stop: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Inputs, local field and labels."""
        x = self.rows.block(purpose, start, stop)
        field = self.network(self.seen(x, purpose, start, stop)) + self.shift
        rng = np.random.default_rng((*self.key, LABELS, purpose, start // BLOCK))
        return x, field, self.channel.sample(rng, field)


@dataclass(frozen=True)
class TrialPlan:
    """A checked call: the problem, and how many rows of what size."""

    problem: Problem
    equivalents: tuple[GaussianEquivalent, ...]  # one for each learner
    n: Any
    d: int
    test: int
    normalise: bool
    grids: dict[str, FloatArray] = field(default_factory=dict)  # of margins and probabilities, where asked for
    scores: bool = False

    def teacher(self, key: tuple[int, ...]) -> Teacher:
        """The network of a trial's key (seed, trial), with its rows."""
        target, inputs = self.problem.target, self.problem.inputs
        size = inputs.seen_dimension(self.d)
        network = target.sample(np.random.default_rng((*key, TEACHER)), size, normalise=self.normalise)
        rows = inputs.rows((*key, ROWS), self.d, int(self.n[-1]), self.test)
        shift = 0.0
        if target.offset is not None:  # condition on the offset: replace the network's own mean by the given one
            if isinstance(inputs, DataInputs) and inputs.seen_by_target is inputs:
                mean = float(np.mean(network(inputs.matrix)))
            else:
                centre = inputs.seen_by_target.rows((*key, CENTRE), size, 0, _CENTRE_ROWS)
                mean = float(np.mean([network(centre.block(TEST, a, b)).mean() for a, b in blocks(_CENTRE_ROWS)]))
            shift = target.offset - mean
        return Teacher(network, rows, target.channel, key, shift, self.problem.hidden)

    def noiseless(self, field: FloatArray) -> FloatArray:
        """The label without its noise: the field, a function of it, or its sign."""
        channel = self.problem.target.channel
        if self.problem.task == "classification":
            return np.where(field >= 0, 1.0, -1.0)
        clean: FloatArray = channel.mean_label(field)
        return clean

    def loss(self, y: FloatArray, prediction: FloatArray) -> FloatArray:
        """Squared error, or 1 where the sign is wrong."""
        if self.problem.task == "regression":
            return (y - prediction) ** 2
        return (np.where(prediction >= 0, 1.0, -1.0) != y).astype(float)


def _check_sizes(problem: Problem, points: FloatArray, d: int, test_samples: int | None) -> None:
    """Refuse what cannot fit in memory: the weights of the network, the rows of the training set, the labels of the test rows."""
    widths = [d, *(problem.target.widths_at(d) if problem.target.depth else ())]
    require_memory(FLOAT * d, "d", d, "the eigenvalues of the inputs")
    require_memory(FLOAT * sum(a * b for a, b in pairwise(widths)), "d", d, "the weights of the network")
    largest = float(points.max())
    name, value = ("alpha", largest) if largest > d else ("d", d)
    require_memory(FLOAT * largest * d * d, name, value, f"the {largest * d:.3g} x {d} numbers of the training rows")
    if test_samples is not None:
        require_memory(2 * FLOAT * float(integer("test_samples", test_samples, minimum=2)), "test_samples", test_samples, "the test labels")


def make_plan(
    problem: Problem,
    alpha: ArrayLike,
    d: int | None,
    test_samples: int | None = None,
    normalise: bool = False,
    **asked: Any,
) -> TrialPlan:
    """Check the arguments that all simulations share; `asked` are further fields of the plan."""
    points = grid("alpha", alpha, meaning=ALPHA_MEANING)
    fixed = problem.dimension
    d = integer("d", d if d is not None else fixed, minimum=1, meaning="d is the input dimension of the simulation.")
    if fixed is not None and d != fixed:
        raise fail("d", f"{fixed}, the dimension of the inputs", d)
    _check_sizes(problem, points, d, test_samples)
    n = np.unique(np.maximum(np.rint(points * d).astype(int), 2))
    if n.size < points.size:
        raise fail("alpha", f"a grid of different sample sizes round(alpha d) at d={d}", np.asarray(points).tolist())
    if test_samples is not None:
        test = integer("test_samples", test_samples, minimum=2)
    else:
        test = max(2, len(problem.inputs.matrix) // 4) if isinstance(problem.inputs, DataInputs) else max(2 * d, 4096)
    problem.inputs.rows((0, 0), d, int(n[-1]), test)  # a data matrix says here if it is too small
    equivalents = tuple(problem.equivalent_of(learner, d) for learner in problem.learners)
    return TrialPlan(problem, equivalents, n, d, test, bool(normalise), **asked)
