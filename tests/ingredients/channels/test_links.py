"""Links smoothed by a Gaussian: adaptive quadrature, finite differences, limits and refusals."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, special, stats

import gaussequiv as ge
from gaussequiv.ingredients.channels import links


def smooth(link, omega, V):
    value, _ = integrate.quad(
        lambda t: float(link(np.array(omega + np.sqrt(V) * t))) * stats.norm.pdf(t),
        -12,
        12,
        limit=400,
        epsabs=1e-13,
        points=[-omega / np.sqrt(V)],
    )
    return value


@pytest.mark.parametrize("V", [1e-3, 0.7, 9.0, 400.0])
@pytest.mark.parametrize("text", ["logit", "logit:0.2", "logit:5"])
def test_logit_against_quadrature(text, V):
    link = links.get(text)
    omega = np.array([-3.0, 0.0, 0.4, 8.0])
    assert link.smoothed(omega, np.array(V)).value == pytest.approx([smooth(link, o, V) for o in omega], abs=1e-10)


@pytest.mark.parametrize(
    "link",
    ["sign", "logit", "logit:0.3", lambda z: 1 / (1 + np.exp(-np.clip(z + 0.3, -50, 50))), "random:0.3"],
    ids=lambda link: link if isinstance(link, str) else "function",
)
def test_derivatives(link):
    """Against central differences of the order below."""
    link = links.get(link)
    omega, V, h = np.array([-1.3, -0.2, 0.0, 0.8]), np.array(0.6), 1e-4
    up, down, here = link.smoothed(omega + h, V), link.smoothed(omega - h, V), link.smoothed(omega, V)
    for k in range(3):
        assert here[k + 1] == pytest.approx((up[k] - down[k]) / (2 * h), abs=2e-7)


def test_sign_is_the_normal_distribution_function_and_its_limit_is_a_step():
    smoothed = links.SignLink().smoothed(np.array([-1.0, 0.0, 2.0]), np.array(4.0))
    assert smoothed.value == pytest.approx(special.ndtr([-0.5, 0, 1]))
    for V in (0.0, 1e-100):
        sharp = links.SignLink().smoothed(np.array([-1.0, 0.0, 2.0]), np.array(V))
        assert sharp.value.tolist() == [0.0, 0.5, 1.0]
        assert np.all(np.isfinite(sharp))


def test_a_function_with_a_jump_is_the_sign():
    step = links.FunctionLink(lambda z: 1.0 * (z > 0.5), kinks=(0.5,), name="step")
    omega, V = np.array([-0.4, 0.5, 1.1]), np.array(0.3)
    mine, exact = step.smoothed(omega, V), links.SignLink().smoothed(omega - 0.5, V)
    for a, b in zip(mine, exact, strict=True):
        assert a == pytest.approx(b, abs=1e-11)
    assert not step.symmetric


@pytest.mark.parametrize("bad", ["logistic", "logit:0", "sign:1", "random:1.2", "logit:x", 3])
def test_refusals(bad):
    with pytest.raises(ge.errors.ArgumentError):
        links.get(bad)


def test_a_probability_beyond_one_is_refused():
    with pytest.raises(ge.errors.ArgumentError, match=r"\[0, 1\]"):
        links.get(lambda z: 1 + z * 0.1)


def steep(z):
    return special.expit(20 * (z * z - 2))


def steeper(z):
    return special.expit(400 * (z * z - 0.1))


def touching(z):
    return 1 - np.exp(-z * z / 2)


@pytest.mark.parametrize("V", [5e-4, 0.05, 3.0, 400.0])
@pytest.mark.parametrize(("function", "at"), [(steep, np.sqrt(2)), (steeper, np.sqrt(0.1)), (touching, 0.0)])
def test_steep_links_are_resolved_without_declared_kinks(function, at, V):
    """P and P' = E p(z) (z - omega)/V against adaptive quadrature cut at the steep places."""
    link = links.get(function)
    for omega in (0.0, 0.6, at, -2.3):
        here = link.smoothed(np.array(omega), np.array(V))
        cuts = sorted({(sign * at + shift - omega) / np.sqrt(V) for sign in (-1, 1) for shift in (-0.3, -0.02, 0, 0.02, 0.3)})
        ends = [-12.0, *(c for c in cuts if abs(c) < 12), 12.0]

        def mean(weight, ends=ends, omega=omega):
            def integrand(t):
                return float(function(omega + np.sqrt(V) * t)) * weight(t) * stats.norm.pdf(t)

            return sum(integrate.quad(integrand, a, b, limit=200, epsabs=1e-12)[0] for a, b in pairwise(ends))

        assert here.value == pytest.approx(mean(lambda t: 1.0), abs=1e-10)
        assert here.first == pytest.approx(mean(lambda t: t / np.sqrt(V)), abs=1e-10 / np.sqrt(V))


