"""Labels y = f(field) + noise: the two-dimensional rule against the one-dimensional one, ridge, and true networks."""

import numpy as np
import pytest
from scipy import special

import gaussequiv as ge
from gaussequiv.ingredients.channels.outputs import Output
from gaussequiv.ingredients.losses import named as losses
from gaussequiv.learners.convex.averages import Fields
from gaussequiv.learners.convex.output_averages import label_averages, label_errors, label_losses, square_averages, untrained

ALPHA = np.array([0.5, 2.0])
SAME = ("test_error", "clean_error", "train_error", "test_loss", "train_loss", "m", "q", "V", "floor")


@pytest.mark.parametrize("loss", ["square", "huber:0.5", "absolute"])
def test_the_identity_gives_the_plain_channel(loss):
    plain = ge.DeepNetwork("tanh", 2, weight_variance=4, noise=0.1)
    through = ge.DeepNetwork("tanh", 2, weight_variance=4, labels=Output(lambda z: z, 0.1, name="identity"))
    one, two = (ge.solve(ge.Problem(target, learner=ge.ERM(loss, 0.1)), ALPHA) for target in (plain, through))
    for name in SAME:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-9, atol=1e-14, err_msg=name)


@pytest.mark.parametrize("offset", [0.0, 0.6])
@pytest.mark.parametrize("intercept", [True, False])
def test_the_square_loss_is_ridge(offset, intercept):
    target = ge.DeepNetwork("tanh", 2, weight_variance=4, labels=Output(lambda z: np.exp(0.5 * z), 0.1, name="exp"), offset=offset)
    square, ridge = (
        ge.solve(ge.Problem(target, learner=one), ALPHA) for one in (ge.ERM("square", 0.2, intercept=intercept), ge.Ridge(0.2, intercept))
    )
    for name in ("test_error", "clean_error", "train_error", "m", "q", "V"):
        np.testing.assert_allclose(square[name], ridge[name], rtol=1e-9, err_msg=name)


def test_true_networks_agree():
    """16 teachers at d = 200: |mean - theory| <= 4 standard errors + (3/d) theory."""
    target = ge.DeepNetwork("tanh", 1, weight_variance=4, labels=Output(np.tanh, 0.05, name="tanh"))
    problem = ge.Problem(target, learner=[ge.Ridge(0.2), ge.Huber(0.2, 0.3)])
    run, theory = ge.simulate(problem, ALPHA, d=200, trials=16, seed=1, normalise_teacher=True), ge.solve(problem, ALPHA)
    gap = np.abs(run.test_error_mean.values - theory.test_error.values)
    assert np.all(gap <= 4 * run.test_error_stderr.values + 3 / 200 * theory.test_error.values)


def test_order_parameters_beyond_the_finite_numbers_give_no_number():
    """A trial step of the solver may ask for them; the points beside are not touched."""
    channel, loss = Output(np.tanh, 0.1, name="tanh"), losses.get("huber")
    laws = [channel.atoms(0.0, 1.0)] * 3
    good = dict(V=1.0, q=1.0, m=0.5, c=0.1, b0=0.0, rest=0.75, misfit=1.0)
    rows = [good, {**good, "V": np.nan}, {**good, "m": 3.0}]
    at = Fields(**{name: np.array([row[name] for row in rows]) for name in good})
    found, alone = label_averages(loss, laws, at, ((1.0, 1.0),)), label_averages(loss, laws[:1], at.take(slice(0, 1)), ((1.0, 1.0),))
    np.testing.assert_array_equal(found.value[0], alone.value[0])
    assert np.isnan(found.value[1:]).all() and np.isnan(found.jacobian[1:]).all()
    scores = label_losses(loss, laws, at, ((1.0, 1.0),))
    assert all(np.isfinite(values[0]) and np.isnan(values[1:]).all() for values in scores.values())


RHO, B0, WEIGHTS = 1.1, 0.2, ((1.0, 0.6), (3.0, 0.4))


def fields(V, q, m, c, b0=B0, rho=RHO):
    return Fields(*(np.array([part]) for part in (V, q, m, c, b0, rho - m * m / q, rho + q - 2 * m)))


