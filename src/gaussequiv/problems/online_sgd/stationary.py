r"""Where the equations of online SGD stand still, and how perturbations grow there: fixed points with the eigenvalues of the drift."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import least_squares

from gaussequiv._jax import float64_scope
from gaussequiv.curve import Observable
from gaussequiv.errors import ArgumentError, FloatArray, integer
from gaussequiv.problems.online_sgd import dynamics
from gaussequiv.problems.online_sgd.expectations import CLOSED, how
from gaussequiv.problems.online_sgd.instance import Instance, instance_of
from gaussequiv.problems.online_sgd.modes import Modes, bins_of, gathered
from gaussequiv.results import dataset

if TYPE_CHECKING:
    import xarray as xr

    from gaussequiv.problems.online_sgd.description import OnlineSGD

MOST_UNKNOWNS = 2500  # of dense Jacobians, in seconds
STANDS_STILL = 1e-9  # drift over the fastest rate and the state's size
ALIKE = 1e-5  # relative difference of errors and of rates of what is one point, or its mirror image
MARGINAL = 1e-6  # of the fastest rate: slower ones have no sign to rounding
OUTSIDE = 1e-6  # of a covariance's size by which an eigenvalue may be negative
SHOWN = 12  # eigenvalues
STEP, INSIDE = 2e-6, 2e-5  # of a central difference, and of the point that it is about, over the largest unknown
WORDS = {
    "clean_error": Observable("error on noiseless labels", "output units^2"),
    "Q": Observable("covariance of the student's fields"),
    "R": Observable("covariance of the student's and the teacher's fields"),
    "readout": Observable("second layer of the student"),
    "growth": Observable("real part of an eigenvalue of the drift, largest first", "1/time"),
    "turning": Observable("its imaginary part", "1/time"),
    "escape_rate": Observable("largest real part of the drift's eigenvalues", "1/time"),
    "kind": Observable("stable, saddle, or marginal: no eigenvalue grows and one is zero"),
    "drift": Observable("drift left, over the fastest rate and the size of the state"),
    "found": Observable("starts that ended here, or at a mirror image"),
    "point": Observable("fixed point, by error"),
}


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
        with float64_scope():
            return np.array(self._compiled[0](x, self.given))

    def jacobian(self, x: FloatArray) -> FloatArray:
        """d(dx/dt)/dx: exact where the averages are closed forms, which are analytic where fields coincide.

        Sums over points are not, beyond the covariances that exist: central differences about a point inside (q a little larger).
        """
        if self.analytic:
            with float64_scope():
                exact = np.array(self._compiled[1](x, self.given))
            if np.isfinite(exact).all():  # not at overlaps that no weights have, where a search may come by
                return exact
        size = max(float(np.abs(x).max()), 1e-6)
        K, _, modes = self.start["q"].shape
        wider = {"q": np.repeat(np.eye(K)[..., None], modes, axis=2), "r": np.zeros_like(self.start["r"]), "v": np.zeros(K)}
        inside, step = x + INSIDE * size * self.vector(wider), STEP * size
        return np.stack([(self.at(inside + e) - self.at(inside - e)) / (2 * step) for e in step * np.eye(x.size)], axis=1)

    def seen(self, x: FloatArray) -> dict[str, FloatArray]:
        """Observables."""
        with float64_scope():
            return {name: np.array(value) for name, value in self._compiled[2](x, self.given).items()}

    def vector(self, state: dynamics.State) -> FloatArray:
        """`packed`, of NumPy."""
        with float64_scope():
            return np.array(self.packed({name: np.asarray(value) for name, value in state.items()}))

    def state(self, x: FloatArray) -> dict[str, FloatArray]:
        """`unpacked`, of NumPy."""
        with float64_scope():
            return {name: np.array(value) for name, value in self.unpacked(x).items()}

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


def stationary_points(problem: OnlineSGD, times: Any, starts: int, seed: int, size: int | None, modes: int | None) -> xr.Dataset:
    """Fixed points next to the curve at `times` and next to `starts` random students; see `OnlineSGD.fixed_points`."""
    starts, seed = integer("starts", starts, minimum=0), integer("seed", seed, minimum=0)
    N, _, _ = problem.steps_at(times if np.size(times) else [0.0], size)
    instance = instance_of(problem, N)
    box = None
    if modes is not None and integer("modes", modes, minimum=1) < instance.modes.rho.size:
        box = bins_of(instance.modes.rho, instance.modes.share, modes)
    K, M = problem.student.units, problem.teacher.units
    unknowns = (K * (K + 1) // 2 + K * M) * (instance.modes.rho.size if box is None else int(box[-1]) + 1) + K
    if unknowns > MOST_UNKNOWNS:
        raise ArgumentError(
            f"Argument `modes` must be given for {instance.modes.rho.size} eigenvalues, whose {unknowns} unknowns are too many, at most "
            f"{MOST_UNKNOWNS}: modes={MOST_UNKNOWNS // (2 * unknowns // instance.modes.rho.size)} puts them into bins."
        )
    return _dataset(problem, instance, *_found(problem, instance, box, np.asarray(times, float), starts, seed))


def _found(
    problem: OnlineSGD, instance: Instance, box: Any, times: FloatArray, starts: int, seed: int
) -> tuple[Drift, list[tuple[FloatArray, float, Any, float]], list[int]]:
    def binned(modes: Modes) -> Modes:
        return modes if box is None else gathered(modes, box)

    first = binned(instance.modes)
    averages = dynamics.averages_for(problem)
    state, given = dynamics.posed(problem, instance, first, exact=True)
    units = problem.student.units, problem.teacher.units
    words = how(problem.student.activation, problem.teacher.activation, units, problem.labels == "sign")
    drift = Drift(averages, given, state, words == CLOSED)
    begin = [drift.vector(one) for one in _along(problem, averages, state, given, times)]
    rng = np.random.default_rng((seed, problem.instance))
    for _ in range(starts):  # students of all sizes, from nearly nothing to the teacher's
        w = 10 ** rng.uniform(-2, 0.3) * rng.standard_normal(instance.w.shape)
        v = instance.v if not drift.learns_readout else problem.student.draw_readout(rng)
        own = binned(instance.basis.modes(w, instance.towards))
        begin.append(drift.vector({"q": np.moveaxis(own.q, 0, -1), "r": np.moveaxis(own.r, 0, -1), "v": v}))
    points: list[tuple[FloatArray, float, Any, float]] = []
    counts: list[int] = []
    for x in begin:
        found, left = drift.settled(x)
        if left > STANDS_STILL or not drift.possible(found):
            continue
        rates, error = drift.rates(found), float(drift.seen(found)["clean_error"])
        for i, (_, _, others, other) in enumerate(points):
            scale = np.abs(others).max()
            if (
                abs(error - other) <= ALIKE * (error + other) + 1e-12
                and np.abs(np.sort(rates.real) - np.sort(others.real)).max() <= ALIKE * scale
            ):
                counts[i] += 1
                break
        else:
            points.append((found, left, rates, error))
            counts.append(1)
    order = sorted(range(len(points)), key=lambda i: points[i][3])
    return drift, [points[i] for i in order], [counts[i] for i in order]


def _along(problem: OnlineSGD, averages: Any, state: dynamics.State, given: dynamics.State, times: FloatArray) -> list[dynamics.State]:
    """States of the curve at the times that it reaches."""
    from gaussequiv.numerics.flow import flow

    if times.size == 0:
        return []
    rate, _, _ = dynamics.equations(averages)
    grid = np.unique(np.append(times, max(float(times.max()), 1e-3)))
    values = flow(rate, state, grid, arguments=given, tolerance=1e-8, stiff=False).values
    states = [{name: one[i] for name, one in values.items()} for i in range(grid.size)]
    return [one for one in states if all(np.isfinite(part).all() for part in one.values())]


def stability(rates: Any) -> str:
    """Of a fixed point, by the eigenvalues of its drift."""
    fastest, largest = np.abs(rates).max(), rates.real.max()
    return "saddle" if largest > MARGINAL * fastest else "stable" if largest < -MARGINAL * fastest else "marginal"


def _dataset(
    problem: OnlineSGD, instance: Instance, drift: Drift, points: list[tuple[FloatArray, float, Any, float]], counts: list[int]
) -> xr.Dataset:
    seen = [drift.seen(x) for x, *_ in points]
    K, M = drift.start["r"].shape[:2]
    shown = min(SHOWN, drift.vector(drift.start).size)
    shapes: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = {
        "clean_error": ((), ()),
        "Q": (("unit", "other_unit"), (K, K)),
        "R": (("unit", "teacher_unit"), (K, M)),
        "readout": (("unit",), (K,)),
    }
    variables: dict[str, Any] = {
        name: (("point", *dims), np.array([one[name] for one in seen]).reshape(len(points), *shape))
        for name, (dims, shape) in shapes.items()
    }
    rates = np.array([rates[:shown] for _, _, rates, _ in points]).reshape(len(points), shown)
    variables |= {"growth": (("point", "rank"), rates.real), "turning": (("point", "rank"), rates.imag)}
    variables["escape_rate"] = (("point",), np.array([rates.real.max() for _, _, rates, _ in points]))
    variables["kind"] = (("point",), np.array([stability(rates) for _, _, rates, _ in points], dtype="<U8"))
    variables["drift"] = (("point",), np.array([left for _, left, _, _ in points]))
    variables["found"] = (("point",), np.array(counts, dtype=int))
    attributes = {
        "problem": json.dumps(problem.to_dict()),
        "N": instance.generator.dimension,
        "modes": drift.start["q"].shape[-1],
        "citations": ", ".join(problem.citations()),
    }
    return dataset(variables, {"point": np.arange(len(points))}, attributes, WORDS)
