"""Curves of solutions along lam: past where weights vanish at once."""

import numpy as np
import pytest

import gaussequiv as ge
from benchmarks.compositions import hump
from gaussequiv.equivalence.offsets import OffsetRule
from gaussequiv.learners.convex.lam_curves import LAM, followed, moved_to_lam
from gaussequiv.learners.convex.model import Model, Points
from gaussequiv.learners.convex.modes import VHAT
from gaussequiv.learners.convex.offsets import Starts
from gaussequiv.learners.convex.routes import Routes
from gaussequiv.learners.convex.weightless import vanishing_weights

TARGET = ge.DeepNetwork("erf", bias_variance=0.3, readout_bias_variance=0.2, task="classification", labels="logit")
ERM = ge.ERM("hinge", 1.0, "l1")
MODEL = Model(ERM, ge.Problem(TARGET, learner=ERM).equivalent(), OffsetRule(panel=2))
LOAD = np.full(MODEL.b0.size, 0.4)
AT = Points(LOAD, np.ones_like(LOAD), MODEL.b0)
CURVES, LAST = followed(MODEL, AT, 1e-3)


def test_every_place_solves_the_equations():
    for i, curve in enumerate(CURVES):
        lam = np.exp(curve.places[:, LAM])
        at = Points(np.full(lam.size, LOAD[i]), lam, np.full(lam.size, MODEL.b0[i]))
        found = MODEL.saddle(at, MODEL.sign(at)).evaluate(curve.places[:, :LAM], np.arange(lam.size))
        assert found.worst.max() < 1e-7
        assert np.diff(curve.places[:, LAM]).min() > -1e-7  # solutions are unique at every lam
        assert curve.places[0, LAM] < np.log(1e-3)
        np.testing.assert_allclose(np.linalg.norm(curve.tangents, axis=1), 1.0, rtol=1e-12)


def test_curves_end_where_one_update_shrinks_what_is_left():
    beside = np.exp(np.concatenate([LAST * (1 + 1e-4 * np.sign(LAST)), LAST * (1 - 1e-4 * np.sign(LAST))]))
    at = Points(np.tile(LOAD, 2), beside, np.tile(MODEL.b0, 2))
    assert vanishing_weights(MODEL, at)[0].tolist() == list(range(MODEL.b0.size))


def test_places_between_are_near_solutions_and_those_before_on_a_line():
    for i, curve in enumerate(CURVES):
        y = np.linspace(np.log(1e-3), LAST[i] - 1e-3, 23)
        at = Points(np.full(y.size, LOAD[i]), np.exp(y), np.full(y.size, MODEL.b0[i]))
        start = curve.at(y)
        solution = MODEL.saddle(at, MODEL.sign(at)).solve(start, 0, 8)
        assert np.all(solution.status == 0)
        assert np.abs(solution.unknowns - start).max() < 0.1
        further = curve.at(curve.places[0, LAM] - np.array([1.0, 2.0]))
        np.testing.assert_allclose(further[1] - further[0], further[0] - curve.places[0, :LAM], rtol=1e-9, atol=1e-12)


def test_starts_are_moved_along_a_curve_where_newtons_method_does_not_arrive():
    """Just below the lam that leaves no weights the scale of the solution changes by as much as lam does not."""
    i = 4
    lam = np.exp(LAST[[i]] - 3e-5)
    at = Points(LOAD[[i]], lam, MODEL.b0[[i]])
    curve = CURVES[i]
    off = curve.at(LAST[[i]] - 0.02)
    saddle = MODEL.saddle(at, MODEL.sign(at))
    assert saddle.solve(off, 0, 8).status[0] > 0
    moved = moved_to_lam(MODEL, at, Starts(off, MODEL.sign(at), np.zeros(1)))
    solution = saddle.solve(moved.unknowns, 0, 8)
    assert solution.status[0] == 0
    assert abs(solution.unknowns[0, VHAT] - moved.unknowns[0, VHAT]) < 1e-2
    np.testing.assert_allclose(solution.fields.q, Routes(MODEL).solve(at).fields.q, rtol=1e-5)


def test_many_samples_of_noise_leave_no_weights_at_any_lam():
    """Far from its hump the link says the same of every field; offsets of which lam are known are not among those without any."""
    target = ge.DeepNetwork("relu", readout_bias_variance=0.2, bias_variance=0.3, task="classification", labels=hump)
    model = Model(ERM, ge.Problem(target, learner=ERM).equivalent(), OffsetRule(panel=2))
    at = Points(np.full(2, 50.0), np.ones(2), np.array([-3.5, -0.3]))
    curves, last = followed(model, at, 1e-4)
    assert curves[0] is None and last[0] == pytest.approx(np.log(1e-4) - 1)
    assert curves[1] is not None and last[1] > 0
    assert vanishing_weights(model, Points(at.load, np.full(2, 1e-4), at.b0))[0].tolist() == [0]
