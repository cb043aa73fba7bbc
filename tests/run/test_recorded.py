"""`rerun` takes from a file what results record, and nothing else."""

import json

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.run import recorded
from gaussequiv.run.sweep import VERBS

RESULT = ge.solve(ge.Problem(ge.DeepNetwork("tanh", noise=0.1)), [1.0, 2.0])


def altered(call=None, **changes):
    """The result with another call."""
    changed = RESULT.copy()
    changed.attrs = changed.attrs | ({} if call is None else {"call": json.dumps(call)}) | changes.get("attrs", {})
    return changed


def test_no_file_makes_a_verb_write(tmp_path):
    place = tmp_path / "stolen.npz"
    for verb in ("network_information", "sample_posterior"):
        with pytest.raises(ge.ArgumentError, match="has 'checkpoint'"):
            ge.rerun(altered({"verb": verb, "d": 4, "checkpoint": str(place)}))
    assert not list(tmp_path.iterdir())


CALLS = [
    [],
    {},
    {"verb": None},
    {"verb": ["solve"]},
    {"verb": "sweep"},
    {"verb": "solve", "progress": True},
    {"verb": "solve", "d": "4"},
    {"verb": "solve", "d": 0},
    {"verb": "solve", "d": None},
    {"verb": "solve", "d": [4]},
    {"verb": "solve", "sensitivity": "lam"},
    {"verb": "solve", "sensitivity": [1]},
    {"verb": "solve", "sensitivity": ["lamda"]},
    {"verb": "solve", "scores": 1},
    {"verb": "solve", "margins": [[1.0]]},
    {"verb": "solve", "margins": {"a": 1}},
    {"verb": "solve", "over": []},
    {"verb": "solve", "over": {"noise": []}},
    {"verb": "solve", "over": {"noise": 0.1}},
    {"verb": "solve", "over": {"noise": [{}]}},
    {"verb": "solve", "over": {"nosie": [0.1]}},
    {"verb": "simulate", "d": 4, "trials": 1.5},
    {"verb": "simulate", "d": 4, "trials": True},
    {"verb": "simulate", "d": 4, "seed": -1},
    {"verb": "simulate", "d": 4, "normalise_teacher": "yes"},
    {"verb": "compare", "d": 4, "allowance": [1]},
    {"verb": "track", "d": 4, "start": {}},
    {"verb": "track", "d": 4, "variances": 3},
    {"verb": "sample_posterior", "d": 4, "start": "informed"},
    {"verb": "sample_posterior", "d": 4, "draws": 1e400},
    {"verb": "phase_diagram"},
    {"verb": "phase_diagram", "over": {"noise": [0.1], "density": [0.1]}},
    {"verb": "fixed_points", "d": 4},
]


@pytest.mark.parametrize("call", CALLS, ids=json.dumps)
def test_calls_that_no_verb_recorded_are_refused(call):
    with pytest.raises(ge.ArgumentError):
        ge.rerun(altered(call))


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "null", 3, b"\xff"], ids=["empty", "open", "deep", "null", "number", "bytes"])
@pytest.mark.parametrize("name", ["call", "problem"])
def test_attributes_that_are_no_objects_are_refused(name, text):
    with pytest.raises(ge.ArgumentError, match=f"`{name}`"):
        ge.rerun(altered(attrs={name: text}))


def test_points_have_to_be_numbers():
    for other in (RESULT.drop_vars("alpha"), RESULT.assign_coords(alpha=["a", "b"]), RESULT.isel(alpha=0, drop=True)):
        with pytest.raises(ge.ArgumentError, match="numbers alpha"):
            ge.rerun(other)
    with pytest.raises(ge.ArgumentError, match="`result`"):
        ge.rerun({"alpha": 1})


@pytest.mark.parametrize("kind", ["nc", "json"])
def test_information_at_numbers_of_samples_keeps_them(tmp_path, kind):
    saved = ge.load(ge.save(ge.information(ge.Problem(), n=[10, 25], d=20), tmp_path / f"a.{kind}"))
    again = ge.rerun(saved)
    assert again["n"].values.tolist() == [10, 25]
    assert np.array_equal(again["mutual_information"], saved["mutual_information"])


def test_every_verb_says_what_it_records():
    assert set(recorded.RECORDED) == {*VERBS, "phase_diagram"}
