"""The axis of supervised problems in the linear regime."""

from __future__ import annotations

from gaussequiv.curve import Observable
from gaussequiv.problems.base import Axis

ALPHA_MEANING = "alpha is the number of samples per input dimension, n/d."
ALPHA = Axis("alpha", "samples per input dimension n/d")
WORDS = {
    "alpha": Observable(ALPHA.label, ALPHA.unit),
    "n": Observable("training samples"),
    "offset": Observable("mean of the target's field on the test rows", "output units"),
}
