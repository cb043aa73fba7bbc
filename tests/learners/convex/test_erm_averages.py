"""Curves of convex learners as averages over the target's constant part, their status, and the laws of sample weights."""

import warnings

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.equivalence.offsets import FINER
from gaussequiv.errors import AccuracyWarning
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.learners.convex import erm_averages as module
from gaussequiv.learners.convex.erm_averages import HARMLESS
from gaussequiv.learners.convex.model import Model
from gaussequiv.learners.convex.routes import Routes
from gaussequiv.numerics.status import Status

ALPHA = np.array([0.7, 3.0])
ERM = ge.ERM("logistic", 0.1, intercept=True)
E = ge.Problem(ge.DeepNetwork("relu", task="classification", bias_variance=0.2, noise=0.1)).equivalent()


def test_a_curve_is_the_mean_over_offsets():
    """Of curves at given offsets; steps and residual are the largest, the constant is odd in the offset."""
    alpha = ALPHA[:1]
    model, curve = Model(ERM, E), ERM.solve(E, alpha)
    each = [ERM.solve(E.with_offset(float(b)), alpha) for b in model.b0]
    assert model.folded and model.b0.size > 3
    for name in ("test_error", "train_loss", "auc", "q", "m", "V", "brier"):
        mean = np.stack([one[name] for one in each], axis=1) @ model.mass
        np.testing.assert_allclose(curve[name], mean, rtol=1e-7, err_msg=name)
    np.testing.assert_array_equal(curve["intercept"], 0.0)
    np.testing.assert_allclose(curve["excess_over_floor"], curve["test_error"] - E.floor, rtol=1e-12)
    np.testing.assert_array_equal(curve["floor"], E.floor)
    np.testing.assert_array_equal(curve["lam"], 0.1)
    uneven = ge.ERM("logistic", 0.1, intercept=True, class_weight={-1: 2, 1: 1}).solve(E, alpha)
    assert np.all(uneven["intercept"] < -0.1)


def test_points_in_chunks_are_points_together(monkeypatch):
    whole = ERM.solve(E, ALPHA)
    monkeypatch.setattr(module, "CHUNK", 40)
    parts = ERM.solve(E, ALPHA)
    for name in ("test_error", "q", "status", "auc"):
        np.testing.assert_allclose(parts[name], whole[name], rtol=1e-8, err_msg=name)


@pytest.mark.parametrize(("residual", "converged"), [(0.5 * HARMLESS, True), (2.0 * HARMLESS, False)])
def test_a_rare_offset_that_is_nearly_solved_does_no_harm(monkeypatch, residual, converged):
    """Its residual counts by its mass; the status of the curve is otherwise the worst."""
    mass = Model(ERM, E).mass
    chunk = module._chunk

    def spoiled(model, at, solver):
        out = chunk(model, at, solver)
        out["status"][1] = float(Status.max_steps)  # the second offset of the first alpha
        out["residual"][1] = residual / mass[1]
        return out

    monkeypatch.setattr(module, "_chunk", spoiled)
    curve = ERM.curve(E, ALPHA, np.full(2, 0.1))
    assert curve["status"].tolist() == [float(Status.converged if converged else Status.max_steps), float(Status.converged)]
    assert curve["residual"][0] == pytest.approx(residual if converged else residual / mass[1], rel=1e-9)


def test_floors_move_with_their_parameters():
    """arccos(sqrt(s/(s + tau)))/pi of a sign, and of real labels all noise."""
    s, tau, eps = 0.8, 0.3, 0.1
    e = ge.GaussianEquivalent(np.ones(1), np.ones(1), np.array([s]), s, np.array([eps]), 0.0, Sign(tau))
    found = ge.ERM("logistic", 0.1).sensitivity(e, ALPHA, ("noise", "signal", "effective_noise", "alpha"))
    total = tau + eps
    by_noise = np.sqrt(s / total) / (2 * np.pi * (s + total))
    for name, slope in (("noise", by_noise), ("effective_noise", by_noise), ("signal", -total * by_noise), ("alpha", 0.0)):
        np.testing.assert_allclose(found[name]["floor"], slope, rtol=1e-8, atol=1e-12, err_msg=name)
        excess = found[name]["test_error"] - found[name]["floor"]
        np.testing.assert_allclose(found[name]["excess_over_floor"], excess, rtol=1e-12, err_msg=name)
    # at the edge of a range, which differences do not leave
    edge = ge.GaussianEquivalent(np.ones(1), np.ones(1), np.array([s]), s, np.array([tau]), 0.0, Sign(0.0))
    by_noise = np.sqrt(s / tau) / (2 * np.pi * (s + tau))
    np.testing.assert_allclose(ge.ERM("logistic", 0.1).sensitivity(edge, ALPHA, ("noise",))["noise"]["floor"], by_noise, rtol=1e-8)
    bare = ge.GaussianEquivalent(np.ones(1), np.ones(1), np.array([s]), s, np.array([0.0]), 0.0, GaussianNoise(0.3))
    assert ge.ERM("huber", 0.1).sensitivity(bare, ALPHA, ("effective_noise",))["effective_noise"]["floor"] == pytest.approx(
        [1.0, 1.0], rel=1e-9
    )


