"""Fixed points and thresholds against published numbers, and the stationarity of the free entropy."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import gaussequiv as ge
from gaussequiv.equivalence.prior_side import Coordinates, GaussianModes, Independent, prior_side
from gaussequiv.learners.bayes.fixed_points import Potential, _interpolated, potentials


def potential(target, inputs=None):
    return Potential(ge.Problem(target, inputs or ge.GaussianInputs()).equivalent())


def steep(z):
    return np.tanh(3 * z)


RADEMACHER = ge.LinearTarget("rademacher", labels="sign")


def test_rademacher_and_sign():
    """deep-learning phase transition of the binary perceptron: 1.2447 (Gyorgyi 1990: 1.245), spinodal 1.4926 (1.493)."""
    found = potential(RADEMACHER)
    edge = found.thresholds().transitions
    assert len(edge) == 1
    assert edge[0].information_theoretic == pytest.approx(1.2447, abs=5e-5)
    assert edge[0].algorithmic == pytest.approx(1.4926, abs=5e-5)
    assert edge[0].informed == 0.0
    for alpha, q, error in ((1.0, 0.56071, 0.23063), (1.4, 0.78970, 0.15164)):
        low = found.chosen(alpha, "uninformed")
        assert low.q == pytest.approx(q, abs=5e-6)
        assert np.arccos(np.sqrt(low.q)) / np.pi == pytest.approx(error, abs=5e-6)
        assert found.chosen(alpha, "informed").perfect


def test_the_perfect_branch_has_the_entropy_of_the_prior():
    top = potential(RADEMACHER).chosen(1.4, "informed")
    assert top.free_entropy == pytest.approx(-np.log(2), abs=1e-6)
    assert top.left == 0.0


def test_gaussian_prior_and_sign():
    """alpha = 1, 5, 20: 0.25437, 0.08394, 0.02201; the error falls like 0.44/alpha."""
    found = potential(ge.DeepNetwork((), labels="sign"))
    for alpha, error in ((1.0, 0.25437), (5.0, 0.08394), (20.0, 0.02201)):
        (point,) = found.solutions(alpha)
        assert np.arctan2(np.sqrt(point.left), np.sqrt(point.q)) / np.pi == pytest.approx(error, abs=6e-6)
    (far,) = found.solutions(1e4)
    assert 1e4 * np.arctan2(np.sqrt(far.left), np.sqrt(far.q)) / np.pi == pytest.approx(0.442, abs=1e-3)


def test_deep_target_with_a_steep_readout():
    """L = 2, tanh(2x), y = tanh(3 S) + noise of variance 0.05: q, qhat, I/d at alpha = 0.5, 1, 3."""
    found = potential(ge.DeepNetwork("tanh", depth=2, weight_variance=4, labels=ge.Output(steep, 0.05)))
    table = ((0.5, 0.246158, 0.326537, 0.194776), (1.0, 0.426979, 0.745136, 0.355056), (3.0, 0.752987, 3.048377, 0.770128))
    for alpha, q, qhat, information in table:
        point = found.chosen(alpha, "equilibrium")
        assert point.q / found.total == pytest.approx(q, abs=6e-7)
        assert point.R * found.total == pytest.approx(qhat, abs=6e-7)
        assert alpha * found.ceiling - point.free_entropy == pytest.approx(information, abs=6e-7)


@pytest.mark.parametrize(
    "target", [RADEMACHER, ge.DeepNetwork("tanh", depth=2, weight_variance=4, labels=ge.Output(steep, 0.05))], ids=["sign", "steep"]
)
def test_the_precision_is_twice_alpha_times_the_slope_of_psi(target):
    """r = 2 alpha Psi'(q), to 1e-6, at the fixed point of alpha = 1."""
    found = potential(target)
    point = found.chosen(1.0, "uninformed")
    h, V = 0.02 * min(point.q, point.left), point.left + found.noise
    psi = [float(found.channel.psi(point.q + k * h, V - k * h)) for k in (-3, -2, -1, 1, 2, 3)]
    slope = (-psi[0] + 9 * psi[1] - 45 * psi[2] + 45 * psi[3] - 9 * psi[4] + psi[5]) / (60 * h)
    assert 2 * slope == pytest.approx(point.R, rel=1e-6)


