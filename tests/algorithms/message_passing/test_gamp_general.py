"""GAMP beyond Gaussian weights and scalar variances: exact limits, published fixed points, starts, statuses."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.algorithms.message_passing.design import Design
from gaussequiv.algorithms.message_passing.gamp import GAMP
from gaussequiv.algorithms.message_passing.scaled_prior import ScaledPrior, scalar_overlap
from gaussequiv.algorithms.message_passing.start import first_constant, first_signal, side_information
from gaussequiv.algorithms.message_passing.state_evolution import StateEvolution
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.ingredients.channels.counts import Poisson
from gaussequiv.ingredients.channels.log_likelihood import LogLikelihood
from gaussequiv.ingredients.channels.outputs import AbsoluteValue, Relu
from gaussequiv.ingredients.priors.log_density import LogDensity
from gaussequiv.ingredients.priors.named import GaussBernoulli, Gaussian, Rademacher, SparseRademacher
from gaussequiv.ingredients.targets.linear_target import LinearTarget
from gaussequiv.numerics.status import Status

D = 300


def sample(prior, channel, alpha, seed, d=D):
    rng = np.random.default_rng(seed)
    z, theta = rng.standard_normal((round(alpha * d), d)), prior.sample(rng, d)
    return z, theta, channel.sample(rng, z @ theta / np.sqrt(d))


@pytest.mark.parametrize("variances", ["scalar", "vector"])
def test_with_gaussian_weights_and_noise_the_fixed_point_is_the_posterior_mean_exactly(variances):
    """a/v = z'g/sqrt(d) and (noise + extra) g = y - z a/sqrt(d), whatever the variances: ridge."""
    z, _, y = sample(Gaussian(2.0), GaussianNoise(0.3), 2.0, 1)
    state, status = GAMP(z, y, Gaussian(2.0), GaussianNoise(0.3), 0.1, D, variances=variances).run(1e-13, 2000)
    x = z / np.sqrt(D)
    exact = np.linalg.solve(x.T @ x + 0.2 * np.eye(D), x.T @ y)
    assert status == Status.converged
    assert state.a == pytest.approx(exact, abs=1e-11)


def test_an_array_of_variances_is_a_gaussian_prior():
    z, _, y = sample(Gaussian(2.0), Sign(0.1), 1.5, 2)
    one = GAMP(z, y, np.full(D, 2.0), Sign(0.1), 0.0, D).run()[0]
    two = GAMP(z, y, Gaussian(2.0), Sign(0.1), 0.0, D).run()[0]
    assert one.a == pytest.approx(two.a, abs=1e-12)


@pytest.mark.parametrize(
    ("prior", "channel", "alpha", "constants"),
    [
        (Rademacher(), Sign(), 1.0, (0.4, 0.7)),
        (GaussBernoulli(0.2), GaussianNoise(0.05), 0.8, (1.2, 0.4)),
        (SparseRademacher(0.3), GaussianNoise(0.05), 0.6, (0.5, 0.7)),
        (Gaussian(), Relu(0.1), 2.0, (0.6, 0.2)),
    ],
)
def test_the_fixed_point_is_that_of_state_evolution(prior, channel, alpha, constants):
    """16 samples at d = 300, 4 standard errors plus c/d of E x^2.

    The constants, of m and of V, are |c| + 2 standard errors of fits (mean - theory)/E x^2 = c/d over d = 50, 100, 200 (820 samples or
    more at d = 50, half as many at each next size).
    """
    target = LinearTarget(prior, labels=channel) if channel.task == "regression" else LinearTarget(prior, task="classification")
    e = ge.Problem(target).equivalent()
    evolution = StateEvolution(e, alpha)
    theory = evolution.observe(evolution.run()[0])
    m, V = [], []
    for seed in range(16):
        z, theta, y = sample(prior, channel, alpha, seed)
        machine = GAMP(z, y, prior, channel, 0.0, D)
        state, _ = machine.run(1e-4)
        seen = machine.observe(state, theta)
        m.append(seen["m"])
        V.append(seen["V"])
    for values, name, constant in zip((m, V), ("m", "V"), constants, strict=True):
        bound = 4 * np.std(values, ddof=1) / 4 + constant / D * prior.second_moment
        assert abs(np.mean(values) - theory[name]) < bound, (name, np.mean(values), theory[name])


