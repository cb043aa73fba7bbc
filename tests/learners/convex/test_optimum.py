"""Optimal hyperparameters against closed forms and brute force."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import optimize

import gaussequiv as ge
from gaussequiv.equivalence.offsets import FULL
from gaussequiv.errors import ArgumentError
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.ingredients.channels.binary import Binary
from gaussequiv.ingredients.losses.named import Square
from gaussequiv.learners.convex.lam_path import LamPath
from gaussequiv.learners.convex.optimum import FINE, GRID, SECANTS, _grid, _secants, best_lam, lam_slope, optimum_at
from gaussequiv.numerics.status import Status


def equivalent(channel, rho=1.0, noise=0.0, w=(1.0,), offset=None, offset_variance=0.0):
    """Raw inputs with modes w, signal variance rho and effective noise."""
    w = np.array(w, float)
    mass = np.full(w.size, 1 / w.size)
    return ge.GaussianEquivalent(w, mass, rho / float(mass @ w) * w**2, rho, np.array([noise]), offset_variance, channel, offset=offset)


ALPHA = np.array([0.5, 2.0, 6.0])


def brute(erm, e, alpha, name="test_error", around=1.0):
    """The least value over log lam near a given penalty, by a scalar search."""

    def value(y):
        return float(ge.ERM(erm.loss, float(np.exp(y)), erm.penalty, erm.intercept, erm.class_weight).solve(e, np.array([alpha]))[name][0])

    low, high = np.log(around) - 3, np.log(around) + 3
    found = optimize.minimize_scalar(value, bounds=(low, high), method="bounded", options={"xatol": 1e-7})
    return found.fun, float(np.exp(found.x))


@pytest.mark.parametrize(
    ("loss", "channel", "options"),
    [
        ("logistic", Sign(0.3), {}),
        ("logistic", Sign(0.3), {"minimise": "test_loss"}),
        ("logistic", Binary("logit", 0.1, 0.05), {"minimise": "brier"}),
        ("logistic", Sign(0.3), {"minimise": "calibration_error"}),
        ("hinge", Sign(0.1), {}),
        ("hinge", Sign(0.3), {"class_weight": {-1: 2, 1: 0.5}, "intercept": True, "minimise": "test_loss"}),
        ("huber:0.5", GaussianNoise(0.3), {}),
        ("absolute", GaussianNoise(0.3), {"minimise": "test_loss"}),
        ("quantile:0.3", GaussianNoise(0.3), {"minimise": "test_loss", "intercept": True}),
    ],
)
def test_optimal_lam_by_brute_force(loss, channel, options):
    e = equivalent(channel, noise=0.1, w=(0.5, 1.5))
    best = ge.ERM(loss, "optimal", **options).solve(e, ALPHA)
    name = options.get("minimise", "test_error")
    assert np.all(best["status"] == 0)
    for i in (0, 2):
        value, lam = brute(ge.ERM(loss, 1.0, **options), e, ALPHA[i], name, best["lam"][i])
        # the calibration error is E|gap|: its minimum may be a kink, which differences at a step of 1e-3 smooth out
        assert best[name][i] <= value * (1 + (1e-5 if name == "calibration_error" else 1e-9))
        assert best["lam"][i] == pytest.approx(lam, rel=3e-3)


def test_lam_star_of_the_square_loss_on_labels():
    """(1 - c)/c with c = (2/pi) s/rho at every alpha; pi/2 - 1 for the noiseless linear target."""
    for noise in (0.0, 0.4):
        e = equivalent(Sign(0.0), noise=noise)
        c = 2 / np.pi / (1 + noise)
        assert ge.ERM("square", "optimal").solve(e, ALPHA)["lam"] == pytest.approx(np.full(3, (1 - c) / c), rel=1e-6)


def test_lam_star_of_ridge():
    """tau/s for any spectrum (Cui, Krzakala, Zdeborova 2023, eq. 19-20)."""
    e = equivalent(GaussianNoise(0.3), rho=0.8, noise=0.1, w=(0.2, 1.0, 3.0))
    assert ge.ERM("square", "optimal").solve(e, ALPHA)["lam"] == pytest.approx(np.full(3, e.lam_optimal), rel=1e-6)


@pytest.mark.parametrize(
    ("rho", "tau", "lam"), [(1e-5, 1.0, 7e5), (1.0, 1e-6, 7e-6), (1.0, 0.3, 2.1), (1e-12, 1.0, 7e8), (1.0, 1e-12, 0.0)], ids=str
)
def test_optima_far_from_the_mean_eigenvalue(rho, tau, lam):
    """Inputs of eigenvalue 7 and (all but) the square loss: lam = 7 tau/rho, up to 1e8 and down to 1e-9 mean eigenvalues, 0 below."""
    best = ge.ERM("huber:1000", "optimal").solve(equivalent(GaussianNoise(tau), rho=rho, w=(7.0,)), np.array([2.0]))
    assert best["status"][0] == 0
    assert best["lam"][0] == pytest.approx(lam, rel=1e-3)


def test_two_hyperparameters_beat_every_pair_of_a_grid():
    e = equivalent(GaussianNoise(0.5), noise=0.1)
    best = ge.ERM("huber:1", "optimal", tune="threshold").solve(e, np.array([3.0]))
    grid = [ge.ERM(f"huber:{a}", "optimal").solve(e, np.array([3.0]))["test_error"][0] for a in (0.1, 0.5, 1, 2, 5, 1e3)]
    assert best["test_error"][0] <= min(grid) * (1 + 1e-8)


def test_the_elastic_net_prefers_ridge_on_a_gaussian_target():
    e = equivalent(GaussianNoise(0.3))
    best = ge.ERM("square", "optimal", "elastic_net:0.5", tune="l1_ratio").solve(e, np.array([2.0]))
    assert best["l1_ratio"][0] == pytest.approx(0, abs=1e-3)
    assert best["test_error"][0] == pytest.approx(ge.Ridge("optimal").solve(e, np.array([2.0]))["test_error"][0], rel=1e-6)


@pytest.mark.slow
def test_the_optimum_of_a_curve_averaged_over_offsets_is_flat():
    """The search takes few nodes for the offset's law; judged with all of them."""
    from gaussequiv.learners.convex.optimum import lam_slope

    e = ge.Problem(ge.DeepNetwork("relu", 2, task="classification", noise=0.02)).equivalent()
    alpha = np.array([0.7, 3.0])
    lam = ge.Logistic().solve(e, alpha)["lam"]
    there, beside = (lam_slope(ge.Logistic(), e, alpha, lam * factor) for factor in (1.0, 1.1))
    assert np.all(np.abs(there) < 1e-4 * np.abs(beside))


