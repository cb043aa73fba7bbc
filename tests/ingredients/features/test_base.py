"""Student features: three routes to one spectrum, given weights, matrices, and what they refuse."""

import numpy as np
import pytest

from gaussequiv.errors import ArgumentError
from gaussequiv.ingredients.activations import base as acts
from gaussequiv.ingredients.activations.neurons import neuron_moments
from gaussequiv.ingredients.features.base import FeatureMatrix, GivenFeatures, RandomFeatures
from gaussequiv.ingredients.features.deterministic import LayerModes, next_layer, transforms
from gaussequiv.ingredients.features.modes import explicit_modes, layer_moments, marchenko_pastur_modes
from gaussequiv.ingredients.inputs.base import DataInputs, GaussianInputs

ISOTROPIC = GaussianInputs()


def stieltjes(modes, z):
    """mean 1/(w+z), mean t/(w+z) over the modes."""
    inverse = 1 / (np.asarray(z)[:, None] + modes.eigenvalues)
    return inverse @ modes.weights, inverse @ (modes.weights * modes.overlap)


@pytest.mark.parametrize("ratio", [0.3, 0.97, 1.0, 3.0, 40.0])
def test_marchenko_pastur_closed_form(ratio):
    """The resolvent of k1^2 F F' + k*^2 has a closed form: the quadratic of the Marchenko-Pastur law."""
    modes = RandomFeatures("tanh", ratio=ratio, weight_variance=4).modes(ISOTROPIC, None)
    layer = layer_moments((acts.get("tanh"),), (4.0,), 1.0)[0]
    a, b = 4 * layer.slope2, layer.rest
    z = np.geomspace(1e-3, 1e3, 13)
    x = (z + b) / a  # g = mean 1/(e + x) solves ratio x g^2 + (x + 1 - ratio) g - 1 = 0
    c = x + 1 - ratio
    g = 2 / (c + np.sqrt(c * c + 4 * ratio * x))
    assert np.allclose(stieltjes(modes, z)[0], g / a, rtol=1e-9, atol=0)
    assert np.allclose(stieltjes(modes, z)[1], ratio * (1 - x * g), rtol=1e-9, atol=0)  # t = ratio a e
    assert modes.weights.sum() == pytest.approx(1, abs=1e-14)


@pytest.mark.parametrize("ratio", [0.3, 0.97, 1.0, 3.0, 40.0])
@pytest.mark.parametrize("activation", ["tanh", "relu", "sign"])
def test_deterministic_equals_analytic(ratio, activation):
    z = np.geomspace(1e-4, 1e4, 17)
    analytic, deterministic = (
        RandomFeatures(activation, ratio=ratio, spectrum=s).modes(ISOTROPIC, None) for s in ("analytic", "deterministic")
    )
    for exact, found in zip(stieltjes(analytic, z), stieltjes(deterministic, z), strict=True):
        assert np.allclose(found, exact, rtol=3e-9, atol=0)
    assert deterministic.mean_square == analytic.mean_square
    assert np.all(deterministic.weights > 0) and np.all(deterministic.overlap >= 0)
    assert deterministic.eigenvalues.size < 60


@pytest.mark.parametrize("spectrum", ["power-law:0.3", "power-law:0.5", "power-law:0.9", "two-level:4:0.2:0.1667", "two-level:4:0:0.1667"])
def test_discrete_modes_carry_the_self_consistent_transforms(spectrum):
    """At points off the fit's grid, including far tails (PowerLaw's second moment is infinite above 0.5)."""
    w, mass = GaussianInputs(spectrum).modes(None)
    below = LayerModes(w, mass, w**2)
    z = np.geomspace(1e-4, 1e5, 23)
    for psi in (0.5, 1.0, 3.0):
        exact, modes = transforms(z, below, 0.4, 0.05, psi), next_layer(below, 0.4, 0.05, psi)
        inverse = 1 / (z[:, None] + modes.w)
        assert np.allclose(inverse @ modes.mass, exact.resolvent, rtol=3e-9, atol=0)
        assert np.allclose(inverse @ (modes.mass * modes.overlap), exact.overlap, rtol=3e-9, atol=3e-12 * exact.overlap.max())


@pytest.mark.parametrize(
    ("features", "inputs"),
    [
        ({"activations": "tanh", "ratio": 1.5, "weight_variance": 4}, {"spectrum": "power-law:0.8"}),
        ({"activations": ("tanh", "relu"), "ratio": (1.5, 0.7), "weight_variance": (4, 2)}, {}),
        ({"activations": "erf", "depth": 3, "ratio": (2, 1, 1.5)}, {"spectrum": "two-level:4:0.2:0.1667"}),
    ],
)
def test_sampled_spectra_tend_to_the_deterministic_ones(features, inputs):
    law = GaussianInputs(**inputs)
    z = np.array([1e-2, 0.1, 1.0, 10.0])
    d = 400
    exact = stieltjes(RandomFeatures(spectrum="deterministic", **features).modes(law, d), z)
    for seed in range(2):
        drawn = RandomFeatures(spectrum="sampled", seed=seed, **features).modes(law, d)
        for found, limit in zip(stieltjes(drawn, z), exact, strict=True):
            assert np.allclose(found, limit, rtol=15 / d, atol=0)  # fluctuations of linear statistics are O(1/d): measured up to 9/d


