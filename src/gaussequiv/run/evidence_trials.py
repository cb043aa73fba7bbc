"""The trials of `network_information`: one network with its data, annealed; exact control draws; a file of finished trials."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv._progress import progress_bar
from gaussequiv.algorithms.networks.evidence import bracket
from gaussequiv.algorithms.networks.gaussian_evidence import (
    GaussianModel,
    kernel_model,
    layer_controls,
    linear_model,
    row_controls,
    true_covariance,
)
from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.inputs.base import BLOCK
from gaussequiv.numerics.keys import EVIDENCE_LABELS, EVIDENCE_ROWS, EVIDENCE_TEACHER, FIRST_CONTROL, FIRST_PILOT, TEST, TRAIN
from gaussequiv.problems.supervised.description import Problem
from gaussequiv.results import version_of, versions
from gaussequiv.store import checkpoint as checkpoints

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gaussequiv.algorithms.networks.annealing import Annealed, Schedule
    from gaussequiv.algorithms.networks.annealing_target import AnnealingTarget

_CONTROLS = "controls "  # in the names of a file's arrays
PILOTS = 3
LEAST_TRIALS = 2
ON_ACCELERATOR = 128  # networks annealed at once
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
class EvidencePlan:
    """A checked call: everything but the numbers of trials."""

    problem: Problem
    n: Any
    d: int
    seed: int
    target: AnnealingTarget
    options: dict[str, Any]

    @property
    def noise(self) -> float:
        """Variance of the label noise."""
        return float(self.problem.target.channel.noise)

    def _described(self) -> dict[str, Any]:
        first = EvidenceData(self, 0, 2, 0)  # its labels tell whether a function has changed under the same name
        seen = [np.round(values, 9) + 0.0 for values in (first.x, first.y)]  # another machine may round the last digits otherwise
        digest = hashlib.sha256(b"".join(values.tobytes() for values in seen)).hexdigest()[:16]
        return {
            "problem": self.problem.to_dict(),
            "d": self.d,
            "seed": self.seed,
            "columns": list(COLUMNS),
            "gaussequiv": versions()["gaussequiv"],
            "first_data": digest,
        }

    @property
    def header(self) -> dict[str, Any]:
        """All that a trial depends on, as JSON gives it back."""
        found: dict[str, Any] = json.loads(json.dumps(self._described() | self.options))
        return found


class EvidenceData:
    """One network with n rows, labels and fresh rows; sets of different n are nested."""

    def __init__(self, plan: EvidencePlan, trial: int, n: int, fresh: int) -> None:
        target, key = plan.problem.target, (plan.seed, plan.d, trial)
        self.network = target.sample(np.random.default_rng((*key, EVIDENCE_TEACHER)), plan.d)
        stream = plan.problem.inputs.rows((*key, EVIDENCE_ROWS), plan.d, n, fresh)
        self.x = _rows(stream, TRAIN, n)
        self.rows = _rows(stream, TEST, fresh) if fresh else np.zeros((0, plan.d))
        self.y = target.channel.sample(np.random.default_rng((*key, EVIDENCE_LABELS)), self.network(self.x))
        self.n, self.all = n, np.concatenate([self.x, self.rows])

    def models(self, plan: EvidencePlan) -> tuple[GaussianModel, GaussianModel]:
        """Infinite width, and the equivalent."""
        problem = plan.problem
        linear = linear_model(problem.equivalent(plan.d), self.all, problem.inputs.centre(plan.d), self.n)
        return kernel_model(problem.target, self.all, self.n), linear


def _rows(stream: Any, purpose: int, count: int) -> FloatArray:
    blocks = [stream.block(purpose, start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]
    return np.concatenate(blocks)


def default_together() -> int:
    """Networks annealed at once on this machine."""
    import jax

    return 1 if jax.default_backend() == "cpu" else ON_ACCELERATOR


def schedule_of(plan: EvidencePlan, n: int) -> Schedule:
    """The schedule of all trials with n samples, from pilot data sets."""
    from gaussequiv.algorithms.networks.annealing import tune

    pilots = [EvidenceData(plan, FIRST_PILOT + i, n, 0) for i in range(PILOTS)]
    options = {key: plan.options[key] for key in ("temperatures", "gap")}
    return tune(plan.target, [(one.x, one.y) for one in pilots], plan.seed, **options)


def trial_records(plan: EvidencePlan, schedule: Schedule, trials: Sequence[int], n: int, together: int) -> list[Record]:
    """Networks annealed at once: their evidence from both directions, the exact ones on the same labels, posterior means at fresh rows.

    `together` trials are annealed, whatever is asked for, the last one repeated: one compilation serves all.
    """
    from gaussequiv.algorithms.networks.annealing import DataSet, anneal

    drawn = [EvidenceData(plan, trial, n, plan.options["test_samples"]) for trial in trials]
    sets = [
        DataSet(data.x, data.y, plan.target.coordinates(data.network, plan.d), (plan.seed, plan.d, trial), data.rows)
        for data, trial in zip(drawn, trials, strict=True)
    ]
    options = {key: plan.options[key] for key in ("chains", "posterior_steps")}
    runs = anneal(plan.target, sets + [sets[-1]] * (together - len(sets)), schedule, **options)
    return [_record(plan, data, run) for data, run in zip(drawn, runs, strict=False)]


def _record(plan: EvidencePlan, data: EvidenceData, run: Annealed) -> Record:
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
    """Finished trials and control draws by n, in memory and, every few seconds, in a file.

    The file also names the machines that made them, one after the other: trials of different ones are samples of the same law.
    """

    def __init__(self, path: str | Path | None, header: dict[str, Any]) -> None:
        self._path, self._header, self._saved = None if path is None else Path(path), header, time.monotonic()
        self.records: dict[int, list[Record]] = {}
        self.controls: dict[int, list[tuple[float, ...]]] = {}
        self.made_with: list[str] = []
        if self._path is not None and self._path.exists():
            stored, arrays = checkpoints.read(self._path)
            self.made_with = stored.pop("made_with", [])
            checkpoints.same_call(self._path, stored, header)
            for name, rows in arrays.items():
                if name.startswith(_CONTROLS):
                    self.controls[int(name.removeprefix(_CONTROLS))] = [tuple(row) for row in rows.tolist()]
                else:
                    self.records[int(name)] = [dict(zip(COLUMNS, row, strict=True)) for row in rows.tolist()]

    def add(self, n: int, record: Record) -> None:
        """Keep the next trial."""
        self.records.setdefault(n, []).append(record)
        if (here := _here()) not in self.made_with:
            self.made_with.append(here)
        self._save_sometimes()

    def add_control(self, n: int, row: tuple[float, ...]) -> None:
        """Keep the next control draw."""
        self.controls.setdefault(n, []).append(row)
        self._save_sometimes()

    def _save_sometimes(self) -> None:
        if time.monotonic() - self._saved > SAVE_EVERY:
            self.save()

    def save(self) -> None:
        """Write the file, if there is one."""
        if self._path is not None:
            arrays: dict[str, Any] = {
                str(n): [[record[name] for name in COLUMNS] for record in records] for n, records in self.records.items()
            }
            arrays |= {f"{_CONTROLS}{n}": rows for n, rows in self.controls.items()}
            checkpoints.write(self._path, self._header | {"made_with": self.made_with}, arrays)
            self._saved = time.monotonic()


@lru_cache(maxsize=1)
def _here() -> str:
    """The device that anneals, and the libraries' versions."""
    import jax

    about = versions() | {name: version_of(name) for name in ("jax", "jaxlib")}
    return ", ".join([jax.devices()[0].device_kind, *(f"{name} {number}" for name, number in about.items() if name != "gaussequiv")])


