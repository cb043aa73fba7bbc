"""R-hat and effective sample size: chains of known correlation, an independent implementation, failures that they must see."""

import numpy as np
import pytest

from gaussequiv.errors import ArgumentError
from gaussequiv.numerics.diagnostics import (
    effective_sample_size,
    mean_standard_error,
    potential_scale_reduction,
    r_hat,
    rank_normalise,
    split_chains,
)


def autoregressive(rho, draws, seed, chains=4, shape=()):
    noise = np.random.default_rng(seed).standard_normal((chains, draws, *shape))
    x = noise.copy()
    for i in range(1, draws):
        x[:, i] = rho * x[:, i - 1] + np.sqrt(1 - rho**2) * noise[:, i]
    return x


@pytest.mark.parametrize("rho", [-0.5, 0.0, 0.5, 0.9])
def test_autoregressive_chains_have_their_exact_effective_size(rho):
    """N (1 - rho)/(1 + rho); the truncated sum is biased by a few autocorrelation times over N, which is the 5% allowed."""
    draws, seeds = 4000, 24
    exact = 4 * draws * (1 - rho) / (1 + rho)
    found = effective_sample_size(autoregressive(rho, draws, 1, shape=(seeds,))) / exact
    assert abs(found.mean() - 1) < 0.05 + 4 * found.std(ddof=1) / np.sqrt(seeds)


def test_the_standard_error_of_a_mean_covers_it():
    x = autoregressive(0.8, 2000, 2, shape=(400,))
    z = x.mean(axis=(0, 1)) / mean_standard_error(x)
    assert abs(z.mean()) < 4 / 20
    assert abs(np.mean(z**2) - 1) < 4 * np.sqrt(2 / 400) + 0.05


def test_the_scale_reduction_of_four_draws():
    """W = 2 and B/n = var(1, 2) = 1/2: sqrt((W/2 + 1/2)/W)."""
    assert potential_scale_reduction(np.array([[0.0, 2.0], [1.0, 3.0]])) == pytest.approx(np.sqrt(0.75), rel=1e-14)


def exact_size(z):
    """N/tau of chains as they are, the sum of Vehtari et al. 2021 term by term: pairs until one is negative, monotone, one even term."""
    chains, n = z.shape
    centred = z - z.mean(axis=1, keepdims=True)
    covariance = [np.mean([c[: n - t] @ c[t:] / n for c in centred]) for t in range(n)]
    within = covariance[0] * n / (n - 1)
    plus = covariance[0] + z.mean(axis=1).var(ddof=1)
    rho = [1.0] + [1 - (within - covariance[t] * n / (n - 1)) / plus for t in range(1, n)]
    total, last, t = -1.0, np.inf, 0
    while t + 1 < n and (pair := rho[t] + rho[t + 1]) >= 0:
        last = min(last, pair)
        total, t = total + 2 * last, t + 2
    rest = max(rho[t], 0.0) if t + 1 < n else 0.0
    return chains * n / max(total + rest, 1 / np.log10(chains * n)), rest


def test_the_effective_size_is_its_sum_term_by_term():
    rests = []
    for seed, rho in enumerate([-0.4, 0.0, 0.6, 0.9] * 6):
        x = autoregressive(rho, 20 + seed, seed)
        size, rest = exact_size(rank_normalise(split_chains(x)))
        rests.append(rest)
        assert effective_sample_size(x) == pytest.approx(size, rel=1e-10)
        assert mean_standard_error(x) == pytest.approx(x.std(ddof=1) / np.sqrt(exact_size(split_chains(x))[0]), rel=1e-10)
    assert np.mean(np.array(rests) > 0.01) > 0.1


@pytest.mark.slow
def test_both_agree_with_an_independent_implementation():
    diagnostics = pytest.importorskip("blackjax.diagnostics")
    for rho, draws in [(0.7, 501)]:
        x = autoregressive(rho, draws, 3)
        assert effective_sample_size(x) == pytest.approx(float(diagnostics.ess_bulk(x)), rel=0.02)  # the last pair is treated otherwise
        assert r_hat(x) == pytest.approx(float(diagnostics.rhat(x)), abs=1e-5)


def test_r_hat_is_near_one_for_chains_of_one_law():
    assert np.all(r_hat(autoregressive(0.5, 4000, 4, shape=(20,))) < 1.01)


@pytest.mark.parametrize("spoil", ["mean", "scale", "drift"])
def test_r_hat_sees_chains_that_disagree(spoil):
    x = autoregressive(0.2, 1000, 5)
    if spoil == "mean":
        x[0] += 2
    elif spoil == "scale":
        x[0] *= 4
    else:
        x += np.linspace(0, 3, 1000)
    assert r_hat(x) > 1.05


def test_disagreeing_chains_have_few_effective_draws():
    x = autoregressive(0.0, 1000, 6) + 5 * np.arange(4)[:, None]
    assert effective_sample_size(x) < 10


def test_trailing_axes_are_separate_quantities():
    x = autoregressive(0.3, 300, 7, shape=(2, 3))
    assert r_hat(x).shape == effective_sample_size(x).shape == (2, 3)
    assert effective_sample_size(x)[1, 2] == effective_sample_size(x[:, :, 1, 2])


def test_a_constant_has_no_diagnostics():
    assert np.isnan(r_hat(np.ones((4, 10))))
    assert np.isnan(effective_sample_size(np.ones((4, 10))))


def test_monotone_transformations_change_nothing():
    x = autoregressive(0.5, 400, 8)
    assert effective_sample_size(np.exp(3 * x)) == pytest.approx(effective_sample_size(x), rel=1e-12)


def test_too_few_draws_are_refused():
    with pytest.raises(ArgumentError, match="at least 4 draws"):
        r_hat(np.ones((4, 3)))


def test_one_chain_that_moves_halfway_is_worth_few_draws():
    """Its halves are two chains that disagree: the variance between them belongs to the total."""
    noise = np.random.default_rng(0).standard_normal(2000)
    moved = noise + np.repeat([-3.0, 3.0], 1000)
    assert effective_sample_size(moved[None]) < 10
    assert effective_sample_size(noise[None]) > 1500
