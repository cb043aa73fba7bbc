"""Channels by quadrature: closed forms, I-MMSE, normalisation, and draws of the real labels."""

import numpy as np
import pytest
from scipy import stats

import gaussequiv as ge
from gaussequiv import AbsoluteValue, ArgumentError, LogLikelihood, Output, Poisson, Quantised, RandomOutput, Relu
from gaussequiv.ingredients.channels import quadrature
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign


def logistic_noise(y, z):
    return -abs(y - z) - 2 * np.log1p(np.exp(-abs(y - z)))


def steep(z):
    return np.tanh(3 * z)


CHANNELS = {
    "steep": Output(steep, 0.05),
    "steep, little noise": Output(steep, 1e-3),
    "noise inside": Output(np.tanh, 0.01, inner_noise=0.2),
    "jump": Output(np.sign, 0.1, (0.0,)),
    "abs": AbsoluteValue(),
    "noisy abs": AbsoluteValue(0.1),
    "relu": Relu(),
    "noisy relu": Relu(0.1, 0.3),
    "quantised": Quantised((-1, 0, 1)),
    "noisy quantised": Quantised((-0.5, 0.7), 0.2),
    "poisson": Poisson(),
    "poisson softplus": Poisson(lambda z: np.log1p(np.exp(z)), 5.0),
    "logistic noise": LogLikelihood(logistic_noise),
    "faulty": RandomOutput(lambda z, a: a * z, (0.0, 1.0), (0.3, 0.7), 0.1),
    "labels": LogLikelihood(lambda y, z: -np.log1p(np.exp(-y * z)), labels=(-1, 1)),
}
NAMES = list(CHANNELS)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("q", [0.05, 0.6, 0.99])
def test_i_mmse_the_fisher_information_is_twice_the_slope_of_psi(name, q):
    channel, V, h = CHANNELS[name], 1 - q, 0.05 * min(q, 1 - q)
    psi = [float(channel.psi(q + k * h, V - k * h, 0.1)) for k in (-2, -1, 1, 2)]
    slope = (psi[0] - 8 * psi[1] + 8 * psi[2] - psi[3]) / (12 * h)
    found = channel.information(q, V, 0.1)
    assert 2 * slope == pytest.approx(found.fisher, rel=1e-5)
    assert found.error < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_nishimori_on_drawn_labels(name):
    """E g^2 = E(-dg) = fisher, E(y - prediction)^2 = bayes_error, E log Z = psi, for labels drawn from the channel."""
    channel, q, V, size = CHANNELS[name], 0.6, 0.4, 2000 if name == "logistic noise" else 20_000
    rng = np.random.default_rng(3)
    omega = 0.1 + np.sqrt(q) * rng.standard_normal(size)
    y = channel.sample(rng, omega + np.sqrt(V) * rng.standard_normal(size))
    g, dg = channel.g_out(y, omega, V)
    found = channel.information(q, V, 0.1)
    error = float(channel.bayes_error(q, V, np.array(0.1)))
    for values, expected in (
        (g, 0.0),
        (g * g, found.fisher),
        (-dg, found.fisher),
        (channel.log_partition(y, omega, V), found.psi),
        ((y - channel.predict(omega, V)) ** 2, error),
    ):
        assert abs(values.mean() - expected) < 4.5 * values.std() / np.sqrt(size)