def test_routes():
    assert RandomFeatures("relu").modes(ISOTROPIC, None).route == "Marchenko-Pastur"
    assert RandomFeatures("relu").modes(GaussianInputs("power-law:0.5"), 50).route == "self-consistent equations"
    assert RandomFeatures(("tanh", "relu")).modes(ISOTROPIC, 50).route == "self-consistent equations"
    for features, inputs in (
        (RandomFeatures("relu", depth=2), ISOTROPIC),
        (RandomFeatures("erf", bias_variance=0.1), ISOTROPIC),
        (RandomFeatures("erf"), GaussianInputs(mean=0.3)),
    ):
        assert "per neuron" in features.modes(inputs, 40).route
    for options, inputs in (
        ({"activations": "relu", "depth": 2, "spectrum": "deterministic"}, ISOTROPIC),
        ({"activations": "erf", "bias_variance": 0.1, "spectrum": "analytic"}, ISOTROPIC),
        ({"activations": "erf", "spectrum": "analytic"}, GaussianInputs("power-law:0.5")),
    ):
        with pytest.raises(ArgumentError, match="spectrum"):
            RandomFeatures(**options).modes(inputs, 40)


def test_a_hard_edge_is_refused_not_fitted_badly():
    with pytest.raises(ArgumentError, match="sampled"):
        RandomFeatures("linear", spectrum="deterministic", ratio=1.0).modes(GaussianInputs("two-level:4:0.2:0.1667"), None)


def test_means_serve_as_intercept():
    """ReLU at variance 1: E phi = 1/sqrt(2 pi), and the covariance has it removed (k*^2 = 1/4 - 1/(2 pi))."""
    modes = RandomFeatures("relu", ratio=2).modes(ISOTROPIC, None)
    assert modes.mean_square == pytest.approx(1 / (2 * np.pi), rel=1e-14)
    assert modes.eigenvalues.min() == pytest.approx(0.25 - 1 / (2 * np.pi), rel=1e-12)
    assert RandomFeatures("tanh", ratio=2, spectrum="sampled").modes(ISOTROPIC, 40).mean_square == 0
    assert RandomFeatures("tanh", ratio=2, bias_variance=0.3).modes(ISOTROPIC, 40).mean_square > 0.05


def test_even_activation_has_no_overlap():
    for spectrum in ("analytic", "deterministic"):
        modes = RandomFeatures("abs", spectrum=spectrum).modes(ISOTROPIC, None)
        assert modes.eigenvalues.tolist() == pytest.approx([1 - 2 / np.pi]) and not modes.overlap.any()


def test_given_features_are_the_sampled_ones():
    features = RandomFeatures(("relu", "tanh"), ratio=(1.5, 0.8), bias_variance=0.2)
    drawn = features.sample(np.random.default_rng((0, 30)), 30)
    given = GivenFeatures(list(drawn.weights), list(drawn.biases), ("relu", "tanh"))
    a, b = features.modes(ISOTROPIC, 30), given.modes(ISOTROPIC, None)
    assert np.array_equal(a.eigenvalues, b.eigenvalues) and np.array_equal(a.overlap, b.overlap)
    assert given.widths == (45, 24) and b.aspect == 0.8


def test_given_features_have_the_moments_of_monte_carlo():
    """First layer: means and variances are exact neuron by neuron, covariances up to the 1/d terms of the linearisation."""
    rng = np.random.default_rng(0)
    d, p, rows = 50, 20, 200_000
    sigma = rng.standard_normal((d, d))
    inputs = GaussianInputs(covariance=sigma @ sigma.T / d, mean=0.3)
    weight, bias = rng.standard_normal((d, p)) / np.sqrt(d), 0.5 * rng.standard_normal(p)
    modes = GivenFeatures([weight], [bias], "relu").modes(inputs, None)
    x = np.concatenate([inputs.rows((1,), d, 0, rows).block(1, s, min(s + 1024, rows)) for s in range(0, rows, 1024)])
    v = np.maximum(x @ weight + bias, 0)
    assert modes.mean_square == pytest.approx(float(np.mean(v.mean(axis=0) ** 2)), rel=0.01)
    assert modes.weights @ modes.eigenvalues == pytest.approx(float(v.var(axis=0).mean()), rel=0.01)
    cross = (v - v.mean(axis=0)).T @ (x - x.mean(axis=0)) / rows
    assert modes.weights @ modes.overlap == pytest.approx(float(np.sum(cross**2)) / d, rel=0.02)


