"""`simulate`: reproducible, nested, paired, interruptible, and right about what it measures."""

from dataclasses import dataclass

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.problems.supervised.trial import MEASURED

TARGET = ge.DeepNetwork("tanh", noise=0.1)
OPTIONS = {"d": 15, "trials": 4, "seed": 2, "test_samples": 200}
LEARNERS = [ge.BayesOptimal(), ge.Ridge(0.3)]
TABLE = np.random.default_rng(0).standard_normal((200, 6)) @ np.diag([3, 2, 1, 1, 0.5, 0.1])
PROBLEMS = {
    "regression": ge.Problem(TARGET, learner=LEARNERS),
    "signs with offset": ge.Problem(ge.DeepNetwork("relu", noise=0.1, task="classification"), learner=LEARNERS),
    "structured": ge.Problem(TARGET, ge.GaussianInputs("power-law:0.8", mean=0.5), LEARNERS),
}


def assert_same(one, two):
    for name in MEASURED:
        assert np.array_equal(one[name].values, two[name].values, equal_nan=True), name


@pytest.mark.parametrize("problem", [PROBLEMS["regression"], PROBLEMS["signs with offset"]], ids=["regression", "signs"])
def test_adding_trials_never_changes_earlier_ones(problem):
    few, many = (ge.simulate(problem, [1.0, 3.0], **OPTIONS | {"trials": t}) for t in (2, 5))
    assert_same(few, many.isel(trial=slice(2)))
    assert np.array_equal(few.offset, many.offset[:2])


@pytest.mark.parametrize("problem", [PROBLEMS["regression"], PROBLEMS["signs with offset"]], ids=["regression", "signs"])
def test_adding_points_never_changes_earlier_ones(problem):
    one, more = ge.simulate(problem, 2.0, **OPTIONS), ge.simulate(problem, [0.4, 2.0, 90.0], **OPTIONS)
    for name in MEASURED:  # the same draws; matrix products of another shape may round differently
        assert more[name].values[:, 1] == pytest.approx(one[name].values[:, 0], rel=1e-12, nan_ok=True), name
    assert np.array_equal(one.offset, more.offset)


def test_adding_points_is_exact_for_data_too():
    problem = ge.Problem(TARGET, ge.DataInputs(TABLE), ge.Ridge(0.3))
    one, more = ge.simulate(problem, 2.0, trials=3), ge.simulate(problem, [2.0, 20.0], trials=3)
    assert more.test_error.values[0] == pytest.approx(one.test_error.values[0], rel=1e-12)
    assert np.array_equal(more.offset, one.offset)


def test_the_same_seed_repeats_and_another_differs():
    problem = PROBLEMS["regression"]
    one, two, other = (ge.simulate(problem, 2.0, **OPTIONS | {"seed": s}) for s in (2, 2, 3))
    assert_same(one, two)
    assert not np.any(one.test_error.values == other.test_error.values)


def test_learners_are_paired():
    both = ge.simulate(PROBLEMS["regression"], [1.0, 3.0], **OPTIONS)
    for k, learner in enumerate(LEARNERS):
        alone = ge.simulate(ge.Problem(TARGET, learner=learner), [1.0, 3.0], **OPTIONS)
        for name in ("test_error", "train_error", "m", "q"):
            assert both[name].values[k] == pytest.approx(alone[name].values, rel=1e-12), name
    assert np.array_equal(ge.simulate(PROBLEMS["regression"], [1.0, 3.0], **OPTIONS).offset, alone.offset)


@dataclass(frozen=True)
class Impatient(ge.Ridge):
    """A learner during whose third fit the user presses Ctrl-C."""

    def fit(self, sample, equivalent, key=None):
        COUNT.append(1)
        if len(COUNT) == self.stop:
            raise KeyboardInterrupt
        return super().fit(sample, equivalent, key)

    stop: int = 3


COUNT: list[int] = []


def test_an_interruption_keeps_the_finished_trials():
    COUNT.clear()
    with pytest.raises(ge.Interrupted) as stopped:
        ge.simulate(ge.Problem(TARGET, learner=Impatient(0.3)), 2.0, **OPTIONS)
    partial = stopped.value.partial
    assert partial.sizes["trial"] == 2
    whole = ge.simulate(ge.Problem(TARGET, learner=ge.Ridge(0.3)), 2.0, **OPTIONS)
    assert_same(partial, whole.isel(trial=slice(2)))
    assert '"trials": 2' in partial.attrs["call"]


def test_an_interruption_before_the_first_trial_keeps_nothing():
    COUNT.clear()
    with pytest.raises(KeyboardInterrupt) as stopped:
        ge.simulate(ge.Problem(TARGET, learner=Impatient(0.3, stop=1)), 2.0, **OPTIONS)
    assert stopped.value.partial is None


