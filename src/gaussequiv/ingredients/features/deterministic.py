r"""Spectra of random features from self-consistent equations, without sampling weights, layer by layer.

For Omega_l = a F Omega_{l-1} F' + b I (F of N(0, 1/k_{l-1}) entries, psi = k_l/k_{l-1}, a = w k1^2, b = k*^2) and X_l = sqrt(a) F X_{l-1},
let kappa(z) > 0 solve the effective-ridge equation of the layer below,

    (z + b)/(a kappa) + mean_{l-1}[w/(w + kappa)] = psi.      Then      mean_l[1/(w + z)] = 1/(a psi kappa),
    mean_l[t/(w + z)] = mean_{l-1}[t/(w + kappa)],            mean_l[w/(w + z)] = mean_{l-1}[w/(w + kappa)]/psi + b/(a psi kappa),

with t the overlap (free multiplicative convolution with a Marchenko-Pastur law; the second line is the deterministic equivalent
F'(a F M F' + z + b)^{-1} F ~ (M + kappa)^{-1}/a, the nested effective ridge of Schroeder, Cui, Dmitriev, Loureiro 2023). Both are
Stieltjes functions of z; they are represented by few discrete modes: poles by rational (AAA) approximation on a logarithmic grid of z,
masses and overlaps by non-negative least squares, checked between the grid points.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from gaussequiv.errors import ArgumentError, FloatArray
from gaussequiv.ingredients.features.modes import FeatureModes, LayerMoments
from gaussequiv.numerics.effective_ridge import solve_effective_ridge

GRID = 300
ACCURACY = 1e-9
NEGLIGIBLE = 1e-3  # fraction of its value at z = 0 below which a transform's error counts relative to that fraction
LEAST_MASS = 1e-15  # of a mode that only the overlap needs
LONG, TAIL, REACH, BEYOND = 1e7, 1e4, 1e12, 1e8  # in units of the smallest eigenvalue; BEYOND in units of the largest z
PER_DECADE = 3


class LayerModes(NamedTuple):
    """Eigenvalues, masses and overlap of one layer."""

    w: FloatArray
    mass: FloatArray
    overlap: FloatArray


class Transforms(NamedTuple):
    """mean 1/(w+z), mean w/(w+z) and mean t/(w+z) at every z."""

    resolvent: FloatArray
    filled: FloatArray
    overlap: FloatArray


def deterministic_modes(
    layers: list[LayerMoments],
    weight_variance: tuple[float, ...],
    ratios: tuple[float, ...],
    eigenvalues: FloatArray,
    masses: FloatArray,
    overlap: FloatArray,
) -> FeatureModes:
    """Modes of features of relative widths k_l/d = `ratios` on inputs of the given spectrum and overlap with what the target sees.

    All layers but the last must be centred. Raises `ArgumentError` where a few discrete modes cannot represent the spectrum to 1e-9.
    """
    keep = masses > 0
    modes = LayerModes(eigenvalues[keep], masses[keep], overlap[keep])
    below = 1.0
    for layer, w, ratio in zip(layers, weight_variance, ratios, strict=True):
        modes = next_layer(modes, layer.slope2 * w, layer.rest, ratio / below)
        below = ratio
    return FeatureModes(modes.w, modes.mass, modes.overlap, below, mean_square=layers[-1].mean ** 2, route="self-consistent equations")


def next_layer(below: LayerModes, a: float, b: float, psi: float) -> LayerModes:
    """The modes of a F Omega F' + b from those of Omega."""
    if a == 0:
        return LayerModes(np.array([b]), np.ones(1), np.zeros(1))
    rank = float(below.mass[below.w > 0].sum())
    atom = max(0.0, 1 - rank / psi)
    z, bottom = _grid(below, a, b, psi)
    found = transforms(z, below, a, b, psi)
    resolvent = found.resolvent - atom / (z + b)
    filled = found.filled - atom * b / (z + b)
    near = z <= TAIL * bottom if z[-1] > LONG * bottom else np.ones(z.size, dtype=bool)
    shift = (z + 0.1 * bottom)[near]
    poles = np.concatenate([_poles(z[near], values[near] * shift, b) for values in (resolvent, found.overlap)])
    if not near.all():
        poles = np.concatenate([poles, _tail(below, a, b, psi, bottom, z[-1])])
    fitted = _fitted(z, Transforms(resolvent, filled, found.overlap), np.unique(poles))
    error = np.inf
    if fitted is not None:
        modes = fitted if atom == 0 else LayerModes(*(np.append(x, y) for x, y in zip(fitted, (b, atom, 0.0), strict=True)))
        error = _error(np.sqrt(z[1:] * z[:-1]), modes, below, a, b, psi)
        if error <= ACCURACY:
            return modes
    raise ArgumentError(
        "Argument `spectrum` must be 'sampled' for these features: discrete modes represent their deterministic spectrum only to "
        f"{error:.1e} (wanted {ACCURACY:.0e}), because it reaches zero with a hard edge or has a tail without end. Giving d may also help."
    )


