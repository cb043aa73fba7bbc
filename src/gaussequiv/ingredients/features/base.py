"""Features that a linear student is trained on: random networks, given weights, or a matrix of precomputed features."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from gaussequiv.errors import FloatArray, array, choice, fail, integer, per_layer
from gaussequiv.ingredients.activations import base as acts
from gaussequiv.ingredients.activations.layers import layers_of, set_layers
from gaussequiv.ingredients.adopted import LeftOut, original
from gaussequiv.ingredients.features.deterministic import deterministic_modes
from gaussequiv.ingredients.features.modes import FeatureModes, explicit_modes, layer_moments, marchenko_pastur_modes, realised_modes
from gaussequiv.ingredients.inputs.base import DataInputs, Inputs, Rows

SPECTRA = ("auto", "analytic", "deterministic", "sampled")
SAMPLED_FEATURES = 1200  # largest width of the draw that stands for the limit where d is not given,
LEAST_INPUTS = 20  # unless that leaves fewer inputs than these
LARGEST_RATIO = 100.0  # of that draw


class StudentRows(Protocol):
    """The student's rows in one trial: features of the input rows, block by block."""

    def block(self, x: FloatArray, purpose: int, start: int, stop: int) -> FloatArray:
        """Features, of shape (stop - start, p), of the input rows x = rows start..stop of the train or test stream."""
        ...


class Features:
    """What a problem asks of features: `modes` for the theory, `rows` for simulations, `to_dict` for files. Kernels have `Kernel`.

    Attributes
    ----------
    name : str
    dimension : int or None
        The input dimension, where the features fix it.
    depth : int
        Number of layers of a random network, 0 for other features; `layers` and `bias_variance` are theirs.
    """

    name: str = ""
    depth: Any = 0
    layers: tuple[acts.Activation, ...] = ()
    bias_variance: Any = ()

    @cached_property
    def dimension(self) -> int | None:
        return None

    def widths_at(self, d: int) -> tuple[int, ...]:
        """Widths of the layers at input dimension d; none for features that have no such."""
        return ()

    def modes(self, inputs: Inputs, d: int | None) -> FeatureModes:
        """Second moments of the features and of features and inputs, at size d or in the limit."""
        raise self.lacks("modes")

    def rows(self, rng: np.random.Generator, d: int, rows: Rows) -> StudentRows:
        """One trial's features: random ones are drawn from `rng`."""
        raise self.lacks("rows")

    def to_dict(self) -> dict[str, Any]:
        """The description that saved results carry."""
        raise self.lacks("to_dict")

    def lacks(self, member: str) -> LeftOut:
        """The error for a member that these features leave out."""
        return LeftOut(
            f"Argument `features` must have `{member}` for this, but {type(original(self)).__name__} leaves out what "
            f"{Features.__module__} lists."
        )


@dataclass(frozen=True)
class FeatureMap:
    """h_l = phi_l(h_{l-1} F_l + b_l) with given matrices (scales included): call it on rows of inputs."""

    layers: tuple[acts.Activation, ...]
    weights: tuple[FloatArray, ...]
    biases: tuple[FloatArray, ...]

    def __call__(self, x: FloatArray) -> FloatArray:
        for activation, weight, bias in zip(self.layers, self.weights, self.biases, strict=True):
            x = x @ weight
            if bias.any():
                x += bias
            x = activation(x)
        return x

    def block(self, x: FloatArray, purpose: int, start: int, stop: int) -> FloatArray:
        return self(x)


