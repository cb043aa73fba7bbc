"""The Python of the pages runs, from the top of each page down, and gives the numbers that stand beside and below it."""

import ast
import contextlib
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?", re.DOTALL)
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def shown(value):
    """A value as a notebook shows it, wide, and arrays with all their digits."""
    if isinstance(value, tuple):
        return " ".join(shown(one) for one in value)
    if isinstance(value, xr.DataArray):
        value = value.values
    if isinstance(value, np.ndarray):
        return " ".join(map(repr, value.ravel().tolist()))
    return repr(value)


def follows(said, given):
    """Whether the numbers of a comment or a line stand in this order among those given, to the digits that are said."""
    left = iter([float(number) for number in NUMBER.findall(given)])
    for text in NUMBER.findall(said):
        number = float(text)
        close = max(1e-4 * abs(number), 0.51 * 10.0 ** -len(text.partition(".")[2])) if "." in text else 0.0
        if not any(abs(other - number) <= close for other in left):
            return False
    return True


def run(block, space):
    """Statement by statement: what each prints or is, and what a comment beside it says of it."""
    lines, printed, wrong = block.splitlines(), [], []
    for node in ast.parse(block).body:
        out = io.StringIO()
        said = lines[node.end_lineno - 1][node.end_col_offset :].partition("#")[2]
        expression = isinstance(node, ast.Expr)
        with contextlib.redirect_stdout(out):
            try:
                if expression:
                    value = eval(compile(ast.Expression(node.value), "page", "eval"), space)
                    out.write("" if value is None else shown(value))
                else:
                    exec(compile(ast.Module([node], []), "page", "exec"), space)
            except Exception as error:
                if type(error).__name__ not in said:
                    raise
                out.write(f"{type(error).__name__} {error}")
        if expression and not follows(said, out.getvalue()):
            wrong.append((said, out.getvalue()))
        printed += out.getvalue().splitlines()
    below = [line for line in lines if line.startswith("# ")]  # a comment of its own shows a printed line
    rest = iter(printed)
    wrong += [line for line in below if not any(follows(line, other) for other in rest)]
    return printed, wrong


def same(line, other):
    """The same words, and the same numbers to the digits that are shown."""
    words = [NUMBER.sub("#", text).split() for text in (line, other)]
    return words[0] == words[1] and follows(line, other)


PAGES = ["README.md", "docs/tour.md"]
SLOW = ["docs/inference.md", "docs/more_data.md", "docs/index.md"]  # chains, fits, and the block of the README again


@pytest.mark.parametrize("name", [*PAGES, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_a_page_is_true(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    space = {"__name__": "__main__"}
    blocks = BLOCK.findall((ROOT / name).read_text())
    assert blocks
    with pd.option_context("display.width", 200, "display.max_columns", 20):  # whatever the terminal
        for block, text in blocks:
            printed, wrong = run(block, space)
            rest = iter(printed)
            wrong += [line for line in text.splitlines() if line.strip() not in ("", "...") and not any(same(line, o) for o in rest)]
            assert not wrong, (block, printed)


def test_untrue_lines_are_seen():
    assert run("1.23456\n", {})[1] == [] and run("1.23456  # 1.2346 nats\n", {})[1] == []
    assert run("1.23456  # 1.2350\n", {})[1] and run("print(2)\n# 3\n", {})[1]
    assert same("a 0.5", "a  0.50001") and not same("b 0.5", "a 0.5")
