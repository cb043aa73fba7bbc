"""Priors: closed forms against quadrature, derivatives, draws, and errors that name the argument."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaussequiv import ArgumentError
from gaussequiv.ingredients.priors import named as priors
from gaussequiv.ingredients.priors.log_density import LogDensity
from gaussequiv.ingredients.priors.named import Discrete, GaussBernoulli, Gaussian, Rademacher, SparseRademacher

ALL = (
    Gaussian(),
    Gaussian(0.3),
    Rademacher(),
    GaussBernoulli(0.2),
    GaussBernoulli(0.7, 2.0),
    SparseRademacher(0.4),
    GaussBernoulli(1.0),
    Discrete((-1, 0.5, 2), (0.5, 0.4, 0.1)),
)
ids = [prior.name for prior in ALL]


@pytest.mark.parametrize("prior", ALL, ids=ids)
@given(A=st.floats(0, 50), b=st.floats(-30, 30))
@settings(max_examples=40, deadline=None)
def test_mean_and_variance_are_derivatives_of_log_partition(prior, A, b):
    h = 1e-4
    z = prior.posterior(A, b + h * np.array([-1.0, 0.0, 1.0]))
    assert np.allclose((z.log_partition[2] - z.log_partition[0]) / (2 * h), z.mean[1], rtol=1e-6, atol=1e-7)
    assert np.allclose((z.mean[2] - z.mean[0]) / (2 * h), z.variance[1], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("A, b", [(0.0, 0.0), (1e-3, 0.02), (1.0, 0.7), (100.0, -90.0), (1e6, 3e5)])
def test_a_users_log_density_gives_the_closed_forms(A, b):
    user, own = LogDensity(lambda x: -(x**2) / 0.6).posterior(A, b), Gaussian(0.3).posterior(A, b)
    assert np.allclose(user, own, rtol=1e-11, atol=1e-13)


def test_a_users_mixture_matches_a_slab_and_spike_in_the_limit():
    def log_mixture(x):
        spike, slab = -0.5 * (x / 1e-3) ** 2 - np.log(1e-3), -0.5 * x**2
        return np.logaddexp(np.log(0.8) + spike, np.log(0.2) + slab)

    user = LogDensity(log_mixture, kinks=tuple(1e-3 * k for k in range(-9, 10, 2)))
    b = np.array([0.3, 2.0, 9.0])
    assert np.allclose(user.posterior(3.0, b).mean, GaussBernoulli(0.2).posterior(3.0, b).mean, atol=3e-6)


@pytest.mark.parametrize("prior", [*ALL, LogDensity(lambda x: -abs(x), kinks=(0.0,))])
def test_draws_have_the_moments(prior):
    x = prior.sample(np.random.default_rng(0), 200_000)
    spread = x**2
    assert abs(spread.mean() - prior.second_moment) < 4 * spread.std() / np.sqrt(x.size) + 1e-12
    assert abs(x.mean() - float(prior.posterior(0.0, 0.0).mean)) < 4 * np.sqrt(prior.second_moment / x.size)
    assert np.all(np.abs(x) <= prior.largest)


@pytest.mark.parametrize("prior", ALL, ids=ids)
@pytest.mark.parametrize("r", [0.1, 3.0, 1e4])
def test_the_marginal_density_of_the_observation(prior, r):
    b = np.sqrt(r) * np.array([-3.0, 0.1, 2.0, 7.0])
    expected = prior.posterior(r, b).log_partition - b * b / (2 * r) - 0.5 * np.log(2 * np.pi * r)
    assert np.allclose(prior.log_marginal(r, b), expected, rtol=1e-10, atol=1e-10)


def test_names_are_parsed_and_kept():
    for prior in ALL[:-1]:
        assert priors.get(prior.name) == prior
    assert priors.get(Rademacher()) == Rademacher()
    assert priors.get(lambda x: -(x**2) / 2).second_moment == pytest.approx(1.0, abs=1e-12)


def test_a_bounded_support_is_kept():
    box = LogDensity(lambda x: 0 * x, support=(-1, 2))
    assert box.second_moment == pytest.approx(1.0, abs=1e-13)
    assert box.posterior(0.0, 0.0).mean == pytest.approx(0.5, abs=1e-13)
    assert box.posterior(1e4, 1e5).mean == pytest.approx(2.0, abs=2e-4)  # pushed against the upper end


@pytest.mark.parametrize(
    "bad, words",
    [
        ("rademachr", "Did you mean"),
        ("gauss-bernoulli", "prior"),
        ("gauss-bernoulli:1.5", "density"),
        (3, "prior"),
        ("gaussian:-1", "variance"),
    ],
)
def test_bad_priors_are_named(bad, words):
    with pytest.raises(ArgumentError, match=words):
        priors.get(bad)


def test_a_heavy_tail_or_an_unresolved_density_is_refused():
    with pytest.raises(ArgumentError, match="falls by 42"):
        LogDensity(lambda x: -np.log1p(x**2))
    with pytest.raises(ArgumentError, match="declare kinks"):
        LogDensity(lambda x: -abs(x - 0.1))
    with pytest.raises(ArgumentError, match="two rules"):
        LogDensity(lambda x: np.where(np.abs(np.sin(200 * x)) > 0.9, 0.0, -30.0) - x**2 / 2)