def records_of(plan: EvidencePlan, n: int, trials: int, seconds: float, store: Store, together: int, progress: bool | None) -> list[Record]:
    """Finished trials, from the store or run now, `together` of them at once."""
    done = store.records.get(n, [])
    left = max(trials - len(done), 1)
    together = -(-left // -(-left // together))  # as many times, evenly
    schedule, end = None, time.monotonic() + seconds
    try:
        for start in progress_bar(range(len(done), trials, together), f"annealing n = {n}", progress):
            if start >= LEAST_TRIALS and time.monotonic() > end:
                break
            first, schedule = schedule is None, schedule or schedule_of(plan, n)
            shape = {"temperatures": float(schedule.beta.size - 1), "length": schedule.length}
            for record in trial_records(plan, schedule, range(start, min(start + together, trials)), n, together):
                store.add(n, record | shape)
            end = time.monotonic() + seconds if first else end  # compilation and pilots do not count
    finally:
        store.save()
    return store.records[n][:trials]


def control_records(plan: EvidencePlan, n: int, trials: int, store: Store) -> FloatArray:
    """Control draws, from the store or made now.

    Four exact means given rows and lower layers: log-evidence and clean error of infinite width on the network's labels and of the
    equivalent on its own; then controls of mean zero.
    """
    target, centre, equivalent = plan.problem.target, plan.problem.inputs.centre(plan.d), plan.problem.equivalent(plan.d)
    try:
        for trial in range(len(store.controls.get(n, ())), trials):
            data = EvidenceData(plan, FIRST_CONTROL + trial, n, plan.options["test_samples"])
            kernel, linear = data.models(plan)
            truth = true_covariance(target, data.network, data.all)
            zero = row_controls(equivalent, data.x, centre) + layer_controls(target, data.network, kernel, data.x)
            store.add_control(n, tuple(map(float, (*kernel.expected(truth), *linear.expected(linear.joint), *zero))))
    finally:
        store.save()
    return np.array(store.controls[n][:trials])
