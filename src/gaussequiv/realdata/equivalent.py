"""The Gaussian equivalent of real rows and labels, de-biased: its spectrum and signal are those of the population, not of the sample."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import ArgumentError, FloatArray, array
from gaussequiv.ingredients.channels.base import Channel
from gaussequiv.ingredients.channels.gaussian import GaussianNoise
from gaussequiv.ingredients.channels.sign import Sign
from gaussequiv.realdata.emulate import check_labels
from gaussequiv.realdata.pool import Pool

RIDGES = 60  # pool ridges at which the population functions are measured
MOST_STEPS = 20_000  # of the active-set method; a few hundred are usual
LEVELS = 90  # eigenvalues of the fitted spectrum
FLOOR = 1e-9  # mass of an eigenvalue that carries signal but none of the fitted spectrum
MOST = 0.999  # share of the field's variance that the linear teacher may carry


def equivalent_from_rows(features: ArrayLike, y: ArrayLike, *, task: str = "classification") -> GaussianEquivalent:
    r"""Gaussian equivalent of real features and labels: a linear teacher on Gaussian rows, with the population's spectrum.

    The pool measures df1(k) and B(k) consistently (`Pool`). Non-negative masses mu_j on a logarithmic grid of eigenvalues w_j, and
    non-negative signal variances V_j with a noise tau, are fitted (non-negative least squares) to

        df1(k) = sum_j mu_j w_j/(w_j + k),      B(k) = tau + k^2 sum_j V_j/(w_j + k)^2.

    Labels -1 and 1 of mean mu become the sign of a field of variance 1 and offset b0, mu = erf(b0/sqrt 2), whose linear part has variance
    sum V_j/c1^2, c1 = 2 g(b0) (Bussgang), and whose rest is noise inside the sign: the probit channel. alpha is n/d, d = p, and lam here is
    lam_raw/p for features as given.

    Parameters
    ----------
    features : array of shape (N, p)
    y : array of shape (N,)
        Real targets, or labels -1 and 1.
    task : {"classification", "regression"}

    Validity: heuristic. Exact in the limit for Gaussian rows and a linear teacher seen through a probit (df1 and B: deterministic
    equivalents; the fit is consistent). Ansatz for real rows: Gaussian scores. Where real labels are more predictable than the sign of a
    Gaussian field (sum V_j > c1^2) the noise is set to its floor and errors come out too high: on digits with 200 random features
    15 to 52% for logistic regression and 32 to 112% for RidgeClassifier; squared errors of Ridge: median 3%.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((800, 20))
    >>> y = np.where(x[:, 0] + 0.5 * rng.standard_normal(800) > 0, 1.0, -1.0)
    >>> e = equivalent_from_rows(x, y)
    >>> 0.7 < e.signal_variance < 0.9  # 1/1.25
    True
    """
    labels = array("y", y, ndim=1)
    pool = Pool(features, check_labels(labels) if task == "classification" else labels)
    columns = array("features", features, ndim=2).shape[1]
    w, masses, signal, tau = population_modes(pool, columns)
    offset: float | None = None
    channel: Channel
    if task == "regression":
        channel, scale = GaussianNoise(tau), 1.0
    else:
        mean = float(labels.mean())
        b0 = float(np.sqrt(2) * special.erfinv(mean))
        slope2 = 2 / np.pi * np.exp(-(b0**2))
        total = float(signal.sum()) / slope2
        if total <= 0:
            raise ArgumentError("Argument `y` must depend on the features, but no linear signal was found in these rows.")
        share = min(total, MOST)
        scale = share / total / slope2
        channel, offset = Sign(1 - share), b0 or None
    modes = np.divide(signal * scale, masses, out=np.zeros_like(w), where=masses > 0)
    return GaussianEquivalent(
        eigenvalues=w,
        weights=masses,
        alignment=modes * w,
        signal_variance=float(masses @ modes),
        effective_noise=np.zeros(1),
        offset_variance=0.0,
        channel=channel,
        offset=offset,
        inputs=f"{pool.rows} real rows, {columns} features",
    )


def population_modes(pool: Pool, columns: int) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    """Eigenvalues, their masses over p = columns modes (summing to 1), the signal's variance in each, and the noise."""
    w, mu, signal, tau = fit_population(pool)
    p = float(max(columns, mu.sum()))
    masses = np.maximum(mu / p, np.where(signal > 0, FLOOR, 0.0))
    used = masses > 0
    missing = max(1 - masses.sum(), 0.0)  # directions without variance
    w, masses, signal = (np.append(values[used], last) for values, last in ((w, 0.0), (masses, missing), (signal, 0.0)))
    return w, masses / masses.sum(), signal, tau


def fit_population(pool: Pool) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    """Eigenvalues, their masses (summing to about the rank), the signal's variance in each, and the noise."""
    s = pool.eigenvalues
    ridges = np.geomspace(max(s[0], 1e-8 * s[-1]) * 1e-2, s[-1] * 10, RIDGES)
    known = pool.functions(ridges)
    w = np.geomspace(0.3 * known.kappa[0] + 1e-9 * s[-1] / pool.rows, 2 * s[-1] / pool.free, LEVELS)
    ratio = w / (w + known.kappa[:, None])
    scale = 1 / known.df1[:, None]
    mu, _ = optimize.nnls(ratio * scale, np.ones(RIDGES), maxiter=MOST_STEPS)
    # an error of a few percent in B is what a pool of this size makes anyway: relative weights
    design = np.column_stack([(1 - ratio) ** 2, np.ones(RIDGES)]) / known.risk[:, None]
    fitted, _ = optimize.nnls(design, np.ones(RIDGES), maxiter=MOST_STEPS)
    return w, mu, fitted[:-1], float(fitted[-1])
