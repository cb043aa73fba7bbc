"""`--problem` files of every kind, along the axis of each: tables, figures, JSON, and what does not go together."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import gaussequiv as ge
from gaussequiv.cli import app

WIGNER = json.dumps({"kind": "spiked_wigner", "prior": "gaussian"})
ONLINE = json.dumps(
    {"kind": "online_sgd", "dimension": 60, "data": ["generator", "twin"], "generator": {"kind": "random", "activations": "sign"}}
)


def run(*arguments, problem):
    return CliRunner().invoke(app, [*arguments, "--problem", "-"], input=problem)


def test_theory_along_another_axis():
    result = run("theory", "--points", "0.5,2", "--json", problem=WIGNER)
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["snr"] == [0.5, 2.0] and found["overlap"] == pytest.approx([0.0, 0.5], abs=1e-8)
    swept = run("theory", "--points", "0:2:3", "--over", "rate=0.1,0.3", "--json", problem=ONLINE)
    assert np.shape(json.loads(swept.stdout)["test_error"]) == (2, 2, 3)


def test_tables_show_what_the_problem_observes():
    result = run("theory", "--points", "0.5,2", problem=WIGNER)
    assert result.exit_code == 0 and result.stdout.split()[:4] == ["snr", "overlap", "q", "matrix_mse"]


def test_trials_of_both_sources_beside_theory(tmp_path):
    file = tmp_path / "both.png"
    call = ["--points", "0,1", "--d", "60", "--trials", "16", "--allowance", "3", "--test-samples", "300", "--output", str(file)]
    result = run("compare", *call, problem=ONLINE)
    assert result.exit_code == 0, result.stderr
    assert "generator" in result.stdout and "twin" in result.stdout and "verdict:" in result.stdout
    assert file.stat().st_size > 5000
    result = run("simulate", "--points", "1", "--d", "60", "--trials", "2", "--test-samples", "300", problem=ONLINE)
    assert result.exit_code == 0 and "test_error_mean" in result.stdout


def test_a_saved_result_is_drawn_by_what_it_is_about(tmp_path):
    saved, figure = tmp_path / "wigner.json", tmp_path / "wigner.png"
    assert run("theory", "--points", "0.5,2", "--output", str(saved), problem=WIGNER).exit_code == 0
    drawn = CliRunner().invoke(app, ["plot", str(saved), "--output", str(figure)])
    assert drawn.exit_code == 0, drawn.stderr
    assert figure.stat().st_size > 5000


def test_files_that_say_supervised_are_as_before():
    plain, said = (json.dumps({"target": {"activations": ["tanh"]}} | extra) for extra in ({}, {"kind": "supervised"}))
    one, other = (json.loads(run("theory", "--alpha", "1", "--json", problem=text).stdout)["test_error"] for text in (plain, said))
    assert one == other == pytest.approx([float(ge.solve(ge.Problem(ge.DeepNetwork("tanh")), alpha=[1.0]).test_error[0])])
    by_points = run("theory", "--points", "1", "--json", problem=plain)
    assert json.loads(by_points.stdout)["test_error"] == one


@pytest.mark.parametrize(
    ("arguments", "problem", "words"),
    [
        (["theory", "--alpha", "1"], WIGNER, "--points"),
        (["theory"], WIGNER, "axis of this problem is snr"),
        (["theory", "--alpha", "1", "--points", "1"], WIGNER, "alpha"),
        (["theory", "--points", "1", "--depth", "2"], WIGNER, "depth"),
        (["theory", "--target-error", "0.1"], WIGNER, "target_error"),
        (["simulate", "--points", "1", "--d", "50", "--normalise-teacher"], WIGNER, "normalise_teacher"),
        (["theory", "--points", "1"], '{"kind": "spiked_wagner"}', "spiked_wigner"),
        (["thresholds"], WIGNER, "kind"),
        (["theory", "--points", "-1"], ONLINE, "time"),
    ],
)
def test_what_does_not_go_together_is_named(arguments, problem, words):
    result = run(*arguments, problem=problem)
    assert result.exit_code == 2 and words in result.stderr and "Traceback" not in result.stderr


@pytest.mark.parametrize(("verb", "problem"), [("simulate", WIGNER), ("compare", ONLINE)])
def test_a_checkpoint_is_gone_on_from(tmp_path, verb, problem):
    file, call = tmp_path / "trials.npz", [verb, "--points", "0.5,1", "--d", "60", "--json"]
    first = run(*call, "--trials", "2", "--checkpoint", str(file), problem=problem)
    assert first.exit_code == 0, first.stderr
    before = file.read_bytes()
    again = run(*call, "--trials", "2", "--checkpoint", str(file), problem=problem)
    more = run(*call, "--trials", "3", "--checkpoint", str(file), problem=problem)
    assert again.stdout == first.stdout and more.stdout == run(*call, "--trials", "3", problem=problem).stdout
    assert file.read_bytes() != before
    other = run(*call, "--seed", "1", "--checkpoint", str(file), problem=problem)
    assert other.exit_code == 2 and "another seed" in other.stderr
    swept = run(*call, "--over", "instance=1,2", "--checkpoint", str(file), problem=ONLINE)
    assert swept.exit_code == 2 and "`checkpoint` must be None in a sweep" in swept.stderr
