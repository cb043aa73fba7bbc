r"""Second moments of student features and their covariance with the inputs, mode by mode.

Everything a linear student on features v of p dimensions needs, for a target whose linear part is theta.(x - m)/sqrt(d) with
theta ~ N(0, I): eigenvalues of Omega = Cov(v), and for its eigenvectors psi_i the overlap p E (psi_i . Cov(v, theta.x/sqrt(d)))^2
= (p/d) |psi_i' X|^2, X = Cov(v, x). A target of squared slope s has alignment s times overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.activations.base import Activation
from gaussequiv.ingredients.activations.layers import dual_of

NO_MEAN = 1e-20  # a squared mean below this fraction of the second moment is rounding of a centred feature


@dataclass(frozen=True)
class FeatureModes:
    """What the Gaussian equivalent takes from a student's features.

    Attributes
    ----------
    eigenvalues, weights, overlap : arrays of shape (modes,)
        Spectrum of Omega, the mass of each mode, and its overlap with the inputs (module docstring).
    aspect : float
        Number of features over input dimension.
    nugget : float
        Variance of an independent feature for every sample (kernels; 0 for explicit features).
    mean_square : float
        |E v|^2/p: above 0 that direction serves as an intercept.
    route : str
        How the spectrum was found, in words.
    """

    eigenvalues: FloatArray
    weights: FloatArray
    overlap: FloatArray
    aspect: float = 1.0
    nugget: float = 0.0
    mean_square: float = 0.0
    route: str = ""


@dataclass(frozen=True)
class LayerMoments:
    """One layer of centred-below features at the limit: v = k1 u + nonlinear rest, u of variance `variance`."""

    variance: float  # of the pre-activations
    slope2: float  # kappa1^2
    rest: float  # kappa_star^2
    mean: float  # kappa0
    second: float  # E phi^2


def layer_moments(layers: Sequence[Activation], weight_variance: Sequence[float], variance: float) -> list[LayerMoments]:
    """Coefficients of every layer without biases, from inputs of variance tr(Sigma)/d."""
    out = []
    for layer, (phi, w) in enumerate(zip(layers, weight_variance, strict=True)):
        sigma = w * variance
        dual = dual_of(phi, layer, 0.0, sigma)
        coefficients = phi.coefficients(sigma)
        second = dual.second
        slope2 = coefficients.kappa1**2
        if slope2 * sigma < 1e-12 * second:
            slope2 = 0.0
        rest = coefficients.kappa_star**2
        rest = rest if rest > 1e-14 * second else 0.0
        mean = coefficients.kappa0 if coefficients.kappa0**2 > NO_MEAN * second else 0.0
        out.append(LayerMoments(sigma, slope2, rest, mean, second))
        variance = second
    return out


def marchenko_pastur_modes(layer: LayerMoments, weight_variance: float, scale: float, ratio: float) -> FeatureModes:
    r"""One layer on isotropic inputs of variance `scale`: Omega = k1^2 w scale F F' + k*^2 I, F of N(0, 1/d) entries, p/d = `ratio`.

    e, the eigenvalues of F F', follow the Marchenko-Pastur law: e = 1 + r + 2 sqrt(r) cos(theta), mass 2 sin^2(theta)/(N e) at the
    midpoints of N cells, and an atom 1 - 1/r at 0 if r > 1. overlap = r k1^2 w scale^2 e (Loureiro et al. 2021, Sec. 3 and App.;
    Cui, Krzakala, Zdeborova 2023, eq. 23). N follows from the distance of the nearest singularity to the real theta axis.
    """
    linear = layer.slope2 * weight_variance
    if linear == 0:
        flat = np.array([layer.rest])
        return FeatureModes(flat, np.ones(1), np.zeros(1), ratio, mean_square=layer.mean**2, route="no linear part")
    root = np.sqrt(ratio)
    pole = (1 + ratio + layer.rest / (linear * scale)) / (2 * root)
    strip = float(np.arccosh(max(pole, 1.0)))
    if ratio != 1:
        strip = min(strip, 0.5 * abs(float(np.log(ratio))))
    cells = int(np.clip(np.ceil(20 / max(strip, 1e-3)), 48, 2000))
    theta = np.pi * (np.arange(cells) + 0.5) / cells
    e = 1 + ratio + 2 * root * np.cos(theta)
    mass = 2 * np.sin(theta) ** 2 / (cells * e)
    mass *= min(1.0, 1 / ratio) / mass.sum()
    if ratio > 1:
        e, mass = np.append(e, 0.0), np.append(mass, 1 - 1 / ratio)
    slope = linear * scale
    return FeatureModes(
        eigenvalues=slope * e + layer.rest,
        weights=mass,
        overlap=ratio * slope * scale * e,
        aspect=ratio,
        mean_square=layer.mean**2,
        route="Marchenko-Pastur",
    )


def realised_modes(
    layers: Sequence[Activation],
    weights: Sequence[FloatArray],
    biases: Sequence[FloatArray],
    covariance: FloatArray,
    mean: FloatArray,
    seen: FloatArray | None = None,
) -> FeatureModes:
    r"""Features of given matrices F_l (fan-in x width, scale included) and biases, with every neuron's own coefficients.

        beta = F'm + b,   P = F'C F,   z ~ N(0, 1), arguments beta_j + sqrt(P_jj) z:
        m_j = E phi,  D_j = E phi',  v_j = Var phi,   C <- D P D with its diagonal reset to v_j,   X <- D F'X

    The mean of one layer is a frozen bias of the next, hence the coefficients per neuron. Random or trained, structured weights.
    Linearised covariances: Schroeder, Cui, Dmitriev, Loureiro 2023 and 2024 (replica result / conjecture for centred activations);
    neuron by neuron with means: extension verified numerically. `covariance` has shape (d,) (diagonal) or (d, d); `seen` is the covariance
    of the inputs with what the target sees, shape (d, D), where that is not the inputs.
    """
    d = mean.size
    centre, second, cross = mean, covariance, covariance if seen is None else seen
    diagonal = second.ndim == 1
    for phi, weight, bias in zip(layers, weights, biases, strict=True):
        beta = weight.T @ centre + bias
        projected = weight.T * second if diagonal else weight.T @ second
        pre = projected @ weight
        variance = np.einsum("ij,ji->i", projected, weight)
        neurons = phi.neurons(beta, np.sqrt(np.maximum(variance, 0.0)))
        slope = neurons.slope
        pre *= slope[:, None]
        pre *= slope
        np.fill_diagonal(pre, neurons.variance)
        cross = (weight.T * cross if cross.ndim == 1 else weight.T @ cross) * slope[:, None]
        centre, second, diagonal = neurons.mean, pre, False
    if diagonal:
        second, cross = np.diag(second), np.diag(cross) if cross.ndim == 1 else cross
    return explicit_modes(second, cross, centre, d, "per neuron, given matrices")


def explicit_modes(omega: FloatArray, cross: FloatArray, mean: FloatArray, d: int, route: str) -> FeatureModes:
    """Modes of a given covariance Omega (p, p), cross-covariance with the D variables that the target sees (p, D) and mean (p,)."""
    from scipy import linalg

    p = len(omega)
    values, vectors = linalg.eigh(0.5 * (omega + omega.T), overwrite_a=True, check_finite=True, driver="evd")
    values = np.where(values < 1e-13 * max(float(values[-1]), 0.0), 0.0, values)
    overlap = (p / cross.shape[1]) * np.einsum("ij,ij->i", part := vectors.T @ cross, part)
    overlap = np.where(values > 0, overlap, 0.0)
    mean_square = float(np.mean(mean**2))
    mean_square = mean_square if mean_square > NO_MEAN * float(values.mean()) else 0.0
    return FeatureModes(values, np.full(p, 1 / p), overlap, p / d, mean_square=mean_square, route=route)
