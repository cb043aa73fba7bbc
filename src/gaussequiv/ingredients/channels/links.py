"""Links: P(y = +1 | field) of binary labels, smoothed by a Gaussian law of the field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from gaussequiv._jax import elementwise
from gaussequiv._text import exact, name_of
from gaussequiv.errors import LARGEST_MOMENT, ArgumentError, FloatArray, did_you_mean, fail, number
from gaussequiv.ingredients.adopted import adopted, missing
from gaussequiv.numerics.heat import HeatTable
from gaussequiv.numerics.panels import REACH, normal_panels

_SQRT_2PI = float(np.sqrt(2 * np.pi))
_ORDER = 12  # Gauss-Legendre nodes on a panel of a user's link
_RESOLVED = 1e-12  # distance of a link from its interpolating polynomial on a panel
_PANELS = 400  # beyond, a link is not one that panels resolve
_REACHES = (512.0, 128.0, 32.0)  # fields up to which a link is resolved: the first at which that many panels are enough
_ANGLE = 1e-6  # the same for sqrt(p (1 - p)), which bends where p touches 0 or 1, and the information on the field with it
_SHORTEST = 4e-13  # of the field: a panel that is still unresolved holds a jump
_DENSITY = 32  # points per unit of the field at which a panel is checked
_JUMP = 1e-9
_BLOCK = 1024  # fields integrated at once: temporaries stay within a processor's cache
_FIELDS = 128  # the same of logit links, whose rules have more nodes
_ROW = 8  # fields of one variance from which a table is worth while
_WIDE = 4.0  # scales of the logistic function: a field's law of larger deviation is integrated over the logistic noise instead
_NOISE = 0.5 * np.arange(-80, 81)  # its distribution function is analytic in |Im t| < pi: the error is exp(-4 pi^2) = 7e-18
_NOISE_WEIGHT = 0.125 / np.cosh(0.5 * _NOISE) ** 2
_NOISE_WEIGHT /= _NOISE_WEIGHT.sum()

Integrands = tuple[FloatArray, FloatArray, FloatArray, FloatArray]


class Smoothed(NamedTuple):
    """P = E p(z), z ~ N(omega, V), and its first three derivatives in omega."""

    value: FloatArray
    first: FloatArray
    second: FloatArray
    third: FloatArray


class Link:
    """P(y = +1 | z) as a function of the field z: called on fields, with `smoothed` and `width`. The rest has defaults.

    Attributes
    ----------
    symmetric : bool
        Whether p(-z) = 1 - p(z).
    places : array
        Fields near which the average over a narrow law of the field varies on the scale of that law.
    panels : array
        Further places that panels in the field end at.
    named : bool
        Whether `get` makes the link from its text.
    """

    symmetric: bool = False
    places: FloatArray = np.zeros(1)
    panels: FloatArray = np.zeros(0)
    named: bool = False

    def __call__(self, z: FloatArray) -> FloatArray:
        """p(z)."""
        raise NotImplementedError

    def smoothed(self, omega: FloatArray, V: FloatArray) -> Smoothed:
        """Average over z ~ N(omega, V), with derivatives; arguments broadcast."""
        raise NotImplementedError

    def width(self, V: FloatArray) -> FloatArray:
        """Scale of omega on which the smoothed link changes near 0."""
        raise NotImplementedError

    @cached_property
    def direction(self) -> int:
        """+1 where p never falls with the field, -1 where it never rises, else 0; seen on a grid unless it is given."""
        steps = np.diff(self(np.linspace(-40.0, 40.0, 4001)))
        return int(not np.any(steps < -_RESOLVED)) or -int(not np.any(steps > _RESOLVED))


@dataclass(frozen=True)
class SignLink(Link):
    """p(z) = 1 for z >= 0, else 0: smoothed, the normal distribution function of omega/sqrt(V)."""

    symmetric: bool = field(default=True, init=False)

    named = True
    direction = 1

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
class LogitLink(Link):
    """p(z) = 1/(1 + exp(-z/scale)), smoothed by trapezoidal rules that converge exponentially.

    Where the field's law is wide on the scale, p is seen as a sign with noise of the logistic law, over which that rule then runs: the
    number of nodes is bounded, and for scale -> 0 the smoothed sign comes out.
    """

    scale: float = 1.0
    symmetric: bool = field(default=True, init=False)

    named = True

    def __post_init__(self) -> None:
        scale = number("scale", self.scale, positive=True, meaning="P(y=+1|z) = 1/(1 + exp(-z/scale)).")
        if scale > LARGEST_MOMENT:
            raise fail("scale", f"at most {LARGEST_MOMENT:g}", scale)

    def __call__(self, z: FloatArray) -> FloatArray:
        return special.expit(np.asarray(z) / self.scale)

    def smoothed(self, omega: FloatArray, V: FloatArray) -> Smoothed:
        omega, root = np.broadcast_arrays(np.asarray(omega, float), np.sqrt(V))
        wide = root > _WIDE * self.scale
        if not np.any(wide):
            return self._narrow(omega, root)
        if np.all(wide):
            return self._wide(omega, root)
        out = [np.empty(omega.shape) for _ in range(4)]
        for rows, rule in ((wide, self._wide), (~wide, self._narrow)):
            for whole, part in zip(out, rule(omega[rows], root[rows]), strict=True):
                whole[rows] = part
        return Smoothed(*out)

    def _wide(self, omega: FloatArray, root: FloatArray) -> Smoothed:
        """E over logistic noise t of the normal distribution function of (omega - scale t)/root."""
        ratio = self.scale / root

        def integrands(u: FloatArray, ratio: FloatArray) -> Integrands:
            t = u - ratio * _NOISE
            density = np.exp(-0.5 * t * t)
            return special.ndtr(t), density, -density * t, density * (t * t - 1)

        value, *derivatives = _node_sums(integrands, _NOISE_WEIGHT, omega / root, ratio)
        return Smoothed(value, *(part / (_SQRT_2PI * root**k) for k, part in enumerate(derivatives, 1)))

    def _narrow(self, omega: FloatArray, root: FloatArray) -> Smoothed:
        """E over the normal law."""
        omega, root = omega / self.scale, root / self.scale
        # the logistic function is analytic in |Im z| < pi: error exp(-2 pi^2/(step root)); the normal weight asks for 0.75 on its own
        step = min(0.75, 0.55 / max(float(root.max(initial=0.0)), 1e-12))
        half = int(np.ceil(8.6 / step))
        eta = step * np.arange(-half, half + 1)
        weight = np.exp(-0.5 * eta * eta)
        weight /= weight.sum()

        def integrands(centre: FloatArray, root: FloatArray) -> Integrands:
            p = special.expit(centre + root * eta)
            slope = p * (1 - p)
            return p, slope, slope * (1 - 2 * p), slope * (1 - 6 * slope)

        sums = _node_sums(integrands, weight, omega, root)
        s = self.scale
        return Smoothed(sums[0], sums[1] / s, sums[2] / s**2, sums[3] / s**3)

    def width(self, V: FloatArray) -> FloatArray:
        return np.sqrt(V + self.scale**2)

    def __str__(self) -> str:
        return "logit" if self.scale == 1 else f"logit:{exact(self.scale)}"


@dataclass(frozen=True)
class ConstantLink(Link):
    """p(z) = `probability` whatever the field: random labels, which carry no information on the input."""

    probability: float = 0.5
    symmetric: bool = field(default=True, init=False, repr=False, compare=False)

    named = True

    def __post_init__(self) -> None:
        if not 0 < number("probability", self.probability) < 1:
            raise fail("probability", "strictly between 0 and 1", self.probability)
        object.__setattr__(self, "symmetric", self.probability == 0.5)

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


class FunctionLink(Link):
    """p(z) from a user's function of values in [0, 1], NumPy or JAX; derivatives of its average by Hermite weights.

    The average is a Gauss-Legendre rule on panels, found once, on each of which a polynomial of degree 11 is within 1e-12 of the link, for
    fields up to 512 in size (32 at least, where a link varies all along). They are graded around steep places and end at jumps; a function
    that needs more than 400 is refused. Declared `kinks` (jumps included) save panels. With field variances V below about 1e-4 the third
    derivative loses digits; at V = 0 the derivatives are not finite.

    Attributes
    ----------
    panels : array
        Where the panels end, in the field.
    places : array
        Jumps, kinks, steepest points and extrema: near them an average over a narrow law of the field varies on the scale of that law.
    direction : int
        +1 where p never falls with the field, -1 where it never rises, else 0.
    """

    direction: int

    def __init__(self, probability: Callable[[Any], Any], *, kinks: tuple[float, ...] = (), name: str | None = None) -> None:
        self.function = probability
        self.name = name or name_of(probability)
        self.kinks = tuple(float(k) for k in kinks)
        self._call = elementwise(probability, self.name)
        z = np.concatenate([np.linspace(-30, 30, 601), np.array([-1e3, 1e3])])
        values = self._call(z)
        if np.any(values < 0) or np.any(values > 1):
            worst = float(values[np.argmax(np.abs(values - 0.5))])
            meaning = "It is P(y = +1 | field) of binary labels; labels y = f(field) are Output(f)."
            raise fail("probability", "a function with values in [0, 1]", worst, meaning)
        self.symmetric = bool(np.allclose(self._call(-z) + values, 1, rtol=0, atol=1e-14))
        self.panels, self.places, self.direction = _resolved(self._call, self.kinks, self.name)
        self._table = HeatTable(self._grid)

    def __call__(self, z: FloatArray) -> FloatArray:
        return self._call(np.asarray(z, float))

    def smoothed(self, omega: FloatArray, V: FloatArray) -> Smoothed:
        omega, V = np.asarray(omega, float), np.asarray(V, float)
        shape = np.broadcast_shapes(omega.shape, V.shape)
        shared = V.ndim == 0 or V.shape[-1] == 1  # along the last axis
        width = shape[-1] if shape and shared else 1
        rows = np.broadcast_to(omega, shape).reshape(-1, width)
        variance = np.broadcast_to(V, (*shape[:-1], 1) if shape and shared else shape).ravel()
        out = np.empty((4, *rows.shape))
        tabulated = self._table.reaches(rows, variance) if width >= _ROW else np.zeros(variance.shape, dtype=bool)
        if tabulated.any():
            out[:, tabulated] = self._table.derivatives(rows[tabulated], variance[tabulated])
        if not tabulated.all():
            rest = np.repeat(variance[~tabulated], width)
            out[:, ~tabulated] = self._integrated(rows[~tabulated].ravel(), rest).reshape(4, -1, width)
        np.clip(out[0], 0.0, 1.0, out=out[0])  # not beyond by rounding: 1 - P has a logarithm
        return Smoothed(*out.reshape(4, *shape))

    def _integrated(self, omega: FloatArray, V: FloatArray, derivatives: int = 3) -> FloatArray:
        """The average and its derivatives at every omega, on the link's panels."""
        root = np.sqrt(V).reshape(-1, 1)
        centre = omega.reshape(-1, 1)
        out = np.empty((1 + derivatives, centre.size))
        for start in range(0, centre.size, _BLOCK):
            part = slice(start, start + _BLOCK)
            with np.errstate(divide="ignore", invalid="ignore"):
                breaks = (self.panels - centre[part]) / root[part]
            inside = np.abs(breaks) < REACH  # at V = 0 none is
            breaks = np.sort(np.where(inside, breaks, REACH), axis=1)[:, : int(inside.sum(axis=1).max(initial=0))]
            nodes = normal_panels(breaks, _ORDER)
            xi = nodes.xi
            weighted = nodes.weights * self._call(centre[part] + root[part] * xi)
            with np.errstate(divide="ignore", invalid="ignore"):
                for k, hermite in enumerate((1.0, xi, xi * xi - 1, xi * (xi * xi - 3))[: 1 + derivatives]):
                    out[k, part] = (weighted * hermite).sum(axis=1) / root[part, 0] ** k
        return out

    def _grid(self, omega: FloatArray, V: float) -> FloatArray:
        """The average alone, for the table."""
        return self._integrated(omega, np.full_like(omega, V), 0)[0]

    def width(self, V: FloatArray) -> FloatArray:
        return np.sqrt(V)

    def __str__(self) -> str:
        return self.name