@pytest.fixture
def tanh():
    """A channel with its pairs, its moments, and Var E[y | field] - c1^2 rho."""
    channel = Output(np.tanh, 0.15, name="tanh")
    moments = channel.label_moments(np.array([B0]), RHO)
    return channel, [channel.atoms(B0, RHO)], moments, moments.scatter - moments.slope**2 * RHO


def test_the_square_loss_in_closed_form_is_that_by_quadrature(tanh):
    _, laws, moments, bent = tanh
    at = fields(0.7, 0.5, 0.3, 0.1)
    one, two = square_averages(moments, bent, at, WEIGHTS), label_averages(losses.get("square"), laws, at, WEIGHTS)
    np.testing.assert_allclose(one.value, two.value, rtol=1e-9)
    np.testing.assert_allclose(one.jacobian[:, :, :4], two.jacobian[:, :, :4], rtol=1e-8, atol=1e-10)


def test_derivatives_of_the_square_loss_are_differences(tanh):
    _, _, moments, bent = tanh
    where, step = np.array([0.7, 0.5, 0.3, 0.1]), 1e-4 * np.eye(4)

    def value(x):
        return square_averages(moments, bent, fields(*x), WEIGHTS)

    numeric = np.stack([(value(where + h).value[0] - value(where - h).value[0]) / 2e-4 for h in step], axis=1)
    np.testing.assert_allclose(value(where).jacobian[0, :, :4], numeric, atol=1e-7)
    assert np.isnan(value(where).jacobian[0, :, 4:]).all()


def pairs(at, noise=0.15):
    """Residual omega - y and field of a fine sum over (field, residual given the field), their mass, and what differentiates in omega."""
    x, h = np.linspace(-8, 8, 1601, retstep=True)
    mass = np.exp(-x * x / 2) / np.sqrt(2 * np.pi) * h
    centred = np.sqrt(RHO) * x[:, None]
    sigma = np.sqrt(at.q[0] - at.m[0] ** 2 / RHO + noise)
    r = at.c[0] + at.m[0] / RHO * centred - np.tanh(B0 + centred) + sigma * x
    return r, centred, mass[:, None] * mass, x / sigma


def test_averages_and_losses_by_a_double_sum(tanh):
    _, laws, moments, bent = tanh
    at, loss = fields(0.7, 0.5, 0.3, 0.1), losses.get("huber:0.5")
    r, centred, mass, stein = pairs(at)
    found, seen = label_averages(loss, laws, at, WEIGHTS).value[0], label_losses(loss, laws, at, WEIGHTS)
    expected, errors = np.zeros(4), {"train_error": 0.0, "train_loss": 0.0, "test_loss": (mass * loss.value(0.0, r)).sum()}
    for w, part in WEIGHTS:
        g = w * loss.proximal(0.0, r, w * 0.7)[0]
        fitted, response = r + 0.7 * g, -(mass * g * stein).sum()
        along = ((mass * centred * g).sum() + 0.3 * response) / RHO  # Stein: E Z0' g
        expected += part * np.array([(mass * g * g).sum(), along, (mass * g).sum(), response])
        errors["train_error"] += part * (mass * fitted**2).sum()
        errors["train_loss"] += part * w * (mass * loss.value(0.0, fitted)).sum()
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    for name, value in errors.items():
        np.testing.assert_allclose(seen[name][0], value, rtol=1e-5, err_msg=name)
    told = label_errors(moments, bent, at)
    np.testing.assert_allclose(told["test_error"][0], (mass * r * r).sum(), rtol=1e-9)
    np.testing.assert_allclose(told["clean_error"][0], (mass * r * r).sum() - 0.15, rtol=1e-9)


def test_a_student_without_weights_by_a_sum(tanh):
    """z = c: residual c - tanh(field) - noise, E Z0' g = Cov(field, g)/rho."""
    _, laws, _, _ = tanh
    loss = losses.get("huber:0.5")
    r, centred, mass, _ = pairs(fields(1.0, 0.0 + 1e-300, 0.0, 0.1))
    slope = loss.slope(0.0, r)
    mean, second = 0.6 + 3 * 0.4, 0.6 + 9 * 0.4
    square, field, score = untrained(loss, laws, WEIGHTS, np.array([0.1]))
    np.testing.assert_allclose(square[0], second * (mass * slope**2).sum(), rtol=1e-6)
    np.testing.assert_allclose(field[0], -mean * (mass * slope * centred).sum() / RHO, rtol=1e-6)
    np.testing.assert_allclose(score[0], mean * (mass * slope).sum(), rtol=1e-5)


