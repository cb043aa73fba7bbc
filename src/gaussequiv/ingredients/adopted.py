"""A user's piece behind a role of the library: its own members, and the role's defaults for those that it leaves out."""

from __future__ import annotations

from typing import Any

from gaussequiv.errors import ArgumentError


class LeftOut(ArgumentError):
    """A member that a piece leaves out and that its role has no default for."""


class Adopted:
    """Joined with a role by `adopted`, which is the one place that looks at what members a piece has."""

    def __init__(self, piece: Any, role: type, argument: str) -> None:
        self.__dict__.update(piece=piece, _role=role, _argument=argument)

    def __reduce__(self) -> Any:
        return adopted, (self.piece, self._role, (), self._argument)

    def __getattr__(self, name: str) -> Any:  # beyond the role
        if name.startswith("__") or name in ("piece", "_role", "_argument"):  # while it is copied
            raise AttributeError(name)
        return getattr(self.piece, name)

    def __call__(self, *arguments: Any) -> Any:
        return self.piece(*arguments)

    def __eq__(self, other: object) -> bool:
        return bool(self.piece == original(other))

    def __hash__(self) -> int:
        return hash(self.piece)

    def __str__(self) -> str:
        return str(self.piece)

    def __repr__(self) -> str:
        return repr(self.piece)


def missing(piece: Any, names: tuple[str, ...]) -> list[str]:
    """Which of these members an object lacks."""
    return [name for name in names if not _has(piece, name)]


def _has(piece: Any, name: str) -> bool:
    try:
        return hasattr(piece, name)
    except LeftOut:
        return False


def adopted(piece: Any, role: type, required: tuple[str, ...], argument: str) -> Any:
    """The piece itself where it inherits from `role`, else one that has all members of the role: its own, and defaults for the rest.

    Raises
    ------
    ArgumentError : a required member is missing; it says which, and what to inherit from.
    """
    if role in type(piece).__mro__ or isinstance(piece, role):  # the second asks a protocol for all its members
        return piece
    if lacks := missing(piece, required):
        raise ArgumentError(
            f"Argument `{argument}` must have {' and '.join(f'`{name}`' for name in lacks)}, but {type(piece).__name__} has not. "
            f"{role.__name__} in {role.__module__} says what such a piece has: inherit from it."
        )
    names = [name for name in dir(role) if not name.startswith("_") and not missing(piece, (name,))]
    kind = type(f"Adopted{role.__name__}", (Adopted, role), {name: _forwarded(name) for name in names})
    return kind(piece, role, argument)


def original(piece: Any) -> Any:
    """What the user gave."""
    return piece.piece if isinstance(piece, Adopted) else piece


def _forwarded(name: str) -> property:
    return property(lambda self: getattr(self.piece, name))
