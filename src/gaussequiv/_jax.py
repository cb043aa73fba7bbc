"""The only place that touches JAX: a float64 scope, and elementwise calls of a user's function.

JAX is imported only when a user's own function needs it: named activations run on NumPy and SciPy, so that
importing the package and the command line stay light. The caller's `jax_enable_x64` flag is never changed.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gaussequiv.errors import ArgumentError, FloatArray


@contextlib.contextmanager
def float64_scope() -> Iterator[None]:
    """Run JAX code in float64 inside this block; does nothing if JAX was never imported."""
    if "jax" not in sys.modules:
        yield
        return
    import jax

    with jax.enable_x64(True):
        yield


def elementwise(function: Callable[[Any], Any], name: str) -> Callable[[FloatArray], FloatArray]:
    """Turn a user's function into one that maps a float64 array elementwise.

    Accepted are functions of an array (NumPy or JAX) and JAX functions of a scalar, which are mapped with
    `jax.vmap`. Which one it is is decided once, here, on a probe; anything else is an `ArgumentError`.
    """
    probe = np.array([-1.7, -0.3, 0.0, 0.4, 2.1, 0.4])

    def direct(x: FloatArray) -> FloatArray:
        with float64_scope():
            return np.asarray(function(x), dtype=np.float64)

    def mapped(x: FloatArray) -> FloatArray:
        import jax

        with float64_scope():
            return np.asarray(jax.vmap(function)(x.ravel()), dtype=np.float64).reshape(x.shape)

    problems = []
    for candidate in (direct, mapped):
        try:
            whole = candidate(probe)
            parts = np.array([candidate(probe[i : i + 1]).ravel()[0] for i in range(probe.size)])
        except Exception as error:  # any failure of a user's function is reported below, with its cause
            problems.append(f"{type(error).__name__}: {error}")
            continue
        if whole.shape != probe.shape:
            problems.append(f"it maps shape {probe.shape} to shape {whole.shape}")
        elif not np.allclose(whole, parts, rtol=1e-12, atol=1e-12, equal_nan=True):
            problems.append("its value at a point depends on the other points")
        elif not np.all(np.isfinite(whole)):
            raise ArgumentError(
                f"Argument `function` must be finite on the real line, but activation {name!r} gave {whole[~np.isfinite(whole)][0]} "
                f"at {probe[~np.isfinite(whole)][0]}."
            )
        else:
            return candidate
    reason = "; ".join(text.splitlines()[0][:200] for text in problems)
    raise ArgumentError(f"Argument `function` must be an elementwise function of real numbers, but activation {name!r} is not: {reason}.")
