"""Entropies and mutual information of a training set and the target behind it, at n ~ d."""

from __future__ import annotations

import numpy as np

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.equivalence.offsets import warn_of_cusps
from gaussequiv.equivalence.prior_side import Known
from gaussequiv.errors import FloatArray, fail, integer
from gaussequiv.ingredients.channels.binary import Binary
from gaussequiv.ingredients.channels.gaussian import GaussianNoise
from gaussequiv.learners.bayes.bayes_optimal import solve_sign
from gaussequiv.learners.bayes.fixed_points import Potential
from gaussequiv.learners.bayes.full_knowledge import known_psi
from gaussequiv.learners.bayes.general_bayes import is_plain
from gaussequiv.learners.bayes.offset_averages import over_offsets
from gaussequiv.numerics.effective_ridge import solve_effective_ridge, spectral_mean
from gaussequiv.numerics.status import Status

Observables = dict[str, FloatArray]

SAME = 1e-13  # relative distance of alpha from the rank below which they are equal


def information_curve(equivalent: GaussianEquivalent, alpha: FloatArray, keep: int = 0) -> Observables:
    r"""What n = alpha d samples tell about the target, in nats, and how random their labels are.

    Psi(q) = E_{omega ~ N(b0, q)} Sum_y Z log Z, Z(y) = E P(y | omega + sqrt(V) z), V = model noise + signal - q, is minus the entropy of a
    label when a part of variance q of the field is known. With the Bayes-optimal q, left = signal - q, Q = qhat/s and modes v = s w,

        I(theta; D)/d = alpha (Psi(signal) - Psi(q)) + mean[log(1 + Q v)]/2 - Q left/2,    d[I/d]/dalpha = Psi(signal) - Psi(q),
        H(D|X)/n = -Psi(signal) + I(theta; D)/n,    I(theta, xi; D)/n = I(theta; D)/n + I(xi; D|theta)/n,

    (other independent weights: mean[log(1 + Q v)]/2 -> Q signal/2 - psi(Q); of several fixed points the one of largest free entropy),
    averaged over the constant part b0 of the field, each with its own q; learning b0 itself costs O(log n). Real labels with Gaussian
    noise, e the Bayes-optimal error and tau all noise: I(theta; D)/d = (alpha log(e/tau) + mean[log(1 + alpha v/e)] - alpha (e - tau)/e)/2.

    Parameters
    ----------
    equivalent : GaussianEquivalent
        Of a target on its raw inputs.
    alpha : array of shape (points,)
        Samples per input dimension n/d.
    keep : int
        Hidden layers whose weights count as theta; the nonlinear parts of those above are xi. 0: theta is the linear equivalent's.

    Returns
    -------
    dict of arrays of shape (points,): mutual_information (I(theta; D)/d), mutual_information_per_sample (I(theta, xi; D)/n, whatever
    `keep`), conditional_information (I(xi; D|theta)/n), label_entropy (H(D|X)/n), label_noise_entropy (H(D|X, theta, xi)/n),
    predictive_entropy (of the next label), free_entropy_per_sample (E log P(D|X)/n), overlap, q, qhat, status, and steps and residual of
    the iteration if there was one. Entropies of real labels are differential; without label noise the information about all of their parts
    is infinite.

    Raises
    ------
    ArgumentError : a student's equivalent, a label law without `psi` and `fisher`, independent weights of another law on inputs that are
    not isotropic.

    Validity: as `BayesOptimal`: theorem for odd smooth activations, isotropic inputs, real labels with noise (Camilli, Tieplova, Bergamin,
    Barbier 2025, eq. 11, Theorem 1, Corollary 3, Lemma 18), with the generalised linear model's formula a theorem (Barbier, Krzakala,
    Macris, Miolane, Zdeborova 2019, Theorem 1); replica result for labels of a deep target and other spectra; extension verified
    numerically for offsets.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> problem = ge.Problem(ge.DeepNetwork("tanh", depth=2, weight_variance=4, noise=0.2))
    >>> information_curve(problem.equivalent(), np.array([0.5, 1.0, 3.0]))["mutual_information"].round(6).tolist()
    [0.175294, 0.31961, 0.698469]
    """
    e = equivalent
    if e.aspect != 1 or e.nugget or not e.matched:
        raise fail("equivalent", "that of a target on its inputs, not of features or a kernel", e.student or e.form)
    shares = layer_information(e)
    if integer("keep", keep, minimum=0, meaning="It is the number of hidden layers left.") > shares.size:
        raise fail("keep", f"at most {shares.size}, the number of hidden layers", keep)
    if not is_plain(e) or not isinstance(e.channel, (GaussianNoise, Binary)):
        found = _by_potential(e, alpha)
    else:
        found = _gaussian_noise(e, alpha) if isinstance(e.channel, GaussianNoise) else _binary(e, alpha)
    weights = found.pop("weights")
    b0, mass = e.offset_nodes()
    noise_entropy = 0.0 - float(known_psi(e.channel, e.model_noise + _signal(e), 0.0, b0) @ mass)
    return {
        "mutual_information": weights + alpha * float(shares[:keep].sum()),
        "mutual_information_per_sample": weights / alpha + float(shares.sum()),
        "conditional_information": np.full_like(alpha, shares[keep:].sum()),
        "label_noise_entropy": np.full_like(alpha, noise_entropy),
        "free_entropy_per_sample": -found["label_entropy"],
        **found,
    }


