"""Losses: proximal maps against bisection in extended precision, Moreau identities, panels, custom functions."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate

from gaussequiv.errors import ArgumentError
from gaussequiv.ingredients.losses import named as losses
from gaussequiv.ingredients.losses.base import Loss

LD = np.longdouble
ALL = [
    losses.get(name) for name in ("square", "logistic", "hinge", "squared_hinge", "huber:0.7", "absolute", "quantile:0.8", "exponential")
]
SMOOTH = [loss for loss in ALL if not loss.kinks and loss.name not in ("squared_hinge", "huber")]
IDS = [loss.name for loss in ALL]


def _points(size: int = 4000):
    """Fields from -1e6 to 1e6 and V from 1e-12 to 1e14, with many near the two ends of the active region."""
    rng = np.random.default_rng(5)
    V = 10 ** rng.uniform(-12, 14, size)
    t = rng.choice([-1.0, 1.0], size) * 10 ** rng.uniform(-3, 6, size)
    third = size // 3
    t[:third] = np.maximum(-V[:third] * rng.uniform(0, 1.2, third), -1e15)
    t[third : 2 * third] = np.log(V[third : 2 * third]) + rng.uniform(-9, 9, third)
    return t, V


def _logistic_oracle(t, V):
    """(sigma(-x), sigma(x)) with x = t + V sigma(-x), by bisection in x or, where it is finer, in 1 - sigma, in extended precision."""
    t, V = t.astype(LD), V.astype(LD)
    low, high = t.copy(), t + V
    low, high = np.maximum(low, -LD(12000)), np.minimum(high, LD(12000) + np.abs(t))
    sigma = lambda x: 1 / (1 + np.exp(np.minimum(x, LD(11000))))  # noqa: E731
    for _ in range(140):
        x = 0.5 * (low + high)
        above = x - t - V * sigma(x) > 0
        low, high = np.where(above, low, x), np.where(above, x, high)
    # x is known to a rounding of the scale |t| only: finish in sigma, where the equation is s = sigma(t + V s)
    s, c = sigma(x), sigma(-x)
    step = ((x - t) - V * s) / (1 + V * s * c)
    return s * (1 + c * step), c * (1 - s * step)


def test_logistic_against_bisection_in_extended_precision():
    t, V = _points()
    g, dg = losses.Logistic().proximal(1.0, t, V)
    s, c = _logistic_oracle(t, V)
    big = s > 1e-290
    assert np.max(np.abs(g[big] / s[big] - 1)) < 1e-14
    exact = -(s * c) / (1 + V * s * c)
    big = s * c > 1e-290
    assert np.max(np.abs(dg[big] / exact[big] - 1)) < 3e-13  # c = 1 - g where g is near 1


@pytest.mark.parametrize(("omega", "V"), [(-9.0, 20.0), (-5.0, 10.0), (-3000.0, 1e4), (-60.0, 1e4), (-5e9, 1e10)])
def test_logistic_where_newton_cycles(omega, V):
    """Newton from omega cycles between two points for V > 8."""
    g, _ = losses.Logistic().proximal(1.0, omega, V)
    s, _ = _logistic_oracle(np.array([omega]), np.array([V]))
    assert abs(g / float(s[0]) - 1) < 1e-14


def test_exponential_solves_its_equation():
    t, V = _points()
    g, _ = losses.Exponential().proximal(1.0, t, V)
    use = (g > 1e-290) & (t > -1e6)
    t, V, g = t[use].astype(LD), V[use].astype(LD), g[use]
    # one Newton step for log g + t + V g = 0 in extended precision gives the relative error of g
    error = (np.log(g.astype(LD)) + t + V * g) / (1 + V * g)
    assert np.max(np.abs(error)) < 2e-14
    with np.errstate(under="ignore"):
        assert np.isfinite(losses.Exponential().proximal(1.0, [-1e6, 1e6, 0.0], [1e-12, 1e14, 1e14])[0]).all()


@pytest.mark.parametrize("loss", ALL, ids=IDS)
def test_moreau_identities(loss):
    t, V = _points(600)
    g, dg = loss.proximal(1.0, t, V)
    assert np.all((dg <= 0) & (dg >= -(1 + 1e-15) / V)) and np.all(np.isfinite(g))


@pytest.mark.parametrize("loss", ALL, ids=IDS)
@pytest.mark.parametrize("y", [-1.0, 1.0])
def test_prox_minimises(loss, y):
    omega, V = np.meshgrid(np.linspace(-12, 12, 41), np.logspace(-3, 3, 13))
    x = loss.prox(y, omega, V)
    energy = lambda z: (z - omega) ** 2 / (2 * V) + loss.value(y, z)  # noqa: E731
    best = energy(x)
    for step in (1e-4, 1e-2, 1.0):
        for sign in (-1, 1):
            assert np.all(energy(x + sign * step) >= best - 1e-12 * (1 + best))


@pytest.mark.parametrize("loss", ALL, ids=IDS)
@pytest.mark.parametrize("V", [1e-3, 0.5, 20.0, 1e4])
def test_derivatives_against_finite_differences(loss, V):
    rng = np.random.default_rng(1)
    omega = np.concatenate([rng.uniform(-6, 6, 200), -V * rng.uniform(0, 1.1, 100)])
    y = rng.choice([-1.0, 1.0], omega.size)
    h = 1e-5 * np.maximum(1, np.abs(omega)) ** (1 / 3)
    t = y * omega if loss.kind == "margin" else omega - y
    edges = loss.breaks(V) if loss.name in ("hinge", "squared_hinge", "huber", "absolute", "quantile") else np.empty(0)
    away = np.all(np.abs(t[:, None] - edges) > 2 * h[:, None], axis=1)
    up, down = loss.proximal(y, omega + h, V)[0], loss.proximal(y, omega - h, V)[0]
    dg = loss.proximal(y, omega, V)[1]
    rounding = 1e-15 * (np.abs(up) + np.abs(omega * dg)) / h
    assert np.all(np.abs((up - down) / (2 * h) - dg)[away] <= (1e-7 * np.abs(dg) + rounding)[away])
    z = np.linspace(-4, 4, 101) + 0.0137
    slope = (loss.value(1.0, z + 1e-6) - loss.value(1.0, z - 1e-6)) / 2e-6
    np.testing.assert_allclose(loss.slope(1.0, z), slope, atol=1e-8 * (1 + np.abs(slope).max()))
    bend = (loss.slope(1.0, z + 1e-6) - loss.slope(1.0, z - 1e-6)) / 2e-6
    np.testing.assert_allclose(loss.curvature(1.0, z), bend, atol=1e-7 * (1 + np.abs(bend).max()))


@pytest.mark.parametrize("loss", ALL, ids=IDS)
def test_the_closed_form_is_the_generic_prox(loss):
    t = np.random.default_rng(2).uniform(-20, 20, 400)
    V = 10 ** np.random.default_rng(3).uniform(-6, 6, 400)
    if loss.name in ("squared_hinge", "huber"):
        V = np.minimum(V, 1e3)
    closed, generic = loss.proximal_at(t, V), Loss.proximal_at(loss, t, V)
    np.testing.assert_allclose(generic[0], closed[0], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(generic[1], closed[1], rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("V", [1e-6, 1e-2, 0.3, 3.0, 50.0, 1e4, 1e9, 1e14])
@pytest.mark.parametrize("loss", [losses.Logistic(), losses.Exponential()], ids=["logistic", "exponential"])
def test_panels_between_breaks_resolve_g(loss, V):
    """16-point Gauss-Legendre on a panel against the same on its eight parts, for g, g^2, dg and g times a Gaussian of the panel's size."""
    edges = loss.breaks(V)
    assert np.all(np.diff(edges) >= 0) and loss.breaks(np.full((2, 3), V)).shape == (2, 3, edges.size)
    if loss.name == "logistic":  # the left half is the mirror image, where u itself carries a rounding error of V
        np.testing.assert_allclose(edges + edges[::-1], -V, rtol=1e-13, atol=1e-13)
        edges = edges[edges >= -0.5 * V]
    x, w = np.polynomial.legendre.leggauss(16)

    def integrals(a, b, parts):
        cuts = np.linspace(a, b, parts + 1)
        half, middle = 0.5 * np.diff(cuts)[:, None], 0.5 * (cuts[1:] + cuts[:-1])[:, None]
        u = middle + half * x
        g, dg = loss.proximal(1.0, u, V)
        return np.array([np.sum(half * w * f) for f in (g, g * g, dg, g * np.exp(-0.5 * ((u - a) / (b - a)) ** 2))])

    for a, b in itertools.pairwise(edges):
        if b - a > 1e-12 * max(1, abs(a)):
            np.testing.assert_allclose(integrals(a, b, 1), integrals(a, b, 8), rtol=1e-12, atol=1e-280, err_msg=f"[{a}, {b}]")


