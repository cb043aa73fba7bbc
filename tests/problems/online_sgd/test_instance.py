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


def test_a_teacher_of_the_inputs_has_their_covariance():
    generator = ge.RandomGenerator("relu", latent_ratio=0.5)
    network = ge.TwoLayer("erf", 2, readout="ones")
    problem = ge.OnlineSGD(network, network, generator, rate=0.3, teacher_sees="inputs", dimension=150, data=("generator", "twin"))
    both = ge.compare(problem, time=[0.0, 1.0, 4.0], trials=16, seed=0, test_samples=4000, allowance=12.0)
    assert both.attrs["verdict"] == "agree"
    plain = ge.OnlineSGD(network, network, dimension=60)
    seen = ge.OnlineSGD(network, network, dimension=60, teacher_sees="inputs")  # x = c
    for name in ("test_error", "R", "T"):
        assert np.array_equal(ge.solve(plain, time=[0.0, 2.0])[name], ge.solve(seen, time=[0.0, 2.0])[name])
    with pytest.raises(ge.ArgumentError, match="`teacher_sees`"):
        ge.OnlineSGD(teacher_sees="input")