def test_auc_is_maximised():
    e = ge.Problem(ge.DeepNetwork("tanh", 2, weight_variance=4, task="classification")).equivalent()
    alpha = np.array([2.0])
    best = ge.ERM("logistic", minimise="auc").solve(e, alpha)
    others = [ge.Logistic(lam).solve(e, alpha)["auc"][0] for lam in (0.3 * best["lam"][0], 3 * best["lam"][0])]
    assert best["auc"][0] > max(others)


def test_a_search_that_is_cut_short_says_so(monkeypatch):
    full = optimize.minimize

    def short(*arguments, options, **rest):
        return full(*arguments, options=options | {"maxiter": 1}, **rest)

    learner, e = ge.ERM("huber:1", "optimal", tune="threshold"), equivalent(GaussianNoise(0.5), noise=0.1)
    assert learner.solve(e, np.array([3.0]))["status"].tolist() == [Status.converged]
    monkeypatch.setattr(optimize, "minimize", short)
    assert learner.solve(e, np.array([3.0]))["status"].tolist() == [Status.max_steps]


def test_only_hyperparameters_of_known_range_are_tuned():
    @dataclass(frozen=True)
    class Wide(Square):
        width: float = 1.0

    with pytest.raises(ArgumentError, match=r"`tune` must be hyperparameters with a known range .*tune='width'"):
        ge.ERM(Wide(), "optimal", tune=("width",))


@pytest.mark.parametrize(
    ("labels", "learner", "features"),
    [
        ({"labels": "logit", "flips": (0.2, 0.05)}, ge.ERM("hinge"), {"features": ge.NNGP(["relu"])}),
        ({"labels": "logit", "flips": (0.2, 0.05), "offset": -1.78}, ge.ERM("exponential", penalty="elastic_net:0.5"), {}),
    ],
    ids=["frequent label", "no weights"],
)
def test_the_best_student_may_lie_on_or_beside_a_plateau(labels, learner, features):
    """Where a student always says the frequent label, the error does not change with lam, and its slope is rounding."""
    problem = ge.Problem(ge.DeepNetwork((), **labels), learner=learner, **features)
    best = ge.solve(problem, [0.3, 1.3])
    assert best.converged.all()
    for lam in (0.3, 0.8, 5.0):
        other = ge.solve(ge.Problem(problem.target, learner=learner.with_hyperparameter("lam", lam), **features), [0.3, 1.3])
        assert np.all(best.test_error <= other.test_error + 1e-10)


