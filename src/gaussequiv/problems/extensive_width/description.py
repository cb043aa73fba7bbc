r"""`ExtensiveWidth`: a shallow network of width k = gamma d, learned from n = alpha2 d^2 samples.

y = v . sigma(W x/sqrt(d))/sqrt(k) + sqrt(noise) xi,   x ~ N(0, 1_d)
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gaussequiv.curve import Curve, Observable
from gaussequiv.errors import AccuracyWarning, ArgumentError, FloatArray, choice, fail, grid, integer, number
from gaussequiv.ingredients.activations.base import get as get_activation
from gaussequiv.ingredients.priors import named as priors
from gaussequiv.numerics.status import Status
from gaussequiv.problems.base import Axis, Key, Solvable
from gaussequiv.problems.extensive_width.branches import Branch, WideEvolution, WideTransitions
from gaussequiv.problems.extensive_width.kernel_parts import KernelParts
from gaussequiv.problems.extensive_width.matrix_prior import MatrixPrior

BRANCHES = ("universal", "specialised", "equilibrium")
READOUTS = {"ones": ((1.0,), (1.0,)), "rademacher": ((-1.0, 1.0), (0.5, 0.5))}
MEANING = "alpha2 is the number of samples per squared input dimension, n/d^2."
AXIS = Axis("alpha2", "samples per squared input dimension, n/d²")
TEST_ROWS = 4000
FEWEST = 3.0  # rows per input dimension, below which a size is none of this scaling
WORDS = {
    "test_error": Observable("mean squared error of fresh labels"),
    "clean_error": Observable("mean squared error of fresh labels without their noise"),
    "matrix_overlap": Observable("overlap of estimate and matrix W' diag(v) W, beyond multiples of the identity"),
    "neuron_overlap": Observable("overlap of a neuron's weights with the target's"),
    "free_entropy": Observable("mean log-evidence per sample", "nats"),
    "kernel_error": Observable("mean squared error of fresh labels by the best quadratic kernel"),
}


@dataclass(frozen=True, eq=False)
class ExtensiveWidth(Solvable):
    r"""Bayes-optimal learning of a shallow network of any activation from quadratically many samples, n = alpha2 d^2.

    At n ~ d the network is a linear model with noise; here its quadratic part is learned as well, through the d x d matrix
    S0 = W' diag(v) W/sqrt(k d) (universal branch: all higher degrees are noise), and beyond a transition its neurons one by one
    (specialised branch). With a quadratic activation, ``"hermite:2"``, the universal branch is all there is and the error is that of
    Maillard et al. 2024, eq. 6; without noise it vanishes from alpha2 = gamma - gamma^2/2 on (1/2 from gamma = 1).

    Parameters
    ----------
    activation : str, function or `Activation`
        sigma.
    width_ratio : float, positive
        gamma = k/d.
    readouts : "ones", "rademacher", or `Discrete` prior with mean square 1
        The law of v, which is known to the learner.
    noise : float, not negative
        Variance of the labels' noise.
    unit_noise : float, not negative
        Variance of noise that is added to the input of every unit, anew for every sample.
    weights : str or Prior
        Of the entries of W, of variance 1: "gaussian", "rademacher", ... The universal branch does not depend on it.
    branch : "universal", "specialised" or "equilibrium"
        "universal": what message passing reaches (and the trials run). "specialised": the most informed solution; where there is none,
        the universal one. "equilibrium": the one of largest free entropy.

    Observables: test_error, clean_error, matrix_overlap (of S0), neuron_overlap (theory), free_entropy (theory), kernel_error (theory: the
    best kernel of degree two, which knows the activation but not that S0 comes from neurons).

    Validity: replica results; the universal branch of quadratic activations is conjectured exact with a matching algorithm (Maillard,
    Troiani, Martin, Krzakala, Zdeborova 2024), the specialised branch is the ansatz of Barbier, Camilli, Nguyen, Pastore, Skerk 2025
    (arXiv:2505.24849, Result 1), within 2% of Monte Carlo sampling at d = 150. It asks for v^2 = 1.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> curve = ge.solve(ExtensiveWidth("hermite:2", width_ratio=0.5), [0.1, 0.2, 0.3, 0.375])
    >>> curve.clean_error.values.round(4).tolist()
    [0.7237, 0.3922, 0.1281, 0.0]
    """

    activation: Any = "hermite:2"
    width_ratio: float = 0.5
    readouts: Any = "ones"
    noise: float = 0.0
    unit_noise: float = 0.0
    weights: Any = "gaussian"
    branch: str = "universal"
    values: FloatArray = field(init=False, repr=False)
    masses: FloatArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "activation", get_activation(self.activation))
        object.__setattr__(self, "width_ratio", number("width_ratio", self.width_ratio, positive=True, meaning="It is k/d."))
        object.__setattr__(self, "noise", number("noise", self.noise, nonnegative=True))
        object.__setattr__(self, "unit_noise", number("unit_noise", self.unit_noise, nonnegative=True))
        object.__setattr__(self, "weights", priors.get(self.weights))
        if abs(self.weights.second_moment - 1) > 1e-9 or abs(float(self.weights.posterior(0.0, 0.0).mean)) > 1e-9:
            raise fail("weights", "a prior of mean 0 and variance 1", self.weights.name)
        choice("branch", self.branch, BRANCHES)
        if isinstance(self.readouts, priors.Discrete):
            values, masses = self.readouts.values, self.readouts.probabilities
        elif isinstance(self.readouts, str) and self.readouts in READOUTS:
            values, masses = (np.array(part) for part in READOUTS[self.readouts])
        else:
            raise fail("readouts", "'ones', 'rademacher' or a Discrete prior", self.readouts)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "masses", masses)
        if abs(float(self.masses @ self.values**2) - 1) > 1e-9:
            raise fail("readouts", "a law of mean square 1", f"mean square {float(self.masses @ self.values**2):.6g}")
        if self.branch != "universal" and np.ptp(np.abs(self.values)) > 1e-12:
            raise fail("branch", "'universal' where readouts differ in size, as neurons then specialise one after another", self.branch)
        if self.parts.second <= 0:
            raise fail("activation", "a function that is not zero", self.activation.name)

    @property
    def axis(self) -> Axis:
        """alpha2 = n/d^2."""
        return AXIS

    @cached_property
    def parts(self) -> KernelParts:
        """What the activation contributes, degree by degree."""
        return KernelParts(self.activation, self.unit_noise)

    @cached_property
    def matrix(self) -> MatrixPrior:
        """The law of W' diag(v) W."""
        return MatrixPrior(self.width_ratio, tuple(self.values.tolist()), tuple(self.masses.tolist()))

    @property
    def label_noise(self) -> float:
        """Variance of all noise in a label: its own and that of the units, which is Gaussian in the sum of many."""
        return self.noise + self.parts.inner_noise

    @cached_property
    def _evolution(self) -> WideEvolution:
        return WideEvolution(self.matrix, self.parts, self.weights, self.label_noise)

    def smoothed(self, z: FloatArray) -> FloatArray:
        """E sigma(z + unit noise)."""
        if self.unit_noise == 0:
            return self.activation(z)
        mean: FloatArray = self.activation.neurons(z.ravel(), np.full(z.size, np.sqrt(self.unit_noise))).mean.reshape(z.shape)
        return mean

    def kernel_error(self, alpha2: FloatArray) -> FloatArray:
        r"""Clean error of the best kernel of degree two: S0 as if its entries were independent (Barbier et al. 2025; gamma -> infinity).

        g(1) + (-b + sqrt(b^2 + 4 s t))/2,   s = mu_2^2/2,   t = noise + g(1),   b = t + 2 alpha2 s - s
        """
        s, t = self.parts.mu_2_square / 2, self.label_noise + self.parts.floor
        b = t + 2 * alpha2 * s - s
        root = np.sqrt(b * b + 4 * s * t)
        positive = 2 * s * t / np.maximum(root + b, 1e-300)
        return np.asarray(self.parts.floor + np.where(b > 0, positive, (root - b) / 2))

    def _branch(self, alpha2: FloatArray) -> Branch:
        chosen = self._evolution.universal(alpha2)
        others = self._evolution.specialised(alpha2) if self.branch != "universal" else []
        for other in others:
            better = np.isfinite(other.error)
            if self.branch == "equilibrium":
                better &= other.free_entropy > chosen.free_entropy
            chosen = Branch(*(np.where(better, new, old) for new, old in zip(other, chosen, strict=True)))
        return chosen

    def transitions(self) -> WideTransitions:
        """alpha2 of perfect recovery, of the onset of specialisation, and of its first-order transition: spinodal and equilibrium.

        Examples
        --------
        >>> [round(value, 3) for value in ExtensiveWidth("hermite:3", noise=1.25).transitions()]
        [nan, nan, 1.403, 1.523]
        """
        return self._evolution.transitions()

    def theory(self, points: ArrayLike | None, size: int | None = None) -> Curve:
        """The branch at every alpha2; a size rounds n and k, and changes nothing else."""
        alpha2 = grid("alpha2", [] if points is None else points, meaning=MEANING)
        if self.label_noise == 0 and self.parts.mu_2_square == 0 and self.parts.floor == 0:
            raise fail(
                "activation", "a function that is not linear, or noise: a linear target is known from n ~ d samples", self.activation.name
            )
        found = self._branch(alpha2)
        values = {
            "test_error": found.error + self.label_noise,
            "clean_error": found.error,
            "matrix_overlap": found.matrix_overlap,
            "neuron_overlap": found.neuron_overlap,
            "free_entropy": found.free_entropy,
            "kernel_error": self.kernel_error(alpha2) + self.label_noise,
            "status": np.full(alpha2.shape, float(Status.converged)),
            "steps": found.steps,
        }
        return Curve(values, labels=WORDS, attributes={"activation": self.activation.name}, judged="test_error", citations=self.citations())

    def trial(self, points: ArrayLike, size: int | None, key: Key, *, test: int = TEST_ROWS, max_steps: int = 1000) -> Curve:
        """Message passing on the data of one true network; its rows at a smaller alpha2 are the first of those at a larger one."""
        from gaussequiv.problems.extensive_width.trial import message_passing

        if self.branch != "universal":
            raise fail("branch", "'universal' for trials: message passing does not find neurons", self.branch)
        alpha2 = grid("alpha2", points, meaning=MEANING)
        d = integer("d", size, minimum=2, meaning="d is the input dimension.")
        least = float(alpha2.min())
        if least * d < FEWEST:
            warnings.warn(
                f"alpha2 = {least:.4g} at d = {d} is n = {least * d:.3g} d: so few rows belong to n ~ d, where the theory of "
                f"Problem(DeepNetwork({self.activation.name!r})) holds; here d above {FEWEST / least:.0f} would do.",
                AccuracyWarning,
                stacklevel=4,
            )
        test, max_steps = integer("test", test, minimum=1), integer("max_steps", max_steps, minimum=1)
        rows = [max(1, round(float(value) * d * d)) for value in alpha2]
        measured = [message_passing(self, d, n, key, test, max_steps) for n in rows]
        out = {name: np.array([float(one._asdict()[name]) for one in measured]) for name in measured[0]._fields}
        return Curve(out, labels=WORDS, attributes={"d": d, "activation": self.activation.name}, judged="test_error")

    def to_dict(self) -> dict[str, Any]:
        """kind and the fields."""
        readouts = self.readouts if isinstance(self.readouts, str) else self.readouts.name
        own = {"activation": self.activation.name, "width_ratio": self.width_ratio, "readouts": readouts, "noise": self.noise}
        return {"kind": "extensive_width"} | own | {"unit_noise": self.unit_noise, "weights": self.weights.name, "branch": self.branch}

    def citations(self) -> tuple[str, ...]:
        """The formulas and the algorithm."""
        return ("maillard2024", "barbier2025")


def from_dict(description: Mapping[str, Any], parts: Mapping[str, Any] | None = None) -> ExtensiveWidth:
    """The problem again; a user's activation, weights and readouts come from `parts` by their names."""
    own = {
        name: (parts or {}).get(value, value) if isinstance(value, str) else value for name, value in description.items() if name != "kind"
    }
    try:
        return ExtensiveWidth(**own)
    except TypeError as error:
        raise ArgumentError(f"Argument `problem` must have the fields of an extensive-width network, but does not: {error}.") from None
