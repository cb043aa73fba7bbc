"""VAMP: exact posteriors, agreement with GAMP where both are right, and matrices on which GAMP fails."""

import numpy as np
import pytest
from scipy import sparse
from scipy.linalg import toeplitz

import gaussequiv as ge
from gaussequiv.algorithms.message_passing.design import Design, RowSource
from gaussequiv.algorithms.message_passing.gamp import GAMP
from gaussequiv.algorithms.message_passing.scaled_prior import ScaledPrior
from gaussequiv.algorithms.message_passing.vamp import VAMP, GramSpectrum
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.ingredients.channels.counts import Poisson
from gaussequiv.ingredients.channels.outputs import AbsoluteValue
from gaussequiv.ingredients.priors.named import GaussBernoulli, Rademacher
from gaussequiv.numerics.status import Status

RNG = np.random.default_rng(0)


def iid(n, d, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d)) / np.sqrt(d)


def with_singular_values(n, d, values, seed=0):
    rng = np.random.default_rng(seed)
    u, v = (np.linalg.qr(rng.standard_normal((k, d)))[0] for k in (n, d))
    return (u * values) @ v.T * np.sqrt(n / np.sum(values**2))


@pytest.mark.parametrize(("n", "d"), [(60, 20), (20, 60)])
def test_gaussian_weights_and_noise_are_exact_in_one_step(n, d):
    x, y = iid(n, d), RNG.standard_normal(n)
    state = VAMP(GramSpectrum(Design(x)), y, ScaledPrior(1.5), GaussianNoise(0.3)).run()[0]
    covariance = np.linalg.inv(x.T @ x / 0.3 + np.eye(d) / 1.5**2)
    assert state.steps == 2  # the second sees that nothing moved
    assert state.mean == pytest.approx(covariance @ x.T @ y / 0.3, abs=1e-10)
    assert state.degrees == pytest.approx(np.trace(x.T @ x @ covariance) / 0.3, rel=1e-10)
    rows = RNG.standard_normal((5, d))
    spectrum = GramSpectrum(Design(x))
    assert spectrum.variances(rows, state.precision, state.site) == pytest.approx(np.diag(rows @ covariance @ rows.T), rel=1e-9)


@pytest.mark.parametrize("shape", [(60, 20), (20, 60)])
def test_the_decomposition_is_the_same_for_sparse_and_centred_rows(shape):
    rng = np.random.default_rng(3)
    x = rng.standard_normal(shape) * (rng.random(shape) < 0.3)
    centre, scale = x.mean(axis=0), rng.random(shape[1]) + 0.5
    plain = GramSpectrum(Design((x - centre) / scale))
    b, rows = rng.standard_normal(shape[1]), rng.standard_normal((4, shape[1]))
    for matrix in (x, sparse.csr_matrix(x)):
        other = GramSpectrum(Design(matrix, centre, scale))
        assert other.values == pytest.approx(plain.values, abs=1e-10)
        assert other.posterior(0.7, 2.0, b)[0] == pytest.approx(plain.posterior(0.7, 2.0, b)[0], abs=1e-10)
        assert other.variances(rows, 0.7, 2.0) == pytest.approx(plain.variances(rows, 0.7, 2.0), abs=1e-10)


@pytest.mark.parametrize("prior", [None, Rademacher(), GaussBernoulli(0.2, 5.0)])
@pytest.mark.parametrize("channel", [GaussianNoise(0.3), Sign(0.3)])
def test_on_independent_entries_it_agrees_with_message_passing(prior, channel):
    d, n = 500, 1000
    rng = np.random.default_rng(1)
    theta = rng.standard_normal(d) if prior is None else prior.sample(rng, d)
    x = iid(n, d)
    y = channel.sample(rng, x @ theta)
    gamp, _ = GAMP(x * np.sqrt(d), y, prior, channel, 0.0, d).run(1e-6, 1000)
    vamp, status = VAMP(GramSpectrum(Design(x)), y, prior, channel).run()
    assert status == Status.converged
    assert np.mean((gamp.a - vamp.mean) ** 2) < 0.5 / d * np.mean(gamp.a**2)


@pytest.mark.parametrize("memory", [0, 10])
def test_acceleration_does_not_move_the_fixed_point(memory):
    d, n = 200, 400
    rng = np.random.default_rng(2)
    x = with_singular_values(n, d, np.geomspace(1, 0.1, d))
    y = Sign(0.1).sample(rng, x @ Rademacher().sample(rng, d))
    reference = VAMP(GramSpectrum(Design(x)), y, Rademacher(), Sign(0.1), damping=0.7, memory=0).run(1e-10, 5000)[0]
    state, status = VAMP(GramSpectrum(Design(x)), y, Rademacher(), Sign(0.1), memory=memory).run(1e-9, 2000)
    assert status == Status.converged
    assert state.mean == pytest.approx(reference.mean, abs=1e-6)


@pytest.mark.parametrize("prior", [Rademacher(), GaussBernoulli(0.2, 5.0)])
def test_an_ill_conditioned_matrix_on_which_message_passing_fails(prior):
    d, n = 400, 800
    rng = np.random.default_rng(0)
    x = with_singular_values(n, d, np.geomspace(1, 1e-3, d))
    theta = prior.sample(rng, d)
    y = GaussianNoise(1e-3).sample(rng, x @ theta)
    state, status = VAMP(GramSpectrum(Design(x)), y, prior, GaussianNoise(1e-3)).run()
    with np.errstate(all="ignore"):
        gamp, failed = GAMP(x * np.sqrt(d), y, prior, GaussianNoise(1e-3), 0.0, d).run()
    assert status == Status.converged and failed != Status.converged
    assert np.mean((state.mean - theta) ** 2) < 1e-3 * prior.second_moment
    assert not np.mean((gamp.a - theta) ** 2) < 0.1 * prior.second_moment


