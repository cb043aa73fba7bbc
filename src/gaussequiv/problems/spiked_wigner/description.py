r"""`SpikedWigner`: a rank-one matrix seen in Gaussian noise, unsupervised, along the signal-to-noise ratio.

Y = x x'/sqrt(N) + sqrt(Delta) W,   x_i ~ P0 independent,   W symmetric with unit Gaussian entries (2 on the diagonal)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq, minimize_scalar
from scipy.sparse.linalg import eigsh

from gaussequiv.algorithms.message_passing.low_rank import LowRankAMP
from gaussequiv.curve import Curve
from gaussequiv.equivalence.prior_side import Independent
from gaussequiv.errors import ArgumentError, FloatArray, choice, fail, grid, integer
from gaussequiv.ingredients.priors import named as priors
from gaussequiv.problems.base import Axis, Key, Solvable
from gaussequiv.problems.spiked_wigner.matrix import AXIS, SNR_MEANING, WORDS, draw, machine_at, measured_on

BRANCHES = ("uninformed", "informed", "equilibrium")
GRID = np.linspace(np.log(1e-8), np.log(1e8), 641)  # of log A, A = overlap/Delta the precision with which a component is seen
TINY = 1e-14


class Transitions(NamedTuple):
    """snr at which overlap 0 becomes unstable, and of a first-order transition (nan where there is none) the three places."""

    weak_recovery: float
    informed_spinodal: float
    information_theoretic: float
    algorithmic: float


@dataclass(frozen=True, eq=False)
class SpikedWigner(Solvable):
    r"""Estimate x from Y = x x'/sqrt(N) + sqrt(Delta) W; rho = E x^2, snr = rho^2/Delta.

        m = overlap(A),   A = m/Delta,   overlap(A) = E eta(A, B)^2,   eta = E[x | B = A x + sqrt(A) z],
        phi(m) = psi(A) - m^2/(4 Delta),   I(x; Y)/N = rho^2/(4 Delta) - phi,   matrix mse = rho^2 - m^2

    Parameters
    ----------
    prior : str or Prior
        "gaussian", "rademacher", "gauss-bernoulli:0.1", "sparse-rademacher:0.05", a `Discrete`, a `LogDensity`, ...
    branch : "uninformed", "informed" or "equilibrium"
        The fixed point that theory reports and from which side the trials start: what message passing reaches (from the leading
        eigenvector, or the prior's mean); what it keeps when it starts at the signal; the one of largest free entropy (no trials).

    Observables: overlap (m), q (equal to m in theory: Nishimori), matrix_mse, free_entropy, mutual_information. Trials run `LowRankAMP`
    to its fixed point; where the prior is even the overlap's sign is not identifiable, and its absolute value counts.

    Validity: theorem (Lelarge, Miolane 2019, Theorem 1); message passing: Lesieur, Krzakala, Zdeborova 2017, section 2.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> curve = ge.solve(SpikedWigner("gaussian"), snr=[0.5, 2.0, 4.0])
    >>> curve.overlap.values.round(6).tolist()
    [0.0, 0.5, 0.75]
    """

    prior: Any = "rademacher"
    branch: str = "uninformed"
    _side: Independent = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "prior", priors.get(self.prior))
        choice("branch", self.branch, BRANCHES)
        object.__setattr__(self, "_side", Independent(self.prior, 1.0))

    @property
    def axis(self) -> Axis:
        """snr = (E x^2)^2/Delta, at a matrix of dimension d."""
        return AXIS

    @property
    def rho(self) -> float:
        """E x^2."""
        return float(self.prior.second_moment)

    @cached_property
    def mean(self) -> float:
        """E x, the estimate before any data."""
        return float(self.prior.posterior(0.0, 0.0).mean)

    @cached_property
    def even(self) -> bool:
        """Whether x and -x cannot be told apart."""
        b = np.array([0.3, 1.0, 3.0])
        return bool(np.allclose(self.prior.posterior(1.0, b).mean, -self.prior.posterior(1.0, -b).mean, rtol=1e-9, atol=1e-12))

    @cached_property
    def _overlaps(self) -> FloatArray:
        """overlap(A) on the grid."""
        return np.array([self._side.at(float(a)).q for a in np.exp(GRID)])

    def _excess(self, log_a: float, snr: float) -> float:
        """log(snr overlap(A)/rho^2) - log A: a fixed point is a root, a stable one where it falls."""
        return float(np.log(max(snr * self._side.at(float(np.exp(log_a))).q / self.rho**2, 1e-300)) - log_a)

    def fixed_points(self, snr: float) -> list[tuple[float, bool]]:
        """(A, stable) of every fixed point, in increasing order of A; one below the grid counts as A = 0, as it is for centred priors."""
        excess = np.log(np.maximum(snr * self._overlaps / self.rho**2, 1e-300)) - GRID
        centred = abs(self.mean) < TINY * np.sqrt(self.rho)
        found = [(0.0, bool(excess[0] <= 0))] if centred or excess[0] <= 0 else []
        above = excess > 0
        for i in np.flatnonzero(above[:-1] != above[1:]):
            root = brentq(self._excess, GRID[i], GRID[i + 1], args=(snr,), xtol=1e-13, rtol=1e-14)
            found.append((float(np.exp(root)), bool(above[i])))
        if excess[-1] > 0:  # beyond the grid hardly anything is left to learn
            found.append((float(snr * self._overlaps[-1] / self.rho**2), True))
        return found

    def _free_entropy(self, a: float, snr: float) -> float:
        at = self._side.at(a)
        return at.psi - at.q**2 * snr / (4 * self.rho**2)

    def _chosen(self, snr: float) -> float:
        stable = [a for a, good in self.fixed_points(snr) if good]
        if self.branch == "uninformed":
            return stable[0]
        if self.branch == "informed":
            return stable[-1]
        return max(stable, key=lambda a: self._free_entropy(a, snr))

    def theory(self, points: ArrayLike | None, size: int | None = None) -> Curve:
        """The branch's fixed point at every snr; a size changes nothing."""
        snr = grid("snr", [] if points is None else points, meaning=SNR_MEANING)
        a = np.array([self._chosen(float(value)) for value in snr])
        known = [self._side.at(float(value)) for value in a]
        m, left = np.array([one.q for one in known]), np.array([one.left for one in known])  # left: rho - m, without the difference
        phi = np.array([self._free_entropy(float(one), float(value)) for one, value in zip(a, snr, strict=True)])
        values = {"overlap": m, "q": m.copy(), "matrix_mse": left * (self.rho + m), "free_entropy": phi}
        values["mutual_information"] = snr / 4 - phi
        return Curve(values, labels=WORDS, attributes={"prior": self.prior.name}, judged="overlap")

    def trial(self, points: ArrayLike, size: int | None, key: Key, *, max_steps: int = 2000) -> Curve:
        """Message passing to its fixed point on one matrix; signal and noise are the same at every snr."""
        if self.branch == "equilibrium":
            raise fail("branch", "'uninformed' or 'informed' for trials: no algorithm is known to find the equilibrium", self.branch)
        snr = grid("snr", points, meaning=SNR_MEANING)
        x, noise = draw(self, size, key)
        out = {name: np.full(snr.shape, np.nan) for name in ("overlap", "q", "matrix_mse", "status", "steps", "residual")}
        for i, value in enumerate(snr):
            machine = machine_at(self, x, noise, float(value))
            start = machine.init(x) if self.branch == "informed" else machine.init(self._blind(machine, float(value)))
            state, status = machine.run(start, max_steps=integer("max_steps", max_steps, minimum=1))
            for name, measured in measured_on(self, state.mean, x).items():
                out[name][i] = measured
            out["status"][i], out["steps"][i], out["residual"][i] = status, state.step, state.change
        return Curve(out, labels=WORDS, attributes={"d": x.size, "prior": self.prior.name}, judged="overlap")

    def _blind(self, machine: LowRankAMP, snr: float) -> FloatArray:
        """The prior's mean, or for centred priors the posterior mean given the leading eigenvector as a noisy sight of x."""
        n = machine.score.shape[0]
        if abs(self.mean) > TINY * np.sqrt(self.rho):
            return np.full(n, self.mean)
        first: FloatArray = np.ones(n)  # where the eigensolver starts
        vector = eigsh(machine.score, k=1, which="LA", v0=first)[1][:, 0]
        seen = max(1 - 1 / snr, 1 / np.sqrt(n))  # squared cosine of eigenvector and signal
        a = seen / (self.rho * (1 - seen))
        b = np.sqrt(n) * vector * np.sqrt(seen / self.rho) / (1 - seen)
        return np.asarray(self.prior.posterior(a, b).mean)

    def transitions(self) -> Transitions:
        r"""Where branches appear, exchange and end: extrema of snr(A) = rho^2 A/overlap(A), and equal free entropies."""
        weak = 1.0 if abs(self.mean) < TINY * np.sqrt(self.rho) else 0.0
        curve = GRID - np.log(self._overlaps / self.rho**2)
        inner = np.arange(1, GRID.size - 1)
        lows = [i for i in inner if curve[i] < curve[i - 1] - 1e-9 and curve[i] <= curve[i + 1]]
        if not lows:
            return Transitions(weak, np.nan, np.nan, np.nan)

        def log_snr(y: float) -> float:
            return y - float(np.log(self._side.at(float(np.exp(y))).q / self.rho**2))

        low = max(lows)
        bottom = minimize_scalar(log_snr, bounds=(GRID[low - 1], GRID[low + 1]), method="bounded", options={"xatol": 1e-10})
        highs = [i for i in inner if i < low and curve[i] > curve[i - 1] and curve[i] >= curve[i + 1]]
        spinodal = float(np.exp(bottom.fun))
        if highs:
            top = minimize_scalar(lambda y: -log_snr(y), bounds=(GRID[highs[-1] - 1], GRID[highs[-1] + 1]), method="bounded")
            end = float(np.exp(-top.fun))
        else:
            end = weak if weak else float(np.exp(curve[0]))
        low_branch = SpikedWigner(self.prior, "uninformed")

        def difference(y: float) -> float:
            """Free entropy of the upper branch at A = exp(y) less that of the lower one at the same snr."""
            snr = float(np.exp(log_snr(y)))
            return self._free_entropy(float(np.exp(y)), snr) - self._free_entropy(low_branch._chosen(snr), snr)

        last = brentq(lambda y: log_snr(y) - np.log(end * (1 - 1e-6)), float(bottom.x), GRID[-1], xtol=1e-12)
        equal = np.nan
        if difference(float(bottom.x)) < 0 < difference(last):
            equal = float(np.exp(log_snr(brentq(difference, float(bottom.x), last, xtol=1e-12))))
        return Transitions(weak, spinodal, equal, end)

    def algorithm(self, point: float, size: int | None = None, *, start: str | float = "uninformed") -> Solvable:
        """Low-rank message passing at one snr, step by step: see `LowRankSteps`."""
        from gaussequiv.problems.spiked_wigner.steps import LowRankSteps

        return LowRankSteps(self, point, size, start)

    def to_dict(self) -> dict[str, Any]:
        """kind, prior and branch."""
        return {"kind": "spiked_wigner", "prior": self.prior.name, "branch": self.branch}

    def citations(self) -> tuple[str, ...]:
        """The formula's proofs and the algorithm."""
        return ("lelarge2019", "lesieur2017")


def from_dict(description: Mapping[str, Any], parts: Mapping[str, Any] | None = None) -> SpikedWigner:
    """The problem again; a user's prior comes from `parts` by its name."""
    unknown = sorted(set(description) - {"kind", "prior", "branch"})
    if unknown:
        raise ArgumentError(f"Argument `problem` must have the fields kind, prior, branch for a spiked matrix, but has {unknown[0]!r}.")
    prior = description.get("prior", "rademacher")
    return SpikedWigner((parts or {}).get(prior, prior) if isinstance(prior, str) else prior, description.get("branch", "uninformed"))
