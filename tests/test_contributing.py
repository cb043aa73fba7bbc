"""The templates of CONTRIBUTING.md run."""

from pathlib import Path

import numpy as np
import pytest

import gaussequiv as ge

PAGE = Path(__file__).parents[1] / "CONTRIBUTING.md"


def template(name):
    """The code block that defines a name, executed."""
    (block,) = [part.split("```")[0] for part in PAGE.read_text().split("```python\n")[1:] if f"class {name}" in part]
    space = {"__name__": "template"}
    exec(compile(block, str(PAGE), "exec"), space)
    return space[name]


def test_a_problem_of_another_kind_meets_every_verb(tmp_path):
    problem = template("SeenInNoise")(2.0)
    both = ge.compare(problem, snr=[0.5, 2.0], d=2000, trials=16, allowance=0.0)
    assert both.attrs["verdict"] == "agree", both.attrs["reason"]
    assert both.mse.values[0] == pytest.approx(2 / (1 + 2 * np.array([0.5, 2.0])))
    assert both.mse.attrs["long_name"] == "mean squared error of a component"
    loaded = ge.load(ge.save(ge.simulate(problem, [1.0], d=10, trials=3, seed=4), tmp_path / "seen.nc"))
    assert ge.rerun(loaded, parts={"seen_in_noise": problem}).mse.values.tolist() == loaded.mse.values.tolist()
    with pytest.raises(ge.ArgumentError, match=r"`kind` must be one of .* but kind='seen_in_noise'"):
        ge.rerun(loaded)
    assert ge.sweep(problem, [1.0], {"rho": [1.0, 2.0]}).mse.values.ravel() == pytest.approx([0.5, 2 / 3])
    with pytest.raises(ge.ArgumentError, match="must have an algorithm"):
        ge.track(problem, 1.0, d=10)
    assert ge.plot.curve(both).get_xlabel() == "precision of the noise"


def test_an_observable_of_a_wrong_shape_is_named():
    problem = template("SeenInNoise")
    other = type("Other", (problem,), {"theory": lambda self, points, size=None: ge_curve({"mse": np.ones((2, 3))})})
    with pytest.raises(ge.ArgumentError, match="Observable `mse` must have the dimensions"):
        ge.solve(other(), [1.0, 2.0])
    short = type("Short", (problem,), {"theory": lambda self, points, size=None: ge_curve({"mse": np.ones(3)})})
    with pytest.raises(ge.ArgumentError, match="one value for each of the 2 points"):
        ge.solve(short(), [1.0, 2.0])


def ge_curve(observables):
    from gaussequiv.curve import Curve

    return Curve(observables)