def test_kinked_losses_break_where_the_prox_meets_a_kink():
    np.testing.assert_allclose(losses.Hinge().breaks(3.0), [-2.0, 1.0])
    np.testing.assert_allclose(losses.SquaredHinge().breaks(np.array([3.0, 4.0])), [[1.0], [1.0]])
    np.testing.assert_allclose(losses.Huber(0.5).breaks(3.0), [-2.0, 2.0])
    np.testing.assert_allclose(losses.Absolute().breaks(3.0), [-3.0, 3.0])
    np.testing.assert_allclose(losses.Quantile(0.75).breaks(4.0), [-3.0, 1.0])
    assert losses.Square().breaks(np.ones((2, 3))).shape == (2, 3, 0)
    assert losses.MaxMargin().breaks(np.ones(4)).shape == (4, 1)


def test_square_of_labels_is_square_of_margin():
    y, z = np.array([-1.0, 1.0]), np.array([0.4, 0.4])
    np.testing.assert_allclose(losses.Square().value(y, z), 0.5 * (1 - y * z) ** 2)


def test_logistic_probability_is_its_likelihood():
    z = np.linspace(-30, 30, 7)
    np.testing.assert_allclose(losses.Logistic().probability(z), np.exp(-losses.Logistic().value(1.0, z)), rtol=1e-13)
    assert losses.Hinge().probability(z) is None


