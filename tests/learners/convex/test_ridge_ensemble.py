"""Ensembles of resampled ridge learners: a learner with 2 x 2 order parameters, added without touching a verb."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.learners.convex.ridge_ensemble import RidgeEnsemble

LINEAR = ge.DeepNetwork((), noise=1.0)


def test_the_bootstrap_has_the_published_order_parameters():
    """alpha = 1, lam = .1, unit noise: (1.35642, .799808) to 1e-4 in the code of Clarte et al. 2024, (1.356278, .799801) independently."""
    curve = ge.solve(ge.Problem(LINEAR, learner=RidgeEnsemble(0.1)), alpha=[1.0])
    assert curve.Q.dims == ("alpha", "member", "other")
    assert curve.Q.values[0] == pytest.approx(np.array([[1.356278, 0.799801], [0.799801, 1.356278]]), abs=1e-6)


def test_reference_values_at_another_point():
    """alpha = 2, lam = .5, unit noise: (m, q, q12, V) of the bootstrap and of subsamples of 80%, by an independent solver."""
    for resampling, expected in {
        "bootstrap": (0.638609, 0.982383, 0.697414, 0.722783),
        "subsample:0.8": (0.654176, 0.836739, 0.732724, 0.691647),
    }.items():
        curve = ge.solve(ge.Problem(LINEAR, learner=RidgeEnsemble(0.5, 1, resampling)), alpha=[2.0])
        found = [float(curve.m[0]), float(curve.Q[0, 0, 0]), float(curve.Q[0, 0, 1]), float(curve.V[0])]
        assert found == pytest.approx(expected, abs=2e-6)


def test_all_rows_once_is_ridge():
    alpha = np.array([0.5, 1.0, 3.0])
    for target in (LINEAR, ge.DeepNetwork("tanh", noise=0.3)):
        problem = ge.Problem(target, ge.GaussianInputs("two-level:4:0.2:0.2"), [RidgeEnsemble(0.3, 3, "subsample:1"), ge.Ridge(0.3)])
        curve = ge.solve(problem, alpha)
        for name in ("test_error", "m", "q", "excess_over_floor"):
            assert curve[name].values[0] == pytest.approx(curve[name].values[1], rel=1e-9), name


@pytest.mark.parametrize("lam", [1e-6, 0.03, 30.0])
def test_every_point_has_the_physical_solution(lam):
    """The equations have one with V < 0 too; curves far apart in alpha are solved together."""
    alpha = np.array([0.02, 0.7, 1.0, 2.0, 60.0])
    curve = ge.solve(ge.Problem(LINEAR, learner=[RidgeEnsemble(lam, 1, "subsample:1"), ge.Ridge(lam), RidgeEnsemble(lam)]), alpha)
    assert curve.converged.all() and float(curve.V.min()) > 0
    assert curve.V.values[0] == pytest.approx(curve.V.values[1], rel=1e-9)
    assert curve.q.values[0] == pytest.approx(curve.q.values[1], rel=1e-6)


def test_more_members_vary_less_and_the_limit_keeps_what_they_share():
    curve = ge.solve(ge.Problem(LINEAR, learner=[RidgeEnsemble(0.1, k) for k in (1, 2, 10, 10**6)]), alpha=[1.0])
    q, shared = curve.q.values[:, 0], float(curve.Q.values[0, 0, 0, 1])
    assert np.all(np.diff(q) < 0)
    assert q[-1] == pytest.approx(shared, rel=1e-5)


@pytest.mark.parametrize("resampling", ["bootstrap", "subsample:0.6"])
def test_true_networks_agree(resampling):
    """Fits mean/theory - 1 = c/d (d = 50, 100, 200; 128, 64, 32 teachers; seed 7): |c| + 2 standard errors up to 1.4."""
    problem = ge.Problem(ge.DeepNetwork("tanh", noise=0.5), learner=RidgeEnsemble(0.2, 5, resampling))
    run = ge.compare(problem, [0.7, 2.0], d=150, trials=24, seed=2, normalise_teacher=True, allowance=1.4)
    assert run.attrs["verdict"] == "agree", run.attrs["reason"]
    assert "Q" in run.attrs["theory_only"]
    assert run.q.values[1] == pytest.approx(run.q.values[0], rel=0.1)


def test_results_are_saved_and_rerun(tmp_path):
    run = ge.simulate(ge.Problem(LINEAR, learner=RidgeEnsemble(0.5, 3)), [1.0], d=12, trials=2, test_samples=50)
    loaded = ge.load(ge.save(run, tmp_path / "bag.nc"))
    again = ge.rerun(loaded, parts={"ridge_ensemble": RidgeEnsemble})
    assert again.test_error.values.tolist() == run.test_error.values.tolist()
    curve = ge.solve(ge.Problem(LINEAR, learner=RidgeEnsemble(0.5, 3)), [1.0])
    assert ge.load(ge.save(curve, tmp_path / "bag.json")).Q.values.tolist() == curve.Q.values.tolist()


def test_what_the_equations_do_not_cover_is_refused():
    with pytest.raises(ge.ArgumentError, match="`resampling`"):
        RidgeEnsemble(resampling="jackknife")
    with pytest.raises(ge.ArgumentError, match="`labels`"):
        ge.solve(ge.Problem(ge.DeepNetwork((), task="classification"), learner=RidgeEnsemble()), [1.0])
    with pytest.raises(ge.ArgumentError, match="`target`"):
        ge.solve(ge.Problem(ge.DeepNetwork("relu"), learner=RidgeEnsemble()), [1.0])
