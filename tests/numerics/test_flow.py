"""Flows in time against closed forms and SciPy's Radau."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from gaussequiv.errors import ArgumentError
from gaussequiv.numerics.flow import flow
from gaussequiv.numerics.status import Status


def decay(t, y, rate):
    return -rate * y


def test_exponential_decay_over_eight_decades():
    times, rates = np.geomspace(1e-2, 1e6, 25), np.array([[1e3, 1.0], [1e-3, 1e-6]])
    found = flow(decay, np.ones((2, 2)), times, arguments=rates, tolerance=1e-10)
    assert found.status == Status.converged and found.values.shape == (25, 2, 2) and found.values.dtype == np.float64
    assert found.values == pytest.approx(np.exp(-rates * times[:, None, None]), abs=1e-8)
    assert found.steps < 3000 and np.isnan(found.event_time)


def oscillate(t, y, omega):
    return {"x": y["p"], "p": -(omega**2) * y["x"]}


@pytest.mark.slow  # each compiles an equation of its own
def test_harmonic_oscillator_as_a_tree_with_observables():
    times = np.linspace(0.0, 10.0, 21)
    start = {"x": np.array(1.0), "p": np.array(0.0)}
    energy = lambda t, y, omega: 0.5 * y["p"] ** 2 + 0.5 * omega**2 * y["x"] ** 2  # noqa: E731
    found = flow(oscillate, start, times, arguments=2.0, tolerance=1e-10, observables=lambda t, y, a: (y["x"], energy(t, y, a)))
    assert found.values[0] == pytest.approx(np.cos(2 * times), abs=1e-7)
    assert found.values[1] == pytest.approx(np.full(21, 2.0), rel=1e-7)


def van_der_pol(t, y, mu):
    import jax.numpy as jnp

    return jnp.stack([y[1], mu * (1 - y[0] ** 2) * y[1] - y[0]])


@pytest.mark.slow  # each compiles an equation of its own
def test_stiff_van_der_pol_as_scipys_radau():
    times, mu = np.array([1.0, 100.0, 500.0, 800.0]), 1000.0
    found = flow(van_der_pol, np.array([2.0, 0.0]), times, arguments=mu, tolerance=1e-9)
    exact = solve_ivp(
        lambda t, y: [y[1], mu * (1 - y[0] ** 2) * y[1] - y[0]], (0, 800), [2.0, 0.0], "Radau", t_eval=times, rtol=1e-11, atol=1e-13
    )
    assert found.status == Status.converged and found.steps < 3000
    assert found.values[:, 0] == pytest.approx(exact.y[0], rel=1e-6)


def gradient(t, w, p):
    return p["b"] - p["H"] @ w


def test_gradient_flow_of_ridge_regression():
    """w(t) = (1 - exp(-H t)) H^-1 b."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((8, 5))
    curvature, b = x.T @ x / 8 + 0.01 * np.eye(5), rng.standard_normal(5)
    times = np.geomspace(1e-2, 1e4, 13)
    found = flow(gradient, np.zeros(5), times, arguments={"H": curvature, "b": b}, tolerance=1e-10)
    values, vectors = np.linalg.eigh(curvature)
    exact = (-np.expm1(-values * times[:, None]) / values * (vectors.T @ b)) @ vectors.T
    assert found.values == pytest.approx(exact, abs=1e-7 * np.abs(exact).max())


@pytest.mark.slow  # each compiles an equation of its own
def test_matrix_riccati():
    """dX/dt = 1 - X X from 0: X = tanh(t) for every eigenvalue of a multiple of 1."""
    times = np.array([0.3, 1.0, 3.0])
    found = flow(lambda t, x, a: a - x @ x, np.zeros((3, 3)), times, arguments=np.eye(3), tolerance=1e-10)
    assert found.values == pytest.approx(np.tanh(times)[:, None, None] * np.eye(3), abs=1e-8)


def test_an_event_ends_the_flow_at_its_time():
    """exp(-t) = 1/2 at log 2; what comes after is nan."""
    found = flow(decay, np.ones(1), [0.5, 1.0, 2.0], arguments=1.0, tolerance=1e-10, event=lambda t, y, a: y[0] - 0.5)
    assert found.event_time == pytest.approx(np.log(2), abs=1e-7)
    assert found.status == Status.converged
    assert found.values[0, 0] == pytest.approx(np.exp(-0.5), abs=1e-8) and np.isnan(found.values[1:]).all()


