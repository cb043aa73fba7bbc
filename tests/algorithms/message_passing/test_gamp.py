"""GAMP on data with a known answer: it reaches the Bayes error, finds the constant and repeats itself."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.algorithms.message_passing.gamp import GAMP
from gaussequiv.algorithms.message_passing.sample_fit import fit_amp
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.numerics.orthant import sign_disagreement
from gaussequiv.numerics.status import Status
from gaussequiv.samples.training_sample import TrainingSample

D, ALPHA, NOISE = 300, 2.0, 0.1
# |c| + 2 standard errors of fits mean - theory = c/d (the errors': of their value) over d = 50, 100, 200: 2000 samples or more at d = 50
# and half as many at each next size; 400 for inputs with a mean
CONSTANTS = {"V": 0.1, "intercept": 0.7, "error": 0.5, "error of inputs with a mean": 2.2}


def draw(seed, d=D, offset=0.0, noise=NOISE, scale=1.0):
    rng = np.random.default_rng(seed)
    x = np.sqrt(scale) * rng.standard_normal((int(ALPHA * d), d))
    w = rng.standard_normal(d)
    return x, np.sign(x @ w / np.sqrt(d) + offset + np.sqrt(noise) * rng.standard_normal(len(x))), w


def exact_error(fit, w, offset=0.0, noise=NOISE, scale=1.0):
    """P(sign of the prediction is not the label) for fresh Gaussian inputs and this teacher."""
    d = w.size
    b, student = w / np.sqrt(d), np.sqrt(scale) * np.linalg.norm(fit.coefficients)
    field = np.sqrt(scale * (b @ b) + noise)
    return float(sign_disagreement(fit.intercept / student, offset / field, scale * (fit.coefficients @ b) / student / field))


def equivalent(offset=None, spectrum="identity"):
    return ge.Problem(ge.DeepNetwork((), task="classification", noise=NOISE, offset=offset), ge.GaussianInputs(spectrum)).equivalent()


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_a_linear_sign_target_is_learned_to_the_bayes_error(scale):
    spectrum = f"identity:{scale}"
    e = equivalent(spectrum=spectrum)
    theory = ge.BayesOptimal().solve(e, np.array([ALPHA]))
    errors = []
    for seed in range(16):
        x, y, w = draw(seed, scale=scale)
        fit = fit_amp(TrainingSample(x, y, None, np.full(D, scale)), e, False)
        assert fit.status == Status.converged
        errors.append(exact_error(fit, w, scale=scale))
    stderr = np.std(errors, ddof=1) / 4
    assert stderr < 0.03 * theory["test_error"][0]
    assert abs(np.mean(errors) - theory["test_error"][0]) < 4 * stderr


def test_the_order_parameters_are_those_of_state_evolution():
    theory = ge.BayesOptimal().solve(equivalent(), np.array([ALPHA]))
    q, V = [], []
    for seed in range(8):
        x, y, _ = draw(seed)
        machine = GAMP(x, y, np.ones(D), Sign(NOISE), 0.0, D)
        seen = machine.observe(machine.run()[0])
        q.append(seen["q"])
        V.append(seen["V"])
    assert np.mean(q) == pytest.approx(theory["q"][0], abs=4 * np.std(q, ddof=1) / np.sqrt(8))
    assert np.mean(V) == pytest.approx(1 - theory["q"][0], abs=4 * np.std(V, ddof=1) / np.sqrt(8) + CONSTANTS["V"] / D)


def test_the_intercept_is_estimated():
    offset, e = 0.8, equivalent(0.8)
    found, errors = [], []
    for seed in range(12):
        x, y, w = draw(seed, offset=offset)
        fit = fit_amp(TrainingSample(x, y), e, True)
        assert fit.status == Status.converged
        found.append(fit.intercept)
        errors.append(exact_error(fit, w, offset))
    stderr = np.std(found, ddof=1) / np.sqrt(12)
    assert np.mean(found) == pytest.approx(offset, abs=4 * stderr + CONSTANTS["intercept"] / D)
    theory = ge.BayesOptimal().solve(e, np.array([ALPHA]))["test_error"][0]
    assert np.mean(errors) == pytest.approx(theory, abs=4 * np.std(errors, ddof=1) / np.sqrt(12) + CONSTANTS["error"] / D * theory)


def test_real_labels_give_the_posterior_mean_of_ridge():
    rng = np.random.default_rng(5)
    d, noise = 400, 0.3
    x, w = rng.standard_normal((2 * d, d)), rng.standard_normal(d)
    y = x @ w / np.sqrt(d) + np.sqrt(noise) * rng.standard_normal(2 * d)
    state, status = GAMP(x, y, np.ones(d), GaussianNoise(noise), 0.0, d).run()
    exact = TrainingSample(x, y).ridge(noise, False).coefficients * np.sqrt(d)
    assert status == Status.converged
    # scalar variances: exact up to fluctuations of order 1/sqrt(d)
    assert np.mean((state.a - exact) ** 2) / np.mean(exact**2) < 1 / d


def test_with_gaussian_noise_the_constant_is_its_posterior_mean():
    """Rows (z/sqrt(d), 1) with prior variances (1, v): exact. A small v pulls the constant to 0."""
    rng, d, noise, v = np.random.default_rng(6), 60, 0.3, 0.01
    z = rng.standard_normal((2 * d, d))
    y = 1.0 + z @ rng.standard_normal(d) / np.sqrt(d) + np.sqrt(noise) * rng.standard_normal(2 * d)
    rows = np.column_stack([z / np.sqrt(d), np.ones(2 * d)])
    exact = np.linalg.solve(rows.T @ rows / noise + np.diag([1.0] * d + [1 / v]), rows.T @ y / noise)
    state, status = GAMP(z, y, np.ones(d), GaussianNoise(noise), 0.0, d, v).run(1e-13, 2000)
    assert status == Status.converged
    assert state.intercept == pytest.approx(exact[-1], rel=1e-9)
    assert state.a == pytest.approx(exact[:-1], abs=1e-9)
    assert 0.2 < exact[-1] < 0.9


@pytest.mark.parametrize(("damping", "factor"), [(1.0, 1.0), (0.1, 0.1), (0.02, 1.0)])
def test_a_damped_run_ends_where_an_undamped_step_would_change_little(damping, factor):
    """A damped step is shorter by its factor, and so is the change that ends the run; not at the smallest factor: cycles may be left."""
    x, y, _ = draw(4, d=100)
    machine, changes = GAMP(x, y, np.ones(100), Sign(NOISE), 0.0, 100, damping=damping), []
    state = machine.init()
    while state.change > 1e-3 * factor:
        changes.append(state.change)
        state = machine.step(state)
    assert state.change > 0.3e-3 * factor  # no step falls by more
    found, status = machine.run(1e-3)
    assert (found.steps, found.change, status) == (state.steps, state.change, Status.converged)


def test_inputs_with_a_mean_are_learned_too():
    problem = ge.Problem(ge.DeepNetwork((), task="classification", noise=NOISE), ge.GaussianInputs(mean=1.0))
    run = ge.simulate(problem, 2.0, d=200, trials=16, seed=0)
    theory = ge.solve(problem, 2.0)
    assert bool(run.converged.all())
    bound = 4 * float(run.test_error_stderr[0]) + CONSTANTS["error of inputs with a mean"] / 200 * float(theory.test_error[0])
    assert abs(float(run.test_error_mean[0] - theory.test_error[0])) < bound


def test_the_same_sample_gives_the_same_numbers():
    x, y, _ = draw(3, d=60)
    one, two = (fit_amp(TrainingSample(x.copy(), y.copy()), equivalent(), False) for _ in range(2))
    assert np.array_equal(one.coefficients, two.coefficients)
    assert (one.steps, one.residual) == (two.steps, two.residual)


def test_running_out_of_steps_is_reported():
    x, y, _ = draw(3, d=60)
    state, status = GAMP(x, y, np.ones(60), Sign(NOISE), 0.0, 60).run(max_steps=3)
    assert (state.steps, status) == (3, Status.max_steps)


def test_a_target_without_signal_returns_the_constant():
    e = ge.Problem(ge.DeepNetwork("hermite:2", task="classification")).equivalent()
    x, y, _ = draw(3, d=60)
    fit = fit_amp(TrainingSample(x, y), e, True)
    assert np.all(fit.coefficients == 0)
    assert fit.status == Status.converged
