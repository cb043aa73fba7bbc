"""Spectra: masses, means, quantiles, Marchenko-Pastur moments, and texts."""

import numpy as np
import pytest

from gaussequiv import ArgumentError
from gaussequiv.ingredients.inputs import spectra

TEXTS = ["identity", "identity:2.5", "power-law:0", "power-law:0.8", "two-level:4:0.2:0.25", "marchenko-pastur:0.5", "marchenko-pastur:3"]


@pytest.mark.parametrize("text", TEXTS)
def test_masses_sum_to_one_and_values_are_nonnegative(text):
    values, mass = spectra.get(text).limit()
    assert mass.sum() == pytest.approx(1.0, abs=1e-13)
    assert np.all(mass >= 0)
    assert np.all(values >= 0)


@pytest.mark.parametrize(
    "text", ["power-law:0", "power-law:0.3", "power-law:0.9", "marchenko-pastur:0.1", "marchenko-pastur:1", "marchenko-pastur:5"]
)
def test_mean_one_where_claimed(text):
    values, mass = spectra.get(text).limit()
    assert mass @ values == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("exponent", [0.0, 0.4, 1.0, 2.0])
def test_power_law_has_mean_one_and_exact_ratios_at_every_size(exponent):
    values = spectra.PowerLaw(exponent).at(50)
    assert values.mean() == pytest.approx(1.0, rel=1e-14)
    assert values[9] / values[0] == pytest.approx(10.0**-exponent, rel=1e-13)


@pytest.mark.parametrize("exponent", [0.2, 0.3])
def test_power_law_limit_has_its_second_moment(exponent):
    values, mass = spectra.PowerLaw(exponent).limit()
    exact = (1 - exponent) ** 2 / (1 - 2 * exponent)  # finite for exponent < 1/2
    assert mass @ values**2 == pytest.approx(exact, rel=1e-8)


@pytest.mark.parametrize("exponent", [0.3, 0.6, 0.9])
def test_power_law_limit_integrates_resolvents(exponent):
    from scipy.integrate import quad

    values, mass = spectra.PowerLaw(exponent).limit()
    kappa = 0.3
    # u = exp(-t): w/(w + kappa) du
    exact = quad(lambda t: np.exp(-t) / (1 + kappa * np.exp(-exponent * t) / (1 - exponent)), 0, 60, epsabs=1e-13)[0]
    assert mass @ (values / (values + kappa)) == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize("text", ["identity:2", "power-law:0.4", "two-level:4:0.2:0.25", "marchenko-pastur:0.5", "marchenko-pastur:2"])
def test_finite_sizes_approach_the_limit(text):
    law = spectra.get(text)
    values, mass = law.limit()
    exact = mass @ (values / (values + 0.5))
    gaps = []
    for d in (50, 200, 800):
        sample = law.at(d)
        assert sample.shape == (d,)
        gaps.append(abs(np.mean(sample / (sample + 0.5)) - exact))
    # midpoint quantiles of a bounded law: O(1/d); the power law has an integrable singularity at its top, O(d^(exponent - 1))
    assert gaps[2] < 0.005
    assert gaps[2] <= max(0.5 * gaps[0], 1e-12)


@pytest.mark.parametrize("ratio", [0.05, 0.5, 1.0, 2.0, 10.0])
def test_marchenko_pastur_moments(ratio):
    values, mass = spectra.MarchenkoPastur(ratio).limit()
    moments = [mass @ values**k for k in (1, 2, 3)]
    assert moments == pytest.approx([1.0, 1 + ratio, 1 + 3 * ratio + ratio**2], rel=1e-10)


@pytest.mark.parametrize("ratio", [0.2, 0.7])
def test_marchenko_pastur_inverse_moment(ratio):
    values, mass = spectra.MarchenkoPastur(ratio).limit()
    assert mass @ (1 / values) == pytest.approx(1 / (1 - ratio), rel=1e-8)


def test_marchenko_pastur_above_one_has_an_atom_at_zero():
    values, mass = spectra.MarchenkoPastur(4.0).limit()
    assert mass[values == 0].sum() == pytest.approx(0.75, abs=1e-14)
    assert np.mean(spectra.MarchenkoPastur(4.0).at(400) < 1e-12) == pytest.approx(0.75, abs=0.005)