@pytest.mark.slow  # each compiles an equation of its own
def test_one_trace_serves_a_grid_of_parameters():
    traced = []

    def rate(t, y, a):
        traced.append(1)
        return -a * y

    flow(rate, np.ones(2), [1.0, 2.0], arguments=0.5)
    first = len(traced)
    for a in (0.7, 0.9):
        flow(rate, np.ones(2), [1.0, 2.0], arguments=a)
    assert len(traced) == first  # neither checked nor compiled again


def test_failures_are_statuses():
    assert flow(decay, np.ones(1), [1e3], arguments=1.0, max_steps=3).status == Status.max_steps
    blown = flow(lambda t, y, a: y**2, np.ones(1), [0.5, 2.0], max_steps=2000)  # 1/(1 - t)
    assert blown.status in (Status.nonfinite, Status.max_steps)
    assert blown.values[0, 0] == pytest.approx(2.0, rel=1e-6) and np.isnan(blown.values[1, 0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"times": [1.0, 1.0]}, "times.*increasing"),
        ({"times": [-1.0, 1.0]}, "times.*none of them negative"),
        ({"times": []}, "times"),
        ({"times": [0.0]}, "positive at its end"),
        ({"state": np.array([np.nan])}, "state.*finite"),
        ({"tolerance": 0.0}, "tolerance.*positive"),
        ({"max_steps": 0}, "max_steps"),
        ({"rate": 3.0}, "rate"),
        ({"event": 3.0}, "event"),
        ({"rate": lambda t, y, a: y[:0]}, "rate.*shapes of the state"),
        ({"rate": lambda t, y, a: np.tanh(y)}, "rate.*JAX can trace"),
    ],
)
def test_arguments(change, message):
    given = {"rate": decay, "state": np.ones(1), "times": [1.0], "arguments": 1.0} | change
    rate, state, times = (given.pop(name) for name in ("rate", "state", "times"))
    with pytest.raises(ArgumentError, match=message):
        flow(rate, state, times, **given)


def test_the_import_is_light_and_flags_stay():
    code = (
        "import sys, gaussequiv.numerics.flow as f; assert not {'jax', 'diffrax'} & set(sys.modules); import numpy as np, jax; "
        "f.flow(lambda t, y, a: -y, np.ones(1), [1.0]); assert not jax.config.jax_enable_x64"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=120)


def test_the_explicit_method_ends_where_the_implicit_one_does():
    """For numbers of times that share a compilation, whatever is added to fill it."""
    times = np.linspace(0.0, 3.0, 11)
    exact = np.exp(-np.outer(times, [1.0, 0.3]))
    for stiff in (True, False):
        found = flow(decay, np.ones(2), times, arguments=np.array([1.0, 0.3]), tolerance=1e-9, stiff=stiff)
        assert found.values == pytest.approx(exact, abs=1e-7) and found.values.shape == (11, 2)
        assert found.status == Status.converged


def escaping(t, y, power):
    return y**power


@pytest.mark.parametrize("power", [2.0, 5.0])
def test_an_infinity_in_finite_time_ends_the_flow_there(power):
    """y' = y^p from 1: y = (1 - (p - 1) t)^(-1/(p - 1)), infinite at t = 1/(p - 1); values before it are kept."""
    end = 1 / (power - 1)
    times = end * np.array([0.5, 0.99, 1.01, 1e3])
    found = flow(escaping, np.ones(1), times, arguments=power, stiff=False)
    assert found.status == Status.diverged and found.steps < 1500
    assert found.values[:2, 0] == pytest.approx((1 - times[:2] / end) ** -end, rel=1e-5)
    assert np.isnan(found.values[2:]).all()


def test_a_step_that_ends_in_no_number_is_made_again_and_shorter():
    """The first steps tried overflow, as y' = y^9 is steep: they are no reason to give up."""
    found = flow(escaping, np.full(1, 30.0), [1e-14, 1.0], arguments=9.0, stiff=False)
    exact = 30 * (1 - 8 * 30.0**8 * 1e-14) ** (-1 / 8)
    assert found.status == Status.diverged
    assert found.values[0, 0] == pytest.approx(exact, rel=1e-5) and np.isnan(found.values[1, 0])
