"""Modes of the inputs: what each adds to Q and R, in theory and simulation, and bins of them with their error."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.errors import ArgumentError
from gaussequiv.problems.online_sgd.instance import instance_of
from gaussequiv.problems.online_sgd.modes import bins_of, gathered

GAIN = 2**-0.5
TIMES = [0.0, 0.1, 1.0, 5.0, 30.0]
NETWORK = ge.TwoLayer("erf", 2, gain=GAIN)
GENERATORS = {
    "sign": ge.RandomGenerator("sign", latent_ratio=0.4),
    "deep": ge.RandomGenerator(("sign",) * 4, latent_ratio=0.1),
    "relu": ge.RandomGenerator("relu", latent_ratio=0.5),
    "tanh": ge.RandomGenerator("tanh", latent_ratio=1.5),
}


def task(generator="sign", **changes):
    return ge.OnlineSGD(NETWORK, NETWORK, GENERATORS[generator], **({"rate": 0.5, "dimension": 150} | changes))


def test_modes_sum_to_the_overlaps_in_theory_and_simulation():
    both = ge.compare(task(dimension=60, data=("generator", "twin")), [0.0, 1.0], trials=3, test_samples=50, by_mode=True)
    assert both.Q_by_mode.dims == ("source", "data", "time", "mode", "unit", "other_unit")
    assert both.R_by_mode.dims == ("source", "data", "time", "mode", "unit", "teacher_unit")
    assert np.all(np.diff(both.mode.values) > 0) and both.sizes["mode"] == instance_of(task(dimension=60), 60).modes.rho.size
    for name in ("Q", "R"):
        np.testing.assert_allclose(both[f"{name}_by_mode"].sum("mode"), both[name], rtol=1e-9, atol=1e-10)
    start = both.isel(time=0)  # one and the same instance
    for name in ("Q_by_mode", "R_by_mode"):
        np.testing.assert_allclose(start[name].sel(source="simulation"), start[name].sel(source="theory"), rtol=1e-7, atol=1e-10)


def test_modes_of_a_linear_student_relax_each_at_its_own_rate():
    """dr/dt = -eta v (rho v r - A t/sqrt(delta)): exponentials of eta v^2 rho, in closed form; in simulation, within its errors."""
    line = ge.TwoLayer("linear", 1, readout="ones")
    problem = ge.OnlineSGD(line, line, GENERATORS["tanh"], rate=0.3, readout_rate=0.0, dimension=80)
    instance = instance_of(problem, 80)
    rho, t = instance.modes.rho[:, None], np.array([0.0, 0.5, 2.0, 8.0])
    decay = np.exp(-0.3 * rho * t)
    exact = instance.modes.r[:, 0] * decay + instance.modes.t[:, 0] / np.sqrt(instance.delta) * -np.expm1(-0.3 * rho * t) / rho
    exact = (instance.modes.share[:, None] * exact / np.sqrt(instance.delta)).T
    theory = ge.solve(problem, t, by_mode=True, tolerance=1e-9)
    np.testing.assert_allclose(theory.R_by_mode[:, :, 0, 0], exact, rtol=1e-6, atol=1e-9)
    trials = ge.simulate(problem, t, trials=16, test_samples=50, seed=2, by_mode=True)
    mean, stderr = (trials[f"R_by_mode_{kind}"].values[..., 0, 0] for kind in ("mean", "stderr"))
    halves = mean.shape[1] // 2  # sums over half the modes, so that chance has few places
    for part in (slice(None, halves), slice(halves, None)):
        error = np.sqrt((stderr[:, part] ** 2).sum(axis=1))
        assert np.all(np.abs((mean - exact)[:, part].sum(axis=1)) <= 5 * error + 2 / 80 * np.abs(exact.sum(axis=1)).max())


def test_iid_inputs_have_one_mode():
    curve = ge.solve(ge.OnlineSGD(NETWORK, NETWORK, dimension=60), [0.0, 2.0], by_mode=True)
    assert curve.mode.values.tolist() == [1.0]
    np.testing.assert_allclose(curve.Q_by_mode[:, 0], curve.Q, rtol=1e-12)


def test_bins_keep_shares_overlaps_and_heavy_eigenvalues():
    for name in GENERATORS:
        instance = instance_of(task(name), 150)
        own = instance.modes
        box = bins_of(own.rho, own.share, 32)
        bins = gathered(own, box)
        assert bins.rho.size <= 32 and np.all(np.diff(box) >= 0) and np.all(np.diff(bins.rho) > 0)
        Q, R = instance.overlaps(instance.w)
        np.testing.assert_allclose(np.einsum("g,gkl->kl", bins.share * bins.rho, bins.q), Q, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(np.einsum("g,gkm->km", bins.share, bins.r) / np.sqrt(instance.delta), R, rtol=1e-9, atol=1e-12)
        assert bins.share.sum() == pytest.approx(1.0)
    heavy_rho, heavy_share = np.append(np.linspace(0.9, 0.999, 60), 1.0), np.append(np.full(60, 0.005), 0.7)
    box = bins_of(heavy_rho, heavy_share, 32)
    assert np.sum(box == box[-1]) == 1


def test_few_eigenvalues_are_not_binned():
    """Equal ones are one exactly, however many they are."""
    exact, binned = (ge.solve(task("sign"), TIMES, **own) for own in ({}, {"modes": 500}))
    assert "binning_error" not in binned and np.array_equal(exact.clean_error.values, binned.clean_error.values)


@pytest.mark.parametrize("instance", [0, 1, 2, 3])
@pytest.mark.parametrize("name", GENERATORS)
def test_the_error_of_bins_is_bounded_by_its_estimate(name, instance):
    problem = task(name, instance=instance)
    exact = ge.solve(problem, TIMES)
    for bins in (32, 64):
        found = ge.solve(problem, TIMES, modes=bins)
        missed = np.abs(found.clean_error - exact.clean_error)
        assert found.attrs["modes"] <= bins < exact.attrs["modes"]
        assert np.all(missed <= found.binning_error + 1e-5)
        assert np.all(found.binning_error < 0.1 * exact.clean_error.max())  # else it would say nothing


def test_bins_are_those_of_what_is_shown_by_mode():
    both = ge.compare(task(dimension=80), [0.0, 1.0], trials=2, test_samples=50, by_mode=True, modes=32)
    assert both.sizes["mode"] <= 32 and both.attrs["theory_only"] == "binning_error"
    for name in ("Q", "R"):
        np.testing.assert_allclose(both[f"{name}_by_mode"].sum("mode"), both[name], rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("options", [{"modes": 8}, {"modes": 40.5}, {"by_mode": "yes"}])
def test_bad_options_are_named(options):
    with pytest.raises(ArgumentError, match=next(iter(options))):
        ge.solve(task(), TIMES, **options)
