"""Online SGD meets the contract of problems, says what is wrong, and is put side by side with its Gaussian twin."""

import json

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.errors import ArgumentError
from gaussequiv.problems.dictionary import from_dict
from gaussequiv.testing import check_problem

SMALL = {"generator": ge.RandomGenerator("sign", latent_ratio=0.4), "dimension": 60}


def test_it_keeps_the_contract_of_problems():
    check_problem(ge.OnlineSGD(data=("generator", "twin"), **SMALL), [0.0, 1.0, 2.0], 60, over={"rate": [0.1, 0.3]})


def test_generator_twin_and_theory_stand_side_by_side():
    problem = ge.OnlineSGD(data=("generator", "twin"), **SMALL)
    both = ge.compare(problem, time=[0.0, 2.0], N=60, trials=16, seed=1, test_samples=500, allowance=3.0)
    assert both.test_error.dims == ("source", "data", "time") and both.data.values.tolist() == ["generator", "twin"]
    assert both.Q.dims == ("source", "data", "time", "unit", "other_unit")
    assert both.T.dims == ("teacher_unit", "other_teacher_unit")
    assert both.attrs["theory_only"] == "" and both.attrs["simulation_only"] == ""
    assert both.test_error.sel(source="theory", data="generator").equals(
        both.test_error.sel(source="theory", data="twin").assign_coords(data="generator")
    )
    assert "goldt2020" in both.attrs["citations"]


def test_times_are_whole_steps():
    curve = ge.solve(ge.OnlineSGD(dimension=60), time=[0.0, 0.021, 0.021, 1.0])
    assert curve.time.values == pytest.approx([0.0, 1 / 60, 1 / 60, 1.0])
    assert curve.test_error[1] == curve.test_error[2]


def test_instances_differ_and_stay():
    one, again, other = (float(ge.solve(ge.OnlineSGD(dimension=60, instance=k), time=[1.0]).test_error[0]) for k in (0, 0, 1))
    assert one == again != other


def test_descriptions_come_back():
    swish = ge.Activation(lambda x: x / (1 + np.exp(-x)), name="mine")
    problem = ge.OnlineSGD(
        ge.TwoLayer(swish, 3), ge.TwoLayer("erf", 1, readout=[2.0]), generator=ge.RandomGenerator(("tanh", "relu"), 0.3), batch=2
    )
    again = from_dict(json.loads(json.dumps(problem.to_dict())), parts={"mine": swish})
    assert again.to_dict() == problem.to_dict()
    assert from_dict({"kind": "online_sgd"}).to_dict() == ge.OnlineSGD().to_dict()


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: ge.OnlineSGD(rate=-1.0), "rate"),
        (lambda: ge.OnlineSGD(student="erf"), "student"),
        (lambda: ge.OnlineSGD(generator="sign"), "generator"),
        (lambda: ge.OnlineSGD(data=("generator", "other")), "data"),
        (lambda: ge.OnlineSGD(data=()), "data"),
        (lambda: ge.OnlineSGD(batch=0), "batch"),
        (lambda: ge.OnlineSGD(ge.TwoLayer("sign", 2)), "student.*jumps at 0"),
        (lambda: ge.OnlineSGD(teacher=ge.TwoLayer("sign", 2)), "teacher.*jumps at 0"),
        (lambda: ge.OnlineSGD(ge.TwoLayer(lambda x: np.where(x > 0.7, 1.0, 0.0), 2)), "jumps at 0.7"),
        (lambda: ge.solve(ge.OnlineSGD(), time=[1e300]), "time"),
        (lambda: ge.TwoLayer("erf", 2, readout=[1.0]), "readout"),
        (lambda: ge.TwoLayer("erf", 2, readout="zeros"), "readout"),
        (lambda: ge.TwoLayer("erf", 0), "units"),
        (lambda: ge.RandomGenerator("relu", covariance="exact"), "covariance"),
        (lambda: ge.RandomGenerator("sign", latent_ratio=0.0), "latent_ratio"),
        (lambda: ge.solve(ge.OnlineSGD(), time=[-1.0]), "time"),
        (lambda: ge.solve(ge.OnlineSGD(), time=[1.0], N=1), "N"),
        (lambda: ge.simulate(ge.OnlineSGD(dimension=50), time=[1.0], N=50, trials=1, test_samples=0), "test_samples"),
        (lambda: from_dict({"kind": "online_sgd", "speed": 3}), "speed"),
        (lambda: from_dict({"kind": "online_sgd", "generator": {"kind": "trained"}}), "generator"),
        (lambda: from_dict({"kind": "online_sgd", "student": {"width": 3}}), "width"),
        (lambda: ge.solve(ge.OnlineSGD(generator=ge.RandomGenerator("sign")), time=[1.0], N=10**7), "memory"),
    ],
)
def test_bad_input_is_named(build, words):
    with pytest.raises(ArgumentError, match=words):
        build()


