"""Z(y; omega, V) = E P(y | field), field ~ N(omega, V), where P has kinks that move with the field."""

from __future__ import annotations

import numpy as np

from gaussequiv.errors import FloatArray, fail
from gaussequiv.ingredients.channels.label_kinks import IntArray, crossings
from gaussequiv.ingredients.channels.label_law import LabelLaw
from gaussequiv.ingredients.channels.quadrature import LARGEST_TABLE, ORDERS, REACH, Outcomes
from gaussequiv.numerics.panels import legendre_panels

_BLOCK = 4_000_000


def smoothed_outcomes(law: LabelLaw, kinks: tuple[float, ...], resolution: float, omega: FloatArray, V: float, order: int) -> Outcomes:
    """Z and its slope on a grid of labels shared by these (sorted, close) values of omega.

    One grid of fields serves all labels, except that a panel in which a label has a kink is split there for that label.
    """
    root, fineness = np.sqrt(V), ORDERS[0] / order
    first, last = float(omega.min()), float(omega.max())
    low, high = first - REACH * root, last + REACH * root
    count = max(int(np.ceil((high - low) / (2.0 * fineness * min(root, 1.5 * resolution)))), 1)
    edges = np.unique(np.concatenate([np.linspace(low, high, count + 1), [k for k in kinks if low < k < high]]))
    z, dz = (a[0] for a in legendre_panels(edges[None, :], order))
    labels = law.shared_edges(low, high, first, last, root, fineness)
    y, weights = (a[0] for a in legendre_panels(labels[None, :], ORDERS[0]))
    if float(z.size) * y.size > LARGEST_TABLE:
        raise fail("resolution", f"one that needs fewer than 4e8 values, not {z.size} fields by {y.size} labels", resolution)
    found = np.zeros((2, omega.size, y.size))
    row, places = (
        (np.concatenate(parts) for parts in zip(*(crossings(kink, edges, y) for kink in law.kinks), strict=True))
        if law.kinks
        else (
            np.empty(0, int),
            np.empty(0),
        )
    )
    panel = np.clip(np.searchsorted(edges, places, side="right") - 1, 0, edges.size - 2)
    split = np.zeros((y.size, edges.size - 1), bool)
    split[row, panel] = True
    weighted, slope = _kernel(omega, root, z, dz)
    step = max(1, _BLOCK // z.size)
    for start in range(0, y.size, step):
        part = slice(start, start + step)
        p = np.exp(law.call(y[part, None], z[None, :]))
        p[np.repeat(split[part], order, axis=1)] = 0.0
        found[0][:, part], found[1][:, part] = weighted @ p.T, slope @ p.T
    if row.size:
        _add_split(law, found, omega, root, y, edges, row, places, panel, order)
    return Outcomes(weights, found[0], found[1])


def _kernel(omega: FloatArray, root: float, z: FloatArray, dz: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weights of the normal law of every omega and their derivatives in omega, shape (fields,) + z.shape."""
    u = (z - omega.reshape(-1, *[1] * z.ndim)) / root
    weighted = dz / (root * np.sqrt(2 * np.pi)) * np.exp(-0.5 * u * u)
    return weighted, weighted * u / root


def _add_split(
    law: LabelLaw,
    found: FloatArray,
    omega: FloatArray,
    root: float,
    y: FloatArray,
    edges: FloatArray,
    row: IntArray,
    places: FloatArray,
    panel: IntArray,
    order: int,
) -> None:
    """The panels that were left out for some labels, split at the kinks inside."""
    by_panel = np.lexsort((places, panel, row))
    row, places, panel = row[by_panel], places[by_panel], panel[by_panel]
    fresh = np.append(True, (np.diff(row) != 0) | (np.diff(panel) != 0))
    pair = np.cumsum(fresh) - 1
    rank = np.arange(row.size) - np.flatnonzero(fresh)[pair]
    row, panel = row[fresh], panel[fresh]
    ends = np.repeat(edges[panel + 1][:, None], int(rank.max()) + 3, axis=1)
    ends[:, 0] = edges[panel]
    ends[pair, rank + 1] = places
    z, dz = legendre_panels(ends, order)
    values = np.exp(law.call(y[row, None], z))
    step = max(1, _BLOCK // (omega.size * z.shape[1]))
    for start in range(0, row.size, step):
        part = slice(start, start + step)
        for total, weights in zip(found, _kernel(omega, root, z[part], dz[part]), strict=True):
            np.add.at(total.T, row[part], np.einsum("opm,pm->po", weights, values[part]))
