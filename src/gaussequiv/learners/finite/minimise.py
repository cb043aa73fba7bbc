"""The minimiser of a convex objective, with its certificate."""

from __future__ import annotations

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.learners.finite.active_set import ENOUGH, settle
from gaussequiv.learners.finite.interior_point import central_path
from gaussequiv.learners.finite.newton import newton
from gaussequiv.learners.finite.objective import Minimum, Objective
from gaussequiv.learners.finite.proximal_newton import proximal_newton


def minimise(objective: Objective, start: tuple[FloatArray, float] | None = None) -> Minimum:
    """Newton's iteration where nothing has a kink or a piece; otherwise an interior-point method, and the face that it ends in.

    Where that falls short for a steep smooth loss with an L1 penalty, a proximal Newton iteration goes on.

    `start` is a first guess for Newton.
    """
    with np.errstate(all="ignore"):  # what overflows on the way is judged by the certificate at the end
        if objective.loss.pieces or objective.l1 > 0:
            found = settle(objective, central_path(objective))
            if found.residual > ENOUGH and not objective.loss.pieces:
                return proximal_newton(objective, found)
            return found
        return newton(objective, start)
