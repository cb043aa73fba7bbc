"""Offsets at which students lose their weights, and averages of errors that bend there."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.equivalence.offsets import FULL, Bend
from gaussequiv.learners.convex.bends import bends, middles, near_bends, solve_bent
from gaussequiv.learners.convex.model import Model, Points
from gaussequiv.learners.convex.offsets import Starts
from gaussequiv.learners.convex.optimum import COARSE
from gaussequiv.learners.convex.weightless import vanishing_weights

TARGET = ge.DeepNetwork("erf", bias_variance=0.3, readout_bias_variance=0.2, width_ratios=(1.4,), labels="logit")
ERM = ge.ERM("hinge", 2.0, "l1")
E = ge.Problem(TARGET, learner=ERM).equivalent()
ALPHA, LAM = np.array([0.4]), np.array([2.0])


def test_weights_vanish_beyond_a_bend():
    ((bend,),) = bends(Model(ERM, E, COARSE), ALPHA, LAM)
    beside = bend.place * (1 + np.array([-1e-5, 1e-5]))
    assert bend.side == -1
    assert vanishing_weights(Model(ERM, E), Points(np.repeat(ALPHA, 2), np.repeat(LAM, 2), beside))[0].tolist() == [1]


def test_no_bends_where_all_students_have_weights_and_where_none_has():
    assert bends(Model(ERM, E, COARSE), np.repeat(ALPHA, 2), np.array([0.01, 8.0])) == [(), None]


def test_places_between_bends_and_sides():
    two = (Bend(-1.0, -1), Bend(2.0, 1))
    np.testing.assert_allclose(middles([None, (), two]), [0.5])
    nearest, distance, some = near_bends(np.array([-3.0, 0.0, 1.0, 2.5]), two)
    assert nearest.tolist() == [0, 0, 1, 1] and some.tolist() == [True, False, False, True]
    np.testing.assert_allclose(np.exp(distance), [2.0, 1.0, 1.0, 0.5])


def test_students_beside_a_bend_are_reached_from_those_further_away():
    ((bend,),) = bends(Model(ERM, E, COARSE), ALPHA, LAM)
    model = Model(ERM, E, COARSE).with_bends((bend,))
    at = model.points(ALPHA, LAM)
    known = solve_bent(model, at, Starts.unknown(at.b0.size))
    some = at.b0 < bend.place
    assert np.all(known.status == 0) and some.sum() > 1
    assert np.all(known.fields.q[some] > 0.01) and np.all(known.fields.q[~some] < 1e-20)
    one = np.arange(at.b0.size) == 0
    starts = Starts(np.where(one[:, None], known.unknowns, np.nan), known.sign, np.zeros(at.b0.size))
    again = solve_bent(model, at, starts)
    np.testing.assert_allclose(again.fields.q, known.fields.q, rtol=1e-7)


def test_averages_follow_the_bend():
    """Beside Gauss-Legendre panels that double away from the bend, at some 150 offsets."""
    assert Model(ERM, E, FULL).folded
    assert ERM.curve(E, ALPHA, LAM)["test_error"][0] == pytest.approx(0.4026977660, rel=1e-9)
