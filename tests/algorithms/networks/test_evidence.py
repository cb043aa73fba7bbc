"""Bounds and Bennett's estimate on Gaussian work, control variates, and the exact Gaussian models."""

import numpy as np
import pytest
from scipy import stats

import gaussequiv as ge
from gaussequiv.algorithms.networks.evidence import adjusted_mean, bracket
from gaussequiv.algorithms.networks.gaussian_evidence import (
    GaussianModel,
    kernel_model,
    layer_controls,
    linear_model,
    row_controls,
    true_covariance,
)
from gaussequiv.errors import ArgumentError


@pytest.mark.parametrize(("spread", "chains", "reverse"), [(0.5, 4, 4), (1.0, 16, 8), (2.0, 64, 128)])
def test_gaussian_work(spread, chains, reverse):
    """log w ~ N(log Z - s^2/2, s^2) forward has log w ~ N(log Z + s^2/2, s^2) reverse."""
    rng, log_z, trials = np.random.default_rng(0), -7.0, 4000
    w = log_z - spread**2 / 2 + spread * rng.standard_normal((trials, chains))
    v = log_z + spread**2 / 2 + spread * rng.standard_normal((trials, reverse))
    found = bracket(w, v)
    assert found.lower.mean() < log_z < found.upper.mean()
    error = (found.combined - log_z).std(ddof=1)
    assert abs(found.combined.mean() - log_z) < 4 * error / np.sqrt(trials) + 0.02 * error  # Bennett's estimate is biased in second order
    assert found.stderr.mean() == pytest.approx(error, rel=0.15 if chains > 4 else 0.3)
    assert error < min((found.lower - log_z).std(), (found.upper - log_z).std())


def test_without_spread_everything_is_exact():
    found = bracket(np.full((2, 3), -1.5), np.full((2, 5), -1.5))
    for part in (found.lower, found.upper, found.combined):
        assert np.allclose(part, -1.5, rtol=0, atol=1e-12)
    assert np.all(found.stderr == 0)


def test_large_log_weights_do_not_overflow():
    found = bracket(np.array([-5000.0, -5010.0]), np.array([-4990.0, -4999.0]))
    assert -5010 < found.combined < -4990 and np.isfinite(found.lower) and np.isfinite(found.upper)


def test_shapes_must_agree():
    with pytest.raises(ArgumentError, match="reverse"):
        bracket(np.zeros((2, 3)), np.zeros((3, 3)))


def test_control_variates_keep_the_mean_and_its_error():
    rng, plain, found = np.random.default_rng(1), [], []
    for _ in range(2000):
        z = rng.standard_normal((40, 2))
        r = 3.0 + z @ [2.0, -1.0] + 0.5 * rng.standard_normal(40)
        plain.append(adjusted_mean(r))
        found.append(adjusted_mean(r, z))
    means = np.array([one.mean for one in found])
    assert abs(means.mean() - 3) < 4 * means.std() / np.sqrt(2000)
    assert np.mean([one.stderr for one in found]) == pytest.approx(means.std(), rel=0.08)
    assert np.mean([one.gain for one in found]) == pytest.approx((5.25 / 0.25) * 37 / 39, rel=0.1)
    assert all(one.gain == 1 for one in plain)


def test_every_trial_is_adjusted_with_the_coefficients_of_the_others():
    rng = np.random.default_rng(6)
    z = rng.standard_normal((30, 2)) * [1.0, 3.0]
    r = 1.0 + z @ [0.5, -0.2] + rng.standard_normal(30)
    adjusted = np.empty(30)
    for i in range(30):
        rest = np.arange(30) != i
        fit = np.linalg.lstsq(np.column_stack([np.ones(29), z[rest]]), r[rest], rcond=None)[0]
        adjusted[i] = r[i] - z[i] @ fit[1:]
    found = adjusted_mean(r, z)
    stderr = adjusted.std(ddof=1) / np.sqrt(30)
    assert found.mean == pytest.approx(adjusted.mean(), rel=1e-10)
    assert found.stderr == pytest.approx(stderr, rel=1e-10)
    assert found.gain == pytest.approx(r.var(ddof=1) / 30 / stderr**2, rel=1e-10)
    assert found.coefficients == pytest.approx(np.linalg.lstsq(np.column_stack([np.ones(30), z]), r, rcond=None)[0][1:], rel=1e-10)