def test_weights_of_rows_are_drawn_by_inverting_their_law():
    erm = ge.ERM("logistic", 0.1, class_weight={-1: 2.0, 1: 0.5}, sample_weight=((1.0, 0.25), (3.0, 0.5), (7.0, 0.25)))
    y, u = np.array([1.0, -1.0, 1.0, -1.0, 1.0]), np.array([0.0, 0.2499, 0.25, 0.75, 1.0])
    assert erm.weights_of(y, u).tolist() == [0.5, 2.0, 1.5, 14.0, 3.5]
    assert ge.ERM("logistic", 0.1, class_weight={-1: 2.0, 1: 0.5}).weights_of(y, None).tolist() == [0.5, 2.0, 0.5, 2.0, 0.5]
    assert ge.ERM("logistic", 0.1).weights_of(y, None) is None
    assert ge.ERM("logistic", 0.1, sample_weight=((1.0, 0.5), (3.0, 0.5))).weights_of(y, u).tolist() == [1.0, 1.0, 1.0, 3.0, 3.0]


def test_limits_of_no_penalty_stand_beside_penalties():
    """Below the rank Huber's loss interpolates as ridge does, above it has its own limit; separable labels have hard margins."""
    e = ge.GaussianEquivalent(np.ones(1), np.ones(1), np.array([0.8]), 0.8, np.array([0.1]), 0.0, GaussianNoise(0.3))
    alpha = np.array([0.5, 1.5, 4.0])
    limit, small = ge.ERM("huber", 0.0).solve(e, alpha), ge.ERM("huber", 1e-9).solve(e, alpha)
    np.testing.assert_allclose(limit["test_error"], small["test_error"], rtol=1e-6)
    np.testing.assert_allclose(limit["test_error"][0], ge.Ridge(0.0).solve(e, alpha[:1])["test_error"][0], rtol=1e-9)
    assert limit["train_loss"][0] == 0 < limit["train_loss"][2]
    assert not np.any(limit["status"])
    labels = ge.GaussianEquivalent(np.ones(1), np.ones(1), np.array([0.8]), 0.8, np.array([0.1]), 0.0, Sign(0.3))
    limit, small = ge.ERM("squared_hinge", 0.0).solve(labels, alpha), ge.ERM("squared_hinge", 1e-8).solve(labels, alpha)
    np.testing.assert_allclose(limit["test_error"], small["test_error"], rtol=1e-4)
    mixed = ge.ERM("huber", 0.1).curve(e, np.array([0.5, 0.5]), np.array([0.0, 0.1]))
    assert mixed["test_error"][1] == pytest.approx(ge.ERM("huber", 0.1).solve(e, np.array([0.5]))["test_error"][0], rel=1e-9)
    assert mixed["lam"].tolist() == [0.0, 0.1]


def test_without_penalty_students_of_another_dimension_interpolate_as_ridge_does():
    """alpha counts rows per input dimension, whatever that of the student."""
    e = ge.GaussianEquivalent(np.ones(1), np.ones(1), np.array([0.8]), 0.8, np.array([0.1]), 0.0, GaussianNoise(0.3), aspect=1.6)
    alpha = np.array([0.5, 1.2])
    limit, ridge = ge.ERM("huber", 0.0).solve(e, alpha), ge.Ridge(0.0).solve(e, alpha)
    for name in ("test_error", "m", "q"):
        np.testing.assert_allclose(limit[name], ridge[name], rtol=1e-9, err_msg=name)


