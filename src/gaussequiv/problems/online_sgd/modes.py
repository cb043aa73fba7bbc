r"""Modes of the inputs' covariance: eigenvalues that differ, what students have in each, and bins of neighbours with an error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaussequiv.errors import FloatArray

ALIKE = 1e-10  # of the largest eigenvalue: closer ones are one
SMALL = 1e-2  # of the mean eigenvalue, below which differences count little: those modes hardly move a field


@dataclass(frozen=True, eq=False)
class Modes:
    """Eigenvalues rho of Omega that differ, their share of the N modes, and mean over the modes of one of q, r and t, per mode.

    q_kl = (w_k.u)(w_l.u), r_km = (w_k.u)(p_m.u), t_mn = (p_m.u)(p_n.u), for orthonormal u and p = Phi B'.
    """

    rho: FloatArray
    share: FloatArray
    q: FloatArray
    r: FloatArray
    t: FloatArray


@dataclass(frozen=True, eq=False)
class ModeBasis:
    """Eigenvalues of Omega (N,), ascending, its eigenvectors as columns (None: identities), and where each group of equal ones starts."""

    eigenvalues: FloatArray
    vectors: FloatArray | None
    starts: NDArray[np.intp]

    @classmethod
    def of(cls, eigenvalues: FloatArray, vectors: FloatArray | None) -> ModeBasis:
        """Eigenvalues that are alike are one group."""
        starts = np.append(0, np.flatnonzero(np.diff(eigenvalues) > ALIKE * eigenvalues[-1]) + 1)
        return cls(eigenvalues, vectors, starts)

    @property
    def counts(self) -> NDArray[np.intp]:
        """Modes of each group."""
        return np.diff(np.append(self.starts, self.eigenvalues.size))

    @property
    def rho(self) -> FloatArray:
        """The eigenvalue of each group."""
        return np.maximum(np.add.reduceat(self.eigenvalues, self.starts) / self.counts, 0.0)

    def of_vectors(self, rows: FloatArray) -> FloatArray:
        """Rows (K, N) in this basis."""
        return rows if self.vectors is None else rows @ self.vectors

    def summed(self, values: FloatArray) -> FloatArray:
        """Sums over each group of values (N, ...)."""
        return np.asarray(np.add.reduceat(values, self.starts, axis=0))

    def modes(self, student: FloatArray, towards: FloatArray) -> Modes:
        """Modes of weights (K, N) and of Phi B' (N, M): the equations are linear in q, r and t given rho, so that groups are exact."""
        own, other, counts = self.of_vectors(student), self.of_vectors(towards.T), self.counts

        def mean(a: FloatArray, b: FloatArray) -> FloatArray:
            return self.summed(pairs(a, b)) / counts[:, None, None]

        return Modes(self.rho, counts / self.eigenvalues.size, mean(own, own), mean(own, other), mean(other, other))

    def densities(self, weights: FloatArray, towards: FloatArray, seen: int) -> tuple[FloatArray, FloatArray]:
        """What each group adds to Q and R of weights (K, N): shapes (groups, K, K) and (groups, K, M)."""
        N, own = self.eigenvalues.size, self.of_vectors(weights)
        q = self.summed(self.eigenvalues[:, None, None] * pairs(own, own)) / N
        return q, self.summed(pairs(own, self.of_vectors(towards.T))) / np.sqrt(N * seen)


def pairs(a: FloatArray, b: FloatArray) -> FloatArray:
    """Products (N, K, M) of all rows of a (K, N) and b (M, N)."""
    product: FloatArray = a.T[:, :, None] * b.T[:, None, :]
    return product


def bins_of(rho: FloatArray, share: FloatArray, count: int) -> NDArray[np.intp]:
    """Which of at most `count` bins of neighbours each eigenvalue (ascending) belongs to.

    Sums of share^(1/3) (d log rho)^(2/3) are alike in all bins, which makes the mean square distance within bins least (Panter, Dite
    1951); an eigenvalue of a share of more than 1/count has a bin of its own.
    """
    if rho.size <= count:
        return np.arange(rho.size)
    place = np.log(rho + SMALL * (share @ rho))
    steps = np.append(0.0, ((share[1:] + share[:-1]) / 2) ** (1 / 3) * np.diff(place) ** (2 / 3)).cumsum()
    heavy = share * count > 1
    left = max(count - 2 * int(heavy.sum()), 1)  # a heavy one may divide a bin in two
    box = np.minimum((steps / steps[-1] * left).astype(np.intp), left - 1)
    new = (np.diff(box) > 0) | heavy[1:] | heavy[:-1]
    return np.append(0, np.cumsum(new))


def gathered(modes: Modes, box: NDArray[np.intp]) -> Modes:
    """One mode for each bin, of the same shares, of mean eigenvalue, and of the same Q, R and sum of t."""
    starts = np.append(0, np.flatnonzero(np.diff(box)) + 1)

    def summed(values: FloatArray) -> FloatArray:
        weights = modes.share.reshape(-1, *[1] * (values.ndim - 1))
        return np.asarray(np.add.reduceat(weights * values, starts, axis=0))

    share = np.add.reduceat(modes.share, starts)
    field = summed(modes.rho)
    own, each = np.maximum(field, np.finfo(float).tiny)[:, None, None], share[:, None, None]
    q = np.where(field[:, None, None] > 0, summed(modes.rho[:, None, None] * modes.q) / own, summed(modes.q) / each)
    return Modes(field / share, share, q, summed(modes.r) / each, summed(modes.t) / each)
