"""A pytest plugin: a test that takes too much CPU time fails, and a run that has taken its share ends early.

A wrong sign can make a loop endless or a solver slow; both count as noticed if the unchanged code passes the same test in time.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

ONE = float(os.environ.get("MUTATION_TEST_SECONDS", "60"))
ALL = float(os.environ.get("MUTATION_RUN_SECONDS", "inf"))


class TooSlow(BaseException):
    """Not an Exception, so that no handler of the code under test keeps it."""


def _stop(*_: Any) -> None:
    raise TooSlow(f"more than {ONE} s of CPU time")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Bound the CPU time of one test."""
    old = signal.signal(signal.SIGPROF, _stop)
    signal.setitimer(signal.ITIMER_PROF, ONE)
    try:
        return (yield)
    except TooSlow as slow:
        raise AssertionError(str(slow)) from None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, old)


def pytest_runtest_logfinish(nodeid: str, location: Any) -> None:
    """Bound that of the run."""
    if time.process_time() > ALL:
        pytest.exit("the time of this run is spent", returncode=0)
