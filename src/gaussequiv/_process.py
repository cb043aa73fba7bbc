"""The command line as a process: Ctrl-C and SIGTERM at any moment, streams that fail at the end, exit codes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

FAILURE, INTERRUPTED = 1, 130
AGAIN = 0.02  # seconds after which a signal that came during an import is heard
TIMED = hasattr(signal, "setitimer")
HEARD = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", *(("SIGALRM",) if TIMED else ()))]


def run(command: Callable[[], Any]) -> None:
    """Call a command that ends with `SystemExit`, and leave the process with its code.

    An interrupted process leaves without tearing its libraries down: some do not survive that after they were stopped in mid-call.
    """
    _listen()
    try:
        try:
            command()
        finally:
            _stop_listening()
    except KeyboardInterrupt:
        _stop_listening()
        print("interrupted", file=sys.stderr)
        _leave()
    except SystemExit as end:
        if end.code == INTERRUPTED:
            if _stopped_while_parsing(end):
                print("interrupted", file=sys.stderr)
            _leave()
        _end()
        raise
    _end()


def _stopped_while_parsing(end: SystemExit) -> bool:
    """Whether the command line's library left on KeyboardInterrupt, of which no command has said anything."""
    return end.__context__ is not None and isinstance(end.__context__.__cause__, KeyboardInterrupt)


def silence(stream: Any) -> None:
    """What is still to be printed goes nowhere: the reader has left, or the disk behind it is full."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError):  # a stream without a file behind it keeps nothing back
        pass


def _listen() -> None:
    """SIGINT and SIGTERM raise KeyboardInterrupt, but not inside an import, which cannot be stopped half-way and made again."""

    def heard(number: int, frame: Any) -> None:
        if TIMED and _importing(frame):
            signal.setitimer(signal.ITIMER_REAL, AGAIN)
            return
        raise KeyboardInterrupt

    for number in HEARD:
        signal.signal(number, heard)


def _stop_listening() -> None:
    """The code is decided: signals that arrive from now on, those that wait for the end of an import included, do not change it."""
    for number in HEARD:
        signal.signal(number, signal.SIG_IGN)


def _importing(frame: Any) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


def _end() -> None:
    """Output that cannot be written is a failure, and said in a sentence; a reader who has seen enough is none."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        silence(sys.stdout)
    except OSError as error:
        silence(sys.stdout)
        print(f"error: the output could not be printed: {error}", file=sys.stderr)
        raise SystemExit(FAILURE) from None


def _leave() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, AttributeError):  # nobody reads it any more
            pass
    os._exit(INTERRUPTED)
