"""Progress bars: on a terminal, never on a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
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
