"""Finite-sample minimisers: each against another solver, its own optimality conditions, and limits."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

import gaussequiv as ge
from gaussequiv.errors import ArgumentError
from gaussequiv.ingredients.losses import named as losses
from gaussequiv.ingredients.penalties.base import L1, L2, ElasticNet, Quadratic
from gaussequiv.learners.convex import finite_fit
from gaussequiv.learners.convex.finite_fit import fit_erm, fit_erm_kernel, separable
from gaussequiv.learners.finite.minimise import minimise
from gaussequiv.learners.finite.objective import Objective
from gaussequiv.numerics.status import Status
from gaussequiv.samples.training_sample import TrainingSample

SHAPES = [(60, 25), (25, 60)]
NAMES = ["square", "logistic", "hinge", "squared_hinge", "exponential", "huber:0.5", "absolute", "quantile:0.8"]


def data(n: int, p: int, kind: str, seed: int = 0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p))
    field = x @ rng.standard_normal(p) / np.sqrt(p) + 0.7 * rng.standard_normal(n) + 0.3
    y = np.sign(field) if kind == "margin" else field
    return TrainingSample(x, y), rng.uniform(0.3, 2.0, n)


def objective(sample, loss, lam, penalty, found, weights=None):
    p = sample.x.shape[1]
    s = np.ones(sample.y.size) if weights is None else weights
    z = sample.x @ found.coefficients + found.intercept
    return float(np.sum(s * loss.value(sample.y, z)) + lam * penalty.value(found.coefficients * np.sqrt(p)))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("lam", [1.0, 0.05])
def test_logistic_against_lbfgs(shape, intercept, weighted, lam):
    sample, s = data(*shape, "margin")
    s = s if weighted else np.ones(shape[0])
    loss, a = losses.Logistic(), sample.x / np.sqrt(shape[1])

    def both(v):
        w, c = v[:-1], v[-1] * intercept
        b = s * loss.slope(sample.y, a @ w + c)
        return np.sum(s * loss.value(sample.y, a @ w + c)) + 0.5 * lam * w @ w, np.append(a.T @ b + lam * w, np.sum(b) * intercept)

    best = optimize.minimize(
        both, np.zeros(shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 5000, "ftol": 1e-15, "gtol": 1e-9}
    )
    found = fit_erm(sample, loss, lam, L2(), intercept, s if weighted else None)
    assert found.status is Status.converged and found.residual < 1e-9
    assert abs(objective(sample, loss, lam, L2(), found, s) / best.fun - 1) < 1e-10


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("ratio", [1.0, 0.4])
def test_elastic_net_by_coordinates_and_by_newton(shape, intercept, ratio):
    """scikit-learn's coordinate descent and our own iteration reach the same objective."""
    sample, s = data(*shape, "residual")
    penalty, lam = ElasticNet(ratio), 0.4
    found = fit_erm(sample, losses.Square(), lam, penalty, intercept, s)
    own = minimise(Objective(sample.x / np.sqrt(shape[1]), sample.y, s, losses.Square(), lam * (1 - ratio), lam * ratio, intercept))
    value = objective(sample, losses.Square(), lam, penalty, found, s)
    z = sample.x @ own.w / np.sqrt(shape[1]) + own.c
    assert abs((np.sum(s * losses.Square().value(sample.y, z)) + lam * penalty.value(own.w)) / value - 1) < 1e-11
    assert found.residual < 1e-9 and own.residual < 1e-9
    np.testing.assert_array_equal(own.w == 0, found.coefficients == 0)


