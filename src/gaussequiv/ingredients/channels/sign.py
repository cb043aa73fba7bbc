"""Binary labels that are the sign of the field with Gaussian noise, in closed form."""

from __future__ import annotations

import numpy as np
from scipy import special

from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.channels.base import Field
from gaussequiv.ingredients.channels.binary import Binary
from gaussequiv.numerics.orthant import aligned_disagreement, standardise
from gaussequiv.numerics.tails import bend, inverse_mills

# Trapezoidal nodes for `Sign.fisher` and `Sign.psi`: after the rescaling below the integrand is analytic in a strip of half-width above 2.8
# (the complex zeros of erfc) and decays like a standard normal, so step 0.4 up to 8.4 leaves an error below 1e-15.
_STEP = 0.4
_U = _STEP * np.arange(-21, 22)
_U_WEIGHT = _STEP * np.exp(-0.5 * _U**2) / np.sqrt(2 * np.pi)


def hazard_product(t: FloatArray) -> FloatArray:
    """g(t)^2 / (Phi(t) Phi(-t)) times exp(t^2/2), g and Phi the standard normal density and distribution function.

    With h = Phi(-|t|) exp(t^2/2) = erfcx(|t|/sqrt 2)/2 it is 1/(2 pi h (1 - h exp(-t^2/2))): no tail underflows.
    """
    h = 0.5 * special.erfcx(np.abs(t) * np.sqrt(0.5))
    return 1 / (2 * np.pi * h * (1 - h * np.exp(-0.5 * t * t)))


def sign_entropy(t: FloatArray) -> FloatArray:
    """-Phi(t) log Phi(t) - Phi(-t) log Phi(-t) times exp(t^2/2), nats.

    With p = Phi(-|t|) = h exp(-t^2/2), h as above, it is h (-log p - (1 - p) log(1 - p)/p): no tail underflows.
    """
    a = np.abs(t)
    h = 0.5 * special.erfcx(a * np.sqrt(0.5))
    p = h * np.exp(-0.5 * a * a)
    other = np.divide((p - 1) * np.log1p(-p), p, out=np.ones_like(p), where=p > 0)
    return h * (other - special.log_ndtr(-a))


class Sign(Binary):
    """y = sign(field + sqrt(noise) z), labels -1 and +1: classification with all noise inside the sign; closed forms of `Binary`."""

    def __init__(self, noise: float = 0.0) -> None:
        super().__init__("sign", noise)

    def with_noise(self, noise: float) -> Sign:
        """Another noise inside the sign."""
        return Sign(noise)

    def sample(self, rng: np.random.Generator, field: FloatArray) -> FloatArray:
        return np.where(field + np.sqrt(self.noise) * rng.standard_normal(field.shape) >= 0, 1.0, -1.0)

    def log_partition(self, y: FloatArray, omega: FloatArray, V: FloatArray | float) -> FloatArray:
        return special.log_ndtr(y * omega / np.sqrt(V + self.noise))

    def g_out(self, y: FloatArray, omega: FloatArray, V: FloatArray | float) -> tuple[FloatArray, FloatArray]:
        scale = np.sqrt(V + self.noise)
        t = y * omega / scale
        return y * inverse_mills(t) / scale, -bend(t) / scale**2

    def fisher(self, q: FloatArray, V: FloatArray, offset: FloatArray | float) -> FloatArray:
        r"""(1/V') E_x[ g(t)^2 / (Phi(t) Phi(-t)) ], t = (offset + sqrt(q) x)/sqrt(V'), V' = V + noise.

        With t ~ N(mu, w): g^2/(Phi Phi) falls like exp(-t^2/2), so nodes are placed on the product of the two Gaussians,
        of variance w/(1+w) and mean mu/(1+w); noiseless limits (w -> infinity) need no other rule.
        Source: Barbier, Krzakala, Macris, Miolane, Zdeborova 2019; offset: conditional on it, omega -> omega + offset.
        """
        total = V + self.noise
        mu, w = offset / np.sqrt(total), q / total
        centre, shrink = mu / (1 + w), 1 / np.sqrt(1 + w)
        width = np.sqrt(w) * shrink
        t = centre[..., None] + width[..., None] * _U
        return shrink * np.exp(-0.5 * mu**2 / (1 + w)) * (hazard_product(t) @ _U_WEIGHT) / total

    def psi(self, q: FloatArray | float, V: FloatArray | float, offset: FloatArray | float = 0.0) -> FloatArray:
        r"""-E_x H2(Phi(t)), H2 the binary entropy in nats, t = (offset + sqrt(q) x)/sqrt(V + noise); 0 at V + noise = 0.

        Nodes as in `fisher`: H2(Phi(t)) falls like t exp(-t^2/2).

        Source: Barbier, Krzakala, Macris, Miolane, Zdeborova 2019; offset: conditional on it, omega -> omega + offset.
        """
        q, V, offset = np.broadcast_arrays(np.asarray(q, float), np.asarray(V, float), np.asarray(offset, float))
        random = V + self.noise > 0
        total = np.where(random, V + self.noise, 1.0)
        mu2, w = offset**2 / total, q / total
        centre, width = offset / np.sqrt(total) / (1 + w), np.sqrt(w / (1 + w))
        t = centre[..., None] + width[..., None] * _U
        return np.where(random, -np.exp(-0.5 * mu2 / (1 + w)) * (sign_entropy(t) @ _U_WEIGHT) / np.sqrt(1 + w), 0.0)

    def bayes_error(self, linear: Field, rest: Field, b0: Field) -> FloatArray:
        """Owen's form of `Binary.bayes_error`: 2 T(b0/sqrt(rho), sqrt(noise/linear))."""
        linear, total = np.asarray(linear, float), np.asarray(rest, float) + self.noise
        ratio = np.sqrt(np.where(linear > 0, total / np.where(linear > 0, linear, 1.0), np.inf))
        return aligned_disagreement(standardise(b0, linear + total), ratio)
