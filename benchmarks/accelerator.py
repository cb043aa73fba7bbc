"""Message passing, posterior sampling and annealing on an accelerator, each beside the same machine's CPU or NumPyro, in the same run.

Made by `python -m benchmarks.accelerator` (`... small` prints the same with small sizes). Times are wall times, compilation and warm-up
apart. GAMP itself runs in NumPy on the host: the matrix lives on the device, as an operator. Both samplers run on the device, where four
chains of a small network are bound by latency. The time of annealing includes the exact evidences, which the host computes one by one.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

import numpy as np

import gaussequiv as ge
from benchmarks import sampler
from benchmarks.measure import ROOT, Row
from gaussequiv._jax import float64_scope
from gaussequiv.algorithms.message_passing.gamp import GAMP
from gaussequiv.ingredients.channels.base import Sign


class OnDevice:
    """A dense matrix in the device's memory, with the two products that GAMP asks for."""

    def __init__(self, z: Any) -> None:
        import jax

        self.shape, self._z = z.shape, z
        self._products = jax.jit(lambda z, a: z @ a), jax.jit(lambda z, g: g @ z)

    def _product(self, which: int, vector: Any) -> Any:
        with float64_scope():
            return np.asarray(self._products[which](self._z, np.asarray(vector, float)))

    def __matmul__(self, a: Any) -> Any:
        return self._product(0, a)

    def rmatvec(self, g: Any) -> Any:
        """z'g."""
        return self._product(1, g)


def message_passing(n: int = 40_000, d: int = 20_000) -> Iterator[Row]:
    """Sign labels with noise 0.1: GAMP to its fixed point with z on the device and on the host."""
    import jax

    rng = np.random.default_rng(0)
    theta = rng.standard_normal(d)
    with float64_scope():
        z = jax.block_until_ready(jax.random.normal(jax.random.key(0), (n, d), dtype="float64"))
        device = OnDevice(z)
        field = (device @ theta) / np.sqrt(d)
        host = np.asarray(z)
    y = Sign(0.1).sample(rng, field)
    device.rmatvec(y)

    def run(matrix: Any) -> tuple[float, Any]:
        start = time.perf_counter()
        state, status = GAMP(matrix, y, np.ones(d), Sign(0.1), 0.0, d).run()
        assert status.name == "converged"
        return time.perf_counter() - start, state

    run(device)
    (fast, state), (slow, other) = run(device), run(host)
    theory = ge.solve(ge.Problem(ge.DeepNetwork((), labels="sign", noise=0.1)), n / d)
    overlap = float(state.a @ state.a) / d
    print(f"GAMP: {state.steps} steps, q = {overlap:.5f} (theory {float(theory.q[0]):.5f})", file=sys.stderr)
    difference = float(np.max(np.abs(state.a - other.a)))
    yield Row(f"GAMP to its fixed point, {n} x {d}, sign labels (matrix on the host)", fast, reference=slow, difference=difference)


def sampling(chains: int, draws: int, warmup: int) -> Iterator[Row]:
    """Seconds for 1000 effective draws: the library's HMC and NumPyro's NUTS, the same number of chains of both."""
    network = ge.DeepNetwork("tanh", depth=2, noise=sampler.NOISE, widths=(50, 50))
    options: dict[str, Any] = {"chains": chains, "warmup": warmup, "draws": draws, "clock": time.perf_counter}
    with float64_scope():
        data = sampler._data(network)
        mine, theirs = sampler.library(network, data, True, **options), sampler.numpyro(network, data, **options)
    for name, one in (("library", mine), ("NumPyro", theirs)):
        print(f"{name}: {one}", file=sys.stderr)
    cost = [1000 * one["seconds"] / one["size"] for one in (mine, theirs)]
    yield Row(f"posterior of 5050 weights, {chains} chains, 1000 effective draws (NumPyro NUTS)", cost[0], reference=cost[1])


def annealing(d: int, together: int) -> Iterator[Row]:
    """Seconds for the evidence of one network, both directions: many at once on the device, a single one on the CPU."""
    import jax

    from gaussequiv.papers import camilli2025
    from gaussequiv.run import evidence_trials
    from gaussequiv.run.evidence import plan_of

    plan = plan_of(camilli2025.problem("tanh(2x)", 1), 1.0, d)
    schedule = evidence_trials.schedule_of(plan, d)

    def seconds(trials: int) -> float:
        evidence_trials.trial_records(plan, schedule, range(trials), d, trials)
        start = time.perf_counter()
        evidence_trials.trial_records(plan, schedule, range(trials), d, trials)
        return (time.perf_counter() - start) / trials

    fast = seconds(together)
    with jax.default_device(jax.devices("cpu")[0]):
        slow = seconds(1)
    yield Row(f"evidence of a network, d = n = {d}, {together} at once (a single one on the CPU)", fast, reference=slow)


def main(small: bool) -> int:
    """Measure all and write the page; a part that fails is reported and does not hide the others."""
    import jax

    parts: tuple[Callable[[], Iterator[Row]], ...] = (
        lambda: message_passing(*((2000, 1000) if small else (40_000, 20_000))),
        lambda: sampling(*((4, 50, 50) if small else (4, 100, 200))),
        lambda: annealing(*((10, 4) if small else (80, 128))),
    )
    lines, failed = ["| benchmark | measured | reference | ratio |", "|---|---|---|---|"], False
    for part in parts:
        try:
            lines += ["| " + " | ".join(row.cells()[:4]) + " |" for row in part()]
            print(lines[-1], file=sys.stderr, flush=True)
        except Exception:
            traceback.print_exc()
            failed = True
    about = ", ".join(f"{name} {version(name)}" for name in ("gaussequiv", "numpy", "jax", "blackjax", "numpyro"))
    machine = f"{jax.devices()[0].device_kind} beside {os.cpu_count()} CPU cores; {about}; float64."
    text = "\n".join(["# Benchmarks on an accelerator", "", str(__doc__), machine, "", *lines, ""])
    print(text)
    if not small and not failed:
        (ROOT / "benchmarks" / "ACCELERATOR.md").write_text(text)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] == ["small"]))
