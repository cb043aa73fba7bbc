"""Information and entropies: limits, identities, and finite sizes by exact evidence (log-determinants, orthant probabilities)."""

from itertools import product

import numpy as np
import pytest
from scipy import integrate, special, stats

import gaussequiv as ge
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.ingredients.channels.binary import Binary
from gaussequiv.ingredients.channels.counts import Quantised
from gaussequiv.ingredients.targets.linear_target import LinearTarget
from gaussequiv.learners.bayes import bayes_optimal
from gaussequiv.learners.bayes import information as information_module
from gaussequiv.learners.bayes.information import information, layer_information

ALPHA = np.array([0.1, 0.7, 1.0, 5.0])


def equivalent(target, inputs=None):
    return ge.Problem(target, inputs or ge.GaussianInputs()).equivalent()


def tanh2x(**options):
    return ge.DeepNetwork("tanh", 2, weight_variance=4, **options)


# --- Psi of the channels ----------------------------------------------------------------------------------------------------------


def brute_psi(channel, q, V, offset):
    """E over omega of sum_y Z log Z by adaptive quadrature with points graded around the threshold."""
    width = np.sqrt((V + channel.noise) / q)
    points = sorted({float(np.clip(-offset / np.sqrt(q) + s * m * width, -11, 11)) for m in (0, 0.5, 2, 5, 15) for s in (1, -1)})

    def integrand(x):
        omega = np.array([offset + np.sqrt(q) * x])
        logs = (channel.log_partition(np.array([y]), omega, V)[0] for y in (1.0, -1.0))
        return sum(z * np.exp(z) for z in logs) * stats.norm.pdf(x)

    return integrate.quad(integrand, -12, 12, points=points, limit=500, epsabs=1e-13, epsrel=1e-12)[0]


@pytest.mark.parametrize("channel", [Sign(0.0), Sign(0.3), Binary("sign", 0.1, 0.2), Binary("logit:0.7", 0.2, (0.1, 0.03))], ids=repr)
@pytest.mark.parametrize(("q", "V", "offset"), [(0.5, 0.5, 0.0), (1.0, 1e-4, 0.3), (1e-4, 1.0, 2.0), (30.0, 0.1, -0.7)])
def test_psi_of_binary_labels_by_adaptive_quadrature(channel, q, V, offset):
    found = float(channel.psi(np.array(q), np.array(V), np.array(offset)))
    assert found == pytest.approx(brute_psi(channel, q, V, offset), rel=1e-11)


@pytest.mark.parametrize("channel", [GaussianNoise(0.3), Sign(0.3), Binary("logit", 0.1, (0.1, 0.03)), Binary("random:0.3")], ids=repr)
def test_psi_grows_by_half_the_fisher_information(channel):
    """2 dPsi/dq = fisher at constant q + V, by five-point differences."""
    q, total, step = 0.4, 1.1, 1e-3
    slope = sum(w * channel.psi(q + k * step, total - q - k * step, 0.2) for k, w in ((-2, 1), (-1, -8), (1, 8), (2, -1))) / 12 / step
    assert 2 * float(slope) == pytest.approx(float(channel.fisher(np.array(q), np.array(total - q), np.array(0.2))), rel=1e-7, abs=1e-12)


def test_psi_broadcasts_and_knows_labels_without_randomness():
    q, V = np.array([0.2, 1.0])[:, None], np.array([0.0, 0.5, 2.0])
    for channel in (Sign(0.0), Binary("logit"), GaussianNoise(0.1), Binary(lambda z: 0.5 + 0.4 * np.tanh(3 * z))):
        table = channel.psi(q, V, 0.1)
        assert table.shape == (2, 3)
        assert table[1, 2] == pytest.approx(float(channel.psi(1.0, 2.0, 0.1)), rel=1e-12)
        assert table[0, 0] == pytest.approx(float(channel.psi(0.2, 1e-9, 0.1)), abs=1e-4)
    assert np.all(Sign(0.0).psi(np.array([0.0, 3.0]), 0.0, np.array([0.0, 1.0])) == 0)
    assert GaussianNoise(0.0).psi(1.0, 0.0) == np.inf


