r"""Annealed importance sampling between prior and posterior, in both directions, in JAX.

Coordinates u ~ N(0, I) a priori and a log-likelihood l(u). Along p_t(u) ~ exp(-|u|^2/2 + beta_t l(u)), 0 = beta_0 < ... < beta_T = 1,

    forward, from the prior:      log w = sum_t (beta_t - beta_{t-1}) l(u_{t-1}),   E exp(log w) = Z,
    reverse, from the posterior:  log w = sum_t (beta_t - beta_{t-1}) l(u_t),       E exp(-log w) = 1/Z    (Neal 2001),

so that by Jensen forward log-weights lie below log Z and reverse ones above it in expectation. The reverse run needs one exact posterior
draw: the network that made the labels is one (bidirectional Monte Carlo; Grosse, Ghahramani, Adams 2015). Transitions are Hamiltonian,
with the flow of the prior solved exactly (a rotation) and the likelihood as kicks; a Metropolis test makes them exact.

Validity: exact for any schedule; the schedule only sets the width of the bracket. Trajectories are tuned on other data of the same shape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from gaussequiv._jax import float64_scope
from gaussequiv.algorithms.networks.annealing_moves import moves, normal
from gaussequiv.algorithms.networks.annealing_target import AnnealingTarget
from gaussequiv.errors import FloatArray, integer, number
from gaussequiv.numerics.keys import DOWNWARDS, PILOT_WALK, UPWARDS

ANGLE = 0.5 * np.pi  # of a trajectory: at beta = 0 a full one forgets where it began
ACCEPTANCE = 0.85
PILOT_POINTS, PILOT_POWER = 20, 3.0  # beta = (i/points)^power
PILOT_STEPS, PILOT_CHAINS = 14, 8
MOST_KICKS = 512


class Schedule(NamedTuple):
    """beta: array of shape (T + 1,) from 0 to 1; kicks: array of shape (T + 1,), likelihood gradients of a trajectory at each beta;
    length: integral over beta of the standard deviation of l (forward and reverse log-weights differ by about length^2/T)."""

    beta: FloatArray
    kicks: Any
    length: float


class DataSet(NamedTuple):
    """x, y: arrays of shape (n, d) and (n,); teacher: coordinates (`AnnealingTarget.coordinates`) of the network that made y, an exact draw
    from the posterior; key: integers of its randomness; rows: array of shape (rows, d), fresh inputs at which posterior samples predict."""

    x: FloatArray
    y: FloatArray
    teacher: Any
    key: tuple[int, ...]
    rows: FloatArray


class Annealed(NamedTuple):
    """One data set: log-weights of both directions, thermodynamic integrals of l along the same paths, predictions at the fresh rows
    averaged over posterior transitions; arrays of shape (chains,) and (chains, rows). `acceptance` is a mean over all transitions."""

    forward: FloatArray
    reverse: FloatArray
    forward_area: FloatArray
    reverse_area: FloatArray
    forward_prediction: FloatArray
    reverse_prediction: FloatArray
    acceptance: float


@lru_cache(maxsize=32)
def _pilot(target: AnnealingTarget) -> Callable[..., Any]:
    import jax
    import jax.numpy as jnp

    def run(x: Any, y: Any, like: Any, key: Any) -> Any:
        transition, start = moves(target, x, y, PILOT_CHAINS)

        def iterate(carry: Any, key: Any) -> Any:
            state, log_eps, beta = carry
            kicks = jnp.clip(jnp.ceil(ANGLE / jnp.exp(log_eps)), 1, MOST_KICKS).astype(int)
            state, acceptance = transition(state, beta, kicks, jnp.minimum(kicks * jnp.exp(log_eps), ANGLE), key)
            log_eps = jnp.minimum(log_eps + (acceptance.mean() - ACCEPTANCE), np.log(ANGLE))
            return (state, log_eps, beta), (log_eps, state[1])

        def level(carry: Any, at: Any) -> Any:
            state, log_eps = carry
            beta, key = at
            keys = jax.random.split(key, PILOT_STEPS)
            (state, log_eps, _), (trace, values) = jax.lax.scan(iterate, (state, log_eps, beta), keys)
            late = PILOT_STEPS // 2
            return (state, log_eps), (trace[late:].mean(), values[late:].var())

        start_key, level_key = jax.random.split(key)
        state = start(normal(start_key, PILOT_CHAINS, like))
        beta = (jnp.arange(PILOT_POINTS + 1) / PILOT_POINTS) ** PILOT_POWER
        return jax.lax.scan(level, (state, jnp.log(ANGLE)), (beta, jax.random.split(level_key, PILOT_POINTS + 1)))[1]

    return jax.jit(jax.vmap(run, in_axes=(0, 0, None, 0)))


def tune(
    target: AnnealingTarget,
    pilots: Sequence[tuple[FloatArray, FloatArray]],
    seed: int = 0,
    *,
    temperatures: int | None = None,
    gap: float = 0.25,
) -> Schedule:
    r"""A schedule for data of one shape, from pilot runs on data sets that are not annealed themselves.

    Temperatures are equally spaced in thermodynamic length, int sqrt(Var_beta l) d beta, averaged over the pilots; trajectories at each
    get as many kicks as an acceptance of 0.85 needs.

    Parameters
    ----------
    target : AnnealingTarget
    pilots : sequence of (x, y), arrays of shape (n, d) and (n,)
    seed : int
    temperatures : int, optional
        T, by default length^2/gap and at least 12.
    gap : float, positive
        Aim for the difference of mean reverse and forward log-weights, in nats.

    The example is that of `anneal`.
    """
    import jax

    gap = number("gap", gap, positive=True, meaning="It is the aimed difference of reverse and forward log-weights in nats.")
    x, y = (np.stack([np.asarray(part, float) for part in parts]) for parts in zip(*pilots, strict=True))
    d = x.shape[-1]
    with float64_scope():
        like = target.coordinates(target.network.sample(np.random.default_rng(seed), d), d)  # for its shapes
        seeds = np.array([np.random.default_rng((seed, i, PILOT_WALK)).integers(1 << 62) for i in range(len(pilots))])
        steps, variances = map(np.asarray, _pilot(target)(x, y, like, jax.vmap(jax.random.key)(seeds)))
    beta = (np.arange(PILOT_POINTS + 1) / PILOT_POINTS) ** PILOT_POWER
    speed = np.sqrt(np.mean(variances, axis=0))
    lengths = np.concatenate([[0.0], np.cumsum(0.5 * (speed[1:] + speed[:-1]) * np.diff(beta))])
    total = float(lengths[-1])
    count = max(12, int(np.ceil(total**2 / gap))) if temperatures is None else integer("temperatures", temperatures, minimum=1)
    index = np.interp(np.linspace(0, total, count + 1), lengths, np.arange(beta.size))
    fine = (index / PILOT_POINTS) ** PILOT_POWER
    fine[0], fine[-1] = 0.0, 1.0
    eps = np.exp(np.interp(index, np.arange(beta.size), np.mean(steps, axis=0)))
    return Schedule(fine, np.clip(np.ceil(ANGLE / eps), 1, MOST_KICKS).astype(np.int64), total)


@lru_cache(maxsize=32)
def _walk(target: AnnealingTarget, chains: int) -> Callable[..., Any]:
    """Work and transitions in turn along a path, all chains from the prior or from the coordinates u.

    x, y, rows, u and key have a leading axis of data sets, which share the path: their loops run in step.
    """
    import jax
    import jax.numpy as jnp

    def run(x: Any, y: Any, rows: Any, u: Any, from_prior: Any, path: Any, key: Any) -> Any:
        transition, start = moves(target, x, y, chains)
        predict: Callable[[Any], Any] = jax.vmap(lambda u: target.predict(u, rows, x, y))
        start_key, walk_key = jax.random.split(key)
        drawn = normal(start_key, chains, u)
        first = jax.tree.map(lambda a, b: jnp.where(from_prior, a, b), drawn, u)
        nothing = jnp.zeros((chains, rows.shape[0]))

        def one(carry: Any, item: Any) -> Any:
            state, log_w, area, mean = carry
            (increment, beta, kicks, weight), key = item
            before = state[1]
            state, acceptance = transition(state, beta, kicks, ANGLE, key)
            mean = mean + jax.lax.cond(weight > 0, lambda: weight * predict(state[0]), lambda: nothing)
            return (state, log_w + increment * before, area + 0.5 * increment * (before + state[1]), mean), acceptance.mean()

        zero = jnp.zeros(chains)
        keys = jax.random.split(walk_key, path[0].shape[0])
        (_, log_w, area, mean), acceptance = jax.lax.scan(one, (start(first), zero, zero, nothing), (path, keys))
        return log_w, area, mean, acceptance.mean()

    return jax.jit(jax.vmap(run, in_axes=(0, 0, 0, 0, None, None, 0)))


def anneal(
    target: AnnealingTarget,
    data: Sequence[DataSet],
    schedule: Schedule,
    *,
    chains: int = 4,
    posterior_steps: int = 8,
) -> list[Annealed]:
    """Anneal data sets of the same shapes in both directions, all at once (one keeps a CPU core busy, an accelerator needs many).

    Parameters
    ----------
    target : AnnealingTarget
    data : sequence of DataSet
    schedule : Schedule
    chains : int
        In each direction. All reverse chains start from the teacher and separate in posterior transitions, which do no work.
    posterior_steps : int, at least 2
        Transitions at beta = 1; predictions are averaged over the second half.

    What comes out of a data set depends on the others by rounding only.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> from gaussequiv.algorithms.networks.annealing_target import annealing_target
    >>> network, rng = ge.DeepNetwork("tanh", noise=0.5, widths=4), np.random.default_rng(0)
    >>> target, drawn, x = annealing_target(network), network.sample(rng, 4), rng.standard_normal((3, 4))
    >>> y = network.channel.sample(rng, drawn(x))
    >>> one = DataSet(x, y, target.coordinates(drawn, 4), (0, 0), x[:1])
    >>> (run,) = anneal(target, [one], tune(target, [(x, y)], temperatures=20))
    >>> run.forward.shape, bool(0.5 < run.acceptance <= 1)
    ((4,), True)
    """
    import jax

    chains, steps = integer("chains", chains, minimum=1), integer("posterior_steps", posterior_steps, minimum=2)
    beta, kicks, rise = schedule.beta, schedule.kicks, np.diff(schedule.beta)
    rest, top = np.zeros(steps), np.full(steps, kicks[-1])
    weights = np.where(np.arange(steps) < steps // 2, 0.0, 1 / (steps - steps // 2))
    idle = np.zeros(rise.size)
    # (increment, beta, kicks, weight of the prediction) of every step; work comes before the transition
    up = _join((rise, rest), (beta[1:], rest + 1), (kicks[1:], top), (idle, weights))
    down = _join((rest, rise[::-1]), (rest + 1, beta[:-1][::-1]), (top, kicks[:-1][::-1]), (weights, idle))

    def keys(direction: int) -> Any:
        seeds = [np.random.default_rng((*one.key, direction)).integers(1 << 62) for one in data]
        return jax.vmap(jax.random.key)(np.array(seeds))

    with float64_scope():
        x, y, rows = (
            np.stack([np.asarray(part, float) for part in parts]) for parts in zip(*((s.x, s.y, s.rows) for s in data), strict=True)
        )
        teachers = jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf, float) for leaf in leaves]), *(one.teacher for one in data))
        walk = _walk(target, chains)
        forward = walk(x, y, rows, teachers, True, up, keys(UPWARDS))
        reverse = walk(x, y, rows, teachers, False, down, keys(DOWNWARDS))
        parts = [np.asarray(value) for pair in zip(forward, reverse, strict=True) for value in pair]
    log_up, log_down, area_up, area_down, mean_up, mean_down, one, two = parts
    accepted = 0.5 * (one + two)
    return [
        Annealed(log_up[i], log_down[i], area_up[i], area_down[i], mean_up[i], mean_down[i], float(accepted[i])) for i in range(len(data))
    ]


def _join(*pairs: tuple[Any, Any]) -> tuple[Any, ...]:
    return tuple(np.concatenate(pair) for pair in pairs)
