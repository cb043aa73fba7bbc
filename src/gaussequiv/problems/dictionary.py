"""`from_dict`: any problem again from the description that files and results carry."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

from gaussequiv._text import as_json
from gaussequiv.errors import ArgumentError, did_you_mean
from gaussequiv.problems.base import Solvable, check_solvable


@cache
def _modules() -> dict[str, str]:
    """The files of this room that can build a problem again, by the kind that a description names."""
    room = Path(__file__).parent
    found = {}
    for path in room.rglob("*.py"):
        if path != Path(__file__) and "\ndef from_dict(" in path.read_text():
            name = ".".join(path.relative_to(room).with_suffix("").parts)
            found[name.removesuffix(".dictionary").removesuffix(".description")] = f"gaussequiv.problems.{name}"
    return found


def kinds() -> tuple[str, ...]:
    """The kinds of problems that a description can name.

    Examples
    --------
    >>> kinds()
    ('extensive_width', 'online_sgd', 'spiked_wigner', 'spiked_wigner.steps', 'supervised', 'supervised.message_passing')
    """
    return tuple(sorted(_modules()))


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
    if isinstance(kind, str) and kind in parts:
        return _own(kind, parts[kind], description)
    if not isinstance(kind, str) or kind not in kinds():
        raise ArgumentError(
            f"Argument `kind` must be one of {', '.join(kinds())}, or a name in parts, but kind={kind!r}.{did_you_mean(kind, kinds())}"
        )
    module = import_module(_modules()[kind])
    if "problem" in signature(module.from_dict).parameters:  # the steps of an algorithm on a problem
        inner = from_dict(description.get("problem", {}), parts, **given)
        built: Solvable = module.from_dict(description, inner)
    else:
        foreign = sorted(set(given) - set(signature(module.from_dict).parameters))
        if foreign:
            raise ArgumentError(f"Argument `{foreign[0]}` must be left out for a problem of kind {kind!r}, which has none.")
        built = module.from_dict({key: value for key, value in description.items() if key != "kind"}, parts=parts, **given)
    return built


def _own(kind: str, part: Any, description: Mapping[str, Any]) -> Solvable:
    """A user's problem: the object itself, which must still be described by what was saved, or what builds it."""
    problem = check_solvable(part if hasattr(part, "theory") and not isinstance(part, type) else part(description))
    if as_json(problem.to_dict()) != as_json(dict(description)):
        raise ArgumentError(f"Argument `parts` must give the problem of the result as {kind!r}, but its description differs.")
    return problem
