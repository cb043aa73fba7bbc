"""The curve of ridge regression at given penalties: moments of the student, and the errors that follow from them."""

from __future__ import annotations

import numpy as np

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.channels.binary import sign_error
from gaussequiv.ingredients.channels.sign import Sign
from gaussequiv.ingredients.losses.named import Square
from gaussequiv.learners.convex.averages import Fields
from gaussequiv.learners.convex.labels import LinearLabels
from gaussequiv.learners.convex.scores import training_scores
from gaussequiv.numerics.effective_ridge import EffectiveRidge, solve_effective_ridge, spectral_mean
from gaussequiv.numerics.orthant import aligned_excess, bivariate_cdf, sign_disagreement, standardise
from gaussequiv.numerics.status import Status

Observables = dict[str, FloatArray]


def ridge_curve(e: GaussianEquivalent, labels: LinearLabels, alpha: FloatArray, lam: FloatArray) -> Observables:
    """Observables of ridge at given penalties, one for each alpha = n/d, averaged over the offsets of the labels; see `Ridge`."""
    load = alpha / e.aspect
    solution = solve_effective_ridge(load, lam + e.nugget, e.eigenvalues, e.weights)
    moments = student_moments(e, labels, solution)
    response = solution.slack / load  # 1/(1 + V) = lam/(load kappa)
    if e.nugget:  # only lam itself counts, not the kernel's own part of the penalty
        with np.errstate(divide="ignore", invalid="ignore"):
            response = np.where(np.isinf(lam), 1.0, lam / (load * solution.kappa))
    if e.channel.task == "regression":
        result = _regression(e, labels, response, solution, moments)
    elif not isinstance(e.channel, Sign):
        result = _any_labels(e, labels, response, moments)
    else:
        result = _classification(e, labels, response, moments)
    infinite = ~np.isfinite(result["test_error"]) | ~np.isfinite(result["q"])
    solved = np.where(solution.residual < 1e-8, float(Status.converged), float(Status.max_steps))
    status = np.where(infinite, float(Status.diverged), solved)
    constant = np.isinf(lam)  # the constant predictor stays where it is at every alpha
    result["floor"] = np.where(constant, result["test_error"], result["floor"])
    result["excess_over_floor"] = np.where(constant, 0.0, result["excess_over_floor"])
    result["V"] = ridge_susceptibility(response)
    result |= {"lam": lam, "degrees_of_freedom": e.aspect * (load - solution.slack), "status": status}
    return result | {"steps": solution.steps, "residual": solution.residual}


def _regression(
    e: GaussianEquivalent, labels: LinearLabels, response: FloatArray, solution: EffectiveRidge, moments: Observables
) -> Observables:
    noise = float(labels.mass @ labels.noise)  # without an intercept the offset is noise; the error is linear in it
    bias = moments["bias"] @ labels.mass
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = (noise + bias) * moments["df2"]
        variance = np.where(spread > 0, spread / (solution.slack + moments["gap"]), 0.0)
    excess = bias + variance
    test = noise + excess
    with np.errstate(invalid="ignore"):
        train = np.where(response != 0, test * response**2, 0.0)
    return {
        "test_error": test,
        "clean_error": excess + float(labels.mass @ labels.structure),
        "train_error": train,
        "floor": np.full_like(response, noise),
        "excess_over_floor": excess,
        "bias": bias,
        "variance": variance,
        "m": moments["m"] @ labels.mass,
        "q": moments["q"] @ labels.mass,
    }


def _classification(e: GaussianEquivalent, labels: LinearLabels, response: FloatArray, moments: Observables) -> Observables:
    rho, clean_rho = e.rho, e.rho - e.channel.noise
    linear = float(e.weights @ e.signal_modes)
    m, q, c = moments["m"], moments["q"], labels.intercept
    b, clean_b = standardise(labels.offset, rho), standardise(labels.offset, clean_rho)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        root = np.sqrt(q)
        cosine = np.where(q > 0, m / root, 0.0)
        threshold = np.where(c == 0, 0.0, c / root)
        V = ridge_susceptibility(response)[:, None]
        r = np.where(cosine > 0, cosine / np.sqrt(rho), 0.0)
        clean_r = np.where(cosine > 0, cosine / np.sqrt(clean_rho), 0.0)
        up = np.where(c + V == 0, 0.0, -(c + V) / root)
        down = np.where(c - V == 0, 0.0, (c - V) / root)
        # for alpha -> infinity at fixed lam the student is c + c1 S_linear
        limit_threshold = np.where(c == 0, 0.0, c / (labels.slope * np.sqrt(linear)))
    error = sign_disagreement(threshold, b, r)
    clean = sign_disagreement(threshold, clean_b, clean_r)
    limit = sign_disagreement(limit_threshold, b, np.sqrt(linear / rho) if linear > 0 else 0.0)
    wrong_up, wrong_down = bivariate_cdf(up, b, -r), bivariate_cdf(down, -b, -r)
    test = error @ labels.mass
    wrong = (wrong_up + wrong_down) @ labels.mass
    return {
        "test_error": test,
        "clean_error": clean @ labels.mass,
        "train_error": np.where(response < 0, 1 - wrong, wrong),  # a negative lam turns the fitted labels round
        "floor": np.full_like(response, limit @ labels.mass),
        "excess_over_floor": _excess(e, labels, moments, error - limit) @ labels.mass,
        "m": m @ labels.mass,
        "q": q @ labels.mass,
    }


