"""Links: P(y = +1 | field) of binary labels, smoothed by a Gaussian law of the field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from scipy import special

from gaussequiv._jax import elementwise
from gaussequiv._text import exact
from gaussequiv.errors import ArgumentError, FloatArray, did_you_mean, fail, number

_SQRT_2PI = float(np.sqrt(2 * np.pi))


class Smoothed(NamedTuple):
    """P = E p(z), z ~ N(omega, V), and its first three derivatives in omega."""

    value: FloatArray
    first: FloatArray
    second: FloatArray
    third: FloatArray


class Link(Protocol):
    """P(y = +1 | z) as a function of the field z. User classes with these members work everywhere."""

    @property
    def symmetric(self) -> bool:
        """Whether p(-z) = 1 - p(z)."""
        ...

    def __call__(self, z: FloatArray) -> FloatArray:
        """p(z)."""
        ...

    def smoothed(self, omega: FloatArray, V: FloatArray) -> Smoothed:
        """Average over z ~ N(omega, V), with derivatives; arguments broadcast."""
        ...

    def width(self, V: FloatArray) -> FloatArray:
        """Scale of omega on which the smoothed link changes near 0."""
        ...


@dataclass(frozen=True)
class SignLink:
    """p(z) = 1 for z >= 0, else 0: smoothed, the normal distribution function of omega/sqrt(V)."""

    symmetric: bool = field(default=True, init=False)

    def __call__(self, z: FloatArray) -> FloatArray:
        return (np.asarray(z) >= 0).astype(float)

    def smoothed(self, omega: FloatArray, V: FloatArray) -> Smoothed:
        omega, scale = np.broadcast_arrays(np.asarray(omega, float), np.sqrt(V))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            t = np.where(omega == 0, 0.0, omega / scale)
        inside = (scale > 0) & (np.abs(t) < 40.0)  # beyond, and at V = 0, the density is zero
        u, inverse = np.where(inside, t, 0.0), 1 / np.where(inside, scale, 1.0)
        first = np.where(inside, np.exp(-0.5 * u * u) / _SQRT_2PI * inverse, 0.0)
        return Smoothed(special.ndtr(t), first, -u * first * inverse, (u * u - 1) * first * inverse**2)

    def width(self, V: FloatArray) -> FloatArray:
        return np.sqrt(V)

    def __str__(self) -> str:
        return "sign"


@dataclass(frozen=True)
class LogitLink:
    """p(z) = 1/(1 + exp(-z/scale)), smoothed by a trapezoidal rule that converges exponentially."""

    scale: float = 1.0
    symmetric: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        number("scale", self.scale, positive=True, meaning="P(y=+1|z) = 1/(1 + exp(-z/scale)).")

    def __call__(self, z: FloatArray) -> FloatArray:
        return special.expit(np.asarray(z) / self.scale)

    def smoothed(self, omega: FloatArray, V: FloatArray) -> Smoothed:
        omega, root = np.broadcast_arrays(np.asarray(omega, float) / self.scale, np.sqrt(V) / self.scale)
        # the logistic function is analytic in |Im z| < pi: error exp(-2 pi^2/(step root)); the normal weight asks for 0.75 on its own
        step = min(0.75, 0.55 / max(float(root.max(initial=0.0)), 1e-12))
        half = int(np.ceil(8.6 / step))
        eta = step * np.arange(-half, half + 1)
        weight = np.exp(-0.5 * eta * eta)
        weight /= weight.sum()
        sums = [np.zeros(omega.shape) for _ in range(4)]
        for node, mass in zip(eta, weight, strict=True):
            p = special.expit(omega + root * node)
            slope = p * (1 - p)
            sums[0] += mass * p
            sums[1] += mass * slope
            sums[2] += mass * slope * (1 - 2 * p)
            sums[3] += mass * slope * (1 - 6 * slope)
        s = self.scale
        return Smoothed(sums[0], sums[1] / s, sums[2] / s**2, sums[3] / s**3)

    def width(self, V: FloatArray) -> FloatArray:
        return np.sqrt(V + self.scale**2)

    def __str__(self) -> str:
        return "logit" if self.scale == 1 else f"logit:{exact(self.scale)}"


@dataclass(frozen=True)
class ConstantLink:
    """p(z) = `probability` whatever the field: random labels, which carry no information on the input."""

    probability: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < number("probability", self.probability) < 1:
            raise fail("probability", "strictly between 0 and 1", self.probability)

    @property
    def symmetric(self) -> bool:
        return self.probability == 0.5

    def __call__(self, z: FloatArray) -> FloatArray:
        return np.full(np.shape(z), self.probability)

    def smoothed(self, omega: FloatArray, V: FloatArray) -> Smoothed:
        shape = np.broadcast_shapes(np.shape(omega), np.shape(V))
        zero = np.zeros(shape)
        return Smoothed(np.full(shape, self.probability), zero, zero, zero)

    def width(self, V: FloatArray) -> FloatArray:
        return np.full(np.shape(V), np.inf)

    def __str__(self) -> str:
        return "random" if self.probability == 0.5 else f"random:{exact(self.probability)}"


class FunctionLink:
    """p(z) from a user's function of values in [0, 1], NumPy or JAX; derivatives of its average by Hermite weights.

    The average is a Gauss-Legendre rule on panels between the declared `kinks` (jumps included) and graded around 0; with field
    variances V below about 1e-4 the third derivative loses digits.
    """

    def __init__(self, probability: Callable[[Any], Any], *, kinks: tuple[float, ...] = (), name: str | None = None) -> None:
        self.function = probability
        module, qualname = getattr(probability, "__module__", ""), getattr(probability, "__qualname__", type(probability).__qualname__)
        self.name = name or f"{module}:{qualname}"
        self.kinks = tuple(float(k) for k in kinks)
        self._call = elementwise(probability, self.name)
        z = np.concatenate([np.linspace(-30, 30, 601), np.array([-1e3, 1e3])])
        values = self._call(z)
        if np.any(values < 0) or np.any(values > 1):
            worst = float(values[np.argmax(np.abs(values - 0.5))])
            raise fail("probability", "a function with values in [0, 1]", worst)
        self.symmetric = bool(np.allclose(self._call(-z) + values, 1, rtol=0, atol=1e-14))

    def __call__(self, z: FloatArray) -> FloatArray:
        return self._call(np.asarray(z, float))

    def smoothed(self, omega: FloatArray, V: FloatArray) -> Smoothed:
        from gaussequiv.numerics.panels import normal_panels

        omega, V = np.broadcast_arrays(np.asarray(omega, float), np.asarray(V, float))
        centre, root = omega.reshape(-1, 1), np.sqrt(V).reshape(-1, 1)
        out = [np.empty(centre.size) for _ in range(4)]
        for start in range(0, centre.size, 4096):
            part = slice(start, start + 4096)
            with np.errstate(divide="ignore", invalid="ignore"):
                breaks = (np.array(self.kinks or (0.0,)) - centre[part]) / root[part]
            breaks = np.nan_to_num(breaks, nan=0.0)
            nodes = normal_panels(breaks, 12)
            weighted = nodes.weights * self._call(centre[part] + root[part] * nodes.xi)
            r = root[part, 0]
            out[0][part] = weighted.sum(axis=1)
            out[1][part] = (weighted * nodes.xi).sum(axis=1) / r
            out[2][part] = (weighted * (nodes.xi**2 - 1)).sum(axis=1) / r**2
            out[3][part] = (weighted * (nodes.xi**3 - 3 * nodes.xi)).sum(axis=1) / r**3
        return Smoothed(*(values.reshape(omega.shape) for values in out))

    def width(self, V: FloatArray) -> FloatArray:
        return np.sqrt(V)

    def __str__(self) -> str:
        return self.name


FORMS = ("sign", "probit", "logit[:SCALE]", "random[:PROBABILITY]")


def get(link: Any) -> Link:
    """Turn a name, a function z -> P(y = +1 | z) or a `Link` into a `Link`.

    Examples
    --------
    >>> round(float(get("logit").smoothed(np.array(0.3), np.array(1.0)).value), 10)
    0.5617068035
    """
    if hasattr(link, "smoothed"):
        return link
    if callable(link):
        return FunctionLink(link)
    if isinstance(link, str):
        head, *rest = link.strip().lower().split(":")
        builders: dict[str, Callable[..., Link]] = {"sign": SignLink, "probit": SignLink, "logit": LogitLink, "random": ConstantLink}
        try:
            values = [float(part) for part in rest]
        except ValueError:
            values = [np.nan, np.nan]
        if head in builders and len(values) <= (0 if head in ("sign", "probit") else 1):
            return builders[head](*values)
        hint = did_you_mean(head, tuple(builders))
        raise ArgumentError(f"Argument `labels` must be one of {', '.join(FORMS)} or a channel, but labels={link!r}.{hint}")
    raise fail("labels", f"one of {', '.join(FORMS)}, a function z -> P(y=+1|z), or a channel", link)