def test_controls_are_left_out_where_they_cannot_be_fitted():
    values, control = np.arange(6.0), np.arange(6.0)[:, None] - 2.5
    found = adjusted_mean(values, control)
    assert found[:3] == pytest.approx((2.5, np.std(values, ddof=1) / np.sqrt(6), 1.0)) and np.all(found.coefficients == 0)
    constant = adjusted_mean(np.arange(40.0), np.zeros((40, 1)))
    assert constant.mean == 19.5 and not np.any(constant.coefficients)


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(2)
    a = rng.standard_normal((7, 9))
    return GaussianModel(a @ a.T / 9, 4, 0.3)


def test_the_gaussian_evidence_is_the_density(model):
    y = np.array([0.3, -1.0, 0.2, 0.9])
    covariance = model.joint[:4, :4] + 0.3 * np.eye(4)
    assert model.log_evidence(y) == pytest.approx(stats.multivariate_normal(np.zeros(4), covariance).logpdf(y), rel=1e-12)
    assert np.allclose(model.prediction(y), model.joint[4:, :4] @ np.linalg.solve(covariance, y))


def test_means_over_labels_are_those_of_a_simulation(model):
    rng = np.random.default_rng(3)
    b = rng.standard_normal((7, 7))
    truth = b @ b.T / 7
    s = rng.multivariate_normal(np.zeros(7), truth, 20_000)
    y = s[:, :4] + np.sqrt(0.3) * rng.standard_normal((20_000, 4))
    evidence = np.array([model.log_evidence(one) for one in y])
    errors = ((y @ model.prediction(np.eye(4)).T - s[:, 4:]) ** 2).mean(axis=1)
    for values, exact in zip((evidence, errors), model.expected(truth), strict=True):
        assert abs(values.mean() - exact) < 4 * values.std() / np.sqrt(20_000)


def test_on_its_own_labels_a_model_has_its_entropy_and_its_posterior_variance(model):
    own = model.expected(model.joint)
    covariance = model.joint[:4, :4] + 0.3 * np.eye(4)
    assert own.log_evidence == pytest.approx(-0.5 * np.linalg.slogdet(2 * np.pi * np.e * covariance)[1])
    explained = model.joint[4:, :4] @ np.linalg.solve(covariance, model.joint[:4, 4:])
    assert own.clean_error == pytest.approx(np.diag(model.joint[4:, 4:] - explained).mean())


def test_the_linear_model_has_the_information_of_the_limit():
    """I(theta, xi; D)/n at d = 400 against the closed form for L = 2 tanh(2x), noise 0.2, alpha = 1: 0.319610 + log(tau/noise)/2."""
    e = ge.Problem(ge.DeepNetwork("tanh", depth=2, weight_variance=4, noise=0.2)).equivalent()
    found = []
    for seed in range(16):
        x = np.random.default_rng(seed).standard_normal((400, 400))
        own = linear_model(e, x, np.zeros(400), 400)
        found.append(-0.5 * np.log(2 * np.pi * np.e * 0.2) - own.expected(own.joint).log_evidence / 400)
    exact = 0.319610 + 0.5 * np.log(0.3525061196 / 0.2)
    assert abs(np.mean(found) - exact) < 4 * np.std(found, ddof=1) / 4 + 1 / 400 * exact


def test_infinite_width_of_a_linear_target_is_its_equivalent():
    network = ge.DeepNetwork((), noise=0.2, readout_variance=0.7)
    x = np.random.default_rng(0).standard_normal((5, 3))
    one, two = kernel_model(network, x, 4), linear_model(ge.Problem(network).equivalent(), x, np.zeros(3), 4)
    assert np.allclose(one.joint, two.joint, rtol=1e-12)
    assert np.allclose(true_covariance(network, network.sample(np.random.default_rng(1), 3), x), one.joint)


