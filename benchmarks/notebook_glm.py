"""State evolution of generalised linear models as one writes it in a notebook: adaptive quadrature inside damped iterations."""

from __future__ import annotations

import numpy as np
from scipy import integrate, special

ALPHA = np.linspace(0.2, 1.4, 20)
REACH = 8.0


def _normal(x: float) -> float:
    return float(np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi))


def rademacher_sign(tolerance: float = 1e-9) -> np.ndarray:
    """Overlap of message passing for binary weights and sign labels, from q = 0."""
    out = []
    for alpha in ALPHA:
        q = 1e-3
        for _ in range(5000):

            def inner(x: float, q: float = q) -> float:
                t = np.sqrt(q / (1 - q)) * x
                return _normal(x) * float(np.exp(-t * t - np.log(2 * np.pi) - special.log_ndtr(t) - special.log_ndtr(-t)))

            r = alpha / (1 - q) * integrate.quad(inner, -REACH, REACH)[0]
            new = integrate.quad(lambda z, r=r: _normal(z) * np.tanh(r + np.sqrt(r) * z), -REACH, REACH)[0]
            if abs(new - q) < tolerance:
                break
            q = new
        out.append(new)
    return np.array(out)


def steep_readout(s: float, tau: float, alphas: np.ndarray, noise: float = 0.05, tolerance: float = 1e-8) -> np.ndarray:
    """Overlap for y = tanh(3 S) + noise on the deep target's equivalent, on uniform grids of 400 points."""
    x = np.linspace(-REACH, REACH, 401)
    weight = np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi) * (x[1] - x[0])
    y = np.linspace(-1 - 9 * np.sqrt(noise), 1 + 9 * np.sqrt(noise), 401)
    dy = y[1] - y[0]
    out = []
    for alpha in alphas:
        q = 0.0
        for _ in range(2000):
            V = tau + s * (1 - q)
            total = 0.0
            for v, w in zip(x[::4], 4 * weight[::4], strict=True):
                f = np.tanh(3 * (np.sqrt(s * q) * v + np.sqrt(V) * x))
                p = np.exp(-0.5 * (y[:, None] - f) ** 2 / noise) / np.sqrt(2 * np.pi * noise)
                Z, slope = p @ weight, p @ (weight * x) / np.sqrt(V)
                total += w * float(np.sum(slope**2 / np.maximum(Z, 1e-300))) * dy
            qhat = alpha * s * total
            new = qhat / (1 + qhat)
            if abs(new - q) < tolerance:
                break
            q = new
        out.append(new)
    return np.array(out)
