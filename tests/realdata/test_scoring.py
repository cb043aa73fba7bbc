"""Scores as averages over the law of left-out scores: scikit-learn's own where nothing is random, draws where something is."""

import numpy as np
import pytest
from sklearn import metrics

from gaussequiv.errors import ArgumentError
from gaussequiv.estimators.refits import METRICS
from gaussequiv.realdata.scoring import SCORINGS, ScoreLaw, read_scoring

RNG = np.random.default_rng(3)
Y = np.where(RNG.random(300) < 0.2, 1.0, -1.0)
SCORE = np.round(Y + 1.5 * RNG.standard_normal(300) - 0.3, 1)  # with ties
CLASSES = [name for name, one in SCORINGS.items() if one.classify]


def sklearn_score(name, y, z):
    if name == "accuracy":
        return np.mean(y * z > 0)
    if name == "r2":
        return metrics.r2_score(y, z)
    if name.startswith("neg_mean"):
        return -(metrics.mean_squared_error if "squared" in name else metrics.mean_absolute_error)(y, z)
    given = {"labels": (z > 0).astype(int), "scores": z, "probabilities": 1 / (1 + np.exp(-z))}[SCORINGS[name].needs]
    return METRICS[name]((y > 0).astype(int), given)


@pytest.mark.parametrize("name", SCORINGS)
def test_without_noise_it_is_the_score_of_the_rows(name):
    classify, score = SCORINGS[name].classify, SCORE + 0.013  # no score of 0, which has no sign
    y = Y if classify else Y + RNG.standard_normal(300)
    law = ScoreLaw(y, score, np.zeros(300), classify=classify)
    assert SCORINGS[name].best - SCORINGS[name].error(law) == pytest.approx(sklearn_score(name, y, score), rel=1e-10)


@pytest.mark.parametrize("name", SCORINGS)
def test_noise_of_one_training_set_is_shared_in_part(name):
    """Many sets of scores with a common shift and noise of each row: their mean score within four standard errors and 0.005."""
    classify = SCORINGS[name].classify
    y = np.tile(Y, 4) if classify else np.tile(Y, 4) + RNG.standard_normal(1200)
    score, extra, common = np.tile(SCORE, 4), 0.6 * (1 + RNG.random(1200)), 0.5
    law = ScoreLaw(y, score, extra, classify=classify, common=common)
    drawn = []
    for _ in range(100):
        noise = np.sqrt(common) * RNG.standard_normal() + np.sqrt(extra - common) * RNG.standard_normal(1200)
        drawn.append(sklearn_score(name, y, score + noise))
    gap = SCORINGS[name].best - SCORINGS[name].error(law) - np.mean(drawn)
    assert abs(gap) < 4 * np.std(drawn) / 10 + 0.005


def test_noise_that_is_removed_shrinks_classes_to_their_means():
    law = ScoreLaw(Y, SCORE, np.full(300, -0.5), classify=True)
    for label in (-1, 1):
        before, after = SCORE[label == Y], law.score[label == Y]
        assert after.mean() == pytest.approx(before.mean())
        assert after.var() == pytest.approx(before.var() - 0.5)
    assert law.removed == pytest.approx(-0.5 / min(SCORE[Y > 0].var(), SCORE[Y < 0].var()))


def test_a_shift_of_all_scores_changes_no_order():
    plain, shifted = (ScoreLaw(Y, SCORE, np.full(300, v), classify=True, common=c) for v, c in ((0.0, 0.0), (0.7, 0.7)))
    for name in ("roc_auc", "average_precision"):
        assert SCORINGS[name].error(plain) == pytest.approx(SCORINGS[name].error(shifted), abs=2e-3)
    assert SCORINGS["f1"].error(shifted) > SCORINGS["f1"].error(plain) + 0.01


@pytest.mark.parametrize(
    ("name", "classify", "loss", "text"),
    [
        ("neg_log_loss", True, "hinge", "needs probabilities"),
        ("neg_brier_score", True, "square", "needs probabilities"),
        ("r2", True, "logistic", "score of regressions"),
        ("roc_auc", False, "square", "score of classifiers"),
        ("roc_auk", True, "square", "Did you mean 'roc_auc'"),
        (max, True, "square", "one of accuracy"),
    ],
)
def test_other_scores_are_refused_by_name(name, classify, loss, text):
    with pytest.raises(ArgumentError, match=text):
        read_scoring(name, classify=classify, loss=loss)
    assert read_scoring(None, classify=classify, loss=loss) is None
