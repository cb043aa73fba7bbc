"""The Gaussian equivalent of ONE sampled target and ONE sampled set of random features, as papers print it: no average over weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg

from gaussequiv._progress import progress_bar
from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.features.base import RandomFeatures
from gaussequiv.ingredients.targets.deep_network import DeepNetwork
from gaussequiv.learners.base import curve_of
from gaussequiv.problems.supervised.axis import WORDS
from gaussequiv.problems.supervised.description import Problem
from gaussequiv.reproduce.paper import Check
from gaussequiv.results import dataset
from gaussequiv.run.provenance import provenance, warn_unconverged

if TYPE_CHECKING:
    import xarray as xr

INSTANCES = 20
WITHIN = 3.0  # standard deviations between instances within which a printed instance agrees


def instances(
    problem: Problem, alpha: ArrayLike, d: int, seed: int, observables: tuple[str, ...] = ("test_error",), progress: bool | None = None
) -> xr.Dataset:
    """Curves of 20 instances of a problem with random features and one learner, dimensions (instance, alpha); rho(instance) beside them.

    Examples
    --------
    >>> from gaussequiv.learners.convex.ridge import Ridge
    >>> problem = Problem(DeepNetwork("sign"), features=RandomFeatures("erf"), learner=Ridge(0.1))
    >>> dict(instances(problem, [1.0, 2.0], d=20, seed=0)["test_error"].sizes)
    {'instance': 20, 'alpha': 2}
    """
    grid = np.asarray(alpha, dtype=np.float64)
    curves, rho = [], []
    for i in progress_bar(range(INSTANCES), "instances", progress):
        e = instance(problem.target, problem.features, np.random.default_rng((seed, i)), d)
        curves.append(curve_of(problem.learners[0], e, grid))
        rho.append(e.rho)
    names = (*observables, "status", "steps", "residual")
    variables: dict[str, Any] = {name: (("instance", "alpha"), np.stack([curve[name] for curve in curves])) for name in names}
    variables["rho"] = (("instance",), np.array(rho))
    call = {"d": d, "instances": INSTANCES, "seed": seed}
    attributes = provenance(problem, "instances", call) | {"source": "theory of single instances", "d": d}
    out = dataset(variables, {"alpha": grid, "instance": np.arange(INSTANCES)}, attributes, WORDS | curves[-1].labels)
    warn_unconverged(out)
    return out


def check_instance(drawn: xr.Dataset, observable: str, alpha: float, printed: float, name: str, source: str, scale: float = 1.0) -> Check:
    """A printed instance against the mean of the drawn ones; the tolerance is `WITHIN` standard deviations, times `scale`."""
    values = drawn[observable].sel(alpha=alpha, method="nearest").values
    spread = scale * float(np.std(values, ddof=1))
    words = f"{source}; tolerance: {WITHIN:g} standard deviations ({spread:.2g}) of {values.size} instances"
    return Check(name, printed, float(values.mean()), WITHIN * spread, words)


def instance(target: DeepNetwork, features: RandomFeatures, rng: np.random.Generator, d: int) -> GaussianEquivalent:
    r"""Covariances of one draw of all weights, isotropic Gaussian inputs, linearised layer by layer.

        Psi_l = kappa1^2 W_l' Psi_{l-1} W_l + kappa*^2 I,   Omega_l = kappa1^2 F_l' Omega_{l-1} F_l + kappa*^2 I,   Phi = prod kappa1 W_l,

    kappa1 and kappa* at the limit's variances (Loureiro et al. 2021, Sec. 3; Schroeder, Cui, Dmitriev, Loureiro 2023, eq. 10-11). Centred
    activations, no biases. Validity: replica result / conjecture.

    Examples
    --------
    >>> e = instance(DeepNetwork("sign"), RandomFeatures("erf"), np.random.default_rng(0), 50)
    >>> e.eigenvalues.shape, bool(0.7 < e.rho < 1.3)
    ((50,), True)
    """
    network, student = target.sample(rng, d), features.sample(rng, d)
    direction, noise = network.readout, []
    for (slope, rest), weight in zip(reversed(_moments(target)), reversed(network.weights), strict=True):
        noise.append(rest * float(direction @ direction))
        direction = slope * (weight @ direction)
    linear = np.eye(d)
    covariance: FloatArray | None = None
    eigenvalues, mass, overlap = np.ones(d), np.full(d, 1 / d), direction**2 * d
    k = d
    if features.depth == 1:  # Omega = kappa1^2 F'F + kappa*^2 I: the smaller Gram matrix has the same modes
        ((slope, rest),) = _moments(features)
        weight = student.weights[0]
        k = weight.shape[1]
        values, vectors = linalg.eigh(weight @ weight.T)
        values, vectors = np.maximum(values[-min(k, d) :], 0.0), vectors[:, -min(k, d) :]
        eigenvalues = slope**2 * values + rest
        overlap = k * slope**2 * values * (vectors.T @ direction) ** 2
        mass = np.full(values.size, 1 / k)
        if k > d:
            eigenvalues, overlap, mass = np.append(eigenvalues, rest), np.append(overlap, 0.0), np.append(mass, 1 - d / k)
    else:
        for (slope, rest), weight in zip(_moments(features), student.weights, strict=True):
            below = weight if covariance is None else covariance @ weight
            covariance = slope**2 * (weight.T @ below)
            covariance.flat[:: covariance.shape[0] + 1] += rest
            linear = slope * (linear @ weight)
        if covariance is not None:
            k = covariance.shape[0]
            eigenvalues, vectors = linalg.eigh(covariance, overwrite_a=True, driver="evd")
            overlap, mass = k * (vectors.T @ (linear.T @ direction)) ** 2, np.full(k, 1 / k)
    return GaussianEquivalent(
        eigenvalues=eigenvalues,
        weights=mass,
        alignment=overlap,
        signal_variance=float(direction @ direction),
        effective_noise=np.array(noise[::-1]),
        offset_variance=0.0,
        channel=target.channel,
        aspect=k / d,
    )


def _moments(network: DeepNetwork | RandomFeatures) -> list[tuple[float, float]]:
    """(kappa1, kappa*^2) of every layer at isotropic unit inputs."""
    out, variance = [], 1.0
    for phi, w in zip(network.layers, network.weight_variance, strict=True):
        coefficients = phi.coefficients(w * variance)
        out.append((coefficients.kappa1, coefficients.kappa_star**2))
        variance = phi.dual(w * variance, 0.0).second
    return out