# --- identities and limits --------------------------------------------------------------------------------------------------------

TARGETS = [
    tanh2x(noise=0.2),
    ge.DeepNetwork("relu", 3, noise=0.1, bias_variance=0.3),
    tanh2x(task="classification", noise=0.3),
    ge.DeepNetwork("relu", 2, task="classification", noise=0.1),
    tanh2x(labels="logit:0.3", flips=(0.1, 0.02), offset=0.4),
]


@pytest.mark.parametrize("target", TARGETS)
def test_chain_rule(target):
    """I(theta, xi; D) = H(D|X) - H(D|X, theta, xi) = I(theta; D) + I(xi; D|theta), for every number of layers left."""
    e = equivalent(target)
    shares = layer_information(e)
    for keep in range(target.depth + 1):
        found = information(e, ALPHA, keep)
        whole = found["mutual_information_per_sample"]
        assert found["label_entropy"] - found["label_noise_entropy"] == pytest.approx(whole, rel=1e-11)
        assert found["mutual_information"] / ALPHA + found["conditional_information"] == pytest.approx(whole, rel=1e-11)
        assert found["conditional_information"] == pytest.approx(shares[keep:].sum(), abs=1e-15)
        assert np.all(found["free_entropy_per_sample"] == -found["label_entropy"])
    assert np.all(shares > 0)


@pytest.mark.parametrize("target", TARGETS)
def test_shapes_of_the_curves(target):
    """I/d grows and is concave, entropies fall with alpha, the next label is the least uncertain of all and no less than its noise."""
    alpha = np.geomspace(0.01, 100, 30)
    found = information(equivalent(target), alpha)
    mutual = found["mutual_information"]
    slopes = np.diff(mutual) / np.diff(alpha)
    assert np.all(mutual > 0) and np.all(slopes > 0) and np.all(np.diff(slopes) < 0)
    assert np.all(np.diff(found["label_entropy"]) < 0) and np.all(np.diff(found["predictive_entropy"]) < 0)
    assert np.all(found["predictive_entropy"] < found["label_entropy"])
    given = found["label_noise_entropy"] + found["conditional_information"]
    assert np.all(found["predictive_entropy"] > given)


def test_many_samples():
    """I(theta; D)/d = log(alpha s/tau)/2 + O(1/alpha) for Gaussian noise: half a log for each weight."""
    e = equivalent(tanh2x(noise=0.2))
    alpha = np.array([1e3, 1e5])
    exact = 0.5 * np.log(alpha * e.slope2 / e.noise)
    assert np.all(np.abs(information(e, alpha)["mutual_information"] - exact) < 2 / alpha)


def test_without_label_noise_real_labels_carry_infinite_information():
    found = information(equivalent(tanh2x()), ALPHA)
    assert np.all(found["mutual_information_per_sample"] == np.inf) and np.all(found["conditional_information"] == np.inf)
    assert np.all(found["label_noise_entropy"] == -np.inf)
    assert np.all(np.isfinite(found["mutual_information"])) and np.all(np.isfinite(found["label_entropy"]))
    assert layer_information(equivalent(tanh2x()))[0] == pytest.approx(0.5 * np.log(0.1525061196 / 0.0732270432), rel=1e-8)
    assert information(equivalent(tanh2x(task="classification")), ALPHA)["mutual_information_per_sample"].max() < np.log(2)


