"""Starting values along the law of an offset."""

import numpy as np

from gaussequiv.learners.convex.modes import MHAT
from gaussequiv.learners.convex.offsets import EVERY, LEAST, SELDOM, Starts, between, interpolated, stages, stretches


def curves(*lengths):
    """Loads, lam and rising offsets of stretches side by side."""
    b0 = np.concatenate([np.linspace(-1, 2, n) for n in lengths])
    load = np.repeat(np.arange(len(lengths)) + 1.0, lengths)
    return load, np.full(b0.size, 0.1), b0


def test_every_point_is_solved_once_and_in_the_middle_of_what_is_solved():
    load, lam, b0 = curves(17, 10)
    first, second, third = stages(stretches(load, lam, b0))
    assert first.tolist() == [0, 4, 8, 12, 16, 17, 21, 25, 26]  # both ends of either stretch
    assert second.tolist() == [2, 6, 10, 14, 19, 23]
    assert third.tolist() == [1, 3, 5, 7, 9, 11, 13, 15, 18, 20, 22, 24]
    assert sorted([*first, *second, *third]) == list(range(27))
    fewer = stages(stretches(load, lam, b0), SELDOM)
    assert fewer[0].tolist() == [0, 8, 16, 17, 25, 26]
    assert sorted(np.concatenate(fewer)) == list(range(27))
    assert (EVERY, SELDOM) == (4, 8)


def test_few_offsets_are_all_solved_from_afar():
    assert stages(stretches(*curves(LEAST - 1, 2))) is None
    assert stages(stretches(*curves(LEAST - 1, LEAST))) is not None
    load, lam, b0 = curves(LEAST)
    assert stages(stretches(load, lam, -b0)) is None  # every offset begins a stretch of its own
    assert stages(stretches(load, lam + b0, b0)) is None


