"""`datasets.load`: what ships with scikit-learn, and OpenML's format on a small fixture."""

from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import sklearn.datasets

from gaussequiv import datasets
from gaussequiv.errors import ArgumentError, GaussequivError


def test_digits_even_against_odd():
    X, y = datasets.load("digits")
    _, digit = datasets.load("digits", target="class")
    assert X.shape == (1797, 64) and X.dtype == np.float64 and 0 <= X.min() < X.max() == 1
    assert set(y) == {-1.0, 1.0} and np.array_equal(y == 1, digit % 2 == 0)
    assert digit[:3].tolist() == [0, 1, 2]


def test_patches_are_windows_of_the_photographs():
    X, y = datasets.load("patches", count=50, seed=3)
    assert X.shape == (50, 64) and np.sum(y == 1) == 25
    china = sklearn.datasets.load_sample_image("china.jpg") @ datasets.LUMA / 255
    windows = np.lib.stride_tricks.sliding_window_view(china, (8, 8)).reshape(-1, 64)
    for row in X[y == -1][:3]:
        assert np.min(np.max(np.abs(windows - row), axis=1)) == 0
    again, _ = datasets.load("patches", count=50, seed=3)
    assert np.array_equal(X, again)


def test_the_centre_of_a_patch_from_its_surround():
    X, y = datasets.load("patches", target="centre", count=400)
    assert X.shape == (400, 80)
    around = X[:, [39, 40, 31, 48]].mean(axis=1)  # left, right, above, below
    assert np.corrcoef(around, y)[0, 1] > 0.95


def test_count_draws_without_replacement():
    X, y = datasets.load("digits", count=100, seed=1)
    assert X.shape == (100, 64) and len(np.unique(X, axis=0)) == 100 and y.shape == (100,)
    other, _ = datasets.load("digits", count=100, seed=2)
    assert not np.array_equal(X, other)


def fake(columns):
    """What fetch_openml returns with as_frame=False: numbers as floats, targets as text."""
    calls = []

    def fetch(name, **options):
        calls.append((name, options))
        data = np.arange(6 * columns, dtype=np.float64).reshape(6, columns) % 256
        return SimpleNamespace(data=data, target=np.array(list("012345"), dtype=object))

    return fetch, calls


@pytest.mark.parametrize(("name", "stored"), [("mnist", "mnist_784"), ("fashion-mnist", "Fashion-MNIST")])
def test_openml_images(monkeypatch, tmp_path, name, stored):
    fetch, calls = fake(784)
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
    X, y = datasets.load(name, data_home=tmp_path)
    assert X.shape == (6, 784) and X[0, 255] == 1.0
    assert y.tolist() == [1, -1, 1, -1, 1, -1]
    assert calls[0][0] == stored and calls[0][1]["data_home"] == str(tmp_path) and calls[0][1]["as_frame"] is False


def test_colours_become_grey(monkeypatch):
    fetch, _ = fake(3072)
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
    X, y = datasets.load("cifar10-grey", target="class", count=4)
    rows, classes = datasets.load("cifar10-grey", target="class")
    assert X.shape == (4, 1024) and rows.shape == (6, 1024)
    assert rows[0, 5] == pytest.approx(5 / 255)  # all planes are equal here: 1024 is a multiple of 256
    assert sorted(classes) == list(range(6)) and set(y) <= set(classes)


def test_offline_is_a_clear_error(monkeypatch):
    def offline(*args, **options):
        raise URLError("no network")

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", offline)
    with pytest.raises(datasets.DownloadError, match=r"'mnist' is not in scikit-learn's cache.*need no network") as caught:
        datasets.load("mnist")
    assert isinstance(caught.value, GaussequivError) and isinstance(caught.value, OSError)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (("digit", {}), "Did you mean 'digits'"),
        (("digits", {"target": "centre"}), "one of label, class"),
        (("digits", {"count": 5000}), "at most 1797"),
        (("patches", {"count": 0}), "at least 1"),
    ],
)
def test_refusals(call, text):
    with pytest.raises(ArgumentError, match=text):
        datasets.load(call[0], **call[1])
