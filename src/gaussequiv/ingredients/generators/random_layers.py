r"""`RandomGenerator`: x = f_L(F_L h_{L-1}/sqrt(D)), h_l = f_l(F_l h_{l-1}/sqrt(D)), h_0 = c, with Gaussian F; no layer: x = c."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np

from gaussequiv._memory import FLOAT, require_memory
from gaussequiv.errors import ArgumentError, FloatArray, choice, integer, number
from gaussequiv.ingredients.activations.base import Activation
from gaussequiv.ingredients.activations.base import get as get_activation
from gaussequiv.ingredients.activations.dual_kernels import get as kernel_of
from gaussequiv.ingredients.activations.neurons import neuron_moments
from gaussequiv.ingredients.generators.base import DrawnGenerator, Generator, GeneratorMoments

COVARIANCES = ("gaussian", "linear")
STEP = 0.05  # of a field's mean, in its deviations, for the slopes of slopes


@dataclass(frozen=True, eq=False)
class RandomGenerator(Generator):
    r"""A network of Gaussian weights from D latents to N outputs; hidden layers have D units.

    Parameters
    ----------
    activations : str, function, `Activation`, or sequence of them
        One for each layer; none, ``()``, is x = c: independent Gaussian inputs.
    latent_ratio : float in (0, infinity)
        delta = D/N; 1 where there is no layer.
    covariance : "gaussian" or "linear"
        How a layer's covariance follows from that of its fields: as that of Gaussian fields, or by the linear recursion of the literature,
        S = diag(f') P diag(f') with its diagonal reset to Var f: an approximation, right as D grows.

    Moments given the weights: with P = F S F' the covariance of a layer's fields and m = F E h their mean (S that of the layer below; 1 and
    0 at the latents),

        S_ij = E f(u_i) f(u_j) - E f(u_i) E f(u_j),   Phi_l = diag(E f'(u_i)) F_l Phi_{l-1},   u ~ N(m, P),

    exact for one layer. Deeper fields are Gaussian only as D grows. Where they have a mean (above an activation that is not odd), S is a
    series in their correlations, about D^(-1/2), to third order, with the exact diagonal.

    Source: Goldt, Loureiro, Reeves, Krzakala, Mezard, Zdeborova 2020, section 2; the covariance of signs is the arcsine law.

    Examples
    --------
    >>> drawn = RandomGenerator("sign", latent_ratio=0.5).draw(100, np.random.default_rng(0))
    >>> drawn.latent_dim, drawn.moments().omega.shape
    (50, (100, 100))
    """

    activations: Any = ("sign",)
    latent_ratio: float = 0.5
    covariance: str = "gaussian"

    def __post_init__(self) -> None:
        given = self.activations
        several = isinstance(given, Sequence) and not isinstance(given, str)
        layers = tuple(get_activation(one) for one in (given if several else [given]))
        object.__setattr__(self, "activations", layers)
        object.__setattr__(self, "latent_ratio", number("latent_ratio", self.latent_ratio, positive=True) if layers else 1.0)
        choice("covariance", self.covariance, COVARIANCES)

    def __str__(self) -> str:
        names = ", ".join(one.name for one in self.activations)
        return f"random generator, {names}, D/N = {self.latent_ratio:g}" if names else "Gaussian latents themselves"

    def latents_at(self, size: int) -> int:
        """D at N = size."""
        return max(round(self.latent_ratio * size), 1)

    def draw(self, size: int, rng: np.random.Generator) -> DrawnGenerator:
        N = integer("N", size, minimum=1, meaning="N is the dimension of the inputs.")
        D = self.latents_at(N)
        if self.activations:  # else nobody needs matrices
            require_memory(6.0 * FLOAT * N * (N + D), "N", N, "the generator and its covariances")
        widths = [D] * len(self.activations) + [N]
        weights = [rng.standard_normal((widths[i + 1], D)) / np.sqrt(D) for i in range(len(self.activations))]
        return DrawnLayers(self.activations, weights, N, D, self.covariance == "linear")

    def to_dict(self) -> dict[str, Any]:
        names = [one.name for one in self.activations]
        return {"kind": "random", "activations": names, "latent_ratio": self.latent_ratio, "covariance": self.covariance}


class DrawnLayers(DrawnGenerator):
    """The generator of given weights, of shape (units, units below) each, scaled."""

    def __init__(
        self, activations: Sequence[Activation], weights: Sequence[FloatArray], dimension: int, latent_dim: int, linear: bool = False
    ) -> None:
        self.activations, self.weights, self.linear = tuple(activations), tuple(weights), linear
        self.dimension, self.latent_dim, self.isotropic = dimension, latent_dim, not self.weights

    def outputs(self, latents: FloatArray) -> FloatArray:
        rows = latents
        for activation, F in zip(self.activations, self.weights, strict=True):
            rows = activation(rows @ F.T)
        return rows

    def moments(self) -> GeneratorMoments:
        S = phi = np.eye(self.latent_dim)
        mean = np.zeros(self.latent_dim)
        for layer, (activation, F) in enumerate(zip(self.activations, self.weights, strict=True)):
            P = F @ (S @ F.T if layer else F.T)
            spread = P.diagonal().copy()
            if not np.all(spread > 0):
                raise ArgumentError(
                    f"Argument `generator` must have units that vary, but {int(np.sum(spread <= 0))} fields of a layer of "
                    f"{activation.name!r} do not."
                )
            centre, scale = F @ mean, np.sqrt(spread)
            units = neuron_moments(activation, centre, scale)
            if self.linear:
                S = P * units.slope[:, None] * units.slope
            elif any(below.parity != "odd" for below in self.activations[:layer]):
                S = about_means(activation, centre, scale, P)
            else:
                S = kernel_of(activation).product(P, spread, spread) - np.outer(units.mean, units.mean)
            np.fill_diagonal(S, units.variance)
            S = 0.5 * (S + S.T)
            mean, phi = units.mean, units.slope[:, None] * (F @ phi)
        return GeneratorMoments(mean, S, phi)


def about_means(activation: Activation, centre: FloatArray, scale: FloatArray, P: FloatArray) -> FloatArray:
    """Cov f(u_i), f(u_j) = sum over k of a_k(i) a_k(j) rho_ij^k/k!, a_k = scale^k d^k/dm^k E f(u): to k = 3, off the diagonal."""
    above, below, here = (neuron_moments(activation, centre + shift * scale, scale).slope * scale for shift in (STEP, -STEP, 0.0))
    rho = P / np.outer(scale, scale)
    S = np.zeros_like(P)
    for k, a in enumerate((here, (above - below) / (2 * STEP), (above - 2 * here + below) / STEP**2), start=1):
        S += np.outer(a, a) * rho**k / factorial(k)
    return S
