"""The Bayes-optimal learner of a deep target at n ~ d: the best error that any algorithm can reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv._text import exact
from gaussequiv.curve import Curve
from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import FloatArray, choice, closest, fail
from gaussequiv.ingredients.channels.base import RealLabel
from gaussequiv.ingredients.channels.binary import Binary, sign_error
from gaussequiv.ingredients.channels.gaussian import GaussianNoise
from gaussequiv.ingredients.channels.sign import Sign
from gaussequiv.ingredients.targets.deep_network import DeepNetwork
from gaussequiv.ingredients.targets.linear_target import LinearTarget
from gaussequiv.learners.base import Gives, Learner, Predictor
from gaussequiv.learners.bayes.fixed_points import BRANCHES
from gaussequiv.learners.bayes.general_bayes import general_curve, is_plain
from gaussequiv.learners.bayes.mismatch import assumed_equivalent, mismatched_labels, posterior_label_scores
from gaussequiv.learners.bayes.observables import BAYES
from gaussequiv.numerics.effective_ridge import solve_effective_ridge, spectral_mean
from gaussequiv.numerics.fixed_point import solve_monotone
from gaussequiv.numerics.keys import Key
from gaussequiv.numerics.orthant import aligned_disagreement, aligned_excess, standardise
from gaussequiv.numerics.status import Status
from gaussequiv.samples import empirical
from gaussequiv.samples.measured_rows import MeasuredRows

if TYPE_CHECKING:
    from gaussequiv.samples.training_sample import LinearPredictor, TrainingSample

Observables = dict[str, FloatArray]


# fields of an assumed network that its label names, with the values that go without saying
_SHOWN: dict[str, tuple[Any, ...]] = {
    "weight_variance": ([],),
    "bias_variance": ([],),
    "readout_variance": (1.0,),
    "labels": (None,),
    "flips": (0.0,),
    "offset": (None,),
}


@dataclass(frozen=True)
class BayesOptimal(Learner):
    r"""Posterior-mean predictor that knows the law of the target, all of whose weights are learned.

    Regression: e = tau + s mean[w/(1 + qhat w)], qhat = alpha s/e. With e = alpha kappa it is one scalar equation,
    tau/kappa + mean[v/(v + kappa)] = alpha for the signal modes v = s w; closed form for isotropic inputs.

    Classification, given the offset b0: V = tau + s (mean w - q), t = (b0 + sqrt(s q) x)/sqrt(V),

        qhat = (alpha s/V) E_x[g(t)^2/(Phi(t) Phi(-t))],   q = mean[qhat w^2/(1 + qhat w)],
        error = 2 T(b0/sqrt(rho), sqrt(V/(s q))),   rho = s mean(w) + tau,  T Owen's function,

    averaged over the Gaussian law of b0 (each b0 with its own q) unless the target's offset is given.

    Parameters
    ----------
    assumes : DeepNetwork, optional
        A learner that misjudges the target: it believes the labels come from this network (its noise, depth, activations, label law), and
        computes the posterior mean of that model. Regression: ridge at the assumed tau'/s'. Labels: state evolution of message passing
        tuned to the wrong model (`mismatch`), and observables m, q, V.
    branch : {"equilibrium", "uninformed", "informed"}
        Which fixed point of state evolution where there are several: the one of largest free entropy (the true optimum), the one that
        message passing reaches, or the one next to the target. Only priors and channels with a hard phase have more than one.

    Binary labels whose P(+1 | field) falls with the field somewhere: the likelier label given omega ~ N(b0, q), not a sign; clean_error is
    nan, since the noiseless label that the package documents, the sign of the field, is then not what labels without noise would be. Where
    P is not monotone, several fixed points may exist and the next paragraph applies.

    Any other prior (`LinearTarget`) or channel (`Output`, `AbsoluteValue`, `Quantised`, `Poisson`, `LogLikelihood`, ...): the fixed points
    of `fixed_points`, with gibbs_error, estimation_error (per weight), free_entropy and mutual_information (per input dimension) beside the
    errors, and quadrature_error, the relative error of the channel's integrals and of the
    average over offsets. A theorem for isotropic inputs and depth 0 (Barbier, Krzakala, Macris, Miolane, Zdeborova 2019).

    Validity: n ~ d. Theorem for odd smooth activations, isotropic inputs and real labels (Camilli, Tieplova, Bergamin, Barbier 2025,
    Theorem 4); replica result for sign labels and structured inputs (Cui, Krzakala, Zdeborova 2023, eq. 12 to 15); extension
    verified numerically for offsets.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> target = ge.DeepNetwork("tanh", depth=2, weight_variance=4)
    >>> curve = ge.solve(ge.Problem(target=target, learner=BayesOptimal()), alpha=2.0)
    >>> f"{float(curve.test_error[0]):.8f}"
    '0.24752256'
    """

    assumes: Any = None
    branch: str = "equilibrium"

    name = "bayes"
    family = "bayes"
    words = BAYES
    citations = ("barbier2019",)
    sees_inputs = True  # also in a problem whose students see features: it knows the target's law

    def __post_init__(self) -> None:
        if self.assumes is not None and not isinstance(self.assumes, (DeepNetwork, LinearTarget)):
            branch = closest(self.assumes, BRANCHES) if isinstance(self.assumes, str) else None
            hint = f"Did you mean branch={branch!r}?" if branch else ""
            raise fail("assumes", "a DeepNetwork, or None for the true target", self.assumes, hint)
        choice("branch", self.branch, BRANCHES)

    @cached_property
    def gives(self) -> Gives:
        """Rankings and probabilities of labels, unless it believes in a network of real ones."""
        labels = self.assumes is None or self.assumes.task == "classification"
        return Gives(ranking=labels, probabilities=labels)

    @cached_property
    def is_bayes_optimal(self) -> bool:
        """Unless it misjudges the target."""
        return self.assumes is None

    @cached_property
    def label(self) -> str:
        """How results name this learner."""
        if self.assumes is None:
            return "bayes" if self.branch == "equilibrium" else f"bayes({self.branch})"
        a = self.assumes
        own = [f"{'/'.join(a.activations) or 'linear'}", f"noise={exact(a.noise)}"]
        own += [f"{key}={value}" for key, value in a.to_dict().items() if key in _SHOWN and value not in _SHOWN[key]]
        return f"bayes(assumes {', '.join(own)})"

    def to_dict(self) -> dict[str, object]:
        """The description that saved results carry."""
        own: dict[str, object] = {"name": self.name}
        own |= {} if self.branch == "equilibrium" else {"branch": self.branch}
        return own if self.assumes is None else own | {"assumes": self.assumes.to_dict()}

    def solve(self, equivalent: GaussianEquivalent, alpha: FloatArray) -> Curve:
        """Exact observables at every alpha, each an array of alpha's length."""
        found = self._observables(equivalent, alpha)
        words = found.labels if isinstance(found, Curve) else {}
        return Curve(found, labels=BAYES | words, citations=self.citations, judged="test_error")

    def _observables(self, equivalent: GaussianEquivalent, alpha: FloatArray) -> Mapping[str, FloatArray]:
        if self.assumes is not None:
            if not is_plain(equivalent) and (equivalent.prior is not None or not isinstance(equivalent.channel, Binary)):
                raise fail(
                    "assumes", "None for priors and label laws beyond Gaussian weights with Gaussian noise or binary labels", self.assumes
                )
            return self._misjudged(equivalent, alpha)
        if not is_plain(equivalent):
            return general_curve(equivalent, alpha, self.branch)
        if equivalent.channel.task == "regression":
            return self._regression(equivalent, alpha)
        return self._classification(equivalent, alpha)

    def _misjudged(self, e: GaussianEquivalent, alpha: FloatArray) -> Mapping[str, FloatArray]:
        from gaussequiv.learners.convex.ridge import Ridge

        believed = self._believed(e)
        if believed.channel.task != e.channel.task:
            raise fail("assumes", f"a network for {e.channel.task}, the target's task", self.assumes.task)
        if believed.channel.direction != 1:
            raise fail("assumes", "a network whose P(y = +1 | field) does not fall with the field", self.assumes)
        if e.channel.task == "regression":
            return Ridge(believed.lam_optimal).solve(e, alpha)
        return mismatched_labels(e, believed, alpha)

    def _regression(self, e: GaussianEquivalent, alpha: FloatArray) -> Observables:
        v, weights, tau = e.signal_modes, e.weights, e.noise
        signal = float(weights @ v)
        solution = solve_effective_ridge(alpha, np.full_like(alpha, tau), v, weights)
        kappa = solution.kappa
        shrink = v / (v + np.maximum(kappa, 1e-300)[:, None])  # kappa = 0 where nothing is left to learn
        excess = kappa * spectral_mean(weights, shrink)
        q = spectral_mean(weights, v * shrink)
        test = tau + excess
        with np.errstate(divide="ignore", invalid="ignore"):
            qhat = np.where(kappa > 0, e.slope2 / kappa, np.inf)
            train = np.where(test > 0, tau * (tau / test), 0.0)
        return {
            "test_error": test,
            "clean_error": excess + e.model_noise,
            "train_error": train,
            "floor": np.full_like(alpha, tau),
            "excess_over_floor": excess,
            "overlap": q / signal if signal > 0 else np.zeros_like(alpha),
            "qhat": qhat if signal > 0 else np.zeros_like(alpha),
            "q": q,
            "status": np.where(solution.residual < 1e-8, float(Status.converged), float(Status.max_steps)),
            "steps": solution.steps,
            "residual": solution.residual,
        }

    def _classification(self, e: GaussianEquivalent, alpha: FloatArray) -> Observables:
        b0, mass = e.offset_nodes()
        tau, signal = e.noise, float(e.weights @ e.signal_modes)
        clean_tau = e.model_noise
        point = solve_sign(e, alpha[:, None], b0[None, :])
        left, q, status = point["left"], point["q"], point["status"]
        if not isinstance(e.channel, Sign):
            return self._any_labels(e, alpha, point)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ratio = np.where(q > 0, np.sqrt((tau + left) / q), np.inf)
            clean_ratio = np.where(q > 0, np.sqrt((clean_tau + left) / q), np.inf)
            floor_ratio = np.sqrt(np.float64(tau) / signal) if signal > 0 else np.inf
            difference = left * (signal + tau) / (q * signal) if signal > 0 else np.zeros_like(q)
        clean = aligned_disagreement(standardise(b0, signal + clean_tau), clean_ratio)
        scaled = standardise(b0, signal + tau)
        error = aligned_disagreement(scaled, ratio)
        excess = aligned_excess(scaled, ratio, np.full_like(ratio, floor_ratio), difference) if signal > 0 else np.zeros_like(q)
        overlap = (q @ mass) / signal if signal > 0 else np.zeros_like(alpha)
        return {
            "test_error": error @ mass,
            "clean_error": clean @ mass,
            "floor": np.full_like(alpha, e.floor),
            "excess_over_floor": excess @ mass,
            "overlap": overlap,
            "qhat": e.slope2 * (point["rate"] @ mass),
            "q": q @ mass,
            "status": status.max(axis=1),
            "steps": point["steps"].max(axis=1),
            "residual": point["residual"].max(axis=1),
        }

    def _any_labels(self, e: GaussianEquivalent, alpha: FloatArray, point: Observables) -> Observables:
        """Labels of another law: the likelier one given omega ~ N(b0, q), whose threshold depends on what is left unknown."""
        b0, mass = e.offset_nodes()
        signal = float(e.weights @ e.signal_modes)
        q, rho = point["q"], np.full_like(point["q"], signal + e.model_noise)
        b = np.broadcast_to(b0, q.shape)
        if e.channel.direction == 1:
            shifted = b - e.channel.threshold(point["left"] + e.model_noise)
            test = e.channel.disagreement(shifted, q, q, b, rho) @ mass
            clean = sign_error(shifted, q, q, b, rho) @ mass
        else:  # the sign of the field is no longer what the labels would be without noise
            test = e.channel.bayes_error(q, point["left"] + e.model_noise, b) @ mass
            clean = np.full_like(alpha, np.nan)
        floor = np.full_like(alpha, e.floor)
        return {
            "test_error": test,
            "clean_error": clean,
            "floor": floor,
            "excess_over_floor": test - floor,
            "overlap": (q @ mass) / signal if signal > 0 else np.zeros_like(alpha),
            "qhat": e.slope2 * (point["rate"] @ mass),
            "q": q @ mass,
            "status": point["status"].max(axis=1),
            "steps": point["steps"].max(axis=1),
            "residual": point["residual"].max(axis=1),
        }

    def _believed(self, e: GaussianEquivalent) -> GaussianEquivalent:
        """The equivalent of what it believes in."""
        return e if self.assumes is None else assumed_equivalent(e, self.assumes)

    def label_scores(self, equivalent: GaussianEquivalent, alpha: FloatArray, curve: Curve) -> dict[str, FloatArray]:
        """auc, log_loss, brier and calibration_error of the predictive probability that it believes in."""
        return posterior_label_scores(equivalent, self._believed(equivalent), alpha, curve["status"])

    def probability(self, fit: Predictor, field: FloatArray, channel: Any) -> FloatArray | None:
        """P(y = +1 | N(field, variance)) of the label law that it believes in; None where a fit has no variance, or labels are real."""
        return self._said(fit, field, channel, 1.0)

    def _said(self, fit: Predictor, field: FloatArray, channel: Any, label: float) -> FloatArray | None:
        if channel.task == "regression" or not np.isfinite(fit.variance):
            return None
        believed = channel if self.assumes is None else self.assumes.channel
        said: FloatArray = believed.probability(label, field + fit.threshold, np.full_like(field, fit.variance)).value
        return said

    def measured(self, task: str) -> tuple[str, ...]:
        """On labels the ranking and the scores of a probability."""
        return empirical.LABEL_NAMES + empirical.PROBABILITY_NAMES if task == "classification" else ()

    def measure(self, fit: Predictor, rows: MeasuredRows) -> dict[str, Any]:
        """Ranking of fresh labels, and the scores of the probability that a posterior mean and variance say."""
        up, down = (self._said(fit, rows.field, rows.channel, label) for label in (1.0, -1.0))
        if up is None or down is None:
            return super().measure(fit, rows)
        right = np.maximum(np.where(rows.y > 0, up, down), 1e-300)
        return empirical.label_scores(rows.channel, rows.y, rows.field, up) | {"log_loss": -float(np.mean(np.log(right)))}

    def fit(self, sample: TrainingSample, equivalent: GaussianEquivalent, key: Key = None) -> LinearPredictor:
        """Gaussian weights and noise: the equivalent's posterior mean. Anything else: message passing on the sample, from the prior.

        Where there is a hard phase, this is the uninformed branch. Message passing draws a vector from `key` where the prior is a fixed
        point that it must leave.
        """
        intercept = equivalent.has_offset
        equivalent = self._believed(equivalent)
        if equivalent.channel.task == "regression" and is_plain(equivalent):
            return sample.ridge(equivalent.lam_optimal, intercept)
        from gaussequiv.algorithms.message_passing.sample_fit import fit_amp

        fit = fit_amp(sample, equivalent, intercept, key)
        channel, spread = equivalent.channel, fit.variance
        if channel.direction != 1:
            return replace(fit, response=lambda field: channel.likelier(field, spread))
        if isinstance(channel, RealLabel) and not isinstance(channel, GaussianNoise):
            return replace(fit, response=lambda field: channel.predict(field, spread))
        return fit


