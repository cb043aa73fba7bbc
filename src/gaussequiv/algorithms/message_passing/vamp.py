"""Vector approximate message passing (VAMP) for any matrix: moments of prior and channel matched through its singular values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from scipy import linalg

from gaussequiv.algorithms.message_passing.design import Design
from gaussequiv.algorithms.message_passing.scaled_prior import ScaledPrior
from gaussequiv.algorithms.message_passing.start import ESCAPE, SHAKE, blind, first_constant
from gaussequiv.errors import FloatArray, fail
from gaussequiv.ingredients.channels import given
from gaussequiv.ingredients.channels.gaussian import GaussianNoise
from gaussequiv.numerics.anderson import Memory
from gaussequiv.numerics.keys import Key
from gaussequiv.numerics.status import Status

CHECK = 50  # steps after which the change should have halved
LEAST_DAMPING = 0.1
MEMORY = 10  # places that the acceleration remembers
LARGEST_STEP = 1.0  # of the logarithm of a precision in an accelerated step
LEFT = 0.1  # of the rows' standard deviation: fields that have left zero
ROUNDING = 1e-4  # of the rows' standard deviation: smaller responses are what a tolerance leaves
SURPRISE = 10.0  # mean square response over what a posterior of the labels' own channel has
RATIO = 1e11  # largest ratio of two precisions: beyond, what is left of a difference is rounding


class VampState(NamedTuple):
    """What prior (r, gamma) and channel (p, tau) are told, and the Gaussian posterior that both imply."""

    r: FloatArray
    gamma: float
    p: FloatArray
    tau: float
    mean: FloatArray  # of the weights
    field: FloatArray  # of the rows, intercept apart
    precision: float  # of the weights in the Gaussian posterior's prior
    site: float  # of the pseudo-labels
    degrees: float  # effective number of parameters
    intercept: float
    change: float
    steps: int


@dataclass(frozen=True)
class GramSpectrum:
    """Eigenvalues and vectors of the smaller Gram matrix of Z, which is dense or sparse; centred dense rows are copied once."""

    design: Design
    values: FloatArray = field(init=False, repr=False)
    vectors: FloatArray = field(init=False, repr=False)
    tall: bool = field(init=False, default=True)

    def __post_init__(self) -> None:
        design = self.design
        if design.kind == "dense":
            x = np.asarray(design.x, dtype=np.float64)
            if design.centre is not None or design.scale is not None:
                x = design.rows_of(x)
            design = Design(x)
        elif design.kind != "sparse":
            raise fail("x", "an array or a sparse matrix for VAMP, which needs its singular values (GAMP takes any other)", design.kind)
        n, d = design.shape
        values, vectors = linalg.eigh(_gram(design, n >= d), check_finite=False, driver="evd", overwrite_a=True)
        for name, value in {"design": design, "values": np.maximum(values, 0.0), "vectors": vectors, "tall": n >= d}.items():
            object.__setattr__(self, name, value)

    def posterior(self, precision: float, site: float, b: FloatArray) -> tuple[FloatArray, float]:
        """(precision I + site Z'Z)^(-1) b, and the effective number of parameters, sum site s^2/(precision + site s^2)."""
        shrink = precision + site * self.values
        degrees = float(np.sum(site * self.values / shrink))
        if self.tall:
            return self.vectors @ ((self.vectors.T @ b) / shrink), degrees
        told = self.vectors @ ((self.vectors.T @ self.design.product(b)) * (site / shrink))
        return (b - self.design.adjoint(told)) / precision, degrees

    def variances(self, rows: FloatArray, precision: float, site: float) -> FloatArray:
        """rows (precision I + site Z'Z)^(-1) rows', the diagonal, for rows of Z's columns."""
        shrink = precision + site * self.values
        if self.tall:
            return np.asarray(np.square(rows @ self.vectors) @ (1 / shrink))
        known = np.square(self.design.product(rows.T).T @ self.vectors) @ (site / shrink)
        return np.maximum(np.einsum("ij,ij->i", rows, rows) - known, 0.0) / precision


Spectrum = GramSpectrum  # its name of before


def _gram(design: Design, tall: bool) -> FloatArray:
    """Z'Z or ZZ'."""
    x = design.x
    if design.kind == "dense":
        return np.asarray(x.T @ x if tall else x @ x.T)
    d = design.shape[1]
    scale = np.ones(d) if design.scale is None else design.scale
    centre = np.zeros(d) if design.centre is None else design.centre
    if tall:
        total = np.asarray(x.sum(axis=0)).ravel()
        whole = (x.T @ x).toarray() - np.outer(total, centre) - np.outer(centre, total) + design.shape[0] * np.outer(centre, centre)
        return np.asarray(whole / np.outer(scale, scale))
    own = x.multiply(1 / scale).tocsr()
    lean = own @ (centre / scale)
    return np.asarray((own @ own.T).toarray() - lean[:, None] - lean[None, :] + float(np.sum((centre / scale) ** 2)))


@dataclass(frozen=True)
class VAMP:
    r"""Posterior mean of w in y ~ P(. | c + z w) for any matrix z, w_i independent draws of a prior.

        prior:    eta1 = 1/<var(gamma1, r1)>,          gamma2 = eta1 - gamma1,   r2 = (eta1 x - gamma1 r1)/gamma2
        channel:  h = -<dg>, V = 1/tau1,               tau2 = h/(1 - V h),       p2 = p1 + g/h
        Gaussian: Q = (gamma2 I + tau2 z'z)^(-1),  x = Q(tau2 z'p2 + gamma2 r2), and both messages back, less what came

    Averages <.> are over coordinates and over rows. A Gaussian prior (gamma2 = 1/v, r2 = 0) and Gaussian noise (tau2 = 1/noise, p2 = y) are
    passed on exactly: together they give the exact posterior mean in one step.

    Parameters
    ----------
    spectrum : GramSpectrum
        Of z; one eigendecomposition of the smaller Gram matrix, whatever is learned from it.
    y : array of shape (n,)
    prior : Prior, ScaledPrior with one scale, or None (standard Gaussian)
    channel : Channel
    extra : float
        Variance added to the field's.
    intercept : bool
        Whether an unknown c with a flat prior climbs its posterior. Rows of z should then be centred.
    damping : float in (0, 1]
        Share of the new messages that a step keeps.
    memory : int
        Steps that Anderson's acceleration of `run` remembers; 0 for the plain iteration, which state evolution describes.

    Validity: exact in the limit for right-rotationally invariant z (Rangan, Schniter, Fletcher 2019; GLMs: Schniter, Rangan, Fletcher
    2016); for other matrices an approximation, the expectation-consistent one of Opper and Winther 2005, whose fixed points it shares.

    Examples
    --------
    >>> from gaussequiv.ingredients.channels.gaussian import GaussianNoise
    >>> rng = np.random.default_rng(0)
    >>> z, y = rng.standard_normal((30, 5)), rng.standard_normal(30)
    >>> state, status = VAMP(GramSpectrum(Design(z)), y, None, GaussianNoise(0.5)).run()
    >>> bool(np.allclose(state.mean, np.linalg.solve(z.T @ z + 0.5 * np.eye(5), z.T @ y)))
    True
    """

    spectrum: GramSpectrum
    y: FloatArray
    prior: Any
    channel: Any
    extra: float = 0.0
    intercept: bool = False
    damping: float = 1.0
    memory: int = MEMORY
    law: ScaledPrior = field(init=False, repr=False)

    def __post_init__(self) -> None:
        law = ScaledPrior.of(self.prior)
        if np.ndim(law.scale):
            raise fail("prior", "one law for all weights (absorb other scales into the columns)", self.prior)
        object.__setattr__(self, "channel", given.get(self.channel, ("log_partition", "g_out"), "channel"))
        object.__setattr__(self, "law", law)

    @property
    def moment(self) -> float:
        """E w_i^2."""
        return float(self.law.second_moment)

    @property
    def width(self) -> float:
        """Standard deviation of the rows' fields, a priori."""
        return float(np.sqrt(self.moment * self.spectrum.values.sum() / self.spectrum.design.shape[0]))

    def init(self) -> VampState:
        """Start from the prior."""
        n, d = self.spectrum.design.shape
        spread = max(self.width**2, 1e-300)
        zeros = np.zeros(d)
        start = 0.0
        if self.intercept and self.channel.task == "regression":
            start = first_constant(self.channel, self.y, spread + self.extra)
        return VampState(zeros, 1e-8 / self.moment, np.zeros(n), 1 / spread, zeros, np.zeros(n), 0.0, 0.0, 0.0, start, np.inf, 0)

    def step(self, state: VampState) -> VampState:
        """Prior and channel, then the Gaussian that joins them."""
        z, (n, d) = self.spectrum.design, self.spectrum.design.shape
        precision, r = self._told_by_prior(state)
        site, p, intercept = self._told_by_channel(state)
        b = site * z.adjoint(p) + precision * r
        mean, degrees = self.spectrum.posterior(precision, site, b)
        seen = z.product(mean)
        # messages back, from sum of variances = (d - degrees)/precision and degrees/site
        left, spread = max((d - degrees) / d, 1 / RATIO), degrees / n
        gamma = precision * (1 - left) / left
        gamma = min(max(gamma, precision / RATIO), precision * RATIO)
        new_r = r + (mean - r) * (gamma + precision) / gamma
        tau = site * (1 - spread) / max(spread, 1 / RATIO)
        tau = min(max(tau, site / RATIO), site * RATIO)
        new_p = p + (seen - p) * (tau + site) / tau
        keep = self.damping
        if keep < 1 and state.steps > 0:
            new_r, new_p = keep * new_r + (1 - keep) * state.r, keep * new_p + (1 - keep) * state.p
            gamma, tau = gamma**keep * state.gamma ** (1 - keep), tau**keep * state.tau ** (1 - keep)
        size = np.sqrt(np.mean(seen**2) + 1e-6 * self.width**2) + 1e-300
        change = float(np.sqrt(np.mean((seen - state.field) ** 2)) / size) + abs(intercept - state.intercept) / (size + abs(intercept))
        return VampState(new_r, gamma, new_p, tau, mean, seen, precision, site, degrees, intercept, change, state.steps + 1)

    def _told_by_prior(self, state: VampState) -> tuple[float, FloatArray]:
        if self.law.prior is None:
            return 1 / self.moment, np.zeros_like(state.r)
        found = self.law.posterior(state.gamma, state.gamma * state.r)
        left = max(float(found.variance.mean()), self.moment / RATIO)
        precision = min(max(1 / left - state.gamma, state.gamma / RATIO), RATIO / self.moment)
        return precision, found.mean + (found.mean - state.r) * state.gamma / precision

    def _told_by_channel(self, state: VampState) -> tuple[float, FloatArray, float]:
        V = 1 / state.tau
        g, dg = self.channel.g_out(self.y, state.p + state.intercept, V + self.extra)
        slope = float(dg.mean())
        intercept = state.intercept
        if self.intercept and isinstance(self.channel, GaussianNoise):
            intercept = float(np.mean(self.y - state.field))  # exact, where a Newton step loses it to rounding at vanishing noise
        elif self.intercept and slope < 0:
            reach = max(3 * np.sqrt(V + self.extra + self.channel.noise), 0.01 * self.width)
            intercept += float(np.clip(-g.mean() / slope, -reach, reach)) * self.damping
        h = -slope if slope < 0 else float(np.mean(g**2)) / 2
        h = max(h, state.tau / RATIO)
        site = min(h / max(1 - V * h, 1 / RATIO), state.tau * RATIO)
        return site, state.p + g / h, intercept

    def observe(self, state: VampState) -> dict[str, float]:
        """Scalars of one step."""
        n, d = self.spectrum.design.shape
        return {
            "q": float(np.mean(state.mean**2)),
            "left": (d - state.degrees) / d / state.precision,
            "V": state.degrees / n / state.site,
            "intercept": state.intercept,
            "change": state.change,
        }

    def run(
        self, tolerance: float = 1e-6, max_steps: int = 500, start: VampState | None = None, key: Key = None
    ) -> tuple[VampState, Status]:
        """Iterate until a step moves the fields of the rows by less than `tolerance`, relative to their size.

        Accelerated as long as that helps: where the change has not halved over 50 steps, plain and damped from there on. Where the labels
        tell nothing of weights of mean zero, as even ones, it leaves along a small random vector, which `key` draws (None: fresh
        entropy), and returns where that does not grow; fields at rest that even labels contradict are `diverged`, not converged.
        """
        state, memory = self.init() if start is None else start, Memory(self.memory)
        # mirror images compete: accelerated steps jump between them, and undamped ones cycle
        even = blind(self.channel, self.y, 0.0, self.width**2 + self.extra)
        machine, mark = replace(self, memory=0, damping=min(self.damping, 0.7)) if even else self, np.inf
        if even and state.intercept == 0 and state.steps == 0 and not np.any(state.mean):
            state = self._escaped(state, max_steps, key)
        while state.steps < max_steps:
            new = machine.step(state)
            if not np.isfinite(new.change):
                return new, Status.nonfinite
            if new.steps > 1 and new.change < tolerance * machine.damping:
                return new, Status.diverged if even and self._sure_and_wrong(new) else Status.converged
            if new.steps % CHECK == 0:  # what does not settle is damped, and no longer accelerated
                if new.change > 0.5 * mark:
                    machine = replace(machine, memory=0, damping=max(0.7 * machine.damping, LEAST_DAMPING))
                mark = new.change
            if machine.memory and new.steps > 2:
                new = self._unpacked(new, memory.mixed(self._packed(state), self._packed(new)))
            state = new
        return state, Status.max_steps

    def _escaped(self, state: VampState, max_steps: int, key: Key) -> VampState:
        """Plain steps from the fields of a small random vector, until they have grown or vanished."""
        push = SHAKE * np.sqrt(self.moment) * np.random.default_rng(key).standard_normal(state.mean.size)
        state, plain = state._replace(p=state.p + self.spectrum.design.product(push)), replace(self, damping=1.0, intercept=False)
        while state.steps < min(ESCAPE, max_steps - 1):
            state = plain.step(state)
            if not np.isfinite(state.change) or np.mean(state.field**2) > (LEFT * self.width) ** 2:
                break
        return state

    def _sure_and_wrong(self, state: VampState) -> bool:
        """Labels much further from the fields than their variances allow: E g^2 = -E dg where the channel is the labels' own."""
        state = replace(self, damping=1.0).step(state)  # damped messages lag behind
        g, dg = self.channel.g_out(self.y, state.p + state.intercept, 1 / state.tau + self.extra)
        moves = g / state.tau
        told = abs(float(np.mean(dg / state.tau))) / state.tau  # not a number where the variance underflows
        return bool(np.sqrt(np.mean(moves**2)) > ROUNDING * self.width and not np.mean(moves**2) <= SURPRISE * told)

    def _packed(self, state: VampState) -> FloatArray:
        """The messages as one vector, in units in which moves compare: fields, weights and logarithms of precisions."""
        n, d = self.spectrum.design.shape
        unit, root = max(self.width, 1e-150), np.sqrt(n)
        parts: list[Any] = [state.p / unit, [root * np.log(state.tau), root * state.intercept / unit]]
        if self.law.prior is not None:
            parts += [state.r * np.sqrt(n / (d * self.moment)), [root * np.log(state.gamma)]]
        return np.concatenate(parts)

    def _unpacked(self, state: VampState, packed: FloatArray) -> VampState:
        n, d = self.spectrum.design.shape
        unit, root = max(self.width, 1e-150), np.sqrt(n)

        def precision(old: float, log: float) -> float:
            return float(old * np.exp(np.clip(log / root - np.log(old), -LARGEST_STEP, LARGEST_STEP)))

        new = state._replace(p=unit * packed[:n], tau=precision(state.tau, packed[n]), intercept=float(unit * packed[n + 1] / root))
        if self.law.prior is None:
            return new
        return new._replace(r=packed[n + 2 : -1] / np.sqrt(n / (d * self.moment)), gamma=precision(state.gamma, packed[-1]))
