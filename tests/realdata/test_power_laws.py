"""The range of power laws inside a band is that of linear programs, and holds every law inside."""

import numpy as np
import pytest
from scipy.optimize import linprog

from gaussequiv.realdata.power_laws import EXPONENTS, power_laws

SIZES = np.array([150.0, 300.0, 500.0, 800.0, 1500.0])


def law(n, floor=0.8, scale=0.3, exponent=0.7):
    return floor + scale * (1000 / n) ** exponent


def test_the_law_itself_is_found():
    found = power_laws(SIZES, law(SIZES), np.full(5, 0.02), 1000.0)
    assert found.best == pytest.approx([0.8, 0.3, 0.7], rel=1e-2)
    assert found.at([2000.0, 1e5])[0] == pytest.approx(law(np.array([2000.0, 1e5])), rel=1e-3)


@pytest.mark.parametrize("n", [700.0, 4000.0])
def test_extremes_are_those_of_linear_programs(n):
    half = np.array([0.05, 0.03, 0.02, 0.02, 0.03])
    found = power_laws(SIZES, law(SIZES), half, 1000.0)
    extremes = {1: [], -1: []}
    for exponent in EXPONENTS:
        x = (1000 / SIZES) ** exponent
        design = np.column_stack([np.ones(5), x])
        for sign, values in extremes.items():
            cost = sign * np.array([1.0, (1000 / n) ** exponent])
            bounds = np.concatenate([law(SIZES) + half, half - law(SIZES)])
            solved = linprog(cost, np.vstack([design, -design]), bounds)
            if solved.status == 0:
                values.append(sign * solved.fun)
    low, high = found.at(n)[1:, 0]
    assert low == pytest.approx(min(extremes[1]), rel=1e-6) and high == pytest.approx(max(extremes[-1]), rel=1e-6)


def test_every_law_inside_the_band_lies_in_the_range():
    half = np.full(5, 0.05)
    found = power_laws(SIZES, law(SIZES), half, 1000.0)
    rng, n, seen = np.random.default_rng(0), np.array([2000.0, 20_000.0]), 0
    low, high = found.at(n)[1:]
    least, most = found.gain(1000.0, 1000.0)[1:]
    for floor, scale, exponent in np.column_stack(
        [rng.uniform(0.6, 1, 20_000), rng.uniform(0.1, 0.5, 20_000), rng.choice(EXPONENTS[15:30], 20_000)]
    ):
        if np.all(np.abs(law(SIZES, floor, scale, exponent) - law(SIZES)) <= half):
            seen += 1
            assert np.all((low - 1e-9 <= law(n, floor, scale, exponent)) & (law(n, floor, scale, exponent) <= high + 1e-9))
            drop = law(1000.0, floor, scale, exponent) - law(2000.0, floor, scale, exponent)
            assert least - 1e-9 <= drop <= most + 1e-9
            assert found.floor[1] - 1e-9 <= floor <= found.floor[2] + 1e-9
    assert seen > 50


def test_a_curve_that_rises_or_bends_too_much_has_none():
    assert power_laws(SIZES, np.linspace(1, 2, 5), np.full(5, 0.05), 1000.0) is None
    assert power_laws(SIZES, np.array([1.0, 0.99, 0.98, 0.5, 0.1]), np.full(5, 0.02), 1000.0) is None


def test_a_flat_curve_stays_flat():
    found = power_laws(SIZES, np.full(5, 0.5), np.full(5, 0.01), 1000.0)
    assert found.at(1e6)[0] == pytest.approx(0.5, abs=1e-6)
    assert found.gain(1000.0, 1000.0)[1] == 0.0
