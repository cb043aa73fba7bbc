"""The paper's four generators and what its figure checks."""

import numpy as np

import gaussequiv as ge
from gaussequiv.papers import goldt2020
from gaussequiv.reproduce.reproduce import report_lines


def test_a_check_fails_where_theory_misses_the_simulation():
    """Data of one generator in the place of all four; then a simulation that is 20% off."""
    one = goldt2020.online_problem(ge.load_generator("digits-conv", normalise=True), 60)
    assert one.dimension == 64
    both = ge.compare(one, [0.5, 2.0], trials=4, seed=0)
    control = ge.diagnose(ge.RandomGenerator("sign", latent_ratio=0.3), weights="coordinate", N=60, samples=10_000)
    data = {name: both for name in goldt2020.TITLES} | {"one-layer-control": control}
    checks = goldt2020.PAPER.figure("training").check(data)
    assert len(checks) == 9 and all(check.agrees for check in checks)
    moved = both.copy(deep=True)
    moved["test_error"].loc[{"source": "simulation", "data": "twin"}] *= 1.5
    off = goldt2020.PAPER.figure("training").check(data | {"conv": moved})
    assert [check.name.split(",")[-2].strip() for check in off if not check.agrees] == ["twin"]


def test_a_scaled_generator_is_the_same_function():
    plain = ge.load_generator("digits-vae")
    scaled = goldt2020.scaled(plain)
    c = np.random.default_rng(0).standard_normal((3, 16))
    assert np.allclose(scaled.outputs(c) * scaled.scale, plain.outputs(c), rtol=1e-12)


def test_reports_name_curves_by_whatever_dimensions_they_have():
    problem = ge.OnlineSGD(dimension=40, data=("generator", "twin"))
    lines = report_lines(ge.compare(problem, [0.0, 1.0], trials=4, seed=0, test_samples=200))
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["generator", "twin"]
    lines = report_lines(ge.compare(ge.Problem(learner=ge.Ridge(0.1)), [1.0], d=20, trials=4, seed=0))
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["the curve"]
