"""Message passing that learns the noise and the scale of the weights from the data it is given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gaussequiv.algorithms.message_passing.design import Design
from gaussequiv.algorithms.message_passing.gamp import GAMP, GampState
from gaussequiv.algorithms.message_passing.scaled_prior import ScaledPrior
from gaussequiv.algorithms.message_passing.vamp import VAMP, GramSpectrum, VampState
from gaussequiv.errors import FloatArray
from gaussequiv.numerics.anderson import Memory
from gaussequiv.numerics.keys import Key
from gaussequiv.numerics.status import Status

TOLERANCE = 1e-3  # of the logarithms of what is learned: fields depend on them weakly
ROUNDS = 60
MEMORY = 3  # of the acceleration
LEAST_NOISE = 1e-8  # of the labels' variance
RANGE = 1e6  # of the scale about its first guess
NO_SIGNAL = 1e-3  # effective parameters: fewer move the fields by a few percent of one standard error, however far the scale still shrinks
SPREAD = 3.0  # standard deviation of log(signal variance) of binary labels, a priori: separable rows alone would send it to infinity


@dataclass(frozen=True)
class Fitted:
    """A posterior of weights on the columns of Z, field = c + Z w, and the numbers learned with it."""

    mean: FloatArray
    intercept: float
    channel: Any
    law: ScaledPrior
    status: Status
    steps: int
    residual: float
    degrees: float
    spectrum: GramSpectrum | None = None
    precision: float = np.nan
    site: float = np.nan
    variance: FloatArray | None = None  # of every weight, where no spectrum was formed

    def variances(self, rows: FloatArray) -> FloatArray:
        """Posterior variance of the field of rows of Z, intercept apart."""
        if self.spectrum is not None:
            # on average over labels they tell of a row at least what the prior does
            prior = float(self.law.second_moment) * np.einsum("ij,ij->i", rows, rows)
            return np.minimum(self.spectrum.variances(rows, self.precision, self.site), prior)
        return np.asarray(np.square(rows) @ self.variance)


def fit_glm(
    problem: GramSpectrum | Design,
    y: FloatArray,
    channel: Any,
    law: ScaledPrior,
    *,
    learn: tuple[str, ...],
    intercept: bool,
    tolerance: float,
    steps: int,
    key: Key = None,
) -> Fitted:
    r"""`VAMP` on a spectrum, `GAMP` on a design, and evidence maximisation around it: `learn` holds "signal", "noise", both or nothing.

        scale^2 <- scale^2 (1 + D/gamma),   D = 2 d log Z/d log scale^2 = sum_i E[b_i w_i - A w_i^2]   (messages A, b to the prior)
        noise   <- |y - c - Z w|^2/(n - gamma - [intercept])

    gamma the effective number of parameters, iterated with Anderson's acceleration on the logarithms. For a Gaussian prior the first line
    is v <- |w|^2/gamma (MacKay). Where these stand still the expectation-consistent log-evidence is stationary; with a Gaussian prior and
    Gaussian noise it is the exact one, as in `sklearn.linear_model.BayesianRidge`. With binary labels the log of the signal variance of a
    row has a normal prior of standard deviation 3 about 0.

    On a design, `GAMP` has one variance for each row and weight: no decomposition, any design, reliable for nearly independent columns. It
    learns by expectation maximisation between runs: scale^2 <- mean(E[w^2 | data])/E x^2, noise <- mean posterior square of y - field.

    `key` draws the vectors along which blind starts are left.
    """
    if isinstance(problem, GramSpectrum):
        machine, state, status, used = _maximised(VAMP(problem, y, law, channel, intercept=intercept), learn, tolerance, steps, key)
        found = (state.mean, state.intercept, machine.channel, machine.law, status, used, state.change, state.degrees)
        return Fitted(*found, problem, state.precision, state.site)
    d = problem.shape[1]
    scaled = ScaledPrior(law.scale * np.sqrt(d), law.prior)  # GAMP divides by sqrt(d)
    flat = 1e6 * (float(y.var()) + 1.0) if intercept else 0.0
    gamp = GAMP(problem, y, scaled, channel, 0.0, d, flat, "vector" if problem.squares else "scalar")
    machine, state, status, used = _maximised(gamp, learn, tolerance, steps, key)
    own, degrees = ScaledPrior(float(machine.law.scale) / np.sqrt(d), law.prior), _degrees(machine, state)
    mean = state.a / np.sqrt(d)
    return Fitted(mean, state.intercept, machine.channel, own, status, used, state.change, degrees, variance=state.c / d)


def _maximised(machine: Any, learn: tuple[str, ...], tolerance: float, steps: int, key: Key) -> tuple[Any, Any, Status, int]:
    """Run, move the numbers, and run again from there, until they stand still: machine, state, status and steps in all."""
    state, used, first, memory = machine.init(), 0, float(machine.law.scale), Memory(MEMORY)
    moves = _vamp_moves if isinstance(machine, VAMP) else _gamp_moves
    for _ in range(ROUNDS):
        again: dict[str, Any] = {"steps": 0, "change": np.inf}
        if isinstance(machine, GAMP):
            again |= {"damping": 1.0, "mark": np.inf}
        state, status = machine.run(tolerance, max(steps - used, 1), state._replace(**again), key)
        used += state.steps
        if not learn or status != Status.converged or used >= steps:
            return machine, state, status, used
        move = moves(machine, state, learn)
        if _degrees(machine, state) < NO_SIGNAL:  # the evidence is largest without any signal: its logarithm would fall for ever
            move = np.array([max(one, 0.0) if name == "signal" else one for name, one in zip(learn, move, strict=True)])
        if np.max(np.abs(move)) < TOLERANCE:
            return machine, state, status, used
        here = _numbers(machine, learn)
        step = memory.mixed(here, here + move) - here
        # a step against the plain one would leave a maximum of the evidence for a minimum
        machine = _with_numbers(machine, learn, here + np.clip(step if step @ move > 0 else move, -2.0, 2.0), first)
    return machine, state, Status.max_steps, used


def _degrees(machine: Any, state: Any) -> float:
    """Effective number of parameters."""
    if isinstance(machine, VAMP):
        return float(state.degrees)
    return float(np.sum(1 - state.c / machine.prior_variances))


def _numbers(machine: Any, learn: tuple[str, ...]) -> FloatArray:
    found = {"signal": 2 * np.log(float(machine.law.scale)), "noise": np.log(max(machine.channel.noise, 1e-300))}
    return np.array([found[name] for name in learn])


def _with_numbers(machine: Any, learn: tuple[str, ...], logs: FloatArray, first: float) -> Any:
    law, channel = machine.law, machine.channel
    for name, value in zip(learn, logs, strict=True):
        if name == "signal":
            law = ScaledPrior(float(np.clip(np.exp(0.5 * value), first / RANGE, first * RANGE)), law.prior)
        else:
            channel = replace(channel, noise=max(float(np.exp(value)), _least_noise(machine)))
    return replace(machine, prior=law, channel=channel)


def _least_noise(machine: Any) -> float:
    return max(LEAST_NOISE * float(machine.y.var()), 1e-300)


def _vamp_moves(machine: VAMP, state: VampState, learn: tuple[str, ...]) -> FloatArray:
    """By how much the logarithms want to move."""
    n = machine.spectrum.design.shape[0]
    out, law, degrees = [], machine.law, max(state.degrees, 1e-12)
    for name in learn:
        if name == "noise":
            rest = max(n - state.degrees - machine.intercept, 1e-6 * n)
            squares = float(np.sum((machine.y - state.intercept - state.field) ** 2))
            out.append(np.log(max(squares / rest, _least_noise(machine)) / machine.channel.noise))
            continue
        if law.prior is None:
            slope = float(state.mean @ state.mean) / machine.moment - degrees
        else:
            told = law.posterior(state.gamma, state.gamma * state.r)
            slope = state.gamma * float(np.sum(state.r * told.mean - told.mean**2 - told.variance))
        if machine.channel.task == "classification":
            slope -= 2 * np.log(machine.width**2) / SPREAD**2
        out.append(np.log(max(1 + slope / degrees, 0.1)))
    return np.array(out)


def _gamp_moves(machine: GAMP, state: GampState, learn: tuple[str, ...]) -> FloatArray:
    """By how much the logarithms want to move, by expectation maximisation."""
    out = []
    for name in learn:
        if name == "noise":
            # given the labels y - field has mean noise g and variance V noise/(V + noise)
            noise = machine.channel.noise
            found = float(np.mean(np.square(noise * state.g))) + state.V * noise / (state.V + noise)
            out.append(np.log(float(np.clip(found, _least_noise(machine), max(float(machine.y.var()), 1e-300))) / noise))
            continue
        moment = float(np.mean(machine.prior_variances))
        ratio = float(np.mean(np.square(state.a) + state.c)) / moment
        if machine.channel.task == "classification":
            ratio -= 2 * np.log(moment) / (SPREAD**2 * state.a.size)
        out.append(np.log(max(ratio, 0.1)))
    return np.array(out)
