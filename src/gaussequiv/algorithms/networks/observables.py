r"""What is measured of every posterior draw of a deep network: scalars for traces, and sums over draws on test rows.

Overlaps with the teacher come in three kinds. `weight_overlap`, W_l.W*_l/(|W_l| |W*_l|) and the same for the readout, sees permuted or
rotated hidden neurons as different: it stays near 0 unless the posterior breaks that symmetry (an informed start remembers it while it
mixes). `kernel_overlap` does not: the correlation over pairs of different test rows of the kernels h_l(x).h_l(x')/k_l of draw and
teacher; independent networks share most of it, so its value for prior draws stands beside it. `m` and `q` are those of the fields.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from gaussequiv.algorithms.networks.density import Parameters, hidden, label_density, mean_label, read_out
from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.targets.deep_network import DeepNetwork

PROBES = 20  # test rows whose fields are traced
KERNEL_ROWS = 64  # test rows whose kernels are compared


class TaughtData(NamedTuple):
    """One data set with its teacher (standard coordinates, kernels and fields on the test rows), as arrays."""

    x: Any
    y: Any
    test_x: Any
    test_y: Any
    test_field: Any
    teacher: Parameters
    kernels: Any


class Seen(NamedTuple):
    """Of one draw: scalars to trace, and values on test rows to sum over draws (`log_density` is summed as exp)."""

    scalars: dict[str, Any]
    rows: dict[str, Any]


def kernel_vectors(network: DeepNetwork) -> Callable[[tuple[Any, ...]], Any]:
    """Kernels of all hidden layers at the first test rows as centred unit vectors over pairs of different rows, shape (layers, pairs)."""
    import jax.numpy as jnp

    def one(h: Any) -> Any:
        rows = h[:KERNEL_ROWS]
        above = jnp.triu_indices(rows.shape[0], 1)
        pairs = (rows @ rows.T)[above]
        centred = pairs - pairs.mean()
        return centred / jnp.sqrt(centred @ centred)

    return lambda layers: jnp.stack([one(h) for h in layers])


def observer(network: DeepNetwork, keep_weights: bool) -> Callable[[Parameters, TaughtData], Seen]:
    """A pure JAX function of all coordinates and the data."""
    import jax
    import jax.numpy as jnp
    from jax.flatten_util import ravel_pytree

    layers_of, vectors = hidden(network), kernel_vectors(network)
    channel = network.channel
    log_p, label = label_density(channel), mean_label(channel)
    regression = channel.task == "regression"

    def noiseless(s: Any) -> Any:
        return label(s) if regression else jnp.where(s >= 0, 1.0, -1.0)

    def loss(prediction: Any, truth: Any) -> Any:
        if regression:
            return ((prediction - truth) ** 2).mean()
        return (prediction != truth).mean(dtype=float)  # a mean of booleans is float32 even here

    def call(u: Parameters, data: TaughtData) -> Seen:
        layers = layers_of(u, data.test_x)
        s = read_out(network, u, layers[-1])
        clean = noiseless(s)
        centred = s - s.mean()
        train = read_out(network, u, layers_of(u, data.x)[-1])
        scalars = {
            "gibbs_error": loss(clean, noiseless(data.test_field)),
            "gibbs_test_error": loss(clean, data.test_y),
            "log_likelihood": log_p(data.y, train).sum(),
            "readout_square": jnp.mean(u["readout"] ** 2),
            "m": (centred * data.test_field).mean(),
            "draw_q": (centred**2).mean(),
            "weight_overlap": _cosines(u, data.teacher),
            "probe": s[:PROBES],
        }
        if network.layers:
            scalars["kernel_overlap"] = (vectors(layers) * data.kernels).sum(axis=1)
        if keep_weights:
            scalars["weights"] = ravel_pytree(u)[0]
        rows = {"prediction": label(s), "field": s, "log_density": log_p(data.test_y, s)}
        if regression:
            rows["below"] = jax.scipy.special.ndtr((data.test_y - label(s)) / jnp.sqrt(channel.noise))
        return Seen(scalars, rows)

    return call


def _cosines(u: Parameters, teacher: Parameters) -> Any:
    """Of each layer's weights, the readout last, with the teacher's."""
    import jax.numpy as jnp

    pairs = zip((*u["weights"], u["readout"]), (*teacher["weights"], teacher["readout"]), strict=True)
    return jnp.stack([jnp.vdot(v, w) / jnp.sqrt(jnp.vdot(v, v) * jnp.vdot(w, w)) for v, w in pairs])


def prior_kernel_overlap(network: DeepNetwork, draws: list[Parameters], data: TaughtData) -> FloatArray:
    """Mean kernel overlap of independent networks with the teacher, (layers,): what `kernel_overlap` is without any data."""
    import numpy as np

    layers_of, vectors = hidden(network), kernel_vectors(network)
    overlaps = [np.asarray((vectors(layers_of(u, data.test_x)) * data.kernels).sum(axis=1)) for u in draws]
    return np.mean(overlaps, axis=0)
