"""What the square loss sees of a label: a constant, a linear part and noise (Bussgang decomposition of sign labels)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.channels.gaussian import GaussianNoise


class LinearLabels(NamedTuple):
    """For each offset b0: its mass, the student's constant, d E[y|field]/d field, and the variance left as noise.

    `structure` is that noise without the part that the field itself leaves open, E Var[y | field]; nan for labels -1 and +1.
    """

    offset: FloatArray
    mass: FloatArray
    intercept: FloatArray
    slope: FloatArray
    noise: FloatArray
    structure: FloatArray


def linearise(e: GaussianEquivalent, intercept: bool) -> LinearLabels:
    r"""Gaussian noise: slope 1, noise tau (plus b0^2 without an intercept). Any other label law y: mean mu = E y, slope c1 = d E y/d b0,
    noise Var y - c1^2 mean(v) with an intercept, which the square loss sets to mu, E y^2 - c1^2 mean(v) without. For real labels c1 =
    Cov(y, field)/Var(field) and Var y = Var E[y|field] + E Var[y|field]: the law's mean and variance are all that counts.

    Sign labels, B = b0/sqrt(rho): mean mu = 2 Phi(B) - 1, slope c1 = 2 g(B)/sqrt(rho), noise 1 - mu^2 - c1^2 mean(v) with an
    intercept (which the square loss sets to mu), 1 - c1^2 mean(v) without. At b0 = 0, c1 = sqrt(2/(pi rho)): Loureiro et al. 2021,
    Cui, Krzakala, Zdeborova 2023, eq. (272). Offsets and other real labels: derived and verified by simulation.
    """
    linear = float(e.weights @ e.signal_modes)
    b0, mass = e.offset_nodes(even=e.parity == "odd")  # the slope of even labels is odd in b0, as are m and what else it enters once
    if isinstance(e.channel, GaussianNoise):
        square = np.zeros_like(b0) if intercept else b0**2
        return LinearLabels(b0, mass, b0 if intercept else np.zeros_like(b0), np.ones_like(b0), e.noise + square, e.model_noise + square)
    field = linear + e.model_noise
    if e.channel.task == "regression":
        mu, slope, scatter, own = e.channel.label_moments(b0, field)
        structure = np.maximum(scatter - slope**2 * linear, 0.0)
        if not intercept:
            structure, mu = structure + mu**2, np.zeros_like(mu)
        return LinearLabels(b0, mass, mu, slope, structure + own, structure)
    if field + e.channel.noise == 0:
        mu, slope = np.sign(b0), np.zeros_like(b0)
        spread, square = 1 - mu**2, np.ones_like(b0)
    else:
        up, down = e.channel.up(b0, field), e.channel.down(b0, field)
        mu, slope = up.value - down.value, 2 * up.first
        spread, square = 4 * up.value * down.value, np.ones_like(b0)  # 1 - mu^2 without cancellation
    unknown = np.full_like(b0, np.nan)
    if not intercept:
        return LinearLabels(b0, mass, np.zeros_like(b0), slope, square - slope**2 * linear, unknown)
    return LinearLabels(b0, mass, mu, slope, spread - slope**2 * linear, unknown)