def test_linear_identity_features_are_the_inputs():
    law = GaussianInputs("power-law:0.5")
    modes = GivenFeatures([np.eye(30)], activations="linear").modes(law, 30)
    w = np.sort(law._law.at(30))
    assert np.allclose(modes.eigenvalues, w, rtol=1e-12) and np.allclose(modes.overlap, w**2, rtol=1e-12)
    assert modes.aspect == 1 and modes.mean_square == 0


def test_feature_matrix():
    rng = np.random.default_rng(0)
    data = DataInputs(rng.standard_normal((200, 10)) * np.linspace(0.5, 2, 10))
    modes = FeatureMatrix(data.matrix + 3.0).modes(data, None)  # a mean on top: an intercept, nothing else
    w, _ = data.modes(None)
    assert np.allclose(np.sort(modes.eigenvalues), np.sort(w), rtol=1e-10)
    assert np.allclose(np.sort(modes.overlap), np.sort(w**2), rtol=1e-10)
    assert modes.mean_square == pytest.approx(9.0)
    with pytest.raises(ArgumentError, match="200 rows"):
        FeatureMatrix(data.matrix[:50]).check(data)
    with pytest.raises(ArgumentError, match="DataInputs"):
        FeatureMatrix(data.matrix).check(ISOTROPIC)


def test_explicit_modes_signal_never_exceeds_the_inputs():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((40, 12))
    v = np.tanh(x @ rng.standard_normal((12, 60)))
    x, v = x - x.mean(axis=0), v - v.mean(axis=0)
    modes = explicit_modes(v.T @ v / 40, v.T @ x / 40, np.zeros(60), 12, "")
    explained = np.divide(modes.overlap, modes.eigenvalues, out=np.zeros(60), where=modes.eigenvalues > 0)
    assert modes.weights @ explained == pytest.approx(float(np.trace(x.T @ x)) / 40 / 12, rel=1e-8)  # 60 > 40 rows: all of it


def test_neuron_moments():
    """ReLU against quadrature; Stein's E phi' of a step is the density."""
    rng = np.random.default_rng(0)
    b, s = rng.standard_normal(7), np.abs(rng.standard_normal(7)) + 0.1
    closed = neuron_moments(acts.get("relu"), b, s)
    numeric = neuron_moments(acts.Activation(lambda x: np.maximum(x, 0), kinks=(0.0,)), b, s)
    for x, y in zip(closed, numeric, strict=True):
        assert np.allclose(x, y, rtol=0, atol=1e-12)
    step = neuron_moments(acts.get("sign"), b, s)
    assert np.allclose(step.slope, 2 * np.exp(-0.5 * (b / s) ** 2) / np.sqrt(2 * np.pi) / s, rtol=1e-9)
    constant = neuron_moments(acts.get("tanh"), np.array([0.3]), np.zeros(1))
    assert constant.mean[0] == np.tanh(0.3) and constant.variance[0] == 0 == constant.slope[0]


def test_marchenko_pastur_scaled_inputs():
    """Isotropic inputs of variance 2: the same as weights of twice the variance, with overlaps twice as large."""
    layer = layer_moments((acts.get("erf"),), (1.0,), 2.0)[0]
    scaled = marchenko_pastur_modes(layer, 1.0, 2.0, 1.5)
    plain = RandomFeatures("erf", ratio=1.5, weight_variance=2).modes(ISOTROPIC, None)
    assert np.allclose(scaled.eigenvalues, plain.eigenvalues) and np.allclose(scaled.overlap, 2 * plain.overlap)
    assert np.allclose(RandomFeatures("erf", ratio=1.5).modes(GaussianInputs("identity:2"), None).overlap, scaled.overlap)


@pytest.mark.parametrize(
    "build",
    [
        lambda: RandomFeatures("erf", ratio=0),
        lambda: RandomFeatures("erf", depth=2, ratio=(1.0,)),
        lambda: RandomFeatures("erff"),
        lambda: RandomFeatures("erf", depth=0),
        lambda: RandomFeatures(()),
        lambda: RandomFeatures("erf", spectrum="exact"),
        lambda: RandomFeatures("erf", bias_variance=-1),
        lambda: GivenFeatures(np.eye(3)),
        lambda: GivenFeatures([]),
        lambda: GivenFeatures([np.ones((3, 4)), np.ones((5, 2))]),
        lambda: GivenFeatures([np.ones((3, 4))], [np.ones(3)]),
        lambda: GivenFeatures([np.ones((3, 4))], activations=("relu", "tanh")),
        lambda: GivenFeatures([np.full((3, 4), np.nan)]),
        lambda: FeatureMatrix(np.ones(3)),
    ],
)
def test_arguments(build):
    with pytest.raises(ArgumentError):
        build()
