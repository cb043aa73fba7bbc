"""The ridge penalty that minimises the test error, found as the root of its derivative."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import special
from scipy.optimize import brentq

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.channels.gaussian import GaussianNoise
from gaussequiv.ingredients.channels.sign import Sign
from gaussequiv.learners.convex.labels import LinearLabels
from gaussequiv.numerics.effective_ridge import solve_effective_ridge
from gaussequiv.numerics.orthant import sign_disagreement

GRID = 160  # points of the search for sign changes over the whole range of kappa


def optimal_lam(e: GaussianEquivalent, labels: LinearLabels, alpha: FloatArray, constrain: bool = False) -> FloatArray:
    """Optimal lam at every alpha = n/d: lam >= -nugget (0 where there is none), or lam >= 0 with `constrain`.

    Closed form where every mode carries signal in proportion to its eigenvalue and there is one noise level: noise/(slope^2 s) - nugget,
    the posterior mean of the linearised problem, which minimises both the squared error and, for a threshold at 0, the
    misclassification (both rise on either side of it). Otherwise kappa is the unknown: lam + nugget = kappa (n/p - df1(kappa)) and the
    error are explicit in it.
    """
    v, w = e.signal_modes, e.eigenvalues
    signal = float(e.weights @ v)
    if signal == 0 or not np.any(labels.slope):
        return np.full_like(alpha, np.inf)
    slope2 = signal / float(e.weights @ w)
    matched = np.allclose(v, slope2 * w, rtol=1e-12, atol=0)
    single = labels.offset.size == 1
    if e.channel.task == "regression":  # squared error: a constant of its own changes nothing
        one_level = single or isinstance(e.channel, GaussianNoise)
    else:
        one_level = single and labels.offset[0] == 0 and labels.intercept[0] == 0
    if matched and one_level:
        noise = float(labels.mass @ labels.noise)
        best = noise / (float(labels.slope[0]) ** 2 * slope2) - e.nugget
        return np.full_like(alpha, max(best, 0.0) if constrain else best)
    if e.channel.task == "classification" and not isinstance(e.channel, Sign):  # a convex learner like others; the nugget is a part of lam
        from gaussequiv.learners.convex import erm
        from gaussequiv.learners.convex import optimum as erm_optimum

        square = erm.ERM("square", intercept=bool(np.any(labels.intercept)))
        lam = erm_optimum.best_lam(square, replace(e, nugget=0.0), alpha) - e.nugget
        return np.maximum(lam, 0.0) if constrain else lam
    least = e.nugget if constrain else 0.0
    total = np.array([stationary_lam(e, labels, float(a) / e.aspect, least) for a in alpha])
    return np.maximum(total - e.nugget, 0.0) if constrain else total - e.nugget


def stationary_lam(e: GaussianEquivalent, labels: LinearLabels, load: float, least: float = 0.0) -> float:
    """Solve d(test error)/d kappa = 0 over all lam + nugget >= `least` at load n/p; keep the best of its minima and the end points."""
    w, weights = e.eigenvalues, e.weights
    positive = w > 0
    smallest = solve_effective_ridge(np.array([load]), np.array([least]), w, weights).kappa[0]
    low = max(float(smallest), 1e-12 * float(w[positive].min()))
    high = 1e9 * float(w.max()) * max(1.0, 1 / load)
    logs = np.linspace(np.log(low), np.log(high), GRID)
    slopes = error_and_slope(e, labels, load, np.exp(logs))[1]

    def slope(y: float) -> float:
        return float(error_and_slope(e, labels, load, np.exp(np.array([y])))[1][0])

    candidates = [logs[0], logs[-1]]
    for i in np.flatnonzero((slopes[:-1] < 0) & (slopes[1:] >= 0)):
        flat = slope(logs[i]) >= 0 or slope(logs[i + 1]) <= 0  # a slope of rounding size: the point itself is the minimum
        candidates.append(logs[i] if flat else brentq(slope, logs[i], logs[i + 1], xtol=1e-15, rtol=1e-14))
    errors = error_and_slope(e, labels, load, np.exp(np.array(candidates)))[0]
    best = candidates[int(np.argmin(errors))]
    if best == logs[-1]:
        return np.inf
    kappa = np.exp(best)
    return least if best == logs[0] else max(kappa * (load - float(weights[positive] @ (w[positive] / (w[positive] + kappa)))), 0.0)


def error_and_slope(e: GaussianEquivalent, labels: LinearLabels, load: float, kappa: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Test error (regression: squared; signs: misclassified) and its derivative in log kappa, averaged over b0, at every kappa."""
    w, weights, v = e.eigenvalues, e.weights, e.signal_modes
    k = kappa[:, None]
    shrink, missing = w / (w + k), k / (w + k)

    def mean(values: FloatArray) -> FloatArray:
        return (values @ weights)[:, None]

    df2, ddf2 = mean(shrink**2), -2 * mean(shrink**2 * missing)
    gap = load - df2
    lost, dlost = mean(v * missing**2), 2 * mean(v * missing**2 * shrink)
    kept, dkept = mean(v * shrink), -mean(v * shrink * missing)
    kept2, dkept2 = mean(v * shrink**2), -2 * mean(v * shrink**2 * missing)
    noise, slope2 = labels.noise, labels.slope**2
    total, dtotal = noise + slope2 * lost, slope2 * dlost
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = total * df2 / gap
        dvariance = (dtotal * df2 + total * ddf2) / gap + total * df2 * ddf2 / gap**2
    if e.channel.task == "regression":
        return (total + variance) @ labels.mass, (dtotal + dvariance) @ labels.mass
    m, dm = labels.slope * kept, labels.slope * dkept
    q, dq = slope2 * kept2 + variance, slope2 * dkept2 + dvariance
    rho = e.rho
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        known = q > 0  # an offset so large that the labels never change leaves nothing to learn
        r = np.where(known, m / np.sqrt(rho * q), 0.0)
        dr = np.where(known, (dm - 0.5 * m * dq / q) / np.sqrt(rho * q), 0.0)
        a = np.where(labels.intercept == 0, 0.0, np.where(known, labels.intercept / np.sqrt(q), np.inf))
        da = np.where(known, -0.5 * a * dq / q, 0.0)
        b = labels.offset / np.sqrt(rho)
        root = np.sqrt((1 - r) * (1 + r))
        square = np.where(np.isinf(a), np.inf, a * a - 2 * r * a * b + b * b)
        density = np.exp(-0.5 * square / root**2) / (2 * np.pi * root)  # d Phi2/d r
        normal = np.exp(-0.5 * a * a) / np.sqrt(2 * np.pi)
        moved = np.where(normal > 0, normal * (1 - 2 * special.ndtr((b - r * a) / root)) * da, 0.0)
    return sign_disagreement(a, b, r) @ labels.mass, (moved - 2 * density * dr) @ labels.mass