def test_the_true_covariance_is_that_of_networks_with_the_same_lower_layers():
    network = ge.DeepNetwork("relu", depth=2, widths=(4, 3), bias_variance=0.3, weight_variance=1.5, readout_bias_variance=0.1)
    rng, x = np.random.default_rng(4), np.random.default_rng(5).standard_normal((3, 2))
    fixed = network.sample(rng, 2)
    h = fixed.layers[0](x @ fixed.weights[0] + fixed.biases[0])
    fields = []
    for _ in range(20_000):
        last = network.sample(rng, 2)
        fields.append(last.layers[1](h @ last.weights[1] + last.biases[1]) @ last.readout + last.bias)
    products = np.einsum("ti,tj->tij", fields, fields)
    stderr = products.std(axis=0) / np.sqrt(20_000)
    assert np.all(np.abs(products.mean(axis=0) - true_covariance(network, fixed, x)) < 4 * stderr)


def test_controls_have_mean_zero_and_carry_most_of_the_fluctuation():
    """Structured inputs with a mean, biases, three layers: every control averages to zero, and the exact means gain."""
    network = ge.DeepNetwork("tanh", depth=3, weight_variance=4, bias_variance=0.2, noise=0.2, width_ratios=1.0)
    problem = ge.Problem(network, ge.GaussianInputs("power-law:0.5", mean=0.3))
    e, centre, d, n = problem.equivalent(12), problem.inputs.centre(12), 12, 10
    controls, values = [], []
    for trial in range(300):
        sampled = network.sample(np.random.default_rng((trial, 0)), d)
        rows = problem.inputs.rows((trial, 1), d, n, 0).block(0, 0, n)
        model = kernel_model(network, rows, n)
        controls.append(row_controls(e, rows, centre) + layer_controls(network, sampled, model, rows))
        own = linear_model(e, rows, centre, n)
        values.append(model.expected(true_covariance(network, sampled, rows)).log_evidence - own.expected(own.joint).log_evidence)
    z = np.array(controls)
    assert z.shape == (300, 7)
    assert np.all(np.abs(z.mean(axis=0)) < 4 * z.std(axis=0, ddof=1) / np.sqrt(300))
    found, plain = adjusted_mean(np.array(values), z), adjusted_mean(np.array(values))
    assert found.gain > 5
    assert abs(found.mean - plain.mean) < 4 * plain.stderr


@pytest.mark.parametrize("level", [-2000.0, -3.0, 0.0, 700.0])
@pytest.mark.parametrize(("chains", "reverse"), [(4, 4), (3, 40), (50, 2)])
def test_bennetts_equation_at_any_level(level, chains, reverse):
    """sum_i s(w_i - c + log m/n) = sum_j s(c - v_j - log m/n), s the logistic function; bounds by their definitions."""
    rng = np.random.default_rng(0)
    w, v = level - 0.5 + rng.standard_normal(chains), level + 0.5 + rng.standard_normal(reverse)
    found, shift = bracket(w, v), np.log(reverse / chains)
    f, g = 1 / (1 + np.exp(-(w - found.combined + shift))), 1 / (1 + np.exp(-(found.combined - v - shift)))
    assert f.sum() == pytest.approx(g.sum(), rel=1e-9)
    assert found.lower - level == pytest.approx(np.log(np.mean(np.exp(w - level))), rel=1e-9, abs=1e-9)
    assert found.upper - level == pytest.approx(-np.log(np.mean(np.exp(level - v))), rel=1e-9, abs=1e-9)
    spread = [(np.mean(s**2) / np.mean(s) ** 2 - 1) / s.size for s in (f, g)]
    assert found.stderr == pytest.approx(np.sqrt(sum(spread)), rel=1e-9)


def test_without_controls_there_are_no_coefficients():
    assert adjusted_mean(np.arange(5.0)).coefficients.shape == (0,)
    assert np.isnan(adjusted_mean(np.ones(1)).stderr)
