"""The values of the target's constant part over which the curve of one learner is averaged, and which are left out."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.equivalence.offsets import FINER, OffsetRule
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.learners.convex.model import Model


def equivalent(channel, rho=1.0, **law):
    """Isotropic inputs, signal variance rho, no effective noise, and a law of the offset."""
    one = np.ones(1)
    return ge.GaussianEquivalent(one, one, np.array([rho]), rho, np.zeros(1), law.pop("offset_variance", 0.0), channel, **law)


@pytest.mark.parametrize("weights", [None, {-1: 2.0, 1: 1.0}])
def test_offsets_of_either_sign_are_one_where_the_learner_treats_them_alike(weights):
    """A random constant part: nodes b0 >= 0 stand for both signs, or not; their second moment is the variance either way, up to offsets
    of labels that are all alike, which the last ones stand for.
    """
    e = ge.Problem(ge.DeepNetwork("relu", task="classification", bias_variance=0.3)).equivalent()
    model = Model(ge.ERM("logistic", 0.1, class_weight=weights, intercept=True), e)
    assert model.folded == (weights is None)
    assert (model.b0.min() >= 0) == (weights is None)
    assert model.mass.sum() == pytest.approx(1, abs=1e-12)
    assert model.mass @ model.b0**2 == pytest.approx(e.offset_variance, rel=2e-5)
    last, beyond = np.abs(model.b0[-1]), e.offset_nodes()
    moved = beyond[1] @ np.where(beyond[0] > last, beyond[0] ** 2 - last**2, 0.0)
    assert 0 < moved < 2e-5 * e.offset_variance
    up = model.channel.probability(-1.0, np.array([last]), np.array([model.rho])).value[0]
    assert up * beyond[1][beyond[0] > last].sum() < 1e-9


def test_labels_that_are_alike_are_left_out_only_where_a_constant_is_fitted():
    e = ge.Problem(ge.DeepNetwork("relu", task="classification", bias_variance=0.3)).equivalent()
    fitted, none = (Model(ge.ERM("logistic", 0.1, intercept=intercept), e) for intercept in (True, False))
    assert fitted.b0.max() < none.b0.max()
    np.testing.assert_array_equal(fitted.b0, none.b0[: fitted.b0.size])
    assert fitted.mass[-1] > none.mass[fitted.b0.size - 1 :].sum() * (1 - 1e-12)


def test_a_finer_rule_knows_the_constants_of_a_coarser_one():
    model = Model(ge.ERM("huber", 0.1), equivalent(ge.Output(np.tanh, 0.3, name="tanh"), offset_variance=0.5))
    before = model.untrained(model.b0)
    finer = model.with_rule(FINER)
    assert finer.rule is FINER and finer.b0.size > 1.8 * model.b0.size
    assert np.isin(model.b0[:-1], finer.b0).all()
    for one, other in zip(finer.untrained(model.b0), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_shift_of_real_labels_moves_the_constant_alone():
    """With a fitted constant and noise on the field one offset stands for all; laws of other form, and students without one, need every."""
    random = equivalent(GaussianNoise(0.3), offset_variance=0.5)
    one = Model(ge.ERM("huber:0.5", 0.1, intercept=True), random)
    assert (one.b0.tolist(), one.mass.tolist(), one.folded) == ([0.0], [1.0], False)
    assert Model(ge.ERM("huber:0.5", 0.1, intercept=True), equivalent(GaussianNoise(0.3), offset=0.4)).b0.tolist() == [0.4]
    for erm, e in (
        (ge.ERM("huber:0.5", 0.1, intercept=False), random),
        (ge.ERM("huber:0.5", 0.1, intercept=True), equivalent(ge.Output(np.tanh, 0.3, name="tanh"), offset_variance=0.5)),
    ):
        several = Model(erm, e)
        assert several.b0.size > 5
        assert several.mass.sum() == pytest.approx(1, abs=1e-12)
        assert several.mass @ several.b0**2 == pytest.approx(0.5, rel=1e-4)


def test_offsets_of_real_labels_have_equal_steps():
    """As errors are as smooth in the offset as the field; labels -1 and +1 have graded panels, here on the half line."""
    e = equivalent(ge.Output(np.tanh, 0.3, name="tanh"), offset_variance=0.5)
    square, huber, binary = (
        Model(ge.ERM(loss, 0.1), one) for loss, one in (("square", e), ("huber", e), ("huber", equivalent(Sign(0.3), offset_variance=0.5)))
    )
    assert (square.spaced, huber.spaced, binary.spaced) == (True, True, False)
    assert square.b0.tolist() == huber.b0.tolist()
    assert huber.b0.size < binary.b0.size
    coarse, finer = Model(ge.ERM("huber", 0.1), e, OffsetRule(2.0, panel=2)), Model(ge.ERM("huber", 0.1), e, FINER)
    np.testing.assert_allclose([np.ptp(m.b0[:3]) for m in (coarse, huber, finer)], np.ptp(huber.b0[:3]) * np.array([2, 1, 0.5]), rtol=1e-9)
    for model, error in ((coarse, 1e-3), (huber, 1e-7), (finer, 1e-7)):
        np.testing.assert_allclose(model.mass @ np.cos(model.b0), np.exp(-0.25), rtol=error)
    assert Model(ge.ERM("huber", 0.1), equivalent(Sign(0.3), offset_variance=0.5), OffsetRule(panel=2)).b0.size == 10


def test_rare_offsets_of_labels_that_are_alike_are_left_to_their_neighbours():
    """Labels -1, 0, 1 at b0 = 3 and beyond are 1 up to 1e-5; that of 1 in 1e6 offsets is worth no digit. Squares of labels all count."""
    quantised, square = ge.Quantised((-0.5, 0.5), values=(-1, 0, 1)), ge.Output(np.square, 0.1, name="square")
    alike, counted = (Model(ge.ERM("huber", 0.1), equivalent(law, rho=0.5, offset_variance=0.5)) for law in (quantised, square))
    assert alike.b0.max() < 3.6 < counted.b0.max()
    for model in (alike, counted):
        assert model.mass.sum() == pytest.approx(1, abs=1e-12)
    means = alike.channel.label_moments(alike.b0, 0.5)
    assert alike.mass @ means.mean == pytest.approx(0, abs=1e-9)  # what equal steps leave
    whole = alike.e.spaced_offsets(even=False, step=0.2)
    variance = [mass @ alike.channel.label_moments(b0, 0.5).scatter for b0, mass in (whole, (alike.b0, alike.mass))]
    assert variance[1] == pytest.approx(variance[0], rel=1e-8)


def test_labels_that_do_not_vary_have_all_their_offsets():
    flat = Model(ge.ERM("huber", 0.1), equivalent(ge.Output(lambda z: 0 * z + 2.0, name="flat"), offset_variance=0.5))
    assert flat.b0.max() > 6 * np.sqrt(0.5)


class Plain(ge.Output):
    """The same labels, of whose parity nothing is known."""

    def parity(self, reach):
        return "none"


@pytest.mark.parametrize(
    ("function", "loss", "half"),
    [
        (np.tanh, "huber", True),
        (np.tanh, "quantile:0.7", False),
        (np.abs, "huber", True),
        (np.abs, "quantile:0.7", True),
        (np.square, "square", True),
        (np.exp, "huber", False),
    ],
)
def test_even_and_odd_labels_have_offsets_on_the_half_line(function, loss, half):
    """Odd ones for losses that are alike on both sides, even ones for all; curves and their slopes are those of both sides together."""
    alpha, erm = np.array([0.7, 3.0]), ge.ERM(loss, 0.1)
    kinks = (0.0,) if function is np.abs else ()
    known, plain = (
        ge.Problem(
            ge.DeepNetwork("tanh", bias_variance=0.3, readout_bias_variance=0.2, labels=law(function, 0.1, kinks, name="f")), learner=erm
        )
        for law in (ge.Output, Plain)
    )
    models = [Model(erm, problem.equivalent()) for problem in (known, plain)]
    assert [model.folded for model in models] == [half, False]
    assert models[0].mirrored == (half and function is not np.tanh)
    assert (models[0].b0.size < 0.6 * models[1].b0.size) == half
    one, other = (ge.solve(problem, alpha=alpha, sensitivity=("lam", "alpha")) for problem in (known, plain))
    for name in one.data_vars:
        if name not in ("status", "steps", "residual", "converged"):
            np.testing.assert_allclose(one[name], other[name], rtol=1e-6, atol=1e-6, err_msg=name)
    odd = () if not half else ("intercept", "d_intercept_d_lam") if function is np.tanh else ("m", "d_m_d_lam")
    for name in odd:
        np.testing.assert_array_equal(one[name], 0.0)


def test_labels_of_a_given_offset_are_not_folded():
    e = ge.Problem(ge.DeepNetwork("tanh", bias_variance=0.3, offset=-0.4, labels=ge.Output(np.abs, 0.1, (0.0,)))).equivalent()
    model = Model(ge.ERM("huber", 0.1), e)
    assert (model.b0.tolist(), model.folded, model.odd) == ([-0.4], False, ())
    assert e.parity == "even" and e.folds(False)


def test_losses_that_are_alike_far_in_alone_are_not_alike():
    """A loss that turns linear on one side at 50."""
    loss = ge.CustomLoss(
        lambda r: np.where(r > 50, 50 * r - 1250, r * r / 2),
        "residual",
        name="tilted",
        slope=lambda r: np.minimum(r, 50.0),
        curvature=lambda r: np.where(r > 50, 0.0, 1.0),
    )
    e = equivalent(ge.Output(np.tanh, 0.3, name="tanh"), offset_variance=0.5)
    assert not Model(ge.ERM(loss, 0.1), e).folded and Model(ge.ERM("square", 0.1), e).folded


@pytest.mark.parametrize("lam", [0.0, 0.1])
def test_what_vanishes_on_average_is_there_without_a_penalty(lam):
    """Interpolators say no constant of their own; where nothing is known of the error, nothing is of what is odd."""
    target = ge.DeepNetwork("relu", task="classification", noise=0.1, bias_variance=0.3)
    for alpha in ([0.5], [0.5, 3.0]):
        curve = ge.solve(ge.Problem(target, learner=ge.ERM("square", lam)), alpha=alpha)
        assert curve.converged.all() and curve.intercept.values.tolist() == len(alpha) * [0.0]