def _node_sums(
    integrands: Callable[[FloatArray, FloatArray], Integrands], weights: FloatArray, centre: FloatArray, root: FloatArray
) -> list[FloatArray]:
    """Sums over the nodes of a rule of four integrands at every law of the field, (centre, root), as matrix products."""
    columns = centre.reshape(-1, 1), root.reshape(-1, 1)
    sums = np.empty((4, centre.size))
    for start in range(0, centre.size, _FIELDS):
        part = slice(start, start + _FIELDS)
        for total, values in zip(sums, integrands(*(column[part] for column in columns)), strict=True):
            total[part] = values @ weights
    return list(sums.reshape(4, *centre.shape))


class _Panel(NamedTuple):
    """Where it lies, the points at which the link was looked at, and its Legendre series there."""

    low: float
    high: float
    z: FloatArray
    p: FloatArray
    series: FloatArray


def _resolved(call: Callable[[FloatArray], FloatArray], kinks: tuple[float, ...], name: str) -> tuple[FloatArray, FloatArray, int]:
    """Panel ends that resolve a link, the places where it jumps or is steepest, and its direction."""
    panels: list[_Panel] = []
    for reach in _REACHES:
        powers = 2.0 ** np.arange(np.log2(reach) + 1)
        ends = np.unique(np.concatenate([-powers, [0.0], powers, np.clip(kinks, -reach, reach)]))
        panels, jumps = _halved(call, ends)
        if panels and jumps:  # again, between the jumps
            panels, _ = _halved(call, np.union1d(ends, jumps))
        if panels:
            break
    else:
        meaning = "It is P(y = +1 | field). Declare the kinks of `FunctionLink` if it has many; a noisy function cannot be resolved."
        raise fail("labels", f"a link that {_PANELS} panels of quadrature resolve for fields up to {_REACHES[-1]:g}", name, meaning)
    z, p = (np.concatenate(values) for values in zip(*((panel.z, panel.p) for panel in panels), strict=True))
    steps = np.where(np.abs(np.diff(p)) > _RESOLVED, np.sign(np.diff(p)), 0.0)
    moves = np.flatnonzero(steps)
    turns = [0.5 * float(z[i + 1] + z[j]) for i, j in pairwise(moves.tolist()) if steps[i] != steps[j]]
    resolving: list[float] = []
    places = [*kinks, *turns]
    for left, right in pairwise(panels):
        k = np.arange(_ORDER)
        step = right.series @ (-1.0) ** k - left.series.sum()
        slopes = (
            left.series @ (k * (k + 1)) / (left.high - left.low),
            -right.series @ ((-1.0) ** k * k * (k + 1)) / (right.high - right.low),
        )
        if abs(step) > _JUMP or abs(slopes[1] - slopes[0]) > max(1e-4, 0.01 * max(np.abs(slopes))):
            places.append(left.high)
        if max(np.ptp(left.p), np.ptp(right.p), abs(step)) > _RESOLVED or left.high in kinks:  # else the link is constant around it
            resolving.append(left.high)
    width = np.array([panel.high - panel.low for panel in panels])
    cuts = np.flatnonzero(~np.isclose(width[1:], width[:-1], rtol=1e-6)) + 1
    for i, j in pairwise([0, *cuts.tolist(), width.size]):  # panels of one width, narrower than those beside them
        if i > 0 and j < width.size and width[i - 1] > width[i] < width[j]:
            z, p = (np.concatenate(values) for values in zip(*((panel.z, panel.p) for panel in panels[i:j]), strict=True))
            slope = np.abs(np.diff(np.arcsin(np.sqrt(p))) / np.diff(z))  # squared, four times the information of a label on the field
            if np.ptp(p) > _RESOLVED and all(abs(z[np.argmax(slope)] - place) > width[i] for place in places):
                places.append(float(z[np.argmax(slope)]))
    return np.array(resolving), np.unique(places) if places else np.zeros(1), 0 if turns else int(steps.sum() >= 0) or -1


