"""Links smoothed by a Gaussian: adaptive quadrature, finite differences, limits and refusals."""

import numpy as np
import pytest
from scipy import integrate, special, stats

import gaussequiv as ge
from gaussequiv.ingredients import links


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