def test_noiseless_phase_retrieval():
    """Weak recovery at 1/2, perfect recovery at 1, message passing at 1.128 (Barbier et al. 2019; Mondelli, Montanari 2018)."""
    edges = potential(ge.LinearTarget(labels=ge.AbsoluteValue())).thresholds()
    assert edges.weak_recovery == pytest.approx(0.5, abs=1e-6)
    assert edges.perfect == pytest.approx(1.0, abs=1e-6)
    assert edges.transitions[0].algorithmic == pytest.approx(1.128, abs=5e-4)


def test_noiseless_compressed_sensing_and_relu():
    edges = potential(ge.LinearTarget("gauss-bernoulli:0.3")).thresholds()
    assert edges.perfect == pytest.approx(0.3, abs=1e-5)
    assert 0.3 < edges.transitions[0].algorithmic < 1
    assert potential(ge.LinearTarget(labels=ge.Relu())).thresholds().perfect == pytest.approx(2.0, abs=1e-5)  # half of the rows are linear
    assert potential(ge.DeepNetwork(())).thresholds().perfect == pytest.approx(1.0, abs=1e-9)


def _spread(R, density):
    """R E Var[x | R x + sqrt(R) z] for x = -1 or +1 with probability density/2 each, else 0, by the trapezoidal rule."""
    b, step = np.linspace(-R - 40 * np.sqrt(R), R + 40 * np.sqrt(R), 200_001, retstep=True)
    ones = np.log(0.5 * density) - 0.5 * R + np.stack([-b, b])
    total = np.logaddexp(np.logaddexp(*ones), np.log1p(-density))
    low, high = np.exp(ones - total)
    mass = np.exp(total - 0.5 * b * b / R) / np.sqrt(2 * np.pi * R)
    return R * float(np.sum(mass * (low + high - (high - low) ** 2)) * step)


@pytest.mark.parametrize("density", [1e-4, 0.003, 0.1, 0.6])
def test_finitely_many_values_without_noise(density):
    """One label tells every weight (Wu, Verdu 2010: information dimension 0); message passing needs max_R R mmse(R)."""
    found = potential(ge.LinearTarget(f"sparse-rademacher:{density}")).thresholds()
    (edge,) = found.transitions
    assert (edge.informed, edge.information_theoretic, found.perfect) == (0.0, 0.0, 0.0)
    start = max(np.geomspace(0.5, 100, 60), key=lambda R: _spread(R, density))
    best = minimize_scalar(lambda x: -_spread(np.exp(x), density), bounds=(np.log(start) - 0.2, np.log(start) + 0.2), method="bounded")
    assert edge.algorithmic == pytest.approx(-best.fun, rel=1e-6)


def test_little_noise_is_near_the_limit_without():
    """alpha (1/2) log(signal/noise) = entropy of a weight, up to terms of order alpha: slowly to 0."""
    density = 0.1
    entropy = -density * np.log(density / 2) - (1 - density) * np.log(1 - density)
    for noise in (1e-6, 1e-10):
        found = potential(ge.LinearTarget("sparse-rademacher:0.1", noise=noise)).thresholds().transitions[0]
        assert found.information_theoretic == pytest.approx(2 * entropy / np.log(density / noise), rel=0.1)


def test_a_share_of_a_density_is_not_taken_for_none():
    edge = potential(ge.LinearTarget("gauss-bernoulli:0.001")).thresholds().transitions[0]
    assert edge.informed == edge.information_theoretic == pytest.approx(0.001, rel=1e-5)


@pytest.mark.parametrize(
    "target",
    [
        RADEMACHER,
        ge.LinearTarget("gauss-bernoulli:0.2", noise=0.1),
        ge.LinearTarget("sparse-rademacher:0.3", labels=ge.Relu(0.1)),
        ge.DeepNetwork("erf", labels=ge.Quantised((-0.5, 0.5), 0.1)),
        ge.LinearTarget(ge.LogDensity(lambda x: -abs(x), kinks=(0.0,)), labels="logit"),
    ],
    ids=["sign", "sparse", "relu", "quantised", "laplace"],
)
def test_the_free_entropy_is_stationary_at_fixed_points(target):
    """d phi/d alpha = Psi(q): the derivative along the branch is the explicit one (and dI/dalpha = Psi(S) - Psi(q))."""
    found = potential(target)
    at = [found.chosen(1.0 + k * 2e-3, "uninformed").free_entropy for k in (-2, -1, 1, 2)]
    slope = (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * 2e-3)
    point = found.chosen(1.0, "uninformed")
    known = found.side.at(point.R)
    assert slope == pytest.approx(found.output(known), abs=2e-8)


