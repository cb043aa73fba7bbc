"""Where message passing starts: labels that tell nothing, a first constant and signal, and starts of known overlap."""

from __future__ import annotations

import numpy as np

from gaussequiv.algorithms.message_passing.scaled_prior import ScaledPrior
from gaussequiv.errors import ArgumentError, FloatArray
from gaussequiv.ingredients.channels.base import Channel, RealLabel
from gaussequiv.ingredients.channels.gaussian import GaussianNoise

ESCAPE = 60  # steps, at most, away from a fixed point that tells nothing
SHAKE = 1e-2  # of the prior's standard deviation
BLIND = 1e-8  # of a field's inverse standard deviation: a response below is rounding
CONSTANTS = np.linspace(-10, 10, 2001)  # where the constant is sought first


def blind(channel: Channel, y: FloatArray, constant: float, V: float) -> bool:
    """Whether labels tell nothing of fields N(constant, V), by symmetry: a zero response there is no maximum of the posterior for sure."""
    g, dg = channel.g_out(y, np.full(y.size, constant), V)
    return bool(np.max(np.abs(g), initial=0.0) * np.sqrt(V) < BLIND and np.any(dg > 0))


def likelihood(channel: Channel, y: FloatArray, constant: float, V: float) -> float:
    """sum_mu log Z(y_mu; constant, V), as if nothing joined the rows; -inf where it is not a number or beyond the quadrature."""
    try:
        with np.errstate(all="ignore"):
            value = float(np.sum(channel.log_partition(y, np.full(y.size, constant), V)))
    except ArgumentError:
        return -np.inf
    return value if value < np.inf else -np.inf


def first_constant(channel: Channel, y: FloatArray, V: float) -> float:
    """A constant field that gives real labels nearly their mean, the smallest of the nearest; 0 if likelier, for fields of variance V."""
    mean = float(y.mean())
    if not isinstance(channel, RealLabel) or isinstance(channel, GaussianNoise):
        return mean
    fields = np.append(CONSTANTS, mean)
    with np.errstate(all="ignore"):  # the mean may lie far outside the label function's domain
        labels = np.concatenate([channel.mean_label(CONSTANTS), channel.mean_label(np.array([mean]))])
        gap = np.nan_to_num(np.abs(labels - mean), nan=np.inf)
    found = float(fields[np.lexsort((np.abs(fields), gap))[0]])
    return 0.0 if likelihood(channel, y, 0.0, V) > likelihood(channel, y, found, V) else found


def first_signal(channel: Channel, y: FloatArray, intercept: bool) -> float:
    """The likeliest variance of the rows' fields, up to a factor of 2, climbing from 1."""
    some = y[:: max(1, y.size // 1000)]

    def score(V: float) -> float:
        return likelihood(channel, some, first_constant(channel, some, V) if intercept else 0.0, V)

    best, reached = 1.0, score(1.0)
    for factor in (2.0, 0.5):
        while 2.0**-60 < best < 2.0**60 and (next_one := score(factor * best)) > reached:
            best, reached = factor * best, next_one
    return best


def side_information(law: ScaledPrior, target: FloatArray, precision: float, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Means and variances given b = A theta + sqrt(A) z at A = precision/E theta^2: a start of known overlap with the true theta."""
    moment = np.broadcast_to(law.second_moment, target.shape)
    A = np.divide(precision, moment, out=np.zeros(target.shape), where=moment > 0)
    found = law.posterior(A, A * target + np.sqrt(A) * rng.standard_normal(target.shape))
    return found.mean, np.asarray(found.variance)
