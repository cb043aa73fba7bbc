r"""Gaussian averages that drive online SGD: over the fields u = (lambda_1..K, nu_1..M) of student and teacher, of covariance C.

With signs s = (v, -A) and Delta = sum_a s_a g_a(u_a) (the student's output less the teacher's), a step of SGD asks for

    error = E Delta^2,       outputs_k = E g_k Delta,     slopes_ka = E g_k' g_a',
    bend_k = E g_k'' Delta,  diffusion_kl = E g_k' g_l' Delta^2.

All but the last are sums over pairs of units: closed forms for the error function and piecewise linear units, sums over a fine grid of two
fields for smooth ones (equal steps are better than Gauss-Hermite rules where poles are near, as those of tanh). The last is a closed form
for the error function (Saad, Solla 1995; Goldt et al. 2020, appendix), else a sum over points of all fields: a grid for up to three smooth
units, a Sobol sequence for more. Units with other kinks, declared or not, have everything from the sequence, and bend from Stein's lemma,
C_kk bend_k = E u_k g_k' Delta - sum_a C_ka s_a slopes_ka, without a second derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

from gaussequiv._jax import float64_scope
from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.activations.base import Activation
from gaussequiv.ingredients.activations.erf import Erf
from gaussequiv.ingredients.activations.piecewise_linear import PiecewiseLinear

GRIDS = {2: (49, 8.0, 1e-15), 3: (29, 6.5, 1e-9)}  # by the number of units: nodes of one, where they end, share of the largest weight kept
POINTS = 2**14  # of the Sobol sequence, and as many mirrored
MISSED = 1e-4  # share of E |g''| + E |z g'| by which they may differ: a sum over 3601 points is far closer where there is no kink
CLOSED = "closed forms"  # in words
LEAST = 1e-12  # variance of a field that is divided by


class FieldAverages(NamedTuple):
    """The averages of this page, arrays of JAX.

    error, clean_error () with the labels' noise and against noiseless ones; outputs (K,); slopes (K, K); towards (K, M), E g_k' times the
    slope of the label in nu_n; bend (K,); diffusion (K, K), with the noise; wrong (), P(sign of the output is not the label), of signs.
    """

    error: Any
    clean_error: Any
    outputs: Any
    slopes: Any
    towards: Any
    bend: Any
    diffusion: Any
    wrong: Any = None


class Pairs(NamedTuple):
    """E g_a g_b, E g_a' g_b' and E g_a'' g_b, arrays of JAX of shape (units, units)."""

    product: Any
    slopes: Any
    bends: Any


Averages = Callable[[Any, Any, Any], FieldAverages]


@lru_cache(maxsize=32)
def averages_of(student: Activation, teacher: Activation, gains: tuple[float, float], units: tuple[int, int]) -> Averages:
    """(C, s, noise) -> averages, traced by JAX, of K and M units whose fields are multiplied by the gains."""
    K, M = units
    scale = np.repeat(gains, units)
    kind = _kind(student, teacher)
    if kind == "kinked":
        return _by_points(student, teacher, K, M, scale)
    if kind == "erf":
        return _assembled(partial(_pairs_of_erf, scale), partial(_diffusion_of_erf, K, scale), K)
    diffusion = _diffusion_by_nodes(student, teacher, K, M, scale)
    if kind == "linear":
        return _assembled(partial(_pairs_of_lines, *_lines(student, teacher, units, scale)), diffusion, K)
    return _assembled(_pairs_on_a_grid(student, teacher, K, scale), diffusion, K)


def how(student: Activation, teacher: Activation, units: tuple[int, int], signs: bool = False) -> str:
    """In words, how the averages are found."""
    if signs:
        return f"drift and diffusion by {2 * POINTS} Sobol points"
    kind, count = _kind(student, teacher), sum(units)
    if kind == "erf":
        return CLOSED
    points = f"{2 * POINTS} Sobol points" if kind != "smooth" or count not in GRIDS else f"a grid of {GRIDS[count][0]} nodes a unit"
    drift = {"linear": "closed forms", "smooth": "a grid of pairs", "kinked": points}[kind]
    return f"drift by {drift}, diffusion by {points}"


def _kind(*networks: Activation) -> str:
    for kind, type_ in (("erf", Erf), ("linear", PiecewiseLinear)):
        if all(isinstance(one, type_) for one in networks):
            return kind
    return "kinked" if any(has_kinks(one) for one in networks) else "smooth"


@lru_cache(maxsize=64)
def has_kinks(activation: Activation) -> bool:
    """Declared ones, or such that the second derivative misses: E g'' = E z g' (Stein) fails for z ~ N(0, 1)."""
    if activation.kinks:
        return True
    g = activation.traced()
    z = np.linspace(-9.0, 9.0, 3601)
    mass = np.exp(-0.5 * z * z)
    import jax

    with float64_scope():
        second, first = jax.jit(lambda x: (derivatives(g, 2)(x), derivatives(g, 1)(x)))(z)
        bend, along = mass * np.asarray(second), mass * z * np.asarray(first)
    return bool(abs(bend.sum() - along.sum()) > MISSED * (np.abs(bend).sum() + np.abs(along).sum()))


