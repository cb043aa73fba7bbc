"""What real labels say of the field at all, and the moments and averages of every offset in its own place."""

import warnings

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.errors import AccuracyWarning
from gaussequiv.ingredients.channels.outputs import Output
from gaussequiv.ingredients.losses import named as losses
from gaussequiv.learners.convex import real_labels
from gaussequiv.learners.convex.averages import Fields
from gaussequiv.learners.convex.output_averages import label_errors, label_losses
from gaussequiv.learners.convex.real_labels import RealLabels

B0, RHO, WEIGHTS = np.array([0.4, -0.9, 0.1]), 1.1, ((1.0, 0.6), (3.0, 0.4))
SQUARE, HUBER = losses.get("square"), losses.get("huber:0.5")


def fields(b0):
    one = np.ones_like(b0)
    V, q, m, c = 0.7 * one, 0.5 * one, 0.3 * one, 0.1 * one
    return Fields(V, q, m, c, b0, RHO - m * m / q, RHO + q - 2 * m)


@pytest.mark.parametrize(
    ("law", "by_square", "by_huber"),
    [
        (Output(np.tanh, 0.3, name="tanh"), True, True),
        (Output(lambda z: 1e-6 * z, 1.0, name="faint"), True, True),
        (Output(lambda z: 0 * z + 0.7, 0.3, name="constant"), False, False),
        (ge.AbsoluteValue(0.1), False, False),  # even in the field
        (Output(lambda z: z**3 - 3 * RHO * z, 0.1, name="Hermite"), False, True),  # no slope, but extreme labels tell the field's sign
    ],
)
def test_what_labels_say_of_the_field(law, by_square, by_huber):
    at_zero = RealLabels(law, RHO, np.zeros(1))
    assert at_zero.informative(SQUARE) is by_square
    assert at_zero.informative(HUBER) is by_huber


def test_labels_without_a_field_that_varies_say_nothing():
    still = RealLabels(Output(np.tanh, 0.3, name="tanh"), 0.0, np.zeros(1))
    assert not still.informative(SQUARE)
    assert not still.informative(HUBER)
    assert not RealLabels(Output(np.tanh, 0.0, name="tanh"), 0.0, np.zeros(1)).informative(HUBER)


def test_one_offset_that_tells_is_enough():
    assert RealLabels(ge.AbsoluteValue(0.1), RHO, np.array([0.0, 0.5])).informative(SQUARE)
    assert RealLabels(ge.AbsoluteValue(0.1), RHO, np.array([0.0, 0.5])).informative(HUBER)


@pytest.mark.parametrize("loss", [SQUARE, HUBER], ids=lambda loss: loss.name)
def test_every_point_has_the_law_of_its_own_offset(loss):
    """Offsets in no order, asked for in another: averages and scores are those of a model of that offset alone."""
    labels = RealLabels(Output(np.tanh, 0.15, name="tanh"), RHO, B0)
    at = fields(B0[[2, 0, 0, 1]])
    averages, scores = labels.averages(loss, at, WEIGHTS), labels.scores(loss, at, WEIGHTS)
    for k in range(4):
        alone = RealLabels(labels.channel, RHO, at.b0[k : k + 1])
        own = at.take(slice(k, k + 1))
        np.testing.assert_allclose(averages.value[k], alone.averages(loss, own, WEIGHTS).value[0], rtol=1e-12)
        for name, value in alone.scores(loss, own, WEIGHTS).items():
            np.testing.assert_allclose(scores[name][k], value[0], rtol=1e-12, err_msg=name)


def test_scores_of_the_square_loss_are_those_by_quadrature():
    labels = RealLabels(Output(np.tanh, 0.15, name="tanh"), RHO, B0)
    at = fields(B0)
    scores = labels.scores(SQUARE, at, WEIGHTS)
    for name, value in label_losses(SQUARE, [labels.law(b) for b in B0.tolist()], at, WEIGHTS).items():
        np.testing.assert_allclose(scores[name], value, rtol=1e-9, err_msg=name)
    for name, value in label_losses(HUBER, [labels.law(b) for b in B0.tolist()], at, WEIGHTS).items():
        np.testing.assert_allclose(labels.scores(HUBER, at, WEIGHTS)[name], value, rtol=1e-12, err_msg=name)
    assert set(labels.scores(HUBER, at, WEIGHTS, ("test_error",))) == {"test_error", "clean_error"}
    assert {"train_loss", "test_error"} <= set(labels.scores(HUBER, at, WEIGHTS, ("train_loss",)))
    moments = labels.channel.label_moments(B0, RHO)
    for name, value in label_errors(moments, moments.scatter - moments.slope**2 * RHO, at).items():
        np.testing.assert_allclose(scores[name], value, rtol=1e-12, err_msg=name)


class Off(Output):
    """Pairs that miss the mean, the slope or the variance of the law by a thousandth."""

    def atoms(self, b0, variance):
        law = super().atoms(b0, variance)
        if self.name == "mean":
            return law._replace(label=law.label + 1e-3)
        if self.name == "slope":  # leaves mean and variance as they are
            return law._replace(centred=1.001 * law.centred)
        if self.name == "noise":
            return law._replace(noise=law.noise + 1e-3)
        return law


@pytest.mark.parametrize("rho", [0.4, 1.1])
@pytest.mark.parametrize("name", ["mean", "slope", "noise"])
def test_pairs_that_miss_the_moments_are_told_by_how_much(name, rho):
    """In standard deviations of the label (and its mean), or of its variance."""
    labels = RealLabels(Off(lambda z: 0.3 + np.tanh(z), 0.15, name=name), rho, B0)
    mean, slope, scatter, noise = (float(part[0]) for part in labels.moments)
    spread = np.sqrt(scatter + noise)
    gap = {"mean": 1e-3 / (spread + abs(mean)), "slope": 1e-3 * slope * np.sqrt(rho) / spread, "noise": 1e-3 / spread**2}[name]
    with pytest.warns(AccuracyWarning, match=f"by {gap:.1e} of"):
        labels.law(0.4)


def test_laws_are_kept_as_long_as_there_is_room(monkeypatch):
    labels = RealLabels(Output(np.tanh, 0.15, name="tanh"), RHO, B0)
    size = labels.channel.atoms(0.4, RHO).mass.size
    monkeypatch.setattr(real_labels, "KEPT", 1.5 * size)
    kept, other = (labels.law(b) for b in (0.4, 0.1))
    assert labels.law(0.4) is kept
    assert labels.law(0.1) is not other
    monkeypatch.setattr(real_labels, "KEPT", 0.5 * size)
    fresh = RealLabels(labels.channel, RHO, B0)
    assert fresh.law(0.4) is not fresh.law(0.4)


def test_pairs_that_have_them_are_silent_and_kept():
    labels = RealLabels(Off(np.tanh, 0.15, name="none"), RHO, B0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        laws = [labels.law(b) for b in B0.tolist()]
        RealLabels(Off(lambda z: 0 * z, 0.0, name="zero"), RHO, B0).law(0.4)
    assert all(labels.law(b) is law for b, law in zip(B0.tolist(), laws, strict=True))
