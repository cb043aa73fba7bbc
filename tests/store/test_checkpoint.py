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


def test_no_flipped_bit_is_read_as_other_numbers(tmp_path):
    path = tmp_path / "a.npz"
    checkpoint.write(path, {"d": 3}, {"x": np.arange(5.0)})
    content, rng = path.read_bytes(), np.random.default_rng(0)
    for place in rng.integers(8 * len(content), size=200):
        spoilt = bytearray(content)
        spoilt[place // 8] ^= 1 << (place % 8)
        path.write_bytes(spoilt)
        try:
            header, arrays = checkpoint.read(path)
        except ArgumentError:
            continue
        assert header == {"d": 3} and arrays["x"].tolist() == [0, 1, 2, 3, 4]


def test_files_of_the_old_form_are_read(tmp_path):
    header = np.frombuffer(b'{"d": 3}', dtype=np.uint8)
    np.savez(tmp_path / "a.npz", header=header, x=np.ones(3))
    assert checkpoint.read(tmp_path / "a.npz")[0] == {"d": 3}
    np.savez(tmp_path / "a.npz", header=np.frombuffer(b"[3]", dtype=np.uint8), x=np.ones(3))
    with pytest.raises(ArgumentError, match="its header is no object"):
        checkpoint.read(tmp_path / "a.npz")


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
