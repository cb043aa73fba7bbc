r"""Fixed points of online SGD with too many modes for dense Jacobians: few unknowns to search for, and Arnoldi's eigenvalues.

Where c = (Q, R, v) is given, the drift of a mode is linear in its own q and r (`dynamics.py`), so that they follow,

    M r = -V G t/sqrt(delta),     M q + q M' = (eta/batch) rho V S V - X - X',     M = rho V H + kappa,     X = V G r'/sqrt(delta),

and a fixed point is a root of few unknowns: Q = sum of share rho q, R = sum of share r/sqrt(delta), outputs + kappa v = 0. For the same
reason the Jacobian is J = B + U W, B a block for each mode, W = dc/dx and U = d(rate)/dc of few columns: J - sigma has a direct inverse,
with which Arnoldi finds the eigenvalues next to the rightmost one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.optimize import least_squares
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

from gaussequiv.errors import FloatArray, GaussequivError
from gaussequiv.problems.online_sgd.drift import INSIDE, STEP, Drift, in_float64

SHOWN = 12  # eigenvalues
BASIS = 80  # vectors of an Arnoldi iteration
RESTARTS = 300
CLEAR = 3  # restarts after which eigenvalues that stand clear of all others have settled
NEAR = 1e-6  # of the largest eigenvalue, to the right of the imaginary axis, next to which eigenvalues are looked for
SAME = 1e-6
SEED = 0  # of the vector that it starts from


class EigenvalueError(GaussequivError, ArithmeticError):
    """Arnoldi's iteration did not settle."""


