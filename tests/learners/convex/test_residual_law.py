"""Nodes of the residual: moments of normal laws about any number of places, near or far, shared or not."""

import numpy as np
import pytest
from scipy import integrate, special

from gaussequiv.ingredients.channels.label_atoms import Beside, LabelAtoms
from gaussequiv.ingredients.losses import named as losses
from gaussequiv.learners.convex.averages import Fields
from gaussequiv.learners.convex.residual_law import constants, residuals
from gaussequiv.learners.convex.residual_nodes import ALONE, _breaks
from gaussequiv.numerics.panels import legendre_panels

ONE = ((1.0, 1.0),)


def law(pairs, noise, spread=1.0, variance=0.8, seed=0):
    rng = np.random.default_rng(seed)
    centred = np.sqrt(variance) * rng.standard_normal(pairs)
    return LabelAtoms(centred, spread * rng.standard_normal(pairs), np.full(pairs, 1 / pairs), variance, noise)


def fields(count, **changed):
    values = dict(V=0.7, q=1.1, m=0.6, c=0.2, b0=0.0, rest=0.5, misfit=1.0) | changed
    return Fields(**{name: np.broadcast_to(np.asarray(value, dtype=float), (count,)).copy() for name, value in values.items()})


@pytest.mark.parametrize("pairs", [7, 90, 3000])
@pytest.mark.parametrize("spread", [0.5, 40.0])
def test_measures_have_the_moments_of_their_laws(pairs, spread):
    """E r, E r^2, E z r and E z^2 r^2 of r = t + sigma z are polynomials in t; 3000 pairs are first replaced by nodes."""
    loss, laws = losses.get("huber"), [law(pairs, 0.1, spread, seed=k) for k in range(3)]
    at = fields(3, m=[0.6, 0.1, -0.4], c=[0.2, -3.0, 50.0])
    known, found = residuals(loss, laws, at, ONE)
    nodes = found.nodes(loss, at.V)
    r, plain, once, twice = nodes.r, nodes.measures[:3], nodes.measures[3:5], nodes.measures[5]
    assert known.tolist() == [0, 1, 2] and found.moments.shape == (3, found.t.size)
    for i, one in enumerate(laws):
        t = at.c[i] + at.m[i] / one.variance * one.centred - one.label
        sigma2 = (at.rest[i] + one.variance - (at.rest[i] + at.m[i] ** 2 / at.q[i])) / one.variance * at.q[i] + one.noise
        powers = one.mass * one.centred ** np.arange(3)[:, None]
        size = np.abs(powers) @ (1 + t * t)
        np.testing.assert_allclose(nodes.total(plain * r)[:, i] / size, powers @ t / size, atol=1e-13)
        np.testing.assert_allclose(nodes.total(plain * r**2)[:, i] / size, powers @ (t * t + sigma2) / size, atol=1e-13)
        np.testing.assert_allclose(nodes.total(once * r)[:, i], powers[:2].sum(axis=1) * np.sqrt(sigma2), atol=1e-12)
        np.testing.assert_allclose(nodes.total(twice * r**2)[i] / size[0], powers[0] @ (t * t + 3 * sigma2) / size[0], atol=1e-13)


@pytest.mark.parametrize("place", [3.0, 9.5, 30.0])
def test_places_that_no_break_is_near_need_few_nodes(place):
    """Averages of a function smooth on the scale of the distance to the breaks: a few nodes about a far t, panels about a near one."""
    loss, one = losses.get("huber"), LabelAtoms(np.array([0.0, 0.3]), np.array([-place, place]), np.full(2, 0.5), 1.0, 0.81)
    at = fields(1, V=1e-9, q=1e-20, m=0.0, c=0.0, rest=1.0)
    nodes = residuals(loss, [one], at, ONE)[1].nodes(loss, at.V)

    def smooth(r):
        return np.exp(r / 9) / (1 + (r / 9) ** 2)

    z = np.linspace(-9, 9, 40_001)
    mass = np.exp(-0.5 * z * z) * (z[1] - z[0]) / np.sqrt(2 * np.pi)
    above, below = ([mass @ (z**k * smooth(t + 0.9 * z)) for k in range(3)] for t in (place, -place))
    expected = [0.5 * (above[0] + below[0]), 0.15 * below[0], 0.045 * below[0], 0.5 * (above[1] + below[1]), 0.15 * below[1]]
    found = nodes.total(nodes.measures * smooth(nodes.r))[:, 0]
    np.testing.assert_allclose(found, [*expected, 0.5 * (above[2] + below[2])], rtol=1e-10)
    assert (nodes.r.size == 2 * ALONE) == (place > 9)