def test_marchenko_pastur_is_the_spectrum_of_a_sample_covariance():
    d, rows = 400, 800
    x = np.random.default_rng(0).standard_normal((rows, d))
    sampled = np.linalg.eigvalsh(x.T @ x / rows)[::-1]
    law = spectra.MarchenkoPastur(d / rows).at(d)
    assert np.max(np.abs(sampled - law)) < 0.1  # eigenvalues are rigid: the edges move by O(d^(-2/3)) = 0.02 times a few


def test_two_level_counts_round_to_the_fraction():
    assert spectra.TwoLevel(4, 0.5, 0.25).at(8).tolist() == [4.0] * 2 + [0.5] * 6


def test_explicit_eigenvalues_are_sorted_merged_and_resampled_by_quantiles():
    law = spectra.get([1.0, 3.0, 1.0, 2.0])
    values, mass = law.limit()
    assert values.tolist() == [3.0, 2.0, 1.0]
    assert mass.tolist() == [0.25, 0.25, 0.5]
    assert law.at(4).tolist() == [3.0, 2.0, 1.0, 1.0]
    assert law.at(8).tolist() == [3.0, 3.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0]
    assert law.at(2).tolist() == [2.0, 1.0]


@pytest.mark.parametrize(
    "law",
    [
        spectra.Identity(),
        spectra.Identity(1 / 3),
        spectra.PowerLaw(0.123456789012),
        spectra.TwoLevel(1e-7, 1 / 7, 1 / 6),
        spectra.MarchenkoPastur(0.3333333333),
        spectra.Eigenvalues([0.1, 1 / 3]),
        spectra.Eigenvalues([2.5]),
    ],
)
def test_texts_are_read_back_to_the_last_digit(law):
    again = spectra.get(str(law))
    assert type(again) is type(law)
    assert again.at(24).tolist() == law.at(24).tolist()


def test_texts_are_forgiving_about_case_and_underscores():
    assert spectra.get(" Power_Law:0.5 ") == spectra.PowerLaw(0.5)
    assert spectra.get("2, 1,0.5").values.tolist() == [2.0, 1.0, 0.5]


@pytest.mark.parametrize("text", ["power-law", "power-law:x", "two-level:1:2", "identity:1:2", "marchenko-pastur:1:2:3"])
def test_wrong_forms_name_the_right_one(text):
    with pytest.raises(ArgumentError, match="of the form " + text.split(":")[0]):
        spectra.get(text)


@pytest.mark.parametrize(("text", "hint"), [("power-low:0.5", "power-law"), ("marchenko:0.5", "marchenko-pastur"), ("identiy", "identity")])
def test_unknown_names_get_a_hint(text, hint):
    with pytest.raises(ArgumentError, match=f"Did you mean '{hint}'"):
        spectra.get(text)


@pytest.mark.parametrize(
    "build",
    [
        lambda: spectra.Identity(0.0),
        lambda: spectra.PowerLaw(-0.1),
        lambda: spectra.TwoLevel(-1, 1, 0.5),
        lambda: spectra.TwoLevel(0, 0, 0.5),
        lambda: spectra.TwoLevel(1, 2, 1.0),
        lambda: spectra.MarchenkoPastur(0.0),
        lambda: spectra.Eigenvalues([1.0, -0.1]),
        lambda: spectra.Eigenvalues([0.0, 0.0]),
        lambda: spectra.Eigenvalues([]),
        lambda: spectra.Eigenvalues([np.nan]),
    ],
)
def test_impossible_parameters_are_refused(build):
    with pytest.raises(ArgumentError):
        build()


def test_a_heavy_power_law_has_no_limit_but_a_finite_size():
    with pytest.raises(ArgumentError, match="Pass d"):
        spectra.PowerLaw(1.2).limit()
    assert spectra.PowerLaw(1.2).at(5).shape == (5,)


def test_user_classes_with_the_two_methods_pass_through():
    class Mine:
        def limit(self):
            return np.ones(1), np.ones(1)

        def at(self, d):
            return np.ones(d)

    mine = Mine()
    assert spectra.get(mine) is mine


@pytest.mark.parametrize("exponent", [0.95, 1.0, 2.0])
def test_power_laws_without_a_useful_limit_ask_for_d(exponent):
    with pytest.raises(ArgumentError, match="Pass d"):
        spectra.PowerLaw(exponent).limit()
