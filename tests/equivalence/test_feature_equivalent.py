"""Students on features and kernels: two forms of the equations, limits, Bayes optimality of matched kernels, cards."""

from dataclasses import replace

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.equivalence.feature_equivalent import from_features
from gaussequiv.learners.convex.labels import linearise
from gaussequiv.learners.convex.optimal_lam import optimal_lam

TARGET = ge.DeepNetwork("tanh", depth=2, weight_variance=4, noise=0.1)
ALPHA = np.array([0.2, 0.9, 1.5, 4.0])


def random_equivalent(seed, task="regression", offset=None):
    """Arbitrary spectrum, masses and alignment (signal below its bound), aspect, nugget."""
    rng = np.random.default_rng(seed)
    base = ge.Problem(target=ge.DeepNetwork("tanh", noise=0.1, task=task, offset=offset)).equivalent()
    modes = int(rng.integers(3, 30))
    weights = rng.dirichlet(np.ones(modes))
    w = rng.gamma(1.0, size=modes) * rng.choice([0.0, 1.0], size=modes, p=[0.1, 0.9]) + 1e-3 * (seed % 2)
    v = rng.gamma(0.5, size=modes)
    v *= rng.uniform(0.3, 1.0) * base.signal_variance / (weights @ np.where(w > 0, v, 0))
    nugget = float(rng.choice([0.0, 0.3]))
    aspect = 1.0 if nugget else float(rng.uniform(0.3, 3))
    return replace(base, eigenvalues=w, weights=weights, alignment=np.where(w > 0, v * w, 0), aspect=aspect, nugget=nugget)


def replica(e, alpha, lam, c1, second):
    """Loureiro et al. 2021, eq. (3.4) for the square loss, iterated; c1 the labels' slope in the field, second their E y^2.

    V = mean w R + nugget/lam, q = mean (qh w + mh^2 t) w R^2, m = mh mean t R, R = 1/(lam + Vh w), Vh = a/(1+V), mh = a c1/(1+V),
    qh = a (second + q - 2 c1 m)/(1+V)^2.
    """
    a, w, t = alpha / e.aspect, e.eigenvalues, e.alignment
    V, q, m = 1.0 + e.nugget / lam, 0.1, 0.1
    for _ in range(200_000):
        Vh, mh, qh = a / (1 + V), a * c1 / (1 + V), a * (second + q - 2 * c1 * m) / (1 + V) ** 2
        R = 1 / (lam + Vh * w)
        new = (e.weights @ (w * R) + e.nugget / lam, e.weights @ ((qh * w + mh**2 * t) * w * R**2), mh * (e.weights @ (t * R)))
        change = max(abs(x - y) / max(abs(x), 1e-3) for x, y in zip(new, (V, q, m), strict=True))
        V, q, m = new
        if change < 1e-15:
            break
    return V, q, m


