"""The solver: it satisfies the equations it was given, its Jacobian is exact, and degenerate corners are well conditioned."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.learners.convex.averages import FIELD, RESPONSE, SCORE, SQUARE
from gaussequiv.learners.convex.model import Model, Points
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
    s = model.solve(at)
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
    s = model.solve(at)
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
