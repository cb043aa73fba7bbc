"""Observables against Monte Carlo of the joint Gaussian law of student and target fields, and against identities."""

import numpy as np
import pytest
from scipy import special

import gaussequiv as ge
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.ingredients.channels.binary import Binary
from gaussequiv.learners.convex.model import Model, Points


def equivalent(channel, rho=1.0, noise=0.0, w=(1.0,), offset=None, offset_variance=0.0):
    """Raw inputs with modes w, signal variance rho and effective noise."""
    w = np.array(w, float)
    mass = np.full(w.size, 1 / w.size)
    return ge.GaussianEquivalent(w, mass, rho / float(mass @ w) * w**2, rho, np.array([noise]), offset_variance, channel, offset=offset)


N = 400_000
CASES = [
    (ge.ERM("logistic", 0.1), equivalent(Sign(0.3), noise=0.1), 2.0),
    (ge.ERM("logistic", 1e-3, intercept=True), equivalent(Binary("logit", 0.1, (0.1, 0.02)), noise=0.1, offset=0.7), 1.0),
    (ge.ERM("hinge", 0.1, class_weight={-1: 2, 1: 0.5}, intercept=True), equivalent(Sign(0.0), offset=0.4), 3.0),
    (ge.ERM("squared_hinge", 0.3), equivalent(Sign(0.3), offset=0.8), 0.7),
    (ge.ERM("exponential", 0.5), equivalent(Sign(0.5)), 3.0),
    (ge.ERM("square", 0.5), equivalent(Sign(0.5), offset=0.5), 3.0),
]


@pytest.mark.parametrize(("erm", "e", "alpha"), CASES, ids=lambda v: getattr(v, "label", None))
def test_labels(erm, e, alpha):
    model = Model(erm, e)
    at = Points(np.array([alpha]), np.array([erm.lam]), model.b0)
    solution = model.solve(at)
    f, seen = solution.fields, model.observe(at, solution)
    V, q, m, c, b0 = (float(a[0]) for a in f[:5])
    rng = np.random.default_rng(7)
    xi, eta = rng.standard_normal((2, N))
    z = c + np.sqrt(q) * xi
    field = b0 + m / np.sqrt(q) * xi + np.sqrt(f.rest[0]) * eta
    y = e.channel.sample(rng, field)
    weight = np.where(y > 0, erm.class_weights[1], erm.class_weights[0])
    fitted = z + weight * V * erm.loss.proximal(y, z, weight * V)[0]
    draws = {
        "test_error": np.sign(z) != y,
        "clean_error": np.sign(z) != np.sign(field),
        "test_loss": erm.loss.value(y, z),
        "train_error": np.sign(fitted) != y,
        "train_loss": weight * erm.loss.value(y, fitted),
    }
    if erm.loss.name == "logistic":
        p = special.expit(z)
        draws |= {"log_loss": erm.loss.value(y, z), "brier": (p - (y > 0)) ** 2}
        up = e.channel.up(b0 + m / np.sqrt(q) * xi, f.rest[0]).value
        draws["calibration_error"] = np.abs(p - up)
    for key, value in draws.items():
        assert abs(value.mean() - seen[key][0]) < 4 * value.std() / np.sqrt(N) + 1e-12, key
    up, down = z[y > 0], z[y < 0]
    n = min(up.size, down.size)
    wins = rng.permutation(up)[:n] > rng.permutation(down)[:n]
    assert abs(wins.mean() - seen["auc"][0]) < 4 * 0.5 / np.sqrt(n)


@pytest.mark.parametrize("loss", ["huber:0.5", "absolute", "quantile:0.8", "square"])
def test_real_labels(loss):
    erm, e = ge.ERM(loss, 0.2, intercept=True), equivalent(GaussianNoise(0.3), noise=0.1, offset=0.6)
    model = Model(erm, e)
    at = Points(np.array([1.5]), np.array([0.2]), model.b0)
    solution = model.solve(at)
    f, seen = solution.fields, model.observe(at, solution)
    r = float(f.c[0] - f.b0[0]) + np.sqrt(f.misfit[0] + 0.3) * np.random.default_rng(1).standard_normal(N)
    fitted = r + f.V[0] * erm.loss.proximal(0.0, r, f.V[0])[0]
    draws = {"test_error": r**2, "test_loss": erm.loss.value(0.0, r), "train_error": fitted**2, "train_loss": erm.loss.value(0.0, fitted)}
    for key, value in draws.items():
        assert abs(value.mean() - seen[key][0]) < 4 * value.std() / np.sqrt(N), key


def test_auc_of_a_probit_target_in_closed_form():
    """Balanced signs of y given z: AUC = 1 - 2 P(order wrong) from the quadrant probability of (z - z', y, y')."""
    e = equivalent(Sign(0.0), noise=0.4)
    r = ge.ERM("logistic", 0.3).solve(e, np.array([2.0]))
    cosine = float(r["m"][0] / np.sqrt(r["q"][0] * 1.4))
    # P(z > z', y > 0, y' < 0) for (z - z')/sqrt 2, s, -s': correlations cosine/sqrt 2, cosine/sqrt 2, 0
    triple = 1 / 8 + 2 * np.arcsin(cosine / np.sqrt(2)) / (4 * np.pi)
    assert r["auc"][0] == pytest.approx(4 * triple, rel=1e-9)


def test_log_loss_is_the_test_loss_of_logistic_regression():
    e = equivalent(Binary("logit", 0.1, (0.1, 0.02)), offset=0.7)
    r = ge.ERM("logistic", 1e-6).solve(e, np.array([0.3, 3.0, 30.0]))
    assert r["log_loss"] == pytest.approx(r["test_loss"], rel=1e-12)


def test_a_calibrated_student_in_many_samples():
    """Logistic regression on logit labels: the calibration error vanishes, log-loss and Brier score are those of the target."""
    r = ge.ERM("logistic", 1e-6).solve(equivalent(Binary("logit"), rho=2.0), np.array([1e6]))
    x = np.sqrt(2.0) * np.random.default_rng(0).standard_normal(N)
    p = special.expit(x)
    entropy = -(p * np.log(p) + (1 - p) * np.log1p(-p))
    assert r["calibration_error"][0] < 1e-3
    assert abs(r["log_loss"][0] - entropy.mean()) < 4 * entropy.std() / np.sqrt(N) + 1e-5
    assert abs(r["brier"][0] - (p * (1 - p)).mean()) < 4 * (p * (1 - p)).std() / np.sqrt(N) + 1e-5


def test_test_loss_of_the_exponential_loss_with_large_weights():
    """E exp(-y z) has its mass far in the tail: exp(q/2) times a tilted probability, here for random labels exactly exp(q/2)."""
    r = ge.ERM("exponential", 1e-3).solve(equivalent(Binary("random")), np.array([1.0]))
    assert r["q"][0] > 50
    assert r["test_loss"][0] == pytest.approx(np.exp(r["q"][0] / 2), rel=1e-9)
