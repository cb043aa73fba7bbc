r"""Averages of the saddle point for real labels y = f(field) + sqrt(noise) z, and what is observed there.

Given the target field nu ~ N(b0, rho), the residual r = omega - y is Gaussian of mean c + (m/rho)(nu - b0) - f(nu) and variance
q - m^2/rho + noise: an outer rule over nu, an inner one over r. By Stein, E Z0' g = (E[(nu - b0) g] + m E[-dg/domega])/rho.
Derivatives: central differences.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.learners.convex.averages import FIELD, RESPONSE, SCORE, SQUARE, Averages, Fields
from gaussequiv.numerics.panels import normal_panels

STEP = 1e-5


def output_averages(loss: Any, channel: Any, at: Fields, rho: float) -> Averages:
    """Values and derivatives, as in `averages`."""
    value = _values(loss, channel, at, rho)
    jacobian = np.zeros((at.V.size, 4, 6))
    for k, name in enumerate(("V", "q", "m", "c", "rho", "b0")):
        now = rho * np.ones_like(at.V) if name == "rho" else getattr(at, name)
        step = STEP * np.where(np.abs(now) > 0, np.abs(now), 1.0) if name in ("V", "q", "rho") else np.full_like(now, STEP * np.sqrt(rho))
        up, down = (_moved(at, rho, name, sign * step) for sign in (1, -1))
        jacobian[:, :, k] = (_values(loss, channel, *up) - _values(loss, channel, *down)) / (2 * step[:, None])
    return Averages(value, jacobian)


def _moved(at: Fields, rho: float, name: str, step: FloatArray) -> tuple[Fields, FloatArray]:
    """The fields with one scalar moved, `rest` and rho following."""
    full = rho * np.ones_like(at.V)
    if name == "rho":
        return at._replace(rest=at.rest + step), full + step
    moved = at._replace(**{name: getattr(at, name) + step})
    if name in ("q", "m"):
        moved = moved._replace(rest=np.maximum(at.rest + at.m**2 / at.q - moved.m**2 / moved.q, 0.0))
    return moved, full


def residuals(loss: Any, channel: Any, at: Fields, rho: FloatArray | float, V: FloatArray) -> tuple[FloatArray, ...]:
    """nu - b0, f(nu), r and joint weights, all of shape (points, outer, inner), with panels at the breaks of the loss at V."""
    full = np.broadcast_to(np.asarray(rho, float), at.V.shape)
    nu, outer = channel.nodes(at.b0, full, 8)
    f = channel(nu)
    centred = nu - at.b0[:, None]
    mean = at.c[:, None] + (at.m / full)[:, None] * centred - f
    sigma = np.sqrt(at.rest * at.q / full + channel.noise)
    with np.errstate(divide="ignore", invalid="ignore"):
        edges = (loss.breaks(V)[:, None, :] - mean[:, :, None]) / sigma[:, None, None]
    inner = normal_panels(np.nan_to_num(edges.reshape(mean.size, -1), nan=0.0), 12)
    shape = (*mean.shape, -1)
    r = mean[:, :, None] + sigma[:, None, None] * inner.xi.reshape(shape)
    return centred[:, :, None], f[:, :, None], r, outer[:, :, None] * inner.weights.reshape(shape)


def _values(loss: Any, channel: Any, at: Fields, rho: FloatArray | float) -> FloatArray:
    out = np.empty((at.V.size, 4))
    for i in range(at.V.size):  # one point at a time: the rule is two-dimensional
        one = at.take(slice(i, i + 1))
        own = rho if np.ndim(rho) == 0 else np.asarray(rho)[i : i + 1]
        centred, _, r, mass = residuals(loss, channel, one, own, one.V)
        g, h = loss.proximal(0.0, r, one.V[:, None, None])
        out[i, SQUARE], out[i, SCORE] = np.sum(mass * g * g), np.sum(mass * g)
        out[i, RESPONSE] = -np.sum(mass * h)
        out[i, FIELD] = (np.sum(mass * centred * g) + one.m[0] * out[i, RESPONSE]) / float(np.squeeze(own))
    return out


def output_scores(loss: Any, channel: Any, at: Fields, rho: float) -> dict[str, FloatArray]:
    """test_error and clean_error (squared), train_error, test_loss, train_loss."""
    names = ("test_error", "clean_error", "train_error", "test_loss", "train_loss")
    out = {name: np.empty(at.V.size) for name in names}
    for i in range(at.V.size):
        one = at.take(slice(i, i + 1))
        _, _, r, mass = residuals(loss, channel, one, rho, np.full(1, 1e-9))
        out["test_error"][i] = np.sum(mass * r * r)
        out["clean_error"][i] = out["test_error"][i] - channel.noise
        out["test_loss"][i] = np.sum(mass * loss.value(0.0, r))
        _, _, r, mass = residuals(loss, channel, one, rho, one.V)
        fitted = r + one.V[:, None, None] * loss.proximal(0.0, r, one.V[:, None, None])[0]
        out["train_error"][i] = np.sum(mass * fitted**2)
        out["train_loss"][i] = np.sum(mass * loss.value(0.0, fitted))
    return out
