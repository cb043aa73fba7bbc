"""Corners of optimal inference: several maxima of a likelihood, several stable branches, no noise, little noise, tails, odd priors."""

import pickle

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.equivalence.prior_side import Independent
from gaussequiv.ingredients.channels.base import Sign
from gaussequiv.learners.bayes.fixed_points import Potential


def square(z):
    return z**2


def wave(z):
    return np.sin(3 * z)


@pytest.mark.parametrize("function, noise, y", [(square, 0.01, 1.3), (square, 1e-4, 1.3), (wave, 1e-4, 0.6), (np.tanh, 1e-6, 0.6)])
@pytest.mark.parametrize("omega, V", [(0.3, 1.0), (-1.0, 0.4)])
def test_every_field_that_explains_a_label_counts(function, noise, y, omega, V):
    """log Z, g and dg against a trapezoidal rule of two million points."""
    channel = ge.Output(function, noise)
    z = np.linspace(omega - 10 * np.sqrt(V), omega + 10 * np.sqrt(V), 2_000_001)
    exponent = channel.log_likelihood(y, z) - 0.5 * (z - omega) ** 2 / V
    weight = np.exp(exponent - exponent.max())
    total = np.trapezoid(weight, z)
    mean = np.trapezoid(weight * z, z) / total
    spread = np.trapezoid(weight * (z - mean) ** 2, z) / total
    log_Z = exponent.max() + np.log(total) - 0.5 * np.log(2 * np.pi * V)
    g, dg = channel.g_out(np.array([y]), np.array([omega]), V)
    assert float(channel.log_partition(np.array([y]), np.array([omega]), V)[0]) == pytest.approx(log_Z, abs=1e-9)
    assert float(g[0]) == pytest.approx((mean - omega) / V, abs=1e-9)
    assert float(dg[0]) == pytest.approx((spread - V) / V**2, abs=1e-8)


def test_a_half_line_without_likelihood():
    rectified = ge.Poisson(lambda z: np.maximum(z, 0), kinks=(0.0,))
    g, _ = rectified.g_out(np.array([1.0]), np.array([0.3]), 1.0)
    assert float(g[0]) == pytest.approx(0.693482, abs=1e-6)


@pytest.mark.parametrize("t", [-1e3, -1e5, -1e9])
def test_sign_labels_in_the_far_tail(t):
    g, dg = Sign().g_out(np.array([1.0]), np.array([t]), 1.0)
    assert float(g[0]) == pytest.approx(-t - 1 / t, rel=1e-9)
    assert float(dg[0]) == pytest.approx(-1.0, abs=2e-6)


def test_quantised_labels_of_almost_known_fields():
    g, dg = ge.Quantised((-1.0, 1.0)).g_out(np.array([1.0, 2.0]), np.array([5.0, -3.0]), 1e-18)
    assert np.allclose(g, [-4e18, 4e18]) and np.allclose(dg, -1e18)


def test_information_below_weak_recovery_is_not_zero():
    """Phase retrieval with noise 0.1: alpha (Psi(1) - Psi(0)), by independent quadrature."""
    problem = ge.Problem(ge.LinearTarget(labels=ge.AbsoluteValue(0.1)))
    expected = [0.14447, 0.28894]
    for found in (ge.solve(problem, [0.2, 0.4]), ge.information(problem, [0.2, 0.4])):
        assert found.mutual_information.values == pytest.approx(expected, abs=1e-5)


def test_information_without_noise():
    """All of a discrete prior's entropy, infinite for a density, finite with the least noise."""
    alpha = [0.2, 1.0]
    for verb in (ge.solve, ge.information):
        assert verb(ge.Problem(ge.LinearTarget("rademacher")), alpha).mutual_information.values == pytest.approx(np.log(2))
        assert np.all(np.isinf(verb(ge.Problem(ge.LinearTarget("gauss-bernoulli:0.3", labels="abs")), alpha).mutual_information))
    noisy = ge.information(ge.Problem(ge.LinearTarget(labels=ge.AbsoluteValue(1e-12))), [0.6])
    assert float(noisy.label_noise_entropy[0]) == pytest.approx(0.5 * np.log(2 * np.pi * np.e * 1e-12), abs=1e-4)


