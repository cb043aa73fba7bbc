"""The commands on the page about the command line print what the page shows."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gaussequiv.cli import app

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?(?![\w.])")
# they need a file of an earlier command or of the reader's, or speak of the machine
ELSEWHERE = ("doctor", "predict-curve", "rows-for", "plot", "list", "--problem problem.toml", "--data digits")
LONG = ("sample-posterior", "network-information", "reproduce")  # from here the numbers are chains' or too long to wait for
NEWER = ("thresholds", "fixed-points", "phase-diagram", "information", "validity", "track", "sample-posterior", "network-information")


def examples() -> list[tuple[str, list[str]]]:
    """Every command of the page with the lines that follow it."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL):
        for line in block.replace("\\\n", "").splitlines():
            if line.startswith("$ gaussequiv "):
                found.append((line.removeprefix("$ gaussequiv ").partition("  #")[0], []))
            elif line.strip():
                found[-1][1].append(line.rstrip())
    return found


SHOWN = [(call, lines) for call, lines in examples() if lines and not any(words in call for words in ELSEWHERE)]


def same(shown: str, printed: str, numbers: bool) -> bool:
    """The same words, and numbers up to rounding; '...' stands for the rest of a line."""
    head, dots, _ = shown.partition("...")
    ours, theirs = NUMBER.sub("#", head).split(), NUMBER.sub("#", printed).split()
    values = [[float(value) for value in NUMBER.findall(text)] for text in (head, printed)]
    if not (theirs[: len(ours)] == ours if dots else theirs == ours):
        return False
    return not numbers or values[1][: len(values[0])] == pytest.approx(values[0], rel=1e-3, abs=1e-6)


@pytest.mark.parametrize(
    ("call", "lines"),
    [pytest.param(*one, id=f"{i}-{one[0][:40]}", marks=[pytest.mark.slow] * one[0].startswith(LONG)) for i, one in enumerate(SHOWN)],
)
def test_the_page_shows_what_a_command_prints(call, lines, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, shlex.split(call))
    assert result.exit_code == 0, result.stderr
    printed = iter(result.stdout.splitlines())
    for line in lines:
        if line.strip() != "...":
            assert any(same(line, other, not call.startswith(LONG)) for other in printed), line


@pytest.mark.parametrize("command", NEWER)
def test_every_command_of_inference_is_shown_with_its_output(command):
    assert any(call.split()[0] == command for call, _ in SHOWN)


def test_a_prior_is_shown():
    assert any("theory --prior" in call for call, _ in SHOWN)
