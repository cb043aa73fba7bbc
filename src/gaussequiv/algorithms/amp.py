"""Generalised approximate message passing (GAMP) with scalar variances, for a Gaussian prior and any channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import special

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.channels import Channel
from gaussequiv.learners.sample import LinearPredictor, TrainingSample
from gaussequiv.numerics.status import Status

LEAST_DAMPING = 0.02
CHECK = 25  # steps after which the change should have halved


class State(NamedTuple):
    """One step's posterior means a and mean variance V, with what the Onsager term needs."""

    a: FloatArray
    V: float
    g: FloatArray
    intercept: float
    change: float
    damping: float
    steps: int
    mark: float


@dataclass(frozen=True)
class GAMP:
    r"""Posterior mean of theta in y ~ P(. | c + z.theta/sqrt(d)), z of identity covariance, theta_i ~ N(0, v_i).

        omega = z a/sqrt(d) - V g_old,    V = mean-field variance (1/d) sum_i c_i,    g = g_out(y, c + omega, V + extra)
        A = -(1/d) sum dg,   b = A a + z'g/sqrt(d),   a = v b/(1 + A v),   c = v/(1 + A v)

    `extra` is the effective noise of the network (label noise sits in the channel). An unknown constant c ~ N(0, intercept_variance)
    climbs its posterior by one Newton step an iteration. Scalar variances assume z of independent entries; the fixed point then attains
    the Bayes error in the limit (Rangan 2011; Barbier et al. 2019). The damping factor halves when the change grows, or when it has
    not halved over 25 steps.
    """

    z: FloatArray
    y: FloatArray
    prior: FloatArray
    channel: Channel
    extra: float
    dimension: int
    intercept_variance: float = 0.0

    def init(self) -> State:
        """Start from the prior (uninformed)."""
        V = float(self.prior.sum()) / self.dimension
        start = 0.0
        if self.intercept_variance > 0:
            up = (np.sum(self.y > 0) + 0.5) / (self.y.size + 1)
            start = float(np.sqrt(V + self.extra + self.channel.noise) * special.ndtri(up))
        return State(np.zeros_like(self.prior), V, np.zeros_like(self.y), start, np.inf, 1.0, 0, np.inf)

    def step(self, state: State) -> State:
        """One pass over the data: two products with z."""
        root = np.sqrt(self.dimension)
        omega = self.z @ state.a / root - state.V * state.g
        g, dg = self.channel.g_out(self.y, omega + state.intercept, state.V + self.extra)
        intercept = state.intercept
        if self.intercept_variance > 0:
            push = (g.sum() - intercept / self.intercept_variance) / (1 / self.intercept_variance - dg.sum())
            reach = np.sqrt(self.intercept_variance)
            intercept += float(np.clip(push, -reach, reach)) * state.damping
        A = float(-dg.sum()) / self.dimension
        b = A * state.a + self.z.T @ g / root
        a = self.prior * b / (1 + A * self.prior)
        V = float(np.sum(self.prior / (1 + A * self.prior))) / self.dimension
        keep = state.damping
        a = keep * a + (1 - keep) * state.a
        g = keep * g + (1 - keep) * state.g
        V = keep * V + (1 - keep) * state.V
        change = float(np.sqrt(np.mean((a - state.a) ** 2) / np.mean(self.prior)))
        steps, mark, damping = state.steps + 1, state.mark, keep
        stalled = steps % CHECK == 0 and change > 0.5 * mark
        if (state.steps > 2 and change > 1.05 * state.change) or stalled:
            damping = max(0.5 * keep, LEAST_DAMPING)
        if steps % CHECK == 0:
            mark = change
        return State(a, V, g, intercept, change, damping, steps, mark)

    def observe(self, state: State) -> dict[str, float]:
        """Scalars of one step."""
        return {"V": state.V, "q": float(np.sum(state.a**2)) / self.dimension, "intercept": state.intercept, "change": state.change}

    def run(self, tolerance: float = 1e-5, max_steps: int = 500) -> tuple[State, Status]:
        """Iterate until the relative change of the posterior mean falls below `tolerance`."""
        state = self.init()
        while state.steps < max_steps:
            state = self.step(state)
            if not np.isfinite(state.change):
                return state, Status.nonfinite
            # at the smallest factor what is left is a cycle of the size of `change` (noiseless labels of a linear target)
            if state.change < tolerance * (state.damping if state.damping > LEAST_DAMPING else 1.0):
                return state, Status.converged
        return state, Status.max_steps


def fit_amp(sample: TrainingSample, equivalent: GaussianEquivalent, intercept: bool) -> LinearPredictor:
    """GAMP tuned to the equivalent, run on the sample: the simulated Bayes-optimal classifier of a deep target.

    Inputs are centred and whitened first.
    """
    d = sample.x.shape[1]
    z, w, back = sample.whitened()
    spread = max(equivalent.offset_variance, (equivalent.offset or 0.0) ** 2) if intercept else 0.0
    machine = GAMP(z, sample.y, equivalent.slope2 * w, equivalent.channel, equivalent.model_noise, d, spread)
    if equivalent.slope2 == 0:
        state, status = machine.init(), Status.converged
    else:
        state, status = machine.run()
    coefficients = (state.a if back is None else back @ state.a) / np.sqrt(d)
    variance = state.V + equivalent.model_noise
    threshold = float(equivalent.channel.threshold(np.array(variance)))
    intercept_x = state.intercept - threshold - (0.0 if sample.centre is None else float(sample.centre @ coefficients))
    return LinearPredictor(coefficients, intercept_x, np.nan, status, state.steps, state.change, variance, threshold)