def test_jumps_are_found():
    """1/3 is no end of a halved panel: undeclared, the step is the sign all the same."""
    step = links.get(lambda z: 1.0 * (z > 1 / 3))
    assert step.places == pytest.approx([1 / 3], abs=1e-12) and step.panels.size <= 3
    omega, V = np.array([-0.4, 0.3, 1.1]), np.array(0.01)
    assert step.smoothed(omega, V).value == pytest.approx(links.SignLink().smoothed(omega - 1 / 3, V).value, abs=1e-11)


@pytest.mark.parametrize(
    ("link", "direction"),
    [
        ("sign", 1),
        ("logit", 1),
        ("random:0.2", 1),
        (lambda z: special.expit(-z), -1),
        (lambda z: 0.4 + 0 * z, 1),
        (steep, 0),
        (touching, 0),
    ],
)
def test_direction(link, direction):
    assert links.direction(links.get(link)) == direction


def test_a_link_without_end_of_detail_is_refused():
    with pytest.raises(ge.errors.ArgumentError, match="kinks"):
        links.get(lambda z: 0.5 + 0.4 * np.sin(1e5 * z))


def test_probabilities_stay_within_one():
    omega = np.linspace(-8, 8, 2001)
    for V in (1e-8, 0.01, 0.3):
        value = links.get(steep).smoothed(omega, np.array(V)).value
        assert value.min() >= 0 and value.max() <= 1


def test_logit_labels_of_any_scale_take_no_time_and_tend_to_the_sign():
    """The smoothed link and the Bayes-optimal curve; the error is of order (scale/deviation)^2 times pi^2/3."""
    import time

    import gaussequiv as ge
    from gaussequiv.ingredients.channels.links import LogitLink, SignLink

    omega, V = np.linspace(-6, 6, 25), np.array(1.0)
    for scale in (1e-3, 1e-6):
        for found, limit in zip(LogitLink(scale).smoothed(omega, V), SignLink().smoothed(omega, V), strict=True):
            assert np.allclose(found, limit, atol=10 * scale**2, rtol=0)
    # the two rules agree where both hold
    both = [LogitLink(s).smoothed(omega, V) for s in (0.25 * (1 - 1e-9), 0.25 * (1 + 1e-9))]
    assert all(np.allclose(a, b, rtol=0, atol=1e-7) for a, b in zip(*both, strict=True))

    def error(labels):
        return ge.solve(ge.Problem(ge.DeepNetwork((), labels=labels), learner=ge.BayesOptimal()), [0.5, 3.0]).test_error.values

    start = time.process_time()
    assert np.allclose(error("logit:1e-3"), error("sign"), atol=1e-5)
    assert np.allclose(error("logit:1e-6"), error("sign"), atol=1e-9)
    assert time.process_time() - start < 2


def rising(z):
    return 0.05 + 0.9 / (1 + np.exp(-3 * np.clip(z, -50, 50)))


def stepped(z):
    return np.where(z > 0.3, 0.9, np.where(z > -0.5, 0.4, 0.1))


@pytest.mark.parametrize("size", [1e-9, 1e-4, 0.02, 0.4, 3.0, 200.0])
@pytest.mark.parametrize("function", [rising, stepped])
def test_averages_from_a_table_are_those_of_panels(function, size):
    """Rows of fields that share a variance take a table; single fields take the link's own panels."""
    link = links.FunctionLink(function)
    rng = np.random.default_rng(1)
    V = size * rng.uniform(0.5, 2, (4, 1))
    omega = 2 * np.sqrt(1 + size) * rng.normal(size=(4, 30))
    found, expected = link.smoothed(omega, V), link.smoothed(omega.ravel(), np.repeat(V.ravel(), 30))
    for k, (one, other) in enumerate(zip(found, expected, strict=True)):
        np.testing.assert_allclose((one * V ** (k / 2)).ravel(), other * np.repeat(V.ravel(), 30) ** (k / 2), rtol=0, atol=10.0 ** (k - 13))


def test_averages_of_one_variance_are_integrated_once():
    """A second look at fields between those of the first evaluates the link nowhere anew."""
    calls = []

    def counted(z):
        calls.append(np.size(z))
        return rising(z)

    link = links.FunctionLink(counted)
    omega = np.linspace(-3, 3, 50)
    link.smoothed(omega, np.array(0.3))
    before = sum(calls)
    link.smoothed(0.9 * omega, np.array(0.31))
    assert sum(calls) == before
