"""`Problem`: checks, parameters by name, and descriptions that can be read back."""

import json
import re

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.problems.supervised.dictionary import from_dict

TABLE = np.random.default_rng(0).standard_normal((30, 4))
PROBLEMS = {
    "default": ge.Problem(),
    "deep": ge.Problem(
        ge.DeepNetwork(("tanh", "leaky_relu:0.3"), weight_variance=(1, 2), bias_variance=0.1, noise=0.2, widths=(30, 40), offset=0.1),
        ge.GaussianInputs("two-level:4:0.2:0.25", mean=0.5),
        ge.Ridge(0.3, intercept=False),
    ),
    "linear": ge.Problem(ge.DeepNetwork((), task="classification"), ge.GaussianInputs([2.0, 1 / 3]), [ge.BayesOptimal(), ge.Ridge(np.inf)]),
    "sixth": ge.Problem(ge.DeepNetwork("erf"), ge.GaussianInputs(ge.TwoLevel(4.0, 0.2, 1 / 6)), ge.Ridge(1 / 3)),
}


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_a_description_survives_json_with_every_digit(problem):
    again = from_dict(json.loads(json.dumps(problem.to_dict())))
    assert again.to_dict() == problem.to_dict()
    for d in (None, 12):
        one, two = (p.equivalent(d) for p in (problem, again))
        assert np.array_equal(one.eigenvalues, two.eigenvalues)
        assert np.array_equal(one.weights, two.weights)
        assert (one.signal_variance, one.noise, one.offset) == (two.signal_variance, two.noise, two.offset)
    assert [x.to_dict() for x in again.learners] == [x.to_dict() for x in problem.learners]


def test_a_handwritten_description_needs_little():
    problem = from_dict({"target": {"activations": "tanh", "depth": 2}, "learner": "ridge"})
    assert problem.target.depth == 2
    assert problem.learners == (ge.Ridge("optimal"),)
    assert from_dict({}).to_dict() == ge.Problem().to_dict()


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({"tarjet": {}}, "Did you mean 'target'"),
        ({"target": {"nois": 0.1}}, "Did you mean 'noise'"),
        ({"inputs": {"spectrun": "identity"}}, "Did you mean 'spectrum'"),
        ({"learner": "rigde"}, "Did you mean 'ridge'"),
        ({"learner": {"name": "ridge", "lamb": 1.0}}, "Did you mean 'lam'"),
        ({"learner": {"name": "bayes", "lam": 1.0}}, "no field 'lam'"),
        ({"inputs": {"kind": "data", "name": "mine", "shape": [3, 2]}}, "given again"),
    ],
)
def test_misspelt_descriptions_get_a_hint(description, message):
    with pytest.raises(ge.ArgumentError, match=message):
        from_dict(description)


def test_functions_are_given_again_by_their_name():
    def double(x):
        return np.tanh(2 * x)

    problem = ge.Problem(ge.DeepNetwork((double, "relu")))
    name = problem.to_dict()["target"]["activations"][0]
    assert name.endswith("double")
    again = from_dict(problem.to_dict(), functions={name: double})
    assert again.equivalent().signal_variance == problem.equivalent().signal_variance
    with pytest.raises(ge.ArgumentError, match="`activations`"):
        from_dict(problem.to_dict())


@pytest.mark.parametrize("inputs", [ge.DataInputs(TABLE, normalise=True, name="mine"), ge.GaussianInputs(covariance=np.eye(3) + 0.2)])
def test_matrices_are_kept_by_shape_and_given_again(inputs):
    problem = ge.Problem(inputs=inputs)
    description = json.loads(json.dumps(problem.to_dict()))
    assert len(json.dumps(description)) < 1000
    with pytest.raises(ge.ArgumentError, match="given again"):
        from_dict(description)
    assert from_dict(description, inputs=inputs).to_dict() == problem.to_dict()


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"target": "tanh"}, "target"),
        ({"inputs": "identity"}, "inputs"),
        ({"inputs": TABLE}, "inputs"),
        ({"learner": "ridge"}, "learner"),
        ({"learner": ge.Ridge}, "learner"),
        ({"learner": []}, "learner"),
        ({"learner": [ge.Ridge(1.0), ge.Ridge(1.0)]}, "learner"),
        ({"learner": [ge.BayesOptimal(), None]}, "learner"),
    ],
)
def test_wrong_parts_are_named(options, name):
    with pytest.raises(ge.ArgumentError, match=f"`{name}`"):
        ge.Problem(**options)


def test_penalties_that_differ_in_the_last_digits_are_different_learners():
    assert len(ge.Problem(learner=[ge.Ridge(0.12345678), ge.Ridge(0.12345679)]).learners) == 2


def test_parameters_are_found_by_name():
    problem = PROBLEMS["deep"]
    assert problem.with_parameter("noise", 0.5).target.noise == 0.5
    assert problem.with_parameter("lam", 2.0).learner.lam == 2.0
    assert problem.with_parameter("mean", 0.0).inputs.mean == 0.0
    assert problem.with_parameter("spectrum", "power-law:0.5").inputs.spectrum.exponent == 0.5
    assert problem.with_parameter("bias_variance", 0.7).target.bias_variance == (0.7, 0.7)
    assert problem.target.noise == 0.2  # the original is untouched


