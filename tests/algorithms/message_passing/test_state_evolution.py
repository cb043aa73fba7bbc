"""State evolution: published fixed points, closed forms, and the same answer as the Bayes-optimal curve."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.algorithms.message_passing.scaled_prior import scalar_overlap
from gaussequiv.algorithms.message_passing.state_evolution import INFORMED, StateEvolution, fixed_point
from gaussequiv.ingredients.channels.outputs import AbsoluteValue, Output, Relu
from gaussequiv.ingredients.priors.named import GaussBernoulli, Gaussian, Rademacher
from gaussequiv.ingredients.targets.linear_target import LinearTarget
from gaussequiv.numerics.status import Status

PERCEPTRON = LinearTarget("rademacher", task="classification")


@pytest.mark.parametrize(("alpha", "q", "error"), [(1.0, 0.56071, 0.23063), (1.4, 0.78970, 0.15164)])
def test_binary_perceptron(alpha, q, error):
    """Numbers of the low branch, to the digits given (spinodal of message passing 1.4926)."""
    found = fixed_point(ge.Problem(PERCEPTRON).equivalent(), alpha)
    assert found["status"] == Status.converged
    assert (found["q"], found["test_error"]) == (pytest.approx(q, abs=6e-6), pytest.approx(error, abs=6e-6))


def test_binary_perceptron_recovers_perfectly_when_informed_and_beyond_the_spinodal():
    e = ge.Problem(PERCEPTRON).equivalent()
    for alpha, start in ((1.2447, "informed"), (1.4, "informed"), (1.4927, "uninformed")):
        assert fixed_point(e, alpha, start)["q"] == pytest.approx(1.0, abs=1e-9)
    assert fixed_point(e, 1.4925, "uninformed")["q"] < 0.95


@pytest.mark.parametrize(("alpha", "error"), [(1.0, 0.25437), (5.0, 0.08394), (20.0, 0.02201)])
def test_gaussian_perceptron(alpha, error):
    assert fixed_point(ge.Problem(LinearTarget(task="classification")).equivalent(), alpha)["test_error"] == pytest.approx(error, abs=6e-6)


@pytest.mark.parametrize(
    ("target", "inputs"),
    [
        (ge.DeepNetwork("tanh", depth=2, weight_variance=4), "identity"),
        (ge.DeepNetwork("relu", noise=0.1), "power-law:0.8"),
        (ge.DeepNetwork("tanh", task="classification"), "power-law:0.8"),
        (ge.DeepNetwork("relu", depth=2, task="classification", noise=0.1), "two-level:4:0.2:0.1667"),
        (ge.DeepNetwork("erf", labels="logit"), "identity"),
        (LinearTarget("gauss-bernoulli:0.2", noise=0.05), "identity"),
        (LinearTarget(labels=Relu(0.1)), "identity"),
        (ge.DeepNetwork("tanh", labels=Output(np.tanh, 0.1)), "identity"),
    ],
)
def test_the_fixed_point_is_the_bayes_optimal_curve(target, inputs):
    problem = ge.Problem(target, ge.GaussianInputs(inputs))
    d = None if inputs == "identity" else 60
    theory = ge.BayesOptimal(branch="uninformed").solve(problem.equivalent(d), np.array([2.0]))
    found = fixed_point(problem.equivalent(d), 2.0)
    assert found["status"] == Status.converged
    assert found["q"] == pytest.approx(theory["q"][0], rel=2e-6)
    assert found["test_error"] == pytest.approx(theory["test_error"][0], rel=2e-6)


def test_steps_of_linear_regression_by_hand():
    """A = alpha/(V + tau), V = v/(1 + A v): the closed recursion, step by step."""
    e = ge.Problem(LinearTarget("gaussian:2", noise=0.3)).equivalent()
    path = StateEvolution(e, 1.5).path(6)
    V = 2.0
    for step in range(7):
        assert path["V"][step] == pytest.approx(V, rel=1e-14)
        assert path["test_error"][step] == pytest.approx(V + 0.3, rel=1e-14)
        assert path["q"][step] == pytest.approx(2.0 - V, abs=1e-14)
        V = 2.0 / (1 + 2.0 * 1.5 / (V + 0.3))


def test_scales_of_independent_weights():
    """Inputs of two variances in the weights' own coordinates: q = mean of w o(A w), by hand."""
    e = ge.Problem(LinearTarget("rademacher", noise=0.2), ge.GaussianInputs("two-level:3:0.5:0.2")).equivalent()
    evolution = StateEvolution(e, 1.2)
    state = evolution.step(evolution.init())
    A = 1.2 / (0.2 * 3 + 0.8 * 0.5 + 0.2)
    known, _ = scalar_overlap(Rademacher(), A * np.array([0.5, 3.0]))
    assert float(state.A[0]) == pytest.approx(A, rel=1e-14)
    assert float(state.q[0]) == pytest.approx(0.8 * 0.5 * known[0] + 0.2 * 3 * known[1], rel=1e-10)


