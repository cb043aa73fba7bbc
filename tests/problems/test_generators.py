"""Generators by their descriptions, in problems of every kind."""

import json

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.problems.dictionary import from_dict
from gaussequiv.problems.generators import generator_of


def test_shipped_generators_need_no_parts(tmp_path):
    generator = ge.load_generator("digits-vae", normalise=True)
    problem = ge.Problem(ge.LinearTarget(), ge.GeneratorInputs(generator), ge.Ridge(0.1))
    saved = ge.save(ge.solve(problem, alpha=[1.0]), tmp_path / "digits.json")
    assert ge.rerun(ge.load(saved)).test_error.values == pytest.approx(ge.load(saved).test_error.values, rel=1e-6)
    online = ge.OnlineSGD(generator=generator)
    again = from_dict(json.loads(json.dumps(online.to_dict())))
    assert again.to_dict() == online.to_dict() and again.generator.normalise


def test_trained_ones_are_named_or_read_from_files():
    section = {"kind": "trained", "source": "digits-conv", "normalise": True}
    described = {"target": {"kind": "linear"}, "inputs": {"kind": "generator", "generator": section}, "learner": "ridge"}
    problem = from_dict(described)
    assert problem.inputs.dimension == 64 and problem.inputs.generator.normalise
    assert from_dict({"kind": "online_sgd", "generator": section}).dimension == 64


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"kind": "trained", "source": "digits-va"}, "Did you mean"),
        ({"kind": "trained", "source": "digits-vae", "scale": 2}, "no field 'scale'"),
        ({"kind": "function", "name": "mine", "latent_dim": 3}, "again"),
        ({"kind": "random", "activations": 5}, "activation"),
        ({"kind": "function", "name": ["a"]}, "again"),
        ({"kind": "other"}, "kind = 'random'"),
        ({"kind": "random", "layers": 3}, "fields of a random generator"),
        ("sign", "kind = 'random'"),
    ],
)
def test_others_are_refused_by_name(section, words):
    with pytest.raises(ge.ArgumentError, match=words):
        generator_of(section, {})


def test_a_generator_of_a_shipped_name_is_another_one(tmp_path):
    """Trained elsewhere, with other outputs: it has to be passed again."""
    own = ge.FunctionGenerator(lambda c: np.tanh(c), 5, name="digits-vae")
    saved = ge.save(ge.solve(ge.OnlineSGD(generator=own), time=[0.0]), tmp_path / "own.json")
    with pytest.raises(ge.ArgumentError, match="'digits-vae' again"):
        ge.rerun(ge.load(saved))
    again = ge.rerun(ge.load(saved), parts={"digits-vae": own})
    assert again.test_error.values == pytest.approx(ge.load(saved).test_error.values)
    assert len(repr(ge.GeneratorInputs(ge.load_generator("digits-vae")))) < 1000


def test_saved_settings_hold_for_parts_too(tmp_path):
    plain = ge.FunctionGenerator(lambda c: 3 * np.tanh(c), 5, name="mine")
    scaled = ge.FunctionGenerator(plain.function, 5, name="mine", normalise=True)
    problem = ge.Problem(ge.LinearTarget(noise=0.1), ge.GeneratorInputs(scaled), ge.Ridge(0.5))
    saved = ge.save(ge.solve(problem, alpha=[1.0]), tmp_path / "scaled.json")
    for part in (plain, scaled, plain.function):
        again = ge.rerun(ge.load(saved), parts={"mine": part})
        assert again.test_error.values == pytest.approx(ge.load(saved).test_error.values, rel=1e-12)
