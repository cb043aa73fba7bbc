"""Message passing run on a training sample: the simulated Bayes-optimal learner, by GAMP or VAMP as the prior and the inputs ask."""

from __future__ import annotations

from typing import Any

import numpy as np

from gaussequiv.algorithms.message_passing.design import Design
from gaussequiv.algorithms.message_passing.gamp import GAMP, GampState
from gaussequiv.algorithms.message_passing.scaled_prior import ScaledPrior, equivalent_prior
from gaussequiv.algorithms.message_passing.vamp import VAMP, GramSpectrum
from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import FloatArray, fail
from gaussequiv.numerics.keys import Key
from gaussequiv.numerics.status import Status
from gaussequiv.samples.training_sample import LinearPredictor, TrainingSample


def machine_for(sample: TrainingSample, equivalent: GaussianEquivalent, intercept: bool, **options: Any) -> tuple[GAMP, FloatArray | None]:
    """GAMP tuned to the equivalent on a sample, inputs centred and whitened; and the map from z- to x-coefficients (None: the scale's).

    Raises ArgumentError for a prior that is not Gaussian on correlated coordinates: whitening would rotate it.
    """
    d = sample.x.shape[1]
    w = np.ones(d) if sample.variances is None else sample.variances
    prior = equivalent.prior
    spread = max(equivalent.offset_variance, (equivalent.offset or 0.0) ** 2) if intercept else 0.0
    law = equivalent_prior(equivalent, w)
    centre = sample.centre if sample.centre is not None and np.any(sample.centre) else None
    back: FloatArray | None = None
    if sample.rotation is None:
        design = Design(sample.x, centre, None if np.all(w == 1) else np.sqrt(np.where(w > 0, w, 1.0)))
    else:
        if law.prior is not None:
            raise fail("prior", "Gaussian where the inputs' coordinates are correlated (whitening rotates any other)", prior)
        z, kept, back = sample.whitened()
        design, law = Design(z), equivalent_prior(equivalent, kept)
    return GAMP(design, sample.y, law, equivalent.channel, equivalent.model_noise, d, spread, **options), back


def fit_amp(sample: TrainingSample, equivalent: GaussianEquivalent, intercept: bool, key: Key = None) -> LinearPredictor:
    """GAMP tuned to the equivalent, run on the sample: the simulated Bayes-optimal learner of a deep target.

    Inputs are centred and whitened first. Independent weights that are not Gaussian, where the inputs' coordinates are correlated, are
    learned by `VAMP` on the inputs as they are. `key` draws what leaves a blind start.
    """
    d = sample.x.shape[1]
    if sample.rotation is not None and equivalent.prior is not None:
        return _fit_vamp(sample, equivalent, intercept, key)
    machine, back = machine_for(sample, equivalent, intercept)
    if equivalent.slope2 == 0:
        state, status = machine.init(), Status.converged
    else:
        state, status = machine.run(key=key)
    return state_predictor(machine, state, status, back, sample, d)


def _fit_vamp(sample: TrainingSample, equivalent: GaussianEquivalent, intercept: bool, key: Key) -> LinearPredictor:
    d = sample.x.shape[1]
    centre = np.zeros(d) if sample.centre is None else sample.centre
    law = equivalent_prior(equivalent, np.ones(1))
    law = ScaledPrior(float(law.scale[0]), law.prior)
    spectrum = GramSpectrum(Design(sample.x, centre, np.full(d, np.sqrt(d))))
    machine = VAMP(spectrum, sample.y, law, equivalent.channel, equivalent.model_noise, intercept)
    state, status = machine.run(key=key)
    # a fresh row has not seen its label; the data tell of it at least what the prior does
    coefficients, variance = state.mean / np.sqrt(d), min(1 / state.tau, machine.width**2) + equivalent.model_noise
    threshold = float(equivalent.channel.threshold(np.array(variance)))
    constant = state.intercept - threshold - float(centre @ coefficients)
    return LinearPredictor(coefficients, constant, np.nan, status, state.steps, state.change, variance, threshold)


def state_predictor(
    machine: GAMP, state: GampState, status: Status, back: FloatArray | None, sample: TrainingSample, dimension: int
) -> LinearPredictor:
    """The predictor of a state, on rows of x."""
    scale = machine.design.scale
    coefficients = (back @ state.a if back is not None else state.a if scale is None else state.a / scale) / np.sqrt(dimension)
    variance = state.V + machine.extra
    threshold = float(machine.channel.threshold(np.array(variance)))
    intercept_x = state.intercept - threshold - (0.0 if sample.centre is None else float(sample.centre @ coefficients))
    return LinearPredictor(coefficients, intercept_x, np.nan, status, state.steps, state.change, variance, threshold)


as_predictor = state_predictor  # its name of before
