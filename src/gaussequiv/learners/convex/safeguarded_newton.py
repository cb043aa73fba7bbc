"""Roots of a small system at many points at once: Newton's method, shortened where the residual does not fall, then a damped iteration.

The first unknowns are logarithms, which bound every step; the last one is free.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.learners.convex.offsets import IntArray
from gaussequiv.numerics.status import Status

TOLERANCE = 1e-10
POLISHED = 1e-14
LARGEST_STEP = 3.0  # of the logarithms, in one Newton step
SHORTENINGS, SHORTER = 5, 0.25
LARGEST = 300.0  # of the logarithms: beyond, squares overflow and the point has diverged
PATIENCE = 40  # steps in a row from which equations may be undefined, such as the logarithm of a negative average
STALLED, FALLS = 10, 0.9  # steps without a residual this much below the least so far, after which other ways are the shorter ones


class Linearised(NamedTuple):
    """Equations at some unknowns: residual (points, k), its Jacobian (points, k, k), and the image (points, k) of the damped iteration."""

    residual: FloatArray
    jacobian: FloatArray
    image: FloatArray

    def take(self, index: Any) -> Linearised:
        """Some of the points."""
        return Linearised(*(part[index] for part in self))

    @property
    def worst(self) -> FloatArray:
        """Largest |residual| of every point, inf where it is not a number."""
        worst = np.max(np.abs(self.residual), axis=1)
        return np.where(np.isnan(worst), np.inf, worst)


Equations = Callable[[FloatArray, IntArray], Linearised]  # (unknowns, index of their points) -> equations there


@dataclass
class Iterates:
    """Where the iteration stands at every point.

    `undefined` counts the last steps in a row without finite equations, `stalled` those since the residual fell below the `least` so far.
    """

    unknowns: FloatArray
    equations: Linearised
    worst: FloatArray
    undefined: FloatArray
    least: FloatArray
    stalled: FloatArray
    status: FloatArray  # max_steps while a point is active
    steps: FloatArray

    @classmethod
    def at(cls, equations: Equations, start: FloatArray) -> Iterates:
        """Before the first step."""
        points = start.shape[0]
        first = equations(start, np.arange(points))
        undefined, stalled, steps = (np.zeros(points) for _ in range(3))
        status = np.full(points, float(Status.max_steps))
        return cls(start.copy(), first, first.worst, undefined, first.worst.copy(), stalled, status, steps)

    def active(self, tolerance: float) -> IntArray:
        """Points that go on; those that have converged or diverged since the last step are marked."""
        highest = _logarithms(self.unknowns).max(axis=1)
        self.undefined = np.where(np.isfinite(self.worst), 0, self.undefined + 1)
        falls = self.worst < FALLS * self.least
        self.least = np.where(falls, self.worst, self.least)
        self.stalled = np.where(falls | ~np.isfinite(self.worst), 0, self.stalled + 1)
        going = self.status == Status.max_steps
        self.status[going & (self.worst < tolerance) & (highest < LARGEST)] = Status.converged
        self.status[going & ((self.undefined > PATIENCE) | (highest >= LARGEST))] = Status.nonfinite
        return np.flatnonzero(self.status == Status.max_steps)

    def move(self, points: IntArray, unknowns: FloatArray, equations: Linearised) -> None:
        """Take new unknowns of some points, at which the equations are known."""
        self.unknowns[points], self.worst[points] = unknowns, equations.worst
        for mine, theirs in zip(self.equations, equations, strict=True):
            mine[points] = theirs


def find_roots(
    equations: Equations, start: FloatArray, damped_steps: int, longest: int, patient: bool = True, tolerance: float = TOLERANCE
) -> Iterates:
    """From starting unknowns (points, k): some damped steps of the map, then Newton's method, `longest` steps in all.

    Points whose residual stalls are left unless it is `patient`. Those of the usual tolerance take a last step more.
    """
    iterates = Iterates.at(equations, start)
    for step in range(longest):
        active = iterates.active(tolerance)
        if not patient:
            active = active[iterates.stalled[active] < damped_steps + STALLED]
        if active.size == 0:
            break
        iterates.steps[active] += 1
        refused = active if step < damped_steps else newton_step(equations, iterates, active)
        if refused.size:
            damped_step(equations, iterates, refused)
    if tolerance <= TOLERANCE:
        polish(equations, iterates)
    return iterates


def newton_step(equations: Equations, iterates: Iterates, points: IntArray) -> IntArray:
    """One step, shortened until the residual falls; the points where no length is short enough are returned."""
    direction, length = newton_direction(iterates.equations.take(points)), np.ones(points.size)
    refused: list[IntArray] = []
    for _ in range(SHORTENINGS):
        trial = iterates.unknowns[points] + length[:, None] * direction
        tried = equations(trial, points)
        good = tried.worst < (1 - 0.1 * length) * iterates.worst[points]
        iterates.move(points[good], trial[good], tried.take(good))
        points, direction, length = points[~good], direction[~good], SHORTER * length[~good]
        blind = ~np.isfinite(iterates.worst[points])  # no equations to linearise: a shorter step tells no more
        if blind.any():
            refused.append(points[blind])
            points, direction, length = points[~blind], direction[~blind], length[~blind]
        if points.size == 0:
            break
    return np.sort(np.concatenate([*refused, points]))


def damped_step(equations: Equations, iterates: Iterates, points: IntArray) -> None:
    """Half the way to the map's image, no further than twice the largest step; what is not finite stays."""
    here, image = iterates.unknowns[points], iterates.equations.image[points]
    target = np.where(np.isfinite(image), image, here)
    bounded = here + np.clip(target - here, -2 * LARGEST_STEP, 2 * LARGEST_STEP)
    moved = 0.5 * (here + bounded)
    iterates.move(points, moved, equations(moved, points))


def polish(equations: Equations, iterates: Iterates) -> None:
    """One quadratic step more where it helps: where the system is stiff the unknowns are less exact than the residual."""
    points = np.flatnonzero((iterates.status == Status.converged) & (iterates.worst > POLISHED))
    if points.size == 0:
        return
    trial = iterates.unknowns[points] + newton_direction(iterates.equations.take(points))
    tried = equations(trial, points)
    better = tried.worst < iterates.worst[points]
    iterates.move(points[better], trial[better], tried.take(better))
    iterates.steps[points] += 1


def newton_direction(at: Linearised) -> FloatArray:
    """-J^(-1) F, shortened to the largest step in the logarithms; a singular system gives the residual itself."""
    regular = np.isfinite(at.jacobian).all(axis=(1, 2)) & np.isfinite(at.residual).all(axis=1)
    direction = -np.where(np.isfinite(at.residual), at.residual, 0.0)
    if regular.any():
        system, right_side = at.jacobian[regular], -at.residual[regular][:, :, None]
        with np.errstate(over="ignore", under="ignore"):
            singular = np.abs(np.linalg.det(system)) < 1e-250
        system[singular] = np.eye(system.shape[-1])
        direction[regular] = np.linalg.solve(system, right_side)[:, :, 0]
    longest = np.max(np.abs(_logarithms(direction)), axis=1)
    return direction * np.minimum(1.0, LARGEST_STEP / np.maximum(longest, 1e-300))[:, None]


def _logarithms(unknowns: FloatArray) -> FloatArray:
    return unknowns[:, :-1]
