"""Inputs of generative models on the command line."""

import json

import pytest
from typer.testing import CliRunner

import gaussequiv as ge
from gaussequiv.cli import app

RIDGE = ["--learner", "ridge", "--lam", "0.1", "--alpha", "1", "--noise", "0.1", "--activation", "tanh"]


def run(*words):
    return CliRunner().invoke(app, ["theory", *RIDGE, *words])


def error_of(*words):
    result = run(*words, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)["test_error"][0]


@pytest.mark.parametrize(
    ("text", "generator"),
    [
        ("sign", ge.RandomGenerator("sign", latent_ratio=0.5)),
        ("tanh,relu:0.3", ge.RandomGenerator(("tanh", "relu"), latent_ratio=0.3)),
        ("hermite:3:0.4", ge.RandomGenerator("hermite:3", latent_ratio=0.4)),
        ("leaky_relu:0.1:1", ge.RandomGenerator("leaky_relu:0.1", latent_ratio=1.0)),
    ],
)
@pytest.mark.parametrize("sees", ["latents", "inputs"])
def test_random_ones_are_those_of_python(text, generator, sees):
    problem = ge.Problem(ge.DeepNetwork("tanh", noise=0.1), ge.GeneratorInputs(generator, target_sees=sees), ge.Ridge(0.1))
    expected = float(ge.solve(problem, alpha=[1.0], d=60).test_error[0])
    assert error_of("--generator", text, "--target-sees", sees, "--d", "60") == pytest.approx(expected, rel=1e-9)


def test_trained_ones_go_by_name(tmp_path):
    generator = ge.load_generator("digits-vae", normalise=True)
    problem = ge.Problem(ge.DeepNetwork("tanh", noise=0.1), ge.GeneratorInputs(generator), ge.Ridge(0.1))
    expected = float(ge.solve(problem, alpha=[1.0]).test_error[0])
    assert error_of("--generator", "digits-vae", "--normalise") == pytest.approx(expected, rel=1e-9)
    file = tmp_path / "problem.toml"
    file.write_text('[inputs]\nkind = "generator"\ngenerator = {kind = "trained", source = "digits-vae", normalise = true}\n')
    assert error_of("--problem", str(file)) == pytest.approx(expected, rel=1e-9)
    assert error_of("--problem", str(file), "--target-sees", "inputs") < expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--generator", "sgn"], "known activations"),
        (["--generator", "sign", "--data", "digits"], "left out when data is given"),
        (["--generator", "sign", "--mean", "1"], "left out when generator is given"),
        (["--generator", "sign", "--normalise"], "a trained --generator"),
        (["--target-sees", "inputs"], "together with --generator"),
        (["--generator", "sign", "--target-sees", "input"], "`target_sees`"),
        (["--generator", "none.npz"], "there is no file"),
        (["--generator", "sign:-1"], "`latent_ratio`"),
    ],
)
def test_what_is_wrong_is_named(words, message):
    result = run(*words)
    assert result.exit_code == 2 and message in result.stderr and "Traceback" not in result.stderr
