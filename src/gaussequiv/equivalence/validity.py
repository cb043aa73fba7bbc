"""Which hypotheses of the theorem a problem meets, how far its equivalent is proved, and what the proof promises at given sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.channels.counts import Poisson, Quantised
from gaussequiv.ingredients.channels.log_likelihood import LogLikelihood, RandomOutput
from gaussequiv.ingredients.inputs.base import Inputs
from gaussequiv.ingredients.priors.named import Gaussian
from gaussequiv.ingredients.targets.base import Target

ROWS_PER_COLUMN = 20  # a sample spectrum is wider than the population's: errors come out about 10% low at 2 rows per column


@dataclass(frozen=True)
class Validity:
    """One of three statuses, with the hypotheses behind it.

    status : "theorem", "replica result" or "extension verified numerically".
    """

    status: str
    reason: str
    hypotheses: tuple[tuple[str, bool], ...]
    about: str = "reducing a deep network (Camilli, Tieplova, Bergamin, Barbier 2025, Theorem 1)"  # what asks for them

    def __str__(self) -> str:
        marks = "; ".join(f"{'yes' if holds else 'NO'}: {text}" for text, holds in self.hypotheses)
        return f"{self.status} ({self.reason}). {marks}"

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data."""
        return {"status": self.status, "reason": self.reason, "hypotheses": dict(self.hypotheses)}


@dataclass(frozen=True)
class Reduction:
    """One step of the theorem: the highest of `layer` hidden layers is replaced; `smallest` = min(d_0..d_layer)."""

    layer: int
    smallest: int
    rate: float


