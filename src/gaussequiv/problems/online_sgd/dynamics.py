r"""The order parameters of one-pass SGD in time t = steps/N, mode by mode, in Stein's form.

With the averages of `expectations.py`, H = slopes diag(v) + diag(bend) and G = -towards, V = diag(v):

    dr/dt = -eta (rho V H r + V G t/sqrt(delta)) - eta kappa r
    dq/dt = -eta (rho V H q + V G r'/sqrt(delta)) - eta kappa q + transpose + (eta^2/batch) rho V S V,   S = diffusion
    dv/dt = -eta_v (outputs + kappa v),       Q = sum of share rho q,   R = sum of share r/sqrt(delta)

Goldt, Loureiro, Reeves, Krzakala, Mezard, Zdeborova 2020, section 3, whose printed equations follow by regression; here no determinant is
divided by, so that units may coincide.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv.errors import FloatArray, fail
from gaussequiv.problems.online_sgd.expectations import Averages, averages_of
from gaussequiv.problems.online_sgd.instance import Instance
from gaussequiv.problems.online_sgd.modes import Modes
from gaussequiv.problems.online_sgd.sign_labels import sign_averages

if TYPE_CHECKING:
    from gaussequiv.problems.online_sgd.description import OnlineSGD

State = dict[str, Any]  # q (K, K, modes), r (K, M, modes), v (K,): with the modes last, products are of matrices of one long side


def averages_for(problem: OnlineSGD) -> Averages:
    """The averages of a problem's activations."""
    student, teacher = problem.student, problem.teacher
    kind = sign_averages if problem.labels == "sign" else averages_of
    return kind(student.activation, teacher.activation, (student.gain, teacher.gain), (student.units, teacher.units))


def posed(problem: OnlineSGD, instance: Instance, modes: Modes | None = None, least: int = 1, exact: bool = False) -> tuple[State, State]:
    """(start, what the equations hold fixed), of the instance's modes or of bins of them.

    Numbers of modes within a factor of 2, or of at most `least`, share one compilation, by modes of no share, but where they are `exact`.

    Raises
    ------
    ArgumentError : sign labels of a teacher whose units depend on each other, which has no equations here.
    """
    if problem.labels == "sign" and np.linalg.matrix_rank(instance.T, hermitian=True) < len(instance.T):
        expected = f"of at most {instance.seen} units, the dimension of what it sees, none of which depends on the others, for sign labels"
        raise fail("teacher", expected, f"{len(instance.T)} units")
    modes = instance.modes if modes is None else modes
    count = modes.rho.size
    size = count if exact else padded_size(max(count, least))

    def padded(values: FloatArray) -> FloatArray:
        full = np.concatenate([values, np.zeros((size - count, *values.shape[1:]))])
        return np.ascontiguousarray(np.moveaxis(full, 0, -1))

    rates = {
        "target": 0.0,
        "eta": problem.rate,
        "eta_v": problem.readout_rate,
        "kappa": problem.weight_decay,
        "batch": float(problem.batch),
    }
    own = {"rho": padded(modes.rho), "share": padded(modes.share), "t": padded(modes.t), "noise": problem.noise}
    given = rates | own | {"T": instance.T, "A": instance.A, "delta": instance.delta}
    return {"q": padded(modes.q), "r": padded(modes.r), "v": instance.v}, given


def padded_size(count: int) -> int:
    """1, or the least of 64, 128, ... that holds `count` modes."""
    size = 1
    while size < count:
        size *= 2 if size > 1 else 64
    return size


@lru_cache(maxsize=32)
def equations(averages: Averages, by_mode: bool = False) -> tuple[Callable[..., State], Callable[..., State], Callable[..., Any]]:
    """(rate, observables, event) of `numerics.flow`: the event is the clean error less given["target"].

    One set of functions for each set of averages, so that it compiles them once. `by_mode`: what each mode adds to Q and R, too.
    """

    def overlaps(state: State, given: State) -> tuple[Any, Any, Any]:
        import jax.numpy as jnp

        Q = jnp.einsum("g,klg->kl", given["share"] * given["rho"], state["q"])
        R = jnp.einsum("g,kmg->km", given["share"], state["r"]) / jnp.sqrt(given["delta"])
        return Q, R, jnp.block([[Q, R], [R.T, given["T"]]])

    def rate(_: Any, state: State, given: State) -> State:
        import jax.numpy as jnp

        q, r, v = state["q"], state["r"], state["v"]
        _, _, C = overlaps(state, given)
        seen = averages(C, jnp.concatenate([v, -given["A"]]), given["noise"])
        VH = v[:, None] * (seen.slopes * v + jnp.diag(seen.bend))
        VG = -v[:, None] * seen.towards / jnp.sqrt(given["delta"])
        rho, eta, kappa = given["rho"], given["eta"], given["kappa"]

        def times(matrix: Any, modes: Any) -> Any:
            return jnp.tensordot(matrix, modes, axes=1)

        dr = -eta * (rho * times(VH, r) + times(VG, given["t"]) + kappa * r)
        half = -eta * (rho * times(VH, q) + times(VG, r.transpose(1, 0, 2)) + kappa * q)
        spread = v[:, None] * seen.diffusion * v
        dq = half + half.transpose(1, 0, 2) + eta**2 / given["batch"] * rho * spread[..., None]
        return {"q": dq, "r": dr, "v": -given["eta_v"] * (seen.outputs + kappa * v)}

    def observables(_: Any, state: State, given: State) -> State:
        import jax.numpy as jnp

        Q, R, C = overlaps(state, given)
        seen = averages(C, jnp.concatenate([state["v"], -given["A"]]), given["noise"])
        errors = {"test_error": seen.error, "clean_error": seen.clean_error}
        if seen.wrong is not None:
            errors["classification_error"] = seen.wrong
        if by_mode:
            errors["Q_by_mode"] = jnp.moveaxis(given["share"] * given["rho"] * state["q"], -1, 0)
            errors["R_by_mode"] = jnp.moveaxis(given["share"] * state["r"], -1, 0) / jnp.sqrt(given["delta"])
        return errors | {"Q": Q, "R": R, "readout": state["v"]}

    def missing(time: Any, state: State, given: State, **_: Any) -> Any:
        return observables(time, state, given)["clean_error"] - given["target"]

    return rate, observables, missing
