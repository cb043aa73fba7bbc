"""Finite-size allowances: the relative bias c/d of simulated mean errors, fitted over at least three sizes and committed.

`finite_size.json` is written by ``python -m benchmarks.finite_size``. For each family of problems it holds the range in which the fit
was made, the sizes, trials and seed, and the constant c: the largest |slope| of (mean/theory - 1) against 1/d over the
family's points, plus two of its standard errors.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import FloatArray, fail, integer
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.ingredients.priors.base import Gaussian
from gaussequiv.problems.supervised.description import Problem
from gaussequiv.run.simulate import simulate
from gaussequiv.run.solve import solve


class FiniteSizeFit(NamedTuple):
    """c and its standard error at each ([learner,] alpha), and the relative deviations with theirs at each size."""

    c: FloatArray
    c_stderr: FloatArray
    sizes: tuple[int, ...]
    deviation: FloatArray
    deviation_stderr: FloatArray


def fit_finite_size(
    problem: Problem,
    alpha: ArrayLike,
    *,
    sizes: tuple[int, ...] = (50, 100, 200),
    trials: int = 64,
    seed: int = 0,
    progress: bool | None = None,
) -> FiniteSizeFit:
    """Fit mean/theory - 1 = c/d over at least three sizes by weighted least squares through the origin.

    `trials` counts the teachers at the smallest size; larger sizes take fewer in proportion, at least 16. Returns c with its standard
    error for every ([learner,] alpha); pass ``allowance=max(abs(c) + 2*c_stderr)`` to `compare`.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> fit = fit_finite_size(ge.Problem(target=ge.DeepNetwork("erf")), [2.0], sizes=(10, 20, 30), trials=8)
    >>> fit.c.shape
    (1,)
    """
    if len(set(sizes)) < 3:
        raise fail("sizes", "at least three different input dimensions", sizes)
    deviations, errors = [], []
    for d in sizes:
        integer("sizes", d, minimum=2)
        count = max(16, trials * min(sizes) // d)  # the variance over teachers falls like 1/d
        run = simulate(problem, alpha, d=d, trials=count, seed=seed, normalise_teacher=True, progress=progress)
        theory = solve(problem, n=run["n"].values, d=d)["test_error"].values
        if np.any(theory <= 0):
            raise fail("problem", "one with a positive test error at every alpha", float(theory.min()))
        deviations.append(run["test_error_mean"].values / theory - 1)
        errors.append(run["test_error_stderr"].values / theory)
    y, s = np.stack(deviations), np.stack(errors)
    x = (1 / np.array(sizes)).reshape(-1, *[1] * (y.ndim - 1))
    information = (x**2 / s**2).sum(axis=0)
    return FiniteSizeFit((x * y / s**2).sum(axis=0) / information, information**-0.5, tuple(sizes), y, s)


def family(problem: Problem, learner: Any) -> str | None:
    """The family whose fit may cover a problem: task, learner or loss, odd or with offset, isotropic or structured inputs, features."""
    target, inputs = problem.target, problem.inputs
    if not inputs.gaussian or inputs.mean_square > 0 or not hasattr(target, "layers"):
        return None
    if not isinstance(target.channel, (GaussianNoise, Sign)):
        return None
    if not isinstance(getattr(target, "prior", None), (Gaussian, type(None))):
        return None
    if target.offset is not None or getattr(learner, "intercept", None) is not None:
        return None  # neither given offsets nor forced intercepts were fitted
    name = learner.name
    if hasattr(learner, "loss"):
        if learner.penalty.name != "l2" or learner.class_weight is not None or learner.sample_weight is not None or learner.tune:
            return None
        name = learner.loss.name
    odd = all(a.parity == "odd" for a in target.layers) and not any(target.bias_variance) and not target.readout_bias_variance
    shape = "isotropic" if getattr(inputs, "isotropic", False) else "structured"
    key = f"{target.task}/{name}/{'odd' if odd else 'offset'}/{shape}"
    if not problem.sees_features(learner):
        return key
    features = problem.features
    plain = getattr(features, "depth", 0) == 1 and features.layers[0].parity == "odd" and not any(features.bias_variance)
    return f"{key}/{features.name}" if plain else None


@cache
def committed() -> dict[str, Any]:
    """The committed table."""
    table: dict[str, Any] = json.loads(files("gaussequiv.run").joinpath("finite_size.json").read_text())
    return table


def coordinates(problem: Problem, equivalent: GaussianEquivalent, d: int) -> dict[str, float]:
    """What places a problem inside or outside the range of a fit, learner apart."""
    e = equivalent
    widths = problem.target.widths_at(d)
    return {
        "depth": float(problem.target.depth),
        "width_ratio": min((width / d for width in widths), default=1e9),
        "noise_to_signal": e.noise / e.signal_variance if e.signal_variance > 0 else np.inf,
        "participation": float((e.weights @ e.eigenvalues) ** 2 / (e.weights @ e.eigenvalues**2)),
    }


def learner_coordinates(problem: Problem, equivalent: GaussianEquivalent, learner: Any, d: int, lam: float) -> dict[str, float]:
    """What places a learner inside or outside the range of a fit: lam over tau/s for ridge on inputs, else lam itself; features' width."""
    out: dict[str, float] = {}
    if problem.sees_features(learner):
        out["lam"] = lam
        if hasattr(problem.features, "widths_at"):
            out["feature_ratio"] = problem.features.widths_at(d)[-1] / d
    elif learner.name == "ridge":
        out["lam_ratio"] = lam / equivalent.lam_optimal if 0 < equivalent.lam_optimal < np.inf else np.inf
    elif hasattr(learner, "loss"):
        out["lam"] = lam
        out |= {name: float(value) for name, value in learner.loss.parameters.items()}
    return out


def committed_allowance(problem: Problem, equivalent: GaussianEquivalent, learner: Any, d: int, alpha: float, lam: float) -> float:
    """c for one point; nan outside the range of the fit (depth, widths, noise, spectrum, alpha, and lam over tau/s)."""
    entry = committed()["families"].get(family(problem, learner) or "")
    if entry is None:
        return float("nan")
    at = coordinates(problem, equivalent, d) | {"alpha": alpha}
    at |= learner_coordinates(problem, equivalent, learner, d, lam)
    slack = 1.01  # sizes are rounded to integers
    inside = all(low / slack <= at[name] <= high * slack for name, (low, high) in entry["range"].items())
    return float(entry["c"]) if inside else float("nan")
