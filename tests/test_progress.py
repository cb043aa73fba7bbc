"""Bars: on a terminal, or where they are asked for; nothing on a pipe."""

import sys
import time

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv._progress import progress_bar, watched

F = np.random.default_rng(0).standard_normal((12, 4))


def slow(c):
    time.sleep(0.02)
    return np.tanh(c @ F.T)


@pytest.mark.parametrize("terminal", [False, True])
def test_moments_are_watched_on_a_terminal_alone(terminal, capsys, monkeypatch):
    """Twelve outputs to 0.3%: a second of blocks, so that the bar that waits for one is drawn."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    generator = ge.FunctionGenerator(slow, latent_dim=4, name="slow", tolerance=0.004, max_samples=100_000)
    found = generator.moments()
    assert max(found.omega_error, found.phi_error) <= 0.004 and found.samples > 50 * 1024
    told = capsys.readouterr().err
    assert ("moments of slow, error" in told) == terminal
    assert terminal or told == ""


def test_short_work_draws_no_bar(capsys):
    with watched("work", True, wait=60.0) as tell:
        tell(1, 2, "half")
    assert capsys.readouterr().err == ""
    with watched("work", None) as tell:
        assert tell is None
    with watched("work", True) as tell:
        tell(1, 2, "half")
    assert "work, half" in capsys.readouterr().err


def test_items_pass_with_and_without_a_bar(capsys):
    assert list(progress_bar(range(3), "counting", False)) == [0, 1, 2] == list(progress_bar(range(3), "counting", None))
    assert capsys.readouterr().err == ""
    assert list(progress_bar(range(3), "counting", True)) == [0, 1, 2]
    assert "counting" in capsys.readouterr().err
