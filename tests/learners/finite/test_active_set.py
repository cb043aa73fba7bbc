"""Faces that an interior point names wrongly are corrected, to the exact zeros and kinks of the minimiser."""

import numpy as np
import pytest

from gaussequiv.ingredients.losses import named as losses
from gaussequiv.ingredients.losses.custom import CustomLoss
from gaussequiv.learners.finite import active_set
from gaussequiv.learners.finite.active_set import _Face, settle
from gaussequiv.learners.finite.interior_point import Interior, central_path
from gaussequiv.learners.finite.objective import Objective

STEEPER = CustomLoss(lambda r: 0.5 * r**2 * (1 + 99 * (r > 0)), "residual", name="steeper above", slope=lambda r: r * (1 + 99 * (r > 0)))
CASES = {
    "hinge": ("hinge", 0.2, 0.0),
    "squared hinge": ("squared_hinge", 0.2, 0.0),
    "absolute": ("absolute", 0.2, 0.0),
    "huber": ("huber:0.5", 0.2, 0.0),
    "lasso": ("square", 0.0, 0.3),
    "hinge and L1": ("hinge", 0.05, 0.3),
    "logistic and L1": ("logistic", 0.0, 0.1),
    "two slopes": (STEEPER, 0.1, 0.0),
}


def problem(name, seed):
    loss, l2, l1 = CASES[name]
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((60, 30)) / np.sqrt(30)
    field = a @ rng.standard_normal(30) + 0.5 * rng.standard_normal(60) + 0.2
    loss = losses.get(loss) if isinstance(loss, str) else loss
    return Objective(a, np.sign(field) if loss.kind == "margin" else field, rng.uniform(0.3, 2.0, 60), loss, l2, l1, True)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("hinge", 3), ("squared hinge", 3), ("huber", 3), ("lasso", 3), ("two slopes", 3), ("logistic and L1", 1), ("absolute", 0)],
)
def test_wrong_states_are_moved(name, wrong):
    """Rows and weights whose state is changed to a neighbouring one: the same minimiser, certified to rounding.

    Near the right face alone does the iteration have to arrive: not from all wrong ends of a loss without a curvature.
    """
    for seed in range(3):
        o = problem(name, seed)
        inside = central_path(o)[0]
        exact = settle(o, [inside])
        assert exact.residual < 1e-12
        rng = np.random.default_rng((seed, 1))
        state, sign = inside.state.copy(), inside.sign.copy()
        for part in (state, sign):
            if part.size:
                at = tuple(rng.integers(0, size, wrong) for size in part.shape)
                part[at] = np.where(part[at] == 0, rng.choice([-1, 1], wrong), 0)
        if state.size:  # pieces without an end have no state there
            low, high = (np.array([piece[i] for piece in o.loss.pieces])[:, None] for i in (1, 2))
            state = np.where((state < 0) & np.isinf(low) | (state > 0) & np.isinf(high), 0, state)
        found = settle(o, [inside._replace(state=state, sign=sign)])
        assert found.residual < 1e-12
        np.testing.assert_allclose(found.w, exact.w, rtol=1e-8, atol=1e-9)
        assert found.c == pytest.approx(exact.c, abs=1e-8)
        assert found.steps == inside.steps


@pytest.mark.parametrize("name", CASES)
def test_zeros_and_kinks_are_exact(name):
    o = problem(name, 5)
    inside = central_path(o)[0]
    found = settle(o, [inside])
    t = o.rows @ np.append(found.w, found.c) - o.origin
    for (position, _, _, width), state in zip(o.loss.pieces, inside.state, strict=True):
        if width == 0:
            assert np.max(np.abs(t[state == 0] - position), initial=0.0) < 1e-12
    if o.l1 > 0:
        assert np.array_equal(found.w == 0, inside.sign == 0)


def face_of(loss="huber:0.5", l1=0.3, intercept=True, seed=0):
    """A face named at random, of an objective with unequal weights, L1 and L2."""
    rng = np.random.default_rng(seed)
    n, p, one = 14, 6, losses.get(loss)
    y = rng.standard_normal(n)
    y = np.sign(y) if one.kind == "margin" else y
    o = Objective(rng.standard_normal((n, p)), y, rng.uniform(0.3, 2, n), one, 0.7, l1, intercept)
    x = rng.standard_normal(p + intercept)
    state = rng.integers(-1, 2, (len(one.pieces), n))
    low, high = (np.array([piece[i] for piece in one.pieces])[:, None] * o.weights for i in (1, 2))
    state = np.where((state < 0) & np.isinf(low) | (state > 0) & np.isinf(high), 0, state)
    v = 0.8 * rng.standard_normal(state.shape)
    sign = rng.integers(-1, 2, p) if l1 > 0 else np.zeros(0, dtype=int)
    return o, Interior(x, v, state, sign, 3), low, high


