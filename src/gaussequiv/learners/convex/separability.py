r"""The separability threshold: below it the training labels can be fitted without error, and unpenalised logistic fits diverge."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import optimize, special

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import FloatArray, fail
from gaussequiv.numerics.panels import normal_panels


def separability_threshold(e: GaussianEquivalent, *, intercept: bool, b0: float = 0.0) -> float:
    r"""alpha = n/d below which labels of the equivalent are linearly separable, in the limit.

        rank/load = min_{t0, t1} E (t0 y + t1 y G - Z)_+^2,   G the standardised linear part of the field, Z independent N(0, 1),

    t0 = 0 without an intercept; alpha = aspect load. Infinite if the linear part decides the label. Random labels: 2 (Cover 1965).
    Source: Candes and Sur 2020, Theorem 1 (logistic labels); any label law by Gordon's inequality (Montanari et al. 2019), a replica
    result here.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> e = ge.Problem(ge.DeepNetwork("tanh", 2, weight_variance=4, task="classification")).equivalent()
    >>> round(separability_threshold(e, intercept=False), 3)
    3.576
    """
    if not isinstance(e, GaussianEquivalent):
        raise fail("e", "a GaussianEquivalent, such as problem.equivalent()", e)
    channel = e.channel
    if channel.task == "regression":
        raise fail("e", 'an equivalent of labels -1 and +1 (task="classification")', channel)
    linear = float(e.weights @ e.signal_modes)
    rank = float(e.weights[e.eigenvalues > 0].sum())
    root, rest = np.sqrt(linear), np.array([max(e.model_noise, 0.0)])
    if e.nugget > 0:
        return np.inf  # a kernel with a nugget fits anything
    with np.errstate(divide="ignore", invalid="ignore"):
        edges = np.nan_to_num((channel.edges(rest) - b0) / root, nan=0.0)
    nodes = normal_panels(np.concatenate([edges, np.zeros((1, 1))], axis=1))
    G, mass = nodes.xi[0], nodes.weights[0]
    parts = [(label, mass * p.value) for label, p in zip((1.0, -1.0), channel.both(b0 + root * G, rest), strict=True)]
    if float(np.minimum(parts[0][1], parts[1][1]).sum()) < 1e-14:
        return np.inf

    def value(t: FloatArray) -> tuple[float, FloatArray]:
        total, slope = 0.0, np.zeros(2)
        for label, p in parts:
            a = label * (t[0] + t[1] * G)
            up = special.ndtr(a)
            density = np.exp(-0.5 * a * a) / np.sqrt(2 * np.pi)
            total += float(p @ ((1 + a * a) * up + a * density))
            first = p * 2 * (a * up + density) * label
            slope += np.array([first.sum(), first @ G])
        return total, slope if intercept else slope * np.array([0.0, 1.0])

    best: Any = optimize.minimize(value, np.zeros(2), jac=True, method="BFGS", options={"gtol": 1e-10, "maxiter": 500})
    return float(e.aspect * rank / best.fun) if best.fun > 1e-12 else np.inf
