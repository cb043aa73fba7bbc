"""Ways to solutions: labels that are nearly all alike, offsets beside solved ones, students without weights, optima beside plateaus."""

import numpy as np
import pytest
from scipy.special import expit

import gaussequiv as ge
from gaussequiv.learners.convex.model import Model, Points
from gaussequiv.learners.convex.offsets import Starts
from gaussequiv.learners.convex.optimum import best_lam
from gaussequiv.learners.convex.routes import EASY, HARDLY, Routes
from gaussequiv.learners.convex.saddle_point import SaddlePoint
from gaussequiv.numerics.status import Status

BIASES = {"bias_variance": 0.3, "readout_bias_variance": 0.2}
UNEVEN = ge.Problem(ge.DeepNetwork("relu", 2, task="classification", **BIASES)).equivalent()


def rising(z):
    return 0.05 + 0.9 * expit(3 * z)


def test_a_loss_with_a_kink_on_labels_that_are_nearly_all_alike():
    """Offsets at which 1 of 1e3 to 1e6 labels is -1: few rows respond, V is nearly 1/lam, and the first update with that V is near."""
    model = Model(ge.ERM("hinge", 0.01), UNEVEN)
    b0 = np.array([1.5, 1.8, 2.0, 2.2, 2.45])
    at = Points(np.full(5, 1.3), np.full(5, 0.01), b0)
    found = Routes(model).solve(at)
    assert np.all(found.status == Status.converged) and found.steps.max() <= 70
    assert np.all(found.fields.V > 90) and np.all(found.fields.q < 1e-3)
    damped = Routes(model)._damped(at)
    assert np.all(damped.status == Status.converged) and damped.steps.max() > 70
    np.testing.assert_allclose(found.unknowns, damped.unknowns, rtol=1e-6, atol=1e-8)


def test_the_first_update_is_that_of_the_losses_at_V():
    """At V = 0 that of the slopes; on labels -1 a hinge that does not reach 1 has g = (1 + c)/V there."""
    model = Model(ge.ERM("hinge", 0.01), UNEVEN)
    b0, c = np.array([0.5, 2.0]), np.array([0.3, 1.0 + 1e-9])
    narrow = model.first_update(b0, c, np.full(2, 1e-12))
    np.testing.assert_allclose(narrow, model.slopes(b0, c)[:2], rtol=1e-9)
    square, field = model.first_update(b0[1:], c[1:], np.array([100.0]))
    down = model.channel.probability(-1.0, b0[1:], np.array([model.rho]))
    np.testing.assert_allclose([square, field], [down.value * 0.02**2, -down.first * 0.02], rtol=1e-7)


