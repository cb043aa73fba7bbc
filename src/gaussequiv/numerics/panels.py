"""Gauss-Legendre nodes on panels that differ from point to point: integrands with kinks and narrow regions at known places."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaussequiv.errors import FloatArray

REACH = 8.6  # exp(-REACH**2 / 2) = 9e-17
BASE = np.linspace(-REACH, REACH, 12)
ORDER = 16
GROUP = 12.0  # standard deviations over which centres share nodes
IntArray = NDArray[np.intp]


class Nodes(NamedTuple):
    """Standard normal nodes and weights, shape (points, nodes); `order` nodes in each panel."""

    xi: FloatArray
    weights: FloatArray
    order: int


def normal_panels(breaks: FloatArray, order: int = ORDER) -> Nodes:
    """Nodes and weights for E f(xi), xi standard normal, f smooth between the `breaks`, shape (points, breaks), in any order.

    Panels that are empty at every point are dropped. Breaks beyond the range, infinite ones included, are clipped to it.

    Examples
    --------
    >>> nodes = normal_panels(np.array([[0.3]]))
    >>> f"{float(np.sum(nodes.weights * np.abs(nodes.xi - 0.3))):.10f}"
    '0.8335224842'
    """
    points = breaks.shape[0]
    base = np.broadcast_to(BASE, (points, BASE.size))
    edges = np.sort(np.concatenate([base, np.clip(breaks, -REACH, REACH)], axis=1), axis=1)
    xi, weights = legendre_panels(edges, order)
    return Nodes(xi, weights * np.exp(-0.5 * xi * xi) / np.sqrt(2 * np.pi), order)


@cache
def gauss(order: int) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights on [-1, 1]."""
    x, w = np.polynomial.legendre.leggauss(order)
    x.flags.writeable = w.flags.writeable = False  # shared
    return x, w


@cache
def hermite_nodes(order: int) -> tuple[FloatArray, FloatArray]:
    """Gauss-Hermite nodes and weights for E f(xi), xi standard normal: for f that is smooth on that scale."""
    x, w = np.polynomial.hermite_e.hermegauss(order)
    w /= w.sum()
    x.flags.writeable = w.flags.writeable = False  # shared
    return x, w


def legendre_panels(edges: FloatArray, order: int = ORDER) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights between sorted `edges`, shape (points, edges); panels that are empty everywhere are dropped.

    Examples
    --------
    >>> x, weights = legendre_panels(np.array([[0.0, 1.0, 3.0]]))
    >>> round(float(np.sum(weights * x**5)), 10)
    121.5
    """
    length = np.diff(edges, axis=1)
    used = length.max(axis=0) > 0
    x, w = gauss(order)
    half = 0.5 * length[:, used, None]
    middle = 0.5 * (edges[:, 1:] + edges[:, :-1])[:, used, None]
    return (middle + half * x).reshape(edges.shape[0], -1), (half * w).reshape(edges.shape[0], -1)


def cut_panels(
    centre: FloatArray, root: FloatArray, reach: FloatArray, breaks: FloatArray, counts: IntArray, order: int = ORDER
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Nodes x, z = (x - centre)/root and weights of int dz for z from -reach to reach, shape (points, nodes): every point has `counts`
    equal panels, cut at its `breaks` in x, shape (points, breaks), in any order. Weights of panels that a point does not have are 0.

    Breaks may be closer to each other than rounding leaves of z: beside a break, x is counted from it.

    Examples
    --------
    >>> x, z, dz = cut_panels(np.ones(1), np.ones(1), np.full(1, REACH), np.array([[-1e-30, 1e-30]]), np.array([11]))
    >>> narrow = (np.abs(x) < 1e-30) / 2e-30
    >>> f"{float(np.sum(dz * np.exp(0.5 - 0.5 * z**2) * narrow)):.10f}"
    '1.0000000000'
    """
    low, high = -reach[:, None], reach[:, None]
    even = high * (2 * np.minimum(np.arange(counts.max() + 1) / counts[:, None], 1.0) - 1)
    breaks = np.sort(breaks, axis=1)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        places = (breaks - centre[:, None]) / root[:, None]
    known = np.where(np.abs(places) < high, breaks, np.nan)
    edges = np.concatenate([even, np.clip(np.nan_to_num(places, nan=np.inf), low, high)], axis=1)
    fixed = np.concatenate([np.full(even.shape, np.nan), known], axis=1)  # x of an edge that is a break
    sorting = np.argsort(edges, axis=1, kind="stable")
    edges, fixed = (np.take_along_axis(part, sorting, axis=1) for part in (edges, fixed))
    left, right = fixed[:, :-1], fixed[:, 1:]
    gap = (right - left) / root[:, None]
    length = np.where(np.isnan(gap), np.diff(edges, axis=1), gap)
    used = np.argsort(length <= 0, axis=1, kind="stable")[:, : int((length > 0).sum(axis=1).max())]  # empty panels last
    start, left, right, length = (np.take_along_axis(part, used, axis=1)[:, :, None] for part in (edges[:, :-1], left, right, length))
    nodes, weights = gauss(order)
    z, unit = start + 0.5 * length * (1 + nodes), root[:, None, None]
    x = np.where(np.isnan(right), centre[:, None, None] + unit * z, right - unit * 0.5 * length * (1 - nodes))
    x = np.where(np.isnan(left), x, left + unit * 0.5 * length * (1 + nodes))
    return x.reshape(centre.size, -1), z.reshape(centre.size, -1), (0.5 * length * weights).reshape(centre.size, -1)