def test_a_users_prior_and_channel():
    """Laplace weights and logistic noise, both by their log-densities alone.

    0.2/d: |c| + 2 standard errors of fits as above is at most 0.18 at the three steps (796 samples at d = 50).
    """
    prior = LogDensity(lambda x: -np.sqrt(2.0) * abs(x), kinks=(0.0,), name="laplace")
    channel = LogLikelihood(lambda y, z: -abs(y - z) / 0.2 - 2 * np.log1p(np.exp(-abs(y - z) / 0.2)) - np.log(0.2), resolution=0.2)
    e, d, V = ge.Problem(LinearTarget(prior, labels=channel)).equivalent(), 150, []
    path = StateEvolution(e, 1.5).path(3)
    for seed in range(16):
        z, _, y = sample(prior, channel, 1.5, seed, d)
        machine = GAMP(z, y, prior, channel, 0.0, d, damping=1.0)
        state, seen = machine.init(), []
        for _ in range(3):
            state = machine.step(state)
            seen.append(state.V)
        V.append(seen)
    mean, spread = np.mean(V, axis=0), np.std(V, axis=0, ddof=1) / 4
    assert np.all(np.abs(mean - path["V"][1:]) < 4 * spread + 0.2 / d), (mean, path["V"])


def test_the_informed_start_stays_at_perfect_recovery_where_the_uninformed_one_is_stuck():
    """Rademacher weights and noiseless signs at alpha = 1.4, between 1.2447 and the spinodal 1.4926."""
    d = 1000
    z, theta, y = sample(Rademacher(), Sign(), 1.4, 3, d)
    machine = GAMP(z, y, Rademacher(), Sign(), 0.0, d)
    told = side_information(ScaledPrior(1.0, Rademacher()), theta, 20.0, np.random.default_rng(0))
    state, status = machine.run(start=machine.init(*told))
    assert status == Status.converged
    assert np.array_equal(np.sign(state.a), theta)
    assert machine.observe(machine.run()[0], theta)["m"] < 0.9


def test_even_labels_are_learned_from_a_small_random_start():
    z, theta, y = sample(Gaussian(), AbsoluteValue(0.05), 3.0, 0)
    machine = GAMP(z, y, Gaussian(), AbsoluteValue(0.05), 0.0, D)
    assert not np.any(machine.step(machine.init()).a)  # the prior tells nothing
    state, status = machine.run(key=np.random.default_rng(0))
    assert status == Status.converged
    assert abs(state.a @ theta) / np.linalg.norm(state.a) / np.linalg.norm(theta) > 0.95


def test_a_first_constant_is_a_field_not_a_label():
    y = np.full(50, np.exp(4.0))
    assert first_constant(Poisson(), y, 0.1) == pytest.approx(4.0, abs=0.01)
    assert first_constant(GaussianNoise(0.1), y, 0.1) == y.mean()
    assert first_constant(Relu(0.1), np.full(50, 1000.0), 1.0) == 1000.0  # beyond the grid
    assert first_constant(Relu(0.1), np.full(50, -0.01), 1.0) == 0.0  # any negative field would do
    even = np.abs(np.random.default_rng(0).standard_normal(1000))
    assert first_constant(AbsoluteValue(0.01), even, 1.0) == 0.0
    assert first_constant(AbsoluteValue(0.01), even + 9.0, 1.0) == pytest.approx(even.mean() + 9.0)
    assert first_signal(AbsoluteValue(), 8 * even, True) == 64.0


def test_even_labels_are_learned_from_a_given_start_at_zero_too():
    z, theta, y = sample(Gaussian(), AbsoluteValue(0.05), 3.0, 0)
    machine = GAMP(z, y, Gaussian(), AbsoluteValue(0.05), 0.0, D)
    state, status = machine.run(start=machine.init(), key=np.random.default_rng(0))
    assert status == Status.converged
    assert abs(state.a @ theta) / np.linalg.norm(state.a) / np.linalg.norm(theta) > 0.95


def test_even_labels_on_correlated_columns_are_learned_by_vamp():
    inputs = ge.GaussianInputs(covariance=0.5 ** np.abs(np.subtract.outer(np.arange(100), np.arange(100))))
    run = ge.simulate(ge.Problem(LinearTarget("rademacher", labels=AbsoluteValue(0.01)), inputs), 4.0, d=100, trials=3)
    assert bool(run.converged.all())
    assert float(run.test_error.max()) < 0.015  # the noise is 0.01, the labels' variance 0.36


def test_side_information_has_the_overlap_it_says():
    rng = np.random.default_rng(0)
    law = ScaledPrior(np.repeat([1.0, 3.0], 20_000), GaussBernoulli(0.2))
    theta = law.scale * GaussBernoulli(0.2).sample(rng, 40_000)
    a, c = side_information(law, theta, 2.0, rng)
    known, left = scalar_overlap(GaussBernoulli(0.2), np.array(10.0))
    for part, scale in ((slice(0, 20_000), 1.0), (slice(20_000, None), 9.0)):
        for values, exact in ((a[part] * theta[part], known), (a[part] ** 2, known), (c[part], left)):
            assert abs(values.mean() / scale - exact) < 4 * values.std() / scale / np.sqrt(20_000)


