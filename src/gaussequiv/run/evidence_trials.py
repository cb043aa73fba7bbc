"""The trials of `network_information`: one network with its data, annealed; exact control draws; a file of finished trials."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv.algorithms import checkpoint as checkpoints
from gaussequiv.algorithms.evidence import bracket
from gaussequiv.algorithms.gaussian_evidence import GaussianModel, kernel_model, layer_controls, linear_model, row_controls, true_covariance
from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.inputs import BLOCK, TEST, TRAIN
from gaussequiv.problems.supervised import Problem
from gaussequiv.results import versions
from gaussequiv.run.progress import track

if TYPE_CHECKING:
    from gaussequiv.algorithms.annealing import Schedule
    from gaussequiv.algorithms.annealing_target import Posterior

# purposes of the random keys (seed, trial, purpose); pilots and control draws are other trials
_TEACHER, _ROWS, _LABELS = 20, 21, 22
_PILOT, _CONTROL = 1 << 40, 1 << 41
PILOTS = 3
LEAST_TRIALS = 2
SAVE_EVERY = 5.0  # seconds

Record = dict[str, float]

MEASURED = (
    "log_evidence",
    "log_evidence_lower",
    "log_evidence_upper",
    "log_evidence_kernel",
    "log_evidence_linear",
    "ratio_kernel",
    "ratio_linear",
    "thermodynamic",
    "gap",
    "explained",
    "acceptance",
)
COLUMNS = (*MEASURED, "temperatures", "length")


@dataclass(frozen=True)
class Plan:
    """A checked call: everything but the numbers of trials."""

    problem: Problem
    n: Any
    d: int
    seed: int
    target: Posterior
    options: dict[str, Any]

    @property
    def noise(self) -> float:
        """Variance of the label noise."""
        return float(self.problem.target.channel.noise)

    def _described(self) -> dict[str, Any]:
        first = Data(self, 0, 2, 0)  # its labels tell whether a function has changed under the same name
        digest = hashlib.sha256(first.x.tobytes() + first.y.tobytes()).hexdigest()[:16]
        about = versions() | {name: version(name) for name in ("jax", "jaxlib")}
        return {
            "problem": self.problem.to_dict(),
            "d": self.d,
            "seed": self.seed,
            "columns": list(COLUMNS),
            "versions": about,
            "first_data": digest,
        }

    @property
    def header(self) -> dict[str, Any]:
        """All that a trial depends on, as JSON gives it back."""
        found: dict[str, Any] = json.loads(json.dumps(self._described() | self.options))
        return found


class Data:
    """One network with n rows, labels and fresh rows; sets of different n are nested."""

    def __init__(self, plan: Plan, trial: int, n: int, fresh: int) -> None:
        target, key = plan.problem.target, (plan.seed, trial)
        self.network = target.sample(np.random.default_rng((*key, _TEACHER)), plan.d)
        stream = plan.problem.inputs.rows((*key, _ROWS), plan.d, n, fresh)
        self.x = _rows(stream, TRAIN, n)
        self.rows = _rows(stream, TEST, fresh) if fresh else np.zeros((0, plan.d))
        self.y = target.channel.sample(np.random.default_rng((*key, _LABELS)), self.network(self.x))
        self.n, self.all = n, np.concatenate([self.x, self.rows])

    def models(self, plan: Plan) -> tuple[GaussianModel, GaussianModel]:
        """Infinite width, and the equivalent."""
        problem = plan.problem
        linear = linear_model(problem.equivalent(plan.d), self.all, problem.inputs.centre(plan.d), self.n)
        return kernel_model(problem.target, self.all, self.n), linear


def _rows(stream: Any, purpose: int, count: int) -> FloatArray:
    blocks = [stream.block(purpose, start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]
    return np.concatenate(blocks)


def schedule_of(plan: Plan, n: int) -> Schedule:
    """The schedule of all trials with n samples, from pilot data sets."""
    from gaussequiv.algorithms.annealing import tune

    pilots = [Data(plan, _PILOT + i, n, 0) for i in range(PILOTS)]
    options = {key: plan.options[key] for key in ("temperatures", "gap")}
    return tune(plan.target, [(one.x, one.y) for one in pilots], plan.seed, **options)


def trial_record(plan: Plan, schedule: Schedule, trial: int, n: int) -> Record:
    """One network: its evidence from both directions, the exact ones on the same labels, and the posterior mean at fresh rows."""
    from gaussequiv.algorithms.annealing import anneal

    data = Data(plan, trial, n, plan.options["test_samples"])
    teacher = plan.target.coordinates(data.network, plan.d)
    options = {key: plan.options[key] for key in ("chains", "posterior_steps")}
    run = anneal(plan.target, data.x, data.y, teacher, schedule, (plan.seed, trial), rows=data.rows, **options)
    found = bracket(run.forward, run.reverse)
    kernel, linear = data.models(plan)
    exact = {"kernel": kernel.log_evidence(data.y), "linear": linear.log_evidence(data.y)}
    ratios = {f"ratio_{name}": float(np.exp(value - found.upper)) for name, value in exact.items()}  # upper = -log mean exp(-reverse)
    f = kernel.prediction(data.y)
    both = (run.forward_prediction.mean(axis=0) - f) * (run.reverse_prediction.mean(axis=0) - f)
    return {
        "log_evidence": float(found.combined),
        "log_evidence_lower": float(found.lower),
        "log_evidence_upper": float(found.upper),
        "log_evidence_kernel": exact["kernel"],
        "log_evidence_linear": exact["linear"],
        **ratios,
        "thermodynamic": 0.5 * float(run.forward_area.mean() + run.reverse_area.mean()),
        "gap": float(run.reverse.mean() - run.forward.mean()),
        "explained": float(both.mean()),
        "acceptance": run.acceptance,
    }


class Store:
    """Finished trials by n, in memory and, every few seconds, in a file."""

    def __init__(self, path: str | Path | None, header: dict[str, Any]) -> None:
        self._path, self._header, self._saved = None if path is None else Path(path), header, time.monotonic()
        self.records: dict[int, list[Record]] = {}
        if self._path is not None and self._path.exists():
            stored, arrays = checkpoints.read(self._path)
            checkpoints.same_call(self._path, stored, header)
            self.records = {int(n): [dict(zip(COLUMNS, row, strict=True)) for row in rows.tolist()] for n, rows in arrays.items()}

    def add(self, n: int, record: Record) -> None:
        """Keep the next trial."""
        self.records.setdefault(n, []).append(record)
        if time.monotonic() - self._saved > SAVE_EVERY:
            self.save()

    def save(self) -> None:
        """Write the file, if there is one."""
        if self._path is not None:
            arrays = {str(n): [[record[name] for name in COLUMNS] for record in records] for n, records in self.records.items()}
            checkpoints.write(self._path, self._header, arrays)
            self._saved = time.monotonic()


def records_of(plan: Plan, n: int, trials: int, seconds: float, store: Store, progress: bool | None) -> list[Record]:
    """Finished trials, from the store or run now."""
    done = store.records.get(n, [])
    schedule, end = None, time.monotonic() + seconds
    try:
        for trial in track(range(len(done), trials), f"annealing n = {n}", progress):
            if trial >= LEAST_TRIALS and time.monotonic() > end:
                break
            first, schedule = schedule is None, schedule or schedule_of(plan, n)
            shape = {"temperatures": float(schedule.beta.size - 1), "length": schedule.length}
            store.add(n, trial_record(plan, schedule, trial, n) | shape)
            end = time.monotonic() + seconds if first else end  # compilation and pilots do not count
    finally:
        store.save()
    return store.records[n][:trials]


def control_records(plan: Plan, n: int, trials: int) -> FloatArray:
    """Exact means given rows and lower layers: log-evidence and clean error of infinite width on the network's labels and of the
    equivalent on its own, four columns; then controls of mean zero."""
    target, centre, equivalent = plan.problem.target, plan.problem.inputs.centre(plan.d), plan.problem.equivalent(plan.d)
    out = []
    for trial in range(trials):
        data = Data(plan, _CONTROL + trial, n, plan.options["test_samples"])
        kernel, linear = data.models(plan)
        truth = true_covariance(target, data.network, data.all)
        zero = row_controls(equivalent, data.x, centre) + layer_controls(target, data.network, kernel, data.x)
        out.append((*kernel.expected(truth), *linear.expected(linear.joint), *zero))
    return np.array(out)
