"""Random descriptions: valid ones give a finite error with a small residual or say why not; invalid ones name their argument."""

import warnings

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.ingredients.activations.base import names

NAMES = [name for name in names() if ":" not in name]


def quadratic(x):
    return 0.3 * x**2 - x


def bump(x):
    return np.exp(-(x**2))


USER = (quadratic, bump, ge.Activation(lambda x: np.clip(x, -1, 1), name="clip", kinks=(-1, 1)))


def decades(rng, low, high, size=None):
    return 10.0 ** rng.uniform(low, high, size)


def random_layer(rng):
    draw = rng.random()
    if draw < 0.1:
        return USER[rng.integers(len(USER))]
    if draw < 0.2:
        return f"hermite:{rng.integers(0, 5)}"
    if draw < 0.3:
        return f"leaky_relu:{rng.uniform(0, 1):.2f}"
    return str(rng.choice(NAMES))


def random_spectrum(rng):
    return (
        lambda: "identity",
        lambda: f"identity:{decades(rng, -3, 3):.4g}",
        lambda: ge.PowerLaw(rng.uniform(0, 0.9)),
        lambda: ge.TwoLevel(decades(rng, -3, 3), decades(rng, -3, 3), rng.uniform(0.01, 0.99)),
        lambda: ge.MarchenkoPastur(decades(rng, -1, 1), cells=100),
        lambda: np.append(decades(rng, -4, 2, 8), np.zeros(rng.integers(0, 4))),
    )[rng.integers(6)]()


def random_learner(rng):
    if rng.random() < 0.4:
        return ge.BayesOptimal()
    lam = rng.choice([0.0, np.inf, 1e-12, 1e-3, 0.3, 40.0, 1e8])
    return ge.Ridge("optimal" if rng.random() < 0.2 else float(lam), (None, True, False)[rng.integers(3)])


def random_description(rng):
    depth = int(rng.choice([0, 1, 1, 2, 2, 3, 5]))
    task = ("regression", "classification")[rng.integers(2)]
    average = rng.random() < 0.3  # average over the offset's law is slower
    options = {
        "activations": [random_layer(rng) for _ in range(depth)],
        "weight_variance": tuple(decades(rng, -2, 2, depth)),
        "bias_variance": tuple(decades(rng, -3, 1, depth)) if rng.random() < 0.3 else 0.0,
        "readout_variance": decades(rng, -3, 3),
        "readout_bias_variance": float(rng.choice([0.0, decades(rng, -3, 1)])),
        "task": task,
        "noise": float(rng.choice([0.0, decades(rng, -8, 2)])),
        "offset": None if average else float(rng.choice([0.0, rng.normal(), 30.0])),
    }
    covariance, mean = None, float(rng.choice([0.0, rng.normal()]))
    if rng.random() < 0.1:
        root = rng.normal(size=(6, int(rng.integers(1, 9))))
        covariance = root @ root.T
    spectrum = random_spectrum(rng) if covariance is None else None
    return options, {"spectrum": spectrum, "covariance": covariance, "mean": mean}, random_learner(rng)