@pytest.mark.parametrize("loss", ["huber:0.5", "hinge", "squared_hinge", "quantile:0.8"])
@pytest.mark.parametrize("l1", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(3))
def test_what_contradicts_its_state_is_moved(loss, l1, seed):
    o, inside, low, high = face_of(loss, l1, seed=seed)
    face = _Face(o, inside)
    t = o.rows @ inside.x - o.origin
    value = np.where(inside.state < 0, low, np.where(inside.state > 0, high, inside.multipliers))
    np.testing.assert_allclose(face.values(), value)
    state, v = inside.state.copy(), inside.multipliers.copy()
    for k, (position, _, _, width) in enumerate(o.loss.pieces):
        for i in range(t.size):
            off = t[i] - position - width / o.weights[i] * value[k, i]
            if state[k, i] == 0:
                state[k, i] = 1 if v[k, i] > high[k, i] else -1 if v[k, i] < low[k, i] else 0
            elif state[k, i] * off < 0:  # behind its end
                state[k, i], v[k, i] = 0, value[k, i]
    sign = inside.sign.copy()
    if l1 > 0:
        w = inside.x[:6]
        slope = o.sign * (o.smooth(t)[0] + value.sum(axis=0))
        pull = -(o.a.T @ slope + 0.7 * w)
        for j in range(6):
            if sign[j] == 0:
                sign[j] = np.sign(pull[j]) if abs(pull[j]) > 0.3 else 0
            elif w[j] * sign[j] < 0:
                sign[j] = 0
    assert face.change()
    np.testing.assert_array_equal(face.state, state)
    np.testing.assert_array_equal(face.sign, sign)
    np.testing.assert_allclose(face.v, v)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize(("loss", "l1"), [("huber:0.5", 0.3), ("hinge", 0.3), ("logistic", 0.2), ("squared_hinge", 0.0)])
def test_a_face_is_solved_to_its_own_conditions(loss, l1, intercept):
    """Stationary in free weights and the constant, zero weights at zero, middle pieces on their lines (or kinks, where few are held)."""
    o, inside, _, _ = face_of(loss, l1, intercept)
    state = inside.state.copy()
    if loss == "hinge":
        state[:, 3:] = np.where(state[:, 3:] == 0, 1, state[:, 3:])  # more held rows than weights have no solution
    face = _Face(o, inside._replace(state=state, x=0.1 * inside.x))  # a few plain Newton steps away
    face.solve()
    t = o.rows @ face.x - o.origin
    pull = np.append(l1 * inside.sign if l1 > 0 else np.zeros(6), np.zeros(int(intercept)))
    gradient = o.rows.T @ (o.smooth(t)[0] + face.values().sum(axis=0)) + o.bend * face.x + pull
    free = np.append(inside.sign != 0 if l1 > 0 else np.ones(6, bool), np.ones(int(intercept), bool))
    size = np.abs(o.rows).T @ np.abs(o.smooth(t)[0] + face.values().sum(axis=0)) + l1
    assert np.all(np.abs(gradient[free]) < 1e-8 * size[free]) and not np.any(face.x[~free])
    for k, (position, _, _, width) in enumerate(o.loss.pieces):
        middle = state[k] == 0
        np.testing.assert_allclose((t - position - width / o.weights * face.v[k])[middle], 0, atol=1e-6)
    found = face.solution(9)
    assert found.steps == 9


def test_a_face_without_weights_reads_its_multipliers_off_the_fields():
    o, inside, _, _ = face_of(l1=0.3, intercept=False)
    face = _Face(o, inside._replace(sign=np.zeros(6, dtype=int)))
    face.solve()
    assert not np.any(face.x)
    for k, (position, _, _, width) in enumerate(o.loss.pieces):
        middle = (inside.state[k] == 0) & (width > 0)
        np.testing.assert_allclose(face.v[k][middle], ((-o.origin - position) * o.weights / max(width, 1e-9))[middle], rtol=1e-12)
        np.testing.assert_allclose(face.v[k][~middle], inside.multipliers[k][~middle])


def test_one_face_is_enough_where_the_first_is_certified(monkeypatch):
    rng = np.random.default_rng(0)
    a = rng.standard_normal((30, 6))
    o = Objective(a, np.sign(a @ rng.standard_normal(6) + rng.standard_normal(30)), np.ones(30), losses.get("hinge"), 0.2, 0.0, True)
    points, tried = central_path(o), []
    assert len(points) > 1

    class Counted(_Face):
        def __init__(self, *given):
            tried.append(given)
            super().__init__(*given)

    monkeypatch.setattr(active_set, "_Face", Counted)
    assert settle(o, points).residual <= active_set.ENOUGH and len(tried) == 1
    # a first point far away, with every state wrong, gives way to the next
    lost = points[0]._replace(x=1e3 + 0 * points[0].x, state=-points[0].state - 1)
    tried.clear()
    assert settle(o, [lost, *points]).residual <= active_set.ENOUGH and len(tried) <= 2
