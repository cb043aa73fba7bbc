"""`Halfway`: what long work keeps of itself while it is under way, so that it goes on from there and not from its start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

State = Mapping[str, Any]  # arrays by name


class Halfway:
    """Arrays from which one piece of work goes on (`state`, empty at its start), and where it offers newer ones. This one keeps none.

    Work that takes hours begins at `state` and calls `offer` between its steps, wherever it could go on to the same last bit.

    Examples
    --------
    >>> halfway = Halfway()
    >>> total, done = halfway.state.get("total", 0), halfway.state.get("done", 0)
    >>> while done < 3:
    ...     total, done = total + done, done + 1
    ...     halfway.offer(lambda total=total, done=done: {"total": total, "done": done})
    >>> total
    3
    """

    def __init__(self, state: State | None = None) -> None:
        self.state: State = {} if state is None else state

    def offer(self, make: Callable[[], State]) -> None:
        """Take note that `make()` is the state now; it may be called now, later or never, so that it must not look at what changes."""
