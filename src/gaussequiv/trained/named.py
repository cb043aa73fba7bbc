"""The kinds of generators that the package trains, by their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gaussequiv.errors import choice
from gaussequiv.trained.base import Architecture
from gaussequiv.trained.real_nvp import RealNVP
from gaussequiv.trained.variational import ConvolutionalDecoder, DenseDecoder

ARCHITECTURES: dict[str, type[Architecture]] = {one.kind: one for one in (DenseDecoder, ConvolutionalDecoder, RealNVP)}


def architecture_named(kind: str) -> type[Architecture]:
    """The class of a kind."""
    return ARCHITECTURES[choice("kind", kind, ARCHITECTURES)]


def architecture_from(description: Mapping[str, Any]) -> Architecture:
    """From `Architecture.to_dict`."""
    fields = dict(description)
    return architecture_named(fields.pop("kind", None))(**fields)