@pytest.mark.parametrize("prior", ["rademacher", "gauss-bernoulli:0.2", "sparse-rademacher:0.5", "gaussian:2"])
@pytest.mark.parametrize("R", [1e-3, 0.7, 30.0])
def test_overlap_is_twice_the_slope_of_psi_and_closes_the_variance(prior, R):
    side = Independent(ge.LinearTarget(prior).prior, 1.7)
    h = 1e-3 * R
    psi = [side.at(R + k * h).psi for k in (-2, -1, 1, 2)]
    known = side.at(R)
    assert (psi[0] - 8 * psi[1] + 8 * psi[2] - psi[3]) / (6 * h) == pytest.approx(known.q, rel=1e-7)
    assert known.q + known.left == pytest.approx(side.total, rel=1e-10)


def test_independent_gaussian_weights_are_modes():
    a, b = Independent(ge.LinearTarget("gaussian:2").prior, 0.5), GaussianModes(np.array([1.0]), np.ones(1))
    for R in (1e-6, 0.3, 50.0, 1e8):
        assert a.at(R) == pytest.approx(b.at(R), rel=1e-9, abs=1e-12)


def test_small_precisions_keep_their_digits():
    known = GaussianModes(np.array([0.4, 1.6]), np.array([0.5, 0.5])).at(1e-9)
    assert known.psi == pytest.approx(0.25e-18 * (0.16 + 2.56) / 2, rel=1e-8)


def test_the_mmse_of_large_precision_keeps_its_digits():
    """Rademacher: E sech^2 decays like exp(-R/2); sparse: density/R."""
    side = Independent(ge.LinearTarget("rademacher").prior, 1.0)
    series = 1 - np.pi**2 / 480 + 5 * np.pi**4 / 460_800 - 61 * np.pi**6 / 663_552_000  # of int exp(-b^2/120)/cosh(b) db/pi
    assert side.at(60.0).left == pytest.approx(np.exp(-30) * np.sqrt(np.pi / 120) * series, rel=2e-5)
    sparse = Independent(ge.LinearTarget("gauss-bernoulli:0.3").prior, 1.0)
    assert sparse.at(1e12).left * 1e12 == pytest.approx(0.3, rel=1e-4)


def test_independent_weights_need_their_own_coordinates():
    inputs = ge.GaussianInputs(covariance=np.diag([1.0, 2.0, 3.0]) + 0.1)
    with pytest.raises(ge.ArgumentError, match="isotropic or a spectrum"):
        prior_side(ge.Problem(RADEMACHER, inputs).equivalent())
    assert np.isfinite(ge.solve(ge.Problem(RADEMACHER, inputs, ge.Ridge(0.1)), [1.0]).test_error[0])


def test_a_long_spectrum_is_interpolated_without_loss():
    """Gaussian weights one coordinate at a time against the modes' closed form."""
    scales, weights = np.geomspace(0.01, 5, 40), np.full(40, 1 / 40)
    side, modes = Coordinates(ge.LinearTarget("gaussian:2").prior, scales, weights), GaussianModes(2 * scales, weights)
    for R in (1e-4, 0.3, 40.0, 1e6):
        assert side.at(R) == pytest.approx(modes.at(R), rel=1e-7)


def test_binary_weights_on_two_variances():
    """The slope of psi is half the overlap, and overlap and rest close the signal."""
    side = prior_side(ge.Problem(RADEMACHER, ge.GaussianInputs("two-level:4:0.2:0.2")).equivalent())
    h = 1e-3
    assert (side.at(1 + h).psi - side.at(1 - h).psi) / h == pytest.approx(side.at(1.0).q, rel=1e-6)
    assert side.at(1.0).q + side.at(1.0).left == pytest.approx(side.total, rel=1e-12)


