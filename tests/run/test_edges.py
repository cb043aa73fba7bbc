"""Edges where a plausible number would be wrong: each was once found by an independent computation."""

import json
import warnings

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.errors import ConvergenceWarning


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_a_mean_of_the_inputs_is_an_intercept_at_no_cost(task):
    target = ge.DeepNetwork("relu", noise=0.05, task=task)
    problem = ge.Problem(target, ge.GaussianInputs(mean=1.0), [ge.Ridge(0.1, intercept=False), ge.Ridge(0.1)])
    theory = ge.solve(problem, [0.5, 2.0], d=200)
    np.testing.assert_array_equal(theory.test_error[0], theory.test_error[1])
    run = ge.simulate(problem, [2.0], d=200, trials=16)
    z = (run.test_error_mean[:, 0] - theory.test_error[:, 1]) / run.test_error_stderr[:, 0]
    assert np.all(np.abs(z) < 4)  # deviations of the forgotten intercept were above 100


def test_samples_for_finds_dips_between_grid_points():
    problem = ge.Problem(ge.DeepNetwork([], noise=0.001), ge.GaussianInputs("two-level:100:0.01:0.02"), ge.Ridge(0.0))
    size = ge.samples_for(problem, 0.0064533)
    assert size.alpha < 0.7
    assert float(ge.solve(problem, size.alpha).test_error[0]) == pytest.approx(0.0064533, rel=1e-9)
    assert ge.samples_for(problem, 50.0, d=100) == (0.0, 0)


@pytest.mark.parametrize(("weight", "bias", "depth", "exact"), [(0.5, 1, 20, 0.2271), (0.3, 1, 20, 0.1474), (0.1, 1, 10, 0.0668)])
def test_deep_biased_networks_keep_their_digits(weight, bias, depth, exact):
    """Reference: the arc-cosine recursion in 50-digit arithmetic."""
    target = ge.DeepNetwork("relu", depth=depth, weight_variance=weight, bias_variance=bias)
    closed = ge.Problem(target).equivalent().lam_optimal
    assert closed == pytest.approx(exact, abs=5e-5)
    relu = ge.Activation(lambda x: np.maximum(x, 0.0), name="kinked", kinks=(0.0,))
    quadrature = ge.DeepNetwork(relu, depth=depth, weight_variance=weight, bias_variance=bias)
    assert ge.Problem(quadrature).equivalent().lam_optimal == pytest.approx(closed, rel=1e-8)


@pytest.mark.parametrize("spectrum", ["marchenko-pastur:2", [0.0] * 37 + [1.0] * 31 + [2.0] * 32])
def test_the_peak_of_a_rank_deficient_spectrum_diverges(spectrum):
    rank = 0.5 if isinstance(spectrum, str) else 0.63
    problem = ge.Problem(ge.DeepNetwork(noise=0.1), ge.GaussianInputs(spectrum), ge.Ridge(0.0))
    with pytest.warns(ConvergenceWarning, match="diverged"):
        result = ge.solve(problem, [rank])
    assert np.isinf(result.test_error[0]) and not result.converged[0]


def test_ridge_on_labels_approaches_its_floor_without_losing_digits():
    problem = ge.Problem(ge.DeepNetwork("tanh", task="classification"), learner=ge.Ridge(1.0))
    result = ge.solve(problem, [1e6, 1e9, 1e12, 1e15])
    scaled = (result.alpha * result.excess_over_floor).values
    np.testing.assert_allclose(scaled, scaled[-1], rtol=1e-5)
    near = ge.solve(problem, [0.5, 2.0])
    np.testing.assert_allclose(near.excess_over_floor, near.test_error - near.floor, rtol=1e-12)


def test_an_infinite_penalty_has_its_own_floor():
    for task in ("regression", "classification"):
        result = ge.solve(ge.Problem(ge.DeepNetwork("relu", task=task, offset=0.5), learner=ge.Ridge(np.inf)), [1.0, 1e6])
        np.testing.assert_array_equal(result.floor, result.test_error)
        assert np.all(result.excess_over_floor == 0)


def test_a_given_offset_has_no_committed_allowance():
    problem = ge.Problem(ge.DeepNetwork("tanh", weight_variance=4, task="classification", offset=1.5))
    assert np.all(np.isnan(ge.compare(problem, [1.0], d=50, trials=2, test_samples=100).allowance))


