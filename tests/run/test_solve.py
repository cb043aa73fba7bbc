"""`solve` and `samples_for`: grids, sizes, dimensions, errors and the inverse question."""

import json

import numpy as np
import pytest
from scipy import optimize

import gaussequiv as ge
from gaussequiv.curve import Curve, Observable
from gaussequiv.numerics.status import Status

PROBLEM = ge.Problem(ge.DeepNetwork("tanh", depth=2, weight_variance=4, noise=0.1))
SIGNS = ge.Problem(ge.DeepNetwork("tanh", noise=0.1, task="classification"))
TABLE = np.random.default_rng(0).standard_normal((40, 5)) * [3, 1, 1, 1, 0.5]


def test_points_do_not_depend_on_each_other():
    whole = ge.solve(PROBLEM, [0.3, 1.0, 5.0])
    for i, alpha in enumerate([0.3, 1.0, 5.0]):
        assert float(ge.solve(PROBLEM, alpha).test_error[0]) == pytest.approx(float(whole.test_error[i]), rel=1e-13)


def test_unsorted_grids_keep_their_order():
    curve = ge.solve(PROBLEM, [5.0, 0.3])
    assert curve.alpha.values.tolist() == [5.0, 0.3]
    assert curve.test_error[0] < curve.test_error[1]


def test_samples_and_dimension_stand_for_alpha():
    by_n = ge.solve(PROBLEM, n=[100, 400], d=200)
    by_alpha = ge.solve(PROBLEM, [0.5, 2.0], d=200)
    assert by_n.alpha.values.tolist() == [0.5, 2.0]
    assert by_n.n.values.tolist() == [100, 400]
    assert by_n.test_error.values.tolist() == by_alpha.test_error.values.tolist()
    assert by_n.attrs["d"] == 200


def test_data_fix_the_dimension():
    problem = ge.Problem(PROBLEM.target, ge.DataInputs(TABLE))
    assert ge.solve(problem, n=10).alpha.values.tolist() == [2.0]
    with pytest.raises(ge.ArgumentError, match="5, the dimension of the inputs"):
        ge.solve(problem, 1.0, d=6)


def test_a_finite_size_has_its_own_spectrum():
    problem = ge.Problem(PROBLEM.target, ge.GaussianInputs("power-law:0.5"))
    small, large, limit = (float(ge.solve(problem, 1.0, d=d).test_error[0]) for d in (10, 10_000, None))
    assert abs(small - limit) > 0.01 * limit
    assert abs(large - limit) < 0.3 * abs(small - limit)


def test_learners_are_a_dimension():
    problem = ge.Problem(PROBLEM.target, learner=[ge.BayesOptimal(), ge.Ridge(0.1)])
    curve = ge.solve(problem, [0.5, 2.0])
    assert curve.test_error.dims == ("learner", "alpha")
    assert curve.learner.values.tolist() == ["bayes", "ridge(lam=0.1)"]
    assert np.all(np.isnan(curve.lam.sel(learner="bayes")))
    single = ge.solve(ge.Problem(PROBLEM.target, learner=ge.Ridge(0.1)), [0.5, 2.0])
    assert curve.test_error[1].values.tolist() == single.test_error.values.tolist()


def test_provenance_is_in_the_attributes():
    curve = ge.solve(PROBLEM, 1.0)
    assert json.loads(curve.attrs["problem"]) == PROBLEM.to_dict()
    assert json.loads(curve.attrs["call"]) == {"verb": "solve"}
    assert (curve.attrs["source"], curve.attrs["task"]) == ("theory", "regression")


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "alpha"),
        ({"alpha": -0.1}, "alpha"),
        ({"alpha": [1.0, 0.0]}, "alpha"),
        ({"alpha": []}, "alpha"),
        ({"alpha": "1:2:3"}, "alpha"),
        ({"alpha": [1.0, np.nan]}, "alpha"),
        ({"alpha": 1.0, "n": 10}, "alpha"),
        ({"n": 10}, "d"),
        ({"n": 0, "d": 10}, "n"),
        ({"alpha": 1.0, "d": 0}, "d"),
        ({"alpha": 1.0, "d": 2.5}, "d"),
    ],
)
def test_wrong_arguments_are_named(options, name):
    with pytest.raises(ge.ArgumentError, match=f"Argument `{name}`"):
        ge.solve(PROBLEM, **options)


def test_the_message_of_a_negative_alpha_is_the_documented_one():
    with pytest.raises(ge.ArgumentError) as error:
        ge.solve(PROBLEM, -0.1)
    assert str(error.value) == "Argument `alpha` must be positive, but alpha=-0.1. alpha is the number of samples per input dimension, n/d."


@pytest.mark.parametrize("problem", [PROBLEM, SIGNS, ge.Problem(PROBLEM.target, learner=ge.Ridge(0.2))])
@pytest.mark.parametrize("alpha", [0.05, 1.3, 40.0])
def test_samples_for_inverts_solve(problem, alpha):
    error = float(ge.solve(problem, alpha).test_error[0])
    assert ge.samples_for(problem, error).alpha == pytest.approx(alpha, rel=1e-8)


def test_samples_for_counts_rows_where_the_dimension_is_known():
    found = ge.samples_for(PROBLEM, 0.5, d=200)
    assert found.n == np.ceil(found.alpha * 200)
    assert float(ge.solve(PROBLEM, n=found.n, d=200).test_error[0]) <= 0.5
    assert float(ge.solve(PROBLEM, n=found.n - 1, d=200).test_error[0]) > 0.5
    assert ge.samples_for(PROBLEM, 0.5).n is None


