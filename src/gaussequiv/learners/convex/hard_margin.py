"""lam -> 0+ on separable data: the maximum margin."""

from __future__ import annotations

import numpy as np

from gaussequiv.ingredients.losses.named import MaxMargin, SquaredHinge
from gaussequiv.learners.convex.model import Model, Points
from gaussequiv.learners.convex.routes import Routes
from gaussequiv.learners.convex.saddle_point import SolvedPoints
from gaussequiv.learners.convex.scores import Observables


def hard_margin(model: Model, at: Points) -> tuple[SolvedPoints, Observables]:
    """lam -> 0+ on separable data: least |w| with every margin at least 1; V in units of 1/lam."""
    model, slack = model.with_loss(MaxMargin()), model.with_loss(SquaredHinge())
    unit = Points(at.load, np.ones_like(at.lam), at.b0)
    # the squared hinge at a small penalty is the same problem but for a slack: V, Vhat, qhat, mhat scale as lam, 1/lam, 1/lam^2, 1/lam
    small = 1e-3 * model.scale / np.maximum(at.load, 1.0) ** 2
    soft = Routes(slack).solve(Points(at.load, small, at.b0))
    start = soft.unknowns - np.log(small)[:, None] * np.array([1.0, 2.0, 1.0, 0.0])  # of Vhat, qhat, mhat and u
    solution = model.saddle(unit, soft.sign).solve(start, damped_steps=0)
    solution.steps += soft.steps
    out = model.observe(solution)
    for name in ("test_loss", "log_loss", "brier", "calibration_error"):  # the scale of the student is infinite
        out.pop(name, None)
    return solution, out | {"train_loss": np.zeros_like(at.lam), "train_error": np.zeros_like(at.lam)}