def test_few_rows_per_column_are_told():
    data = ge.DataInputs(np.random.default_rng(0).standard_normal((40, 20)))
    hypotheses = dict(ge.Problem(inputs=data).equivalent().validity.hypotheses)
    assert [holds for words, holds in hypotheses.items() if "rows per column" in words] == [False]


def test_an_interrupted_sweep_keeps_what_was_finished(monkeypatch):
    fits, original = [], ge.Ridge.fit

    def fit(self, sample, equivalent, key=None):
        fits.append(self.lam)
        if len(fits) == 6:
            raise KeyboardInterrupt
        return original(self, sample, equivalent, key)

    monkeypatch.setattr(ge.Ridge, "fit", fit)
    problem = ge.Problem(ge.DeepNetwork("erf"), learner=ge.Ridge(1.0))
    with pytest.raises(ge.Interrupted) as stop:
        ge.sweep(problem, [1.0], {"lam": [0.1, 1.0, 10.0, 100.0]}, verb="simulate", d=10, trials=2)
    partial = stop.value.partial
    assert partial.sizes == {"lam": 4, "alpha": 1, "trial": 2}
    assert partial.converged.values[:, 0].tolist() == [[True, True], [True, True], [True, False], [False, False]]
    assert np.isfinite(partial.test_error.values[:, 0]).tolist() == partial.converged.values[:, 0].tolist()
    assert json.loads(partial.attrs["call"])["over"] == {"lam": [0.1, 1.0, 10.0, 100.0]}


def square(x):
    return np.tanh(x) ** 2


def test_functions_in_a_sweep_are_rerun_by_name():
    problem = ge.Problem(ge.DeepNetwork("tanh", depth=2))
    result = ge.sweep(problem, [1.0], {"activations": ["tanh", square]})
    name = f"{square.__module__}:square"
    assert result.activations.values.tolist() == ["tanh", name]
    again = ge.rerun(result, functions={name: square})
    np.testing.assert_array_equal(again.test_error, result.test_error)
    with pytest.raises(ge.ArgumentError, match="which a saved result can keep"):
        ge.sweep(ge.Problem(), [1.0], {"mean": [np.ones(3)]}, d=3)


def test_two_lambdas_are_told_apart():
    target = ge.DeepNetwork([lambda x: np.tanh(x), lambda x: np.tanh(2 * x)])
    assert target.activations[1] == target.activations[0] + "#2"


def test_fields_of_a_matrix_cannot_be_swept_and_are_checked_in_a_rerun():
    matrix = np.diag([1.0, 2.0, 3.0])
    problem = ge.Problem(inputs=ge.GaussianInputs(covariance=matrix))
    with pytest.raises(ge.ArgumentError, match="build the inputs anew"):
        ge.sweep(problem, [1.0], {"spectrum": ["identity", "power-law:0.5"]})
    with pytest.raises(ge.ArgumentError, match="build the inputs anew"):
        ge.sweep(ge.Problem(inputs=ge.DataInputs(np.eye(5))), [1.0], {"normalise": [True, False]})
    with pytest.raises(ge.ArgumentError, match="`spectrum`"):
        ge.GaussianInputs("power-law:0.5", covariance=matrix)
    result = ge.solve(problem, [1.0])
    with pytest.raises(ge.ArgumentError, match="digest"):
        ge.rerun(result, inputs=ge.GaussianInputs(covariance=9 * matrix))
    assert ge.rerun(result, inputs=ge.GaussianInputs(covariance=matrix)).test_error[0] == result.test_error[0]


def test_a_spectrum_without_a_positive_eigenvalue_at_d_is_named():
    with pytest.raises(ge.ArgumentError, match="`d`"):
        ge.solve(ge.Problem(inputs=ge.GaussianInputs("two-level:4:0:0.01")), [1.0], d=20)


def test_noiseless_linear_labels_converge_at_large_alpha():
    problem = ge.Problem(ge.DeepNetwork([], task="classification"))
    run = ge.simulate(problem, [20.0, 60.0], d=60, trials=16)
    assert bool(run.converged.all())


def test_solving_twice_warns_twice():
    problem = ge.Problem(ge.DeepNetwork(ge.Activation(lambda x: np.sign(x - 0.3), name="undeclared")))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ge.solve(problem, [1.0])
        first = len(caught)
        ge.solve(problem, [1.0])
    assert first > 0 and len(caught) == 2 * first