def test_points_together_are_points_alone():
    loss, laws = losses.get("quantile:0.2"), [law(90, 0.1), law(2000, 0.3, 9.0), law(5, 0.0)]
    at = fields(3, V=[1e-6, 0.3, 40.0], c=[0.2, -3.0, 1.0])
    together = residuals(loss, laws, at, ONE)[1].nodes(loss, at.V, every=False)
    for i, one in enumerate(laws):
        own = at.take(slice(i, i + 1))
        alone = residuals(loss, [one], own, ONE)[1].nodes(loss, own.V, every=False)
        g, h = (loss.proximal(0.0, each.r, np.full_like(each.r, at.V[i]))[0] for each in (together, alone))
        assert together.total(together.measures[0] * g)[i] == pytest.approx(alone.total(alone.measures[0] * h)[0], rel=1e-13)


def test_students_without_weights_see_the_label_alone():
    """Noiseless labels of the median: the mean slope of |z - y| changes sign there."""
    one = LabelAtoms(np.zeros(5), np.array([-2.0, -1.0, 0.3, 4.0, 9.0]), np.full(5, 0.2), 1.0, 0.0)
    c = np.array([-3.0, 0.2, 0.3, 0.4, 10.0])
    nodes = constants([one] * 5, c).nodes(losses.get("absolute"), np.full(5, 1e-9))
    np.testing.assert_allclose(nodes.total(nodes.measures[0] * np.sign(nodes.r)), [-1.0, -0.2, 0.0, 0.2, 1.0], atol=1e-12)


@pytest.mark.parametrize("pairs", [1, 90, 3000])
@pytest.mark.parametrize("V", [1e-33, 1e-12, 1e-5])
def test_kinks_closer_than_rounding_leaves_of_their_distance(pairs, V):
    """The absolute loss: dg/domega = -1/V for |r| < V, so that E dg/domega -> -2 p(r = 0); hardly a weight is left at such a V."""
    loss, laws = losses.get("absolute"), [law(pairs, 0.1, seed=4), law(pairs, 0.4, seed=5)]
    at = fields(2, V=V, q=1e-3, m=1e-3, c=[0.2, -0.3])
    _, found = residuals(loss, laws, at, ONE)
    nodes = found.nodes(loss, at.V)
    slope = nodes.total(nodes.measures[0] * loss.proximal(0.0, nodes.r, at.V[nodes.point])[1])
    for i, one in enumerate(laws):
        t = at.c[i] + at.m[i] / one.variance * one.centred - one.label
        density = one.mass @ np.exp(-0.5 * (t / found.sigma[i]) ** 2) / (found.sigma[i] * np.sqrt(2 * np.pi))
        assert slope[i] == pytest.approx(-2 * density, rel=1e-9)


def clipped(t, sigma, V):
    """E clip(r, -V, V), E 1(|r| < V) and E |r| - V beyond V, of r ~ N(t, sigma^2)."""
    a, b = (-V - t) / sigma, (V - t) / sigma
    density = lambda u: np.exp(-u * u / 2) / np.sqrt(2 * np.pi)  # noqa: E731
    inside = special.ndtr(b) - special.ndtr(a)
    mean = t * inside + sigma * (density(a) - density(b)) + V * (special.ndtr(-b) - special.ndtr(a))
    beyond = sigma * density(b) - (V - t) * special.ndtr(-b) + sigma * density(a) + (-V - t) * special.ndtr(a)
    return mean, inside, beyond


