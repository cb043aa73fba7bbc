"""A transition of annealed chains against the same steps in NumPy, and schedules against their definition."""

import jax
import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv._jax import float64_scope
from gaussequiv.algorithms.networks import annealing
from gaussequiv.algorithms.networks.annealing import ANGLE, PILOT_POINTS, DataSet, Schedule, anneal, tune
from gaussequiv.algorithms.networks.annealing_moves import SHORTEST, moves, normal
from gaussequiv.algorithms.networks.annealing_target import AnnealingTarget

jnp = jax.numpy
D, CHAINS = 3, 12
NETWORK = ge.DeepNetwork((), noise=0.3)


def quartic(u, x, y):
    return -0.5 * jnp.sum((x @ u["a"] - y) ** 2) - 0.3 * jnp.sum(u["b"] ** 4)


def value_and_slope(u, x, y):
    """The same by hand, of chains: u is a dictionary of arrays with a leading axis."""
    rest = u["a"] @ x.T - y
    value = -0.5 * np.sum(rest**2, axis=1) - 0.3 * np.sum(u["b"] ** 4, axis=(1, 2))
    return value, {"a": -rest @ x, "b": -1.2 * u["b"] ** 3}


def target(density, predict=None):
    return AnnealingTarget(NETWORK, False, density, predict)


def test_one_draw_fills_all_coordinates_in_their_shapes():
    like = {"a": np.zeros(D), "b": np.zeros((2, 2))}
    with float64_scope():
        key = jax.random.key(3)
        found = normal(key, CHAINS, like)
        flat = np.asarray(jax.random.normal(key, (CHAINS, D + 4), dtype="float64"))
        assert np.array_equal(found["a"], flat[:, :D]) and np.array_equal(found["b"], flat[:, D:].reshape(CHAINS, 2, 2))


