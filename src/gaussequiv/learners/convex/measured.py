"""What a simulation measures of a convex learner's fit beyond errors: losses, ranking, calibration, V, distributions over rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv.learners.base import Predictor
from gaussequiv.samples import empirical
from gaussequiv.samples.measured_rows import MeasuredRows

if TYPE_CHECKING:
    from gaussequiv.learners.convex.erm import ERM


def measure_convex(learner: ERM, fit: Predictor, rows: MeasuredRows) -> dict[str, Any]:
    """Observables of one fit; V for a plain penalty, distributions on the grids that were asked for."""
    loss, y, weight = fit.loss, rows.train_y, learner.weights_of(rows.train_y, rows.uniforms)
    trained = fit(rows.train)
    out: dict[str, Any] = dict(empirical.fresh_scores(loss, rows.channel, rows.y, rows.field))
    out |= {"train_loss": empirical.mean_loss(loss, y, trained, weight), "intercept": float(np.mean(rows.field))}
    if rows.centred.size and fit.lam > 0 and learner.penalty.is_plain:
        out["V"] = empirical.susceptibility(loss, fit.lam, rows.train, y, trained, weight, rows.centred)
    if "margin" in rows.grids:
        out["test_margin_cdf"] = empirical.margin_cdf(rows.y, rows.field, rows.grids["margin"])
        out["train_margin_cdf"] = empirical.margin_cdf(y, trained, rows.grids["margin"])
    if "probability" in rows.grids and loss.gives_probability:
        out["calibration"] = empirical.calibration(loss, rows.y, rows.field, rows.grids["probability"])
    return out
