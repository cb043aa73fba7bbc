"""The spectral half: sums written out, derivatives, the variance identities, and separable penalties by Monte Carlo."""

import dataclasses

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.ingredients.penalties import base as penalties
from gaussequiv.ingredients.priors.log_density import LogDensity
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
    for x, y in zip(a[:5], b[:5], strict=True):
        assert x == pytest.approx(y, rel=1e-9)
    assert a.jacobian == pytest.approx(b.jacobian, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("prior", ["gaussian", "sparse-rademacher:0.3"])
def test_misfit_and_rest_of_a_lasso_are_those_of_q_and_m(prior):
    """misfit = rho + q - 2 m and rest = rho - m^2/q; lam beyond every field leaves no weight: misfit = rest = rho."""
    target = ge.LinearTarget(prior=prior, noise=0.2) if prior != "gaussian" else ge.LinearTarget(noise=0.2)
    for e in (ge.Problem(target).equivalent(), equivalent((1.5,))):
        o = SeparableStudent(e, penalties.get("l1")).orders(*AT)
        rho = float(e.weights @ e.signal_modes) + e.model_noise
        assert o.misfit == pytest.approx(rho + o.q - 2 * o.m, rel=1e-9)
        assert o.rest[:3] == pytest.approx((rho - o.m**2 / o.q)[:3], rel=1e-9)
        nothing = SeparableStudent(e, penalties.get("l1")).orders(*AT[:3], np.full(3, 1e6))
        assert np.all(nothing.q == 0)
        assert nothing.misfit == pytest.approx([rho] * 3, rel=1e-12)
        assert nothing.rest == pytest.approx([rho] * 3, rel=1e-12)


def test_a_kernel_answers_its_nugget_alone():
    """Directions without eigenvalue answer as nugget/lam, which V alone sees: by its value and its slope in lam."""
    with_nugget, without = (QuadraticStudent(dataclasses.replace(equivalent(), nugget=x)).orders(*AT) for x in (0.3, 0.0))
    lam = AT[3]
    assert with_nugget.V - without.V == pytest.approx(0.3 / lam, rel=1e-9)
    assert with_nugget.jacobian[:, 0, 3] - without.jacobian[:, 0, 3] == pytest.approx(-0.3 / lam**2, rel=1e-9)
    for one, other in zip((*with_nugget[1:5], with_nugget.radial), (*without[1:5], without.radial), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_radial_difference_moves_with_lam_as_written():
    student, step = QuadraticStudent(equivalent()), 1e-3 * AT[3]
    up, down, far, low = (student.orders(*AT[:3], AT[3] + k * step).radial for k in (1, -1, 2, -2))
    assert student.orders(*AT).dradial[:, 3] == pytest.approx((8 * (up - down) - (far - low)) / (12 * step), rel=1e-6, abs=1e-9)


def test_the_field_of_a_separable_student_has_the_variance_of_its_sum():
    """h = mhat w x + sqrt(qhat w) z, x the target's weights of variance alignment/w^2."""
    e = equivalent((1.5,))
    found = SeparableStudent(e, penalties.get("l1")).largest(np.array([0.4]), np.array([-0.9]))
    assert found[0] ** 2 == pytest.approx(0.4 * 1.5 + 0.81 * e.alignment[0], rel=1e-12)


def test_points_without_a_direction_have_no_radial_difference():
    at = [np.array([0.7, 0.7, 0.7]), np.array([0.4, 0.4, 0.4]), np.array([0.0, 1.0, -0.5]), np.array([0.1, 0.1, 0.1])]
    o = QuadraticStudent(equivalent()).orders(*at)
    assert np.isfinite(o.radial).tolist() == [False, True, True]
    assert o.radial[1:] == pytest.approx(1 - o.q[1:] * 0.7 / (o.m[1:] * at[2][1:]), rel=1e-9)


def test_a_target_without_a_linear_part_is_learned_by_no_one():
    w = np.array([0.3, 2.0])
    e = ge.GaussianEquivalent(w, np.array([0.5, 0.5]), np.zeros(2), 0.0, np.array([0.7]), 0.0, ge.DeepNetwork().channel)
    o = QuadraticStudent(e).orders(*AT)
    assert not np.any(o.m)
    assert o.rest == pytest.approx(np.full(3, 0.7), rel=1e-12)
    assert o.misfit == pytest.approx(0.7 + o.q, rel=1e-12)
    assert np.isnan(o.radial).all()


def test_a_density_given_by_its_logarithm_is_the_law_it_is():
    """Gaussian weights as a user's log density: the quadrature over x resolves thresholds far from and near to the weights."""
    e = ge.Problem(ge.LinearTarget(noise=0.2)).equivalent()
    own = dataclasses.replace(e, prior=LogDensity(lambda x: -0.5 * x**2))
    at = [np.array(a) for a in ([0.7, 3.0, 30.0, 0.7], [0.4, 1e-4, 1e-2, 2.0], [0.9, -3.0, 20.0, 0.05], [0.1, 1.5, 8.0, 0.2])]
    one, two = (SeparableStudent(each, penalties.get("elastic_net:0.4")).orders(*at) for each in (e, own))
    for x, y in zip(one[:6], two[:6], strict=True):
        np.testing.assert_allclose(y, x, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", ["l1", "elastic_net:0.4"])
def test_a_separable_student_moves_with_lam_as_written(name):
    student, step = SeparableStudent(equivalent((1.5,)), penalties.get(name)), 1e-4 * AT[3]
    up, down = (np.stack(student.orders(*AT[:3], AT[3] + k * step)[:3], axis=-1) for k in (1, -1))
    np.testing.assert_allclose(student.orders(*AT).jacobian[:, :, 3], (up - down) / (2 * step[:, None]), rtol=1e-4, atol=1e-8)
