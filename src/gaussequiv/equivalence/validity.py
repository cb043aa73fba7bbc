"""Which hypotheses of the theorem a problem meets, and hence how far its equivalent is proved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaussequiv.ingredients.inputs import Inputs
from gaussequiv.ingredients.networks import DeepNetwork

ROWS_PER_COLUMN = 20  # a sample spectrum is wider than the population's: errors come out about 10% low at 2 rows per column


@dataclass(frozen=True)
class Validity:
    """One of three statuses, with the hypotheses behind it.

    status : "theorem", "replica result" or "extension verified numerically".
    """

    status: str
    reason: str
    hypotheses: tuple[tuple[str, bool], ...]

    def __str__(self) -> str:
        marks = "; ".join(f"{'yes' if holds else 'NO'}: {text}" for text, holds in self.hypotheses)
        return f"{self.status} ({self.reason}). {marks}"


def assess(inputs: Inputs, network: DeepNetwork) -> Validity:
    """Check the hypotheses of Camilli, Tieplova, Bergamin, Barbier 2025, Theorem 1.

    Scope of the theorem: mutual information and Bayes-optimal error. Errors of ridge on the equivalent are theorems on
    Gaussian data; that they hold on the deep data is a replica result (Cui, Krzakala, Zdeborova 2023).
    """
    odd = all(a.parity == "odd" for a in network.layers)
    unbiased = not any(network.bias_variance) and network.readout_bias_variance == 0 and not network.offset
    same = len({a.name for a in network.layers}) <= 1 and len(set(network.weight_variance)) <= 1
    isotropic = bool(getattr(inputs, "isotropic", False))
    hypotheses: tuple[tuple[str, bool], ...] = (
        ("odd activations", odd),
        ("twice differentiable with bounded derivatives", all(a.smooth for a in network.layers)),
        ("the same layer repeated", same),
        ("no biases, no given offset", unbiased),
        ("isotropic Gaussian inputs", isotropic),
        ("label noise > 0", network.noise > 0),
        ("real labels (the sign is not smooth)", network.task == "regression"),
        ("Gaussian weights, all learned", True),
    )
    if all(holds for _, holds in hypotheses):
        if network.depth == 0:
            return Validity("theorem", "a linear target needs no reduction", hypotheses)
        return Validity("theorem", "Camilli, Tieplova, Bergamin, Barbier 2025, Theorem 1 and Corollary 3", hypotheses)
    if not inputs.gaussian:
        rows, columns = getattr(inputs, "matrix", np.zeros((0, 1))).shape
        words = f"at least {ROWS_PER_COLUMN} rows per column, so that the spectrum is the population's ({rows}/{columns})"
        enough = (words, bool(rows >= ROWS_PER_COLUMN * columns))
        hypotheses = (*hypotheses, enough)
        return Validity("extension verified numerically", "real inputs replaced by Gaussian ones of equal covariance", hypotheses)
    if odd and unbiased and inputs.mean_square == 0:
        return Validity("replica result", "Cui, Krzakala, Zdeborova 2023", hypotheses)
    return Validity("extension verified numerically", "recursion for any activation and bias; no proof", hypotheses)


def assess_features(inputs: Validity, centred: bool, gaussian: bool) -> Validity:
    """The status of an equivalent whose student sees features or a kernel: never a theorem about the deep target here.

    Features that are centred, on centred Gaussian inputs: replica result (Loureiro et al. 2021; Schroeder, Cui, Dmitriev, Loureiro 2023;
    kernels: Cui, Krzakala, Zdeborova 2023). A mean that acts as an intercept: extension verified numerically.
    """
    hypotheses = (*inputs.hypotheses, ("centred features or kernel", centred))
    if not gaussian:
        return Validity(
            "extension verified numerically", "real inputs and features replaced by Gaussian ones of equal covariance", hypotheses
        )
    if not centred:
        return Validity(
            "extension verified numerically", "features or kernel with a mean, which acts as an intercept; no proof", hypotheses
        )
    if inputs.status == "extension verified numerically":
        return Validity(inputs.status, inputs.reason, hypotheses)
    return Validity("replica result", "features: Loureiro et al. 2021; Schroeder, Cui, Dmitriev, Loureiro 2023", hypotheses)


def spectrum_summary(eigenvalues: np.ndarray, weights: np.ndarray) -> str:
    """One line on a spectrum."""
    if eigenvalues.size == 1:
        return f"isotropic, eigenvalue {eigenvalues[0]:.6g}"
    mean = float(weights @ eigenvalues)
    rank = float(weights[eigenvalues > 0].sum())
    return f"{eigenvalues.size} modes, mean {mean:.6g}, from {eigenvalues.min():.4g} to {eigenvalues.max():.4g}, rank fraction {rank:.4g}"
