"""What random problems at the ends of every range have shown, by name: each has a curve, a status or an error that names its argument."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.ingredients.activations import base as activations
from gaussequiv.ingredients.activations import dual_kernels
from gaussequiv.ingredients.channels import quadrature
from gaussequiv.ingredients.channels.binary import Binary
from gaussequiv.ingredients.channels.counts import Poisson, Quantised
from gaussequiv.ingredients.channels.label_moments import quadrature_moments
from gaussequiv.ingredients.channels.outputs import Output
from gaussequiv.ingredients.channels.quadrature import QuadratureChannel
from gaussequiv.ingredients.features.deterministic import Transforms, _fitted
from gaussequiv.learners.convex.averages import Fields
from gaussequiv.learners.convex.model import Model
from gaussequiv.learners.convex.routes import Routes
from gaussequiv.learners.convex.saddle_point import SolvedPoints
from gaussequiv.learners.convex.sensitivity import tangents


def steep(x):
    return np.tanh(50 * x)


def test_output_moments_beyond_the_largest_name_their_argument():
    """Squares and products of moments must stay finite, not the moments alone."""
    with pytest.raises(ge.ArgumentError, match=r"`weight_variance`.*layer"):
        ge.Problem(ge.DeepNetwork("relu", 30, weight_variance=3.5e6)).equivalent()
    with pytest.raises(ge.ArgumentError, match=r"`readout_variance`"):
        ge.Problem(ge.DeepNetwork("linear", readout_variance=1e60, weight_variance=1e60)).equivalent()


@pytest.mark.parametrize("spectrum", [ge.MarchenkoPastur(314.0, cells=100), ge.TwoLevel(1.0, 0.0, 0.001)])
def test_sizes_without_a_positive_eigenvalue(spectrum):
    problem = ge.Problem(ge.DeepNetwork("erf"), ge.GaussianInputs(spectrum), ge.Ridge(0.1))
    for ask in (lambda: ge.solve(problem, alpha=1.0, d=30), lambda: ge.simulate(problem, alpha=1.0, d=30, trials=1)):
        with pytest.raises(ge.ArgumentError, match=r"`d` must be large enough for the spectrum"):
            ask()


def test_counts_of_rates_without_bound():
    counts = Poisson()
    assert counts.log_likelihood(np.array([0.0, 3.0]), np.full(2, 800.0)).tolist() == [-np.inf, -np.inf]
    for high in (60.0, 800.0):  # more labels than can be summed; a rate that overflows
        with pytest.raises(ge.ArgumentError, match="`labels`"):
            counts.label_nodes(0.0, high)
    with pytest.raises(ge.ArgumentError, match="`labels`"):
        counts.sample(np.random.default_rng(0), np.array([50.0]))
    with pytest.raises(ge.ArgumentError, match="`labels` must be a law of finite mean"):
        counts.label_moments(np.zeros(1), 1e12)
    y, weights = counts.label_nodes(0.0, 12.0)  # as before
    assert weights @ np.exp(counts.log_likelihood(y, np.full(y.size, 12.0))) == pytest.approx(1.0, abs=1e-8)


@pytest.mark.parametrize("law", [Output(steep), Quantised((-1, 0, 1), noise=1e-12)])
def test_moments_of_labels_that_do_not_vary(law):
    found = quadrature_moments(law, np.array([1e4]), 1.5e-6)
    assert np.all(np.isfinite(np.stack(found))) and abs(found.scatter[0]) < 1e-25


@pytest.mark.parametrize(
    "target", [{"offset": 30.0, "labels": "quantised:-1/0/1"}, {"weight_variance": 1e-30, "labels": "relu", "offset": -1.0}]
)
def test_pairs_of_labels_that_do_not_vary(target):
    """Labels equal up to rounding have pairs of field and label whose moments are not judged by their own size."""
    problem = ge.Problem(ge.DeepNetwork("linear", task="regression", **target), learner=ge.ERM("huber", 0.1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ge.ConvergenceWarning)  # with labels of zero every weight vanishes, and log q has no end
        curve = ge.solve(problem, alpha=[0.5, 2.0])
    assert np.all(np.isfinite(curve.test_error) | ~curve.converged)


def test_probabilities_do_not_exceed_one():
    """Weights of a rule sum to 1 up to rounding: no error rate falls below zero by it."""
    field = np.linspace(30, 60, 301)
    for law in (Binary("logit:0.3"), Binary("logit:1e-8"), Binary("sign", noise=1e-9)):
        for y in (1.0, -1.0):
            p = law.probability(y, y * field, 1.0).value
            assert np.all(p <= 1) and np.all(law.probability(y, -y * field, 1.0).value >= 0)
        assert np.all(law.bayes_error(1e-9, 1e-9, np.array([3.0, 30.0])) >= 0)


def test_fields_that_do_not_vary_beyond_rounding():
    with pytest.raises(ge.ArgumentError, match="`labels` must be a law of fields that vary beyond rounding"):
        Output(np.tanh, noise=0.1).outcomes(np.array([-0.03, -0.03]), 1e-98, 8)


class TwoLabels(QuadratureChannel):
    resolution = 2e-5

    def label_nodes(self, low, high):
        return np.array([0.0, 1.0]), np.ones(2)

    def log_likelihood(self, y, z):
        raise AssertionError("the grid was built")


def test_grids_are_refused_before_they_are_built():
    """Many fields at many nodes need as much memory as many labels do."""
    with pytest.raises(ge.ArgumentError, match="`labels` must be one that a grid"):
        TwoLabels().outcomes(np.linspace(-1.0, 1.0, 1500), 1.0, 8)


def test_transforms_that_underflow_have_modes():
    z, poles = np.geomspace(0.01, 100, 60), np.array([1.0, 3.0])
    inverse = 1 / (z[:, None] + poles)
    overlap = inverse @ np.array([0.2, 0.5])
    part = np.where(z < 10, overlap, 0.0)
    values = Transforms(inverse @ np.array([0.4, 0.6]), inverse @ (poles * np.array([0.4, 0.6])), part)
    fitted = _fitted(z, values, poles)
    np.testing.assert_allclose(fitted.overlap * fitted.mass, [0.2, 0.5], rtol=1e-8)


def test_hermite_series_of_wide_arguments():
    """Tables are summed in pieces; beyond the widest argument the kernel is refused."""
    kernel = dual_kernels.HermiteSeries(np.tanh, (), "tanh")
    second = kernel.second(np.array([2e6]))
    assert second[0] == pytest.approx(1 - np.sqrt(2 / np.pi / 2e6), rel=1e-6)  # E tanh^2 = 1 - E sech^2, of integral 2
    with pytest.raises(ge.ArgumentError, match="`weight_variance`"):
        kernel.second(np.array([1e9]))


def test_pieces_of_a_hermite_table_give_the_same_series(monkeypatch):
    s = np.array([0.5, 30.0, 400.0])
    whole = dual_kernels.HermiteSeries(np.tanh, (), "tanh").coefficients(s, 32)
    monkeypatch.setattr(dual_kernels, "BLOCK", 1000)
    parts = dual_kernels.HermiteSeries(np.tanh, (), "tanh").coefficients(s, 32)
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


def _model():
    return Model(ge.ERM("huber", 0.1), ge.Problem(ge.DeepNetwork("erf", noise=0.1)).equivalent())


def test_order_parameters_that_overflowed_have_no_observables():
    model = _model()
    at = model.points(np.array([0.5, 2.0]), np.full(2, 0.1))
    solution = Routes(model).solve(at)
    known = model.observe(solution)
    wild = solution.fields._replace(q=np.array([np.inf, solution.fields.q[1]]))
    found = model.observe(SolvedPoints(**{**vars(solution), "fields": Fields(*wild)}))
    for name, values in found.items():
        assert np.isnan(values[0]) and values[1] == pytest.approx(known[name][1], rel=1e-12)


def test_no_derivative_where_the_equations_overflow():
    model = _model()
    at = model.points(np.array([0.5, 2.0]), np.full(2, 0.1))
    solution = Routes(model).solve(at)
    known = tangents(model, at, solution, ("lam",))["lam"]
    lost = replace(solution, residual=np.array([np.inf, 0.0]), unknowns=solution.unknowns + np.array([[700.0], [0.0]]))
    found = tangents(model, at, lost, ("lam",))["lam"]
    for name, values in found.items():
        assert np.isnan(values[0]) and values[1] == pytest.approx(known[name][1], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("loss", ["square", "huber"])
def test_real_labels_of_a_field_that_does_not_vary(loss):
    """Independent of the inputs: y = relu(b0) is a constant, which the student's constant learns at once."""
    target = ge.DeepNetwork("hermite:0", weight_variance=1.0, labels="relu", offset=2.0)
    e = ge.Problem(target).equivalent()
    assert e.signal_variance == 0 and e.model_noise == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ge.ConvergenceWarning)
        curve = ge.solve(ge.Problem(target, learner=ge.ERM(loss, 0.1, intercept=True)), alpha=[0.5, 2.0])
    np.testing.assert_allclose(np.where(curve.converged, curve.test_error, 0.0), 0.0, atol=1e-12)