def test_changing_one_parameter_keeps_the_others():
    changed = PROBLEMS["deep"].with_parameter("noise", 0.5).to_dict()
    original = PROBLEMS["deep"].to_dict()
    original["target"]["noise"] = 0.5
    assert changed == original


def test_custom_activations_survive_a_change():
    target = ge.DeepNetwork((ge.Activation(lambda x: np.tanh(2 * x), name="double"), "relu"))
    assert ge.Problem(target).with_parameter("noise", 0.3).target.layers == target.layers


def test_depth_repeats_the_layer():
    problem = ge.Problem(ge.DeepNetwork("tanh", weight_variance=4, bias_variance=0.1))
    deep = problem.with_parameter("depth", 3).target
    assert (deep.activations, deep.weight_variance, deep.bias_variance) == (("tanh",) * 3, (4.0,) * 3, (0.1,) * 3)
    assert problem.with_parameter("depth", 0).target.layers == ()


@pytest.mark.parametrize("value", ["relu", np.tanh, ge.Activation(np.arctan, name="atan")])
def test_another_activation_keeps_the_depth(value):
    problem = ge.Problem(ge.DeepNetwork("tanh", depth=2, weight_variance=4))
    target = problem.with_parameter("activations", value).target
    assert (target.depth, target.weight_variance) == (2, (4.0, 4.0))


def test_layers_that_differ_cannot_be_repeated():
    with pytest.raises(ge.ArgumentError, match="widths"):
        PROBLEMS["deep"].with_parameter("depth", 3)
    with pytest.raises(ge.ArgumentError, match="the same for all layers"):
        ge.Problem(ge.DeepNetwork(("tanh", "relu"))).with_parameter("depth", 3)
    assert PROBLEMS["deep"].with_parameter("activations", ["relu", "erf"]).target.widths == (30, 40)


@pytest.mark.parametrize(
    ("parts", "wrong", "hint"),
    [
        ((ge.DeepNetwork(), ge.BayesOptimal()), "inputs", "learner=BayesOptimal(...)"),
        ((ge.DeepNetwork(), [ge.Ridge(), ge.BayesOptimal()]), "inputs", "learner=[Ridge(...), ...]"),
        ((ge.DeepNetwork(), ge.Ridge), "inputs", "learner=Ridge()"),
        ((ge.DeepNetwork(), ge.RandomFeatures("erf")), "inputs", "features=RandomFeatures(...)"),
        ((ge.DeepNetwork(), ge.GaussianInputs(), ge.NNGP("erf")), "learner", "features=NNGP(...)"),
        ((ge.GaussianInputs(), ge.DeepNetwork()), "target", "inputs=GaussianInputs(...)"),
        ((ge.DeepNetwork(), ge.GaussianInputs(), ge.Ridge(), ge.GaussianInputs()), "features", "inputs=GaussianInputs(...)"),
        ((ge.DeepNetwork,), "target", "target=DeepNetwork()"),
    ],
)
def test_a_part_in_the_wrong_place_is_told_its_own(parts, wrong, hint):
    with pytest.raises(ge.ArgumentError, match=re.escape(f"Did you mean {hint}?")) as raised:
        ge.Problem(*parts)
    assert f"Argument `{wrong}`" in str(raised.value)


def test_nothing_is_suggested_for_what_is_no_part():
    with pytest.raises(ge.ArgumentError) as raised:
        ge.Problem(ge.DeepNetwork(), "identity")
    assert "Did you mean" not in str(raised.value)


@pytest.mark.parametrize(("name", "hint"), [("lamb", "lam"), ("widht_ratios", "width_ratios"), ("spectra", "spectrum")])
def test_an_unknown_parameter_gets_a_hint(name, hint):
    with pytest.raises(ge.ArgumentError, match=f"Did you mean '{hint}'"):
        PROBLEMS["deep"].with_parameter(name, 1.0)


@pytest.mark.parametrize(("name", "hint"), [("densty", "density"), ("prior.densty", "density"), ("target.nois", "noise"), ("qq", None)])
def test_all_fields_are_listed_the_prior_s_too(name, hint):
    with pytest.raises(ge.ArgumentError) as raised:
        ge.Problem(ge.LinearTarget("gauss-bernoulli:0.2")).with_parameter(name, 0.1)
    text = str(raised.value)
    assert (f"Did you mean '{hint}'?" in text) if hint else ("Did you mean" not in text)
    for part in ("target has prior, task, noise", "inputs has spectrum", "learner has assumes, branch", "prior has density"):
        assert part in text


def test_a_part_that_is_named_is_searched_alone():
    problem = ge.Problem(ge.DeepNetwork(), features=ge.RandomFeatures("erf"))
    with pytest.raises(ge.ArgumentError, match="Did you mean 'ratio'"):
        problem.with_parameter("features.rati", 2.0)
    assert problem.with_parameter("features.spectrum", "sampled").features.spectrum == "sampled"


def test_several_learners_have_no_common_parameter():
    with pytest.raises(ge.ArgumentError, match=r"'lam'.*Several learners have no field in common"):
        PROBLEMS["linear"].with_parameter("lam", 1.0)


def test_tasks_follow_the_target():
    assert [PROBLEMS[name].task for name in ("deep", "linear")] == ["regression", "classification"]
