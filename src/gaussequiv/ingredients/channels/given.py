"""Channels as users give them, each in its role."""

from __future__ import annotations

from typing import Any

from gaussequiv.errors import fail
from gaussequiv.ingredients.adopted import adopted, missing
from gaussequiv.ingredients.channels.base import BinaryLabel, Channel, Likelihood, RealOutput

_TELLING = ("task", "log_partition", "g_out", "log_likelihood", "label_moments")  # nothing but a channel has one of them


def is_channel(piece: Any) -> bool:
    """Whether an object means to be a channel, and not a link, a function or a name."""
    return isinstance(piece, Channel) or (not isinstance(piece, (str, type)) and len(missing(piece, _TELLING)) < len(_TELLING))


def get(channel: Any, required: tuple[str, ...] = ("task", "sample"), argument: str = "labels") -> Channel:
    """A channel in its role: one that inherits from it as it is; another object with its own members and the role's defaults.

    Raises
    ------
    ArgumentError : a required member is missing, or `task` is neither "regression" nor "classification".

    Examples
    --------
    >>> class Louder:  # a user's class
    ...     task, noise = "regression", 0.0
    ...     def sample(self, rng, field):
    ...         return 2 * field
    >>> isinstance(get(Louder()), Likelihood)
    True
    """
    if isinstance(channel, Channel):
        return channel
    if not is_channel(channel):
        raise fail(argument, f"a channel: {BinaryLabel.__module__} says what one has", channel)
    task = "regression" if missing(channel, ("task",)) else channel.task
    if task not in ("regression", "classification"):
        raise fail(argument, "a channel whose task is 'regression' or 'classification'", task)
    role = BinaryLabel if task == "classification" else RealOutput if callable(channel) else Likelihood
    found: Channel = adopted(channel, role, required, argument)
    return found
