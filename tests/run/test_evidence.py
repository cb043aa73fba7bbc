"""`network_information`: exact targets, control variates, nested trials, checkpoints."""

import json

import numpy as np
import pytest
from scipy import special

import gaussequiv as ge
from gaussequiv.algorithms.networks.gaussian_evidence import kernel_model
from gaussequiv.errors import ArgumentError
from gaussequiv.run import evidence
from gaussequiv.run import evidence_trials as trials
from gaussequiv.run.evidence import network_information
from gaussequiv.store import checkpoint

STEEP = ge.Problem(ge.DeepNetwork("erf", weight_variance=6, noise=0.2, width_ratios=1.0))  # erf: its kernel has a closed form
SMALL = ge.Problem(ge.DeepNetwork("erf", noise=0.2, width_ratios=1.0))


@pytest.fixture(scope="module")
def found():
    return network_information(STEEP, 1.0, d=6, trials=160, control_trials=160, seed=1)


@pytest.fixture(scope="module")
def linear():
    return network_information(ge.Problem(ge.DeepNetwork((), noise=0.2)), 1.5, d=6, trials=48, control_trials=100, temperatures=50)


def z(result, name, exact=0.0):
    return float((result[name][0] - exact) / result[f"{name}_stderr"][0])


def test_a_linear_network_does_not_deviate(linear):
    for name in ("information_deviation", "test_error_deviation"):
        assert abs(z(linear, name)) < 4
        assert float(linear[f"{name}_stderr"][0]) < 0.02
    assert np.allclose(linear.log_evidence_kernel, linear.log_evidence_linear, rtol=1e-12)
    assert np.all(np.abs(linear.log_evidence - linear.log_evidence_linear) < 2.5)


def test_bounds_and_the_two_directions(found, linear):
    for result in (found, linear):
        assert float(result.information_lower[0]) < float(result.information[0]) < float(result.information_upper[0])
        assert float((result.log_evidence_lower < result.log_evidence_upper).mean()) > 0.5
        gap = result.gap.values[0]
        assert 0 < gap.mean() < 1.5
        assert abs(float((result.thermodynamic - result.log_evidence).mean())) < 0.1
        assert bool(result.converged[0])


def test_the_evidence_ratios_average_to_one(found):
    for name in ("ratio_kernel", "ratio_linear"):
        values = found[name].values[0]
        assert abs(values.mean() - 1) < 4 * values.std(ddof=1) / np.sqrt(values.size), name


def test_control_variates_leave_the_mean_and_shrink_its_error(found):
    plain, error = float(found.information_plain[0]), float(found.information_plain_stderr[0])
    assert abs(plain - float(found.information[0])) < 4 * error
    assert float(found.information_gain[0]) > 5
    assert float(found.information_stderr[0]) < error / 2


def test_a_narrow_network_tells_less_than_its_equivalent_and_is_learned_better(found):
    """At d = 6 both deviations are far from zero."""
    assert z(found, "information_deviation") < -4 and z(found, "test_error_deviation") < -10
    assert float(found.test_error[0]) > 0.2


def test_a_wide_network_has_the_information_of_its_kernel():
    """Infinite width is exact there; only its own deviation from linearity is left, known without annealing."""
    problem = ge.Problem(ge.DeepNetwork("erf", noise=0.2, widths=100))
    plan = evidence.plan_of(problem, 1.0, 5, 0, 4, 4, 16, 0.2, None)
    controls = trials.control_records(plan, 5, 200, trials.Store(None, {}))
    exact = evidence.adjusted_mean(-(controls[:, 0] - controls[:, 2]) / 5, controls[:, 4:])
    wide = network_information(problem, 1.0, d=5, trials=16, control_trials=200, posterior_steps=4, test_samples=16)
    difference = float(wide.information_deviation[0]) - exact.mean
    annealing = np.std(wide.log_evidence - wide.log_evidence_kernel) / np.sqrt(16) / 5
    assert abs(difference) < 4 * float(annealing) + 5 / 100 / 5


def test_explained_is_the_squared_distance_from_infinite_width():
    """Against posterior means by brute force over the prior, for two samples."""
    problem = ge.Problem(ge.DeepNetwork("erf", weight_variance=4, noise=0.1, widths=2))
    plan = evidence.plan_of(problem, 1.0, 2, 3, 16, 24, 8, 0.2, 20)
    schedule = trials.schedule_of(plan, 2)
    rng = np.random.default_rng(0)
    hidden, readout = rng.standard_normal((20_000, 2, 2)), rng.standard_normal((20_000, 2))
    differences, exact = [], []
    for trial in range(32):
        data = trials.EvidenceData(plan, trial, 2, 8)
        s = np.einsum("tik,tk->ti", special.erf(data.all @ hidden * np.sqrt(2)), readout) / np.sqrt(2)
        weight = np.exp(-((data.y - s[:, :2]) ** 2).sum(axis=1) / 0.2)
        mean = weight @ s[:, 2:] / weight.sum()
        exact.append(float(((mean - data.models(plan)[0].prediction(data.y)) ** 2).mean()))
        differences.append(trials.trial_records(plan, schedule, [trial], 2, 1)[0]["explained"] - exact[-1])
    assert abs(np.mean(differences)) < 4 * np.std(differences, ddof=1) / np.sqrt(32) + 0.03 * np.mean(exact)
    assert np.std(differences, ddof=1) / np.sqrt(32) < 0.5 * np.mean(exact)


