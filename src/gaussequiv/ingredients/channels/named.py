"""Real label laws by name, for files and the command line."""

from __future__ import annotations

from typing import Any

import numpy as np

from gaussequiv.errors import ArgumentError, fail
from gaussequiv.ingredients.channels.counts import Poisson, Quantised
from gaussequiv.ingredients.channels.outputs import AbsoluteValue, Relu

FORMS = ("abs[:INNER_NOISE]", "relu[:INNER_NOISE]", "quantised:T1/T2/...", "poisson[:SCALE]")
_HEADS = ("abs", "relu", "quantised", "poisson")


def named_channel(text: str, noise: float) -> Any:
    """The channel of that name with label noise `noise` (before the quantiser for quantised labels), or None for other names.

    Examples
    --------
    >>> str(named_channel("quantised:-1/0/1", 0.1)), str(named_channel("abs", 0.1))
    ('quantised:-1/0/1', 'abs')
    """
    head, _, tail = text.strip().lower().partition(":")
    if head not in _HEADS:
        return None
    try:
        numbers = [float(part) for part in tail.split("/")] if tail else []
    except ValueError:
        numbers = [np.nan, np.nan]
    if (head != "quantised" and len(numbers) > 1) or (head == "quantised" and (not numbers or not np.all(np.isfinite(numbers)))):
        raise ArgumentError(f"Argument `labels` must be of the form {FORMS[_HEADS.index(head)]}, but labels={text!r}.")
    if head == "quantised":
        return Quantised(numbers, noise)
    if head == "poisson":
        if noise:
            raise fail("noise", "0 for Poisson counts, whose noise is their own", noise)
        return Poisson(scale=numbers[0] if numbers else 1.0)
    inner = numbers[0] if numbers else 0.0
    return AbsoluteValue(noise, inner) if head == "abs" else Relu(noise, inner)


def parts_of(channel: Any) -> tuple[str, float] | None:
    """Name and label noise from which `named_channel` builds the channel again; None if no name says all of it."""
    name = str(channel)
    try:
        again = named_channel(name, float(channel.noise))
    except ArgumentError:
        return None
    same = again is not None and type(again) is type(channel) and str(again) == name and again.noise == channel.noise
    return (name, float(channel.noise)) if same else None
