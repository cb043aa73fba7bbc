"""`MeasuredRows`: what a simulation shows of one fit, for the observables that its learner measures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gaussequiv.errors import FloatArray


class MeasuredRows(NamedTuple):
    """Fresh rows and training rows of one fit.

    Parameters
    ----------
    channel : the target's label law
    y, field : arrays of shape (rows,)
        Labels of the fresh rows and the fit's field there, intercept included.
    train, train_y, uniforms
        The student's training rows, shape (n, p), their labels, and the uniform draws that give their weights.
    centred : array of shape (some rows, p)
        Fresh rows about their mean, to average a susceptibility over; empty for kernels and very wide students.
    grids : mapping from "margin" or "probability" to array
        Where distributions were asked for.
    """

    channel: Any
    y: FloatArray
    field: FloatArray
    train: FloatArray
    train_y: FloatArray
    uniforms: FloatArray
    centred: FloatArray
    grids: Mapping[str, FloatArray]
