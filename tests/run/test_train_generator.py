"""`train_generator` from Python and from the command line, through kills."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from matplotlib.image import imread
from typer.testing import CliRunner

import gaussequiv as ge
from gaussequiv.cli import app
from gaussequiv.errors import ArgumentError

ROWS = np.random.default_rng(0).standard_normal((200, 2)) @ np.random.default_rng(1).standard_normal((2, 9)) + 3
# the command itself, with a checkpoint after every hundred steps instead of every ten seconds
KEEPING = "import gaussequiv.trained.training as t; t.KEPT_EVERY = 0; from gaussequiv.cli import main; main()"


@pytest.fixture
def table(tmp_path):
    np.save(tmp_path / "table.npy", ROWS)
    return str(tmp_path / "table.npy")


def command(table, output, *more):
    return ["train-generator", "--kind", "vae", "--data", table, "--latents", "2", "--steps", "1500", "--output", str(output), *more]


def test_a_training_that_is_killed_goes_on_to_the_same_file(table, tmp_path):
    whole, rest, kept = tmp_path / "whole.npz", tmp_path / "rest.npz", tmp_path / "checkpoint"
    process = subprocess.Popen([sys.executable, "-c", KEEPING, *command(table, rest, "--checkpoint", str(kept))], stderr=subprocess.PIPE)
    while process.poll() is None and not kept.exists():
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    message = process.communicate()[1].decode()
    assert process.returncode == -signal.SIGKILL, message
    assert kept.exists() and not rest.exists()
    for arguments in (command(table, rest, "--checkpoint", str(kept)), command(table, whole)):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.stderr
    assert rest.read_bytes() == whole.read_bytes()
    assert rest.with_suffix(".png").read_bytes() == whole.with_suffix(".png").read_bytes()


def test_the_command_writes_a_generator_and_a_sheet_and_says_so(table, tmp_path):
    output = tmp_path / "new.npz"
    result = CliRunner().invoke(app, [*command(table, output), "--json"])
    report, generator = json.loads(result.stdout), ge.load_generator(output)
    assert (report["name"], report["latents"], report["outputs"], report["steps"]) == ("table-vae", 2, 9, 1500)
    assert report["digest"] == generator.digest and report["loss"] == pytest.approx(float(generator.function.losses[-1]), rel=1e-6)
    assert f"wrote {output} and {output.with_suffix('.png')}" in result.stderr
    assert imread(output.with_suffix(".png")).std() > 0.1
    from_python = ge.train_generator("vae", ROWS, steps=1500, latents=2)
    latents = np.random.default_rng(1).standard_normal((5, 2))
    assert np.array_equal(from_python.outputs(latents), generator.outputs(latents))
    moments = from_python.moments()
    assert moments.mean == pytest.approx(ROWS.mean(axis=0), abs=0.1)
    assert np.linalg.norm(moments.omega - np.cov(ROWS.T)) < 0.45 * np.linalg.norm(np.cov(ROWS.T))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--kind", "gan"], "Argument `kind` must be one of vae, conv, flow, but kind='gan'"),
        (["--data", "digit"], "Argument `data` must be .* Did you mean 'digits'"),
        (["--output", "new.nc"], "Argument `output` must be a file name ending in .npz"),
        (["--output", "nowhere/new.npz"], "in an existing folder"),
        (["--steps", "0"], "Argument `steps` must be an integer of at least 1"),
        (["--latents", "0"], "Argument `latents` must be"),
        (["--kind", "flow"], "Argument `latents` must be 9, the dimension of the data"),
        (["--seed", "-1"], "Argument `seed` must be"),
    ],
)
def test_wrong_options_are_named_before_any_training(change, words, table, tmp_path):
    result = CliRunner().invoke(app, [*command(table, tmp_path / "new.npz"), *change])
    assert result.exit_code == 2
    assert re.search(words, result.stderr), result.stderr
    assert not list(tmp_path.glob("new*"))


def test_data_that_are_no_numbers_are_refused():
    with pytest.raises(ArgumentError, match="Argument `data` must be finite, but 1 of its 1800 values"):
        ge.train_generator("vae", np.where(np.arange(1800).reshape(200, 9) == 7, np.nan, ROWS))
    with pytest.raises(ArgumentError, match="Argument `data` must be images for kind='conv'"):
        ge.train_generator("conv", ROWS[:, :8])


def test_a_bar_is_shown_where_asked_for(capsys):
    ge.train_generator("vae", ROWS, steps=100, latents=2, progress=True)
    assert "training, loss" in capsys.readouterr().err
    ge.train_generator("vae", ROWS, steps=100, latents=2)
    assert capsys.readouterr().err == ""


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "loss", "share"), [("vae", -114, 0.65), ("conv", -112, 0.68), ("flow", -29, 0.675)])
def test_full_trainings_end_where_they_did(kind, loss, share):
    """Losses of another machine's bits; the share of the variance that is linear in the latents."""
    generator = ge.train_generator(kind, "digits")
    moments = generator.moments()
    assert generator.function.losses[-5:].mean() == pytest.approx(loss, abs=2)
    assert np.sum(moments.phi**2) / np.trace(moments.omega) == pytest.approx(share, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "most"), [("vae", 0.16), ("conv", 0.2), ("flow", 0.09)])
def test_photographs_are_learned(kind, most):
    """The covariance of generated patches beside that of the data."""
    generator = ge.train_generator(kind, "patches")
    data = np.cov(ge.datasets.load("patches", count=20_000)[0].T)
    assert np.linalg.norm(generator.moments().omega - data) < most * np.linalg.norm(data)