@pytest.mark.parametrize("modes", [np.array([1.0]), np.array([2.0, 0.7, 0.3]), np.array([2.0, 0.7, 0.0])])
def test_noiseless_linear_labels(modes):
    """H(D|X)/d is the integral of the next label's entropy log(2 pi e error)/2 up to the rank; beyond, labels lie in a plane."""
    e = equivalent(ge.DeepNetwork(()), ge.GaussianInputs(modes))
    rank = float(e.weights[e.eigenvalues > 0].sum())

    def next_entropy(alpha):
        return 0.5 * np.log(2 * np.pi * np.e * float(ge.BayesOptimal().solve(e, np.array([alpha]))["test_error"][0]))

    for alpha in (0.5 * rank, rank):
        exact = integrate.quad(next_entropy, 0, alpha, epsabs=1e-10, limit=200)[0] / alpha
        assert information(e, np.array([alpha]))["label_entropy"][0] == pytest.approx(exact, abs=1e-7)
    beyond = information(e, np.array([1.2 * rank]))
    assert beyond["label_entropy"][0] == -np.inf and beyond["mutual_information"][0] == np.inf


@pytest.mark.parametrize("options", [{"noise": 0.1}, {"task": "classification"}, {"labels": "logit"}])
def test_a_target_without_linear_part_tells_nothing_about_weights(options):
    e = equivalent(ge.DeepNetwork("hermite:2", 2, **options))
    found = information(e, ALPHA)
    assert np.all(found["mutual_information"] == 0)
    assert found["predictive_entropy"] == pytest.approx(found["label_entropy"], rel=1e-14)
    assert np.all(found["conditional_information"] > 0)


def test_random_labels_tell_nothing():
    found = information(equivalent(tanh2x(labels="random:0.3")), ALPHA)
    assert found["mutual_information_per_sample"] == pytest.approx(0, abs=1e-14)
    assert found["label_entropy"] == pytest.approx(special.entr(0.3) + special.entr(0.7), rel=1e-14)


@pytest.mark.parametrize(
    "target", [tanh2x(task="classification", noise=0.1), ge.DeepNetwork("relu", 2, labels="logit", flips=0.05, offset=0.3)]
)
def test_the_next_label_costs_the_log_loss_of_the_bayes_optimal_learner(target):
    problem = ge.Problem(target)
    loss = ge.solve(problem, ALPHA, scores=True).log_loss.values
    assert information(problem.equivalent(), ALPHA)["predictive_entropy"] == pytest.approx(loss, rel=1e-6)


@pytest.mark.parametrize("target", [tanh2x(noise=0.2), tanh2x(task="classification")])
def test_infinitely_strong_layers_above_leave_the_split_of_one_layer(target):
    """Keeping every layer, no nonlinear part is left over; theta is then the whole network."""
    found = information(equivalent(target), ALPHA, keep=2)
    assert np.all(found["conditional_information"] == 0)
    assert found["mutual_information"] == pytest.approx(ALPHA * found["mutual_information_per_sample"], rel=1e-14)


@pytest.mark.parametrize("target", [LinearTarget("rademacher", noise=0.3), tanh2x(labels=Quantised((-0.5, 0.6)))])
def test_the_curves_of_the_bayes_optimal_learner_carry_the_same_information(target):
    problem = ge.Problem(target)
    curve, found = ge.solve(problem, ALPHA), information(problem.equivalent(), ALPHA)
    assert found["mutual_information"] == pytest.approx(curve.mutual_information.values, rel=1e-9)
    assert found["overlap"] == pytest.approx(curve.overlap.values, rel=1e-12)


class Silent:
    task, noise = "regression", 0.1

    def sample(self, rng, field):
        return field


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: information(equivalent(tanh2x()), ALPHA, keep=3), "at most 2"),
        (lambda: information(equivalent(tanh2x()), ALPHA, keep=-1), "at least 0"),
        (lambda: information(equivalent(tanh2x(labels=Silent())), ALPHA), "psi and fisher"),
        (lambda: information(ge.Problem(features=ge.NNGP("erf"), learner=ge.Ridge(0.1)).equivalent(), ALPHA), "not of features"),
    ],
)
def test_refusals(call, text):
    with pytest.raises(ge.ArgumentError, match=text):
        call()


# --- finite sizes -----------------------------------------------------------------------------------------------------------------


