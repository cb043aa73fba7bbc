"""Kernels: closed forms, the series against them, linear forms against the recursion and against derivatives."""

import numpy as np
import pytest

from gaussequiv.equivalence.depth import reduce_depth
from gaussequiv.errors import AccuracyWarning, ArgumentError
from gaussequiv.ingredients.activations import base as acts
from gaussequiv.ingredients.activations import dual_kernels
from gaussequiv.ingredients.features.base import RandomFeatures
from gaussequiv.ingredients.features.kernels import NNGP, NTK, DotProductKernel
from gaussequiv.ingredients.inputs.base import GaussianInputs
from gaussequiv.ingredients.targets.deep_network import DeepNetwork

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((300, 20)), RNG.standard_normal((40, 20))
OPTIONS = {"depth": 2, "weight_variance": (1.5, 2.0), "bias_variance": (0.1, 0.2), "readout_variance": 0.7, "readout_bias_variance": 0.05}


@pytest.mark.parametrize("activation", ["erf", "relu", "tanh", "gelu", "sine", "abs", "leaky_relu:0.2", "sign"])
@pytest.mark.parametrize("mean_square", [0.0, 0.3])
def test_nngp_linear_form_is_the_depth_recursion(activation, mean_square):
    """A kernel with the target's own architecture: C1 = s, nugget = tau0, C0 = the offset's variance."""
    linear = NNGP(activation, **OPTIONS).linearise(1.2, mean_square)
    reduction = reduce_depth(DeepNetwork(activation, **OPTIONS), 1.2, mean_square)
    assert linear.slope == pytest.approx(reduction.slope2, rel=1e-12)
    assert linear.nugget == pytest.approx(sum(reduction.noise), rel=1e-12)
    assert linear.constant == pytest.approx(reduction.offset_variance, rel=1e-12, abs=1e-14)


def angle_kernel(order):
    """Arc-cosine kernels of Cho and Saul 2009, eq. (3), (4), (6), for pairs of rows: order 0 (half-step) and 1 (ReLU), times 1/2."""
    dots, norms = X @ Y.T, np.linalg.norm(X, axis=1)[:, None] * np.linalg.norm(Y, axis=1)
    theta = np.arccos(dots / norms)
    shape = np.pi - theta if order == 0 else np.sin(theta) + (np.pi - theta) * np.cos(theta)
    return shape * norms**order / (2 * np.pi)


def test_arc_cosine_kernel():
    assert np.allclose(NNGP("relu").block(X, Y) * 20, angle_kernel(1), rtol=1e-12)
    assert np.allclose(NTK("relu").block(X, Y), (angle_kernel(1) + angle_kernel(0) * (X @ Y.T)) / 20, rtol=1e-11, atol=1e-15)


def test_arcsine_kernel():
    """Williams 1997, eq. (11)."""
    dots, x, y = 2 * X @ Y.T / 20, 1 + 2 * (X**2).mean(axis=1), 1 + 2 * (Y**2).mean(axis=1)
    assert np.allclose(NNGP("erf").block(X, Y), 2 / np.pi * np.arcsin(dots / np.sqrt(np.outer(x, y))), rtol=0, atol=1e-15)


@pytest.mark.parametrize("kernel", [NNGP, NTK])
@pytest.mark.parametrize("name", ["erf", "sine", "relu"])
def test_series_against_closed_forms(kernel, name):
    """The same function under another name takes the Hermite series; a kink makes it converge like k^-5/2 (tangent kernels need more)."""
    if kernel is NTK and name == "relu":
        return
    closed = acts.get(name)
    same = acts.Activation(lambda x: np.maximum(x, 0), kinks=(0.0,)) if name == "relu" else acts.Activation(closed.function)
    a, b = kernel(name, **OPTIONS), kernel(same, **OPTIONS)
    assert np.allclose(a.block(X, Y), b.block(X, Y), rtol=0, atol=1e-12)
    assert np.allclose(a.block(X), b.block(X), rtol=0, atol=1e-10)
    assert np.allclose(a.linearise(1.1, 0.2), b.linearise(1.1, 0.2), rtol=0, atol=1e-11)


@pytest.mark.parametrize("kernel", [NNGP("tanh", **OPTIONS), NTK("gelu", **OPTIONS), NNGP("relu"), DotProductKernel(np.exp)])
def test_blocks(kernel):
    """One block, a square one, and its parts are the same numbers; the square one is symmetric with the exact diagonal."""
    whole = kernel.block(X)
    assert np.array_equal(whole, whole.T)
    assert np.allclose(whole, kernel.block(X, X.copy()), rtol=1e-10, atol=1e-12)
    assert np.allclose(kernel.block(X[:7], X[150:]), whole[:7, 150:], rtol=1e-12, atol=1e-14)
    assert np.linalg.eigvalsh(whole)[0] > -1e-10
    assert whole.dtype == np.float64


