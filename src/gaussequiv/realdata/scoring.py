r"""Scores of scikit-learn as averages over the law of left-out scores: what a learning curve may be drawn of."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import special

from gaussequiv.errors import ArgumentError, FloatArray, did_you_mean

NODES = 16  # of a row's noise
SHIFTS = 7  # of the noise that all rows share, in ratios of counts
MOST_SHRUNK = -0.5  # of the spread of a class's scores: beyond, the pool says too little


class ScoreLaw:
    r"""Scores omega_i + sqrt(common) xi_0 + sqrt(extra_i - common) xi_i of N fresh rows with labels y_i, xi independent N(0, 1).

    For one training set the noise of two rows' scores is correlated through what their rows share: the constant, and the classes' means.
    `common` is that covariance, averaged over pairs of one row of each class. A shift of all scores changes no order of rows.

    Parameters
    ----------
    y : array of shape (N,)
        -1 and 1 for classes, else real.
    score : array of shape (N,)
        Left-out scores omega_i.
    extra : array of shape (N,)
        Variance of the noise; where its mean is negative, noise is to be removed: scores are shrunk to their class's mean (residuals
        to 0), which is exact for Gaussian scores, and `removed` is the share of their spread (else 0).
    common : float
    """

    def __init__(self, y: FloatArray, score: FloatArray, extra: FloatArray, *, classify: bool, common: float = 0.0) -> None:
        self.y, self.removed = y, 0.0
        self.common = float(np.clip(common, 0.0, np.quantile(np.maximum(extra, 0.0), 0.1)))
        self.score, self.variance = score.copy(), np.maximum(extra, 0.0)
        groups = (y == -1, y == 1) if classify else (np.ones(len(y), dtype=bool),)
        for rows in groups:
            apart = score[rows] if classify else score[rows] - y[rows]
            centre = float(apart.mean()) if classify else 0.0
            share = float(np.mean(extra[rows])) / (float(np.mean((apart - centre) ** 2)) + 1e-300)
            if share < 0:
                self.removed, self.variance[rows] = min(self.removed, share), 0.0
                self.score[rows] += (np.sqrt(max(1 + share, 0.0)) - 1) * (apart - centre)
        noisy = bool(self.variance.any())
        self.nodes, mass = np.polynomial.hermite_e.hermegauss(NODES) if noisy else (np.zeros(1), np.ones(1))
        self.mass: FloatArray = mass / mass.sum()

    def mean_of(self, function: Callable[[FloatArray, FloatArray], FloatArray]) -> FloatArray:
        """E f(y_i, score_i) of every row."""
        return function(self.y[:, None], self.score[:, None] + np.sqrt(self.variance)[:, None] * self.nodes) @ self.mass

    def wrong(self, shift: float = 0.0, variance: FloatArray | None = None) -> FloatArray:
        """P(y_i score_i < 0) of every row."""
        v = self.variance if variance is None else variance
        margin = self.y * (self.score + shift)
        return np.where(v > 0, special.ndtr(-margin / np.sqrt(np.maximum(v, 1e-300))), (margin < 0).astype(float))

    def atoms(self) -> FloatArray:
        """Scores of weights `mass` in every row, without the shift that all share; of shape (N, nodes)."""
        return self.score[:, None] + np.sqrt(np.maximum(self.variance - self.common, 0.0))[:, None] * self.nodes


def _mean(law: ScoreLaw, function: Callable[[FloatArray, FloatArray], FloatArray]) -> float:
    return float(law.mean_of(function).mean())


def _rates(law: ScoreLaw) -> tuple[float, float]:
    """Mean chance of a wrong label in the lower and in the higher class."""
    wrong = law.wrong()
    return float(wrong[law.y < 0].mean()), float(wrong[law.y > 0].mean())


def _f1(law: ScoreLaw) -> float:
    """1 - 2 TP/(2 TP + FP + FN) of shares of all rows, averaged over the shift that all rows share."""
    nodes, mass = np.polynomial.hermite_e.hermegauss(SHIFTS) if law.common > 0 else (np.zeros(1), np.ones(1))
    up, rest, value = law.y > 0, np.maximum(law.variance - law.common, 0.0), 0.0
    for node, weight in zip(nodes, mass / mass.sum(), strict=True):
        wrong = law.wrong(float(np.sqrt(law.common) * node), rest)
        mistakes, hits = float(wrong.mean()), float(np.mean(np.where(up, 1 - wrong, 0.0)))
        value += float(weight) * mistakes / (2 * hits + mistakes)
    return value


def _above(of: FloatArray, weights: FloatArray, at: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weight of the points `of` above the points `at`, and equal to them."""
    order = np.argsort(of, axis=None, kind="stable")
    places, total = of.ravel()[order], np.append(0.0, np.cumsum(weights.ravel()[order]))
    left, right = (np.searchsorted(places, at, side=side) for side in ("left", "right"))
    return total[-1] - total[right], total[right] - total[left]


