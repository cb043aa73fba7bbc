"""Solutions along lam: values and slopes are those of curves, starts lie on lines through what is known, offsets are averaged."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.equivalence.offsets import FULL
from gaussequiv.ingredients.channels.base import Sign
from gaussequiv.learners.convex.lam_path import FURTHEST, LamPath
from gaussequiv.learners.convex.model import Model
from gaussequiv.learners.convex.offsets import interpolated
from gaussequiv.learners.convex.optimum import COARSE, FINE, lam_slope, objective
from gaussequiv.learners.convex.routes import Routes

ALPHA = np.array([0.5, 3.0])
ERM = ge.ERM("logistic", "optimal", intercept=True)
OFFSETS = ge.Problem(ge.DeepNetwork("relu", task="classification", bias_variance=0.2, noise=0.1)).equivalent()
PLAIN = ge.Problem(ge.DeepNetwork("tanh", task="classification", noise=0.1)).equivalent()


@pytest.mark.parametrize("e", [PLAIN, OFFSETS], ids=["plain", "offsets"])
@pytest.mark.parametrize("minimise", ["test_error", "auc"])
def test_values_are_those_of_the_curve(e, minimise):
    """Negative where more is better."""
    erm = ge.ERM("logistic", "optimal", intercept=True, minimise=minimise)
    value = objective(erm, e, ALPHA, np.array([0.1, 0.3]))
    curve = [ge.ERM("logistic", lam, intercept=True).solve(e, ALPHA[k : k + 1])[minimise][0] for k, lam in enumerate((0.1, 0.3))]
    np.testing.assert_allclose(value, (-1 if minimise == "auc" else 1) * np.array(curve), rtol=1e-8)


@pytest.mark.parametrize("minimise", ["test_error", "auc"])
def test_slopes_are_differences_of_values(minimise):
    erm = ge.ERM("logistic", "optimal", intercept=True, minimise=minimise)
    lam, h = np.array([0.1, 0.3]), 1e-3
    value = {k: objective(erm, OFFSETS, ALPHA, lam * np.exp(k * h), FINE) for k in (-2, -1, 1, 2)}
    difference = (8 * (value[1] - value[-1]) - value[2] + value[-2]) / (12 * h)
    np.testing.assert_allclose(lam_slope(erm, OFFSETS, ALPHA, lam, FINE), difference, rtol=1e-5)


def test_starts_lie_on_the_line_through_the_nearest_two():
    path = LamPath(ERM, PLAIN, ALPHA, FULL)
    unknown = path._start(0, 0.3)
    assert np.isnan(unknown.unknowns).all() and unknown.sign.tolist() == [1.0]
    known = {y: path.solve(np.array([0]), np.array([y]))[1].unknowns for y in (-1.0, 0.0, 2.0)}
    np.testing.assert_allclose(path._start(0, 0.25).unknowns, known[0.0] + 0.25 / -1.0 * (known[-1.0] - known[0.0]), rtol=1e-12)
    np.testing.assert_allclose(path._start(0, 2.5).unknowns, known[2.0] - 0.25 * (known[0.0] - known[2.0]), rtol=1e-12)
    np.testing.assert_allclose(path._start(0, 1.5).unknowns, known[2.0] + 0.25 * (known[0.0] - known[2.0]), rtol=1e-12)
    np.testing.assert_allclose(path._start(0, -9.0).unknowns, known[-1.0] - FURTHEST * (known[0.0] - known[-1.0]), rtol=1e-12)
    assert np.isnan(path._start(1, 0.3).unknowns).all()  # another alpha knows nothing
    assert [path._start(0, y).away.tolist() for y in (0.25, 2.5, -9.0)] == [[0.25], [0.5], [8.0]]


def test_a_finer_rule_starts_from_a_coarser_one():
    """In b0, by interpolation; from afar it is the same point in more steps."""
    coarse = LamPath(ERM, OFFSETS, ALPHA, COARSE)
    coarse.solve(np.arange(2), np.array([-1.0, -1.0]))
    fine, alone = LamPath(ERM, OFFSETS, ALPHA, FINE, before=coarse), LamPath(ERM, OFFSETS, ALPHA, FINE)
    assert fine.model.b0.size > coarse.model.b0.size > 1
    there, start = coarse._start(1, -0.9), fine._start(1, -0.9)
    expected = interpolated(coarse.model.b0, there.unknowns, there.sign, fine.model.b0)
    np.testing.assert_array_equal(start.unknowns, expected.unknowns)
    np.testing.assert_allclose(start.away, 0.1 + expected.away)
    one, other = (path.solve(np.arange(2), np.array([-0.9, -1.1]))[1] for path in (fine, alone))
    np.testing.assert_allclose(one.unknowns, other.unknowns, rtol=1e-7, atol=1e-9)
    assert one.steps.max() <= 7 < other.steps.max()
    assert alone._start(0, 0.0).unknowns.shape == (alone.model.b0.size, 4)


def test_a_rough_path_is_as_exact_as_it_is_asked_to_be():
    rough, exact = (LamPath(ERM, OFFSETS, ALPHA, COARSE, tolerance=tolerance) for tolerance in (1e-2, 1e-10))
    steps = []
    for path in (rough, exact):
        path.solve(np.arange(2), np.array([-1.0, -1.0]))
        solution = path.solve(np.arange(2), np.array([-1.5, -1.5]))[1]
        steps.append((solution.steps.sum(), solution.residual.max()))
    assert steps[0][0] < steps[1][0]
    assert 1e-2 > steps[0][1] > 1e-10 > steps[1][1]


def test_known_solutions_make_later_ones_cheap():
    path = LamPath(ge.ERM("logistic", "optimal"), ge.Problem(ge.DeepNetwork((), labels=Sign(0.1))).equivalent(), ALPHA, FULL)
    first = path.solve(np.arange(2), np.full(2, 0.0))[1].steps.sum()
    path.solve(np.arange(2), np.full(2, -0.1))
    third = path.solve(np.arange(2), np.full(2, -0.2))[1].steps
    assert third.max() <= 4 < first


@pytest.mark.parametrize("e", [PLAIN, OFFSETS], ids=["plain", "offsets"])
def test_points_of_any_rule_start_from_what_the_path_has_solved(e):
    """At its own lam and offsets there is nothing left to do; at others few steps are left; unknown loads are solved from afar."""
    path = LamPath(ERM, e, ALPHA, FULL)
    at, known = path.solve(np.arange(2), np.log([0.1, 0.3]))
    again = path.near(path.model, at)
    np.testing.assert_allclose(again.unknowns, known.unknowns, rtol=1e-9, atol=1e-10)
    assert again.steps.max() <= 1
    model = Model(ERM, e, FINE)
    there = model.points(ALPHA, np.array([0.11, 0.28]))
    near, afar = path.near(model, there), Routes(model).solve(there)
    np.testing.assert_allclose(near.unknowns, afar.unknowns, rtol=1e-8, atol=1e-9)
    assert near.steps.max() <= 5
    assert near.steps.sum() < afar.steps.sum()


def test_penalties_about_which_students_lose_their_weights_at_some_offsets():
    path = LamPath(ERM, PLAIN, ALPHA, FULL)
    some, none, every = (np.array(part) for part in ([False, True], [False, False], [True, True]))
    path._held[1] = {2.0: every, -3.0: none, 0.0: some, -1.0: none, 3.0: every}
    assert [path.bends_about(1, y) for y in (-1.0, 0.0, 2.0)] == [(-3.0, 0.0), (-1.0, 2.0), (0.0, 3.0)]
    assert path.bends_about(1, -3.0) is None and path.bends_about(1, 3.0) is None  # alike on both sides
    path._held[0] = {-1.0: none, 0.0: every}
    assert path.bends_about(0, -1.0) == path.bends_about(0, 0.0) == (-1.0, 0.0)
