"""Progress bars: on a terminal, never on a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


def progress_bar(items: Sequence[T], label: str, show: bool | None) -> Iterator[T]:
    """Iterate with a bar on stderr if `show`, or if it is None and stderr is a terminal."""
    if show is None:
        show = sys.stderr.isatty()
    if not show:
        yield from items
        return
    from rich.console import Console
    from rich.progress import track as bar

    yield from bar(items, description=label, console=Console(stderr=True))


@contextmanager
def watched(label: str, show: bool | None, wait: float = 0.0) -> Iterator[Callable[[float, float, str], None] | None]:
    """`tell(done, total, words)` moves a bar on stderr, drawn from `wait` seconds on, where `progress_bar` would draw one; else None."""
    if not (sys.stderr.isatty() if show is None else show):
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(console=Console(stderr=True))
    task, since = bar.add_task(label, total=None), time.monotonic()

    def tell(done: float, total: float, words: str) -> None:
        bar.update(task, completed=done, total=total, description=f"{label}, {words}")
        if time.monotonic() >= since + wait:
            bar.start()

    try:
        yield tell
    finally:
        if bar.live.is_started:
            bar.stop()
