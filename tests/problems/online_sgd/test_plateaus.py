"""Plateaus of curves that are known, and times as events of the flow."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.problems.online_sgd.plateaus import plateaus_of

GAIN = np.sqrt(0.5)
TIME = np.geomspace(0.01, 1e4, 1200)


def committee(**fields):
    network = {"gain": GAIN, "readout": "ones"}
    return ge.OnlineSGD(
        ge.TwoLayer("erf", 2, weight_std=1e-2, **network), ge.TwoLayer("erf", 2, **network), rate=0.5, readout_rate=0.0, **fields
    )


def test_a_sum_of_two_decays_has_one_plateau():
    """e = exp(-t) + 0.1 exp(-t/1000) stands at 0.1 from about t = 3.6 (where -d log e/d log t = 0.1) to t = 100."""
    found = plateaus_of(TIME, np.exp(-TIME) + 0.1 * np.exp(-TIME / 1000))
    assert len(found) == 1
    slope = TIME * (np.exp(-TIME) + 1e-4 * np.exp(-TIME / 1000)) / (np.exp(-TIME) + 0.1 * np.exp(-TIME / 1000))
    flat = TIME[(slope < 0.1) & (TIME > 1)]
    assert (found[0].start, found[0].end) == pytest.approx((flat[0], flat[-1]), rel=0.02)
    assert found[0].end == pytest.approx(100.0, rel=0.02)
    assert found[0].error == pytest.approx(0.1, rel=0.1)


def test_power_laws_have_none_and_a_last_one_has_no_end():
    assert plateaus_of(TIME, 1 / (1 + TIME)) == []
    last = plateaus_of(TIME, 0.3 + np.exp(-TIME))
    assert len(last) == 1 and last[0].end == np.inf


def test_committees_leave_their_plateau_by_specialising():
    problem = committee(dimension=1000)
    (plateau,) = problem.plateaus(1e3)
    curve = ge.solve(problem, time=[0.5 * plateau.end, 2 * plateau.end, 1e3])
    assert float(curve.specialisation[0]) < 0.05 and float(curve.specialisation[2]) > 0.9
    assert float(curve.clean_error[0]) == pytest.approx(plateau.error, rel=0.05)
    assert float(curve.clean_error[1]) < 0.1 * plateau.error


def test_times_are_those_of_the_curve():
    problem = committee(dimension=300)
    when = problem.time_to(0.1)
    assert float(ge.solve(problem, time=[when]).clean_error[0]) == pytest.approx(0.1, abs=2e-4)  # times of a curve are whole steps
    assert problem.time_to(1e3) == 0.0
    with pytest.raises(ge.UnreachableError, match="not reached by time 5, where it is"):
        problem.time_to(1e-6, longest=5.0)


def test_wrong_arguments_are_named():
    with pytest.raises(ge.ArgumentError, match="`error`"):
        committee(dimension=100).time_to(-1.0)
    with pytest.raises(ge.ArgumentError, match="`longest`"):
        committee(dimension=100).plateaus(1e-3)


@pytest.mark.parametrize("N", [0, 1, -3, "a", 2.5])
def test_sizes_that_are_none_are_named(N):
    problem = committee(dimension=100)
    for call in (lambda: problem.plateaus(10.0, N=N), lambda: problem.time_to(0.1, N=N)):
        with pytest.raises(ge.ArgumentError, match="`N`"):
            call()
