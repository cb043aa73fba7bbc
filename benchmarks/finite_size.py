"""Fit the finite-size constants that `compare` uses: ``python -m benchmarks.finite_size [PART ...]`` (about 40 minutes on two cores).

Parts: network (Bayes and ridge on inputs), convex (losses), features (random features and kernels); all by default. Writes
src/gaussequiv/problems/supervised/finite_size.json; parts that are not named keep their families.
Every family keeps the largest |c| + 2 standard errors over its problems and points.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import gaussequiv as ge
from gaussequiv.problems.supervised.allowance import coordinates, family, learner_coordinates
from gaussequiv.run.finite_size import fit_finite_size

ALPHAS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 7.0)
OFFSET_ALPHAS = ALPHAS[2:]  # an intercept costs 1/n: below alpha = 0.5 that would swell the constant for all
SIZES = (50, 100, 200)
TRIALS = 400  # at the smallest size
SEED = 2023
LAM_RATIOS = (0.1, 1.0, 10.0)
OUT = Path(__file__).parents[1] / "src" / "gaussequiv" / "problems" / "supervised" / "finite_size.json"


def targets(task: str) -> dict[str, list[tuple[ge.DeepNetwork, ge.GaussianInputs]]]:
    """Problems of each family, from easy to hard ends of the range it claims."""
    iso = ge.GaussianInputs()
    power = ge.GaussianInputs(spectrum="power-law:0.8")
    levels = ge.GaussianInputs(spectrum="two-level:4:0.4:0.1667")
    odd = [ge.DeepNetwork("tanh", depth=L, weight_variance=4, task=task) for L in (1, 2, 3)]
    mild = ge.DeepNetwork("tanh", depth=1, task=task)
    linear = ge.DeepNetwork((), noise=0.1, task=task)
    relu = [ge.DeepNetwork("relu", depth=L, task=task) for L in (1, 2, 3)]
    biased = ge.DeepNetwork("tanh", depth=2, weight_variance=(1.5, 2), bias_variance=(0.2, 0.4), task=task)
    if task == "classification":  # fewer: message passing costs, and offsets add their own variance over teachers
        return {
            "odd": [(t, iso) for t in (linear, mild, odd[1], odd[2])],
            "structured": [(t, power) for t in odd],
            "offset": [(t, iso) for t in (*relu, biased)],
        }
    return {
        "odd": [(t, iso) for t in (linear, mild, *odd)],
        "structured": [*((t, power) for t in odd), (odd[1], levels)],
        "offset": [(relu[0], iso), (relu[2], iso), (biased, iso)],
    }


def main(parts: tuple[str, ...] = ("network", "convex", "features")) -> None:
    stored = json.loads(OUT.read_text()) if OUT.exists() else {}
    families: dict[str, dict[str, object]] = {}
    if "network" in parts:
        for task in ("regression", "classification"):
            for group in targets(task).values():
                for target, inputs in group:
                    _add(families, target, inputs)
    if "convex" in parts:
        for loss, (group, lams, alphas, trials) in convex().items():
            for target in group:
                learners = [ge.ERM(loss, lam) for lam in lams]
                _fit(families, ge.Problem(target, learner=learners), alphas, trials, {"lam": (lams[0], lams[-1])})
    if "features" in parts:
        for problem in feature_problems():
            _fit(families, problem, FEATURE_ALPHAS, FEATURE_TRIALS, {"lam": (FEATURE_LAMS[0], FEATURE_LAMS[-1])})
    about = {
        "sizes": SIZES,
        "trials_at_smallest": {"network": TRIALS, "convex": {k: v[3] for k, v in convex().items()}, "features": FEATURE_TRIALS},
        "seed": SEED,
        "alphas": ALPHAS,
        "offset_alphas": OFFSET_ALPHAS,
        "command": "python -m benchmarks.finite_size",
    }
    kept = {} if len(parts) == 3 else stored.get("families", {})
    OUT.write_text(json.dumps({"about": about, "families": kept | families}, indent=1) + "\n")


CONVEX_ALPHAS = (0.5, 1.0, 2.0, 4.0, 7.0)
FEATURE_ALPHAS = (0.5, 1.0, 2.0, 4.0)
FEATURE_LAMS = (0.1, 1.0)  # less regularisation near the interpolation peak has no common constant
FEATURE_TRIALS = 160


def convex() -> dict[str, tuple[list[ge.DeepNetwork], tuple[float, ...], tuple[float, ...], int]]:
    """Loss: targets, penalties, alphas and trials at the smallest size."""
    labels = {"task": "classification", "weight_variance": 4}
    odd = [ge.DeepNetwork((), noise=0.1, task="classification"), *(ge.DeepNetwork("tanh", depth=L, **labels) for L in (1, 2, 3))]
    real = [ge.DeepNetwork("tanh", depth=L, weight_variance=4, noise=0.1) for L in (1, 3)]
    return {
        "logistic": (odd, (0.01, 0.1, 1.0), CONVEX_ALPHAS, 160),
        "hinge": ([odd[1], odd[3]], (0.1, 1.0), CONVEX_ALPHAS[:4], 96),
        "huber:1": (real, (0.1, 1.0), CONVEX_ALPHAS[:4], 160),
        "absolute": (real, (0.1, 1.0), CONVEX_ALPHAS[:4], 96),
    }


def feature_problems() -> list[ge.Problem]:
    """Ridge on random features of three widths and on a kernel."""
    target = ge.DeepNetwork("tanh", depth=2, weight_variance=4, noise=0.1)
    learners = [ge.Ridge(lam) for lam in FEATURE_LAMS]
    seen = [ge.RandomFeatures("tanh", ratio=ratio, weight_variance=4) for ratio in (0.5, 1.0, 3.0)] + [ge.NNGP("tanh", weight_variance=4)]
    return [ge.Problem(target, features=features, learner=learners) for features in seen]


def _fit(
    families: dict[str, dict[str, object]],
    problem: ge.Problem,
    alphas: tuple[float, ...],
    trials: int,
    spans: dict[str, tuple[float, float]],
) -> None:
    """One problem whose learners belong to one family."""
    start = time.perf_counter()
    learner = problem.learners[0]
    key = str(family(problem, learner))
    fit = fit_finite_size(problem, np.array(alphas), sizes=SIZES, trials=trials, seed=SEED, progress=False)
    bound = np.abs(fit.c) + 2 * fit.c_stderr
    spots = [
        coordinates(problem, problem.equivalent_of(learner, d), d)
        | learner_coordinates(problem, problem.equivalent_of(learner, d), learner, d, spans["lam"][0])
        for d in SIZES
    ]
    spans = {k: (min(s[k] for s in spots), max(s[k] for s in spots)) for k in spots[0]} | {"alpha": (alphas[0], alphas[-1])} | spans
    _keep(families, key, problem.target, problem.inputs, fit, bound, spans, slice(None))
    print(f"{key}: {list(problem.target.activations)} {problem.features}: bound {bound.max():.2f}", file=sys.stderr, flush=True)
    print(f"  {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)


def _keep(
    families: dict[str, dict[str, object]],
    key: str,
    target: ge.DeepNetwork,
    inputs: ge.GaussianInputs,
    fit: Any,
    bound: np.ndarray,
    spans: dict[str, tuple[float, float]],
    rows: slice,
) -> None:
    """Widen the family's range and raise its constant."""
    entry = families.setdefault(key, {"c": 0.0, "range": {}, "problems": []})
    entry["c"] = max(float(entry["c"]), round(float(bound[rows].max()), 2))  # type: ignore[arg-type]
    spans["width_ratio"] = (spans["width_ratio"][0], 1e9)  # wider is closer to the limit
    spans["noise_to_signal"] = (spans["noise_to_signal"][0], 1e9)  # more noise dilutes the deviation
    spans["participation"] = (spans["participation"][0], 1e9)
    kept: dict[str, tuple[float, float]] = entry["range"]  # type: ignore[assignment]
    for k, (low, high) in spans.items():
        old = kept.get(k, (low, high))
        kept[k] = (round(min(old[0], low), 6), round(max(old[1], high), 6))
    row = {"activations": list(target.activations), "inputs": str(inputs.spectrum), "c": np.round(fit.c[rows], 2).tolist()}
    entry["problems"].append(row | {"c_stderr": np.round(fit.c_stderr[rows], 2).tolist()})  # type: ignore[attr-defined]


