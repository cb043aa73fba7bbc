"""Spectra of the input covariance: laws with a limit and with d eigenvalues at any finite size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from gaussequiv._memory import FLOAT, require_memory
from gaussequiv._text import exact
from gaussequiv.errors import LARGEST_MOMENT, ArgumentError, FloatArray, array, did_you_mean, fail, integer, number

LARGEST_LIMIT_EXPONENT = 0.9


@runtime_checkable
class Spectrum(Protocol):
    """A law of eigenvalues. User classes with these two methods work everywhere."""

    def limit(self) -> tuple[FloatArray, FloatArray]:
        """Eigenvalues and masses (summing to 1) of the limiting law, d -> infinity."""
        ...

    def at(self, d: int) -> FloatArray:
        """The d eigenvalues that a simulation of size d uses."""
        ...


def _bounded(name: str, value: float) -> None:
    if value > LARGEST_MOMENT:
        raise fail(name, f"at most {LARGEST_MOMENT:g}", value)


@dataclass(frozen=True)
class Identity:
    """All eigenvalues equal to `scale` (isotropic inputs)."""

    scale: float = 1.0

    def __post_init__(self) -> None:
        _bounded("scale", number("scale", self.scale, positive=True))

    def limit(self) -> tuple[FloatArray, FloatArray]:
        return np.array([float(self.scale)]), np.ones(1)

    def at(self, d: int) -> FloatArray:
        return np.full(d, float(self.scale))

    def __str__(self) -> str:
        return "identity" if self.scale == 1 else f"identity:{exact(self.scale)}"


@dataclass(frozen=True)
class PowerLaw:
    """Eigenvalues w_i proportional to i^(-exponent), i = 1..d, with mean 1.

    The limit w(u) = (1 - exponent) u^(-exponent), u uniform, exists for exponent < 1. Close to 1 a vanishing fraction of the
    modes holds most of the variance and no finite d is near it: above 0.9 the theory is asked for at a given d.
    """

    exponent: float

    def __post_init__(self) -> None:
        number("exponent", self.exponent, nonnegative=True)

    def limit(self) -> tuple[FloatArray, FloatArray]:
        if self.exponent > LARGEST_LIMIT_EXPONENT:
            expected = f"at most {LARGEST_LIMIT_EXPONENT} for the limit d -> infinity"
            raise fail("exponent", expected, self.exponent, "Pass d to get the theory at that size.")
        x, w = np.polynomial.legendre.leggauss(200)
        # u = t^power removes the singularity of w(u) at u = 0; a higher power would overflow close to exponent 1
        power = (4 if self.exponent <= 0.5 else 2) / (1 - self.exponent)
        t = 0.5 * (1 + x)
        mass = 0.5 * w * power * t ** (power - 1)
        values = (1 - self.exponent) * t ** (-self.exponent * power)
        mass = mass / mass.sum()
        return values / (mass @ values), mass

    def at(self, d: int) -> FloatArray:
        values = np.arange(1, d + 1, dtype=np.float64) ** (-float(self.exponent))
        return values / values.mean()

    def __str__(self) -> str:
        return f"power-law:{exact(self.exponent)}"


@dataclass(frozen=True)
class TwoLevel:
    """A `fraction` of eigenvalues equal to `high`, the others to `low`."""

    high: float
    low: float
    fraction: float

    def __post_init__(self) -> None:
        _bounded("high", number("high", self.high, nonnegative=True))
        _bounded("low", number("low", self.low, nonnegative=True))
        if not 0 < number("fraction", self.fraction) < 1:
            raise fail("fraction", "strictly between 0 and 1", self.fraction)
        if max(self.high, self.low) <= 0:
            raise fail("high", "positive when low is 0", self.high)

    def limit(self) -> tuple[FloatArray, FloatArray]:
        return np.array([self.high, self.low], dtype=np.float64), np.array([self.fraction, 1 - self.fraction])

    def at(self, d: int) -> FloatArray:
        count = round(self.fraction * d)
        return np.concatenate([np.full(count, float(self.high)), np.full(d - count, float(self.low))])

    def __str__(self) -> str:
        return f"two-level:{exact(self.high)}:{exact(self.low)}:{exact(self.fraction)}"


@dataclass(frozen=True)
class MarchenkoPastur:
    """Spectrum of a sample covariance X'X/N of isotropic data, `ratio` = d/N; mean 1, an atom 1 - 1/ratio at 0 if ratio > 1.

    Quadrature: w = 1 + r + 2 sqrt(r) cos(theta), mass 2 r sin^2(theta)/(N r w) at the midpoints theta of N cells, exact to
    about 1e-8 at N = 2000.
    """

    ratio: float
    cells: int = 2000

    def __post_init__(self) -> None:
        _bounded("ratio", number("ratio", self.ratio, positive=True))
        object.__setattr__(self, "cells", integer("cells", self.cells, minimum=2))
        require_memory(10 * FLOAT * self.cells, "cells", self.cells, "the cells of the quadrature")

    def limit(self) -> tuple[FloatArray, FloatArray]:
        theta = np.pi * (np.arange(self.cells) + 0.5) / self.cells
        values = 1 + self.ratio + 2 * np.sqrt(self.ratio) * np.cos(theta)
        mass = 2 * np.sin(theta) ** 2 / (self.cells * values)
        total = min(1.0, 1 / self.ratio)  # exact mass of the continuous part
        mass *= total / mass.sum()
        if self.ratio > 1:
            values, mass = np.append(values, 0.0), np.append(mass, 1 - 1 / self.ratio)
        return values, mass

    def at(self, d: int) -> FloatArray:
        values, mass = self.limit()
        zeros = round(d * max(1 - 1 / self.ratio, 0.0))
        if zeros == d:  # fewer than half a row
            return np.zeros(d)
        positive = values > 0
        values, mass = values[positive], mass[positive] / mass[positive].sum()
        cumulative = np.cumsum(mass) - 0.5 * mass  # values fall along the grid of angles
        middle = (np.arange(d - zeros) + 0.5) / (d - zeros)
        out = np.concatenate([np.interp(middle, cumulative, values), np.zeros(zeros)])
        return out / out.mean()

    def __str__(self) -> str:
        return f"marchenko-pastur:{exact(self.ratio)}" + (f":{self.cells}" if self.cells != 2000 else "")


class Eigenvalues:
    """An explicit list of eigenvalues, each of mass 1/p. A simulation of another size takes its quantiles."""

    def __init__(self, values: ArrayLike) -> None:
        checked = array("spectrum", values, ndim=1, meaning="It lists the eigenvalues of the input covariance.")
        if np.any(checked < 0):
            raise fail("spectrum", "non-negative", float(checked.min()), "It lists the eigenvalues of the input covariance.")
        _bounded("spectrum", float(checked.max()))
        if not np.any(checked > 0):
            raise fail("spectrum", "positive somewhere", 0.0, "It lists the eigenvalues of the input covariance.")
        self.values: FloatArray = np.sort(checked)[::-1]

    def limit(self) -> tuple[FloatArray, FloatArray]:
        values, counts = np.unique(self.values, return_counts=True)
        return values[::-1].copy(), counts[::-1] / self.values.size

    def at(self, d: int) -> FloatArray:
        index = ((np.arange(d) + 0.5) * self.values.size / d).astype(int)
        return self.values[index]

    def __str__(self) -> str:
        return ",".join(f"{v!r}" for v in self.values.tolist())


_FORMS = {
    "identity": (Identity, "identity[:SCALE]", (0, 1)),
    "power-law": (PowerLaw, "power-law:EXPONENT", (1,)),
    "two-level": (TwoLevel, "two-level:HIGH:LOW:FRACTION", (3,)),
    "marchenko-pastur": (MarchenkoPastur, "marchenko-pastur:RATIO[:CELLS]", (1, 2)),
}


def names() -> tuple[str, ...]:
    """The forms that `get` reads."""
    return (*(form for _, form, _ in _FORMS.values()), "V1,V2,...")


def get(spectrum: Any) -> Spectrum:
    """Turn a text such as "power-law:0.8", an array of eigenvalues or a `Spectrum` into a `Spectrum`."""
    if isinstance(spectrum, str):
        return _parse(spectrum)
    if isinstance(spectrum, Spectrum):
        return spectrum
    return Eigenvalues(spectrum)


def _parse(text: str) -> Spectrum:
    name, *rest = text.strip().lower().replace("_", "-").split(":")
    if name in _FORMS:
        build, form, counts = _FORMS[name]
        try:
            numbers = [float(part) for part in rest]
        except ValueError:
            numbers = []
        if len(numbers) != len(rest) or len(rest) not in counts:
            raise fail("spectrum", f"of the form {form}", text)
        return build(*numbers)
    if not rest:
        try:
            return Eigenvalues([float(part) for part in text.split(",")])
        except ArgumentError:
            raise
        except ValueError:
            pass
    hint = did_you_mean(name, tuple(_FORMS))
    raise ArgumentError(f"Argument `spectrum` must be one of {', '.join(names())}, but spectrum={text!r}.{hint}")
