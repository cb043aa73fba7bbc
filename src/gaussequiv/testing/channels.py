"""`check_channel`: draws of a label law against its moments, probabilities and derivatives of log Z."""

from __future__ import annotations

from typing import Any

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.testing.contract import close, members, require

_STEP = 1e-4
_DRAWS = 20_000
_FIELDS = np.array([-1.2, -0.3, 0.4, 1.5])
_ERRORS = 6  # standard errors


def check_channel(channel: Any, *, seed: int = 0) -> None:
    """Check that the labels of a channel have its moments or probabilities, and that `g_out` differentiates `log_partition`.

    Real labels: `mean_label`, `label_variance` at fixed fields and `label_moments` of a Gaussian field, each where the channel has it.
    Binary labels: `probability`. A noiseless function of the field has no density, and its `log_partition` is left alone.

    Raises
    ------
    ContractError : draws differ by more than 6 standard errors; probabilities do not sum to 1; derivatives differ.

    Examples
    --------
    >>> from gaussequiv.ingredients.channels.binary import Binary
    >>> check_channel(Binary("logit", flips=0.1))
    """
    members(channel, ("task", "noise", "sample", "log_partition", "g_out"), "Channel in ingredients/channels/base.py")
    tasks = ("regression", "classification")
    require(channel.task in tasks, channel, f"task is {channel.task!r}.", f"It must be one of {', '.join(tasks)}.")
    y = np.stack([_draw(channel, np.full(_DRAWS, z), seed) for z in _FIELDS])
    if channel.task == "classification":
        _binary(channel, y)
        labels = np.tile([-1.0, 1.0], 4)
    else:
        noiseless = _real(channel, y)
        _averaged(channel, seed)
        if noiseless:
            return
        labels = y[:, :2].ravel()
    _derivatives(channel, labels)


def _draw(channel: Any, field: FloatArray, seed: int) -> FloatArray:
    y = np.asarray(channel.sample(np.random.default_rng(seed), field), float)
    require(y.shape == field.shape, channel, f"`sample` gives shape {y.shape} for fields of shape {field.shape}.", "Give one label each.")
    again = np.asarray(channel.sample(np.random.default_rng(seed), field), float)
    require(bool(np.array_equal(y, again)), channel, "two generators of the same seed give different labels.", "Draw from `rng` alone.")
    return y


def _binary(channel: Any, y: FloatArray) -> None:
    members(channel, ("probability",), "Binary in ingredients/channels/binary.py")
    require(bool(np.all(np.abs(y) == 1)), channel, f"labels such as {y[np.abs(y) != 1][:1]} are drawn.", "Binary labels are -1 and 1.")
    up, down = (np.asarray(channel.probability(label, _FIELDS, 0.7).value) for label in (1.0, -1.0))
    close(channel, up + down, 1.0, 1e-9, _FIELDS, "at the field {at} the probabilities sum to {found}, not {expected}.", "Normalise them.")
    wrong = "`log_partition` of y = 1 at omega={at} is the logarithm of {found}, but `probability` is {expected}."
    found = np.exp(channel.log_partition(np.ones(4), _FIELDS, 0.7))
    close(channel, found, up, 1e-8, _FIELDS, wrong, "Both are E P(y | z), z ~ N(omega, V).")
    p = np.asarray(channel.probability(1.0, _FIELDS, 0.0).value)
    allowed = _ERRORS * np.sqrt(p * (1 - p) / _DRAWS) + 1e-9
    wrong = f"at the field {{at}} the share of y = 1 among {_DRAWS} draws is {{found}}, but `probability` is {{expected}}."
    close(channel, (y == 1).mean(axis=1), p, allowed, _FIELDS, wrong, "`sample` and `probability` must be of one law.")


def _spread(y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Variance of the draws, allowed deviation of mean and of variance."""
    variance = y.var(axis=-1)
    fourth = ((y - y.mean(axis=-1, keepdims=True)) ** 4).mean(axis=-1)
    of_mean = _ERRORS * np.sqrt(variance / y.shape[-1]) + 1e-9
    return variance, of_mean, _ERRORS * np.sqrt(np.maximum(fourth - variance**2, 0) / y.shape[-1]) + 1e-9


def _real(channel: Any, y: FloatArray) -> bool:
    """Compare with the moments at fixed fields, where the channel has them; whether the label is a function of the field."""
    if not (hasattr(channel, "mean_label") and hasattr(channel, "label_variance")):
        return bool(np.all(y == y[:, :1]))
    variance, of_mean, of_variance = _spread(y)
    law = np.asarray(channel.label_variance(_FIELDS))
    wrong = f"at the field {{at}} the mean of {_DRAWS} draws is {{found}}, but `mean_label` is {{expected}}."
    mend = "`sample` and the moments must be of one law."
    close(channel, y.mean(axis=1), channel.mean_label(_FIELDS), of_mean, _FIELDS, wrong, mend)
    wrong = f"at the field {{at}} the variance of {_DRAWS} draws is {{found}}, but `label_variance` is {{expected}}."
    close(channel, variance, law, of_variance + 1e-3 * law, _FIELDS, wrong, mend)
    return bool(np.all(law == 0))


def _averaged(channel: Any, seed: int) -> None:
    if not hasattr(channel, "label_moments"):
        return
    z = 0.3 + np.random.default_rng((seed, 1)).standard_normal(_DRAWS)
    y = _draw(channel, z, seed)
    moments = channel.label_moments(np.array([0.3]), 1.0)
    variance, of_mean, of_variance = _spread(y[None])
    wrong = "for fields ~ N({at}, 1) the mean of draws is {found}, but `label_moments(...).mean` is {expected}."
    mend = "`sample` and `label_moments` must be of one law."
    close(channel, y.mean(), moments.mean, of_mean, 0.3, wrong, mend)
    total = moments.scatter + moments.noise
    wrong = "for fields ~ N({at}, 1) the variance of draws is {found}, but scatter + noise of `label_moments` is {expected}."
    close(channel, variance, total, of_variance + 1e-3 * total, 0.3, wrong, mend)


def _derivatives(channel: Any, y: FloatArray) -> None:
    omega = np.repeat(_FIELDS, 2)
    g, dg = channel.g_out(y, omega, 0.7)
    up, down = (channel.log_partition(y, omega + shift, 0.7) for shift in (_STEP, -_STEP))
    slope = (up - down) / (2 * _STEP)
    wrong = "`g_out` is not d log Z/d omega: at omega={at} it is {found}, differences of `log_partition` give {expected}."
    close(channel, g, slope, 1e-5 * (1 + np.abs(slope)), omega, wrong, "Check signs and the total variance V + noise.")
    ahead, behind = (channel.g_out(y, omega + shift, 0.7)[0] for shift in (_STEP, -_STEP))
    bend = (ahead - behind) / (2 * _STEP)
    wrong = "the second value of `g_out` is not dg/d omega: at omega={at} it is {found}, differences of g give {expected}."
    close(channel, dg, bend, 1e-5 * (1 + np.abs(bend)), omega, wrong, "Differentiate g once more in omega.")