def test_between_solved_points_values_are_nearly_those_of_smooth_functions():
    load, lam, b0 = curves(33, 17)
    along, others = stretches(load, lam, b0), np.arange(b0.size)
    few = stages(along)[0]
    exact = np.stack([np.sin(b0) * load, b0**2, 1 + b0, np.exp(-b0)], axis=1)
    found = between(few, exact[few], load[few], others, b0, along)
    assert np.array_equal(found.sign, load) and not found.away.any()
    np.testing.assert_allclose(found.unknowns[few], exact[few], rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(found.unknowns, exact, atol=0.02)
    np.testing.assert_allclose(found.unknowns[:33], exact[:33], atol=1e-3)
    np.testing.assert_allclose(found.unknowns[:, 1:3], exact[:, 1:3], atol=1e-13)  # cubics
    part = between(few, exact[few], load[few], others[5:40], b0, along)
    np.testing.assert_array_equal(part.unknowns, found.unknowns[5:40])
    assert np.isnan(between(few[few < 33], exact[few[few < 33]], load[few[few < 33]], others, b0, along).unknowns[33:]).all()


def test_points_that_are_not_solved_are_passed_over():
    b0 = np.linspace(-1, 2, 9)
    values = np.stack([b0, 2 * b0, 3 * b0, b0**2], axis=1)
    known = values.copy()
    known[[0, 4], 1] = np.nan
    found = interpolated(b0, known, np.ones(9), b0)
    np.testing.assert_allclose(found.unknowns[1:], values[1:], atol=1e-13)
    np.testing.assert_allclose(found.unknowns[0, :3], values[0, :3], atol=1e-13)  # on a straight line beyond the first that is known
    assert found.away.tolist() == [1.0] + 8 * [0.0]
    assert np.isnan(interpolated(b0, np.full((9, 4), np.nan), np.ones(9), b0).unknowns).all()
    two = interpolated(b0[:2], values[:2], np.ones(2), np.array([-3.0, 0.5 * (b0[0] + b0[1]), 5.0]))
    np.testing.assert_allclose(two.unknowns[:, 0], [b0[0], 0.5 * (b0[0] + b0[1]), b0[1]])  # of few places no line


def test_beyond_both_ends_lines_go_on():
    b0 = np.array([0.0, 0.5, 1.0, 2.0, 3.0])
    values = np.repeat(b0[:, None] ** 2, 4, axis=1)
    found = interpolated(b0, values, np.array([-1.0, 1.0, 1.0, 1.0, 1.0]), np.array([-1.0, 5.0]))
    np.testing.assert_allclose(found.unknowns[:, 0], [0.0, 9 + 6 * 2], atol=1e-12)
    assert found.away.tolist() == [2.0, 2.0]  # in steps of the last two places
    assert found.sign.tolist() == [-1.0, 1.0]


def test_where_mhat_turns_its_sign_it_is_interpolated_itself():
    """A cubic mhat is exact, and its sign; the other unknowns and places further away do not notice."""
    b0, there = np.linspace(-2, 2, 9), np.array([-1.2, -0.4, -0.1, 0.2, 0.7])

    def mhat(b):
        return 1e-3 * (b - 0.1) * (2 + b**2)

    known = np.repeat(b0[:, None], 4, axis=1)
    known[:, MHAT] = np.log(np.abs(mhat(b0)))
    found = interpolated(b0, known, np.sign(mhat(b0)), there)
    np.testing.assert_allclose(found.sign, np.sign(mhat(there)))
    np.testing.assert_allclose(np.exp(found.unknowns[1:, MHAT]), np.abs(mhat(there[1:])), rtol=1e-10)
    np.testing.assert_allclose(found.unknowns[0, MHAT], np.log(-mhat(there[0])), atol=0.3)
    np.testing.assert_allclose(found.unknowns[:, 0], there, atol=1e-12)
    zero = interpolated(b0, known, np.sign(mhat(b0)), np.array([0.1])).unknowns[0, MHAT]
    assert np.isfinite(zero) and zero < np.log(1e-10)
    end = interpolated(b0[4:], known[4:], np.sign(mhat(b0[4:])), np.array([0.05, 0.2]))  # the turn lies beside the first place
    np.testing.assert_allclose(end.sign * np.exp(end.unknowns[:, MHAT]), mhat(np.array([0.05, 0.2])), rtol=0.5, atol=1e-5)


def test_starts_are_taken_and_filled():
    starts = Starts.unknown(3)
    assert np.isnan(starts.unknowns).all() and starts.sign.tolist() == [1.0] * 3 and not starts.away.any()
    starts.fill(np.array([2, 0]), Starts(np.arange(8.0).reshape(2, 4), np.array([-1.0, 1.0]), np.array([0.5, 0.7])))
    assert starts.take([0, 2]).unknowns.tolist() == [[4.0, 5.0, 6.0, 7.0], [0.0, 1.0, 2.0, 3.0]]
    assert (starts.sign.tolist(), starts.away.tolist()) == ([1.0, 1.0, -1.0], [0.7, 0.0, 0.5])


def test_on_the_half_line_of_a_mirrored_law_mhat_goes_through_zero():
    """Where mhat is odd in b0 its logarithm has a pole at 0, beside the first place; even unknowns are even."""
    b0, places = np.linspace(0.05, 1.0, 20), np.linspace(0.1, 2.1, 5)
    exact = np.stack([np.cos(b0), np.cos(b0), np.log(np.sin(0.7 * b0)), b0**2], axis=1)
    known = np.stack([np.cos(places), np.cos(places), np.log(np.sin(0.7 * places)), places**2], axis=1)
    assert MHAT == 2
    plain, mirrored = (interpolated(places, known, np.ones(5), b0, flag) for flag in (False, True))
    np.testing.assert_allclose(mirrored.unknowns[:, MHAT], exact[:, MHAT], atol=0.02)
    assert np.abs(plain.unknowns[:, MHAT] - exact[:, MHAT]).max() > 0.2
    np.testing.assert_allclose(mirrored.unknowns[:, [0, 1, 3]], exact[:, [0, 1, 3]], atol=0.02)
    assert mirrored.sign.tolist() == 20 * [1.0] and not mirrored.away.any()
    tiny = np.log(np.sin(0.7e-5))
    beside = interpolated(np.append(1e-5, places), np.concatenate([[[1.0, 1.0, tiny, 0.0]], known]), np.ones(6), np.append(b0, 1e-5), True)
    np.testing.assert_allclose(beside.unknowns[:-1], mirrored.unknowns, atol=1e-4)
    np.testing.assert_allclose(beside.unknowns[-1], [1.0, 1.0, tiny, 0.0], atol=0.03)  # on the line through 0
    one = interpolated(places[:1], known[:1], np.ones(1), places[:1], True)
    np.testing.assert_allclose(one.unknowns, known[:1])