def transforms(z: FloatArray, below: LayerModes, a: float, b: float, psi: float) -> Transforms:
    """The three functions of the module docstring, from the layer below."""
    solution = solve_effective_ridge(np.full(z.size, psi), (z + b) / a, below.w, below.mass)
    kappa = solution.kappa
    inverse = 1 / (below.w + kappa[:, None])
    resolvent = 1 / (a * psi * kappa)
    return Transforms(resolvent, inverse @ (below.w * below.mass) / psi + b * resolvent, inverse @ (below.overlap * below.mass))


def _grid(below: LayerModes, a: float, b: float, psi: float) -> tuple[FloatArray, float]:
    """z from well below the smallest eigenvalue to beyond the largest that carries any variance."""
    order = np.argsort(below.w)[::-1]
    share = np.cumsum((below.w * below.mass)[order])
    largest = float(below.w[order][np.searchsorted(share, 1e-14 * share[-1])])
    top = a * largest * (1 + np.sqrt(psi)) ** 2 + b
    bottom = max(b, 1e-5 * top if b == 0 else 0.0)
    last = min(10 * top, REACH * bottom)
    count = max(GRID, int(30 * np.log10(last / bottom)))
    return np.geomspace(1e-2 * bottom, last, count), bottom


def _tail(below: LayerModes, a: float, b: float, psi: float, bottom: float, last: float) -> FloatArray:
    """Modes of a long tail: evenly spaced on the logarithmic scale on which it varies, and the images of its isolated modes.

    A mode w_i of vanishing mass has its image where kappa = -w_i: at b + a w_i (psi - mean_{j != i}[w_j/(w_j - w_i)]).
    """
    even = np.exp(np.arange(np.log(1.05 * bottom), np.log(BEYOND * last), np.log(10) / PER_DECADE))
    far = np.flatnonzero((a * psi * below.w > TAIL * bottom) & (a * psi * below.w < BEYOND * last))
    difference = below.w - below.w[far, None]
    ratio = np.divide(below.w, difference, out=np.zeros_like(difference), where=difference != 0)
    images = b + a * below.w[far] * (psi - ratio @ below.mass)
    return np.concatenate([even, images[images > bottom]])


def _poles(z: FloatArray, values: FloatArray, b: float) -> FloatArray:
    """Modes: negatives of the real poles of the rational approximant, above the smallest possible eigenvalue."""
    from scipy.interpolate import AAA  # 0.2 s of imports that no other curve needs

    if not np.any(values):  # features of features without a linear part
        return np.empty(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # not converged to rounding: `_check` judges the modes themselves
        poles = -AAA(z, values / values.max(), rtol=1e-13, max_terms=100).poles()
    real = (np.abs(poles.imag) <= 1e-6 * np.abs(poles)) & (poles.real >= b * (1 - 1e-9)) & (poles.real > 0)
    return np.real(poles[real])


def _fitted(z: FloatArray, values: Transforms, poles: FloatArray) -> LayerModes | None:
    """Masses and overlaps of given modes by non-negative least squares in relative error; None where that does not end."""
    from scipy.optimize import nnls

    if poles.size == 0:
        return None
    inverse = 1 / (z[:, None] + poles)
    targets = (
        (np.vstack([inverse, inverse * poles]), np.concatenate([values.resolvent, values.filled])),
        (inverse, values.overlap),
    )
    found = []
    for matrix, value in targets:
        seen = value > 0  # where it has not underflowed
        if not np.any(seen):
            found.append(np.zeros(poles.size))
            continue
        relative = matrix[seen] / value[seen, None]
        norm = np.linalg.norm(relative, axis=0)
        convex = np.vstack([relative / norm, 1e-13 * np.eye(norm.size)])  # strictly: nearly equal modes would let the active set cycle
        try:
            solution, _ = nnls(convex, np.append(np.ones(seen.sum()), np.zeros(norm.size)), maxiter=100 * norm.size)
        except RuntimeError:
            return None
        found.append(solution / norm)
    mass, overlap = found
    keep = (mass > 0) | (overlap > 0)
    mass, overlap, w = np.maximum(mass[keep], LEAST_MASS / (1 + poles[keep] / z[0])), overlap[keep], poles[keep]
    return LayerModes(w, mass, overlap / mass)


def _error(z: FloatArray, modes: LayerModes, below: LayerModes, a: float, b: float, psi: float) -> float:
    """Largest relative error of the modes' transforms."""
    exact = transforms(z, below, a, b, psi)
    inverse = 1 / (z[:, None] + modes.w)
    fitted = (inverse @ modes.mass, inverse @ (modes.w * modes.mass), inverse @ (modes.overlap * modes.mass))
    pairs = zip(fitted, exact, strict=True)
    return max(float(np.max(np.abs(f - e) / np.maximum(e, NEGLIGIBLE * e.max()))) if np.any(e) else float(np.any(f)) for f, e in pairs)