def test_hinge_prox_of_the_atlas():
    """prox = a + V below 1 - V, 1 up to 1, a beyond, a = y omega (Loureiro et al. 2021, special cases)."""
    np.testing.assert_allclose(losses.Hinge().prox(-1.0, [2.0, 0.2, -3.0], 1.5), [0.5, -1.0, -3.0])


def test_max_margin_is_the_limit_of_hinge():
    """Hinge with slope C -> infinity: prox with V C at fixed V."""
    u = np.linspace(-3, 3, 31)
    g, dg = losses.MaxMargin().proximal(1.0, u, 2.0)
    np.testing.assert_allclose(g, np.maximum(1 - u, 0) / 2)
    assert set(dg.tolist()) == {-0.5, 0.0}
    assert losses.MaxMargin().value(1.0, [0.5, 1.5]).tolist() == [np.inf, 0.0]


def test_broadcasting():
    y, omega, V = np.array([-1.0, 1.0])[:, None, None], np.linspace(-1, 1, 5)[:, None], np.array([0.1, 1.0, 10.0])
    for loss in ALL:
        g, dg = loss.proximal(y, omega, V)
        assert g.shape == dg.shape == loss.prox(y, omega, V).shape == (2, 5, 3)
        assert loss.value(y, omega).shape == loss.slope(y, omega).shape == loss.curvature(y, omega).shape == (2, 5, 1)


def test_get_names_and_descriptions():
    for name in losses.names()[:-2]:
        assert losses.get(name).name == name and losses.get(name.replace("_", "-")) == losses.get(name)
    assert losses.get("quantile:0.9").to_dict() == {"name": "quantile", "level": 0.9}
    assert losses.get(losses.Huber(2.0)).parameters == {"threshold": 2.0}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("logistik", "Did you mean 'logistic'"),
        ("huber:x", "must name a known loss"),
        ("huber:-1", "`threshold` must be a positive"),
        ("quantile:1.5", "`level` must be below 1"),
        (3, "a name, a Loss or a function"),
        (abs, "kind="),
        (losses.Hinge, r"Write Hinge\(\)"),
    ],
)
def test_get_speaks(bad, message):
    with pytest.raises(ArgumentError, match=message):
        losses.get(bad)


def test_custom_logistic_is_logistic():
    custom = losses.CustomLoss(lambda u: jnp.logaddexp(0.0, -u), kind="margin", name="mine", margin_limit=True)
    t, V = np.random.default_rng(0).uniform(-60, 60, (2, 300))
    V = 10 ** (V / 10)
    for mine, theirs in zip(custom.proximal(-1.0, t, V), losses.Logistic().proximal(-1.0, t, V), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-14)
    assert custom.margin_limit and custom.to_dict()["name"] == "mine"


