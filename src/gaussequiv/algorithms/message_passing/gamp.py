"""Generalised approximate message passing (GAMP) for any separable prior and any channel."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from gaussequiv.algorithms.message_passing.design import Design
from gaussequiv.algorithms.message_passing.scaled_prior import ScaledPrior
from gaussequiv.algorithms.message_passing.start import ESCAPE, SHAKE, blind, first_constant
from gaussequiv.errors import FloatArray, choice, fail
from gaussequiv.ingredients.channels import given
from gaussequiv.ingredients.channels.base import Channel
from gaussequiv.numerics.keys import Key
from gaussequiv.numerics.status import Status

LEAST_DAMPING = 0.02
CHECK = 25  # steps after which the change should have halved
NEAR = 10  # expected fields within sqrt(V) of a noiseless boundary, at least
LEAST_VARIANCE = 1e-12  # of the prior's: what is left unknown never vanishes, so that noiseless channels stay finite


class GampState(NamedTuple):
    """Posterior means a and variances c of one step, their mean field V, and what the next step needs."""

    a: FloatArray
    c: FloatArray
    V: float
    g: FloatArray
    intercept: float
    change: float
    damping: float
    steps: int
    mark: float


State = GampState  # its name of before


@dataclass(frozen=True)
class GAMP:
    r"""Posterior mean of theta in y ~ P(. | c + z.theta/sqrt(d)), entries of z independent of variance 1, theta_i of a separable prior.

        omega = z a/sqrt(d) - V g_old,    V = (1/d) sum_i c_i            (vector: V_mu = (1/d) sum_i z_mu,i^2 c_i)
        g, dg = g_out(y, c + omega, V + extra)
        A = -(1/d) sum_mu dg_mu                                          (vector: A_i = -(1/d) sum_mu z_mu,i^2 dg_mu)
        b = A a + z'g/sqrt(d),   a, c = mean and variance of P(theta) exp(b theta - A theta^2/2)

    Parameters
    ----------
    z : array of shape (n, d), sparse matrix, operator, `RowSource` or `Design`
        Read block by block, never copied.
    y : array of shape (n,)
        Labels, -1 and +1 for binary channels.
    prior : array of shape (d,), Prior or ScaledPrior
        An array holds the variances of Gaussian weights.
    channel : Channel
        Its `g_out` and derivative, the Onsager terms; for a user's likelihood both are posterior moments of the field.
    extra : float
        Effective noise of the network, added to V (label noise sits in the channel).
    dimension : int
        d in 1/sqrt(d).
    intercept_variance : float
        Prior variance of the unknown constant c, which climbs its posterior by one Newton step an iteration; 0 for none.
    variances : {"scalar", "vector"}
        One V for all rows (exact in the limit of independent entries of unit variance), or one for each row and coordinate.
    damping : "auto" or float in (0, 1]
        "auto" starts undamped and halves the factor when the change grows, or has not halved over 25 steps; a number stays.

    A step is one pass over z. Where A <= 0, which a channel that is not log-concave can give at finite size, (1/d) sum g^2 takes its
    place: both have the same limit.

    Validity: entries of z independent; then state evolution is a theorem and the fixed point from an uninformed start attains the Bayes
    error wherever the free entropy has one maximum (Rangan 2011; Javanmard and Montanari 2013; Barbier et al. 2019). Other z need damping,
    and may not converge; see `VAMP`.

    Examples
    --------
    >>> from gaussequiv.ingredients.channels.gaussian import GaussianNoise
    >>> rng = np.random.default_rng(0)
    >>> z, theta = rng.standard_normal((400, 200)), rng.standard_normal(200)
    >>> y = z @ theta / np.sqrt(200) + 0.1 * rng.standard_normal(400)
    >>> state, status = GAMP(z, y, np.ones(200), GaussianNoise(0.01), 0.0, 200).run()
    >>> status.name, bool(np.mean((state.a - theta) ** 2) < 0.03)
    ('converged', True)
    """

    z: Any
    y: FloatArray
    prior: Any
    channel: Channel
    extra: float
    dimension: int
    intercept_variance: float = 0.0
    variances: str = "scalar"
    damping: Any = "auto"
    design: Design = field(init=False, repr=False)
    law: ScaledPrior = field(init=False, repr=False)

    def __post_init__(self) -> None:
        choice("variances", self.variances, ("scalar", "vector"))
        design = self.z if isinstance(self.z, Design) else Design(self.z)
        if self.variances == "vector" and not design.squares:
            raise fail("variances", "'scalar' for a matrix-free operator, whose entries are not known", self.variances)
        if self.damping != "auto" and not 0 < self.damping <= 1:
            raise fail("damping", "'auto' or a number in (0, 1]", self.damping)
        object.__setattr__(self, "channel", given.get(self.channel, ("log_partition", "g_out"), "channel"))
        object.__setattr__(self, "design", design)
        object.__setattr__(self, "law", ScaledPrior.of(self.prior))

    @property
    def prior_variances(self) -> FloatArray:
        """E theta_i^2, shape (d,)."""
        return np.broadcast_to(self.law.second_moment, self.design.shape[1:])

    @property
    def least_variance(self) -> float:
        """Floor of V. Noiseless signs tell something only within sqrt(V) of the boundary: a few of the n fields must lie there."""
        floor = LEAST_VARIANCE
        if self.channel.task == "classification" and self.extra + self.channel.noise == 0:
            floor = max(floor, (NEAR / max(self.y.size, NEAR)) ** 2)
        return floor * float(self.prior_variances.sum()) / self.dimension

    def init(self, a: FloatArray | None = None, c: FloatArray | None = None) -> GampState:
        """Start from the prior (uninformed), or from given posterior means and variances (`side_information`)."""
        n, d = self.design.shape
        prior = self.law.posterior(0.0, np.zeros(d))
        a = prior.mean if a is None else a
        c = np.broadcast_to(np.asarray(prior.variance if c is None else c, dtype=np.float64), (d,))
        V = float(c.sum()) / self.dimension
        return GampState(a, c, V, np.zeros(n), self._first_intercept(V), np.inf, 1.0 if self.damping == "auto" else self.damping, 0, np.inf)

    def _first_intercept(self, V: float) -> float:
        if self.intercept_variance <= 0:
            return 0.0
        if self.channel.task == "classification":
            up = (np.sum(self.y > 0) + 0.5) / (self.y.size + 1)
            return float(np.sqrt(V + self.extra + self.channel.noise) * special.ndtri(up))
        return first_constant(self.channel, self.y, V + self.extra)

    def step(self, state: GampState) -> GampState:
        """One pass over the data."""
        root, new_g, least = np.sqrt(self.dimension), np.empty_like(state.g), self.least_variance
        sums = np.zeros(3)  # of g, dg, g^2

        def respond(rows: slice, product: FloatArray, spread: FloatArray | None) -> tuple[FloatArray, FloatArray]:
            V = np.maximum(state.V if spread is None else spread / self.dimension, least)
            omega = product / root - V * state.g[rows]
            g, dg = self.channel.g_out(self.y[rows], omega + state.intercept, V + self.extra)
            new_g[rows] = g
            sums[:] += g.sum(), dg.sum(), g @ g
            return g, -dg

        back, square_back = self.design.sweep(state.a, state.c if self.variances == "vector" else None, respond)
        intercept = state.intercept
        if self.intercept_variance > 0:
            push = (sums[0] - intercept / self.intercept_variance) / max(1 / self.intercept_variance - sums[1], 1e-300)
            reach = min(np.sqrt(self.intercept_variance), 3 * np.sqrt(state.V + self.extra + self.channel.noise))
            intercept += float(np.clip(push, -reach, reach)) * state.damping
        mean_A = -sums[1] / self.dimension if sums[1] < 0 else sums[2] / self.dimension
        A: Any = mean_A
        if square_back is not None:
            A = np.where(square_back > 0, square_back / self.dimension, mean_A)
        found = self.law.posterior(A, A * state.a + back / root)
        return self._advance(state, found.mean, found.variance, new_g, intercept)

    def _advance(self, state: GampState, a: FloatArray, c: FloatArray, g: FloatArray, intercept: float) -> GampState:
        """Damp the step, and the factor itself where it must fall."""
        keep = state.damping
        if keep < 1:
            a, c, g = keep * a + (1 - keep) * state.a, keep * c + (1 - keep) * state.c, keep * g + (1 - keep) * state.g
        change = float(np.sqrt(np.mean((a - state.a) ** 2) / np.mean(self.prior_variances)))
        steps, mark, damping = state.steps + 1, state.mark, keep
        stalled = steps % CHECK == 0 and change > 0.5 * mark
        if self.damping == "auto" and ((state.steps > 2 and change > 1.05 * state.change) or stalled):
            damping = max(0.5 * keep, LEAST_DAMPING)
        if steps % CHECK == 0:
            mark = change
        return GampState(a, c, float(c.sum()) / self.dimension, g, intercept, change, damping, steps, mark)

    def _escaped(self, state: GampState, max_steps: int, key: Key) -> GampState:
        """Leave a prior that is a fixed point (labels even in the field tell nothing at omega = 0) along what grows of a random vector."""
        push = SHAKE * np.sqrt(self.prior_variances) * np.random.default_rng(key).standard_normal(state.a.size)
        state, plain = state._replace(a=push, change=0.0), replace(self, damping=1.0, intercept_variance=0.0)
        while state.steps < min(ESCAPE, max_steps):
            old, state = state, plain.step(state)
            if not state.change > old.change and state.steps > 3:
                break
        return state._replace(damping=1.0 if self.damping == "auto" else self.damping)

    def observe(self, state: GampState, target: FloatArray | None = None) -> dict[str, float]:
        """Scalars of one step; with the true theta also m, its covariance with the estimate."""
        seen = {"V": state.V, "q": float(np.sum(state.a**2)) / self.dimension, "intercept": state.intercept, "change": state.change}
        return seen if target is None else seen | {"m": float(state.a @ target) / self.dimension}

    def run(
        self, tolerance: float = 1e-5, max_steps: int = 500, start: GampState | None = None, key: Key = None
    ) -> tuple[GampState, Status]:
        """Iterate until the relative change of the posterior mean falls below `tolerance`.

        Without a `start` it begins at the prior. Where the labels tell nothing of weights of mean zero, it leaves along what grows of a
        small random vector, which `key` draws (None: fresh entropy).
        """
        state = self.init() if start is None else start
        while state.steps < max_steps:
            stuck = state.steps == 0 and not np.any(state.a) and blind(self.channel, self.y, state.intercept, state.V + self.extra)
            state = self.step(state)
            if stuck:
                state = self._escaped(state, max_steps, key)
            if not np.isfinite(state.change):
                return state, Status.nonfinite
            # at the smallest factor what is left is a cycle of the size of `change` (noiseless labels of a linear target)
            if state.change < tolerance * (state.damping if state.damping > LEAST_DAMPING else 1.0):
                return state, Status.converged
        return state, Status.max_steps
