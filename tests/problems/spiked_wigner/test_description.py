"""Spiked matrices meet the contract of problems: the verbs know nothing of them."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.ingredients.priors.named import Discrete
from gaussequiv.problems.spiked_wigner import SpikedWigner


def test_gaussian_weights_have_the_closed_form():
    """m = 1 - 1/snr above 1 (the overlap of the leading eigenvector), and I = snr/4 below."""
    snr = np.array([0.5, 0.99, 1.5, 4.0])
    curve = ge.solve(SpikedWigner("gaussian"), snr=snr)
    assert curve.overlap.values == pytest.approx(np.maximum(1 - 1 / snr, 0), abs=1e-10)
    assert curve.matrix_mse.values == pytest.approx(1 - np.maximum(1 - 1 / snr, 0) ** 2, abs=1e-10)
    assert curve.mutual_information.values[:2] == pytest.approx(snr[:2] / 4, abs=1e-12)
    assert curve.attrs["axis"] == "snr"
    assert "lelarge2019" in curve.attrs["citations"]


def test_signs_solve_their_scalar_equation():
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    curve = ge.solve(SpikedWigner("rademacher"), snr=[1.2, 2.0, 4.0])
    for snr, m in zip([1.2, 2.0, 4.0], curve.overlap.values, strict=True):
        a = snr * m
        assert m == pytest.approx(weights @ np.tanh(a + np.sqrt(a) * nodes) / weights.sum(), abs=1e-8)


@pytest.mark.parametrize("prior", ["rademacher", "gauss-bernoulli:0.3", "gaussian"])
def test_information_grows_by_the_error(prior):
    """dI/d(1/Delta) = (rho^2 - m^2)/4: Guo, Shamai, Verdu 2005."""
    problem, step = SpikedWigner(prior), 1e-4
    curve = ge.solve(problem, snr=[2.0 - step, 2.0, 2.0 + step])
    slope = (curve.mutual_information.values[2] - curve.mutual_information.values[0]) / (2 * step)
    assert slope == pytest.approx(curve.matrix_mse.values[1] / (4 * problem.rho**2), rel=1e-6)


def test_sparse_spikes_have_a_hard_phase():
    """Both branches, and the order of the thresholds; between them message passing stays at zero and the equilibrium does not."""
    sparse = SpikedWigner("sparse-rademacher:0.05")
    edges = sparse.transitions()
    assert edges.weak_recovery == 1.0
    assert edges.informed_spinodal < edges.information_theoretic < edges.algorithmic
    at = [0.5 * (edges.information_theoretic + 1.0)]
    uninformed, informed, best = (
        float(ge.solve(SpikedWigner(sparse.prior, branch), snr=at).overlap[0]) for branch in ("uninformed", "informed", "equilibrium")
    )
    assert uninformed == 0.0
    assert informed == best > 0.5 * sparse.rho
    below = ge.solve(SpikedWigner(sparse.prior, "equilibrium"), snr=[0.99 * edges.information_theoretic])
    assert float(below.overlap[0]) == 0.0
    dense = SpikedWigner("rademacher").transitions()
    assert dense.weak_recovery == 1.0
    assert np.isnan(dense.information_theoretic)


@pytest.mark.parametrize("prior", ["rademacher", "gaussian", Discrete((0.0, 1.0), (0.5, 0.5))])
def test_message_passing_finds_the_overlap(prior):
    """Fits mean/theory - 1 = c/d at these points (d = 150, 300, 600; 96, 48, 24 trials; seed 11): |c| + 2 standard errors up to 7.2."""
    run = ge.compare(SpikedWigner(prior), snr=[2.5, 4.0], d=600, trials=48 if prior == "gaussian" else 16, seed=3, allowance=7.2)
    assert run.attrs["verdict"] == "agree", run.attrs["reason"]
    assert run.attrs["theory_only"] == "free_entropy, mutual_information"
    assert set(run.overlap.dims) == {"source", "snr"}
    assert run.q.values[1] == pytest.approx(run.overlap.values[1], abs=0.05)


def test_every_step_follows_state_evolution():
    """Fits mean/theory - 1 = c/d at each step (d = 200, 400, 800; 96, 48, 24 trials; seed 12): |c| + 2 standard errors up to 11.4."""
    run = ge.track(SpikedWigner("rademacher"), 2.5, d=800, trials=16, steps=6, start=0.2, seed=1, allowance=11.4)
    assert run.attrs["verdict"] == "agree", run.attrs["reason"]
    assert run.sizes == {"source": 2, "step": 7}
    assert float(run.snr) == 2.5
    with pytest.raises(ge.ArgumentError, match="`start`"):
        ge.track(SpikedWigner("rademacher"), 2.5, d=50, trials=2)


def test_results_are_saved_loaded_rerun_swept_and_drawn(tmp_path):
    problem = SpikedWigner("rademacher")
    curve = ge.solve(problem, snr=[1.5, 3.0])
    loaded = ge.load(ge.save(curve, tmp_path / "spike.nc"))
    assert ge.rerun(loaded).overlap.values.tolist() == curve.overlap.values.tolist()
    run = ge.simulate(problem, [3.0], d=60, trials=2, seed=4)
    assert ge.rerun(run).overlap.values.tolist() == run.overlap.values.tolist()
    steps = ge.track(problem, 3.0, d=60, trials=2, steps=2, start=0.5)
    assert ge.rerun(steps).overlap.values.tolist() == steps.overlap.values.tolist()
    swept = ge.sweep(problem, [2.0], {"prior": ["rademacher", "gaussian"]})
    assert swept.overlap.dims == ("prior", "snr")
    axes = ge.plot.curve(curve, observable="overlap")
    assert axes.get_xlabel().startswith("signal-to-noise ratio")
    with pytest.raises(ge.ArgumentError, match="Did you mean 'trials'"):
        ge.simulate(problem, [2.0], d=20, trails=3)


def test_what_cannot_be_is_refused_by_name():
    with pytest.raises(ge.ArgumentError, match="`branch`"):
        SpikedWigner(branch="best")
    with pytest.raises(ge.ArgumentError, match="`branch` must be 'uninformed' or 'informed' for trials"):
        ge.simulate(SpikedWigner(branch="equilibrium"), [2.0], d=20)
    with pytest.raises(ge.ArgumentError, match="`snr`"):
        ge.solve(SpikedWigner(), snr=[-1.0])
    with pytest.raises(ge.ArgumentError, match="dimension of the matrix"):
        ge.simulate(SpikedWigner(), [2.0])


@pytest.mark.parametrize("prior", ["gaussian", "rademacher", "gauss-bernoulli:0.2", Discrete((0.0, 1.0), (0.5, 0.5))])
def test_every_signal_to_noise_ratio_has_an_answer(prior):
    """At the threshold, where the branch leaves the grid of precisions, and far beyond it."""
    curve = ge.solve(SpikedWigner(prior), snr=[1e-9, 1 - 1e-9, 1.0, 1 + 1e-9, 1 + 1e-5, 1e6, 1e9, 1e12])
    assert bool(curve.converged.all())
    assert np.all(np.diff(curve.overlap.values) >= -1e-7)
    assert curve.overlap.values[-1] == pytest.approx(SpikedWigner(prior).rho, rel=1e-6)


def test_matrices_that_do_not_fit_are_refused_by_name():
    with pytest.raises(ge.ArgumentError, match="`d`"):
        ge.simulate(SpikedWigner(), [2.0], d=10**7, trials=1)
