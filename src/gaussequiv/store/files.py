"""Files that survive a full disk and a kill at any moment: written beside the old one, flushed, put in its place in one step."""

from __future__ import annotations

import io
import os
import secrets
import stat
from pathlib import Path
from typing import Any

LONGEST_STEM = 100  # of a scratch file's name, which must not exceed what file systems allow


def replace(path: str | Path, content: bytes) -> Path:
    """Write `content` to `path`, whose folder is made if missing; a reader sees the old file or the new one, never a part.

    If anything fails (a full disk, an interrupt), the old file stays as it was, and nothing is left beside it. A symbolic link stays one.
    """
    path = Path(path)
    place = Path(os.path.realpath(path))
    place.parent.mkdir(parents=True, exist_ok=True)
    scratch = place.with_name(f"{place.name[:LONGEST_STEM]}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        with scratch.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        if place.exists():
            scratch.chmod(stat.S_IMODE(place.stat().st_mode))
        os.replace(scratch, place)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    _sync_folder(place.parent)
    return path


def replace_figure(path: str | Path, figure: Any, **options: Any) -> Path:
    """Draw a Matplotlib figure into `path` in the same way; `options` are those of ``savefig``."""
    picture = io.BytesIO()
    figure.savefig(picture, format=Path(path).suffix[1:].lower(), **options)
    return replace(path, picture.getvalue())


def _sync_folder(folder: Path) -> None:
    """The new name reaches the disk, too (systems without directory handles do it themselves)."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
