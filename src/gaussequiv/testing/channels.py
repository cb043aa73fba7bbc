"""`check_channel`: draws of a label law against its moments, probabilities and derivatives of log Z."""

from __future__ import annotations

from typing import Any

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.channels.base import BinaryLabel, Channel, RealLabel
from gaussequiv.ingredients.channels.given import get
from gaussequiv.testing.contract import close, given, members, require

_STEP = 1e-4
_DRAWS = 20_000
_FIELDS = np.array([-1.2, -0.3, 0.4, 1.5])
_ERRORS = 6  # standard errors


def check_channel(channel: Any, *, seed: int = 0) -> None:
    """Check that the labels of a channel have its moments or probabilities, and that `g_out` differentiates `log_partition`.

    A class that does not inherit from a role is taken as a problem takes it. What a channel leaves out is left alone.
    Real labels: `mean_label`, `label_variance` at fixed fields, `label_moments` and `atoms` of a Gaussian field, `predict`, `parity`; a
    noiseless function of the field has no density, and its `log_partition` is left alone. Binary labels: `probability`, `threshold`,
    `direction`, `symmetric`. All: `fisher` is twice the derivative of `psi`, `bayes_error` grows with what is unknown of the field.

    Raises
    ------
    ContractError : draws differ by more than 6 standard errors; probabilities do not sum to 1; derivatives differ; something that the
        channel declares of itself is not so.

    Examples
    --------
    >>> from gaussequiv.ingredients.channels.binary import Binary
    >>> check_channel(Binary("logit", flips=0.1))
    """
    members(channel, ("task", "sample", "log_partition", "g_out"), "Channel in ingredients/channels/base.py")
    tasks = ("regression", "classification")
    require(channel.task in tasks, channel, f"task is {channel.task!r}.", f"It must be one of {', '.join(tasks)}.")
    channel = get(channel)
    wrong = f"`noise` is {channel.noise!r}."
    require(bool(np.isfinite(channel.noise) and channel.noise >= 0), channel, wrong, "It is a variance; 0 where there is none.")
    y = np.stack([_draw(channel, np.full(_DRAWS, z), seed) for z in _FIELDS])
    if isinstance(channel, BinaryLabel):
        _binary(channel, y)
        _declared(channel)
        labels = np.tile([-1.0, 1.0], 4)
    elif isinstance(channel, RealLabel):
        noiseless = _real(channel, y)
        _averaged(channel, seed)
        if noiseless:
            return
        labels = y[:, :2].ravel()
    _derivatives(channel, labels)
    _information(channel)


def _draw(channel: Channel, field: FloatArray, seed: int) -> FloatArray:
    y = np.asarray(channel.sample(np.random.default_rng(seed), field), float)
    require(y.shape == field.shape, channel, f"`sample` gives shape {y.shape} for fields of shape {field.shape}.", "Give one label each.")
    again = np.asarray(channel.sample(np.random.default_rng(seed), field), float)
    require(bool(np.array_equal(y, again)), channel, "two generators of the same seed give different labels.", "Draw from `rng` alone.")
    return y


def _binary(channel: BinaryLabel, y: FloatArray) -> None:
    told = given(lambda: channel.probability(1.0, _FIELDS, 0.7)) is not None
    require(told, channel, "it has no `probability`.", "Add what `BinaryLabel in ingredients/channels/base.py` asks for.")
    require(bool(np.all(np.abs(y) == 1)), channel, f"labels such as {y[np.abs(y) != 1][:1]} are drawn.", "Binary labels are -1 and 1.")
    up, down = (np.asarray(channel.probability(label, _FIELDS, 0.7).value) for label in (1.0, -1.0))
    close(channel, up + down, 1.0, 1e-9, _FIELDS, "at the field {at} the probabilities sum to {found}, not {expected}.", "Normalise them.")
    for said, alone, label in zip(channel.both(_FIELDS, 0.7), (up, down), ("+1", "-1"), strict=True):
        wrong = f"`both` says {{found}} of y = {label} at omega={{at}}, but `probability` is {{expected}}."
        close(channel, said.value, alone, 1e-12, _FIELDS, wrong, "Leave `both` out, or let it say P(+1) and P(-1).")
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


def _real(channel: RealLabel, y: FloatArray) -> bool:
    """Compare with the moments at fixed fields, where the channel has them; whether the label is a function of the field."""
    law, mean = given(lambda: np.asarray(channel.label_variance(_FIELDS))), given(lambda: channel.mean_label(_FIELDS))
    if law is None or mean is None:
        return bool(np.all(y == y[:, :1]))
    variance, of_mean, of_variance = _spread(y)
    wrong = f"at the field {{at}} the mean of {_DRAWS} draws is {{found}}, but `mean_label` is {{expected}}."
    mend = "`sample` and the moments must be of one law."
    close(channel, y.mean(axis=1), mean, of_mean, _FIELDS, wrong, mend)
    wrong = f"at the field {{at}} the variance of {_DRAWS} draws is {{found}}, but `label_variance` is {{expected}}."
    close(channel, variance, law, of_variance + 1e-3 * law, _FIELDS, wrong, mend)
    return bool(np.all(law == 0))


