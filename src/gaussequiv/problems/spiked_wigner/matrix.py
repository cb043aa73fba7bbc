"""The matrices of a spiked problem, and what is measured on an estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gaussequiv._memory import require_memory
from gaussequiv.algorithms.message_passing.low_rank import LowRankAMP
from gaussequiv.curve import Observable
from gaussequiv.errors import FloatArray, integer
from gaussequiv.numerics.keys import NOISE, SIDE_INFORMATION, TEACHER
from gaussequiv.problems.base import Axis, Key

if TYPE_CHECKING:
    from gaussequiv.problems.spiked_wigner.description import SpikedWigner

AXIS = Axis("snr", "signal-to-noise ratio (E x^2)^2/Delta", size="d", size_label="dimension of the matrix")
SNR_MEANING = "snr is (E x^2)^2/Delta, the squared signal over the noise of an entry."
WORDS = {
    "overlap": Observable("overlap of estimate and signal, E x xhat"),
    "q": Observable("mean square of the estimate"),
    "matrix_mse": Observable("mean squared error of an entry of x x'"),
    "free_entropy": Observable("mean log-evidence per dimension", "nats"),
    "mutual_information": Observable("mutual information of matrix and signal per dimension", "nats"),
}

BYTES_OF_AN_ENTRY = 40.0  # noise, its symmetric part, the matrix and its score, in turn


def draw(problem: SpikedWigner, size: int | None, key: Key) -> tuple[FloatArray, FloatArray]:
    """Signal and unit noise matrix of a trial."""
    n = integer("d", size, minimum=2, meaning="d is the dimension of the matrix.")
    require_memory(BYTES_OF_AN_ENTRY * float(n) ** 2, "d", n, "the matrix and its noise")
    x = np.asarray(problem.prior.sample(np.random.default_rng((*key, TEACHER)), n), dtype=np.float64)
    raw = np.random.default_rng((*key, NOISE)).standard_normal((n, n))
    return x, (raw + raw.T) / np.sqrt(2)


def machine_at(problem: SpikedWigner, x: FloatArray, noise: FloatArray, snr: float) -> LowRankAMP:
    """Message passing on the matrix of one snr."""
    delta = problem.rho**2 / snr
    matrix = np.outer(x, x) / np.sqrt(x.size) + np.sqrt(delta) * noise
    return LowRankAMP(matrix / delta, delta, problem.prior)


def measured_on(problem: SpikedWigner, estimate: FloatArray, x: FloatArray) -> dict[str, float]:
    """Overlap, mean square, and the error of x x'."""
    m, q, square = float(estimate @ x) / x.size, float(estimate @ estimate) / x.size, float(x @ x) / x.size
    if problem.even:
        m = abs(m)
    return {"overlap": m, "q": q, "matrix_mse": square**2 - 2 * m**2 + q**2}


def side_start(problem: SpikedWigner, x: FloatArray, ratio: float, key: Key) -> FloatArray:
    """Posterior mean when every component was first seen in Gaussian noise at this signal-to-noise ratio."""
    if ratio == 0:
        return np.full(x.size, problem.mean)
    a = ratio / problem.rho
    b = a * x + np.sqrt(a) * np.random.default_rng((*key, SIDE_INFORMATION)).standard_normal(x.size)
    return np.asarray(problem.prior.posterior(a, b).mean)
