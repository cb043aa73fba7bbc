"""Any generator from its description: random, of a user's function, or trained, by its name or file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gaussequiv.errors import ArgumentError
from gaussequiv.ingredients.generators.base import Generator
from gaussequiv.ingredients.generators.function import SETTINGS
from gaussequiv.ingredients.generators.named import generator_from
from gaussequiv.trained.files import load_generator, shipped_generators


def generator_of(description: Any, parts: Mapping[str, Any]) -> Generator:
    """What `generator_from` builds, and kind = "trained" with a `source` that `load_generator` reads; shipped ones need no `parts`."""
    if not isinstance(description, Mapping):
        return generator_from(description, parts)
    name = description.get("name")
    if description.get("kind") == "trained":
        fields = {key: value for key, value in description.items() if key not in ("kind", "source")}
        for key in fields:
            if key not in SETTINGS:
                raise ArgumentError(f"Argument `generator` has no field {key!r}. Known: source, {', '.join(SETTINGS)}.")
        return load_generator(description.get("source", ""), **fields)
    if description.get("kind") == "function" and isinstance(name, str) and name not in parts and name in shipped_generators():
        options = {key: description[key] for key in SETTINGS if key in description}
        shipped = load_generator(str(name), **options)
        if shipped.digest == description.get("digest", shipped.digest):  # one of the same name may have been trained elsewhere
            return generator_from(description, {**parts, str(name): shipped})
    return generator_from(description, parts)
