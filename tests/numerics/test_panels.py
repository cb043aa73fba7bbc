"""Panel quadrature against closed forms: kinks, jumps and narrow regions anywhere."""

import numpy as np
import pytest
from scipy import special, stats

from gaussequiv.numerics.panels import cut_panels, normal_about, normal_panels, running_integral, shared_panels, sign_changes


@pytest.mark.parametrize("a", [-8.0, -2.3, 0.0, 0.3, 4.1])
def test_mean_excess(a):
    """E (xi - a)_+ = phi(a) - a Phi(-a)."""
    nodes = normal_panels(np.array([[a]]))
    value = float(np.sum(nodes.weights * np.maximum(nodes.xi - a, 0)))
    assert value == pytest.approx(stats.norm.pdf(a) - a * special.ndtr(-a), rel=1e-10, abs=1e-17)


def test_moments_and_points_of_their_own():
    nodes = normal_panels(np.array([[-1.0, 0.5], [2.0, 2.0], [np.inf, -np.inf]]))
    for power, moment in ((0, 1), (1, 0), (2, 1), (4, 3), (6, 15)):
        assert np.sum(nodes.weights * nodes.xi**power, axis=1) == pytest.approx(np.full(3, moment), abs=1e-11)


@pytest.mark.parametrize("width", [1e-8, 1e-3, 1.0])
def test_a_narrow_step_between_its_breaks(width):
    """E Phi((xi - a)/width) = Phi(-a/sqrt(1 + width^2))."""
    a = 0.7
    breaks = a + width * np.array([[-40, -15, -6, -2.5, 0, 2.5, 6, 15, 40.0]])
    nodes = normal_panels(breaks)
    value = float(np.sum(nodes.weights * special.ndtr((nodes.xi - a) / width)))
    assert value == pytest.approx(special.ndtr(-a / np.sqrt(1 + width**2)), abs=1e-14)


def test_running_integral():
    nodes = normal_panels(np.array([[0.3], [-2.0]]))
    below = running_integral(nodes, np.ones_like(nodes.xi))
    assert below == pytest.approx(special.ndtr(nodes.xi), abs=1e-13)


def test_sign_changes():
    xi = np.linspace(-3, 3, 61)[None]
    found = sign_changes(xi, (xi + 1.234) * (xi - 0.567))
    assert found[0, :2] == pytest.approx([-1.234, 0.567], abs=0.02)
    assert found[0, 2] == 0


def mean_distance(centre, root, place):
    """E |centre + root xi - place|."""
    t = (place - centre) / root
    return root * (2 * stats.norm.pdf(t) + t * (2 * stats.norm.cdf(t) - 1))


def test_panels_cut_at_breaks_of_every_point():
    """Points of their own centres, scales, reaches and counts; breaks in no order, some beyond the reach, some as close as 1e-12."""
    centre, root = np.array([0.4, -2.0, 1e3]), np.array([0.5, 3.0, 2e-3])
    reach, counts = np.array([8.6, 8.0, 9.0]), np.array([11, 13, 9])
    breaks = np.array([[0.9, -9.0, 0.1], [-2.0 + 1e-12, 4.0, -2.0], [1e3 + 0.004, np.inf, 1e3 - 0.001]])
    x, z, weights = cut_panels(centre, root, reach, breaks, counts)
    assert x.shape == z.shape == weights.shape and np.all(weights >= 0)
    np.testing.assert_allclose(weights.sum(axis=1), 2 * reach, rtol=1e-13)
    np.testing.assert_allclose(x, centre[:, None] + root[:, None] * z, rtol=1e-15, atol=1e-15)
    used = np.sum(weights.reshape(3, -1, 16).any(axis=2), axis=1)
    inside = np.sum(np.abs((breaks - centre[:, None]) / root[:, None]) < reach[:, None], axis=1)
    assert used.tolist() == (counts + inside).tolist()
    density = weights * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    for k in range(3):
        place = np.where(np.isfinite(breaks[:, k]), breaks[:, k], 0.0)
        found = np.sum(density * np.abs(x - place[:, None]), axis=1)
        np.testing.assert_allclose(found, mean_distance(centre, root, place), rtol=1e-11)
    # the nodes between two breaks that are closer than rounding of z lie between them, and hold what is there
    between = (x[1] > breaks[1, 2]) & (x[1] < breaks[1, 0])
    assert between.sum() == 16 and np.sum(weights[1, between]) == pytest.approx((breaks[1, 0] - breaks[1, 2]) / 3.0, rel=1e-12)


def test_nodes_about_normal_laws():
    centre, root = np.array([0.4, -2.0]), np.array([0.5, 3.0])
    x, nodes = normal_about(centre, root, np.array([[0.7, 0.1], [5.0, np.nan]]))
    assert nodes.order == 16
    np.testing.assert_allclose(x, centre[:, None] + root[:, None] * nodes.xi, rtol=1e-14)
    np.testing.assert_allclose(np.sum(nodes.weights * x**2, axis=1), centre**2 + root**2, rtol=1e-12)
    found = np.sum(nodes.weights * np.abs(x - np.array([[0.7], [5.0]])), axis=1)
    np.testing.assert_allclose(found, mean_distance(centre, root, np.array([0.7, 5.0])), rtol=1e-12)


def test_centres_that_share_nodes():
    """Three groups: nothing further than 12 roots from the first of its group, every centre once, in any order."""
    root, places = 0.3, np.array([2.1, -0.4, 50.0])
    centres = np.array([3.7, -1.0, 0.2, 30.0, 2.5, -1.0 + 12 * root, 31.0, 6.2])
    groups = shared_panels(centres, root, places)
    assert sorted(np.concatenate([group.which for group in groups]).tolist()) == list(range(8))
    assert [sorted(group.which.tolist()) for group in groups] == [[1, 2, 4, 5], [0, 7], [3, 6]]
    for group in groups:
        own = centres[group.which]
        assert own.max() - own.min() <= 12 * root + 1e-12 and np.all(np.diff(group.x) > 0)
        np.testing.assert_allclose(group.z, (group.x - own[:, None]) / root, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(group.weights.sum(axis=1), 1, rtol=1e-12)
        np.testing.assert_allclose(group.weights @ group.x**2, own**2 + root**2, rtol=1e-12)
        for place in places:
            np.testing.assert_allclose(group.weights @ np.abs(group.x - place), mean_distance(own, root, place), rtol=1e-12)
        # one function, asked at panels of about 1.6 standard deviations
        assert group.x.size <= 16 * (np.ceil((own.max() - own.min() + 17.2 * root) / (1.5636 * root)) + places.size)
    (alone,) = shared_panels(np.array([0.5]), 1e-3, places, 4)
    assert alone.x.size in (4 * 11, 4 * 12)  # 17.2 standard deviations in steps of 17.2/11, up to rounding
