"""Finite-size constants: the fit recovers what was put in, the committed ones stay in their range."""

import numpy as np
import pytest
import xarray as xr

import gaussequiv as ge
from gaussequiv.problems.supervised import allowance
from gaussequiv.run import finite_size

TARGET = ge.DeepNetwork("tanh", noise=0.1)


def test_a_known_bias_is_recovered(monkeypatch):
    constants = np.array([3.0, -1.5])

    def biased(problem, alpha, *, d, **_):
        n = np.rint(np.asarray(alpha) * d)
        theory = ge.solve(problem, n=n, d=d)["test_error"].values
        data = {"test_error_mean": ("alpha", theory * (1 + constants / d)), "test_error_stderr": ("alpha", 0.01 * theory / np.sqrt(d))}
        return xr.Dataset(data, coords={"alpha": n / d, "n": ("alpha", n)})

    monkeypatch.setattr(finite_size, "simulate", biased)
    fit = ge.fit_finite_size(ge.Problem(TARGET), [0.5, 2.0], sizes=(50, 100, 200))
    assert fit.c == pytest.approx(constants, rel=1e-12)
    assert fit.deviation == pytest.approx(constants / np.array([[50], [100], [200]]), rel=1e-10)
    # stderr at size d is 0.01/sqrt(d) and the slope's information the sum of (1/d)^2/stderr^2 = 1e4 sum 1/d
    assert fit.c_stderr == pytest.approx(np.full(2, 0.01 / np.sqrt(1 / 50 + 1 / 100 + 1 / 200)), rel=1e-10)


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
    for name, entry in allowance.committed()["families"].items():
        assert np.isfinite(entry["c"]), name
        assert entry["c"] > 0, name


def test_outside_every_family_there_is_no_allowance():
    problem = ge.Problem(TARGET, ge.GaussianInputs(mean=1.0))
    found = ge.compare(problem, 2.0, d=10, trials=2, test_samples=50)
    assert np.all(np.isnan(found.allowance))
    assert found.attrs["verdict"] == "inconclusive"
