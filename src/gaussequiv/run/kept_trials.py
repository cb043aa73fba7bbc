"""Finished trials of `simulate`, and the one under way, in a file, so that a run that was killed goes on to the same bits."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gaussequiv.curve import Curve, Observable
from gaussequiv.errors import fail
from gaussequiv.problems.base import Solvable
from gaussequiv.results import versions
from gaussequiv.store import checkpoint
from gaussequiv.store.halfway import Halfway, State

FORMAT = 1
HALFWAY_EVERY = 10.0  # seconds
HALFWAY = "halfway"


class KeptTrials:
    """The curves of the finished trials, in their order, in memory and, where there is a path, in a file.

    Beside them the file has what the trial under way keeps of itself (`halfway`), every ten seconds and at an interruption. It belongs to
    a problem, its points, size, seed and options and to the versions of the libraries, not to a number of trials.
    """

    def __init__(self, path: Any, problem: Solvable, points: Any, size: int | None, seed: int, options: Mapping[str, Any]) -> None:
        if path is not None and not isinstance(path, (str, Path)):
            raise fail("checkpoint", "a path of a file", path)
        self.path = None if path is None else Path(path)
        self.curves: list[Curve] = []
        self._stored, self._saved, self._cost = 0, 0.0, 0.0
        self._begun = time.monotonic()
        self._state: State = {}
        self._newer: Callable[[], State] | None = None  # than what the file has of the trial under way
        if self.path is None:
            return
        asked = {name: np.asarray(value).tolist() for name, value in options.items() if value is not None}
        call = {"problem": problem.to_dict(), "points": np.asarray(points).tolist(), "size": size, "seed": seed, "options": asked}
        self._header = json.loads(json.dumps({"simulate": FORMAT, "versions": versions()} | call))
        if self.path.exists():
            header, arrays = checkpoint.read(self.path)
            curves = header.pop("curves", None)
            checkpoint.same_call(self.path, header, self._header)
            if not isinstance(curves, list):
                raise checkpoint.foreign(self.path, "it holds no trials")
            self.curves = [_curve(number, facts, arrays) for number, facts in enumerate(curves)]
            self._state = {name.removeprefix(f"{HALFWAY}/"): value for name, value in arrays.items() if name.startswith(f"{HALFWAY}/")}
            self._stored = len(self.curves)

    def add(self, curve: Curve) -> None:
        """Keep the next trial; the file is written anew unless that would take a tenth of the time."""
        self.curves.append(curve)
        self._state, self._newer = {}, None
        if time.monotonic() - self._saved >= 10 * self._cost:
            self.save()

    def halfway(self) -> Halfway:
        """Of the next trial."""
        return _NextTrial(self)

    def hold(self, make: Callable[[], State]) -> None:
        """The state of the next trial."""
        self._newer = make
        if time.monotonic() - max(self._saved, self._begun) >= max(HALFWAY_EVERY, 10 * self._cost):
            self.save()

    def save(self) -> None:
        """Write the file, if there is one and it lacks trials, or the state of the next."""
        if self.path is None or (self._stored == len(self.curves) and self._newer is None):
            return
        begun = time.monotonic()
        if self._newer is not None:
            self._state, self._newer = self._newer(), None
        facts, arrays = [_facts(one) for one in self.curves], dict[str, Any]()
        for number, one in enumerate(self.curves):
            arrays |= {f"{number}/{name}": value for name, value in _arrays(one).items()}
        arrays |= {f"{HALFWAY}/{name}": value for name, value in self._state.items()}
        checkpoint.write(self.path, self._header | {"curves": facts}, arrays)
        self._stored, self._saved = len(self.curves), time.monotonic()
        self._cost = self._saved - begun


class _NextTrial(Halfway):
    """Kept by the file of all trials."""

    def __init__(self, kept: KeptTrials) -> None:
        super().__init__(kept._state)
        self._kept = kept

    def offer(self, make: Callable[[], State]) -> None:
        self._kept.hold(make)


def _arrays(curve: Curve) -> dict[str, Any]:
    found: dict[str, Any] = {f"values/{name}": value for name, value in curve.items()}
    found |= {f"beside/{name}": np.asarray(value) for name, (_, value) in curve.beside.items()}
    for name, value in curve.coordinates.items():
        found[f"coordinates/{name}"] = np.asarray(value[1] if isinstance(value, tuple) else value)
    return found if curve.allowance is None else found | {"allowance": curve.allowance}


def _facts(curve: Curve) -> dict[str, Any]:
    """What is not an array, in the order in which it came."""
    coordinates = {name: list(_dims(value[0])) if isinstance(value, tuple) else None for name, value in curve.coordinates.items()}
    return {
        "values": {name: list(curve.extra.get(name, ())) for name in curve},
        "beside": {name: list(dims) for name, (dims, _) in curve.beside.items()},
        "coordinates": coordinates,
        "labels": {name: list(words) for name, words in curve.labels.items()},
        "citations": list(curve.citations),
        "leading": list(curve.leading),
        "attributes": curve.attributes,
        "resolved": curve.resolved,
        "judged": curve.judged,
    }


def _dims(dims: Any) -> tuple[str, ...]:
    return (dims,) if isinstance(dims, str) else tuple(dims)


def _curve(number: int, facts: Mapping[str, Any], arrays: Mapping[str, Any]) -> Curve:
    own = {name.removeprefix(f"{number}/"): value for name, value in arrays.items() if name.startswith(f"{number}/")}
    coordinates = {
        name: own[f"coordinates/{name}"] if dims is None else (tuple(dims), own[f"coordinates/{name}"])
        for name, dims in facts["coordinates"].items()
    }
    return Curve(
        {name: (tuple(extra), own[f"values/{name}"]) for name, extra in facts["values"].items()},
        labels={name: Observable(*words) for name, words in facts["labels"].items()},
        citations=facts["citations"],
        leading=facts["leading"],
        beside={name: (tuple(dims), own[f"beside/{name}"]) for name, dims in facts["beside"].items()},
        coordinates=coordinates,
        attributes=facts["attributes"],
        resolved=facts["resolved"],
        judged=facts["judged"],
        allowance=own.get("allowance"),
    )