def _ranking(law: ScoreLaw) -> float:
    """1 - AUC, the mean over pairs of P(score of the lower class > that of the higher one), ties by half."""
    atoms = law.atoms()
    ours, theirs = atoms[law.y > 0], atoms[law.y < 0]
    above, tied = _above(theirs, np.tile(law.mass / len(theirs), len(theirs)), ours)
    return float(np.mean((above + 0.5 * tied) @ law.mass))


def _average_precision(law: ScoreLaw) -> float:
    """1 - mean over positive rows of the precision at their own score, among as many rows as there are: a positive row counts itself."""
    atoms = law.atoms()
    ours, theirs = atoms[law.y > 0], atoms[law.y < 0]
    hits, false = (sum(_above(of, np.tile(law.mass, len(of)), ours), start=np.zeros(ours.shape)) for of in (ours, theirs))
    if law.mass.size > 1:  # all of itself, and not the part of its own law that is above
        hits = hits + np.where(np.ptp(ours, axis=1, keepdims=True) > 0, 1 - np.cumsum(law.mass[::-1])[::-1], 0.0)
    return 1 - float(np.mean(hits / (hits + false) @ law.mass))


def _absolute(law: ScoreLaw) -> float:
    """E|e + sqrt(v) xi| = e (2 Phi(e/sqrt(v)) - 1) + 2 sqrt(v) phi(e/sqrt(v))."""
    e, width = law.score - law.y, np.sqrt(law.variance)
    t = np.clip(e / np.maximum(width, 1e-300), -40.0, 40.0)
    density = np.exp(-0.5 * t * t) / np.sqrt(2 * np.pi)
    return float(np.mean(np.where(width > 0, e * (2 * special.ndtr(t) - 1) + 2 * width * density, np.abs(e))))


def _squared(law: ScoreLaw) -> float:
    return float(np.mean((law.score - law.y) ** 2 + law.variance))


def _log_loss(y: FloatArray, score: FloatArray) -> FloatArray:
    return np.logaddexp(0.0, -y * score)


def _brier(y: FloatArray, score: FloatArray) -> FloatArray:
    return special.expit(-y * score) ** 2


class Scoring(NamedTuple):
    """A score by scikit-learn's name: `best` minus it is an error, and `error` that of a law of scores."""

    name: str
    best: float
    classify: bool
    needs: str  # of a classifier: labels, scores or probabilities
    words: str
    unit: str
    error: Callable[[ScoreLaw], float]


SCORINGS = {
    one.name: one
    for one in (
        Scoring("accuracy", 1.0, True, "labels", "share of right labels", "1", lambda law: float(law.wrong().mean())),
        Scoring("balanced_accuracy", 1.0, True, "labels", "mean recall of the two classes", "1", lambda law: sum(_rates(law)) / 2),
        Scoring("f1", 1.0, True, "labels", "F1 score of the higher class", "1", _f1),
        Scoring("recall", 1.0, True, "labels", "recall of the higher class", "1", lambda law: _rates(law)[1]),
        Scoring("roc_auc", 1.0, True, "scores", "area under the ROC curve", "1", _ranking),
        Scoring("average_precision", 1.0, True, "scores", "average precision of the higher class", "1", _average_precision),
        Scoring("neg_log_loss", 0.0, True, "probabilities", "minus the log-loss", "nats", lambda law: _mean(law, _log_loss)),
        Scoring("neg_brier_score", 0.0, True, "probabilities", "minus the Brier score", "1", lambda law: _mean(law, _brier)),
        Scoring("r2", 1.0, False, "labels", "share of the variance explained", "1", lambda law: _squared(law) / float(np.var(law.y))),
        Scoring("neg_mean_squared_error", 0.0, False, "labels", "minus the mean squared error", "output units squared", _squared),
        Scoring("neg_mean_absolute_error", 0.0, False, "labels", "minus the mean absolute error", "output units", _absolute),
    )
}
PROBABILISTIC = ("logistic",)  # losses whose fits have probabilities, 1/(1 + exp(-score))


def read_scoring(name: str | None, *, classify: bool, loss: str) -> Scoring | None:
    """The score, or a refusal: of names that are not covered, of another task, of probabilities that an estimator does not have."""
    if name is None:
        return None
    possible = [
        one.name for one in SCORINGS.values() if one.classify == classify and (one.needs != "probabilities" or loss in PROBABILISTIC)
    ]
    if isinstance(name, str) and name in possible:
        return SCORINGS[name]
    why = ""
    if isinstance(name, str) and name in SCORINGS:
        other = SCORINGS[name]
        why = " That needs probabilities, which only LogisticRegression has." if other.classify == classify else ""
        why = why or f" That is a score of {'classifiers' if other.classify else 'regressions'}."
    raise ArgumentError(
        f"Argument `scoring` must be None or, for this estimator, one of {', '.join(possible)}, but scoring={name!r}."
        f"{why or did_you_mean(name, possible)}"
    )
