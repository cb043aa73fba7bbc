"""Plain SciPy loops for logistic regression as one writes them in a notebook, the reference of the timings; no import of the library.

Equations: Loureiro et al. 2021, eq. 3.4, for two hidden layers tanh(2x) and noiseless sign labels. The averages are sums over 1000 field
values on [-8, 8]; the proximal point is a bisection, because Newton cycles beyond V = 8.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, ndtr

from benchmarks.notebook import reduction

TOLERANCE = 1e-8
MAX_STEPS = 10_000
ALPHA = np.linspace(0.1, 7.0, 20)
XI = np.linspace(-8, 8, 1000)
WEIGHT = np.exp(-0.5 * XI**2) / np.sqrt(2 * np.pi) * (XI[1] - XI[0])
POWER_LAW = np.arange(1, 501) ** -0.5 / np.mean(np.arange(1, 501) ** -0.5)


def prox(omega, V):
    """Root of x = omega + V sigma(-x), for y = +1."""
    low, high = omega.copy(), omega + V
    for _ in range(50):
        middle = 0.5 * (low + high)
        above = middle - omega - V * expit(-middle) > 0
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return 0.5 * (low + high)


def logistic(alpha: float, lam: float, s: float, tau: float, w: np.ndarray) -> float:
    """Test error by damped iteration of V, q, m from an uninformed start."""
    rho = s * np.mean(w) + tau
    V, q, m = 10.0, 1e-2, 1e-2
    for _ in range(MAX_STEPS):
        omega, target, rest = np.sqrt(q) * XI, m / np.sqrt(q) * XI, rho - m**2 / q
        g = expit(-prox(omega, V))
        slope = -g * (1 - g) / (1 + V * g * (1 - g))
        up = ndtr(target / np.sqrt(rest))
        density = np.exp(-0.5 * target**2 / rest) / np.sqrt(2 * np.pi * rest)
        Vhat, qhat, mhat = -2 * alpha * WEIGHT @ (up * slope), 2 * alpha * WEIGHT @ (up * g**2), 2 * alpha * WEIGHT @ (density * g)
        R = 1 / (lam + Vhat * w)
        new = np.mean(w * R), np.mean((qhat * w + mhat**2 * s * w**2) * w * R**2), mhat * np.mean(s * w**2 * R)
        change = max(abs(a - b) for a, b in zip(new, (V, q, m), strict=True))
        V, q, m = (0.5 * a + 0.5 * b for a, b in zip(new, (V, q, m), strict=True))
        if change < TOLERANCE:
            break
    return float(np.arccos(m / np.sqrt(q * rho)) / np.pi)


def isotropic(alphas: np.ndarray = ALPHA, lam: float = 0.1) -> np.ndarray:
    """lam = 0.1, isotropic inputs."""
    s, tau = reduction()
    return np.array([logistic(alpha, lam, s, tau, np.ones(1)) for alpha in alphas])


def structured(alphas: np.ndarray = ALPHA, lam: float = 0.1) -> np.ndarray:
    """lam = 0.1, inputs with 500 eigenvalues i^-1/2."""
    s, tau = reduction()
    return np.array([logistic(alpha, lam, s, tau, POWER_LAW) for alpha in alphas])


def optimal(alphas: np.ndarray = ALPHA) -> np.ndarray:
    """The least error over log10 lam in (-3, 1), isotropic inputs."""
    s, tau = reduction()
    return np.array(
        [
            minimize_scalar(lambda y, a=alpha: logistic(a, 10**y, s, tau, np.ones(1)), bounds=(-3, 1), method="bounded").fun
            for alpha in alphas
        ]
    )
