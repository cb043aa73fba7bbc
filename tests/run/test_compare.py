"""`compare`: alignment of theory and simulation, and every branch of the verdict."""

import json

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.numerics.status import Status
from gaussequiv.run.compare import align
from gaussequiv.run.verdict import judge

TARGET = ge.DeepNetwork("tanh", noise=0.1)
OK = np.array([True, True])


def verdict(mean, stderr=(0.001, 0.001), allowed=(0.0, 0.0), trials=16, converged=OK, value=(1.0, 2.0)):
    return judge(*(np.array(x, float) for x in (value, mean, stderr, allowed)), trials, converged)


def test_means_within_four_standard_errors_agree():
    found = verdict((1.0035, 1.9965))
    assert found.verdict == "agree"
    assert "all 2 points" in found.reason
    assert "3.5" in found.reason


def test_one_point_beyond_four_standard_errors_disagrees():
    found = verdict((1.0, 2.0045))
    assert found.verdict == "disagree"
    assert "1 of 2 points" in found.reason


def test_the_allowance_widens_the_band():
    assert verdict((1.0, 2.0045), allowed=(0.0, 0.001)).verdict == "agree"
    assert verdict((1.0, 2.0055), allowed=(0.0, 0.001)).verdict == "disagree"


def test_few_trials_are_inconclusive_however_close():
    found = verdict((1.0, 2.0), trials=15)
    assert found.verdict == "inconclusive"
    assert "15 trials" in found.reason


def test_unconverged_points_are_inconclusive():
    found = verdict((1.0, 2.0), converged=np.array([True, False]))
    assert (found.verdict, found.reason) == ("inconclusive", "1 points did not converge")


def test_training_sets_of_one_class_are_left_out_and_counted():
    found = judge(*(np.array(x, float) for x in ((1.0, 2.0), (1.0, 2.0), (0.001, 0.001), (0.0, 0.0))), np.array([16, 40]), OK, 24)
    assert found.verdict == "agree"
    assert "24 training sets had a single class" in found.reason
    found = judge(*(np.array(x, float) for x in ((1.0, 2.0), (1.0, 2.0), (0.001, 0.001), (0.0, 0.0))), np.array([15, 40]), OK, 25)
    assert found.verdict == "inconclusive"
    assert "15 trials are fewer" in found.reason


def test_a_simulation_with_training_sets_of_one_class_keeps_its_points():
    problem = ge.Problem(ge.DeepNetwork("tanh", task="classification", offset=1.0), learner=ge.Logistic(0.1))
    with pytest.warns(ge.ConvergenceWarning, match="single_class"):
        run = ge.simulate(problem, alpha=[0.05, 0.8], d=40, trials=24, test_samples=300, seed=1)
    single = run.status.values == Status.single_class
    assert 0 < single[1].sum() < 8 < single[0].sum() < 24
    for point in range(2):
        kept = run.test_error.values[point][~single[point]]
        assert run.test_error_mean.values[point] == pytest.approx(kept.mean(), rel=1e-12)
        assert run.test_error_stderr.values[point] == pytest.approx(kept.std(ddof=1) / np.sqrt(kept.size), rel=1e-12)
    both = align(problem, run.isel(alpha=[1]), allowance=1.0)
    assert both.converged.all()
    assert "did not converge" not in both.reason
    assert f"{single[1].sum()} training sets had a single class" in both.reason


def test_a_point_whose_training_sets_all_have_one_class_has_no_mean():
    problem = ge.Problem(ge.DeepNetwork("tanh", task="classification", offset=5.0), learner=ge.Logistic(0.1))
    with pytest.warns(ge.ConvergenceWarning, match="single_class"):
        run = ge.simulate(problem, alpha=[0.1], d=40, trials=16, test_samples=50)
    assert np.isnan(run.test_error_mean[0]) and np.isnan(run.test_error_stderr[0])
    both = align(problem, run, allowance=1.0)
    assert both.verdict == "inconclusive" and "0 trials" in both.reason
    assert both.status[0] == Status.single_class


def test_without_an_allowance_closeness_proves_nothing():
    found = verdict((1.0, 2.0), allowed=(0.0, np.nan))
    assert found.verdict == "inconclusive"
    assert "1 of 2 points" in found.reason


def test_without_an_allowance_a_gross_deviation_still_disagrees():
    """The largest possible allowance is 5% of the value."""
    assert verdict((1.0, 2.09), allowed=(0.0, np.nan)).verdict == "inconclusive"
    assert verdict((1.0, 2.11), allowed=(0.0, np.nan)).verdict == "disagree"


def test_wide_error_bars_are_inconclusive():
    found = verdict((1.0, 2.0), stderr=(0.06, 0.01))
    assert found.verdict == "inconclusive"
    assert "6.0%" in found.reason


def test_numbers_that_are_not_finite_never_agree():
    assert verdict((1.0, np.nan)).verdict != "agree"
    assert verdict((1.0, 2.0), stderr=(0.001, np.nan)).verdict != "agree"


