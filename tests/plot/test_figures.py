"""Figures: theory as lines, simulation as markers, unconverged points hollow, nothing global touched."""

import matplotlib
import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.errors import ConvergenceWarning

PROBLEM = ge.Problem(target=ge.DeepNetwork("erf"), learner=[ge.BayesOptimal(), ge.Ridge(1 / 3)])


@pytest.fixture(scope="module")
def both():
    return ge.compare(PROBLEM, [0.5, 1.0, 2.0], d=20, trials=4)


def test_a_curve_draws_exactly_the_numbers():
    result = ge.solve(PROBLEM, [0.5, 1.0, 2.0])
    axes = ge.plot.curve(result)
    drawn = [line.get_ydata() for line in axes.lines if len(line.get_xdata()) == 3]
    np.testing.assert_array_equal(drawn[0], result.test_error.values[0])
    np.testing.assert_array_equal(drawn[1], result.test_error.values[1])
    assert axes.get_legend_handles_labels()[1] == ["bayes", "ridge(lam=0.3333)"]
    assert axes.get_ylabel() == "test error (mean squared)"


def test_a_comparison_has_lines_and_error_bars(both):
    axes = ge.plot.curve(both)
    assert len(axes.containers) == 2
    heights = axes.containers[0].lines[0].get_ydata()
    np.testing.assert_array_equal(heights, both.test_error.sel(source="simulation", learner="bayes").values)
    only = ge.plot.curve(both, lines=False)
    assert len([line for line in only.lines if line.get_linestyle() == "-"]) == 0


def test_a_simulation_is_drawn_by_its_mean():
    run = ge.simulate(PROBLEM, [0.5, 1.0], d=20, trials=4)
    axes = ge.plot.curve(run, observable="train_error", log=True)
    np.testing.assert_array_equal(axes.containers[0].lines[0].get_ydata(), run.train_error_mean.values[0])
    assert axes.get_xscale() == "log"


def test_unconverged_points_are_hollow():
    problem = ge.Problem(target=ge.DeepNetwork((), noise=0.1), learner=ge.Ridge(0.0))
    with pytest.warns(ConvergenceWarning):
        result = ge.solve(problem, [0.5, 1.0, 2.0])
    result["test_error"][1] = 3.0
    axes = ge.plot.curve(result)
    hollow = [line for line in axes.lines if line.get_markerfacecolor() == "none"]
    assert [line.get_xdata().tolist() for line in hollow] == [[1.0]]
    assert np.isnan(axes.lines[0].get_ydata()[1])


def test_sweeps_give_a_curve_for_every_value():
    axes = ge.plot.curve(ge.sweep(ge.Problem(), [1.0, 2.0], {"depth": [1, 2, 3]}))
    assert axes.get_legend_handles_labels()[1] == ["depth=1", "depth=2", "depth=3"]


@pytest.mark.parametrize("name", ["relu", "tanh", "abs"])
def test_layers_add_up_to_the_whole_variance(name):
    equivalent = ge.Problem(target=ge.DeepNetwork(name, depth=3, bias_variance=0.2)).equivalent()
    axes = ge.plot.layers(equivalent)
    heights = np.zeros(3)
    for bar in axes.patches:
        heights[round(bar.get_x() + bar.get_width() / 2) - 1] += bar.get_height()
    np.testing.assert_allclose(heights, 1.0, atol=1e-12)
    last = equivalent.layers[-1]
    signal = next(bar.get_height() for bar in axes.patches if round(bar.get_x() + bar.get_width() / 2) == 3)
    np.testing.assert_allclose(signal, equivalent.signal_variance / last.second, rtol=1e-12)


def test_residuals_show_z_and_the_verdict(both):
    axes = ge.plot.residuals(both)
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), both.z.values[0])
    assert axes.get_title().startswith("inconclusive")


def test_a_given_axes_is_used_and_settings_stay(both):
    from matplotlib.figure import Figure

    before = dict(matplotlib.rcParams)
    axes = Figure().subplots()
    assert ge.plot.curve(both, ax=axes) is axes
    assert dict(matplotlib.rcParams) == before


def test_wrong_requests_are_named(both):
    with pytest.raises(ge.ArgumentError, match="observable"):
        ge.plot.curve(both, observable="tset_error")
    with pytest.raises(ge.ArgumentError, match="result of compare"):
        ge.plot.residuals(ge.solve(PROBLEM, 1.0))
    with pytest.raises(ge.ArgumentError, match="hidden layers"):
        ge.plot.layers(ge.Problem(target=ge.DeepNetwork(())).equivalent())


def test_a_trial_of_a_single_class_does_not_hide_the_mean_of_the_others():
    problem = ge.Problem(ge.DeepNetwork("tanh", task="classification", offset=1.0), learner=ge.Logistic(0.1))
    with pytest.warns(ge.ConvergenceWarning, match="single_class"):
        run = ge.simulate(problem, alpha=[0.8, 1.5], d=40, trials=24, test_samples=100, seed=1)
    axes = ge.plot.curve(run)
    assert not run.converged.all()
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), run.test_error_mean)
