"""Words and units of what Bayes-optimal inference reports."""

from __future__ import annotations

from gaussequiv.curve import Observable
from gaussequiv.learners.observables import COMMON

BAYES = COMMON | {
    "overlap": Observable("overlap with the target's linear part"),
    "qhat": Observable("conjugate overlap"),
    "gibbs_error": Observable("error of a posterior draw against the noiseless label", "output units"),
    "estimation_error": Observable("mean squared error of a weight"),
    "quadrature_error": Observable("relative error of the channel's integrals, and of 1 - overlap by them"),
    "free_entropy": Observable("mean log-evidence, per input dimension", "nats"),
    "mutual_information": Observable("mutual information of labels and weights, per input dimension", "nats"),
}
INFORMATION = BAYES | {
    "layer": Observable("hidden layer"),
    "mutual_information_per_sample": Observable("mutual information of labels and all parameters, per sample", "nats"),
    "conditional_information": Observable("information on the nonlinear parts given the weights, per sample", "nats", solved=False),
    "layer_information": Observable("information on a layer's nonlinear part, per sample", "nats"),
    "label_entropy": Observable("entropy of the labels, per sample", "nats"),
    "label_noise_entropy": Observable("entropy of the label noise, per sample", "nats", solved=False),
    "predictive_entropy": Observable("entropy of one more label", "nats"),
    "free_entropy_per_sample": Observable("mean log-evidence per sample", "nats"),
    "reduction_rate": Observable("rate of the bound on replacing a layer, without its constant"),
}