def _halved(call: Callable[[FloatArray], FloatArray], ends: FloatArray) -> tuple[list[_Panel], list[float]]:
    """Panels between `ends`, halved until a polynomial resolves the link, none if they are too many; where the shortest still do not."""
    x, _ = np.polynomial.legendre.leggauss(_ORDER)
    to_series = np.linalg.inv(np.polynomial.legendre.legvander(x, _ORDER - 1))
    pending, done, jumps = list(pairwise(ends.tolist())), list[_Panel](), list[float]()
    while pending:
        if len(pending) + len(done) > _PANELS:
            return [], []
        units = [np.append(x, np.linspace(-1, 1, int(np.clip(_DENSITY * (b - a), 24, 2048)))[1:-1]) for a, b in pending]
        points = np.concatenate([0.5 * (a + b) + 0.5 * (b - a) * u for (a, b), u in zip(pending, units, strict=True)])
        size = 1 << (points.size - 1).bit_length()  # few shapes: JAX compiles for each
        with np.errstate(over="ignore"):
            values = call(np.append(points, np.full(size - points.size, points[-1])))
        start, halves = 0, []
        for (a, b), u in zip(pending, units, strict=True):
            z, p = (whole[start : start + u.size] for whole in (points, values))
            start += u.size
            both = np.stack([p, np.sqrt(p * (1 - p))], axis=1)
            series = to_series @ both[:_ORDER]
            error = np.abs(np.polynomial.legendre.legval(u[_ORDER:], series).T - both[_ORDER:]).max(axis=0) @ [1.0, _RESOLVED / _ANGLE]
            short = b - a <= _SHORTEST * max(1.0, abs(a))
            if short and not error <= _RESOLVED:
                jumps.append(0.5 * (a + b))
            if short or error <= _RESOLVED:
                order = np.argsort(z)
                done.append(_Panel(a, b, z[order], p[order], series[:, 0]))
            else:
                halves += [(a, 0.5 * (a + b)), (0.5 * (a + b), b)]
        pending = halves
    return sorted(done, key=lambda panel: panel.low), jumps


def direction(link: Link) -> int:
    """+1 where P(+1 | field) never falls with the field, -1 where it never rises, else 0."""
    return link.direction


FORMS = ("sign", "probit", "logit[:SCALE]", "random[:PROBABILITY]")


def get(link: Any) -> Link:
    """Turn a name, a function z -> P(y = +1 | z) or a `Link` into a `Link`.

    Examples
    --------
    >>> round(float(get("logit").smoothed(np.array(0.3), np.array(1.0)).value), 10)
    0.5617068035
    """
    if isinstance(link, Link):
        return link
    if callable(link) and not missing(link, ("smoothed",)):
        return adopted(link, Link, ("smoothed", "width"), "labels")
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
        real = "abs, relu, quantised:T1/T2/..., poisson[:SCALE]"
        raise ArgumentError(f"Argument `labels` must be one of {', '.join(FORMS)}, {real}, or a channel, but labels={link!r}.{hint}")
    raise fail("labels", f"one of {', '.join(FORMS)}, a function z -> P(y=+1|z), or a channel", link)
