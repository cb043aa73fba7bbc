"""Penalties r(w) of empirical risk minimisation, sum_i loss + lam r(w), and their scalar Gaussian averages."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg

from gaussequiv._text import exact
from gaussequiv.errors import ArgumentError, FloatArray, array, did_you_mean, fail, number
from gaussequiv.numerics.ranges import Range
from gaussequiv.numerics.soft_threshold import tail


class PenaltyAverages(NamedTuple):
    """E w^2, E dw/dh and P(w != 0) of the scalar problem with h ~ N(0, variance)."""

    second_moment: FloatArray
    response: FloatArray
    nonzero: FloatArray


Averages = PenaltyAverages  # its name of before


class Penalty:
    """What every penalty has: a name, a value and a description. Separable ones are l1 |w|_1 + l2/2 |w|^2.

    Attributes
    ----------
    is_quadratic : bool
        Whether r(w) = |L' w|^2/2, with L its `root`: lam -> 0+ then selects the solution of least |L' w|.
    ranges : mapping from name to Range
        Of the parameters that `tune` may search.
    """

    name: ClassVar[str]
    is_quadratic: ClassVar[bool] = False
    ranges: ClassVar[Mapping[str, Range]] = {}

    @property
    def root(self) -> FloatArray | None:
        """L of a quadratic form L L', a vector where it is diagonal; None for the identity, and for penalties of another kind."""
        return None

    @property
    def is_plain(self) -> bool:
        """Whether r(w) = |w|^2/2."""
        return self.is_quadratic and self.root is None

    @property
    def l1(self) -> float:
        """Factor of |w|_1."""
        return 0.0

    @property
    def text(self) -> str:
        """What `get` reads back; the digest in place of a matrix."""
        return ":".join([self.name, *(exact(value) for value in self.parameters.values())])

    @property
    def parameters(self) -> dict[str, float]:
        """Hyperparameters by name."""
        return {}

    def value(self, w: FloatArray) -> float:
        """r(w), without the factor lam."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """The description that saved results carry."""
        return {"name": self.name, **self.parameters}


class Separable(Penalty):
    r"""r(w) = l1 |w|_1 + (l2/2) |w|^2 with l1, l2 >= 0."""

    @property
    def l1(self) -> float:
        """Factor of |w|_1."""
        raise NotImplementedError

    @property
    def l2(self) -> float:
        """Factor of |w|^2/2."""
        return 1 - self.l1

    def value(self, w: FloatArray) -> float:
        return float(self.l1 * np.sum(np.abs(w)) + 0.5 * self.l2 * np.sum(w * w))

    def averages(self, variance: ArrayLike, Vhat: ArrayLike, lam: ArrayLike) -> PenaltyAverages:
        r"""Averages over h ~ N(0, variance) of w(h) = argmin_w lam r(w) + Vhat w^2/2 - h w, arrays broadcast.

        w = soft(h, lam l1)/(Vhat + lam l2); with t = lam l1/sqrt(variance) and phi, Q the normal density and tail,

            E w^2 = 2 variance ((1 + t^2) Q(t) - t phi(t))/(Vhat + lam l2)^2,   E dw/dh = 2 Q(t)/(Vhat + lam l2),   P(w != 0) = 2 Q(t).

        to full relative precision also in small tails. `soft_threshold` has the averages for targets of any law.

        Examples
        --------
        >>> round(float(L1().averages(1.0, 1.0, 1.0).nonzero), 6)
        0.317311
        """
        s2, scale = np.asarray(variance, dtype=np.float64), np.asarray(Vhat, dtype=np.float64) + np.asarray(lam) * self.l2
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(np.asarray(lam) * self.l1 == 0, 0.0, np.asarray(lam) * self.l1 / np.sqrt(s2))
        side = tail(t)
        return PenaltyAverages(2 * s2 * side.second / scale**2, 2 * side.above / scale, 2 * side.above)


@dataclass(frozen=True)
class L2(Separable):
    """r(w) = |w|^2/2, the ridge penalty.

    Examples
    --------
    >>> L2().value(np.array([3.0, 4.0]))
    12.5
    """

    name = "l2"
    is_quadratic = True

    @property
    def l1(self) -> float:
        return 0.0


@dataclass(frozen=True)
class L1(Separable):
    """r(w) = |w|_1 = sum_j |w_j|: lam is n times scikit-learn's ``Lasso(alpha)`` on X/sqrt(p) with the square loss.

    Examples
    --------
    >>> L1().value(np.array([3.0, -4.0]))
    7.0
    """

    name = "l1"

    @property
    def l1(self) -> float:
        return 1.0


@dataclass(frozen=True)
class ElasticNet(Separable):
    """r(w) = l1_ratio |w|_1 + (1 - l1_ratio)/2 |w|^2, scikit-learn's parametrisation; l1_ratio 0 is L2, 1 is L1.

    Examples
    --------
    >>> ElasticNet(0.5).value(np.array([2.0, -2.0]))
    4.0
    """

    l1_ratio: float = 0.5

    name = "elastic_net"
    ranges = {"l1_ratio": Range(0.0, 0.995)}  # beyond, the quadratic part no longer steadies the search

    def __post_init__(self) -> None:
        meaning = "It is the share of the L1 norm, between 0 and 1."
        value = number("l1_ratio", self.l1_ratio, nonnegative=True, meaning=meaning)
        if value > 1:
            raise fail("l1_ratio", "at most 1", self.l1_ratio, meaning)
        object.__setattr__(self, "l1_ratio", value)

    @property
    def l1(self) -> float:
        return self.l1_ratio

    @property
    def parameters(self) -> dict[str, float]:
        return {"l1_ratio": self.l1_ratio}


@dataclass(frozen=True, eq=False)
class Quadratic(Penalty):
    """r(w) = w' Gamma w/2 with Gamma a positive vector (diagonal) or a symmetric positive definite matrix.

    Parameters
    ----------
    form : array of shape (p,) or (p, p)

    Examples
    --------
    >>> Quadratic([1.0, 4.0]).value(np.array([1.0, 1.0]))
    2.5
    """

    form: Any

    name = "quadratic"
    is_quadratic = True

    def __post_init__(self) -> None:
        form = array("form", self.form, meaning="It is the quadratic form of the penalty, a diagonal or a matrix.").copy()
        if form.ndim == 1:
            if np.any(form <= 0):
                raise fail("form", "positive", float(np.min(form)))
            object.__setattr__(self, "_root", np.sqrt(form))
        elif form.ndim == 2 and form.shape[0] == form.shape[1]:
            gap = float(np.max(np.abs(form - form.T)))
            if gap > 1e-10 * float(np.max(np.abs(form))):
                raise ArgumentError(f"Argument `form` must be symmetric, but |form - form'| reaches {gap:.3g}.")
            form = 0.5 * (form + form.T)
            try:
                object.__setattr__(self, "_root", linalg.cholesky(form, lower=True))
            except linalg.LinAlgError:
                smallest = float(linalg.eigvalsh(form)[0])
                raise ArgumentError(f"Argument `form` must be positive definite, but its smallest eigenvalue is {smallest:.6g}.") from None
        else:
            raise fail("form", "an array of shape (p,) or (p, p)", form)
        form.flags.writeable = False
        object.__setattr__(self, "form", form)

    @property
    def root(self) -> FloatArray:
        """L with Gamma = L L': its square roots for a diagonal, its lower Cholesky factor for a matrix."""
        return self._root  # type: ignore[attr-defined]

    @property
    def digest(self) -> str:
        """A short name of the form."""
        return hashlib.sha256(np.ascontiguousarray(self.form).tobytes()).hexdigest()[:16]

    @property
    def text(self) -> str:
        return f"{self.name}:{self.digest}"

    def value(self, w: FloatArray) -> float:
        return float(0.5 * w @ (self.form * w if self.form.ndim == 1 else self.form @ w))

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "shape": list(self.form.shape), "digest": self.digest}