def test_a_nugget_interpolates_at_every_load():
    """As ridge without penalty does, beyond the rank too; labels of classes are separable there."""
    e = ge.GaussianEquivalent(np.ones(1), np.ones(1), np.array([0.8]), 0.8, np.array([0.1]), 0.0, GaussianNoise(0.3), nugget=0.2)
    alpha = np.array([0.5, 4.0])
    limit, small = ge.ERM("huber", 0.0).solve(e, alpha), ge.ERM("huber", 1e-7).solve(e, alpha)
    np.testing.assert_allclose(limit["test_error"], ge.Ridge(0.0).solve(e, alpha)["test_error"], rtol=1e-9)
    np.testing.assert_allclose(limit["test_error"], small["test_error"], rtol=1e-5)
    np.testing.assert_array_equal(limit["train_loss"], 0.0)
    labels = ge.GaussianEquivalent(np.ones(1), np.ones(1), np.array([0.8]), 0.8, np.array([0.1]), 0.0, Sign(0.3), nugget=0.2)
    limit, small = ge.ERM("squared_hinge", 0.0).solve(labels, alpha), ge.ERM("squared_hinge", 1e-8).solve(labels, alpha)
    np.testing.assert_allclose(limit["test_error"], small["test_error"], rtol=1e-3)


def test_half_the_steps_start_from_the_others(monkeypatch):
    """Those offsets that are solved take no step; an alpha that is resolved is not asked again."""
    e = ge.Problem(ge.DeepNetwork("tanh", labels="quantised:-1/0/1", bias_variance=0.5)).equivalent()
    erm, seen = ge.ERM("huber", 30.0), []
    near = module._Memory.near

    def watched(self, model, at):
        solution = near(self, model, at)
        seen.append((model.rule, at, solution))
        return solution

    monkeypatch.setattr(module._Memory, "near", watched)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AccuracyWarning)
        erm.solve(e, np.array([0.5, 100.0]))
    ((rule, at, solution),) = seen
    assert rule is FINER
    shared = np.isin(at.b0, Model(erm, e).b0)
    assert 0.4 < shared.mean() < 0.6
    assert np.median(solution.steps[shared]) <= 1 < np.median(solution.steps[~shared])
    alone = Routes(Model(erm, e, FINER)).solve(at)
    np.testing.assert_allclose(solution.fields, alone.fields, rtol=1e-6, atol=1e-8)


QUANTISED = ge.Problem(ge.DeepNetwork("tanh", labels="quantised:-1/0/1", bias_variance=0.5)).equivalent()


@pytest.mark.filterwarnings("ignore::gaussequiv.errors.AccuracyWarning")
def test_an_alpha_may_be_asked_for_twice():
    erm = ge.ERM("huber", 30.0)
    once, twice = erm.solve(QUANTISED, np.array([0.5])), erm.solve(QUANTISED, np.array([0.5, 0.5]))
    for name in ("test_error", "q", "train_loss"):
        np.testing.assert_allclose(twice[name], once[name][0], rtol=1e-9)


@pytest.mark.filterwarnings("ignore::gaussequiv.errors.AccuracyWarning")
def test_half_the_steps_where_nothing_is_known_of_others():
    """The chunk holds a point of lam = 0, whose equations are its own: what lies beside it is not remembered, and solved again."""
    erm = ge.ERM("huber", 0.1)
    both = erm.curve(QUANTISED, np.array([3.0, 0.5]), np.array([0.0, 30.0]))
    alone = [erm.curve(QUANTISED, np.array([alpha]), np.array([lam])) for alpha, lam in ((3.0, 0.0), (0.5, 30.0))]
    np.testing.assert_allclose(both["test_error"], [one["test_error"][0] for one in alone], rtol=1e-8)


def test_panels_are_graded_where_errors_bend_at_zero():
    """Not where class weights, or a link that rises and falls, move the bend away."""
    sizes = {}
    for name, labels, weights in (
        ("flips", {"flips": (0.05, 0.1)}, None),
        ("hump", {"labels": hump}, None),
        ("weights", {}, {-1: 2, 1: 1}),
    ):
        e = ge.Problem(ge.DeepNetwork("tanh", task="classification", bias_variance=0.3, **labels)).equivalent()
        model = Model(ge.ERM("logistic", 1.0, intercept=True, class_weight=weights), e)
        assert not model.spaced and not model.folded
        sizes[name] = np.abs(model.b0).min() / np.sqrt(e.offset_variance), model.b0.size
    assert sizes["flips"][0] < 1e-5 < 1e-3 < min(sizes["hump"][0], sizes["weights"][0])
    assert sizes["flips"][1] > 1.7 * max(sizes["hump"][1], sizes["weights"][1])


