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
        (["--normalise"], "given together with --data or --generator"),
        (["--target-sees", "inputs"], "together with --generator"),
        (["--generator", "sign", "--target-sees", "input"], "`target_sees`"),
        (["--generator", "none.npz"], "there is no file"),
        (
            ["--generator", "digits-vea"],
            "the trained digits-conv, digits-vae, or a file of train-generator (.npz), but generator='digits-vea'. Did you",
        ),
        (["--generator", "faces-gan"], "one of the trained digits-conv, digits-vae"),
        (["--generator", "sign:-1"], "`latent_ratio`"),
    ],
)
def test_what_is_wrong_is_named(words, message):
    result = run(*words)
    assert result.exit_code == 2 and message in result.stderr and "Traceback" not in result.stderr


def invoked(*words):
    return CliRunner().invoke(app, list(words))


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_a_learner_that_nobody_names_is_ridge_where_labels_are_of_latents(task):
    words = ["theory", "--generator", "sign:0.5", "--task", task, "--noise", "0.1", "--depth", "0", "--alpha", "1", "--d", "60", "--json"]
    result = invoked(*words)
    assert result.exit_code == 0, result.stderr
    problem = ge.Problem(
        ge.DeepNetwork((), task=task, noise=0.1), ge.GeneratorInputs(ge.RandomGenerator("sign", latent_ratio=0.5)), ge.Ridge()
    )
    assert json.loads(result.stdout)["test_error"][0] == pytest.approx(float(ge.solve(problem, [1.0], d=60).test_error[0]), rel=1e-9)
    assert json.loads(invoked(*words, "--target-sees", "inputs").stdout)["test_error"][0] < 0.9 * json.loads(result.stdout)["test_error"][0]
    named = invoked(*words, "--learner", "bayes")
    assert named.exit_code == 2 and "learns from rows and labels alone" in named.stderr


def test_diagnose_prints_writes_and_draws(tmp_path):
    words = ["diagnose", "--generator", "sign:0.5", "--d", "100", "--weights", "random,coordinate", "--samples", "10000", "--seed", "2"]
    found = ge.diagnose(ge.RandomGenerator("sign", latent_ratio=0.5), weights=["random", "coordinate"], N=100, samples=10_000, seed=2)
    shown = invoked(*words, "--output", str(tmp_path / "fields.png"))
    assert shown.exit_code == 0, shown.stderr
    assert "weights coordinate: not Gaussian (KS" in shown.stdout and f"{float(found.ks[1, 0]):.4f}" in shown.stdout
    assert (tmp_path / "fields.png").stat().st_size > 10_000 and "wrote" in shown.stderr
    told = invoked(*words, "--json", "--output", str(tmp_path / "fields.nc"))
    assert json.loads(told.stdout)["ks"] == found.ks.values.tolist()
    assert ge.load(tmp_path / "fields.nc").verdict.values.tolist() == found.verdict.values.tolist()


def test_diagnose_takes_training_matrices_and_teachers_of_inputs(tmp_path):
    import numpy as np

    file = tmp_path / "online.toml"
    file.write_text('kind = "online_sgd"\ndimension = 60\n[generator]\nkind = "random"\nactivations = ["sign"]\n')
    trained = invoked("diagnose", "--problem", str(file), "--time", "0,1", "--samples", "10000", "--json")
    assert trained.exit_code == 0, trained.stderr
    assert json.loads(trained.stdout)["time"] == [0, 1]
    np.save(tmp_path / "weights.npy", np.eye(1, 64))
    own = invoked(
        "diagnose", "--generator", "digits-vae", "--weights", str(tmp_path / "weights.npy"), "--target-sees", "inputs", "--samples", "10000"
    )
    assert own.exit_code in (0, 2) and "Traceback" not in own.stderr, own.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "`generator` must be given, or --problem"),
        (["--generator", "digits-vea"], "Did you mean 'digits-vae'?"),
        (["--generator", "sign"], "`N` must be given"),
        (["--generator", "sign", "--d", "40", "--samples", "10"], "`samples`"),
        (["--generator", "sign", "--d", "40", "--weights", "randm"], "different names among random, coordinate"),
        (["--generator", "sign", "--d", "40", "--weights", "none.npy"], "`weights` must be a file with a numeric matrix"),
        (["--generator", "sign", "--time", "1"], "`time` must be left out when generator is given"),
        (["--generator", "sign", "--d", "40", "--output", "x.txt"], "`output`"),
    ],
)
def test_what_is_wrong_with_a_diagnosis_is_named(words, message):
    result = invoked("diagnose", *words)
    assert result.exit_code == 2 and message in result.stderr and "Traceback" not in result.stderr