def test_a_target_without_a_linear_part_teaches_nothing():
    """He3 has no linear coefficient: q = 0, the error is the labels' variance, for every kind of channel and every verb."""
    target = ge.DeepNetwork("hermite:3", readout_variance=4, labels=ge.Output(lambda z: np.tanh(2 * z), 1.0))
    problem = ge.Problem(target, learner=ge.BayesOptimal())
    found = ge.solve(problem, [1.0, 20.0])
    z, w = np.polynomial.hermite_e.hermegauss(120)
    rho = float(problem.equivalent().model_noise)
    variance = float(w @ np.tanh(2 * np.sqrt(rho) * z) ** 2 / w.sum())
    assert np.allclose(found.test_error, 1 + variance, rtol=1e-3)  # Hermite nodes for a steep function
    assert np.all(found.overlap == 0) and np.all(found.excess_over_floor == 0) and np.all(found.status == 0)
    assert np.allclose(found.mutual_information, 0, atol=1e-12)
    assert ge.thresholds(problem).weak_recovery == np.inf
    assert np.allclose(ge.information(problem, [1.0]).overlap, 0)


@pytest.mark.parametrize("target", [RADEMACHER, ge.LinearTarget("sparse-rademacher:0.1"), ge.LinearTarget("gauss-bernoulli:0.3")], ids=repr)
def test_the_curve_ends_where_little_is_left_and_not_nothing(target):
    found = potential(target)
    left = found.side.at(found.grid[-1]).left / found.total
    assert 1e-17 < left < 1e-12
    assert found.side.at(found.grid[-2]).left > found.side.at(found.grid[-1]).left
    assert np.all(np.isfinite(found.alphas))


def test_one_potential_for_every_offset():
    """A target with a random constant part: the nodes of its law are the offsets, their weights add up to 1."""
    e = ge.Problem(ge.DeepNetwork("relu", 1, labels="sign", bias_variance=0.3)).equivalent()
    curves, mass = potentials(e, 1.0)
    assert mass.sum() == pytest.approx(1, abs=1e-9)
    assert mass @ np.array([curve.b0 for curve in curves]) ** 2 == pytest.approx(e.offset_variance, rel=1e-3)
    for curve in (curves[0], curves[-1]):
        point = curve.chosen(1.0, "equilibrium")
        assert point.R == pytest.approx(float(e.channel.fisher(np.array(point.q), point.left + e.model_noise, curve.b0)), rel=1e-8)


def test_knowing_nothing_is_a_fixed_point_of_labels_without_a_sign():
    """q = 0 solves state evolution at any alpha, stable up to weak recovery and unstable above."""
    found = potential(ge.LinearTarget(labels="abs", noise=0.1))
    for alpha in (0.6 * found.onset, found.onset, 1.7 * found.onset):
        zero = found.solutions(alpha)[0]
        assert (zero.R, zero.q, zero.left, zero.free_entropy) == (0.0, 0.0, found.total, pytest.approx(alpha * found.output(found.start)))
        assert zero.stable == (alpha <= found.onset) == (zero in found.solutions(alpha, stable=True))


RISES, FALLS = True, False
FOLD = [(2.0, 1.5, True), (5.0, 1.2, False)]  # a maximum and a minimum of alpha(R)


def curve(turns, segments, end, *, noise=0.0, blind=False, diverges=False, onset=0.0, equal=1.3):
    """What `thresholds` asks of a curve alpha(R) whose last slope in logarithms is `end`."""
    asked = []
    grid, alphas = [1.0, 10.0, 20.0], np.array([0.7, 4.0, 4.0 * 2.0**end])
    parts = [(0.0, 1.0, rises) for rises in segments]
    channel = SimpleNamespace(noise=0.5 * noise)
    own = {"silent": False, "blind": blind, "extrema": lambda: list(turns), "_segments": parts, "alphas": alphas, "grid": grid}
    own |= {"diverges": diverges, "onset": onset, "noise": 0.5 * noise, "channel": channel}
    own["_equal"] = lambda *at: asked.append(at) or equal
    return Potential.thresholds(SimpleNamespace(**own)), asked


