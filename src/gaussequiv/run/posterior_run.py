"""The work of `sample_posterior`: data sets in turn, each a run of chains in pieces, with what is stored of them."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gaussequiv.errors import ArgumentError, FloatArray, fail
from gaussequiv.ingredients.targets.deep_network import DeepNetwork
from gaussequiv.numerics.keys import CHAIN_STARTS, CHAINS, PRIOR_NETWORKS, TEST, TRAIN
from gaussequiv.problems.supervised.teacher import Teacher, TrialPlan, blocks
from gaussequiv.results import version_of, versions
from gaussequiv.run.posterior_summary import UNTRACED, between_starts, summarise
from gaussequiv.store import checkpoint

STARTS = ("uninformed", "informed")
_PRIOR_DRAWS = 16  # independent networks for the kernel overlap without data


@dataclass(frozen=True)
class Settings:
    """Arguments of `sample_posterior` that say how the chains run."""

    start: tuple[str, ...]
    chains: int
    draws: int
    warmup: int
    thin: int
    sampler: str
    marginal_readout: bool
    keep_weights: bool

    def call(self) -> dict[str, Any]:
        """As arguments, for files."""
        return asdict(self) | {"start": list(self.start)}


class PosteriorRun:
    """Trial by trial, sample size by sample size; `done` holds the numbers of the finished data sets, in that order."""

    def __init__(
        self, plan: TrialPlan, repeats: tuple[int, int], network: DeepNetwork, settings: Settings, every: int, folder: Path | None
    ) -> None:
        from gaussequiv.algorithms.networks.sampling import sampling

        self.plan, self.network, self.settings, self.folder = plan, network, settings, folder
        self.trials, self.seed = repeats
        s = settings
        self.machine = sampling(network, plan.d, s.sampler, s.warmup, s.draws, s.thin, s.marginal_readout, s.keep_weights)
        self.jobs = [(trial, int(n)) for trial in range(self.trials) for n in plan.n]
        self.stops = [
            *range(every, s.warmup, every),
            s.warmup,
            *range(s.warmup + every, self.machine.iterations, every),
            self.machine.iterations,
        ]
        self.done: list[dict[str, Any]] = []
        self._check()

    def __len__(self) -> int:
        return len(self.jobs) * len(self.stops)

    @property
    def header(self) -> dict[str, Any]:
        """What a checkpoint must share with the call that reads it."""
        plan = self.plan
        own = {
            "problem": plan.problem.to_dict(),
            "d": plan.d,
            "n": plan.n.tolist(),
            "trials": self.trials,
            "seed": self.seed,
            "test_samples": plan.test,
            "versions": versions() | {name: version_of(name) for name in ("jax", "jaxlib", "blackjax")},
            "platform": f"{platform.system()} {platform.machine()}",
        }
        plain: dict[str, Any] = json.loads(json.dumps(own | self.settings.call()))
        return plain

    def _check(self) -> None:
        """Refuse a folder of another call before any work."""
        if self.folder is None or not self.folder.exists():
            return
        if not self.folder.is_dir():
            raise fail("checkpoint", "a folder", str(self.folder))
        for path in sorted(self.folder.glob("*.npz")):
            checkpoint.same_call(path, checkpoint.read(path)[0], self.header)

    def pieces(self) -> Iterator[None]:
        """Do the work, one piece at a time (those that an earlier run finished count, too)."""
        for number, (trial, n) in enumerate(self.jobs):
            path = None if self.folder is None else self.folder / f"data_set_{number:05d}.npz"
            if path is not None and path.exists():
                finished = checkpoint.read(path)[1]
                _same_labels(path, finished.pop("labels"), self._data(self.plan.teacher((self.seed, trial)), n)[0].y)
                self.done.append(finished)
                yield from (None for _ in self.stops)
                continue
            for numbers in self._sample(number, trial, n):
                if numbers is not None:
                    if path is not None:
                        labels = _digest(self._data(self.plan.teacher((self.seed, trial)), n)[0].y)
                        checkpoint.write(path, self.header, numbers | {"labels": labels})
                    self.done.append(numbers)
                yield None

    def _sample(self, number: int, trial: int, n: int) -> Iterator[dict[str, Any] | None]:
        """The chains on one data set; the last piece gives its numbers."""
        import jax

        machine, seed = self.machine, (self.seed, trial)
        data, noiseless = self._data(self.plan.teacher((self.seed, trial)), n)
        key = jax.random.key(int(np.random.SeedSequence((*seed, CHAINS, n)).generate_state(1, np.uint64)[0] >> 1))
        state = machine.init(key, self._positions(data, np.random.default_rng((*seed, CHAIN_STARTS, n))), data)
        structure: Any = jax.tree.structure(state)
        mark: dict[str, Any] = {"number": np.int64(number), "labels": _digest(data.y)}
        path = None if self.folder is None else self.folder / "current.npz"
        if path is not None and path.exists():
            stored = checkpoint.read(path)[1]
            if int(stored["number"]) == number:
                _same_labels(path, stored["labels"], data.y)
                state = machine.restored([stored[f"leaf_{i}"] for i in range(structure.num_leaves)], structure)
        for stop in self.stops:
            if int(state.iteration) < stop:
                state = machine.advance(key, state, data, stop)
                if path is not None:
                    checkpoint.write(path, self.header, mark | {f"leaf_{i}": leaf for i, leaf in enumerate(jax.tree.leaves(state))})
            yield self._numbers(state, data, noiseless, seed) if stop == self.stops[-1] else None

    def _data(self, teacher: Teacher, n: int) -> tuple[Any, FloatArray]:
        """A data set for the machine, and the noiseless labels of its test rows."""
        import jax
        import jax.numpy as jnp

        from gaussequiv.algorithms.networks.density import coordinates_of, hidden
        from gaussequiv.algorithms.networks.observables import TaughtData, kernel_vectors

        parts = [_joined(teacher.block, purpose, total) for purpose, total in ((TRAIN, n), (TEST, self.plan.test))]
        (x, _, y), (test_x, field, test_y) = parts
        u = jax.tree.map(jnp.asarray, coordinates_of(self.network, teacher.network, self.plan.d))  # type: ignore[arg-type]
        kernels = kernel_vectors(self.network)(hidden(self.network)(u, jnp.asarray(test_x)))
        rows = [jnp.asarray(part) for part in (x, y, test_x, test_y, field)]
        data = TaughtData(rows[0], rows[1], rows[2], rows[3], rows[4], u, kernels)
        return data, self.plan.noiseless(field)

    def _positions(self, data: Any, rng: np.random.Generator) -> Any:
        """Starting points of the chains of all starts, one after the other."""
        import jax.numpy as jnp

        from gaussequiv.algorithms.networks.sampling import prior_draws

        chains = self.settings.chains
        out = []
        for start in self.settings.start:
            draws = prior_draws(self.network, self.plan.d, rng, chains) if start == "uninformed" else [data.teacher] * chains
            out += [self.machine.flat(u) for u in draws]
        return jnp.stack(out)

    def _numbers(self, state: Any, data: Any, noiseless: FloatArray, seed: tuple[int, ...]) -> dict[str, Any]:
        from gaussequiv.algorithms.networks.observables import prior_kernel_overlap
        from gaussequiv.algorithms.networks.sampling import prior_draws

        s, chains = self.settings, self.settings.chains
        parts = [slice(i * chains, (i + 1) * chains) for i in range(len(s.start))]
        traces = {name: np.asarray(values) for name, values in state.traces.items()}
        sums = {name: np.asarray(values) for name, values in state.sums.items()}
        groups = [{name: values[part] for name, values in traces.items()} for part in parts]
        test_y = np.asarray(data.test_y)
        found = [
            summarise(group, {name: values[part] for name, values in sums.items()}, test_y, noiseless, self.plan.problem.task)
            for group, part in zip(groups, parts, strict=True)
        ]
        out = {name: np.stack([np.asarray(one[name]) for one in found]) for name in found[0]}
        per_chain = {"acceptance": state.acceptance, "divergences": state.divergences, "gradients": state.gradients}
        counts = {"acceptance": s.draws * s.thin, "divergences": 1, "gradients": 1}
        out |= {name: np.stack([np.asarray(value)[part] / counts[name] for part in parts]) for name, value in per_chain.items()}
        for name in traces:
            label = {"probe": "field_trace"}.get(name, name if name in UNTRACED else f"{name}_trace")
            out[label] = np.stack([group[name] for group in groups])
        out["step_size"] = np.asarray(state.step)
        out["r_hat_between"] = np.asarray(between_starts(groups))
        if self.network.layers:
            rng = np.random.default_rng((*seed, PRIOR_NETWORKS))
            independent = prior_draws(self.network, self.plan.d, rng, _PRIOR_DRAWS)
            out["kernel_overlap_prior"] = prior_kernel_overlap(self.network, independent, data)
        return out


def _joined(block: Callable[[int, int, int], tuple[FloatArray, ...]], purpose: int, total: int) -> list[FloatArray]:
    """All rows of a purpose: inputs, fields, labels."""
    parts = [block(purpose, start, stop) for start, stop in blocks(total)]
    return [np.concatenate([part[k] for part in parts]) for k in range(3)]


def _digest(y: Any) -> Any:
    return np.frombuffer(hashlib.sha256(np.asarray(y).tobytes()).digest(), np.uint8)


def _same_labels(path: Path, stored: Any, y: Any) -> None:
    """A function of the problem may have changed under the same name: its labels tell."""
    if not np.array_equal(stored, _digest(y)):
        raise ArgumentError(
            f"Argument `checkpoint` must be a folder of the same data, but the labels of {str(path)!r} differ: "
            "a function of the problem has changed under the same name."
        )
