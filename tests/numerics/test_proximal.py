"""The generic proximal map against functions whose map is known."""

import numpy as np
import pytest

from gaussequiv.numerics.proximal import moreau_gradient

V = np.logspace(-12, 14, 27)


@pytest.mark.parametrize("omega", [-1e6, -3.0, -0.2, 0.0, 1e-9, 0.7, 40.0, 1e6])
def test_square(omega):
    g, dg = moreau_gradient(lambda x: x, np.ones_like, np.full_like(V, omega), V)
    np.testing.assert_allclose(g, -omega / (1 + V), rtol=1e-14)
    np.testing.assert_allclose(dg, -1 / (1 + V), rtol=1e-14)


@pytest.mark.parametrize("omega", [-1e6, -3.0, -0.2, 1e-9, 0.7, 40.0, 1e6])
def test_quartic_root_by_its_own_residual(omega):
    """f = x^4/4: x + V x^3 = omega, checked in extended precision."""
    g, _ = moreau_gradient(lambda x: x**3, lambda x: 3 * x**2, np.full_like(V, omega), V)
    x = -np.sign(g) * np.cbrt(np.abs(g)).astype(np.longdouble)
    x -= (x**3 + g) / (3 * x**2)
    np.testing.assert_allclose((x + V.astype(np.longdouble) * x**3 - omega).astype(float), 0.0, atol=3e-14 * abs(omega))


def test_kinks_hold_the_minimiser_exactly():
    """f = |x| + |x - 2|: slopes -2, 0, 2."""
    slope = lambda x: np.sign(x) + np.sign(x - 2)  # noqa: E731
    kinks = [(0.0, -2.0, 0.0), (2.0, 0.0, 2.0)]
    omega = np.array([-10.0, -3.0, -1.0, 1.5, 4.0, 7.0])
    v = np.full(6, 2.0)
    g, dg = moreau_gradient(slope, np.zeros_like, omega, v, kinks)
    np.testing.assert_allclose(omega + v * g, [-6.0, 0.0, 0.0, 1.5, 2.0, 3.0], atol=1e-14)
    np.testing.assert_allclose(dg, [0.0, -0.5, -0.5, 0.0, -0.5, 0.0], atol=1e-14)


@pytest.mark.parametrize("v", [0.5, 1.0, 2.0])
def test_infinite_curvature_at_the_minimiser(v):
    """f = 2/3 |x|^(3/2) + v x: for omega = v^2 the minimiser is 0, where f'' is infinite, and g = -v, dg = -1/v."""

    def curvature(x):
        with np.errstate(divide="ignore"):
            return 0.5 / np.sqrt(np.abs(x))

    g, dg = moreau_gradient(lambda x: np.sign(x) * np.sqrt(np.abs(x)) + v, curvature, np.array([v**2]), np.array([v]))
    np.testing.assert_allclose([g[0], dg[0]], [-v, -1 / v], rtol=1e-14)
    # from omega = 0 the iteration starts where f'' is infinite; there x - v sqrt(-x) + v^2 = 0 with u = sqrt(-x) > 0
    g, dg = moreau_gradient(lambda x: np.sign(x) * np.sqrt(np.abs(x)) + v, curvature, np.array([0.0]), np.array([v]))
    u = 0.5 * (np.sqrt(v**2 + 4 * v**2) - v)
    np.testing.assert_allclose([g[0], dg[0]], [-(u**2) / v, -1 / (v + 2 * u)], rtol=1e-12)


def test_an_exponential_that_overflows_at_the_start_is_bracketed():
    omega, v = np.array([-5000.0, -1e6]), np.array([1.0, 1e-12])
    with np.errstate(over="ignore"):
        g, _ = moreau_gradient(lambda x: -np.exp(-x), lambda x: np.exp(-x), omega, v)
    assert np.all(np.isfinite(g))
    np.testing.assert_allclose(-np.log(g), omega + v * g, rtol=1e-13)


def test_a_function_without_root_gives_nan():
    g, dg = moreau_gradient(lambda x: np.full_like(x, np.nan), np.zeros_like, np.array([1.0]), np.array([1.0]))
    assert np.isnan(g[0]) and np.isnan(dg[0])