def test_more_trials_change_no_earlier_one_and_a_checkpoint_is_continued(tmp_path):
    options = {"d": 4, "control_trials": 20, "temperatures": 12, "checkpoint": tmp_path / "kept" / "trials.npz"}
    short = network_information(SMALL, 1.0, trials=3, **options)
    long = network_information(SMALL, 1.0, trials=5, **options)
    fresh = network_information(SMALL, 1.0, trials=5, **(options | {"checkpoint": None}))
    for name in trials.MEASURED:
        assert np.array_equal(short[name].values, fresh[name].values[:, :3]), name
        assert np.array_equal(long[name].values, fresh[name].values), name
    assert float(long.information[0]) == float(fresh.information[0])
    assert set(checkpoint.read(options["checkpoint"])[1]) == {"4", "controls 4"}
    again = network_information(SMALL, 1.0, trials=5, seconds=1e-9, **options)
    assert float(again.trials[0]) == 5
    with pytest.raises(ArgumentError, match="checkpoint"):
        network_information(SMALL, 1.0, trials=5, seed=1, **options)


def test_trials_run_together_are_those_run_one_by_one(tmp_path):
    options = {"d": 4, "control_trials": 20, "temperatures": 12, "checkpoint": tmp_path / "trials.npz"}
    alone = network_information(SMALL, 1.0, trials=5, **(options | {"checkpoint": None}))
    network_information(SMALL, 1.0, trials=2, **options)
    together = network_information(SMALL, 1.0, trials=5, together=2, **options)
    for name in trials.MEASURED:
        np.testing.assert_allclose(together[name].values, alone[name].values, rtol=1e-8, atol=1e-10)


def test_a_checkpoint_may_come_from_another_machine_but_not_from_another_release(tmp_path):
    options = {"d": 4, "trials": 2, "control_trials": 20, "temperatures": 12, "checkpoint": tmp_path / "trials.npz"}
    network_information(SMALL, 1.0, **options)
    header, arrays = checkpoint.read(options["checkpoint"])
    (here,) = header["made_with"]
    assert "jaxlib" in here
    checkpoint.write(options["checkpoint"], header | {"made_with": ["an accelerator"]}, arrays)
    found = network_information(SMALL, 1.0, **(options | {"trials": 3}))
    assert found.attrs["made_with"] == f"an accelerator; {here}"
    checkpoint.write(options["checkpoint"], header | {"gaussequiv": "0.0.0"}, arrays)
    with pytest.raises(ArgumentError, match="another gaussequiv"):
        network_information(SMALL, 1.0, **options)


def test_time_ends_a_run_and_points_may_have_different_numbers():
    result = network_information(SMALL, [0.5, 1.0], d=4, trials=50, control_trials=20, temperatures=12, seconds=1e-9)
    assert result.sizes == {"alpha": 2, "trial": 2}
    assert result.trials.values.tolist() == [2, 2] and result.n.values.tolist() == [2, 4]


def test_the_result_says_what_was_run(found):
    call = json.loads(found.attrs["call"])
    assert call["verb"] == "network_information" and call["trials"] == 160 and call["chains"] == 4
    assert found.information.attrs["units"] == "nats" and "equivalent" in found.information_deviation.attrs["long_name"]
    limit = ge.information(STEEP, 1.0)["mutual_information_per_sample"]
    assert float(found.information_limit[0]) == pytest.approx(float(limit[0]), rel=1e-12)


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (ge.Problem(ge.DeepNetwork("tanh")), "noise"),
        (ge.Problem(ge.DeepNetwork("tanh", task="classification", noise=0.1)), "real labels"),
        (ge.Problem(ge.DeepNetwork("relu", noise=0.1, offset=0.2)), "offset"),
        (ge.Problem(ge.LinearTarget("rademacher", noise=0.1)), "DeepNetwork"),
        (STEEP, "trials"),
    ],
)
def test_what_has_no_exact_evidence_is_refused(problem, words):
    with pytest.raises(ArgumentError, match=words):
        network_information(problem, 1.0, d=4, trials=1 if words == "trials" else 4)


def test_infinite_width_numbers():
    """Exact GP at alpha = 1, noise 0.1, erf: I/n minus the limit is -3.5e-3 at d = 50 for L = 1 and -2.3e-3 for L = 2 (independent run)."""
    for depth, value, error in ((1, -3.5e-3, 8e-4), (2, -2.3e-3, 8e-4)):
        problem = ge.Problem(ge.DeepNetwork("erf", depth=depth, noise=0.1, widths=50))
        plan = evidence.plan_of(problem, 1.0, 50, 0, 4, 4, 4, 0.2, None)
        controls = []
        for trial in range(200):
            data = trials.EvidenceData(plan, trial, 50, 0)
            kernel = kernel_model(problem.target, data.x, 50)
            controls.append(-0.5 * np.log(2 * np.pi * np.e * 0.1) - kernel.expected(kernel.joint).log_evidence / 50)
        limit = float(ge.information(problem, 1.0)["mutual_information_per_sample"][0])
        stderr = np.std(controls, ddof=1) / np.sqrt(200)
        assert abs(np.mean(controls) - limit - value) < 4 * np.hypot(stderr, error)


def test_an_interruption_keeps_finished_points(tmp_path, monkeypatch):
    path, calls, record = tmp_path / "kept.npz", [], trials.trial_records

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return record(*arguments)

    monkeypatch.setattr(trials, "trial_records", interrupted)
    options = {"d": 4, "trials": 3, "control_trials": 20, "temperatures": 12, "checkpoint": path}
    with pytest.raises(ge.Interrupted) as stopped:
        network_information(SMALL, [0.5, 1.0], **options)
    assert stopped.value.partial.n.values.tolist() == [2]
    network_information(SMALL, [0.5, 1.0], **options)
    assert len(calls) == 7  # the fourth trial was kept, the fifth is repeated
