"""`fixed_points`, `thresholds`, `phase_diagram`: every branch of Bayes-optimal inference and where they exchange stability."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from gaussequiv._progress import progress_bar
from gaussequiv.curve import Curve
from gaussequiv.errors import ConvergenceWarning, FloatArray, fail, grid
from gaussequiv.learners.bayes.fixed_points import FixedPoint, Potential, Thresholds
from gaussequiv.learners.bayes.general_bayes import observe
from gaussequiv.learners.bayes.observables import BAYES
from gaussequiv.numerics.status import Status
from gaussequiv.problems.supervised.axis import ALPHA_MEANING, WORDS
from gaussequiv.problems.supervised.description import Problem, check_supervised
from gaussequiv.results import dataset
from gaussequiv.run.interrupted import keeping
from gaussequiv.run.provenance import provenance

if TYPE_CHECKING:
    import xarray as xr

KINDS = ("uninformed", "unstable", "middle", "informed")
PHASES = ("impossible", "hard", "easy", "partial", "unique")


def _potential(problem: Problem, d: int | None = None) -> Potential:
    check_supervised(problem)
    if problem.features is not None:
        raise fail("problem", "a problem without features: the Bayes-optimal learner sees the inputs", problem.features)
    e = problem.equivalent(d)
    if e.offset is None and e.offset_variance > 0:
        raise fail(
            "target", "a target whose constant part is given (offset=...): fixed points differ from offset to offset", problem.target
        )
    return Potential(e, float(e.offset or 0.0))


def fixed_points(problem: Problem, alpha: ArrayLike) -> xr.Dataset:
    r"""Every fixed point of Bayes-optimal state evolution, with errors, free entropy and mutual information.

        R = alpha F(q),   q = q(R),   phi = psi(R) + alpha Psi(q) - R q/2

    Parameters
    ----------
    problem : Problem
        Any prior and channel (`LinearTarget`, or a `DeepNetwork` through its equivalent). The learner is not used.
    alpha : array of shape (points,), positive

    Returns
    -------
    Dataset with dims (branch, alpha), branch = uninformed (reached from q = 0), unstable, informed (reached from the target; the same as
    uninformed where there is one stable solution), and middle, the best of further stable ones, where there are any: q, overlap, qhat,
    test_error, clean_error, gibbs_error, estimation_error, free_entropy (per input dimension), mutual_information (per input dimension),
    quadrature_error, residual; nan where a branch does not
    exist. equilibrium(alpha) names the branch of largest free entropy.

    Validity: theorem for depth 0 on isotropic Gaussian inputs (Barbier, Krzakala, Macris, Miolane, Zdeborova 2019, Theorem 1); for deep
    targets it is the equivalent's.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> found = ge.fixed_points(ge.Problem(ge.LinearTarget("rademacher", labels="sign")), [1.4])
    >>> found.q.values.ravel().round(4).tolist()
    [0.7897, 0.9546, 1.0]
    """
    alphas = grid("alpha", alpha, meaning=ALPHA_MEANING)
    potential = _potential(problem)
    shown = [_shown(potential.solutions(float(a))) for a in alphas]
    kinds = [kind for kind in KINDS if kind != "middle" or any(kind in found for found in shown)]
    values: dict[str, FloatArray] = {}
    best = []
    status = np.full((len(kinds), alphas.size), float(Status.converged))
    places = [(kinds.index(kind), i) for i, found in enumerate(shown) for kind in found]
    said = observe([(potential, shown[i][kinds[row]], float(alphas[i])) for row, i in places])
    del said["steps"]
    for key, value in said.items():
        values[key] = np.full((len(kinds), alphas.size), np.nan)
        values[key][tuple(zip(*places, strict=True))] = value
    for found in shown:
        stable = [kind for kind in found if kind != "unstable"]
        best.append(max(stable, key=lambda kind: (found[kind].free_entropy, -KINDS.index(kind))))
    dims = ("branch", "alpha")
    status[np.nan_to_num(values["residual"]) > 1e-6] = float(Status.max_steps)
    solved = Curve(values | {"status": status}, labels=BAYES, leading=("branch",)).only_solved()
    variables: dict[str, tuple[tuple[str, ...], Any]] = {key: (dims, value) for key, value in solved.items()}
    variables |= {"equilibrium": (("alpha",), np.array(best)), "status": (dims, status)}
    attributes = provenance(problem, "fixed_points", {}, ("barbier2019",)) | {"task": problem.task, "source": "theory"}
    return dataset(variables, {"branch": kinds, "alpha": alphas}, attributes, BAYES | WORDS)


def _shown(solutions: list[FixedPoint]) -> dict[str, FixedPoint]:
    """The branches by name; of further stable ones the best."""
    stable = [point for point in solutions if point.stable]
    shown = {"uninformed": stable[0], "informed": stable[-1]}
    unstable = [point for point in solutions if not point.stable and stable[0].R < point.R]
    if len(stable) > 1 and unstable:
        shown["unstable"] = unstable[-1]
    if len(stable) > 2:
        shown["middle"] = max(stable[1:-1], key=lambda point: point.free_entropy)
    return shown


def thresholds(problem: Problem) -> Thresholds:
    r"""Information-theoretic and algorithmic thresholds in alpha, and spinodals.

    Returns
    -------
    Thresholds : `weak_recovery` (q = 0 is unstable above it; 0 if labels say something at any alpha), `transitions` (for each first-order
    one: informed spinodal, information-theoretic threshold, algorithmic spinodal), `perfect` (nothing is left to learn in equilibrium
    above it; inf if never).

    Weights of finitely many values with real labels without noise: one label tells all, so that `information_theoretic` and `perfect` are
    0. The spinodals are extrema of alpha(R) = R/F(q(R)), polished to 1e-7 in log R; noiseless limits are taken where 1e-13 of the signal
    is left. Validity: as for `fixed_points`.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> found = ge.thresholds(ge.Problem(ge.LinearTarget("rademacher", labels="sign"))).transitions[0]
    >>> round(found.information_theoretic, 4), round(found.algorithmic, 4)
    (1.2447, 1.4926)
    """
    return _potential(problem).thresholds()


def phase_diagram(problem: Problem, over: Mapping[str, Any], alpha: ArrayLike, *, progress: bool | None = None) -> xr.Dataset:
    """Phases of Bayes-optimal inference over alpha and one parameter of the problem.

    Parameters
    ----------
    problem : Problem
    over : dict
        One parameter by name and its values, as in `sweep`: {"noise": [...]}, {"prior": ["gauss-bernoulli:0.1", ...]}.
    alpha : array of shape (points,), positive
    progress : bool, optional
        Show a progress bar (default: on a terminal).

    Returns
    -------
    Dataset with dims (parameter, alpha): overlap of the equilibrium and of the uninformed branch, `phase`: 0 impossible (nothing can be
    learned), 1 hard (the optimum exists, message passing stays below it), 2 easy (it reaches an optimum that another branch had hidden, or
    that q = 0 does not stop), 3 partial (a better branch exists, but is not yet the optimum), 4 unique (one branch, with overlap); and dims
    (parameter,): weak_recovery, informed, information_theoretic, algorithmic (nan without a transition; of several the last), perfect.
    Draw it with `plot.phase_diagram`. If the user interrupts, `Interrupted.partial` keeps the finished points; the others have the status
    `interrupted`.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> target = ge.LinearTarget("gauss-bernoulli:0.2", noise=1e-6)
    >>> found = ge.phase_diagram(ge.Problem(target), {"prior": ["gauss-bernoulli:0.1", "gauss-bernoulli:0.2"]}, [0.1, 0.3, 0.9])
    >>> found.phase.dims
    ('prior', 'alpha')
    """
    check_supervised(problem)
    if not isinstance(over, Mapping) or len(over) != 1:
        raise fail("over", "a mapping of one parameter's name to its values, e.g. {'noise': [0.01, 0.1]}", over)
    (name, given), alphas = next(iter(over.items())), grid("alpha", alpha, meaning=ALPHA_MEANING)
    values = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else np.atleast_1d(np.asarray(given)).tolist()
    if not values:
        raise fail("over", "a parameter and at least one value", over)
    shape = (len(values), alphas.size)
    rows = {key: np.full(shape, np.nan) for key in ("overlap", "overlap_uninformed", "phase")}
    lines = {key: np.full(shape[0], np.nan) for key in ("weak_recovery", "informed", "information_theoretic", "algorithmic", "perfect")}
    status = np.full(shape, float(Status.converged))

    def collected() -> xr.Dataset:
        variables: dict[str, tuple[tuple[str, ...], Any]] = {key: ((name, "alpha"), value) for key, value in rows.items()}
        variables |= {key: ((name,), value) for key, value in lines.items()}
        variables["status"] = ((name, "alpha"), status)
        plain = all(isinstance(v, (int, float)) for v in values)
        coordinates = {name: values if plain else [str(getattr(v, "name", v)) for v in values], "alpha": alphas}
        kept = values if plain else coordinates[name]
        record = provenance(problem, "phase_diagram", {"over": {name: kept}}, ("barbier2019",))
        out = dataset(variables, coordinates, record | {"task": problem.task, "source": "theory"}, BAYES | WORDS)
        out["phase"].attrs |= {"flag_values": list(range(len(PHASES))), "flag_meanings": " ".join(PHASES)}
        return out

    try:
        for k in progress_bar(range(len(values)), "solving", progress):
            potential = _potential(problem.with_parameter(name, values[k]))
            edges = potential.thresholds()
            last = edges.transitions[-1]._asdict() if edges.transitions else {}
            for key, edge in ({"weak_recovery": edges.weak_recovery, "perfect": edges.perfect} | last).items():
                lines[key][k] = edge
            for i, a in enumerate(alphas):
                for key, value in _place(potential, edges, float(a)).items():
                    rows[key][k, i] = value
    except KeyboardInterrupt:
        status[np.isnan(rows["phase"])] = float(Status.interrupted)
        raise keeping(lambda: collected() if np.isfinite(rows["phase"]).any() else None) from None
    if not np.all(np.isfinite(rows["overlap"])):
        warnings.warn("Some points are not finite; find them with result.status.", ConvergenceWarning, stacklevel=2)
        status[~np.isfinite(rows["overlap"])] = float(Status.nonfinite)
    return collected()


def _place(potential: Potential, edges: Thresholds, alpha: float) -> dict[str, float]:
    """Overlaps and phase at one alpha."""
    stable = potential.solutions(alpha, stable=True)
    best = max(stable, key=lambda point: (point.free_entropy, point.q))
    total = potential.total if potential.total > 0 else 1.0  # q = 0 without a linear part
    jumped = any(transition.algorithmic <= alpha for transition in edges.transitions) or potential.blind
    return {"overlap": best.q / total, "overlap_uninformed": stable[0].q / total, "phase": _phase(stable, best, jumped)}


def _phase(stable: list[Any], best: Any, jumped: bool) -> int:
    if len(stable) > 1:
        return PHASES.index("hard") if best is not stable[0] else PHASES.index("partial") if stable[0].q > 0 else PHASES.index("impossible")
    if best.q == 0:
        return PHASES.index("impossible")
    return PHASES.index("easy") if jumped else PHASES.index("unique")