@pytest.mark.parametrize("offset", [0.0, 0.6])
@pytest.mark.parametrize("inputs", [ge.GaussianInputs(), ge.DataInputs(np.random.default_rng(1).standard_normal((4000, 30)))])
def test_a_given_offset_is_honoured(offset, inputs):
    target = ge.DeepNetwork("relu", task="classification", noise=0.1, offset=offset)
    run = ge.simulate(ge.Problem(target, inputs, ge.Ridge(1.0)), 2.0, d=30, trials=5, test_samples=1500)
    # the mean of 1500 test fields of standard deviation below 0.8, and for Gaussian inputs the estimate of their centre
    assert run.offset.values == pytest.approx(np.full(5, offset), abs=5 * 0.8 * np.sqrt(1 / 1500 + 1 / 8192))


def test_offsets_that_are_not_given_follow_their_law():
    target = ge.DeepNetwork("tanh", readout_bias_variance=4.0)
    run = ge.simulate(ge.Problem(target, learner=ge.Ridge(1.0)), 2.0, d=10, trials=200, test_samples=50)
    assert np.mean(run.offset.values**2) == pytest.approx(4.0, rel=5 * np.sqrt(2 / 200))


def test_means_and_standard_errors_are_over_trials():
    run = ge.simulate(PROBLEMS["regression"], [1.0, 3.0], **OPTIONS)
    for name in ("test_error", "clean_error", "train_error", "m", "q"):
        assert run[f"{name}_mean"].values == pytest.approx(run[name].values.mean(axis=-1))
        assert run[f"{name}_stderr"].values == pytest.approx(run[name].values.std(axis=-1, ddof=1) / 2)
    single = ge.simulate(PROBLEMS["regression"], 1.0, **OPTIONS | {"trials": 1})
    assert np.all(np.isnan(single.test_error_stderr))


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_the_simulation_agrees_with_theory(problem):
    d = 120
    run = ge.simulate(problem, [0.7, 3.0], d=d, trials=24, seed=1, normalise_teacher=True)
    theory = ge.solve(problem, n=run.n.values, d=d)
    for name in ("test_error", "clean_error"):
        gap = np.abs(run[f"{name}_mean"] - theory[name]).values
        bound = 4 * run[f"{name}_stderr"].values + 5 / d * theory[name].values  # a finite-size constant of 5
        assert np.all(gap < bound), name
    run, theory = run.sel(learner="ridge(lam=0.3)"), theory.sel(learner="ridge(lam=0.3)")
    gap, scale = np.abs(run.train_error_mean - theory.train_error).values, theory.train_error.values + 0.05
    assert np.all(gap < 4 * run.train_error_stderr.values + 5 / d * scale)  # training errors come close to 0


def test_data_are_simulated_without_replacement_and_match_theory():
    problem = ge.Problem(TARGET, ge.DataInputs(np.random.default_rng(4).standard_normal((1600, 60)), name="mine"), ge.Ridge(0.5))
    run = ge.simulate(problem, [1.0, 8.0], trials=24, normalise_teacher=True)
    assert run.attrs["test_samples"] == 400
    assert run.attrs["d"] == 60
    theory = ge.solve(problem, n=run.n.values)
    bound = 4 * run.test_error_stderr + 5 / 60 * theory.test_error
    assert np.all(np.abs(run.test_error_mean - theory.test_error).values < bound.values)
    with pytest.raises(ge.ArgumentError, match="without replacement"):
        ge.simulate(problem, 25.0, trials=2)


def test_the_default_number_of_test_rows():
    problem = ge.Problem(TARGET, learner=ge.Ridge(1.0))
    assert ge.simulate(problem, 0.5, d=10, trials=1).attrs["test_samples"] == 4096
    assert ge.simulate(problem, 0.002, d=2100, trials=1).attrs["test_samples"] == 4200


def test_sample_sizes_are_rounded_and_reported():
    run = ge.simulate(PROBLEMS["regression"], [0.01, 0.95], **OPTIONS)
    assert run.n.values.tolist() == [2, 14]
    assert run.alpha.values == pytest.approx([2 / 15, 14 / 15])


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"d": None}, "d"),
        ({"d": 0}, "d"),
        ({"alpha": -1.0}, "alpha"),
        ({"alpha": [1.0, 1.001]}, "alpha"),
        ({"trials": 0}, "trials"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"test_samples": 1}, "test_samples"),
    ],
)
def test_wrong_arguments_are_named(options, name):
    with pytest.raises(ge.ArgumentError, match=f"Argument `{name}`"):
        ge.simulate(PROBLEMS["regression"], **{"alpha": 1.0} | OPTIONS | options)