def test_a_fixed_damping_stays_and_an_automatic_one_falls_on_a_matrix_with_a_mean():
    z, _, y = sample(Gaussian(), GaussianNoise(0.1), 2.0, 4)
    assert GAMP(z, y, Gaussian(), GaussianNoise(0.1), 0.0, D, damping=0.5).run(max_steps=40)[0].damping == 0.5
    state, _ = GAMP(z + 2.0, y, Gaussian(), GaussianNoise(0.1), 0.0, D).run(max_steps=100)
    assert state.damping < 1


def test_numbers_that_overflow_are_a_status():
    z, _, y = sample(Gaussian(), GaussianNoise(0.1), 2.0, 4)
    with np.errstate(all="ignore"):
        _, status = GAMP(np.inf * z, y, Gaussian(), GaussianNoise(0.1), 0.0, D).run()
    assert status == Status.nonfinite


def test_scales_of_a_prior_act_like_scaled_columns():
    z, _, y = sample(Rademacher(), Sign(0.1), 1.5, 5)
    scale = np.linspace(0.5, 1.5, D)
    one = GAMP(z, y, ScaledPrior(scale, Rademacher()), Sign(0.1), 0.0, D, variances="vector").run(1e-9, 2000)[0]
    two = GAMP(Design(z, None, 1 / scale), y, Rademacher(), Sign(0.1), 0.0, D, variances="vector").run(1e-9, 2000)[0]
    assert one.a == pytest.approx(scale * two.a, abs=1e-6)


def test_refusals():
    z, _, y = sample(Gaussian(), GaussianNoise(0.1), 1.0, 0, 10)
    for options, name in (({"variances": "matrix"}, "variances"), ({"damping": 0.0}, "damping"), ({"damping": 1.5}, "damping")):
        with pytest.raises(ge.ArgumentError, match=name):
            GAMP(z, y, Gaussian(), GaussianNoise(0.1), 0.0, 10, **options)


def test_correlated_coordinates_of_weights_that_are_not_gaussian_are_learned_by_vamp():
    """They do better than the same rows under a Gaussian belief, whose curve is exact."""
    rng = np.random.default_rng(0)
    q = np.linalg.qr(rng.standard_normal((200, 200)))[0]
    w = np.geomspace(4, 0.1, 200)
    inputs = ge.GaussianInputs(covariance=(q * (w / w.mean())) @ q.T)
    run = ge.simulate(ge.Problem(LinearTarget("rademacher", task="classification", noise=0.1), inputs), 3.0, d=200, trials=16)
    gaussian = ge.solve(ge.Problem(ge.DeepNetwork((), task="classification", noise=0.1), inputs), n=[600], d=200)
    assert bool(run.converged.all())
    assert float(run.test_error_mean[0] + 4 * run.test_error_stderr[0]) < float(gaussian.test_error[0])


@pytest.mark.parametrize("unit", [1e-3, 1e3])
@pytest.mark.parametrize("variances", ["scalar", "vector"])
@pytest.mark.parametrize("labels", ["real", "signs"])
def test_units_of_the_field_do_not_matter(labels, variances, unit):
    """Weights, noises and constant of another unit: the same steps to the same posterior in that unit, columns between 1/2 and 2."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((80, 50)) * np.geomspace(0.5, 2, 50)
    field = z @ GaussBernoulli(0.4).sample(rng, 50) / np.sqrt(50) + 0.4 + np.sqrt(0.2) * rng.standard_normal(80)
    found = []
    for u in (1.0, unit):
        channel, y = (GaussianNoise(0.2 * u * u), u * field) if labels == "real" else (Sign(0.2 * u * u), np.sign(field))
        law = ScaledPrior(1.3 * u, GaussBernoulli(0.4))
        state, status = GAMP(z, y, law, channel, 0.1 * u * u, 50, 2.0 * u * u, variances).run(1e-6)
        assert status == Status.converged
        found.append(state._replace(a=state.a / u, c=state.c / u**2, V=state.V / u**2, intercept=state.intercept / u, g=state.g * u))
    one, other = found
    assert abs(one.steps - other.steps) <= 1
    for name in ("a", "c", "V", "g", "intercept"):
        np.testing.assert_allclose(getattr(other, name), getattr(one, name), rtol=1e-5, atol=1e-7, err_msg=name)