def test_a_steep_side_is_solved_like_a_gentle_one():
    """f = 1e6 (e^x + e^-3x): F = 0 in logarithms, from starts on both sides, with dg = -f''/(1 + V f'')."""
    slope, curvature = (lambda x: 1e6 * (np.exp(x) - 3 * np.exp(-3 * x))), (lambda x: 1e6 * (np.exp(x) + 9 * np.exp(-3 * x)))
    omega, v = np.array([-30.0, -2.0, 0.3, 12.0, 500.0]), np.array([1e-3, 2.0, 1e-9, 0.5, 4.0])
    g, dg = moreau_gradient(slope, curvature, omega, v)
    x = omega + v * g
    inner = np.array([1, 2, 3])  # where x is not a small difference
    np.testing.assert_allclose(g[inner], -slope(x[inner]), rtol=1e-5)
    np.testing.assert_allclose(dg, -curvature(x) / (1 + v * curvature(x)), rtol=1e-6)
    assert np.all(np.isfinite(g)) and np.all(g * v < 31) and g[0] > 0 > g[-1]
    # the root once more, by bisection
    for k in range(5):
        low, high = -40.0, 40.0
        for _ in range(200):
            middle = 0.5 * (low + high)
            low, high = (low, middle) if middle - omega[k] + v[k] * slope(middle) > 0 else (middle, high)
        assert x[k] == pytest.approx(low, rel=1e-9, abs=1e-9)


SMOOTH = {  # slope and curvature, of bounded, unbounded and exponential growth
    "softplus": (lambda x: -1 / (1 + np.exp(x)), lambda x: 1 / (4 * np.cosh(0.5 * x) ** 2)),
    "pseudo-Huber": (lambda x: x / np.sqrt(1 + x * x), lambda x: (1 + x * x) ** -1.5),
    "exponential": (lambda x: -np.exp(-x), lambda x: np.exp(-x)),
    "quartic": (lambda x: x**3, lambda x: 3 * x**2),
}


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 20.0])
def test_many_values_of_one_map_are_those_of_each_alone(name, scale):
    """Started from a table of omega(x), a few evaluations each; the rows in any order, with one value of V, and several."""
    slope, curvature = SMOOTH[name]
    omega = np.random.default_rng(1).permutation(scale * np.linspace(-8.6, 8.6, 400))
    for v in (0.1, 10.0, 1e4):
        alone = [moreau_gradient(slope, curvature, omega[k : k + 1], np.array([v])) for k in range(0, 400, 7)]
        g, dg = moreau_gradient(slope, curvature, omega, np.full(400, v))
        np.testing.assert_allclose(g[::7], np.concatenate([one[0] for one in alone]), rtol=1e-13, atol=1e-300)
        np.testing.assert_allclose(dg[::7], np.concatenate([one[1] for one in alone]), rtol=1e-12, atol=1e-300)
        two = moreau_gradient(slope, curvature, np.tile(omega, 2), np.repeat([v, 2.5 * v], 400))[0]
        np.testing.assert_allclose(two[:400], g, rtol=1e-13, atol=1e-300)
        np.testing.assert_allclose(two[400:], moreau_gradient(slope, curvature, omega, np.full(400, 2.5 * v))[0], rtol=1e-13, atol=1e-300)


def test_a_table_halves_the_work_where_the_loss_is_steep():
    slope, curvature = SMOOTH["softplus"]
    calls = []

    def counted(x):
        calls.append(x.size)
        return slope(x)

    omega = np.linspace(-8.0, 8.0, 400)
    moreau_gradient(counted, curvature, omega, np.full(400, 1e4))
    table = sum(calls)
    calls.clear()
    moreau_gradient(counted, curvature, omega, 1e4 * (1 + 1e-12 * np.arange(400)))  # no two share their V
    assert table < 0.5 * sum(calls)


def test_kinks_cut_what_a_table_starts():
    """f = |x - 1| + x^2/2, many omega: 1 within [1 + v (1 - 1), 1 + v (1 + 1)], else linear pieces."""
    omega, v = np.linspace(-300.0, 300.0, 601), 50.0
    g, dg = moreau_gradient(lambda x: np.sign(x - 1) + x, np.ones_like, omega, np.full(601, v), [(1.0, 0.0, 2.0)])
    x = np.where(omega < 1.0, (omega + v) / (1 + v), np.where(omega > 1 + 2 * v, (omega - v) / (1 + v), 1.0))
    np.testing.assert_allclose(omega + v * g, x, atol=1e-11)
    np.testing.assert_allclose(dg, np.where(x == 1.0, -1 / v, -1 / (1 + v)), rtol=1e-12)


def test_no_table_where_the_slope_is_not_finite():
    """exp(-x) overflows beyond -709, where the step goes to; the map is known all the same."""
    slope, curvature = SMOOTH["exponential"]
    omega = np.linspace(-2000.0, 10.0, 300)
    with np.errstate(over="ignore"):
        g, dg = moreau_gradient(slope, curvature, omega, np.full(300, 3.0))
    assert np.isfinite(g).all() and np.isfinite(dg).all()
    x = omega + 3.0 * g
    np.testing.assert_allclose(np.log(g), -x, rtol=1e-9, atol=1e-9)