def test_samples_for_finds_the_first_crossing_of_a_peaked_curve():
    """Without penalty the error falls, rises to the peak at alpha = 1, and falls again."""
    problem = ge.Problem(ge.DeepNetwork((), noise=0.05), learner=ge.Ridge(0.0))
    # 1 - alpha + 0.05/(1 - alpha) = 0.6 first at 1 - alpha = (0.6 + sqrt(0.16))/2 = 0.5
    assert ge.samples_for(problem, 0.6).alpha == pytest.approx(0.5, rel=1e-8)


def test_unreachable_errors_name_the_floor():
    floor = float(ge.solve(PROBLEM, 1.0).floor[0])
    with pytest.raises(ge.UnreachableError, match=f"{floor:.6g}"):
        ge.samples_for(PROBLEM, 0.9 * floor)
    with pytest.raises(ge.ArgumentError, match="one learner"):
        ge.samples_for(ge.Problem(learner=[ge.BayesOptimal(), ge.Ridge(1.0)]), 0.5)
    with pytest.raises(ge.ArgumentError, match="`target_error`"):
        ge.samples_for(PROBLEM, 0.0)


@pytest.fixture
def cut_short(monkeypatch):
    """Searches for the best penalty and threshold that end after one step."""
    full = optimize.minimize

    def short(*arguments, options, **rest):
        return full(*arguments, options=options | {"maxiter": 1}, **rest)

    monkeypatch.setattr(optimize, "minimize", short)


def test_a_point_that_does_not_converge_holds_nan(cut_short):
    learner = ge.ERM("huber:1", "optimal", tune="threshold")
    problem = ge.Problem(ge.DeepNetwork("tanh", noise=0.5), learner=[learner, ge.Ridge(1.0)])
    with pytest.warns(ge.ConvergenceWarning, match="max_steps"):
        result = ge.solve(problem, alpha=[3.0])
    assert result.status.values.ravel().tolist() == [Status.max_steps, Status.converged]
    for name in ("test_error", "train_error", "m", "q", "excess_over_floor"):
        assert np.isnan(result[name].values[0]).all(), name
        assert np.isfinite(result[name].values[1]).all(), name
    for name in ("floor", "lam", "steps"):
        assert np.isfinite(result[name].values).all(), name
    axes = ge.plot.curve(result)
    assert np.isnan(axes.lines[0].get_ydata()).all()
    with pytest.raises(ge.UnreachableError, match="could not be solved"):
        ge.samples_for(ge.Problem(problem.target, learner=Unsolved()), 0.6)


class Unsolved(ge.Ridge):
    """Ridge whose iteration ends too early everywhere."""

    def __init__(self):
        super().__init__(1.0)

    def solve(self, equivalent, alpha):
        return super().solve(equivalent, alpha) | {"status": np.full(alpha.size, float(Status.max_steps))}


def test_an_infinite_error_is_an_answer_and_stays():
    problem = ge.Problem(ge.DeepNetwork((), noise=0.1), learner=ge.Ridge(0.0))
    with pytest.warns(ge.ConvergenceWarning, match="diverged"):
        result = ge.solve(problem, alpha=[0.5, 1.0])
    assert np.isinf(result.test_error[1]) and np.isfinite(result.floor[1]) and result.lam[1] == 0
    assert result.m[1] == pytest.approx(1.0)  # all modes are fitted: the limit is exact
    labels = ge.Problem(ge.DeepNetwork((), task="classification"), learner=ge.Ridge(0.0))
    with pytest.warns(ge.ConvergenceWarning, match="diverged"):
        assert float(ge.solve(labels, alpha=[1.0]).test_error[0]) == 0.5


def test_observables_with_further_dims_are_cleared_point_by_point():
    grid = np.ones((2, 3))
    curve = Curve({"a": np.array([1.0, 2.0]), "b": (("bin",), grid), "status": np.array([0.0, 1.0])}).finished(2).only_solved()
    assert np.isnan(curve["b"]).tolist() == [[False] * 3, [True] * 3]
    assert np.isnan(curve["a"]).tolist() == [False, True] and curve.dims("b", "x") == ("x", "bin")
    trial = Curve({"a": np.array([1.0]), "status": np.array([1.0])}).finished(1)
    assert trial["a"][0] == 1.0  # measured on a fit that was stopped early


def test_curves_are_joined_like_dicts_and_stay_as_they_were():
    word = {"a": Observable("first"), "b": Observable("second")}
    one = Curve({"a": np.array([1.0, 2.0]), "c": (("bin",), np.ones((2, 3)))}, labels={"a": word["a"]}, citations=("x",))
    both = one | Curve({"b": np.zeros(2), "c": np.zeros(2)}, labels={"b": word["b"]}, citations=("y",))
    assert list(both) == ["a", "c", "b"] and both.labels == word and both.citations == ("x", "y") and both.extra == {}
    assert list(one) == ["a", "c"] and one.labels == {"a": word["a"]} and one.extra == {"c": ("bin",)} and one.citations == ("x",)
    assert (one | {"a": np.zeros(2)})["a"].tolist() == [0.0, 0.0] and one["a"].tolist() == [1.0, 2.0]
