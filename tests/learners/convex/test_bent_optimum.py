"""The best penalty where students lose their weights at some offsets."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.learners.convex.bent_optimum import BentAverages, best_about_bends
from gaussequiv.learners.convex.lam_path import LamPath
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
