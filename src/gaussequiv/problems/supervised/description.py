"""`Problem`: inputs x target x features x learner, the description that every verb takes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gaussequiv._memory import FLOAT, require_memory
from gaussequiv.curve import Curve
from gaussequiv.equivalence.feature_equivalent import from_features
from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent, from_network
from gaussequiv.equivalence.validity import Promise, assess, promise
from gaussequiv.errors import fail, integer
from gaussequiv.ingredients.features import given as features
from gaussequiv.ingredients.features.base import FeatureMatrix, GivenFeatures
from gaussequiv.ingredients.inputs import base as inputs
from gaussequiv.ingredients.inputs.base import GaussianInputs
from gaussequiv.ingredients.targets import base as targets
from gaussequiv.ingredients.targets.deep_network import DeepNetwork
from gaussequiv.learners.base import Learner, as_learner
from gaussequiv.learners.bayes.bayes_optimal import BayesOptimal
from gaussequiv.problems.base import Axis, Key, Solvable
from gaussequiv.problems.supervised.axis import ALPHA
from gaussequiv.problems.supervised.fields import fits, misplaced, replaced

_EXPECTED = {
    "target": "a DeepNetwork or a LinearTarget",
    "inputs": "GaussianInputs, or DataInputs(X) for the rows of a data matrix",
    "features": "features such as RandomFeatures('erf', ratio=2), a kernel such as NNGP('erf'), or None",
}


@dataclass(frozen=True, eq=False)
class Problem(Solvable):
    """What is learned from what.

    Parameters
    ----------
    target : DeepNetwork or LinearTarget
        The function to be learned, with its label noise.
    inputs : GaussianInputs or DataInputs
        Default: isotropic Gaussian.
    learner : learner, or a sequence of learners
        With a sequence, results have a `learner` dimension and simulations share the same draws, so that differences
        between learners are paired.
    features : RandomFeatures, GivenFeatures, FeatureMatrix, or a kernel (NNGP, NTK, DotProductKernel), optional
        What the learners see in place of the raw inputs. `BayesOptimal`, which knows the target's law, always sees the inputs.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> problem = Problem(target=ge.DeepNetwork("erf"), learner=ge.Ridge("optimal"))
    >>> round(problem.equivalent().lam_optimal, 10)
    0.0945914843
    """

    target: Any = field(default_factory=DeepNetwork)
    inputs: Any = field(default_factory=GaussianInputs)
    learner: Any = field(default_factory=BayesOptimal)
    features: Any = None
    _learners: tuple[Learner, ...] = field(init=False, repr=False, default=())
    _equivalents: dict[Any, GaussianEquivalent] = field(init=False, repr=False, default_factory=dict)
    _plans: dict[str, Any] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for part, value in (("target", self.target), ("inputs", self.inputs), ("features", self.features)):
            expected = _EXPECTED[part]
            if not fits(part, value) and not (part == "features" and value is None):
                raise fail(part, expected, value, misplaced(part, value))
        object.__setattr__(self, "target", targets.get(self.target))
        object.__setattr__(self, "inputs", inputs.get(self.inputs))
        object.__setattr__(self, "features", None if self.features is None else features.get(self.features))
        if isinstance(self.features, FeatureMatrix):
            self.features.check(self.inputs)
        if isinstance(self.features, GivenFeatures) and self.inputs.dimension not in (None, self.features.dimension):
            raise fail("weights[0]", f"of {self.inputs.dimension} rows, the dimension of the inputs", self.features.weights[0])
        if isinstance(self.learner, str):
            raise fail("learner", "a learner such as BayesOptimal() or Ridge(0.1), not its name", self.learner)
        if isinstance(self.learner, Sequence):
            object.__setattr__(self, "learner", tuple(self.learner))
        given = self.learner if isinstance(self.learner, tuple) else (self.learner,)
        if not given:
            raise fail("learner", "a learner or a non-empty sequence of learners", self.learner)
        adapted = tuple(as_learner(one, "" if fits("learner", one) else misplaced("learner", one)) for one in given)
        object.__setattr__(self, "_learners", adapted)
        labels = [learner.label for learner in self.learners]
        if len(set(labels)) < len(labels):
            raise fail("learner", "a sequence of different learners", labels)
        if any(learner.sees_inputs for learner in self.learners):
            check_not_hidden(self, "learner", ", ".join(labels))

    @property
    def learners(self) -> tuple[Learner, ...]:
        """All learners, also when there is one; an object with the required members alone has the contract's defaults for the rest."""
        return self._learners

    @property
    def hidden(self) -> bool:
        """Whether the target is a function of latents behind the inputs."""
        return self.inputs.seen_by_target is not self.inputs

    @property
    def dimension(self) -> int | None:
        """The input dimension that the inputs or the features fix, or None."""
        fixed: int | None = self.inputs.dimension
        return self.features.dimension if fixed is None and self.features is not None else fixed

    def dimension_of(self, d: int | None) -> int | None:
        """A checked input dimension: that of the inputs where they have one, and small enough for the memory."""
        if d is None:
            return None
        size = integer("d", d, minimum=1, meaning="d is the input dimension.")
        require_memory(FLOAT * size, "d", size, "the eigenvalues of the inputs")
        if self.inputs.dimension not in (None, size):
            raise fail("d", f"{self.inputs.dimension}, the dimension of the inputs", d)
        return size

    @property
    def task(self) -> str:
        """Regression or classification."""
        return str(self.target.channel.task)

    def sees_features(self, learner: Any) -> bool:
        """Whether a learner is trained on the problem's features (True) or on the raw inputs."""
        return self.features is not None and not as_learner(learner).sees_inputs

    def equivalent(self, d: int | None = None) -> GaussianEquivalent:
        """The Gaussian equivalent, in the limit or with the eigenvalues that a simulation of size d uses.

        With features it is the students' one if all learners see them; `equivalent_of` gives that of one learner.
        """
        return self._equivalent(all(self.sees_features(learner) for learner in self.learners), self.dimension_of(d))

    def equivalent_of(self, learner: Any, d: int | None = None) -> GaussianEquivalent:
        """The equivalent that one learner sees."""
        d = self.dimension_of(d)
        risk = as_learner(learner).risk
        if risk is not None and risk.penalty.root is not None:
            return self._under_form(risk.penalty, d)
        return self._equivalent(self.sees_features(learner), d)

    def validity(self, n: int | None = None, d: int | None = None, widths: int | Sequence[int] | None = None) -> Promise:
        """Which hypotheses of the theorem the target and its inputs meet, and what the theorem promises at n samples, d inputs and widths.

        The rate (1 + sqrt(n/d_m) + n/d_m)/sqrt(d_m), d_m = min(d, widths), for every reduced layer and for all of them; see `Promise`.

        Parameters
        ----------
        n, d : int, optional
            Training samples and input dimension (data and covariance matrices fix it). Without them: hypotheses and scaling, no numbers.
        widths : int or sequence of int, optional
            Widths of the hidden layers; by default those that a simulation of the target uses.

        Returns
        -------
        Promise, which prints words and has `to_dict()`.

        Raises
        ------
        ArgumentError : n without d, or widths that do not fit the target's depth.

        Validity: theorem under the hypotheses listed, isotropic Gaussian inputs and Bayes-optimal learning (Camilli, Tieplova, Bergamin,
        Barbier 2025, Theorems 1, 2 and 4, Corollary 3).

        Examples
        --------
        >>> promise = Problem(DeepNetwork("tanh", depth=2, noise=0.1)).validity(n=1000, d=1000)
        >>> promise.validity.status, promise.smallest, round(promise.rate, 6)
        ('theorem', 1000, 0.094868)
        """
        n = None if n is None else integer("n", n, minimum=1, meaning="n is the number of training samples.")
        d = self.inputs.dimension if d is None else self.dimension_of(d)
        if d is None and (n is not None or widths is not None):
            raise fail("d", "given together with n and widths", d, "d is the input dimension.")
        if widths is not None and not isinstance(self.target, DeepNetwork):
            raise fail("widths", "left out for a target without hidden layers", widths)
        target = self.target if widths is None else replace(self.target, widths=widths, activations=self.target.layers)
        return promise(assess(self.inputs, self.target), n, d, () if d is None or target.depth == 0 else target.widths_at(d))

    def _under_form(self, penalty: Any, d: int | None) -> GaussianEquivalent:
        """The equivalent in the coordinates v = Gamma^(-1/2) x, in which the penalty w' Gamma w is the plain |w|^2."""
        if self.features is not None:
            raise fail("penalty", "l2 for features and kernels", penalty.name)
        root = penalty.root
        size = root.shape[0]
        if d not in (None, size) or self.inputs.dimension not in (None, size):
            raise fail("penalty", f"a quadratic form of dimension {d or self.inputs.dimension}, that of the inputs", root)
        back = np.diag(1 / root) if root.ndim == 1 else np.linalg.inv(root).T
        key = (penalty.digest, size)
        if key not in self._equivalents:
            found = from_features(self.inputs, self.target, GivenFeatures([back], activations="linear"), size)
            self._equivalents[key] = replace(found, form=key[0])
        return self._equivalents[key]

    def _equivalent(self, features: bool, d: int | None) -> GaussianEquivalent:
        d = d if d is not None or self.features is None else self.features.dimension
        if not features:
            return from_network(self.inputs, self.target, d)
        if d not in self._equivalents:  # sampled features cost an eigendecomposition
            self._equivalents[d] = from_features(self.inputs, self.target, self.features, d)
        return self._equivalents[d]

    @property
    def axis(self) -> Axis:
        """alpha = n/d, at an input dimension d."""
        return ALPHA

    def theory(
        self,
        points: ArrayLike | None,
        size: int | None = None,
        *,
        n: ArrayLike | None = None,
        sensitivity: Sequence[str] = (),
        margins: ArrayLike | None = None,
        probabilities: ArrayLike | None = None,
        scores: bool = False,
    ) -> Curve:
        """The exact curve in the limit n, d -> infinity at fixed alpha = n/d, dims ([learner,] alpha).

        Parameters
        ----------
        points : array of shape (points,), positive
            alpha. Or give `n` and a size.
        size : int, optional
            Take the spectrum at this d instead of its limit.
        n : array of shape (points,), optional
            Numbers of training samples; needs a size (or inputs that fix it).
        sensitivity : sequence of str
            Parameters in which to differentiate the curve: "lam", "alpha", "noise" (label noise), "effective_noise", "signal" (relative),
            or a number of the loss or penalty. The derivatives come as ``d_<observable>_d_<parameter>``.
        margins, probabilities : arrays, optional
            For ridge and convex learners on labels: also P(y z <= margin) on fresh and training rows (test_margin_cdf, train_margin_cdf)
            and P(y = +1 | predicted probability) (calibration; losses that give a probability).
        scores : bool
            On labels: also auc of ridge and auc, log_loss, brier, calibration_error of the Bayes-optimal predictive probability, which
            cost more than the curves themselves. Convex learners always have them.
        """
        from gaussequiv.problems.supervised.theory import theory

        return theory(self, points, size, n, sensitivity, margins, probabilities, scores)

    def trial(
        self,
        points: ArrayLike,
        size: int | None,
        key: Key,
        *,
        test_samples: int | None = None,
        normalise_teacher: bool = False,
        margins: ArrayLike | None = None,
        probabilities: ArrayLike | None = None,
        scores: bool = False,
    ) -> Curve:
        """One true network (and the students' random features), the learners trained on its labels, measured on fresh rows.

        Several learners share the draws: their differences are paired. One decomposition serves all ridge penalties.

        Parameters
        ----------
        points : array of shape (points,), positive
            The sample sizes are n = round(alpha d) (at least 2), in increasing order; the curve's alpha is n/d. The sets are nested.
        size : int
            Input dimension; data and covariance matrices fix it.
        test_samples : int, optional
            Fresh test rows (default max(2 d, 4096); for a data matrix a quarter of its rows).
        normalise_teacher : bool
            Rescale the readout to its expected norm: less variance over teachers, the same limit. Recorded in the result.
        margins, probabilities : arrays, optional
            For convex learners on labels: also measure P(y z <= margin) on test and training rows, and the frequency of +1 among rows of
            about each predicted probability (a loss that gives one).
        scores : bool
            Also measure ranking and probabilities of ridge and Bayes-optimal learners on labels, as `theory` does.

        The Bayes-optimal learner is simulated by its equivalent's posterior mean in regression and by message passing in classification.
        Kernel students are trained on the true kernel matrix.
        """
        from gaussequiv.problems.supervised.scored import distribution_grids
        from gaussequiv.problems.supervised.teacher import make_plan
        from gaussequiv.problems.supervised.trial import trial

        given = json.dumps([np.asarray(points, dtype=float).tolist(), size, test_samples, bool(normalise_teacher), bool(scores)])
        grids = distribution_grids(self, margins, probabilities)
        asked = given + "".join(f"{name}{values.tolist()}" for name, values in grids.items())
        if asked not in self._plans:  # the trials of one call share what does not depend on the draw
            plan = make_plan(self, points, size, test_samples, normalise_teacher, grids=grids, scores=bool(scores))
            self._plans.clear()
            self._plans[asked] = plan
        return trial(self._plans[asked], key)

    def algorithm(
        self,
        point: float,
        size: int | None = None,
        *,
        start: str | float = "uninformed",
        variances: str = "scalar",
        test_samples: int | None = None,
        normalise_teacher: bool = False,
    ) -> Solvable:
        """Message passing at one alpha, step by step: see `MessagePassing`."""
        from gaussequiv.problems.supervised.message_passing import MessagePassing

        return MessagePassing(self, point, size, start, variances, test_samples, normalise_teacher)

    def citations(self) -> tuple[str, ...]:
        """Keys of the papers behind the equivalent and the learners."""
        keys = ["cui2023", "camilli2025"] + (["schroder2023"] if self.features is not None else [])
        return tuple(dict.fromkeys([*keys, *self.inputs.citations, *(key for learner in self.learners for key in learner.citations)]))

    def with_parameter(self, name: str, value: Any) -> Problem:
        """The same problem with one field of its target, inputs, features or (single) learner replaced; used by sweeps.

        The first owner of the name has it; "features.depth" names the owner, too, and "prior.density" a field of the target's prior.
        """
        return replaced(self, name, value)

    def to_dict(self) -> dict[str, Any]:
        """A description that JSON, TOML and saved results carry. Functions are kept by name, matrices by shape and digest."""
        learners = [learner.to_dict() for learner in self.learners]
        features = {} if self.features is None else {"features": self.features.to_dict()}
        return {
            "target": self.target.to_dict(),
            "inputs": self.inputs.to_dict(),
            **features,
            "learner": learners if isinstance(self.learner, tuple) else learners[0],
        }


def check_supervised(problem: Any) -> None:
    """The error for a target alone, or a problem of another kind, where optimal learning of a supervised problem is meant."""
    if not isinstance(problem, Problem):
        raise fail("problem", "a Problem, e.g. ge.Problem(target)", problem)
    check_not_hidden(problem, "problem", problem.inputs)


def check_not_hidden(problem: Problem, argument: str, value: Any) -> None:
    """The error for latents behind the inputs where the law of the labels given the inputs is asked for."""
    if problem.hidden:
        words = "one that learns from rows and labels alone" if argument == "learner" else "one whose target sees the inputs"
        meaning = "Here it sees latents, of which the inputs say more than their linear part: how much is not known."
        raise fail(argument, words, str(value), meaning)