@pytest.mark.parametrize(("loss", "penalty"), [("square", ElasticNet(0.4)), ("logistic", L2())])
def test_scikit_learns_solution_needs_no_other_iteration(monkeypatch, loss, penalty):
    """It has the strengths of the penalty that was asked for: our own iteration would mend any other."""
    monkeypatch.setattr(finite_fit, "minimise", None)
    sample, s = data(60, 25, "margin")
    assert fit_erm(sample, losses.get(loss), 0.4, penalty, True, s).residual < 1e-9


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("lam", [1.0, 0.05])
def test_hinge_against_svc(shape, weighted, lam):
    """libsvm keeps its kernel in single precision: its objective lies above ours, by at most 1e-5."""
    from sklearn.svm import SVC

    sample, s = data(*shape, "margin")
    s = s if weighted else np.ones(shape[0])
    model = SVC(kernel="linear", C=1 / lam, tol=1e-9).fit(sample.x / np.sqrt(shape[1]), sample.y, sample_weight=s)
    found = fit_erm(sample, losses.Hinge(), lam, L2(), True, s)
    w, c = model.coef_[0], float(model.intercept_[0])
    z = sample.x @ w / np.sqrt(shape[1]) + c
    theirs = np.sum(s * losses.Hinge().value(sample.y, z)) + 0.5 * lam * w @ w
    ours = objective(sample, losses.Hinge(), lam, L2(), found, s)
    assert -1e-12 < theirs / ours - 1 < 1e-5
    np.testing.assert_allclose(found.coefficients * np.sqrt(shape[1]), w, atol=2e-3)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["hinge", "absolute", "quantile:0.8"])
@pytest.mark.parametrize("intercept", [False, True])
def test_kinked_losses_by_their_box_constrained_dual(shape, name, intercept):
    """min = -min_b |a'b|^2/(2 lam) + sum f*(b): a bounded quadratic program, by SLSQP or L-BFGS-B, closes the gap to 1e-8."""
    sample, s = data(*shape, "margin" if name == "hinge" else "residual", seed=3)
    loss, lam = losses.get(name), 0.3
    a = sample.x / np.sqrt(shape[1])
    (position, left, right), y = loss.kinks[0], sample.y
    sign = y if loss.kind == "margin" else np.ones_like(y)
    kink = position * y if loss.kind == "margin" else y  # the field at which the loss has its kink and is zero
    gram = (a @ a.T) * np.outer(sign, sign) / lam
    linear = sign * kink  # f*(b) = b t at the kink, t its field

    def dual(b):
        return 0.5 * b @ gram @ b + b @ linear, gram @ b + linear

    bounds = list(zip(s * left, s * right, strict=True))
    if intercept:
        constraint = {"type": "eq", "fun": lambda b: sign @ b, "jac": lambda b: sign}
        best = optimize.minimize(
            dual,
            np.zeros(y.size),
            jac=True,
            bounds=bounds,
            constraints=constraint,
            method="SLSQP",
            options={"ftol": 1e-15, "maxiter": 1000},
        )
    else:
        options = {"maxiter": 20000, "maxfun": 50000, "ftol": 1e-16, "gtol": 1e-10}
        best = optimize.minimize(dual, np.zeros(y.size), jac=True, bounds=bounds, method="L-BFGS-B", options=options)
    found = fit_erm(sample, loss, lam, L2(), intercept, s)
    assert found.residual < 1e-9
    assert abs(objective(sample, loss, lam, L2(), found, s) / -best.fun - 1) < 1e-8


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("loss", ["absolute", "quantile:0.7"])
def test_l1_with_a_kinked_loss_against_quantile_regression(intercept, loss):
    """scikit-learn's QuantileRegressor solves mean pinball + alpha |w|_1 as a linear program; absolute is twice the median's."""
    from sklearn.linear_model import QuantileRegressor

    sample, _ = data(50, 12, "residual", seed=5)
    lam, found_loss = 0.8, losses.get(loss)
    factor, level = (2.0, 0.5) if loss == "absolute" else (1.0, 0.7)
    model = QuantileRegressor(quantile=level, alpha=lam / (50 * factor), fit_intercept=intercept, solver="highs")
    model.fit(sample.x / np.sqrt(12), sample.y)
    found = fit_erm(sample, found_loss, lam, L1(), intercept)
    z = sample.x @ model.coef_ / np.sqrt(12) + (model.intercept_ if intercept else 0.0)
    theirs = np.sum(found_loss.value(sample.y, z)) + lam * np.sum(np.abs(model.coef_))
    assert abs(objective(sample, found_loss, lam, L1(), found) / theirs - 1) < 1e-8


