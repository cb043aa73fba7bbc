"""Files of trained generators: settings as JSON and weights as arrays, sealed; nothing in them is executed. Some are shipped."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from gaussequiv._version import __version__
from gaussequiv.errors import ArgumentError, did_you_mean
from gaussequiv.ingredients.generators.function import SETTINGS, FunctionGenerator
from gaussequiv.store import checkpoint
from gaussequiv.trained.named import architecture_from
from gaussequiv.trained.network import TrainedNetwork

SHIPPED = Path(__file__).parent / "shipped"
KIND = "trained generator"
OPTIONS = (*SETTINGS, "cache", "name")  # of `FunctionGenerator`, that a trained network leaves open


def shipped_generators() -> tuple[str, ...]:
    """Names that `load_generator` knows."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.npz")))


def load_generator(source: str | os.PathLike[str], **options: Any) -> FunctionGenerator:
    """A generator that was trained: one of the package's own, or a file that `train_generator` wrote.

    Parameters
    ----------
    source : str or path
        "digits-vae" (decoder of a variational autoencoder: 16 latents, 64 pixels), "digits-conv" (with transposed convolutions), or a file.
        Nothing in it is executed.
    options
        Fields of `FunctionGenerator`: normalise, tolerance, max_samples, seed, cache, name.

    Returns
    -------
    FunctionGenerator
        Its ``function`` is the `TrainedNetwork`, with what it was trained on and its losses.

    Raises
    ------
    ArgumentError : no such name, file or option, a file of another kind, or outputs that are not those of the saved generator.

    Validity: that of `FunctionGenerator`.

    Examples
    --------
    >>> generator = load_generator("digits-vae")
    >>> generator.latent_dim, generator.dimension, generator.function.shape
    (16, 64, (8, 8))
    """
    if not isinstance(source, (str, os.PathLike)):
        raise ArgumentError(f"Argument `source` must be a name or a file, but source={source!r:.100}.")
    names = shipped_generators()
    path = SHIPPED / f"{source}.npz" if source in names else Path(source)
    if not path.is_file():
        raise ArgumentError(
            f"Argument `source` must be one of {', '.join(names)}, or a file that train_generator wrote, but there is no file "
            f"{str(source)!r}.{did_you_mean(source, names)}"
        )
    try:
        network, name, digest = _read(path)
    except Exception as error:  # the archive of another program may break any of its readers in any way
        raise ArgumentError(
            f"Argument `source` must be a file that train_generator wrote, but {str(source)!r} is not: {error!r:.200}."
        ) from None
    found = as_generator(network, **{"name": name} | options)
    if found.digest != digest:
        raise ArgumentError(f"Argument `source` must be a file whose outputs are those saved, but those of {str(source)!r} are others.")
    return found


def _read(path: Path) -> tuple[TrainedNetwork, str, str]:
    """The network, tried on one latent vector, with name and digest of the generator."""
    header, arrays = checkpoint.unpacked(path.read_bytes())
    if header["file"] != KIND:
        raise ValueError("its header names another kind of file")
    losses = arrays.pop("losses")
    weights = {name: np.asarray(value, dtype=np.float64) for name, value in arrays.items()}
    architecture = architecture_from(header["architecture"])
    network = TrainedNetwork(architecture, weights, float(header["low"]), float(header["high"]), header["training"], losses)
    network(np.zeros((1, architecture.latent_dim)))
    return network, header["name"], header["digest"]


def save_generator(path: str | os.PathLike[str], generator: FunctionGenerator) -> Path:
    """Write a trained generator in one step; weights in float32, as they were trained."""
    network = generator.function
    header = {
        "file": KIND,
        "version": __version__,
        "name": generator.name,
        "architecture": network.architecture.to_dict(),
        "low": network.low,
        "high": network.high,
        "training": dict(network.training),
        "digest": generator.digest,
    }
    weights = {name: np.asarray(value, dtype=np.float32) for name, value in network.weights.items()}
    checkpoint.write(Path(path), header, weights | {"losses": np.asarray(network.losses, dtype=np.float32)})
    return Path(path)


def as_generator(network: TrainedNetwork, **options: Any) -> FunctionGenerator:
    """The network as a generator, named by its data and kind."""
    name = f"{network.training.get('data', 'data')}-{network.architecture.kind}"
    for key in options:
        if key not in OPTIONS:
            raise ArgumentError(f"Argument `options` must be among {', '.join(OPTIONS)}, but {key!r} is not.{did_you_mean(key, OPTIONS)}")
    return FunctionGenerator(network, latent_dim=network.architecture.latent_dim, batched=True, **{"name": name} | options)
