r"""State evolution at n = alpha d^2: the universal branch, where no neuron is found, and the specialised one.

With H = alpha/(noise + eps), eps the error against clean labels, and v^2 = 1 for every readout (Barbier, Camilli, Nguyen, Pastore, Skerk
2025, arXiv:2505.24849, Result 1, in the form of eq. 13-20 and B39-B43 of their public code):

    r_2 = mu_2^2 H,   m_S(tau) = Q^2,   q_2 = m_S(tau + r_2),   Q = overlap(r),
    r = Q (q_2 - Q^2)/(gamma m_S'(tau)) + (H/gamma) g'(Q),   eps = mu_2^2/2 (1 - q_2) + g(1) - g(Q),   alpha = H (noise + eps)

r is explicit nowhere, but alpha is, given r: Q follows from r, then H from one monotone equation, then alpha. So the curve alpha(r) carries
every branch at once; Q = 0 is the universal branch, where alpha is explicit in H.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from gaussequiv.equivalence.prior_side import GaussianModes, Independent
from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.priors.named import Gaussian
from gaussequiv.problems.extensive_width.kernel_parts import KernelParts
from gaussequiv.problems.extensive_width.matrix_prior import LOG_SNR, MatrixPrior

LOG_R = np.linspace(np.log(1e-4), np.log(1e7), 761)
NEWTON_STEPS = 60
TOLERANCE = 1e-12
FARTHEST = 30.0  # times the spinodal: as far as an exchange of branches is looked for


class Branch(NamedTuple):
    """Solutions at every alpha: error against clean labels, overlaps of the matrix and of neurons, free entropy, H and steps."""

    error: FloatArray
    matrix_overlap: FloatArray
    neuron_overlap: FloatArray
    free_entropy: FloatArray
    H: FloatArray
    steps: FloatArray


class WideTransitions(NamedTuple):
    """alpha2 from which labels without noise give everything away; at which neurons begin to be found, continuously; at which a solution
    with found neurons appears beside the others, and at which it becomes the equilibrium; nan where there is none."""

    perfect_recovery: float
    onset: float
    spinodal: float
    equilibrium: float


class WideEvolution:
    """Both branches of one network.

    Parameters
    ----------
    prior : MatrixPrior
    parts : KernelParts
    weights : Prior
        Of the entries of W, of variance 1.
    noise : float
        Variance of the labels' noise, that of the units included.
    """

    def __init__(self, prior: MatrixPrior, parts: KernelParts, weights: Any, noise: float) -> None:
        self.prior, self.parts, self.noise = prior, parts, noise
        self.s = parts.mu_2_square
        self._side: Any = GaussianModes(np.ones(1), np.ones(1)) if isinstance(weights, Gaussian) else Independent(weights, 1.0)

    def universal(self, alpha: FloatArray) -> Branch:
        """Q = 0: alpha = H (noise + g(1) + mu_2^2/2 mmse(mu_2^2 H)), solved for log H; without any noise alpha ends where all is known."""
        floor = self.noise + self.parts.floor
        if self.s == 0:
            H = alpha / floor
            zero = np.zeros(alpha.shape)
            return Branch(zero + self.parts.floor, zero, zero, self._free_entropy(alpha, H, zero + self.parts.floor, None), H, zero + 1)
        top = LOG_SNR[-1] - np.log(self.s)
        known = alpha >= self._alpha_universal(np.array([top]))[0][0] if floor == 0 else np.zeros(alpha.shape, dtype=bool)
        y = np.clip(np.log(alpha / (floor + self.s / 2)), -np.inf, top)
        low, high = y.copy(), np.where(known, top, np.log(alpha / floor) if floor > 0 else top)
        steps = np.zeros(alpha.shape)
        for step in range(NEWTON_STEPS):
            value, elasticity = self._alpha_universal(y)
            gap = np.log(value / alpha)
            low, high = np.where(gap < 0, y, low), np.where(gap >= 0, y, high)
            active = (np.abs(gap) > TOLERANCE) & ~known & (high - low > 1e-14)
            if not active.any():
                break
            steps[active] = step + 1
            proposal = y - gap / np.maximum(elasticity, 1e-12)
            inside = (proposal > low) & (proposal < high)
            y = np.where(active, np.where(inside, proposal, (low + high) / 2), y)
        H = np.exp(y)
        left = self.prior.mmse(self.s * H)[0]
        left[known] = 0.0
        error = self.s / 2 * left + self.parts.floor
        entropy = self._free_entropy(alpha, H, error, None)
        entropy[known], H[known] = np.inf, np.inf
        return Branch(error, 1 - left, np.zeros(alpha.shape), entropy, H, steps)

    def _alpha_universal(self, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """alpha at log H, and d log alpha/d log H."""
        H = np.exp(y)
        left, slope = self.prior.mmse(self.s * H)
        total = self.noise + self.parts.floor + self.s / 2 * left
        return H * total, 1 + self.s**2 / 2 * slope * H / total

    def _free_entropy(self, alpha: FloatArray, H: FloatArray, error: FloatArray, found: _Neurons | None) -> FloatArray:
        """(1/n) E log Z, with the label's own log(2 pi e noise)/2 (eq. B40)."""
        table = self.prior.table
        tau = np.zeros(alpha.shape) if found is None else found.tau
        r_2 = self.s * H
        with np.errstate(divide="ignore", invalid="ignore"):
            value = -0.5 * np.log(2 * np.pi * np.e * (self.noise + error))
            value = value + r_2 * table.mmse(tau + r_2)[0] / (4 * alpha) + (table.information(tau) - table.information(tau + r_2)) / alpha
        if found is not None:
            value = value + self.prior.width_ratio / alpha * (found.psi - found.Q * found.r / 2)
        return np.asarray(value)

    def _neurons(self, y: FloatArray) -> _Neurons:
        """Everything at log r = y."""
        r = np.exp(y)
        known = [self._side.at(float(one)) for one in r]
        Q, left, psi = (np.array(column) for column in zip(*known, strict=True))
        gamma, table = self.prior.width_ratio, self.prior.table
        rest = self.parts.rest(Q)
        wanted, B = r / Q, np.maximum(rest.slope, 0.0) / (gamma * Q)
        if self.s == 0:
            H, tau = wanted / B, np.zeros(r.shape)
            return _Neurons(y, r, Q, psi, tau, H, rest.left, Q * Q)
        missing = np.maximum(left * (1 + Q), table.least)  # 1 - Q^2; weights of few values are soon known beyond the table's last digit
        tau = table.snr_of(missing)
        A = -1 / (gamma * table.mmse(tau)[1])
        low, high = np.log(wanted / (self.s / gamma + B)), np.log(wanted / B)
        log_H = low.copy()
        for _ in range(NEWTON_STEPS):
            H = np.exp(log_H)
            value, slope = table.mmse(tau + self.s * H)
            gap = A * (missing - value) + B * H - wanted
            low, high = np.where(gap < 0, log_H, low), np.where(gap >= 0, log_H, high)
            proposal = log_H - gap / (H * (B - A * self.s * slope))
            inside = (proposal > low) & (proposal < high)
            step = np.where(inside, proposal, (low + high) / 2) - log_H
            log_H = log_H + step
            if np.all(np.abs(step) < TOLERANCE):
                break
        H = np.exp(log_H)
        value = table.mmse(tau + self.s * H)[0]
        return _Neurons(y, r, Q, psi, tau, H, self.s / 2 * value + rest.left, 1 - value)

    def _log_alpha(self, found: _Neurons) -> FloatArray:
        return np.log(found.H * (self.noise + found.error))

    @cached_property
    def _path(self) -> tuple[_Neurons, FloatArray]:
        """The grid in log r, and log alpha along it."""
        found = self._neurons(LOG_R)
        return found, self._log_alpha(found)

    def specialised(self, alpha: FloatArray) -> list[Branch]:
        """Every solution with Q > 0 at which alpha rises with r, from the least to the most informed; nan where there is none.

        A pure quadratic (g = 0) has none: its labels do not tell W from its rotations.
        """
        if self.parts.floor == 0:
            return []
        _, path = self._path
        rising = np.diff(path) > 0
        starts = np.flatnonzero(rising & ~np.concatenate([[False], rising[:-1]]))
        ends = np.flatnonzero(rising & ~np.concatenate([rising[1:], [False]])) + 1
        return [self._along(alpha, int(start), int(end)) for start, end in zip(starts, ends, strict=True)]

    def transitions(self) -> WideTransitions:
        """Where branches begin and exchange."""
        floor = self.noise + self.parts.floor
        gamma = self.prior.width_ratio
        perfect = min(gamma, 1.0) - min(gamma, 1.0) ** 2 / 2 if floor == 0 and self.s > 0 else np.nan
        onset = np.nan
        largest = float(np.max(np.square(self.prior.law.values)))
        if self.s > 0 and self.parts.floor > 0 and gamma < largest:
            H = self.prior.table.snr_of(np.array([1 - gamma / largest]))[0] / self.s
            onset = float(self._alpha_universal(np.log(np.array([H])))[0][0])
        if self.parts.floor == 0 or np.ptp(np.abs(self.prior.law.values)) > 0:
            return WideTransitions(perfect, onset, np.nan, np.nan)
        _, path = self._path
        lows = [i for i in range(1, LOG_R.size - 1) if path[i] < path[i - 1] and path[i] <= path[i + 1]]
        if not lows:
            return WideTransitions(perfect, onset, np.nan, np.nan)
        low = lows[-1]

        def height(y: float) -> float:
            return float(self._log_alpha(self._neurons(np.array([y])))[0])

        bottom = minimize_scalar(height, bounds=(LOG_R[low - 1], LOG_R[low + 1]), method="bounded", options={"xatol": 1e-9})
        spinodal = float(np.exp(bottom.fun))

        def gain(y: float) -> float:
            """Free entropy of the solution at log r = y, less that of the best other one at the same alpha."""
            found = self._neurons(np.array([y]))
            alpha = np.exp(self._log_alpha(found))
            own = self._free_entropy(alpha, found.H, found.error, found)[0]
            rivals = [self.universal(alpha), *self.specialised(alpha)[:-1]]
            return float(own - np.nanmax([rival.free_entropy[0] for rival in rivals]))

        ends = LOG_R[low:][path[low:] < bottom.fun + np.log(FARTHEST)]
        equal = np.nan
        if gain(float(bottom.x)) < 0 < gain(float(ends[-1])):
            equal = float(np.exp(height(brentq(gain, float(bottom.x), float(ends[-1]), xtol=1e-10))))
        return WideTransitions(perfect, onset, spinodal, equal)

    def _along(self, alpha: FloatArray, start: int, end: int) -> Branch:
        """One rising stretch of the path between two nodes, each alpha's log r by regula falsi (Illinois)."""
        _, path = self._path
        wanted = np.log(alpha)
        there = (wanted >= path[start]) & (wanted <= path[end])
        out = Branch(*(np.full(alpha.shape, np.nan) for _ in Branch._fields))
        if not there.any():
            return out
        target = wanted[there]
        i = np.clip(np.searchsorted(path[start : end + 1], target) + start, start + 1, end)
        low, high, f_low, f_high = LOG_R[i - 1], LOG_R[i], path[i - 1] - target, path[i] - target
        steps = np.zeros(target.shape)
        for _ in range(NEWTON_STEPS):
            steps += 1
            y = np.clip(low - f_low * (high - low) / np.where(f_high > f_low, f_high - f_low, 1.0), low, high)
            found = self._neurons(y)
            f = self._log_alpha(found) - target
            if np.all(np.abs(f) < 1e-10) or np.all(high - low < 1e-12):
                break
            right = f >= 0
            low, high = np.where(right, low, y), np.where(right, y, high)
            f_low, f_high = np.where(right, f_low / 2, f), np.where(right, f, f_high / 2)
        own = alpha[there]
        values = (found.error, found.matrix_overlap, found.Q, self._free_entropy(own, found.H, found.error, found), found.H)
        for target_array, value in zip(out, (*values, steps), strict=True):
            target_array[there] = value
        return out


class _Neurons(NamedTuple):
    """What follows from log r: r, overlap and psi of a weight, tau, H, error and overlap of the matrix."""

    y: FloatArray
    r: FloatArray
    Q: FloatArray
    psi: FloatArray
    tau: FloatArray
    H: FloatArray
    error: FloatArray
    matrix_overlap: FloatArray
