"""Two-layer networks as descriptions."""

import numpy as np
import pytest

import gaussequiv as ge


def test_readouts_are_drawn_given_or_ones():
    rng = np.random.default_rng(0)
    assert ge.TwoLayer(units=3, readout="ones").draw_readout(rng).tolist() == [1.0] * 3
    assert ge.TwoLayer(units=2, readout=[0.5, -1]).draw_readout(rng).tolist() == [0.5, -1.0]
    drawn = ge.TwoLayer(units=2000).draw_readout(rng)
    assert drawn.mean() == pytest.approx(0.0, abs=0.1) and drawn.std() == pytest.approx(1.0, abs=0.1)


def test_gain_and_scale_of_the_start_enter_the_curve():
    """g(gain x) at weights of std s has the fields of g(x) at weights of std gain s, at time 0."""
    teacher = ge.TwoLayer("tanh", 1)
    one, other = (
        float(ge.solve(ge.OnlineSGD(student, teacher, dimension=50), time=[0.0]).clean_error[0])
        for student in (ge.TwoLayer("tanh", 2, gain=2.0), ge.TwoLayer("tanh", 2, weight_std=2.0))
    )
    assert one == pytest.approx(other, rel=1e-5)
