r"""The recursion through depth, for any activation, weight and bias variances, and input mean.

For u_l = W_l h_{l-1}/sqrt(k) + b_l, h_l = phi_l(u_l), three numbers a layer: C = E h(x)^2, C0 = E h(x)h(x') for independent inputs,
C1 = the kernel's derivative with respect to the centred input overlap (x-m).(x'-m)/d. With sigma = w C + beta, K0 = w C0 + beta,
K1 = w C1 and (u, v) ~ N(0, [[sigma, K0], [K0, sigma]]):

    chi = E phi'(u)phi'(v),   C <- E phi(u)^2,   C0 <- E phi(u)phi(v),   C1 <- K1 chi,
    noise created by the layer = C - C0 - chi (sigma - K0) >= 0.

For odd activations without biases C0 = 0 and it is the recursion of Cui, Krzakala, Zdeborova 2023 and of Camilli, Tieplova, Bergamin,
Barbier 2025, eq. (12) (theorem under their hypotheses). Otherwise it is a replica / kernel heuristic verified by
simulation: a non-zero mean of one layer is a frozen random bias of the next, over which the Hermite coefficients are averaged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaussequiv.errors import LARGEST_MOMENT, fail, integer
from gaussequiv.ingredients.activations.layers import dual_of
from gaussequiv.ingredients.targets.deep_network import DeepNetwork

NO_SIGNAL = 1e-12  # a linear part below this fraction of the spread is a zero found by quadrature
ROUNDING = 1e-28  # a residue below this fraction of the spread is that of a linear function


@dataclass(frozen=True)
class Layer:
    """What one hidden layer does, as the card shows it."""

    activation: str
    sigma: float  # variance of its pre-activations
    shared: float  # K0, the part of sigma common to independent inputs
    kappa0: float
    kappa1: float
    kappa_star2: float
    chi: float  # E phi'(u)phi'(v)
    created: float  # variance of the noise it creates, at its own output
    gain: float  # w chi: the factor by which it multiplies the variance of what comes from below
    signal: float  # squared slope left after it (C1)
    second: float  # E h(x)^2 of its output


@dataclass(frozen=True)
class DepthReduction:
    """The whole network's linear equivalent: S = b0 + sqrt(slope2) theta.(x-m)/sqrt(d) + sqrt(sum(noise)) xi."""

    layers: tuple[Layer, ...]
    slope2: float
    noise: tuple[float, ...]  # each layer's noise at the network's output
    offset_variance: float
    variance: float  # E S^2 over teachers and inputs


@dataclass(frozen=True)
class PartialReduction:
    r"""The k lowest layers kept, the others replaced: S = eta a.h_k/sqrt(d_k) + sqrt(gamma) xi.

    eta_k = rho prod_{i>k} rho_i, gamma_k = sum_{j>k} eps_j prod_{i>j} rho_i^2 (Camilli, Tieplova, Bergamin, Barbier 2025, eq. 107-108).
    """

    kept: int
    eta: float
    gamma: float


def reduce_depth(network: DeepNetwork, variance: float, mean_square: float = 0.0) -> DepthReduction:
    """Run the recursion from inputs with tr(Sigma)/d = `variance` and |mean|^2/d = `mean_square`."""
    spread, shared, slope2 = variance, mean_square, 1.0  # spread = C - C0, carried apart: it may be a tiny part of C
    second = variance + mean_square
    layers: list[Layer] = []
    variances = zip(network.layers, network.weight_variance, network.bias_variance, strict=True)
    for number, (phi, w, beta) in enumerate(variances):
        gap, covariance = w * spread, w * shared + beta
        sigma = covariance + gap
        dual = dual_of(phi, number, covariance, gap)
        chi = dual.slope if dual.slope * gap > NO_SIGNAL * dual.spread else 0.0
        created = dual.residue if chi > 0 else dual.spread
        created = created if created > ROUNDING * dual.spread else 0.0
        kappa = phi.coefficients(sigma)
        gain = w * chi
        slope2 *= gain
        layers.append(
            Layer(
                activation=phi.name,
                sigma=sigma,
                shared=covariance,
                kappa0=kappa.kappa0,
                kappa1=kappa.kappa1,
                kappa_star2=kappa.kappa_star**2,
                chi=chi,
                created=created,
                gain=gain,
                signal=slope2,
                second=dual.second,
            )
        )
        second, shared, spread = dual.second, dual.product, dual.spread
    readout = network.readout_variance
    if not readout * second <= LARGEST_MOMENT:
        meaning = f"The variance of the readout is {readout:.6g}, the mean square of what it reads {second:.6g}."
        raise fail("readout_variance", f"small enough for an output of mean square at most {LARGEST_MOMENT:g}", readout, meaning)
    above = [float(np.prod([later.gain for later in layers[i + 1 :]])) for i in range(len(layers))]
    noise = tuple(readout * layer.created * factor for layer, factor in zip(layers, above, strict=True))
    return DepthReduction(
        layers=tuple(layers),
        slope2=float(readout * slope2),
        noise=noise,
        offset_variance=float(readout * shared + network.readout_bias_variance),
        variance=float(readout * second + network.readout_bias_variance),
    )


def reduce_partially(network: DeepNetwork, variance: float, mean_square: float, keep: int) -> PartialReduction:
    """Replace the layers above the `keep` lowest by one linear map and one Gaussian noise, one layer at a time."""
    k = integer("keep", keep, minimum=0, meaning="It is the number of hidden layers left.")
    reduction = reduce_depth(network, variance, mean_square)
    if k > len(reduction.layers):
        raise fail("keep", f"at most {len(reduction.layers)}, the number of hidden layers", k)
    eta2, gamma = network.readout_variance, 0.0
    for layer in reversed(reduction.layers[k:]):
        gamma += eta2 * layer.created
        eta2 *= layer.gain
    return PartialReduction(k, float(np.sqrt(eta2)), float(gamma))
