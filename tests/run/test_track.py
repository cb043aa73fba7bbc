"""`track`: message passing beside state evolution, on generalised linear models and on deep networks."""

import json

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.algorithms.message_passing.state_evolution import StateEvolution
from gaussequiv.ingredients.channels.outputs import AbsoluteValue, Relu
from gaussequiv.ingredients.targets.linear_target import LinearTarget
from gaussequiv.problems.supervised.message_passing import STEP_CONSTANT
from gaussequiv.run.track import track
from gaussequiv.run.verdict import judge

TANH2 = {"activations": "tanh", "depth": 2, "weight_variance": 4}


@pytest.mark.parametrize(
    ("target", "alpha", "options"),
    [
        (ge.DeepNetwork(**TANH2), 2.0, {"normalise_teacher": True}),
        (ge.DeepNetwork(**TANH2, task="classification"), 2.0, {"normalise_teacher": True}),
        (ge.DeepNetwork(**TANH2, task="classification", noise=0.1), 4.0, {"variances": "vector"}),
        (LinearTarget("rademacher", task="classification"), 1.0, {"allowance": 2.9}),
        (LinearTarget("sparse-rademacher:0.2", noise=0.05), 0.6, {"allowance": 2.9}),
        (LinearTarget("gauss-bernoulli:0.3", task="classification", noise=0.1), 2.0, {"allowance": 2.9}),
        (LinearTarget(labels=Relu(0.1)), 2.0, {"allowance": 2.9}),
        (LinearTarget(labels=AbsoluteValue(0.1)), 2.0, {"allowance": 2.9, "start": 0.2, "trials": 24}),
    ],
)
def test_every_step_agrees_with_state_evolution(target, alpha, options):
    run = track(ge.Problem(target), alpha, d=250, steps=8, seed=1, **options)
    assert run.attrs["verdict"] == "agree", (run.attrs["reason"], run.z.values, run.test_error.values)
    # order parameters: 4 standard errors plus the same allowance
    for name in ("q", "V", "m"):
        theory, found = run[name].values
        scale = max(theory[0] + run.V.values[0, 0], 1e-12) if name != "V" else theory[0]
        deviation = np.abs(found - theory) if name != "m" or options.get("start") is None else np.abs(np.abs(found) - theory)
        assert np.all(deviation <= 4 * run[f"{name}_stderr"].values[1] + 2.9 / 250 * scale + 1e-12), (name, theory, found)


@pytest.mark.parametrize("spectrum", ["power-law:0.8", "two-level:4:0.4:0.1667"])
def test_structured_inputs(spectrum):
    for target in (ge.DeepNetwork("tanh", noise=0.1, task="classification"), LinearTarget("rademacher", noise=0.3)):
        run = track(ge.Problem(target, ge.GaussianInputs(spectrum)), 1.5, d=250, steps=6, seed=2, allowance=2.9)
        assert run.attrs["verdict"] == "agree", (run.attrs["reason"], run.z.values)


@pytest.mark.parametrize(("task", "error"), [("classification", 0.279518), ("regression", 0.24752256)])
def test_on_deep_data_the_last_step_has_the_bayes_error_of_the_curve(task, error):
    problem = ge.Problem(ge.DeepNetwork(**TANH2, task=task))
    run = track(problem, 2.0, d=200, trials=16, steps=14, seed=3, normalise_teacher=True)
    bayes = float(ge.solve(problem, 2.0).test_error[0])
    assert bayes == pytest.approx(error, abs=1e-6)
    assert float(run.test_error[0, -1]) == pytest.approx(bayes, abs=1e-6)
    assert abs(float(run.test_error[1, -1]) - bayes) < 4 * float(run.test_error_stderr[1, -1]) + float(run.allowance[-1])


def test_an_offset_is_learned_on_the_way():
    run = track(ge.Problem(ge.DeepNetwork("relu", task="classification", noise=0.1, offset=0.5)), 2.0, d=200, steps=8, allowance=4.0)
    assert run.attrs["verdict"] == "agree", (run.attrs["reason"], run.z.values)