def test_a_custom_loss_may_lose_digits_near_its_minimum():
    """log cosh r cancels near 0: neighbouring probes must not be so close that rounding looks like a wrong slope."""
    custom = losses.CustomLoss(
        lambda r: np.log(np.cosh(r)), "residual", slope=np.tanh, curvature=lambda r: np.cosh(r) ** -2.0, name="log cosh"
    )
    omega = np.linspace(-5, 5, 101)
    g, h = custom.proximal(0.0, omega, np.full(101, 3.0))
    z = omega + 3.0 * g
    np.testing.assert_allclose(-g, np.tanh(z), atol=1e-12)
    np.testing.assert_allclose(h, -1 / (np.cosh(z) ** 2 + 3.0), rtol=1e-10)


def test_custom_kinks_in_jax_and_numpy():
    traced = losses.CustomLoss(lambda r: jnp.where(r < 0, -0.2 * r, 0.8 * r) + 0.5 * r**2, kind="residual", kinks=(0.0,))
    plain = losses.CustomLoss(
        lambda r: np.where(r < 0, -0.2 * r, 0.8 * r) + 0.5 * r**2,
        kind="residual",
        kinks=(0.0,),
        slope=lambda r: np.where(r < 0, -0.2, 0.8) + r,
        curvature=np.ones_like,
    )
    omega = np.linspace(-3, 3, 61)
    x = np.where(omega < -0.4, (omega + 0.4) / 3, np.where(omega > 1.6, (omega - 1.6) / 3, 0.0))
    for loss in (traced, plain):
        np.testing.assert_allclose(loss.prox(0.0, omega, 2.0), x, atol=1e-14)
        np.testing.assert_allclose(loss.breaks(2.0)[:2], [-0.4, 1.6], atol=1e-13)


def test_custom_panels_resolve_a_steep_map():
    """The default breaks of a custom logistic at V = 1e4 integrate g against a Gaussian to 1e-10."""
    custom = losses.CustomLoss(lambda u: jnp.logaddexp(0.0, -u), kind="margin")
    V, width = 1e4, 3e3
    edges = np.unique(np.clip(np.concatenate([custom.breaks(V), np.linspace(-8 * width, 8 * width, 17)]), -8 * width, 8 * width))
    x, w = np.polynomial.legendre.leggauss(16)
    half, middle = 0.5 * np.diff(edges)[:, None], 0.5 * (edges[1:] + edges[:-1])[:, None]
    u = middle + half * x
    total = np.sum(half * w * custom.proximal(1.0, u, V)[0] ** 2 * np.exp(-0.5 * (u / width) ** 2))
    dense = np.linspace(-8 * width, 8 * width, 2_000_001)
    values = losses.Logistic().proximal(1.0, dense, V)[0] ** 2 * np.exp(-0.5 * (dense / width) ** 2)
    assert abs(total / integrate.simpson(values, x=dense) - 1) < 1e-10


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: losses.CustomLoss(lambda r: jnp.cos(r), "residual"), "must be convex"),
        (lambda: losses.CustomLoss(lambda r: -jnp.abs(r), "residual", kinks=(0.0,)), "must be convex"),
        (lambda: losses.CustomLoss(lambda r: jnp.abs(r - 0.3), "residual"), r"jumps from -1 to 1 at 0\.3"),
        (lambda: losses.CustomLoss(lambda r: np.abs(r), "residual"), "jax.numpy"),
        (lambda: losses.CustomLoss(lambda r: r**2, "residual", slope=lambda r: r, curvature=np.ones_like), "slope"),
        (lambda: losses.CustomLoss(lambda r: jnp.log(r), "residual"), "finite"),
        (lambda: losses.CustomLoss(lambda r: r**2, "margins"), "Did you mean 'margin'"),
        (lambda: losses.CustomLoss(3, "margin"), "a function of one variable"),
    ],
)
def test_custom_speaks(build, message):
    with pytest.raises(ArgumentError, match=message):
        build()


def test_a_custom_loss_computes_in_float64_and_leaves_jax_alone():
    import jax

    before = jax.config.jax_enable_x64
    loss = losses.CustomLoss(lambda r: jnp.sqrt(1 + r**2), "residual")
    assert abs(float(loss.slope(0.0, 0.75)) - 0.6) < 1e-15 and loss.proximal(0.0, np.ones(3), 1.0)[0].dtype == np.float64
    assert jax.config.jax_enable_x64 == before and jnp.ones(1).dtype == jnp.float32
