"""Input laws: Gaussian with any covariance and mean, or the rows of a data matrix."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from gaussequiv.errors import LARGEST_MOMENT, ArgumentError, FloatArray, array, fail
from gaussequiv.ingredients.adopted import LeftOut, adopted, original
from gaussequiv.ingredients.inputs import spectra
from gaussequiv.numerics.keys import TEST

BLOCK = 1024  # rows per random key; a block's first rows do not depend on how many are asked for


class Rows(Protocol):
    """The input rows of one trial, produced block by block. Those of latents have `seen` as well, see `GeneratedRows`."""

    def block(self, purpose: int, start: int, stop: int) -> FloatArray:
        """Rows start..stop of the stream `keys.TRAIN` or `keys.TEST`; start is a multiple of BLOCK, stop - start at most BLOCK."""
        ...


class Inputs:
    """What a problem asks of an input law: `modes`, `rows` and `whiten`. The rest has defaults, those of centred rows of any dimension.

    Attributes
    ----------
    gaussian : bool
        Whether the rows are Gaussian.
    isotropic : bool
        Whether they are also of identity covariance and zero mean, as the theorem asks.
    covariance : array of shape (d, d) or None
        Where it was given, in place of a spectrum.
    matrix : array of shape (rows, d) or None
        The data of which the law draws rows.
    debiased : bool
        Whether modes are those of the population behind the data, and not of the sample.
    citations : tuple of str
        Keys of the papers behind it.
    """

    citations: Any = ()
    gaussian: bool = False
    isotropic: bool = False
    covariance: Any = None
    matrix: Any = None
    debiased: bool = False

    @cached_property
    def dimension(self) -> int | None:
        """The input dimension if the law fixes it, else None."""
        return None

    @cached_property
    def mean_square(self) -> float:
        """|mean|^2/d."""
        return 0.0

    @cached_property
    def independent(self) -> bool:
        """Whether the coordinates are independent, so that weights of any prior stay independent in the inputs' modes."""
        return self.whiten(self.dimension or 2)[0] is None

    def modes(self, d: int | None) -> tuple[FloatArray, FloatArray]:
        """Eigenvalues of the covariance and their masses, at size d or in the limit (d = None)."""
        raise self.lacks("modes")

    def rows(self, key: tuple[int, ...], d: int, train: int, test: int) -> Rows:
        """Start one trial's rows from an integer key."""
        raise self.lacks("rows")

    def centre(self, d: int) -> FloatArray:
        """The mean of the rows, of shape (d,)."""
        if self.mean_square:
            raise self.lacks("centre")
        return np.zeros(d)

    def whiten(self, d: int) -> tuple[FloatArray | None, FloatArray]:
        """(R, w): (x - mean) R / sqrt(w) has identity covariance; R = None for coordinates that are already independent."""
        raise self.lacks("whiten")

    @cached_property
    def seen_by_target(self) -> Inputs:
        """The law of what the target is a function of: these inputs, or latents behind them, whose rows then have `seen`."""
        return self

    def seen_dimension(self, d: int) -> int:
        """Its dimension D."""
        return d

    def overlap(self, d: int | None) -> FloatArray:
        """(d/D) |psi_i' Cov(x, s)|^2 of every mode psi_i, s what the target sees: the eigenvalues squared where that is x."""
        return self.modes(d)[0] ** 2

    def cross(self, d: int) -> FloatArray | None:
        """Cov(x, s), of shape (d, D), where the target sees other variables s than x, else None."""
        return None

    def hypotheses(self) -> tuple[tuple[str, bool], ...]:
        """What a theorem about inputs that are not Gaussian asks of these, and whether it holds; nothing where there is none."""
        return ()

    def jackknife(self) -> Iterable[Inputs]:
        """The law as each part of the data but one tells it, for standard errors of curves; nothing where it is known exactly."""
        return ()

    def to_dict(self) -> dict[str, Any]:
        """The description that saved results carry."""
        return {"kind": "custom", "name": type(original(self)).__qualname__}

    def lacks(self, member: str) -> LeftOut:
        """The error for a member that this law leaves out."""
        return LeftOut(
            f"Argument `inputs` must be a law with `{member}` for this, but {type(original(self)).__name__} leaves out what "
            f"{__name__} lists."
        )