_BUILDERS: dict[str, Callable[[], Penalty]] = {"l2": L2, "l1": L1, "elastic_net": ElasticNet}


def names() -> tuple[str, ...]:
    """Names that `get` knows."""
    return (*_BUILDERS, "elastic_net:L1_RATIO")


def get(penalty: Any) -> Penalty:
    """Turn a name, None (L2) or a `Penalty` into a `Penalty`.

    Examples
    --------
    >>> get("elastic-net:0.2")
    ElasticNet(l1_ratio=0.2)
    """
    if isinstance(penalty, Penalty):
        return penalty
    if penalty is None:
        return L2()
    if not isinstance(penalty, str):
        raise fail("penalty", "a name or a Penalty: L2(), L1(), ElasticNet(l1_ratio), Quadratic(form)", penalty)
    head, _, tail = penalty.strip().lower().partition(":")
    key = head.strip().replace("-", "_").replace(" ", "_")
    if key in _BUILDERS and not tail:
        return _BUILDERS[key]()
    if key == "elastic_net":
        try:
            ratio = float(tail)
        except ValueError:
            raise fail("penalty", "elastic_net:L1_RATIO with a number", penalty) from None
        return ElasticNet(ratio)
    raise ArgumentError(
        f"Argument `penalty` must name a known penalty, but got {penalty!r}.{did_you_mean(key, tuple(_BUILDERS))} "
        f"Known: {', '.join(names())}."
    )
