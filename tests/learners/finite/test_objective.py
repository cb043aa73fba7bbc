"""What a certificate says."""

import numpy as np

from gaussequiv.ingredients.losses import named as losses
from gaussequiv.learners.finite.objective import Objective


def test_a_point_far_out_is_no_minimum():
    """Stationary with matching signs, and proximal to the kinks within 1e-16 of its fields: they are of size 1e16."""
    rng = np.random.default_rng(0)
    a, y = rng.standard_normal((20, 20)) / np.sqrt(20), rng.standard_normal(20)
    objective = Objective(a, y, np.ones(20), losses.get("huber:1.35"), 0.0, 0.1)
    w = 1e16 * rng.standard_normal(20)
    dual = np.linalg.solve(a.T, -0.1 * np.sign(w))
    assert objective.violation(w, 0.0, dual) < 1e-14
    found = objective.certified(w, 0.0, dual, 1)
    assert np.all(found.w == 0) or found.residual == np.inf