def test_a_wrong_theory_disagrees():
    """State evolution of noise 0.1 beside message passing on labels of noise 0.5."""

    right = ge.Problem(LinearTarget("rademacher", task="classification", noise=0.5))
    wrong = ge.Problem(LinearTarget("rademacher", task="classification", noise=0.1))
    run = track(right, 1.5, d=200, steps=5, allowance=2.9)
    theory = StateEvolution(wrong.equivalent(200), 1.5).path(5)["test_error"]
    mean, stderr = run.test_error.values[1], run.test_error_stderr.values[1]
    assert judge(theory, mean, stderr, run.allowance.values, 16, True).verdict == "disagree"


def test_compare_along_steps_is_track():
    problem = ge.Problem(ge.DeepNetwork("tanh", task="classification"))
    one = ge.compare(problem, 2.0, d=40, trials=4, seed=5, axis="step", steps=3)
    two = track(problem, 2.0, d=40, trials=4, seed=5, steps=3)
    assert one.identical(two)
    assert one.sizes == {"source": 2, "step": 4}
    with pytest.raises(ge.ArgumentError, match="`alpha` must be one number"):
        ge.compare(problem, [1.0, 2.0], d=40, axis="step")
    with pytest.raises(ge.ArgumentError, match="`axis`"):
        ge.compare(problem, 1.0, d=40, axis="steps")


def test_the_result_says_how_it_was_made_and_survives_files(tmp_path):
    problem = ge.Problem(LinearTarget("rademacher", task="classification", noise=0.1))
    run = track(problem, 2.0, d=30, trials=2, steps=3, start=1.0, seed=4)
    call = json.loads(run.attrs["call"])
    assert call == {"verb": "track", "d": 30, "trials": 2, "seed": 4, "test_samples": 4096, "normalise_teacher": False} | {
        "steps": 3,
        "start": 1.0,
        "variances": "scalar",
    }
    assert run.alpha.ndim == 0 and float(run.alpha) == 2.0
    for kind in ("nc", "json", "csv"):
        path = ge.save(run, tmp_path / f"run.{kind}")
        assert ge.load(path).test_error.values == pytest.approx(run.test_error.values, rel=1e-12)


def test_the_committed_allowance_is_at_least_the_fitted_constant_of_steps():
    run = track(ge.Problem(ge.DeepNetwork("tanh", noise=0.1)), 2.0, d=100, trials=2, steps=2)
    assert run.allowance.values == pytest.approx(STEP_CONSTANT / 100 * run.test_error.values[0])
    outside = track(ge.Problem(LinearTarget("rademacher", noise=0.1)), 2.0, d=100, trials=2, steps=2)
    assert np.isnan(outside.allowance.values).all()


def test_refusals():
    target = ge.DeepNetwork("tanh", task="classification")
    with pytest.raises(ge.ArgumentError, match="`problem`"):
        track(ge.Problem(target, learner=ge.Ridge(0.1)), 1.0, d=20)
    with pytest.raises(ge.ArgumentError, match="`problem`"):
        track(ge.Problem(target, learner=ge.BayesOptimal(assumes=ge.DeepNetwork("erf", task="classification"))), 1.0, d=20)
    with pytest.raises(ge.ArgumentError, match="`start`"):
        track(ge.Problem(target), 1.0, d=20, start="informed")
    with pytest.raises(ge.ArgumentError, match="`steps`"):
        track(ge.Problem(target), 1.0, d=20, steps=0)
    for several in ([1.0, 2.0], np.array([1.0, 2.0])):
        with pytest.raises(ge.ArgumentError, match=r"`alpha` must be one number.*alpha=\[1.0, 2.0\]\. alpha is the number of samples"):
            track(ge.Problem(target), several, d=20)
    with pytest.raises(ge.ArgumentError, match="`alpha` must be positive"):
        track(ge.Problem(target), -1.0, d=20)
    covariance = np.eye(20) + 0.1
    with pytest.raises(ge.ArgumentError, match="`prior`"):
        track(ge.Problem(LinearTarget("rademacher", noise=0.1), ge.GaussianInputs(covariance=covariance)), 1.0, d=20, trials=1)
