"""Binary label channels: any link, Gaussian noise inside, labels flipped afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy import special
from scipy.optimize import elementwise

from gaussequiv.errors import FloatArray, fail, number
from gaussequiv.ingredients.channels import links
from gaussequiv.ingredients.channels.base import BinaryLabel, Field
from gaussequiv.ingredients.channels.links import Smoothed
from gaussequiv.numerics.orthant import sign_disagreement
from gaussequiv.numerics.panels import ORDER, normal_panels, sign_changes

EDGES = np.array([-40.0, -15.0, -6.0, -2.5, 0.0, 2.5, 6.0, 15.0, 40.0])  # in widths of the link
AGREE = 1e-8  # of two orders of quadrature, for a user's link


@dataclass(frozen=True)
class Binary(BinaryLabel):
    r"""Labels -1 and +1 of any link p, with Gaussian noise inside and flips f of +1, f' of -1 labels afterwards.

        P(y = +1) = f' + (1 - f - f') E_z p(field + sqrt(noise) z),   z standard normal

    Parameters
    ----------
    link : str, callable or Link
        "sign", "logit[:SCALE]", "random[:PROBABILITY]", or a function z -> P(y = +1 | z).
    noise : float
        Variance of Gaussian noise inside the link: the sign with noise is the probit channel.
    flips : float or (float, float)
        Probability that a label is flipped after it was drawn: one for both, or of +1 and of -1 labels.

    Attributes
    ----------
    direction : int
        +1 where P(+1 | field) never falls with the field, so that the likelier label is the sign of a field less a threshold; -1 where it
        never rises; else 0.
    symmetric : bool
        P(+1 | field) = P(-1 | -field).

    Examples
    --------
    >>> import numpy as np
    >>> Binary("sign", flips=0.1).up(np.array(1.0), np.array(1.0)).value.round(6)
    np.float64(0.773076)
    """

    link: Any = "sign"
    noise: float = 0.0
    flips: Any = 0.0
    task: str = field(default="classification", init=False)
    direction: int = field(default=1, init=False, repr=False, compare=False)
    symmetric: bool = field(default=True, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "link", links.get(self.link))
        number("noise", self.noise, nonnegative=True, meaning="It is the variance of the noise inside the link.")
        pair = (self.flips, self.flips) if np.ndim(self.flips) == 0 else tuple(self.flips)
        if len(pair) != 2:
            raise fail("flips", "one probability, or two: of +1 and of -1 labels", self.flips)
        pair = tuple(number("flips", p, nonnegative=True, meaning="It is the probability that a label is flipped.") for p in pair)
        if sum(pair) > 1:
            raise fail("flips", "at most 1 in sum over the two labels", self.flips)
        object.__setattr__(self, "flips", pair)
        object.__setattr__(self, "direction", int(self.link.direction))
        object.__setattr__(self, "symmetric", bool(self.link.symmetric and pair[0] == pair[1]))
        if not self.link.named:
            self._check_resolution()

    def with_noise(self, noise: float) -> Binary:
        """The same law with another noise inside."""
        return replace(self, noise=noise)

    def _check_resolution(self) -> None:
        """The Fisher information of a user's link by two orders of quadrature."""
        q, V = np.array([0.9, 0.9995]), np.array([0.1, 0.0005])
        rule, finer = (self._information(q, V, 0.0, order) for order in (ORDER, ORDER + 8))
        if not np.all(np.abs(rule - finer) <= AGREE * np.maximum(finer, 1.0)):
            meaning = "It is P(y = +1 | field). Declare the kinks of a `FunctionLink`, or give a `Link` the attributes panels and places."
            raise fail("labels", "a link that quadrature resolves", str(self.link), meaning)

    def probability(self, y: FloatArray | float, omega: FloatArray, V: FloatArray | float) -> Smoothed:
        """P(y) for field ~ N(omega, V), with three derivatives in omega."""
        sign = np.where(np.asarray(y) > 0, 1.0, -1.0)
        lowest = np.where(np.asarray(y) > 0, self.flips[1], self.flips[0])
        keep, total = 1 - self.flips[0] - self.flips[1], np.asarray(V) + self.noise
        if self.link.symmetric:  # P(-1) at omega is P(+1) at -omega: no 1 - P that loses its digits
            p: Smoothed = self.link.smoothed(sign * omega, total)
            return Smoothed(lowest + keep * np.minimum(p.value, 1.0), keep * sign * p.first, keep * p.second, keep * sign * p.third)
        up, down = self.both(omega, V)
        return Smoothed(*(np.where(sign > 0, a, b) for a, b in zip(up, down, strict=True)))

    def both(self, omega: FloatArray, V: FloatArray | float) -> tuple[Smoothed, Smoothed]:
        """P(+1) and P(-1), of a link without symmetry from one average of it."""
        if self.link.symmetric:
            return self.up(omega, V), self.down(omega, V)
        low, high = self.flips
        keep = 1 - low - high
        p: Smoothed = self.link.smoothed(omega, np.asarray(V) + self.noise)
        value = np.minimum(p.value, 1.0)  # sums of weights exceed 1 by rounding
        slopes = keep * p.first, keep * p.second, keep * p.third
        return Smoothed(high + keep * value, *slopes), Smoothed(low + keep * (1 - value), *(-slope for slope in slopes))

    @property
    def mirrored(self) -> bool:  # type: ignore[override]
        """Whether the panel ends in omega lie symmetrically about 0."""
        return bool(self.link.panels.size == 0 and np.all(self.link.places == 0))

    def edges(self, V: FloatArray) -> FloatArray:
        """Panel ends in omega that resolve P(y | omega), shape V.shape + (edges,)."""
        width = self.link.width(np.asarray(V) + self.noise)[..., None]
        with np.errstate(invalid="ignore"):
            around = np.where(np.isfinite(width), width * EDGES, 0.0)
        places, panels = self.link.places, self.link.panels
        if self.mirrored:
            return around
        near = (around[..., None, :] + places[:, None]).reshape(*around.shape[:-1], -1)
        return np.concatenate([near, np.broadcast_to(panels, (*near.shape[:-1], panels.size))], axis=-1)

    def sample(self, rng: np.random.Generator, field: FloatArray) -> FloatArray:
        """Draw labels -1 and +1."""
        z = field + np.sqrt(self.noise) * rng.standard_normal(field.shape)
        label = np.where(rng.random(field.shape) < self.link(z), 1.0, -1.0)
        flip = np.where(label > 0, *self.flips)
        return np.where(rng.random(field.shape) < flip, -label, label)

    def log_partition(self, y: FloatArray, omega: FloatArray, V: FloatArray | float) -> FloatArray:
        """log P(y) for field ~ N(omega, V)."""
        with np.errstate(divide="ignore"):
            return np.log(self.probability(y, omega, V).value)

    def g_out(self, y: FloatArray, omega: FloatArray, V: FloatArray | float) -> tuple[FloatArray, FloatArray]:
        """d log P(y)/d omega and its derivative."""
        p = self.probability(y, omega, V)
        value = np.maximum(p.value, 1e-300)
        g = p.first / value
        return g, p.second / value - g**2

    def fisher(self, q: FloatArray, V: FloatArray, offset: FloatArray | float) -> FloatArray:
        """E over omega ~ N(offset, q) of P'(omega)^2/(P (1 - P)), P smoothed by V."""
        return self._information(q, V, offset, ORDER)

    def _information(self, q: FloatArray, V: FloatArray, offset: FloatArray | float, order: int) -> FloatArray:
        q, V, offset = np.broadcast_arrays(np.asarray(q, float), np.asarray(V, float), np.asarray(offset, float))
        root = np.sqrt(q.reshape(-1, 1))
        with np.errstate(divide="ignore", invalid="ignore"):
            breaks = np.nan_to_num((self.edges(V.ravel()) - offset.reshape(-1, 1)) / root, nan=0.0)
        nodes = normal_panels(breaks, order)
        up = self.up(offset.reshape(-1, 1) + root * nodes.xi, V.reshape(-1, 1))
        both = up.value * (1 - up.value)
        information = np.divide(up.first**2, both, out=np.zeros_like(both), where=both > 1e-13)  # below, it vanishes with P
        return (nodes.weights * information).sum(axis=1).reshape(q.shape)

    def psi(self, q: FloatArray | float, V: FloatArray | float, offset: FloatArray | float = 0.0) -> FloatArray:
        """E over omega ~ N(offset, q) of P log P + (1 - P) log(1 - P), P = P(+1) smoothed by V: minus the entropy of a label, nats."""
        q, V, offset = np.broadcast_arrays(np.asarray(q, float), np.asarray(V, float), np.asarray(offset, float))
        root, centre = np.sqrt(q.reshape(-1, 1)), offset.reshape(-1, 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            breaks = np.nan_to_num((self.edges(V.ravel()) - centre) / root, nan=0.0)
        nodes = normal_panels(breaks)
        omega, rest = centre + root * nodes.xi, V.reshape(-1, 1)
        up, down = self._plain(omega, rest)
        return -(nodes.weights * (special.entr(up) + special.entr(down))).sum(axis=1).reshape(q.shape)

    def _plain(self, omega: FloatArray, V: FloatArray) -> tuple[FloatArray, FloatArray]:
        """P(+1) and P(-1) alone: where nothing smooths the link (V + noise = 0) its derivatives need not exist."""
        random = V + self.noise > 0
        up, down = (p.value for p in self.both(omega, np.where(random, V, 1.0)))
        if np.all(random):
            return up, down
        plain, (low, high) = self.link(omega), self.flips
        keep = 1 - low - high
        return np.where(random, up, high + keep * plain), np.where(random, down, low + keep * (1 - plain))

    def disagreement(self, c: FloatArray, q: FloatArray, m: FloatArray, b0: FloatArray, rho: FloatArray) -> FloatArray:
        """P(y != sign(z)) for a student score z ~ N(c, q) of covariance m with the field ~ N(b0, rho)."""
        if isinstance(self.link, links.SignLink):
            plain = sign_error(c, q, m, b0, rho + self.noise)
            if self.flips[0] == self.flips[1]:
                return self.flips[0] + (1 - 2 * self.flips[0]) * plain
        c, q, m, b0, rho = np.broadcast_arrays(*(np.asarray(a, float) for a in (c, q, m, b0, rho)))
        C, Q, M, B, rest = (a.reshape(-1, 1) for a in (c, q, m, b0, rho - np.where(q > 0, m**2 / np.where(q > 0, q, 1.0), 0.0)))
        rest = np.maximum(rest, 0.0)
        root = np.sqrt(Q)
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where(Q > 0, M / root, 0.0)
            centres = np.concatenate([-C / root, (self.edges(rest[:, 0]) - B) / slope], axis=1)
        nodes = normal_panels(np.nan_to_num(centres, nan=0.0))
        up = self.up(B + slope * nodes.xi, rest).value
        wrong = np.where(C + root * nodes.xi >= 0, 1 - up, up)
        return (nodes.weights * wrong).sum(axis=1).reshape(c.shape)

    def threshold(self, V: FloatArray) -> FloatArray:
        """omega at which both labels are equally likely, shape of V; infinite where one label always wins.

        Links that fall somewhere have no threshold above which +1 is the likelier label: 0 for them, and `likelier` says the label.
        """
        V = np.asarray(V, float)
        if self.symmetric or self.direction != 1:
            return np.zeros_like(V)
        reach = 60 * np.where(np.isfinite(self.link.width(V + self.noise)), self.link.width(V + self.noise), 1.0)
        reach = reach + np.abs(self.link.panels).max(initial=0.0)

        def gap(omega: FloatArray, v: FloatArray) -> FloatArray:
            return self.up(omega, v).value - 0.5

        always = np.where(gap(-reach, V) >= 0, -np.inf, np.inf)
        crosses = (gap(-reach, V) < 0) & (gap(reach, V) > 0)
        out = np.array(always)
        if np.any(crosses):
            found = elementwise.find_root(gap, (-reach[crosses], reach[crosses]), args=(V[crosses],))
            out[crosses] = found.x
        return out

    def likelier(self, omega: FloatArray, V: FloatArray | float) -> FloatArray:
        """The likelier label for field ~ N(omega, V), +1 where both are equally likely; arguments broadcast."""
        omega, V = np.broadcast_arrays(np.asarray(omega, float), np.asarray(V, float))
        return np.where(self._plain(omega, V)[0] >= 0.5, 1.0, -1.0)

    def bayes_error(self, linear: Field, rest: Field, b0: Field) -> FloatArray:
        """Least misclassification given the linear part (variance `linear`) of a field whose other part has variance `rest`."""
        linear, rest, b0 = np.broadcast_arrays(*(np.asarray(a, float) for a in (linear, rest, b0)))
        root, centre, V = np.sqrt(linear.reshape(-1, 1)), b0.reshape(-1, 1), rest.reshape(-1, 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            breaks = np.nan_to_num((self.edges(V[:, 0]) - centre) / root, nan=0.0)
        for refinement in range(3):  # after the first with panels that end where both labels are equally likely
            nodes = normal_panels(breaks)
            up = self.up(centre + root * nodes.xi, V).value
            if refinement == 2:
                break
            changes = (np.diff(np.sign(up - 0.5), axis=1) != 0).sum(axis=1).max(initial=0)
            breaks = np.concatenate([breaks, sign_changes(nodes.xi, up - 0.5, max(int(changes), 3))], axis=1)
        return (nodes.weights * np.minimum(up, 1 - up)).sum(axis=1).reshape(b0.shape)

    def __str__(self) -> str:
        return str(self.link)


def sign_error(c: FloatArray, q: FloatArray, m: FloatArray, b0: FloatArray, rho: FloatArray | float) -> FloatArray:
    """P(sign(z) != sign(field)) for z ~ N(c, q) and field ~ N(b0, rho) of covariance m, in closed form."""
    rho = np.asarray(rho, float)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        root = np.sqrt(q)
        r = np.where(q > 0, m / (root * np.sqrt(rho)), 0.0)
        threshold = np.where(np.asarray(c) == 0, 0.0, c / root)
        scaled = np.where(np.asarray(b0) == 0, 0.0, b0 / np.sqrt(rho))
    return sign_disagreement(threshold, scaled, np.clip(r, -1.0, 1.0))
