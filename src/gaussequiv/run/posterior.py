"""`sample_posterior`: Hamiltonian Monte Carlo on the weights of a true deep network given its own labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gaussequiv._jax import float64_scope
from gaussequiv._progress import progress_bar
from gaussequiv.algorithms.networks.hmc import ACCEPTANCE
from gaussequiv.curve import Observable
from gaussequiv.errors import choice, fail, integer
from gaussequiv.ingredients.targets.deep_network import DeepNetwork
from gaussequiv.learners.bayes.observables import BAYES
from gaussequiv.numerics.status import Status
from gaussequiv.problems.supervised.axis import WORDS
from gaussequiv.problems.supervised.description import Problem, check_supervised
from gaussequiv.problems.supervised.teacher import make_plan
from gaussequiv.results import dataset
from gaussequiv.run.interrupted import keeping
from gaussequiv.run.posterior_run import STARTS, PosteriorRun, Settings
from gaussequiv.run.posterior_summary import LEVELS, R_HAT_LIMIT
from gaussequiv.run.provenance import provenance, warn_unconverged
from gaussequiv.run.simulate import mean, standard_error

if TYPE_CHECKING:
    import xarray as xr

_OVERLAPS = ("weight_overlap", "kernel_overlap")
_LAST = {"coverage": ("level",), "acceptance": ("chain",), "divergences": ("chain",), "gradients": ("chain",)}  # dimensions beyond three
_SHARED = ("r_hat_between", "kernel_overlap_prior", "step_size")  # by all starts
_AVERAGED: tuple[str, ...] = ("test_error", "clean_error", "sampling_excess", "gibbs_error", "gibbs_test_error", "m", "q", "draw_q")
_AVERAGED += ("log_loss", "calibration_error", "coverage", "brier", *_OVERLAPS)


OBSERVABLES = (
    BAYES
    | WORDS
    | {
        "gibbs_test_error": Observable("error of one posterior draw against the label", "output units"),
        "sampling_excess": Observable("error added by the finite number of draws", "output units"),
        "draw_q": Observable("variance of a draw's field", "output units squared"),
        "weight_overlap": Observable("cosine of drawn and teacher's weights"),
        "kernel_overlap": Observable("correlation of drawn and teacher's layer kernels"),
        "coverage": Observable("coverage of central predictive intervals"),
        "r_hat": Observable("largest split R-hat"),
        "r_hat_between": Observable("largest R-hat over the chains of all starts"),
        "ess": Observable("smallest bulk effective sample size"),
        "layer": Observable("hidden layer"),
    }
)


def sample_posterior(
    problem: Problem,
    alpha: ArrayLike,
    *,
    d: int | None = None,
    trials: int = 1,
    seed: int = 0,
    chains: int = 4,
    draws: int = 500,
    warmup: int = 500,
    thin: int = 1,
    start: str | Sequence[str] = STARTS,
    sampler: str = "hmc",
    marginal_readout: bool | None = None,
    test_samples: int = 512,
    keep_weights: bool = False,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 50,
    progress: bool | None = None,
) -> xr.Dataset:
    r"""Sample the posterior of ALL weights of a deep network, given n = round(alpha d) labels of one drawn from the same law.

        P(u | D) ~ exp(-|u|^2/2) prod_mu P(y_mu | S(x_mu; u)),   u the weights in units of their standard deviations.

    Hamiltonian Monte Carlo in which the prior's flow is exact; with Gaussian label noise the readout is integrated out and drawn
    afterwards. Teachers, rows and labels are those of `simulate` with the same seed.

    Parameters
    ----------
    problem : Problem
        Its target must be a `DeepNetwork` with a smooth likelihood: Gaussian noise or a real function of the field with noise > 0, sign
        labels with noise > 0, logit labels. The learner plays no part.
    alpha : array of shape (points,), positive
    d : int
        Input dimension; data and covariance matrices fix it.
    trials : int
        Number of networks (teachers), each with its own data.
    seed : int
    chains : int, at least 2
        For each start.
    draws, warmup, thin : int
        Recorded draws of each chain, transitions before the first (the step size is tuned in them), transitions for each recorded draw.
    start : "uninformed", "informed", or both
        From independent prior draws, or from the teacher, which is an exact draw of the posterior: informed chains are in equilibrium
        from the first step. Where the two disagree, the uninformed chains have not found the posterior's bulk, or the two never mix.
    sampler : "hmc" or "nuts"
        Trajectories of about a quarter turn, or of the no-U-turn criterion.
    marginal_readout : bool, optional
        Integrate the readout out (default: wherever the noise is Gaussian and there are hidden layers).
    test_samples : int, at least 64
        Fresh rows of every trial.
    keep_weights : bool
        Also return every recorded draw of all weights, in units of their standard deviations: by default only scalars and sums are kept.
    checkpoint : folder, optional
        Everything needed to go on is stored there every `checkpoint_every` draws. The same call with the same folder goes on where an
        earlier one was stopped or killed, and gives the same bits as a run that was not; a folder of another call is refused.
    progress : bool, optional
        Show a progress bar (default: on a terminal).

    If the user interrupts, `Interrupted.partial` keeps the finished data sets; those left out have the status `interrupted`.

    Returns
    -------
    Dataset with dims (start, alpha, trial), and layer, level, chain, draw where they apply:
    test_error, clean_error: of the posterior mean (regression: mean square; labels: the likelier one), against labels with and without
    noise; sampling_excess: the part of these two that the finite number of draws adds (regression);
    gibbs_error, gibbs_test_error: mean error of one draw's noiseless label, against the noiseless and the noisy label;
    m, q: covariance of the posterior-mean field with the teacher's, and its variance; draw_q: variance of a draw's field;
    weight_overlap (layer; the readout is the last): cosine of a draw's and the teacher's weights, which permuted neurons hide;
    kernel_overlap (layer): correlation of the layers' kernels h_l.h_l'/k_l over pairs of test rows, which permutations leave alone;
    kernel_overlap_prior: the same for networks that saw no data;
    log_loss (nats, of the predictive density), calibration_error, coverage (level) of central predictive intervals, brier on labels;
    log_likelihood (of the training labels), readout_square; acceptance, divergences, gradients (each chain's), step_size.
    Beside every number X: X_r_hat and X_ess, for means over draws of scalars also X_mcse and X_trace (chain, draw). r_hat and ess are the
    worst of all; `converged` means r_hat <= 1.05 and ess >= 100. r_hat_between (alpha, trial) joins all starts; attribute `agreement`.
    X_mean, X_stderr: over trials.

    Raises
    ------
    ArgumentError : a value is out of range, the likelihood cannot be sampled, or the checkpoint belongs to another call.

    Validity: exact up to Monte Carlo error at any size, if the chains have mixed; R-hat and the agreement of starts are heuristics.
    Nishimori: gibbs_error = 2 (clean_error - sampling_excess) in regression and m = q, on average over trials. Informed and uninformed
    starts as in Barbier, Camilli, Nguyen, Pastore, Skerk 2025; the limit n, d -> infinity is `solve` (Camilli, Tieplova, Bergamin,
    Barbier 2025, Theorem 4).

    Examples
    --------
    >>> import gaussequiv as ge
    >>> problem = ge.Problem(target=ge.DeepNetwork("tanh", noise=0.5))
    >>> result = sample_posterior(problem, alpha=1.0, d=6, draws=200, warmup=100)
    >>> result.test_error.dims, bool(result.converged.all()), result.attrs["agreement"]
    (('start', 'alpha', 'trial'), True, 'agree')
    """
    import jax  # noqa: F401  # before the scope, which does nothing without it

    test = integer("test_samples", test_samples, minimum=64)
    check_supervised(problem)
    plan = make_plan(problem, alpha, d, test)
    trials, seed = integer("trials", trials, minimum=1), integer("seed", seed, minimum=0)
    network = _network(problem)
    settings = Settings(
        _starts(start),
        integer("chains", chains, minimum=2, meaning="Differences between chains are the only sign of bad mixing."),
        integer("draws", draws, minimum=8),
        integer("warmup", warmup, minimum=10),
        integer("thin", thin, minimum=1),
        choice("sampler", sampler, tuple(ACCEPTANCE)),
        _marginal(network, marginal_readout),
        bool(keep_weights),
    )
    every = integer("checkpoint_every", checkpoint_every, minimum=1) * settings.thin
    with float64_scope():
        run = PosteriorRun(plan, (trials, seed), network, settings, every, None if checkpoint is None else Path(checkpoint))
        result = _sampled(run, progress)
    warn_unconverged(result)
    return result


def _sampled(run: PosteriorRun, progress: bool | None) -> xr.Dataset:
    """The whole run; an interruption carries the data sets that were finished."""
    pieces = run.pieces()
    try:
        for _ in progress_bar(range(len(run)), "sampling", progress):
            next(pieces)
        return _collect(run, run.trials)
    except KeyboardInterrupt:
        begun = -(-len(run.done) // run.plan.n.size)
        raise keeping(lambda: _collect(run, begun) if begun else None) from None


def _starts(start: str | Sequence[str]) -> tuple[str, ...]:
    starts = (start,) if isinstance(start, str) else tuple(start)
    for one in starts:
        choice("start", one, STARTS)
    if not starts or len(set(starts)) < len(starts):
        raise fail("start", '"uninformed", "informed" or both', start)
    return starts


def _network(problem: Problem) -> DeepNetwork:
    from gaussequiv.algorithms.networks.density import label_density

    target = problem.target
    if not isinstance(target, DeepNetwork):
        raise fail("target", "a DeepNetwork to sample the posterior of its weights", target)
    if target.offset is not None:
        raise fail("offset", "None to sample a posterior: a target conditioned on its constant part has another prior", target.offset)
    label_density(target.channel)
    return target


def _marginal(network: DeepNetwork, asked: bool | None) -> bool:
    from gaussequiv.algorithms.networks.marginal_readout import can_marginalise

    possible = can_marginalise(network)
    if asked and not possible:
        raise fail("marginal_readout", "False unless the noise is Gaussian and there are hidden layers", asked)
    return possible if asked is None else bool(asked)


def _collect(run: PosteriorRun, trials: int) -> xr.Dataset:
    """The Dataset of the first `trials` trials."""
    plan, settings = run.plan, run.settings
    jobs = run.done[: trials * plan.n.size]
    finished = (np.arange(trials * plan.n.size) < len(jobs)).reshape(trials, plan.n.size)
    variables = _variables(jobs + [_left_out(jobs[0])] * (finished.size - len(jobs)), finished)
    call = {"d": plan.d, "trials": trials, "seed": run.seed, "test_samples": plan.test} | settings.call()
    worst = variables["r_hat_between"][1]
    apart = int((~(worst <= R_HAT_LIMIT))[finished.T].sum())
    agreement = "agree" if apart == 0 else f"disagree on {apart} of {finished.sum()} data sets"
    attributes = provenance(plan.problem, "sample_posterior", call) | {
        "source": "posterior",
        "d": plan.d,
        "widths": list(run.network.widths_at(plan.d)) or [0],
        "seed": run.seed,
        "test_samples": plan.test,
        "sampler": settings.sampler,
        "agreement": agreement if len(settings.start) > 1 else "one start",
    }
    coordinates: dict[str, Any] = {
        "start": list(settings.start),
        "alpha": plan.n / plan.d,
        "trial": np.arange(trials),
        "n": ("alpha", plan.n),
        "layer": np.arange(1, len(run.network.layers) + 2),
    }
    if "coverage" in variables:
        coordinates["level"] = LEVELS
    return dataset(variables, coordinates, attributes, OBSERVABLES)


def _variables(jobs: list[dict[str, Any]], finished: NDArray[np.bool_]) -> dict[str, tuple[tuple[str, ...], Any]]:
    """Dimensions and values of every number of the data sets, trial by trial; means and standard errors over the trials that are finished,
    (trials, sizes)."""
    trials, sizes = finished.shape
    variables: dict[str, tuple[tuple[str, ...], Any]] = {}
    for name in jobs[0]:
        values = np.stack([job[name] for job in jobs]).reshape(trials, sizes, *jobs[0][name].shape)
        if name in _SHARED:
            variables[name] = (("alpha", "trial", *(("layer",) if name == "kernel_overlap_prior" else ())), np.swapaxes(values, 0, 1))
            continue
        dims = ("start", "alpha", "trial", *_own(name))
        values = np.moveaxis(values, (2, 1, 0), (0, 1, 2))
        if name.startswith("kernel_overlap"):  # the readout has no kernel
            missing = np.full((*values.shape[:-1], 1), np.nan)
            values = np.concatenate([values, missing], axis=-1)
        variables[name] = (dims, values)
        if name in _AVERAGED:
            rest = dims[:2] + dims[3:]
            kept = np.broadcast_to(finished.T.reshape(1, sizes, trials, *(1,) * (values.ndim - 3)), values.shape)
            last, known = np.moveaxis(values, 2, -1), np.moveaxis(kept, 2, -1)
            variables[f"{name}_mean"], variables[f"{name}_stderr"] = (rest, mean(last, known)), (rest, standard_error(last, known))
    if "kernel_overlap_prior" in variables:
        dims, values = variables["kernel_overlap_prior"]
        variables["kernel_overlap_prior"] = (dims, np.concatenate([values, np.full((*values.shape[:-1], 1), np.nan)], axis=-1))
    return variables


def _left_out(job: dict[str, Any]) -> dict[str, Any]:
    """The numbers of a data set that an interruption left out."""
    return {name: np.full(np.shape(value), float(Status.interrupted) if name == "status" else np.nan) for name, value in job.items()}


def _own(name: str) -> tuple[str, ...]:
    """Dimensions of a variable beyond (start, alpha, trial)."""
    stem = name.removesuffix("_trace")
    layer = ("layer",) if name.startswith(_OVERLAPS) else ("probe",) if stem == "field" else ()
    if stem != name:
        return ("chain", "draw", *layer)
    return ("chain", "draw", "parameter") if name == "weights" else layer or _LAST.get(name, ())
