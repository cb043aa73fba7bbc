"""The equations of online SGD on plain vectors, with dense Jacobians: one search for a fixed point, and the eigenvalues there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from gaussequiv.errors import FloatArray
from gaussequiv.problems.online_sgd import dynamics

OUTSIDE = 1e-6  # of a covariance's size by which an eigenvalue may be negative
STEP, INSIDE = 2e-6, 2e-5  # of a central difference, and of the point that it is about, over the largest unknown


def in_float64(function: Callable[..., Any], *arguments: Any) -> Any:
    """function(*arguments) by JAX in double precision, also where JAX is not imported yet."""
    import jax

    with jax.enable_x64(True):
        return function(*arguments)


class _Lost(Exception):
    """A search came to where the drift has no slope."""


@dataclass(frozen=True, eq=False)
class Drift:
    """The equations of `dynamics` on plain vectors: q above its diagonal, r, and v where it is trained.

    `given` as `dynamics.posed` gives it; `start` a state, whose v stays where given["eta_v"] is 0.
    """

    averages: Any
    given: dynamics.State
    start: dynamics.State
    analytic: bool = True  # closed forms

    @cached_property
    def upper(self) -> tuple[Any, Any]:
        """Indices of the pairs k <= l."""
        return np.triu_indices(len(self.start["v"]))

    @property
    def learns_readout(self) -> bool:
        """Whether v moves."""
        return float(self.given["eta_v"]) > 0

    def packed(self, state: dynamics.State) -> Any:
        """The state, or its rate, as a vector; of NumPy or JAX."""
        import jax.numpy as jnp

        parts = [state["q"][self.upper].ravel(), state["r"].ravel(), *([state["v"]] if self.learns_readout else [])]
        return jnp.concatenate(parts)

    def unpacked(self, x: Any) -> dynamics.State:
        """The state of a vector."""
        import jax.numpy as jnp

        K, _, modes = self.start["q"].shape
        M, pairs = self.start["r"].shape[1], len(self.upper[0])
        half = x[: pairs * modes].reshape(pairs, modes)
        q = jnp.zeros((K, K, modes)).at[self.upper].set(half)
        q = q.at[self.upper[::-1]].set(half)
        r = x[pairs * modes : (pairs + K * M) * modes].reshape(K, M, modes)
        return {"q": q, "r": r, "v": x[(pairs + K * M) * modes :] if self.learns_readout else jnp.asarray(self.start["v"])}

    @cached_property
    def _compiled(self) -> tuple[Any, Any, Any]:
        import jax

        rate, observables, _ = dynamics.equations(self.averages)

        def moved(x: Any, given: Any) -> Any:
            return self.packed(rate(0.0, self.unpacked(x), given))

        return jax.jit(moved), jax.jit(jax.jacfwd(moved)), jax.jit(lambda x, given: observables(0.0, self.unpacked(x), given))

    def at(self, x: FloatArray) -> FloatArray:
        """dx/dt."""
        return np.array(in_float64(self._compiled[0], x, self.given))

    def jacobian(self, x: FloatArray) -> FloatArray:
        """d(dx/dt)/dx: exact where the averages are closed forms, which are analytic where fields coincide.

        Sums over points are not, beyond the covariances that exist: central differences about a point inside (q a little larger).
        """
        if self.analytic:
            exact = np.array(in_float64(self._compiled[1], x, self.given))
            if np.isfinite(exact).all():  # not at overlaps that no weights have, where a search may come by
                return exact
        size = max(float(np.abs(x).max()), 1e-6)
        K, _, modes = self.start["q"].shape
        wider = {"q": np.repeat(np.eye(K)[..., None], modes, axis=2), "r": np.zeros_like(self.start["r"]), "v": np.zeros(K)}
        inside, step = x + INSIDE * size * self.vector(wider), STEP * size
        return np.stack([(self.at(inside + e) - self.at(inside - e)) / (2 * step) for e in step * np.eye(x.size)], axis=1)

    def seen(self, x: FloatArray) -> dict[str, FloatArray]:
        """Observables."""
        return {name: np.array(value) for name, value in in_float64(self._compiled[2], x, self.given).items()}

    def vector(self, state: dynamics.State) -> FloatArray:
        """`packed`, of NumPy."""
        return np.array(in_float64(self.packed, {name: np.asarray(value) for name, value in state.items()}))

    def state(self, x: FloatArray) -> dict[str, FloatArray]:
        """`unpacked`, of NumPy."""
        return {name: np.array(value) for name, value in in_float64(self.unpacked, x).items()}

    def rates(self, x: FloatArray) -> Any:
        """Eigenvalues of the drift per unit of time, the fastest growing first."""
        values = np.linalg.eigvals(self.jacobian(x))
        return values[np.argsort(-values.real, kind="stable")]

    def settled(self, x: FloatArray) -> tuple[FloatArray, float]:
        """The fixed point next to x by least squares, and the drift left, over the fastest rate and its size; infinite: none was found."""
        unit = float(np.abs(self.jacobian(x)).max())  # of rates, which small learning rates make small
        if not (0 < unit < np.inf and np.isfinite(self.at(x)).all()):
            return x, 0.0 if unit == 0 else np.inf

        def scaled(y: FloatArray) -> FloatArray:
            return self.at(y) / unit

        def slopes(y: FloatArray) -> FloatArray:
            values = self.jacobian(y) / unit
            if not np.isfinite(values).all():
                raise _Lost
            return values

        try:
            found = least_squares(scaled, x, slopes, method="trf", xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=200).x
        except _Lost:
            return x, np.inf
        fastest = float(np.abs(self.rates(found)).max())
        size = float(np.linalg.norm(found))
        return found, float(np.linalg.norm(self.at(found))) / max(fastest * size, np.finfo(float).tiny)

    def possible(self, x: FloatArray) -> bool:
        """Whether some weights have these overlaps: in every mode, q, r and t are a covariance."""
        state = self.state(x)
        q, r, t = (np.moveaxis(one, -1, 0) for one in (state["q"], state["r"], np.asarray(self.given["t"])))
        both = np.concatenate([np.concatenate([q, r], axis=2), np.concatenate([r.swapaxes(1, 2), t], axis=2)], axis=1)
        lowest = np.linalg.eigvalsh(both)[:, 0]
        return bool(np.all(lowest >= -OUTSIDE * max(float(np.abs(both).max()), 1e-12)))
