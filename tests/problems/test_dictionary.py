"""Descriptions of every kind: built again, or refused by name."""

import pytest

import gaussequiv as ge
from gaussequiv.problems.dictionary import from_dict, kinds


def test_every_kind_is_built_again():
    problems = [
        ge.Problem(),
        ge.SpikedWigner("gaussian"),
        ge.ExtensiveWidth("relu", noise=0.1),
        ge.OnlineSGD(generator=ge.RandomGenerator("sign"), data=("generator", "twin")),
        ge.SpikedWigner("gaussian").algorithm(2.0, 20, start=0.5),
        ge.Problem().algorithm(1.0, 20),
    ]
    described = [problem.to_dict() for problem in problems]
    assert {one.get("kind", "supervised") for one in described} == set(kinds())
    assert [from_dict(one).to_dict() for one in described] == described


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ([], "`problem` must be a table"),
        ({"kind": ["a"]}, "`kind` must be one of"),
        ({"kind": "spiked_wigne"}, "Did you mean 'spiked_wigner'"),
        ({"kind": "spiked_wigner", "size": 3}, "has 'size'"),
        ({"kind": "spiked_wigner.steps", "snr": 2.0}, "`problem` must be a SpikedWigner"),
        (
            {"kind": "supervised.message_passing", "problem": {"kind": "spiked_wigner"}, "alpha": 1.0},
            "`problem` must be a supervised Problem",
        ),
        ({"kind": "supervised.message_passing", "problem": {}}, "must describe the steps"),
        ({"kind": "spiked_wigner.steps", "problem": 3}, "`problem` must be a table"),
    ],
)
def test_bad_descriptions_are_refused_by_name(description, message):
    with pytest.raises(ge.ArgumentError, match=message):
        from_dict(description)


def test_inputs_are_no_part_of_a_matrix():
    with pytest.raises(ge.ArgumentError, match="`inputs` must be left out"):
        from_dict({"kind": "spiked_wigner"}, inputs=ge.GaussianInputs())