def verdict(problem, alpha):
    """What is wrong with the curve, or nothing; and how many points are marked unconverged."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ge.ConvergenceWarning)  # the status is judged below
        warnings.simplefilter("ignore", ge.AccuracyWarning)  # a quadrature that says so; its accuracy is tested elsewhere
        try:
            curve = ge.solve(problem, alpha=alpha)
        except Exception as error:
            return f"{type(error).__name__}: {error}", 0
    converged = curve.converged.values
    error, residual = curve.test_error.values[converged], curve.residual.values[converged]
    wrong = ""
    if not np.all(np.isfinite(error)) or np.any(error < 0) or (problem.task == "classification" and np.any(error > 1)):
        wrong = f"test_error {error}"
    elif not np.all(residual < 1e-8):
        wrong = f"residual {residual}"
    return wrong, int((~converged).sum())


@pytest.mark.parametrize("part", range(8))
def test_valid_descriptions(part):
    """250 descriptions each, two values of alpha from 1e-4 to 1e6."""
    unconverged, failures = 0, []
    for index in range(250):
        rng = np.random.default_rng((part, index))
        target, inputs, learner = random_description(rng)
        if learner.to_dict().get("lam") == "optimal" and target["task"] == "classification" and target["offset"] is None:
            target["offset"] = 0.1
        problem = ge.Problem(ge.DeepNetwork(**target), ge.GaussianInputs(**inputs), learner)
        alpha = decades(rng, -4, 6, 2)
        wrong, count = verdict(problem, alpha)
        unconverged += count
        if wrong:
            failures.append(f"seed ({part}, {index}): {wrong}; {problem.to_dict()} at {alpha}")
    assert not failures, f"{len(failures)} of 250 descriptions:\n" + "\n".join(failures)
    assert unconverged <= 25, f"{unconverged} of 500 points did not converge"


INVALID_TARGET = {
    "activations": ("tanhh", "hermite:x", 3.0, ["relu", 7], lambda x: x + "a", lambda x: np.sum(x)),
    "depth": (-1, 1.5, "two", True),
    "weight_variance": (-1.0, 0.0, np.nan, np.inf, "a", (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)),
    "bias_variance": (-0.1, np.nan, "b", (0.1,) * 7),
    "readout_variance": (0.0, -2.0, np.nan, np.inf, None, "x"),
    "readout_bias_variance": (-1e-9, np.nan, "x"),
    "task": ("regresion", "", 3),
    "noise": (-0.1, np.nan, np.inf, "loud", None, [1.0]),
    "widths": ((1, 2, 3, 4, 5, 6, 7), 0, -3, (2.5, 3)),
    "width_ratios": (0.0, -1.0, (1.0,) * 8),
    "offset": (np.nan, np.inf, "up"),
}
INVALID_INPUTS = {
    "spectrum": ("identitty", "power-law", "power-law:a", "two-level:1:2", "identity:1:2", [-1.0, 1.0], [], [0.0, 0.0], [np.nan]),
    "covariance": (np.eye(3)[:2], -np.eye(2), np.array([[1.0, 2.0], [0.0, 1.0]]), np.zeros((2, 2)), np.full((2, 2), np.nan)),
    "mean": (np.nan, "a", np.zeros((2, 2)), []),
}
INVALID_LEARNER = {"lam": (-1.0, np.nan, "best", None, True), "intercept": ("yes", 3)}
INVALID_ALPHA = (0.0, -1.0, np.nan, np.inf, "a", [], [[1.0]], [1.0, -2.0], None)


def invalid_calls(rng):
    """One random wrong value in an otherwise random description: (argument, call)."""
    (target, inputs, learner), kind = random_description(rng), rng.integers(4)
    learner = learner if rng.random() < 0.5 else ge.BayesOptimal()
    name = "alpha"
    if kind == 0:
        name = str(rng.choice(list(INVALID_TARGET)))
        target = {"activations": ["erf", "relu"], "task": target["task"], "noise": target["noise"]}
        target[name] = INVALID_TARGET[name][rng.integers(len(INVALID_TARGET[name]))]
        return name, lambda: ge.DeepNetwork(**target)
    if kind == 1:
        name = str(rng.choice(list(INVALID_INPUTS)))
        inputs = {name: INVALID_INPUTS[name][rng.integers(len(INVALID_INPUTS[name]))]}
        return name, lambda: ge.GaussianInputs(**inputs)
    if kind == 2:
        name = str(rng.choice(list(INVALID_LEARNER)))
        value = INVALID_LEARNER[name][rng.integers(len(INVALID_LEARNER[name]))]
        return name, lambda: ge.Ridge(**{name: value})
    value = INVALID_ALPHA[rng.integers(len(INVALID_ALPHA))]
    return name, lambda: ge.solve(ge.Problem(ge.DeepNetwork("erf"), learner=learner), alpha=value)


@pytest.mark.parametrize("part", range(4))
def test_invalid_descriptions(part):
    """50 each: an ArgumentError whose message names the argument."""
    for index in range(50):
        rng = np.random.default_rng((1000 + part, index))
        name, call = invalid_calls(rng)
        try:
            result = call()
        except ge.ArgumentError as error:
            named = name if name != "activations" else ("activations", "function")
            assert any(f"`{n}" in str(error) for n in np.atleast_1d(named)), f"{name}: {error}"
        else:
            raise AssertionError(f"seed ({1000 + part}, {index}): a wrong `{name}` was accepted: {result!r:.300}")