def _averaged(channel: RealLabel, seed: int) -> None:
    z = 0.3 + np.random.default_rng((seed, 1)).standard_normal(_DRAWS)
    y = _draw(channel, z, seed)
    variance, of_mean, of_variance = _spread(y[None])
    mend = "`sample` and `predict` must be of one law."
    predicted = given(lambda: channel.predict(np.array([0.3]), np.array([1.0])))
    if predicted is not None:
        wrong = "for fields ~ N({at}, 1) the mean of draws is {found}, but `predict` is {expected}."
        close(channel, y.mean(), predicted, of_mean, 0.3, wrong, mend)
    moments = given(lambda: channel.label_moments(np.array([0.3]), 1.0))
    if moments is None:
        return
    wrong = "for fields ~ N({at}, 1) the mean of draws is {found}, but `label_moments(...).mean` is {expected}."
    mend = "`sample` and `label_moments` must be of one law."
    close(channel, y.mean(), moments.mean, of_mean, 0.3, wrong, mend)
    total = moments.scatter + moments.noise
    wrong = "for fields ~ N({at}, 1) the variance of draws is {found}, but scatter + noise of `label_moments` is {expected}."
    close(channel, variance, total, of_variance + 1e-3 * total, 0.3, wrong, mend)
    parity = channel.parity(6.0)
    require(parity in ("odd", "even", "none"), channel, f"`parity(6)` is {parity!r}.", "Say 'odd', 'even' or 'none'.")
    if parity != "none":
        other = channel.label_moments(np.array([-0.3]), 1.0)
        wrong = f"`parity` is {parity!r}, but labels of fields ~ N(-{{at}}, 1) have the {{}} {{found}}, not {{expected}}."
        sign = 1.0 if parity == "even" else -1.0
        for word, mirrored, value in (("mean", sign * other.mean, moments.mean), ("variance", other.scatter + other.noise, total)):
            said = wrong.replace("{}", word)
            close(channel, mirrored, value, 1e-9 * np.sqrt(1 + total), 0.3, said, "Leave `parity` out, or give what the law has.")

    atoms = given(lambda: channel.atoms(0.3, 1.0))
    if atoms is not None:
        wrong = "the pairs of `atoms(0.3, 1)` have the mean label {found}, but `label_moments` says {expected}."
        allowed = 1e-5 * np.sqrt(1 + total)
        close(channel, atoms.mass @ atoms.label, moments.mean, allowed, 0.3, wrong, "Both are averages over one law.")


def _declared(channel: BinaryLabel) -> None:
    """Direction, symmetry and threshold of binary labels."""
    omega = np.linspace(-6.0, 6.0, 121)
    up = np.asarray(channel.up(omega, 0.7).value)
    turns = np.diff(up) * channel.direction
    wrong = f"it declares direction={channel.direction}, but P(y = 1) does not go that way all along."
    require(bool(np.all(turns >= -1e-9)), channel, wrong, "Say 1 (rising), -1 (falling) or 0.")
    if channel.symmetric:
        down = np.asarray(channel.probability(-1.0, -omega, 0.7).value)
        wrong = "it declares `symmetric`, but P(y = 1) at omega={at} is {found}, P(y = -1) at -omega {expected}."
        close(channel, up, down, 1e-9, omega, wrong, "Leave `symmetric` out.")
    place = np.asarray(channel.threshold(np.array([0.7])))
    if channel.direction == 1 and np.all(np.isfinite(place)):
        wrong = "`threshold(0.7)` is {at}, where P(y = 1) is {found}, not {expected}."
        close(channel, channel.up(place, np.array([0.7])).value, 0.5, 1e-6, place, wrong, "Both labels are equally likely there.")
    said = channel.likelier(omega, 0.7)
    clear = np.abs(up - 0.5) > 1e-6
    wrong = "`likelier` says {found} at omega={at}, where it is {expected}."
    close(channel, said[clear], np.sign(up[clear] - 0.5), 0.0, omega[clear], wrong, "It is +1 where P(y = 1) is above 1/2.")


def _information(channel: Channel) -> None:
    """fisher = 2 dPsi/dq at fixed q + V; the Bayes error falls as more of the field is known."""
    q, V, step = np.array([0.6]), np.array([0.9]), 1e-3
    ahead, behind = (given(lambda s=s: channel.psi(q + s * step, V - s * step, 0.2)) for s in (1, -1))  # type: ignore[misc]
    fisher = given(lambda: channel.fisher(q, V, 0.2))
    if ahead is not None and behind is not None and fisher is not None:
        wrong = "`fisher` is not twice the derivative of `psi` in q at fixed q + V: at q={at} it is {found}, differences give {expected}."
        slope = (ahead - behind) / step
        close(channel, fisher, slope, 1e-4 * (1e-3 + np.abs(slope)), q, wrong, "Both are averages over one law of labels.")
    known = np.array([0.3, 0.9, 1.5])
    errors = given(lambda: np.asarray(channel.bayes_error(known, 1.5 - known, np.array([0.2, 0.2, 0.2]))))
    if errors is not None:
        alone = [float(channel.bayes_error(linear, 1.5 - linear, np.array([0.2]))[0]) for linear in known.tolist()]
        wrong = "`bayes_error` of several fields says {found} of the one of linear variance {at}, of which it says {expected} alone."
        close(channel, errors, np.array(alone), 1e-7, known, wrong, "Its arguments broadcast.")
        wrong = f"`bayes_error` is {errors} where more and more of the field is known."
        require(bool(np.all(np.diff(errors) <= 1e-9)), channel, wrong, "Knowing more does not harm.")


def _derivatives(channel: Channel, y: FloatArray) -> None:
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
