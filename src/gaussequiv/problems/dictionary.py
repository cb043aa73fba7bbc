"""`from_dict`: any problem again from the description that files and results carry."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from gaussequiv.errors import ArgumentError, did_you_mean
from gaussequiv.problems.base import Solvable, check_solvable


def kinds() -> tuple[str, ...]:
    """The kinds of problems that a description can name: the files of this room.

    Examples
    --------
    >>> "supervised" in kinds()
    True
    """
    room = Path(__file__).parent
    plain = {path.stem for path in room.glob("*.py")} - {"__init__", "base", "dictionary"}
    return tuple(sorted({"supervised", "supervised.message_passing"} | plain))


def from_dict(description: Mapping[str, Any], parts: Mapping[str, Any] | None = None, **given: Any) -> Solvable:
    """Build a problem from its `to_dict`, a TOML or JSON file, or the command line.

    Parameters
    ----------
    description : mapping
        `kind` names a file of this room, or an entry of `parts`; without it the problem is supervised.
    parts : mapping from name to object
        A user's own pieces by their saved names: functions, losses, activations, channels, priors, learners, or a whole problem (the
        object itself, or a function of the description that builds it).
    given
        `inputs`, `features` of supervised problems, which a description keeps by shape and digest only.

    Raises
    ------
    ArgumentError : a kind that is not known, a part that is missing, a field out of range.

    Examples
    --------
    >>> from_dict({"target": {"activations": ["tanh"]}}).axis.name
    'alpha'
    """
    if not isinstance(description, Mapping):
        raise ArgumentError(f"Argument `problem` must be a table of fields, but is {type(description).__name__}.")
    parts = dict(parts or {})
    kind = description.get("kind", "supervised")
    if kind in parts:
        return _own(kind, parts[kind], description)
    if not isinstance(kind, str) or kind not in kinds():
        raise ArgumentError(
            f"Argument `kind` must be one of {', '.join(kinds())}, or a name in parts, but kind={kind!r}.{did_you_mean(kind, kinds())}"
        )
    if kind == "supervised":
        from gaussequiv.problems.supervised.dictionary import from_dict as supervised

        return supervised({key: value for key, value in description.items() if key != "kind"}, parts=parts, **given)
    if kind == "supervised.message_passing":
        from gaussequiv.problems.supervised.dictionary import from_dict as supervised
        from gaussequiv.problems.supervised.message_passing import from_dict as steps

        return steps(description, supervised(description.get("problem", {}), parts=parts, **given))
    module = import_module(f"gaussequiv.problems.{kind}")
    built: Solvable = module.from_dict(description, parts)
    return built


def _own(kind: str, part: Any, description: Mapping[str, Any]) -> Solvable:
    """A user's problem: the object itself, which must still be described by what was saved, or what builds it."""
    problem = check_solvable(part if hasattr(part, "theory") and not isinstance(part, type) else part(description))
    if problem.to_dict() != dict(description):
        raise ArgumentError(f"Argument `parts` must give the problem of the result as {kind!r}, but its description differs.")
    return problem
