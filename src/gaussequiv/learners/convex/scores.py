"""What a convex learner's order parameters say about its errors, losses, probabilities and ranking, all one-dimensional averages."""

from __future__ import annotations

from typing import Any

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.channels.binary import sign_error
from gaussequiv.learners.convex.averages import Fields
from gaussequiv.numerics.panels import Nodes, normal_about, normal_panels, running_integral, sign_changes

Observables = dict[str, FloatArray]
_SMALL = 1e-9  # the Moreau envelope at this V shows the kinks of the loss itself
_CROSSINGS = 2  # times that panels are ended where the two probabilities cross


def classification_scores(loss: Any, channel: Any, classes: Any, at: Fields, rho: float) -> Observables:
    """Observables of a student on labels -1 and +1, one entry for each point; rho is the target field's variance, label noise apart.

    test_loss is the mean of the loss on fresh rows, train_loss the mean of the weighted loss on the training rows.
    """
    full = np.full_like(at.q, rho)
    train_loss, train_error = training_scores(loss, channel, classes, at)
    out = {
        "test_error": channel.disagreement(at.c, at.q, at.m, at.b0, full),
        "clean_error": sign_error(at.c, at.q, at.m, at.b0, full),
        "train_error": train_error,
        "test_loss": _test_loss(loss, channel, at),
        "train_loss": train_loss,
        "auc": area_under_curve(channel, at),
    }
    if loss.gives_probability:
        out |= probability_scores(loss, channel, at)
    return out


def regression_scores(loss: Any, noise: float, at: Fields, weights: Any) -> Observables:
    """Observables of a student on real labels with Gaussian noise of variance `noise`; `weights` as in `averages`."""
    clean = at.misfit + (at.c - at.b0) ** 2
    sigma, mu = np.sqrt(at.misfit + noise), at.c - at.b0

    r, fresh = normal_about(mu, sigma, loss.breaks(np.full_like(at.V, _SMALL)))
    train_error, train_loss = np.zeros_like(at.q), np.zeros_like(at.q)
    for weight, fraction in weights:
        V = weight * at.V
        s, seen = normal_about(mu, sigma, loss.breaks(V))
        fitted = s + V[:, None] * loss.proximal(0.0, s, V[:, None])[0]
        train_error += fraction * (seen.weights * fitted**2).sum(axis=1)
        train_loss += fraction * weight * (seen.weights * loss.value(0.0, fitted)).sum(axis=1)
    return {
        "test_error": clean + noise,
        "clean_error": clean,
        "train_error": train_error,
        "test_loss": (fresh.weights * loss.value(0.0, r)).sum(axis=1),
        "train_loss": train_loss,
    }


def score_nodes(channel: Any, at: Fields, omega_breaks: FloatArray | None = None) -> tuple[Nodes, FloatArray, FloatArray]:
    """Nodes that resolve the channel and the given places in omega; omega itself and the target field's mean there."""
    root = np.sqrt(at.q)[:, None]
    slope = at.m[:, None] / root
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):  # ends beyond the largest number are beyond the last panel
        edges = (channel.edges(at.rest) - at.b0[:, None]) / slope
        if omega_breaks is not None:
            edges = np.concatenate([(omega_breaks - at.c[:, None]) / root, edges], axis=1)
    nodes = normal_panels(np.nan_to_num(edges, nan=0.0))
    return nodes, at.c[:, None] + root * nodes.xi, at.b0[:, None] + slope * nodes.xi


def own_breaks(loss: Any, label: float, breaks: FloatArray) -> FloatArray:
    """Places in omega of breaks in the loss's own variable."""
    return label * breaks if loss.kind == "margin" else label + breaks


def _test_loss(loss: Any, channel: Any, at: Fields) -> FloatArray:
    total = np.zeros_like(at.q)
    for label in (1.0, -1.0):
        if loss.tilts:  # the normal weight times exp(-y omega) is a normal weight about c - y q
            nodes, _, target = score_nodes(channel, at._replace(b0=at.b0 - label * at.m))
            mass = (nodes.weights * channel.probability(label, target, at.rest[:, None]).value).sum(axis=1)
            with np.errstate(over="ignore"):
                total += np.exp(0.5 * at.q - label * at.c + np.log(np.maximum(mass, 1e-300)))
            continue
        nodes, omega, target = score_nodes(channel, at, own_breaks(loss, label, loss.breaks(np.full_like(at.V, _SMALL))))
        mass = nodes.weights * channel.probability(label, target, at.rest[:, None]).value
        total += _average(mass, loss.value, label, omega)
    return total


def _average(mass: FloatArray, value: Any, label: float, z: FloatArray) -> FloatArray:
    """Sum of mass times value(label, z); a loss that overflows where no row is adds nothing."""
    with np.errstate(over="ignore", invalid="ignore"):
        summed: FloatArray = np.where(mass > 0, mass * value(label, z), 0.0).sum(axis=1)
    return summed


def training_scores(loss: Any, channel: Any, classes: Any, at: Fields) -> tuple[FloatArray, FloatArray]:
    """Mean weighted loss and misclassification on the training rows, where the student's field is the proximal point."""
    total, wrong = np.zeros_like(at.q), np.zeros_like(at.q)
    for label, weight, factor in classes:
        V = weight * at.V
        zero = V * loss.slope(label, np.zeros_like(V))  # the prox vanishes where omega = V l'(0)
        breaks = np.concatenate([own_breaks(loss, label, loss.breaks(V)), np.clip(zero, -1e300, 1e300)[:, None]], axis=1)
        nodes, omega, target = score_nodes(channel, at, breaks)
        p = factor * nodes.weights * channel.probability(label, target, at.rest[:, None]).value
        fitted = omega + V[:, None] * loss.proximal(label, omega, V[:, None])[0]
        total += weight * _average(p, loss.value, label, fitted)
        wrong += (p * (label * (omega - zero[:, None]) < 0)).sum(axis=1)
    return total, wrong


def area_under_curve(channel: Any, at: Fields) -> FloatArray:
    """P(score of a +1 row > score of a -1 row) on fresh rows."""
    nodes, _, target = score_nodes(channel, at)
    up = channel.up(target, at.rest[:, None]).value
    down = channel.down(target, at.rest[:, None]).value
    below = running_integral(nodes, down)
    positive, negative = (nodes.weights * up).sum(axis=1), (nodes.weights * down).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (nodes.weights * up * below).sum(axis=1) / (positive * negative)


def probability_scores(loss: Any, channel: Any, at: Fields) -> Observables:
    """Log-loss, Brier score and expected calibration error E|p(z) - P(y=+1|z)| of the probability that the loss implies."""
    breaks = loss.breaks(np.full_like(at.V, _SMALL))
    for _ in range(_CROSSINGS):
        nodes, omega, target = score_nodes(channel, at, breaks)
        gap = loss.probability(omega) - channel.up(target, at.rest[:, None]).value
        breaks = np.concatenate([breaks, at.c[:, None] + np.sqrt(at.q)[:, None] * sign_changes(nodes.xi, gap)], axis=1)
    nodes, omega, target = score_nodes(channel, at, breaks)
    up = channel.up(target, at.rest[:, None]).value
    gap = loss.probability(omega) - up
    down = channel.down(target, at.rest[:, None]).value
    log_loss = up * loss.value(1.0, omega) + down * loss.value(-1.0, omega)
    return {
        "log_loss": (nodes.weights * log_loss).sum(axis=1),
        "brier": (nodes.weights * (gap**2 + up * down)).sum(axis=1),
        "calibration_error": (nodes.weights * np.abs(gap)).sum(axis=1),
    }
