"""Networks of extensive width meet the contract of problems, and theory meets message passing on true networks."""

import json

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.ingredients.activations.base import Activation
from gaussequiv.ingredients.priors.named import Discrete
from gaussequiv.problems.dictionary import from_dict
from gaussequiv.testing import check_problem

FOUR = Discrete(np.array([-3, -1, 1, 3]) / np.sqrt(5), [0.25] * 4)


def test_the_contract():
    check_problem(ge.ExtensiveWidth("hermite:2", noise=0.1), points=[0.3, 0.6], size=24)


@pytest.mark.parametrize(
    "problem",
    [
        ge.ExtensiveWidth("relu", 0.7, "rademacher", 0.2, 0.1, "rademacher", "equilibrium"),
        ge.ExtensiveWidth("gelu", readouts=FOUR, noise=0.1),
    ],
)
def test_descriptions_are_read_again(problem):
    stored = json.loads(json.dumps(problem.to_dict()))
    again = from_dict(stored, {FOUR.name: FOUR})
    assert again.to_dict() == problem.to_dict()
    assert again.theory([0.8])["test_error"] == pytest.approx(problem.theory([0.8])["test_error"], rel=1e-13)


def test_a_saved_result_runs_again(tmp_path):
    curve = ge.solve(ge.ExtensiveWidth("relu", noise=0.1, branch="equilibrium"), [0.5, 1.0])
    ge.save(curve, tmp_path / "curve.nc")
    again = ge.rerun(ge.load(tmp_path / "curve.nc"))
    assert again.test_error.values == pytest.approx(curve.test_error.values)
    assert (curve.attrs["axis"], curve.alpha2.attrs["long_name"]) == ("alpha2", "samples per squared input dimension, n/d²")
    assert "maillard2024" in curve.attrs["citations"]


def test_branches():
    """Equilibrium is universal below the transition and specialised above it; the kernel is above both, the wider the target the closer."""
    universal, specialised, equilibrium = (
        ge.solve(ge.ExtensiveWidth("hermite:3", noise=1.25, branch=name), [1.3, 1.45, 1.6]).clean_error.values
        for name in ("universal", "specialised", "equilibrium")
    )
    assert universal == pytest.approx(np.ones(3))
    assert specialised[0] == pytest.approx(1.0)
    assert 0.9 > specialised[1] > specialised[2]
    assert equilibrium == pytest.approx([1.0, 1.0, specialised[2]])
    gaps = [
        float((curve.kernel_error - curve.test_error)[0])
        for curve in (ge.solve(ge.ExtensiveWidth("relu", r, noise=0.1), [1.0]) for r in (0.5, 5, 50))
    ]
    assert gaps[0] > 5 * gaps[1] > 25 * gaps[2] > 0


@pytest.mark.parametrize(("alpha2", "error"), [(0.5, 0.84340), (1.0, 0.65443), (2.0, 0.46700), (4.0, 0.33175), (8.0, 0.25251)])
def test_published_kernel_errors(alpha2, error):
    problem = ge.ExtensiveWidth(Activation(lambda z: (z * z - 1) / np.sqrt(2) + (z**3 - 3 * z) / 6, "h23"), noise=1.25)
    assert problem.kernel_error(np.array([alpha2]))[0] == pytest.approx(error, abs=6e-6)


def test_noise_inside_units_as_published():
    """sigma = .25 inside quadratic units, gamma = 1/2 (Maillard et al. 2024): kappa mmse .77060, .33927, .16710."""
    curve = ge.solve(ge.ExtensiveWidth("hermite:2", unit_noise=0.0625), [0.1, 0.3, 0.5])
    assert curve.clean_error.values == pytest.approx([0.77060, 0.33927, 0.16710], abs=6e-6)


def test_ranges():
    with pytest.raises(ge.ArgumentError, match="width_ratio"):
        ge.ExtensiveWidth(width_ratio=0.0)
    with pytest.raises(ge.ArgumentError, match="mean square 1"):
        ge.ExtensiveWidth(readouts=Discrete([1, 2], [0.5, 0.5]))
    with pytest.raises(ge.ArgumentError, match="mean 0 and variance 1"):
        ge.ExtensiveWidth(weights="gaussian:2")
    with pytest.raises(ge.ArgumentError, match="one after another"):
        ge.ExtensiveWidth("relu", readouts=FOUR, branch="specialised")
    with pytest.raises(ge.ArgumentError, match="alpha2"):
        ge.solve(ge.ExtensiveWidth(), [-0.1])
    with pytest.raises(ge.ArgumentError, match="message passing does not find neurons"):
        ge.simulate(ge.ExtensiveWidth("relu", branch="specialised"), [1.0], d=20, trials=1)
    with pytest.raises(ge.ArgumentError, match="linear"):
        ge.solve(ge.ExtensiveWidth("linear"), [1.0])
    with pytest.raises(ge.ArgumentError, match="fields"):
        from_dict({"kind": "extensive_width", "widht_ratio": 1.0})


def test_few_rows_are_told():
    with pytest.warns(ge.AccuracyWarning, match="n ~ d"):
        ge.simulate(ge.ExtensiveWidth("hermite:2", noise=0.5), [0.05], d=40, trials=1)


def test_message_passing_is_near_theory():
    """relu, gamma = 1/2, d = 60, 6 trials: positive bias of 1/d (measured: +7% of the clean error at alpha2 = 2, d = 60)."""
    curve = ge.compare(ge.ExtensiveWidth("relu", noise=0.1), [2.0], d=60, trials=6, seed=1)
    theory, measured = curve.clean_error.values[:, 0]
    spread = float(curve.clean_error_stderr.values[1, 0])
    assert theory < measured + 3 * spread
    assert measured - theory < 12 / 60 * theory + 3 * spread
    kernel, by_kernel = curve.kernel_error.values[:, 0]
    assert by_kernel == pytest.approx(kernel, rel=0.06)
    assert measured + 0.1 < by_kernel


@pytest.mark.slow
@pytest.mark.parametrize(
    ("problem", "alpha2"),
    [
        (ge.ExtensiveWidth("hermite:2"), 0.2),
        (ge.ExtensiveWidth("hermite:2", readouts="rademacher", unit_noise=0.0625), 0.4),
        (ge.ExtensiveWidth("relu", noise=0.1), 1.0),
        (ge.ExtensiveWidth("relu", 1.0, FOUR, noise=0.1), 1.0),
    ],
)
def test_the_bias_of_message_passing_vanishes(problem, alpha2):
    """Errors at d = 50, 100, 200 over theory - 1 fall as c/d: the limit of a line in 1/d is 0 within 4 standard errors, 16 trials each."""
    sizes, excess, errors = [50, 100, 200], [], []
    for d in sizes:
        curve = ge.compare(problem, [alpha2], d=d, trials=16, seed=2)
        theory, measured = curve.clean_error.values[:, 0]
        excess.append(measured / theory - 1)
        errors.append(float(curve.clean_error_stderr.values[1, 0]) / theory)
    design = np.column_stack([np.ones(3), 1 / np.array(sizes)]) / np.array(errors)[:, None]
    covariance = np.linalg.inv(design.T @ design)
    limit, slope = covariance @ design.T @ (np.array(excess) / np.array(errors))
    assert abs(limit) < 4 * np.sqrt(covariance[0, 0])
    assert 0 < slope < 15