@pytest.mark.parametrize("kernel", [NNGP("tanh", **OPTIONS), NTK("relu", **OPTIONS), NTK("tanh", **OPTIONS), NTK("erf", depth=3)])
def test_linear_form_is_value_slope_and_diagonal_of_the_true_kernel(kernel):
    """Two rows of square norm 2(1.2 + m) and overlap m + t: value and slope at t = 0, and the diagonal."""
    m, h = 0.2, 1e-4

    def at(overlap):
        norm = 1.2 + m
        one = np.array([[np.sqrt(2 * norm), 0.0]])
        two = np.array([[2 * overlap / np.sqrt(2 * norm), np.sqrt(2 * norm - (2 * overlap) ** 2 / (2 * norm))]])
        return float(kernel.block(one, two)[0, 0])

    linear = kernel.linearise(1.2, m)
    diagonal = float(kernel.block(np.array([[np.sqrt(2.8), 0.0]]))[0, 0])
    assert linear.constant == pytest.approx(at(m), rel=1e-12)
    assert linear.slope == pytest.approx((8 * at(m + h) - 8 * at(m - h) - at(m + 2 * h) + at(m - 2 * h)) / (12 * h), rel=1e-9)
    assert linear.constant + 1.2 * linear.slope + linear.nugget == pytest.approx(diagonal, rel=1e-10)


def test_wide_features_have_the_kernel():
    """Gram matrix of random features at k = 200 000 against the NNGP: entries within 6 standard errors 1/sqrt(k)."""
    features = RandomFeatures("relu", ratio=10_000, bias_variance=0.3)
    v = features.sample(np.random.default_rng(1), 20)(X[:12])
    kernel = NNGP("relu", bias_variance=0.3).block(X[:12])
    assert np.allclose(v @ v.T / v.shape[1], kernel, rtol=0, atol=6 * 2 * kernel.max() / np.sqrt(v.shape[1]))


def test_dot_product_kernel():
    linear = DotProductKernel(lambda t: (1 + t) ** 3).linearise(1.5, 0.5)
    assert linear == pytest.approx((1.5**3, 3 * 1.5**2, 27 - 1.5**3 - 3 * 1.5**2 * 1.5), rel=1e-10)
    assert DotProductKernel(np.exp, np.exp).linearise(1.0) == pytest.approx((1, 1, np.e - 2), rel=1e-14)
    assert np.allclose(DotProductKernel(np.exp).block(X, Y), np.exp(X @ Y.T / 20))
    with pytest.raises(ArgumentError, match="positive-definite"):
        DotProductKernel(lambda t: -t).linearise(1.0)
    with pytest.raises(ArgumentError):
        DotProductKernel("exp")


def test_modes():
    modes = NNGP("relu").modes(GaussianInputs("two-level:4:0.2:0.5"), None)
    linear = NNGP("relu").linearise(2.1)
    assert np.allclose(modes.eigenvalues, linear.slope * np.array([4, 0.2]))
    assert np.allclose(modes.overlap, linear.slope * np.array([16, 0.04]))
    assert (modes.aspect, modes.nugget, modes.mean_square) == (1.0, linear.nugget, linear.constant)
    assert NNGP("erf").modes(GaussianInputs(), None).mean_square == 0


def test_rows_at_zero_and_duplicates():
    """Zero rows (no direction) and equal rows in different blocks."""
    x = np.vstack([np.zeros((1, 20)), X[:3], X[:3]])
    for kernel in (NNGP("relu"), NNGP("tanh"), NTK("relu"), NNGP("erf", bias_variance=0.1)):
        block = kernel.block(x, x.copy())
        assert np.all(np.isfinite(block)) and np.allclose(block[1:4, 1:4], block[1:4, 4:], rtol=0, atol=1e-12)


def test_a_jump_has_no_tangent_kernel():
    with pytest.raises(ArgumentError, match="derivative"):
        NTK("sign").linearise(1.0)
    step = acts.Activation(lambda x: np.where(x > 0.3, 1.0, 0.0), kinks=(0.3,))
    with pytest.raises(ArgumentError, match="derivative"):
        NTK(step).linearise(1.0)


def test_an_unfinished_series_says_so():
    """A jump, and two rows of correlation 1 - 2e-6."""
    step = acts.Activation(lambda x: np.where(x > 0.3, 1.0, 0.0), kinks=(0.3,))
    x = X[:1].copy()
    y = x + 2e-3 * Y[:1]
    with pytest.warns(AccuracyWarning, match="same direction"):
        NNGP(step).block(x, y)


def test_many_rows_are_interpolated_in_their_variance():
    series = dual_kernels.get(acts.get("tanh"))
    s = np.linspace(0.5, 2.9, 200)
    a, second = series.coefficients(s, 64)
    exact, exact_second = series._exact(s, 64)
    assert np.allclose(a, exact, rtol=0, atol=1e-12) and np.allclose(second, exact_second, rtol=1e-12)


@pytest.mark.parametrize(
    "build", [lambda: NNGP("erf", depth=0), lambda: NNGP("erf", weight_variance=0), lambda: NTK("erf", readout_variance=-1)]
)
def test_arguments(build):
    with pytest.raises(ArgumentError):
        build()
    with pytest.raises(ArgumentError):
        NNGP("erf").block(X, Y[:, :3])
