"""Observables against Monte Carlo of the joint Gaussian law of student and target fields, and against identities."""

import numpy as np
import pytest
from scipy import special

import gaussequiv as ge
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.ingredients.channels.binary import Binary
from gaussequiv.ingredients.losses import named as losses
from gaussequiv.learners.convex.averages import SCORE, Fields, binary_averages
from gaussequiv.learners.convex.model import Model, Points
from gaussequiv.learners.convex.routes import Routes
from gaussequiv.learners.convex.scores import classification_scores, own_breaks, regression_scores, training_scores


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
    solution = Routes(model).solve(at)
    f, seen = solution.fields, model.observe(solution)
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
    solution = Routes(model).solve(at)
    f, seen = solution.fields, model.observe(solution)
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


def fields(V, q, m, c, b0, rho):
    return Fields(*(np.array([part]) for part in (V, q, m, c, b0, rho - m * m / q, rho + q - 2 * m)))


def test_breaks_move_with_the_label():
    """Huber's curvature 1/(1 + V) ends where the residual omega - y leaves +-(1 + V)/2; the hinge's slope jumps at y z = 1."""
    for label in (1.0, -1.0):
        assert own_breaks(losses.get("huber:0.5"), label, np.array([-0.5, 0.5])) == pytest.approx([label - 0.5, label + 0.5])
        assert own_breaks(losses.get("hinge"), label, np.array([1.0, 2.0])) == pytest.approx([label, 2 * label])


def test_sample_weights_of_real_labels_by_a_fine_sum():
    """Rows of weight w have V w for V, and count w times in the loss that is minimised."""
    loss, at, noise, weights = losses.get("huber:0.5"), fields(0.7, 0.5, 0.3, 0.1, 0.4, 1.1), 0.2, ((1.0, 0.6), (3.0, 0.4))
    seen = regression_scores(loss, noise, at, weights)
    x = np.linspace(-9, 9, 180_001)
    mass = np.exp(-x * x / 2) / np.sqrt(2 * np.pi) * (x[1] - x[0])
    r = -0.3 + np.sqrt(at.misfit[0] + noise) * x
    train_error = train_loss = 0.0
    for w, part in weights:
        fitted = r + w * 0.7 * loss.proximal(0.0, r, w * 0.7)[0]
        train_error += part * mass @ fitted**2
        train_loss += part * w * mass @ loss.value(0.0, fitted)
    assert seen["train_error"][0] == pytest.approx(train_error, rel=1e-8)
    assert seen["train_loss"][0] == pytest.approx(train_loss, rel=1e-8)
    assert seen["test_loss"][0] == pytest.approx(mass @ loss.value(0.0, r), rel=1e-8)
    assert seen["clean_error"][0] == pytest.approx(at.misfit[0] + 0.09, rel=1e-12)


@pytest.mark.parametrize("name", ["logistic", "huber:0.5", "hinge", "exponential"])
def test_weighed_labels_by_a_fine_sum(name):
    """Classes and sample weights on labels of a probit law with flips and an offset, off any solution."""
    loss, channel, at = losses.get(name), Binary("sign", 0.3, (0.1, 0.02)), fields(0.7, 0.5, 0.3, 0.15, 0.4, 1.1)
    classes = ((1.0, 0.5, 0.6), (1.0, 1.5, 0.4), (-1.0, 2.0, 0.6), (-1.0, 6.0, 0.4))
    seen = classification_scores(loss, channel, classes, at, 1.1)
    x = np.linspace(-9, 9, 180_001)
    mass = np.exp(-x * x / 2) / np.sqrt(2 * np.pi) * (x[1] - x[0])
    z, p = 0.15 + np.sqrt(0.5) * x, special.ndtr((0.4 + 0.3 / np.sqrt(0.5) * x) / np.sqrt(at.rest[0] + 0.3))
    up = 0.02 + 0.88 * p
    row = {1.0: mass * up, -1.0: mass * (1 - up)}
    expected = {"test_loss": sum(row[y] @ loss.value(y, z) for y in row), "train_loss": 0.0, "train_error": 0.0}
    for y, weight, part in classes:
        fitted = z + weight * 0.7 * loss.proximal(y, z, weight * 0.7)[0]
        expected["train_loss"] += part * weight * row[y] @ loss.value(y, fitted)
        expected["train_error"] += part * row[y] @ (y * fitted < 0)
    below = np.cumsum(row[-1.0]) - row[-1.0] / 2
    expected["auc"] = row[1.0] @ below / (row[1.0].sum() * row[-1.0].sum())
    said = loss.probability(z)
    if said is not None:
        expected |= {"brier": mass @ (up * (1 - said) ** 2 + (1 - up) * said**2), "calibration_error": mass @ np.abs(said - up)}
    for key, value in expected.items():
        assert seen[key][0] == pytest.approx(value, rel=1e-4 if key == "train_error" else 1e-7), key


def test_a_loss_that_overflows_where_no_row_is_counts_nothing():
    """exp(-y z) at fields of 1e3 on labels that follow their sign, and a student of the same sign: exp(-1e3) and no number else."""
    at = fields(1.0, 1e6, 1e3 - 1e-9, 0.0, 0.0, 1.0)
    seen = classification_scores(losses.get("exponential"), Sign(0.0), ((1.0, 1.0, 1.0), (-1.0, 1.0, 1.0)), at, 1.0)
    assert np.isfinite(seen["train_loss"][0])


def test_places_beyond_the_largest_number_are_beyond_every_row():
    """Fields that hardly vary beside the width of the loss or of the labels' law: panels are the plain ones."""
    hinge, classes = losses.get("hinge"), ((1.0, 1.0, 1.0), (-1.0, 1.0, 1.0))
    # V is so large that every row is fitted
    silent = training_scores(hinge, Sign(0.0), classes, fields(1e305, 1e-20, 0.0, 0.0, 0.0, 1.0))
    np.testing.assert_allclose(silent, np.zeros((2, 1)), atol=1e-12)
    unrelated = fields(0.5, 1.0, 1e-308, 0.0, 100.0, 1.0)  # the sign changes 1e310 standard deviations away: every label is +1
    loss, error = training_scores(hinge, Sign(0.0), classes, unrelated)
    x = np.linspace(-9, 9, 180_001)
    fitted = np.where(x < 0.5, x + 0.5, np.maximum(x, 1.0))
    mass = np.exp(-x * x / 2) / np.sqrt(2 * np.pi) * (x[1] - x[0])
    assert loss[0] == pytest.approx(mass @ np.maximum(1 - fitted, 0), rel=1e-7)
    assert error[0] == pytest.approx(special.ndtr(-0.5), rel=1e-10)
    averages = binary_averages(hinge, Sign(0.0), classes, unrelated)
    assert np.isfinite(averages.value).all()
    assert averages.value[0, SCORE] == pytest.approx(mass @ (2 * (fitted - x)), rel=1e-6)
