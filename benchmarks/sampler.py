"""Effective draws a second from the posterior of a deep network: the library beside NumPyro's NUTS on the same posterior, in one process.

Target: d = 50, widths 50 and 50, n = 100, tanh, noise 0.1, float64, all 5050 weights unknown. Both get the same data, the same number
of warm-up transitions and their own way of tuning; compilation is not counted, warm-up is not either. Effective draws are the smallest
bulk effective sample size over the fields at 20 test points, the overlaps of all layers with the teacher, |readout|^2/k and the
log-likelihood of the training labels. NumPyro samples all weights with its defaults (diagonal mass matrix adapted, acceptance 0.8);
the library integrates the readout out. Time is the process's own CPU time, so that neighbours hit neither, with one BLAS thread on both
sides: threads that wait for small factorisations would count.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import gaussequiv as ge
from benchmarks.measure import Row
from gaussequiv._jax import float64_scope
from gaussequiv.numerics.diagnostics import effective_sample_size, r_hat

D, N, NOISE = 50, 100, 0.1
LEAST_RATIO = 5.0
NAMES = ("probe", "weight_overlap", "readout_square", "log_likelihood")


def _data(network: ge.DeepNetwork) -> Any:
    import jax
    import jax.numpy as jnp

    from gaussequiv.algorithms.networks.density import coordinates_of, hidden
    from gaussequiv.algorithms.networks.observables import TaughtData, kernel_vectors

    rng = np.random.default_rng(0)
    teacher = network.sample(rng, D)
    x, test_x = rng.standard_normal((N, D)), rng.standard_normal((64, D))
    y, test_field = network.channel.sample(rng, teacher(x)), teacher(test_x)
    u = jax.tree.map(jnp.asarray, coordinates_of(network, teacher, D))
    kernels = kernel_vectors(network)(hidden(network)(u, test_x))
    return TaughtData(*(jnp.asarray(v) for v in (x, y, test_x, network.channel.sample(rng, test_field), test_field)), u, kernels)


def _smallest(traces: dict[str, Any]) -> tuple[float, float]:
    """Smallest effective size and largest R-hat of traces (chains, draws, ...)."""
    sizes = np.concatenate([effective_sample_size(np.asarray(traces[name])).ravel() for name in NAMES])
    worst = max(float(np.max(r_hat(np.asarray(traces[name])))) for name in NAMES)
    return float(sizes.min()), worst


def library(
    network: ge.DeepNetwork,
    data: Any,
    marginal: bool,
    chains: int = 4,
    warmup: int = 300,
    draws: int = 500,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, float]:
    """Seconds, effective draws, gradients of the library's sampler."""
    import jax
    import jax.numpy as jnp

    from gaussequiv.algorithms.networks.sampling import Sampling, prior_draws

    machine = Sampling(network, D, "hmc", warmup, draws, 1, marginal, False)
    key = jax.random.key(1)
    positions = jnp.stack([machine.flat(u) for u in prior_draws(network, D, np.random.default_rng(1), chains)])
    state = machine.warm(key, machine.init(key, positions, data), data, warmup)
    jax.block_until_ready(machine.record(key, state, data, warmup))  # compiles
    begin = clock()
    state = jax.block_until_ready(machine.record(key, state, data, machine.iterations))
    seconds = clock() - begin
    size, worst = _smallest(state.traces)
    return {"seconds": seconds, "size": size, "r_hat": worst, "gradients": float(state.gradients.sum())}


def numpyro(
    network: ge.DeepNetwork,
    data: Any,
    chains: int = 1,
    warmup: int = 300,
    draws: int = 500,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, float]:
    """The same of NumPyro's NUTS: chains from prior draws."""
    import jax
    import jax.numpy as jnp
    from numpyro.infer import MCMC, NUTS

    from gaussequiv.algorithms.networks.density import log_likelihood
    from gaussequiv.algorithms.networks.observables import observer
    from gaussequiv.algorithms.networks.sampling import prior_draws

    likelihood, observe = log_likelihood(network), observer(network, False)

    def potential(u: Any) -> Any:
        return 0.5 * sum(jnp.vdot(v, v) for v in jax.tree.leaves(u)) - likelihood(u, data.x, data.y)

    kernel = NUTS(potential_fn=potential)
    mcmc = MCMC(kernel, num_warmup=warmup, num_samples=draws, num_chains=chains, chain_method="vectorized", progress_bar=False)
    drawn = prior_draws(network, D, np.random.default_rng(1), chains)
    start = jax.tree.map(jnp.asarray, drawn[0]) if chains == 1 else jax.tree.map(lambda *leaves: jnp.stack(leaves), *drawn)
    mcmc.warmup(jax.random.key(1), init_params=start, extra_fields=("num_steps",))
    mcmc.run(jax.random.key(2), extra_fields=("num_steps",))  # compiles
    begin = clock()
    mcmc.run(jax.random.key(3), extra_fields=("num_steps",))
    jax.block_until_ready(mcmc.get_samples())
    seconds = clock() - begin
    seen = jax.jit(jax.vmap(jax.vmap(lambda u: observe(u, data).scalars)))(mcmc.get_samples(group_by_chain=True))
    size, worst = _smallest({name: np.asarray(seen[name]) for name in NAMES})
    steps = float(np.sum(mcmc.get_extra_fields()["num_steps"]))
    return {"seconds": seconds, "size": size, "r_hat": worst, "gradients": steps}


def run() -> list[Row]:
    """Seconds for 1000 effective draws of each; the ratio must reach its aim."""
    import jax

    network = ge.DeepNetwork("tanh", depth=2, noise=NOISE, widths=(50, 50))
    label = "posterior of 5050 weights, s of 1000 effective draws"
    with threadpool_limits(1), float64_scope(), jax.default_device(jax.devices("cpu")[0]):
        data = _data(network)
        found = {"marginal": library(network, data, True), "joint": library(network, data, False)}
        try:
            found["numpyro"] = numpyro(network, data)
        except ImportError:
            print("NumPyro is not installed (pip install numpyro): the sampler is timed alone")
    for name, one in found.items():
        rate, cost = one["size"] / one["seconds"], 1e6 * one["seconds"] / one["gradients"]
        print(
            f"{name}: {rate:.1f} effective draws/s, {1000 * one['size'] / one['gradients']:.1f} for 1000 gradients of {cost:.0f} us, "
            f"R-hat {one['r_hat']:.3f}"
        )
    cost = {name: 1000 * one["seconds"] / one["size"] for name, one in found.items()}
    reference = cost.get("numpyro")
    return [
        Row(f"{label}, readout integrated out (loop: NumPyro NUTS)", cost["marginal"], reference=reference, least_ratio=LEAST_RATIO),
        Row(f"{label}, readout sampled (loop: NumPyro NUTS)", cost["joint"], reference=reference),
    ]


if __name__ == "__main__":
    from benchmarks.measure import render

    print(render(run()))