def _any_labels(e: GaussianEquivalent, labels: LinearLabels, response: FloatArray, moments: Observables) -> Observables:
    """Binary labels of another law: the same student, its errors by quadrature."""
    linear = float(e.weights @ e.signal_modes)
    rho = linear + e.model_noise
    m, q = moments["m"], moments["q"]
    c = np.broadcast_to(labels.intercept, q.shape)
    b0 = np.broadcast_to(labels.offset, q.shape)
    V = np.minimum(ridge_susceptibility(response), 1e12)
    V = np.where(V == -1, np.nextafter(-1, 0), V)  # which side of the label a fit is on holds up to there
    at = student_fields(e, labels, moments, V[:, None] + 0 * m)
    _, wrong = training_scores(Square(), e.channel, ((1.0, 1.0, 1.0), (-1.0, 1.0, 1.0)), at)
    fitted = wrong.reshape(q.shape) @ labels.mass
    test = e.channel.disagreement(c, q, m, b0, np.full_like(q, rho)) @ labels.mass
    limit = e.channel.disagreement(
        labels.intercept, labels.slope**2 * linear, labels.slope * linear, labels.offset, np.full_like(labels.offset, rho)
    )
    floor = np.full_like(response, float(limit @ labels.mass))
    return {
        "test_error": test,
        "clean_error": sign_error(c, q, m, b0, np.full_like(q, rho)) @ labels.mass,
        "train_error": np.where(response == 0, 0.0, np.where(response < 0, 1 - fitted, fitted)),  # a negative lam turns the labels round
        "floor": floor,
        "excess_over_floor": test - floor,
        "m": m @ labels.mass,
        "q": q @ labels.mass,
    }


def _excess(e: GaussianEquivalent, labels: LinearLabels, moments: Observables, plain: FloatArray) -> FloatArray:
    """error - limit; without an offset from 1/r^2 - 1/r_limit^2, which the moments give without cancellation."""
    linear = float(e.weights @ e.signal_modes)
    m, q = moments["m"], moments["q"]
    if np.any(labels.offset) or linear == 0:
        return plain
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = e.rho * moments["misfit"] / (m**2 * linear)
        ratio = np.sqrt(np.maximum(e.rho * q / m**2 - 1, 0.0))
    floor = np.full_like(ratio, np.sqrt(e.noise / linear))
    return np.where(m > 0, aligned_excess(labels.offset, ratio, floor, difference), plain)


def student_fields(e: GaussianEquivalent, labels: LinearLabels, moments: Observables, V: FloatArray) -> Fields:
    """The joint law of student and target fields at every (alpha, offset), in this order."""
    m, q = moments["m"], moments["q"]
    rho = float(e.weights @ e.signal_modes) + e.model_noise
    c, b0 = (np.broadcast_to(part, q.shape) for part in (labels.intercept, labels.offset))
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = np.maximum(rho - np.where(q > 0, m**2 / q, 0.0), e.model_noise)
    return Fields(*(np.ravel(part).astype(float) for part in (V, np.maximum(q, 1e-300), m, c, b0, rest, rho + q - 2 * m)))


def ridge_susceptibility(response: FloatArray) -> FloatArray:
    """V = load kappa/lam - 1 from response = lam/(load kappa), infinite where the training set is interpolated."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.isinf(response), -1.0, np.where(response != 0, (1 - response) / response, np.inf))


def student_moments(e: GaussianEquivalent, labels: LinearLabels, solution: EffectiveRidge) -> Observables:
    """Per (alpha, offset): bias, m = Cov(student, target field), q = Var(student); per alpha: df2 and gap = kappa mean[w/(w+kappa)^2].

    The label's linear part has modes slope^2 v; its covariance with the target's field is slope times v.
    """
    w, weights, v = e.eigenvalues, e.weights, e.signal_modes
    kappa = solution.kappa[:, None]
    finite = np.where(np.isinf(kappa), 1.0, np.maximum(kappa, 1e-300))
    shrink = np.where(np.isinf(kappa), 0.0, np.where(w > 0, w / (w + finite), 0.0))
    missing = np.where(np.isinf(kappa), 1.0, np.where(kappa == 0, 0.0, finite / (w + finite)))
    df2 = spectral_mean(weights, shrink**2)
    gap = spectral_mean(weights, shrink * missing)
    lost = spectral_mean(weights, v * missing**2)[:, None]  # per unit slope^2
    kept = spectral_mean(weights, v * shrink)[:, None]
    kept2 = spectral_mean(weights, v * shrink**2)[:, None]
    bias = labels.slope**2 * lost
    denominator = (solution.slack + gap)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = (labels.noise + bias) * df2[:, None]
        variance = np.where(spread > 0, spread / denominator, 0.0)
    linear = float(weights @ v)
    misfit = np.zeros_like(variance)
    if linear > 0:
        misfit = labels.slope**2 * linear * spectral_mean(weights, v * (shrink - kept / linear) ** 2)[:, None] + variance * linear
    return {
        "bias": bias,
        "m": labels.slope * kept,
        "q": labels.slope**2 * kept2 + variance,
        "misfit": misfit,  # q linear - m^2
        "df2": df2,
        "gap": gap,
    }
