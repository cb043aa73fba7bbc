"""`Interrupted`: what a user's Ctrl-C leaves, and how it is put together."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Interrupted(KeyboardInterrupt):
    """The user stopped a verb; `partial` holds what was finished (None if nothing was)."""

    def __init__(self, partial: Any) -> None:
        super().__init__("interrupted")
        self.partial = partial


@contextmanager
def unheard() -> Iterator[None]:
    """A block that a further Ctrl-C does not stop: what was finished is being put together, or written."""
    heard = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    shielded = [number for number, handler in heard.items() if callable(handler)]
    if threading.current_thread() is not threading.main_thread():
        shielded = []
    for number in shielded:
        signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        for number in shielded:
            signal.signal(number, heard[number])


def keeping(collect: Callable[[], Any]) -> Interrupted:
    """The exception that carries `collect()`, the finished part, which a further Ctrl-C does not cost. The caller raises it."""
    with unheard():
        return Interrupted(collect())
