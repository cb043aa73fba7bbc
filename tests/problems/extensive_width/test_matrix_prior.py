"""What is known of a matrix of neurons in noise: published tables, limits, sampled matrices."""

import numpy as np
import pytest
from scipy.integrate import quad

from gaussequiv.problems.extensive_width.matrix_prior import MatrixPrior

ONES, SIGNS = ((1.0,), (1.0,)), ((-1.0, 1.0), (0.5, 0.5))


@pytest.mark.parametrize(
    ("law", "snr", "overlap"),
    [
        (ONES, [0.1, 1.0, 2.0, 5.0, 10.0], [0.1060723, 0.6030514, 0.7507407, 0.8786822, 0.9334585]),
        (SIGNS, [0.1, 1.0], [0.093345, 0.560959]),
    ],
)
def test_published_overlaps(law, snr, overlap):
    """gamma = 1/2, the tables m(lambda) of github.com/Minh-Toan/extensive-width-NN (discrete_W)."""
    prior = MatrixPrior(0.5, *law)
    assert prior.overlap(snr) == pytest.approx(overlap, abs=6e-7)


@pytest.mark.parametrize("ratio", [0.3, 1.0, 2.5])
def test_limits(ratio):
    """mmse -> 1 - snr at small snr; at large snr, d^2/2 less the dimension of rank-k matrices: (1 - (1 - gamma)^2)/(snr), gamma <= 1."""
    prior = MatrixPrior(ratio, *ONES)
    assert prior.mmse(1e-3)[0][0] == pytest.approx(1 - 1e-3, abs=3e-6)
    assert prior.mmse(1e-3)[1][0] == pytest.approx(-1, abs=1e-2)
    assert prior.mmse(1e7)[0][0] * 1e7 == pytest.approx(1 - max(1 - ratio, 0) ** 2, rel=2e-3)


def test_the_table_is_the_function():
    prior = MatrixPrior(0.5, *SIGNS)
    snr = np.geomspace(3e-4, 1e8, 41)
    value, slope = prior.mmse(snr)
    assert prior.table.mmse(snr)[0] == pytest.approx(value, rel=1e-7)
    assert prior.table.mmse(snr)[1] == pytest.approx(slope, rel=1e-5)
    assert prior.table.snr_of(value) == pytest.approx(snr, rel=1e-5)
    assert prior.table.mmse(1e-6)[0] == pytest.approx(1 - 1e-6, abs=1e-11)
    assert prior.overlap_slope(snr) == pytest.approx(-slope)


def test_information_is_the_integral_of_the_error():
    prior = MatrixPrior(0.5, *ONES)
    for snr in (1e-5, 0.3, 40.0):
        expected, _ = quad(lambda x: prior.mmse(x)[0][0] / 4, 1e-9, snr, epsrel=1e-9)
        assert prior.table.information(snr) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("law", "noise"), [(ONES, 0.05), (ONES, 0.6), (SIGNS, 0.3), (SIGNS, 2.0)])
def test_denoised_matrices_have_the_error_that_is_told(law, noise):
    """S + sqrt(noise) GOE at d = 500: error of the shrunk matrix, and what it was expected to be."""
    prior, d, k = MatrixPrior(0.5, *law), 500, 250
    rng = np.random.default_rng(1)
    v = np.repeat(law[0], np.round(np.array(law[1]) * k).astype(int))
    W, raw = rng.standard_normal((k, d)), rng.standard_normal((d, d))
    S = (W.T * v) @ W / k
    values, vectors = np.linalg.eigh(S + np.sqrt(noise / (2 * d)) * (raw + raw.T))
    error = np.sum(((vectors * prior.shrink(values, noise)) @ vectors.T - S) ** 2) / d
    assert error == pytest.approx(prior.mean_error(noise), rel=0.03)  # fluctuates by 1/d relative, about 1% here
    assert np.all(np.diff(prior.shrink(values, noise)) >= -1e-9)


def test_a_published_value_of_the_error():
    """gamma = 1/2, noise .6 in units where S has mean square error 1 (AMP.ipynb of ExtensiveWidthQuadraticSamples): .28390."""
    assert 0.5 * MatrixPrior(0.5, *ONES).mean_error(0.6 / 0.5) == pytest.approx(0.28390, abs=1e-5)
