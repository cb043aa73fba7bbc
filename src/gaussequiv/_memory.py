"""Sizes that cannot fit are refused by name before any work, with the estimate in the message."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from gaussequiv.errors import ArgumentError

FLOAT = 8  # bytes
ALWAYS = 1e5  # bytes that nobody needs to ask for


def available() -> float:
    """Bytes that this process may still take: what the system and a container's limit leave; infinite where nobody says."""
    return min(_system(), _container())


def require_memory(needed: float, name: str, value: Any, what: str) -> None:
    """Refuse an argument whose `what` need more bytes than there are.

    Raises
    ------
    ArgumentError : more than the memory that is available.
    """
    if needed <= ALWAYS:
        return
    free = available()
    try:
        needed = float(needed)
    except OverflowError:  # a whole number beyond all floats
        needed = float("inf")
    if needed > free:
        shown = f"{value:.6g}" if isinstance(value, float) else str(value)
        raise ArgumentError(
            f"Argument `{name}` must be small enough for the memory, but {name}={shown[:40]}: {what} need about {_words(needed)}, "
            f"and {_words(free)} are free."
        )


def _words(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB", "TB", "PB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} EB" if count < float("inf") else "endless bytes"


def _system() -> float:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024.0 * int(line.split()[1])
    except (OSError, ValueError, IndexError):
        pass  # not Linux
    try:
        return float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return float("inf")


def _container() -> float:
    try:
        group = Path("/sys/fs/cgroup")
        return float((group / "memory.max").read_text()) - float((group / "memory.current").read_text())
    except (OSError, ValueError):  # no control groups, or "max"
        return float("inf")
