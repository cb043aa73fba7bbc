"""Convex empirical risk minimisation: any convex loss and penalty, exact curves through the saddle point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv._text import exact
from gaussequiv.curve import Curve
from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.equivalence.offsets import FINER
from gaussequiv.errors import ArgumentError, FloatArray, fail, number
from gaussequiv.ingredients.losses import named as losses
from gaussequiv.ingredients.penalties import base as penalties
from gaussequiv.learners.base import Gives, Learner, Predictor, Risk, Tunable
from gaussequiv.learners.convex.erm_averages import Observables, Solver, averaged_curve, from_afar
from gaussequiv.learners.convex.measured import measure_convex
from gaussequiv.learners.convex.model import Model
from gaussequiv.learners.convex.observables import CONVEX
from gaussequiv.learners.convex.routes import Routes
from gaussequiv.learners.differences import CENTRAL, EQUIVALENT_PARAMETERS, FORWARD, STEP, moved, present
from gaussequiv.numerics.keys import Key
from gaussequiv.numerics.ranges import Range
from gaussequiv.samples import empirical
from gaussequiv.samples.measured_rows import MeasuredRows

if TYPE_CHECKING:
    from gaussequiv.samples.training_sample import LinearPredictor

NONNEGATIVE = Range(0.0, np.inf, logarithmic=True)  # of lam
LAM_MEANING = "lam multiplies the penalty in sum of losses + (lam/2)|w|^2; scikit-learn's C is 1/lam."


@dataclass(frozen=True)
class ERM(Learner):
    r"""min_{w, c} sum_mu s(y_mu) l(y_mu, c + w.v_mu/sqrt(p)) + lam r(w), with the convex loss l and r(w) = |w|^2/2 by default.

    With R_i = 1/(lam + Vhat w_i), signal modes v_i, g = (prox_V(omega) - omega)/V, omega = c + sqrt(q) xi, omega* = b0 + (m/sqrt q) xi,
    V* = rho - m^2/q and load = n/p:

        Vhat = -load E sum_y Z0 dg/domega,   qhat = load E sum_y Z0 g^2,   mhat = load E sum_y Z0' g,
        0 = E sum_y Z0 g  (with an intercept),   V = mean[w R],   q = mean[(qhat + mhat^2 v) (w R)^2],   m = mhat mean[v w R].

    Parameters
    ----------
    loss : str, Loss or function
        square, logistic, hinge, squared_hinge, huber[:THRESHOLD], absolute, quantile[:LEVEL], exponential, a `Loss`, or `CustomLoss`.
    lam : float >= 0 or "optimal"
        0 is the limit lam -> 0+: minimum norm where the fit interpolates; the maximum-margin classifier where the labels are separable
        (solved in its own equations; m, q, intercept in units of the margin), else the unpenalised fit. "optimal" minimises `minimise`.
    penalty : "l2", "l1", "elastic_net:RATIO" or a penalty object
        L1 and elastic net need isotropic inputs: lam (ratio |w|_1 + (1 - ratio)|w|^2/2).
    intercept : bool or None
        Whether an unpenalised constant is fitted. None: when the target has one.
    class_weight : mapping {-1: a, 1: b}, optional
        Weights s(y) of the losses.
    sample_weight : sequence of (weight, fraction), optional
        Law of the samples' weights, drawn independently of the data: ((1, 0.9), (10, 0.1)) weighs every tenth sample tenfold.
    minimise : str
        The observable that lam="optimal" and `tune` minimise: "test_error", "test_loss", "log_loss", "brier", ...; "auc" is maximised.
    tune : sequence of str
        Further hyperparameters to optimise with lam: "threshold", "level" or "l1_ratio".

    Observables: test_error (squared error, or misclassification), clean_error, test_loss, train_error, train_loss, floor,
    excess_over_floor, m, q, V, intercept, lam; for labels auc; for the logistic loss log_loss, brier, calibration_error. Curves average
    over the law of the target's offset unless it is given.

    Validity: exact for Gaussian data (Loureiro, Gerbelot, Cui, Goldt, Krzakala, Mezard, Zdeborova 2021, Theorem 1, convex losses with L2
    penalty); for deep targets through the equivalent, a replica result (Cui, Krzakala, Zdeborova 2023, appendix H). Offsets, intercepts,
    weights: extension verified numerically. L1 and elastic net: Thrampoulidis, Abbasi, Hassibi 2018.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> target = ge.DeepNetwork("tanh", depth=2, weight_variance=4, task="classification")
    >>> curve = ge.solve(ge.Problem(target=target, learner=ERM("logistic", lam=0.1)), alpha=2.4)
    >>> f"{float(curve.test_error[0]):.6f}"
    '0.267492'
    """

    loss: Any = "logistic"
    lam: Any = "optimal"
    penalty: Any = "l2"
    intercept: bool | None = None
    class_weight: Any = None
    sample_weight: Any = None
    minimise: str = "test_error"
    tune: tuple[str, ...] = ()
    name: str = field(default="erm", init=False)

    words = CONVEX

    def __post_init__(self) -> None:
        object.__setattr__(self, "loss", losses.get(self.loss))
        object.__setattr__(self, "penalty", penalties.get(self.penalty))
        if isinstance(self.lam, str):
            if self.lam != "optimal":
                raise fail("lam", "a non-negative number or 'optimal'", self.lam, LAM_MEANING)
        else:
            object.__setattr__(self, "lam", number("lam", self.lam, nonnegative=True, meaning=LAM_MEANING))
        if self.intercept not in (None, True, False):
            raise fail("intercept", "True, False or None", self.intercept)
        if self.class_weight is not None:
            object.__setattr__(self, "class_weight", _class_weight(self.class_weight))
        if self.sample_weight is not None:
            object.__setattr__(self, "sample_weight", _sample_weight(self.sample_weight))
        object.__setattr__(self, "tune", (self.tune,) if isinstance(self.tune, str) else tuple(self.tune))
        known, ranges = self._own, {**self.loss.ranges, **self.penalty.ranges}
        for name in self.tune:
            if name not in known:
                raise fail("tune", f"hyperparameters of the loss or penalty ({', '.join(known) or 'none here'})", name)
            if name not in ranges:
                meaning = "Its class declares no range of it in `ranges`: give it a number, and compare curves at several."
                raise fail("tune", f"hyperparameters with a known range ({', '.join(ranges) or 'none here'})", name, meaning)
            if name in self.loss.parameters and self.minimise in ("test_loss", "train_loss"):
                raise fail("minimise", f"another observable than the loss itself when its {name} is tuned", self.minimise)

    @cached_property
    def citations(self) -> tuple[str, ...]:
        """Keys of the papers behind the curve."""
        return ("loureiro2021", "thrampoulidis2018") if self.penalty.l1 else ("loureiro2021",)

    @cached_property
    def gives(self) -> Gives:
        """Ranking always, probabilities with a loss that says them; margins and sensitivities at given hyperparameters, lam > 0."""
        smooth = not self.tune and self.lam != 0
        return Gives(ranking=True, probabilities=self.loss.gives_probability, unasked=True, margins=smooth, sensitivities=smooth)

    @cached_property
    def risk(self) -> Risk:
        """What it minimises."""
        return Risk(self.loss, self.penalty, self.intercept, self.class_weight, self.sample_weight)

    @cached_property
    def tunable(self) -> dict[str, Tunable]:
        """lam, and the hyperparameters of the loss and the penalty whose ranges these declare."""
        ranges = {**self.loss.ranges, **self.penalty.ranges}
        return {"lam": Tunable(self.lam, NONNEGATIVE)} | {name: Tunable(self._own[name], one) for name, one in ranges.items()}

    @cached_property
    def family(self) -> str | None:
        """The loss, for a plain penalty and nothing beside it: weights, forced intercepts and tuned hyperparameters were not fitted."""
        extras = (self.intercept, self.class_weight, self.sample_weight, self.tune or None)
        return self.loss.name if self.penalty.is_plain and extras == (None,) * 4 else None

    @property
    def _own(self) -> dict[str, float]:
        """Hyperparameters of the loss and the penalty."""
        return {**self.loss.parameters, **self.penalty.parameters}

    @property
    def class_weights(self) -> tuple[float, float]:
        """Weights of the labels -1 and +1."""
        return (1.0, 1.0) if self.class_weight is None else (self.class_weight[-1], self.class_weight[1])

    @property
    def sample_weights(self) -> tuple[tuple[float, float], ...]:
        """(weight, fraction) of the samples."""
        return ((1.0, 1.0),) if self.sample_weight is None else self.sample_weight

    @cached_property
    def label(self) -> str:
        """How results name this learner."""
        own = {key: value for key, value in self.loss.parameters.items() if key not in self.tune}
        parts = [f"{key}={exact(value)}" for key, value in own.items()]
        parts.append(f"lam={self.lam if isinstance(self.lam, str) else exact(self.lam)}")
        if not self.penalty.is_plain:
            parts.append(f"penalty={self.penalty.text}")
        if self.intercept is not None:
            parts.append(f"intercept={self.intercept}")
        if self.class_weight is not None:
            parts.append(f"class_weight={exact(self.class_weight[-1])}:{exact(self.class_weight[1])}")
        if self.sample_weight is not None:
            parts.append("sample_weight=" + "/".join(f"{exact(w)}:{exact(f)}" for w, f in self.sample_weight))
        if self.tune:
            parts.append("tune=" + ":".join(self.tune))
        if self.minimise != "test_error":
            parts.append(f"minimise={self.minimise}")
        return f"{self.loss.name}({', '.join(parts)})"

    def to_dict(self) -> dict[str, object]:
        """The description that saved results carry."""
        weights = None if self.class_weight is None else {str(k): v for k, v in self.class_weight.items()}
        return {
            "name": self.name,
            "loss": ":".join([self.loss.name, *(exact(value) for value in self.loss.parameters.values())]),
            "lam": self.lam,
            "penalty": self.penalty.text,
            "intercept": self.intercept,
            "class_weight": weights,
            "sample_weight": None if self.sample_weight is None else [list(pair) for pair in self.sample_weight],
            "minimise": self.minimise,
            "tune": list(self.tune),
        }

    def fits_intercept(self, e: GaussianEquivalent) -> bool:
        """Whether this student fits a constant on this target."""
        return e.has_offset if self.intercept is None else self.intercept

    def learns_constant(self, e: GaussianEquivalent) -> bool:
        """With an intercept, or without one on inputs whose mean serves as such."""
        return self.fits_intercept(e) or e.input_mean_square > 0

    def with_hyperparameter(self, name: str, value: float) -> ERM:
        """The same learner with one number of its loss or penalty, or lam, replaced."""
        if name == "lam":
            return replace(self, lam=value)
        if name in self.loss.parameters:
            return replace(self, loss=replace(self.loss, **{name: value}))
        return replace(self, penalty=replace(self.penalty, **{name: value}))

    def solve(self, equivalent: GaussianEquivalent, alpha: FloatArray) -> Curve:
        """Exact observables at every alpha, each an array of alpha's length."""
        return Curve(self._solved_at(equivalent, alpha), labels=CONVEX, citations=self.citations, judged="test_error")

    def _solved_at(self, equivalent: GaussianEquivalent, alpha: FloatArray) -> Observables:
        if self.lam != "optimal" and not self.tune:
            return self.curve(equivalent, alpha, np.full_like(alpha, self.lam))
        from gaussequiv.learners.convex.optimum import optimise

        return optimise(self, equivalent, alpha)

    def sensitivity(self, equivalent: GaussianEquivalent, alpha: FloatArray, names: tuple[str, ...]) -> dict[str, Mapping[str, Any]]:
        """Implicit derivatives of all observables in every named parameter (see `sensitivity.parameters`), averaged over b0; lam > 0."""
        from gaussequiv.learners.convex.sensitivity import check_names, tangents

        check_names(self, names)
        e = equivalent
        learner, lam = self, np.full_like(alpha, np.nan if self.lam == "optimal" else self.lam)
        if self.lam == "optimal" or self.tune:
            if self.tune:
                raise ArgumentError(
                    "Argument `sensitivity` must be left out for a learner with `tune`: give its hyperparameters as numbers."
                )
            lam = self.solve(e, alpha)["lam"]
        if np.any(lam == 0):
            raise ArgumentError("Argument `sensitivity` needs lam > 0, but lam=0: the limit lam -> 0+ has its own equations.")
        model = Model(learner, e, FINER)
        nodes = model.b0.size
        at = model.points(alpha, lam)
        found = tangents(model, at, Routes(model).solve(at), names)
        floor = {name: _floor_slope(e, name) for name in names}
        out: dict[str, Mapping[str, Any]] = {}
        for name, values in found.items():
            averaged = model.averaged({key: value.reshape(alpha.size, nodes) for key, value in values.items()})
            out[name] = averaged | {"floor": np.full_like(alpha, floor[name]), "excess_over_floor": averaged["test_error"] - floor[name]}
        return out

    def probability(self, fit: Predictor, field: FloatArray, channel: Any) -> FloatArray | None:
        """That of the loss as a negative log-likelihood."""
        said: FloatArray | None = fit.loss.probability(field)
        return said

    def measured(self, task: str) -> tuple[str, ...]:
        """Losses, the constant and V; on labels also the ranking, and the scores of a probability."""
        return empirical.measured_names(self.loss, task)

    def measure(self, fit: Predictor, rows: MeasuredRows) -> dict[str, Any]:
        """Losses, ranking, probabilities, V and distributions over rows of one fit."""
        return measure_convex(self, fit, rows)

    def place(self, equivalent: GaussianEquivalent, lam: float) -> dict[str, float]:
        """lam and the hyperparameters of the loss."""
        return {"lam": lam} | {name: float(value) for name, value in self.loss.parameters.items()}

    def curve(self, e: GaussianEquivalent, alpha: FloatArray, lam: FloatArray, solver: Solver = from_afar) -> Observables:
        """Observables at given penalties, one for each alpha; a `solver` that knows points nearby may solve lam > 0."""
        return averaged_curve(Model(self, e), alpha, lam, solver)

    def fit(self, sample: Any, equivalent: GaussianEquivalent, key: Key = None) -> LinearPredictor:
        """Fit a `TrainingSample` or `KernelSample` to its optimum; "optimal" takes the theory's hyperparameters at the sample's alpha.

        A law of sample weights is drawn from `key` where the sample brings no uniforms of its own; nothing else is random.
        """
        from gaussequiv.learners.convex.finite_fit import fit_erm, fit_erm_kernel

        learner, lam = self, self.lam
        if self.lam == "optimal" or self.tune:
            from gaussequiv.learners.convex.optimum import optimum_at

            best = optimum_at(self, equivalent, sample.alpha)
            lam = float(best["lam"][0])
            for name in self.tune:
                learner = learner.with_hyperparameter(name, float(best[name][0]))
        uniforms = sample.uniforms
        if uniforms is None and self.sample_weight is not None:
            uniforms = np.random.default_rng(key).random(sample.y.size)
        intercept, weight = self.fits_intercept(equivalent), self.weights_of(sample.y, uniforms)
        if sample.gram is not None:
            if not learner.penalty.is_plain:
                raise ArgumentError(f"Argument `penalty` must be l2 for a kernel student, but penalty={learner.penalty.text}.")
            found = fit_erm_kernel(sample.gram, sample.y, learner.loss, lam, intercept, weight)
        else:
            found = fit_erm(sample, learner.loss, lam, learner.penalty, intercept, sample_weight=weight)
        return replace(found, loss=learner.loss)

    def weights_of(self, y: FloatArray, uniforms: FloatArray | None) -> FloatArray | None:
        """Weights of the training rows: by class, and from the law of the samples' weights by inverting its distribution at `uniforms`."""
        weight = None
        if self.class_weight is not None:
            weight = np.where(y > 0, self.class_weight[1], self.class_weight[-1])
        if self.sample_weight is not None:
            values, fractions = np.array(self.sample_weight).T
            if uniforms is None:
                raise fail("uniforms", "one uniform draw for each sample, from which the law of their weights takes them", uniforms)
            drawn = values[np.minimum(np.searchsorted(np.cumsum(fractions), uniforms, side="right"), values.size - 1)]
            weight = drawn if weight is None else weight * drawn
        return weight


