"""`RidgeEnsemble`: the mean of ridge learners that see the same rows with random weights of their own: bagging, subsampling."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from gaussequiv._text import exact
from gaussequiv.curve import Curve, Observable
from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import ArgumentError, FloatArray, fail, integer, number
from gaussequiv.ingredients.channels.gaussian import GaussianNoise
from gaussequiv.learners.base import Learner, Tunable
from gaussequiv.learners.convex.observables import CONVEX
from gaussequiv.numerics.fixed_point import solve_monotone
from gaussequiv.numerics.keys import Key
from gaussequiv.numerics.ranges import Range
from gaussequiv.numerics.status import Status
from gaussequiv.samples.training_sample import LinearPredictor

if TYPE_CHECKING:
    from gaussequiv.samples.training_sample import TrainingSample

WORDS = CONVEX | {
    "Q": Observable("covariance of two members' fields", "output units squared"),
    "member": Observable("member of the ensemble"),
    "other": Observable("other member"),
}
TOLERANCE = 1e-10  # of log V
LARGEST_COUNT = 40  # of one row in a bootstrap sample: beyond, its probability is below 1e-48


@dataclass(frozen=True)
class RidgeEnsemble(Learner):
    r"""K minimisers of sum_mu p_mu (y_mu - w.v_mu/sqrt(p))^2/2 + (lam/2)|w|^2, each with its own weights p_mu; their mean predicts.

    The order parameters of two members are 2 x 2: with g = p/(1 + p V), R = 1/(lam + Vhat w), modes w of signal v, load = n/p, noise tau,

        V = mean[w R],   Vhat = mhat = load E g,   m = mhat mean[v w R],
        Q_ab = mhat^2 mean[v (w R)^2] + qhat_ab mean[(w R)^2],   qhat_ab = load E[g_a g_b] S_ab,   S_ab = tau + mean v - 2 m + Q_ab,

    E[g_a g_b] = E g^2 for a = b, (E g)^2 otherwise. The mean of K members has q = Q_12 + (Q_11 - Q_12)/K and
    test_error = tau + mean v - 2 m + q.

    Parameters
    ----------
    lam : float, positive
        Penalty of every member.
    members : int
        K.
    resampling : "bootstrap" or "subsample:SHARE"
        Weights are Poisson(1) (a bootstrap sample of a large table), or 1 with probability SHARE, else 0.

    Observables: test_error, m, q, V, lam, floor, excess_over_floor, and Q with dims (member, member), which one fit of the mean does not
    measure.

    Validity: regression with Gaussian label noise, no constant part, no kernel: replica result (Clarte, Vandenbroucque, Dalle, Loureiro,
    Krzakala, Zdeborova 2024, "Analysis of bootstrap and subsampling in high-dimensional regularized regression").

    Examples
    --------
    >>> import gaussequiv as ge
    >>> problem = ge.Problem(ge.DeepNetwork((), noise=1.0), learner=RidgeEnsemble(0.1))
    >>> ge.solve(problem, alpha=[1.0]).Q.values[0].round(4).tolist()
    [[1.3563, 0.7998], [0.7998, 1.3563]]
    """

    lam: float = 1.0
    members: int = 10
    resampling: str = "bootstrap"

    name = "ridge_ensemble"
    words = WORDS
    citations = ("clarte2024",)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lam", number("lam", self.lam, positive=True, meaning="lam is the ridge penalty of every member."))
        integer("members", self.members, minimum=1)
        _share(self.resampling)

    @cached_property
    def label(self) -> str:
        """How results name this learner."""
        return f"ridge_ensemble(lam={exact(self.lam)}, members={self.members}, {self.resampling})"

    @cached_property
    def tunable(self) -> dict[str, Tunable]:
        """lam."""
        return {"lam": Tunable(self.lam, Range(0.0, np.inf, logarithmic=True))}

    def to_dict(self) -> dict[str, Any]:
        """The description that saved results carry."""
        return {"name": self.name, "lam": self.lam, "members": self.members, "resampling": self.resampling}

    def _law(self) -> tuple[FloatArray, FloatArray]:
        """Weights of a row, and their probabilities."""
        share = _share(self.resampling)
        if share is None:
            counts = np.arange(LARGEST_COUNT + 1)
            return counts.astype(float), np.exp(-1.0 - special.gammaln(counts + 1.0))
        return np.array([0.0, 1.0]), np.array([1 - share, share])

    def solve(self, equivalent: GaussianEquivalent, alpha: FloatArray) -> Curve:
        """Exact observables at every alpha."""
        e = equivalent
        _check(e)
        counts, mass = self._law()
        weights, v = e.weights, e.signal_modes
        load = np.asarray(alpha, dtype=float) / e.aspect
        V, shrink, steps, residual = self._susceptibility(e, load)
        response = counts / (1 + counts * V[:, None])
        first, second = response @ mass, response**2 @ mass
        signal, noise = float(weights @ v), e.noise
        mhat = load * first
        m = mhat * (shrink @ (weights * v))
        known = mhat**2 * (shrink**2 @ (weights * v))
        spread = shrink**2 @ weights

        def covariance(square: FloatArray) -> FloatArray:
            """Of two members' fields with E[g_a g_b] = square: Q = known + share (noise + signal - 2 m + Q)."""
            share = load * square * spread
            return np.asarray((known + share * (noise + signal - 2 * m)) / (1 - share))

        same, other = covariance(second), covariance(first**2)
        Q = np.stack([same, other, other, same], axis=1).reshape(load.size, 2, 2)
        q = other + (same - other) / self.members
        excess = signal - 2 * m + q
        status = np.where(residual <= TOLERANCE, float(Status.converged), float(Status.max_steps))
        observables = {
            "test_error": noise + excess,
            "floor": np.full_like(q, noise),
            "excess_over_floor": excess,
            "m": m,
            "q": q,
            "V": V,
            "lam": np.full_like(q, self.lam),
            "Q": (("member", "other"), Q),
            "status": status,
            "steps": steps,
            "residual": residual,
        }
        return Curve(observables, labels=WORDS, citations=self.citations, judged="test_error")

    def _susceptibility(self, e: GaussianEquivalent, load: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """V at every load, w R of every mode there, the steps taken and what is left of log V's equation."""
        counts, mass = self._law()

        def shrunk(V: FloatArray, i: Any = slice(None)) -> FloatArray:
            """w R of every mode at the loads i."""
            shrink: FloatArray = e.eigenvalues / (self.lam + (load[i] * _mean_response(counts, mass, V))[:, None] * e.eigenvalues)
            return shrink

        most = float(e.weights @ e.eigenvalues) / self.lam  # V at alpha = 0

        def gap(log_V: FloatArray, i: Any) -> FloatArray:
            log_T: FloatArray = np.log(shrunk(np.exp(np.minimum(log_V, np.log(most))), i) @ e.weights)
            return log_T - log_V

        log_V, steps = solve_monotone(gap, np.full(load.shape, np.log(most)))
        V = np.exp(log_V)
        return V, shrunk(V), steps, np.abs(gap(log_V, slice(None)))

    def fit(self, sample: TrainingSample, equivalent: GaussianEquivalent, key: Key = None) -> LinearPredictor:
        """The mean of K weighted ridge fits; the rows' weights come from `key`."""
        _check(equivalent)
        rng, share = np.random.default_rng(key), _share(self.resampling)
        x, y = sample.x / np.sqrt(sample.p), sample.y
        total = np.zeros(sample.p)
        for _ in range(self.members):
            p = rng.poisson(1.0, y.size) if share is None else (rng.random(y.size) < share).astype(float)
            root = np.sqrt(p)[:, None]
            rows = root * x
            gram = rows @ rows.T
            gram[np.diag_indices(y.size)] += self.lam
            total += rows.T @ np.linalg.solve(gram, root[:, 0] * y)
        return LinearPredictor(total / self.members / np.sqrt(sample.p), 0.0, self.lam)


def _mean_response(counts: FloatArray, mass: FloatArray, V: FloatArray) -> FloatArray:
    """E g at every V."""
    mean: FloatArray = (counts / (1 + counts * V[:, None])) @ mass
    return mean


def _share(resampling: str) -> float | None:
    """The share of a subsample, or None for a bootstrap."""
    if resampling == "bootstrap":
        return None
    name, _, text = resampling.partition(":") if isinstance(resampling, str) else ("", "", "")
    try:
        share = float(text)
    except ValueError:
        share = np.nan
    if name != "subsample" or not 0 < share <= 1:
        raise fail("resampling", "'bootstrap' or 'subsample:SHARE' with a share above 0 and at most 1", resampling)
    return share


def _check(e: GaussianEquivalent) -> None:
    """What the equations cover."""
    if not isinstance(e.channel, GaussianNoise):
        raise ArgumentError(
            f"Argument `labels` must be real labels with Gaussian noise for an ensemble of ridge learners, but is {e.channel}."
        )
    if e.has_offset or e.input_mean_square > 0:
        raise ArgumentError("Argument `target` must have no constant part, on centred inputs, for an ensemble of ridge learners.")
    if e.nugget > 0:
        raise ArgumentError("Argument `features` must not be a kernel for an ensemble of ridge learners.")