def test_thresholds_of_a_fold():
    found, asked = curve(FOLD, (RISES, FALLS, RISES), 1.0, noise=0.2)
    assert found == (0.0, ((1.2, 1.3, 1.5),), np.inf) and asked == [(1.2, 1.5, 2.0, 5.0)]
    # without noise, where alpha(R) ends flat: perfect from there on
    assert curve(FOLD, (RISES, FALLS, RISES), 0.0)[0].perfect == 4.0
    assert curve(FOLD, (RISES, FALLS, RISES), 0.0, noise=0.2)[0].perfect == np.inf
    assert curve(FOLD, (RISES, FALLS, RISES), 0.2)[0].perfect == np.inf
    # a lower branch that starts nearly at 0
    assert curve([(2.0, 1.5, True), (5.0, 1e-4, False)], (RISES, FALLS, RISES), 1.0)[0].transitions == ((0.0, 1.3, 1.5),)


def test_thresholds_of_a_curve_that_ends_falling():
    found, asked = curve([(2.0, 5.0, True)], (RISES, FALLS), -0.05)
    assert found == (0.0, ((4.0 * 2.0**-0.05, 1.3, 5.0),), 1.3) and asked == [(pytest.approx(4.0 * 2.0**-0.05), 5.0, 2.0, 20.0)]
    # on to 0: finitely many values, informed at any alpha
    found, asked = curve([(2.0, 5.0, True)], (RISES, FALLS), -0.3)
    assert found.transitions == ((0.0, 1.3, 5.0),) and asked[0][0] == pytest.approx(4.0 * 2.0**-0.3)
    # full knowledge of infinite free entropy is the equilibrium as soon as it is there
    found, asked = curve([(2.0, 5.0, True)], (RISES, FALLS), -0.05, diverges=True)
    assert found.transitions[0].information_theoretic == found.transitions[0].informed == found.perfect and not asked


def test_thresholds_of_labels_that_tell_nothing_at_zero():
    found, asked = curve([(3.0, 0.4, False)], (FALLS, RISES), 1.0, noise=0.2, blind=True, onset=0.9)
    assert found == (0.9, ((0.4, 1.3, 0.9),), np.inf) and asked == [(0.4, 0.9, 0.0, 3.0)]
    assert curve([], (RISES,), 1.0, noise=0.2, blind=True, onset=0.9)[0] == (0.9, (), np.inf)
    assert curve([], (RISES,), 0.0)[0] == (0.0, (), 4.0)


def wavy(R):
    """log alpha = log(R)/4 + sin(log R): extrema where cos(log R) = -1/4."""
    return np.exp(0.25 * np.log(R) + np.sin(np.log(R)))


def test_extrema_and_stretches_of_a_curve():
    turn = np.arccos(-0.25)
    own = SimpleNamespace(alpha=wavy, grid=np.exp(np.linspace(-3, 6, 40)).tolist())
    own.alphas, own._polish = np.array([wavy(R) for R in own.grid]), lambda *at: Potential._polish(own, *at)
    own.extrema = lambda: Potential.extrema(own)
    for own.blind in (True, False):  # falling from its first point, and called rising there
        found = own.extrema()
        assert [maximum for *_, maximum in found] == [False, True, False]
        places = np.array([R for R, *_ in found])
        np.testing.assert_allclose(np.log(places), [-turn, turn, 2 * np.pi - turn], atol=1e-5)
        np.testing.assert_allclose([value for _, value, _ in found], wavy(places), rtol=1e-10)
        ends = [own.grid[0], *places, own.grid[-1]]
        expected = [(*pair, rises) for pair, rises in zip(itertools.pairwise(ends), (False, True, False, True), strict=True)]
        assert Potential.segments(own) == expected


def test_rounding_makes_no_extrema():
    R = np.geomspace(0.1, 100, 30)
    own = SimpleNamespace(blind=False, grid=R.tolist(), alphas=10 * (1 + 1e-9 * (-1.0) ** np.arange(30)), _polish=lambda *at: at)
    assert Potential.extrema(own) == []
    own.alphas = np.where(np.arange(30) < 15, R, R[14] * (1 + 1e-8 * (-1.0) ** np.arange(30)))  # rises, then stays
    assert Potential.extrema(own) == []
    own.alphas = np.where(np.arange(30) < 15, R, R[14] / (R / R[14]))
    ((_, i, maximum),) = Potential.extrema(own)
    assert (i, maximum) == (14, True)


