"""Real data sets as (rows, labels): two that ship with scikit-learn, three that OpenML keeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gaussequiv.errors import ArgumentError, FloatArray, GaussequivError, choice, integer

OPENML = {"mnist": "mnist_784", "fashion-mnist": "Fashion-MNIST", "cifar10-grey": "CIFAR_10"}
PATCH = 8  # side of a patch
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


class DownloadError(GaussequivError, OSError):
    """A data set is neither in the cache nor to be had from OpenML."""


def names() -> tuple[str, ...]:
    """Names that `load` knows."""
    return ("digits", "patches", *OPENML)


def load(
    name: str, *, target: str = "label", count: int | None = None, seed: int = 0, data_home: str | Path | None = None
) -> tuple[FloatArray, FloatArray]:
    """Rows and labels of a data set.

    Parameters
    ----------
    name : str
        "digits" (1,797 images of 8x8) and "patches" (8x8 patches at random places of scikit-learn's two photographs, grey) need no network.
        "mnist", "fashion-mnist" (28x28) and "cifar10-grey" (32x32, luma of the colours) come from OpenML through scikit-learn, which
        keeps them in its cache.
    target : str
        "label": +1 for even classes and -1 for odd ones; for patches +1 for the flower and -1 for the china. "class": the class as a
        number. For patches also "centre": the grey value of the centre of a 9x9 patch, whose other 80 pixels are the row.
    count : int, optional
        Number of rows, drawn without replacement from `seed`; all of them by default (4,000 patches). Overlapping patches are not
        independent: the photographs hold about 8,500 disjoint ones.
    seed : int
        Of the rows that `count` picks, of their order for patches, and of the places of patches.
    data_home : path, optional
        Cache folder of scikit-learn's downloads.

    Returns
    -------
    X : array of shape (rows, pixels)
        Grey values from 0 to 1.
    y : array of shape (rows,)

    Raises
    ------
    DownloadError
        Offline, and not in the cache.

    Examples
    --------
    >>> X, y = load("digits")
    >>> X.shape, float(X.max()), sorted(set(y.tolist()))
    ((1797, 64), 1.0, [-1.0, 1.0])
    """
    choice("name", name, names())
    choice("target", target, ("label", "class", "centre") if name == "patches" else ("label", "class"))
    rng = np.random.default_rng(integer("seed", seed, minimum=0))
    if count is not None:
        integer("count", count, minimum=1)
    if name == "patches":
        return _patches(target, 4000 if count is None else count, rng)
    rows, classes = _digits() if name == "digits" else _openml(name, data_home)
    if count is not None:
        if count > len(rows):
            raise ArgumentError(f"Argument `count` must be at most {len(rows)}, the rows of {name!r}, but count={count}.")
        picked = rng.permutation(len(rows))[:count]
        rows, classes = rows[picked], classes[picked]
    return rows, classes if target == "class" else np.where(classes % 2 == 0, 1.0, -1.0)


def _digits() -> tuple[FloatArray, FloatArray]:
    from sklearn.datasets import load_digits

    found = load_digits()
    return found.data / 16.0, found.target.astype(np.float64)


def _patches(target: str, count: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Half of the patches from each photograph, in random order."""
    from sklearn.datasets import load_sample_images

    side = PATCH + 1 if target == "centre" else PATCH
    rows = np.empty((count, side * side))
    photograph = np.arange(count) % 2
    for index, image in enumerate(load_sample_images().images):
        grey = image @ LUMA / 255.0
        own = np.flatnonzero(photograph == index)
        top, left = rng.integers(grey.shape[0] - side + 1, size=own.size), rng.integers(grey.shape[1] - side + 1, size=own.size)
        windows = np.lib.stride_tricks.sliding_window_view(grey, (side, side))
        rows[own] = windows[top, left].reshape(own.size, -1)
    order = rng.permutation(count)
    rows, photograph = rows[order], photograph[order]
    if target == "centre":
        middle = side * side // 2
        return np.delete(rows, middle, axis=1), rows[:, middle].copy()
    labels = photograph.astype(np.float64)
    return rows, labels if target == "class" else 2 * labels - 1


def _openml(name: str, data_home: str | Path | None) -> tuple[FloatArray, FloatArray]:
    from sklearn import datasets

    fetch: Callable[..., Any] = datasets.fetch_openml
    try:
        found = fetch(OPENML[name], version=1, as_frame=False, parser="liac-arff", data_home=None if data_home is None else str(data_home))
    except OSError as error:
        raise DownloadError(
            f"The data set {name!r} is not in scikit-learn's cache and could not be fetched from OpenML: {error}. "
            "Fetch it once while online, or load 'digits' or 'patches', which need no network."
        ) from error
    rows = np.asarray(found.data, dtype=np.float64) / 255.0
    if name == "cifar10-grey":  # red, green and blue planes one after the other
        rows = np.einsum("ncp,c->np", rows.reshape(len(rows), 3, -1), LUMA)
    return rows, np.asarray(found.target).astype(np.float64)