def normal_about(centre: FloatArray, root: FloatArray, breaks: FloatArray) -> tuple[FloatArray, Nodes]:
    """x = centre + root xi and the nodes of xi for E f(x), xi standard normal, f smooth between the `breaks` of x, as in `cut_panels`."""
    x, xi, weights = cut_panels(centre, root, np.full(centre.size, REACH), breaks, np.full(centre.size, BASE.size - 1))
    return x, Nodes(xi, weights * np.exp(-0.5 * xi * xi) / np.sqrt(2 * np.pi), ORDER)


class Group(NamedTuple):
    """Normal laws that share nodes x, shape (nodes,): which of the centres, and z and weights of shape (centres, nodes)."""

    which: IntArray
    x: FloatArray
    z: FloatArray
    weights: FloatArray


def shared_panels(centres: FloatArray, root: float, breaks: FloatArray, order: int = ORDER) -> list[Group]:
    """Nodes for E f(c + root z), z standard normal, at many centres c of one f that is smooth between the `breaks`.

    Centres within 12 root of each other share their nodes, at which f is asked once; z = (x - c)/root.

    Examples
    --------
    >>> (group,) = shared_panels(np.array([0.0, 0.5]), 1.0, np.array([0.3]))
    >>> (group.weights @ np.abs(group.x - 0.3)).round(6)
    array([0.833522, 0.813789])
    """
    by_size = np.argsort(centres, kind="stable")
    t = centres[by_size]
    starts = [0]
    while (stop := int(np.searchsorted(t, t[starts[-1]] + GROUP * root, side="right"))) < t.size:
        starts.append(stop)
    breaks = np.sort(breaks)
    out = []
    for start, stop in zip(starts, [*starts[1:], t.size], strict=True):
        low, high = t[start] - REACH * root, t[stop - 1] + REACH * root
        edges = np.linspace(low, high, int(np.ceil((high - low) / ((BASE[1] - BASE[0]) * root))) + 1)
        inner = breaks[np.searchsorted(breaks, low) : np.searchsorted(breaks, high)]
        x, dx = (part[0] for part in legendre_panels(np.sort(np.concatenate([edges, inner]))[None, :], order))
        z = (x - t[start:stop, None]) / root
        out.append(Group(by_size[start:stop], x, z, np.exp(-0.5 * z * z) * (dx / (root * np.sqrt(2 * np.pi)))))
    return out


def running_integral(nodes: Nodes, values: FloatArray) -> FloatArray:
    """int_{-inf}^{xi} values d(normal) at every node, by integrating each panel's interpolating polynomial."""
    points, count = values.shape
    x, w = np.polynomial.legendre.leggauss(nodes.order)
    vandermonde = np.polynomial.legendre.legvander(x, nodes.order - 1)
    primitives = np.stack(
        [np.polynomial.legendre.legval(x, np.polynomial.legendre.legint(np.eye(nodes.order)[k], lbnd=-1)) for k in range(nodes.order)],
        axis=1,
    )
    matrix = primitives @ np.linalg.inv(vandermonde) / w  # acts on weighted values of a panel
    panels = (values * nodes.weights).reshape(points, count // nodes.order, nodes.order)
    inside = panels @ matrix.T
    before = np.cumsum(panels.sum(axis=2), axis=1) - panels.sum(axis=2)
    return (inside + before[:, :, None]).reshape(points, count)


def sign_changes(xi: FloatArray, values: FloatArray, count: int = 3) -> FloatArray:
    """The first `count` places where values on increasing nodes change sign, by linear interpolation; 0 where there are fewer."""
    change = np.sign(values[:, 1:]) * np.sign(values[:, :-1]) < 0
    rank = np.cumsum(change, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = xi[:, :-1] - values[:, :-1] * np.diff(xi, axis=1) / np.diff(values, axis=1)
    return np.stack([np.where(change & (rank == k), crossing, 0.0).sum(axis=1) for k in range(1, count + 1)], axis=1)
