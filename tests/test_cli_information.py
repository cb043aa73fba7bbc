"""`gaussequiv information` and `gaussequiv validity`."""

import json
import re

import pytest
from typer.testing import CliRunner

import gaussequiv as ge
from gaussequiv.cli import app
from gaussequiv.run.information import information

TARGET = ["--activation", "tanh,tanh", "--weight-variance", "4", "--noise", "0.2"]


def run(*arguments):
    return CliRunner().invoke(app, list(arguments))


def test_json_is_the_dataset():
    found = json.loads(run("information", *TARGET, "--alpha", "0.5,1,3", "--json", "--keep", "1", "--d", "100").stdout)
    problem = ge.Problem(ge.DeepNetwork(("tanh", "tanh"), weight_variance=4, noise=0.2))
    expected = information(problem, [0.5, 1, 3], keep=1, d=100)
    for name in ("mutual_information", "label_entropy", "layer_information", "reduction_rate"):
        assert found[name] == expected[name].values.tolist()
    assert found["attrs"]["kept"] == 1 and found["attrs"]["call"]["verb"] == "information"


def test_the_table_reads_without_the_manual():
    out = run("information", *TARGET, "--alpha", "0.5,1,3", "--d", "100").stdout
    for text in (
        "0.175294",
        "0.31961",
        "0.698469",
        "label_entropy",
        "nats",
        "layer 2: its nonlinear part",
        "constant is not known",
        "theorem",
    ):
        assert text in out


def test_samples_and_infinite_information():
    out = run("information", "--activation", "tanh", "--n", "50,100", "--d", "100").stdout
    assert re.search(r"\binf\b", out) and "n  " in out
    found = json.loads(run("information", "--activation", "tanh", "--alpha", "1", "--json").stdout)
    assert found["mutual_information_per_sample"] == [None]


@pytest.mark.parametrize("ending", ["png", "nc", "json"])
def test_files(tmp_path, ending):
    path = tmp_path / f"information.{ending}"
    done = run("information", *TARGET, "--alpha", "0.1:10:6:log", "--task", "classification", "--output", str(path))
    assert done.exit_code == 0 and path.stat().st_size > 3000
    assert "wrote" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["information", "--activation", "tanh"],
        ["information", "--activation", "tanh", "--alpha", "1", "--keep", "2"],
        ["information", "--activation", "tanh", "--alpha", "-1"],
        ["validity", "--n", "100"],
        ["validity", "--activation", "tanh,tanh", "--widths", "10,20,30", "--n", "10", "--d", "10"],
    ],
)
def test_usage_errors(arguments):
    done = run(*arguments)
    assert done.exit_code == 2 and "error: Argument" in done.stderr


def test_validity_in_words_and_as_json():
    out = run("validity", *TARGET, "--n", "1000", "--d", "100", "--widths", "400,50").stdout
    assert "theorem: Camilli" in out and "d_m = 50" in out and "not known" in out
    found = json.loads(run("validity", *TARGET, "--n", "1000", "--d", "100", "--widths", "400,50", "--json").stdout)
    assert found == ge.Problem(ge.DeepNetwork(("tanh", "tanh"), weight_variance=4, noise=0.2)).validity(1000, 100, (400, 50)).to_dict()
    assert json.loads(run("validity", "--activation", "relu", "--json").stdout)["rate"] is None
