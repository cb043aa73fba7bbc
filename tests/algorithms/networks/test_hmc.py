"""The sampler's moves: reversible, exact on the prior, of second order in the likelihood, and leaving the posterior as it is."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv._jax import float64_scope
from gaussequiv.algorithms.networks import hmc
from gaussequiv.algorithms.networks.density import field
from gaussequiv.algorithms.networks.sampling import Sampling

jax = pytest.importorskip("jax")
pytest.importorskip("blackjax")
jnp = jax.numpy
NETWORK = ge.DeepNetwork("tanh", depth=2, noise=0.3, widths=(4, 3))
D, N = 5, 8


def prior_only(u):
    return -0.5 * jnp.vdot(u, u)


def machine(marginal=False, network=NETWORK, sampler="hmc"):
    return Sampling(network, D, sampler, 10, 10, 1, marginal)


def flow(log_density):
    """Compiled: (u, p, step size, steps) -> the state at the end."""
    from blackjax.mcmc.integrators import new_integrator_state

    step = hmc.rotation(log_density)

    @jax.jit
    def call(u, p, size, steps):
        state = new_integrator_state(log_density, u, p)
        return jax.lax.fori_loop(0, steps, lambda _, s: step(s, size), state)

    return call


def energy(state):
    return float(-state.logdensity + 0.5 * jnp.vdot(state.momentum, state.momentum))


def problem(seed=0, marginal=False):
    rng = np.random.default_rng(seed)
    own = machine(marginal)
    u, p = rng.standard_normal((2, own.dimension))
    x, y = rng.standard_normal((N, D)), rng.standard_normal(N)
    return (lambda v: own.log_density(v, x, y)), u, p


@pytest.mark.parametrize("marginal", [False, True])
def test_trajectories_run_backwards(marginal):
    with float64_scope():
        log_density, u, p = problem(marginal=marginal)
        move = flow(log_density)
        there = move(u, p, 0.2, 15)
        back = move(there.position, -there.momentum, 0.2, 15)
        assert np.asarray(back.position) == pytest.approx(u, abs=1e-11)
        assert -np.asarray(back.momentum) == pytest.approx(p, abs=1e-11)


def test_the_map_keeps_volumes():
    with float64_scope():
        log_density, u, p = problem()

        step = hmc.rotation(log_density)

        def twice(z):
            from blackjax.mcmc.integrators import new_integrator_state

            end = step(step(new_integrator_state(log_density, *jnp.split(z, 2)), 0.3), 0.3)
            return jnp.concatenate([end.position, end.momentum])

        jacobian = np.asarray(jax.jit(jax.jacfwd(twice))(np.concatenate([u, p])))
    assert np.linalg.slogdet(jacobian)[1] == pytest.approx(0, abs=1e-10)


def test_the_energy_error_is_of_second_order():
    with float64_scope():
        log_density, u, p = problem()
        move = flow(log_density)
        start = energy(move(u, p, 0.1, 0))
        errors = [energy(move(u, p, 1.2 / steps, steps)) - start for steps in (40, 80, 160)]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.05)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.02)


def test_the_prior_is_a_rotation_without_error_at_any_step():
    rng = np.random.default_rng(0)
    u, p = rng.standard_normal((2, 1000))
    with float64_scope():
        end = flow(prior_only)(u, p, 0.7, 9)
        assert np.asarray(end.position) == pytest.approx(np.cos(6.3) * u + np.sin(6.3) * p, abs=1e-12)
        assert energy(end) == pytest.approx(0.5 * (u @ u + p @ p), rel=1e-13)
        states = hmc.start(prior_only, jnp.asarray(rng.standard_normal((3, 1000))))
        moved = jax.jit(lambda k, s: hmc.transition("hmc")(k, s, prior_only, 0.8))(jax.random.key(0), states)
        assert np.asarray(moved.acceptance) == pytest.approx(np.ones(3), abs=1e-9)
        assert np.asarray(moved.gradients).tolist() in ([2, 2, 2], [3, 3, 3])


def test_the_step_size_reaches_its_acceptance():
    """In dimension 400 with a likelihood of curvature 30 in 40 directions; the stored size gives the acceptance asked for."""
    scale = jnp.asarray(np.append(np.full(40, 30.0), np.zeros(360)))

    def log_density(u):
        return -0.5 * jnp.vdot(u, (1 + scale) * u)

    with float64_scope():
        tune, move = hmc.step_size(0.8), hmc.transition("hmc")

        @jax.jit
        def run(state, adaptation, size, key, tuning):
            def body(carry, k):
                state, adaptation, size = carry
                moved = move(k, state, log_density, size)
                adaptation = tune.update(adaptation, moved.acceptance.mean())
                return (moved.state, adaptation, jnp.where(tuning, tune.current(adaptation), size)), moved.acceptance.mean()

            return jax.lax.scan(body, (state, adaptation, size), jax.random.split(key, 400))

        states = hmc.start(log_density, jax.random.normal(jax.random.key(0), (4, 400)) / jnp.sqrt(1 + scale))
        (states, adaptation, _), _ = run(states, tune.init(), jnp.asarray(hmc.FIRST_STEP), jax.random.key(1), True)
        acceptance = np.asarray(run(states, adaptation, tune.final(adaptation), jax.random.key(2), False)[1])
    assert acceptance.mean() == pytest.approx(0.8, abs=0.05)


REPEATS = 4000


def joint_draws(sampler, marginal, network, likelihood_scale=1.0):
    """(weights, labels) from the prior, three moves of the sampler on each, then functions of both: their law must be as before."""
    own = machine(marginal, network, sampler)
    x = np.random.default_rng(0).standard_normal((N, D))
    s = field(network)
    move = hmc.transition(sampler)

    def functions(u, full, y):
        f, a = s(full, x), full["readout"]
        return jnp.stack([jnp.vdot(u, u), f @ f, f @ y, ((y - f) ** 2).sum(), u[0] * u[1], u[0], jnp.cos(2 * u[2]), a @ a])

    def one(key):
        first, second, third, fourth = jax.random.split(key, 4)
        u = jax.random.normal(first, (own.dimension,))
        full = own.unravel(u)
        if marginal:  # the readout from its prior
            full |= {"readout": jax.random.normal(fourth, (3,))}
        f = s(full, x)
        if network.task == "regression":
            y = f + np.sqrt(network.noise) * jax.random.normal(second, (N,))
        else:
            y = jnp.where(jax.random.uniform(second, (N,)) < jax.scipy.special.ndtr(f / np.sqrt(network.noise)), 1.0, -1.0)

        def log_density(v):
            return likelihood_scale * (own.log_density(v, x, y) + 0.5 * jnp.vdot(v, v)) - 0.5 * jnp.vdot(v, v)

        states = hmc.start(log_density, u[None])
        for i in range(3):
            states = move(jax.random.fold_in(third, i), states, log_density, 0.35).state
        moved = states.position[0]
        return functions(u, full, y), functions(moved, own.complete(jax.random.fold_in(third, 9), moved, x, y), y)

    with float64_scope():
        before, after = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(3), REPEATS))
    difference = np.asarray(after) - np.asarray(before)
    return difference.mean(axis=0) / (difference.std(axis=0, ddof=1) / np.sqrt(REPEATS))


CLASSIFICATION = ge.DeepNetwork("tanh", depth=2, noise=0.3, widths=(4, 3), task="classification")


@pytest.mark.parametrize(
    ("sampler", "marginal", "network"),
    [
        ("hmc", False, NETWORK),
        ("hmc", True, NETWORK),
        pytest.param("hmc", False, CLASSIFICATION, marks=pytest.mark.slow),
        pytest.param("nuts", True, NETWORK, marks=pytest.mark.slow),
    ],
    ids=["hmc", "hmc-marginal", "hmc-labels", "nuts-marginal"],
)
def test_the_posterior_is_left_as_it_is(sampler, marginal, network):
    """Getting it right (Geweke 2004): labels drawn from a prior draw make it an exact posterior draw, and moves keep it one."""
    assert np.max(np.abs(joint_draws(sampler, marginal, network))) < 4


@pytest.mark.slow
def test_the_test_sees_a_wrong_likelihood():
    assert np.max(np.abs(joint_draws("hmc", False, NETWORK, likelihood_scale=0.8))) > 6
