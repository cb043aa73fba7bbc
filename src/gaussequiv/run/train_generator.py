"""`train_generator`: a generative model of data, trained from scratch, as a generator."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaussequiv._progress import watched
from gaussequiv.errors import ArgumentError, integer
from gaussequiv.trained.data import training_rows
from gaussequiv.trained.files import as_generator, save_generator
from gaussequiv.trained.named import architecture_named
from gaussequiv.trained.training import train_network

if TYPE_CHECKING:
    from gaussequiv.ingredients.generators.function import FunctionGenerator


def train_generator(
    kind: str,
    data: Any,
    *,
    steps: int | None = None,
    seed: int = 0,
    latents: int | None = None,
    output: str | os.PathLike[str] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
) -> FunctionGenerator:
    """Train a generative model x = G(c), c ~ N(0, I_D), on data.

    Parameters
    ----------
    kind : "vae", "conv" or "flow"
        The mean of a variational autoencoder's dense decoder (`DenseDecoder`), of one with transposed convolutions
        (`ConvolutionalDecoder`), or a normalising flow of affine couplings (`RealNVP`).
    data : str, path or array
        "digits" (1,797 of 8x8), "patches" (20,000 of 8x8 out of scikit-learn's two photographs), another name of `datasets`, a .npy file,
        or an array: (rows, N), where a row of square N is an image, or (rows, height, width). Any numbers; they are brought to [0, 1].
    steps : int, optional
        Of AdamW with batches of 128 rows; by default 10,000 ("vae"), 8,000 ("conv") or 3,000 ("flow"): up to a few minutes on two cores.
    seed : int
    latents : int, optional
        D: by default 16, and N for "flow", which takes no other.
    output : path, optional
        Also write this .npz file, which `load_generator` reads.
    checkpoint : path, optional
        File from which a call that was killed goes on; the same machine then gives the same bits as a call that was not. A file of another
        call is refused.
    progress : bool, optional
        Show a progress bar (default: on a terminal).

    Returns
    -------
    FunctionGenerator
        Its ``function`` is the `TrainedNetwork`, with its losses. Training runs in float32, the generator in float64.

    Raises
    ------
    ArgumentError : no such kind or data, data that are not finite or do not vary, or that are no images ("conv").
    TrainingError : the loss is not finite.

    Validity: how near outputs are to the data is to be looked at: `plot.sample_sheet` draws both.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.random.default_rng(0).standard_normal((500, 3)) @ np.ones((3, 6))
    >>> generator = train_generator("vae", rows, steps=100, latents=2)
    >>> generator.latent_dim, generator.dimension
    (2, 6)
    """
    model, seed = architecture_named(kind), integer("seed", seed, minimum=0)
    if output is not None:
        _check_npz(output)
    found = training_rows(data)
    architecture = model.of_rows(found.rows, found.shape, latents)
    count = architecture.steps if steps is None else integer("steps", steps, minimum=1)
    path = None if checkpoint is None else Path(checkpoint)
    network = _watched(architecture, found, count, seed, path, progress)
    generator = as_generator(network)
    if output is not None:
        save_generator(output, generator)
    return generator


def _check_npz(output: str | os.PathLike[str]) -> None:
    path = Path(output)
    if path.suffix.lower() != ".npz" or not path.parent.is_dir():
        raise ArgumentError(f"Argument `output` must be a file name ending in .npz, in an existing folder, but output={str(output)!r}.")


def _watched(architecture: Any, data: Any, steps: int, seed: int, path: Path | None, progress: bool | None) -> Any:
    """Training under a bar that shows the loss."""
    with watched("training", progress) as bar:
        tell = None if bar is None else lambda done, loss: bar(done, steps, f"loss {loss:.4g}")
        return train_network(architecture, data, steps=steps, seed=seed, path=path, tell=tell)
