"""`LowRankSteps`: message passing on a spiked matrix, step by step beside its state evolution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from gaussequiv.algorithms.message_passing.state_evolution import start_precision
from gaussequiv.curve import Curve, Observable
from gaussequiv.equivalence.prior_side import Independent
from gaussequiv.errors import ArgumentError, FloatArray, array, fail, grid
from gaussequiv.problems.base import Axis, Key, Solvable
from gaussequiv.problems.spiked_wigner.matrix import AXIS, SNR_MEANING, WORDS, draw, machine_at, measured_on, side_start

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gaussequiv.problems.spiked_wigner.description import SpikedWigner


@dataclass(frozen=True, eq=False)
class LowRankSteps(Solvable):
    r"""m_{t+1} = overlap(m_t/Delta) beside `LowRankAMP` on true matrices.

    Parameters
    ----------
    problem : SpikedWigner
    snr : float, positive
    d : int, optional
    start : "uninformed", "informed" or float
        "uninformed": the prior's mean, a fixed point of centred priors. A number: every component is first seen in Gaussian noise at this
        signal-to-noise ratio, in theory and trial; "informed" is 1e4.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> ge.SpikedWigner("gaussian").algorithm(2.0, start=0.1).theory([0, 1, 100])["overlap"].round(4).tolist()
    [0.0909, 0.1538, 0.5]
    """

    problem: SpikedWigner
    snr: float
    d: int | None = None
    start: str | float = "uninformed"
    ratio: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.problem.axis != AXIS:
            raise fail("problem", "a SpikedWigner, for the steps of low-rank message passing", self.problem)
        points = grid("snr", self.snr, meaning=SNR_MEANING)
        if points.size != 1:
            raise fail("snr", "one number, as steps are followed at one snr", points.tolist(), SNR_MEANING)
        object.__setattr__(self, "snr", float(points[0]))
        object.__setattr__(self, "ratio", start_precision(self.start))
        if self.ratio == 0 and abs(self.problem.mean) < 1e-14:
            raise fail("start", "a number or 'informed' for a centred prior, whose mean says nothing", self.start)

    @property
    def axis(self) -> Axis:
        """Passes over the matrix."""
        return Axis("step", "passes over the matrix", size="d", size_label="dimension of the matrix")

    def _steps(self, points: ArrayLike | None) -> NDArray[np.int64]:
        steps = array("step", [] if points is None else points, ndim=1)
        if steps.size == 0 or np.any(steps < 0) or np.any(steps != np.rint(steps)):
            raise fail("step", "non-negative integers, the passes over the matrix", steps.tolist())
        return steps.astype(np.int64)

    def _curve(self, path: Mapping[str, FloatArray], steps: NDArray[np.int64], attributes: dict[str, Any]) -> Curve:
        words = WORDS | {"step": Observable("passes over the matrix")}
        coordinates = {"step": steps, "snr": ((), self.snr)}
        observed = {name: values[steps] for name, values in path.items()}
        return Curve(observed, labels=words, coordinates=coordinates, attributes=attributes, judged="overlap")

    def theory(self, points: ArrayLike | None, size: int | None = None) -> Curve:
        """State evolution; a size changes nothing."""
        steps = self._steps(points)
        side, rho = Independent(self.problem.prior, 1.0), self.problem.rho
        m = [side.at(self.ratio / rho).q if self.ratio > 0 else self.problem.mean**2]
        for _ in range(int(steps.max())):
            m.append(side.at(self.snr * m[-1] / rho**2).q)
        path = np.array(m)
        return self._curve({"overlap": path, "q": path.copy(), "matrix_mse": (rho - path) * (rho + path)}, steps, {})

    def trial(self, points: ArrayLike, size: int | None, key: Key) -> Curve:
        """The algorithm on one matrix."""
        steps = self._steps(points)
        x, noise = draw(self.problem, self.d if self.d is not None else size, key)
        machine = machine_at(self.problem, x, noise, self.snr)
        state = machine.init(side_start(self.problem, x, self.ratio, key))
        path = [state]
        for _ in range(int(steps.max())):
            path.append(machine.step(path[-1]))
        measured = [measured_on(self.problem, one.mean, x) for one in path]
        observed = {name: np.array([row[name] for row in measured]) for name in measured[0]}
        return self._curve(observed, steps, {"d": x.size})

    def to_dict(self) -> dict[str, Any]:
        """The matrix's problem with the point and the start."""
        return {"kind": "spiked_wigner.steps", "problem": self.problem.to_dict(), "snr": self.snr, "d": self.d, "start": self.start}

    def citations(self) -> tuple[str, ...]:
        """Those of the matrix."""
        return self.problem.citations()


def from_dict(description: Mapping[str, Any], problem: SpikedWigner) -> LowRankSteps:
    """The steps again."""
    own = {key: value for key, value in description.items() if key not in ("kind", "problem")}
    try:
        return LowRankSteps(problem, **own)
    except TypeError as error:
        raise ArgumentError(f"Argument `problem` must describe the steps of message passing, but does not: {error}.") from None
