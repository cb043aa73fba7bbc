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


def test_a_memory_keeps_one_place_more_than_its_size():
    memory, x = Memory(2), np.array([1.0, 2.0])
    for k in range(5):
        memory.mixed(x, x + np.array([0.5**k, -(0.7**k)]))
        assert len(memory.places) == len(memory.moves) == min(k + 1, 3)
    assert memory.moves[-1] == pytest.approx([0.5**4, -(0.7**4)])


def test_a_move_that_grew_a_little_does_not_clear_the_memory():
    memory = Memory(5)
    memory.mixed(np.zeros(2), np.array([1.0, 0.0]))
    memory.mixed(np.ones(2), np.array([2.9, 1.0]))
    assert len(memory.places) == 2


def test_the_mixture_is_that_of_least_squares():
    """x + f - (dx + df) gamma, gamma the least-squares solution of df gamma = f, for three places in four dimensions."""
    rng = np.random.default_rng(0)
    places, moves = list(rng.standard_normal((3, 4))), list(rng.standard_normal((3, 4)))
    dx, df = np.diff(places, axis=0).T, np.diff(moves, axis=0).T
    gamma = np.linalg.solve(df.T @ df, df.T @ moves[-1])
    assert anderson(places, moves) == pytest.approx(places[-1] + moves[-1] - (dx + df) @ gamma, rel=1e-10)


def test_places_that_overflow_fall_back_to_the_plain_step():
    """Moves that differ by nothing beside places that differ by 1e308: their quotient is no number."""
    with np.errstate(all="ignore"):
        found = anderson([np.array([1e308]), np.array([-1e308])], [np.array([1e-300]), np.array([3e-300])])
    assert np.isfinite(found[0]) and found[0] == pytest.approx(-1e308)
