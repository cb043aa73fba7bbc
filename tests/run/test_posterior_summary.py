"""From recorded chains to numbers, on chains made by hand."""

import numpy as np
import pytest

from gaussequiv.numerics.status import Status
from gaussequiv.run import posterior_summary as summary

CHAINS, DRAWS, ROWS = 4, 200, 5000


def gaussian_chains(seed=0, shift=0.0):
    """Fields of draws S = mean + noise with labels y = S* + noise of variance 0.25: a calibrated posterior of variance 0.09."""
    rng = np.random.default_rng(seed)
    mean = rng.standard_normal(ROWS)
    truth = mean + 0.3 * rng.standard_normal(ROWS)
    y = truth + 0.5 * rng.standard_normal(ROWS)
    s = mean + shift + 0.3 * rng.standard_normal((CHAINS, DRAWS, ROWS))
    from scipy import special, stats

    sums = {
        "prediction": s.sum(axis=1),
        "field": s.sum(axis=1),
        "below": special.ndtr((y - s) / 0.5).sum(axis=1),
        "log_density": special.logsumexp(stats.norm.logpdf(y, s, 0.5), axis=1),
    }
    traces = {"m": (s * truth).mean(axis=2), "gibbs_error": ((s - truth) ** 2).mean(axis=2), "probe": s[..., :20]}
    return traces, sums, y, truth


def test_a_calibrated_gaussian_posterior_has_its_exact_numbers():
    traces, sums, y, truth = gaussian_chains()
    out = summary.summarise(traces, sums, y, truth, "regression")
    rows = 4 / np.sqrt(ROWS)
    assert out["clean_error"] - out["sampling_excess"] == pytest.approx(0.09, abs=0.09 * rows * np.sqrt(2))
    assert out["sampling_excess"] == pytest.approx(0.09 / (CHAINS * DRAWS), rel=0.1)
    assert out["test_error"] == pytest.approx(0.34, abs=0.34 * rows * np.sqrt(2) + 0.001)
    assert out["gibbs_error"] == pytest.approx(0.18, abs=0.18 * rows * np.sqrt(2))
    assert out["q"] == pytest.approx(1, abs=rows * np.sqrt(2))
    assert out["coverage"] == pytest.approx(summary.LEVELS, abs=0.5 * rows + 0.002)
    assert out["calibration_error"] < 1.95 / np.sqrt(ROWS)  # Kolmogorov's 99.9% point
    assert out["log_loss"] == pytest.approx(0.5 * np.log(2 * np.pi * np.e * 0.34), abs=np.sqrt(0.5) * rows + 0.002)
    assert out["status"] == Status.converged
    assert out["test_error_ess"] == out["q_ess"] >= 400


def test_a_shifted_posterior_is_miscalibrated():
    out = summary.summarise(*gaussian_chains(shift=0.6), "regression")
    assert out["calibration_error"] > 0.2
    assert out["coverage"][0] < 0.4


def test_chains_that_disagree_did_not_converge():
    traces, sums, y, truth = gaussian_chains()
    traces["gibbs_error"] = traces["gibbs_error"] + np.arange(CHAINS)[:, None]
    out = summary.summarise(traces, sums, y, truth, "regression")
    assert out["status"] == Status.max_steps
    assert out["r_hat"] == out["gibbs_error_r_hat"] > 1.5
    traces["gibbs_error"][0, 0] = np.nan
    with np.errstate(invalid="ignore"):
        assert summary.summarise(traces, sums, y, truth, "regression")["status"] == Status.nonfinite


def test_starts_that_disagree_are_seen():
    groups = [{"m": np.random.default_rng(i).standard_normal((4, 200)) + shift} for i, shift in enumerate((0.0, 0.0, 3.0))]
    assert summary.between_starts(groups[:2]) < 1.02
    assert summary.between_starts(groups[1:]) > 1.5


def test_probabilities_of_labels():
    rng = np.random.default_rng(0)
    said = rng.random(ROWS)
    positive = (rng.random(ROWS) < said).astype(float)
    assert summary.binned_calibration_error(positive, said) < 3 * 0.4 * np.sqrt(10 / ROWS)
    assert summary.binned_calibration_error(positive, said**3) > 0.1
    assert summary.kolmogorov_distance(np.linspace(0.005, 0.995, 100)) == pytest.approx(0.005)
    assert summary.kolmogorov_distance(np.full(10, 0.3)) == pytest.approx(0.7)