@pytest.mark.parametrize("pairs", [7, 300, 3000])
@pytest.mark.parametrize("noise", [1e-8, 0.01, 4.0])
@pytest.mark.parametrize("spread", [0.3, 9.0])
def test_kinks_at_the_breaks_are_exact(pairs, noise, spread):
    """The absolute loss has its kinks at +-V: sums over pairs of closed forms, several V together, with and without all measures."""
    loss, laws = losses.get("absolute"), [law(pairs, noise, spread, seed=k) for k in range(4)]
    at = fields(4, V=[1e-3, 0.3, 2.0, 30.0], m=[0.8, -0.9, 0.9, 0.938], q=1.1, c=[0.2, -3.0, 0.0, 1.0])
    at = at._replace(rest=0.8 - at.m**2 / at.q)
    weights = ((1.0, 0.5), (2.0, 0.5))
    _, found = residuals(loss, laws, at, weights)
    for scale in (1.0, 2.0):
        V = scale * at.V
        every, first = found.nodes(loss, V), found.nodes(loss, V, every=False)
        for nodes in (every, first):
            v = V[nodes.point]
            parts = np.stack([np.clip(nodes.r, -v, v), np.abs(nodes.r) < v, np.maximum(np.abs(nodes.r) - v, 0)])
            got = nodes.total(nodes.measures[0] * parts)
            for i, one in enumerate(laws):
                t = at.c[i] + at.m[i] / one.variance * one.centred - one.label
                sigma = np.sqrt((one.variance - at.m[i] ** 2 / at.q[i]) / one.variance * at.q[i] + one.noise)
                expected = [one.mass @ part for part in clipped(t, sigma, V[i])]
                np.testing.assert_allclose(got[:, i], expected, rtol=1e-8, atol=1e-9)


def test_a_field_that_does_not_vary_leaves_the_student_its_own_variance():
    one = LabelAtoms(np.zeros(3), np.array([-1.0, 0.5, 2.0]), np.array([0.2, 0.5, 0.3]), 0.0, 0.3)
    at = fields(1, m=0.0, q=0.7, rest=0.4)
    known, found = residuals(losses.get("huber"), [one], at, ONE)
    assert known.tolist() == [0]
    assert found.sigma[0] == pytest.approx(1.0, rel=1e-9)
    np.testing.assert_allclose(np.sort(found.t), np.sort(0.2 - one.label), rtol=1e-12)


def test_points_without_numbers_are_left_out():
    at = fields(4, V=[0.7, np.inf, 0.7, 0.7], c=[0.2, 0.2, np.nan, 0.2], m=[0.6, 0.6, 0.6, 4.0])
    known, found = residuals(losses.get("huber"), [law(7, 0.1)] * 4, at, ONE)
    assert known.tolist() == [0] and found.sigma.size == 1
    nothing = residuals(losses.get("huber"), [law(7, 0.1)] * 2, at.take(slice(1, 3)), ONE)
    assert nothing[0].size == 0 and nothing[1].t.size == 0


class _MoreBreaksForLargerV:
    def breaks(self, V):
        count = 1 + int(np.log10(V.max()) + 3)
        return V[:, None] * np.arange(1, count + 1)


def test_losses_may_have_more_breaks_for_some_points():
    V = np.array([1.0, 0.001, 30.0])
    found = _breaks(_MoreBreaksForLargerV(), V)
    assert found.shape == (3, 5)
    assert [int(np.isfinite(row).sum()) for row in found] == [4, 1, 5]
    np.testing.assert_array_equal(found[:, 0], V)


