"""`GaussianEquivalent`: its fields, derived numbers and card."""

from dataclasses import replace

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.equivalence.gaussian_equivalent import from_network

INPUTS = ge.GaussianInputs("two-level:4:0.2:0.25")
TARGET = ge.DeepNetwork("tanh", depth=2, weight_variance=4, noise=0.1)


def test_fields_are_in_output_units():
    e = from_network(INPUTS, TARGET)
    mean = 0.25 * 4 + 0.75 * 0.2
    assert e.eigenvalues.tolist() == [4.0, 0.2]
    assert e.weights @ e.eigenvalues == pytest.approx(mean)
    assert e.slope2 == pytest.approx(e.signal_variance / mean)
    assert e.alignment == pytest.approx(e.slope2 * e.eigenvalues**2)
    assert e.signal_modes == pytest.approx(e.slope2 * e.eigenvalues)
    assert e.effective_noise.shape == (2,)


def test_label_noise_is_counted_once():
    quiet, loud = (from_network(INPUTS, ge.DeepNetwork("tanh", depth=2, weight_variance=4, noise=n)) for n in (0.0, 0.3))
    assert loud.noise == pytest.approx(quiet.noise + 0.3, rel=1e-14)
    assert loud.model_noise == quiet.model_noise
    assert np.array_equal(loud.effective_noise, quiet.effective_noise)
    assert loud.signal_variance == quiet.signal_variance


def test_raw_inputs_leave_nothing_unexplained():
    e = from_network(INPUTS, TARGET)
    assert e.unexplained == 0.0
    halved = replace(e, alignment=0.5 * e.alignment)
    assert halved.unexplained == pytest.approx(0.5 * e.signal_variance)
    assert halved.noise == pytest.approx(e.noise + 0.5 * e.signal_variance)


def test_null_modes_carry_no_signal():
    e = from_network(ge.GaussianInputs("two-level:2:0:0.5"), TARGET)
    assert e.signal_modes.tolist() == [2 * e.slope2, 0.0]
    assert e.unexplained == 0.0


def test_the_regression_floor_is_the_noise_and_the_optimal_ridge_tau_over_s():
    e = from_network(INPUTS, TARGET)
    assert e.floor == e.noise
    assert e.lam_optimal == pytest.approx(e.noise / e.slope2)


def test_the_classification_floor_is_the_angle_between_field_and_linear_part():
    e = from_network(INPUTS, ge.DeepNetwork("tanh", task="classification", noise=0.2))
    angle = np.arctan(np.sqrt(e.noise / e.signal_variance))
    assert e.floor == pytest.approx(angle / np.pi, rel=1e-14)
    # a given constant makes the better guess easier: the floor falls with it
    floors = [e.with_offset(b).floor for b in (0.0, 0.5, 1.0)]
    assert floors == sorted(floors, reverse=True)
    assert floors[0] == pytest.approx(e.floor)


def test_the_floor_of_random_offsets_is_the_average_of_given_ones():
    e = from_network(ge.GaussianInputs(), ge.DeepNetwork("relu", task="classification"))
    b = np.sqrt(e.offset_variance) * np.linspace(-8, 8, 801)
    law = np.exp(-0.5 * (b**2 / e.offset_variance))
    average = np.sum(law * [e.with_offset(float(x)).floor for x in b]) / law.sum()
    assert e.floor == pytest.approx(average, rel=1e-9)


def test_an_even_target_has_nothing_to_learn():
    e = from_network(ge.GaussianInputs(), ge.DeepNetwork("abs"))
    assert (e.signal_variance, e.slope2, e.lam_optimal) == (0.0, 0.0, np.inf)
    sign = from_network(ge.GaussianInputs(), ge.DeepNetwork("hermite:2", task="classification"))
    assert sign.floor == pytest.approx(0.5, abs=1e-12)


def test_offsets_come_from_the_law_unless_given():
    odd, relu = (from_network(ge.GaussianInputs(), ge.DeepNetwork(name)) for name in ("tanh", "relu"))
    assert not odd.has_offset
    assert relu.has_offset
    assert not relu.with_offset(0.0).has_offset
    assert odd.with_offset(-0.3).has_offset
    assert relu.with_offset(-0.3).offset_nodes()[0].tolist() == [-0.3]