def test_more_than_two_stable_branches():
    """Weights near +-1.03, +-0.97 with little noise: their signs are found first, their sizes later."""
    prior = ge.Discrete((-1.03, -0.97, 0.97, 1.03), (0.25, 0.25, 0.25, 0.25))
    problem = ge.Problem(ge.LinearTarget(prior, noise=1e-5))
    first, second = ge.thresholds(problem).transitions[:2]
    assert first.information_theoretic < second.information_theoretic
    between = 0.5 * (first.information_theoretic + second.information_theoretic)
    found = ge.fixed_points(problem, [between])
    entropies = found.free_entropy.values[:, 0]
    assert found.free_entropy.sel(branch=str(found.equilibrium.values[0])).item() == np.nanmax(entropies)
    assert float(ge.solve(problem, [between]).free_entropy[0]) == pytest.approx(np.nanmax(entropies), abs=1e-9)


def test_a_users_gaussian_prior_has_no_transition():
    user = ge.thresholds(ge.Problem(ge.LinearTarget(ge.LogDensity(lambda x: -x * x / 2))))
    assert user.transitions == () and user.perfect == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("R", [1.0, 1e4, 1e8, 1e10])
def test_a_uniform_prior_closes_at_every_precision(R):
    side = Independent(ge.LogDensity(lambda x: 0 * x, support=(-1, 1)), 1.0)
    known = side.at(R)
    assert known.q + known.left == pytest.approx(1 / 3, rel=1e-9)


def test_a_prior_with_a_mean_needs_centred_inputs():
    prior = ge.LogDensity(lambda x: -2 * (x - 1) ** 2)
    with pytest.raises(ge.ArgumentError, match="prior"):
        ge.Problem(ge.LinearTarget(prior, noise=0.1), ge.GaussianInputs(mean=0.5)).equivalent()
    ge.Problem(ge.LinearTarget(prior, noise=0.1), ge.GaussianInputs("power-law:0.5")).equivalent()


def test_too_little_noise_is_refused_by_name():
    with pytest.raises(ge.ArgumentError, match="labels"):
        ge.Output(np.tanh, 1e-9).information(0.5, 0.5)


def test_ends_of_the_curve():
    assert ge.thresholds(ge.Problem(ge.LinearTarget("rademacher", noise=1.1e9))).transitions == ()
    found = Potential(ge.Problem(ge.LinearTarget("rademacher", noise=0.1)).equivalent())
    assert found.chosen(float(found.alphas[-1]), "equilibrium").q == pytest.approx(1.0, abs=1e-8)


def test_channels_and_problems_can_be_pickled():
    for target in (
        ge.LinearTarget(ge.LogDensity(np.cos, support=(-1, 1)), labels=ge.AbsoluteValue(0.1)),
        ge.LinearTarget("rademacher", labels=ge.Poisson(scale=2.0)),
        ge.LinearTarget(labels=ge.Output(np.tanh, 0.1)),
    ):
        again = pickle.loads(pickle.dumps(ge.Problem(target)))
        assert float(ge.solve(again, [1.0]).test_error[0]) == float(ge.solve(ge.Problem(target), [1.0]).test_error[0])


def test_counts_are_checked():
    with pytest.raises(ge.ArgumentError, match="integers"):
        ge.Poisson().g_out(np.array([0.5]), np.zeros(1), 1.0)
    with pytest.raises(ge.ArgumentError, match="counts"):
        ge.Poisson().g_out(np.array([-1.0]), np.zeros(1), 1.0)


def test_an_empty_draw_of_sparse_weights_is_left_alone():
    target = ge.LinearTarget("gauss-bernoulli:0.01")
    drawn = [target.sample(np.random.default_rng(k), 20, normalise=True).readout for k in range(20)]
    assert all(np.all(np.isfinite(w)) for w in drawn) and any(not np.any(w) for w in drawn)


def test_phase_diagrams_are_run_again():
    problem = ge.Problem(ge.LinearTarget("gauss-bernoulli:0.1", noise=1e-4))
    found = ge.phase_diagram(problem, {"density": [0.1, 0.3]}, [0.1, 0.3], progress=False)
    assert np.array_equal(ge.rerun(found).phase, found.phase)
    with pytest.raises(ge.ArgumentError, match="over"):
        ge.phase_diagram(problem, {"density": []}, [0.1])
    pairs = ge.phase_diagram(ge.Problem(ge.LinearTarget(labels="sign")), {"flips": [(0.1, 0.2), (0.0, 0.1)]}, [1.0], progress=False)
    assert pairs.flips.values.tolist() == ["(0.1, 0.2)", "(0.0, 0.1)"]
