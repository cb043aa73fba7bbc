"""Checkpoints that survive a kill at any moment: written beside the old one, flushed to the disk, put in its place in one step."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gaussequiv.errors import ArgumentError

HEADER = "header"


def write(path: Path, header: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """Replace `path` by a file with this header (JSON) and these arrays; a reader sees the old file or the new one, never a part."""
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    np.savez(buffer, **{HEADER: text}, **{name: np.asarray(value) for name, value in arrays.items()})  # type: ignore[arg-type]
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.name}.{os.getpid()}.part")
    with scratch.open("wb") as stream:
        stream.write(buffer.getbuffer())
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(scratch, path)
    _sync_folder(path.parent)


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


def read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and arrays of a checkpoint."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        return json.loads(arrays.pop(HEADER).tobytes().decode()), arrays
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        raise ArgumentError(
            f"Argument `checkpoint` must be a new file or one that a sampling run wrote, but {str(path)!r} is not: {str(error)[:120]}."
        ) from None


def same_call(path: Path, stored: Mapping[str, Any], present: Mapping[str, Any]) -> None:
    """Refuse a checkpoint of another call: the numbers would be a mixture of two."""
    for key in sorted(set(stored) | set(present)):
        old, new = stored.get(key), present.get(key)
        if old != new:
            raise ArgumentError(
                f"Argument `checkpoint` must be a new file or one of the same call, but {str(path)!r} was written with another {key}: "
                f"{_short(old)}, now {_short(new)}. Give another path, or remove the file to start again."
            )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 100 else text[:97] + "..."
