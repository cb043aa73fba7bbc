"""One driver for fixed points of any shape."""

import numpy as np
import pytest

from gaussequiv.errors import ArgumentError
from gaussequiv.numerics.iterate import iterate
from gaussequiv.numerics.status import Status

TURN = 0.5 * np.array([[0.0, -1.0], [1.0, 0.0]])


def matrix_map(x):
    """x <- A x A' + C of 2 x 2 matrices, whose fixed point is a linear system."""
    return TURN @ x @ TURN.T + np.eye(2)


@pytest.mark.parametrize("options", [{}, {"damping": 0.3}, {"accelerate": 4}, {"damping": 0.3, "accelerate": 4}])
def test_a_matrix_equation_is_solved(options):
    found = iterate(matrix_map, np.zeros((2, 2)), tolerance=1e-13, **options)
    assert found.status == Status.converged
    assert found.state == pytest.approx(np.eye(2) / 0.75, abs=1e-12)
    assert found.residual <= 1e-13


def test_acceleration_takes_fewer_steps_and_damping_more():
    steps = {
        name: iterate(lambda x: 0.95 * np.cos(x), np.full(3, 0.2), **options).steps
        for name, options in {"plain": {}, "damped": {"damping": 0.9}, "mixed": {"accelerate": 3}}.items()
    }
    assert steps["mixed"] < steps["plain"] < steps["damped"]


def test_damping_settles_what_oscillates():
    """x <- 3 - 1.5 x circles away from 1.2; half of the old state makes it a contraction."""
    assert iterate(lambda x: 3 - 1.5 * x, np.zeros(1), max_steps=50).status == Status.max_steps
    damped = iterate(lambda x: 3 - 1.5 * x, np.zeros(1), damping=0.5)
    assert damped.status == Status.converged
    assert damped.state == pytest.approx([1.2], abs=1e-11)


def test_what_is_not_finite_is_said():
    found = iterate(lambda x: x * np.inf, np.ones(2))
    assert found.status == Status.nonfinite
    assert found.state.tolist() == [1.0, 1.0]


def test_bad_arguments_are_named():
    with pytest.raises(ArgumentError, match="`damping`"):
        iterate(np.cos, np.ones(1), damping=1.0)
    with pytest.raises(ArgumentError, match=r"`step` must be a map that keeps the shape \(2,\)"):
        iterate(lambda x: x[:1], np.ones(2))


@pytest.mark.parametrize("size", [0.1, 40.0])
def test_one_step_and_its_residual(size):
    """|T(x) - x|/max(1, |x|), of the undamped step, over the whole array."""
    x = size * np.array([[0.6, 0.0], [0.0, 0.8]])
    found = iterate(lambda x: 1.5 * x, x, damping=0.25, max_steps=1)
    assert (found.status, found.steps) == (Status.max_steps, 1)
    assert found.residual == pytest.approx(0.5 * size / max(1.0, size), rel=1e-12)
    assert found.state == pytest.approx(x * (0.75 * 1.5 + 0.25), rel=1e-12)
    calls = []
    three = iterate(lambda x: calls.append(x) or 1.5 * x, x, max_steps=3)
    assert three.steps == len(calls) == 3 and three.state == pytest.approx(x * 1.5**3, rel=1e-12)
