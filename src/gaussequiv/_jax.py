"""The only place that touches JAX: a float64 scope, and elementwise calls of a user's function.

JAX is imported only when a user's own function needs it: named activations run on NumPy and SciPy, so that
importing the package and the command line stay light. The caller's `jax_enable_x64` flag is never changed.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from gaussequiv.errors import ArgumentError, FloatArray

BLOCKS = (256, 4096)  # points of one compiled call


@contextlib.contextmanager
def float64_scope() -> Iterator[None]:
    """Run JAX code in float64 inside this block; does nothing if JAX was never imported."""
    if "jax" not in sys.modules:
        yield
        return
    import jax

    with jax.enable_x64(True):
        yield


@contextlib.contextmanager
def float32_scope() -> Iterator[None]:
    """Run JAX code in float32 inside this block, whatever the caller's flag: training of networks whose moments are float64 afterwards."""
    import jax

    with jax.enable_x64(False):
        yield


def on_arrays(function: Callable[[Any], Any], x: FloatArray) -> FloatArray:
    """A user's function of an array, NumPy or JAX, in float64."""
    with float64_scope():
        return np.array(function(x), dtype=np.float64)  # a copy: arrays of JAX are read-only


def _mapped(function: Callable[[Any], Any], x: FloatArray) -> FloatArray:
    import jax

    with float64_scope():
        return np.array(jax.vmap(function)(x.ravel()), dtype=np.float64).reshape(x.shape)


def elementwise(function: Callable[[Any], Any], name: str, what: str = "activation") -> Callable[[FloatArray], FloatArray]:
    """Turn a user's function, the `what` called `name`, into one that maps a float64 array elementwise.

    Accepted are functions of an array (NumPy or JAX) and JAX functions of a scalar, which are mapped with
    `jax.vmap`. Which one it is is decided once, here, on a probe; anything else is an `ArgumentError`. The result can be pickled if
    `function` can.
    """
    probe = np.array([-1.7, -0.3, 0.0, 0.4, 2.1, 0.4])
    candidate = partial(on_arrays, function)
    try:
        whole = candidate(probe)
    except Exception as error:  # a JAX function of a scalar refuses arrays; what it cannot do either is reported with its cause
        try:
            candidate = partial(_mapped, function)
            whole = candidate(probe)
        except Exception as second:
            raise _refused(what, name, f"{_first_line(error)}; mapped over scalars, {_first_line(second)}") from None
    if whole.shape != probe.shape:
        raise _refused(what, name, f"it maps shape {probe.shape} to shape {whole.shape}")
    parts = np.array([candidate(probe[i : i + 1]).ravel()[0] for i in range(probe.size)])
    if not np.allclose(whole, parts, rtol=1e-12, atol=1e-12, equal_nan=True):
        raise _refused(what, name, "its value at a point depends on the other points")
    if not np.all(np.isfinite(whole)):
        bad = ~np.isfinite(whole)
        raise ArgumentError(
            f"Argument `function` must be finite on the real line, but {what} {name!r} gave {whole[bad][0]} at {probe[bad][0]}."
        )
    return candidate


class _Seen(NDArrayOperatorsMixin):
    """A value of JAX as functions of NumPy see it: what they do to it, JAX does, by the same name."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __array_ufunc__(self, ufunc: Any, method: str, *arguments: Any, **options: Any) -> Any:
        return self._done(ufunc.__name__, arguments, options) if method == "__call__" else NotImplemented

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        return self._done(function.__name__, arguments, options)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError("an array of NumPy cannot hold what JAX traces")

    @staticmethod
    def _done(name: str, arguments: Any, options: Any) -> Any:
        import jax

        place = next((where for where in (jax.numpy, jax.scipy.special) if hasattr(where, name)), None)
        if place is None:
            raise TypeError(f"neither jax.numpy nor jax.scipy.special has {name!r}")
        positional, named = jax.tree.map(_value, (list(arguments), dict(options)), is_leaf=lambda part: isinstance(part, _Seen))
        return _Seen(getattr(place, name)(*positional, **named))


def _value(part: Any) -> Any:
    return part.value if isinstance(part, _Seen) else part


def _of_numpy(function: Callable[[Any], Any], x: Any) -> Any:
    return _value(function(_Seen(x)))


def _of_scalars(function: Callable[[Any], Any], x: Any) -> Any:
    import jax

    return jax.vmap(function)(x.ravel()).reshape(x.shape)


def traceable(function: Callable[[Any], Any], name: str, argument: str) -> Callable[[Any], Any]:
    """An elementwise function, the `argument` called `name`, as one that JAX traces, compiles and differentiates.

    Accepted are functions of JAX arrays, functions written with NumPy and scipy.special whose parts JAX has too, and JAX functions of a
    scalar. Which one it is is decided once, here, without computing anything.

    Raises
    ------
    ArgumentError : JAX can trace none of them; the reasons follow.
    """
    import jax

    reasons = []
    for candidate in (function, partial(_of_numpy, function), partial(_of_scalars, function)):
        try:
            with float64_scope():
                found = jax.eval_shape(lambda x, candidate=candidate: candidate(x), np.zeros((2, 3)))
        except Exception as error:  # said below
            reasons.append(_first_line(error))
            continue
        if found.shape == (2, 3):
            return candidate
        reasons.append(f"it maps shape (2, 3) to shape {found.shape}")
    raise ArgumentError(
        f"Argument `{argument}` must be a function that JAX can trace, written with jax.numpy or with functions of NumPy that jax.numpy "
        f"has too, but {name!r} is not: {reasons[0]}; as a function of NumPy arrays, {reasons[1]}."
    )


def derivative(function: Callable[[Any], Any], name: str, order: int) -> Callable[[FloatArray], FloatArray]:
    """The derivative of a JAX function of one variable by automatic differentiation, elementwise on float64 arrays.

    Compiled for two numbers of points, to which blocks of them are padded: compiling takes longer than most calls.
    """
    import jax

    compiled: list[Any] = []

    def call(x: FloatArray) -> FloatArray:
        with float64_scope():
            if not compiled:
                inner = function
                for _ in range(order):
                    inner = jax.grad(inner)
                compiled.append(jax.jit(jax.vmap(inner)))
            flat = np.asarray(x, dtype=np.float64).ravel()
            found = np.empty(flat.size)
            block = BLOCKS[int(flat.size > BLOCKS[0])]
            for k in range(0, flat.size, block):
                part = flat[k : k + block]
                padded = np.concatenate([part, np.full(block - part.size, part[-1])]) if part.size < block else part
                found[k : k + block] = np.asarray(compiled[0](padded))[: part.size]
            return found.reshape(np.shape(x))

    try:
        call(np.array([0.4, -1.7]))
    except Exception as error:  # typically a NumPy function, which cannot be traced; its own message follows
        raise ArgumentError(
            f"Argument `function` must be differentiable by JAX, but {name!r} is not: {_first_line(error)}. Write it with jax.numpy, or "
            "give its derivatives: slope=..., curvature=...."
        ) from None
    return call


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"


def _refused(what: str, name: str, reason: str) -> ArgumentError:
    return ArgumentError(f"Argument `function` must be an elementwise function of real numbers, but {what} {name!r} is not: {reason}.")