def hump(z):
    return 0.1 + 0.8 * np.exp(-((z - 0.5) ** 2))


FLIPS = ge.DeepNetwork("tanh", task="classification", bias_variance=0.3, readout_bias_variance=0.2, flips=(0.05, 0.1))


@pytest.mark.parametrize(("alpha", "lam", "expected"), [(0.1, 10.0, 0.281875), (0.1, 3.0, 0.24619822), (0.3, 1e4, 0.298255)])
def test_training_errors_of_few_weights(alpha, lam, expected):
    """By a hundred times as many offsets at equal steps: training errors turn elsewhere than test errors."""
    curve = ge.ERM("logistic", lam).solve(ge.Problem(FLIPS).equivalent(), np.array([alpha]))
    assert curve["train_error"][0] == pytest.approx(expected, rel=2e-5)


@pytest.mark.parametrize("lam", [0.1, 10.0])
def test_averages_over_offsets_say_the_same_wherever_they_are_taken(lam):
    """Distributions at a margin of 0 are the errors, slopes in lam those of the curve, also where labels have no even law."""
    learner, h = ge.ERM("logistic", lam), 1e-3
    curve = ge.solve(ge.Problem(FLIPS, learner=learner), alpha=[0.1, 1.0], margins=[0.0], sensitivity=("lam",))
    np.testing.assert_allclose(curve.test_margin_cdf.values[:, 0], curve.test_error, rtol=1e-9)
    np.testing.assert_allclose(curve.train_margin_cdf.values[:, 0], curve.train_error, rtol=1e-9)
    e, alpha = ge.Problem(FLIPS).equivalent(), np.array([0.1, 1.0])
    slopes = learner.sensitivity(e, alpha, ("lam",))["lam"]
    sides = [ge.ERM("logistic", lam * (1 + k * h)).solve(e, alpha) for k in (-2, -1, 1, 2)]
    for name in ("test_error", "clean_error", "train_error", "q"):
        below, left, right, above = (side[name] for side in sides)
        difference = (8 * (right - left) - above + below) / (12 * lam * h)
        np.testing.assert_allclose(slopes[name], difference, rtol=1e-5, atol=1e-9, err_msg=name)


def test_errors_that_turn_at_once_are_told():
    """With few weights and class weights the constant alone decides, and the errors of both labels differ where it turns."""
    e = ge.Problem(ge.DeepNetwork("tanh", task="classification", bias_variance=0.3, readout_bias_variance=0.2)).equivalent()
    with pytest.warns(AccuracyWarning, match="turns nearly at once") as told:
        curve = ge.ERM("logistic", 10.0, class_weight={-1: 2, 1: 1}).solve(e, np.array([0.1, 1.0]))
    said = float(str(told[0].message).split("some ")[1].split(" ")[0])
    assert 4e-3 < said < 2e-2
    dense = 0.2908063287  # a hundred times as many offsets at equal steps
    assert curve["test_error"][0] == pytest.approx(dense, rel=said)
    assert abs(curve["test_error"][0] / dense - 1) > 0.1 * said


def test_no_warning_where_errors_turn_slowly():
    for weights in (None, {-1: 2, 1: 1}):
        with warnings.catch_warnings():
            warnings.simplefilter("error", AccuracyWarning)
            curve = ge.ERM("logistic", 1.0, class_weight=weights).solve(ge.Problem(FLIPS).equivalent(), np.array([0.1, 1.0]))
        assert np.isfinite(curve["test_error"]).all()


@pytest.mark.parametrize("lam", [[0.1, 0.0], [0.0, 0.1]])
def test_one_penalty_of_zero_among_others_needs_a_limit(lam):
    e = ge.Problem(ge.DeepNetwork("tanh", task="classification", noise=0.1)).equivalent()
    with pytest.raises(ge.ArgumentError, match="must be positive for the penalty l1"):
        ge.ERM("logistic", 0.1, "l1").curve(e, ALPHA, np.array(lam))
