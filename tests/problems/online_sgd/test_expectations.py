"""Averages over student and teacher fields: closed forms against nodes, and both against formulas of others."""

import jax
import numpy as np
import pytest
from scipy import integrate, special, stats

from gaussequiv.ingredients.activations.base import Activation, get
from gaussequiv.problems.online_sgd import expectations
from gaussequiv.problems.online_sgd.expectations import averages_of, how

ERF, RELU, TANH = get("erf"), get("relu"), get("tanh")
GAINS = (0.7, 1.1)
SIGNS = np.array([0.6, -1.1, -0.8, -1.3])


def covariance(seed, units):
    """Of fields of variance about one."""
    rows = np.random.default_rng(seed).standard_normal((units, 2 * units))
    return rows @ rows.T / (2 * units)


def at(averages, C, s, noise=0.0):
    """error, outputs, slopes of all units (K, K + M), bend, diffusion."""
    with jax.enable_x64(True):
        seen = averages(C, s, noise)
        K = seen.outputs.size
        slopes = np.concatenate([seen.slopes, -np.asarray(seen.towards) / s[K:]], axis=1)
        return [np.asarray(value) for value in (seen.error, seen.outputs, slopes, seen.bend, seen.diffusion)]


@pytest.mark.parametrize(("K", "M"), [(2, 2), (1, 2), (3, 1), (1, 1), (3, 3)])
def test_the_error_function_by_nodes_is_its_closed_form(K, M):
    """The same function under another class: pairs to nearly all digits, the diffusion as far as its points reach."""
    plain = Activation(special.erf, name="plain")
    C, s = covariance(K + 10 * M, K + M), np.append(SIGNS, (0.4, 0.9))[: K + M]
    closed = at(averages_of(ERF, ERF, GAINS, (K, M)), C, s)
    nodes = at(averages_of(plain, plain, GAINS, (K, M)), C, s)
    for one, other in zip(closed[:4], nodes[:4], strict=True):
        assert one.shape == other.shape
        assert other == pytest.approx(one, rel=1e-6, abs=1e-6)
    assert nodes[4] == pytest.approx(closed[4], abs=np.abs(closed[4]).max() * (1e-3 if K + M < 4 else 5e-3))
    points = at(expectations._by_points(plain, plain, K, M, np.repeat(GAINS, (K, M))), C, s)
    for one, other in zip(closed, points, strict=True):
        assert other == pytest.approx(one, abs=1e-2 * np.abs(one).max())


def test_it_is_said_how_averages_are_found():
    assert how(ERF, ERF, (3, 3)) == "closed forms"
    assert how(TANH, ERF, (3, 3)) == "drift by a grid of pairs, diffusion by 32768 Sobol points"
    assert how(TANH, TANH, (1, 2)) == "drift by a grid of pairs, diffusion by a grid of 29 nodes a unit"
    assert how(RELU, RELU, (1, 1)) == "drift by closed forms, diffusion by 32768 Sobol points"
    assert how(RELU, TANH, (1, 1)) == "drift by 32768 Sobol points, diffusion by 32768 Sobol points"


@pytest.mark.parametrize(
    ("student", "digits"),
    [(RELU, 1e-8), (Activation(lambda x: np.maximum(x, 0), kinks=(0.0,)), 5e-3), (Activation(lambda x: np.maximum(x, 0)), 5e-3)],
    ids=["closed", "points", "not declared"],
)
def test_kinked_units_have_the_arc_cosine_averages(student, digits):
    """relu: E g g, E g' g' (Cho, Saul 2009) and E g'' g = E delta(u) relu(w), at two units of each network."""
    C, s = covariance(3, 4), SIGNS
    seen = at(averages_of(student, RELU, (1.0, 1.0), (2, 2)), C, s)
    root = np.sqrt(np.diag(C))
    theta = np.arccos(np.clip(C / np.outer(root, root), -1, 1))
    product = np.outer(root, root) * (np.sin(theta) + (np.pi - theta) * np.cos(theta)) / (2 * np.pi)
    beside = np.sqrt(np.maximum(np.diag(C)[None, :] - C**2 / np.diag(C)[:, None], 0)) / (2 * np.pi * root[:, None])
    assert seen[0] == pytest.approx(s @ product @ s, rel=digits)
    assert seen[1] == pytest.approx((product @ s)[:2], abs=digits)
    assert seen[2] == pytest.approx(((np.pi - theta) / (2 * np.pi))[:2], abs=digits)
    assert seen[3] == pytest.approx((beside @ s)[:2], abs=digits)


