"""Anderson's acceleration solves linear maps in as many steps as they have dimensions, and forgets what went wrong."""

import numpy as np
import pytest

from gaussequiv.numerics.anderson import Memory, anderson


def test_a_linear_map_is_solved_once_the_memory_spans_it():
    rng = np.random.default_rng(0)
    matrix = 0.99 * np.linalg.qr(rng.standard_normal((4, 4)))[0]  # the plain iteration would take a thousand steps
    shift, x, memory = rng.standard_normal(4), np.zeros(4), Memory(5)
    for _ in range(7):
        x = memory.mixed(x, matrix @ x + shift)
    assert x == pytest.approx(np.linalg.solve(np.eye(4) - matrix, shift), rel=1e-8)


def test_the_first_step_is_the_plain_one():
    assert anderson([np.array([1.0, 2.0])], [np.array([0.5, -1.0])]).tolist() == [1.5, 1.0]


def test_a_move_that_grew_clears_the_memory():
    memory = Memory(5)
    memory.mixed(np.zeros(2), np.array([1.0, 0.0]))
    assert memory.mixed(np.ones(2), np.array([11.0, 1.0])).tolist() == [11.0, 1.0]
    assert len(memory.places) == 1


def test_equal_moves_fall_back_to_a_finite_step():
    place, move = np.zeros(2), np.ones(2)
    assert np.all(np.isfinite(anderson([place, place], [move, move])))
