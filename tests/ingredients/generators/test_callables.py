"""Functions of latents in every form, and what is wrong with those that are refused."""

import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaussequiv import ArgumentError
from gaussequiv.ingredients.generators.callables import as_rows

F = np.random.default_rng(0).standard_normal((5, 3))
LATENTS = np.random.default_rng(1).standard_normal((7, 3))
EXPECTED = np.tanh(LATENTS @ F.T)


def of_rows(c):
    return np.tanh(c @ F.T)


def of_one(c):
    return jnp.tanh(F @ c)


def images(c):
    return jnp.tanh(c @ F.T).reshape(-1, 5, 1)


@pytest.mark.parametrize(
    ("function", "batched"), [(of_rows, None), (jax.jit(lambda c: jnp.tanh(c @ F.T)), None), (of_one, False), (images, True)]
)
def test_every_form_gives_the_same_rows(function, batched):
    rows = as_rows(function, 3, batched)(LATENTS)
    assert rows.dtype == np.float64 and rows == pytest.approx(EXPECTED, rel=1e-12)


def test_equinox_modules_take_one_latent_vector():
    import equinox

    module = equinox.nn.Linear(3, 5, key=jax.random.key(0))
    assert as_rows(module, 3, None)(LATENTS) == pytest.approx(LATENTS @ np.asarray(module.weight).T + np.asarray(module.bias), rel=1e-5)


def test_the_users_precision_is_kept():
    before = jax.config.jax_enable_x64
    as_rows(of_one, 3, False)(LATENTS)
    assert jax.config.jax_enable_x64 == before and jnp.ones(1).dtype == jnp.float32


class Tensor:
    """What the package asks of a tensor."""

    def __init__(self, values):
        self.values = values

    def detach(self):
        return self

    def cpu(self):
        return self

    def numpy(self):
        return self.values


class Module:
    """What the package asks of a module of PyTorch: its parts, their mode, one weight with precision and device."""

    def __init__(self):
        self.training = True
        self.seen = []

    def named_modules(self):
        return [("", self)]

    def parameters(self):
        return iter([types.SimpleNamespace(dtype=np.float32, device="accelerator")])

    def __call__(self, latents):
        self.seen.append(latents)
        return Tensor(np.tanh(latents.values @ F.T.astype(np.float32)))


@pytest.fixture
def torch(monkeypatch):
    """A stand-in for PyTorch, which is no dependency."""

    class Inference:
        def __enter__(self):
            Inference.active = True

        def __exit__(self, *reasons):
            Inference.active = False

    def as_tensor(values, dtype=np.float64, device="cpu"):
        tensor = Tensor(values.astype(dtype))
        tensor.device, tensor.without_gradients = device, Inference.active
        return tensor

    module = types.ModuleType("torch")
    module.nn, module.Tensor = types.SimpleNamespace(Module=Module), Tensor
    vars(module)["nn"] = types.ModuleType("torch.nn")
    module.nn.Module = Module
    module.inference_mode, module.as_tensor = Inference, as_tensor
    monkeypatch.setitem(sys.modules, "torch", module)


def test_modules_of_torch_run_where_they_are_in_evaluation_mode_only(torch):
    module = Module()
    with pytest.raises(ArgumentError, match=r"evaluation mode, but 'Module' .* Call its .eval\(\) first"):
        as_rows(module, 3, None)
    module.training = False
    rows = as_rows(module, 3, None)
    assert rows(LATENTS) == pytest.approx(EXPECTED, rel=1e-5)
    last = module.seen[-1]
    assert (last.device, last.values.dtype, last.without_gradients) == ("accelerator", np.float32, True)
    module.training = True  # it went on training
    with pytest.raises(ArgumentError, match="evaluation mode"):
        rows(LATENTS)


def broken(c):
    raise RuntimeError("no such layer")


@pytest.mark.parametrize(
    ("function", "batched", "words"),
    [
        ("tanh", None, "must be a function of latents"),
        (Module, None, "must be a function of latents"),
        (broken, None, "fails: RuntimeError: no such layer"),
        (lambda c: c @ np.ones((4, 2)), None, r"must accept latents of shape \(4, 3\).*batched=False"),
        (of_rows, False, r"must accept latents of shape \(3,\), one at a time.*batched=True"),
        (lambda c: c + 1j, None, "must give real outputs, but gives complex"),
        (lambda c: [["a"] * 3] * len(c), None, "could not convert string"),
        (lambda c: c.sum(), None, "one output for each of 4 latents"),
        (lambda c: c[:2], None, "one output for each of 4 latents"),
        (lambda c: np.where(c > 0, np.nan, c), None, "must give finite outputs"),
        (lambda c: np.random.default_rng().standard_normal(c.shape), None, "two calls differ"),
        (lambda c: c - c.mean(axis=0), None, "batch norm in training mode"),
    ],
)
def test_others_are_refused_with_the_reason(function, batched, words):
    with pytest.raises(ArgumentError, match=words):
        as_rows(function, 3, batched)