@dataclass(frozen=True, eq=False)
class WideDrift(Drift):
    """`Drift` without dense Jacobians."""

    @cached_property
    def _settling(self) -> tuple[Any, ...]:
        """Compiled, of c (Q above its diagonal, R, and v where it is trained): what a fixed point makes zero and its slopes, the state, the
        slopes U of the rate of a state x, and V H, V G and c again as matrices.
        """
        import jax
        import jax.numpy as jnp

        K, M = self.start["r"].shape[:2]
        upper, pairs = self.upper, len(self.upper[0])

        def seen_at(c: Any, given: Any) -> tuple[Any, ...]:
            Q = jnp.zeros((K, K)).at[upper].set(c[:pairs])
            Q, R = Q.at[upper[::-1]].set(c[:pairs]), c[pairs : pairs + K * M].reshape(K, M)
            v = c[pairs + K * M :] if self.learns_readout else jnp.asarray(self.start["v"])
            seen = self.averages(jnp.block([[Q, R], [R.T, given["T"]]]), jnp.concatenate([v, -given["A"]]), given["noise"])
            VH, VG = v[:, None] * (seen.slopes * v + jnp.diag(seen.bend)), -v[:, None] * seen.towards / jnp.sqrt(given["delta"])
            spread = given["eta"] / given["batch"] * v[:, None] * seen.diffusion * v
            return VH, VG, spread, Q, R, v, seen.outputs + given["kappa"] * v

        def settled(c: Any, given: Any) -> tuple[Any, Any]:
            VH, VG, spread, Q, R, v, pull = seen_at(c, given)
            rho, share = given["rho"], given["share"]
            moves = (rho > 0) | (given["kappa"] > 0)  # without, a mode stays as it is, unseen
            matrix = jnp.where(moves[:, None, None], rho[:, None, None] * VH + given["kappa"] * jnp.eye(K), jnp.eye(K))
            r = -jnp.linalg.solve(matrix, jnp.einsum("km,mng->gkn", VG, given["t"]))
            towards = jnp.einsum("km,glm->gkl", VG, r)
            force = rho[:, None, None] * spread - towards - towards.swapaxes(1, 2)
            q = jnp.linalg.solve(_both_sides(jnp, matrix), force.reshape(-1, K * K, 1)).reshape(-1, K, K)
            q = jnp.where(moves[:, None, None], 0.5 * (q + q.swapaxes(1, 2)), 0.0)
            missed = [(jnp.einsum("g,gkl->kl", share * rho, q) - Q)[upper]]
            missed += [(jnp.einsum("g,gkm->km", share, r) / jnp.sqrt(given["delta"]) - R).ravel()]
            missed += [pull] if self.learns_readout else []
            return jnp.concatenate(missed), {"q": jnp.moveaxis(q, 0, -1), "r": jnp.moveaxis(r, 0, -1), "v": v}

        def missed(c: Any, given: Any) -> Any:
            return settled(c, given)[0]

        def rate(c: Any, x: Any, given: Any) -> Any:
            VH, VG, spread, _, _, _, pull = seen_at(c, given)
            state, rho = self.unpacked(x), given["rho"]
            r = rho * jnp.tensordot(VH, state["r"], 1) + jnp.tensordot(VG, given["t"], 1) + given["kappa"] * state["r"]
            q = rho * jnp.tensordot(VH, state["q"], 1) + jnp.tensordot(VG, state["r"].transpose(1, 0, 2), 1) + given["kappa"] * state["q"]
            dq = given["eta"] * (rho * spread[..., None] - q - q.transpose(1, 0, 2))
            return self.packed({"q": dq, "r": -given["eta"] * r, "v": -given["eta_v"] * pull})

        def state(c: Any, given: Any) -> Any:
            return self.packed(settled(c, given)[1])

        return tuple(jax.jit(one) for one in (missed, jax.jacfwd(missed), state, rate, jax.jacfwd(rate), seen_at))

    def _call(self, which: int, *arguments: Any) -> Any:
        found = in_float64(self._settling[which], *arguments, self.given)
        return tuple(np.array(one) for one in found) if isinstance(found, tuple) else np.array(found)

    def orders(self, x: FloatArray) -> FloatArray:
        """c of a state, linear in it."""
        state, given = self.state(x), self.given
        Q = np.einsum("g,klg->kl", given["share"] * given["rho"], state["q"])
        R = np.einsum("g,kmg->km", given["share"], state["r"]) / np.sqrt(given["delta"])
        return np.concatenate([Q[self.upper], R.ravel(), *([state["v"]] if self.learns_readout else [])])

    def _slopes(self, which: int, c: FloatArray, *more: FloatArray) -> FloatArray:
        """Of a function of c: exact where the averages are closed forms, else central differences about a point inside."""
        if self.analytic:
            exact: FloatArray = self._call(which + 1, c, *more)
            if np.isfinite(exact).all():
                return exact
        size, inside = max(float(np.abs(c).max()), 1e-6), c.copy()
        inside[np.flatnonzero(self.upper[0] == self.upper[1])] += INSIDE * size
        steps = STEP * size * np.eye(c.size)
        return np.stack(
            [(self._call(which, inside + e, *more) - self._call(which, inside - e, *more)) / (2 * STEP * size) for e in steps], 1
        )

    def settled(self, x: FloatArray) -> tuple[FloatArray, float]:
        """The fixed point next to the fields' covariances of x, and the drift left, over the fastest rate and its size."""
        begin = self.orders(x)

        def missed(c: FloatArray) -> Any:
            return self._call(0, c)

        def slopes(c: FloatArray) -> FloatArray:
            return self._slopes(0, c)

        try:
            found = least_squares(missed, begin, slopes, method="trf", xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=200).x
        except (ValueError, np.linalg.LinAlgError):  # SciPy's, where residuals or slopes are no numbers: overlaps that no weights have
            return x, np.inf
        state = self._call(2, found)
        moved = self.at(state)
        if not (np.isfinite(state).all() and np.isfinite(moved).all()):
            return x, np.inf
        fastest = float(np.abs(_arnoldi(BlockJacobian.of(self, state).product, x.size, 1, "LM")).max())
        return state, float(np.linalg.norm(moved)) / max(fastest * float(np.linalg.norm(state)), np.finfo(float).tiny)

    def rates(self, x: FloatArray) -> Any:
        """A dozen eigenvalues of the drift, the fastest growing first, of those next to the rightmost one and those that stand clear to the
        right; and the one of largest size last.
        """
        J = BlockJacobian.of(self, x)
        largest = _arnoldi(J.product, x.size, 1, "LM")
        clear = _arnoldi(J.product, x.size, SHOWN, "LR", restarts=CLEAR, part=True)
        shift = 1.1 * max(0.0, *clear.real) + NEAR * float(np.abs(largest).max()) if clear.size else NEAR * float(np.abs(largest).max())
        inverse = J.inverse(shift)
        near = shift + 1 / _arnoldi(inverse, x.size, SHOWN, "LM")
        further = [one for one in clear if np.abs(near - one).min() > SAME * abs(one)]
        found = np.concatenate([near, further])
        return np.append(found[np.argsort(-found.real, kind="stable")][:SHOWN], largest)


