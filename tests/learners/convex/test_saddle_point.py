"""The solver: it satisfies the equations it was given, its Jacobian is exact, and degenerate corners are well conditioned."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import special

import gaussequiv as ge
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.ingredients.channels.binary import Binary
from gaussequiv.learners.convex.averages import FIELD, RESPONSE, SCORE, SQUARE
from gaussequiv.learners.convex.model import Model, Points
from gaussequiv.learners.convex.routes import Routes
from gaussequiv.learners.convex.saddle_point import joined
from gaussequiv.numerics.status import Status


def equivalent(channel, rho=1.0, noise=0.0, w=(1.0,), offset=None, offset_variance=0.0):
    """Raw inputs with modes w, signal variance rho and effective noise."""
    w = np.array(w, float)
    mass = np.full(w.size, 1 / w.size)
    return ge.GaussianEquivalent(w, mass, rho / float(mass @ w) * w**2, rho, np.array([noise]), offset_variance, channel, offset=offset)


CASES = {
    "noisy": (ge.ERM("logistic", 0.1), equivalent(Sign(0.3), noise=0.1, w=(0.2, 1, 5)), (2.0, 0.3)),
    "noiseless, many samples": (ge.ERM("logistic", 0.1), equivalent(Sign(0.0)), (1e4, 1e-10)),
    "offset": (ge.ERM("hinge", 0.1, intercept=True), equivalent(Sign(0.3), offset=0.8), (2.0, 0.3)),
    "offset, small penalty": (ge.ERM("logistic", 0.1, intercept=True), equivalent(Sign(0.15), rho=0.3, offset=1.1), (10.0, 1e-4)),
    "class weights": (ge.ERM("squared_hinge", 0.1, class_weight={-1: 3, 1: 0.5}), equivalent(Sign(0.3)), (2.0, 0.3)),
    "regression": (ge.ERM("huber:0.5", 0.1, intercept=True), equivalent(GaussianNoise(0.3), w=(0, 1, 3), offset=0.4), (2.0, 0.3)),
}


@pytest.mark.parametrize("name", CASES)
def test_solution_satisfies_the_equations(name):
    erm, e, (alpha, lam) = CASES[name]
    model = Model(erm, e)
    at = Points(np.array([alpha]), np.array([lam]), model.b0[:1])
    s = Routes(model).solve(at)
    assert s.status[0] == Status.converged
    value = model.saddle(at).average(s.fields, np.arange(1)).value
    (Vhat,), (qhat,), (mhat,) = s.conjugates
    got = alpha * value[0, [RESPONSE, SQUARE, FIELD]]
    assert got == pytest.approx([Vhat, qhat, mhat], rel=1e-8)
    if model.free_constant:
        assert abs(value[0, SCORE]) < 1e-8
    R = 1 / (lam + Vhat * e.eigenvalues)
    assert s.fields.q[0] == pytest.approx(e.weights @ ((qhat * e.eigenvalues + mhat**2 * e.alignment) * e.eigenvalues * R**2), rel=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_jacobian_and_condition(name):
    erm, e, (alpha, lam) = CASES[name]
    model = Model(erm, e)
    at = Points(np.array([alpha]), np.array([lam]), model.b0[:1])
    s = Routes(model).solve(at)
    system = model.saddle(at, sign=s.sign)

    def F(k, j):
        x = s.unknowns.copy()
        x[0, k] += 1e-3 * j
        return system.evaluate(x, np.arange(1))[0][0]

    J = system.evaluate(s.unknowns, np.arange(1))[1][0]
    difference = np.stack([(8 * (F(k, 1) - F(k, -1)) - (F(k, 2) - F(k, -2))) / 12e-3 for k in range(4)], axis=1)
    free = 4 if model.free_constant else 3
    assert J[:free, :free] == pytest.approx(difference[:free, :free], rel=3e-5, abs=3e-5)
    assert np.linalg.cond(J[:free, :free]) < 1e4


def test_noiseless_channel_scales_as_one_curve():
    """At many samples a noiseless sign target is scale free: alpha eps depends on lam alpha^2 alone."""
    e = equivalent(Sign(0.0))
    errors = [ge.ERM("logistic", lam).solve(e, np.array([a])) for a, lam in ((1e3, 1e-8), (1e4, 1e-10), (1e5, 1e-12))]
    products = [float(r["test_error"][0]) * a for r, a in zip(errors, (1e3, 1e4, 1e5), strict=True)]
    assert products[0] == pytest.approx(products[1], rel=1e-4)
    assert products[1] == pytest.approx(products[2], rel=1e-4)
    assert all(r["status"][0] == Status.converged for r in errors)


def test_a_hinge_that_no_row_reaches():
    """At large lam every row stays on the linear part: Vhat = 0, w = sum y x/lam, and the error is that of the Hebb rule."""
    e = equivalent(Sign(0.0))
    r = ge.ERM("hinge", 1e6).solve(e, np.array([2.0]))
    c1 = np.sqrt(2 / np.pi)
    q, m = (2 + (2 * c1) ** 2) / 1e12, 2 * c1 / 1e6
    assert r["status"][0] == Status.converged
    assert r["q"][0] == pytest.approx(q, rel=1e-10)
    assert r["m"][0] == pytest.approx(m, rel=1e-10)
    assert r["test_error"][0] == pytest.approx(np.arccos(m / np.sqrt(q)) / np.pi, rel=1e-10)


def differences(system, x, k, h=1e-3):
    """dF/dx_k."""

    def F(j):
        y = x.copy()
        y[:, k] += h * j
        return system.evaluate(y, np.arange(len(x))).residual

    return (8 * (F(1) - F(-1)) - (F(2) - F(-2))) / (12 * h)


@pytest.mark.parametrize("intercept", [False, True])
def test_derivatives_where_no_row_has_reached_the_kink(intercept):
    """Vhat is then held at what makes no difference; an intercept that nothing fixes is held, too. The other equations stay exact."""
    e = equivalent(Sign(0.3), offset=0.4)
    model = Model(ge.ERM("hinge", 1e5, intercept=intercept), e)
    at = Points(np.array([2.0]), np.array([1e5]), model.b0)
    system = model.saddle(at, sign=np.ones(1))
    x = np.log(np.array([[1e-300, 2.0, 1.0, 1.0]]))
    x[:, 3] = 0.1 if intercept else 0.0
    found = system.evaluate(x, np.arange(1))
    np.testing.assert_array_equal(found.jacobian[0, 0], [1.0, 0.0, 0.0, 0.0])
    free = range(3)
    for k in free:
        np.testing.assert_allclose(found.jacobian[0, 1:3, k], differences(system, x, k)[0, 1:3], rtol=1e-6, atol=1e-9)
    if intercept:
        assert found.jacobian[0, 3, 3] == 1.0
    assert np.isfinite(found.image).all()


@pytest.mark.parametrize("name", CASES)
def test_equations_and_derivatives_away_from_a_solution(name):
    """F is log conjugate - log(load average) there, too, and every derivative is that of F, with either sign of mhat."""
    erm, e, (alpha, lam) = CASES[name]
    model = Model(erm, e)
    at = Points(np.full(2, alpha), np.full(2, lam), np.full(2, model.b0[0]))
    x = np.array([[-0.4, -0.7, -0.6, 0.3], [0.6, 0.4, -1.0, -0.2]])
    if not model.free_constant:
        x[:, 3] = 0.0
    system = model.saddle(at, sign=np.ones(2))
    form = system.form_at(x)
    held = system.with_form_at(x)
    found = held.evaluate(x, np.arange(2))
    fields, _, hats = held.fields(x, np.arange(2))
    np.testing.assert_allclose(np.log(np.stack(hats, axis=1)), x[:, :3], rtol=1e-12)
    np.testing.assert_allclose(fields.c, model.known_constant(at.b0) + x[:, 3] * np.sqrt(1 + fields.q), rtol=1e-12)
    value = held.average(fields, np.arange(2)).value
    rows = range(3) if form is None or not form.difference.any() else (1, 2)
    for row, average in enumerate((RESPONSE, SQUARE, FIELD)):
        if row in rows:
            np.testing.assert_allclose(found.residual[:, row], x[:, row] - np.log(alpha * value[:, average]), rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(found.image[:, row], np.log(alpha * value[:, average]), rtol=1e-9, atol=1e-12)
    if model.free_constant:
        step = (
            -value[:, SCORE] / np.maximum(value[:, RESPONSE], np.abs(value[:, SCORE]) / np.sqrt(1 + fields.q) / 3) / np.sqrt(1 + fields.q)
        )
        np.testing.assert_allclose(found.residual[:, 3], step, rtol=1e-9)
        np.testing.assert_allclose(found.image[:, 3], x[:, 3] - step, rtol=1e-9)
    assumed = replace(model.saddle(at), form=held.form).evaluate(x, np.arange(2))  # no sign given: +1
    np.testing.assert_array_equal(assumed.residual, found.residual)
    for k in range(4 if model.free_constant else 3):
        np.testing.assert_allclose(found.jacobian[:, :3, k], differences(held, x, k)[:, :3], rtol=2e-5, atol=2e-6)


def test_a_constant_moves_by_three_units_at_most():
    """Far from its root the score is taken over as much as keeps its step at the largest of the logarithms."""
    model = Model(ge.ERM("logistic", 0.1, intercept=True), equivalent(Sign(0.3), offset=0.4))
    at = Points(np.full(2, 2.0), np.full(2, 0.1), model.b0.repeat(2))
    x = np.array([[0.0, 2.0, 0.5, 60.0], [0.0, 2.0, 0.5, -60.0]])
    found = model.saddle(at, sign=np.ones(2)).evaluate(x, np.arange(2))
    np.testing.assert_allclose(found.residual[:, 3], [3.0, -3.0], rtol=1e-9)
    np.testing.assert_allclose(found.image[:, 3], [57.0, -57.0], rtol=1e-9)


SLOPES = {name: (erm, e, alpha, lam) for name, (erm, e, (alpha, lam)) in CASES.items()} | {
    "random labels": (ge.ERM("logistic", 0.1), equivalent(Binary("random"), w=(0.5, 2.0)), 2.0, 0.3),
    "random labels, constant": (ge.ERM("logistic", 0.1, intercept=True), equivalent(Binary("random:0.3")), 2.0, 0.3),
    "no row at the kink": (ge.ERM("hinge", 0.1), equivalent(Sign(0.3)), 2.0, 1e6),
    "noiseless": (ge.ERM("logistic", 0.1), equivalent(Sign(0.0), w=(0.5, 1.5)), 5.0, 0.02),
    "elastic net": (ge.ERM("logistic", 0.1, "elastic_net:0.4", intercept=True), equivalent(Sign(0.3), offset=0.3), 2.0, 0.1),
}


@pytest.mark.parametrize("name", SLOPES)
def test_equations_move_with_lam_as_written(name):
    """dF/d lam at a solution, in the form that the equations have there, by differences; the Jacobian beside it is that of `evaluate`."""
    erm, e, alpha, lam = SLOPES[name]
    model = Model(erm, e)
    at = Points(np.array([alpha]), np.array([lam]), model.b0[:1])
    s = Routes(model).solve(at)
    held, jacobian, slope = model.saddle(at, sign=s.sign).with_slopes_at(s.unknowns)

    def F(k):
        return replace(held, lam=at.lam * (1 + 1e-3 * k)).evaluate(s.unknowns, np.arange(1)).residual

    difference = (8 * (F(1) - F(-1)) - (F(2) - F(-2))) / (12e-3 * lam)
    np.testing.assert_allclose(slope * lam, difference * lam, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(jacobian, held.evaluate(s.unknowns, np.arange(1)).jacobian, rtol=1e-12)


def test_points_of_either_form_stand_beside_each_other():
    """Many samples without noise, where two equations nearly coincide, and few: together each is what it is alone."""
    model = Model(ge.ERM("logistic", 0.1), equivalent(Sign(0.0)))
    at = Points(np.array([1e4, 0.5]), np.array([1e-10, 0.3]), np.zeros(2))
    s = Routes(model).solve(at)
    system = model.saddle(at, sign=s.sign)
    form = system.form_at(s.unknowns)
    assert form.difference.tolist() == [True, False]
    x = s.unknowns + 0.01 * np.array([1.0, -1.0, 1.0, 0.0])
    both, slopes = system.evaluate(x, np.arange(2)), system.with_slopes_at(s.unknowns)
    np.testing.assert_array_equal(slopes[0].form.difference, form.difference)
    np.testing.assert_allclose(slopes[0].form.size, form.size, rtol=1e-12)
    for k in range(2):
        one = model.saddle(at.take([k]), sign=s.sign[[k]])
        for part, whole in zip(one.evaluate(x[[k]], np.arange(1)), both, strict=True):
            np.testing.assert_allclose(part[0], whole[k], rtol=1e-9, atol=1e-12)
        for part, whole in zip(one.with_slopes_at(s.unknowns[[k]])[1:], slopes[1:], strict=True):
            np.testing.assert_allclose(part[0], whole[k], rtol=1e-9, atol=1e-12)


def test_a_student_that_labels_say_nothing_to():
    """Random labels: mhat is no unknown, m = 0, and the others satisfy their equations."""
    e = equivalent(Binary("random"))
    model = Model(ge.ERM("logistic", 0.1), e)
    at = Points(np.array([2.0]), np.array([0.1]), model.b0)
    s = Routes(model).solve(at)
    assert not model.signal
    assert (s.fields.m[0], s.conjugates.mhat[0], s.sign[0]) == (0.0, 0.0, 1.0)
    value = model.saddle(at).average(s.fields, np.arange(1)).value[0]
    assert [s.conjugates.Vhat[0], s.conjugates.qhat[0]] == pytest.approx([2 * value[RESPONSE], 2 * value[SQUARE]], rel=1e-8)
    found = model.saddle(at, sign=np.ones(1)).evaluate(s.unknowns, np.arange(1))
    np.testing.assert_array_equal(found.jacobian[0, 2], [0.0, 0.0, 1.0, 0.0])
    assert not np.any(found.jacobian[0, :2, 2])
    assert found.image[0, 2] == s.unknowns[0, 2]


def test_labels_that_fall_with_the_field_are_learned_upside_down():
    """P(+1) of the mirrored link: mhat < 0 with everything else as for the link."""
    one, other = (
        Model(ge.ERM("logistic", 0.1), equivalent(Binary(link, 0.2))) for link in (lambda z: special.expit(z), lambda z: special.expit(-z))
    )
    at = Points(np.array([2.0]), np.array([0.1]), np.zeros(1))
    up, down = Routes(one).solve(at), Routes(other).solve(at)
    assert down.sign[0] == -1.0 and up.sign[0] == 1.0
    assert down.fields.m[0] == pytest.approx(-up.fields.m[0], rel=1e-9)
    assert [down.fields.q[0], down.fields.V[0]] == pytest.approx([up.fields.q[0], up.fields.V[0]], rel=1e-9)
    assert other.saddle(at).first_sign(other.start(at))[0] == -1.0


def test_parts_of_a_solution_are_taken_placed_and_joined():
    model = Model(ge.ERM("logistic", 0.1), equivalent(Sign(0.3)))
    at = Points(np.array([0.5, 1.0, 2.0]), np.full(3, 0.1), np.zeros(3))
    s = Routes(model).solve(at)
    again = joined([s.take(slice(0, 1)), s.take([1, 2])])
    for one, other in zip(
        (*s.fields, *s.conjugates, s.unknowns, s.status), (*again.fields, *again.conjugates, again.unknowns, again.status), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    again.place(np.array([0]), s.take([2]))
    assert again.fields.q[0] == s.fields.q[2] and again.conjugates.Vhat[0] == s.conjugates.Vhat[2]
    assert again.steps[0] == s.steps[0]
    np.testing.assert_array_equal(again.unknowns[1:], s.unknowns[1:])