def _floor_slope(e: GaussianEquivalent, name: str) -> float:
    """d floor/d(parameter), by fourth-order differences of its closed form."""
    if name not in EQUIVALENT_PARAMETERS:
        return 0.0
    value = present(e, name)
    step = STEP * (value or 1.0)
    stencil = CENTRAL if value > 0 else FORWARD
    return sum(weight * moved(e, name, value + k * step).floor for k, weight in stencil) / step


def _class_weight(value: Any) -> dict[int, float]:
    expected = "a mapping {-1: weight, 1: weight} of positive weights"
    if not isinstance(value, Mapping):
        raise fail("class_weight", expected, value)
    weights = {int(key): number(f"class_weight[{key}]", item, positive=True) for key, item in value.items()}
    if set(weights) != {-1, 1}:
        raise fail("class_weight", expected, value)
    return weights


def _sample_weight(value: Any) -> tuple[tuple[float, float], ...]:
    expected = "a sequence of (weight, fraction), with positive weights and fractions that sum to 1"
    if isinstance(value, (str, Mapping)) or np.ndim(value) != 2 or np.shape(value)[1] != 2:
        raise fail("sample_weight", expected, value)
    pairs = tuple((number("sample_weight", w, positive=True), number("sample_weight", f, positive=True)) for w, f in value)
    if abs(sum(f for _, f in pairs) - 1) > 1e-12:
        raise fail("sample_weight", expected, value)
    return pairs