def test_roots_are_interpolated_from_what_is_known_of_the_curve():
    """Three more points of alpha(R), where its bracket in the grid, or the end of a stretch, does not say it already."""
    e = ge.Problem(ge.LinearTarget("gaussian", labels="abs:0.1"), learner=ge.BayesOptimal()).equivalent()
    curve = Potential(e)
    (a, b, _), *_ = curve.segments()
    known = len(curve._memory)
    for share in (0.1, 0.5, 0.93):
        alpha = float(curve.alpha(a) ** (1 - share) * curve.alpha(b) ** share)
        assert curve.alpha(curve._root(alpha, a, b)) == pytest.approx(alpha, rel=1e-12)
    assert len(curve._memory) <= known + 3 * 4
    for k in (1, 5, 12, len(curve.grid) - 2):
        for ulps in (-300, -30, -3, -1, 0, 1, 3, 30, 300):
            beside = curve.alpha(curve.grid[k]) * (1 + ulps * 2.2e-16)
            assert curve.alpha(curve._root(beside, a, b)) == pytest.approx(beside, rel=1e-12)
    assert curve._root(0.5 * curve.alpha(a), a, b) == a


def test_inverse_interpolation():
    values = [x**3 - 2 for x in (1.0, 1.2, 1.4, 1.6)]
    assert _interpolated(values, [1.0, 1.2, 1.4, 1.6]) == pytest.approx(2 ** (1 / 3), abs=2e-3)
    assert _interpolated([-1.0, 3.0], [2.0, 6.0]) == pytest.approx(3.0)
    assert _interpolated([0.0, 1.0, 4.0], [7.0, 8.0, 5.0]) == 7.0
    assert np.isnan(_interpolated([1.0, 1.0], [2.0, 3.0]))


@pytest.mark.parametrize("labels", [lambda z: 0.1 + 0.8 * np.exp(-((z - 0.5) ** 2)), ge.Output(np.tanh, noise=0.1)], ids=["binary", "real"])
def test_curves_at_many_offsets_are_those_at_each(labels):
    """The first grid is asked for all offsets together; what is known is not asked again."""
    task = "regression" if isinstance(labels, ge.Output) else "classification"
    e = ge.Problem(ge.DeepNetwork("tanh", bias_variance=0.3, labels=labels, task=task)).equivalent()
    curves, _ = potentials(e, 2.0)
    assert len(curves) > 5
    for curve in curves[:: max(len(curves) // 4, 1)]:
        alone = Potential(e, curve.b0)
        assert len(curve.seen) > 10 and not alone.seen
        assert set(curve.seen) <= set(curve.grid) == set(alone.grid)
        np.testing.assert_allclose(curve.alphas, alone.alphas, rtol=1e-11)


def test_fixed_points_before_the_first_of_the_grid():
    """Gaussian labels: R (S/(1 + R S) + tau) = alpha, a quadratic. Labels without a sign: alpha - weak recovery is proportional to R."""
    found = potential(ge.LinearTarget("gaussian:2", noise=0.3))
    even = potential(ge.LinearTarget("gaussian:2", labels=lambda z: 0.1 + 0.8 / (1 + z * z), task="classification"))
    first = even.grid[0]
    slope = (even.alpha(4 * first) - even.alpha(2 * first)) / (2 * first)
    for share in (0.01, 0.3):
        alpha = share * found.alpha(found.grid[0])
        (point,) = found.solutions(alpha)
        b = 2 + 0.3 - 2 * alpha
        assert point.R == pytest.approx(2 * alpha / (b + np.sqrt(b * b + 4 * 0.6 * alpha)), rel=1e-12)
        assert point.stable and point.q == pytest.approx(point.R * 4 / (1 + 2 * point.R), rel=1e-12)
        zero, point = even.solutions(even.onset + share * slope * first)
        assert zero.R == 0 and not zero.stable and point.stable and point.R == pytest.approx(share * first, rel=1e-4)
