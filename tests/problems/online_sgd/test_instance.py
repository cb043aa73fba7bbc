"""What follows from the overlaps."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.problems.online_sgd.instance import cosines, specialisation


def test_cosines_are_correlations_of_fields():
    fields = np.random.default_rng(0).standard_normal((500, 5)) @ np.random.default_rng(1).standard_normal((5, 5))
    C = fields.T @ fields / 500
    found = cosines(C[:3, :3], C[:3, 3:], C[3:, 3:])
    size = np.sqrt(np.diag(C))
    assert found == pytest.approx((C / np.outer(size, size))[:3, 3:], rel=1e-12)
    still = cosines(np.zeros((1, 1)), np.zeros((1, 2)), np.eye(2))
    assert np.array_equal(still, np.zeros((1, 2)))


def test_specialisation_is_one_for_a_copy_and_nothing_for_a_mixture():
    assert specialisation(np.array([[1.0, 0.0], [0.0, -1.0]])) == pytest.approx(1.0)
    assert specialisation(np.array([[0.7, 0.7], [-0.7, 0.7]])) == pytest.approx(0.0)
    assert specialisation(np.array([[0.4], [-0.6]])) == pytest.approx(0.5)


def test_trials_have_them_too():
    problem = ge.OnlineSGD(ge.TwoLayer("erf", 3), ge.TwoLayer("erf", 2), dimension=50)
    run = ge.simulate(problem, time=[0.0, 1.0], trials=2, test_samples=100)
    assert set(run.cosine.dims) == {"time", "unit", "teacher_unit", "trial"} and np.all(np.abs(run.cosine) <= 1)
    start = ge.solve(problem, time=[0.0]).specialisation
    assert run.specialisation.sel(time=0.0).values == pytest.approx(float(start[0]), rel=1e-9)
