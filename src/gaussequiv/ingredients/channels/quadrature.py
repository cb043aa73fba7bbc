r"""What state evolution needs of any channel, by quadrature: Psi, the Fisher information of the field and the Bayes error.

For omega ~ N(offset, q) and field ~ N(omega, V), Z(y; omega, V) = E P(y | field):

    Psi(q) = E_omega int dy Z log Z,   fisher(q) = E_omega int dy (dZ/domega)^2/Z   (twice the derivative of Psi in q at constant q + V).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaussequiv.errors import FloatArray, fail
from gaussequiv.ingredients.channels.base import Field, Likelihood
from gaussequiv.ingredients.channels.label_atoms import LabelAtoms, likelihood_atoms
from gaussequiv.ingredients.channels.label_moments import LabelMoments, quadrature_moments
from gaussequiv.numerics.lattice import Lattice
from gaussequiv.numerics.panels import hermite_nodes, legendre_panels, normal_panels, shared_panels
from gaussequiv.numerics.tilted import tilted_moments

REACH = 8.6
_EDGES = np.array([-8.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0, 8.0])
TINY = 1e-290
DEPTH = 42.0  # below its maximum by this an exponent does not count
LARGEST_SCAN = 400_001
LARGEST_GRID = 1e6  # panels of a grid of fields or labels
LARGEST_TABLE = 4e8  # fields times labels of one grid
LABELS = 64  # averaged at once over the fields at which they are likely
_OUTSIDE = np.linspace(9.5, 40.0, 62)
FARTHEST = 1e6  # offsets, in standard deviations of the field, for which integrals are shared
KEPT = 512  # pairs of q and V for which they are kept
BLOCK = 1024  # fields averaged at once: temporaries stay within a processor's cache
NARROW = 0.05  # sqrt(q/V) up to which a few Gauss-Hermite nodes are exact in omega
ROUNDING = 1e-13  # of integrals that vanish, in units of what they are at most
ORDERS = (8, 12)  # of the Gauss-Legendre panels; the first serves iterations, their difference is the error


class Outcomes(NamedTuple):
    """Z and dZ/domega at quadrature nodes of y, shape (fields, outcomes), and the weights of y."""

    weights: FloatArray
    Z: FloatArray
    slope: FloatArray


class OutputInformation(NamedTuple):
    """Psi, fisher, and `error`: the largest of the relative changes under a finer rule and the defect of int dy Z = 1."""

    psi: float
    fisher: float
    error: float


def noisy_labels(values: FloatArray, noise: float) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights of int dy for labels = these values plus Gaussian noise: panels of three standard deviations."""
    root = np.sqrt(noise)
    bottom, top = values.min() - 9 * root, values.max() + 9 * root
    if not top - bottom < 3 * LARGEST_GRID * root:
        raise fail("labels", f"within {3 * LARGEST_GRID:g} standard deviations of their noise for fields of this size", float(top - bottom))
    y, weights = legendre_panels(np.linspace(bottom, top, int(np.ceil((top - bottom) / (3 * root))) + 1)[None, :], 10)
    return y[0], weights[0]


