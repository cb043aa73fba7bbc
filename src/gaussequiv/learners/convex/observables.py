"""Words and units of what convex learners report."""

from __future__ import annotations

from gaussequiv.curve import Observable
from gaussequiv.learners.observables import COMMON

DISTRIBUTIONS = {
    "test_margin_cdf": Observable("fraction of fresh rows with a margin up to this"),
    "train_margin_cdf": Observable("fraction of training rows with a margin up to this"),
    "calibration": Observable("probability of +1 given the predicted one"),
}
GRIDS = {"margin": Observable("margin y z", "output units"), "probability": Observable("predicted probability of +1")}
CONVEX = (
    COMMON
    | DISTRIBUTIONS
    | GRIDS
    | {
        "intercept": Observable("constant of the student", "output units"),
        "test_loss": Observable("mean loss on fresh rows", "loss units"),
        "train_loss": Observable("mean weighted loss on training rows", "loss units"),
        "degrees_of_freedom": Observable("degrees of freedom per input dimension"),
        "bias": Observable("squared bias", "output units"),
        "variance": Observable("variance over training sets", "output units"),
    }
)
