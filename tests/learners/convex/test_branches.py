"""Students that may lose their weights at once at some offsets: where they do, and their solutions, from curves along lam."""

import time

import numpy as np
import pytest

import gaussequiv as ge
from benchmarks.compositions import hump
from gaussequiv.equivalence.offsets import FULL, Bend
from gaussequiv.learners.convex.bends import bends
from gaussequiv.learners.convex.bent_optimum import FollowedAverages
from gaussequiv.learners.convex.branches import Branches
from gaussequiv.learners.convex.lam_path import LamPath
from gaussequiv.learners.convex.model import Model
from gaussequiv.learners.convex.optimum import COARSE, FINE
from gaussequiv.learners.convex.routes import Routes

BIASES = dict(bias_variance=0.3, readout_bias_variance=0.2)


def model_of(target, erm):
    return Model(erm, ge.Problem(target, learner=erm).equivalent(), COARSE)


LOGIT = model_of(ge.DeepNetwork("erf", **BIASES, labels="logit"), ge.ERM("hinge", 1.0, "l1"))
HUMP = model_of(ge.DeepNetwork("relu", **BIASES, task="classification", labels=hump), ge.ERM("hinge", 1.0, "l1"))
ON_LOGIT, ON_HUMP = (Branches(model, np.array([0.4, 4.0]), 1e-3) for model in (LOGIT, HUMP))


def test_for_which_students_weights_may_vanish_at_once():
    target = ge.DeepNetwork("erf", **BIASES, labels="logit")
    assert Branches.known_for(LOGIT) and Branches.known_for(HUMP)
    assert not Branches.known_for(model_of(target, ge.ERM("hinge", 1.0)))  # no kink in the penalty
    assert not Branches.known_for(model_of(target, ge.ERM("logistic", 1.0, "l1")))  # nor in the loss
    assert not Branches.known_for(model_of(ge.DeepNetwork("erf", labels="logit"), ge.ERM("hinge", 1.0, "l1")))  # one offset
    assert not Branches.known_for(model_of(ge.DeepNetwork("erf", **BIASES, labels="abs"), ge.ERM("absolute", 1.0, "l1")))  # real labels


def test_bends_are_those_at_which_the_growth_of_the_last_weights_is_one():
    lam = np.array([0.1, 0.5, 1.0])
    found, known = ON_LOGIT.bends(0, np.log(lam)), bends(LOGIT, np.full(3, 0.4), lam)
    assert [len(one) for one in found] == [len(one) for one in known]
    for one, other in zip(found, known, strict=True):
        assert [bend.side for bend in one] == [bend.side for bend in other]
        np.testing.assert_allclose([bend.place for bend in one], [bend.place for bend in other], rtol=1e-7)


@pytest.mark.parametrize("k", [0, 1])
def test_bends_are_symmetric_about_a_symmetric_hump(k):
    """A hump about 1/2: offsets b and 1 - b are the same problem with fields turned, also where only a narrow range leaves weights."""
    logs = np.log(np.geomspace(0.3, 1.6 * (k + 1), 9))
    pairs = 0
    for found in ON_HUMP.bends(k, logs):
        places, sides = np.array(found).reshape(-1, 2).T
        np.testing.assert_allclose(places + places[::-1], 1.0, atol=1e-6)
        np.testing.assert_array_equal(sides, -sides[::-1])
        pairs += places.size // 2
    assert pairs >= 9


def test_without_weights_panels_end_where_the_constant_turns():
    assert ON_HUMP.bends(0, np.array([5.0])) == [None]
    turns = ON_HUMP.panels(None)
    np.testing.assert_allclose([hump_mean(bend.place) for bend in turns], 0.5, atol=1e-9)
    assert len(turns) == 2 and ON_LOGIT.panels(None) == () and ON_HUMP.panels(()) == ()
    some = (Bend(0.3, 1),)
    assert ON_HUMP.panels(some) == some


def hump_mean(b0):
    """P(y = +1) at an offset."""
    return HUMP.channel.up(np.array([b0]), np.array([HUMP.rho])).value.item()


@pytest.mark.parametrize(("branches", "lam"), [(ON_LOGIT, 0.02), (ON_LOGIT, 1.0), (ON_HUMP, 0.05), (ON_HUMP, 1.3)])
def test_solutions_are_those_of_the_long_way(branches, lam):
    """At the offsets of a rule with bends, the nearest of which are 1e-4 of their lam away from losing all weights."""
    alpha, y = np.array([0.4]), np.log(np.exp(np.log([lam])))
    (found,) = branches.bends(0, y)
    model = branches.model.with_rule(FULL).with_bends(branches.panels(found))
    at = model.points(alpha, np.exp(y))
    solution = branches.solve(model, np.zeros(at.lam.size, dtype=int), at, {(0, float(y[0])): found}, routes=None)
    assert np.all(solution.status == 0)
    assert bool(found) == (lam >= 1)
    known = Routes(model).solve(at)
    assert np.all(known.status == 0)
    np.testing.assert_allclose(solution.fields.q, known.fields.q, rtol=1e-5, atol=1e-12)
    error, other = (model.observe(one, ("test_error",))["test_error"] @ model.mass for one in (solution, known))
    assert error == pytest.approx(other, rel=1e-9)


def test_the_best_penalty_on_a_hump():
    """With averages by the long way at these offsets; a few of them missed two of the four bends, and gave an error 5e-6 above."""
    alpha, erm = np.array([4.0]), ge.ERM("hinge", "optimal", "l1")
    start = time.process_time()
    curve = erm.solve(HUMP.e, alpha)
    assert curve["status"][0] == 0 and time.process_time() - start < 15
    assert curve["test_error"][0] == pytest.approx(0.334869784695, rel=1e-8)
    path = LamPath(erm, HUMP.e, alpha, FINE, before=LamPath(erm, HUMP.e, alpha, COARSE, lowest=1e-4))
    below, here, above = FollowedAverages(path, 0, path.branches).at(np.log(curve["lam"] * [0.9, 1.0, 1.1]))
    assert here < min(below, above)
