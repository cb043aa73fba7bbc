"""`sweep` over parameters by name, and `rerun` of whatever was saved."""

import json

import numpy as np
import pytest

import gaussequiv as ge

TARGET = ge.DeepNetwork("tanh", weight_variance=4, noise=0.1)
RIDGE = ge.Problem(TARGET, learner=ge.Ridge(0.3))
SMALL = {"d": 12, "trials": 3, "seed": 5, "test_samples": 60}
TABLE = np.random.default_rng(0).standard_normal((60, 5)) * [3, 1, 1, 1, 0.5]


def same(one, two):
    assert dict(one.sizes) == dict(two.sizes)
    for name in one.data_vars:
        assert two[name].dims == one[name].dims, name
        if one[name].dtype.kind in "fib":
            assert np.array_equal(two[name].values.astype(float), one[name].values.astype(float), equal_nan=True), name
        else:
            assert two[name].values.tolist() == one[name].values.tolist(), name


def test_every_combination_is_the_curve_of_its_parameters():
    found = ge.sweep(RIDGE, [0.5, 2.0], {"depth": [0, 2], "lam": [0.1, 1.0, "optimal"], "noise": [0.0, 0.2]})
    assert found.test_error.dims == ("depth", "lam", "noise", "alpha")
    for i, depth in enumerate([0, 2]):
        for j, lam in enumerate([0.1, 1.0, "optimal"]):
            for k, noise in enumerate([0.0, 0.2]):
                target = ge.DeepNetwork("tanh", depth=depth, weight_variance=4, noise=noise)
                one = ge.solve(ge.Problem(target, learner=ge.Ridge(lam)), [0.5, 2.0])
                assert np.array_equal(found.test_error.values[i, j, k], one.test_error.values)


def test_names_of_activations_and_spectra_are_coordinates():
    found = ge.sweep(RIDGE, 1.0, {"activations": ["tanh", "relu"], "spectrum": ["identity", "power-law:0.5"]})
    assert found.activations.values.tolist() == ["tanh", "relu"]
    assert found.test_error.sel(activations="relu", spectrum="power-law:0.5").shape == (1,)


def test_simulations_and_comparisons_are_swept_too():
    run = ge.sweep(RIDGE, [1.0, 2.0], {"lam": [0.1, 1.0]}, verb="simulate", **SMALL)
    assert run.test_error.dims == ("lam", "alpha", "trial")
    one = ge.simulate(ge.Problem(TARGET, learner=ge.Ridge(1.0)), [1.0, 2.0], **SMALL)
    assert np.array_equal(run.test_error.values[1], one.test_error.values)
    both = ge.sweep(RIDGE, [1.0, 2.0], {"noise": [0.1, 0.2]}, verb="compare", **SMALL)
    assert both.test_error.dims == ("noise", "source", "alpha")
    assert both.verdict.dims == ("noise",)
    assert set(both.verdict.values) == {"inconclusive"}


def test_labels_units_and_status_meanings_survive_a_sweep():
    found = ge.sweep(RIDGE, [0.5, 2.0], {"noise": [0.1, 0.2]})
    plain = ge.solve(RIDGE, [0.5, 2.0])
    for name in ("test_error", "status", "alpha"):
        assert found[name].attrs == plain[name].attrs, name


@pytest.mark.parametrize(
    ("over", "options", "name"),
    [
        ({}, {}, "over"),
        ({"lam": []}, {}, "over"),
        ({"lamda": [1.0]}, {}, "over"),
        ({"lam": [-1.0]}, {}, "lam"),
        ({"lam": [1.0]}, {"verb": "solv"}, "verb"),
    ],
)
def test_wrong_sweeps_are_named(over, options, name):
    with pytest.raises(ge.ArgumentError, match=f"`{name}`"):
        ge.sweep(RIDGE, 1.0, over, **options)


RUNS = {
    "solve": lambda: ge.solve(RIDGE, np.geomspace(0.1, 7, 4)),
    "solve n": lambda: ge.solve(RIDGE, n=[7, 50], d=30),
    "solve d": lambda: ge.solve(ge.Problem(TARGET, ge.GaussianInputs("power-law:1.2")), [0.5, 1.0], d=20),
    "sixths": lambda: ge.solve(ge.Problem(TARGET, ge.GaussianInputs(ge.TwoLevel(4, 1 / 7, 1 / 6)), ge.Ridge(1 / 3)), [0.3]),
    "infinite": lambda: ge.solve(ge.Problem(TARGET, learner=[ge.Ridge(np.inf), ge.BayesOptimal()]), [0.3]),
    "simulate": lambda: ge.simulate(ge.Problem(TARGET, learner=[ge.BayesOptimal(), ge.Ridge(0.1)]), [0.5, 1.7], **SMALL),
    "compare": lambda: ge.compare(RIDGE, [0.5, 1.7], **SMALL, normalise_teacher=True, allowance=1.0),
    "sweep": lambda: ge.sweep(RIDGE, [0.5, 1 / 3], {"depth": [1, 2], "lam": [0.1, "optimal"]}),
    "sweep compare": lambda: ge.sweep(RIDGE, [0.5], {"noise": [0.1, 0.2]}, verb="compare", **SMALL),
    "sweep of layers": lambda: ge.sweep(RIDGE, [0.5], {"activations": [("tanh", "relu"), ("relu", "tanh")]}),
}


@pytest.mark.parametrize("kind", ["nc", "json", "csv", None])
@pytest.mark.parametrize("name", RUNS)
def test_a_rerun_gives_identical_numbers(name, kind, tmp_path):
    result = RUNS[name]()
    saved = ge.load(ge.save(result, tmp_path / f"a.{kind}")) if kind else result
    same(result, ge.rerun(saved))


def test_data_have_to_be_passed_again_and_are_checked():
    result = ge.simulate(ge.Problem(TARGET, ge.DataInputs(TABLE, normalise=True)), [2.0], trials=2)
    with pytest.raises(ge.ArgumentError, match="given again"):
        ge.rerun(result)
    other = TABLE.copy()
    other[0, 0] += 1e-6
    with pytest.raises(ge.ArgumentError, match="digest"):
        ge.rerun(result, inputs=ge.DataInputs(other, normalise=True))
    same(result, ge.rerun(result, inputs=ge.DataInputs(TABLE, normalise=True)))


def test_data_prepared_differently_are_not_the_same_data():
    result = ge.solve(ge.Problem(TARGET, ge.DataInputs(TABLE, normalise=True)), [2.0])
    with pytest.raises(ge.ArgumentError, match="`inputs`"):
        ge.rerun(result, inputs=ge.DataInputs(TABLE))


def test_inputs_of_another_kind_are_not_the_same_data():
    result = ge.solve(ge.Problem(TARGET, ge.DataInputs(TABLE)), [2.0])
    with pytest.raises(ge.ArgumentError, match="`inputs`"):
        ge.rerun(result, inputs=ge.GaussianInputs())


def test_functions_have_to_be_passed_again():
    def steep(x):
        return np.tanh(3 * x)

    result = ge.solve(ge.Problem(ge.DeepNetwork(steep)), [2.0])
    name = json.loads(result.attrs["problem"])["target"]["activations"][0]
    with pytest.raises(ge.ArgumentError, match="steep"):
        ge.rerun(result)
    same(result, ge.rerun(result, functions={name: steep}))


def test_a_result_without_its_problem_cannot_be_run_again():
    result = ge.solve(RIDGE, [1.0])
    with pytest.raises(ge.ArgumentError, match="no attribute 'call'"):
        ge.rerun(result.drop_attrs())
