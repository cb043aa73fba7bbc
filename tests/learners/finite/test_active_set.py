"""Faces that an interior point names wrongly are corrected, to the exact zeros and kinks of the minimiser."""

import numpy as np
import pytest

from gaussequiv.ingredients.losses import named as losses
from gaussequiv.ingredients.losses.custom import CustomLoss
from gaussequiv.learners.finite.active_set import settle
from gaussequiv.learners.finite.interior_point import central_path
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
