"""Plain SciPy loops as one writes them in a notebook, the reference of the timings; no import of the library.

Cold timing: ``python -m benchmarks.notebook classification`` (or regression, ridge, ridge-scalar).
Equations: Cui, Krzakala, Zdeborova 2023, eq. 12-15 and 19-20, for two hidden layers tanh(2x).
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import log_ndtr

DAMPING = 0.1  # fraction of the old value that is kept
TOLERANCE = 1e-8
MAX_STEPS = 10_000
ISOTROPIC = np.ones(500)  # eigenvalues of the input covariance, kept as an array

ALPHA_CLASSIFICATION = np.linspace(0.1, 7.0, 30)
ALPHA_REGRESSION = np.linspace(0.0, 7.1, 71)[1:]


def reduction(depth: int = 2) -> tuple[float, float]:
    """Signal s and effective noise tau of the deep target, layer by layer."""
    variance, signal, noise = 1.0, 1.0, 0.0
    for _ in range(depth):

        def density(x, variance=variance):
            return np.exp(-0.5 * x**2 / variance) / np.sqrt(2 * np.pi * variance)

        kappa = quad(lambda x: density(x) * x * np.tanh(2 * x), -np.inf, np.inf)[0] / variance
        second = quad(lambda x: density(x) * np.tanh(2 * x) ** 2, -np.inf, np.inf)[0]
        signal, noise = signal * kappa**2, noise * kappa**2 + second - variance * kappa**2
        variance = second
    return signal, noise


def regression(alphas: np.ndarray = ALPHA_REGRESSION) -> np.ndarray:
    """Bayes-optimal mean squared error."""
    s, tau = reduction()
    errors = []
    for alpha in alphas:
        q = 1e-6
        for _ in range(MAX_STEPS):
            qhat = alpha * s / (tau + s * (1 - q))
            new = qhat / (1 + qhat)
            change, q = abs(new - q), (1 - DAMPING) * new + DAMPING * q
            if change < TOLERANCE:
                break
        errors.append(tau + s * (1 - q))
    return np.array(errors)


def classification(alphas: np.ndarray = ALPHA_CLASSIFICATION, tolerance: float = TOLERANCE) -> np.ndarray:
    """Bayes-optimal misclassification of noiseless sign labels."""
    s, tau = reduction()
    rho = s + tau
    errors = []
    for alpha in alphas:
        q = 1e-6
        for _ in range(MAX_STEPS):
            a = np.sqrt(s * q)
            integral = quad(lambda x, a=a: np.exp(-0.5 * (rho + a * a) * x * x - log_ndtr(-a * x)), -20, 20)[0]
            qhat = 2 * alpha * s / np.sqrt(rho - a * a) / (2 * np.pi) ** 1.5 * integral
            new = qhat / (1 + qhat)
            change, q = abs(new - q), (1 - DAMPING) * new + DAMPING * q
            if change < tolerance:
                break
        errors.append(np.arccos(np.sqrt(s * q / rho)) / np.pi)
    return np.array(errors)


def saddle_point(alpha: float, lam: float, s: float, tau: float, w) -> float:
    """Test error of ridge regression by damped iteration of V, q, m; w is the spectrum, an array or 1.0."""
    mean: Callable = np.mean if isinstance(w, np.ndarray) else float
    root, rho = np.sqrt(s), s * float(mean(w)) + tau
    V, q, m = 100.0, 1e-6, 1e-7
    for _ in range(MAX_STEPS):
        Vhat = alpha / (1 + V)
        mhat = root * Vhat
        qhat = alpha * (rho + q - 2 * root * m) / (1 + V) ** 2
        V_new = mean(w / (lam + Vhat * w))
        q_new = mean((mhat**2 * w**3 + qhat * w**2) / (lam + Vhat * w) ** 2)
        m_new = mhat * mean(w**2 / (lam + Vhat * w))
        change = max(abs(V_new - V), abs(q_new - q), abs(m_new - m))
        V, q, m = ((1 - DAMPING) * new + DAMPING * old for new, old in ((V_new, V), (q_new, q), (m_new, m)))
        if change < TOLERANCE:
            break
    return rho + q - 2 * root * m


def ridge(alphas: np.ndarray = ALPHA_REGRESSION, w=ISOTROPIC) -> np.ndarray:
    """Test error of ridge regression at its best penalty, searched over log10 lam in (-3, 2)."""
    s, tau = reduction()
    errors = []
    for alpha in alphas:
        best = minimize_scalar(lambda y, a=alpha: saddle_point(a, 10**y, s, tau, w), bounds=(-3, 2), method="bounded")
        errors.append(best.fun)
    return np.array(errors)


LOOPS = {"regression": regression, "classification": classification, "ridge": ridge, "ridge-scalar": lambda: ridge(w=1.0)}

if __name__ == "__main__":
    print(LOOPS[sys.argv[1]]().tolist())
