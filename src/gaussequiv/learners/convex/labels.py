"""What the square loss sees of a label: a constant, a linear part and noise (Bussgang decomposition of sign labels)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import FloatArray


class LinearLabels(NamedTuple):
    """For each offset b0: its mass, the student's constant, d E[y|field]/d field, and the variance left as noise."""

    offset: FloatArray
    mass: FloatArray
    intercept: FloatArray
    slope: FloatArray
    noise: FloatArray


def linearise(e: GaussianEquivalent, intercept: bool) -> LinearLabels:
    r"""Regression: slope 1, noise tau (plus b0^2 without an intercept). Any other label y: mean mu = E y, slope c1 = d E y/d b0 (= E f' for
    y = f(field) + noise), noise Var y - c1^2 mean(v) with an intercept, which the square loss sets to mu, E y^2 - c1^2 mean(v) without.

    Sign labels, B = b0/sqrt(rho): mean mu = 2 Phi(B) - 1, slope c1 = 2 g(B)/sqrt(rho), noise 1 - mu^2 - c1^2 mean(v) with an
    intercept (which the square loss sets to mu), 1 - c1^2 mean(v) without. At b0 = 0, c1 = sqrt(2/(pi rho)): Loureiro et al. 2021,
    Cui, Krzakala, Zdeborova 2023, eq. (272). Offsets: derived and verified by simulation.
    """
    linear = float(e.weights @ e.signal_modes)
    b0, mass = e.offset_nodes()
    if e.channel.task == "regression" and not hasattr(e.channel, "moments"):
        noise = np.full_like(b0, e.noise)
        constant = b0 if intercept else np.zeros_like(b0)
        if not intercept:
            noise = noise + b0**2
        return LinearLabels(b0, mass, constant, np.ones_like(b0), noise)
    field = linear + e.model_noise
    if e.channel.task == "regression":  # y = f(field) + noise
        mu, slope, second = e.channel.moments(b0, field)
        spread, square = second - mu**2 + e.channel.noise, second + e.channel.noise
    elif field + e.channel.noise == 0:
        mu, slope = np.sign(b0), np.zeros_like(b0)
        spread, square = 1 - mu**2, np.ones_like(b0)
    else:
        up, down = (e.channel.probability(label, b0, field) for label in (1.0, -1.0))
        mu, slope = up.value - down.value, 2 * up.first
        spread, square = 4 * up.value * down.value, np.ones_like(b0)  # 1 - mu^2 without cancellation
    if not intercept:
        return LinearLabels(b0, mass, np.zeros_like(b0), slope, square - slope**2 * linear)
    return LinearLabels(b0, mass, mu, slope, spread - slope**2 * linear)
