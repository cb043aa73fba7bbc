"""The commands `track`, `sample-posterior`, `network-information`."""

import json

import pytest
from typer.testing import CliRunner

import gaussequiv as ge
from gaussequiv.cli import app

TANH = ["--activation", "tanh", "--weight-variance", "4"]


def run(*arguments):
    return CliRunner().invoke(app, list(arguments))


def test_track_prints_every_step_and_draws(tmp_path):
    call = ["track", *TANH, "--noise", "0.2", "--alpha", "2", "--d", "60", "--trials", "4", "--steps", "3"]
    out = run(*call, "--output", str(tmp_path / "a.png"))
    assert out.exit_code == 0 and "verdict" in out.stdout and (tmp_path / "a.png").stat().st_size > 5000
    found = json.loads(run(*call, "--json").stdout)
    assert found["step"] == [0, 1, 2, 3]
    assert found["test_error"][0][3] == pytest.approx(float(ge.track(_problem(), 2.0, d=60, trials=4, steps=3).test_error[0, 3]))


def _problem():
    return ge.Problem(ge.DeepNetwork("tanh", weight_variance=4, noise=0.2))


def test_sample_posterior_prints_both_starts_and_goes_on_from_a_checkpoint(tmp_path):
    call = ["sample-posterior", *TANH, "--noise", "0.5", "--alpha", "1", "--d", "6", "--draws", "60", "--warmup", "40"]
    out = run(*call, "--checkpoint", str(tmp_path / "c"), "--output", str(tmp_path / "a.nc"))
    assert out.exit_code == 0, out.stderr
    assert "uninformed" in out.stdout and "informed" in out.stdout and "r_hat" in out.stdout
    again = run(*call, "--checkpoint", str(tmp_path / "c"), "--json")
    assert json.loads(again.stdout)["test_error"] == ge.load(tmp_path / "a.nc")["test_error"].values.tolist()
    assert run(*call, "--output", str(tmp_path / "a.png")).exit_code == 2


def test_network_information_is_bracketed():
    call = ["network-information", *TANH, "--noise", "0.5", "--alpha", "1", "--d", "5", "--trials", "4"]
    out = run(*call)
    assert out.exit_code == 0, out.stderr
    assert "equivalent" in out.stdout
    assert run(*call[:-4], "--trials", "4").exit_code == 2  # no d
