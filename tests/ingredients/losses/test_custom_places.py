"""A user's loss whose curvature jumps, or that bends in a narrow region: found undeclared, right and fast."""

import itertools
import time
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

import gaussequiv as ge
from gaussequiv.errors import ArgumentError
from gaussequiv.ingredients.losses.base import Loss
from gaussequiv.ingredients.losses.custom import CustomLoss
from gaussequiv.ingredients.losses.margin import Logistic
from gaussequiv.ingredients.losses.named import Huber

ALPHA = np.geomspace(0.3, 6, 4)
NOISY = ge.DeepNetwork(("tanh", "tanh"), weight_variance=4.0, task="classification", noise=0.1)
NOISELESS = ge.DeepNetwork((), task="classification")


@dataclass(frozen=True)
class SmoothHinge(Loss):
    """0 beyond 1, (1 - t)^2/(2 h) on [1 - h, 1], linear below, with its closed proximal map."""

    h: float = 0.3
    name = "smooth hinge"
    kind = "margin"

    def at(self, t):
        return np.where(t < 1 - self.h, 1 - t - self.h / 2, np.maximum(1 - t, 0) ** 2 / (2 * self.h))

    def slope_at(self, t):
        return -np.clip((1 - t) / self.h, 0, 1)

    def curvature_at(self, t):
        return np.where((t > 1 - self.h) & (t < 1), 1 / self.h, 0.0)

    def proximal_at(self, t, V):
        g = (1 - t) / (self.h + V)
        return np.clip(g, 0, 1), np.where((g > 0) & (g < 1), -1 / (self.h + V), 0.0)

    def breaks(self, V):
        v = np.asarray(V, dtype=float)[..., None]
        return np.concatenate([1 - self.h - v, np.ones_like(v)], axis=-1)


def traced(h):
    return CustomLoss(lambda t: jnp.where(t < 1 - h, 1 - t - h / 2, jnp.maximum(1 - t, 0.0) ** 2 / (2 * h)), "margin", f"traced {h}")


def curves(target, loss, lam=0.1):
    return ge.solve(ge.Problem(target=target, learner=ge.ERM(loss, lam)), alpha=ALPHA)


def test_pieces_of_constant_curvature_need_no_panels():
    """A quantile loss is seen at its kinks alone; a smooth bend keeps its panels."""
    pinball = ge.CustomLoss(
        lambda r: np.maximum(0.7 * r, -0.3 * r),
        "residual",
        name="pinball",
        kinks=(0.0,),
        slope=lambda r: np.where(r > 0, 0.7, -0.3),
        curvature=np.zeros_like,
    )
    np.testing.assert_allclose(np.unique(pinball.breaks(np.array([2.0]))), [-0.6, 1.4], atol=1e-12)
    bend = ge.CustomLoss(
        lambda r: np.logaddexp(0, r),
        "residual",
        name="softplus",
        slope=special.expit,
        curvature=lambda r: special.expit(r) * special.expit(-r),
    )
    assert bend.breaks(np.array([2.0])).size > 10


@pytest.mark.parametrize("target", [NOISY, NOISELESS], ids=["noisy", "noiseless"])
@pytest.mark.parametrize("h", [1.0, 0.3, 1e-3])
def test_an_undeclared_smooth_hinge_is_the_one_with_a_closed_proximal_map(target, h):
    exact = curves(target, SmoothHinge(h))
    loss = traced(h)
    start = time.process_time()
    found = curves(target, loss)
    assert time.process_time() - start < 5  # 0.2 s; without the places 20 to 60 s
    for name in ("test_error", "train_loss", "test_loss"):
        np.testing.assert_allclose(found[name], exact[name], atol=1e-11)
    assert bool(found["converged"].all()) and np.allclose(loss.places, (1 - h, 1.0), atol=1e-12)


def test_places_of_a_numpy_function_far_out_and_small():
    slope = lambda r: r + 1e-4 * np.maximum(r - 137.3, 0)  # noqa: E731
    loss = CustomLoss(
        lambda r: 0.5 * r**2 + 0.5e-4 * np.maximum(r - 137.3, 0) ** 2,
        "residual",
        slope=slope,
        curvature=lambda r: np.where(r > 137.3, 1 + 1e-4, 1.0),
    )
    assert np.allclose(loss.places, (137.3,), atol=1e-10)
    assert CustomLoss(lambda r: jnp.logaddexp(r, -r), "residual").places == ()
    mine = CustomLoss(lambda r: jnp.where(jnp.abs(r) < 0.5, 0.5 * r**2, 0.5 * jnp.abs(r) - 0.125), "residual")
    assert np.allclose(mine.places, (-0.5, 0.5), atol=1e-14)
    regression = ge.DeepNetwork("tanh", noise=0.1)
    np.testing.assert_allclose(curves(regression, mine).test_error, curves(regression, Huber(0.5)).test_error, atol=1e-12)