information = information_curve  # its name of before


def layer_information(equivalent: GaussianEquivalent) -> FloatArray:
    r"""What a sample tells about the nonlinear part of each hidden layer, given the parameters below it: shape (layers,), nats.

    With gamma_l the noise of the layers above l, share_l = Psi(rho - gamma_l) - Psi(rho - gamma_(l-1)), Psi as in `information`; the
    shares of layers l > k sum to I(xi; D|theta)/n of the reduction to k layers (chain rule). Gaussian noise of variance Delta:
    share_l = log(1 + effective_noise_l/(gamma_l + Delta))/2; without it the highest layer's is infinite.

    Validity: as `information`.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> target = ge.DeepNetwork("tanh", depth=2, weight_variance=4, noise=0.2)
    >>> layer_information(ge.Problem(target).equivalent()).round(6).tolist()
    [0.127382, 0.155993]
    """
    e = equivalent
    noise = e.effective_noise
    above = np.append(np.cumsum(noise[::-1])[::-1], 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        if isinstance(e.channel, GaussianNoise):
            shares = 0.5 * np.log1p(noise / (above[1:] + e.channel.noise))
        else:
            b0, mass = e.offset_nodes()
            known = np.maximum(_signal(e) + e.model_noise - above, 0.0)
            shares = np.diff(known_psi(e.channel, known[:, None], above[:, None], b0) @ mass)
    return np.where(noise > 0, shares, 0.0)


def _gaussian_noise(e: GaussianEquivalent, alpha: FloatArray) -> Observables:
    """Closed forms in kappa = e/alpha, the effective ridge."""
    v, mass, tau = e.signal_modes, e.weights, e.noise
    solution = solve_effective_ridge(alpha, np.full_like(alpha, tau), v, mass)
    kappa, used = solution.kappa[:, None], v > 0
    signal = float(mass @ v)
    with np.errstate(divide="ignore", invalid="ignore"):
        shrink = np.where(used, v / (v + kappa), 0.0)
        left = solution.kappa * spectral_mean(mass, shrink)
        gained = spectral_mean(mass, np.where(used, np.log1p(v / kappa), 0.0)) - spectral_mean(mass, shrink)
        weights = 0.5 * (alpha * np.log1p(left / tau) + gained) if signal > 0 else np.zeros_like(alpha)
        weights = np.where(tau == 0, np.inf, weights) if signal > 0 else weights
        entropy = -e.channel.psi(0.0, tau - e.channel.noise + left)
        label = entropy + 0.5 * gained / alpha
        if tau == 0:
            label = np.where(solution.kappa > 0, label, _singular_entropy(alpha, v[used], mass[used]))
        qhat = np.where(solution.kappa > 0, e.slope2 / solution.kappa, np.inf) if signal > 0 else np.zeros_like(alpha)
    q = spectral_mean(mass, v * shrink)
    return {
        "weights": weights,
        "label_entropy": label,
        "predictive_entropy": entropy,
        "overlap": q / signal if signal > 0 else np.zeros_like(alpha),
        "q": q,
        "qhat": qhat,
        "status": np.where(solution.residual < 1e-8, float(Status.converged), float(Status.max_steps)),
        "steps": solution.steps,
        "residual": solution.residual,
    }


def _singular_entropy(alpha: FloatArray, v: FloatArray, mass: FloatArray) -> FloatArray:
    """Entropy of noiseless linear labels where kappa = 0: minus infinity beyond the rank, where they lie in a plane; its limit at it."""
    rank = float(mass.sum())
    at = 0.5 * (np.log(2 * np.pi * np.e * alpha) + (float(mass @ np.log(v)) - rank) / alpha)
    return np.where(np.abs(alpha - rank) <= SAME * rank, at, -np.inf)


def _binary(e: GaussianEquivalent, alpha: FloatArray) -> Observables:
    """Binary labels, Gaussian weights: all b0 and alpha at once."""
    b0, mass = e.offset_nodes()
    signal, rest, psi = _signal(e), e.model_noise, e.channel.psi
    point = solve_sign(e, alpha[:, None], b0[None, :])
    left, q, rate = point["left"], point["q"], point["rate"]
    predicted = psi(q, left + rest, b0[None, :])
    gained = 0.5 * (spectral_mean(e.weights, np.log1p(rate[..., None] * e.signal_modes)) - rate * left)
    return {
        "weights": (alpha[:, None] * (psi(signal, rest, b0) - predicted) + gained) @ mass,
        "label_entropy": (gained / alpha[:, None] - predicted) @ mass,
        "predictive_entropy": -predicted @ mass,
        "overlap": (q @ mass) / signal if signal > 0 else np.zeros_like(alpha),
        "q": q @ mass,
        "qhat": e.slope2 * (rate @ mass),
        "status": point["status"].max(axis=1),
        "steps": point["steps"].max(axis=1),
        "residual": point["residual"].max(axis=1),
    }


def _by_potential(e: GaussianEquivalent, alpha: FloatArray) -> Observables:
    """Any channel and prior: of all fixed points that of largest free entropy phi; I(theta; D)/d = alpha Psi(signal) - phi."""
    signal = _signal(e)

    def values(curves: list[Potential], alpha: FloatArray) -> Observables:
        known = np.array([curve.ceiling for curve in curves])
        points = [[curve.chosen(float(a), "equilibrium") for curve in curves] for a in alpha]
        predicted = np.array([[curve.output(Known(p.q, p.left, 0.0)) for curve, p in zip(curves, row, strict=True)] for row in points])
        found = {name: np.array([[getattr(p, name) for p in row] for row in points]) for name in ("free_entropy", "q", "R")}
        perfect = np.array([[p.perfect for p in row] for row in points])
        phi = found["free_entropy"]
        with np.errstate(invalid="ignore"):
            all_known = np.where(perfect, [curve.prior_entropy for curve in curves], np.inf)
            weights = np.where(np.isinf(known), all_known, alpha[:, None] * known - phi)
        status = np.where(np.isnan(phi), float(Status.nonfinite), float(Status.converged))
        return found | {"predicted": np.where(perfect, known, predicted), "weights": weights, "status": status}

    mean = over_offsets(e, alpha, values, ("q", "weights"))
    warn_of_cusps(mean["left_by_steps"], "mutual information")
    return {
        "weights": mean["weights"],
        "label_entropy": -mean["free_entropy"] / alpha,
        "predictive_entropy": -mean["predicted"],
        "overlap": mean["q"] / signal if signal > 0 else np.zeros_like(alpha),
        "q": mean["q"],
        "qhat": e.slope2 * mean["R"],
        "status": mean["status"],
    }


def _signal(e: GaussianEquivalent) -> float:
    return float(e.weights @ e.signal_modes)
