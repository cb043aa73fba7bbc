"""One step of VAMP, its messages and its escape, line by line against the equations in dense algebra."""

from dataclasses import replace

import numpy as np
import pytest

from gaussequiv.algorithms.message_passing.design import Design
from gaussequiv.algorithms.message_passing.scaled_prior import ScaledPrior
from gaussequiv.algorithms.message_passing.start import ESCAPE
from gaussequiv.algorithms.message_passing.vamp import LARGEST_STEP, LEFT, VAMP, GramSpectrum, VampState
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.ingredients.channels.outputs import AbsoluteValue
from gaussequiv.ingredients.priors.named import GaussBernoulli
from gaussequiv.numerics.status import Status

SPARSE = ScaledPrior(1.4, GaussBernoulli(0.3, 2.0))


def state_of(rng, n, d, **changes):
    return VampState(
        r=rng.standard_normal(d),
        gamma=1.7,
        p=0.6 * rng.standard_normal(n),
        tau=2.3,
        mean=rng.standard_normal(d),
        field=0.5 * rng.standard_normal(n),
        precision=1.1,
        site=0.4,
        degrees=3.0,
        intercept=0.2,
        change=0.5,
        steps=4,
    )._replace(**changes)


def machine_of(n, d, prior=SPARSE, channel=None, scale=1.0, **options):
    rng = np.random.default_rng((n, d))
    z = scale * rng.standard_normal((n, d)) * np.geomspace(0.3, 1, d)
    channel = Sign(0.3) if channel is None else channel
    y = channel.sample(rng, z @ rng.standard_normal(d) + 0.4)
    return z, VAMP(GramSpectrum(Design(z)), y, prior, channel, **options), rng


def by_hand(z, machine, old):
    """The equations of the docstring; a Gaussian prior tells 1/E w^2 and 0."""
    n, d = z.shape
    if machine.law.prior is None:
        precision, r = 1 / machine.law.scale**2, np.zeros(d)
    else:
        told = machine.law.posterior(old.gamma, old.gamma * old.r)
        eta = 1 / told.variance.mean()
        precision = eta - old.gamma
        r = (eta * told.mean - old.gamma * old.r) / precision
    V, keep = 1 / old.tau, machine.damping
    g, dg = machine.channel.g_out(machine.y, old.p + old.intercept, V + machine.extra)
    intercept = old.intercept - keep * g.mean() / dg.mean() if machine.intercept else old.intercept
    h = -dg.mean()
    site, p = h / (1 - V * h), old.p + g / h
    covariance = np.linalg.inv(precision * np.eye(d) + site * z.T @ z)
    mean = covariance @ (site * z.T @ p + precision * r)
    left, spread = np.trace(covariance) / d, np.trace(z @ covariance @ z.T) / n
    gamma, tau = 1 / left - precision, 1 / spread - site
    new_r, new_p = (mean / left - precision * r) / gamma, (z @ mean / spread - site * p) / tau
    if old.steps > 0:
        new_r, new_p = keep * new_r + (1 - keep) * old.r, keep * new_p + (1 - keep) * old.p
        gamma, tau = gamma**keep * old.gamma ** (1 - keep), tau**keep * old.tau ** (1 - keep)
    size = np.sqrt(np.mean((z @ mean) ** 2) + 1e-6 * machine.law.second_moment * np.sum(z**2) / n)
    moved = np.sqrt(np.mean((z @ mean - old.field) ** 2)) / size + abs(intercept - old.intercept) / (size + abs(intercept))
    degrees = d - precision * np.trace(covariance)
    return VampState(new_r, gamma, new_p, tau, mean, z @ mean, precision, site, degrees, intercept, moved, old.steps + 1)


@pytest.mark.parametrize(("n", "d"), [(30, 12), (12, 30)])
@pytest.mark.parametrize("prior", [SPARSE, ScaledPrior(0.7)])
@pytest.mark.parametrize("options", [{}, {"extra": 0.25, "intercept": True, "damping": 0.6}])
def test_a_step_is_its_equations(n, d, prior, options):
    z, machine, rng = machine_of(n, d, prior, **options)
    for steps in (0, 4):
        old = state_of(rng, n, d, steps=steps)
        for name, expected in by_hand(z, machine, old)._asdict().items():
            np.testing.assert_allclose(getattr(machine.step(old), name), expected, rtol=1e-8, atol=1e-11, err_msg=name)


