"""Multipliers of pieces on the central path: where they start, what a step linearises, how far it reaches, and what it says of states."""

import numpy as np
import pytest

from gaussequiv.learners.finite.interior_point import _TINY, _Pieces

# two-sided, bounded above only, below only, two-sided with a slope dv/dg
POSITION = np.array([0.3, -0.2, 0.5, 0.1])
LOW = np.array([-1.0, -np.inf, 0.25, -0.5])
HIGH = np.array([0.4, 2.0, np.inf, 1.5])
WIDTH = np.array([0.0, 0.7, 0.2, 0.6])
UP, DOWN = np.isfinite(HIGH), np.isfinite(LOW)
G = np.array([0.9, -0.8, 0.1, 0.4])
UNIT = np.array([0.5, 0.8, 0.3, 1.0])


def pieces(mu=0.3, scale=0.05, g=G):
    found = _Pieces(POSITION, LOW, HIGH, WIDTH)
    found.start(g, mu, scale, UNIT)
    return found


@pytest.mark.parametrize("mu", [1e-8, 0.3, 50.0])
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_the_start(mu, side):
    """Two bounds: both products are mu and g - position = p - q. One bound: `unit` inside, with the multiplier of the right sign."""
    g = POSITION + side * np.array([0.6, 0.6, 0.4, 0.3])
    one = pieces(mu, g=g)
    d = g - POSITION
    for k in (0, 3):
        assert LOW[k] < one.v[k] < HIGH[k]
        assert one.p[k] * one.above[k] == pytest.approx(mu, rel=1e-9) and one.q[k] * one.below[k] == pytest.approx(mu, rel=1e-9)
        assert one.p[k] - one.q[k] == pytest.approx(d[k], rel=1e-6, abs=1e-9)
    assert one.v[1] == pytest.approx(2.0 - 0.8) and one.v[2] == pytest.approx(0.25 + 0.3)
    np.testing.assert_allclose(one.above, np.where(UP, HIGH - one.v, 1.0), rtol=1e-6)
    np.testing.assert_allclose(one.below, np.where(DOWN, one.v - LOW, 1.0), rtol=1e-6)
    assert one.p[1] == pytest.approx(max(d[1], 0.05)) and one.q[1] == 0
    assert one.q[2] == pytest.approx(max(-d[2], 0.05)) and one.p[2] == 0
    assert one.count == 6 and one.natural == pytest.approx(1e-6 * np.median(UNIT)) and not np.any(one.state)
    products = np.sum(one.p[UP] * (HIGH - one.v)[UP]) + np.sum(one.q[DOWN] * (one.v - LOW)[DOWN])
    assert one.complementarity() == pytest.approx(products, rel=1e-6)


@pytest.mark.parametrize("second", [None, (np.array([0.02, 0.01, 0.0, -0.03]), np.array([0.01, 0.0, 0.04, 0.02]))])
def test_a_full_step_satisfies_the_linear_equations(second):
    one, mu, g, dg = pieces(), 0.12, np.array([0.7, -0.5, 0.9, 0.2]), np.array([0.3, -0.2, 0.15, 0.4])
    one.linearise(g, 1e-9)
    np.testing.assert_allclose(one.slope, WIDTH + np.where(UP, one.p / one.above, 0) + np.where(DOWN, one.q / one.below, 0), rtol=1e-12)
    at_rest = one.aim(mu, second)
    np.testing.assert_allclose(at_rest, one.direction(np.zeros(4))[0], rtol=1e-12)
    dv, dp, dq = one.direction(dg)
    above, below = (np.zeros(4), np.zeros(4)) if second is None else second
    np.testing.assert_allclose(g + dg - POSITION, WIDTH * (one.v + dv) + (one.p + dp) - (one.q + dq), rtol=1e-10, atol=1e-12)
    high = one.p * one.above + dp * one.above - one.p * dv
    low = one.q * one.below + dq * one.below + one.q * dv
    np.testing.assert_allclose(high[UP], (mu - above)[UP], rtol=1e-10)
    np.testing.assert_allclose(low[DOWN], (mu - below)[DOWN], rtol=1e-10)
    assert not np.any(dp[~UP]) and not np.any(dq[~DOWN])


def test_flat_pieces_have_a_least_slope():
    one = pieces()
    one.linearise(G, 25.0)
    assert one.slope.tolist() == [25.0] * 4


def test_how_far_a_step_reaches_and_what_it_leaves():
    one = pieces()
    step = (np.array([0.3, 0.5, -0.1, 0.05]), np.array([-0.2, 0.1, 7.0, -1.0]), np.array([-0.1, 7.0, -0.4, 0.3]))
    dv, dp, dq = step

    def inside(share):
        p, q, v = one.p + share * dp, one.q + share * dq, one.v + share * dv
        return bool(np.all(p[UP] >= 0) and np.all(q[DOWN] >= 0) and np.all(v[UP] <= HIGH[UP]) and np.all(v[DOWN] >= LOW[DOWN]))

    reach = one.reach(step)
    assert 0 < reach < 5 and inside(reach * (1 - 1e-9)) and not inside(reach * (1 + 1e-9))
    outwards = (np.zeros(4), np.ones(4), np.ones(4))
    assert one.reach(outwards) == np.inf
    for direction, bound in ((np.array([1.0, 0, 0, 0]), HIGH[0] - one.v[0]), (np.array([0, 0, -1.0, 0]), one.v[2] - LOW[2])):
        assert one.reach((direction, np.zeros(4), np.zeros(4))) == pytest.approx(bound, rel=1e-9)
    share = 0.4 * reach
    p, q, v = one.p + share * dp, one.q + share * dq, one.v + share * dv
    left = np.sum(p[UP] * (HIGH - v)[UP]) + np.sum(q[DOWN] * (v - LOW)[DOWN])
    assert one.moved(share, step) == pytest.approx(left, rel=1e-9)
    one.move(share, step, False)
    np.testing.assert_allclose(one.v, v, rtol=1e-12)
    np.testing.assert_allclose(one.p, np.where(UP, p, 0), rtol=1e-12)
    np.testing.assert_allclose(one.q, np.where(DOWN, q, 0), rtol=1e-12)
    assert one.complementarity() == pytest.approx(left, rel=1e-9) and not np.any(one.state)
    one.move(1e3, step, False)  # beyond: held at the smallest numbers
    assert one.p[0] == one.q[0] == one.above[0] == _TINY and one.below[2] == _TINY and one.above[2] == 1.0 and one.below[1] == 1.0


@pytest.mark.parametrize(
    ("dv", "dp", "dq", "state"),
    [
        (0.9, 0.0, -0.5, 1),  # v falls towards its high end faster than its multiplier p
        (0.0, -0.9, 0.0, 0),
        (0.0, 0.0, -0.9, 0),
        (-0.9, -0.5, 0.0, -1),
        (0.3, -0.6, -0.5, 0),
    ],
)
def test_states_are_read_off_what_falls_faster(dv, dp, dq, state):
    """Shares of the distance to the bound and of the multipliers that a step takes."""
    one = pieces()
    k = 3
    gap = (one.above if dv > 0 else one.below)[k]
    move = np.zeros((3, 4))
    move[:, k] = dv * gap, dp * one.p[k], dq * one.q[k]
    one.move(1.0, tuple(move), True)
    assert one.state[k] == state