@dataclass(frozen=True, eq=False)
class BlockJacobian:
    """J = B + U W at a state, in the parts of the module's first lines."""

    drift: WideDrift
    VH: FloatArray
    VG: FloatArray
    U: FloatArray

    @classmethod
    def of(cls, drift: WideDrift, x: FloatArray) -> BlockJacobian:
        """At a state."""
        c = drift.orders(x)
        VH, VG = drift._call(5, c)[:2]
        return cls(drift, VH, VG, drift._slopes(3, c, x))

    def _parts(self, u: FloatArray) -> tuple[FloatArray, FloatArray]:
        """q (K, K, modes) and r of a vector; of v, B knows nothing."""
        drift = self.drift
        K, M, modes = drift.start["r"].shape
        pairs = len(drift.upper[0])
        q = np.empty((K, K, modes))
        q[drift.upper] = u[: pairs * modes].reshape(pairs, modes)
        q[drift.upper[::-1]] = q[drift.upper]
        return q, u[pairs * modes : (pairs + K * M) * modes].reshape(K, M, modes)

    def _vector(self, q: FloatArray, r: FloatArray, rest: FloatArray) -> FloatArray:
        return np.concatenate([q[self.drift.upper].ravel(), r.ravel(), rest])

    def product(self, u: FloatArray) -> FloatArray:
        """J u."""
        (q, r), given = self._parts(u), self.drift.given
        half = given["rho"] * np.tensordot(self.VH, q, 1) + np.tensordot(self.VG, r.transpose(1, 0, 2), 1) + given["kappa"] * q
        dr = given["rho"] * np.tensordot(self.VH, r, 1) + given["kappa"] * r
        own = self._vector(-given["eta"] * (half + half.transpose(1, 0, 2)), -given["eta"] * dr, np.zeros(u.size - self.places))
        return own + self.U @ self.drift.orders(u)

    @property
    def places(self) -> int:
        """Of q and r in a vector."""
        K, M, modes = self.drift.start["r"].shape
        return (len(self.drift.upper[0]) + K * M) * modes

    def inverse(self, shift: float) -> Callable[[FloatArray], FloatArray]:
        """u -> (J - shift)^(-1) u, by the blocks of B and a small matrix (Sherman, Morrison, Woodbury)."""
        given, K = self.drift.given, len(self.VH)
        matrix = given["rho"][:, None, None] * self.VH + given["kappa"] * np.eye(K)
        of_r = np.linalg.inv(-given["eta"] * matrix - shift * np.eye(K))
        of_q = np.linalg.inv(-given["eta"] * _both_sides(np, matrix) - shift * np.eye(K * K))

        def blocks(u: FloatArray) -> FloatArray:
            q, r = self._parts(u)
            r = np.einsum("gkl,lmg->kmg", of_r, r)
            towards = np.tensordot(self.VG, r.transpose(1, 0, 2), 1)
            force = q + given["eta"] * (towards + towards.transpose(1, 0, 2))
            q = np.einsum("gab,bg->ag", of_q, force.reshape(K * K, -1)).reshape(K, K, -1)
            return self._vector(q, r, -u[self.places :] / shift)

        columns = np.stack([blocks(column) for column in self.U.T], axis=1)
        small = np.eye(columns.shape[1]) + np.stack([self.drift.orders(column) for column in columns.T], axis=1)

        def solved(u: FloatArray) -> FloatArray:
            own = blocks(u)
            return own - columns @ np.linalg.solve(small, self.drift.orders(own))

        return solved


def _both_sides(xp: Any, matrix: Any) -> Any:
    """q -> M q + q M' as matrices (modes, K K, K K), of NumPy or JAX."""
    K = matrix.shape[-1]
    both = xp.einsum("gij,kl->gikjl", matrix, xp.eye(K)) + xp.einsum("gkl,ij->gikjl", matrix, xp.eye(K))
    return both.reshape(-1, K * K, K * K)


def _arnoldi(
    product: Callable[[FloatArray], FloatArray], size: int, count: int, which: Any, restarts: int = RESTARTS, part: bool = False
) -> Any:
    """Eigenvalues by ARPACK; those that have settled, where a part is enough.

    Raises
    ------
    EigenvalueError : they have not settled.
    """
    operator: Any = LinearOperator((size, size), matvec=lambda u: product(np.ravel(u)), dtype=np.float64)
    start = np.random.default_rng(SEED).standard_normal(size)
    try:
        return eigs(operator, k=count, which=which, v0=start, ncv=min(BASIS, size), maxiter=restarts, return_eigenvectors=False)
    except ArpackNoConvergence as stop:
        if part:
            return stop.eigenvalues
        raise EigenvalueError(
            f"{len(stop.eigenvalues)} of {count} eigenvalues of the drift of {size} unknowns were found in {restarts} restarts: `modes` "
            "puts eigenvalues of the inputs into bins, of which there are fewer."
        ) from None