def test_one_hyperparameter_at_a_given_penalty():
    """lam stays; the threshold is the best of a scalar search, and its curve stands beside it."""
    e = equivalent(GaussianNoise(0.5), noise=0.1)
    best = ge.ERM("huber:1", 0.05, tune="threshold").solve(e, np.array([1.5, 4.0]))
    for i, alpha in enumerate((1.5, 4.0)):

        def value(y, alpha=alpha):
            return float(ge.ERM(f"huber:{float(np.exp(y))!r}", 0.05).solve(e, np.array([alpha]))["test_error"][0])

        found = optimize.minimize_scalar(value, bounds=(-4, 4), method="bounded", options={"xatol": 1e-6})
        assert best["test_error"][i] == pytest.approx(found.fun, rel=1e-7)
        assert best["test_error"][i] == pytest.approx(value(np.log(best["threshold"][i])), rel=1e-9)


def test_a_hyperparameter_between_bounds_is_not_a_logarithm():
    """The level of the quantile loss whose fields, constants included, are nearest the labels is 1/2 for labels of symmetric noise."""
    e = equivalent(GaussianNoise(0.3), offset=0.4)
    best = ge.ERM("quantile:0.2", 0.3, intercept=True, tune="level").solve(e, np.array([3.0]))
    assert best["level"][0] == pytest.approx(0.5, abs=1e-4)
    assert best["status"][0] == 0


def test_where_there_is_nothing_to_learn_the_smallest_student_is_best():
    """Random labels: the end of the grid, a thousand mean eigenvalues."""
    lam = best_lam(ge.ERM("logistic", "optimal"), equivalent(Binary("random"), w=(2.0, 6.0)), np.array([0.5, 3.0]))
    np.testing.assert_allclose(lam, 4e3, rtol=1e-12)


def test_the_optimum_over_few_offsets_is_that_over_many():
    """d(test error)/d log lam by a finer rule vanishes beside its size at a tenth more lam."""
    e = equivalent(Sign(0.2), offset_variance=0.3)
    erm, alpha = ge.ERM("logistic", "optimal", intercept=True), np.array([2.0])
    lam = best_lam(erm, e, alpha)
    there, beside = (lam_slope(erm, e, alpha, lam * factor, FINE) for factor in (1.0, 1.1))
    assert abs(there[0]) < 1e-4 * abs(beside[0])


def test_an_optimum_is_remembered_for_its_learner_and_equivalent():
    one, other, erm = (
        equivalent(Sign(0.2)),
        equivalent(Sign(0.5)),
        ge.ERM("logistic", "optimal"),
    )
    found = optimum_at(erm, one, 2.0)
    assert optimum_at(erm, one, 2.0) is found
    assert optimum_at(erm, one, 3.0) is not found
    assert optimum_at(erm, other, 2.0)["lam"][0] != found["lam"][0]
    np.testing.assert_allclose(found["lam"], erm.solve(one, np.array([2.0]))["lam"], rtol=1e-9)


def test_the_search_ends_with_secant_steps_from_a_nearby_root():
    """The first takes the curvature that it is given, the others their own; y^3 - c has the roots c^(1/3)."""
    asked = []

    def cubes(y):
        asked.append(y)
        return y**3 - np.array([1.0, 8.0])

    found, arrived = _secants(cubes, np.array([1.01, 1.99]), np.array([3.2, 11.0]))
    np.testing.assert_allclose(found, [1, 2], atol=1e-5)
    assert len(asked) == 2 and arrived.all()
    asked.clear()
    np.testing.assert_allclose(_secants(cubes, np.array([1.3, 1.8]), np.array([4.0, 9.0]))[0], [1, 2], atol=1e-5)
    assert len(asked) == 4 < SECANTS
    asked.clear()
    np.testing.assert_allclose(_secants(cubes, np.array([1 + 2e-4, 2 - 3e-4]), np.array([3.0, 12.0]))[0], [1, 2], atol=1e-6)
    assert len(asked) == 1  # a move so short is the last
    far, arrived = _secants(lambda y: y - np.array([10.0, 0.2, 0.0]), np.zeros(3), np.array([1.0, np.nan, np.nan]))
    np.testing.assert_allclose(
        far, [0.3 * SECANTS, 0.2, 0.0], atol=1e-14
    )  # no step is longer than 0.3; a small one where the curvature says nothing
    assert arrived.tolist() == [False, True, True]
    for same in (0.0, 3e-18, np.nan):
        assert _secants(lambda y, same=same: np.full_like(y, same), np.ones(1), np.ones(1))[0][0] == 1