def solve_sign(e: GaussianEquivalent, alpha: FloatArray, b0: FloatArray) -> Observables:
    """Solve for log Q, Q = qhat/s, on the grid alpha x b0, by bracketing (the map is monotone, its fixed point unique)."""
    v, weights, tau = e.signal_modes, e.weights, e.model_noise
    signal = float(weights @ v)
    shape = np.broadcast_shapes(alpha.shape, b0.shape)
    alpha, b0 = np.broadcast_to(alpha, shape).ravel(), np.broadcast_to(b0, shape).ravel()
    zeros = np.zeros(shape)
    if signal == 0:
        return {"left": zeros, "q": zeros, "rate": zeros, "status": zeros, "steps": zeros, "residual": zeros}

    def parts(rate: FloatArray) -> tuple[FloatArray, FloatArray]:
        if v.size == 1:
            left = v[0] / (1 + rate * v[0])
            return left, rate * v[0] * left
        posterior = v / (1 + rate[..., None] * v)
        return spectral_mean(weights, posterior), rate * spectral_mean(weights, v * posterior)

    def gap(y: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
        left, q = parts(np.exp(y))
        return np.log(np.maximum(a * e.channel.fisher(q, left + tau, b), 1e-300)) - y

    start = np.log(2 * alpha / np.pi / (signal + e.noise))
    y, steps = solve_monotone(lambda y, i: gap(y, alpha[i], b0[i]), start)
    rate = np.exp(y)
    left, q = parts(rate)
    residual = np.abs(np.expm1(gap(y, alpha, b0)))
    status = np.where(residual < 1e-8, Status.converged, np.where(np.isfinite(y), Status.max_steps, Status.nonfinite)).astype(float)
    result = {"left": left, "q": q, "rate": rate, "status": status, "steps": steps, "residual": residual}
    return {key: value.reshape(shape) for key, value in result.items()}