@pytest.mark.parametrize(("n", "d"), [(30, 12), (12, 30)])
def test_what_is_observed(n, d):
    z, machine, rng = machine_of(n, d)
    state = machine.step(state_of(rng, n, d))
    covariance = np.linalg.inv(state.precision * np.eye(d) + state.site * z.T @ z)
    seen = machine.observe(state)
    assert seen["q"] == pytest.approx(state.mean @ state.mean / d, rel=1e-12)
    assert seen["left"] == pytest.approx(np.trace(covariance) / d, rel=1e-9)
    assert seen["V"] == pytest.approx(np.trace(z @ covariance @ z.T) / n, rel=1e-9)
    assert (seen["intercept"], seen["change"]) == (state.intercept, state.change)


def test_the_first_state():
    z, machine, _ = machine_of(14, 9, channel=GaussianNoise(0.5), scale=2.0, extra=0.3, intercept=True)
    state = machine.init()
    moment = 1.4**2 * SPARSE.prior.second_moment
    assert machine.moment == pytest.approx(moment, rel=1e-12)
    assert machine.width == pytest.approx(np.sqrt(moment * np.sum(z**2) / 14), rel=1e-12)
    assert state.tau == pytest.approx(1 / machine.width**2, rel=1e-12)
    assert state.gamma < 1e-6 / moment and state.intercept == pytest.approx(machine.y.mean())
    assert not np.any(state.r) and not np.any(state.p) and state.change == np.inf and state.steps == 0
    assert replace(machine, intercept=False).init().intercept == 0


def test_labels_far_from_their_fields_move_the_constant_by_three_standard_deviations():
    _, machine, rng = machine_of(20, 8, extra=0.25, intercept=True, damping=0.6)
    state = state_of(rng, 20, 8)._replace(p=-40.0 * np.ones(20))
    machine = replace(machine, y=np.ones(20))
    reach = 3 * np.sqrt(1 / state.tau + 0.25 + 0.3)
    assert machine.step(state).intercept == pytest.approx(0.2 + 0.6 * reach, rel=1e-12)
    narrow = state._replace(tau=1e12)
    machine = replace(machine, extra=0.0, channel=Sign(1e-12))
    assert machine.step(narrow).intercept == pytest.approx(0.2 + 0.6 * 0.01 * machine.width, rel=1e-9)


@pytest.mark.parametrize(("noise", "tau", "rise"), [(0.01, 2.3, (1, np.inf)), (1.0, 0.3, (0, 0.5))])
def test_a_response_of_the_wrong_sign_takes_its_square(noise, tau, rise):
    """|field| near 0: dg > 0; h = <g^2>/2, and no step of the constant."""
    _, machine, rng = machine_of(20, 8, channel=AbsoluteValue(noise), intercept=True)
    state = state_of(rng, 20, 8, intercept=0.0, tau=tau)._replace(p=1e-3 * rng.standard_normal(20))
    g, dg = machine.channel.g_out(machine.y, state.p, 1 / state.tau)
    assert rise[0] < dg.mean() < rise[1]
    h = np.mean(g**2) / 2
    site, p, intercept = machine._told_by_channel(state)
    assert site == pytest.approx(h / (1 - h / state.tau), rel=1e-10) and intercept == 0
    np.testing.assert_allclose(p, state.p + g / h, rtol=1e-12)


@pytest.mark.parametrize(("square", "verdict"), [(9.0, False), (11.0, True)])
def test_responses_beyond_ten_times_their_variance_are_a_contradiction(square, verdict):
    """g^2 against -dg, which are equal on average where the channel is the labels' own; both at the messages after an undamped step."""
    _, machine, rng = machine_of(20, 8, damping=0.5)
    state, b = state_of(rng, 20, 8), 0.3

    class Contradicted(Sign):
        def g_out(self, y, omega, V):
            return np.sqrt(square * b) * np.sign(y), np.full(y.size, -b)

    machine = replace(machine, channel=Contradicted())
    assert not 0.8 < machine.step(state).tau < 1.25
    assert machine._sure_and_wrong(state) == verdict
    b = 1e-12  # what is left of a response by rounding says nothing
    assert not machine._sure_and_wrong(state)


@pytest.mark.parametrize("prior", [SPARSE, ScaledPrior(0.7)])
def test_messages_as_one_vector_and_back(prior):
    _, machine, rng = machine_of(20, 8, prior, scale=3.0)
    old, new = state_of(rng, 20, 8), state_of(rng, 20, 8, gamma=3.1, tau=1.2, intercept=-0.9)
    back = machine._unpacked(old, machine._packed(new))
    np.testing.assert_allclose(back.p, new.p, rtol=1e-13)
    assert (back.tau, back.intercept) == pytest.approx((1.2, -0.9), rel=1e-12)
    if prior.prior is not None:
        np.testing.assert_allclose(back.r, new.r, rtol=1e-13)
        assert back.gamma == pytest.approx(3.1, rel=1e-12)
    else:
        assert back.r is old.r and back.gamma == old.gamma
    far = machine._unpacked(old, machine._packed(new._replace(tau=2.3e5, gamma=1.7e-5)))
    assert far.tau == pytest.approx(2.3 * np.exp(LARGEST_STEP), rel=1e-12)
    if prior.prior is not None:
        assert far.gamma == pytest.approx(1.7 * np.exp(-LARGEST_STEP), rel=1e-12)