def _assembled(pairs: Callable[[Any], Pairs], diffusion: Callable[[Any, Any], Any], K: int) -> Averages:
    def averages(C: Any, s: Any, noise: Any) -> FieldAverages:
        one = pairs(C)
        clean, slopes = s @ one.product @ s, one.slopes[:K, :K]
        return FieldAverages(
            error=clean + noise,
            clean_error=clean,
            outputs=one.product[:K] @ s,
            slopes=slopes,
            towards=-one.slopes[:K, K:] * s[K:],
            bend=one.bends[:K] @ s,
            diffusion=diffusion(C, s) + noise * slopes,
        )

    return averages


def _pairs_of_erf(scale: FloatArray, C: Any) -> Pairs:
    """erf(gain u) = erf(w/sqrt(2)) with w = sqrt(2) gain u."""
    import jax.numpy as jnp

    unit = np.sqrt(2.0) * scale
    c = C * unit[:, None] * unit
    one = 1 + jnp.diagonal(c)
    root = jnp.sqrt(one[:, None] * one - c * c)
    product = (2 / np.pi) * jnp.arcsin(jnp.clip(c / jnp.sqrt(one[:, None] * one), -1.0, 1.0))
    return Pairs(product, (2 / np.pi) / root * unit[:, None] * unit, -(2 / np.pi) * c / (one[:, None] * root) * unit[:, None] ** 2)


def _diffusion_of_erf(K: int, scale: FloatArray, C: Any, s: Any) -> Any:
    import jax.numpy as jnp

    unit = np.sqrt(2.0) * scale
    c = C * unit[:, None] * unit
    square = _square_of_erf(c, 1 + jnp.diagonal(c), K)
    return jnp.einsum("klab,a,b->kl", square, s, s) * unit[:K, None] * unit[None, :K]


def _square_of_erf(c: Any, one: Any, K: int) -> Any:
    """E g'(1) g'(2) g(3) g(4) for all student units 1 and 2 and all units 3 and 4."""
    import jax.numpy as jnp

    c12, c1, c2 = c[:K, :K, None, None], c[:K, None, :, None], c[None, :K, :, None]
    d1, d2 = c[:K, None, None, :], c[None, :K, None, :]
    one1, one2 = one[:K, None, None, None], one[None, :K, None, None]
    last, c34 = one[None, None, :], c[None, None]
    flat = one1 * one2 - c12**2
    mixed = flat * c34 - c2 * d2 * one1 - c1 * d1 * one2 + c12 * (c1 * d2 + d1 * c2)
    third = flat * last[..., None] - c2**2 * one1 - c1**2 * one2 + 2 * c12 * c1 * c2
    fourth = flat * last[..., None, :] - d2**2 * one1 - d1**2 * one2 + 2 * c12 * d1 * d2
    return (4 / np.pi**2) / jnp.sqrt(flat) * jnp.arcsin(jnp.clip(mixed / jnp.sqrt(third * fourth), -1.0, 1.0))