def test_offsets_beside_solved_ones_are_solved_from_those():
    """Hinge and L1 on links that rise: half of the first offsets are not solved soon, and all from their neighbours."""
    target = ge.DeepNetwork("tanh", task="classification", bias_variance=0.3, labels=rising)
    e = ge.Problem(target).equivalent()
    model = Model(ge.ERM("hinge", 0.1, "l1"), e)
    at = model.points(np.array([4.0]), np.array([0.1]))
    found = Routes(model).solve(at)
    assert np.all(found.status == Status.converged)
    assert found.steps.sum() < 20 * found.steps.size  # 44 for each where they go the long way
    some = np.arange(0, at.b0.size, 9)
    alone = Routes(model)._descend(at.take(some))
    np.testing.assert_allclose(alone.fields, found.take(some).fields, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("known", [False, True])
def test_where_no_weight_is_left_is_known_far_from_there_without_looking(known):
    """Between offsets whose limits are known, by those; elsewhere by its own."""
    erm = ge.ERM("huber", 0.1, "l1")
    model, other = (Model(erm, UNEVEN) for _ in range(2))
    if known:
        model.untrained(np.array([0.0, 1.0, 2.0]))
    b0 = np.tile(np.linspace(0.0, 2.0, 9), 5)
    lam = np.repeat(np.geomspace(1e-3, 1e3, 5), 9)
    at = Points(np.full(45, 2.0), lam, b0)
    for share in (1.0, HARDLY):
        np.testing.assert_array_equal(model.gone(at, share), lam >= other.empty(at) * (share - 1e-9))
    np.testing.assert_array_equal(model.capped(at).lam, np.minimum(lam, other.empty(at)))
    low = Points(at.load, np.full(45, 1e-6), b0)
    fresh = Model(erm, UNEVEN)
    fresh.untrained(np.array([-0.1, 2.1]))
    assert not fresh.gone(low).any() and len(fresh._constants) == 2
    assert not Model(ge.ERM("huber", 0.1), UNEVEN).gone(at).any()


def test_the_rest_of_a_curve_is_not_tried_after_an_offset_that_is_not_solved(monkeypatch):
    """The average needs them all: those of the other alpha are, and a rare offset that is nearly solved does no harm."""
    model = Model(ge.ERM("logistic", 0.1), UNEVEN)
    at = model.points(np.array([1.0, 2.0]), np.full(2, 0.1))
    afar = Routes._from_afar

    def spoiled(residual):
        def from_afar(self, some):
            solution = afar(self, some)
            hurt = np.flatnonzero(some.load == 2.0)[:1]
            solution.status[hurt], solution.residual[hurt] = Status.max_steps, residual
            return solution

        return from_afar

    monkeypatch.setattr(Routes, "_from_afar", spoiled(1.0))
    found = Routes(model).solve(at)
    first = at.load == 1.0
    assert np.all(found.status[first] == Status.converged)
    untried = ~first & np.isinf(found.residual)
    assert 3 * untried.sum() > 2 * (~first).sum() and np.all(found.status[untried] == Status.max_steps)
    assert np.all(found.steps[untried] == 0)
    monkeypatch.setattr(Routes, "_from_afar", spoiled(1e-9))
    found = Routes(model).solve(at)
    assert np.sum(found.status != Status.converged) == 1 and np.isfinite(found.residual).all()


@pytest.mark.parametrize("lam", [0.0, 1e-5, 0.3])
def test_long_ways_are_taken_at_the_last_penalty_alone(lam, monkeypatch):
    """Continuation in lam fails at every level: what is tried long is the penalty asked for."""
    model = Model(ge.ERM("huber", 0.1), ge.Problem(ge.DeepNetwork("tanh", noise=0.1)).equivalent())
    at = Points(np.array([2.0]), np.array([lam]), np.zeros(1))
    routes, short, long = Routes(model), [], []

    def watched(seen):
        def way(some, _start, found):
            seen.extend(some.lam.tolist())
            return found

        return way

    def lost(self, start, *_, **__):
        solution = solve(self, np.tile(model.start(at), (len(start), 1)))
        solution.status[:] = Status.max_steps
        return solution

    solve = SaddlePoint.solve
    monkeypatch.setattr(SaddlePoint, "solve", lost)
    routes.ways, routes.long_ways = (watched(short),), (watched(long),)
    routes.solve(at)
    assert short[0] == pytest.approx(max(lam, EASY * model.scale)) and short[-1] == lam
    assert long[-1] == lam and all(one <= max(lam, 1.01e-4 * EASY * model.scale) for one in long) and len(long) <= 2
    assert len(short) == {0.0: 6, 1e-5: 4, 0.3: 1}[lam]


def test_beside_students_without_weights_there_is_nothing_to_iterate(monkeypatch):
    """Absolute residuals of labels relu(field) where half of the labels are 0: growth below 1, for neighbours too."""
    e = ge.GaussianEquivalent(np.ones(1), np.ones(1), np.array([0.7]), 0.7, np.array([0.2]), 0.0, ge.Relu(), offset=-0.9)
    model = Model(ge.ERM("absolute", 0.3, intercept=True), e)
    at = Points(np.array([300.0, 400.0]), np.full(2, 0.3), np.full(2, -0.9))
    known = Routes(model).solve(at)
    assert np.all(known.status == Status.converged) and np.all(known.fields.q < 1e-20)
    starts = Starts(known.unknowns.copy(), known.sign, np.zeros(2))
    beyond = Points(np.array([300.0, 0.3]), at.lam, at.b0)  # the second has weights
    calls = []
    solve = SaddlePoint.solve
    monkeypatch.setattr(SaddlePoint, "solve", lambda self, start, *a, **k: calls.append(len(start)) or solve(self, start, *a, **k))
    again = Routes(model).solve_near(at, starts)
    assert calls == [] and again.steps.tolist() == [0.0, 0.0]
    np.testing.assert_array_equal(again.unknowns, known.unknowns)
    other = Routes(model).solve_near(beyond, starts)
    assert set(calls) == {1} and np.all(other.status == Status.converged)
    assert other.fields.q[0] < 1e-20 < 1e-3 < other.fields.q[1]
    np.testing.assert_array_equal(starts.unknowns, known.unknowns)


def test_students_without_weights_take_no_steps_from_any_start():
    model = Model(ge.ERM("huber", 0.1, "l1"), UNEVEN)
    b0 = np.array([0.3, 0.6])
    least = model.empty(Points(np.full(2, 2.0), np.ones(2), b0))
    at = Points(np.full(2, 2.0), np.array([2.0, 0.05]) * least, b0)
    starts = Starts(np.zeros((2, 4)), np.ones(2), np.zeros(2))
    found = Routes(model).solve_near(at, starts)
    assert np.all(found.status == Status.converged)
    assert found.steps[0] == 0 < found.steps[1]
    assert found.fields.q[0] < 1e-20 < 1e-3 < found.fields.q[1]
    hasty = Routes(model, patient=False).solve_near(Points(at.load, 0.8 * least, b0), starts)
    exact = Routes(model).solve_near(Points(at.load, 0.8 * least, b0), starts)
    assert hasty.steps.sum() == 0 and np.all(exact.fields.q < 1e-9)  # nine digits of the errors are the same


def test_an_optimum_beside_a_plateau_is_not_taken_for_it():
    """Quantile loss on a kernel: below lam = 0.01 nothing changes any more, at 0.019 errors are 4e-6 smaller."""
    target = ge.DeepNetwork("relu", noise=0.2, **BIASES)
    learner = ge.ERM("quantile:0.7", "optimal")
    best = ge.solve(ge.Problem(target, features=ge.NNGP(["relu"]), learner=learner), alpha=4.0)
    e = ge.Problem(target, features=ge.NNGP(["relu"]), learner=learner).equivalent_of(learner)
    beside = [float(ge.ERM("quantile:0.7", lam).solve(e, np.array([4.0]))["test_error"][0]) for lam in (1e-3, 0.01, 0.018, 0.02, 0.04)]
    assert best.converged.all() and best.lam.item() == pytest.approx(0.019078, rel=1e-3)
    assert best.test_error.item() < min(beside) and best.test_error.item() == pytest.approx(beside[0] * (1 - 4.33e-6), rel=1e-7)


def test_on_a_plateau_the_lam_nearest_to_the_middle_is_taken():
    """Quantile loss on even labels with offsets: errors below lam = 0.003 are the same up to rounding, which must not choose among them."""
    target = ge.DeepNetwork("erf", 2, labels=ge.Output(np.abs, 0.1, (0.0,)), **BIASES)
    learner = ge.ERM("quantile:0.7", "optimal")
    e = ge.Problem(target, features=ge.NNGP(["relu"]), learner=learner).equivalent_of(learner)
    lam = best_lam(learner, e, np.array([4.0]))
    assert 1e-4 < lam[0] < 0.02
    errors = (
        ge.ERM("quantile:0.7", float(lam[0])).solve(e, np.array([4.0]))["test_error"],
        ge.ERM("quantile:0.7", 1e-4).solve(e, np.array([4.0]))["test_error"],
    )
    np.testing.assert_allclose(*errors, rtol=1e-8)
