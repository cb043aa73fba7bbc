"""The iteration on equations in closed form: lengths of steps, what refuses them, and what is told at the end."""

import numpy as np
import pytest

from gaussequiv.learners.convex.safeguarded_newton import (
    LARGEST_STEP,
    PATIENCE,
    STALLED,
    Iterates,
    Linearised,
    damped_step,
    find_roots,
    newton_direction,
    newton_step,
    polish,
)
from gaussequiv.numerics.status import Status


class Equations:
    """F = f(x) for every unknown alone, the image x - f(x), and the places where it was asked."""

    def __init__(self, f, slope, image=None):
        self.f, self.slope, self.image, self.asked = f, slope, image or (lambda x: x - f(x)), []

    def __call__(self, x, index):
        self.asked.append((x.copy(), index.copy()))
        return Linearised(self.f(x), self.slope(x)[:, :, None] * np.eye(x.shape[1]), self.image(x))


def linear(root):
    return Equations(lambda x: x - root, lambda x: np.ones_like(x))


def test_a_linear_system_near_its_root_takes_one_step():
    found = find_roots(linear(np.array([1.0, -2.0, 0.5, 40.0])), np.zeros((2, 4)), 0, 50)
    np.testing.assert_allclose(found.unknowns, [[1.0, -2.0, 0.5, 40.0]] * 2, rtol=1e-14)
    assert found.steps.tolist() == [1.0, 1.0]
    assert found.status.tolist() == [Status.converged] * 2
    assert not np.any(found.worst)


def test_logarithms_move_by_three_at_most_and_the_whole_step_with_them():
    at = Linearised(np.array([[-10.0, 1.0, 4.0, 7.0], [2.0, -1.0, 0.5, 100.0]]), np.eye(4)[None].repeat(2, axis=0), np.zeros((2, 4)))
    direction = newton_direction(at)
    np.testing.assert_allclose(direction[0], [3.0, -0.3, -1.2, -2.1], rtol=1e-14)
    np.testing.assert_allclose(direction[1], [-2.0, 1.0, -0.5, -100.0], rtol=1e-14)
    found = find_roots(linear(np.array([10.0, 0.0, 0.0, 0.0])), np.zeros((1, 4)), 0, 50)
    assert found.steps[0] == 4


def test_a_singular_system_gives_the_residual_and_one_without_numbers_nothing():
    residual = np.array([[1.0, -2.0, 0.5], [1.0, np.nan, 0.5], [1.0, 2.0, 0.5]])
    jacobian = np.eye(3)[None].repeat(3, axis=0)
    jacobian[0] = 0.0
    jacobian[2] = [[2, 1, 0], [0, 4, 0], [0, 0, 1]]
    direction = newton_direction(Linearised(residual, jacobian, residual))
    np.testing.assert_allclose(direction, [[-1.0, 2.0, -0.5], [-1.0, 0.0, -0.5], [-0.25, -0.5, -0.5]], rtol=1e-14)


def test_a_step_is_shortened_by_four_until_the_residual_falls():
    """arctan from 2, whose step of -5.5 is cut to -3, falls at once; an equation that falls next to the start alone at the fourth try."""
    equations = Equations(np.arctan, lambda x: 1 / (1 + x * x))
    iterates = Iterates.at(equations, np.array([[2.0, 0.0]]))
    assert newton_step(equations, iterates, np.array([0])).size == 0
    np.testing.assert_allclose([x[0, 0] for x, _ in equations.asked], [2.0, -1.0], rtol=1e-12)
    assert iterates.unknowns[0, 0] == pytest.approx(-1.0, rel=1e-12)
    steep = Equations(lambda x: np.where(np.abs(x) < 1.9, 100.0, x) * [1.0, 0.0], lambda x: np.ones_like(x))
    iterates = Iterates.at(steep, np.array([[2.0, 0.0], [1.0, 0.0]]))
    iterates.equations.residual[:], iterates.worst[:] = [[2.0, 0.0], [1.0, 0.0]], [2.0, 1.0]
    refused = newton_step(steep, iterates, np.array([0, 1]))
    assert refused.tolist() == [1]
    lengths = [2 - x[0, 0] for x, index in steep.asked[1:] if 0 in index]
    np.testing.assert_allclose(lengths, [2.0, 0.5, 0.125, 0.03125], rtol=1e-12)
    assert iterates.unknowns[0, 0] == 2 - 0.03125
    assert len([1 for _, index in steep.asked[1:] if 1 in index]) == 5
    assert iterates.unknowns[1, 0] == 1.0


def test_a_fall_counts_if_it_is_a_tenth_of_the_length():
    """F(1 step) = 0.91 F is refused, 0.89 F taken."""
    for share, taken in ((0.91, False), (0.89, True)):
        equations = Equations(lambda x, share=share: np.where(x == 1.0, 1.0, np.where(x == 0.0, share, 5.0)), lambda x: np.ones_like(x))
        iterates = Iterates.at(equations, np.array([[1.0, 1.0]]))
        assert (newton_step(equations, iterates, np.array([0])).size == 0) == taken