def test_its_variance_is_the_error_it_makes():
    """Nishimori: the mean posterior variance is the mean square error, over 16 draws, on a matrix that is not of independent entries."""
    d, n, gaps = 300, 450, []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        x = with_singular_values(n, d, np.geomspace(1, 0.05, d), seed)
        prior, channel = GaussBernoulli(0.3, 1 / 0.3), Sign(0.1)
        theta = prior.sample(rng, d)
        machine = VAMP(GramSpectrum(Design(x)), channel.sample(rng, x @ theta), prior, channel)
        state, status = machine.run()
        assert status == Status.converged
        gaps.append(np.mean((state.mean - theta) ** 2) - machine.observe(state)["left"])
    assert abs(np.mean(gaps)) < 4 * np.std(gaps, ddof=1) / 4


def test_the_constant_is_found():
    rng = np.random.default_rng(5)
    x, found = iid(1500, 300), []
    x = x - x.mean(axis=0)
    for _ in range(16):
        y = Sign(0.1).sample(rng, x @ rng.standard_normal(300) + 0.7)
        found.append(VAMP(GramSpectrum(Design(x)), y, None, Sign(0.1), intercept=True).run()[0].intercept)
    assert abs(np.mean(found) - 0.7) < 4 * np.std(found, ddof=1) / 4 + 0.01


def test_statuses_and_refusals():
    x, y = iid(50, 20), np.sign(RNG.standard_normal(50))
    machine = VAMP(GramSpectrum(Design(x)), y, Rademacher(), Sign(0.1))
    assert machine.run(max_steps=2)[1] == Status.max_steps
    with np.errstate(all="ignore"):
        assert VAMP(GramSpectrum(Design(x)), np.full(50, np.nan), None, GaussianNoise(0.1)).run()[1] == Status.nonfinite
    with pytest.raises(ge.ArgumentError, match="`x`"):
        GramSpectrum(Design(RowSource((3, 2), lambda start, stop: np.ones((stop - start, 2)))))
    with pytest.raises(ge.ArgumentError, match="`prior`"):
        VAMP(GramSpectrum(Design(x)), y, np.ones(20), Sign(0.1))


def correlated(n, d, seed):
    return np.random.default_rng(seed).standard_normal((n, d)) @ np.linalg.cholesky(toeplitz(0.5 ** np.arange(d))).T / np.sqrt(d)


@pytest.mark.parametrize("prior", [None, Rademacher()])
def test_even_labels_are_learned_from_a_small_random_start(prior):
    """Correlated columns, n = 4 d: the prior is a fixed point, and unstable; what is found is +theta or -theta."""
    d, channel = 150, AbsoluteValue(0.01)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        x = correlated(4 * d, d, seed)
        theta = rng.standard_normal(d) if prior is None else prior.sample(rng, d)
        machine = VAMP(GramSpectrum(Design(x)), channel.sample(rng, x @ theta), prior, channel)
        assert not np.any(machine.step(machine.init()).mean)
        state, status = machine.run(key=rng)
        assert status == Status.converged
        assert abs(state.mean @ theta) > 0.98 * np.linalg.norm(state.mean) * np.linalg.norm(theta)
        assert np.mean((np.abs(x @ state.mean) - np.abs(x @ theta)) ** 2) < 0.02
        assert 1 / state.tau < 0.1 * machine.width**2


def test_even_labels_below_the_threshold_leave_it_at_zero_with_the_variance_of_the_prior():
    """n = d/5, far below weak recovery at n = d/2: zero is stable, and a fresh row is as unknown as a priori."""
    d, channel = 300, AbsoluteValue(0.1)
    rng = np.random.default_rng(1)
    x = iid(d // 5, d)
    machine = VAMP(GramSpectrum(Design(x)), channel.sample(rng, x @ rng.standard_normal(d)), None, channel)
    state, status = machine.run(key=rng)
    assert status == Status.converged
    assert np.mean(state.mean**2) < 1e-6
    assert 1 / state.tau == pytest.approx(machine.width**2, rel=0.15)


def test_a_sign_pattern_that_the_labels_contradict_is_not_called_converged():
    """Noiseless |z w| of other weights: with every sign fixed, least squares stands still far from the labels."""
    d, n = 20, 100
    x = iid(n, d)
    for seed in range(4):
        rng = np.random.default_rng(10 + seed)
        y = np.abs(rng.standard_normal(n))  # no weights give these labels
        with np.errstate(all="ignore"):
            assert VAMP(GramSpectrum(Design(x)), y, None, AbsoluteValue()).run(key=rng)[1] != Status.converged


@pytest.mark.parametrize("constant", [3.0, 6.0])
def test_the_constant_of_counts_starts_where_their_mean_is(constant):
    """y ~ Poisson(exp(c + z w)): the mean label is e^c, not c."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 10)) / 3
    y = Poisson().sample(rng, x @ rng.standard_normal(10) + constant)
    state, status = VAMP(GramSpectrum(Design(x)), y, None, Poisson(), intercept=True).run()
    assert status == Status.converged
    assert state.intercept == pytest.approx(constant, abs=0.1)
    gamp, status = GAMP(x * np.sqrt(10), y, None, Poisson(), 0.0, 10, intercept_variance=100.0, variances="vector").run()
    assert status == Status.converged
    assert gamp.intercept == pytest.approx(constant, abs=0.1)
