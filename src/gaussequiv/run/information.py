"""`information`: how much a training set tells about its target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from gaussequiv.curve import Curve
from gaussequiv.equivalence.depth import PartialReduction
from gaussequiv.equivalence.validity import assess, reduction_rate
from gaussequiv.errors import integer
from gaussequiv.learners.bayes import information as formulas
from gaussequiv.learners.bayes.bayes_optimal import BayesOptimal
from gaussequiv.learners.bayes.observables import INFORMATION
from gaussequiv.problems.supervised.axis import WORDS
from gaussequiv.problems.supervised.description import Problem, check_supervised
from gaussequiv.problems.supervised.theory import alpha_points
from gaussequiv.results import dataset
from gaussequiv.run.provenance import provenance, warn_unconverged

if TYPE_CHECKING:
    import xarray as xr


def information(
    problem: Problem, alpha: ArrayLike | None = None, *, n: ArrayLike | None = None, d: int | None = None, keep: int = 0
) -> xr.Dataset:
    r"""Mutual information between a training set and the target's parameters, and entropy of the labels, for n, d -> infinity at fixed n/d.

        I(theta, xi; D) = I(theta; D) + I(xi; D|theta) = H(D|X) - H(D|X, theta, xi)

    D are n labels of inputs X, theta the weights of the target's equivalent: a linear one (keep=0), or its `keep` lowest layers and a
    readout; xi is what the nonlinear parts of the layers above add, which no student can tell from noise at n ~ d. The left side is the
    information that D carries about the whole network. To leading order it is the same for every `keep`; only its split changes.
    The problem's learner and features play no role.

    Parameters
    ----------
    problem : Problem
    alpha : array of shape (points,), positive
        Samples per input dimension. Or give `n` and `d`.
    n : array of shape (points,), optional
        Numbers of training samples; needs `d` (or inputs that fix it).
    d : int, optional
        Take the spectrum at this size, and report the theorem's rates there.
    keep : int
        Hidden layers left, from 0 to the target's depth.

    Returns
    -------
    Dataset with dims (alpha,), in nats:
    mutual_information : I(theta; D)/d, per input dimension.
    mutual_information_per_sample : I(theta, xi; D)/n, per sample; infinite for real labels without noise.
    conditional_information : I(xi; D|theta)/n.
    layer_information : dims (layer,): the part of I(theta, xi; D)/n due to each hidden layer's nonlinear part, given what lies below;
        layers above `keep` sum to conditional_information.
    label_entropy : H(D|X)/n, differential for real labels; free_entropy_per_sample, E log P(D|X)/n, is minus it.
    label_noise_entropy : H(D|X, theta, xi)/n, of the label noise alone.
    predictive_entropy : entropy of one more label given D, which is the log-loss of the Bayes-optimal learner.
    overlap, q, qhat, status, steps, residual : the Bayes-optimal fixed point (of several, that of largest free entropy).
    reduction_rate : dims (layer, alpha), with `d` only: the rate of the theorem's bound on what replacing this layer, when it is the
        highest left, changes in I(theta, xi; D)/n; its constant is unknown (`Problem.validity`).
    Attributes kept, eta, gamma: S = eta a.h_k/sqrt(d_k) + sqrt(gamma) xi.

    Raises
    ------
    ArgumentError : a value is out of range, or the label law has no `psi` and `fisher`.

    Validity: theorem for odd smooth activations, isotropic inputs, real labels with noise (Camilli, Tieplova, Bergamin, Barbier 2025,
    eq. 11, Theorem 1, Corollary 3, Lemma 18); otherwise replica result or extension verified numerically, as the attribute `validity`
    says.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> problem = ge.Problem(ge.DeepNetwork("tanh", depth=2, weight_variance=4, noise=0.2))
    >>> found = information(problem, alpha=[0.5, 1.0])
    >>> found.mutual_information.values.round(6).tolist()
    [0.175294, 0.31961]
    """
    check_supervised(problem)
    points, samples, d = alpha_points(problem, alpha, n, d)
    keep = integer("keep", keep, minimum=0, meaning="It is the number of hidden layers left.")
    equivalent = problem.equivalent_of(BayesOptimal(), d)
    found = Curve(formulas.information_curve(equivalent, points, keep), labels=INFORMATION).only_solved()
    variables: dict[str, tuple[tuple[str, ...], Any]] = {name: (("alpha",), values) for name, values in found.items()}
    variables["layer_information"] = (("layer",), formulas.layer_information(equivalent))
    size = d if d is not None else problem.inputs.dimension
    depth = len(equivalent.layers)
    if size is not None and depth:
        widths = problem.target.widths_at(size)
        smallest = np.minimum.accumulate([size, *widths])[1:, None]
        variables["reduction_rate"] = (("layer", "alpha"), reduction_rate(points * size, smallest))
    partial = equivalent.partial(keep) if depth else PartialReduction(0, float(np.sqrt(equivalent.slope2)), 0.0)
    validity = assess(problem.inputs, problem.target)
    attributes = provenance(problem, "information", {"d": d, "keep": keep or None}, ("barbier2019",)) | {
        "task": problem.task,
        "source": "theory",
        "kept": keep,
        "eta": partial.eta,
        "gamma": partial.gamma,
        "validity": f"{validity.status}: {validity.reason}",
    }
    coordinates: dict[str, Any] = {"alpha": points, "layer": np.arange(1, depth + 1)}
    if samples is not None:
        coordinates["n"] = ("alpha", samples)
        attributes["d"] = size
    result = dataset(variables, coordinates, attributes, INFORMATION | WORDS)
    warn_unconverged(result)
    return result