def _lines(student: Activation, teacher: Activation, units: tuple[int, int], scale: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(a, b) of every unit a u + b |u|."""
    networks: list[Any] = [student, teacher]
    return np.repeat([one.p for one in networks], units) * scale, np.repeat([one.q for one in networks], units) * scale


def _pairs_of_lines(a: FloatArray, b: FloatArray, C: Any) -> Pairs:
    """Of a u + b |u|: E |u||w| and E sign sign are the arc-cosine kernels (Cho, Saul 2009), E |u|'' |w| = 2 E delta(u) |w|."""
    import jax.numpy as jnp

    variances = jnp.maximum(jnp.diagonal(C), LEAST)
    root = jnp.sqrt(variances[:, None] * variances)
    rho = jnp.clip(C / root, -1.0, 1.0)
    angle, away = jnp.arcsin(rho), root * jnp.sqrt((1 - rho) * (1 + rho))
    moduli = (2 / np.pi) * (away + C * angle)
    both = b[:, None] * b
    return Pairs(
        a[:, None] * a * C + both * moduli, a[:, None] * a + both * (2 / np.pi) * angle, both * (2 / np.pi) * away / variances[:, None]
    )


def _pairs_on_a_grid(student: Activation, teacher: Activation, K: int, scale: FloatArray) -> Callable[[Any], Pairs]:
    g, target = student.traced(), teacher.traced()
    z, weights = nodes(2, True)

    def pairs(C: Any) -> Pairs:
        import jax.numpy as jnp

        variances = jnp.maximum(jnp.diagonal(C), LEAST)
        rest = jnp.maximum(variances - C**2 / variances[:, None], 0.0)
        u = scale[:, None] * jnp.sqrt(variances)[:, None] * z[:, 0]  # (units, points)
        w = scale[:, None] * ((C / jnp.sqrt(variances)[:, None])[..., None] * z[:, 0] + jnp.sqrt(rest)[..., None] * z[:, 1])

        def at(order: int, x: Any, axis: int) -> Any:
            """Derivatives of each unit's function, by u, on fields whose `axis` is that of the units."""
            parts = jnp.split(x, [K], axis=axis)
            of_each = [derivatives(function, order)(part) for function, part in zip((g, target), parts, strict=True)]
            return jnp.concatenate(of_each, axis=axis)

        one = scale[:, None]
        weighed, slope, bend = weights * at(0, u, 0), weights * at(1, u, 0) * one, weights * at(2, u, 0) * one**2
        other = at(0, w, 1)
        sums = [jnp.einsum("ap,abp->ab", left, right) for left, right in ((weighed, other), (slope, at(1, w, 1) * one), (bend, other))]
        return Pairs(*sums)

    return pairs


def _diffusion_by_nodes(student: Activation, teacher: Activation, K: int, M: int, scale: FloatArray) -> Callable[[Any, Any], Any]:
    g, target = student.traced(), teacher.traced()
    z, weights = nodes(K + M, _kind(student, teacher) == "smooth")

    def diffusion(C: Any, s: Any) -> Any:
        u = fields_from(C, z) * scale
        missed = g(u[:, :K]) @ s[:K] + target(u[:, K:]) @ s[K:]
        pull = derivatives(g, 1)(u[:, :K]) * scale[:K]
        return ((weights * missed**2)[:, None] * pull).T @ pull

    return diffusion


def fields_from(C: Any, z: FloatArray) -> Any:
    """Standard normal points, shape (points, units), as fields of covariance C, which may be singular where units coincide.

    By the symmetric root, which is continuous in C: eigenvectors alone turn over, and sums over points would jump by their errors.
    """
    import jax.numpy as jnp

    variances, vectors = jnp.linalg.eigh(C)
    return z @ ((vectors * jnp.sqrt(jnp.maximum(variances, 0.0))) @ vectors.T)


@lru_cache(maxsize=32)
def nodes(units: int, smooth: bool) -> tuple[FloatArray, FloatArray]:
    """Standard normal points, shape (points, units), and their weights."""
    if smooth and units in GRIDS:
        count, end, faint = GRIDS[units]
        x = np.linspace(-end, end, count)
        z = np.stack(np.meshgrid(*[x] * units, indexing="ij"), axis=-1).reshape(-1, units)
        mass = np.exp(-0.5 * (z * z).sum(axis=1))
        z, mass = z[mass > faint], mass[mass > faint]
        mass /= mass.sum()
        return z / np.sqrt(mass @ z**2), mass
    z = ndtri(qmc.Sobol(units, scramble=False).random(POINTS) + 0.5 / POINTS)
    z = np.concatenate([z, -z])
    z = np.linalg.solve(np.linalg.cholesky(z.T @ z / len(z)), z.T).T  # of unit covariance
    return z, np.full(len(z), 1 / len(z))


def _by_points(student: Activation, teacher: Activation, K: int, M: int, scale: FloatArray) -> Averages:
    g, target = student.traced(), teacher.traced()
    z, weights = nodes(K + M, False)

    def averages(C: Any, s: Any, noise: Any) -> FieldAverages:
        import jax.numpy as jnp

        u = fields_from(C, z)
        lam, nu = u[:, :K] * scale[:K], u[:, K:] * scale[K:]
        value = jnp.concatenate([g(lam), target(nu)], axis=1)
        slope = jnp.concatenate([derivatives(g, 1)(lam), derivatives(target, 1)(nu)], axis=1) * scale
        delta = value @ s
        slopes = (weights[:, None] * slope[:, :K]).T @ slope
        along = (weights * delta) @ (u[:, :K] * slope[:, :K]) - (C[:K] * slopes) @ s
        diffusion = ((weights * delta**2)[:, None] * slope[:, :K]).T @ slope[:, :K]
        bend = along / jnp.maximum(jnp.diagonal(C)[:K], LEAST)
        clean = weights @ delta**2
        return FieldAverages(
            error=clean + noise,
            clean_error=clean,
            outputs=(weights * delta) @ value[:, :K],
            slopes=slopes[:, :K],
            towards=-slopes[:, K:] * s[K:],
            bend=bend,
            diffusion=diffusion + noise * slopes[:, :K],
        )

    return averages


def derivatives(function: Callable[[Any], Any], order: int) -> Callable[[Any], Any]:
    """Elementwise, for arrays of any shape."""
    if order == 0:
        return function
    import jax

    def of_number(x: Any) -> Any:
        return function(x.reshape(1))[0]

    slope: Callable[[Any], Any] = of_number
    for _ in range(order):
        slope = jax.grad(slope)
    return lambda x: jax.vmap(slope)(x.ravel()).reshape(x.shape)
