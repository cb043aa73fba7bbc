"""Quadrature over the Gaussian law of the target's constant part."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, special

from gaussequiv import ERM, GaussianEquivalent, Quantised
from gaussequiv.equivalence.offsets import CUSP, END, STEP, Bend, left_by_steps, offset_nodes, spaced_offsets, warn_of_cusps
from gaussequiv.errors import AccuracyWarning
from gaussequiv.ingredients.channels.base import Sign
from gaussequiv.learners.convex.model import Model


@pytest.mark.parametrize("variance", [1e-6, 0.3, 5.0])
def test_moments_of_the_half_normal_law(variance):
    b, mass = offset_nodes(variance, None)
    assert mass.sum() == pytest.approx(1.0, abs=1e-14)
    assert np.all(b > 0)
    moments = [float(mass @ b**k) / variance ** (k / 2) for k in (1, 2, 4)]
    assert moments == pytest.approx([np.sqrt(2 / np.pi), 1.0, 3.0], rel=1e-12)


@pytest.mark.parametrize("scale", [1e-3, 0.01, 0.1, 1.0, 10.0])
def test_functions_that_bend_near_zero_are_resolved(scale):
    """E erfc(|b|/(scale sqrt 2)) for b ~ N(0, 1) is (2/pi) atan(scale)."""
    b, mass = offset_nodes(1.0, None)
    found = float(mass @ special.erfc(b / scale / np.sqrt(2)))
    assert found == pytest.approx(2 / np.pi * np.arctan(scale), abs=1e-8)  # the panels are graded down to 1e-4


def test_a_given_offset_is_one_node_of_its_sign():
    for given in (0.7, -0.7):
        b, mass = offset_nodes(2.0, given)
        assert (b.tolist(), mass.tolist()) == ([given], [1.0])
    assert offset_nodes(2.0, 0.0)[0].tolist() == [0.0]


def test_no_variance_is_no_offset():
    b, mass = offset_nodes(0.0, None)
    assert (b.tolist(), mass.tolist()) == ([0.0], [1.0])


@pytest.mark.parametrize("smooth", [None, 9, 12])
def test_both_signs_have_the_whole_law(smooth):
    """E b^k of N(0, v), odd ones included, and E exp(a b) = exp(a^2 v/2), up to what lies beyond 8.5 or, `smooth`, 5.5 deviations."""
    b, mass = offset_nodes(2.0, None, even=False, smooth=smooth)
    assert np.all(np.diff(b) > 0) and np.array_equal(b, -b[::-1]) and np.array_equal(mass, mass[::-1])
    moments = [float(mass @ b**k) for k in range(5)]
    assert moments == pytest.approx([1.0, 0.0, 2.0, 0.0, 12.0], rel=1e-12 if smooth is None else 3e-5, abs=1e-13)
    error = abs(float(mass @ np.exp(2.4 * b)) / np.exp(0.5 * 2.4**2 * 2.0) - 1)
    assert error < 1e-6 if smooth is None else 1e-3 < error < 0.1
    half, share = offset_nodes(2.0, None, smooth=smooth)
    np.testing.assert_array_equal(b[b > 0], half)
    np.testing.assert_allclose(2 * mass[b > 0], share, rtol=1e-13)
    reach = 5.5 if smooth is not None else 8.5
    assert (reach - 0.5) * np.sqrt(2) < half.max() < reach * np.sqrt(2)
    assert half.size == (9 * 11 if smooth is None else smooth * 5)


@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize(("variance", "rho"), [(0.3, 0.2), (2.0, 5.0), (1.5, 0.3)])
def test_equal_steps_average_smooth_functions_exactly(variance, rho, even):
    """E cos(k b0) is exp(-k^2 variance/2), and E Phi((b0 - t)/sqrt rho), smooth as the law of a field, Phi(-t/sqrt(variance + rho))."""
    b0, mass = spaced_offsets(variance, rho, even=even)
    assert mass.sum() == pytest.approx(1, abs=1e-14)
    for k in (0.5, 1.0, 2.0):
        assert mass @ np.cos(k * b0) == pytest.approx(np.exp(-0.5 * k * k * variance), abs=1e-8)
    smooth = special.ndtr((b0 - 0.4) / np.sqrt(rho))
    if even:
        smooth = 0.5 * (smooth + special.ndtr((-b0 - 0.4) / np.sqrt(rho)))
    assert mass @ smooth == pytest.approx(special.ndtr(-0.4 / np.sqrt(variance + rho)), abs=3e-9)


def test_steps_are_as_long_as_offset_and_field_allow():
    for variance, rho, ratio in ((0.5, 0.5, np.sqrt(2)), (0.01, 1.0, np.sqrt(1.01)), (4.0, 0.0, 6.0)):
        b0, _ = spaced_offsets(variance, rho)
        np.testing.assert_allclose(np.diff(b0), STEP * np.sqrt(variance) / ratio, rtol=1e-10)
        assert END * np.sqrt(variance) <= b0.max() < END * np.sqrt(variance) * 1.2
        assert -b0.min() == pytest.approx(END * np.sqrt(variance), rel=0.1)


def test_zero_is_a_node_of_the_half_line_alone():
    for step, distance in ((2.0, 0.15), (1.0, 0.3), (0.9, 1 / 3), (0.5, 0.4), (0.45, 1 / 3)):
        (half, mass), (whole, _) = (spaced_offsets(0.7, 0.4, even=even, step=step) for even in (True, False))
        assert half[0] == 0
        assert mass[0] == pytest.approx(0.5 * mass[1] * np.exp(0.5 * half[1] ** 2 / 0.7))
        assert np.abs(whole).min() == pytest.approx(distance * half[1])


@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize("step", [1.0, 0.9])
def test_half_the_steps_add_values_between_the_others(step, even):
    """To the last digit, but for the ends; and the guess of the finer rule sees a cusp of a function that is even in b0."""
    (b0, _), (finer, mass) = (spaced_offsets(0.7, 0.4, even=even, step=part * step) for part in (1.0, 0.5))
    inside = np.abs(b0) < 0.99 * np.abs(finer).max()
    assert np.isin(b0[inside], finer).all() and inside[1:-1].all()
    np.testing.assert_allclose(np.diff(finer), 0.5 * (b0[1] - b0[0]), rtol=1e-9)
    assert left_by_steps(np.sqrt(np.abs(np.abs(finer) - 0.4)), mass, half=even) > 1e-5


@pytest.mark.parametrize("step", [1.0, 0.5])
def test_what_equal_steps_leave_is_guessed_from_some_of_them(step):
    """Hardly anything of a smooth function. Of a cusp, of |b0 - t|, some h^2, for most t no more than three times the guess."""
    b0, mass = spaced_offsets(1.0, 1.0, step=step)
    smooth = np.stack([special.ndtr(b0 - 0.3), np.exp(-((0.5 * b0 - 0.3) ** 2))])
    assert np.all(left_by_steps(smooth, mass) < 3e-7)
    t = np.linspace(-1.5, 1.5, 61)
    exact = 2 * t * special.ndtr(t) - t + 2 * np.exp(-0.5 * t**2) / np.sqrt(2 * np.pi)
    cusps = np.abs(b0 - t[:, None])
    missed, guess = np.abs(cusps @ mass / exact - 1), left_by_steps(cusps, mass)
    assert np.quantile(missed / guess, 0.8) < 3
    assert np.median(missed / guess) > 0.2
    assert np.median(left_by_steps(np.abs(b0 - t[:, None]) ** 0.5, mass)) > 5e-4
    assert left_by_steps(np.zeros(5), np.full(5, 0.2)) == left_by_steps(np.ones(5), np.full(5, 0.2)) == 0
    assert np.isnan(left_by_steps(np.array([1.0, np.inf, 2.0]), np.full(3, 1 / 3)))
    assert np.isnan(left_by_steps(np.array([1.0, np.nan, 2.0]), np.full(3, 1 / 3)))


def test_the_guess_is_relative_and_by_hand():
    """Nine values 3 +- 1 in turn, of mean 3 + 1/9: every second is 4 or 2, every third 3 +- 1/3 on the mean, every fourth 4 or 2."""
    turns, mean = 3 + (-1.0) ** np.arange(9), 1 / 9
    two, three, four = 1 + mean, 1 / 3 + mean, 1 + mean
    assert left_by_steps(turns, np.full(9, 1 / 9)) == pytest.approx(two * three / four / (3 + mean), rel=1e-12)
    b0, mass = spaced_offsets(1.0, 1.0)
    cusp = np.abs(b0 - 0.3)
    assert left_by_steps(np.stack([7 * cusp, -1e-3 * cusp]), mass) == pytest.approx(left_by_steps(cusp, mass) * np.ones(2), rel=1e-12)


def test_the_half_line_is_unfolded_for_the_guess():
    b0, mass = spaced_offsets(1.0, 1.0, even=True)
    whole, share = np.concatenate([-b0[:0:-1], b0]), np.concatenate([0.5 * mass[:0:-1], mass[:1], 0.5 * mass[1:]])
    for values in (lambda b: 0.3 + np.exp(-0.5 * b**2), lambda b: np.sqrt(np.abs(b))):
        folded, unfolded = left_by_steps(values(b0), mass, half=True), left_by_steps(values(whole), share)
        assert folded == pytest.approx(unfolded, rel=1e-9)
    assert left_by_steps(0.3 + np.exp(-0.5 * b0**2), mass, half=True) < 3e-7


def test_a_cusp_in_the_offset_is_told():
    with pytest.warns(
        AccuracyWarning, match="average of the test error .* may be off by some 3e-04 of it: as a function of the offset it has a cusp"
    ):
        warn_of_cusps(np.array([1e-9, 3e-4, np.nan]))
    warn_of_cusps(np.array([CUSP, 0.0]))
    warn_of_cusps(np.zeros(0))


def test_steps_serve_offsets_that_vary_little_beside_the_field():
    """Beyond, labels may vary near 0 alone, where panels are graded: convex and Bayes learners have many offsets within the field."""
    for variance, smooth in ((30.0, True), (40.0, False), (1e6, False)):
        e = GaussianEquivalent(np.ones(1), np.ones(1), np.ones(1), 1.0, np.zeros(1), variance, Quantised((-0.5, 0.5), values=(-1, 0, 1)))
        assert e.random_offset and e.smooth_offset == smooth
        model = Model(ERM("huber", 0.1), e)
        assert model.spaced == smooth
        assert (np.abs(model.b0) < 2).sum() > 6
        assert model.mass.sum() == pytest.approx(1, rel=1e-12)
        weighed = Model(ERM("logistic", 0.1, class_weight={-1: 2, 1: 1}), replace(e, channel=Sign(0.1)))
        assert not weighed.spaced and (np.abs(weighed.b0) < 2).sum() > 6
    for given in ({"offset": 0.3}, {"offset_variance": 0.0}):
        assert not replace(e, **given).smooth_offset


@pytest.mark.parametrize("steep", [lambda r: np.sqrt(r), lambda r: 1 / (4 - np.log(r / 8.5)), lambda r: np.ones_like(r)])
@pytest.mark.parametrize("place, side, smooth", [(0.01, -1, 7), (0.4, -1, None), (0.71, 1, None), (-0.7, 1, 9), (1.9, -1, 9)])
def test_panels_that_end_at_a_bend_see_how_steep_it_is(steep, place, side, smooth):
    """Roots and logarithms of the distance r from a place, on one side of it, beside a substitution r = exp(t) of the integral."""

    def integrand(t):
        b = place + side * np.exp(t)
        return steep(np.exp(t)) * np.exp(t - 0.5 * b * b) / np.sqrt(2 * np.pi)

    exact = integrate.quad(integrand, -60, np.log(8.5), limit=500)[0]
    errors = []
    for bends in ((), (Bend(place, side),)):
        b, mass = offset_nodes(1.0, None, even=False, smooth=smooth, bends=bends)
        assert np.all(np.diff(b) > 0) and mass.sum() == pytest.approx(1, rel=1e-14)
        r = side * (b - place)
        errors.append(abs(np.where((r > 0) & (r < 8.5), steep(np.abs(r)), 0.0) @ mass - exact))
    assert errors[1] < 1e-5 and errors[1] < 0.1 * errors[0]


def test_panels_between_two_bends():
    """Each end of one is resolved where it is steep on both; those of the half line begin at 0."""
    b, mass = offset_nodes(4.0, None, even=False, bends=(Bend(-0.4, 1), Bend(0.3, -1)))
    values = np.where((b > -0.4) & (b < 0.3), np.sqrt(np.maximum((b + 0.4) * (0.3 - b), 0)), 0.0)
    exact = integrate.quad(
        lambda t: (0.35 * np.sin(t)) ** 2 * np.exp(-((0.35 * np.cos(t) - 0.05) ** 2) / 8) / np.sqrt(8 * np.pi), 0, np.pi
    )[0]
    assert values @ mass == pytest.approx(exact, rel=1e-5)
    half, share = offset_nodes(4.0, None, bends=(Bend(0.3, -1),))
    assert half[0] > 0 and half**2 @ share == pytest.approx(4, rel=1e-9)
