"""Annealed importance sampling against exact evidences: linear networks, brute force over the prior, infinite width, symmetry."""

import jax
import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.algorithms.networks.annealing import DataSet, anneal, tune
from gaussequiv.algorithms.networks.annealing_target import annealing_target
from gaussequiv.algorithms.networks.evidence import bracket
from gaussequiv.algorithms.networks.gaussian_evidence import GaussianModel, kernel_model
from gaussequiv.errors import ArgumentError


def draw(network, d, n, trial):
    rng = np.random.default_rng((11, trial))
    sampled, x = network.sample(rng, d), rng.standard_normal((n, d))
    return sampled, x, network.channel.sample(rng, sampled(x))


def one_run(target, x, y, sampled, schedule, key, rows=None, **options):
    rows = np.zeros((1, x.shape[1])) if rows is None else rows
    (run,) = anneal(target, [DataSet(x, y, target.coordinates(sampled, x.shape[1]), key, rows)], schedule, **options)
    return run


def runs(target, d, n, trials, temperatures, **options):
    pilots = [draw(target.network, d, n, 10_000 + i)[1:] for i in range(2)]
    schedule = tune(target, pilots, temperatures=temperatures)
    for trial in range(trials):
        sampled, x, y = draw(target.network, d, n, trial)
        yield x, y, one_run(target, x, y, sampled, schedule, (3, trial), **options)


def z_score(values):
    values = np.asarray(values)
    return values.mean() / (values.std(ddof=1) / np.sqrt(values.size))


def test_a_linear_network_has_the_evidence_of_its_determinant():
    """Bounds on their sides, Bennett's estimate and the thermodynamic integral on the value, and exp(log w) without bias."""
    target = annealing_target(ge.DeepNetwork((), noise=0.3))
    assert not target.integrated
    found = {"lower": [], "upper": [], "combined": [], "area": [], "forward": [], "reverse": [], "accepted": []}
    for x, y, run in runs(target, 5, 8, 32, 40, chains=8):
        exact = GaussianModel(x @ x.T / 5, 8, 0.3).log_evidence(y)
        estimate = bracket(run.forward, run.reverse)
        for name in ("lower", "upper", "combined"):
            found[name].append(float(getattr(estimate, name)) - exact)
        found["area"].append(0.5 * (run.forward_area.mean() + run.reverse_area.mean()) - exact)
        found["forward"].append(np.exp(run.forward - exact).mean() - 1)
        found["reverse"].append(np.exp(exact - run.reverse).mean() - 1)
        found["accepted"].append(run.acceptance)
    assert np.mean(found["lower"]) < 0 < np.mean(found["upper"]) < np.mean(found["lower"]) + 1
    assert 0.6 < np.mean(found["accepted"]) < 0.97
    for name in ("combined", "forward", "reverse"):
        assert abs(z_score(found[name])) < 4, name
    assert abs(np.mean(found["area"])) < 4 * np.std(found["area"], ddof=1) / np.sqrt(32) + 0.05  # the trapezoidal rule has its own error


NETWORKS = {
    "tanh": ge.DeepNetwork("tanh", weight_variance=4, noise=0.2, widths=3),
    "relu with biases": ge.DeepNetwork("relu", depth=2, noise=0.3, widths=(3, 4), bias_variance=(0.5, 0.0), readout_bias_variance=0.2),
}


ROWS = np.array([[1.0, -1.0], [0.5, 2.0]])


def prior_average(network, x, y, rows, draws=200_000):
    """log P(y) and posterior means at rows, over draws of all hidden weights from the prior, the readout integrated out."""
    rng, n = np.random.default_rng(5), len(y)
    h = np.broadcast_to(np.concatenate([x, rows]), (draws, n + len(rows), x.shape[1]))
    for phi, w, b, k in zip(network.layers, network.weight_variance, network.bias_variance, network.widths, strict=True):
        weights = rng.standard_normal((draws, h.shape[2], k)) * np.sqrt(w / h.shape[2])
        h = phi(h @ weights + np.sqrt(b) * rng.standard_normal((draws, 1, k)))
    joint = network.readout_variance * h @ h.swapaxes(1, 2) / h.shape[2] + network.readout_bias_variance
    covariance = joint[:, :n, :n] + network.noise * np.eye(n)
    solved = np.linalg.solve(covariance, np.broadcast_to(y[:, None], (draws, n, 1)))
    log_p = -0.5 * (y @ solved[:, :, 0].T + np.linalg.slogdet(covariance)[1] + n * np.log(2 * np.pi))
    p = np.exp(log_p - log_p.max())
    mean = p @ (joint[:, n:, :n] @ solved)[:, :, 0] / p.sum()
    return float(np.log(p.mean()) + log_p.max()), float(p.std() / p.mean() / np.sqrt(draws)), mean


