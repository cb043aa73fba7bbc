"""The commands `thresholds`, `fixed-points`, `phase-diagram`, and priors and real labels on the command line."""

import json

import pytest
from typer.testing import CliRunner

from gaussequiv.cli import app

SIGN = ["--prior", "rademacher", "--labels", "sign"]


def run(*arguments):
    return CliRunner().invoke(app, list(arguments))


def test_thresholds_in_words_and_as_json():
    assert "information-theoretic  1.24468" in run("thresholds", *SIGN).stdout
    found = json.loads(run("thresholds", *SIGN, "--json").stdout)
    assert found["transitions"][0]["algorithmic"] == pytest.approx(1.492632, abs=1e-6)
    noiseless = run("thresholds", "--prior", "sparse-rademacher:0.0001")
    assert "information-theoretic  0\n" in noiseless.stdout and "warning" not in noiseless.stderr
    assert "no first-order transition" in run("thresholds", "--activation", "tanh", "--noise", "0.1").stdout


def test_fixed_points_print_the_branches(tmp_path):
    out = run("fixed-points", *SIGN, "--alpha", "1,1.4", "--output", str(tmp_path / "a.png"))
    assert out.exit_code == 0 and "uninformed *" in out.stdout and (tmp_path / "a.png").stat().st_size > 5000
    assert json.loads(run("fixed-points", *SIGN, "--alpha", "1.4", "--json").stdout)["equilibrium"] == ["informed"]


def test_phase_diagram(tmp_path):
    grid = ["--over", "density=0.1,0.3", "--alpha", "0.05,0.18,0.9"]
    out = run("phase-diagram", "--prior", "gauss-bernoulli:0.1", "--noise", "1e-6", *grid, "--output", str(tmp_path / "a.nc"))
    assert out.exit_code == 0 and "UHE" in out.stdout and (tmp_path / "a.nc").exists()


def test_priors_go_with_the_other_commands():
    out = json.loads(run("theory", "--prior", "gauss-bernoulli:0.2", "--noise", "0.01", "--alpha", "1", "--json").stdout)
    assert out["attrs"]["problem"]["target"]["prior"] == "gauss-bernoulli:0.2"
    assert run("theory", "--labels", "quantised:-1/0/1", "--activation", "tanh", "--alpha", "1").exit_code == 0


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["thresholds", "--prior", "rademcher"], "Did you mean 'rademacher'"),
        (["theory", "--prior", "rademacher", "--activation", "tanh", "--alpha", "1"], "activation"),
        (["fixed-points", *SIGN], "alpha"),
        (["phase-diagram", *SIGN, "--over", "lam", "--alpha", "1"], "NAME=GRID"),
        (["phase-diagram", *SIGN, "--over", "nois=0,0.1", "--alpha", "1"], "Did you mean 'noise'"),
        (["theory", "--over", "weight-varience=1,4", "--alpha", "1"], "Did you mean 'weight_variance'"),
    ],
)
def test_mistakes_are_usage_errors(arguments, words):
    out = run(*arguments)
    assert out.exit_code == 2 and words in out.stderr
