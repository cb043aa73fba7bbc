"""A user's generator as one function from rows of latents to rows of outputs, whatever it was written in: NumPy, JAX, Equinox, PyTorch."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from gaussequiv._jax import float64_scope
from gaussequiv.errors import ArgumentError, FloatArray

Rows = Callable[[FloatArray], FloatArray]
PROBE = 4  # rows on which a function is tried
APART = 1e-3  # of the largest output: what a row may change with the rows beside it, for single precision in blocks of any size


def as_rows(function: Any, latent_dim: int, batched: bool | None) -> Rows:
    """(rows, D) -> (rows, N) in float64, finite; outputs of more dims (images) are flattened.

    Raises
    ------
    ArgumentError : not a function, a network in training mode, a function that fails on latents of this dimension, gives other shapes,
    values that are not finite, differs between two calls, or depends on the other rows.
    """
    if isinstance(function, type) or not callable(function):
        raise ArgumentError(f"Argument `function` must be a function of latents, a network or a Generator, but function={function!r:.100}.")
    whole = batched if batched is not None else not _of("equinox", "Module", function)
    rows: Rows = _TorchRows(function) if _of_torch("nn.Module", function) else partial(_called if whole else _mapped, function)
    rows = partial(_finite, rows)
    probe = np.random.default_rng(latent_dim).standard_normal((PROBE, latent_dim))
    values = _tried(rows, probe, whole)
    scale = float(np.abs(values).max())
    if float(np.abs(rows(probe) - values).max()) > APART * scale:
        raise ArgumentError(
            "Argument `function` must give the same outputs at the same latents, but two calls differ: noise, or dropout in training mode?"
        )
    if float(np.abs(rows(probe[:2]) - values[:2]).max()) > APART * scale:
        raise ArgumentError(
            "Argument `function` must map every row by itself, but outputs change with the other rows: batch norm in training mode?"
        )
    return rows


def _finite(rows: Rows, latents: FloatArray) -> FloatArray:
    values = rows(latents)
    if not np.all(np.isfinite(values)):
        bad = int(np.sum(~np.isfinite(values)))
        raise ArgumentError(f"Argument `function` must give finite outputs, but {bad} of {values.size} at random latents are not.")
    return values


def _tried(rows: Rows, probe: FloatArray, whole: bool) -> FloatArray:
    D = probe.shape[1]
    shape = f"({PROBE}, {D})" if whole else f"({D},), one at a time"
    hint = (
        " A function of JAX of one latent vector is FunctionGenerator(function, latent_dim, batched=False)."
        if whole
        else " A function of rows of latents takes batched=True."
    )
    try:
        values = rows(probe)
    except ArgumentError:
        raise
    except Exception as error:  # whatever a user's function may raise is told with its words
        words = f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"
        raise ArgumentError(f"Argument `function` must accept latents of shape {shape}, but fails: {words}.{hint}") from error
    if values.ndim < 2 or len(values) != PROBE or values[0].size == 0:
        raise ArgumentError(f"Argument `function` must give one output for each of {PROBE} latents, but gives shape {values.shape}.{hint}")
    return values


def _of(module: str, name: str, piece: Any) -> bool:
    """Whether it is an instance of a class of a module that its owner must have imported."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = vars(found).get(part) if found is not None else None
    return found is not None and isinstance(piece, found)


def _of_torch(name: str, piece: Any) -> bool:
    return _of("torch", name, piece)


def _flat(values: Any) -> FloatArray:
    if _of_torch("Tensor", values):
        values = values.detach().cpu().numpy()
    if np.iscomplexobj(values):
        raise ArgumentError("Argument `function` must give real outputs, but gives complex ones: whose absolute value, or real part?")
    rows = np.array(values, dtype=np.float64)
    return rows.reshape(len(rows), -1) if rows.ndim > 1 else rows


def _called(function: Callable[[Any], Any], latents: FloatArray) -> FloatArray:
    with float64_scope():
        return _flat(function(latents.copy()))  # which may work in place


def _mapped(function: Callable[[Any], Any], latents: FloatArray) -> FloatArray:
    """One latent vector at a time, by JAX."""
    import jax

    with float64_scope():
        return _flat(jax.vmap(function)(latents))


class _TorchRows:
    """A PyTorch module where it is: on its device, in its precision, without gradients."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self._check()

    def _check(self) -> None:
        training = [name or type(self.module).__name__ for name, part in self.module.named_modules() if part.training]
        if training:
            raise ArgumentError(
                f"Argument `function` must be a network in evaluation mode, but {training[0]!r} ({len(training)} parts in all) is in "
                "training mode, in which batch norm and dropout depend on the batch. Call its .eval() first."
            )

    def __call__(self, latents: FloatArray) -> FloatArray:
        torch = sys.modules["torch"]
        self._check()  # its owner may have gone on training it
        weights = next(iter(self.module.parameters()), None)
        with torch.inference_mode():
            c = (
                torch.as_tensor(latents.copy())
                if weights is None
                else torch.as_tensor(latents.copy(), dtype=weights.dtype, device=weights.device)
            )
            return _flat(self.module(c))
