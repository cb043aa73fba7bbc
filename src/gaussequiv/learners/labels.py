"""What the square loss sees of a label: a constant, a linear part and noise (Bussgang decomposition of sign labels)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import FloatArray
from gaussequiv.numerics.orthant import standardise


class LinearLabels(NamedTuple):
    """For each offset b0: its mass, the student's constant, d E[y|field]/d field, and the variance left as noise."""

    offset: FloatArray
    mass: FloatArray
    intercept: FloatArray
    slope: FloatArray
    noise: FloatArray


def linearise(e: GaussianEquivalent, intercept: bool) -> LinearLabels:
    r"""Regression: slope 1, noise tau (plus b0^2 without an intercept).

    Sign labels, B = b0/sqrt(rho): mean mu = 2 Phi(B) - 1, slope c1 = 2 g(B)/sqrt(rho), noise 1 - mu^2 - c1^2 mean(v) with an
    intercept (which the square loss sets to mu), 1 - c1^2 mean(v) without. At b0 = 0, c1 = sqrt(2/(pi rho)): Loureiro et al. 2021,
    Cui, Krzakala, Zdeborova 2023, eq. (272). Offsets: derived and verified by simulation.
    """
    linear = float(e.weights @ e.signal_modes)
    b0, mass = e.offset_nodes()
    if e.channel.task == "regression":
        noise = np.full_like(b0, e.noise)
        constant = b0 if intercept else np.zeros_like(b0)
        if not intercept:
            noise = noise + b0**2
        return LinearLabels(b0, mass, constant, np.ones_like(b0), noise)
    rho = e.rho
    scaled = standardise(b0, rho)
    mu = special.erf(scaled / np.sqrt(2))
    slope = 2 * np.exp(-0.5 * scaled**2) / np.sqrt(2 * np.pi * rho) if rho > 0 else np.zeros_like(b0)
    if not intercept:
        return LinearLabels(b0, mass, np.zeros_like(b0), slope, 1 - slope**2 * linear)
    spread = special.erfc(scaled / np.sqrt(2)) * (1 + mu)  # 1 - mu^2 without cancellation
    return LinearLabels(b0, mass, mu, slope, spread - slope**2 * linear)