@pytest.mark.parametrize(("beta", "kicks", "angle"), [(0.6, 3, 1.6), (0.4, 1, 0.7), (0.0, 2, ANGLE)])
def test_a_transition_step_by_step(beta, kicks, angle):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((4, D)), rng.standard_normal(4)
    u = {"a": rng.standard_normal((CHAINS, D)), "b": rng.standard_normal((CHAINS, 2, 2))}
    with float64_scope():
        step, start = moves(target(quartic), x, y, CHAINS)
        before = start(u)
        key = jax.random.key(1)
        (new, value, slope), acceptance = step(before, beta, kicks, angle, key)
        momentum_key, uniform_key = jax.random.split(key)
        length, chance = np.asarray(jax.random.uniform(uniform_key, (2, CHAINS), dtype="float64"))
        p = {name: np.asarray(part) for name, part in normal(momentum_key, CHAINS, {k: v[0] for k, v in u.items()}).items()}
    first, gradient = value_and_slope(u, x, y)
    np.testing.assert_allclose(before[1], first, rtol=1e-12)
    for name in u:
        np.testing.assert_allclose(before[2][name], gradient[name], rtol=1e-10, atol=1e-12)
    eps = angle / kicks * (SHORTEST + (1 - SHORTEST) * length)
    each = {"a": eps[:, None], "b": eps[:, None, None]}
    at, momentum = dict(u), dict(p)
    for _ in range(kicks):
        momentum = {k: momentum[k] + 0.5 * beta * each[k] * gradient[k] for k in u}
        cos, sin = ({k: turn(each[k]) for k in u} for turn in (np.cos, np.sin))
        momentum, at = (
            {k: cos[k] * momentum[k] - sin[k] * at[k] for k in u},
            {k: cos[k] * at[k] + sin[k] * momentum[k] for k in u},
        )
        last, gradient = value_and_slope(at, x, y)
        momentum = {k: momentum[k] + 0.5 * beta * each[k] * gradient[k] for k in u}
    energy = lambda *parts: sum(np.sum(part[k].reshape(CHAINS, -1) ** 2, axis=1) for part in parts for k in u)  # noqa: E731
    gain = beta * (last - first) + 0.5 * (energy(u, p) - energy(at, momentum))
    np.testing.assert_allclose(acceptance, np.exp(np.minimum(gain, 0)), rtol=1e-9)
    taken = np.log(chance) < gain
    assert taken.all() if beta == 0 else 0 < taken.sum() < CHAINS
    for k in u:
        wide = taken.reshape((CHAINS,) + (1,) * (u[k].ndim - 1))
        np.testing.assert_allclose(new[k], np.where(wide, at[k], u[k]), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(value, np.where(taken, last, first), rtol=1e-9)
    np.testing.assert_allclose(slope["a"], value_and_slope(jax.tree.map(np.asarray, new), x, y)[1]["a"], rtol=1e-8, atol=1e-10)


def test_a_move_to_where_the_likelihood_is_not_a_number_is_refused():
    hole = target(lambda u, x, y: jnp.where(jnp.sum(u["a"] ** 2) > 1e-12, jnp.nan, 0.0))
    with float64_scope():
        step, start = moves(hole, np.zeros((1, D)), np.zeros(1), 2)
        (new, *_), acceptance = jax.tree.map(np.asarray, step(start({"a": np.zeros((2, D))}), 1.0, 2, 1.0, jax.random.key(0)))
    assert not np.any(new["a"]) and np.all(acceptance == 0)


@pytest.mark.parametrize("temperatures", [None, 7])
def test_a_schedule_has_equal_steps_of_length_and_the_kicks_of_its_places(monkeypatch, temperatures):
    """Two pilots of given standard deviations and step sizes at the pilot's beta: the trapezoidal length, divided evenly."""
    grid = np.arange(PILOT_POINTS + 1) / PILOT_POINTS
    beta = grid**3
    variances = np.stack([20 / (beta + 0.1) ** 2, 5 + 100 * beta])
    steps = np.log(np.stack([0.5 - 0.45 * grid, 0.9 - 0.2 * grid]))
    monkeypatch.setattr(annealing, "_pilot", lambda target: lambda *given: (steps, variances))
    data = [(np.zeros((4, D)), np.zeros(4))] * 2
    found = tune(annealing.AnnealingTarget(NETWORK, False, None, None), data, temperatures=temperatures, gap=3.0)
    deviation = np.sqrt(variances.mean(axis=0))
    pieces = np.diff(beta) * (deviation[1:] + deviation[:-1]) / 2
    assert found.length == pytest.approx(pieces.sum(), rel=1e-12)
    count = int(np.ceil(pieces.sum() ** 2 / 3.0)) if temperatures is None else 7
    assert found.beta.size == found.kicks.size == count + 1 and count > 12 * (temperatures is None)
    # along the pilot's grid, length grows linearly between its points
    place = found.beta ** (1 / 3) * PILOT_POINTS
    reached = np.interp(place, np.arange(PILOT_POINTS + 1), np.concatenate([[0.0], np.cumsum(pieces)]))
    np.testing.assert_allclose(reached, np.linspace(0, pieces.sum(), count + 1), rtol=1e-9, atol=1e-9)
    size = np.exp(np.interp(place, np.arange(PILOT_POINTS + 1), steps.mean(axis=0)))
    quotient = ANGLE / size
    clear = np.abs(quotient - np.rint(quotient)) > 1e-6
    assert clear.all() and found.kicks.tolist() == np.ceil(quotient).astype(int).tolist()
    short = tune(annealing.AnnealingTarget(NETWORK, False, None, None), data, gap=1e6)
    assert short.beta.size == 13


# one target for both tests below, with data of one shape: compiled once
LINEAR = AnnealingTarget(
    NETWORK, False, lambda u, x, y: jnp.vdot(y, u["readout"]) + x[0, 0], lambda u, rows, x, y: rows @ u["readout"] + x[0, 0]
)
ROWS = np.array([[1.0, 0.0, 0.0], [0.5, -1.0, 2.0]])
SETS = 16


def test_a_linear_log_likelihood():
    """l = y.u - 0.7 has variance |y|^2 at every beta, under N(beta y, I); log Z = |y|^2/2 - 0.7, and the posterior mean is y."""
    x, y, rng = np.full((1, D), -0.7), np.array([0.6, -1.0, 1.7]), np.random.default_rng(0)
    schedule = tune(LINEAR, [(x, y)] * 3)
    norm = float(np.linalg.norm(y))
    assert schedule.length == pytest.approx(norm, rel=0.12)  # 21 levels of 24 chains, 7 draws each
    assert schedule.beta.size - 1 == int(np.ceil(schedule.length**2 / 0.25))
    np.testing.assert_allclose(np.diff(schedule.beta), 1 / (schedule.beta.size - 1), rtol=0.5)
    sets = [DataSet(x, y, {"weights": (), "readout": y + rng.standard_normal(D)}, (0, i), ROWS) for i in range(SETS)]
    found = anneal(LINEAR, sets, schedule)
    for name, sign in (("forward", -1), ("reverse", 1)):
        areas, works = (np.array([np.mean(getattr(one, part)) for one in found]) for part in (f"{name}_area", name))
        assert abs(areas.mean() - norm**2 / 2 + 0.7) < 4 * areas.std(ddof=1) / 4
        gap = sign * (works.mean() - norm**2 / 2 + 0.7)
        assert -4 * works.std(ddof=1) / 4 < gap < norm**2 / 16 + 4 * works.std(ddof=1) / 4
        means = np.array([getattr(one, f"{name}_prediction").mean(axis=0) for one in found])
        assert np.all(np.abs(means.mean(axis=0) - ROWS @ y + 0.7) < 4 * means.std(axis=0, ddof=1) / 4)


def test_a_constant_log_likelihood_is_integrated_exactly_on_any_path():
    """The work's increments add to 1 in both directions, the weights of the predictions, too."""
    schedule = Schedule(np.linspace(0, 1, 17) ** 1.7, np.arange(17) % 3 + 1, 0.0)
    teacher = {"weights": (), "readout": np.zeros(D)}
    sets = [DataSet(np.full((1, D), -2.5), np.zeros(D), teacher, (0, i), 0 * ROWS) for i in range(SETS)]
    for found in anneal(LINEAR, sets, schedule):
        for part in found[:6]:
            np.testing.assert_allclose(part, -2.5, rtol=1e-12)
        assert found.acceptance == pytest.approx(1, rel=1e-9)
