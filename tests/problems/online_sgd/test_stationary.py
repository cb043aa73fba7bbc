"""Fixed points of online SGD and the eigenvalues of the drift there: closed forms, and the equations themselves near a plateau."""

import numpy as np
import pytest
from scipy import special

import gaussequiv as ge
from gaussequiv.errors import ArgumentError
from gaussequiv.numerics.flow import flow
from gaussequiv.problems.online_sgd import dynamics
from gaussequiv.problems.online_sgd.drift import Drift
from gaussequiv.problems.online_sgd.instance import instance_of
from gaussequiv.problems.online_sgd.stationary import stability

GAIN = 2**-0.5


def matched(K, rate, name="erf", gain=GAIN, noise=0.0):
    """A committee of K units that learns one of K orthonormal units, T = 1, on iid inputs; the readouts stay 1."""
    network = ge.TwoLayer(name, K, readout="ones", gain=gain)
    problem = ge.OnlineSGD(network, network, rate=rate, readout_rate=0.0, dimension=50, noise=noise)
    start, given = dynamics.posed(problem, instance_of(problem, 50), exact=True)
    return Drift(dynamics.averages_for(problem), given | {"T": np.eye(K), "t": np.eye(K)[..., None]}, start, name == "erf")


def symmetric(K):
    """The plateau of Saad and Solla 1995, section IV, at small rates: all q = 1/(2K - 1), all r = 1/sqrt(K(2K - 1))."""
    return np.full((K, K, 1), 1 / (2 * K - 1)), np.full((K, K, 1), 1 / np.sqrt(K * (2 * K - 1)))


@pytest.mark.parametrize("rate", [0.3, 1.0, 1.9, 2.2])
def test_a_linear_student_in_closed_form(rate):
    """With D = Q - 2R + 1: dR/dt = rate (1 - R), dD/dt = (rate^2 - 2 rate) D + rate^2 noise, so that D = rate noise/(2 - rate)."""
    noise = 0.2 if rate < 2 else 0.0  # beyond, D is not positive with noise
    drift = matched(1, rate, "linear", 1.0, noise=noise)
    x, left = drift.settled(np.array([1.3, 0.8]))
    assert left < 1e-9
    assert x == pytest.approx([1 + rate * noise / (2 - rate), 1.0], rel=1e-6)
    assert drift.rates(x).real == pytest.approx(sorted([-rate, rate**2 - 2 * rate], reverse=True), abs=1e-4)  # by differences
    assert stability(drift.rates(x)) == ("stable" if rate < 2 else "saddle")


@pytest.mark.parametrize("rate", [0.5, 4.0, 4.1])
def test_perfect_learning_of_one_unit_loses_stability_at_the_critical_rate(rate):
    """Along the teacher -rate E g'^2 u^2, across -2 rate E g'^2 + rate^2 E g'^4 on fields of variance 1: zero at rate pi sqrt(5/3)."""
    drift = matched(1, rate)
    x, left = drift.settled(np.array([1.0 + 1e-5, 1.0 - 1e-5]))
    assert x == pytest.approx([1.0, 1.0], abs=1e-8) and left < 1e-9
    along, across = -rate * (2 / np.pi) * 3**-1.5, -2 * rate * (2 / np.pi) * 3**-0.5 + rate**2 * (4 / np.pi**2) * 5**-0.5
    assert drift.rates(x).real == pytest.approx(sorted([along, across], reverse=True), rel=1e-6)
    assert stability(drift.rates(x)) == ("stable" if rate < np.pi * np.sqrt(5 / 3) else "saddle")


@pytest.mark.parametrize("K", [2, 3])
def test_the_symmetric_plateau_and_its_escape(K):
    """At small rates eps = (K/pi)(pi/6 - K asin(1/(2K))), half the error, and R_kn - its mean grows as
    rate dE g_k' g_n'/dR = rate (2/pi) R/((1 + Q)(1 + T) - R^2)^(3/2): H moves nothing there, as E g'' Delta = 0."""
    rate = 1e-5
    drift = matched(K, rate)
    q, r = symmetric(K)
    x, _ = drift.settled(drift.vector({"q": q, "r": r, "v": np.ones(K)}))
    state = drift.state(x)
    assert state["q"] == pytest.approx(q, rel=1e-4) and state["r"] == pytest.approx(r, rel=1e-4)
    assert drift.seen(x)["clean_error"] == pytest.approx(2 * K / np.pi * (np.pi / 6 - K * np.arcsin(1 / (2 * K))), rel=1e-3)
    escape = 2 / np.pi * K * (2 * K - 1) ** -0.5 * (2 * K + 1) ** -1.5
    rates = drift.rates(x).real / rate
    assert rates[: (K - 1) ** 2] == pytest.approx(escape, rel=1e-3) and np.all(rates[(K - 1) ** 2 :] < 1e-3 * escape)