def test_iid_inputs_of_any_dimension_need_no_matrices():
    """N x N covariances of as many dimensions would need terabytes."""
    assert np.isfinite(float(ge.solve(ge.OnlineSGD(), time=[1.0], N=300_000).test_error[0]))


@pytest.mark.parametrize(("units", "rate"), [(1, 1.0), (3, 0.3)])
def test_students_that_run_away_keep_what_was_before_and_end_there(units, rate):
    """Polynomials run away in a finite time: a status from there on, in the equations and in SGD, and no warning of NumPy or JAX."""
    cubic = ge.TwoLayer("hermite:3", units)
    wild = ge.OnlineSGD(cubic, cubic, rate=rate, dimension=1000)
    with pytest.warns(ge.ConvergenceWarning, match="diverged"):
        curve = ge.solve(wild, time=[0.0, 0.002, 50.0, 1e4], max_steps=1000)
    assert curve.status.values.tolist() == [0, 0, 2, 2]
    for name in ("test_error", "Q", "R", "readout", "cosine"):
        assert np.isfinite(curve[name][:2]).all() and np.isnan(curve[name][2:]).all(), name
    with pytest.warns(ge.ConvergenceWarning, match="diverged"):
        trials = ge.simulate(wild, time=[0.0, 0.002, 1e6], trials=2, test_samples=50)  # 1e9 steps, had they to be made
    assert np.all(trials.status.values == np.array([[0], [0], [2]]))
    for name in ("test_error_mean", "Q_mean", "readout_mean"):
        assert np.isfinite(trials[name][:2]).all() and np.isnan(trials[name][2:]).all(), name
    with pytest.warns(ge.ConvergenceWarning):
        both = ge.compare(wild, time=[0.002, 50.0], trials=2, test_samples=50, max_steps=1000)
    assert both.attrs["verdict"] == "inconclusive" and np.isnan(both.z[1])


def test_weights_that_run_away_in_a_trial_have_a_status_and_no_warning_of_numpy():
    square = ge.TwoLayer(ge.Activation(lambda x: x**2, name="square"), 1)
    with pytest.warns(ge.ConvergenceWarning):
        trials = ge.simulate(ge.OnlineSGD(square, square, rate=60.0, dimension=60), time=[3.0], N=60, trials=2, test_samples=50)
    assert np.all(trials.status.values != 0)


def test_a_rate_beyond_stability_has_a_status_and_no_number():
    """Weights of squares run away in a finite time."""
    square = ge.TwoLayer(ge.Activation(lambda x: x**2, name="square"), 1)
    wild = ge.OnlineSGD(square, square, rate=60.0, dimension=60)
    with pytest.warns(ge.ConvergenceWarning):
        curve = ge.solve(wild, time=[0.1, 50.0], max_steps=500)
    assert np.isnan(curve.test_error[-1]) and curve.status[-1] != 0