@pytest.mark.parametrize(
    ("loss", "variance", "alpha", "lam", "error"), [("hinge", 60.0, 0.3, 1.1925, 0.02643561), ("hinge", 100.0, 0.1, 1.1154, 0.02087970)]
)
def test_a_plateau_of_few_offsets_may_end_in_a_dip_of_more(loss, variance, alpha, lam, error):
    """Broad offsets of labels: the first few see students that learn nothing from lam = 1.8 on, where others still do."""
    e = ge.Problem(ge.DeepNetwork("relu", task="classification", noise=0.1, readout_bias_variance=variance)).equivalent()
    best = ge.ERM(loss, "optimal").solve(e, np.array([alpha]))
    assert best["status"][0] == 0
    assert (best["lam"][0], best["test_error"][0]) == (pytest.approx(lam, rel=1e-3), pytest.approx(error, rel=1e-6))
    for factor in (0.8, 1.25, 8.0):
        assert ge.ERM(loss, float(factor * best["lam"][0])).solve(e, np.array([alpha]))["test_error"][0] > best["test_error"][0]


def test_students_without_weights_rank_nothing():
    """Their ranking is that of no student, so that the one that ranks best has weights."""
    e = ge.Problem(ge.DeepNetwork("erf", weight_variance=4, noise=0.1, task="classification", labels="logit")).equivalent()
    alpha = np.array([0.3])
    empty = ge.ERM("squared_hinge", 100.0, "l1").solve(e, alpha)
    assert empty["auc"][0] == pytest.approx(0.5, abs=1e-9) and empty["q"][0] < 1e-20
    best = ge.ERM("squared_hinge", "optimal", "l1", minimise="auc").solve(e, alpha)
    assert best["status"][0] == 0 and best["auc"][0] == pytest.approx(0.519590, abs=1e-5)


def test_searches_begin_in_the_middle_of_what_the_inputs_ask_for():
    """Penalties count in mean eigenvalues; with inputs a thousand times as large the same grid, times a thousand, in the same order."""
    erm, order = ge.ERM("logistic", "optimal"), []
    for scale in (1.0, 1000.0):
        path = LamPath(erm, equivalent(Sign(0.1), w=(0.5 * scale, 1.5 * scale)), ALPHA, FULL)
        assert path.model.scale == pytest.approx(scale)
        logs = _grid(path, several=False)
        assert logs[0] == pytest.approx(np.log(scale) + GRID[np.argmin(np.abs(GRID))])
        assert np.all(np.diff(np.abs(logs - np.log(scale))) > -1e-9)
        order.append(logs - np.log(scale))
    np.testing.assert_allclose(order[0], order[1], atol=1e-9)


def test_searches_begin_where_students_have_few_weights_left_if_penalty_or_loss_has_kinks():
    """L1 students of a square loss, from a penalty some seven times below that which leaves none; of a hinge, from the largest penalty."""
    path = LamPath(ge.ERM("square", "optimal", "l1"), equivalent(GaussianNoise(0.1), w=(1000.0,), rho=40.0), ALPHA, FULL)
    logs = _grid(path, several=False)
    some = np.log(0.15 * np.median(path.model.empty(path.model.points(ALPHA, np.ones(3)))))
    assert abs(some) > 2 and np.all(np.diff(np.abs(logs - some)) > -1e-9)
    few, none = (ge.ERM("square", lam, "l1").solve(path.model.e, ALPHA[1:2])["q"][0] for lam in np.exp(logs[0]) * np.array([1, 15]))
    assert 0.1 < few < 40 and none < 1e-12
    hinge = _grid(LamPath(ge.ERM("hinge", "optimal"), equivalent(Sign(0.1)), ALPHA, FULL), several=False)
    assert np.all(np.diff(hinge) < 0)