@pytest.mark.slow  # equations of their own to compile
def test_curves_leave_a_saddle_at_the_escape_rate():
    """The slope of log(distance) between 1e-6 and 1e-4 of the state's size, along the equations of both layers."""
    network = ge.TwoLayer("erf", 2, gain=GAIN, weight_std=0.1)
    problem = ge.OnlineSGD(network, ge.TwoLayer("erf", 2, gain=GAIN), rate=0.5, readout_rate=0.3, dimension=500)
    found = problem.fixed_points(np.geomspace(1.0, 300.0, 6), starts=4)
    saddles = np.flatnonzero((found.kind.values == "saddle") & (found.turning.values[:, 0] == 0))
    assert saddles.size
    point = found.isel(point=saddles[0])
    start, given = dynamics.posed(problem, instance_of(problem, 500), exact=True)
    drift = Drift(dynamics.averages_for(problem), given, start)
    q, r, v = (point[name].values for name in ("Q", "R", "readout"))  # one mode of eigenvalue 1: the state is what is observed
    x = drift.vector({"q": q[..., None], "r": r[..., None], "v": v})
    values, vectors = np.linalg.eig(drift.jacobian(x))
    way = vectors[:, np.argmax(values.real)].real
    rate = float(point.escape_rate)
    times = np.linspace(0.0, np.log(1e2) / rate, 6)
    begin = drift.state(x + 1e-6 * np.linalg.norm(x) * way / np.linalg.norm(way))
    states = flow(dynamics.equations(drift.averages)[0], begin, times, arguments=given, tolerance=1e-12, stiff=False).values
    distances = [np.linalg.norm(drift.vector({name: part[i] for name, part in states.items()}) - x) for i in range(6)]
    assert np.polyfit(times, np.log(distances), 1)[0] == pytest.approx(rate, rel=1e-3)


def test_points_are_ordered_possible_and_labelled():
    network = ge.TwoLayer("erf", 2, readout="ones", gain=GAIN)
    problem = ge.OnlineSGD(network, network, rate=0.5, readout_rate=0.0, dimension=500)
    found = problem.fixed_points(np.geomspace(1, 1e3, 5), starts=6)
    assert found.kind.values[0] == "stable" and "saddle" in found.kind.values
    assert np.all(np.diff(found.clean_error) >= 0) and found.clean_error[0] == pytest.approx(0.0, abs=1e-10)
    assert np.all((found.escape_rate > 0) == (found.kind == "saddle")) and np.all(found.drift < 1e-9)
    np.testing.assert_array_equal(found.growth[:, 0], found.escape_rate)
    T = instance_of(problem, 500).T
    for point in found.point.values:
        Q, R = found.Q.values[point], found.R.values[point]
        assert np.linalg.eigvalsh(np.block([[Q, R], [R.T, T]]))[0] > -1e-6
    again = problem.fixed_points(np.geomspace(1, 1e3, 5), starts=6)
    assert again.equals(found)


def test_differences_are_the_exact_slopes():
    """Also where student and teacher coincide, beyond which sums over points have no covariance."""
    exact, points = matched(1, 0.5), matched(1, 0.5, ge.Activation(lambda x: special.erf(x), name="mine"))
    for x in (np.array([1.0, 1.0]), np.array([0.8, 0.3])):
        assert points.jacobian(x) == pytest.approx(exact.jacobian(x), abs=1e-4 * np.abs(exact.jacobian(x)).max())


@pytest.mark.slow  # hundreds of unknowns
def test_a_generator_has_fixed_points_mode_by_mode():
    """The end of a long curve is a stable one; bins of modes have nearly its error and rate."""
    network = ge.TwoLayer("erf", 2, readout="ones", gain=GAIN)
    problem = ge.OnlineSGD(network, network, ge.RandomGenerator("sign", latent_ratio=0.4), rate=0.5, readout_rate=0.0, dimension=60)
    found = problem.fixed_points([5e3], starts=0)
    assert found.attrs["modes"] == 60 and found.kind.values.tolist() == ["stable"]
    end = ge.solve(problem, [1e4])
    assert float(found.clean_error[0]) == pytest.approx(float(end.clean_error[0]), rel=1e-4)
    assert found.Q.values[0] == pytest.approx(end.Q.values[0], rel=1e-3)
    binned = problem.fixed_points([5e3], starts=0, modes=40)
    assert binned.clean_error.values == pytest.approx(found.clean_error.values, rel=0.1)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"starts": -1}, "starts"), ({"times": [-1.0]}, "time"), ({"seed": 0.5}, "seed"), ({"modes": 0}, "modes")],
)
def test_bad_input_is_named(options, words):
    with pytest.raises(ArgumentError, match=words):
        ge.OnlineSGD(dimension=20).fixed_points(**({"starts": 1} | options))