@pytest.mark.parametrize("m", [-0.3, 0.4, 0.75])
def test_labels_that_follow_the_field_have_the_measures_of_their_pairs(m):
    """y = nu + eps: the Gaussian rest of r in closed form, against pairs of field and label."""
    rng, loss, (xi, weights) = np.random.default_rng(5), losses.get("huber"), np.polynomial.hermite_e.hermegauss(60)
    b0, variance, eps, mass = 0.4, 0.8, rng.laplace(size=9), np.full(9, 1 / 9)
    centred = np.repeat(np.sqrt(variance) * xi, eps.size)
    pairs = LabelAtoms(centred, b0 + centred + np.tile(eps, xi.size), np.outer(weights / weights.sum(), mass).ravel(), variance, 0.1)
    alone = LabelAtoms(np.zeros(9), b0 + eps, mass, variance, 0.1, follows=Beside(0.0, lambda ends: (b0 + eps, mass)))
    at = fields(1, m=m, b0=b0)
    seen = []
    for one in (pairs, alone):
        _, found = residuals(loss, [one], at, ONE)
        nodes = found.nodes(loss, at.V)
        g, h = loss.proximal(0.0, nodes.r, at.V[nodes.point])
        seen.append([nodes.total(nodes.measures * values)[:, 0] for values in (g, h, g * g, g * h, np.cos(nodes.r))])
        first = found.nodes(loss, at.V, every=False)
        np.testing.assert_allclose(first.total(first.measures[0] * np.cos(first.r))[0], seen[-1][-1][0], atol=1e-13)
        constant = constants([one], np.array([0.7])).nodes(loss, at.V)
        seen[-1].append(constant.total(constant.measures[:2] * np.tanh(constant.r))[:, 0])
    for mine, theirs in zip(*seen, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=2e-9)


def test_labels_that_follow_the_field_on_a_narrower_scale_than_their_own():
    """y = nu + eps, eps continuous: r = c - b0 - eps + a Gaussian of width w, whose scale labels resolve where w < theirs; by Stein's lemma
    E z g = sigma E g', E (nu - b0) g = k E g' and so on, k = m - rho. The quantile loss has g = clip(r/V, -0.2, 0.8); averages of g, g' and
    g'' over the Gaussian in closed form, over eps by scipy.
    """
    b0, rho, noise, spread, V = 0.4, 0.8, 1e-3, 0.5, 0.3
    shift, half = 0.3 * V, 0.5 * V

    def between(ends, panels=8):
        edges = np.unique(np.concatenate([np.linspace(-16, 16, panels + 1), np.clip(ends - b0, -16, 16)]))
        eps, weights = (part[0] for part in legendre_panels(edges[None, :], 12))
        return b0 + eps, weights * np.exp(-np.abs(eps) / spread) / (2 * spread)

    label, mass = between(np.zeros(0), 48)
    one = LabelAtoms(np.zeros(label.size), label, mass, rho, noise, follows=Beside(0.4, between))
    loss, m, c = losses.get("quantile:0.2"), np.array([0.78, 0.3, 0.85]), np.array([0.2, 0.2, -1.3])
    at = fields(3, m=m, c=c, b0=b0, V=V, q=m * m / rho + 1e-3, rest=rho - m * m / (m * m / rho + 1e-3))
    known, found = residuals(loss, [one] * 3, at, ONE)  # the second is wide
    sigma, k = np.sqrt(1e-3 + noise), m - rho
    width = np.hypot(k / np.sqrt(rho), sigma)
    assert known.size == 3
    np.testing.assert_allclose(found.sigma, sigma, rtol=1e-9)
    np.testing.assert_allclose(found.width, width, rtol=1e-9)
    nodes = found.nodes(loss, at.V)
    got = nodes.total(nodes.measures * loss.proximal(0.0, nodes.r, at.V[nodes.point])[0])
    for i in range(3):

        def averages(eps, t=c[i] - b0 - shift, w=width[i]):
            mean, inside, _ = clipped(t - eps, w, half)
            bend = sum(side * np.exp(-0.5 * ((t - eps + side * half) / w) ** 2) for side in (1, -1)) / (w * np.sqrt(2 * np.pi))
            return np.array([shift + mean, inside, bend]) / V * np.exp(-abs(eps) / spread) / (2 * spread)

        ends = np.unique([-16.0, 0.0, *(c[i] - b0 - shift + np.array([-half, half])), 16.0])
        g, slope, bend = sum(integrate.quad_vec(averages, *ends[j : j + 2], epsabs=1e-11)[0] for j in range(ends.size - 1))
        expected = [g, k[i] * slope, rho * g + k[i] ** 2 * bend, sigma * slope, sigma * k[i] * bend, g + sigma**2 * bend]
        np.testing.assert_allclose(-got[:, i], expected, rtol=1e-7, atol=1e-9)
