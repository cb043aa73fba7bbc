"""`Curve`: observables along an axis, with the words, units and papers of whoever computed them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from copy import copy
from typing import Any, NamedTuple

import numpy as np

from gaussequiv.errors import ArgumentError, FloatArray
from gaussequiv.numerics.status import Status


class Observable(NamedTuple):
    """The words and the unit of a number; whether its mean over trials is of interest (False: it says how a trial went); whether it comes
    from solving the point (False: it is known without, and stays where the point does not converge)."""

    label: str
    unit: str = "1"
    averaged: bool = True
    solved: bool = True


# what the library itself says of every point, whoever solved it
BOOKKEEPING = {
    "status": Observable("outcome of the point", averaged=False, solved=False),
    "converged": Observable("whether the point converged", averaged=False, solved=False),
    "steps": Observable("steps or function evaluations of the solver", averaged=False, solved=False),
    "residual": Observable("relative residual of the solved equation", averaged=False, solved=False),
}


class Curve(MutableMapping[str, FloatArray]):
    """Observables by name, each an array along the axis; a mapping from names to arrays.

    Parameters
    ----------
    observables : mapping from name to array, or to (extra dims, array)
        An array has shape (points,), or (points, ...) with its extra dims named: ``{"calibration": (("probability",), array)}``.
        `status` (values of `Status`), `steps` and `residual` say how each point went.
    labels : mapping from name to Observable
        Words and units, declared by whoever owns the observable.
    citations : sequence of str
        Keys of the papers behind these numbers.
    leading : sequence of str
        Dims before the axis, such as ("learner",): arrays then have shape (learners, points, ...).
    beside : mapping from name to (dims, array)
        What does not lie along the axis.
    coordinates : mapping from name to array, or to (dims, array)
        Of the axis where it differs from the points that were asked for (n/d after rounding), of extra dims, and beside them.
    attributes, resolved : mappings
        Facts about the whole curve; options as they were resolved (a default number of test samples), which a saved call keeps.
    judged : str, optional
        The observable that `compare` judges (default: the first).
    allowance : array, optional
        Relative finite-size allowance of the judged observable at each point, nan where none is known.

    Raises
    ------
    ArgumentError : an array whose dimensions do not fit its dims.

    Examples
    --------
    >>> curve = Curve({"overlap": np.array([0.1, 0.4])}, labels={"overlap": Observable("overlap with the signal")})
    >>> curve["overlap"].tolist(), curve.labels["overlap"].unit
    ([0.1, 0.4], '1')
    """

    def __init__(
        self,
        observables: Mapping[str, Any],
        *,
        labels: Mapping[str, Observable] | None = None,
        citations: Sequence[str] = (),
        leading: Sequence[str] = (),
        beside: Mapping[str, tuple[tuple[str, ...], Any]] | None = None,
        coordinates: Mapping[str, Any] | None = None,
        attributes: Mapping[str, Any] | None = None,
        resolved: Mapping[str, Any] | None = None,
        judged: str | None = None,
        allowance: FloatArray | None = None,
    ) -> None:
        self._values: dict[str, FloatArray] = {}
        self.extra: dict[str, tuple[str, ...]] = {}
        self.leading = tuple(leading)
        self.labels = dict(labels or {})
        self.citations = tuple(citations)
        self.beside = dict(beside or {})
        self.coordinates = dict(coordinates or {})
        self.attributes = dict(attributes or {})
        self.resolved = dict(resolved or {})
        self.allowance = allowance
        for name, value in observables.items():
            self[name] = value
        self.judged = judged if judged is not None else next(iter(self._values), "")

    def __setitem__(self, name: str, value: Any) -> None:
        extra, array = value if isinstance(value, tuple) else ((), value)
        array = np.asarray(array, dtype=np.float64)
        expected = len(self.leading) + 1 + len(extra)
        if array.ndim != expected:
            dims = (*self.leading, "points", *extra)
            raise ArgumentError(
                f"Observable `{name}` must have the dimensions ({', '.join(dims)}), but has shape {array.shape}: "
                "further dimensions are named as (extra dims, array)."
            )
        self._values[name] = array
        if extra:
            self.extra[name] = tuple(extra)
        elif self.extra:
            self.extra.pop(name, None)

    def __getitem__(self, name: str) -> FloatArray:
        return self._values[name]

    def __delitem__(self, name: str) -> None:
        del self._values[name]
        self.extra.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Curve({', '.join(self._values)})"

    def __or__(self, other: Mapping[str, Any]) -> Curve:
        """The curve with the observables of another curve or mapping in addition, or in the place of its own."""
        joined = copy(self)
        joined._values, joined.extra = dict(self._values), dict(self.extra)
        joined.add(other)
        return joined

    def add(self, other: Mapping[str, Any]) -> None:
        """Take over the observables of another curve or mapping, with their words and papers."""
        if isinstance(other, Curve):
            for name, array in other.items():
                self[name] = (other.extra.get(name, ()), array)
            self.labels = self.labels | other.labels
            self.citations = tuple(dict.fromkeys((*self.citations, *other.citations)))
        else:
            for name, value in other.items():
                self[name] = value

    def dims(self, name: str, axis: str) -> tuple[str, ...]:
        """All dims of an observable along an axis of this name."""
        return (*self.leading, axis, *self.extra.get(name, ()))

    def finished(self, points: int) -> Curve:
        """The curve, after a check of its shapes, with a `status` for every point: a number that is not finite is not called converged.

        Raises
        ------
        ArgumentError : no observable, or one that does not have the points asked for.
        """
        if not self._values:
            raise ArgumentError("A curve must have at least one observable, but has none.")
        position = len(self.leading)
        for name, array in self._values.items():
            if array.shape[position] != points:
                raise ArgumentError(
                    f"Observable `{name}` must have one value for each of the {points} points, but has shape {array.shape} with the "
                    f"dimensions {self.dims(name, 'points')}."
                )
        judged = self._values[self.judged]
        if "status" not in self._values:
            self["status"] = np.full(judged.shape, float(Status.converged))
        if not (finite := np.isfinite(judged)).all():
            status = self._values["status"]
            self["status"] = np.where(~finite & (status == Status.converged), float(Status.nonfinite), status)
        return self

    def only_solved(self) -> Curve:
        """The curve with nan for the numbers that a theory did not solve: the last step of an iteration that did not converge is no answer.

        A point whose status is `diverged` because a number is infinite is an exact limit and stays whole (without a penalty at alpha = 1,
        labels are guessed right half the time while q is infinite), and so does what `Observable.solved` says is known without solving.
        Not for trials: a fit that was stopped early is a real fit, and what is measured on it is true of it.
        """
        status = self._values["status"]
        if (status == Status.converged).all():
            return self
        limit = np.zeros(status.shape, dtype=bool)
        for array in self._values.values():
            limit |= np.isinf(array).any(axis=tuple(range(status.ndim, array.ndim)))
        unsolved = (status != Status.converged) & ~((status == Status.diverged) & limit)
        words = BOOKKEEPING | self.labels
        for name, array in self._values.items():
            if name not in words or words[name].solved:
                inner = tuple(range(status.ndim, array.ndim))
                self._values[name] = np.where(np.expand_dims(unsolved, inner), np.nan, array)
        return self


def as_curve(answer: Mapping[str, Any]) -> Curve:
    """A learner's or problem's answer as a `Curve`: a plain mapping has neither words nor papers."""
    if isinstance(answer, Curve):
        return answer
    if not isinstance(answer, Mapping):
        raise ArgumentError(f"A curve must be a Curve or a mapping from names to arrays, but is {type(answer).__name__}.")
    return Curve(answer)


def stack(curves: Sequence[Curve], dim: str) -> Curve:
    """Curves of the same points along a new leading dim; an observable that one lacks is nan there."""
    shapes: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = {}
    for curve in curves:
        for name, array in curve.items():
            shapes.setdefault(name, (curve.extra.get(name, ()), array.shape))
    rows = {
        name: (extra, np.stack([curve[name] if name in curve else np.full(shape, np.nan) for curve in curves]))
        for name, (extra, shape) in shapes.items()
    }
    joined = Curve({}, leading=(dim, *curves[0].leading))
    for name, value in rows.items():
        joined[name] = value
    for curve in curves:
        joined.labels |= curve.labels
        joined.beside |= curve.beside
        joined.coordinates |= curve.coordinates
    joined.citations = tuple(dict.fromkeys(key for curve in curves for key in curve.citations))
    joined.judged = curves[0].judged
    return joined