def test_an_error_of_exactly_zero_on_both_sides_agrees():
    assert verdict((0.0, 0.0), stderr=(0.0, 0.0), value=(0.0, 0.0)).verdict == "agree"


def test_a_problem_solved_exactly_does_not_disagree_by_rounding():
    """Noiseless linear regression beyond alpha = 1: theory is 0, simulation 1e-30."""
    problem = ge.Problem(ge.DeepNetwork(()), learner=ge.Ridge(0.0))
    both = ge.compare(problem, 3.0, d=20, trials=16, test_samples=100, allowance=0.0)
    assert both.attrs["verdict"] != "disagree", both.attrs["reason"]


@pytest.fixture(scope="module")
def both():
    problem = ge.Problem(TARGET, learner=[ge.BayesOptimal(), ge.Ridge(0.3)])
    return ge.compare(problem, [0.5, 3.0], d=100, trials=24, seed=1, normalise_teacher=True, allowance=3.0)


def test_theory_and_simulation_are_aligned(both):
    assert both.test_error.dims == ("source", "learner", "alpha")
    assert both.source.values.tolist() == ["theory", "simulation"]
    theory, run = both.test_error.values
    stderr = both.test_error_stderr.values
    assert np.all(stderr[0] == 0)
    assert both.z.values == pytest.approx((run - theory) / stderr[1])
    assert both.allowance.values == pytest.approx(0.03 * theory)


def test_the_true_theory_agrees(both):
    assert both.attrs["verdict"] == "agree", both.attrs["reason"]


def test_a_wrong_theory_disagrees():
    """The simulated network has label noise 0.3, the theory 0.1."""
    run = ge.simulate(ge.Problem(ge.DeepNetwork("tanh", noise=0.3)), [0.5, 3.0], d=100, trials=24, normalise_teacher=True)
    found = align(ge.Problem(TARGET), run, 3.0)
    assert found.attrs["verdict"] == "disagree"
    assert align(ge.Problem(TARGET), run).attrs["verdict"] == "disagree"  # also without a known allowance


def test_the_allowance_is_capped_at_five_percent():
    found = ge.compare(ge.Problem(TARGET), 2.0, d=20, trials=2, test_samples=50, allowance=1e6)
    assert found.allowance.values == pytest.approx(0.05 * found.test_error.values[0])


def test_theory_is_taken_at_the_simulated_size():
    problem = ge.Problem(TARGET, ge.GaussianInputs("power-law:1.3"))
    found = ge.compare(problem, 0.9, d=15, trials=2, test_samples=50)
    assert found.n.values.tolist() == [14]  # round(13.5) to even
    assert found.test_error.values[0] == pytest.approx(ge.solve(problem, n=14, d=15).test_error.values)


def test_provenance_says_how_it_was_made(both):
    call = json.loads(both.attrs["call"])
    assert (call["verb"], call["d"], call["trials"], call["seed"], call["allowance"]) == ("compare", 100, 24, 1, 3.0)
    assert both.attrs["source"] == "theory and simulation"


def test_a_negative_allowance_is_refused():
    with pytest.raises(ge.ArgumentError, match="`allowance`"):
        ge.compare(ge.Problem(TARGET), 2.0, d=20, trials=2, allowance=-1.0)


def test_a_band_that_would_pass_wrong_theories_is_inconclusive():
    """4 standard errors of 4% and an allowance of 5%: 18% off, and within."""
    found = verdict((0.84, 2.0), stderr=(0.04, 0.01), allowed=(0.05, 0.05))
    assert found.verdict == "inconclusive"
    assert "21.0% of the value" in found.reason
    assert verdict((1.0, 2.0), stderr=(0.024, 0.01), allowed=(0.05, 0.05)).verdict == "agree"
    assert verdict((1.0, 2.0), stderr=(0.026, 0.01), allowed=(0.05, 0.05)).verdict == "inconclusive"


def test_a_real_deviation_does_not_hide_behind_error_bars_and_allowance_together():
    """z = 5.9: 7.7% of the value, which no allowance explains, fitted or not; the same z within allowance + 2 standard errors does not."""
    for allowed in (np.nan, 0.05, 0.04):
        found = verdict((1.0767, 2.0), stderr=(0.013, 0.001), allowed=(allowed, 0.0))
        assert found.verdict == "disagree"
        assert "|z| 5.9" in found.reason
    assert verdict((1.0295, 2.0), stderr=(0.005, 0.001), allowed=(0.02, 0.0)).verdict == "agree"


def test_committed_allowances_end_below_the_sizes_of_their_fit():
    problem = ge.Problem(ge.DeepNetwork("tanh", depth=2, weight_variance=4, noise=0.2, task="classification"), learner=ge.Logistic(0.1))
    run = {d: ge.compare(problem, [1.0], d=d, trials=2, progress=False).allowance.values for d in (10, 49, 50)}
    assert np.isnan(run[10]) and np.isnan(run[49]) and np.isfinite(run[50])
