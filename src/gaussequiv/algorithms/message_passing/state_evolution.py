"""State evolution: what GAMP does step by step in the limit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from gaussequiv.algorithms.message_passing.scaled_prior import ScaledPrior, equivalent_prior
from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import FloatArray, fail
from gaussequiv.numerics.status import Status

LEAST_VARIANCE = 1e-24  # of the signal
INFORMED = 1e4  # signal-to-noise ratio of the side information behind an informed start
NUDGE = 1e-6  # the same for leaving q = 0 where labels tell nothing there


class Evolution(NamedTuple):
    """Overlap q and what is left unknown, V, at every offset b0; A, the precision that led there; steps and relative change."""

    q: FloatArray
    V: FloatArray
    A: FloatArray
    steps: int
    change: float


def start_precision(start: str | float) -> float:
    """Signal-to-noise ratio of the side information of a start: 0 uninformed, 1e4 informed, or the number itself."""
    if isinstance(start, str):
        if start not in ("uninformed", "informed"):
            raise fail("start", "'uninformed', 'informed' or a non-negative signal-to-noise ratio", start)
        return INFORMED if start == "informed" else 0.0
    if isinstance(start, bool) or not np.isfinite(start) or start < 0:
        raise fail("start", "'uninformed', 'informed' or a non-negative signal-to-noise ratio", start)
    return float(start)


@dataclass(frozen=True, eq=False)
class StateEvolution:
    r"""The order parameters of undamped GAMP at every step, for a target's Gaussian equivalent with independent whitened inputs.

        A_t = alpha E_omega Sum_y Z g^2,     omega ~ N(b0, q_t), Z and g at variance V_t + extra
        q_{t+1} = mean E[eta(A_t)^2],        V_{t+1} = mean E[var(A_t)] = signal - q_{t+1}

    eta and var of the prior in every mode (Gaussian, spectrum w: q = mean[A v^2/(1 + A v)], v = s w). By the Nishimori identity q is also
    the overlap with the true weights.

    Parameters
    ----------
    equivalent : GaussianEquivalent
        Its `prior` (None: Gaussian), modes, channel, model noise and offset.
    alpha : float
        n/d.

    Validity: theorem for independent Gaussian entries of the whitened inputs (Bayati and Montanari 2011; Javanmard and Montanari 2013);
    on the data of a deep network it is as good as the equivalence.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> e = ge.Problem(ge.DeepNetwork("tanh", depth=2, weight_variance=4, noise=0.1)).equivalent()
    >>> evolution = StateEvolution(e, 2.0)
    >>> state, status = evolution.run()
    >>> theory = ge.BayesOptimal().solve(e, np.array([2.0]))
    >>> status.name, round(float(evolution.observe(state)["test_error"] - theory["test_error"][0]), 12)
    ('converged', 0.0)
    """

    equivalent: GaussianEquivalent
    alpha: float
    law: ScaledPrior = field(init=False, repr=False)
    modes: FloatArray = field(init=False, repr=False)
    offsets: FloatArray = field(init=False, repr=False)
    mass: FloatArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        e = self.equivalent
        if not e.matched:
            raise fail("equivalent", "that of raw inputs: message passing sees no features", e.student)
        b0, mass = e.offset_nodes()
        for name, value in {
            "law": equivalent_prior(e, e.eigenvalues),
            "modes": e.weights,
            "offsets": np.asarray(b0, float),
            "mass": np.asarray(mass, float),
        }.items():
            object.__setattr__(self, name, value)

    def _at(self, A: FloatArray, steps: int, old: FloatArray | None) -> Evolution:
        q, V = self.law.split(A, self.modes)
        signal = float(self.law.second_moment * np.ones_like(self.modes) @ self.modes)
        change = np.inf if old is None else float(np.max(np.abs(q - old))) / signal
        return Evolution(q, np.maximum(V, LEAST_VARIANCE * signal), A, steps, change)

    def init(self, start: str | float = "uninformed") -> Evolution:
        """Before any data: what the start's side information b = A theta + sqrt(A) z, A = ratio/E theta^2 in every mode, tells."""
        ratio, moment = start_precision(start), np.broadcast_to(self.law.second_moment, self.modes.shape)
        zeros = np.zeros_like(self.offsets)
        if ratio == 0:
            return self._at(zeros, 0, None)
        q = V = 0.0
        scale = np.broadcast_to(self.law.scale, self.modes.shape)
        for r, v, m in zip(scale, moment, self.modes, strict=True):
            if v > 0:
                known, left = ScaledPrior(r, self.law.prior).split(np.array(ratio / v), np.ones(1))
                q, V = q + float(known) * m, V + float(left) * m
        return self._at(zeros, 0, None)._replace(q=zeros + q, V=zeros + max(V, LEAST_VARIANCE * float(moment @ self.modes)))

    def _left_zero(self, state: Evolution) -> Evolution:
        """Replace every q = 0 that is an unstable fixed point by an infinitesimal overlap."""
        near = self.init(NUDGE)
        leave = (state.q == 0) & (self.step(state).q < NUDGE * near.q) & (self.step(near).q > near.q)
        return state._replace(q=np.where(leave, near.q, state.q), V=np.where(leave, near.V, state.V))

    def step(self, state: Evolution) -> Evolution:
        """One step of undamped GAMP."""
        A = self.alpha * self.equivalent.channel.fisher(state.q, state.V + self.equivalent.model_noise, self.offsets)
        return self._at(np.broadcast_to(np.asarray(A, float), state.q.shape), state.steps + 1, state.q)

    def observe(self, state: Evolution) -> dict[str, float]:
        """Overlap and error of one step, averaged over the offset's law."""
        e, signal = self.equivalent, float(self.law.second_moment * np.ones_like(self.modes) @ self.modes)
        errors = e.channel.bayes_error(state.q, state.V + e.model_noise, self.offsets)
        q, V = float(state.q @ self.mass), float(state.V @ self.mass)
        overlap = q / signal if signal > 0 else 0.0
        return {
            "test_error": float(errors @ self.mass),
            "q": q,
            "m": q,
            "V": V,
            "overlap": overlap,
            "A": float(state.A @ self.mass),
        }

    def path(self, steps: int, start: str | float = "uninformed") -> dict[str, FloatArray]:
        """Observables at steps 0, 1, ..., `steps`."""
        state = self.init(start)
        seen = [self.observe(state)]
        for _ in range(steps):
            state = self.step(state)
            seen.append(self.observe(state))
        return {name: np.array([one[name] for one in seen]) for name in seen[0]}

    def run(self, start: str | float = "uninformed", tolerance: float = 1e-13, max_steps: int = 20_000) -> tuple[Evolution, Status]:
        """Iterate until no overlap moves by more than `tolerance` of the signal.

        Where labels tell nothing at q = 0 (even ones), an uninformed start stays there up to the weak-recovery threshold; above, it leaves
        from an infinitesimal overlap, as `GAMP` does from a small random vector. `path` does not leave.
        """
        state = self._left_zero(self.init(start))
        while state.steps < max_steps:
            state = self.step(state)
            if not np.all(np.isfinite(state.q)):
                return state, Status.nonfinite
            if state.change < tolerance:
                return state, Status.converged
        return state, Status.max_steps


def fixed_point(equivalent: GaussianEquivalent, alpha: float, start: str | float = "uninformed") -> dict[str, Any]:
    """Observables where state evolution ends, with status and steps."""
    evolution = StateEvolution(equivalent, alpha)
    state, status = evolution.run(start)
    return evolution.observe(state) | {"status": status, "steps": state.steps}
