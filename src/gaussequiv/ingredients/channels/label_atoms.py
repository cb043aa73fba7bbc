"""The joint law of a Gaussian field and its real label as weighted points, for averages of any function of both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.channels.label_moments import FAR, REACHES
from gaussequiv.numerics.panels import legendre_panels

ORDER = 8
LEAST = 1e-18  # mass of a point that is left out
MOST_PANELS = 400
WIDEST = 30.0  # fields in units of the channel's resolution that share a grid of labels


class Beside(NamedTuple):
    """Labels independent of the field: the scale that their points resolve, and points on panels with further ends."""

    scale: float
    between: Callable[[FloatArray], tuple[FloatArray, FloatArray]]


class LabelAtoms(NamedTuple):
    """y = label + sqrt(noise) z at points (field, label) of given mass.

    centred : field - b0; variance : of that field, with the noise inside the label's function. Flat arrays of one length.
    follows : where given, y = label + (field - b0) with labels independent of the field, whose Gaussian law needs no points:
    `centred` is 0.
    """

    centred: FloatArray
    label: FloatArray
    mass: FloatArray
    variance: float
    noise: float
    follows: Beside | None = None


def field_nodes(
    mean_label: Callable[[FloatArray], FloatArray], kinks: tuple[float, ...], b0: float, variance: float, resolution: float = np.inf
) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights of a field ~ N(b0, variance), as far out as the square of the label counts; panels end at the kinks."""
    root = np.sqrt(variance)
    own = (np.array(kinks or (b0,)) - b0) / max(root, 1e-300)
    for reach in REACHES:
        count = int(np.clip(np.ceil(2 * reach * root / (3 * resolution)), 12 * reach / REACHES[0], MOST_PANELS))
        edges = np.concatenate([np.linspace(-reach, reach, count + 1), np.clip(own, -reach, reach)])
        xi, weights = (part[0] for part in legendre_panels(np.sort(edges)[None, :], ORDER))
        weights = weights * np.exp(-0.5 * xi * xi) / np.sqrt(2 * np.pi)
        second = weights * mean_label(b0 + root * xi) ** 2
        if not second[np.abs(xi) > reach - 2].sum() > FAR * second.sum():
            break
    return b0 + root * xi, weights


def function_atoms(
    function: Callable[[FloatArray], FloatArray], kinks: tuple[float, ...], b0: float, variance: float, noise: float
) -> LabelAtoms:
    """Labels f(field) + sqrt(noise) z."""
    z, mass = field_nodes(function, kinks, b0, variance)
    return LabelAtoms(z - b0, function(z), mass, variance, noise)


def likelihood_atoms(channel: Any, b0: float, variance: float) -> LabelAtoms:
    """Labels of any likelihood: those that count at every field."""
    z, weights = field_nodes(channel.mean_label, channel.kinks, b0, variance, channel.resolution)
    parts = []
    for start in range(0, z.size, ORDER):
        part = slice(start, start + ORDER)
        for fields, mass in _sharing(channel, z[part], weights[part]):
            y, dy = channel.label_nodes(float(fields[0]), float(fields[-1]))
            parts.append(_pairs(fields - b0, y, np.outer(mass, dy) * np.exp(channel.log_likelihood(y, fields[:, None]))))
    centred, label, masses = np.concatenate(parts, axis=1)
    return LabelAtoms(centred, label, masses, variance, 0.0)


def _sharing(channel: Any, z: FloatArray, weights: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
    """Fields of one panel that share their labels: all where those are discrete, unless the panel is too wide for them; else each has its
    own, as a density may jump at places that move with the field.
    """
    if channel.discrete and z[-1] - z[0] <= WIDEST * channel.resolution:
        return [(z, weights)]
    return [(z[k : k + 1], weights[k : k + 1]) for k in range(z.size)]


def density_atoms(
    nodes: Callable[[FloatArray], tuple[FloatArray, FloatArray, FloatArray]], z: FloatArray, weights: FloatArray, b0: float, variance: float
) -> LabelAtoms:
    """Labels with a density: `nodes` gives labels, weights of int dy and the density at some fields, each of shape (fields, nodes)."""
    parts = []
    for start in range(0, z.size, ORDER):
        fields, mass = z[start : start + ORDER], weights[start : start + ORDER]
        y, dy, density = nodes(fields)
        parts.append(_pairs(fields - b0, y, mass[:, None] * dy * density))
    centred, label, masses = np.concatenate(parts, axis=1)
    return LabelAtoms(centred, label, masses, variance, 0.0)


def _pairs(centred: FloatArray, label: FloatArray, mass: FloatArray) -> FloatArray:
    """field - b0, label and mass of the pairs that count, shape (3, pairs), from masses of shape (fields, labels)."""
    kept = mass > LEAST
    field, y = np.broadcast_to(centred[:, None], mass.shape), np.broadcast_to(label, mass.shape)
    return np.stack([field[kept], y[kept], mass[kept]])
