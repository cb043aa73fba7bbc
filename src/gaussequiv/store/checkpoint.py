"""Checkpoints: a header that names the call, and arrays, in a file that is replaced in one step and carries its digest."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gaussequiv.errors import ArgumentError
from gaussequiv.store import seal
from gaussequiv.store.files import replace

HEADER = "header"


def write(path: Path, header: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """Replace `path` by a file with this header (JSON) and these arrays; a reader sees the old file or the new one, never a part."""
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    np.savez(buffer, **{HEADER: text}, **{name: np.asarray(value) for name, value in arrays.items()})  # type: ignore[arg-type]
    replace(path, seal.sealed(buffer.getvalue()))


def unpacked(content: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and arrays of a file's content; anything may be raised where another program wrote it."""
    with np.load(io.BytesIO(seal.opened(content)), allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    header = json.loads(arrays.pop(HEADER).tobytes().decode())
    if not isinstance(header, dict):
        raise ValueError("its header is no object")
    return header, arrays


def read(path: Path, argument: str = "checkpoint") -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and arrays of a checkpoint, as they were written; `argument` is what the caller's user names it by."""
    try:
        return unpacked(path.read_bytes())
    except Exception as error:  # the archive of another program may break any of its readers in any way
        raise foreign(path, error, argument) from None


def foreign(path: Path, reason: object, argument: str = "checkpoint") -> ArgumentError:
    """The error of a file that no run of this call wrote; the caller raises it."""
    return ArgumentError(
        f"Argument `{argument}` must be a new file or one that an earlier run wrote, but {str(path)!r} is not: {str(reason)[:120]}."
    )


def same_call(path: Path, stored: Mapping[str, Any], present: Mapping[str, Any], argument: str = "checkpoint") -> None:
    """Refuse a checkpoint of another call: the numbers would be a mixture of two."""
    for key in sorted(set(stored) | set(present)):
        old, new = stored.get(key), present.get(key)
        if old != new:
            raise ArgumentError(
                f"Argument `{argument}` must be a new file or one of the same call, but {str(path)!r} was written with another {key}: "
                f"{_short(old)}, now {_short(new)}. Give another path, or remove the file to start again."
            )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 100 else text[:97] + "..."