def test_sine_kernels_of_wide_arguments():
    """exp(-(s1 + s2)/2) sinh(c), of which only the product is finite."""
    kernel = dual_kernels.get(activations.get("sine"))
    for s in (0.6, 3.0, 300.0, 1e6):
        both, c = np.array([s]), np.array([[s - 0.5]])
        expected = 0.5 * (np.exp(-0.5) - np.exp(-2 * s + 0.5))
        assert kernel.product(c.copy(), both, both) == pytest.approx(expected, rel=1e-13)
        expected = 0.5 * (np.exp(-0.5) + np.exp(-2 * s + 0.5))
        assert kernel.slope(c, both, both) == pytest.approx(expected, rel=1e-13)
    assert kernel.product(np.full((1, 1), 1e-12), np.ones(1), np.ones(1)) == pytest.approx(1e-12 / np.e, rel=1e-13)


def test_labels_without_noise_have_no_scan():
    """Whatever a fit asks of a channel whose likelihood is a point: an error that names the labels."""
    channel = Output(np.tanh)
    for V in (0.0, 1.0):
        with pytest.raises(ge.ArgumentError, match="`labels`"):
            channel.g_out(np.array([0.3]), np.zeros(1), np.array([V]))


def test_best_constants_of_an_exponential_loss_far_from_the_labels():
    """The search for the constant starts tens of standard deviations away, where the loss overflows."""
    target = ge.DeepNetwork("linear", task="classification", labels="logit", readout_variance=1e5)
    model = Model(ge.ERM("exponential", 0.1, penalty="l1", intercept=True), ge.Problem(target).equivalent())
    square, field, constant = model.untrained(np.zeros(1))
    assert constant == pytest.approx(0.0, abs=1e-9) and square == pytest.approx(1.0) and field > 0


def test_the_best_penalty_of_a_kernel_without_a_linear_part():
    problem = ge.Problem(ge.DeepNetwork("erf", noise=0.1), learner=ge.Ridge("optimal"), features=ge.DotProductKernel(np.square))
    e = problem.equivalent()
    assert e.matched and e.lam_optimal == np.inf
    curve = ge.solve(problem, alpha=[0.5, 2.0])
    np.testing.assert_allclose(curve.test_error, curve.floor, rtol=1e-12)
    assert np.all(curve.lam == np.inf) and np.all(curve.converged)


def test_errors_at_many_fields_are_summed_in_pieces(monkeypatch):
    law, b0 = Quantised((-1, 0, 1), noise=0.1), np.array([0.0, 0.3, 2.0])
    whole = law.field_error(1.0, 0.3, b0)
    monkeypatch.setattr(quadrature, "BLOCK", 7)
    np.testing.assert_allclose(law.field_error(1.0, 0.3, b0), whole, rtol=1e-13)
    assert np.all(whole > 0)