@pytest.mark.parametrize("intercept", [False, True])
def test_unpenalised_absolute_loss_is_least_absolute_deviations(intercept):
    from sklearn.linear_model import QuantileRegressor

    sample, _ = data(50, 12, "residual", seed=6)
    model = QuantileRegressor(quantile=0.5, alpha=0.0, fit_intercept=intercept, solver="highs").fit(sample.x, sample.y)
    found = fit_erm(sample, losses.Absolute(), 0.0, L2(), intercept)
    theirs = np.sum(np.abs(sample.y - model.predict(sample.x)))
    assert abs(objective(sample, losses.Absolute(), 0.0, L2(), found) / theirs - 1) < 1e-8


@pytest.mark.parametrize("name", ["huber:0.5", "squared_hinge", "exponential", "logistic"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lam", [1.0, 1e-3])
def test_smooth_losses_against_a_trust_region(name, shape, lam):
    loss = losses.get(name)
    sample, s = data(*shape, loss.kind, seed=2)
    a = np.hstack([sample.x / np.sqrt(shape[1]), np.ones((shape[0], 1))])
    bend = lam * np.append(np.ones(shape[1]), 0.0)
    value = lambda v: np.sum(s * loss.value(sample.y, a @ v)) + 0.5 * v @ (bend * v)  # noqa: E731
    slope = lambda v: a.T @ (s * loss.slope(sample.y, a @ v)) + bend * v  # noqa: E731
    hessian = lambda v: (a.T * (s * loss.curvature(sample.y, a @ v))) @ a + np.diag(bend + 1e-12)  # noqa: E731
    best = optimize.minimize(
        value, np.zeros(shape[1] + 1), jac=slope, hess=hessian, method="trust-exact", options={"gtol": 1e-9, "maxiter": 3000}
    )
    found = fit_erm(sample, loss, lam, L2(), True, s)
    assert found.residual < 1e-9
    assert abs(objective(sample, loss, lam, L2(), found, s) / best.fun - 1) < 1e-8


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("penalty", [L2(), L1(), ElasticNet(0.5)], ids=lambda penalty: penalty.name)
@pytest.mark.parametrize("lam", [1e8, 10.0, 0.1, 1e-6])
def test_every_loss_and_penalty_meets_its_optimality_conditions(name, penalty, lam):
    loss = losses.get(name)
    for shape in SHAPES:
        for intercept in (False, True):
            sample, s = data(*shape, loss.kind, seed=4)
            found = fit_erm(sample, loss, lam, penalty, intercept, s)
            assert found.status is Status.converged and found.residual < 1e-7, (shape, intercept, found.residual)


def test_integer_weights_are_repetitions():
    sample, _ = data(30, 10, "margin")
    times = np.random.default_rng(0).integers(0, 4, 30)
    repeated = TrainingSample(np.repeat(sample.x, times, axis=0), np.repeat(sample.y, times))
    for name in ("logistic", "hinge"):
        one = fit_erm(sample, losses.get(name), 0.2, L2(), True, times.astype(float))
        many = fit_erm(repeated, losses.get(name), 0.2, L2(), True)
        np.testing.assert_allclose(one.coefficients, many.coefficients, atol=1e-8)
        np.testing.assert_allclose(one.intercept, many.intercept, atol=1e-8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["logistic", "hinge", "square"])
def test_quadratic_forms(shape, name):
    """Gamma = 2 I is lam -> 2 lam; a full form meets stationarity lam Gamma w = -a'b in the original variables."""
    loss = losses.get(name)
    sample, s = data(*shape, loss.kind, seed=7)
    p = shape[1]
    double = fit_erm(sample, loss, 0.3, Quadratic(np.full(p, 2.0)), True, s)
    plain = fit_erm(sample, loss, 0.6, L2(), True, s)
    np.testing.assert_allclose(double.coefficients, plain.coefficients, atol=1e-9)
    half = np.random.default_rng(1).standard_normal((p, 2 * p)) / np.sqrt(p)
    form = Quadratic(half @ half.T)
    found = fit_erm(sample, loss, 0.3, form, True, s)
    value = objective(sample, loss, 0.3, form, found, s)
    rng = np.random.default_rng(2)
    for size in (1e-1, 1e-3, 1e-5):
        for _ in range(10):
            moved = type(found)(found.coefficients + size * rng.standard_normal(p) / p, found.intercept + size * rng.standard_normal())
            assert objective(sample, loss, 0.3, form, moved, s) > value


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("name", ["logistic", "hinge", "squared_hinge", "exponential"])
def test_maximum_margin(name, intercept):
    """On separable data lam = 0 is min |w|^2 at margins of at least 1, checked by SLSQP; small lam approaches it."""
    sample, _ = data(25, 40, "margin", seed=8)
    found = fit_erm(sample, losses.get(name), 0.0, L2(), intercept)
    a = sample.y[:, None] * np.hstack([sample.x / np.sqrt(40), np.full((25, 1), float(intercept))])
    best = optimize.minimize(
        lambda v: (0.5 * v[:-1] @ v[:-1], np.append(v[:-1], 0.0)),
        np.zeros(41),
        jac=True,
        constraints={"type": "ineq", "fun": lambda v: a @ v - 1, "jac": lambda v: a},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    norm = 0.5 * 40 * found.coefficients @ found.coefficients
    assert abs(norm / best.fun - 1) < 1e-8
    assert np.min(sample.y * (sample.x @ found.coefficients + found.intercept)) > 1 - 1e-9
    assert found.status is Status.converged
    if name in ("hinge", "squared_hinge"):
        near = fit_erm(sample, losses.get(name), 1e-7, L2(), intercept)
        np.testing.assert_allclose(near.coefficients, found.coefficients, atol=1e-5)


def test_separability_by_cover():
    """Cover 1965: random labels are separable with probability 2^{1-n} sum_{k<p} C(n-1, k); a linear program decides each draw."""
    rng = np.random.default_rng(9)
    hits = 0
    for _ in range(40):
        a, y = rng.standard_normal((24, 12)), rng.choice([-1.0, 1.0], 24)
        ours = separable(a, y, False)
        program = optimize.linprog(np.zeros(12), A_ub=-y[:, None] * a, b_ub=-np.ones(24), bounds=(None, None))
        assert ours == (program.status == 0)
        hits += ours
    assert 8 <= hits <= 32  # probability 1/2


@pytest.mark.parametrize(("apart", "told"), [(2e-14, False), (1e-10, True)])
def test_rows_that_differ_by_rounding_are_not_told_apart(monkeypatch, apart, told):
    """A weight and a constant that put zero halfway between two rows of opposite labels: margins count by the terms that cancel in them."""
    w, a, y = 1e10, np.array([[1.0], [1.0 + apart]]), np.array([-1.0, 1.0])
    between = SimpleNamespace(w=np.array([w]), c=-(w + 0.5 * w * apart))
    assert np.all(y * (a @ between.w + between.c) > 0)
    monkeypatch.setattr(finite_fit, "minimise", lambda objective: between)
    assert separable(a, y, True) is told


def test_no_penalty_on_data_that_cannot_be_separated():
    sample, _ = data(200, 10, "margin")
    for name in ("logistic", "hinge", "squared_hinge"):
        free = fit_erm(sample, losses.get(name), 0.0, L2(), True)
        near = fit_erm(sample, losses.get(name), 1e-9, L2(), True)
        assert free.status is Status.converged
        values = [objective(sample, losses.get(name), 0.0, L2(), found) for found in (free, near)]
        assert abs(values[0] / values[1] - 1) < 1e-8


@pytest.mark.parametrize("name", ["huber:0.5", "absolute", "quantile:0.8"])
@pytest.mark.parametrize("intercept", [False, True])
def test_residual_losses_interpolate_at_zero_penalty(name, intercept):
    """The limit lam -> 0+ with n < p is ridge's minimum-norm interpolator, whatever the loss."""
    sample, _ = data(20, 45, "residual")
    found = fit_erm(sample, losses.get(name), 0.0, L2(), intercept)
    ridge = sample.ridge(0.0, intercept)
    np.testing.assert_allclose(found.coefficients, ridge.coefficients, atol=1e-9)
    np.testing.assert_allclose(found.intercept, ridge.intercept, atol=1e-8)
    sparse = fit_erm(sample, losses.get(name), 0.0, L1(), intercept)
    np.testing.assert_allclose(sample.x @ sparse.coefficients + sparse.intercept, sample.y, atol=1e-8)
    assert np.sum(np.abs(sparse.coefficients)) < np.sum(np.abs(found.coefficients))
    assert np.sum(sparse.coefficients != 0) <= 20


def test_a_flat_bottom_has_no_limit_at_zero_penalty():
    """Any fit within the tube costs nothing: lam -> 0+ is not the interpolator of least norm; small penalties show another norm."""
    tube = losses.CustomLoss(lambda r: jnp.maximum(jnp.abs(r) - 0.4, 0.0), "residual", "tube", kinks=(-0.4, 0.4))
    sample, _ = data(20, 45, "residual")
    norms = [np.linalg.norm(found.coefficients) for found in (fit_erm(sample, tube, 1e-6, L2()), sample.ridge(0.0, False))]
    assert norms[0] < 0.9 * norms[1]
    for n in (20, 80):
        with pytest.raises(ArgumentError, match="`lam` must be positive for the loss tube: its least value is not at y = z alone"):
            fit_erm(data(n, 45, "residual")[0], tube, 0.0, L2())
    problem = ge.Problem(ge.DeepNetwork("tanh", noise=0.1), learner=ge.ERM(tube, lam=0.0))
    with pytest.raises(ArgumentError, match="its least value is not at y = z alone"):
        ge.solve(problem, [0.5])


def test_weighted_square_loss_is_weighted_ridge():
    from sklearn.linear_model import Ridge

    sample, s = data(30, 12, "residual")
    model = Ridge(alpha=12 * 0.7).fit(sample.x, sample.y, sample_weight=s)
    found = fit_erm(sample, losses.Square(), 0.7, L2(), True, s)
    np.testing.assert_allclose(found.coefficients, model.coef_, atol=1e-10)
    assert fit_erm(sample, losses.Square(), 0.7, L2(), True).coefficients.tolist() == sample.ridge(0.7, True).coefficients.tolist()


def test_a_custom_loss_fits():
    sample, s = data(40, 15, "residual")
    mine = losses.CustomLoss(lambda r: jnp.where(jnp.abs(r) < 0.5, 0.5 * r**2, 0.5 * jnp.abs(r) - 0.125), "residual", "huber")
    one, two = fit_erm(sample, mine, 0.2, L2(), True, s), fit_erm(sample, losses.Huber(0.5), 0.2, L2(), True, s)
    np.testing.assert_allclose(one.coefficients, two.coefficients, atol=1e-9)
    tube = losses.CustomLoss(lambda r: jnp.maximum(jnp.abs(r) - 0.4, 0.0), "residual", "tube", kinks=(-0.4, 0.4))
    from sklearn.svm import SVR

    found = fit_erm(sample, tube, 0.2, L2(), True)
    model = SVR(kernel="linear", C=5.0, epsilon=0.4, tol=1e-9).fit(sample.x / np.sqrt(15), sample.y)
    assert found.residual < 1e-9
    np.testing.assert_allclose(found.coefficients * np.sqrt(15), model.coef_[0], atol=1e-3)


def test_extreme_penalties():
    sample, _ = data(30, 12, "residual")
    found = fit_erm(sample, losses.Absolute(), np.inf, L2(), True)
    assert np.all(found.coefficients == 0)
    total = lambda c: np.sum(np.abs(sample.y - c))  # noqa: E731
    assert abs(total(found.intercept) - total(np.median(sample.y))) < 1e-9
    assert fit_erm(sample, losses.Huber(), np.inf).intercept == 0.0


@pytest.mark.parametrize(("label", "rows"), [(1.0, 8), (-1.0, 8), (-1.0, 1)])
def test_labels_of_one_class(label, rows):
    sample = TrainingSample(np.random.default_rng(0).standard_normal((rows, 4)), np.full(rows, label))
    hinge, logistic = fit_erm(sample, losses.Hinge(), 0.1, L2(), True), fit_erm(sample, losses.Logistic(), 0.1, L2(), True)
    assert hinge.intercept == label and hinge.status is Status.converged and not np.any(hinge.coefficients)
    assert logistic.intercept == label * np.inf and logistic.status is Status.single_class
    assert fit_erm(sample, losses.Logistic(), 0.1, L2(), False).status is Status.converged


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("lam", [0.3, 0.0])
def test_a_linear_kernel_is_the_linear_fit(name, lam):
    loss = losses.get(name)
    sample, s = data(40, 15, loss.kind, seed=11)
    linear = fit_erm(sample, loss, lam, L2(), True, s)
    dual = fit_erm_kernel(sample.x @ sample.x.T / 15, sample.y, loss, lam, True, s)
    assert dual.status is linear.status is Status.converged
    fields = (sample.x @ sample.x.T / 15) @ dual.coefficients + dual.intercept
    if lam == 0 and loss.kinks:  # the unpenalised minimiser need not be unique
        mine = np.sum(s * loss.value(sample.y, fields))
        theirs = np.sum(s * loss.value(sample.y, sample.x @ linear.coefficients + linear.intercept))
        assert abs(mine - theirs) < 1e-8 * (1 + theirs)
    else:
        np.testing.assert_allclose(fields, sample.x @ linear.coefficients + linear.intercept, atol=2e-7)


def test_kernel_ridge():
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((30, 4)), rng.standard_normal(30)
    K = np.exp(-0.1 * np.sum((x[:, None] - x) ** 2, axis=2))
    np.testing.assert_allclose(
        fit_erm_kernel(K, y, losses.Square(), 0.2).coefficients, np.linalg.solve(K + 0.2 * np.eye(30), y), atol=1e-10
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: fit_erm(s, losses.Hinge(), 0.1), "`y` must be -1 or 1 for the hinge loss"),
        (lambda s: fit_erm(s, losses.Huber(), -1.0), "`lam` must be"),
        (lambda s: fit_erm(s, losses.Huber(), 0.1, Quadratic(np.ones(3))), "quadratic form of dimension 5"),
        (lambda s: fit_erm(s, losses.Huber(), 0.1, L2(), False, np.ones(3)), "10 non-negative numbers"),
        (lambda s: fit_erm_kernel(np.eye(3), s.y, losses.Huber(), 0.1), "a square array of 10 rows"),
        (lambda s: fit_erm_kernel(-np.eye(10), s.y, losses.Huber(), 0.1), "positive semi-definite"),
        (lambda s: fit_erm_kernel(np.triu(np.ones((10, 10))), s.y, losses.Huber(), 0.1), "symmetric"),
    ],
)
def test_arguments_are_checked(call, message):
    sample, _ = data(10, 5, "residual")
    with pytest.raises(ArgumentError, match=message):
        call(sample)
