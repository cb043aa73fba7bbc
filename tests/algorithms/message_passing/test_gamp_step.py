"""One step of GAMP and of low-rank AMP, what is damped and when, and the predictor of a state: line by line against the equations."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import gaussequiv as ge
from gaussequiv.algorithms.message_passing.design import Design
from gaussequiv.algorithms.message_passing.gamp import CHECK, GAMP, LEAST_DAMPING, GampState
from gaussequiv.algorithms.message_passing.low_rank import LowRankAMP, LowRankState
from gaussequiv.algorithms.message_passing.sample_fit import machine_for, state_predictor
from gaussequiv.algorithms.message_passing.scaled_prior import ScaledPrior, equivalent_prior
from gaussequiv.algorithms.message_passing.start import blind, side_information
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.ingredients.channels.outputs import AbsoluteValue
from gaussequiv.ingredients.priors.named import GaussBernoulli, Rademacher
from gaussequiv.numerics.status import Status
from gaussequiv.samples.training_sample import TrainingSample

N, D = 25, 10
DIMENSION = 13  # of 1/sqrt(d) in the field, which need not be the number of columns


def machine_of(channel=None, seed=0, **options):
    rng = np.random.default_rng(seed)
    z, channel = rng.standard_normal((N, D)), Sign(0.3) if channel is None else channel
    y = channel.sample(rng, z @ rng.standard_normal(D) / np.sqrt(DIMENSION) + 0.4)
    law = ScaledPrior(np.geomspace(0.5, 2, D), GaussBernoulli(0.4, 1.5))
    return z, GAMP(z, y, law, channel, options.pop("extra", 0.2), DIMENSION, **options), rng


def state_of(rng, **changes):
    c = rng.random(D)
    state = GampState(rng.standard_normal(D), c, c.sum() / DIMENSION, 0.2 * rng.standard_normal(N), 0.3, 0.4, 1.0, 5, np.inf)
    return state._replace(**changes)


def by_hand(z, machine, old):
    vector, V = machine.variances == "vector", old.V
    if vector:
        V = (z**2) @ old.c / DIMENSION
    omega = z @ old.a / np.sqrt(DIMENSION) - V * old.g
    g, dg = machine.channel.g_out(machine.y, omega + old.intercept, V + machine.extra)
    A = -(z**2).T @ dg / DIMENSION if vector else -dg.sum() / DIMENSION
    found = machine.law.posterior(A, A * old.a + z.T @ g / np.sqrt(DIMENSION))
    intercept, prior = old.intercept, machine.intercept_variance
    if prior:
        push = (g.sum() - intercept / prior) / (1 / prior - dg.sum())
        reach = min(np.sqrt(prior), 3 * np.sqrt(old.V + machine.extra + machine.channel.noise))
        intercept += old.damping * np.clip(push, -reach, reach)
    keep = old.damping
    new = (keep * part + (1 - keep) * before for part, before in ((found.mean, old.a), (found.variance, old.c), (g, old.g)))
    return *new, intercept


@pytest.mark.parametrize("variances", ["scalar", "vector"])
@pytest.mark.parametrize("damping", [1.0, 0.35])
@pytest.mark.parametrize("intercept_variance", [0.0, 2.0, 1e-4])
def test_a_step_is_its_equations(variances, damping, intercept_variance):
    z, machine, rng = machine_of(variances=variances, intercept_variance=intercept_variance)
    old = state_of(rng, damping=damping)
    new = machine.step(old)
    a, c, g, intercept = by_hand(z, machine, old)
    for found, expected in ((new.a, a), (new.c, c), (new.g, g)):
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-13)
    assert new.V == pytest.approx(c.sum() / DIMENSION, rel=1e-12) and new.intercept == pytest.approx(intercept, rel=1e-12)
    moment = 0.4 * 1.5 * np.geomspace(0.5, 2, D) ** 2
    assert machine.prior_variances == pytest.approx(moment, rel=1e-12)
    assert new.change == pytest.approx(np.sqrt(np.mean((a - old.a) ** 2) / moment.mean()), rel=1e-12)
    assert new.steps == 6
    target = rng.standard_normal(D)
    seen = machine.observe(new, target)
    assert (seen["q"], seen["m"]) == pytest.approx((a @ a / DIMENSION, a @ target / DIMENSION), rel=1e-11)
    assert (seen["V"], seen["intercept"], seen["change"]) == (new.V, new.intercept, new.change)


def test_a_constant_far_away_is_approached_by_three_standard_deviations():
    _, machine, rng = machine_of(intercept_variance=1e6)
    machine, old = replace(machine, y=np.ones(N)), state_of(rng, intercept=-50.0, damping=0.5)
    assert machine.step(old).intercept == pytest.approx(-50 + 0.5 * 3 * np.sqrt(old.V + 0.2 + 0.3), rel=1e-12)


@pytest.mark.parametrize("variances", ["scalar", "vector"])
def test_where_the_precision_would_be_negative_the_mean_square_response_takes_its_place(variances):
    z, machine, rng = machine_of(AbsoluteValue(0.05), variances=variances)
    old = state_of(rng, a=1e-3 * rng.standard_normal(D), g=np.zeros(N), intercept=0.0)
    V = (z**2) @ old.c / DIMENSION if variances == "vector" else old.V
    g, dg = machine.channel.g_out(machine.y, z @ old.a / np.sqrt(DIMENSION), V + 0.2)
    assert dg.sum() > 0
    A = g @ g / DIMENSION
    if variances == "vector":
        own = -(z**2).T @ dg / DIMENSION
        A = np.where(own > 0, own, A)
    found = machine.law.posterior(A, A * old.a + z.T @ g / np.sqrt(DIMENSION))
    np.testing.assert_allclose(machine.step(old).a, found.mean, rtol=1e-11, atol=1e-14)


def test_the_first_state():
    _, machine, _ = machine_of(intercept_variance=4.0)
    state = machine.init()
    moment = machine.prior_variances
    assert not np.any(state.a) and not np.any(state.g) and state.change == np.inf and state.steps == 0 and state.damping == 1
    np.testing.assert_allclose(state.c, moment, rtol=1e-12)
    assert state.V == pytest.approx(moment.sum() / DIMENSION, rel=1e-12)
    up = (np.sum(machine.y > 0) + 0.5) / (N + 1)
    assert state.intercept == pytest.approx(np.sqrt(state.V + 0.2 + 0.3) * stats.norm.ppf(up), rel=1e-12)
    assert replace(machine, intercept_variance=0.0).init().intercept == 0 and replace(machine, damping=0.4).init().damping == 0.4
    _, real, rng = machine_of(GaussianNoise(0.3), intercept_variance=4.0)
    assert real.init().intercept == pytest.approx(real.y.mean())
    given = real.init(rng.standard_normal(D), 0.7)
    assert given.V == pytest.approx(0.7 * D / DIMENSION) and given.c.tolist() == [0.7] * D


def test_what_is_left_unknown_has_a_floor():
    _, machine, _ = machine_of()
    total = machine.prior_variances.sum() / DIMENSION
    assert machine.least_variance == pytest.approx(1e-12 * total, rel=1e-9)
    sure = replace(machine, channel=Sign(), extra=0.0)
    assert sure.least_variance == pytest.approx((10 / N) ** 2 * total, rel=1e-9)
    assert replace(sure, extra=0.2).least_variance < 1e-11 and replace(sure, y=np.ones(4)).least_variance == pytest.approx(total)
    # a state that knows everything is answered at the floor
    z, machine, rng = machine_of(Sign(), extra=0.0)
    old = state_of(rng, V=0.0, c=np.zeros(D))
    g, _ = machine.channel.g_out(machine.y, z @ old.a / np.sqrt(DIMENSION) - machine.least_variance * old.g + 0.3, machine.least_variance)
    np.testing.assert_allclose(machine.step(old).g, g, rtol=1e-11)


@pytest.mark.parametrize(
    ("steps", "grows", "mark", "factor"),
    [
        (5, 1.01, np.inf, 1.0),  # a change that grows by less than a twentieth
        (5, 1.2, np.inf, 0.5),
        (2, 1.2, np.inf, 1.0),  # too early to tell
        (CHECK - 1, 0.9, 2.1, 1.0),  # more than halved since the mark
        (CHECK - 1, 0.9, 1.9, 0.5),
        (CHECK - 2, 0.9, 1.9, 1.0),  # not looked at
    ],
)
def test_the_factor_is_halved_where_the_change_grows_or_stalls(steps, grows, mark, factor):
    """The mark is given in units of the change, after the change before."""
    _, machine, rng = machine_of()
    old = state_of(rng, steps=steps, damping=0.8)
    change = machine.step(old).change
    old = old._replace(change=change / grows, mark=mark * change)
    new = machine.step(old)
    assert new.damping == pytest.approx(0.8 * factor)
    assert new.mark == (change if (steps + 1) % CHECK == 0 else old.mark)
    assert replace(machine, damping=0.8).step(old).damping == 0.8  # a number stays
    assert machine.step(old._replace(damping=0.03, change=0.0)).damping == (LEAST_DAMPING if steps > 2 else 0.03)


def test_blind_starts_are_left_along_what_grows():
    rng = np.random.default_rng(0)
    z, theta = rng.standard_normal((400, 100)), rng.standard_normal(100)
    machine = GAMP(z, np.abs(z @ theta) / 10, None, AbsoluteValue(0.01), 0.0, 100, 1.0, damping=0.5)
    first = machine.step(machine.init())
    assert not np.any(first.a) and blind(machine.channel, machine.y, 0.0, 1.0) and not blind(Sign(0.1), np.sign(machine.y), 0.0, 1.0)
    left = machine._escaped(first, 500, 3)
    plain = replace(machine, damping=1.0, intercept_variance=0.0)
    state = first._replace(a=0.01 * np.random.default_rng(3).standard_normal(100), change=0.0)
    path = [state]
    while len(path) < 61:
        path.append(plain.step(path[-1]))
    stop = next(i for i in range(1, 61) if not path[i].change > path[i - 1].change and path[i].steps > 3)
    np.testing.assert_allclose(left.a, path[stop].a, rtol=1e-10)
    assert left.steps == path[stop].steps > 4 and left.damping == 0.5 and left.intercept == first.intercept
    auto = replace(machine, damping="auto")._escaped(first, 3, 3)
    assert (auto.steps, auto.damping) == (3, 1.0)


def test_a_predictor_of_a_state_has_the_units_of_the_rows():
    """Field of fresh rows: (x - centre)/scale . a/sqrt(d) + c, less the threshold at its variance."""
    rng = np.random.default_rng(0)
    x, centre, w = rng.standard_normal((N, D)) + 0.5, rng.standard_normal(D), np.geomspace(0.3, 3, D)
    q = np.linalg.qr(rng.standard_normal((D, D)))[0]
    target = ge.LinearTarget(task="classification", noise=0.2)
    for rotation in (None, q):
        inputs = ge.GaussianInputs(w / w.mean())
        e = replace(ge.Problem(target, inputs).equivalent(D), effective_noise=np.array([0.1]))
        sample = TrainingSample(x, np.sign(rng.standard_normal(N)), rotation, w, centre)
        machine, back = machine_for(sample, e, intercept=False)
        assert machine.intercept_variance == 0 and machine.dimension == D and machine.extra == pytest.approx(0.1)
        np.testing.assert_allclose(machine.prior_variances, e.slope2 * w, rtol=1e-12)
        state = state_of(rng, V=0.6)
        fit = state_predictor(machine, state, Status.converged, back, sample, D)
        z = (x - centre) @ (np.eye(D) if rotation is None else rotation) / np.sqrt(w)
        np.testing.assert_allclose(machine.design.product(np.eye(D)), z, rtol=1e-10, atol=1e-12)
        threshold = float(e.channel.threshold(np.array(0.7)))
        np.testing.assert_allclose(fit(x), z @ state.a / np.sqrt(D) + 0.3 - threshold, rtol=1e-10, atol=1e-12)
        assert (
            fit.variance == pytest.approx(0.7) and fit.threshold == threshold and fit.steps == state.steps and fit.residual == state.change
        )


def test_the_equivalents_prior_has_its_variances_whatever_the_law():
    w = np.array([0.3, 1.0, 2.5])
    for prior in ("rademacher", GaussBernoulli(0.3, 4.0), None):
        target = ge.LinearTarget(noise=0.2) if prior is None else ge.LinearTarget(prior, noise=0.2)
        e = ge.Problem(target).equivalent()
        np.testing.assert_allclose(equivalent_prior(e, w).second_moment, e.slope2 * w, rtol=1e-12)


def test_a_scaled_prior_is_its_prior_in_other_units():
    """Moments under P(theta) exp(b theta - A theta^2/2), theta = scale x, by brute force over x."""
    prior, scale, A, b = GaussBernoulli(0.3, 2.0), np.array([0.5, 1.7]), 1.3, np.array([0.4, -2.0])
    law = ScaledPrior(scale, prior)
    x, width = np.linspace(-12, 12, 200_001), np.sqrt(2.0)
    slab = 0.3 * np.exp(-0.5 * (x / width) ** 2) / (width * np.sqrt(2 * np.pi)) * (x[1] - x[0])
    for k in range(2):
        theta = scale[k] * x
        weight = slab * np.exp(b[k] * theta - 0.5 * A * theta**2)
        total = weight.sum() + 0.7
        mean = weight @ theta / total
        assert law.posterior(A, b).mean[k] == pytest.approx(mean, rel=1e-9)
        assert law.posterior(A, b).variance[k] == pytest.approx(weight @ theta**2 / total - mean**2, rel=1e-9)
    assert law.second_moment == pytest.approx(0.6 * scale**2)
    gaussian = ScaledPrior(scale)
    assert gaussian.posterior(A, b).variance == pytest.approx(1 / (A + 1 / scale**2))
    assert gaussian.posterior(A, b).mean == pytest.approx(b / (A + 1 / scale**2))
    np.testing.assert_allclose(ScaledPrior.of(law, 3.0).scale, 3 * scale)
    np.testing.assert_allclose(ScaledPrior.of(np.array([4.0, 9.0]), 0.5).scale, [1.0, 1.5])
    assert ScaledPrior.of(prior, 3.0) == ScaledPrior(3.0, prior) and ScaledPrior.of(None, 3.0) == ScaledPrior(3.0)
    modes = np.array([0.25, 0.75])
    for one in (law, gaussian):
        q, left = one.split(np.array([0.0, A]), modes)
        np.testing.assert_allclose(q + left, one.second_moment @ modes, rtol=1e-9)
        parts = [ScaledPrior(s, one.prior).split(np.array([A]), np.ones(1))[0][0] for s in scale]
        assert q[0] == pytest.approx(0, abs=1e-12) and q[1] == pytest.approx(parts @ modes, rel=1e-12)
    v = scale**2
    assert gaussian.split(np.array([A]), modes)[0][0] == pytest.approx(np.sum(modes * A * v**2 / (1 + A * v)), rel=1e-12)


def test_side_information_of_a_known_precision():
    """A theta + sqrt(A) z at A = precision/E theta^2; weights of variance zero stay zero."""
    law, theta = ScaledPrior(np.array([0.5, 2.0, 0.0])), np.array([0.3, -1.0, 0.0])
    mean, variance = side_information(law, theta, 3.0, np.random.default_rng(0))
    z, v = np.random.default_rng(0).standard_normal(3), np.array([0.25, 4.0, 0.0])
    A = np.array([12.0, 0.75, 0.0])
    np.testing.assert_allclose(mean, v * (A * theta + np.sqrt(A) * z) / (1 + A * v), rtol=1e-12)
    np.testing.assert_allclose(variance, v / 4 * [1, 1, 0], rtol=1e-12)


def test_a_step_of_low_rank_message_passing():
    rng = np.random.default_rng(0)
    n, delta, prior = 9, 0.4, GaussBernoulli(0.4, 1.5)
    score = rng.standard_normal((n, n))
    score += score.T
    machine = LowRankAMP(score, delta, prior)
    old = LowRankState(rng.standard_normal(n), rng.standard_normal(n), 0.7, 3, 0.1)
    new = machine.step(old)
    found = prior.posterior(old.mean @ old.mean / (n * delta), score @ old.mean / 3 - 0.7 / delta * old.before)
    np.testing.assert_allclose(new.mean, found.mean, rtol=1e-12)
    assert new.before is old.mean and new.variance == pytest.approx(found.variance.mean()) and new.step == 4
    assert new.change == pytest.approx(np.linalg.norm(found.mean - old.mean) / np.linalg.norm(found.mean))
    first = machine.init(old.mean)
    assert first.variance == 0 and not np.any(first.before) and first.step == 0
    assert LowRankAMP(score, delta, Rademacher()).run(machine.init(0.1 * old.mean), max_steps=1)[1] == Status.max_steps
    with np.errstate(all="ignore"):
        assert LowRankAMP(np.full((n, n), np.nan), delta, Rademacher()).run(machine.init(old.mean))[1] == Status.nonfinite
    state, status = LowRankAMP(0.01 * score, 1e4, Rademacher()).run(machine.init(0.1 * old.mean))
    assert status == Status.converged and np.max(np.abs(state.mean)) <= 1e-9


def test_statuses():
    _, machine, _ = machine_of()
    assert machine.run(max_steps=2)[1] == Status.max_steps
    state, status = machine.run(1e-6, start=machine.init()._replace(damping=0.5))
    assert status == Status.converged and state.change < 1e-6 * max(state.damping, LEAST_DAMPING) * 1.0001
    assert Design(machine.z).shape == (N, D)


def test_the_escape_begins_at_a_hundredth_of_random_weights():
    """Of the prior's own standard deviations, coordinate by coordinate."""
    _, machine, _ = machine_of(AbsoluteValue(0.1))
    assert np.ptp(machine.prior_variances) > 0.1
    pushed = machine._escaped(machine.init(), 0, 7)
    expected = 0.01 * np.sqrt(machine.prior_variances) * np.random.default_rng(7).standard_normal(D)
    np.testing.assert_allclose(pushed.a, expected, rtol=1e-12)