@dataclass(frozen=True)
class Steep(Loss):
    """log(1 + exp(-b t))/b: the logistic loss in other units, prox(t, V) = prox_logistic(b t, b V)/b."""

    b: float = 60.0
    name = "steep"
    kind = "margin"

    def at(self, t):
        return np.logaddexp(0, -self.b * t) / self.b

    def slope_at(self, t):
        return -special.expit(-self.b * t)

    def curvature_at(self, t):
        return self.b * special.expit(self.b * t) * special.expit(-self.b * t)

    def proximal_at(self, t, V):
        g, h = Logistic().proximal_at(self.b * t, self.b * V)
        return g, self.b * h

    def breaks(self, V):
        return Logistic().breaks(self.b * np.asarray(V)) / self.b


def test_a_loss_that_bends_in_a_narrow_region():
    custom = CustomLoss(lambda t: jnp.logaddexp(0.0, -60 * t) / 60, "margin")
    for lam in (1e-3, 1.0):
        np.testing.assert_allclose(curves(NOISY, custom, lam).test_error, curves(NOISY, Steep(), lam).test_error, atol=1e-9)


@pytest.mark.parametrize("power", [3, 2.5])
def test_panels_follow_a_curvature_that_starts_from_zero(power):
    """g and g^2 against a Gaussian, by the panels at large V against panels of a tenth of their width."""
    loss = CustomLoss(lambda t: jnp.maximum(0.37 - t, 0.0) ** power, "margin")
    for V in (1.0, 1e3, 1e6):
        edges = np.clip(loss.breaks(V), -8 * np.sqrt(V), 8 * np.sqrt(V))
        edges = np.unique(np.concatenate([edges, np.sqrt(V) * np.linspace(-8, 8, 17)]))
        x, weights = np.polynomial.legendre.leggauss(16)
        results = []
        for parts in (1, 10):
            cuts = np.unique(np.concatenate([np.linspace(a, b, parts + 1) for a, b in itertools.pairwise(edges)]))
            t = 0.5 * (cuts[1:] + cuts[:-1])[:, None] + 0.5 * np.diff(cuts)[:, None] * x
            g = loss.proximal(1.0, t, V)[0]
            mass = 0.5 * np.diff(cuts)[:, None] * weights * np.exp(-0.5 * t * t / V)
            results.append([np.sum(mass * g), np.sum(mass * g * g)])
        np.testing.assert_allclose(results[0], results[1], rtol=1e-9)


def tukey(c):
    return lambda r: jnp.where(jnp.abs(r) < c, c * c / 6 * (1 - (1 - (r / c) ** 2) ** 3), c * c / 6)


@pytest.mark.parametrize("c", [1.0, 4.685, 100.0, 1e4])
def test_a_biweight_is_refused_wherever_it_bends_down(c):
    with pytest.raises(ArgumentError, match=r"must be convex.*falls from .* between .* stable"):
        CustomLoss(tukey(c), "residual")


def test_a_dip_between_the_points_of_the_grid_is_refused():
    with pytest.raises(ArgumentError, match="must be convex"):
        CustomLoss(lambda r: 0.5 * r**2 - 3e-5 * jnp.exp(-(((r - 0.1234) / 1e-3) ** 2)), "residual")


@dataclass(frozen=True)
class Biweight(Loss):
    c: float = 4.685
    name = "biweight"
    kind = "residual"

    def at(self, t):
        return self.c**2 / 6 * (1 - np.maximum(1 - (t / self.c) ** 2, 0) ** 3)

    def slope_at(self, t):
        return t * np.maximum(1 - (t / self.c) ** 2, 0) ** 2

    def curvature_at(self, t):
        return np.where(np.abs(t) < self.c, (1 - (t / self.c) ** 2) * (1 - 5 * (t / self.c) ** 2), 0.0)


@pytest.mark.parametrize("c", [4.685, 100.0])
def test_a_class_of_ones_own_is_checked_too(c):
    with pytest.raises(ArgumentError, match=r"`loss` must be convex, but 'biweight' is not"):
        ge.ERM(Biweight(c), 0.1)
    assert ge.ERM(SmoothHinge(), 0.1).loss.name == "smooth hinge"


def test_a_kink_far_out_must_be_declared():
    with pytest.raises(ArgumentError, match=r"jumps from -1 to 1 at 137\.3"):
        CustomLoss(lambda r: jnp.abs(r - 137.3), "residual")
