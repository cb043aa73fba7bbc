"""Examples: the reader of files that PyTorch writes, of which nothing is executed; learned features of real images."""

import importlib.util
import io
import pickle
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def loaded(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def example():
    return loaded("own_generator")


class Tensor:
    """What PyTorch's pickles rebuild by name."""

    def __init__(self, name, array):
        self.name, self.array = name, array

    def __reduce__(self):
        steps = tuple(step // self.array.itemsize for step in self.array.strides)
        return sys.modules["torch._utils"]._rebuild_tensor_v2, (Storage(self), 0, self.array.shape, steps, False, {})


class Storage:
    """A tensor's numbers, which lie beside the pickle."""

    def __init__(self, tensor):
        self.tensor = tensor


def written(path, tensors, monkeypatch, more=()):
    """A file in PyTorch's format of these named arrays."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    torch.FloatStorage = type("FloatStorage", (), {"__module__": "torch"})

    def _rebuild_tensor_v2(*arguments):
        raise AssertionError("the package's own reader rebuilds")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "torch", torch)
        patched.setitem(sys.modules, "torch._utils", utils)

        class Writer(pickle.Pickler):
            def persistent_id(self, piece):
                if isinstance(piece, Storage):
                    return ("storage", torch.FloatStorage, piece.tensor.name, "cpu", piece.tensor.array.size)
                return None

        body = io.BytesIO()
        Writer(body, protocol=2).dump({name: Tensor(str(i), array) for i, (name, array) in enumerate(tensors.items())} | dict(more))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights/data.pkl", body.getvalue())
        for i, array in enumerate(tensors.values()):
            archive.writestr(f"weights/data/{i}", np.ascontiguousarray(array).tobytes())
    return path


def layers(rng):
    """A generator of 4 x 4, 8 x 8, ..., 64 x 64 pixels with few channels, 5 latents."""
    widths, found = (5, 4, 3, 3, 2, 3), {}
    for i in range(5):
        found[f"main.{3 * i}.weight"] = rng.standard_normal((widths[i], widths[i + 1], 4, 4)).astype(np.float32)
        if i < 4:
            for part in ("weight", "bias", "running_mean", "running_var"):
                value = rng.random(widths[i + 1]) + 0.5
                found[f"main.{3 * i + 1}.{part}"] = value.astype(np.float32)
    return found


def test_arrays_are_read_and_the_generator_is_its_transposed_convolutions(example, tmp_path, monkeypatch):
    tensors = layers(np.random.default_rng(0))
    found = example.read_weights(written(tmp_path / "weights.tar", tensors, monkeypatch))
    assert found.keys() == tensors.keys() and all(np.array_equal(found[name], tensors[name]) for name in tensors)
    c = np.random.default_rng(1).standard_normal((3, 5))

    def grown(x, kernel, stride, padding):
        """Every pixel adds its multiple of the kernel."""
        rows, _, size, _ = x.shape
        out = np.zeros((rows, kernel.shape[1], stride * (size - 1) + 4, stride * (size - 1) + 4))
        for i in range(size):
            for j in range(size):
                out[:, :, stride * i : stride * i + 4, stride * j : stride * j + 4] += np.einsum("rc,cokl->rokl", x[:, :, i, j], kernel)
        end = out.shape[-1] - padding
        return out[:, :, padding:end, padding:end]

    x = c[:, :, None, None]
    for i in range(5):
        x = grown(x, tensors[f"main.{3 * i}.weight"], 1 if i == 0 else 2, 0 if i == 0 else 1)
        if i < 4:
            scale, shift, mean, variance = (
                tensors[f"main.{3 * i + 1}.{part}"][:, None, None] for part in ("weight", "bias", "running_mean", "running_var")
            )
            x = np.maximum((x - mean) / np.sqrt(variance + 1e-5) * scale + shift, 0)
    expected = np.tanh(x).mean(axis=1).reshape(3, 8, 8, 8, 8).mean(axis=(2, 4))
    assert example.faces(found)(c) == pytest.approx(expected, abs=1e-3)


class Harmful:
    def __reduce__(self):
        return exec, ("raise SystemExit(3)",)


def test_nothing_in_a_file_is_executed(example, tmp_path, monkeypatch):
    path = written(tmp_path / "weights.tar", layers(np.random.default_rng(0)), monkeypatch, {"harm": Harmful()})
    with pytest.raises(pickle.UnpicklingError, match=r"exec is no array"):
        example.read_weights(path)


def test_learned_features_of_unseen_images_have_the_predicted_errors(tmp_path, monkeypatch):
    """Within 4 standard errors of refits on the same rows, and 5%: squared errors by both methods, wrong signs by rows."""
    learned = loaded("prelearned_features")
    monkeypatch.setattr(learned, "SIZES", (100, 400))
    table = learned.main(str(tmp_path / "figure.png"))
    assert (tmp_path / "figure.png").stat().st_size > 10_000
    assert len(table) == 8
    for method, errors in {"rows": learned.STUDENTS, "gaussian": ["mean squared error"]}.items():
        part = table[table.error.isin(errors)]
        assert np.all(np.abs(part[method] - part.refitted) < 4 * part["refitted +-"] + 0.05 * part.refitted)
        assert np.all(4 * part["refitted +-"] < 0.15 * part.refitted)  # else nothing would be told
    # what the network learned is worth more than pixels, in every prediction that holds and in every refit
    for column in ("refitted", "rows"):
        pixels, hidden = (table[table.features == name][column].to_numpy() for name in ("pixels", "hidden units"))
        assert np.all(hidden < 0.9 * pixels)