@pytest.mark.parametrize(
    ("name", "integrate"),
    [
        ("tanh", True),
        ("tanh", False),
        pytest.param("relu with biases", True, marks=pytest.mark.slow),
        pytest.param("relu with biases", False, marks=pytest.mark.slow),
    ],
)
def test_few_samples_against_the_average_over_the_prior(name, integrate):
    network, rows = NETWORKS[name], ROWS
    target = annealing_target(network, None if integrate else False)
    differences, predictions = [], []
    for x, y, run in runs(target, 2, 2, 16, 40, chains=32, rows=rows, posterior_steps=40):
        exact, error, mean = prior_average(network, x, y, rows, 20_000 if name == "tanh" else 60_000)
        estimate = bracket(run.forward, run.reverse)
        assert error < 0.02
        assert abs(estimate.combined - exact) < 4.5 * np.hypot(float(estimate.stderr), error) + 0.01
        differences.append(float(estimate.combined) - exact)
        predictions.append(run.forward_prediction.mean(axis=0) - mean)
    assert abs(z_score(differences)) < 4
    for row in np.array(predictions).T:
        assert abs(row.mean()) < 4 * row.std(ddof=1) / 4 + 0.01


@pytest.mark.slow
def test_a_very_wide_network_has_the_evidence_of_its_kernel():
    network = ge.DeepNetwork("erf", noise=0.2, widths=1000)
    differences = []
    for x, y, run in runs(annealing_target(network), 4, 5, 16, 12, chains=4):
        differences.append(float(bracket(run.forward, run.reverse).combined) - kernel_model(network, x, 5).log_evidence(y))
    assert abs(np.mean(differences)) < 4 * np.std(differences, ddof=1) / 4 + 5 / 1000  # n/width
    assert np.std(differences) < 0.1


def test_one_sign_label_of_an_odd_network_has_probability_one_half():
    network = ge.DeepNetwork("tanh", task="classification", noise=0.3, widths=4)
    target = annealing_target(network)
    assert not target.integrated
    found = [bracket(run.forward, run.reverse) for _, _, run in runs(target, 3, 1, 16, 16, chains=8)]
    assert abs(z_score([float(one.combined) + np.log(2) for one in found])) < 4
    assert np.mean([one.lower for one in found]) < -np.log(2) < np.mean([one.upper for one in found])


def test_a_reverse_chain_starts_from_the_given_network_and_runs_repeat():
    network = NETWORKS["tanh"]
    target = annealing_target(network)
    assert annealing_target(network) is target
    sampled, x, y = draw(network, 2, 2, 0)  # the shapes of the test above: compiled once
    u = target.coordinates(sampled, 2)
    assert set(u) == {"weights"} and np.allclose(u["weights"][0] * np.sqrt(4 / 2), sampled.weights[0])
    schedule, options = tune(target, [(x, y)], 1, temperatures=40), {"chains": 32, "rows": ROWS, "posterior_steps": 40}
    one, two, other = (one_run(target, x, y, sampled, schedule, key, **options) for key in ((0, 1), (0, 1), (0, 2)))
    assert np.array_equal(one.forward, two.forward) and np.array_equal(one.reverse_prediction, two.reverse_prediction)
    assert not np.array_equal(one.forward, other.forward)
    assert one.forward.dtype == np.float64 and not jax.config.jax_enable_x64


def test_data_sets_annealed_together_do_not_see_each_other():
    target = annealing_target(NETWORKS["relu with biases"])
    drawn = [draw(target.network, 2, 3, trial) for trial in range(3)]
    schedule = tune(target, [drawn[0][1:]], temperatures=12)
    sets = [DataSet(x, y, target.coordinates(sampled, 2), (0, i), ROWS) for i, (sampled, x, y) in enumerate(drawn)]
    for one, alone in zip(anneal(target, sets, schedule), (anneal(target, [one], schedule)[0] for one in sets), strict=True):
        for mine, theirs in zip(one, alone, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12)


def test_the_schedule_follows_the_aimed_gap():
    target = annealing_target(NETWORKS["tanh"])
    pilots = [draw(target.network, 2, 2, i)[1:] for i in range(2)]
    coarse, fine = (tune(target, pilots, gap=gap) for gap in (0.002, 0.0005))
    assert coarse.length == fine.length
    assert fine.beta.size - 1 == max(12, int(np.ceil(fine.length**2 / 0.0005))) > 12
    for schedule in (coarse, fine):
        assert np.all(np.diff(schedule.beta) > 0) and schedule.beta[0] == 0 and schedule.beta[-1] == 1
        assert schedule.kicks[0] <= schedule.kicks[-1] and schedule.kicks.min() >= 1


def test_what_cannot_be_annealed_is_said():
    with pytest.raises(ArgumentError, match="integrate_readout"):
        annealing_target(ge.DeepNetwork((), noise=0.1), True)
    with pytest.raises(ArgumentError, match="noise"):
        annealing_target(ge.DeepNetwork("tanh"))
    with pytest.raises(ArgumentError, match="gap"):
        tune(annealing_target(NETWORKS["tanh"]), [], gap=0.0)
