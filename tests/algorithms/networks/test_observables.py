"""What is recorded of a draw, written out in NumPy for another network than the teacher."""

import numpy as np
import pytest
from scipy import special, stats

import gaussequiv as ge
from gaussequiv._jax import float64_scope
from gaussequiv.algorithms.networks.density import coordinates_of, hidden
from gaussequiv.algorithms.networks.observables import PROBES, TaughtData, kernel_vectors, observer, prior_kernel_overlap

jax = pytest.importorskip("jax")
jnp = jax.numpy
D, N, ROWS, NOISE = 5, 8, 70, 0.2
OPTIONS = {"widths": (6, 4), "bias_variance": 0.3, "readout_variance": 1.5, "readout_bias_variance": 0.4, "noise": NOISE}


def unit_kernel(h):
    """Of the first 64 rows, over pairs of different ones, centred."""
    k = (h[:64] @ h[:64].T)[np.triu_indices(64, 1)]
    return (k - k.mean()) / np.linalg.norm(k - k.mean())


@pytest.fixture(scope="module", params=["regression", "classification"])
def seen(request):
    network = ge.DeepNetwork(("tanh", "erf"), task=request.param, **OPTIONS)
    rng = np.random.default_rng(0)
    teacher, other = network.sample(rng, D), network.sample(rng, D)
    x, test_x = rng.standard_normal((N, D)), rng.standard_normal((ROWS, D))
    y, test_y = (network.channel.sample(rng, teacher(rows)) for rows in (x, test_x))
    with float64_scope():
        u, v = (jax.tree.map(jnp.asarray, coordinates_of(network, one, D)) for one in (teacher, other))
        kernels = kernel_vectors(network)(hidden(network)(u, test_x))
        data = TaughtData(*(jnp.asarray(value) for value in (x, y, test_x, test_y, teacher(test_x))), u, kernels)
        found = observer(network, True)(v, data)
        prior = prior_kernel_overlap(network, [u, v], data)
        scalars, rows = ({name: np.asarray(value) for name, value in part.items()} for part in found)
        layers = [[np.asarray(h) for h in hidden(network)(one, test_x)] for one in (u, v)]
        coordinates = [jax.tree.map(np.asarray, one) for one in (u, v)]
    return network, teacher, other, (x, y, test_x, test_y), scalars, rows, layers, coordinates, prior


def test_errors_are_those_of_the_noiseless_labels(seen):
    network, teacher, other, (_, _, test_x, test_y), scalars, rows, *_ = seen
    s, truth = other(test_x), teacher(test_x)
    if network.task == "regression":
        exact = np.mean((s - truth) ** 2), np.mean((s - test_y) ** 2)
        assert rows["prediction"] == pytest.approx(s, rel=1e-12, abs=1e-12)
        assert rows["below"] == pytest.approx(special.ndtr((test_y - s) / np.sqrt(NOISE)), rel=1e-9)
    else:
        exact = np.mean(np.sign(s) != np.sign(truth)), np.mean(np.sign(s) != test_y)
        assert rows["prediction"] == pytest.approx(special.ndtr(s / np.sqrt(NOISE)), abs=1e-12)  # P(y = +1)
        assert "below" not in rows
    assert 0 < exact[0] != exact[1]
    assert (scalars["gibbs_error"], scalars["gibbs_test_error"]) == pytest.approx(exact, rel=1e-12)


def test_likelihoods_are_those_of_the_labels(seen):
    network, _, other, (x, y, test_x, test_y), scalars, rows, *_ = seen

    def log_p(y, s):
        if network.task == "regression":
            return stats.norm.logpdf(y, s, np.sqrt(NOISE))
        return special.log_ndtr(y * s / np.sqrt(NOISE))

    assert scalars["log_likelihood"] == pytest.approx(log_p(y, other(x)).sum(), rel=1e-10)
    assert rows["log_density"] == pytest.approx(log_p(test_y, other(test_x)), rel=1e-9)


def test_fields_and_their_moments(seen):
    _, teacher, other, (_, _, test_x, _), scalars, rows, *_ = seen
    s, truth = other(test_x), teacher(test_x)
    assert rows["field"] == pytest.approx(s, rel=1e-12, abs=1e-12)
    assert scalars["probe"] == pytest.approx(s[:PROBES], rel=1e-12, abs=1e-12)
    assert scalars["draw_q"] == pytest.approx(s.var(), rel=1e-12)
    assert scalars["m"] == pytest.approx(np.cov(s, truth, ddof=0)[0, 1], rel=1e-10)


def test_overlaps_of_weights_and_kernels(seen):
    *_, scalars, _, layers, (u, v), prior = seen
    pairs = [*zip(u["weights"], v["weights"], strict=True), (u["readout"], v["readout"])]
    exact = [np.sum(a * b) / np.linalg.norm(a) / np.linalg.norm(b) for a, b in pairs]
    assert scalars["weight_overlap"] == pytest.approx(exact, rel=1e-10)
    assert scalars["readout_square"] == pytest.approx(np.mean(v["readout"] ** 2), rel=1e-12)
    kernel = np.array([unit_kernel(a) @ unit_kernel(b) for a, b in zip(*layers, strict=True)])
    assert scalars["kernel_overlap"] == pytest.approx(kernel, rel=1e-10)
    assert prior == pytest.approx(0.5 * (1 + kernel), rel=1e-10)
    assert scalars["weights"].size == sum(np.size(part) for part in jax.tree.leaves(v))
