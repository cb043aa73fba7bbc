"""Generators from their saved descriptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gaussequiv.errors import ArgumentError, fail
from gaussequiv.ingredients.generators.base import Generator
from gaussequiv.ingredients.generators.function import SETTINGS, FunctionGenerator
from gaussequiv.ingredients.generators.random_layers import RandomGenerator


def generator_from(description: Any, parts: Mapping[str, Any]) -> Generator:
    """A generator as it is, or from `to_dict`; a user's activations, functions and generators come from `parts` by their names.

    Raises
    ------
    ArgumentError : no description of a generator, or a function whose outputs are not those that were described.
    """
    if isinstance(description, Generator):
        return description
    if not isinstance(description, Mapping) or description.get("kind") not in ("random", "function"):
        raise fail(
            "generator", "a table with kind = 'random' (activations, latent_ratio), 'trained' (source) or 'function' (name)", description
        )
    fields = {key: value for key, value in description.items() if key != "kind"}
    if description["kind"] == "function":
        return _function(fields, parts)
    layers = fields.get("activations", ())
    layers = [layers] if isinstance(layers, str) or not isinstance(layers, Sequence) else layers
    fields["activations"] = [parts.get(one, one) if isinstance(one, str) else one for one in layers]
    try:
        return RandomGenerator(**fields)
    except TypeError as error:
        raise ArgumentError(f"Argument `generator` must have the fields of a random generator, but does not: {error}.") from None


def _function(fields: dict[str, Any], parts: Mapping[str, Any]) -> FunctionGenerator:
    name, digest = fields.get("name"), fields.pop("digest", None)
    fields.pop("N", None)
    part = parts.get(name) if isinstance(name, str) else None
    if part is None:
        raise ArgumentError(
            f"Argument `parts` must give the generator or function {name!r} again: the description keeps it by its digest only."
        )
    try:
        settings = {key: value for key, value in fields.items() if key in SETTINGS}
        if not isinstance(part, FunctionGenerator):
            found = FunctionGenerator(part, **fields)
        else:
            found = part if all(vars(part)[key] == value for key, value in settings.items()) else replace(part, **settings)
    except TypeError as error:
        raise ArgumentError(f"Argument `generator` must have the fields of a function's generator, but does not: {error}.") from None
    if digest is not None and found.digest != digest:
        raise ArgumentError(f"Argument `parts` must give the generator of the result as {name!r}, but its outputs are others.")
    return found
