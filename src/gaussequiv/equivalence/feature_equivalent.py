r"""The Gaussian equivalent of a deep target seen by a student through features or a kernel."""

from __future__ import annotations

from dataclasses import replace

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent, from_network
from gaussequiv.equivalence.validity import assess_features
from gaussequiv.ingredients.features.base import Features
from gaussequiv.ingredients.inputs.base import Inputs
from gaussequiv.ingredients.targets.deep_network import DeepNetwork


def from_features(inputs: Inputs, network: DeepNetwork, features: Features, d: int | None = None) -> GaussianEquivalent:
    r"""Reduce a deep network and a student's features on given inputs to their joint Gaussian equivalent.

    The target is that of `from_network`: slope s, effective noise, offset. The student sees the features' own second moments:

        Omega = Cov(v),   alignment_i = s p E (psi_i . Cov(v, theta.x/sqrt(d)))^2 = s (p/d) |psi_i' Cov(v, x)|^2,   aspect = p/d,

    psi_i the eigenvectors of Omega. One layer: Omega = k1^2 F F' + k*^2, alignment = (p/d) s k1^2 e, e the eigenvalues of F F'. What the
    features cannot express, s tr(Sigma)/d - mean[alignment/eigenvalue], is the equivalent's `unexplained` and counts as noise.

    Validity: see `assess_features`.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> e = from_features(ge.GaussianInputs(), ge.DeepNetwork("erf"), ge.RandomFeatures("erf", ratio=2))
    >>> e.aspect, round(float(e.weights @ e.eigenvalues), 8)
    (2.0, 0.46455905)
    """
    raw = from_network(inputs, network, d)
    modes = features.modes(inputs, d)
    seen = raw if inputs.seen_by_target is inputs else from_network(inputs.seen_by_target, network)
    assert raw.validity is not None
    return replace(
        raw,
        eigenvalues=modes.eigenvalues,
        weights=modes.weights,
        alignment=seen.slope2 * modes.overlap,
        aspect=modes.aspect,
        nugget=modes.nugget,
        input_mean_square=modes.mean_square,
        student=f"{features} ({modes.route})",
        validity=assess_features(raw.validity, modes.mean_square == 0 and inputs.mean_square == 0, inputs.gaussian),
    )