@dataclass(frozen=True, eq=False)
class RandomFeatures(Features):
    r"""Features h_l = phi_l(F_l h_{l-1}/sqrt(k_{l-1}) + b_l) of a random network, whose readout alone is trained: w.h_L/sqrt(k_L) + c.

    Parameters
    ----------
    activations : name, function, Activation, or a sequence of them
        One for each hidden layer, lowest first; a single one is repeated `depth` times. Any function, also with a mean (ReLU): then the
        mean's direction acts as an intercept.
    depth : int, optional
        Number of hidden layers when `activations` is a single one (default 1).
    ratio : float or sequence of float
        Widths over the input dimension, k_l/d, one for each layer.
    weight_variance, bias_variance : float or sequence of float
        Variance of the entries of F_l and of b_l.
    spectrum : {"auto", "analytic", "deterministic", "sampled"}
        How the theory finds the features' spectrum and overlaps.
        "analytic": Marchenko-Pastur quadrature; one layer, isotropic centred inputs, no bias.
        "deterministic": self-consistent equations, layer by layer, no weights sampled; any input spectrum; no bias, centred inputs, and
        all layers but the last centred (odd).
        "sampled": one draw of the weights from `seed` at the given d (by default one of at most 1200 features), coefficients neuron by
        neuron; anything. "auto": the first of the three that applies.
    seed : int
        Seed of the theory's draw. Simulations draw features anew in every trial.

    Validity: replica result for centred features (Loureiro et al. 2021; Schroeder, Cui, Dmitriev, Loureiro 2023: conjectured for any convex
    loss, proved for ridge where target and student share the layers below); features with a mean, or biases: extension verified
    numerically.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> target = ge.DeepNetwork("tanh", depth=2, weight_variance=4)
    >>> student = RandomFeatures("tanh", ratio=3, weight_variance=4)
    >>> problem = ge.Problem(target=target, features=student, learner=ge.Ridge(0.1))
    >>> f"{float(ge.solve(problem, alpha=1.0).test_error[0]):.8f}"
    '0.40478033'
    """

    activations: Any = "erf"
    depth: int | None = None
    ratio: Any = 1.0
    weight_variance: Any = 1.0
    bias_variance: Any = 0.0
    spectrum: str = "auto"
    seed: int = 0
    layers: tuple[acts.Activation, ...] = field(init=False, default=())

    name = "random"

    def __post_init__(self) -> None:
        layers = layers_of(self.activations, self.depth)
        put = set_layers(self, layers)
        put("ratio", per_layer("ratio", self.ratio, len(layers), positive=True))
        put("spectrum", choice("spectrum", self.spectrum, SPECTRA))
        put("seed", integer("seed", self.seed, minimum=0))

    def __str__(self) -> str:
        ratios = ", ".join(f"{r:g}" for r in self.ratio)
        return f"random features, {', '.join(self.activations)}, k/d = {ratios}"

    def widths_at(self, d: int) -> tuple[int, ...]:
        """Widths of the layers at input dimension d."""
        return tuple(max(1, round(r * d)) for r in self.ratio)

    def sample(self, rng: np.random.Generator, d: int) -> FeatureMap:
        """Draw all weights and biases."""
        weights, biases = [], []
        for layer, (fan_in, width) in enumerate(pairwise((d, *self.widths_at(d)))):
            scale = np.sqrt(self.weight_variance[layer] / fan_in)
            weights.append(scale * rng.standard_normal((fan_in, width)))
            biases.append(np.sqrt(self.bias_variance[layer]) * rng.standard_normal(width))
        return FeatureMap(self.layers, tuple(weights), tuple(biases))

    def rows(self, rng: np.random.Generator, d: int, rows: Rows) -> StudentRows:
        return self.sample(rng, d)

    def modes(self, inputs: Inputs, d: int | None) -> FeatureModes:
        eigenvalues, masses = inputs.modes(d)
        route = self._route(inputs, eigenvalues)
        if route == "sampled":
            size = d if d is not None else inputs.dimension or max(LEAST_INPUTS, round(SAMPLED_FEATURES / max(1.0, *self.ratio)))
            if d is None and max(self.ratio) > LARGEST_RATIO:
                meaning = (
                    "The spectrum of these features is that of one draw of their weights, for which the default size would be too small."
                )
                raise fail("ratio", f"at most {LARGEST_RATIO:g} unless d is given", self.ratio, meaning)
            drawn = self.sample(np.random.default_rng((self.seed, size)), size)
            return _realised(drawn, inputs, size)
        size = d if d is not None else inputs.dimension
        ratios = self.ratio if size is None else tuple(width / size for width in self.widths_at(size))
        moments = layer_moments(self.layers, self.weight_variance, float(masses @ eigenvalues))
        if route == "analytic":
            return marchenko_pastur_modes(moments[0], self.weight_variance[0], float(eigenvalues[0]), ratios[0])
        return deterministic_modes(moments, self.weight_variance, ratios, eigenvalues, masses, inputs.overlap(d))

    def _route(self, inputs: Inputs, eigenvalues: FloatArray) -> str:
        plain = inputs.mean_square == 0 and not any(self.bias_variance)
        centred = plain and all(phi.parity == "odd" for phi in self.layers[:-1])
        flat = plain and self.depth == 1 and eigenvalues.size == 1
        if self.spectrum == "auto":
            return "analytic" if flat else "deterministic" if centred else "sampled"
        if self.spectrum == "analytic" and not flat:
            raise fail("spectrum", "'deterministic' or 'sampled' (analytic: one layer, isotropic centred inputs, no bias)", self.spectrum)
        if self.spectrum == "deterministic" and not centred:
            raise fail(
                "spectrum", "'sampled' (deterministic: no bias, centred inputs, odd activations below the last layer)", self.spectrum
            )
        return self.spectrum

    def to_dict(self) -> dict[str, Any]:
        plain = ("activations", "depth", "ratio", "weight_variance", "bias_variance", "spectrum", "seed")
        own = vars(self)
        values = {key: own[key] for key in plain}
        return {"name": self.name} | {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


@dataclass(frozen=True, eq=False)
class GivenFeatures(Features):
    r"""Features of a network with given, structured or trained weights: h_l = phi_l(h_{l-1} F_l + b_l).

    Parameters
    ----------
    weights : sequence of arrays of shape (fan-in, width)
        F_1, F_2, ..., scale included (PyTorch's ``layer.weight.T``); the first has d rows. The student field is w.h_L/sqrt(k_L) + c.
    biases : sequence of arrays of shape (width,), optional
    activations : name, function, Activation, or a sequence of them
        One for each layer, or one for all.

    The covariance is linearised layer by layer with every neuron's own coefficients (`realised_modes`).

    Validity: replica result / conjecture for centred activations (Schroeder, Cui, Dmitriev, Loureiro 2023; structured weights: Schroeder,
    Dmitriev, Cui, Loureiro 2024); otherwise extension verified numerically. Weights that know the target (trained on it) are beyond it.

    Examples
    --------
    >>> import numpy as np
    >>> GivenFeatures([np.eye(3)], activations="tanh").widths
    (3,)
    """

    weights: Any
    biases: Any = None
    activations: Any = "relu"
    layers: tuple[acts.Activation, ...] = field(init=False, default=())
    digest: str = field(init=False, default="")

    name = "given"

    def __post_init__(self) -> None:
        if (
            (isinstance(self.weights, np.ndarray) and self.weights.ndim == 2)
            or not isinstance(self.weights, Sequence)
            or not len(self.weights)
        ):
            raise fail("weights", "a non-empty sequence of matrices, one for each layer", self.weights)
        weights = tuple(array(f"weights[{i}]", w, ndim=2) for i, w in enumerate(self.weights))
        for i, (below, above) in enumerate(pairwise(weights)):
            if below.shape[1] != above.shape[0]:
                raise fail(f"weights[{i + 1}]", f"of shape ({below.shape[1]}, width), the width of the layer below", above)
        if self.biases is None:
            biases = tuple(np.zeros(w.shape[1]) for w in weights)
        else:
            if len(self.biases) != len(weights):
                raise fail("biases", f"a sequence of {len(weights)} vectors, one for each layer", self.biases)
            biases = tuple(array(f"biases[{i}]", b, ndim=1) for i, b in enumerate(self.biases))
            for i, (bias, weight) in enumerate(zip(biases, weights, strict=True)):
                if bias.size != weight.shape[1]:
                    raise fail(f"biases[{i}]", f"of {weight.shape[1]} entries, the width of its layer", bias)
        single = isinstance(self.activations, str) or not isinstance(self.activations, Sequence)
        layers = layers_of(self.activations, len(weights) if single else None)
        if len(layers) != len(weights):
            raise fail("activations", f"one, or a sequence of {len(weights)}, one for each layer", self.activations)
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "biases", biases)
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "activations", tuple(a.name for a in layers))
        object.__setattr__(self, "digest", _digest(*weights, *biases))

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of the layers."""
        return tuple(w.shape[1] for w in self.weights)

    @property
    def dimension(self) -> int:
        """The input dimension."""
        return int(self.weights[0].shape[0])

    def __str__(self) -> str:
        return f"given weights, {', '.join(self.activations)}, widths {', '.join(map(str, self.widths))}"

    def rows(self, rng: np.random.Generator, d: int, rows: Rows) -> StudentRows:
        return FeatureMap(self.layers, self.weights, self.biases)

    def modes(self, inputs: Inputs, d: int | None) -> FeatureModes:
        if d is not None and d != self.dimension:
            raise fail("d", f"{self.dimension}, the dimension of the given weights", d)
        return _realised(FeatureMap(self.layers, self.weights, self.biases), inputs, self.dimension)

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "activations": list(self.activations), "widths": [self.dimension, *self.widths], "digest": self.digest}


@dataclass(frozen=True, eq=False)
class FeatureMatrix(Features):
    r"""Precomputed features of the rows of a `DataInputs`: row i of `matrix` belongs to row i of the data.

    Parameters
    ----------
    matrix : array of shape (rows, p)
        The student field is w.v/sqrt(p) + c. The theory centres the columns; the student sees them as given, with their mean.

    Omega is the rows' covariance, the overlap their cross-covariance with the inputs. Validity: a heuristic, real features replaced by
    Gaussian ones of equal moments (Loureiro et al. 2021, Sec. 4).

    Examples
    --------
    >>> import numpy as np
    >>> FeatureMatrix(np.ones((4, 2)) * np.arange(4)[:, None]).matrix.shape
    (4, 2)
    """

    matrix: Any
    digest: str = field(init=False, default="")

    name = "matrix"

    def __post_init__(self) -> None:
        matrix = array("matrix", self.matrix, ndim=2, meaning="It holds the features of one row of the data in each row.")
        object.__setattr__(self, "matrix", matrix)
        object.__setattr__(self, "digest", _digest(matrix))

    def __str__(self) -> str:
        return f"matrix of {self.matrix.shape[1]} features"

    def check(self, inputs: Inputs) -> FloatArray:
        """The rows of the inputs, one for each row of features."""
        if not isinstance(inputs, DataInputs):
            raise fail("inputs", "DataInputs when features are given as a matrix", inputs)
        rows: FloatArray = inputs.matrix
        if len(rows) != len(self.matrix):
            raise fail("matrix", f"of {len(rows)} rows, one for each row of the data", self.matrix)
        return rows

    def rows(self, rng: np.random.Generator, d: int, rows: Rows) -> StudentRows:
        source: Any = rows
        return _MatrixRows(replace(source, matrix=self.matrix))

    def modes(self, inputs: Inputs, d: int | None) -> FeatureModes:
        x = self.check(inputs)
        mean = self.matrix.mean(axis=0)
        centred = self.matrix - mean
        omega, cross = centred.T @ centred / len(x), centred.T @ x / len(x)
        if not np.any(omega):
            raise fail("matrix", "an array with a column that varies", self.matrix)
        return explicit_modes(omega, cross, mean, x.shape[1], "covariance of the rows")

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "shape": [int(n) for n in self.matrix.shape], "digest": self.digest}


@dataclass(frozen=True)
class _MatrixRows:
    """The rows of the data matrix in the trial's order, taken from the matrix of features."""

    source: Rows

    def block(self, x: FloatArray, purpose: int, start: int, stop: int) -> FloatArray:
        return self.source.block(purpose, start, stop)


def _realised(drawn: FeatureMap, inputs: Inputs, d: int) -> FeatureModes:
    rotation, variances = inputs.whiten(d)
    covariance = variances if rotation is None else (rotation * variances) @ rotation.T
    centre = np.asarray(inputs.centre(d), dtype=np.float64)
    return realised_modes(drawn.layers, drawn.weights, drawn.biases, covariance, centre, inputs.cross(d))


def _digest(*matrices: FloatArray) -> str:
    digest = hashlib.sha256()
    for matrix in matrices:
        digest.update(np.ascontiguousarray(matrix).tobytes())
    return digest.hexdigest()[:16]
