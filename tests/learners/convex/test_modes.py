"""The spectral half: sums written out, derivatives, the variance identities, and separable penalties by Monte Carlo."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.ingredients.penalties import base as penalties
from gaussequiv.learners.convex.modes import QuadraticStudent, SeparableStudent


def equivalent(w=(0.0, 0.3, 1.0, 4.0), noise=0.2):
    w = np.array(w)
    mass = np.full(w.size, 1 / w.size)
    rng = np.random.default_rng(0)
    alignment = w * rng.uniform(0.2, 1, w.size)
    signal = float(mass @ np.divide(alignment, w, out=np.zeros_like(w), where=w > 0))
    return ge.GaussianEquivalent(w, mass, alignment, signal, np.array([noise]), 0.0, ge.DeepNetwork().channel)


AT = [np.array(a) for a in ([0.7, 1e-3, 30.0], [0.4, 2.0, 1e-2], [0.9, -0.5, 20.0], [0.1, 3.0, 1e-6])]


def test_sums():
    e = equivalent()
    o = QuadraticStudent(e).orders(*AT)
    w, t, mass = e.eigenvalues, e.alignment, e.weights
    for i, (Vhat, qhat, mhat, lam) in enumerate(zip(*AT, strict=True)):
        R = 1 / (lam + Vhat * w)
        assert o.V[i] == pytest.approx(mass @ (w * R))
        assert o.q[i] == pytest.approx(mass @ ((qhat * w + mhat**2 * t) * w * R**2))
        assert o.m[i] == pytest.approx(mhat * (mass @ (t * R)))
        assert o.radial[i] == pytest.approx(1 - o.q[i] * Vhat / (o.m[i] * mhat), abs=1e-12)
    rho = e.signal_variance + 0.2
    assert o.rest == pytest.approx(rho - o.m**2 / o.q)
    assert o.misfit == pytest.approx(rho + o.q - 2 * o.m)


@pytest.mark.parametrize("student", ["l2", "l1", "elastic_net:0.4"])
def test_derivatives(student):
    if student == "l2":
        s = QuadraticStudent(equivalent())
    else:
        s = SeparableStudent(equivalent((1.5,)), penalties.get(student))
    for k in range(4 if student == "l2" else 3):
        step = 1e-3 * np.abs(AT[k])

        def at(j, k=k, step=step):
            o = s.orders(*(a + j * step if i == k else a for i, a in enumerate(AT)))
            return np.stack([o.V, o.q, o.m], axis=-1), o.radial

        slope, radial = ((8 * (a - b) - (c - d)) / 12 for a, b, c, d in zip(at(1), at(-1), at(2), at(-2), strict=True))
        o = s.orders(*AT)
        assert o.jacobian[:, :, k] == pytest.approx(slope / step[:, None], rel=1e-6, abs=1e-9)
        if student == "l2" and k < 3:
            assert o.dradial[:, k] == pytest.approx(radial / step, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", ["l1", "elastic_net:0.4"])
def test_separable_by_monte_carlo(name):
    """w = argmin lam r(w) + Vhat w^2/2 - h w with h ~ N(mhat theta + sqrt(qhat) z), theta the Gaussian target."""
    e, penalty = equivalent((1.0,)), penalties.get(name)
    Vhat, qhat, mhat, lam, n = 0.7, 0.4, 0.9, 0.3, 1_000_000
    o = SeparableStudent(e, penalty).orders(*(np.array([a]) for a in (Vhat, qhat, mhat, lam)))
    rng = np.random.default_rng(0)
    theta, z = np.sqrt(e.alignment[0]) * rng.standard_normal(n), rng.standard_normal(n)
    h = mhat * theta + np.sqrt(qhat) * z
    w = np.sign(h) * np.maximum(np.abs(h) - lam * penalty.l1, 0) / (Vhat + lam * penalty.l2)
    for value, draws in ((o.q[0], w * w), (o.m[0], w * theta)):
        assert abs(draws.mean() - value) < 4 * draws.std() / np.sqrt(n)


def test_without_a_share_of_l1_it_is_ridge():
    e = equivalent((1.5,))
    a = SeparableStudent(e, penalties.ElasticNet(0.0)).orders(*AT)
    b = QuadraticStudent(e).orders(*AT)
    for x, y in zip(a[:3], b[:3], strict=True):
        assert x == pytest.approx(y, rel=1e-12)
