r"""`SampledInputs`: a law of inputs, and of latents behind them, known by one data matrix of not many rows."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from gaussequiv.errors import AccuracyWarning, ArgumentError, FloatArray, array, choice, fail, integer
from gaussequiv.ingredients.inputs.base import DataInputs, GaussianInputs, Inputs, Rows
from gaussequiv.realdata.equivalent import population_modes
from gaussequiv.realdata.pool import Pool

METHODS = ("pool", "sample")
STANDARD = 6.0  # deviations of the sampling noise beyond which latents are not N(0, I)
FEW = 2.0  # rows per column below which the pool's answer depends on the rows being linear images of independent entries


@dataclass(frozen=True, eq=False)
class SampledInputs(DataInputs):
    r"""Inputs x in R^N of which n rows are known, with the latents c ~ N(0, I_D) of each row where they are known too.

    Parameters
    ----------
    matrix : array of shape (rows, N)
        Rows of x. Columns are centred, constant ones dropped (`dropped`), all divided by one number if `normalise`.
    normalise, name
        As of `DataInputs`.
    latents : array of shape (rows, D), optional
        Row i belongs to row i of x; then the target is a function of them, standard Gaussian, else of x.
    method : "pool" or "sample"
        How spectrum and alignment are found. "pool": those of the population, by the leave-one-out errors of ridge on the rows (below).
        "sample": the sample covariances as they are, whose spectrum is too wide: for many rows per column.
    groups : int
        Of the jackknife behind `<name>_moments_stderr` of a curve: each of so many parts of the rows is left out in turn. 0 for none.
    seed : int
        Of the groups.

    What learners need, the masses of Omega = Cov(x) and the signal of a field theta.c/sqrt(D) in them, is read off population functions of
    an effective ridge k that the rows measure without bias at any n/N (`realdata.pool.Pool`, the D latents as targets):

        df1(k) = N mean[w/(w + k)],      B(k) = tau + k^2 mean[v/(w + k)^2],      v = (N/D) |psi'Phi|^2/w,  Phi = Cov(x, c).

    A curve has `<name>_moments_stderr` for every number: what other rows of the same law would change, by a grouped jackknife.
    Simulations draw rows without replacement, and test on others.

    Raises
    ------
    ArgumentError : no matrix of finite numbers, latents of another number of rows or not standard Gaussian, groups of too few rows.

    Warns
    -----
    AccuracyWarning : few rows for the method.

    Validity: of the curve that of the Gaussian equivalence (Goldt et al. 2020); of the moments, deterministic equivalents, exact as
    rows and N grow where rows are linear images of independent entries. At N = 200, D = 100, x = sign(F c), errors of ridge and logistic
    regression are within 1% of those of the exact moments from 1.3 rows per column on (Ledoit-Wolf shrinkage: 30 to 60% too low; the
    sample's own moments: up to 10% too low); for a trained generator of 16 latents, far from independent entries, 14% too high at
    1.3 rows per column, 7% at 2, 2% at 4. The standard errors are right from 3 rows per column on, and up to twice too large below.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> rng = np.random.default_rng(0)
    >>> c, F = rng.standard_normal((120, 20)), rng.standard_normal((20, 40))
    >>> inputs = SampledInputs(np.sign(c @ F), latents=c)
    >>> curve = ge.solve(ge.Problem(ge.LinearTarget(noise=0.1), inputs, ge.Ridge(0.1)), alpha=[2.0])
    >>> bool(curve.test_error_moments_stderr[0] < 0.2 * curve.test_error[0])
    True
    """

    latents: Any = None
    method: str = "pool"
    groups: int = 10
    seed: int = 0
    citations: tuple[str, ...] = field(init=False, default=("goldt2020",))
    debiased: bool = field(init=False, default=True)
    _kept: Any = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("method", self.method, METHODS)
        groups = integer("groups", self.groups, minimum=0)
        rows = len(self.matrix)
        if groups > rows // 4:
            meaning = f"The matrix has {rows} rows; groups=0 does without standard errors."
            raise fail("groups", f"at most a quarter of the rows of the matrix, {rows // 4}", groups, meaning)
        if groups == 1:
            raise fail("groups", f"0, or from 2 to {rows // 4}, a quarter of the rows", groups)
        object.__setattr__(self, "groups", groups)
        object.__setattr__(self, "seed", integer("seed", self.seed, minimum=0))
        object.__setattr__(self, "debiased", self.method == "pool")
        if self.latents is not None:
            object.__setattr__(self, "latents", _standard(array("latents", self.latents, ndim=2), rows))
        size = self.dimension
        if self.method == "sample" and rows <= size:
            warnings.warn(
                f"The covariance of {self.name} has {size - rows + 1} of {size} eigenvalues 0, as it has {rows} rows: those of the law "
                "behind are not. method='pool' estimates them.",
                AccuracyWarning,
                stacklevel=3,
            )
        if self.method == "pool" and rows < FEW * size:
            warnings.warn(
                f"The spectrum of {self.name} is estimated from {rows} rows of {size} columns: fewer than {FEW:g} rows per column are "
                "enough for rows that are linear images of independent entries alone.",
                AccuracyWarning,
                stacklevel=3,
            )

    def __str__(self) -> str:
        behind = "" if self.latents is None else f"; the target sees their {self.latents.shape[1]} latents"
        how = "spectrum of the population" if self.debiased else "spectrum of the sample"
        return f"{super().__str__()}; {how}{behind}"

    @cached_property
    def seen_by_target(self) -> Inputs:
        return self if self.latents is None else GaussianInputs()

    def seen_dimension(self, d: int) -> int:
        return d if self.latents is None else int(self.latents.shape[1])

    def modes(self, d: int | None) -> tuple[FloatArray, FloatArray]:
        return self._law[0], self._law[1]

    def overlap(self, d: int | None) -> FloatArray:
        return self._law[2]

    def cross(self, d: int) -> FloatArray | None:
        if self.debiased:
            raise ArgumentError(
                "Argument `features` must be applied to the rows first, SampledInputs(features of the rows, latents=...): features of "
                "given or sampled weights would take the covariance of the rows, which is that of a sample."
            )
        return None if self.latents is None else self.matrix.T @ self.latents / len(self.matrix)

    def rows(self, key: tuple[int, ...], d: int, train: int, test: int) -> Rows:
        own: Any = super().rows(key, d, train, test)
        return own if self.latents is None else PairedRows(own, replace(own, matrix=self.latents))

    def jackknife(self) -> Iterator[Inputs]:
        parts = np.array_split(np.random.default_rng(self.seed).permutation(len(self.matrix)), self.groups) if self.groups else []
        for part in parts:
            one = copy(self)
            object.__setattr__(one, "_kept", np.setdiff1d(np.arange(len(self.matrix)), part))
            vars(one).pop("_law", None)
            vars(one).pop("seen_by_target", None)
            yield one

    @cached_property
    def _law(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Eigenvalues, masses, overlap."""
        x = self.matrix if self._kept is None else self.matrix[self._kept]
        c = self.latents if self._kept is None or self.latents is None else self.latents[self._kept]
        if self.method == "sample":
            return _of_sample(x, c)
        loudest = x[:, np.argmax(x.var(axis=0))]  # of targets that see x the spectrum says all
        w, masses, signal, _ = population_modes(Pool(x, loudest if c is None else c), x.shape[1])
        if c is None:
            return w, masses, w**2
        signal = signal / max(1.0, float(signal.sum()))  # of a field of variance 1
        return w, masses, np.divide(signal * w, masses, out=np.zeros_like(w), where=masses > 0)

    def to_dict(self) -> dict[str, Any]:
        own = {name: vars(self)[name] for name in ("method", "groups", "seed")}
        latents = None if self.latents is None else list(self.latents.shape)
        return super().to_dict() | {"kind": "sampled", "latents": latents} | own


@dataclass(frozen=True)
class PairedRows(Rows):
    """Rows of the matrix in the trial's order, and the latents of the same rows."""

    source: Rows
    latents: Rows

    def block(self, purpose: int, start: int, stop: int) -> FloatArray:
        return self.source.block(purpose, start, stop)

    def seen(self, purpose: int, start: int, stop: int) -> FloatArray:
        """The latents of these rows, of shape (stop - start, D)."""
        return self.latents.block(purpose, start, stop)


def _of_sample(x: FloatArray, c: FloatArray | None) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Of the sample covariances; the noise of Cov(x, c), of variance w (1 - share) in each of its D columns, is taken off."""
    centred = x - x.mean(axis=0)
    n, N = x.shape
    values, vectors = np.linalg.eigh(centred.T @ centred / n)
    values = np.where(values < 1e-13 * values[-1], 0.0, values)
    masses = np.full(N, 1 / N)
    if c is None:
        return values, masses, values**2
    D = c.shape[1]
    square, noise = np.sum((vectors.T @ (centred.T @ (c - c.mean(axis=0)) / n)) ** 2, axis=1), D / n
    if noise >= 1:
        raise ArgumentError(f"Argument `latents` must have fewer columns than rows for method='sample', but has {D} of {n} rows.")
    return values, masses, N / D * np.maximum((square - noise * values) / (1 - noise), 0.0)


def _standard(latents: FloatArray, rows: int) -> FloatArray:
    """The latents, if they are a sample of N(0, I) as far as their first two moments say."""
    if len(latents) != rows:
        raise fail("latents", f"an array of {rows} rows, one for each row of the matrix", latents)
    n, D = latents.shape
    scatter = latents.T @ latents / n
    # chi-squared with D and about D(D + 1)/2 degrees of freedom, of the mean and of the covariance
    mean = (n * float(np.sum(latents.mean(axis=0) ** 2)) - D) / np.sqrt(2 * D)
    freedom = D * (D + 1) / 2
    spread = (n / 2 * float(np.sum((scatter - np.eye(D)) ** 2)) - freedom) / np.sqrt(2 * freedom)
    if mean > STANDARD or spread > STANDARD * np.sqrt(1 + 4 * D / n):  # more columns than rows: eigenvalues beyond their edge
        raise ArgumentError(
            f"Argument `latents` must be standard Gaussian, of mean 0 and covariance I, but their mean has length "
            f"{np.linalg.norm(latents.mean(axis=0)):.3g} and the mean variance is {np.trace(scatter) / D:.3g}: whiten them first."
        )
    return latents