def z_score(values, theory, allowance):
    """Deviation of the mean beyond a finite-size allowance, in standard errors."""
    stderr = np.std(values, ddof=1) / np.sqrt(len(values))
    return max(abs(np.mean(values) - theory) - allowance, 0.0) / stderr


@pytest.mark.parametrize("spectrum", ["identity", "two-level:4:0.2:0.2", "power-law:0.8"])
@pytest.mark.parametrize("alpha", [0.5, 3.0])
def test_log_determinants_of_a_linear_target(spectrum, alpha):
    """I(theta; D) = log det(1 + (s/tau) X X'/d)/2: the mean differs by c/d, c at most 0.07 at d = 25 to 100."""
    d, s, tau = 200, 0.41, 0.35
    inputs = ge.GaussianInputs(spectrum)
    e = ge.Problem(ge.DeepNetwork((), readout_variance=s, noise=tau), inputs).equivalent(d)
    w = inputs.modes(d)[0]
    w = np.full(d, w[0]) if w.size == 1 else w if w.size == d else np.repeat(w, np.rint(inputs.modes(d)[1] * d).astype(int))
    found = []
    for seed in range(24):
        x = np.random.default_rng(seed).standard_normal((round(alpha * d), d)) * np.sqrt(w / d)
        gram = x.T @ x if alpha > 1 else x @ x.T
        found.append(0.5 * np.linalg.slogdet(np.eye(len(gram)) + s / tau * gram)[1] / d)
    theory = float(information(e, np.array([alpha]))["mutual_information"][0])
    assert z_score(found, theory, 0.1 / d) < 4
    assert np.std(found, ddof=1) / np.sqrt(24) < 0.01 * theory


def evidence(kernel, target, alpha, d, seeds):
    """Information per sample of an infinitely wide network: log det(1 + K/Delta)/(2 n), exact at every n and d."""
    out = []
    for seed in range(seeds):
        n = round(alpha * d)
        K = kernel.block(np.random.default_rng((seed, d)).standard_normal((n, d)))
        out.append(0.5 * np.linalg.slogdet(np.eye(n) + K / target.noise)[1] / n)
    return np.array(out)


