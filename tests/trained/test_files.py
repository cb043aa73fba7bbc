"""Saved generators come back as they were, shipped ones resemble their data, and foreign files are refused."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

import gaussequiv as ge
from gaussequiv.errors import ArgumentError
from gaussequiv.store import checkpoint
from gaussequiv.trained.files import SHIPPED, as_generator, save_generator, shipped_generators
from gaussequiv.trained.network import TrainedNetwork
from gaussequiv.trained.real_nvp import RealNVP
from gaussequiv.trained.variational import ConvolutionalDecoder, DenseDecoder

MODELS = [DenseDecoder((2, 3), 2, width=5), ConvolutionalDecoder((2, 3), 2, width=5, channels=2), RealNVP((6,), 6, couplings=2, width=5)]
DIGESTS = {"digits-conv": "aeb4c2b33c0f0226", "digits-vae": "d1937da9abf41a3f"}
OUTPUTS = {
    "digits-conv": [0.1663617614262347, 0.08691239447489857, 0.8718159045837153, 0.6749694201110774],
    "digits-vae": [0.7738907307456202, 0.6506014684378427, 0.6624206624828612, 0.0031811197923748424],
}
DIGITS = ge.datasets.load("digits")[0]


def untrained(architecture):
    rng = np.random.default_rng(0)
    weights = architecture.initial(rng.random((20, 6)), rng)
    kept = {name: value.astype(np.float32).astype(float) for name, value in weights.items() if not name.startswith("encoder")}
    return TrainedNetwork(architecture, kept, -1.5, 2.5, {"data": "noise", "rows": 20, "steps": 0, "seed": 0}, np.array([2.0, 1.0]))


@pytest.mark.parametrize("architecture", MODELS, ids=lambda one: one.kind)
def test_a_saved_generator_comes_back(architecture, tmp_path):
    generator = as_generator(untrained(architecture))
    path = save_generator(tmp_path / "new.npz", generator)
    found = ge.load_generator(path)
    latents = np.random.default_rng(1).standard_normal((7, architecture.latent_dim))
    assert np.array_equal(found.outputs(latents), generator.outputs(latents))
    assert (found.name, found.digest) == (f"noise-{architecture.kind}", generator.digest)
    assert found.function.architecture == architecture
    assert found.function.losses.tolist() == [2, 1] and found.function.training["rows"] == 20
    assert np.array_equal(pickle.loads(pickle.dumps(found)).outputs(latents), found.outputs(latents))


def test_the_same_generator_gives_the_same_file(tmp_path):
    one, two = (save_generator(tmp_path / f"{i}.npz", as_generator(untrained(MODELS[0]))) for i in range(2))
    assert one.read_bytes() == two.read_bytes()


def test_fields_of_the_generator_are_passed_on(tmp_path):
    path = save_generator(tmp_path / "new.npz", as_generator(untrained(MODELS[0])))
    found = ge.load_generator(path, normalise=True, name="mine", seed=3)
    assert np.trace(found.moments().omega) == pytest.approx(found.dimension, rel=1e-9)
    assert (found.name, found.seed) == ("mine", 3)


@pytest.mark.parametrize("name", ["digits-vae", "digits-conv"])
def test_a_shipped_generator_resembles_the_digits(name):
    """Mean and covariance of samples beside those of the data, and samples nearer to the data than a Gaussian of the same covariance.

    The decoder's mean leaves out what the decoder calls noise: a third of the variance.
    """
    generator = ge.load_generator(name)
    rng = np.random.default_rng(0)
    rows = generator.outputs(rng.standard_normal((20_000, 16)))
    mean, covariance, data = rows.mean(axis=0), np.cov(rows.T), np.cov(DIGITS.T)
    assert rows.min() >= 0 and rows.max() <= 1
    assert np.abs(mean - DIGITS.mean(axis=0)).max() < 0.05
    assert np.linalg.norm(covariance - data) < 0.3 * np.linalg.norm(data)
    assert 0.66 < np.trace(covariance) / np.trace(data) < 0.74
    near = NearestNeighbors(n_neighbors=1).fit(DIGITS)
    distance = near.kneighbors(rows[:1000])[0].mean()
    twin = near.kneighbors(rng.multivariate_normal(mean, covariance, size=1000))[0].mean()
    assert distance < 0.85 * twin


@pytest.mark.parametrize(
    ("option", "near"), [("normalize", " Did you mean 'normalise'"), ("latent_dim", ""), ("seeds", " Did you mean 'seed'")]
)
def test_options_that_it_has_not_are_named(option, near):
    with pytest.raises(ge.ArgumentError, match=rf"`options` must be among normalise, .*, but '{option}' is not\.{near}"):
        ge.load_generator("digits-vae", **{option: True})


def test_a_shipped_generator_is_the_same_everywhere():
    """Digests and outputs at one place, as they were on the machine that trained."""
    generators = {name: ge.load_generator(name) for name in shipped_generators()}
    assert {name: one.digest for name, one in generators.items()} == DIGESTS
    for name, one in generators.items():
        assert one.outputs(np.linspace(-2, 2, 16)[None])[0, 18:22] == pytest.approx(OUTPUTS[name], abs=1e-6)
        assert (SHIPPED / f"{name}.npz").stat().st_size < 200_000


def test_loading_and_sampling_import_no_jax():
    code = "import sys, gaussequiv as ge; ge.load_generator('digits-vae', tolerance=0.1).moments(); print('jax' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert found.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("digits-vea", "there is no file 'digits-vea'. Did you mean 'digits-vae'"),
        ("nowhere.npz", "one of digits-conv, digits-vae, or a file that train_generator wrote, but there is no file"),
        (3, "must be a name or a file, but source=3"),
    ],
)
def test_a_source_that_is_none_is_named(source, words):
    with pytest.raises(ArgumentError, match=f"Argument `source` .*{words}"):
        ge.load_generator(source)


class Traitor:
    """Says so when it is unpickled."""

    def __reduce__(self):
        return (print, ("executed",))


def test_foreign_files_are_refused_and_not_executed(tmp_path, capsys):
    path = tmp_path / "a.npz"
    header = np.frombuffer(json.dumps({"file": "trained generator"}).encode(), dtype=np.uint8)
    np.savez(path, header=header, losses=np.array([Traitor()], dtype=object))
    with pytest.raises(ArgumentError, match="must be a file that train_generator wrote"):
        ge.load_generator(path)
    path.write_text("no archive")
    with pytest.raises(ArgumentError, match="must be a file that train_generator wrote"):
        ge.load_generator(path)
    checkpoint.write(path, {"kind": "moments"}, {"n": [1]})
    with pytest.raises(ArgumentError, match="must be a file that train_generator wrote"):
        ge.load_generator(path)
    assert capsys.readouterr().out == ""


def test_an_altered_file_is_refused(tmp_path):
    content = bytearray((SHIPPED / "digits-vae.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ArgumentError, match="altered"):
        ge.load_generator(tmp_path / "a.npz")


def rewritten(path, change, **arrays):
    """The shipped file with another header or other arrays, sealed again."""
    header, kept = checkpoint.unpacked((SHIPPED / "digits-vae.npz").read_bytes())
    checkpoint.write(path, change(header), kept | arrays)
    return path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"architecture": {"kind": "gan", "shape": [8, 8], "latent_dim": 16}}, "kind"),
        ({"architecture": {"kind": "vae", "shape": [8, 8], "latent_dim": 16, "depth": 3}}, "depth"),
        ({"architecture": {"kind": "vae", "shape": [8, 8], "latent_dim": 15}}, "that train_generator wrote"),
        ({"file": "another"}, "another kind of file"),
        ({"digest": "0"}, "whose outputs are those saved"),
        ({"low": 0.25}, "whose outputs are those saved"),
    ],
)
def test_settings_that_do_not_fit_are_refused(change, words, tmp_path):
    with pytest.raises(ArgumentError, match=f"Argument `source` .*{words}"):
        ge.load_generator(rewritten(tmp_path / "a.npz", lambda header: header | change))


def test_weights_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(ArgumentError, match="that train_generator wrote"):
        ge.load_generator(rewritten(tmp_path / "a.npz", dict, **{"decoder.0.weight": np.ones((3, 3))}))
    with pytest.raises(ArgumentError, match="whose outputs are those saved"):
        ge.load_generator(rewritten(tmp_path / "a.npz", dict, **{"decoder.2.bias": np.zeros(64)}))
