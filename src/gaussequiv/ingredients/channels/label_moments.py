"""Mean, slope and variance of a real label whose field is Gaussian: all that the square loss sees of a label law."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np

from gaussequiv.errors import AccuracyWarning, ArgumentError, FloatArray
from gaussequiv.numerics.panels import legendre_panels

REACHES = (8.6, 14.0, 22.0, 37.0)  # standard deviations of the field: labels that grow like exp(field) need its far tail
PANELS = (12, 24, 48, 96, 192)
AGREED = 1e-9  # change under twice as many panels, in units of the label's standard deviation
FAR = 1e-13  # share of the outermost panels that still counts
TOLERATED = 1e-6  # estimated error from which a warning says so
ROUNDING, LEAST_SPREAD = 1e-10, 1e-140  # of a label, relative to its mean and at all: a label that does not vary has no digits
_GRADED = np.array([-8.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0, 8.0])
_BLOCK = 16  # offsets at a time


class LabelMoments(NamedTuple):
    """For a field ~ N(b0, variance), each of the shape of b0.

    mean = E y, slope = d E y/d b0 = Cov(y, field)/variance (Stein), scatter = Var E[y | field], noise = E Var[y | field];
    Var y = scatter + noise.
    """

    mean: FloatArray
    slope: FloatArray
    scatter: FloatArray
    noise: FloatArray


def quadrature_moments(channel: Any, b0: FloatArray, variance: float, width: float = 0.0) -> LabelMoments:
    """From E[y | field] and Var[y | field] by panels that end at the channel's kinks, halved until the moments stay.

    `width` is the scale on which the channel's own noise smooths its kinks.
    """
    offsets = np.asarray(b0, dtype=np.float64).ravel()
    if variance == 0:
        zero = np.zeros_like(offsets)
        return LabelMoments(channel.mean_label(offsets), zero, zero, channel.label_variance(offsets))
    parts = [_block(channel, offsets[k : k + _BLOCK], np.sqrt(variance), width) for k in range(0, offsets.size, _BLOCK)]
    found = np.concatenate(parts, axis=1)
    if not np.all(np.isfinite(found)):
        raise ArgumentError(
            f"Argument `labels` must be a law of finite mean and variance for this learner, but {channel} is not for a field of "
            f"variance {variance:.6g}."
        )
    return LabelMoments(*(part.reshape(np.shape(b0)) for part in found))


def _block(channel: Any, b0: FloatArray, root: float, width: float) -> FloatArray:
    reach = 0
    found, ends = _rule(channel, b0, root, width, REACHES[0], PANELS[0])
    while ends > FAR and reach + 1 < len(REACHES):
        reach += 1
        found, ends = _rule(channel, b0, root, width, REACHES[reach], PANELS[0] + 6 * reach)
    error = np.inf
    for count in PANELS[1:]:
        finer, _ = _rule(channel, b0, root, width, REACHES[reach], count + 6 * reach)
        spread = np.sqrt(finer[2] + finer[3]) + ROUNDING * np.abs(finer[0]) + LEAST_SPREAD
        with np.errstate(over="ignore", invalid="ignore"):
            scale = np.stack([spread + np.abs(finer[0]), spread / root, spread**2, spread**2])
            error, found = float(np.max(np.abs(finer - found) / scale)), finer
        if not error > AGREED:
            return found
    if error > TOLERATED:
        warnings.warn(
            f"The moments of the labels {channel} changed by {error:.1e} of their standard deviation under twice as many panels: "
            "declare the kinks of the law.",
            AccuracyWarning,
            stacklevel=2,
        )
    return found


@np.errstate(over="ignore", invalid="ignore")  # a law without moments is refused by name
def _rule(channel: Any, b0: FloatArray, root: float, width: float, reach: float, count: int) -> tuple[FloatArray, float]:
    """The four moments, shape (4, offsets), and the share of the two outermost panels in the second moment."""
    kinks = np.array(channel.kinks or ())
    if width > 0:
        kinks = (kinks[:, None] + width * _GRADED).ravel()
    base = np.broadcast_to(np.linspace(-reach, reach, count + 1), (b0.size, count + 1))
    own = np.clip((kinks - b0[:, None]) / root, -reach, reach)
    xi, weights = legendre_panels(np.sort(np.concatenate([base, own], axis=1), axis=1))
    weights = weights * np.exp(-0.5 * xi * xi) / np.sqrt(2 * np.pi)
    z = b0[:, None] + root * xi
    label, variance = channel.mean_label(z), channel.label_variance(z)
    mean = np.einsum("pk,pk->p", weights, label)
    centred = label - mean[:, None]
    square = weights * centred**2
    found = np.stack([mean, (weights * centred * xi).sum(axis=1) / root, square.sum(axis=1), (weights * variance).sum(axis=1)])
    far = np.abs(xi) > reach * (1 - 2 / count)
    total = square + weights * variance
    share = (total * far).sum(axis=1) / np.maximum(total.sum(axis=1), 1e-300)
    return found, float(share.max())
