"""Training goes down its loss, to the same bits whether it was stopped or not."""

import numpy as np
import pytest

from gaussequiv.errors import ArgumentError
from gaussequiv.trained.data import training_rows
from gaussequiv.trained.network import TrainedNetwork
from gaussequiv.trained.real_nvp import RealNVP
from gaussequiv.trained.training import TrainingError, train_network
from gaussequiv.trained.variational import ConvolutionalDecoder, DenseDecoder

ROWS = training_rows(np.random.default_rng(0).standard_normal((200, 2)) @ np.random.default_rng(1).standard_normal((2, 9)))
STEPS = 350  # the same for all: they share a compilation
SMALL = DenseDecoder((3, 3), 2, width=8)
MODELS = [SMALL, ConvolutionalDecoder((3, 3), 2, width=8, channels=3), RealNVP((3, 3), 9, couplings=2, width=8)]


def same(one, other):
    return one.weights.keys() == other.weights.keys() and all(
        np.array_equal(one.weights[name], other.weights[name]) for name in one.weights
    )


@pytest.mark.parametrize("architecture", MODELS, ids=lambda one: one.kind)
def test_the_loss_goes_down_and_outputs_are_in_the_units_of_the_data(architecture):
    told = []
    network = train_network(architecture, ROWS, steps=STEPS, seed=0, tell=lambda done, loss: told.append((done, loss)))
    assert network.losses[-1] < network.losses[0] - 1
    assert [done for done, _ in told] == [100, 200, 300, 350]
    assert [loss for _, loss in told] == network.losses.tolist()
    assert not any(name.startswith("encoder") for name in network.weights)
    made = network(np.random.default_rng(2).standard_normal((2000, architecture.latent_dim)))
    assert made.mean(axis=0) == pytest.approx(ROWS.original.mean(axis=0), abs=0.6 * ROWS.original.std())
    assert {value.dtype for value in (made, *network.weights.values())} == {np.dtype("float64")}


def test_a_seed_gives_the_same_bits_and_another_gives_others():
    one, two, other = (train_network(SMALL, ROWS, steps=STEPS, seed=seed) for seed in (0, 0, 1))
    assert same(one, two) and not same(one, other)


def test_the_users_precision_neither_matters_nor_changes():
    import jax

    plain = train_network(SMALL, ROWS, steps=STEPS, seed=0)
    with jax.enable_x64(True):
        assert same(train_network(SMALL, ROWS, steps=STEPS, seed=0), plain)
        assert jax.numpy.zeros(1).dtype == "float64"


@pytest.mark.parametrize("architecture", MODELS, ids=lambda one: one.kind)
def test_an_interrupted_training_goes_on_to_the_same_bits(architecture, tmp_path):
    path, seen = tmp_path / "training", []

    def stop(done, loss):
        seen.append(done)
        if done == 200:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_network(architecture, ROWS, steps=STEPS, seed=0, path=path, tell=stop)
    rest = train_network(architecture, ROWS, steps=STEPS, seed=0, path=path, tell=lambda done, loss: seen.append(done))
    whole = train_network(architecture, ROWS, steps=STEPS, seed=0)
    assert seen == [100, 200, 300, 350]
    assert same(rest, whole) and np.array_equal(rest.losses, whole.losses)


def test_a_finished_training_is_found(tmp_path):
    first = train_network(SMALL, ROWS, steps=STEPS, seed=0, path=tmp_path / "training")
    told = []
    again = train_network(SMALL, ROWS, steps=STEPS, seed=0, path=tmp_path / "training", tell=lambda *_: told.append(1))
    assert same(first, again) and not told


@pytest.mark.parametrize(
    ("other", "word"),
    [
        ({"steps": 200}, "steps"),
        ({"seed": 1}, "seed"),
        ({"architecture": DenseDecoder((3, 3), 2, width=9)}, "architecture"),
        ({"data": training_rows(ROWS.rows[1:])}, "data"),
    ],
)
def test_the_checkpoint_of_another_call_is_refused(other, word, tmp_path):
    call = {"architecture": SMALL, "data": ROWS, "steps": STEPS, "seed": 0, "path": tmp_path / "training"}
    train_network(**call)
    with pytest.raises(ArgumentError, match=f"Argument `checkpoint` must be a new file.* another {word}"):
        train_network(**call | other)


class Diverging(DenseDecoder):
    """Its loss has no value."""

    def loss(self, weights, rows, key):
        return super().loss(weights, rows, key) * float("nan")


def test_a_loss_that_is_no_number_is_an_error_and_is_not_kept(tmp_path):
    with pytest.raises(TrainingError, match="The loss is nan after 100 steps of 300"):
        train_network(Diverging((3, 3), 2, width=8), ROWS, steps=300, seed=0, path=tmp_path / "training")
    assert not (tmp_path / "training").exists()


def test_a_network_maps_any_number_of_rows():
    weights = SMALL.initial(ROWS.rows, np.random.default_rng(0))
    network = TrainedNetwork(SMALL, weights, low=-2.0, high=4.0)
    latents = np.random.default_rng(1).standard_normal((2500, 2))
    rows = network(latents)
    assert rows == pytest.approx(-2 + 6 * SMALL.generate(weights, latents, np), rel=1e-12)
    assert network(latents[:0]).shape == (0, 9) and network.shape == (3, 3)
