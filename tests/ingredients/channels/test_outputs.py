"""Real labels that are a function of the field."""

import numpy as np
import pytest
from scipy import special

import gaussequiv as ge
from gaussequiv.ingredients.channels.outputs import Output


def test_moments_of_erf_are_the_arcsine_ones():
    mean, slope, second = Output(special.erf).moments(np.zeros(1), 0.7)
    assert mean[0] == pytest.approx(0, abs=1e-15)
    assert slope[0] == pytest.approx(2 / np.sqrt(np.pi) / np.sqrt(1 + 2 * 0.7), rel=1e-12)
    assert second[0] == pytest.approx(2 / np.pi * np.arcsin(2 * 0.7 / (1 + 2 * 0.7)), rel=1e-12)


def test_kinks_are_resolved():
    mean, slope, second = Output(lambda z: np.maximum(z, 0), kinks=(0.0,)).moments(np.array([0.0, 0.5]), 1.0)
    assert mean[0] == pytest.approx(1 / np.sqrt(2 * np.pi), rel=1e-13)
    assert slope == pytest.approx(special.ndtr([0.0, 0.5]), rel=1e-12)
    assert second[0] == pytest.approx(0.5, rel=1e-13)


def test_the_least_error_interpolates_between_noise_and_variance():
    channel = Output(np.tanh, noise=0.1)
    second = channel.moments(np.zeros(1), 1.0)[2][0]
    assert channel.bayes_error(1.0, 0.0, np.zeros(1))[0] == pytest.approx(0.1, abs=1e-6)
    assert channel.bayes_error(1e-12, 1.0, np.zeros(1))[0] == pytest.approx(0.1 + second, rel=1e-6)


def test_log_partition_is_the_log_density():
    channel = Output(np.sin, noise=0.3)
    y = np.linspace(-6, 6, 4001)
    density = np.exp(channel.log_partition(y, np.full_like(y, 0.4), np.full_like(y, 0.8)))
    assert np.trapezoid(density, y) == pytest.approx(1, rel=1e-9)
    assert np.trapezoid(density * y, y) == pytest.approx(np.exp(-0.4) * np.sin(0.4), rel=1e-9)


def test_a_deep_network_takes_it_and_keeps_it_by_name():
    channel = Output(np.tanh, noise=0.1, name="soft")
    problem = ge.Problem(ge.DeepNetwork("erf", labels=channel), learner=ge.Ridge(0.3))
    assert problem.task == "regression"
    curve = ge.solve(problem, [1.0])
    again = ge.rerun(curve, functions={"soft": channel})
    np.testing.assert_array_equal(again.test_error, curve.test_error)


def test_noise_beside_the_channel_is_refused():
    with pytest.raises(ge.ArgumentError, match="labels"):
        ge.DeepNetwork("erf", labels=Output(np.tanh), noise=0.1)


def test_the_bayes_optimal_learner_needs_noise():
    with pytest.raises(ge.ArgumentError, match="`noise` must be positive for the posterior"):
        ge.solve(ge.Problem(ge.DeepNetwork("erf", labels=Output(np.tanh))), [1.0])


@pytest.mark.parametrize(
    ("function", "parity"),
    [
        (np.tanh, "odd"),
        (np.sin, "odd"),
        (np.abs, "even"),
        (np.square, "even"),
        (np.cos, "even"),
        (np.sign, "odd"),
        (np.exp, "none"),
        (lambda z: np.maximum(z, 0), "none"),
        (lambda z: np.tanh(z) + 1e-9 * np.cos(z), "none"),
        (lambda z: np.tanh(z - 1e-6), "none"),
    ],
)
def test_parity_is_that_of_the_function(function, parity):
    for noise, inner in ((0.0, 0.0), (0.3, 0.2)):
        assert Output(function, noise=noise, inner_noise=inner, name="f").parity(6.0) == parity


def test_functions_that_overflow_or_end_have_no_parity():
    assert Output(np.exp, name="exp").parity(5000.0) == "none"
    assert Output(np.sinh, name="sinh").parity(5000.0) == "none"
    assert Output(np.sinh, name="sinh").parity(50.0) == "odd"
    assert Output(lambda z: np.where(np.abs(z) > 8.7, np.nan, np.tanh(z)), name="ends").parity(9.0) == "none"
    assert Output(lambda z: np.sinh(z) + np.cos(z), name="both").parity(50.0) == "none"  # cos is rounding of sinh far out alone
    assert Output(lambda z: 0 * z + 2.0, name="two").parity(9.0) == "even"


def test_a_law_of_its_own_has_no_parity_of_the_function():
    class Uneven(Output):
        def label_variance(self, z):
            return self.noise * (1 + 0.8 * np.tanh(z))

    class Named(Output):
        def __str__(self):
            return "own"

    assert (Uneven(np.tanh, 0.5).parity(6.0), Named(np.tanh, 0.5).parity(6.0)) == ("none", "odd")


def test_parity_is_asked_for_where_fields_are():
    """A function may be odd over some fields alone; what it does beside a declared kink counts."""
    clipped = Output(lambda z: np.clip(z, -20.0, 30.0), name="clipped")
    assert (clipped.parity(19.0), clipped.parity(25.0)) == ("odd", "none")

    def jump(z):
        return np.where(np.abs(z - 2.34567) < 1e-6, 5.0, np.abs(z))

    assert Output(jump, name="jump").parity(6.0) == "even"  # narrower than what is looked at
    assert Output(jump, kinks=(2.34567,), name="jump").parity(6.0) == "none"
    assert (ge.AbsoluteValue(0.1).parity(5.0), ge.Relu(0.1).parity(5.0)) == ("even", "none")
