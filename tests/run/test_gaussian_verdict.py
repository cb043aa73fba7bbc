"""Three verdicts on fields, and the sizes that they rest on."""

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss, hermeval
from scipy import special

from gaussequiv.run.gaussian_verdict import LARGEST_EFFECT, LARGEST_KS, LARGEST_NONLINEAR, judge_fields, worst_of
from gaussequiv.run.verdict import Verdict

NOISE = (0.003, 0.0007)


def quiet(**changes):
    """Statistics of two units without anything, at errors of 1%."""
    shapes = {
        "skewness": (2,),
        "excess_kurtosis": (2,),
        "mixed_cumulant": (2, 1),
        "student_cumulant": (2, 2),
        "nonlinear_correlation": (2, 1, 2),
        "effect": (2, 1),
    }
    values = {"ks": np.array([0.003, 0.0028])}
    for name, shape in shapes.items():
        values |= {name: np.full(shape, 0.02), f"{name}_stderr": np.full(shape, 0.01)}
    for name, (index, value) in changes.items():
        values[name][index] = value
    return values


def test_noise_is_gaussian():
    found = judge_fields(quiet(), NOISE)
    assert found == ("Gaussian", "within sampling noise: KS 0.0030 (noise 0.0030 +- 0.0007), effect on a unit's error +2.0% +- 1.0%")
    assert judge_fields(quiet(ks=(1, 0.0064)), NOISE).verdict == "Gaussian"
    assert judge_fields(quiet(skewness=(1, -0.049)), NOISE).verdict == "Gaussian"


@pytest.mark.parametrize(
    ("name", "index", "words"),
    [
        ("skewness", 1, "skewness"),
        ("excess_kurtosis", 0, "excess kurtosis"),
        ("mixed_cumulant", (1, 0), "mixed cumulant"),
        ("student_cumulant", (0, 1), "mixed cumulant of students"),
        ("nonlinear_correlation", (0, 0, 1), "nonlinear correlation"),
    ],
)
def test_what_stands_out_is_small_and_named(name, index, words):
    for value in (-0.06, 0.06):
        found = judge_fields(quiet(**{name: (index, value)}), NOISE)
        assert found.verdict == "small deviations"
        assert found.reason.endswith(f", {words} {value:+.3f} +- 0.010")


def test_distances_and_effects_are_small_or_large():
    for ks, verdict in ((0.0066, "small deviations"), (0.021, "small deviations"), (0.0219, "not Gaussian")):
        assert judge_fields(quiet(ks=(0, ks)), NOISE).verdict == verdict
    for effect, verdict in ((0.06, "small deviations"), (-0.099, "small deviations"), (-0.101, "not Gaussian"), (0.11, "not Gaussian")):
        found = judge_fields(quiet(effect=((0, 0), effect)), NOISE)
        assert found.verdict == verdict and f"error {effect:+.1%} +- 1.0%" in found.reason
    for value, verdict in ((0.14, "small deviations"), (-0.16, "not Gaussian")):
        found = judge_fields(quiet(nonlinear_correlation=((1, 0, 0), value)), NOISE)
        assert found.verdict == verdict and f"nonlinear correlation {value:+.3f}" in found.reason


def test_a_field_is_not_a_pair_with_itself():
    assert judge_fields(quiet(student_cumulant=((0, 0), 9.0)), NOISE).verdict == "Gaussian"
    assert judge_fields(quiet(student_cumulant=((1, 0), 9.0)), NOISE).verdict == "small deviations"


def test_the_worst_is_first():
    verdicts = [Verdict(word, str(i)) for i, word in enumerate(["Gaussian", "small deviations", "not Gaussian", "not Gaussian"])]
    assert worst_of(verdicts) == ("not Gaussian", "2")
    assert worst_of(verdicts[:2]).verdict == "small deviations"


def test_the_largest_distance_is_that_of_the_largest_effect():
    """The numbers in the module's first lines, by quadrature."""
    x, w = hermegauss(100)
    w = w / w.sum()
    g = special.erf(x / np.sqrt(2))
    effect = 3 * (w @ (g**2 * hermeval(x, [0, 0, 0, 0, 1]))) / 24
    t = np.linspace(-5, 5, 100_001)
    distance = np.max(np.abs(np.exp(-0.5 * t * t) / np.sqrt(2 * np.pi) * hermeval(t, [0, 0, 0, 1]))) / 24
    assert effect == pytest.approx(-0.077, abs=5e-4) and distance == pytest.approx(0.023, abs=5e-4)
    assert distance * LARGEST_EFFECT / abs(effect) == pytest.approx(LARGEST_KS, rel=0.01)
    relu = np.maximum(t, 0) * np.exp(-0.5 * t * t) / np.sqrt(2 * np.pi)
    a1, a2 = np.trapezoid(relu * t, t), np.trapezoid(relu * (t * t - 1), t) / np.sqrt(2)
    assert 2 * a1 * a2 == pytest.approx(0.28, abs=0.005)
    assert LARGEST_EFFECT * 0.5 / (2 * a1 * a2) == pytest.approx(LARGEST_NONLINEAR, rel=0.12)
