"""True networks of extensive width, and what an algorithm makes of their data."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg

from gaussequiv._memory import FLOAT, require_memory
from gaussequiv.algorithms.message_passing.matrix_amp import BLOCK, MatrixAMP, adjoint, fields
from gaussequiv.errors import FloatArray
from gaussequiv.numerics.keys import LABELS, ROWS, TEACHER, TEST, TRAIN
from gaussequiv.numerics.status import Status
from gaussequiv.problems.base import Key
from gaussequiv.problems.extensive_width.matrix_prior import MatrixPrior

if TYPE_CHECKING:
    from gaussequiv.problems.extensive_width.description import ExtensiveWidth

KERNEL_TOLERANCE, KERNEL_STEPS = 1e-5, 2000
COPIES = 3.0  # of the rows that are held at once


class Network(NamedTuple):
    """Weights (k, d) and readouts (k,)."""

    W: FloatArray
    v: FloatArray


class Measured(NamedTuple):
    """Mean squared errors on fresh rows, against noisy and clean labels; overlap of the estimate of S0 with it; error of the quadratic
    kernel; how the iteration went."""

    test_error: float
    clean_error: float
    matrix_overlap: float
    kernel_error: float
    status: Status
    steps: int
    residual: float


def draw_network(problem: ExtensiveWidth, d: int, key: Key) -> Network:
    """The target of a trial: k = gamma d units, rounded."""
    rng = np.random.default_rng((*key, TEACHER))
    k = max(1, round(problem.width_ratio * d))
    W = np.asarray(problem.weights.sample(rng, (k, d)), dtype=np.float64)
    return Network(W, rng.choice(problem.values, size=k, p=problem.masses))


def known_law(network: Network) -> MatrixPrior:
    """The law of S with this network's own readouts, which the learner knows."""
    k, d = network.W.shape
    values, counts = np.unique(network.v, return_counts=True)
    return MatrixPrior(k / d, tuple(values.tolist()), tuple((counts / k).tolist()))


def draw_labels(problem: ExtensiveWidth, network: Network, x: FloatArray, key: Key, stream: int) -> tuple[FloatArray, FloatArray]:
    """Noisy labels of rows x, and what of them is not noise: the mean over the noise inside the units, too."""
    rng = np.random.default_rng((*key, LABELS, stream))
    k, d = network.W.shape
    noisy, clean = np.empty(len(x)), np.empty(len(x))
    for start in range(0, len(x), BLOCK):
        rows = slice(start, start + BLOCK)
        z = x[rows] @ network.W.T / np.sqrt(d)
        inner = np.sqrt(problem.unit_noise) * rng.standard_normal(z.shape) if problem.unit_noise > 0 else 0.0
        noisy[rows] = problem.activation(z + inner) @ network.v / np.sqrt(k)
        clean[rows] = problem.smoothed(z) @ network.v / np.sqrt(k)
    return noisy + np.sqrt(problem.noise) * rng.standard_normal(len(x)), clean


def kernel_estimate(x: FloatArray, y: FloatArray, noise: float, law: MatrixPrior) -> FloatArray:
    """Posterior mean of S as if S - mean were a GOE matrix of its variance: the best quadratic kernel, by conjugate gradients.

    min sum_i (y_i - Tr Phi_i S)^2 + noise d/(2 variance) |S - mean|_F^2, as |S - mean|_F^2/d has the mean `variance`.
    """
    d = x.shape[1]
    penalty = noise * d / (2 * law.variance)

    def normal(flat: FloatArray) -> FloatArray:
        S = flat.reshape(d, d)
        total: FloatArray = adjoint(x, fields(x, S)) + penalty * S
        return total.ravel()

    operator = LinearOperator((d * d, d * d), matvec=normal, dtype=np.float64)
    right = adjoint(x, y - fields(x, law.mean * np.eye(d)))
    solution, info = cg(operator, right.ravel(), rtol=KERNEL_TOLERANCE, maxiter=KERNEL_STEPS)
    if info != 0:
        return np.full((d, d), np.nan)
    return law.mean * np.eye(d) + np.asarray(solution).reshape(d, d)


def message_passing(problem: ExtensiveWidth, d: int, n: int, key: Key, test: int, max_steps: int) -> Measured:
    """Mean, linear part by ridge regression, and the rest by `MatrixAMP`, with all degrees above two as Gaussian noise."""
    require_memory(COPIES * FLOAT * float(n + test) * d, "d", d, f"{n} rows")
    network = draw_network(problem, d, key)
    x = np.random.default_rng((*key, ROWS, TRAIN)).standard_normal((n, d))
    y, _ = draw_labels(problem, network, x, key, TRAIN)
    parts = problem.parts
    _, mu_1, mu_2 = parts.mu
    offset, linear = float(y.mean()), np.zeros(d)
    if mu_1**2 > 0:
        penalty = (problem.label_noise + parts.second - parts.mu[0] ** 2 - mu_1**2) / mu_1**2
        gram = x.T @ x / d + penalty * np.eye(d)
        linear = np.linalg.solve(gram, x.T @ (y - offset) / np.sqrt(d))
    rest = y - offset - x @ linear / np.sqrt(d)
    fresh = np.random.default_rng((*key, ROWS, TEST)).standard_normal((test, d))
    noisy, clean = draw_labels(problem, network, fresh, key, TEST)
    predicted = offset + fresh @ linear / np.sqrt(d)
    overlap, status, steps, change = 0.0, Status.converged, 0, 0.0
    by_kernel = predicted
    if parts.mu_2_square > 0:
        scale = mu_2 * np.sqrt(len(network.v) / d) / 2
        law = known_law(network)
        machine = MatrixAMP(x, rest / scale, (problem.label_noise + parts.floor) / scale**2, law)
        state, status = machine.run(machine.init(), max_steps=max_steps)
        by_kernel = predicted + scale * fields(fresh, kernel_estimate(x, rest / scale, machine.noise, law))
        predicted = predicted + scale * fields(fresh, state.estimate)
        S = (network.W.T * network.v) @ network.W / len(network.v)
        free = np.eye(d) * law.mean
        overlap = float(np.sum((S - free) * (state.estimate - free)) / np.sum((S - free) ** 2))
        steps, change = state.step, state.change
    errors = [float(np.mean((guess - truth) ** 2)) for guess, truth in ((predicted, noisy), (predicted, clean), (by_kernel, noisy))]
    return Measured(errors[0], errors[1], overlap, errors[2], status, steps, float(change))
