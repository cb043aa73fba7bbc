"""Which papers there are: the modules of the room `papers` whose names are a word, a year and, among papers of one year, a letter."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

from gaussequiv.errors import choice
from gaussequiv.reproduce.paper import Paper

_KEY = re.compile(r"[a-z]+\d{4}[a-z]?")


PAPERS = Path(__file__).parents[1] / "papers"


def keys(folder: Path = PAPERS) -> tuple[str, ...]:
    """Keys of all papers, without importing them.

    Examples
    --------
    >>> "cui2023" in keys()
    True
    """
    return tuple(sorted(path.stem for path in folder.glob("*.py") if _KEY.fullmatch(path.stem)))


def get(key: str) -> Paper:
    """The paper of that key, with a did-you-mean.

    Examples
    --------
    >>> [figure.name for figure in get("cui2023").figures]
    ['regression', 'classification']
    """
    paper: Paper = import_module(f"gaussequiv.papers.{choice('key', key, keys())}").PAPER
    return paper