def get(inputs: Any) -> Inputs:
    """An input law as it is, or a user's object with its own members and the defaults of `Inputs`."""
    found: Inputs = adopted(inputs, Inputs, ("modes",), "inputs")
    return found


@dataclass(frozen=True, eq=False)
class GaussianInputs(Inputs):
    """x ~ N(mean, Sigma).

    Parameters
    ----------
    spectrum : str, array or Spectrum
        Eigenvalues of Sigma: "identity" (the default), "power-law:0.8", "two-level:4:0.2:0.1667", "marchenko-pastur:0.5", or an array.
    covariance : array of shape (d, d), optional
        Sigma itself, symmetric positive semi-definite, in place of `spectrum`; it fixes d.
    mean : float or array of shape (d,)
        The mean of every coordinate. Only |mean|^2/d enters the theory.

    Examples
    --------
    >>> GaussianInputs(spectrum="two-level:4:0.2:0.5").modes(None)[0].tolist()
    [4.0, 0.2]
    """

    spectrum: Any = None
    covariance: Any = None
    mean: Any = 0.0
    gaussian: bool = field(default=True, init=False)
    digest: str = field(default="", init=False)
    _law: Any = field(default=None, init=False, repr=False)
    _vectors: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.covariance is None:
            law = spectra.get("identity" if self.spectrum is None else self.spectrum)
            object.__setattr__(self, "spectrum", law)
        else:
            if self.spectrum is not None:
                raise fail("spectrum", "left out when covariance is given", self.spectrum)
            matrix = array("covariance", self.covariance, ndim=2)
            values, vectors = _eigen(matrix)
            object.__setattr__(self, "covariance", matrix)
            law = spectra.Eigenvalues(values)
            object.__setattr__(self, "_vectors", vectors)
            object.__setattr__(self, "digest", _digest(matrix))
        object.__setattr__(self, "_law", law)
        mean = array("mean", self.mean)
        if mean.ndim > 1 or (mean.ndim == 1 and self.covariance is not None and mean.size != len(self.covariance)):
            raise fail("mean", "a number or a vector with one entry for each input coordinate", mean)
        if np.max(np.abs(mean)) > LARGEST_MOMENT:
            raise fail("mean", f"at most {LARGEST_MOMENT:g} in magnitude", float(np.max(np.abs(mean))))
        object.__setattr__(self, "mean", float(mean) if mean.ndim == 0 else mean)

    @property
    def dimension(self) -> int | None:
        if self.covariance is not None:
            return len(self.covariance)
        return None if np.ndim(self.mean) == 0 else int(np.size(self.mean))

    @cached_property
    def mean_square(self) -> float:
        return float(np.mean(np.square(self.mean)))

    def __str__(self) -> str:
        law = f"covariance of shape {self.covariance.shape}" if self.covariance is not None else str(self._law)
        law = law if len(law) <= 60 else f"{law.count(',') + 1} given eigenvalues"
        return f"Gaussian, {law}" + (f", |mean|^2/d = {self.mean_square:.6g}" if self.mean_square else "")

    @property
    def isotropic(self) -> bool:  # type: ignore[override]
        """Whether Sigma is the identity and the mean zero, as the theorem asks."""
        return self.covariance is None and self._law == spectra.Identity() and self.mean_square == 0

    @property
    def independent(self) -> bool:
        """Whether the coordinates are independent."""
        return self.covariance is None

    def modes(self, d: int | None) -> tuple[FloatArray, FloatArray]:
        if d is None or self.covariance is not None:
            values, mass = self._law.limit()
        else:
            values, counts = np.unique(self._at(d), return_counts=True)
            mass = counts / d
        return values, mass

    def rows(self, key: tuple[int, ...], d: int, train: int, test: int) -> Rows:
        if self.covariance is not None:
            root = (self._vectors * np.sqrt(self._law.values)) @ self._vectors.T
        else:
            root = np.sqrt(self._at(d))
        return _GaussianRows(key, d, root, self.mean)

    def centre(self, d: int) -> FloatArray:
        return np.broadcast_to(np.asarray(self.mean, dtype=np.float64), (d,))

    def whiten(self, d: int) -> tuple[FloatArray | None, FloatArray]:
        if self.covariance is not None:
            return self._vectors, self._law.values
        return None, self._at(d)

    def to_dict(self) -> dict[str, Any]:
        mean = self.mean if np.isscalar(self.mean) else np.asarray(self.mean).tolist()
        if self.covariance is not None:
            return {"kind": "gaussian", "covariance": list(self.covariance.shape), "digest": self.digest, "mean": mean}
        return {"kind": "gaussian", "spectrum": str(self.spectrum), "mean": mean}

    def _at(self, d: int) -> FloatArray:
        """The d eigenvalues, of which one at least is positive."""
        values: FloatArray = self._law.at(d)
        if not np.any(values > 0):
            raise fail("d", f"large enough for the spectrum {self._law} to have a positive eigenvalue", d, "d is the input dimension.")
        return values


