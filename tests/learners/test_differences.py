"""Derivatives of closed forms by differences, and an equivalent whose parameters are moved one at a time."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.learners.differences import by_differences, moved, present

PROBLEM = ge.Problem(ge.DeepNetwork("tanh", 2, weight_variance=4, noise=0.2), learner=ge.Ridge(0.3))
E = PROBLEM.equivalent()
ALPHA = np.array([0.7, 3.0])


@pytest.mark.parametrize("noise", [0.05, 0.4, 1.0, 3.0])
def test_effective_noise_keeps_the_shares_of_the_layers(noise):
    other = moved(E, "effective_noise", noise)
    assert other.effective_noise.sum() == pytest.approx(noise, rel=1e-12)
    np.testing.assert_allclose(other.effective_noise / noise, E.effective_noise / E.effective_noise.sum(), rtol=1e-12)
    assert present(other, "effective_noise") == pytest.approx(noise, rel=1e-12)
    assert (other.channel, other.signal_variance) == (E.channel, E.signal_variance)


def test_effective_noise_of_a_target_without_any_is_that_of_one_layer():
    linear = ge.Problem(ge.DeepNetwork((), noise=0.2)).equivalent()
    assert moved(linear, "effective_noise", 0.7).effective_noise.tolist() == [0.7]


def test_signal_and_label_noise_are_moved_alone():
    stronger, noisier = moved(E, "signal", 1.7), moved(E, "noise", 0.9)
    np.testing.assert_allclose(stronger.alignment, 1.7 * E.alignment, rtol=1e-14)
    assert stronger.signal_variance == pytest.approx(1.7 * E.signal_variance, rel=1e-14)
    np.testing.assert_array_equal(stronger.effective_noise, E.effective_noise)
    assert present(E, "signal") == 1.0
    assert (present(E, "noise"), present(noisier, "noise")) == (0.2, 0.9)
    np.testing.assert_array_equal(noisier.effective_noise, E.effective_noise)


def error(alpha, lam, signal, noise):
    """Ridge on isotropic inputs: alpha kappa^2 + (alpha - lam - 1) kappa - lam = 0."""
    kappa = 0.5 * ((lam + 1 - alpha) + np.sqrt((lam + 1 - alpha) ** 2 + 4 * lam * alpha)) / alpha
    df2 = 1 / (1 + kappa) ** 2
    return (noise + signal * kappa**2 * df2) / (1 - df2 / alpha)


@pytest.mark.parametrize("name", ["alpha", "lam", "noise", "signal", "effective_noise"])
def test_slopes_of_ridge_on_isotropic_inputs(name):
    """Those that the learner's curve has against those of the closed form; `signal` is relative to what is there."""
    signal, noise = E.signal_variance, E.channel.noise + float(E.effective_noise.sum())

    def shifted(k):
        h = 1e-3 * k
        return error(
            ALPHA + h * (name == "alpha"), 0.3 + h * (name == "lam"), signal * (1 + h * (name == "signal")), noise + h * ("noise" in name)
        )

    slope = (8 * (shifted(1) - shifted(-1)) - shifted(2) + shifted(-2)) / 12e-3
    assert error(ALPHA, 0.3, signal, noise) == pytest.approx(ge.Ridge(0.3).solve(E, ALPHA)["test_error"], rel=1e-9)
    dims, found = by_differences(ge.Ridge(0.3), E, ALPHA, name)["test_error"]
    assert dims == ()
    assert found == pytest.approx(slope, rel=1e-7)


def test_at_the_edge_of_a_range_differences_look_forward():
    """No label noise and no effective noise: slopes at zero, where nothing less is allowed."""
    bare = ge.Problem(ge.DeepNetwork(())).equivalent()
    one = np.array(
        [error(a, 0.3, bare.signal_variance, 1.0) - error(a, 0.3, bare.signal_variance, 0.0) for a in ALPHA]
    )  # linear in the noise
    for name in ("noise", "effective_noise"):
        found = by_differences(ge.Ridge(0.3), bare, ALPHA, name)["test_error"][1]
        assert found == pytest.approx(one, rel=1e-8)
