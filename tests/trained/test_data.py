"""What is trained on, and what is refused."""

import numpy as np
import pytest

from gaussequiv import datasets
from gaussequiv.errors import ArgumentError
from gaussequiv.trained.data import training_rows


def test_data_sets_by_name():
    digits, patches = training_rows("digits"), training_rows("patches")
    assert digits.original == pytest.approx(datasets.load("digits")[0])
    assert (patches.rows.shape, patches.shape) == ((20_000, 64), (8, 8))
    assert (patches.rows.min(), patches.rows.max()) == (0, 1)
    assert digits.digest != patches.digest


def test_a_file_and_an_array_are_the_same_rows(tmp_path):
    values = np.random.default_rng(0).normal(5, 2, (30, 3, 4))
    np.save(tmp_path / "faces.npy", values)
    file, given = training_rows(tmp_path / "faces.npy"), training_rows(values)
    assert file.digest == given.digest
    assert (file.name, given.name, file.shape) == ("faces", "data", (3, 4))
    assert given.original == pytest.approx(values.reshape(30, 12), rel=1e-12)
    assert (given.low, given.high) == (values.min(), values.max())


@pytest.mark.parametrize(("N", "shape"), [(1, (1,)), (6, (6,)), (9, (3, 3)), (144, (12, 12))])
def test_a_row_of_square_length_is_an_image(N, shape):
    assert training_rows(np.arange(2 * N).reshape(2, N)).shape == shape


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.array([[1.0, np.nan], [0, 1]]), "must be finite, but 1 of its 4 values"),
        (np.ones((3, 4)), "must vary, but all of its 12 numbers are 1"),
        (np.arange(4.0), r"must have shape \(rows, N\)"),
        (np.arange(4.0)[None], r"must have shape .* with at least 2 rows, but its shape is \(1, 4\)"),
        ([["a", "b"]], "must be an array of numbers"),
        ("digit", "must be an array, a .npy file, or one of digits, patches.*Did you mean 'digits'"),
        ("nowhere.npy", "must be a .npy file of numbers, but 'nowhere.npy' cannot be read"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_by_name(data, words):
    with pytest.raises(ArgumentError, match=f"Argument `data` {words}"):
        training_rows(data)


def test_objects_in_a_file_are_not_executed(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([print, 1], dtype=object))
    with pytest.raises(ArgumentError, match="cannot be read"):
        training_rows(tmp_path / "objects.npy")
