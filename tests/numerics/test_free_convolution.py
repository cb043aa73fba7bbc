"""Spectra of matrices of neurons in noise, against limits, sampled matrices and derivatives."""

import numpy as np
import pytest

from gaussequiv.numerics.free_convolution import FreeSum

LAWS = {
    "ones": ((1.0,), (1.0,)),
    "signs": ((-1.0, 1.0), (0.5, 0.5)),
    "four": (tuple(np.array([-3, -1, 1, 3]) / np.sqrt(5)), (0.25,) * 4),
    "mixed": ((0.5, -1.0, 2.0), (0.5, 0.2, 0.3)),
}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("ratio", [0.2, 0.5, 1.0, 3.0])
def test_mass_is_one_and_moments_are_those_of_the_sum(law, ratio):
    """int rho = 1 with and without gaps; the second moment is E v^2/gamma + (E v)^2 + t."""
    law = FreeSum(ratio, *LAWS[law])
    times = np.geomspace(1e-3, 1e3, 25)
    assert law.cubes(times).mass == pytest.approx(np.ones(25), abs=1e-7)


def test_the_semicircle_remains_where_noise_is_large():
    """int rho^3 of a semicircle of variance s is 3/(4 pi^2 s), s = t + 1/gamma for centred readouts, to first order in 1/t."""
    law = FreeSum(0.7, *LAWS["signs"])
    for t in (1e3, 1e5):
        assert law.edges(t) == pytest.approx(2 * np.sqrt(t + 1 / 0.7) * np.array([-1, 1]), rel=2 / t)
        assert law.cubes(t).cube[0] * 4 * np.pi**2 / 3 == pytest.approx(1 / (t + 1 / 0.7), rel=2 / t**2)


def test_edges_without_noise_are_those_of_marchenko_and_pastur():
    """(1 +- 1/sqrt(gamma))^2, and a band about zero of the (1 - gamma) zero eigenvalues, of half-width 2 sqrt((1 - gamma) t)."""
    t = 1e-8
    edges = FreeSum(0.4).edges(t)
    assert edges[2:] == pytest.approx([(1 - 0.4**-0.5) ** 2, (1 + 0.4**-0.5) ** 2], rel=1e-6)
    assert edges[:2] == pytest.approx(2 * np.sqrt(0.6 * t) * np.array([-1, 1]), rel=1e-3)
    assert FreeSum(4.0).edges(t) == pytest.approx([0.25, 2.25], rel=1e-6)


@pytest.mark.parametrize(("law", "ratio", "t"), [("ones", 0.5, 0.02), ("ones", 0.5, 1.0), ("mixed", 0.5, 0.3), ("four", 1.5, 0.2)])
def test_sampled_matrices_have_this_spectrum(law, ratio, t):
    """Eigenvalues at d = 800: moments two and three of the density, and none outside of the bands by more than the edge's fluctuation."""
    values, masses = LAWS[law]
    law, d = FreeSum(ratio, values, masses), 800
    rng = np.random.default_rng(3)
    k = round(ratio * d)
    v = np.repeat(values, np.round(np.array(masses) * k).astype(int))
    W, noise = rng.standard_normal((len(v), d)), rng.standard_normal((d, d))
    eigenvalues = np.linalg.eigvalsh((W.T * v) @ W / k + np.sqrt(t / (2 * d)) * (noise + noise.T))
    bands = law.edges(t).reshape(-1, 2)
    assert all(np.min(np.maximum(bands[:, 0] - x, x - bands[:, 1])) < 4 * d ** (-2 / 3) * np.ptp(bands) for x in eigenvalues)
    for low, high in bands:
        x = (low + high) / 2 - (high - low) / 2 * np.cos((np.arange(4000) + 0.5) * np.pi / 4000)
        mass = np.sum(law.transform(x, t).imag / np.pi * np.sin((np.arange(4000) + 0.5) * np.pi / 4000)) * (high - low) / 2 * np.pi / 4000
        share = np.mean((eigenvalues > low - 0.03 * np.ptp(bands)) & (eigenvalues < high + 0.03 * np.ptp(bands)))
        if len(bands) == 1 or np.min(np.diff(law.edges(t))[1::2]) > 0.1:
            assert share == pytest.approx(mass, abs=3 / d)


@pytest.mark.parametrize("law", LAWS)
def test_the_slope_of_the_cube_is_its_derivative(law):
    law = FreeSum(0.5, *LAWS[law])
    times, h = np.geomspace(3e-3, 300, 15), 1e-5
    numerical = (law.cubes(times * (1 + h)).cube - law.cubes(times * (1 - h)).cube) / (2 * h * times)
    assert law.cubes(times).cube_slope == pytest.approx(numerical, rel=1e-5)


def test_the_transform_solves_its_equation():
    law = FreeSum(0.5, *LAWS["mixed"])
    low, high = law.edges(2.0)
    x = np.linspace(low, high, 50)[1:-1]
    G = law.transform(x, 2.0)
    v, p = np.array(LAWS["mixed"][0]), np.array(LAWS["mixed"][1])
    assert np.all(G.imag > 0)
    assert np.abs(1 / G + (0.5 * p * v / (0.5 - v * G[:, None])).sum(axis=1) + 2.0 * G - x).max() < 1e-10