@pytest.mark.parametrize("name", NAMES)
def test_g_out_is_the_derivative_of_log_partition(name):
    channel, h = CHANNELS[name], 1e-4
    rng = np.random.default_rng(1)
    omega = rng.standard_normal(12)
    y = channel.sample(rng, omega + 0.6 * rng.standard_normal(12))
    at = [channel.log_partition(y, omega + k * h, 0.36) for k in (-1, 0, 1)]
    g, dg = channel.g_out(y, omega, 0.36)
    assert np.allclose((at[2] - at[0]) / (2 * h), g, rtol=1e-5, atol=1e-6)
    slopes = [channel.g_out(y, omega + k * h, 0.36)[0] for k in (-1, 1)]
    assert np.allclose((slopes[1] - slopes[0]) / (2 * h), dg, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("q, V", [(0.3, 0.7), (0.9, 0.1), (0.999, 0.001)])
def test_quadrature_reproduces_closed_forms(q, V):
    user = LogLikelihood(lambda y, z: -0.5 * (y - z) ** 2 / 0.3 - 0.5 * np.log(2 * np.pi * 0.3), resolution=0.5).information(q, V)
    assert user.fisher == pytest.approx(1 / (V + 0.3), rel=1e-9)
    assert user.psi == pytest.approx(-0.5 * np.log(2 * np.pi * np.e * (V + 0.3)), rel=1e-9)
    linear = Output(lambda z: z, 0.3)
    assert float(linear.fisher(q, V)) == pytest.approx(float(GaussianNoise(0.3).fisher(q, V, 0.0)), rel=1e-9)
    assert float(Quantised((0.0,), values=(-1, 1)).fisher(q, V)) == pytest.approx(
        float(Sign().fisher(np.array(q), np.array(V), 0.0)), rel=1e-8
    )


@pytest.mark.parametrize("closed, function", [(AbsoluteValue(0.1, 0.2), np.abs), (Relu(0.1, 0.2), lambda z: np.maximum(z, 0))])
def test_half_lines_agree_with_the_general_quadrature(closed, function):
    general = Output(function, 0.1, (0.0,), inner_noise=0.2)
    for q, V in ((0.3, 0.7), (0.99, 0.01)):
        assert closed.information(q, V, 0.2)[:2] == pytest.approx(general.information(q, V, 0.2)[:2], rel=1e-8)
    y, omega = np.array([0.3, -0.2, 1.0]), np.array([0.1, -1.0, 2.0])
    for a, b in zip(closed.g_out(y, omega, 0.4), general.g_out(y, omega, 0.4), strict=True):
        assert np.allclose(a, b, rtol=1e-9, atol=1e-11)


def test_noiseless_relu_is_a_mixture_of_an_atom_and_a_density():
    y = np.linspace(1e-9, 12, 200_001)
    mass = float(np.trapezoid(np.exp(Relu().log_partition(y, 0.4, 1.3)), y)) + float(np.exp(Relu().log_partition(0.0, 0.4, 1.3)))
    assert mass == pytest.approx(1.0, abs=1e-8)
    assert np.exp(Relu().log_partition(0.0, 0.4, 1.3)) == pytest.approx(stats.norm.cdf(-0.4 / np.sqrt(1.3)))


def test_phase_retrieval_sees_nothing_at_zero_overlap():
    assert AbsoluteValue().information(0.0, 1.0).fisher == 0.0
    assert AbsoluteValue().information(1e-6, 1 - 1e-6).fisher == pytest.approx(2e-6, rel=1e-4)  # E (z^2 - 1)^2 q


def test_poisson_counts_beyond_the_table_are_integrated():
    big = Poisson(scale=200.0)
    y, weights = big.label_nodes(1.0, 1.0)
    p = weights * np.exp(big.log_likelihood(y, np.ones(y.size)))
    assert p.sum() == pytest.approx(1.0, abs=1e-10)
    assert p @ y == pytest.approx(200 * np.e, rel=1e-10)


def test_quantised_labels_far_in_the_tail_keep_their_digits():
    channel = Quantised((-1.0, 0.0, 1.0))
    value = float(channel.log_partition(3.0, -30.0, 1.0))
    assert value == pytest.approx(float(stats.norm.logsf(31.0)), rel=1e-12)
    assert float(channel.g_out(np.array([3.0]), np.array([-30.0]), 1.0)[0][0]) == pytest.approx(
        float(np.exp(stats.norm.logpdf(31.0) - stats.norm.logsf(31.0))), rel=1e-9
    )


@pytest.mark.parametrize(
    "build, words",
    [
        (lambda: Quantised((1.0, 0.0)), "thresholds"),
        (lambda: Quantised((0.0,), values=(1, 1)), "values"),
        (lambda: Poisson(np.sin), "rate"),
        (lambda: LogLikelihood(lambda y, z: -((y - z) ** 2)), "normalised"),
        (lambda: LogLikelihood(logistic_noise, support=(1, 0)), "support"),
        (lambda: RandomOutput(lambda z, a: a * z, (0, 1), (0.3, 0.3), 0.1), "probabilities"),
        (lambda: Output(np.tanh, 0.1, inner_noise=-1), "inner_noise"),
        (lambda: Quantised((0.0,)).log_partition(np.array([0.5]), np.zeros(1), 1.0), "labels among"),
        (lambda: Output(np.tanh).information(0.5, 0.5), "noise"),
    ],
)
def test_bad_channels_are_named(build, words):
    with pytest.raises(ArgumentError, match=words):
        build()


def test_convex_learners_still_take_outputs_with_noise_inside():
    """Ridge on f(field + inner noise): the moments at a wider Gaussian."""
    outer, inner = ge.DeepNetwork((), labels=Output(np.tanh, 0.1, inner_noise=0.5)), 0.5
    found = ge.solve(ge.Problem(outer, learner=ge.Ridge(0.3)), [1.0])
    run = ge.simulate(ge.Problem(outer, learner=ge.Ridge(0.3)), [1.0], d=200, trials=16)
    assert inner > 0 and abs(float(run.test_error_mean[0] - found.test_error[0])) < 4 * float(run.test_error_stderr[0]) + 3 / 200 * float(
        found.test_error[0]
    )


@pytest.mark.parametrize("channel", [Output(np.tanh, noise=0.1), Output(np.sign, noise=0.1, kinks=(0.0,)), Poisson()], ids=str)
@pytest.mark.parametrize("offset", [0.0, 0.8])
def test_fields_that_hardly_vary_take_few_nodes(monkeypatch, channel, offset):
    """As many panels as for others say the same."""
    q, V = 0.99 * (0.05**2 * 0.5), 0.5
    few = channel.information(q, V, offset)
    assert channel.outer_fields(q, V, offset, 8)[0].size == 16 < channel.outer_fields(1.1 * q, V, offset, 8)[0].size
    monkeypatch.setattr(quadrature, "NARROW", 0.0)
    many = channel.information(q, V, offset)
    assert few[:2] == pytest.approx(many[:2], rel=3e-12)


SMALL_NOISE = {
    "tanh": Output(np.tanh, 1e-4),
    "parabola": Output(np.square, 0.01),
    "sine": Output(np.sin, 1e-3),
    "step": Output(np.sign, 1e-2, (0.0,)),
}


@pytest.mark.parametrize("name", list(SMALL_NOISE))
@pytest.mark.parametrize(("q", "V", "offset"), [(0.3, 0.7, 0.1), (1e-7, 1.0, 1.3), (0.9, 0.01, 0.0)])
def test_fields_at_which_labels_are_unlikely_need_not_be_looked_at(name, q, V, offset, monkeypatch):
    """All of them give the same fourteen digits, at many times the cost where noise is small beside what the field explains."""
    channel = SMALL_NOISE[name]
    near = channel.information(q, V, offset)
    channel.__dict__.pop("_lattices", None)
    monkeypatch.setattr(Output, "likely_labels", quadrature.QuadratureChannel.likely_labels)
    every = channel.information(q, V, offset)
    channel.__dict__.pop("_lattices", None)
    assert near[:2] == pytest.approx(every[:2], rel=1e-13)
    assert near.error < 1e-5


def test_small_noise_costs_fields_and_labels_that_go_together():
    """y = z + noise of 1e-4 has fisher = 1/(V + noise), by fewer than a tenth of the values of the whole table."""
    seen = []

    class Counted(Output):
        def log_likelihood(self, y, z):
            seen.append(np.broadcast(y, z).size)
            return super().log_likelihood(y, z)

        def _other_law(self):
            return False

    found = Counted(lambda z: z, 1e-4).information(0.2, 0.5)
    assert found.fisher == pytest.approx(1 / 0.5001, rel=1e-10) and found.error < 1e-10
    small = sum(seen)
    seen.clear()
    Counted._other_law = Output._other_law  # a law of its own may have heavy tails: every field is looked at
    assert Counted(lambda z: z, 1e-4).information(0.2, 0.5).fisher == pytest.approx(1 / 0.5001, rel=1e-10)
    assert 10 * small < sum(seen)


@pytest.mark.parametrize(("q", "V", "offset"), [(1e-6, 1.1, -420.0), (1e-7, 1e-4, 420.0)])
def test_scales_are_those_of_the_fields_that_are_averaged(q, V, offset):
    """Far out a parabola is its tangent: y = 2 b z + noise, beside relative corrections V/b^2; slopes about 0 would resolve nothing."""
    channel, slope = Output(np.square, 0.15), 4 * offset**2
    found = channel.information(q, V, offset)
    assert found.fisher == pytest.approx(slope / (0.15 + slope * V), rel=1e-4)
    assert found.psi == pytest.approx(-0.5 * np.log(2 * np.pi * np.e * (0.15 + slope * V)), abs=1e-4)
    assert found.error < 1e-12


def test_a_parabola_too_far_out_is_refused_before_its_table_is_built():
    with pytest.raises(ArgumentError, match="too steep for its noise"):
        Output(np.square, 0.15).information(0.5, 0.6, 1e4)


def test_scales_of_laws_of_their_own_are_as_declared():
    class Own(Output):
        def log_likelihood(self, y, z):
            return super().log_likelihood(y, z)

    assert Own(np.square, 0.15).resolution_between(400.0, 420.0) == Own(np.square, 0.15).resolution
    plain = Output(np.square, 0.15)
    assert plain.resolution_between(400.0, 420.0) == pytest.approx(np.sqrt(0.15) / 840, rel=1e-2)
    assert Poisson().resolution_between(0.0, 1.0) == Poisson().resolution
    wave, step = Output(np.tanh, 1e-6), Output(np.sign, 1e-6, (0.0,))
    for width in (1.0, 30.0, 1e3, 1e6):  # a slope of 1 within a wide range
        assert wave.resolution_between(-width, width) == pytest.approx(1e-3, rel=0.01)
        assert step.resolution_between(-width, width) >= 1.0
    far = Output(lambda z: np.tanh(z - 500.0), 1e-6)
    assert far.resolution_between(-800.0, 800.0) == pytest.approx(1e-3, rel=0.01) and far.resolution == pytest.approx(1e3)
    assert wave.resolution_between(0.3, 0.3) == wave.resolution