@pytest.mark.parametrize("seed", range(12))
def test_kappa_form_equals_replica_form(seed):
    e = random_equivalent(seed)
    lam = float(np.random.default_rng(100 + seed).choice([0.03, 0.3, 3.0]))
    curve = ge.Ridge(lam).solve(e, ALPHA)
    for i, alpha in enumerate(ALPHA):
        V, q, m = replica(e, alpha, lam, 1.0, e.rho)
        assert curve["V"][i] == pytest.approx(V, rel=1e-10)
        assert curve["q"][i] == pytest.approx(q, rel=1e-10)
        assert curve["m"][i] == pytest.approx(m, rel=1e-10)
        assert curve["test_error"][i] == pytest.approx(e.rho + q - 2 * m, rel=1e-10)
        assert curve["train_error"][i] == pytest.approx((e.rho + q - 2 * m) / (1 + V) ** 2, rel=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_kappa_form_equals_replica_form_on_labels(seed):
    """Square loss on +-1 labels: c1 = sqrt(2/(pi rho)), E y^2 = 1 (Cui, Krzakala, Zdeborova 2023, eq. 272)."""
    e = random_equivalent(seed, task="classification")
    curve = ge.Ridge(0.3).solve(e, ALPHA)
    for i, alpha in enumerate(ALPHA):
        V, q, m = replica(e, alpha, 0.3, np.sqrt(2 / (np.pi * e.rho)), 1.0)
        assert curve["q"][i] == pytest.approx(q, rel=1e-10) and curve["V"][i] == pytest.approx(V, rel=1e-10)
        assert curve["test_error"][i] == pytest.approx(np.arccos(m / np.sqrt(e.rho * q)) / np.pi, rel=1e-10)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("task", ["regression", "classification"])
def test_optimal_lam_is_a_minimum(seed, task):
    e = random_equivalent(seed, task)
    best = ge.Ridge("optimal").solve(e, ALPHA)
    assert np.all(best["lam"] >= -e.nugget - 1e-12)
    for lam in np.geomspace(1e-4, 100, 25):
        assert np.all(best["test_error"] <= ge.Ridge(lam).solve(e, ALPHA)["test_error"] * (1 + 1e-12))
    constrained = ge.Ridge("optimal", constrain=True).solve(e, ALPHA)
    assert np.all(constrained["lam"] >= 0) and np.all(constrained["test_error"] >= best["test_error"] * (1 - 1e-12))


@pytest.mark.parametrize("activation", ["erf", "tanh", "relu", "gelu"])
@pytest.mark.parametrize("spectrum", ["identity", "power-law:0.6"])
def test_matched_kernel_is_bayes_optimal(activation, spectrum):
    """The NNGP kernel of the target: lam* = label noise, and the Bayes error (Cui, Krzakala, Zdeborova 2023)."""
    options = {"depth": 2, "weight_variance": (1.5, 2.0), "readout_variance": 0.8}
    target = ge.DeepNetwork(activation, noise=0.07, **options)
    problem = ge.Problem(target, ge.GaussianInputs(spectrum), (ge.Ridge("optimal"), ge.BayesOptimal()), ge.NNGP(activation, **options))
    curve = ge.solve(problem, ALPHA)
    assert np.allclose(curve.lam.values[0], 0.07, rtol=1e-11)
    assert np.allclose(curve.test_error.values[0], curve.test_error.values[1], rtol=1e-12)


def test_negative_penalty_and_its_constraint():
    """A kernel with more noise of its own than the target: lam* = C1 tau/s - nugget < 0, the Bayes error; with lam >= 0 it is lam = 0."""
    target = ge.DeepNetwork("erf", noise=0.01)
    kernel = ge.NTK("tanh", depth=2, weight_variance=4)
    linear = kernel.linearise(1.0)
    problem = ge.Problem(
        target, learner=(ge.Ridge("optimal"), ge.Ridge("optimal", constrain=True), ge.Ridge(0.0), ge.BayesOptimal()), features=kernel
    )
    curve = ge.solve(problem, ALPHA)
    e = problem.equivalent_of(problem.learners[0])
    assert e.lam_optimal == pytest.approx(linear.slope * e.noise / (e.signal_variance) - linear.nugget) and e.lam_optimal < 0
    assert np.allclose(curve.lam.values[0], e.lam_optimal) and not curve.lam.values[1].any()
    assert np.allclose(curve.test_error.values[0], curve.test_error.values[3], rtol=1e-12)
    assert np.allclose(curve.test_error.values[1], curve.test_error.values[2], rtol=1e-12)
    assert np.all(curve.test_error.values[1] > curve.test_error.values[0])
    assert bool(curve.converged.all()) and np.all(curve.train_error.values[0] > 0)
    assert "negative" in e.card() and "nugget" in e.card()


def test_kernel_on_labels_at_negative_penalty():
    """lam* = (1 - c)/c C1/s' - nugget; with V < -1 the fitted labels turn round, and errors stay probabilities."""
    kernel = ge.NTK("tanh", depth=2, weight_variance=4)
    problem = ge.Problem(ge.DeepNetwork("erf", task="classification"), learner=(ge.Ridge("optimal"), ge.Ridge(0.5)), features=kernel)
    curve = ge.solve(problem, ALPHA)
    raw = ge.solve(ge.Problem(problem.target, learner=ge.Ridge("optimal")), ALPHA)
    assert np.allclose(curve.test_error.values[0], raw.test_error.values, rtol=1e-11)
    assert np.all((curve.train_error.values >= 0) & (curve.train_error.values < 0.5))


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_wide_features_tend_to_their_kernel(activation):
    """The difference falls like d/k: a hundredfold from k/d = 1e3 to 1e5."""
    curves = [
        ge.solve(ge.Problem(TARGET, learner=ge.Ridge(0.1), features=f), ALPHA).test_error.values
        for f in (ge.NNGP(activation), ge.RandomFeatures(activation, ratio=1e5), ge.RandomFeatures(activation, ratio=1e3))
    ]
    assert np.allclose(curves[1] - curves[0], (curves[2] - curves[0]) / 100, rtol=0.02, atol=0)


def test_linear_features_of_full_rank_span_the_inputs():
    """Wide linear features reach every direction: nothing is unexplained; narrow ones lose the fraction 1 - k/d of isotropic signal."""
    assert from_features(ge.GaussianInputs(), TARGET, ge.RandomFeatures("linear", ratio=2)).unexplained == pytest.approx(0, abs=1e-9)
    narrow = from_features(ge.GaussianInputs(), TARGET, ge.RandomFeatures("linear", ratio=0.4))
    assert narrow.unexplained == pytest.approx(0.6 * narrow.signal_variance, rel=1e-9)
    assert narrow.floor == pytest.approx(narrow.noise)


def test_identity_features_change_nothing():
    problem = ge.Problem(TARGET, ge.GaussianInputs("power-law:0.5"), (ge.Ridge(0.2), ge.Ridge("optimal")))
    same = replace(problem, features=ge.GivenFeatures([np.eye(30)], activations="linear"))
    a, b = ge.solve(problem, ALPHA, d=30), ge.solve(same, ALPHA, d=30)
    for name in ("test_error", "lam", "q", "m", "V", "degrees_of_freedom"):
        assert np.allclose(a[name], b[name], rtol=1e-9)


def test_even_features_predict_the_mean():
    problem = ge.Problem(TARGET, learner=(ge.Ridge("optimal"), ge.Ridge(0.3)), features=ge.RandomFeatures("abs"))
    curve = ge.solve(problem, ALPHA)
    e = problem.equivalent()
    assert np.allclose(curve.test_error.values[0], e.rho) and np.all(curve.test_error.values[1] > e.rho)


def test_which_equivalent():
    features = ge.RandomFeatures("erf", ratio=2)
    both = ge.Problem(TARGET, learner=(ge.BayesOptimal(), ge.Ridge(0.1)), features=features)
    assert both.equivalent().aspect == 1 and both.equivalent_of(both.learners[1]).aspect == 2
    assert both.equivalent_of(both.learners[0]).aspect == 1
    assert both.equivalent_of(both.learners[1]) is both.equivalent_of(both.learners[1])
    student = ge.Problem(TARGET, learner=ge.Ridge(0.1), features=features).equivalent()
    assert student.aspect == 2 and np.isnan(student.lam_optimal)
    with pytest.raises(ge.ArgumentError, match="features"):
        ge.Problem(TARGET, features="erf")
    with pytest.raises(ge.ArgumentError, match="rows"):
        ge.Problem(TARGET, ge.GaussianInputs(covariance=np.eye(4)), features=ge.GivenFeatures([np.ones((5, 3))]))


def test_cards_and_validity():
    def e(features, inputs=None):
        return ge.Problem(TARGET, inputs or ge.GaussianInputs(), ge.Ridge(0.1), features).equivalent(40)

    card = e(ge.RandomFeatures("tanh", ratio=2)).card()
    assert "random features, tanh, k/d = 2" in card and "Marchenko-Pastur" in card and "unreachable" in card
    assert e(ge.RandomFeatures("tanh")).validity.status == "replica result"
    assert e(ge.NNGP("erf")).validity.status == "replica result"
    for features in (ge.RandomFeatures("relu"), ge.RandomFeatures("erf", bias_variance=0.1), ge.NNGP("relu")):
        assert e(features).validity.status == "extension verified numerically"
        assert ("centred features or kernel", False) in e(features).validity.hypotheses


def test_optimal_lam_uses_the_students_dimension():
    """Twice as many samples at the same n/p and the same modes: the same best lam."""
    e = random_equivalent(4)
    labels = linearise(e, False)
    lam = optimal_lam(e, labels, ALPHA)
    scaled = replace(e, aspect=2 * e.aspect)
    assert np.allclose(optimal_lam(scaled, labels, 2 * ALPHA), lam, rtol=1e-10)