def test_the_spectrum_is_taken_at_the_size_that_is_asked_for():
    inputs = ge.GaussianInputs("power-law:1.5")
    e = from_network(inputs, TARGET, 30)
    assert e.eigenvalues.size == 30
    assert e.weights == pytest.approx(np.full(30, 1 / 30))
    with pytest.raises(ge.ArgumentError, match="Pass d"):
        from_network(inputs, TARGET)


def test_partial_needs_a_network():
    e = from_network(INPUTS, TARGET)
    assert e.partial(0).gamma == pytest.approx(float(np.sum(e.effective_noise)))
    with pytest.raises(TypeError, match="deep network"):
        replace(e, _source=None).partial(0)


def test_the_card_shows_the_numbers_and_the_hypotheses():
    e = from_network(INPUTS, TARGET)
    card = str(e)
    assert card == e.card()
    for text in ("tanh", f"{e.lam_optimal:.10g}", f"{e.signal_variance:.10g}", "2 modes", "replica result", "mean squared error"):
        assert text in card
    assert sum(line.strip().startswith(("1 tanh", "2 tanh")) for line in card.splitlines()) == 2


def test_the_card_of_a_classifier_with_given_offset_says_so():
    card = from_network(ge.GaussianInputs(), ge.DeepNetwork("relu", task="classification", offset=0.25)).card()
    assert "given offset 0.25" in card
    assert "misclassification" in card
    assert "no linear part" in from_network(ge.GaussianInputs(), ge.DeepNetwork("abs")).card()


def test_the_card_of_a_kernel_has_its_nugget_and_that_of_features_has_none():
    problems = [
        ge.Problem(ge.DeepNetwork("tanh"), features=one, learner=ge.Ridge(0.1)) for one in (ge.NNGP("erf"), ge.RandomFeatures("erf"))
    ]
    kernel, features = (problem.equivalent_of(problem.learners[0]) for problem in problems)
    assert f"  p/d               1  (kernel; nugget {kernel.nugget:.6g})" in kernel.card().splitlines()
    assert kernel.nugget > 0 == features.nugget
    assert f"  p/d               {features.aspect:.6g}" in features.card().splitlines()
    assert "p/d" not in from_network(INPUTS, TARGET).card()


def test_the_card_says_what_real_labels_of_another_law_add():
    counts = ge.Problem(ge.DeepNetwork("relu", labels="poisson")).equivalent()
    assert np.isnan(counts.lam_optimal)
    assert "variance given the field 1.284" in counts.card()  # E exp(field) = exp(1/4), half the mean square of relu
    assert "depends on n/d" in counts.card()
    assert (counts.parity, counts.folds()) == ("none", False)
    assert counts.offset_nodes()[0].min() < 0
    assert counts.floor > 1.2


def test_bins_of_a_linear_target_have_their_own_best_penalty():
    """Sign labels as bins: slope^2 = 2/pi, noise 1 - 2/pi."""
    e = ge.Problem(ge.LinearTarget(labels=ge.Quantised((0.0,), values=(-1.0, 1.0)))).equivalent()
    assert e.lam_optimal == pytest.approx(np.pi / 2 - 1, rel=1e-12)


@pytest.mark.parametrize("options", [{"mean": 0.4}, {"covariance": np.array([[2.0, 0.5], [0.5, 1.0]])}], ids=["mean", "correlated"])
def test_priors_need_no_symmetry_but_a_mean_of_zero_on_inputs_with_a_direction(options):
    """2/3 of the weights -1, the others 2, have mean 0; that their mean given a field is not 0 does not count."""
    inputs, d = ge.GaussianInputs(**options), 2 if "covariance" in options else None
    lopsided, shifted = (ge.Discrete((-1.0, 2.0), share) for share in ((2 / 3, 1 / 3), (0.6, 0.4)))
    assert ge.Problem(ge.LinearTarget(lopsided, noise=0.1), inputs).equivalent(d).signal_modes.sum() > 0
    with pytest.raises(ge.ArgumentError, match="`prior` must be of zero mean"):
        ge.Problem(ge.LinearTarget(shifted, noise=0.1), inputs).equivalent(d)
