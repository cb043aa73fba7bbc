"""The best penalty where students lose their weights at some offsets."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.learners.convex.bent_optimum import BentAverages, best_about_bends
from gaussequiv.learners.convex.lam_path import LamPath
from gaussequiv.learners.convex.offsets import Starts
from gaussequiv.learners.convex.optimum import COARSE, FINE

TARGET = ge.DeepNetwork("erf", bias_variance=0.3, readout_bias_variance=0.2, width_ratios=(1.4,), labels="logit")
ERM = ge.ERM("hinge", "optimal", "l1")
E = ge.Problem(TARGET, learner=ERM).equivalent()
ALPHA = np.array([0.4])


def path():
    return LamPath(ERM, E, ALPHA, FINE, before=LamPath(ERM, E, ALPHA, COARSE))


def test_averages_see_how_far_below_the_plateau_the_error_is():
    """The difference by some 150 offsets, on panels that double away from the bend: -3.240e-6; at fixed offsets it is off by a tenth."""
    below, plateau = BentAverages(path(), 0).at(np.log([2.0, 12.0]))
    assert below - plateau == pytest.approx(-3.2398e-6, rel=1e-3)


def test_a_plateau_without_weights_has_no_best_penalty_of_its_own():
    averages = BentAverages(path(), 0).at(np.log([8.0, 12.0]))
    assert averages[0] == averages[1] == pytest.approx(ERM.curve(E, ALPHA, np.array([12.0]))["test_error"][0], rel=1e-7)
    assert best_about_bends(path(), 0, np.log(8.0), np.log(12.0)) is None


@pytest.mark.slow
def test_the_best_penalty_beside_a_plateau_without_weights():
    """The error dips by 5e-6 before weights vanish at all offsets; the value by some 150 offsets, and more on both sides."""
    curve = ge.solve(ge.Problem(TARGET, learner=ERM), alpha=ALPHA)
    assert bool(curve.converged.all())
    assert float(curve.lam.squeeze()) == pytest.approx(2.107, rel=2e-3)
    assert float(curve.test_error.squeeze()) == pytest.approx(0.4026956919, rel=2e-9)


def test_starts_lie_on_the_line_through_the_nearest_two_whose_offsets_lie_alike():
    averages, rng = BentAverages(path(), 0), np.random.default_rng(0)
    assert np.isnan(averages._starts(0.3, 5).unknowns).all()
    known = {
        y: Starts(rng.standard_normal((offsets, 4)), np.ones(offsets), np.zeros(offsets)) for y, offsets in ((2.0, 5), (1.0, 5), (0.4, 7))
    }
    averages._known = [(-1.0, known[2.0]), *known.items()]
    one, two = known[1.0].unknowns, known[2.0].unknowns
    np.testing.assert_allclose(averages._starts(1.3, 5).unknowns, one + 0.3 * (two - one), rtol=1e-12)
    np.testing.assert_allclose(averages._starts(0.4, 7).unknowns, known[0.4].unknowns)
    one[2, 3] = np.nan  # an offset that was not solved
    assert np.isnan(averages._starts(1.3, 5).unknowns[2, 3])
    two[1, 0] = np.nan
    assert averages._starts(1.3, 5).unknowns[1, 0] == one[1, 0]
