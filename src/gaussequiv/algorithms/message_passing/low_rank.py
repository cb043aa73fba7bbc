"""`LowRankAMP`: approximate message passing for a rank-one matrix in noise."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.numerics.status import Status

TOLERANCE = 1e-9


class LowRankState(NamedTuple):
    """Posterior means, those of the step before, the mean variance, the step and the last relative change."""

    mean: FloatArray
    before: FloatArray
    variance: float
    step: int
    change: float


class LowRankAMP:
    r"""x^ <- eta(A, B),   B = S x^/sqrt(N) - (mean var/Delta) x^_old,   A = |x^|^2/(N Delta),   S = Y/Delta.

    Parameters
    ----------
    score : array of shape (N, N), symmetric
        S_ij = d log P(Y_ij | w)/dw at w = 0, which is Y_ij/Delta for Gaussian noise.
    delta : float
        1/E S^2.
    prior : Prior

    Validity: Rangan, Fletcher 2012; Lesieur, Krzakala, Zdeborova 2017, eq. 51-56; followed by m <- overlap(m/Delta) in the limit when the
    start does not depend on the noise.

    Examples
    --------
    >>> from gaussequiv.ingredients.priors.named import Rademacher
    >>> x = np.random.default_rng(0).choice([-1.0, 1.0], 200)
    >>> machine = LowRankAMP(np.outer(x, x) / np.sqrt(200) / 0.1, 0.1, Rademacher())
    >>> state, status = machine.run(machine.init(0.1 * x))
    >>> status.name, bool(np.all(np.sign(state.mean) == x))
    ('converged', True)
    """

    def __init__(self, score: FloatArray, delta: float, prior: Any) -> None:
        self.score, self.delta, self.prior = score, delta, prior

    def init(self, mean: FloatArray) -> LowRankState:
        """A start: its Onsager term is zero, as nothing came before."""
        return LowRankState(np.asarray(mean, dtype=np.float64), np.zeros_like(mean), 0.0, 0, np.inf)

    def step(self, state: LowRankState) -> LowRankState:
        """One pass over the matrix."""
        n = state.mean.size
        field = self.score @ state.mean / np.sqrt(n) - state.variance / self.delta * state.before
        precision = float(state.mean @ state.mean) / (n * self.delta)
        found = self.prior.posterior(precision, field)
        mean = np.asarray(found.mean, dtype=np.float64)
        scale = max(float(np.linalg.norm(mean)), 1e-12 * np.sqrt(n))
        change = float(np.linalg.norm(mean - state.mean)) / scale
        return LowRankState(mean, state.mean, float(np.mean(found.variance)), state.step + 1, change)

    def run(self, state: LowRankState, *, max_steps: int = 2000) -> tuple[LowRankState, Status]:
        """Until the means no longer change; below weak recovery they decay to zero, which is a fixed point, too."""
        while state.step < max_steps:
            state = self.step(state)
            if not np.isfinite(state.change):
                return state, Status.nonfinite
            if state.change <= TOLERANCE or float(np.max(np.abs(state.mean))) <= TOLERANCE:
                return state, Status.converged
        return state, Status.max_steps
