"""`Solvable`: what the verbs ask of a problem, and nothing else.

    anything solvable = an axis + an exact theory along it + a finite-size trial of the true object

`solve`, `simulate`, `compare`, `track`, `sweep`, `rerun`, `save`, `load`, `plot.curve` and the command line's `--problem` call only what
stands on this page. A class that inherits from `Solvable` gets what is optional; `gaussequiv.testing.check_problem` says whether a problem
keeps the contract.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

from numpy.typing import ArrayLike

from gaussequiv.curve import Curve
from gaussequiv.errors import ArgumentError, did_you_mean, fail
from gaussequiv.store.halfway import Halfway

Key = tuple[int, ...]


class Axis(NamedTuple):
    """What a curve runs along: its name, words and unit, and the name and words of a trial's size."""

    name: str
    label: str
    unit: str = "1"
    size: str = "d"
    size_label: str = "input dimension"


@runtime_checkable
class Solvable(Protocol):
    """A problem with an exact theory and a finite-size twin.

    `theory` and `trial` declare their options as keyword-only parameters: a verb passes on the options that they name and refuses others
    with a did-you-mean.
    """

    swept_parts: ClassVar[tuple[type, ...]] = ()  # of values that sweeps take beside numbers, names and functions; each has a `to_dict`

    @property
    def axis(self) -> Axis:
        """What the curve runs along, such as alpha = n/d, a signal-to-noise ratio, time or a step."""

    def theory(self, points: ArrayLike | None, size: int | None = None) -> Curve:
        """The exact curve at the points of the axis; with a size, that of the size's own moments (a spectrum, a rounded n/d).

        Points outside of the axis's range and a size that the problem does not have are ArgumentErrors; a point that cannot be solved has a
        status and nan. The curve's coordinates may move points (n/d after rounding).
        """

    def trial(self, points: ArrayLike, size: int | None, key: Key) -> Curve:
        """One draw of the true object, with the observables of the theory measured on it at every point.

        All that is random comes from `numpy.random.default_rng((*key, purpose, ...))`: trial t is the same whatever else is simulated.
        """

    def resumed_trial(self, points: ArrayLike, size: int | None, key: Key, halfway: Halfway, **options: Any) -> Curve:
        """The same draw as `trial`, from where `halfway` has it, to the same bits; one that takes hours offers it states meanwhile."""
        return self.trial(points, size, key, **options)

    def to_dict(self) -> dict[str, Any]:
        """A description that JSON keeps: `kind` names the file in `problems/` (or the entry of `parts`) that can build it again."""

    def citations(self) -> tuple[str, ...]:
        """Keys of the papers behind the equations."""
        return ()

    def algorithm(self, point: float, size: int | None = None) -> Solvable:
        """The problem whose axis is the step of an algorithm at one point, for `track`: state evolution, and the algorithm on true data."""
        raise ArgumentError(f"Argument `problem` must have an algorithm to follow for `track`, but {type(self).__name__} has none.")

    def with_parameter(self, name: str, value: Any) -> Solvable:
        """The same problem with one parameter replaced, for sweeps."""
        if not is_dataclass(self):
            raise ArgumentError(f"Argument `over` must be left out for {type(self).__name__}, which has no named fields.")
        names = [f.name for f in fields(self) if f.init]
        if name not in names:
            raise ArgumentError(
                f"Argument `over` must name a field of the problem, but got {name!r}.{did_you_mean(name, names)} It has {', '.join(names)}."
            )
        changed: Solvable = replace(self, **{name: value})
        return changed

    def swept_value(self, name: str, stored: Any, parts: Mapping[str, Any]) -> Any:
        """What `with_parameter` takes, from what a saved sweep keeps of it: a user's functions come from `parts`, by their names."""
        if isinstance(stored, list):
            return [self.swept_value(name, one, parts) for one in stored]
        return parts.get(stored, stored) if isinstance(stored, str) else stored


MEMBERS = ("axis", "theory", "trial", "resumed_trial", "to_dict", "citations", "algorithm", "swept_parts", "with_parameter", "swept_value")


def check_solvable(problem: Any) -> Solvable:
    """The problem, if it is one: a target or a learner alone is not, nor is a class."""
    if isinstance(problem, type):
        raise fail("problem", "a problem, not its class", problem)
    missing = [member for member in MEMBERS if not hasattr(problem, member)]
    if len(missing) == len(MEMBERS) or {"theory", "trial"} <= set(missing):
        raise fail("problem", "a Problem, e.g. ge.Problem(target)", problem)
    if missing:
        raise ArgumentError(
            f"Argument `problem` must be a problem, but {type(problem).__name__} has no {', no '.join(missing)}: inherit from "
            "gaussequiv.problems.base.Solvable for what is optional."
        )
    return problem
