r"""Convergence diagnostics of Markov chains: rank-normalised split R-hat and bulk effective sample size.

Vehtari, Gelman, Simpson, Carpenter, Buerkner, "Rank-normalization, folding, and localization", Bayesian Analysis 16 (2021).
Heuristics that can miss what no chain has seen: chains from different starts are needed for them to mean anything.
"""

from __future__ import annotations

import numpy as np
from scipy import fft, special

from gaussequiv.errors import FloatArray, fail


def rank_normalise(x: FloatArray) -> FloatArray:
    """Normal scores Phi^-1((rank - 3/8)/(N + 1/4)) over the first two axes jointly (ties share their mean rank)."""
    from scipy import stats  # 0.1 s of imports that no curve needs

    flat = x.reshape(x.shape[0] * x.shape[1], -1)
    ranks = stats.rankdata(flat, axis=0, method="average")
    scores: FloatArray = special.ndtri((ranks - 0.375) / (flat.shape[0] + 0.25)).reshape(x.shape)
    return scores


def split_chains(x: FloatArray) -> FloatArray:
    """Halves of every chain as chains of their own (an odd last draw is left out), so that a drift counts as disagreement."""
    half = x.shape[1] // 2
    return np.concatenate([x[:, :half], x[:, half : 2 * half]], axis=0)


def potential_scale_reduction(x: FloatArray) -> FloatArray:
    """sqrt((W (n - 1)/n + B/n)/W) of plain chains, with W the variance within and B/n that of the chains' means; nan without variance."""
    n = x.shape[1]
    within = x.var(axis=1, ddof=1).mean(axis=0)
    between = x.mean(axis=1).var(axis=0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt((n - 1) / n + between / within)


def r_hat(x: FloatArray) -> FloatArray:
    r"""Rank-normalised split R-hat: the larger of that of the draws and that of their distances from the median.

    Parameters
    ----------
    x : array of shape (chains, draws, ...), draws >= 4

    Returns
    -------
    Array of the trailing shape; near 1 where the halves of all chains look alike (customarily below 1.01), nan for a constant.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((4, 500))
    >>> bool(r_hat(x) < 1.01), bool(r_hat(x + np.arange(4)[:, None]) > 1.3)
    (True, True)
    """
    x = _checked(x)
    folded = np.abs(x - np.median(x, axis=(0, 1)))
    both = [potential_scale_reduction(rank_normalise(split_chains(part))) for part in (x, folded)]
    return np.fmax(*both)


def effective_sample_size(x: FloatArray) -> FloatArray:
    r"""Number of independent draws that say as much: N/(1 + 2 sum_t rho_t) of split, rank-normalised chains.

    The autocorrelations rho_t combine all chains, so that a disagreement between them counts as correlation; their sum stops where the
    sum of an even and the following odd one turns negative, and is made monotone (Geyer 1992). Antithetic chains may exceed N, but at
    most N log10 N.

    Parameters
    ----------
    x : array of shape (chains, draws, ...), draws >= 4

    Returns
    -------
    Array of the trailing shape; nan for a constant.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((4, 500))
    >>> bool(1600 < effective_sample_size(x) < 2400)
    True
    """
    z = rank_normalise(split_chains(_checked(x)))
    flat = z.reshape(*z.shape[:2], -1)
    found = np.array([_size(flat[..., i]) for i in range(flat.shape[-1])])
    return found.reshape(z.shape[2:])


def mean_standard_error(x: FloatArray) -> FloatArray:
    """Standard error of the mean over all draws: sd/sqrt(effective sample size), the latter of the draws themselves, not of their ranks."""
    x = _checked(x)
    z = split_chains(x)
    flat = z.reshape(*z.shape[:2], -1)
    size = np.array([_size(flat[..., i]) for i in range(flat.shape[-1])]).reshape(x.shape[2:])
    return x.std(axis=(0, 1), ddof=1) / np.sqrt(size)


def _size(x: FloatArray) -> float:
    """N/(1 + 2 sum rho_t) of chains (chains, draws)."""
    chains, n = x.shape
    centred = x - x.mean(axis=1, keepdims=True)
    length = fft.next_fast_len(2 * n)
    spectrum = fft.rfft(centred, length, axis=1)
    covariance = fft.irfft(np.abs(spectrum) ** 2, length, axis=1)[:, :n].mean(axis=0) / n
    within = covariance[0] * n / (n - 1)
    total = covariance[0] + (x.mean(axis=1).var(ddof=1) if chains > 1 else 0.0)
    if not total > 0:
        return float("nan")
    rho = 1 - (within - covariance * n / (n - 1)) / total
    rho[0] = 1.0
    pairs = rho[: n - n % 2].reshape(-1, 2).sum(axis=1)
    stop = int(np.argmax(pairs < 0)) if np.any(pairs < 0) else pairs.size
    kept = np.minimum.accumulate(pairs[: max(stop, 1)])
    rest = max(float(rho[2 * stop]), 0.0) if 0 < stop < pairs.size else 0.0
    size = chains * n
    return size / max(-1 + 2 * float(kept.sum()) + rest, 1 / np.log10(size))


def _checked(x: FloatArray) -> FloatArray:
    x = np.asarray(x, dtype=np.float64)
    if x.ndim < 2 or x.shape[1] < 4:
        raise fail("x", "an array of shape (chains, draws, ...) with at least 4 draws", x)
    return x
