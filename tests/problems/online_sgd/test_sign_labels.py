"""Sign labels: averages beside closed forms and a smooth teacher that is nearly a sign, curves beside SGD."""

import jax
import numpy as np
import pytest
from scipy.special import erf

import gaussequiv as ge
from gaussequiv.ingredients.activations.base import get as activation
from gaussequiv.problems.online_sgd.expectations import averages_of
from gaussequiv.problems.online_sgd.sign_labels import sign_averages

ROOT = np.sqrt(0.5)
ERF, LINEAR = activation("erf"), activation("linear")


def averaged(make, C, s, noise=0.0, student=ERF, teacher=LINEAR, gains=(ROOT, 1.0), units=(1, 1)):
    with jax.enable_x64(True):
        found = make(student, teacher, gains, units)(np.asarray(C), np.asarray(s), noise)
        return {name: np.asarray(value) for name, value in found._asdict().items() if value is not None}


@pytest.mark.parametrize("R", [0.0, 0.5, 0.9])
def test_a_perceptron_has_closed_forms(R):
    """g = erf(x/sqrt 2), y = sign(nu): E g' dy/dnu = (2/pi)/sqrt(T (1 + Q - R^2/T)), E g y = (2/pi) asin(R/sqrt(T (1 + Q))),
    P(wrong) = acos(R/sqrt(Q T))/pi."""
    Q, T = 1.2, 0.8
    found = averaged(sign_averages, [[Q, R], [R, T]], [0.7, -1.0])
    assert found["towards"][0, 0] == pytest.approx(2 / np.pi / np.sqrt(T * (1 + Q - R**2 / T)), rel=3e-3)
    product = 2 / np.pi * np.arcsin(R / np.sqrt(T * (1 + Q)))
    square = 2 / np.pi * np.arcsin(Q / (1 + Q))
    assert found["outputs"][0] == pytest.approx(0.7 * square - product, abs=2e-3)
    assert found["clean_error"] == pytest.approx(1 + 0.49 * square - 1.4 * product, rel=3e-3)
    assert found["error"] == pytest.approx(found["clean_error"], rel=1e-9)
    assert found["wrong"] == pytest.approx(np.arccos(R / np.sqrt(Q * T)) / np.pi, abs=2e-3)


def test_noise_makes_the_label_that_of_a_smooth_teacher():
    """E[y|nu] = erf(nu/sqrt(2 noise)) is an erf teacher of that gain; what is left of y is noise of variance 1 - E[y|nu]^2."""
    C, noise = np.array([[1.2, 0.5, 0.3], [0.5, 0.9, 0.4], [0.3, 0.4, 0.8]]), 0.3
    found = averaged(sign_averages, C, [0.7, -0.4, -1.0], noise, units=(2, 1))
    smooth = averaged(averages_of, C, [0.7, -0.4, -1.0], teacher=ERF, gains=(ROOT, 1 / np.sqrt(2 * noise)), units=(2, 1))
    for name in ("towards", "outputs", "bend", "slopes"):
        assert found[name] == pytest.approx(smooth[name], rel=5e-3, abs=2e-3)
    left = 1 - 2 / np.pi * np.arcsin(0.8 / (0.8 + noise))
    assert found["error"] == pytest.approx(smooth["error"] + left, rel=3e-3)


def test_committees_of_signs_learn_as_the_equations_say():
    """A student of three erf units on signs of a committee, noise before the sign: within 4 standard errors and 8/N."""
    student, teacher = ge.TwoLayer("erf", 3, gain=ROOT), ge.TwoLayer("erf", 2, readout="ones")
    generator = ge.RandomGenerator("tanh", latent_ratio=0.5)
    problem = ge.OnlineSGD(student, teacher, generator, rate=0.5, noise=0.1, labels="sign", dimension=200)
    both = ge.compare(problem, time=[0.0, 1.0, 5.0], trials=16, seed=0, test_samples=4000, allowance=8.0)
    assert both.attrs["verdict"] == "agree"
    wrong = both.classification_error
    theory, found = (wrong.sel(source=source).values for source in ("theory", "simulation"))
    spread = both.classification_error_stderr.sel(source="simulation").values
    assert np.all(np.abs(theory - found) < 4 * spread + 0.04 * theory) and theory[2] < 0.8 * theory[0]
    assert float(both.clean_error.sel(source="theory")[2]) < float(both.test_error.sel(source="theory")[2])


def test_real_labels_have_no_share_of_wrong_ones():
    assert "classification_error" not in ge.solve(ge.OnlineSGD(dimension=50), time=[0.0])


def test_what_does_not_fit_is_refused():
    with pytest.raises(ge.ArgumentError, match="`labels`"):
        ge.OnlineSGD(labels="signs")
    with pytest.raises(ge.ArgumentError, match="smooth activation for sign labels"):
        ge.OnlineSGD(ge.TwoLayer("relu"), labels="sign")


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_outputs_that_are_zero_count_as_plus_one(noise):
    """A relu teacher of one unit is 0 for half of all inputs, and SGD calls that +1."""
    C = np.array([[1.2, 0.5], [0.5, 0.9]])
    found = averaged(sign_averages, C, [0.7, -1.0], noise, teacher=activation("relu"))
    u = np.random.default_rng(0).standard_normal((400_000, 2)) @ np.linalg.cholesky(C).T
    output, field = 0.7 * erf(u[:, 0] / np.sqrt(2)), np.maximum(u[:, 1], 0)
    label = np.where(field + np.sqrt(noise) * np.random.default_rng(1).standard_normal(field.size) >= 0, 1.0, -1.0)
    assert found["error"] == pytest.approx(np.mean((output - label) ** 2), rel=0.01)
    assert found["clean_error"] == pytest.approx(np.mean((output - 1) ** 2), rel=0.01)
    assert found["wrong"] == pytest.approx(np.mean(np.where(output >= 0, 1.0, -1.0) != label), abs=5e-3)


def test_teachers_whose_units_depend_on_each_other_are_refused():
    problem = ge.OnlineSGD(generator=ge.RandomGenerator("sign", latent_ratio=0.01), labels="sign", dimension=50)
    with pytest.raises(ge.ArgumentError, match="`teacher` must be of at most 1 units"):
        ge.solve(problem, time=[1.0])
    with pytest.raises(ge.ArgumentError, match="`teacher` must be of at most 1 units"):
        problem.time_to(0.1)


def test_a_student_that_says_nothing_is_wrong_as_often_in_both():
    """Readouts of zero: the output is 0 and counts as +1, so that the share of -1 labels is wrong."""
    student = ge.TwoLayer("erf", 2, readout=[0.0, 0.0])
    problem = ge.OnlineSGD(student, ge.TwoLayer("relu", 3), readout_rate=0.0, labels="sign", dimension=100)
    theory = float(ge.solve(problem, time=[0.0]).classification_error[0])
    run = ge.simulate(problem, time=[0.0], trials=4, test_samples=20_000).classification_error
    assert theory == pytest.approx(float(run.mean()), abs=5e-3) and theory < 0.49