def _add(families: dict[str, dict[str, object]], target: ge.DeepNetwork, inputs: ge.GaussianInputs) -> None:
    best = ge.Problem(target=target, inputs=inputs).equivalent(SIZES[-1]).lam_optimal
    learners = [ge.BayesOptimal(), *(ge.Ridge(ratio * best) for ratio in LAM_RATIOS)]
    problem = ge.Problem(target=target, inputs=inputs, learner=learners)
    start = time.perf_counter()
    alphas = ALPHAS if "/odd/" in str(family(problem, learners[0])) else OFFSET_ALPHAS
    fit = fit_finite_size(problem, np.array(alphas), sizes=SIZES, trials=TRIALS, seed=SEED, progress=False)
    bound = np.abs(fit.c) + 2 * fit.c_stderr
    spots = [coordinates(problem, problem.equivalent(d), d) for d in SIZES]
    for name, rows in (("bayes", slice(0, 1)), ("ridge", slice(1, None))):
        learner = learners[0] if name == "bayes" else learners[1]
        spans = {k: (min(s[k] for s in spots), max(s[k] for s in spots)) for k in spots[0]}
        spans |= {"alpha": (alphas[0], alphas[-1])} | ({"lam_ratio": (LAM_RATIOS[0], LAM_RATIOS[-1])} if name == "ridge" else {})
        _keep(families, str(family(problem, learner)), target, inputs, fit, bound, spans, rows)
        worst = np.unravel_index(np.argmax(bound[rows]), bound[rows].shape)
        print(
            f"{family(problem, learner)}: {list(target.activations)} {inputs.spectrum}: bound {bound[rows].max():.2f} at {worst}",
            file=sys.stderr,
        )
    print(f"  {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or ("network", "convex", "features"))
