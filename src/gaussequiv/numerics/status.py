"""Statuses that stand beside every number; their values are messages."""

from __future__ import annotations

from enum import IntEnum

STATUS_MESSAGES = {
    "converged": "converged",
    "max_steps": "the iteration reached its maximal number of steps",
    "diverged": "the value is infinite (interpolation threshold without regularisation) or the iteration diverged",
    "nonfinite": "a non-finite number appeared",
    "interrupted": "the run was interrupted before this point",
    "single_class": "all labels of the training set are of one class: no classifier is fitted",
}


class Status(IntEnum):
    """Outcome of one point."""

    converged = 0
    max_steps = 1
    diverged = 2
    nonfinite = 3
    interrupted = 4
    single_class = 5

    @property
    def message(self) -> str:
        """The status in words."""
        return STATUS_MESSAGES[self.name]
