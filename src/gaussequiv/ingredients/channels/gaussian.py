"""Real labels that are the field with Gaussian noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaussequiv.errors import FloatArray, number
from gaussequiv.ingredients.channels.base import Field, RealOutput
from gaussequiv.ingredients.channels.label_atoms import LabelAtoms, function_atoms
from gaussequiv.ingredients.channels.label_moments import LabelMoments

_LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True)
class GaussianNoise(RealOutput):
    """y = field + sqrt(noise) z: regression. With noise = 0 and V = 0 the label is the field itself."""

    noise: float = 0.0
    task: str = "regression"

    symmetric = True
    odd = True

    def __post_init__(self) -> None:
        number("noise", self.noise, nonnegative=True, meaning="It is the variance of the label noise.")

    def __call__(self, z: FloatArray) -> FloatArray:
        """The field itself."""
        return z

    def sample(self, rng: np.random.Generator, field: FloatArray) -> FloatArray:
        return field + np.sqrt(self.noise) * rng.standard_normal(field.shape)

    def log_partition(self, y: FloatArray, omega: FloatArray, V: FloatArray | float) -> FloatArray:
        total = np.asarray(V + self.noise)
        return -0.5 * ((y - omega) ** 2 / total + np.log(total) + _LOG_2PI)

    def g_out(self, y: FloatArray, omega: FloatArray, V: FloatArray | float) -> tuple[FloatArray, FloatArray]:
        total = V + self.noise
        return (y - omega) / total, np.broadcast_to(-1.0 / np.asarray(total), y.shape)

    def fisher(self, q: FloatArray, V: FloatArray, offset: FloatArray | float) -> FloatArray:
        return 1.0 / (V + self.noise)

    def psi(self, q: FloatArray | float, V: FloatArray | float, offset: FloatArray | float = 0.0) -> FloatArray:
        """-log(2 pi e (V + noise))/2, whatever q and the offset; infinite at V = noise = 0, where the label is no longer random."""
        _, total, _ = np.broadcast_arrays(q, np.asarray(V, float) + self.noise, offset)
        with np.errstate(divide="ignore"):
            return -0.5 * (np.log(total) + _LOG_2PI + 1.0)

    def bayes_error(self, linear: Field, rest: Field, b0: Field) -> FloatArray:
        return self.field_error(linear, rest, b0) + self.noise

    def mean_label(self, z: FloatArray) -> FloatArray:
        """The field."""
        return z

    def label_variance(self, z: FloatArray) -> FloatArray:
        """The noise."""
        return np.full(np.shape(z), self.noise)

    def predict(self, omega: FloatArray, V: FloatArray | float) -> FloatArray:
        """omega."""
        return omega

    def label_noise(self, variance: Field, b0: Field) -> FloatArray:
        """The noise."""
        return np.full(np.broadcast_shapes(np.shape(variance), np.shape(b0)), self.noise)

    def field_error(self, linear: Field, rest: Field, b0: Field) -> FloatArray:
        """What is not known of the field."""
        return np.array(np.broadcast_arrays(linear, np.asarray(rest, float), b0)[1])

    def atoms(self, b0: float, variance: float) -> LabelAtoms:
        """Fields as their own labels; the noise stays Gaussian."""
        return function_atoms(self, (), b0, variance, self.noise)

    def label_moments(self, b0: FloatArray, variance: float) -> LabelMoments:
        """Mean b0, slope 1 and variance of a label whose field is N(b0, variance)."""
        one = np.ones(np.shape(b0))
        return LabelMoments(np.asarray(b0, float), one, variance * one, self.noise * one)

    def with_noise(self, noise: float) -> GaussianNoise:
        """Another label noise."""
        return GaussianNoise(noise)