def test_moves_of_all_messages_count_alike_in_the_vector():
    """A field, a weight and a logarithm that move by the same share of their sizes make moves of the same length."""
    n, d = 20, 8
    _, machine, rng = machine_of(n, d, scale=3.0)
    state, share = state_of(rng, n, d), 0.01
    moves = (
        {"p": state.p + share * machine.width},
        {"r": state.r + share * np.sqrt(machine.moment)},
        {"tau": state.tau * np.exp(share)},
        {"gamma": state.gamma * np.exp(share)},
        {"intercept": state.intercept + share * machine.width},
    )
    for move in moves:
        length = np.linalg.norm(machine._packed(state._replace(**move)) - machine._packed(state))
        assert length == pytest.approx(share * np.sqrt(n), rel=1e-9), move.keys()


def test_even_labels_are_left_step_by_step_until_fields_have_grown():
    n, d, key = 400, 100, 5
    rng = np.random.default_rng(0)
    z = rng.standard_normal((n, d)) / np.sqrt(d)
    y = np.abs(z @ rng.standard_normal(d))
    machine = VAMP(GramSpectrum(Design(z)), y, None, AbsoluteValue(0.01), damping=0.5, intercept=True)
    limit = (LEFT * machine.width) ** 2
    state = machine._escaped(machine.init(), 500, key)
    assert 1 < state.steps < ESCAPE and np.mean(state.field**2) > limit and state.intercept == 0
    before = machine._escaped(machine.init(), state.steps, key)
    assert before.steps == state.steps - 1 and 0 < np.mean(before.field**2) <= limit
    # from a hundredth of the prior's random weights, whose fields have 0.01 of the rows' standard deviation
    shaken = machine.init()._replace(p=z @ (0.01 * np.random.default_rng(key).standard_normal(d)))
    one = machine._escaped(machine.init(), 2, key)
    np.testing.assert_allclose(one.field, replace(machine, damping=1.0, intercept=False).step(shaken).field, rtol=1e-10)


def test_even_labels_that_tell_too_little_end_the_escape_after_sixty_steps():
    rng = np.random.default_rng(0)
    z, channel = rng.standard_normal((60, 300)) / np.sqrt(300), AbsoluteValue(1.0)
    machine = VAMP(GramSpectrum(Design(z)), channel.sample(rng, z @ rng.standard_normal(300)), None, channel)
    state = machine._escaped(machine.init(), 500, 1)
    assert state.steps == ESCAPE and np.mean(state.field**2) < 1e-4 * machine.width**2


@pytest.mark.parametrize("damping", [1.0, 0.4])
def test_runs_on_even_labels_are_damped_by_a_third_at_least_and_not_accelerated(damping):
    rng = np.random.default_rng(0)
    z = rng.standard_normal((200, 50)) / np.sqrt(50)
    machine = VAMP(GramSpectrum(Design(z)), np.abs(z @ rng.standard_normal(50)), None, AbsoluteValue(0.01), damping=damping)
    start = machine._escaped(machine.init(), 500, 1)
    found, _ = machine.run(1e-12, start.steps + 3, start=start)
    plain, state = replace(machine, damping=min(damping, 0.7)), start
    for _ in range(3):
        state = plain.step(state)
    np.testing.assert_allclose(found.mean, state.mean, rtol=1e-10)


@pytest.mark.parametrize("unit", [1e-3, 1e3])
@pytest.mark.parametrize("labels", ["real", "signs"])
def test_units_of_the_field_do_not_matter(labels, unit):
    """Weights, noise and constant of another unit: the same steps to the same posterior in that unit."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((80, 50)) * np.geomspace(0.5, 2, 50) / np.sqrt(50)
    field = z @ GaussBernoulli(0.4).sample(rng, 50) + 0.4 + np.sqrt(0.2) * rng.standard_normal(80)
    found = []
    for u in (1.0, unit):
        channel, y = (GaussianNoise(0.2 * u * u), u * field) if labels == "real" else (Sign(0.2 * u * u), np.sign(field))
        state, status = VAMP(GramSpectrum(Design(z)), y, ScaledPrior(1.3 * u, GaussBernoulli(0.4)), channel, intercept=True).run(1e-6)
        assert status == Status.converged
        found.append((state.steps, state.mean / u, state.intercept / u, state.precision * u * u, state.field / u))
    assert abs(found[0][0] - found[1][0]) <= 1
    for one, other in zip(found[0][1:], found[1][1:], strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-7)
