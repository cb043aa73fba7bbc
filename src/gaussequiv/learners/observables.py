"""Words and units of what every learner reports; each kind adds its own."""

from __future__ import annotations

from gaussequiv.curve import BOOKKEEPING, Observable

ERRORS = {
    "test_error": Observable("test error", "output units"),
    "clean_error": Observable("error against the noiseless label", "output units"),
    "train_error": Observable("training error", "output units"),
    "floor": Observable("test error for alpha to infinity", "output units", solved=False),
    "excess_over_floor": Observable("test error above the floor", "output units"),
}
ORDER_PARAMETERS = {
    "m": Observable("covariance of student and target fields", "output units squared"),
    "q": Observable("variance of the student field", "output units squared"),
    "V": Observable("susceptibility"),
}
RANKING = {"auc": Observable("area under the ROC curve")}
PROBABILITIES = {
    "log_loss": Observable("negative log-likelihood on fresh rows", "nats"),
    "brier": Observable("Brier score"),
    "calibration_error": Observable("expected calibration error"),
}
PENALTY = {"lam": Observable("ridge penalty", averaged=False, solved=False)}
COMMON = BOOKKEEPING | ERRORS | ORDER_PARAMETERS | PENALTY | RANKING | PROBABILITIES