@dataclass(frozen=True)
class Promise:
    r"""What the theorem promises at n samples, d inputs and given widths: a rate, not a number, for its constant is not known.

    Attributes
    ----------
    validity : Validity
        Which hypotheses hold. Where one fails, the rates are those of the problem that meets them.
    n, d : int or None
    widths : tuple of int
    steps : tuple of Reduction
        One for each hidden layer, highest first.
    smallest : int or None
        d_m = min(d_0..d_L).
    rate : float or None
        |I_n/n of the network - that of the linear equivalent| = O(rate), `reduction_rate(n, smallest)`; 0 for a linear target.
    variance_rate : float or None
        1/n + 1/d_m: Var[log Z/n] = O(variance_rate) over networks and data.
    excess : float or None
        n/d_m^(3/2), which must vanish for the rate to vanish.
    """

    validity: Validity
    n: int | None = None
    d: int | None = None
    widths: tuple[int, ...] = ()
    steps: tuple[Reduction, ...] = ()
    smallest: int | None = None
    rate: float | None = None
    variance_rate: float | None = None
    excess: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data."""
        steps = [{"layer": step.layer, "smallest": step.smallest, "rate": step.rate} for step in self.steps]
        names = ("n", "d", "smallest", "rate", "variance_rate", "excess")
        own = {name: value for name, value in vars(self).items() if name in names} | {"widths": list(self.widths), "steps": steps}
        return {"validity": self.validity.to_dict()} | own

    def __str__(self) -> str:
        lines = [f"{self.validity.status}: {self.validity.reason}"]
        lines.append(f"Hypotheses for {self.validity.about}:")
        lines += [f"  {'yes' if holds else 'NO '}  {text}" for text, holds in self.validity.hypotheses]
        if self.validity.status != "theorem":
            lines.append("No theorem covers this problem; what follows holds for the one that meets all hypotheses.")
        if self.n is not None and self.smallest is not None:
            if not self.steps:
                return "\n".join([*lines, "No hidden layer: there is nothing to reduce."])
            words = ", ".join(map(str, self.widths))
            lines.append(f"n = {self.n}, d = {self.d}, widths {words}: d_m = {self.smallest}, n/d_m = {self.n / self.smallest:.4g}")
            lines += [f"  layer {step.layer} replaced: rate {step.rate:.4g} (d_m = {step.smallest})" for step in self.steps]
            small = "which must be small" if self.excess is not None and self.excess < 1 else "too large for the rate to say anything"
            lines.append(f"  all layers replaced: rate {self.rate:.4g}; n/d_m^(3/2) = {self.excess:.4g}, {small}")
            lines.append(f"  rate of the variance of log Z/n over networks and data: {self.variance_rate:.4g}")
        return "\n".join([*lines, *_SCALING])


_SCALING = (
    "Rate of the information per sample: (1 + sqrt(n/d_m) + n/d_m)/sqrt(d_m), d_m the smallest of d and the widths before the reduction.",
    "At fixed n/d it falls like d_m^(-1/2); with n ~ d_m^(1+c), c >= 0, like d_m^(c-1/2): it vanishes if and only if n = o(d_m^(3/2)).",
    "It is no error bar: the constant in front, which depends on the activation, is not known.",
    "The Bayes-optimal error converges wherever the rate vanishes, but how fast is not known.",
)


def reduction_rate(n: FloatArray | float, smallest: FloatArray | float) -> FloatArray:
    r"""(1 + sqrt(n/d_m) + n/d_m)/sqrt(d_m): how far one reduced layer, or all, moves the information per sample, up to a constant.

    Parameters
    ----------
    n : float or array
        Training samples.
    smallest : float or array
        d_m, the smallest of the input dimension and the widths of the network before the reduction.

    Validity: theorem under the hypotheses that `assess` checks (Camilli, Tieplova, Bergamin, Barbier 2025, Theorem 1 and eq. 17). The
    constant depends on the activation and the readout and is not known.

    Examples
    --------
    >>> float(reduction_rate(400, 100))
    0.7
    """
    ratio = np.asarray(n, float) / smallest
    return np.asarray((1 + np.sqrt(ratio) + ratio) / np.sqrt(smallest))


def promise(validity: Validity, n: int | None, d: int | None, widths: tuple[int, ...]) -> Promise:
    """The rates of Camilli, Tieplova, Bergamin, Barbier 2025 at given sizes: Theorem 1 (layer by layer), Corollary 3, Theorem 2."""
    if n is None or d is None:
        return Promise(validity, n, d, widths)
    steps = []
    for layer in range(len(widths), 0, -1):
        smallest = min(d, *widths[:layer])
        steps.append(Reduction(layer, smallest, float(reduction_rate(n, smallest))))
    least = min((d, *widths))
    rate = float(reduction_rate(n, least)) if widths else 0.0
    return Promise(validity, n, d, widths, tuple(steps), least, rate, 1 / n + 1 / least, n / least**1.5)


def assess(inputs: Inputs, network: Target) -> Validity:
    """Check the hypotheses of Camilli, Tieplova, Bergamin, Barbier 2025, Theorem 1.

    Scope of the theorem: mutual information and Bayes-optimal error. Errors of ridge on the equivalent are theorems on
    Gaussian data; that they hold on the deep data is a replica result (Cui, Krzakala, Zdeborova 2023).
    """
    odd = all(a.parity == "odd" for a in network.layers)
    unbiased = not any(network.bias_variance) and network.readout_bias_variance == 0 and not network.offset
    same = len({a.name for a in network.layers}) <= 1 and len(set(network.weight_variance)) <= 1
    hidden = inputs.seen_by_target is not inputs
    isotropic = inputs.seen_by_target.isotropic
    hypotheses: tuple[tuple[str, bool], ...] = (
        ("odd activations", odd),
        ("twice differentiable with bounded derivatives", all(a.smooth for a in network.layers)),
        ("the same layer repeated", same),
        ("no biases, no given offset", unbiased),
        ("isotropic Gaussian latents" if hidden else "isotropic Gaussian inputs", isotropic),
        ("label noise > 0", network.noise > 0),
        ("real labels (the sign is not smooth)", network.task == "regression"),
        ("odd readout of the field", bool(network.channel.odd)),
        ("Gaussian weights, all learned", isinstance(network.prior, (Gaussian, type(None)))),
    )
    if own := inputs.hypotheses():
        return _of_generated(own, hypotheses if network.depth else ())
    if all(holds for _, holds in hypotheses) and not hidden:
        if network.depth == 0:
            return Validity("theorem", "a linear target needs no reduction", hypotheses)
        return Validity("theorem", "Camilli, Tieplova, Bergamin, Barbier 2025, Theorem 1 and Corollary 3", hypotheses)
    if not inputs.gaussian and inputs.matrix is None:
        return Validity("extension verified numerically", "inputs replaced by Gaussian ones of equal moments", hypotheses)
    if not inputs.gaussian:
        if inputs.debiased:
            reason = "real inputs replaced by Gaussian ones of the population's covariance, estimated from the rows"
            return Validity("extension verified numerically", reason, hypotheses)
        rows, columns = inputs.matrix.shape
        words = f"at least {ROWS_PER_COLUMN} rows per column, so that the spectrum is the population's ({rows}/{columns})"
        enough = (words, bool(rows >= ROWS_PER_COLUMN * columns))
        hypotheses = (*hypotheses, enough)
        return Validity("extension verified numerically", "real inputs replaced by Gaussian ones of equal covariance", hypotheses)
    channel = network.channel
    random = network.noise > 0 or network.task == "classification" or isinstance(channel, (Poisson, Quantised, LogLikelihood, RandomOutput))
    if network.depth == 0 and isotropic and unbiased and inputs.mean_square == 0 and random:
        reason = "generalised linear model: Barbier, Krzakala, Macris, Miolane, Zdeborova 2019, Theorems 1 and 2"
        return Validity("theorem", reason, hypotheses)
    if odd and unbiased and inputs.mean_square == 0:
        return Validity("replica result", "Cui, Krzakala, Zdeborova 2023", hypotheses)
    return Validity("extension verified numerically", "recursion for any activation and bias; no proof", hypotheses)


def _of_generated(own: tuple[tuple[str, bool], ...], of_target: tuple[tuple[str, bool], ...]) -> Validity:
    """Fields of a generator are proved to be Gaussian in one case; that learners' errors follow is a replica result. A target without
    hidden layers needs no reduction, and none of its hypotheses.
    """
    about = "Gaussian fields of a generator (Goldt, Loureiro, Reeves, Krzakala, Mezard, Zdeborova 2020, Theorem 1)"
    about += " and a deep network of its latents (Camilli, Tieplova, Bergamin, Barbier 2025)" if of_target else ""
    proved = all(holds for _, holds in own)
    words = "covers this generator" if proved else "does not cover this generator: `diagnose` measures its fields"
    reason = f"inputs replaced by Gaussian ones of equal moments; Goldt et al. 2020, Theorem 1, {words}"
    return Validity("extension verified numerically", reason, (*own, *of_target), about)


def assess_features(inputs: Validity, centred: bool, gaussian: bool) -> Validity:
    """The status of an equivalent whose student sees features or a kernel: never a theorem about the deep target here.

    Features that are centred, on centred Gaussian inputs: replica result (Loureiro et al. 2021; Schroeder, Cui, Dmitriev, Loureiro 2023;
    kernels: Cui, Krzakala, Zdeborova 2023). A mean that acts as an intercept: extension verified numerically.
    """
    hypotheses, about = (*inputs.hypotheses, ("centred features or kernel", centred)), inputs.about
    if not gaussian:
        return Validity(
            "extension verified numerically", "real inputs and features replaced by Gaussian ones of equal covariance", hypotheses, about
        )
    if not centred:
        return Validity(
            "extension verified numerically", "features or kernel with a mean, which acts as an intercept; no proof", hypotheses, about
        )
    if inputs.status == "extension verified numerically":
        return Validity(inputs.status, inputs.reason, hypotheses, about)
    return Validity("replica result", "features: Loureiro et al. 2021; Schroeder, Cui, Dmitriev, Loureiro 2023", hypotheses, about)


def spectrum_summary(eigenvalues: np.ndarray, weights: np.ndarray) -> str:
    """One line on a spectrum."""
    if eigenvalues.size == 1:
        return f"isotropic, eigenvalue {eigenvalues[0]:.6g}"
    mean = float(weights @ eigenvalues)
    rank = float(weights[eigenvalues > 0].sum())
    return f"{eigenvalues.size} modes, mean {mean:.6g}, from {eigenvalues.min():.4g} to {eigenvalues.max():.4g}, rank fraction {rank:.4g}"
