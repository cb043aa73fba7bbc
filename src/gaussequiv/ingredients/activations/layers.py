"""The hidden layers of a description: one activation and one number of each kind for every layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import isfinite
from typing import Any

import numpy as np

from gaussequiv._memory import require_memory
from gaussequiv.errors import LARGEST_MOMENT, ArgumentError, fail, integer, per_layer
from gaussequiv.ingredients.activations import base as acts

BYTES_OF_A_LAYER = 1000.0  # of its description, moments and weights' variances


def layers_of(activations: Any, depth: int | None, minimum: int = 1) -> tuple[acts.Activation, ...]:
    """One activation for each hidden layer; a single one is repeated `depth` times."""
    if isinstance(activations, str) or not isinstance(activations, Sequence):
        return (acts.get(activations),) * _checked(depth, minimum)
    layers = _distinct_names(tuple(acts.get(a) for a in activations))
    if len(layers) == 1 and depth is not None:
        layers = layers * _checked(depth, minimum)
    if len(layers) < minimum:
        raise fail("activations", "at least one activation", activations)
    if depth not in (None, len(layers)):
        raise fail("depth", f"{len(layers)}, the number of activations", depth)
    return layers


def _checked(depth: int | None, minimum: int) -> int:
    """The number of layers, whose descriptions must fit in memory."""
    count = integer("depth", 1 if depth is None else depth, minimum=minimum)
    require_memory(BYTES_OF_A_LAYER * count, "depth", count, "the descriptions of the layers")
    return count


def set_layers(description: Any, layers: tuple[acts.Activation, ...]) -> Callable[[str, Any], None]:
    """Check and fill what every frozen description of layers has; returns the function that fills its other fields."""
    put: Callable[[str, Any], None] = partial(object.__setattr__, description)
    put("layers", layers)
    put("activations", tuple(a.name for a in layers))
    put("depth", len(layers))
    put("weight_variance", per_layer("weight_variance", description.weight_variance, len(layers), positive=True))
    put("bias_variance", per_layer("bias_variance", description.bias_variance, len(layers)))
    return put


def dual_of(phi: acts.Activation, layer: int, covariance: float, gap: float) -> acts.Dual:
    """The moments of one layer (0 is the lowest) at a pair of variance covariance + gap; an `ArgumentError` where they, or products
    of two of them, overflow."""
    variance = covariance + gap
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        dual = phi.dual(variance, covariance, gap)
    if not all(isfinite(float(moment)) for moment in dual) or max(variance, dual.second) > LARGEST_MOMENT:
        raise ArgumentError(
            f"Argument `weight_variance` must keep the network's moments below {LARGEST_MOMENT:g}, but those of layer {layer + 1}, "
            f"{phi.name!r}, are not at pre-activations of variance {variance:.6g}."
        )
    return dual


def _distinct_names(layers: tuple[acts.Activation, ...]) -> tuple[acts.Activation, ...]:
    """Different functions of one name (lambdas) get a number, so that a saved result can tell them apart."""
    known: dict[str, list[Any]] = {}
    out = []
    for layer in layers:
        functions = known.setdefault(layer.name, [])
        if layer.function not in functions:
            functions.append(layer.function)
        position = functions.index(layer.function)
        renamed = replace(layer, name=f"{layer.name}#{position + 1}") if position and type(layer) is acts.Activation else layer
        out.append(renamed)
    return tuple(out)