def test_points_without_equations_are_not_shortened():
    equations = Equations(lambda x: np.full_like(x, np.nan), lambda x: np.ones_like(x))
    iterates = Iterates.at(equations, np.zeros((2, 3)))
    assert iterates.worst.tolist() == [np.inf] * 2
    assert newton_step(equations, iterates, np.array([0, 1])).tolist() == [0, 1]
    assert len(equations.asked) == 2


def test_damped_steps_go_half_the_way_to_the_image_and_no_further_than_three():
    equations = Equations(lambda x: x, lambda x: np.ones_like(x), lambda x: np.array([[2.0, -100.0, 7.0, np.nan]])[: len(x)])
    iterates = Iterates.at(equations, np.array([[1.0, 0.0, 1.0, 5.0]]))
    damped_step(equations, iterates, np.array([0]))
    np.testing.assert_allclose(iterates.unknowns, [[1.5, -LARGEST_STEP, 4.0, 5.0]])
    assert iterates.worst[0] == 5.0


def test_damped_steps_come_first_and_where_newton_is_refused():
    """Slopes of the wrong sign: Newton's direction raises the residual, the map's image is the root."""
    equations = Equations(lambda x: x, lambda x: -np.ones_like(x))
    found = find_roots(equations, np.array([[1.0, 0.0, 0.0]]), 0, 40)
    assert found.status[0] == Status.converged
    assert 30 < found.steps[0] < 40  # 2^-34 is below the tolerance
    plain = linear(np.zeros(3))
    two = find_roots(plain, np.array([[1.0, 0.0, 0.0]]), 2, 40)
    assert two.steps[0] == 3
    np.testing.assert_allclose([x[0, 0] for x, _ in plain.asked], [1.0, 0.5, 0.25, 0.0])


def test_what_has_arrived_stays_and_the_budget_is_told():
    found = find_roots(linear(np.zeros(3)), np.array([[0.0, 0.0, 0.0], [100.0, 0.0, 0.0]]), 0, 5)
    assert found.steps.tolist() == [0.0, 5.0]
    assert found.status.tolist() == [Status.converged, Status.max_steps]
    assert found.unknowns[1, 0] == 85.0


@pytest.mark.parametrize(("start", "status"), [(299.0, Status.converged), (301.0, Status.nonfinite)])
def test_logarithms_beyond_the_largest_have_diverged(start, status):
    """All but the last unknown, which is free."""
    root = np.array([0.0, start, 500.0])
    found = find_roots(linear(root), root[None], 0, 5)
    assert found.status[0] == status


def test_equations_may_be_undefined_for_a_while():
    nothing = Equations(lambda x: np.full_like(x, np.nan), lambda x: np.ones_like(x))
    found = find_roots(nothing, np.zeros((1, 3)), 0, 400)
    assert (found.status[0], found.steps[0]) == (Status.nonfinite, PATIENCE)

    def sometimes(x):  # defined after some steps of the map, which moves on by 1/2
        return np.where(x[:, :1] < 9, np.nan, x - 9)

    found = find_roots(Equations(sometimes, lambda x: np.ones_like(x), lambda x: x + 1), np.zeros((1, 3)), 0, 400)
    assert found.status[0] == Status.converged
    assert 18 <= found.steps[0] < PATIENCE


def test_one_step_more_where_it_helps():
    """At a residual of 1e-11, which counts as converged: a linear system is then solved; one whose slope lies is left alone."""
    good, bad = linear(np.zeros(3)), Equations(lambda x: x, lambda x: -np.ones_like(x))
    for equations, expected in ((good, 0.0), (bad, 1e-11)):
        found = find_roots(equations, np.full((1, 3), 1e-11), 0, 5)
        assert found.status[0] == Status.converged
        assert found.unknowns[0, 0] == expected
        assert found.steps[0] == 1
    iterates = Iterates.at(good, np.array([[1e-15, 0.0, 0.0], [1.0, 0.0, 0.0]]))
    iterates.status[:] = [Status.converged, Status.max_steps]
    polish(good, iterates)
    assert iterates.steps.tolist() == [0.0, 0.0]
    assert iterates.unknowns[:, 0].tolist() == [1e-15, 1.0]


@pytest.mark.parametrize("damped_steps", [0, 3])
def test_points_whose_residual_stalls_are_left_for_other_ways(damped_steps):
    """A residual of 1 falls nowhere; a linear one arrives beside it."""

    def equations(x, index):
        f = np.where(index[:, None] == 0, 1.0, x - 2)
        return Linearised(f, np.tile(np.eye(x.shape[1]), (x.shape[0], 1, 1)), x - f)

    start = np.zeros((2, 2))
    left, patient = (find_roots(equations, start, damped_steps, 60, patient=p) for p in (False, True))
    assert (left.steps[0], patient.steps[0]) == (damped_steps + STALLED - 1, 60)  # the start is the first that has not fallen
    assert left.status.tolist() == [Status.max_steps, Status.converged]
    np.testing.assert_allclose(left.unknowns[1], 2.0, rtol=1e-12)