@pytest.mark.parametrize("depth", [1, 2])
def test_deep_regression_tends_to_the_formula(depth):
    """erf, label noise 0.1, alpha = 1: evidence minus formula -3.5e-3, -2.1e-3, -1.0e-3 (one layer) at d = 50, 100, 200."""
    target, kernel = ge.DeepNetwork("erf", depth, noise=0.1), ge.NNGP("erf", depth)
    theory = float(information(equivalent(target), np.array([1.0]))["mutual_information_per_sample"][0])
    gaps = []
    for d in (50, 100, 200):
        found = evidence(kernel, target, 1.0, d, 4000 // d)
        assert z_score(found, theory, 0.3 / d) < 4
        gaps.append(np.mean(found) - theory)
    assert abs(gaps[2]) < 0.6 * abs(gaps[0])


def test_deep_regression_with_offsets_and_biases():
    """The constant part b0 adds log(1 + n K0/e)/(2 n), which vanishes."""
    options = {"weight_variance": (2.0, 1.5), "bias_variance": (0.3, 0.1), "readout_variance": 0.8, "readout_bias_variance": 0.2}
    target = ge.DeepNetwork("relu", 2, noise=0.1, **options)
    e = equivalent(target)
    found = information(e, np.array([1.5]))
    theory, error = float(found["mutual_information_per_sample"][0]), float(ge.BayesOptimal().solve(e, np.array([1.5]))["test_error"][0])
    gaps = []
    for d in (50, 200):
        values = evidence(ge.NNGP("relu", 2, **options), target, 1.5, d, 4000 // d)
        offset = 0.5 * np.log1p(1.5 * d * e.offset_variance / error) / (1.5 * d)
        assert z_score(values, theory + offset, 0.5 / d) < 4
        gaps.append(np.mean(values) - theory)
    assert abs(gaps[1]) < 0.5 * abs(gaps[0])


def sequential_entropies(mean, covariance, y, rng, draws=500):
    """H2(P(y_i | y_<i)), whose sum has the entropy of the labels as its mean, for y = sign of a Gaussian vector: orthant probabilities by
    sequential sampling (Geweke, Hajivassiliou, Keane) with resampling."""
    root, n = np.linalg.cholesky(covariance), y.size
    u, w, out = np.zeros((draws, n)), np.full(draws, 1 / draws), np.empty(n)
    for i in range(n):
        log_p = special.log_ndtr(y[i] * (mean + u[:, :i] @ root[i, :i]) / root[i, i])
        p = float(w @ np.exp(log_p))
        out[i] = special.entr(p) + special.entr(1 - p)
        w = w * np.exp(log_p) / p
        u[:, i] = -y[i] * special.ndtri_exp(log_p + np.log(rng.random(draws)))
        if 1 / np.sum(w**2) < draws / 2:
            u = u[np.minimum(np.searchsorted(np.cumsum(w), (np.arange(draws) + rng.random()) / draws), draws - 1)]
            w = np.full(draws, 1 / draws)
    return out


def label_entropies(covariance_of, mean, alpha, d, seeds):
    """Entropy of the labels per sample, averaged over the labels before each: one value for every draw of the inputs."""
    out = []
    for seed in range(seeds):
        rng = np.random.default_rng((seed, d))
        n = round(alpha * d)
        covariance = covariance_of(rng, n)
        field = mean + np.linalg.cholesky(covariance) @ rng.standard_normal(n)
        out.append(sequential_entropies(mean, covariance, np.where(field >= 0, 1.0, -1.0), rng).mean())
    return np.array(out)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_binary_weights_by_enumeration(alpha):
    """I(theta; D) = d log 2 + E log P(theta|D), the sum over all 2^10 weights; measured c of c/d: -0.3 to 0 at d = 6, 10, 14."""
    d, noise, found = 10, 0.3, []
    all_weights = np.array(list(product((-1.0, 1.0), repeat=d)))
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((round(alpha * d), d)) / np.sqrt(d)
        z = np.sqrt(noise) * rng.standard_normal(len(x))
        residual = x @ all_weights[rng.integers(2**d)] + z - all_weights @ x.T
        found.append(np.log(2) - special.logsumexp((z @ z - (residual**2).sum(axis=1)) / (2 * noise)) / d)
    theory = information(equivalent(LinearTarget("rademacher", noise=noise)), np.array([alpha]))["mutual_information"][0]
    assert z_score(found, theory, 0.4 / d) < 4
    assert np.std(found, ddof=1) / np.sqrt(1000) < 0.02 * theory


def test_orthant_probabilities_of_two_labels():
    """H(y_1, y_2): P(y_2 = y_1) = 1/2 + arcsin(r)/pi without a mean; with one, from the bivariate distribution function."""
    rng, r = np.random.default_rng(0), 0.6
    covariance = np.array([[1.0, r], [r, 1.0]])
    same = 0.5 + np.arcsin(r) / np.pi
    exact = [np.log(2), special.entr(same) + special.entr(1 - same)]
    assert sequential_entropies(0.0, covariance, np.ones(2), rng, 100_000) == pytest.approx(exact, abs=3e-3)
    both = stats.multivariate_normal([0.3, 0.3], covariance).cdf([0.0, 0.0])
    p = both / special.ndtr(-0.3)
    found = sequential_entropies(0.3, covariance, -np.ones(2), rng, 100_000)[1]
    assert found == pytest.approx(special.entr(p) + special.entr(1 - p), abs=3e-3)


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_label_entropy_of_an_infinitely_wide_network(alpha):
    """Two layers of erf(2x), noise 0.05 inside the sign: exact joint probabilities of the labels at d = 40."""
    target = ge.DeepNetwork("erf", 2, weight_variance=4, task="classification", noise=0.05)
    kernel, d = ge.NNGP("erf", 2, weight_variance=4), 40

    def covariance(rng, n):
        return kernel.block(rng.standard_normal((n, d))) + target.noise * np.eye(n)

    found = label_entropies(covariance, 0.0, alpha, d, 48)
    theory = float(information(equivalent(target), np.array([alpha]))["label_entropy"][0])
    stderr = np.std(found, ddof=1) / np.sqrt(48)
    assert z_score(found, theory, 0.1 / d) < 4
    assert stderr < 0.1 * (np.log(2) - theory)  # what the data tell is resolved


@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_label_entropy_on_a_spectrum_with_an_offset(offset):
    """The formula for labels on any spectrum: eigenvalues 4 (one in five) and 0.2, alpha = 1, d = 40."""
    d, s, tau = 40, 0.41, 0.1
    inputs = ge.GaussianInputs("two-level:4:0.2:0.2")
    e = equivalent(ge.DeepNetwork((), readout_variance=s, noise=tau, task="classification", offset=offset), inputs)
    w = np.repeat([4.0, 0.2], [8, 32])

    def covariance(rng, n):
        x = rng.standard_normal((n, d)) * np.sqrt(s * w / d)
        return x @ x.T + tau * np.eye(n)

    found = label_entropies(covariance, offset, 1.0, d, 48)
    at_once = information(e, np.array([1.0, 1e-9]))["label_entropy"]
    assert z_score(found, at_once[0], 0.1 / d) < 4
    assert np.std(found, ddof=1) / np.sqrt(48) < 0.1 * (at_once[1] - at_once[0])


# --- what several offsets and perfect recovery add ---------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", ["sign", "logit"])
def test_the_worst_offset_speaks_for_the_curve(monkeypatch, labels):
    """Status, steps and residual are the largest over the offsets; q and qhat are means over them."""
    e = equivalent(tanh2x(labels=labels, offset=None, bias_variance=0.4, readout_bias_variance=0.5))
    _, mass = e.offset_nodes()
    seen = {}

    def spoiled(e, alpha, b0):
        point = bayes_optimal_solve(e, alpha, b0)
        point = {name: np.array(np.broadcast_to(value, (alpha.size, b0.size))) for name, value in point.items()}
        point["status"][:, 1], point["residual"][:, 1], point["steps"][:, 1] = 2.0, 0.5, 999
        seen.update(point)
        return point

    bayes_optimal_solve = bayes_optimal.solve_sign
    monkeypatch.setattr(bayes_optimal, "solve_sign", spoiled)
    monkeypatch.setattr(information_module, "solve_sign", spoiled)
    for curve in (information(e, ALPHA), ge.BayesOptimal().solve(e, ALPHA)):
        assert mass.size > 1
        assert np.all(curve["status"] == 2.0)
        assert np.all(curve["residual"] == 0.5)
        assert np.all(curve["steps"] == 999)
        np.testing.assert_allclose(curve["q"], seen["q"] @ mass, rtol=1e-12)
        np.testing.assert_allclose(curve["qhat"], e.slope2 * (seen["rate"] @ mass), rtol=1e-12)
        np.testing.assert_allclose(curve["overlap"], seen["q"] @ mass / float(e.weights @ e.signal_modes), rtol=1e-12)


def test_labels_that_tell_every_weight_tell_its_entropy():
    """Noiseless real labels: signs are known from the first sample, log 2 each; a density has infinite information at any alpha."""
    found = information(equivalent(LinearTarget("rademacher")), np.array([0.3, 1.2]))
    assert found["mutual_information"] == pytest.approx([np.log(2)] * 2, rel=1e-6)
    assert found["overlap"] == pytest.approx([1.0, 1.0], rel=1e-9)
    density = information(equivalent(LinearTarget("gauss-bernoulli:0.3")), np.array([0.1, 0.9]))
    assert np.all(density["mutual_information"] == np.inf)
    assert density["overlap"][0] < 0.9
    assert density["overlap"][1] == pytest.approx(1.0, rel=1e-9)
