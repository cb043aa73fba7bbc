"""The ridge penalty that minimises the test error, found as the root of its derivative."""

from __future__ import annotations

import numpy as np
from scipy import special
from scipy.optimize import brentq

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import FloatArray
from gaussequiv.learners.labels import LinearLabels
from gaussequiv.numerics.orthant import sign_disagreement

GRID = 160  # points of the search for sign changes over the whole range of kappa


def optimal_lam(e: GaussianEquivalent, labels: LinearLabels, alpha: FloatArray) -> FloatArray:
    """Optimal lam >= 0 at every alpha.

    Closed form where every mode carries signal in proportion to its eigenvalue and there is one noise level: noise/(slope^2 s), the
    posterior mean of the linearised problem, which minimises both the squared error and, for a threshold at 0, the
    misclassification. Otherwise kappa is the unknown: lam = kappa (alpha - df1(kappa)) and the error are explicit in it.
    """
    v, w = e.signal_modes, e.eigenvalues
    slope2 = float(e.weights @ v) / float(e.weights @ w)
    if slope2 == 0:
        return np.full_like(alpha, np.inf)
    matched = np.allclose(v, slope2 * w, rtol=1e-12, atol=0)
    constant_noise = e.channel.task == "regression"
    if matched and (constant_noise or (labels.offset.size == 1 and labels.offset[0] == 0)):
        noise = float(labels.mass @ labels.noise)
        return np.full_like(alpha, noise / (float(labels.slope[0]) ** 2 * slope2))
    return np.array([stationary_lam(e, labels, float(a)) for a in alpha])


def stationary_lam(e: GaussianEquivalent, labels: LinearLabels, alpha: float) -> float:
    """Solve d(test error)/d kappa = 0 over all lam >= 0, and keep the best of its minima and the end points."""
    w, weights = e.eigenvalues, e.weights
    positive = w > 0
    rank = float(weights[positive].sum())
    top = float(w.max())
    low = 1e-12 * float(w[positive].min())
    if alpha < rank:  # lam = 0 sits at kappa > 0
        low = brentq(
            lambda k: float(weights[positive] @ (w[positive] / (w[positive] + k))) - alpha, low * 1e-3, top * 1e6 / alpha, xtol=1e-300
        )
    high = 1e9 * top * max(1.0, 1 / alpha)
    grid = np.geomspace(low, high, GRID)
    slopes = np.array([error_and_slope(e, labels, alpha, k)[1] for k in grid])
    candidates = [low, high]
    for i in np.flatnonzero((slopes[:-1] < 0) & (slopes[1:] >= 0)):
        root = brentq(
            lambda y: error_and_slope(e, labels, alpha, np.exp(y))[1], np.log(grid[i]), np.log(grid[i + 1]), xtol=1e-15, rtol=1e-14
        )
        candidates.append(float(np.exp(root)))
    best = min(candidates, key=lambda k: error_and_slope(e, labels, alpha, k)[0])
    if best == high:
        return np.inf
    return max(best * (alpha - float(weights[positive] @ (w[positive] / (w[positive] + best)))), 0.0) if best != low else 0.0


def error_and_slope(e: GaussianEquivalent, labels: LinearLabels, alpha: float, kappa: float) -> tuple[float, float]:
    """Test error (regression: squared; labels: misclassified) and its derivative with respect to log kappa, averaged over b0."""
    w, weights, v = e.eigenvalues, e.weights, e.signal_modes
    shrink, missing = w / (w + kappa), kappa / (w + kappa)
    df2 = weights @ shrink**2
    ddf2 = -2 * (weights @ (shrink**2 * missing))
    gap = alpha - df2
    lost, dlost = weights @ (v * missing**2), 2 * (weights @ (v * missing**2 * shrink))
    kept, dkept = weights @ (v * shrink), -(weights @ (v * shrink * missing))
    kept2, dkept2 = weights @ (v * shrink**2), -2 * (weights @ (v * shrink**2 * missing))
    noise, slope2 = labels.noise, labels.slope**2
    total, dtotal = noise + slope2 * lost, slope2 * dlost
    variance = total * df2 / gap
    dvariance = (dtotal * df2 + total * ddf2) / gap + total * df2 * ddf2 / gap**2
    if e.channel.task == "regression":
        return float(labels.mass @ (total + variance)), float(labels.mass @ (dtotal + dvariance))
    m, dm = labels.slope * kept, labels.slope * dkept
    q, dq = slope2 * kept2 + variance, slope2 * dkept2 + dvariance
    rho = e.signal_variance + float(np.sum(e.effective_noise)) + e.channel.noise
    r = m / np.sqrt(rho * q)
    dr = r * (dm / m - 0.5 * dq / q)
    a, b = labels.intercept / np.sqrt(q), labels.offset / np.sqrt(rho)
    da = -0.5 * a * dq / q
    root = np.sqrt((1 - r) * (1 + r))
    density = np.exp(-0.5 * (a * a - 2 * r * a * b + b * b) / root**2) / (2 * np.pi * root)  # d Phi2/d r
    normal = np.exp(-0.5 * a * a) / np.sqrt(2 * np.pi)
    slope = normal * (1 - 2 * special.ndtr((b - r * a) / root)) * da - 2 * density * dr
    return float(labels.mass @ sign_disagreement(a, b, r)), float(labels.mass @ slope)