@dataclass(frozen=True)
class _GaussianRows:
    key: tuple[int, ...]
    d: int
    root: FloatArray
    mean: Any

    def block(self, purpose: int, start: int, stop: int) -> FloatArray:
        rng = np.random.default_rng((*self.key, purpose, start // BLOCK))
        z = rng.standard_normal((stop - start, self.d))
        if self.root.ndim == 2:
            z = z @ self.root
        elif np.any(self.root != 1.0):
            z *= self.root
        return z if np.isscalar(self.mean) and self.mean == 0 else z + self.mean


@dataclass(frozen=True, eq=False)
class DataInputs(Inputs):
    """The rows of a real data matrix: simulations draw them without replacement, train and test never share a row.

    Parameters
    ----------
    matrix : array of shape (rows, columns)
        Columns are centred (`means` keeps what was subtracted); constant columns are dropped (`dropped` lists them).
        The input dimension d counts the columns that are kept.
    normalise : bool
        Divide by one number so that the mean variance of a column, tr(Sigma)/d, is 1 (`scale` keeps it).
    name : str
        Shown in cards and saved files, where the matrix itself is kept as shape and digest only.

    Examples
    --------
    >>> import numpy as np
    >>> inputs = DataInputs(np.array([[0.0, 1.0, 5.0], [1.0, 3.0, 5.0], [2.0, 2.0, 5.0]]))
    >>> inputs.dimension, inputs.dropped
    (2, (2,))
    """

    matrix: Any
    normalise: bool = False
    name: str = "data"
    gaussian: bool = field(default=False, init=False)
    means: FloatArray = field(init=False, default_factory=lambda: np.zeros(0))
    dropped: tuple[int, ...] = field(init=False, default=())
    scale: float = field(init=False, default=1.0)
    digest: str = field(init=False, default="")
    _values: Any = field(init=False, default=None, repr=False)
    _vectors: Any = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        raw = array("matrix", self.matrix, ndim=2, meaning="It holds one sample in each row.")
        if len(raw) < 3:
            raise fail("matrix", "an array of at least 3 rows", raw)
        keep = np.ptp(raw, axis=0) > 0
        if not keep.any():
            raise ArgumentError("Argument `matrix` must have a column that varies, but all its columns are constant.")
        means = raw.mean(axis=0)
        centred = np.ascontiguousarray((raw - means)[:, keep])
        scale = float(np.sqrt(np.mean(centred**2))) if self.normalise else 1.0
        centred /= scale
        object.__setattr__(self, "digest", _digest(raw))
        object.__setattr__(self, "means", means)
        object.__setattr__(self, "dropped", tuple(int(i) for i in np.flatnonzero(~keep)))
        object.__setattr__(self, "scale", scale)
        object.__setattr__(self, "matrix", centred)
        values, vectors = _eigen(centred.T @ centred / len(centred))
        object.__setattr__(self, "_values", values)
        object.__setattr__(self, "_vectors", vectors)

    @property
    def independent(self) -> bool:
        """Columns of data are not."""
        return False

    @property
    def dimension(self) -> int:
        return int(self.matrix.shape[1])

    @property
    def mean_square(self) -> float:
        return 0.0

    def __str__(self) -> str:
        rows, columns = self.matrix.shape
        dropped = f"; {len(self.dropped)} constant columns dropped: {_ranges(self.dropped)}" if self.dropped else ""
        return f"{self.name}, {rows} rows, {columns} columns kept" + dropped

    def modes(self, d: int | None) -> tuple[FloatArray, FloatArray]:
        values: FloatArray = self._values
        return values, np.full(values.size, 1 / values.size)

    def rows(self, key: tuple[int, ...], d: int, train: int, test: int) -> Rows:
        if train + test > len(self.matrix):
            raise ArgumentError(
                f"Argument `alpha` asks for {train} training and {test} test rows of {self.name!r}, which has {len(self.matrix)}; "
                "rows are drawn without replacement. Lower alpha or test_samples."
            )
        order = np.random.default_rng(key).permutation(len(self.matrix))
        return _DataRows(self.matrix, order, test)

    def centre(self, d: int) -> FloatArray:
        return np.zeros(d)

    def whiten(self, d: int) -> tuple[FloatArray | None, FloatArray]:
        return self._vectors, self._values

    def to_dict(self) -> dict[str, Any]:
        shape = [int(n) for n in self.matrix.shape]
        own = {name: vars(self)[name] for name in ("name", "digest", "normalise", "scale")}
        return {"kind": "data", "shape": shape, "dropped": list(self.dropped)} | own


@dataclass(frozen=True)
class _DataRows:
    matrix: FloatArray
    order: Any
    test: int

    def block(self, purpose: int, start: int, stop: int) -> FloatArray:
        shift = 0 if purpose == TEST else self.test
        rows: FloatArray = self.matrix[self.order[start + shift : stop + shift]]
        return rows


def _digest(matrix: FloatArray) -> str:
    return hashlib.sha256(np.ascontiguousarray(matrix).tobytes()).hexdigest()[:16]


def _ranges(columns: tuple[int, ...]) -> str:
    return ", ".join(map(str, columns[:8])) + (f", ... ({len(columns)} in all)" if len(columns) > 8 else "")


def _eigen(matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Eigenvalues (descending, non-negative) and eigenvectors of a covariance; errors name what is wrong with it."""
    if matrix.shape[0] != matrix.shape[1]:
        raise fail("covariance", "a square matrix", matrix)
    scale = float(np.max(np.abs(matrix)))
    asymmetry = float(np.max(np.abs(matrix - matrix.T)))
    if asymmetry > 1e-10 * scale:
        raise ArgumentError(
            f"Argument `covariance` must be symmetric, but |C - C'| reaches {asymmetry:.3g} (its largest entry is {scale:.3g})."
        )
    values, vectors = np.linalg.eigh(0.5 * (matrix + matrix.T))
    if values[0] < -1e-10 * max(scale, values[-1]):
        raise ArgumentError(f"Argument `covariance` must be positive semi-definite, but its smallest eigenvalue is {values[0]:.6g}.")
    if values[-1] <= 0:
        raise ArgumentError("Argument `covariance` must have a positive eigenvalue, but it is zero.")
    values = np.where(values < 1e-13 * values[-1], 0.0, values)
    return values[::-1].copy(), vectors[:, ::-1].copy()
