"""Sweeps of online SGD: every field of the problem and of its parts, or a refusal that says what there is."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.errors import ArgumentError
from gaussequiv.problems.online_sgd.swept import sweepable

TIMES = [0.0, 1.0]
SIGN = ge.RandomGenerator("sign", latent_ratio=0.4)
ERF = ge.TwoLayer("erf", 2)
VALUES = {
    "rate": [0.1, 0.3],
    "readout_rate": [0.0, 0.3],
    "noise": [0.0, 0.2],
    "weight_decay": [0.0, 0.1],
    "batch": [1, 3],
    "labels": ["real", "sign"],
    "teacher_sees": ["latents", "inputs"],
    "instance": [0, 1],
    "student": [ERF, ge.TwoLayer("erf", 1, gain=0.5)],
    "teacher": [ERF, ge.TwoLayer("erf", 1, readout="ones")],
    "generator": [SIGN, ge.RandomGenerator(()), ge.RandomGenerator("tanh")],
    "generator.activations": ["sign", ("erf", "sign")],
    "generator.covariance": ["gaussian", "linear"],
    "generator.latent_ratio": [0.2, 0.8],
}
OF_NETWORKS = {
    "activation": ["erf", "relu"],
    "units": [1, 2],
    "readout": ["ones", (0.5, 1.0)],
    "weight_std": [0.1, 1.0],
    "gain": [0.5, 1.0],
}
VALUES |= {f"{part}.{name}": values for part in ("student", "teacher") for name, values in OF_NETWORKS.items()}


def base(**changes):
    return ge.OnlineSGD(**({"student": ERF, "teacher": ERF, "generator": SIGN, "dimension": 40} | changes))


def test_every_name_has_a_case():
    assert set(sweepable(base())) == set(VALUES)


COMPILED = {"labels", "student.activation", "student.gain", "teacher.activation", "teacher.gain", "teacher", "teacher.units", "student"}


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name in COMPILED else ()) for name in VALUES])
def test_every_field_is_swept_as_problems_of_its_values(name):
    both = ge.sweep(base(), TIMES, {name: VALUES[name]}, verb="compare", trials=2, test_samples=50, seed=1)
    assert both.test_error.dims == (name, "source", "time") and both.converged.dtype == bool and both.sizes[name] == len(VALUES[name])
    shared = [quantity for quantity in ("test_error", "Q", "R", "T", "readout")]
    for place, value in enumerate(VALUES[name]):
        alone = ge.compare(base().with_parameter(name, value), TIMES, trials=2, test_samples=50, seed=1)
        for quantity in shared:
            found = both[quantity].isel({name: place}).values
            kept = tuple(slice(count) for count in alone[quantity].shape)
            assert np.array_equal(found[kept], alone[quantity].values), quantity
            assert np.isfinite(found).sum() == alone[quantity].size  # nan for units that it does not have
    assert not np.array_equal(*(both.test_error.isel({name: place}).values for place in (0, 1)))  # it is a sweep


@pytest.mark.parametrize("name", ["student", "generator", "generator.activations"])
def test_they_are_kept_and_run_again(name, tmp_path):
    result = ge.sweep(base(), TIMES, {name: VALUES[name]})
    ge.save(result, tmp_path / "swept.nc")
    again = ge.rerun(ge.load(tmp_path / "swept.nc"))
    assert np.array_equal(again.test_error.values, result.test_error.values)
    assert again[name].values.tolist() == result[name].values.tolist()


def test_functions_of_ones_own_come_back_through_parts():
    mine = ge.Activation(lambda x: x / (1 + np.abs(x)), name="mine")
    result = ge.sweep(base(), TIMES, {"student": [ERF, ge.TwoLayer(mine, 2)], "student.gain": [1.0]})
    assert result.student.values.tolist() == ["2 erf", "2 mine"]
    assert np.array_equal(ge.rerun(result, parts={"mine": mine}).test_error.values, result.test_error.values)


def test_a_field_of_the_generator_needs_no_prefix():
    assert ge.sweep(base(), TIMES, {"latent_ratio": [0.2, 0.8]}).latent_ratio.values.tolist() == [0.2, 0.8]


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"units": [1, 2]}, "'units'.*student.units, .*teacher.units"),
        ({"rte": [0.1, 0.2]}, "Did you mean 'rate'"),
        ({"dimension": [40, 60]}, "'dimension'. Call the verb once for each N"),
        ({"data": ["generator", "twin"]}, "'data'. Several go into the problem"),
        ({"generator": [SIGN, "sign"]}, "generator"),
        ({"generator": [SIGN, ge.load_generator("digits-vae")]}, "dimension, 40"),
        ({"student": ["erf"]}, "student"),
        ({"rate": [0.1, -0.1]}, "rate"),
        ({"student.units": [1, 0]}, "units"),
        ({"student.activation": ["erf", "sign"]}, "student.*jumps"),
        ({"student": [ERF, ge.TwoLayer("erf", 2)]}, "that differ"),
    ],
)
def test_what_cannot_be_swept_is_refused_before_any_work(over, words, monkeypatch):
    monkeypatch.setattr(ge.OnlineSGD, "theory", lambda *_, **__: pytest.fail("worked"))
    with pytest.raises(ArgumentError, match=words):
        ge.sweep(base(), TIMES, over)


def test_latents_themselves_have_no_ratio_to_sweep():
    with pytest.raises(ArgumentError, match="'latent_ratio'"):
        ge.sweep(base(generator=ge.RandomGenerator(())), TIMES, {"latent_ratio": [0.2, 0.8]})