class QuadratureChannel(Likelihood):
    """Base of channels that give `log_likelihood(y, z)` and `label_nodes(low, high)`; closed forms override `outcomes` or the rest.

    `kinks` are the fields at which the likelihood is not smooth, `resolution` the smallest scale on which it varies with the field;
    `additive` laws are those of y - field, so that one field stands for all; labels of `discrete` laws are numbers that do not move with
    the field.
    """

    task: str = "regression"
    noise: float = 0.0
    kinks: tuple[float, ...] = ()
    resolution: float = np.inf
    additive: bool = False
    discrete: bool = False

    # --- one label at a time: message passing -------------------------------------------------------------------------------------

    def _tilted(self, y: FloatArray, omega: FloatArray, V: FloatArray | float) -> Any:
        """log int exp(log P - u^2/2) du, mean and variance of u = (z - omega)/sqrt(V) given y.

        A scan at half the resolution finds every maximum that matters; between kinks and valleys each is integrated by `tilted_moments`.
        """
        y, omega, V = np.broadcast_arrays(np.asarray(y, float), np.asarray(omega, float), np.asarray(V, float))
        flat = [a.ravel() for a in (y, omega, np.sqrt(V))]
        out = np.empty((3, y.size))
        spread = float(flat[2].max(initial=0.0))
        if self.resolution <= 0 or 36 * spread > LARGEST_SCAN * self.resolution:
            raise fail("labels", "a channel that varies on scales above 5e-5 of the spread of the field (more noise)", str(self))
        count = 2 * max(int(np.ceil(9 * spread / (0.5 * self.resolution))), 32) + 1
        scan = np.concatenate([-_OUTSIDE[::-1], np.linspace(-9, 9, count), _OUTSIDE])
        block = max(1, 2_000_000 // scan.size)
        for start in range(0, y.size, block):
            part = slice(start, start + block)
            out[:, part] = self._peaks(scan, *(a[part] for a in flat))
        return tuple(values.reshape(y.shape) for values in out)

    def _peaks(self, scan: FloatArray, y: FloatArray, omega: FloatArray, root: FloatArray) -> FloatArray:
        def exponent(u: FloatArray, at: Any) -> FloatArray:
            return self.log_likelihood(y[at, None], omega[at, None] + root[at, None] * u) - 0.5 * u * u

        rows = np.arange(y.size)
        values = exponent(np.broadcast_to(scan, (y.size, scan.size)), rows)
        seen = values >= values.max(axis=1, keepdims=True) - DEPTH
        between = np.logical_or.accumulate(seen, axis=1) & np.logical_or.accumulate(seen[:, ::-1], axis=1)[:, ::-1]
        valley = (values[:, 1:-1] < values[:, :-2]) & (values[:, 1:-1] <= values[:, 2:]) & between[:, 1:-1]
        row, column = np.nonzero(valley)
        edges = [(rows, np.full(y.size, scan[0])), (row, scan[column + 1])]
        for which, field in self.field_breaks(y, omega[:, None] + root[:, None] * scan):
            edges.append((which, np.clip((field - omega[which]) / root[which], scan[0], scan[-1])))
        row, low = (np.concatenate(parts) for parts in zip(*edges, strict=True))
        order = np.lexsort((low, row))
        row, low = row[order], low[order]
        last = np.append(row[1:] != row[:-1], True)
        high = np.where(last, scan[-1], np.append(low[1:], scan[-1]))
        used = high > low
        row, low, high = row[used], low[used], high[used]
        found = tilted_moments(lambda u, part: exponent(u, row[part]), low, high)
        first = np.flatnonzero(np.append(True, row[1:] != row[:-1]))
        top = np.maximum.reduceat(found.log_integral, first)
        share = np.exp(found.log_integral - np.where(np.isfinite(top), top, 0.0)[row])
        total = np.add.reduceat(share, first)
        share = share / np.where(total > 0, total, 1.0)[row]
        mean = np.add.reduceat(share * found.mean, first)
        variance = np.add.reduceat(share * (found.variance + (found.mean - mean[row]) ** 2), first)
        with np.errstate(divide="ignore"):
            return np.stack([np.log(total) + top, mean, variance])

    def field_breaks(self, y: FloatArray, z: FloatArray) -> list[tuple[Any, FloatArray]]:
        """(rows, fields): where the likelihood of the labels y, shape (rows,), is not smooth; z of shape (rows, fields) spans the range."""
        rows = np.arange(y.size)
        return [(rows, np.full(y.size, kink)) for kink in self.kinks]

    def log_partition(self, y: FloatArray, omega: FloatArray, V: FloatArray | float) -> FloatArray:
        """log Z(y; omega, V)."""
        value: FloatArray = self._tilted(y, omega, V)[0] - 0.5 * np.log(2 * np.pi)
        return value

    def g_out(self, y: FloatArray, omega: FloatArray, V: FloatArray | float) -> tuple[FloatArray, FloatArray]:
        """g = d log Z/d omega = (E[z | y] - omega)/V and dg = (Var[z | y] - V)/V^2, both exact for the quadrature's posterior."""
        _, mean, variance = self._tilted(y, omega, V)
        return mean / np.sqrt(V), (variance - 1) / V

    # --- averages over the label: state evolution ---------------------------------------------------------------------------------

    def predict(self, omega: FloatArray, V: FloatArray | float) -> FloatArray:
        """E[y | omega, V], the posterior mean of a label."""
        omega, V = np.broadcast_arrays(np.asarray(omega, float), np.asarray(V, float))
        z, weights = self._fields(omega.ravel(), V.ravel())
        return (weights * self.mean_label(z)).sum(axis=1).reshape(omega.shape)

    def mean_label(self, z: FloatArray) -> FloatArray:
        """E[y | field]."""
        raise self.lacks("mean_label")

    def _fields(self, centre: FloatArray, variance: FloatArray, order: int = 16) -> tuple[FloatArray, FloatArray]:
        root = np.sqrt(variance).reshape(-1, 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            breaks = np.nan_to_num((np.array(self.kinks or (0.0,)) - centre.reshape(-1, 1)) / root, nan=0.0)
        nodes = normal_panels(breaks, order)
        return centre.reshape(-1, 1) + root * nodes.xi, nodes.weights

    def label_noise(self, variance: Field, b0: Field) -> FloatArray:
        """E Var[y | field] for a field ~ N(b0, variance): what no learner that knows the field can predict."""
        centre, spread = np.broadcast_arrays(np.asarray(b0, float), np.asarray(variance, float))
        z, weights = self._fields(centre.ravel(), spread.ravel())
        return (weights * self.label_variance(z)).sum(axis=1).reshape(centre.shape)

    def label_moments(self, b0: FloatArray, variance: float) -> LabelMoments:
        """Mean, slope in b0 and variance of a label whose field is N(b0, variance): what the square loss sees."""
        return quadrature_moments(self, b0, variance)

    def atoms(self, b0: float, variance: float) -> LabelAtoms:
        """Weighted pairs of a field ~ N(b0, variance) and its label: what other losses see."""
        return likelihood_atoms(self, b0, variance)

    def bayes_error(self, linear: Field, rest: Field, b0: Field) -> FloatArray:
        """Least mean squared error given omega of variance `linear`, the field's other part having variance `rest`."""
        return self.label_noise(np.add(linear, rest), b0) + self.field_error(linear, rest, b0)

    def field_error(self, linear: Field, rest: Field, b0: Field) -> FloatArray:
        """E Var[E[y | field] | omega]: what of the least mean squared error is not the label's own noise; small ones keep their digits."""
        known, unknown, centre = np.broadcast_arrays(*(np.asarray(a, float) for a in (linear, rest, b0)))
        out = np.empty(centre.shape)
        for pair in sorted(set(zip(known.ravel().tolist(), unknown.ravel().tolist(), strict=True))):
            rows = (known == pair[0]) & (unknown == pair[1])
            out[rows] = self._field_error(*pair, centre[rows])
        return out

    def _field_error(self, linear: float, rest: float, b0: FloatArray) -> FloatArray:
        """Of one law of the field, at offsets of shape (offsets,)."""
        if rest <= 0:
            return np.zeros(b0.shape)
        if linear <= 0:
            return self._conditional(b0, rest)
        places = np.concatenate([k + np.sqrt(rest) * _EDGES for k in (self.kinks or (0.0,))])
        out = np.empty(b0.size)
        for group in shared_panels(b0, float(np.sqrt(linear)), places):
            out[group.which] = group.weights @ self._conditional(group.x, rest)
        return out

    def _conditional(self, omega: FloatArray, rest: float) -> FloatArray:
        """Var of E[y | field] for a field ~ N(omega, rest)."""
        out = np.empty(omega.size)
        for start in range(0, omega.size, BLOCK):
            part = omega[start : start + BLOCK]
            z, weights = self._fields(part, np.full(part.size, rest))
            values = self.mean_label(z)
            centred = values - (weights * values).sum(axis=1, keepdims=True)
            out[start : start + BLOCK] = (weights * centred**2).sum(axis=1)
        return out

    def _omega(self, q: float, places: FloatArray, offset: FloatArray, order: int) -> tuple[FloatArray, FloatArray]:
        root = np.sqrt(max(q, 1e-300))
        breaks = np.clip((places - offset.reshape(-1, 1)) / root, -1e8, 1e8)
        nodes = normal_panels(breaks, order)
        return offset.reshape(-1, 1) + root * nodes.xi, nodes.weights

    def outcomes(self, omega: FloatArray, V: float, order: int) -> Outcomes:
        """Z and its slope on a grid of labels shared by these (sorted, close) values of omega."""
        root = np.sqrt(V)
        low, high = float(omega.min() - REACH * root), float(omega.max() + REACH * root)
        panel = 2.0 * min(root, 1.5 * self.resolution_between(low, high))
        if not high - low < LARGEST_GRID * panel:
            meaning = "Its resolution is the smallest scale on which P(y | field) varies."
            raise fail(
                "labels", f"a channel that {LARGEST_GRID:g} panels resolve for fields between {low:g} and {high:g}", str(self), meaning
            )
        count = max(int(np.ceil((high - low) / panel)), 1)
        inner = [k for k in self.kinks if low < k < high]
        z, dz = legendre_panels(np.sort(np.concatenate([np.linspace(low, high, count + 1), inner]))[None, :], order)
        if z.size == 0:
            raise fail("labels", f"a law of fields that vary beyond rounding, not by {root:.3g} about {low:.6g}", str(self))
        y, weights = self.label_nodes(low, high)
        size = float(z.size) * max(omega.size, y.size / LABELS)
        blocks = self._blocks(z[0], y) if size <= LARGEST_TABLE else []
        values = max(float(sum(near.size * (stop - start) for start, stop, near in blocks)), size)
        if values > LARGEST_TABLE:
            raise fail(
                "labels",
                f"one that a grid of {LARGEST_TABLE:g} values resolves, not {values:.3g} ({z.size} fields, {y.size} labels): "
                "too steep for its noise",
                str(self),
            )
        u = (z - omega[:, None]) / root
        kernel = dz / (root * np.sqrt(2 * np.pi)) * np.exp(-0.5 * u * u)
        kernels = np.concatenate([kernel, kernel * u / root])
        found = np.empty((kernels.shape[0], y.size))
        for start, stop, near in blocks:
            part, fields = (kernels, z[0]) if near.size == z.size else (kernels[:, near], z[0][near])
            found[:, start:stop] = part @ np.exp(self.log_likelihood(y[None, start:stop], fields[:, None]))
        return Outcomes(weights, found[: omega.size], found[omega.size :])

    def _blocks(self, z: FloatArray, y: FloatArray) -> list[tuple[int, int, NDArray[np.intp]]]:
        """Start and stop of blocks of labels, and the fields at which they are likely."""
        everywhere = np.arange(z.size)
        if y.size <= LABELS:
            return [(0, y.size, everywhere)]
        low, high = self.likely_labels(z)
        step = LABELS if np.isfinite(low).any() else max(1, int(4e6 // z.size))
        out = []
        for start in range(0, y.size, step):
            some = y[start : start + step]
            near = np.flatnonzero((low <= some.max()) & (high >= some.min()))
            out.append((start, start + some.size, near))
        return out

    def resolution_between(self, low: float, high: float) -> float:
        """The smallest scale on which the likelihood varies with fields between these; `resolution` unless it is known better."""
        return self.resolution

    def likely_labels(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The least and the greatest label that has a probability beside rounding at each of the fields z."""
        return np.full(z.shape, -np.inf), np.full(z.shape, np.inf)

    def information(self, q: float, V: float, offset: float = 0.0) -> OutputInformation:
        """Psi and fisher at one point with an estimate of their relative error."""
        V = self.total(V)
        (psi, fisher, _), (finer_psi, finer, mass) = (self._information(q, V, offset, order) for order in ORDERS)
        error = max(abs(psi - finer_psi) / max(abs(finer_psi), ROUNDING), abs(fisher - finer) / max(abs(finer), ROUNDING / V))
        return OutputInformation(finer_psi, finer, float(max(error, abs(mass - 1))))

    def quadrature_error(self, q: float, V: float, offset: float) -> float:
        """Estimated relative error of `psi` and `fisher`."""
        return self.information(q, V, offset).error

    def _information(self, q: float, V: float, offset: float, order: int) -> tuple[float, float, float]:
        if self.additive or q <= NARROW**2 * V or not abs(offset) < FARTHEST * np.sqrt(q):
            omega, outer = (np.array([offset]), np.ones(1)) if self.additive else self.outer_fields(q, V, offset, order)
            psi, fisher, mass = (self._at_fields(omega, V, order) @ outer).tolist()
            return psi, fisher, mass
        # offsets of one target, and points of one curve, ask for the same q and V: integrals over the label are kept
        known: dict[tuple[float, float, int], Lattice] = self.__dict__.setdefault("_lattices", {})
        key = (q, V, order)
        if key not in known:
            while len(known) >= KEPT:
                del known[next(iter(known))]
            places = np.concatenate([k + np.sqrt(V) * _EDGES for k in (self.kinks or (0.0,))])
            known[key] = Lattice(lambda omega: self._at_fields(omega, V, order), float(np.sqrt(q)), places, order + 6)
        psi, fisher, mass = known[key].averages(offset).tolist()
        return psi, fisher, mass

    def _at_fields(self, omega: FloatArray, V: float, order: int) -> FloatArray:
        """int dy Z log Z, int dy (dZ/domega)^2/Z and int dy Z at increasing omega, shape (3, fields)."""
        out = np.empty((3, omega.size))
        group = np.floor((omega - omega[0]) / (8 * np.sqrt(V)))  # fields that share a grid of labels
        cuts = np.concatenate([[0], np.flatnonzero(np.diff(group)) + 1, [omega.size]])
        for a, b in pairwise(cuts):
            found = self.outcomes(omega[a:b], V, order)
            Z = np.maximum(found.Z, TINY)
            share = found.weights * (found.Z > TINY)
            for row, values in enumerate((Z * np.log(Z), found.slope**2 / Z, Z)):
                out[row, a:b] = (share * values).sum(axis=1)
        return out

    def outer_fields(self, q: float, V: float, offset: float, order: int) -> tuple[FloatArray, FloatArray]:
        """Nodes and weights for E over omega ~ N(offset, q), increasing."""
        if q <= NARROW**2 * V:
            xi, outer = hermite_nodes(order + 8)
            return offset + np.sqrt(q) * xi, outer
        width = np.sqrt(V) * _EDGES
        places = np.concatenate([k + width for k in (self.kinks or (0.0,))])
        omega, outer = self._omega(q, places, np.array([offset]), order + 6)
        return omega[0], outer[0]

    def psi(self, q: FloatArray | float, V: FloatArray | float, offset: FloatArray | float = 0.0) -> FloatArray:
        """E_omega int dy Z log Z in nats; arguments broadcast."""
        return self._each(0, q, V, offset)

    def fisher(self, q: FloatArray | float, V: FloatArray | float, offset: FloatArray | float = 0.0) -> FloatArray:
        """E_omega int dy (dZ/domega)^2/Z; arguments broadcast."""
        return self._each(1, q, V, offset)

    def _each(self, part: int, q: Any, V: Any, offset: Any) -> FloatArray:
        q, V, offset = np.broadcast_arrays(*(np.asarray(a, float) for a in (q, V, offset)))
        found = [self.quick(float(a), float(b), float(c))[part] for a, b, c in zip(q.flat, V.flat, offset.flat, strict=True)]
        return np.array(found).reshape(q.shape)

    def quick(self, q: float, V: float, offset: float = 0.0) -> tuple[float, float]:
        """Psi and fisher by the first rule alone."""
        return self._information(q, self.total(V), offset, ORDERS[0])[:2]

    def total(self, V: float) -> float:
        """Variance of what enters the likelihood, inner noise included."""
        return V