def test_starts():
    e = ge.Problem(LinearTarget("gauss-bernoulli:0.2", noise=0.1)).equivalent()
    evolution = StateEvolution(e, 1.0)
    known, _ = scalar_overlap(GaussBernoulli(0.2), np.array(3.0 / 0.2))
    assert float(evolution.init(3.0).q[0]) == pytest.approx(float(known), rel=1e-12)
    assert float(evolution.init().q[0]) == 0.0
    assert float(evolution.init("informed").q[0]) == pytest.approx(float(evolution.init(INFORMED).q[0]), rel=1e-14)
    for bad in ("random", -1.0, np.inf, True):
        with pytest.raises(ge.ArgumentError, match="`start`"):
            evolution.init(bad)


def test_even_labels_leave_zero_above_the_weak_recovery_threshold():
    noiseless = ge.Problem(LinearTarget(labels=AbsoluteValue())).equivalent()  # 1/2 (Mondelli and Montanari 2019)
    assert fixed_point(noiseless, 0.48)["q"] == 0.0
    assert fixed_point(noiseless, 0.52)["q"] > 1e-3
    e = ge.Problem(LinearTarget(labels=AbsoluteValue(0.1))).equivalent()
    # above it every start ends at the same place, that of the free entropy's uninformed branch
    found = [fixed_point(e, 2.0, start)["q"] for start in ("uninformed", 1e-3, "informed")]
    assert found[1:] == pytest.approx(found[:2], rel=1e-6)
    assert found[0] == pytest.approx(ge.BayesOptimal(branch="uninformed").solve(e, np.array([2.0]))["q"][0], rel=1e-6)
    # step by step it stays where it starts
    assert np.all(StateEvolution(e, 2.0).path(5)["q"] == 0)


def test_overlaps_add_up_and_have_their_limits():
    for prior in (Gaussian(2.0), Rademacher(), GaussBernoulli(0.1)):
        known, left = scalar_overlap(prior, np.array([0.0, 1e-3, 1.0, 1e4]))
        assert known + left == pytest.approx(prior.second_moment, rel=1e-10)
        assert known[0] == 0 and known[1] == pytest.approx(1e-3 * prior.second_moment**2, rel=1e-2)
    assert scalar_overlap(Gaussian(2.0), np.array(1.0))[0] == pytest.approx(4 / 3, rel=1e-12)


def test_features_are_refused():
    problem = ge.Problem(ge.DeepNetwork("tanh"), features=ge.RandomFeatures("erf", ratio=2.0), learner=ge.Ridge(0.1))
    with pytest.raises(ge.ArgumentError, match="`equivalent`"):
        StateEvolution(problem.equivalent(), 1.0)


def test_running_out_of_steps_is_reported():
    assert StateEvolution(ge.Problem(PERCEPTRON).equivalent(), 1.4).run(max_steps=5)[1] == Status.max_steps


def test_the_overlap_is_a_share_of_the_signal():
    """Weights of any size: q/rho, 1 where everything is known, 0 without a signal."""
    e = ge.Problem(ge.DeepNetwork("tanh", noise=0.1), inputs=ge.GaussianInputs("power-law:0.8")).equivalent()
    signal = float(e.weights @ e.signal_modes)
    assert abs(signal - 1) > 0.1
    found = fixed_point(e, 1.0)
    assert 0.1 < found["overlap"] < 0.9 and found["overlap"] == pytest.approx(found["q"] / signal, rel=1e-12)
    assert fixed_point(e, 1e4)["overlap"] == pytest.approx(1.0, abs=1e-3)
