"""Fixed points of many modes: the same points, products and eigenvalues as dense Jacobians, at sizes that both can do."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.problems.online_sgd import dynamics
from gaussequiv.problems.online_sgd.drift import Drift
from gaussequiv.problems.online_sgd.instance import instance_of
from gaussequiv.problems.online_sgd.many_modes import SHOWN, BlockJacobian, WideDrift

GAIN = 2**-0.5


def both(name="erf", closed=True, **changes):
    """The drift of 40 modes, with and without dense Jacobians, and a state."""
    student, teacher = ge.TwoLayer(name, 2, gain=GAIN), ge.TwoLayer(name, 2, readout="ones", gain=GAIN)
    options = {"rate": 0.5, "readout_rate": 0.3, "noise": 0.1, "weight_decay": 0.01, "batch": 2, "dimension": 40} | changes
    problem = ge.OnlineSGD(student, teacher, ge.RandomGenerator("sign", latent_ratio=0.4), **options)
    start, given = dynamics.posed(problem, instance_of(problem, 40), exact=True)
    parts = (dynamics.averages_for(problem), given, start, closed)
    wide = WideDrift(*parts)
    return wide, Drift(*parts), wide.vector(start)


@pytest.fixture(scope="module")
def erf():
    return both()


def test_products_and_inverses_are_those_of_the_jacobian(erf):
    wide, dense, x = erf
    assert x.dtype == np.float64
    J, u = BlockJacobian.of(wide, x), np.random.default_rng(0).standard_normal(x.size)
    exact = dense.jacobian(x)
    assert J.product(u) == pytest.approx(exact @ u, rel=1e-9, abs=1e-9)
    assert J.inverse(0.2)(u) == pytest.approx(np.linalg.solve(exact - 0.2 * np.eye(x.size), u), rel=1e-8, abs=1e-8)


def test_a_readout_that_stays_is_not_among_the_unknowns():
    """And slopes by differences, of averages that are sums over points, are those of closed forms."""
    wide, dense, x = both(readout_rate=0.0, closed=False)
    J, u = BlockJacobian.of(wide, x), np.random.default_rng(0).standard_normal(x.size)
    exact = Drift(dense.averages, dense.given, dense.start).jacobian(x)
    assert np.linalg.norm(J.product(u) - exact @ u) < 1e-4 * np.linalg.norm(exact @ u)


def test_points_and_eigenvalues_are_those_of_the_dense_search(erf):
    wide, dense, x = erf
    found, left = wide.settled(x)
    assert left < 1e-12 and wide.possible(found)
    assert np.abs(dense.at(found)).max() < 1e-12
    rates, exact = wide.rates(found), dense.rates(found)
    assert rates[:SHOWN].real == pytest.approx(exact[:SHOWN].real, rel=1e-7, abs=1e-10)
    assert abs(rates[-1]) == pytest.approx(np.abs(exact).max(), rel=1e-7)
    near, close = dense.settled(found * (1 + 1e-4))
    assert close < 1e-9
    assert near == pytest.approx(found, rel=1e-5, abs=1e-6)


def test_a_start_that_no_weights_have_ends_nowhere(erf):
    wide, _, x = erf
    assert wide.settled(np.full_like(x, np.nan))[1] == np.inf


@pytest.mark.slow  # thousands of unknowns
def test_the_end_of_a_curve_of_many_modes():
    network = ge.TwoLayer("erf", 2, readout="ones", gain=GAIN)
    problem = ge.OnlineSGD(network, network, ge.RandomGenerator("sign", latent_ratio=0.4), rate=0.5, readout_rate=0.0, dimension=400)
    found = problem.fixed_points([5e3], starts=0)
    assert found.attrs["modes"] == 400 and found.kind.values.tolist() == ["stable"]
    end = ge.solve(problem, [2e4])
    assert float(found.clean_error[0]) == pytest.approx(float(end.clean_error[0]), rel=1e-4)
