"""Checkpoints: exact, replaced in one step, refused when they are something else."""

import numpy as np
import pytest

from gaussequiv.errors import ArgumentError
from gaussequiv.store import checkpoint


def test_what_is_read_is_what_was_written(tmp_path):
    path = tmp_path / "deep" / "a.npz"
    x = np.random.default_rng(0).standard_normal((3, 4))
    arrays = {"x": x, "k": np.int64(7), "e": np.zeros((0, 2)), "inf": np.array([-np.inf, np.nan])}
    checkpoint.write(path, {"d": 3, "names": ["a", "b"]}, arrays)
    header, found = checkpoint.read(path)
    assert header == {"d": 3, "names": ["a", "b"]}
    for name, value in arrays.items():
        assert found[name].dtype == np.asarray(value).dtype
        assert np.array_equal(found[name], value, equal_nan=True)


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    checkpoint.write(path, {}, {"x": np.ones(3)})

    def broken(handle):
        raise OSError("no space left on device")

    monkeypatch.setattr(checkpoint.os, "fsync", broken)
    with pytest.raises(OSError, match="no space"):
        checkpoint.write(path, {}, {"x": np.zeros(3)})
    assert checkpoint.read(path)[1]["x"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("spoil", ["truncated", "text", "empty", "foreign"])
def test_other_files_are_refused(tmp_path, spoil):
    path = tmp_path / "a.npz"
    checkpoint.write(path, {}, {"x": np.ones(300)})
    if spoil == "truncated":
        path.write_bytes(path.read_bytes()[:-400])
    elif spoil == "foreign":
        np.savez(path, x=np.ones(3))
    else:
        path.write_text("notes" if spoil == "text" else "")
    with pytest.raises(ArgumentError, match="Argument `checkpoint` must be"):
        checkpoint.read(path)


def test_another_call_is_refused_by_name(tmp_path):
    with pytest.raises(ArgumentError, match="another draws: 10, now 20"):
        checkpoint.same_call(tmp_path, {"draws": 10, "d": 3}, {"draws": 20, "d": 3})
    checkpoint.same_call(tmp_path, {"draws": 10}, {"draws": 10})
