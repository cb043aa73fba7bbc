r"""Kernel students: kernels of infinitely wide networks (NNGP, NTK) and dot-product kernels, and their linear form at n ~ d.

At n ~ d a kernel acts like  K(x, x') = C0 + C1 (x-m).(x'-m)/d + nugget 1{same}:  C0 its value at independent inputs, C1 its slope in the
overlap, nugget = C - C0 - C1 tr(Sigma)/d with C its value on the diagonal (El Karoui 2010; Cui, Krzakala, Zdeborova 2023, eq. 24).
The equivalent has aspect 1, eigenvalues C1 w and the nugget; C0 > 0 acts as an intercept. The penalty is that of kernel ridge,
f = K (K + lam)^{-1} y.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from gaussequiv._text import name_of
from gaussequiv.errors import FloatArray, array, fail, number
from gaussequiv.ingredients.activations import base as acts
from gaussequiv.ingredients.activations.layers import dual_of, layers_of, set_layers
from gaussequiv.ingredients.features.base import Features
from gaussequiv.ingredients.features.modes import NO_MEAN, FeatureModes
from gaussequiv.ingredients.inputs.base import Inputs

ROWS = 128  # rows of a kernel matrix worked on at a time: they stay in cache
NO_SIGNAL = 1e-12  # a linear part below this fraction of the spread is rounding


class LinearKernel(NamedTuple):
    """K = constant + slope (x-m).(x'-m)/d + nugget 1{same}."""

    constant: float
    slope: float
    nugget: float


class Kernel(Features):
    """What a problem asks of a kernel student: `linearise` and `block`, with `modes` and `to_dict` as in `Features`."""

    def linearise(self, variance: float, mean_square: float = 0.0) -> LinearKernel:
        """The linear form at inputs of tr(Sigma)/d = `variance` and |mean|^2/d = `mean_square`."""
        raise self.lacks("linearise")

    def block(self, x1: FloatArray, x2: FloatArray | None = None) -> FloatArray:
        """K(x1, x2), of shape (n, m); x2 = None: K(x1, x1)."""
        raise self.lacks("block")

    def modes(self, inputs: Inputs, d: int | None) -> FeatureModes:
        """The features' side of the Gaussian equivalent: aspect 1, eigenvalues C1 w, overlap C1 times theirs (w^2), and the nugget."""
        w, masses = inputs.modes(d)
        linear = self.linearise(float(masses @ w), inputs.mean_square)
        constant = linear.constant if linear.constant > NO_MEAN * (linear.nugget + linear.slope * float(masses @ w)) else 0.0
        words = f"C0 = {linear.constant:.6g}, C1 = {linear.slope:.6g}, nugget = {linear.nugget:.6g}"
        return FeatureModes(linear.slope * w, masses, linear.slope * inputs.overlap(d), 1.0, linear.nugget, constant, words)


class _KernelBase(Kernel):
    """Streaming over row blocks."""

    def _fill(self, overlap: FloatArray, q1: FloatArray, q2: FloatArray, same: FloatArray | None) -> FloatArray:
        """Kernel values from overlaps x.x'/d; `same` are the columns that equal the rows, one each, or None."""
        raise NotImplementedError

    def block(self, x1: FloatArray, x2: FloatArray | None = None) -> FloatArray:
        """The true kernel matrix K(x1, x2), float64.

        Parameters
        ----------
        x1 : array of shape (n, d)
        x2 : array of shape (m, d), optional
            None: K(x1, x1), of which only half is computed.

        Returns
        -------
        array of shape (n, m), filled in place in blocks of rows: no temporary is larger than a block.
        """
        x1 = array("x1", x1, ndim=2)
        x2 = None if x2 is None else array("x2", x2, ndim=2)
        n, d = x1.shape
        if x2 is not None and x2.shape[1] != d:
            raise fail("x2", f"an array of {d} columns, as x1", x2)
        other = x1 if x2 is None else x2
        q1 = np.einsum("ij,ij->i", x1, x1) / d
        q2 = q1 if x2 is None else np.einsum("ij,ij->i", x2, x2) / d
        out = x1 @ other.T
        out /= d
        for start in range(0, n, ROWS):
            stop = min(start + ROWS, n)
            if x2 is not None:
                out[start:stop] = self._fill(out[start:stop], q1[start:stop], q2, None)
                continue
            same = np.arange(stop - start)
            upper = self._fill(out[start:stop, start:].copy(), q1[start:stop], q2[start:], same)
            lower = np.tril_indices(same.size, -1)
            upper[lower] = upper[lower[::-1]]  # symmetric to the last digit
            out[start:stop, start:] = upper
            out[stop:, start:stop] = upper[:, stop - start :].T
        return out


@dataclass(frozen=True, eq=False)
class NNGP(_KernelBase):
    r"""Kernel of a deep random network's output at infinite width: K = w_a E h_L(x)h_L(x') + beta_out.

        K_1 = w_1 x.x'/d + beta_1,   K_{l+1} = w_{l+1} E[phi(u)phi(v)] + beta_{l+1},

    (u, v) Gaussian with the covariance that K_l has at x and x'.

    Parameters
    ----------
    activations : name, function, Activation, or a sequence of them
        One for each hidden layer, lowest first; a single one is repeated `depth` times.
    depth : int, optional
    weight_variance, bias_variance : float or sequence of float
        As in `DeepNetwork`.
    readout_variance, readout_bias_variance : float
        With the target's own values it is the matched kernel: Ridge("optimal") then has lam* = label noise and attains the Bayes error.

    Validity: linear form: Cui, Krzakala, Zdeborova 2023, eq. (24) (replica result) for centred kernels; with a constant part: extension
    verified numerically. The kernel itself is exact (Neal 1996; Lee et al. 2018, eq. 4-5).

    Examples
    --------
    >>> linear = NNGP("relu").linearise(1.0)
    >>> [round(value, 6) for value in linear]
    [0.159155, 0.25, 0.090845]
    """

    activations: Any = "erf"
    depth: int | None = None
    weight_variance: Any = 1.0
    bias_variance: Any = 0.0
    readout_variance: float = 1.0
    readout_bias_variance: float = 0.0
    layers: tuple[acts.Activation, ...] = field(init=False, default=())

    name = "nngp"

    def __post_init__(self) -> None:
        put = set_layers(self, layers_of(self.activations, self.depth))
        put("readout_variance", number("readout_variance", self.readout_variance, positive=True))
        put("readout_bias_variance", number("readout_bias_variance", self.readout_bias_variance, nonnegative=True))

    def __str__(self) -> str:
        return f"{self.name.upper()} kernel, {', '.join(self.activations)}"

    def linearise(self, variance: float, mean_square: float = 0.0) -> LinearKernel:
        gap, shared, slope, nugget = variance, mean_square, 1.0, 0.0
        variances = zip(self.layers, self.weight_variance, self.bias_variance, strict=True)
        for layer, (phi, w, beta) in enumerate(variances):
            gap, shared = w * gap, w * shared + beta
            dual = dual_of(phi, layer, shared, gap)
            chi = dual.slope if dual.slope * gap > NO_SIGNAL * dual.spread else 0.0
            slope *= w * chi
            nugget = w * chi * nugget + (dual.residue if chi > 0 else dual.spread)
            gap, shared = dual.spread, dual.product
        w = self.readout_variance
        return LinearKernel(w * shared + self.readout_bias_variance, w * slope, w * nugget)

    def _fill(self, overlap: FloatArray, q1: FloatArray, q2: FloatArray, same: FloatArray | None) -> FloatArray:
        c, s1, s2 = overlap, q1, q2
        for phi, w, beta in zip(self.layers, self.weight_variance, self.bias_variance, strict=True):
            c, s1, s2 = _affine(c, s1, s2, w, beta)
            dual = phi.kernel()
            c = dual.product(c, s1, s2)
            s1, s2 = dual.second(s1), dual.second(s2)
            if same is not None:
                c[same, same] = s1
        return _affine(c, s1, s2, self.readout_variance, self.readout_bias_variance)[0]

    def to_dict(self) -> dict[str, Any]:
        """The description that saved results carry."""
        return {
            "name": self.name,
            "activations": list(self.activations),
            "depth": self.depth,
            "weight_variance": list(self.weight_variance),
            "bias_variance": list(self.bias_variance),
            "readout_variance": self.readout_variance,
            "readout_bias_variance": self.readout_bias_variance,
        }


@dataclass(frozen=True, eq=False)
class NTK(NNGP):
    r"""Tangent kernel of an infinitely wide network in the parametrisation sqrt(w) W h/sqrt(k) + sqrt(beta) b, all parameters trained.

        Theta_1 = K_1,   Theta_{l+1} = K_{l+1} + w_{l+1} E[phi'(u)phi'(v)] Theta_l   (Jacot, Gabriel, Hongler 2018, Theorem 1)

    with K_l as in `NNGP`. Linear form: with T0, T1, T the value at independent inputs, its slope in the overlap and the diagonal,
    T1_{l+1} = K1_{l+1} + w (E[phi''phi''] K1_l T0_l + E[phi'phi'] T1_l).

    Validity: as for `NNGP`. Activations need a square-integrable derivative.

    Examples
    --------
    >>> x = np.eye(2) * np.sqrt(2)
    >>> NTK("relu").block(x).round(6).tolist()
    [[1.0, 0.159155], [0.159155, 1.0]]
    """

    name = "ntk"

    def linearise(self, variance: float, mean_square: float = 0.0) -> LinearKernel:
        gap, shared, slope = variance, mean_square, 1.0
        constant, tangent, diagonal = 0.0, 0.0, 0.0  # T0, T1, T
        bend = chi = 0.0
        steepness = 0.0
        kept = 0.0  # slope of the layer below, K1_l
        weights = (*self.weight_variance, self.readout_variance)
        biases = (*self.bias_variance, self.readout_bias_variance)
        for layer, (w, beta) in enumerate(zip(weights, biases, strict=True)):
            tangent = w * (slope + bend * kept * constant + chi * tangent)
            kept = w * slope
            gap, shared = w * gap, w * shared + beta
            constant = shared + w * chi * constant
            diagonal = shared + gap + w * steepness * diagonal
            if layer == len(self.layers):
                break
            phi = self.layers[layer]
            dual, kernel = dual_of(phi, layer, shared, gap), phi.kernel()
            chi = dual.slope if dual.slope * gap > NO_SIGNAL * dual.spread else 0.0
            bend = kernel.bend(shared, gap)
            if not np.isfinite(bend):
                meaning = "A tangent kernel's slope at a kink grows without bound as that share vanishes."
                raise fail("weight_variance", f"large enough for layer {layer + 1} to tell inputs apart", self.weight_variance, meaning)
            steepness = float(kernel.slope_second(np.array([shared + gap]))[0])
            slope = kept * chi
            gap, shared = dual.spread, dual.product
        return LinearKernel(constant, tangent, diagonal - constant - tangent * variance)

    def _fill(self, overlap: FloatArray, q1: FloatArray, q2: FloatArray, same: FloatArray | None) -> FloatArray:
        c, s1, s2 = overlap, q1, q2
        weights, biases = (*self.weight_variance, self.readout_variance), (*self.bias_variance, self.readout_bias_variance)
        c, s1, s2 = _affine(c, s1, s2, weights[0], biases[0])
        tangent = c.copy()
        for phi, w, beta in zip(self.layers, weights[1:], biases[1:], strict=True):
            dual = phi.kernel()
            slope = dual.slope(c, s1, s2)
            if same is not None:
                slope[same, same] = dual.slope_second(s1)
            slope *= w
            tangent *= slope
            c = dual.product(c, s1, s2)
            s1, s2 = dual.second(s1), dual.second(s2)
            if same is not None:
                c[same, same] = s1
            c, s1, s2 = _affine(c, s1, s2, w, beta)
            tangent += c
        return tangent


@dataclass(frozen=True, eq=False)
class DotProductKernel(_KernelBase):
    r"""K(x, x') = f(x.x'/d), for a function f with non-negative Taylor coefficients.

    Parameters
    ----------
    function : callable
        f, elementwise on float64 arrays.
    derivative : callable, optional
        f'. By default a central difference of order 8 (relative error about 1e-11 for smooth f).

    C0 = f(|m|^2/d), C1 = f'(|m|^2/d), nugget = f(tr(Sigma)/d + |m|^2/d) - C0 - C1 tr(Sigma)/d.

    Validity: El Karoui 2010, Theorem 2.1 (the kernel matrix's linear form, for smooth f).

    Examples
    --------
    >>> import numpy as np
    >>> [round(value, 6) for value in DotProductKernel(np.exp).linearise(1.0)]
    [1.0, 1.0, 0.718282]
    """

    function: Callable[[Any], Any]
    derivative: Callable[[Any], Any] | None = None
    label: str = field(init=False, default="")

    name = "dot-product"

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise fail("function", "a function of x.x'/d", self.function)
        if self.derivative is not None and not callable(self.derivative):
            raise fail("derivative", "a function of x.x'/d, or None", self.derivative)
        object.__setattr__(self, "label", name_of(self.function))

    def __str__(self) -> str:
        return f"dot-product kernel, {self.label}"

    def _at(self, x: float) -> float:
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
            return float(np.asarray(self.function(np.array([x])), dtype=np.float64)[0])

    def linearise(self, variance: float, mean_square: float = 0.0) -> LinearKernel:
        constant = self._at(mean_square)
        if self.derivative is not None:
            slope = float(np.asarray(self.derivative(np.array([mean_square])), dtype=np.float64)[0])
        else:
            h = 0.02 * variance
            pairs = ((1, 4 / 5), (2, -1 / 5), (3, 4 / 105), (4, -1 / 280))
            slope = sum(weight * (self._at(mean_square + k * h) - self._at(mean_square - k * h)) for k, weight in pairs) / h
        nugget = self._at(mean_square + variance) - constant - slope * variance
        if not np.isfinite(nugget) or slope < 0 or nugget < -1e-9 * abs(constant + slope * variance):
            raise fail("function", "a positive-definite dot-product kernel (f' >= 0 and f(q) >= f(0) + f'(0) q)", self.label)
        return LinearKernel(constant, slope, max(nugget, 0.0))

    def _fill(self, overlap: FloatArray, q1: FloatArray, q2: FloatArray, same: FloatArray | None) -> FloatArray:
        if same is not None:
            overlap[same, same] = q1
        return np.asarray(self.function(overlap), dtype=np.float64)

    def to_dict(self) -> dict[str, Any]:
        """The description that saved results carry: the function by name."""
        return {"name": self.name, "function": self.label}


def _affine(c: FloatArray, s1: FloatArray, s2: FloatArray, w: float, beta: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """w K + beta, the block in place."""
    if w != 1:
        c *= w
    if beta:
        c += beta
    return c, w * s1 + beta, w * s2 + beta
