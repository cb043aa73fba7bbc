"""Finite-size constants: the fit recovers what was put in, the committed ones stay in their range."""

from dataclasses import dataclass

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.curve import Curve
from gaussequiv.problems.base import Axis, Solvable
from gaussequiv.problems.supervised import allowance

TARGET = ge.DeepNetwork("tanh", noise=0.1)


BIAS, SPREAD = 3.0, 0.01


@dataclass(frozen=True)
class Biased(Solvable):
    """Trials about theory (1 + bias time/N), with a spread that falls like 1/sqrt(N)."""

    sign: float = 1.0
    axis = Axis("time", "time", size="N", size_label="dimension of the inputs")

    def theory(self, points, size=None, *, scale=1.0):
        return Curve({"test_error": scale * np.asarray(points)}, judged="test_error")

    def trial(self, points, size, key, *, scale=1.0):
        time, noise = np.asarray(points), np.random.default_rng(key).standard_normal()
        return Curve(
            {"test_error": scale * time * (1 + self.sign * BIAS * time / size + SPREAD * noise / np.sqrt(size))}, judged="test_error"
        )

    def to_dict(self):
        return {"kind": "biased", "sign": self.sign}


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_known_bias_is_recovered(sign):
    """Of a problem of any kind, by the name of its axis."""
    fit = ge.fit_finite_size(Biased(sign), time=[0.5, 2.0], sizes=(50, 100, 200), trials=400, scale=3.0)
    assert np.all(np.abs(fit.c - sign * BIAS * np.array([0.5, 2.0])) < 4 * fit.c_stderr)
    assert np.all(np.abs(fit.deviation - fit.c / np.array([[50], [100], [200]])) < 4 * fit.deviation_stderr)
    # 400, 200 and 100 trials of spread SPREAD/sqrt(N): errors SPREAD/sqrt(2e4) at every size, information sum(1/N^2)/errors^2
    error = SPREAD / np.sqrt(2e4)
    assert fit.c_stderr == pytest.approx(np.full(2, error / np.sqrt(sum(1 / N**2 for N in (50, 100, 200)))), rel=0.2)


def test_a_time_of_training_is_fitted_as_well():
    problem = ge.OnlineSGD(ge.TwoLayer("erf", 2), ge.TwoLayer("erf", 1), noise=0.1)
    fit = ge.fit_finite_size(problem, time=[0.5, 2.0], sizes=(20, 40, 60), trials=16, test_samples=500)
    assert fit.c.shape == (2,) and np.all(np.isfinite(fit.c)) and np.all(fit.c_stderr > 0)


def test_sizes_are_given_once():
    with pytest.raises(ge.ArgumentError, match="`size`"):
        ge.fit_finite_size(ge.Problem(TARGET), [1.0], d=100)
    with pytest.raises(ge.ArgumentError, match="`seeds`"):
        ge.fit_finite_size(ge.Problem(TARGET), [1.0], seeds=1)


def test_a_real_fit_has_the_shape_of_the_problem():
    fit = ge.fit_finite_size(ge.Problem(TARGET, learner=[ge.BayesOptimal(), ge.Ridge(1.0)]), [1.0, 3.0], sizes=(8, 12, 16), trials=4)
    assert fit.c.shape == fit.c_stderr.shape == (2, 2)
    assert fit.deviation.shape == fit.deviation_stderr.shape == (3, 2, 2)
    assert fit.sizes == (8, 12, 16)


@pytest.mark.parametrize("sizes", [(50, 100), (50, 50, 100), (1, 10, 20)])
def test_three_different_sizes_are_needed(sizes):
    with pytest.raises(ge.ArgumentError, match="`sizes`"):
        ge.fit_finite_size(ge.Problem(TARGET), [1.0], sizes=sizes, trials=2)


def test_families_tell_tasks_learners_and_offsets_apart():
    def family(learner=None, inputs="identity", **options):
        one = learner or ge.BayesOptimal()
        return allowance.family(ge.Problem(ge.DeepNetwork(**options), ge.GaussianInputs(inputs), one), one)

    found = [
        family(),
        family(ge.Ridge(1.0)),
        family(task="classification"),
        family(activations="relu"),
        family(readout_bias_variance=0.1),
        family(bias_variance=0.1),
    ]
    assert len(set(found)) == 4
    assert found[3] == found[4] == found[5]
    assert None not in found


def test_real_data_and_shifted_inputs_have_no_family():
    table = np.random.default_rng(0).standard_normal((30, 4))
    for inputs in (ge.DataInputs(table), ge.GaussianInputs(mean=1.0)):
        assert allowance.family(ge.Problem(TARGET, inputs), ge.BayesOptimal()) is None


def test_the_committed_table_is_well_formed():
    for name, entry in allowance.COMMITTED.table["families"].items():
        assert np.isfinite(entry["c"]), name
        assert entry["c"] > 0, name


def test_outside_every_family_there_is_no_allowance():
    problem = ge.Problem(TARGET, ge.GaussianInputs(mean=1.0))
    found = ge.compare(problem, 2.0, d=10, trials=2, test_samples=50)
    assert np.all(np.isnan(found.allowance))
    assert found.attrs["verdict"] == "inconclusive"
