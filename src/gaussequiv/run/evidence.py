"""`network_information`: what a finite deep network's labels say about its weights, beside its Gaussian equivalent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from gaussequiv.algorithms.networks.evidence import Adjusted, adjusted_mean
from gaussequiv.curve import Observable
from gaussequiv.errors import FloatArray, fail, grid, integer, number
from gaussequiv.ingredients.channels.gaussian import GaussianNoise
from gaussequiv.ingredients.targets.deep_network import DeepNetwork
from gaussequiv.learners.bayes.bayes_optimal import BayesOptimal
from gaussequiv.learners.bayes.information import information_curve
from gaussequiv.learners.observables import COMMON
from gaussequiv.numerics.status import Status
from gaussequiv.problems.supervised.axis import ALPHA_MEANING
from gaussequiv.problems.supervised.axis import WORDS as ALPHA_WORDS
from gaussequiv.problems.supervised.description import Problem
from gaussequiv.results import dataset
from gaussequiv.run.evidence_trials import (
    COLUMNS,
    LEAST_TRIALS,
    MEASURED,
    EvidencePlan,
    Record,
    Store,
    control_records,
    default_together,
    records_of,
)
from gaussequiv.run.interrupted import keeping
from gaussequiv.run.provenance import provenance

if TYPE_CHECKING:
    import xarray as xr

LEAST_ACCEPTANCE = 0.3  # below it chains hardly move: the bracket still holds, but says little

WORDS = {
    "log_evidence": ("log-evidence of the network, from both directions", "nats"),
    "log_evidence_lower": ("log-evidence of the network, lower bound in expectation", "nats"),
    "log_evidence_upper": ("log-evidence of the network, upper bound in expectation", "nats"),
    "log_evidence_kernel": ("exact log-evidence of the network of infinite width on the same data", "nats"),
    "log_evidence_linear": ("exact log-evidence of the Gaussian equivalent on the same data", "nats"),
    "ratio_kernel": ("evidence of infinite width over that of the network; its mean is 1", "1"),
    "ratio_linear": ("evidence of the equivalent over that of the network; its mean is 1", "1"),
    "thermodynamic": ("log-evidence by thermodynamic integration, mean of both directions", "nats"),
    "gap": ("mean reverse minus mean forward log-weight", "nats"),
    "explained": ("squared distance of the network's posterior mean from that of infinite width", "output units squared"),
    "acceptance": ("acceptance of the chains", "1"),
    "information": ("mutual information per sample", "nats"),
    "information_lower": ("mutual information per sample, lower bound", "nats"),
    "information_upper": ("mutual information per sample, upper bound", "nats"),
    "information_equivalent": ("mutual information per sample of the Gaussian equivalent at the same n and d", "nats"),
    "information_limit": ("mutual information per sample for n, d to infinity", "nats"),
    "information_deviation": ("mutual information per sample, network minus equivalent", "nats"),
    "information_gain": ("variance of the plain mean over that with control variates", "1"),
    "test_error": ("Bayes-optimal test error of the network", "output units"),
    "test_error_equivalent": ("Bayes-optimal test error of the Gaussian equivalent at the same n and d", "output units"),
    "test_error_limit": ("Bayes-optimal test error for n, d to infinity", "output units"),
    "test_error_deviation": ("Bayes-optimal test error, network minus equivalent", "output units"),
    "information_plain": ("mutual information per sample without control variates", "nats"),
    "trials": ("networks", "1"),
    "temperatures": ("temperatures of the annealing", "1"),
    "length": ("thermodynamic length of the path from prior to posterior", "nats"),
}


def network_information(
    problem: Problem,
    alpha: ArrayLike,
    *,
    d: int | None = None,
    trials: int = 64,
    seed: int = 0,
    chains: int = 4,
    temperatures: int | None = None,
    gap: float = 0.2,
    posterior_steps: int = 8,
    test_samples: int = 64,
    control_trials: int = 300,
    together: int | None = None,
    seconds: float | None = None,
    checkpoint: str | Path | None = None,
    progress: bool | None = None,
) -> xr.Dataset:
    r"""Mutual information and Bayes error of a finite deep network, bracketed, beside those of its Gaussian equivalent at the same n and d.

        I_n/n = -(1/2) log(2 pi e noise) - E log Z/n,   Z = P(labels | inputs),

    log Z by annealing between prior and posterior in both directions (`algorithms.annealing`). What is averaged is not log Z but its
    difference from the exact log-evidence R of the network of infinite width on the same labels, whose mean over deep networks comes
    from `control_trials` data sets without annealing; E[R/Z] = 1 exactly, for this and for the equivalent's evidence, gives two more
    control variates. The Bayes error is E(S - <S>)^2 = E(S - f)^2 - E(<S> - f)^2, f the predictor of infinite width, <S> from posterior
    samples of both directions, which are independent given the data.

    Parameters
    ----------
    problem : Problem
        Its target's labels must have Gaussian noise; learners play no role.
    alpha : array of shape (points,), positive
        n = round(alpha d); the result's alpha is n/d.
    d : int
        Input dimension (a covariance matrix fixes it); widths as the target says.
    trials : int
        Networks, each with its own data. Trial t does not depend on their number.
    seed : int
    chains : int
        In each direction.
    temperatures, gap
        As in `annealing.tune`: by default as many temperatures as bring mean reverse and forward log-weights to about `gap` nats.
    posterior_steps : int
        Transitions in the posterior, for predictions and to separate the reverse chains.
    test_samples : int
        Fresh rows of each trial.
    control_trials : int
        Data sets for the exact means, which have their own control variates (`gaussian_evidence.row_controls`, `layer_controls`).
    together : int, optional
        Networks annealed at once; by default 1 on a CPU, whose cores a few chains keep busy, and 128 on an accelerator. Changes what comes
        out by rounding only.
    seconds : float, optional
        Start no further trials after this time at one alpha, compilation and pilots apart (but at least two, and those annealed together
        as a whole); the result records how many there are.
    checkpoint : path, optional
        A file of finished trials and control draws, written every few seconds and continued if it exists.
    progress : bool, optional

    Returns
    -------
    Dataset with dims (alpha, trial): log_evidence with its bounds, exact log-evidences of infinite width and of the equivalent, gap,
    acceptance, status; with dims (alpha,): information (nats per sample) with _stderr, _lower, _upper (bounds of the annealing, with their
    own _stderr), _equivalent (n and d finite), _limit, _deviation (network minus equivalent) and its _stderr, _gain
    (variance of the plain mean over that with controls); test_error likewise.

    Raises
    ------
    ArgumentError : labels without Gaussian noise; a conditioned offset; inputs that are a data matrix.

    If the user interrupts, `Interrupted.partial` keeps the finished alphas (the checkpoint also the trials).

    Validity: the bounds hold for every network; the test error assumes that forward chains reach the posterior. That deviations vanish is a
    theorem for odd smooth activations and isotropic inputs (Camilli, Tieplova, Bergamin, Barbier 2025, Corollary 3 and Theorem 4;
    |deviation| = O(d^{-1/2}) for the information). E[R/Z] = 1 helps where log(R/Z) spreads by less than about 1 (n ~ d).

    Examples
    --------
    >>> import gaussequiv as ge
    >>> problem = ge.Problem(ge.DeepNetwork("tanh", noise=0.5, width_ratios=1.0))
    >>> found = network_information(problem, 1.0, d=6, trials=4, control_trials=20)
    >>> found.log_evidence.dims, found.information.attrs["units"]
    (('alpha', 'trial'), 'nats')
    """
    plan = plan_of(problem, alpha, d, seed, chains, posterior_steps, test_samples, gap, temperatures)
    trials = integer("trials", trials, minimum=LEAST_TRIALS)
    control_trials = integer("control_trials", control_trials, minimum=LEAST_TRIALS)
    together = default_together() if together is None else integer("together", together, minimum=1)
    seconds = np.inf if seconds is None else number("seconds", seconds, positive=True)
    store = Store(checkpoint, plan.header)
    parts = []
    call = {"trials": trials, "control_trials": control_trials}
    try:
        for n in plan.n.tolist():
            records = records_of(plan, n, trials, seconds, store, together, progress)
            parts.append((n, records, _summary(plan, n, records, control_records(plan, n, control_trials, store))))
        return _collect(plan, parts, call, store.made_with)
    except KeyboardInterrupt:
        raise keeping(lambda: _collect(plan, parts, call, store.made_with) if parts else None) from None


def plan_of(
    problem: Problem,
    alpha: ArrayLike,
    d: int | None,
    seed: int = 0,
    chains: int = 4,
    posterior_steps: int = 8,
    test_samples: int = 64,
    gap: float = 0.2,
    temperatures: int | None = None,
) -> EvidencePlan:
    """The checked arguments of `network_information`."""
    from gaussequiv.algorithms.networks.annealing_target import annealing_target

    target = problem.target
    if not isinstance(target, DeepNetwork):
        raise fail("target", "a DeepNetwork", target)
    if not isinstance(target.channel, GaussianNoise) or target.noise <= 0:
        raise fail(
            "problem", "one with real labels and Gaussian noise > 0", target.channel, "The evidence of the equivalent is then exact."
        )
    if target.offset is not None:
        raise fail("offset", "None: a conditioned offset has no posterior", target.offset)
    if not problem.inputs.gaussian:
        raise fail("inputs", "Gaussian inputs", problem.inputs)
    d = integer("d", problem.inputs.dimension if d is None else d, minimum=1, meaning="d is the input dimension of the networks.")
    if problem.inputs.dimension not in (None, d):
        raise fail("d", f"{problem.inputs.dimension}, the dimension of the inputs", d)
    n = np.unique(np.maximum(np.round(grid("alpha", alpha, meaning=ALPHA_MEANING) * d), 1).astype(int))
    options = {
        "chains": integer("chains", chains, minimum=1),
        "posterior_steps": integer("posterior_steps", posterior_steps, minimum=2),
        "test_samples": integer("test_samples", test_samples, minimum=1),
        "gap": number("gap", gap, positive=True),
        "temperatures": None if temperatures is None else integer("temperatures", temperatures, minimum=1),
    }
    return EvidencePlan(problem, n, d, integer("seed", seed, minimum=0), annealing_target(target), options)


def _summary(plan: EvidencePlan, n: int, records: list[Record], controls: FloatArray) -> Record:
    """Means with standard errors of one point."""
    column = {name: np.array([record[name] for record in records]) for name in COLUMNS}
    ratios = np.column_stack([column["ratio_kernel"], column["ratio_linear"]]) - 1
    (log_kernel, error_kernel, log_linear, error_linear), zero = controls[:, :4].T, controls[:, 4:]
    ends = {name: adjusted_mean(column[f"log_evidence{name}"] - column["log_evidence_kernel"], ratios) for name in ("", "_lower", "_upper")}
    explained = adjusted_mean(column["explained"])
    base = -0.5 * np.log(2 * np.pi * np.e * plan.noise)

    def total(difference: Adjusted, known: FloatArray) -> tuple[float, float]:
        extra = adjusted_mean(known, zero)
        return difference.mean + extra.mean, float(np.hypot(difference.stderr, extra.stderr))

    evidence, evidence_stderr = total(ends[""], log_kernel)
    shift, shift_stderr = total(ends[""], log_kernel - log_linear)
    equivalent, error_equivalent = adjusted_mean(log_linear, zero), adjusted_mean(error_linear, zero)
    error, error_stderr = total(explained._replace(mean=-explained.mean), error_kernel)
    moved, moved_stderr = total(explained._replace(mean=-explained.mean), error_kernel - error_linear)
    plain = adjusted_mean(column["log_evidence"])
    (least, least_stderr), (most, most_stderr) = (total(ends[name], log_kernel) for name in ("_lower", "_upper"))
    return {
        "information": base - evidence / n,
        "information_stderr": evidence_stderr / n,
        "information_lower": base - most / n,
        "information_lower_stderr": most_stderr / n,
        "information_upper": base - least / n,
        "information_upper_stderr": least_stderr / n,
        "information_plain": base - plain.mean / n,
        "information_plain_stderr": plain.stderr / n,
        "information_gain": (plain.stderr / evidence_stderr) ** 2 if evidence_stderr > 0 else np.inf,
        "information_equivalent": base - equivalent.mean / n,
        "information_equivalent_stderr": equivalent.stderr / n,
        "information_deviation": -shift / n,
        "information_deviation_stderr": shift_stderr / n,
        "test_error": error + plan.noise,
        "test_error_stderr": error_stderr,
        "test_error_equivalent": error_equivalent.mean + plan.noise,
        "test_error_equivalent_stderr": error_equivalent.stderr,
        "test_error_deviation": moved,
        "test_error_deviation_stderr": moved_stderr,
        "temperatures": float(column["temperatures"][0]),
        "length": float(column["length"][0]),
        "trials": float(len(records)),
    }


def _collect(plan: EvidencePlan, parts: list[tuple[int, list[Record], Record]], call: dict[str, Any], made_with: list[str]) -> xr.Dataset:
    samples = np.array([n for n, _, _ in parts])
    alpha = samples / plan.d
    trials = max(len(records) for _, records, _ in parts)
    variables: dict[str, tuple[tuple[str, ...], Any]] = {}
    for name in MEASURED:
        rows = [[record[name] for record in records] + [np.nan] * (trials - len(records)) for _, records, _ in parts]
        variables[name] = (("alpha", "trial"), np.array(rows))
    for name in parts[0][2]:
        variables[name] = (("alpha",), np.array([summary[name] for _, _, summary in parts]))
    variables["information_limit"] = (("alpha",), information_curve(plan.problem.equivalent(), alpha)["mutual_information_per_sample"])
    variables["test_error_limit"] = (("alpha",), BayesOptimal().solve(plan.problem.equivalent(), alpha)["test_error"])
    accepted = np.array([np.nanmean([record["acceptance"] for record in records]) for _, records, _ in parts])
    finite = np.isfinite(variables["information"][1])
    slow = np.where(accepted >= LEAST_ACCEPTANCE, float(Status.converged), float(Status.max_steps))
    variables["status"] = (("alpha",), np.where(finite, slow, float(Status.nonfinite)))
    record = provenance(plan.problem, "network_information", {"d": plan.d, "seed": plan.seed} | plan.options | call)
    attributes = record | {"source": "simulation", "d": plan.d, "seed": plan.seed, "made_with": "; ".join(made_with)}
    words = COMMON | ALPHA_WORDS | {name: Observable(*one) for name, one in WORDS.items()}
    return dataset(variables, {"alpha": alpha, "n": ("alpha", samples), "trial": np.arange(trials)}, attributes, words)
