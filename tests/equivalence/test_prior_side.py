"""The prior's half of state evolution: Gaussian weights in closed form, its derivative, the start, sums over coordinates."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.equivalence.prior_side import Coordinates, GaussianModes, Independent, prior_side
from gaussequiv.ingredients.priors.named import Discrete, GaussBernoulli, Gaussian, Rademacher

R = [0.0, 1e-6, 0.3, 5.0, 200.0]
MEAN = Discrete((1.0, -0.5), (0.4, 0.6))  # of mean 0.1


@pytest.mark.parametrize("r", R)
def test_gaussian_weights_have_closed_forms(r):
    """q = S^2 r/(1 + S r), left = S/(1 + S r), psi = (S r - log(1 + S r))/2 with S = 0.7 * 2."""
    S = 1.4
    exact = (S * S * r / (1 + S * r), S / (1 + S * r), 0.5 * (S * r - np.log1p(S * r)))
    for side in (
        GaussianModes(np.array([S]), np.ones(1)),
        Independent(Gaussian(2.0), 0.7),
        Coordinates(Gaussian(2.0), np.array([0.7]), np.ones(1)),
    ):
        assert side.total == pytest.approx(S)
        assert side.at(r) == pytest.approx(exact, rel=1e-8, abs=1e-13)


@pytest.mark.parametrize("prior", [Rademacher(), GaussBernoulli(0.2), MEAN], ids=lambda prior: prior.name)
def test_a_sum_over_coordinates_is_one_side_for_each(prior):
    scales, weights = np.array([0.3, 1.0, 2.5]), np.array([0.5, 0.3, 0.2])
    whole = Coordinates(prior, scales, weights)
    parts = [Independent(prior, scale) for scale in scales]
    assert whole.total == pytest.approx(weights @ [part.total for part in parts])
    for r in R:
        exact = weights @ np.array([part.at(r) for part in parts])
        assert whole.at(r) == pytest.approx(exact, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("prior", [Rademacher(), GaussBernoulli(0.2), MEAN], ids=lambda prior: prior.name)
def test_overlap_is_twice_the_slope_of_psi_and_overlap_and_rest_add_up(prior):
    side, r, h = Independent(prior, 0.8), 0.9, 1e-3
    slope = sum(weight * side.at(r + k * h).psi for k, weight in ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12))) / h
    assert side.at(r).q == pytest.approx(2 * slope, rel=1e-8)
    for x in R:
        assert side.at(x).q + side.at(x).left == pytest.approx(side.total, rel=1e-9)


def test_at_precision_zero_only_the_mean_is_known():
    for side, S in ((Independent(MEAN, 2.0), 2.0), (Coordinates(MEAN, np.array([1.0, 4.0]), np.array([0.4, 0.2])), 1.2)):
        assert side.at(0.0) == pytest.approx((0.01 * S, (MEAN.second_moment - 0.01) * S, 0.0), rel=1e-12)
        assert side.at(1e-9) == pytest.approx(side.at(0.0), rel=1e-6, abs=1e-8)


def test_long_spectra_are_interpolated_to_eight_digits():
    """More coordinates than are summed one by one: from a table in log r."""
    prior, scales = GaussBernoulli(0.2), np.geomspace(0.05, 4.0, 40)
    weights = np.full(40, 1 / 40)
    whole, parts = Coordinates(prior, scales, weights), [Independent(prior, scale) for scale in scales]
    assert whole.total == pytest.approx(weights @ scales * prior.second_moment, rel=1e-12)
    for r in (1e-6, 0.3, 5.0, 200.0, 1e6):
        exact = weights @ np.array([part.at(r) for part in parts])
        assert whole.at(r) == pytest.approx(exact, rel=1e-7, abs=1e-15)


def test_which_half_an_equivalent_has():
    """Closed for Gaussian weights; one integral on isotropic inputs; a sum over a spectrum; none where it is rotated."""
    assert isinstance(prior_side(ge.Problem(ge.LinearTarget()).equivalent()), GaussianModes)
    one = prior_side(ge.Problem(ge.LinearTarget("rademacher")).equivalent())
    assert isinstance(one, Independent) and one.total == pytest.approx(1.0)
    several = prior_side(ge.Problem(ge.LinearTarget("rademacher"), ge.GaussianInputs("two-level:4:0.2:0.25")).equivalent())
    assert isinstance(several, Coordinates)
    np.testing.assert_allclose(np.sort(several.scales), [0.2, 4.0], rtol=1e-12)
    turned = ge.GaussianInputs(covariance=np.array([[2.0, 0.5], [0.5, 1.0]]))
    with pytest.raises(ge.ArgumentError, match="isotropic"):
        prior_side(ge.Problem(ge.LinearTarget("rademacher"), turned).equivalent())