def test_squares_are_polynomials_that_the_nodes_integrate_exactly():
    """g = x^2: every average by Isserlis' theorem, here for one unit each."""
    square = Activation(lambda x: x**2, name="square")
    (q, r), (_, t) = C = np.array([[0.8, 0.5], [0.5, 1.3]])
    v, a = 0.7, -1.2
    error, outputs, slopes, bend, diffusion = at(averages_of(square, square, (1.0, 1.0), (1, 1)), C, np.array([v, a]))
    assert error == pytest.approx(3 * v * v * q * q + 2 * v * a * (q * t + 2 * r * r) + 3 * a * a * t * t, rel=1e-10)
    assert outputs[0] == pytest.approx(3 * v * q * q + a * (q * t + 2 * r * r), rel=1e-10)
    assert slopes[0] == pytest.approx([4 * q, 4 * r], rel=1e-10)
    assert bend[0] == pytest.approx(2 * (v * q + a * t), rel=1e-10)
    mixed = 3 * q * q * t + 12 * q * r * r  # E u^4 w^2
    last = 3 * q * t * t + 12 * t * r * r  # E u^2 w^4
    assert diffusion[0, 0] == pytest.approx(4 * (15 * v * v * q**3 + 2 * v * a * mixed + a * a * last), rel=1e-10)


def test_a_smooth_unit_by_adaptive_quadrature():
    C, s = np.array([[0.9, 0.4], [0.4, 1.1]]), np.array([0.8, -1.1])
    seen = at(averages_of(TANH, TANH, (1.0, 1.3), (1, 1)), C, s)
    law = stats.multivariate_normal([0, 0], C)

    def over(f):
        return integrate.dblquad(lambda y, x: f(x, y) * law.pdf([x, y]), -8, 8, -8, 8, epsabs=1e-9)[0]

    def delta(x, y):
        return s[0] * np.tanh(x) + s[1] * np.tanh(1.3 * y)

    def first(x):
        return 1 - np.tanh(x) ** 2

    assert seen[0] == pytest.approx(over(lambda x, y: delta(x, y) ** 2), rel=1e-6)
    assert seen[1][0] == pytest.approx(over(lambda x, y: np.tanh(x) * delta(x, y)), rel=1e-6)
    assert seen[2][0, 1] == pytest.approx(over(lambda x, y: first(x) * 1.3 * first(1.3 * y)), rel=1e-6)
    assert seen[3][0] == pytest.approx(over(lambda x, y: -2 * np.tanh(x) * first(x) * delta(x, y)), rel=1e-5)
    assert seen[4][0, 0] == pytest.approx(over(lambda x, y: (first(x) * delta(x, y)) ** 2), rel=1e-5)


@pytest.mark.parametrize("activation", [ERF, TANH, RELU])
def test_units_that_coincide_are_no_singularity(activation):
    """Two students alike, and one that is the teacher: C has rank one."""
    C = np.ones((4, 4))
    seen = at(averages_of(activation, activation, (1.0, 1.0), (2, 2)), C, np.array([0.5, 0.5, -1.0, -1.0]))
    assert all(np.all(np.isfinite(value)) for value in seen)
    assert seen[2] == pytest.approx(np.full((2, 4), seen[2][0, 0]), rel=1e-9)


@pytest.mark.parametrize("activation", [ERF, Activation(lambda x: np.maximum(x, 0), kinks=(0.0,))], ids=["pairs", "points"])
def test_noise_of_labels_adds_to_the_error_and_to_the_diffusion(activation):
    C = covariance(3, 4)
    plain, noisy = (at(averages_of(activation, activation, (1.0, 1.0), (2, 2)), C, SIGNS, noise) for noise in (0.0, 0.3))
    assert noisy[0] == pytest.approx(plain[0] + 0.3, rel=1e-12)
    assert noisy[4] == pytest.approx(plain[4] + 0.3 * plain[2][:, :2], rel=1e-12)
    assert all(np.array_equal(noisy[i], plain[i]) for i in (1, 2, 3))


def test_sums_over_points_do_not_jump_where_eigenvalues_cross():
    """Two fields whose eigenvectors turn by a right angle between two covariances that hardly differ."""
    averages = averages_of(get("hermite:3"), get("hermite:3"), (1.0, 1.0), (3, 3))
    C = np.eye(6) + 0.1
    C[4:, :4] = C[:4, 4:] = 0.0
    step = np.zeros((6, 6))
    step[4, 4], step[5, 5], step[0, 0] = 1e-9, -1e-9, 1e-9
    s = np.array([1.0, 0.5, -0.3, -1.0, 0.7, 0.2])
    with jax.enable_x64(True):
        ahead, behind = (np.asarray(averages(C + sign * step, s, 0.0).diffusion) for sign in (1, -1))
    assert np.abs(ahead - behind).max() < 1e-5 * np.abs(ahead).max()
