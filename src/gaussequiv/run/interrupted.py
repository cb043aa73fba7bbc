"""`Interrupted`: what a user's Ctrl-C leaves."""

from __future__ import annotations

from typing import Any


class Interrupted(KeyboardInterrupt):
    """The user stopped a verb; `partial` holds what was finished (None if nothing was)."""

    def __init__(self, partial: Any) -> None:
        super().__init__("interrupted")
        self.partial = partial
