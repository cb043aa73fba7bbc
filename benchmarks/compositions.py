"""Random compositions of ordinary and of a user's own pieces, with biases: CPU time of one point of each, and what is not defined."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np
from scipy.special import expit
from threadpoolctl import threadpool_limits

import gaussequiv as ge
from benchmarks.measure import Row

COUNT, SEED = 60, 7004
LAMS = ("optimal", 0.01, 0.1, 1.0)


def rising(z: np.ndarray) -> np.ndarray:
    return 0.05 + 0.9 * expit(3 * z)


def hump(z: np.ndarray) -> np.ndarray:
    return 0.1 + 0.8 * np.exp(-((z - 0.5) ** 2))


def pseudo_huber() -> ge.CustomLoss:
    return ge.CustomLoss(
        lambda r: np.sqrt(1 + r**2) - 1,
        "residual",
        name="pseudo-huber",
        slope=lambda r: r / np.sqrt(1 + r**2),
        curvature=lambda r: (1 + r**2) ** -1.5,
    )


def squared_softplus() -> ge.CustomLoss:
    return ge.CustomLoss(
        lambda t: np.logaddexp(0, -t) ** 2,
        "margin",
        name="squared-softplus",
        slope=lambda t: -2 * np.logaddexp(0, -t) * expit(-t),
        curvature=lambda t: 2 * expit(-t) ** 2 + 2 * np.logaddexp(0, -t) * expit(t) * expit(-t),
    )


def tube() -> ge.CustomLoss:
    return ge.CustomLoss(
        lambda r: np.maximum(np.abs(r) - 0.5, 0.0),
        "residual",
        name="tube",
        kinks=(-0.5, 0.5),
        slope=lambda r: np.where(np.abs(r) > 0.5, np.sign(r), 0.0),
        curvature=np.zeros_like,
    )


OWN = {"pseudo_huber": pseudo_huber, "squared_softplus": squared_softplus, "tube": tube}
REAL = {
    "noise": {"noise": 0.2},
    "tanh": {"labels": ge.Output(np.tanh, noise=0.1)},
    "abs": {"labels": ge.Output(np.abs, noise=0.1, kinks=(0,))},
}
BINARY = {
    "sign": {},
    "logit": {"labels": "logit"},
    "probit": {"noise": 0.3},
    "rising": {"labels": rising},
    "hump": {"labels": hump},
    "flips": {"flips": (0.05, 0.1)},
}
RESIDUAL = ("huber", "quantile:0.7", "absolute", "pseudo_huber", "tube", "ridge", "bayes")
MARGIN = ("logistic", "hinge", "squared_hinge", "squared_softplus", "huber", "pseudo_huber", "ridge", "bayes")


def learner(name: str, lam: float | str, penalty: str) -> Callable[[], ge.Learner]:
    if name == "bayes":
        return ge.BayesOptimal
    if name == "ridge":
        return lambda: ge.Ridge(lam)
    return lambda: ge.ERM(OWN[name]() if name in OWN else name, lam, penalty=penalty)


def compositions(seed: int, count: int) -> Iterator[tuple[str, Callable[[], ge.Problem], float]]:
    """(what it is, how it is made, alpha)."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        binary = rng.random() < 0.5
        task, laws, losses = ("classification", BINARY, MARGIN) if binary else ("regression", REAL, RESIDUAL)
        labels, loss = str(rng.choice(list(laws))), str(rng.choice(losses))
        activation, depth = str(rng.choice(["tanh", "relu", "erf", "sine"])), int(rng.integers(1, 3))
        biases = {name: value for name, value in (("bias_variance", 0.3), ("readout_bias_variance", 0.2)) if rng.random() < 0.6}
        lam, alpha, seen = LAMS[rng.integers(4)], float(rng.choice([0.4, 1.3, 4.0])), rng.integers(4)
        penalty = "l1" if seen < 2 and rng.random() < 0.15 else "l2"
        features = (None, None, ge.NNGP(["relu"]), ge.RandomFeatures(["tanh"], ratio=2.0))[seen]
        target = ge.DeepNetwork(activation, depth, task=task, **biases, **laws[labels])
        make = learner(loss, lam, penalty)
        target_name = f"{activation} x {depth}, {', '.join(biases) or 'no biases'}, labels {labels}"
        name = f"{target_name}, {loss}, lam {lam}, {penalty}, features {features}"
        yield name, lambda t=target, f=features, m=make: ge.Problem(t, features=f, learner=m()), alpha


def run(seed: int = SEED, count: int = COUNT) -> list[Row]:
    """CPU seconds from the pieces to a Dataset, imports apart."""
    warm = ge.DeepNetwork("tanh", bias_variance=0.1, labels=ge.Poisson())
    ge.solve(ge.Problem(warm, learner=[ge.ERM("huber", 0.1), ge.BayesOptimal()]), alpha=1.0)
    seconds, undefined = [], []
    for name, make, alpha in compositions(seed, count):
        start = time.process_time()
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore", ge.AccuracyWarning)
            curve = ge.solve(make(), alpha=[alpha])
        seconds.append(time.process_time() - start)
        if not (curve.converged.all() and np.isfinite(curve.test_error).all()):
            undefined.append(name)
    assert not undefined, undefined
    what = f"{count} random compositions, one alpha each (CPU)"
    return [
        Row(f"{what}: median", float(np.median(seconds))),
        Row(f"{what}: longest", max(seconds), below=1.0),
        Row(f"{what}: all", sum(seconds)),
    ]
