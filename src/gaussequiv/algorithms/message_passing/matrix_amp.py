"""`MatrixAMP`: a symmetric matrix from quadratic measurements, by message passing with a rotationally invariant denoiser (GAMP-RIE)."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.numerics.status import Status

TOLERANCE = 1e-5
KNOWN = 1e-8  # of the prior's variance: an expected error below is none
PATIENCE = 100  # steps: changes that have not halved after as many are those of a cycle, which is damped twice as much
BLOCK = 4096  # rows whose products with the estimate are held at once


class RotationInvariant(Protocol):
    """The law of a matrix S whose eigenvectors are uniform."""

    @property
    def mean(self) -> float:
        """S is this multiple of the identity on average."""
        ...

    @property
    def variance(self) -> float:
        """|S - mean|_F^2/d."""
        ...

    def shrink(self, eigenvalues: FloatArray, noise: float) -> FloatArray:
        """Eigenvalues of E[S | R] from those of R = S + sqrt(noise) GOE."""
        ...

    def mean_error(self, noise: float) -> float:
        """E|S - E[S | R]|_F^2/d."""
        ...


class MatrixState(NamedTuple):
    """Estimate, its expected error per dimension, variance and means of the labels' fields, residuals, step, last relative change, and the
    share of new V and omega."""

    estimate: FloatArray
    error: float
    V: float
    omega: FloatArray
    residual: FloatArray
    step: int
    change: float
    damping: float


class MatrixAMP:
    r"""y_i = Tr Phi_i S + noise, Phi_i = (x_i x_i' - 1)/sqrt(d), n = alpha d^2.

        V = 2 C,   omega_i = Tr Phi_i S^ - V g_i(old),   g_i = (y_i - omega_i)/(Delta + V),
        A = 2 alpha/(Delta + V),   R = S^ + sum_i g_i Phi_i/(A d),   S^ = shrink(R; 1/(2 A)),   C = F(1/(2 A))

    V and omega are damped, the estimate is not: damping it beside a full Onsager term diverges. On the Bayes-optimal line A is also
    2 alpha mean g^2, but that falls for interpolating estimates of noiseless labels at small d. No Phi is ever stored.

    Parameters
    ----------
    x : array of shape (n, d)
    y : array of shape (n,)
    noise : float
        Delta.
    prior : RotationInvariant
    damping : float in (0, 1]
        Share of the new V and omega; `run` halves it where the iteration cycles.

    Validity: Maillard, Troiani, Martin, Krzakala, Zdeborova 2024 (arXiv:2408.03733), algorithm 1; one step costs two products of x with a
    d x d matrix and one eigendecomposition.

    Examples
    --------
    >>> from gaussequiv.problems.extensive_width.matrix_prior import MatrixPrior
    >>> rng = np.random.default_rng(0)
    >>> w, x = rng.standard_normal((20, 40)), rng.standard_normal((800, 40))
    >>> S = w.T @ w / 20
    >>> machine = MatrixAMP(x, fields(x, S), 1e-6, MatrixPrior(0.5, (1.0,), (1.0,)))
    >>> state, status = machine.run(machine.init())
    >>> status.name, bool(np.sum((state.estimate - S) ** 2) < 0.1 * np.sum((S - np.eye(40)) ** 2))
    ('converged', True)
    """

    def __init__(self, x: FloatArray, y: FloatArray, noise: float, prior: RotationInvariant, damping: float = 0.5) -> None:
        self.x, self.y, self.noise, self.prior, self.damping = x, y, noise, prior, damping
        self.d = x.shape[1]

    def init(self) -> MatrixState:
        """The prior's mean."""
        n = self.y.size
        estimate = self.prior.mean * np.eye(self.d)
        return MatrixState(
            estimate, self.prior.variance, 2 * self.prior.variance, fields(self.x, estimate), np.zeros(n), 0, np.inf, self.damping
        )

    def step(self, state: MatrixState) -> MatrixState:
        """One pass over the rows."""
        keep = 1.0 if state.step == 0 else state.damping
        V = keep * 2 * state.error + (1 - keep) * state.V
        omega = keep * (fields(self.x, state.estimate) - V * state.residual) + (1 - keep) * state.omega
        residual = (self.y - omega) / (self.noise + V)
        A = 2 * self.y.size / self.d**2 / (self.noise + V)
        R = state.estimate + adjoint(self.x, residual) / (A * self.d)
        values, vectors = np.linalg.eigh(R)
        estimate = (vectors * self.prior.shrink(values, 1 / (2 * A))) @ vectors.T
        spread = float(np.linalg.norm(estimate - self.prior.mean * np.eye(self.d))) + 1e-12 * np.sqrt(self.d)
        change = float(np.linalg.norm(estimate - state.estimate)) / spread
        return MatrixState(estimate, self.prior.mean_error(1 / (2 * A)), V, omega, residual, state.step + 1, change, state.damping)

    def run(self, state: MatrixState, *, max_steps: int = 500) -> tuple[MatrixState, Status]:
        """Until the estimate no longer moves, or is expected to be exact."""
        before = np.inf
        while state.step < max_steps:
            if state.step % PATIENCE == 0 and state.step > 0:
                if state.change > before / 2:
                    state = state._replace(damping=state.damping / 2)
                before = state.change
            state = self.step(state)
            if not np.isfinite(state.change):
                return state, Status.nonfinite
            if state.change <= TOLERANCE or state.error <= KNOWN * self.prior.variance:
                return state, Status.converged
        return state, Status.max_steps


def fields(x: FloatArray, S: FloatArray) -> FloatArray:
    """Tr Phi_i S = (x_i' S x_i - Tr S)/sqrt(d) for every row."""
    quadratic = np.empty(len(x))
    for start in range(0, len(x), BLOCK):
        rows = x[start : start + BLOCK]
        quadratic[start : start + BLOCK] = np.einsum("ij,ij->i", rows @ S, rows)
    return (quadratic - np.trace(S)) / np.sqrt(x.shape[1])


def adjoint(x: FloatArray, g: FloatArray) -> FloatArray:
    """sum_i g_i Phi_i."""
    total = np.zeros((x.shape[1], x.shape[1]))
    for start in range(0, len(x), BLOCK):
        rows = x[start : start + BLOCK]
        total += rows.T @ (g[start : start + BLOCK, None] * rows)
    total -= float(g.sum()) * np.eye(x.shape[1])
    return total / np.sqrt(x.shape[1])
