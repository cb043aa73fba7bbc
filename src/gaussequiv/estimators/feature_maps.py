"""Feature maps as transformers: deep random networks, and fixed convolutions of images."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from gaussequiv.errors import FloatArray, fail, integer
from gaussequiv.ingredients.activations import base as acts


class DeepRandomFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Features of a deep random network: x -> h_L/sqrt(k_L), h_l = phi_l(F_l h_{l-1}/sqrt(k_{l-1}) + b_l), h_0 = x.

    Parameters
    ----------
    widths : int or sequence of int
        Width of every layer, lowest first; an int is one layer.
    activations : name, function, Activation, or a sequence of them
        One for each layer; a single one is repeated.
    weight_variance, bias_variance : float
        Variance of the entries of F_l and of b_l.
    random_state : int, RandomState or None

    Attributes
    ----------
    weights_, biases_ : lists of arrays, lowest layer first

    The output is scaled by 1/sqrt(k), so that a linear student on it has the field w.h/sqrt(k) of the theory and scikit-learn's penalty
    is its lam. Rows are taken as they are; standardise them first (entries of order one).

    Examples
    --------
    >>> features = DeepRandomFeatures((50, 30), "tanh", random_state=0)
    >>> features.fit_transform(np.eye(4)).shape
    (4, 30)
    """

    def __init__(
        self,
        widths: Any = 300,
        activations: Any = "tanh",
        *,
        weight_variance: float = 1.0,
        bias_variance: float = 0.0,
        random_state: Any = None,
    ) -> None:
        self.widths = widths
        self.activations = activations
        self.weight_variance = weight_variance
        self.bias_variance = bias_variance
        self.random_state = random_state

    def _layers(self) -> tuple[tuple[int, ...], tuple[acts.Activation, ...]]:
        given = self.widths if np.ndim(self.widths) else (self.widths,)
        widths = tuple(integer("widths", width, minimum=1) for width in given)
        named = self.activations
        layers = tuple(acts.get(a) for a in named) if isinstance(named, (list, tuple)) else (acts.get(named),) * len(widths)
        if len(layers) != len(widths):
            raise fail("activations", f"one, or {len(widths)}: one for each of the widths", self.activations)
        return widths, layers

    def fit(self, X: Any, y: Any = None) -> DeepRandomFeatures:
        """Draw the weights; of X only the number of columns matters."""
        X = validate_data(self, X, dtype=np.float64)
        widths, _ = self._layers()
        rng = check_random_state(self.random_state)
        self.weights_, self.biases_ = [], []
        fan_in = X.shape[1]
        for width in widths:
            self.weights_.append(np.sqrt(self.weight_variance / fan_in) * rng.standard_normal((fan_in, width)))
            self.biases_.append(np.sqrt(self.bias_variance) * rng.standard_normal(width))
            fan_in = width
        self._n_features_out = fan_in
        return self

    def transform(self, X: Any) -> FloatArray:
        """Features of the rows, shape (rows, widths[-1])."""
        check_is_fitted(self)
        hidden = validate_data(self, X, dtype=np.float64, reset=False)
        _, layers = self._layers()
        for weights, bias, phi in zip(self.weights_, self.biases_, layers, strict=True):
            hidden = phi(hidden @ weights + bias)
        return hidden / np.sqrt(hidden.shape[1])

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Names of the features."""
        check_is_fitted(self)
        return np.array([f"deeprandomfeatures{i}" for i in range(self._n_features_out)], dtype=object)


class ConvolutionalFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Fixed convolutional features of images: moduli of Gabor wavelets, averaged over cells, beside the averaged image itself.

    psi(u) = exp(-|u|^2/(2 s^2)) (exp(i xi.u) - c), s = 0.8 2^j, |xi| = 3 pi/(4 2^j), with c such that psi sums to zero; features are the
    cell averages of |x * psi|, a first-order scattering transform (Mallat 2012; Bruna and Mallat 2013). No randomness, nothing learned.

    Parameters
    ----------
    shape : (int, int), optional
        Height and width of the images; by default square, or one row of pixels where their number is no square.
    scales, orientations : int
        Number of dyadic scales, and of angles in [0, pi).
    cells : int
        Averages are over a grid of cells x cells (fewer along a side that is shorter).

    Examples
    --------
    >>> ConvolutionalFeatures().fit_transform(np.ones((3, 64))).shape  # (2 scales x 4 angles + 1) x 4 x 4 cells
    (3, 144)
    """

    def __init__(self, shape: tuple[int, int] | None = None, *, scales: int = 2, orientations: int = 4, cells: int = 4) -> None:
        self.shape = shape
        self.scales = scales
        self.orientations = orientations
        self.cells = cells

    def fit(self, X: Any, y: Any = None) -> ConvolutionalFeatures:
        """Build the filters; of X only the number of columns matters."""
        pixels = validate_data(self, X, dtype=np.float64).shape[1]
        side = round(pixels**0.5)
        self.shape_ = tuple(self.shape) if self.shape is not None else (side, side) if side * side == pixels else (1, pixels)
        if len(self.shape_) != 2 or self.shape_[0] * self.shape_[1] != pixels:
            raise fail("shape", f"height and width of images of {pixels} pixels", self.shape)
        height, width = self.shape_
        v, u = (
            np.fft.fftfreq(size, 1 / size)[:, None] if axis == 0 else np.fft.fftfreq(size, 1 / size)
            for axis, size in enumerate(self.shape_)
        )
        filters = []
        for j in range(integer("scales", self.scales, minimum=1)):
            envelope = np.exp(-(u**2 + v**2) / (2 * (0.8 * 2**j) ** 2))
            for angle in np.pi * np.arange(integer("orientations", self.orientations, minimum=1)) / self.orientations:
                wave = np.exp(0.75j * np.pi / 2**j * (np.cos(angle) * u + np.sin(angle) * v))
                psi = envelope * (wave - np.sum(envelope * wave) / np.sum(envelope))
                filters.append(np.fft.fft2(psi / np.sum(envelope)))
        self.filters_ = np.array(filters)
        cells = integer("cells", self.cells, minimum=1)
        self._grid = tuple(np.array_split(np.arange(size), min(cells, size)) for size in (height, width))
        return self

    def transform(self, X: Any) -> FloatArray:
        """Features of the rows, shape (rows, (scales orientations + 1) cells^2)."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        out = []
        for start in range(0, len(rows), 256):
            images = rows[start : start + 256].reshape(-1, 1, *self.shape_)
            moduli = np.abs(np.fft.ifft2(np.fft.fft2(images) * self.filters_))
            out.append(self._average(np.concatenate([images, moduli], axis=1)))
        return np.concatenate(out)

    def _average(self, maps: FloatArray) -> FloatArray:
        rows, columns = self._grid
        cells = [maps[:, :, r[0] : r[-1] + 1, c[0] : c[-1] + 1].mean(axis=(2, 3)) for r in rows for c in columns]
        return np.stack(cells, axis=2).reshape(len(maps), -1)
