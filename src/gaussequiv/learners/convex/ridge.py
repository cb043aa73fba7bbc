"""Ridge regression on inputs, features or a kernel: exact test and train error, any spectrum, any penalty, none, or the optimal one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv._text import exact
from gaussequiv.curve import Curve
from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import FloatArray, fail, number
from gaussequiv.ingredients.losses.named import Square
from gaussequiv.ingredients.penalties.base import L2
from gaussequiv.learners.base import Gives, Learner, Risk, Tunable
from gaussequiv.learners.convex.labels import LinearLabels, linearise
from gaussequiv.learners.convex.observables import CONVEX
from gaussequiv.learners.convex.optimal_lam import optimal_lam
from gaussequiv.learners.convex.ridge_curve import ridge_curve, student_fields, student_moments
from gaussequiv.learners.convex.scores import area_under_curve
from gaussequiv.numerics.effective_ridge import solve_effective_ridge
from gaussequiv.numerics.keys import Key
from gaussequiv.numerics.ranges import Range

if TYPE_CHECKING:
    from gaussequiv.samples.training_sample import LinearPredictor, TrainingSample


@dataclass(frozen=True)
class Ridge(Learner):
    r"""min_w sum_mu (y_mu - c - w.v_mu/sqrt(p))^2/2 + (lam/2) |w|^2, in regression or on +-1 labels; v the student's p inputs or features.

    With load = n/p (alpha for raw inputs), kappa the root of (lam + nugget)/kappa + mean[w/(w+kappa)] = load (nugget: kernels only),
    df2 = mean[w^2/(w+kappa)^2] and signal modes v:

        bias = kappa^2 mean[v/(w+kappa)^2],   excess = (load bias + tau df2)/(load - df2),   test_error = tau + excess,
        train_error = test_error (lam/(load kappa))^2     (mean squared residual),   V = load kappa/lam - 1,

    and load - df2 = (lam + nugget)/kappa + kappa mean[w/(w+kappa)^2] exactly, so nothing cancels at the interpolation peak.

    Parameters
    ----------
    lam : float >= 0, infinity, or "optimal"
        Penalty of the student field w.v/sqrt(p): scikit-learn's ``Ridge(alpha=lam)`` on V/sqrt(p), or alpha = p lam on raw V; for a kernel
        ``KernelRidge(alpha=lam)``. 0 is the minimum-norm solution. "optimal" minimises the test error by solving for its stationary point:
        tau/s in regression on raw inputs, (1-c)/c on sign labels of isotropic inputs with c = (2/pi) s/rho.
        With a kernel of linear part C1 it is C1 tau/s - nugget, which is NEGATIVE (down to -nugget) when the kernel brings more noise of
        its own than the target has; for the matched kernel it is the label noise, and the error that of `BayesOptimal`.
        Close to -nugget finite sizes converge slowly, because the kernel's diagonal fluctuates by 1/sqrt(d).
    intercept : bool or None
        Whether an unpenalised constant is fitted. None: when the target has a constant part. Where the inputs have a mean, the curve is
        the same without one: the mean's direction does it at no cost.
    constrain : bool
        With lam = "optimal": the best lam >= 0. It differs for kernels only; elsewhere the search never leaves lam >= 0.

    Observables: test_error, clean_error, train_error, floor, excess_over_floor, lam, degrees_of_freedom (mean[w/(w+kappa)], per
    input dimension), m, q, V; in regression also bias and variance, whose sum is the excess.

    Validity: exact for Gaussian data of any spectrum (Cui, Krzakala, Zdeborova 2023, eq. 19-20, kernels eq. 24; Loureiro et al. 2021); for
    deep targets, features and kernels through the equivalent.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> target = ge.DeepNetwork("tanh", depth=2, weight_variance=4)
    >>> curve = ge.solve(ge.Problem(target=target, learner=Ridge("optimal")), alpha=2.0)
    >>> f"{float(curve.lam[0]):.7f}"
    '0.3727894'
    """

    lam: Any = "optimal"
    intercept: bool | None = None
    constrain: bool = False

    name = "ridge"
    words = CONVEX
    citations = ("loureiro2021",)

    def __post_init__(self) -> None:
        if isinstance(self.lam, str):
            if self.lam != "optimal":
                raise fail("lam", "a non-negative number or 'optimal'", self.lam, "lam is the ridge penalty.")
        else:
            meaning = "lam is the ridge penalty."
            object.__setattr__(self, "lam", number("lam", self.lam, nonnegative=True, allow_infinite=True, meaning=meaning))
        if self.intercept not in (None, True, False):
            raise fail("intercept", "True, False or None", self.intercept)
        if self.constrain not in (True, False):
            raise fail("constrain", "True or False", self.constrain)

    @cached_property
    def label(self) -> str:
        """How results name this learner."""
        text = self.lam if isinstance(self.lam, str) else exact(self.lam)
        return (
            f"ridge(lam={text})"
            + ("" if self.intercept is None else f", intercept={self.intercept}")
            + (", lam>=0" if self.constrain else "")
        )

    def to_dict(self) -> dict[str, object]:
        """The description that saved results carry."""
        return {"name": self.name, "lam": self.lam, "intercept": self.intercept, "constrain": self.constrain}

    @cached_property
    def gives(self) -> Gives:
        """A ranking of labels; distributions of margins at lam > 0."""
        return Gives(ranking=True, margins=self.lam != 0)

    @cached_property
    def risk(self) -> Risk:
        """Half the squared residuals, and lam |w|^2/2."""
        return Risk(Square(), L2(), self.intercept)

    @cached_property
    def tunable(self) -> dict[str, Tunable]:
        """lam."""
        return {"lam": Tunable(self.lam, Range(0.0, np.inf, logarithmic=True))}

    @cached_property
    def family(self) -> str | None:
        """Ridge, without a forced intercept, which was not fitted."""
        return self.name if self.intercept is None else None

    def fits_intercept(self, equivalent: GaussianEquivalent) -> bool:
        """Whether this student fits a constant on this target."""
        return equivalent.has_offset if self.intercept is None else self.intercept

    def _learns_constant(self, e: GaussianEquivalent) -> bool:
        """With an intercept, or without one on inputs whose mean serves as such."""
        return self.fits_intercept(e) or e.input_mean_square > 0

    def _penalty(self, e: GaussianEquivalent, labels: LinearLabels, alpha: FloatArray) -> FloatArray:
        return optimal_lam(e, labels, alpha, self.constrain) if self.lam == "optimal" else np.full_like(alpha, self.lam)

    def label_scores(self, equivalent: GaussianEquivalent, alpha: FloatArray, curve: Curve) -> dict[str, FloatArray]:
        """auc: P(score of a +1 row > score of a -1 row) on fresh rows with binary labels, at every alpha."""
        e = equivalent
        labels = linearise(e, self._learns_constant(e))
        lam = self._penalty(e, labels, alpha)
        moments = student_moments(e, labels, solve_effective_ridge(alpha / e.aspect, lam + e.nugget, e.eigenvalues, e.weights))
        at = student_fields(e, labels, moments, np.ones_like(moments["q"]))
        return {"auc": area_under_curve(e.channel, at).reshape(moments["q"].shape) @ labels.mass}

    def solve(self, equivalent: GaussianEquivalent, alpha: FloatArray) -> Curve:
        """Exact observables at every alpha, each an array of alpha's length."""
        labels = linearise(equivalent, self._learns_constant(equivalent))
        found = ridge_curve(equivalent, labels, alpha, self._penalty(equivalent, labels, alpha))
        return Curve(found, labels=CONVEX, citations=self.citations, judged="test_error")

    def place(self, equivalent: GaussianEquivalent, lam: float) -> dict[str, float]:
        """lam over its optimum tau/s on the inputs, and lam itself, which counts for features."""
        best = equivalent.lam_optimal
        return {"lam_ratio": lam / best if 0 < best < np.inf else np.inf, "lam": lam}

    def fit(self, sample: TrainingSample, equivalent: GaussianEquivalent, key: Key = None) -> LinearPredictor:
        """Fit one training sample exactly; "optimal" takes the theory's penalty at the sample's alpha. Nothing is drawn from `key`."""
        lam = self.lam
        if lam == "optimal":
            labels = linearise(equivalent, self._learns_constant(equivalent))
            lam = float(optimal_lam(equivalent, labels, np.array([sample.alpha]), self.constrain)[0])
        return sample.ridge(lam, self.fits_intercept(equivalent))
