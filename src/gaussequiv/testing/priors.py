"""`check_prior`: the draws of a prior and the posterior under a Gaussian observation."""

from __future__ import annotations

import numpy as np

from gaussequiv.ingredients.priors.base import Prior
from gaussequiv.ingredients.priors.named import get
from gaussequiv.testing.contract import close, given, members, require

_STEP = 1e-4
_DRAWS = 40_000
_LARGEST_GRID = 2_000_000


def check_prior(prior: Prior, *, seed: int = 0) -> None:
    """Check that posterior, moments, marginal and draws of a prior belong to one law.

    Raises
    ------
    ContractError : the posterior's mean and variance are not the derivatives of log Z(A, b) in b; E x^2 is not that of the posterior at
        A = b = 0, or not that of the draws within 6 standard errors; `log_marginal` has another mass than 1 or is not that of log Z; draws
        beyond `largest`; a `mixture` of another mass or second moment. `name`, `breaks` and `mixture` may be left out.

    Examples
    --------
    >>> from gaussequiv.ingredients.priors.named import GaussBernoulli
    >>> check_prior(GaussBernoulli(0.2))
    """
    wanted = ("second_moment", "largest", "sample", "posterior", "log_marginal")
    members(prior, wanted, "Prior in ingredients/priors/base.py")
    prior = get(prior)
    A, b = np.array([0.5, 2.0, 5.0])[:, None], np.linspace(-3.05, 3.0, 14)[None, :]
    found, up, down = (prior.posterior(A, b + shift) for shift in (0.0, _STEP, -_STEP))
    for name, value in found._asdict().items():
        shape = np.shape(value)
        require(shape == (3, 14), prior, f"`posterior` gives `{name}` of shape {shape} instead of (3, 14).", "Let A and b broadcast.")
    mean = (up.log_partition - down.log_partition) / (2 * _STEP)
    wrong = "the posterior's mean is not d log Z/db: at b={at} it is {found}, differences of `log_partition` give {expected}."
    close(prior, found.mean, mean, 1e-5 * (1 + np.abs(mean)), b, wrong, "Z(A, b) = E exp(b x - A x^2/2); differentiate its log in b.")
    variance = (up.mean - down.mean) / (2 * _STEP)
    wrong = "the posterior's variance is not d mean/db: at b={at} it is {found}, differences of the mean give {expected}."
    close(prior, found.variance, variance, 1e-5 * (1 + np.abs(variance)), b, wrong, "It is the second derivative of log Z in b.")
    _moments(prior, seed)
    for r in (0.5, 4.0):
        _marginal(prior, r)
        require(np.ndim(prior.breaks(r)) == 1, prior, f"`breaks({r})` has {np.ndim(prior.breaks(r))} dimensions.", "Give a flat array.")
    _mixture(prior)


def _mixture(prior: Prior) -> None:
    found = given(lambda: prior.mixture(np.zeros((1, 1)), np.ones(1)))
    if found is None:
        return
    mass, mean, variance = np.broadcast_arrays(*found)
    wrong = "the masses of `mixture` sum to {found} instead of {expected}."
    close(prior, mass.sum(), 1.0, 1e-7, 0.0, wrong, "They are probabilities.")
    wrong = "`mixture` has E x^2 = {found}, but `second_moment` is {expected}."
    second = (mass * (mean**2 + variance)).sum()
    close(prior, second, prior.second_moment, 1e-6 * prior.second_moment, 0.0, wrong, "Both are moments of the same law.")


def _moments(prior: Prior, seed: int) -> None:
    alone = prior.posterior(0.0, np.zeros(1))
    second = float(alone.variance[0] + alone.mean[0] ** 2)
    wrong = "`second_moment` is {found}, but the posterior without an observation (A = b = 0) has E x^2 = {expected}."
    close(prior, prior.second_moment, second, 1e-6 * second, 0.0, wrong, "Both are moments of the same law.")
    x = prior.sample(np.random.default_rng(seed), _DRAWS)
    require(np.shape(x) == (_DRAWS,), prior, f"`sample(rng, {_DRAWS})` gives shape {np.shape(x)}.", "Give `size` draws.")
    again = prior.sample(np.random.default_rng(seed), _DRAWS)
    require(bool(np.array_equal(x, again)), prior, "two generators of the same seed give different draws.", "Draw from `rng` alone.")
    for values, expected, name in ((x, float(alone.mean[0]), "x"), (x * x, prior.second_moment, "x^2")):
        allowed = 6 * float(np.std(values)) / np.sqrt(_DRAWS) + 1e-9
        wrong = f"the mean of {name} over {_DRAWS} draws is {{found}}, but the law says {{expected}} (6 standard errors are {allowed:.2g})."
        close(prior, values.mean(), expected, allowed, 0.0, wrong, "`sample` must draw from the law that `posterior` knows.")
    size = float(np.abs(x).max())
    wrong = f"a draw has |x| = {size:.6g}, beyond `largest` = {prior.largest:.6g}."
    require(size <= prior.largest * (1 + 1e-9), prior, wrong, "`largest` bounds the law to double precision.")


def _marginal(prior: Prior, r: float) -> None:
    reach, step = r * prior.largest + 10 * np.sqrt(r), 0.1 * np.sqrt(r)  # the density is smooth on the scale sqrt(r)
    count = 2 * int(np.ceil(reach / step)) + 1
    require(count <= _LARGEST_GRID, prior, f"`largest` = {prior.largest:.3g} is too large to integrate.", "Measure weights in other units.")
    b = np.linspace(-reach, reach, count)
    mass = float(np.exp(prior.log_marginal(r, b)).sum() * (b[1] - b[0]))
    wrong = f"`log_marginal` at r = {r:g} integrates to {{found}} over b instead of {{expected}}."
    close(prior, mass, 1.0, 1e-6, r, wrong, "It is log Z(r, b) - b^2/(2 r) - log(2 pi r)/2.")
    b = np.linspace(-4.0, 4.0, 17)
    direct = prior.posterior(r, b).log_partition - b * b / (2 * r) - 0.5 * np.log(2 * np.pi * r)
    wrong = "`log_marginal` is not log Z - b^2/(2 r) - log(2 pi r)/2: at b={at} it is {found}, not {expected}."
    close(prior, prior.log_marginal(r, b), direct, 1e-7 * (1 + np.abs(direct)), b, wrong, "Both must use the same normalised law.")