def test_a_field_that_does_not_vary_is_learned_by_no_one():
    """rho = 0: the label is noise about f(b0); the student's own variance q is all that it errs by, and nothing pulls it anywhere."""
    channel = Output(np.tanh, 0.15, name="tanh")
    at = Fields(*(np.array([part]) for part in (0.7, 0.5, 0.0, 0.1, B0, 0.0, 0.5)))
    moments = channel.label_moments(np.array([B0]), 0.0)
    gap = 0.1 - np.tanh(B0)
    np.testing.assert_allclose(label_errors(moments, np.zeros(1), at)["clean_error"], 0.5 + gap**2, rtol=1e-12)
    for value in (
        square_averages(moments, np.zeros(1), at, ((1.0, 1.0),)).value[0],
        label_averages(losses.get("square"), [channel.atoms(B0, 0.0)], at, ((1.0, 1.0),)).value[0],
    ):
        k = 1 / 1.7
        np.testing.assert_allclose(value, [k**2 * (0.65 + gap**2), 0.0, -k * gap, k], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("loss", ["huber:0.5", "absolute", "quantile:0.8"])
def test_derivatives_of_any_loss_are_differences(tanh, loss):
    _, laws, _, _ = tanh
    where, step = np.array([0.7, 0.5, 0.3, 0.1]), 1e-4 * np.eye(4)

    def value(x):
        return label_averages(losses.get(loss), laws, fields(*x), WEIGHTS)

    numeric = np.stack([(value(where + h).value[0] - value(where - h).value[0]) / 2e-4 for h in step], axis=1)
    np.testing.assert_allclose(value(where).jacobian[0, :, :4], numeric, atol=1e-7)


@pytest.mark.parametrize("function", [np.tanh, lambda z: np.sin(3 * z)], ids=["tanh", "sin"])
@pytest.mark.parametrize(("lam", "noise"), [(10.0, 1e-6), (10.0, 1e-2), (0.1, 1e-4), (300.0, 0.0)])
def test_a_residual_narrower_than_the_spacing_of_fields(function, lam, noise):
    """Weak students of labels with little noise: Huber's averages in closed form at every field, on a fine uniform grid of those."""
    alpha = 1.3
    curve = ge.solve(ge.Problem(ge.DeepNetwork((), labels=ge.Output(function, noise=noise)), learner=ge.ERM("huber", lam)), alpha=alpha)
    q, m, V = (float(curve[name].item()) for name in ("q", "m", "V"))
    z = np.linspace(-8.6, 8.6, 2_000_001)
    mass, sigma = np.exp(-0.5 * z * z) * (z[1] - z[0]) / np.sqrt(2 * np.pi), np.sqrt(q - m * m + noise)
    edge, mean = 1 + V, m * z - function(z)
    low, high = (-edge - mean) / sigma, (edge - mean) / sigma
    inside, normal = special.ndtr(high) - special.ndtr(low), lambda x: np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi)
    first = normal(low) - normal(high)
    second = inside + low * normal(low) - high * normal(high)
    slope = (mean * inside + sigma * first) / edge + special.ndtr(-high) - special.ndtr(low)
    square = (mean**2 * inside + 2 * mean * sigma * first + sigma**2 * second) / edge**2 + special.ndtr(-high) + special.ndtr(low)
    vhat, qhat = alpha * (mass @ inside) / edge, alpha * (mass @ square)
    mhat = m * vhat - alpha * (mass @ (z * slope))
    assert curve.converged.item()
    assert V == pytest.approx(1 / (lam + vhat), rel=1e-9)
    assert m == pytest.approx(mhat / (lam + vhat), rel=1e-8)
    assert q == pytest.approx((mhat**2 + qhat) / (lam + vhat) ** 2, rel=1e-8)
