"""Random features and kernels: the library beside plain NumPy and SciPy loops, which must give the same numbers."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar

import gaussequiv as ge
from benchmarks.measure import Row, medians
from benchmarks.notebook import reduction

ALPHA = np.linspace(0.1, 7.1, 70)
D, WIDTH, SAMPLES = 500, 1500, 2000


def library_features() -> np.ndarray:
    """70 alphas at the optimal penalty, from a problem to a Dataset."""
    target = ge.DeepNetwork("tanh", depth=2, weight_variance=4)
    seen = ge.RandomFeatures("tanh", ratio=WIDTH / D, weight_variance=4)
    return ge.solve(ge.Problem(target, features=seen, learner=ge.Ridge("optimal")), ALPHA)["test_error"].values


def notebook_features(cells: int = WIDTH) -> np.ndarray:
    """Marchenko-Pastur midpoints, a damped fixed point of V, and a bounded search for log lam at every alpha."""
    s, tau = reduction()
    psi, k1, second = WIDTH / D, 0.7294775315, 0.6352612343  # E phi', E phi^2 of tanh(2x)
    theta = np.pi * (np.arange(cells) + 0.5) / cells
    e = 1 + psi + 2 * np.sqrt(psi) * np.cos(theta)
    mass = np.append(2 * np.sin(theta) ** 2 / (cells * e), 1 - 1 / psi)
    mass[:-1] *= 1 / psi / mass[:-1].sum()
    e = np.append(e, 0.0)
    w, t = k1**2 * e + second - k1**2, psi * s * k1**2 * e
    rho = s + tau

    def error(lam: float, a: float) -> float:
        V = 1.0
        for _ in range(10_000):
            new = mass @ (w / (lam + a / (1 + V) * w))
            change, V = abs(new - V), new
            if change < 1e-10 * max(1.0, V):
                break
        Vhat = a / (1 + V)
        R = 1 / (lam + Vhat * w)
        m = Vhat * (mass @ (t * R))
        A, B = Vhat**2 * (mass @ (t * w * R**2)), mass @ (w * R) ** 2
        c = a / (1 + V) ** 2
        q = (A + B * c * (rho - 2 * m)) / (1 - B * c)
        return rho + q - 2 * m

    out = []
    for alpha in ALPHA:
        best = minimize_scalar(lambda y, a=alpha / psi: error(np.exp(y), a), bounds=(-8, 6), method="bounded", options={"xatol": 1e-6})
        out.append(best.fun)
    return np.array(out)


def rows() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((SAMPLES, D))


def library_kernel(x: np.ndarray) -> np.ndarray:
    """The kernel matrix of a network of three erf layers."""
    return ge.NNGP("erf", depth=3).block(x)


def notebook_kernel(x: np.ndarray) -> np.ndarray:
    """The arcsine formula three times, as one writes it."""
    K = x @ x.T / x.shape[1]
    for _ in range(3):
        diagonal = 1 + 2 * np.diag(K)
        K = 2 / np.pi * np.arcsin(2 * K / np.sqrt(np.outer(diagonal, diagonal)))
    return K


def run() -> list[Row]:
    """Time both."""
    gap = float(np.max(np.abs(library_features() - notebook_features())))
    assert gap < 1e-6, f"random features: the library and the plain loop differ by {gap:.1e}"
    mine, theirs = medians(library_features, notebook_features, rounds=3)
    x = rows()
    difference = float(np.max(np.abs(library_kernel(x) - notebook_kernel(x))))
    assert difference < 1e-12, f"kernel: the library and the plain formula differ by {difference:.1e}"
    fast, plain = medians(lambda: library_kernel(x), lambda: notebook_kernel(x), rounds=3, calls=3)
    return [
        Row("random features k=1500, 70 alphas, optimal ridge", mine, reference=theirs, below=0.2, difference=gap),
        Row("NNGP kernel, 3 erf layers, n=2000, d=500", fast, reference=plain, below=0.4, difference=difference),
    ]
