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
HALVINGS, FOLLOWED, ROUNDING = 4, 1e-7, 1e-13  # of a panel; last Legendre coefficients of the label times its mass, in standard deviations
WIDEST = 30.0  # fields in units of the channel's resolution that share a grid of labels

_LAST = np.linalg.inv(np.polynomial.legendre.legvander(np.polynomial.legendre.leggauss(ORDER)[0], ORDER - 1))[-2:].T


class Beside(NamedTuple):
    """Labels independent of the field: the scale that their points resolve, and points on panels with further ends."""

    scale: float
    between: Callable[[FloatArray], tuple[FloatArray, FloatArray]]


class Function(NamedTuple):
    """Labels f(field) of fields ~ N(b0, root^2) on panels, whose ends are in standard units; f does not jump inside."""

    call: Callable[[FloatArray], FloatArray]
    edges: FloatArray
    b0: float
    root: float

    def on(self, low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """field - b0, label and mass at the nodes of the panels from low to high, shape (panels, nodes)."""
        xi, weights = (part.reshape(low.size, ORDER) for part in legendre_panels(np.stack([low, high], axis=1), ORDER))
        return self.root * xi, self.call(self.b0 + self.root * xi), weights * np.exp(-0.5 * xi * xi) / np.sqrt(2 * np.pi)

    def followed(self) -> Function:
        """Panels halved until a polynomial through their nodes follows f, or some times."""
        edges = self.edges
        for _ in range(HALVINGS):
            _, label, mass = self.on(edges[:-1], edges[1:])
            mean = (mass * label).sum()
            spread = np.sqrt((mass * (label - mean) ** 2).sum())
            last = np.abs(label @ _LAST).max(axis=1)
            rough = last * mass.sum(axis=1) > FOLLOWED * spread + ROUNDING * abs(mean)
            if not rough.any():
                break
            edges = np.sort(np.concatenate([edges, 0.5 * (edges[1:] + edges[:-1])[rough]]))
        return self._replace(edges=edges)


class LabelAtoms(NamedTuple):
    """y = label + sqrt(noise) z at points (field, label) of given mass.

    centred : field - b0; variance : of that field, with the noise inside the label's function. Flat arrays of one length.
    follows : where given, y = label + (field - b0) with labels independent of the field, whose Gaussian law needs no points:
    `centred` is 0.
    function : where given, y = f(field) + sqrt(noise) z on panels that may be halved where a residual is narrower.
    """

    centred: FloatArray
    label: FloatArray
    mass: FloatArray
    variance: float
    noise: float
    follows: Beside | None = None
    function: Function | None = None


def field_nodes(
    mean_label: Callable[[FloatArray], FloatArray], kinks: tuple[float, ...], b0: float, variance: float, resolution: float = np.inf
) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights of a field ~ N(b0, variance), as far out as the square of the label counts; panels end at the kinks."""
    return _panelled(mean_label, kinks, b0, variance, resolution)[:2]


def _panelled(
    mean_label: Callable[[FloatArray], FloatArray], kinks: tuple[float, ...], b0: float, variance: float, resolution: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Nodes, weights and the ends of the panels in standard units."""
    root = np.sqrt(variance)
    own = (np.array(kinks or (b0,)) - b0) / max(root, 1e-300)
    for reach in REACHES:
        count = int(np.clip(np.ceil(2 * reach * root / (3 * resolution)), 12 * reach / REACHES[0], MOST_PANELS))
        edges = np.sort(np.concatenate([np.linspace(-reach, reach, count + 1), np.clip(own, -reach, reach)]))
        xi, weights = (part[0] for part in legendre_panels(edges[None, :], ORDER))
        weights = weights * np.exp(-0.5 * xi * xi) / np.sqrt(2 * np.pi)
        second = weights * mean_label(b0 + root * xi) ** 2
        if not second[np.abs(xi) > reach - 2].sum() > FAR * second.sum():
            break
    return b0 + root * xi, weights, edges


def function_atoms(
    function: Callable[[FloatArray], FloatArray], kinks: tuple[float, ...], b0: float, variance: float, noise: float
) -> LabelAtoms:
    """Labels f(field) + sqrt(noise) z."""
    edges = _panelled(function, kinks, b0, variance, np.inf)[2]
    found = Function(function, edges[np.append(True, np.diff(edges) > 0)], b0, float(np.sqrt(variance))).followed()
    centred, label, mass = (part.ravel() for part in found.on(found.edges[:-1], found.edges[1:]))
    return LabelAtoms(centred, label, mass, variance, noise, function=found)


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
